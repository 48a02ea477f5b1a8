//! Building a writer behind: the settings, checked once.

use std::borrow::Cow;
use std::fmt;
use std::future::Future;
use std::hash::Hash;
use std::sync::{Arc, Mutex};

use futures_util::FutureExt;
use tokio::sync::{Notify, Semaphore};
use tokio::time::Instant;
use vtask::Task;

use super::behind::WriteBehind;
use super::buffer::{Buffer, Change};
#[cfg(feature = "disk")]
use super::config::JournalConfig;
use super::config::WriteBehindConfig;
use super::error::WriteBehindBuildError;
use super::log::Log;
use super::metrics::WriteMeters;
use super::worker::{self, Shared, Sink, State, WriteBehindStats};
use crate::error::BoxError;
#[cfg(feature = "disk")]
use crate::store::codec::Codec;

/// What was pending in another life.
type Left<K, V> = Vec<(K, u64, Change<V>)>;

#[cfg(feature = "disk")]
type OpenJournal<K, V> =
    Box<dyn FnOnce() -> Result<(Log<K, V>, Left<K, V>), WriteBehindBuildError> + Send>;

impl<K, V> WriteBehind<K, V>
where
    K: Hash + Eq + Clone + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
{
    /// Starts building a writer; `write` takes a batch to the source, all of it or with an error.
    pub fn builder<F, Fut, E>(write: F) -> WriteBehindBuilder<K, V>
    where
        F: Fn(Vec<(K, Change<V>)>) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<(), E>> + Send + 'static,
        E: Into<BoxError>,
    {
        WriteBehindBuilder::new(write)
    }
}

/// Builds a [`WriteBehind`].
#[must_use = "a builder does nothing until `build` is called"]
pub struct WriteBehindBuilder<K, V> {
    sink: Sink<K, V>,
    config: WriteBehindConfig,
    name: Cow<'static, str>,
    #[cfg(feature = "disk")]
    journal: Option<OpenJournal<K, V>>,
}

impl<K, V> WriteBehindBuilder<K, V>
where
    K: Hash + Eq + Clone + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
{
    fn new<F, Fut, E>(write: F) -> Self
    where
        F: Fn(Vec<(K, Change<V>)>) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<(), E>> + Send + 'static,
        E: Into<BoxError>,
    {
        let sink: Sink<K, V> =
            Box::new(move |batch| write(batch).map(|done| done.map_err(Into::into)).boxed());
        Self {
            sink,
            config: WriteBehindConfig::default(),
            name: Cow::Borrowed("write-behind"),
            #[cfg(feature = "disk")]
            journal: None,
        }
    }

    /// Takes every plain setting from `config`.
    pub const fn config(mut self, config: WriteBehindConfig) -> Self {
        self.config = config;
        self
    }

    /// The name in metrics, one of few. Default: `write-behind`.
    pub fn name(mut self, name: impl Into<Cow<'static, str>>) -> Self {
        self.name = name.into();
        self
    }

    /// Keeps what is pending in a SQLite file as well: a write is acknowledged when it is
    /// committed there, and what a killed process left behind is written by the next one.
    #[cfg(feature = "disk")]
    pub fn journal(
        mut self,
        config: JournalConfig,
        keys: impl Codec<K>,
        values: impl Codec<V>,
    ) -> Self {
        self.journal = Some(Box::new(move || Log::open(&config, Arc::new(keys), Arc::new(values))));
        self
    }

    /// Checks the settings, opens the journal and starts the writer. What the journal has is due
    /// at once, and may be more than `max_pending`.
    ///
    /// # Errors
    ///
    /// See [`WriteBehindBuildError`].
    ///
    /// # Panics
    ///
    /// Panics outside of a tokio runtime.
    pub fn build(self) -> Result<WriteBehind<K, V>, WriteBehindBuildError> {
        check(&self.config)?;
        #[cfg(feature = "disk")]
        let (log, left) = match self.journal {
            Some(open) => open().map(|(log, left)| (Some(log), left))?,
            None => (None, Vec::new()),
        };
        #[cfg(not(feature = "disk"))]
        let (log, left): (Option<Log<K, V>>, Left<K, V>) = (None, Vec::new());
        let (mut buffer, now) = (Buffer::new(0), Instant::now());
        for (key, version, change) in left {
            buffer.restore(key, version, change, now);
        }
        let room = self.config.max_pending.min(Semaphore::MAX_PERMITS);
        let shared = Arc::new(Shared {
            room: Semaphore::new(room.saturating_sub(buffer.len())),
            state: Mutex::new(State {
                flush: buffer.newest(),
                surplus: buffer.len().saturating_sub(room),
                buffer,
                closed: false,
                stats: WriteBehindStats::default(),
            }),
            wake: Notify::new(),
            hurry: Notify::new(),
            written: Notify::new(),
            log,
            meters: WriteMeters::new(&self.name),
            config: self.config,
        });
        let task = Task::spawn(worker::run(Arc::clone(&shared), self.sink));
        Ok(WriteBehind::from_parts(shared, task))
    }
}

fn check(config: &WriteBehindConfig) -> Result<(), WriteBehindBuildError> {
    let zero = [
        ("batch", config.batch == 0),
        ("max_pending", config.max_pending == 0),
        ("timeout", config.timeout.is_zero()),
    ];
    match zero.into_iter().find(|(_, zero)| *zero) {
        Some((name, _)) => Err(WriteBehindBuildError::Zero(name)),
        None => Ok(()),
    }
}

impl<K, V> fmt::Debug for WriteBehindBuilder<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WriteBehindBuilder")
            .field("config", &self.config)
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}
