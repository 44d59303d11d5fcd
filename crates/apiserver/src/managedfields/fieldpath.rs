//! Sets of fields of an object, as `metadata.managedFields` writes them.
//!
//! Upstream: `sigs.k8s.io/structured-merge-diff/v6/fieldpath`, v1.36.

use api::Gather;
use std::collections::BTreeMap;

use serde_json::{Map, Value};

/// A set of paths. An edge is `f:name` for a field, `k:{...}` for an item of a list by its keys and
/// `v:...` for one by its value.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Set {
    pub(crate) member: bool,
    pub(crate) children: BTreeMap<String, Set>,
}

impl Set {
    pub(crate) fn from_json(value: &Value) -> Self {
        let mut set = Self::default();
        for (edge, inner) in value.as_object().into_iter().flatten() {
            if edge == "." {
                set.member = true;
                continue;
            }
            let mut child = Self::from_json(inner);
            child.member |= child.children.is_empty();
            set.children.insert(edge.clone(), child);
        }
        set
    }

    pub(crate) fn to_json(&self) -> Value {
        let mut map = Map::new();
        if self.member && !self.children.is_empty() {
            map.insert(".".to_owned(), Value::Object(Map::new()));
        }
        for (edge, child) in self.children.iter().filter(|it| !it.1.is_empty()) {
            map.insert(edge.clone(), child.to_json());
        }
        Value::Object(map)
    }

    pub(crate) fn is_empty(&self) -> bool {
        !self.member && self.children.values().all(Set::is_empty)
    }

    pub(crate) fn insert(&mut self, path: &[String]) {
        match path {
            [] => self.member = true,
            [edge, rest @ ..] => self.children.entry(edge.clone()).or_default().insert(rest),
        }
    }

    pub(crate) fn add(&mut self, other: &Set) {
        self.member |= other.member;
        for (edge, child) in &other.children {
            self.children.entry(edge.clone()).or_default().add(child);
        }
    }

    /// What is in the other set, too (`both`), or what is not.
    pub(crate) fn keep(&self, other: &Set, both: bool) -> Set {
        let nothing = Set::default();
        let children = self.children.iter().map(|(edge, child)| {
            let other = other.children.get(edge).unwrap_or(&nothing);
            (edge.clone(), child.keep(other, both))
        });
        Set {
            member: self.member && other.member == both,
            children: children.filter(|it| !it.1.is_empty()).to_map(),
        }
    }

    /// With the fields that lie above those of the set. Upstream: `EnsureNamedFieldsAreMembers`.
    pub(crate) fn with_parents(mut self) -> Set {
        self.children = std::mem::take(&mut self.children)
            .into_iter()
            .map(|(edge, child)| {
                let mut child = child.with_parents();
                child.member |= edge.starts_with("f:") && !child.is_empty();
                (edge, child)
            })
            .to_map();
        self
    }

    /// Without what has something below it.
    pub(crate) fn leaves(&mut self) {
        self.member &= self.children.is_empty();
        self.children.values_mut().for_each(Set::leaves);
    }

    /// The paths as messages show them: `.spec.containers[name="x"].image`.
    pub(crate) fn paths(&self) -> Vec<String> {
        let mut all = vec![];
        self.collect("", &mut all);
        all
    }

    /// First what ends here, then what lies deeper.
    fn collect(&self, before: &str, all: &mut Vec<String>) {
        let shown = |edge: &str| format!("{before}{}", element(edge));
        all.extend(self.children.iter().filter(|it| it.1.member).map(|it| shown(it.0)));
        for (edge, child) in &self.children {
            child.collect(&shown(edge), all);
        }
    }
}

fn element(edge: &str) -> String {
    let Some((sort, text)) = edge.split_once(':') else { return String::new() };
    match sort {
        "f" => format!(".{text}"),
        "k" => {
            let keys: Value = serde_json::from_str(text).unwrap_or_default();
            let pairs = keys.as_object().into_iter().flatten();
            let pairs: Vec<String> = pairs.map(|(key, value)| format!("{key}={value}")).collect();
            format!("[{}]", pairs.join(","))
        }
        _ => format!("[={text}]"),
    }
}
