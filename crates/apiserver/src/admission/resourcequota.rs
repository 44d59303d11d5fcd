//! Quotas: what would take more than is left is refused, the rest is charged.
//!
//! Upstream: `staging/src/k8s.io/apiserver/pkg/admission/plugin/resourcequota/controller.go`, v1.36.
//! Differs from upstream: while the quota's controller has not yet written its status, what is used
//! is counted here, so that a quota holds from the moment of its creation.

use std::sync::Arc;

use api::quantity::Exact;
use api::quota;
use api::resources::Amounts;
use api::{ApiError, Kind, Object, Timestamp};
use k8s_openapi::api::core::v1::ResourceQuota;

use crate::admission::lifecycle::name_of;
use crate::store::{Store, forbidden};

/// Refuses an object that the quotas of its namespace have no room for, and charges them.
pub(crate) fn charge_quota(
    store: &mut Store,
    object: &Object,
    old: Option<&Object>,
    now: Timestamp,
) -> Result<(), ApiError> {
    if !object.kind().namespaced() || !handles(object, old) {
        return Ok(());
    }
    let quotas: Vec<ResourceQuota> =
        store.listers().list_in::<ResourceQuota>(object.namespace()).cloned().collect();
    let mut charged = Vec::new();
    for quota in quotas {
        if let Some(quota) = charge(store, object, old, now, quota)? {
            charged.push(quota);
        }
    }
    for quota in charged {
        store.commit(Object::ResourceQuota(Arc::new(quota)));
    }
    Ok(())
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

/// The quota with the object charged to it, if that changes it.
fn charge(
    store: &Store,
    object: &Object,
    old: Option<&Object>,
    now: Timestamp,
    mut quota: ResourceQuota,
) -> Result<Option<ResourceQuota>, ApiError> {
    let kind = object.kind();
    if !quota::matches(&quota, object) {
        return Ok(None);
    }
    let Some(hard) = quota::hard(&quota).cloned() else { return Ok(None) };
    let name = quota.metadata.name.clone().unwrap_or_default();
    let names: Vec<&str> =
        hard.keys().map(String::as_str).filter(|it| quota::tracks(kind, it)).collect();
    if let Object::Pod(pod) = object {
        let unsaid = quota::unsaid(pod, &names);
        if !unsaid.is_empty() {
            let texts: Vec<String> = unsaid
                .iter()
                .map(|(resource, containers)| format!("{resource} for: {}", containers.join(",")))
                .collect();
            let why = format!("failed quota: {name}: must specify {}", texts.join("; "));
            return Err(forbidden(kind, name_of(object), &why));
        }
    }
    let mut delta = quota::usage(object, now);
    if let Some(old) = old.filter(|it| quota::matches(&quota, it)) {
        for (resource, before) in quota::usage(old, now) {
            if let Some(amount) = delta.get_mut(&resource) {
                *amount = amount.minus(before);
            }
        }
    }
    delta.retain(|resource, amount| amount.sign() > 0 && hard.contains_key(resource));
    if delta.is_empty() {
        return Ok(None);
    }
    let mut used = known_usage(&quota).unwrap_or_else(|| quota::used(&quota, store.objects(), now));
    let hard: Amounts = hard
        .iter()
        .map(|(key, it)| (key.clone(), api::quantity::parse(&it.0).unwrap_or_default()))
        .collect();
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
        let why = format!(
            "exceeded quota: {name}, requested: {}, used: {}, limited: {}",
            shown(&delta, &exceeded),
            shown(&used, &exceeded),
            shown(&hard, &exceeded),
        );
        return Err(forbidden(kind, name_of(object), &why));
    }
    let Some(status) = quota.status.as_mut().filter(|it| it.hard.is_some()) else {
        return Ok(None);
    };
    for (resource, amount) in delta {
        let sum = used.entry(resource).or_default();
        *sum = sum.plus(amount);
    }
    let used = used.into_iter().map(|(key, it)| (key, it.to_quantity())).collect();
    if status.used.as_ref() == Some(&used) {
        return Ok(None);
    }
    status.used = Some(used);
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
