//! One fetch for all gateways: whoever holds the lease of a URL asks the origin, and the others
//! wait for what it stores in Redis.

use crate::http::collapse::Lead;
use crate::http::engine::Lookup;
use crate::http::inquiry::Inquiry;
use crate::http::recall::recall;
use crate::http::tiers::Whose;

/// Finds out whether this gateway asks the origin, waiting for another one if that does. What is
/// found then; and the lead, with the lease if it is ours.
///
/// Cancel safe: dropped, it leaves the lease to the next one.
pub(crate) async fn turn(inquiry: &Inquiry, mut lookup: Lookup, mut lead: Lead) -> (Lookup, Lead) {
    let engine = &inquiry.engine;
    let is_found = |lookup: &Lookup| lookup.hit(engine.now()).is_some();
    let Some(tiers) = engine.tiers.as_ref().filter(|_| !is_found(&lookup)) else {
        return (lookup, lead);
    };
    let request = (&inquiry.key, &inquiry.parts.headers);
    let Some(turn) = tiers.turn(engine.now(), request).await else {
        return (lookup, lead);
    };
    loop {
        let whose = turn.next().await;
        if matches!(whose, Whose::Everybodys) {
            break;
        }
        // Also when it is our turn: who had it before may just have stored the answer.
        lookup = recall(inquiry, lookup).await;
        match whose {
            _ if is_found(&lookup) => {
                turn.shared();
                return (lookup, lead);
            }
            Whose::Ours(hold) => {
                turn.led();
                lead.hold(Box::new(hold));
                return (lookup, lead);
            }
            // It had nothing to share: each asks for itself, all at once.
            Whose::Theirs { gave_up: true } | Whose::Everybodys => break,
            Whose::Theirs { gave_up: false } => {}
        }
    }
    turn.alone();
    (lookup, lead)
}
