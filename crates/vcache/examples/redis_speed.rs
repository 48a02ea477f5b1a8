//! Reads from Redis through the store and through the bare client, in one run:
//! `cargo run --release -p vcache --features redis --example redis_speed [ROUNDS]`.
//!
//! Starts a `redis-server` of its own on a free loopback port and kills it at the end. Each figure
//! is the median over the rounds of gets per second, with the ratio to the bare client in the same
//! rounds; the contenders take turns within a round.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "an example that prints")]

use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use bytes::Bytes;
use redis::aio::MultiplexedConnection;
use tokio::time::Instant;
use vcache::{Keeping, RedisConfig, RedisStore, Store, TagStore};

const KEYS: u64 = 1000;
const TIME: Duration = Duration::from_millis(700);
const VALUE: &[u8] = &[7; 100];

struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

async fn start() -> (Server, String) {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let server = Command::new("redis-server")
        .args(["--bind", "127.0.0.1", "--save", "", "--port", &port.to_string()])
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let url = format!("redis://127.0.0.1:{port}");
    while tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_err() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    (Server(server), url)
}

/// Who reads.
#[derive(Clone)]
enum Reader {
    Bare(MultiplexedConnection),
    Store(RedisStore, &'static str),
}

impl Reader {
    async fn read(&mut self, key: u64) {
        match self {
            Self::Bare(connection) => {
                let key = format!("bare:{key}");
                let get = redis::Cmd::get(key);
                let value: Option<Vec<u8>> = get.query_async(connection).await.unwrap();
                assert_eq!(value.unwrap().len(), VALUE.len());
            }
            Self::Store(store, kind) => {
                let key = format!("{kind}:{key}");
                let stored = store.get(&key).await.unwrap();
                assert_eq!(stored.unwrap().value.len(), VALUE.len());
            }
        }
    }

    /// Gets per second of so many tasks.
    async fn speed(&self, tasks: u64) -> f64 {
        let end = Instant::now() + TIME;
        let readers = (0..tasks).map(|task| {
            let mut reader = self.clone();
            tokio::spawn(async move {
                let (mut reads, mut key) = (0_u32, task);
                while Instant::now() < end {
                    key = (key * 31 + 7) % KEYS;
                    reader.read(key).await;
                    reads += 1;
                }
                reads
            })
        });
        let readers: Vec<_> = readers.collect();
        let mut reads = 0;
        for reader in readers {
            reads += reader.await.unwrap();
        }
        f64::from(reads) / TIME.as_secs_f64()
    }
}

async fn readers(url: &str) -> [(&'static str, Reader); 3] {
    let settings = redis::io::tcp::TcpSettings::default().set_nodelay(true);
    let info = redis::IntoConnectionInfo::into_connection_info(url).unwrap();
    let client = redis::Client::open(info.set_tcp_settings(settings)).unwrap();
    let mut bare = client.get_multiplexed_async_connection().await.unwrap();
    let config = RedisConfig {
        url: url.to_owned(),
        timeout: Duration::from_secs(5),
        ..RedisConfig::default()
    };
    let plain = RedisStore::new(&config).unwrap();
    let tagged = RedisStore::new(&config).unwrap();
    for key in 0..KEYS {
        let set = redis::Cmd::set(format!("bare:{key}"), VALUE);
        set.exec_async(&mut bare).await.unwrap();
        plain.set(&format!("plain:{key}"), Bytes::from_static(VALUE), None).await.unwrap();
        let keeping = Keeping { tags: &["tag"], ..Keeping::default() };
        let key = format!("tagged:{key}");
        tagged.set_tagged(&key, Bytes::from_static(VALUE), keeping).await.unwrap();
    }
    [
        ("bare client", Reader::Bare(bare)),
        ("store", Reader::Store(plain, "plain")),
        ("store, tagged entries", Reader::Store(tagged, "tagged")),
    ]
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}

#[tokio::main]
async fn main() {
    let rounds = std::env::args().nth(1).and_then(|text| text.parse().ok()).unwrap_or(7);
    let (_server, url) = start().await;
    let readers = readers(&url).await;
    println!("{:<24}{:>8}{:>12}{:>8}", "", "tasks", "gets/s", "ratio");
    for tasks in [1, 64, 512] {
        let mut speeds = [const { Vec::new() }; 3];
        let mut ratios = [const { Vec::new() }; 3];
        for round in 0..=rounds {
            let mut bare = 1.0;
            for ((speeds, ratios), (_, reader)) in speeds.iter_mut().zip(&mut ratios).zip(&readers)
            {
                let speed = reader.speed(tasks).await;
                if matches!(reader, Reader::Bare(_)) {
                    bare = speed;
                }
                // The first round only warms up.
                if round > 0 {
                    speeds.push(speed);
                    ratios.push(speed / bare);
                }
            }
        }
        for ((speeds, ratios), (name, _)) in speeds.iter_mut().zip(&mut ratios).zip(&readers) {
            println!("{name:<24}{tasks:>8}{:>12.0}{:>8.3}", median(speeds), median(ratios));
        }
    }
}
