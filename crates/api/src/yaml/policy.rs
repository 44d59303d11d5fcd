//! The scheduler's policy file of old, translated to a `KubeSchedulerConfiguration`.
//!
//! Upstream: `pkg/scheduler/framework/plugins/legacy_registry.go`, v1.22, the last that had it.

use std::fmt::Write as _;

use super::node::{Data, Node};

/// Which plugins filter as a predicate did.
fn filters(predicate: &str) -> &'static [&'static str] {
    match predicate {
        "PodFitsHostPorts" | "PodFitsPorts" => &["NodePorts"],
        "PodFitsResources" => &["NodeResourcesFit"],
        "NoDiskConflict" => &["VolumeRestrictions"],
        "NoVolumeZoneConflict" => &["VolumeZone"],
        "MatchNodeSelector" => &["NodeAffinity"],
        "HostName" => &["NodeName"],
        "GeneralPredicates" => &["NodeResourcesFit", "NodeName", "NodePorts", "NodeAffinity"],
        "PodToleratesNodeTaints" => &["TaintToleration"],
        "CheckNodeUnschedulable" => &["NodeUnschedulable"],
        "CheckVolumeBinding" => &["VolumeBinding"],
        "MatchInterPodAffinity" => &["InterPodAffinity"],
        "EvenPodsSpread" => &["PodTopologySpread"],
        "MaxCSIVolumeCountPred"
        | "MaxEBSVolumeCount"
        | "MaxGCEPDVolumeCount"
        | "MaxAzureDiskVolumeCount"
        | "MaxCinderVolumeCount" => &["NodeVolumeLimits"],
        _ => &[],
    }
}

/// Which plugin scores as a priority did.
fn scorer(priority: &str) -> Option<&'static str> {
    Some(match priority {
        "LeastRequestedPriority" | "MostRequestedPriority" | "RequestedToCapacityRatioPriority" => {
            "NodeResourcesFit"
        }
        "BalancedResourceAllocation" => "NodeResourcesBalancedAllocation",
        "SelectorSpreadPriority" | "ServiceSpreadingPriority" | "EvenPodsSpreadPriority" => {
            "PodTopologySpread"
        }
        "InterPodAffinityPriority" => "InterPodAffinity",
        "NodeAffinityPriority" => "NodeAffinity",
        "TaintTolerationPriority" => "TaintToleration",
        "ImageLocalityPriority" => "ImageLocality",
        _ => return None,
    })
}

fn names<'a>(policy: &'a Node, field: &str) -> Vec<(&'a str, i64)> {
    let Some(Data::Seq(items)) = policy.get(field).map(|it| &it.data) else { return vec![] };
    let weight = |it: &Node| match it.get("weight").map(|it| &it.data) {
        Some(Data::Int(weight)) => *weight,
        _ => 1,
    };
    items.iter().filter_map(|it| Some((it.get("name")?.as_str()?, weight(it)))).collect()
}

/// A `KubeSchedulerConfiguration` that does what the policy did.
pub(super) fn translate(policy: &Node) -> String {
    // These two were mandatory and needed no mention.
    let mut enabled = vec!["NodeUnschedulable", "TaintToleration"];
    let mut gone = vec![];
    for (name, _) in names(policy, "predicates") {
        let plugins = filters(name);
        if plugins.is_empty() {
            gone.push(name);
        }
        for plugin in plugins {
            if !enabled.contains(plugin) {
                enabled.push(plugin);
            }
        }
    }
    let mut scores: Vec<(&str, i64)> = vec![];
    for (name, weight) in names(policy, "priorities") {
        match scorer(name) {
            Some(plugin) => match scores.iter_mut().find(|it| it.0 == plugin) {
                Some(it) => it.1 = it.1.saturating_add(weight),
                None => scores.push((plugin, weight)),
            },
            // It gave every node the same.
            None if name == "EqualPriority" => {}
            None => gone.push(name),
        }
    }
    let mut text = "apiVersion: kubescheduler.config.k8s.io/v1\nkind: KubeSchedulerConfiguration\n\
                    profiles:\n- schedulerName: default-scheduler\n  plugins:\n"
        .to_owned();
    let mut list = |point: &str, rows: Vec<String>| {
        text.push_str(&format!("    {point}:\n      disabled:\n      - name: \"*\"\n"));
        if !rows.is_empty() {
            text.push_str(&format!("      enabled:\n{}", rows.concat()));
        }
    };
    list("filter", enabled.iter().map(|it| format!("      - name: {it}\n")).collect());
    let row = |it: &(&str, i64)| format!("      - name: {}\n        weight: {}\n", it.0, it.1);
    list("score", scores.iter().map(row).collect());
    if names(policy, "priorities").iter().any(|it| it.0 == "MostRequestedPriority") {
        text.push_str(
            "  pluginConfig:\n  - name: NodeResourcesFit\n    args:\n      scoringStrategy:\n        \
             type: MostAllocated\n",
        );
    }
    if !gone.is_empty() {
        let _ = writeln!(text, "# without a successor: {}", gone.join(", "));
    }
    text
}
