//! Invalidations as they are published.
//!
//! ```text
//! 0..3   "vc" and the version, 1
//! 3..11  who sent it, a random number
//! 11     what: "k" a key, "p" a prefix, "t" a tag, "g" all that is tagged, "a" everything
//! 12..   the key, the prefix or the tag
//! ```

use super::Invalidation;

const MARK: [u8; 3] = *b"vc\x01";

/// The bytes to publish.
pub(super) fn seal(sender: u64, what: Invalidation<'_>) -> Vec<u8> {
    let (kind, name) = match what {
        Invalidation::Key(key) => (b'k', key),
        Invalidation::Prefix(prefix) => (b'p', prefix),
        Invalidation::Tag(tag) => (b't', tag),
        Invalidation::Tagged => (b'g', ""),
        Invalidation::All => (b'a', ""),
    };
    let mut bytes = Vec::with_capacity(12 + name.len());
    bytes.extend_from_slice(&MARK);
    bytes.extend_from_slice(&sender.to_be_bytes());
    bytes.push(kind);
    bytes.extend_from_slice(name.as_bytes());
    bytes
}

/// Who sent what. `None` for bytes of another version or another program: anything may have
/// changed.
pub(super) fn open(bytes: &[u8]) -> Option<(u64, Invalidation<'_>)> {
    let rest = bytes.strip_prefix(&MARK)?;
    let (sender, rest) = rest.split_first_chunk::<8>()?;
    let (kind, name) = rest.split_first()?;
    let name = std::str::from_utf8(name).ok()?;
    let what = match kind {
        b'k' => Invalidation::Key(name),
        b'p' => Invalidation::Prefix(name),
        b't' => Invalidation::Tag(name),
        b'g' => Invalidation::Tagged,
        b'a' => Invalidation::All,
        _ => return None,
    };
    Some((u64::from_be_bytes(*sender), what))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_was_sealed_is_opened(sender: u64, name: String) {
            let named = [Invalidation::Key, Invalidation::Prefix, Invalidation::Tag];
            let named = named.map(|what| what(&name));
            for what in named.into_iter().chain([Invalidation::Tagged, Invalidation::All]) {
                let sealed = seal(sender, what);
                prop_assert_eq!(open(&sealed), Some((sender, what)));
            }
        }

        #[test]
        fn foreign_bytes_are_told_apart(bytes: Vec<u8>) {
            let ours = bytes.starts_with(&MARK);
            prop_assert!(ours || open(&bytes).is_none());
        }
    }
}
