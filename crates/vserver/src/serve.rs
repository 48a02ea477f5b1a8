//! The server: binds listeners, starts a worker per core, and drains.

use std::convert::Infallible;
use std::fmt;
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::thread::{Builder, JoinHandle, available_parallelism};

use http::{Request, Response};
use tokio::net::TcpListener;
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;
use tower_service::Service;
use vhttp::Body;
use vtask::Watcher;

use crate::accept::Loop;
use crate::config::Config;
use crate::conn::App;
use crate::error::{BindError, ServeError};
use crate::listener;
use crate::monitor::Monitor;
use crate::site::{Checked, Site};
use crate::worker::{Ends, Worker, WorkerId};

/// How a server ended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Drained {
    /// Connections that were cut, because the deadline had passed or the handle was dropped.
    pub aborted: usize,
}

/// Listeners that are bound and not yet served; connections wait in the kernel's queue.
#[must_use = "a bound server serves nothing until `serve` is called"]
pub struct Server {
    workers: Vec<Worker>,
    sites: Vec<Arc<Site>>,
    local_addrs: Vec<SocketAddr>,
}

impl Server {
    /// Checks every configuration, reads the certificates, and binds every listener for
    /// `workers` workers (none: one per core).
    ///
    /// Each worker gets a socket of its own on each address (`SO_REUSEPORT`), between which the
    /// kernel spreads the connections. Port 0 is resolved once.
    ///
    /// # Errors
    ///
    /// See [`BindError`]. Nothing is listening then.
    pub fn bind(configs: Vec<Config>, workers: Option<NonZeroUsize>) -> Result<Self, BindError> {
        if configs.is_empty() {
            return Err(BindError::NoListener);
        }
        let count = workers.or_else(|| available_parallelism().ok()).unwrap_or(NonZeroUsize::MIN);
        let mut server = Self {
            workers: (0..count.get()).map(Worker::new).collect(),
            sites: Vec::new(),
            local_addrs: Vec::new(),
        };
        let checked: Vec<Checked> =
            configs.into_iter().map(Checked::new).collect::<Result<_, _>>()?;
        for checked in checked {
            server.add(checked, count)?;
        }
        Ok(server)
    }

    fn add(&mut self, checked: Checked, count: NonZeroUsize) -> Result<(), BindError> {
        let (listen, backlog) = (checked.config.listen, checked.config.backlog);
        let sockets = listener::open(listen, backlog, count)?;
        let local = sockets
            .first()
            .map_or(Ok(listen), std::net::TcpListener::local_addr)
            .map_err(|source| BindError::from_io(listen, source))?;
        let site = checked.site(local);
        for (worker, socket) in self.workers.iter_mut().zip(sockets) {
            worker.sockets.push((socket, Arc::clone(&site)));
        }
        self.sites.push(site);
        self.local_addrs.push(local);
        Ok(())
    }

    /// The addresses that are bound, in the order of the configurations.
    #[must_use]
    pub fn local_addrs(&self) -> &[SocketAddr] {
        &self.local_addrs
    }

    /// Starts the workers and returns once all of them accept.
    ///
    /// `make` is called once for each worker and listener, on the worker's thread and inside its
    /// runtime; each connection gets a clone of the service. The server drains when `watcher`
    /// says so.
    ///
    /// # Errors
    ///
    /// Fails when the system gives no thread or event loop, and when `make` panics. No worker
    /// runs then.
    pub fn serve<M, S>(self, make: M, watcher: Watcher) -> Result<Running, ServeError>
    where
        M: Fn(WorkerId) -> S + Clone + Send + 'static,
        S: Service<Request<Body>, Response = Response<Body>, Error = Infallible>
            + Clone
            + Send
            + 'static,
        S::Future: Send,
    {
        let kill = CancellationToken::new();
        let mut running = Running::new(self.sites, self.local_addrs, kill.clone());
        running.start(self.workers, &make, &Ends { watcher, kill })?;
        Ok(running)
    }
}

/// Whether a worker has started; told once.
type Start = Receiver<Result<(), ServeError>>;

