//! What the cache would do with a request, rule by rule, and what it has stored for it.
//!
//! ```
//! use http::Request;
//! use vcache::http::{Config, HttpCache};
//!
//! let cache = HttpCache::new(Config::default()).unwrap();
//! let (request, ()) = Request::get("http://example.com/a").body(()).unwrap().into_parts();
//! let explanation = cache.explain(&request);
//! assert_eq!(explanation.key.as_deref(), Some("http://example.com/a"));
//! assert_eq!(explanation.decision, "miss");
//! for step in &explanation.steps {
//!     println!("{}  {}: {}", step.section, step.rule, step.finding);
//! }
//! ```

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use http::header::{
    CONTENT_LENGTH, ETAG, IF_MATCH, IF_UNMODIFIED_SINCE, LAST_MODIFIED, TRANSFER_ENCODING, UPGRADE,
};
use http::{HeaderName, HeaderValue, Request, StatusCode, request};
use vhttp::{Body, hop};

use crate::http::cache::HttpCache;
use crate::http::engine::{Engine, Lookup};
use crate::http::key::Key;
use crate::http::policy::{Decision, Form, Wish, form};
use crate::http::service::{classify, remove_hops};
use crate::http::status::{Forward, Status};
use crate::http::stored::Stored;
use crate::http::tags::Tag;
use crate::http::unkeyed::OVERRIDES;

/// What the cache would do with a request, and why; made by [`HttpCache::explain`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Explanation {
    /// What the answer is stored under; `None` when the request does not say for certain.
    pub key: Option<String>,
    /// The rules in the order in which they are asked, up to the one that decides.
    pub steps: Vec<Step>,
    /// `hit`, `stale`, `validate`, `miss`, `gateway-timeout` or `bypass`.
    pub decision: &'static str,
    /// The member of `Cache-Status` (RFC 9211), as far as it is known before the origin is asked.
    pub cache_status: Option<String>,
    /// What is stored under the key, the most recent first.
    pub variants: Vec<Variant>,
    /// The last answer for the key that was not stored, if none was stored after it and no other
    /// key's has taken its place among the few that are kept.
    pub not_stored: Option<NotStored>,
}

/// An answer that was not stored, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct NotStored {
    /// How long ago it came.
    pub ago: Duration,
    /// Its status.
    pub status: StatusCode,
    /// The rule that forbade it, in a word.
    pub reason: &'static str,
    /// The rules for what may be stored in the order in which they are asked, up to that one.
    pub steps: Vec<Step>,
}

/// One rule, and what it finds.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Step {
    /// Where the rule stands, such as `RFC 9111 §4.1`.
    pub section: &'static str,
    /// The rule in a word or two.
    pub rule: &'static str,
    /// What it finds.
    pub finding: String,
}

/// A stored response.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Variant {
    /// Whether it is the one that fits the request.
    pub selected: bool,
    /// Its status.
    pub status: StatusCode,
    /// Bytes of its content.
    pub bytes: usize,
    /// The request fields that it depends on, with the values that it was stored for, made
    /// comparable; `None` where the field was absent.
    pub vary: Vec<(String, Option<String>)>,
    /// Its age now.
    pub age: Duration,
    /// How long it is fresh in all.
    pub lifetime: Duration,
    /// Whether it may be used now without asking the origin.
    pub fresh: bool,
    /// Whether every stale answer is forbidden.
    pub forbids_stale: bool,
    /// Whether the origin must be asked before every use.
    pub always_validate: bool,
    /// Whether the lifetime is the operator's or an estimate, and not the origin's.
    pub assumed: bool,
    /// How long past its lifetime it may be used while it is refreshed.
    pub stale_while_revalidate: Duration,
    /// How long past its lifetime it may be used in place of an error.
    pub stale_if_error: Duration,
    /// How long it took to get from the origin.
    pub fetch_time: Duration,
    /// How long from now on it is of any use.
    pub kept_for: Duration,
    /// Its entity tag.
    pub etag: Option<String>,
    /// Its date of change.
    pub last_modified: Option<String>,
    /// What it can be purged by.
    pub tags: Vec<String>,
}

