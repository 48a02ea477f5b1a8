//! Targeted fields, `CDN-Cache-Control` and its like, as structured dictionaries (RFC 9213).

use std::borrow::Cow;
use std::convert::Infallible;

use http::header::{HeaderMap, HeaderName};
use sfv::visitor::{
    DictionaryVisitor, EntryVisitor, Ignored, InnerListVisitor, ItemVisitor, ParameterVisitor,
};
use sfv::{BareItemFromInput, KeyRef, Parser, Version};

use super::{CacheControl, Fields, MAX_SECONDS};

/// What a directive of each name may hold (RFC 9213 §2.1).
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Flag,
    Seconds,
    Names,
}

/// The directives that count; anything else is an extension and ignored.
const KNOWN: [(&str, Kind); 13] = [
    ("max-age", Kind::Seconds),
    ("s-maxage", Kind::Seconds),
    ("stale-while-revalidate", Kind::Seconds),
    ("stale-if-error", Kind::Seconds),
    ("no-cache", Kind::Names),
    ("private", Kind::Names),
    ("no-store", Kind::Flag),
    ("no-transform", Kind::Flag),
    ("public", Kind::Flag),
    ("must-revalidate", Kind::Flag),
    ("proxy-revalidate", Kind::Flag),
    ("must-understand", Kind::Flag),
    ("immutable", Kind::Flag),
];

impl CacheControl {
    /// The directives of the targeted field `name` in a response (RFC 9213), which stand in place
    /// of `Cache-Control` and `Expires`; `None` when the field does not count.
    ///
    /// It does not when it is absent, empty, no dictionary of RFC 8941 in every byte, or has a
    /// known directive of the wrong type (`max-age="60"`, `max-age=1.5`, `no-store=1`). A negative
    /// number is 0. Of a directive that is there twice the last counts, as in every dictionary.
    ///
    /// ```
    /// use http::header::{HeaderMap, HeaderName, HeaderValue};
    /// use vhttp::CacheControl;
    ///
    /// let name = HeaderName::from_static("cdn-cache-control");
    /// let mut headers = HeaderMap::new();
    /// headers.insert(&name, HeaderValue::from_static("max-age=60, must-revalidate"));
    /// let control = CacheControl::targeted(&headers, &name).unwrap();
    /// assert_eq!((control.max_age, control.must_revalidate), (Some(60), true));
    ///
    /// headers.insert(&name, HeaderValue::from_static("max-age=\"60\""));
    /// assert_eq!(CacheControl::targeted(&headers, &name), None);
    /// ```
    #[must_use]
    pub fn targeted(headers: &HeaderMap, name: &HeaderName) -> Option<Self> {
        let text = combined(headers, name)?;
        let parser = Parser::new(text.as_ref()).with_version(Version::Rfc8941);
        let found = parser.parse_dictionary_with_visitor(Found::default()).ok()?;
        let mut control = Self::default();
        for (known, item) in KNOWN.iter().zip(found.items) {
            match item {
                Item::Absent => {}
                item => control.set(*known, item)?,
            }
        }
        found.any.then_some(control)
    }

    /// Takes one directive; `None` when it is of the wrong type.
    fn set(&mut self, (name, kind): (&str, Kind), item: Item) -> Option<()> {
        match (kind, item) {
            (Kind::Flag, Item::Flag(set)) => {
                if let Some(flag) = self.targeted_flag(name) {
                    *flag = set;
                }
            }
            (Kind::Seconds, Item::Seconds(seconds)) => {
                if let Some(slot) = self.targeted_seconds(name) {
                    *slot = Some(seconds);
                }
            }
            (Kind::Names, Item::Flag(set)) => {
                *self.targeted_names(name) = set.then_some(Fields::All);
            }
            (Kind::Names, Item::Text(names)) => {
                *self.targeted_names(name) = Some(Fields::listed(&names));
            }
            _ => return None,
        }
        Some(())
    }

    fn targeted_flag(&mut self, name: &str) -> Option<&mut bool> {
        match name {
            "no-store" => Some(&mut self.no_store),
            "no-transform" => Some(&mut self.no_transform),
            "public" => Some(&mut self.public),
            "must-revalidate" => Some(&mut self.must_revalidate),
            "proxy-revalidate" => Some(&mut self.proxy_revalidate),
            "must-understand" => Some(&mut self.must_understand),
            "immutable" => Some(&mut self.immutable),
            _ => None,
        }
    }

    fn targeted_seconds(&mut self, name: &str) -> Option<&mut Option<u64>> {
        match name {
            "max-age" => Some(&mut self.max_age),
            "s-maxage" => Some(&mut self.s_maxage),
            "stale-while-revalidate" => Some(&mut self.stale_while_revalidate),
            "stale-if-error" => Some(&mut self.stale_if_error),
            _ => None,
        }
    }

    fn targeted_names(&mut self, name: &str) -> &mut Option<Fields> {
        if name == "private" { &mut self.private } else { &mut self.no_cache }
    }
}

