//! The plugins that run unless a profile says otherwise, and how a profile changes them.
//!
//! Upstream: `pkg/scheduler/apis/config/v1/default_plugins.go`, v1.36.

use super::types::{Plugin, PluginSet, Plugins};
use crate::framework::plugins::names;

/// Upstream: `getDefaultPlugins`, with the feature gates of 1.36.
pub(super) fn default_plugins() -> Plugins {
    let plugins = [
        (names::SCHEDULING_GATES, 0),
        (names::PRIORITY_SORT, 0),
        (names::NODE_UNSCHEDULABLE, 0),
        (names::NODE_NAME, 0),
        (names::TAINT_TOLERATION, 3),
        (names::NODE_AFFINITY, 2),
        (names::NODE_PORTS, 0),
        (names::NODE_RESOURCES_FIT, 1),
        (names::VOLUME_RESTRICTIONS, 0),
        (names::NODE_VOLUME_LIMITS, 0),
        (names::VOLUME_BINDING, 0),
        (names::VOLUME_ZONE, 0),
        (names::POD_TOPOLOGY_SPREAD, 2),
        (names::INTER_POD_AFFINITY, 2),
        (names::DYNAMIC_RESOURCES, 2),
        (names::DEFAULT_PREEMPTION, 0),
        (names::NODE_RESOURCES_BALANCED_ALLOCATION, 1),
        (names::IMAGE_LOCALITY, 1),
        (names::DEFAULT_BINDER, 0),
        (names::NODE_DECLARED_FEATURES, 0),
    ];
    let enabled = plugins.map(|(name, weight)| Plugin {
        name: name.to_owned(),
        weight: (weight > 0).then_some(weight),
    });
    let multi_point = PluginSet { enabled: enabled.into(), disabled: Vec::new() };
    Plugins { multi_point, ..Plugins::default() }
}

/// Upstream: `mergePlugins`.
pub(super) fn merge_plugins(default: Plugins, custom: Option<Plugins>) -> Plugins {
    let Some(custom) = custom else { return default };
    Plugins {
        multi_point: merge_plugin_set(default.multi_point, custom.multi_point),
        pre_enqueue: merge_plugin_set(default.pre_enqueue, custom.pre_enqueue),
        queue_sort: merge_plugin_set(default.queue_sort, custom.queue_sort),
        pre_filter: merge_plugin_set(default.pre_filter, custom.pre_filter),
        filter: merge_plugin_set(default.filter, custom.filter),
        post_filter: merge_plugin_set(default.post_filter, custom.post_filter),
        pre_score: merge_plugin_set(default.pre_score, custom.pre_score),
        score: merge_plugin_set(default.score, custom.score),
        reserve: merge_plugin_set(default.reserve, custom.reserve),
        permit: merge_plugin_set(default.permit, custom.permit),
        pre_bind: merge_plugin_set(default.pre_bind, custom.pre_bind),
        bind: merge_plugin_set(default.bind, custom.bind),
        post_bind: merge_plugin_set(default.post_bind, custom.post_bind),
        placement_generate: merge_plugin_set(default.placement_generate, custom.placement_generate),
        placement_score: merge_plugin_set(default.placement_score, custom.placement_score),
    }
}

/// A custom plugin that is a default one takes its place; the others come behind.
fn merge_plugin_set(default: PluginSet, custom: PluginSet) -> PluginSet {
    let disabled: Vec<Plugin> = custom
        .disabled
        .into_iter()
        .chain(default.disabled)
        .map(|it| Plugin { name: it.name, weight: None })
        .collect();
    let is_disabled = |name: &str| disabled.iter().any(|it| it.name == name);
    // Of several entries with one name the last counts as the replacement.
    let replacement = |name: &str| custom.enabled.iter().rposition(|it| it.name == name);
    let mut replaced = Vec::new();
    let mut enabled = Vec::new();
    if !is_disabled("*") {
        for it in default.enabled.into_iter().filter(|it| !is_disabled(&it.name)) {
            match replacement(&it.name).and_then(|at| Some((at, custom.enabled.get(at)?))) {
                Some((at, custom)) => {
                    replaced.push(at);
                    enabled.push(custom.clone());
                }
                None => enabled.push(it),
            }
        }
    }
    let rest = custom.enabled.into_iter().enumerate().filter(|(at, _)| !replaced.contains(at));
    enabled.extend(rest.map(|(_, it)| it));
    PluginSet { enabled, disabled }
}