impl HttpCache {
    /// What the cache would do with `request` now, rule by rule, and what it has stored for it.
    ///
    /// Nothing is changed, counted or asked for. A `Content-Length` above zero or a
    /// `Transfer-Encoding` counts as content.
    #[must_use]
    pub fn explain(&self, request: &request::Parts) -> Explanation {
        self.explain_at(request, self.engine.now())
    }

    /// As [`explain`](Self::explain), at another time; times before something was stored are as
    /// good as the time at which it was.
    #[must_use]
    pub fn explain_at(&self, request: &request::Parts, now: SystemTime) -> Explanation {
        let mut request = request.clone();
        remove_hops(&mut request.headers);
        let request = &request;
        let mut told = Telling { engine: &self.engine, request, now, steps: Vec::new() };
        told.tell()
    }
}

/// An explanation in the making.
struct Telling<'a> {
    engine: &'a Engine,
    request: &'a request::Parts,
    now: SystemTime,
    steps: Vec<Step>,
}

impl Telling<'_> {
    fn tell(&mut self) -> Explanation {
        let request = self.request;
        let key = Key::of(&request.uri, &request.headers, &request.extensions);
        let key = key.map(|key| self.engine.query.apply(key));
        let Some(key) = self.tell_key(key) else {
            return self.bypass(None, Forward::Bypass);
        };
        if let Some(why) = self.tell_class() {
            return self.bypass(Some(&key), why);
        }
        let wish = Wish::new(&request.headers, self.engine.config.request_directives);
        let variants = self.engine.memory().peek(key.as_str());
        let lookup = Lookup::of(variants, &request.headers, &wish, self.now);
        self.tell_selection(&lookup);
        self.tell_wish();
        if let Some(stored) = &lookup.stored {
            self.tell_freshness(stored);
            self.tell_stale(stored, &wish);
        }
        let held = lookup.held(&wish, self.now);
        if held.is_some() {
            let finding = "answer from the store, which is stale: the origin has failed just now";
            self.say("RFC 5861 §4", "hold-off", finding);
        } else {
            self.tell_decision(&lookup);
        }
        Explanation {
            key: Some(key.as_str().to_owned()),
            decision: if held.is_some() { "stale" } else { name(lookup.decision) },
            cache_status: match held {
                Some((_, status, _)) => self.value(status),
                None => self.status(&lookup),
            },
            variants: self.variants(&lookup),
            not_stored: self.not_stored(&key),
            steps: std::mem::take(&mut self.steps),
        }
    }

    /// Why the last answer was not stored.
    fn not_stored(&self, key: &Key) -> Option<NotStored> {
        let refused = self.engine.refusals.get(key)?;
        let config = &self.engine.config;
        let findings = refused.findings([config.max_object_size, u64::from(config.max_tags)]);
        let step = |(section, rule, finding)| Step { section, rule, finding };
        Some(NotStored {
            ago: self.now.duration_since(refused.when).unwrap_or_default(),
            status: refused.status,
            reason: refused.why.name(),
            steps: findings.into_iter().map(step).collect(),
        })
    }

    fn say(&mut self, section: &'static str, rule: &'static str, finding: impl Into<String>) {
        self.steps.push(Step { section, rule, finding: finding.into() });
    }

    fn tell_key(&mut self, key: Option<Key>) -> Option<Key> {
        let Some(key) = key else {
            self.say("RFC 9111 §2", "key", "none: the host is missing, repeated or malformed");
            return None;
        };
        let (length, most) = (key.as_str().len(), self.engine.config.max_key_size);
        if u64::try_from(length).is_ok_and(|length| length > most) {
            self.say("RFC 9111 §2", "key", format!("{length} bytes, above max_key_size ({most})"));
            return None;
        }
        self.say("RFC 9111 §2", "key", key.as_str());
        Some(key)
    }

    /// Whether the request is one for the cache.
    fn tell_class(&mut self) -> Option<Forward> {
        let headers = &self.request.headers;
        let length = headers.get(CONTENT_LENGTH).is_some_and(|length| length != "0");
        let content = length || headers.contains_key(TRANSFER_ENCODING);
        let body = if content { Body::full("content") } else { Body::empty() };
        let why = classify(&Request::from_parts(self.request.clone(), body));
        let method = self.request.method.as_str();
        match why {
            None => {
                self.say("RFC 9111 §4", "method", format!("{method} can be answered from a cache"));
            }
            Some(Forward::Method) => {
                let finding = format!("{method} goes to the origin; success drops what is stored");
                self.say("RFC 9111 §4.4", "method", finding);
            }
            Some(_) => {
                let fields = [&[IF_MATCH, IF_UNMODIFIED_SINCE][..], &OVERRIDES].concat();
                let there = fields.iter().filter(|name| headers.contains_key(*name));
                let mut there: Vec<&str> = there.map(HeaderName::as_str).collect();
                if hop::upgrade(headers).is_some() {
                    there.push(UPGRADE.as_str());
                }
                if content {
                    there.push("content");
                }
                let finding = format!("the origin's to answer: {}", there.join(", "));
                self.say("RFC 9110 §13.2", "request", finding);
            }
        }
        why
    }

    fn bypass(&mut self, key: Option<&Key>, why: Forward) -> Explanation {
        let variants = key.and_then(|key| self.engine.memory().peek(key.as_str()));
        let lookup = variants.map(|variants| Lookup {
            variants: Some(variants),
            stored: None,
            decision: Decision::Miss,
            why,
        });
        let directives = self.engine.config.request_directives;
        let wish = Wish::new(&self.request.headers, directives);
        let is_refused = why == Forward::Bypass && wish.only_if_cached;
        let (decision, status) = match is_refused {
            true => (Decision::GatewayTimeout, Status::Detail("only-if-cached")),
            false => (Decision::Miss, Status::forwarded(why, None)),
        };
        if is_refused {
            let finding = "answer 504: the origin is not to be asked";
            self.say("RFC 9111 §5.2.1.7", "decision", finding);
        }
        Explanation {
            key: key.map(|key| key.as_str().to_owned()),
            decision: if is_refused { name(decision) } else { "bypass" },
            cache_status: self.value(status),
            variants: lookup.map(|lookup| self.variants(&lookup)).unwrap_or_default(),
            not_stored: key.and_then(|key| self.not_stored(key)),
            steps: std::mem::take(&mut self.steps),
        }
    }

    fn tell_selection(&mut self, lookup: &Lookup) {
        let variants = lookup.variants.as_ref();
        let count = variants.map_or(0, |variants| variants.len());
        let headers = &self.request.headers;
        let fits = variants.and_then(|variants| variants.select(headers, self.now));
        let mut all = variants.iter().flat_map(|variants| variants.iter());
        let place = fits.and_then(|fits| all.position(|stored| Arc::ptr_eq(&fits, stored)));
        let finding = match (count, place) {
            (0, _) => "nothing is stored".to_owned(),
            (_, Some(place)) => format!("variant {} of {count} fits", place + 1),
            (_, None) => format!("none of {count} variants fits"),
        };
        self.say("RFC 9111 §4.1", "selection", finding);
        if lookup.stored.is_none() && place.is_some() {
            let finding = "the lifetime is assumed, and the request has cookies or credentials";
            self.say("RFC 9111 §4.2.2", "personal", finding);
        }
        if lookup.stored.is_none() && variants.is_some_and(|v| v.part(headers).is_some()) {
            self.say("RFC 9111 §3.3", "part", "a part of what is asked for is stored");
        }
    }

    fn tell_wish(&mut self) {
        let all = Wish::new(&self.request.headers, true);
        let mut said = Vec::new();
        for (name, is_said) in [
            ("no-cache", all.no_cache),
            ("no-store", all.no_store),
            ("only-if-cached", all.only_if_cached),
        ] {
            if is_said {
                said.push(name.to_owned());
            }
        }
        for (name, time) in [
            ("max-age", all.max_age),
            ("min-fresh", all.min_fresh),
            ("max-stale", all.max_stale),
            ("stale-if-error", all.stale_if_error),
        ] {
            said.extend(time.map(|time| format!("{name}={}", time.as_secs())));
        }
        let finding = match (said.is_empty(), self.engine.config.request_directives) {
            (true, _) => "the request wants nothing special".to_owned(),
            (false, true) => format!("the request wants {}", said.join(", ")),
            (false, false) => format!("{} does not count (request_directives)", said.join(", ")),
        };
        self.say("RFC 9111 §5.2.1", "directives", finding);
    }

    fn tell_freshness(&mut self, stored: &Stored) {
        let (terms, freshness) = (&stored.terms, stored.terms.freshness());
        let (age, lifetime) = (freshness.age(self.now).as_secs(), freshness.lifetime().as_secs());
        let whose = if terms.is_assumed() { " (assumed)" } else { "" };
        let state = match freshness.is_fresh(self.now) {
            true => format!("fresh for {} s more", freshness.remaining(self.now).as_secs()),
            false => format!("stale for {} s", freshness.staleness(self.now).as_secs()),
        };
        let finding = format!("age {age} s of {lifetime} s{whose}: {state}");
        self.say("RFC 9111 §4.2", "freshness", finding);
        if terms.is_fresh(self.now) {
            let took = stored.ahead.took.as_millis();
            let finding = match stored.early.duration_since(self.now) {
                Ok(wait) => format!("not within {} s (fetched in {took} ms)", wait.as_secs()),
                Err(_) => format!("whoever asks may have it refreshed (fetched in {took} ms)"),
            };
            self.say("RFC 9111 §4.3", "refresh", finding);
        }
        if terms.always_validate() {
            let finding = "no-cache: the origin is asked before every use";
            self.say("RFC 9111 §5.2.2.4", "no-cache", finding);
        }
    }

    fn tell_stale(&mut self, stored: &Stored, wish: &Wish) {
        let terms = &stored.terms;
        if terms.freshness().is_fresh(self.now) {
            return;
        }
        if terms.is_purged() {
            let finding = "purged softly: no stale answer while the origin has one";
            self.say("RFC 9111 §4.3", "purged", finding);
        }
        if terms.forbids_stale() {
            self.say("RFC 9111 §4.2.4", "stale", "the origin forbids every stale answer");
            return;
        }
        let may = |is: bool| if is { "may" } else { "may not" };
        let (behind, error) =
            (terms.may_revalidate_behind(self.now), wish.may_replace_error(terms, self.now));
        let finding = format!("{} be used while it is refreshed", may(behind));
        self.say("RFC 5861 §3", "stale-while-revalidate", finding);
        let finding = format!("{} be used in place of an error", may(error));
        self.say("RFC 5861 §4", "stale-if-error", finding);
        let silence = may(wish.may_replace_silence(terms, self.now));
        let finding = format!("{silence} be used while the origin cannot be reached");
        self.say("RFC 9111 §4.2.4", "unreachable", finding);
    }

    fn tell_decision(&mut self, lookup: &Lookup) {
        let (section, finding) = match lookup.decision {
            Decision::Hit => ("RFC 9111 §4", "answer from the store".to_owned()),
            Decision::Stale { refresh: true } => (
                "RFC 5861 §3",
                "answer from the store, and refresh it behind the answer".to_owned(),
            ),
            Decision::Stale { .. } => {
                ("RFC 9111 §4.2.4", "answer from the store, which is stale".to_owned())
            }
            Decision::Validate { asked } => {
                let why = if asked { "because the request wants it" } else { "before it is used" };
                ("RFC 9111 §4.3", format!("ask the origin whether it is still right, {why}"))
            }
            Decision::Miss => ("RFC 9111 §4", "ask the origin".to_owned()),
            Decision::GatewayTimeout => {
                ("RFC 9111 §5.2.1.7", "answer 504: the origin is not to be asked".to_owned())
            }
        };
        self.say(section, "decision", finding);
        let from_store = matches!(lookup.decision, Decision::Hit | Decision::Stale { .. });
        if let Some(stored) = lookup.stored.as_ref().filter(|_| from_store) {
            self.tell_form(stored);
        }
    }

    /// The form of an answer from the store.
    fn tell_form(&mut self, stored: &Stored) {
        let length = u64::try_from(stored.body.len()).unwrap_or(u64::MAX);
        let max = usize::try_from(self.engine.config.max_ranges).unwrap_or(usize::MAX);
        let (method, headers) = (&self.request.method, &self.request.headers);
        let whole = (stored.status, &stored.headers);
        match form((method, headers), whole, (length, max), self.now) {
            Form::Whole => {}
            Form::NotModified => {
                self.say("RFC 9111 §4.3.2", "condition", "304: the client has the same");
            }
            Form::Part(part) => {
                let finding = format!("206: bytes {} to {}", part.start, part.end - 1);
                self.say("RFC 9110 §14.2", "range", finding);
            }
            Form::Parts(parts) => {
                self.say("RFC 9110 §14.2", "range", format!("206 in {} parts", parts.len()));
            }
            Form::Unsatisfiable => {
                self.say("RFC 9110 §14.2", "range", "416: there are no such bytes");
            }
        }
    }

    fn status(&self, lookup: &Lookup) -> Option<String> {
        let status = match lookup.hit(self.now) {
            Some((_, status, _)) => status,
            None if lookup.decision == Decision::GatewayTimeout => Status::Detail("only-if-cached"),
            None => Status::forwarded(lookup.why, None),
        };
        self.value(status)
    }

    fn value(&self, status: Status) -> Option<String> {
        let config = &self.engine.config;
        let value = status.value(&config.name).filter(|_| config.cache_status)?;
        value.to_str().ok().map(str::to_owned)
    }

    fn variants(&self, lookup: &Lookup) -> Vec<Variant> {
        let selected = |stored: &Arc<Stored>| {
            lookup.stored.as_ref().is_some_and(|selected| Arc::ptr_eq(selected, stored))
        };
        let all = lookup.variants.iter().flat_map(|variants| variants.iter());
        all.map(|stored| variant(stored, selected(stored), self.now)).collect()
    }
}

