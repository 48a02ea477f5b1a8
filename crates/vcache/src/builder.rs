//! Building a cache: the settings of a file, and what no file can say.

use std::borrow::{Borrow, Cow};
use std::fmt;
use std::hash::Hash;
use std::sync::Arc;
use std::time::Duration;

use crate::cache::Cache;
use crate::cause::Cause;
use crate::clock::{Clock, SystemClock};
use crate::config::Config;
use crate::load::account::Account;
use crate::memory::{BuildError, Memory, MemoryBuilder};
use crate::prefix::{Index, Ordered};
use crate::shelf::{KeyWeigher, Shelf};
use crate::size;
use crate::tags::Tags;
use crate::terms::{Held, Terms};

type Listener<K, V> = Box<dyn Fn(&K, &V, Cause) + Send + Sync>;

/// Builds a [`Cache`].
#[must_use = "a builder does nothing until `build` is called"]
pub struct CacheBuilder<K, V> {
    config: Config,
    name: Cow<'static, str>,
    memory: MemoryBuilder<K, Held<V>>,
    clock: Arc<dyn Clock>,
    listener: Option<Listener<K, V>>,
    index: Option<Box<dyn Index<K>>>,
    key_weigher: KeyWeigher<K>,
}

impl<K, V> Cache<K, V>
where
    K: Hash + Eq + Clone + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
{
    /// Starts building a cache.
    pub fn builder() -> CacheBuilder<K, V> {
        CacheBuilder {
            config: Config::default(),
            name: Cow::Borrowed("cache"),
            memory: Memory::builder().weigher(|_, held: &Held<V>| held.terms_weight()),
            clock: Arc::new(SystemClock::new()),
            listener: None,
            index: None,
            key_weigher: Arc::new(size::of_key),
        }
    }
}

impl<K, V> CacheBuilder<K, V>
where
    K: Hash + Eq + Clone + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
{
    /// Takes every plain setting from `config`.
    pub const fn config(mut self, config: Config) -> Self {
        self.config = config;
        self
    }

    /// Most bytes that all entries together may weigh: [`Config::max_size`].
    pub const fn max_size(mut self, bytes: u64) -> Self {
        self.config.max_size = bytes;
        self
    }

    /// How long a value lives if nobody says otherwise: [`Config::ttl`].
    pub const fn ttl(mut self, ttl: Duration) -> Self {
        self.config.ttl = Some(ttl);
        self
    }

    /// How long a value stays since it was last returned: [`Config::tti`].
    pub const fn tti(mut self, tti: Duration) -> Self {
        self.config.tti = Some(tti);
        self
    }

    /// Into how many parts the cache is divided; see [`MemoryBuilder::shards`].
    pub fn shards(mut self, shards: usize) -> Self {
        self.memory = self.memory.shards(shards);
        self
    }

    /// The cache's name in metrics, one of few. Default: `cache`.
    pub fn name(mut self, name: impl Into<Cow<'static, str>>) -> Self {
        self.name = name.into();
        self
    }

    /// Says how many bytes a key and a value hold beyond their own fixed sizes; see
    /// [`MemoryBuilder::weigher`].
    pub fn weigher(mut self, weigh: impl Fn(&K, &V) -> u64 + Send + Sync + 'static) -> Self {
        self.memory = self
            .memory
            .weigher(move |key, held| weigh(key, &held.value).saturating_add(held.terms_weight()));
        self
    }

    /// Says how many bytes a key alone holds beyond its own fixed size, for what is kept of keys
    /// without a value: failures ([`Loading::negative_ttl`](crate::Loading), in a mebibyte).
    /// Default: the length of strings and bytes, and nothing for other types.
    pub fn key_weigher(mut self, weigh: impl Fn(&K) -> u64 + Send + Sync + 'static) -> Self {
        self.key_weigher = Arc::new(weigh);
        self
    }

    /// The clock that TTLs run on; see [`MemoryBuilder::clock`].
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// Called for each entry that leaves, and for each value that is not stored, with the cause,
    /// after the locks; see [`MemoryBuilder::listener`]. What was invalidated by a tag leaves when
    /// a writer comes by or the cache is [swept](Cache::sweep), and its cause is
    /// [`Cause::Tag`] then, whatever takes it out. A loaded value that is not kept, because its key
    /// was written or invalidated meanwhile, was never in the cache: the listener is not told.
    pub fn listener(mut self, call: impl Fn(&K, &V, Cause) + Send + Sync + 'static) -> Self {
        self.listener = Some(Box::new(call));
        self
    }

    /// Keeps an ordered index of all keys, so that
    /// [`remove_prefix`](Cache::remove_prefix) looks only at those that it removes. Default:
    /// none. It holds up to two copies of keys for each entry, beside the bound, and makes an
    /// insertion take a lock that all share.
    pub fn index_prefixes(mut self) -> Self
    where
        K: Borrow<str> + Ord,
    {
        self.index = Some(Box::new(Ordered::new()));
        self
    }

    /// Checks the settings and makes the cache.
    ///
    /// # Errors
    ///
    /// See [`BuildError`].
    pub fn build(self) -> Result<Cache<K, V>, BuildError> {
        if self.config.max_loads == 0 {
            return Err(BuildError::NoLoads);
        }
        let account = Arc::new(Account::new(&self.name));
        let tags = Arc::new(Tags::new(self.config.max_tags));
        let mut memory = self.memory;
        if let Some(call) = self.listener {
            memory = memory.listener(telling(call, Arc::clone(&tags)));
        }
        let memory = memory
            .max_weight(self.config.max_size)
            .ttl(self.config.ttl)
            .tti(self.config.tti)
            .curve_keys(self.config.curve_keys)
            .clock(Arc::clone(&self.clock))
            .name(self.name)
            .build()?;
        let jitter = self.config.ttl_jitter_percent;
        let shelf = Shelf::new(memory, tags, account, self.clock, jitter, self.key_weigher);
        Ok(Cache::from_parts(shelf.indexed(self.index), &self.config))
    }
}

/// A listener of the memory that knows of tags.
fn telling<K, V>(
    call: Listener<K, V>,
    tags: Arc<Tags>,
) -> impl Fn(&K, &Held<V>, Cause) + Send + Sync {
    move |key, held, cause| {
        let outdated = |terms: &Arc<Terms>| !tags.hold(terms.born, &terms.tags);
        let tagged = held.terms.as_ref().filter(|terms| !terms.tags.is_empty());
        let invalid = cause != Cause::Refused && tagged.is_some_and(outdated);
        call(key, &held.value, if invalid { Cause::Tag } else { cause });
    }
}

impl<K, V> fmt::Debug for CacheBuilder<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CacheBuilder")
            .field("config", &self.config)
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}
