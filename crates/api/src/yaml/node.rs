//! The tree of a document: every value knows where it stands in the text.
//!
//! Aliases are replaced by copies of what they name and merge keys (`<<`) by what they merge, so
//! that readers meet plain values only. Budgets keep hostile texts small.

use crate::{Gather, fields};
use std::collections::BTreeMap;

use saphyr_parser::{Event, Parser, ScalarStyle, Tag};
use view::Span;

use super::position::LineIndex;
use super::scalar;
use super::syntax::{self, SyntaxError};

/// Collections may be nested this deep.
pub const MAX_DEPTH: usize = 100;

/// A text may have this many values, those that aliases repeat included.
pub const MAX_NODES: usize = 1_500_000;

/// A value with its place.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// Its place. Of a block collection: from its first to its last character.
    pub span: Span,
    /// What it is.
    pub data: Data,
    /// How it was written, where it is plain and not a text, such as `yes` or `0777`.
    pub raw: Option<Box<str>>,
}

/// The value of a [`Node`].
#[derive(Clone, Debug, PartialEq)]
pub enum Data {
    /// `null`, `~` or nothing.
    Null,
    /// `true`, `yes`, `n`, ...
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A whole number above the range of `i64`.
    UInt(u64),
    /// Any other number.
    Float(f64),
    /// A text.
    Str(String),
    /// A list.
    Seq(Vec<Node>),
    /// A map in the order of the text, keys unique.
    Map(Vec<Entry>),
}

/// A key with its value.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// The key as JSON has it: `on` is `true`.
    pub key: String,
    /// Its place.
    pub key_span: Span,
    /// The value.
    pub value: Node,
}

impl Entry {
    fn from_json((key, value): (&String, &serde_json::Value)) -> Self {
        Self { key: key.clone(), key_span: Span::default(), value: Node::from_json(value) }
    }
}

/// A key that stands twice in one map; the last one wins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct DuplicateKey {
    pub(super) key: String,
    pub(super) span: Span,
}

impl Node {
    /// The value of a key, if this is a map that has it.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Node> {
        self.entry(key).map(|it| &it.value)
    }

    /// A key with its value, if this is a map that has it.
    #[must_use]
    pub fn entry(&self, key: &str) -> Option<&Entry> {
        match &self.data {
            Data::Map(entries) => entries.iter().find(|it| it.key == key),
            _ => None,
        }
    }

    /// The text, if it is one.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        match &self.data {
            Data::Str(text) => Some(text),
            _ => None,
        }
    }

    /// The value as JSON. Infinities and NaN, which JSON lacks, become null.
    #[must_use]
    pub fn to_json(&self) -> serde_json::Value {
        use serde_json::Value;
        match &self.data {
            Data::Null => Value::Null,
            Data::Bool(it) => Value::Bool(*it),
            Data::Int(it) => Value::from(*it),
            Data::UInt(it) => Value::from(*it),
            Data::Float(it) => whole(*it).map_or_else(|| Value::from(*it), Value::from),
            Data::Str(it) => Value::String(it.clone()),
            Data::Seq(items) => Value::Array(items.iter().map(Node::to_json).collect()),
            Data::Map(entries) => Value::Object(
                entries.iter().map(|it| (it.key.clone(), it.value.to_json())).to_object(),
            ),
        }
    }

    /// A tree without places, for JSON that comes from no text of the user's.
    pub(super) fn from_json(value: &serde_json::Value) -> Self {
        use serde_json::Value;
        let data = match value {
            Value::Null => Data::Null,
            Value::Bool(it) => Data::Bool(*it),
            Value::Number(it) => match (it.as_i64(), it.as_u64(), it.as_f64()) {
                (Some(it), _, _) => Data::Int(it),
                (_, Some(it), _) => Data::UInt(it),
                (_, _, it) => Data::Float(it.unwrap_or_default()),
            },
            Value::String(it) => Data::Str(it.clone()),
            Value::Array(items) => Data::Seq(items.iter().map(Self::from_json).collect()),
            Value::Object(map) => Data::Map(map.iter().map(Entry::from_json).collect()),
        };
        Self { span: Span::default(), data, raw: None }
    }

    /// How many values it consists of.
    fn n_nodes(&self) -> usize {
        1 + match &self.data {
            Data::Seq(items) => items.iter().map(Node::n_nodes).sum(),
            Data::Map(entries) => entries.iter().map(|it| it.value.n_nodes()).sum(),
            _ => 0,
        }
    }
}

