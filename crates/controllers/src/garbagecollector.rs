//! Deletes objects whose owners are gone, and carries out foreground and orphan deletion.
//!
//! Upstream: `pkg/controller/garbagecollector/{garbagecollector,graph_builder,operations}.go`, v1.36.
//! Differs from upstream: the owner index of the store takes the place of the graph; there are no
//! virtual nodes and no cache of absent owners, because reads see the last write.

use api::k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};
use api::time::after_ms;
use api::{
    Action, Change, Component, ComponentId, DeleteOptions, Kind, Listers, Object, ObjectRef, Patch,
    Plan, Propagation, View, WorkQueue,
};

/// Upstream: `metav1.FinalizerOrphanDependents`.
const ORPHAN: &str = "orphan";
/// Upstream: `metav1.FinalizerDeleteDependents`.
const FOREGROUND: &str = "foregroundDeletion";

/// The garbage collector.
#[derive(Clone, Copy, Debug, Default)]
pub struct GarbageCollector;

impl Component for GarbageCollector {
    fn id(&self) -> ComponentId {
        ComponentId::GarbageCollector
    }

    fn start(&mut self, view: &View<'_>, queue: &mut WorkQueue) {
        for kind in Kind::ALL {
            for object in view.listers.0.list(*kind) {
                let meta = object.meta();
                if meta.owner_references.is_some() || meta.deletion_timestamp.is_some() {
                    queue.add_at(object.object_ref(), view.now);
                }
            }
        }
    }

    fn react(&mut self, change: &Change, view: &View<'_>, queue: &mut WorkQueue) {
        let at = after_ms(view.now, view.settings.controller_latency_ms);
        let mut add = |key: ObjectRef| queue.add_at(key, at);
        match (&change.old, &change.new) {
            (None, Some(new)) => {
                let key = new.object_ref();
                let dangles = owners(new.meta())
                    .iter()
                    .any(|it| matches!(resolve(it, &key, &view.listers), Owner::Absent));
                if dangles || starts_special_deletion(None, new.meta()) {
                    add(key);
                }
            }
            (Some(old), Some(new)) => updated(old, new, view, &mut add),
            (Some(old), None) => {
                for key in view.listers.0.owned_by(old.uid()) {
                    add(key.clone());
                }
                owners_that_wait(old, view, &mut add);
            }
            (None, None) => {}
        }
    }

    fn decide(&mut self, key: &ObjectRef, view: &View<'_>) -> Plan {
        let mut plan = Plan::default();
        if let Some(object) = view.listers.object(key) {
            attempt_to_delete(object, &view.listers, &mut plan);
            // The orphans' former owner hears of them before it goes.
            if is_deleted_with(object.meta(), ORPHAN) && !plan.is_empty() {
                plan.requeue(after_ms(view.now, 2 * view.settings.controller_latency_ms));
            }
        }
        plan
    }

    fn boxed_clone(&self) -> Box<dyn Component> {
        Box::new(*self)
    }
}

/// Upstream: the update branch of `processGraphChanges`.
fn updated(old: &Object, new: &Object, view: &View<'_>, add: &mut impl FnMut(ObjectRef)) {
    let (before, after) = (old.meta(), new.meta());
    if before.owner_references != after.owner_references {
        add(new.object_ref());
        owners_that_wait(old, view, add);
    }
    if starts_special_deletion(Some(before), after) {
        for key in view.listers.0.owned_by(new.uid()) {
            add(key.clone());
        }
        add(new.object_ref());
    }
}

/// The orphan or foreground finalizer stands on an object that is being deleted, and did not before:
/// one may take the other's place. Upstream: `deletionStartsWithFinalizer`.
fn starts_special_deletion(old: Option<&ObjectMeta>, new: &ObjectMeta) -> bool {
    [ORPHAN, FOREGROUND].into_iter().any(|finalizer| {
        is_deleted_with(new, finalizer) && !old.is_some_and(|it| is_deleted_with(it, finalizer))
    })
}

/// The owners of an object that wait for their dependents.
fn owners_that_wait(object: &Object, view: &View<'_>, add: &mut impl FnMut(ObjectRef)) {
    let key = object.object_ref();
    for reference in owners(object.meta()) {
        if let Owner::Waiting(owner) = resolve(reference, &key, &view.listers) {
            add(owner.object_ref());
        }
    }
}

fn owners(meta: &ObjectMeta) -> &[OwnerReference] {
    meta.owner_references.as_deref().unwrap_or_default()
}

