//! Starts Jobs when they are due, minds those that run, and removes old ones.
//!
//! Upstream: `pkg/controller/cronjob/cronjob_controllerv2.go`, v1.36.
//!
//! Differs from upstream: Jobs are found by the CronJob's uid, not by its name, because the garbage
//! collector removes those of an earlier CronJob of the same name anyway.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use api::Order;
use api::cron::{self, Schedule};
use api::time::{after_ms, meta_time};
use api::{
    Action, ApiError, Change, Component, ComponentId, DeleteOptions, EventSpec, Kind, Object,
    ObjectRef, Plan, Propagation, Resource, Timestamp, View, WorkQueue,
};
use k8s_openapi::api::batch::v1::{CronJob, CronJobSpec, Job};

use super::utils::{
    active_list, delete_from_active_list, format_schedule, get_job_from_template, get_job_name,
    in_active_list, in_active_list_by_name, job_reference, next_schedule_time,
    next_schedule_time_duration, too_late,
};
use crate::controller_utils::namespace_terminating;
use crate::job::{finished_condition, is_job_succeeded};

const SOURCE: &str = "cronjob-controller";

/// How many schedules are kept as read.
const MAX_SCHEDULES: usize = 1_000;

/// The CronJob controller.
#[derive(Clone, Debug, Default)]
pub struct CronJobController {
    /// Schedules by their text, with the zone: one is read once, not at every pass.
    schedules: Arc<BTreeMap<String, Schedule>>,
    /// The CronJob whose Job is being created, to be completed when the Job has its uid.
    starting: Option<Starting>,
}

/// A Job that was asked for.
#[derive(Clone, Debug)]
struct Starting {
    cron_job: CronJob,
    scheduled: Timestamp,
    schedule: Schedule,
    /// Whether the status changed before the Job was asked for.
    update_status: bool,
}

/// One pass over a CronJob.
struct Sync<'a> {
    view: &'a View<'a>,
    /// As it is stored, or a working copy, whose status is written once.
    cron_job: Cow<'a, CronJob>,
    spec: &'a CronJobSpec,
    schedules: &'a mut Arc<BTreeMap<String, Schedule>>,
    plan: Plan,
    update_status: bool,
}

impl Component for CronJobController {
    fn id(&self) -> ComponentId {
        ComponentId::CronJob
    }

    fn start(&mut self, view: &View<'_>, queue: &mut WorkQueue) {
        for cron_job in view.listers.list::<CronJob>() {
            queue.add_at(cron_job.object_ref(), view.now);
        }
    }

    fn react(&mut self, change: &Change, view: &View<'_>, queue: &mut WorkQueue) {
        let soon = after_ms(view.now, view.settings.controller_latency_ms);
        let Some(object) = change.object() else { return };
        match object.kind() {
            Kind::Job => {
                for object in [&change.old, &change.new].into_iter().flatten() {
                    if let Some(key) = resolve_controller_ref(object, view) {
                        queue.add_at(key, soon);
                    }
                }
            }
            Kind::CronJob => {
                let at = reschedule_at(change, view).unwrap_or(soon);
                queue.add_at(object.object_ref(), at);
            }
            _ => {}
        }
    }

    fn decide(&mut self, key: &ObjectRef, view: &View<'_>) -> Plan {
        self.starting = None;
        let Some(cron_job) = view.listers.by_ref::<CronJob>(key) else { return Plan::default() };
        let jobs: Vec<&Job> = view
            .listers
            .owned_by::<Job>(cron_job.uid())
            .filter(|job| {
                api::controller_of(&job.metadata).is_some_and(|it| it.uid == cron_job.uid())
            })
            .collect();
        let mut sync = Sync {
            view,
            cron_job: Cow::Borrowed(cron_job),
            spec: &cron_job.spec,
            schedules: &mut self.schedules,
            plan: Plan::default(),
            update_status: false,
        };
        sync.cleanup_finished_jobs(&jobs);
        self.starting = sync.sync_cron_job(&jobs);
        if sync.update_status && self.starting.is_none() {
            sync.plan.push(Action::UpdateStatus(sync.cron_job.into_owned().into_object()));
        }
        sync.plan
    }

