//! Which request fields a response depends on, and their values made comparable: RFC 9111 §4.1.

use http::header::{ACCEPT_ENCODING, CONTENT_ENCODING, VARY};
use http::{HeaderMap, HeaderName, HeaderValue};

/// Field names in `Vary` above which a response is taken as one that never matches.
const MAX_NAMES: usize = 16;

/// The request fields named by `Vary`, with the values that the stored request had.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct VaryKey {
    names: Box<[HeaderName]>,
    values: Box<[Option<Box<[u8]>>]>,
}

impl VaryKey {
    /// The fields `names` as `request` has them.
    #[must_use]
    pub fn new(names: &[HeaderName], request: &HeaderMap) -> Self {
        Self {
            names: names.into(),
            values: names.iter().map(|name| value(name, request)).collect(),
        }
    }

    /// The names, in alphabetical order.
    #[must_use]
    pub fn names(&self) -> &[HeaderName] {
        &self.names
    }

    /// The names with their values, made comparable; `None` where the request had none.
    pub(crate) fn pairs(&self) -> impl Iterator<Item = (&HeaderName, Option<&[u8]>)> {
        self.names.iter().zip(self.values.iter().map(Option::as_deref))
    }

    /// Bytes that names and values take, for the account.
    pub(crate) fn size(&self) -> usize {
        let names: usize = self.names.iter().map(|n| n.as_str().len() + 32).sum();
        let values: usize = self.values.iter().flatten().map(|v| v.len() + 16).sum();
        names + values
    }
}

/// The names in all `Vary` lines of a response, sorted and without duplicates; and
/// `Accept-Encoding` where the content is coded, whether the origin says so or not: a client that
/// has not asked for the coding cannot read it (RFC 9110 §12.5.3).
///
/// `None` when the response matches no other request: `*` anywhere in the list (RFC 9110
/// §12.5.5), something that is no field name, or more names than a cache should follow.
#[must_use]
pub fn names(response: &HeaderMap) -> Option<Vec<HeaderName>> {
    let mut names = Vec::new();
    for line in response.get_all(VARY) {
        for member in line.to_str().ok()?.split(',') {
            match member.trim_matches([' ', '\t']) {
                "" => {}
                "*" => return None,
                name => names.push(HeaderName::from_bytes(name.as_bytes()).ok()?),
            }
        }
    }
    if is_coded(response) {
        names.push(ACCEPT_ENCODING);
    }
    names.sort_unstable_by(|a, b| a.as_str().cmp(b.as_str()));
    names.dedup();
    (names.len() <= MAX_NAMES).then_some(names)
}

/// Says that a coded response depends on `Accept-Encoding`, for the caches after this one.
pub(crate) fn complete(response: &mut HeaderMap) {
    let said = ["*", ACCEPT_ENCODING.as_str()];
    if is_coded(response) && !said.iter().any(|name| vhttp::list::contains(response, &VARY, name)) {
        response.append(VARY, HeaderValue::from_name(ACCEPT_ENCODING));
    }
}

/// Whether there is a content coding; what cannot be read is taken for one.
fn is_coded(response: &HeaderMap) -> bool {
    let lines = response.get_all(CONTENT_ENCODING).into_iter();
    let codings = lines.flat_map(|line| line.as_bytes().split(|byte| *byte == b','));
    let mut codings = codings.map(<[u8]>::trim_ascii);
    codings.any(|coding| !coding.is_empty() && !coding.eq_ignore_ascii_case(b"identity"))
}

/// The field's value made comparable; missing is not the same as empty.
fn value(name: &HeaderName, request: &HeaderMap) -> Option<Box<[u8]>> {
    if !request.contains_key(name) {
        return None;
    }
    if name == ACCEPT_ENCODING
        && let Some(codings) = codings(request)
    {
        return Some(codings);
    }
    let mut combined = Vec::new();
    for (index, line) in request.get_all(name).iter().enumerate() {
        if index > 0 {
            combined.push(b',');
        }
        push_without_space(line.as_bytes(), &mut combined);
    }
    Some(combined.into_boxed_slice())
}

/// Appends a line without the white space around commas, quoted strings apart.
fn push_without_space(line: &[u8], out: &mut Vec<u8>) {
    let (mut quoted, mut escaped, mut space) = (false, false, 0usize);
    let mut at_start = true;
    for &byte in line {
        if !quoted && matches!(byte, b' ' | b'\t') {
            space += 1;
            continue;
        }
        if !at_start && byte != b',' {
            out.extend(std::iter::repeat_n(b' ', space));
        }
        space = 0;
        at_start = byte == b',' && !quoted;
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            _ => {}
        }
        out.push(byte);
    }
}

/// `Accept-Encoding` without order, letter case and white space: none of them has a meaning
/// (RFC 9110 §12.5.3). `None` when a part is outside of the grammar: an origin may read it in a
/// way of its own.
fn codings(request: &HeaderMap) -> Option<Box<[u8]>> {
    let members = vhttp::list::items(request, &ACCEPT_ENCODING).count();
    let parsed = vhttp::weighted::parse(request, &ACCEPT_ENCODING);
    let readable = |line: &HeaderValue| line.to_str().is_ok();
    if parsed.len() != members || !request.get_all(ACCEPT_ENCODING).iter().all(readable) {
        return None;
    }
    let mut codings: Vec<String> = parsed
        .iter()
        .map(|coding| format!("{};{}", coding.value.to_ascii_lowercase(), coding.weight))
        .collect();
    codings.sort_unstable();
    codings.dedup();
    Some(codings.join(",").into_bytes().into_boxed_slice())
}
