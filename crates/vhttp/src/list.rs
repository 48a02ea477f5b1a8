//! Comma lists over one or several lines, quoted strings respected (RFC 9110 §5.6.1).

use std::borrow::Cow;

use http::header::{HeaderMap, HeaderName};

/// The members of a list field, over all of its lines, in order.
///
/// White space around a member and empty members are dropped; a comma inside a quoted string does
/// not split. A member that is not UTF-8 is skipped, its neighbours are not.
///
/// ```
/// use http::header::{HeaderMap, HeaderValue, VARY};
///
/// let mut headers = HeaderMap::new();
/// headers.append(VARY, HeaderValue::from_static("accept, , \"a,b\""));
/// headers.append(VARY, HeaderValue::from_static("origin"));
/// let items: Vec<_> = vhttp::list::items(&headers, &VARY).collect();
/// assert_eq!(items, ["accept", "\"a,b\"", "origin"]);
/// ```
pub fn items<'a>(
    headers: &'a HeaderMap,
    name: &HeaderName,
) -> impl Iterator<Item = &'a str> + use<'a> {
    headers.get_all(name).into_iter().flat_map(|line| split(line.as_bytes()))
}

/// The members of one line; see [`items`].
pub fn split(line: &[u8]) -> impl Iterator<Item = &str> {
    Pieces::new(line, b',').filter(|member| !member.is_empty())
}

/// Whether the list holds `token`, in any letter case.
#[must_use]
pub fn contains(headers: &HeaderMap, name: &HeaderName, token: &str) -> bool {
    items(headers, name).any(|item| item.eq_ignore_ascii_case(token))
}

/// Splits `value;name=text;flag` into the value and its parameters (RFC 9110 §5.6.6).
///
/// A parameter without `=` has an empty text. White space around a parameter is dropped, around
/// the `=` it is kept: there it is not allowed, and the reader of the parameter decides what that
/// means. A text that is a quoted string keeps its quotes; see [`unquote`].
///
/// ```
/// let (value, parameters) = vhttp::list::parameters("text/html; level=1;note=\"a;b\"");
/// assert_eq!(value, "text/html");
/// assert_eq!(parameters.collect::<Vec<_>>(), [("level", "1"), ("note", "\"a;b\"")]);
/// ```
pub fn parameters(member: &str) -> (&str, impl Iterator<Item = (&str, &str)>) {
    let mut pieces = Pieces::new(member.as_bytes(), b';');
    let value = pieces.next().unwrap_or_default();
    let parameters = pieces
        .filter(|piece| !piece.is_empty())
        .map(|piece| piece.split_once('=').unwrap_or((piece, "")));
    (value, parameters)
}

/// The content of a quoted string, or a token as it is (RFC 9110 §5.6.4); `None` when the quoted
/// string does not end, or ends early.
///
/// ```
/// assert_eq!(vhttp::list::unquote(r#""a \"b\"""#).as_deref(), Some(r#"a "b""#));
/// assert_eq!(vhttp::list::unquote("token").as_deref(), Some("token"));
/// assert_eq!(vhttp::list::unquote(r#""open"#), None);
/// ```
#[must_use]
pub fn unquote(text: &str) -> Option<Cow<'_, str>> {
    let Some(inside) = text.strip_prefix('"') else {
        return Some(Cow::Borrowed(text));
    };
    let inside = inside.strip_suffix('"')?;
    if !inside.contains(['"', '\\']) {
        return Some(Cow::Borrowed(inside));
    }
    let mut content = String::with_capacity(inside.len());
    let mut chars = inside.chars();
    while let Some(c) = chars.next() {
        match c {
            '"' => return None,
            '\\' => content.push(chars.next()?),
            c => content.push(c),
        }
    }
    Some(Cow::Owned(content))
}

/// Whether `text` is a token (RFC 9110 §5.6.2).
#[must_use]
pub fn is_token(text: &str) -> bool {
    let special = |b: u8| b"!#$%&'*+-.^_`|~".contains(&b);
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || special(b))
}

/// The pieces between separators outside of quoted strings, trimmed.
struct Pieces<'a> {
    rest: Option<&'a [u8]>,
    separator: u8,
}

impl<'a> Pieces<'a> {
    const fn new(text: &'a [u8], separator: u8) -> Self {
        Self { rest: Some(text), separator }
    }
}

impl<'a> Iterator for Pieces<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        loop {
            let text = self.rest?;
            let piece = match find_unquoted(text, self.separator) {
                Some(at) => {
                    self.rest = text.get(at + 1..);
                    text.get(..at).unwrap_or_default()
                }
                None => {
                    self.rest = None;
                    text
                }
            };
            if let Ok(piece) = std::str::from_utf8(piece) {
                return Some(piece.trim_matches([' ', '\t']));
            }
        }
    }
}

/// Where `wanted` first stands outside of quoted strings; one that does not end takes all the rest.
fn find_unquoted(text: &[u8], wanted: u8) -> Option<usize> {
    let (mut quoted, mut escaped) = (false, false);
    text.iter().position(|&byte| {
        if escaped {
            escaped = false;
        } else if byte == b'"' {
            quoted = !quoted;
        } else if quoted {
            escaped = byte == b'\\';
        } else {
            return byte == wanted;
        }
        false
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn members_are_split_as_the_grammar_says() {
        let rows: [(&str, &[&str]); 7] = [
            ("", &[]),
            (" , ,\t", &[]),
            ("a,b", &["a", "b"]),
            (" a b ,c ", &["a b", "c"]),
            (r#"a="x,y", b"#, &[r#"a="x,y""#, "b"]),
            (r#""x\",y", b"#, &[r#""x\",y""#, "b"]),
            (r#"a, "open, b"#, &["a", r#""open, b"#]),
        ];
        for (line, members) in rows {
            let found: Vec<_> = split(line.as_bytes()).collect();
            assert_eq!(found, members, "{line}");
        }
    }

    #[test]
    fn a_member_of_foreign_bytes_hides_no_other() {
        let found: Vec<_> = split(b"a, \xff, b").collect();
        assert_eq!(found, ["a", "b"]);
    }

    proptest! {
        #[test]
        fn no_bytes_panic(line: Vec<u8>) {
            for member in split(&line) {
                let (_, parameters) = parameters(member);
                for (_, text) in parameters {
                    let _ = unquote(text);
                }
            }
        }

        #[test]
        fn what_is_joined_is_split_again(members in prop::collection::vec("[a-z]{1,5}(=\"[a-z, ;]{0,5}\")?", 0..6)) {
            let line = members.join(" , ");
            let found: Vec<_> = split(line.as_bytes()).collect();
            prop_assert_eq!(found, members);
        }

        #[test]
        fn what_is_quoted_is_unquoted(content in "[ -~]{0,20}") {
            let quoted = format!("\"{}\"", content.replace('\\', r"\\").replace('"', "\\\""));
            prop_assert_eq!(unquote(&quoted).unwrap(), content);
        }
    }
}
