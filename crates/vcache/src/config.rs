//! The settings of a cache that a file can hold.

use std::time::Duration;

/// Settings of a [`Cache`](crate::Cache), and of the first tier of a
/// [`Tiered`](crate::Tiered).
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[cfg_attr(feature = "serde", serde(default, deny_unknown_fields))]
pub struct Config {
    /// Most bytes that all entries together may weigh, their own overhead included. Default:
    /// 64 MiB. Zero stores nothing: loads are shared, and that is all. Tables that grow by doubling
    /// may hold as much again in unused room, of the overhead only.
    #[cfg_attr(feature = "serde", serde(with = "vunit::size"))]
    pub max_size: u64,
    /// How long a value lives if nobody says otherwise. Default: none, until it is evicted. Zero
    /// stores nothing at all. Too long shows outdated values, too short loads more often.
    #[cfg_attr(feature = "serde", serde(with = "vunit::duration::option"))]
    pub ttl: Option<Duration>,
    /// How long a value stays since it was last returned, if nobody says otherwise. Default: none.
    /// Zero stores nothing at all. A hit then asks the clock, which costs it as much again, and an
    /// entry weighs 24 bytes more.
    #[cfg_attr(feature = "serde", serde(with = "vunit::duration::option"))]
    pub tti: Option<Duration>,
    /// By how many percent at most a TTL is shortened, each time at random, so that what was
    /// stored together does not expire together. Default: 0. Above 100 counts as 100. Never
    /// lengthens a TTL; does not touch what `update` stores.
    pub ttl_jitter_percent: u8,
    /// Most loads under way at once, each for another key, those that wait for their turn
    /// included; one more is refused with an error. Default: 65,536. It bounds memory, not the
    /// load on the source: each holds some hundred bytes and whatever its loader holds.
    pub max_loads: usize,
    /// Most loaders that run at once; more wait for their turn, in order of arrival. Default: 0,
    /// no such bound. It protects the source. A loader that loads another key of the same cache
    /// holds its own turn meanwhile: leave room, or set a timeout. Sync loads do not take turns.
    #[cfg(feature = "tokio")]
    pub concurrent_loads: usize,
    /// Most refreshes in the background at once; while there are as many, stale values are
    /// returned without another. Default: 1,024. Zero: none, so that who finds a stale value
    /// waits for a new one.
    #[cfg(feature = "tokio")]
    pub max_refreshes: usize,
    /// Most invalidated tags that the cache remembers, some 150 bytes each. Default: 65,536. When
    /// it has to forget one, all tagged entries older than that tag's invalidation count as
    /// invalidated.
    pub max_tags: usize,
    /// Keys that are watched to tell how often a cache of another size would hit
    /// ([`Curve`](crate::Curve)). Default: 0, none. 4,096 are exact to a point or two, and take some
    /// 100 bytes each beside `max_size`; a look-up of one of them takes a lock that all share.
    pub curve_keys: usize,
    /// How values are loaded and refreshed.
    pub loading: Loading,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            max_size: 64 << 20,
            ttl: None,
            tti: None,
            ttl_jitter_percent: 0,
            max_loads: 65_536,
            #[cfg(feature = "tokio")]
            concurrent_loads: 0,
            #[cfg(feature = "tokio")]
            max_refreshes: 1024,
            max_tags: 65_536,
            curve_keys: 0,
            loading: Loading::DEFAULT,
        }
    }
}

