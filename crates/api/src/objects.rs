//! The data of the store: all objects by key, with the indexes that the components read.
//!
//! Only `apiserver::Store` changes it in a run. A clone is cheap: it shares what is not written to
//! afterwards, which is what makes checkpoints affordable.

mod slots;

use std::collections::BTreeMap;

use self::slots::{Slots, Stored};
use crate::{
    Kind, Object, ObjectRef, PodRow, Resource, SharedMap, SharedTable, SmolStr, hash_bytes,
};

/// Stands for the missing owner of an object that a controller could adopt.
const NO_OWNER: &str = "";

/// The places of a kind's objects by namespace and name, in the order in which they are listed.
#[derive(Clone, Debug, Default)]
struct Table {
    namespaces: BTreeMap<SmolStr, SharedMap<SmolStr, u32>>,
    len: usize,
}

/// The keys of the objects that have something in common, by a hash of it.
type Index = SharedTable<(SmolStr, SharedMap<ObjectRef, ()>)>;

/// All objects of a cluster.
#[derive(Clone, Debug, Default)]
pub struct Objects {
    slots: Slots,
    /// Where an object is, by the hash of its key.
    places: SharedTable<u32>,
    /// By the number of the kind; a kind without objects may have none yet.
    tables: Vec<Table>,
    /// Pods by `spec.nodeName`.
    by_node: Index,
    /// Everything by the uid of each of its owners; what could be adopted, by [`NO_OWNER`].
    by_owner: Index,
    /// How many events are not named after what they are about.
    n_odd_events: usize,
}

impl Objects {
    /// The object with this key.
    #[must_use]
    pub fn get(&self, key: &ObjectRef) -> Option<&Object> {
        let place = self.places.find(hash_of(key), |it| self.slots.is_of(*it, key))?;
        Some(&self.slots.get(*place)?.object)
    }

    /// Stores an object under its key and returns what was there before.
    pub fn put(&mut self, object: Object) -> Option<Object> {
        let key = object.object_ref();
        let hash = hash_of(&key);
        self.n_odd_events += usize::from(is_odd_event(&object));
        let place = self.places.find(hash, |it| self.slots.is_of(*it, &key)).copied();
        let Some(place) = place else {
            self.index(&key, &object, true);
            let place = self.slots.add(Stored::new(object));
            self.places.insert(hash, place);
            if self.tables.is_empty() {
                self.tables.resize_with(Kind::COUNT, Table::default);
            }
            let table = self.tables.get_mut(key.kind as usize)?;
            table.len += 1;
            table.namespaces.entry(key.namespace).or_default().insert(key.name, place);
            return None;
        };
        let old = self.slots.replace(place, Stored::new(object.clone()))?;
        self.n_odd_events -= usize::from(is_odd_event(&old));
        self.reindex(&key, &old, &object);
        Some(old)
    }

    /// Removes an object and returns it.
    pub fn remove(&mut self, key: &ObjectRef) -> Option<Object> {
        let place = self.places.remove(hash_of(key), |it| self.slots.is_of(*it, key))?;
        let old = self.slots.take(place)?;
        if let Some(table) = self.tables.get_mut(key.kind as usize)
            && let Some(names) = table.namespaces.get_mut(&key.namespace)
        {
            names.remove(&key.name);
            if names.is_empty() {
                table.namespaces.remove(&key.namespace);
            }
            table.len -= 1;
        }
        self.n_odd_events -= usize::from(is_odd_event(&old));
        self.index(key, &old, false);
        Some(old)
    }

    /// All objects of a kind, by namespace and name.
    pub fn list(&self, kind: Kind) -> impl DoubleEndedIterator<Item = &Object> + Clone {
        let namespaces =
            self.tables.get(kind as usize).into_iter().flat_map(|it| it.namespaces.values());
        namespaces.flat_map(|names| names.iter()).filter_map(|it| self.slots.object(it.1))
    }

