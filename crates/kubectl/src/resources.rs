//! Which objects a command means: `pods`, `pod web-1`, `deploy/shop`, `-l app=web`, `all`.
//!
//! Upstream: `staging/src/k8s.io/cli-runtime/pkg/resource/builder.go`, v1.36.

use std::collections::BTreeMap;

use api::{ApiError, ApiReason, Kind, Object, ObjectRef, Objects};
use rows::Listed;

use crate::failure::Failure;
use crate::names;

/// What the category `all` holds, in the order in which kubectl asks for it.
const ALL: [Kind; 9] = [
    Kind::Pod,
    Kind::Service,
    Kind::DaemonSet,
    Kind::Deployment,
    Kind::ReplicaSet,
    Kind::StatefulSet,
    Kind::HorizontalPodAutoscaler,
    Kind::CronJob,
    Kind::Job,
];

/// What was asked for, resolved to kinds and names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    /// Objects of these kinds by selector.
    Kinds(Vec<Kind>),
    /// Objects by name.
    Names(Vec<(Kind, String)>),
}

/// How to look for objects.
#[derive(Clone, Debug, Default)]
pub(crate) struct Query<'a> {
    pub(crate) namespace: &'a str,
    pub(crate) all_namespaces: bool,
    pub(crate) selector: Option<&'a str>,
    pub(crate) field_selector: Option<&'a str>,
    /// `--all`.
    pub(crate) all: bool,
    /// A kind without a name means all its objects (`get`, `describe`).
    pub(crate) lists: bool,
}

/// Finds the kind that a word names: `pods`, `po`, `Pod`, `jobs.batch`, `jobs.v1.batch`.
pub(crate) fn kind(word: &str) -> Result<Kind, Failure> {
    let lower = word.to_lowercase();
    let (name, rest) = lower.split_once('.').unwrap_or((&lower, ""));
    let (version, group) = rest.split_once('.').unwrap_or(("", rest));
    let matches = |it: &Kind| {
        let named = it.plural() == name
            || it.name().to_lowercase() == name
            || it.short_names().contains(&name);
        let in_version =
            version == it.version() || version == "v1" && *it == Kind::HorizontalPodAutoscaler;
        let in_group = rest.is_empty()
            || it.group() == rest
            || it.group() == group && in_version
            || rest == it.version() && it.group().is_empty();
        named && in_group
    };
    let found = Kind::ALL.iter().copied().find(matches).filter(|it| *it != Kind::Binding);
    found.ok_or_else(|| {
        match crate::commands::discovery::resources().find(|it| it.is_named(&lower)) {
            Some(it) => Failure::Text(format!(
                "the simulation keeps no {}, unlike a real server",
                it.qualified()
            )),
            // The group of a full name is not repeated.
            None => Failure::Text(format!("the server doesn't have a resource type {name:?}")),
        }
    })
}

fn kinds(words: &str) -> Result<Vec<Kind>, Failure> {
    let mut kinds = vec![];
    for word in words.split(',') {
        let more = if word == "all" { ALL.to_vec() } else { vec![kind(word)?] };
        for it in more {
            if !kinds.contains(&it) {
                kinds.push(it);
            }
        }
    }
    Ok(kinds)
}

/// Resolves the arguments of a command.
pub(crate) fn resolve(args: &[String], query: &Query<'_>) -> Result<Asked, Failure> {
    // Of several kinds each is asked for each name. Upstream: `normalizeMultipleResourcesArgs`.
    if let Some((kinds, names)) = args.split_first()
        && kinds.contains(',')
        && !names.is_empty()
    {
        let kinds = kinds.split(',');
        let pairs = kinds.flat_map(|kind| names.iter().map(move |name| format!("{kind}/{name}")));
        return resolve(&pairs.collect::<Vec<_>>(), query);
    }
    let with_slash = args.iter().filter(|it| it.contains('/')).count();
    if with_slash > 0 && with_slash < args.len() {
        return Err(Failure::text(
            "there is no need to specify a resource type as a separate argument when passing \
             arguments in resource/name form (e.g. 'kubectl get resource/<resource_name>' instead of \
             'kubectl get resource resource/<resource_name>'",
        ));
    }
    let by_selector = query.all || query.selector.is_some() || query.field_selector.is_some();
    if with_slash > 0 {
        let names = args.iter().map(|it| type_and_name(it)).collect::<Result<Vec<_>, _>>()?;
        if by_selector {
            return Err(Failure::text(
                "selectors and the all flag cannot be used when passing resource/name arguments",
            ));
        }
        let mut found = vec![];
        for (word, name) in names {
            found.push((kind(word)?, name.to_owned()));
        }
        return checked(Asked::Names(found), query);
    }
    let Some((first, names)) = args.split_first() else {
        let text = if by_selector {
            "at least one resource must be specified to use a selector"
        } else {
            "You must provide one or more resources by argument or filename.\nExample resource \
             specifications include:\n   '-f rsrc.yaml'\n   '--filename=rsrc.json'\n   '<resource> \
             <name>'\n   '<resource>'"
        };
        return Err(Failure::text(text));
    };
    if by_selector && !names.is_empty() {
        return Err(Failure::text("name cannot be provided when a selector is specified"));
    }
    let kinds = kinds(first)?;
    if names.is_empty() {
        if !by_selector && !query.lists {
            return Err(Failure::text("resource(s) were provided, but no name was specified"));
        }
        return Ok(Asked::Kinds(kinds));
    }
    let [kind] = kinds[..] else {
        return Err(Failure::text("you must specify only one resource"));
    };
    checked(Asked::Names(names.iter().map(|it| (kind, it.clone())).collect()), query)
}

