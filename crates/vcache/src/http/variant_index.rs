//! Finds the variant that fits a request among many, without looking at each.

use http::HeaderMap;

use crate::http::vary::VaryKey;

/// Below so many variants looking at each is as fast.
const LEAST: usize = 8;
/// With more sets of field names than this, each variant is looked at: an origin that names other
/// fields in every `Vary` is not to cost every request a look-up for each.
const MOST_SHAPES: usize = 8;

/// The variants of one key by their values; it answers what
/// [`select`](crate::http::policy::select) would.
#[derive(Debug, Clone)]
pub(crate) struct VariantIndex {
    shapes: Vec<Shape>,
}

/// The variants that depend on the same fields, compared in the same way. Of those only one can fit
/// by its values: a newer one takes its place.
#[derive(Debug, Clone)]
struct Shape {
    /// The place of one of them.
    example: usize,
    /// Hashes of the values made comparable, sorted, with the variants' places.
    values: Vec<(u64, usize)>,
    /// The same for the values as they came.
    verbatim: Vec<(u64, usize)>,
}

impl VariantIndex {
    /// The index of `keys`, the most recent first; `None` where it would be of no use, or could not
    /// tell what fits: content of a language that a request may want first.
    pub(crate) fn new(keys: &[&VaryKey]) -> Option<Self> {
        if keys.len() < LEAST {
            return None;
        }
        let mut shapes: Vec<Shape> = Vec::new();
        for (place, key) in keys.iter().enumerate() {
            if key.has_language() {
                return None;
            }
            let is_like = |shape: &Shape| keys.get(shape.example).is_some_and(|e| e.is_like(key));
            let at = match shapes.iter().position(is_like) {
                Some(at) => at,
                None if shapes.len() == MOST_SHAPES => return None,
                None => {
                    shapes.push(Shape { example: place, values: Vec::new(), verbatim: Vec::new() });
                    shapes.len() - 1
                }
            };
            let entries = shapes.get_mut(at)?;
            entries.values.push((key.value_hash(), place));
            entries.verbatim.extend(key.verbatim_hash().map(|hash| (hash, place)));
        }
        for shape in &mut shapes {
            shape.values.sort_unstable();
            shape.verbatim.sort_unstable();
        }
        Some(Self { shapes })
    }

    /// The place of the most recent variant that fits; `key` tells the key at a place.
    pub(crate) fn find<'a>(
        &self,
        request: &HeaderMap,
        key: impl Fn(usize) -> Option<&'a VaryKey>,
    ) -> Option<usize> {
        let found = self.shapes.iter().filter_map(|shape| {
            let example = key(shape.example)?;
            let same = |place: usize| key(place).is_some_and(|key| key.is_verbatim(request));
            let hash = example.verbatim_hash_of(request);
            let verbatim = hash.and_then(|hash| at(&shape.verbatim, hash, same));
            verbatim.or_else(|| {
                let asked = example.ask(request);
                let fits = |place: usize| key(place).is_some_and(|key| key.fits(&asked, request));
                at(&shape.values, asked.value_hash(), fits)
            })
        });
        found.min()
    }

    /// Bytes on the cache's account.
    pub(crate) fn weight(&self) -> usize {
        let entries = |shape: &Shape| shape.values.len() + shape.verbatim.len();
        self.shapes.iter().map(|shape| 64 + 16 * entries(shape)).sum()
    }
}

/// The first place with the hash that is the one.
fn at(entries: &[(u64, usize)], hash: u64, is_it: impl Fn(usize) -> bool) -> Option<usize> {
    let begin = entries.partition_point(|(other, _)| *other < hash);
    let same = entries.iter().skip(begin).take_while(|(other, _)| *other == hash);
    same.map(|(_, place)| *place).find(|place| is_it(*place))
}

#[cfg(test)]
mod tests {
    use http::{HeaderName, HeaderValue};
    use proptest::prelude::*;

    use super::*;
    use crate::http::policy::select;

    const NAMES: [&[&str]; 4] = [&["accept-encoding"], &["x-a"], &["x-a", "x-b"], &[]];

    fn request(values: &[Option<String>; 3]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in ["accept-encoding", "x-a", "x-b"].into_iter().zip(values) {
            if let Some(value) = value {
                for line in value.split('|') {
                    let name = HeaderName::from_static(name);
                    headers.append(name, HeaderValue::try_from(line).unwrap());
                }
            }
        }
        headers
    }

    fn field() -> impl Strategy<Value = Option<String>> {
        proptest::option::of("[ab, |]{0,3}")
    }

    fn fields() -> impl Strategy<Value = [Option<String>; 3]> {
        [field(), field(), field()]
    }

    proptest! {
        /// The index finds what looking at each finds.
        #[test]
        fn it_answers_as_looking_at_each_does(
            stored in proptest::collection::vec((0..NAMES.len(), fields()), LEAST..40),
            asked in proptest::collection::vec(fields(), 1..20),
        ) {
            let mut keys: Vec<VaryKey> = Vec::new();
            for (names, values) in stored {
                let names: Vec<_> = NAMES[names].iter().map(|n| HeaderName::from_static(n)).collect();
                let request = request(&values);
                let key = VaryKey::new(&names, &request).with_verbatim(&request);
                keys.retain(|other| *other != key);
                keys.insert(0, key);
            }
            let places: Vec<usize> = (0..keys.len()).collect();
            let Some(index) = VariantIndex::new(&keys.iter().collect::<Vec<_>>()) else {
                prop_assert!(keys.len() < LEAST);
                return Ok(());
            };
            for asked in asked {
                let request = request(&asked);
                let expected = select(keys.iter().zip(&places), &request).copied();
                prop_assert_eq!(index.find(&request, |place| keys.get(place)), expected);
            }
        }
    }
}
