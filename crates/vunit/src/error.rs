//! Why a text is not the quantity that it should be.

use std::fmt;

/// Why a text is not the quantity that it should be; the message shows how one is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParseError {
    text: String,
    problem: Problem,
    example: &'static str,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Problem {
    NoNumber,
    NoUnit,
    UnknownUnit,
    TooLarge,
    Zero,
    NoSlash,
}

impl ParseError {
    pub(crate) fn new(text: &str, problem: Problem, example: &'static str) -> Self {
        // A message quotes the text; nobody wants a megabyte of it.
        let text = text.chars().take(40).collect();
        Self { text, problem, example }
    }
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let problem = match self.problem {
            Problem::NoNumber => "does not begin with a number",
            Problem::NoUnit => "has no unit",
            Problem::UnknownUnit => "has an unknown unit",
            Problem::TooLarge => "is too large",
            Problem::Zero => "must not be zero",
            Problem::NoSlash => "has no `/` between amount and period",
        };
        write!(f, "`{}` {problem}; write it like {}", self.text, self.example)
    }
}

impl std::error::Error for ParseError {}
