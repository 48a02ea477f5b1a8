//! Caps, names and kinds of the registry.

use super::*;

fn registry(config: Config) -> Registry {
    Registry::new(config).unwrap()
}

fn count(registry: &Registry, name: &str, labels: &[(&str, &str)]) -> bool {
    let found = registry.series(Kind::Counter, name, labels.iter().copied());
    if let Some(Series::Counter(counter)) = &found {
        counter.increment(1);
    }
    found.is_some()
}

fn totals(registry: &Registry, name: &str) -> (usize, u64) {
    let families = registry.families();
    let family = families.iter().find(|f| &**f.name() == name).unwrap();
    let samples = family.snapshot().samples;
    let sum = samples.iter().map(|sample| match sample.value {
        Value::Whole(n) => n,
        _ => panic!("not a counter"),
    });
    (samples.len(), sum.sum())
}

#[test]
fn a_metric_past_its_cap_overflows_into_one_series() {
    let registry = registry(Config { max_series_per_metric: 10, ..Config::default() });
    for n in 0..100 {
        assert!(count(&registry, "x_total", &[("n", &n.to_string())]));
    }
    assert_eq!(totals(&registry, "x_total"), (11, 100));
    assert_eq!((registry.len(), registry.dropped()), (10, 90));
    // What was admitted stays admitted.
    assert!(count(&registry, "x_total", &[("n", "3")]));
    assert_eq!(registry.dropped(), 90);
}

#[test]
fn the_total_cap_holds_over_all_metrics() {
    let registry = registry(Config { max_series: 10, ..Config::default() });
    for n in 0..50 {
        count(&registry, "a_total", &[("n", &n.to_string())]);
        count(&registry, "b_total", &[("n", &n.to_string())]);
    }
    assert_eq!((registry.len(), registry.dropped()), (10, 90));
    assert_eq!(totals(&registry, "a_total"), (6, 50));
    assert_eq!(totals(&registry, "b_total"), (6, 50));
}

#[test]
fn names_past_their_cap_are_refused() {
    let registry = registry(Config { max_metrics: 2, ..Config::default() });
    assert!(count(&registry, "a", &[]) && count(&registry, "b", &[]));
    assert!(!count(&registry, "c", &[]));
    assert_eq!((registry.families().len(), registry.dropped()), (2, 1));
}

#[test]
fn a_name_has_one_kind() {
    let registry = registry(Config::default());
    let none = || std::iter::empty::<(&str, &str)>();
    assert!(registry.series(Kind::Gauge, "x_total", none()).is_some());
    assert!(registry.series(Kind::Counter, "x", none()).is_none());
    assert!(registry.series(Kind::Histogram, "y", none()).is_some());
    assert!(registry.series(Kind::Gauge, "y_sum", none()).is_none());
    assert!(registry.series(Kind::Gauge, "z_count", none()).is_some());
    assert!(registry.series(Kind::Histogram, "z", none()).is_none());
}

#[test]
fn buckets_go_by_name() {
    let registry = registry(Config {
        metric_buckets: [("x_seconds".to_owned(), vec![0.3])].into(),
        ..Config::default()
    });
    let bounds = |name| registry.new_histogram(name).snapshot().bounds().to_vec();
    assert_eq!(bounds("x_seconds"), [0.3]);
    assert_eq!(bounds("y_seconds"), crate::histogram::SECONDS);
    assert_eq!(bounds("y_bytes"), crate::histogram::BYTES);
}

#[test]
fn caps_and_buckets_are_checked() {
    let zero = Config { max_series: 0, ..Config::default() };
    assert!(matches!(Registry::new(zero), Err(ConfigError::Zero { field: "max_series" })));
    let falling =
        Config { metric_buckets: [("x".to_owned(), vec![2.0, 1.0])].into(), ..Config::default() };
    assert!(matches!(
        Registry::new(falling),
        Err(ConfigError::Buckets { metric }) if metric == "x"
    ));
}
