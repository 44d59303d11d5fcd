//! Conformance area `cron`: fire times, refusals of schedules, and what the CronJob controller
//! makes of missed runs.

use std::path::Path;

use api::time::meta_time;
use api::{
    Action, Component, Kind, Listers, Object, Objects, Plan, Resource, Settings, Timestamp, View,
    Zones, cron,
};
use apiserver::Store;
use controllers::cronjob::{
    CronJobController, format_schedule, get_job_name, most_recent_schedule_time,
    next_schedule_time, next_schedule_time_duration,
};
use jiff::SignedDuration;
use k8s_openapi::api::batch::v1::{CronJob, Job};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde_json::{Value, json};

use crate::conformance::Verdict;

/// Runs the cases of one file.
#[must_use]
pub fn run(_path: &Path, text: &str, only: Option<&str>) -> Vec<Verdict> {
    let zones = crate::zones::all();
    let mut verdicts = vec![];
    for line in text.lines().filter(|it| !it.trim().is_empty()) {
        let case: Value = match serde_json::from_str(line) {
            Ok(case) => case,
            Err(error) => {
                verdicts.push(Verdict { name: "?".to_owned(), result: Err(error.to_string()) });
                continue;
            }
        };
        let name = case["name"].as_str().unwrap_or_default().to_owned();
        if only.is_some_and(|it| it != name) {
            continue;
        }
        let actual = if case.get("next").is_some() {
            next(&case, &zones)
        } else if case.get("apiError").is_some() {
            invalid(&case, &zones)
        } else {
            missed(&case, &zones)
        };
        verdicts.push(Verdict { name, result: compare(&case, &actual) });
    }
    verdicts
}

/// The first field that differs. Fields that the answer lacks are inputs.
fn compare(case: &Value, actual: &Value) -> Result<(), String> {
    for (key, value) in actual.as_object().into_iter().flatten() {
        let expected = &case[key];
        if expected != value {
            return Err(format!("{key}: expected {expected}, got {value}"));
        }
    }
    Ok(())
}

fn time(value: &Value) -> Option<Timestamp> {
    value.as_str()?.parse().ok()
}

fn text(at: Timestamp) -> Value {
    Value::String(at.to_string())
}

fn cron_job(case: &Value) -> CronJob {
    let mut cron_job = CronJob::default();
    cron_job.metadata.name = Some("hello".to_owned());
    cron_job.metadata.namespace = Some("default".to_owned());
    cron_job.metadata.uid = Some("uid".to_owned());
    cron_job.metadata.creation_timestamp = time(&case["creationTimestamp"]).map(meta_time);
    cron_job.spec.schedule = case["schedule"].as_str().unwrap_or_default().to_owned();
    cron_job.spec.time_zone = case["timeZone"].as_str().map(ToOwned::to_owned);
    cron_job.spec.starting_deadline_seconds = case["startingDeadlineSeconds"].as_i64();
    cron_job.spec.concurrency_policy = Some("Allow".to_owned());
    cron_job.spec.job_template.spec = Some(Default::default());
    let status = cron_job.status.get_or_insert_default();
    status.last_schedule_time = time(&case["lastScheduleTime"]).map(meta_time);
    cron_job
}

fn next(case: &Value, zones: &Zones) -> Value {
    let schedule = match cron::parse(&format_schedule(&cron_job(case), zones).0, zones) {
        Ok(schedule) => schedule,
        Err(error) => return json!({ "error": error }),
    };
    let count = case["next"].as_array().map_or(0, Vec::len);
    let mut at = time(&case["from"]).unwrap_or_default();
    let mut fires = vec![];
    for _ in 0..count {
        match schedule.next(at) {
            Ok(fire) => at = fire,
            Err(hang) => return json!({ "next": hang.to_string() }),
        }
        fires.push(text(at));
    }
    json!({ "next": fires })
}

fn invalid(case: &Value, zones: &Zones) -> Value {
    let name = case["cronJobName"].as_str().unwrap_or_default();
    let mut cron_job = cron_job(case);
    cron_job.metadata = ObjectMeta { name: Some(name.to_owned()), ..ObjectMeta::default() };
    cron_job.status = None;
    cron_job.spec.job_template.spec = serde_json::from_value(json!({
        "template": { "spec": {
            "containers": [{ "name": "c", "image": "i" }],
            "restartPolicy": "Never",
        } },
    }))
    .ok();
    let mut store = Store::new(0);
    store.bootstrap(Timestamp::UNIX_EPOCH);
    store.set_zones(zones.clone());
    let refusal = store.create(cron_job.into_object(), Timestamp::UNIX_EPOCH).err();
    let causes = refusal.iter().flat_map(|it| &it.causes);
    let errors: Vec<Value> = causes
        .map(|it| {
            let text = format!("{}: {}", it.field, it.message);
            let detail = detail_of(&it.message);
            json!({ "path": it.field, "type": it.kind, "detail": detail, "text": text })
        })
        .collect();
    let error = cron::parse(case["schedule"].as_str().unwrap_or_default(), zones).err();
    json!({ "error": error, "apiError": errors, "apiMessage": refusal.map(|it| it.message) })
}

