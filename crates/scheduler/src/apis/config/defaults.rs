//! Fills in what a document leaves open.
//!
//! Upstream: `pkg/scheduler/apis/config/v1/defaults.go`, v1.36.

use api::Order;
use serde_json::Value;

use super::default_plugins::{default_plugins, merge_plugins};
use super::types::{Config, KubeSchedulerConfiguration, Profile, ProfileDocument};
use super::types_pluginargs::Args;

/// Upstream: `SetDefaults_KubeSchedulerConfiguration`.
pub(super) fn apply(document: KubeSchedulerConfiguration) -> Result<Config, Vec<String>> {
    let mut profiles = document.profiles;
    if profiles.is_empty() {
        profiles.push(ProfileDocument::default());
    }
    if let [only] = profiles.as_mut_slice() {
        only.scheduler_name.get_or_insert_with(|| "default-scheduler".to_owned());
    }
    let mut errors = Vec::new();
    let profiles = profiles
        .into_iter()
        .enumerate()
        .map(|(at, it)| default_profile(at, it, &mut errors))
        .collect();
    if !errors.is_empty() {
        return Err(errors);
    }
    Ok(Config {
        profiles,
        percentage_of_nodes_to_score: document.percentage_of_nodes_to_score.unwrap_or(0),
        pod_initial_backoff_seconds: document.pod_initial_backoff_seconds.unwrap_or(1),
        pod_max_backoff_seconds: document.pod_max_backoff_seconds.unwrap_or(10),
        parallelism: document.parallelism.unwrap_or(16),
        extenders: document.extenders,
    })
}

/// Upstream: `setDefaults_KubeSchedulerProfile`.
fn default_profile(at: usize, document: ProfileDocument, errors: &mut Vec<String>) -> Profile {
    let plugins = merge_plugins(default_plugins(), document.plugins);
    let mut plugin_config = Vec::new();
    for it in document.plugin_config {
        match Args::read(&it.name, &it.args) {
            Ok(args) => plugin_config.push((it.name, args)),
            Err(error) => errors.push(format!(
                "profiles[{at}]: decoding .pluginConfig args for plugin {}: {error}",
                it.name
            )),
        }
    }
    let mut names: Vec<String> = plugins
        .sets()
        .values()
        .flat_map(|set| set.enabled.iter().map(|it| it.name.clone()))
        .filter(|name| Args::is_known(name))
        .collect();
    names.order();
    names.dedup();
    for name in names {
        if plugin_config.iter().any(|(it, _)| *it == name) {
            continue;
        }
        if let Ok(args) = Args::read(&name, &Value::Null) {
            plugin_config.push((name, args));
        }
    }
    Profile {
        scheduler_name: document.scheduler_name.unwrap_or_default(),
        percentage_of_nodes_to_score: document.percentage_of_nodes_to_score,
        plugins,
        plugin_config,
    }
}
