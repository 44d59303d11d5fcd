//! Text to documents.
//!
//! Upstream: `staging/src/k8s.io/apimachinery/pkg/util/yaml/decoder.go`, v1.36 (how a text is
//! split), and kubectl's builder and validation (what is said of each part).

use crate::Order;
use view::{Diagnostic, Severity, Span};

use super::callouts;
use super::decode::Problem;
use super::document::{self, Body, Document, Refusal};
use super::json;
use super::kinds::{self, Meaning};
use super::node::{Builder, Data, DuplicateKey, Node, Tree};
use super::older;
use super::policy;
use super::position::LineIndex;
use super::syntax::SyntaxError;
use crate::Kind;
use crate::scenario::ScenarioDoc;

/// The longest text that is read, in bytes. What a cluster of a hundred nodes and a thousand pods
/// shows of itself fits.
pub const MAX_BYTES: usize = 8 << 20;

/// A text may have this many documents.
pub const MAX_DOCUMENTS: usize = 25_000;

/// At most so many problems are reported for one text.
const MAX_DIAGNOSTICS: usize = 1_000;

/// All that a text says.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Reading {
    /// The documents up to the first that is no YAML, in order, those with errors included.
    pub documents: Vec<Document>,
    /// The problems of the whole text in the order of their places.
    pub diagnostics: Vec<Diagnostic>,
    /// Set when the text could not be read to its end: kubectl uses the documents before.
    pub stop: Option<Stop>,
}

/// Where and why reading ended early.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stop {
    /// What kubectl prints after `error parsing STDIN: `.
    pub message: String,
}

impl Reading {
    /// Whether nothing in the text is refused.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.diagnostics.iter().all(|it| it.severity != Severity::Error)
    }
}

/// Reads a text of YAML or JSON documents. Never fails: problems are part of the answer.
#[must_use]
pub fn read(text: &str) -> Reading {
    let mut reader = Reader::default();
    if text.len() > MAX_BYTES {
        let message = format!(
            "the text has {} bytes; at most {MAX_BYTES} (8 MiB) are read at a time",
            text.len()
        );
        let hint = "split it, or remove what the scenario does not need";
        // The line index of a huge text would cost more than it tells.
        reader.stop(Span::default(), "too-large", &message, &message, Some(hint.to_owned()));
        return reader.finish();
    }
    let text_without_mark = text.strip_prefix('\u{feff}').unwrap_or(text);
    let lines = LineIndex::new(text);
    let skipped = text.len() - text_without_mark.len();
    let parts = parts_of(text_without_mark);
    if parts.len() > MAX_DOCUMENTS {
        let message = format!("the text has more than {MAX_DOCUMENTS} documents");
        reader.stop(Span::default(), "too-many-documents", &message, &message, None);
        return reader.finish();
    }
    for part in parts {
        let start = skipped + part.start;
        reader.part(&lines, &text[start..skipped + part.end], start, &part);
    }
    if reader.empty && reader.reading.stop.is_none() {
        let message = "no objects passed to create".to_owned();
        reader.push(Severity::Info, "empty", String::new(), lines.whole(), message, None, None);
    }
    reader.finish()
}

/// A stretch of the text that holds one document, in bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Part {
    start: usize,
    end: usize,
    /// The separator line before it has something on it that kubectl does not take.
    bad_separator: Option<(usize, usize)>,
    /// Why it is no JSON, which is what kubectl tells if it is no YAML either.
    not_json: Option<String>,
    /// It is a stream of JSON: it is not read as YAML.
    is_json: bool,
}

/// The documents of a text: JSON values as far as they go, then YAML. Upstream:
/// `YAMLOrJSONDecoder`.
fn parts_of(text: &str) -> Vec<Part> {
    let mut parts = vec![];
    let mut start = 0;
    let mut fault = None;
    if text.trim_start().starts_with('{') {
        loop {
            match json::value_end(text, start) {
                Ok(Some(end)) => parts.push(Part { start, end, ..Part::default() }),
                Ok(None) => return parts,
                Err(it) => {
                    fault = Some(it);
                    break;
                }
            }
            start = parts.last().map_or(start, |it| it.end);
        }
    }
    if let Some(fault) = &fault
        && parts.len() > 1
    {
        let not_json = Some(fault.bare_text());
        parts.push(Part { start, end: text.len(), not_json, is_json: true, ..Part::default() });
        return parts;
    }
    if !parts.is_empty() {
        let rest = &text[start..];
        let blank = rest.find(|c: char| c == '\n' || !c.is_whitespace());
        start += blank.map_or(0, |it| if rest[it..].starts_with('\n') { it + 1 } else { it });
    }
    let first = parts.len();
    yaml_parts(text, start, &mut parts);
    let is_blank = |it: &Part| text[it.start..it.end].trim().is_empty();
    if let Some(part) = parts[first..].iter_mut().find(|it| !is_blank(it)) {
        part.not_json = fault.map(|it| it.text());
    }
    parts
}

