//! Stranded capacity: what is free on a node and yet of no use to any pod that is known, because
//! another resource of that node is exhausted.

use std::collections::BTreeSet;

use view::NodeCard;

use crate::cluster::Cluster;

/// What a pod asks: millicores and bytes.
pub type Shape = (i64, i64);

/// Free and stranded amounts of a node.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stranded {
    /// Millicores.
    pub cpu: i64,
    /// Bytes.
    pub memory: i64,
}

/// The distinct shapes of all pods that ask for anything.
#[must_use]
pub fn shapes(cluster: &Cluster) -> BTreeSet<Shape> {
    cluster.pods.values().map(|it| (it.cpu, it.memory)).filter(|it| *it != (0, 0)).collect()
}

/// The stranded amounts of one node: a resource's free rest is stranded when some shape would find
/// enough of it, but every such shape lacks the other resource.
#[must_use]
pub fn of_node(node: &NodeCard, shapes: &BTreeSet<Shape>) -> Stranded {
    let free = |resource: &str| {
        let amount = node.amounts.iter().find(|it| it.resource == resource);
        amount.map_or(0, |it| (it.allocatable - it.requested).max(0))
    };
    let (cpu, memory) = (free("cpu"), free("memory"));
    let fits = shapes.iter().any(|(c, m)| *c <= cpu && *m <= memory);
    let by_memory = shapes.iter().any(|(c, m)| *c > 0 && *c <= cpu && *m > memory);
    let by_cpu = shapes.iter().any(|(c, m)| *m > 0 && *m <= memory && *c > cpu);
    let stranded = |it: i64, yes: bool| if yes && !fits { it } else { 0 };
    Stranded { cpu: stranded(cpu, by_memory), memory: stranded(memory, by_cpu) }
}

/// The sum over all nodes.
#[must_use]
pub fn total(cluster: &Cluster, shapes: &BTreeSet<Shape>) -> Stranded {
    cluster.nodes.values().fold(Stranded::default(), |sum, node| {
        let it = of_node(node, shapes);
        Stranded { cpu: sum.cpu + it.cpu, memory: sum.memory + it.memory }
    })
}

#[cfg(test)]
mod tests {
    use view::Amount;

    use super::*;

    fn node(free_cpu: i64, free_memory: i64) -> NodeCard {
        let amount = |resource: &str, allocatable: i64| Amount {
            resource: resource.to_owned(),
            requested: 0,
            allocatable,
        };
        let amounts = vec![amount("cpu", free_cpu), amount("memory", free_memory)];
        NodeCard { amounts, ..NodeCard::default() }
    }

    fn check(free: (i64, i64), shapes: &[Shape], cpu: i64, memory: i64) {
        let shapes = shapes.iter().copied().collect();
        assert_eq!(of_node(&node(free.0, free.1), &shapes), Stranded { cpu, memory });
    }

    #[test]
    fn free_cpu_without_memory_is_stranded() {
        check((1300, 100), &[(1000, 500)], 1300, 0);
    }

    #[test]
    fn nothing_is_stranded_while_some_pod_still_fits() {
        check((1300, 100), &[(1000, 500), (100, 50)], 0, 0);
    }

    #[test]
    fn a_full_node_strands_nothing() {
        check((0, 0), &[(1000, 500)], 0, 0);
    }
}
