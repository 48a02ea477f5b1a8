//! `Cache-Control` of requests and responses (RFC 9111 §5.2).

use http::header::{CACHE_CONTROL, HeaderMap, HeaderName};

use crate::list;

mod targeted;

/// Numbers of seconds saturate here (RFC 9111 §1.2.2); it stands for "for ever".
const MAX_SECONDS: u64 = 1 << 31;

/// How many field names one directive may hold; with more it counts as if it named none.
const MAX_FIELDS: usize = 64;

/// The directives of `Cache-Control`.
///
/// Names are read in any letter case, unknown ones are ignored, and of a directive that the other
/// side alone may send (`private` in a request, `max-stale` in a response) nothing is kept.
/// Numbers are in seconds, as a token or quoted, and saturate at 2³¹ however many digits they have.
///
/// Doubt makes every directive as restrictive as it can be: a number that is missing or not one is
/// 0 (RFC 9111 §4.2.1: the response is then stale), and of two numbers the smaller counts. For
/// `min-fresh` it is the other way round. `private` and `no-cache` are about the whole response
/// unless field names stand behind them in quotes: `private=1` is `private`.
///
/// ```
/// use http::header::{CACHE_CONTROL, HeaderMap, HeaderValue};
/// use vhttp::{CacheControl, Fields};
///
/// let mut headers = HeaderMap::new();
/// headers.insert(CACHE_CONTROL, HeaderValue::from_static("Max-Age=\"60\", private, max-age=x"));
/// let control = CacheControl::response(&headers);
/// assert_eq!(control.max_age, Some(0));
/// assert_eq!(control.private, Some(Fields::All));
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct CacheControl {
    /// `max-age`: seconds that a response is fresh, or the greatest age that a request accepts.
    pub max_age: Option<u64>,
    /// `s-maxage` of a response: seconds that it is fresh in a shared cache.
    pub s_maxage: Option<u64>,
    /// `no-store`: nothing of this exchange may be stored.
    pub no_store: bool,
    /// `no-cache`: not to be reused without validation, as a whole or without the named fields.
    pub no_cache: Option<Fields>,
    /// `private` of a response: not for shared caches, as a whole or the named fields.
    pub private: Option<Fields>,
    /// `public` of a response: may be stored even where that is otherwise forbidden.
    pub public: bool,
    /// `must-revalidate` of a response: never to be reused stale.
    pub must_revalidate: bool,
    /// `proxy-revalidate` of a response: never to be reused stale by a shared cache.
    pub proxy_revalidate: bool,
    /// `must-understand` of a response: to be stored only by who knows its status code.
    pub must_understand: bool,
    /// `no-transform`: the content may not be changed on the way.
    pub no_transform: bool,
    /// `immutable` of a response: does not change while it is fresh (RFC 8246).
    pub immutable: bool,
    /// `stale-while-revalidate` of a response, in seconds (RFC 5861 §3).
    pub stale_while_revalidate: Option<u64>,
    /// `stale-if-error`, in seconds (RFC 5861 §4).
    pub stale_if_error: Option<u64>,
    /// `max-stale` of a request, in seconds; without a number 2³¹.
    pub max_stale: Option<u64>,
    /// `min-fresh` of a request, in seconds.
    pub min_fresh: Option<u64>,
    /// `only-if-cached` of a request: the origin is not to be asked.
    pub only_if_cached: bool,
}

/// What `no-cache` or `private` is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fields {
    /// The whole response.
    All,
    /// These fields of the response only; never empty.
    Named(Vec<HeaderName>),
}

impl CacheControl {
    /// The directives of a request, over all lines of the field (RFC 9111 §5.2.1).
    #[must_use]
    pub fn request(headers: &HeaderMap) -> Self {
        Self::read(headers, &CACHE_CONTROL, Self::add_to_request)
    }

    /// The directives of a response, over all lines of the field (RFC 9111 §5.2.2).
    #[must_use]
    pub fn response(headers: &HeaderMap) -> Self {
        Self::read(headers, &CACHE_CONTROL, Self::add_to_response)
    }