fn has_finalizer(meta: &ObjectMeta, name: &str) -> bool {
    meta.finalizers.iter().flatten().any(|it| it == name)
}

fn is_deleted_with(meta: &ObjectMeta, finalizer: &str) -> bool {
    meta.deletion_timestamp.is_some() && has_finalizer(meta, finalizer)
}

/// What has become of an owner. Upstream: `classifyReferences`.
enum Owner<'a> {
    Solid,
    Absent,
    /// It waits for its dependents to go first.
    Waiting(&'a Object),
    /// It cannot be told: nothing is done about the item.
    Unknown,
}

fn resolve<'a>(reference: &OwnerReference, item: &ObjectRef, listers: &Listers<'a>) -> Owner<'a> {
    // Kinds that the store does not keep cannot be told to be absent.
    let Some(key) = ObjectRef::of_owner(reference, &item.namespace) else { return Owner::Unknown };
    // An owner in a namespace that the item has not is not looked for.
    if key.kind.namespaced() && item.namespace.is_empty() {
        return Owner::Unknown;
    }
    match listers.object(&key) {
        Some(owner) if owner.uid() != reference.uid => Owner::Absent,
        Some(owner) if is_deleted_with(owner.meta(), FOREGROUND) => Owner::Waiting(owner),
        Some(_) => Owner::Solid,
        None => Owner::Absent,
    }
}

/// Upstream: `attemptToDeleteItem`, `attemptToOrphanWorker`.
fn attempt_to_delete(item: &Object, listers: &Listers<'_>, plan: &mut Plan) {
    let meta = item.meta();
    if is_deleted_with(meta, ORPHAN) {
        orphan_dependents(item, listers, plan);
        if plan.is_empty() {
            plan.push(remove_finalizer(item, ORPHAN));
        }
        return;
    }
    if is_deleted_with(meta, FOREGROUND) {
        process_deleting_dependents(item, listers, plan);
        return;
    }
    if meta.deletion_timestamp.is_some() || owners(meta).is_empty() {
        return;
    }
    let key = item.object_ref();
    let (mut solid, mut waiting) = (Vec::new(), false);
    for reference in owners(meta) {
        match resolve(reference, &key, listers) {
            Owner::Solid => solid.push(reference),
            Owner::Absent => {}
            Owner::Waiting(_) => waiting = true,
            Owner::Unknown => return,
        }
    }
    if !solid.is_empty() {
        if solid.len() < owners(meta).len() {
            plan.push(set_owners(&key, &solid));
        }
        return;
    }
    let has_dependents = listers.0.owned_by(item.uid()).next().is_some();
    if waiting && has_dependents {
        let circular = listers
            .0
            .owned_by(item.uid())
            .filter_map(|it| listers.object(it))
            .any(|it| is_deleted_with(it.meta(), FOREGROUND));
        if circular {
            plan.push(unblock_owners(&key, owners(meta)));
        }
        plan.push(delete(item, Propagation::Foreground));
        return;
    }
    let propagation = if has_finalizer(meta, ORPHAN) {
        Propagation::Orphan
    } else if has_finalizer(meta, FOREGROUND) {
        Propagation::Foreground
    } else {
        Propagation::Background
    };
    plan.push(delete(item, propagation));
}

/// Lets an object go that has waited for its dependents, or sees to those that came while it waited.
/// Upstream: `processDeletingDependentsItem`.
fn process_deleting_dependents(item: &Object, listers: &Listers<'_>, plan: &mut Plan) {
    let mut blocking = blocking_dependents(item, listers).peekable();
    if blocking.peek().is_none() {
        plan.push(remove_finalizer(item, FOREGROUND));
    }
    for dependent in blocking.filter_map(|key| listers.object(key)) {
        if dependent.meta().deletion_timestamp.is_none() {
            attempt_to_delete(dependent, listers, plan);
        }
    }
}

/// The dependents that their owner must outlive.
fn blocking_dependents<'a>(
    owner: &'a Object,
    listers: &Listers<'a>,
) -> impl Iterator<Item = &'a ObjectRef> {
    let listers = *listers;
    listers.0.owned_by(owner.uid()).filter(move |key| {
        let meta = listers.object(key).map(Object::meta);
        let mut references = meta.into_iter().flat_map(owners);
        references.any(|it| it.uid == owner.uid() && it.block_owner_deletion == Some(true))
    })
}

fn orphan_dependents(owner: &Object, listers: &Listers<'_>, plan: &mut Plan) {
    for key in listers.0.owned_by(owner.uid()) {
        let Some(dependent) = listers.object(key) else { continue };
        let rest: Vec<&OwnerReference> =
            owners(dependent.meta()).iter().filter(|it| it.uid != owner.uid()).collect();
        plan.push(set_owners(key, &rest));
    }
}

