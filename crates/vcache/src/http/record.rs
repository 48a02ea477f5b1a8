//! A stored response as bytes, for the tiers below memory.
//!
//! ```text
//! 0..3    "vhr"
//! 3       the version, 1
//! 4..8    CRC-32 of all that follows
//! 8       "R" a response, "V" what the responses of a URL vary with
//! 9..     the key, and then
//!   R     what of the purges was known when the origin was asked (16 bytes), the status, times in
//!         microseconds, flags, language, fields of the request that chose it, fields that are not
//!         to be stored, tags, fields, and the body to the end
//!   V     a number (8 bytes) that is part of the names of the variants, flags, names of fields
//! ```
//!
//! Numbers are big-endian, texts have their length in front. Whatever is not exactly of this form
//! is refused: bytes from a file or a server that others can write to are foreign ones.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use http::header::{CONNECTION, CONTENT_LENGTH, TRANSFER_ENCODING, UPGRADE};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};

use crate::http::freshness::Freshness;
use crate::http::key::Key;
use crate::http::policy::Ahead;
use crate::http::reading::{Reading, Writing};
use crate::http::stored::Head;
#[cfg(any(feature = "disk", feature = "redis"))]
use crate::http::stored::Stored;
use crate::http::tags::Tag;
use crate::http::terms::Terms;
use crate::http::vary::{MAX_NAMES, Normalise, VaryKey};

const MARK: &[u8; 4] = b"vhr\x01";
/// Bytes before the part that the checksum is of.
const SUMMED: usize = 8;

/// Why bytes are no record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RecordError {
    /// They do not begin as records do.
    #[error("no record of a stored response")]
    Foreign,
    /// Another version of this library wrote them.
    #[error("a record of version {0}")]
    Version(u8),
    /// The checksum is not theirs, or what stands there makes no sense.
    #[error("a damaged record")]
    Damaged,
}

/// A stored response as it stands on disk or in Redis, or what the responses of a URL vary with:
/// for tools that look at what a cache has kept.
#[derive(Debug)]
pub struct Record {
    pub(crate) key: Key,
    pub(crate) kind: Kind,
}

#[derive(Debug)]
pub(crate) enum Kind {
    Response(Box<Kept>),
    Rule(Rule),
}

/// A response, before it is ready to be served.
#[derive(Debug)]
pub(crate) struct Kept {
    pub(crate) place: Place,
    pub(crate) head: Head,
    pub(crate) body: Bytes,
}

/// A place in the journal of purges: whoever asked the origin there knew of all before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Place {
    /// Which journal; zero for none.
    pub(crate) journal: u64,
    pub(crate) number: u64,
}

/// What the responses of a URL vary with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Rule {
    /// Part of the names of the variants: those of a rule that was dropped are found no more.
    pub(crate) number: u64,
    pub(crate) normalise: Normalise,
    pub(crate) names: Vec<HeaderName>,
}

impl Record {
    /// Reads a record.
    ///
    /// # Errors
    ///
    /// When the bytes are none; see [`RecordError`].
    pub fn parse(bytes: &Bytes) -> Result<Self, RecordError> {
        let (mark, _) = bytes.split_first_chunk::<4>().ok_or(RecordError::Foreign)?;
        match (mark, MARK) {
            ([a, b, c, version], [x, y, z, known]) if [a, b, c] == [x, y, z] => {
                if version != known {
                    return Err(RecordError::Version(*version));
                }
            }
            _ => return Err(RecordError::Foreign),
        }
        let mut reading = Reading::new(bytes.slice(MARK.len()..));
        let sum = reading.u32().ok_or(RecordError::Damaged)?;
        if sum != crc32fast::hash(reading.rest()) {
            return Err(RecordError::Damaged);
        }
        record(&mut reading).ok_or(RecordError::Damaged)
    }

    /// The URL that it is stored under.
    #[must_use]
    pub const fn key(&self) -> &Key {
        &self.key
    }

    /// Status, fields and content; `None` where it only says what the responses vary with.
    #[must_use]
    pub fn response(&self) -> Option<(StatusCode, &HeaderMap, &Bytes)> {
        match &self.kind {
            Kind::Response(kept) => Some((kept.head.status, &kept.head.headers, &kept.body)),
            Kind::Rule(_) => None,
        }
    }

