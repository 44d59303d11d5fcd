//! The kubelet's events, in upstream's words.
//!
//! Upstream: `pkg/kubelet/events/event.go` and where they are recorded, v1.36.

use api::k8s_openapi::api::core::v1::{Container, Pod};
use api::{EventSpec, Kind, ObjectRef, Resource};

/// Collects the events of one pod.
pub(crate) struct Recorder<'a> {
    pub(crate) pod: &'a Pod,
    pub(crate) node: &'a str,
    pub(crate) events: Vec<EventSpec>,
}

impl<'a> Recorder<'a> {
    pub(crate) fn new(pod: &'a Pod, node: &'a str) -> Self {
        Self { pod, node, events: Vec::new() }
    }

    fn record(&mut self, field_path: String, warning: bool, reason: &str, message: String) {
        let meta = &self.pod.metadata;
        let namespace = meta.namespace.as_deref().unwrap_or_default();
        let name = meta.name.as_deref().unwrap_or_default();
        let about = ObjectRef::new(Kind::Pod, namespace, name);
        let uid = meta.uid.as_deref().unwrap_or_default();
        let event = EventSpec::about("kubelet", about, uid, reason, message);
        let (host, field_path) = (self.node.into(), field_path.into());
        self.events.push(EventSpec { warning, host, field_path, ..event });
    }

    /// An event about the pod as a whole.
    pub(crate) fn pod(&mut self, warning: bool, reason: &str, message: impl Into<String>) {
        self.record(String::new(), warning, reason, message.into());
    }

    /// `pulled` is what is said of the image, if it was not on the machine.
    pub(crate) fn started(&mut self, container: &Container, pulled: Option<String>) {
        let path = self.field_path(container);
        let pulled = pulled.unwrap_or_else(|| {
            let image = container.image.as_deref().unwrap_or_default();
            format!(
                "Container image \"{image}\" already present on machine and can be accessed by the pod"
            )
        });
        self.record(path.clone(), false, "Pulled", pulled);
        self.record(path.clone(), false, "Created", "Container created".to_owned());
        self.record(path, false, "Started", "Container started".to_owned());
    }

    /// Something about a container's image.
    pub(crate) fn pulling(&mut self, of: &Container, warning: bool, reason: &str, text: String) {
        self.record(self.field_path(of), warning, reason, text);
    }

    pub(crate) fn killing(&mut self, container: &Container, message: &str) {
        self.record(self.field_path(container), false, "Killing", message.to_owned());
    }

    pub(crate) fn unhealthy(&mut self, container: &Container, message: String) {
        self.record(self.field_path(container), true, "Unhealthy", message);
    }

    pub(crate) fn back_off(&mut self, container: &Container) {
        let message = format!(
            "Back-off restarting failed container {} in pod {}",
            container.name,
            format_pod(self.pod)
        );
        self.record(self.field_path(container), true, "BackOff", message);
    }

    fn field_path(&self, container: &Container) -> String {
        let spec = self.pod.spec.as_ref();
        let mut inits = spec.and_then(|it| it.init_containers.as_ref()).into_iter().flatten();
        let list =
            if inits.any(|it| it.name == container.name) { "initContainers" } else { "containers" };
        format!("spec.{list}{{{}}}", container.name)
    }
}

/// `name_namespace(uid)`. Upstream: `format.Pod`.
pub(crate) fn format_pod(pod: &Pod) -> String {
    [pod.name(), "_", pod.namespace(), "(", pod.uid(), ")"].concat()
}
