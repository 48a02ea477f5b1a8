//! Which request fields a response depends on, and their values made comparable: RFC 9111 §4.1.

use std::hash::{BuildHasher as _, Hash, Hasher, RandomState};
use std::sync::LazyLock;

use http::header::{ACCEPT_ENCODING, ACCEPT_LANGUAGE, CONTENT_ENCODING, CONTENT_LANGUAGE, VARY};
use http::{HeaderMap, HeaderName, HeaderValue};

use crate::http::reading::{Reading, Writing};

/// Field names in `Vary` above which a response is taken as one that never matches.
pub(crate) const MAX_NAMES: usize = 16;

/// Which request fields are compared by what they mean and not by their text (RFC 9111 §4.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Normalise {
    /// `Accept-Encoding`, without letter case and order, which have no meaning (RFC 9110 §12.5.3).
    pub accept_encoding: bool,
    /// `Accept-Language`, without letter case and the order of equal weights; and whoever wants a
    /// language first gets what is stored in it. An origin that takes the order for a preference
    /// (RFC 9110 §12.5.4 leaves it open) would be served wrongly.
    pub accept_language: bool,
}

impl Default for Normalise {
    fn default() -> Self {
        Self { accept_encoding: true, accept_language: false }
    }
}

impl Normalise {
    pub(crate) fn bits(self) -> u8 {
        u8::from(self.accept_encoding) | u8::from(self.accept_language) << 1
    }

    pub(crate) fn from_bits(bits: u8) -> Option<Self> {
        let normalise =
            Self { accept_encoding: bits & 1 == 1, accept_language: bits >> 1 & 1 == 1 };
        (bits < 4).then_some(normalise)
    }
}

/// The request fields named by `Vary`, with the values that the stored request had.
///
/// Two are equal when the same requests made them; the language of what is stored does not count.
#[derive(Debug, Clone, Default)]
pub struct VaryKey {
    names: Box<[HeaderName]>,
    values: Box<[Option<Box<[u8]>>]>,
    /// The values as they came, where that is one line at most; none unless asked for.
    verbatim: Box<[Lines]>,
    normalise: Normalise,
    /// The language that is stored, in lower case.
    language: Option<Box<str>>,
    /// Of the values, and of those as they came where that is known.
    hash: u64,
    verbatim_hash: Option<u64>,
}

/// Seeded once, so that nobody can choose values that collide.
static HASHER: LazyLock<RandomState> = LazyLock::new(RandomState::new);

/// A field as it came.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Lines {
    None,
    One(Box<[u8]>),
    Several,
}

impl VaryKey {
    /// The fields `names` as `request` has them.
    #[must_use]
    pub fn new(names: &[HeaderName], request: &HeaderMap) -> Self {
        Self::normalised(names, request, Normalise::default())
    }

    /// [`new`](Self::new), comparing as `normalise` says.
    #[must_use]
    pub fn normalised(names: &[HeaderName], request: &HeaderMap, normalise: Normalise) -> Self {
        let values: Box<[_]> = names.iter().map(|name| value(name, request, normalise)).collect();
        Self {
            names: names.into(),
            hash: HASHER.hash_one(&values),
            values,
            verbatim: Box::default(),
            normalise,
            language: None,
            verbatim_hash: None,
        }
    }

    /// With the values as they came, so that the same request is known again at once.
    #[must_use]
    pub(crate) fn with_verbatim(mut self, request: &HeaderMap) -> Self {
        let copy = |name| match only_line(name, request) {
            Ok(Some(line)) => Lines::One(line.as_bytes().into()),
            Ok(None) => Lines::None,
            Err(Several) => Lines::Several,
        };
        self.verbatim = self.names.iter().map(copy).collect();
        self.verbatim_hash = hash_of_lines(&self.verbatim);
        self
    }

    /// A hash of the values; equal keys have equal ones.
    pub(crate) const fn value_hash(&self) -> u64 {
        self.hash
    }

    /// A hash of the values as they came, where that is known.
    pub(crate) const fn verbatim_hash(&self) -> Option<u64> {
        self.verbatim_hash
    }

    /// The same of a request's values for these names; `None` where one has several lines.
    pub(crate) fn verbatim_hash_of(&self, request: &HeaderMap) -> Option<u64> {
        let mut hasher = HASHER.build_hasher();
        for name in &self.names {
            let line = only_line(name, request).ok()?;
            line.map(HeaderValue::as_bytes).hash(&mut hasher);
        }
        Some(hasher.finish())
    }

