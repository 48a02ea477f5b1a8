//! Tags of stored responses: `Surrogate-Key`, `Cache-Tag`, and cache groups (RFC 9875).

use std::sync::Arc;

use http::{HeaderMap, HeaderName, HeaderValue};

/// Bytes of one tag; a response with a longer one is not stored.
const MAX_TAG: usize = 1024;
/// Bytes that one tag takes in the response and in the index beside its text, about.
const OVERHEAD: usize = 128;

const GROUPS: HeaderName = HeaderName::from_static("cache-groups");
const GROUP_INVALIDATION: HeaderName = HeaderName::from_static("cache-group-invalidation");

/// What several responses can have in common: the operator's tag, or an origin's group.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Tag(Arc<str>);

impl Tag {
    /// A tag as an operator names it; `None` for what no field can hold.
    pub(crate) fn named(text: &str) -> Option<Self> {
        let is_part = |c: char| c.is_control() || c == ',' || c.is_whitespace();
        let is_tag = !text.is_empty() && text.len() <= MAX_TAG && !text.contains(is_part);
        is_tag.then(|| Self(text.into()))
    }

    /// A tag as it was stored; `None` for what is none.
    pub(crate) fn from_text(text: &str) -> Option<Self> {
        let group = text.strip_prefix('\0').and_then(|group| group.split_once('\0'));
        if group.is_none() && text.starts_with('\0') {
            return Some(Self(text.into()));
        }
        match group {
            Some((origin, name)) if !name.contains('\0') => Some(Self::group(origin, name)),
            Some(_) => None,
            None => Self::named(text),
        }
    }

    /// The tag as it is stored.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// A group of one origin: no other origin can name it (RFC 9875 §2.1). No field holds NUL, so
    /// that no operator's tag is the same.
    fn group(origin: &str, name: &str) -> Self {
        Self(format!("\0{origin}\0{name}").into())
    }

    /// What all keys of one URL have in common that claims tell apart (see [`Key`](super::Key)).
    pub(crate) fn url(url: &str) -> Self {
        Self(format!("\0{url}").into())
    }

    /// The tag for people; a group with its origin.
    pub(crate) fn shown(&self) -> String {
        match self.0.strip_prefix('\0').and_then(|group| group.split_once('\0')) {
            Some((origin, name)) => format!("group {name} of {origin}"),
            None => self.0.trim_start_matches('\0').to_owned(),
        }
    }

    /// Whether it is no operator's.
    fn is_own(&self) -> bool {
        self.0.starts_with('\0')
    }
}

/// Bytes that tags take on the cache's account.
pub(crate) fn weight(tags: &[Tag]) -> usize {
    tags.iter().map(|tag| tag.0.len() + OVERHEAD).sum()
}

/// The response has more tags, or longer ones, than are kept. Without all of its tags it could
/// survive a purge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TooMany;

/// Which fields tag a response.
#[derive(Debug)]
pub(crate) struct TagRules {
    fields: Vec<HeaderName>,
    strip: bool,
    max: usize,
    groups: bool,
}

impl TagRules {
    /// `fields` by name; the first that is not the name of a field is the error.
    pub(crate) fn new(
        fields: &[String],
        strip: bool,
        max: u32,
        groups: bool,
    ) -> Result<Self, String> {
        let name =
            |field: &String| HeaderName::from_bytes(field.as_bytes()).map_err(|_| field.clone());
        let fields = fields.iter().map(name).collect::<Result<_, _>>()?;
        Ok(Self { fields, strip, max: usize::try_from(max).unwrap_or(usize::MAX), groups })
    }

    /// The tags of a response to a request to `origin`, each once.
    pub(crate) fn read(&self, headers: &HeaderMap, origin: &str) -> Result<Box<[Tag]>, TooMany> {
        let mut tags = Vec::new();
        for field in &self.fields {
            for line in headers.get_all(field) {
                // What is not text cannot be asked for either.
                let text = line.to_str().map_err(|_| TooMany)?;
                for word in text.split([',', ' ', '\t']).filter(|word| !word.is_empty()) {
                    tags.push(Tag::named(word).ok_or(TooMany)?);
                }
            }
        }
        if self.groups {
            let groups = strings(headers, &GROUPS);
            tags.extend(groups.iter().map(|group| Tag::group(origin, group)));
        }
        tags.sort_unstable();
        tags.dedup();
        if tags.len() > self.max { Err(TooMany) } else { Ok(tags.into_boxed_slice()) }
    }

    /// The groups that an answer to an unsafe request invalidates (RFC 9875 §3).
    pub(crate) fn invalidated(&self, headers: &HeaderMap, origin: &str) -> Vec<Tag> {
        if !self.groups || !headers.contains_key(GROUP_INVALIDATION) {
            return Vec::new();
        }
        let groups = strings(headers, &GROUP_INVALIDATION);
        groups.iter().map(|group| Tag::group(origin, group)).collect()
    }

    /// Takes the operator's fields out of what goes to clients, where that is wanted.
    pub(crate) fn strip(&self, headers: &mut HeaderMap) {
        for field in self.fields.iter().filter(|_| self.strip) {
            headers.remove(field);
        }
    }

    /// Puts tags back that were stripped when the response was stored, unless `update` brings
    /// others (RFC 9111 §3.2: what a 304 leaves out stays).
    pub(crate) fn restore(&self, headers: &mut HeaderMap, update: &HeaderMap, tags: &[Tag]) {
        let says = self.fields.iter().any(|field| update.contains_key(field));
        let Some(first) = self.fields.first().filter(|_| self.strip && !says) else {
            return;
        };
        for tag in tags.iter().filter(|tag| !tag.is_own()) {
            if let Ok(value) = HeaderValue::from_str(&tag.0) {
                headers.append(first, value);
            }
        }
    }
}