fn variant(stored: &Stored, selected: bool, now: SystemTime) -> Variant {
    let (terms, freshness) = (&stored.terms, stored.terms.freshness());
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let field = |name| stored.headers.get(name).map(|v: &HeaderValue| text(v.as_bytes()));
    let pairs = stored.vary.pairs();
    Variant {
        selected,
        status: stored.status,
        bytes: stored.body.len(),
        vary: pairs.map(|(name, value)| (name.as_str().to_owned(), value.map(text))).collect(),
        age: freshness.age(now),
        lifetime: freshness.lifetime(),
        fresh: terms.is_fresh(now),
        forbids_stale: terms.forbids_stale(),
        always_validate: terms.always_validate(),
        assumed: terms.is_assumed(),
        stale_while_revalidate: terms.stale_while_revalidate,
        stale_if_error: terms.stale_if_error,
        fetch_time: stored.ahead.took,
        kept_for: stored.retention(now),
        etag: field(ETAG),
        last_modified: field(LAST_MODIFIED),
        tags: stored.tags.iter().map(Tag::shown).collect(),
    }
}

const fn name(decision: Decision) -> &'static str {
    match decision {
        Decision::Hit => "hit",
        Decision::Stale { .. } => "stale",
        Decision::Validate { .. } => "validate",
        Decision::Miss => "miss",
        Decision::GatewayTimeout => "gateway-timeout",
    }
}
