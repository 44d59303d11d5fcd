//! The document that a user writes, and what it means after defaulting.
//!
//! Upstream: `pkg/scheduler/apis/config/types.go` and `staging/src/k8s.io/kube-scheduler/config/v1/types.go`, v1.36.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::types_pluginargs::Args;

/// The document.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct KubeSchedulerConfiguration {
    /// `KubeSchedulerConfiguration`.
    pub kind: String,
    /// `kubescheduler.config.k8s.io/v1`.
    pub api_version: String,
    /// How many threads; without effect here.
    pub parallelism: Option<i32>,
    /// Without effect here.
    pub leader_election: Value,
    /// Without effect here.
    pub client_connection: Value,
    /// Without effect here.
    pub enable_profiling: Option<bool>,
    /// Without effect here.
    pub enable_contention_profiling: Option<bool>,
    /// How many of the nodes to score, from 100 nodes on; 0 is adaptive.
    pub percentage_of_nodes_to_score: Option<i32>,
    /// The first back-off.
    pub pod_initial_backoff_seconds: Option<i64>,
    /// The longest back-off.
    pub pod_max_backoff_seconds: Option<i64>,
    /// One for each scheduler name.
    pub profiles: Vec<ProfileDocument>,
    /// Asked besides the plugins.
    pub extenders: Vec<Extender>,
    /// Upstream: `delayCacheUntilActive`; without effect here.
    pub delay_cache_until_active: bool,
}

/// A profile as it is written.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct ProfileDocument {
    /// The pods that it serves, by their `spec.schedulerName`.
    pub scheduler_name: Option<String>,
    /// Overrides the global value.
    pub percentage_of_nodes_to_score: Option<i32>,
    /// Which plugins run where.
    pub plugins: Option<Plugins>,
    /// Arguments.
    pub plugin_config: Vec<PluginConfig>,
}

/// Plugins by extension point.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
#[expect(missing_docs, reason = "the names are the extension points'")]
pub struct Plugins {
    pub pre_enqueue: PluginSet,
    pub queue_sort: PluginSet,
    pub pre_filter: PluginSet,
    pub filter: PluginSet,
    pub post_filter: PluginSet,
    pub pre_score: PluginSet,
    pub score: PluginSet,
    pub reserve: PluginSet,
    pub permit: PluginSet,
    pub pre_bind: PluginSet,
    pub bind: PluginSet,
    pub post_bind: PluginSet,
    pub multi_point: PluginSet,
    pub placement_generate: PluginSet,
    pub placement_score: PluginSet,
}

/// What is on and off at a point.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct PluginSet {
    /// In order.
    pub enabled: Vec<Plugin>,
    /// `*` is all of them.
    pub disabled: Vec<Plugin>,
}

/// A plugin's name and weight.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct Plugin {
    /// Its name.
    pub name: String,
    /// For Score; 0 or none is the default of 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub weight: Option<i32>,
}

/// Arguments of a plugin as they are written.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct PluginConfig {
    /// The plugin.
    pub name: String,
    /// Its arguments.
    pub args: Value,
}

/// An extender.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct Extender {
    /// Where it would listen; here the name under which a handler is registered.
    pub url_prefix: String,
    /// Empty: does not filter.
    pub filter_verb: String,
    /// Empty: does not preempt.
    pub preempt_verb: String,
    /// Empty: does not score.
    pub prioritize_verb: String,
    /// Of its scores.
    pub weight: i64,
    /// Empty: does not bind.
    pub bind_verb: String,
    /// Without effect here.
    #[serde(rename = "enableHTTPS")]
    pub enable_https: bool,
    /// Without effect here.
    pub tls_config: Value,
    /// Without effect here.
    pub http_timeout: Value,
    /// Gets node names instead of nodes.
    pub node_cache_capable: bool,
    /// Only pods that ask for one of these concern it; empty: all pods.
    pub managed_resources: Vec<ExtenderManagedResource>,
    /// A failure of it is passed over.
    pub ignorable: bool,
}

/// A resource that an extender manages.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct ExtenderManagedResource {
    /// Its name.
    pub name: String,
    /// The scheduler's own filter passes over it.
    pub ignored_by_scheduler: bool,
}

/// The configuration after defaulting and validation.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// One for each scheduler name.
    pub profiles: Vec<Profile>,
    /// 0 is adaptive.
    pub percentage_of_nodes_to_score: i32,
    /// Seconds.
    pub pod_initial_backoff_seconds: i64,
    /// Seconds.
    pub pod_max_backoff_seconds: i64,
    /// Threads; validated, without effect.
    pub parallelism: i32,
    /// In order.
    pub extenders: Vec<Extender>,
}

/// A profile after defaulting.
#[derive(Clone, Debug, PartialEq)]
pub struct Profile {
    /// The pods that it serves.
    pub scheduler_name: String,
    /// Overrides the global value.
    pub percentage_of_nodes_to_score: Option<i32>,
    /// Defaults and the user's choices, merged.
    pub plugins: Plugins,
    /// Arguments by plugin, in the order of the document, defaulted ones behind.
    pub plugin_config: Vec<(String, Args)>,
}

impl Profile {
    /// The arguments of a plugin.
    #[must_use]
    pub fn args(&self, plugin: &str) -> Option<&Args> {
        self.plugin_config.iter().find(|(name, _)| name == plugin).map(|(_, args)| args)
    }
}

impl Plugins {
    /// All sets with the names of their points, `multiPoint` last.
    #[must_use]
    pub fn sets(&self) -> BTreeMap<&'static str, &PluginSet> {
        [
            ("preEnqueue", &self.pre_enqueue),
            ("queueSort", &self.queue_sort),
            ("preFilter", &self.pre_filter),
            ("filter", &self.filter),
            ("postFilter", &self.post_filter),
            ("preScore", &self.pre_score),
            ("score", &self.score),
            ("reserve", &self.reserve),
            ("permit", &self.permit),
            ("preBind", &self.pre_bind),
            ("bind", &self.bind),
            ("postBind", &self.post_bind),
            ("placementGenerate", &self.placement_generate),
            ("placementScore", &self.placement_score),
            ("multiPoint", &self.multi_point),
        ]
        .into()
    }
}
