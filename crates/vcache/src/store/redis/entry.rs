//! Entries: reading and writing them, with what there is to know about their generation.

use std::time::Duration;

use ::redis::{Cmd, Value};
use bytes::Bytes;

use super::envelope::{self, Label, Opened};
use super::gather::{Fetched, Several};
use super::generations::Clock;
use super::{LONGEST, RedisStore, read, set};
use crate::store::wall::now;
use crate::store::{Keeping, StoreError};

/// How often a write is repeated because something of it was invalidated meanwhile. After that it
/// counts as written before the invalidation.
const REPEATS: u32 = 3;

/// An entry with what stands around it; see [`RedisStore::inspect`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct RedisEntry {
    /// The bytes, as they were set.
    pub value: Bytes,
    /// The time left, more than zero; `None` for ever.
    pub left: Option<Duration>,
    /// How long ago it was written, by the clocks of the writer and of this machine.
    pub age: Duration,
    /// How long its load took, if the writer said so.
    pub load_time: Option<Duration>,
    /// Its tags.
    pub tags: Vec<Box<str>>,
}

impl RedisStore {
    /// The entry of `key` with what stands around it, for operators.
    ///
    /// Cancel safety: a dropped future leaves nothing behind.
    ///
    /// # Errors
    ///
    /// As for [`get`](crate::Store::get).
    pub async fn inspect(&self, key: &str) -> Result<Option<RedisEntry>, StoreError> {
        Ok(self.opened(key).await?.map(|opened| RedisEntry {
            value: opened.value,
            left: opened.left,
            age: opened.age,
            load_time: Some(opened.load_time).filter(|time| !time.is_zero()),
            tags: opened.tags,
        }))
    }

    /// What stands under `key`, if it counts.
    pub(super) async fn opened(&self, key: &str) -> Result<Option<Opened>, StoreError> {
        let Fetched { value, asked, clock } = self.fetched(&self.inner.keys.entry(key)).await?;
        match self.unsealed(value)? {
            Some(opened) if self.needs_clock(&opened) => {
                let clock = if asked { clock } else { self.first_clock().await? };
                self.counted(opened, clock).await
            }
            opened => Ok(opened),
        }
    }

    /// What stands under each of `entries`, as Redis has the keys, if it counts.
    pub(super) async fn opened_many(
        &self,
        entries: &[String],
    ) -> Result<Vec<Option<Opened>>, StoreError> {
        if entries.is_empty() {
            return Ok(Vec::new());
        }
        let (link, generations) = (&self.inner.link, &self.inner.generations);
        // In a Cluster its client splits the command by slots.
        let mut command = Cmd::new();
        command.arg("MGET").arg(entries);
        let mut spot = link.spot_of(entries);
        if generations.is_wanted() {
            spot.groups |= link.spot(&generations.clock_key).groups;
        }
        let Several { values, mut asked, mut clock } = self.fetched_all(spot, command).await?;
        let mut found = Vec::with_capacity(values.len());
        for value in values {
            let opened = match self.unsealed(value)? {
                Some(opened) if self.needs_clock(&opened) => {
                    if !asked {
                        (asked, clock) = (true, self.first_clock().await?);
                    }
                    self.counted(opened, clock).await?
                }
                opened => opened,
            };
            found.push(opened);
        }
        Ok(found)
    }

    /// The clock, for the first entry with tags: from now on reads ask for it as well.
    async fn first_clock(&self) -> Result<Option<Clock>, StoreError> {
        self.inner.generations.want();
        self.clock().await
    }

    fn needs_clock(&self, opened: &Opened) -> bool {
        self.inner.clears_by_generation || !opened.tags.is_empty()
    }

    /// Opens what Redis had; what is no entry is counted and absent.
    fn unsealed(&self, value: Value) -> Result<Option<Opened>, StoreError> {
        let bytes = match value {
            Value::Nil => return Ok(None),
            Value::BulkString(bytes) => bytes,
            other => read::<Vec<u8>>(other)?,
        };
        match envelope::open(Bytes::from(bytes), now()) {
            Ok(opened) => Ok(opened),
            Err(fault) => {
                self.inner.meters.refused(fault);
                Ok(None)
            }
        }
    }

