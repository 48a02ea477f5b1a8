//! A server process under measurement: started pinned, its CPU time read, ended on drop.

use std::fs;
use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// A running server and its children.
#[derive(Debug)]
pub struct Contender {
    name: String,
    child: Child,
    address: SocketAddr,
}

impl Contender {
    /// Starts `program` with `args`, on processor `cpu` if given, and waits until `address` accepts.
    ///
    /// # Errors
    ///
    /// Fails when the program cannot be started, ends early, or does not accept within 10 s.
    pub fn start(
        name: &str,
        program: &Path,
        args: &[&str],
        cpu: Option<usize>,
        address: SocketAddr,
    ) -> io::Result<Self> {
        let mut command = Command::new(if cpu.is_some() { Path::new("taskset") } else { program });
        if let Some(cpu) = cpu {
            command.args(["-c", &cpu.to_string()]).arg(program);
        }
        let child = command
            .args(args)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|e| io::Error::new(e.kind(), format!("{}: {e}", program.display())))?;
        let mut contender = Self { name: name.to_owned(), child, address };
        contender.wait_until_it_accepts()?;
        Ok(contender)
    }

    /// The contender's name, as in the report.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    fn wait_until_it_accepts(&mut self) -> io::Result<()> {
        for _ in 0..200 {
            if TcpStream::connect_timeout(&self.address, Duration::from_millis(200)).is_ok() {
                return Ok(());
            }
            if let Some(status) = self.child.try_wait()? {
                return Err(io::Error::other(format!("{} ended at once: {status}", self.name)));
            }
            #[expect(clippy::disallowed_methods, reason = "a harness has no worker to block")]
            std::thread::sleep(Duration::from_millis(50));
        }
        Err(io::Error::new(io::ErrorKind::TimedOut, format!("{} does not accept", self.name)))
    }

    /// User and system time of the process and its children so far, in seconds.
    #[must_use]
    pub fn cpu_seconds(&self) -> f64 {
        let ticks: u64 = family(self.child.id()).into_iter().filter_map(cpu_ticks).sum();
        // The kernel's USER_HZ is 100 on every Linux that matters here.
        ticks as f64 / 100.0
    }

    /// Resident memory of the process and its children, in KiB.
    #[must_use]
    pub fn resident_kib(&self) -> u64 {
        family(self.child.id()).into_iter().filter_map(resident_kib).sum()
    }
}

impl Drop for Contender {
    fn drop(&mut self) {
        for pid in family(self.child.id()) {
            // Gone already is as good.
            let _ = Command::new("kill").args(["-KILL", &pid.to_string()]).status();
        }
        let _ = self.child.wait();
    }
}

/// User and system time of this process so far, in seconds.
#[must_use]
pub fn own_cpu_seconds() -> f64 {
    cpu_ticks(std::process::id()).unwrap_or_default() as f64 / 100.0
}

/// A port of the loopback address that was free a moment ago.
///
/// # Errors
///
/// Fails when no port can be had.
pub fn free_address() -> io::Result<SocketAddr> {
    TcpListener::bind("127.0.0.1:0")?.local_addr()
}

/// The process and all below it.
fn family(root: u32) -> Vec<u32> {
    let mut known = vec![root];
    let mut at = 0;
    while let Some(parent) = known.get(at).copied() {
        let children = fs::read_to_string(format!("/proc/{parent}/task/{parent}/children"));
        known.extend(
            children
                .unwrap_or_default()
                .split_whitespace()
                .filter_map(|pid| pid.parse::<u32>().ok()),
        );
        at += 1;
    }
    known
}

fn cpu_ticks(pid: u32) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name may hold spaces; fields are counted behind its closing bracket (proc(5)).
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let field = |at: usize| fields.get(at).and_then(|text| text.parse::<u64>().ok());
    Some(field(11)? + field(12)?)
}

fn resident_kib(pid: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:"))?;
    line.split_whitespace().nth(1)?.parse().ok()
}
