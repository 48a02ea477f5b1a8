//! What the program says to people: answers, complaints, errors with their causes.

use std::io::{self, Write as _};

use crate::exit::Failure;

/// Says on standard error what went wrong.
pub(crate) fn complain(message: &str) {
    // `eprintln!` panics when nobody reads any longer.
    let _ = writeln!(io::stderr(), "{message}");
}

/// Says on standard output what was asked for.
pub(crate) fn say(message: &str) {
    // `println!` panics when nobody reads any longer.
    let _ = writeln!(io::stdout(), "{message}");
}

/// Complains and fails while running.
pub(crate) fn failed(message: &str) -> Failure {
    complain(message);
    Failure::Runtime
}

/// An error with its causes, in one line.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}
