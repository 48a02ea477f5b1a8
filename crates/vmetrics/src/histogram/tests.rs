//! Histograms against a plain model, and their quantiles.
#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    clippy::float_cmp,
    reason = "the numbers of these tests are small and exact in binary"
)]

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

fn histogram(bounds: &[f64]) -> Histogram {
    Histogram::new(Bounds::new("test", bounds).unwrap(), 4)
}

#[test]
fn bounds_are_checked() {
    for bad in [&[][..], &[1.0, 1.0], &[2.0, 1.0], &[f64::NAN], &[f64::INFINITY]] {
        assert!(Bounds::new("test", bad).is_err(), "{bad:?}");
    }
    assert!(Bounds::new("test", &[1.0; MAX_BOUNDS + 1]).is_err());
    Bounds::new("test", &SECONDS).unwrap();
    Bounds::new("test", &BYTES).unwrap();
}

#[test]
fn the_default_buckets_fill_one_line_a_shard() {
    let cells = Cells::new(Bounds::new("test", &SECONDS).unwrap(), 4);
    assert_eq!(cells.lines.len(), 4);
    assert_eq!(size_of::<Line>(), 128);
}

#[test]
fn a_value_on_a_bound_is_inside() {
    let histogram = histogram(&[1.0, 2.0]);
    for value in [1.0, 1.5, 2.0, 2.1] {
        histogram.record(value);
    }
    assert_eq!(histogram.snapshot().counts(), [1, 2, 1]);
}

#[test]
fn what_is_not_finite_is_left_out() {
    let histogram = histogram(&[1.0]);
    for value in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        histogram.record(value);
    }
    let now = histogram.snapshot();
    assert_eq!((now.count(), now.sum()), (0, 0.0));
    assert_eq!((now.mean(), now.quantile(0.5)), (None, None));
}

#[test]
fn quantiles_are_linear_within_a_bucket() {
    let histogram = histogram(&[1.0, 2.0, 4.0]);
    for _ in 0..10 {
        histogram.record(0.5);
        histogram.record(3.0);
    }
    let now = histogram.snapshot();
    assert_eq!(now.quantile(0.25), Some(0.5));
    assert_eq!(now.quantile(0.5), Some(1.0));
    assert_eq!(now.quantile(0.75), Some(3.0));
    assert_eq!(now.quantile(1.0), Some(4.0));
    assert_eq!(now.quantile(1.1), None);
    assert_eq!(now.mean(), Some(1.75));
}

#[test]
fn above_the_last_bound_counts_as_that_bound() {
    let histogram = histogram(&[1.0]);
    histogram.record(50.0);
    assert_eq!(histogram.snapshot().quantile(0.99), Some(1.0));
}

#[test]
fn no_record_of_many_threads_is_lost() {
    let histogram = histogram(&SECONDS);
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| (0..10_000).for_each(|_| histogram.record(0.25)));
        }
    });
    let now = histogram.snapshot();
    assert_eq!(now.count(), 80_000);
    // A quarter is exact in binary, so the sum is too.
    assert_eq!(now.sum(), 20_000.0);
}

proptest! {
    /// The counts are those of a plain model, and a quantile lies in the bucket of its rank.
    #[test]
    fn counts_follow_the_model(
        steps in vec(1u32..100, 1..40),
        values in vec(-10.0f64..3000.0, 1..300),
        q in 0.0f64..=1.0,
    ) {
        let bounds: Vec<f64> = steps
            .iter()
            .scan(0u32, |at, step| { *at += step; Some(f64::from(*at)) })
            .collect();
        let histogram = histogram(&bounds);
        let mut model = vec![0u64; bounds.len() + 1];
        for value in &values {
            histogram.record(*value);
            let bucket = bounds.iter().position(|bound| value <= bound).unwrap_or(bounds.len());
            model[bucket] += 1;
        }
        let now = histogram.snapshot();
        prop_assert_eq!(now.counts(), &model[..]);
        prop_assert!((now.sum() - values.iter().sum::<f64>()).abs() < 1e-6);

        let mut sorted = values;
        sorted.sort_by(f64::total_cmp);
        let rank = (q * sorted.len() as f64).ceil().max(1.0) as usize;
        let truth = sorted[rank - 1];
        let bucket = bounds.partition_point(|bound| *bound < truth);
        let low = if bucket == 0 { 0.0 } else { bounds[bucket - 1] };
        let high = bounds[bucket.min(bounds.len() - 1)];
        let estimate = now.quantile(q).unwrap();
        prop_assert!(estimate >= low.min(high) && estimate <= high, "{estimate} not in {low}..{high}");
    }
}
