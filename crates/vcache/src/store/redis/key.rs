//! What keys are called in Redis.

use std::borrow::Cow;

/// Names keys.
///
/// An entry's key is the prefix and the key, in which braces and per cent signs are written as in
/// a URL. So no entry begins with the prefix and a brace: those are our own keys. And all of an
/// entry's own keys lie in its slot, because the whole of its key is their hash tag (Redis Cluster
/// specification, "Hash tags").
#[derive(Debug)]
pub(super) struct Keys {
    prefix: String,
}

impl Keys {
    pub(super) const fn new(prefix: String) -> Self {
        Self { prefix }
    }

    pub(super) fn prefix(&self) -> &str {
        &self.prefix
    }

    /// The key of an entry.
    pub(super) fn entry(&self, key: &str) -> String {
        let written = escaped(key);
        let mut entry = String::with_capacity(self.prefix.len() + written.len());
        entry.push_str(&self.prefix);
        entry.push_str(&written);
        entry
    }

    /// The key that an entry's key was made of; `None` of what is no entry's.
    pub(super) fn of_entry(&self, entry: &[u8]) -> Option<String> {
        let entry = std::str::from_utf8(entry).ok()?;
        let written = entry.strip_prefix(&self.prefix)?;
        unescaped(written)
    }

    /// A key of our own that belongs to an entry, in its slot.
    pub(super) fn beside(&self, key: &str, what: &str) -> String {
        format!("{}{{{}}}{what}", self.prefix, self.entry(key))
    }

    /// A key of our own that belongs to all of the store.
    pub(super) fn own(&self, what: &str) -> String {
        format!("{0}{{{0}}}{what}", self.prefix)
    }

    /// What entries begin with whose keys begin with `prefix`, as a pattern of `SCAN`, in which
    /// some characters have a meaning.
    pub(super) fn pattern(&self, prefix: &str) -> String {
        let mut pattern = String::with_capacity(self.prefix.len() + prefix.len() + 8);
        for c in self.entry(prefix).chars() {
            if matches!(c, '*' | '?' | '[' | ']' | '\\' | '^' | '-') {
                pattern.push('\\');
            }
            pattern.push(c);
        }
        pattern.push('*');
        pattern
    }
}

fn escaped(key: &str) -> Cow<'_, str> {
    if !key.contains(['{', '}', '%']) {
        return Cow::Borrowed(key);
    }
    Cow::Owned(key.replace('%', "%25").replace('{', "%7B").replace('}', "%7D"))
}

/// The opposite; `None` of what never comes out of it.
fn unescaped(written: &str) -> Option<String> {
    if written.contains(['{', '}']) {
        return None;
    }
    let mut parts = written.split('%');
    let mut key = parts.next()?.to_owned();
    for part in parts {
        let (code, rest) = part.split_at_checked(2)?;
        key.push(match code {
            "25" => '%',
            "7B" => '{',
            "7D" => '}',
            _ => return None,
        });
        key.push_str(rest);
    }
    Some(key)
}

/// The slot of a key (Redis Cluster specification, "Key distribution model"): CRC-16/XMODEM over
/// its hash tag, or over all of it.
pub(super) fn slot(key: &[u8]) -> u16 {
    let tag = key.iter().position(|byte| *byte == b'{').and_then(|open| {
        let rest = key.get(open + 1..)?;
        let close = rest.iter().position(|byte| *byte == b'}')?;
        rest.get(..close).filter(|tag| !tag.is_empty())
    });
    crc16(tag.unwrap_or(key)) & 0x3fff
}

fn crc16(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0, |crc, byte| {
        let index = usize::from((crc >> 8) ^ u16::from(*byte));
        (crc << 8) ^ TABLE.get(index).copied().unwrap_or(0)
    })
}

const TABLE: [u16; 256] = table();

const fn table() -> [u16; 256] {
    let mut table = [0; 256];
    let mut index: u16 = 0;
    while index < 256 {
        let mut crc = index << 8;
        let mut bit = 0;
        while bit < 8 {
            crc = if crc & 0x8000 == 0 { crc << 1 } else { (crc << 1) ^ 0x1021 };
            bit += 1;
        }
        #[expect(clippy::indexing_slicing, reason = "in a constant, checked by the compiler")]
        {
            table[index as usize] = crc;
        }
        index += 1;
    }
    table
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn slots_are_those_of_the_specification() {
        // The check value of CRC-16/XMODEM, and a key of the tutorial.
        assert_eq!(crc16(b"123456789"), 0x31c3);
        assert_eq!(slot(b"foo"), 12182);
        assert_eq!(slot(b"{foo}.bar"), 12182);
        assert_eq!(slot(b"foo{}{bar}"), crc16(b"foo{}{bar}") & 0x3fff);
        assert_eq!(slot(b"foo{{bar}}"), crc16(b"{bar") & 0x3fff);
    }

    #[test]
    fn a_prefix_means_itself_in_a_pattern() {
        assert_eq!(Keys::new("a*[b]".to_owned()).pattern(""), "a\\*\\[b\\]*");
        assert_eq!(Keys::new("plain:".to_owned()).pattern("x{"), "plain:x%7B*");
    }

    #[test]
    fn our_own_keys_are_no_entries() {
        let keys = Keys::new("p:".to_owned());
        for own in [keys.own("clock"), keys.beside("a", "lease")] {
            assert_eq!(keys.of_entry(own.as_bytes()), None, "{own}");
        }
        for other in [&b"q:a"[..], b"p:\xff", b"p:%", b"p:%7", b"p:%7b", b"p:%\xc3\xbc1"] {
            assert_eq!(keys.of_entry(other), None);
        }
    }

    proptest! {
        #[test]
        fn keys_come_back_and_lie_with_their_own(key in "[a{}%25ü:]{0,12}") {
            let keys = Keys::new("p:".to_owned());
            let entry = keys.entry(&key);
            prop_assert_eq!(keys.of_entry(entry.as_bytes()), Some(key.clone()));
            prop_assert_eq!(slot(entry.as_bytes()), slot(keys.beside(&key, "lease").as_bytes()));
        }

        #[test]
        fn prefixes_stay_prefixes(key in "[a{}%25]{0,9}", at in 0_usize..9) {
            let keys = Keys::new("p:".to_owned());
            let begin = key.get(..at.min(key.len())).unwrap();
            prop_assert!(keys.entry(&key).starts_with(&keys.entry(begin)));
        }
    }
}
