//! Label and node selectors, compiled to interned form.
//!
//! Upstream: `staging/src/k8s.io/apimachinery/pkg/labels/selector.go`,
//! `staging/src/k8s.io/component-helpers/scheduling/corev1/nodeaffinity/nodeaffinity.go`, v1.36.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{
    Node, NodeSelector as ApiNodeSelector, NodeSelectorRequirement, NodeSelectorTerm, Pod,
    PreferredSchedulingTerm,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;

use super::intern::{Interner, Labels, Sym};

/// What a requirement asks of the value of its key.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Operator {
    /// The value is one of these (sorted).
    In(Vec<Sym>),
    /// There is no value, or it is none of these (sorted).
    NotIn(Vec<Sym>),
    /// There is a value.
    Exists,
    /// There is no value.
    DoesNotExist,
    /// The value is an integer above this one.
    Gt(i64),
    /// The value is an integer below this one.
    Lt(i64),
}

/// One requirement of a selector.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Requirement {
    /// The label's key.
    pub key: Sym,
    /// What is asked of its value.
    pub operator: Operator,
}

impl Requirement {
    /// Whether labels meet the requirement.
    #[must_use]
    pub fn matches(&self, labels: &Labels, interner: &Interner) -> bool {
        let value = labels.get(self.key);
        match &self.operator {
            Operator::In(values) => value.is_some_and(|it| values.binary_search(&it).is_ok()),
            Operator::NotIn(values) => value.is_none_or(|it| values.binary_search(&it).is_err()),
            Operator::Exists => value.is_some(),
            Operator::DoesNotExist => value.is_none(),
            Operator::Gt(than) => {
                value.and_then(|it| interner.integer(it)).is_some_and(|it| it > *than)
            }
            Operator::Lt(than) => {
                value.and_then(|it| interner.integer(it)).is_some_and(|it| it < *than)
            }
        }
    }
}

/// A label selector: all requirements, or nothing at all.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Selector {
    /// Selects nothing, as a selector that is absent does.
    Nothing,
    /// Selects what meets all of these; without any, everything.
    All(Vec<Requirement>),
}

impl Selector {
    /// Compiles a label selector. Upstream: `LabelSelectorAsSelector`.
    ///
    /// # Errors
    /// Upstream's text when an expression is malformed.
    pub fn new(selector: Option<&LabelSelector>, interner: &mut Interner) -> Result<Self, String> {
        let Some(selector) = selector else { return Ok(Self::Nothing) };
        let mut all = equalities(selector.match_labels.as_ref(), interner);
        for it in selector.match_expressions.iter().flatten() {
            let values = it.values.as_deref().unwrap_or_default();
            match it.operator.as_str() {
                "In" | "NotIn" | "Exists" | "DoesNotExist" => {
                    all.push(requirement(&it.key, &it.operator, values, interner)?);
                }
                other => return Err(format!("\"{other}\" is not a valid label selector operator")),
            }
        }
        Ok(Self::All(all).normalized())
    }

    /// A selector of exact labels.
    #[must_use]
    pub fn from_set(labels: &BTreeMap<String, String>, interner: &mut Interner) -> Self {
        Self::All(equalities(Some(labels), interner)).normalized()
    }

    /// Whether it selects everything. Upstream: `Selector.Empty`.
    #[must_use]
    pub fn is_everything(&self) -> bool {
        matches!(self, Self::All(all) if all.is_empty())
    }

    /// Whether it selects these labels.
    #[must_use]
    pub fn matches(&self, labels: &Labels, interner: &Interner) -> bool {
        match self {
            Self::Nothing => false,
            Self::All(all) => all.iter().all(|it| it.matches(labels, interner)),
        }
    }

