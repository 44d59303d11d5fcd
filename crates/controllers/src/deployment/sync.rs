//! Finds or creates the ReplicaSet of the current template, numbers roll-outs, scales, cleans up
//! and counts.
//!
//! Upstream: `pkg/controller/deployment/sync.go`, v1.36.

use api::Order;
use api::time::after_ms;
use api::{Action, DeleteOptions, Plan, Resource, View};
use k8s_openapi::api::apps::v1::{
    Deployment, DeploymentSpec, DeploymentStatus, ReplicaSet, ReplicaSetSpec,
};

use super::deployment_controller::COMPONENT;
use super::deployment_util::{
    self as util, AVAILABLE, PROGRESSING, REVISION, TEMPLATE_HASH, new_condition, reason,
    rs_actual, rs_available, rs_replicas, sum,
};
use crate::controller_utils as utils;

/// How soon a sync is repeated that could not write its status. Upstream: the first delay of the
/// rate limiter.
const RETRY_MS: i64 = 5;
/// The longest name of an object.
const MAX_NAME: usize = 253;

/// The ReplicaSet of the current template, and those of earlier ones from the oldest to the newest.
#[derive(Clone, Debug, Default)]
pub(super) struct Sets {
    pub(super) new: Option<ReplicaSet>,
    pub(super) old: Vec<ReplicaSet>,
}

impl Sets {
    pub(super) fn all(&self) -> impl Iterator<Item = &ReplicaSet> {
        self.old.iter().chain(&self.new)
    }

    fn active(&self) -> Vec<ReplicaSet> {
        self.all().filter(|it| rs_replicas(it) > 0).cloned().collect()
    }
}

/// One sync of a Deployment.
pub(super) struct Rollout<'a> {
    /// As it will be when the plan is carried out.
    pub(super) deployment: Deployment,
    pub(super) spec: DeploymentSpec,
    pub(super) plan: Plan,
    pub(super) view: View<'a>,
    /// Its ReplicaSets, by age, as they will be when revisions are in order.
    pub(super) sets: Vec<ReplicaSet>,
    /// The status was written on the way. Upstream's final write then fails with a conflict, and
    /// the sync is repeated; so here, that the same states are passed.
    pub(super) wrote_status: bool,
}

