//! Methods as small numbers.

use http::Method;

/// The values of the label `method`; the last is for all that is not known, as OpenTelemetry has
/// it (semantic conventions, `http.request.method`).
const NAMES: [&str; 10] =
    ["GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH", "_OTHER"];

/// How many methods are told apart.
pub(crate) const COUNT: usize = NAMES.len();

/// A method's place in [`NAMES`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct KnownMethod(usize);

impl KnownMethod {
    pub(crate) const HEAD: Self = Self(1);

    pub(crate) fn of(method: &Method) -> Self {
        Self(match *method {
            Method::GET => 0,
            Method::HEAD => 1,
            Method::POST => 2,
            Method::PUT => 3,
            Method::DELETE => 4,
            Method::CONNECT => 5,
            Method::OPTIONS => 6,
            Method::TRACE => 7,
            Method::PATCH => 8,
            _ => 9,
        })
    }

    pub(crate) const fn index(self) -> usize {
        self.0
    }

    pub(crate) fn name(self) -> &'static str {
        NAMES.get(self.0).copied().unwrap_or("_OTHER")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_methods_keep_their_names_and_others_share_one() {
        for name in &NAMES[..9] {
            let method = Method::from_bytes(name.as_bytes()).unwrap();
            assert_eq!(KnownMethod::of(&method).name(), *name);
        }
        for name in ["PURGE", "get"] {
            let method = Method::from_bytes(name.as_bytes()).unwrap();
            assert_eq!(KnownMethod::of(&method).name(), "_OTHER");
        }
        assert_eq!(KnownMethod::of(&Method::HEAD), KnownMethod::HEAD);
    }
}
