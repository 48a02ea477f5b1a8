//! Before asking the origin: join a request that does, or become the one that others join.

use std::sync::Arc;
use std::time::Duration;

use http::header::RANGE;
use http::{Method, Response, StatusCode};
use tokio::time::{Instant, timeout_at};
use vhttp::{Body, CacheVerdict};

use crate::http::collapse::{End, FlightKey, Follower, Lead, News, Turn};
use crate::http::engine::Lookup;
use crate::http::failure::Failure;
use crate::http::filling::Filling;
use crate::http::inquiry::{Inquiry, in_place_of};
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

/// Outages that one who waits hears of before it takes the last for its own answer.
const ENOUGH: u32 = 2;

/// Waits for the fetch that `inquiry` needs as long as that helps, and no longer than the
/// configuration allows.
///
/// Cancel safe: a request that is dropped while it waits has changed nothing.
pub(crate) async fn wait(inquiry: &Inquiry, mut lookup: Lookup) -> Waited {
    let engine = &inquiry.engine;
    let Some(mut patience) = Patience::new(engine.config.collapse_timeout) else {
        return alone(inquiry, lookup);
    };
    let only_end = inquiry.parts.headers.contains_key(RANGE);
    let stale_after = engine.config.stale_after;
    let (mut other, mut tried) = (None, 0);
    while may_wait(inquiry, &lookup) && tried < MAX_VARIANTS_TRIED {
        let flight = other.take().unwrap_or_else(|| flight_key(inquiry, &lookup));
        let mut follower = match engine.join(flight.clone(), may_lead(inquiry, &lookup)) {
            Turn::Alone => break,
            Turn::Lead(lead) => return begin(inquiry, lead),
            Turn::Follow(follower) => follower,
        };
        let spare = inquiry.spare(&lookup);
        let late = spare.as_ref().and_then(|_| follower.begun().checked_add(stale_after));
        let end = match patience.attend(&mut follower, only_end, late).await {
            Heard::Late => match spare {
                Some(stored) => return Waited::Answer(inquiry.answer_late(&stored, lookup.why)),
                None => break,
            },
            Heard::TakesTooLong if may_lead(inquiry, &lookup) => {
                match engine.flights.assist(&follower, flight) {
                    Some(lead) => return begin(inquiry, lead),
                    None => continue,
                }
            }
            Heard::TakesTooLong => break,
            Heard::Shared(filling) => match read(inquiry, &filling, lookup.why) {
                Read::Answer(response) => return Waited::Answer(response),
                Read::Unfit => break,
                Read::OtherVariant(flight) => {
                    (other, tried) = (Some(flight), tried + 1);
                    lookup = inquiry.look_again();
                    continue;
                }
            },
            Heard::Over(end) => end,
        };
        let why = lookup.why;
        lookup = inquiry.look_again();
        let failure = patience.hear(&follower).filter(|_| end == End::Failed);
        if let Some(response) = follow(inquiry, &lookup, failure, why) {
            return Waited::Answer(response);
        }
        if let Some(failure) = failure.filter(|_| patience.is_over(0)) {
            return Waited::Answer(inquiry.answer_failure(failure, why));
        }
        // Stored, and not for this request: of another variant, which has a fetch of its own.
        let is_other = end == End::Stored && lookup.decision == Decision::Miss;
        if end != End::Failed && !is_other {
            break;
        }
    }
    Waited::Ask(None, lookup)
}

/// Leads, where nobody asks for the same; else asks beside those who do.
fn alone(inquiry: &Inquiry, lookup: Lookup) -> Waited {
    let engine = &inquiry.engine;
    if may_wait(inquiry, &lookup)
        && let Turn::Lead(lead) =
            engine.join(flight_key(inquiry, &lookup), may_lead(inquiry, &lookup))
    {
        return begin(inquiry, lead);
    }
    Waited::Ask(None, lookup)
}

/// How long a request has waited, and what for.
struct Patience {
    limit: Duration,
    end: Instant,
    /// Outages heard of so far.
    failures: u32,
}

/// What one hears who waits.
enum Heard {
    Shared(Arc<Filling>),
    Over(End),
    /// Nothing, and it is this one's turn to ask.
    TakesTooLong,
    /// Nothing, and there is another answer.
    Late,
}

impl Patience {
    /// `None` where nobody is to wait.
    fn new(limit: Duration) -> Option<Self> {
        let end = Instant::now().checked_add(limit).filter(|_| !limit.is_zero())?;
        Some(Self { limit, end, failures: 0 })
    }

    /// Waits for news, and not past `late`.
    async fn attend(
        &self,
        follower: &mut Follower,
        only_end: bool,
        late: Option<Instant>,
    ) -> Heard {
        loop {
            // Whoever has the head to read waits for it himself, and not in turn with others.
            let until = match follower.has_head() {
                true => self.end,
                false => follower.relief(self.limit).unwrap_or(self.end),
            };
            let until = late.map_or(until, |late| late.min(until));
            let news = follower.wait(only_end, |failures| self.is_over(failures));
            match timeout_at(until, news).await {
                Ok(News::Shared(filling)) => return Heard::Shared(filling),
                Ok(News::Over(end)) => return Heard::Over(end),
                // After so many outages it does not matter that others still ask.
                Ok(News::Waiting) => return Heard::Over(End::Failed),
                Err(_) if late.is_some_and(|late| late <= Instant::now()) => return Heard::Late,
                Err(_) if self.takes_turn(follower, only_end) => return Heard::TakesTooLong,
                Err(_) => {}
            }
        }
    }

    /// Whether it is to ask as well: in turn with others for a head, and for itself where that has
    /// come and the end takes long.
    fn takes_turn(&self, follower: &Follower, only_end: bool) -> bool {
        match follower.has_head() {
            true => only_end && Instant::now() >= self.end,
            false => follower.takes_relief(self.limit),
        }
    }

    /// Counts the outages of a fetch that is over, and tells the last one.
    fn hear(&mut self, follower: &Follower) -> Option<Failure> {
        let (count, failure) = follower.failures();
        self.failures = self.failures.saturating_add(count);
        failure
    }

    /// Whether it has waited for long enough, and heard of enough outages with `more`.
    fn is_over(&self, more: u32) -> bool {
        self.failures.saturating_add(more) >= ENOUGH && Instant::now() >= self.end
    }
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
fn follow(
    inquiry: &Inquiry,
    lookup: &Lookup,
    failure: Option<Failure>,
    why: Forward,
) -> Option<Response<Body>> {
    let now = inquiry.engine.now();
    let status = Status::collapsed(why);
    if let Some(response) = ranges::answer(inquiry, lookup, Some(status)) {
        return Some(response);
    }
    if let Some((stored, _, _)) = lookup.hit(now) {
        return Some(inquiry.answer(&stored, status, CacheVerdict::Collapsed));
    }
    let stored = in_place_of(failure?.is_silence(), &inquiry.wish, lookup, now)?;
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
/// client's own precondition may be a 304, unless the whole is asked for in its place.
fn may_lead(inquiry: &Inquiry, lookup: &Lookup) -> bool {
    let validates = lookup.stored.as_ref().is_some_and(|s| s.has_validator());
    let whole = !inquiry.has_condition() || inquiry.fills_without_condition();
    inquiry.parts.method == Method::GET && (validates || whole)
}
