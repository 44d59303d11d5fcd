//! A Kubernetes Event as the store keeps it.
//!
//! A run records far more events than anybody reads, and of the API's type most follows from a few
//! facts. So what the recorder writes is kept as these facts, in about a quarter of the space, and
//! made into the whole object where somebody asks for it. What comes from a user is whole at once.

mod read;
mod row;

use std::mem;
use std::sync::{Arc, OnceLock};

use k8s_openapi::api::core::v1::{self, EventSource, ObjectReference};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

pub use self::row::EventRow;
use crate::name::uuid_text;
use crate::{EventSpec, Kind, Object, ObjectRef, Resource, SmolStr, Timestamp, time};

/// Where events about objects without a namespace go.
const DEFAULT_NAMESPACE: &str = "default";

/// An event.
#[derive(Clone, Debug)]
pub struct Event(Form);

#[derive(Clone, Debug)]
#[expect(clippy::large_enum_variant, reason = "nearly all events are recorded")]
enum Form {
    Recorded(Kept),
    Whole(Box<v1::Event>),
}

/// A recorder's event; in memory in this order, what tables show first.
#[derive(Clone, Debug)]
#[repr(C)]
struct Kept {
    row: EventRow,
    facts: Recorded,
    /// The whole once it was asked for.
    whole: OnceLock<Box<v1::Event>>,
}

/// What a recorder writes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recorded {
    /// When it was said first; the API tells whole seconds.
    pub first: Timestamp,
    /// When it was said last.
    pub last: Timestamp,
    /// How often it was said.
    pub count: i32,
    /// What is said, and of what.
    pub spec: EventSpec,
    /// `metadata.name`.
    pub name: SmolStr,
    /// `metadata.uid`, as a number of 128 bits.
    pub uid: u128,
    /// `involvedObject.resourceVersion`, empty if the object is gone.
    pub about_version: SmolStr,
    /// When it was said in this event for the first time.
    pub created: Timestamp,
    /// `metadata.resourceVersion`.
    pub version: u64,
}

impl Recorded {
    /// The namespace that the event of an object is in.
    #[must_use]
    pub fn namespace_of(about: &ObjectRef) -> &str {
        if about.namespace.is_empty() { DEFAULT_NAMESPACE } else { &about.namespace }
    }

    /// The API's object.
    fn whole(&self, message: &str) -> v1::Event {
        let spec = &self.spec;
        let about = &spec.regarding;
        let filled = |it: &SmolStr| Some(it.to_string()).filter(|it| !it.is_empty());
        v1::Event {
            metadata: ObjectMeta {
                name: Some(self.name.to_string()),
                namespace: Some(Self::namespace_of(about).to_owned()),
                uid: Some(uuid_text(self.uid)),
                resource_version: Some(self.version.to_string()),
                creation_timestamp: Some(time::meta_time(self.created)),
                ..ObjectMeta::default()
            },
            involved_object: ObjectReference {
                api_version: Some(about.kind.api_version()),
                kind: Some(about.kind.name().to_owned()),
                name: Some(about.name.to_string()),
                namespace: filled(&about.namespace),
                uid: filled(&spec.uid),
                resource_version: filled(&self.about_version),
                field_path: filled(&spec.field_path),
            },
            type_: Some(spec.type_name().to_owned()),
            reason: Some(spec.reason.to_string()),
            message: Some(message.to_owned()),
            source: Some(EventSource {
                component: Some(spec.component.to_string()),
                host: filled(&spec.host),
            }),
            reporting_component: Some(spec.component.to_string()),
            reporting_instance: Some(spec.host.to_string()),
            first_timestamp: Some(time::meta_time(self.first)),
            last_timestamp: Some(time::meta_time(self.last)),
            count: Some(self.count),
            ..v1::Event::default()
        }
    }
}

