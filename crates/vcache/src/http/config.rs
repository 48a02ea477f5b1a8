//! Settings of the HTTP cache.

use std::time::Duration;

use crate::http::tags::TagRules;
#[cfg(feature = "disk")]
use crate::store::disk::DiskConfig;
#[cfg(feature = "redis")]
use crate::store::redis::RedisConfig;
#[cfg(feature = "redis")]
use crate::tiered::Fleet;

/// Groups of one response that every cache has room for (RFC 9875 §2).
const MIN_GROUPS: u32 = 32;

/// Settings of an [`HttpCache`](super::HttpCache).
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[cfg_attr(feature = "serde", serde(default, deny_unknown_fields))]
pub struct Config {
    /// The cache's name in `Cache-Status` and in the label `cache` of metrics; letters, digits and
    /// `-._` only. Default: `Verve`.
    pub name: String,
    /// Bytes that all stored responses together may take, their headers, keys and codings
    /// included. Default: 256 MiB.
    #[cfg_attr(feature = "serde", serde(with = "vunit::size"))]
    pub max_size: u64,
    /// Bytes that the body of one stored response may have; larger ones pass through. Default:
    /// 8 MiB. While a response is on its way, up to this much of it is held, whoever reads it.
    #[cfg_attr(feature = "serde", serde(with = "vunit::size"))]
    pub max_object_size: u64,
    /// Variants (RFC 9111 §4.1) kept for one URL; above it the least recently used leaves.
    /// Default: 32. A hit looks at all of them in the worst case.
    pub max_variants: u32,
    /// Bytes of a key (scheme, authority, path and query); longer ones bypass the cache. Default:
    /// 8 KiB.
    #[cfg_attr(feature = "serde", serde(with = "vunit::size"))]
    pub max_key_size: u64,
    /// Query parameters that do not count in the key, by name as it is written; a `*` at the end
    /// stands for any end: `["utm_*", "fbclid"]`. Default: none. The origin still gets them, and a
    /// URL can be purged with or without them; a purge by prefix compares with what is left.
    /// Danger: an origin that answers by one of them has one answer for all.
    pub ignore_query: Vec<String>,
    /// Whether query parameters count in the order of their names instead of their own. Default:
    /// false. Danger: as above, if the origin looks at the order.
    pub sort_query: bool,
    /// Lifetime of responses that bring none of their own. Default: none, such responses are not
    /// stored, unless their `Last-Modified` lets one be estimated.
    ///
    /// This overrides the origin's silence, not its word: a response with `no-store`, `private`,
    /// `no-cache`, `Set-Cookie` or any explicit lifetime is untouched, and so is a request with
    /// `Cookie` or `Authorization`: it neither fills nor reads what was stored in this way.
    /// Danger: a page that depends on anything else about the client, its address say, is shared.
    #[cfg_attr(feature = "serde", serde(with = "vunit::duration::option"))]
    pub default_ttl: Option<Duration>,
    /// The estimated lifetime of responses that bring none but a `Last-Modified`, in per cent of
    /// the time since then (RFC 9111 §4.2.2). Default: 10; with 0 nothing is estimated. What is
    /// said of `default_ttl` holds here too, and that one goes before.
    pub heuristic_percent: u32,
    /// The longest lifetime that is estimated. Default: 1 day.
    #[cfg_attr(feature = "serde", serde(with = "vunit::duration"))]
    pub heuristic_max: Duration,
    /// Response fields that stand in place of `Cache-Control` and `Expires` for this cache, the
    /// first of them first (RFC 9213). Default: `Verve-Cache-Control`, `CDN-Cache-Control`. Clear
    /// it for a cache that is not the origin's own.
    pub targets: Vec<String>,
    /// What to do with a response that sets cookies and has an explicit lifetime. Default: none,
    /// which is `store`, as RFC 9111 has it; in vgate it is `bypass`.
    pub set_cookie: Option<SetCookie>,
    /// Whether `stale-while-revalidate` and `stale-if-error` count beside `s-maxage`. Default:
    /// false. RFC 9111 §5.2.2.10 gives `s-maxage` the meaning of `proxy-revalidate`, which forbids
    /// every stale answer; many sites send both and mean the windows to count. Beside
    /// `must-revalidate`, `proxy-revalidate` and `no-cache` they never do. It is of the cache and
    /// not of a route, because every route of a cache reads what any of them stored: routes whose
    /// origin means it get a cache of their own.
    pub stale_beside_s_maxage: bool,
    /// How long past its lifetime a stored response is used while the origin cannot be reached at
    /// all, though no directive speaks of it (RFC 9111 §4.2.4). Default: 1 hour; zero for never.
    /// An answer of the origin, 503 say, is not silence.
    #[cfg_attr(feature = "serde", serde(with = "vunit::duration"))]
    pub stale_if_unreachable: Duration,
    /// Whether requests whose `Accept-Encoding` means the same share a variant. Default: true.
    pub normalise_accept_encoding: bool,
    /// Whether requests whose `Accept-Language` means the same share a variant, and whoever wants
    /// a language first gets what is stored in it. Default: false. Danger: an origin that takes
    /// the order of languages for a preference, as RFC 9110 §12.5.4 lets it, is served wrongly.
    pub normalise_accept_language: bool,
    /// Response fields that tag what is stored, to be purged by tag: words between commas or
    /// spaces. Default: `surrogate-key` and `cache-tag`.
    pub tag_fields: Vec<String>,
    /// Whether clients get those fields. Default: false, they do; a cache in front may want them.
    pub strip_tags: bool,
    /// Tags of one response, its cache groups included; a response with more is not stored,
    /// because a purge could miss it. Default: 128.
    pub max_tags: u32,
    /// Whether `Cache-Groups` and `Cache-Group-Invalidation` count (RFC 9875): what an origin
    /// grouped it can invalidate together, by its answer to an unsafe request, whatever its status.
    /// Default: true. It takes a `max_tags` of 32 at least (RFC 9875 §2).
    pub cache_groups: bool,
    /// How long a response that can be validated is kept past its lifetime. Default: 1 hour.
    /// Longer saves bodies that did not change, and costs memory.
    #[cfg_attr(feature = "serde", serde(with = "vunit::duration"))]
    pub keep_stale: Duration,
    /// Whether `Cache-Control` of requests counts (RFC 9111 §5.2.1). Default: true. With `false`
    /// no client can force a way to the origin, and reloading a page may show a stored one.
    pub request_directives: bool,
    /// Whether answers carry `Cache-Status` (RFC 9211). Default: true. It says `stored` only of
    /// what is stored by then, or announced its length.
    pub cache_status: bool,
    /// Whether answers carry `X-Cache: HIT` or `MISS`, in place of what came. Default: false.
    pub x_cache: bool,
    /// Ranges of one request that are answered from the store, 0 for none; a `Range` with more is
    /// answered with the whole. Default: 16. Those that overlap become one, so that an answer is
    /// never larger than the stored response and a few fields for each part.
    pub max_ranges: u32,
    /// Whether parts of a response (206) are stored, and put together where they have the same
    /// strong entity tag. Default: true. They take up to `max_object_size` for each variant.
    pub store_parts: bool,
    /// Whether concurrent misses of one key share one request to the origin, and its answer while
    /// it arrives. Default: true.
    pub collapse: bool,
    /// How long those who wait for the head of another request's answer leave it at that one; then
    /// one more of them asks the origin, for all, and so on each time it passes. Who has waited for
    /// so long and has heard of two outages is answered with the last. Default: 5 s. Longer is
    /// kinder to a slow origin, shorter to those who wait behind a request that hangs. Zero, and
    /// times that no clock reaches, mean not to wait.
    /// Of several who read a body that is too large to be stored, one that holds up the others
    /// for as long is cut off.
    #[cfg_attr(feature = "serde", serde(with = "vunit::duration"))]
    pub collapse_timeout: Duration,
    /// How long requests of a key do not wait for each other after an answer that they could not
    /// share. Default: 2 minutes. An answer that can be stored ends it early.
    #[cfg_attr(feature = "serde", serde(with = "vunit::duration"))]
    pub hit_for_miss: Duration,
    /// Keys that are watched to tell how often a cache of another size would hit. Default: 2,048,
    /// exact to some two points; 0 for none. Each takes some 100 bytes beside `max_size`.
    pub curve_keys: usize,
    /// How likely a hit near the end of a lifetime has the response refreshed behind it, so that
    /// none of many readers waits when it ends: the factor β of XFetch in per cent. Default: 100,
    /// the paper's; 0 for never. A response that took 100 ms to get is refreshed some 100 ms before
    /// its end, on average, if it is asked for so often; what is asked for seldom, hardly ever. Not
    /// in the first half of a lifetime. Costs a request to the origin that would come anyway, a
    /// little earlier.
    pub early_percent: u16,
    /// From which percentage of its lifetime on a response is refreshed behind the next hit.
    /// Default: 0, never; 100 and more, never either. 80 is usual: what is in demand never ends.
    /// Costs up to a quarter more requests to the origin at 80.
    pub refresh_ahead_percent: u8,
    /// How long after a fetch that brought nothing, for an outage or for an answer that is not
    /// stored, a stored response is not asked for again: while it may be used stale it is, without
    /// a try. Default: 1 s; zero for none. Requests that want an answer of the origin get one.
    #[cfg_attr(feature = "serde", serde(with = "vunit::duration"))]
    pub hold_off: Duration,
    /// How long a request waits for the origin where `stale-if-error` allows a stale answer; then
    /// it gets that, and the fetch goes on behind it. Default: 2 s; zero for as long as the origin
    /// takes, or whoever asks it allows. Shorter hides a slow origin, and shows older answers.
    #[cfg_attr(feature = "serde", serde(with = "vunit::duration"))]
    pub stale_after: Duration,
    /// Fetches under way at one time that nobody waits for: background refreshes (RFC 5861 §3),
    /// and fills whose clients have all left. Above it stale answers are served without a refresh,
    /// and such fills are given up. Default: 64.
    pub max_refreshes: u32,
    /// Longest time of such a fetch, the body included. Default: 30 s.
    #[cfg_attr(feature = "serde", serde(with = "vunit::duration"))]
    pub refresh_timeout: Duration,
    /// Keeps responses in a file as well, which outlives the process. Default: none. One cache, one
    /// file. Where it cannot be opened the cache is in memory only, and says so.
    #[cfg(feature = "disk")]
    pub disk: Option<DiskConfig>,
    /// Bytes that the body of a response on disk may have. Default: 8 MiB. SQLite keeps none larger
    /// than half of the file.
    #[cfg(feature = "disk")]
    #[cfg_attr(feature = "serde", serde(with = "vunit::size"))]
    pub disk_max_object_size: u64,
    /// How long the disk may take for a read; then the origin is asked. Default: 250 ms.
    #[cfg(feature = "disk")]
    #[cfg_attr(feature = "serde", serde(with = "vunit::duration"))]
    pub disk_timeout: Duration,
    /// Keeps responses in Redis or Valkey as well, for all caches of this name that share it, and
    /// tells them of purges. Default: none. Its keys begin with its `prefix`, the cache's name and
    /// a colon; its `ttl` does not count here. Needs RESP3 (Redis 6) to hear of purges at once.
    #[cfg(feature = "redis")]
    pub redis: Option<RedisConfig>,
    /// Bytes that the body of a response in Redis may have. Default: 1 MiB. Redis holds up all
    /// calls while it moves a large one.
    #[cfg(feature = "redis")]
    #[cfg_attr(feature = "serde", serde(with = "vunit::size"))]
    pub redis_max_object_size: u64,
    /// How often Redis is asked for purges that nobody told of. Default: 500 ms. After two of these
    /// and `redis.timeout` without an answer this process is out of touch.
    #[cfg(feature = "redis")]
    #[cfg_attr(feature = "serde", serde(with = "vunit::duration"))]
    pub ping: Duration,
    /// How long a response is used that was received or validated before, while this process is out
    /// of touch with the others that share the Redis: it may have been purged there. Default: 10 s.
    /// Then the origin is asked whether it still holds. Shorter is closer to the truth, and harder
    /// on the origin while Redis is away.
    #[cfg(any(feature = "disk", feature = "redis"))]
    #[cfg_attr(feature = "serde", serde(with = "vunit::duration"))]
    pub offline_ttl: Duration,
    /// Whether concurrent misses of all caches that share the Redis share one request to the
    /// origin, by a lease with a fencing token, and how long they wait for it. Default: none, each
    /// process asks once. It costs a miss one more call of Redis; who waits in another process gets
    /// the answer when it is complete.
    #[cfg(feature = "redis")]
    pub fleet: Option<Fleet>,
    /// Responses that wait to be written to disk and Redis; more are not written. Default: 1,024.
    #[cfg(any(feature = "disk", feature = "redis"))]
    pub max_pending_writes: u32,
    /// Bytes of their bodies together. Default: 64 MiB. They count beside `max_size` where memory
    /// has evicted them already.
    #[cfg(any(feature = "disk", feature = "redis"))]
    #[cfg_attr(feature = "serde", serde(with = "vunit::size"))]
    pub max_pending_size: u64,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            name: "Verve".to_owned(),
            max_size: 256 << 20,
            max_object_size: 8 << 20,
            max_variants: 32,
            max_key_size: 8 << 10,
            ignore_query: Vec::new(),
            sort_query: false,
            default_ttl: None,
            heuristic_percent: 10,
            heuristic_max: Duration::from_secs(86_400),
            targets: vec!["Verve-Cache-Control".to_owned(), "CDN-Cache-Control".to_owned()],
            set_cookie: None,
            stale_beside_s_maxage: false,
            stale_if_unreachable: Duration::from_secs(3600),
            normalise_accept_encoding: true,
            normalise_accept_language: false,
            tag_fields: vec!["surrogate-key".to_owned(), "cache-tag".to_owned()],
            strip_tags: false,
            max_tags: 128,
            cache_groups: true,
            keep_stale: Duration::from_secs(3600),
            request_directives: true,
            cache_status: true,
            x_cache: false,
            max_ranges: 16,
            store_parts: true,
            collapse: true,
            collapse_timeout: Duration::from_secs(5),
            hit_for_miss: Duration::from_secs(120),
            curve_keys: 2048,
            early_percent: 100,
            refresh_ahead_percent: 0,
            hold_off: Duration::from_secs(1),
            stale_after: Duration::from_secs(2),
            max_refreshes: 64,
            refresh_timeout: Duration::from_secs(30),
            #[cfg(feature = "disk")]
            disk: None,
            #[cfg(feature = "disk")]
            disk_max_object_size: 8 << 20,
            #[cfg(feature = "disk")]
            disk_timeout: Duration::from_millis(250),
            #[cfg(feature = "redis")]
            redis: None,
            #[cfg(feature = "redis")]
            redis_max_object_size: 1 << 20,
            #[cfg(feature = "redis")]
            ping: Duration::from_millis(500),
            #[cfg(any(feature = "disk", feature = "redis"))]
            offline_ttl: Duration::from_secs(10),
            #[cfg(feature = "redis")]
            fleet: None,
            #[cfg(any(feature = "disk", feature = "redis"))]
            max_pending_writes: 1024,
            #[cfg(any(feature = "disk", feature = "redis"))]
            max_pending_size: 64 << 20,
        }
    }
}