fn checked(asked: Asked, query: &Query<'_>) -> Result<Asked, Failure> {
    if let Asked::Names(names) = &asked
        && query.all_namespaces
        && names.iter().any(|it| it.0.namespaced())
    {
        let text = "a resource cannot be retrieved by name across all namespaces";
        return Err(Failure::text(text));
    }
    Ok(asked)
}

fn type_and_name(word: &str) -> Result<(&str, &str), Failure> {
    let parts: Vec<&str> = word.split('/').collect();
    match parts[..] {
        [kind, name] if !kind.is_empty() && !name.is_empty() && !kind.contains(',') => {
            Ok((kind, name))
        }
        [_, _] => Err(Failure::text(
            "arguments in resource/name form must have a single resource and name",
        )),
        _ => Err(Failure::text("arguments in resource/name form may not have more than one slash")),
    }
}

/// The objects that were asked for, with what was not found.
pub(crate) fn find<'a>(
    objects: &'a Objects,
    asked: &Asked,
    query: &Query<'_>,
) -> Result<(Vec<Listed<'a>>, Vec<Failure>), Failure> {
    let (mut found, mut failures) = (vec![], vec![]);
    match asked {
        Asked::Names(names) => {
            for (kind, name) in names {
                let namespace = if kind.namespaced() { query.namespace } else { "" };
                let key = ObjectRef::new(*kind, namespace, name);
                match objects.get(&key) {
                    Some(object) => found.push(Listed::of(object)),
                    None => failures.push(ApiError::not_found(&key).into()),
                }
            }
        }
        Asked::Kinds(kinds) => {
            for kind in kinds {
                match listed(objects, *kind, query) {
                    Ok(more) => found.extend(more),
                    Err(failure) => failures.push(failure),
                }
            }
        }
    }
    Ok((found, failures))
}

/// The objects of a kind that meet the selectors.
pub(crate) fn list(
    objects: &Objects,
    kind: Kind,
    query: &Query<'_>,
) -> Result<Vec<Object>, Failure> {
    let found = listed(objects, kind, query)?;
    Ok(found.into_iter().map(|it| it.object.clone()).collect())
}

fn listed<'a>(
    objects: &'a Objects,
    kind: Kind,
    query: &Query<'_>,
) -> Result<Vec<Listed<'a>>, Failure> {
    let bad = |why: String| {
        let version = match kind.group() {
            "" => format!("/{}", kind.version()),
            group => format!("{group}/{}", kind.version()),
        };
        let message = format!(
            "Unable to find \"{version}, Resource={}\" that match label selector {}, field selector \
             {}: {why}",
            kind.plural(),
            api::fields::quote(query.selector.unwrap_or_default()),
            api::fields::quote(query.field_selector.unwrap_or_default()),
        );
        Failure::from(ApiError::new(ApiReason::BadRequest, message))
    };
    let selector = names::selector(query.selector.unwrap_or_default()).map_err(bad)?;
    let fields = parse_fields(query.field_selector.unwrap_or_default()).map_err(bad)?;
    if let Some(field) = fields.iter().find(|it| !is_selectable(kind, &it.path)) {
        return Err(bad(match kind {
            Kind::Job => format!("field label {:?} not supported for Job", field.path),
            Kind::Pod
            | Kind::Node
            | Kind::Namespace
            | Kind::Secret
            | Kind::Service
            | Kind::Event => format!("field label not supported: {}", field.path),
            _ => format!(
                "{:?} is not a known field selector: only \"metadata.name\", \
                 \"metadata.namespace\"",
                field.path
            ),
        }));
    }
    let keys: Vec<Vec<&str>> = fields.iter().map(|it| it.path.split('.').collect()).collect();
    let none = BTreeMap::new();
    let everything = selector.requirements.is_empty() && fields.is_empty();
    let matches = |it: &Object| {
        (selector.requirements.is_empty()
            || selector.matches(it.meta().labels.as_ref().unwrap_or(&none)))
            && fields.iter().zip(&keys).all(|(field, keys)| field.accepts(it, keys))
    };
    let namespace = if query.all_namespaces { None } else { Some(query.namespace) };
    let namespace = namespace.filter(|_| kind.namespaced());
    let about = fields.iter().find(|it| it.path == "involvedObject.name" && !it.negated);
    let all = match about {
        Some(field) => rows::listed_about(objects, &field.value, namespace),
        None => rows::listed(objects, kind, namespace),
    };
    if everything {
        return Ok(all);
    }
    let mut found = vec![];
    for block in all.chunks(rows::BLOCK) {
        // The metadata of an event would first have to be made.
        if !selector.requirements.is_empty() && kind != Kind::Event {
            rows::labels_near(block);
        }
        found.extend(block.iter().filter(|it| matches(it.object)));
    }
    Ok(found)
}

