//! One enum over all kinds of objects, and the trait by which typed code reaches into it.

use std::sync::Arc;

use k8s_openapi::api;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::{Kind, ObjectRef};

/// A type that the store keeps.
pub trait Resource: Clone + Default + PartialEq + Serialize + Sized {
    /// Its kind.
    const KIND: Kind;
    /// The object as this type, if it is one.
    fn from_object(object: &Object) -> Option<&Arc<Self>>;
    /// Wraps it.
    fn into_object(self) -> Object;
    /// Its metadata.
    fn meta(&self) -> &ObjectMeta;
    /// Its metadata, for change.
    fn meta_mut(&mut self) -> &mut ObjectMeta;

    /// `metadata.name`, empty while it has none.
    fn name(&self) -> &str {
        self.meta().name.as_deref().unwrap_or_default()
    }
    /// `metadata.namespace`, empty where there is none.
    fn namespace(&self) -> &str {
        self.meta().namespace.as_deref().unwrap_or_default()
    }
    /// `metadata.uid`, empty before it is stored.
    fn uid(&self) -> &str {
        self.meta().uid.as_deref().unwrap_or_default()
    }
    /// Its key.
    fn object_ref(&self) -> ObjectRef {
        ObjectRef::new(Self::KIND, self.namespace(), self.name())
    }
    /// A controlling owner reference to this object, as `metav1.NewControllerRef` makes it.
    fn controller_ref(&self) -> OwnerReference {
        OwnerReference {
            api_version: Self::KIND.api_version(),
            block_owner_deletion: Some(true),
            controller: Some(true),
            kind: Self::KIND.name().to_owned(),
            name: self.name().to_owned(),
            uid: self.uid().to_owned(),
        }
    }
}

macro_rules! objects {
    ($($kind:ident = $path:path),* $(,)?) => {
        /// An object of any kind. A clone shares the data.
        #[derive(Clone, Debug, PartialEq)]
        pub enum Object { $(
            #[doc = concat!("A `", stringify!($kind), "`.")]
            $kind(Arc<$path>),
        )* }

        impl Object {
            /// The kind.
            #[must_use]
            pub const fn kind(&self) -> Kind {
                match self { $(Object::$kind(_) => Kind::$kind,)* }
            }
            /// The metadata.
            #[must_use]
            pub fn meta(&self) -> &ObjectMeta {
                match self { $(Object::$kind(it) => it.meta(),)* }
            }
            /// The metadata, for change; copies the object if it is shared.
            pub fn meta_mut(&mut self) -> &mut ObjectMeta {
                match self { $(Object::$kind(it) => Arc::make_mut(it).meta_mut(),)* }
            }
            /// Whether two objects are the same allocation: unchanged for certain.
            #[must_use]
            pub fn same(&self, other: &Object) -> bool {
                match (self, other) {
                    $((Object::$kind(a), Object::$kind(b)) => Arc::ptr_eq(a, b),)*
                    _ => false,
                }
            }
        }

        impl Object {
            /// Reads an object of a known kind. Only the YAML decoder calls it, with one concrete
            /// deserializer: the types are many and large, and each further deserializer would
            /// compile them all once more. JSON comes through [`crate::wire`].
            pub(crate) fn deserialize_kind<'de, D: Deserializer<'de>>(
                kind: Kind,
                deserializer: D,
            ) -> Result<Object, D::Error> {
                match kind { $(
                    Kind::$kind => <$path>::deserialize(deserializer).map(Resource::into_object),
                )* }
            }
        }

        impl Serialize for Object {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                match self { $(Object::$kind(it) => it.serialize(serializer),)* }
            }
        }
    };
}

/// How the kinds that are upstream's types are reached.
macro_rules! resources {
    ($($kind:ident = $path:path),* $(,)?) => {
        $(impl Resource for $path {
            const KIND: Kind = Kind::$kind;
            fn from_object(object: &Object) -> Option<&Arc<Self>> {
                match object { Object::$kind(it) => Some(it), _ => None }
            }
            fn into_object(self) -> Object { Object::$kind(Arc::new(self)) }
            fn meta(&self) -> &ObjectMeta { &self.metadata }
            fn meta_mut(&mut self) -> &mut ObjectMeta { &mut self.metadata }
        })*

        // Events have a form of their own.
        objects! { $($kind = $path,)* Event = crate::Event }
    };
}

