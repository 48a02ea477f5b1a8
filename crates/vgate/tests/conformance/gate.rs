//! Runs the rows that take a gateway.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use crate::client::{self, Ask, Protocol, Reply};
use crate::origin::{Answer, Hold, Play};
use crate::row::Gate;
use crate::stage::{Stage, says, until};

const FRESH: &str = "cache-control: public, max-age=60";

pub(crate) fn run(stage: &Stage, gate: Gate) {
    stage.empty();
    match gate {
        Gate::Hosts => hosts(stage),
        Gate::Content => content(stage),
        Gate::Hops => hops(stage),
        Gate::Interim => interim(stage),
        Gate::InterimPassed => interim_passed(stage),
        Gate::Lengths => lengths(stage),
        Gate::Disconnected => disconnected(stage),
        Gate::Written => written(stage),
        Gate::Trusted => trusted(stage),
        Gate::Collapse => collapse(stage),
        Gate::Parts => parts(stage),
        Gate::Private => private(stage),
        Gate::HitForMiss => hit_for_miss(stage),
        Gate::Cookies => cookies(stage),
        Gate::Unkeyed => unkeyed(stage),
    }
}

fn hosts(stage: &Stage) {
    stage.origin.will(Play::Silent);
    let before = stage.origin.count();
    for hosts in [
        "",
        "Host: a.test\r\nHost: a.test\r\n",
        "Host: a.test\r\nHost: b.test\r\n",
        "Host: a.test, b.test\r\n",
        "Host: user@a.test\r\n",
    ] {
        let request = format!("GET / HTTP/1.1\r\n{hosts}\r\n");
        let reply = client::raw(stage.gateway.address, &request);
        assert_eq!(reply.status, 400, "{hosts}");
    }
    assert_eq!(stage.origin.count(), before);
}

fn content(stage: &Stage) {
    let fat = Ask { request: "GET /", fields: "", content: "evil" };
    for _ in 0..2 {
        let echo = Play::Echo(Answer::new(200, FRESH, ""));
        let outcome = stage.say_all(fat, echo);
        assert_eq!(outcome.reply.body.as_deref(), Some("evil"));
        assert_eq!(outcome.asked.len(), 1);
        // And the next one without content is not given that.
        let plain = stage.say("GET /", "", says(200, FRESH, "good"));
        assert_eq!(plain.reply.body.as_deref(), Some("good"));
    }
}

fn hops(stage: &Stage) {
    let request = match stage.protocol {
        Protocol::Http1 => {
            "connection: x-q\nx-q: 1\nkeep-alive: 5\nte: gzip\nproxy-authorization: a"
        }
        // It has only this one.
        Protocol::Http2 => "te: trailers\nproxy-authorization: a",
    };
    for store in [FRESH, "cache-control: no-store"] {
        let response = format!(
            "{store}\nconnection: x-a\nx-a: 1\nkeep-alive: timeout=5\nproxy-authenticate: a\nx-b: 1"
        );
        let page = stage.page();
        let outcome = stage.say(&format!("GET {page}"), request, says(200, &response, "1"));
        for name in ["x-q", "keep-alive", "te", "proxy-authorization"] {
            assert!(!outcome.asked[0].contains_key(name), "{name}");
        }
        for name in ["x-a", "keep-alive", "proxy-authenticate"] {
            assert!(!outcome.reply.headers.contains_key(name), "{store}: {name}");
        }
        assert_eq!(outcome.reply.field("x-b"), "1");
    }
}

fn interim(stage: &Stage) {
    let interim =
        "HTTP/1.1 102 Processing\r\nx-i: 1\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n";
    let answer = Answer { interim: interim.to_owned(), ..Answer::new(200, FRESH, "1") };
    for asked in [1, 0] {
        let outcome = stage.say("GET /", "", Play::Says(answer.clone()));
        assert_eq!(outcome.asked.len(), asked);
        assert_eq!((outcome.reply.status, outcome.reply.body.as_deref()), (200, Some("1")));
        for name in ["x-i", "link"] {
            assert!(!outcome.reply.headers.contains_key(name), "{name}");
        }
    }
}

