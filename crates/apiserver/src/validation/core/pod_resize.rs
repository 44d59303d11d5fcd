//! What may change in a pod's resources while it runs.
//!
//! Upstream: `pkg/apis/core/validation/validation.go` (`ValidatePodResize`), v1.36.
//! Differs from upstream: every node is taken to be able to resize, because the simulated kubelet
//! does not report the resources of containers.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{Container, Pod, PodSpec, ResourceRequirements};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;

use crate::validation::check::{list_of, str_of};
use crate::validation::core::pod;
use crate::validation::{Context, Errors, Path, meta, resources};

type List = BTreeMap<String, Quantity>;

pub(crate) fn resize(errors: &mut Errors, new: &Pod, old: &Pod, context: &Context<'_>) {
    let (Some(spec), Some(before)) = (&new.spec, &old.spec) else { return };
    let whole = Path::new("");
    let annotations = old.metadata.annotations.as_ref();
    if annotations.is_some_and(|it| it.contains_key(pod::MIRROR)) {
        return errors.forbidden(&whole, "static pods cannot be resized");
    }
    if before.os.as_ref().is_some_and(|it| it.name == "windows") {
        return errors.forbidden(&whole, "windows pods cannot be resized");
    }
    meta::object_meta_update(errors, &new.metadata);
    pod::metadata_and_spec(errors, new, context);
    let path = Path::new("spec");
    let status = old.status.as_ref().map(|it| str_of(&it.qos_class)).unwrap_or_default();
    let class = match status {
        "" => api::resources::qos_class(before),
        given => given,
    };
    if class != api::resources::qos_class(spec) {
        let why = "Pod QOS Class may not change as a result of resizing";
        errors.invalid(&path, status, why);
    }
    pod_level(errors, &path, spec, before);
    let ordered = ordering(errors, &path, "containers", &spec.containers, &before.containers)
        & ordering(
            errors,
            &path,
            "initContainers",
            list_of(&spec.init_containers),
            list_of(&before.init_containers),
        );
    if ordered {
        containers(errors, &path, spec, before);
    }
}

/// Upstream: `validatePodLevelResourcesResize`.
fn pod_level(errors: &mut Errors, path: &Path<'_>, new: &PodSpec, old: &PodSpec) {
    let is_set = |it: &PodSpec| {
        it.resources
            .as_ref()
            .is_some_and(|it| it.requests.iter().chain(&it.limits).any(|list| !list.is_empty()))
    };
    if !is_set(new) && !is_set(old) {
        return;
    }
    let own = path.child("resources");
    let (Some(now), before) = (&new.resources, old.resources.as_ref()) else {
        return errors.forbidden(&own, "pod-level resources cannot be removed");
    };
    removed(errors, &own, now, before, "pod-level resource");
    if !only_native(now, before) {
        errors.forbidden(path, "only cpu and memory resources are mutable at pod-level");
    }
}

/// Upstream: `validatePodResizeContainerOrdering`.
fn ordering(
    errors: &mut Errors,
    path: &Path<'_>,
    field: &str,
    new: &[Container],
    old: &[Container],
) -> bool {
    let path = path.child(field);
    if new.len() != old.len() {
        errors.forbidden(&path, &format!("{field} may not be added or removed on resize"));
        return false;
    }
    let before = errors.len();
    let pairs = new.iter().zip(old).enumerate();
    for (index, _) in pairs.filter(|(_, (new, old))| new.name != old.name) {
        let why = format!("{field} may not be renamed or reordered on resize");
        errors.forbidden(&path.index(index).child("name"), &why);
    }
    errors.len() == before
}

fn containers(errors: &mut Errors, path: &Path<'_>, spec: &PodSpec, before: &PodSpec) {
    let (init, old_init) = (list_of(&spec.init_containers), list_of(&before.init_containers));
    let both = [
        ("initContainers", init, old_init),
        ("containers", spec.containers.as_slice(), before.containers.as_slice()),
    ];
    let empty = ResourceRequirements::default();
    for (field, new, old) in both {
        let list = path.child(field);
        for (index, (new, old)) in new.iter().zip(old).enumerate() {
            let at = list.index(index);
            let now = new.resources.as_ref().unwrap_or(&empty);
            removed(errors, &at.child("resources"), now, old.resources.as_ref(), "resource");
        }
    }
    for _ in spec.containers.iter().zip(&before.containers).filter(|(new, old)| !is_fine(new, old))
    {
        errors.forbidden(path, "only cpu and memory resources are mutable");
    }
    let list = path.child("initContainers");
    for (index, (new, old)) in init.iter().zip(old_init).enumerate() {
        if !is_fine(new, old) {
            let why = "only cpu and memory resources for init or sidecar containers are mutable";
            errors.forbidden(&list.index(index), why);
        }
        let restarts = new.resize_policy.iter().flatten();
        let mut restarts = restarts.filter(|it| it.restart_policy == "RestartContainer");
        if new != old && !api::resources::is_sidecar(new) && restarts.next().is_some() {
            let why = "non-sidecar init containers with a resize policy of RestartContainer cannot \
                       be resized";
            errors.forbidden(&list.index(index), why);
        }
    }
}

/// Whether the containers differ in nothing but how much CPU and memory they get.
fn is_fine(new: &Container, old: &Container) -> bool {
    let empty = ResourceRequirements::default();
    let now = new.resources.as_ref().unwrap_or(&empty);
    let same = Container { resources: old.resources.clone(), ..new.clone() };
    now.claims.as_ref().is_none_or(Vec::is_empty)
        && same == *old
        && only_native(now, old.resources.as_ref())
}

fn lists(it: Option<&ResourceRequirements>) -> [Option<&List>; 2] {
    [it.and_then(|it| it.requests.as_ref()), it.and_then(|it| it.limits.as_ref())]
}

/// Whether only amounts of CPU and memory differ.
fn only_native(new: &ResourceRequirements, old: Option<&ResourceRequirements>) -> bool {
    let others = |list: Option<&List>| -> Vec<(String, api::quantity::Exact)> {
        let all = list.into_iter().flatten();
        let others = all.filter(|it| !matches!(it.0.as_str(), "cpu" | "memory"));
        others.map(|(name, amount)| (name.clone(), resources::exact(amount))).collect()
    };
    lists(Some(new)).into_iter().zip(lists(old)).all(|(new, old)| others(new) == others(old))
}

/// What was asked for once has to be asked for again.
fn removed(
    errors: &mut Errors,
    path: &Path<'_>,
    new: &ResourceRequirements,
    old: Option<&ResourceRequirements>,
    what: &str,
) {
    let names = ["requests", "limits"];
    for ((name, new), old) in names.iter().zip(lists(Some(new))).zip(lists(old)) {
        let mut before = old.into_iter().flatten();
        if before.any(|(key, _)| new.is_none_or(|it| !it.contains_key(key))) {
            errors.forbidden(&path.child(name), &format!("{what} {name} cannot be removed"));
        }
    }
}
