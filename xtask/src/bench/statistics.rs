//! Medians and quartiles, an interval for a median, ratios of pairs, and the slope of a curve.

/// How often the interval may miss the median.
const MISSES: f64 = 0.05;

/// A median between two of its samples, which enclose the true one with a probability of about 95%.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Interval {
    pub(crate) low: f64,
    pub(crate) median: f64,
    pub(crate) high: f64,
}

impl Interval {
    /// The interval of the samples' median, by their order alone: it assumes no distribution.
    pub(crate) fn of(samples: &[f64]) -> Option<Interval> {
        let sorted = sorted(samples);
        let median = at(&sorted, 0.5)?;
        let (low, high) = ranks(sorted.len());
        Some(Interval { low: sorted[low - 1], median, high: sorted[high - 1] })
    }
}

/// The value below which this share of the samples lies; between two samples, in proportion.
pub(crate) fn quantile(samples: &[f64], share: f64) -> Option<f64> {
    at(&sorted(samples), share)
}

pub(crate) fn median(samples: &[f64]) -> Option<f64> {
    quantile(samples, 0.5)
}

fn sorted(samples: &[f64]) -> Vec<f64> {
    let mut sorted = samples.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted
}

fn at(sorted: &[f64], share: f64) -> Option<f64> {
    let position = share * sorted.len().checked_sub(1)? as f64;
    let (below, above) = (sorted[position.floor() as usize], sorted[position.ceil() as usize]);
    Some(below + (above - below) * position.fract())
}

/// The ranks, from 1, of the samples that enclose the median: the narrowest pair that misses it
/// seldom enough, and the outermost where there are too few samples for that.
fn ranks(count: usize) -> (usize, usize) {
    // The median is missed below if at most `rank - 1` samples lie under it, as of so many throws of
    // a coin; and above in the same way.
    let mut chance = 0.5_f64.powi(count as i32);
    let mut missed = 0.0;
    let mut rank = 0;
    loop {
        missed += chance;
        if 2.0 * missed > MISSES {
            break;
        }
        rank += 1;
        chance *= (count - rank + 1) as f64 / rank as f64;
    }
    let rank = rank.max(1);
    (rank, count + 1 - rank)
}

/// What each sample is to that of the base in the same round.
pub(crate) fn ratios(samples: &[f64], base: &[f64]) -> Vec<f64> {
    samples.iter().zip(base).map(|(sample, base)| sample / base).collect()
}

/// The exponent with which a value grows: the slope of the line through the points' logarithms.
///
/// 0 is constant, 1 is in proportion. None for fewer than two sizes; what has no logarithm is left out.
pub(crate) fn slope(points: &[(f64, f64)]) -> Option<f64> {
    let points: Vec<(f64, f64)> = points
        .iter()
        .filter(|(x, y)| *x > 0.0 && *y > 0.0)
        .map(|(x, y)| (x.ln(), y.ln()))
        .collect();
    let count = points.len() as f64;
    let (x, y) = points.iter().fold((0.0, 0.0), |sum, point| (sum.0 + point.0, sum.1 + point.1));
    let (x, y) = (x / count, y / count);
    let across: f64 = points.iter().map(|point| (point.0 - x).powi(2)).sum();
    let both: f64 = points.iter().map(|point| (point.0 - x) * (point.1 - y)).sum();
    (across > 0.0).then(|| both / across)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_lie_between_samples() {
        assert_eq!(median(&[3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(&[4.0, 1.0, 2.0, 3.0]), Some(2.5));
        assert_eq!(quantile(&[5.0, 1.0, 2.0, 3.0, 4.0], 0.25), Some(2.0));
        assert_eq!(quantile(&[1.0, 2.0], 0.25), Some(1.25));
        assert_eq!(quantile(&[7.0], 0.25), Some(7.0));
        assert_eq!(median(&[]), None);
    }

    /// The ranks that tables give for 95%.
    #[test]
    fn ranks_are_those_of_the_tables() {
        let expected = [
            (5, 1),
            (6, 1),
            (7, 1),
            (8, 1),
            (9, 2),
            (10, 2),
            (11, 2),
            (12, 3),
            (13, 3),
            (14, 3),
            (15, 4),
            (16, 4),
            (17, 5),
            (18, 5),
            (19, 5),
            (20, 6),
            (21, 6),
            (22, 6),
            (23, 7),
            (24, 7),
            (25, 8),
            (26, 8),
            (27, 8),
            (28, 9),
            (29, 9),
            (30, 10),
        ];
        for (count, rank) in expected {
            assert_eq!(ranks(count), (rank, count + 1 - rank), "of {count}");
        }
    }

    #[test]
    fn few_samples_give_the_widest_interval() {
        assert_eq!(ranks(1), (1, 1));
        assert_eq!(ranks(2), (1, 2));
        let interval = Interval { low: 1.0, median: 2.0, high: 9.0 };
        assert_eq!(Interval::of(&[9.0, 1.0, 2.0]), Some(interval));
        assert_eq!(Interval::of(&[]), None);
    }

    #[test]
    fn twenty_samples_give_the_sixth_and_the_fifteenth() {
        let samples: Vec<f64> = (1..=20).rev().map(f64::from).collect();
        let interval = Interval { low: 6.0, median: 10.5, high: 15.0 };
        assert_eq!(Interval::of(&samples), Some(interval));
    }

    #[test]
    fn ratios_are_of_one_round() {
        assert_eq!(ratios(&[2.0, 6.0], &[1.0, 2.0]), [2.0, 3.0]);
        assert_eq!(ratios(&[2.0], &[1.0, 2.0]), [2.0]);
    }

    #[test]
    fn a_slope_is_an_exponent() {
        let points = |power: i32| [1.0_f64, 10.0, 100.0].map(|x| (x, 3.0 * x.powi(power)));
        for power in [0, 1, 2] {
            assert!((slope(&points(power)).unwrap() - f64::from(power)).abs() < 1e-9);
        }
        let with_nothing = [(1.0, 1.0), (10.0, 0.0), (100.0, 100.0)];
        assert!((slope(&with_nothing).unwrap() - 1.0).abs() < 1e-9);
        assert_eq!(slope(&[(1.0, 1.0)]), None);
        assert_eq!(slope(&[]), None);
    }
}
