//! What the caches are to hold before anybody asks.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Filling caches before they are asked, and keeping them filled.
///
/// The gateway asks itself, past its limits and its routes' figures, for what its clients will ask
/// for; so what is stored is stored as they will look it up. What is fresh until the next round is
/// left alone. A URL that cannot be had is counted and logged, and harms nothing.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Warm {
    /// What to warm. Default: nothing.
    pub(crate) patterns: Vec<Pattern>,
    /// How long after the beginning of a round the next begins. Default: none, one round at the
    /// start and after each reload. Take less than the lifetimes of what is warmed.
    #[serde(with = "verve::unit::duration::option")]
    pub(crate) interval: Option<Duration>,
    /// Most requests of it at once. Default: 8. It bounds the load on the origins, for which the
    /// limits of the routes do not count here.
    pub(crate) concurrency: NonZeroUsize,
    /// How long one request may take, its body included. Default: `30s`.
    #[serde(with = "verve::unit::duration")]
    pub(crate) timeout: Duration,
    /// What waits for the first round. Default: `none`.
    pub(crate) barrier: Barrier,
    /// How long it waits at most; warming goes on then. Default: `1m`.
    #[serde(with = "verve::unit::duration")]
    pub(crate) barrier_timeout: Duration,
}

/// What waits until the first round of warming is over.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Barrier {
    /// Nothing: requests are taken at once, and share what is being fetched.
    #[default]
    None,
    /// `/ready`, which says 503 until then. Requests are taken.
    Ready,
    /// The listeners, which open then, the admin listener too.
    Listening,
}

/// URLs that belong together.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Pattern {
    /// Its name in logs, metrics and `/api/status`. Default: `pattern-1` and so on.
    pub(crate) name: Option<String>,
    /// Scheme and host of the URLs that are only paths: `https://www.example.com`, as clients
    /// write it. Default: none, and every URL is a whole one.
    pub(crate) base: Option<String>,
    /// URLs. `{1..200}` stands for each number of the range, `{a,b}` for each word.
    pub(crate) urls: Vec<String>,
    /// A file with a URL in each line; `#` begins a comment. It is read anew in each round.
    pub(crate) list: Option<PathBuf>,
    /// A sitemap (sitemaps.org), or an index of sitemaps, fetched through the gateway in each
    /// round.
    pub(crate) sitemap: Option<String>,
    /// The request fields of each variant: `[{}, { accept-encoding = "gzip" }]` asks for each URL
    /// twice. Default: one without fields.
    pub(crate) variants: Vec<BTreeMap<String, String>>,
    /// Which patterns go first: the higher. Default: 0.
    pub(crate) priority: i32,
    /// An interval of its own. Default: that of all.
    #[serde(with = "verve::unit::duration::option")]
    pub(crate) interval: Option<Duration>,
}

impl Default for Warm {
    fn default() -> Self {
        Self {
            patterns: Vec::new(),
            interval: None,
            concurrency: NonZeroUsize::MIN.saturating_add(7),
            timeout: Duration::from_secs(30),
            barrier: Barrier::None,
            barrier_timeout: Duration::from_secs(60),
        }
    }
}

impl Pattern {
    /// Its name, as the pattern at `place`.
    pub(crate) fn name(&self, place: usize) -> String {
        self.name.clone().unwrap_or_else(|| format!("pattern-{}", place + 1))
    }

    /// The fields of each variant, each as `name: value`.
    pub(crate) fn fields(&self) -> Vec<Vec<String>> {
        if self.variants.is_empty() {
            return vec![Vec::new()];
        }
        let field = |(name, value): (&String, &String)| format!("{name}: {value}");
        self.variants.iter().map(|fields| fields.iter().map(field).collect()).collect()
    }
}