    /// Whether content of a language may fit whoever wants that first.
    pub(crate) const fn has_language(&self) -> bool {
        self.language.is_some()
    }

    /// Whether `request` has the very same values: then it fits, with nothing to make comparable.
    pub(crate) fn is_verbatim(&self, request: &HeaderMap) -> bool {
        self.verbatim.len() == self.names.len()
            && self.names.iter().zip(&self.verbatim).all(|(name, stored)| {
                match (stored, only_line(name, request)) {
                    (Lines::None, Ok(None)) => true,
                    (Lines::One(stored), Ok(Some(line))) => **stored == *line.as_bytes(),
                    _ => false,
                }
            })
    }

    /// With the only language of the stored content; see [`Normalise::accept_language`].
    #[must_use]
    pub(crate) fn of_language(self, language: Option<Box<str>>) -> Self {
        Self { language, ..self }
    }

    /// The same fields of another request.
    pub(crate) fn ask(&self, request: &HeaderMap) -> Self {
        Self::normalised(&self.names, request, self.normalise)
    }

    /// Whether `asked` was made in the same way, so that it can be compared with this one.
    pub(crate) fn is_like(&self, asked: &Self) -> bool {
        self.names == asked.names && self.normalise == asked.normalise
    }

    /// Whether a request that is `asked` finds what is stored under this key.
    pub(crate) fn fits(&self, asked: &Self, request: &HeaderMap) -> bool {
        self.values == asked.values || self.fits_by_language(asked, request)
    }

    /// Whether all is equal but `Accept-Language`, and what is stored is in the language that the
    /// request wants first.
    fn fits_by_language(&self, asked: &Self, request: &HeaderMap) -> bool {
        let Some(language) = self.language.as_deref() else {
            return false;
        };
        let mut fields = self.names.iter().zip(self.values.iter().zip(asked.values.iter()));
        fields.all(|(name, (stored, wanted))| stored == wanted || name == ACCEPT_LANGUAGE)
            && first_language(request).is_some_and(|first| first.eq_ignore_ascii_case(language))
    }

    /// The names, in alphabetical order.
    #[must_use]
    pub fn names(&self) -> &[HeaderName] {
        &self.names
    }

    /// Writes all but how it is compared.
    pub(crate) fn write(&self, out: &mut Writing) {
        out.count(self.names.len());
        for (index, (name, value)) in self.pairs().enumerate() {
            out.short(name.as_str().as_bytes());
            match value {
                Some(value) => {
                    out.u8(1);
                    out.long(value);
                }
                None => out.u8(0),
            }
            match self.verbatim.get(index) {
                Some(Lines::None) => out.u8(0),
                Some(Lines::One(line)) => {
                    out.u8(1);
                    out.long(line);
                }
                Some(Lines::Several) | None => out.u8(2),
            }
        }
    }

    /// Reads what was written; `None` for anything else.
    pub(crate) fn read(
        reading: &mut Reading,
        normalise: Normalise,
        language: Option<Box<str>>,
    ) -> Option<Self> {
        let (mut names, mut values, mut verbatim) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..reading.u16()? {
            names.push(reading.name()?);
            values.push(match reading.u8()? {
                0 => None,
                1 => Some((*reading.long()?).into()),
                _ => return None,
            });
            verbatim.push(match reading.u8()? {
                0 => Lines::None,
                1 => Lines::One((*reading.long()?).into()),
                2 => Lines::Several,
                _ => return None,
            });
        }
        let (names, values) = (names.into(), values.into());
        let verbatim: Box<[Lines]> = verbatim.into();
        let (hash, verbatim_hash) = (HASHER.hash_one(&values), hash_of_lines(&verbatim));
        Some(Self { names, values, verbatim, normalise, language, hash, verbatim_hash })
    }

    /// The names with their values, made comparable; `None` where the request had none.
    pub(crate) fn pairs(&self) -> impl Iterator<Item = (&HeaderName, Option<&[u8]>)> {
        self.names.iter().zip(self.values.iter().map(Option::as_deref))
    }

    /// Bytes that names and values take, for the account.
    pub(crate) fn size(&self) -> usize {
        let names: usize = self.names.iter().map(|n| n.as_str().len() + 32).sum();
        let values: usize = self.values.iter().flatten().map(|v| v.len() + 16).sum();
        let verbatim = self.verbatim.iter().map(|lines| match lines {
            Lines::One(line) => line.len() + 16,
            Lines::None | Lines::Several => 16,
        });
        names + values + verbatim.sum::<usize>()
    }
}

