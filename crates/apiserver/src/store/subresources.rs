//! Binding, eviction and scale.
//!
//! Upstream: `pkg/registry/core/pod/storage/{storage,eviction}.go`,
//! `pkg/registry/apps/deployment/storage/storage.go`, v1.36.

use std::sync::Arc;

use api::{ApiError, ApiReason, DeleteOptions, FieldCause, Object, ObjectRef, Patch, Timestamp};
use k8s_openapi::api::core::v1::{Binding, Pod, PodCondition};
use k8s_openapi::api::policy::v1::PodDisruptionBudget;

use crate::admission;
use crate::store::Store;
use crate::store::update::{Part, no_subresource};

/// Upstream: `MaxDisruptedPodSize`.
const MAX_DISRUPTED_PODS: usize = 2000;

impl Store {
    /// Creates a `Binding` object: binds the pod of its name.
    pub(crate) fn create_binding(
        &mut self,
        binding: &Binding,
        now: Timestamp,
    ) -> Result<Object, ApiError> {
        let namespace = binding.metadata.namespace.as_deref().filter(|it| !it.is_empty());
        let name = binding.metadata.name.as_deref().unwrap_or_default();
        let pod = ObjectRef::new(api::Kind::Pod, namespace.unwrap_or("default"), name);
        let node = binding.target.name.as_deref().unwrap_or_default();
        if let Some(kind) = binding.target.kind.as_deref().filter(|it| !matches!(*it, "" | "Node"))
        {
            return Err(ApiError::about(
                ApiReason::InternalError,
                &pod,
                format!(
                    "target.kind: Unsupported value: \"{kind}\": supported values: \"Node\", \
                     \"<empty>\""
                ),
            ));
        }
        if node.is_empty() {
            return Err(ApiError::about(
                ApiReason::InternalError,
                &pod,
                "target.name: Required value",
            ));
        }
        self.bind(&pod, node, now)
    }

    /// Binds a pod to a node.
    ///
    /// # Errors
    /// `NotFound`; `Conflict` for a pod that is bound, gated or being deleted.
    pub fn bind(
        &mut self,
        key: &ObjectRef,
        node: &str,
        now: Timestamp,
    ) -> Result<Object, ApiError> {
        let old = self.get(key)?.clone();
        let Object::Pod(pod) = &old else { return Err(ApiError::not_found(key)) };
        let refuse = |why: &str| {
            let message = format!(
                "Operation cannot be fulfilled on pods/binding \"{}\": pod {} {why}",
                key.name, key.name
            );
            Err(ApiError::about(ApiReason::Conflict, key, message))
        };
        if pod.metadata.deletion_timestamp.is_some() {
            return refuse("is being deleted, cannot be assigned to a host");
        }
        if let Some(current) = api::pods::node_name(pod) {
            return refuse(&format!("is already assigned to node \"{current}\""));
        }
        let gates = pod.spec.as_ref().and_then(|it| it.scheduling_gates.as_ref());
        if gates.is_some_and(|it| !it.is_empty()) {
            return refuse("has non-empty .spec.schedulingGates");
        }
        let labels = admission::topology_labels(&self.listers(), node);
        let mut new = Pod::clone(pod);
        let spec = new.spec.get_or_insert_default();
        spec.node_name = Some(node.to_owned());
        let generation = new.metadata.generation.unwrap_or_default();
        // Upstream writes the node without the update strategy, so that the generation stays.
        new.metadata.generation = Some(generation).filter(|it| *it > 0);
        if !labels.is_empty() {
            new.metadata.labels.get_or_insert_default().extend(labels);
        }
        let status = new.status.get_or_insert_default();
        status.nominated_node_name = None;
        let condition = PodCondition {
            type_: "PodScheduled".to_owned(),
            status: "True".to_owned(),
            ..PodCondition::default()
        };
        api::pods::set_condition(status, condition, now);
        Ok(self.commit(Object::Pod(Arc::new(new))))
    }

