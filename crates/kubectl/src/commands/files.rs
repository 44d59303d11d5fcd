//! `-f`: the documents of files and of the standard input.
//!
//! Upstream: `staging/src/k8s.io/cli-runtime/pkg/resource/visitor.go`, v1.36.

use api::selector::Selector;
use api::yaml::{self, Body, Document, Refusal};
use api::{Gather, Object, Order};

use super::{Session, discovery};
use crate::DryRun;
use crate::failure::Failure;
use crate::names;
use crate::resources::Asked;

/// A document that a command is given, with what kubectl calls its source.
#[derive(Clone, Debug)]
pub(super) struct Item {
    pub(super) source: String,
    pub(super) document: Document,
    /// kubectl looks at it before the server does.
    checked: bool,
}

/// The documents that can be tried, and what ended the reading early.
pub(super) struct Input {
    pub(super) items: Vec<Item>,
    pub(super) failures: Vec<Failure>,
}

/// An object that was read, the namespace filled in.
#[derive(Clone, Debug)]
pub(super) struct Read {
    pub(super) source: String,
    pub(super) object: Object,
    /// As written, for `last-applied-configuration`.
    pub(super) value: serde_json::Value,
}

/// Reads those documents of the files that meet the selector.
pub(super) fn input(session: &mut Session<'_>) -> Result<Input, Failure> {
    let mut input = all(session)?;
    if let Some(selector) = selector(session)? {
        input.items.retain(|it| it.is_selected(&selector));
    }
    Ok(input)
}

/// What `-l` selects of files; `expose` asks by it for the pods of the service.
fn selector(session: &Session<'_>) -> Result<Option<Selector>, Failure> {
    let text = session.args.get("selector").filter(|_| session.command != "kubectl expose");
    let parsed = text.map(|text| {
        names::selector(text).map_err(|why| {
            Failure::Text(format!("the provided selector {text:?} is not valid: {why}"))
        })
    });
    parsed.transpose()
}

/// Reads all files of the command line.
fn all(session: &mut Session<'_>) -> Result<Input, Failure> {
    let mut items = vec![];
    let mut failures = vec![];
    let names = session.args.list("filename");
    if names.iter().filter(|it| *it == "-").count() > 1 {
        return Err(Failure::text("standard input cannot be used for multiple arguments"));
    }
    for name in names {
        if name == "." || name.ends_with('/') {
            return Err(Failure::Text(format!(
                "error reading [{name}]: recognized file extensions are [.json .yaml .yml]"
            )));
        }
        let Some(text) = session.client.file(&name) else {
            return Err(missing(&name));
        };
        let source = if name == "-" { "STDIN".to_owned() } else { name };
        let checked = checks(session);
        let mut more = read(&text, &source, checked);
        let n_all = more.items.len();
        // The gallery's files say with one such document what happens when.
        more.items.retain(|it| !matches!(it.document.body, Body::Scenario(_)));
        if more.items.len() < n_all {
            let what = "a Scenario is no object of the cluster and is passed over";
            session.output.err(format!("Warning: {source}: {what}\n"));
        }
        let stops = !more.failures.is_empty() || more.items.last().is_some_and(Item::stops);
        items.extend(more.items);
        failures.extend(more.failures);
        if stops {
            break;
        }
    }
    Ok(Input { items, failures })
}

/// Why there is no text of a name. An address of the book is one that its server does not have.
fn missing(name: &str) -> Failure {
    if !name.starts_with("http://") && !name.starts_with("https://") {
        return Failure::Text(format!("the path {name:?} does not exist"));
    }
    let of_book = ["k8spatterns.com/", "k8spatterns.io/", "k8spatterns/examples/"];
    let why = if of_book.iter().any(|it| name.contains(it)) {
        ", server reported 404 Not Found, status code=404"
    } else {
        ": nothing is fetched here; paste the file and use `-f -`, or open it in the editor"
    };
    Failure::Text(format!("unable to read URL {name:?}{why}"))
}

/// Whether the command looks at documents before the server does: those that write them do, unless
/// they are told not to.
fn checks(session: &Session<'_>) -> bool {
    let writes = ["kubectl create", "kubectl apply", "kubectl replace"];
    let lenient = matches!(session.args.get("validate"), Some("false" | "ignore"));
    writes.iter().any(|it| session.command.starts_with(it)) && !lenient
}

/// Reads the documents of a text; if they are checked, up to one that is not valid.
pub(super) fn read(text: &str, source: &str, checked: bool) -> Input {
    let mut items = vec![];
    let reading = yaml::read(text);
    for document in reading.documents {
        let item = Item { source: source.to_owned(), document, checked };
        let stops = item.stops();
        items.push(item);
        if stops {
            return Input { items, failures: vec![] };
        }
    }
    let stop = reading.stop;
    let failures = stop
        .map(|it| Failure::Text(format!("error parsing {source}: {}", it.message)))
        .into_iter()
        .collect();
    Input { items, failures }
}

