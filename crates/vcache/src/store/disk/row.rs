//! What a row is, and how damage to it is noticed.

use bytes::Bytes;
use rusqlite::Row;

use crate::sqlite::file::Kind;
use crate::store::taglist;

/// The store's file. `id` counts in the order of writing, so that the oldest rows lie together;
/// removing them frees whole pages.
pub(super) const FILE: Kind = Kind {
    id: 0x7663_6163,
    version: 2,
    schema: "CREATE TABLE entries (
        id INTEGER PRIMARY KEY,
        key BLOB NOT NULL UNIQUE,
        expires INTEGER,
        sum INTEGER NOT NULL,
        born INTEGER NOT NULL,
        tags BLOB,
        value BLOB NOT NULL
    );
    CREATE TABLE tags (tag TEXT PRIMARY KEY, at INTEGER NOT NULL) WITHOUT ROWID;
    CREATE UNIQUE INDEX tags_by_time ON tags (at);
    CREATE TABLE clock (now INTEGER NOT NULL, floor INTEGER NOT NULL);
    INSERT INTO clock VALUES (0, 0);
    CREATE INDEX entries_by_expiry ON entries (expires) WHERE expires IS NOT NULL",
    probe: "SELECT id, key, expires, sum, born, tags, value,
        (SELECT at FROM tags WHERE tag = ''), (SELECT now + floor FROM clock)
        FROM entries LIMIT 1",
};

/// The checksum of a row: CRC-32 (ISO 3309) over the value, the key, the time and the tags. SQLite
/// has none of its own for its pages, and this one costs nothing beside the copy of the value.
pub(super) fn sum(key: &[u8], expires: Option<i64>, label: &Label<'_>, value: &[u8]) -> i64 {
    let mut crc = crc32fast::Hasher::new();
    crc.update(value);
    crc.update(key);
    crc.update(&expires.unwrap_or(i64::MAX).to_le_bytes());
    crc.update(&label.born.to_le_bytes());
    crc.update(label.tags.unwrap_or_default());
    crc.finalize().into()
}

/// The tags of a row.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Label<'a> {
    /// What was invalidated up to this tick does not concern it.
    pub(super) born: i64,
    /// The list, if there is any tag.
    pub(super) tags: Option<&'a [u8]>,
}

/// A time as a row holds it: milliseconds since the Unix epoch; never, where that overflows.
pub(super) fn expiry(now: u64, ttl: u64) -> Option<i64> {
    i64::try_from(now.saturating_add(ttl)).ok()
}

/// What came of reading a row.
pub(super) enum Found {
    /// Bytes, when they expire, and their tags with the tick at which they were written.
    Value(Vec<u8>, Option<i64>, Option<(i64, Vec<Box<str>>)>),
    /// Bytes that are not those written; the row's id.
    Damaged(i64),
}

/// Reads a row of `id, expires, sum, born, tags, value`.
pub(super) fn read(key: &[u8], row: &Row<'_>) -> rusqlite::Result<Found> {
    let id: i64 = row.get(0)?;
    let expires: Option<i64> = row.get(1)?;
    let written: i64 = row.get(2)?;
    let born: i64 = row.get(3)?;
    let (Ok(tags), Ok(value)) = (row.get_ref(4)?.as_blob_or_null(), row.get_ref(5)?.as_blob())
    else {
        return Ok(Found::Damaged(id));
    };
    if sum(key, expires, &Label { born, tags }, value) != written {
        return Ok(Found::Damaged(id));
    }
    let tags = match tags {
        None => None,
        Some(tags) => match taglist::take(&mut Bytes::copy_from_slice(tags)) {
            Some(tags) => Some((born, tags)),
            None => return Ok(Found::Damaged(id)),
        },
    };
    Ok(Found::Value(value.to_vec(), expires, tags))
}
