//! The groups with a kind or two: policy, scheduling, storage, discovery, coordination.
//!
//! Upstream: `pkg/apis/{policy,scheduling,storage,discovery,coordination}/validation/validation.go`,
//! v1.36.

use api::Order;
use std::collections::BTreeSet;

use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::TopologySelectorTerm;
use k8s_openapi::api::discovery::v1::{EndpointHints, EndpointSlice};
use k8s_openapi::api::policy::v1::{PodDisruptionBudget, PodDisruptionBudgetSpec};
use k8s_openapi::api::scheduling::v1::PriorityClass;
use k8s_openapi::api::storage::v1::{CSIDriver, CSINode, StorageClass};

use crate::validation::check::{
    at_most_100_percent, form, int_or_percent, ip, label, list_of, non_negative_if_set, one_of,
    qualified_name, required_one_of, str_of,
};
use crate::validation::core::{node, service, volume_sources};
use crate::validation::{Bad, Errors, Path, internal, labels, meta, text};

/// Upstream: `HighestUserDefinablePriority`.
const HIGHEST_PRIORITY: i32 = 1_000_000_000;

pub(crate) fn disruption_budget(errors: &mut Errors, budget: &PodDisruptionBudget) {
    // The kind has no validation of its metadata but the one that every object has, afterwards.
    budget_spec(errors, budget);
    if errors.is_empty() {
        meta::accessor(errors, &budget.metadata, true, text::path_segment_name);
    }
}

pub(crate) fn budget_spec(errors: &mut Errors, budget: &PodDisruptionBudget) {
    let empty = PodDisruptionBudgetSpec::default();
    let spec = budget.spec.as_ref().unwrap_or(&empty);
    let path = Path::new("spec");
    if spec.min_available.is_some() && spec.max_unavailable.is_some() {
        let shown = Bad::raw(internal::dump("PodDisruptionBudgetSpec", spec));
        errors.invalid(&path, shown, "minAvailable and maxUnavailable cannot be both set");
    }
    for (field, value) in
        [("minAvailable", &spec.min_available), ("maxUnavailable", &spec.max_unavailable)]
    {
        if let Some(value) = value {
            let path = path.child(field);
            int_or_percent(errors, &path, value);
            at_most_100_percent(errors, &path, value);
        }
    }
    labels::selector(errors, &path.child("selector"), spec.selector.as_ref());
    if let Some(policy) = &spec.unhealthy_pod_eviction_policy {
        let supported = ["AlwaysAllow", "IfHealthyBudget"];
        one_of(errors, &path.child("unhealthyPodEvictionPolicy"), policy, &supported);
    }
}

pub(crate) fn priority_class(errors: &mut Errors, class: &PriorityClass) {
    meta::object_meta(errors, &class.metadata, false, text::dns1123_subdomain);
    let name = str_of(&class.metadata.name);
    let value = class.value.unwrap_or_default();
    if name.starts_with("system-") {
        let known = match name {
            "system-node-critical" => Some(2_000_001_000),
            "system-cluster-critical" => Some(2_000_000_000),
            _ => None,
        };
        let why = match known {
            None => format!("{name} is not a known system priority class"),
            Some(known) if known != value => {
                format!("value of {name} PriorityClass must be {known}")
            }
            Some(_) if class.global_default == Some(true) => {
                format!("globalDefault of {name} PriorityClass must be false")
            }
            Some(_) => String::new(),
        };
        if !why.is_empty() {
            let path = Path::new("metadata");
            let why = format!(
                "priority class names with 'system-' prefix are reserved for system use only. \
                 error: {why}"
            );
            errors.forbidden(&path.child("name"), &why);
        }
    } else if value > HIGHEST_PRIORITY {
        let why = "maximum allowed value of a user defined priority is 1000000000";
        errors.forbidden(&Path::new("value"), why);
    }
    if let Some(policy) = &class.preemption_policy {
        let supported = ["PreemptLowerPriority", "Never"];
        required_one_of(errors, &Path::new("preemptionPolicy"), policy, &supported);
    }
}

