//! A body on its way to clients and into the store, where it stays if it is complete.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::{Arc, Weak};

use bytes::Bytes;
use http::header::CONTENT_LENGTH;
use http::{HeaderMap, StatusCode};
use http_body::Body as HttpBody;
use tokio::runtime::Handle;
use vhttp::{Body, ContentRange, EntityTag};

use crate::http::audience::Audience;
use crate::http::background::Background;
use crate::http::collapse::{End, Lead};
use crate::http::encodings::Encodings;
use crate::http::engine::Engine;
use crate::http::filling::Filling;
use crate::http::flow::{Flow, as_u64};
use crate::http::generation::Ticket;
use crate::http::key::Key;
use crate::http::ranges::Partial;
use crate::http::refused::Why;
use crate::http::stored::Head;

/// What is to be stored once its body is complete.
///
/// Dropped before that, it releases the followers, and the next of them leads.
pub(crate) struct Fill {
    pub(crate) engine: Arc<Engine>,
    pub(crate) owner: Weak<Background>,
    pub(crate) key: Key,
    pub(crate) ticket: Ticket,
    pub(crate) head: Head,
    /// Where the body belongs, when it is a part.
    pub(crate) place: Option<ContentRange>,
    pub(crate) lead: Option<Lead>,
}

/// A fill that has begun.
pub(crate) struct Begun {
    /// The body for the client that asked.
    pub(crate) body: Body,
    /// Whether the answer may be called stored. Whoever gets the whole of a body that announced
    /// its length can rely on it; of a body without a length nobody knows yet.
    pub(crate) stored: bool,
    /// What fetches the rest, and must be run.
    pub(crate) pump: Option<Pump>,
}

impl Fill {
    /// Begins to store `body` and to share it; ends that at once when the whole body is at hand.
    pub(crate) fn begin(self, body: Body) -> Begun {
        let announced = content_length(&self.head.headers);
        let placed = self.place.as_ref().and_then(ContentRange::length);
        let expected = announced.or(placed).or_else(|| body.size_hint().exact());
        let limit = self.engine.config.max_object_size;
        let whole = match body.is_end_stream() {
            // Nobody would ask such a body for its end.
            true => Some(Bytes::new()),
            false => body.as_bytes(),
        };
        if let Some(bytes) = whole {
            let is_whole = expected.is_none_or(|length| length == as_u64(bytes.len()));
            // A copy, because a slice would keep the buffer of the connection.
            let stored = is_whole && self.complete(Bytes::copy_from_slice(&bytes));
            return Begun { body, stored, pump: None };
        }
        match self.stream(expected) {
            Ok((first, mut pump)) => {
                pump.body = body;
                let stored = expected.is_some_and(|length| length <= limit);
                Begun { body: first, stored, pump: Some(pump) }
            }
            // Without a runtime nobody could fetch what the client does not.
            Err(()) => Begun { body, stored: false, pump: None },
        }
    }

    /// The body of the first client, and the pump that fills it; the followers get theirs now, if
    /// the head allows that.
    fn stream(mut self, expected: Option<u64>) -> Result<(Body, Pump), ()> {
        Handle::try_current().map_err(|_| ())?;
        let flow = Arc::new(Flow::default());
        let audience =
            self.lead.as_ref().map_or_else(Audience::new, |lead| lead.audience().clone());
        let filling = Arc::new(Filling {
            preview: self.head.preview(),
            flow: Arc::clone(&flow),
            expected,
            audience: audience.clone(),
            owner: Weak::clone(&self.owner),
        });
        let first = filling.body().ok_or(())?;
        match self.lead.take() {
            Some(mut lead) if self.head.is_shareable(self.engine.now()) => {
                // Who waits for a part takes it from the store.
                if self.place.is_none() {
                    lead.share(filling);
                }
                self.lead = Some(lead);
            }
            // To be validated at every use: everybody asks for himself.
            Some(lead) => lead.end(End::Refused),
            None => {}
        }
        let fill = Some(self);
        Ok((first, Pump { body: Body::empty(), expected, flow, audience, fill }))
    }

    /// Whether it is in the store now.
    fn complete(mut self, body: Bytes) -> bool {
        let arrived = self.engine.now().duration_since(self.head.received).unwrap_or_default();
        self.head.ahead.took = self.head.ahead.took.saturating_add(arrived);
        let (engine, key, status) = (&self.engine, &self.key, self.head.status);
        let (end, headers) = match &self.place {
            None => {
                let stored = self.head.with_body(body, Arc::new(Encodings::default()));
                let stored = Arc::new(stored);
                (engine.store(key, self.ticket, &stored), Some(stored))
            }
            Some(place) => {
                let part = Partial::new(self.head, place, body);
                (engine.store_part(key, self.ticket, part), None)
            }
        };
        let none = HeaderMap::new();
        let response = (status, headers.as_ref().map_or(&none, |stored| &stored.headers));
        match end {
            End::Stored => {}
            End::Refused => engine.note_refused(key, Why::NoRoom, None, response),
            End::Failed => engine.note_refused(key, Why::Purged, None, response),
        }
        if let Some(lead) = self.lead {
            lead.end(end);
        }
        end == End::Stored
    }