    /// Both selectors' requirements together; nothing if `other` is nothing.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::All(mut all), Self::All(more)) => {
                all.extend(more);
                Self::All(all).normalized()
            }
            _ => Self::Nothing,
        }
    }

    fn normalized(self) -> Self {
        match self {
            Self::Nothing => Self::Nothing,
            Self::All(mut all) => {
                all.sort_unstable();
                all.dedup();
                Self::All(all)
            }
        }
    }
}

fn equalities(
    labels: Option<&BTreeMap<String, String>>,
    interner: &mut Interner,
) -> Vec<Requirement> {
    let pairs = labels.into_iter().flatten();
    pairs
        .map(|(key, value)| Requirement {
            key: interner.intern(key),
            operator: Operator::In(vec![interner.intern(value)]),
        })
        .collect()
}

/// Upstream: `labels.NewRequirement`.
fn requirement(
    key: &str,
    operator: &str,
    values: &[String],
    interner: &mut Interner,
) -> Result<Requirement, String> {
    let one_integer = || match values {
        [one] => one
            .parse::<i64>()
            .map_err(|_| "for 'Gt', 'Lt' operators, the value must be an integer".to_owned()),
        _ => Err("for 'Gt', 'Lt' operators, exactly one value is required".to_owned()),
    };
    if values.iter().any(|it| !is_label_value(it)) {
        return Err(format!("invalid label value for key {key}"));
    }
    let mut symbols: Vec<Sym> = values.iter().map(|it| interner.intern(it)).collect();
    symbols.sort_unstable();
    symbols.dedup();
    let operator = match operator {
        "In" | "NotIn" if values.is_empty() => {
            return Err("for 'in', 'notin' operators, values set can't be empty".to_owned());
        }
        "In" => Operator::In(symbols),
        "NotIn" => Operator::NotIn(symbols),
        "Exists" | "DoesNotExist" if !values.is_empty() => {
            return Err("values set must be empty for exists and does not exist".to_owned());
        }
        "Exists" => Operator::Exists,
        "DoesNotExist" => Operator::DoesNotExist,
        "Gt" => Operator::Gt(one_integer()?),
        "Lt" => Operator::Lt(one_integer()?),
        other => return Err(format!("operator {other:?} is not recognized")),
    };
    Ok(Requirement { key: interner.intern(key), operator })
}

/// Upstream: `validation.IsValidLabelValue`.
fn is_label_value(text: &str) -> bool {
    let edge = |it: Option<&u8>| it.is_none_or(u8::is_ascii_alphanumeric);
    let bytes = text.as_bytes();
    bytes.len() <= 63
        && edge(bytes.first())
        && edge(bytes.last())
        && bytes.iter().all(|it| it.is_ascii_alphanumeric() || b"-_.".contains(it))
}

/// The labels and the one field of a node that selectors look at.
#[derive(Clone, Copy, Debug)]
pub struct NodeFacts<'a> {
    /// The node's labels.
    pub labels: &'a Labels,
    /// `metadata.name`; `None` where upstream builds a node without a name.
    pub name: Option<Sym>,
}

/// One term of a node selector: expressions over labels and over `metadata.name`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct NodeTerm {
    labels: Vec<Requirement>,
    /// Key, whether it must be equal, value.
    fields: Vec<(Sym, bool, Sym)>,
    /// What is wrong with it: such a term never matches.
    error: Option<String>,
}

impl NodeTerm {
    fn new(term: &NodeSelectorTerm, interner: &mut Interner) -> Option<Self> {
        let expressions = term.match_expressions.as_deref().unwrap_or_default();
        let field_terms = term.match_fields.as_deref().unwrap_or_default();
        if expressions.is_empty() && field_terms.is_empty() {
            return None;
        }
        let mut parsed = Self { labels: Vec::new(), fields: Vec::new(), error: None };
        for it in expressions {
            let values = it.values.as_deref().unwrap_or_default();
            match requirement(&it.key, &it.operator, values, interner) {
                Ok(it) => parsed.labels.push(it),
                Err(error) => parsed.error = Some(error),
            }
        }
        for it in field_terms {
            match field_requirement(it, interner) {
                Ok(it) => parsed.fields.push(it),
                Err(error) => parsed.error = Some(error),
            }
        }
        Some(parsed)
    }

