//! `kubectl rollout history` and `undo`: the revisions of an object and the way back to one.
//!
//! Upstream: `staging/src/k8s.io/kubectl/pkg/polymorphichelpers/{history,rollback}.go`,
//! `staging/src/k8s.io/kubectl/pkg/cmd/rollout/rollout_undo.go`, v1.36.

use std::collections::BTreeMap;

use api::Gather;
use api::Order;
use api::{Action, Kind, Listers, Object, ObjectRef, Patch};
use k8s_openapi::api::apps::v1::{ControllerRevision, ReplicaSet};
use serde_json::{Value, json};

use super::{CHANGE_CAUSE, REVISION, no_revisions};
use crate::DryRun;
use crate::commands::{Session, describe, display_name};
use crate::failure::Failure;
use crate::last_applied;

/// What a rollback leaves of a Deployment's own, and does not take from the ReplicaSet's. Upstream:
/// `annotationsToSkip`.
const KEPT_ANNOTATIONS: [&str; 6] = [
    "kubectl.kubernetes.io/last-applied-configuration",
    REVISION,
    "deployment.kubernetes.io/revision-history",
    "deployment.kubernetes.io/desired-replicas",
    "deployment.kubernetes.io/max-replicas",
    "deprecated.deployment.rollback.to",
];

/// A revision of a workload: its number, what is noted about it, and its pod template.
struct Revision {
    number: i64,
    annotations: BTreeMap<String, String>,
    template: Value,
    /// The object that is the revision.
    key: Option<ObjectRef>,
}

/// A pod template as JSON, without what is no part of it where it is kept.
fn bare(mut template: Value) -> Value {
    if let Some(labels) = template.pointer_mut("/metadata/labels").and_then(Value::as_object_mut) {
        labels.remove("pod-template-hash");
    }
    if let Some(fields) = template.as_object_mut() {
        fields.remove("$patch");
    }
    template
}

/// The revisions of a workload, oldest first.
fn revisions(session: &Session<'_>, object: &Object) -> Vec<Revision> {
    let listers = Listers(session.client.objects());
    let mut all: Vec<Revision> = match object.kind() {
        Kind::Deployment => listers
            .owned_by::<ReplicaSet>(object.uid())
            .filter_map(|it| {
                let annotations = it.metadata.annotations.clone()?;
                let number = annotations.get(REVISION)?.parse().ok()?;
                let template = it.spec.as_ref().and_then(|it| it.template.as_ref());
                let template = api::wire::to_value(&template);
                let key = Some(ObjectRef::new(
                    Kind::ReplicaSet,
                    it.metadata.namespace.as_deref().unwrap_or_default(),
                    it.metadata.name.as_deref().unwrap_or_default(),
                ));
                Some(Revision { number, annotations, template, key })
            })
            .collect(),
        _ => listers
            .owned_by::<ControllerRevision>(object.uid())
            .map(|it| {
                let data = it.data.as_ref();
                let template = data.and_then(|it| it.0.pointer("/spec/template").cloned());
                Revision {
                    number: it.revision,
                    annotations: it.metadata.annotations.clone().unwrap_or_default(),
                    template: template.unwrap_or_default(),
                    key: None,
                }
            })
            .collect(),
    };
    all.order_by_key(|it| it.number);
    all
}

pub(super) fn history(session: &mut Session<'_>, object: &Object) -> Result<(), Failure> {
    if !matches!(object.kind(), Kind::Deployment | Kind::DaemonSet | Kind::StatefulSet) {
        return Err(no_revisions(object.kind(), "history viewer", "history"));
    }
    let all = revisions(session, object);
    let name = display_name(object.kind(), object.name());
    let wanted = session.args.int("revision").map_err(Failure::Flags)?.unwrap_or_default();
    if session.args.has("output") {
        return print_revisions(session, object, &all, wanted);
    }
    if all.is_empty() {
        let which = if wanted > 0 { format!("with revision #{wanted}") } else { String::new() };
        session.output.out(format!("{name} {which}\nNo rollout history found.\n"));
        return Ok(());
    }
    if wanted > 0 {
        let Some(revision) = all.iter().find(|it| it.number == wanted) else {
            return Err(Failure::text("unable to find the specified revision"));
        };
        let mut template = revision.template.clone();
        if let Some(cause) = revision.annotations.get(CHANGE_CAUSE).filter(|it| !it.is_empty())
            && object.kind() == Kind::Deployment
        {
            template["metadata"]["annotations"][CHANGE_CAUSE] = cause.as_str().into();
        }
        let text = describe::pod_template(&template);
        let text = format!("{name} with revision #{wanted}\n{text}\n");
        session.output.out(text);
        return Ok(());
    }
    let mut table = "REVISION\tCHANGE-CAUSE\n".to_owned();
    for it in &all {
        let cause = it.annotations.get(CHANGE_CAUSE).map(String::as_str).unwrap_or_default();
        let cause = if cause.is_empty() { "<none>" } else { cause };
        table.push_str(&format!("{}\t{cause}\n", it.number));
    }
    let table = rows::align(&table, 0, 2);
    session.output.out(format!("{name} \n{table}\n"));
    Ok(())
}

