//! Creates Jobs at the times that CronJobs say.

mod cronjob_controller;
#[cfg(test)]
mod tests;
mod utils;

pub use cronjob_controller::CronJobController;
pub use utils::{
    Missed, Recent, format_schedule, get_job_name, most_recent_schedule_time, next_schedule_time,
    next_schedule_time_duration,
};
