//! The scheduler as a component, over a small store: the queue, preemption, profiles.

mod world;

use api::Listers;
use k8s_openapi::api::core::v1::Pod;
use serde_json::json;
use world::{World, node, pod};

#[test]
fn a_pod_is_bound_and_an_event_says_so() {
    let mut world = World::new(None);
    world.put(node("n1", "2", json!({})));
    world.put(pod("web", "1", json!({})));
    world.run(1);
    assert_eq!(world.node_of("web"), "n1");
    assert_eq!(world.texts(), ["Scheduled: Successfully assigned default/web to n1"]);
}

#[test]
fn a_pod_that_fits_nowhere_waits_until_a_node_is_labelled() {
    let mut world = World::new(None);
    world.put(node("n1", "2", json!({})));
    world.put(pod("web", "1", json!({"nodeSelector": {"disktype": "ssd"}})));
    world.run(200);
    let text = "0/1 nodes are available: 1 node(s) didn't match Pod's node affinity/selector. no new \
                claims to deallocate, preemption: 0/1 nodes are available: 1 Preemption is not helpful \
                for scheduling.";
    assert_eq!(world.texts(), [format!("FailedScheduling: {text}")]);
    let condition = api::pods::condition(world.pod("web"), "PodScheduled").unwrap();
    assert_eq!(condition.reason.as_deref(), Some("Unschedulable"));
    assert_eq!(condition.message.as_deref(), Some(text));
    world.put(node("n1", "2", json!({"colour": "red"})));
    world.run(1);
    assert_eq!(world.events.len(), 1, "a label that does not help wakes nobody");
    world.put(node("n1", "2", json!({"disktype": "ssd"})));
    world.run(1);
    assert_eq!(world.node_of("web"), "n1");
}

#[test]
fn an_unschedulable_pod_is_tried_again_after_five_minutes() {
    let mut world = World::new(None);
    world.put(node("n1", "2", json!({})));
    world.put(pod("web", "3", json!({})));
    world.run(299);
    assert_eq!(world.events.len(), 1);
    world.run(62);
    assert_eq!(world.events.len(), 2);
}

#[test]
fn a_pod_of_another_scheduler_is_left_alone() {
    let mut world = World::new(None);
    world.put(node("n1", "2", json!({})));
    world.put(pod("web", "1", json!({"schedulerName": "other"})));
    world.run(600);
    assert_eq!((world.node_of("web"), world.events.len()), ("", 0));
}

#[test]
fn a_gated_pod_waits_for_its_gates() {
    let mut world = World::new(None);
    world.put(node("n1", "2", json!({})));
    world.put(pod("web", "1", json!({"schedulingGates": [{"name": "example.com/a"}]})));
    world.run(600);
    assert_eq!((world.node_of("web"), world.events.len()), ("", 0));
    world.put(pod("web", "1", json!({})));
    world.run(1);
    assert_eq!(world.node_of("web"), "n1");
}

#[test]
fn a_pod_of_higher_priority_takes_the_place_of_a_lower_one() {
    let mut world = World::new(None);
    world.put(node("n1", "2", json!({})));
    world.put(pod("low", "2", json!({"priority": 0})));
    world.run(1);
    world.put(pod("high", "2", json!({"priority": 1_000})));
    world.run(1);
    assert!(Listers(&world.objects).get::<Pod>("default", "low").is_none());
    assert_eq!(world.node_of("high"), "n1");
    let texts = world.texts();
    assert!(
        texts.contains(&"Preempted: Preempted by pod uid-high on node n1".to_owned()),
        "{texts:?}"
    );
    assert!(
        texts
            .contains(&"FailedScheduling: 0/1 nodes are available: 1 Insufficient cpu.".to_owned()),
        "{texts:?}"
    );
}

#[test]
fn several_profiles_serve_their_own_pods() {
    let config = json!({
        "apiVersion": "kubescheduler.config.k8s.io/v1", "kind": "KubeSchedulerConfiguration",
        "profiles": [{"schedulerName": "default-scheduler"}, {"schedulerName": "packer",
            "pluginConfig": [{"name": "NodeResourcesFit",
                "args": {"scoringStrategy": {"type": "MostAllocated"}}}]}]});
    let mut world = World::new(Some(&config));
    world.put(node("n1", "8", json!({})));
    world.put(node("n2", "8", json!({})));
    world.put(pod("first", "2", json!({})));
    world.run(1);
    let first = world.node_of("first").to_owned();
    world.put(pod("packed", "1", json!({"schedulerName": "packer"})));
    world.put(pod("spread", "1", json!({})));
    world.run(1);
    assert_eq!(world.node_of("packed"), first);
    assert_ne!(world.node_of("spread"), first);
    assert_eq!(world.events[1].component, "packer");
}
