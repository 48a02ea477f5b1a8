//! Which route takes a request: the most exact host, then the longest path.

use crate::route::pattern::{Host, below};

/// What a route matches.
#[derive(Debug, Clone)]
pub(crate) struct Matcher {
    /// The hosts; none means every host.
    pub(crate) hosts: Vec<Host>,
    /// The path prefix; begins with a slash.
    pub(crate) path: String,
}

impl Matcher {
    fn rank(&self, host: &str, path: &str) -> Option<(u8, usize)> {
        if !below(path, &self.path) {
            return None;
        }
        let exactness = match self
            .hosts
            .iter()
            .filter(|pattern| pattern.matches(host))
            .map(|pattern| match pattern {
                Host::Exact(_) => 2,
                Host::Below(_) => 1,
            })
            .max()
        {
            Some(exactness) => exactness,
            None if self.hosts.is_empty() => 0,
            None => return None,
        };
        Some((exactness, self.path.len()))
    }
}

/// The routes of a gateway, by their places.
#[derive(Debug, Clone, Default)]
pub(crate) struct Table {
    matchers: Vec<Matcher>,
}

impl Table {
    pub(crate) const fn new(matchers: Vec<Matcher>) -> Self {
        Self { matchers }
    }

    /// The place of the route that takes `host` (lower case, without a port) and `path`.
    pub(crate) fn find(&self, host: &str, path: &str) -> Option<usize> {
        let ranked = self.matchers.iter().enumerate();
        let ranked = ranked.filter_map(|(place, m)| Some((m.rank(host, path)?, place)));
        // Of two equals the first one in the file wins.
        ranked.max_by_key(|(rank, place)| (*rank, usize::MAX - place)).map(|(_, place)| place)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(rows: &[(&[&str], &str)]) -> Table {
        let matcher = |(hosts, path): &(&[&str], &str)| Matcher {
            hosts: hosts.iter().map(|host| Host::parse(host).unwrap()).collect(),
            path: (*path).to_owned(),
        };
        Table::new(rows.iter().map(matcher).collect())
    }

    #[test]
    fn the_most_exact_host_wins_then_the_longest_path() {
        let table = table(&[
            (&[], "/"),
            (&[], "/api"),
            (&["*.example.com"], "/"),
            (&["www.example.com"], "/"),
            (&["www.example.com"], "/api"),
            (&[], "/api"),
        ]);
        for (host, path, expected) in [
            ("other", "/x", Some(0)),
            ("other", "/api/x", Some(1)),
            ("a.example.com", "/api", Some(2)),
            ("www.example.com", "/", Some(3)),
            ("www.example.com", "/api/v1", Some(4)),
        ] {
            assert_eq!(table.find(host, path), expected, "{host}{path}");
        }
    }

    #[test]
    fn nothing_matches_nothing() {
        assert_eq!(table(&[(&["a"], "/"), (&[], "/x")]).find("b", "/"), None);
    }
}