    /// Keeps a value under `key`.
    pub(super) async fn keep(
        &self,
        key: &str,
        value: Bytes,
        keeping: Keeping<'_>,
    ) -> Result<(), StoreError> {
        let ttl = self.lifetime(keeping.ttl);
        let entry = self.inner.keys.entry(key);
        if ttl == Some(Duration::ZERO) {
            return self.unlink(&[entry]).await.map(drop);
        }
        let label = self.label(ttl, &keeping);
        if label.tags.is_empty() && !self.inner.clears_by_generation {
            let (link, bytes) = (&self.inner.link, sealed(&value, &label)?);
            return link.call(link.spot(&entry), &set(&entry, &bytes, ttl)).await.map(drop);
        }
        self.inner.generations.want();
        self.keep_in_generation(&entry, &value, label, keeping.since.map(|since| since.0)).await
    }

    /// What is told about a value beside its generation.
    pub(super) fn label<'a>(&self, ttl: Option<Duration>, keeping: &Keeping<'a>) -> Label<'a> {
        let load_time = keeping.load_time.unwrap_or_default();
        Label { ttl, load_time, tags: keeping.tags, ..Label::default() }
    }

    /// Keeps a value as of the present moment, or as of `since`. The clock comes along with the
    /// answer: if what was invalidated in between concerns this entry, it is written once more,
    /// because it was set after that; but not what was loaded `since` an earlier moment.
    async fn keep_in_generation(
        &self,
        entry: &str,
        value: &[u8],
        mut label: Label<'_>,
        since: Option<u64>,
    ) -> Result<(), StoreError> {
        let (link, generations) = (&self.inner.link, &self.inner.generations);
        if generations.now() == 0 {
            self.learned().await?;
        }
        let mut spot = link.spot(entry);
        spot.groups |= link.spot(&generations.clock_key).groups;
        for _ in 0..REPEATS {
            let known = generations.now();
            label.generation = since.unwrap_or(known).min(known);
            let bytes = sealed(value, &label)?;
            let commands = [set(entry, &bytes, label.ttl), Cmd::get(&generations.clock_key)];
            let clock = self.written(link.call_all(spot, &commands).await?)?;
            if since.is_some() || self.is_current(&label, clock).await? {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Whether all that a label was written without does not concern it.
    async fn is_current(
        &self,
        label: &Label<'_>,
        clock: Option<Clock>,
    ) -> Result<bool, StoreError> {
        let generations = &self.inner.generations;
        match clock {
            Some(clock) if clock.now == label.generation => Ok(true),
            Some(clock) if clock.now >= generations.now() => {
                let clock = self.caught_up(clock).await?;
                let cleared = self.inner.clears_by_generation && label.generation < clock.all;
                Ok(!cleared && generations.hold(label.generation, label.tags))
            }
            _ => {
                self.invalidate("reset", &[]).await?;
                Ok(false)
            }
        }
    }

    /// The clock at the end of the answers to several writes, of which none may have failed.
    fn written(&self, answers: Vec<Value>) -> Result<Option<Clock>, StoreError> {
        let mut clock = None;
        for answer in answers {
            let answer = answer.extract_error().map_err(super::error::failure)?;
            clock = Clock::read(&answer);
        }
        Ok(clock)
    }

    /// Keeps several values for one time, all sent at once.
    pub(super) async fn keep_many(
        &self,
        entries: &[(&str, Bytes)],
        ttl: Option<Duration>,
    ) -> Result<(), StoreError> {
        let keeping = Keeping { ttl, ..Keeping::default() };
        let ttl = self.lifetime(ttl);
        if ttl == Some(Duration::ZERO) || self.inner.clears_by_generation {
            for (key, value) in entries {
                self.keep(key, value.clone(), keeping).await?;
            }
            return Ok(());
        }
        let label = self.label(ttl, &keeping);
        let mut commands = Vec::with_capacity(entries.len());
        let mut keys = Vec::with_capacity(entries.len());
        for (key, value) in entries {
            let entry = self.inner.keys.entry(key);
            commands.push(set(&entry, &sealed(value, &label)?, ttl));
            keys.push(entry);
        }
        let link = &self.inner.link;
        let answers = link.call_all(link.spot_of(&keys), &commands).await?;
        self.written(answers).map(drop)
    }
}

pub(super) fn sealed(value: &[u8], label: &Label<'_>) -> Result<Vec<u8>, StoreError> {
    debug_assert!(label.ttl.is_none_or(|ttl| ttl < LONGEST));
    envelope::seal(value, now(), label).map_err(|error| StoreError::Encode(error.into()))
}