    /// The bytes; reading them gives the same record.
    #[must_use]
    pub fn to_bytes(&self) -> Bytes {
        match &self.kind {
            Kind::Response(kept) => {
                let Kept { place, head, body } = &**kept;
                let parts = (head.status, &head.headers, &head.terms, &head.vary, &*head.tags);
                response(&self.key, *place, parts, body)
            }
            Kind::Rule(rule) => rule_bytes(&self.key, rule),
        }
    }

    /// A rule.
    #[cfg(any(feature = "disk", feature = "redis"))]
    pub(crate) const fn rule(key: Key, rule: Rule) -> Self {
        Self { key, kind: Kind::Rule(rule) }
    }
}

/// The bytes of a response.
#[cfg(any(feature = "disk", feature = "redis"))]
pub(crate) fn of_stored(key: &Key, place: Place, stored: &Stored) -> Bytes {
    let Stored { status, headers, terms, vary, tags, body, .. } = stored;
    response(key, place, (*status, headers, terms, vary, tags), body)
}

type Parts<'a> = (StatusCode, &'a HeaderMap, &'a Terms, &'a VaryKey, &'a [Tag]);

fn response(key: &Key, place: Place, parts: Parts<'_>, body: &Bytes) -> Bytes {
    let (status, headers, terms, vary, tags) = parts;
    let mut out = begun(b'R', key, body.len() + 1024);
    out.u64(place.journal);
    out.u64(place.number);
    out.u16(status.as_u16());
    for time in times(terms) {
        out.u64(time);
    }
    out.u16(flags(terms));
    match &terms.content_language {
        Some(language) => out.short(language.as_bytes()),
        None => out.short(b""),
    }
    vary.write(&mut out);
    names(&mut out, &terms.omit);
    out.count(tags.len());
    for tag in tags {
        out.short(tag.as_str().as_bytes());
    }
    out.count(headers.len());
    for (name, value) in headers {
        out.short(name.as_str().as_bytes());
        out.u8(u8::from(value.is_sensitive()));
        out.long(value.as_bytes());
    }
    out.all(body);
    ended(out)
}

fn rule_bytes(key: &Key, rule: &Rule) -> Bytes {
    let mut out = begun(b'V', key, 256);
    out.u64(rule.number);
    out.u8(rule.normalise.bits());
    names(&mut out, &rule.names);
    ended(out)
}

fn begun(kind: u8, key: &Key, room: usize) -> Writing {
    let mut out = Writing::with_capacity(room + key.as_str().len());
    out.all(MARK);
    out.u32(0);
    out.u8(kind);
    out.long(key.as_str().as_bytes());
    out
}

fn ended(out: Writing) -> Bytes {
    let mut bytes = out.into_bytes();
    let sum = crc32fast::hash(bytes.get(SUMMED..).unwrap_or_default());
    if let Some(place) = bytes.get_mut(MARK.len()..SUMMED) {
        place.copy_from_slice(&sum.to_be_bytes());
    }
    bytes.into()
}

fn names(out: &mut Writing, names: &[HeaderName]) {
    out.count(names.len());
    for name in names {
        out.short(name.as_str().as_bytes());
    }
}

fn times(terms: &Terms) -> [u64; 6] {
    let freshness = &terms.freshness;
    let received = freshness.received().duration_since(UNIX_EPOCH).unwrap_or_default();
    [
        received,
        freshness.initial_age(),
        freshness.lifetime(),
        terms.stale_while_revalidate,
        terms.stale_if_error,
        terms.stale_if_unreachable,
    ]
    .map(|time| u64::try_from(time.as_micros()).unwrap_or(u64::MAX))
}

fn flags(terms: &Terms) -> u16 {
    let switches = [
        terms.forbids_stale,
        terms.forbids_windows,
        terms.always_validate,
        terms.immutable,
        terms.assumed,
        terms.purged,
    ];
    let bits = switches.iter().rev().fold(0, |bits, on| bits << 1 | u16::from(*on));
    bits << 8 | u16::from(terms.normalise.bits())
}

fn record(reading: &mut Reading) -> Option<Record> {
    let kind = reading.u8()?;
    let key = Key::from_text(reading.long_text()?);
    let kind = match kind {
        b'R' => Kind::Response(Box::new(kept(reading)?)),
        b'V' => Kind::Rule(rule(reading)?),
        _ => return None,
    };
    Some(Record { key, kind })
}

