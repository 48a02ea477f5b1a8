//! Followers read a miss while it arrives: from its beginning, at their own pace, to its true end.
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

use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method, Response};
use http_body::{Body as HttpBody, Frame};
use http_body_util::BodyExt;
use http_origin::{Log, Origin, ask, fetch, get, now, ok, send, stack};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::time::sleep;
use tower::ServiceExt;
use vcache::http::{Cache, Config, HttpCache, Purge};
use vhttp::Body;

const FRESH: (&str, &str) = ("cache-control", "max-age=60");
const SECOND: Duration = Duration::from_secs(1);

type Piece = Result<Frame<Bytes>, &'static str>;

/// A body that sends what the test hands over.
struct Tap(UnboundedReceiver<Piece>);

impl HttpBody for Tap {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        self.0.poll_recv(cx).map(|piece| piece.map(|piece| piece.map_err(std::io::Error::other)))
    }
}

/// The origin's end of the bodies that it is sending, the last one at the end.
#[derive(Clone, Default)]
struct Taps(Arc<Mutex<Vec<UnboundedSender<Piece>>>>);

impl Taps {
    fn body(&self) -> Body {
        let (send, receive) = unbounded_channel();
        self.0.lock().unwrap().push(send);
        Body::new(Tap(receive))
    }

    fn send(&self, text: &'static str) {
        let piece = Ok(Frame::data(Bytes::from_static(text.as_bytes())));
        // Whoever does not listen any longer misses it.
        let _ = self.0.lock().unwrap().last().unwrap().send(piece);
    }

    fn cut(&self) {
        self.0.lock().unwrap().pop().unwrap().send(Err("cut")).unwrap();
    }

    fn trailers(&self, name: &'static str) {
        let mut trailers = HeaderMap::new();
        trailers.insert(name, "1".parse().unwrap());
        self.0.lock().unwrap().pop().unwrap().send(Ok(Frame::trailers(trailers))).unwrap();
    }

    fn end(&self) {
        self.0.lock().unwrap().pop().unwrap();
    }
}

fn tapped(
    config: Config,
    fields: &'static [(&'static str, &'static str)],
) -> (Cache<Origin>, Log, HttpCache, Taps) {
    let taps = Taps::default();
    let origin = taps.clone();
    let (cache, log, handle) = stack(config, move |_, _| now(ok(fields, origin.body())));
    (cache, log, handle, taps)
}

async fn open(cache: &Cache<Origin>, fields: &[(&str, &str)]) -> Response<Body> {
    cache.clone().oneshot(get("/", fields)).await.unwrap()
}

async fn next(response: &mut Response<Body>) -> Bytes {
    response.frame().await.unwrap().unwrap().into_data().unwrap()
}

fn status(response: &Response<Body>) -> &str {
    response.headers()["cache-status"].to_str().unwrap()
}