    /// The objects of a kind in one namespace, by name.
    pub fn list_in<'a>(
        &'a self,
        kind: Kind,
        namespace: &'a str,
    ) -> impl Iterator<Item = &'a Object> {
        let names = self.tables.get(kind as usize).and_then(|it| it.namespaces.get(namespace));
        names.into_iter().flat_map(SharedMap::iter).filter_map(|it| self.slots.object(it.1))
    }

    /// The objects of a kind, in one namespace or in all, each with its name and with what tables
    /// say of it where that is kept: of pods.
    pub fn rows<'a, 'b>(
        &'a self,
        kind: Kind,
        namespace: Option<&'b str>,
    ) -> impl Iterator<Item = (&'a str, &'a Object, Option<&'a PodRow>)> + use<'a, 'b> {
        let namespaces = self.tables.get(kind as usize).into_iter().flat_map(|it| &it.namespaces);
        let asked = namespaces.filter(move |it| namespace.is_none_or(|asked| asked == it.0));
        let places = asked.flat_map(|it| it.1.iter());
        places.filter_map(|(name, place)| {
            let it = self.slots.get(*place)?;
            Some((name.as_str(), &it.object, it.row.as_deref()))
        })
    }

    /// Events in one namespace or in all, by namespace and name: at least all that are about
    /// something of this name. As recorders name their events after what they are about, these
    /// mostly stand together.
    pub fn events_about<'a>(
        &'a self,
        name: &str,
        namespace: Option<&str>,
    ) -> impl Iterator<Item = &'a Object> + use<'a> {
        let start = if self.n_odd_events == 0 { format!("{name}.") } else { String::new() };
        let table = self.tables.get(Kind::Event as usize);
        let namespaces = table.into_iter().flat_map(|it| &it.namespaces);
        let asked = namespaces.filter(|it| namespace.is_none_or(|asked| asked == it.0));
        let names: Vec<_> = asked.map(|it| it.1.from(&|name| **name < *start)).collect();
        names
            .into_iter()
            .flat_map(move |names| {
                let start = start.clone();
                names.take_while(move |it| it.0.starts_with(&start))
            })
            .filter_map(|it| self.slots.object(it.1))
    }

    /// How many objects of a kind there are.
    #[must_use]
    pub fn count(&self, kind: Kind) -> usize {
        self.tables.get(kind as usize).map_or(0, |table| table.len)
    }

    /// How many objects there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.places.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// The keys of the pods whose `spec.nodeName` is `node`.
    pub fn pods_on<'a>(&'a self, node: &str) -> impl Iterator<Item = &'a ObjectRef> + use<'a> {
        found(&self.by_node, node)
    }

    /// The keys of the objects that name the uid among their owners.
    pub fn owned_by<'a>(&'a self, uid: &str) -> impl Iterator<Item = &'a ObjectRef> + use<'a> {
        found(&self.by_owner, uid)
    }

    /// The keys of the objects of a kind in a namespace that no controller owns, by name. Kept for
    /// the kinds that controllers adopt: `Pod`, `ReplicaSet` and `ControllerRevision`.
    pub fn orphans<'a>(
        &'a self,
        kind: Kind,
        namespace: &'a str,
    ) -> impl Iterator<Item = &'a ObjectRef> {
        let from = ObjectRef::new(kind, namespace, "");
        let keys = group(&self.by_owner, NO_OWNER).map(|it| it.from(&|it| *it < from));
        let keys = keys.into_iter().flatten().map(|it| &it.0);
        keys.take_while(move |key| key.kind == kind && &*key.namespace == namespace)
    }

    fn index(&mut self, key: &ObjectRef, object: &Object, add: bool) {
        if let Some(node) = node_of(object) {
            edit(&mut self.by_node, node, key, add);
        }
        for uid in owners_of(object) {
            edit(&mut self.by_owner, uid, key, add);
        }
    }

    /// Brings the index up to date, where an object has another node or other owners than before.
    fn reindex(&mut self, key: &ObjectRef, old: &Object, new: &Object) {
        if node_of(old) != node_of(new) {
            for (object, add) in [(old, false), (new, true)] {
                if let Some(node) = node_of(object) {
                    edit(&mut self.by_node, node, key, add);
                }
            }
        }
        if !owners_of(old).eq(owners_of(new)) {
            for (object, add) in [(old, false), (new, true)] {
                for uid in owners_of(object) {
                    edit(&mut self.by_owner, uid, key, add);
                }
            }
        }
    }
}

