//! DEV ONLY
use api::*;
use api::k8s_openapi::api::core::v1::{Node, Pod};
#[derive(Clone, Default)]
pub(crate) struct Fake(usize);
impl Component for Fake {
    fn id(&self) -> ComponentId { ComponentId::Scheduler }
    fn start(&mut self, _: &View<'_>, _: &mut WorkQueue) {}
    fn react(&mut self, change: &Change, view: &View<'_>, queue: &mut WorkQueue) {
        if let Some(pod) = change.new.as_ref().and_then(Object::as_kind::<Pod>) {
            if pods::node_name(pod).is_none() { queue.add_at(pod.object_ref(), time::after_ms(view.now, 5)); }
        }
    }
    fn decide(&mut self, key: &ObjectRef, view: &View<'_>) -> Plan {
        let mut plan = Plan::default();
        let Some(pod) = view.listers.by_ref::<Pod>(key) else { return plan };
        if pods::node_name(pod).is_some() || pods::is_terminating(pod) { return plan }
        let nodes: Vec<_> = view.listers.list::<Node>().collect();
        let Some(node) = nodes.iter().min_by_key(|n| view.listers.pods_on(n.name()).count()) else { return plan };
        plan.push(Action::Bind { pod: key.clone(), node: node.name().to_owned() });
        plan.record(EventSpec::normal("default-scheduler", view.listers.object(key).unwrap(), "Scheduled", format!("Successfully assigned {} to {}", key.namespaced_name(), node.name())));
        plan
    }
    fn boxed_clone(&self) -> Box<dyn Component> { Box::new(self.clone()) }
}