/// What becomes of responses with `Set-Cookie` and an explicit lifetime.
///
/// RFC 9111 §7.3 leaves it to the cache. Without an explicit lifetime they are never stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum SetCookie {
    /// Not stored: no client ever gets another's cookie.
    Bypass,
    /// Stored with the cookie. Danger: every client gets the same cookie.
    #[default]
    Store,
    /// Stored without the cookie; the client whose request filled the cache still gets it.
    Strip,
}

/// Why an HTTP cache could not be built.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// The name is empty or has other characters than letters, digits and `-._`, or does not
    /// begin with a letter.
    #[error("the cache's name `{0}` is not a word of letters, digits and `-._`")]
    Name(String),
    /// One response could be larger than the whole cache.
    #[error("max_object_size ({object} bytes) is above max_size ({all} bytes)")]
    ObjectAboveAll {
        /// The largest body to store, in bytes.
        object: u64,
        /// The size of the cache, in bytes.
        all: u64,
    },
    /// A target is no name of a field.
    #[error("`{0}` in targets is no name of a field")]
    Target(String),
    /// The cache is too small to hold anything.
    #[error("max_size is {0} bytes, which holds nothing")]
    TooSmall(u64),
    /// Not the name of a field.
    #[error("`{0}` in tag_fields is not the name of a field")]
    TagField(String),
    /// An origin may put a response into 32 groups (RFC 9875 §2), which are tags.
    #[error("max_tags is {0}, but with cache_groups must be at least {MIN_GROUPS}")]
    TooFewTags(u32),
    /// The settings of the disk contradict each other.
    #[error("disk: {0}")]
    Disk(String),
    /// The settings of Redis contradict each other.
    #[error("redis: {0}")]
    Redis(String),
    /// Fetches can only be shared over Redis.
    #[error("fleet needs redis")]
    FleetAlone,
    /// A limit is zero where at least one is needed.
    #[error("{0} is 0, but must be at least 1")]
    Zero(&'static str),
}

