//! Parts keep their places, whatever order they come in.

use http::header::HeaderValue;
use proptest::prelude::*;

use super::*;
use crate::http::freshness::Exchange;
use crate::http::policy::{Ahead, Rules, admit_part};

const CONTENT: &[u8] = b"0123456789abcdefghijklmnopqrstuvwxyz";

fn partial(tag: &'static str, range: Range<u64>) -> Partial {
    let complete = Some(as_u64(CONTENT.len()));
    let place = ContentRange { range: Some(range.clone()), complete };
    let mut headers = HeaderMap::new();
    headers.insert(ETAG, HeaderValue::from_static(tag));
    headers.insert("cache-control", HeaderValue::from_static("max-age=60"));
    headers.insert(CONTENT_RANGE, place.to_value());
    let now = SystemTime::UNIX_EPOCH;
    let exchange = Exchange { requested: now, received: now };
    let request = (&http::Method::GET, &HeaderMap::new());
    let response = (StatusCode::PARTIAL_CONTENT, &headers);
    let (terms, place) = admit_part(request, response, &Rules::default(), exchange).unwrap();
    let vary = terms.variant(&HeaderMap::new());
    let status = StatusCode::PARTIAL_CONTENT;
    let tags = Arc::default();
    let (keep, ahead) = (Duration::ZERO, Ahead::default());
    let head = Head { status, headers, terms, vary, tags, received: now, keep, ahead };
    let bytes = slice(&Bytes::from_static(CONTENT), &range);
    Partial::new(head, &place, bytes).unwrap()
}

fn read(mut pieces: Pieces) -> Vec<u8> {
    let mut all = Vec::new();
    while let Some(piece) = pieces.pop() {
        all.extend_from_slice(&piece);
    }
    all
}

#[test]
fn only_parts_of_one_strong_tag_are_put_together() {
    for (new, old, joined) in
        [("\"1\"", "\"1\"", true), ("\"1\"", "\"2\"", false), ("W/\"1\"", "W/\"1\"", false)]
    {
        let part = partial(new, 0..5).join(&partial(old, 5..9), 100);
        assert_eq!(part.get(&(0..9)).is_some(), joined, "{new} {old}");
        assert!(part.get(&(0..5)).is_some());
    }
    let limited = partial("\"1\"", 0..5).join(&partial("\"1\"", 5..9), 8);
    assert_eq!(limited.prefix(), 5);
}

#[test]
fn a_body_of_another_length_has_no_place() {
    let whole = partial("\"1\"", 0..36);
    let (head, bytes) = whole.into_whole().unwrap();
    assert_eq!((head.status, &bytes[..]), (StatusCode::OK, CONTENT));
    let place = ContentRange { range: Some(0..36), complete: Some(36) };
    assert!(Partial::new(head, &place, bytes.slice(1..)).is_none());
}

proptest! {
    /// Whatever parts come in whatever order: what is there is right, and nothing else is there.
    #[test]
    fn bytes_stay_in_their_places(parts in prop::collection::vec((0u64..36, 1u64..12), 1..9), from in 0u64..36, count in 1u64..36) {
        let mut known = [false; 36];
        let mut all: Option<Partial> = None;
        for (start, count) in parts {
            let range = start..(start + count).min(36);
            range.clone().for_each(|at| known[usize::try_from(at).unwrap()] = true);
            let new = partial("\"1\"", range);
            all = Some(match &all {
                Some(before) => new.join(before, 36),
                None => new,
            });
        }
        let all = all.unwrap();
        let range = from..(from + count).min(36);
        let at = |place: u64| usize::try_from(place).unwrap();
        let expected = known[at(range.start)..at(range.end)].iter().all(|known| *known);
        let found = all.get(&range).map(read);
        let content = &CONTENT[at(range.start)..at(range.end)];
        prop_assert_eq!(found.as_deref(), expected.then_some(content));
        let prefix = known.iter().take_while(|known| **known).count();
        prop_assert_eq!(all.prefix(), as_u64(prefix));
        let is_whole = known.iter().all(|known| *known);
        prop_assert_eq!(all.is_whole(), is_whole);
        let whole = all.into_whole().map(|(_, bytes)| bytes);
        prop_assert_eq!(whole.as_deref(), is_whole.then_some(CONTENT));
    }
}