    fn applied(
        &mut self,
        _key: &ObjectRef,
        results: &[Result<Option<Object>, ApiError>],
        view: &View<'_>,
    ) -> Plan {
        let mut plan = Plan::default();
        let Some(mut starting) = self.starting.take() else { return plan };
        let cron_job = &mut starting.cron_job;
        // The creation is the last action.
        let created = results.last().and_then(|it| it.as_ref().ok()?.as_ref());
        match created.and_then(Object::as_kind::<Job>) {
            Some(job) => {
                add_active(cron_job, job, starting.scheduled);
                requeue(&mut plan, cron_job, view.now, &starting.schedule);
            }
            None if !starting.update_status => return plan,
            None => {}
        }
        plan.push(Action::UpdateStatus(starting.cron_job.into_object()));
        plan
    }

    fn boxed_clone(&self) -> Box<dyn Component> {
        Box::new(self.clone())
    }
}

/// The CronJob that controls an object, if it exists and is the same one.
fn resolve_controller_ref(object: &Object, view: &View<'_>) -> Option<ObjectRef> {
    let owner = object.controller()?;
    let key = ObjectRef::of_owner(owner, object.namespace())?;
    let cron_job = view.listers.by_ref::<CronJob>(&key)?;
    (cron_job.uid() == owner.uid).then_some(key)
}

/// When to look again at a CronJob whose schedule was changed: at its next time, not now.
fn reschedule_at(change: &Change, view: &View<'_>) -> Option<Timestamp> {
    let old = change.old.as_ref()?.as_kind::<CronJob>()?;
    let cron_job = change.new.as_ref()?.as_kind::<CronJob>()?;
    let (old, new) = (&old.spec, &cron_job.spec);
    if old.schedule == new.schedule && old.time_zone == new.time_zone {
        return None;
    }
    let schedule = cron::parse(&format_schedule(cron_job, view.zones).0, view.zones).ok()?;
    let mut plan = Plan::default();
    requeue(&mut plan, cron_job, view.now, &schedule);
    plan.requeue_at
}

/// Asks to be called when the CronJob is due again.
fn requeue(plan: &mut Plan, cron_job: &CronJob, now: Timestamp, schedule: &Schedule) {
    if let Some(nanos) = next_schedule_time_duration(cron_job, now, schedule) {
        let wait = jiff::SignedDuration::from_nanos(nanos.max(0));
        plan.requeue(now.checked_add(wait).unwrap_or(Timestamp::MAX));
    }
}

fn add_active(cron_job: &mut CronJob, job: &Job, scheduled: Timestamp) {
    let status = cron_job.status.get_or_insert_default();
    status.active.get_or_insert_default().push(job_reference(job));
    status.last_schedule_time = Some(meta_time(scheduled));
}

