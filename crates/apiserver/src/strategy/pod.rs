//! What becomes of a pod's spec before it is stored, in pods and in templates.
//!
//! Upstream: `pkg/registry/core/pod/strategy.go`, `pkg/api/pod/util.go`, v1.36.

use std::collections::BTreeMap;
use std::sync::Arc;

use api::Object;
use k8s_openapi::api::core::v1::{
    AppArmorProfile, Container, Lifecycle, Pod, PodCondition, PodSpec, PodStatus,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{
    LabelSelector, LabelSelectorRequirement, ObjectMeta,
};

use crate::validation::core::pod::APP_ARMOR;

pub(super) fn prepare(pod: &mut Pod) {
    pod.metadata.generation = Some(1);
    let mut status = PodStatus {
        phase: Some("Pending".to_owned()),
        qos_class: pod.spec.as_ref().map(|it| api::resources::qos_class(it).to_owned()),
        ..Default::default()
    };
    let spec = pod.spec.get_or_insert_default();
    merge_match_label_keys(&pod.metadata, spec);
    merge_spread_keys(&pod.metadata, spec);
    apply_app_armor(&pod.metadata, spec);
    if !spec.scheduling_gates.as_deref().unwrap_or_default().is_empty() {
        status.conditions = Some(vec![PodCondition {
            type_: "PodScheduled".to_owned(),
            status: "False".to_owned(),
            reason: Some("SchedulingGated".to_owned()),
            message: Some("Scheduling is blocked due to non-empty scheduling gates".to_owned()),
            ..Default::default()
        }]);
    }
    pod.status = Some(status);
}

/// Writes `matchLabelKeys` and `mismatchLabelKeys` into the selectors of pod affinity and of
/// spread constraints. Upstream: `applyMatchLabelKeysAndMismatchLabelKeys`.
fn merge_match_label_keys(meta: &ObjectMeta, spec: &mut PodSpec) {
    let empty = BTreeMap::new();
    let labels = meta.labels.as_ref().unwrap_or(&empty);
    let Some(affinity) = &mut spec.affinity else { return };
    let affine = affinity.pod_affinity.iter_mut().flat_map(|it| {
        let preferred = it.preferred_during_scheduling_ignored_during_execution.iter_mut();
        let preferred = preferred.flatten().map(|it| &mut it.pod_affinity_term);
        let required = it.required_during_scheduling_ignored_during_execution.iter_mut().flatten();
        preferred.chain(required)
    });
    let anti = affinity.pod_anti_affinity.iter_mut().flat_map(|it| {
        let preferred = it.preferred_during_scheduling_ignored_during_execution.iter_mut();
        let preferred = preferred.flatten().map(|it| &mut it.pod_affinity_term);
        let required = it.required_during_scheduling_ignored_during_execution.iter_mut().flatten();
        preferred.chain(required)
    });
    for term in affine.chain(anti) {
        let Some(selector) = &mut term.label_selector else { continue };
        for key in term.match_label_keys.iter().flatten() {
            push_requirement(selector, key, "In", labels);
        }
        for key in term.mismatch_label_keys.iter().flatten() {
            push_requirement(selector, key, "NotIn", labels);
        }
    }
}

/// As [`merge_match_label_keys`], for spread constraints. Upstream:
/// `applyMatchLabelKeys`.
fn merge_spread_keys(meta: &ObjectMeta, spec: &mut PodSpec) {
    let empty = BTreeMap::new();
    let labels = meta.labels.as_ref().unwrap_or(&empty);
    for constraint in spec.topology_spread_constraints.iter_mut().flatten() {
        let Some(selector) = &mut constraint.label_selector else { continue };
        for key in constraint.match_label_keys.iter().flatten() {
            push_requirement(selector, key, "In", labels);
        }
    }
}

fn push_requirement(
    selector: &mut LabelSelector,
    key: &str,
    operator: &str,
    labels: &BTreeMap<String, String>,
) {
    let Some(value) = labels.get(key) else { return };
    let requirement = LabelSelectorRequirement {
        key: key.to_owned(),
        operator: operator.to_owned(),
        values: Some(vec![value.clone()]),
    };
    selector.match_expressions.get_or_insert_default().push(requirement);
}

pub(super) fn prepare_status(new: &mut Pod, old: &Pod) {
    new.metadata.owner_references = old.metadata.owner_references.clone();
    let (Some(status), Some(before)) = (&mut new.status, &old.status) else { return };
    if status.qos_class.is_none() {
        status.qos_class = before.qos_class.clone();
    }
    if status.observed_generation.is_none() {
        status.observed_generation = before.observed_generation;
    }
    for condition in status.conditions.iter_mut().flatten() {
        if condition.observed_generation.is_none() {
            let mut earlier = before.conditions.iter().flatten();
            let earlier = earlier.find(|it| it.type_ == condition.type_);
            condition.observed_generation = earlier.and_then(|it| it.observed_generation);
        }
    }
}

/// Takes back everything but the resources. Where containers came, went or changed places, all of
/// the new spec stays, so that it is refused. Upstream: `dropNonResizeUpdates`.
pub(super) fn prepare_resize(new: &mut Pod, old: &Pod) {
    let (Some(spec), Some(before)) = (&mut new.spec, &old.spec) else { return };
    let init = before.init_containers.as_deref().unwrap_or_default();
    let new_init = spec.init_containers.as_deref().unwrap_or_default();
    if spec.containers.len() != before.containers.len() || new_init.len() != init.len() {
        return;
    }
    let containers = resized(&spec.containers, &before.containers);
    let init = spec.init_containers.as_ref().map(|it| resized(it, init));
    *spec = PodSpec {
        containers,
        init_containers: init,
        resources: spec.resources.take(),
        ..before.clone()
    };
    new.status.clone_from(&old.status);
    new.metadata.clone_from(&old.metadata);
}

fn resized(new: &[Container], old: &[Container]) -> Vec<Container> {
    if new.iter().zip(old).any(|(new, old)| new.name != old.name) {
        return new.to_vec();
    }
    let pairs = new.iter().zip(old);
    let resized = pairs.map(|(new, old)| Container {
        resources: new.resources.clone(),
        resize_policy: new.resize_policy.clone(),
        ..old.clone()
    });
    resized.collect()
}

/// The spec of the pods that an object is or makes.
fn spec_of(object: &Object) -> Option<&PodSpec> {
    match object {
        Object::Pod(it) => it.spec.as_ref(),
        Object::ReplicaSet(it) => it.spec.as_ref()?.template.as_ref()?.spec.as_ref(),
        Object::Deployment(it) => it.spec.as_ref()?.template.spec.as_ref(),
        Object::StatefulSet(it) => it.spec.as_ref()?.template.spec.as_ref(),
        Object::DaemonSet(it) => it.spec.as_ref()?.template.spec.as_ref(),
        Object::Job(it) => it.spec.as_ref()?.template.spec.as_ref(),
        Object::CronJob(it) => it.spec.job_template.spec.as_ref()?.template.spec.as_ref(),
        _ => None,
    }
}

fn spec_mut(object: &mut Object) -> Option<&mut PodSpec> {
    match object {
        Object::Pod(it) => Arc::make_mut(it).spec.as_mut(),
        Object::ReplicaSet(it) => Arc::make_mut(it).spec.as_mut()?.template.as_mut()?.spec.as_mut(),
        Object::Deployment(it) => Arc::make_mut(it).spec.as_mut()?.template.spec.as_mut(),
        Object::StatefulSet(it) => Arc::make_mut(it).spec.as_mut()?.template.spec.as_mut(),
        Object::DaemonSet(it) => Arc::make_mut(it).spec.as_mut()?.template.spec.as_mut(),
        Object::Job(it) => Arc::make_mut(it).spec.as_mut()?.template.spec.as_mut(),
        Object::CronJob(it) => {
            let job = Arc::make_mut(it).spec.job_template.spec.as_mut()?;
            job.template.spec.as_mut()
        }
        _ => None,
    }
}

/// Takes away what belongs to features that are off, unless the old object has it. Upstream:
/// `dropDisabledFields`.
pub(super) fn drop_disabled_fields(object: &mut Object, old: Option<&Object>) {
    let uses = |it: &Object| spec_of(it).is_some_and(uses_disabled);
    if !uses(object) || old.is_some_and(uses) {
        return;
    }
    let Some(spec) = spec_mut(object) else { return };
    spec.scheduling_group = None;
    for volume in spec.volumes.iter_mut().flatten() {
        let sources = volume.projected.iter_mut().flat_map(|it| it.sources.iter_mut());
        for source in sources.flatten() {
            source.cluster_trust_bundle = None;
            source.pod_certificate = None;
        }
    }
    let containers = spec.containers.iter_mut().chain(spec.init_containers.iter_mut().flatten());
    let lives = containers.map(|it| &mut it.lifecycle);
    let ephemeral = spec.ephemeral_containers.iter_mut().flatten().map(|it| &mut it.lifecycle);
    for life in lives.chain(ephemeral) {
        if let Some(it) = life
            && it.stop_signal.take().is_some()
            && *it == Lifecycle::default()
        {
            *life = None;
        }
    }
}

fn uses_disabled(spec: &PodSpec) -> bool {
    let stops = |it: &Option<Lifecycle>| it.as_ref().is_some_and(|it| it.stop_signal.is_some());
    let mut volumes = spec.volumes.iter().flatten();
    spec.scheduling_group.is_some()
        || volumes.any(|it| {
            let sources = it.projected.iter().flat_map(|it| it.sources.iter().flatten());
            sources
                .into_iter()
                .any(|it| it.cluster_trust_bundle.is_some() || it.pod_certificate.is_some())
        })
        || spec.containers.iter().any(|it| stops(&it.lifecycle))
        || spec.init_containers.iter().flatten().any(|it| stops(&it.lifecycle))
        || spec.ephemeral_containers.iter().flatten().any(|it| stops(&it.lifecycle))
}

/// The profile that an annotation of older versions names. Upstream: `ApparmorFieldForAnnotation`.
pub(crate) fn app_armor_profile(annotation: &str) -> Option<AppArmorProfile> {
    let type_ = match annotation {
        "unconfined" => "Unconfined",
        "runtime/default" => "RuntimeDefault",
        other => {
            let file = other.strip_prefix("localhost/")?;
            let fits = !file.is_empty() && file.trim() == file && file.len() <= 4095;
            return fits.then(|| AppArmorProfile {
                type_: "Localhost".to_owned(),
                localhost_profile: Some(file.to_owned()),
            });
        }
    };
    Some(AppArmorProfile { type_: type_.to_owned(), localhost_profile: None })
}

/// Writes profiles that only annotations name into the fields. Upstream:
/// `applyAppArmorVersionSkew`.
fn apply_app_armor(meta: &ObjectMeta, spec: &mut PodSpec) {
    let Some(annotations) = &meta.annotations else { return };
    let named = annotations.keys().any(|it| it.starts_with(APP_ARMOR));
    if !named || spec.os.as_ref().is_some_and(|it| it.name == "windows") {
        return;
    }
    let of_pod = spec.security_context.as_ref().and_then(|it| it.app_armor_profile.clone());
    let containers = spec.containers.iter_mut().chain(spec.init_containers.iter_mut().flatten());
    for container in containers.filter(|it| own_profile(it).is_none()) {
        let annotation = annotations.get(&format!("{APP_ARMOR}{}", container.name));
        let Some(profile) = annotation.and_then(|it| app_armor_profile(it)) else { continue };
        if of_pod.as_ref() != Some(&profile) {
            container.security_context.get_or_insert_default().app_armor_profile = Some(profile);
        }
    }
}

fn own_profile(container: &Container) -> Option<&AppArmorProfile> {
    container.security_context.as_ref().and_then(|it| it.app_armor_profile.as_ref())
}

/// What the server says of annotations that [`apply_app_armor`] is about to read, or of those in
/// a template, where they stay what they are.
pub(crate) fn app_armor_warnings(path: &str, spec: &PodSpec, meta: &ObjectMeta) -> Vec<String> {
    let Some(annotations) = &meta.annotations else { return Vec::new() };
    let in_template = !path.is_empty();
    let windows = spec.os.as_ref().is_some_and(|it| it.name == "windows");
    if (windows && !in_template) || !annotations.keys().any(|it| it.starts_with(APP_ARMOR)) {
        return Vec::new();
    }
    let of_pod = spec.security_context.as_ref().and_then(|it| it.app_armor_profile.as_ref());
    let containers = spec.init_containers.iter().flatten().chain(&spec.containers);
    let mut warnings = Vec::new();
    for container in containers.filter(|it| own_profile(it).is_none()) {
        let key = format!("{APP_ARMOR}{}", container.name);
        let Some(annotation) = annotations.get(&key) else { continue };
        let profile = app_armor_profile(annotation);
        if profile.is_none() || of_pod != profile.as_ref() {
            warnings.push(format!(
                "{path}metadata.annotations[{key}]: deprecated since v1.30; use the \
                 \"appArmorProfile\" field instead"
            ));
        }
    }
    warnings
}

#[cfg(test)]
mod tests {
    use super::*;
    use api::Resource;
    use serde_json::json;

    fn pod(meta: serde_json::Value, spec: serde_json::Value) -> Pod {
        let pod = json!({"metadata": meta, "spec": spec});
        serde_json::from_value(pod).unwrap()
    }

    #[test]
    fn what_a_feature_that_is_off_would_read_is_dropped() {
        let rows = [
            (json!({"stopSignal": "SIGTERM"}), json!(null)),
            (
                json!({"stopSignal": "SIGTERM", "preStop": {"sleep": {"seconds": 1}}}),
                json!({"preStop": {"sleep": {"seconds": 1}}}),
            ),
        ];
        for (given, kept) in rows {
            let spec = json!({
                "schedulingGroup": {"podGroupName": "g"},
                "containers": [{"name": "a", "lifecycle": given}],
            });
            let mut object = pod(json!({}), spec).into_object();
            let old = object.clone();
            drop_disabled_fields(&mut object, Some(&old));
            assert_eq!(object, old, "it was there before");
            drop_disabled_fields(&mut object, None);
            let spec = serde_json::to_value(spec_of(&object).unwrap()).unwrap();
            assert_eq!(spec["containers"][0]["lifecycle"], kept);
            assert_eq!(spec["schedulingGroup"], json!(null));
        }
    }

    #[test]
    fn an_annotation_becomes_the_profile_of_its_container() {
        for (annotation, type_) in [
            ("runtime/default", json!("RuntimeDefault")),
            ("unconfined", json!("Unconfined")),
            ("localhost/a", json!("Localhost")),
            ("localhost/", json!(null)),
            ("other", json!(null)),
        ] {
            let key = format!("{APP_ARMOR}a");
            let meta = json!({"annotations": {key: annotation}});
            let spec = json!({"containers": [{"name": "a"}, {"name": "b"}]});
            let mut pod = pod(meta, spec);
            let warnings = app_armor_warnings("", pod.spec.as_ref().unwrap(), &pod.metadata);
            assert_eq!(warnings.len(), 1, "{annotation}");
            apply_app_armor(&pod.metadata, pod.spec.as_mut().unwrap());
            let spec = serde_json::to_value(&pod.spec).unwrap();
            let profile = &spec["containers"][0]["securityContext"]["appArmorProfile"];
            assert_eq!(profile["type"], type_, "{annotation}");
            assert_eq!(spec["containers"][1]["securityContext"], json!(null));
        }
    }
}
