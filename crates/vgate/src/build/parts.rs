//! What holds state and has a name: made from the configuration, or carried over from before.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::sync::Arc;

use crate::config::document::{Path, at};
use crate::config::fault::Fault;

/// Parts of one kind, by name.
pub(crate) type Parts<C, T> = BTreeMap<String, Part<C, T>>;

/// A part and the settings that it was made from.
#[derive(Debug)]
pub(crate) struct Part<C, T> {
    config: C,
    made: Arc<T>,
}

impl<C, T> Part<C, T> {
    /// The settings, as the file has them.
    pub(crate) const fn config(&self) -> &C {
        &self.config
    }

    /// The part itself.
    pub(crate) const fn made(&self) -> &Arc<T> {
        &self.made
    }
}

/// Makes every part of `section`; one whose name and settings did not change is carried over
/// with all that it holds. What cannot be made is a fault at its place.
pub(crate) fn make<C, T, E>(
    section: &str,
    configs: &BTreeMap<String, C>,
    old: Option<&Parts<C, T>>,
    faults: &mut Vec<(Path, Fault)>,
    make: impl Fn(&str, &C, Option<&T>) -> Result<T, E>,
) -> Parts<C, T>
where
    C: Clone + PartialEq,
    E: Display,
{
    let mut parts = Parts::new();
    for (name, config) in configs {
        let before = old.and_then(|old| old.get(name));
        let made = match before.filter(|part| part.config == *config) {
            Some(part) => Ok(Arc::clone(&part.made)),
            None => make(name, config, before.map(|part| &*part.made)).map(Arc::new),
        };
        match made {
            Ok(made) => {
                parts.insert(name.clone(), Part { config: config.clone(), made });
            }
            Err(error) => faults.push((at![section, name.as_str()], Fault::new(error.to_string()))),
        }
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(configs: &[(&str, u8)], old: Option<&Parts<u8, String>>) -> Parts<u8, String> {
        let configs = configs.iter().map(|(name, config)| ((*name).to_owned(), *config)).collect();
        make("x", &configs, old, &mut Vec::new(), |name, config, before| {
            let before = before.map_or("nothing", |_| "something");
            Ok::<_, String>(format!("{name}{config} after {before}"))
        })
    }

    #[test]
    fn what_did_not_change_is_the_same_thing() {
        let old = made(&[("a", 1), ("b", 1)], None);
        let new = made(&[("a", 1), ("b", 2), ("c", 1)], Some(&old));
        assert!(Arc::ptr_eq(old["a"].made(), new["a"].made()));
        assert_eq!(**new["b"].made(), "b2 after something");
        assert_eq!(**new["c"].made(), "c1 after nothing");
    }

    #[test]
    fn what_cannot_be_made_is_a_fault_at_its_place() {
        let (mut faults, configs) = (Vec::new(), BTreeMap::from([("a".to_owned(), 1)]));
        let parts: Parts<i32, ()> = make("x", &configs, None, &mut faults, |_, _, _| Err("no"));
        assert!(parts.is_empty());
        assert_eq!(faults, [(at!["x", "a"], Fault::new("no"))]);
    }
}