/// A float that JSON prints without a point: 1.0 is the number 1.
#[expect(clippy::cast_possible_truncation, reason = "the range is checked first")]
pub(super) fn whole(value: f64) -> Option<i64> {
    (value.fract() == 0.0 && value.abs() < 9.0e18).then_some(value as i64)
}

/// What a document is: a tree, unless it is empty.
pub(super) struct Tree {
    pub(super) root: Option<Node>,
    pub(super) duplicates: Vec<DuplicateKey>,
}

/// A collection that is not closed yet.
enum Frame {
    Seq { items: Vec<Node>, anchor: usize, start: usize },
    Map { map: MapFrame, anchor: usize, start: usize },
}

#[derive(Default)]
struct MapFrame {
    entries: Vec<Entry>,
    /// The place of each key in `entries`, to find duplicates fast.
    index: BTreeMap<String, usize>,
    /// What `<<` merges, in order.
    merged: Vec<Node>,
    key: Option<Key>,
}

struct Key {
    text: String,
    span: Span,
    merge: bool,
    is_null: bool,
}

/// Builds the tree of one document.
pub(super) struct Builder<'t> {
    text: &'t str,
    lines: &'t LineIndex<'t>,
    /// Index of the document's first character in the text of `lines`.
    offset: usize,
    stack: Vec<Frame>,
    anchors: BTreeMap<usize, (Node, usize)>,
    duplicates: Vec<DuplicateKey>,
    root: Option<Node>,
    /// Values made so far, over all documents of a text.
    n_nodes: usize,
    /// Where a line begins with a tab, after blanks or not: the first character after them.
    tabbed: Vec<usize>,
    /// What is found wrong only once the whole document is known to be YAML.
    late: Option<SyntaxError>,
}

impl<'t> Builder<'t> {
    /// For the document `text`, which begins at character `offset` of the whole text.
    pub(super) fn new(
        text: &'t str,
        lines: &'t LineIndex<'t>,
        offset: usize,
        n_nodes: usize,
    ) -> Self {
        Self {
            text,
            lines,
            offset,
            stack: vec![],
            anchors: BTreeMap::new(),
            duplicates: vec![],
            root: None,
            n_nodes,
            tabbed: syntax::tabbed(text),
            late: None,
        }
    }

    /// Reads the document, and counts its values.
    pub(super) fn build(mut self) -> Result<(Tree, usize), SyntaxError> {
        if let Some(error) = syntax::control_character(self.text) {
            return Err(error);
        }
        let mut parser = Parser::new_from_str(self.text);
        while let Some(event) = parser.next_event() {
            let (event, span) = event.map_err(|it| syntax::translate(&it, self.text))?;
            if matches!(event, Event::DocumentStart(_)) && self.root.is_some() {
                // go-yaml reads the first document of a text and forgets the rest; documents are
                // split before, so this is one that `...` ended.
                break;
            }
            let start = span.start.index();
            if self.tabbed.contains(&start) && !self.in_flow() {
                return Err(syntax::tab(start, span.start.line()));
            }
            self.event(event, start, span.end.index())?;
        }
        if let Some(error) = self.late {
            return Err(error);
        }
        Ok((Tree { root: self.root, duplicates: self.duplicates }, self.n_nodes))
    }

