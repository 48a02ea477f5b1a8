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

/// Why a group failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Blame {
    /// Because of one of its writes, or of how many they are.
    Write,
    /// Because of the file: any other group would have failed as well, perhaps after a wait.
    File,
}

/// Whom the error of a statement, or of a commit, tells of.
fn by_code(error: rusqlite::Error) -> (rusqlite::Error, Blame) {
    use rusqlite::ErrorCode::{
        CannotOpen, DatabaseBusy, DatabaseLocked, ReadOnly, SystemIoFailure,
    };
    let file = matches!(
        error.sqlite_error_code(),
        Some(CannotOpen | DatabaseBusy | DatabaseLocked | ReadOnly | SystemIoFailure)
    );
    (error, if file { Blame::File } else { Blame::Write })
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
        let Err((failure, by)) = self.attempt(group) else {
            return finish(group, &Ok(()));
        };
        if group.len() > 1 && by == Blame::Write {
            // The others shall not suffer for it.
            return self.commit_each(group);
        }
        for _ in group.iter() {
            self.keeper.failed(&failure);
        }
        self.make_room(&failure);
        finish(group, &Err(failure));
    }

    fn commit_each(&mut self, group: &mut Vec<(W, Room)>) {
        let mut single = Vec::with_capacity(1);
        for one in group.drain(..) {
            single.push(one);
            self.commit(&mut single);
        }
    }

    fn attempt(&mut self, group: &mut [(W, Room)]) -> Result<(), (Failure, Blame)> {
        let result = self.transact(group);
        if result.is_err() && !self.db.is_autocommit() {
            // Where this fails too, the next transaction says why.
            let _ = self.db.execute_batch("ROLLBACK");
        }
        result.map_err(|(error, by)| (Failure::new(&self.path, &error), by))?;
        self.keeper.settled();
        Ok(())
    }

    fn transact(&mut self, group: &mut [(W, Room)]) -> Result<(), (rusqlite::Error, Blame)> {
        let run = |sql| self.db.prepare_cached(sql).and_then(|mut it| it.execute(()));
        run("BEGIN IMMEDIATE").map_err(|error| (error, Blame::File))?;
        for (work, _) in group.iter_mut() {
            work.apply(&self.db).map_err(by_code)?;
        }
        self.keeper.settle(&self.db, group.len()).map_err(by_code)?;
        run("COMMIT").map_err(by_code)?;
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

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::super::queue;
    use super::*;

    /// How often a file was found held by another.
    static HELD: AtomicUsize = AtomicUsize::new(0);

    struct Add(i64, oneshot::Sender<Result<(), Failure>>);

    impl Work for Add {
        fn apply(&mut self, db: &Connection) -> rusqlite::Result<()> {
            db.execute("INSERT INTO numbers VALUES (?1)", (self.0,)).map(drop)
        }

        fn done(self, result: Result<(), Failure>) {
            let _ = self.1.send(result);
        }
    }

    #[derive(Default)]
    struct Failures(Arc<AtomicUsize>);

    impl Keeper for Failures {
        fn settle(&mut self, _db: &Connection, _writes: usize) -> rusqlite::Result<()> {
            Ok(())
        }

        fn failed(&mut self, _failure: &Failure) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Writes all `numbers` as one group; what became of each, and how many failures were told.
    fn write(db: Connection, numbers: &[i64]) -> (Vec<Result<(), Failure>>, usize) {
        let (queue, items) = queue::bounded(1 << 20);
        let answers: Vec<_> = numbers
            .iter()
            .map(|number| {
                let (asker, answer) = oneshot::channel();
                assert!(queue.send_small(Add(*number, asker)).is_ok());
                answer
            })
            .collect();
        let keeper = Failures::default();
        let failures = Arc::clone(&keeper.0);
        let end = spawn("test", Path::new("test").into(), db, items, keeper).unwrap();
        let results = answers.into_iter().map(|answer| answer.blocking_recv().unwrap()).collect();
        drop(queue);
        end.blocking_recv().unwrap();
        (results, failures.load(Ordering::Relaxed))
    }

    fn file(folder: &tempfile::TempDir) -> Connection {
        let db = Connection::open(folder.path().join("file")).unwrap();
        let table = "PRAGMA journal_mode = WAL;
            CREATE TABLE IF NOT EXISTS numbers (number INTEGER UNIQUE)";
        db.execute_batch(table).unwrap();
        db
    }

    #[test]
    fn a_file_that_another_process_holds_is_waited_for_once_and_not_by_each_write() {
        let folder = tempfile::tempdir().unwrap();
        let (mut db, other) = (file(&folder), file(&folder));
        other.execute_batch("BEGIN IMMEDIATE").unwrap();
        db.busy_handler(Some(|_| {
            HELD.fetch_add(1, Ordering::Relaxed);
            false
        }))
        .unwrap();
        let (results, failures) = write(db, &[1, 2, 3, 4, 5]);
        assert!(results.iter().all(|it| it.as_ref().is_err_and(Failure::is_busy)), "{results:?}");
        // Once for all of them, and once by merging the log at the end.
        assert_eq!((HELD.load(Ordering::Relaxed), failures), (2, 5));
    }

    #[test]
    fn a_write_that_fails_takes_no_other_with_it() {
        let folder = tempfile::tempdir().unwrap();
        let db = file(&folder);
        let (results, failures) = write(db, &[1, 2, 1, 3]);
        let fine: Vec<_> = results.iter().map(Result::is_ok).collect();
        assert_eq!((fine, failures), (vec![true, true, false, true], 1));
    }
}
