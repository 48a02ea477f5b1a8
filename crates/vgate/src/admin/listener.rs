//! Binds and serves the admin listener, on the runtime that serves no requests.

use std::net::SocketAddr;
use std::time::Duration;

use verve::server::{Config as ListenerConfig, serve_on};
use verve::task::{Shutdown, Task};

use crate::admin::view::View;
use crate::config::Admin;
use crate::exit::Failure;
use crate::say::failed;

/// A bound admin listener.
#[derive(Debug)]
pub(crate) struct AdminListener {
    listener: tokio::net::TcpListener,
    address: SocketAddr,
}

/// A served admin listener.
#[derive(Debug)]
pub(crate) struct AdminServer {
    shutdown: Shutdown,
    task: Task,
}

impl AdminListener {
    /// Binds it; `None` when the configuration wants none.
    pub(crate) fn bind(config: &Admin) -> Result<Option<Self>, Failure> {
        if !config.enabled {
            return Ok(None);
        }
        let bound = Self::try_bind(config.listen).map_err(|error| {
            let listen = config.listen;
            failed(&format!(
                "error: cannot listen on {listen} for the admin pages: {error}; \
                 `[admin] listen` or `--admin` names another address"
            ))
        })?;
        Ok(Some(bound))
    }

    fn try_bind(listen: SocketAddr) -> std::io::Result<Self> {
        let listener = std::net::TcpListener::bind(listen)?;
        listener.set_nonblocking(true)?;
        let listener = tokio::net::TcpListener::from_std(listener)?;
        let address = listener.local_addr()?;
        Ok(Self { listener, address })
    }

    pub(crate) const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Answers with `view` until stopped.
    pub(crate) fn serve(self, view: View) -> AdminServer {
        let shutdown = Shutdown::new(Duration::from_secs(1));
        let watcher = shutdown.watch();
        let task = Task::spawn(async move {
            let config = ListenerConfig { max_connections: 256, ..ListenerConfig::default() };
            if let Err(error) = serve_on(self.listener, view, config, watcher).await {
                tracing::error!(%error, "the admin listener ended");
            }
        });
        AdminServer { shutdown, task }
    }
}

impl AdminServer {
    /// Lets answers under way finish and closes the listener.
    pub(crate) async fn stop(mut self) {
        self.shutdown.begin();
        self.task.wait().await;
    }
}
