//! What the origin's answers leave in the store: new responses, and confirmed ones.

use std::sync::{Arc, Weak};

use bytes::Bytes;
use http::header::{AGE, CONTENT_LENGTH, DATE, SET_COOKIE, TRANSFER_ENCODING};
use http::{Extensions, HeaderMap, HeaderValue, Method, Response, StatusCode, response};
use http_body::Body as HttpBody;
use vhttp::{Body, BoxError, CacheVerdict, Reason};

use crate::http::answer::head_of_304;
use crate::http::collapse::{End, Lead};
use crate::http::config::SetCookie;
use crate::http::failure::Failure;
use crate::http::fill::{Begun, Fill, Pump, content_length};
use crate::http::freshness::Exchange;
use crate::http::generation::Ticket;
use crate::http::inquiry::Inquiry;
use crate::http::policy::{Ahead, admit, merge_304, not_modified};
use crate::http::refused::Why;
use crate::http::status::{Forward, Status};
use crate::http::stored::{Head, Stored};
use crate::http::tags::Tag;
use crate::http::terms::Terms;
use crate::http::vary;

/// When the origin was asked, and what was purged by then.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Asked {
    pub(crate) ticket: Ticket,
    pub(crate) exchange: Exchange,
}

/// An answer, and what fetches the rest of its body, which must be run.
pub(crate) struct Fetched {
    pub(crate) response: Response<Body>,
    pub(crate) pump: Option<Pump>,
}

impl From<Response<Body>> for Fetched {
    fn from(response: Response<Body>) -> Self {
        Self { response, pump: None }
    }
}

/// Passes an answer on, and stores it on the way if that is allowed.
pub(crate) fn pass<B>(
    inquiry: &Inquiry,
    why: Forward,
    response: Response<B>,
    asked: Asked,
    lead: Option<Lead>,
) -> Fetched
where
    B: HttpBody<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    let engine = &inquiry.engine;
    let (mut parts, body) = response.into_parts();
    // The coding counts, and the length is a lie (RFC 9112 §6.3).
    if parts.headers.contains_key(TRANSFER_ENCODING) {
        parts.headers.remove(CONTENT_LENGTH);
    }
    let answered = parts.status;
    let mut begun = Begun { body: Body::new(body), stored: false, pump: None };
    engine.count(CacheVerdict::Miss, inquiry.timeline.as_ref());
    if let Some(head) = admitted(inquiry, &parts, asked.exchange) {
        vary::complete(&mut parts.headers);
        let has_it = lead.is_some() && has_it(inquiry, &parts, asked);
        let fill = Fill {
            engine: Arc::clone(engine),
            owner: Weak::clone(&inquiry.background),
            key: inquiry.key.clone(),
            ticket: asked.ticket,
            head,
            place: None,
            lead,
        };
        begun = fill.begin(begun.body);
        if has_it {
            // Of what is on its way the client needs nothing; the store does.
            begun.body = Body::empty();
            parts.status = StatusCode::NOT_MODIFIED;
            parts.headers = head_of_304(&parts.headers);
        }
    } else if let Some(lead) = lead {
        refuse(inquiry, lead, (parts.status, &parts.extensions), asked);
    }
    engine.tags.strip(&mut parts.headers);
    engine.mark(&mut parts.headers, Status::passed(why, answered, begun.stored));
    Fetched { response: Response::from_parts(parts, begun.body), pump: begun.pump }
}

/// Whether the client has what has come, by its own precondition (RFC 9111 §4.3.2), which the origin
/// was not told.
fn has_it(inquiry: &Inquiry, parts: &response::Parts, asked: Asked) -> bool {
    let request = &inquiry.parts.headers;
    inquiry.fills_without_condition()
        && not_modified(request, (parts.status, &parts.headers), asked.exchange.received)
}

/// Releases who waits for an answer that is not shared: one of them where it is an outage or our
/// own refusal, which says nothing about the next; else all, and the next ones do not wait either.
pub(crate) fn refuse(
    inquiry: &Inquiry,
    lead: Lead,
    (status, extensions): (StatusCode, &Extensions),
    asked: Asked,
) {
    let failure = Failure::of(status, extensions);
    if failure.is_some() || extensions.get::<Reason>().is_some() {
        return lead.fail(failure);
    }
    // A range beyond the end says nothing about what can be shared later.
    let says_nothing = status.is_server_error() || status == StatusCode::RANGE_NOT_SATISFIABLE;
    // Who comes with a precondition of its own is not to miss its 304 each time.
    let is_shared = lead.has_followers() || inquiry.engine.shares_fetches();
    if (is_shared || inquiry.fills_without_condition()) && !says_nothing {
        inquiry.engine.mark_hit_for_miss(&inquiry.key, asked.ticket);
    }
    lead.end(End::Refused);
}