/// Brings failures into the order in which kubectl tells them: what the server refused, what has
/// no mapping, and what ended the reading.
pub(super) fn in_order(failures: &mut Vec<Failure>, ends: Vec<Failure>) {
    let is_refused = |it: &Failure| matches!(it, Failure::Api(..));
    let stops =
        |it: &Failure| matches!(it, Failure::Text(it) if it.starts_with("error validating"));
    failures.order_by_key(|it| (!is_refused(it), stops(it)));
    failures.extend(ends);
}

impl Item {
    /// Nothing behind it is read.
    fn stops(&self) -> bool {
        self.checked && matches!(self.document.refusal, Some(Refusal::Validation(_)))
    }

    /// What cannot be read is told of, whatever its labels are.
    fn is_selected(&self, selector: &Selector) -> bool {
        let value = self.document.value();
        let labels = value["metadata"]["labels"].as_object().into_iter().flatten();
        let text = |it: &serde_json::Value| it.as_str().unwrap_or_default().to_owned();
        let labels = labels.map(|(key, it)| (key.clone(), text(it))).to_map();
        self.document.refusal.is_some() || selector.matches(&labels)
    }

    /// The object, or why kubectl or the server refuses the document. `verb` is `creating`.
    pub(super) fn object(&self, session: &mut Session<'_>, verb: &str) -> Result<Read, Failure> {
        let document = &self.document;
        let lenient = matches!(session.args.get("validate"), Some("false" | "ignore" | "warn"));
        let pretends = verb == "creating" && session.dry_run()? == Some(DryRun::None);
        let named;
        let object = match &document.refusal {
            None => document.object(),
            // A client that asks no server only wants to know what the object is called.
            Some(Refusal::BadRequest(_)) if pretends || verb == "deleting" => {
                named = self.only_named();
                named.documents.first().and_then(Document::object)
            }
            Some(Refusal::BadRequest(text)) if lenient => {
                if session.args.get("validate") == Some("warn")
                    && let Some((_, fields)) = text.split_once("strict decoding error: ")
                {
                    let lines = fields.split(", ").map(|it| format!("Warning: {it}\n"));
                    session.output.err(lines.collect::<String>());
                }
                document.lenient_object()
            }
            Some(refusal) => {
                if session.args.get("validate") == Some("warn") && refusal.is_of_kind() {
                    session.output.err(format!(
                        "W{}       1 schema.go:145] cannot perform warn validation if server-side \
                         field validation is unsupported, skipping validation\n",
                        session.client.now().strftime("%m%d %H:%M:%S%.6f")
                    ));
                }
                return Err(self.refusal(refusal, verb));
            }
        };
        let object = object.cloned().or_else(|| match &document.body {
            Body::Object(object) => Some(object.clone()),
            _ => None,
        });
        let Some(mut object) = object else {
            return Err(match &document.refusal {
                Some(refusal) => self.refusal(refusal, verb),
                None => Failure::text("invalid object"),
            });
        };
        self.namespace(session, &mut object)?;
        let mut value = document.value();
        if object.kind().namespaced() && !session.args.is_on("local") {
            value["metadata"]["namespace"] = object.namespace().into();
        }
        Ok(Read { source: self.source.clone(), object, value })
    }

    /// Why its name cannot be asked for, if nothing before that is wrong with the document.
    pub(super) fn unfit_name(&self) -> Option<String> {
        match &self.document.refusal {
            None | Some(Refusal::BadRequest(_)) => names::unfit_for_path(&self.document.name),
            Some(_) => None,
        }
    }

    /// What is left of the document without all but its kind and its name.
    fn only_named(&self) -> yaml::Reading {
        let value = self.document.value();
        let meta = serde_json::json!({
            "name": value["metadata"]["name"], "namespace": value["metadata"]["namespace"],
        });
        let head = serde_json::json!({
            "apiVersion": value["apiVersion"], "kind": value["kind"], "metadata": meta,
        });
        yaml::read(&head.to_string())
    }

