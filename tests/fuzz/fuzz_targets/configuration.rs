//! Any scheduler configuration is read without a panic; one that is accepted schedules a pod, and
//! every expression in it gives a value or a mistake with a place inside it.
#![no_main]

use api::cel::Expression;
use api::yaml;
use libfuzzer_sys::fuzz_target;
use scheduler::Scheduler;

const CLUSTER: &str = "
{kind: Node, apiVersion: v1, metadata: {name: n1, labels: {disk: ssd}},
 status: {allocatable: {cpu: '4', memory: 8Gi, pods: '9', example.com/foo: '3'}}}
---
{kind: Node, apiVersion: v1, metadata: {name: n2}, status: {allocatable: {cpu: '2', pods: '9'}}}
---
{kind: Pod, apiVersion: v1, metadata: {name: p, namespace: default, labels: {app: a}},
 spec: {schedulerName: default-scheduler, containers: [{name: c, image: i,
  resources: {requests: {cpu: '1', example.com/foo: '1'}}}]}}
";

fuzz_target!(|text: &str| {
    let variables = serde_json::json!({"metadata": {"name": "n", "labels": {"a": "1"}}});
    match Expression::parse(text, &["node"]) {
        Ok(expression) => {
            if let Err(error) = expression.evaluate(&[("node", &variables)]) {
                assert!(error.at <= text.len());
            }
            let _: Vec<&str> = expression.failing(&[("node", &variables)]);
        }
        Err(error) => assert!(error.at <= text.len()),
    }

    // With a head, so that the fuzzer need not find it; without one as well.
    let head = "apiVersion: kubescheduler.config.k8s.io/v1\nkind: KubeSchedulerConfiguration\n";
    for text in [format!("{head}{text}"), text.to_owned()] {
        for document in yaml::read(&text).documents {
            let mut objects = api::Objects::default();
            for it in yaml::read(CLUSTER).documents {
                objects.put(it.object().expect("an object").clone());
            }
            let configuration = document.value();
            let scheduler = Scheduler::from_objects(Some(&configuration), &objects);
            let Ok(mut scheduler) = scheduler else { continue };
            let pod = objects.list(api::Kind::Pod).next().cloned();
            let Some(api::Object::Pod(pod)) = pod else { unreachable!("there is one") };
            let now = api::Timestamp::UNIX_EPOCH;
            let _ = scheduler.evaluate(&pod, &objects, now, 0);
            let _ = scheduler.fixes(&pod, &objects, now, 0);
            let _ = scheduler.room(&pod, &objects, now, 0);
        }
    }
});
