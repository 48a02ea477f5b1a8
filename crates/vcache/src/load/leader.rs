//! What becomes of a load when the one who began it goes away.

use std::future::Future;

use crate::config::Loading;
use crate::load::refresh::Refreshes;

/// Where a load goes on in the background, and by which rules.
#[derive(Clone, Copy)]
pub(crate) struct Behind<'a> {
    pub(crate) refreshes: &'a Refreshes,
    pub(crate) loading: &'a Loading,
}

/// The rest of a load that its leader leaves behind when dropped before it is done.
pub(crate) struct Leading<'a, F: Future<Output = ()> + Send + 'static> {
    behind: Option<Behind<'a>>,
    rest: Option<F>,
}

impl<'a, F: Future<Output = ()> + Send + 'static> Leading<'a, F> {
    /// Without a place behind, `rest` is dropped with this.
    pub(crate) fn new(behind: Option<Behind<'a>>, rest: F) -> Self {
        let behind = behind.filter(|behind| behind.loading.is_detached());
        Self { behind, rest: Some(rest) }
    }

    /// The load has ended: there is no rest.
    pub(crate) fn done(mut self) {
        self.rest = None;
    }
}

impl<F: Future<Output = ()> + Send + 'static> Drop for Leading<'_, F> {
    fn drop(&mut self) {
        if let (Some(behind), Some(rest)) = (self.behind, self.rest.take()) {
            behind.refreshes.keep(behind.loading, rest);
        }
    }
}
