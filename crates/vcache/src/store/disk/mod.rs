//! The store on disk: SQLite, one thread that writes, a few that read.

use std::fmt;
use std::path::Path;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::oneshot;

use crate::error::BoxError;
use crate::sqlite::failure::{Failure, OpenError};
use crate::sqlite::file::Opening;
use crate::sqlite::queue::{self, Closed, Items, Queue};
use crate::sqlite::writer;
use crate::store::{
    Keeping, Moment, ScanStore, Store, StoreError, Stored, TagStore, taglist, wall,
};

mod config;
mod metrics;
mod reads;
mod row;
mod tags;
mod touched;
mod writes;

pub use config::DiskConfig;
use metrics::DiskMeters;
pub use metrics::DiskStats;
use reads::{Read, Reader};
use touched::Touched;
use writes::{Bounds, Tagged, Write};

/// Reads that may wait at each reader, as the bytes they are counted with.
const READ_QUEUE: u64 = 4 << 20;

/// Keeps bytes in a SQLite file, which outlives the process.
///
/// - **Acknowledged is committed.** [`set`](Store::set), [`delete`](Store::delete) and
///   [`clear`](Store::clear) return when SQLite has committed them, and every read that begins
///   after that sees them. Writes that come while a commit runs are committed together next, so
///   that many at once cost little more than one.
/// - **Kill and crash.** A killed process loses nothing that was acknowledged. A power cut may undo
///   the last commits but damages nothing; with [`Durability::Power`](crate::Durability) it does
///   not undo any. What was kept is there when the file is opened again, with the time it has left.
/// - **Bound.** The pages in use never pass [`DiskConfig::max_size`] after a commit. Room is made by
///   the oldest entries; those that were read or replaced since are moved to the end once
///   instead (FIFO with a second chance). A value larger than half of the bound is not kept; what
///   was there is gone. The file itself does not shrink.
/// - **Damage.** Each entry has a checksum over key, time and value; one that is wrong counts as
///   absent, is dropped and counted. A page that SQLite cannot read is
///   [`StoreError::Damaged`]; see [`OnCorrupt`](crate::OnCorrupt) for what happens at the next
///   opening.
/// - **A full disk** fails writes with [`StoreError::Full`] and counts them; reads go on.
/// - **Time** is the machine's wall clock: set back, it makes entries live longer by as much.
/// - **Threads.** One writes, [`DiskConfig::readers`] read; no runtime is needed. They end when the
///   last handle is dropped, after what was queued; [`close`](Self::close) waits for that.
/// - **Processes.** Of several with one file, all are right, but they wait for each other's commits.
///
/// Cloning gives another handle to the same file.
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// use vcache::{DiskConfig, DiskStore, Store};
///
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("pages.sqlite");
/// let store = DiskStore::open(&DiskConfig { path, ..DiskConfig::default() })?;
/// store.set("greeting", "hello".into(), None).await?;
/// assert_eq!(store.get("greeting").await?.unwrap().value, "hello");
/// store.close().await;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # }).unwrap();
/// ```
#[derive(Clone)]
pub struct DiskStore {
    inner: Arc<Inner>,
}

struct Inner {
    path: Arc<Path>,
    ttl: Option<Duration>,
    largest: u64,
    readers: Box<[Queue<Read>]>,
    /// Counts reads, which go round the readers.
    turn: AtomicUsize,
    writes: Arc<Queue<Write>>,
    touched: Arc<Touched>,
    /// Most invalidated tags to remember.
    max_tags: i64,
    /// The tick of the tags' clock after the last invalidation of this process.
    moment: AtomicI64,
    meters: Arc<DiskMeters>,
    /// The ends of all threads, for the one who waits for them.
    ends: Mutex<Vec<oneshot::Receiver<()>>>,
}

impl DiskStore {
    /// Opens the file, or makes it. This reads and writes a little, without giving way to other
    /// tasks: do it at the start.
    ///
    /// # Errors
    ///
    /// See [`OpenError`].
    pub fn open(config: &DiskConfig) -> Result<Self, OpenError> {
        Self::named("disk", config)
    }

    /// The same, with another name in metrics, one of few, than `disk`.
    ///
    /// # Errors
    ///
    /// See [`OpenError`].
    pub fn named(name: &str, config: &DiskConfig) -> Result<Self, OpenError> {
        config.check()?;
        let opening = Opening {
            path: &config.path,
            kind: &row::FILE,
            on_corrupt: config.on_corrupt,
            durability: config.durability,
            cache_size: config.cache_size,
            verify: config.verify,
        };
        start(name, config, &opening)
    }

