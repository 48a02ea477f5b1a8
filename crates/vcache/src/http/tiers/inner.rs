//! What the tiers of one cache and those who work for them share.

use std::sync::Arc;

#[cfg(feature = "redis")]
use dashmap::DashMap;
use tokio::sync::OnceCell;

use crate::http::generation::Ticket;
use crate::http::key::Key;
use crate::http::stored::Stored;
use crate::http::tiers::desk::{Desk, Job};
use crate::http::tiers::journal::Journal;
use crate::http::tiers::metrics::{Meters, Write};
#[cfg(feature = "redis")]
use crate::http::tiers::remote::Remote;
use crate::http::tiers::shelf::Shelf;
use crate::http::tiers::trust::Trust;
#[cfg(feature = "redis")]
use crate::store::lease::Lease;

pub(super) struct Inner {
    /// The nearer first.
    pub(super) shelves: Vec<Shelf>,
    /// Tiers that could not be opened, and why.
    pub(super) absent: Vec<(&'static str, String)>,
    pub(super) journal: Journal,
    /// The journal of a cache without Redis is read from disk once.
    pub(super) loaded: OnceCell<()>,
    /// Held by the one who writes the journal, so that an older one never comes last.
    pub(super) writing: tokio::sync::Mutex<()>,
    pub(super) desk: Desk,
    pub(super) trust: Trust,
    pub(super) meters: Meters,
    #[cfg(feature = "redis")]
    pub(super) remote: Option<Remote>,
    /// Leases of this process, by the name of what they are for.
    #[cfg(feature = "redis")]
    pub(super) leases: DashMap<String, Arc<Lease>>,
}

impl Inner {
    /// Leaves a response to be kept on the tiers before number `nearer_than`.
    pub(super) fn keep(&self, key: &Key, ticket: Ticket, stored: &Arc<Stored>, nearer_than: usize) {
        let job = Job::Keep { ticket, stored: Arc::clone(stored), nearer_than };
        if !self.desk.leave(key, job) {
            let all = self.shelves.iter().take(nearer_than);
            all.for_each(|shelf| shelf.figures.write(Write::Dropped));
        }
        self.meters.waiting(self.desk.bytes());
    }
}
