//! nginx as origin and as peer, at its best.

use std::fs;
use std::io;
use std::net::SocketAddr;
use std::path::Path;

use benches::asked::Asked;
use benches::contender::{Contender, free_address};

use crate::peers;

/// Static files, with a lifetime where they are to be stored.
pub(crate) fn origin(folder: &Path, root: &Path) -> io::Result<Contender> {
    let address = free_address()?;
    let server = format!(
        "server {{ listen {address}; root {root}; default_type application/json;\n\
         location ~ ^/(cached|coded)/ {{ add_header Cache-Control \"public, max-age=3600\"; }} }}",
        root = root.display(),
    );
    let contender = launch("origin", folder, 1, address, &server)?;
    contender.ok_or_else(|| io::Error::other("the origin is nginx: apt-get install nginx"))
}

/// The peer. What it codes itself it cannot store, so a second server inside it codes, and the
/// first one stores what that one answers, for each coding.
pub(crate) fn start(
    asked: &Asked,
    folder: &Path,
    origin: SocketAddr,
) -> io::Result<Option<Contender>> {
    if !asked.contender("nginx") {
        return Ok(None);
    }
    let address = free_address()?;
    let (cache, socket) = (folder.join("nginx-cache"), folder.join("nginx-coder"));
    let server = format!(
        "proxy_cache_path {cache} keys_zone=hits:10m;\n\
         upstream origin {{ server {origin}; keepalive 1024; keepalive_requests 100000000; }}\n\
         upstream coder {{ server unix:{socket}; keepalive 64; }}\n\
         map $http_accept_encoding $coding {{ default \"\"; ~*gzip gzip; }}\n\
         proxy_http_version 1.1; proxy_set_header Connection \"\";\n\
         proxy_buffer_size 16k; proxy_buffers 16 16k; proxy_busy_buffers_size 64k;\n\
         proxy_set_header Host $host; proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;\n\
         server {{ listen {address};\n\
         location / {{ proxy_pass http://origin; }}\n\
         location /cached/ {{ proxy_pass http://origin; proxy_cache hits; }}\n\
         location /coded/ {{ proxy_pass http://coder; proxy_cache hits;\n\
         proxy_cache_key $scheme$proxy_host$request_uri$coding;\n\
         proxy_set_header Connection \"\"; proxy_set_header Host $host;\n\
         proxy_set_header Accept-Encoding $coding; }} }}\n\
         server {{ listen unix:{socket}; location / {{ proxy_pass http://origin;\n\
         gzip on; gzip_proxied any; gzip_types application/json; gzip_vary on; gzip_comp_level 6; }} }}",
        cache = cache.display(),
        socket = socket.display(),
    );
    launch("nginx", folder, 0, address, &server)
}

fn launch(
    name: &str,
    folder: &Path,
    cpu: usize,
    address: SocketAddr,
    server: &str,
) -> io::Result<Option<Contender>> {
    let home = folder.join(name);
    fs::create_dir_all(&home)?;
    let file = home.join("nginx.conf");
    fs::write(&file, config(&home, server))?;
    let file = file.display().to_string();
    peers::launch(name, ("nginx", "nginx"), &["-c", &file], cpu, address)
}

/// `tcp_nopush` is off: with it the end of a stored answer of 64 KiB waits in the kernel for an
/// acknowledgement that the other side delays, and a hit takes 48 ms where it takes 0.06.
fn config(home: &Path, server: &str) -> String {
    format!(
        "worker_processes 1; daemon off; user root; pid {home}/pid; error_log {home}/error.log;\n\
         worker_rlimit_nofile 16384; events {{ worker_connections 8192; }}\n\
         http {{ access_log off; sendfile on; tcp_nopush off; tcp_nodelay on;\n\
         keepalive_requests 100000000; open_file_cache max=1000 inactive=60s;\n\
         open_file_cache_valid 60s; client_body_temp_path {home}/body;\n\
         proxy_temp_path {home}/proxy; fastcgi_temp_path {home}/f; uwsgi_temp_path {home}/u;\n\
         scgi_temp_path {home}/s;\n{server} }}\n",
        home = home.display(),
    )
}