    fn matches(&self, node: NodeFacts<'_>, interner: &Interner) -> bool {
        self.error.is_none()
            && self.labels.iter().all(|it| it.matches(node.labels, interner))
            && node.name.is_none_or(|name| {
                // `metadata.name` is the only field that a node has.
                let field = interner.get("metadata.name");
                self.fields.iter().all(|(key, equal, value)| {
                    let actual = if Some(*key) == field { interner.text(name) } else { "" };
                    (actual == interner.text(*value)) == *equal
                })
            })
    }
}

fn field_requirement(
    it: &NodeSelectorRequirement,
    interner: &mut Interner,
) -> Result<(Sym, bool, Sym), String> {
    let equal = match it.operator.as_str() {
        "In" => true,
        "NotIn" => false,
        other => return Err(format!("operator {other:?} is not supported for fields")),
    };
    match it.values.as_deref().unwrap_or_default() {
        [one] => Ok((interner.intern(&it.key), equal, interner.intern(one))),
        _ => Err("must have one element".to_owned()),
    }
}

/// A node selector: any of its terms.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct NodeSelector(Vec<NodeTerm>);

impl NodeSelector {
    /// Compiles a node selector; malformed terms never match. Upstream: `NewLazyErrorNodeSelector`.
    pub fn new(selector: &ApiNodeSelector, interner: &mut Interner) -> Self {
        let terms = selector.node_selector_terms.iter();
        Self(terms.filter_map(|it| NodeTerm::new(it, interner)).collect())
    }

    /// Whether any term matches.
    #[must_use]
    pub fn matches(&self, node: NodeFacts<'_>, interner: &Interner) -> bool {
        self.0.iter().any(|it| it.matches(node, interner))
    }

    /// The first thing that is wrong with a term.
    #[must_use]
    pub fn error(&self) -> Option<&str> {
        self.0.iter().find_map(|it| it.error.as_deref())
    }
}

/// Preferred terms with their weights.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PreferredTerms(Vec<(NodeTerm, i64)>);

impl PreferredTerms {
    /// Compiles preferred terms. Upstream: `NewPreferredSchedulingTerms`.
    ///
    /// # Errors
    /// When a term is malformed.
    pub fn new(terms: &[PreferredSchedulingTerm], interner: &mut Interner) -> Result<Self, String> {
        let mut parsed = Vec::new();
        for it in terms.iter().filter(|it| it.weight != 0) {
            let Some(term) = NodeTerm::new(&it.preference, interner) else { continue };
            if let Some(error) = term.error {
                return Err(error);
            }
            parsed.push((term, i64::from(it.weight)));
        }
        Ok(Self(parsed))
    }

    /// The sum of the weights of the terms that match.
    #[must_use]
    pub fn score(&self, node: NodeFacts<'_>, interner: &Interner) -> i64 {
        let terms = self.0.iter().filter(|(term, _)| term.matches(node, interner));
        terms.map(|(_, weight)| weight).sum()
    }
}

/// What a pod requires of its node: `nodeSelector` and required node affinity.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct RequiredNodeAffinity {
    labels: Option<Vec<Requirement>>,
    affinity: Option<NodeSelector>,
}

impl RequiredNodeAffinity {
    /// Upstream: `GetRequiredNodeAffinity`.
    pub fn of_pod(pod: &Pod, interner: &mut Interner) -> Self {
        let Some(spec) = &pod.spec else { return Self::default() };
        let selector = spec.node_selector.as_ref().filter(|it| !it.is_empty());
        let required = spec.affinity.as_ref().and_then(|it| it.node_affinity.as_ref());
        let required =
            required.and_then(|it| it.required_during_scheduling_ignored_during_execution.as_ref());
        Self {
            labels: selector.map(|it| equalities(Some(it), interner)),
            affinity: required.map(|it| NodeSelector::new(it, interner)),
        }
    }

