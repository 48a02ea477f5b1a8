//! Active checks: an owned task asks every endpoint, round after round.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;

use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};
use vtask::Task;

use crate::config::Check;
use crate::endpoint::Endpoint;
use crate::set::{Member, Set};

/// Rounds are apart by the interval, varied by so much, so that many gateways do not ask at once.
const JITTER: f64 = 0.1;

/// So many endpoints are asked at the same time.
const MAX_AT_ONCE: usize = 16;

/// The future of one check.
pub(crate) type Answer = Pin<Box<dyn Future<Output = Result<(), String>> + Send>>;

/// Asks an endpoint whether it is well.
pub(crate) type Probe = Arc<dyn Fn(&Endpoint) -> Answer + Send + Sync>;

/// The running checks of an upstream. Dropping it ends them; the marks stay as they are.
#[must_use = "dropping the checks ends them"]
pub struct Checks {
    first: Task,
    rest: Task,
}

impl Checks {
    /// Starts the first round at once.
    pub(crate) fn start(set: Arc<Set>, check: Check, probe: Probe) -> Self {
        let shared = Arc::new((set, check, probe));
        let interval = shared.1.interval;
        let turn = move || {
            let shared = Arc::clone(&shared);
            async move { round(&shared.0, &shared.1, &shared.2).await }
        };
        Self { first: Task::spawn(turn()), rest: vtask::every(interval, JITTER, turn) }
    }

    /// Ends the checks and waits until the last one is gone.
    ///
    /// Cancel safety: dropped, it ends them all the same.
    pub async fn stop(self) {
        self.first.stop().await;
        self.rest.stop().await;
    }
}

impl fmt::Debug for Checks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Checks").finish_non_exhaustive()
    }
}

/// Asks every endpoint once, a bounded number at a time. Dropped, it ends the checks under way.
async fn round(set: &Arc<Set>, check: &Check, probe: &Probe) {
    let mut asking = JoinSet::new();
    for member in set.members().0 {
        if asking.len() >= MAX_AT_ONCE {
            asking.join_next().await;
        }
        asking.spawn(ask(Arc::clone(set), check.clone(), Arc::clone(probe), member));
    }
    while asking.join_next().await.is_some() {}
}

async fn ask(set: Arc<Set>, check: Check, probe: Probe, member: Member) {
    let answer = timeout(check.timeout, probe(&member.endpoint)).await;
    let result = answer.unwrap_or_else(|_| Err(format!("no answer within {:?}", check.timeout)));
    if let Err(error) = &result {
        member.state.note_error(&format_args!("health check: {error}"));
    }
    observe(&set, &check, &member, result);
}

fn observe(set: &Set, check: &Check, member: &Member, result: Result<(), String>) {
    let now = Instant::now();
    let changed = set.change(&member.endpoint.address, now, |status, _| {
        let changed = status.checked.observe(result.is_ok(), check.rise, check.fall);
        // Seen down and up again, it is another process than the one that was ejected.
        if changed && result.is_ok() {
            status.ejection.restore(now);
        }
        changed
    });
    if changed != Some(true) {
        return;
    }
    let (upstream, endpoint) = (&*set.name, &**member.endpoint.address.name());
    match result {
        Ok(()) => tracing::info!(upstream, endpoint, "health check: up"),
        Err(error) => tracing::warn!(upstream, endpoint, error, "health check: down"),
    }
}
