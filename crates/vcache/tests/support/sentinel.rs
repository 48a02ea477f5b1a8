//! A primary, its replica and three Sentinels of the test's own.

use std::process::{Child, Command, Stdio};
use std::time::Duration;

use vcache::{RedisConfig, RedisSentinel};

use super::{Redis, command, connection, free_port, until};

pub struct Watched {
    pub primary: Redis,
    pub replica: Redis,
    sentinels: Vec<(u16, Child)>,
    _folder: tempfile::TempDir,
}

impl Watched {
    pub async fn start() -> Self {
        let primary = Redis::start().await;
        let port = primary.port.to_string();
        let replica = Redis::with(&["--replicaof", "127.0.0.1", &port]).await;
        until("the replica follows", async || {
            replica.tells("INFO replication", "master_link_status:up").await
        })
        .await;
        let folder = tempfile::tempdir().unwrap();
        let sentinels = (0..3).map(|_| sentinel(folder.path(), primary.port)).collect();
        let watched = Self { primary, replica, sentinels, _folder: folder };
        for (port, _) in &watched.sentinels {
            watched.ready(*port).await;
        }
        watched
    }

    /// Waits until a Sentinel knows the replica and the other two.
    async fn ready(&self, port: u16) {
        until("the Sentinels know each other", async || {
            if tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_err() {
                return false;
            }
            let mut raw = connection(port).await;
            let told = command("INFO sentinel");
            let told: String = told.query_async(&mut raw).await.unwrap_or_default();
            told.contains("slaves=1,sentinels=3")
        })
        .await;
    }

    pub fn config(&self) -> RedisConfig {
        let urls = self.sentinels.iter().map(|(port, _)| format!("redis://127.0.0.1:{port}"));
        RedisConfig {
            // Only the Sentinels know where.
            url: "redis://nowhere.invalid:1".to_owned(),
            sentinel: Some(RedisSentinel { primary: "mymaster".to_owned(), urls: urls.collect() }),
            prefix: "test[*]:".to_owned(),
            timeout: Duration::from_secs(5),
            connect_timeout: Duration::from_secs(5),
            ..RedisConfig::default()
        }
    }
}

fn sentinel(folder: &std::path::Path, primary: u16) -> (u16, Child) {
    let port = free_port();
    let file = folder.join(format!("{port}.conf"));
    let config = format!(
        "port {port}\nbind 127.0.0.1\ndir {}\n\
         sentinel monitor mymaster 127.0.0.1 {primary} 2\n\
         sentinel down-after-milliseconds mymaster 1000\n\
         sentinel failover-timeout mymaster 5000\n",
        folder.display()
    );
    std::fs::write(&file, config).unwrap();
    let child = Command::new("redis-server")
        .arg(&file)
        .arg("--sentinel")
        .stdout(Stdio::null())
        .spawn()
        .expect("no redis-server: apt-get install redis-server");
    (port, child)
}

impl Drop for Watched {
    fn drop(&mut self) {
        for (_, sentinel) in &mut self.sentinels {
            let _ = sentinel.kill();
            let _ = sentinel.wait();
        }
    }
}
