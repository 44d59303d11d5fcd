//! Quotas: what would take more than is left is refused, the rest is charged.
//!
//! Upstream: `staging/src/k8s.io/apiserver/pkg/admission/plugin/resourcequota/controller.go`, v1.36.
//! Differs from upstream: while the quota's controller has not yet written its status, what is used
//! is counted here, so that a quota holds from the moment of its creation.

use std::sync::Arc;

use api::Gather;
use api::quantity::Exact;
use api::quota;
use api::resources::Amounts;
use api::{ApiError, Kind, Object, Timestamp};
use k8s_openapi::api::core::v1::ResourceQuota;

use crate::admission::lifecycle::name_of;
use crate::store::{Store, forbidden};

/// The quotas that the object counts against, as they are with it. All of them are asked before any
/// is charged: first whether the object says what they want to know, then whether there is room.
/// Upstream: `checkRequest`.
pub(crate) fn check_quotas(
    store: &Store,
    object: &Object,
    old: Option<&Object>,
    resizes: bool,
    now: Timestamp,
) -> Result<Vec<ResourceQuota>, ApiError> {
    if !object.kind().namespaced() || !(resizes || handles(object, old)) {
        return Ok(Vec::new());
    }
    let all = store.listers().list_in::<ResourceQuota>(object.namespace());
    let quotas: Vec<&ResourceQuota> = all.filter(|it| quota::matches(it, object)).collect();
    for quota in &quotas {
        check_constraints(quota, object)?;
    }
    if quotas.is_empty() {
        return Ok(Vec::new());
    }
    let usage = quota::usage(object, now);
    let before = old.map(|it| quota::usage(it, now));
    let mut charged = Vec::new();
    for quota in quotas {
        let before = before.as_ref().filter(|_| old.is_some_and(|it| quota::matches(quota, it)));
        let delta = delta(&usage, before);
        charged.extend(charge(store, object, delta, now, quota)?);
    }
    Ok(charged)
}

/// Writes down what [`check_quotas`] found.
pub(crate) fn charge_quotas(store: &mut Store, charged: Vec<ResourceQuota>) {
    for quota in charged {
        store.commit(Object::ResourceQuota(Arc::new(quota)));
    }
}

/// Upstream: `Handles` of the evaluators.
fn handles(object: &Object, old: Option<&Object>) -> bool {
    let deadline = |it: &Object| match it {
        Object::Pod(pod) => {
            pod.spec.as_ref().is_some_and(|it| it.active_deadline_seconds.is_some())
        }
        _ => false,
    };
    match (object.kind(), old) {
        (Kind::Event, _) => false,
        (_, None) | (Kind::Service | Kind::PersistentVolumeClaim, Some(_)) => true,
        (Kind::Pod, Some(old)) => deadline(object) != deadline(old),
        _ => false,
    }
}

/// Whether the containers of a pod ask for what the quota limits.
fn check_constraints(quota: &ResourceQuota, object: &Object) -> Result<(), ApiError> {
    let Object::Pod(pod) = object else { return Ok(()) };
    let hard = quota::hard(quota).into_iter().flat_map(|it| it.keys());
    let names: Vec<&str> =
        hard.map(String::as_str).filter(|it| quota::tracks(Kind::Pod, it)).collect();
    let unsaid = quota::unsaid(pod, &names);
    if unsaid.is_empty() {
        return Ok(());
    }
    let texts: Vec<String> = unsaid
        .iter()
        .map(|(resource, containers)| format!("{resource} for: {}", containers.join(",")))
        .collect();
    let name = quota.metadata.name.as_deref().unwrap_or_default();
    let why = format!("failed quota: {name}: must specify {}", texts.join("; "));
    Err(forbidden(Kind::Pod, name_of(object), &why))
}

/// What more is used than before. Upstream: `SubtractWithNonNegativeResult`, `RemoveZeros`.
fn delta(usage: &Amounts, before: Option<&Amounts>) -> Amounts {
    let mut delta = usage.clone();
    for (resource, before) in before.into_iter().flatten() {
        if let Some(amount) = delta.get_mut(resource) {
            *amount = amount.minus(*before);
        }
    }
    delta.retain(|_, amount| amount.sign() > 0);
    delta
}

