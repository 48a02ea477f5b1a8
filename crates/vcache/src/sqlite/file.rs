//! Opening a file of ours, or moving aside what stands in its place.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

use super::failure::{OpenError, is_damage};

/// Another process that opens the same file is waited for so long.
const BUSY: Duration = Duration::from_secs(5);
/// Pages of the log before it is merged into the file: 32 MiB. Less syncs more often.
const LOG_PAGES: u32 = 4096;
/// What a merged log may keep of its room.
const LOG_LEFT: u32 = 64 << 20;
const PAGE: u32 = 8192;

/// What to do with a file that is damaged, foreign or of another version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case"))]
#[non_exhaustive]
pub enum OnCorrupt {
    /// Opening fails, the file stays as it is, and somebody decides.
    #[default]
    Fail,
    /// It is moved aside (its name with `.damaged` added; one such file is kept), and an empty
    /// one takes its place.
    Recreate,
}

/// What a committed write survives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case"))]
#[non_exhaustive]
pub enum Durability {
    /// The end of the process, however sudden. A power cut or a crash of the system may undo the
    /// last commits, in order, and never damages the file: SQLite's `synchronous = NORMAL`.
    #[default]
    Process,
    /// A power cut as well: every group of writes waits for the disk (`synchronous = FULL`),
    /// which takes milliseconds.
    Power,
}

/// A kind of file: how it is told from others, and what is in it.
pub(crate) struct Kind {
    /// SQLite's `application_id`.
    pub(crate) id: i64,
    /// SQLite's `user_version`.
    pub(crate) version: i64,
    /// Makes the tables.
    pub(crate) schema: &'static str,
    /// Finds out whether the tables are what they should be.
    pub(crate) probe: &'static str,
}

/// How a file is opened.
pub(crate) struct Opening<'a> {
    pub(crate) path: &'a Path,
    pub(crate) kind: &'a Kind,
    pub(crate) on_corrupt: OnCorrupt,
    pub(crate) durability: Durability,
    pub(crate) cache_size: u64,
    pub(crate) verify: bool,
}

impl Opening<'_> {
    /// A connection that may write; the file is made if it is not there.
    pub(crate) fn open(&self) -> Result<Connection, OpenError> {
        let error = match self.try_open() {
            Ok(db) => return Ok(db),
            Err(error) => error,
        };
        let replaceable = matches!(
            error,
            OpenError::Damaged { .. } | OpenError::Foreign { .. } | OpenError::Version { .. }
        );
        if self.on_corrupt == OnCorrupt::Fail || !replaceable {
            return Err(error);
        }
        self.move_aside().map_err(|error| OpenError::Unusable {
            path: self.path.into(),
            source: error.into(),
        })?;
        self.try_open()
    }

    /// One more connection, for reading.
    pub(crate) fn reader(&self) -> Result<Connection, OpenError> {
        let open = || {
            let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
            let db = Connection::open_with_flags(self.path, flags)?;
            self.tune(&db)?;
            db.pragma_update(None, "query_only", true)?;
            Ok(db)
        };
        open().map_err(|error| self.failed(error))
    }

    fn try_open(&self) -> Result<Connection, OpenError> {
        let connect = || {
            let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
                | OpenFlags::SQLITE_OPEN_CREATE
                | OpenFlags::SQLITE_OPEN_NO_MUTEX;
            let db = Connection::open_with_flags(self.path, flags)?;
            db.busy_timeout(BUSY)?;
            let id: i64 = db.pragma_query_value(None, "application_id", |row| row.get(0))?;
            let version: i64 = db.pragma_query_value(None, "user_version", |row| row.get(0))?;
            let tables: i64 =
                db.query_row("SELECT count(*) FROM sqlite_schema", (), |row| row.get(0))?;
            Ok((db, id, version, tables))
        };
        let (db, id, version, tables) = connect().map_err(|error| self.failed(error))?;
        if tables > 0 && id != self.kind.id {
            return Err(OpenError::Foreign { path: self.path.into() });
        }
        if tables > 0 && version != self.kind.version {
            let known = self.kind.version;
            return Err(OpenError::Version { path: self.path.into(), found: version, known });
        }
        self.prepare(&db, tables == 0).map_err(|error| self.failed(error))?;
        Ok(db)
    }

    fn prepare(&self, db: &Connection, empty: bool) -> rusqlite::Result<()> {
        if empty {
            db.pragma_update(None, "page_size", PAGE)?;
        }
        self.tune(db)?;
        db.pragma_update(None, "journal_mode", "WAL")?;
        db.pragma_update(None, "wal_autocheckpoint", LOG_PAGES)?;
        db.pragma_update(None, "journal_size_limit", LOG_LEFT)?;
        if empty {
            // In one step, so that a kill leaves no half of it.
            let (id, version) = (self.kind.id, self.kind.version);
            let schema = self.kind.schema;
            db.execute_batch(&format!(
                "BEGIN IMMEDIATE; {schema};
                 PRAGMA application_id = {id}; PRAGMA user_version = {version}; COMMIT"
            ))?;
        }
        let mut probe = db.prepare(self.kind.probe)?;
        probe.query(())?.next()?;
        if self.verify { verify(db) } else { Ok(()) }
    }

    fn tune(&self, db: &Connection) -> rusqlite::Result<()> {
        db.busy_timeout(BUSY)?;
        let kib = i64::try_from(self.cache_size / 1024).unwrap_or(i64::MAX);
        // Negative counts KiB, positive would count pages.
        db.pragma_update(None, "cache_size", -kib)?;
        let synchronous = match self.durability {
            Durability::Process => "NORMAL",
            Durability::Power => "FULL",
        };
        db.pragma_update(None, "synchronous", synchronous)
    }

    fn failed(&self, error: rusqlite::Error) -> OpenError {
        let path = self.path.into();
        let code = error.sqlite_error_code();
        // A statement that does not fit the tables: they are not ours.
        if is_damage(code) || code == Some(rusqlite::ErrorCode::Unknown) {
            OpenError::Damaged { path, source: error.into() }
        } else {
            OpenError::Unusable { path, source: error.into() }
        }
    }

    fn move_aside(&self) -> io::Result<()> {
        for end in ["", "-wal"] {
            match fs::rename(self.beside(end), self.beside(&format!(".damaged{end}"))) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        // An index of the log, worth nothing without it; may be absent.
        let _ = fs::remove_file(self.beside("-shm"));
        Ok(())
    }

    fn beside(&self, end: &str) -> PathBuf {
        let mut name = OsString::from(self.path);
        name.push(end);
        name.into()
    }
}

fn verify(db: &Connection) -> rusqlite::Result<()> {
    let found: String = db.query_row("PRAGMA quick_check(1)", (), |row| row.get(0))?;
    if found == "ok" {
        return Ok(());
    }
    let damage = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_CORRUPT);
    Err(rusqlite::Error::SqliteFailure(damage, Some(found)))
}
