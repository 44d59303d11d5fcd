//! One round over the pods of a StatefulSet: create, wait, scale down, update, count.
//!
//! Upstream: `pkg/controller/statefulset/stateful_set_control.go`, v1.36.

use api::Gather;
use api::Order;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use api::time::after_secs;
use api::{Action, DeleteOptions, Plan, Resource, View, pods, selector, slow_start_batch};
use k8s_openapi::api::apps::v1::{
    ControllerRevision, StatefulSet, StatefulSetSpec, StatefulSetStatus,
};
use k8s_openapi::api::core::v1::{Pod, PodTemplateSpec};
use k8s_openapi::apimachinery::pkg::runtime::RawExtension;

use super::stateful_pod_control::PodControl;
use super::stateful_set_utils as util;
use crate::{controller_utils as utils, history};

/// The label with the hash of a revision's data. Upstream: `ControllerRevisionHashLabel`.
const HASH_LABEL: &str = "controller.kubernetes.io/hash";

/// The batch of what is done at the end of a round even if a pod could not be created.
const WHATEVER_FAILS: usize = 0;

/// At most so many pods are created in a round. Upstream: `MaxBatchSize`.
const MAX_BATCH_SIZE: usize = 500;

/// A revision by its name, with the template that it stores.
struct Revision {
    name: String,
    template: PodTemplateSpec,
}

/// What a set is at, and what it should come to.
struct Revisions {
    current: Revision,
    update: Revision,
    collision_count: i32,
}

/// A pod that the set wants.
enum Replica<'a> {
    Present(&'a Pod),
    Missing(Box<Pod>),
}

impl<'a> Replica<'a> {
    fn present(&self) -> Option<&'a Pod> {
        match self {
            Self::Present(pod) => Some(pod),
            Self::Missing(_) => None,
        }
    }

    fn name(&self) -> &str {
        match self {
            Self::Present(pod) => pod.name(),
            Self::Missing(pod) => pod.name(),
        }
    }
}

/// Why a replica is not as it should be.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Wait {
    /// Somebody must be waited for.
    ForOthers,
    /// Something has failed.
    Failed,
}

/// One round.
struct Round<'a> {
    control: PodControl<'a>,
    spec: &'a StatefulSetSpec,
    revisions: Revisions,
    replicas: Vec<Replica<'a>>,
    /// The pods beyond the wanted numbers, the highest number first.
    condemned: Vec<&'a Pod>,
    status: StatefulSetStatus,
}

/// Upstream: `UpdateStatefulSet`.
pub(super) fn update_stateful_set(
    mut plan: Plan,
    set: &StatefulSet,
    spec: &StatefulSetSpec,
    all: &[&Pod],
    view: &View<'_>,
) -> Plan {
    // What is not selected is not looked at: unlike pods, revisions are never released.
    let selected =
        |it: &ControllerRevision| selector::matches(&spec.selector, it.metadata.labels.as_ref());
    let mut known =
        utils::claim::<ControllerRevision>(&mut plan, set, &spec.selector, view, selected);
    history::sort(&mut known);
    let revisions = revisions_of(&mut plan, set, spec, &known, view);
    let live: BTreeSet<String> = [&revisions.current.name, &revisions.update.name]
        .into_iter()
        .cloned()
        .chain(all.iter().map(|it| util::pod_revision(it).to_owned()))
        .to_set();
    let mut round = Round {
        replicas: replicas_of(set, spec, all, &revisions),
        condemned: condemned_of(spec, all),
        status: StatefulSetStatus {
            observed_generation: set.metadata.generation,
            current_revision: Some(revisions.current.name.clone()),
            update_revision: Some(revisions.update.name.clone()),
            collision_count: Some(revisions.collision_count),
            ..StatefulSetStatus::default()
        },
        control: PodControl { set, view: *view, plan, batch: WHATEVER_FAILS },
        spec,
        revisions,
    };
    round.count(all);
    if set.metadata.deletion_timestamp.is_none() {
        let end = round.run();
        if end.is_ok() && util::is_rolling_update(spec) {
            round.update_one();
        }
    }
    let mut plan = round.finish();
    let first = plan.actions.len();
    truncate_history(&mut plan, spec, &known, &live);
    plan.attempt_since(first, WHATEVER_FAILS);
    plan
}