/// The quota with so much more charged to it, if that changes it.
fn charge(
    store: &Store,
    object: &Object,
    mut delta: Amounts,
    now: Timestamp,
    quota: &ResourceQuota,
) -> Result<Option<ResourceQuota>, ApiError> {
    let Some(hard) = quota::hard(quota) else { return Ok(None) };
    delta.retain(|resource, _| hard.contains_key(resource));
    if delta.is_empty() {
        return Ok(None);
    }
    let mut used = known_usage(quota).unwrap_or_else(|| quota::used(quota, store.objects(), now));
    let hard: Amounts = hard
        .iter()
        .map(|(key, it)| (key.clone(), api::quantity::parse(&it.0).unwrap_or_default()))
        .to_map();
    let after = |resource: &str| -> Exact {
        let before = used.get(resource).copied().unwrap_or_default();
        before.plus(delta.get(resource).copied().unwrap_or_default())
    };
    let exceeded: Vec<&str> = delta
        .keys()
        .map(String::as_str)
        .filter(|it| hard.get(*it).is_some_and(|most| after(it) > *most))
        .collect();
    if !exceeded.is_empty() {
        let name = quota.metadata.name.as_deref().unwrap_or_default();
        let why = format!(
            "exceeded quota: {name}, requested: {}, used: {}, limited: {}",
            shown(&delta, &exceeded),
            shown(&used, &exceeded),
            shown(&hard, &exceeded),
        );
        return Err(forbidden(object.kind(), name_of(object), &why));
    }
    let counted = quota.status.as_ref().is_some_and(|it| it.hard.is_some());
    if !counted {
        return Ok(None);
    }
    for (resource, amount) in delta {
        let sum = used.entry(resource).or_default();
        *sum = sum.plus(amount);
    }
    let used = used.into_iter().map(|(key, it)| (key, it.to_quantity())).to_map();
    let mut quota = quota.clone();
    quota.status.get_or_insert_default().used = Some(used);
    Ok(Some(quota))
}

/// What the status says, once its controller has counted.
fn known_usage(quota: &ResourceQuota) -> Option<Amounts> {
    let status = quota.status.as_ref()?;
    let (hard, used) = (status.hard.as_ref()?, status.used.as_ref()?);
    hard.keys()
        .map(|key| Some((key.clone(), api::quantity::parse(&used.get(key)?.0).ok()?)))
        .collect()
}

