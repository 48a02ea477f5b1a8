//! The gateway as a process: bind, serve, reload, drain.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};
use verve::metrics::Recorder;
use verve::metrics::health::{Check, Health};
use verve::server::{Monitor, Running, Server};
use verve::task::signal::{Hangups, stop_on_signal};
use verve::task::{InFlight, Shutdown, Task, Watcher};

use crate::access_log::AccessLog;
use crate::admin::listener::AdminListener;
use crate::admin::view::View;
use crate::build::graph::Graph;
use crate::config::Config;
use crate::config::warm::{Barrier, Warm};
use crate::exit::Failure;
use crate::front::Front;
use crate::logging;
use crate::reload::Reload;
use crate::say::{chain, complain, failed};
use crate::state::State;
use crate::warm::warming::Warming;

/// How long caches may take at the end to write what they have stored to their lower tiers.
const CLOSING: Duration = Duration::from_secs(5);

/// A gateway that is about to run.
#[derive(Debug)]
pub(crate) struct Gateway {
    config: Config,
    file: Option<PathBuf>,
}

/// Where a running gateway listens.
#[derive(Debug, Clone)]
pub(crate) struct Addresses {
    pub(crate) listeners: Vec<SocketAddr>,
    pub(crate) admin: Option<SocketAddr>,
}

/// The runtime of everything but requests: signals, checks, the admin listener.
pub(crate) fn runtime() -> Result<Runtime, Failure> {
    let runtime = Builder::new_current_thread().enable_all().build();
    runtime.map_err(|error| failed(&format!("error: no runtime: {error}")))
}

impl Gateway {
    pub(crate) const fn new(config: Config) -> Self {
        Self { config, file: None }
    }

    /// Reads `file` again at SIGHUP.
    pub(crate) fn reload_from(self, file: impl Into<PathBuf>) -> Self {
        Self { file: Some(file.into()), ..self }
    }

    /// Runs until a signal ends it.
    pub(crate) fn run(self) -> Result<(), Failure> {
        logging::start(&self.config.log);
        runtime()?.block_on(self.serve(|_| {}))
    }

    /// Serves until a signal ends it; calls `ready` once everything listens.
    pub(crate) async fn serve(self, ready: impl FnOnce(&Addresses)) -> Result<(), Failure> {
        let shutdown = Shutdown::new(self.config.server.shutdown_timeout);
        let _signals = take_signals(&shutdown)?;
        let hangups = Hangups::new().map_err(|e| failed(&format!("error: {e}")))?;
        let metrics = Recorder::new().install().map_err(|e| failed(&format!("error: {e}")))?;
        let (state, warming) = (self.state(&metrics)?, Arc::new(Warming::default()));
        state.graph().activate();
        warming.start(&state);
        if !may_listen(&self.config.warm, &warming, &shutdown).await {
            warming.stop();
            state.graph().close(CLOSING).await;
            return Ok(());
        }
        let (server, admin) = (self.bind()?, AdminListener::bind(&self.config.admin)?);
        let addresses = Addresses {
            listeners: server.local_addrs().to_vec(),
            admin: admin.as_ref().map(AdminListener::address),
        };
        // Held until the work is done that goes on without a connection.
        let alone = shutdown.watch().guard();
        let running = start(server, &state, &shutdown)?;
        let (health, monitor) = (health(&state)?, running.monitor().clone());
        let view =
            View::new(&state, &warming, &metrics, &health, monitor.clone(), self.file.clone());
        let admin = admin.map(|admin| admin.serve(view));
        announce(&addresses);
        let getting_ready =
            Task::spawn(get_ready(self.config.warm.clone(), Arc::clone(&warming), health.clone()));
        ready(&addresses);
        let reload = Reload::new(self.config, self.file, metrics, &state, &warming, monitor);
        reload_until_drained(hangups, &reload, &shutdown).await;
        drop(getting_ready);
        warming.stop();
        health.set_draining();
        drain(running, &shutdown, (&state, alone)).await;
        state.graph().close(CLOSING).await;
        if let Some(admin) = admin {
            admin.stop().await;
        }
        Ok(())
    }

    fn state(&self, metrics: &verve::metrics::Handle) -> Result<Arc<State>, Failure> {
        let access = AccessLog::start(self.config.log.access);
        let access = access.map_err(|e| failed(&format!("error: no access log: {e}")))?;
        let graph =
            Graph::build(&self.config, self.config.workers(), metrics, None).map_err(|faults| {
                for (_, fault) in faults {
                    complain(&format!("error: {fault}"));
                }
                Failure::Config
            })?;
        Ok(Arc::new(State::new(graph, metrics, access)))
    }

    fn bind(&self) -> Result<Server, Failure> {
        let listeners = self.config.listeners().into_owned();
        Server::bind(listeners, self.config.server.workers)
            .map_err(|error| failed(&format!("error: {}", chain(&error))))
    }
}

