//! Objects as trees of fields: what they have, how two differ, and how one goes into the other.
//!
//! Upstream: `sigs.k8s.io/structured-merge-diff/v6/typed`, and the relations of
//! `staging/src/k8s.io/client-go/applyconfigurations/internal/internal.go`, v1.36.

use api::Gather;
use serde_json::Value;

use super::fieldpath::Set;

/// What the parts of a field are to one another.
enum Relation {
    /// Each has its own manager.
    Granular,
    /// They are one value.
    Atomic,
    /// As granular, for items of a list that are told apart by these fields.
    Keys(&'static [&'static str]),
    /// As granular, for items of a list that are told apart by themselves.
    Values,
}

/// The relation of a path of edges. Names are unambiguous but where the parent is looked at.
fn relation(path: &[String], value: &Value) -> Relation {
    let Some(field) = path.last().and_then(|it| it.strip_prefix("f:")) else {
        return if value.is_array() { Relation::Atomic } else { Relation::Granular };
    };
    let parent = path.len().checked_sub(2).map_or("", |it| path[it].as_str());
    if value.is_object() {
        let atomic = match field {
            "nodeSelector"
            | "selector"
            | "labelSelector"
            | "namespaceSelector"
            | "claimRef"
            | "dataSource"
            | "fieldRef"
            | "configMapKeyRef"
            | "secretKeyRef"
            | "fileKeyRef"
            | "resourceFieldRef"
            | "scopeSelector"
            | "targetRef"
            | "preference"
            | "requiredDuringSchedulingIgnoredDuringExecution" => true,
            "required" => parent == "f:nodeAffinity",
            _ => field.ends_with("SecretRef") || field == "secretRef",
        };
        return if atomic { Relation::Atomic } else { Relation::Granular };
    }
    match field {
        "containers"
        | "initContainers"
        | "ephemeralContainers"
        | "env"
        | "schedulingGates"
        | "resourceClaims"
        | "claims"
        | "volumes"
        | "drivers"
        | "secrets" => Relation::Keys(&["name"]),
        "imagePullSecrets" if path.len() > 1 => Relation::Keys(&["name"]),
        "hostAliases" | "podIPs" => Relation::Keys(&["ip"]),
        "volumeMounts" => Relation::Keys(&["mountPath"]),
        "volumeDevices" => Relation::Keys(&["devicePath"]),
        "topologySpreadConstraints" => Relation::Keys(&["topologyKey", "whenUnsatisfiable"]),
        "ownerReferences" => Relation::Keys(&["uid"]),
        "conditions" => Relation::Keys(&["type"]),
        "ports" if parent == "f:spec" => Relation::Keys(&["port", "protocol"]),
        "ports" if parent.starts_with("k:") => Relation::Keys(&["containerPort", "protocol"]),
        "finalizers" if parent == "f:metadata" => Relation::Values,
        "podCIDRs" | "volumeLifecycleModes" => Relation::Values,
        "values" if matches!(parent, "f:onExitCodes" | "f:exitCodes") => Relation::Values,
        _ => Relation::Atomic,
    }
}

/// The edges and parts of a value whose parts have managers of their own.
fn parts<'a>(path: &[String], value: &'a Value) -> Option<Vec<(String, &'a Value)>> {
    let relation = relation(path, value);
    match value {
        Value::Object(map) => match relation {
            Relation::Atomic => None,
            _ => Some(map.iter().map(|(key, value)| (format!("f:{key}"), value)).collect()),
        },
        Value::Array(items) => {
            let edge = |item: &Value| match &relation {
                Relation::Keys(keys) => {
                    let keys = keys.iter().map(|key| {
                        let missing = || match *key {
                            "protocol" => "TCP".into(),
                            _ => Value::Null,
                        };
                        ((*key).to_owned(), item.get(key).cloned().unwrap_or_else(missing))
                    });
                    format!("k:{}", Value::Object(keys.to_object()))
                }
                _ => format!("v:{item}"),
            };
            match relation {
                Relation::Atomic => None,
                _ => Some(items.iter().map(|item| (edge(item), item)).collect()),
            }
        }
        _ => None,
    }
}

/// The fields that a value has. Upstream: `ToFieldSet`.
pub(super) fn field_set(value: &Value) -> Set {
    let mut set = Set::default();
    collect(value, &mut vec![], &mut set);
    set
}

fn collect(value: &Value, path: &mut Vec<String>, set: &mut Set) {
    let Some(parts) = parts(path, value) else {
        set.insert(path);
        return;
    };
    if parts.is_empty() && value.is_object() {
        set.insert(path);
    }
    for (edge, part) in parts {
        let is_item = !edge.starts_with("f:");
        path.push(edge);
        if is_item {
            set.insert(path);
        }
        collect(part, path, set);
        path.pop();
    }
}