impl Event {
    /// A new event of a recorder.
    #[must_use]
    pub fn recorded(mut facts: Recorded) -> Self {
        let message = mem::take(&mut facts.spec.message);
        let row = EventRow::of(&facts, &message);
        Self(Form::Recorded(Kept { row, facts, whole: OnceLock::new() }))
    }

    /// The facts but for the message, if it is as its recorder wrote it.
    #[must_use]
    #[inline]
    pub fn facts(&self) -> Option<&Recorded> {
        match &self.0 {
            Form::Recorded(Kept { facts, .. }) => Some(facts),
            Form::Whole(_) => None,
        }
    }

    /// What tables show, if it is as its recorder wrote it.
    #[must_use]
    #[inline]
    pub fn row(&self) -> Option<&EventRow> {
        match &self.0 {
            Form::Recorded(Kept { row, .. }) => Some(row),
            Form::Whole(_) => None,
        }
    }

    /// The API's object. It is kept once it was asked for.
    #[must_use]
    pub fn whole(&self) -> &v1::Event {
        match &self.0 {
            Form::Recorded(Kept { row, facts, whole }) => {
                whole.get_or_init(|| Box::new(facts.whole(row.message())))
            }
            Form::Whole(it) => it,
        }
    }

    /// The API's object, for change.
    pub fn whole_mut(&mut self) -> &mut v1::Event {
        loop {
            match self.0 {
                Form::Recorded(Kept { ref row, ref facts, .. }) => {
                    self.0 = Form::Whole(Box::new(facts.whole(row.message())));
                }
                Form::Whole(ref mut it) => return it,
            }
        }
    }

    /// The same was said again.
    pub fn repeat(&mut self, message: String, count: i32, now: Timestamp) {
        match &mut self.0 {
            Form::Recorded(Kept { row, facts, whole }) => {
                facts.count = count;
                facts.last = now;
                *row = EventRow::of(facts, &message);
                *whole = OnceLock::new();
            }
            Form::Whole(it) => {
                it.message = Some(message);
                it.count = Some(count);
                it.last_timestamp = Some(time::meta_time(now));
            }
        }
    }

    /// Sets `metadata.resourceVersion`.
    pub fn set_version(&mut self, version: u64) {
        match &mut self.0 {
            Form::Recorded(Kept { facts, whole, .. }) => {
                facts.version = version;
                *whole = OnceLock::new();
            }
            Form::Whole(it) => it.metadata.resource_version = Some(version.to_string()),
        }
    }
}

impl Default for Event {
    fn default() -> Self {
        v1::Event::default().into()
    }
}

impl From<v1::Event> for Event {
    fn from(whole: v1::Event) -> Self {
        Self(Form::Whole(Box::new(whole)))
    }
}

impl PartialEq for Event {
    fn eq(&self, other: &Self) -> bool {
        match (&self.0, &other.0) {
            (Form::Recorded(a), Form::Recorded(b)) if (&a.row, &a.facts) == (&b.row, &b.facts) => {
                true
            }
            _ => self.whole() == other.whole(),
        }
    }
}

impl Serialize for Event {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match &self.0 {
            // Listing all events as JSON must not make all of them whole for good.
            Form::Recorded(Kept { row, facts, .. }) => {
                facts.whole(row.message()).serialize(serializer)
            }
            Form::Whole(it) => it.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Event {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        v1::Event::deserialize(deserializer).map(Self::from)
    }
}

impl Resource for Event {
    const KIND: Kind = Kind::Event;

    fn from_object(object: &Object) -> Option<&Arc<Self>> {
        match object {
            Object::Event(it) => Some(it),
            _ => None,
        }
    }

    fn into_object(self) -> Object {
        Object::Event(Arc::new(self))
    }

    fn meta(&self) -> &ObjectMeta {
        &self.whole().metadata
    }

    fn meta_mut(&mut self) -> &mut ObjectMeta {
        &mut self.whole_mut().metadata
    }

    fn name(&self) -> &str {
        Event::name(self)
    }

