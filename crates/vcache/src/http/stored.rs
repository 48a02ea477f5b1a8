//! A stored response: its head ready to send, its body, its terms.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::{Bytes, BytesMut};
use http::header::{AGE, CONTENT_LENGTH, DATE, ETAG, LAST_MODIFIED};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use vhttp::hop;

use crate::http::encodings::{Encodings, may_encode};
use crate::http::hold_off::HoldOff;
use crate::http::policy::{Ahead, Decision, Wish, decide};
use crate::http::purge::Fate;
use crate::http::stamp::Stamp;
use crate::http::status::CACHE_STATUS;
use crate::http::tags::{self, Tag, TagRules};
use crate::http::terms::Terms;
use crate::http::vary::{self, VaryKey};

/// Bytes that a stored response takes beside its texts, about.
pub(crate) const OVERHEAD: usize = 512;
/// Bytes that one field takes beside its texts, about.
const FIELD_OVERHEAD: usize = 80;

/// The part of a stored response that does not change.
#[derive(Debug)]
pub(crate) struct Stored {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    /// The same for a whole answer, with room for the fields of the hit.
    pub(crate) ready: HeaderMap,
    pub(crate) stamp: Stamp,
    pub(crate) body: Bytes,
    pub(crate) terms: Terms,
    pub(crate) vary: VaryKey,
    pub(crate) tags: Arc<[Tag]>,
    /// Whether the `Encode` hook may be asked.
    pub(crate) encodable: bool,
    pub(crate) encodings: Arc<Encodings>,
    pub(crate) ahead: Ahead,
    /// From here on a hit may have it refreshed.
    pub(crate) early: SystemTime,
    pub(crate) hold_off: HoldOff,
    /// From here on the response is of no use any more.
    ends: SystemTime,
    /// When it was last used, in microseconds since 1970; kept only where variants compete.
    used: AtomicU64,
}

/// What is known of a response when its head has come.
#[derive(Debug, Clone)]
pub(crate) struct Head {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) terms: Terms,
    pub(crate) vary: VaryKey,
    pub(crate) tags: Arc<[Tag]>,
    pub(crate) received: SystemTime,
    pub(crate) keep: Duration,
    pub(crate) ahead: Ahead,
}

impl Head {
    /// Makes the fields what is stored of them.
    pub(crate) fn prepared(mut self, rules: &TagRules) -> Self {
        rules.strip(&mut self.headers);
        self.headers = prepare(self.headers, &self.terms, self.received);
        self
    }

    /// Whether others may have this answer as it is, without asking the origin.
    pub(crate) fn is_shareable(&self, now: SystemTime) -> bool {
        let decision = decide(&Wish::default(), Some(&self.terms), now);
        matches!(decision, Decision::Hit | Decision::Stale { .. })
    }

    /// The response without its content, which has not come yet.
    pub(crate) fn preview(&self) -> Stored {
        self.clone().stored(Bytes::new(), Arc::default())
    }

    pub(crate) fn with_body(mut self, body: Bytes, encodings: Arc<Encodings>) -> Stored {
        if self.status != StatusCode::NO_CONTENT && !self.headers.contains_key(CONTENT_LENGTH) {
            self.headers.insert(CONTENT_LENGTH, HeaderValue::from(body.len()));
        }
        self.stored(body, encodings)
    }

    fn stored(self, body: Bytes, encodings: Arc<Encodings>) -> Stored {
        let headers = self.headers;
        let has_validator = headers.contains_key(ETAG) || headers.contains_key(LAST_MODIFIED);
        let retention = self.terms.retention(has_validator, self.keep);
        Stored {
            early: self.ahead.from(&self.terms, self.received),
            ahead: self.ahead,
            hold_off: HoldOff::default(),
            encodable: may_encode(&headers, &body),
            ends: self.received.checked_add(retention).unwrap_or(self.received),
            used: AtomicU64::new(micros(self.received)),
            status: self.status,
            ready: ready(&headers),
            stamp: Stamp::default(),
            headers,
            body,
            terms: self.terms,
            vary: self.vary,
            tags: self.tags,
            encodings,
        }
    }
}

impl Stored {
    /// Whether the origin can be asked if this is still right.
    pub(crate) fn has_validator(&self) -> bool {
        self.headers.contains_key(ETAG) || self.headers.contains_key(LAST_MODIFIED)
    }

    /// The same response, stale from `now` on; `None` when it is of no use then.
    pub(crate) fn expired(&self, now: SystemTime, keep: Duration) -> Option<Self> {
        self.under(self.terms.expired(now), now, keep)
    }

    /// The same response, not to be used before the origin was asked; `None` when it cannot be.
    #[cfg(any(feature = "disk", feature = "redis"))]
    pub(crate) fn doubted(&self, now: SystemTime, keep: Duration) -> Option<Self> {
        self.under(self.terms.doubted(now), now, keep)
    }

