//! The pods of a DaemonSet: their tolerations, their labels, and the node that each is meant for.
//!
//! Upstream: `pkg/controller/daemon/util/daemonset_util.go` and `NodeShouldRunDaemonPod` of
//! `daemon_controller.go`, v1.36.

use api::taints::{self, effect};
use api::{Resource, pods, selector};
use k8s_openapi::api::apps::v1::{DaemonSet, DaemonSetSpec, RollingUpdateDaemonSet};
use k8s_openapi::api::core::v1::{
    Affinity, Node, NodeAffinity, NodeSelector, NodeSelectorRequirement, NodeSelectorTerm, Pod,
    PodSpec, PodTemplateSpec, Toleration,
};

use crate::controller_utils as utils;

/// The label with the hash of the template that a pod or revision was made from. Upstream:
/// `DefaultDaemonSetUniqueLabelKey`.
pub(super) const HASH_LABEL: &str = "controller-revision-hash";
/// Upstream: `DaemonSetTemplateGenerationKey`.
const GENERATION_LABEL: &str = "pod-template-generation";
/// Upstream: `DeprecatedTemplateGeneration`.
const GENERATION_ANNOTATION: &str = "deprecated.daemonset.template.generation";

/// Which nodes a DaemonSet wants.
pub(super) struct Placement<'a> {
    spec: Option<&'a PodSpec>,
    tolerations: Vec<Toleration>,
}

/// What a DaemonSet wants of one node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Verdict {
    /// A pod should be started if there is none.
    pub(super) should_run: bool,
    /// A pod that runs already may stay.
    pub(super) should_continue_running: bool,
}

impl<'a> Placement<'a> {
    pub(super) fn of(ds: &'a DaemonSet) -> Self {
        let spec = ds.spec.as_ref().and_then(|it| it.template.spec.as_ref());
        let mut with_tolerations = PodSpec {
            tolerations: spec.and_then(|it| it.tolerations.clone()),
            host_network: spec.and_then(|it| it.host_network),
            ..PodSpec::default()
        };
        add_tolerations(&mut with_tolerations);
        Self { spec, tolerations: with_tolerations.tolerations.unwrap_or_default() }
    }

    /// Looks at the node's name, labels and taints, never at what else is on it. Upstream:
    /// `NodeShouldRunDaemonPod`.
    pub(super) fn verdict(&self, node: &Node) -> Verdict {
        let no = Verdict { should_run: false, should_continue_running: false };
        let Some(spec) = self.spec else { return no };
        let wanted_name = spec.node_name.as_deref().filter(|it| !it.is_empty());
        if wanted_name.is_some_and(|it| it != node.name()) || !matches_affinity(spec, node) {
            return no;
        }
        let taints = taints::of_node(node);
        let tolerates = |effects: &[&str]| {
            taints::first_untolerated(taints, &self.tolerations, effects).is_none()
        };
        let should_continue_running = tolerates(&[effect::NO_EXECUTE]);
        let should_run = should_continue_running && tolerates(&[effect::NO_SCHEDULE]);
        Verdict { should_run, should_continue_running }
    }
}

/// Upstream: `nodeaffinity.GetRequiredNodeAffinity(pod).Match(node)`.
fn matches_affinity(spec: &PodSpec, node: &Node) -> bool {
    let labels = node.metadata.labels.as_ref();
    let mut wanted = spec.node_selector.iter().flatten();
    if !wanted.all(|(key, value)| labels.and_then(|it| it.get(key)) == Some(value)) {
        return false;
    }
    let required = spec.affinity.as_ref().and_then(|it| it.node_affinity.as_ref());
    let required =
        required.and_then(|it| it.required_during_scheduling_ignored_during_execution.as_ref());
    required.is_none_or(|it| selector::node_selector_matches(it, node))
}

/// Lets daemon pods stay on nodes with problems. Upstream: `AddOrUpdateDaemonPodTolerations`.
fn add_tolerations(spec: &mut PodSpec) {
    const ALWAYS: [(&str, &str); 6] = [
        ("node.kubernetes.io/not-ready", effect::NO_EXECUTE),
        ("node.kubernetes.io/unreachable", effect::NO_EXECUTE),
        ("node.kubernetes.io/disk-pressure", effect::NO_SCHEDULE),
        ("node.kubernetes.io/memory-pressure", effect::NO_SCHEDULE),
        ("node.kubernetes.io/pid-pressure", effect::NO_SCHEDULE),
        ("node.kubernetes.io/unschedulable", effect::NO_SCHEDULE),
    ];
    const HOST_NETWORK: (&str, &str) =
        ("node.kubernetes.io/network-unavailable", effect::NO_SCHEDULE);

    let host_network = spec.host_network == Some(true);
    let tolerations = spec.tolerations.get_or_insert_default();
    for (key, effect) in ALWAYS.into_iter().chain(host_network.then_some(HOST_NETWORK)) {
        let wanted = Toleration {
            key: Some(key.to_owned()),
            operator: Some("Exists".to_owned()),
            effect: Some(effect.to_owned()),
            ..Toleration::default()
        };
        let mut found = false;
        for it in tolerations.iter_mut().filter(|it| same_toleration(it, &wanted)) {
            it.clone_from(&wanted);
            found = true;
        }
        if !found {
            tolerations.push(wanted);
        }
    }
}