impl Round<'_> {
    fn monotonic(&self) -> bool {
        !util::allows_burst(self.spec)
    }

    fn is_available(&self, pod: &Pod) -> bool {
        let min_ready_seconds = self.spec.min_ready_seconds.unwrap_or(0);
        pods::is_available(pod, min_ready_seconds, self.control.view.now)
    }

    fn is_unavailable(&self, replica: &Replica<'_>) -> bool {
        replica.present().is_none_or(|pod| !self.is_available(pod) || pods::is_terminating(pod))
    }

    /// Upstream: `updateStatus`.
    fn count(&mut self, all: &[&Pod]) {
        let n = |question: &dyn Fn(&Pod) -> bool| {
            utils::count(all.iter().filter(|it| question(it)).count())
        };
        let of = |revision: &str| {
            n(&|it| !pods::is_terminating(it) && util::pod_revision(it) == revision)
        };
        let ready = n(&util::is_running_and_ready);
        let available = n(&|it| util::is_running_and_ready(it) && self.is_available(it));
        let current = of(&self.revisions.current.name);
        let updated = of(&self.revisions.update.name);
        self.status.replicas = utils::count(all.len());
        self.status.ready_replicas = utils::nonzero(ready);
        self.status.available_replicas = Some(available);
        self.status.current_replicas = utils::nonzero(current);
        self.status.updated_replicas = utils::nonzero(updated);
    }

    /// Upstream: the middle of `updateStatefulSet`.
    fn run(&mut self) -> Result<(), Wait> {
        let monotonic = self.monotonic();
        let mut replicas = std::mem::take(&mut self.replicas);
        let mut result = Ok(());
        for (index, replica) in replicas.iter_mut().enumerate() {
            let batch = if monotonic { index + 1 } else { slow_start_batch(index) };
            if result.is_err() && batch > self.control.batch {
                break;
            }
            let first = self.control.plan.actions.len();
            self.control.batch = batch;
            let wait = self.process_replica(replica);
            self.control.plan.attempt_since(first, batch);
            self.control.plan.failed |= wait == Err(Wait::Failed);
            if wait == Err(Wait::Failed) || monotonic && wait.is_err() {
                result = wait;
            }
        }
        self.replicas = replicas;
        result?;
        for pod in self.condemned.clone() {
            if !self.control.claims_match_retention(pod) {
                self.control.update_claims_for_retention(pod);
            }
        }
        let first_unavailable = self.first_unavailable();
        for pod in self.condemned.clone() {
            let wait = self.process_condemned(pod, first_unavailable.as_deref());
            if monotonic {
                wait?;
            }
        }
        Ok(())
    }

    fn first_unavailable(&self) -> Option<String> {
        let wanted = self.replicas.iter().find(|it| self.is_unavailable(it));
        let condemned =
            || self.condemned.iter().rev().find(|it| self.is_unavailable(&Replica::Present(it)));
        let wanted = wanted.map(|it| it.name().to_owned());
        wanted.or_else(|| condemned().map(|it| it.name().to_owned()))
    }

    /// Upstream: `processReplica`.
    fn process_replica(&mut self, replica: &Replica<'_>) -> Result<(), Wait> {
        let monotonic = self.monotonic();
        let pod = match replica {
            Replica::Missing(pod) => {
                if self.control.claim_is_stale(pod) {
                    return Err(Wait::ForOthers);
                }
                return match self.control.create(pod) {
                    true => Err(Wait::Failed),
                    false if monotonic => Err(Wait::ForOthers),
                    false => Ok(()),
                };
            }
            Replica::Present(pod) => *pod,
        };
        if pods::is_terminal(pod) {
            if !pods::is_terminating(pod) {
                self.control.delete(pod);
            }
            return Err(Wait::ForOthers);
        }
        if pods::phase(pod) == "Pending" && self.control.create_missing_claims(pod) {
            return Err(Wait::Failed);
        }
        let settled =
            !pods::is_terminating(pod) && util::is_running_and_ready(pod) && self.is_available(pod);
        if monotonic && !settled {
            return Err(Wait::ForOthers);
        }
        let set = self.control.set;
        if !util::identity_matches(set, pod)
            || !util::storage_matches(set, pod)
            || !self.control.claims_match_retention(pod)
        {
            return if self.control.update(pod) { Err(Wait::Failed) } else { Ok(()) };
        }
        Ok(())
    }

    /// Upstream: `processCondemned`.
    fn process_condemned(
        &mut self,
        pod: &Pod,
        first_unavailable: Option<&str>,
    ) -> Result<(), Wait> {
        if pods::is_terminating(pod) {
            return Err(Wait::ForOthers);
        }
        let settled = util::is_running_and_ready(pod) && self.is_available(pod);
        let blocked = !settled && first_unavailable != Some(pod.name());
        if !(self.monotonic() && blocked) {
            self.control.delete(pod);
        }
        Err(Wait::ForOthers)
    }

    /// Deletes the pod with the highest number that is of an old revision, unless a pod after it
    /// is not available yet.
    fn update_one(&mut self) {
        if self.replicas.len() < utils::size(util::replicas(self.spec)) {
            return;
        }
        let partition = utils::size(util::partition(self.spec).unwrap_or(0));
        for replica in self.replicas.iter().skip(partition).rev() {
            let pod = match replica {
                Replica::Present(pod) => *pod,
                Replica::Missing(_) => return,
            };
            let old = util::pod_revision(pod) != self.revisions.update.name;
            if old && !pods::is_terminating(pod) {
                self.control.delete(pod);
                let current = self.status.current_replicas.unwrap_or(0);
                self.status.current_replicas = utils::nonzero(current - 1);
                return;
            }
            if self.is_unavailable(replica) {
                return;
            }
        }
    }

    /// Writes the status if it has changed, and sees when pods become available. Upstream:
    /// `updateStatefulSetStatus`.
    fn finish(mut self) -> Plan {
        let status = &mut self.status;
        let wanted = util::replicas(self.spec);
        if util::is_rolling_update(self.spec)
            && status.updated_replicas.unwrap_or(0) == wanted
            && status.ready_replicas.unwrap_or(0) == wanted
            && status.replicas == wanted
        {
            status.current_replicas = status.updated_replicas;
            status.current_revision.clone_from(&status.update_revision);
        }
        let waits = status.ready_replicas.unwrap_or(0) != status.available_replicas.unwrap_or(0);
        let min_ready_seconds = self.spec.min_ready_seconds.unwrap_or(0);
        if min_ready_seconds > 0 && waits {
            let now = self.control.view.now;
            let present = self.replicas.iter().filter_map(Replica::present);
            let all = present.chain(self.condemned.iter().copied());
            let next = utils::next_availability_check(all, min_ready_seconds, now);
            let fallback = after_secs(now, min_ready_seconds.into());
            self.control.plan.requeue(next.unwrap_or(fallback));
        }
        let set = self.control.set;
        if set.status.as_ref() != Some(&self.status) {
            let status = Some(self.status);
            let plan = &mut self.control.plan;
            let first = plan.actions.len();
            plan.push(utils::update_status(StatefulSet { status, ..set.clone() }));
            plan.attempt_since(first, WHATEVER_FAILS);
        }
        self.control.plan
    }
}

