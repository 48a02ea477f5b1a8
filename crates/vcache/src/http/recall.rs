//! Looking for what memory has not, tier by tier, and bringing it back.

use futures_util::FutureExt;

use crate::http::engine::Lookup;
use crate::http::inquiry::Inquiry;
use crate::http::policy::Decision;

/// Looks below memory for what answers a request, and stores it in memory: what is found then.
///
/// It takes as long as the tiers' limits allow, and never fails.
///
/// Cancel safe: dropped, it leaves what was brought back.
pub(crate) async fn recall(inquiry: &Inquiry, mut lookup: Lookup) -> Lookup {
    let engine = &inquiry.engine;
    let Some(tiers) = engine.tiers.as_ref().filter(|_| may_help(inquiry, &lookup)) else {
        return lookup;
    };
    engine.start();
    let request = (&inquiry.key, &inquiry.parts.headers);
    for number in tiers.numbers(lookup.stored.is_some()) {
        let ticket = engine.ticket(&inquiry.key);
        // In a box, so that those who need it seldom need not carry the room for it.
        let found = tiers.find(number, &**engine, request, ticket).boxed().await;
        let Some((stored, ticket)) = found else { continue };
        engine.adopt(&inquiry.key, ticket, &stored);
        lookup = inquiry.look_again();
        if lookup.hit(engine.now()).is_some() {
            tiers.promote(number, &inquiry.key, ticket, &stored);
            break;
        }
    }
    lookup
}

/// Not where the client wants the origin asked and memory has what to ask about, and not where
/// answers could not be shared lately.
fn may_help(inquiry: &Inquiry, lookup: &Lookup) -> bool {
    let is_marked = |now| lookup.variants.as_ref().is_some_and(|all| all.is_marked(now));
    let asks = lookup.decision == Decision::Validate { asked: true };
    let is_for_origin = asks && lookup.stored.is_some();
    !is_for_origin && !is_marked(inquiry.engine.now())
}
