//! Simulated time.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, Time};

/// An instant of simulated time. Nobody asks a clock: it is passed in.
pub type Timestamp = jiff::Timestamp;

/// The instant as `metav1.Time`, which the API keeps in whole seconds.
#[must_use]
pub fn meta_time(at: Timestamp) -> Time {
    Time(Timestamp::from_second(at.as_second()).unwrap_or(at))
}

/// The instant as `metav1.MicroTime`, which the API keeps in microseconds.
#[must_use]
pub fn micro_time(at: Timestamp) -> MicroTime {
    MicroTime(Timestamp::from_microsecond(at.as_microsecond()).unwrap_or(at))
}

/// `at` plus milliseconds, held at the end of time.
#[must_use]
pub fn after_ms(at: Timestamp, ms: i64) -> Timestamp {
    at.checked_add(jiff::SignedDuration::from_millis(ms)).unwrap_or(Timestamp::MAX)
}

/// `at` plus seconds, held at the end of time.
#[must_use]
pub fn after_secs(at: Timestamp, seconds: i64) -> Timestamp {
    after_ms(at, seconds.saturating_mul(1_000))
}

/// Milliseconds from `from` to `to`.
#[must_use]
pub fn ms_between(from: Timestamp, to: Timestamp) -> i64 {
    to.as_millisecond() - from.as_millisecond()
}
