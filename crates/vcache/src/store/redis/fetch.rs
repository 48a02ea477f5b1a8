//! Fetching entries: a read by itself, or joined with those that are made at the same time.

use ::redis::{Cmd, Value};

use super::RedisStore;
use super::breaker::Spot;
use super::error::is_wrong_type;
use super::gather::{End, Fetched, Several};
use super::generations::Clock;
use crate::store::StoreError;

impl RedisStore {
    /// What Redis has under `entry`, and its clock if reads ask for that.
    pub(super) async fn fetched(&self, entry: &str) -> Result<Fetched, StoreError> {
        let spot = self.inner.link.spot(entry);
        // In a Cluster each key has a node of its own, and its client joins what goes there.
        let Some(lane) = self.inner.gather.lane(spot.lane) else {
            return self.fetched_alone(spot, entry).await;
        };
        if let Some(_alone) = lane.alone() {
            return self.fetched_alone(spot, entry).await;
        }
        match lane.join(entry, |end| joined(self.clone(), spot, end)).await {
            Some(answer) => answer,
            None => self.fetched_alone(spot, entry).await,
        }
    }

    async fn fetched_alone(&self, spot: Spot, entry: &str) -> Result<Fetched, StoreError> {
        if self.inner.generations.is_wanted() {
            let mut spot = spot;
            spot.groups |= self.inner.link.spot(&self.inner.generations.clock_key).groups;
            let mut command = Cmd::new();
            command.arg("MGET").arg(entry);
            let Several { mut values, asked, clock } = self.fetched_all(spot, command).await?;
            return Ok(Fetched { value: values.pop().unwrap_or(Value::Nil), asked, clock });
        }
        match self.inner.link.call(spot, &Cmd::get(entry)).await {
            Ok(value) => Ok(Fetched { value, asked: false, clock: None }),
            // As `MGET` says it.
            Err(error) if is_wrong_type(&error) => {
                Ok(Fetched { value: Value::Nil, asked: false, clock: None })
            }
            Err(error) => Err(error),
        }
    }

    /// Sends an `MGET` of entries, and asks for the clock with it if reads do; the values are in
    /// their order.
    pub(super) async fn fetched_all(
        &self,
        spot: Spot,
        mut command: Cmd,
    ) -> Result<Several, StoreError> {
        let generations = &self.inner.generations;
        let asked = generations.is_wanted();
        if asked {
            command.arg(&generations.clock_key);
        }
        let Value::Array(mut values) = self.inner.link.call(spot, &command).await? else {
            return Err(StoreError::Refused("MGET answered with something else".into()));
        };
        let clock = if asked { values.pop() } else { None };
        Ok(Several { values, asked, clock: clock.as_ref().and_then(Clock::read) })
    }
}

/// Sends a batch when it is complete, and hands out the answer.
async fn joined(store: RedisStore, spot: Spot, end: End) {
    let Some(lane) = store.inner.gather.lane(spot.lane) else { return };
    let Some(command) = lane.gathered(&end).await else { return };
    let answer = store.fetched_all(spot, command).await;
    if let Ok(several) = &answer {
        lane.learn(&several.values);
    }
    end.answered(answer);
}
