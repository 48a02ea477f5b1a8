//! vgate beside nginx: pass-through and cache hits, CPU per request and requests a second.
//!
//! Each contender runs with one worker on processor 0; the origin (nginx with static files) and
//! wrk share processor 1. Contenders alternate from round to round; the table shows medians.
//! `VERVE_BENCH_ROUNDS` and `VERVE_BENCH_SECONDS` change how many rounds and how long each.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::cast_precision_loss,
    reason = "a harness for people: a table on standard output, progress on standard error"
)]

use std::env;
use std::fs;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use benches::contender::{Contender, free_address};
use benches::load::wrk;
use benches::report::{Row, table, write};

/// What is asked for, and over how many connections.
const SCENARIOS: [(&str, &str, usize); 5] = [
    ("pass-through 1 KiB", "/plain/1k.json", 64),
    ("pass-through 100 KiB", "/plain/100k.json", 64),
    ("pass-through 1 KiB, 1,000 connections", "/plain/1k.json", 1000),
    ("cache hit 1 KiB", "/cached/1k.json", 64),
    ("cache hit 64 KiB", "/cached/64k.json", 64),
];

const PEER: &str = "nginx";

/// Fields that browsers send, so that parsing costs what it costs in life.
const HEADERS: [&str; 3] =
    ["User-Agent: Mozilla/5.0 (X11; Linux x86_64)", "Accept: */*", "Accept-Language: en-GB,en"];

fn main() -> io::Result<()> {
    // `cargo test` runs benches too; there is nothing to test here.
    if env::args().any(|arg| arg == "--test") {
        return Ok(());
    }
    let (rounds, seconds) = (setting("VERVE_BENCH_ROUNDS", 5), setting("VERVE_BENCH_SECONDS", 2));
    let folder = tempfile::Builder::new().prefix("verve-bench").tempdir_in("/dev/shm")?;
    let origin = origin(folder.path())?;
    let contenders =
        [nginx(folder.path(), origin.address())?, vgate(folder.path(), origin.address())?];
    let rows = measure_all(&contenders, rounds, seconds)?;
    println!("{}", table(&rows, PEER));
    write(&target().join("bench"), "gateway", &rows, PEER)
}

fn measure_all(contenders: &[Contender], rounds: u32, seconds: u32) -> io::Result<Vec<Row>> {
    let mut rows: Vec<Row> = Vec::new();
    for (scenario, path, connections) in SCENARIOS {
        let mut of_scenario: Vec<Row> =
            contenders.iter().map(|c| row(scenario, c.name())).collect();
        for round in 0..rounds {
            eprintln!("{scenario}: round {} of {rounds}", round + 1);
            for (contender, row) in contenders.iter().zip(&mut of_scenario) {
                measure(contender, path, connections, seconds, row)?;
            }
        }
        rows.extend(of_scenario);
    }
    Ok(rows)
}

fn setting(name: &str, default: u32) -> u32 {
    env::var(name).ok().and_then(|value| value.parse().ok()).unwrap_or(default)
}

fn row(scenario: &str, contender: &str) -> Row {
    Row { scenario: scenario.to_owned(), contender: contender.to_owned(), ..Row::default() }
}

/// One round: a short warm-up, then load with the contender's CPU time read before and after.
fn measure(
    contender: &Contender,
    path: &str,
    connections: usize,
    seconds: u32,
    row: &mut Row,
) -> io::Result<()> {
    let url = format!("http://{}{path}", contender.address());
    wrk(&url, &HEADERS, connections, 1, 1)?;
    let before = contender.cpu_seconds();
    let load = wrk(&url, &HEADERS, connections, seconds, 1)?;
    let cpu = contender.cpu_seconds() - before;
    row.cpu_us.push(cpu * 1e6 / load.requests as f64);
    row.per_second.push(load.per_second);
    row.p99_ms.push(load.p99_ms);
    row.errors += load.errors;
    Ok(())
}

/// nginx with static files: an origin that nobody here wrote.
fn origin(folder: &Path) -> io::Result<Contender> {
    let root = folder.join("root");
    for part in ["plain", "cached"] {
        fs::create_dir_all(root.join(part))?;
        for (name, size) in [("1k.json", 1024), ("64k.json", 65_536), ("100k.json", 102_400)] {
            fs::write(root.join(part).join(name), json(size))?;
        }
    }
    let address = free_address()?;
    let server = format!(
        "server {{ listen {address}; root {root}; default_type application/json;\n\
         location /cached/ {{ add_header Cache-Control \"public, max-age=3600\"; }} }}",
        root = root.display(),
    );
    start_nginx("origin", folder, 1, address, &server)
}

