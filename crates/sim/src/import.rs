//! Objects as a real cluster shows them: `kubectl get nodes,pods,... -A -o yaml`.
//!
//! An object with a uid and a resource version was written by a server. It is taken as it is, its
//! status included, so that pods stay on their nodes and controllers go on where they were.

use api::k8s_openapi::api::core::v1::{Namespace, Node};
use api::yaml::{Data, Document, Node as Tree, Reading};
use api::{Kind, Object, ObjectRef, Resource, Timestamp, time};
use view::Severity;

use crate::history::Actor;
use crate::steps::{FAILED, NOT_READY};
use crate::world::{Logs, Run, World};

/// Whether a document was written by a server.
pub(crate) fn is_live(document: &Document) -> bool {
    let text = |key: &str| {
        let value = document.node.get("metadata").and_then(|it| it.get(key));
        value.and_then(Tree::as_str).is_some_and(|it| !it.is_empty())
    };
    text("uid") && text("resourceVersion")
}

/// The object of a document; of one that a server wrote also if some of its fields are not known.
pub(crate) fn object(document: &Document) -> Option<&Object> {
    if is_live(document) { document.lenient_object() } else { document.object() }
}

/// Turns the errors about documents that a server wrote into warnings: what is in a cluster need
/// not be known here.
pub(crate) fn soften(reading: &mut Reading) {
    if reading.is_clean() {
        return;
    }
    let live: Vec<_> =
        reading.documents.iter().filter(|it| is_live(it)).map(|it| it.span).collect();
    for it in &mut reading.diagnostics {
        // The documents are in the order of their places.
        let n = live.partition_point(|span| span.start.offset <= it.span.start.offset);
        let inside = n > 0 && it.span.start.offset <= live[n - 1].end.offset;
        if it.severity == Severity::Error && inside {
            it.severity = Severity::Warning;
        }
    }
}

/// When a server showed its objects, as far as they tell: the latest time in them.
pub(crate) fn present(documents: &[Document]) -> Option<Timestamp> {
    let mut latest = None;
    for document in documents.iter().filter(|it| is_live(it)) {
        latest_time(&document.node, &mut latest);
    }
    latest.map(|it| time::after_secs(it, 1))
}

fn latest_time(node: &Tree, latest: &mut Option<Timestamp>) {
    match &node.data {
        Data::Map(entries) => entries.iter().for_each(|it| latest_time(&it.value, latest)),
        Data::Seq(items) => items.iter().for_each(|it| latest_time(it, latest)),
        _ => {
            let text = node.as_str().unwrap_or_default();
            if (20..=30).contains(&text.len())
                && text.ends_with('Z')
                && let Ok(time) = text.parse::<Timestamp>()
            {
                *latest = (*latest).max(Some(time));
            }
        }
    }
}

/// Whether an object was written by a server.
pub(crate) fn is_written(object: &Object) -> bool {
    let meta = object.meta();
    let filled = |it: &Option<String>| it.as_ref().is_some_and(|it| !it.is_empty());
    filled(&meta.uid) && filled(&meta.resource_version)
}

/// Puts an object into the world as it is.
pub(crate) fn import(world: &mut World, mut object: Object, run: &Run, logs: &mut Logs) {
    let namespace = object.namespace().to_owned();
    if let Object::Lease(_) = &object
        && namespace == "kube-node-lease"
    {
        // The simulated kubelets write their own.
        return;
    }
    if object.kind().namespaced() {
        let key = ObjectRef::new(Kind::Namespace, "", &namespace);
        if world.store.objects().get(&key).is_none() {
            let mut missing = Namespace::default();
            missing.metadata.name = Some(namespace);
            // A namespace that was not shown with what is in it.
            let _ = world.store.create(missing.into_object(), world.now);
        }
    }
    if let Object::Node(node) = &object
        && let Some(switch) = trouble(node)
    {
        let annotations = object.meta_mut().annotations.get_or_insert_default();
        annotations.insert(switch.to_owned(), "true".to_owned());
    }
    let now = world.now;
    world.store.import(object, now);
    world.publish_changes("import", Actor::Scenario, run, logs);
}

/// The switch of a node that was not well: it stays so until somebody turns it.
fn trouble(node: &Node) -> Option<&'static str> {
    let conditions = node.status.iter().flat_map(|it| it.conditions.iter().flatten());
    let ready = conditions.into_iter().find(|it| it.type_ == "Ready")?;
    match ready.status.as_str() {
        "Unknown" => Some(FAILED),
        "False" => Some(NOT_READY),
        _ => None,
    }
}