/// The wanted pods by number; those that do not exist as they will be created, and of these not
/// more than a round may create.
fn replicas_of<'a>(
    set: &StatefulSet,
    spec: &StatefulSetSpec,
    all: &[&'a Pod],
    revisions: &Revisions,
) -> Vec<Replica<'a>> {
    let wanted = all.iter().copied().filter(|it| util::pod_in_range(spec, it));
    let present: BTreeMap<i32, &Pod> =
        wanted.filter_map(|it| Some((util::ordinal(it)?, it))).to_map();
    let start = util::start_ordinal(spec);
    let ordinals = start..start.saturating_add(util::replicas(spec));
    let missing = ordinals.filter(|it| !present.contains_key(it)).take(MAX_BATCH_SIZE);
    let new = |ordinal: i32| {
        let pod = new_versioned_pod(set, spec, revisions, ordinal);
        (ordinal, Replica::Missing(Box::new(pod)))
    };
    let mut replicas: BTreeMap<i32, Replica<'_>> = missing.map(new).to_map();
    replicas.extend(present.into_iter().map(|(ordinal, pod)| (ordinal, Replica::Present(pod))));
    replicas.into_values().collect()
}

/// A pod of the revision that its number has to be of. Upstream: `newVersionedStatefulSetPod`.
fn new_versioned_pod(
    set: &StatefulSet,
    spec: &StatefulSetSpec,
    revisions: &Revisions,
    ordinal: i32,
) -> Pod {
    let n_current = || set.status.as_ref().and_then(|it| it.current_replicas).unwrap_or(0);
    let n_current = util::partition(spec).unwrap_or_else(n_current);
    let stays = util::is_rolling_update(spec) && ordinal < util::start_ordinal(spec) + n_current;
    let revision = if stays { &revisions.current } else { &revisions.update };
    util::new_pod(set, &revision.template, &revision.name, ordinal)
}

