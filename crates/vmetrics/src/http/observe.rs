//! One request under observation, from its head to the end of its answer.

use std::sync::Arc;

use tokio::time::Instant;
use vhttp::Timeline;

use crate::http::method::KnownMethod;
use crate::http::names;
use crate::http::route::{Route, Routes};
use crate::http::slots::Outcome;

/// One request under observation. Dropping it records the end: the client gone, unless an outcome
/// was set before.
#[derive(Debug)]
pub(crate) struct Observation {
    routes: Arc<Routes>,
    route: Arc<Route>,
    matched: bool,
    method: KnownMethod,
    timeline: Option<Timeline>,
    start: Instant,
    outcome: Outcome,
}

impl Observation {
    /// Starts the clock. Without a `route` it is looked for in the timeline, now and, since an
    /// inner router may still write it, at the answer's head.
    pub(crate) fn start(
        routes: &Arc<Routes>,
        route: Option<Arc<Route>>,
        method: KnownMethod,
        timeline: Option<Timeline>,
    ) -> Self {
        let route = route.or_else(|| routed(routes, timeline.as_ref()));
        let matched = route.is_some();
        let route = route.unwrap_or_else(|| routes.get(names::UNMATCHED));
        Routes::enter(&route);
        Self {
            routes: Arc::clone(routes),
            route,
            matched,
            method,
            timeline,
            start: Instant::now(),
            outcome: Outcome::Gone,
        }
    }

    pub(crate) const fn method(&self) -> KnownMethod {
        self.method
    }

    /// The answer's head is there.
    pub(crate) fn head(&mut self) {
        if !self.matched
            && let Some(route) = routed(&self.routes, self.timeline.as_ref())
        {
            Routes::leave(&self.route);
            Routes::enter(&route);
            self.route = route;
            self.matched = true;
        }
        self.routes.head(&self.route, self.method, self.start);
    }

    /// From now on the request ends in `outcome`, whenever it ends.
    pub(crate) const fn set(&mut self, outcome: Outcome) {
        self.outcome = outcome;
    }

    /// The request ends now.
    pub(crate) fn end(mut self, outcome: Outcome) {
        self.outcome = outcome;
    }
}

impl Drop for Observation {
    fn drop(&mut self) {
        // A panic drops the request too, and is no client's doing.
        if self.outcome == Outcome::Gone && std::thread::panicking() {
            self.outcome = Outcome::Failed;
        }
        let timeline = self.timeline.as_ref();
        let cache = timeline.and_then(|timeline| timeline.look(|record| record.cache));
        let key = (self.outcome, cache);
        self.routes.finish(&self.route, self.method, self.start.elapsed(), key);
        Routes::leave(&self.route);
    }
}

fn routed(routes: &Routes, timeline: Option<&Timeline>) -> Option<Arc<Route>> {
    let name = timeline?.look(|record| record.route.clone())?;
    Some(routes.get(&name))
}
