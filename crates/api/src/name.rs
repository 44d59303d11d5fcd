//! How objects are named inside the engine.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
pub use smol_str::SmolStr;
use std::fmt;

use crate::Kind;

/// Kind, namespace and name: the key of an object. Cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ObjectRef {
    /// The kind.
    pub kind: Kind,
    /// Empty for kinds without a namespace.
    pub namespace: SmolStr,
    /// `metadata.name`.
    pub name: SmolStr,
}

impl ObjectRef {
    /// Names an object.
    #[must_use]
    pub fn new(kind: Kind, namespace: &str, name: &str) -> Self {
        Self { kind, namespace: namespace.into(), name: name.into() }
    }

    /// `namespace/name`, or the name alone for kinds without a namespace.
    #[must_use]
    pub fn namespaced_name(&self) -> String {
        if self.namespace.is_empty() {
            self.name.to_string()
        } else {
            format!("{}/{}", self.namespace, self.name)
        }
    }

    /// The object that an owner reference in `namespace` points to, if its kind is one of ours.
    #[must_use]
    pub fn of_owner(owner: &OwnerReference, namespace: &str) -> Option<Self> {
        let kind = Kind::from_api_version(&owner.api_version, &owner.kind)?;
        let namespace = if kind.namespaced() { namespace } else { "" };
        Some(Self::new(kind, namespace, &owner.name))
    }

    /// The form that the page uses.
    #[must_use]
    pub fn to_view(&self) -> view::ObjectName {
        view::ObjectName {
            kind: self.kind.name().to_owned(),
            namespace: self.namespace.to_string(),
            name: self.name.to_string(),
        }
    }
}

/// 128 bits as the text of a UUID.
#[must_use]
pub fn uuid_text(bits: u128) -> String {
    let mut text = String::with_capacity(36);
    for at in (0..32_u32).rev() {
        let digit = usize::try_from(bits >> (4 * at) & 0xf).unwrap_or_default();
        text.push(char::from(b"0123456789abcdef"[digit]));
        if matches!(at, 24 | 20 | 16 | 12) {
            text.push('-');
        }
    }
    text
}

impl fmt::Display for ObjectRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind, self.namespaced_name())
    }
}
