//! Hints to where the traffic of a Service shall come from, by its `trafficDistribution`.
//!
//! Upstream: `staging/src/k8s.io/endpointslice/trafficdist/trafficdist.go`, v1.36.

use api::Resource;
use k8s_openapi::api::core::v1::{Service, ServiceSpec};
use k8s_openapi::api::discovery::v1::{Endpoint, EndpointHints, EndpointSlice, ForNode, ForZone};

/// How endpoints are hinted at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Distribution {
    Anywhere,
    SameZone,
    SameNode,
}

fn distribution_of(service: &Service, spec: &ServiceSpec) -> Distribution {
    let annotations = service.meta().annotations.as_ref();
    let annotation = |key: &str| annotations.and_then(|it| it.get(key)).map(String::as_str);
    let hints = annotation("service.kubernetes.io/topology-aware-hints");
    let mode = hints.or(annotation("service.kubernetes.io/topology-mode"));
    match spec.traffic_distribution.as_deref() {
        // The annotation has the last word.
        _ if matches!(mode, Some("Auto" | "auto")) => Distribution::Anywhere,
        Some("PreferClose" | "PreferSameZone") => Distribution::SameZone,
        Some("PreferSameNode") => Distribution::SameNode,
        _ => Distribution::Anywhere,
    }
}

/// Puts the hints of slices right that are written anyway, and returns those that have to be written
/// for their hints. Upstream: `ReconcileHints`.
pub(super) fn reconcile_hints<'a>(
    service: &Service,
    spec: &ServiceSpec,
    written: impl Iterator<Item = &'a mut EndpointSlice>,
    unchanged: impl Iterator<Item = EndpointSlice>,
) -> Vec<EndpointSlice> {
    let distribution = distribution_of(service, spec);
    for slice in written {
        hint(slice, distribution);
    }
    unchanged.filter_map(|mut it| hint(&mut it, distribution).then_some(it)).collect()
}

/// Returns whether anything was to be changed.
fn hint(slice: &mut EndpointSlice, distribution: Distribution) -> bool {
    let mut changed = false;
    for endpoint in slice.endpoints.iter_mut().flatten() {
        let ready = endpoint.conditions.as_ref().and_then(|it| it.ready) == Some(true);
        if !ready && distribution != Distribution::Anywhere {
            continue;
        }
        let hints = hints_of(endpoint, distribution);
        changed |= endpoint.hints != hints;
        endpoint.hints = hints;
    }
    changed
}

fn hints_of(endpoint: &Endpoint, distribution: Distribution) -> Option<EndpointHints> {
    let zone = endpoint.zone.as_ref().filter(|_| distribution != Distribution::Anywhere);
    let node = endpoint.node_name.as_ref().filter(|_| distribution == Distribution::SameNode);
    if zone.is_none() && node.is_none() {
        return None;
    }
    Some(EndpointHints {
        for_zones: zone.map(|it| vec![ForZone { name: it.clone() }]),
        for_nodes: node.map(|it| vec![ForNode { name: it.clone() }]),
    })
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::discovery::v1::EndpointConditions;

    use super::*;

    /// Rows: what the Service says, its annotation, whether the endpoint is ready; its hints.
    #[test]
    fn only_ready_endpoints_are_hinted_at() {
        for (said, mode, ready, expected) in [
            (None, "", true, None),
            (Some("PreferClose"), "", true, Some((Some("a"), None))),
            (Some("PreferSameZone"), "", true, Some((Some("a"), None))),
            (Some("PreferSameNode"), "", true, Some((Some("a"), Some("n")))),
            (Some("PreferSameZone"), "", false, None),
            (Some("PreferSameZone"), "Auto", true, None),
            (Some("Elsewhere"), "", true, None),
        ] {
            let mut service = Service::default();
            let key = "service.kubernetes.io/topology-mode".to_owned();
            service.metadata.annotations = Some([(key, mode.to_owned())].into());
            let traffic_distribution = said.map(str::to_owned);
            let spec = ServiceSpec { traffic_distribution, ..ServiceSpec::default() };
            let endpoint = Endpoint {
                zone: Some("a".to_owned()),
                node_name: Some("n".to_owned()),
                conditions: Some(EndpointConditions { ready: Some(ready), ..Default::default() }),
                ..Endpoint::default()
            };
            let slice = EndpointSlice { endpoints: Some(vec![endpoint]), ..Default::default() };
            let none = std::iter::empty;
            let changed = reconcile_hints(&service, &spec, none(), [slice].into_iter());
            let found = changed.first().map(|it| {
                let hints = it.endpoints.as_ref().unwrap()[0].hints.as_ref().unwrap();
                let zone = hints.for_zones.as_ref().map(|it| it[0].name.as_str());
                (zone, hints.for_nodes.as_ref().map(|it| it[0].name.as_str()))
            });
            assert_eq!(found, expected, "{said:?} {mode} {ready}");
            // Once right they stay, and go when nothing is said any more.
            let again = reconcile_hints(&service, &spec, none(), changed.clone().into_iter());
            assert!(again.is_empty(), "{said:?}");
            let plain = ServiceSpec::default();
            let mut gone = reconcile_hints(&service, &plain, none(), changed.into_iter());
            let hinted = gone.pop().map(|it| it.endpoints.unwrap()[0].hints.is_some());
            assert_eq!(hinted, expected.map(|_| false));
        }
    }
}
