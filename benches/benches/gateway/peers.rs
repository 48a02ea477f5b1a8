//! HAProxy and Varnish, as their manuals advise, with one worker and no log to disk.

use std::env;
use std::fs;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use benches::asked::Asked;
use benches::contender::{Contender, free_address};

/// One thread; idle connections to the origin are shared by all clients.
pub(crate) fn haproxy(
    asked: &Asked,
    folder: &Path,
    origin: SocketAddr,
) -> io::Result<Option<Contender>> {
    if !asked.contender("haproxy") {
        return Ok(None);
    }
    let address = free_address()?;
    let config = format!(
        "global\n  nbthread 1\n  maxconn 8000\n\
         defaults\n  mode http\n  option forwardfor\n  http-reuse always\n\
         \x20 timeout connect 5s\n  timeout client 60s\n  timeout server 60s\n\
         frontend all\n  bind {address}\n  default_backend origin\n\
         backend origin\n  server origin {origin}\n",
    );
    let file = folder.join("haproxy.cfg");
    fs::write(&file, config)?;
    let file = file.display().to_string();
    launch("haproxy", ("haproxy", "haproxy"), &["-db", "-q", "-f", &file], 0, address)
}

/// Everything in memory; what may be coded is coded once, when it is stored.
pub(crate) fn varnish(
    asked: &Asked,
    folder: &Path,
    origin: SocketAddr,
) -> io::Result<Option<Contender>> {
    if !asked.contender("varnish") {
        return Ok(None);
    }
    let address = free_address()?;
    let rules = format!(
        "vcl 4.1;\n\
         backend default {{ .host = \"{}\"; .port = \"{}\"; }}\n\
         sub vcl_recv {{ if (req.url !~ \"^/(cached|coded)/\") {{ return (pass); }} }}\n\
         sub vcl_backend_response {{ if (bereq.url ~ \"^/coded/\") {{ set beresp.do_gzip = true; }} }}\n",
        origin.ip(),
        origin.port(),
    );
    let file = folder.join("varnish.vcl");
    fs::write(&file, rules)?;
    let (home, file) = (folder.join("varnish"), file.display().to_string());
    fs::create_dir_all(&home)?;
    let (home, listen) = (home.display().to_string(), address.to_string());
    let mut args = vec!["-F", "-n", &home, "-a", &listen, "-f", &file, "-j", "none", "-T", "none"];
    // Threads wait for connections, so there are as many as those; its log stays in memory.
    args.extend(["-s", "malloc,256m", "-p", "thread_pools=1", "-p", "thread_pool_min=1000"]);
    args.extend(["-p", "thread_pool_max=5000"]);
    launch("varnish", ("varnishd", "varnish"), &args, 0, address)
}

/// Starts a peer from where Debian puts it; without it, says what to install and goes on.
pub(crate) fn launch(
    name: &str,
    (program, package): (&str, &str),
    args: &[&str],
    cpu: usize,
    address: SocketAddr,
) -> io::Result<Option<Contender>> {
    let Some(path) = find(program) else {
        eprintln!("{name} is left out, it is not installed: apt-get install {package}");
        return Ok(None);
    };
    Contender::start(name, &path, args, Some(cpu), address).map(Some)
}

fn find(program: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let folders = env::split_paths(&path).chain([PathBuf::from("/usr/sbin")]);
    folders.map(|folder| folder.join(program)).find(|file| file.is_file())
}
