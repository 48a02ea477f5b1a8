//! What of a check shows on the wire, and so is run through a gateway too.

use crate::row::{Check, Fields, Gate};
use crate::script::Step;

/// Over which protocols a check can be run between a client and a gateway.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Wire {
    /// Nothing of it shows.
    None,
    Http1,
    Both,
}

pub(crate) fn wire(check: Check) -> Wire {
    match check {
        // Of several the one that shows most; the others are left out.
        Check::All(checks) => checks.iter().map(|check| wire(*check)).max().unwrap_or(Wire::None),
        Check::Serves(_, steps) => conversation(steps),
        // A date by itself shows nowhere; what is made of it has rows of its own. What is not
        // final is no answer that could be stored. Nothing is kept for an hour after its use. The
        // gateway refuses TRACE and CONNECT.
        Check::Date(..)
        | Check::Stores(_, ..200, _)
        | Check::Refuses(_, ..200, _, _)
        | Check::Decides(_, _, 3601.., _)
        | Check::Safe("TRACE" | "CONNECT", _) => Wire::None,
        // Nobody asks about what has no validator.
        Check::Merges(stored, _, None) if !has_validator(stored) => Wire::None,
        // HTTP/2 has no lines of its own for a host, and hyper's has no interim responses.
        Check::Gate(Gate::Hosts | Gate::InterimPassed) => Wire::Http1,
        _ => Wire::Both,
    }
}

fn conversation(steps: &[Step]) -> Wire {
    // HTTP/2 has no such field (RFC 9113 §8.2.2).
    let of_one_hop = |step: &Step| step.fields.contains("connection:");
    if steps.iter().any(of_one_hop) { Wire::Http1 } else { Wire::Both }
}

pub(crate) fn has_validator(stored: Fields) -> bool {
    stored.contains("etag:") || stored.contains("last-modified:")
}
