//! Extenders: what is asked besides the plugins, with the JSON bodies that go over the wire.
//!
//! Upstream: `pkg/scheduler/extender.go`, the calls of it in `schedule_one.go` and
//! `framework/preemption/preemption.go`, and `staging/src/k8s.io/kube-scheduler/extender/v1`, v1.36.
//! Differs from upstream: there is no network. A [`Handler`] is registered under the `urlPrefix`; an
//! extender without one cannot be reached. Nodes that a filter returns whole are taken by their
//! names, so they keep their pods when they are scored. After a bind verb that succeeded the
//! scheduler writes the binding, because a handler cannot.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use api::Gather;
use api::Object;
use k8s_openapi::api::core::v1::{Container, Node, Pod};
use serde_json::{Value, json};
use view::StatusCode;

use crate::apis::config::{Args, Config, Extender};
use crate::framework::interface::{NodeToStatus, Rejection};
use crate::framework::preemption::Candidate;
use crate::framework::runtime::Cycle;
use crate::framework::types::{NodeId, PodInfo};

/// Stands for extenders among the plugins that turned a pod away. Upstream: `ExtenderName`.
pub const EXTENDER_NAME: &str = "Extender";
/// Extenders score from 0 to 10, plugins from 0 to 100. Upstream: `MaxNodeScore / MaxExtenderPriority`.
const SCALE: i64 = 10;

/// Answers the calls of an extender: verb and body in, body out; an error stands for a status
/// other than 200. It must be pure, the same answer for the same call: a run is played again
/// whenever time goes back.
pub type Handler = Arc<dyn Fn(&str, &Value) -> Result<Value, String> + Send + Sync>;

/// Handlers by the `urlPrefix` of their extenders.
#[derive(Clone, Default)]
pub struct Handlers(BTreeMap<String, Handler>);

impl Handlers {
    /// Registers a handler; one of the same prefix is replaced.
    pub fn insert(&mut self, url_prefix: &str, handler: Handler) {
        self.0.insert(url_prefix.to_owned(), handler);
    }
}

impl fmt::Debug for Handlers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

/// An extender and its handler. Upstream: `HTTPExtender`.
#[derive(Clone)]
pub(crate) struct HttpExtender {
    config: Extender,
    handler: Option<Handler>,
}

/// Those that may be ignored come last. The scheduler's own filter passes over the resources that
/// extenders manage alone. Upstream: `buildExtenders`.
pub(crate) fn build(config: &mut Config, handlers: &Handlers) -> Vec<HttpExtender> {
    let managed = config.extenders.iter().flat_map(|it| &it.managed_resources);
    let ignored: Vec<String> =
        managed.filter(|it| it.ignored_by_scheduler).map(|it| it.name.clone()).collect();
    if !ignored.is_empty() {
        let args = config.profiles.iter_mut().flat_map(|it| &mut it.plugin_config);
        for (_, args) in args {
            if let Args::NodeResourcesFit(args) = args {
                args.ignored_resources.clone_from(&ignored);
            }
        }
    }
    let make = |it: &Extender| HttpExtender {
        config: it.clone(),
        handler: handlers.0.get(&it.url_prefix).cloned(),
    };
    let mut all: Vec<HttpExtender> = config.extenders.iter().map(make).collect();
    all.sort_by_key(|it| it.config.ignorable);
    all
}

/// A member of an answer. Go takes keys in any case.
fn member<'a>(value: &'a Value, key: &str) -> &'a Value {
    let all = value.as_object().into_iter().flatten();
    let mut all = all.filter(|(it, _)| it.eq_ignore_ascii_case(key));
    all.next().map_or(&Value::Null, |(_, value)| value)
}

/// A pod or node as Go writes it into a body: without kind and version, never without a part.
fn bare(object: &Object) -> Value {
    let mut value = api::wire::to_value(object);
    if let Some(it) = value.as_object_mut() {
        it.remove("apiVersion");
        it.remove("kind");
        for key in ["metadata", "spec", "status"] {
            it.entry(key).or_insert_with(|| json!({}));
        }
    }
    value
}

fn bare_pod(pod: &Arc<Pod>) -> Value {
    bare(&Object::Pod(pod.clone()))
}

