//! `Cache-Control` of a response, built from its directives (RFC 9111 §5.2.2).

use std::fmt::Write as _;
use std::time::Duration;

use http::HeaderValue;

/// Seconds above which a time means "for ever" (RFC 9111 §1.2.2).
const MAX_SECONDS: u64 = 1 << 31;

/// The directives of a `Cache-Control` to send.
///
/// Times are in whole seconds, rounded down. What would contradict itself is not written: with
/// [`no_store`](Self::no_store) nothing else but `no-transform`, and `s-maxage` not with
/// [`private`](Self::private).
///
/// ```
/// use std::time::Duration;
/// use vcache::http::headers::Directives;
///
/// let hour = Duration::from_secs(3600);
/// let asset = Directives::public().max_age(hour * 24 * 365).immutable();
/// assert_eq!(asset.to_value(), "public, max-age=31536000, immutable");
///
/// let page = Directives::new().max_age(hour).stale_while_revalidate(hour).stale_if_error(hour * 24);
/// let value = "max-age=3600, stale-while-revalidate=3600, stale-if-error=86400";
/// assert_eq!(page.to_value(), value);
/// assert_eq!(Directives::no_store().to_value(), "no-store");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[must_use = "directives do nothing until they are given to a layer"]
pub struct Directives {
    scope: Scope,
    no_cache: bool,
    max_age: Option<Duration>,
    s_maxage: Option<Duration>,
    must_revalidate: bool,
    proxy_revalidate: bool,
    immutable: bool,
    no_transform: bool,
    stale_while_revalidate: Option<Duration>,
    stale_if_error: Option<Duration>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Scope {
    #[default]
    Unsaid,
    Public,
    Private,
    NoStore,
}

impl Directives {
    /// Nothing yet: who may store is left to the rules of RFC 9111 §3.
    pub const fn new() -> Self {
        Self::with(Scope::Unsaid)
    }

    /// `public`: every cache may store it, also the answer to a request with `Authorization`.
    pub const fn public() -> Self {
        Self::with(Scope::Public)
    }

    /// `private`: only the client's own cache may store it.
    pub const fn private() -> Self {
        Self::with(Scope::Private)
    }

    /// `no-store`: nobody may store it.
    pub const fn no_store() -> Self {
        Self::with(Scope::NoStore)
    }

    const fn with(scope: Scope) -> Self {
        Self {
            scope,
            no_cache: false,
            max_age: None,
            s_maxage: None,
            must_revalidate: false,
            proxy_revalidate: false,
            immutable: false,
            no_transform: false,
            stale_while_revalidate: None,
            stale_if_error: None,
        }
    }

    /// `no-cache`: stored, and validated before every use.
    pub const fn no_cache(mut self) -> Self {
        self.no_cache = true;
        self
    }

    /// `max-age`: how long it is fresh.
    pub const fn max_age(mut self, lifetime: Duration) -> Self {
        self.max_age = Some(lifetime);
        self
    }

    /// `s-maxage`: how long it is fresh in shared caches, which may never use it stale then.
    pub const fn s_maxage(mut self, lifetime: Duration) -> Self {
        self.s_maxage = Some(lifetime);
        self
    }

    /// `must-revalidate`: never to be used stale.
    pub const fn must_revalidate(mut self) -> Self {
        self.must_revalidate = true;
        self
    }

    /// `proxy-revalidate`: never to be used stale by shared caches.
    pub const fn proxy_revalidate(mut self) -> Self {
        self.proxy_revalidate = true;
        self
    }

    /// `immutable`: does not change while it is fresh, so that reloading need not ask (RFC 8246).
    pub const fn immutable(mut self) -> Self {
        self.immutable = true;
        self
    }

    /// `no-transform`: the content is not to be changed on the way.
    pub const fn no_transform(mut self) -> Self {
        self.no_transform = true;
        self
    }

    /// `stale-while-revalidate`: how long it may be used stale while it is refreshed (RFC 5861 §3).
    pub const fn stale_while_revalidate(mut self, window: Duration) -> Self {
        self.stale_while_revalidate = Some(window);
        self
    }

    /// `stale-if-error`: how long it may be used stale in place of an error (RFC 5861 §4).
    pub const fn stale_if_error(mut self, window: Duration) -> Self {
        self.stale_if_error = Some(window);
        self
    }

    /// The value of the field; empty when nothing was said.
    #[must_use]
    pub fn to_value(&self) -> HeaderValue {
        let mut text = String::new();
        match self.scope {
            Scope::Unsaid => {}
            Scope::Public => add(&mut text, "public"),
            Scope::Private => add(&mut text, "private"),
            Scope::NoStore => add(&mut text, "no-store"),
        }
        if self.scope != Scope::NoStore {
            self.add_all(&mut text);
        }
        if self.no_transform {
            add(&mut text, "no-transform");
        }
        // Words, commas and digits make a value.
        HeaderValue::try_from(text).unwrap_or_else(|_| HeaderValue::from_static("no-store"))
    }

    fn add_all(&self, text: &mut String) {
        if self.no_cache {
            add(text, "no-cache");
        }
        let s_maxage = self.s_maxage.filter(|_| self.scope != Scope::Private);
        for (name, time) in [("max-age", self.max_age), ("s-maxage", s_maxage)] {
            add_time(text, name, time);
        }
        for (name, said) in [
            ("must-revalidate", self.must_revalidate),
            ("proxy-revalidate", self.proxy_revalidate),
            ("immutable", self.immutable),
        ] {
            if said {
                add(text, name);
            }
        }
        add_time(text, "stale-while-revalidate", self.stale_while_revalidate);
        add_time(text, "stale-if-error", self.stale_if_error);
    }
}

fn add(text: &mut String, directive: &str) {
    if !text.is_empty() {
        text.push_str(", ");
    }
    text.push_str(directive);
}

fn add_time(text: &mut String, name: &str, time: Option<Duration>) {
    if let Some(time) = time {
        add(text, name);
        // Writing to a String cannot fail.
        let _ = write!(text, "={}", time.as_secs().min(MAX_SECONDS));
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderMap;
    use http::header::CACHE_CONTROL;
    use vhttp::{CacheControl, Fields};

    use super::*;

    #[test]
    fn what_is_written_is_read_as_it_was_meant() {
        let seconds = Duration::from_secs;
        let directives = Directives::public()
            .no_cache()
            .max_age(seconds(1))
            .s_maxage(seconds(2))
            .must_revalidate()
            .proxy_revalidate()
            .immutable()
            .no_transform()
            .stale_while_revalidate(seconds(3))
            .stale_if_error(Duration::MAX);
        let headers = HeaderMap::from_iter([(CACHE_CONTROL, directives.to_value())]);
        let read = CacheControl::response(&headers);
        assert!(read.public && read.must_revalidate && read.proxy_revalidate);
        assert!(read.immutable && read.no_transform && !read.no_store);
        assert_eq!((read.no_cache, read.private), (Some(Fields::All), None));
        assert_eq!((read.max_age, read.s_maxage), (Some(1), Some(2)));
        assert_eq!(read.stale_while_revalidate, Some(3));
        assert_eq!(read.stale_if_error, Some(MAX_SECONDS));
    }

    #[test]
    fn contradictions_are_not_written() {
        let second = Duration::from_millis(1999);
        let value = Directives::private().max_age(second).s_maxage(second).to_value();
        assert_eq!(value, "private, max-age=1");
        let value = Directives::no_store().max_age(second).immutable().no_transform().to_value();
        assert_eq!(value, "no-store, no-transform");
        assert_eq!(Directives::new().to_value(), "");
    }
}
