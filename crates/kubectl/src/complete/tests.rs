//! Completion, one row for each place.

use api::{ApiError, Object, Objects, Timestamp};
use serde_json::json;

use super::*;
use crate::DryRun;

struct Cluster(Objects);

impl Client for Cluster {
    fn now(&self) -> Timestamp {
        Timestamp::UNIX_EPOCH
    }
    fn objects(&self) -> &Objects {
        &self.0
    }
    fn write(&mut self, _: &api::Action, _: DryRun) -> Result<Option<Object>, ApiError> {
        Ok(None)
    }
    fn patch(&self, object: &Object, _: &api::Patch) -> Result<Object, ApiError> {
        Ok(object.clone())
    }
    fn take_warnings(&mut self) -> Vec<String> {
        vec![]
    }
    fn file(&self, _: &str) -> Option<String> {
        None
    }
    fn files(&self) -> Vec<String> {
        vec!["job.yml".to_owned(), "node-selector.yml".to_owned()]
    }
    fn documentation(&self) -> Option<&str> {
        Some(
            "#Pod\t\t\nmetadata\tObjectMeta\t\t\nspec\tPodSpec\t\t\n\
             #PodSpec\t\t\ncontainers\t[]Container!\t\t\nnodeName\tstring\t\t\n\
             #Container\t\t\nimage\tstring\t\t\nname\tstring!\t\t\n",
        )
    }
}

fn cluster() -> Cluster {
    let mut objects = Objects::default();
    let mut put = |kind: Kind, namespace: &str, name: &str| {
        let spec = json!({"containers": [{"name": "app"}, {"name": "log"}]});
        let value = json!({
            "apiVersion": kind.api_version(), "kind": kind.name(),
            "metadata": {"name": name, "namespace": namespace},
            "spec": if kind == Kind::Pod { spec } else { json!({}) },
        });
        objects.put(api::wire::object_from_value(kind, &value).unwrap());
    };
    put(Kind::Namespace, "", "default");
    put(Kind::Namespace, "", "shop");
    put(Kind::Node, "", "node-a");
    put(Kind::Node, "", "node-b");
    put(Kind::Pod, "default", "web-1");
    put(Kind::Pod, "default", "web-2");
    put(Kind::Pod, "shop", "cart");
    Cluster(objects)
}

fn complete_at_end(line: &str) -> (String, Vec<String>) {
    let completion = complete(line, line.len(), &cluster());
    (line[..completion.from].to_owned(), completion.candidates)
}

#[test]
fn every_place_of_a_line_is_completed() {
    let check = |line: &str, before: &str, candidates: &[&str]| {
        let (kept, found) = complete_at_end(line);
        assert_eq!((kept.as_str(), found), (before, owned(candidates)), "{line}");
    };
    // Commands, with and without `kubectl`.
    check("des", "", &["describe"]);
    check("kubectl des", "kubectl ", &["describe"]);
    check(
        "create secret docker-registry r --docker-s",
        "create secret docker-registry r ",
        &["--docker-server="],
    );
    check(
        "create secret tls t --ce",
        "create secret tls t ",
        &["--cert=", "--certificate-authority="],
    );
    check("kub", "", &["kubectl", "kuberc"]);
    check("kubectl kub", "kubectl ", &["kuberc"]);
    check("-n shop rol", "-n shop ", &["rollout"]);
    check("rollout re", "rollout ", &["restart", "resume"]);
    check("create cron", "create ", &["cronjob"]);
    check("help dr", "help ", &["drain"]);
    // Kinds.
    check("get nod", "get ", &["nodes"]);
    check("get pods,nod", "get pods,", &["nodes"]);
    check("rollout status d", "rollout status ", &["daemonsets", "deployments"]);
    check("explain no", "explain ", &["nodes"]);
    // Names.
    check("get pods w", "get pods ", &["web-1", "web-2"]);
    check("get po web-1 w", "get po web-1 ", &["web-2"]);
    check("get pods -n shop ", "get pods -n shop ", &["cart"]);
    check("get pods --namespace=shop c", "get pods --namespace=shop ", &["cart"]);
    check("get pods -A c", "get pods -A ", &["cart"]);
    check("delete pod/we", "delete pod/", &["web-1", "web-2"]);
    check("delete pod/web-1 pod/", "delete pod/web-1 pod/", &["web-1", "web-2"]);
    check("drain node-", "drain ", &["node-a", "node-b"]);
    check("taint nodes node-b", "taint nodes ", &["node-b"]);
    check("logs web-1 -c ", "logs web-1 -c ", &["app", "log"]);
    // Flags and their values.
    check("get pods --show-l", "get pods ", &["--show-labels"]);
    check("get pods --label-c", "get pods ", &["--label-columns="]);
    check("get pods -n s", "get pods -n ", &["shop"]);
    check("get pods --namespace=s", "get pods --namespace=", &["shop"]);
    check("get pods -o y", "get pods -o ", &["yaml"]);
    check("create -f no", "create -f ", &["node-selector.yml"]);
    check("create deployment a --im", "create deployment a ", &["--image="]);
    check("exec web-1 -- --im", "exec web-1 -- ", &[]);
    // Fields.
    check("explain pod.spec.", "explain pod.spec.", &["containers", "nodeName"]);
    check("explain pod.spec.containers.i", "explain pod.spec.containers.", &["image"]);
    // Nothing fits.
    check("get foo x", "get foo ", &[]);
    check("foo bar ", "foo bar ", &[]);
}

fn owned(words: &[&str]) -> Vec<String> {
    words.iter().map(|it| (*it).to_owned()).collect()
}

#[test]
fn the_cursor_may_stand_anywhere() {
    let line = "get nodes\nget pods web-\nget";
    let completion = complete(line, "get nodes\nget pods web-".len(), &cluster());
    assert_eq!(completion.from, "get nodes\nget pods ".len());
    assert_eq!(completion.candidates, ["web-1", "web-2"]);
    // Inside of a character, and behind the end.
    for (line, at) in [("é", 1), ("x", 99), ("", 0), ("\u{0}\u{7}", 2), ("'\"\\", 3)] {
        let completion = complete(line, at, &cluster());
        assert!(completion.from <= line.len());
    }
}
