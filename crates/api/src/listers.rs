//! Read-only views over the store, named after client-go's listers.

use k8s_openapi::api::core::v1::{Node, Pod};

use crate::objects::typed;
use crate::{Object, ObjectRef, Objects, Resource};

/// Reads the store. A read sees the last write: there is no informer lag.
#[derive(Clone, Copy, Debug)]
pub struct Listers<'a>(pub &'a Objects);

impl<'a> Listers<'a> {
    /// The object of a type with this namespace (empty for kinds without one) and name.
    #[must_use]
    pub fn get<T: Resource>(&self, namespace: &str, name: &str) -> Option<&'a T> {
        typed(self.0.get(&ObjectRef::new(T::KIND, namespace, name))?)
    }

    /// The object behind a key, if it is of the type.
    #[must_use]
    pub fn by_ref<T: Resource>(&self, key: &ObjectRef) -> Option<&'a T> {
        typed(self.0.get(key)?)
    }

    /// The object behind a key.
    #[must_use]
    pub fn object(&self, key: &ObjectRef) -> Option<&'a Object> {
        self.0.get(key)
    }

    /// All objects of a type, by namespace and name.
    pub fn list<T: Resource + 'a>(&self) -> impl DoubleEndedIterator<Item = &'a T> + use<'a, T> {
        self.0.list(T::KIND).filter_map(typed)
    }

    /// The objects of a type in one namespace, by name.
    pub fn list_in<T: Resource + 'a>(
        &self,
        namespace: &'a str,
    ) -> impl Iterator<Item = &'a T> + use<'a, T> {
        self.0.list_in(T::KIND, namespace).filter_map(typed)
    }

    /// The node with this name.
    #[must_use]
    pub fn node(&self, name: &str) -> Option<&'a Node> {
        self.get("", name)
    }

    /// The pods bound to a node, finished ones included.
    pub fn pods_on(&self, node: &str) -> impl Iterator<Item = &'a Pod> + use<'a> {
        let objects = self.0;
        objects.pods_on(node).filter_map(|key| typed(objects.get(key)?))
    }

    /// The objects of a type that name the uid among their owners (controlling or not).
    pub fn owned_by<T: Resource + 'a>(
        &self,
        uid: &str,
    ) -> impl Iterator<Item = &'a T> + use<'a, T> {
        let objects = self.0;
        let keys = objects.owned_by(uid).filter(|key| key.kind == T::KIND);
        keys.filter_map(|key| typed(objects.get(key)?))
    }

    /// The objects of a type in a namespace that no controller owns, by name. Only for `Pod`,
    /// `ReplicaSet` and `ControllerRevision`, which controllers adopt.
    pub fn orphans<T: Resource + 'a>(
        &self,
        namespace: &'a str,
    ) -> impl Iterator<Item = &'a T> + use<'a, T> {
        let objects = self.0;
        objects.orphans(T::KIND, namespace).filter_map(|key| typed(objects.get(key)?))
    }
}