    fn refusal(&self, refusal: &Refusal, verb: &str) -> Failure {
        let source = api::fields::quote(&self.source);
        match refusal {
            Refusal::Validation(_) if !self.checked => self.unreadable(verb),
            Refusal::Validation(missing) => {
                let what = match &missing[..] {
                    [one] => one.clone(),
                    many => format!("[{}]", many.join(", ")),
                };
                Failure::Text(format!(
                    "error validating {source}: error validating data: {what}; if you choose to \
                     ignore these errors, turn validation off with --validate=false"
                ))
            }
            Refusal::Decode(text) => Failure::Text(format!("unable to decode {source}: {text}")),
            Refusal::NoMatch { kind, api_version }
                if let Some(known) = discovery::of_kind(kind, api_version) =>
            {
                let known = known.qualified();
                Failure::Text(format!("the simulation keeps no {known}, unlike a real server"))
            }
            Refusal::NoMatch { kind, api_version } => Failure::Text(format!(
                "resource mapping not found for name: {:?} namespace: {:?} from {source}: no matches \
                 for kind {kind:?} in version {api_version:?}\nensure CRDs are installed first",
                self.document.name, self.document.namespace
            )),
            Refusal::BadRequest(text) => {
                let error = api::ApiError::new(api::ApiReason::BadRequest, text.clone());
                Failure::from(error).when(verb, &self.source)
            }
        }
    }

    /// Where the reading itself fails of what nobody checked before. Upstream:
    /// `unstructuredJSONScheme` in `apimachinery/pkg/apis/meta/v1/unstructured/helpers.go`.
    fn unreadable(&self, verb: &str) -> Failure {
        let value = self.document.value();
        let type_of = |it: &serde_json::Value| match it {
            serde_json::Value::Bool(_) => "bool",
            serde_json::Value::Number(_) => "number",
            serde_json::Value::String(_) => "string",
            serde_json::Value::Array(_) => "array",
            _ => "object",
        };
        let unfit = |it: &serde_json::Value, what: &str| {
            format!("json: cannot unmarshal {} into Go {what}", type_of(it))
        };
        let text = if !value.is_object() {
            unfit(&value, "value of type unstructured.detector")
        } else if value["kind"].as_str().unwrap_or_default().is_empty() {
            format!("Object 'Kind' is missing in '{}'", yaml::to_json_string(&value))
        } else if value["apiVersion"].is_null() {
            let text = "the server could not find the requested resource";
            let error = api::ApiError::new(api::ApiReason::NotFound, text);
            return Failure::from(error).when(verb, &self.source);
        } else if !value["apiVersion"].is_string() {
            let field = "struct field metadataOnlyObject.TypeMeta.apiVersion of type string";
            unfit(&value["apiVersion"], field)
        } else {
            unfit(&value["items"], "struct field decodeList.items of type []json.RawMessage")
        };
        Failure::Text(format!("unable to decode {}: {text}", api::fields::quote(&self.source)))
    }

    /// Fills in the namespace of the command line, or checks that it is the object's.
    fn namespace(&self, session: &Session<'_>, object: &mut Object) -> Result<(), Failure> {
        if !object.kind().namespaced() || session.args.is_on("local") {
            return Ok(());
        }
        let own = object.namespace().to_owned();
        if own.is_empty() {
            object.meta_mut().namespace = Some(session.namespace.clone());
        } else if session.args.has("namespace") && own != session.namespace {
            return Err(Failure::Text(format!(
                "the namespace from the provided object {own:?} does not match the namespace {:?}. You \
                 must pass '--namespace={own}' to perform this operation.",
                session.namespace
            )));
        }
        Ok(())
    }
}

/// The objects of files.
pub(super) fn local(session: &mut Session<'_>) -> Result<Vec<Object>, Failure> {
    let input = input(session)?;
    objects(session, input)
}

fn objects(session: &mut Session<'_>, input: Input) -> Result<Vec<Object>, Failure> {
    if let Some(failure) = input.failures.into_iter().next() {
        return Err(failure);
    }
    input.items.iter().map(|it| Ok(it.object(session, "reading")?.object)).collect()
}

/// Refuses words that name objects beside files that do.
pub(super) fn no_words(words: &[String]) -> Result<(), Failure> {
    match words {
        [] => Ok(()),
        [one, ..] if one.contains('/') => Err(Failure::text(
            "resource/name arguments cannot be provided when a path is specified",
        )),
        _ => Err(Failure::text(
            "when paths, URLs, or stdin is provided as input, you may not specify resource \
             arguments as well",
        )),
    }
}

/// The objects that files name, for commands that look them up; `words` are those that could have
/// named objects instead.
pub(super) fn named(session: &mut Session<'_>, words: &[String]) -> Result<Asked, Failure> {
    let input = all(session)?;
    no_words(words)?;
    let mut objects = objects(session, input)?;
    // They are selected by the labels that the server knows.
    if let Some(selector) = selector(session)? {
        let live = session.client.objects();
        objects.retain(|it| {
            let labels = live.get(&it.object_ref()).map(|it| it.meta().labels.clone());
            labels.is_none_or(|it| selector.matches(&it.unwrap_or_default()))
        });
    }
    Ok(Asked::Names(objects.iter().map(|it| (it.kind(), it.name().to_owned())).collect()))
}
