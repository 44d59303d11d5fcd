//! What may change in a pod.
//!
//! Upstream: `pkg/apis/core/validation/validation.go` (`ValidatePodUpdate`), v1.36.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{
    Affinity, Container, NodeAffinity, NodeSelectorTerm, Pod, PodSchedulingGate, PodSpec,
    Toleration,
};

use crate::validation::check::{list_of, str_of};
use crate::validation::core::{affinity, pod};
use crate::validation::{Bad, Context, Errors, Path, diff, internal, meta};

const UPDATABLE: &str = "`spec.containers[*].image`,`spec.initContainers[*].image`,\
    `spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),\
    `spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)";

pub(crate) fn update(errors: &mut Errors, new: &Pod, old: &Pod, context: &Context<'_>) {
    meta::object_meta_update(errors, &new.metadata);
    // Most updates leave all of this as it was stored, and that was in order.
    let same = new.spec == old.spec
        && new.metadata.annotations == old.metadata.annotations
        && new.metadata.labels == old.metadata.labels;
    if same {
        return;
    }
    pod::metadata_and_spec(errors, new, context);
    annotations(errors, new, old);
    let empty = PodSpec::default();
    let spec = new.spec.as_ref().unwrap_or(&empty);
    let before = old.spec.as_ref().unwrap_or(&empty);
    let path = Path::new("spec");
    let lists = [
        ("containers", spec.containers.as_slice(), before.containers.as_slice()),
        ("initContainers", list_of(&spec.init_containers), list_of(&before.init_containers)),
    ];
    for (name, new, old) in lists {
        if !containers(errors, &path.child(name), new, old) {
            return;
        }
    }
    if !deadline(errors, &path, spec, before) {
        return;
    }
    let (now, then) = (list_of(&spec.tolerations), list_of(&before.tolerations));
    only_added(errors, &path.child("tolerations"), now, then);
    let (now, then) = (list_of(&spec.scheduling_gates), list_of(&before.scheduling_gates));
    only_deleted(errors, &path.child("schedulingGates"), now, then);
    if spec == before {
        return;
    }
    let munged = munged(errors, &path, spec, before);
    if munged != *before {
        let old = internal::dump_pretty("PodSpec", before);
        let new = internal::dump_pretty("PodSpec", &munged);
        let difference = diff::unified(&old, &new);
        // What differs only in how the API writes it is no difference.
        if !difference.is_empty() {
            let why =
                format!("pod updates may not change fields other than {UPDATABLE}\n{difference}");
            errors.forbidden(&path, &why);
        }
    }
}

fn annotations(errors: &mut Errors, new: &Pod, old: &Pod) {
    let empty = BTreeMap::new();
    let now = new.metadata.annotations.as_ref().unwrap_or(&empty);
    let then = old.metadata.annotations.as_ref().unwrap_or(&empty);
    let meta_path = Path::new("metadata");
    let path = meta_path.child("annotations");
    for (key, _) in then.iter().filter(|(key, value)| now.get(*key) != Some(value)) {
        if key.starts_with(pod::APP_ARMOR) {
            errors.forbidden(&path.key(key), "may not remove or update AppArmor annotations");
        }
        if key == pod::MIRROR {
            errors.forbidden(&path.key(key), "may not remove or update mirror pod annotation");
        }
    }
    for key in now.keys().filter(|key| !then.contains_key(*key)) {
        if key.starts_with(pod::APP_ARMOR) {
            errors.forbidden(&path.key(key), "may not add AppArmor annotations");
        }
        if key == pod::MIRROR {
            errors.forbidden(&path.key(key), "may not add mirror pod annotation");
        }
    }
}

fn containers(errors: &mut Errors, path: &Path<'_>, new: &[Container], old: &[Container]) -> bool {
    if new.len() != old.len() {
        errors.forbidden(path, "pod updates may not add or remove containers");
        return false;
    }
    for (index, container) in new.iter().enumerate() {
        let path = path.index(index);
        let image = str_of(&container.image);
        if image.is_empty() {
            errors.required(&path.child("image"), "");
        }
        if image.trim() != image {
            let why = "must not have leading or trailing whitespace";
            errors.invalid(&path.child("image"), image, why);
        }
    }
    true
}

fn deadline(errors: &mut Errors, path: &Path<'_>, new: &PodSpec, old: &PodSpec) -> bool {
    let path = path.child("activeDeadlineSeconds");
    match (new.active_deadline_seconds, old.active_deadline_seconds) {
        (Some(seconds), _) if !(0..=i64::from(i32::MAX)).contains(&seconds) => {
            errors.invalid(&path, seconds, "must be between 0 and 2147483647, inclusive");
            false
        }
        (Some(seconds), Some(before)) if before < seconds => {
            errors.invalid(&path, seconds, "must be less than or equal to previous value");
            false
        }
        (None, Some(_)) => {
            let why = "must not update from a positive integer to nil value";
            errors.invalid(&path, Bad::raw("null"), why);
            true
        }
        _ => true,
    }
}