/// The uids under which an object is found in the owner index.
fn owners_of(object: &Object) -> impl Iterator<Item = &str> {
    let adoptable =
        matches!(object.kind(), Kind::Pod | Kind::ReplicaSet | Kind::ControllerRevision);
    let orphan = adoptable && object.controller().is_none();
    let owners = object.owners().iter().map(|it| it.uid.as_str());
    owners.chain(orphan.then_some(NO_OWNER))
}

/// Whether something is an event whose name does not begin with that of what it is about, and a dot.
fn is_odd_event(object: &Object) -> bool {
    let Object::Event(event) = object else { return false };
    let rest = event.name().strip_prefix(event.about_name());
    rest.is_none_or(|it| !it.starts_with('.'))
}

fn node_of(object: &Object) -> Option<&str> {
    let pod = object.as_kind::<k8s_openapi::api::core::v1::Pod>()?;
    pod.spec.as_ref()?.node_name.as_deref().filter(|it| !it.is_empty())
}

fn edit(index: &mut Index, at: &str, key: &ObjectRef, add: bool) {
    let hash = hash_bytes(0, at.as_bytes());
    let is = |it: &(SmolStr, SharedMap<ObjectRef, ()>)| it.0 == at;
    match index.find_mut(hash, is) {
        Some((_, keys)) if add => {
            keys.insert(key.clone(), ());
        }
        Some((_, keys)) => {
            keys.remove(key);
            if keys.is_empty() {
                index.remove(hash, is);
            }
        }
        None if add => {
            let mut keys = SharedMap::default();
            keys.insert(key.clone(), ());
            index.insert(hash, (at.into(), keys));
        }
        None => {}
    }
}

/// The keys that an index has under a name.
fn found<'a>(index: &'a Index, at: &str) -> impl Iterator<Item = &'a ObjectRef> + use<'a> {
    group(index, at).into_iter().flat_map(SharedMap::iter).map(|it| &it.0)
}

fn group<'a>(index: &'a Index, at: &str) -> Option<&'a SharedMap<ObjectRef, ()>> {
    index.find(hash_bytes(0, at.as_bytes()), |it| it.0 == at).map(|it| &it.1)
}

fn hash_of(key: &ObjectRef) -> u64 {
    let namespace = hash_bytes(key.kind as u64, key.namespace.as_bytes());
    hash_bytes(namespace, key.name.as_bytes())
}

