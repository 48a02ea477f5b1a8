//! The journal: what was acknowledged and has not reached the source, in a SQLite file.

use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::future::Shared;
use rusqlite::Connection;
use tokio::sync::oneshot;

use super::buffer::Change;
use super::config::JournalConfig;
use super::error::{WriteBehindBuildError, WriteError};
use crate::sqlite::failure::{Failure, OpenError};
use crate::sqlite::file::{Kind, Opening};
use crate::sqlite::queue::{self, Queue, Room};
use crate::sqlite::writer::{self, Keeper, Work};
use crate::store::codec::Codec;

const FILE: Kind = Kind {
    id: 0x7663_616a,
    version: 1,
    schema: "CREATE TABLE pending (
        key BLOB PRIMARY KEY,
        version INTEGER NOT NULL,
        value BLOB,
        sum INTEGER NOT NULL
    )",
    probe: "SELECT key, version, value, sum FROM pending LIMIT 1",
};

/// Small: the file is read once, when it is opened.
const CACHE: u64 = 2 << 20;

/// The journal's end for the writer.
pub(crate) struct Log<K, V> {
    records: Queue<Record>,
    keys: Arc<dyn Codec<K>>,
    values: Arc<dyn Codec<V>>,
    end: Shared<oneshot::Receiver<()>>,
}

/// A record that has room in the queue.
pub(crate) struct Entry {
    key: Vec<u8>,
    value: Option<Bytes>,
    room: Room,
}

/// Kept when the record is committed.
pub(crate) struct Promise(Option<oneshot::Receiver<Result<(), Failure>>>);

/// A write that was pending when the file was closed, with its version.
pub(super) type Left<K, V> = (K, u64, Change<V>);

impl<K: Send + Sync + 'static, V: Send + Sync + 'static> Log<K, V> {
    /// Opens the file: the journal, and what is in it, oldest first.
    pub(super) fn open(
        config: &JournalConfig,
        keys: Arc<dyn Codec<K>>,
        values: Arc<dyn Codec<V>>,
    ) -> Result<(Self, Vec<Left<K, V>>), WriteBehindBuildError> {
        let opening = Opening {
            path: &config.path,
            kind: &FILE,
            on_corrupt: config.on_corrupt,
            durability: config.durability,
            cache_size: CACHE,
            verify: true,
        };
        let db = opening.open()?;
        let rows = rows(&db).map_err(|error| OpenError::Damaged {
            path: config.path.clone(),
            source: error.into(),
        })?;
        let mut left = Vec::with_capacity(rows.len());
        for row in rows {
            left.push(revive(row, &*keys, &*values)?);
        }
        let (records, items) = queue::bounded(config.queue_size);
        let path: Arc<Path> = Arc::from(config.path.as_path());
        let end = writer::spawn("vcache-journal", path, db, items, Nothing).map_err(|error| {
            OpenError::Unusable { path: config.path.clone(), source: error.into() }
        })?;
        Ok((Self { records, keys, values, end: end.shared() }, left))
    }

    /// A record of the change, once there is room for it.
    pub(crate) async fn entry(&self, key: &K, change: &Change<V>) -> Result<Entry, WriteError> {
        let key = self.keys.encode(key).map_err(WriteError::Encode)?.to_vec();
        let value = match change {
            Change::Put(value) => Some(self.values.encode(value).map_err(WriteError::Encode)?),
            Change::Remove => None,
        };
        let size = key.len().saturating_add(value.as_ref().map_or(0, Bytes::len));
        let size = u64::try_from(size).unwrap_or(u64::MAX);
        let room = self.records.room(size).await.map_err(|_| WriteError::Closed)?;
        Ok(Entry { key, value, room })
    }

    /// Queues the record, in the order of the calls.
    pub(crate) fn append(&self, entry: Entry, version: u64) -> Promise {
        let (asker, answer) = oneshot::channel();
        let Entry { key, value, room } = entry;
        let record = Record::Append { key, version: signed(version), value, asker };
        let sent = self.records.send(record, room);
        Promise(sent.is_ok().then_some(answer))
    }

