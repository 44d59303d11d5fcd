//! `kubectl describe`.
//!
//! Upstream: `staging/src/k8s.io/kubectl/pkg/describe/describe.go`, v1.36.

mod autoscaling;
mod config;
mod node;
mod pod;
mod sources;
mod workloads;

use api::Order;
use std::collections::BTreeMap;

use api::{Event, Kind, Listers, Object, Timestamp, yaml};
use k8s_openapi::api::core::v1::{Pod, Toleration, TopologySpreadConstraint};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, Time};
use serde_json::Value;

use super::{Next, Session, files};
use crate::args::{Flag, switch, value};
use crate::failure::Failure;
use rows::human;

use crate::{printers, resources};

pub(super) const FLAGS: &[Flag] = &[
    value("selector").or('l'),
    switch("all-namespaces").or('A'),
    value("filename").or('f'),
    value("kustomize").or('k'),
    switch("recursive").or('R'),
    switch("show-events"),
    value("chunk-size"),
];

/// Annotations longer than this get lines of their own.
const MAX_ANNOTATION: usize = 140;

pub(super) fn run(session: &mut Session<'_>) -> Result<Next, Failure> {
    let words = session.args.positional.clone();
    if words.is_empty() && !session.args.has("filename") {
        return Err(Failure::text(
            "You must specify the type of resource to describe. Use \"kubectl api-resources\" for a \
             complete list of supported resources.",
        ));
    }
    let asked = match session.args.has("filename") {
        true => files::named(session, &words)?,
        false => resources::resolve(&words, &session.query(true))?,
    };
    let (mut objects, mut failures) = session.find(&asked, true)?;
    let mut by_prefix = false;
    if words.len() == 2 && words[0].contains(',') && failures.iter().any(Failure::is_not_found) {
        // Names that begin so are looked for among one kind.
        return Err(Failure::text("you may only specify a single resource type"));
    }
    if objects.is_empty() && failures.len() == 1 && words.len() == 2 {
        // A name that fits nothing may be the beginning of some.
        objects = with_prefix(session, &asked);
        if !objects.is_empty() {
            failures.clear();
            by_prefix = true;
        }
    }
    // Events are many: without being asked kubectl shows them for a single object only.
    let alone = objects.len() == 1 && failures.is_empty() && !by_prefix;
    let show_events = match session.args.has("show-events") {
        true => session.args.is_on("show-events"),
        false => alone,
    };
    let texts = objects.iter().map(|it| describe(session, it, show_events));
    let text = match by_prefix {
        true => texts.map(|it| format!("{it}\n")).collect(),
        false => texts.collect::<Vec<_>>().join("\n\n"),
    };
    session.output.out(text);
    if objects.is_empty() && failures.is_empty() {
        let all = session.args.is_on("all-namespaces");
        session.output.err(match all {
            true => "No resources found\n".to_owned(),
            false => format!("No resources found in {} namespace.\n", session.namespace),
        });
    }
    Failure::all(failures)?;
    Ok(Next::Done)
}

fn with_prefix(session: &Session<'_>, asked: &resources::Asked) -> Vec<Object> {
    let resources::Asked::Names(names) = asked else { return vec![] };
    let [(kind, prefix)] = &names[..] else { return vec![] };
    let all = resources::list(session.client.objects(), *kind, &session.query(true));
    let mut all = all.unwrap_or_default();
    all.retain(|it| it.name().starts_with(prefix.as_str()));
    all
}

