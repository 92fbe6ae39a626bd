//! What a list of measured values comes to.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// The unit of all times that are reported.
pub(crate) fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

/// Of the values of one measurement.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// How many there are.
    pub count: usize,
    /// The least.
    pub least: f64,
    /// The arithmetic mean.
    pub mean: f64,
    /// Half of the values are at most this.
    pub median: f64,
    /// 95 % of the values are at most this.
    pub p95: f64,
    /// 99 % of the values are at most this.
    pub p99: f64,
    /// The greatest.
    pub greatest: f64,
    /// From the first quartile to the third, as a part of the median: how much the machine disturbed.
    pub spread: f64,
}

impl Summary {
    /// Of `values`, in any order; `None` where there are none.
    pub fn of(values: &[f64]) -> Option<Self> {
        let mut sorted = values.to_vec();
        sorted.sort_unstable_by(f64::total_cmp);
        let (least, greatest) = (*sorted.first()?, *sorted.last()?);
        let median = median_of_sorted(&sorted);
        let quartiles = at_rank(&sorted, 0.75) - at_rank(&sorted, 0.25);
        Some(Self {
            count: sorted.len(),
            least,
            mean: sorted.iter().sum::<f64>() / sorted.len() as f64,
            median,
            p95: at_rank(&sorted, 0.95),
            p99: at_rank(&sorted, 0.99),
            greatest,
            spread: if median > 0.0 {
                quartiles / median
            } else {
                0.0
            },
        })
    }
}

fn median_of_sorted(sorted: &[f64]) -> f64 {
    let middle = sorted.len() / 2;
    let at = |index: usize| sorted.get(index).copied().unwrap_or_default();
    if sorted.len().is_multiple_of(2) {
        f64::midpoint(at(middle.saturating_sub(1)), at(middle))
    } else {
        at(middle)
    }
}

/// The nearest rank: the least value that so great a `part` of the values does not exceed. A value that was measured, none in between.
fn at_rank(sorted: &[f64], part: f64) -> f64 {
    let rank = (part * sorted.len() as f64).ceil().max(1.0) as usize;
    sorted.get(rank - 1).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_summary_of_a_hundred_values() {
        let values: Vec<f64> = (1..=100).rev().map(f64::from).collect();
        let summary = Summary::of(&values).unwrap();
        assert_eq!(summary.count, 100);
        assert_eq!(summary.least, 1.0);
        assert_eq!(summary.mean, 50.5);
        assert_eq!(summary.median, 50.5);
        assert_eq!(summary.p95, 95.0);
        assert_eq!(summary.p99, 99.0);
        assert_eq!(summary.greatest, 100.0);
        assert_eq!(summary.spread, 50.0 / 50.5);
    }

    #[test]
    fn of_few_values_the_p99_is_the_greatest() {
        let summary = Summary::of(&[3.0, 1.0, 2.0]).unwrap();
        assert_eq!((summary.median, summary.p99), (2.0, 3.0));
    }

    #[test]
    fn of_nothing_there_is_no_summary() {
        assert_eq!(Summary::of(&[]), None);
    }
}
