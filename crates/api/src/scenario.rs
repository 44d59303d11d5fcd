//! The document that turns a set of manifests into a run: seed, start, preset, settings, steps.
//!
//! `apiVersion: sim.orrery.dev/v1alpha1`, `kind: Scenario`; the prose is in the README.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde::{Deserialize, Serialize};

use crate::Timestamp;
use crate::duration::Duration;

/// The `apiVersion` of scenarios.
pub const API_VERSION: &str = "sim.orrery.dev/v1alpha1";

/// The annotation of a scenario that gives its title; without it the name is the title.
pub const TITLE_ANNOTATION: &str = "sim.orrery.dev/title";

/// A scenario document.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ScenarioDoc {
    /// Always [`API_VERSION`].
    pub api_version: String,
    /// Always `Scenario`.
    pub kind: String,
    /// Name and title.
    pub metadata: ObjectMeta,
    /// What it says.
    pub spec: ScenarioSpec,
}

impl ScenarioDoc {
    /// The title: the annotation, else the name.
    #[must_use]
    pub fn title(&self) -> &str {
        let annotations = self.metadata.annotations.as_ref();
        let title = annotations.and_then(|it| it.get(TITLE_ANNOTATION)).map(String::as_str);
        title.or(self.metadata.name.as_deref()).unwrap_or_default()
    }
}

/// What a scenario says. What is absent has the documented default.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ScenarioSpec {
    /// The seed of everything random; 0 if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seed: Option<u64>,
    /// When simulated time begins; 2026-01-01T00:00:00Z if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start: Option<Timestamp>,
    /// `minikube`, `default`, `three-zones` or `empty`. Absent: `default` if the text has no
    /// Node, `empty` if it has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub preset: Option<Preset>,
    /// How long to run by default, from the start.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<Duration>,
    /// Delays that Kubernetes does not fix.
    pub settings: ScenarioSettings,
    /// What happens when, in the order of the text.
    pub steps: Vec<Step>,
}

/// A cluster to begin with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Preset {
    /// One node `minikube`, and StorageClass `standard` as the default.
    Minikube,
    /// A control-plane node with its taint and three workers in three zones.
    Default,
    /// Nine workers in three zones.
    ThreeZones,
    /// Nothing but the namespaces of a new cluster.
    Empty,
}

impl Preset {
    /// All presets, in the order in which they are offered.
    pub const ALL: [Self; 4] = [Self::Minikube, Self::Default, Self::ThreeZones, Self::Empty];

    /// The word in the text.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Minikube => "minikube",
            Self::Default => "default",
            Self::ThreeZones => "three-zones",
            Self::Empty => "empty",
        }
    }

    /// Finds a preset by its word.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|it| it.name() == name)
    }
}

/// Delays that Kubernetes does not fix; absent ones have the simulation's defaults.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ScenarioSettings {
    /// From popping a pod to its binding.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scheduling_latency: Option<Duration>,
    /// From binding to the start of a container whose image is there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub container_start: Option<Duration>,
    /// Pulling an image that is not on the node.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image_pull: Option<Duration>,
    /// From the signal to the end of a container that obeys.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stop_delay: Option<Duration>,
    /// How long a container runs that ends but does not say when (10 s).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default_duration: Option<Duration>,
}

/// One timed step. Exactly one of `do`, `kubectl` and `apply` is set.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Step {
    /// When, from the start.
    pub at: Duration,
    /// `kubectl ...`; of nodes `fail node n1`, `recover node n1`, `not-ready node n1`,
    /// `ready node n1`, `capacity node n1 cpu=8 memory=16Gi`, `memory-usage node n1 6Gi`,
    /// `disk-pressure node n1 on` (or `off`; also `memory-pressure` and `pid-pressure`) and
    /// `static-pods node n1` with manifests in `apply`; of pods `memory-usage pod shop/web-0 600Mi`,
    /// which kills containers above their limit; `stop controller cronjob`,
    /// `start controller cronjob`, and both for `scheduler`.
    #[serde(rename = "do", skip_serializing_if = "Option::is_none")]
    pub action: Option<String>,
    /// A kubectl command line, with or without the word `kubectl`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kubectl: Option<String>,
    /// Manifests to create or change: YAML text, one object, or a list of objects.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub apply: Option<serde_json::Value>,
    /// A sentence for the time line.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}
