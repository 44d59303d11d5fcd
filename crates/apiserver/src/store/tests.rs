//! The store from outside: verbs, subresources, deletion, events.

use api::{
    Action, ApiReason, DeleteOptions, Event, EventSpec, Kind, Object, ObjectRef, Patch,
    Propagation, Resource, Timestamp,
};
use k8s_openapi::api::core::v1::Pod;
use serde_json::json;

use crate::Store;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_000_000 + second).unwrap()
}

fn store() -> Store {
    let mut store = Store::new(7);
    store.bootstrap(at(0));
    store.take_changes();
    store
}

fn object(kind: Kind, value: serde_json::Value) -> Object {
    api::wire::object_from_value(kind, &value).unwrap()
}

fn pod(name: &str) -> Object {
    object(
        Kind::Pod,
        json!({
            "metadata": {"name": name, "labels": {"app": "web"}},
            "spec": {"containers": [{"name": "main", "image": "nginx"}]},
        }),
    )
}

fn pod_key(name: &str) -> ObjectRef {
    ObjectRef::new(Kind::Pod, "default", name)
}

#[test]
fn a_new_cluster_has_its_namespaces_classes_and_service() {
    let store = store();
    let count = |kind| store.objects().count(kind);
    assert_eq!(count(Kind::Namespace), 4);
    assert_eq!(count(Kind::PriorityClass), 2);
    assert_eq!(count(Kind::Service), 1);
}

#[test]
fn a_created_pod_has_defaults_admission_and_a_change() {
    let mut store = store();
    let created = store.create(pod("a"), at(1)).unwrap();
    let pod: &Pod = created.as_kind().unwrap();
    let spec = pod.spec.as_ref().unwrap();
    assert_eq!(spec.priority, Some(0));
    assert_eq!(spec.tolerations.as_ref().unwrap().len(), 2);
    assert_eq!(spec.containers[0].image_pull_policy.as_deref(), Some("Always"));
    assert_eq!(pod.status.as_ref().unwrap().phase.as_deref(), Some("Pending"));
    let changes = store.take_changes();
    assert_eq!(changes.len(), 1);
    assert!(changes[0].old.is_none());
    let error = store.create(self::pod("a"), at(2)).unwrap_err();
    assert_eq!(error.message, "pods \"a\" already exists");
}

#[test]
fn an_update_that_changes_nothing_writes_nothing() {
    let mut store = store();
    let created = store.create(pod("a"), at(1)).unwrap();
    store.take_changes();
    store.update(created.clone(), at(2)).unwrap();
    assert!(store.take_changes().is_empty());
    let mut stale = created;
    stale.meta_mut().resource_version = Some("1".to_owned());
    let error = store.update(stale, at(2)).unwrap_err();
    assert_eq!(error.reason, ApiReason::Conflict);
}

#[test]
fn an_unbound_pod_goes_at_once_and_a_bound_one_after_its_grace() {
    let mut store = store();
    store.create(pod("a"), at(1)).unwrap();
    let left = store.delete(&pod_key("a"), &DeleteOptions::default(), at(2)).unwrap();
    assert!(left.is_none());

    store.create(pod("b"), at(3)).unwrap();
    store.bind(&pod_key("b"), "n1", at(4)).unwrap();
    let left = store.delete(&pod_key("b"), &DeleteOptions::default(), at(5)).unwrap();
    let meta = left.as_ref().unwrap().meta();
    assert_eq!(meta.deletion_grace_period_seconds, Some(30));
    assert_eq!(meta.deletion_timestamp.as_ref().unwrap().0, at(35));
    let now = DeleteOptions { grace_period_seconds: Some(0), ..DeleteOptions::default() };
    assert!(store.delete(&pod_key("b"), &now, at(6)).unwrap().is_none());
    assert!(store.get(&pod_key("b")).is_err());
}

