//! The last answers that were not stored, and why, for who asks.

use std::hash::{BuildHasher, RandomState};
use std::sync::Mutex;
use std::time::SystemTime;

use http::header::{
    AGE, AUTHORIZATION, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_RANGE, COOKIE, DATE, ETAG, EXPIRES,
    LAST_MODIFIED, RANGE, SET_COOKIE, VARY,
};
use http::{HeaderMap, HeaderName, StatusCode};

use crate::http::key::Key;
use crate::http::policy::Refusal;

/// Why an answer is not stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Why {
    /// A rule for what may be stored.
    Rule(Refusal),
    /// More content than `max_object_size`.
    TooLarge,
    /// More tags than `max_tags`.
    TooManyTags,
    /// The cache holds nothing so heavy, or its time was over before it had come.
    NoRoom,
    /// It did not come to the end that it had announced.
    BrokeOff,
    /// It was purged or made invalid on its way.
    Purged,
}

/// An answer that was not stored.
#[derive(Debug, Clone)]
pub(crate) struct Refused {
    pub(crate) when: SystemTime,
    pub(crate) status: StatusCode,
    pub(crate) why: Why,
    key: Key,
    asked: Vec<(HeaderName, String)>,
    said: Vec<(HeaderName, String)>,
}

/// What a rule finds: its section, its name, and the finding.
pub(crate) type Finding = (&'static str, &'static str, String);

/// A bounded number of them, each key's in a place of its own or one that it shares.
#[derive(Debug)]
pub(crate) struct Refusals {
    places: Box<[Mutex<Option<Box<Refused>>>]>,
    hasher: RandomState,
}

const PLACES: usize = 512;

impl Refusals {
    pub(crate) fn new() -> Self {
        let places = (0..PLACES).map(|_| Mutex::new(None)).collect();
        Self { places, hasher: RandomState::new() }
    }

    /// Notes an answer. Where somebody else is just about the same place, it is left out: nobody
    /// waits for this.
    pub(crate) fn note(&self, refused: Refused) {
        if let Some(mut place) = self.place(&refused.key).and_then(|place| place.try_lock().ok()) {
            *place = Some(Box::new(refused));
        }
    }

    /// Forgets what was noted of a key: an answer is stored.
    pub(crate) fn forget(&self, key: &Key) {
        if let Some(mut place) = self.place(key).and_then(|place| place.try_lock().ok())
            && place.as_ref().is_some_and(|refused| refused.key == *key)
        {
            *place = None;
        }
    }

    /// The last answer for a key that was not stored, unless another's has taken its place.
    pub(crate) fn get(&self, key: &Key) -> Option<Refused> {
        let place = self.place(key)?.lock().ok()?;
        let refused = place.as_deref().filter(|refused| refused.key == *key);
        refused.cloned()
    }

    fn place(&self, key: &Key) -> Option<&Mutex<Option<Box<Refused>>>> {
        let hash = self.hasher.hash_one(key.as_str());
        self.places.get(usize::try_from(hash % (PLACES as u64)).unwrap_or(0))
    }
}

impl Refused {
    pub(crate) fn new(
        (key, when): (&Key, SystemTime),
        why: Why,
        request: Option<&HeaderMap>,
        (status, response): (StatusCode, &HeaderMap),
        targets: &[HeaderName],
    ) -> Self {
        const ASKED: [HeaderName; 4] = [AUTHORIZATION, CACHE_CONTROL, COOKIE, RANGE];
        const SAID: [HeaderName; 10] = [
            CACHE_CONTROL,
            EXPIRES,
            DATE,
            AGE,
            LAST_MODIFIED,
            ETAG,
            VARY,
            SET_COOKIE,
            CONTENT_RANGE,
            CONTENT_LENGTH,
        ];
        let asked = request.map(|request| copy(request, ASKED.into_iter())).unwrap_or_default();
        let said = copy(response, targets.iter().cloned().chain(SAID));
        Self { when, status, why, key: key.clone(), asked, said }
    }

    /// Every rule in the order in which they are asked, up to the one that forbids to store it.
    pub(crate) fn findings(&self, limits: [u64; 2]) -> Vec<Finding> {
        let Why::Rule(refusal) = self.why else {
            let all = RULES.iter().map(|rule| self.passed(rule));
            return all.chain(Some(self.limit(limits))).collect();
        };
        let last = RULES.iter().position(|rule| rule.refusal == refusal);
        let passed = RULES.iter().take(last.unwrap_or(0)).map(|rule| self.passed(rule));
        let forbids = RULES.get(last.unwrap_or(RULES.len()));
        let forbids = forbids.map(|rule| (rule.section, rule.name, self.shown(rule, rule.forbids)));
        passed.chain(forbids).collect()
    }

    fn passed(&self, rule: &Rule) -> Finding {
        (rule.section, rule.name, self.shown(rule, rule.allows))
    }

