//! Topology spread constraints.
//!
//! Upstream: `pkg/apis/core/validation/validation.go` (`validateTopologySpreadConstraints`), v1.36.

use k8s_openapi::api::core::v1::TopologySpreadConstraint;

use crate::validation::check::{list_of, one_of, positive, str_of};
use crate::validation::core::affinity;
use crate::validation::{Errors, Path, labels};

pub(crate) fn constraints(
    errors: &mut Errors,
    path: &Path<'_>,
    constraints: &[TopologySpreadConstraint],
) {
    for (index, it) in constraints.iter().enumerate() {
        let path = path.index(index);
        positive(errors, &path.child("maxSkew"), it.max_skew);
        if it.topology_key.is_empty() {
            errors.required(&path.child("topologyKey"), "can not be empty");
        }
        let action = it.when_unsatisfiable.as_str();
        let supported = ["DoNotSchedule", "ScheduleAnyway"];
        one_of(errors, &path.child("whenUnsatisfiable"), action, &supported);
        let same = |other: &&TopologySpreadConstraint| {
            other.topology_key == it.topology_key && other.when_unsatisfiable == action
        };
        if constraints[index + 1..].iter().any(|other| same(&other)) {
            let shown = format!("{{{}, {action}}}", it.topology_key);
            errors.duplicate(&path.child("{topologyKey, whenUnsatisfiable}"), &shown);
        }
        if let Some(domains) = it.min_domains {
            let path = path.child("minDomains");
            positive(errors, &path, domains);
            if action != "DoNotSchedule" {
                let why = format!(
                    "can only use minDomains if whenUnsatisfiable=DoNotSchedule, not {action}"
                );
                errors.invalid(&path, domains, &why);
            }
        }
        let policies = [
            ("nodeAffinityPolicy", &it.node_affinity_policy),
            ("nodeTaintsPolicy", &it.node_taints_policy),
        ];
        for (name, policy) in policies {
            if policy.is_some() {
                one_of(errors, &path.child(name), str_of(policy), &["Honor", "Ignore"]);
            }
        }
        let selector = it.label_selector.as_ref();
        affinity::label_keys(errors, &path, list_of(&it.match_label_keys), &[], selector);
        labels::selector(errors, &path.child("labelSelector"), selector);
    }
}
