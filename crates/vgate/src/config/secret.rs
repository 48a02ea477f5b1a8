//! A text that never gets into a log.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A secret; `Debug` does not show it.
#[derive(Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(transparent)]
pub(crate) struct Secret(String);

impl Secret {
    pub(crate) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether `given` is the same, in a time that depends on its length alone.
    pub(crate) fn is(&self, given: &[u8]) -> bool {
        let differences = self.0.bytes().zip(given).fold(0, |all, (a, b)| all | (a ^ b));
        differences == 0 && self.0.len() == given.len()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("\"…\"")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_secret_is_the_secret() {
        let secret = Secret("s3cret".to_owned());
        assert!(secret.is(b"s3cret"));
        for given in ["", "s3cre", "s3cretx", "S3cret", "x"] {
            assert!(!secret.is(given.as_bytes()), "{given}");
        }
        assert!(!format!("{secret:?}").contains("s3"));
    }
}
