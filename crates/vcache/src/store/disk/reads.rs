//! A thread that reads: what has queued meanwhile, in one transaction.

use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use bytes::Bytes;
use rusqlite::Connection;
use tokio::sync::oneshot;

use super::metrics::DiskMeters;
use super::row::{self, Found};
use super::tags;
use super::touched::Touched;
use super::writes::Write;
use crate::sqlite::failure::Failure;
use crate::sqlite::queue::{Item, Items, Queue, Room};
use crate::store::{Stored, taglist, wall};

/// Reads of one transaction: enough that opening it does not count, and a writer's log can be
/// merged soon.
const GROUP: usize = 64;
const GET: &str = "SELECT id, expires, sum, born, tags, value FROM entries WHERE key = ?1";

/// To whom an answer goes.
pub(super) type Asker<T> = oneshot::Sender<Result<T, Failure>>;

/// Something to read.
pub(super) enum Read {
    Get(Box<str>, Asker<Option<Stored>>),
    Many(Box<[Box<str>]>, Asker<Vec<Option<Stored>>>),
    Exists(Box<str>, Asker<bool>),
    /// Keys that begin so, so many at most.
    Scan(Box<str>, usize, Asker<Vec<String>>),
    Count(Asker<u64>),
}

/// What a reading thread has.
pub(super) struct Reader {
    pub(super) db: Connection,
    pub(super) path: Arc<Path>,
    pub(super) items: Items<Read>,
    pub(super) writes: Arc<Queue<Write>>,
    pub(super) touched: Arc<Touched>,
    pub(super) meters: Arc<DiskMeters>,
}

impl Reader {
    /// Starts the thread. It ends when its queue is closed or dropped; then the receiver is told.
    pub(super) fn spawn(self) -> std::io::Result<oneshot::Receiver<()>> {
        let (ended, end) = oneshot::channel();
        thread::Builder::new().name("vcache-disk-read".to_owned()).spawn(move || {
            self.run();
            // Nobody may be waiting.
            let _ = ended.send(());
        })?;
        Ok(end)
    }

    fn run(self) {
        let mut group: Vec<(Read, Room)> = Vec::with_capacity(GROUP);
        while let Ok(Item::Work(read, room)) = self.items.wait(None) {
            group.push((read, room));
            let mut closing = false;
            while group.len() < GROUP && !closing {
                match self.items.next() {
                    Some(Item::Work(read, room)) => group.push((read, room)),
                    Some(Item::Close) => closing = true,
                    None => break,
                }
            }
            self.answer(&mut group);
            if closing {
                return;
            }
        }
    }

    fn answer(&self, group: &mut Vec<(Read, Room)>) {
        // Where the transaction cannot begin, each read says why. Alone it needs none.
        let together = group.len() > 1 && self.run_statement("BEGIN");
        for (read, _room) in group.drain(..) {
            self.read(read);
        }
        if together {
            self.run_statement("COMMIT");
        }
    }

    fn run_statement(&self, sql: &str) -> bool {
        self.db.prepare_cached(sql).and_then(|mut statement| statement.execute(())).is_ok()
    }

    fn read(&self, read: Read) {
        match read {
            Read::Get(key, asker) => self.tell(asker, || self.get(&key)),
            Read::Many(keys, asker) => {
                self.tell(asker, || keys.iter().map(|key| self.get(key)).collect());
            }
            Read::Exists(key, asker) => self.tell(asker, || self.exists(&key)),
            Read::Scan(prefix, most, asker) => {
                self.tell(asker, || self.scan(&prefix, most));
            }
            Read::Count(asker) => self.tell(asker, || self.count()),
        }
    }

    fn tell<T>(&self, asker: Asker<T>, read: impl FnOnce() -> rusqlite::Result<T>) {
        if asker.is_closed() {
            return;
        }
        let result = read().map_err(|error| Failure::new(&self.path, &error));
        if result.is_err() {
            self.meters.read_failed();
        }
        // Whoever asked may have gone.
        let _ = asker.send(result);
    }

    fn get(&self, key: &str) -> rusqlite::Result<Option<Stored>> {
        let mut get = self.db.prepare_cached(GET)?;
        let mut rows = get.query((key.as_bytes(),))?;
        let Some(row) = rows.next()? else {
            return Ok(None);
        };
        match row::read(key.as_bytes(), row)? {
            Found::Value(value, expires, tags) => {
                self.touched.touch(row.get(0)?);
                match tags {
                    None => Ok(live(value, expires)),
                    Some((born, tags)) if tags::hold(&self.db, born, &tags)? => {
                        Ok(live(value, expires).map(|stored| stored.tagged(tags)))
                    }
                    Some(_) => Ok(None),
                }
            }
            Found::Damaged(id) => {
                self.meters.damaged();
                // If the writer has gone, the next opening meets the row again.
                let _ = self.writes.send_small(Write::Forget(id));
                Ok(None)
            }
        }
    }

    fn exists(&self, key: &str) -> rusqlite::Result<bool> {
        let exists = "SELECT expires, born, tags FROM entries WHERE key = ?1";
        let mut exists = self.db.prepare_cached(exists)?;
        let mut rows = exists.query((key.as_bytes(),))?;
        let Some(row) = rows.next()? else {
            return Ok(false);
        };
        let tags: Option<Vec<u8>> = row.get(2)?;
        let tags = tags.and_then(|tags| taglist::take(&mut Bytes::from(tags)));
        let holds = match tags {
            Some(tags) => tags::hold(&self.db, row.get(1)?, &tags)?,
            None => true,
        };
        Ok(holds && left(row.get(0)?) != Some(Duration::ZERO))
    }

    fn scan(&self, prefix: &str, most: usize) -> rusqlite::Result<Vec<String>> {
        let scan = "SELECT key, expires FROM entries WHERE key >= ?1 ORDER BY key";
        let mut scan = self.db.prepare_cached(scan)?;
        let mut rows = scan.query((prefix.as_bytes(),))?;
        let mut keys = Vec::new();
        while keys.len() < most
            && let Some(row) = rows.next()?
        {
            // Whoever wrote other bytes under a key was not this store.
            let Ok(key) = row.get_ref(0)?.as_blob().map(std::str::from_utf8) else { continue };
            let Ok(key) = key else { continue };
            if !key.starts_with(prefix) {
                break;
            }
            if left(row.get(1)?) != Some(Duration::ZERO) {
                keys.push(key.to_owned());
            }
        }
        Ok(keys)
    }

    fn count(&self) -> rusqlite::Result<u64> {
        // Both counts walk an index; the rows themselves are far larger.
        let count = "SELECT (SELECT count(*) FROM entries)
            - (SELECT count(*) FROM entries WHERE expires <= ?1)";
        let now = i64::try_from(wall::now()).unwrap_or(i64::MAX);
        let count: i64 = self.db.prepare_cached(count)?.query_row((now,), |row| row.get(0))?;
        Ok(u64::try_from(count).unwrap_or(0))
    }
}

fn live(value: Vec<u8>, expires: Option<i64>) -> Option<Stored> {
    let left = left(expires);
    (left != Some(Duration::ZERO)).then(|| Stored::new(Bytes::from(value), left))
}

/// The time left; `None` is for ever.
fn left(expires: Option<i64>) -> Option<Duration> {
    let expires = u64::try_from(expires?).unwrap_or(0);
    Some(Duration::from_millis(expires.saturating_sub(wall::now())))
}
