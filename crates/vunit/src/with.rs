//! How serde reads and writes the quantities: as text, in one visitor.

use std::fmt;
use std::marker::PhantomData;

use serde::Deserializer;
use serde::de::{Error, Visitor};

use crate::error::ParseError;

/// Reads a text and parses it; the error names what was expected and keeps its place.
pub(crate) fn text<'de, D, T>(
    deserializer: D,
    expected: &'static str,
    parse: fn(&str) -> Result<T, ParseError>,
) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
{
    deserializer.deserialize_str(Text { expected, parse, made: PhantomData })
}

struct Text<T> {
    expected: &'static str,
    parse: fn(&str) -> Result<T, ParseError>,
    made: PhantomData<T>,
}

impl<T> Visitor<'_> for Text<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.expected)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<T, E> {
        (self.parse)(text).map_err(E::custom)
    }
}

/// The functions that `#[serde(with = "…")]` looks for, and their twins for `Option`.
macro_rules! with_modules {
    ($type:ty, $expected:literal) => {
        type Quantity = $type;

        /// Writes the quantity as text.
        ///
        /// # Errors
        ///
        /// Fails only when the serializer does.
        #[allow(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
        pub fn serialize<S: serde::Serializer>(
            value: &Quantity,
            serializer: S,
        ) -> Result<S::Ok, S::Error> {
            serializer.serialize_str(&format(*value))
        }

        /// Reads the quantity from text.
        ///
        /// # Errors
        ///
        /// Fails on anything but a text that `parse` reads.
        pub fn deserialize<'de, D: serde::Deserializer<'de>>(
            deserializer: D,
        ) -> Result<Quantity, D::Error> {
            crate::with::text(deserializer, $expected, parse)
        }

        /// The same for an `Option`; pair it with `#[serde(default)]`.
        pub mod option {
            /// Writes the quantity as text, or nothing.
            ///
            /// # Errors
            ///
            /// Fails only when the serializer does.
            pub fn serialize<S: serde::Serializer>(
                value: &Option<super::Quantity>,
                serializer: S,
            ) -> Result<S::Ok, S::Error> {
                match value {
                    Some(value) => serializer.serialize_some(&super::format(*value)),
                    None => serializer.serialize_none(),
                }
            }

            /// Reads the quantity from text.
            ///
            /// # Errors
            ///
            /// Fails on anything but a text that `parse` reads.
            pub fn deserialize<'de, D: serde::Deserializer<'de>>(
                deserializer: D,
            ) -> Result<Option<super::Quantity>, D::Error> {
                crate::with::text(deserializer, $expected, super::parse).map(Some)
            }
        }
    };
}
pub(crate) use with_modules;
