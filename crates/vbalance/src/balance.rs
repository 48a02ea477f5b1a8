//! `Upstream`: a named group of endpoints that share a load, and `Lease`, one request's place.

use std::fmt::{self, Display};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body::Body as HttpBody;
use tokio::time::Instant;
use tower_service::Service;
use vhttp::{Body, BoxError};

use crate::address::Address;
use crate::config::Check;
use crate::endpoint::Endpoint;
use crate::error::EndpointsError;
use crate::health::active::Checks;
use crate::health::http_get;
use crate::health::outlier::{Chance, Outcome, Outlier};
use crate::metrics::Ended;
use crate::pick::Pick;
use crate::set::{Member, Set};
use crate::state::State;

/// A named group of endpoints that share a load. A cheap handle: clones are the same upstream.
///
/// ```
/// use vbalance::{Config, Outcome, Upstream};
///
/// let config = Config {
///     endpoints: vec![":3000".parse().unwrap(), ":3001".parse().unwrap()],
///     ..Config::default()
/// };
/// let upstream = Upstream::builder("shop").config(config).build().unwrap();
///
/// let mut lease = upstream.pick().unwrap();
/// assert_eq!(lease.address().scheme().as_str(), "http");
/// // … send the request to `lease.address()`, then say how it went.
/// lease.report(Outcome::Success);
/// ```
#[derive(Clone)]
pub struct Upstream {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub(crate) set: Arc<Set>,
    pub(crate) pick: Box<dyn Pick>,
    pub(crate) outlier: Outlier,
    pub(crate) check: Option<Check>,
}

impl Upstream {
    /// The upstream's name, as in metrics and logs.
    #[must_use]
    pub fn name(&self) -> &Arc<str> {
        &self.inner.set.name
    }

    /// Chooses an endpoint for one request; `None` when every endpoint is draining.
    ///
    /// Never blocks and never allocates; while an endpoint is out it reads the clock.
    #[must_use]
    pub fn pick(&self) -> Option<Lease> {
        self.pick_except(&[])
    }

    /// Chooses an endpoint that is not among `tried`; `None` when no such endpoint is left.
    #[must_use]
    pub fn pick_except(&self, tried: &[Address]) -> Option<Lease> {
        let table = self.inner.set.table();
        let fresh = |state: &State| !tried.contains(&state.address);
        let mut trials = table.trials.iter();
        if let Some(state) = trials.find(|state| fresh(state) && state.claim_trial()) {
            return Some(self.lease(state, Chance::Trial));
        }
        if table.is_empty() {
            return None;
        }
        let first = self.inner.pick.pick(&table);
        let mut indices = (0..table.len()).map(|step| first.wrapping_add(step) % table.len());
        let state = indices.find_map(|i| table.state(i).filter(|state| fresh(state)))?;
        let chance = if table.panic { Chance::Panic } else { Chance::None };
        Some(self.lease(state, chance))
    }

    fn lease(&self, state: &Arc<State>, chance: Chance) -> Lease {
        state.enter();
        state.meters.entered();
        Lease { upstream: self.clone(), state: Arc::clone(state), chance, ended: Ended::Abandoned }
    }

    /// Puts other endpoints in place of all. An address that was there before keeps its counts,
    /// marks and requests in flight.
    ///
    /// # Errors
    ///
    /// Fails when there is none, when one stands there twice and above 10 000 of them; then
    /// nothing changes.
    pub fn replace(&self, endpoints: Vec<Endpoint>) -> Result<(), EndpointsError> {
        self.inner.set.replace(endpoints, Instant::now())
    }

    /// Lets an endpoint finish what it has and take no new requests, or take them again. Says
    /// whether there is such an endpoint.
    pub fn drain(&self, address: &Address, drain: bool) -> bool {
        let change =
            self.inner.set.change(address, Instant::now(), |status, _| status.draining = drain);
        change.is_some()
    }

    /// How an answer with `status` counts.
    #[must_use]
    pub fn judge(&self, status: StatusCode) -> Outcome {
        if self.inner.outlier.config().bad_status.contains(status) {
            Outcome::BadAnswer
        } else {
            Outcome::Reached
        }
    }

