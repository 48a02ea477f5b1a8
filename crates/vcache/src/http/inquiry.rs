//! One request to the cache, apart from the service that could answer it.

use std::sync::{Arc, Weak};
use std::time::SystemTime;

use http::header::{AUTHORIZATION, IF_MODIFIED_SINCE, IF_NONE_MATCH, RANGE};
use http::{Method, Response, StatusCode, request};
use vhttp::{Body, CacheVerdict, Timeline};

use crate::http::answer::Asker;
use crate::http::background::Background;
use crate::http::encodings::Encode;
use crate::http::engine::{Engine, Lookup};
use crate::http::failure::Failure;
use crate::http::hold_off::Cause;
use crate::http::key::Key;
use crate::http::policy::{Decision, Wish, condition};
use crate::http::status::{Forward, Status};
use crate::http::stored::Stored;

/// A request whose answer may come from the store.
#[derive(Clone)]
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

    /// Whether the client's own precondition is better answered from what comes than by the origin,
    /// whose 304 would serve nobody else. Not where the answer is hardly for others.
    pub(crate) fn fills_without_condition(&self) -> bool {
        let headers = &self.parts.headers;
        let is_own = headers.contains_key(RANGE) || headers.contains_key(AUTHORIZATION);
        self.parts.method == Method::GET && self.has_condition() && !is_own
    }

    /// The request to send: as it came, or one that asks whether what is stored is still right
    /// (RFC 9111 §4.3.1); without the client's precondition if it `leads` others.
    pub(crate) fn to_send(&self, validated: Option<&Arc<Stored>>, leads: bool) -> request::Parts {
        let mut parts = self.parts.clone();
        match validated {
            Some(stored) => condition(&mut parts.headers, &stored.headers),
            None if leads && self.fills_without_condition() => {
                parts.headers.remove(IF_NONE_MATCH);
                parts.headers.remove(IF_MODIFIED_SINCE);
            }
            None => {}
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

    /// What is answered if the origin takes long, where `stale-if-error` counts: it would come to
    /// a 504 in the end (RFC 5861 §4).
    pub(crate) fn spare(&self, lookup: &Lookup) -> Option<Arc<Stored>> {
        if self.engine.config.stale_after.is_zero() {
            return None;
        }
        let now = self.engine.now();
        in_place_of(false, &self.wish, lookup, now).map(Arc::clone)
    }

    /// The stale answer to a request that the origin keeps waiting, which the next ones get at once.
    pub(crate) fn answer_late(&self, stored: &Stored, why: Forward) -> Response<Body> {
        self.hold_off(stored, Cause::Failed { is_silence: false });
        self.answer_stale(stored, why, None)
    }

    /// The answer to one who waited for a fetch that failed.
    pub(crate) fn answer_failure(&self, failure: Failure, why: Forward) -> Response<Body> {
        let mut response = failure.reject().into_response();
        self.engine.mark(response.headers_mut(), Status::collapsed(why));
        self.engine.count(CacheVerdict::Collapsed, self.timeline.as_ref());
        if let Some(timeline) = &self.timeline {
            timeline.update(|record| record.reason = Some(failure.reason()));
        }
        response
    }

    /// Has nobody ask for `stored` for a while.
    pub(crate) fn hold_off(&self, stored: &Stored, cause: Cause) {
        stored.hold_off.begin(self.engine.now(), self.engine.config.hold_off, cause);
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

/// What may be answered now in place of an outage: of an error of the origin, or of its silence.
pub(crate) fn in_place_of<'a>(
    is_silence: bool,
    wish: &Wish,
    lookup: &'a Lookup,
    now: SystemTime,
) -> Option<&'a Arc<Stored>> {
    match is_silence {
        true => refuge(wish, lookup, now),
        false => lookup.stored.as_ref().filter(|stored| wish.may_replace_error(&stored.terms, now)),
    }
}

impl Lookup {
    /// What answers in place of a validation, because the last one has met an outage just now.
    pub(crate) fn held(
        &self,
        wish: &Wish,
        now: SystemTime,
    ) -> Option<(Arc<Stored>, Status, CacheVerdict)> {
        if self.decision != (Decision::Validate { asked: false }) {
            return None;
        }
        let Cause::Failed { is_silence } = self.stored.as_ref()?.hold_off.cause(now)? else {
            return None;
        };
        let stored = Arc::clone(in_place_of(is_silence, wish, self, now)?);
        let ttl = stored.terms.freshness().ttl(now);
        Some((stored, Status::Hit { ttl }, CacheVerdict::Stale))
    }
}
