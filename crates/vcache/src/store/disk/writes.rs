//! What the writing thread does: entries, and making room for them.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use rusqlite::Connection;
use tokio::sync::oneshot;

use super::metrics::DiskMeters;
use super::row::{self, Found, Label};
use super::tags;
use super::touched::Touched;
use crate::clock::{Clock, SystemClock};
use crate::sqlite::failure::Failure;
use crate::sqlite::writer::{Keeper, Work};
use crate::store::wall;

/// Rows that are removed, or spared, in one go.
const CHUNK: u32 = 64;
/// Expired rows that one sweep removes before writers have their turn.
const SWEPT: u32 = 512;

/// To whom the outcome goes.
pub(super) type Asker<T> = oneshot::Sender<Result<T, Failure>>;

/// Something to write.
pub(super) enum Write {
    Set {
        key: Box<str>,
        value: Bytes,
        expires: Option<i64>,
        tags: Option<Tagged>,
        touched: Arc<Touched>,
        asker: Asker<()>,
    },
    /// Tags to invalidate, how many to remember, and the tick after that.
    Invalidate {
        tags: Box<[Box<str>]>,
        most: i64,
        now: i64,
        asker: Asker<i64>,
    },
    /// Keys to delete, and how many were there.
    Delete {
        keys: Box<[Box<str>]>,
        found: u64,
        asker: Asker<u64>,
    },
    Clear(Asker<()>),
    /// A row that a reader found damaged.
    Forget(i64),
}

/// The tags of an entry to be.
pub(super) struct Tagged {
    /// The list as a row holds it.
    pub(super) list: Box<[u8]>,
    /// Since when invalidations concern it; `None` is since it is written.
    pub(super) since: Option<i64>,
}

impl Tagged {
    fn label(&self, now: i64) -> Label<'_> {
        let born = self.since.map_or(now, |since| since.min(now));
        Label { born, tags: Some(&self.list) }
    }
}

impl Work for Write {
    fn apply(&mut self, db: &Connection) -> rusqlite::Result<()> {
        match self {
            Self::Set { key, value, expires, tags, touched, .. } => {
                let label = match tags {
                    Some(tagged) => tagged.label(tags::now(db)?),
                    None => Label::default(),
                };
                put(db, key.as_bytes(), value, *expires, &label, touched)?;
            }
            Self::Invalidate { tags, most, now, .. } => *now = tags::invalidate(db, tags, *most)?,
            Self::Delete { keys, found, .. } => {
                *found = 0;
                for key in keys.iter() {
                    *found += delete(db, key)?;
                }
            }
            Self::Clear(_) => {
                db.execute("DELETE FROM entries", ())?;
            }
            Self::Forget(id) => forget(db, *id)?,
        }
        Ok(())
    }

    fn done(self, result: Result<(), Failure>) {
        // Whoever asked may have gone.
        match self {
            Self::Set { asker, .. } | Self::Clear(asker) => drop(asker.send(result)),
            Self::Delete { asker, found, .. } => drop(asker.send(result.map(|()| found))),
            Self::Invalidate { asker, now, .. } => drop(asker.send(result.map(|()| now))),
            Self::Forget(_) => {}
        }
    }
}

/// A row that is there is replaced where it is, and that counts as a use: no index changes, so
/// that a third of the pages is written.
fn put(
    db: &Connection,
    key: &[u8],
    value: &[u8],
    expires: Option<i64>,
    label: &Label<'_>,
    touched: &Touched,
) -> rusqlite::Result<()> {
    let sum = row::sum(key, expires, label, value);
    let row = (key, expires, sum, label.born, label.tags, value);
    let replace = "UPDATE entries SET expires = ?2, sum = ?3, born = ?4, tags = ?5, value = ?6
        WHERE key = ?1 RETURNING id";
    let mut replace = db.prepare_cached(replace)?;
    let mut rows = replace.query(row)?;
    if let Some(row) = rows.next()? {
        touched.touch(row.get(0)?);
        // The statement is done when it has no more rows.
        return rows.next().map(drop);
    }
    let insert = "INSERT INTO entries (key, expires, sum, born, tags, value)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
    db.prepare_cached(insert)?.execute(row)?;
    Ok(())
}

/// Deletes a row if it is damaged still: something sound may have taken its place, or its number.
fn forget(db: &Connection, id: i64) -> rusqlite::Result<()> {
    let look = "SELECT id, expires, sum, born, tags, value, key FROM entries WHERE id = ?1";
    let damaged = {
        let mut look = db.prepare_cached(look)?;
        let mut rows = look.query((id,))?;
        match rows.next()? {
            Some(row) => {
                let key = row.get_ref(6)?.as_bytes().unwrap_or_default();
                matches!(row::read(key, row)?, Found::Damaged(_))
            }
            None => false,
        }
    };
    if damaged {
        db.prepare_cached("DELETE FROM entries WHERE id = ?1")?.execute((id,))?;
    }
    Ok(())
}

