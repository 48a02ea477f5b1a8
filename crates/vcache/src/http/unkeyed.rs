//! Request fields that change what is asked for, and are not in the key.

use http::{HeaderMap, HeaderName};

/// Fields by which frameworks let a request name another method than it has.
pub(crate) const OVERRIDES: [HeaderName; 3] = [
    HeaderName::from_static("x-http-method-override"),
    HeaderName::from_static("x-http-method"),
    HeaderName::from_static("x-method-override"),
];

/// Whether a request names another method: what a GET gets that is carried out as a DELETE is not
/// what others ask for.
pub(crate) fn overrides_method(headers: &HeaderMap) -> bool {
    OVERRIDES.iter().any(|name| headers.contains_key(name))
}
