//! A document of a text: what it is, where it stands, and what kubectl and the server would say.

use serde::Deserialize;
use view::{Diagnostic, Severity, Span};

use super::decode::{Context, Decoder, Fault, Problem};
use super::node::{Data, Node};
use super::path::Path;
use crate::fields::{PathStep, parse_path};
use crate::scenario::ScenarioDoc;
use crate::{Kind, Object, ObjectRef};

/// What a document turned out to be.
#[derive(Clone, Debug, PartialEq)]
pub enum Body {
    /// An object that the store may take.
    Object(Object),
    /// A `KubeSchedulerConfiguration`; [`Document::decode`] reads it into a type.
    SchedulerConfiguration(serde_json::Value),
    /// A `DeschedulerPolicy`; [`Document::decode`] reads it into a type.
    DeschedulerPolicy(serde_json::Value),
    /// A scenario.
    Scenario(Box<ScenarioDoc>),
    /// It has errors. The object is what could be read of it, where that is anything.
    Invalid(Option<Object>),
    /// A kind that is not kept here.
    Unknown,
}

/// Why kubectl or the server refuses a document, in their words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// kubectl's own check, such as `kind not set`.
    Validation(Vec<String>),
    /// kubectl cannot read the metadata.
    Decode(String),
    /// No kind of this name is known.
    NoMatch {
        /// The kind as written.
        kind: String,
        /// The version as written.
        api_version: String,
    },
    /// The server's `BadRequest`.
    BadRequest(String),
}

impl Refusal {
    /// Whether no server knows the kind, or not in this version.
    #[must_use]
    pub fn is_of_kind(&self) -> bool {
        match self {
            Self::NoMatch { .. } => true,
            Self::BadRequest(text) => text.contains(": no kind "),
            Self::Validation(_) | Self::Decode(_) => false,
        }
    }
}

/// A document of a text.
#[derive(Clone, Debug, PartialEq)]
pub struct Document {
    /// The first is 0. Items of a list count each.
    pub index: usize,
    /// Its place.
    pub span: Span,
    /// `apiVersion` as written.
    pub api_version: String,
    /// `kind` as written.
    pub kind: String,
    /// `metadata.name` as written, empty if absent.
    pub name: String,
    /// `metadata.namespace` as written, empty if absent.
    pub namespace: String,
    /// What it is.
    pub body: Body,
    /// Why it is refused, if it is.
    pub refusal: Option<Refusal>,
    /// The tree.
    pub node: Node,
}

impl Document {
    /// The object, if it is one without errors.
    #[must_use]
    pub fn object(&self) -> Option<&Object> {
        match &self.body {
            Body::Object(object) => Some(object),
            _ => None,
        }
    }

    /// The document as JSON, every field as written.
    #[must_use]
    pub fn value(&self) -> serde_json::Value {
        self.node.to_json()
    }

    /// The place of a field such as `spec.containers[0].image`, or of the nearest thing around it
    /// that is there.
    #[must_use]
    pub fn span_of(&self, path: &str) -> Span {
        let mut node = &self.node;
        // What is absent is shown at the key of what should have it, not over all its lines.
        let mut span = Span { start: node.span.start, end: node.span.start };
        let mut steps = parse_path(path).into_iter().peekable();
        while let Some(step) = steps.next() {
            let next = match (&node.data, step) {
                (Data::Seq(items), PathStep::Index(n)) => items.get(n).map(|it| (it, it.span)),
                (Data::Map(_), PathStep::Key(key)) => longest_key(node, key, &mut steps),
                (Data::Map(_), PathStep::Index(n)) => {
                    node.entry(&n.to_string()).map(|it| (&it.value, it.key_span))
                }
                _ => None,
            };
            let Some((value, key_span)) = next else { return span };
            node = value;
            span = key_span;
        }
        match node.data {
            Data::Map(_) | Data::Seq(_) => span,
            _ => node.span,
        }
    }

    /// The object that the document names; `namespace` is that of one that names none. `None` for a
    /// kind that is not kept.
    #[must_use]
    pub fn object_ref(&self, namespace: &str) -> Option<ObjectRef> {
        let kind = Kind::from_api_version(&self.api_version, &self.kind)?;
        let namespace = match (kind.namespaced(), self.namespace.as_str()) {
            (false, _) => "",
            (true, "") => namespace,
            (true, own) => own,
        };
        Some(ObjectRef::new(kind, namespace, &self.name))
    }

    /// All that is wrong with the document as an object of its kind, as the JSON decoder says it: the
    /// path of each field and the message.
    #[must_use]
    pub fn faults(&self) -> Vec<(String, String)> {
        let Some(kind) = Kind::from_api_version(&self.api_version, &self.kind) else {
            return vec![];
        };
        let (_, problems) = decode_object(kind, &self.node);
        problems.into_iter().map(|it| (it.path, it.message)).collect()
    }

    /// Reads the document into a type, and says all that is wrong with it.
    pub fn decode<T: for<'de> Deserialize<'de>>(&self) -> (Option<T>, Vec<Diagnostic>) {
        let (value, problems) = decode_node(&self.node);
        (value, problems.into_iter().map(diagnostic).collect())
    }

