//! What a warmer counts for each of its patterns.

use std::borrow::Cow;
use std::error::Error;
use std::sync::{Mutex, PoisonError};

use super::metrics::PatternMeters;
use super::target::Warmed;

/// The longest error that is kept, in bytes.
const LONGEST: usize = 512;

/// The figures of one pattern, since its warmer began.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct PatternStats {
    /// Its name.
    pub name: Cow<'static, str>,
    /// Its priority.
    pub priority: i32,
    /// Rounds of it that are over.
    pub rounds: u64,
    /// Keys that it had in its last round, or has so far in the one under way.
    pub keys: u64,
    /// Keys fetched and given to the cache.
    pub loaded: u64,
    /// Keys left alone because the cache had them, fresh until the next round.
    pub skipped: u64,
    /// Keys whose fetch failed, panicked or took too long.
    pub failed: u64,
    /// Rounds in which it could not make its keys.
    pub failed_rounds: u64,
    /// What went wrong last, of a key or of making them; at most 512 bytes.
    pub last_error: Option<String>,
}

/// The figures of one pattern, being counted.
pub(super) struct Tally {
    stats: Mutex<PatternStats>,
    meters: PatternMeters,
}

impl Tally {
    pub(super) fn new(warmer: &str, name: Cow<'static, str>, priority: i32) -> Self {
        let meters = PatternMeters::new(warmer, &name);
        let stats = PatternStats { name, priority, ..PatternStats::default() };
        Self { stats: Mutex::new(stats), meters }
    }

    pub(super) fn read(&self) -> PatternStats {
        self.stats.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn change(&self, change: impl FnOnce(&mut PatternStats)) {
        change(&mut self.stats.lock().unwrap_or_else(PoisonError::into_inner));
    }

    pub(super) fn made(&self, keys: u64) {
        self.change(|stats| stats.keys = keys);
    }

    pub(super) fn not_made(&self, error: String) {
        self.meters.not_made();
        self.change(|stats| {
            stats.keys = 0;
            stats.failed_rounds += 1;
            stats.last_error = Some(error);
        });
    }

    pub(super) fn done(&self, done: Result<Warmed, String>) {
        self.meters.done(done.as_ref().ok().copied());
        self.change(|stats| match done {
            Ok(Warmed::Loaded) => stats.loaded += 1,
            Ok(Warmed::Skipped) => stats.skipped += 1,
            Err(error) => {
                stats.failed += 1;
                stats.last_error = Some(error);
            }
        });
    }

    pub(super) fn ended(&self) {
        self.change(|stats| stats.rounds += 1);
    }
}

/// An error with its causes, in one line of bounded length.
pub(super) fn said(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause.filter(|_| text.len() < LONGEST) {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    let end = (0..=LONGEST).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
    text.truncate(end);
    text
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;
    use crate::error::LoadError;

    #[test]
    fn an_error_is_said_with_its_causes_and_cut() {
        let error = LoadError::failed(io::Error::other("away"));
        assert_eq!(said(&error), "the load failed: away");
        let long = io::Error::other("é".repeat(LONGEST));
        assert_eq!(said(&long).len(), LONGEST);
        assert_eq!(said(&io::Error::other(format!("a{long}"))).len(), LONGEST - 1);
    }
}