/// JSON-like text of exactly `size` bytes.
fn json(size: usize) -> String {
    let mut text = String::with_capacity(size + 64);
    text.push('[');
    let mut at = 0;
    while text.len() < size {
        text.push_str(&format!(
            "{{\"id\":{at},\"name\":\"item {}\",\"price\":{}}},",
            at * 7919 % 997,
            at * 31 % 500
        ));
        at += 1;
    }
    text.truncate(size - 1);
    text.push(']');
    text
}

fn nginx(folder: &Path, origin: SocketAddr) -> io::Result<Contender> {
    let address = free_address()?;
    let cache = folder.join("nginx-cache");
    let server = format!(
        "proxy_cache_path {cache} keys_zone=hits:10m;\n\
         upstream origin {{ server {origin}; keepalive 1024; }}\n\
         server {{ listen {address}; proxy_http_version 1.1; proxy_set_header Connection \"\";\n\
         proxy_set_header Host $host; proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;\n\
         location / {{ proxy_pass http://origin; }}\n\
         location /cached/ {{ proxy_pass http://origin; proxy_cache hits; }} }}",
        cache = cache.display(),
    );
    start_nginx(PEER, folder, 0, address, &server)
}

fn start_nginx(
    name: &str,
    folder: &Path,
    cpu: usize,
    address: SocketAddr,
    server: &str,
) -> io::Result<Contender> {
    let home = folder.join(name);
    fs::create_dir_all(&home)?;
    let file = home.join("nginx.conf");
    fs::write(&file, nginx_config(&home, server))?;
    let file = file.display().to_string();
    Contender::start(name, Path::new("/usr/sbin/nginx"), &["-c", &file], cpu, address)
}

fn nginx_config(home: &Path, server: &str) -> String {
    format!(
        "worker_processes 1; daemon off; user root; pid {home}/pid; error_log {home}/error.log;\n\
         worker_rlimit_nofile 16384; events {{ worker_connections 8192; }}\n\
         http {{ access_log off; sendfile on; tcp_nopush on; keepalive_requests 100000000;\n\
         open_file_cache max=1000; client_body_temp_path {home}/body; proxy_temp_path {home}/proxy;\n\
         fastcgi_temp_path {home}/f; uwsgi_temp_path {home}/u; scgi_temp_path {home}/s;\n{server} }}\n",
        home = home.display(),
    )
}

fn vgate(folder: &Path, origin: SocketAddr) -> io::Result<Contender> {
    let address = free_address()?;
    let config = format!(
        "[server]\nworkers = 1\n[admin]\nenabled = false\n\
         [[listeners]]\nlisten = \"{address}\"\n\
         [upstreams.origin]\nendpoints = [\"http://{origin}\"]\n\
         [[routes]]\npath = \"/\"\nupstream = \"origin\"\n\
         [[routes]]\npath = \"/cached\"\nupstream = \"origin\"\ncache = \"main\"\n[caches.main]\n",
    );
    let file = folder.join("vgate.toml");
    fs::write(&file, config)?;
    let binary = build_vgate()?;
    let file = file.display().to_string();
    Contender::start("vgate", &binary, &["run", "--config", &file], 0, address)
}

/// Builds what is shipped: vgate in the profile `dist`.
fn build_vgate() -> io::Result<PathBuf> {
    eprintln!("building vgate in the profile dist");
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut build = Command::new(cargo);
    build.args(["build", "--quiet", "--profile=dist", "-p", "vgate"]);
    // What cargo tells a benchmark would make build scripts run again, each time.
    for (name, _) in env::vars_os() {
        let told = name.to_string_lossy();
        if told.starts_with("CARGO_PKG_") || told.starts_with("CARGO_MANIFEST_") {
            build.env_remove(&name);
        }
    }
    if build.status()?.success() {
        Ok(target().join("dist/vgate"))
    } else {
        Err(io::Error::other("vgate does not build"))
    }
}

/// The target directory that this program was built into.
fn target() -> PathBuf {
    let default = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target");
    env::var_os("CARGO_TARGET_DIR").map_or(default, PathBuf::from)
}
