//! What a row is, and how damage to it is noticed.

use rusqlite::Row;

use crate::sqlite::file::Kind;

/// The store's file. `id` counts in the order of writing, so that the oldest rows lie together;
/// removing them frees whole pages.
pub(super) const FILE: Kind = Kind {
    id: 0x7663_6163,
    version: 1,
    schema: "CREATE TABLE entries (
        id INTEGER PRIMARY KEY,
        key BLOB NOT NULL UNIQUE,
        expires INTEGER,
        sum INTEGER NOT NULL,
        value BLOB NOT NULL
    );
    CREATE INDEX entries_by_expiry ON entries (expires) WHERE expires IS NOT NULL",
    probe: "SELECT id, key, expires, sum, value FROM entries LIMIT 1",
};

/// The checksum of a row: CRC-32 (ISO 3309) over the value, the key and the time. SQLite has none
/// of its own for its pages, and this one costs nothing beside the copy of the value.
pub(super) fn sum(key: &[u8], expires: Option<i64>, value: &[u8]) -> i64 {
    let mut crc = crc32fast::Hasher::new();
    crc.update(value);
    crc.update(key);
    crc.update(&expires.unwrap_or(i64::MAX).to_le_bytes());
    crc.finalize().into()
}

/// A time as a row holds it: milliseconds since the Unix epoch; never, where that overflows.
pub(super) fn expiry(now: u64, ttl: u64) -> Option<i64> {
    i64::try_from(now.saturating_add(ttl)).ok()
}

/// What came of reading a row.
pub(super) enum Found {
    /// Bytes, and when they expire.
    Value(Vec<u8>, Option<i64>),
    /// Bytes that are not those written; the row's id.
    Damaged(i64),
}

/// Reads a row of `id, expires, sum, value`.
pub(super) fn read(key: &[u8], row: &Row<'_>) -> rusqlite::Result<Found> {
    let id: i64 = row.get(0)?;
    let expires: Option<i64> = row.get(1)?;
    let written: i64 = row.get(2)?;
    let Ok(value) = row.get_ref(3)?.as_blob() else {
        return Ok(Found::Damaged(id));
    };
    if sum(key, expires, value) != written {
        return Ok(Found::Damaged(id));
    }
    Ok(Found::Value(value.to_vec(), expires))
}
