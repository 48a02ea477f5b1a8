//! What outlives a reload: the running graph behind one pointer, and who counts and logs.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

use arc_swap::ArcSwap;
use tokio::time::Instant;

use http::Request;
use verve::http::{Body, Reject};
use verve::metrics::Handle;

use crate::access_log::AccessLog;
use crate::build::graph::Graph;
use crate::refuse::Refusals;
use crate::route::handler::Answer;

/// The state that workers, the admin listener and the reload share.
#[derive(Debug)]
pub(crate) struct State {
    graph: ArcSwap<Graph>,
    refusals: Refusals,
    access_log: Option<AccessLog>,
    began: Instant,
    reloads: AtomicU64,
    failed_reloads: AtomicU64,
}

impl State {
    pub(crate) fn new(graph: Graph, metrics: &Handle, access_log: Option<AccessLog>) -> Self {
        Self {
            graph: ArcSwap::from_pointee(graph),
            refusals: Refusals::new(metrics),
            access_log,
            began: Instant::now(),
            reloads: AtomicU64::new(0),
            failed_reloads: AtomicU64::new(0),
        }
    }

    /// The graph that new requests begin on.
    pub(crate) fn graph(&self) -> Arc<Graph> {
        self.graph.load_full()
    }

    /// Lets new requests begin on `graph`.
    pub(crate) fn swap(&self, graph: Graph) {
        self.graph.store(Arc::new(graph));
        self.reloads.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts a reload that changed nothing.
    pub(crate) fn note_failed_reload(&self) {
        self.failed_reloads.fetch_add(1, Ordering::Relaxed);
    }

    /// Answers a request that reaches no route.
    pub(crate) fn refuse(&self, request: Request<Body>, reject: Reject) -> Answer {
        self.refusals.answer(request, reject)
    }

    pub(crate) const fn access_log(&self) -> Option<&AccessLog> {
        self.access_log.as_ref()
    }

    /// When the gateway began.
    pub(crate) const fn began(&self) -> Instant {
        self.began
    }

    /// Reloads done, and reloads refused.
    pub(crate) fn reloads(&self) -> (u64, u64) {
        (self.reloads.load(Ordering::Relaxed), self.failed_reloads.load(Ordering::Relaxed))
    }
}

/// Seconds since 1970.
pub(crate) fn unix_seconds(when: SystemTime) -> u64 {
    when.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs())
}
