//! A cache in a file: written the hottest first, read back after a restart.

use std::hash::Hash;
use std::io::{Read, Write};
use std::time::Duration;

use bytes::Bytes;

use crate::error::BoxError;
use crate::memory::{Memory, PutBack, Warm};
use crate::store::codec::Codec;
use crate::store::wall;

mod error;
mod format;

pub use error::SnapshotError;
use format::{Reader, Record, Writer};

/// What was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Saved {
    /// Entries in the snapshot.
    pub entries: u64,
}

/// What was read back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Restored {
    /// Entries that are in the cache now.
    pub entries: u64,
    /// Entries whose time was over by now.
    pub expired: u64,
    /// Entries whose key had a newer value in the cache.
    pub present: u64,
    /// Entries that the codecs did not understand.
    pub undecodable: u64,
    /// Whether reading ended because the cache was full; the colder ones are left out.
    pub full: bool,
    /// Whether reading ended at bytes that are damaged or missing. What stood before them has
    /// been checked and is in the cache.
    pub damaged: bool,
}

impl<K: Hash + Eq + Clone, V: Clone> Memory<K, V> {
    /// Writes all live entries, the hottest first, with what is left of their times. The cache
    /// goes on meanwhile: what is written to it during that is in the snapshot or not. Each
    /// entry has a checksum. It takes eight bytes of memory for each entry while it runs; give it
    /// a [`BufWriter`](std::io::BufWriter), and rename the file when it is whole.
    ///
    /// # Errors
    ///
    /// Of `to` and of the codecs; see [`SnapshotError`].
    ///
    /// ```
    /// use vcache::{Memory, Raw};
    ///
    /// let before = Memory::<String, u64>::builder().build()?;
    /// before.insert("visits".to_owned(), 7);
    /// let mut file = Vec::new();
    /// before.save(&mut file, &Raw, &Raw)?;
    ///
    /// let after = Memory::<String, u64>::builder().build()?;
    /// let restored = after.restore(file.as_slice(), &Raw, &Raw)?;
    /// assert_eq!((after.get("visits"), restored.entries), (Some(7), 1));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn save(
        &self,
        to: impl Write,
        keys: &impl Codec<K>,
        values: &impl Codec<V>,
    ) -> Result<Saved, SnapshotError> {
        save(self, to, keys, |value| values.encode(value).map(Some))
    }

    /// Reads a snapshot back, the hottest first, until the cache is full: it evicts nothing, and
    /// leaves what has been stored since in peace. The time between, by the machine's wall clock,
    /// counts: what would have expired by now is left out, and what was idle begins anew.
    ///
    /// # Errors
    ///
    /// Of `from`, and when it is no snapshot; see [`SnapshotError`]. Damage behind the beginning
    /// is no error: see [`Restored::damaged`].
    pub fn restore(
        &self,
        from: impl Read,
        keys: &impl Codec<K>,
        values: &impl Codec<V>,
    ) -> Result<Restored, SnapshotError> {
        let decode = |bytes, _| values.decode(bytes).map(Some);
        restore(from, keys, decode, |warm| self.put_back(warm))
    }
}

/// Writes what `encode` has bytes for.
pub(crate) fn save<K: Hash + Eq + Clone, V: Clone>(
    memory: &Memory<K, V>,
    to: impl Write,
    keys: &impl Codec<K>,
    encode: impl Fn(&V) -> Result<Option<Bytes>, BoxError>,
) -> Result<Saved, SnapshotError> {
    let mut writer = Writer::begin(to, wall::now())?;
    for warm in memory.warm() {
        let Some(value) = encode(&warm.value).map_err(SnapshotError::Encode)? else {
            continue;
        };
        let key = keys.encode(&warm.key).map_err(SnapshotError::Encode)?;
        let Warm { ttl, tti, idle, pinned, heat, .. } = warm;
        writer.write(&Record { ttl, tti, idle, pinned, heat, key, value })?;
    }
    Ok(Saved { entries: writer.end()? })
}

/// Reads what `decode`, which is told the time since, makes values of, and `put` takes.
pub(crate) fn restore<K, V>(
    from: impl Read,
    keys: &impl Codec<K>,
    decode: impl Fn(Bytes, Duration) -> Result<Option<V>, BoxError>,
    put: impl Fn(Warm<K, V>) -> PutBack,
) -> Result<Restored, SnapshotError> {
    let mut reader = Reader::begin(from)?;
    let since = Duration::from_millis(wall::now().saturating_sub(reader.written()));
    let mut restored = Restored::default();
    while let Some(record) = reader.read()? {
        let Some(record) = record.after(since) else {
            restored.expired += 1;
            continue;
        };
        let Record { ttl, tti, idle, pinned, heat, key, value } = record;
        let both = keys.decode(key).and_then(|key| Ok((key, decode(value, since)?)));
        let Ok((key, value)) = both else {
            restored.undecodable += 1;
            continue;
        };
        let Some(value) = value else {
            restored.expired += 1;
            continue;
        };
        match put(Warm { key, value, ttl, tti, idle, pinned, heat }) {
            PutBack::Stored => restored.entries += 1,
            PutBack::Present => restored.present += 1,
            PutBack::Full => {
                restored.full = true;
                return Ok(restored);
            }
        }
    }
    restored.damaged = !reader.is_whole();
    Ok(restored)
}
