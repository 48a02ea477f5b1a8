//! Our gateway, built as it is shipped.

use std::env;
use std::fs;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use benches::asked::Asked;
use benches::contender::{Contender, free_address};
use benches::report::target;

pub(crate) fn start(_: &Asked, folder: &Path, origin: SocketAddr) -> io::Result<Option<Contender>> {
    let address = free_address()?;
    let config = format!(
        "[server]\nworkers = 1\n[admin]\nenabled = false\n\
         [[listeners]]\nlisten = \"{address}\"\n\
         [upstreams.origin]\nendpoints = [\"http://{origin}\"]\n\
         [[routes]]\npath = \"/\"\nupstream = \"origin\"\n\
         [[routes]]\npath = \"/cached\"\nupstream = \"origin\"\ncache = \"main\"\n\
         [[routes]]\npath = \"/coded\"\nupstream = \"origin\"\ncache = \"main\"\ncompress = {{}}\n\
         [caches.main]\n",
    );
    let file = folder.join("vgate.toml");
    fs::write(&file, config)?;
    let binary = build()?;
    let file = file.display().to_string();
    Contender::start("vgate", &binary, &["run", "--config", &file], Some(0), address).map(Some)
}

/// Builds what is shipped: vgate in the profile `dist`; or takes the one that `VERVE_BENCH_VGATE`
/// names.
fn build() -> io::Result<PathBuf> {
    if let Some(path) = env::var_os("VERVE_BENCH_VGATE") {
        return Ok(PathBuf::from(path));
    }
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