/// All lines of a field as one (RFC 8941 §4.2); `None` when there are none.
fn combined<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<Cow<'a, [u8]>> {
    let mut lines = headers.get_all(name).into_iter();
    let first = lines.next()?.as_bytes();
    let mut all = Cow::Borrowed(first);
    for line in lines {
        let all = all.to_mut();
        all.extend_from_slice(b", ");
        all.extend_from_slice(line.as_bytes());
    }
    Some(all)
}

/// The value of a directive, as far as any directive could have it.
#[derive(Default)]
enum Item {
    #[default]
    Absent,
    Flag(bool),
    Seconds(u64),
    Text(String),
    /// A type that no directive has.
    Wrong,
}

/// The known directives, in the order of [`KNOWN`].
#[derive(Default)]
struct Found {
    items: [Item; KNOWN.len()],
    any: bool,
}

impl<'de> DictionaryVisitor<'de> for Found {
    type Out = Self;
    type Error = Infallible;

    fn entry(&mut self, key: &'de KeyRef) -> Result<impl EntryVisitor<'de>, Infallible> {
        self.any = true;
        let mut named = self.items.iter_mut().zip(KNOWN);
        let found = named.find(|(_, (name, _))| *name == key.as_str());
        Ok(found.map(|(item, _)| Slot(item)))
    }

    fn finish(self) -> Result<Self, Infallible> {
        Ok(self)
    }
}

struct Slot<'a>(&'a mut Item);

impl<'de> EntryVisitor<'de> for Slot<'_> {
    type Error = Infallible;

    fn item(self) -> Result<impl ItemVisitor<'de>, Infallible> {
        Ok(|value: BareItemFromInput<'de>| {
            *self.0 = match value {
                BareItemFromInput::Boolean(set) => Item::Flag(set),
                BareItemFromInput::Integer(number) => {
                    let seconds = u64::try_from(i64::from(number)).unwrap_or(0);
                    Item::Seconds(seconds.min(MAX_SECONDS))
                }
                BareItemFromInput::String(text) => Item::Text(text.as_str().to_owned()),
                _ => Item::Wrong,
            };
            Ok::<_, Infallible>(Ignored)
        })
    }

    fn inner_list(self) -> Result<impl InnerListVisitor<'de>, Infallible> {
        *self.0 = Item::Wrong;
        Ok(Members)
    }
}

/// The members of a list that no directive has.
struct Members;

impl<'de> InnerListVisitor<'de> for Members {
    type Error = Infallible;

    fn item(&mut self) -> Result<impl ItemVisitor<'de>, Infallible> {
        Ok(Ignored)
    }

    fn finish(self) -> Result<impl ParameterVisitor<'de>, Infallible> {
        Ok(Ignored)
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use proptest::prelude::*;

    use super::*;

    const NAME: HeaderName = HeaderName::from_static("cdn-cache-control");

    fn read(lines: &[&str]) -> Option<CacheControl> {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(NAME, HeaderValue::from_str(line).unwrap());
        }
        CacheControl::targeted(&headers, &NAME)
    }

    #[test]
    fn directives_have_their_types() {
        let control = read(&[
            "max-age=60;x=1, s-maxage=7, no-store, public=?0, immutable, private=\"a, b\"",
            "stale-if-error=-4, foo=bar, stale-while-revalidate=999999999999999",
        ]);
        let control = control.unwrap();
        assert_eq!((control.max_age, control.s_maxage), (Some(60), Some(7)));
        assert!(control.no_store && !control.public && control.immutable);
        assert!(matches!(&control.private, Some(Fields::Named(names)) if names.len() == 2));
        assert_eq!(control.stale_if_error, Some(0));
        assert_eq!(control.stale_while_revalidate, Some(MAX_SECONDS));
        assert_eq!(control.no_cache, None);
    }

    #[test]
    fn a_field_that_is_not_right_in_every_byte_does_not_count() {
        for line in [
            "",
            " ",
            "max-age=60,",
            "Max-Age=60",
            "max-age =60",
            "max-age= 60",
            "max-age=\"60\"",
            "max-age=6.5",
            "max-age",
            "max-age=a",
            "max-age=(60)",
            "max-age=60 public",
            "max-age=1000000000000000",
            "no-store=1",
            "no-store=\"x\"",
            "private=a",
            "no-cache=(\"a\")",
            "max-age=60, x=@1",
            "max-age=60, é",
        ] {
            assert_eq!(read(&[line]), None, "{line}");
        }
        assert_eq!(read(&[]), None);
        assert_eq!(read(&["max-age=9", "max-age=5"]).unwrap().max_age, Some(5));
        assert_eq!(read(&["foo"]), Some(CacheControl::default()));
    }

    proptest! {
        #[test]
        fn no_bytes_panic(line: Vec<u8>) {
            if let Ok(value) = HeaderValue::from_bytes(&line) {
                let headers = HeaderMap::from_iter([(NAME, value)]);
                let _ = CacheControl::targeted(&headers, &NAME);
            }
        }

        #[test]
        fn nearly_right_lines_do_not_panic(
            line in "((max-age|no-store|private)(=[-0-9\"?a-z.()@:]{0,6})?(;[a-z]=1)?, ?){0,4}",
        ) {
            let control = read(&[&line]);
            prop_assert!(control.and_then(|c| c.max_age).is_none_or(|age| age <= MAX_SECONDS));
        }
    }
}
