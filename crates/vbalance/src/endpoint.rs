//! `Endpoint`: one address of an upstream, its weight, and whether it drains.

use std::num::NonZeroU16;
use std::str::FromStr;

use crate::address::{Address, AddressError};

/// One address of an upstream, as configured.
///
/// In a file it is a plain string, `"http://127.0.0.1:3000"`, or a table,
/// `{ url = "http://127.0.0.1:3000", weight = 3, drain = true }`.
///
/// ```
/// use vbalance::Endpoint;
///
/// let endpoint: Endpoint = "127.0.0.1:3000".parse().unwrap();
/// assert_eq!(endpoint.address.url(), "http://127.0.0.1:3000");
/// assert_eq!(endpoint.weight.get(), 1);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Endpoint {
    /// Scheme, host and port; the endpoint's identity. Written `url` in files.
    #[cfg_attr(feature = "serde", serde(rename = "url"))]
    pub address: Address,
    /// Its share of the load against the other endpoints' weights, 1 to 65535. Default: 1.
    pub weight: NonZeroU16,
    /// Takes no new requests, while those in flight finish. Default: no.
    pub drain: bool,
}

impl Endpoint {
    /// An endpoint of weight 1.
    #[must_use]
    pub const fn new(address: Address) -> Self {
        Self { address, weight: NonZeroU16::MIN, drain: false }
    }

    /// The same endpoint with another weight.
    #[must_use]
    pub fn with_weight(self, weight: NonZeroU16) -> Self {
        Self { weight, ..self }
    }
}

impl FromStr for Endpoint {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        text.parse().map(Self::new)
    }
}

impl From<Address> for Endpoint {
    fn from(address: Address) -> Self {
        Self::new(address)
    }
}

#[cfg(feature = "serde")]
mod read {
    //! A string or a table, told apart by the visitor: serde's `untagged` would lose the place of
    //! an error in the file.

    use std::fmt;
    use std::num::NonZeroU16;

    use serde::de::value::MapAccessDeserializer;
    use serde::de::{Error, MapAccess, Visitor};
    use serde::{Deserialize, Deserializer};

    use super::Endpoint;
    use crate::address::Address;

    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Table {
        url: Address,
        #[serde(default = "one")]
        weight: NonZeroU16,
        #[serde(default)]
        drain: bool,
    }

    const fn one() -> NonZeroU16 {
        NonZeroU16::MIN
    }

    struct StringOrTable;

    impl<'de> Visitor<'de> for StringOrTable {
        type Value = Endpoint;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a URL such as \"http://127.0.0.1:3000\" or a table with `url`")
        }

        fn visit_str<E: Error>(self, text: &str) -> Result<Endpoint, E> {
            text.parse().map_err(E::custom)
        }

        fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Endpoint, A::Error> {
            let Table { url, weight, drain } = Table::deserialize(MapAccessDeserializer::new(map))?;
            Ok(Endpoint { address: url, weight, drain })
        }
    }

    impl<'de> Deserialize<'de> for Endpoint {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            deserializer.deserialize_any(StringOrTable)
        }
    }
}

#[cfg(all(test, feature = "serde"))]
mod tests {
    use super::*;

    #[derive(Debug, serde::Deserialize)]
    struct File {
        endpoints: Vec<Endpoint>,
    }

    #[test]
    fn strings_and_tables_stand_side_by_side() {
        let file: File = toml::from_str(
            r#"endpoints = [":3000", { url = "https://b", weight = 3, drain = true }]"#,
        )
        .unwrap();
        let [a, b] = &file.endpoints[..] else { panic!("two endpoints") };
        assert_eq!(a, &":3000".parse().unwrap());
        assert_eq!((b.address.url(), b.weight.get(), b.drain), ("https://b", 3, true));
    }

    #[test]
    fn an_error_points_at_the_value() {
        let text = "endpoints = [\n  \":3000\",\n  { url = \"htp://x\" },\n]\n";
        let error = toml::from_str::<File>(text).unwrap_err();
        assert_eq!(&text[error.span().unwrap()], "\"htp://x\"");
        assert!(error.message().contains("not an http(s) URL"), "{error}");
    }
}
