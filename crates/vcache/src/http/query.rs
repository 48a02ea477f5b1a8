//! Which parts of a query count in a key, when the operator says that not all of them do.

use crate::http::config::Config;
use crate::http::key::Key;

/// The query parameters that do not count, and whether the order of the others does.
///
/// Parameters are compared as they are written, nothing decoded: `utm%5Fid` is not `utm_id`, and
/// costs an origin request more, never a wrong answer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct QueryRules {
    exact: Vec<String>,
    prefixes: Vec<String>,
    sort: bool,
}

impl QueryRules {
    pub(crate) fn new(config: &Config) -> Self {
        let mut rules = Self { sort: config.sort_query, ..Self::default() };
        for name in &config.ignore_query {
            match name.strip_suffix('*') {
                Some(prefix) => rules.prefixes.push(prefix.to_owned()),
                None => rules.exact.push(name.clone()),
            }
        }
        rules
    }

    /// The key with what counts of its query.
    pub(crate) fn apply(&self, key: Key) -> Key {
        if *self == Self::default() {
            return key;
        }
        let (url, claims) = key.split_claims();
        let Some((path, query)) = url.split_once('?') else {
            return key;
        };
        let mut counted: Vec<&str> =
            query.split('&').filter(|pair| !self.ignores(name(pair))).collect();
        if self.sort {
            // Stable: what one name has several times keeps its order.
            counted.sort_by_key(|pair| name(pair));
        }
        let query = counted.join("&");
        let mark = if query.is_empty() { "" } else { "?" };
        Key::from_text(format!("{path}{mark}{query}{claims}"))
    }

    fn ignores(&self, name: &str) -> bool {
        self.exact.iter().any(|exact| exact == name)
            || self.prefixes.iter().any(|prefix| name.starts_with(prefix.as_str()))
    }
}

/// The name of `name=value`.
fn name(pair: &str) -> &str {
    pair.split_once('=').map_or(pair, |(name, _)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn apply(ignore: &[&str], sort: bool, url: &str) -> String {
        let config = Config {
            ignore_query: ignore.iter().map(|&name| name.to_owned()).collect(),
            sort_query: sort,
            ..Config::default()
        };
        QueryRules::new(&config).apply(Key::of_url(url).unwrap()).as_str().to_owned()
    }

    #[test]
    fn without_rules_a_key_is_as_it_came() {
        for url in ["http://a/?b&a&", "http://a/?", "http://a/x"] {
            assert_eq!(apply(&[], false, url), url);
        }
    }

    #[test]
    fn ignored_parameters_do_not_count() {
        let ignore = ["utm_*", "fbclid"];
        for (query, expected) in [
            ("?utm_source=x&a=1&fbclid=y&b=2", "?a=1&b=2"),
            ("?b=2&a=1", "?b=2&a=1"),
            ("?utm_source", ""),
            ("?fbclid2=x", "?fbclid2=x"),
            ("?xfbclid=x&a=fbclid", "?xfbclid=x&a=fbclid"),
            ("", ""),
        ] {
            let url = format!("http://a/x{query}");
            assert_eq!(apply(&ignore, false, &url), format!("http://a/x{expected}"), "{query}");
        }
        assert_eq!(apply(&["*"], false, "http://a/x?y=1"), "http://a/x");
    }

    #[test]
    fn sorting_keeps_the_order_of_what_has_one_name() {
        assert_eq!(apply(&[], true, "http://a/?b=2&a=2&c&a=1"), "http://a/?a=2&a=1&b=2&c");
    }
}
