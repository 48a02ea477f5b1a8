//! The file as a tree that knows where each key and value stands.

use std::ops::Range;

use serde::de::DeserializeOwned;
use toml::Spanned;
use toml::de::{DeArray, DeTable, DeValue};

use crate::config::problem::{Problem, closest};

/// One step on the way to a value: a key of a table or a place in an array.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Step {
    Key(String),
    Index(usize),
}

impl From<&str> for Step {
    fn from(key: &str) -> Self {
        Self::Key(key.to_owned())
    }
}

impl From<usize> for Step {
    fn from(index: usize) -> Self {
        Self::Index(index)
    }
}

/// The way to a value, from the root of the file.
pub(crate) type Path = Vec<Step>;

/// `at!["routes", 0, "upstream"]`
macro_rules! at {
    ($($step:expr),* $(,)?) => { vec![$(crate::config::document::Step::from($step)),*] };
}
pub(crate) use at;

/// The file as a tree.
#[derive(Debug)]
pub(crate) struct Document<'a> {
    root: Spanned<DeTable<'a>>,
}

/// A file with this many mistakes is not a configuration.
pub(crate) const MOST_PROBLEMS: usize = 50;

impl<'a> Document<'a> {
    /// Reads the file; every mistake of syntax is reported, and what could be read is kept.
    pub(crate) fn parse(text: &'a str) -> (Self, Vec<Problem>) {
        let (root, errors) = DeTable::parse_recoverable(text);
        let problems = errors
            .iter()
            .map(|e| Problem::new(e.span().unwrap_or(0..0), first_line(e.message())))
            .collect();
        (Self { root }, problems)
    }

    /// Where the value at `path` stands, or the nearest one on the way to it.
    pub(crate) fn locate(&self, path: &[Step]) -> Range<usize> {
        self.nearest(path).map_or(0..0, Spanned::span)
    }

    /// Where the field below `path` that `message` names stands.
    pub(crate) fn locate_field(&self, path: &[Step], message: &str) -> Option<Range<usize>> {
        let mut fields = Vec::new();
        fields_below(self.nearest(path)?, "", &mut fields);
        let named = fields.into_iter().filter(|(field, _)| mentions(message, field));
        named.max_by_key(|(field, _)| field.len()).map(|(_, span)| span)
    }

    /// Takes the smallest entry that holds `span` out of the tree.
    pub(crate) fn cut(&mut self, span: &Range<usize>) {
        if let Some(depth) = smallest(self.root.get_ref(), span) {
            cut_from_table(self.root.get_mut(), span, depth);
        }
    }

    /// Whether `span` lies in the value at `path`.
    pub(crate) fn holds(&self, path: &[Step], span: &Range<usize>) -> bool {
        self.nearest(path).is_none_or(|value| smallest_in(value, span).is_some())
    }

    /// The value at `path`, or the nearest one on the way to it.
    fn nearest(&self, path: &[Step]) -> Option<&Spanned<DeValue<'a>>> {
        let mut value: Option<&Spanned<DeValue<'a>>> = None;
        for step in path {
            let next = match (step, value.map(Spanned::get_ref)) {
                (Step::Key(key), None) => find(self.root.get_ref(), key),
                (Step::Key(key), Some(DeValue::Table(table))) => find(table, key),
                (Step::Index(index), Some(DeValue::Array(array))) => array.get(*index),
                _ => None,
            };
            let Some(next) = next else {
                break;
            };
            value = Some(next);
        }
        value
    }

    /// Applies `change` to every text value of the file; what it refuses is reported and left.
    pub(crate) fn change_texts(
        &mut self,
        change: &dyn Fn(&str) -> Result<Option<String>, String>,
        problems: &mut Vec<Problem>,
    ) {
        for (_, value) in self.root.get_mut().iter_mut() {
            change_text(value, change, problems);
        }
    }

    /// Reads the tree as `T`.
    ///
    /// Each mistake is reported; its place is then cut out and the rest is read again, so that
    /// one run shows every mistake.
    pub(crate) fn read<T: DeserializeOwned>(&self, problems: &mut Vec<Problem>) -> Option<T> {
        let mut tree = self.root.clone();
        while problems.len() < MOST_PROBLEMS {
            let error = match T::deserialize(toml::Deserializer::from(tree.clone())) {
                Ok(value) => return Some(value),
                Err(error) => error,
            };
            let span = error.span().unwrap_or(0..0);
            let span = text_in(tree.get_ref(), &span, error.message()).unwrap_or(span);
            problems.push(explain(error.message(), span.clone()));
            let depth = smallest(tree.get_ref(), &span)?;
            if !cut_from_table(tree.get_mut(), &span, depth) {
                return None;
            }
        }
        None
    }
}

/// The text that `message` quotes, if it is an item of the array at `span`: toml gives the place
/// of the array.
fn text_in(table: &DeTable<'_>, span: &Range<usize>, message: &str) -> Option<Range<usize>> {
    table.iter().find_map(|(_, value)| text_in_value(value, span, message))
}

