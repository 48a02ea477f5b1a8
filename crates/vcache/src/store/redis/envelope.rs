//! What stands around a value in Redis: a mark, the version, and its times.
//!
//! ```text
//! 0..2   "vc"
//! 2      version, 1
//! 3..11  when it was written, milliseconds since the Unix epoch, big-endian
//! 11..19 when it expires, likewise; all ones for never
//! 19..   the value
//! ```

use std::time::Duration;

use bytes::Bytes;

use crate::store::wall::millis;

const MARK: [u8; 3] = *b"vc\x01";
/// Bytes before the value.
pub(super) const HEAD: usize = 19;
const NEVER: u64 = u64::MAX;

/// The bytes to keep for a value that is written at `now` and lives for `ttl`.
pub(super) fn seal(value: &[u8], now: u64, ttl: Option<Duration>) -> Vec<u8> {
    let expires = ttl.map_or(NEVER, |ttl| now.saturating_add(millis(ttl)));
    let mut bytes = Vec::with_capacity(HEAD + value.len());
    bytes.extend_from_slice(&MARK);
    bytes.extend_from_slice(&now.to_be_bytes());
    bytes.extend_from_slice(&expires.to_be_bytes());
    bytes.extend_from_slice(value);
    bytes
}

/// What was sealed.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Opened {
    /// A value and the time it has left.
    Value(Bytes, Option<Duration>),
    /// A value whose time is over.
    Expired,
    /// Bytes that nothing of ours wrote, or another version of it.
    Foreign,
}

/// Reads sealed bytes at `now`.
///
/// The clocks of writer and reader may differ. If the reader's is behind, a value never seems to
/// have more left than it had at first; if it is ahead, the value expires early.
pub(super) fn open(bytes: &Bytes, now: u64) -> Opened {
    let Some((created, expires)) = head(bytes) else {
        return Opened::Foreign;
    };
    let value = bytes.slice(HEAD..);
    if expires == NEVER {
        return Opened::Value(value, None);
    }
    let left = expires.saturating_sub(now).min(expires.saturating_sub(created));
    if left == 0 {
        return Opened::Expired;
    }
    Opened::Value(value, Some(Duration::from_millis(left)))
}

fn head(bytes: &[u8]) -> Option<(u64, u64)> {
    let rest = bytes.strip_prefix(&MARK)?;
    let (created, rest) = rest.split_first_chunk::<8>()?;
    let (expires, _) = rest.split_first_chunk::<8>()?;
    Some((u64::from_be_bytes(*created), u64::from_be_bytes(*expires)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn times_are_kept() {
        let ttl = Duration::from_millis(100);
        let bytes = Bytes::from(seal(b"v", 1000, Some(ttl)));
        let value =
            |left| Opened::Value(Bytes::from_static(b"v"), Some(Duration::from_millis(left)));
        assert_eq!(open(&bytes, 1000), value(100));
        assert_eq!(open(&bytes, 1099), value(1));
        assert_eq!(open(&bytes, 1100), Opened::Expired);
        // The reader's clock is behind the writer's.
        assert_eq!(open(&bytes, 500), value(100));
        let forever = Bytes::from(seal(b"", 1000, None));
        assert_eq!(open(&forever, u64::MAX), Opened::Value(Bytes::new(), None));
    }

    proptest! {
        #[test]
        fn foreign_bytes_are_told_apart(bytes: Vec<u8>) {
            let ours = bytes.len() >= HEAD && bytes.starts_with(&MARK);
            prop_assert_eq!(open(&bytes.into(), 0) == Opened::Foreign, !ours);
        }
    }
}
