//! How far simulated time goes while real time passes.

/// The speeds of the transport.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Speed {
    /// One second a second.
    Real,
    /// Thirty seconds a second.
    #[default]
    Thirty,
    /// Five minutes a second.
    Minutes,
    /// An hour a second.
    Hour,
}

impl Speed {
    /// From slow to fast.
    pub const ALL: [Self; 4] = [Self::Real, Self::Thirty, Self::Minutes, Self::Hour];

    /// Simulated milliseconds for each real one.
    #[must_use]
    pub fn factor(self) -> i64 {
        match self {
            Self::Real => 1,
            Self::Thirty => 30,
            Self::Minutes => 300,
            Self::Hour => 3600,
        }
    }

    /// What its button says.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::Real => "1\u{d7}",
            Self::Thirty => "30\u{d7}",
            Self::Minutes => "5m/s",
            Self::Hour => "1h/s",
        }
    }

    /// The next faster or slower one.
    #[must_use]
    pub fn shifted(self, faster: bool) -> Self {
        let at = Self::ALL.iter().position(|it| *it == self).unwrap_or_default();
        let to = if faster { at + 1 } else { at.saturating_sub(1) };
        Self::ALL.get(to).copied().unwrap_or(self)
    }
}

/// With idle time skipped, a gap longer than this much real time is jumped over.
const IDLE_REAL_MS: i64 = 700;
/// A tab that slept does not catch up.
const MAX_FRAME_MS: i64 = 250;

/// Where the next frame of a playing run goes to. `next_ms` is when the next event is due.
#[must_use]
pub fn target(
    now_ms: i64,
    elapsed_ms: i64,
    speed: Speed,
    skip_idle: bool,
    next_ms: Option<i64>,
) -> i64 {
    let by_clock = now_ms + elapsed_ms.clamp(1, MAX_FRAME_MS) * speed.factor();
    match next_ms {
        Some(next) if skip_idle && next - now_ms > IDLE_REAL_MS * speed.factor() => next,
        _ => by_clock,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_goes_by_the_speed() {
        assert_eq!(target(1000, 16, Speed::Thirty, true, Some(1100)), 1000 + 16 * 30);
    }

    #[test]
    fn idle_time_is_skipped_only_when_asked() {
        let noon = 12 * 3_600_000;
        assert_eq!(target(0, 16, Speed::Thirty, true, Some(noon)), noon);
        assert_eq!(target(0, 16, Speed::Thirty, false, Some(noon)), 480);
    }

    #[test]
    fn a_tab_that_slept_does_not_catch_up() {
        assert_eq!(target(0, 60_000, Speed::Real, false, None), MAX_FRAME_MS);
    }

    #[test]
    fn speeds_end_at_both_ends() {
        assert_eq!(Speed::Real.shifted(false), Speed::Real);
        assert_eq!(Speed::Hour.shifted(true), Speed::Hour);
        assert_eq!(Speed::Real.shifted(true), Speed::Thirty);
    }
}