#[test]
fn the_last_finalizer_lets_a_deleted_object_go() {
    let mut store = store();
    let map = json!({"metadata": {"name": "m"}});
    store.create(object(Kind::ConfigMap, map), at(1)).unwrap();
    let key = ObjectRef::new(Kind::ConfigMap, "default", "m");
    let options =
        DeleteOptions { propagation: Some(Propagation::Foreground), ..DeleteOptions::default() };
    let left = store.delete(&key, &options, at(2)).unwrap().unwrap();
    assert_eq!(left.meta().finalizers.as_deref(), Some(&["foregroundDeletion".to_owned()][..]));
    let patch = Patch::Merge(json!({"metadata": {"finalizers": null}}));
    store.patch(&key, "", &patch, at(3)).unwrap();
    assert!(store.get(&key).is_err());
}

#[test]
fn generated_names_differ_and_repeat_with_the_seed() {
    let names = || -> Vec<String> {
        let mut store = store();
        let mut make = || {
            let mut pod = pod("");
            pod.meta_mut().generate_name = Some("web-".to_owned());
            store.create(pod, at(1)).unwrap().name().to_owned()
        };
        vec![make(), make()]
    };
    let first = names();
    assert_ne!(first[0], first[1]);
    assert_eq!(first, names());
}

#[test]
fn repeated_events_are_counted_and_go_when_their_time_is_over() {
    let mut store = store();
    let pod = store.create(pod("a"), at(1)).unwrap();
    let event = EventSpec::warning("kubelet", &pod, "BackOff", "Back-off restarting");
    for second in 0..3 {
        store.apply_action(Action::Record(event.clone()), at(second)).unwrap();
    }
    let events: Vec<&Event> = store.listers().list::<Event>().collect();
    assert_eq!(events.len(), 1);
    assert_eq!(events[0].count(), 3);
    let key = events[0].object_ref();
    store.take_changes();
    store.expire_event(&pod.object_ref());
    store.expire_event(&key);
    assert_eq!((store.objects().count(Kind::Event), store.objects().count(Kind::Pod)), (0, 1));
    assert!(store.take_changes().is_empty());
}

#[test]
fn nothing_new_is_told_in_a_namespace_that_goes() {
    let mut store = store();
    store.create(object(Kind::Namespace, json!({"metadata": {"name": "n"}})), at(1)).unwrap();
    let mut pod = pod("a");
    pod.meta_mut().namespace = Some("n".to_owned());
    let pod = store.create(pod, at(1)).unwrap();
    let tell = |store: &mut Store, text: &str| {
        let event = EventSpec::normal("kubelet", &pod, text, text);
        store.apply_action(Action::Record(event), at(2)).unwrap();
        store.listers().list::<Event>().map(Event::count).collect::<Vec<_>>()
    };
    assert_eq!(tell(&mut store, "Old"), [1]);
    let key = ObjectRef::new(Kind::Namespace, "", "n");
    store.delete(&key, &DeleteOptions::default(), at(2)).unwrap();
    assert_eq!(tell(&mut store, "New"), [1], "it would be a new object");
    assert_eq!(tell(&mut store, "Old"), [2], "this one is there");
}

#[test]
fn many_similar_events_are_combined() {
    let mut store = store();
    let pod = store.create(pod("a"), at(1)).unwrap();
    for number in 0..12 {
        let event =
            EventSpec::normal("job-controller", &pod, "Created", format!("number {number}"));
        store.apply_action(Action::Record(event), at(2)).unwrap();
    }
    let combined: Vec<&Event> = store
        .listers()
        .list::<Event>()
        .filter(|it| it.message().starts_with("(combined from"))
        .collect();
    assert_eq!(combined.len(), 1);
    assert_eq!(combined[0].count(), 3);
}

#[test]
fn similar_events_are_single_ones_again_after_ten_quiet_minutes() {
    let mut store = store();
    let pod = store.create(pod("a"), at(1)).unwrap();
    let mut say = |number: i64, second: i64| {
        let text = format!("number {number}");
        let event = EventSpec::normal("job-controller", &pod, "Created", text);
        store.apply_action(Action::Record(event), at(second)).unwrap();
        let combined = |it: &&Event| it.message().starts_with("(combined from");
        let newest = store.listers().list::<Event>().filter(combined).map(Event::count).max();
        newest.unwrap_or(0)
    };
    let counts: Vec<i32> = (0..11).map(|it| say(it, 10)).collect();
    assert_eq!(counts, [0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 2], "the tenth is the first to be combined");
    assert_eq!(say(11, 610), 3, "ten minutes are not more than ten minutes");
    assert_eq!(say(12, 1_211), 3, "after more it stands for itself");
}

