//! What the answer to a forwarded HEAD says of the stored response: RFC 9111 §4.3.5.

use std::sync::Arc;

use http::header::{AGE, DATE};
use http::{HeaderMap, Method};

use crate::http::engine::Lookup;
use crate::http::inquiry::Inquiry;
use crate::http::keep::{self, Asked, tags};
use crate::http::policy::{HeadNews, admit, merge_head};

/// Updates the stored response that would have answered, or takes it out of the store when the
/// head is of another representation.
pub(crate) fn learn_from_head(inquiry: &Inquiry, lookup: &Lookup, head: &HeaderMap, asked: Asked) {
    let Some(stored) = &lookup.stored else {
        return;
    };
    let engine = &inquiry.engine;
    let news = match merge_head(&stored.headers, head) {
        HeadNews::Same(merged) => Some(merged),
        HeadNews::Other => None,
        HeadNews::Nothing => return,
    };
    let confirmed = news.and_then(|mut merged| {
        for age in head.get_all(AGE) {
            merged.append(AGE, age.clone());
        }
        if !head.contains_key(DATE) {
            // The clock starts at the receipt; the old date would make the answer old.
            merged.remove(DATE);
        }
        let request = (&Method::GET, &inquiry.parts.headers);
        let response = (stored.status, &merged);
        let terms = admit(request, response, &engine.rules, asked.exchange).ok()?;
        engine.tags.restore(&mut merged, head, &stored.tags);
        let tags = tags(inquiry, &merged)?;
        Some(keep::head(inquiry, (stored.status, merged, tags), terms, asked.exchange))
    });
    match confirmed {
        Some(head) => {
            let same = Arc::clone(&stored.encodings);
            let confirmed = head.with_body(stored.body.clone(), same);
            engine.store(&inquiry.key, asked.ticket, &Arc::new(confirmed));
        }
        None => engine.forget(&inquiry.key, asked.ticket, stored),
    }
}
