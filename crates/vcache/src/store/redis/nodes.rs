//! Which servers there are, and what they are.

use ::redis::aio::MultiplexedConnection;
use ::redis::{Cmd, ErrorKind, FromRedisValue, RedisError, Value};

/// A server's address.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Node {
    pub(super) host: String,
    pub(super) port: u16,
}

/// What asks a node of a Cluster for [`primaries`].
pub(super) fn question() -> Cmd {
    let mut command = Cmd::new();
    command.arg("CLUSTER").arg("SLOTS");
    command
}

/// The primaries of a Cluster, each once, out of the answer of the node at `asked`.
///
/// Each range of slots is told as its first and last slot and its servers, the primary first, as
/// host, port and more. An empty or absent host is that of the node that was asked (Redis
/// documentation, CLUSTER SLOTS).
pub(super) fn primaries(slots: &Value, asked: &str) -> Result<Vec<Node>, RedisError> {
    let odd = || RedisError::from((ErrorKind::UnexpectedReturnType, "not an answer about slots"));
    let (own, _) = asked.rsplit_once(':').unwrap_or((asked, ""));
    let Value::Array(ranges) = slots else { return Err(odd()) };
    let mut found = Vec::new();
    for range in ranges {
        let Value::Array(range) = range else { return Err(odd()) };
        let Some(Value::Array(primary)) = range.get(2) else { return Err(odd()) };
        let [host, port, ..] = primary.as_slice() else { return Err(odd()) };
        let host = Option::<String>::from_redis_value_ref(host)?.filter(|host| !host.is_empty());
        let host = host.unwrap_or_else(|| own.to_owned());
        let port = u16::try_from(i64::from_redis_value_ref(port)?).map_err(|_| odd())?;
        found.push(Node { host, port });
    }
    found.sort();
    found.dedup();
    if found.is_empty() {
        return Err(RedisError::from((ErrorKind::ClusterConnectionNotFound, "no slot is served")));
    }
    Ok(found)
}

/// Refuses a server that has become a replica: a Sentinel may not know it yet (Redis documentation,
/// "Guidelines for Redis clients with support for Redis Sentinel").
pub(super) async fn must_be_primary(
    connection: &mut MultiplexedConnection,
) -> Result<(), RedisError> {
    let mut command = Cmd::new();
    command.arg("ROLE");
    let role = connection.send_packed_command(&command).await?.extract_error()?;
    let Value::Array(role) = role else { return Ok(()) };
    match role.first().map(String::from_redis_value_ref) {
        Some(Ok(role)) if role != "master" => {
            let gone = std::io::Error::other("the server that Sentinel named is no primary");
            Err(RedisError::from(gone))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Value {
        Value::BulkString(text.as_bytes().to_vec())
    }

    fn range(host: Value, port: i64) -> Value {
        let primary = Value::Array(vec![host, Value::Int(port), text("id")]);
        let replica = Value::Array(vec![text("replica"), Value::Int(1), text("id")]);
        Value::Array(vec![Value::Int(0), Value::Int(5), primary, replica])
    }

    #[test]
    fn each_primary_is_told_once() {
        let ranges = [(text("b"), 2), (text("a"), 1), (text("b"), 2), (text(""), 3)];
        let slots = ranges.map(|(host, port)| range(host, port));
        let nodes = primaries(&Value::Array(slots.to_vec()), "asked:9").unwrap();
        let nodes: Vec<_> = nodes.iter().map(|node| (node.host.as_str(), node.port)).collect();
        assert_eq!(nodes, [("a", 1), ("asked", 3), ("b", 2)]);
    }

    #[test]
    fn other_answers_are_refused() {
        for odd in [Value::Nil, Value::Array(vec![]), Value::Array(vec![Value::Int(1)])] {
            assert!(primaries(&odd, "asked:9").is_err(), "{odd:?}");
        }
        let none = Value::Array(vec![range(Value::Nil, 70_000)]);
        assert!(primaries(&none, "asked:9").is_err());
    }
}
