//! What a new cluster has before anybody creates anything.
//!
//! Upstream: `pkg/controlplane/controller/{systemnamespaces,kubernetesservice}`,
//! `pkg/registry/scheduling/rest/storage_scheduling.go`, v1.36.

use api::{Object, Resource, Timestamp};
use k8s_openapi::api::core::v1::{
    ConfigMap, Namespace, Service, ServiceAccount, ServicePort, ServiceSpec,
};
use k8s_openapi::api::discovery::v1::{Endpoint, EndpointConditions, EndpointPort, EndpointSlice};
use k8s_openapi::api::scheduling::v1::PriorityClass;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use crate::Store;

/// The namespaces of a new cluster.
pub(crate) const NAMESPACES: [&str; 4] =
    ["default", "kube-system", "kube-public", "kube-node-lease"];

impl Store {
    /// Adds the objects of a new cluster: namespaces with their certificates and service accounts,
    /// the Service `kubernetes` with its endpoint and the two system priority classes.
    pub fn bootstrap(&mut self, now: Timestamp) {
        let mut objects: Vec<Object> = Vec::new();
        for name in NAMESPACES {
            objects.push(
                Namespace { metadata: named("", name), ..Namespace::default() }.into_object(),
            );
        }
        for namespace in NAMESPACES {
            let metadata = ObjectMeta {
                annotations: Some(
                    [("kubernetes.io/description".to_owned(), CERTIFICATE_NOTE.to_owned())].into(),
                ),
                ..named(namespace, "kube-root-ca.crt")
            };
            let data = [("ca.crt".to_owned(), CERTIFICATE.to_owned())].into();
            objects.push(
                ConfigMap { metadata, data: Some(data), ..ConfigMap::default() }.into_object(),
            );
            let metadata = named(namespace, "default");
            objects.push(ServiceAccount { metadata, ..ServiceAccount::default() }.into_object());
        }
        objects.push(kubernetes_service().into_object());
        objects.push(kubernetes_endpoints().into_object());
        let classes = [
            (
                "system-node-critical",
                2_000_001_000,
                "Used for system critical pods that must not be moved from their current node.",
            ),
            (
                "system-cluster-critical",
                2_000_000_000,
                "Used for system critical pods that must run in the cluster, but can be moved to another node if necessary.",
            ),
        ];
        for (name, value, description) in classes {
            let class = PriorityClass {
                metadata: ObjectMeta { generation: Some(1), ..named("", name) },
                value: Some(value),
                description: Some(description.to_owned()),
                ..PriorityClass::default()
            };
            objects.push(class.into_object());
        }
        for object in objects {
            // What the server itself makes is accepted, and a second call finds it there.
            let _ = self.create(object, now);
        }
    }
}

const CERTIFICATE_NOTE: &str = "Contains a CA bundle that can be used to verify the kube-apiserver \
    when using internal endpoints such as the internal service IP or kubernetes.default.svc. \
    No other usage is guaranteed across distributions of Kubernetes clusters.";

/// No node has it: the server runs beside the cluster.
const SERVER_ADDRESS: &str = "10.0.0.1";

/// Nobody checks it: no connection is ever made.
const CERTIFICATE: &str = "-----BEGIN CERTIFICATE-----\nc2ltdWxhdGVk\n-----END CERTIFICATE-----\n";

fn named(namespace: &str, name: &str) -> ObjectMeta {
    ObjectMeta {
        namespace: Some(namespace.to_owned()).filter(|it| !it.is_empty()),
        name: Some(name.to_owned()),
        ..ObjectMeta::default()
    }
}

/// Where the Service leads: to the server itself. Upstream: `EndpointsAdapter`.
fn kubernetes_endpoints() -> EndpointSlice {
    let labels = [("kubernetes.io/service-name".to_owned(), "kubernetes".to_owned())];
    let ready = EndpointConditions { ready: Some(true), ..EndpointConditions::default() };
    let endpoint = Endpoint {
        addresses: vec![SERVER_ADDRESS.to_owned()],
        conditions: Some(ready),
        ..Endpoint::default()
    };
    let port = EndpointPort {
        name: Some("https".to_owned()),
        port: Some(6443),
        protocol: Some("TCP".to_owned()),
        ..EndpointPort::default()
    };
    EndpointSlice {
        metadata: ObjectMeta { labels: Some(labels.into()), ..named("default", "kubernetes") },
        address_type: "IPv4".to_owned(),
        endpoints: Some(vec![endpoint]),
        ports: Some(vec![port]),
    }
}

fn kubernetes_service() -> Service {
    let labels = [
        ("component".to_owned(), "apiserver".to_owned()),
        ("provider".to_owned(), "kubernetes".to_owned()),
    ];
    let port = ServicePort {
        name: Some("https".to_owned()),
        port: 443,
        protocol: Some("TCP".to_owned()),
        target_port: Some(IntOrString::Int(6443)),
        ..ServicePort::default()
    };
    Service {
        metadata: ObjectMeta { labels: Some(labels.into()), ..named("default", "kubernetes") },
        spec: Some(ServiceSpec {
            cluster_ip: Some("10.96.0.1".to_owned()),
            ports: Some(vec![port]),
            ..ServiceSpec::default()
        }),
        ..Service::default()
    }
}
