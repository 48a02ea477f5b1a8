//! A Redis of our own: on a free port, in memory only, ended on drop.

use std::io;
use std::path::Path;

use crate::contender::{Contender, free_address};

/// A running server.
#[derive(Debug)]
pub struct RedisServer(Contender);

impl RedisServer {
    /// Starts `redis-server`.
    ///
    /// # Errors
    ///
    /// Fails when it is not installed (`apt-get install redis-server`) or does not start.
    pub fn start() -> io::Result<Self> {
        let address = free_address()?;
        let (host, port) = (address.ip().to_string(), address.port().to_string());
        let args = ["--bind", &host, "--port", &port, "--save", "", "--appendonly", "no"];
        Contender::start("redis-server", Path::new("redis-server"), &args, None, address).map(Self)
    }

    /// Where it is.
    #[must_use]
    pub fn url(&self) -> String {
        format!("redis://{}", self.0.address())
    }
}
