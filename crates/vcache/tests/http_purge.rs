//! Purging by URL, tag, prefix, host and everything, soft and hard; tags and cache groups.
#![cfg(feature = "http")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    reason = "tests"
)]

mod http_origin;

use std::time::Duration;

use http::{Method, Request};
use http_origin::{Log, Origin, Reply, after, fetch, get, now, ok, pass, response, send, stack};
use vcache::http::{Cache, Config, HttpCache, Purge};
use vhttp::Body;

const FRESH: (&str, &str) = ("cache-control", "max-age=60, stale-if-error=600");

/// An origin whose pages have the tags that their query names; down when `/down` was asked for.
fn site(config: Config) -> (Cache<Origin>, Log, HttpCache) {
    stack(config, |request, _| {
        let tags = request.uri.query().unwrap_or("").replace('+', " ");
        let groups = tags.split(' ').map(|tag| format!("\"{tag}\"")).collect::<Vec<_>>().join(",");
        let fields = [FRESH, ("surrogate-key", &tags), ("cache-groups", &groups)];
        now(match (&request.method, request.headers.contains_key("if-none-match")) {
            (&Method::GET, false) => ok(&[&fields[..], &[("etag", "\"1\"")]].concat(), "page"),
            (&Method::GET, true) => response(304, &[FRESH, ("etag", "\"1\"")], ""),
            _ => ok(&[("cache-group-invalidation", &groups)], ""),
        })
    })
}

async fn at(cache: &Cache<Origin>, url: &str) -> Reply {
    send(cache, Request::get(url).body(Body::empty()).unwrap()).await.unwrap()
}

const PAGES: [&str; 6] = [
    "http://a.test/x?red+green",
    "http://a.test/x/y?red",
    "http://a.test:8080/x?blue",
    "https://a.test/?green",
    "http://b.test/x?red",
    "http://b.test/none",
];