    fn namespace(&self) -> &str {
        Event::namespace(self)
    }

    fn object_ref(&self) -> ObjectRef {
        let name = match &self.0 {
            // The letters are shared with the store's tables.
            Form::Recorded(Kept { facts: it, .. }) => it.name.clone(),
            Form::Whole(_) => self.name().into(),
        };
        ObjectRef { kind: Kind::Event, namespace: self.namespace().into(), name }
    }
}

#[cfg(test)]
mod tests {
    use super::{Event, Recorded};
    use crate::{EventSpec, Kind, Object, ObjectRef, Resource, Timestamp, wire};

    fn recorded() -> Event {
        let at = |ms| Timestamp::from_millisecond(ms).unwrap();
        Event::recorded(Recorded {
            spec: EventSpec {
                regarding: ObjectRef::new(Kind::Pod, "shop", "web-1"),
                uid: "u-1".into(),
                warning: true,
                reason: "BackOff".into(),
                message: "Back-off".to_owned(),
                component: "kubelet".into(),
                host: "n1".into(),
                field_path: "spec.containers{c}".into(),
            },
            name: "web-1.18a".into(),
            uid: 0x0123_4567_89ab_4def_8123_4567_89ab_cdef,
            about_version: "7".into(),
            first: at(1_500),
            created: at(2_700),
            last: at(9_900),
            count: 3,
            version: 12,
        })
    }

    #[test]
    fn the_facts_tell_what_the_whole_tells() {
        let event = recorded();
        let whole = Event::from(event.whole().clone());
        for (facts, whole) in [
            (event.name(), whole.name()),
            (event.namespace(), whole.namespace()),
            (event.about_kind(), whole.about_kind()),
            (event.about_namespace(), whole.about_namespace()),
            (event.about_name(), whole.about_name()),
            (event.about_uid(), whole.about_uid()),
            (event.field_path(), whole.field_path()),
            (event.type_name(), whole.type_name()),
            (event.reason(), whole.reason()),
            (event.message(), whole.message()),
            (event.component(), whole.component()),
            (event.host(), whole.host()),
            (event.reporting_component(), whole.reporting_component()),
            (event.reporting_instance(), whole.reporting_instance()),
        ] {
            assert!(!facts.is_empty());
            assert_eq!(facts, whole);
        }
        let times =
            |it: &Event| [it.first_timestamp(), it.created(), it.last_timestamp(), it.event_time()];
        assert_eq!(times(&event), times(&whole));
        assert_eq!(times(&event)[0], Timestamp::from_second(1).ok());
        assert_eq!((event.count(), event.regarding()), (3, whole.regarding()));
        assert_eq!(event, whole);
        assert_eq!(wire::to_value(&event), wire::to_value(&whole));
        assert_eq!(event.uid(), "01234567-89ab-4def-8123-456789abcdef");
    }

    #[test]
    fn what_is_said_again_or_changed_shows_in_both_forms() {
        let later = Timestamp::from_second(60).unwrap();
        let mut event = recorded();
        let mut whole = Event::from(event.whole().clone());
        for it in [&mut event, &mut whole] {
            it.repeat("Again".to_owned(), 4, later);
            it.set_version(13);
            assert_eq!((it.message(), it.count(), it.last_timestamp()), ("Again", 4, Some(later)));
            assert_eq!(it.meta().resource_version.as_deref(), Some("13"));
            it.meta_mut().labels.get_or_insert_default().insert("a".to_owned(), "b".to_owned());
        }
        assert!(event.meta().labels.is_some());
        assert_eq!(event, whole);
    }

    #[test]
    fn events_about_nodes_are_in_the_default_namespace() {
        let about = ObjectRef::new(Kind::Node, "", "n1");
        assert_eq!(Recorded::namespace_of(&about), "default");
        let object: Object = recorded().into_object();
        assert_eq!(object.object_ref(), ObjectRef::new(Kind::Event, "shop", "web-1.18a"));
    }
}
