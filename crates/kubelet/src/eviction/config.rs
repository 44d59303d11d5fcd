//! When a node counts as short of memory, and how it puts pods out: what the kubelet's configuration
//! says of eviction.
//!
//! The annotation `sim.orrery.dev/kubelet-configuration` of a Node is JSON with fields of upstream's
//! `KubeletConfiguration`.
//!
//! Upstream: `ParseThresholdConfig` in `pkg/kubelet/eviction/helpers.go` and
//! `pkg/kubelet/apis/config/v1beta1/defaults.go`, v1.36.
//! Differs from upstream: only `memory.available` is looked at.

use api::k8s_openapi::api::core::v1::Node;
use api::quantity;
use serde_json::Value;

use crate::duration::parse_ms;
use crate::workload::PREFIX;

/// Upstream: `DefaultEvictionHard` on Linux, `memory.available<100Mi`.
const HARD: i64 = 100 << 20;
/// Upstream: the default of `evictionPressureTransitionPeriod`.
const TRANSITION_MS: i64 = 300_000;
const SIGNAL: &str = "memory.available";

/// Less than this is too little.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Threshold {
    /// Bytes.
    pub(super) value: i64,
    /// How long there must be less.
    pub(super) grace_ms: i64,
    /// Once pods go, so many bytes more must come free.
    pub(super) reclaim: i64,
    /// The longest grace period of a pod, seconds; `None`: it goes at once.
    pub(super) pod_grace: Option<i64>,
}

/// What the node does about a want of memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Config {
    /// The soft threshold comes first: where both are met it decides, as upstream's order has it.
    pub(super) thresholds: [Option<Threshold>; 2],
    pub(super) transition_ms: i64,
}

impl Config {
    /// `capacity`: of the node, bytes.
    pub(super) fn of(node: &Node, capacity: i64) -> Self {
        let key = format!("{PREFIX}kubelet-configuration");
        let text = node.metadata.annotations.as_ref().and_then(|it| it.get(&key));
        let told: Value = text.and_then(|it| serde_json::from_str(it).ok()).unwrap_or(Value::Null);
        let signal = |field: &str| told[field][SIGNAL].as_str();
        let amount = |field: &str| signal(field).and_then(|it| bytes(it, capacity));
        let reclaim = amount("evictionMinimumReclaim").unwrap_or(0);
        let duration = |text: Option<&str>| text.and_then(parse_ms);
        let hard =
            if told["evictionHard"].is_object() { amount("evictionHard") } else { Some(HARD) };
        let hard = hard.map(|value| Threshold { value, grace_ms: 0, reclaim, pod_grace: None });
        let soft = amount("evictionSoft").map(|value| Threshold {
            value,
            grace_ms: duration(signal("evictionSoftGracePeriod")).unwrap_or(0),
            reclaim,
            pod_grace: Some(told["evictionMaxPodGracePeriod"].as_i64().unwrap_or(0)),
        });
        let transition_ms = duration(told["evictionPressureTransitionPeriod"].as_str());
        Self { thresholds: [soft, hard], transition_ms: transition_ms.unwrap_or(TRANSITION_MS) }
    }
}

/// A quantity, or a part of the capacity: upstream reads the percentage as a 32 bit float and
/// multiplies it as a 64 bit one. All or nothing of the capacity is no threshold.
fn bytes(text: &str, capacity: i64) -> Option<i64> {
    let Some(percent) = text.strip_suffix('%') else {
        return quantity::parse(text).ok().map(|it| it.value()).filter(|it| *it >= 0);
    };
    let part = percent.parse::<f32>().ok()? / 100.0;
    let all_or_nothing = text == "0%" || text == "100%";
    let told = !all_or_nothing && (0.0..=1.0).contains(&part);
    #[expect(clippy::cast_possible_truncation, reason = "upstream cuts the fraction off, too")]
    told.then(|| (capacity as f64 * f64::from(part)) as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thresholds_are_what_the_configuration_says_or_upstreams() {
        let hard = |value: i64, reclaim: i64| {
            Some(Threshold { value, grace_ms: 0, reclaim, pod_grace: None })
        };
        for (text, thresholds, transition_ms) in [
            ("", [None, hard(100 << 20, 0)], 300_000),
            (r#"{"evictionHard": {"memory.available": "10%"}}"#, [None, hard(100, 0)], 300_000),
            (r#"{"evictionHard": {"memory.available": "7.55%"}}"#, [None, hard(75, 0)], 300_000),
            (r#"{"evictionHard": {"memory.available": "100%"}}"#, [None, None], 300_000),
            (r#"{"evictionHard": {"memory.available": "-7%"}}"#, [None, None], 300_000),
            (r#"{"evictionHard": {"nodefs.available": "10%"}}"#, [None, None], 300_000),
            (
                r#"{"evictionSoft": {"memory.available": "1Ki"}, "evictionMaxPodGracePeriod": 7,
                    "evictionSoftGracePeriod": {"memory.available": "1m30s"},
                    "evictionMinimumReclaim": {"memory.available": "5"},
                    "evictionPressureTransitionPeriod": "30s"}"#,
                [
                    Some(Threshold {
                        value: 1_024,
                        grace_ms: 90_000,
                        reclaim: 5,
                        pod_grace: Some(7),
                    }),
                    hard(100 << 20, 5),
                ],
                30_000,
            ),
        ] {
            let mut node = Node::default();
            let key = format!("{PREFIX}kubelet-configuration");
            node.metadata.annotations = Some([(key, text.to_owned())].into());
            assert_eq!(Config::of(&node, 1_000), Config { thresholds, transition_ms }, "{text}");
        }
    }
}
