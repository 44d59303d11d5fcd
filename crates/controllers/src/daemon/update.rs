//! Replaces daemon pods of an old template, and keeps the history of templates.
//!
//! Upstream: `pkg/controller/daemon/update.go`, v1.36.
//! Nodes take their turn in random order, as upstream goes through a map; here it follows from
//! the seed.

use std::collections::BTreeSet;

use api::Gather;
use api::{Action, DeleteOptions, Patch, Plan, Resource, View, pods};
use k8s_openapi::api::apps::v1::{ControllerRevision, DaemonSet, DaemonSetSpec, DaemonSetStatus};
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::apimachinery::pkg::runtime::RawExtension;
use serde_json::json;

use super::daemon_controller::Nodes;
use super::daemonset_util::{self as util, HASH_LABEL};
use crate::{controller_utils as utils, history};

/// The revisions of a DaemonSet.
pub(super) struct History<'a> {
    /// The hash of the current template.
    pub(super) hash: String,
    /// The revisions of other templates.
    old: Vec<&'a ControllerRevision>,
}

/// Finds the revision of the current template, or has it created. `None` if its name is taken: then
/// the plan changes the name, and there is nothing more to do this time. Upstream:
/// `constructHistory`.
pub(super) fn construct_history<'a>(
    plan: &mut Plan,
    ds: &DaemonSet,
    spec: &DaemonSetSpec,
    pods: &[&Pod],
    view: &View<'a>,
) -> Option<History<'a>> {
    let all = utils::claim::<ControllerRevision>(plan, ds, &spec.selector, view, |_| true);
    let patch = history::patch_of(&spec.template);
    let (current, old): (Vec<_>, Vec<_>) =
        all.into_iter().partition(|it| history::stores(it, &patch));
    let revision = old.iter().map(|it| it.revision).max().unwrap_or(0) + 1;
    let Some(keep) = current.iter().copied().max_by_key(|it| it.revision) else {
        let hash = snapshot(plan, ds, spec, RawExtension(patch), revision, view)?;
        return Some(History { hash, old });
    };
    let hash = match history::label(keep, HASH_LABEL) {
        "" => keep.name().to_owned(),
        hash => hash.to_owned(),
    };
    deduplicate(plan, &current, keep, &hash, pods);
    let unlabelled = history::label(keep, HASH_LABEL).is_empty();
    if keep.revision < revision || unlabelled {
        let mut changed =
            ControllerRevision { revision: keep.revision.max(revision), ..keep.clone() };
        let labels = changed.metadata.labels.get_or_insert_default();
        labels.entry(HASH_LABEL.to_owned()).or_insert_with(|| hash.clone());
        plan.push(utils::update(changed));
    }
    Some(History { hash, old })
}

/// Keeps one of several revisions of the same template. Upstream: `dedupCurHistories`.
fn deduplicate(
    plan: &mut Plan,
    current: &[&ControllerRevision],
    keep: &ControllerRevision,
    hash: &str,
    pods: &[&Pod],
) {
    if current.len() < 2 {
        return;
    }
    for pod in pods.iter().filter(|it| hash_of(it) != Some(hash)) {
        let patch = Patch::Merge(json!({ "metadata": { "labels": { HASH_LABEL: hash } } }));
        plan.push(Action::Patch { key: pod.object_ref(), subresource: "", patch });
    }
    for it in current.iter().filter(|it| it.name() != keep.name()) {
        plan.push(Action::Delete { key: it.object_ref(), options: DeleteOptions::default() });
    }
}

fn hash_of(pod: &Pod) -> Option<&str> {
    pod.metadata.labels.as_ref()?.get(HASH_LABEL).map(String::as_str)
}

/// Creates the revision of the current template and returns its hash. Upstream: `snapshot`.
fn snapshot(
    plan: &mut Plan,
    ds: &DaemonSet,
    spec: &DaemonSetSpec,
    data: RawExtension,
    revision: i64,
    view: &View<'_>,
) -> Option<String> {
    let collisions = ds.status.as_ref().and_then(|it| it.collision_count);
    let hash = utils::compute_hash(&spec.template, collisions);
    let name = format!("{}-{hash}", ds.name());
    if let Some(taken) = view.listers.get::<ControllerRevision>(ds.namespace(), &name) {
        if history::stores(taken, &data.0) {
            return Some(hash);
        }
        let status = DaemonSetStatus {
            collision_count: Some(collisions.unwrap_or(0) + 1),
            ..ds.status.clone().unwrap_or_default()
        };
        plan.push(utils::update_status(DaemonSet { status: Some(status), ..ds.clone() }));
        return None;
    }
    let template_labels = spec.template.metadata.as_ref().and_then(|it| it.labels.as_ref());
    let mut new = ControllerRevision { data: Some(data), revision, ..Default::default() };
    new.metadata.name = Some(name);
    new.metadata.namespace = Some(ds.namespace().to_owned());
    new.metadata.labels = Some(utils::with_label(template_labels, HASH_LABEL, &hash));
    new.metadata.annotations.clone_from(&ds.metadata.annotations);
    new.metadata.owner_references = Some(vec![ds.controller_ref()]);
    plan.push(Action::Create { object: new.into_object(), created: None, failed: None });
    Some(hash)
}

