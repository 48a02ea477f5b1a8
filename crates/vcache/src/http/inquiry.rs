//! One request to the cache, apart from the service that could answer it.

use std::sync::{Arc, Weak};
use std::time::SystemTime;

use http::header::{IF_MODIFIED_SINCE, IF_NONE_MATCH};
use http::{Response, StatusCode, request};
use vhttp::{Body, CacheVerdict, Timeline};

use crate::http::answer::Asker;
use crate::http::background::Background;
use crate::http::encodings::Encode;
use crate::http::engine::{Engine, Lookup};
use crate::http::failure::Failure;
use crate::http::key::Key;
use crate::http::policy::{Wish, condition};
use crate::http::status::{Forward, Status};
use crate::http::stored::Stored;

/// A request whose answer may come from the store.
pub(crate) struct Inquiry {
    pub(crate) engine: Arc<Engine>,
    /// Not owned, because what it runs owns inquiries.
    pub(crate) background: Weak<Background>,
    pub(crate) encode: Option<Arc<dyn Encode>>,
    pub(crate) timeline: Option<Timeline>,
    pub(crate) wish: Wish,
    pub(crate) key: Key,
    pub(crate) parts: request::Parts,
}

impl Inquiry {
    pub(crate) fn look_up(&self) -> Lookup {
        let now = self.engine.now();
        let headers = &self.parts.headers;
        self.engine.look_up(&self.key, headers, &self.wish, now)
    }

    /// Looks again, after others may have stored what was not there.
    pub(crate) fn look_again(&self) -> Lookup {
        let now = self.engine.now();
        let headers = &self.parts.headers;
        self.engine.look_again(&self.key, headers, &self.wish, now)
    }

    /// Whether the client brought a precondition of its own, so that a 304 may answer it.
    pub(crate) fn has_condition(&self) -> bool {
        let headers = &self.parts.headers;
        headers.contains_key(IF_NONE_MATCH) || headers.contains_key(IF_MODIFIED_SINCE)
    }

    /// The request to send: as it came, or one that asks whether what is stored is still right
    /// (RFC 9111 §4.3.1).
    pub(crate) fn to_send(&self, validated: Option<&Arc<Stored>>) -> request::Parts {
        let mut parts = self.parts.clone();
        if let Some(stored) = validated {
            condition(&mut parts.headers, &stored.headers);
        }
        parts
    }

    /// Answers from the store.
    pub(crate) fn answer(
        &self,
        stored: &Stored,
        status: Status,
        verdict: CacheVerdict,
    ) -> Response<Body> {
        let asker = Asker {
            method: &self.parts.method,
            headers: &self.parts.headers,
            encode: self.encode.as_deref(),
            max_ranges: usize::try_from(self.engine.config.max_ranges).unwrap_or(usize::MAX),
        };
        let response = self.engine.answer(&self.key, asker, stored, status);
        self.engine.count(verdict, self.timeline.as_ref());
        response
    }

    /// A stale answer in place of an error (RFC 5861 §4).
    pub(crate) fn answer_stale(
        &self,
        stored: &Stored,
        why: Forward,
        code: Option<StatusCode>,
    ) -> Response<Body> {
        let status = Status::forwarded(why, code);
        self.answer(stored, status, CacheVerdict::Stale)
    }
}

/// What may be answered now because the origin cannot be reached.
pub(crate) fn refuge<'a>(
    wish: &Wish,
    lookup: &'a Lookup,
    now: SystemTime,
) -> Option<&'a Arc<Stored>> {
    lookup.stored.as_ref().filter(|stored| wish.may_replace_silence(&stored.terms, now))
}

/// What may be answered now in place of an outage.
pub(crate) fn in_place_of<'a>(
    failure: Failure,
    wish: &Wish,
    lookup: &'a Lookup,
    now: SystemTime,
) -> Option<&'a Arc<Stored>> {
    match failure.is_silence() {
        true => refuge(wish, lookup, now),
        false => lookup.stored.as_ref().filter(|stored| wish.may_replace_error(&stored.terms, now)),
    }
}
