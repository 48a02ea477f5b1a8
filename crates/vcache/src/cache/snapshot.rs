//! Writing a cache to a file and reading it back after a restart.

use std::hash::Hash;
use std::io::{Read, Write};
use std::sync::Arc;
use std::time::Duration;

use bytes::{Buf, BufMut, Bytes};

use super::Cache;
use crate::clock::nanos;
use crate::error::BoxError;
use crate::memory::Warm;
use crate::shelf::Shelf;
use crate::snapshot::{Restored, Saved, SnapshotError, restore, save};
use crate::store::codec::Codec;
use crate::terms::{Held, Terms, end};

impl<K, V> Cache<K, V>
where
    K: Hash + Eq + Clone + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
{
    /// Writes all fresh entries, the hottest first, with what is left of their times, and their
    /// tags; see [`Memory::save`](crate::Memory::save).
    ///
    /// # Errors
    ///
    /// Of `to` and of the codecs; see [`SnapshotError`].
    pub fn save(
        &self,
        to: impl Write,
        keys: &impl Codec<K>,
        values: &impl Codec<V>,
    ) -> Result<Saved, SnapshotError> {
        let shelf = &self.inner.shelf;
        save(&shelf.memory, to, keys, |held| match &held.terms {
            Some(terms) if !shelf.is_fresh(terms) => Ok(None),
            terms => Ok(Some(written(shelf, terms.as_deref(), &values.encode(&held.value)?))),
        })
    }

    /// Reads a snapshot back, as [`Memory::restore`](crate::Memory::restore) does. What was
    /// invalidated by a tag while no process held the cache is not known: a source that changes
    /// unseen wants short TTLs, or no snapshot.
    ///
    /// # Errors
    ///
    /// Of `from`, and when it is no snapshot; see [`SnapshotError`].
    pub fn restore(
        &self,
        from: impl Read,
        keys: &impl Codec<K>,
        values: &impl Codec<V>,
    ) -> Result<Restored, SnapshotError> {
        let shelf = &self.inner.shelf;
        let put = |warm: Warm<K, Held<V>>| {
            let Warm { key, value, ttl, tti, idle, pinned, heat } = warm;
            shelf.indexing(key, |key| {
                shelf.memory.put_back(Warm { key, value, ttl, tti, idle, pinned, heat })
            })
        };
        let decode = |bytes, since| read(shelf, bytes, since, |value| values.decode(value));
        restore(from, keys, decode, put)
    }
}

/// The value is fresh until it is gone, and has no tags.
const PLAIN: u8 = 0;
/// Terms stand before it: six times, the factor of early refreshes and the tags.
const TERMS: u8 = 1;

fn written<K, V>(shelf: &Shelf<K, V>, terms: Option<&Terms>, value: &[u8]) -> Bytes {
    let mut bytes = Vec::with_capacity(value.len() + 1);
    match terms {
        None => bytes.put_u8(PLAIN),
        Some(terms) => {
            bytes.put_u8(TERMS);
            let left = match terms.fresh_until {
                u64::MAX => u64::MAX,
                until => until.saturating_sub(nanos(shelf.clock.now())),
            };
            let load_time = nanos(terms.load_time);
            for time in
                [left, terms.revalidate, terms.on_error, terms.ahead, terms.reach, load_time]
            {
                bytes.put_u64_le(time);
            }
            bytes.put_f64_le(terms.beta);
            // Tags that are longer than 4 GiB, or more, are no tags.
            bytes.put_u32_le(u32::try_from(terms.tags.len()).unwrap_or(u32::MAX));
            for tag in &terms.tags {
                bytes.put_u32_le(u32::try_from(tag.len()).unwrap_or(u32::MAX));
                bytes.extend_from_slice(tag.as_bytes());
            }
        }
    }
    bytes.extend_from_slice(value);
    bytes.into()
}

/// The value under its terms; `None` if it is no longer fresh after `since`.
fn read<K, V>(
    shelf: &Shelf<K, V>,
    mut bytes: Bytes,
    since: Duration,
    decode: impl FnOnce(Bytes) -> Result<V, BoxError>,
) -> Result<Option<Held<V>>, BoxError> {
    match bytes.try_get_u8()? {
        PLAIN => return Ok(Some(Held::plain(decode(bytes)?))),
        TERMS => {}
        other => return Err(format!("a value of the unknown form {other}").into()),
    }
    let mut times = [0; 6];
    for time in &mut times {
        *time = bytes.try_get_u64_le()?;
    }
    let [left, revalidate, on_error, ahead, reach, load_time] = times;
    let beta = bytes.try_get_f64_le()?;
    let mut tags: Vec<Arc<str>> = Vec::new();
    for _ in 0..bytes.try_get_u32_le()? {
        let len = bytes.try_get_u32_le()? as usize;
        if bytes.len() < len {
            return Err("a tag without an end".into());
        }
        tags.push(std::str::from_utf8(&bytes.split_to(len))?.into());
    }
    let fresh_until = match left {
        u64::MAX => u64::MAX,
        left => match left.checked_sub(nanos(since)).filter(|left| *left > 0) {
            Some(left) => end(shelf.clock.now(), Duration::from_nanos(left)),
            None => return Ok(None),
        },
    };
    let load_time = Duration::from_nanos(load_time);
    let tagged = Terms::tagged(tags.into(), shelf.tags.epoch());
    let terms =
        Terms { fresh_until, revalidate, on_error, ahead, reach, load_time, beta, ..tagged };
    Ok(Some(Held { value: decode(bytes)?, terms: Some(shelf.adopt(terms)) }))
}
