//! The data of the store: all objects by key, with the indexes that the components read.
//!
//! Only `apiserver::Store` changes it in a run. A clone is cheap: tables are shared until one of
//! the two is written to, which is what makes checkpoints affordable.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::{Kind, Object, ObjectRef, Resource};

/// Stands for the missing owner of an object that a controller could adopt.
const NO_OWNER: &str = "";

/// Namespace and name, in the order in which objects are listed.
type Key = (Arc<str>, Arc<str>);
type Table = Arc<BTreeMap<Key, Object>>;
type Index = Arc<BTreeMap<Arc<str>, BTreeSet<ObjectRef>>>;

/// All objects of a cluster.
#[derive(Clone, Debug, Default)]
pub struct Objects {
    tables: BTreeMap<Kind, Table>,
    /// Pods by `spec.nodeName`.
    by_node: Index,
    /// Everything by the uid of each of its owners; what could be adopted, by [`NO_OWNER`].
    by_owner: Index,
}

impl Objects {
    /// The object with this key.
    #[must_use]
    pub fn get(&self, key: &ObjectRef) -> Option<&Object> {
        self.tables.get(&key.kind)?.get(&(key.namespace.clone(), key.name.clone()))
    }

    /// Stores an object under its key and returns what was there before.
    pub fn put(&mut self, object: Object) -> Option<Object> {
        let key = object.object_ref();
        self.index(&key, &object, true);
        let table = Arc::make_mut(self.tables.entry(key.kind).or_default());
        let old = table.insert((key.namespace.clone(), key.name.clone()), object.clone());
        if let Some(old) = &old {
            self.unindex_stale(&key, old, &object);
        }
        old
    }

    /// Removes an object and returns it.
    pub fn remove(&mut self, key: &ObjectRef) -> Option<Object> {
        let table = Arc::make_mut(self.tables.get_mut(&key.kind)?);
        let old = table.remove(&(key.namespace.clone(), key.name.clone()))?;
        self.index(key, &old, false);
        Some(old)
    }

    /// All objects of a kind, by namespace and name.
    pub fn list(&self, kind: Kind) -> impl DoubleEndedIterator<Item = &Object> + Clone {
        self.tables.get(&kind).into_iter().flat_map(|table| table.values())
    }

    /// The objects of a kind in one namespace, by name.
    pub fn list_in<'a>(
        &'a self,
        kind: Kind,
        namespace: &'a str,
    ) -> impl Iterator<Item = &'a Object> {
        let from: Key = (namespace.into(), "".into());
        let table = self.tables.get(&kind).into_iter();
        table
            .flat_map(move |table| table.range(from.clone()..))
            .take_while(move |((ns, _), _)| &**ns == namespace)
            .map(|(_, object)| object)
    }

    /// How many objects of a kind there are.
    #[must_use]
    pub fn count(&self, kind: Kind) -> usize {
        self.tables.get(&kind).map_or(0, |table| table.len())
    }

    /// How many objects there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.tables.values().map(|table| table.len()).sum()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The keys of the pods whose `spec.nodeName` is `node`.
    pub fn pods_on<'a>(&'a self, node: &str) -> impl Iterator<Item = &'a ObjectRef> + use<'a> {
        self.by_node.get(node).into_iter().flatten()
    }

    /// The keys of the objects that name the uid among their owners.
    pub fn owned_by<'a>(&'a self, uid: &str) -> impl Iterator<Item = &'a ObjectRef> + use<'a> {
        self.by_owner.get(uid).into_iter().flatten()
    }

    /// The keys of the objects of a kind in a namespace that no controller owns, by name. Kept for
    /// the kinds that controllers adopt: `Pod`, `ReplicaSet` and `ControllerRevision`.
    pub fn orphans<'a>(
        &'a self,
        kind: Kind,
        namespace: &'a str,
    ) -> impl Iterator<Item = &'a ObjectRef> {
        let from = ObjectRef::new(kind, namespace, "");
        let keys = self.by_owner.get(NO_OWNER).into_iter();
        keys.flat_map(move |keys| keys.range(from.clone()..))
            .take_while(move |key| key.kind == kind && &*key.namespace == namespace)
    }

    fn index(&mut self, key: &ObjectRef, object: &Object, add: bool) {
        if let Some(node) = node_of(object) {
            edit(&mut self.by_node, node, key, add);
        }
        for uid in owners_of(object) {
            edit(&mut self.by_owner, uid, key, add);
        }
    }

    /// Drops the index entries that `old` had and `new` has no more.
    fn unindex_stale(&mut self, key: &ObjectRef, old: &Object, new: &Object) {
        if let Some(node) = node_of(old).filter(|it| node_of(new) != Some(it)) {
            edit(&mut self.by_node, node, key, false);
        }
        for uid in owners_of(old).filter(|uid| !owners_of(new).any(|it| it == *uid)) {
            edit(&mut self.by_owner, uid, key, false);
        }
    }
}

/// The uids under which an object is found in the owner index.
fn owners_of(object: &Object) -> impl Iterator<Item = &str> {
    let adoptable =
        matches!(object.kind(), Kind::Pod | Kind::ReplicaSet | Kind::ControllerRevision);
    let orphan = adoptable && object.controller().is_none();
    let owners = object.meta().owner_references.iter().flatten().map(|it| it.uid.as_str());
    owners.chain(orphan.then_some(NO_OWNER))
}

fn node_of(object: &Object) -> Option<&str> {
    let pod = object.as_kind::<k8s_openapi::api::core::v1::Pod>()?;
    pod.spec.as_ref()?.node_name.as_deref().filter(|it| !it.is_empty())
}

fn edit(index: &mut Index, at: &str, key: &ObjectRef, add: bool) {
    let index = Arc::make_mut(index);
    if add {
        index.entry(at.into()).or_default().insert(key.clone());
    } else if let Some(keys) = index.get_mut(at) {
        keys.remove(key);
        if keys.is_empty() {
            index.remove(at);
        }
    }
}

/// Typed access, for [`crate::Listers`].
pub(crate) fn typed<T: Resource>(object: &Object) -> Option<&T> {
    T::from_object(object).map(AsRef::as_ref)
}