impl Config {
    /// What tags a response.
    pub(crate) fn tag_rules(&self) -> Result<TagRules, BuildError> {
        TagRules::new(&self.tag_fields, self.strip_tags, self.max_tags, self.cache_groups)
            .map_err(BuildError::TagField)
    }

    /// Checks what no type can say.
    ///
    /// # Errors
    ///
    /// See [`BuildError`].
    pub fn check(&self) -> Result<(), BuildError> {
        let word = |c: char| c.is_ascii_alphanumeric() || "-._".contains(c);
        let begins = self.name.starts_with(|c: char| c.is_ascii_alphabetic());
        if !begins || !self.name.chars().all(word) {
            return Err(BuildError::Name(self.name.clone()));
        }
        let is_none = |name: &&String| !vhttp::list::is_token(name);
        if let Some(name) = self.targets.iter().find(is_none) {
            return Err(BuildError::Target(name.clone()));
        }
        if self.max_object_size > self.max_size {
            return Err(BuildError::ObjectAboveAll {
                object: self.max_object_size,
                all: self.max_size,
            });
        }
        self.tag_rules()?;
        if self.cache_groups && self.max_tags < MIN_GROUPS {
            return Err(BuildError::TooFewTags(self.max_tags));
        }
        if self.max_variants == 0 {
            return Err(BuildError::Zero("max_variants"));
        }
        self.check_tiers()
    }

