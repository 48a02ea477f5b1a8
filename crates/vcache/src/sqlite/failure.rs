//! What SQLite said, kept so that everybody who waited for it can be told.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rusqlite::ErrorCode;

/// Why a file could not be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The file or its folder cannot be read or written.
    #[error("{} cannot be opened", path.display())]
    Unusable {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The file is no SQLite file, or a damaged one.
    #[error("{} is damaged, or no file of ours", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What SQLite found.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A sound SQLite file that another program, or another part of this one, keeps.
    #[error("{} belongs to another program", path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
    },
    /// The file was written by another version.
    #[error("{} has version {found}, this program reads version {known}", path.display())]
    Version {
        /// The file.
        path: PathBuf,
        /// The version of the file.
        found: i64,
        /// The version that this program reads and writes.
        known: i64,
    },
    /// A setting makes no sense.
    #[error("{name} is {value}, and must be {wanted}")]
    Setting {
        /// The setting.
        name: &'static str,
        /// What it was set to.
        value: u64,
        /// What it may be.
        wanted: &'static str,
    },
}

/// An error of SQLite with the file that it happened to. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Failure {
    path: Arc<Path>,
    text: Arc<str>,
    code: Option<ErrorCode>,
}

impl Failure {
    pub(crate) fn new(path: &Arc<Path>, error: &rusqlite::Error) -> Self {
        let text = error.to_string().into();
        Self { path: Arc::clone(path), text, code: error.sqlite_error_code() }
    }

    /// There is no room left for the file.
    pub(crate) fn is_full(&self) -> bool {
        self.code == Some(ErrorCode::DiskFull)
    }

    /// The file's content makes no sense.
    pub(crate) fn is_damage(&self) -> bool {
        is_damage(self.code)
    }

    /// Another process holds the file; it will let go of it.
    pub(crate) fn is_busy(&self) -> bool {
        matches!(self.code, Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked))
    }
}

/// Whether the code tells of content that makes no sense.
pub(super) fn is_damage(code: Option<ErrorCode>) -> bool {
    matches!(code, Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase))
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path.display(), self.text)
    }
}

impl std::error::Error for Failure {}
