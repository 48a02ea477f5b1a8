//! The choice of a coding for one answer to one request.

use http::HeaderMap;

use crate::answer::Answer;
use crate::coding::Coding;
use crate::config::Config;
use crate::eligible::{self, Skip};
use crate::negotiate::Accepted;

/// What a request asks for, as far as coding goes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ask {
    accepted: Accepted,
    no_transform: bool,
}

impl Ask {
    pub(crate) fn of(request: &HeaderMap) -> Self {
        Self { accepted: Accepted::of(request), no_transform: eligible::forbids_transform(request) }
    }

    /// Whether the client would take one of `order`.
    pub(crate) fn takes(&self, order: &[Coding]) -> bool {
        !self.no_transform && self.accepted.best(order).is_some()
    }
}

/// What becomes of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It is not for coding, whoever asks.
    Skip(Skip),
    /// It would be coded for others: plain, with `Vary`.
    Plain,
    /// It is coded.
    Code(Coding),
}

pub(crate) fn decide(ask: &Ask, answer: &Answer<'_>, config: &Config) -> Verdict {
    match eligible::check(answer, config) {
        Err(skip) => Verdict::Skip(skip),
        Ok(()) if ask.no_transform => Verdict::Plain,
        Ok(()) => {
            ask.accepted.best(config.order(answer.length)).map_or(Verdict::Plain, Verdict::Code)
        }
    }
}

/// The coding to send `answer` in, or `None` to send it as it is.
///
/// `request` is the request's header fields. The same choice as [`CompressLayer`] makes, for a
/// cache that keeps coded forms beside the plain one: choose, look the form up, else [`encode`]
/// and keep it. Whatever is chosen, an answer of which this can return `Some` for *some* request
/// needs [`set_vary`].
///
/// [`CompressLayer`]: crate::CompressLayer
/// [`encode`]: crate::encode
/// [`set_vary`]: crate::set_vary
#[must_use]
pub fn choose(request: &HeaderMap, answer: &Answer<'_>, config: &Config) -> Option<Coding> {
    match decide(&Ask::of(request), answer, config) {
        Verdict::Code(coding) => Some(coding),
        Verdict::Skip(_) | Verdict::Plain => None,
    }
}