#[tokio::test(start_paused = true)]
async fn followers_read_what_arrives_as_it_arrives_and_from_the_beginning() {
    let (cache, log, _, taps) = tapped(Config::default(), &[FRESH, ("age", "7")]);
    let mut leader = open(&cache, &[]).await;
    let mut follower = open(&cache, &[]).await;
    assert_eq!(status(&leader), "Verve; fwd=uri-miss; fwd-status=200");
    assert_eq!(status(&follower), "Verve; fwd=uri-miss; collapsed");
    assert_eq!(follower.headers()["age"], "7");
    taps.send("first ");
    assert_eq!(next(&mut follower).await, "first ");
    assert_eq!(next(&mut leader).await, "first ");
    let late = open(&cache, &[]).await;
    taps.send("second");
    taps.end();
    assert_eq!(late.into_body().collect().await.unwrap().to_bytes(), "first second");
    assert_eq!(leader.into_body().collect().await.unwrap().to_bytes(), "second");
    let hit = open(&cache, &[]).await;
    assert!(status(&hit).contains("hit"));
    // The end came from the store, where the body is one piece.
    assert_eq!(next(&mut follower).await, "second");
    assert!(follower.frame().await.is_none());
    assert_eq!(log.count(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_body_that_breaks_off_breaks_off_for_everybody_and_is_not_stored() {
    let (cache, log, handle, taps) = tapped(Config::default(), &[FRESH]);
    let mut both = [open(&cache, &[]).await, open(&cache, &[]).await];
    taps.send("half");
    taps.cut();
    for reader in &mut both {
        assert_eq!(next(reader).await, "half");
        let error = reader.frame().await.unwrap().unwrap_err();
        let cause = std::error::Error::source(&error).unwrap().to_string();
        assert!(cause.contains("before it was complete"), "{cause}");
        assert!(reader.frame().await.is_none());
    }
    assert_eq!((log.count(), handle.stats().keys), (1, 0));
    let mut again = open(&cache, &[]).await;
    taps.send("whole");
    taps.end();
    assert_eq!(next(&mut again).await, "whole");
    assert_eq!(log.count(), 2);
}

#[tokio::test(start_paused = true)]
async fn trailers_reach_everybody_who_reads_and_are_not_stored() {
    let (cache, log, _, taps) = tapped(Config::default(), &[FRESH]);
    let readers = [open(&cache, &[]).await, open(&cache, &[]).await];
    taps.send("x");
    taps.trailers("x-end");
    for reader in readers {
        let all = reader.into_body().collect().await.unwrap();
        assert_eq!(all.trailers().unwrap()["x-end"], "1");
    }
    let stored = open(&cache, &[]).await;
    assert!(status(&stored).contains("hit"));
    let all = stored.into_body().collect().await.unwrap();
    assert!(all.trailers().is_none());
    assert_eq!((all.to_bytes(), log.count()), (Bytes::from_static(b"x"), 1));
}

#[tokio::test(start_paused = true)]
async fn followers_decide_anew_on_the_leaders_head() {
    let (cache, log, _, taps) =
        tapped(Config::default(), &[FRESH, ("etag", "\"1\""), ("vary", "accept"), ("age", "5")]);
    let _leader = open(&cache, &[]).await;
    let not_modified = open(&cache, &[("if-none-match", "\"1\"")]).await;
    assert_eq!((not_modified.status().as_u16(), log.count()), (304, 1));
    let head = cache.clone().oneshot(ask(Method::HEAD, "/", &[])).await.unwrap();
    assert!(status(&head).contains("collapsed") && head.body().is_end_stream());
    // A younger answer than the origin's cache gives, and another variant, are fetches of their
    // own; of the variant too there is only one.
    let younger = open(&cache, &[("cache-control", "max-age=1")]).await;
    assert!(!status(&younger).contains("collapsed"));
    assert_eq!(log.count(), 2);
    for collapsed in [false, true] {
        let variant = open(&cache, &[("accept", "text/plain")]).await;
        assert_eq!(status(&variant).contains("collapsed"), collapsed);
        assert_eq!(log.count(), 3);
        taps.send("x");
    }
}

#[tokio::test(start_paused = true)]
async fn what_must_be_validated_at_every_use_is_stored_and_not_shared() {
    let fields = &[("cache-control", "no-cache"), ("etag", "\"1\"")];
    let (cache, log, handle, taps) = tapped(Config::default(), fields);
    let leader = open(&cache, &[]).await;
    let _other = open(&cache, &[]).await;
    assert_eq!(log.count(), 2);
    taps.end();
    taps.send("x");
    taps.end();
    leader.into_body().collect().await.unwrap();
    assert_eq!(handle.stats().keys, 1);
}

#[tokio::test(start_paused = true)]
async fn who_comes_after_a_purge_does_not_read_what_was_asked_before() {
    for purge in [
        Purge::url("http://a.test/"),
        Purge::tag("t"),
        Purge::prefix("http://a.test/"),
        Purge::host("a.test"),
        Purge::everything().hard(),
    ] {
        let (cache, log, handle, taps) = tapped(Config::default(), &[FRESH, ("cache-tag", "t")]);
        let before = open(&cache, &[]).await;
        for spared in [Purge::tag("u"), Purge::url("http://b.test/"), Purge::host("b.test")] {
            handle.purge(&spared).await.unwrap();
            assert!(status(&open(&cache, &[]).await).contains("collapsed"), "{spared:?}");
        }
        assert_eq!(handle.purge(&purge).await.unwrap().responses, 0);
        taps.send("old");
        taps.end();
        // Still on its way for who was there, and for nobody else.
        let after = open(&cache, &[]).await;
        assert_eq!(before.into_body().collect().await.unwrap().to_bytes(), "old");
        taps.send("new");
        taps.end();
        assert_eq!(after.into_body().collect().await.unwrap().to_bytes(), "new");
        let hit = fetch(&cache, "/").await;
        assert_eq!((hit.body(), log.count()), ("new", 2), "{purge:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn past_the_largest_size_only_a_window_is_held_and_the_slowest_reader_does_not_hold_up_all() {
    let config = Config { max_object_size: 6, collapse_timeout: SECOND, ..Config::default() };
    let (cache, log, _, taps) = tapped(config, &[FRESH]);
    let mut quick = open(&cache, &[]).await;
    let mut slow = open(&cache, &[]).await;
    for _ in 0..4 {
        taps.send("four");
    }
    for _ in 0..2 {
        assert_eq!(next(&mut quick).await, "four");
    }
    // The third is not taken from the origin until there is room for it.
    let begun = tokio::time::Instant::now();
    assert_eq!(next(&mut quick).await, "four");
    assert_eq!(begun.elapsed(), SECOND);
    let error = slow.frame().await.unwrap().unwrap_err();
    assert!(std::error::Error::source(&error).unwrap().to_string().contains("too slowly"));
    assert_eq!(next(&mut quick).await, "four");
    taps.end();
    assert!(quick.frame().await.is_none());
    // Alone, a reader may be as slow as it likes.
    let mut alone = open(&cache, &[]).await;
    for _ in 0..4 {
        taps.send("four");
    }
    taps.end();
    sleep(60 * SECOND).await;
    for _ in 0..4 {
        assert_eq!(next(&mut alone).await, "four");
    }
    assert!(alone.frame().await.is_none());
    assert_eq!(log.count(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_body_of_announced_length_tells_followers_how_much_is_left() {
    let (cache, _, _, taps) = tapped(Config::default(), &[FRESH, ("content-length", "4")]);
    let leader = open(&cache, &[]).await;
    let mut follower = open(&cache, &[]).await;
    assert_eq!(status(&leader), "Verve; fwd=uri-miss; fwd-status=200; stored");
    assert_eq!(follower.headers()["content-length"], "4");
    assert_eq!(follower.body().size_hint().exact(), Some(4));
    taps.send("ab");
    next(&mut follower).await;
    assert_eq!(follower.body().size_hint().exact(), Some(2));
    taps.send("cd");
    taps.end();
    assert_eq!(leader.into_body().collect().await.unwrap().to_bytes(), "abcd");
}

#[tokio::test(start_paused = true)]
async fn a_fetch_that_panics_is_an_error_for_its_leader_and_the_next_one_leads() {
    let (cache, log, _) = stack(Config::default(), |_, n| {
        Box::pin(async move {
            sleep(SECOND).await;
            assert!(n > 1, "the first fetch fails");
            Ok(ok(&[FRESH], n.to_string()))
        })
    });
    let leader = {
        let cache = cache.clone();
        tokio::spawn(async move { send(&cache, get("/", &[])).await.unwrap() })
    };
    sleep(SECOND / 2).await;
    assert_eq!(fetch(&cache, "/").await.body(), "2");
    assert_eq!((leader.await.unwrap().status.as_u16(), log.count()), (500, 2));
}
