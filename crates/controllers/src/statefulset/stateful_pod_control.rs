//! Creates, updates and deletes the pods of a StatefulSet with their claims, and tells of it.
//!
//! Upstream: `pkg/controller/statefulset/stateful_pod_control.go`, v1.36.

use std::collections::BTreeSet;

use api::{Action, ApiError, DeleteOptions, EventSpec, Kind, Plan, Resource, View};
use k8s_openapi::api::apps::v1::{StatefulSet, StatefulSetSpec};
use k8s_openapi::api::core::v1::{PersistentVolumeClaim, Pod};

use super::stateful_set_utils as util;
use crate::controller_utils as utils;

/// `source.component` of its events.
const COMPONENT: &str = "statefulset-controller";

/// Says of each pod that is not created which of its claims were refused. Upstream:
/// `CreateStatefulPod`.
pub(super) fn claims_refused<'a>(
    plan: &mut Plan,
    set: &StatefulSet,
    errors: impl Iterator<Item = &'a ApiError>,
    view: &View<'_>,
) {
    let mut told: Vec<(String, Vec<String>)> = Vec::new();
    for error in errors.filter(|it| it.kind == Some(Kind::PersistentVolumeClaim)) {
        let Some(ordinal) = util::ordinal_of(&error.name) else { continue };
        let pod = format!("{}-{ordinal}", set.name());
        if view.listers.get::<Pod>(set.namespace(), &pod).is_some() {
            continue;
        }
        let text = format!("failed to create PVC {}: {error}", error.name);
        match told.iter_mut().find(|it| it.0 == pod) {
            Some((_, texts)) => texts.push(text),
            None => told.push((pod, vec![text])),
        }
    }
    for (pod, texts) in told {
        plan.record(pod_event(set, Verb::Create, &pod, Some(&aggregate(&texts))));
    }
}

/// Tells of the first failed pod that was removed before it could be deleted here; the others are
/// gone when their turn comes. In order it is reached only where all before it are ready.
pub(super) fn tell_of_lost(
    plan: &mut Plan,
    set: &StatefulSet,
    spec: &StatefulSetSpec,
    pods: &[&Pod],
    failed: BTreeSet<i32>,
) {
    let of = |ordinal| pods.iter().find(|it| util::ordinal(it) == Some(ordinal));
    let Some(lost) = failed.into_iter().find(|it| of(*it).is_none()) else { return };
    let is_ready = |ordinal| of(ordinal).is_some_and(|it| util::is_running_and_ready(it));
    if util::allows_burst(spec) || (util::start_ordinal(spec)..lost).all(is_ready) {
        let pod = format!("{}-{lost}", set.name());
        plan.record(pod_event(set, Verb::Delete, &pod, None));
    }
}

/// Several errors as one. Upstream: `NewAggregate`.
fn aggregate(errors: &[String]) -> String {
    match errors {
        [error] => error.clone(),
        errors => format!("[{}]", errors.join(", ")),
    }
}

/// Upstream: `recordPodEvent`.
fn pod_event(set: &StatefulSet, verb: Verb, pod: &str, error: Option<&str>) -> EventSpec {
    let (verb, name) = (verb.text(), set.name());
    match error {
        None => {
            let message = format!("{verb} Pod {pod} in StatefulSet {name} successful");
            utils::normal(COMPONENT, set, &format!("Successful{verb}"), message)
        }
        Some(error) => {
            let message = format!("{verb} Pod {pod} in StatefulSet {name} failed error: {error}");
            utils::warning(COMPONENT, set, &format!("Failed{verb}"), message)
        }
    }
}

/// What was done, as events tell it.
#[derive(Clone, Copy)]
enum Verb {
    Create,
    Update,
    Delete,
}

impl Verb {
    fn text(self) -> &'static str {
        match self {
            Self::Create => "Create",
            Self::Update => "Update",
            Self::Delete => "Delete",
        }
    }
}

/// One StatefulSet and the plan for it.
pub(super) struct PodControl<'a> {
    pub(super) set: &'a StatefulSet,
    pub(super) view: View<'a>,
    pub(super) plan: Plan,
    /// The batch of what is done for the pod at hand.
    pub(super) batch: usize,
}

impl<'a> PodControl<'a> {
    /// Creates a pod and the claims that it lacks. Returns whether a claim stands in the way.
    /// Upstream: `CreateStatefulPod`.
    pub(super) fn create(&mut self, pod: &Pod) -> bool {
        let needs = self.plan.actions.len();
        if let Some(error) = self.create_claims(pod) {
            let event = self.pod_event(Verb::Create, pod, Some(&error));
            self.plan.record(event);
            return true;
        }
        // A namesake of another owner makes creation fail without a word, until it is gone.
        let taken = self.view.listers.get::<Pod>(pod.namespace(), pod.name()).is_some();
        let failed = self.pod_event(Verb::Create, pod, Some("{error}"));
        let created = self.pod_event(Verb::Create, pod, None);
        self.plan.push(Action::Create {
            object: pod.clone().into_object(),
            created: Some(Box::new(created)),
            failed: (!taken).then(|| Box::new(failed)),
        });
        self.update_claims_for_retention(pod);
        self.plan.attempt_after(needs, needs, self.batch);
        false
    }