fn interim_passed(stage: &Stage) {
    let interim = "HTTP/1.1 102 Processing\r\nConnection: x-i\r\nX-I: 1\r\n\r\n\
        HTTP/1.1 103 Early Hints\r\nLink: </a>\r\nLink: </b>\r\n\r\n";
    let answer = Answer { interim: interim.to_owned(), ..Answer::new(200, FRESH, "1") };
    let first = stage.say("GET /", "", Play::Says(answer)).reply;
    let statuses: Vec<u16> = first.interim.iter().map(|(status, _)| *status).collect();
    assert_eq!(statuses, [102, 103], "{first:?}");
    assert!(first.interim[0].1.is_empty(), "{first:?}");
    let links: Vec<_> = first.interim[1].1.get_all("link").iter().collect();
    assert_eq!(links, ["</a>", "</b>"]);
    let again = stage.get("/", "").reply;
    assert!(again.is_hit() && again.interim.is_empty(), "{again:?}");
}

fn lengths(stage: &Stage) {
    let fields = format!("{FRESH}\ncontent-length: 2\ntransfer-encoding: chunked");
    for _ in 0..2 {
        let outcome = stage.say("GET /", "", says(200, &fields, "3\r\nabc\r\n0\r\n\r\n"));
        assert_eq!((outcome.reply.status, outcome.asked.len()), (502, 1), "{outcome:?}");
    }
}

fn disconnected(stage: &Stage) {
    for strict in ["must-revalidate", "proxy-revalidate", "s-maxage=1"] {
        let page = stage.page();
        stage.fill(&page, &format!("cache-control: max-age=1, {strict}\netag: \"1\""), "old");
        stage.clock.advance(5);
        let outcome = stage.say(&format!("GET {page}"), "", Play::Down);
        assert_eq!(outcome.reply.status, 504, "{strict}: {outcome:?}");
    }
    assert_eq!(stage.say("GET /", "", Play::Down).reply.status, 502);
}

fn written(stage: &Stage) {
    // `Via` says over which protocol a request came.
    let via = |protocol| {
        let fields = format!("{FRESH}\nvary: via, x-forwarded-for");
        stage.origin.will(says(200, &fields, ""));
        client::ask(
            protocol,
            stage.gateway.address,
            Ask { request: "GET /", fields: "", content: "" },
        )
    };
    assert!(!via(Protocol::Http1).is_hit());
    assert!(!via(Protocol::Http2).is_hit());
    assert!(via(Protocol::Http1).is_hit());
    // What a stranger says itself counts for nothing.
    assert!(stage.get("/", "x-forwarded-for: 6.6.6.6").is_stored());
}

fn trusted(stage: &Stage) {
    let tables = "[server]\ntrusted_proxies = [\"127.0.0.0/8\"]\n";
    let own = Stage::start_with(stage.protocol, "", tables);
    let ask = |fields: &str| own.say("GET /", fields, says(200, FRESH, fields));
    let claims = [
        "x-forwarded-proto: http",
        "x-forwarded-proto: https",
        "x-forwarded-host: b.test",
        "x-forwarded-prefix: /p",
        "x-forwarded-port: 8443",
        "x-original-url: /o",
        "forwarded: for=1.2.3.4;proto=https;host=c.test",
    ];
    for claim in claims {
        assert_eq!(ask(claim).asked.len(), 1, "{claim}");
    }
    for claim in claims {
        assert_eq!(ask(claim).reply.body.as_deref(), Some(claim));
        assert!(ask(claim).is_stored(), "{claim}");
    }
    // The hops are who asks, and not what for.
    assert!(ask("x-forwarded-for: 1.2.3.4\nx-forwarded-proto: https").is_stored());
    let purge = |url: &str| own.gateway.purge(&format!("{{\"url\": \"{url}\"}}"), "").text();
    assert!(purge("https://a.test/").contains("\"responses\": 1,"), "the one of TLS");
    assert!(purge("http://a.test/").contains("\"responses\": 4,"), "and the prefix, port and path");
    assert!(purge("http://b.test/").contains("\"responses\": 1,"), "the other host");
}

const CROWD: usize = 8;

/// A request on its own.
fn asking(stage: &Stage, fields: &'static str) -> impl Fn() -> Reply + Copy + Send + use<> {
    let (protocol, gateway) = (stage.protocol, stage.gateway.address);
    let ask = Ask { request: "GET /", fields, content: "" };
    move || client::ask(protocol, gateway, ask)
}