    /// Forgets what has reached the source, unless something newer is to come. What this does not
    /// achieve is written to the source again in the next life.
    pub(crate) async fn forget(&self, written: &[(K, u64)]) {
        let mut keys = Vec::with_capacity(written.len());
        for (key, version) in written {
            // It could be encoded before.
            if let Ok(key) = self.keys.encode(key) {
                keys.push((key.to_vec(), signed(*version)));
            }
        }
        let (asker, answer) = oneshot::channel();
        if self.records.send_small(Record::Forget { keys, asker }).is_ok() {
            let _ = answer.await;
        }
    }

    /// Closes the file, after what is queued. Whoever no longer waits for that may call again.
    pub(crate) async fn close(&self) {
        self.records.close();
        // An error is an end as well.
        drop(self.end.clone().await);
    }
}

impl Promise {
    /// Waits for the commit.
    pub(crate) async fn kept(self) -> Result<(), WriteError> {
        let answer = self.0.ok_or(WriteError::Closed)?;
        let result = answer.await.map_err(|_| WriteError::Closed)?;
        result.map_err(|failure| WriteError::Journal(failure.into()))
    }
}

enum Record {
    Append {
        key: Vec<u8>,
        version: i64,
        value: Option<Bytes>,
        asker: oneshot::Sender<Result<(), Failure>>,
    },
    Forget {
        keys: Vec<(Vec<u8>, i64)>,
        asker: oneshot::Sender<Result<(), Failure>>,
    },
}

impl Work for Record {
    fn apply(&mut self, db: &Connection) -> rusqlite::Result<()> {
        match self {
            Self::Append { key, version, value, .. } => {
                let value = value.as_deref();
                let sum = sum(key, *version, value);
                let append = "INSERT INTO pending (key, version, value, sum)
                    VALUES (?1, ?2, ?3, ?4)
                    ON CONFLICT (key) DO UPDATE SET
                    version = excluded.version, value = excluded.value, sum = excluded.sum
                    WHERE excluded.version > version";
                db.prepare_cached(append)?.execute((&key[..], *version, value, sum))?;
            }
            Self::Forget { keys, .. } => {
                for (key, version) in keys {
                    // An older one too: the journal may have had no room for this one.
                    let forget = "DELETE FROM pending WHERE key = ?1 AND version <= ?2";
                    db.prepare_cached(forget)?.execute((&key[..], *version))?;
                }
            }
        }
        Ok(())
    }

    fn done(self, result: Result<(), Failure>) {
        let (Self::Append { asker, .. } | Self::Forget { asker, .. }) = self;
        // Whoever asked may have gone.
        let _ = asker.send(result);
    }
}

/// The journal has no bound of its own: the number of pending keys is bounded.
struct Nothing;

impl Keeper for Nothing {
    fn settle(&mut self, _db: &Connection, _writes: usize) -> rusqlite::Result<()> {
        Ok(())
    }
}

type Row = (Vec<u8>, i64, Option<Vec<u8>>, i64);

fn rows(db: &Connection) -> rusqlite::Result<Vec<Row>> {
    let mut all = db.prepare("SELECT key, version, value, sum FROM pending ORDER BY version")?;
    let rows = all.query_map((), |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))?;
    rows.collect()
}

fn revive<K: 'static, V: 'static>(
    (key, version, value, written): Row,
    keys: &dyn Codec<K>,
    values: &dyn Codec<V>,
) -> Result<Left<K, V>, WriteBehindBuildError> {
    let unreadable = WriteBehindBuildError::Unreadable;
    if sum(&key, version, value.as_deref()) != written {
        return Err(unreadable("its checksum is wrong".into()));
    }
    let key = keys.decode(key.into()).map_err(unreadable)?;
    let change = match value {
        Some(value) => Change::Put(values.decode(value.into()).map_err(unreadable)?),
        None => Change::Remove,
    };
    Ok((key, version.cast_unsigned(), change))
}

fn sum(key: &[u8], version: i64, value: Option<&[u8]>) -> i64 {
    let mut crc = crc32fast::Hasher::new();
    crc.update(key);
    crc.update(&version.to_le_bytes());
    crc.update(&[u8::from(value.is_some())]);
    crc.update(value.unwrap_or_default());
    crc.finalize().into()
}

/// Versions count writes; they do not get that large.
fn signed(version: u64) -> i64 {
    i64::try_from(version).unwrap_or(i64::MAX)
}
