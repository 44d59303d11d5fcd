//! The nodes that were turned away, as one small number for each node.
//!
//! Upstream: `NodeToStatus` of `pkg/scheduler/framework/types.go`, v1.36.
//! Differs from upstream: equal verdicts are kept once, because thousands of nodes are turned away
//! for the same few reasons.

use super::interface::Rejection;
use super::types::NodeId;

/// Verdicts by node.
#[derive(Clone, Debug, Default)]
pub struct NodeStatuses {
    /// For each node 0, or the number of its verdict.
    codes: Vec<u32>,
    /// Number 1 is the first.
    distinct: Vec<Rejection>,
    n_nodes: usize,
}

impl NodeStatuses {
    /// The number of a verdict.
    pub fn code_of(&mut self, rejection: &Rejection) -> u32 {
        let at = match self.distinct.iter().rposition(|it| it == rejection) {
            Some(at) => at,
            None => {
                self.distinct.push(rejection.clone());
                self.distinct.len() - 1
            }
        };
        u32::try_from(at + 1).unwrap_or(u32::MAX)
    }

    /// Turns a node away with a verdict that has a number; `n_slots` is the size of the cluster.
    pub fn insert_code(&mut self, id: NodeId, code: u32, n_slots: usize) {
        let at = id.at();
        if at >= self.codes.len() {
            self.codes.resize(n_slots.max(at + 1), 0);
        }
        if let Some(it) = self.codes.get_mut(at) {
            self.n_nodes += usize::from(*it == 0);
            *it = code;
        }
    }

    /// Turns a node away.
    pub fn insert(&mut self, id: NodeId, rejection: &Rejection) {
        let code = self.code_of(rejection);
        self.insert_code(id, code, 0);
    }

    /// How many nodes were turned away.
    #[must_use]
    pub fn len(&self) -> usize {
        self.n_nodes
    }

    /// Whether no node was turned away.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.n_nodes == 0
    }

    /// The verdict on a node.
    #[must_use]
    pub fn get(&self, id: &NodeId) -> Option<&Rejection> {
        let code = self.codes.get(id.at()).copied()?;
        self.distinct.get((code as usize).checked_sub(1)?)
    }

    /// Whether the node was turned away.
    #[must_use]
    pub fn contains_key(&self, id: &NodeId) -> bool {
        self.get(id).is_some()
    }

    /// The verdicts that there are, each once.
    #[must_use]
    pub fn distinct(&self) -> &[Rejection] {
        &self.distinct
    }

    /// The nodes with their verdicts, by place in the cache.
    pub fn iter(&self) -> impl Iterator<Item = (NodeId, &Rejection)> {
        let numbered = self.codes.iter().zip(0..).filter(|(code, _)| **code != 0);
        numbered.filter_map(|(_, at)| Some((NodeId(at), self.get(&NodeId(at))?)))
    }

    /// Each verdict with the number of nodes that have it.
    #[must_use]
    pub fn counted(&self) -> Vec<(&Rejection, usize)> {
        let mut counts = vec![0; self.distinct.len() + 1];
        for code in &self.codes {
            if let Some(n) = counts.get_mut(*code as usize) {
                *n += 1;
            }
        }
        let counted = self.distinct.iter().zip(counts.into_iter().skip(1));
        counted.filter(|(_, n)| *n > 0).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_verdicts_share_a_number_and_the_last_one_on_a_node_counts() {
        let (cold, dark) = (Rejection::unschedulable("cold"), Rejection::unresolvable("dark"));
        let mut statuses = NodeStatuses::default();
        for (id, it) in [(4, &cold), (1, &dark), (2, &cold), (4, &dark)] {
            statuses.insert(NodeId(id), it);
        }
        let all: Vec<_> = statuses.iter().map(|(id, it)| (id.0, it.code)).collect();
        assert_eq!(all, [(1, dark.code), (2, cold.code), (4, dark.code)]);
        assert_eq!(statuses.counted(), [(&cold, 1), (&dark, 2)]);
        assert_eq!((statuses.len(), statuses.get(&NodeId(0))), (3, None));
    }
}
