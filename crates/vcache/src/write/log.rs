//! The journal as the writer sees it; without the feature `disk` there is none.

#[cfg(not(feature = "disk"))]
pub(super) use off::Log;

#[cfg(feature = "disk")]
pub(super) use super::journal::{Entry, Log, Promise};

#[cfg(not(feature = "disk"))]
mod off {
    use std::convert::Infallible;
    use std::marker::PhantomData;

    use super::super::behind::WriteError;
    use super::super::buffer::Change;

    /// A journal that cannot be made.
    pub(crate) struct Log<K, V> {
        never: Infallible,
        of: PhantomData<fn(K, V)>,
    }

    /// A record of it.
    pub(crate) struct Entry(Infallible);

    /// What promises that it is kept.
    pub(crate) struct Promise(Infallible);

    impl Promise {
        pub(crate) async fn kept(self) -> Result<(), WriteError> {
            std::future::ready(match self.0 {}).await
        }
    }

    impl<K, V> Log<K, V> {
        pub(crate) async fn entry(&self, _: &K, _: &Change<V>) -> Result<Entry, WriteError> {
            let _ = &self.of;
            std::future::ready(match self.never {}).await
        }
        pub(crate) fn append(&self, entry: Entry, _version: u64) -> Promise {
            match entry.0 {}
        }
        pub(crate) async fn forget(&self, _written: &[(K, u64)]) {
            std::future::ready(match self.never {}).await
        }
        pub(crate) async fn close(&self) {
            std::future::ready(match self.never {}).await
        }
    }
}
