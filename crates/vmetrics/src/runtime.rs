//! Figures of tokio runtimes, as far as tokio keeps them stable.

use std::sync::{Arc, PoisonError, RwLock};

use tokio::runtime::{Handle, RuntimeMetrics};

use crate::histogram::approximate;
use crate::label::{Canonical, Labels};
use crate::snapshot::{Kind, Metric, Sample, Value};

/// Most runtimes; one per core is the largest use known.
const MAX_RUNTIMES: usize = 1024;

/// Longest name of a worker, in bytes.
const MAX_NAME_BYTES: usize = 64;

/// There is no tokio runtime here to watch, or there are 1,024 already.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("no tokio runtime here, or too many are watched")]
#[non_exhaustive]
pub struct NoRuntime;

/// The runtimes that are watched. It keeps their figures alive, not the runtimes running.
#[derive(Debug, Default)]
pub(crate) struct Runtimes {
    watched: RwLock<Vec<(Arc<Labels>, RuntimeMetrics)>>,
}

impl Runtimes {
    /// Watches the runtime of the calling task; of two with one name the later one stays.
    pub(crate) fn watch_current(&self, worker: &str) -> Result<(), NoRuntime> {
        let metrics = Handle::try_current().map_err(|_| NoRuntime)?.metrics();
        let labels = Canonical::new([("worker", worker)].into_iter(), None, MAX_NAME_BYTES);
        let labels = Arc::new(labels.to_labels());
        let mut watched = self.watched.write().unwrap_or_else(PoisonError::into_inner);
        watched.retain(|(known, _)| *known != labels);
        if watched.len() >= MAX_RUNTIMES {
            return Err(NoRuntime);
        }
        watched.push((labels, metrics));
        watched.sort_by(|a, b| a.0.cmp(&b.0));
        Ok(())
    }

    /// The figures of all of them; nothing when none is watched.
    pub(crate) fn metrics(&self) -> Vec<Metric> {
        let watched = self.watched.read().unwrap_or_else(PoisonError::into_inner).clone();
        if watched.is_empty() {
            return Vec::new();
        }
        let metric = |name, kind, help, value: fn(&RuntimeMetrics) -> f64| {
            let samples = watched.iter().map(|(labels, runtime)| Sample {
                labels: Arc::clone(labels),
                value: Value::Float(value(runtime)),
            });
            Metric::read(name, kind, help, samples.collect())
        };
        vec![
            metric("tokio_workers", Kind::Gauge, "Worker threads of the runtime.", |runtime| {
                whole(runtime.num_workers())
            }),
            metric("tokio_alive_tasks", Kind::Gauge, "Tasks that have not finished.", |runtime| {
                whole(runtime.num_alive_tasks())
            }),
            metric(
                "tokio_global_queue_depth",
                Kind::Gauge,
                "Tasks that wait in the runtime's shared queue.",
                |runtime| whole(runtime.global_queue_depth()),
            ),
            metric(
                "tokio_busy_seconds_total",
                Kind::Counter,
                "Time that workers spent busy, in seconds.",
                busy_seconds,
            ),
            metric("tokio_parks_total", Kind::Counter, "Times that a worker went to sleep.", parks),
        ]
    }
}

fn busy_seconds(runtime: &RuntimeMetrics) -> f64 {
    (0..runtime.num_workers())
        .map(|worker| runtime.worker_total_busy_duration(worker).as_secs_f64())
        .sum()
}

fn parks(runtime: &RuntimeMetrics) -> f64 {
    let parks = (0..runtime.num_workers()).map(|worker| runtime.worker_park_count(worker));
    approximate(parks.sum())
}

fn whole(n: usize) -> f64 {
    approximate(u64::try_from(n).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use crate::handle::Handle;
    use crate::runtime::NoRuntime;

    #[tokio::test]
    async fn a_watched_runtime_is_exposed_once_per_name() {
        let handle = Handle::default();
        handle.watch_runtime("a").unwrap();
        handle.watch_runtime("a").unwrap();
        handle.watch_runtime("b").unwrap();
        let text = handle.render();
        assert_eq!(text.matches("tokio_workers{worker=\"a\"} 1\n").count(), 1);
        assert!(text.contains("tokio_alive_tasks{worker=\"b\"}"));
    }

    #[test]
    fn outside_a_runtime_there_is_nothing_to_watch() {
        let handle = Handle::default();
        assert_eq!(handle.watch_runtime("a"), Err(NoRuntime));
        assert!(!handle.render().contains("tokio_"));
    }
}
