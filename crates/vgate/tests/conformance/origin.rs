//! What the origin says, byte for byte, to whoever asks next.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpStream};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use http::HeaderMap;

use crate::clock::Clock;
use crate::expect::fields;
use crate::fixture;

/// An answer of the origin.
#[derive(Debug, Clone, Default)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) fields: String,
    pub(crate) body: String,
    /// Seconds that pass before it.
    pub(crate) delay: u64,
    /// The body breaks off behind its last byte.
    pub(crate) is_cut: bool,
    /// Heads of interim responses before it, as they go over the wire.
    pub(crate) interim: String,
}

impl Answer {
    pub(crate) fn new(status: u16, fields: impl Into<String>, body: impl Into<String>) -> Self {
        Self { status, fields: fields.into(), body: body.into(), ..Self::default() }
    }
}

#[derive(Debug, Clone, Default)]
pub(crate) enum Play {
    /// It is not to be asked.
    #[default]
    Silent,
    /// It closes the connection without an answer.
    Down,
    Says(Answer),
    /// The first to who asks with a precondition, the second to others.
    Either(Answer, Answer),
    /// It answers when it is let.
    Held(Answer, Arc<Hold>),
    /// It answers with what it was sent.
    Echo(Answer),
}

/// Holds answers back.
#[derive(Debug, Default)]
pub(crate) struct Hold {
    open: Mutex<bool>,
    changed: Condvar,
}

impl Hold {
    pub(crate) fn release(&self) {
        *self.open.lock().unwrap() = true;
        self.changed.notify_all();
    }

    fn wait(&self) {
        let open = self.open.lock().unwrap();
        let wait = self.changed.wait_timeout_while(open, Duration::from_secs(60), |open| !*open);
        assert!(!wait.unwrap().1.timed_out(), "the answer was not let go");
    }
}

/// The origin, what it is to say, and what it was asked.
pub(crate) struct Origin {
    pub(crate) sockets: fixture::Origin,
    play: Arc<Mutex<Play>>,
}

impl Origin {
    pub(crate) fn start(clock: Arc<Clock>) -> Self {
        let play = Arc::new(Mutex::new(Play::default()));
        let script = Arc::clone(&play);
        let sockets = fixture::Origin::start(move |head, stream| {
            let play = script.lock().unwrap().clone();
            respond(head, stream, play, &clock);
        });
        Self { sockets, play }
    }

    pub(crate) fn will(&self, play: Play) {
        *self.play.lock().unwrap() = play;
    }

    /// How many requests have come.
    pub(crate) fn count(&self) -> usize {
        self.sockets.heads.lock().unwrap().len()
    }

    /// The fields of the requests after the first `known`.
    pub(crate) fn asked_since(&self, known: usize) -> Vec<HeaderMap> {
        let heads = self.sockets.heads.lock().unwrap();
        let fields_of = |head: &String| {
            let (_, lines) = head.trim_end().split_once("\r\n").unwrap_or_default();
            fields(&lines.replace("\r\n", "\n"))
        };
        heads[known..].iter().map(fields_of).collect()
    }
}

fn respond(head: &str, stream: &mut TcpStream, play: Play, clock: &Clock) {
    let lower = head.to_ascii_lowercase();
    let content = content(&lower, stream);
    let answer = match play {
        Play::Silent => Answer::new(599, "", "the origin was not to be asked"),
        Play::Down => {
            let _ = stream.shutdown(Shutdown::Both);
            return;
        }
        Play::Says(answer) => answer,
        Play::Echo(answer) => Answer { body: content, ..answer },
        Play::Held(answer, hold) => {
            hold.wait();
            answer
        }
        Play::Either(conditional, other) => {
            let has = |name: &str| lower.contains(&format!("\r\n{name}:"));
            if has("if-none-match") || has("if-modified-since") { conditional } else { other }
        }
    };
    clock.advance(answer.delay);
    let _ = stream.write_all(text(&answer, lower.starts_with("head ")).as_bytes());
    let says = answer.fields.to_ascii_lowercase();
    let is_short = answer.is_cut || says.contains("content-length:") && !is_whole(&answer);
    if is_short || says.contains("connection:") {
        let _ = stream.shutdown(Shutdown::Both);
    }
}

/// The content of a request.
fn content(head: &str, stream: &mut TcpStream) -> String {
    let mut content = Vec::new();
    if fields_value(head, "transfer-encoding").is_some() {
        let mut byte = [0];
        while !content.ends_with(b"0\r\n\r\n") && stream.read_exact(&mut byte).is_ok() {
            content.push(byte[0]);
        }
        let text = String::from_utf8(content).unwrap_or_default();
        return text.split("\r\n").skip(1).step_by(2).collect();
    }
    let length = fields_value(head, "content-length").and_then(|text| text.parse().ok());
    content.resize(length.unwrap_or(0), 0);
    let _ = stream.read_exact(&mut content);
    String::from_utf8(content).unwrap_or_default()
}

fn fields_value<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    let mut lines = head.split("\r\n").filter_map(|line| line.split_once(':'));
    lines.find(|(found, _)| *found == name).map(|(_, value)| value.trim())
}

fn is_whole(answer: &Answer) -> bool {
    let fields = fields(&answer.fields);
    let length = fields.get("content-length").and_then(|value| value.to_str().ok());
    length == Some(&*answer.body.len().to_string())
}

/// The answer as it goes over the wire.
fn text(answer: &Answer, is_head: bool) -> String {
    let Answer { status, interim, .. } = answer;
    let mut text = format!("{interim}HTTP/1.1 {status} Said\r\n");
    for line in answer.fields.split('\n').filter(|line| !line.is_empty()) {
        text += &format!("{line}\r\n");
    }
    let has_length = answer.fields.to_ascii_lowercase().contains("content-length:");
    let has_content = !is_head && !matches!(status, 204 | 304);
    let chunk = format!("{:x}\r\n{}\r\n", answer.body.len(), answer.body);
    match (has_content, answer.is_cut) {
        (false, _) => text += "\r\n",
        (true, true) if !has_length => {
            text += &format!("Transfer-Encoding: chunked\r\n\r\n{chunk}");
        }
        (true, _) if has_length => text += &format!("\r\n{}", answer.body),
        (true, _) => {
            text += &format!("Content-Length: {}\r\n\r\n{}", answer.body.len(), answer.body);
        }
    }
    text
}
