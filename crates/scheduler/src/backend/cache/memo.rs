//! Verdicts and scores that a node and the pod's demands on a node settle alone, kept between
//! attempts until the node changes.
//!
//! Upstream had this as its equivalence cache (`core/equivalence`) and gave it up because cache and
//! snapshot could differ while pods were bound in the background; here nothing runs in between.

use std::sync::Arc;

use k8s_openapi::api::core::v1::{NodeAffinity, Toleration};

use crate::framework::interface::Rejection;
use crate::framework::types::{Compiled, NodeId, PodInfo};

/// So many sorts of pods are remembered.
const MAX_CLASSES: usize = 16;

/// What a pod demands of a node by itself: neighbours, domains and volumes apart.
#[derive(Clone, Debug)]
struct Demand {
    compiled: Arc<Compiled>,
    affinity: Option<NodeAffinity>,
    tolerations: Vec<Toleration>,
    node_name: Option<String>,
}

fn node_affinity(pod: &PodInfo) -> Option<&NodeAffinity> {
    pod.spec()?.affinity.as_ref()?.node_affinity.as_ref()
}

impl Demand {
    fn of(pod: &PodInfo) -> Self {
        Self {
            compiled: pod.compiled.clone(),
            affinity: node_affinity(pod).cloned(),
            tolerations: pod.tolerations().to_vec(),
            node_name: api::pods::node_name(&pod.pod).map(str::to_owned),
        }
    }

    fn is_of(&self, pod: &PodInfo) -> bool {
        let (a, b) = (&self.compiled, &pod.compiled);
        let same = Arc::ptr_eq(a, b)
            || (a.requests == b.requests
                && (a.non_zero_cpu, a.non_zero_memory) == (b.non_zero_cpu, b.non_zero_memory)
                && self.tolerations == pod.tolerations()
                && a.node_affinity == b.node_affinity
                && self.affinity.as_ref() == node_affinity(pod)
                && a.host_ports == b.host_ports);
        same && self.node_name.as_deref() == api::pods::node_name(&pod.pod)
    }
}

/// A verdict on a node at one state of the node.
#[derive(Clone, Copy, Debug, Default)]
struct Row {
    generation: u32,
    /// 0, or the number of the rejection.
    code: u32,
}

/// What is remembered for the pods with the same demands.
#[derive(Clone, Debug)]
pub struct Class {
    profile: String,
    demand: Demand,
    /// The filters whose joint verdict is kept.
    filters: Vec<usize>,
    rows: Vec<Row>,
    rejections: Vec<Rejection>,
    /// The score plugins whose points are kept.
    scorers: Vec<usize>,
    /// The state of each node at which it was scored.
    scored: Vec<u32>,
    /// Points by plugin and node.
    points: Vec<Vec<i64>>,
}

impl Class {
    fn forget(&mut self) {
        self.rows.fill(Row::default());
        self.scored.fill(0);
        self.rejections.clear();
    }

    fn grow(&mut self, n_slots: usize) {
        self.rows.resize(n_slots, Row::default());
        self.scored.resize(n_slots, 0);
        for it in &mut self.points {
            it.resize(n_slots, 0);
        }
    }

    /// The number of the verdict on a node in this state, if it is known.
    #[must_use]
    pub fn code(&self, id: NodeId, generation: u32) -> Option<u32> {
        let row = self.rows.get(id.at())?;
        (row.generation == generation).then_some(row.code)
    }

    /// Keeps a verdict, and gives its number.
    pub fn learn(&mut self, id: NodeId, generation: u32, verdict: Result<(), Rejection>) -> u32 {
        let at = match verdict {
            Ok(()) => 0,
            Err(it) => match self.rejections.iter().position(|known| *known == it) {
                Some(at) => at + 1,
                None => {
                    self.rejections.push(it);
                    self.rejections.len()
                }
            },
        };
        let code = u32::try_from(at).unwrap_or(u32::MAX);
        if let Some(row) = self.rows.get_mut(id.at()) {
            *row = Row { generation, code };
        }
        code
    }

    /// The rejection with a number.
    #[must_use]
    pub fn rejection(&self, code: u32) -> Option<&Rejection> {
        self.rejections.get((code as usize).checked_sub(1)?)
    }

    /// The nodes of which these plugins' points are not known as the nodes are now.
    pub fn unscored(
        &mut self,
        scorers: &[usize],
        nodes: &[NodeId],
        generations: &[u32],
    ) -> Vec<NodeId> {
        if self.scorers != scorers {
            self.scorers = scorers.to_vec();
            self.scored.fill(0);
            let n_slots = self.rows.len();
            self.points.resize_with(scorers.len(), Vec::new);
            for it in &mut self.points {
                it.resize(n_slots, 0);
            }
        }
        let is_stale = |id: &&NodeId| self.scored.get(id.at()) != generations.get(id.at());
        nodes.iter().filter(is_stale).copied().collect()
    }

    /// Keeps the points that the plugin at a place gave to some nodes.
    pub fn learn_points(&mut self, at: usize, nodes: &[NodeId], points: &[i64]) {
        let Some(kept) = self.points.get_mut(at) else { return };
        for (id, it) in nodes.iter().zip(points) {
            if let Some(kept) = kept.get_mut(id.at()) {
                *kept = *it;
            }
        }
    }

    /// All plugins' points of these nodes are known now.
    pub fn mark_scored(&mut self, nodes: &[NodeId], generations: &[u32]) {
        for id in nodes {
            if let (Some(it), Some(now)) = (self.scored.get_mut(id.at()), generations.get(id.at()))
            {
                *it = *now;
            }
        }
    }

    /// The points that the plugin at a place gave to each node of the cluster.
    #[must_use]
    pub fn points(&self, at: usize) -> &[i64] {
        self.points.get(at).map(Vec::as_slice).unwrap_or_default()
    }
}

/// The sorts of pods that were met last, the latest at the end.
#[derive(Debug, Default)]
pub struct Memo {
    classes: Vec<Class>,
}

/// A copy starts with nothing remembered: copies are made to be kept, not to schedule with.
impl Clone for Memo {
    fn clone(&self) -> Self {
        Self::default()
    }
}

impl Memo {
    /// Takes out what is remembered for pods like this one under a profile with these filters.
    pub fn take(
        &mut self,
        profile: &str,
        filters: &[usize],
        pod: &PodInfo,
        n_slots: usize,
    ) -> Class {
        let is_it =
            |it: &Class| it.profile == profile && it.filters == filters && it.demand.is_of(pod);
        if let Some(at) = self.classes.iter().rposition(is_it) {
            let mut class = self.classes.remove(at);
            class.grow(n_slots);
            return class;
        }
        let mut class = match self.classes.len() >= MAX_CLASSES {
            true => {
                let mut class = self.classes.remove(0);
                class.forget();
                class.profile = profile.to_owned();
                class.filters = filters.to_vec();
                class.demand = Demand::of(pod);
                class
            }
            false => Class {
                profile: profile.to_owned(),
                demand: Demand::of(pod),
                filters: filters.to_vec(),
                rows: Vec::new(),
                rejections: Vec::new(),
                scorers: Vec::new(),
                scored: Vec::new(),
                points: Vec::new(),
            },
        };
        class.grow(n_slots);
        class
    }

    /// Puts it back.
    pub fn put(&mut self, class: Class) {
        self.classes.push(class);
    }
}
