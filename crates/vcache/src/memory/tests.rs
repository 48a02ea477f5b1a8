//! Tests of the engine's corners; its promises are tested from outside, in `tests/`.

use super::*;

#[test]
fn a_value_that_nobody_wants_any_more_is_not_stored() {
    let cache = Memory::<u8, u8>::builder().build().unwrap();
    assert!(!cache.insert_if(1, 1, Keep::new(), || false));
    assert!(cache.is_empty());
    assert_eq!(cache.weight(), 0);
}

#[test]
fn handles_can_be_shared_between_threads() {
    fn shared<T: Send + Sync + Clone>() {}
    shared::<Memory<String, Vec<u8>>>();
}
