//! Priority classes become numbers; there is one default class at most.
//!
//! Upstream: `plugin/pkg/admission/priority/admission.go`, v1.36.

use std::sync::Arc;

use api::{ApiError, Kind, Object};
use k8s_openapi::api::scheduling::v1::PriorityClass;

use crate::admission::lifecycle::name_of;
use crate::store::{Store, forbidden};

pub(crate) fn admit(store: &Store, object: &mut Object) -> Result<(), ApiError> {
    let shown = name_of(object).to_owned();
    let Object::Pod(pod) = object else { return Ok(()) };
    let spec = Arc::make_mut(pod).spec.get_or_insert_default();
    let wanted = spec.priority_class_name.clone().unwrap_or_default();
    let (name, priority, policy) = if wanted.is_empty() {
        match default_class(store) {
            Some(it) => of_class(it),
            None => (String::new(), 0, Some("PreemptLowerPriority".to_owned())),
        }
    } else {
        match store.listers().get::<PriorityClass>("", &wanted) {
            Some(it) => of_class(it),
            None => {
                let why = format!("no PriorityClass with name {wanted} was found");
                return Err(forbidden(Kind::Pod, &shown, &why));
            }
        }
    };
    if let Some(given) = spec.priority.filter(|it| *it != priority) {
        let why = format!(
            "the integer value of priority ({given}) must not be provided in pod spec; priority \
             admission controller computed {priority} from the given PriorityClass name"
        );
        return Err(forbidden(Kind::Pod, &shown, &why));
    }
    spec.priority_class_name = Some(name).filter(|it| !it.is_empty());
    spec.priority = Some(priority);
    let Some(policy) = policy else { return Ok(()) };
    if let Some(given) = spec.preemption_policy.as_ref().filter(|it| **it != policy) {
        let why = format!(
            "the string value of PreemptionPolicy ({given}) must not be provided in pod spec; \
             priority admission controller computed {policy} from the given PriorityClass name"
        );
        return Err(forbidden(Kind::Pod, &shown, &why));
    }
    spec.preemption_policy = Some(policy);
    Ok(())
}

fn of_class(class: &PriorityClass) -> (String, i32, Option<String>) {
    let name = class.metadata.name.clone().unwrap_or_default();
    (name, class.value.unwrap_or_default(), class.preemption_policy.clone())
}

/// The class marked as default, the lowest one if there are several.
fn default_class(store: &Store) -> Option<&PriorityClass> {
    let classes = store.listers().list::<PriorityClass>();
    classes.filter(|it| it.global_default == Some(true)).min_by_key(|it| it.value)
}

/// An update cannot lose what admission gave to the pod.
pub(crate) fn keep(new: &mut Object, old: &Object) {
    let (Object::Pod(new), Object::Pod(old)) = (new, old) else { return };
    let (Some(spec), Some(before)) = (&new.spec, &old.spec) else { return };
    let lost_priority = spec.priority.is_none() && before.priority.is_some();
    let lost_policy = spec.preemption_policy.is_none() && before.preemption_policy.is_some();
    if !lost_priority && !lost_policy {
        return;
    }
    let spec = Arc::make_mut(new).spec.get_or_insert_default();
    spec.priority = spec.priority.or(before.priority);
    if lost_policy {
        spec.preemption_policy = before.preemption_policy.clone();
    }
}

pub(crate) fn validate_class(
    store: &Store,
    object: &Object,
    creating: bool,
) -> Result<(), ApiError> {
    let Object::PriorityClass(class) = object else { return Ok(()) };
    if class.global_default != Some(true) {
        return Ok(());
    }
    let other = default_class(store).and_then(|it| it.metadata.name.as_deref());
    let Some(other) = other.filter(|it| creating || *it != object.name()) else { return Ok(()) };
    let why =
        format!("PriorityClass {other} is already marked as default. Only one default can exist");
    Err(forbidden(Kind::PriorityClass, object.name(), &why))
}