#[test]
fn who_speaks_too_often_of_an_object_is_not_heard_for_a_while() {
    let mut store = store();
    let pod = store.create(pod("a"), at(1)).unwrap();
    let mut say = |component: &str, warning: bool, second: i64| {
        let mut event = EventSpec::warning(component, &pod, "BackOff", "again");
        event.warning = warning;
        store.apply_action(Action::Record(event), at(second)).unwrap();
        !store.take_changes().is_empty()
    };
    let heard = (0..30).filter(|_| say("kubelet", true, 10)).count();
    assert_eq!(heard, 25, "a burst");
    assert!(!say("kubelet", true, 309));
    assert!(say("kubelet", true, 311), "one more in five minutes");
    assert!(!say("kubelet", true, 312));
    // Others, and what is not a warning, have a burst of their own.
    assert!(say("default-scheduler", true, 312) && say("kubelet", false, 312));
}

#[test]
fn a_budget_refuses_an_eviction_in_upstreams_words() {
    let mut store = store();
    store.create(pod("a"), at(1)).unwrap();
    store.bind(&pod_key("a"), "n1", at(1)).unwrap();
    let status = json!({"status": {
        "phase": "Running", "conditions": [{"type": "Ready", "status": "True"}],
    }});
    store.patch(&pod_key("a"), "status", &Patch::Merge(status), at(2)).unwrap();
    let budget = json!({
        "metadata": {"name": "b"},
        "spec": {"minAvailable": 1, "selector": {"matchLabels": {"app": "web"}}},
    });
    store.create(object(Kind::PodDisruptionBudget, budget), at(2)).unwrap();
    let key = ObjectRef::new(Kind::PodDisruptionBudget, "default", "b");
    let status = json!({"status": {
        "observedGeneration": 1, "currentHealthy": 1, "desiredHealthy": 1,
        "disruptionsAllowed": 0, "expectedPods": 1,
    }});
    store.patch(&key, "status", &Patch::Merge(status), at(2)).unwrap();
    let error = store.evict(&pod_key("a"), &DeleteOptions::default(), at(3)).unwrap_err();
    assert_eq!(error.reason, ApiReason::TooManyRequests);
    assert_eq!(
        error.causes[0].message,
        "The disruption budget b needs 1 healthy pods and has 1 currently"
    );
}

#[test]
fn a_job_selects_its_own_pods() {
    let mut store = store();
    let job = json!({
        "metadata": {"name": "pi"},
        "spec": {"template": {"spec": {
            "restartPolicy": "Never", "containers": [{"name": "pi", "image": "perl:5"}],
        }}},
    });
    let job = store.create(object(Kind::Job, job), at(1)).unwrap();
    let value = serde_json::to_value(&job).unwrap();
    let uid = value["metadata"]["uid"].clone();
    assert_eq!(
        value["spec"]["selector"]["matchLabels"],
        json!({"batch.kubernetes.io/controller-uid": uid})
    );
    assert_eq!(value["spec"]["template"]["metadata"]["labels"]["job-name"], "pi");
}

/// A store with a node of two CPUs, a pod on it that asks for one, and another that asks for half.
fn crowded() -> Store {
    let mut store = store();
    let amounts = json!({"cpu": "2", "memory": "1Gi"});
    let node = json!({"metadata": {"name": "n"}, "status": {"allocatable": amounts}});
    store.import(object(Kind::Node, node), at(0));
    for (name, cpu) in [("a", "1"), ("b", "500m")] {
        let mut pod = pod(name);
        if let Object::Pod(it) = &mut pod {
            let spec = std::sync::Arc::make_mut(it).spec.as_mut().unwrap();
            let amounts = json!({"requests": {"cpu": cpu, "memory": "64Mi"}});
            spec.containers[0].resources = serde_json::from_value(amounts).unwrap();
        }
        store.create(pod, at(1)).unwrap();
        store.bind(&pod_key(name), "n", at(2)).unwrap();
    }
    store
}

