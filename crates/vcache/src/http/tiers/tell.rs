//! Telling a purge: to the journal first, so that no tier brings back what memory forgets.

use std::time::{Duration, SystemTime};

use crate::http::key::Key;
use crate::http::purge::Pattern;
use crate::http::tiers::desk::Job;
use crate::http::tiers::inner::Inner;
use crate::http::tiers::journal::Record;
use crate::http::tiers::near::Near;
use crate::http::tiers::place;
use crate::http::tiers::shelf::Shelf;
use crate::random::Random;
use crate::store::StoreError;

/// Where the journal of a cache without Redis stands on its disk.
const JOURNAL: &str = "journal";
/// The time of a journal on disk: longer than anything is stored.
const FOR_EVER: Duration = Duration::from_secs(100 * 365 * 24 * 3600);

impl Inner {
    pub(super) async fn tell(
        &self,
        near: &dyn Near,
        pattern: &Pattern,
        hard: bool,
    ) -> Result<(), StoreError> {
        #[cfg(feature = "redis")]
        if let Some(remote) = &self.remote {
            return self.tell_all(near, remote, pattern, hard).await;
        }
        self.load().await;
        let _turn = self.writing.lock().await;
        let known = self.journal.place();
        let number = Record::number_at(near.now()).max(known.number + 1);
        self.journal.add(&Record { pattern: pattern.clone(), hard, number });
        self.journal.know(number, 0);
        self.save().await
    }

    /// Has a purge told by somebody who can wait.
    pub(super) fn tell_later(&self, pattern: &Pattern, hard: bool) {
        self.journal.defer(pattern.clone(), hard);
        // Any lane will do.
        self.desk.leave(&Key::from_text(String::new()), Job::Tell);
    }

    /// Tells what could not be told before.
    pub(super) async fn tell_pending(&self, near: &dyn Near) {
        for record in self.journal.pending() {
            if self.tell(near, &record.pattern, record.hard).await.is_err() {
                return;
            }
            self.journal.told(&record);
        }
    }

    /// Forgets what stands under a URL; whether there was anything, here or on its way.
    pub(super) async fn had_url(&self, near: &dyn Near, key: &Key) -> bool {
        // What comes in its place is to know where the journal is.
        self.load().await;
        let mut was_there = near.has(key) || self.desk.is_busy_with(key);
        let place = place::of_url(key);
        for shelf in &self.shelves {
            // Who cannot tell may have it.
            was_there |= shelf.delete(&place).await.unwrap_or(true);
        }
        was_there
    }

    /// Reads the journal, of a cache without Redis, for the first time.
    pub(super) async fn load(&self) {
        #[cfg(feature = "redis")]
        if self.remote.is_some() {
            return;
        }
        self.loaded.get_or_init(|| self.restored()).await;
    }

    async fn restored(&self) {
        let Some(shelf) = self.own() else { return };
        // A slow disk at the start would cost all that is on it.
        for _ in 0..10 {
            match shelf.get(JOURNAL).await {
                Ok(Some((bytes, _))) if self.journal.restore(bytes.clone()) => return,
                Ok(_) => break,
                Err(_) => {}
            }
        }
        // None, or one that nobody can read: what was stored before it is doubted.
        self.journal.begin(Random::new().next().max(1));
        self.journal.know(Record::number_at(SystemTime::now()), 0);
        let _ = self.save().await;
    }

    /// Saves the journal, so that it is younger than what it is about, and goes for room later.
    pub(super) async fn save_again(&self) {
        if self.loaded.initialized() {
            let _turn = self.writing.lock().await;
            // The one that is there does as well.
            let _ = self.save().await;
        }
    }

    async fn save(&self) -> Result<(), StoreError> {
        let Some(shelf) = self.own() else { return Ok(()) };
        shelf.set(JOURNAL, self.journal.to_bytes(), FOR_EVER).await
    }

    /// The tier of this process alone.
    fn own(&self) -> Option<&Shelf> {
        self.shelves.iter().find(|shelf| !shelf.is_shared())
    }
}