/// The text for one object.
fn describe(session: &Session<'_>, object: &Object, show_events: bool) -> String {
    let cluster = Cluster {
        listers: Listers(session.client.objects()),
        now: session.client.now(),
        show_events,
    };
    let mut page = Page::default();
    match object {
        Object::Pod(it) => pod::pod(&mut page, it, &cluster),
        Object::Node(it) => node::node(&mut page, it, &cluster),
        Object::Deployment(it) => workloads::deployment(&mut page, it, &cluster),
        Object::ReplicaSet(it) => workloads::replica_set(&mut page, it, &cluster),
        Object::StatefulSet(it) => workloads::stateful_set(&mut page, it, &cluster),
        Object::DaemonSet(it) => workloads::daemon_set(&mut page, it, &cluster),
        Object::Job(it) => workloads::job(&mut page, it),
        Object::CronJob(it) => workloads::cron_job(&mut page, it),
        Object::Service(it) => config::service(&mut page, it, &cluster),
        Object::ConfigMap(it) => config::config_map(&mut page, it),
        Object::Secret(it) => {
            config::secret(&mut page, it);
            return page.print();
        }
        Object::Namespace(it) => {
            config::namespace(&mut page, it, &cluster);
            return page.print();
        }
        Object::HorizontalPodAutoscaler(it) => autoscaling::autoscaler(&mut page, it),
        Object::ServiceAccount(it) => config::service_account(&mut page, it),
        Object::PersistentVolume(it) => config::persistent_volume(&mut page, it, &cluster),
        Object::PersistentVolumeClaim(it) => {
            config::persistent_volume_claim(&mut page, it, &cluster);
        }
        Object::StorageClass(it) => config::storage_class(&mut page, it),
        Object::PriorityClass(it) => config::priority_class(&mut page, it),
        Object::PodDisruptionBudget(it) => config::pod_disruption_budget(&mut page, it),
        Object::ResourceQuota(it) => {
            config::resource_quota(&mut page, it);
            return page.print();
        }
        Object::LimitRange(it) => {
            config::limit_range(&mut page, it);
            return page.print();
        }
        Object::EndpointSlice(it) => config::endpoint_slice(&mut page, it),
        Object::CSINode(it) => node::csi_node(&mut page, it),
        other => generic(&mut page, other),
    }
    page.events(object, &cluster);
    page.print()
}

/// What descriptions look up.
struct Cluster<'a> {
    listers: Listers<'a>,
    now: Timestamp,
    show_events: bool,
}

/// A description that is being written; cells are parted by tabs.
#[derive(Default)]
struct Page {
    text: String,
}

/// Writes a line like `println!`, after its level of indentation.
macro_rules! line {
    ($page:expr, $level:expr, $($text:tt)*) => {
        $page.line($level, &format!($($text)*))
    };
}
use line;

impl Page {
    fn line(&mut self, level: usize, text: &str) {
        self.raw(level, text);
        self.text.push('\n');
    }

    /// Without a line end.
    fn raw(&mut self, level: usize, text: &str) {
        self.text.push_str(&"  ".repeat(level));
        self.text.push_str(text);
    }

    fn print(&self) -> String {
        rows::align(&self.text, 0, 2)
    }

    /// `Title:` and one pair on each line, as labels are shown.
    fn pairs(&mut self, title: &str, pairs: Option<&BTreeMap<String, String>>) {
        let lines: Vec<String> =
            pairs.into_iter().flatten().map(|(key, value)| format!("{key}={value}")).collect();
        self.list(title, &lines);
    }

    /// `Title:` and one item on each line.
    fn list(&mut self, title: &str, items: &[String]) {
        if items.is_empty() {
            line!(self, 0, "{title}:\t<none>");
        }
        for (n, item) in items.iter().enumerate() {
            match n {
                0 => line!(self, 0, "{title}:\t{item}"),
                _ => line!(self, 0, "\t{item}"),
            }
        }
    }

    fn annotations(&mut self, title: &str, annotations: Option<&BTreeMap<String, String>>) {
        let shown: Vec<(&String, &String)> = annotations
            .into_iter()
            .flatten()
            .filter(|it| it.0 != crate::last_applied::ANNOTATION)
            .collect();
        if shown.is_empty() {
            line!(self, 0, "{title}:\t<none>");
            return;
        }
        self.raw(0, &format!("{title}:\t"));
        for (n, (key, value)) in shown.into_iter().enumerate() {
            if n > 0 {
                self.raw(0, "\t");
            }
            let value = value.strip_suffix('\n').unwrap_or(value);
            if value.len() + key.len() + 2 > MAX_ANNOTATION || value.contains('\n') {
                line!(self, 0, "{key}:");
                for part in value.split('\n') {
                    line!(self, 0, "\t  {}", shorten(part, MAX_ANNOTATION - 2));
                }
            } else {
                line!(self, 0, "{key}: {value}");
            }
        }
    }

