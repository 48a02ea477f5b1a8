//! `MetricsLayer`: how requests are measured.

use std::sync::Arc;

use http::Extensions;
use tower_layer::Layer;

use crate::handle::Handle;
use crate::http::names;
use crate::http::route::{Routes, Settings};
use crate::http::service::{Find, Metrics};

/// Most routes of one layer, when nothing else is said.
const MAX_ROUTES: usize = 200;

/// Measures requests: how many, how they ended, how long they took, how many are under way.
///
/// The label `route` is the first of: the layer's own [`route`](Self::route), what
/// [`route_from`](Self::route_from) finds, the `route` in the request's
/// [`Timeline`](vhttp::Timeline) (looked at again at the answer's head), `unmatched`. A path never
/// stands in for it.
///
/// Requests are over when the body of the answer is: sent to its end, broken off (`error`), or
/// dropped because the client left (499). A handler that panics counts as `error`.
#[derive(Debug, Clone)]
#[must_use = "a layer does nothing until it is given a service"]
pub struct MetricsLayer {
    routes: Arc<Routes>,
    find: Find,
}

impl MetricsLayer {
    /// Measures into `handle`, with routes from the timeline.
    pub fn new(handle: &Handle) -> Self {
        names::describe(handle);
        let settings = Settings { first_byte: false, max_routes: MAX_ROUTES };
        Self { routes: Arc::new(Routes::new(handle.clone(), settings)), find: Find::Timeline }
    }

    /// Counts every request under the route `name`: for a layer around a single route. This is
    /// the cheapest way; nothing is looked up per request. Such routes do not count towards
    /// [`max_routes`](Self::max_routes).
    pub fn route(self, name: impl AsRef<str>) -> Self {
        Self { find: Find::Fixed(self.routes.fixed(name.as_ref())), ..self }
    }

    /// Takes the route's name from the request's extensions, where frameworks leave it. It must
    /// be the pattern, not the path; without one the request is `unmatched`.
    ///
    /// ```
    /// use axum::extract::MatchedPath;
    ///
    /// # let handle = vmetrics::Recorder::new().handle();
    /// let layer = vmetrics::MetricsLayer::new(&handle)
    ///     .route_from(|extensions| extensions.get::<MatchedPath>().map(MatchedPath::as_str));
    /// # let _ = layer;
    /// ```
    pub fn route_from(self, find: fn(&Extensions) -> Option<&str>) -> Self {
        Self { find: Find::Extensions(find), ..self }
    }

    /// Also measures the time to the answer's head. Default: no. Costs one more histogram for
    /// each route and method, and a few nanoseconds.
    pub fn first_byte(self, wanted: bool) -> Self {
        let routes = self.routes.with(|settings| settings.first_byte = wanted);
        Self { routes: Arc::new(routes), ..self }
    }

    /// Most routes that the timeline or [`route_from`](Self::route_from) may name; later ones are
    /// counted under `overflow`. Default: 200.
    pub fn max_routes(self, max: usize) -> Self {
        let routes = self.routes.with(|settings| settings.max_routes = max);
        Self { routes: Arc::new(routes), ..self }
    }
}

impl<S> Layer<S> for MetricsLayer {
    type Service = Metrics<S>;

    fn layer(&self, inner: S) -> Self::Service {
        Metrics::new(inner, Arc::clone(&self.routes), self.find.clone())
    }
}
