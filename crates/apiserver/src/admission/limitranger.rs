//! Limit ranges give containers their default resources and set bounds.
//!
//! Upstream: `plugin/pkg/admission/limitranger/admission.go`, v1.36.
//! Differs from upstream: several complaints come in the order of the resource names, where
//! upstream's order is random.

use std::collections::BTreeMap;
use std::sync::Arc;

use api::Gather;
use api::quantity::{self, Exact};
use api::{ApiError, Kind, Object};
use k8s_openapi::api::core::v1::{Container, LimitRange, LimitRangeItem, Pod};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;

use crate::admission::lifecycle::name_of;
use crate::store::{Store, forbidden};

type List = BTreeMap<String, Quantity>;

const ANNOTATION: &str = "kubernetes.io/limit-ranger";

pub(crate) fn mutate(store: &Store, object: &mut Object) {
    let Object::Pod(pod) = object else { return };
    let namespace = pod.metadata.namespace.clone().unwrap_or_default();
    let ranges: Vec<&LimitRange> = store.listers().list_in::<LimitRange>(&namespace).collect();
    for range in ranges {
        set_defaults(range, Arc::make_mut(pod));
    }
}

fn items(range: &LimitRange) -> impl Iterator<Item = &LimitRangeItem> {
    range.spec.iter().flat_map(|it| &it.limits)
}

fn set_defaults(range: &LimitRange, pod: &mut Pod) {
    let mut requests = List::new();
    let mut limits = List::new();
    for item in items(range).filter(|it| it.type_ == "Container") {
        requests.extend(item.default_request.clone().into_iter().flatten());
        limits.extend(item.default.clone().into_iter().flatten());
    }
    let spec = pod.spec.get_or_insert_default();
    let mut notes = Vec::new();
    for container in &mut spec.containers {
        merge(container, "container", &requests, &limits, &mut notes);
    }
    for container in spec.init_containers.iter_mut().flatten() {
        merge(container, "init container", &requests, &limits, &mut notes);
    }
    if !notes.is_empty() {
        let note = format!("LimitRanger plugin set: {}", notes.join("; "));
        pod.metadata.annotations.get_or_insert_default().insert(ANNOTATION.to_owned(), note);
    }
}

fn merge(
    container: &mut Container,
    what: &str,
    requests: &List,
    limits: &List,
    notes: &mut Vec<String>,
) {
    let name = container.name.clone();
    let resources = container.resources.get_or_insert_default();
    for (kind, own, defaults) in
        [("request", &mut resources.requests, requests), ("limit", &mut resources.limits, limits)]
    {
        let mut set = Vec::new();
        for (key, value) in defaults {
            let own = own.get_or_insert_default();
            if !own.contains_key(key) {
                own.insert(key.clone(), value.clone());
                set.push(key.as_str());
            }
        }
        if !set.is_empty() {
            notes.push(format!("{} {kind} for {what} {name}", set.join(", ")));
        }
    }
}

pub(crate) fn validate(store: &Store, object: &Object) -> Result<(), ApiError> {
    let kind = object.kind();
    if !matches!(kind, Kind::Pod | Kind::PersistentVolumeClaim) {
        return Ok(());
    }
    for range in store.listers().list_in::<LimitRange>(object.namespace()) {
        let mut complaints = Vec::new();
        for item in items(range) {
            match object {
                Object::Pod(pod) => check_pod(item, pod, &mut complaints),
                Object::PersistentVolumeClaim(claim) if item.type_ == "PersistentVolumeClaim" => {
                    let resources = claim.spec.as_ref().and_then(|it| it.resources.as_ref());
                    let requests = resources.and_then(|it| it.requests.clone());
                    check_claim(item, &requests.unwrap_or_default(), &mut complaints);
                }
                _ => {}
            }
        }
        // Upstream's aggregate drops repetitions.
        let mut seen: Vec<String> = Vec::new();
        for complaint in complaints {
            if !seen.contains(&complaint) {
                seen.push(complaint);
            }
        }
        let why = match seen.as_slice() {
            [] => continue,
            [one] => one.clone(),
            many => format!("[{}]", many.join(", ")),
        };
        return Err(forbidden(kind, name_of(object), &why));
    }
    Ok(())
}