impl HttpExtender {
    pub(crate) fn filters(&self) -> bool {
        !self.config.filter_verb.is_empty()
    }

    pub(crate) fn scores(&self) -> bool {
        !self.config.prioritize_verb.is_empty()
    }

    /// Upstream: `IsInterested`.
    fn is_interested(&self, pod: &Pod) -> bool {
        let managed = &self.config.managed_resources;
        let Some(spec) = &pod.spec else { return managed.is_empty() };
        let asks = |it: &Container| {
            let resources = it.resources.iter();
            let mut names = resources
                .flat_map(|it| it.requests.iter().chain(&it.limits))
                .flat_map(BTreeMap::keys);
            names.any(|name| managed.iter().any(|it| it.name == *name))
        };
        let mut all = spec.containers.iter().chain(spec.init_containers.iter().flatten());
        managed.is_empty() || all.any(asks)
    }

    /// Upstream: `send`.
    fn send(&self, verb: &str, body: &Value) -> Result<Value, String> {
        let url = format!("{}/{verb}", self.config.url_prefix.trim_end_matches('/'));
        match &self.handler {
            None => Err(unreachable(&url)),
            Some(handler) => handler(verb, body)
                .map_err(|_| format!("failed {verb} with extender at URL {url}, code 500")),
        }
    }

    /// Upstream: `ExtenderArgs`.
    fn args(&self, cycle: &Cycle<'_, '_>, pod: &PodInfo, nodes: &[NodeId]) -> Value {
        let infos = nodes.iter().map(|id| cycle.handle.cache.node(*id));
        let (mut list, mut names) = (Value::Null, Value::Null);
        if self.config.node_cache_capable {
            names = infos.map(|it| it.name.to_string()).collect();
        } else {
            let objects = infos.filter_map(|it| it.node.clone());
            let items: Vec<Value> = objects.map(|it: Arc<Node>| bare(&Object::Node(it))).collect();
            list = json!({"metadata": {}, "items": items});
        }
        json!({"Pod": bare_pod(&pod.pod), "Nodes": list, "NodeNames": names})
    }

    /// The nodes that pass. Upstream: `Filter`.
    fn filter(
        &self,
        cycle: &Cycle<'_, '_>,
        pod: &PodInfo,
        nodes: &[NodeId],
        statuses: &mut NodeToStatus,
    ) -> Result<Vec<NodeId>, String> {
        let result = self.send(&self.config.filter_verb, &self.args(cycle, pod, nodes))?;
        if !result.is_object() && !result.is_null() {
            return Err(undecodable(&result, "v1.ExtenderFilterResult"));
        }
        if let Some(error) = member(&result, "Error").as_str().filter(|it| !it.is_empty()) {
            return Err(error.to_owned());
        }
        let cache = &cycle.handle.cache;
        let of = |name: &str| cache.id_of(name).filter(|id| nodes.contains(id));
        let names = member(&result, "NodeNames").as_array();
        let items = member(member(&result, "Nodes"), "items").as_array();
        let mut passed = Vec::new();
        if let Some(names) = names.filter(|_| self.config.node_cache_capable) {
            for name in names.iter().filter_map(Value::as_str) {
                passed.push(of(name).ok_or_else(|| {
                    format!(
                        "extender \"{}\" claims a filtered node \"{name}\" which is not found in the input node list",
                        self.config.url_prefix
                    )
                })?);
            }
        } else if let Some(items) = items {
            let names = items.iter().filter_map(|it| it["metadata"]["name"].as_str());
            passed.extend(names.filter_map(of));
        }
        for (key, code) in [
            ("FailedNodes", StatusCode::Unschedulable),
            ("FailedAndUnresolvableNodes", StatusCode::UnschedulableAndUnresolvable),
        ] {
            for (name, text) in member(&result, key).as_object().into_iter().flatten() {
                let text = text.as_str().unwrap_or_default().to_owned();
                if let Some(id) = cache.id_of(name) {
                    statuses.nodes.insert(id, &Rejection::new(code, text));
                }
            }
        }
        Ok(passed)
    }

