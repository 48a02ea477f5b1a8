//! A line per finished request, written by one thread from a bounded queue.

use std::fmt::Write as _;
use std::io::{self, BufWriter, Write as _};
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::{Duration, SystemTime};

use http::header::{REFERER, USER_AGENT};
use http::{HeaderMap, HeaderName, Request, StatusCode};
use verve::http::{Body, ClientAddr, Record, Timeline, date};

use crate::logging::Access;

/// Lines that may wait to be written; more are dropped and counted.
const QUEUE: usize = 8192;

/// Longest value that a line keeps, in characters.
const LONGEST: usize = 1024;

/// Where finished requests are logged; clones share one queue.
#[derive(Debug, Clone)]
pub(crate) struct AccessLog {
    format: Access,
    queue: SyncSender<String>,
    dropped: Arc<AtomicU64>,
}

/// What is known of a request when it comes in.
#[derive(Debug)]
pub(crate) struct Entry {
    client: Option<IpAddr>,
    when: SystemTime,
    method: String,
    target: String,
    version: &'static str,
    host: String,
    referer: String,
    agent: String,
    timeline: Timeline,
}

impl AccessLog {
    /// Starts the writer; `None` when the log is off.
    pub(crate) fn start(format: Access) -> io::Result<Option<Self>> {
        if format == Access::Off {
            return Ok(None);
        }
        let (queue, lines) = sync_channel(QUEUE);
        std::thread::Builder::new()
            .name("access-log".to_owned())
            .spawn(move || write_all(&lines))?;
        Ok(Some(Self { format, queue, dropped: Arc::default() }))
    }

    /// Lines that found the queue full.
    pub(crate) fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    /// Writes the line of a request that ended.
    pub(crate) fn finish(&self, entry: &Entry, status: StatusCode, bytes: u64, took: Duration) {
        let record = entry.timeline.read();
        let line = match self.format {
            Access::Off => return,
            Access::Combined => combined(entry, status, bytes),
            Access::Json => json(entry, &record, status, bytes, took),
        };
        if self.queue.try_send(line).is_err() {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl Entry {
    pub(crate) fn new(request: &Request<Body>, timeline: Timeline) -> Self {
        Self {
            client: request.extensions().get::<ClientAddr>().map(|client| client.0),
            when: SystemTime::now(),
            method: request.method().to_string(),
            target: request.uri().path_and_query().map_or("/", |target| target.as_str()).to_owned(),
            version: version(request.version()),
            host: field(request.headers(), &http::header::HOST),
            referer: field(request.headers(), &REFERER),
            agent: field(request.headers(), &USER_AGENT),
            timeline,
        }
    }
}

fn write_all(lines: &Receiver<String>) {
    let mut out = BufWriter::new(io::stdout());
    while let Ok(line) = lines.recv() {
        let mut next = Some(line);
        while let Some(line) = next {
            // A closed pipe must not end the gateway.
            let _ = out.write_all(line.as_bytes());
            next = lines.try_recv().ok();
        }
        let _ = out.flush();
    }
}

const fn version(version: http::Version) -> &'static str {
    match version {
        http::Version::HTTP_2 => "HTTP/2.0",
        http::Version::HTTP_10 => "HTTP/1.0",
        _ => "HTTP/1.1",
    }
}

fn field(headers: &HeaderMap, name: &HeaderName) -> String {
    headers
        .get(name)
        .map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
        .unwrap_or_default()
}

/// Apache's combined format. Quotes, backslashes and control characters are written as `\xNN`,
/// so that a request cannot forge a line.
fn combined(entry: &Entry, status: StatusCode, bytes: u64) -> String {
    let client = entry.client.map_or_else(|| "-".to_owned(), |ip| ip.to_string());
    let mut line = format!("{client} - - [{}] \"", clock(entry.when));
    escape(&entry.method, &mut line);
    line.push(' ');
    escape(&entry.target, &mut line);
    // Writing to a String cannot fail.
    let _ = write!(line, " {}\" {} {bytes} \"", entry.version, status.as_u16());
    escape(if entry.referer.is_empty() { "-" } else { &entry.referer }, &mut line);
    line.push_str("\" \"");
    escape(if entry.agent.is_empty() { "-" } else { &entry.agent }, &mut line);
    line.push_str("\"\n");
    line
}

/// `20/Nov/2026:10:00:00 +0000`, from the date form of HTTP (`Fri, 20 Nov 2026 10:00:00 GMT`).
fn clock(when: SystemTime) -> String {
    let date = date::format(when);
    let words: Vec<&str> = date.split(' ').collect();
    match words.as_slice() {
        [_, day, month, year, time, _] => format!("{day}/{month}/{year}:{time} +0000"),
        _ => date,
    }
}

fn escape(text: &str, line: &mut String) {
    for c in text.chars().take(LONGEST) {
        if c == '"' || c == '\\' || c.is_control() {
            let mut bytes = [0; 4];
            for byte in c.encode_utf8(&mut bytes).bytes() {
                let _ = write!(line, "\\x{byte:02x}");
            }
        } else {
            line.push(c);
        }
    }
}

fn json(entry: &Entry, record: &Record, status: StatusCode, bytes: u64, took: Duration) -> String {
    let short = |text: &str| text.chars().take(LONGEST).collect::<String>();
    let mut line = serde_json::json!({
        "time": date::format(entry.when),
        "client": entry.client.map(|ip| ip.to_string()),
        "method": entry.method,
        "host": short(&entry.host),
        "target": short(&entry.target),
        "version": entry.version,
        "status": status.as_u16(),
        "bytes": bytes,
        "ms": took.as_secs_f64() * 1e3,
        "referer": short(&entry.referer),
        "agent": short(&entry.agent),
        "route": record.route.as_deref(),
        "cache": record.cache.map(verve::http::CacheVerdict::name),
        "limit": record.limit.map(verve::http::LimitVerdict::name),
        "replay": record.replay.map(verve::http::ReplayVerdict::name),
        "upstream": record.upstream.as_deref(),
        "attempts": record.attempts,
        "coding": record.coding,
        "reason": record.reason,
        "timing": record.server_timing(),
    })
    .to_string();
    line.push('\n');
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry() -> Entry {
        let mut request = Request::builder()
            .uri("/a?b")
            .header("host", "example.com")
            .header("user-agent", "curl \"8\"")
            .body(Body::empty())
            .unwrap();
        request.extensions_mut().insert(ClientAddr([192, 0, 2, 1].into()));
        let mut entry = Entry::new(&request, Timeline::new());
        entry.when = SystemTime::UNIX_EPOCH;
        // A URI refuses quotes; whatever comes through must not break the line.
        "/a?b=\"c".clone_into(&mut entry.target);
        entry
    }

    #[test]
    fn a_combined_line_cannot_be_forged() {
        assert_eq!(
            combined(&entry(), StatusCode::OK, 12),
            "192.0.2.1 - - [01/Jan/1970:00:00:00 +0000] \"GET /a?b=\\x22c HTTP/1.1\" 200 12 \
             \"-\" \"curl \\x228\\x22\"\n"
        );
    }

    #[test]
    fn a_json_line_is_one_object() {
        let entry = entry();
        entry.timeline.update(|record| record.cache = Some(verve::http::CacheVerdict::Hit));
        let line =
            json(&entry, &entry.timeline.read(), StatusCode::OK, 12, Duration::from_millis(3));
        let value: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert_eq!(value["cache"], "hit");
        assert_eq!(value["target"], "/a?b=\"c");
        assert_eq!(line.lines().count(), 1);
    }
}