    /// Evicts a pod, if its disruption budget allows it.
    ///
    /// # Errors
    /// `TooManyRequests` when it does not; otherwise as for [`Store::delete`].
    pub fn evict(
        &mut self,
        key: &ObjectRef,
        options: &DeleteOptions,
        now: Timestamp,
    ) -> Result<Option<Object>, ApiError> {
        let object = self.get(key)?.clone();
        let Object::Pod(pod) = &object else { return Err(ApiError::not_found(key)) };
        let free = matches!(api::pods::phase(pod), "Succeeded" | "Failed" | "Pending" | "")
            || pod.metadata.deletion_timestamp.is_some();
        if !free {
            let budgets = self.budgets_of(pod);
            if budgets.len() > 1 {
                return Err(ApiError::about(
                    ApiReason::Unknown,
                    key,
                    "This pod has more than one PodDisruptionBudget, which the eviction \
                     subresource does not support.",
                ));
            }
            if let Some(budget) = budgets.first()
                && (api::pods::is_ready(pod) || !unhealthy_may_go(budget))
            {
                self.check_and_decrement(budget, &key.name, now)?;
            }
        }
        if options.uid.is_none() || options.uid.as_deref() == Some(object.uid()) {
            self.add_eviction_condition(pod, now);
        }
        self.delete(key, options, now)
    }

    fn budgets_of(&self, pod: &Pod) -> Vec<Arc<PodDisruptionBudget>> {
        let namespace = pod.metadata.namespace.as_deref().unwrap_or_default();
        let all = self.objects().list_in(api::Kind::PodDisruptionBudget, namespace);
        all.filter_map(|it| match it {
            Object::PodDisruptionBudget(it) => Some(it),
            _ => None,
        })
        .filter(|it| {
            let selector = it.spec.as_ref().and_then(|it| it.selector.as_ref());
            selector.is_some_and(|it| api::selector::matches(it, pod.metadata.labels.as_ref()))
        })
        .cloned()
        .collect()
    }

    /// Upstream: `checkAndDecrement`.
    fn check_and_decrement(
        &mut self,
        budget: &PodDisruptionBudget,
        pod: &str,
        now: Timestamp,
    ) -> Result<(), ApiError> {
        let mut new = budget.clone();
        let status = new.status.get_or_insert_default();
        let name = budget.metadata.name.as_deref().unwrap_or_default();
        let observed = status.observed_generation.unwrap_or_default();
        if observed < budget.metadata.generation.unwrap_or_default() {
            let why =
                format!("The disruption budget {name} is still being processed by the server.");
            return Err(too_many_requests(why));
        }
        let allowed = status.disruptions_allowed.unwrap_or_default();
        let disrupted = status.disrupted_pods.get_or_insert_default();
        if allowed < 0 || disrupted.len() > MAX_DISRUPTED_PODS {
            let why = if allowed < 0 {
                "pdb disruptions allowed is negative"
            } else {
                "DisruptedPods map too big - too many evictions not confirmed by PDB controller"
            };
            let message = format!("poddisruptionbudget.policy \"{name}\" is forbidden: {why}");
            return Err(ApiError::new(ApiReason::Forbidden, message));
        }
        if allowed == 0 {
            return Err(too_many_requests(why_refused(name, status)));
        }
        status.disruptions_allowed = Some(allowed - 1);
        disrupted.insert(pod.to_owned(), api::time::meta_time(now));
        if allowed == 1 {
            let generation = new.metadata.generation;
            set_disruption_condition(status, generation, now);
        }
        self.update_part(Object::PodDisruptionBudget(Arc::new(new)), Part::Status, now)?;
        Ok(())
    }

    fn add_eviction_condition(&mut self, pod: &Pod, now: Timestamp) {
        let mut new = pod.clone();
        let condition = PodCondition {
            type_: "DisruptionTarget".to_owned(),
            status: "True".to_owned(),
            reason: Some("EvictionByEvictionAPI".to_owned()),
            message: Some("Eviction API: evicting".to_owned()),
            ..PodCondition::default()
        };
        let status = new.status.get_or_insert_default();
        if api::pods::set_condition(status, condition, now) {
            self.commit(Object::Pod(Arc::new(new)));
        }
    }

