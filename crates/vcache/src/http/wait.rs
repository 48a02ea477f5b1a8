//! Before asking the origin: join a request that does, or become the one that others join.

use http::header::RANGE;
use http::{Method, Response, StatusCode};
use tokio::time::{Instant, timeout_at};
use vhttp::{Body, CacheVerdict};

use crate::http::collapse::{End, FlightKey, Lead, News, Turn};
use crate::http::engine::Lookup;
use crate::http::filling::Filling;
use crate::http::inquiry::{Inquiry, fallback};
use crate::http::policy::{Decision, decide, select};
use crate::http::ranges;
use crate::http::status::{Forward, Status};

/// What came of waiting.
pub(crate) enum Waited {
    /// The answer is there.
    Answer(Response<Body>),
    /// The origin must be asked; with others waiting for it, if this request leads.
    Ask(Option<Lead>, Lookup),
}

/// How often a request goes on to another variant's fetch; an origin that names other fields in
/// every `Vary` could send it around for ever.
const MAX_VARIANTS_TRIED: usize = 4;

/// Waits for the fetch that `inquiry` needs as long as that helps, and no longer than the
/// configuration allows.
///
/// Cancel safe: a request that is dropped while it waits has changed nothing.
pub(crate) async fn wait(inquiry: &Inquiry, mut lookup: Lookup) -> Waited {
    let engine = &inquiry.engine;
    let begun = Instant::now();
    let deadline = begun.checked_add(engine.config.collapse_timeout).unwrap_or(begun);
    let only_end = inquiry.parts.headers.contains_key(RANGE);
    let (mut other, mut tried) = (None, 0);
    while may_wait(inquiry, &lookup) && tried < MAX_VARIANTS_TRIED {
        let flight = other.take().unwrap_or_else(|| flight_key(inquiry, &lookup));
        let mut follower = match engine.join(flight, may_lead(inquiry, &lookup)) {
            Turn::Alone => break,
            Turn::Lead(lead) => return begin(inquiry, lead),
            Turn::Follow(follower) => follower,
        };
        let end = match timeout_at(deadline, follower.wait(only_end)).await {
            Err(_) | Ok(News::Waiting) => break,
            Ok(News::Over(end)) => end,
            Ok(News::Shared(filling)) => match read(inquiry, &filling, lookup.why) {
                Read::Answer(response) => return Waited::Answer(response),
                Read::Unfit => break,
                Read::OtherVariant(flight) => {
                    (other, tried) = (Some(flight), tried + 1);
                    lookup = inquiry.look_again();
                    continue;
                }
            },
        };
        let why = lookup.why;
        lookup = inquiry.look_again();
        if let Some(response) = follow(inquiry, &lookup, end, why) {
            return Waited::Answer(response);
        }
        // Stored, and not for this request: of another variant, which has a fetch of its own.
        let is_other = end == End::Stored && lookup.decision == Decision::Miss;
        if end != End::Failed && !is_other {
            break;
        }
    }
    Waited::Ask(None, lookup)
}

/// What the fetch for a request is for: the same part for who wants only that.
fn flight_key(inquiry: &Inquiry, lookup: &Lookup) -> FlightKey {
    let headers = &inquiry.parts.headers;
    let mut flight = inquiry.engine.flight_key(&inquiry.key, lookup, headers);
    if ranges::is_own(inquiry, lookup) {
        flight.part = headers.get(RANGE).cloned();
    }
    flight
}

/// What an answer that is still arriving is for a request.
enum Read {
    Answer(Response<Body>),
    /// It wants something else of the origin, or comes too late for the beginning.
    Unfit,
    /// It needs another variant, which has a fetch of its own.
    OtherVariant(FlightKey),
}

/// Answers from what is still arriving, when the request would take it from the store as well
/// (RFC 9111 §4: collapsed requests).
fn read(inquiry: &Inquiry, filling: &Filling, why: Forward) -> Read {
    let (engine, headers) = (&inquiry.engine, &inquiry.parts.headers);
    if select([(filling.vary(), filling)], headers).is_none() {
        let vary = filling.vary().ask(headers);
        return Read::OtherVariant(FlightKey { key: inquiry.key.clone(), vary, part: None });
    }
    let decision = decide(&inquiry.wish, Some(&filling.preview.terms), engine.now());
    if !matches!(decision, Decision::Hit | Decision::Stale { .. }) {
        return Read::Unfit;
    }
    let Some(body) = filling.body() else {
        return Read::Unfit;
    };
    let status = Status::collapsed(why);
    let mut response = inquiry.answer(&filling.preview, status, CacheVerdict::Collapsed);
    if inquiry.parts.method != Method::HEAD && response.status() != StatusCode::NOT_MODIFIED {
        *response.body_mut() = body;
    }
    Read::Answer(response)
}

/// A new leader looks again: the last one may have stored the answer just before.
fn begin(inquiry: &Inquiry, lead: Lead) -> Waited {
    let lookup = inquiry.look_again();
    if let Some(response) = ranges::answer(inquiry, &lookup, None) {
        lead.end(End::Stored);
        return Waited::Answer(response);
    }
    let Some((stored, status, verdict)) = lookup.hit(inquiry.engine.now()) else {
        return Waited::Ask(Some(lead), lookup);
    };
    lead.end(End::Stored);
    Waited::Answer(inquiry.answer(&stored, status, verdict))
}

/// The answer that the leader has left in the store, when it is one for this request; after a
/// failure a stale one where that is allowed.
fn follow(inquiry: &Inquiry, lookup: &Lookup, end: End, why: Forward) -> Option<Response<Body>> {
    let now = inquiry.engine.now();
    let status = Status::collapsed(why);
    if let Some(response) = ranges::answer(inquiry, lookup, Some(status)) {
        return Some(response);
    }
    if let Some((stored, _, _)) = lookup.hit(now) {
        return Some(inquiry.answer(&stored, status, CacheVerdict::Collapsed));
    }
    let stored = fallback(lookup, now).filter(|_| end == End::Failed)?;
    Some(inquiry.answer(stored, status, CacheVerdict::Stale))
}

/// Whether waiting can help: not where the request wants an answer of its own, where every use
/// must be validated, or where answers were not to be shared lately.
fn may_wait(inquiry: &Inquiry, lookup: &Lookup) -> bool {
    let engine = &inquiry.engine;
    let shareable = lookup.stored.as_ref().is_none_or(|stored| {
        !stored.terms.always_validate() && !stored.terms.freshness().lifetime().is_zero()
    });
    let marked = lookup.variants.as_ref().is_some_and(|variants| variants.is_marked(engine.now()));
    let wants_own = matches!(lookup.decision, Decision::Validate { asked: true })
        || lookup.why == Forward::Request;
    // A part that is not stored is of use to nobody else.
    let is_kept = engine.config.store_parts || !ranges::is_own(inquiry, lookup);
    engine.config.collapse
        && is_kept
        && shareable
        && !marked
        && !inquiry.wish.no_store
        && !wants_own
}

/// Whether the answer to this request could serve others: a HEAD's has no content, and one to a
/// client's own precondition may be a 304.
fn may_lead(inquiry: &Inquiry, lookup: &Lookup) -> bool {
    let validates = lookup.stored.as_ref().is_some_and(|s| s.has_validator());
    inquiry.parts.method == Method::GET && (validates || !inquiry.has_condition())
}
