//! The journal of purges in Redis, and hearing of what others add to it.
//!
//! It is one sorted set: patterns with the numbers of their last purges, and four members of its
//! own: which journal it is (random, so that one that was lost is told from its successor), the
//! last number, and up to which number purges were forgotten. A purge is one script, which also
//! publishes, so that the others come to read; and all of them read it every
//! [`ping`](crate::http::Config::ping) in any case. So a message that is lost costs that time, and a
//! connection that was lost costs nothing but the patterns that were added meanwhile.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use ::redis::aio::MultiplexedConnection;
use ::redis::{PushInfo, PushKind};
use tokio::sync::Notify;
use tokio::time::timeout;

use crate::http::config::Config;
use crate::http::tiers::journal::Record;
use crate::store::StoreError;
use crate::store::redis::{RedisStore, Script};
use crate::tiered::Fleet;

/// Which journal it is; made if there is none.
macro_rules! begin {
    () => {
        "\
local id = redis.call('ZRANGEBYSCORE', KEYS[1], -1, -1)[1]
if not id then
  id = 'i' .. ARGV[1]
  redis.call('ZADD', KEYS[1], -1, id)
end
"
    };
}
/// Everything that is not known yet; all, where another journal is known.
macro_rules! news {
    () => {
        "\
local from = ARGV[3]
if id ~= 'i' .. ARGV[2] then from = '0' end
local last = redis.call('ZSCORE', KEYS[1], 'n') or '0'
local floor = redis.call('ZSCORE', KEYS[1], 'f') or '0'
return {id, last, floor, redis.call('ZRANGEBYSCORE', KEYS[1], '(' .. from, '+inf', 'WITHSCORES')}"
    };
}
/// A purge: its number is the server's time, and larger than all before.
macro_rules! add {
    () => {
        "\
local last = tonumber(redis.call('ZSCORE', KEYS[1], 'n') or '0')
local time = redis.call('TIME')
local number = math.max(last + 1, time[1] * 1000 + math.floor(time[2] / 1000))
number = string.format('%.0f', number)
redis.call('ZADD', KEYS[1], number, ARGV[4], number, 'n')
local over = redis.call('ZCARD', KEYS[1]) - tonumber(ARGV[5])
if over > 0 then
  local old = redis.call('ZRANGEBYSCORE', KEYS[1], '(0', '+inf', 'WITHSCORES', 'LIMIT', 0, over)
  local floor = redis.call('ZSCORE', KEYS[1], 'f') or '0'
  for at = 1, #old, 2 do
    if old[at] ~= 'n' and old[at] ~= 'f' then
      redis.call('ZREM', KEYS[1], old[at])
      if tonumber(old[at + 1]) > tonumber(floor) then floor = old[at + 1] end
    end
  end
  redis.call('ZADD', KEYS[1], floor, 'f')
end
redis.call('PUBLISH', ARGV[6], number)
"
    };
}

/// The Redis that gateways share.
pub(super) struct Remote {
    pub(super) store: RedisStore,
    pub(super) fleet: Option<Fleet>,
    pub(super) news: Script,
    pub(super) add: Script,
    pub(super) channel: String,
    pub(super) ping: Duration,
    /// How long after an answer was asked for all counts as known.
    pub(super) bound: Duration,
    pub(super) nudge: Arc<Notify>,
    /// Held by the one who reads, so that purges are applied in their order.
    pub(super) reading: tokio::sync::Mutex<()>,
}

/// What there is in a journal.
pub(super) struct News {
    /// Which one.
    pub(super) journal: u64,
    /// The last number.
    pub(super) last: u64,
    /// Up to which number purges were forgotten.
    pub(super) floor: u64,
    pub(super) records: Vec<Record>,
}

/// A journal as Redis tells it: which one, the last number, the floor, patterns with numbers.
type Answer = (String, String, String, Vec<Vec<u8>>);

impl Remote {
    pub(super) fn new(config: &Config, store: RedisStore) -> Self {
        let limit = config.redis.as_ref().map_or(Duration::ZERO, |redis| redis.timeout);
        Self {
            channel: format!("{}{{purges}}", store.prefix()),
            fleet: config.fleet.clone(),
            news: Script::new(concat!(begin!(), news!())),
            add: Script::new(concat!(begin!(), add!(), news!())),
            ping: config.ping,
            bound: config.ping.saturating_mul(2).saturating_add(limit),
            nudge: Arc::default(),
            reading: tokio::sync::Mutex::default(),
            store,
        }
    }

    /// Runs a script of the journal, and reads what there is in it.
    pub(super) async fn run(&self, script: &Script, args: &[&[u8]]) -> Result<News, StoreError> {
        let answer: Answer = self.store.run(script, ("purges", "journal"), args).await?;
        read(answer)
            .ok_or_else(|| StoreError::Refused("the journal of purges cannot be read".into()))
    }
}

fn read((id, last, floor, patterns): Answer) -> Option<News> {
    let journal: u64 = id.strip_prefix('i')?.parse().ok().filter(|id| *id > 0)?;
    let mut records = Vec::with_capacity(patterns.len() / 2);
    for pair in patterns.chunks_exact(2) {
        let [member, score] = pair else { return None };
        let number = number(std::str::from_utf8(score).ok()?)?;
        if !matches!(member.as_slice(), b"n" | b"f") {
            records.push(Record::read(member, number));
        }
    }
    records.sort_by_key(|record| record.number);
    Some(News { journal, last: number(&last)?, floor: number(&floor)?, records })
}

/// A score, which is a whole number below 2^53.
fn number(score: &str) -> Option<u64> {
    score.parse().ok()
}

/// A connection on which others say that they have purged.
pub(super) struct Ear {
    _connection: MultiplexedConnection,
    pub(super) lost: Arc<AtomicBool>,
}

impl Remote {
    /// Listens on a connection of its own.
    pub(super) async fn ear(&self) -> Option<Ear> {
        let lost = Arc::new(AtomicBool::new(false));
        let push = |_: &str| {
            let (nudge, lost) = (Arc::clone(&self.nudge), Arc::clone(&lost));
            move |push: PushInfo| {
                if push.kind == PushKind::Disconnection {
                    lost.store(true, Ordering::Relaxed);
                }
                nudge.notify_one();
                Ok::<_, std::convert::Infallible>(())
            }
        };
        let made = self.store.dialer().listener(push).await.ok()?;
        let mut connection = made.connection;
        let heard = timeout(self.bound, connection.subscribe(&*self.channel)).await;
        matches!(heard, Ok(Ok(()))).then_some(Ear { _connection: connection, lost })
    }
}
