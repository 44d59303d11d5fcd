//! Says what is wrong with a configuration, in upstream's words.
//!
//! Upstream: `pkg/scheduler/apis/config/validation/validation.go`, v1.36.

use super::types::{Config, Extender, PluginSet, Profile};
use super::validation_pluginargs::validate_args;
use crate::framework::types::is_extended_resource;

/// `path: Invalid value: value: detail`.
pub(super) fn invalid(path: &str, value: impl std::fmt::Display, detail: &str) -> String {
    format!("{path}: Invalid value: {value}: {detail}")
}

/// Plugins that 1.36 does not have any more.
const REMOVED: [&str; 4] = ["AzureDiskLimits", "CinderLimits", "EBSLimits", "GCEPDLimits"];
const VERSION: &str = "kubescheduler.config.k8s.io/v1";

/// Upstream: `ValidateKubeSchedulerConfiguration`.
pub(super) fn validate(config: &Config) -> Vec<String> {
    let mut errors = Vec::new();
    if config.parallelism <= 0 {
        let detail = "should be an integer value greater than zero";
        errors.push(invalid("parallelism", config.parallelism, detail));
    }
    for (at, profile) in config.profiles.iter().enumerate() {
        let path = format!("profiles[{at}]");
        validate_profile(&path, profile, &mut errors);
        let same = |it: &Profile| it.scheduler_name == profile.scheduler_name;
        if let Some(first) = config.profiles.iter().take(at).rposition(same) {
            errors.push(format!(
                "{path}.schedulerName: Duplicate value: \"profiles[{first}].schedulerName\""
            ));
        }
    }
    validate_common_queue_sort(&config.profiles, &mut errors);
    let percentage = Some(config.percentage_of_nodes_to_score);
    validate_percentage("percentageOfNodesToScore", percentage, &mut errors);
    if config.pod_initial_backoff_seconds <= 0 {
        let value = config.pod_initial_backoff_seconds;
        errors.push(invalid("podInitialBackoffSeconds", value, "must be greater than 0"));
    }
    if config.pod_max_backoff_seconds < config.pod_initial_backoff_seconds {
        let detail = "must be greater than or equal to PodInitialBackoffSeconds";
        errors.push(invalid("podMaxBackoffSeconds", config.pod_max_backoff_seconds, detail));
    }
    validate_extenders(&config.extenders, &mut errors);
    errors
}

fn validate_percentage(path: &str, value: Option<i32>, errors: &mut Vec<String>) {
    if let Some(value) = value.filter(|it| !(0..=100).contains(it)) {
        errors.push(invalid(path, value, "not in valid range [0-100]"));
    }
}

fn validate_profile(path: &str, profile: &Profile, errors: &mut Vec<String>) {
    if profile.scheduler_name.is_empty() {
        errors.push(format!("{path}.schedulerName: Required value"));
    }
    let percentage_path = format!("{path}.percentageOfNodesToScore");
    validate_percentage(&percentage_path, profile.percentage_of_nodes_to_score, errors);
    for (point, set) in profile.plugins.sets() {
        validate_plugin_set(&format!("{path}.plugins.{point}"), set, errors);
    }
    for (at, (name, args)) in profile.plugin_config.iter().enumerate() {
        let path = format!("{path}.pluginConfig[{at}]");
        if profile.plugin_config.iter().take(at).any(|(it, _)| it == name) {
            errors.push(format!("{path}: Duplicate value: \"{name}\""));
        }
        if REMOVED.contains(&name.as_str()) {
            errors.push(removed(&path, name));
        } else {
            validate_args(&format!("{path}.args"), args, errors);
        }
    }
}

fn removed(path: &str, name: &str) -> String {
    let detail = format!(
        "was invalid in version \"{VERSION}\" (KubeSchedulerConfiguration is version \"{VERSION}\")"
    );
    invalid(path, format!("\"{name}\""), &detail)
}

fn validate_plugin_set(path: &str, set: &PluginSet, errors: &mut Vec<String>) {
    for (at, it) in set.enabled.iter().enumerate() {
        if REMOVED.contains(&it.name.as_str()) {
            errors.push(removed(&format!("{path}.enabled[{at}]"), &it.name));
        }
    }
}

fn validate_common_queue_sort(profiles: &[Profile], errors: &mut Vec<String>) {
    let Some((first, others)) = profiles.split_first() else { return };
    let canon = &first.plugins.queue_sort;
    if canon.enabled.len() > 1 {
        errors.push(invalid(
            "profiles[0].plugins.queueSort.Enabled",
            canon.enabled.len(),
            "only one queue sort plugin can be enabled",
        ));
    }
    for (at, it) in others.iter().enumerate() {
        if it.plugins.queue_sort != *canon {
            let set = serde_json::to_string(&it.plugins.queue_sort).unwrap_or_default();
            let path = format!("profiles[{}].plugins.queueSort", at + 1);
            errors.push(invalid(&path, set, "must be the same for all profiles"));
        }
    }
}

fn validate_extenders(extenders: &[Extender], errors: &mut Vec<String>) {
    let mut seen: Vec<&str> = Vec::new();
    for (at, extender) in extenders.iter().enumerate() {
        let path = format!("extenders[{at}]");
        if !extender.prioritize_verb.is_empty() && extender.weight <= 0 {
            let detail = "must have a positive weight applied to it";
            errors.push(invalid(&format!("{path}.weight"), extender.weight, detail));
        }
        for (at, resource) in extender.managed_resources.iter().enumerate() {
            let path = format!("{path}.managedResources[{at}].name");
            let value = format!("\"{}\"", resource.name);
            if !is_extended_resource(&resource.name) {
                errors.push(invalid(&path, &value, "is an invalid extended resource name"));
            }
            if seen.contains(&resource.name.as_str()) {
                errors.push(invalid(&path, &value, "duplicate extender managed resource name"));
            }
            seen.push(&resource.name);
        }
    }
    let n_binders = extenders.iter().filter(|it| !it.bind_verb.is_empty()).count();
    if n_binders > 1 {
        let value = format!("\"found {n_binders} extenders implementing bind\"");
        errors.push(invalid("extenders", value, "only one extender can implement bind"));
    }
}
