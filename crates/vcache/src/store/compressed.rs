//! Values compressed on their way into a store.

use bytes::{Buf, Bytes};

use super::codec::Codec;
use crate::error::BoxError;

const PLAIN: u8 = 0;
const ZSTD: u8 = 1;
/// Bytes of the kind and the length before what is compressed.
const HEAD: usize = 5;
const TOO_LARGE: &str = "the value is larger than the codec allows";

/// Compresses with zstd (RFC 8878) what another codec makes, if it is large enough.
///
/// One byte before the value says whether it is compressed. Whoever reads needs this codec too,
/// but not the same settings.
#[derive(Debug, Clone, Copy)]
pub struct Compressed<C> {
    codec: C,
    above: usize,
    level: i32,
    largest: usize,
}

impl<C> Compressed<C> {
    /// Compresses values of 1 KiB and more at level 3, and refuses to decompress any to more than
    /// 64 MiB.
    #[must_use]
    pub const fn new(codec: C) -> Self {
        Self { codec, above: 1 << 10, level: 3, largest: 64 << 20 }
    }

    /// From how many bytes on values are compressed. Below some hundred it gains nothing.
    #[must_use]
    pub const fn above(mut self, bytes: usize) -> Self {
        self.above = bytes;
        self
    }

    /// The level: 1 is fast, 3 usual, 19 slow. Above 22 and below −7 are taken as those.
    #[must_use]
    pub const fn level(mut self, level: i32) -> Self {
        self.level = match level {
            ..-7 => -7,
            23.. => 22,
            level => level,
        };
        self
    }

    /// Most bytes that a value may have. Larger ones are errors, on their way in and out: a few
    /// bytes from outside must not fill the memory.
    #[must_use]
    pub const fn largest(mut self, bytes: usize) -> Self {
        self.largest = bytes;
        self
    }
}

impl<V, C: Codec<V>> Codec<V> for Compressed<C> {
    fn encode(&self, value: &V) -> Result<Bytes, BoxError> {
        let plain = self.codec.encode(value)?;
        if plain.len() > self.largest {
            return Err(TOO_LARGE.into());
        }
        if let Some(packed) = self.packed(&plain)? {
            return Ok(packed);
        }
        let mut bytes = Vec::with_capacity(plain.len() + 1);
        bytes.push(PLAIN);
        bytes.extend_from_slice(&plain);
        Ok(bytes.into())
    }

    fn decode(&self, mut bytes: Bytes) -> Result<V, BoxError> {
        let plain = match bytes.try_get_u8()? {
            PLAIN if bytes.len() > self.largest => return Err(TOO_LARGE.into()),
            PLAIN => bytes,
            ZSTD => self.unpacked(bytes)?,
            _ => return Err("neither plain nor compressed".into()),
        };
        self.codec.decode(plain)
    }
}

impl<C> Compressed<C> {
    /// The compressed form, if it is worth it.
    fn packed(&self, plain: &[u8]) -> Result<Option<Bytes>, BoxError> {
        if plain.len() < self.above {
            return Ok(None);
        }
        let length = u32::try_from(plain.len())?;
        let packed = zstd::bulk::compress(plain, self.level)?;
        if packed.len() + HEAD > plain.len() {
            return Ok(None);
        }
        let mut bytes = Vec::with_capacity(packed.len() + HEAD);
        bytes.push(ZSTD);
        bytes.extend_from_slice(&length.to_be_bytes());
        bytes.extend_from_slice(&packed);
        Ok(Some(bytes.into()))
    }

    fn unpacked(&self, mut bytes: Bytes) -> Result<Bytes, BoxError> {
        let length = usize::try_from(bytes.try_get_u32()?)?;
        if length > self.largest {
            return Err(TOO_LARGE.into());
        }
        let plain = zstd::bulk::decompress(&bytes, length)?;
        if plain.len() != length {
            return Err("the value is shorter than it should be".into());
        }
        Ok(plain.into())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::store::codec::Raw;

    const CODEC: Compressed<Raw> = Compressed::new(Raw).above(100).largest(10_000);

    fn encoded(value: &[u8]) -> Bytes {
        CODEC.encode(&Bytes::copy_from_slice(value)).unwrap()
    }

    #[test]
    fn what_is_large_is_compressed() {
        assert_eq!(encoded(&[7; 99]).len(), 100);
        assert!(encoded(&[7; 5000]).len() < 100);
    }

    #[test]
    fn what_is_too_large_is_refused_before_it_fills_the_memory() {
        assert!(CODEC.encode(&Bytes::from(vec![0; 10_001])).is_err());
        let bomb = Compressed::new(Raw).encode(&Bytes::from(vec![0; 20_000_000])).unwrap();
        assert!(bomb.len() < 5_000);
        assert!(Codec::<Bytes>::decode(&CODEC, bomb.clone()).is_err());
        // The length says less than there is.
        let mut lie = bomb.to_vec();
        lie[1..5].copy_from_slice(&9_000_u32.to_be_bytes());
        assert!(Codec::<Bytes>::decode(&CODEC, lie.into()).is_err());
        // Not compressed, and too large all the same.
        let plain = |length: usize| Bytes::from(vec![PLAIN; length + 1]);
        assert!(Codec::<Bytes>::decode(&CODEC, plain(10_001)).is_err());
        assert_eq!(Codec::<Bytes>::decode(&CODEC, plain(10_000)).unwrap().len(), 10_000);
    }

    proptest! {
        #[test]
        fn values_come_back(value: Vec<u8>, times in 1..20_usize) {
            let value = Bytes::from(value.repeat(times));
            let back: Bytes = CODEC.decode(CODEC.encode(&value).unwrap()).unwrap();
            prop_assert_eq!(back, value);
        }

        #[test]
        fn other_bytes_do_no_harm(bytes: Vec<u8>) {
            if let Ok(value) = Codec::<Bytes>::decode(&CODEC, bytes.into()) {
                prop_assert!(value.len() <= 10_000);
            }
        }
    }
}
