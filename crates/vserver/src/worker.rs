//! One worker: a thread with a runtime of its own, and a socket of each listener.

use std::io;
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::mpsc::Sender;

use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use vtask::Watcher;

use crate::accept::Loop;
use crate::conn::App;
use crate::error::ServeError;
use crate::site::Site;

/// Which worker and listener a service is made for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct WorkerId {
    /// The worker, from 0.
    pub worker: usize,
    /// The listener, from 0 in the order of the configurations that `bind` was given.
    pub listener: usize,
}

/// One worker's share of the listeners.
pub(crate) struct Worker {
    pub(crate) index: usize,
    /// In the order of the listeners.
    pub(crate) sockets: Vec<(TcpListener, Arc<Site>)>,
}

/// What ends a worker.
#[derive(Clone)]
pub(crate) struct Ends {
    pub(crate) watcher: Watcher,
    pub(crate) kill: CancellationToken,
}

impl Worker {
    /// A worker without listeners.
    pub(crate) const fn new(index: usize) -> Self {
        let sockets = Vec::new();
        Self { index, sockets }
    }

    /// Serves on this thread until drained, and says how many connections were cut.
    ///
    /// It tells `started` once, before the first connection.
    pub(crate) fn run<M, S>(
        self,
        make: &M,
        ends: &Ends,
        started: &Sender<Result<(), ServeError>>,
    ) -> usize
    where
        M: Fn(WorkerId) -> S,
        S: App,
    {
        let worker = self.index;
        self.serve(make, ends, started).unwrap_or_else(|source| {
            // Who does not listen any more has given up on this worker.
            let _ = started.send(Err(ServeError::Runtime { worker, source }));
            0
        })
    }

    fn serve<M, S>(
        self,
        make: &M,
        ends: &Ends,
        started: &Sender<Result<(), ServeError>>,
    ) -> io::Result<usize>
    where
        M: Fn(WorkerId) -> S,
        S: App,
    {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let cut = runtime.block_on(async {
            let mut loops = self.start(make, ends)?;
            let _ = started.send(Ok(()));
            let mut cut = 0;
            while let Some(ended) = loops.join_next().await {
                cut += ended.unwrap_or_default();
            }
            // Work that goes on without a connection runs here too; whoever has a guard for it
            // is waited for.
            if ends.watcher.is_draining() {
                tokio::select! {
                    () = ends.watcher.finished() => {}
                    () = ends.kill.cancelled() => {}
                }
            }
            Ok(cut)
        });
        // Ends what upgraded connections left behind, and waits for no blocking call.
        runtime.shutdown_background();
        cut
    }

    fn start<M, S>(self, make: &M, ends: &Ends) -> io::Result<JoinSet<usize>>
    where
        M: Fn(WorkerId) -> S,
        S: App,
    {
        let mut loops = JoinSet::new();
        for (listener, (socket, site)) in self.sockets.into_iter().enumerate() {
            let socket = tokio::net::TcpListener::from_std(socket)?;
            let service = make(WorkerId { worker: self.index, listener });
            let (watcher, kill) = (ends.watcher.clone(), ends.kill.clone());
            loops.spawn(Loop::new(service, site, watcher, kill).run(socket));
        }
        Ok(loops)
    }
}
