//! A body on its way to clients and into the store, where it stays if it is complete.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::{Arc, Weak};

use bytes::Bytes;
use http::HeaderMap;
use http::header::CONTENT_LENGTH;
use http_body::Body as HttpBody;
use tokio::runtime::Handle;
use vhttp::Body;

use crate::http::audience::Audience;
use crate::http::background::Background;
use crate::http::collapse::{End, Lead};
use crate::http::encodings::Encodings;
use crate::http::engine::Engine;
use crate::http::filling::Filling;
use crate::http::flow::{Flow, as_u64};
use crate::http::generation::Ticket;
use crate::http::key::Key;
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
        let expected = announced.or_else(|| body.size_hint().exact());
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
                lead.share(filling);
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
        let stored = self.head.with_body(body, Arc::new(Encodings::default()));
        let end = self.engine.store(&self.key, self.ticket, &Arc::new(stored));
        if let Some(lead) = self.lead {
            lead.end(end);
        }
        end == End::Stored
    }

    /// It turned out not to be storable, which the next ones need not wait to learn.
    fn refuse(self) {
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
                Some(Err(error)) => return self.flow.fail(error),
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
            fill.refuse();
            self.flow.narrow(limit);
        }
        self.flow.room(patience).await
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