pub(crate) fn priority_class_update(errors: &mut Errors, new: &PriorityClass, old: &PriorityClass) {
    meta::object_meta_update(errors, &new.metadata);
    if new.value.unwrap_or_default() != old.value.unwrap_or_default() {
        errors.forbidden(&Path::new("value"), "may not be changed in an update.");
    }
    if new.preemption_policy != old.preemption_policy {
        let shown = Bad::json(&new.preemption_policy);
        errors.invalid(&Path::new("preemptionPolicy"), shown, text::IMMUTABLE);
    }
}

pub(crate) fn storage_class(errors: &mut Errors, class: &StorageClass) {
    meta::object_meta(errors, &class.metadata, false, text::dns1123_subdomain);
    let path = Path::new("provisioner");
    if class.provisioner.is_empty() {
        errors.required(&path, "");
    } else {
        let lower = class.provisioner.to_lowercase();
        form(errors, &path, &lower, text::label_key(&lower));
    }
    let path = Path::new("parameters");
    let parameters = class.parameters.as_ref();
    let n_parameters = parameters.map_or(0, |it| it.len());
    if n_parameters > 512 {
        errors.too_long(&path, 512);
    } else {
        let mut size = 0;
        for (key, value) in parameters.into_iter().flatten() {
            if key.is_empty() {
                errors.invalid(&path, key, "field can not be empty.");
            }
            size += key.len() + value.len();
        }
        if size > 256 * 1024 {
            errors.too_long(&path, 256 * 1024);
        }
    }
    let policy = str_of(&class.reclaim_policy);
    if !policy.is_empty() {
        one_of(errors, &Path::new("reclaimPolicy"), policy, &["Delete", "Retain"]);
    }
    let mode = str_of(&class.volume_binding_mode);
    let supported = ["Immediate", "WaitForFirstConsumer"];
    one_of(errors, &Path::new("volumeBindingMode"), mode, &supported);
    topologies(errors, list_of(&class.allowed_topologies));
}

fn topologies(errors: &mut Errors, terms: &[TopologySelectorTerm]) {
    let all = Path::new("allowedTopologies");
    let sets = |term: &TopologySelectorTerm| -> Vec<(String, BTreeSet<String>)> {
        let mut sets: Vec<_> = list_of(&term.match_label_expressions)
            .iter()
            .map(|it| (it.key.clone(), it.values.iter().cloned().collect()))
            .collect();
        sets.order();
        sets
    };
    for (index, term) in terms.iter().enumerate() {
        let path = all.index(index);
        let expressions_path = path.child("matchLabelExpressions");
        let expressions = list_of(&term.match_label_expressions);
        for (index, it) in expressions.iter().enumerate() {
            let path = expressions_path.index(index);
            let values_path = path.child("values");
            if it.values.is_empty() {
                errors.required(&values_path, "");
            }
            for (index, value) in it.values.iter().enumerate() {
                if it.values[..index].contains(value) {
                    errors.duplicate(&values_path.index(index), value);
                }
            }
            qualified_name(errors, &path.child("key"), &it.key);
            if expressions[..index].iter().any(|other| other.key == it.key) {
                errors.duplicate(&path.child("key"), &it.key);
            }
        }
        // Upstream compares with empty ones, too.
        let own = sets(term);
        if own.is_empty() || terms[..index].iter().any(|it| sets(it) == own) {
            errors.duplicate(&expressions_path, "");
        }
    }
}

pub(crate) fn storage_class_update(errors: &mut Errors, new: &StorageClass, old: &StorageClass) {
    storage_class(errors, new);
    meta::object_meta_update(errors, &new.metadata);
    let parameters = |it: &StorageClass| it.parameters.clone().unwrap_or_default();
    let fields = [
        ("parameters", parameters(new) != parameters(old), Bad::json(&new.parameters)),
        ("provisioner", new.provisioner != old.provisioner, Bad::json(&new.provisioner)),
        ("reclaimPolicy", new.reclaim_policy != old.reclaim_policy, Bad::json(&new.reclaim_policy)),
        (
            "volumeBindingMode",
            new.volume_binding_mode != old.volume_binding_mode,
            Bad::json(&new.volume_binding_mode),
        ),
    ];
    for (field, changed, shown) in fields {
        if changed {
            errors.invalid(&Path::new(field), shown, text::IMMUTABLE);
        }
    }
}

