//! Refreshes behind the callers' backs, owned by the cache; without tokio there are none.

#[cfg(not(feature = "tokio"))]
pub(crate) use off::Refreshes;
#[cfg(feature = "tokio")]
pub(crate) use on::Refreshes;

/// What became of a refresh that was to run in the background.
pub(crate) enum Begun<F> {
    /// It runs.
    Behind,
    /// As many as may run do.
    TooMany,
    /// There is no runtime for it here: whoever wants it runs it.
    Here(F),
}

#[cfg(feature = "tokio")]
mod on {
    use std::future::Future;
    use std::sync::{Mutex, PoisonError};

    use tokio::runtime::Handle;
    use tokio::task::JoinSet;

    use super::Begun;
    use crate::config::{Config, Loading};

    /// The refreshes of one cache; dropping them ends them.
    pub(crate) struct Refreshes {
        tasks: Mutex<JoinSet<()>>,
        max: usize,
    }

    impl Refreshes {
        pub(crate) fn new(config: &Config) -> Self {
            Self { tasks: Mutex::default(), max: config.max_refreshes }
        }

        /// The settings for a load in the background.
        pub(crate) fn loading(loading: &Loading) -> Loading {
            loading.behind()
        }

        pub(crate) fn begin<F>(&self, refresh: F) -> Begun<F>
        where
            F: Future<Output = ()> + Send + 'static,
        {
            let Ok(runtime) = Handle::try_current() else {
                return Begun::Here(refresh);
            };
            if self.max == 0 {
                return Begun::Here(refresh);
            }
            let mut tasks = self.tasks.lock().unwrap_or_else(PoisonError::into_inner);
            while tasks.try_join_next().is_some() {}
            if tasks.len() >= self.max {
                // Not under the lock: what the refresh holds is the caller's.
                drop(tasks);
                return Begun::TooMany;
            }
            tasks.spawn_on(refresh, &runtime);
            Begun::Behind
        }
    }
}

#[cfg(not(feature = "tokio"))]
mod off {
    use super::Begun;
    use crate::config::{Config, Loading};

    pub(crate) struct Refreshes;

    impl Refreshes {
        pub(crate) const fn new(_config: &Config) -> Self {
            Self
        }

        pub(crate) const fn loading(loading: &Loading) -> Loading {
            *loading
        }

        #[expect(clippy::unused_self, reason = "a twin of a method that uses it")]
        pub(crate) fn begin<F>(&self, refresh: F) -> Begun<F> {
            Begun::Here(refresh)
        }
    }
}
