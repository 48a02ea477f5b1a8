//! Before asking the origin: wait for a request that does, or become the one that others wait for.

use http::{Method, Response};
use tokio::time::{Instant, timeout_at};
use vhttp::{Body, CacheVerdict};

use crate::http::collapse::{End, Lead, Turn};
use crate::http::engine::Lookup;
use crate::http::inquiry::{Inquiry, fallback};
use crate::http::policy::Decision;
use crate::http::status::{Forward, Status};

/// What came of waiting.
pub(crate) enum Waited {
    /// The answer is there.
    Answer(Response<Body>),
    /// The origin must be asked; with others waiting for it, if this request leads.
    Ask(Option<Lead>, Lookup),
}

/// Waits for the fetch that `inquiry` needs as long as that helps, and no longer than the
/// configuration allows.
///
/// Cancel safe: a request that is dropped while it waits has changed nothing.
pub(crate) async fn wait(inquiry: &Inquiry, mut lookup: Lookup) -> Waited {
    let engine = &inquiry.engine;
    let begun = Instant::now();
    let deadline = begun.checked_add(engine.config.collapse_timeout);
    while may_wait(inquiry, &lookup) {
        let flight = engine.flight_key(&inquiry.key, &lookup, &inquiry.parts.headers);
        let follower = match engine.flights.join(flight, may_lead(inquiry, &lookup)) {
            Turn::Alone => break,
            Turn::Lead(lead) => return begin(inquiry, lead),
            Turn::Follow(follower) => follower,
        };
        let Ok(end) = timeout_at(deadline.unwrap_or(begun), follower.wait()).await else {
            break;
        };
        let why = lookup.why;
        lookup = inquiry.look_up();
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

/// A new leader looks again: the last one may have stored the answer just before.
fn begin(inquiry: &Inquiry, lead: Lead) -> Waited {
    let lookup = inquiry.look_up();
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
    engine.config.collapse && shareable && !marked && !inquiry.wish.no_store && !wants_own
}

/// Whether the answer to this request could serve others: a HEAD's has no content, and one to a
/// client's own precondition may be a 304.
fn may_lead(inquiry: &Inquiry, lookup: &Lookup) -> bool {
    let validates = lookup.stored.as_ref().is_some_and(|s| s.has_validator());
    inquiry.parts.method == Method::GET && (validates || !inquiry.has_condition())
}