/// Revisions as objects: the replica sets of a deployment, the others as they were then.
fn print_revisions(
    session: &mut Session<'_>,
    object: &Object,
    all: &[Revision],
    wanted: i64,
) -> Result<(), Failure> {
    let mut found = all.iter().filter(|it| wanted == 0 || it.number == wanted).peekable();
    if wanted > 0 && found.peek().is_none() {
        return Err(Failure::text("unable to find the specified revision"));
    }
    for revision in found {
        let mut shown = object.clone();
        if let Some(key) = &revision.key {
            shown = session.client.objects().get(key).cloned().unwrap_or(shown);
        } else {
            let mut value = api::wire::to_value(object);
            value["spec"]["template"] = bare(revision.template.clone());
            shown = api::wire::object_from_value(object.kind(), &value).unwrap_or(shown);
        }
        session.print(&shown, "")?;
    }
    Ok(())
}

/// An older revision is not what was applied last.
fn warn_of_apply(session: &mut Session<'_>, object: &Object) {
    let annotation = last_applied::ANNOTATION;
    if object.meta().annotations.iter().flatten().any(|it| it.0 == annotation) {
        session.output.err(format!(
            "Warning: resource {}/{} was previously managed with 'kubectl apply'. Rolling back will not \
             update the {annotation} annotation, which may cause unexpected behavior on future 'kubectl \
             apply' operations. Consider using 'kubectl apply' with your previous configuration file \
             instead.\n",
            object.kind().plural(),
            object.name()
        ));
    }
}

pub(super) fn undo(session: &mut Session<'_>, object: &Object) -> Result<(), Failure> {
    let kind = object.kind();
    warn_of_apply(session, object);
    if !matches!(kind, Kind::Deployment | Kind::DaemonSet | Kind::StatefulSet) {
        return Err(no_revisions(kind, "rollbacker", "rollbacker"));
    }
    let wanted = session.args.int("to-revision").map_err(Failure::Flags)?.unwrap_or_default();
    let all = revisions(session, object);
    let target = match wanted {
        0 => all.len().checked_sub(2).and_then(|it| all.get(it)),
        wanted => all.iter().find(|it| it.number == wanted),
    };
    let Some(target) = target else {
        return Err(Failure::Text(match wanted {
            0 => {
                let kind = kind.name().to_lowercase();
                match object.kind() {
                    Kind::Deployment => {
                        format!("no rollout history found for {kind} {:?}", object.name())
                    }
                    _ => "no last revision to roll back to".to_owned(),
                }
            }
            _ => format!("unable to find specified revision {wanted} in history"),
        }));
    };
    if session.dry_run()? == Some(DryRun::None) {
        let text = describe::pod_template(&target.template);
        let before = if kind == Kind::Deployment { "" } else { "will roll back to " };
        return session.print(object, &format!("{before}{text}"));
    }
    let now = api::wire::to_value(object);
    if kind == Kind::Deployment && now.pointer("/spec/paused") == Some(&Value::Bool(true)) {
        return Err(Failure::text(
            "you cannot rollback a paused deployment; resume it first with 'kubectl rollout \
                 resume' and try again",
        ));
    }
    let template = now.pointer("/spec/template").cloned().unwrap_or_default();
    if bare(template) == bare(target.template.clone()) {
        let done = format!("skipped rollback (current template already matches revision {wanted})");
        return session.print(object, &done);
    }
    let patch = Patch::Json(rollback(object, target));
    let action = Action::Patch { key: object.object_ref(), subresource: "", patch };
    session.write(&action)?;
    session.print(object, "rolled back")
}

/// What makes a workload again what it was. Upstream: `getDeploymentPatch`, and the data of
/// revisions.
fn rollback(object: &Object, target: &Revision) -> Value {
    let template =
        json!({"op": "replace", "path": "/spec/template", "value": bare(target.template.clone())});
    if object.kind() != Kind::Deployment {
        return json!([template]);
    }
    let is_kept = |it: &(&String, &String)| KEPT_ANNOTATIONS.contains(&it.0.as_str());
    let own = object.meta().annotations.iter().flatten().filter(is_kept);
    let noted = target.annotations.iter().filter(|it| !is_kept(it));
    let all: BTreeMap<&String, &String> = own.chain(noted).to_map();
    json!([template, {"op": "replace", "path": "/metadata/annotations", "value": all}])
}
