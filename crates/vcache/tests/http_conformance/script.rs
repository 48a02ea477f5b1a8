//! Conversations through the cache: what is asked, what the origin says, what must come back.

use crate::row::Fields;

/// One request and what becomes of it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Step {
    /// Method and path.
    pub(crate) request: &'static str,
    pub(crate) fields: Fields,
    /// Seconds that pass before it.
    pub(crate) wait: u64,
    pub(crate) origin: Origin,
    pub(crate) expect: &'static [Expect],
}

#[derive(Debug, Clone, Copy)]
pub(crate) enum Origin {
    /// It must not be asked.
    Silent,
    Answers(u16, Fields, &'static str),
    /// The body breaks off behind these bytes.
    BreaksOff(u16, Fields, &'static str),
    /// It answers after some seconds.
    Slow(u64, u16, Fields, &'static str),
    Down,
}

#[derive(Debug, Clone, Copy)]
pub(crate) enum Expect {
    Status(u16),
    Body(&'static str),
    /// The answer has this line, and no other of the name.
    Has(&'static str),
    /// The answer has these lines, in this order.
    HasAll(&'static str, &'static [&'static str]),
    Lacks(&'static str),
    /// The origin was asked with this line.
    Asked(&'static str),
    AskedWithout(&'static str),
    /// The client sees that the body broke off.
    BrokenOff,
    /// The service itself has failed.
    Fails,
    /// A part of the body.
    Holds(&'static str),
}

pub(crate) const fn get(fields: Fields) -> Step {
    step("GET /", fields)
}

pub(crate) const fn step(request: &'static str, fields: Fields) -> Step {
    Step { request, fields, wait: 0, origin: Origin::Silent, expect: &[] }
}

impl Step {
    pub(crate) const fn later(mut self, seconds: u64) -> Self {
        self.wait = seconds;
        self
    }

    pub(crate) const fn origin(mut self, status: u16, fields: Fields, body: &'static str) -> Self {
        self.origin = Origin::Answers(status, fields, body);
        self
    }

    pub(crate) const fn cut(mut self, status: u16, fields: Fields, body: &'static str) -> Self {
        self.origin = Origin::BreaksOff(status, fields, body);
        self
    }

    pub(crate) const fn slow(mut self, seconds: u64, fields: Fields, body: &'static str) -> Self {
        self.origin = Origin::Slow(seconds, 200, fields, body);
        self
    }

    pub(crate) const fn down(mut self) -> Self {
        self.origin = Origin::Down;
        self
    }

    pub(crate) const fn gives(mut self, expect: &'static [Expect]) -> Self {
        self.expect = expect;
        self
    }
}