    fn check_tiers(&self) -> Result<(), BuildError> {
        #[cfg(feature = "disk")]
        if let Some(disk) = &self.disk {
            disk.check().map_err(|error| BuildError::Disk(error.to_string()))?;
            if self.disk_timeout.is_zero() {
                return Err(BuildError::Zero("disk_timeout"));
            }
        }
        #[cfg(feature = "redis")]
        {
            if self.fleet.is_some() && self.redis.is_none() {
                return Err(BuildError::FleetAlone);
            }
            if self.redis.is_some() && self.ping.is_zero() {
                return Err(BuildError::Zero("ping"));
            }
            if self.fleet.as_ref().is_some_and(|fleet| fleet.lease.is_zero()) {
                return Err(BuildError::Zero("fleet.lease"));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contradictions_are_refused_by_name() {
        let with = |change: fn(&mut Config)| {
            let mut config = Config::default();
            change(&mut config);
            config.check()
        };
        assert_eq!(with(|_| {}), Ok(()));
        for name in ["", "a b", "1a", "é", "a;hit"] {
            let config = Config { name: name.to_owned(), ..Config::default() };
            assert_eq!(config.check(), Err(BuildError::Name(name.to_owned())));
        }
        let (object, all) = (8 << 20, 1);
        assert_eq!(with(|c| c.max_size = 1), Err(BuildError::ObjectAboveAll { object, all }));
        let wrong = || BuildError::Target("a b".to_owned());
        assert_eq!(with(|c| c.targets.push("a b".to_owned())), Err(wrong()));
        assert_eq!(with(|c| c.max_variants = 0), Err(BuildError::Zero("max_variants")));
        assert_eq!(with(|c| c.max_tags = 31), Err(BuildError::TooFewTags(31)));
        assert_eq!(with(|c| (c.max_tags, c.cache_groups) = (1, false)), Ok(()));
    }

    #[cfg(feature = "serde")]
    #[test]
    fn settings_are_read_as_people_write_them() {
        let text = "max_size = \"1GiB\"\ndefault_ttl = \"10s\"\nset_cookie = \"strip\"\n";
        let config: Config = toml::from_str(text).unwrap();
        let expected = Config {
            max_size: 1 << 30,
            default_ttl: Some(Duration::from_secs(10)),
            set_cookie: Some(SetCookie::Strip),
            ..Config::default()
        };
        assert_eq!(config, expected);
        let written = toml::to_string(&config).unwrap();
        assert_eq!(toml::from_str::<Config>(&written).unwrap(), config);
        assert!(toml::from_str::<Config>("max_sise = \"1GiB\"").is_err());
    }
}
