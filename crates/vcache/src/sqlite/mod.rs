//! SQLite files: opening ours, telling damaged and foreign ones, and one thread that writes.

pub(crate) mod failure;
pub(crate) mod file;
pub(crate) mod queue;
pub(crate) mod writer;
