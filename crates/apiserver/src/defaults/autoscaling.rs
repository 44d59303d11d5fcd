//! Defaults of horizontal pod autoscalers. Upstream: `pkg/apis/autoscaling/v2/defaults.go`, v1.36.

use k8s_openapi::api::autoscaling::v2::{
    HPAScalingPolicy, HPAScalingRules, HorizontalPodAutoscaler, MetricSpec, MetricTarget,
    ResourceMetricSource,
};

/// Upstream: `DefaultCPUUtilization`.
const CPU_UTILIZATION: i32 = 80;
/// Upstream: `scaleUpPeriod`, `scaleDownPeriod`.
const PERIOD_SECONDS: i32 = 15;
/// Upstream: `scaleUpLimitMinimumPods`.
const UP_LIMIT_PODS: i32 = 4;

pub(super) fn set_autoscaler(autoscaler: &mut HorizontalPodAutoscaler) {
    let spec = &mut autoscaler.spec;
    spec.min_replicas.get_or_insert(1);
    if spec.metrics.as_ref().is_none_or(Vec::is_empty) {
        let target = MetricTarget {
            type_: "Utilization".to_owned(),
            average_utilization: Some(CPU_UTILIZATION),
            ..MetricTarget::default()
        };
        spec.metrics = Some(vec![MetricSpec {
            type_: "Resource".to_owned(),
            resource: Some(ResourceMetricSource { name: "cpu".to_owned(), target }),
            ..MetricSpec::default()
        }]);
    }
    if let Some(behavior) = &mut spec.behavior {
        let policy = |type_: &str, value| HPAScalingPolicy {
            type_: type_.to_owned(),
            value,
            period_seconds: PERIOD_SECONDS,
        };
        let up = behavior.scale_up.get_or_insert_default();
        up.stabilization_window_seconds.get_or_insert(0);
        fill(up, || vec![policy("Pods", UP_LIMIT_PODS), policy("Percent", 100)]);
        fill(behavior.scale_down.get_or_insert_default(), || vec![policy("Percent", 100)]);
    }
}

fn fill(rules: &mut HPAScalingRules, policies: impl FnOnce() -> Vec<HPAScalingPolicy>) {
    rules.select_policy.get_or_insert_with(|| "Max".to_owned());
    rules.policies.get_or_insert_with(policies);
}
