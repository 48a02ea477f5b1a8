//! The `Encode` hook, and the codings kept beside a stored body, each made once.

use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use http::header::{ACCEPT_ENCODING, ACCEPT_RANGES, CONTENT_ENCODING, CONTENT_LENGTH, VARY};
use http::{HeaderMap, HeaderValue, response};
use vhttp::{CacheControl, EntityTag};

/// Codings kept beside one body; a hook that names more gets no further ones.
const MAX_CODINGS: usize = 4;

/// Encodes stored responses, so that a hit does not compress again.
///
/// Called on the way of a request: `choose` on every hit that may be encoded, `encode` at most
/// once for each stored body and coding. Both must not block on anything but the processor.
pub trait Encode: Send + Sync {
    /// The content coding to answer `request` with, such as `gzip`; `None` for the body as it is.
    fn choose(&self, request: &HeaderMap, response: &response::Parts) -> Option<&'static str>;

    /// The encoded body; `None` when it is not worth it, which is remembered.
    fn encode(&self, coding: &'static str, identity: &Bytes) -> Option<Bytes>;
}

/// The encoded forms of one body.
#[derive(Default)]
pub(crate) struct Encodings {
    slots: Mutex<Vec<(&'static str, Slot)>>,
    size: AtomicUsize,
}

#[derive(Clone)]
enum Slot {
    /// Another request is encoding; nobody waits for it.
    Making,
    Made(Bytes),
    Useless,
}

/// An encoded body, and whether it was made just now, so that the account must learn of it.
pub(crate) struct Encoded {
    pub(crate) body: Bytes,
    pub(crate) is_new: bool,
}

impl Encodings {
    /// The body in `coding`, made if nobody has; `None` while another request makes it, and when
    /// it is useless.
    pub(crate) fn get(
        &self,
        coding: &'static str,
        make: impl FnOnce() -> Option<Bytes>,
    ) -> Option<Encoded> {
        {
            let mut slots = self.lock();
            match slots.iter().find(|(name, _)| *name == coding) {
                Some((_, Slot::Made(body))) => {
                    return Some(Encoded { body: body.clone(), is_new: false });
                }
                Some(_) => return None,
                None if slots.len() >= MAX_CODINGS => return None,
                None => slots.push((coding, Slot::Making)),
            }
        }
        let made = make();
        let slot = made.clone().map_or(Slot::Useless, Slot::Made);
        if let Some(entry) = self.lock().iter_mut().find(|(name, _)| *name == coding) {
            entry.1 = slot;
        }
        let body = made?;
        self.size.fetch_add(body.len(), Ordering::Relaxed);
        Some(Encoded { body, is_new: true })
    }

    /// Bytes of all encoded forms.
    pub(crate) fn size(&self) -> usize {
        self.size.load(Ordering::Relaxed)
    }

    fn lock(&self) -> MutexGuard<'_, Vec<(&'static str, Slot)>> {
        // Slots are replaced as a whole, so a panic elsewhere leaves none half written.
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Encodings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Encodings").field("size", &self.size()).finish_non_exhaustive()
    }
}

/// Whether a stored response may be encoded here: not against `no-transform` (RFC 9110 §7.7),
/// not twice, and not where a digest is of the content as it is (RFC 9530).
pub(crate) fn may_encode(headers: &HeaderMap, body: &Bytes) -> bool {
    let digests = ["content-digest", "repr-digest", "digest", "content-md5"];
    let is_fixed = headers.contains_key(CONTENT_ENCODING)
        || digests.iter().any(|name| headers.contains_key(*name))
        || CacheControl::response(headers).no_transform;
    !is_fixed && !body.is_empty()
}

/// Makes the fields say what was done (RFC 9110 §8.4, §8.8.1, §12.5.5).
pub(crate) fn mark_encoded(headers: &mut HeaderMap, coding: &'static str, length: usize) {
    headers.insert(CONTENT_ENCODING, HeaderValue::from_static(coding));
    headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
    headers.remove(ACCEPT_RANGES);
    EntityTag::weaken(headers);
    if !vhttp::list::contains(headers, &VARY, ACCEPT_ENCODING.as_str()) {
        headers.append(VARY, HeaderValue::from_name(ACCEPT_ENCODING));
    }
}