    /// What a rule finds, with the fields that it is about.
    fn shown(&self, rule: &Rule, finding: &str) -> String {
        let about = |fields: &[(HeaderName, String)], names: &[&str]| -> Vec<String> {
            let fields = fields.iter().filter(|(name, _)| names.contains(&name.as_str()));
            fields.map(|(name, value)| format!("{name}: {value}")).collect()
        };
        let mut fields = about(&self.asked, rule.asked);
        fields.extend(about(&self.said, rule.said));
        let of_target = rule.refusal == Refusal::NoLifetime || rule.refusal == Refusal::NoStore;
        let others = self
            .said
            .iter()
            .filter(|(name, _)| of_target && name.as_str().ends_with("-cache-control"));
        fields.extend(others.map(|(name, value)| format!("{name}: {value}")));
        match fields.is_empty() {
            true => finding.replace("{status}", self.status.as_str()),
            false => format!(
                "{} ({})",
                finding.replace("{status}", self.status.as_str()),
                fields.join("; ")
            ),
        }
    }

    /// What is no rule of the RFC.
    fn limit(&self, [size, tags]: [u64; 2]) -> Finding {
        let (name, finding) = match self.why {
            Why::TooLarge => ("max_object_size", format!("more content than {size} bytes")),
            Why::TooManyTags => ("max_tags", format!("more than {tags} tags")),
            Why::NoRoom => ("max_size", "too heavy, or over before it was complete".to_owned()),
            Why::Purged => ("purge", "purged or made invalid on its way".to_owned()),
            Why::BrokeOff | Why::Rule(_) => {
                return ("RFC 9111 §3.3", "complete", "it did not come to its end".to_owned());
            }
        };
        ("settings", name, finding)
    }
}

/// Copies fields, cut short; of those that are secret only that they are there.
fn copy(headers: &HeaderMap, names: impl Iterator<Item = HeaderName>) -> Vec<(HeaderName, String)> {
    let mut copied = Vec::new();
    for name in names {
        let is_secret = [AUTHORIZATION, COOKIE, SET_COOKIE].contains(&name);
        for value in headers.get_all(&name).iter().take(4) {
            let text = match is_secret {
                true => "…".to_owned(),
                false => String::from_utf8_lossy(value.as_bytes()).chars().take(200).collect(),
            };
            copied.push((name.clone(), text));
        }
    }
    copied
}

/// A rule for what may be stored.
struct Rule {
    refusal: Refusal,
    section: &'static str,
    name: &'static str,
    allows: &'static str,
    forbids: &'static str,
    /// The fields that it is about.
    asked: &'static [&'static str],
    said: &'static [&'static str],
}

const fn rule(
    refusal: Refusal,
    (section, name): (&'static str, &'static str),
    [allows, forbids]: [&'static str; 2],
    asked: &'static [&'static str],
    said: &'static [&'static str],
) -> Rule {
    Rule { refusal, section, name, allows, forbids, asked, said }
}

/// In the order in which `admit` asks them.
#[rustfmt::skip]
const RULES: [Rule; 11] = [
    rule(Refusal::Method, ("RFC 9111 §3", "method"), ["GET", "only answers to GET are stored"], &[], &[]),
    rule(Refusal::Range, ("RFC 9111 §3.3", "range"), ["of the whole, or of a part whose place is certain", "about a part that cannot be placed"], &["range"], &["content-range"]),
    rule(Refusal::Status, ("RFC 9111 §3", "status"), ["{status} can be stored", "{status} cannot be stored"], &[], &[]),
    rule(Refusal::NoStore, ("RFC 9111 §5.2.2.5", "no-store"), ["nobody forbids to store it", "forbidden"], &["cache-control"], &["cache-control"]),
    rule(Refusal::NotUnderstood, ("RFC 9111 §5.2.2.3", "must-understand"), ["{status} is understood, or need not be", "{status} is not understood"], &[], &[]),
    rule(Refusal::Private, ("RFC 9111 §5.2.2.7", "private"), ["not for one client alone", "for one client alone"], &[], &["cache-control"]),
    rule(Refusal::Authorization, ("RFC 9111 §3.5", "authorization"), ["without, or with leave to share it", "it was asked for with credentials, and without public, must-revalidate or s-maxage"], &["authorization"], &["cache-control"]),
    rule(Refusal::SetCookie, ("RFC 9111 §7.3", "set-cookie"), ["no cookie that stands against it", "it sets a cookie (the setting set_cookie, or no lifetime of its own)"], &[], &["set-cookie"]),
    rule(Refusal::Vary, ("RFC 9111 §4.1", "vary"), ["other requests can match", "no other request can match"], &[], &["vary"]),
    rule(Refusal::NoLifetime, ("RFC 9111 §4.2.1", "lifetime"), ["there is one", "none is said, and none is assumed"], &["cookie"], &["cache-control", "expires", "last-modified"]),
    rule(Refusal::NeverReusable, ("RFC 9111 §4.2", "reusable"), ["for a while, or after validation", "stale on arrival, and without a validator"], &[], &["cache-control", "age", "date", "expires"]),
];

impl Why {
    /// In a word.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Rule(refusal) => {
                RULES.iter().find(|rule| rule.refusal == refusal).map_or("rule", |rule| rule.name)
            }
            Self::TooLarge => "max_object_size",
            Self::TooManyTags => "max_tags",
            Self::NoRoom => "max_size",
            Self::BrokeOff => "complete",
            Self::Purged => "purge",
        }
    }
}
