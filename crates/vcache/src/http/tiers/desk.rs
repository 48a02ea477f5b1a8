//! Writes that wait: off the way of answers, in order for each URL, and bounded.

use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use dashmap::DashMap;
use tokio::sync::Notify;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use crate::http::generation::Ticket;
use crate::http::key::Key;
use crate::http::stored::Stored;

/// Writes under way at once.
const LANES: usize = 8;

/// Something to do for a URL.
pub(super) enum Job {
    /// Keep a response.
    Keep { ticket: Ticket, stored: Arc<Stored>, nearer_than: usize },
    /// Drop what there is.
    Forget,
    /// Tell the purges that wait for it.
    Tell,
    /// Give a lease back that no response ended.
    #[cfg(feature = "redis")]
    Release(String),
}

/// What waits.
pub(super) struct Desk {
    lanes: Box<[UnboundedSender<(Key, Job)>]>,
    /// Until somebody works on them.
    work: Mutex<Vec<UnboundedReceiver<(Key, Job)>>>,
    hasher: RandomState,
    bytes: AtomicU64,
    count: AtomicUsize,
    max_bytes: u64,
    max_count: usize,
    /// How many jobs there are for a URL.
    keys: DashMap<Key, usize>,
    done: Notify,
}

impl Desk {
    pub(super) fn new(max_bytes: u64, max_count: usize) -> Self {
        let (lanes, work): (Vec<_>, Vec<_>) = (0..LANES).map(|_| unbounded_channel()).unzip();
        Self {
            lanes: lanes.into(),
            work: Mutex::new(work),
            hasher: RandomState::new(),
            bytes: AtomicU64::new(0),
            count: AtomicUsize::new(0),
            max_bytes,
            max_count,
            keys: DashMap::new(),
            done: Notify::new(),
        }
    }

    /// The lanes to work on, once.
    pub(super) fn work(&self) -> Vec<UnboundedReceiver<(Key, Job)>> {
        std::mem::take(&mut *self.work.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Leaves a job; false, and it is gone, when too much waits already.
    pub(super) fn leave(&self, key: &Key, job: Job) -> bool {
        let bytes = job.bytes();
        let count = self.count.fetch_add(1, Ordering::AcqRel);
        let before = self.bytes.fetch_add(bytes, Ordering::AcqRel);
        let is_free = matches!(job, Job::Keep { .. })
            && (count >= self.max_count || before.saturating_add(bytes) > self.max_bytes);
        *self.keys.entry(key.clone()).or_default() += 1;
        let lane = usize::try_from(self.hasher.hash_one(key) % (LANES as u64)).unwrap_or(0);
        let sent = self.lanes.get(lane).filter(|_| !is_free);
        let sent = sent.is_some_and(|lane| lane.send((key.clone(), job)).is_ok());
        if !sent {
            self.ended(key, bytes);
        }
        sent
    }

    /// A job is done, or will not be.
    pub(super) fn ended(&self, key: &Key, bytes: u64) {
        self.bytes.fetch_sub(bytes, Ordering::AcqRel);
        self.count.fetch_sub(1, Ordering::AcqRel);
        if let Some(mut jobs) = self.keys.get_mut(key) {
            *jobs -= 1;
        }
        self.keys.remove_if(key, |_, jobs| *jobs == 0);
        self.done.notify_waiters();
    }

    /// Whether anything is to be done for a URL, or being done.
    pub(super) fn is_busy_with(&self, key: &Key) -> bool {
        self.keys.contains_key(key)
    }

    /// Bytes of the responses that wait.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Acquire)
    }

    /// Waits until nothing waits, but no longer than `most`; whether it is so.
    pub(super) async fn empty(&self, most: Duration) -> bool {
        let empty = async {
            loop {
                let done = self.done.notified();
                if self.count.load(Ordering::Acquire) == 0 {
                    return;
                }
                done.await;
            }
        };
        tokio::time::timeout(most, empty).await.is_ok()
    }
}

impl Job {
    /// Bytes that it holds.
    pub(super) fn bytes(&self) -> u64 {
        match self {
            Self::Keep { stored, .. } => u64::try_from(stored.body.len()).unwrap_or(u64::MAX),
            Self::Forget | Self::Tell => 0,
            #[cfg(feature = "redis")]
            Self::Release(_) => 0,
        }
    }
}