impl Sync<'_> {
    fn event(&mut self, warning: bool, reason: &str, message: impl Into<String>) {
        let event = event(&self.cron_job, warning, reason, message);
        self.plan.record(event);
    }

    fn requeue(&mut self, schedule: &Schedule) {
        requeue(&mut self.plan, &self.cron_job, self.view.now, schedule);
    }

    /// Returns the Job that is to be created, which is also the last action of the plan.
    fn sync_cron_job(&mut self, jobs: &[&Job]) -> Option<Starting> {
        for job in jobs {
            self.observe(job);
        }
        self.drop_missing(jobs);
        if self.cron_job.metadata.deletion_timestamp.is_some() {
            return None;
        }
        let spec = self.spec;
        let schedule = self.read_schedule(spec)?;
        let scheduled = self.due(spec, &schedule)?;
        if spec.concurrency_policy.as_deref() == Some("Replace") {
            self.replace_active()?;
        }
        self.start_job(scheduled, schedule)
    }

    /// Takes note of what became of one Job.
    fn observe(&mut self, job: &Job) {
        let found = in_active_list(&self.cron_job, job.uid());
        let Some(condition) = finished_condition(job) else {
            if !found {
                let name = job.name();
                let text =
                    format!("Saw a job that the controller did not create or forgot: {name}");
                self.event(true, "UnexpectedJob", text);
            }
            return;
        };
        if found {
            delete_from_active_list(self.cron_job.to_mut(), job.uid());
            let name = job.name();
            let text = format!("Saw completed job: {name}, condition: {}", condition.type_);
            self.event(false, "SawCompletedJob", text);
            self.update_status = true;
        }
        if !is_job_succeeded(job) {
            return;
        }
        let completed = job.status.as_ref().and_then(|it| it.completion_time.clone());
        let last = self.cron_job.status.as_ref().and_then(|it| it.last_successful_time.as_ref());
        let later = match (last, &completed) {
            (None, _) => true,
            (Some(last), Some(completed)) => completed.0 > last.0,
            (Some(_), None) => false,
        };
        if later {
            let status = self.cron_job.to_mut().status.get_or_insert_default();
            status.last_successful_time = completed;
            self.update_status = true;
        }
    }

    /// Removes Jobs from the active list that are gone.
    fn drop_missing(&mut self, jobs: &[&Job]) {
        for active in active_list(&self.cron_job).to_vec() {
            let uid = active.uid.as_deref().unwrap_or_default();
            let name = active.name.as_deref().unwrap_or_default();
            let namespace = active.namespace.as_deref().unwrap_or_default();
            if jobs.iter().any(|it| it.uid() == uid)
                || self.view.listers.get::<Job>(namespace, name).is_some()
            {
                continue;
            }
            self.event(false, "MissingJob", format!("Active job went missing: {name}"));
            delete_from_active_list(self.cron_job.to_mut(), uid);
            self.update_status = true;
        }
    }

    /// The schedule of a CronJob that is not suspended, if it can be read.
    fn read_schedule(&mut self, spec: &CronJobSpec) -> Option<Schedule> {
        let zones = self.view.zones;
        if let Some(zone) = &spec.time_zone
            && let Err(error) = cron::load_location(zone, zones)
        {
            let text = format!("invalid timeZone: {}: {error}", cron::quote(zone));
            self.event(true, "UnknownTimeZone", text);
            return None;
        }
        if spec.suspend == Some(true) {
            return None;
        }
        let (text, own_zone) = format_schedule(&self.cron_job, zones);
        if let Some(schedule) = self.schedules.get(&text).filter(|_| !own_zone) {
            return Some(schedule.clone());
        }
        let quoted = cron::quote(&spec.schedule);
        if own_zone {
            let text = format!(
                "CRON_TZ or TZ used in schedule {quoted} is not officially supported, see \
                 https://kubernetes.io/docs/concepts/workloads/controllers/cron-jobs/ for more \
                 details"
            );
            self.event(true, "UnsupportedSchedule", text);
        }
        match cron::parse(&text, zones) {
            Ok(schedule) => {
                let schedules = Arc::make_mut(self.schedules);
                if schedules.len() >= MAX_SCHEDULES {
                    schedules.clear();
                }
                schedules.insert(text, schedule.clone());
                Some(schedule)
            }
            Err(error) => {
                let text = format!("unparseable schedule: {quoted} : {error}");
                self.event(true, "UnparseableSchedule", text);
                None
            }
        }
    }

    /// The start time for which a Job must be created now, if there is one.
    fn due(&mut self, spec: &CronJobSpec, schedule: &Schedule) -> Option<Timestamp> {
        let now = self.view.now;
        let (scheduled, too_many) = match next_schedule_time(&self.cron_job, now, schedule) {
            Ok(Some(due)) => due,
            Ok(None) => {
                self.requeue(schedule);
                return None;
            }
            Err(error) => {
                let text = format!("invalid schedule: {} : {error}", spec.schedule);
                self.event(true, "InvalidSchedule", text);
                return None;
            }
        };
        if too_many {
            let text = "too many missed start times. Set or decrease \
                        .spec.startingDeadlineSeconds or check clock skew";
            self.event(true, "TooManyMissedTimes", text);
        }
        let last = self.cron_job.status.as_ref().and_then(|it| it.last_schedule_time.as_ref());
        let processed = last.is_some_and(|it| it.0 == scheduled)
            || in_active_list_by_name(&self.cron_job, &get_job_name(&self.cron_job, scheduled));
        if too_late(&self.cron_job, scheduled, now) {
            let at = scheduled.strftime("%a, %d %b %Y %H:%M:%S +0000");
            self.event(true, "MissSchedule", format!("Missed scheduled time to start a job: {at}"));
        } else if processed {
            // A sync between two start times.
        } else if spec.concurrency_policy.as_deref() == Some("Forbid")
            && !active_list(&self.cron_job).is_empty()
        {
            let text = "Not starting job because prior execution is running and concurrency \
                        policy is Forbid";
            self.event(false, "JobAlreadyActive", text);
        } else {
            return Some(scheduled);
        }
        self.requeue(schedule);
        None
    }

    /// Deletes the Jobs that still run. `None` if one of them cannot be found.
    fn replace_active(&mut self) -> Option<()> {
        for active in active_list(&self.cron_job).to_vec() {
            let name = active.name.as_deref().unwrap_or_default();
            let namespace = active.namespace.as_deref().unwrap_or_default();
            let Some(job) = self.view.listers.get::<Job>(namespace, name) else {
                let text = format!("Get job: jobs.batch \"{name}\" not found");
                self.event(true, "FailedGet", text);
                return None;
            };
            self.delete_job(job);
            self.update_status = true;
        }
        Some(())
    }

    fn start_job(&mut self, scheduled: Timestamp, schedule: Schedule) -> Option<Starting> {
        let job = get_job_from_template(&self.cron_job, scheduled, self.view.zones)?;
        if let Some(existing) = self.view.listers.by_ref::<Job>(&job.object_ref()) {
            self.take_up(existing, scheduled, &schedule);
            return None;
        }
        if namespace_terminating(self.cron_job.namespace(), self.view) {
            return None;
        }
        let created = event(&self.cron_job, false, "SuccessfulCreate", "Created job {name}");
        let failed = event(&self.cron_job, true, "FailedCreate", "Error creating job: {error}");
        self.plan.push(Action::Create {
            object: job.into_object(),
            created: Some(Box::new(created)),
            failed: Some(Box::new(failed)),
        });
        let (cron_job, update_status) = (self.cron_job.clone().into_owned(), self.update_status);
        Some(Starting { cron_job, scheduled, schedule, update_status })
    }

    /// The Job of this start time exists already: ours to follow, or somebody else's.
    fn take_up(&mut self, job: &Job, scheduled: Timestamp, schedule: &Schedule) {
        let owner = api::controller_of(&job.metadata);
        if owner.is_none_or(|it| it.uid != self.cron_job.uid())
            || in_active_list(&self.cron_job, job.uid())
        {
            return;
        }
        add_active(self.cron_job.to_mut(), job, scheduled);
        self.update_status = true;
        self.requeue(schedule);
    }

    /// Deletes the finished Jobs beyond the history limits, the oldest first.
    fn cleanup_finished_jobs(&mut self, jobs: &[&Job]) {
        let spec = self.spec;
        let limits = [
            ("Complete", spec.successful_jobs_history_limit),
            ("Failed", spec.failed_jobs_history_limit),
        ];
        for (condition, limit) in limits {
            let Some(limit) = limit else { continue };
            let finished =
                |job: &&&Job| finished_condition(job).is_some_and(|it| it.type_ == condition);
            let mut finished: Vec<&Job> = jobs.iter().filter(finished).copied().collect();
            let surplus = finished.len().saturating_sub(usize::try_from(limit).unwrap_or(0));
            if surplus == 0 {
                continue;
            }
            finished.order_by_key(|job| {
                let start = job.status.as_ref().and_then(|it| it.start_time.as_ref());
                (start.is_none(), start.map(|it| it.0), job.metadata.name.clone())
            });
            for job in finished.into_iter().take(surplus) {
                self.delete_job(job);
                self.update_status = true;
            }
        }
    }

    fn delete_job(&mut self, job: &Job) {
        let options = DeleteOptions {
            propagation: Some(Propagation::Background),
            ..DeleteOptions::default()
        };
        self.plan.push(Action::Delete { key: job.object_ref(), options });
        delete_from_active_list(self.cron_job.to_mut(), job.uid());
        self.event(false, "SuccessfulDelete", format!("Deleted job {}", job.name()));
    }
}

fn event(cron_job: &CronJob, warning: bool, reason: &str, message: impl Into<String>) -> EventSpec {
    let event = EventSpec::about(SOURCE, cron_job.object_ref(), cron_job.uid(), reason, message);
    EventSpec { warning, ..event }
}
