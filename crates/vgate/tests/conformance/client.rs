//! A client over HTTP/1.1, byte by byte, and one over HTTP/2.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request};

use crate::expect::{Seen, fields};

/// How long anything may take before a test fails instead of hanging.
const PATIENCE: Duration = Duration::from_secs(60);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Protocol {
    Http1,
    Http2,
}

/// An answer that was read to its end.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    /// The interim responses before it, over HTTP/1.1.
    pub(crate) interim: Vec<(u16, HeaderMap)>,
    /// What the body was, and `None` when it broke off.
    pub(crate) body: Option<String>,
}

impl Reply {
    pub(crate) fn seen(&self) -> Seen<'_> {
        Seen { status: self.status, headers: &self.headers, body: self.body.as_deref() }
    }

    pub(crate) fn field(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// The gateway's own member of `Cache-Status`.
    pub(crate) fn cache_status(&self) -> &str {
        let last = self.headers.get_all("cache-status").iter().next_back();
        last.map_or("", |value| value.to_str().unwrap())
    }

    pub(crate) fn is_hit(&self) -> bool {
        self.cache_status().contains("; hit")
    }
}

/// What is asked.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ask<'a> {
    /// Method and target.
    pub(crate) request: &'a str,
    pub(crate) fields: &'a str,
    pub(crate) content: &'a str,
}

/// Asks on a connection of its own.
pub(crate) fn ask(protocol: Protocol, gateway: SocketAddr, ask: Ask<'_>) -> Reply {
    let mut reply = match protocol {
        Protocol::Http1 => http1(gateway, ask),
        Protocol::Http2 => {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            let answer = runtime
                .unwrap()
                .block_on(async { tokio::time::timeout(PATIENCE, http2(gateway, ask)).await });
            answer.expect("an answer over HTTP/2")
        }
    };
    rename(&mut reply.headers);
    reply
}

/// A gateway's cache has the name of its table; the rows have the library's.
fn rename(headers: &mut HeaderMap) {
    let values: Vec<_> = headers.get_all("cache-status").iter().cloned().collect();
    headers.remove("cache-status");
    for value in values {
        let text = value.to_str().unwrap().replacen("Verve-main;", "Verve;", 1);
        headers.append("cache-status", HeaderValue::try_from(text).unwrap());
    }
}

fn http1(gateway: SocketAddr, ask: Ask<'_>) -> Reply {
    let (method, target) = ask.request.split_once(' ').unwrap();
    let mut head = format!("{method} {target} HTTP/1.1\r\nHost: a.test\r\n");
    for line in ask.fields.split('\n').filter(|line| !line.is_empty()) {
        head += &format!("{line}\r\n");
    }
    if !ask.content.is_empty() {
        head += &format!("Content-Length: {}\r\n", ask.content.len());
    }
    raw(gateway, &format!("{head}\r\n{}", ask.content))
}

/// Sends the bytes, and reads one answer.
pub(crate) fn raw(gateway: SocketAddr, bytes: &str) -> Reply {
    let stream = TcpStream::connect(gateway).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    (&stream).write_all(bytes.as_bytes()).unwrap();
    let mut reader = BufReader::new(stream);
    let mut interim = Vec::new();
    let (status, headers) = loop {
        let head = head(&mut reader);
        if head.0 >= 200 {
            break head;
        }
        interim.push(head);
    };
    let is_empty = bytes.starts_with("HEAD ") || matches!(status, 204 | 304);
    let body = if is_empty { Some(Vec::new()) } else { body(&mut reader, &headers) };
    Reply { status, headers, interim, body: body.map(|body| String::from_utf8(body).unwrap()) }
}

fn line(reader: &mut BufReader<TcpStream>) -> Option<String> {
    let mut line = String::new();
    reader.read_line(&mut line).ok()?;
    line.ends_with('\n').then(|| line.trim_end_matches(['\r', '\n']).to_owned())
}

fn head(reader: &mut BufReader<TcpStream>) -> (u16, HeaderMap) {
    let first = line(reader).expect("a status line");
    let status = first.split(' ').nth(1).unwrap().parse().unwrap();
    let mut headers = HeaderMap::new();
    loop {
        let line = line(reader).expect("the end of the head");
        if line.is_empty() {
            return (status, headers);
        }
        let (name, value) = line.split_once(':').unwrap();
        let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
        headers.append(name, HeaderValue::from_str(value.trim()).unwrap());
    }
}

fn body(reader: &mut BufReader<TcpStream>, headers: &HeaderMap) -> Option<Vec<u8>> {
    let mut all = Vec::new();
    if headers.get("transfer-encoding").is_some_and(|coding| coding == "chunked") {
        loop {
            let size = usize::from_str_radix(&line(reader)?, 16).ok()?;
            let mut chunk = vec![0; size];
            reader.read_exact(&mut chunk).ok()?;
            all.append(&mut chunk);
            line(reader)?;
            if size == 0 {
                return Some(all);
            }
        }
    }
    match headers.get("content-length") {
        Some(length) => {
            all.resize(length.to_str().unwrap().parse().unwrap(), 0);
            reader.read_exact(&mut all).ok()?;
        }
        None => drop(reader.read_to_end(&mut all).ok()?),
    }
    Some(all)
}

async fn http2(gateway: SocketAddr, ask: Ask<'_>) -> Reply {
    let stream = tokio::net::TcpStream::connect(gateway).await.unwrap();
    let (send, connection) = h2::client::handshake(stream).await.unwrap();
    let driver = tokio::spawn(connection);
    let (method, target) = ask.request.split_once(' ').unwrap();
    let absolute = if target.starts_with('/') { "http://a.test" } else { "" };
    let mut request = Request::new(());
    *request.method_mut() = Method::from_bytes(method.as_bytes()).unwrap();
    *request.uri_mut() = format!("{absolute}{target}").parse().unwrap();
    *request.headers_mut() = fields(ask.fields);
    let mut send = send.ready().await.unwrap();
    let (response, mut content) = send.send_request(request, ask.content.is_empty()).unwrap();
    if !ask.content.is_empty() {
        content.send_data(Bytes::copy_from_slice(ask.content.as_bytes()), true).unwrap();
    }
    let (parts, mut body) = response.await.unwrap().into_parts();
    let mut all = Some(Vec::new());
    while let Some(data) = body.data().await {
        match (data, &mut all) {
            (Ok(data), Some(all)) => {
                body.flow_control().release_capacity(data.len()).unwrap();
                all.extend_from_slice(&data);
            }
            _ => {
                all = None;
                break;
            }
        }
    }
    driver.abort();
    let body = all.map(|all| String::from_utf8(all).unwrap());
    let interim = Vec::new();
    Reply { status: parts.status.as_u16(), headers: parts.headers, interim, body }
}