#[tokio::test(start_paused = true)]
async fn a_purge_takes_what_it_names_and_says_how_much() {
    let rows = [
        (Purge::url("http://a.test/x?red+green"), "100000"),
        (Purge::tag("red"), "110010"),
        (Purge::tag("green"), "100100"),
        (Purge::tag("yellow"), "000000"),
        (Purge::prefix("http://a.test/x"), "110000"),
        (Purge::prefix("http://a.test/x/"), "010000"),
        (Purge::host("a.test"), "111100"),
        (Purge::host("A.TEST:8080"), "001000"),
        (Purge::everything(), "111111"),
    ];
    for (purge, taken) in rows {
        for hard in [false, true] {
            let (cache, _, handle) = site(Config::default());
            for page in PAGES {
                at(&cache, page).await;
            }
            let purge = if hard { purge.clone().hard() } else { purge.clone() };
            let count = taken.matches('1').count();
            let purged = handle.purge(&purge).await.unwrap();
            assert_eq!((purged.urls, purged.responses), (count, count), "{purge:?}");
            for (page, taken) in PAGES.into_iter().zip(taken.chars()) {
                let reply = at(&cache, page).await;
                let expected = match (taken, hard) {
                    ('0', _) => "Verve; hit; ttl=60",
                    (_, true) => "Verve; fwd=uri-miss; fwd-status=200; stored",
                    (_, false) => "Verve; fwd=stale; fwd-status=304; stored",
                };
                assert_eq!(reply.cache_status(), expected, "{purge:?} {page}");
            }
            // What was fetched or confirmed since is fresh again, and still has its tags.
            assert_eq!(at(&cache, PAGES[0]).await.cache_status(), "Verve; hit; ttl=60");
            assert_eq!(handle.purge(&Purge::tag("red")).await.unwrap().responses, 3);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_soft_purge_leaves_what_may_stand_in_for_an_outage_and_a_hard_one_nothing() {
    for (hard, answer) in [(false, (200, "page")), (true, (503, "down"))] {
        let (cache, _, handle) = stack(Config::default(), |_, n| {
            now(if n == 1 { ok(&[FRESH], "page") } else { response(503, &[], "down") })
        });
        fetch(&cache, "/").await;
        let purge = Purge::url("http://a.test/");
        handle.purge(&if hard { purge.hard() } else { purge }).await.unwrap();
        for _ in 0..2 {
            let reply = fetch(&cache, "/").await;
            assert_eq!((reply.status.as_u16(), reply.body()), answer);
        }
        // The window counts from the purge.
        pass(601).await;
        assert_eq!(fetch(&cache, "/").await.status.as_u16(), 503);
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_purged_softly_is_no_answer_while_the_origin_has_one() {
    let fields = [("cache-control", "max-age=60, stale-while-revalidate=10")];
    for (wish, value) in [("x", ""), ("cache-control", "max-stale")] {
        let (cache, log, handle) =
            stack(Config::default(), move |_, n| now(ok(&fields, n.to_string())));
        fetch(&cache, "/").await;
        handle.purge(&Purge::everything()).await.unwrap();
        let reply = send(&cache, get("/", &[(wish, value)])).await.unwrap();
        assert_eq!((reply.body(), log.count()), ("2", 2));
        // What came since has its window again.
        pass(61).await;
        assert_eq!(fetch(&cache, "/").await.body(), "2");
    }
}

#[tokio::test(start_paused = true)]
async fn a_soft_purge_removes_what_is_of_no_use_when_stale() {
    let config = Config { stale_if_unreachable: Duration::ZERO, ..Config::default() };
    let (cache, log, handle) =
        stack(config, |_, _| now(ok(&[("cache-control", "max-age=60")], "x")));
    fetch(&cache, "/").await;
    assert_eq!(handle.purge(&Purge::everything()).await.unwrap().responses, 1);
    assert_eq!(handle.stats().keys, 0);
    fetch(&cache, "/").await;
    assert_eq!(log.count(), 2);
}

#[tokio::test(start_paused = true)]
async fn all_variants_of_a_url_are_purged_and_by_tag_only_those_that_have_it() {
    let (cache, log, handle) = stack(Config::default(), |request, _| {
        let language = request.headers["accept-language"].to_str().unwrap().to_owned();
        now(ok(&[FRESH, ("vary", "accept-language"), ("cache-tag", &language)], language.clone()))
    });
    let asked = |language: &'static str| send(&cache, get("/", &[("accept-language", language)]));
    for language in ["en", "de", "fr"] {
        asked(language).await.unwrap();
    }
    let purged = handle.purge(&Purge::tag("de").hard()).await.unwrap();
    assert_eq!((purged.urls, purged.responses), (1, 1));
    for (language, count) in [("en", 3), ("fr", 3), ("de", 4)] {
        asked(language).await.unwrap();
        assert_eq!(log.count(), count, "{language}");
    }
    let purged = handle.purge(&Purge::url("http://a.test/").hard()).await.unwrap();
    assert_eq!((purged.urls, purged.responses), (1, 3));
}

#[tokio::test(start_paused = true)]
async fn what_was_asked_before_a_purge_is_not_stored_after_it_whatever_the_purge_names() {
    let purges = [
        (Purge::url("http://a.test/"), true),
        (Purge::tag("t"), true),
        (Purge::tag("u"), false),
        (Purge::prefix("http://a.test/"), true),
        (Purge::prefix("http://b.test/"), false),
        (Purge::host("a.test"), true),
        (Purge::host("b.test"), false),
        (Purge::everything(), true),
    ];
    for (purge, is_meant) in purges {
        let (cache, log, handle) = stack(Config::default(), |_, _| {
            after(Duration::from_secs(1), ok(&[FRESH, ("cache-tag", "t")], "x"))
        });
        let under_way = tokio::spawn({
            let cache = cache.clone();
            async move { fetch(&cache, "/").await }
        });
        tokio::time::sleep(Duration::from_millis(500)).await;
        assert_eq!(handle.purge(&purge).await.unwrap().responses, 0);
        under_way.await.unwrap();
        fetch(&cache, "/").await;
        assert_eq!(log.count(), if is_meant { 2 } else { 1 }, "{purge:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn tags_can_be_kept_from_clients_and_are_not_lost_by_that() {
    let config = Config { strip_tags: true, ..Config::default() };
    let (cache, _, handle) = site(config);
    for _ in 0..2 {
        let reply = at(&cache, PAGES[0]).await;
        assert_eq!(reply.field("surrogate-key"), None);
    }
    let post = at(&cache, "http://a.test/x?red").await;
    assert_eq!(post.field("surrogate-key"), None);
    // A 304 that does not repeat them leaves them as they are.
    pass(61).await;
    assert!(at(&cache, PAGES[0]).await.cache_status().contains("fwd-status=304"));
    assert_eq!(handle.purge(&Purge::tag("green")).await.unwrap().responses, 1);
}

#[tokio::test(start_paused = true)]
async fn which_fields_tag_a_response_is_the_operators_choice() {
    let config = Config { tag_fields: vec!["X-Key".to_owned()], ..Config::default() };
    let (cache, _, handle) =
        stack(config, |_, _| now(ok(&[FRESH, ("x-key", "mine"), ("cache-tag", "theirs")], "x")));
    fetch(&cache, "/").await;
    assert_eq!(handle.purge(&Purge::tag("theirs")).await.unwrap().responses, 0);
    assert_eq!(handle.purge(&Purge::tag("mine")).await.unwrap().responses, 1);
    let bad = Config { tag_fields: vec!["no field".to_owned()], ..Config::default() };
    assert!(HttpCache::new(bad).is_err());
}

#[tokio::test(start_paused = true)]
async fn a_response_with_more_tags_than_are_kept_is_not_stored() {
    let config = Config { max_tags: 2, cache_groups: false, ..Config::default() };
    for (tags, count) in [("a b", 1), ("a a b", 1), ("a b c", 2)] {
        let tags = tags.to_owned();
        let (cache, log, _) =
            stack(config.clone(), move |_, _| now(ok(&[FRESH, ("cache-tag", &tags)], "x")));
        fetch(&cache, "/").await;
        fetch(&cache, "/").await;
        assert_eq!(log.count(), count);
    }
}

#[tokio::test(start_paused = true)]
async fn an_unsafe_request_invalidates_groups_of_its_own_origin() {
    // RFC 9875 §2.1, §3: by the answer's field, for unsafe methods only, on one origin only.
    let rows = [
        ("POST", "http://a.test/other?red", true, "110000"),
        ("DELETE", "http://b.test/other?red", true, "000010"),
        ("OPTIONS", "http://a.test/other?red", true, "000000"),
        ("POST", "http://a.test/other?red", false, "000000"),
    ];
    for (method, url, cache_groups, taken) in rows {
        let (cache, _, handle) = site(Config { cache_groups, ..Config::default() });
        for page in PAGES {
            at(&cache, page).await;
        }
        // An operator's tag is not a group.
        assert_eq!(handle.purge(&Purge::tag("\"red\"")).await.unwrap().responses, 0);
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        let request = Request::builder().method(method).uri(url).body(Body::empty()).unwrap();
        send(&cache, request).await.unwrap();
        for (page, taken) in PAGES.into_iter().zip(taken.chars()) {
            let gone = !at(&cache, page).await.cache_status().contains("hit");
            assert_eq!(gone, taken == '1', "{url} {page}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_purge_that_names_nothing_is_refused() {
    let (_, _, handle) = site(Config::default());
    for (purge, words) in [
        (Purge::url("/x"), "absolute URL"),
        (Purge::prefix("x"), "absolute URL"),
        (Purge::host("a/b"), "not a host"),
        (Purge::tag("two words"), "not a tag"),
    ] {
        let error = handle.purge(&purge).await.unwrap_err().to_string();
        assert!(error.contains(words), "{error}");
    }
}

#[tokio::test(start_paused = true)]
async fn tags_count_in_the_size_of_the_cache() {
    let tags: String = (0..100).map(|n| format!("tag{n:05} ")).collect();
    let weigh = |tags: String| async move {
        let (cache, _, handle) =
            stack(Config::default(), move |_, _| now(ok(&[FRESH, ("cache-tag", &tags)], "x")));
        fetch(&cache, "/").await;
        handle.stats().bytes
    };
    let (without, with) = (weigh("x".repeat(tags.len() - 1)).await, weigh(tags).await);
    assert!(with > without + 100 * 100, "{without} {with}");
}
