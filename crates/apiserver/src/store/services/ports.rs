//! Node ports of services.
//!
//! Upstream: `pkg/registry/core/service/storage/alloc.go` and
//! `pkg/registry/core/service/portallocator/allocator.go`, v1.36.
//! Differs from upstream: free ports are found from a hash of the service's name instead of at
//! random, because a run must repeat itself.

use std::collections::BTreeSet;

use k8s_openapi::api::core::v1::{Service, ServiceSpec};

use super::{is_type, node_ports};
use crate::names;
use crate::store::Store;
use crate::validation::{Errors, Path};

pub(super) const FIRST_PORT: i32 = 30_000;
pub(super) const LAST_PORT: i32 = 32_767;
/// Upstream: `calculateRangeOffset` of the port allocator.
const PORT_OFFSET: i32 = 86;

/// The node ports that are taken, and where to look for a free one.
pub(super) struct Ports {
    seed: u64,
    key: String,
    own: BTreeSet<i32>,
    used: BTreeSet<i32>,
}

impl Ports {
    pub(super) fn new(
        store: &Store,
        namespace: &str,
        name: &str,
        before: Option<&ServiceSpec>,
    ) -> Self {
        let own = before.map(node_ports).unwrap_or_default();
        let services = store.listers().list::<Service>();
        let used = services.filter_map(|it| it.spec.as_ref()).flat_map(|spec| {
            let health = spec.health_check_node_port.filter(|it| *it != 0);
            node_ports(spec).into_iter().chain(health)
        });
        let used = used.collect();
        Self { seed: store.seed, key: format!("{namespace}/{name}"), own, used }
    }

    pub(super) fn take(&mut self, port: i32) -> Result<Option<i32>, &'static str> {
        if !(FIRST_PORT..=LAST_PORT).contains(&port) {
            return Err(
                "provided port is not in the valid range. The range of valid ports is 30000-32767",
            );
        }
        if self.used.insert(port) {
            Ok(Some(port))
        } else {
            Err("provided port is already allocated")
        }
    }

    pub(super) fn next(&mut self, what: &str) -> Option<i32> {
        let key = format!("{}/{what}", self.key);
        let span = u64::try_from(LAST_PORT - FIRST_PORT - PORT_OFFSET + 1).unwrap_or(1);
        let hash = names::hash(self.seed, &["node port", &key]);
        let free = (0..span)
            .filter_map(|it| i32::try_from((hash % span + it) % span).ok())
            .map(|it| FIRST_PORT + PORT_OFFSET + it)
            .find(|it| !self.used.contains(it));
        self.used.extend(free);
        free
    }

    /// One number serves all protocols of a port. Upstream: `initNodePorts`, `updateNodePorts`.
    pub(super) fn allocate(&mut self, spec: &mut ServiceSpec, errors: &mut Errors) {
        let gives =
            is_type(spec, "NodePort") || spec.allocate_load_balancer_node_ports != Some(false);
        let spec_path = Path::new("spec");
        let path = spec_path.child("ports");
        let wishes: Vec<(i32, i32)> = spec
            .ports
            .iter()
            .flatten()
            .filter_map(|it| Some((it.port, it.node_port.filter(|it| *it != 0)?)))
            .collect();
        let mut given: Vec<(i32, i32)> = Vec::new();
        for (index, port) in spec.ports.iter_mut().flatten().enumerate() {
            let asked = port.node_port.filter(|it| *it != 0);
            if asked.is_none() && !gives {
                continue;
            }
            let of_port =
                |all: &[(i32, i32)]| all.iter().find(|it| it.0 == port.port).map(|it| it.1);
            let earlier = of_port(&given);
            if earlier.is_some() && (asked.is_none() || asked == earlier) {
                port.node_port = earlier;
                continue;
            }
            let number = match asked.or_else(|| of_port(&wishes)) {
                Some(number) if self.own.contains(&number) => Some(number),
                Some(number) => match self.take(number) {
                    Ok(number) => number,
                    Err(why) => {
                        errors.invalid(&path.index(index).child("nodePort"), number, why);
                        return;
                    }
                },
                None => self.next(&index.to_string()),
            };
            port.node_port = number;
            given.extend(number.filter(|_| earlier.is_none()).map(|it| (port.port, it)));
        }
    }
}