#[test]
fn a_resize_changes_nothing_but_resources_and_must_fit() {
    let mut store = crowded();
    let range = json!({"metadata": {"name": "r", "namespace": "default"}, "spec": {"limits": [
        {"type": "Container", "min": {"memory": "32Mi"}}]}});
    store.create(object(Kind::LimitRange, range), at(3)).unwrap();
    let quota = json!({"metadata": {"name": "q", "namespace": "default"},
        "spec": {"hard": {"requests.memory": "256Mi"}},
        "status": {"hard": {"requests.memory": "256Mi"}, "used": {"requests.memory": "128Mi"}}});
    store.import(object(Kind::ResourceQuota, quota), at(3));
    let mut check = |resources: serde_json::Value, expected: &str| {
        let container = json!({"name": "main", "image": "other", "resources": resources});
        let patch = Patch::Strategic(json!({"metadata": {"labels": {"new": "label"}},
            "spec": {"containers": [container]}}));
        let found = store.patch(&pod_key("a"), "resize", &patch, at(4));
        assert_eq!(found.map_or_else(|it| it.message, |_| String::new()), expected, "{resources}");
    };
    let forbidden = "pods \"a\" is forbidden:";
    check(json!({"requests": {"cpu": "1500m"}}), "");
    // Whether there is room now is for the kubelet to say.
    check(json!({"requests": {"cpu": "1600m"}}), "");
    check(
        json!({"requests": {"cpu": "3", "memory": "2Gi"}}),
        &format!(
            "{forbidden} node didn't have enough allocatable resources: cpu, requested: 3000, \
             allocatable: 2000; memory, requested: 2147483648, allocatable: 1073741824"
        ),
    );
    check(
        json!({"requests": {"memory": "16Mi"}}),
        &format!("{forbidden} minimum memory usage per Container is 32Mi, but request is 16Mi"),
    );
    check(
        json!({"requests": {"memory": "200Mi"}}),
        &format!(
            "{forbidden} exceeded quota: q, requested: requests.memory=136Mi, used: \
             requests.memory=128Mi, limited: requests.memory=256Mi"
        ),
    );
    check(
        json!({"requests": {"cpu": null}}),
        "Pod \"a\" is invalid: spec.containers[0].resources.requests: Forbidden: resource requests \
         cannot be removed",
    );
    let stored = store.get(&pod_key("a")).unwrap();
    assert_eq!(stored.meta().labels.as_ref().unwrap().len(), 1);
    assert_eq!(stored.meta().generation, Some(3));
    let pod: &Pod = stored.as_kind().unwrap();
    let container = &pod.spec.as_ref().unwrap().containers[0];
    assert_eq!(container.image.as_deref(), Some("nginx"));
    let requests = container.resources.as_ref().unwrap().requests.as_ref().unwrap();
    assert_eq!(requests["cpu"].0, "1600m");
}

#[test]
fn events_of_one_instant_are_listed_in_the_order_in_which_they_were_recorded() {
    let mut store = store();
    let pod = store.create(pod("a"), at(1)).unwrap();
    let reasons = ["Pulled", "Created", "Started", "Killing", "Failed", "BackOff"];
    for reason in reasons {
        let event = EventSpec::warning("kubelet", &pod, reason, "text");
        store.apply_action(Action::Record(event), at(2)).unwrap();
    }
    let listed = store.listers().list::<Event>();
    let listed: Vec<String> = listed.map(|it| it.reason().to_owned()).collect();
    assert_eq!(listed, reasons);
}

#[test]
fn a_patch_cannot_name_another_object() {
    let mut store = store();
    store.create(pod("a"), at(1)).unwrap();
    let key = ObjectRef::new(Kind::Pod, "default", "a");
    for (meta, message) in [
        (json!({"name": "b"}), "the name of the object (b) does not match the name on the URL (a)"),
        (
            json!({"namespace": "x"}),
            "the namespace of the object (x) does not match the namespace on the request (default)",
        ),
    ] {
        let patch = Patch::Merge(json!({"metadata": meta}));
        let error = store.patch(&key, "", &patch, at(2)).unwrap_err();
        assert_eq!((error.reason, error.message.as_str()), (ApiReason::BadRequest, message));
    }
}
