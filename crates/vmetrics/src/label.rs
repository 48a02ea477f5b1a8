//! Names and labels made valid, canonical and short, and escaped for output.

use std::borrow::Cow;
use std::sync::Arc;

use hashbrown::Equivalent;

/// The label of the one series that takes what a cap turned away.
const OVERFLOW: (&str, &str) = ("overflow", "true");

/// Longest name of a metric or a label; what is longer is cut.
const MAX_NAME_BYTES: usize = 200;

/// Most labels of one series; the rest is left out.
const MAX_LABELS: usize = 32;

/// The full label set of one series: valid names, sorted, no name twice, no empty value.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Labels(Box<[(Box<str>, Box<str>)]>);

impl Labels {
    /// No labels at all.
    pub(crate) fn none() -> Self {
        Self(Box::default())
    }

    /// The labels of the overflow series.
    pub(crate) fn overflow() -> Self {
        Self(Box::new([(OVERFLOW.0.into(), OVERFLOW.1.into())]))
    }

    /// Names and values, by name.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (&**name, &**value))
    }
}

/// A label set as given, made canonical; it finds equal [`Labels`] without owning a string.
///
/// Series are compared by their full sets. A hash alone, or values joined without a separator,
/// would merge distinct series.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(crate) struct Canonical<'a>(Vec<(Cow<'a, str>, Cow<'a, str>)>);

impl<'a> Canonical<'a> {
    /// Takes `labels` in any order; of a name given twice the last value counts, and an empty
    /// value is no label (Prometheus' data model). `reserved` names get the prefix `exported_`.
    pub(crate) fn new(
        labels: impl Iterator<Item = (&'a str, &'a str)>,
        reserved: Option<&str>,
        max_value_bytes: usize,
    ) -> Self {
        let mut set: Vec<_> = labels
            .take(MAX_LABELS)
            .map(|(name, value)| {
                let name = label_name(name);
                let name = if Some(&*name) == reserved {
                    Cow::Owned(format!("exported_{name}"))
                } else {
                    name
                };
                (name, Cow::Borrowed(cut(value, max_value_bytes)))
            })
            .collect();
        set.sort_by(|a, b| a.0.cmp(&b.0));
        set.dedup_by(|later, kept| {
            let same = later.0 == kept.0;
            if same {
                std::mem::swap(&mut later.1, &mut kept.1);
            }
            same
        });
        set.retain(|(_, value)| !value.is_empty());
        Self(set)
    }

    /// The labels of the overflow series.
    pub(crate) fn overflow() -> Self {
        Self(vec![(OVERFLOW.0.into(), OVERFLOW.1.into())])
    }

    /// The same set, owned.
    pub(crate) fn to_labels(&self) -> Labels {
        Labels(
            self.0.iter().map(|(name, value)| (Box::from(&**name), Box::from(&**value))).collect(),
        )
    }
}

impl Equivalent<Arc<Labels>> for Canonical<'_> {
    fn equivalent(&self, key: &Arc<Labels>) -> bool {
        self.0.len() == key.0.len()
            && self
                .0
                .iter()
                .zip(&key.0)
                .all(|(own, other)| *own.0 == *other.0 && *own.1 == *other.1)
    }
}

/// `name` as a metric name, `[a-zA-Z_:][a-zA-Z0-9_:]*`; every other character becomes `_`.
pub(crate) fn metric_name(name: &str) -> Cow<'_, str> {
    valid_name(name, |c| c.is_ascii_alphanumeric() || c == '_' || c == ':')
}

/// `name` as a label name, `[a-zA-Z_][a-zA-Z0-9_]*`, without the reserved prefix `__`.
pub(crate) fn label_name(name: &str) -> Cow<'_, str> {
    match valid_name(name, |c| c.is_ascii_alphanumeric() || c == '_') {
        Cow::Borrowed(name) if !name.starts_with("__") => Cow::Borrowed(name),
        name if name.starts_with("__") => Cow::Owned(format!("_{}", name.trim_start_matches('_'))),
        name => name,
    }
}

fn valid_name(name: &str, allowed: impl Fn(char) -> bool) -> Cow<'_, str> {
    let name = cut(name, MAX_NAME_BYTES);
    let starts_well = name.starts_with(|c: char| allowed(c) && !c.is_ascii_digit());
    if starts_well && name.chars().all(&allowed) {
        return Cow::Borrowed(name);
    }
    let prefix =
        if name.is_empty() || name.starts_with(|c: char| c.is_ascii_digit()) { "_" } else { "" };
    let kept = name.chars().map(|c| if allowed(c) { c } else { '_' });
    Cow::Owned(prefix.chars().chain(kept).collect())
}

