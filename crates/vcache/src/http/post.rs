//! The answer to a POST, stored for later GETs: RFC 9110 §9.3.3, RFC 9111 §4.

use std::sync::{Arc, Weak};
use std::time::SystemTime;

use http::{Method, Request, response};
use vhttp::{Body, Timeline};

use crate::http::background::Background;
use crate::http::cache::HttpCache;
use crate::http::fill::{Begun, Fill};
use crate::http::freshness::Exchange;
use crate::http::generation::Ticket;
use crate::http::inquiry::Inquiry;
use crate::http::keep::{head, tags};
use crate::http::key::Key;
use crate::http::policy::{Wish, admit_post};
use crate::http::stored::Head;

/// A POST on its way, whose answer may be that to a GET too.
pub(crate) struct Posting {
    inquiry: Inquiry,
    ticket: Ticket,
    requested: SystemTime,
}

/// An answer that is to be stored in place of what the POST has made invalid.
pub(crate) struct Posted {
    fill: Fill,
}

impl Posting {
    /// Before the origin is asked; `None` for other methods.
    pub(crate) fn new<B>(cache: &HttpCache, key: &Key, request: &Request<B>) -> Option<Self> {
        if request.method() != Method::POST {
            return None;
        }
        let (mut parts, ()) = Request::new(()).into_parts();
        parts.method = Method::POST;
        parts.headers = request.headers().clone();
        let engine = &cache.engine;
        let inquiry = Inquiry {
            engine: Arc::clone(engine),
            background: Arc::downgrade(&cache.background),
            encode: None,
            timeline: None::<Timeline>,
            wish: Wish::default(),
            key: key.clone(),
            parts,
        };
        Some(Self { ticket: engine.ticket(key), requested: engine.now(), inquiry })
    }

    /// What to store of the answer. Takes out what is stored under the key, if this answer may be
    /// stored in its place and nothing else has made it invalid meanwhile.
    pub(crate) async fn admit(self, response: &response::Parts) -> Option<Posted> {
        let Inquiry { engine, key, parts, .. } = &self.inquiry;
        let exchange = Exchange { requested: self.requested, received: engine.now() };
        let answer = (response.status, &response.headers);
        let terms = admit_post((&parts.headers, key), answer, &engine.rules, exchange).ok()?;
        let tags = tags(&self.inquiry, &response.headers)?;
        engine.invalidate_below(key).await;
        let ticket = engine.supersede(key, self.ticket, &tags)?;
        let of = (response.status, response.headers.clone(), tags);
        Some(Posted { fill: self.fill(ticket, head(&self.inquiry, of, terms, exchange)) })
    }

    fn fill(&self, ticket: Ticket, head: Head) -> Fill {
        Fill {
            engine: Arc::clone(&self.inquiry.engine),
            owner: Weak::clone(&self.inquiry.background),
            key: self.inquiry.key.clone(),
            ticket,
            head,
            place: None,
            lead: None,
        }
    }
}

impl Posted {
    /// Stores the body while it passes; what fetches it runs in the background.
    pub(crate) fn begin(self, body: Body, background: &Background) -> (Body, bool) {
        let Begun { body, stored, pump } = self.fill.begin(body);
        if let Some(pump) = pump {
            background.spawn(pump.audience().clone(), pump.run());
        }
        (body, stored)
    }
}
