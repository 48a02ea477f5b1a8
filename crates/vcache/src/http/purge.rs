//! Purging: what is to be forgotten, what came of it, and the pattern that keys are matched with.

use std::time::SystemTime;

use crate::http::key::Key;
use crate::http::tags::Tag;

/// What is to be purged; see [`HttpCache::purge`](super::HttpCache::purge).
///
/// Soft by default: the responses are stale from then on and stay, to be validated, and to be
/// served where the origin allows stale answers (RFC 5861): while they are refreshed, or while
/// the origin is down. [`hard`](Self::hard) removes them.
///
/// ```
/// use vcache::http::Purge;
///
/// let soft = Purge::tag("article-7");
/// let hard = Purge::prefix("https://example.com/blog/").hard();
/// assert!(!soft.is_hard() && hard.is_hard());
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Purge {
    pub(crate) target: Target,
    pub(crate) hard: bool,
}

/// What a purge names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Target {
    Url(String),
    Tag(String),
    Prefix(String),
    Host(String),
    Everything,
}

impl Purge {
    /// Every variant of an absolute URL.
    pub fn url(url: impl Into<String>) -> Self {
        Self::soft(Target::Url(url.into()))
    }

    /// Every response that the origin tagged with `tag`; see
    /// [`Config::tag_fields`](super::Config::tag_fields).
    pub fn tag(tag: impl Into<String>) -> Self {
        Self::soft(Target::Tag(tag.into()))
    }

    /// Everything whose URL begins with an absolute URL, byte for byte after the host: a prefix
    /// `https://a/b` takes `/b`, `/b/c` and `/bc`.
    pub fn prefix(prefix: impl Into<String>) -> Self {
        Self::soft(Target::Prefix(prefix.into()))
    }

    /// Everything of a host, under both schemes; on every port unless it names one.
    pub fn host(host: impl Into<String>) -> Self {
        Self::soft(Target::Host(host.into()))
    }

    /// Everything.
    #[must_use]
    pub const fn everything() -> Self {
        Self::soft(Target::Everything)
    }

    const fn soft(target: Target) -> Self {
        Self { target, hard: false }
    }

    /// Removes instead of marking stale.
    #[must_use]
    pub fn hard(mut self) -> Self {
        self.hard = true;
        self
    }

    /// Whether it removes.
    #[must_use]
    pub const fn is_hard(&self) -> bool {
        self.hard
    }

    /// What the purge is by: `url`, `tag`, `prefix`, `host` or `everything`.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self.target {
            Target::Url(_) => "url",
            Target::Tag(_) => "tag",
            Target::Prefix(_) => "prefix",
            Target::Host(_) => "host",
            Target::Everything => "everything",
        }
    }

    pub(crate) fn pattern(&self) -> Result<Pattern, PurgeError> {
        let key = |url: &str| Key::of_url(url).ok_or_else(|| PurgeError::Url(url.to_owned()));
        Ok(match &self.target {
            Target::Url(url) => Pattern::Key(key(url)?),
            Target::Tag(tag) => {
                Pattern::Tag(Tag::named(tag).ok_or_else(|| PurgeError::Tag(tag.clone()))?)
            }
            Target::Prefix(prefix) => Pattern::Prefix(key(prefix)?),
            Target::Host(host) => host_pattern(host)?,
            Target::Everything => Pattern::Everything,
        })
    }
}

/// What came of a purge.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Purged {
    /// URLs that had responses to purge.
    pub urls: usize,
    /// Responses purged, each variant of a URL for itself.
    pub responses: usize,
}

impl Purged {
    pub(crate) const fn add(&mut self, responses: usize) {
        self.responses += responses;
        self.urls += if responses > 0 { 1 } else { 0 };
    }
}

/// Why a purge was not done. Nothing has changed then, but after [`Elsewhere`](Self::Elsewhere).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PurgeError {
    /// Not an absolute URL.
    #[error("`{0}` is not an absolute URL such as `https://example.com/page`")]
    Url(String),
    /// Empty, too long, or with characters that no tag has.
    #[error("`{0}` is not a tag: one word of at most 1024 bytes, without commas")]
    Tag(String),
    /// Not a host.
    #[error("`{0}` is not a host such as `example.com` or `example.com:8443`")]
    Host(String),
    /// Done here, in memory; but a tier below, or another gateway, may still have what was meant.
    #[error("purged in this process only: {0}")]
    Elsewhere(String),
}

/// What a purge is about, ready to be compared.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Pattern {
    Key(Key),
    Tag(Tag),
    /// A URL that others begin with.
    Prefix(Key),
    Host {
        host: String,
        port: Option<String>,
    },
    Everything,
}

impl Pattern {
    /// Whether a response with `tags` under `key` is meant; tags that are not known yet may be
    /// any.
    pub(crate) fn matches(&self, key: &Key, tags: Option<&[Tag]>) -> bool {
        match self {
            Self::Tag(tag) => tags.is_none_or(|tags| tags.contains(tag)),
            _ => self.matches_key(key),
        }
    }

    /// Whether everything under `key` is meant.
    pub(crate) fn matches_key(&self, key: &Key) -> bool {
        match self {
            Self::Key(meant) => meant.as_str() == key.url(),
            Self::Tag(_) => false,
            Self::Prefix(prefix) => key.as_str().starts_with(prefix.as_str()),
            Self::Host { host, port } => {
                let (scheme, authority) =
                    key.split_origin().0.split_once("://").unwrap_or_default();
                let (name, number) = split_port(authority);
                let default = if scheme == "https" { "443" } else { "80" };
                let same_port = |port: &String| port == number.unwrap_or(default);
                name == host && port.as_ref().is_none_or(same_port)
            }
            Self::Everything => true,
        }
    }

