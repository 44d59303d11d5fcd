//! What an event tells, without making it whole.

use k8s_openapi::api::core::v1::{self, EventSeries};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;

use super::{Event, Form, Kept, Recorded};
use crate::{Kind, ObjectRef, Timestamp, time};

impl Event {
    /// `metadata.name`.
    #[must_use]
    pub fn name(&self) -> &str {
        self.text(|it| &it.name, |it| it.metadata.name.as_ref())
    }

    /// `metadata.namespace`.
    #[must_use]
    pub fn namespace(&self) -> &str {
        self.text(
            |it| Recorded::namespace_of(&it.spec.regarding),
            |it| it.metadata.namespace.as_ref(),
        )
    }

    /// Its owners. Recorders name none.
    #[must_use]
    pub fn owners(&self) -> &[OwnerReference] {
        match &self.0 {
            Form::Recorded(..) => &[],
            Form::Whole(it) => it.metadata.owner_references.as_deref().unwrap_or_default(),
        }
    }

    /// The object that it is about, if its kind is known here.
    #[must_use]
    pub fn regarding(&self) -> Option<ObjectRef> {
        match &self.0 {
            Form::Recorded(Kept { facts: it, .. }) => Some(it.spec.regarding.clone()),
            Form::Whole(it) => {
                let about = &it.involved_object;
                let kind = text(about.kind.as_ref());
                let kind = Kind::from_api_version(text(about.api_version.as_ref()), kind)?;
                let namespace = about.namespace.as_ref().filter(|_| kind.namespaced());
                Some(ObjectRef::new(kind, text(namespace), text(about.name.as_ref())))
            }
        }
    }

    /// `involvedObject.kind`.
    #[must_use]
    pub fn about_kind(&self) -> &str {
        self.text(|it| it.spec.regarding.kind.name(), |it| it.involved_object.kind.as_ref())
    }

    /// `involvedObject.namespace`, empty where there is none.
    #[must_use]
    pub fn about_namespace(&self) -> &str {
        self.text(|it| &it.spec.regarding.namespace, |it| it.involved_object.namespace.as_ref())
    }

    /// `involvedObject.name`.
    #[must_use]
    pub fn about_name(&self) -> &str {
        self.text(|it| &it.spec.regarding.name, |it| it.involved_object.name.as_ref())
    }

    /// `involvedObject.uid`, empty where there is none.
    #[must_use]
    pub fn about_uid(&self) -> &str {
        self.text(|it| &it.spec.uid, |it| it.involved_object.uid.as_ref())
    }

    /// `involvedObject.fieldPath`, mostly empty.
    #[must_use]
    pub fn field_path(&self) -> &str {
        self.text(|it| &it.spec.field_path, |it| it.involved_object.field_path.as_ref())
    }

    /// `type`: `Normal` or `Warning`.
    #[must_use]
    pub fn type_name(&self) -> &str {
        self.text(|it| it.spec.type_name(), |it| it.type_.as_ref())
    }

    /// `reason`.
    #[must_use]
    pub fn reason(&self) -> &str {
        self.text(|it| &it.spec.reason, |it| it.reason.as_ref())
    }

    /// `message`.
    #[must_use]
    pub fn message(&self) -> &str {
        match &self.0 {
            Form::Recorded(Kept { row, .. }) => row.message(),
            Form::Whole(it) => text(it.message.as_ref()),
        }
    }

    /// `source.component`, empty where there is none.
    #[must_use]
    pub fn component(&self) -> &str {
        self.text(
            |it| &it.spec.component,
            |it| it.source.as_ref().and_then(|it| it.component.as_ref()),
        )
    }

    /// `source.host`, empty where there is none.
    #[must_use]
    pub fn host(&self) -> &str {
        self.text(|it| &it.spec.host, |it| it.source.as_ref().and_then(|it| it.host.as_ref()))
    }

    /// `reportingComponent`, empty where there is none.
    #[must_use]
    pub fn reporting_component(&self) -> &str {
        self.text(|it| &it.spec.component, |it| it.reporting_component.as_ref())
    }

    /// `reportingInstance`, empty where there is none.
    #[must_use]
    pub fn reporting_instance(&self) -> &str {
        self.text(|it| &it.spec.host, |it| it.reporting_instance.as_ref())
    }

    /// `firstTimestamp`, whole seconds.
    #[must_use]
    pub fn first_timestamp(&self) -> Option<Timestamp> {
        match &self.0 {
            Form::Recorded(Kept { facts: it, .. }) => Some(time::meta_time(it.first).0),
            Form::Whole(it) => it.first_timestamp.as_ref().map(|it| it.0),
        }
    }

    /// `lastTimestamp`, whole seconds.
    #[must_use]
    pub fn last_timestamp(&self) -> Option<Timestamp> {
        match &self.0 {
            Form::Recorded(Kept { facts: it, .. }) => Some(time::meta_time(it.last).0),
            Form::Whole(it) => it.last_timestamp.as_ref().map(|it| it.0),
        }
    }

    /// `metadata.creationTimestamp`, whole seconds.
    #[must_use]
    pub fn created(&self) -> Option<Timestamp> {
        match &self.0 {
            Form::Recorded(Kept { facts: it, .. }) => Some(time::meta_time(it.created).0),
            Form::Whole(it) => it.metadata.creation_timestamp.as_ref().map(|it| it.0),
        }
    }

    /// `eventTime`, which recorders of this kind leave out.
    #[must_use]
    pub fn event_time(&self) -> Option<Timestamp> {
        match &self.0 {
            Form::Recorded(..) => None,
            Form::Whole(it) => it.event_time.as_ref().map(|it| it.0),
        }
    }

    /// `series`, which recorders of this kind leave out.
    #[must_use]
    pub fn series(&self) -> Option<&EventSeries> {
        match &self.0 {
            Form::Recorded(..) => None,
            Form::Whole(it) => it.series.as_ref(),
        }
    }

    /// `count`, zero where there is none.
    #[must_use]
    pub fn count(&self) -> i32 {
        match &self.0 {
            Form::Recorded(Kept { facts: it, .. }) => it.count,
            Form::Whole(it) => it.count.unwrap_or_default(),
        }
    }
}

impl Event {
    /// A text of the facts, or of the whole.
    fn text<'a>(
        &'a self,
        facts: impl FnOnce(&'a Recorded) -> &'a str,
        whole: impl FnOnce(&'a v1::Event) -> Option<&'a String>,
    ) -> &'a str {
        match &self.0 {
            Form::Recorded(Kept { facts: it, .. }) => facts(it),
            Form::Whole(it) => text(whole(it)),
        }
    }
}

fn text(it: Option<&String>) -> &str {
    it.map(String::as_str).unwrap_or_default()
}
