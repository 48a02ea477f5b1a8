//! Lists whose members carry a weight: `gzip;q=0.5, br` (RFC 9110 §12.4.2).

use http::header::{HeaderMap, HeaderName};

use crate::list;

/// How many members are read; nobody means more, and each costs whoever negotiates.
const MAX_MEMBERS: usize = 64;

/// A member of a list and how much it is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Weighted<'a> {
    /// The member without its weight; parameters that stood before the weight are part of it.
    pub value: &'a str,
    /// The weight in thousandths, 0 to 1000; 0 means "not acceptable", 1000 when none is given.
    pub weight: u16,
}

/// The members of a list with weights, in the order of the field, over all of its lines.
///
/// A member with a weight outside of the grammar (`q=2`, `q=-1`, `q=0.1234`, two weights) is
/// left out, as if it had not been sent. At most 64 members are read. Only the allocation of the
/// result; no input panics.
///
/// ```
/// use http::header::{ACCEPT_ENCODING, HeaderMap, HeaderValue};
///
/// let mut headers = HeaderMap::new();
/// headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("br;q=0.8, gzip, *;q=0"));
/// let parsed = vhttp::weighted::parse(&headers, &ACCEPT_ENCODING);
/// let pairs: Vec<_> = parsed.iter().map(|w| (w.value, w.weight)).collect();
/// assert_eq!(pairs, [("br", 800), ("gzip", 1000), ("*", 0)]);
/// ```
#[must_use]
pub fn parse<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Vec<Weighted<'a>> {
    list::items(headers, name).take(MAX_MEMBERS).filter_map(member).collect()
}

/// One member; `None` when it is empty or its weight is not one.
fn member(text: &str) -> Option<Weighted<'_>> {
    let (value, parameters) = list::parameters(text);
    if value.is_empty() {
        return None;
    }
    let mut parameters = parameters.filter(|(name, _)| name.trim_end().eq_ignore_ascii_case("q"));
    let Some((name, weight)) = parameters.next() else {
        return Some(Weighted { value: text, weight: 1000 });
    };
    // A second weight contradicts the first; white space before `=` is not in the grammar.
    if parameters.next().is_some() || name.len() != 1 {
        return None;
    }
    let value = text.get(..distance(text, name))?;
    Some(Weighted { value: value.trim_end_matches([' ', '\t', ';']), weight: qvalue(weight)? })
}

/// How many bytes of `whole` stand before its part `part`.
fn distance(whole: &str, part: &str) -> usize {
    part.as_ptr().addr().saturating_sub(whole.as_ptr().addr())
}

/// A weight in thousandths: `0`, `1`, and up to three decimals (RFC 9110 §12.4.2).
fn qvalue(text: &str) -> Option<u16> {
    let (whole, decimals) = text.split_once('.').unwrap_or((text, ""));
    let whole = match whole {
        "0" => 0,
        "1" => 1000,
        _ => return None,
    };
    if decimals.len() > 3 {
        return None;
    }
    let mut unit = 100;
    let mut weight: u16 = whole;
    for c in decimals.chars() {
        weight += u16::try_from(c.to_digit(10)?).ok()? * unit;
        unit /= 10;
    }
    (weight <= 1000).then_some(weight)
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use http::header::ACCEPT;
    use proptest::prelude::*;

    use super::*;

    fn pairs(value: &str) -> Vec<(String, u16)> {
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, HeaderValue::from_str(value).unwrap());
        let parsed = parse(&headers, &ACCEPT);
        parsed.iter().map(|w| (w.value.to_owned(), w.weight)).collect()
    }

    #[test]
    fn weights_of_the_grammar() {
        for (text, weight) in [
            ("a", 1000),
            ("a;q=1", 1000),
            ("a;q=1.", 1000),
            ("a;q=1.000", 1000),
            ("a;Q=0", 0),
            ("a ; q=0.", 0),
            ("a;q=0.5", 500),
            ("a;q=0.05", 50),
            ("a;q=0.001", 1),
            ("a;q=0.999;ext=1", 999),
        ] {
            assert_eq!(pairs(text), [("a".to_owned(), weight)], "{text}");
        }
    }

    #[test]
    fn a_member_with_another_weight_is_left_out() {
        for text in [
            "a;q=2",
            "a;q=1.001",
            "a;q=-0",
            "a;q=+1",
            "a;q=0.1234",
            "a;q=.5",
            "a;q=",
            "a;q",
            "a;q= 1",
            "a;q =1",
            "a;q=\"1\"",
            "a;q=1e0",
            "a;q=0.5;q=0.6",
            ";q=1",
        ] {
            assert_eq!(pairs(&format!("{text}, b")), [("b".to_owned(), 1000)], "{text}");
        }
    }

    #[test]
    fn parameters_before_the_weight_belong_to_the_member() {
        assert_eq!(pairs("text/html;level=1 ;q=0.4"), [("text/html;level=1".to_owned(), 400)]);
    }

    #[test]
    fn absurd_lists_are_cut() {
        assert_eq!(pairs(&"a,".repeat(1000)).len(), MAX_MEMBERS);
    }

    proptest! {
        #[test]
        fn no_value_panics(value in "[ -~]{0,60}") {
            for (member, weight) in pairs(&value) {
                prop_assert!(!member.is_empty() && weight <= 1000);
            }
        }

        #[test]
        fn what_is_written_is_read_back(weight in 0u16..1000) {
            let value = format!("gzip;q=0.{weight:03}");
            prop_assert_eq!(pairs(&value), [("gzip".to_owned(), weight)]);
        }
    }
}