    /// Ends the threads when they have done what is queued, and closes the file. Calls that come
    /// later fail with [`StoreError::Closed`], through other handles as well.
    ///
    /// Cancel safety: when the future is dropped the threads end all the same.
    pub async fn close(&self) {
        for reader in &self.inner.readers {
            reader.close();
        }
        self.inner.writes.close();
        let ends = {
            let mut ends = self.inner.ends.lock().unwrap_or_else(PoisonError::into_inner);
            std::mem::take(&mut *ends)
        };
        for end in ends {
            // An error is an end as well.
            let _ = end.await;
        }
    }

    /// The figures since the file was opened.
    #[must_use]
    pub fn stats(&self) -> DiskStats {
        self.inner.meters.stats()
    }

    /// The file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.inner.path
    }

    /// Whether `key` goes to disk at all with so many bytes beside it.
    fn keeps(&self, key: &str, value: &Bytes) -> bool {
        bytes(key.len()).saturating_add(bytes(value.len())) <= self.inner.largest
    }

    async fn read<T>(&self, read: impl FnOnce(reads::Asker<T>) -> Read) -> Result<T, StoreError> {
        let readers = &self.inner.readers;
        let turn = self.inner.turn.fetch_add(1, Ordering::Relaxed) % readers.len().max(1);
        let reader = readers.get(turn).ok_or(StoreError::Closed)?;
        let (asker, answer) = oneshot::channel();
        let room = reader.room(0).await.map_err(closed)?;
        reader.send(read(asker), room).map_err(closed)?;
        answered(answer.await)
    }

    async fn write<T>(
        &self,
        bytes: u64,
        write: impl FnOnce(writes::Asker<T>) -> Write,
    ) -> Result<T, StoreError> {
        let (asker, answer) = oneshot::channel();
        let room = self.inner.writes.room(bytes).await.map_err(closed)?;
        self.inner.writes.send(write(asker), room).map_err(closed)?;
        answered(answer.await)
    }

    async fn keep(
        &self,
        key: &str,
        value: Bytes,
        ttl: Option<Duration>,
        tags: Option<Tagged>,
    ) -> Result<(), StoreError> {
        let ttl = ttl.or(self.inner.ttl);
        if !self.keeps(key, &value) {
            self.inner.meters.refused();
            return self.delete(key).await.map(drop);
        }
        if ttl.is_some_and(|ttl| ttl.is_zero()) {
            return self.delete(key).await.map(drop);
        }
        let expires = ttl.and_then(|ttl| row::expiry(wall::now(), wall::millis(ttl)));
        let size = bytes(key.len()) + bytes(value.len());
        let key = key.into();
        let touched = Arc::clone(&self.inner.touched);
        let set = |asker| Write::Set { key, value, expires, tags, touched, asker };
        self.write(size, set).await
    }

    async fn delete_all(&self, keys: Box<[Box<str>]>) -> Result<u64, StoreError> {
        let size = keys.iter().map(|key| bytes(key.len())).sum();
        self.write(size, |asker| Write::Delete { keys, found: 0, asker }).await
    }
}

fn start(name: &str, config: &DiskConfig, opening: &Opening<'_>) -> Result<DiskStore, OpenError> {
    let db = opening.open()?;
    let path: Arc<Path> = Arc::from(config.path.as_path());
    let (meters, touched) = (Arc::new(DiskMeters::new(name)), Arc::new(Touched::new()));
    let unusable =
        |error: BoxError| OpenError::Unusable { path: config.path.clone(), source: error };
    let (writes, work) = queue::bounded(config.queue_size);
    let writes = Arc::new(writes);
    let bounds = (Arc::clone(&touched), Arc::clone(&meters));
    let bounds = Bounds::new(&db, config.max_size, config.sweep, bounds.0, bounds.1)
        .map_err(|error| unusable(error.into()))?;
    let moment = tags::now(&db).map_err(|error| unusable(error.into()))?;
    let mut ends = Vec::new();
    let reader = |items: Items<Read>| {
        let reader = Reader {
            db: opening.reader()?,
            path: Arc::clone(&path),
            items,
            writes: Arc::clone(&writes),
            touched: Arc::clone(&touched),
            meters: Arc::clone(&meters),
        };
        reader.spawn().map_err(|error| unusable(error.into()))
    };
    let mut readers = Vec::new();
    for _ in 0..config.readers {
        let (queue, items) = queue::bounded(READ_QUEUE);
        ends.push(reader(items)?);
        readers.push(queue);
    }
    let end = writer::spawn("vcache-disk-write", Arc::clone(&path), db, work, bounds);
    ends.push(end.map_err(|error| unusable(error.into()))?);
    Ok(DiskStore {
        inner: Arc::new(Inner {
            path,
            ttl: config.ttl,
            largest: config.max_size / 2,
            readers: readers.into(),
            turn: AtomicUsize::new(0),
            writes,
            touched,
            max_tags: i64::try_from(config.max_tags).unwrap_or(i64::MAX),
            moment: AtomicI64::new(moment),
            meters,
            ends: Mutex::new(ends),
        }),
    })
}

