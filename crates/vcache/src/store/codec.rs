//! Values as bytes.

use std::sync::Arc;

use bytes::Bytes;

use crate::error::BoxError;

/// Turns values into the bytes that a store keeps, and back.
///
/// Bytes come from outside: `decode` must refuse whatever it did not write, and not panic.
pub trait Codec<V>: Send + Sync + 'static {
    /// The bytes of `value`.
    ///
    /// # Errors
    ///
    /// When the value has no form in bytes.
    fn encode(&self, value: &V) -> Result<Bytes, BoxError>;

    /// The value that `bytes` stand for.
    ///
    /// # Errors
    ///
    /// When they stand for none: written by another version or another program.
    fn decode(&self, bytes: Bytes) -> Result<V, BoxError>;
}

/// The value is the bytes.
#[derive(Debug, Clone, Copy, Default)]
pub struct Raw;

impl Codec<Bytes> for Raw {
    fn encode(&self, value: &Bytes) -> Result<Bytes, BoxError> {
        Ok(value.clone())
    }

    fn decode(&self, bytes: Bytes) -> Result<Bytes, BoxError> {
        Ok(bytes)
    }
}

impl Codec<String> for Raw {
    fn encode(&self, value: &String) -> Result<Bytes, BoxError> {
        Ok(Bytes::copy_from_slice(value.as_bytes()))
    }

    fn decode(&self, bytes: Bytes) -> Result<String, BoxError> {
        Ok(String::from_utf8(bytes.into())?)
    }
}

impl Codec<Vec<u8>> for Raw {
    fn encode(&self, value: &Vec<u8>) -> Result<Bytes, BoxError> {
        Ok(Bytes::copy_from_slice(value))
    }

    fn decode(&self, bytes: Bytes) -> Result<Vec<u8>, BoxError> {
        Ok(bytes.into())
    }
}

impl Codec<Arc<[u8]>> for Raw {
    fn encode(&self, value: &Arc<[u8]>) -> Result<Bytes, BoxError> {
        Ok(Bytes::copy_from_slice(value))
    }

    fn decode(&self, bytes: Bytes) -> Result<Arc<[u8]>, BoxError> {
        Ok(Arc::from(&*bytes))
    }
}

impl Codec<Arc<str>> for Raw {
    fn encode(&self, value: &Arc<str>) -> Result<Bytes, BoxError> {
        Ok(Bytes::copy_from_slice(value.as_bytes()))
    }

    fn decode(&self, bytes: Bytes) -> Result<Arc<str>, BoxError> {
        Ok(Arc::from(std::str::from_utf8(&bytes)?))
    }
}

/// As eight bytes, the lowest first.
impl Codec<u64> for Raw {
    fn encode(&self, value: &u64) -> Result<Bytes, BoxError> {
        Ok(Bytes::copy_from_slice(&value.to_le_bytes()))
    }

    fn decode(&self, bytes: Bytes) -> Result<u64, BoxError> {
        Ok(u64::from_le_bytes(bytes.as_ref().try_into()?))
    }
}

/// The value as JSON (RFC 8259), for whatever serde can read and write.
#[cfg(feature = "json")]
#[derive(Debug, Clone, Copy, Default)]
pub struct Json;

#[cfg(feature = "json")]
impl<V: serde::Serialize + serde::de::DeserializeOwned> Codec<V> for Json {
    fn encode(&self, value: &V) -> Result<Bytes, BoxError> {
        Ok(serde_json::to_vec(value)?.into())
    }

    fn decode(&self, bytes: Bytes) -> Result<V, BoxError> {
        Ok(serde_json::from_slice(&bytes)?)
    }
}

/// The value in postcard's format (<https://postcard.jamesmunns.com>), for whatever serde can read
/// and write without names: small and fast, and only for readers with the same types.
#[cfg(feature = "postcard")]
#[derive(Debug, Clone, Copy, Default)]
pub struct Postcard;

#[cfg(feature = "postcard")]
impl<V: serde::Serialize + serde::de::DeserializeOwned> Codec<V> for Postcard {
    fn encode(&self, value: &V) -> Result<Bytes, BoxError> {
        Ok(postcard::to_allocvec(value)?.into())
    }

    fn decode(&self, bytes: Bytes) -> Result<V, BoxError> {
        let (value, rest) = postcard::take_from_bytes(&bytes)?;
        if rest.is_empty() { Ok(value) } else { Err("there is more than one value".into()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(feature = "postcard")]
    #[test]
    fn postcard_comes_back_and_other_bytes_do_not() {
        let value = vec![(1_u8, "a".to_owned())];
        let bytes = Postcard.encode(&value).unwrap();
        assert_eq!(&bytes[..], [1, 1, 1, b'a']);
        for other in [&bytes[..3], &[&bytes[..], &[0]].concat(), &[1, 1, 1, 0xff]] {
            let other = Bytes::copy_from_slice(other);
            assert!(Codec::<Vec<(u8, String)>>::decode(&Postcard, other).is_err());
        }
        assert_eq!(Codec::<Vec<(u8, String)>>::decode(&Postcard, bytes).unwrap(), value);
    }

    #[test]
    fn text_comes_back_and_other_bytes_do_not() {
        let text = "grüß".to_owned();
        let bytes = Raw.encode(&text).unwrap();
        assert_eq!(Codec::<String>::decode(&Raw, bytes).unwrap(), text);
        assert!(Codec::<String>::decode(&Raw, Bytes::from_static(b"\xff")).is_err());
        let shared: Arc<str> = text.into();
        let bytes = Raw.encode(&shared).unwrap();
        assert_eq!(Codec::<Arc<str>>::decode(&Raw, bytes).unwrap(), shared);
        assert!(Codec::<Arc<str>>::decode(&Raw, Bytes::from_static(b"\xff")).is_err());
    }

    #[test]
    fn bytes_come_back_however_they_are_held() {
        let owned = vec![0_u8, 255, 7];
        let bytes = Raw.encode(&owned).unwrap();
        assert_eq!(Codec::<Vec<u8>>::decode(&Raw, bytes.clone()).unwrap(), owned);
        let shared: Arc<[u8]> = owned.into();
        assert_eq!(Raw.encode(&shared).unwrap(), bytes);
        assert_eq!(Codec::<Arc<[u8]>>::decode(&Raw, bytes).unwrap(), shared);
    }

    #[cfg(feature = "json")]
    #[test]
    fn json_comes_back_and_other_bytes_do_not() {
        let value = vec![(1_u8, "a".to_owned())];
        let bytes = Json.encode(&value).unwrap();
        assert_eq!(&bytes[..], br#"[[1,"a"]]"#);
        assert_eq!(Codec::<Vec<(u8, String)>>::decode(&Json, bytes).unwrap(), value);
        let other = Codec::<Vec<u8>>::decode(&Json, Bytes::from_static(b"{}"));
        assert!(other.is_err());
    }
}