/// Typed access, for [`crate::Listers`].
pub(crate) fn typed<T: Resource>(object: &Object) -> Option<&T> {
    T::from_object(object).map(AsRef::as_ref)
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::core::v1::{self, ObjectReference};
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

    use super::*;
    use crate::Event;

    fn event(namespace: &str, name: &str, about: &str) -> Object {
        let metadata = ObjectMeta {
            name: Some(name.to_owned()),
            namespace: Some(namespace.to_owned()),
            ..ObjectMeta::default()
        };
        let about = ObjectReference { name: Some(about.to_owned()), ..ObjectReference::default() };
        let event = v1::Event { metadata, involved_object: about, ..v1::Event::default() };
        Event::from(event).into_object()
    }

    fn check(objects: &Objects, namespace: Option<&str>, expected: &[&str]) {
        let found: Vec<&str> = objects.events_about("a", namespace).map(Object::name).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn events_are_found_by_what_they_are_about_even_if_one_is_named_otherwise() {
        let mut objects = Objects::default();
        for (namespace, name, about) in
            [("x", "a.1", "a"), ("x", "a-b.1", "a-b"), ("y", "a.2", "a"), ("y", "b.1", "b")]
        {
            objects.put(event(namespace, name, about));
        }
        check(&objects, None, &["a.1", "a.2"]);
        check(&objects, Some("y"), &["a.2"]);
        let everything = ["a.2", "b.1", "odd"];
        let odd = event("y", "odd", "a");
        for stored in [odd.clone(), odd.clone()] {
            objects.put(stored);
            check(&objects, Some("y"), &everything);
        }
        objects.put(event("y", "odd", "od"));
        check(&objects, Some("y"), &everything);
        objects.remove(&odd.object_ref());
        check(&objects, Some("y"), &["a.2"]);
        objects.put(event("y", "b.1", "a"));
        check(&objects, Some("y"), &["a.2", "b.1"]);
        objects.put(event("y", "b.1", "b"));
        check(&objects, Some("y"), &["a.2"]);
    }

    /// A pod on one of three nodes with one of three owners, told apart by its generation.
    fn pod(name: &str, number: u64) -> Object {
        let owner = k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference {
            uid: format!("u{}", number % 3),
            controller: Some(true),
            ..Default::default()
        };
        let metadata = ObjectMeta {
            name: Some(name.to_owned()),
            namespace: Some(format!("ns{}", name.len() % 2)),
            generation: i64::try_from(number).ok(),
            owner_references: Some(vec![owner]),
            ..ObjectMeta::default()
        };
        let node_name = Some(format!("n{}", number / 3 % 3));
        let spec = Some(v1::PodSpec { node_name, ..v1::PodSpec::default() });
        v1::Pod { metadata, spec, status: None }.into_object()
    }

    /// What the tables and indexes hold must be what a sorted map of the objects says.
    fn check_against(objects: &Objects, model: &BTreeMap<(SmolStr, SmolStr), Object>) {
        assert_eq!((objects.len(), objects.count(Kind::Pod)), (model.len(), model.len()));
        assert!(objects.list(Kind::Pod).eq(model.values()));
        assert!(objects.list(Kind::Pod).rev().eq(model.values().rev()));
        let ns1 = model.iter().filter(|it| it.0.0 == "ns1").map(|it| it.1);
        assert!(objects.list_in(Kind::Pod, "ns1").eq(ns1));
        for n in 0..3 {
            let (node, uid) = (format!("n{n}"), format!("u{n}"));
            let on_node = model.values().filter(|it| node_of(it) == Some(&node));
            let owned = model.values().filter(|it| it.owners().iter().any(|it| it.uid == uid));
            assert!(objects.pods_on(&node).cloned().eq(on_node.map(Object::object_ref)));
            assert!(objects.owned_by(&uid).cloned().eq(owned.map(Object::object_ref)));
        }
    }

    #[test]
    fn whatever_is_put_and_removed_is_found_in_order_and_copies_stay_as_they_were() {
        let mut random = 1_u64;
        let mut next = |below: u64| {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (random >> 33) % below
        };
        let (mut objects, mut model) = (Objects::default(), BTreeMap::new());
        let mut copies = Vec::new();
        for step in 0..4_000 {
            // Names of two lengths, so that both namespaces have some.
            let object = pod(&format!("p{}", next(60)), step);
            let key = object.object_ref();
            let place = (key.namespace.clone(), key.name.clone());
            if next(3) > 0 {
                assert_eq!(objects.put(object.clone()), model.insert(place, object));
            } else {
                assert_eq!(objects.remove(&key), model.remove(&place));
            }
            let other = pod(&format!("p{}", next(60)), 0).object_ref();
            let found = model.get(&(other.namespace.clone(), other.name.clone()));
            assert_eq!(objects.get(&other), found);
            if step % 400 == 0 {
                copies.push((objects.clone(), model.clone()));
            }
        }
        copies.push((objects, model));
        for (objects, model) in &copies {
            check_against(objects, model);
        }
        // Places are used again: there are never more than one page too many.
        let last = copies.last().unwrap();
        assert!(last.0.slots.n_pages() <= 60_usize.div_ceil(16) + 1);
    }
}