    /// Whether a response with `tags` under a key that is meant is itself.
    pub(crate) fn takes(&self, tags: &[Tag]) -> bool {
        match self {
            Self::Tag(tag) => tags.contains(tag),
            _ => true,
        }
    }
}

/// How purges are told to other processes.
#[cfg(any(feature = "disk", feature = "redis"))]
impl Pattern {
    /// The patterns that a purge of this key's host has.
    pub(crate) fn host_of(key: &Key) -> [Self; 2] {
        let (scheme, authority) = key.split_origin().0.split_once("://").unwrap_or_default();
        let (name, number) = split_port(authority);
        let default = if scheme == "https" { "443" } else { "80" };
        let port = number.unwrap_or(default).to_owned();
        let host = |port| Self::Host { host: name.to_owned(), port };
        [host(None), host(Some(port))]
    }

    /// Writes it: a letter and a text.
    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        let (letter, text, port) = match self {
            Self::Key(key) => (b'u', key.as_str(), None),
            Self::Tag(tag) => (b't', tag.as_str(), None),
            Self::Prefix(key) => (b'p', key.as_str(), None),
            Self::Host { host, port } => (b'o', host.as_str(), port.as_deref()),
            Self::Everything => (b'e', "", None),
        };
        out.push(letter);
        out.extend_from_slice(text.as_bytes());
        if let Some(port) = port {
            out.push(0);
            out.extend_from_slice(port.as_bytes());
        }
    }

    /// Reads what was written; `None` for anything else.
    pub(crate) fn read(bytes: &[u8]) -> Option<Self> {
        let (letter, text) = bytes.split_first()?;
        let text = std::str::from_utf8(text).ok()?;
        let key = || Key::from_text(text.to_owned());
        Some(match letter {
            b'u' => Self::Key(key()),
            b't' => Self::Tag(Tag::from_text(text)?),
            b'p' => Self::Prefix(key()),
            b'o' => match text.split_once('\0') {
                Some((host, port)) => {
                    Self::Host { host: host.to_owned(), port: Some(port.to_owned()) }
                }
                None => Self::Host { host: text.to_owned(), port: None },
            },
            b'e' if text.is_empty() => Self::Everything,
            _ => return None,
        })
    }
}

fn host_pattern(text: &str) -> Result<Pattern, PurgeError> {
    let refused = || PurgeError::Host(text.to_owned());
    // Through the same parser as keys, on a port of its own, which is not left out.
    let (name, port) = split_port(text);
    let key = Key::of_url(&format!("x://{name}/")).ok_or_else(refused)?;
    let (origin, path) = key.split_origin();
    let host = origin.strip_prefix("x://").filter(|_| path == "/").ok_or_else(refused)?;
    let is_number = |port: &str| port.parse::<u16>().is_ok();
    if port.is_some_and(|port| !is_number(port)) {
        return Err(refused());
    }
    Ok(Pattern::Host { host: host.to_owned(), port: port.map(str::to_owned) })
}

/// The host, and the port if there is one (RFC 3986 §3.2); an IPv6 address keeps its brackets.
fn split_port(authority: &str) -> (&str, Option<&str>) {
    match authority.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
        _ => (authority, None),
    }
}

/// How a purge leaves a response: gone, or stale from `now` on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    Gone,
    Stale {
        now: SystemTime,
        keep: std::time::Duration,
    },
    /// Not to be used before the origin was asked.
    #[cfg(any(feature = "disk", feature = "redis"))]
    Doubted {
        now: SystemTime,
        keep: std::time::Duration,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_what_they_name() {
        let rows = [
            (Purge::url("HTTP://A.test:80/x#y"), "http://a.test/x", true),
            (Purge::url("http://a.test/x"), "http://a.test/x?y", false),
            (Purge::prefix("http://a.test"), "http://a.test/x", true),
            (Purge::prefix("http://a.test"), "http://a.test.evil/x", false),
            (Purge::prefix("http://a.test/b"), "http://a.test/bc?d", true),
            (Purge::prefix("http://a.test/b/"), "http://a.test/b", false),
            (Purge::prefix("https://a.test/"), "http://a.test/", false),
            (Purge::host("A.test"), "http://a.test/x", true),
            (Purge::host("a.test"), "https://a.test:8443/x", true),
            (Purge::host("a.test"), "https://b.a.test/x", false),
            (Purge::host("a.test:443"), "https://a.test/x", true),
            (Purge::host("a.test:443"), "http://a.test/x", false),
            (Purge::host("[::1]"), "http://[::1]:8080/", true),
            (Purge::host("[::1]:8080"), "http://[::1]:8080/", true),
            (Purge::everything(), "http://a.test/x", true),
        ];
        for (purge, url, expected) in rows {
            let key = Key::of_url(url).unwrap();
            assert_eq!(purge.pattern().unwrap().matches(&key, None), expected, "{purge:?} {url}");
        }
    }

    #[test]
    fn what_names_nothing_is_refused() {
        for purge in [
            Purge::url("/x"),
            Purge::url(""),
            Purge::prefix("a.test/x"),
            Purge::host("a.test/x"),
            Purge::host("a b"),
            Purge::host("a.test:http"),
            Purge::host(""),
            Purge::tag(""),
            Purge::tag("a b"),
            Purge::tag("\0http://a\0b"),
        ] {
            assert!(purge.pattern().is_err(), "{purge:?}");
        }
    }
}
