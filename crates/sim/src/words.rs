//! How writes read in the history.

use std::fmt::Write as _;

use api::k8s_openapi::api::core::v1::Pod;
use api::{Action, Change, Event, Object, ObjectRef, Resource, pods};

use crate::moments::MomentKind;

/// One line about a change.
pub(crate) struct Line {
    pub(crate) verb: &'static str,
    pub(crate) object: ObjectRef,
    pub(crate) detail: String,
}

/// What an action does, in a word.
pub(crate) fn verb(action: &Action) -> &'static str {
    match action {
        Action::Create { .. } => "create",
        Action::Update(_) => "update",
        Action::UpdateStatus(_) => "status",
        Action::Patch { subresource, .. } => match *subresource {
            "" => "patch",
            "status" => "status",
            "scale" => "scale",
            "resize" => "resize",
            _ => "patch-subresource",
        },
        Action::Delete { .. } => "delete",
        Action::Bind { .. } => "bind",
        Action::Evict { .. } => "evict",
        Action::Record(_) => "event",
    }
}

/// What an action is about.
pub(crate) fn target(action: &Action) -> ObjectRef {
    match action {
        Action::Create { object, .. } | Action::Update(object) | Action::UpdateStatus(object) => {
            object.object_ref()
        }
        Action::Patch { key, .. } | Action::Delete { key, .. } => key.clone(),
        Action::Bind { pod, .. } | Action::Evict { pod, .. } => pod.clone(),
        Action::Record(event) => event.regarding.clone(),
    }
}

/// The node that a pod is bound to.
pub(crate) fn node_of(object: &Object) -> Option<&str> {
    pods::node_name(object.as_kind::<Pod>()?)
}

/// Describes a change that came of an action with the given verb.
pub(crate) fn of_change(
    change: &Change,
    key: &ObjectRef,
    verb: &'static str,
    moments: &[(MomentKind, String)],
) -> Line {
    if let Some(event) = change.new.as_ref().and_then(Object::as_kind::<Event>) {
        return of_event(event);
    }
    let verb = match (&change.old, &change.new) {
        (None, _) => "create",
        (_, None) => "delete",
        (Some(old), Some(new)) => {
            let terminating = |it: &Object| it.meta().deletion_timestamp.is_some();
            if !terminating(old) && terminating(new) && verb != "evict" {
                "terminate"
            } else {
                verb
            }
        }
    };
    let mut detail = String::new();
    for (_, text) in moments {
        let separator = if detail.is_empty() { "" } else { "; " };
        let is_repetition = (verb, text.as_str()) == ("create", "created")
            || (verb, text.as_str()) == ("delete", "deleted")
            || (verb, text.as_str()) == ("terminate", "terminating");
        if !is_repetition {
            let _ = write!(detail, "{separator}{text}");
        }
    }
    if detail.is_empty() && verb == "status" {
        detail = change.new.as_ref().map(figures).unwrap_or_default();
    }
    Line { verb, object: key.clone(), detail }
}

fn of_event(event: &Event) -> Line {
    let object = event.regarding().unwrap_or_else(|| event.object_ref());
    let mut detail = [event.type_name(), " ", event.reason(), ": ", event.message()].concat();
    if event.count() > 1 {
        let _ = write!(detail, " (x{})", event.count());
    }
    Line { verb: "event", object, detail }
}

/// The figures of a workload's status, for a status write without a closer word.
fn figures(object: &Object) -> String {
    let n = |it: Option<i32>| it.unwrap_or_default();
    match object {
        Object::Job(job) => job.status.as_ref().map(|it| {
            format!(
                "active {} ready {} succeeded {} failed {}",
                n(it.active),
                n(it.ready),
                n(it.succeeded),
                n(it.failed)
            )
        }),
        Object::CronJob(cron) => {
            cron.status.as_ref().map(|it| format!("active {}", it.active.iter().flatten().count()))
        }
        Object::ReplicaSet(rs) => rs
            .status
            .as_ref()
            .map(|it| format!("replicas {} ready {}", it.replicas, n(it.ready_replicas))),
        Object::Deployment(it) => it.status.as_ref().map(|it| {
            format!(
                "replicas {} updated {} ready {}",
                n(it.replicas),
                n(it.updated_replicas),
                n(it.ready_replicas)
            )
        }),
        Object::StatefulSet(it) => it
            .status
            .as_ref()
            .map(|it| format!("replicas {} ready {}", it.replicas, n(it.ready_replicas))),
        Object::DaemonSet(it) => it.status.as_ref().map(|it| {
            format!(
                "desired {} current {} ready {}",
                it.desired_number_scheduled, it.current_number_scheduled, it.number_ready
            )
        }),
        _ => None,
    }
    .unwrap_or_default()
}