pub(crate) fn csi_node(errors: &mut Errors, csi_node: &CSINode) {
    meta::object_meta(errors, &csi_node.metadata, false, text::dns1123_subdomain);
    csi_node_spec(errors, csi_node);
}

fn csi_node_spec(errors: &mut Errors, csi_node: &CSINode) {
    let spec_path = Path::new("spec");
    let all = spec_path.child("drivers");
    let drivers = &csi_node.spec.drivers;
    for (index, driver) in drivers.iter().enumerate() {
        let path = all.index(index);
        volume_sources::driver_name(errors, &path.child("name"), &driver.name);
        if driver.node_id.is_empty() {
            errors.required(&path.child("nodeID"), "");
        }
        if driver.node_id.len() > 256 {
            let why = "must be 256 characters or less";
            errors.invalid(&path.child("nodeID"), &driver.node_id, why);
        }
        let count = driver.allocatable.as_ref().and_then(|it| it.count);
        let allocatable = path.child("allocatable");
        non_negative_if_set(errors, &allocatable.child("count"), count);
        if drivers[..index].iter().any(|it| it.name == driver.name) {
            errors.duplicate(&path.child("name"), &driver.name);
        }
        let keys = list_of(&driver.topology_keys);
        for (index, key) in keys.iter().enumerate() {
            if key.is_empty() {
                errors.required(&path, "");
            }
            if keys[..index].contains(key) {
                errors.duplicate(&path, key);
            }
            qualified_name(errors, &path, key);
        }
    }
}

pub(crate) fn csi_node_update(errors: &mut Errors, new: &CSINode, old: &CSINode) {
    csi_node(errors, new);
    let path = Path::new("spec");
    for before in &old.spec.drivers {
        let Some(driver) = new.spec.drivers.iter().find(|it| it.name == before.name) else {
            continue;
        };
        let mut bare = driver.clone();
        bare.allocatable.clone_from(&before.allocatable);
        if bare != *before {
            bare.allocatable = None;
            let shown = Bad::raw(internal::dump("CSINodeDriver", &bare));
            errors.invalid(&path.child("drivers"), shown, text::IMMUTABLE);
        }
    }
}

pub(crate) fn csi_driver(errors: &mut Errors, driver: &CSIDriver) {
    meta::object_meta(errors, &driver.metadata, false, text::dns1123_subdomain);
    csi_driver_spec(errors, driver);
}

fn csi_driver_spec(errors: &mut Errors, driver: &CSIDriver) {
    let path = Path::new("spec");
    let spec = &driver.spec;
    if let Some(policy) = &spec.fs_group_policy {
        let supported = ["File", "None", "ReadWriteOnceWithFSType"];
        one_of(errors, &path.child("fsGroupPolicy"), policy, &supported);
    }
    for mode in list_of(&spec.volume_lifecycle_modes) {
        let supported = ["Persistent", "Ephemeral"];
        one_of(errors, &path.child("volumeLifecycleModes"), mode, &supported);
    }
}

pub(crate) fn csi_driver_update(errors: &mut Errors, new: &CSIDriver, old: &CSIDriver) {
    meta::object_meta_update(errors, &new.metadata);
    csi_driver_spec(errors, new);
    let path = Path::new("spec");
    let (now, then) = (&new.spec, &old.spec);
    if now.attach_required != then.attach_required {
        let shown = Bad::json(&now.attach_required);
        errors.invalid(&path.child("attachedRequired"), shown, text::IMMUTABLE);
    }
    if now.volume_lifecycle_modes != then.volume_lifecycle_modes {
        let shown = Bad::json(&now.volume_lifecycle_modes);
        errors.invalid(&path.child("volumeLifecycleModes"), shown, text::IMMUTABLE);
    }
}