fn text_in_value(
    value: &Spanned<DeValue<'_>>,
    span: &Range<usize>,
    message: &str,
) -> Option<Range<usize>> {
    let quoted = |text: &str| message.contains(&format!("`{text}`"));
    match value.get_ref() {
        DeValue::Table(table) => text_in(table, span, message),
        DeValue::Array(array) if value.span() == *span => {
            let item = |item: &&Spanned<DeValue<'_>>| item.get_ref().as_str().is_some_and(quoted);
            array.iter().find(item).map(Spanned::span)
        }
        DeValue::Array(array) => array.iter().find_map(|item| text_in_value(item, span, message)),
        _ => None,
    }
}

/// Every field of the tables in `value`, as `field` and as `table.field`, and where it stands.
fn fields_below(
    value: &Spanned<DeValue<'_>>,
    above: &str,
    fields: &mut Vec<(String, Range<usize>)>,
) {
    let DeValue::Table(table) = value.get_ref() else {
        return;
    };
    for (key, value) in table {
        let dotted = format!("{above}{}", key.get_ref());
        fields_below(value, &format!("{dotted}."), fields);
        fields.push((dotted, value.span()));
    }
}

/// Whether `word` stands in `message` as a word of its own.
fn mentions(message: &str, word: &str) -> bool {
    let part = |c: char| c.is_alphanumeric() || c == '_' || c == '.';
    message.split(|c| !part(c)).any(|found| found.trim_end_matches('.') == word)
}

fn find<'t, 'a>(table: &'t DeTable<'a>, key: &str) -> Option<&'t Spanned<DeValue<'a>>> {
    table.iter().find(|(name, _)| name.get_ref() == key).map(|(_, value)| value)
}

fn change_text(
    value: &mut Spanned<DeValue<'_>>,
    change: &dyn Fn(&str) -> Result<Option<String>, String>,
    problems: &mut Vec<Problem>,
) {
    let span = value.span();
    match value.get_mut() {
        DeValue::String(text) => match change(text) {
            Ok(Some(changed)) => *text = changed.into(),
            Ok(None) => {}
            Err(message) => problems.push(Problem::new(span, message)),
        },
        DeValue::Array(array) => {
            array.iter_mut().for_each(|item| change_text(item, change, problems));
        }
        DeValue::Table(table) => {
            table.iter_mut().for_each(|(_, item)| change_text(item, change, problems));
        }
        DeValue::Integer(_) | DeValue::Float(_) | DeValue::Boolean(_) | DeValue::Datetime(_) => {}
    }
}

/// The length of the smallest key or value that contains `span`.
fn smallest(table: &DeTable<'_>, span: &Range<usize>) -> Option<usize> {
    table
        .iter()
        .flat_map(|(key, value)| [holds(&key.span(), span), smallest_in(value, span)])
        .flatten()
        .min()
}

fn smallest_in(value: &Spanned<DeValue<'_>>, span: &Range<usize>) -> Option<usize> {
    let inner = match value.get_ref() {
        DeValue::Table(table) => smallest(table, span),
        DeValue::Array(array) => array.iter().filter_map(|item| smallest_in(item, span)).min(),
        _ => None,
    };
    inner.or_else(|| holds(&value.span(), span))
}

fn holds(outer: &Range<usize>, inner: &Range<usize>) -> Option<usize> {
    (outer.start <= inner.start && inner.end <= outer.end).then(|| outer.len())
}

/// Cuts out the entry of length `depth` that contains `span`; whether there was one.
fn cut_from_table(table: &mut DeTable<'_>, span: &Range<usize>, depth: usize) -> bool {
    let here = |outer: Range<usize>| holds(&outer, span) == Some(depth);
    let found = table.iter().find(|(key, value)| here(key.span()) || here(value.span()));
    if let Some(key) = found.map(|(key, _)| key.clone()) {
        return table.remove(&key).is_some();
    }
    table.iter_mut().any(|(_, value)| cut_from_value(value, span, depth))
}

fn cut_from_value(value: &mut Spanned<DeValue<'_>>, span: &Range<usize>, depth: usize) -> bool {
    match value.get_mut() {
        DeValue::Table(table) => cut_from_table(table, span, depth),
        DeValue::Array(array) => cut_from_array(array, span, depth),
        _ => false,
    }
}

fn cut_from_array(array: &mut DeArray<'_>, span: &Range<usize>, depth: usize) -> bool {
    let here = |item: &Spanned<DeValue<'_>>| holds(&item.span(), span) == Some(depth);
    let Some(index) = array.iter().position(here) else {
        return array.iter_mut().any(|item| cut_from_value(item, span, depth));
    };
    let mut kept = DeArray::new();
    for (_, item) in array.iter().enumerate().filter(|(at, _)| *at != index) {
        kept.push(item.clone());
    }
    *array = kept;
    true
}