    /// Notes why it is not stored, for who asks.
    fn note(&self, why: Why) {
        let response = (self.head.status, &self.head.headers);
        self.engine.note_refused(&self.key, why, None, response);
    }

    /// Keeps what has come of a body that broke off, to be completed by whoever asks next (RFC 9111
    /// §3.3). Without a strong entity tag nothing could be put together with it.
    fn keep_beginning(self, flow: &Flow, complete: Option<u64>) {
        let is_tagged = EntityTag::of(&self.head.headers).is_some_and(|tag| !tag.weak);
        let is_whole = self.head.status == StatusCode::OK && self.place.is_none();
        let length = flow.length();
        self.note(Why::BrokeOff);
        if !(is_tagged && is_whole && self.engine.config.store_parts && length > 0) {
            return;
        }
        let place = ContentRange { range: Some(0..length), complete };
        let part = Partial::new(self.head, &place, flow.copy());
        self.engine.store_part(&self.key, self.ticket, part);
        // Only now the next of those who wait leads: it completes this.
        drop(self.lead);
    }

    /// It turned out not to be storable, which the next ones need not wait to learn.
    fn refuse(self, why: Why) {
        self.note(why);
        if let Some(lead) = self.lead {
            self.engine.mark_hit_for_miss(&self.key, self.ticket);
            lead.end(End::Refused);
        }
    }
}

/// Reads the origin's body into the flow, at the origin's pace, and stores it at its end.
pub(crate) struct Pump {
    body: Body,
    expected: Option<u64>,
    flow: Arc<Flow>,
    audience: Audience,
    /// Gone once it is decided whether the body is stored.
    fill: Option<Fill>,
}

impl Pump {
    pub(crate) const fn audience(&self) -> &Audience {
        &self.audience
    }

    /// Runs to the end of the body. Dropped before, it breaks the readers' bodies off.
    pub(crate) async fn run(mut self) {
        let (limit, patience) = match &self.fill {
            Some(fill) => {
                let config = &fill.engine.config;
                (config.max_object_size, config.collapse_timeout)
            }
            None => return,
        };
        // Who waited for the head comes to read before any of the body can be gone.
        tokio::task::yield_now().await;
        let mut length = 0_u64;
        loop {
            match poll_fn(|cx| Pin::new(&mut self.body).poll_frame(cx)).await {
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) => {
                        length = length.saturating_add(as_u64(data.len()));
                        self.flow.push(data);
                        if length > limit && !self.is_narrow_after(limit, patience).await {
                            return;
                        }
                    }
                    Err(frame) => return self.end(frame.into_trailers().ok()),
                },
                Some(Err(error)) => {
                    self.keep_beginning(length);
                    return self.flow.fail(error);
                }
                None => return self.end(None),
            }
            if self.body.is_end_stream() {
                // Whoever knows the length need not ask for the end.
                return self.end(None);
            }
        }
    }

    /// Too large to be stored: goes on with those who read now, if there are any.
    async fn is_narrow_after(&mut self, limit: u64, patience: std::time::Duration) -> bool {
        if let Some(fill) = self.fill.take() {
            fill.refuse(Why::TooLarge);
            self.flow.narrow(limit);
        }
        self.flow.room(patience).await
    }

    /// The body has broken off behind `length` bytes.
    fn keep_beginning(&mut self, length: u64) {
        let announced = self.expected.filter(|expected| *expected < u64::MAX);
        let is_short = self.expected.is_none_or(|expected| length < expected);
        if let Some(fill) = self.fill.take().filter(|_| is_short) {
            fill.keep_beginning(&self.flow, announced);
        }
    }

    /// All of the body has come.
    fn store(&mut self) -> Option<Bytes> {
        let fill = self.fill.take()?;
        let whole = self.flow.copy();
        fill.complete(whole.clone());
        Some(whole)
    }

    /// The body has ended; a length that was announced and not kept makes it incomplete
    /// (RFC 9111 §3.3).
    fn end(mut self, trailers: Option<HeaderMap>) {
        let length = self.flow.length();
        // Trailers go to those who read now, and are not stored (RFC 9110 §6.5.1, RFC 9111 §3.1).
        let is_whole = self.expected.is_none_or(|expected| expected == length);
        let whole = if is_whole { self.store() } else { None };
        self.keep_beginning(length);
        self.flow.end(whole, trailers);
    }
}

impl Drop for Pump {
    fn drop(&mut self) {
        self.flow.abandon();
    }
}

/// The announced length; one that is no number counts as none that could be met.
pub(crate) fn content_length(headers: &HeaderMap) -> Option<u64> {
    let value = headers.get(CONTENT_LENGTH)?;
    let digits = value.to_str().ok().filter(|text| !text.starts_with('+'));
    Some(digits.and_then(|text| text.parse().ok()).unwrap_or(u64::MAX))
}