/// One term of a field selector.
struct Field {
    path: String,
    value: String,
    negated: bool,
}

impl Field {
    /// `keys` are those of its path.
    fn accepts(&self, object: &Object, keys: &[&str]) -> bool {
        let is_equal = match plain_field(object, keys) {
            Some(value) => value == self.value,
            None => field_value(object, &self.path) == self.value,
        };
        is_equal != self.negated
    }
}

fn parse_fields(text: &str) -> Result<Vec<Field>, String> {
    let mut fields = vec![];
    for term in text.split(',').filter(|it| !it.is_empty()) {
        let operators = [("!=", true), ("==", false), ("=", false)];
        let split = operators.iter().find_map(|(operator, negated)| {
            term.split_once(operator).map(|(path, value)| (path, value, *negated))
        });
        let Some((path, value, negated)) = split else {
            return Err(format!("invalid selector: '{text}'; can't understand '{term}'"));
        };
        fields.push(Field { path: path.to_owned(), value: value.to_owned(), negated });
    }
    Ok(fields)
}

/// Upstream: the field label conversions of `pkg/apis/*/v1/conversion.go`.
fn is_selectable(kind: Kind, path: &str) -> bool {
    let more: &[&str] = match kind {
        Kind::Pod => &[
            "spec.nodeName",
            "spec.restartPolicy",
            "spec.schedulerName",
            "spec.serviceAccountName",
            "spec.hostNetwork",
            "status.phase",
            "status.podIP",
            "status.podIPs",
            "status.nominatedNodeName",
        ],
        Kind::Node => &["spec.unschedulable"],
        Kind::Namespace => &["status.phase"],
        Kind::Secret => &["type"],
        Kind::Service => &["spec.clusterIP", "spec.type"],
        Kind::Job => &["status.successful"],
        Kind::Event => &[
            "involvedObject.kind",
            "involvedObject.namespace",
            "involvedObject.name",
            "involvedObject.uid",
            "involvedObject.apiVersion",
            "involvedObject.resourceVersion",
            "involvedObject.fieldPath",
            "reason",
            "reportingComponent",
            "source",
            "type",
        ],
        _ => &[],
    };
    path == "metadata.name" || path == "metadata.namespace" || more.contains(&path)
}

/// The fields by which most are asked, without turning the object into JSON; `""` where there is
/// nothing.
pub(crate) fn plain_field<'a>(object: &'a Object, path: &[&str]) -> Option<&'a str> {
    let text = |it: Option<&'a String>| Some(it.map(String::as_str).unwrap_or_default());
    match (path, object) {
        (["metadata", "name"], _) => Some(object.name()),
        (["metadata", "namespace"], _) => Some(object.namespace()),
        (["spec", "nodeName"], Object::Pod(pod)) => {
            text(pod.spec.as_ref().and_then(|it| it.node_name.as_ref()))
        }
        (["status", "phase"], Object::Pod(pod)) => {
            text(pod.status.as_ref().and_then(|it| it.phase.as_ref()))
        }
        (["type"], Object::Event(event)) => Some(event.type_name()),
        (["reason"], Object::Event(event)) => Some(event.reason()),
        (["involvedObject", "name"], Object::Event(event)) => Some(event.about_name()),
        (["involvedObject", "kind"], Object::Event(event)) => Some(event.about_kind()),
        _ => None,
    }
}

/// A time of whole seconds that is a field of an object by its keys, if it is one of those that are
/// asked for often, and set.
pub(crate) fn plain_time(object: &Object, path: &[&str]) -> Option<api::Timestamp> {
    match (path, object) {
        (["metadata", "creationTimestamp"], Object::Event(event)) => event.created(),
        (["metadata", "creationTimestamp"], _) => {
            object.meta().creation_timestamp.as_ref().map(|it| it.0)
        }
        (["lastTimestamp"], Object::Event(event)) => event.last_timestamp(),
        (["firstTimestamp"], Object::Event(event)) => event.first_timestamp(),
        _ => None,
    }
}

fn field_value(object: &Object, path: &str) -> String {
    let path_of = |path: &str| {
        let keys: Vec<&str> = path.split('.').collect();
        text_at(&api::sent::value_along(object, &keys), path)
    };
    match path {
        "source" => path_of("source.component")
            .or_else(|| path_of("reportingComponent"))
            .unwrap_or_default(),
        "status.successful" => path_of("status.succeeded").unwrap_or_else(|| "0".into()),
        "spec.unschedulable" | "spec.hostNetwork" => {
            path_of(path).unwrap_or_else(|| "false".into())
        }
        _ => path_of(path).unwrap_or_default(),
    }
}

fn text_at(value: &serde_json::Value, path: &str) -> Option<String> {
    let value = path.split('.').try_fold(value, |value, key| value.get(key))?;
    Some(match value {
        serde_json::Value::String(text) => text.clone(),
        other => other.to_string(),
    })
}
