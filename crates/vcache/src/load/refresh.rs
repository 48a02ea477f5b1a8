//! Refreshes behind the callers' backs, owned by the cache; without tokio there are none.

#[cfg(not(feature = "tokio"))]
pub(crate) use off::Refreshes;
#[cfg(feature = "tokio")]
pub(crate) use on::Refreshes;

#[cfg(feature = "tokio")]
mod on {
    use std::future::Future;
    use std::sync::{Mutex, PoisonError};

    use tokio::runtime::Handle;
    use tokio::task::JoinSet;

    use crate::config::{Config, Loading};
    use crate::load::account::Account;

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

        /// Begins a refresh, unless as many as may run do. Gives it back to be run by the caller
        /// if there is no runtime here.
        pub(crate) fn begin<F>(&self, account: &Account, refresh: F) -> Option<F>
        where
            F: Future<Output = ()> + Send + 'static,
        {
            let Some(runtime) = Handle::try_current().ok().filter(|_| self.max > 0) else {
                account.refresh(true);
                return Some(refresh);
            };
            let mut tasks = self.tasks.lock().unwrap_or_else(PoisonError::into_inner);
            while tasks.try_join_next().is_some() {}
            if tasks.len() >= self.max {
                // Not under the lock: what the refresh holds is the caller's.
                drop(tasks);
                account.refresh(false);
                return None;
            }
            tasks.spawn_on(refresh, &runtime);
            account.refresh(true);
            None
        }

        /// Lets a load go on that its leader has left, for as long as a refresh may take; drops it
        /// where nothing can run in the background.
        pub(crate) fn keep<F>(&self, loading: &Loading, load: F)
        where
            F: Future<Output = ()> + Send + 'static,
        {
            let Ok(runtime) = Handle::try_current() else {
                return;
            };
            let limit = loading.refresh_timeout;
            let mut tasks = self.tasks.lock().unwrap_or_else(PoisonError::into_inner);
            while tasks.try_join_next().is_some() {}
            if tasks.len() < self.max {
                let limited = async move { drop(tokio::time::timeout(limit, load).await) };
                tasks.spawn_on(limited, &runtime);
                return;
            }
            // Not under the lock: what the load holds is the caller's.
            drop(tasks);
            drop(load);
        }
    }
}

#[cfg(not(feature = "tokio"))]
mod off {
    use crate::config::{Config, Loading};
    use crate::load::account::Account;

    pub(crate) struct Refreshes;

    impl Refreshes {
        pub(crate) const fn new(_config: &Config) -> Self {
            Self
        }

        pub(crate) const fn loading(loading: &Loading) -> Loading {
            *loading
        }

        #[expect(clippy::unused_self, reason = "a twin of a method that uses it")]
        pub(crate) fn begin<F>(&self, account: &Account, refresh: F) -> Option<F> {
            account.refresh(true);
            Some(refresh)
        }

        #[expect(clippy::unused_self, reason = "a twin of a method that uses it")]
        pub(crate) fn keep<F>(&self, _loading: &Loading, load: F) {
            drop(load);
        }
    }
}