/// Equal but for the seconds. Upstream: `Toleration.MatchToleration`.
fn same_toleration(a: &Toleration, b: &Toleration) -> bool {
    let text = |it: &Option<String>| it.clone().unwrap_or_default();
    text(&a.key) == text(&b.key)
        && text(&a.effect) == text(&b.effect)
        && text(&a.operator) == text(&b.operator)
        && text(&a.value) == text(&b.value)
}

/// The generation of the template, which the API server counts in an annotation.
pub(super) fn template_generation(ds: &DaemonSet) -> Option<i64> {
    ds.metadata.annotations.as_ref()?.get(GENERATION_ANNOTATION)?.parse().ok()
}

/// The template of the pods of a revision. Upstream: `CreatePodTemplate`.
pub(super) fn pod_template(ds: &DaemonSet, spec: &DaemonSetSpec, hash: &str) -> PodTemplateSpec {
    let mut template = spec.template.clone();
    add_tolerations(template.spec.get_or_insert_default());
    let labels = template.metadata.get_or_insert_default().labels.get_or_insert_default();
    if let Some(generation) = template_generation(ds) {
        labels.insert(GENERATION_LABEL.to_owned(), generation.to_string());
    }
    if !hash.is_empty() {
        labels.insert(HASH_LABEL.to_owned(), hash.to_owned());
    }
    template
}

/// Whether a pod is of the current revision or template generation. Upstream: `IsPodUpdated`.
pub(super) fn is_pod_updated(pod: &Pod, hash: &str, generation: Option<i64>) -> bool {
    let label = |key: &str| pod.metadata.labels.as_ref().and_then(|it| it.get(key));
    let of_generation =
        generation.is_some_and(|it| label(GENERATION_LABEL) == Some(&it.to_string()));
    of_generation || (!hash.is_empty() && label(HASH_LABEL).is_some_and(|it| it == hash))
}

/// Sends a pod to one node by its name, in place of the node terms it had. Upstream:
/// `ReplaceDaemonSetPodNodeNameNodeAffinity`.
pub(super) fn target_node(affinity: Option<Affinity>, node: &str) -> Affinity {
    let term = NodeSelectorTerm {
        match_fields: Some(vec![NodeSelectorRequirement {
            key: "metadata.name".to_owned(),
            operator: "In".to_owned(),
            values: Some(vec![node.to_owned()]),
        }]),
        match_expressions: None,
    };
    let mut affinity = affinity.unwrap_or_default();
    let node_affinity: &mut NodeAffinity = affinity.node_affinity.get_or_insert_default();
    node_affinity.required_during_scheduling_ignored_during_execution =
        Some(NodeSelector { node_selector_terms: vec![term] });
    affinity
}

/// The node that a daemon pod runs on or is meant for. Upstream: `GetTargetNodeName`.
pub(super) fn target_node_name(pod: &Pod) -> Option<&str> {
    if let Some(node) = pods::node_name(pod) {
        return Some(node);
    }
    let node_affinity = pod.spec.as_ref()?.affinity.as_ref()?.node_affinity.as_ref()?;
    let required = node_affinity.required_during_scheduling_ignored_during_execution.as_ref()?;
    let fields =
        required.node_selector_terms.iter().flat_map(|it| it.match_fields.iter().flatten());
    let name = fields.into_iter().find(|it| it.key == "metadata.name" && it.operator == "In")?;
    match name.values.as_deref()? {
        [node] => Some(node),
        _ => None,
    }
}

fn rolling_update(spec: &DaemonSetSpec) -> Option<&RollingUpdateDaemonSet> {
    let strategy = spec.update_strategy.as_ref()?;
    let rolling = strategy.type_.as_deref() == Some("RollingUpdate");
    strategy.rolling_update.as_ref().filter(|_| rolling)
}

/// Whether pods are replaced when the template changes, instead of when somebody deletes them.
pub(super) fn updates_by_itself(spec: &DaemonSetSpec) -> bool {
    let strategy = spec.update_strategy.as_ref();
    strategy.and_then(|it| it.type_.as_deref()) == Some("RollingUpdate")
}

