//! Runs a check.

use std::time::{Duration, SystemTime};

use http::{Method, StatusCode};
use vcache::http::policy::{
    Form, HeadNews, Refusal, Rules, Wish, admit, admit_part, condition, decide, form, invalidate,
    is_safe, merge_304, merge_head, merge_part, not_modified, select,
};
use vcache::http::{Exchange, Freshness, Key, Normalise, Terms, VaryKey, vary_names};

use crate::converse;
use crate::expect::fields;
use crate::row::{Check, Fields};

const NOON: &str = "Sun, 06 Nov 2022 12:00:00 GMT";

pub(crate) fn run(check: Check) {
    match check {
        Check::All(checks) => checks.iter().copied().for_each(run),
        Check::Serves(config, steps) => converse::run(config(), steps),
        // vgate's tests run these.
        Check::Gate(_) => {}
        Check::Lifetime(..) | Check::Age(..) | Check::Date(..) => time(check),
        Check::Stores(..) | Check::Refuses(..) | Check::StoresPart(..) | Check::Omits(..) => {
            storing(check);
        }
        Check::Decides(..) | Check::ForError(..) | Check::ForSilence(..) => deciding(check),
        Check::Fits(vary, stored, asked, fits) => {
            assert_eq!(is_found(vary, stored, asked, Normalise::default()), fits);
        }
        Check::FitsByLanguage(vary, stored, asked, fits) => {
            let normalise = Normalise { accept_language: true, ..Normalise::default() };
            assert_eq!(is_found(vary, stored, asked, normalise), fits);
        }
        Check::Invalidates(method, status, response, others) => {
            let target = Key::of_url("http://a.test/b/c?d").unwrap();
            let method = Method::from_bytes(method.as_bytes()).unwrap();
            let found = invalidate(&method, &target, (code(status), &fields(response)));
            let found: Vec<_> = found.iter().map(Key::as_str).collect();
            assert_eq!(found, others);
        }
        Check::Safe(method, safe) => {
            let method = Method::from_bytes(method.as_bytes()).unwrap();
            assert_eq!(is_safe(&method), safe);
        }
        other => validating(other),
    }
}

fn time(check: Check) {
    match check {
        Check::Lifetime(response, lifetime) => {
            assert_eq!(terms(response).freshness().lifetime(), seconds(lifetime), "{response}");
        }
        Check::Age(response, delay, age) => {
            let exchange = Exchange { requested: noon() - seconds(delay), received: noon() };
            let freshness = Freshness::new(&fields(response), seconds(100), exchange);
            assert_eq!(freshness.age(noon()), seconds(age), "{response}");
            assert_eq!(freshness.age(noon() + seconds(7)), seconds(age + 7));
        }
        Check::Date(text, same) => {
            let date = vhttp::date::parse_at(text, noon()).map(vhttp::date::format);
            assert_eq!(date.as_deref(), same, "{text}");
        }
        other => panic!("{other:?}"),
    }
}

fn storing(check: Check) {
    match check {
        Check::Stores(request, status, response) => {
            let admitted = admitted(request, status, response, &Rules::default());
            assert!(admitted.is_ok(), "{request} {status} {response}: {admitted:?}");
        }
        Check::Refuses(request, status, response, refusal) => {
            let admitted = admitted(request, status, response, &Rules::default());
            assert_eq!(admitted.err(), Some(refusal), "{request} {status} {response}");
        }
        Check::StoresPart(response, stored) => {
            let headers = fields(response);
            let response = (StatusCode::PARTIAL_CONTENT, &headers);
            let request = (&Method::GET, &fields("range: bytes=0-4"));
            let admitted = admit_part(request, response, &Rules::default(), at_noon());
            assert_eq!(admitted.is_ok(), stored, "{headers:?}: {admitted:?}");
        }
        Check::Omits(set_cookie, response, name) => {
            let rules = Rules { set_cookie, ..Rules::default() };
            let terms = admitted("", 200, response, &rules).unwrap();
            assert!(terms.omit().iter().any(|omitted| omitted == name), "{response}");
        }
        other => panic!("{other:?}"),
    }
}