    fn read(headers: &HeaderMap, name: &HeaderName, add: fn(&mut Self, &Directive<'_>)) -> Self {
        let mut control = Self::default();
        for member in list::items(headers, name) {
            add(&mut control, &Directive::new(member));
        }
        control
    }

    fn add_to_request(&mut self, directive: &Directive<'_>) {
        if directive.is("max-age") {
            smallest(&mut self.max_age, directive.seconds().unwrap_or(0));
        } else if directive.is("no-cache") {
            self.no_cache = Some(Fields::All);
        } else if directive.is("max-stale") {
            let any = directive.argument.is_none();
            let seconds = if any { Some(MAX_SECONDS) } else { directive.seconds() };
            smallest(&mut self.max_stale, seconds.unwrap_or(0));
        } else if directive.is("min-fresh") {
            let seconds = directive.seconds().unwrap_or(MAX_SECONDS);
            self.min_fresh = Some(self.min_fresh.map_or(seconds, |before| before.max(seconds)));
        } else if directive.is("only-if-cached") {
            self.only_if_cached = true;
        } else {
            self.add_to_either(directive);
        }
    }

    fn add_to_response(&mut self, directive: &Directive<'_>) {
        if directive.is("max-age") {
            smallest(&mut self.max_age, directive.seconds().unwrap_or(0));
        } else if directive.is("s-maxage") {
            smallest(&mut self.s_maxage, directive.seconds().unwrap_or(0));
        } else if directive.is("no-cache") {
            widest(&mut self.no_cache, directive.fields());
        } else if directive.is("private") {
            widest(&mut self.private, directive.fields());
        } else if directive.is("stale-while-revalidate") {
            let seconds = directive.seconds().unwrap_or(0);
            smallest(&mut self.stale_while_revalidate, seconds);
        } else if let Some(flag) = self.response_flag(directive) {
            *flag = true;
        } else {
            self.add_to_either(directive);
        }
    }

    fn response_flag(&mut self, directive: &Directive<'_>) -> Option<&mut bool> {
        let flags = [
            ("public", &mut self.public),
            ("must-revalidate", &mut self.must_revalidate),
            ("proxy-revalidate", &mut self.proxy_revalidate),
            ("must-understand", &mut self.must_understand),
            ("immutable", &mut self.immutable),
        ];
        let found = flags.into_iter().find(|(name, _)| directive.is(name));
        found.map(|(_, flag)| flag)
    }

    fn add_to_either(&mut self, directive: &Directive<'_>) {
        if directive.is("no-store") {
            self.no_store = true;
        } else if directive.is("no-transform") {
            self.no_transform = true;
        } else if directive.is("stale-if-error") {
            let seconds = directive.seconds().unwrap_or(0);
            smallest(&mut self.stale_if_error, seconds);
        }
    }
}

/// One directive, `name` or `name=argument`.
struct Directive<'a> {
    name: &'a str,
    argument: Option<&'a str>,
}

impl<'a> Directive<'a> {
    fn new(member: &'a str) -> Self {
        match member.split_once('=') {
            // White space before `=` is not in the grammar: a name that we know, and no argument
            // that we could read.
            Some((name, _)) if name.ends_with([' ', '\t']) => {
                Self { name: name.trim_end(), argument: Some("") }
            }
            Some((name, argument)) => Self { name, argument: Some(argument) },
            None => Self { name: member, argument: None },
        }
    }

    const fn is(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name)
    }

    /// The argument as delta-seconds (RFC 9111 §1.2.2); `None` when it is not.
    fn seconds(&self) -> Option<u64> {
        let text = list::unquote(self.argument?)?;
        if text.is_empty() || !text.bytes().all(|b| b.is_ascii_digit()) {
            return None;
        }
        // Only too many digits can fail now.
        let seconds = text.parse().unwrap_or(MAX_SECONDS);
        Some(seconds.min(MAX_SECONDS))
    }

    /// The argument as field names; all when there is none, or one that cannot be read.
    ///
    /// The grammar has them quoted (RFC 9111 §5.2.2.4). What is not, such as `private=1`, was
    /// hardly meant for a field of that name.
    fn fields(&self) -> Fields {
        let quoted = self.argument.filter(|argument| argument.starts_with('"'));
        quoted.and_then(list::unquote).map_or(Fields::All, |names| Fields::listed(&names))
    }
}

impl Fields {
    /// The names in a comma list; all when there is none, or something that is no name.
    fn listed(names: &str) -> Self {
        let names: Option<Vec<_>> = list::split(names.as_bytes())
            .map(|name| HeaderName::from_bytes(name.as_bytes()).ok())
            .take(MAX_FIELDS + 1)
            .collect();
        match names {
            Some(names) if (1..=MAX_FIELDS).contains(&names.len()) => Self::Named(names),
            _ => Self::All,
        }
    }
}

fn smallest(slot: &mut Option<u64>, seconds: u64) {
    *slot = Some(slot.map_or(seconds, |before| before.min(seconds)));
}

fn widest(slot: &mut Option<Fields>, fields: Fields) {
    match (slot.as_mut(), fields) {
        (Some(Fields::Named(before)), Fields::Named(more))
            if before.len() + more.len() <= MAX_FIELDS =>
        {
            before.extend(more);
        }
        (None, fields) => *slot = Some(fields),
        _ => *slot = Some(Fields::All),
    }
}

#[cfg(test)]
mod tests;
