//! Runs the rows about validation, parts and invalidation that vcache checks with pure functions,
//! as far as they show on the wire. At noon, without moving the clock on.

use http::HeaderMap;

use crate::expect::fields;
use crate::origin::{Answer, Play};
use crate::row::{Check, Fields};
use crate::stage::{Outcome, Stage, says};
use crate::wire::has_validator;

const LONG: &str = "cache-control: max-age=100000";

pub(crate) fn run(stage: &Stage, check: Check) {
    match check {
        Check::Merges(stored, update, merged) => merges(stage, stored, update, merged),
        Check::MergesHead(stored, head, merged) => merges_head(stage, stored, head, merged),
        Check::LearnsNothing(stored, head) => learns_nothing(stage, stored, head),
        Check::Joins(stored, part, joined) => joins(stage, stored, part, joined),
        Check::Asks(request, stored, sent) => asks(stage, request, stored, sent),
        Check::NotModified(request, status, stored, same) => {
            let page = stage.page();
            let response = format!("{LONG}\n{stored}");
            stage.say(&format!("GET {page}"), "", says(status, &response, "12345"));
            let outcome = stage.say(&format!("GET {page}"), request, Play::Silent);
            assert!(outcome.asked.is_empty(), "{request} / {stored}: {outcome:?}");
            let expected = if same { 304 } else { status };
            assert_eq!(outcome.reply.status, expected, "{request} / {stored}");
        }
        Check::Form(..) => form(stage, check),
        Check::Invalidates(method, status, response, others) => {
            invalidates(stage, (method, status, response), others);
        }
        Check::Safe(method, safe) => {
            let page = stage.page();
            stage.fill(&page, LONG, "old");
            stage.say(&format!("{method} {page}"), "", says(200, "", ""));
            assert_eq!(is_there(stage, &page), safe, "{method}");
        }
        other => panic!("{other:?}"),
    }
}

fn is_there(stage: &Stage, page: &str) -> bool {
    let fields = "cache-control: only-if-cached";
    stage.say(&format!("GET {page}"), fields, Play::Silent).is_stored()
}

fn merges(stage: &Stage, stored: Fields, update: Fields, merged: Option<Fields>) {
    let page = stage.page();
    // Without a validator nobody would ask.
    let tag = if has_validator(stored) { "" } else { "\netag: \"z\"" };
    stage.fill(&page, &format!("{LONG}\n{stored}{tag}"), "12345");
    let play = Play::Either(Answer::new(304, update, ""), Answer::new(200, LONG, "new"));
    let outcome = stage.say(&format!("GET {page}"), "cache-control: no-cache", play);
    let Some(merged) = merged else {
        assert_eq!(outcome.reply.body.as_deref(), Some("new"), "{stored} / {update}");
        return;
    };
    assert_eq!(outcome.reply.body.as_deref(), Some("12345"), "{stored} / {update}");
    let again = stage.get(&page, "");
    assert!(again.is_stored(), "{again:?}");
    for outcome in [outcome, again] {
        same_fields((stored, update), merged, &outcome);
    }
}

/// Every field of the row has the lines that it names, and no others.
fn same_fields((stored, update): (Fields, Fields), merged: Fields, outcome: &Outcome) {
    let merged = fields(merged);
    for name in fields(stored).keys().chain(fields(update).keys()).chain(merged.keys()) {
        let lines = |headers: &HeaderMap| headers.get_all(name).iter().cloned().collect::<Vec<_>>();
        // The length of what is stored is always there.
        if name != "content-length" || merged.contains_key(name) {
            let found = lines(&outcome.reply.headers);
            assert_eq!(found, lines(&merged), "{name}: {stored} / {update}");
        }
    }
}

fn merges_head(stage: &Stage, stored: Fields, head: Fields, merged: Option<Fields>) {
    let page = stage.page();
    stage.fill(&page, &format!("{LONG}\n{stored}"), "12345");
    stage.say(&format!("HEAD {page}"), "cache-control: no-cache", says(200, head, ""));
    let again = stage.get(&page, "");
    assert_eq!(again.is_stored(), merged.is_some(), "{stored} / {head}: {again:?}");
    if let Some(merged) = merged {
        same_fields((stored, head), merged, &again);
    }
}

/// What is stored is as fresh as before, with the fields that it had.
fn learns_nothing(stage: &Stage, stored: Fields, head: Fields) {
    let page = stage.page();
    let first = stage.fill(&page, &format!("{LONG}\n{stored}"), "12345").reply;
    stage.say(&format!("HEAD {page}"), "cache-control: no-cache", says(200, head, ""));
    let again = stage.get(&page, "");
    assert!(again.is_stored(), "{stored} / {head}: {again:?}");
    for name in fields(head).keys().filter(|name| *name != "content-length") {
        let lines = |headers: &HeaderMap| headers.get_all(name).iter().cloned().collect::<Vec<_>>();
        assert_eq!(lines(&again.reply.headers), lines(&first.headers), "{name}: {stored} / {head}");
    }
}

