//! Reads the file again: builds beside, carries over, swaps one pointer.

use std::path::PathBuf;
use std::sync::Arc;

use verve::metrics::Handle;
use verve::server::Monitor;

use crate::build::graph::Graph;
use crate::config::Config;
use crate::load::load;
use crate::say::chain;
use crate::state::State;
use crate::warm::warming::Warming;

/// What it takes to reload.
#[derive(Debug)]
pub(crate) struct Reload {
    /// The configuration that the process began with: what needs a restart is compared to it.
    began_with: Config,
    file: Option<PathBuf>,
    metrics: Handle,
    state: Arc<State>,
    warming: Arc<Warming>,
    monitor: Monitor,
}

impl Reload {
    pub(crate) fn new(
        began_with: Config,
        file: Option<PathBuf>,
        metrics: Handle,
        state: &Arc<State>,
        warming: &Arc<Warming>,
        monitor: Monitor,
    ) -> Self {
        let (state, warming) = (Arc::clone(state), Arc::clone(warming));
        Self { began_with, file, metrics, state, warming, monitor }
    }

    /// Reads the file and swaps the new graph in; a bad file changes nothing.
    pub(crate) fn run(&self) {
        let Some(file) = &self.file else {
            tracing::warn!("reload refused: there is no file; this gateway runs from flags");
            return;
        };
        match load(file).and_then(|config| self.apply(&config)) {
            Ok(hash) => tracing::info!(hash, "reloaded"),
            Err(text) => {
                self.state.note_failed_reload();
                let file = file.display();
                tracing::error!(%file, "reload refused; the old configuration stays\n{text}");
            }
        }
    }

    fn apply(&self, config: &Config) -> Result<String, String> {
        let old = self.state.graph();
        let graph =
            Graph::build(config, old.workers(), &self.metrics, Some(&old)).map_err(|faults| {
                let lines: Vec<String> =
                    faults.iter().map(|(_, fault)| format!("error: {fault}")).collect();
                lines.join("\n")
            })?;
        self.monitor.reload_tls().map_err(|error| format!("error: {}", chain(&error)))?;
        self.say_what_needs_a_restart(config);
        let hash = graph.hash().to_owned();
        graph.activate();
        self.state.swap(graph);
        // A cache whose settings changed is empty now; what others hold fresh is left alone.
        self.warming.start(&self.state);
        Ok(hash)
    }

    fn say_what_needs_a_restart(&self, config: &Config) {
        let began = &self.began_with;
        let changed = [
            ("listeners", began.listeners != config.listeners),
            ("admin", !began.admin.listens_like(&config.admin)),
            ("server.workers", began.server.workers != config.server.workers),
            (
                "server.shutdown_timeout",
                began.server.shutdown_timeout != config.server.shutdown_timeout,
            ),
            ("log", began.log != config.log),
        ];
        for (section, _) in changed.into_iter().filter(|(_, changed)| *changed) {
            tracing::warn!(section, "changed in the file; it takes effect at the next start");
        }
    }
}