    /// The document as an object although it has errors: unknown fields are left out. This is what
    /// `--validate=false` uses; values of a wrong type still refuse it.
    #[must_use]
    pub fn lenient_object(&self) -> Option<&Object> {
        match &self.body {
            Body::Object(object) | Body::Invalid(Some(object)) => Some(object),
            _ => None,
        }
    }
}

type KeyStep<'a> = (&'a Node, Span);

/// Follows a key; one that contains dots stands in the path as several steps.
fn longest_key<'a>(
    node: &'a Node,
    key: String,
    steps: &mut std::iter::Peekable<std::vec::IntoIter<PathStep>>,
) -> Option<KeyStep<'a>> {
    let mut name = key;
    loop {
        if let Some(entry) = node.entry(&name) {
            return Some((&entry.value, entry.key_span));
        }
        match steps.next() {
            Some(PathStep::Key(more)) => name = format!("{name}.{more}"),
            _ => return None,
        }
    }
}

/// Reads a tree into a type, with all problems in the order in which Go meets them.
pub(super) fn decode_node<T: for<'de> Deserialize<'de>>(node: &Node) -> (Option<T>, Vec<Problem>) {
    let context = Context::default();
    let value = T::deserialize(Decoder { node, path: &Path::ROOT, context: &context });
    (value.ok(), context.into_problems())
}

/// Reads a tree into an object of a known kind.
pub(super) fn decode_object(kind: Kind, node: &Node) -> (Option<Object>, Vec<Problem>) {
    let context = Context::default();
    let decoder = Decoder { node, path: &Path::ROOT, context: &context };
    let mut object = Object::deserialize_kind(kind, decoder).ok();
    let selector = node.get("spec").and_then(|it| it.get("selector"));
    if let (Some(object), Some(Data::Map(_))) = (&mut object, selector.map(|it| &it.data)) {
        object.note_empty_selector();
    }
    (object, context.into_problems())
}

/// Reads an object of a known kind from JSON; see [`crate::wire`].
pub(crate) fn object_from_json(kind: Kind, value: &serde_json::Value) -> Result<Object, String> {
    let text = |key: &str| value[key].as_str().unwrap_or_default();
    let (version, name) = (text("apiVersion"), text("kind"));
    // Who knows the kind need not say it, nor the version.
    let says_both = !name.is_empty() && !version.is_empty();
    if says_both && Kind::from_api_version(version, name).is_none() {
        return Err(not_registered(version, name));
    }
    let (object, problems) = decode_object(kind, &Node::from_json(value));
    without_fault(object, &problems)
}

/// Reads a part of an object from JSON; see [`crate::wire`].
pub(crate) fn from_json<T: for<'de> Deserialize<'de>>(
    value: &serde_json::Value,
) -> Result<T, String> {
    let (part, problems) = decode_node(&Node::from_json(value));
    without_fault(part, &problems)
}

/// What the server says of a kind or a version that it does not have.
pub(super) fn not_registered(version: &str, kind: &str) -> String {
    format!(
        "no kind {kind:?} is registered for version {version:?} in scheme \
         \"pkg/api/legacyscheme/scheme.go:30\""
    )
}

/// The value, unless something other than an unknown field is wrong with it.
fn without_fault<T>(value: Option<T>, problems: &[Problem]) -> Result<T, String> {
    match problems.iter().find(|it| it.fault != Fault::UnknownField) {
        Some(problem) => Err(problem.message.clone()),
        None => value.ok_or_else(|| "it cannot be read".to_owned()),
    }
}

pub(super) fn diagnostic(problem: Problem) -> Diagnostic {
    Diagnostic {
        severity: Severity::Error,
        code: problem.code.to_owned(),
        path: problem.path,
        span: problem.span,
        message: problem.message,
        hint: problem.hint,
        replacement: problem.replacement,
    }
}

/// What kubectl or the server says of these problems: one of them, or all unknown fields.
pub(super) fn refusal(kind: Kind, version: &str, problems: &[Problem]) -> Option<Refusal> {
    let in_metadata = |it: &&Problem| {
        it.fault != Fault::UnknownField
            && (it.path == "metadata" || it.path.starts_with("metadata."))
    };
    if let Some(problem) = problems.iter().find(in_metadata) {
        return Some(Refusal::Decode(problem.message.clone()));
    }
    let first = |fault: Fault| problems.iter().find(|it| it.fault == fault);
    let text = match first(Fault::BadValue).or_else(|| first(Fault::WrongType)) {
        Some(problem) => problem.message.clone(),
        None if problems.is_empty() => return None,
        None => {
            let fields: Vec<&str> = problems.iter().map(|it| it.message.as_str()).collect();
            format!("strict decoding error: {}", fields.join(", "))
        }
    };
    Some(Refusal::BadRequest(format!(
        "{kind} in version {version:?} cannot be handled as a {kind}: {text}"
    )))
}
