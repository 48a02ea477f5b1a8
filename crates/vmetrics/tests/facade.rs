//! What is measured through the facade arrives under Prometheus' rules.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    reason = "tests"
)]

use metrics::{
    Unit, counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram,
};
use vmetrics::{Config, ConfigError, InstallError, Recorder};

fn plain() -> Recorder {
    let config = Config { process: false, buckets: vec![1.0, 2.0], ..Config::default() };
    Recorder::with_config(config).unwrap()
}

#[test]
fn every_kind_arrives_with_its_description_and_unit() {
    let recorder = plain();
    metrics::with_local_recorder(&recorder, || {
        describe_counter!("mails.sent", Unit::Count, "Mails sent.");
        describe_gauge!("queue.depth", Unit::Bytes, "What waits.");
        describe_histogram!("wait_seconds", Unit::Seconds, "The wait.");
        counter!("mails.sent", "kind" => "a").increment(2);
        counter!("mails.sent", "kind" => "b").absolute(5);
        counter!("mails.sent", "kind" => "b").absolute(4);
        gauge!("queue.depth").set(3);
        gauge!("queue.depth").increment(2);
        gauge!("queue.depth").decrement(1);
        histogram!("wait_seconds").record(1.5);
        histogram!("wait_seconds").record_many(0.5, 3);
    });
    let text = recorder.handle().render();
    let own = text.split("# HELP vmetrics_series ").next().unwrap();
    assert_eq!(
        own.to_owned() + text.split_once("dropped_total 0\n").unwrap().1,
        "# HELP mails_sent_total Mails sent.\n\
         # TYPE mails_sent_total counter\n\
         mails_sent_total{kind=\"a\"} 2\n\
         mails_sent_total{kind=\"b\"} 5\n\
         # HELP queue_depth What waits. Unit: bytes.\n\
         # TYPE queue_depth gauge\n\
         queue_depth 4\n\
         # HELP wait_seconds The wait.\n\
         # TYPE wait_seconds histogram\n\
         wait_seconds_bucket{le=\"1\"} 3\n\
         wait_seconds_bucket{le=\"2\"} 4\n\
         wait_seconds_bucket{le=\"+Inf\"} 4\n\
         wait_seconds_sum 3\n\
         wait_seconds_count 4\n"
    );
}

#[test]
fn the_same_labels_in_another_order_are_the_same_series() {
    let recorder = plain();
    metrics::with_local_recorder(&recorder, || {
        counter!("x_total", "a" => "1", "b" => "2").increment(1);
        counter!("x_total", "b" => "2", "a" => "1").increment(1);
    });
    let handle = recorder.handle();
    assert_eq!(handle.series_held(), 1);
    assert!(handle.render().contains("x_total{a=\"1\",b=\"2\"} 2\n"));
}

#[test]
fn a_name_of_another_kind_is_refused_and_counted() {
    let recorder = plain();
    metrics::with_local_recorder(&recorder, || {
        gauge!("jobs_total").set(1.0);
        counter!("jobs_total").increment(1);
    });
    let handle = recorder.handle();
    assert!(handle.render().contains("# TYPE jobs_total gauge\njobs_total 1\n"));
    assert_eq!(handle.series_dropped(), 1);
}

#[test]
fn recording_from_many_threads_while_scrapes_run_loses_nothing() {
    let recorder = plain();
    let handle = recorder.handle();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                metrics::with_local_recorder(&recorder, || {
                    for n in 0..5_000_u32 {
                        let label = (n % 7).to_string();
                        counter!("x_total", "n" => label.clone()).increment(1);
                        histogram!("y_seconds", "n" => label).record(1.0);
                    }
                });
            });
        }
        scope.spawn(|| (0..50).for_each(|_| assert!(!handle.render().is_empty())));
    });
    let counted = |metric: &str| -> u64 {
        let text = handle.render();
        text.lines()
            .filter(|line| line.starts_with(metric))
            .map(|line| line.rsplit(' ').next().unwrap().parse::<u64>().unwrap())
            .sum()
    };
    assert_eq!(counted("x_total{"), 20_000);
    assert_eq!(counted("y_seconds_count{"), 20_000);
    assert_eq!(handle.series_held(), 14);
}

#[test]
fn only_the_first_recorder_of_a_process_is_installed() {
    let handle = plain().install().unwrap();
    counter!("installed_total").increment(1);
    assert!(handle.render().contains("installed_total 1\n"));
    let refused: InstallError = plain().install().unwrap_err();
    assert!(refused.to_string().contains("already installed"));
}

#[test]
fn unusable_settings_are_refused() {
    let config = Config { buckets: vec![2.0, 1.0], ..Config::default() };
    let error = Recorder::with_config(config).unwrap_err();
    assert!(matches!(error, ConfigError::Buckets { .. }));
    assert!(error.to_string().contains("`buckets`"));
}

#[cfg(feature = "serde")]
#[test]
fn settings_are_read_from_a_file() {
    let text = "max_series = 5\nbuckets = [0.1, 1.0]\n[metric_buckets]\nx_seconds = [0.3]\n";
    let config: Config = toml::from_str(text).unwrap();
    assert_eq!((config.max_series, config.max_metrics), (5, 2_000));
    assert_eq!(config.metric_buckets["x_seconds"], [0.3]);
    assert!(toml::from_str::<Config>("max_serie = 5").is_err());
}
