//! What stands around a value in Redis: a mark, the version, a checksum, times and tags.
//!
//! ```text
//!  0..2   "vc"
//!  2      version, 2
//!  3..7   CRC-32 (ISO 3309) of all that follows
//!  7      1 if there are tags, or else 0
//!  8..16  when it was written, milliseconds since the Unix epoch
//! 16..24  when it expires, likewise; all ones for never
//! 24..32  the generation: what was invalidated up to then does not concern it
//! 32..40  the fencing token of the lease under which it was written, or 0
//! 40..44  how long its load took, in microseconds; 0 if nobody said
//! 44..    the tags, if there are any, and the value
//! ```
//!
//! Numbers are big-endian.

use std::time::Duration;

use bytes::{Buf, Bytes};

use crate::store::taglist::{self, TooManyTags};
use crate::store::wall::millis;

const MARK: [u8; 2] = *b"vc";
const VERSION: u8 = 2;
/// Bytes before the tags or the value.
pub(super) const HEAD: usize = 44;
/// Bytes before those that the checksum is of.
const SUMMED: usize = 7;
const NEVER: u64 = u64::MAX;

/// What is known of a value beside it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Label<'a> {
    pub(super) ttl: Option<Duration>,
    pub(super) generation: u64,
    pub(super) token: u64,
    pub(super) load_time: Duration,
    pub(super) tags: &'a [&'a str],
}

/// A value with what stood around it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Opened {
    pub(super) value: Bytes,
    /// The time left, more than zero; `None` for ever.
    pub(super) left: Option<Duration>,
    pub(super) age: Duration,
    pub(super) generation: u64,
    pub(super) load_time: Duration,
    pub(super) tags: Vec<Box<str>>,
}

/// Why bytes are no entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Fault {
    #[error("nothing of ours wrote these bytes")]
    Foreign,
    #[error("another version wrote these bytes")]
    Version,
    #[error("these bytes are not those that were written")]
    Damaged,
}

/// The bytes to keep for a value that is written at `now`.
pub(super) fn seal(value: &[u8], now: u64, label: &Label<'_>) -> Result<Vec<u8>, TooManyTags> {
    let expires = label.ttl.map_or(NEVER, |ttl| now.saturating_add(millis(ttl)));
    let tags: usize = label.tags.iter().map(|tag| tag.len() + 2).sum();
    let mut bytes = Vec::with_capacity(HEAD + tags + 2 + value.len());
    bytes.extend_from_slice(&MARK);
    bytes.extend_from_slice(&[VERSION, 0, 0, 0, 0, u8::from(!label.tags.is_empty())]);
    bytes.extend_from_slice(&now.to_be_bytes());
    bytes.extend_from_slice(&expires.to_be_bytes());
    bytes.extend_from_slice(&label.generation.to_be_bytes());
    bytes.extend_from_slice(&label.token.to_be_bytes());
    let micros = u32::try_from(label.load_time.as_micros()).unwrap_or(u32::MAX);
    bytes.extend_from_slice(&micros.to_be_bytes());
    if !label.tags.is_empty() {
        taglist::write(&mut bytes, label.tags)?;
    }
    bytes.extend_from_slice(value);
    let sum = crc32fast::hash(bytes.get(SUMMED..).unwrap_or_default());
    if let Some(place) = bytes.get_mut(SUMMED - 4..SUMMED) {
        place.copy_from_slice(&sum.to_be_bytes());
    }
    Ok(bytes)
}

/// The fixed part.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) tagged: bool,
    sum: u32,
    created: u64,
    expires: u64,
    pub(super) generation: u64,
    micros: u32,
}

impl Head {
    /// Reads the fixed part of `bytes`. It may be all that there is of them.
    pub(super) fn of(bytes: &[u8]) -> Result<Self, Fault> {
        let mut rest = bytes.strip_prefix(&MARK).ok_or(Fault::Foreign)?;
        let version = rest.try_get_u8().map_err(|_| Fault::Foreign)?;
        if version != VERSION {
            return Err(Fault::Version);
        }
        if rest.len() < HEAD - MARK.len() - 1 {
            return Err(Fault::Damaged);
        }
        let (sum, tagged) = (rest.get_u32(), rest.get_u8() == 1);
        let (created, expires) = (rest.get_u64(), rest.get_u64());
        let (generation, _token, micros) = (rest.get_u64(), rest.get_u64(), rest.get_u32());
        Ok(Self { tagged, sum, created, expires, generation, micros })
    }