/// The longest start of `text` of at most `max_bytes` that ends between two characters.
pub(crate) fn cut(text: &str, max_bytes: usize) -> &str {
    let mut end = max_bytes.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).unwrap_or(text)
}

/// Appends `value` as the inside of a quoted label value: `\`, `"` and line feed are escaped.
pub(crate) fn escape_value(value: &str, out: &mut String) {
    escape(value, true, out);
}

/// Appends `help` as the rest of a HELP line: `\` and line feed are escaped.
pub(crate) fn escape_help(help: &str, out: &mut String) {
    escape(help, false, out);
}

fn escape(text: &str, quotes: bool, out: &mut String) {
    for c in text.chars() {
        match c {
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '"' if quotes => out.push_str("\\\""),
            c => out.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn set(labels: &[(&str, &str)]) -> Labels {
        Canonical::new(labels.iter().copied(), Some("le"), 8).to_labels()
    }

    #[test]
    fn order_does_not_matter_and_the_last_of_a_name_counts() {
        assert_eq!(set(&[("b", "1"), ("a", "2")]), set(&[("a", "2"), ("b", "1")]));
        assert_eq!(set(&[("a", "1"), ("a", "2")]), set(&[("a", "2")]));
        // Two names that become one are one.
        assert_eq!(set(&[("a.b", "1"), ("a-b", "2")]), set(&[("a_b", "2")]));
    }

    #[test]
    fn an_empty_value_is_no_label_and_a_long_one_is_cut() {
        assert_eq!(set(&[("a", "")]), Labels::none());
        assert_eq!(set(&[("a", "0123456789")]), set(&[("a", "01234567")]));
        assert_eq!(set(&[("a", "1234567ä")]), set(&[("a", "1234567")]));
    }

    #[test]
    fn values_are_not_joined() {
        assert_ne!(set(&[("a", "xy"), ("b", "z")]), set(&[("a", "x"), ("b", "yz")]));
    }

    #[test]
    fn the_bucket_label_stays_free() {
        assert_eq!(set(&[("le", "5")]), set(&[("exported_le", "5")]));
    }

    #[test]
    fn names_become_valid() {
        assert_eq!(metric_name("http.server.duration"), "http_server_duration");
        assert_eq!(metric_name("job:rate5m"), "job:rate5m");
        assert_eq!(metric_name("5xx"), "_5xx");
        assert_eq!(metric_name(""), "_");
        assert_eq!(label_name("a:b"), "a_b");
        assert_eq!(label_name("__name__"), "_name__");
    }

    /// What a Prometheus parser does with the inside of a quoted value.
    fn unescape(text: &str) -> String {
        let (mut out, mut chars) = (String::new(), text.chars());
        while let Some(c) = chars.next() {
            match c {
                '\\' => match chars.next().expect("no lone backslash") {
                    'n' => out.push('\n'),
                    other => out.push(other),
                },
                '"' => panic!("an unescaped quote"),
                c => out.push(c),
            }
        }
        out
    }

    proptest! {
        #[test]
        fn an_escaped_value_is_one_line_and_comes_back(value in any::<String>()) {
            let mut escaped = String::new();
            escape_value(&value, &mut escaped);
            prop_assert!(!escaped.contains('\n'));
            prop_assert_eq!(unescape(&escaped), value);
        }

        #[test]
        fn any_name_becomes_valid_and_stays_so(name in any::<String>()) {
            let once = metric_name(&name).into_owned();
            prop_assert!(!once.is_empty() && !once.starts_with(|c: char| c.is_ascii_digit()));
            prop_assert!(once.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == ':'));
            prop_assert!(matches!(metric_name(&once), Cow::Borrowed(same) if same == once)
                || once.len() > MAX_NAME_BYTES);
            let label = label_name(&name).into_owned();
            prop_assert!(!label.is_empty() && !label.starts_with("__"));
            prop_assert!(label.chars().all(|c| c.is_ascii_alphanumeric() || c == '_'));
        }

        #[test]
        fn a_borrowed_set_finds_its_owned_twin(
            labels in proptest::collection::vec(("[a-c]{1,2}", "[x-z]{0,3}"), 0..6),
        ) {
            use std::hash::BuildHasher;
            let pairs = labels.iter().map(|(n, v)| (n.as_str(), v.as_str()));
            let canonical = Canonical::new(pairs, None, 64);
            let owned = Arc::new(canonical.to_labels());
            let hasher = foldhash::fast::FixedState::default();
            prop_assert!(canonical.equivalent(&owned));
            prop_assert_eq!(hasher.hash_one(&canonical), hasher.hash_one(&owned));
        }
    }
}