/// How many nodes may have a second pod during an update, of `nodes` in all. Upstream:
/// `SurgeCount`.
pub(super) fn surge_count(spec: &DaemonSetSpec, nodes: i32) -> i32 {
    let surge = rolling_update(spec).and_then(|it| it.max_surge.as_ref());
    surge.and_then(|it| utils::scaled_value(it, nodes, true)).unwrap_or(0)
}

/// How many nodes may be without an available pod during an update. Upstream: `UnavailableCount`.
pub(super) fn unavailable_count(spec: &DaemonSetSpec, nodes: i32) -> i32 {
    let unavailable = rolling_update(spec).and_then(|it| it.max_unavailable.as_ref());
    unavailable.and_then(|it| utils::scaled_value(it, nodes, true)).unwrap_or(0)
}

/// Whether a node may have two pods for a while. Upstream: `AllowsSurge`.
pub(super) fn allows_surge(spec: &DaemonSetSpec) -> bool {
    surge_count(spec, 1) > 0
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::core::v1::{NodeSpec, Taint};

    use super::*;

    fn daemon_set(spec: PodSpec) -> DaemonSet {
        let template = PodTemplateSpec { spec: Some(spec), ..PodTemplateSpec::default() };
        let spec = DaemonSetSpec { template, ..DaemonSetSpec::default() };
        DaemonSet { spec: Some(spec), ..DaemonSet::default() }
    }

    fn node(name: &str, taint: Option<(&str, &str)>) -> Node {
        let mut node = Node::default();
        node.metadata.name = Some(name.to_owned());
        node.metadata.labels = Some([("disk".to_owned(), "ssd".to_owned())].into_iter().collect());
        let taint = taint.map(|(key, effect)| Taint {
            key: key.to_owned(),
            effect: effect.to_owned(),
            ..Taint::default()
        });
        node.spec = Some(NodeSpec { taints: taint.map(|it| vec![it]), ..NodeSpec::default() });
        node
    }

    #[test]
    fn a_node_is_wanted_by_its_name_labels_and_taints() {
        let plain = PodSpec::default();
        let named = PodSpec { node_name: Some("n2".to_owned()), ..plain.clone() };
        let select = |value: &str| PodSpec {
            node_selector: Some([("disk".to_owned(), value.to_owned())].into_iter().collect()),
            ..PodSpec::default()
        };
        let host = PodSpec { host_network: Some(true), ..plain.clone() };
        for (spec, taint, should_run, should_continue_running) in [
            (plain.clone(), None, true, true),
            (named, None, false, false),
            (select("ssd"), None, true, true),
            (select("hdd"), None, false, false),
            (plain.clone(), Some(("own", "NoSchedule")), false, true),
            (plain.clone(), Some(("own", "NoExecute")), false, false),
            (plain.clone(), Some(("own", "PreferNoSchedule")), true, true),
            (plain.clone(), Some(("node.kubernetes.io/not-ready", "NoExecute")), true, true),
            (plain.clone(), Some(("node.kubernetes.io/not-ready", "NoSchedule")), false, true),
            (plain.clone(), Some(("node.kubernetes.io/unschedulable", "NoSchedule")), true, true),
            (plain, Some(("node.kubernetes.io/network-unavailable", "NoSchedule")), false, true),
            (host, Some(("node.kubernetes.io/network-unavailable", "NoSchedule")), true, true),
        ] {
            let expected = Verdict { should_run, should_continue_running };
            let ds = daemon_set(spec);
            assert_eq!(Placement::of(&ds).verdict(&node("n1", taint)), expected, "{taint:?}");
        }
    }

    #[test]
    fn a_toleration_for_a_while_becomes_one_for_ever() {
        let mut spec = PodSpec {
            tolerations: Some(vec![Toleration {
                key: Some("node.kubernetes.io/not-ready".to_owned()),
                operator: Some("Exists".to_owned()),
                effect: Some("NoExecute".to_owned()),
                toleration_seconds: Some(300),
                ..Toleration::default()
            }]),
            ..PodSpec::default()
        };
        add_tolerations(&mut spec);
        let tolerations = spec.tolerations.unwrap();
        assert_eq!(tolerations.len(), 6);
        assert_eq!(tolerations[0].toleration_seconds, None);
    }

    #[test]
    fn a_pod_that_is_not_bound_names_its_node_in_its_affinity() {
        let affinity = Some(target_node(None, "n7"));
        let spec = PodSpec { affinity, ..PodSpec::default() };
        let pod = Pod { spec: Some(spec), ..Pod::default() };
        assert_eq!(target_node_name(&pod), Some("n7"));
        assert_eq!(target_node_name(&Pod::default()), None);
    }
}