    /// The time left at `now`: zero when it is over, `None` for ever.
    ///
    /// The clocks of writer and reader may differ. If the reader's is behind, a value never seems
    /// to have more left than it had at first; if it is ahead, the value expires early.
    pub(super) fn left(&self, now: u64) -> Option<Duration> {
        if self.expires == NEVER {
            return None;
        }
        let whole = self.expires.saturating_sub(self.created);
        Some(Duration::from_millis(self.expires.saturating_sub(now).min(whole)))
    }
}

/// Reads sealed bytes at `now`; `None` if their time is over.
pub(super) fn open(bytes: Bytes, now: u64) -> Result<Option<Opened>, Fault> {
    let head = Head::of(&bytes)?;
    if crc32fast::hash(bytes.get(SUMMED..).unwrap_or_default()) != head.sum {
        return Err(Fault::Damaged);
    }
    let left = head.left(now);
    if left == Some(Duration::ZERO) {
        return Ok(None);
    }
    let mut value = bytes;
    value.advance(HEAD);
    let tags = match head.tagged {
        true => taglist::take(&mut value).ok_or(Fault::Damaged)?,
        false => Vec::new(),
    };
    Ok(Some(Opened {
        value,
        left,
        age: Duration::from_millis(now.saturating_sub(head.created)),
        generation: head.generation,
        load_time: Duration::from_micros(head.micros.into()),
        tags,
    }))
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    fn sealed(value: &[u8], ttl: Option<u64>, tags: &[&str]) -> Bytes {
        let ttl = ttl.map(Duration::from_millis);
        let label = Label { ttl, generation: 7, token: 8, tags, ..Label::default() };
        seal(value, 1000, &label).unwrap().into()
    }

    fn left(bytes: &Bytes, now: u64) -> Option<Option<Duration>> {
        open(bytes.clone(), now).unwrap().map(|opened| opened.left)
    }

    #[test]
    fn times_are_kept() {
        let bytes = sealed(b"v", Some(100), &[]);
        let some = |millis| Some(Some(Duration::from_millis(millis)));
        assert_eq!(left(&bytes, 1000), some(100));
        assert_eq!(left(&bytes, 1099), some(1));
        assert_eq!(left(&bytes, 1100), None);
        // The reader's clock is behind the writer's.
        assert_eq!(left(&bytes, 500), some(100));
        assert_eq!(left(&sealed(b"", None, &[]), u64::MAX), Some(None));
    }

    #[test]
    fn versions_are_told_apart() {
        let mut bytes = sealed(b"v", None, &[]).to_vec();
        bytes[2] = 1;
        assert_eq!(open(bytes.into(), 0), Err(Fault::Version));
        assert_eq!(open(Bytes::from_static(b"vc\x02"), 0), Err(Fault::Damaged));
        assert_eq!(open(Bytes::from_static(b"vc"), 0), Err(Fault::Foreign));
    }

    #[test]
    fn too_many_tags_are_refused() {
        let long = "x".repeat(65_536);
        for tags in [vec!["t"; 65_536], vec![long.as_str()]] {
            let label = Label { tags: &tags, ..Label::default() };
            assert!(seal(b"", 0, &label).is_err());
        }
    }

    proptest! {
        #[test]
        fn what_is_sealed_comes_back(value: Vec<u8>, tags in vec("[a-zü]{0,5}", 0..4)) {
            let tags: Vec<&str> = tags.iter().map(String::as_str).collect();
            let opened = open(sealed(&value, None, &tags), 1500).unwrap().unwrap();
            prop_assert_eq!(opened.value, value);
            prop_assert_eq!(opened.tags.iter().map(|tag| &**tag).collect::<Vec<_>>(), tags);
            prop_assert_eq!((opened.generation, opened.age.as_millis()), (7, 500));
        }

        #[test]
        fn one_changed_bit_is_noticed(value: Vec<u8>, at: prop::sample::Index, bit in 0..8_u32) {
            let mut bytes = sealed(&value, Some(5), &["tag"]).to_vec();
            let at = at.index(bytes.len());
            bytes[at] ^= 1 << bit;
            prop_assert!(open(bytes.into(), 1000).is_err());
        }

        #[test]
        fn any_bytes_are_refused_or_read(bytes: Vec<u8>, version in any::<bool>()) {
            let mut bytes = bytes;
            if version {
                bytes.splice(0..0, *b"vc\x02");
            }
            prop_assert!(open(bytes.into(), 0).is_err());
        }
    }
}
