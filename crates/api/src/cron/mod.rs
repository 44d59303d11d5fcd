//! Cron schedules exactly as Kubernetes reads them: five fields or a descriptor, time zones and
//! daylight saving included.
//!
//! Upstream: `vendor/github.com/robfig/cron/v3` (`ParseStandard`) and
//! `pkg/util/parsers/parsers.go`, v1.36.
//!
//! Differs from upstream: a search for the next fire time that would never end is given up with
//! [`Hang`], because a browser tab must not freeze.

mod gostd;
mod parser;
mod spec;
mod validation;

pub use gostd::{load_location, quote};
pub use parser::parse;
pub use spec::{Hang, Schedule, ZERO};
pub use validation::{validate_cron_job_name, validate_schedule, validate_time_zone};
