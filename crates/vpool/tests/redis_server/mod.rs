//! A real Redis server on a port that the system picks.

#![allow(dead_code, unreachable_pub, reason = "each test file uses its part")]

use std::process::Stdio;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::process::{Child, Command};

pub struct Server {
    process: Child,
    port: u16,
    dir: tempfile::TempDir,
}

impl Server {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        drop(listener);
        Self::start_on(port, tempfile::tempdir().unwrap()).await
    }

    async fn start_on(port: u16, dir: tempfile::TempDir) -> Self {
        let process = Command::new("redis-server")
            .args(["--port", &port.to_string(), "--bind", "127.0.0.1"])
            .args(["--save", "", "--appendonly", "no"])
            .current_dir(dir.path())
            .stdout(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .unwrap_or_else(|error| {
                panic!("cannot start redis-server ({error}): apt-get install redis-server")
            });
        let server = Self { process, port, dir };
        let ready = async {
            while TcpStream::connect(("127.0.0.1", port)).await.is_err() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        let limit = Duration::from_secs(20);
        tokio::time::timeout(limit, ready).await.expect("redis-server does not listen");
        server
    }

    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// Ends the process and waits for it.
    pub async fn stop(mut self) -> tempfile::TempDir {
        self.process.kill().await.unwrap();
        self.dir
    }

    /// Ends the process and starts another on the same port.
    pub async fn restart(self) -> Self {
        let port = self.port;
        let dir = self.stop().await;
        Self::start_on(port, dir).await
    }

    /// Stops the process from running, as if it hung.
    pub fn pause(&self) {
        self.signal("-STOP");
    }

    /// Lets the process run again.
    pub fn resume(&self) {
        self.signal("-CONT");
    }

    fn signal(&self, signal: &str) {
        let id = self.process.id().unwrap().to_string();
        let sent = std::process::Command::new("kill").args([signal, &id]).status();
        assert!(sent.unwrap().success());
    }
}
