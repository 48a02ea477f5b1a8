//! The table of origins: bounded, the least recently used quiet one makes room.

use std::hash::RandomState;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use hashbrown::HashMap;

use crate::http::limits::Limits;
use crate::http::origin::{Origin, OriginRef};
use crate::http::site::Site;
use crate::metrics::Meters;

/// Why there is no place in the table.
#[derive(Clone, Copy, Debug)]
pub(crate) enum NoSite {
    /// Every origin in it has traffic.
    Full,
    /// The table was closed.
    Closed,
}

/// Every origin in use.
#[derive(Debug)]
pub(crate) struct Table {
    sites: RwLock<HashMap<Origin, Arc<Site>, RandomState>>,
    max: usize,
    limits: Arc<Limits>,
    /// Goes on by one with every look-up: who was used last.
    clock: AtomicU64,
    closed: AtomicBool,
}

impl Table {
    pub(crate) fn new(max: usize, limits: Limits) -> Self {
        Self {
            sites: RwLock::default(),
            max,
            limits: Arc::new(limits),
            clock: AtomicU64::new(0),
            closed: AtomicBool::new(false),
        }
    }

    /// The books of `origin`, opened when there are none.
    pub(crate) fn site(&self, origin: OriginRef<'_>) -> Result<Arc<Site>, NoSite> {
        let tick = self.clock.fetch_add(1, Ordering::Relaxed);
        let known = {
            let sites = self.sites.read().unwrap_or_else(PoisonError::into_inner);
            sites.get(&origin).cloned()
        };
        let site = match known {
            Some(site) => site,
            None => self.open(origin)?,
        };
        site.touch(tick);
        Ok(site)
    }

    fn open(&self, origin: OriginRef<'_>) -> Result<Arc<Site>, NoSite> {
        let mut sites = self.sites.write().unwrap_or_else(PoisonError::into_inner);
        if self.closed.load(Ordering::Relaxed) {
            return Err(NoSite::Closed);
        }
        if let Some(site) = sites.get(&origin) {
            return Ok(Arc::clone(site));
        }
        let evicted = if sites.len() < self.max {
            None
        } else {
            Some(evict(&mut sites).ok_or(NoSite::Full)?)
        };
        let site = Arc::new(Site::new(origin.to_origin(), Arc::clone(&self.limits)));
        sites.insert(origin.to_origin(), Arc::clone(&site));
        drop(sites);
        drop(evicted);
        Ok(site)
    }

    /// Where the pool reports.
    pub(crate) fn meters(&self) -> &Meters {
        &self.limits.meters
    }

    pub(crate) fn len(&self) -> usize {
        let sites = self.sites.read().unwrap_or_else(PoisonError::into_inner);
        sites.len()
    }

    /// Every origin's books.
    pub(crate) fn all(&self) -> Vec<Arc<Site>> {
        let sites = self.sites.read().unwrap_or_else(PoisonError::into_inner);
        sites.values().cloned().collect()
    }

    /// Closes the table and all books in it.
    pub(crate) fn close(&self) {
        let sites = {
            let mut sites = self.sites.write().unwrap_or_else(PoisonError::into_inner);
            self.closed.store(true, Ordering::Relaxed);
            std::mem::take(&mut *sites)
        };
        for site in sites.values() {
            site.retire();
        }
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Relaxed)
    }
}

/// Takes out the quiet origin that was used least recently.
fn evict(sites: &mut HashMap<Origin, Arc<Site>, RandomState>) -> Option<Arc<Site>> {
    loop {
        let oldest = sites.values().filter(|site| site.is_quiet());
        let oldest = Arc::clone(oldest.min_by_key(|site| site.used())?);
        // Somebody may have come in between; then it is not quiet any more.
        if oldest.retire_if_quiet() {
            return sites.remove(&oldest.origin);
        }
    }
}