/// Sends requests at once; the origin answers when all of them are in the gateway.
fn crowd(stage: &Stage, fields: &'static str, answer: Answer) -> Vec<Reply> {
    let hold = Arc::new(Hold::default());
    stage.origin.will(Play::Held(answer, Arc::clone(&hold)));
    thread::scope(|scope| {
        let asking = asking(stage, fields);
        let readers: Vec<_> = (0..CROWD).map(|_| scope.spawn(asking)).collect();
        stage.status_is("/in_flight/all/in_flight", u64::try_from(CROWD).unwrap());
        hold.release();
        readers.into_iter().map(|reader| reader.join().unwrap()).collect()
    })
}

fn collapse(stage: &Stage) {
    let before = stage.origin.count();
    let replies = crowd(stage, "", Answer::new(200, FRESH, "1"));
    assert_eq!(stage.origin.count() - before, 1);
    all_have(&replies, (200, "1"));
}

fn parts(stage: &Stage) {
    let before = stage.origin.count();
    let fields = format!("{FRESH}\netag: \"1\"\ncontent-range: bytes 2-4/10");
    let replies = crowd(stage, "range: bytes=2-4", Answer::new(206, fields, "234"));
    assert_eq!(stage.origin.count() - before, 1);
    all_have(&replies, (206, "234"));
}

/// All but one have waited for it.
fn all_have(replies: &[Reply], expected: (u16, &str)) {
    for reply in replies {
        assert_eq!((reply.status, reply.body.as_deref()), (expected.0, Some(expected.1)));
    }
    let collapsed = replies.iter().filter(|r| r.cache_status().contains("; collapsed")).count();
    assert_eq!(collapsed, CROWD - 1, "{replies:?}");
}

fn private(stage: &Stage) {
    let before = stage.origin.count();
    let replies = crowd(stage, "", Answer::new(200, "cache-control: private", "1"));
    assert_eq!(stage.origin.count() - before, CROWD);
    assert!(replies.iter().all(|r| !r.cache_status().contains("; collapsed")), "{replies:?}");
}

fn hit_for_miss(stage: &Stage) {
    crowd(stage, "", Answer::new(200, "cache-control: private", "1"));
    let hold = Arc::new(Hold::default());
    let answer = Answer::new(200, "cache-control: private", "2");
    stage.origin.will(Play::Held(answer, Arc::clone(&hold)));
    let before = stage.origin.count();
    let done = AtomicUsize::new(0);
    thread::scope(|scope| {
        let (asking, done) = (asking(stage, ""), &done);
        for _ in 0..CROWD {
            scope.spawn(move || {
                asking();
                done.fetch_add(1, Ordering::SeqCst);
            });
        }
        // All are at the origin before it has answered any.
        until("all at the origin", || stage.origin.count() - before >= CROWD);
        let (asked, answered) = (stage.origin.count() - before, done.load(Ordering::SeqCst));
        hold.release();
        assert_eq!((asked, answered), (CROWD, 0));
    });
}

fn cookies(stage: &Stage) {
    let own = Stage::start(stage.protocol, "");
    let response = format!("{FRESH}\nset-cookie: a=1");
    for _ in 0..2 {
        let outcome = own.say("GET /", "", says(200, &response, "1"));
        assert_eq!(outcome.asked.len(), 1);
        assert_eq!(outcome.reply.field("set-cookie"), "a=1");
    }
}

fn unkeyed(stage: &Stage) {
    let claims = "forwarded: host=evil.test\nx-forwarded-host: evil.test\nx-forwarded-proto: evil\n\
        x-forwarded-port: 666\nx-forwarded-prefix: /evil\nx-forwarded-scheme: evil\n\
        x-original-url: /evil\nx-rewrite-url: /evil\nx-host: evil.test\nx-real-ip: 6.6.6.6";
    let outcome = stage.say("GET /", claims, says(200, FRESH, "1"));
    for (name, value) in &outcome.asked[0] {
        let value = value.to_str().unwrap();
        assert!(!value.contains("evil") && !value.contains("6.6"), "{name}: {value}");
    }
    assert!(stage.get("/", "").is_stored());
    // With a field that names another method the request passes by.
    let outcome = stage.get("/", "x-http-method-override: DELETE");
    assert_eq!(outcome.asked.len(), 1);
}