fn shown(amounts: &Amounts, names: &[&str]) -> String {
    let texts: Vec<String> = names
        .iter()
        .filter_map(|it| Some(format!("{it}={}", amounts.get(*it)?.to_quantity().0)))
        .collect();
    texts.join(",")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn object(kind: Kind, name: &str, rest: Value) -> Object {
        let mut value = rest;
        value["metadata"] = json!({"name": name});
        api::wire::object_from_value(kind, &value).unwrap()
    }

    /// A quota of which its controller knows that nothing is used.
    fn quota(name: &str, mut spec: Value, used: Value) -> Object {
        let status = json!({"hard": spec["hard"], "used": used});
        spec = json!({"spec": spec, "status": status});
        object(Kind::ResourceQuota, name, spec)
    }

    fn used(store: &Store, name: &str) -> String {
        let key = api::ObjectRef::new(Kind::ResourceQuota, "default", name);
        let Ok(Object::ResourceQuota(quota)) = store.get(&key) else { return String::new() };
        let used = quota.status.clone().unwrap().used.unwrap();
        let texts: Vec<String> = used.iter().map(|(key, it)| format!("{key}={}", it.0)).collect();
        texts.join(",")
    }

    /// Creates the objects one after the other: the last answer, and what is used then.
    fn check(quotas: &[Object], objects: &[Object], answer: &str, expected: &[&str]) {
        let now = Timestamp::UNIX_EPOCH;
        let mut store = Store::new(1);
        store.bootstrap(now);
        for quota in quotas {
            let mut quota = quota.clone();
            quota.meta_mut().namespace = Some("default".to_owned());
            store.import(quota, now);
        }
        let results = objects.iter().map(|it| store.create(it.clone(), now));
        let last = results.last().unwrap();
        assert_eq!(last.map_or_else(|it| it.message, |_| String::new()), answer);
        let names = quotas.iter().map(Object::name);
        let found: Vec<String> = names.map(|it| used(&store, it)).collect();
        assert_eq!(found, expected);
    }

    fn pod(name: &str, resources: Value) -> Object {
        let container = json!({"name": "c", "image": "x", "resources": resources});
        object(Kind::Pod, name, json!({"spec": {"containers": [container]}}))
    }

    #[test]
    fn all_quotas_are_asked_before_any_is_charged() {
        let full = quota("a", json!({"hard": {"pods": "1"}}), json!({"pods": "1"}));
        let free = quota("b", json!({"hard": {"pods": "5"}}), json!({"pods": "0"}));
        let memory = quota(
            "c",
            json!({"hard": {"requests.memory": "1Gi", "limits.cpu": "2"}}),
            json!({"requests.memory": "0", "limits.cpu": "0"}),
        );
        let plain = pod("p", json!({}));
        let fine = pod("p", json!({"requests": {"memory": "256Mi"}, "limits": {"cpu": "1"}}));
        // What a later quota wants to know comes before what an earlier one has no room for.
        check(
            &[full.clone(), memory.clone()],
            std::slice::from_ref(&plain),
            "pods \"p\" is forbidden: failed quota: c: must specify limits.cpu for: c; \
             requests.memory for: c",
            &["pods=1", "limits.cpu=0,requests.memory=0"],
        );
        // Whom one refuses, none charges.
        check(
            &[free.clone(), full.clone(), memory.clone()],
            std::slice::from_ref(&fine),
            "pods \"p\" is forbidden: exceeded quota: a, requested: pods=1, used: pods=1, \
             limited: pods=1",
            &["pods=0", "pods=1", "limits.cpu=0,requests.memory=0"],
        );
        check(
            &[free.clone(), memory],
            std::slice::from_ref(&fine),
            "",
            &["pods=1", "limits.cpu=1,requests.memory=256Mi"],
        );
        // There is no room even for what has the name of another.
        let one = quota("a", json!({"hard": {"pods": "1"}}), json!({"pods": "0"}));
        check(
            &[one, free],
            &[plain.clone(), plain],
            "pods \"p\" is forbidden: exceeded quota: a, requested: pods=1, used: pods=1, \
             limited: pods=1",
            &["pods=1", "pods=1"],
        );
    }

    #[test]
    fn scopes_choose_whom_a_quota_is_for() {
        let hard = json!({"pods": "0"});
        let used = json!({"pods": "0"});
        let best = quota("best", json!({"hard": hard, "scopes": ["BestEffort"]}), used.clone());
        let selector = json!({"matchExpressions": [
            {"scopeName": "PriorityClass", "operator": "In", "values": ["system-node-critical"]}]});
        let class = quota("class", json!({"hard": hard, "scopeSelector": selector}), used);
        let fine = pod("p", json!({"requests": {"cpu": "1"}}));
        check(&[best.clone(), class.clone()], &[fine], "", &["pods=0", "pods=0"]);
        check(
            &[class, best],
            &[pod("p", json!({}))],
            "pods \"p\" is forbidden: exceeded quota: best, requested: pods=1, used: pods=0, \
             limited: pods=0",
            &["pods=0", "pods=0"],
        );
        let claims = json!({"hard": {"persistentvolumeclaims": "0"}, "scopeSelector": {
            "matchExpressions": [
                {"scopeName": "VolumeAttributesClass", "operator": "In", "values": ["fast"]}]}});
        let claims = quota("claims", claims, json!({"persistentvolumeclaims": "0"}));
        let claim = |class: Option<&str>| {
            let spec = json!({"accessModes": ["ReadWriteOnce"], "volumeAttributesClassName": class,
                "resources": {"requests": {"storage": "1Gi"}}});
            object(Kind::PersistentVolumeClaim, "c", json!({"spec": spec}))
        };
        let none = &["persistentvolumeclaims=0"];
        check(std::slice::from_ref(&claims), &[claim(None)], "", none);
        check(
            &[claims],
            &[claim(Some("fast"))],
            "persistentvolumeclaims \"c\" is forbidden: exceeded quota: claims, requested: \
             persistentvolumeclaims=1, used: persistentvolumeclaims=0, limited: \
             persistentvolumeclaims=0",
            none,
        );
    }
}