    fn event(&mut self, event: Event<'_>, start: usize, end: usize) -> Result<(), SyntaxError> {
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                let merge = style == ScalarStyle::Plain && text == "<<";
                let node = self.scalar(&text, style, tag.as_deref(), start, end)?;
                if let Data::Float(it) = node.data
                    && !it.is_finite()
                {
                    let value = match it {
                        _ if it.is_nan() => "NaN",
                        _ if it > 0.0 => "+Inf",
                        _ => "-Inf",
                    };
                    self.refuse_late(start, format!("json: unsupported value: {value}"), "no-json");
                }
                self.add(node, anchor, merge, start)
            }
            Event::Alias(anchor) => {
                let Some((node, n)) = self.anchors.get(&anchor) else {
                    let name = syntax::anchor_name(start, self.text);
                    let message = format!("anchor '{name}' value contains itself");
                    return Err(SyntaxError {
                        code: "syntax",
                        ..SyntaxError::limit(start, message)
                    });
                };
                self.n_nodes += n;
                let mut node = node.clone();
                self.check_budget(start)?;
                // Problems of a repeated value are shown where it is repeated.
                node.span = self.span(start, end);
                self.add(node, 0, false, start)
            }
            Event::SequenceStart(anchor, _) => {
                self.open(Frame::Seq { items: vec![], anchor, start }, start)
            }
            Event::MappingStart(anchor, _) => {
                self.open(Frame::Map { map: MapFrame::default(), anchor, start }, start)
            }
            Event::SequenceEnd | Event::MappingEnd => self.close(start, end),
            _ => Ok(()),
        }
    }

    fn in_flow(&self) -> bool {
        self.stack.iter().any(|frame| {
            let (Frame::Seq { start, .. } | Frame::Map { start, .. }) = frame;
            matches!(self.text.chars().nth(*start), Some('[' | '{'))
        })
    }

    /// Keeps the first fault of those that count only where the text is YAML.
    fn refuse_late(&mut self, index: usize, message: String, code: &'static str) {
        let error = SyntaxError { code, ..SyntaxError::limit(index, message) };
        self.late.get_or_insert(error);
    }

    fn span(&self, start: usize, end: usize) -> Span {
        self.lines.span(self.offset + start, self.offset + end)
    }

    fn check_budget(&self, at: usize) -> Result<(), SyntaxError> {
        if self.n_nodes > MAX_NODES {
            let message = if self.anchors.is_empty() {
                format!("document has more than {MAX_NODES} values")
            } else {
                "document contains excessive aliasing".to_owned()
            };
            return Err(SyntaxError::limit(at, message));
        }
        Ok(())
    }

    fn open(&mut self, frame: Frame, at: usize) -> Result<(), SyntaxError> {
        if self.stack.len() >= MAX_DEPTH {
            let message = format!("exceeded max depth of {MAX_DEPTH}");
            return Err(SyntaxError::limit(at, message));
        }
        self.stack.push(frame);
        Ok(())
    }

    fn scalar(
        &self,
        text: &str,
        style: ScalarStyle,
        tag: Option<&Tag>,
        start: usize,
        end: usize,
    ) -> Result<Node, SyntaxError> {
        let core = tag.filter(|it| it.is_yaml_core_schema()).map(|it| it.suffix.as_str());
        let data = match core {
            None if style == ScalarStyle::Plain && tag.is_none() => scalar::resolve(text),
            None | Some("str" | "binary") => Data::Str(text.to_owned()),
            Some(wanted) => {
                let data = scalar::resolve(text);
                let fits = match wanted {
                    "int" => matches!(data, Data::Int(_) | Data::UInt(_)),
                    "float" => matches!(data, Data::Int(_) | Data::UInt(_) | Data::Float(_)),
                    "bool" => matches!(data, Data::Bool(_)),
                    "null" => matches!(data, Data::Null),
                    _ => true,
                };
                if !fits {
                    let message = format!("cannot decode !!str `{text}` as a !!{wanted}");
                    return Err(SyntaxError {
                        code: "syntax",
                        ..SyntaxError::limit(start, message)
                    });
                }
                data
            }
        };
        let is_text = matches!(data, Data::Str(_));
        let raw = (!is_text && style == ScalarStyle::Plain).then(|| text.into());
        Ok(Node { span: self.span(start, end), data, raw })
    }

    fn close(&mut self, start: usize, end: usize) -> Result<(), SyntaxError> {
        let (data, anchor, began) = match self.stack.pop() {
            Some(Frame::Seq { items, anchor, start }) => (Data::Seq(items), anchor, start),
            Some(Frame::Map { map, anchor, start: began }) => {
                (Data::Map(merge(map, start)?), anchor, began)
            }
            None => return Ok(()),
        };
        let mut span = self.span(began, end.max(began));
        if start == end {
            // A block collection ends where its last value does.
            let last = match &data {
                Data::Seq(items) => items.last().map(|it| it.span.end),
                Data::Map(entries) => entries.last().map(|it| it.value.span.end),
                _ => None,
            };
            span.end = last.unwrap_or(span.start).max(span.start);
        }
        self.add(Node { span, data, raw: None }, anchor, false, began)
    }

    /// Puts a finished value where it belongs.
    fn add(
        &mut self,
        node: Node,
        anchor: usize,
        merge: bool,
        start: usize,
    ) -> Result<(), SyntaxError> {
        self.n_nodes += 1;
        self.check_budget(start)?;
        if anchor != 0 {
            let n = node.n_nodes();
            self.n_nodes += n;
            self.anchors.insert(anchor, (node.clone(), n));
        }
        match self.stack.last_mut() {
            None => self.root = Some(node),
            Some(Frame::Seq { items, .. }) => items.push(node),
            Some(Frame::Map { map, .. }) => match map.key.take() {
                None => {
                    map.key = Some(key(&node, merge));
                    if matches!(node.data, Data::Seq(_) | Data::Map(_)) {
                        let message = format!("invalid map key: {}", go_syntax(&node));
                        self.refuse_late(start, message, "map-key");
                    }
                }
                Some(key) if key.merge => map.merged.push(node),
                Some(key) if key.is_null => {
                    let message = format!(
                        "unsupported map key of type: %!s(<nil>), key: <nil>, value: {}",
                        go_syntax(&node)
                    );
                    self.refuse_late(start, message, "no-json");
                }
                Some(key) => {
                    if let Some(span) = map.insert(key, node) {
                        self.duplicates.push(span);
                    }
                }
            },
        }
        Ok(())
    }
}

