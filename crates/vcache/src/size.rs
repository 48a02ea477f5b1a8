//! What a key or an error holds beside its own fixed size, as far as that can be seen.

use std::any::Any;
use std::error::Error;
use std::fmt::{self, Write};
use std::sync::Arc;

use bytes::Bytes;

/// Errors behind an error that are looked at; a chain may be a circle.
const CAUSES: usize = 16;

/// The bytes that a key points to, if it is of one of the types that mostly are keys; else none.
pub(crate) fn of_key<K: 'static>(key: &K) -> u64 {
    let key: &dyn Any = key;
    let text = key.downcast_ref::<String>().map(String::len);
    let bytes = text
        .or_else(|| key.downcast_ref::<Box<str>>().map(|it| it.len()))
        .or_else(|| key.downcast_ref::<Arc<str>>().map(|it| it.len()))
        .or_else(|| key.downcast_ref::<Bytes>().map(Bytes::len))
        .or_else(|| key.downcast_ref::<Vec<u8>>().map(Vec::len))
        .or_else(|| key.downcast_ref::<Box<[u8]>>().map(|it| it.len()))
        .or_else(|| key.downcast_ref::<Arc<[u8]>>().map(|it| it.len()));
    count(bytes.unwrap_or(0))
}

/// The length of what an error and the errors behind it say: what they hold is seldom less.
pub(crate) fn of_error(error: &(dyn Error + 'static)) -> u64 {
    let mut length = Length(0);
    let mut next = Some(error);
    for _ in 0..CAUSES {
        let Some(error) = next else { break };
        // Whatever it says before it fails is counted.
        let _ = write!(length, "{error}");
        next = error.source();
    }
    length.0
}

/// Counts what is written to it.
struct Length(u64);

impl Write for Length {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0 = self.0.saturating_add(count(text.len()));
        Ok(())
    }
}

fn count(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    #[test]
    fn keys_of_known_types_count_with_what_they_point_to() {
        assert_eq!(of_key(&"seven77".to_owned()), 7);
        assert_eq!(of_key(&Arc::<str>::from("four")), 4);
        assert_eq!(of_key(&Bytes::from_static(b"five5")), 5);
        assert_eq!(of_key(&7_u64), 0);
    }

    #[test]
    fn errors_count_with_all_that_they_say() {
        let inner = io::Error::other("four");
        assert_eq!(of_error(&inner), 4);
        assert_eq!(of_error(&io::Error::other(io::Error::other("x".repeat(100)))), 100);
    }
}
