//! Runs the rows that vcache checks with pure functions, as far as they show on the wire: what may
//! be stored, for how long, and what is decided on it.

use std::time::Duration;

use crate::cache::Config;
use crate::cache::policy::Decision;

use crate::clock::Clock;
use crate::date;
use crate::expect::fields;
use crate::origin::{Answer, Play};
use crate::row::Check;
use crate::stage::{Outcome, Stage, says};

/// At noon, without moving the clock on.
pub(crate) fn storing(stage: &Stage, check: Check) {
    let page = stage.page();
    match check {
        Check::Lifetime(response, seconds) => {
            stage.fill(&page, response, "old");
            let again = stage.get(&page, "cache-control: max-stale");
            match left(&again) {
                Some(left) => assert_eq!(left + age(&again), i128::from(seconds), "{response}"),
                // To be validated at every use.
                None => assert_eq!(seconds, 0, "{response}: {again:?}"),
            }
        }
        Check::Stores(request, status, response) => {
            let first = ask(stage, &page, request, status, response);
            assert!(first.reply.cache_status().contains("; stored"), "{response}: {first:?}");
            let again = ask(stage, &page, request, status, response);
            let is_validated = again.asked.last().is_some_and(|asked| {
                asked.contains_key("if-none-match") || asked.contains_key("if-modified-since")
            });
            assert!(again.reply.is_hit() || is_validated, "{request} / {response}: {again:?}");
        }
        Check::Refuses(request, status, response, _) => {
            let first = ask(stage, &page, request, status, response);
            assert!(!first.reply.cache_status().contains("; stored"), "{response}: {first:?}");
            // Nobody asked for a 304, so it is none.
            let expected = if status == 304 { 502 } else { status };
            assert_eq!(first.reply.status, expected, "{response}");
            let again = stage.get(&page, method(request).1);
            assert!(!again.asked.is_empty(), "{request} / {response}: {again:?}");
        }
        Check::StoresPart(response, stored) => {
            let get = || {
                stage.say(&format!("GET {page}"), "range: bytes=0-4", says(206, response, "01234"))
            };
            get();
            assert_eq!(get().is_stored(), stored, "{response}");
        }
        Check::Omits(_, response, name) => {
            let response = match fields(response).contains_key(name) {
                true => response.to_owned(),
                false => format!("{response}\n{name}: 1"),
            };
            let first = stage.fill(&page, &response, "old");
            assert!(first.reply.headers.contains_key(name), "{response}");
            let again = stage.get(&page, "");
            assert!(again.is_stored() && !again.reply.headers.contains_key(name), "{again:?}");
        }
        Check::Fits(vary, stored, asked, fits)
        | Check::FitsByLanguage(vary, stored, asked, fits) => {
            let response = format!("cache-control: max-age=9\n{vary}");
            let get = |fields| stage.say(&format!("GET {page}"), fields, says(200, &response, "1"));
            get(stored);
            assert_eq!(get(asked).is_stored(), fits, "{vary}: {stored} / {asked}");
        }
        other => panic!("{other:?}"),
    }
}

/// The request of a row, with its method in front where that is not GET.
fn ask(stage: &Stage, page: &str, request: &str, status: u16, response: &str) -> Outcome {
    let (method, fields) = method(request);
    let body = if matches!(status, 204 | 304) { "" } else { "12345" };
    stage.say(&format!("{method} {page}"), fields, says(status, response, body))
}

fn age(outcome: &Outcome) -> i128 {
    outcome.reply.field("age").parse().unwrap()
}

/// With a clock that moves.
pub(crate) fn deciding(stage: &Stage, check: Check) {
    let page = stage.page();
    let after = |response: &str, seconds: u64| {
        stage.fill(&page, response, "old");
        stage.clock.advance(seconds);
    };
    match check {
        Check::Age(response, delay, expected) => {
            let fields = format!(
                "cache-control: max-age=2147483648\netag: \"v\"\n{}",
                moved(stage, response, delay)
            );
            let answer = Answer { delay, ..Answer::new(200, fields, "old") };
            stage.say(&format!("GET {page}"), "", Play::Says(answer));
            for later in [0, 7] {
                stage.clock.advance(later);
                let again = stage.get(&page, "cache-control: max-stale");
                assert!(again.is_stored(), "{response}: {again:?}");
                assert_eq!(age(&again), i128::from(expected + later), "{response}");
            }
        }
        Check::Decides(request, response, seconds, decision) => {
            after(response, seconds);
            let outcome = stage.get(&page, request);
            let (is_asked, left) = (!outcome.asked.is_empty(), left(&outcome));
            let is_so = match decision {
                Decision::Hit => left.is_some_and(|left| left > 0) && !is_asked,
                Decision::Stale { refresh } => {
                    left.is_some_and(|left| left <= 0) && is_asked == refresh
                }
                Decision::GatewayTimeout => outcome.reply.status == 504 && !is_asked,
                // Whose wish it was does not always show.
                _ => left.is_none() && is_asked,
            };
            assert!(is_so, "{request} / {response} after {seconds} s: {decision:?}, {outcome:?}");
        }
        Check::ForError(response, seconds, may) => {
            after(response, seconds);
            let outcome = stage.say(&format!("GET {page}"), "", says(503, "", "down"));
            let expected = if may { 200 } else { 503 };
            assert_eq!(outcome.reply.status, expected, "{response} after {seconds} s");
        }
        Check::ForSilence(response, seconds, may) => {
            after(response, seconds);
            let outcome = stage.say(&format!("GET {page}"), "", Play::Down);
            let status = outcome.reply.status;
            let is_expected = if may { status == 200 } else { matches!(status, 502 | 504) };
            assert!(is_expected, "{response} after {seconds} s: {outcome:?}");
        }
        other => panic!("{other:?}"),
    }
}

fn method(request: &str) -> (&str, &str) {
    match request.split_once(' ') {
        Some((method, rest)) if method.chars().all(|c| c.is_ascii_uppercase()) => (method, rest),
        _ => ("GET", request),
    }
}

/// The lifetime that is left, of an answer from the store.
fn left(outcome: &Outcome) -> Option<i128> {
    let (_, ttl) = outcome.reply.cache_status().split_once("; hit; ttl=")?;
    Some(ttl.parse().unwrap())
}

/// The row's dates, which are of noon, as of the time of receipt.
fn moved(stage: &Stage, response: &str, delay: u64) -> String {
    let by = stage.clock.since_noon() + Duration::from_secs(delay);
    let line = |line: &str| match line.split_once(": ") {
        Some((name, value)) => match date::parse_at(value, Clock::noon()) {
            Some(date) => {
                format!("{name}: {}", date::format(date + by))
            }
            None => line.to_owned(),
        },
        None => line.to_owned(),
    };
    response.split('\n').map(line).collect::<Vec<_>>().join("\n")
}

/// The settings that a check of this kind asks for.
pub(crate) fn settings(check: Check) -> Config {
    match check {
        Check::Omits(set_cookie, ..) => {
            Config { set_cookie: Some(set_cookie), ..Config::default() }
        }
        Check::FitsByLanguage(..) => {
            Config { normalise_accept_language: true, ..Config::default() }
        }
        Check::Serves(config, _) => config(),
        _ => Config::default(),
    }
}