impl PartialEq for VaryKey {
    fn eq(&self, other: &Self) -> bool {
        self.is_like(other) && self.values == other.values
    }
}

impl Eq for VaryKey {}

impl Hash for VaryKey {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.names.hash(state);
        self.values.hash(state);
    }
}

/// A hash of fields as they came; `None` where one has several lines, or none was kept.
fn hash_of_lines(lines: &[Lines]) -> Option<u64> {
    let mut hasher = HASHER.build_hasher();
    for lines in lines {
        let line = match lines {
            Lines::None => None,
            Lines::One(line) => Some(&**line),
            Lines::Several => return None,
        };
        line.hash(&mut hasher);
    }
    (!lines.is_empty()).then(|| hasher.finish())
}

/// There are several lines.
struct Several;

/// The only line of a field, if there is any.
fn only_line<'a>(
    name: &HeaderName,
    request: &'a HeaderMap,
) -> Result<Option<&'a HeaderValue>, Several> {
    let mut lines = request.get_all(name).iter();
    let first = lines.next();
    if lines.next().is_some() { Err(Several) } else { Ok(first) }
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

/// The only language of a response, in lower case, where requests are compared by it.
pub(crate) fn content_language(response: &HeaderMap, normalise: Normalise) -> Option<Box<str>> {
    let mut languages = vhttp::list::items(response, &CONTENT_LANGUAGE);
    let only = languages.next().filter(|_| languages.next().is_none());
    only.filter(|_| normalise.accept_language).map(|tag| tag.to_ascii_lowercase().into())
}

/// The language with the highest weight, when there is only one with it.
fn first_language(request: &HeaderMap) -> Option<&str> {
    let languages = vhttp::weighted::parse(request, &ACCEPT_LANGUAGE);
    let best = languages.iter().map(|language| language.weight).max().filter(|best| *best > 0)?;
    let mut first = languages.iter().filter(|language| language.weight == best);
    first.next().filter(|_| first.next().is_none()).map(|language| language.value)
}

/// The field's value made comparable; missing is not the same as empty.
fn value(name: &HeaderName, request: &HeaderMap, normalise: Normalise) -> Option<Box<[u8]>> {
    if !request.contains_key(name) {
        return None;
    }
    let by_meaning = (name == ACCEPT_ENCODING && normalise.accept_encoding)
        || (name == ACCEPT_LANGUAGE && normalise.accept_language);
    if by_meaning && let Some(choices) = choices(request, name) {
        return Some(choices);
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

/// A list of weighted choices without order, letter case and white space (RFC 9110 §12.5.3).
/// `None` when a part is outside of the grammar: an origin may read it in a way of its own.
fn choices(request: &HeaderMap, name: &HeaderName) -> Option<Box<[u8]>> {
    let members = vhttp::list::items(request, name).count();
    let parsed = vhttp::weighted::parse(request, name);
    let readable = |line: &HeaderValue| line.to_str().is_ok();
    if parsed.len() != members || !request.get_all(name).iter().all(readable) {
        return None;
    }
    let mut choices: Vec<String> = parsed
        .iter()
        .map(|choice| format!("{};{}", choice.value.to_ascii_lowercase(), choice.weight))
        .collect();
    choices.sort_unstable();
    choices.dedup();
    Some(choices.join(",").into_bytes().into_boxed_slice())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn request(lines: &[String]) -> HeaderMap {
        let line = |text: &String| (ACCEPT_ENCODING, HeaderValue::try_from(text.as_str()).unwrap());
        lines.iter().map(line).fold(HeaderMap::new(), |mut headers, (name, value)| {
            headers.append(name, value);
            headers
        })
    }

    proptest! {
        /// What is known again at once is what would have been found by comparing.
        #[test]
        fn the_very_same_values_fit(
            first in proptest::collection::vec("[gb, ]{0,4}", 0..3),
            second in proptest::collection::vec("[gb, ]{0,4}", 0..3),
        ) {
            let (first, second) = (request(&first), request(&second));
            let stored = VaryKey::new(&[ACCEPT_ENCODING], &first).with_verbatim(&first);
            let fits = stored.fits(&stored.ask(&second), &second);
            prop_assert!(fits || !stored.is_verbatim(&second));
            let lines = |of: &HeaderMap| of.get_all(ACCEPT_ENCODING).iter().count();
            let same = lines(&first) < 2 && lines(&second) < 2 && first == second;
            prop_assert_eq!(stored.is_verbatim(&second), same);
        }
    }
}
