//! The settings of Redis connections.

use std::fmt;
use std::time::Duration;

/// The settings of [`Redis`](crate::redis::Redis) connections.
#[derive(Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[cfg_attr(feature = "serde", serde(default, deny_unknown_fields))]
pub struct Config {
    /// Where the server is: `redis://[user[:password]@]host[:port][/database]`, or
    /// `unix:/path`. Default: `redis://127.0.0.1:6379`. It may hold a password: `Debug` leaves
    /// it out, serializing does not.
    pub url: String,
    /// Longest time to connect: name look-up, TCP and the first commands. Default: 2 s.
    #[cfg_attr(feature = "serde", serde(with = "vunit::duration"))]
    pub connect_timeout: Duration,
    /// Longest time for the answer to a command, the queue before the socket included; the
    /// connection is not used again then. Default: 1 s. Zero: no limit, for blocking commands
    /// that bring their own.
    #[cfg_attr(feature = "serde", serde(with = "vunit::duration"))]
    pub response_timeout: Duration,
    /// A connection idle for longer is pinged before it is used. Default: 1 s. Zero: always,
    /// which costs a round trip for each `get`.
    #[cfg_attr(feature = "serde", serde(with = "vunit::duration"))]
    pub check_after: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            url: "redis://127.0.0.1:6379".to_owned(),
            connect_timeout: Duration::from_secs(2),
            response_timeout: Duration::from_secs(1),
            check_after: Duration::from_secs(1),
        }
    }
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config")
            .field("url", &without_user(&self.url))
            .field("connect_timeout", &self.connect_timeout)
            .field("response_timeout", &self.response_timeout)
            .field("check_after", &self.check_after)
            .finish()
    }
}

/// The URL without user, password and query, which may hold secrets too.
fn without_user(url: &str) -> String {
    let plain = url.split_once('?').map_or(url, |(plain, _)| plain);
    match (plain.split_once("://"), plain.rsplit_once('@')) {
        (Some((scheme, _)), Some((_, host))) => format!("{scheme}://…@{host}"),
        _ => plain.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debugging_shows_no_password() {
        for (url, shown) in [
            ("redis://:p@ss@h:1/2", "redis://…@h:1/2"),
            ("redis://u:secret@h", "redis://…@h"),
            ("redis://h:1", "redis://h:1"),
            ("unix:/s?pass=secret", "unix:/s"),
        ] {
            assert_eq!(without_user(url), shown);
        }
    }
}
