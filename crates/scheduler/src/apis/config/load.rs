//! Reads a document: refuses what this version does not know, defaults, validates.
//!
//! Upstream: `cmd/kube-scheduler/app/options/configfile.go`, v1.36.

use serde_json::Value;

use super::types::{Config, KubeSchedulerConfiguration};
use super::{defaults, validation};

/// Reads a `KubeSchedulerConfiguration`; without a document, the defaults.
///
/// # Errors
/// Each thing that is wrong with it, in upstream's words where upstream has some.
pub fn load(document: Option<&Value>) -> Result<Config, Vec<String>> {
    let document = match document {
        None => KubeSchedulerConfiguration::default(),
        Some(value) => {
            check_version(value)?;
            serde_json::from_value(value.clone())
                .map_err(|error| vec![format!("strict decoding error: {error}")])?
        }
    };
    let config = defaults::apply(document)?;
    let errors = validation::validate(&config);
    if errors.is_empty() { Ok(config) } else { Err(errors) }
}

fn check_version(value: &Value) -> Result<(), Vec<String>> {
    let text = |key: &str| value.get(key).and_then(Value::as_str).unwrap_or_default();
    let (version, kind) = (text("apiVersion"), text("kind"));
    if kind == "Policy" {
        return Err(vec![
            "the scheduler Policy API was removed in Kubernetes 1.23: write a \
             KubeSchedulerConfiguration (kubescheduler.config.k8s.io/v1) whose profile enables, \
             disables and weighs plugins"
                .to_owned(),
        ]);
    }
    if kind != "KubeSchedulerConfiguration" {
        return Err(vec![format!(
            "couldn't decode as KubeSchedulerConfiguration, got {version}, Kind={kind}: "
        )]);
    }
    match version {
        "kubescheduler.config.k8s.io/v1" => Ok(()),
        old if old.starts_with("kubescheduler.config.k8s.io/") => Err(vec![format!(
            "no kind \"KubeSchedulerConfiguration\" is registered for version \"{old}\" in scheme \
             \"pkg/scheduler/apis/config/scheme/scheme.go:30\": use kubescheduler.config.k8s.io/v1, \
             which replaced it"
        )]),
        other => Err(vec![format!(
            "no kind \"KubeSchedulerConfiguration\" is registered for version \"{other}\" in \
             scheme \"pkg/scheduler/apis/config/scheme/scheme.go:30\""
        )]),
    }
}
