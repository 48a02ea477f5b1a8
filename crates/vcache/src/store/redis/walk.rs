//! Walks over the keyspace, in small steps.

use std::collections::HashSet;

use ::redis::{Cmd, Value};

use super::envelope::Head;
use super::nodes::Node;
use super::{MANY, RedisStore, head_of, read};
use crate::store::{ScanStore, StoreError};

/// Walks go over the whole keyspace with `SCAN`, in small steps, in a Cluster over that of each
/// primary. Keys that are no text are not this store's. Bytes under our prefix that are no entry of
/// this version count and are deleted with the others. Slots that move from one node to another
/// meanwhile may be missed.
impl ScanStore for RedisStore {
    async fn scan(&self, prefix: &str, most: usize) -> Result<Vec<String>, StoreError> {
        // `SCAN` may give a key twice.
        let mut found = HashSet::new();
        for node in self.inner.link.nodes().await? {
            let mut cursor = Some(0);
            while let Some(at) = cursor.filter(|_| found.len() < most) {
                let (entries, next) = self.step(&node, prefix, at).await?;
                let keys = entries.iter().map(|entry| self.key_of(entry.as_bytes()));
                found.extend(keys.flatten());
                cursor = next;
            }
        }
        Ok(found.into_iter().take(most).collect())
    }

    async fn count(&self) -> Result<u64, StoreError> {
        let keys = self.scan("", usize::MAX).await?.len();
        Ok(u64::try_from(keys).unwrap_or(u64::MAX))
    }

    async fn delete_prefix(&self, prefix: &str) -> Result<u64, StoreError> {
        self.unlink_prefix(prefix).await
    }
}

impl RedisStore {
    pub(super) async fn clear_by_walking(&self) -> Result<(), StoreError> {
        self.unlink_prefix("").await.map(drop)
    }

    /// Deletes step by step what a walk finds; nothing is held in memory but one step.
    async fn unlink_prefix(&self, prefix: &str) -> Result<u64, StoreError> {
        let mut deleted = 0;
        for node in self.inner.link.nodes().await? {
            let mut cursor = Some(0);
            while let Some(at) = cursor {
                let (entries, next) = self.step(&node, prefix, at).await?;
                for entries in entries.chunks(MANY) {
                    deleted += self.unlink(entries).await?;
                }
                cursor = next;
            }
        }
        Ok(deleted)
    }

    /// One step of a walk over what begins with our prefix and then `prefix`: entries' keys as
    /// Redis has them, and the cursor of the next step.
    async fn step(
        &self,
        node: &Node,
        prefix: &str,
        cursor: u64,
    ) -> Result<(Vec<String>, Option<u64>), StoreError> {
        let mut command = Cmd::new();
        command.arg("SCAN").arg(cursor);
        command.arg("MATCH").arg(self.inner.keys.pattern(prefix));
        command.arg("COUNT").arg(MANY);
        let answer = self.inner.link.call_node(node, &command).await?;
        let (next, keys): (u64, Vec<Vec<u8>>) = read(answer)?;
        let ours = |key: Vec<u8>| {
            let key = String::from_utf8(key).ok()?;
            self.key_of(key.as_bytes()).is_some().then_some(key)
        };
        let mut keys: Vec<String> = keys.into_iter().filter_map(ours).collect();
        if self.inner.clears_by_generation {
            keys = self.present(keys).await?;
        }
        Ok((keys, (next > 0).then_some(next)))
    }

    /// Those of `entries` that were not cleared.
    async fn present(&self, entries: Vec<String>) -> Result<Vec<String>, StoreError> {
        let link = &self.inner.link;
        let all = self.clock().await?.map_or(u64::MAX, |clock| clock.all);
        let mut present = Vec::with_capacity(entries.len());
        for entries in entries.chunks(MANY) {
            let heads: Vec<Cmd> = entries.iter().map(|entry| head_of(entry)).collect();
            let heads = link.call_all(link.spot_of(entries), &heads).await?;
            for (entry, head) in entries.iter().zip(heads) {
                let Value::BulkString(head) = head else { continue };
                if Head::of(&head).is_ok_and(|head| head.generation >= all) {
                    present.push(entry.clone());
                }
            }
        }
        Ok(present)
    }
}
