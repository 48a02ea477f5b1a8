//! A Redis server of the test's own.

use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;
use tokio::net::TcpStream;
use vcache::{RedisConfig, RedisStore};

pub mod cluster;
pub mod sentinel;

/// A server on a free loopback port; killed when dropped.
pub struct Redis {
    pub port: u16,
    args: Vec<String>,
    server: Option<Child>,
    /// Where it writes what replicas are sent.
    folder: TempDir,
}

/// A port that nobody has just now.
pub fn free_port() -> u16 {
    let free = TcpListener::bind("127.0.0.1:0").unwrap();
    free.local_addr().unwrap().port()
}

impl Redis {
    pub async fn start() -> Self {
        Self::with(&[]).await
    }

    /// A server with more settings.
    pub async fn with(args: &[&str]) -> Self {
        let args = args.iter().map(|arg| (*arg).to_owned()).collect();
        let folder = tempfile::tempdir().unwrap();
        let mut redis = Self { port: free_port(), args, server: None, folder };
        redis.restart().await;
        redis
    }

    /// Starts the server again, empty, on the same port, and waits until it listens.
    pub async fn restart(&mut self) {
        self.kill();
        let server = Command::new("redis-server")
            .args(["--bind", "127.0.0.1", "--save", "", "--appendonly", "no"])
            .args(["--port", &self.port.to_string()])
            .arg("--dir")
            .arg(self.folder.path())
            .args(&self.args)
            .stdout(Stdio::null())
            .spawn();
        self.server = match server {
            Ok(server) => Some(server),
            Err(error) => panic!("no redis-server ({error}): apt-get install redis-server"),
        };
        let listening = async {
            while TcpStream::connect(("127.0.0.1", self.port)).await.is_err() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        let limit = Duration::from_secs(20);
        tokio::time::timeout(limit, listening).await.expect("redis-server does not listen");
    }

    pub fn kill(&mut self) {
        if let Some(mut server) = self.server.take() {
            server.kill().unwrap();
            server.wait().unwrap();
        }
    }

    /// Sends the server a signal by name.
    pub fn signal(&self, name: &str) {
        let id = self.server.as_ref().unwrap().id();
        let sent = Command::new("kill").args(["-s", name, &id.to_string()]).status();
        assert!(sent.unwrap().success());
    }

    pub fn config(&self) -> RedisConfig {
        RedisConfig {
            url: format!("redis://127.0.0.1:{}", self.port),
            prefix: "test[*]:".to_owned(),
            // Generous, because other tests may hold the machine.
            timeout: Duration::from_secs(5),
            ..RedisConfig::default()
        }
    }

    pub fn store(&self) -> RedisStore {
        RedisStore::new(&self.config()).unwrap()
    }

    /// A connection past the store.
    pub async fn raw(&self) -> redis::aio::MultiplexedConnection {
        connection(self.port).await
    }
}

pub async fn connection(port: u16) -> redis::aio::MultiplexedConnection {
    let client = redis::Client::open(format!("redis://127.0.0.1:{port}")).unwrap();
    let config = redis::AsyncConnectionConfig::new()
        .set_connection_timeout(Some(Duration::from_secs(10)))
        .set_response_timeout(Some(Duration::from_secs(10)));
    client.get_multiplexed_async_connection_with_config(&config).await.unwrap()
}

/// A command of these words.
pub fn command(words: &str) -> redis::Cmd {
    let mut command = redis::Cmd::new();
    command.arg(words.split_whitespace().collect::<Vec<_>>());
    command
}

/// Waits until `done` says so.
pub async fn until(what: &str, mut done: impl AsyncFnMut() -> bool) {
    let asking = async {
        while !done().await {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let limit = Duration::from_secs(60);
    assert!(tokio::time::timeout(limit, asking).await.is_ok(), "never: {what}");
}

impl Drop for Redis {
    fn drop(&mut self) {
        self.kill();
    }
}