resources! {
    Namespace = api::core::v1::Namespace,
    Node = api::core::v1::Node,
    Pod = api::core::v1::Pod,
    Service = api::core::v1::Service,
    ConfigMap = api::core::v1::ConfigMap,
    Secret = api::core::v1::Secret,
    ServiceAccount = api::core::v1::ServiceAccount,
    PersistentVolume = api::core::v1::PersistentVolume,
    PersistentVolumeClaim = api::core::v1::PersistentVolumeClaim,
    ResourceQuota = api::core::v1::ResourceQuota,
    LimitRange = api::core::v1::LimitRange,
    Binding = api::core::v1::Binding,
    ReplicaSet = api::apps::v1::ReplicaSet,
    Deployment = api::apps::v1::Deployment,
    StatefulSet = api::apps::v1::StatefulSet,
    DaemonSet = api::apps::v1::DaemonSet,
    ControllerRevision = api::apps::v1::ControllerRevision,
    Job = api::batch::v1::Job,
    CronJob = api::batch::v1::CronJob,
    HorizontalPodAutoscaler = api::autoscaling::v2::HorizontalPodAutoscaler,
    EndpointSlice = api::discovery::v1::EndpointSlice,
    Lease = api::coordination::v1::Lease,
    PodDisruptionBudget = api::policy::v1::PodDisruptionBudget,
    PriorityClass = api::scheduling::v1::PriorityClass,
    StorageClass = api::storage::v1::StorageClass,
    CSINode = api::storage::v1::CSINode,
    CSIDriver = api::storage::v1::CSIDriver,
}

impl Object {
    /// Notes that `spec.selector` of a workload was given, if only as `{}`: the type cannot tell
    /// that from a selector that is missing, but the server does. Such an object is always refused,
    /// so that no stored one has the note.
    pub fn note_empty_selector(&mut self) {
        let selector = match self {
            Object::ReplicaSet(it) => Arc::make_mut(it).spec.as_mut().map(|it| &mut it.selector),
            Object::Deployment(it) => Arc::make_mut(it).spec.as_mut().map(|it| &mut it.selector),
            Object::StatefulSet(it) => Arc::make_mut(it).spec.as_mut().map(|it| &mut it.selector),
            Object::DaemonSet(it) => Arc::make_mut(it).spec.as_mut().map(|it| &mut it.selector),
            _ => None,
        };
        if let Some(selector) = selector.filter(|it| it.match_expressions.is_none()) {
            selector.match_labels.get_or_insert_default();
        }
    }

    /// Its key.
    #[must_use]
    pub fn object_ref(&self) -> ObjectRef {
        match self {
            Object::Event(it) => it.object_ref(),
            _ => ObjectRef::new(self.kind(), self.namespace(), self.name()),
        }
    }

    /// `metadata.name`, empty while it has none.
    #[must_use]
    pub fn name(&self) -> &str {
        if let Object::Event(it) = self {
            return it.name();
        }
        self.meta().name.as_deref().unwrap_or_default()
    }

    /// `metadata.namespace`, empty where there is none.
    #[must_use]
    pub fn namespace(&self) -> &str {
        if let Object::Event(it) = self {
            return it.namespace();
        }
        self.meta().namespace.as_deref().unwrap_or_default()
    }

    /// Sets `metadata.resourceVersion`; copies the object if it is shared.
    pub fn set_version(&mut self, version: u64) {
        match self {
            Object::Event(it) => Arc::make_mut(it).set_version(version),
            _ => self.meta_mut().resource_version = Some(version.to_string()),
        }
    }

    /// Its owners.
    #[must_use]
    pub fn owners(&self) -> &[OwnerReference] {
        match self {
            Object::Event(it) => it.owners(),
            _ => self.meta().owner_references.as_deref().unwrap_or_default(),
        }
    }

    /// `metadata.uid`, empty before it is stored.
    #[must_use]
    pub fn uid(&self) -> &str {
        self.meta().uid.as_deref().unwrap_or_default()
    }

    /// The object as a known type.
    #[must_use]
    pub fn as_kind<T: Resource>(&self) -> Option<&T> {
        T::from_object(self).map(AsRef::as_ref)
    }

    /// The owner reference with `controller: true`. Upstream: `metav1.GetControllerOf`.
    #[must_use]
    pub fn controller(&self) -> Option<&OwnerReference> {
        self.owners().iter().find(|it| it.controller == Some(true))
    }
}

/// The owner reference with `controller: true`. Upstream: `metav1.GetControllerOf`.
#[must_use]
pub fn controller_of(meta: &ObjectMeta) -> Option<&OwnerReference> {
    meta.owner_references.iter().flatten().find(|it| it.controller == Some(true))
}