/// What follows the kind of error and the quoted value.
fn detail_of(message: &str) -> &str {
    let (_, rest) = message.split_once(" value").unwrap_or(("", message));
    let rest = rest.strip_prefix(": ").unwrap_or(rest);
    let Some(literal) = rest.strip_prefix('"') else { return rest };
    let mut escaped = false;
    let end = literal.find(|c| {
        let ends = c == '"' && !escaped;
        escaped = c == '\\' && !escaped;
        ends
    });
    let after = end.map_or("", |it| &literal[it + 1..]);
    after.strip_prefix(": ").unwrap_or(after)
}

fn missed(case: &Value, zones: &Zones) -> Value {
    let cron_job = cron_job(case);
    let now = time(&case["now"]).unwrap_or_default();
    let sync = sync(&cron_job, now, zones);
    let schedule = match cron::parse(&format_schedule(&cron_job, zones).0, zones) {
        Ok(schedule) => schedule,
        Err(error) => {
            return json!({
                "error": error, "earliestTime": null, "mostRecent": null, "missedCount": null,
                "tooMany": false, "requeueAfterSeconds": null, "jobName": null, "sync": sync,
            });
        }
    };
    let recent = most_recent_schedule_time(&cron_job, now, &schedule, true);
    let due = next_schedule_time(&cron_job, now, &schedule);
    let zone = cron_job.spec.time_zone.as_deref().unwrap_or_default();
    let job = recent.most_recent.filter(|_| cron::load_location(zone, zones).is_ok());
    let requeue = next_schedule_time_duration(&cron_job, now, &schedule);
    json!({
        "earliestTime": text(recent.earliest),
        "mostRecent": recent.most_recent.map(text),
        "missedCount": recent.missed.name(),
        "tooMany": due.is_ok_and(|it| it.is_some_and(|(_, too_many)| too_many)),
        "error": recent.error,
        "requeueAfterSeconds": requeue.map(seconds),
        "jobName": job.map(|it| get_job_name(&cron_job, it)),
        "sync": sync,
    })
}

/// A duration as JSON reads it.
#[expect(clippy::cast_precision_loss, reason = "the data is read as floating point, too")]
fn seconds(nanos: i64) -> Value {
    let text = format!("{}.{:09}", nanos / 1_000_000_000, (nanos % 1_000_000_000).abs());
    let sign = if nanos < 0 && nanos > -1_000_000_000 { "-" } else { "" };
    let number: f64 = format!("{sign}{text}").parse().unwrap_or(nanos as f64);
    if number.fract() == 0.0 { json!(nanos / 1_000_000_000) } else { json!(number) }
}

/// One whole pass of the controller.
fn sync(cron_job: &CronJob, now: Timestamp, zones: &Zones) -> Value {
    let mut objects = Objects::default();
    objects.put(cron_job.clone().into_object());
    let settings = Settings::default();
    let key = cron_job.object_ref();
    let mut controller = CronJobController::default();
    let view = View {
        listers: Listers(&objects),
        now,
        seed: 0,
        settings: &settings,
        zones,
        recording: false,
    };
    let mut plan = controller.decide(&key, &view);
    let created = plan.actions.iter().find_map(|it| match it {
        Action::Create { object, .. } if object.kind() == Kind::Job => Some(object.clone()),
        _ => None,
    });
    if !plan.actions.is_empty() {
        let results: Vec<_> = plan.actions.iter().map(|_| Ok(created.clone())).collect();
        let Plan { actions, requeue_at, .. } = controller.applied(&key, &results, &view);
        plan.actions.extend(actions);
        plan.requeue_at = requeue_at.or(plan.requeue_at);
    }
    let job = created.as_ref().and_then(Object::as_kind::<Job>);
    let annotation = job.and_then(|it| {
        let annotations = it.metadata.annotations.as_ref()?;
        annotations.get("batch.kubernetes.io/cronjob-scheduled-timestamp")
    });
    let written = plan.actions.iter().find_map(|it| match it {
        Action::UpdateStatus(object) => object.as_kind::<CronJob>(),
        _ => None,
    });
    let status = written.unwrap_or(cron_job).status.as_ref();
    let last = status.and_then(|it| it.last_schedule_time.as_ref());
    let wait = plan.requeue_at.map(|it| it.duration_since(now));
    let nanos = wait.map(|it: SignedDuration| i64::try_from(it.as_nanos()).unwrap_or(i64::MAX));
    json!({
        "createdJob": job.map(Resource::name),
        "scheduledTimestampAnnotation": annotation,
        "lastScheduleTime": last.map(|it| text(it.0)),
        "statusUpdated": written.is_some(),
        "requeueAfterSeconds": nanos.map(seconds),
        "events": events(&plan, created.as_ref()),
    })
}

fn events(plan: &Plan, created: Option<&Object>) -> Vec<String> {
    let specs = plan.actions.iter().filter_map(|it| match it {
        Action::Record(event) => Some(event),
        Action::Create { created, .. } => created.as_deref(),
        _ => None,
    });
    let name = created.map(Object::name).unwrap_or_default();
    let line = |event: &api::EventSpec| {
        let type_ = if event.warning { "Warning" } else { "Normal" };
        format!("{type_} {} {}", event.reason, event.message.replace("{name}", name))
    };
    specs.map(line).collect()
}