fn rule(reading: &mut Reading) -> Option<Rule> {
    let number = reading.u64()?;
    let normalise = Normalise::from_bits(reading.u8()?)?;
    let names = read_names(reading)?;
    let is_rule = reading.rest().is_empty() && is_vary(&names);
    is_rule.then_some(Rule { number, normalise, names })
}

/// Sorted, each once, and not more than are followed.
fn is_vary(names: &[HeaderName]) -> bool {
    let sorted = names.windows(2).all(|pair| match pair {
        [one, other] => one.as_str() < other.as_str(),
        _ => true,
    });
    sorted && names.len() <= MAX_NAMES
}

fn kept(reading: &mut Reading) -> Option<Kept> {
    let place = Place { journal: reading.u64()?, number: reading.u64()? };
    let status = StatusCode::from_u16(reading.u16()?).ok()?;
    let is_final = matches!(status.as_u16(), 200..=205 | 207..=303 | 305..=599);
    let mut terms = read_terms(reading).filter(|_| is_final)?;
    let vary = VaryKey::read(reading, terms.normalise, terms.content_language.clone())?;
    terms.vary = vary.names().to_vec();
    terms.omit = read_names(reading)?;
    let tags = tags(reading)?;
    let headers = fields(reading)?;
    let body = reading.end();
    let received = terms.freshness.received();
    let is_whole = is_vary(&terms.vary) && announces(&headers, body.len());
    let (keep, ahead) = (Duration::ZERO, Ahead::default());
    let head = Head { status, headers, terms, vary, tags, received, keep, ahead };
    is_whole.then_some(Kept { place, head, body })
}

/// Whether the fields let the content be as long as it is, and say nothing about a connection.
fn announces(headers: &HeaderMap, length: usize) -> bool {
    let mut lengths = headers.get_all(CONTENT_LENGTH).iter();
    let is_one = lengths.next().is_none_or(|value| *value == HeaderValue::from(length));
    let of_hop = [CONNECTION, TRANSFER_ENCODING, UPGRADE];
    is_one && lengths.next().is_none() && !of_hop.iter().any(|name| headers.contains_key(name))
}

fn read_terms(reading: &mut Reading) -> Option<Terms> {
    let mut times = [Duration::ZERO; 6];
    for time in &mut times {
        *time = Duration::from_micros(reading.u64()?);
    }
    let [received, initial_age, lifetime, revalidate, error, unreachable] = times;
    let received: SystemTime = UNIX_EPOCH.checked_add(received)?;
    let [switches, normalise] = reading.u16()?.to_be_bytes();
    let on = |bit: u8| switches >> bit & 1 == 1;
    let language = reading.short_text()?;
    (switches < 1 << 6).then_some(())?;
    Some(Terms {
        freshness: Freshness::of(received, initial_age, lifetime),
        stale_while_revalidate: revalidate,
        stale_if_error: error,
        stale_if_unreachable: unreachable,
        forbids_stale: on(0),
        forbids_windows: on(1),
        always_validate: on(2),
        immutable: on(3),
        assumed: on(4),
        purged: on(5),
        normalise: Normalise::from_bits(normalise)?,
        content_language: (!language.is_empty()).then(|| language.into()),
        vary: Vec::new(),
        omit: Vec::new(),
    })
}

fn read_names(reading: &mut Reading) -> Option<Vec<HeaderName>> {
    (0..reading.u16()?).map(|_| reading.name()).collect()
}

fn tags(reading: &mut Reading) -> Option<Arc<[Tag]>> {
    (0..reading.u16()?).map(|_| Tag::from_text(&reading.short_text()?)).collect()
}

fn fields(reading: &mut Reading) -> Option<HeaderMap> {
    let mut headers = HeaderMap::new();
    for _ in 0..reading.u16()? {
        let name = reading.name()?;
        let sensitive = reading.u8()?;
        let mut value = HeaderValue::from_maybe_shared(reading.long()?).ok()?;
        value.set_sensitive(sensitive == 1);
        (sensitive < 2).then_some(())?;
        headers.try_append(name, value).ok()?;
    }
    Some(headers)
}

#[cfg(test)]
mod tests;