    /// Whether it asks for nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.labels.is_none() && self.affinity.is_none()
    }

    /// Whether a node meets it.
    #[must_use]
    pub fn matches(&self, node: NodeFacts<'_>, interner: &Interner) -> bool {
        let mut labels = self.labels.iter().flatten();
        labels.all(|it| it.matches(node.labels, interner))
            && self.affinity.as_ref().is_none_or(|it| it.matches(node, interner))
    }
}

/// Whether a node that is not in the cache meets what a pod requires.
pub fn pod_matches_node(pod: &Pod, node: &Node, interner: &mut Interner) -> bool {
    let required = RequiredNodeAffinity::of_pod(pod, interner);
    let labels = Labels::new(node.metadata.labels.as_ref(), interner);
    let name = node.metadata.name.as_deref().map(|it| interner.intern(it));
    required.matches(NodeFacts { labels: &labels, name }, interner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expression(key: &str, operator: &str, values: &[&str]) -> NodeSelectorRequirement {
        let values = values.iter().map(|it| (*it).to_owned()).collect();
        NodeSelectorRequirement { key: key.into(), operator: operator.into(), values: Some(values) }
    }

    /// Each row: an expression, and whether a node with `cores=007` and `disk=ssd` meets it.
    #[test]
    fn expressions_match_labels_as_upstream_has_it() {
        let labels = [("cores", "007"), ("disk", "ssd")].map(|(k, v)| (k.to_owned(), v.to_owned()));
        for (key, operator, values, expected) in [
            ("disk", "In", &["ssd", "hdd"][..], true),
            ("disk", "NotIn", &["ssd"], false),
            ("absent", "NotIn", &["x"], true),
            ("absent", "In", &["x"], false),
            ("disk", "Exists", &[], true),
            ("disk", "DoesNotExist", &[], false),
            ("cores", "Gt", &["6"], true),
            ("cores", "Gt", &["7"], false),
            ("cores", "Lt", &["+8"], false), // not a label value: the term never matches
            ("cores", "Lt", &["8"], true),
            ("disk", "Gt", &["1"], false),
            ("disk", "In", &[], false),
            ("disk", "Is", &["ssd"], false),
        ] {
            let mut interner = Interner::default();
            let labels = Labels::new(Some(&labels.clone().into()), &mut interner);
            let term = NodeSelectorTerm {
                match_expressions: Some(vec![expression(key, operator, values)]),
                match_fields: None,
            };
            let selector = ApiNodeSelector { node_selector_terms: vec![term] };
            let compiled = NodeSelector::new(&selector, &mut interner);
            let name = Some(interner.intern("n1"));
            let facts = NodeFacts { labels: &labels, name };
            assert_eq!(compiled.matches(facts, &interner), expected, "{key} {operator} {values:?}");
        }
    }

    #[test]
    fn fields_are_matched_by_name_and_empty_terms_never() {
        let mut interner = Interner::default();
        let labels = Labels::default();
        for (operator, value, expected) in
            [("In", "n1", true), ("In", "n2", false), ("NotIn", "n1", false), ("NotIn", "n2", true)]
        {
            let term = NodeSelectorTerm {
                match_fields: Some(vec![expression("metadata.name", operator, &[value])]),
                match_expressions: None,
            };
            let terms = vec![NodeSelectorTerm::default(), term];
            let selector = ApiNodeSelector { node_selector_terms: terms };
            let compiled = NodeSelector::new(&selector, &mut interner);
            let name = Some(interner.intern("n1"));
            let facts = NodeFacts { labels: &labels, name };
            assert_eq!(compiled.matches(facts, &interner), expected, "{operator} {value}");
        }
    }
}