    /// Scores by node, not yet scaled and weighted. Upstream: `Prioritize`.
    fn prioritize(
        &self,
        cycle: &Cycle<'_, '_>,
        pod: &PodInfo,
        nodes: &[NodeId],
    ) -> Option<Vec<i64>> {
        let args = self.args(cycle, pod, nodes);
        // A failure gives no scores and is not told.
        let result = self.send(&self.config.prioritize_verb, &args).ok()?;
        let mut scores = vec![0; nodes.len()];
        for it in result.as_array()? {
            let id = member(it, "Host").as_str().and_then(|it| cycle.handle.cache.id_of(it));
            let at = nodes.iter().position(|it| Some(*it) == id);
            if let Some(score) = at.and_then(|at| scores.get_mut(at)) {
                *score += member(it, "Score").as_i64().unwrap_or_default();
            }
        }
        Some(scores)
    }

    /// Upstream: `ProcessPreemption`.
    fn process_preemption(
        &self,
        cycle: &Cycle<'_, '_>,
        pod: &PodInfo,
        candidates: &[Candidate],
    ) -> Result<Vec<Candidate>, String> {
        let cache_capable = self.config.node_cache_capable;
        let of = |it: &Candidate| {
            let uid = |it: &Pod| json!({"UID": it.metadata.uid.as_deref().unwrap_or_default()});
            let pods: Vec<Value> = it
                .victims
                .iter()
                .map(|it| if cache_capable { uid(&it.pod) } else { bare_pod(&it.pod) })
                .collect();
            let value = json!({"Pods": pods, "NumPDBViolations": it.n_pdb_violations});
            (it.name.to_string(), value)
        };
        let victims = Value::Object(candidates.iter().map(of).to_object());
        let (whole, meta) =
            if cache_capable { (Value::Null, victims) } else { (victims, Value::Null) };
        let body = json!({"Pod": bare_pod(&pod.pod), "NodeNameToVictims": whole,
            "NodeNameToMetaVictims": meta});
        let result = self.send(&self.config.preempt_verb, &body)?;
        let mut left = Vec::new();
        for (name, it) in member(&result, "NodeNameToMetaVictims").as_object().into_iter().flatten()
        {
            let node = cycle.handle.cache.node_by_name(name);
            let node =
                node.ok_or_else(|| format!("nodeinfo not found for node name \"{name}\""))?;
            let mut victims = Vec::new();
            for it in member(it, "Pods").as_array().into_iter().flatten() {
                let uid = member(it, "UID").as_str().unwrap_or_default();
                let here = node.pods.iter().find(|it| it.pod.metadata.uid.as_deref() == Some(uid));
                victims.push(here.cloned().ok_or_else(|| {
                    format!(
                        "extender: {} claims to preempt pod (UID: &MetaPod{{UID:{uid},}}) on node: {name}, but the pod is not found on that node",
                        self.config.url_prefix
                    )
                })?);
            }
            if victims.is_empty() {
                if self.config.ignorable {
                    continue;
                }
                return Err(format!("expected at least one victim pod on node \"{name}\""));
            }
            let n_pdb_violations = member(it, "NumPDBViolations").as_i64().unwrap_or_default();
            left.push(Candidate {
                node: node.id,
                name: node.name.clone(),
                victims,
                n_pdb_violations,
            });
        }
        Ok(left)
    }

    /// Upstream: `Bind`.
    fn bind(&self, pod: &PodInfo, node: &str) -> Result<(), String> {
        let meta = &pod.pod.metadata;
        let result = self.send(
            &self.config.bind_verb,
            &json!({"PodName": meta.name, "PodNamespace": meta.namespace, "PodUID": meta.uid,
                "Node": node}),
        )?;
        match member(&result, "Error").as_str().filter(|it| !it.is_empty()) {
            None => Ok(()),
            Some(error) => Err(error.to_owned()),
        }
    }
}