fn joins(stage: &Stage, stored: Fields, part: Fields, joined: bool) {
    let page = stage.page();
    for (range, fields, body) in [("0-4", stored, "01234"), ("5-9", part, "56789")] {
        let response = format!("{LONG}\ncontent-range: bytes {range}/10\n{fields}");
        let request = format!("range: bytes={range}");
        stage.say(&format!("GET {page}"), &request, says(206, &response, body));
    }
    let whole = stage.get(&page, "");
    assert_eq!(whole.is_stored(), joined, "{stored} / {part}: {whole:?}");
    let expected = if joined { "0123456789" } else { "new" };
    assert_eq!(whole.reply.body.as_deref(), Some(expected), "{stored} / {part}");
}

fn asks(stage: &Stage, request: Fields, stored: Fields, sent: Fields) {
    let page = stage.page();
    stage.fill(&page, &format!("{LONG}\n{stored}"), "12345");
    let wish = format!("cache-control: no-cache\n{request}");
    let outcome = stage.say(&format!("GET {page}"), &wish, says(200, LONG, "new"));
    let (asked, sent) = (outcome.asked.first().expect("it was asked"), fields(sent));
    let conditions = ["if-none-match", "if-modified-since", "range", "if-range"].map(str::to_owned);
    let named = fields(request).keys().map(ToString::to_string).collect::<Vec<_>>();
    for name in conditions.into_iter().chain(named) {
        let lines =
            |headers: &HeaderMap| headers.get_all(&name).iter().cloned().collect::<Vec<_>>();
        assert_eq!(lines(asked), lines(&sent), "{name}: {request} / {stored}");
    }
}

fn form(stage: &Stage, check: Check) {
    let Check::Form(request, status, stored, length, expected) = check else {
        panic!("{check:?}");
    };
    let page = stage.page();
    let text: String = ('a'..='z').cycle().take(usize::try_from(length).unwrap()).collect();
    let response = format!("{LONG}\n{stored}");
    stage.say(&format!("GET {page}"), "", says(status, &response, &text));
    let (method, request) = match request.strip_prefix("HEAD ") {
        Some(request) => ("HEAD", request),
        None => ("GET", request),
    };
    let outcome = stage.say(&format!("{method} {page}"), request, Play::Silent);
    assert!(outcome.asked.is_empty(), "{request}: {outcome:?}");
    let (reply, body) = (&outcome.reply, outcome.reply.body.as_deref().unwrap());
    let Some(ranges) = expected.strip_prefix("206 ") else {
        let code = if expected == "whole" { status } else { expected.parse().unwrap() };
        assert_eq!(reply.status, code, "{request}");
        let whole = if expected == "whole" && method == "GET" { &*text } else { "" };
        assert_eq!(body, whole, "{request}");
        return;
    };
    assert_eq!(reply.status, 206, "{request}");
    let ranges: Vec<_> = ranges.split(',').map(|range| range.split_once('-').unwrap()).collect();
    let cut = |(a, b): (&str, &str)| &text[a.parse().unwrap()..=b.parse().unwrap()];
    if let [(a, b)] = ranges[..] {
        assert_eq!(reply.field("content-range"), format!("bytes {a}-{b}/{length}"), "{request}");
        assert_eq!(body, cut((a, b)), "{request}");
        return;
    }
    assert!(reply.field("content-type").starts_with("multipart/byteranges"), "{request}");
    let mut rest = body;
    for (a, b) in ranges {
        let part = format!("content-range: bytes {a}-{b}/{length}\r\n\r\n{}\r\n--", cut((a, b)));
        (_, rest) = rest.split_once(&*part).unwrap_or_else(|| panic!("no {part} in {body}"));
    }
}

/// What the rows speak of, and what must stay beside it.
const URLS: [&str; 6] = [
    "http://a.test/b/c?d",
    "http://a.test/b/e",
    "http://a.test/x",
    "http://a.test/y",
    "http://b.test/x",
    "http://a.test:8080/x",
];

fn invalidates(stage: &Stage, (method, status, response): (&str, u16, &str), others: &[&str]) {
    stage.empty();
    for url in URLS {
        stage.fill(url, LONG, "old");
    }
    stage.say(&format!("{method} {}", URLS[0]), "", says(status, response, ""));
    for url in URLS {
        let is_gone = others.contains(&url);
        assert_eq!(!is_there(stage, url), is_gone, "{method} {status} {response}: {url}");
    }
}