impl Rollout<'_> {
    /// The status, as written so far.
    pub(super) fn status(&self) -> DeploymentStatus {
        self.deployment.status.clone().unwrap_or_default()
    }

    /// Upstream: `sync`, for paused Deployments and changes of size.
    pub(super) fn sync(&mut self) -> Option<()> {
        let sets = self.sync_revision(false)?;
        self.scale(&sets);
        if self.spec.paused == Some(true) {
            self.cleanup(&sets.old);
        }
        self.sync_status(&sets);
        Some(())
    }

    /// Upstream: `syncStatusOnly`.
    pub(super) fn sync_status_only(&mut self) -> Option<()> {
        let sets = self.sync_revision(false)?;
        self.sync_status(&sets);
        Some(())
    }

    fn sync_status(&mut self, sets: &Sets) {
        let new = self.calculate_status(sets);
        if new != self.status() {
            self.write_status(new);
        }
    }

    /// Writes the final status of a sync.
    pub(super) fn write_status(&mut self, new: DeploymentStatus) {
        if self.wrote_status {
            self.plan.requeue(after_ms(self.view.now, RETRY_MS));
            return;
        }
        self.deployment.status = Some(new);
        self.plan.push(utils::update_status(self.deployment.clone()));
    }

    /// Writes a status on the way.
    fn write_interim_status(&mut self, status: DeploymentStatus) {
        self.deployment.status = Some(status);
        self.plan.push(utils::update_status(self.deployment.clone()));
        self.wrote_status = true;
    }

    /// Shows in the condition `Progressing` that a Deployment is paused or was resumed, so that
    /// the time in between does not count. Upstream: `checkPausedConditions`.
    pub(super) fn check_paused_conditions(&mut self) {
        let mut status = self.status();
        let current = util::progress_reason(&status);
        if !util::has_progress_deadline(&self.spec) || current == Some(reason::TIMED_OUT) {
            return;
        }
        let (reason, message) =
            match (self.spec.paused == Some(true), current == Some(reason::PAUSED)) {
                (true, false) => (reason::PAUSED, "Deployment is paused"),
                (false, true) => ("DeploymentResumed", "Deployment is resumed"),
                _ => return,
            };
        let condition = new_condition(PROGRESSING, "Unknown", reason, message, self.view.now);
        util::set_condition(&mut status, condition);
        self.write_interim_status(status);
    }

    /// Sorts the ReplicaSets into the new one and the old ones, and numbers the new one. `None` if
    /// it is missing and cannot be created. Upstream: `getAllReplicaSetsAndSyncRevision`.
    pub(super) fn sync_revision(&mut self, create: bool) -> Option<Sets> {
        let position = util::find_new(&self.spec, &self.sets);
        let others = self.sets.iter().enumerate().filter(|(at, _)| Some(*at) != position);
        let old: Vec<ReplicaSet> = others.map(|(_, rs)| rs.clone()).collect();
        let revision = old.iter().filter_map(util::revision).max().unwrap_or(0) + 1;
        let new = match position {
            Some(at) => Some(self.renumber(at, revision)),
            None if create => Some(self.create_new(&old, revision)?),
            None => None,
        };
        Some(Sets { new, old })
    }

    /// Upstream: the first half of `getNewReplicaSet`.
    fn renumber(&mut self, at: usize, revision: i64) -> ReplicaSet {
        let mut rs = self.sets[at].clone();
        let changed = util::set_new_annotations(&self.deployment, &mut rs, revision);
        let min_ready = rs.spec.as_ref().and_then(|it| it.min_ready_seconds).unwrap_or(0);
        if changed || min_ready != self.spec.min_ready_seconds.unwrap_or(0) {
            util::rs_spec_mut(&mut rs).min_ready_seconds = self.spec.min_ready_seconds;
            self.plan.push(utils::update(rs.clone()));
            self.sets[at] = rs.clone();
        }
        let number = util::annotation(&rs.metadata, REVISION).to_owned();
        let mut needs_update =
            util::set_annotation(&mut self.deployment.metadata, REVISION, &number);
        let mut status = self.status();
        if util::has_progress_deadline(&self.spec)
            && util::condition(&status, PROGRESSING).is_none()
        {
            let message = format!("Found new replica set \"{}\"", rs.name());
            let found =
                new_condition(PROGRESSING, "True", "FoundNewReplicaSet", message, self.view.now);
            util::set_condition(&mut status, found);
            needs_update = true;
        }
        if needs_update {
            self.write_interim_status(status);
        }
        rs
    }

    /// Upstream: the second half of `getNewReplicaSet`.
    fn create_new(&mut self, old: &[ReplicaSet], revision: i64) -> Option<ReplicaSet> {
        if utils::namespace_terminating(self.deployment.namespace(), &self.view) {
            return None;
        }
        let mut status = self.status();
        let mut rs = new_replica_set(&self.deployment, &self.spec, status.collision_count);
        if self.view.listers.get::<ReplicaSet>(rs.namespace(), rs.name()).is_some() {
            // Another template has the same hash. The next sync tries another name.
            status.collision_count = Some(status.collision_count.unwrap_or(0) + 1);
            self.write_interim_status(status);
            self.plan.requeue(after_ms(self.view.now, RETRY_MS));
            return None;
        }
        let size = util::new_rs_new_replicas(&self.spec, sum(old, rs_replicas), 0);
        util::rs_spec_mut(&mut rs).replicas = Some(size);
        util::set_new_annotations(&self.deployment, &mut rs, revision);
        util::set_replicas_annotations(&self.spec, &mut rs);
        let scaled = format!("Scaled up replica set {} from 0 to {size}", rs.name());
        let scaled = utils::normal(COMPONENT, &self.deployment, "ScalingReplicaSet", scaled);
        let failed = utils::warning(
            COMPONENT,
            &self.deployment,
            "ReplicaSetCreateError",
            format!("Failed to create new replica set \"{}\": {{error}}", rs.name()),
        );
        self.plan.push(Action::Create {
            object: rs.clone().into_object(),
            created: (size > 0).then(|| Box::new(scaled)),
            failed: Some(Box::new(failed)),
        });
        let number = revision.to_string();
        let mut needs_update =
            util::set_annotation(&mut self.deployment.metadata, REVISION, &number);
        if util::has_progress_deadline(&self.spec) {
            let message = format!("Created new replica set \"{}\"", rs.name());
            let created =
                new_condition(PROGRESSING, "True", "NewReplicaSetCreated", message, self.view.now);
            util::set_condition(&mut status, created);
            needs_update = true;
        }
        if needs_update {
            self.write_interim_status(status);
        }
        Some(rs)
    }

    /// Whether the Deployment's size changed since an active ReplicaSet was scaled last. Upstream:
    /// `isScalingEvent`.
    pub(super) fn is_scaling_event(&mut self) -> bool {
        let Some(sets) = self.sync_revision(false) else { return false };
        let desired = sets.active().iter().filter_map(util::desired_replicas).collect::<Vec<_>>();
        desired.into_iter().any(|it| it != util::replicas(&self.spec))
    }

    /// Gives each ReplicaSet its share of a change of size. Upstream: `scale`.
    fn scale(&mut self, sets: &Sets) {
        let wanted = util::replicas(&self.spec);
        let active = sets.active();
        if let [] | [_] = active.as_slice() {
            let newest = sets.new.as_ref().or(sets.old.last());
            if let Some(rs) = active.first().or(newest).cloned() {
                self.scale_replica_set(&rs, wanted, false);
            }
            return;
        }
        if sets.new.as_ref().is_some_and(|it| util::is_saturated(&self.spec, it)) {
            for old in sets.old.iter().filter(|it| rs_replicas(it) > 0) {
                self.scale_replica_set(old, 0, false);
            }
        } else if util::is_rolling_update(&self.spec) {
            self.scale_proportionally(active);
        }
    }

    fn scale_proportionally(&mut self, mut active: Vec<ReplicaSet>) {
        let wanted = util::replicas(&self.spec);
        let allowed = if wanted > 0 { wanted + util::max_surge(&self.spec) } else { 0 };
        let to_add = allowed - sum(&active, rs_replicas);
        if to_add != 0 {
            util::sort_by_size(&mut active, to_add > 0);
        }
        let mut added = 0;
        let mut sizes = Vec::new();
        for rs in &active {
            let share = util::proportion(&self.deployment, rs, to_add, added);
            sizes.push(rs_replicas(rs) + share);
            added += share;
        }
        if let Some(first) = sizes.first_mut().filter(|_| to_add != 0) {
            *first = (*first + to_add - added).max(0);
        }
        for (rs, size) in active.iter().zip(sizes) {
            self.scale_replica_set(rs, size, true);
        }
    }

    /// Writes the size of a ReplicaSet, or, if forced, the Deployment's size on it. Returns the
    /// ReplicaSet if its own size changed. Upstream: `scaleReplicaSet`.
    pub(super) fn scale_replica_set(
        &mut self,
        rs: &ReplicaSet,
        size: i32,
        force: bool,
    ) -> Option<ReplicaSet> {
        let old_size = rs_replicas(rs);
        if old_size == size && !force {
            return None;
        }
        let mut scaled = rs.clone();
        util::rs_spec_mut(&mut scaled).replicas = Some(size);
        let annotated = util::set_replicas_annotations(&self.spec, &mut scaled);
        if old_size == size && !annotated {
            return None;
        }
        self.plan.push(utils::update(scaled.clone()));
        if old_size == size {
            return None;
        }
        let direction = if old_size < size { "up" } else { "down" };
        let name = rs.name();
        let message = format!("Scaled {direction} replica set {name} from {old_size} to {size}");
        let event = utils::normal(COMPONENT, &self.deployment, "ScalingReplicaSet", message);
        self.plan.record(event);
        Some(scaled)
    }

    /// Deletes the oldest ReplicaSets beyond the history limit, if they are empty. Upstream:
    /// `cleanupDeployment`.
    pub(super) fn cleanup(&mut self, old: &[ReplicaSet]) {
        let Some(limit) = self.spec.revision_history_limit.filter(|it| *it != i32::MAX) else {
            return;
        };
        let alive = old.iter().filter(|it| it.metadata.deletion_timestamp.is_none());
        let mut alive: Vec<&ReplicaSet> = alive.collect();
        let surplus = alive.len().saturating_sub(utils::size(limit));
        alive.order_by_key(|rs| util::revision(rs).unwrap_or(0));
        for rs in alive.into_iter().take(surplus) {
            let observed = rs.status.as_ref().and_then(|it| it.observed_generation).unwrap_or(0);
            let current = rs.metadata.generation.unwrap_or(0) <= observed;
            if rs_actual(rs) == 0 && rs_replicas(rs) == 0 && current {
                let options = DeleteOptions::default();
                self.plan.push(Action::Delete { key: rs.object_ref(), options });
            }
        }
    }

    /// Upstream: `calculateStatus`.
    pub(super) fn calculate_status(&self, sets: &Sets) -> DeploymentStatus {
        let old = self.status();
        let available = sum(sets.all(), rs_available);
        let unavailable = (sum(sets.all(), rs_replicas) - available).max(0);
        let ready = |rs: &ReplicaSet| rs.status.as_ref().and_then(|it| it.ready_replicas);
        let ready = sets.all().filter_map(ready).sum();
        let mut status = DeploymentStatus {
            observed_generation: self.deployment.metadata.generation,
            replicas: utils::nonzero(sum(sets.all(), rs_actual)),
            updated_replicas: utils::nonzero(sum(&sets.new, rs_actual)),
            ready_replicas: utils::nonzero(ready),
            available_replicas: utils::nonzero(available),
            unavailable_replicas: utils::nonzero(unavailable),
            terminating_replicas: util::terminating(sets.all()),
            collision_count: old.collision_count,
            conditions: old.conditions,
        };
        let enough = available >= util::replicas(&self.spec) - util::max_unavailable(&self.spec);
        let (value, reason, verb) = if enough {
            ("True", "MinimumReplicasAvailable", "has")
        } else {
            ("False", "MinimumReplicasUnavailable", "does not have")
        };
        let message = format!("Deployment {verb} minimum availability.");
        let condition = new_condition(AVAILABLE, value, reason, message, self.view.now);
        util::set_condition(&mut status, condition);
        status
    }
}