    /// What a purge leaves of it.
    pub(crate) fn after(&self, fate: Fate) -> Option<Self> {
        match fate {
            Fate::Gone => None,
            Fate::Stale { now, keep } => self.expired(now, keep),
            #[cfg(any(feature = "disk", feature = "redis"))]
            Fate::Doubted { now, keep } => self.doubted(now, keep),
        }
    }

    /// The same response under terms that leave less of it.
    fn under(&self, terms: Terms, now: SystemTime, keep: Duration) -> Option<Self> {
        let age = terms.freshness().age(now);
        let resident = age.saturating_sub(terms.freshness().initial_age());
        let left = terms.retention(self.has_validator(), keep).saturating_sub(resident);
        let ends = now.checked_add(left).unwrap_or(now).min(self.ends);
        (ends > now).then(|| Self {
            status: self.status,
            headers: self.headers.clone(),
            ready: self.ready.clone(),
            stamp: Stamp::default(),
            body: self.body.clone(),
            terms,
            vary: self.vary.clone(),
            tags: Arc::clone(&self.tags),
            encodable: self.encodable,
            encodings: Arc::clone(&self.encodings),
            ahead: self.ahead,
            early: self.early,
            hold_off: HoldOff::default(),
            ends,
            used: AtomicU64::new(self.last_used()),
        })
    }

    /// How long from `now` on the response is of any use.
    pub(crate) fn retention(&self, now: SystemTime) -> Duration {
        self.ends.duration_since(now).unwrap_or_default()
    }

    /// Bytes on the cache's account.
    pub(crate) fn weight(&self) -> usize {
        let content = self.body.len() + self.encodings.size();
        let fields = size_of_fields(&self.headers) + self.ready.len() * FIELD_OVERHEAD;
        OVERHEAD + fields + content + self.vary.size() + tags::weight(&self.tags)
    }

    pub(crate) fn touch(&self, now: SystemTime) {
        self.used.store(micros(now), Ordering::Relaxed);
    }

    pub(crate) fn last_used(&self) -> u64 {
        self.used.load(Ordering::Relaxed)
    }
}

/// Bytes that fields take on the cache's account.
pub(crate) fn size_of_fields(headers: &HeaderMap) -> usize {
    let size = |(name, value): (&HeaderName, &HeaderValue)| {
        name.as_str().len() + value.len() + FIELD_OVERHEAD
    };
    headers.iter().map(size).sum()
}

/// The fields as they are stored (RFC 9111 §3.1): without what is of one hop or of one exchange,
/// with the whole `Vary` and a `Date` (RFC 9110 §6.6.1).
fn prepare(mut headers: HeaderMap, terms: &Terms, received: SystemTime) -> HeaderMap {
    hop::remove(&mut headers);
    headers.remove(AGE);
    for name in terms.omit() {
        headers.remove(name);
    }
    vary::complete(&mut headers);
    if !headers.contains_key(DATE)
        && let Ok(date) = HeaderValue::try_from(vhttp::date::format(received))
    {
        headers.insert(DATE, date);
    }
    compact(&headers)
}

/// The head of a whole answer, in which a hit only replaces what changes: a field that comes anew
/// would make the copy grow. The place of `Cache-Status` is empty, unless the origin's side has
/// values of its own.
fn ready(headers: &HeaderMap) -> HeaderMap {
    let mut ready = HeaderMap::with_capacity(headers.keys_len() + 2);
    for (name, value) in headers {
        ready.append(name, value.clone());
    }
    ready.insert(AGE, HeaderValue::from_static("0"));
    if !ready.contains_key(CACHE_STATUS) {
        ready.insert(CACHE_STATUS, HeaderValue::from_static(""));
    }
    ready
}

/// Copies all values into one piece of memory: a slice would keep the whole buffer of the
/// connection that it came on.
fn compact(headers: &HeaderMap) -> HeaderMap {
    let mut all = BytesMut::with_capacity(headers.values().map(HeaderValue::len).sum());
    for value in headers.values() {
        all.extend_from_slice(value.as_bytes());
    }
    let mut all = all.freeze();
    let mut copy = HeaderMap::with_capacity(headers.len() + 1);
    for (name, value) in headers {
        let piece = all.split_to(value.len().min(all.len()));
        if let Ok(mut same) = HeaderValue::from_maybe_shared(piece) {
            same.set_sensitive(value.is_sensitive());
            copy.append(name, same);
        }
    }
    copy
}

fn micros(time: SystemTime) -> u64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repeated_fields_keep_their_order_and_values_their_bytes() {
        let mut headers = HeaderMap::new();
        for (name, value) in [("x-a", "1"), ("x-b", ""), ("x-a", "2"), ("x-a", "1")] {
            headers.append(name, HeaderValue::from_static(value));
        }
        let copy = compact(&headers);
        assert_eq!(copy, headers);
        let lines: Vec<_> = copy.get_all("x-a").iter().collect();
        assert_eq!(lines, ["1", "2", "1"]);
    }
}
