//! Which toleration tolerates which taint.
//!
//! Upstream: `staging/src/k8s.io/api/core/v1/toleration.go` and
//! `staging/src/k8s.io/component-helpers/scheduling/corev1/helpers.go`, v1.36.
//! Differs from upstream: the operators `Lt` and `Gt` tolerate nothing, because their feature gate
//! is off by default in 1.36.

use k8s_openapi::api::core::v1::{Node, Taint, Toleration};

/// The taint effects.
pub mod effect {
    /// New pods stay away.
    pub const NO_SCHEDULE: &str = "NoSchedule";
    /// New pods stay away where they can.
    pub const PREFER_NO_SCHEDULE: &str = "PreferNoSchedule";
    /// Running pods are evicted too.
    pub const NO_EXECUTE: &str = "NoExecute";
}

/// Whether the toleration tolerates the taint: an empty effect or key stands for all of them.
#[must_use]
pub fn tolerates(toleration: &Toleration, taint: &Taint) -> bool {
    let is = |wanted: &Option<String>, value: &str| {
        wanted.as_deref().is_none_or(|it| it.is_empty() || it == value)
    };
    if !is(&toleration.effect, &taint.effect) || !is(&toleration.key, &taint.key) {
        return false;
    }
    match toleration.operator.as_deref().unwrap_or_default() {
        "" | "Equal" => {
            toleration.value.as_deref().unwrap_or_default()
                == taint.value.as_deref().unwrap_or_default()
        }
        "Exists" => true,
        _ => false,
    }
}

/// Whether one of the tolerations tolerates the taint.
#[must_use]
pub fn tolerated(taint: &Taint, tolerations: &[Toleration]) -> bool {
    tolerations.iter().any(|it| tolerates(it, taint))
}

/// The first taint with one of the effects that no toleration tolerates.
#[must_use]
pub fn first_untolerated<'a>(
    taints: &'a [Taint],
    tolerations: &[Toleration],
    effects: &[&str],
) -> Option<&'a Taint> {
    taints
        .iter()
        .filter(|taint| effects.contains(&taint.effect.as_str()))
        .find(|taint| !tolerated(taint, tolerations))
}

/// The taints of a node.
#[must_use]
pub fn of_node(node: &Node) -> &[Taint] {
    node.spec.as_ref().and_then(|it| it.taints.as_deref()).unwrap_or_default()
}

/// `key=value:Effect`, or `key:Effect` without a value, as kubectl prints a taint.
#[must_use]
pub fn to_text(taint: &Taint) -> String {
    match taint.value.as_deref().unwrap_or_default() {
        "" => format!("{}:{}", taint.key, taint.effect),
        value => format!("{}={value}:{}", taint.key, taint.effect),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tolerations_match_by_key_value_operator_and_effect() {
        let taint = |key: &str, value: &str, effect: &str| Taint {
            key: key.into(),
            value: (!value.is_empty()).then(|| value.into()),
            effect: effect.into(),
            time_added: None,
        };
        let toleration = |key: &str, operator: &str, value: &str, effect: &str| {
            let some = |it: &str| (!it.is_empty()).then(|| it.to_owned());
            Toleration {
                key: some(key),
                operator: some(operator),
                value: some(value),
                effect: some(effect),
                toleration_seconds: None,
            }
        };
        let gpu = taint("gpu", "yes", effect::NO_SCHEDULE);
        for (it, expected) in [
            (toleration("gpu", "", "yes", ""), true),
            (toleration("gpu", "Equal", "no", ""), false),
            (toleration("gpu", "Exists", "", "NoSchedule"), true),
            (toleration("gpu", "Exists", "", "NoExecute"), false),
            (toleration("", "Exists", "", ""), true),
            (toleration("cpu", "Exists", "", ""), false),
            (toleration("gpu", "Gt", "1", ""), false),
        ] {
            assert_eq!(tolerates(&it, &gpu), expected, "{it:?}");
        }
        assert_eq!(to_text(&gpu), "gpu=yes:NoSchedule");
        assert_eq!(to_text(&taint("k", "", "NoExecute")), "k:NoExecute");
    }
}
