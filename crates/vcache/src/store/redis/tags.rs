//! Tags: invalidating them, and knowing what was invalidated.

use ::redis::{Cmd, Value};

use super::envelope::Opened;
use super::generations::Clock;
use super::{MANY, RedisStore, read};
use crate::store::{Keeping, Moment, StoreError, TagStore};

/// Tags by generations. A clock in Redis ticks with each invalidation, and a log says which tag was
/// invalidated when; each process knows the log up to some tick. An entry holds its tags and the
/// tick up to which its writer knew the log. So:
///
/// - An invalidation is one step and one round trip, however many entries have the tag.
/// - A write with tags is one: the entry, and the clock in the same pipeline.
/// - A read is one: the entry and the clock, by one command, or in a Cluster by two at once. If the
///   clock has moved since this process asked last and the entry has tags, it asks for the news:
///   one round trip for each invalidation and process, not for each read. Reads ask for the clock
///   from the first tagged entry on that a process writes or meets; before that they cost nothing.
/// - An invalidation that was acknowledged is seen by every read that begins after that.
/// - A clock or log that was lost (evicted, flushed, a failover) begins anew, after everything that
///   it said before, and what is older counts as invalidated.
///
/// In a Cluster the clock and the log lie on one node, which all reads that ask for the clock
/// need.
impl TagStore for RedisStore {
    async fn set_tagged(
        &self,
        key: &str,
        value: bytes::Bytes,
        keeping: Keeping<'_>,
    ) -> Result<(), StoreError> {
        self.keep(key, value, keeping).await
    }

    async fn invalidate_tags(&self, tags: &[&str]) -> Result<(), StoreError> {
        for tags in tags.chunks(MANY) {
            self.invalidate("tags", tags).await?;
        }
        Ok(())
    }

    /// Zero, so that what is loaded meanwhile does not count, until this process has asked Redis
    /// for the clock: with its first use of tags.
    fn moment(&self) -> Moment {
        Moment(self.inner.generations.now())
    }
}

impl RedisStore {
    /// Ticks the clock for `tags`, for everything (`all`), or only to begin anew what is lost.
    pub(super) async fn invalidate(&self, what: &str, tags: &[&str]) -> Result<(), StoreError> {
        let (link, generations) = (&self.inner.link, &self.inner.generations);
        generations.want();
        let (known, most) = (generations.now().to_string(), generations.max_tags.to_string());
        let mut args = vec![known.as_bytes(), what.as_bytes(), most.as_bytes()];
        args.extend(tags.iter().map(|tag| tag.as_bytes()));
        let keys = [generations.clock_key.as_str(), generations.log_key.as_str()];
        let spot = link.spot(&generations.clock_key);
        let clock = link.run(spot, &generations.invalidate, &keys, &args).await?;
        if let Some(clock) = Clock::read(&clock) {
            generations.invalidated(clock, tags);
        }
        Ok(())
    }

    /// What the clock says now; `None` if it is lost.
    pub(super) async fn clock(&self) -> Result<Option<Clock>, StoreError> {
        let (link, key) = (&self.inner.link, &self.inner.generations.clock_key);
        let value = link.call(link.spot(key), &Cmd::get(key)).await?;
        Ok(Clock::read(&value))
    }

    /// The entry, if nothing of it was invalidated by what `clock` says.
    pub(super) async fn counted(
        &self,
        opened: Opened,
        clock: Option<Clock>,
    ) -> Result<Option<Opened>, StoreError> {
        let generations = &self.inner.generations;
        let Some(clock) = clock.filter(|clock| clock.now >= generations.now()) else {
            self.invalidate("reset", &[]).await?;
            return Ok(None);
        };
        if self.inner.clears_by_generation && opened.generation < clock.all {
            return Ok(None);
        }
        if opened.tags.is_empty() {
            return Ok(Some(opened));
        }
        let clock = self.caught_up(clock).await?;
        let holds =
            opened.generation >= clock.floor && generations.hold(opened.generation, &opened.tags);
        Ok(holds.then_some(opened))
    }

    /// Learns what `clock` says that this process does not know; the clock then.
    pub(super) async fn caught_up(&self, clock: Clock) -> Result<Clock, StoreError> {
        if self.inner.generations.now() >= clock.now {
            return Ok(clock);
        }
        let _learning = self.inner.generations.learning.lock().await;
        if self.inner.generations.now() >= clock.now {
            return Ok(clock);
        }
        self.news().await
    }

    /// Learns everything up to now.
    pub(super) async fn learned(&self) -> Result<(), StoreError> {
        let _learning = self.inner.generations.learning.lock().await;
        if self.inner.generations.now() == 0 {
            self.news().await?;
        }
        Ok(())
    }

    /// Asks for the news; begins anew if there is no clock or no whole log, and asks again.
    async fn news(&self) -> Result<Clock, StoreError> {
        if let Some(clock) = self.ask_for_news().await? {
            return Ok(clock);
        }
        self.invalidate("reset", &[]).await?;
        let lost = || StoreError::Refused("the log of invalidations is lost".into());
        self.ask_for_news().await?.ok_or_else(lost)
    }

    async fn ask_for_news(&self) -> Result<Option<Clock>, StoreError> {
        let (link, generations) = (&self.inner.link, &self.inner.generations);
        let known = generations.now().to_string();
        let keys = [generations.clock_key.as_str(), generations.log_key.as_str()];
        let spot = link.spot(&generations.clock_key);
        let answer = link.run(spot, &generations.news, &keys, &[known.as_bytes()]).await?;
        Ok(generations.learn(read::<Value>(answer)?))
    }
}