/// What `/health` looks at: an upstream without an eligible endpoint is a warning, not a reason to
/// take no traffic, because other routes work and every gateway would turn unready at once.
fn health(state: &Arc<State>) -> Result<Health, Failure> {
    let (state, again) = (Arc::clone(state), Arc::clone(state));
    let check = Check::optional("upstreams", move || {
        let graph = state.graph();
        let down: Vec<&str> = graph.upstreams_in_panic().collect();
        let result = match down.as_slice() {
            [] => Ok(()),
            names => Err(format!("no eligible endpoint: {}", names.join(", "))),
        };
        std::future::ready(result)
    });
    let caches = caches(again);
    let builder = Health::builder().version(env!("CARGO_PKG_VERSION")).service("vgate");
    let health = builder.check(check).check(caches).start();
    health.map_err(|error| failed(&format!("error: {}", chain(&error))))
}

/// A cache without its disk or Redis still serves, from memory and the origin.
fn caches(state: Arc<State>) -> Check {
    Check::optional("caches", move || {
        let graph = state.graph();
        let needy: Vec<&str> = graph.caches_in_need().collect();
        let result = match needy.as_slice() {
            [] => Ok(()),
            names => Err(format!("without a tier, or out of touch: {}", names.join(", "))),
        };
        std::future::ready(result)
    })
}

/// The first SIGTERM or SIGINT drains, the second ends the process at once.
fn take_signals(shutdown: &Shutdown) -> Result<Task, Failure> {
    #[expect(clippy::exit, reason = "a second signal asks for exactly this")]
    let taken = stop_on_signal(shutdown, |signal| {
        std::process::exit(signal.exit_code().into());
    });
    taken.map_err(|error| failed(&format!("error: cannot take signals: {error}")))
}

fn start(server: Server, state: &Arc<State>, shutdown: &Shutdown) -> Result<Running, Failure> {
    let state = Arc::clone(state);
    server
        .serve(move |id| Front::new(id.worker, Arc::clone(&state)), shutdown.watch())
        .map_err(|error| failed(&format!("error: {}", chain(&error))))
}

async fn reload_until_drained(mut hangups: Hangups, reload: &Reload, shutdown: &Shutdown) {
    let watcher = shutdown.watch();
    loop {
        tokio::select! {
            () = hangups.next() => reload.run(),
            () = watcher.draining() => break,
        }
    }
}

fn announce(addresses: &Addresses) {
    if let Some(admin) = addresses.admin {
        tracing::info!("admin listens on http://{admin}");
    }
    for address in &addresses.listeners {
        tracing::info!("gateway listens on {address}");
    }
}

/// Waits for the caches, if the listeners are to; whether they may open, since a signal may have
/// come meanwhile.
async fn may_listen(config: &Warm, warming: &Warming, shutdown: &Shutdown) -> bool {
    if config.barrier != Barrier::Listening {
        return true;
    }
    let watcher = shutdown.watch();
    tokio::select! {
        () = watcher.draining() => false,
        () = warming.warmed(config) => true,
    }
}

/// Says that it is ready, once it is.
async fn get_ready(config: Warm, warming: Arc<Warming>, health: Health) {
    if config.barrier == Barrier::Ready {
        warming.warmed(&config).await;
    }
    health.set_ready(true);
    tracing::info!(pid = std::process::id(), "ready");
}

/// How often it is looked whether everything has ended.
const LOOK: Duration = Duration::from_millis(20);

/// Waits until no connection is open and no idempotent request goes on, up to the deadline; how
/// many of these are left then. Their clients may have left and are to get the answer elsewhere.
async fn left_alone(state: &State, monitor: &Monitor, watcher: &Watcher) -> usize {
    loop {
        let left = state.graph().shared().running();
        if left == 0 && monitor.stats().open == 0 {
            return 0;
        }
        tokio::select! {
            () = tokio::time::sleep(LOOK) => {}
            () = watcher.deadline_passed() => return left,
        }
    }
}

/// Lets requests under way finish, up to the deadline.
async fn drain(mut running: Running, shutdown: &Shutdown, (state, guard): (&State, InFlight)) {
    let monitor = running.monitor().clone();
    let open = monitor.stats().open;
    tracing::info!(open, "draining");
    let began = tokio::time::Instant::now();
    let alone = async {
        let left = left_alone(state, &monitor, &shutdown.watch()).await;
        // The workers end with it.
        drop(guard);
        left
    };
    let (drained, left) = tokio::join!(running.join(), alone);
    if left > 0 {
        tracing::warn!(left, "idempotent requests without a client were cut at the deadline");
    }
    shutdown.finish().await;
    let took = format!("{:.1?}", began.elapsed());
    if drained.aborted == 0 {
        tracing::info!(took, "drained");
    } else {
        tracing::warn!(
            aborted = drained.aborted,
            took,
            "drained; the rest was cut at the deadline"
        );
    }
}
