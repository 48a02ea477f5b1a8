//! `Via`: what we add to tell of our way (RFC 9110 §7.6.3), made once.

use http::header::HeaderValue;
use http::{Version, header};

/// The values of `Via`, one for each version that a client can speak.
#[derive(Debug)]
pub(crate) struct Via([(Version, HeaderValue); 4]);

impl Via {
    /// The values under `name`, which is a token.
    pub(crate) fn new(name: &str) -> Result<Self, header::InvalidHeaderValue> {
        let value = |version: &str| HeaderValue::try_from(format!("{version} {name}"));
        Ok(Self([
            (Version::HTTP_11, value("1.1")?),
            (Version::HTTP_2, value("2")?),
            (Version::HTTP_3, value("3")?),
            (Version::HTTP_10, value("1.0")?),
        ]))
    }

    /// The value for a message that came in as `version`.
    pub(crate) fn value(&self, version: Version) -> HeaderValue {
        let [usual, ..] = &self.0;
        let own = self.0.iter().find(|(known, _)| *known == version).unwrap_or(usual);
        own.1.clone()
    }
}
