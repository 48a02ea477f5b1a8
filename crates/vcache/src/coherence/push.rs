//! What the server pushes, applied where it arrives: in order, and with no queue between.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use ::redis::{PushInfo, PushKind, Value};
use tokio::sync::Notify;

use super::metrics::CoherenceMeters;
use super::{Invalidation, message};
use crate::store::redis::RedisStore;
use crate::tiered::near::Near;

/// Hears what one connection brings.
pub(super) struct Ear {
    pub(super) near: Arc<Near>,
    pub(super) figures: Arc<Figures>,
    /// The connection's number.
    pub(super) number: u64,
    /// This process's number.
    pub(super) own: u64,
    pub(super) store: RedisStore,
    /// Told when the connection is gone.
    pub(super) gone: Arc<Notify>,
}

/// What was heard so far.
pub(super) struct Figures {
    pub(super) meters: CoherenceMeters,
    pub(super) invalidations: AtomicU64,
    pub(super) losses: AtomicU64,
}

impl Ear {
    pub(super) fn hear(&self, push: &PushInfo) {
        match push.kind {
            PushKind::Invalidate => self.invalidated(push.data.first()),
            PushKind::Message => self.told(push.data.last()),
            PushKind::Disconnection => {
                self.near.lost(self.number);
                self.gone.notify_one();
            }
            _ => {}
        }
    }

    /// Keys under our prefix, or nothing for all of them (`FLUSHALL`).
    fn invalidated(&self, keys: Option<&Value>) {
        let Some(Value::Array(keys)) = keys else {
            return self.apply(Invalidation::All);
        };
        for key in keys {
            let Value::BulkString(name) = key else { continue };
            match self.store.key_of(name) {
                Some(key) => self.apply(Invalidation::Key(&key)),
                None if self.store.is_clock(name) => self.apply(self.ticked()),
                // Some other key of ours, or somebody's.
                None => {}
            }
        }
    }

    /// What the clock of the generations has ticked for: some tags or everything.
    fn ticked(&self) -> Invalidation<'static> {
        if self.store.clears_by_generation() { Invalidation::All } else { Invalidation::Tagged }
    }

    fn told(&self, message: Option<&Value>) {
        let opened = match message {
            Some(Value::BulkString(bytes)) => message::open(bytes),
            _ => None,
        };
        match opened {
            // What this process has changed, it has dropped or replaced itself.
            Some((sender, _)) if sender == self.own => {}
            Some((_, what)) => self.apply(what),
            None => self.apply(Invalidation::All),
        }
    }

    fn apply(&self, what: Invalidation<'_>) {
        self.figures.invalidations.fetch_add(1, Ordering::Relaxed);
        self.figures.meters.invalidated();
        self.near.told(what);
        let Some(drops) = self.near.drops() else { return };
        // The farther first: who finds nothing in memory asks there.
        drops.tell(what.outdated());
        match what {
            Invalidation::Key(key) => drops.drop_key(key),
            Invalidation::Prefix(prefix) => drops.drop_prefix(prefix),
            Invalidation::Tag(tag) => drops.drop_tag(tag),
            Invalidation::Tagged => drops.drop_tagged(),
            Invalidation::All => drops.drop_all(),
        }
    }
}