/// What to store of an answer, as far as its head shows it.
fn admitted(inquiry: &Inquiry, parts: &response::Parts, exchange: Exchange) -> Option<Head> {
    let engine = &inquiry.engine;
    let request = (&inquiry.parts.method, &inquiry.parts.headers);
    let response = (parts.status, &parts.headers);
    let max = engine.config.max_object_size;
    let is_large = content_length(&parts.headers).is_some_and(|length| length > max);
    let admitted = match admit(request, response, &engine.rules, exchange) {
        Err(refusal) => Err(Why::Rule(refusal)),
        Ok(_) if is_large => Err(Why::TooLarge),
        Ok(terms) => tags(inquiry, &parts.headers).map(|t| (terms, t)).ok_or(Why::TooManyTags),
    };
    match admitted {
        Ok((terms, tags)) => {
            let of = (parts.status, parts.headers.clone(), tags);
            Some(head(inquiry, of, terms, exchange))
        }
        Err(why) => {
            note_refused(inquiry, why, response);
            None
        }
    }
}

/// Notes why an answer is not stored; that of a HEAD and a 304 never are.
pub(crate) fn note_refused(inquiry: &Inquiry, why: Why, response: (StatusCode, &HeaderMap)) {
    if inquiry.parts.method == Method::GET && response.0 != StatusCode::NOT_MODIFIED {
        let request = Some(&inquiry.parts.headers);
        inquiry.engine.note_refused(&inquiry.key, why, request, response);
    }
}

/// What a response is tagged with; `None` when that is more than is kept.
pub(crate) fn tags(inquiry: &Inquiry, headers: &HeaderMap) -> Option<Arc<[Tag]>> {
    let (origin, _) = inquiry.key.split_origin();
    let tags = inquiry.engine.tags.read(headers, origin).ok()?;
    if !inquiry.key.has_claims() {
        return Some(tags.into());
    }
    Some(tags.into_iter().chain([Tag::url(inquiry.key.url())]).collect())
}

/// The head as it is stored.
pub(crate) fn head(
    inquiry: &Inquiry,
    (status, headers, tags): (StatusCode, HeaderMap, Arc<[Tag]>),
    terms: Terms,
    exchange: Exchange,
) -> Head {
    let engine = &inquiry.engine;
    let head = Head {
        status,
        headers,
        vary: terms.variant(&inquiry.parts.headers).with_verbatim(&inquiry.parts.headers),
        terms,
        received: exchange.received,
        tags,
        keep: engine.config.keep_stale,
        ahead: Ahead {
            took: exchange.received.duration_since(exchange.requested).unwrap_or_default(),
            early: engine.rules.early,
        },
    };
    head.prepared(&engine.tags)
}

/// The origin has answered 304 to the validators of `stored`: the answer to the client, and how
/// the fetch ended. `None` when the 304 is about something else.
pub(crate) fn confirm(
    inquiry: &Inquiry,
    why: Forward,
    (stored, update): (&Arc<Stored>, &response::Parts),
    asked: Asked,
) -> Option<(Response<Body>, End)> {
    let engine = &inquiry.engine;
    let (mut merged, cookies) = merge(inquiry, stored, &update.headers, asked.exchange)?;
    let request = (&Method::GET, &inquiry.parts.headers);
    let response = (stored.status, &merged);
    let admitted = admit(request, response, &engine.rules, asked.exchange);
    engine.tags.restore(&mut merged, &update.headers, &stored.tags);
    let tags = tags(inquiry, &merged);
    let is_admitted = admitted.is_ok() && tags.is_some();
    if !is_admitted {
        let why = admitted.as_ref().err().map_or(Why::TooManyTags, |refusal| Why::Rule(*refusal));
        note_refused(inquiry, why, (stored.status, &merged));
    }
    let terms = admitted.unwrap_or_else(|_| stored.terms.clone());
    let of = (stored.status, merged, tags.unwrap_or_default());
    let confirmed = head(inquiry, of, terms, asked.exchange);
    let same = Arc::clone(&stored.encodings);
    let confirmed = Arc::new(confirmed.with_body(stored.body.clone(), same));
    let end = if is_admitted {
        engine.store(&inquiry.key, asked.ticket, &confirmed)
    } else {
        engine.forget(&inquiry.key, asked.ticket, stored);
        End::Refused
    };
    let status = Status::passed(why, StatusCode::NOT_MODIFIED, end == End::Stored);
    let mut response = inquiry.answer(&confirmed, status, CacheVerdict::Revalidated);
    for cookie in cookies {
        response.headers_mut().append(SET_COOKIE, cookie);
    }
    Some((response, end))
}

/// The stored fields after a 304, with what counts for their age; and the cookies of the 304 that
/// only this client is to get.
pub(crate) fn merge(
    inquiry: &Inquiry,
    stored: &Stored,
    update: &HeaderMap,
    exchange: Exchange,
) -> Option<(HeaderMap, Vec<HeaderValue>)> {
    let mut merged = merge_304(&stored.headers, update)?;
    for age in update.get_all(AGE) {
        merged.append(AGE, age.clone());
    }
    // Without a Date the clock starts at the receipt; the old one would make the answer old.
    if !update.contains_key(DATE)
        && let Ok(date) = HeaderValue::try_from(vhttp::date::format(exchange.received))
    {
        merged.insert(DATE, date);
    }
    let mut cookies = Vec::new();
    if inquiry.engine.rules.set_cookie != SetCookie::Store {
        merged.remove(SET_COOKIE);
        cookies.extend(update.get_all(SET_COOKIE).iter().cloned());
    }
    Some((merged, cookies))
}