    /// Starts the active health checks over HTTP, through `client`; `None` when the configuration
    /// asks for none.
    ///
    /// # Panics
    ///
    /// Panics outside of a tokio runtime.
    pub fn check_http<C, B>(&self, client: C) -> Option<Checks>
    where
        C: Service<Request<Body>, Response = Response<B>> + Clone + Send + Sync + 'static,
        C::Error: Into<BoxError>,
        C::Future: Send,
        B: HttpBody<Data = Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        let check = self.inner.check.clone()?;
        let probe = http_get::probe(client, &check);
        Some(Checks::start(Arc::clone(&self.inner.set), check, probe))
    }

    /// Starts active health checks of any kind: `probe` asks one endpoint and fails with a reason
    /// for people. `None` when the configuration asks for none.
    ///
    /// # Panics
    ///
    /// Panics outside of a tokio runtime.
    pub fn check_with<P, F>(&self, probe: P) -> Option<Checks>
    where
        P: Fn(&Endpoint) -> F + Send + Sync + 'static,
        F: Future<Output = Result<(), String>> + Send + 'static,
    {
        let check = self.inner.check.clone()?;
        let probe = Arc::new(move |endpoint: &Endpoint| Box::pin(probe(endpoint)) as _);
        Some(Checks::start(Arc::clone(&self.inner.set), check, probe))
    }

    /// What is known now, for an admin page.
    #[must_use]
    pub fn status(&self) -> UpstreamStatus {
        let (members, panic) = self.inner.set.members();
        let now = Instant::now();
        UpstreamStatus {
            name: (**self.name()).to_owned(),
            panic,
            endpoints: members.iter().map(|m| EndpointStatus::of(m, now)).collect(),
        }
    }
}

impl fmt::Debug for Upstream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Upstream")
            .field("name", self.name())
            .field("pick", &self.inner.pick)
            .finish_non_exhaustive()
    }
}

/// One request's place at an endpoint.
///
/// It counts as in flight until it is dropped: keep it until the answer's body has ended. Dropped
/// without a [`report`](Self::report), the request was abandoned, which says nothing about the
/// endpoint.
#[derive(Debug)]
#[must_use = "dropping a lease ends the request"]
pub struct Lease {
    upstream: Upstream,
    state: Arc<State>,
    chance: Chance,
    ended: Ended,
}

impl Lease {
    /// Where to send the request.
    #[must_use]
    pub fn address(&self) -> &Address {
        &self.state.address
    }

    #[cfg(feature = "proxy")]
    pub(crate) const fn upstream(&self) -> &Upstream {
        &self.upstream
    }

    /// Says how it went; may be said again as more is known, such as [`Outcome::Reached`] at the
    /// head of an answer and [`Outcome::Success`] at its end.
    pub fn report(&mut self, outcome: Outcome) {
        self.ended = match outcome {
            // Until the end is seen, it may yet be abandoned.
            Outcome::Reached => self.ended,
            Outcome::Success => Ended::Success,
            Outcome::BadAnswer => Ended::BadAnswer,
            Outcome::Unreachable => Ended::Unreachable,
        };
        let inner = &self.upstream.inner;
        inner.outlier.observe(&inner.set, &self.state, outcome, self.chance);
        self.end_trial();
    }

    /// Says how it went, and keeps `error` as the endpoint's last one.
    pub fn report_error(&mut self, outcome: Outcome, error: &dyn Display) {
        self.state.note_error(error);
        self.report(outcome);
    }

    /// The first word about a trial decides it.
    fn end_trial(&mut self) {
        if self.chance == Chance::Trial {
            self.chance = Chance::None;
            self.state.end_trial();
        }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.end_trial();
        self.state.leave();
        self.state.meters.left(self.ended);
    }
}

/// What is known of an upstream.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct UpstreamStatus {
    /// The upstream's name.
    pub name: String,
    /// Whether no endpoint is eligible, so that all of them are used.
    pub panic: bool,
    /// Each endpoint, in the order of the configuration.
    pub endpoints: Vec<EndpointStatus>,
}

/// What is known of an endpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct EndpointStatus {
    /// Its address.
    pub url: Address,
    /// Its weight.
    pub weight: u16,
    /// Takes no new requests.
    pub draining: bool,
    /// Up by active checks; true when there are none.
    pub healthy: bool,
    /// Out by passive ejection, the trial at its end included.
    pub ejected: bool,
    /// How much of the ejection is left; `None` when it is not out, or on trial.
    #[cfg_attr(feature = "serde", serde(with = "vunit::duration::option"))]
    pub ejected_for: Option<Duration>,
    /// Requests in flight.
    pub in_flight: u32,
    /// Requests sent since the endpoint is known.
    pub requests: u64,
    /// Requests that it failed.
    pub failures: u64,
    /// The last error of a request or check, cut to 200 characters.
    pub last_error: Option<String>,
}

impl EndpointStatus {
    fn of(member: &Member, now: Instant) -> Self {
        let (state, status) = (&member.state, member.status);
        let left = status.ejection.until();
        Self {
            url: state.address.clone(),
            weight: member.endpoint.weight.get(),
            draining: status.draining,
            healthy: status.checked.is_up(),
            ejected: status.ejection.is_ejected(),
            ejected_for: left.map(|until| until.saturating_duration_since(now)),
            in_flight: state.in_flight(),
            requests: state.requests(),
            failures: state.failures(),
            last_error: state.last_error(),
        }
    }
}