fn delete(item: &Object, propagation: Propagation) -> Action {
    Action::Delete {
        key: item.object_ref(),
        options: DeleteOptions {
            propagation: Some(propagation),
            uid: Some(item.uid().to_owned()),
            ..DeleteOptions::default()
        },
    }
}

fn patch_metadata(key: &ObjectRef, metadata: serde_json::Value) -> Action {
    let patch = Patch::Merge(serde_json::json!({ "metadata": metadata }));
    Action::Patch { key: key.clone(), subresource: "", patch }
}

fn set_owners(key: &ObjectRef, references: &[&OwnerReference]) -> Action {
    let list =
        if references.is_empty() { serde_json::Value::Null } else { serde_json::json!(references) };
    patch_metadata(key, serde_json::json!({ "ownerReferences": list }))
}

/// Breaks a circle of objects that wait for one another.
fn unblock_owners(key: &ObjectRef, references: &[OwnerReference]) -> Action {
    let references: Vec<OwnerReference> = references
        .iter()
        .map(|it| OwnerReference { block_owner_deletion: Some(false), ..it.clone() })
        .collect();
    set_owners(key, &references.iter().collect::<Vec<_>>())
}

fn remove_finalizer(item: &Object, name: &str) -> Action {
    let rest: Vec<&String> =
        item.meta().finalizers.iter().flatten().filter(|it| *it != name).collect();
    let list = if rest.is_empty() { serde_json::Value::Null } else { serde_json::json!(rest) };
    patch_metadata(&item.object_ref(), serde_json::json!({ "finalizers": list }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use api::k8s_openapi::api::apps::v1::{Deployment, ReplicaSet};
    use api::k8s_openapi::api::core::v1::Pod;
    use api::{Objects, Resource, Timestamp};

    fn meta(name: &str, owners: &[(&str, &str, bool)]) -> ObjectMeta {
        let references = owners.iter().map(|(kind, name, block)| OwnerReference {
            api_version: "apps/v1".into(),
            kind: (*kind).to_owned(),
            name: (*name).to_owned(),
            uid: format!("uid-{name}"),
            block_owner_deletion: Some(*block),
            controller: None,
        });
        ObjectMeta {
            name: Some(name.into()),
            namespace: Some("default".into()),
            uid: Some(format!("uid-{name}")),
            owner_references: (!owners.is_empty()).then(|| references.collect()),
            ..ObjectMeta::default()
        }
    }

    fn deployment(name: &str, finalizer: Option<&str>) -> Object {
        let mut it = Deployment { metadata: meta(name, &[]), ..Deployment::default() };
        if let Some(finalizer) = finalizer {
            it.metadata.finalizers = Some(vec![finalizer.to_owned()]);
            it.metadata.deletion_timestamp = Some(api::time::meta_time(Timestamp::UNIX_EPOCH));
        }
        it.into_object()
    }

    fn replica_set(name: &str, owner: &str) -> Object {
        let metadata = meta(name, &[("Deployment", owner, true)]);
        ReplicaSet { metadata, ..ReplicaSet::default() }.into_object()
    }

    fn pod(owners: &[(&str, &str, bool)]) -> Object {
        Pod { metadata: meta("p", owners), ..Pod::default() }.into_object()
    }

    /// What is done about the object named `name`, in short.
    fn check(objects: &[Object], name: &str, expected: &[&str]) {
        let mut store = Objects::default();
        for object in objects {
            store.put(object.clone());
        }
        let item = objects.iter().find(|it| it.name() == name).unwrap();
        let mut plan = Plan::default();
        attempt_to_delete(item, &Listers(&store), &mut plan);
        let told: Vec<String> = plan.actions.iter().map(tell).collect();
        assert_eq!(told, expected, "{name}");
    }

    fn tell(action: &Action) -> String {
        match action {
            Action::Delete { key, options } => {
                format!("delete {} {:?}", key.name, options.propagation.unwrap())
            }
            Action::Patch { key, patch: Patch::Merge(patch), .. } => {
                let metadata = patch["metadata"].as_object().unwrap();
                let (field, value) = metadata.iter().next().unwrap();
                let names: Vec<&str> = value
                    .as_array()
                    .into_iter()
                    .flatten()
                    .filter_map(|it| it["name"].as_str())
                    .collect();
                format!("set {} {field} [{}]", key.name, names.join(" "))
            }
            other => format!("{other:?}"),
        }
    }

    #[test]
    fn an_object_goes_when_no_owner_is_left() {
        let gone = pod(&[("ReplicaSet", "gone", true)]);
        check(std::slice::from_ref(&gone), "p", &["delete p Background"]);
        let owned = pod(&[("Deployment", "d", true)]);
        check(&[deployment("d", None), owned], "p", &[]);
        let mixed = pod(&[("Deployment", "d", true), ("ReplicaSet", "gone", true)]);
        check(&[deployment("d", None), mixed], "p", &["set p ownerReferences [d]"]);
        check(&[pod(&[])], "p", &[]);
    }

    #[test]
    fn an_owner_with_another_uid_is_absent() {
        let mut owner = deployment("d", None);
        owner.meta_mut().uid = Some("newer".into());
        check(&[owner, pod(&[("Deployment", "d", true)])], "p", &["delete p Background"]);
    }

    #[test]
    fn owners_of_unknown_kinds_keep_their_dependents() {
        check(&[pod(&[("Rollout", "r", true)])], "p", &[]);
        // Nor is anything done about other owners.
        let mixed =
            [("Deployment", "d", true), ("ReplicaSet", "gone", true), ("Rollout", "r", true)];
        check(&[deployment("d", None), pod(&mixed)], "p", &[]);
    }

    #[test]
    fn foreground_deletion_goes_from_the_leaves_to_the_root() {
        let root = deployment("d", Some(FOREGROUND));
        let leaf = pod(&[("ReplicaSet", "rs", true)]);
        let all = [root.clone(), replica_set("rs", "d"), leaf];
        check(&all, "d", &["delete rs Foreground"]);
        check(&all, "rs", &["delete rs Foreground"]);
        // What goes already is waited for.
        let mut going = replica_set("rs", "d");
        going.meta_mut().deletion_timestamp = Some(api::time::meta_time(Timestamp::UNIX_EPOCH));
        check(&[root.clone(), going], "d", &[]);
        check(&[root.clone(), replica_set("rs", "d")], "rs", &["delete rs Background"]);
        check(std::slice::from_ref(&root), "d", &["set d finalizers []"]);
        // A dependent that does not block does not hold its owner up.
        check(&[root, pod(&[("Deployment", "d", false)])], "d", &["set d finalizers []"]);
    }

    #[test]
    fn objects_that_wait_for_one_another_are_let_loose() {
        let going = |name: &str, owner: &str| {
            let mut it = replica_set(name, owner);
            it.meta_mut().finalizers = Some(vec![FOREGROUND.to_owned()]);
            it.meta_mut().deletion_timestamp = Some(api::time::meta_time(Timestamp::UNIX_EPOCH));
            it
        };
        let mut leaf = going("leaf", "x");
        leaf.meta_mut().owner_references = meta("", &[("ReplicaSet", "rs", true)]).owner_references;
        let all = [deployment("d", Some(FOREGROUND)), replica_set("rs", "d"), leaf];
        check(&all, "rs", &["set rs ownerReferences [d]", "delete rs Foreground"]);
    }

    #[test]
    fn an_object_is_deleted_as_its_own_finalizer_wants() {
        for (finalizer, expected) in [
            (ORPHAN, "delete p Orphan"),
            (FOREGROUND, "delete p Foreground"),
            ("example.com/own", "delete p Background"),
        ] {
            let mut it = pod(&[("ReplicaSet", "gone", true)]);
            it.meta_mut().finalizers = Some(vec![finalizer.to_owned()]);
            check(&[it], "p", &[expected]);
        }
    }

    #[test]
    fn one_kind_of_deletion_may_take_the_place_of_the_other() {
        for (before, after, starts) in [
            (None, Some(FOREGROUND), true),
            (Some(FOREGROUND), Some(FOREGROUND), false),
            (Some(FOREGROUND), Some(ORPHAN), true),
            (Some(ORPHAN), Some(FOREGROUND), true),
            (Some(ORPHAN), None, false),
        ] {
            let [old, new] = [before, after].map(|it| deployment("d", it));
            let got = starts_special_deletion(Some(old.meta()), new.meta());
            assert_eq!(got, starts, "{before:?} {after:?}");
        }
    }

    #[test]
    fn orphans_lose_their_owner_before_it_goes() {
        let root = deployment("d", Some(ORPHAN));
        let all = [root.clone(), replica_set("rs", "d")];
        check(&all, "d", &["set rs ownerReferences []"]);
        check(&[root], "d", &["set d finalizers []"]);
    }
}
