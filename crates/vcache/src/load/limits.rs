//! How long a loader may take and how many run at once; without tokio, twins that allow all.

#[cfg(not(feature = "tokio"))]
pub(crate) use off::Limits;
#[cfg(feature = "tokio")]
pub(crate) use on::Limits;

#[cfg(feature = "tokio")]
mod on {
    use std::future::Future;

    use tokio::runtime::Handle;
    use tokio::sync::Semaphore;

    use crate::config::{Config, Loading};
    use crate::error::LoadError;

    /// The bounds of one cache.
    pub(crate) struct Limits {
        turns: Option<Semaphore>,
    }

    impl Limits {
        pub(crate) fn new(config: &Config) -> Self {
            let turns = config.concurrent_loads.min(Semaphore::MAX_PERMITS);
            Self { turns: (turns > 0).then(|| Semaphore::new(turns)) }
        }

        /// Runs `load` when it is its turn, and no longer than it may.
        pub(crate) async fn run<T>(
            &self,
            loading: &Loading,
            load: impl Future<Output = Result<T, LoadError>>,
        ) -> Result<T, LoadError> {
            match loading.timeout {
                Some(limit) if Handle::try_current().is_ok() => {
                    let ended = tokio::time::timeout(limit, self.in_turn(load)).await;
                    ended.unwrap_or(Err(LoadError::TimedOut(limit)))
                }
                _ => self.in_turn(load).await,
            }
        }

        async fn in_turn<T>(&self, load: impl Future<Output = T>) -> T {
            let _turn = match &self.turns {
                // Never closed: there is always a turn some day.
                Some(turns) => turns.acquire().await.ok(),
                None => None,
            };
            load.await
        }
    }
}

#[cfg(not(feature = "tokio"))]
mod off {
    use std::future::Future;

    use crate::config::{Config, Loading};
    use crate::error::LoadError;

    pub(crate) struct Limits;

    impl Limits {
        pub(crate) const fn new(_config: &Config) -> Self {
            Self
        }

        #[expect(clippy::unused_self, reason = "a twin of a method that uses it")]
        pub(crate) fn run<T>(
            &self,
            _loading: &Loading,
            load: impl Future<Output = Result<T, LoadError>>,
        ) -> impl Future<Output = Result<T, LoadError>> {
            load
        }
    }
}