/// Deletes the oldest revisions beyond the limit, but none that a pod still has. Upstream:
/// `cleanupHistory`.
pub(super) fn cleanup_history(
    plan: &mut Plan,
    spec: &DaemonSetSpec,
    history: &History<'_>,
    pods: &[&Pod],
) {
    let keep = utils::size(spec.revision_history_limit.unwrap_or(10));
    let surplus = history.old.len().saturating_sub(keep);
    if surplus == 0 {
        return;
    }
    let live: BTreeSet<&str> = pods.iter().filter_map(|it| hash_of(it)).to_set();
    let mut old = history.old.clone();
    history::sort(&mut old);
    let dead = old.into_iter().filter(|it| !live.contains(history::label(it, HASH_LABEL)));
    for it in dead.take(surplus) {
        plan.push(Action::Delete { key: it.object_ref(), options: DeleteOptions::default() });
    }
}

/// What an update asks for.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Update<'a> {
    /// Pods to delete.
    pub(super) delete: Vec<&'a Pod>,
    /// Nodes that get a second pod.
    pub(super) create_on: Vec<&'a str>,
}

/// The old and the new pod of a node.
struct Pair<'a> {
    new: Option<&'a Pod>,
    old: Option<&'a Pod>,
}

/// What the pods of a rolling update are judged by.
pub(super) struct Roll<'a> {
    pub(super) hash: &'a str,
    pub(super) generation: Option<i64>,
    pub(super) min_ready_seconds: i32,
    pub(super) view: View<'a>,
}

impl Roll<'_> {
    fn is_available(&self, pod: &Pod) -> bool {
        pods::is_available(pod, self.min_ready_seconds, self.view.now)
    }

    /// `None` if the node has two old or two new pods, which must be put right first. Upstream:
    /// `findUpdatedPodsOnNode`.
    fn pair<'a>(&self, pods: &[&'a Pod]) -> Option<Pair<'a>> {
        let mut pair = Pair { new: None, old: None };
        for pod in pods.iter().copied().filter(|it| !pods::is_terminating(it)) {
            let updated = util::is_pod_updated(pod, self.hash, self.generation);
            let place = if updated { &mut pair.new } else { &mut pair.old };
            if place.replace(pod).is_some() {
                return None;
            }
        }
        Some(pair)
    }
}

/// Upstream: `rollingUpdate`.
pub(super) fn rolling_update<'a>(
    spec: &DaemonSetSpec,
    nodes: &Nodes<'a>,
    roll: &Roll<'_>,
) -> Update<'a> {
    let desired = utils::count(nodes.n_desired());
    let max_surge = utils::size(util::surge_count(spec, desired));
    let mut max_unavailable = utils::size(util::unavailable_count(spec, desired));
    if desired > 0 && max_unavailable == 0 && max_surge == 0 {
        max_unavailable = 1;
    }
    if max_surge == 0 {
        replace_in_place(nodes, roll, max_unavailable)
    } else {
        surge(nodes, roll, max_surge)
    }
}

/// Deletes old pods, as many as may be unavailable; the next round creates the new ones.
fn replace_in_place<'a>(nodes: &Nodes<'a>, roll: &Roll<'_>, max_unavailable: usize) -> Update<'a> {
    let mut n_unavailable = 0;
    let mut allowed = Vec::new();
    let mut candidates = Vec::new();
    for (_, pods) in nodes.wanted_or_with_pods(roll.view.seed, roll.hash) {
        let Some(pair) = roll.pair(pods) else {
            n_unavailable += 1;
            continue;
        };
        match pair {
            Pair { new: None, old: None } | Pair { new: Some(_), old: Some(_) } => {
                n_unavailable += 1;
            }
            Pair { new: Some(new), .. } => n_unavailable += usize::from(!roll.is_available(new)),
            Pair { old: Some(old), .. } if !roll.is_available(old) => {
                allowed.push(old);
                n_unavailable += 1;
            }
            Pair { old: Some(old), .. } if n_unavailable < max_unavailable => candidates.push(old),
            Pair { old: Some(_), .. } => {}
        }
    }
    candidates.truncate(max_unavailable.saturating_sub(n_unavailable));
    allowed.append(&mut candidates);
    Update { delete: allowed, create_on: Vec::new() }
}

/// Creates new pods beside old ones, and deletes an old one when its successor is available.
fn surge<'a>(nodes: &Nodes<'a>, roll: &Roll<'_>, max_surge: usize) -> Update<'a> {
    let mut update = Update::default();
    let mut should_not_run = Vec::new();
    let mut candidates = Vec::new();
    let (mut n_surge, mut n_available) = (0, 0);
    for (node, pods) in nodes.wanted_or_with_pods(roll.view.seed, roll.hash) {
        let Some(pair) = roll.pair(pods) else {
            n_surge += 1;
            continue;
        };
        let counted = pair.old.or(pair.new);
        n_available += usize::from(counted.is_some_and(|it| roll.is_available(it)));
        match (pair.old, pair.new) {
            (None, _) => {}
            (Some(old), None) => match (nodes.should_run(node), roll.is_available(old)) {
                (false, false) => update.delete.push(old),
                (false, true) => should_not_run.push(old),
                (true, false) => update.create_on.push(node),
                (true, true) if n_surge < max_surge => candidates.push(node),
                (true, true) => {}
            },
            (Some(_), Some(new)) if !roll.is_available(new) => n_surge += 1,
            (Some(old), Some(_)) => update.delete.push(old),
        }
    }
    let deletable = n_available.saturating_sub(nodes.n_desired());
    update.delete.extend(should_not_run.into_iter().take(deletable));
    let room = max_surge.saturating_sub(n_surge);
    update.create_on.extend(candidates.into_iter().take(room));
    update
}
