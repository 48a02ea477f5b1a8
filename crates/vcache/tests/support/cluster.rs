//! A Redis Cluster of three primaries of the test's own.

use std::time::Duration;

use vcache::{RedisConfig, RedisStore};

use super::{Redis, command, connection, free_port, until};

pub struct Cluster {
    pub nodes: Vec<Redis>,
    _folders: Vec<tempfile::TempDir>,
}

impl Cluster {
    pub async fn start() -> Self {
        let (mut nodes, mut folders) = (Vec::new(), Vec::new());
        for _ in 0..3 {
            let folder = tempfile::tempdir().unwrap();
            let args = [
                "--cluster-enabled",
                "yes",
                "--dir",
                folder.path().to_str().unwrap(),
                "--cluster-port",
                &free_port().to_string(),
                "--cluster-node-timeout",
                "2000",
                "--cluster-require-full-coverage",
                "no",
            ];
            nodes.push(Redis::with(&args).await);
            folders.push(folder);
        }
        let cluster = Self { nodes, _folders: folders };
        cluster.join().await;
        cluster
    }

    async fn join(&self) {
        let ranges = ["0 5460", "5461 10922", "10923 16383"];
        for (number, (node, range)) in self.nodes.iter().zip(ranges).enumerate() {
            node.say(&format!("CLUSTER SET-CONFIG-EPOCH {}", number + 1)).await;
            node.say(&format!("CLUSTER ADDSLOTSRANGE {range}")).await;
        }
        for node in &self.nodes[1..] {
            let bus = node.bus_port().await;
            self.nodes[0].say(&format!("CLUSTER MEET 127.0.0.1 {} {bus}", node.port)).await;
        }
        for node in &self.nodes {
            until("the nodes know each other", async || {
                let ok = node.tells("CLUSTER INFO", "cluster_state:ok").await;
                ok && node.tells("CLUSTER INFO", "cluster_slots_ok:16384").await
            })
            .await;
        }
    }

    pub fn config(&self) -> RedisConfig {
        let urls = self.nodes.iter().map(|node| format!("redis://127.0.0.1:{}", node.port));
        let mut urls: Vec<_> = urls.collect();
        RedisConfig {
            url: urls.remove(0),
            urls,
            cluster: true,
            prefix: "test[*]:".to_owned(),
            timeout: Duration::from_secs(5),
            connect_timeout: Duration::from_secs(5),
            ..RedisConfig::default()
        }
    }

    pub fn store(&self) -> RedisStore {
        RedisStore::new(&self.config()).unwrap()
    }

    /// Moves a slot with its keys from one node to another, as `redis-cli --cluster reshard` does.
    pub async fn move_slot(&self, slot: u16, from: usize, to: usize) {
        let (source, target) = (&self.nodes[from], &self.nodes[to]);
        let (source_id, target_id) = (source.id().await, target.id().await);
        target.say(&format!("CLUSTER SETSLOT {slot} IMPORTING {source_id}")).await;
        source.say(&format!("CLUSTER SETSLOT {slot} MIGRATING {target_id}")).await;
        let mut raw = connection(source.port).await;
        loop {
            let next = command(&format!("CLUSTER GETKEYSINSLOT {slot} 10"));
            let keys: Vec<String> = next.query_async(&mut raw).await.unwrap();
            if keys.is_empty() {
                break;
            }
            let mut migrate = command(&format!("MIGRATE 127.0.0.1 {}", target.port));
            migrate.arg("").arg(0).arg(5000).arg("KEYS").arg(keys);
            migrate.exec_async(&mut raw).await.unwrap();
        }
        for node in [target, source] {
            node.say(&format!("CLUSTER SETSLOT {slot} NODE {target_id}")).await;
        }
    }
}

impl Redis {
    pub async fn say(&self, words: &str) {
        command(words).exec_async(&mut self.raw().await).await.unwrap();
    }

    pub async fn ask(&self, words: &str) -> String {
        command(words).query_async(&mut self.raw().await).await.unwrap()
    }

    /// Whether it answers, and with this text somewhere.
    pub async fn tells(&self, words: &str, text: &str) -> bool {
        let client = redis::Client::open(format!("redis://127.0.0.1:{}", self.port)).unwrap();
        let Ok(mut raw) = client.get_multiplexed_async_connection().await else { return false };
        let told: Result<String, _> = command(words).query_async(&mut raw).await;
        told.is_ok_and(|told| told.contains(text))
    }

    async fn id(&self) -> String {
        self.ask("CLUSTER MYID").await
    }

    async fn bus_port(&self) -> String {
        let told = command("CONFIG GET cluster-port");
        let told: Vec<String> = told.query_async(&mut self.raw().await).await.unwrap();
        told[1].clone()
    }
}
