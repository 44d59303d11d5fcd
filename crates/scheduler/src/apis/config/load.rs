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

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn document(extra: Value) -> Value {
        let mut document = json!({
            "apiVersion": "kubescheduler.config.k8s.io/v1", "kind": "KubeSchedulerConfiguration"});
        for (key, value) in extra.as_object().into_iter().flatten() {
            document[key] = value.clone();
        }
        document
    }

    #[test]
    fn what_is_wrong_is_said_in_upstreams_words() {
        let with = |name: &str, args: Value| {
            document(json!({"profiles": [{"pluginConfig": [{"name": name, "args": args}]}]}))
        };
        for (document, expected) in [
            (
                document(json!({"parallelism": 0})),
                "parallelism: Invalid value: 0: should be an integer value greater than zero",
            ),
            (
                document(json!({"percentageOfNodesToScore": 101})),
                "percentageOfNodesToScore: Invalid value: 101: not in valid range [0-100]",
            ),
            (
                document(json!({"podInitialBackoffSeconds": 20})),
                "podMaxBackoffSeconds: Invalid value: 10: must be greater than or equal to PodInitialBackoffSeconds",
            ),
            (
                document(json!({"profiles": [{"schedulerName": "a"}, {"schedulerName": "a"}]})),
                "profiles[1].schedulerName: Duplicate value: \"profiles[0].schedulerName\"",
            ),
            (
                with("InterPodAffinity", json!({"hardPodAffinityWeight": 101})),
                "profiles[0].pluginConfig[0].args.hardPodAffinityWeight: Invalid value: 101: not in valid range [0, 100]",
            ),
            (
                with(
                    "PodTopologySpread",
                    json!({"defaultConstraints": [{"maxSkew": 1, "topologyKey": "z", "whenUnsatisfiable": "DoNotSchedule"}]}),
                ),
                "profiles[0].pluginConfig[0].args.defaultingType: Invalid value: \"System\": when .defaultConstraints are not empty",
            ),
            (document(json!({"profilez": []})), "strict decoding error: unknown field `profilez`"),
            (json!({"kind": "Policy", "apiVersion": "v1"}), "the scheduler Policy API was removed"),
        ] {
            let errors = load(Some(&document)).unwrap_err();
            assert!(errors.iter().any(|it| it.starts_with(expected)), "{expected}: {errors:?}");
        }
    }

    #[test]
    fn a_profile_merges_its_plugins_into_the_default_ones() {
        let config = load(Some(&document(json!({"profiles": [{"plugins": {
            "multiPoint": {"disabled": [{"name": "ImageLocality"}], "enabled": [{"name": "NodeAffinity", "weight": 7}]},
            "score": {"disabled": [{"name": "*"}], "enabled": [{"name": "TaintToleration", "weight": 4}]},
        }}]}))))
        .unwrap();
        let plugins = &config.profiles[0].plugins;
        let multi: Vec<&str> =
            plugins.multi_point.enabled.iter().map(|it| it.name.as_str()).collect();
        assert!(!multi.contains(&"ImageLocality"));
        assert_eq!(multi[5], "NodeAffinity", "it keeps its place");
        assert_eq!(plugins.multi_point.enabled[5].weight, Some(7));
        assert_eq!(plugins.score.enabled.len(), 1);
    }
}
