//! What is to be said, and to which answers.

use http::header::{CACHE_CONTROL, ETAG, EXPIRES, HeaderMap, PRAGMA};
use http::{HeaderValue, Method, StatusCode};
use http_body::Body as HttpBody;
use vhttp::CacheControl;

/// Which entity tags to make.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Tagging {
    /// Strong ones: equal tags mean equal bytes. For ranges and `If-Match`.
    Strong,
    /// Weak ones, for content that something further out will change byte by byte.
    Weak,
}

/// The settings of a layer.
#[derive(Debug, Clone)]
pub(crate) struct Rules {
    pub(crate) success: Option<HeaderValue>,
    pub(crate) errors: Option<HeaderValue>,
    pub(crate) overriding: bool,
    pub(crate) tagging: Option<Tagging>,
    pub(crate) max_body: u64,
    pub(crate) streams: bool,
    pub(crate) conditional: bool,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            success: None,
            errors: None,
            overriding: false,
            tagging: None,
            max_body: 1 << 20,
            streams: false,
            conditional: true,
        }
    }
}

/// Whether an answer to this method is one that caches keep.
pub(crate) fn is_read(method: &Method) -> bool {
    method == Method::GET || method == Method::HEAD
}

impl Rules {
    /// Writes `Cache-Control`.
    pub(crate) fn control(&self, read: bool, status: StatusCode, headers: &mut HeaderMap) {
        let is_error = status.is_client_error() || status.is_server_error();
        let value = if is_error { &self.errors } else { &self.success };
        let Some(value) = value.as_ref().filter(|_| is_error || (read && is_lasting(status)))
        else {
            return;
        };
        if self.overriding {
            headers.remove(EXPIRES);
            headers.remove(PRAGMA);
        } else if headers.contains_key(CACHE_CONTROL) || headers.contains_key(EXPIRES) {
            return;
        }
        headers.insert(CACHE_CONTROL, value.clone());
    }

    /// Which tag to make of a body, and of how many bytes at most.
    pub(crate) fn tag<B: HttpBody>(
        &self,
        status: StatusCode,
        headers: &HeaderMap,
        body: &B,
    ) -> Option<(Tagging, u64)> {
        let tagging = self.tagging.filter(|_| status == StatusCode::OK)?;
        let hint = body.size_hint();
        let known = hint.upper().is_some_and(|upper| upper <= self.max_body);
        let fits = known || (self.streams && hint.lower() <= self.max_body);
        let wanted =
            fits && !headers.contains_key(ETAG) && !CacheControl::response(headers).no_store;
        wanted.then_some((tagging, self.max_body))
    }
}

/// Successes, and the answers that say the same for ever or that nothing has changed.
fn is_lasting(status: StatusCode) -> bool {
    let others =
        [StatusCode::MOVED_PERMANENTLY, StatusCode::NOT_MODIFIED, StatusCode::PERMANENT_REDIRECT];
    status.is_success() || others.contains(&status)
}
