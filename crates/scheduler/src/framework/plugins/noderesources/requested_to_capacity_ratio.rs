//! Points by a broken line over the utilization.
//!
//! Upstream: `pkg/scheduler/framework/plugins/noderesources/requested_to_capacity_ratio.go` and
//! `helper/shape_score.go`, v1.36.

use crate::apis::config::UtilizationShapePoint;

const MAX_UTILIZATION: i64 = 100;
/// From the 0 to 10 of the configuration to the 0 to 100 of scores.
const SCALE: i64 = 10;

/// The line's value at the utilization.
pub(super) fn score(shape: &[UtilizationShapePoint], requested: i64, capacity: i64) -> i64 {
    let at = if capacity == 0 || requested > capacity {
        MAX_UTILIZATION
    } else {
        requested * MAX_UTILIZATION / capacity
    };
    let mut before: Option<(i64, i64)> = None;
    for point in shape {
        let (utilization, score) = (i64::from(point.utilization), i64::from(point.score) * SCALE);
        if at <= utilization {
            return match before {
                None => score,
                Some((from, base)) => base + (score - base) * (at - from) / (utilization - from),
            };
        }
        before = Some((utilization, score));
    }
    before.map_or(0, |(_, score)| score)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_score_follows_the_broken_line() {
        let shape = [(0, 0), (50, 10), (100, 5)]
            .map(|(utilization, score)| UtilizationShapePoint { utilization, score });
        for (requested, capacity, expected) in
            [(0, 100, 0), (25, 100, 50), (50, 100, 100), (75, 100, 75), (120, 100, 50), (1, 0, 50)]
        {
            assert_eq!(score(&shape, requested, capacity), expected, "{requested} of {capacity}");
        }
    }
}
