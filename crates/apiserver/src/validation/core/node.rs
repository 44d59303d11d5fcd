//! Nodes.
//!
//! Upstream: `pkg/apis/core/validation/validation.go` (`ValidateNode`, `ValidateNodeUpdate`), v1.36.

use k8s_openapi::api::core::v1::{Node, NodeSpec, Taint};

use crate::validation::check::{cidr, form, list_of, one_of, positive, qualified_name, str_of};
use crate::validation::core::affinity::EFFECTS;
use crate::validation::{Bad, Errors, Path, internal, meta, resources, text};

pub(crate) fn create(errors: &mut Errors, node: &Node) {
    meta::object_meta(errors, &node.metadata, false, text::dns1123_subdomain);
    let empty = NodeSpec::default();
    let spec = node.spec.as_ref().unwrap_or(&empty);
    // The paths of taints start at the metadata, as upstream's do.
    taints(errors, list_of(&spec.taints));
    amounts(errors, node);
    status(errors, node);
    let spec_path = Path::new("spec");
    let path = spec_path.child("podCIDRs");
    let cidrs = list_of(&spec.pod_cidrs);
    for (index, it) in cidrs.iter().enumerate() {
        cidr(errors, &path.index(index), it);
    }
    let is_v6 = |it: &&String| it.contains(':');
    let n_v6 = cidrs.iter().filter(is_v6).count();
    if cidrs.len() > 1 && (cidrs.len() > 2 || n_v6 != 1) {
        let why = "may specify no more than one CIDR for each IP family";
        errors.invalid(&path, Bad::json(&cidrs), why);
    }
}

pub(crate) fn update(errors: &mut Errors, new: &Node, old: &Node) {
    create(errors, new);
    status_update(errors, new, old);
}

/// Checks an update of the status. Upstream: `ValidateNodeUpdate`, which looks at the spec too.
pub(crate) fn status_update(errors: &mut Errors, new: &Node, old: &Node) {
    meta::object_meta_update(errors, &new.metadata);
    amounts(errors, new);
    addresses(errors, new);
    let empty = NodeSpec::default();
    let spec = new.spec.as_ref().unwrap_or(&empty);
    let before = old.spec.as_ref().unwrap_or(&empty);
    let path = Path::new("spec");
    let (now, then) = (list_of(&spec.pod_cidrs), list_of(&before.pod_cidrs));
    if !then.is_empty() && now != then {
        let why = "node updates may not change podCIDR except from \"\" to valid";
        errors.forbidden(&path.child("podCIDRs"), why);
    }
    let (now, then) = (str_of(&spec.provider_id), str_of(&before.provider_id));
    if !then.is_empty() && now != then {
        let why = "node updates may not change providerID except from \"\" to valid";
        errors.forbidden(&path.child("providerID"), why);
    }
    taints(errors, list_of(&spec.taints));
    if spec.external_id != before.external_id {
        errors.forbidden(&path.child("externalID"), "may not be updated");
    }
}

fn addresses(errors: &mut Errors, node: &Node) {
    let Some(status) = &node.status else { return };
    let all = list_of(&status.addresses);
    let path = Path::new("status");
    let path = path.child("addresses");
    for (index, it) in all.iter().enumerate().filter(|it| all[..it.0].contains(it.1)) {
        let shown = serde_json::json!({"Type": it.type_, "Address": it.address});
        errors.duplicate(&path.index(index), Bad::json(&shown));
    }
}

/// The rest of the status: swap and declared features.
fn status(errors: &mut Errors, node: &Node) {
    let Some(status) = &node.status else { return };
    let swap = status.node_info.as_ref().and_then(|it| it.swap.as_ref());
    if let Some(capacity) = swap.and_then(|it| it.capacity) {
        let meta_path = Path::new("metadata");
        positive(errors, &meta_path.child("nodeSwapStatus").child("capacity"), capacity);
    }
    let status_path = Path::new("status");
    let all = status_path.child("declaredFeatures");
    let features = list_of(&status.declared_features);
    for (index, feature) in features.iter().enumerate() {
        let segment = |it: &str| {
            it.starts_with(|it: char| it.is_ascii_alphabetic())
                && it.bytes().all(|it| it.is_ascii_alphanumeric())
        };
        let upper = feature.starts_with(|it: char| it.is_ascii_uppercase());
        let why = if feature.len() > 253 {
            format!("invalid feature name {feature:?}: must be no more than 253 characters")
        } else if !upper || !feature.split('/').all(segment) {
            format!(
                "invalid feature name {feature:?}: must start with an UpperCamelCase segment, \
                 with subsequent segments separated by '/' (e.g., MyFeature or \
                 MyFeature/mySubFeature), and contain only alphanumeric characters and slashes"
            )
        } else {
            String::new()
        };
        if !why.is_empty() {
            errors.invalid(&all.index(index), feature, &why);
        }
        let Some(next) = features.get(index + 1) else { continue };
        if feature == next {
            errors.duplicate(&all.index(index + 1), next);
        } else if feature > next {
            errors.invalid(&all.index(index + 1), next, "list must be sorted alphabetically");
        }
    }
}

fn amounts(errors: &mut Errors, node: &Node) {
    let Some(status) = &node.status else { return };
    let path = Path::new("status");
    for (field, list) in [("capacity", &status.capacity), ("allocatable", &status.allocatable)] {
        let path = path.child(field);
        for (name, quantity) in list.iter().flatten() {
            resources::quantity_value(errors, &path.child(name), name, quantity);
        }
    }
}

fn taints(errors: &mut Errors, taints: &[Taint]) {
    let meta_path = Path::new("metadata");
    let all = meta_path.child("taints");
    for (index, taint) in taints.iter().enumerate() {
        let path = all.index(index);
        qualified_name(errors, &path.child("key"), &taint.key);
        let value = str_of(&taint.value);
        let messages = text::label_value(value);
        if !messages.is_empty() {
            errors.invalid(&path.child("value"), value, &messages.join(";"));
        }
        if taint.effect.is_empty() {
            errors.required(&path.child("effect"), "");
        } else {
            one_of(errors, &path.child("effect"), &taint.effect, EFFECTS);
        }
        let same = |it: &&Taint| it.key == taint.key && it.effect == taint.effect;
        if taints[..index].iter().any(|it| same(&it)) {
            let why = "taints must be unique by key and effect pair";
            let shown = Bad::raw(internal::dump("Taint", taint));
            errors.duplicate_because(&path, shown, why);
        }
    }
}

/// The name of a node, as other objects give it.
pub(crate) fn name(errors: &mut Errors, path: &Path<'_>, name: &str) {
    form(errors, path, name, text::dns1123_subdomain(name));
}
