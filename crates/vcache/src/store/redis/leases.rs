//! What happens to a lease on the server, and where one waits for its end.

use super::room::Room;
use super::script::Script;

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

/// What leases need.
pub(super) struct Leases {
    pub(super) acquire: Script,
    pub(super) extend: Script,
    pub(super) release: Script,
    pub(super) fill: Script,
    pub(super) room: Room,
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
