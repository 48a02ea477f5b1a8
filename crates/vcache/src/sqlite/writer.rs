//! One thread that writes, and commits what has queued meanwhile as one group.

use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::RecvTimeoutError;
use std::thread;
use std::time::Duration;

use rusqlite::Connection;
use tokio::sync::oneshot;

use super::failure::Failure;
use super::queue::{Item, Items, Room};

/// Most writes of one group: more waits longer, and the log grows in larger steps.
const GROUP: usize = 1024;
/// Bytes of a group, from which on it is closed.
const GROUP_BYTES: u64 = 4 << 20;
/// Statements that stay compiled.
const STATEMENTS: usize = 32;

/// A write: what to do, and whom to tell.
pub(crate) trait Work: Send + 'static {
    /// Does it within the group's transaction; again if the group was rolled back.
    fn apply(&mut self, db: &Connection) -> rusqlite::Result<()>;
    /// Tells that it is committed, or why not.
    fn done(self, result: Result<(), Failure>);
}

/// What the thread does beside.
pub(crate) trait Keeper: Send + 'static {
    /// Before each commit of so many writes, in their transaction.
    fn settle(&mut self, db: &Connection, writes: usize) -> rusqlite::Result<()>;
    /// After each commit, before anybody is told.
    fn settled(&mut self) {}
    /// A write failed.
    fn failed(&mut self, _failure: &Failure) {}
    /// Between groups: does what is due, and says when to be called again at the latest; `None`
    /// for never.
    fn tend(&mut self, _db: &Connection) -> Option<Duration> {
        None
    }
}

struct Writer<W, K> {
    db: Connection,
    path: Arc<Path>,
    items: Items<W>,
    keeper: K,
    closing: bool,
}

/// Starts the thread. It ends, its connection closed, when the queue is closed or dropped; then
/// the receiver is told.
pub(crate) fn spawn<W: Work, K: Keeper>(
    name: &str,
    path: Arc<Path>,
    db: Connection,
    items: Items<W>,
    keeper: K,
) -> std::io::Result<oneshot::Receiver<()>> {
    let (ended, end) = oneshot::channel();
    db.set_prepared_statement_cache_capacity(STATEMENTS);
    let writer = Writer { db, path, items, keeper, closing: false };
    thread::Builder::new().name(name.to_owned()).spawn(move || {
        writer.run();
        // Nobody may be waiting.
        let _ = ended.send(());
    })?;
    Ok(end)
}

impl<W: Work, K: Keeper> Writer<W, K> {
    fn run(mut self) {
        let mut group = Vec::new();
        while !self.closing {
            let patience = self.keeper.tend(&self.db);
            match self.items.wait(patience) {
                Ok(Item::Work(work, room)) => {
                    self.gather(&mut group, work, room);
                    self.commit(&mut group);
                }
                Err(RecvTimeoutError::Timeout) => {}
                Ok(Item::Close) | Err(RecvTimeoutError::Disconnected) => self.closing = true,
            }
        }
        // The last connection to close merges the log; a reader may still be there.
        let _ = self.db.pragma_update(None, "wal_checkpoint", "TRUNCATE");
    }

    /// Takes what has queued.
    fn gather(&mut self, group: &mut Vec<(W, Room)>, work: W, room: Room) {
        let mut bytes = room.bytes();
        group.push((work, room));
        while group.len() < GROUP && bytes < GROUP_BYTES {
            match self.items.next() {
                Some(Item::Work(work, room)) => {
                    bytes = bytes.saturating_add(room.bytes());
                    group.push((work, room));
                }
                Some(Item::Close) => {
                    self.closing = true;
                    return;
                }
                None => return,
            }
        }
    }

    fn commit(&mut self, group: &mut Vec<(W, Room)>) {
        if let Err(failure) = self.attempt(group) {
            if group.len() > 1 {
                // One of them may be to blame; the others shall not suffer for it.
                return self.commit_each(group);
            }
            self.keeper.failed(&failure);
            self.make_room(&failure);
            finish(group, &Err(failure));
        } else {
            finish(group, &Ok(()));
        }
    }

    fn commit_each(&mut self, group: &mut Vec<(W, Room)>) {
        let mut single = Vec::with_capacity(1);
        for one in group.drain(..) {
            single.push(one);
            self.commit(&mut single);
        }
    }

    fn attempt(&mut self, group: &mut [(W, Room)]) -> Result<(), Failure> {
        let result = self.transact(group);
        if result.is_err() && !self.db.is_autocommit() {
            // Where this fails too, the next transaction says why.
            let _ = self.db.execute_batch("ROLLBACK");
        }
        result.map_err(|error| Failure::new(&self.path, &error))?;
        self.keeper.settled();
        Ok(())
    }

    fn transact(&mut self, group: &mut [(W, Room)]) -> rusqlite::Result<()> {
        self.db.prepare_cached("BEGIN IMMEDIATE")?.execute(())?;
        for (work, _) in group.iter_mut() {
            work.apply(&self.db)?;
        }
        self.keeper.settle(&self.db, group.len())?;
        self.db.prepare_cached("COMMIT")?.execute(())?;
        Ok(())
    }

    /// A merged log needs less room than a full one.
    fn make_room(&self, failure: &Failure) {
        if failure.is_full() {
            let _ = self.db.pragma_update(None, "wal_checkpoint", "TRUNCATE");
        }
    }
}

fn finish<W: Work>(group: &mut Vec<(W, Room)>, result: &Result<(), Failure>) {
    for (work, _room) in group.drain(..) {
        work.done(result.clone());
    }
}
