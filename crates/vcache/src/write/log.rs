//! The journal as the writer sees it; without the feature `disk` there is none.

#[cfg(not(feature = "disk"))]
pub(super) use off::{Entry, Log, Promise};

#[cfg(feature = "disk")]
pub(super) use super::journal::{Entry, Log, Promise};

#[cfg(not(feature = "disk"))]
mod off {
    use std::convert::Infallible;
    use std::future::Ready;
    use std::marker::PhantomData;

    use super::super::buffer::Change;
    use super::super::error::WriteError;

    /// A journal that cannot be made.
    pub(crate) struct Log<K, V> {
        never: Infallible,
        of: PhantomData<fn(K, V)>,
    }

    /// A record of it.
    #[derive(Clone, Copy)]
    pub(crate) struct Entry(Infallible);

    /// What promises that it is kept.
    pub(crate) struct Promise(Infallible);

    impl Promise {
        pub(crate) const fn kept(self) -> Ready<Result<(), WriteError>> {
            match self.0 {}
        }
    }

    impl<K, V> Log<K, V> {
        pub(crate) const fn entry(&self, _: &K, _: &Change<V>) -> Ready<Result<Entry, WriteError>> {
            let PhantomData = self.of;
            match self.never {}
        }
        pub(crate) const fn append(&self, entry: Entry, _version: u64) -> Promise {
            match entry.0 {}
        }
        pub(crate) const fn forget(&self, _written: &[(K, u64)]) -> Ready<()> {
            match self.never {}
        }
        pub(crate) const fn close(&self) -> Ready<()> {
            match self.never {}
        }
    }
}
