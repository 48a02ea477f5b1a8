//! Conversations through the cache: what is asked, what the origin says, what must come back.

use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use http::{HeaderName, Method};
use vcache::http::{Config, HttpCache};
use vhttp::Body;

use crate::check::fields;
use crate::http_origin::{Answering, Reply, after, ask, chunks, down, now, response, send, stack};
use crate::row::Fields;

/// One request and what becomes of it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Step {
    /// Method and path.
    request: &'static str,
    fields: Fields,
    /// Seconds that pass before it.
    wait: u64,
    origin: Origin,
    expect: &'static [Expect],
}

#[derive(Debug, Clone, Copy)]
enum Origin {
    /// It must not be asked.
    Silent,
    Answers(u16, Fields, &'static str),
    /// The body breaks off behind these bytes.
    BreaksOff(u16, Fields, &'static str),
    /// It answers after some seconds.
    Slow(u64, u16, Fields, &'static str),
    Down,
}

#[derive(Debug, Clone, Copy)]
pub(crate) enum Expect {
    Status(u16),
    Body(&'static str),
    /// The answer has this line, and no other of the name.
    Has(&'static str),
    /// The answer has these lines, in this order.
    HasAll(&'static str, &'static [&'static str]),
    Lacks(&'static str),
    /// The origin was asked with this line.
    Asked(&'static str),
    AskedWithout(&'static str),
    /// The client sees that the body broke off.
    BrokenOff,
    /// The service itself has failed.
    Fails,
    /// A part of the body.
    Holds(&'static str),
}

pub(crate) const fn get(fields: Fields) -> Step {
    step("GET /", fields)
}

pub(crate) const fn step(request: &'static str, fields: Fields) -> Step {
    Step { request, fields, wait: 0, origin: Origin::Silent, expect: &[] }
}

impl Step {
    /// Whether time passes in it.
    #[cfg(feature = "disk")]
    pub(crate) const fn is_slow(&self) -> bool {
        matches!(self.origin, Origin::Slow(..))
    }

    pub(crate) const fn later(mut self, seconds: u64) -> Self {
        self.wait = seconds;
        self
    }

    pub(crate) const fn origin(mut self, status: u16, fields: Fields, body: &'static str) -> Self {
        self.origin = Origin::Answers(status, fields, body);
        self
    }

    pub(crate) const fn cut(mut self, status: u16, fields: Fields, body: &'static str) -> Self {
        self.origin = Origin::BreaksOff(status, fields, body);
        self
    }

    pub(crate) const fn slow(mut self, seconds: u64, fields: Fields, body: &'static str) -> Self {
        self.origin = Origin::Slow(seconds, 200, fields, body);
        self
    }

    pub(crate) const fn down(mut self) -> Self {
        self.origin = Origin::Down;
        self
    }

    pub(crate) const fn gives(mut self, expect: &'static [Expect]) -> Self {
        self.expect = expect;
        self
    }
}

pub(crate) fn run(config: Config, steps: &'static [Step]) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap();
    runtime.block_on(converse(config, steps, async |_| {
        // What goes on behind the answer.
        tokio::time::sleep(Duration::from_millis(1)).await;
    }));
}

/// One step after the other; and `between` them what it does to the cache.
pub(crate) async fn converse(
    config: Config,
    steps: &'static [Step],
    between: impl AsyncFn(HttpCache),
) {
    let origin = Arc::new(Mutex::new(Origin::Silent));
    let script = Arc::clone(&origin);
    let begun = SystemTime::now();
    let (cache, log, handle) = stack(config, move |_, _| answer(*script.lock().unwrap(), begun));
    for (index, step) in steps.iter().enumerate() {
        tokio::time::advance(Duration::from_secs(step.wait)).await;
        *origin.lock().unwrap() = step.origin;
        let (method, path) = step.request.split_once(' ').unwrap();
        let lines = fields(&dated(step.fields, begun));
        let lines: Vec<_> = lines.iter().map(|(n, v)| (n.as_str(), v.to_str().unwrap())).collect();
        let request = ask(Method::from_bytes(method.as_bytes()).unwrap(), path, &lines);
        let before = log.count();
        let reply = send(&cache, request).await;
        between(handle.clone()).await;
        let asked = log.count() - before;
        let is_silent = matches!(step.origin, Origin::Silent);
        assert_eq!(asked == 0, is_silent, "step {index}: the origin was asked {asked} times");
        for expect in step.expect {
            let sent = (asked > 0).then(|| log.last().headers);
            check((index, begun), *expect, reply.as_ref().ok(), sent.as_ref());
        }
    }
}

fn answer(origin: Origin, begun: SystemTime) -> Answering {
    let with = |status, text: Fields, body: Body| {
        let lines = fields(&dated(text, begun));
        let lines: Vec<_> = lines.iter().map(|(n, v)| (n.as_str(), v.to_str().unwrap())).collect();
        response(status, &lines, body)
    };
    match origin {
        Origin::Silent => panic!("the origin was not to be asked"),
        Origin::Answers(status, fields, body) => now(with(status, fields, Body::from(body))),
        Origin::BreaksOff(status, fields, body) => {
            now(with(status, fields, chunks(&[Ok(body), Err("broken")])))
        }
        Origin::Slow(seconds, status, fields, body) => {
            after(Duration::from_secs(seconds), with(status, fields, Body::from(body)))
        }
        Origin::Down => down(),
    }
}

fn check(
    (index, begun): (usize, SystemTime),
    expect: Expect,
    reply: Option<&Reply>,
    asked: Option<&http::HeaderMap>,
) {
    if let Expect::Fails = expect {
        assert!(reply.is_none(), "step {index}");
        return;
    }
    let reply = reply.unwrap_or_else(|| panic!("step {index}: the service failed"));
    let line = |line: &'static str| {
        let (name, value) = line.split_once(": ").unwrap();
        (HeaderName::from_static(name), dated(value, begun))
    };
    match expect {
        Expect::Status(status) => assert_eq!(reply.status.as_u16(), status, "step {index}"),
        Expect::Body(body) => assert_eq!(reply.body.as_deref(), Some(body), "step {index}"),
        Expect::Holds(part) => assert!(reply.body().contains(part), "step {index}: {reply:?}"),
        Expect::BrokenOff => assert_eq!(reply.body, None, "step {index}"),
        Expect::Has(text) => {
            let (name, value) = line(text);
            assert_eq!(reply.field(name.as_str()), Some(&*value), "step {index}: {text}");
        }
        Expect::HasAll(name, values) => {
            let lines: Vec<_> = reply.headers.get_all(name).iter().collect();
            assert_eq!(lines, values, "step {index}");
        }
        Expect::Lacks(name) => assert!(!reply.headers.contains_key(name), "step {index}: {name}"),
        Expect::Asked(text) => {
            let (name, value) = line(text);
            let found = asked.expect("it was asked").get(&name).map(|v| v.to_str().unwrap());
            assert_eq!(found, Some(&*value), "step {index}: {text}");
        }
        Expect::AskedWithout(name) => {
            assert!(!asked.expect("it was asked").contains_key(name), "step {index}: {name}");
        }
        Expect::Fails => {}
    }
}

/// `@-60` as the date one minute before the conversation began, and so on.
fn dated(text: &str, begun: SystemTime) -> String {
    let mut pieces = text.split('@');
    let mut dated = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let end = piece.find(|c: char| !c.is_ascii_digit() && c != '-').unwrap_or(piece.len());
        let offset: i64 = piece[..end].parse().unwrap();
        let distance = Duration::from_secs(offset.unsigned_abs());
        let time = if offset < 0 { begun - distance } else { begun + distance };
        dated.push_str(&vhttp::date::format(time));
        dated.push_str(&piece[end..]);
    }
    dated
}
