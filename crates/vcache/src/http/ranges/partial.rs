//! Parts of one representation, put together as they come: RFC 9111 §3.3, §3.4.

use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, CONTENT_RANGE, ETAG};
use http::{HeaderMap, StatusCode};
use vhttp::{ContentRange, EntityTag};

use crate::http::policy::{Ahead, merge_part};
use crate::http::ranges::body::Pieces;
use crate::http::ranges::cut::slice;
use crate::http::stored::{Head, OVERHEAD, size_of_fields};
use crate::http::tags::{self, Tag};
use crate::http::terms::Terms;
use crate::http::vary::VaryKey;

/// Pieces that are kept apart; with more, only the newest stays.
const MAX_PIECES: usize = 32;

/// What is stored of a representation of which the whole is not there.
#[derive(Debug)]
pub(crate) struct Partial {
    /// Without `Content-Length` and `Content-Range`.
    headers: HeaderMap,
    terms: Terms,
    vary: VaryKey,
    tags: Arc<[Tag]>,
    complete: Option<u64>,
    /// In order; they do not overlap, and none is empty.
    pieces: Vec<(u64, Bytes)>,
    received: SystemTime,
    keep: Duration,
    ahead: Ahead,
}

impl Partial {
    /// The part `place` with a head as it is stored, of which `bytes` is the content; `None` when that is not of its length.
    pub(crate) fn new(head: Head, place: &ContentRange, bytes: Bytes) -> Option<Self> {
        let range = place.range.clone()?;
        if as_u64(bytes.len()) != range.end.checked_sub(range.start)? {
            return None;
        }
        Some(Self {
            headers: without_place(head.headers),
            tags: head.tags,
            terms: head.terms,
            vary: head.vary,
            complete: place.complete,
            pieces: vec![(range.start, bytes)],
            received: head.received,
            keep: head.keep,
            ahead: head.ahead,
        })
    }

    /// This newer part together with what was stored, where both are of the same representation;
    /// without it otherwise, and where there would be more than `limit` bytes.
    pub(crate) fn join(mut self, before: &Self, limit: u64) -> Self {
        let agrees = match (self.complete, before.complete) {
            (Some(new), Some(old)) => new == old,
            _ => true,
        };
        let Some(headers) = merge_part(&before.headers, &self.headers).filter(|_| agrees) else {
            return self;
        };
        let pieces = united(&self.pieces, &before.pieces);
        let size: u64 = pieces.iter().map(|(_, bytes)| as_u64(bytes.len())).sum();
        let complete = self.complete.or(before.complete);
        let is_inside = complete.is_none_or(|end| pieces.iter().all(|p| end_of(p) <= end));
        if size <= limit && pieces.len() <= MAX_PIECES && is_inside {
            self.headers = without_place(headers);
            self.pieces = pieces;
            self.complete = complete;
        }
        self
    }

    pub(crate) const fn vary(&self) -> &VaryKey {
        &self.vary
    }

    pub(crate) fn tags(&self) -> &[Tag] {
        &self.tags
    }

    pub(super) const fn terms(&self) -> &Terms {
        &self.terms
    }

    pub(super) const fn headers(&self) -> &HeaderMap {
        &self.headers
    }

    /// The length of the whole, where it is known.
    pub(super) const fn complete(&self) -> Option<u64> {
        self.complete
    }

    /// The bytes of a range, when all of them are there.
    pub(super) fn get(&self, range: &Range<u64>) -> Option<Pieces> {
        let mut found = Pieces::default();
        let mut at = range.start;
        for (start, bytes) in &self.pieces {
            let end = start.saturating_add(as_u64(bytes.len()));
            if (*start..end).contains(&at) {
                let until = range.end.min(end);
                found.push(slice(bytes, &(at - start..until - start)));
                at = until;
            }
        }
        (at == range.end && range.start < range.end).then_some(found)
    }

    /// How many bytes there are from the first one on.
    pub(super) fn prefix(&self) -> u64 {
        let mut end = 0;
        for piece in &self.pieces {
            if piece.0 != end {
                break;
            }
            end = end_of(piece);
        }
        end
    }

    /// The strong entity tag, without which nothing can be put together.
    pub(super) fn strong_tag(&self) -> Option<&http::HeaderValue> {
        EntityTag::of(&self.headers).filter(|tag| !tag.weak)?;
        self.headers.get(ETAG)
    }

    /// Whether nothing is missing.
    pub(crate) fn is_whole(&self) -> bool {
        self.complete.is_some_and(|length| length > 0 && self.prefix() == length)
    }

    /// The whole response, when nothing is missing.
    pub(crate) fn into_whole(self) -> Option<(Head, Bytes)> {
        let complete = self.complete?;
        let mut pieces = self.get(&(0..complete))?;
        let mut bytes = Vec::with_capacity(usize::try_from(complete).unwrap_or(0));
        while let Some(piece) = pieces.pop() {
            bytes.extend_from_slice(&piece);
        }
        let head = Head {
            status: StatusCode::OK,
            headers: self.headers,
            terms: self.terms,
            vary: self.vary,
            tags: self.tags,
            received: self.received,
            keep: self.keep,
            ahead: self.ahead,
        };
        Some((head, Bytes::from(bytes)))
    }

    /// How long from `now` on the part is of any use.
    pub(crate) fn retention(&self, now: SystemTime) -> Duration {
        let whole = self.terms.retention(self.strong_tag().is_some(), self.keep);
        whole.saturating_sub(now.duration_since(self.received).unwrap_or_default())
    }

    /// Bytes on the cache's account.
    pub(crate) fn weight(&self) -> usize {
        let content: usize = self.pieces.iter().map(|(_, bytes)| bytes.len() + 64).sum();
        let fields = size_of_fields(&self.headers);
        OVERHEAD + fields + self.vary.size() + tags::weight(&self.tags) + content
    }
}

fn without_place(mut headers: HeaderMap) -> HeaderMap {
    headers.remove(CONTENT_LENGTH);
    headers.remove(CONTENT_RANGE);
    headers
}

/// All of `new`, and of `old` what is beside it.
fn united(new: &[(u64, Bytes)], old: &[(u64, Bytes)]) -> Vec<(u64, Bytes)> {
    let mut all: Vec<(u64, Bytes)> = new.to_vec();
    for (start, bytes) in old {
        let mut at = *start;
        let end = start.saturating_add(as_u64(bytes.len()));
        for piece in new {
            add(&mut all, (*start, bytes), at..end.min(piece.0));
            at = at.max(end_of(piece));
        }
        add(&mut all, (*start, bytes), at..end);
    }
    all.sort_unstable_by_key(|(start, _)| *start);
    all.dedup_by_key(|(start, _)| *start);
    all
}

/// Adds what is in `range` of a piece that begins at `start`.
fn add(all: &mut Vec<(u64, Bytes)>, (start, bytes): (u64, &Bytes), range: Range<u64>) {
    if range.start < range.end {
        let place = range.start - start..range.end - start;
        all.push((range.start, slice(bytes, &place)));
    }
}

fn end_of((start, bytes): &(u64, Bytes)) -> u64 {
    start.saturating_add(as_u64(bytes.len()))
}

fn as_u64(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
