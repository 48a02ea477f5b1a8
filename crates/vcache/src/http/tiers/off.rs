//! The tiers of a cache that can have none: a twin that is never made.

use std::sync::{Arc, Weak};
use std::time::{Duration, SystemTime};

use http::HeaderMap;

use crate::http::config::{BuildError, Config};
use crate::http::generation::Ticket;
use crate::http::key::Key;
use crate::http::purge::Pattern;
use crate::http::stored::Stored;
use crate::http::tiers::near::Near;
use crate::http::tiers::stats::TiersStats;
use crate::store::StoreError;

/// There is none.
#[derive(Debug)]
pub(crate) enum Tiers {}

#[expect(clippy::unused_async, reason = "twins of methods that await")]
impl Tiers {
    #[expect(clippy::unnecessary_wraps, reason = "the twin can fail")]
    pub(crate) const fn new(_: &Config) -> Result<Option<Self>, BuildError> {
        Ok(None)
    }

    pub(crate) fn start(&self, _: impl FnOnce() -> Weak<dyn Near>) {
        match *self {}
    }

    pub(crate) const fn cover(&self, _: SystemTime, _: SystemTime) -> bool {
        match *self {}
    }

    pub(crate) const fn keep(&self, _: &Key, _: Ticket, _: &Arc<Stored>) {
        match *self {}
    }

    pub(crate) const fn forget(&self, _: &Key) {
        match *self {}
    }

    pub(crate) const fn numbers(&self, _: bool) -> std::iter::Empty<usize> {
        match *self {}
    }

    pub(crate) async fn find(
        &self,
        _: usize,
        _: &dyn Near,
        _: (&Key, &HeaderMap),
        _: Ticket,
    ) -> Option<(Arc<Stored>, Ticket)> {
        match *self {}
    }

    pub(crate) const fn promote(&self, _: usize, _: &Key, _: Ticket, _: &Arc<Stored>) {
        match *self {}
    }

    pub(crate) async fn load(&self) {
        match *self {}
    }

    pub(crate) async fn tell(&self, _: &dyn Near, _: &Pattern, _: bool) -> Result<(), StoreError> {
        match *self {}
    }

    pub(crate) const fn tell_later(&self, _: &Pattern, _: bool) {
        match *self {}
    }

    pub(crate) async fn drop_url(&self, _: &dyn Near, _: &Key) {
        match *self {}
    }

    pub(crate) const fn shares_fetches(&self) -> bool {
        match *self {}
    }

    pub(crate) async fn flush(&self, _: Duration) -> bool {
        match *self {}
    }

    pub(crate) async fn close(&self, _: Duration) -> bool {
        match *self {}
    }

    pub(crate) const fn stats(&self, _: SystemTime) -> TiersStats {
        match *self {}
    }
}
