//! A 304 is about every stored variant with its strong entity tag: RFC 9111 §4.3.4.

use std::sync::Arc;

use http::{HeaderMap, Method};
use vhttp::EntityTag;

use crate::http::inquiry::Inquiry;
use crate::http::keep::{Asked, head, merge, tags};
use crate::http::policy::admit;
use crate::http::stored::Stored;

/// Updates the other variants of the key that have the strong tag of `update`.
///
/// Their requests are gone but for what `Vary` kept of them: one whose update varies with other
/// fields is left as it is.
pub(crate) fn update_siblings(
    inquiry: &Inquiry,
    validated: &Arc<Stored>,
    update: &HeaderMap,
    asked: Asked,
) {
    let Some(tag) = EntityTag::of(update).filter(|tag| !tag.weak) else {
        return;
    };
    let engine = &inquiry.engine;
    let Some(variants) = engine.memory().peek(inquiry.key.as_str()) else {
        return;
    };
    let same = |other: &&Arc<Stored>| {
        !Arc::ptr_eq(other, validated)
            && EntityTag::of(&other.headers).is_some_and(|old| old.strong_eq(&tag))
    };
    // The oldest first, so that their order stays.
    for sibling in variants.iter().rev().filter(same) {
        if let Some(updated) = updated(inquiry, sibling, update, asked) {
            engine.store(&inquiry.key, asked.ticket, &Arc::new(updated));
        }
    }
}

fn updated(
    inquiry: &Inquiry,
    sibling: &Stored,
    update: &HeaderMap,
    asked: Asked,
) -> Option<Stored> {
    let engine = &inquiry.engine;
    let (mut merged, _) = merge(inquiry, sibling, update, asked.exchange)?;
    // What allowed to store it was checked when it was stored.
    let request = (&Method::GET, &HeaderMap::new());
    let response = (sibling.status, &merged);
    let terms = admit(request, response, &engine.rules, asked.exchange).ok()?;
    if terms.vary() != sibling.vary.names() {
        return None;
    }
    engine.tags.restore(&mut merged, update, &sibling.tags);
    let tags = tags(inquiry, &merged)?;
    let mut head = head(inquiry, (sibling.status, merged, tags), terms, asked.exchange);
    head.vary = sibling.vary.clone();
    Some(head.with_body(sibling.body.clone(), Arc::clone(&sibling.encodings)))
}