/// Splits at lines that begin with `---`.
fn yaml_parts(text: &str, mut start: usize, parts: &mut Vec<Part>) {
    let mut bad_separator = None;
    let mut at = start;
    for line in text[start..].split_inclusive('\n') {
        let end = at + line.len();
        if let Some(rest) = line.strip_prefix("---") {
            parts.push(Part { start, end: at, bad_separator, ..Part::default() });
            start = end;
            let rest = rest.trim();
            bad_separator = (!rest.is_empty() && !rest.starts_with('#'))
                .then(|| (at, at + line.trim_end().len()));
        }
        at = end;
    }
    parts.push(Part { start, end: text.len(), bad_separator, ..Part::default() });
}

#[derive(Default)]
struct Reader {
    reading: Reading,
    n_nodes: usize,
    n_documents: usize,
    n_dropped: usize,
    /// No document was found.
    empty: bool,
    started: bool,
}

impl Reader {
    fn part(&mut self, lines: &LineIndex<'_>, text: &str, start: usize, part: &Part) {
        if !self.started {
            self.started = true;
            self.empty = true;
        }
        if let Some((from, to)) = part.bad_separator {
            let shift = start - part.start;
            let span = lines.span(lines.char_at_byte(from + shift), lines.char_at_byte(to + shift));
            let message = "invalid Yaml document separator";
            let line = lines.text().get(from + shift..to + shift).unwrap_or_default();
            let kubectl = format!("{message}: {}", line.trim_start_matches("---").trim());
            let hint = "nothing but a comment may follow ---".to_owned();
            self.stop(span, "separator", message, &kubectl, Some(hint));
        }
        let offset = lines.char_at_byte(start);
        if let Some(why) = part.not_json.as_ref().filter(|_| part.is_json) {
            self.empty = false;
            let span = lines.span(offset, offset + 1);
            self.stop(span, "syntax", why, why, None);
            return;
        }
        let (blanked, marks) = callouts::blank(text);
        let text = &*blanked;
        for callouts::Callout { index, mark } in marks {
            let span = lines.span(offset + index, offset + index + 1);
            let message = format!("{mark} is a mark of a printed listing; it is read as a comment");
            let hint = Some("kubectl would refuse the text: remove the mark".to_owned());
            self.push(Severity::Warning, "callout", String::new(), span, message, hint, None);
        }
        match Builder::new(text, lines, offset, self.n_nodes).build() {
            Ok((Tree { root, duplicates }, n_nodes)) => {
                self.n_nodes = n_nodes;
                self.duplicates(duplicates);
                match root {
                    Some(root) if root.data != Data::Null => {
                        self.empty = false;
                        self.document(root, None);
                    }
                    _ => {}
                }
            }
            Err(error) => {
                self.empty = false;
                self.syntax_error(lines, text, offset, &error, part.not_json.as_deref());
            }
        }
    }

    fn syntax_error(
        &mut self,
        lines: &LineIndex<'_>,
        text: &str,
        offset: usize,
        error: &SyntaxError,
        not_json: Option<&str>,
    ) {
        let n_chars = text.chars().count();
        let start = error.index.min(n_chars);
        // The squiggle covers what is left of the line, or its end.
        let rest = text.chars().skip(start).take_while(|&c| c != '\n' && c != '\r').count();
        let mut span = lines.span(offset + start, offset + start + rest.max(1));
        if start == n_chars {
            span.end = span.start;
        }
        let kubectl = match not_json {
            Some(text) => text.to_owned(),
            None => format!("error converting YAML to JSON: {}", error.go_text()),
        };
        self.stop(span, error.code, &error.message, &kubectl, error.hint.clone());
    }

    /// Notes that the text cannot be read further, and what kubectl says of it.
    fn stop(&mut self, span: Span, code: &str, message: &str, kubectl: &str, hint: Option<String>) {
        self.push(Severity::Error, code, String::new(), span, message.to_owned(), hint, None);
        if self.reading.stop.is_none() {
            self.reading.stop = Some(Stop { message: kubectl.to_owned() });
        }
    }

    fn duplicates(&mut self, duplicates: Vec<DuplicateKey>) {
        for DuplicateKey { key, span } in duplicates {
            let message = format!("key {key:?} already set in map");
            let hint = Some("the last one is used, this one is ignored".to_owned());
            self.push(Severity::Warning, "duplicate-key", key, span, message, hint, None);
        }
    }