fn check_pod(item: &LimitRangeItem, pod: &Pod, complaints: &mut Vec<String>) {
    let Some(spec) = &pod.spec else { return };
    if item.type_ == "Container" {
        let init = spec.init_containers.iter().flatten();
        for container in spec.containers.iter().chain(init) {
            let resources = container.resources.clone().unwrap_or_default();
            let requests = resources.requests.unwrap_or_default();
            let limits = resources.limits.unwrap_or_default();
            check_bounds(item, &requests, &limits, complaints);
        }
    } else if item.type_ == "Pod" {
        use api::resources::{Side, spec_amounts};
        let mut bare = spec.clone();
        // The overhead of the runtime does not count here.
        bare.overhead = None;
        let list = |side| -> List {
            let amounts = spec_amounts(&bare, side);
            amounts.into_iter().map(|(key, it)| (key, it.to_quantity())).to_map()
        };
        check_bounds(item, &list(Side::Requests), &list(Side::Limits), complaints);
    }
}

fn exact(quantity: &Quantity) -> Option<Exact> {
    quantity::parse(&quantity.0).ok()
}

fn less(a: &Quantity, b: &Quantity) -> bool {
    matches!((exact(a), exact(b)), (Some(a), Some(b)) if a < b)
}

fn shown(quantity: &Quantity) -> String {
    quantity::canonical(&quantity.0)
}

fn check_bounds(
    item: &LimitRangeItem,
    requests: &List,
    limits: &List,
    complaints: &mut Vec<String>,
) {
    let type_ = &item.type_;
    for (name, bound) in item.min.iter().flatten() {
        let text = format!("minimum {name} usage per {type_} is {}", shown(bound));
        match (requests.get(name), limits.get(name)) {
            (None, _) => complaints.push(format!("{text}.  No request is specified")),
            (Some(request), _) if less(request, bound) => {
                complaints.push(format!("{text}, but request is {}", shown(request)));
            }
            (_, Some(limit)) if less(limit, bound) => {
                complaints.push(format!("{text}, but limit is {}", shown(limit)));
            }
            _ => {}
        }
    }
    for (name, bound) in item.max.iter().flatten() {
        let text = format!("maximum {name} usage per {type_} is {}", shown(bound));
        match (requests.get(name), limits.get(name)) {
            (_, None) => complaints.push(format!("{text}.  No limit is specified")),
            (_, Some(limit)) if less(bound, limit) => {
                complaints.push(format!("{text}, but limit is {}", shown(limit)));
            }
            (Some(request), _) if less(bound, request) => {
                complaints.push(format!("{text}, but request is {}", shown(request)));
            }
            _ => {}
        }
    }
    for (name, bound) in item.max_limit_request_ratio.iter().flatten() {
        let text = format!("{name} max limit to request ratio per {type_} is {}", shown(bound));
        let milli = |list: &List| list.get(name).map(quantity::milli_value).filter(|it| *it != 0);
        match (milli(requests), milli(limits)) {
            (None, _) => {
                complaints.push(format!("{text}, but no request is specified or request is 0"));
            }
            (_, None) => {
                complaints.push(format!("{text}, but no limit is specified or limit is 0"));
            }
            (Some(request), Some(limit)) => {
                #[expect(clippy::cast_precision_loss, reason = "upstream computes in float64")]
                let ratio = limit as f64 / request as f64;
                #[expect(clippy::cast_precision_loss, reason = "upstream computes in float64")]
                let max = quantity::milli_value(bound) as f64;
                if ratio * 1000.0 > max {
                    complaints.push(format!("{text}, but provided ratio is {ratio:.6}"));
                }
            }
        }
    }
}

fn check_claim(item: &LimitRangeItem, requests: &List, complaints: &mut Vec<String>) {
    let type_ = &item.type_;
    for (name, bound) in item.min.iter().flatten() {
        let text = format!("minimum {name} usage per {type_} is {}", shown(bound));
        match requests.get(name) {
            None => complaints.push(format!("{text}.  No request is specified")),
            Some(request) if less(request, bound) => {
                complaints.push(format!("{text}, but request is {}", shown(request)));
            }
            _ => {}
        }
    }
    for (name, bound) in item.max.iter().flatten() {
        let text = format!("maximum {name} usage per {type_} is {}", shown(bound));
        match requests.get(name) {
            None => complaints.push(format!("{text}.  No request is specified")),
            Some(request) if less(bound, request) => {
                complaints.push(format!("{text}, but request is {}", shown(request)));
            }
            _ => {}
        }
    }
}