impl MapFrame {
    /// Adds an entry; an earlier one of the same key goes.
    fn insert(&mut self, key: Key, mut value: Node) -> Option<DuplicateKey> {
        if value.data == Data::Null && value.span.start == value.span.end {
            value.span = key.span;
        }
        let entry = Entry { key: key.text, key_span: key.span, value };
        match self.index.get(&entry.key).and_then(|&at| self.entries.get_mut(at)) {
            Some(earlier) => {
                let duplicate = DuplicateKey { key: entry.key.clone(), span: earlier.key_span };
                *earlier = entry;
                Some(duplicate)
            }
            None => {
                self.index.insert(entry.key.clone(), self.entries.len());
                self.entries.push(entry);
                None
            }
        }
    }
}

/// The key as JSON has it. Upstream: `convertToJSONableObject` of sigs.k8s.io/yaml.
fn key(node: &Node, merge: bool) -> Key {
    let text = match &node.data {
        Data::Str(text) => text.clone(),
        Data::Bool(it) => it.to_string(),
        Data::Int(it) => it.to_string(),
        Data::UInt(it) => it.to_string(),
        Data::Float(it) => scalar::go_float(*it),
        Data::Null | Data::Seq(_) | Data::Map(_) => String::new(),
    };
    Key { text, span: node.span, merge, is_null: node.data == Data::Null }
}

/// A value as Go's `%#v` writes it.
fn go_syntax(node: &Node) -> String {
    match &node.data {
        Data::Null => "interface {}(nil)".to_owned(),
        Data::Str(it) => fields::quote(it),
        Data::Bool(it) => it.to_string(),
        Data::Int(it) => it.to_string(),
        Data::UInt(it) => format!("{it:#x}"),
        Data::Float(it) => scalar::go_float(*it),
        Data::Seq(items) => {
            let items: Vec<String> = items.iter().map(go_syntax).collect();
            format!("[]interface {{}}{{{}}}", items.join(", "))
        }
        Data::Map(entries) => {
            let entry = |it: &Entry| format!("{}:{}", fields::quote(&it.key), go_syntax(&it.value));
            let entries: Vec<String> = entries.iter().map(entry).collect();
            format!("map[interface {{}}]interface {{}}{{{}}}", entries.join(", "))
        }
    }
}

/// The entries of a map with what `<<` adds; its own keys win, then earlier merges.
fn merge(map: MapFrame, at: usize) -> Result<Vec<Entry>, SyntaxError> {
    let MapFrame { mut entries, mut index, merged, .. } = map;
    let mut sources = vec![];
    for node in merged {
        match node.data {
            Data::Map(_) => sources.push(node),
            Data::Seq(items) => sources.extend(items),
            _ => sources.push(node),
        }
    }
    for source in sources {
        let Data::Map(more) = source.data else {
            let message = "map merge requires map or sequence of maps as the value".to_owned();
            return Err(SyntaxError { code: "merge", ..SyntaxError::limit(at, message) });
        };
        for entry in more {
            if !index.contains_key(&entry.key) {
                index.insert(entry.key.clone(), entries.len());
                entries.push(entry);
            }
        }
    }
    Ok(entries)
}
