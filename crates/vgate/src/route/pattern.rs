//! What a route matches: hosts and a path prefix.

/// The hosts of a route.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Host {
    /// `example.com`
    Exact(String),
    /// `*.example.com`: any name below it, not the name itself. Kept as `.example.com`.
    Below(String),
}

impl Host {
    /// Reads a host pattern.
    ///
    /// # Errors
    ///
    /// Fails with a sentence when the text is no host, has a port, or has a star elsewhere than in
    /// front.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let name = text.to_ascii_lowercase();
        let (below, rest) = match name.strip_prefix("*.") {
            Some(rest) => (true, rest),
            None => (false, name.as_str()),
        };
        let rest = rest.strip_suffix('.').unwrap_or(rest);
        let plain = |c: char| c.is_ascii_alphanumeric() || "-._".contains(c);
        let is_address = rest.starts_with('[') && rest.ends_with(']');
        if rest.is_empty() || !(is_address || rest.chars().all(plain)) {
            return Err(format!(
                "`{text}` is not a host; write it like `example.com` or `*.example.com`"
            ));
        }
        Ok(if below { Self::Below(format!(".{rest}")) } else { Self::Exact(rest.to_owned()) })
    }

    /// Whether `host` (lower case, without a port) is one of these.
    pub(crate) fn matches(&self, host: &str) -> bool {
        match self {
            Self::Exact(name) => name == host,
            Self::Below(suffix) => host.len() > suffix.len() && host.ends_with(suffix.as_str()),
        }
    }
}

/// Whether `path` is `prefix` or lies below it; `/api` takes `/api` and `/api/x`, not `/apis`.
pub(crate) fn below(path: &str, prefix: &str) -> bool {
    match path.strip_prefix(prefix) {
        Some(rest) => rest.is_empty() || prefix.ends_with('/') || rest.starts_with('/'),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_names_below() {
        let host = Host::parse("*.Example.com").unwrap();
        assert!(host.matches("a.example.com"));
        assert!(host.matches("a.b.example.com"));
        assert!(!host.matches("example.com"));
        assert!(!host.matches("badexample.com"));
    }

    #[test]
    fn what_is_no_host_is_refused() {
        for text in ["", "*", "*.", "a*b.com", "http://a", "a/b", "a b", "a:80", "é"] {
            assert!(Host::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn prefixes_end_at_a_segment() {
        for (path, prefix, expected) in [
            ("/", "/", true),
            ("/x", "/", true),
            ("/api", "/api", true),
            ("/api/x", "/api", true),
            ("/apis", "/api", false),
            ("/api/x", "/api/", true),
            ("/api", "/api/", false),
        ] {
            assert_eq!(below(path, prefix), expected, "{path} below {prefix}");
        }
    }
}
