//! A view of a running server that outlives no connection and can be shared.

use std::fmt;
use std::sync::Arc;

use crate::error::TlsError;
use crate::site::Site;
use crate::stats::Stats;

/// Sees what a running server does, from anywhere: for an admin page or a reload.
///
/// Clones share one view. It keeps nothing running; after the end its figures stand still.
#[derive(Clone)]
pub struct Monitor {
    sites: Arc<[Arc<Site>]>,
}

impl Monitor {
    pub(crate) fn new(sites: Vec<Arc<Site>>) -> Self {
        Self { sites: sites.into() }
    }

    /// What happened to connections so far, over all listeners.
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.sites.iter().map(|site| site.tally.stats()).fold(Stats::default(), std::ops::Add::add)
    }

    /// What happened to connections of the listener with that number so far.
    #[must_use]
    pub fn listener_stats(&self, listener: usize) -> Option<Stats> {
        self.sites.get(listener).map(|site| site.tally.stats())
    }

    /// Reads every listener's certificate files again, for new handshakes; connections that are
    /// open keep theirs.
    ///
    /// It reads files, so call it from a thread that may block.
    ///
    /// # Errors
    ///
    /// See [`TlsError`]. Nothing is swapped then, on any listener.
    pub fn reload_tls(&self) -> Result<(), TlsError> {
        let fresh: Vec<_> =
            self.sites.iter().map(|site| site.fresh_tls()).collect::<Result<_, _>>()?;
        for (site, fresh) in self.sites.iter().zip(&fresh) {
            if let Some(fresh) = fresh {
                site.replace_tls(fresh);
            }
        }
        Ok(())
    }
}

impl fmt::Debug for Monitor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Monitor").field("stats", &self.stats()).finish_non_exhaustive()
    }
}