fn condemned_of<'a>(spec: &StatefulSetSpec, all: &[&'a Pod]) -> Vec<&'a Pod> {
    let surplus = |it: &&Pod| util::ordinal(it).is_some() && !util::pod_in_range(spec, it);
    let mut condemned: Vec<&Pod> = all.iter().copied().filter(surplus).collect();
    condemned.order_by_key(|it| Reverse(util::ordinal(it)));
    condemned
}

/// Finds the revision of the current template, or has it created. Upstream:
/// `getStatefulSetRevisions`.
fn revisions_of(
    plan: &mut Plan,
    set: &StatefulSet,
    spec: &StatefulSetSpec,
    known: &[&ControllerRevision],
    view: &View<'_>,
) -> Revisions {
    let patch = history::patch_of(&spec.template);
    let next = known.last().map_or(1, |it| it.revision + 1);
    let mut collision_count = set.status.as_ref().and_then(|it| it.collision_count).unwrap_or(0);
    let equal = known.iter().rev().find(|it| history::stores(it, &patch));
    let name = match equal {
        Some(equal) => {
            if known.last().is_some_and(|it| it.name() != equal.name()) {
                let newest = ControllerRevision { revision: next, ..(*equal).clone() };
                plan.push(utils::update(newest));
            }
            equal.name().to_owned()
        }
        None => {
            let data = RawExtension(patch);
            create_revision(plan, set, spec, data, next, &mut collision_count, view)
        }
    };
    let update = Revision { name, template: spec.template.clone() };
    let at = set.status.as_ref().and_then(|it| it.current_revision.as_deref());
    let current = known.iter().find(|it| Some(it.name()) == at && it.name() != update.name);
    let current = current.map(|it| Revision {
        name: it.name().to_owned(),
        template: template_of(it).unwrap_or_else(|| spec.template.clone()),
    });
    let same = || Revision { name: update.name.clone(), template: update.template.clone() };
    Revisions { current: current.unwrap_or_else(same), update, collision_count }
}

/// The template that a revision stores. Upstream: `ApplyRevision`.
fn template_of(revision: &ControllerRevision) -> Option<PodTemplateSpec> {
    let RawExtension(data) = revision.data.as_ref()?;
    api::wire::from_value(data.pointer("/spec/template")?).ok()
}

/// Creates a revision under a name that nothing else has. Upstream: `CreateControllerRevision`.
fn create_revision(
    plan: &mut Plan,
    set: &StatefulSet,
    spec: &StatefulSetSpec,
    data: RawExtension,
    revision: i64,
    collision_count: &mut i32,
    view: &View<'_>,
) -> String {
    let label = utils::compute_hash(&data, Some(*collision_count));
    let name = loop {
        let hash = utils::compute_hash(&data, Some(*collision_count));
        let name = format!("{}-{hash}", set.name().get(..223).unwrap_or(set.name()));
        match view.listers.get::<ControllerRevision>(set.namespace(), &name) {
            Some(old) if history::stores(old, &data.0) => return name,
            Some(_) => *collision_count += 1,
            None => break name,
        }
    };
    let labels = spec.template.metadata.as_ref().and_then(|it| it.labels.as_ref());
    let mut new = ControllerRevision { data: Some(data), revision, ..Default::default() };
    new.metadata.name = Some(name.clone());
    new.metadata.namespace = Some(set.namespace().to_owned());
    new.metadata.labels = Some(utils::with_label(labels, HASH_LABEL, &label));
    new.metadata.annotations.clone_from(&set.metadata.annotations);
    new.metadata.owner_references = Some(vec![set.controller_ref()]);
    plan.push(Action::Create { object: new.into_object(), created: None, failed: None });
    name
}

/// Deletes the oldest revisions beyond the limit, but none that is in use. Upstream:
/// `truncateHistory`.
fn truncate_history(
    plan: &mut Plan,
    spec: &StatefulSetSpec,
    known: &[&ControllerRevision],
    live: &BTreeSet<String>,
) {
    let dead: Vec<_> = known.iter().filter(|it| !live.contains(it.name())).collect();
    let surplus = dead.len().saturating_sub(utils::size(spec.revision_history_limit.unwrap_or(10)));
    for it in dead.into_iter().take(surplus) {
        plan.push(Action::Delete { key: it.object_ref(), options: DeleteOptions::default() });
    }
}