/// How an object became another.
#[derive(Default)]
pub(super) struct Comparison {
    /// What was added or has another value.
    pub(super) changed: Set,
    pub(super) removed: Set,
}

impl Comparison {
    /// Upstream: `Compare`.
    pub(super) fn of(old: &Value, new: &Value) -> Self {
        let mut comparison = Self::default();
        comparison.compare(Some(old), Some(new), &mut vec![]);
        comparison
    }

    fn compare(&mut self, old: Option<&Value>, new: Option<&Value>, path: &mut Vec<String>) {
        if old == new {
            return;
        }
        let of = |it: Option<&'_ Value>| it.map(|it| (it.is_null(), parts(path, it).is_none()));
        let is_leaf = |it: Option<(bool, bool)>| it.is_none_or(|(null, leaf)| null || leaf);
        if is_leaf(of(old)) && is_leaf(of(new)) {
            return self.leaf(old, new, path);
        }
        let olds = old.and_then(|it| parts(path, it)).unwrap_or_default();
        let news = new.and_then(|it| parts(path, it)).unwrap_or_default();
        if olds.is_empty() && news.is_empty() {
            return self.leaf(old, new, path);
        }
        match (old, new) {
            (None, _) => self.changed.insert(path),
            (_, None) => self.removed.insert(path),
            _ => {}
        }
        let find = |all: &[(String, &'_ Value)], edge: &str| all.iter().position(|it| it.0 == edge);
        for (edge, part) in &news {
            let before = find(&olds, edge).map(|it| olds[it].1);
            path.push(edge.clone());
            self.compare(before, Some(*part), path);
            path.pop();
        }
        for (edge, part) in &olds {
            if find(&news, edge).is_none() {
                path.push(edge.clone());
                self.compare(Some(*part), None, path);
                path.pop();
            }
        }
    }

    fn leaf(&mut self, old: Option<&Value>, new: Option<&Value>, path: &[String]) {
        match (old, new) {
            (Some(_), None) => self.removed.insert(path),
            _ => self.changed.insert(path),
        }
    }
}

/// The live object with what a configuration says. Upstream: `Merge`.
pub(super) fn merge(live: &Value, config: &Value) -> Value {
    merge_at(Some(live), config, &mut vec![])
}

fn merge_at(live: Option<&Value>, config: &Value, path: &mut Vec<String>) -> Value {
    let Some(live) = live else { return config.clone() };
    let (Some(olds), Some(news)) = (parts(path, live), parts(path, config)) else {
        return config.clone();
    };
    let find = |all: &[(String, &'_ Value)], edge: &str| all.iter().position(|it| it.0 == edge);
    let mut at = |edge: &str, old: Option<&Value>, new: &Value| {
        path.push(edge.to_owned());
        let merged = merge_at(old, new, path);
        path.pop();
        merged
    };
    if let Value::Object(live) = live {
        let mut map = live.clone();
        for (edge, new) in &news {
            let key = edge.strip_prefix("f:").unwrap_or_default();
            map.insert(key.to_owned(), at(edge, live.get(key), new));
        }
        return Value::Object(map);
    }
    // In the order of the configuration, what it does not have where it was.
    let mut items = vec![];
    let mut olds_left = olds.iter().peekable();
    for (edge, new) in &news {
        while let Some((_, old)) = olds_left.next_if(|it| find(&news, &it.0).is_none()) {
            items.push((*old).clone());
        }
        let before = find(&olds, edge);
        if before.is_some() {
            olds_left.next();
        }
        items.push(at(edge, before.map(|it| olds[it].1), new));
    }
    items.extend(olds_left.filter(|it| find(&news, &it.0).is_none()).map(|it| it.1.clone()));
    Value::Array(items)
}

/// Takes fields out of a value. Upstream: `RemoveItems`.
pub(super) fn remove(value: &mut Value, set: &Set, path: &mut Vec<String>) {
    if set.children.is_empty() {
        return;
    }
    let edges: Vec<String> = match parts(path, value) {
        Some(parts) => parts.into_iter().map(|it| it.0).collect(),
        None => return,
    };
    let is_member = |edge: &String| set.children.get(edge).is_some_and(|it| it.member);
    let mut below = |edge: &String, part: &mut Value| {
        if let Some(set) = set.children.get(edge) {
            path.push(edge.clone());
            remove(part, set, path);
            path.pop();
        }
    };
    match value {
        Value::Object(map) => {
            for edge in &edges {
                let key = edge.strip_prefix("f:").unwrap_or_default();
                if is_member(edge) {
                    map.remove(key);
                } else if let Some(part) = map.get_mut(key) {
                    below(edge, part);
                }
            }
        }
        Value::Array(items) => {
            let mut left = edges.iter();
            items.retain_mut(|item| {
                let Some(edge) = left.next() else { return true };
                below(edge, item);
                !is_member(edge)
            });
        }
        _ => {}
    }
}
