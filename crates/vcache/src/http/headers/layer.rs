//! The layer that writes response fields for caches.

use std::sync::Arc;

use http::HeaderValue;
use tower_layer::Layer;

use crate::http::headers::directives::Directives;
use crate::http::headers::rules::{Rules, Tagging};
use crate::http::headers::service::ResponseHeaders;

/// Writes `Cache-Control` and entity tags, and answers conditional requests; see the
/// [module](super).
#[derive(Debug, Clone, Default)]
#[must_use = "a layer does nothing until it is put around a service"]
pub struct ResponseHeadersLayer {
    rules: Rules,
}

impl ResponseHeadersLayer {
    /// A layer that answers conditional requests by what the service says, and writes nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Says this of successful answers to GET and HEAD, where the service says nothing.
    pub fn cache_control(mut self, directives: Directives) -> Self {
        self.rules.success = value(directives);
        self
    }

    /// Says this of 4xx and 5xx answers, where the service says nothing. Without it, a cache may
    /// keep some of them for as long as it thinks fit (RFC 9111 §4.2.2).
    pub fn errors(mut self, directives: Directives) -> Self {
        self.rules.errors = value(directives);
        self
    }

    /// Says it also where the service says something else; its `Expires` and `Pragma` go.
    pub const fn overriding(mut self) -> Self {
        self.rules.overriding = true;
        self
    }

    /// Makes entity tags for content that has none. Default: none are made.
    pub const fn entity_tags(mut self, tagging: Tagging) -> Self {
        self.rules.tagging = Some(tagging);
        self
    }

    /// Bytes of content that are read to make a tag; larger content gets none. Default: 1 MiB.
    pub const fn max_body(mut self, bytes: u64) -> Self {
        self.rules.max_body = bytes;
        self
    }

    /// Whether to make tags for content without a length too. Default: false. It is held back
    /// until its end, or until it is larger than `max_body`: not for streams of events.
    pub const fn streams(mut self, streams: bool) -> Self {
        self.rules.streams = streams;
        self
    }

    /// Whether to answer conditional requests. Default: true.
    pub const fn conditional(mut self, conditional: bool) -> Self {
        self.rules.conditional = conditional;
        self
    }
}

fn value(directives: Directives) -> Option<HeaderValue> {
    Some(directives.to_value()).filter(|value| !value.is_empty())
}

impl<S> Layer<S> for ResponseHeadersLayer {
    type Service = ResponseHeaders<S>;

    fn layer(&self, inner: S) -> ResponseHeaders<S> {
        ResponseHeaders::new(inner, Arc::new(self.rules.clone()))
    }
}
