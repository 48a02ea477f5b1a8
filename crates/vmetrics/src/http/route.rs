//! The handles of each route, resolved once, and the bounded table of routes.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use arc_swap::ArcSwap;
use foldhash::fast::RandomState;
use hashbrown::HashMap;
use tokio::time::Instant;

use crate::handle::Handle;
use crate::histogram::Histogram;
use crate::http::method::{self, KnownMethod};
use crate::http::names;
use crate::http::slots::{Key, Slots};
use crate::instrument::Gauge;

/// The handles of one route.
#[derive(Debug)]
pub(crate) struct Route {
    name: Arc<str>,
    in_flight: Gauge,
    methods: [OnceLock<Box<PerMethod>>; method::COUNT],
}

impl Route {
    fn new(handle: &Handle, name: &str) -> Self {
        Self {
            name: name.into(),
            in_flight: handle.gauge(names::IN_FLIGHT, &[(names::ROUTE, name)]),
            methods: Default::default(),
        }
    }
}

/// The handles of one method of one route.
#[derive(Debug)]
struct PerMethod {
    duration: Histogram,
    first_byte: Option<Histogram>,
    requests: Slots,
}

/// What a layer was told.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Settings {
    /// Whether the time to the answer's head is measured.
    pub(crate) first_byte: bool,
    /// Most routes in the table.
    pub(crate) max_routes: usize,
}

/// The routes of one layer, at most so many. Reading takes no lock.
#[derive(Debug)]
pub(crate) struct Routes {
    handle: Handle,
    settings: Settings,
    known: ArcSwap<HashMap<Arc<str>, Arc<Route>, RandomState>>,
}

impl Routes {
    pub(crate) fn new(handle: Handle, settings: Settings) -> Self {
        Self { handle, settings, known: ArcSwap::default() }
    }

    /// An empty table with other settings.
    pub(crate) fn with(&self, change: impl FnOnce(&mut Settings)) -> Self {
        let mut settings = self.settings;
        change(&mut settings);
        Self::new(self.handle.clone(), settings)
    }

    /// A route that somebody wrote down: outside of the table and its cap.
    pub(crate) fn fixed(&self, name: &str) -> Arc<Route> {
        Arc::new(Route::new(&self.handle, name))
    }

    /// The table's route `name`; beyond the cap, the one route that takes the rest.
    pub(crate) fn get(&self, name: &str) -> Arc<Route> {
        let known = self.known.load();
        if let Some(route) = known.get(name) {
            return Arc::clone(route);
        }
        if known.len() >= self.settings.max_routes && !is_fixed(name) {
            return self.get(names::OVERFLOW);
        }
        drop(known);
        self.insert(name)
    }

    fn insert(&self, name: &str) -> Arc<Route> {
        let route = self.fixed(name);
        // Two that insert at once may pass the cap by one each: a bound all the same, since the
        // registry has its own. Of two equal ones the first stays.
        self.known.rcu(|known| {
            let mut grown = HashMap::clone(known);
            grown.entry(Arc::clone(&route.name)).or_insert_with(|| Arc::clone(&route));
            grown
        });
        self.known.load().get(name).map_or(route, Arc::clone)
    }

    /// Counts a request that came in.
    pub(crate) fn enter(route: &Route) {
        route.in_flight.add(1.0);
    }

    /// Counts a request that is over, however it ended.
    pub(crate) fn leave(route: &Route) {
        route.in_flight.add(-1.0);
    }

    /// Records the time to the answer's head, where that is wanted.
    pub(crate) fn head(&self, route: &Route, method: KnownMethod, start: Instant) {
        if !self.settings.first_byte {
            return;
        }
        let per_method = self.per_method(route, method);
        if let Some(histogram) = per_method.and_then(|handles| handles.first_byte.as_ref()) {
            histogram.record(start.elapsed().as_secs_f64());
        }
    }

    /// Records the end of a request.
    pub(crate) fn finish(&self, route: &Route, method: KnownMethod, time: Duration, key: Key) {
        let Some(handles) = self.per_method(route, method) else {
            return;
        };
        handles.duration.record(time.as_secs_f64());
        handles.requests.count(key, || {
            let (outcome, cache) = key;
            self.handle.counter(
                names::REQUESTS,
                &[
                    (names::ROUTE, &route.name),
                    (names::METHOD, method.name()),
                    (names::STATUS, outcome.label()),
                    (names::CACHE, cache.map_or("none", |verdict| verdict.name())),
                ],
            )
        });
    }

    fn per_method<'a>(&self, route: &'a Route, method: KnownMethod) -> Option<&'a PerMethod> {
        let slot = route.methods.get(method.index())?;
        Some(slot.get_or_init(|| {
            let labels = [(names::ROUTE, &*route.name), (names::METHOD, method.name())];
            let histogram = |name| self.handle.histogram(name, &labels);
            Box::new(PerMethod {
                duration: histogram(names::DURATION),
                first_byte: self.settings.first_byte.then(|| histogram(names::FIRST_BYTE)),
                requests: Slots::default(),
            })
        }))
    }
}

/// Whether `name` is one of the two that always have a place.
fn is_fixed(name: &str) -> bool {
    name == names::OVERFLOW || name == names::UNMATCHED
}