/// A ReplicaSet for the current template, without pods. Its name follows from the template, so
/// that the same template never gets two.
pub(super) fn new_replica_set(
    d: &Deployment,
    spec: &DeploymentSpec,
    collisions: Option<i32>,
) -> ReplicaSet {
    let hash = utils::compute_hash(&spec.template, collisions);
    let mut template = spec.template.clone();
    let meta = template.metadata.get_or_insert_default();
    let labels = utils::with_label(meta.labels.as_ref(), TEMPLATE_HASH, &hash);
    meta.labels = Some(labels.clone());
    let mut selector = spec.selector.clone();
    let match_labels = utils::with_label(selector.match_labels.as_ref(), TEMPLATE_HASH, &hash);
    selector.match_labels = Some(match_labels);

    let mut rs = ReplicaSet::default();
    rs.metadata.name = Some(replica_set_name(d.name(), &hash));
    rs.metadata.namespace = Some(d.namespace().to_owned());
    rs.metadata.owner_references = Some(vec![d.controller_ref()]);
    rs.metadata.labels = Some(labels);
    rs.spec = Some(ReplicaSetSpec {
        replicas: Some(0),
        min_ready_seconds: spec.min_ready_seconds,
        selector,
        template: Some(template),
    });
    rs
}

/// Upstream: `generateReplicaSetName`.
fn replica_set_name(deployment: &str, hash: &str) -> String {
    let room = MAX_NAME.saturating_sub(hash.len() + 1);
    let prefix = deployment.get(..room).unwrap_or(deployment);
    format!("{prefix}-{hash}")
}