    /// Sets the number of replicas of a Deployment, ReplicaSet or StatefulSet.
    ///
    /// # Errors
    /// `NotFound` for kinds that have no scale; otherwise as for [`Store::update`].
    pub fn scale(
        &mut self,
        key: &ObjectRef,
        replicas: i32,
        now: Timestamp,
    ) -> Result<Object, ApiError> {
        let mut object = self.get(key)?.clone();
        if replicas < 0 {
            let message = format!(
                "Scale.autoscaling \"{}\" is invalid: spec.replicas: Invalid value: {replicas}: \
                 must be greater than or equal to 0",
                key.name
            );
            let mut error = ApiError::about(ApiReason::Invalid, key, message);
            error.causes.push(FieldCause {
                kind: "FieldValueInvalid",
                field: "spec.replicas".to_owned(),
                message: format!("Invalid value: {replicas}: must be greater than or equal to 0"),
            });
            return Err(error);
        }
        let spec = match &mut object {
            Object::Deployment(it) => &mut Arc::make_mut(it).spec.get_or_insert_default().replicas,
            Object::ReplicaSet(it) => &mut Arc::make_mut(it).spec.get_or_insert_default().replicas,
            Object::StatefulSet(it) => &mut Arc::make_mut(it).spec.get_or_insert_default().replicas,
            _ => return Err(no_subresource(key, "scale")),
        };
        *spec = Some(replicas);
        self.update_part(object, Part::Scale, now)
    }

    pub(crate) fn patch_scale(
        &mut self,
        key: &ObjectRef,
        patch: &Patch,
        now: Timestamp,
    ) -> Result<Object, ApiError> {
        let replicas = match patch {
            Patch::Merge(value) | Patch::Strategic(value) | Patch::Apply { config: value, .. } => {
                value.pointer("/spec/replicas")
            }
            Patch::Json(value) => value.as_array().and_then(|operations| {
                let mut operations = operations.iter().rev();
                operations.find(|it| it["path"] == "/spec/replicas")?.get("value")
            }),
        };
        let replicas = replicas.and_then(serde_json::Value::as_i64);
        match replicas.and_then(|it| i32::try_from(it).ok()) {
            Some(replicas) => self.scale(key, replicas, now),
            None => self.get(key).cloned(),
        }
    }
}

/// Whether the budget lets pods go that are not ready anyway.
fn unhealthy_may_go(budget: &PodDisruptionBudget) -> bool {
    let policy = budget.spec.as_ref().and_then(|it| it.unhealthy_pod_eviction_policy.as_deref());
    if policy == Some("AlwaysAllow") {
        return true;
    }
    let Some(status) = &budget.status else { return false };
    let desired = status.desired_healthy.unwrap_or_default();
    status.current_healthy.unwrap_or_default() >= desired && desired > 0
}

fn why_refused(
    name: &str,
    status: &k8s_openapi::api::policy::v1::PodDisruptionBudgetStatus,
) -> String {
    let mut conditions = status.conditions.iter().flatten();
    let condition = conditions.find(|it| {
        it.type_ == "DisruptionAllowed" && it.status == "False" && !it.message.is_empty()
    });
    let desired = status.desired_healthy.unwrap_or_default();
    let healthy = status.current_healthy.unwrap_or_default();
    let budget = format!("The disruption budget {name}");
    match condition {
        Some(it) if it.reason == "SyncFailed" => format!(
            "{budget} does not allow evicting pods currently because it failed sync: {}",
            it.message
        ),
        _ if healthy <= desired => {
            format!("{budget} needs {desired} healthy pods and has {healthy} currently")
        }
        Some(it) => format!(
            "{budget} does not allow evicting pods currently ({}): {}",
            it.reason, it.message
        ),
        None => format!("{budget} does not allow evicting pods currently"),
    }
}

fn too_many_requests(why: String) -> ApiError {
    let message = "Cannot evict pod as it would violate the pod's disruption budget.";
    let mut error = ApiError::new(ApiReason::TooManyRequests, message);
    error.causes.push(FieldCause { kind: "DisruptionBudget", field: String::new(), message: why });
    error
}

/// Upstream: `pdbhelper.UpdateDisruptionAllowedCondition`, for a budget without any left.
fn set_disruption_condition(
    status: &mut k8s_openapi::api::policy::v1::PodDisruptionBudgetStatus,
    generation: Option<i64>,
    now: Timestamp,
) {
    let conditions = status.conditions.get_or_insert_default();
    let at = api::time::meta_time(now);
    match conditions.iter_mut().find(|it| it.type_ == "DisruptionAllowed") {
        Some(it) => {
            if it.status != "False" {
                it.last_transition_time = at;
            }
            it.status = "False".to_owned();
            it.reason = "InsufficientPods".to_owned();
            it.message = String::new();
            it.observed_generation = generation;
        }
        None => {
            conditions.push(k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition {
                type_: "DisruptionAllowed".to_owned(),
                status: "False".to_owned(),
                reason: "InsufficientPods".to_owned(),
                message: String::new(),
                observed_generation: generation,
                last_transition_time: at,
            });
        }
    }
}
