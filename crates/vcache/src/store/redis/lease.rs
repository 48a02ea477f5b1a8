//! Leases of keys in Redis.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::time::Duration;

use ::redis::{Cmd, Value};
use bytes::Bytes;

use super::entry::sealed;
use super::link::Link;
use super::room::Room;
use super::script::Script;
use super::{RedisStore, read};
use crate::store::lease::{Acquired, Lease, LeaseStore, Released};
use crate::store::wall::millis;
use crate::store::{Keeping, StoreError};

/// Takes a lease: its value is the owner and the token. The token counts up; a counter that is new,
/// or was lost, begins at the server's time in microseconds, so after all that it gave before. It
/// outlives the leases by a day. The owner who asks twice, because the first answer was lost, has
/// it.
const ACQUIRE: &str = "
local held = redis.call('GET', KEYS[1])
if held then
  local owner, token = string.match(held, '^(%S+) (%d+)$')
  return owner == ARGV[1] and token or '0'
end
local token = redis.call('INCR', KEYS[2])
if token == 1 then
  local time = redis.call('TIME')
  token = tonumber(time[1]) * 1000000 + tonumber(time[2])
end
token = string.format('%.0f', token)
redis.call('SET', KEYS[2], token, 'PX', 86400000)
redis.call('SET', KEYS[1], ARGV[1] .. ' ' .. token, 'NX', 'PX', ARGV[2])
return token
";

const EXTEND: &str = "
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('PEXPIRE', KEYS[1], ARGV[2])
";

const RELEASE: &str = "
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
redis.call('DEL', KEYS[1])
redis.call('PUBLISH', ARGV[2], 'given up')
return 1
";

const FILL: &str = "
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
if ARGV[3] == '' then redis.call('SET', KEYS[2], ARGV[4])
elseif ARGV[3] == '0' then redis.call('UNLINK', KEYS[2])
else redis.call('SET', KEYS[2], ARGV[4], 'PX', ARGV[3]) end
redis.call('DEL', KEYS[1])
redis.call('PUBLISH', ARGV[2], 'filled')
return 1
";

/// While there is no news of a lease's end, it is looked at so often.
const GLANCE: Duration = Duration::from_millis(50);

/// What leases need.
pub(super) struct Leases {
    acquire: Script,
    extend: Script,
    release: Script,
    fill: Script,
    room: Room,
}

impl Leases {
    pub(super) fn new() -> Self {
        Self {
            acquire: Script::new(ACQUIRE),
            extend: Script::new(EXTEND),
            release: Script::new(RELEASE),
            fill: Script::new(FILL),
            room: Room::default(),
        }
    }
}

/// The lease of a key is a key of its own, in the same slot, set by `SET NX PX` with the owner and
/// the token, and extended, given back and filled in only by that owner (compared in Lua).
///
/// Who waits subscribes to the key's own channel, over one more connection of the process, and
/// looks at the lease once after that: so no news is missed, and nobody polls. Only those who wait
/// for a key hear of it. Waiting by blocking commands would take a connection for each, and
/// keyspace notifications have to be turned on and tell of every key. Where there is no such
/// connection (the server has no RESP3), the lease is looked at every 50 ms.
impl LeaseStore for RedisStore {
    async fn acquire(&self, key: &str, ttl: Duration) -> Result<Acquired, StoreError> {
        let (lease, counter) = (self.beside(key, "lease"), self.beside(key, "token"));
        let (owner, ttl) = (owner(), millis(ttl).max(1).to_string());
        let args = [owner.as_bytes(), ttl.as_bytes()];
        let (link, script) = (&self.inner.link, &self.inner.leases.acquire);
        let token = link.run(link.spot(&lease), script, &[&lease, &counter], &args).await?;
        Ok(match read::<u64>(token)? {
            0 => Acquired::Busy,
            token => Acquired::Held(Lease { key: key.to_owned(), owner, token }),
        })
    }

    async fn extend(&self, lease: &Lease, ttl: Duration) -> Result<bool, StoreError> {
        let ttl = millis(ttl).max(1).to_string();
        self.as_owner(lease, &self.inner.leases.extend, &[ttl.as_bytes()]).await
    }

    async fn release(&self, lease: &Lease) -> Result<bool, StoreError> {
        let channel = self.beside(&lease.key, "done");
        self.as_owner(lease, &self.inner.leases.release, &[channel.as_bytes()]).await
    }

    async fn fill(
        &self,
        lease: &Lease,
        value: Bytes,
        keeping: Keeping<'_>,
    ) -> Result<bool, StoreError> {
        let ttl = self.lifetime(keeping.ttl);
        let mut label = self.label(ttl, &keeping);
        label.token = lease.token;
        if !label.tags.is_empty() || self.inner.clears_by_generation {
            // As of the moment that the loader says, or as of what is known: never newer.
            let known = self.inner.generations.now();
            label.generation = keeping.since.map_or(known, |since| since.0.min(known));
        }
        let bytes = sealed(&value, &label)?;
        let (channel, ttl) = (self.beside(&lease.key, "done"), ttl.map(millis));
        let ttl = ttl.map_or_else(String::new, |ttl| ttl.to_string());
        let args = [channel.as_bytes(), ttl.as_bytes(), &bytes];
        self.as_owner(lease, &self.inner.leases.fill, &args).await
    }

    async fn released(&self, key: &str, most: Duration) -> Result<Released, StoreError> {
        let (lease, channel) = (self.beside(key, "lease"), self.beside(key, "done"));
        let (link, room) = (&self.inner.link, &self.inner.leases.room);
        let place = room.enter(&channel);
        let hears = room.listen(self.dialer(), &channel).await.is_ok();
        let left = left(link, &lease).await?;
        let Some(left) = left else { return Ok(place.heard()) };
        let wait = if hears { left.min(most) } else { left.min(most).min(GLANCE) };
        Ok(place.wait(wait).await)
    }
}

/// How long a lease still lasts; `None` if it is over.
async fn left(link: &Link, lease: &str) -> Result<Option<Duration>, StoreError> {
    let mut command = Cmd::new();
    command.arg("PTTL").arg(lease);
    let left: i64 = read(link.call(link.spot(lease), &command).await?)?;
    // One more, because Redis rounds.
    Ok(u64::try_from(left).ok().map(|left| Duration::from_millis(left + 1)))
}

impl RedisStore {
    fn beside(&self, key: &str, what: &str) -> String {
        self.inner.keys.beside(key, what)
    }

    /// Runs a script of the one who holds a lease; whether it was held.
    async fn as_owner(
        &self,
        lease: &Lease,
        script: &Script,
        args: &[&[u8]],
    ) -> Result<bool, StoreError> {
        let place = self.beside(&lease.key, "lease");
        let entry = self.inner.keys.entry(&lease.key);
        let held = format!("{} {}", lease.owner, lease.token);
        let mut all = vec![held.as_bytes()];
        all.extend(args);
        let link = &self.inner.link;
        let done = link.run(link.spot(&place), script, &[&place, &entry], &all).await?;
        Ok(read::<Value>(done)? == Value::Int(1))
    }
}

/// A name that nobody else has: 128 bits at random.
fn owner() -> String {
    let random = || RandomState::new().build_hasher().finish();
    format!("{:016x}{:016x}", random(), random().rotate_left(32) ^ u64::from(std::process::id()))
}