    /// Puts the labels, volumes and claims of a pod right. Returns whether a claim stands in the
    /// way. Upstream: `UpdateStatefulPod`.
    pub(super) fn update(&mut self, pod: &Pod) -> bool {
        let needs = self.plan.actions.len();
        let mut changed = pod.clone();
        if !util::identity_matches(self.set, pod) {
            util::update_identity(&mut changed);
        }
        if !util::storage_matches(self.set, pod) {
            util::update_storage(self.set, &mut changed);
            if let Some(error) = self.create_claims(pod) {
                let event = self.pod_event(Verb::Update, pod, Some(&error));
                self.plan.record(event);
                return true;
            }
        }
        self.update_claims_for_retention(pod);
        self.plan.push(utils::update(changed));
        let event = self.pod_event(Verb::Update, pod, None);
        self.plan.record(event);
        self.plan.attempt_after(needs, needs, self.batch);
        false
    }

    /// Upstream: `DeleteStatefulPod`.
    pub(super) fn delete(&mut self, pod: &Pod) {
        let options = DeleteOptions::default();
        self.plan.push(Action::Delete { key: pod.object_ref(), options });
        let event = self.pod_event(Verb::Delete, pod, None);
        self.plan.record(event);
    }

    /// Upstream: `createMissingPersistentVolumeClaims`. Returns whether a claim stands in the way.
    pub(super) fn create_missing_claims(&mut self, pod: &Pod) -> bool {
        let failed = self.create_claims(pod).is_some();
        if !failed {
            self.update_claims_for_retention(pod);
        }
        failed
    }

    /// Creates the claims that do not exist, each whatever becomes of the others. The error is that
    /// some of them are being deleted. Upstream: `createPersistentVolumeClaims`.
    fn create_claims(&mut self, pod: &Pod) -> Option<String> {
        let mut errors = Vec::new();
        for (_, claim) in util::claims(self.set, pod) {
            match self.claim(&claim) {
                Some(old) if old.metadata.deletion_timestamp.is_some() => {
                    errors.push(format!("pvc {} is being deleted", claim.name()));
                }
                Some(_) => {}
                None => {
                    let first = self.plan.actions.len();
                    let about = format!("Pod {} in StatefulSet {}", pod.name(), self.set.name());
                    let name = claim.name().to_owned();
                    let created = format!("Create Claim {name} {about} success");
                    let failed = format!("Create Claim {name} for {about} failed error: {{error}}");
                    let created = utils::normal(COMPONENT, self.set, "SuccessfulCreate", created);
                    let failed = utils::warning(COMPONENT, self.set, "FailedCreate", failed);
                    self.plan.push(Action::Create {
                        object: claim.into_object(),
                        created: Some(Box::new(created)),
                        failed: Some(Box::new(failed)),
                    });
                    self.plan.attempt_since(first, self.batch);
                }
            }
        }
        (!errors.is_empty()).then(|| aggregate(&errors))
    }

    fn claim(&self, claim: &PersistentVolumeClaim) -> Option<&'a PersistentVolumeClaim> {
        self.view.listers.get::<PersistentVolumeClaim>(claim.namespace(), claim.name())
    }

    /// The claims of a pod that exist.
    fn existing_claims(&self, pod: &Pod) -> Vec<&'a PersistentVolumeClaim> {
        let claims = util::claims(self.set, pod);
        claims.iter().filter_map(|(_, claim)| self.claim(claim)).collect()
    }

    /// Upstream: `ClaimsMatchRetentionPolicy`.
    pub(super) fn claims_match_retention(&self, pod: &Pod) -> bool {
        let mut claims = self.existing_claims(pod).into_iter();
        claims.all(|it| util::is_claim_owner_up_to_date(it, self.set, pod))
    }

    /// Whether a claim still belongs to an earlier pod of the same name, with which it will be
    /// collected. Upstream: `PodClaimIsStale`.
    pub(super) fn claim_is_stale(&self, pod: &Pod) -> bool {
        util::Retention::of(self.set).delete_when_scaled
            && self.existing_claims(pod).into_iter().any(|it| util::has_stale_owner(it, pod))
    }

    /// Upstream: `UpdatePodClaimForRetentionPolicy`.
    pub(super) fn update_claims_for_retention(&mut self, pod: &Pod) {
        for claim in self.existing_claims(pod) {
            if util::has_unexpected_controller(claim, self.set, pod) {
                let name = claim.name();
                let message = format!(
                    "PersistentVolumeClaim {name} has a conflicting OwnerReference that acts as a manging controller, the retention policy is ignored for this claim"
                );
                let event = utils::warning(COMPONENT, self.set, "ConflictingController", message);
                self.plan.record(event);
            }
            if !util::is_claim_owner_up_to_date(claim, self.set, pod) {
                let mut changed = claim.clone();
                util::update_claim_owners(&mut changed, self.set, pod);
                self.plan.push(utils::update(changed));
            }
        }
    }

    fn pod_event(&self, verb: Verb, pod: &Pod, error: Option<&str>) -> EventSpec {
        pod_event(self.set, verb, pod.name(), error)
    }
}