fn only_added(errors: &mut Errors, path: &Path<'_>, new: &[Toleration], old: &[Toleration]) {
    let same = |a: &Toleration, b: &Toleration| {
        let a = Toleration { toleration_seconds: b.toleration_seconds, ..a.clone() };
        a == *b
    };
    if old.iter().any(|old| !new.iter().any(|new| same(old, new))) {
        let why = "existing toleration can not be modified except its tolerationSeconds";
        errors.forbidden(path, why);
        return;
    }
    affinity::tolerations(errors, path, new);
}

fn only_deleted(
    errors: &mut Errors,
    path: &Path<'_>,
    new: &[PodSchedulingGate],
    old: &[PodSchedulingGate],
) {
    for (index, gate) in new.iter().enumerate() {
        if !old.iter().any(|it| it.name == gate.name) {
            let why =
                format!("only deletion is allowed, but found new scheduling gate '{}'", gate.name);
            let path = path.index(index);
            errors.forbidden(&path.child("name"), &why);
        }
    }
}

/// The new spec with everything taken back that may change.
fn munged(errors: &mut Errors, path: &Path<'_>, new: &PodSpec, old: &PodSpec) -> PodSpec {
    let mut munged = new.clone();
    for (container, before) in munged.containers.iter_mut().zip(&old.containers) {
        container.image.clone_from(&before.image);
    }
    let init = munged.init_containers.iter_mut().flatten();
    for (container, before) in init.zip(list_of(&old.init_containers)) {
        container.image.clone_from(&before.image);
    }
    munged.active_deadline_seconds = old.active_deadline_seconds;
    munged.scheduling_gates.clone_from(&old.scheduling_gates);
    munged.tolerations.clone_from(&old.tolerations);
    let was_negative = old.termination_grace_period_seconds.is_some_and(|it| it < 0);
    if was_negative && munged.termination_grace_period_seconds == Some(1) {
        munged.termination_grace_period_seconds = old.termination_grace_period_seconds;
    }
    if !list_of(&old.scheduling_gates).is_empty() {
        munge_gated(errors, path, &mut munged, old);
    }
    munged
}

/// A gated pod may be directed more closely.
fn munge_gated(errors: &mut Errors, path: &Path<'_>, munged: &mut PodSpec, old: &PodSpec) {
    if munged.node_selector != old.node_selector {
        let new = munged.node_selector.clone().unwrap_or_default();
        let lost =
            old.node_selector.iter().flatten().any(|(key, value)| new.get(key) != Some(value));
        if lost {
            let why = "only additions to spec.nodeSelector are allowed (no mutations or deletions)";
            errors.invalid(&path.child("nodeSelector"), Bad::json(&munged.node_selector), why);
        }
        munged.node_selector.clone_from(&old.node_selector);
    }
    let before = old.affinity.as_ref().and_then(|it| it.node_affinity.clone());
    let now = munged.affinity.as_ref().and_then(|it| it.node_affinity.clone());
    if before == now {
        return;
    }
    let affinity_path = path.child("affinity");
    let node_path = affinity_path.child("nodeAffinity");
    node_affinity(errors, &node_path, now.as_ref(), before.as_ref());
    munged.affinity = match munged.affinity.take() {
        None => before.map(|it| Affinity { node_affinity: Some(it), ..Affinity::default() }),
        Some(it)
            if old.affinity.is_none()
                && it.pod_affinity.is_none()
                && it.pod_anti_affinity.is_none() =>
        {
            None
        }
        Some(it) => Some(Affinity { node_affinity: before, ..it }),
    };
}

fn node_affinity(
    errors: &mut Errors,
    path: &Path<'_>,
    new: Option<&NodeAffinity>,
    old: Option<&NodeAffinity>,
) {
    let terms = |it: Option<&NodeAffinity>| -> Vec<NodeSelectorTerm> {
        let required =
            it.and_then(|it| it.required_during_scheduling_ignored_during_execution.clone());
        required.map(|it| it.node_selector_terms).unwrap_or_default()
    };
    let (new, old) = (terms(new), terms(old));
    let required = path.child("requiredDuringSchedulingIgnoredDuringExecution");
    let all = required.child("nodeSelectorTerms");
    let shown = |terms: &[NodeSelectorTerm]| -> String {
        let terms: Vec<String> =
            terms.iter().map(|it| internal::dump("NodeSelectorTerm", it)).collect();
        format!("[{}]", terms.join(","))
    };
    if !old.is_empty() && old.len() != new.len() {
        let why = "no additions/deletions to non-empty NodeSelectorTerms list are allowed";
        let shown = if new.is_empty() { "null".to_owned() } else { shown(&new) };
        errors.invalid(&all, Bad::raw(shown), why);
        return;
    }
    for (index, (new, old)) in new.iter().zip(&old).enumerate() {
        let expressions = (list_of(&new.match_expressions), list_of(&old.match_expressions));
        let fields = (list_of(&new.match_fields), list_of(&old.match_fields));
        let was_empty = expressions.1.is_empty() && fields.1.is_empty();
        let grew_from_nothing = was_empty && !(expressions.0.is_empty() && fields.0.is_empty());
        let only_grew = expressions.0.starts_with(expressions.1) && fields.0.starts_with(fields.1);
        if grew_from_nothing || !only_grew {
            let why = "only additions are allowed (no mutations or deletions)";
            let shown = Bad::raw(internal::dump("NodeSelectorTerm", new));
            errors.invalid(&all.index(index), shown, why);
        }
    }
}