fn bytes(len: usize) -> u64 {
    u64::try_from(len).unwrap_or(u64::MAX)
}

const fn closed(_: Closed) -> StoreError {
    StoreError::Closed
}

/// An answer, or why there is none: a thread that has ended drops what it did not do.
fn answered<T>(
    answer: Result<Result<T, Failure>, oneshot::error::RecvError>,
) -> Result<T, StoreError> {
    answer.map_err(|_| StoreError::Closed)?.map_err(|failure| {
        if failure.is_full() {
            StoreError::Full(failure.into())
        } else if failure.is_damage() {
            StoreError::Damaged(failure.into())
        } else if failure.is_busy() {
            StoreError::Unreachable(failure.into())
        } else {
            StoreError::Refused(failure.into())
        }
    })
}

impl Store for DiskStore {
    async fn get(&self, key: &str) -> Result<Option<Stored>, StoreError> {
        self.read(|asker| Read::Get(key.into(), asker)).await
    }

    async fn set(&self, key: &str, value: Bytes, ttl: Option<Duration>) -> Result<(), StoreError> {
        self.keep(key, value, ttl, None).await
    }

    async fn delete(&self, key: &str) -> Result<bool, StoreError> {
        Ok(self.delete_all([Box::from(key)].into()).await? > 0)
    }

    async fn get_many(&self, keys: &[&str]) -> Result<Vec<Option<Stored>>, StoreError> {
        self.read(|asker| Read::Many(owned(keys), asker)).await
    }

    async fn delete_many(&self, keys: &[&str]) -> Result<u64, StoreError> {
        self.delete_all(owned(keys)).await
    }

    async fn exists(&self, key: &str) -> Result<bool, StoreError> {
        self.read(|asker| Read::Exists(key.into(), asker)).await
    }

    async fn clear(&self) -> Result<(), StoreError> {
        self.write(0, Write::Clear).await
    }
}

/// Tags by a clock and a table in the same file, so that they outlive the process too. An
/// invalidation is acknowledged when it is committed.
impl TagStore for DiskStore {
    async fn set_tagged(
        &self,
        key: &str,
        value: Bytes,
        keeping: Keeping<'_>,
    ) -> Result<(), StoreError> {
        if keeping.tags.is_empty() {
            return self.set(key, value, keeping.ttl).await;
        }
        let mut list = Vec::new();
        taglist::write(&mut list, keeping.tags)
            .map_err(|error| StoreError::Encode(error.into()))?;
        let since = keeping.since.map(|since| since.0.cast_signed());
        let tags = Tagged { list: list.into(), since };
        self.keep(key, value, keeping.ttl, Some(tags)).await
    }

    async fn invalidate_tags(&self, tags: &[&str]) -> Result<(), StoreError> {
        let (tags, most) = (owned(tags), self.inner.max_tags);
        let size = tags.iter().map(|tag| bytes(tag.len())).sum();
        let now = self.write(size, |asker| Write::Invalidate { tags, most, now: 0, asker }).await?;
        self.inner.moment.fetch_max(now, Ordering::Relaxed);
        Ok(())
    }

    /// What other processes have invalidated with the same file is not known, so what is loaded
    /// meanwhile may count as older than it is.
    fn moment(&self) -> Moment {
        Moment(self.inner.moment.load(Ordering::Relaxed).cast_unsigned())
    }
}

/// Walks go over an index of the keys, in one transaction of one reader; `count` as well.
impl ScanStore for DiskStore {
    async fn scan(&self, prefix: &str, most: usize) -> Result<Vec<String>, StoreError> {
        self.read(|asker| Read::Scan(prefix.into(), most, asker)).await
    }

    async fn count(&self) -> Result<u64, StoreError> {
        self.read(Read::Count).await
    }
}

fn owned(keys: &[&str]) -> Box<[Box<str>]> {
    keys.iter().map(|key| Box::from(*key)).collect()
}

impl fmt::Debug for DiskStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DiskStore")
            .field("path", &self.inner.path)
            .field("stats", &self.stats())
            .finish_non_exhaustive()
    }
}