/// What serde and Rust call things, and what people do.
const WORDS: [(&str, &str); 14] = [
    ("invalid socket address syntax", "not an address; write it like `127.0.0.1:8080`"),
    ("a nonzero usize", "a whole number of at least 1"),
    ("a nonzero u32", "a whole number of at least 1"),
    ("a nonzero u16", "a whole number from 1 to 65535"),
    ("expected usize", "expected a whole number"),
    ("expected u64", "expected a whole number"),
    ("expected u32", "expected a whole number"),
    ("expected u16", "expected a whole number up to 65535"),
    ("expected u8", "expected a whole number up to 255"),
    ("expected i32", "expected a whole number"),
    (" as i128", ""),
    (" as i64", ""),
    ("expected struct ", "expected the table of "),
    ("invalid type: map", "invalid type: table"),
];

/// Turns serde's words into ours: the field, what it might have been, and what there is.
fn explain(message: &str, span: Range<usize>) -> Problem {
    let plain = WORDS
        .iter()
        .fold(first_line(message).to_owned(), |text, (theirs, ours)| text.replace(theirs, ours));
    let message = plain.as_str();
    let mut quoted = message.split('`').skip(1).step_by(2);
    let unknown = message.starts_with("unknown field") || message.starts_with("unknown variant");
    let Some(word) = quoted.next().filter(|_| unknown) else {
        return Problem::new(span, message);
    };
    let what = if message.starts_with("unknown field") { "key" } else { "value" };
    let known: Vec<&str> = quoted.collect();
    let problem = Problem::new(span, format!("unknown {what} `{word}`"))
        .label(format!("no such {what} here"));
    match closest(word, known.iter().copied()) {
        Some(meant) => problem.help(format!("did you mean `{meant}`?")),
        None if known.is_empty() => problem,
        None => problem.help(format!("known here: {}", known.join(", "))),
    }
}

fn first_line(message: &str) -> &str {
    message.lines().next().unwrap_or(message)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize, Default)]
    #[serde(default, deny_unknown_fields)]
    struct Root {
        name: String,
        port: u16,
        parts: Vec<Part>,
        by_name: BTreeMap<String, Part>,
    }

    #[derive(Debug, Deserialize, Default)]
    #[serde(default, deny_unknown_fields)]
    struct Part {
        size: u8,
        colour: String,
    }

    const WRONG: &str = r#"
name = 3
prt = 80

[[parts]]
size = 1
color = "red"

[[parts]]
size = 999

[by_name.first]
size = "large"
colour = "blue"
"#;

    fn read(text: &str) -> (Option<Root>, Vec<(String, String)>) {
        let (document, mut problems) = Document::parse(text);
        let root = document.read(&mut problems);
        let at = |p: &Problem| text[p.span.clone()].to_owned();
        (root, problems.iter().map(|p| (at(p), p.message.clone())).collect())
    }

    #[test]
    fn every_mistake_is_reported_at_its_place() {
        let (root, problems) = read(WRONG);
        let places: Vec<&str> = problems.iter().map(|(place, _)| place.as_str()).collect();
        assert_eq!(places.len(), 5, "{problems:#?}");
        for place in ["3", "prt", "color", "999", "\"large\""] {
            assert!(places.contains(&place), "{place} in {places:?}");
        }
        let root = root.unwrap();
        assert_eq!(root.parts.len(), 2);
        assert_eq!(root.by_name["first"].colour, "blue");
        assert_eq!((root.name.as_str(), root.port), ("", 0));
    }

    #[test]
    fn a_slip_gets_a_hint() {
        let (document, mut problems) = Document::parse("prt = 80\n");
        let _: Option<Root> = document.read(&mut problems);
        assert_eq!(problems[0].help.as_deref(), Some("did you mean `port`?"));
    }

    #[test]
    fn a_value_is_found_by_its_path() {
        let (document, problems) = Document::parse(WRONG);
        assert_eq!(problems, []);
        let span = document.locate(at!["by_name", "first", "colour"].as_slice());
        assert_eq!(&WRONG[span], "\"blue\"");
        let span = document.locate(at!["parts", 1, "size"].as_slice());
        assert_eq!(&WRONG[span], "999");
    }

    #[test]
    fn a_message_that_names_a_field_points_at_it() {
        let (document, _) = Document::parse(WRONG);
        let span = document
            .locate_field(at!["by_name", "first"].as_slice(), "`colour` is too bright")
            .unwrap();
        assert_eq!(&WRONG[span], "\"blue\"");
        let span =
            document.locate_field(at!["by_name"].as_slice(), "first.size must be small").unwrap();
        assert_eq!(&WRONG[span], "\"large\"");
    }

    #[test]
    fn mistakes_of_syntax_are_all_reported() {
        let (_, problems) = Document::parse("a = \nb = 'x\nc = 1\n");
        assert!(problems.len() >= 2, "{problems:#?}");
    }
}