/// A field that is a list of strings (RFC 9651 §3.1, §3.3.3), parameters left out; empty when any
/// part of it is something else.
fn strings(headers: &HeaderMap, name: &HeaderName) -> Vec<String> {
    let mut all = Vec::new();
    for line in headers.get_all(name) {
        let Some(strings) = line.to_str().ok().and_then(list_of_strings) else {
            return Vec::new();
        };
        all.extend(strings);
    }
    all
}

fn list_of_strings(text: &str) -> Option<Vec<String>> {
    let mut rest = text.trim_matches(' ');
    let mut strings = Vec::new();
    while !rest.is_empty() {
        let (string, after) = string(rest)?;
        strings.push(string);
        rest = parameters(after)?.trim_start_matches([' ', '\t']);
        let Some(after) = rest.strip_prefix(',') else {
            return rest.is_empty().then_some(strings);
        };
        rest = after.trim_start_matches([' ', '\t']);
        if rest.is_empty() {
            // A comma at the end.
            return None;
        }
    }
    Some(strings)
}

/// A string in quotes, and what follows it (RFC 9651 §4.2.5).
fn string(text: &str) -> Option<(String, &str)> {
    let mut string = String::new();
    let mut chars = text.strip_prefix('"')?.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Some((string, text.get(at + 2..)?)),
            '\\' => {
                let (_, escaped) = chars.next()?;
                string.push(Some(escaped).filter(|c| matches!(c, '"' | '\\'))?);
            }
            ' '..='~' => string.push(c),
            _ => return None,
        }
    }
    None
}

/// Skips parameters, of which none means anything here; what follows them.
fn parameters(mut rest: &str) -> Option<&str> {
    while let Some(after) = rest.strip_prefix(';') {
        let after = after.trim_start_matches(' ');
        let is_key = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "_-.*".contains(c);
        if !after.starts_with(|c: char| c.is_ascii_lowercase() || c == '*') {
            return None;
        }
        rest = after.trim_start_matches(is_key);
        if let Some(value) = rest.strip_prefix('=') {
            rest = match value.strip_prefix('"') {
                Some(_) => string(value)?.1,
                None => {
                    value.trim_start_matches(|c: char| c.is_ascii_graphic() && !",;".contains(c))
                }
            };
        }
    }
    Some(rest)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn rules(max_tags: u32) -> TagRules {
        let fields = ["surrogate-key", "cache-tag"].map(str::to_owned);
        TagRules::new(&fields, true, max_tags, true).unwrap()
    }

    fn headers(fields: &[(&'static str, &'static str)]) -> HeaderMap {
        let field = |(name, value): &(&'static str, &'static str)| {
            (HeaderName::from_static(name), HeaderValue::from_static(value))
        };
        fields.iter().map(field).collect()
    }

    #[test]
    fn tags_are_words_between_commas_and_spaces() {
        let headers = headers(&[
            ("surrogate-key", "a b  a"),
            ("cache-tag", "c,d , e"),
            ("cache-groups", "\"a\", \"with space\";x=1"),
        ]);
        let tags = rules(10).read(&headers, "http://a").unwrap();
        let operators: Vec<_> = tags.iter().filter(|t| !t.is_own()).map(|t| &*t.0).collect();
        assert_eq!(operators, ["a", "b", "c", "d", "e"]);
        assert_eq!(tags.len(), 7);
        assert!(tags.contains(&Tag::group("http://a", "with space")));
        assert!(!tags.contains(&Tag::group("http://b", "a")));
        assert_eq!(rules(6).read(&headers, "http://a"), Err(TooMany));
    }

    #[test]
    fn tags_that_were_stripped_outlive_a_304_without_any() {
        let rules = rules(10);
        let tags = rules.read(&headers(&[("cache-tag", "a, b")]), "http://a").unwrap();
        let mut merged = headers(&[("etag", "\"1\"")]);
        rules.restore(&mut merged, &HeaderMap::new(), &tags);
        assert_eq!(rules.read(&merged, "http://a").unwrap(), tags);
        rules.strip(&mut merged);
        assert_eq!(merged, headers(&[("etag", "\"1\"")]));
        rules.restore(&mut merged, &headers(&[("cache-tag", "c")]), &tags);
        assert_eq!(merged.len(), 1);
    }

    #[test]
    fn a_list_of_strings_is_read_strictly() {
        for (text, expected) in [
            ("", Some(&[][..])),
            ("\"a\"", Some(&["a"])),
            ("\"a\",\t\"b\"", Some(&["a", "b"])),
            ("\"a\\\"\\\\\"", Some(&["a\"\\"])),
            ("\"a\";q=1;w=\",\", \"b\";z", Some(&["a", "b"])),
            ("a", None),
            ("\"a\" \"b\"", None),
            ("\"a\",", None),
            ("\"a", None),
            ("\"\\a\"", None),
            ("\"a\";Q=1", None),
            ("\"ü\"", None),
            ("(\"a\")", None),
        ] {
            let strings = list_of_strings(text);
            let strings = strings.as_ref().map(|all| all.iter().map(String::as_str).collect());
            assert_eq!(strings, expected.map(<[&str]>::to_vec), "{text}");
        }
    }

    proptest! {
        #[test]
        fn whatever_comes_is_read_or_refused(text in "[ -~\t\"\\\\,;]{0,40}") {
            if let Some(strings) = list_of_strings(&text) {
                let quoted = |s: &String| format!("\"{}\"", s.replace('\\', "\\\\").replace('"', "\\\""));
                let again = strings.iter().map(quoted).collect::<Vec<_>>().join(", ");
                prop_assert_eq!(list_of_strings(&again), Some(strings));
            }
        }
    }
}