    /// Reads one document; `assumed` is the kind that the list around it gives its items.
    fn document(&mut self, node: Node, assumed: Option<Kind>) {
        let text = |field: &str| node.get(field).and_then(Node::as_str).unwrap_or_default();
        let (mut api_version, mut kind) = (text("apiVersion").to_owned(), text("kind").to_owned());
        if let Some(assumed) = assumed.filter(|_| api_version.is_empty() && kind.is_empty()) {
            (api_version, kind) = (assumed.api_version(), assumed.name().to_owned());
        }
        if let Some(refusal) = unset(&node, &api_version, &kind) {
            self.untyped(node, api_version, kind, refusal);
            return;
        }
        match kinds::meaning(&api_version, &kind) {
            Meaning::List(of) => self.list(node, api_version, kind, of),
            Meaning::Object(it) => {
                let is_older = older::meaning(&api_version, &kind).is_some();
                let (object, problems) = match is_older {
                    true => {
                        let (newer, mut unknown) = older::upgrade(&node);
                        let (object, problems) = document::decode_object(it, &newer);
                        unknown.extend(problems);
                        older::in_older_words(&mut unknown);
                        (object, unknown)
                    }
                    false => document::decode_object(it, &node),
                };
                let version = if is_older { "v1" } else { it.version() };
                let refusal = document::refusal(it, version, &problems);
                let readable = object.filter(|_| only_unknown_fields(&problems));
                let body = match (&refusal, readable) {
                    (None, Some(object)) => Body::Object(object),
                    (_, object) => Body::Invalid(object),
                };
                self.problems(problems);
                self.add(node, api_version, kind, body, refusal);
            }
            Meaning::SchedulerConfiguration => {
                let body = Body::SchedulerConfiguration(node.to_json());
                self.add_foreign(node, api_version, kind, body);
            }
            Meaning::DeschedulerPolicy => {
                let body = Body::DeschedulerPolicy(node.to_json());
                self.add_foreign(node, api_version, kind, body);
            }
            Meaning::Scenario => {
                let (scenario, problems) = document::decode_node::<ScenarioDoc>(&node);
                let body = match scenario {
                    Some(scenario) if problems.is_empty() => Body::Scenario(Box::new(scenario)),
                    _ => Body::Invalid(None),
                };
                self.problems(problems);
                self.add_foreign(node, api_version, kind, body);
            }
            Meaning::LegacyPolicy => {
                let translation = policy::translate(&node);
                let hint = format!(
                    "scheduler policies were removed in Kubernetes 1.23: use \
                     KubeSchedulerConfiguration, here:\n{translation}"
                );
                self.no_match(node, api_version, kind, hint, Some(translation));
            }
            Meaning::LowerCase(known) => self.lower_case(node, api_version, kind, known),
            Meaning::Unknown => {
                let hint = kinds::unknown_hint(&api_version, &kind);
                self.no_match(node, api_version, kind, hint, None);
            }
        }
    }

    fn lower_case(&mut self, node: Node, api_version: String, kind: String, known: Kind) {
        let why = document::not_registered(&api_version, &kind);
        let message =
            format!("{kind} in version {api_version:?} cannot be handled as a {known}: {why}");
        let span = node.entry("kind").map_or(node.span, |it| it.value.span);
        let name = known.name();
        self.push(
            Severity::Error,
            "unknown-kind",
            "kind".to_owned(),
            span,
            message.clone(),
            Some(format!("did you mean {name:?}?")),
            Some(name.to_owned()),
        );
        self.add(node, api_version, kind, Body::Unknown, Some(Refusal::BadRequest(message)));
    }

    fn list(&mut self, node: Node, api_version: String, kind: String, of: Option<Kind>) {
        match node.get("items").map(|it| &it.data) {
            Some(Data::Seq(items)) => {
                for item in items.clone() {
                    self.document(item, of);
                }
            }
            Some(Data::Null) => {}
            _ => {
                let refusal = Refusal::Validation(vec!["invalid object to validate".to_owned()]);
                self.untyped(node, api_version, kind, refusal);
            }
        }
    }

    /// A document without a usable `apiVersion` and `kind`.
    fn untyped(&mut self, node: Node, api_version: String, kind: String, refusal: Refusal) {
        let message = match &refusal {
            Refusal::Validation(all) => all.join(", "),
            Refusal::Decode(text) | Refusal::BadRequest(text) => text.clone(),
            Refusal::NoMatch { .. } => String::new(),
        };
        let hint = match node.data {
            Data::Map(_) => {
                "every object begins with apiVersion and kind, such as `apiVersion: v1` \
                             and `kind: Pod`"
            }
            _ => "a Kubernetes object is wanted here, which begins with apiVersion and kind",
        };
        let span = first_line(&node);
        let code = if matches!(node.data, Data::Map(_)) { "missing-kind" } else { "not-an-object" };
        let hint = Some(hint.to_owned());
        self.push(Severity::Error, code, String::new(), span, message, hint, None);
        self.add(node, api_version, kind, Body::Invalid(None), Some(refusal));
    }