    fn tolerations(&mut self, title: &str, tolerations: &[Toleration]) {
        let mut sorted: Vec<&Toleration> = tolerations.iter().collect();
        sorted.order_by_key(|it| it.key.clone().unwrap_or_default());
        let texts: Vec<String> = sorted.into_iter().map(toleration).collect();
        self.list(title, &texts);
    }

    fn spread(&mut self, space: &str, constraints: &[TopologySpreadConstraint]) {
        let mut sorted: Vec<&TopologySpreadConstraint> = constraints.iter().collect();
        sorted.order_by(|a, b| a.topology_key.cmp(&b.topology_key));
        for (n, it) in sorted.into_iter().enumerate() {
            let selector = it.label_selector.as_ref();
            let selector = selector.map_or_else(String::new, |it| {
                format!(" for selector {}", printers::format_selector(Some(it)))
            });
            let text = format!(
                "{}:{} when max skew {} is exceeded{selector}",
                it.topology_key, it.when_unsatisfiable, it.max_skew
            );
            match n {
                0 => line!(self, 0, "{space}Topology Spread Constraints:\t{text}"),
                _ => line!(self, 0, "{space}\t{text}"),
            }
        }
    }

    fn events(&mut self, object: &Object, cluster: &Cluster<'_>) {
        if !cluster.show_events {
            return;
        }
        // Those of a namespaced object are in its namespace, those of others in any.
        let namespace = Some(object.namespace()).filter(|it| !it.is_empty());
        let all = cluster.listers.0.events_about(object.name(), namespace);
        let all: Vec<&Event> = all.filter_map(Object::as_kind).collect();
        let is_about = |it: &&&Event| {
            let uid = it.about_uid();
            it.about_name() == object.name()
                && it.about_kind() == object.kind().name()
                && it.about_namespace() == object.namespace()
                && (uid.is_empty()
                    || uid == object.uid()
                    || object.kind() == Kind::Node && uid == object.name())
        };
        let mut events: Vec<&Event> = vec![];
        for block in all.chunks(rows::BLOCK) {
            rows::facts_near(block);
            events.extend(block.iter().filter(is_about).copied());
        }
        if events.is_empty() {
            self.line(0, "Events:\t<none>");
            return;
        }
        events.order_by_key(|it| it.last_timestamp());
        self.line(0, "Events:\n  Type\tReason\tAge\tFrom\tMessage");
        self.line(1, "----\t------\t----\t----\t-------");
        for event in events {
            self.event(event, cluster.now);
        }
    }

    fn event(&mut self, event: &Event, now: Timestamp) {
        let first = event.event_time().or(event.first_timestamp());
        let first = human::since_timestamp(first, now);
        let count = event.count();
        let age = match event.series() {
            Some(series) => {
                let last = series.last_observed_time.as_ref().map(|it| it.0);
                let n = series.count.unwrap_or_default();
                format!("{} (x{n} over {first})", human::since_timestamp(last, now))
            }
            None if count > 1 => {
                let last = human::since_timestamp(event.last_timestamp(), now);
                format!("{last} (x{count} over {first})")
            }
            None => first,
        };
        let source = match event.component() {
            "" => event.reporting_component(),
            it => it,
        };
        let message = event.message().trim();
        let message = match event.field_path() {
            "" => message.to_owned(),
            path => format!("{path}: {message}"),
        };
        let (type_name, reason) = (event.type_name(), event.reason());
        line!(self, 1, "{type_name}\t{reason}\t{age}\t{source}\t{message}");
    }
}

fn toleration(it: &Toleration) -> String {
    let mut text = it.key.clone().unwrap_or_default();
    let value = it.value.as_deref().unwrap_or_default();
    let effect = it.effect.as_deref().unwrap_or_default();
    if !value.is_empty() {
        text.push_str(&format!("={value}"));
    }
    if !effect.is_empty() {
        text.push_str(&format!(":{effect}"));
    }
    if it.operator.as_deref() == Some("Exists") && value.is_empty() {
        text.push_str(if text.is_empty() { "op=Exists" } else { " op=Exists" });
    }
    if let Some(seconds) = it.toleration_seconds {
        text.push_str(&format!(" for {seconds}s"));
    }
    text
}

