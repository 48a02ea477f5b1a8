//! What must come back, and the texts of fields with dates in them.

use std::time::{Duration, SystemTime};

use http::{HeaderMap, HeaderName, HeaderValue};

use crate::date;
use crate::script::Expect;

/// An answer as a client saw it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Seen<'a> {
    pub(crate) status: u16,
    pub(crate) headers: &'a HeaderMap,
    /// `None` when it broke off.
    pub(crate) body: Option<&'a str>,
}

impl<'a> Seen<'a> {
    fn field(&self, name: &HeaderName) -> Option<&'a str> {
        let mut lines = self.headers.get_all(name).iter();
        let first = lines.next()?;
        assert!(lines.next().is_none(), "{name} is there twice");
        Some(first.to_str().unwrap())
    }
}

/// Fields from text, a line each.
pub(crate) fn fields(text: &str) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for line in text.split('\n').filter(|line| !line.is_empty()) {
        let (name, value) = line.split_once(':').unwrap();
        let name = HeaderName::from_bytes(name.trim().as_bytes()).unwrap();
        headers.append(name, HeaderValue::from_str(value.trim()).unwrap());
    }
    headers
}

/// `@-60` as the date one minute before the conversation began, and so on.
pub(crate) fn dated(text: &str, begun: SystemTime) -> String {
    let mut pieces = text.split('@');
    let mut dated = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let end = piece.find(|c: char| !c.is_ascii_digit() && c != '-').unwrap_or(piece.len());
        let offset: i64 = piece[..end].parse().unwrap();
        let distance = Duration::from_secs(offset.unsigned_abs());
        let time = if offset < 0 { begun - distance } else { begun + distance };
        dated.push_str(&date::format(time));
        dated.push_str(&piece[end..]);
    }
    dated
}

pub(crate) fn check(
    (index, begun): (usize, SystemTime),
    expect: Expect,
    reply: Option<Seen<'_>>,
    asked: Option<&HeaderMap>,
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
        Expect::Status(status) => assert_eq!(reply.status, status, "step {index}"),
        Expect::Body(body) => assert_eq!(reply.body, Some(body), "step {index}"),
        Expect::Holds(part) => {
            let holds = reply.body.is_some_and(|body| body.contains(part));
            assert!(holds, "step {index}: {reply:?}");
        }
        Expect::BrokenOff => assert_eq!(reply.body, None, "step {index}"),
        Expect::Has(text) => {
            let (name, value) = line(text);
            assert_eq!(reply.field(&name), Some(&*value), "step {index}: {text}");
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