    fn no_match(
        &mut self,
        node: Node,
        api_version: String,
        kind: String,
        hint: String,
        replacement: Option<String>,
    ) {
        let message = format!("no matches for kind {kind:?} in version {api_version:?}");
        let (code, span) = match replacement {
            Some(_) => ("removed", node.span),
            None => ("unknown-kind", node.entry("kind").map_or(node.span, |it| it.value.span)),
        };
        let path = "kind".to_owned();
        self.push(Severity::Error, code, path, span, message, Some(hint), replacement);
        let refusal = Refusal::NoMatch { kind: kind.clone(), api_version: api_version.clone() };
        self.add(node, api_version, kind, Body::Unknown, Some(refusal));
    }

    /// A document that the page uses but no API server knows.
    fn add_foreign(&mut self, node: Node, api_version: String, kind: String, body: Body) {
        let refusal = Refusal::NoMatch { kind: kind.clone(), api_version: api_version.clone() };
        self.add(node, api_version, kind, body, Some(refusal));
    }

    fn add(
        &mut self,
        node: Node,
        api_version: String,
        kind: String,
        body: Body,
        refusal: Option<Refusal>,
    ) {
        if self.reading.stop.is_some() {
            return;
        }
        let meta = |field: &str| {
            let value = node.get("metadata").and_then(|it| it.get(field));
            value.and_then(Node::as_str).unwrap_or_default().to_owned()
        };
        let (name, namespace) = (meta("name"), meta("namespace"));
        self.reading.documents.push(Document {
            index: self.n_documents,
            span: node.span,
            api_version,
            kind,
            name,
            namespace,
            body,
            refusal,
            node,
        });
        self.n_documents += 1;
    }

    fn problems(&mut self, problems: Vec<Problem>) {
        for problem in problems {
            let it = document::diagnostic(problem);
            if self.has_room() {
                self.reading.diagnostics.push(it);
            }
        }
    }

    fn has_room(&mut self) -> bool {
        let room = self.reading.diagnostics.len() < MAX_DIAGNOSTICS;
        self.n_dropped += usize::from(!room);
        room
    }

    #[expect(clippy::too_many_arguments, reason = "they are the fields of a diagnostic")]
    fn push(
        &mut self,
        severity: Severity,
        code: &str,
        path: String,
        span: Span,
        message: String,
        hint: Option<String>,
        replacement: Option<String>,
    ) {
        if self.has_room() {
            let code = code.to_owned();
            let it = Diagnostic { severity, code, path, span, message, hint, replacement };
            self.reading.diagnostics.push(it);
        }
    }

    fn finish(mut self) -> Reading {
        self.reading.diagnostics.order_by_key(|it| it.span);
        if self.n_dropped > 0
            && let Some(last) = self.reading.diagnostics.last().cloned()
        {
            let message = format!("and {} more problems", self.n_dropped);
            let code = "more".to_owned();
            let (hint, replacement, path) = (None, None, String::new());
            let more = Diagnostic { code, path, message, hint, replacement, ..last };
            self.reading.diagnostics.push(more);
        }
        self.reading
    }
}

fn only_unknown_fields(problems: &[Problem]) -> bool {
    problems.iter().all(|it| it.fault == super::decode::Fault::UnknownField)
}

/// What kubectl finds missing before it looks at anything else.
fn unset(node: &Node, api_version: &str, kind: &str) -> Option<Refusal> {
    let Data::Map(_) = node.data else {
        return Some(Refusal::Validation(vec!["invalid object to validate".to_owned()]));
    };
    if node.get("kind").and_then(Node::as_str) == Some("") {
        let json = super::to_json_string(&node.to_json());
        return Some(Refusal::Decode(format!("Object 'Kind' is missing in '{json}'")));
    }
    let mut missing = vec![];
    for (key, text) in [("apiVersion", api_version), ("kind", kind)] {
        if text.is_empty() {
            let given = node.get(key).is_some_and(|it| !it.to_json().is_null());
            missing.push(format!("{key} {}", if given { "isn't string type" } else { "not set" }));
        }
    }
    if api_version.matches('/').count() > 1 {
        missing.push(format!("unexpected GroupVersion string: {api_version}"));
    }
    // A policy of old was often written without a version.
    let is_policy = kinds::meaning(api_version, kind) == Meaning::LegacyPolicy;
    (!missing.is_empty() && !is_policy).then_some(Refusal::Validation(missing))
}

/// The first key of a map, or the value itself.
fn first_line(node: &Node) -> Span {
    match &node.data {
        Data::Map(entries) => entries.first().map_or(node.span, |it| it.key_span),
        _ => node.span,
    }
}