/// A server that is running; dropped, it cuts every connection and stops.
#[must_use = "a dropped server stops at once"]
pub struct Running {
    threads: Vec<JoinHandle<usize>>,
    /// Holds a token of every thread that runs.
    done: TaskTracker,
    monitor: Monitor,
    local_addrs: Vec<SocketAddr>,
    drained: Drained,
    _kill: DropGuard,
}

impl Running {
    fn new(sites: Vec<Arc<Site>>, local_addrs: Vec<SocketAddr>, kill: CancellationToken) -> Self {
        Self {
            threads: Vec::new(),
            done: TaskTracker::new(),
            monitor: Monitor::new(sites),
            local_addrs,
            drained: Drained::default(),
            _kill: kill.drop_guard(),
        }
    }

    /// Starts every worker, then waits until each accepts.
    fn start<M, S>(&mut self, workers: Vec<Worker>, make: &M, ends: &Ends) -> Result<(), ServeError>
    where
        M: Fn(WorkerId) -> S + Clone + Send + 'static,
        S: App,
    {
        let mut starts = Vec::new();
        for worker in workers {
            starts.push((worker.index, self.spawn(worker, make.clone(), ends.clone())?));
        }
        self.done.close();
        for (worker, start) in starts {
            start.recv().unwrap_or(Err(ServeError::Panicked { worker }))?;
        }
        Ok(())
    }

    fn spawn<M, S>(&mut self, worker: Worker, make: M, ends: Ends) -> Result<Start, ServeError>
    where
        M: Fn(WorkerId) -> S + Send + 'static,
        S: App,
    {
        let (index, token) = (worker.index, self.done.token());
        let (started, start) = channel();
        let run = move || {
            let cut = worker.run(&make, &ends, &started);
            drop(token);
            cut
        };
        let thread = Builder::new().name(format!("vserver-{index}")).spawn(run);
        let thread = thread.map_err(|source| ServeError::Thread { worker: index, source })?;
        self.threads.push(thread);
        Ok(start)
    }

    /// The addresses that are served, in the order of the configurations.
    #[must_use]
    pub fn local_addrs(&self) -> &[SocketAddr] {
        &self.local_addrs
    }

    /// Figures, and certificates read again.
    #[must_use]
    pub const fn monitor(&self) -> &Monitor {
        &self.monitor
    }

    /// Waits until every worker has ended, which takes a drain.
    ///
    /// Cancel safety: a dropped `join` leaves the server running and can be called again.
    pub async fn join(&mut self) -> Drained {
        self.done.wait().await;
        self.wait()
    }

    /// Like [`join`](Self::join), but blocks this thread.
    pub fn wait(&mut self) -> Drained {
        for thread in self.threads.drain(..) {
            // A worker that panicked was reported by the panic hook.
            self.drained.aborted += thread.join().unwrap_or_default();
        }
        self.drained
    }
}

/// Serves one listener on the current runtime until drained, with the same connection code as
/// [`Server`].
///
/// Of `config`, what concerns the socket (`listen`, `backlog`) has no effect. Needs a runtime with
/// its I/O and time drivers on; any flavour works. Connections that were upgraded belong to
/// whoever upgraded them: they are waited for, but at the deadline only counted.
///
/// Cancel safety: dropped, it closes the listener and cuts every connection.
///
/// # Errors
///
/// Fails at once when the configuration or the certificates cannot be used.
pub async fn serve_on<S>(
    listener: TcpListener,
    service: S,
    config: Config,
    watcher: Watcher,
) -> Result<Drained, BindError>
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible>
        + Clone
        + Send
        + 'static,
    S::Future: Send,
{
    let checked = Checked::new(config)?;
    let local = listener
        .local_addr()
        .map_err(|source| BindError::Io { listen: checked.config.listen, source })?;
    let site = checked.site(local);
    let kill = CancellationToken::new();
    let aborted = Loop::new(service, site, watcher, kill).run(listener).await;
    Ok(Drained { aborted })
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server")
            .field("local_addrs", &self.local_addrs)
            .field("workers", &self.workers.len())
            .finish()
    }
}

impl fmt::Debug for Running {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Running")
            .field("local_addrs", &self.local_addrs)
            .field("stats", &self.monitor.stats())
            .finish_non_exhaustive()
    }
}