/// How a cache loads and refreshes, or one load does.
///
/// Refreshes run in the background, one per key, on the tokio runtime of the caller (feature
/// `tokio`). Where there is none, the one caller that claims the refresh waits for it, and all
/// others get the present value at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[cfg_attr(feature = "serde", serde(default, deny_unknown_fields))]
pub struct Loading {
    /// How long a failure is kept and returned without loading again. Default: none. Without it
    /// each call after a failure asks the source again; too long hides that it is back. All that
    /// are kept hold a mebibyte at most, some three thousand with short keys and texts.
    #[cfg_attr(feature = "serde", serde(with = "vunit::duration::option"))]
    pub negative_ttl: Option<Duration>,
    /// How long after its TTL a value is returned at once, while one refresh runs. Default: 0. In
    /// the sense of RFC 5861 §3.
    #[cfg_attr(feature = "serde", serde(with = "vunit::duration"))]
    pub stale_while_revalidate: Duration,
    /// How long after its TTL a value is returned when loading fails. Default: 0. In the sense of
    /// RFC 5861 §4. Each such call tries to load first, unless `negative_ttl` is set.
    #[cfg_attr(feature = "serde", serde(with = "vunit::duration"))]
    pub stale_if_error: Duration,
    /// From which percentage of its TTL on a value that is asked for is refreshed. Default: 0,
    /// off; 100 and more are off too. 80 is usual: what is in demand never expires.
    pub refresh_ahead_percent: u8,
    /// Probabilistic early refreshes ([`recompute_early`](crate::recompute_early)): the factor β
    /// in percent. Default: 0, off; 100 is the paper's. For many processes with one source, which
    /// so refresh at different times.
    pub early_percent: u16,
    /// How long a loader may take, the wait for its turn included; then it is dropped, and who
    /// waited gets [`LoadError::TimedOut`](crate::LoadError::TimedOut). Default: none: a loader
    /// that never returns keeps its waiters for as long as they will wait. Needs tokio's timer:
    /// outside of a runtime loads have no such limit. Sync loads have none.
    #[cfg(feature = "tokio")]
    #[cfg_attr(feature = "serde", serde(with = "vunit::duration::option"))]
    pub timeout: Option<Duration>,
    /// How long a refresh in the background may take, if `timeout` is not shorter. Default: one
    /// minute. After a refresh that failed, the next waits for a second.
    #[cfg(feature = "tokio")]
    #[cfg_attr(feature = "serde", serde(with = "vunit::duration"))]
    pub refresh_timeout: Duration,
    /// What becomes of a load when the caller that began it goes away. Default: it goes on.
    #[cfg(feature = "tokio")]
    pub leader: Leader,
}

/// What becomes of a load when the caller that began it, its leader, is dropped while it runs.
/// Either way nobody who waits is stranded, and nothing is begun again.
#[cfg(feature = "tokio")]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum Leader {
    /// The load goes on in the background, where it stands, and fills the cache though nobody may
    /// wait for it: callers who are less patient than the source is slow find the value next time.
    /// For [`refresh_timeout`](Loading::refresh_timeout) at most, as one of
    /// [`max_refreshes`](Config::max_refreshes); where those run already, or outside of a
    /// runtime, it is as [`Promoted`](Self::Promoted).
    #[default]
    Detached,
    /// Another of those who wait goes on with the load, where it stands; when nobody waits, it is
    /// dropped. What was not wanted costs the source no more.
    Promoted,
}

impl Loading {
    const DEFAULT: Self = Self {
        negative_ttl: None,
        stale_while_revalidate: Duration::ZERO,
        stale_if_error: Duration::ZERO,
        refresh_ahead_percent: 0,
        early_percent: 0,
        #[cfg(feature = "tokio")]
        timeout: None,
        #[cfg(feature = "tokio")]
        refresh_timeout: Duration::from_secs(60),
        #[cfg(feature = "tokio")]
        leader: Leader::Detached,
    };

    /// Whether a load goes on without its leader.
    #[cfg(feature = "tokio")]
    pub(crate) fn is_detached(&self) -> bool {
        self.leader == Leader::Detached
    }

    /// Without a runtime there is nowhere to go on.
    #[cfg(not(feature = "tokio"))]
    #[expect(clippy::unused_self, reason = "a twin of a method that uses it")]
    pub(crate) const fn is_detached(&self) -> bool {
        false
    }

    /// How long before the end of its TTL a value is due for a refresh.
    pub(crate) fn ahead(&self, ttl: Duration) -> Duration {
        match self.refresh_ahead_percent {
            0 | 100.. => Duration::ZERO,
            percent => ttl.mul_f64(f64::from(100 - percent) / 100.0),
        }
    }

    /// The factor β of early refreshes.
    pub(crate) fn beta(&self) -> f64 {
        f64::from(self.early_percent) / 100.0
    }

    /// The same for a refresh, which always has an end.
    #[cfg(feature = "tokio")]
    pub(crate) fn behind(mut self) -> Self {
        let limit = self.timeout.map_or(self.refresh_timeout, |own| own.min(self.refresh_timeout));
        self.timeout = Some(limit);
        self
    }
}

impl Default for Loading {
    fn default() -> Self {
        Self::DEFAULT
    }
}
