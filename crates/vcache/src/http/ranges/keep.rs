//! A part on its way to the client and into the store, where it stays if it is complete.

use std::sync::{Arc, Weak};

use http::{Response, response};
use vhttp::{Body, CacheVerdict, ContentRange};

use crate::http::collapse::Lead;
use crate::http::fill::{Begun, Fill};
use crate::http::inquiry::Inquiry;
use crate::http::keep::{Asked, Fetched, head, note_refused, refuse, tags};
use crate::http::policy::admit_part;
use crate::http::refused::Why;
use crate::http::status::{Forward, Status};
use crate::http::stored::Head;

/// Passes a 206 on, and stores it on the way if that is allowed (RFC 9111 §3.3).
pub(crate) fn keep(
    inquiry: &Inquiry,
    why: Forward,
    response: Response<Body>,
    asked: Asked,
    lead: Option<Lead>,
) -> Fetched {
    let engine = &inquiry.engine;
    engine.count(CacheVerdict::Miss, inquiry.timeline.as_ref());
    let (mut parts, body) = response.into_parts();
    let mut begun = Begun { body, stored: false, pump: None };
    if let Some((head, place)) = admitted(inquiry, &parts, asked) {
        let fill = Fill {
            engine: Arc::clone(engine),
            owner: Weak::clone(&inquiry.background),
            key: inquiry.key.clone(),
            ticket: asked.ticket,
            head,
            place: Some(place),
            lead,
        };
        begun = fill.begin(begun.body);
    } else if let Some(lead) = lead {
        refuse(inquiry, lead, (parts.status, &parts.extensions), asked);
    }
    engine.tags.strip(&mut parts.headers);
    engine.mark(&mut parts.headers, Status::passed(why, parts.status, begun.stored));
    Fetched { response: Response::from_parts(parts, begun.body), pump: begun.pump }
}

/// What to store of a part, as far as its head shows it, and where it belongs.
fn admitted(
    inquiry: &Inquiry,
    parts: &response::Parts,
    asked: Asked,
) -> Option<(Head, ContentRange)> {
    let engine = &inquiry.engine;
    if !engine.config.store_parts {
        return None;
    }
    let request = (&inquiry.parts.method, &inquiry.parts.headers);
    let response = (parts.status, &parts.headers);
    let fits = |place: &ContentRange| {
        place.length().is_some_and(|length| length <= engine.config.max_object_size)
    };
    let admitted = match admit_part(request, response, &engine.rules, asked.exchange) {
        Err(refusal) => Err(Why::Rule(refusal)),
        Ok((_, place)) if !fits(&place) => Err(Why::TooLarge),
        Ok(of) => tags(inquiry, &parts.headers).map(|t| (of, t)).ok_or(Why::TooManyTags),
    };
    match admitted {
        Ok(((terms, place), tags)) => {
            let of = (parts.status, parts.headers.clone(), tags);
            Some((head(inquiry, of, terms, asked.exchange), place))
        }
        Err(why) => {
            note_refused(inquiry, why, response);
            None
        }
    }
}