/// Deletes a key; one if it was there and its time not over.
fn delete(db: &Connection, key: &str) -> rusqlite::Result<u64> {
    let delete = "DELETE FROM entries WHERE key = ?1 RETURNING expires";
    let mut delete = db.prepare_cached(delete)?;
    let mut rows = delete.query((key.as_bytes(),))?;
    let mut found = 0;
    while let Some(row) = rows.next()? {
        let expires: Option<i64> = row.get(0)?;
        found += u64::from(expires.is_none_or(|expires| expires > now_millis()));
    }
    Ok(found)
}

fn now_millis() -> i64 {
    i64::try_from(wall::now()).unwrap_or(i64::MAX)
}

/// Keeps the bound, and sweeps what has expired.
pub(super) struct Bounds {
    max_size: u64,
    page: u64,
    sweep: Duration,
    clock: SystemClock,
    /// When the next sweep is due.
    due: Duration,
    touched: Arc<Touched>,
    meters: Arc<DiskMeters>,
    used: u64,
    evicted: u64,
}

impl Bounds {
    pub(super) fn new(
        db: &Connection,
        max_size: u64,
        sweep: Duration,
        touched: Arc<Touched>,
        meters: Arc<DiskMeters>,
    ) -> rusqlite::Result<Self> {
        let mut bounds = Self {
            max_size,
            page: pragma(db, "PRAGMA page_size")?,
            sweep,
            clock: SystemClock::new(),
            due: Duration::ZERO,
            touched,
            meters,
            used: 0,
            evicted: 0,
        };
        bounds.used = bounds.used(db)?;
        bounds.meters.used(bounds.used);
        Ok(bounds)
    }

    /// Bytes of the file that hold something.
    fn used(&self, db: &Connection) -> rusqlite::Result<u64> {
        let pages = pragma(db, "PRAGMA page_count")?;
        let free = pragma(db, "PRAGMA freelist_count")?;
        Ok(pages.saturating_sub(free).saturating_mul(self.page))
    }

    /// Removes the oldest rows, but moves those to the end that were read, as long as `spared`
    /// lasts. How many were removed.
    fn evict(&self, db: &Connection, spared: &mut u32) -> rusqlite::Result<usize> {
        let mut removed = 0;
        for id in oldest(db)? {
            if *spared > 0 && self.touched.take(id) {
                *spared -= 1;
                let moved =
                    "UPDATE entries SET id = (SELECT max(id) + 1 FROM entries) WHERE id = ?1";
                db.prepare_cached(moved)?.execute((id,))?;
            } else {
                let delete = "DELETE FROM entries WHERE id = ?1";
                removed += db.prepare_cached(delete)?.execute((id,))?;
            }
        }
        Ok(removed)
    }
}

fn oldest(db: &Connection) -> rusqlite::Result<Vec<i64>> {
    let mut oldest = db.prepare_cached("SELECT id FROM entries ORDER BY id LIMIT ?1")?;
    let ids = oldest.query_map((CHUNK,), |row| row.get(0))?;
    ids.collect()
}

fn pragma(db: &Connection, sql: &str) -> rusqlite::Result<u64> {
    let value: i64 = db.prepare_cached(sql)?.query_row((), |row| row.get(0))?;
    Ok(u64::try_from(value).unwrap_or(0))
}

impl Keeper for Bounds {
    fn settle(&mut self, db: &Connection, writes: usize) -> rusqlite::Result<()> {
        self.evicted = 0;
        // As many as were written may be moved: then making room costs no more than writing.
        let mut spared = u32::try_from(writes).unwrap_or(CHUNK).max(CHUNK);
        self.used = self.used(db)?;
        while self.used > self.max_size {
            let (before, removed) = (spared, self.evict(db, &mut spared)?);
            if removed == 0 && spared == before {
                // Nothing is left, and the empty file is larger than the bound.
                break;
            }
            self.evicted += u64::try_from(removed).unwrap_or(0);
            self.used = self.used(db)?;
        }
        Ok(())
    }

    fn settled(&mut self) {
        self.meters.used(self.used);
        self.meters.evicted(self.evicted);
    }

    fn failed(&mut self, _failure: &Failure) {
        self.meters.write_failed();
    }

    fn tend(&mut self, db: &Connection) -> Option<Duration> {
        let now = self.clock.now();
        if now < self.due {
            return Some(self.due.saturating_sub(now));
        }
        let sweep = "DELETE FROM entries WHERE id IN
            (SELECT id FROM entries WHERE expires <= ?1 ORDER BY expires LIMIT ?2)";
        let swept =
            db.prepare_cached(sweep).and_then(|mut sweep| sweep.execute((now_millis(), SWEPT)));
        let Ok(swept) = swept else {
            self.meters.write_failed();
            self.due = now.saturating_add(self.sweep);
            return Some(self.sweep);
        };
        let swept = u64::try_from(swept).unwrap_or(0);
        self.meters.expired(swept);
        if swept == u64::from(SWEPT) {
            // There may be more.
            return Some(Duration::ZERO);
        }
        if let Ok(used) = self.used(db) {
            self.used = used;
            self.meters.used(used);
        }
        self.due = now.saturating_add(self.sweep);
        Some(self.sweep)
    }
}
