//! Generations: what was invalidated when, on a clock in Redis that ticks with each invalidation.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{PoisonError, RwLock};

use ::redis::{FromRedisValue, Value};

use super::key::Keys;
use super::script::Script;
use crate::tags::Table;

/// Invalidates tags: the clock ticks once for each, and the log says which. The clock begins at
/// the server's time in microseconds, so that one that was lost begins after all that it said
/// before; and so that nothing older counts, it then says that everything was invalidated. What
/// the log has no room for is forgotten, and the floor rises over it.
const INVALIDATE: &str = "
local now, all, floor = string.match(redis.call('GET', KEYS[1]) or '', '^(%d+) (%d+) (%d+)$')
now, all, floor = tonumber(now), tonumber(all), tonumber(floor)
local known = tonumber(ARGV[1])
local whole = now and now >= known
  and #redis.call('ZRANGEBYSCORE', KEYS[2], now, '+inf', 'LIMIT', 0, 1) > 0
if not whole then
  local time = redis.call('TIME')
  now = math.max(tonumber(time[1]) * 1000000 + tonumber(time[2]), (now or 0) + 1, known + 1)
  all, floor = now, now
  redis.call('DEL', KEYS[2])
  redis.call('ZADD', KEYS[2], now, 'a')
end
if ARGV[2] == 'all' then
  now = now + 1
  all = now
  redis.call('ZADD', KEYS[2], now, 'a')
end
for i = 4, #ARGV do
  now = now + 1
  redis.call('ZADD', KEYS[2], now, 't' .. ARGV[i])
end
local over = redis.call('ZCARD', KEYS[2]) - tonumber(ARGV[3])
if over > 0 then
  local gone = redis.call('ZPOPMIN', KEYS[2], over)
  floor = math.max(floor, tonumber(gone[#gone]))
end
local clock = string.format('%.0f %.0f %.0f', now, all, floor)
redis.call('SET', KEYS[1], clock)
return clock
";

/// The clock and what the log says after a moment, of one and the same time.
const NEWS: &str = "
return {redis.call('GET', KEYS[1]),
  redis.call('ZRANGEBYSCORE', KEYS[2], '(' .. ARGV[1], '+inf', 'WITHSCORES')}
";

/// What the clock says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Clock {
    pub(super) now: u64,
    /// When everything was invalidated last.
    pub(super) all: u64,
    /// Invalidations up to here have been forgotten.
    pub(super) floor: u64,
}

impl Clock {
    /// Reads the clock's value; `None` if it is lost.
    pub(super) fn read(value: &Value) -> Option<Self> {
        let Value::BulkString(bytes) = value else { return None };
        let mut numbers = std::str::from_utf8(bytes).ok()?.split(' ').map(str::parse);
        let mut next = || numbers.next()?.ok();
        Some(Self { now: next()?, all: next()?, floor: next()? })
    }
}

/// What this process knows of the clock and the log.
pub(super) struct Generations {
    known: RwLock<Known>,
    /// Whether reads ask for the clock. They do once a tagged entry was seen.
    wanted: AtomicBool,
    /// Held by the one who asks for news.
    pub(super) learning: tokio::sync::Mutex<()>,
    pub(super) clock_key: String,
    pub(super) log_key: String,
    pub(super) invalidate: Script,
    pub(super) news: Script,
    pub(super) max_tags: usize,
}

#[derive(Default)]
struct Known {
    /// All that the log said up to here is in the table.
    now: u64,
    table: Table,
}

impl Generations {
    pub(super) fn new(keys: &Keys, max_tags: usize, always: bool) -> Self {
        Self {
            known: RwLock::default(),
            wanted: AtomicBool::new(always),
            learning: tokio::sync::Mutex::default(),
            clock_key: keys.own("clock"),
            log_key: keys.own("tags"),
            invalidate: Script::new(INVALIDATE),
            news: Script::new(NEWS),
            // One place is for the invalidation of everything.
            max_tags: max_tags.saturating_add(1),
        }
    }

    pub(super) fn is_wanted(&self) -> bool {
        self.wanted.load(Ordering::Relaxed)
    }

    pub(super) fn want(&self) {
        self.wanted.store(true, Ordering::Relaxed);
    }

    /// The moment up to which everything is known; 0 at first.
    pub(super) fn now(&self) -> u64 {
        self.known.read().unwrap_or_else(PoisonError::into_inner).now
    }

    /// Whether none of `tags` was invalidated after `born`, as far as is known.
    pub(super) fn hold(&self, born: u64, tags: &[impl AsRef<str>]) -> bool {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        known.table.holds(born, tags)
    }

    /// Takes in what [`NEWS`] answered; the clock, or `None` if it or its log is lost.
    pub(super) fn learn(&self, answer: Value) -> Option<Clock> {
        let Value::Array(answer) = answer else { return None };
        let [clock, log] = <[Value; 2]>::try_from(answer).ok()?;
        let clock = Clock::read(&clock)?;
        let log = Vec::<(Vec<u8>, f64)>::from_redis_value(log).ok()?;
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        let newest = log.iter().map(|(_, at)| tick(*at)).max().unwrap_or(known.now);
        if newest != clock.now {
            return None;
        }
        for (member, at) in log {
            // What is no tag of ours is the invalidation of everything, which the clock tells.
            let Ok(member) = String::from_utf8(member) else { continue };
            if let Some(tag) = member.strip_prefix('t') {
                known.table.put(tag, tick(at));
            }
        }
        known.table.bound(self.max_tags, clock.floor);
        known.now = clock.now;
        Some(clock)
    }

    /// Takes in what this process itself invalidated, if nobody else did so meanwhile.
    pub(super) fn invalidated(&self, clock: Clock, tags: &[&str]) {
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        let ticks = u64::try_from(tags.len()).unwrap_or(u64::MAX);
        if known.now == 0 || known.now.saturating_add(ticks) != clock.now {
            return;
        }
        for (at, tag) in (known.now + 1..).zip(tags) {
            known.table.put(tag, at);
        }
        known.table.bound(self.max_tags, clock.floor);
        known.now = clock.now;
    }
}

/// A tick out of a score of the log: whole, and below 2⁵³ until the year 2255.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "scores are ticks, and whatever else somebody wrote there saturates"
)]
const fn tick(score: f64) -> u64 {
    score as u64
}