fn shorten(text: &str, max: usize) -> String {
    match text.char_indices().nth(max) {
        Some((at, _)) => format!("{}...", &text[..at]),
        None => text.to_owned(),
    }
}

/// `Sat, 21 Nov 2026 19:49:39 +0000`.
fn rfc1123(time: Option<&Time>) -> String {
    match time {
        Some(time) => time.0.strftime("%a, %d %b %Y %H:%M:%S +0000").to_string(),
        None => "Mon, 01 Jan 0001 00:00:00 +0000".to_owned(),
    }
}

/// `ReplicaSet/shop-1`, if something controls the object.
fn controlled_by(page: &mut Page, object: &Object) {
    if let Some(owner) = object.controller() {
        line!(page, 0, "Controlled By:\t{}/{}", owner.kind, owner.name);
    }
}

/// `3 Running / 0 Waiting / 0 Succeeded / 0 Failed` of the pods that an object controls.
fn pods_status(cluster: &Cluster<'_>, uid: &str) -> String {
    let (mut running, mut waiting, mut succeeded, mut failed) = (0, 0, 0, 0);
    for pod in cluster.listers.owned_by::<Pod>(uid) {
        match api::pods::phase(pod) {
            "Running" => running += 1,
            "Pending" => waiting += 1,
            "Succeeded" => succeeded += 1,
            "Failed" => failed += 1,
            _ => {}
        }
    }
    format!("{running} Running / {waiting} Waiting / {succeeded} Succeeded / {failed} Failed")
}

fn selector(selector: &LabelSelector) -> String {
    printers::selector_text(Some(selector))
}

/// Objects without a description of their own.
fn generic(page: &mut Page, object: &Object) {
    line!(page, 0, "Name:\t{}", object.name());
    line!(page, 0, "Namespace:\t{}", object.namespace());
    page.pairs("Labels", object.meta().labels.as_ref());
    page.annotations("Annotations", object.meta().annotations.as_ref());
    let mut value = api::sent::object_value(object);
    if let Some(meta) = value["metadata"].as_object_mut() {
        let shown = ["annotations", "labels", "managedFields", "name", "namespace"];
        meta.retain(|key, _| !shown.contains(&key.as_str()));
    }
    for (key, value) in value.as_object().into_iter().flatten() {
        any(page, 0, key, value);
    }
}

/// The key of a field in words. Upstream: `smartLabelFor`.
fn words_of(key: &str) -> String {
    if !key.chars().all(|c| c.is_alphabetic() || c == '-') {
        return key.to_owned();
    }
    let mut words = String::new();
    let mut after_capital = true;
    for c in key.chars() {
        match c {
            c if words.is_empty() => words.extend(c.to_uppercase()),
            c if c.is_uppercase() && !after_capital => words.extend([' ', c]),
            c => words.push(c),
        }
        after_capital = c.is_uppercase();
    }
    let words = words.split(' ').map(|it| match it {
        "Api" | "Url" | "Uid" | "Guid" => it.to_uppercase(),
        _ => it.to_owned(),
    });
    words.collect::<Vec<_>>().join(" ")
}

/// A value of any shape, keys in words.
fn any(page: &mut Page, level: usize, key: &str, value: &Value) {
    let words = words_of(key);
    match value {
        Value::Object(map) => {
            line!(page, level, "{words}:");
            map.iter().for_each(|(key, value)| any(page, level + 1, key, value));
        }
        Value::Array(items) => {
            line!(page, level, "{words}:");
            for item in items {
                match item {
                    Value::Object(map) => {
                        map.iter().for_each(|(key, value)| any(page, level + 1, key, value));
                    }
                    other => line!(page, level + 1, "{}", yaml::go_text(other)),
                }
            }
        }
        other => line!(page, level, "{words}:\t{}", yaml::go_text(other)),
    }
}

/// A pod template on its own, for `rollout history --revision`.
pub(super) fn pod_template(template: &Value) -> String {
    let mut page = Page::default();
    if let Ok(template) = api::wire::from_value(template) {
        pod::template(&mut page, &template);
    }
    // Nobody aligns it.
    page.text
}