fn deciding(check: Check) {
    match check {
        Check::Decides(request, response, after, decision) => {
            let wish = Wish::new(&fields(request), true);
            let decided = decide(&wish, Some(&terms(response)), noon() + seconds(after));
            assert_eq!(decided, decision, "{request} / {response} after {after} s");
        }
        Check::ForError(response, after, may) => {
            assert_eq!(terms(response).may_replace_error(noon() + seconds(after)), may);
        }
        Check::ForSilence(response, after, may) => {
            assert_eq!(terms(response).may_replace_silence(noon() + seconds(after)), may);
        }
        other => panic!("{other:?}"),
    }
}

fn validating(check: Check) {
    match check {
        Check::Merges(stored, update, merged) => {
            let found = merge_304(&fields(stored), &fields(update));
            assert_eq!(found, merged.map(fields), "{stored} / {update}");
        }
        Check::MergesHead(stored, head, merged) => {
            let found = merge_head(&fields(stored), &fields(head));
            let expected = merged.map_or(HeadNews::Other, |merged| HeadNews::Same(fields(merged)));
            assert_eq!(found, expected, "{stored} / {head}");
        }
        Check::LearnsNothing(stored, head) => {
            assert_eq!(merge_head(&fields(stored), &fields(head)), HeadNews::Nothing);
        }
        Check::Joins(stored, part, joined) => {
            let found = merge_part(&fields(stored), &fields(part));
            assert_eq!(found.is_some(), joined, "{stored} / {part}");
        }
        Check::Asks(request, stored, sent) => {
            let mut request = fields(request);
            condition(&mut request, &fields(stored));
            assert_eq!(request, fields(sent));
        }
        Check::NotModified(request, status, stored, same) => {
            let stored = fields(stored);
            let found = not_modified(&fields(request), (code(status), &stored), noon());
            assert_eq!(found, same, "{request} / {stored:?}");
        }
        Check::Form(request, status, stored, length, expected) => {
            let (method, request) = match request.strip_prefix("HEAD ") {
                Some(request) => (Method::HEAD, request),
                None => (Method::GET, request),
            };
            let stored = fields(stored);
            let stored = (code(status), &stored);
            let found = form((&method, &fields(request)), stored, (length, 16), noon());
            assert_eq!(shown(&found), expected, "{request}");
        }
        other => panic!("{other:?}"),
    }
}

fn shown(form: &Form) -> String {
    let part = |range: &std::ops::Range<u64>| format!("{}-{}", range.start, range.end - 1);
    match form {
        Form::Whole => "whole".to_owned(),
        Form::NotModified => "304".to_owned(),
        Form::Part(range) => format!("206 {}", part(range)),
        Form::Parts(parts) => {
            format!("206 {}", parts.iter().map(part).collect::<Vec<_>>().join(","))
        }
        Form::Unsatisfiable => "416".to_owned(),
        other => panic!("{other:?}"),
    }
}

fn is_found(vary: Fields, stored: Fields, asked: Fields, normalise: Normalise) -> bool {
    let rules = Rules { normalise, ..Rules::default() };
    let response = fields(&format!("cache-control: max-age=9\n{vary}"));
    let request = fields(stored);
    let admitted = admit((&Method::GET, &request), (StatusCode::OK, &response), &rules, at_noon());
    let key = admitted.unwrap().variant(&request);
    assert_eq!(key.names(), vary_names(&response).unwrap());
    // The pure form, without the terms, agrees where languages are not compared.
    if !normalise.accept_language {
        let plain = VaryKey::new(key.names(), &request);
        let found = select([(&plain, &())], &fields(asked));
        assert_eq!(found, select([(&key, &())], &fields(asked)));
    }
    select([(&key, &())], &fields(asked)).is_some()
}

fn admitted(request: &str, status: u16, response: &str, rules: &Rules) -> Result<Terms, Refusal> {
    let (method, request) = match request.split_once(' ') {
        Some((method, rest)) if method.chars().all(|c| c.is_ascii_uppercase()) => (method, rest),
        _ => ("GET", request),
    };
    let method = Method::from_bytes(method.as_bytes()).unwrap();
    let response = fields(response);
    admit((&method, &fields(request)), (code(status), &response), rules, at_noon())
}

fn terms(response: &str) -> Terms {
    admitted("", 200, response, &Rules::default()).unwrap()
}

fn at_noon() -> Exchange {
    Exchange { requested: noon(), received: noon() }
}

fn noon() -> SystemTime {
    vhttp::date::parse(NOON).unwrap()
}

fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

fn code(status: u16) -> StatusCode {
    StatusCode::from_u16(status).unwrap()
}
