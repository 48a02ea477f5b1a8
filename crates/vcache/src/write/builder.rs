//! Building a writer behind: the settings, checked once.

use std::borrow::Cow;
use std::fmt;
use std::future::Future;
use std::hash::Hash;
use std::sync::{Arc, Mutex};

use futures_util::FutureExt;
use tokio::sync::Notify;
use tokio::time::Instant;
use vtask::Task;

use super::back::WriteBack;
use super::behind::WriteBehind;
use super::buffer::{Buffer, Change};
#[cfg(feature = "disk")]
use super::config::JournalConfig;
use super::config::WriteBehindConfig;
use super::error::WriteBehindBuildError;
use super::log::Log;
use super::metrics::WriteMeters;
use super::room::{Room, Weigher};
use super::worker::{
    self, Abandoned, DeadLetter, DeadLetters, Pace, Shared, Sink, State, WriteBehindStats,
};
use crate::cache::Cache;
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
    weigher: Option<Weigher<K, V>>,
    dead_letters: Option<DeadLetters<K, V>>,
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
            weigher: None,
            dead_letters: None,
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

    /// Says how many bytes a key and its value, if it has one, hold beyond their own fixed sizes.
    /// Default: none. It counts for [`max_pending_size`](WriteBehindConfig::max_pending_size) and
    /// [`batch_size`](WriteBehindConfig::batch_size); a write weighs 128 bytes, twice its key's
    /// size and its value's beside.
    pub fn weigher(
        mut self,
        weigh: impl Fn(&K, Option<&V>) -> u64 + Send + Sync + 'static,
    ) -> Self {
        self.weigher = Some(Box::new(weigh));
        self
    }

    /// Takes the writes that are given up after
    /// [`max_attempts`](WriteBehindConfig::max_attempts). Such a write counts as pending, and
    /// stays in the journal, until the future has ended; if that panics or takes longer than
    /// [`timeout`](WriteBehindConfig::timeout), the write is tried again later. A write that
    /// a later one has taken the place of meanwhile is not given up.
    pub fn dead_letters<F, Fut>(mut self, take: F) -> Self
    where
        F: Fn(DeadLetter<K, V>) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = ()> + Send + 'static,
    {
        self.dead_letters = Some(Box::new(move |letter| take(letter).boxed()));
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
        self.start(None)
    }

    /// The same in front of a cache: what is pending is seen by those who ask through the
    /// [`WriteBack`].
    ///
    /// # Errors
    ///
    /// See [`WriteBehindBuildError`].
    ///
    /// # Panics
    ///
    /// Panics outside of a tokio runtime.
    pub fn build_over(self, cache: Cache<K, V>) -> Result<WriteBack<K, V>, WriteBehindBuildError> {
        let own = cache.clone();
        // The cache has what the source will never have.
        let abandoned: Abandoned<K> = Box::new(move |key: &K| drop(own.remove(key)));
        let writer = self.start(Some(abandoned))?;
        Ok(WriteBack::new(cache, writer))
    }

    fn start(
        self,
        abandoned: Option<Abandoned<K>>,
    ) -> Result<WriteBehind<K, V>, WriteBehindBuildError> {
        check(&self.config)?;
        if self.config.max_attempts.is_some() && self.dead_letters.is_none() {
            return Err(WriteBehindBuildError::NoDeadLetters);
        }
        #[cfg(feature = "disk")]
        let (log, left) = match self.journal {
            Some(open) => open().map(|(log, left)| (Some(log), left))?,
            None => (None, Vec::new()),
        };
        #[cfg(not(feature = "disk"))]
        let (log, left): (Option<Log<K, V>>, Left<K, V>) = (None, Vec::new());
        let room = Room::new(&self.config, self.weigher);
        let (mut buffer, now) = (Buffer::new(0), Instant::now());
        for (key, version, change) in left {
            let weight = room.weigh(&key, &change);
            buffer.restore(key, version, change, weight, now);
        }
        let shared = Arc::new(Shared {
            state: Mutex::new(State {
                flush: buffer.newest(),
                surplus: room.occupy(&buffer.weights()),
                buffer,
                closed: false,
                batches: Pace::new(&self.config),
                suspects: Pace::new(&self.config),
                stats: WriteBehindStats::default(),
            }),
            room,
            wake: Notify::new(),
            written: Notify::new(),
            log,
            dead_letters: self.dead_letters,
            abandoned,
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
        ("batch_size", config.batch_size == 0),
        ("max_attempts", config.max_attempts == Some(0)),
        ("max_pending", config.max_pending == 0),
        ("max_pending_size", config.max_pending_size == 0),
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
