//! Repeated measurements of one thing, and what to make of them.

/// The middle of the figures, or NaN of none.
#[must_use]
pub fn median(figures: &[f64]) -> f64 {
    let mut sorted = figures.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or(f64::NAN)
}

/// The least: what the machine can do when nobody disturbs. Infinite of none.
#[must_use]
pub fn least(figures: &[f64]) -> f64 {
    figures.iter().copied().fold(f64::INFINITY, f64::min)
}

/// The figure that so many percent stay at or below, or NaN of none.
#[must_use]
pub fn percentile(figures: &[f64], percent: usize) -> f64 {
    let mut sorted = figures.to_vec();
    sorted.sort_by(f64::total_cmp);
    let at = (sorted.len() * percent).div_ceil(100).saturating_sub(1);
    sorted.get(at).copied().unwrap_or(f64::NAN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_nothing_there_is_no_middle() {
        assert!(median(&[]).is_nan() && percentile(&[], 99).is_nan());
        assert!(least(&[]).is_infinite());
    }

    #[test]
    fn order_does_not_matter() {
        let figures = [3.0, 1.0, 2.0, 5.0, 4.0];
        let made = [median(&figures), least(&figures), percentile(&figures, 80)];
        assert_eq!(made.map(|figure| format!("{figure:.0}")), ["3", "1", "4"]);
    }
}
