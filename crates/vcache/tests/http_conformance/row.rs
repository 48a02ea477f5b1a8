//! A row of the table: which rule, of which section, and how it is checked.

use crate::cache::policy::{Decision, Refusal};
use crate::cache::{Config, SetCookie};

use crate::script::Step;

/// How strongly the RFC says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Level {
    Must,
    Should,
    May,
    /// A definition or a way of computing.
    Rule,
    /// Left open by the RFC, or not followed on purpose; the rule says which and why.
    Choice,
}

#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) section: &'static str,
    pub(crate) level: Level,
    pub(crate) rule: &'static str,
    pub(crate) check: Check,
}

pub(crate) const fn row(
    section: &'static str,
    level: Level,
    rule: &'static str,
    check: Check,
) -> Row {
    Row { section, level, rule, check }
}

/// Fields as text: a line each.
pub(crate) type Fields = &'static str;

/// What is checked. Where no other status is named it is 200, and the method GET.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Check {
    /// Several checks of one rule.
    All(&'static [Self]),
    /// The response's lifetime in seconds.
    Lifetime(Fields, u64),
    /// The age in seconds of a response that came after a delay.
    Age(Fields, u64, u64),
    /// A date, and the same in the preferred form; `None` when it is none.
    Date(&'static str, Option<&'static str>),
    /// The answer to the request, with the status, is stored.
    Stores(Fields, u16, Fields),
    /// It is not.
    Refuses(Fields, u16, Fields, Refusal),
    /// Whether a 206 is stored.
    StoresPart(Fields, bool),
    /// What is stored lacks the field.
    Omits(SetCookie, Fields, &'static str),
    /// The decision on a request for the stored response, some seconds after it came.
    Decides(Fields, Fields, u64, Decision),
    /// Whether a stale answer may replace an error, some seconds after the response came.
    ForError(Fields, u64, bool),
    /// The same while the origin cannot be reached.
    ForSilence(Fields, u64, bool),
    /// Whether a response with the `Vary` that was stored for one request fits another.
    Fits(Fields, Fields, Fields, bool),
    /// The same, with `Accept-Language` compared by what it means.
    FitsByLanguage(Fields, Fields, Fields, bool),
    /// The stored fields after a 304; `None` when it is not about them.
    Merges(Fields, Fields, Option<Fields>),
    /// The stored fields after the answer to a HEAD.
    MergesHead(Fields, Fields, Option<Fields>),
    /// The answer to a HEAD says nothing of what is stored.
    LearnsNothing(Fields, Fields),
    /// Whether a part may be put together with what is stored.
    Joins(Fields, Fields, bool),
    /// The request with which a stored response is validated.
    Asks(Fields, Fields, Fields),
    /// Whether the client's precondition is answered with 304.
    NotModified(Fields, u16, Fields, bool),
    /// The form of an answer from a stored response of so many bytes.
    Form(Fields, u16, Fields, u64, &'static str),
    /// What a request with the method and its answer make invalid, beside the target itself.
    Invalidates(&'static str, u16, Fields, &'static [&'static str]),
    /// Whether a method is safe.
    Safe(&'static str, bool),
    /// A conversation through the cache.
    Serves(fn() -> Config, &'static [Step]),
    /// What only a gateway can do.
    Gate(Gate),
}

/// Rules that take a gateway on real connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Gate {
    /// A request without `Host`, or with several.
    Hosts,
    /// A GET with content.
    Content,
    /// Fields of one hop, in both directions.
    Hops,
    /// 102 and 103 before the answer.
    Interim,
    /// The same, as they go on to the client.
    InterimPassed,
    /// An answer with two lengths.
    Lengths,
    /// What may not be used stale while nobody answers.
    Disconnected,
    /// `Vary` on fields that the gateway writes.
    Written,
    /// What a trusted proxy says of scheme and host.
    Trusted,
    /// Many requests at once for what is not stored.
    Collapse,
    /// The same for a part of it.
    Parts,
    /// The same for what may not be shared.
    Private,
    /// What follows on what may not be shared.
    HitForMiss,
    /// Cookies, by default.
    Cookies,
    /// Fields that a client could mislead an origin with.
    Unkeyed,
}