pub(crate) fn endpoint_slice(errors: &mut Errors, slice: &EndpointSlice) {
    meta::object_meta(errors, &slice.metadata, true, text::dns1123_subdomain);
    let type_ = slice.address_type.as_str();
    required_one_of(errors, &Path::new("addressType"), type_, &["FQDN", "IPv4", "IPv6"]);
    let all = Path::new("ports");
    let ports = list_of(&slice.ports);
    for (index, port) in ports.iter().enumerate() {
        let path = all.index(index);
        let name = str_of(&port.name);
        if !name.is_empty() {
            label(errors, &path.child("name"), name);
        }
        if ports[..index].iter().any(|it| str_of(&it.name) == name) {
            errors.duplicate(&path.child("name"), name);
        }
        let protocol = str_of(&port.protocol);
        required_one_of(errors, &path.child("protocol"), protocol, &["SCTP", "TCP", "UDP"]);
        if let Some(protocol) = &port.app_protocol {
            qualified_name(errors, &path.child("appProtocol"), protocol);
        }
    }
    let all = Path::new("endpoints");
    let endpoints = list_of(&slice.endpoints);
    if endpoints.len() > 1000 {
        errors.too_many(&all, endpoints.len(), 1000);
        return;
    }
    for (index, endpoint) in endpoints.iter().enumerate() {
        let path = all.index(index);
        let addresses_path = path.child("addresses");
        match endpoint.addresses.len() {
            0 => errors.required(&addresses_path, "must contain at least 1 address"),
            length if length > 100 => errors.too_many(&addresses_path, length, 100),
            _ => {}
        }
        for (index, address) in endpoint.addresses.iter().enumerate() {
            let path = addresses_path.index(index);
            if type_ == "FQDN" || !ip(errors, &path, address) {
                continue;
            }
            let is_v6 = address.contains(':');
            if (type_ == "IPv4" && is_v6) || (type_ == "IPv6" && !is_v6) {
                errors.invalid(&addresses_path, address, &format!("must be an {type_} address"));
            }
            service::endpoint_ip(errors, &path, address);
        }
        if let Some(name) = &endpoint.node_name {
            node::name(errors, &path.child("nodeName"), name);
        }
        if let Some(name) = &endpoint.hostname {
            label(errors, &path.child("hostname"), name);
        }
        if let Some(it) = &endpoint.hints {
            hints(errors, &path.child("hints"), it);
        }
    }
}

fn hints(errors: &mut Errors, path: &Path<'_>, hints: &EndpointHints) {
    let zones = list_of(&hints.for_zones).iter().map(|it| it.name.as_str()).collect();
    let nodes = list_of(&hints.for_nodes).iter().map(|it| it.name.as_str()).collect();
    let (zone, node): (meta::NameForm, meta::NameForm) =
        (text::label_value, text::dns1123_subdomain);
    let lists: [(&str, Vec<&str>, meta::NameForm); 2] =
        [("forZones", zones, zone), ("forNodes", nodes, node)];
    for (field, names, name_form) in lists {
        let all = path.child(field);
        if names.len() > 8 {
            errors.too_many(&all, names.len(), 8);
            return;
        }
        for (index, name) in names.iter().enumerate() {
            let path = all.index(index);
            if names[..index].contains(name) {
                errors.duplicate(&path.child("name"), *name);
            }
            form(errors, &path.child("name"), name, name_form(name));
        }
    }
}

pub(crate) fn endpoint_slice_update(errors: &mut Errors, new: &EndpointSlice, old: &EndpointSlice) {
    endpoint_slice(errors, new);
    if new.address_type != old.address_type {
        let path = Path::new("addressType");
        errors.invalid(&path, &new.address_type, text::IMMUTABLE);
    }
}

pub(crate) fn lease(errors: &mut Errors, lease: &Lease) {
    let Some(spec) = &lease.spec else { return };
    let path = Path::new("spec");
    if let Some(seconds) = spec.lease_duration_seconds.filter(|it| *it <= 0) {
        errors.invalid(&path.child("leaseDurationSeconds"), seconds, "must be greater than 0");
    }
    non_negative_if_set(errors, &path.child("leaseTransitions"), spec.lease_transitions);
}
