//! The geometry of the time line, in thousandths of a per cent of its width: no pixels, nothing to
//! measure.

use view::{Lane, ObjectName, Outcome};

const SECOND: i64 = 1000;
const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

/// Lengths at which an axis is pleasant to read.
const STEPS: [i64; 22] = [
    SECOND,
    5 * SECOND,
    10 * SECOND,
    15 * SECOND,
    30 * SECOND,
    MINUTE,
    2 * MINUTE,
    5 * MINUTE,
    10 * MINUTE,
    15 * MINUTE,
    30 * MINUTE,
    HOUR,
    2 * HOUR,
    3 * HOUR,
    6 * HOUR,
    12 * HOUR,
    DAY,
    2 * DAY,
    7 * DAY,
    14 * DAY,
    30 * DAY,
    90 * DAY,
];
/// A lane shows so many runs above each other; more share the last row.
const MAX_ROWS: usize = 4;
/// Runs of one row closer than this share of the axis become one bar.
const MERGE: i64 = 120;
/// The narrowest bar.
const MIN_WIDTH: i64 = 180;
/// Rings that stand for coming runs lie at least so far apart.
const RING: i64 = 1_100;

/// The length of the axis for a run that has come so far.
#[must_use]
pub fn window(reached_ms: i64) -> i64 {
    let wanted = reached_ms.max(0).saturating_add(reached_ms / 50).max(5 * MINUTE);
    let step = STEPS.iter().rev().find(|it| **it * 4 <= wanted).copied().unwrap_or(MINUTE);
    wanted.saturating_add(step - 1) / step * step
}

/// The length of the axis of a run: what was reached, and the next fire of a cron job where that is
/// not too far away.
#[must_use]
pub fn axis(now_ms: i64, horizon_ms: i64, lanes: &[Lane]) -> i64 {
    let reached = horizon_ms.max(now_ms);
    let coming = lanes.iter().filter_map(|it| it.expected_ms.iter().find(|it| **it > now_ms));
    let near = coming.copied().filter(|it| *it <= reached.saturating_mul(2).max(10 * MINUTE)).min();
    window(near.map_or(reached, |it| reached.max(it)))
}

/// The times to print along an axis.
#[must_use]
pub fn ticks(window_ms: i64) -> Vec<i64> {
    let step =
        STEPS.iter().copied().find(|it| window_ms / it <= 10).unwrap_or(window_ms.max(1) / 5);
    (0..=window_ms / step.max(1)).map(|it| it * step).filter(|it| *it < window_ms).collect()
}

/// Where a time lies, in thousandths of a per cent.
#[must_use]
pub fn at(ms: i64, window_ms: i64) -> i64 {
    crate::format::milli_percent(ms, window_ms)
}

/// One bar of a lane.
#[derive(Clone, Debug, PartialEq)]
pub struct BarShape {
    /// What a click selects; the last one where several became one bar.
    pub object: ObjectName,
    /// Left edge.
    pub x: i64,
    /// From there.
    pub width: i64,
    /// From the top, counted from 0.
    pub row: usize,
    /// How it ended.
    pub outcome: Outcome,
    /// Lies wholly after now: drawn faintly.
    pub ahead: bool,
    /// How many runs it stands for.
    pub n_runs: usize,
    /// When the first of them began.
    pub start_ms: i64,
}

/// The bars of a lane and how many rows they take (at least one).
#[must_use]
pub fn bars(lane: &Lane, now_ms: i64, reached_ms: i64, window_ms: i64) -> (Vec<BarShape>, usize) {
    let mut free_from: Vec<i64> = Vec::new();
    let mut last_of_row: Vec<usize> = Vec::new();
    let mut bars: Vec<BarShape> = Vec::new();
    for span in &lane.spans {
        let end_ms = span.end_ms.unwrap_or(reached_ms.max(now_ms));
        let free = free_from.iter().position(|it| *it <= span.start_ms);
        let row = match free {
            Some(row) => row,
            None if free_from.len() < MAX_ROWS => {
                free_from.push(0);
                last_of_row.push(usize::MAX);
                free_from.len() - 1
            }
            None => MAX_ROWS - 1,
        };
        free_from[row] = free_from[row].max(end_ms);
        let x = at(span.start_ms, window_ms);
        let width = (at(end_ms, window_ms) - x).max(MIN_WIDTH);
        let ahead = span.start_ms > now_ms;
        if let Some(last) = bars.get_mut(last_of_row[row])
            && x - (last.x + last.width) < MERGE
            && width < 2 * MERGE
            && (last.outcome, last.ahead) == (span.outcome, ahead)
        {
            last.width = (x + width - last.x).max(last.width);
            last.object = span.object.clone();
            last.n_runs += 1;
            continue;
        }
        last_of_row[row] = bars.len();
        let (object, outcome, start_ms) = (span.object.clone(), span.outcome, span.start_ms);
        bars.push(BarShape { object, x, width, row, outcome, ahead, n_runs: 1, start_ms });
    }
    (bars, free_from.len().max(1))
}

