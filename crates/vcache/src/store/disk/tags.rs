//! Tags on disk: a clock that ticks with each invalidation, and when which tag was invalidated.

use rusqlite::{Connection, OptionalExtension};

/// The present tick.
pub(super) fn now(db: &Connection) -> rusqlite::Result<i64> {
    db.prepare_cached("SELECT now FROM clock")?.query_row((), |row| row.get(0))
}

/// Whether none of `tags` was invalidated after the tick `born`.
pub(super) fn hold(db: &Connection, born: i64, tags: &[Box<str>]) -> rusqlite::Result<bool> {
    let mut floor = db.prepare_cached("SELECT floor FROM clock")?;
    if born < floor.query_row((), |row| row.get::<_, i64>(0))? {
        return Ok(false);
    }
    let mut since = db.prepare_cached("SELECT 1 FROM tags WHERE tag = ?1 AND at > ?2")?;
    for tag in tags {
        if since.exists((&**tag, born))? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Notes the invalidation of each of `tags`, and forgets all but the last `most` ticks; the tick
/// then.
pub(super) fn invalidate(db: &Connection, tags: &[Box<str>], most: i64) -> rusqlite::Result<i64> {
    let mut at = now(db)?;
    let mut note = db.prepare_cached("INSERT OR REPLACE INTO tags (tag, at) VALUES (?1, ?2)")?;
    for tag in tags {
        at += 1;
        note.execute((&**tag, at))?;
    }
    let oldest = "SELECT max(at) FROM tags WHERE at <= ?1";
    let forgotten: Option<i64> = db
        .prepare_cached(oldest)?
        .query_row((at.saturating_sub(most),), |row| row.get(0))
        .optional()?
        .flatten();
    if let Some(forgotten) = forgotten {
        db.prepare_cached("DELETE FROM tags WHERE at <= ?1")?.execute((forgotten,))?;
    }
    db.prepare_cached("UPDATE clock SET now = ?1, floor = max(floor, ?2)")?
        .execute((at, forgotten.unwrap_or(0)))?;
    Ok(at)
}