/// What Go's HTTP client says of a server that is not there.
fn unreachable(url: &str) -> String {
    let (scheme, rest) = url.split_once("://").unwrap_or(("", url));
    let port = match scheme {
        "http" => "80",
        "https" => "443",
        _ => return format!("Post \"{url}\": unsupported protocol scheme \"{scheme}\""),
    };
    let host = rest.split('/').next().unwrap_or_default();
    let (name, port) = host.rsplit_once(':').unwrap_or((host, port));
    let address = if name == "localhost" { "127.0.0.1" } else { name };
    if address.parse::<std::net::IpAddr>().is_ok() {
        format!("Post \"{url}\": dial tcp {address}:{port}: connect: connection refused")
    } else {
        format!("Post \"{url}\": dial tcp: lookup {name}: no such host")
    }
}

/// What Go's decoder says of an answer of another type.
fn undecodable(value: &Value, go_type: &str) -> String {
    let what = match value {
        Value::Array(_) => "array",
        Value::String(_) => "string",
        Value::Bool(_) => "bool",
        _ => "number",
    };
    format!("json: cannot unmarshal {what} into Go value of type {go_type}")
}

/// Asks all extenders one after the other which of the nodes they allow. Upstream:
/// `findNodesThatPassExtenders`.
///
/// # Errors
/// The first failure that may not be ignored.
pub(crate) fn filter(
    cycle: &Cycle<'_, '_>,
    pod: &PodInfo,
    mut nodes: Vec<NodeId>,
    statuses: &mut NodeToStatus,
) -> Result<Vec<NodeId>, Rejection> {
    for it in cycle.framework.extenders.iter() {
        if nodes.is_empty() {
            break;
        }
        if !it.is_interested(&pod.pod) || !it.filters() {
            continue;
        }
        match it.filter(cycle, pod, &nodes, statuses) {
            Ok(passed) => nodes = passed,
            Err(_) if it.config.ignorable => {}
            Err(error) => return Err(Rejection::error(error)),
        }
    }
    Ok(nodes)
}

/// One extender's scores of the nodes that passed.
#[derive(Clone, Debug)]
pub struct ExtenderScores {
    /// The extender's `urlPrefix`.
    pub name: String,
    /// From the configuration.
    pub weight: i64,
    /// What it answered.
    pub raw: Vec<i64>,
}

impl ExtenderScores {
    /// In the range of plugins' scores, before the weight.
    pub fn scaled(&self) -> impl Iterator<Item = i64> {
        self.raw.iter().map(|it| it.saturating_mul(SCALE))
    }
}

/// Upstream: the second half of `prioritizeNodes`.
pub(crate) fn prioritize(
    cycle: &Cycle<'_, '_>,
    pod: &PodInfo,
    nodes: &[NodeId],
) -> Vec<ExtenderScores> {
    let all = cycle.framework.extenders.iter();
    let all = all.filter(|it| it.scores() && it.is_interested(&pod.pod));
    all.filter_map(|it| {
        let (name, weight) = (it.config.url_prefix.clone(), it.config.weight);
        Some(ExtenderScores { name, weight, raw: it.prioritize(cycle, pod, nodes)? })
    })
    .collect()
}

/// The candidates that extenders leave, with the victims that they want. Upstream: `callExtenders`.
///
/// # Errors
/// The first failure that may not be ignored.
pub(crate) fn preempt(
    cycle: &Cycle<'_, '_>,
    pod: &PodInfo,
    mut candidates: Vec<Candidate>,
) -> Result<Vec<Candidate>, Rejection> {
    for it in cycle.framework.extenders.iter() {
        if candidates.is_empty() {
            break;
        }
        if it.config.preempt_verb.is_empty() || !it.is_interested(&pod.pod) {
            continue;
        }
        match it.process_preemption(cycle, pod, &candidates) {
            Ok(left) => candidates = left,
            Err(_) if it.config.ignorable => {}
            Err(error) => return Err(Rejection::error(error)),
        }
    }
    Ok(candidates)
}

/// Lets an extender bind. `None`: there is none that does, the plugins do. Upstream:
/// `extendersBinding`.
pub(crate) fn bind(
    extenders: &[HttpExtender],
    pod: &PodInfo,
    node: &str,
) -> Option<Result<(), String>> {
    let binders = extenders.iter();
    let mut binders =
        binders.filter(|it| !it.config.bind_verb.is_empty() && it.is_interested(&pod.pod));
    binders.find_map(|it| match it.bind(pod, node) {
        Err(_) if it.config.ignorable => None,
        result => Some(result),
    })
}