/// Where a lane may have had runs that are not listed: from and to, milliseconds.
#[must_use]
pub fn unlisted(lane: &Lane, now_ms: i64) -> Option<(i64, i64)> {
    let from = lane.dropped_from_ms?;
    let to = lane.spans.first().map_or(now_ms, |it| it.start_ms);
    (from < to).then_some((from, to))
}

/// The coming runs that have room for a ring of their own, each with the number of those after it
/// that have not.
#[must_use]
pub fn coming(lane: &Lane, now_ms: i64, window_ms: i64) -> Vec<(i64, usize)> {
    let mut rings: Vec<(i64, usize)> = Vec::new();
    for ms in lane.expected_ms.iter().copied().filter(|it| (now_ms + 1..=window_ms).contains(it)) {
        match rings.last_mut() {
            Some((last, n)) if at(ms, window_ms) - at(*last, window_ms) < RING => *n += 1,
            _ => rings.push((ms, 0)),
        }
    }
    rings
}

#[cfg(test)]
mod tests {
    use view::LaneSpan;

    use super::*;

    fn lane(spans: &[(i64, Option<i64>)]) -> Lane {
        let spans = spans
            .iter()
            .map(|(start_ms, end_ms)| LaneSpan {
                start_ms: *start_ms,
                end_ms: *end_ms,
                ..LaneSpan::default()
            })
            .collect();
        Lane { spans, ..Lane::default() }
    }

    #[test]
    fn the_axis_is_round_and_holds_what_was_reached() {
        let rows = [
            (0, 5 * MINUTE),
            (4 * MINUTE, 5 * MINUTE),
            (5 * MINUTE, 6 * MINUTE),
            (50 * MINUTE, 60 * MINUTE),
            (3 * HOUR, 3 * HOUR + 30 * MINUTE),
            (7 * DAY, 8 * DAY),
        ];
        for (reached, expected) in rows {
            assert_eq!(window(reached), expected, "{reached}");
        }
    }

    #[test]
    fn the_axis_shows_the_next_fire_unless_it_is_far_away() {
        let lane = |ms: i64| Lane { expected_ms: vec![ms], ..Lane::default() };
        assert_eq!(axis(0, 0, &[lane(8 * MINUTE)]), 10 * MINUTE);
        assert_eq!(axis(0, 0, &[lane(DAY)]), 5 * MINUTE);
    }

    #[test]
    fn an_axis_never_has_more_than_eleven_ticks() {
        for minutes in [5, 6, 7, 30, 60, 100, 1000, 10_000, 100_000] {
            let n_ticks = ticks(minutes * MINUTE).len();
            assert!((3..=11).contains(&n_ticks), "{minutes} min: {n_ticks}");
        }
    }

    #[test]
    fn runs_at_the_same_time_lie_in_rows() {
        let lane = lane(&[(0, Some(60_000)), (10_000, Some(50_000)), (60_000, Some(90_000))]);
        let (bars, n_rows) = bars(&lane, 100_000, 100_000, 300_000);
        assert_eq!(bars.iter().map(|it| it.row).collect::<Vec<_>>(), [0, 1, 0]);
        assert_eq!(n_rows, 2);
    }

    #[test]
    fn a_run_without_an_end_reaches_as_far_as_the_run() {
        let (bars, _) = bars(&lane(&[(0, None)]), 50_000, 150_000, 300_000);
        assert_eq!(bars[0].width, 50_000);
    }

    #[test]
    fn coming_runs_that_lie_close_together_share_a_ring() {
        let lane = |every: i64| Lane {
            expected_ms: (0..50).map(|it| (it + 1) * every).collect(),
            ..Lane::default()
        };
        for (every, now_ms, rings, n_shown) in [
            (MINUTE, 0, 50, 50),
            (MINUTE, 10 * MINUTE, 40, 40),
            (10 * SECOND, 0, 13, 50),
            (2 * MINUTE, 0, 30, 30),
        ] {
            let found = coming(&lane(every), now_ms, HOUR);
            let n: usize = found.iter().map(|it| it.1 + 1).sum();
            assert_eq!((found.len(), n), (rings, n_shown), "every {every} ms from {now_ms} ms");
        }
    }

    #[test]
    fn runs_that_are_not_listed_lie_before_the_first_that_is() {
        let first = |from| Lane { dropped_from_ms: from, ..lane(&[(90_000, None)]) };
        for (lane, expected) in [
            (first(None), None),
            (first(Some(0)), Some((0, 90_000))),
            (first(Some(90_000)), None),
            (Lane { dropped_from_ms: Some(5), ..Lane::default() }, Some((5, 120_000))),
        ] {
            assert_eq!(unlisted(&lane, 120_000), expected, "{lane:?}");
        }
    }

    #[test]
    fn many_tiny_runs_become_few_bars() {
        let spans: Vec<_> = (0..5000).map(|it| (it * 1000, Some(it * 1000 + 900))).collect();
        let (bars, n_rows) = bars(&lane(&spans), 5_000_000, 5_000_000, 5_000_000);
        assert!(bars.len() < 20, "{}", bars.len());
        assert_eq!(n_rows, 1);
        assert_eq!(bars.iter().map(|it| it.n_runs).sum::<usize>(), 5000);
    }
}
