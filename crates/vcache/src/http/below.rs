//! Before the origin is asked: the tiers below memory, and the other gateways.

#[cfg(feature = "redis")]
use futures_util::FutureExt;
use http::Response;
use vhttp::Body;

use crate::http::collapse::{End, Lead};
use crate::http::engine::Lookup;
#[cfg(feature = "redis")]
use crate::http::fleet::turn;
use crate::http::inquiry::Inquiry;
use crate::http::policy::Decision;
use crate::http::recall::recall;

/// What came of looking below memory.
pub(crate) enum Below {
    /// The answer; and what is to be refreshed behind it, for those who follow.
    Answer(Response<Body>, Option<(Lookup, Lead)>),
    /// The origin is to be asked.
    Ask(Lookup, Lead),
}

/// Looks below memory, for all who follow `lead`; and for all gateways, where they share fetches.
pub(crate) async fn below(inquiry: &Inquiry, lookup: Lookup, lead: Lead) -> Below {
    if inquiry.engine.tiers.is_none() {
        return Below::Ask(lookup, lead);
    }
    let lookup = recall(inquiry, lookup).await;
    #[cfg(feature = "redis")]
    let (lookup, lead) = turn(inquiry, lookup, lead).boxed().await;
    let (engine, now) = (&inquiry.engine, inquiry.engine.now());
    let Some((stored, status, verdict)) = lookup.hit(now) else {
        return Below::Ask(lookup, lead);
    };
    let response = inquiry.answer(&stored, status, verdict);
    if engine.refreshes(&lookup, &inquiry.wish, now) {
        if lookup.decision == Decision::Hit {
            engine.count_early();
        }
        return Below::Answer(response, Some((lookup, lead)));
    }
    lead.end(End::Stored);
    Below::Answer(response, None)
}

/// Looks below memory for one who asks for himself; the answer if it is there.
pub(crate) async fn recalled(inquiry: &Inquiry, lookup: Lookup) -> Result<Response<Body>, Lookup> {
    if inquiry.engine.tiers.is_none() {
        return Err(lookup);
    }
    let lookup = recall(inquiry, lookup).await;
    // A stale one would need somebody to refresh it.
    match lookup.hit(inquiry.engine.now()).filter(|_| lookup.decision == Decision::Hit) {
        Some((stored, status, verdict)) => Ok(inquiry.answer(&stored, status, verdict)),
        None => Err(lookup),
    }
}
