//! What a component wants done, as data. Only the store carries it out.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use crate::{Kind, Object, ObjectRef, SmolStr, Timestamp};

/// The answer of a component: actions in order, and when it wants to look again.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Plan {
    /// Carried out in order. The first that fails ends the plan, but for its [`Plan::attempts`];
    /// the runner then asks the component what follows ([`crate::Component::applied`]) and queues
    /// the key again with upstream's back-off.
    pub actions: Vec<Action>,
    /// Actions that are tried side by side, in order.
    pub attempts: Vec<Attempt>,
    /// Queue the same key again at this time. Upstream: `AddAfter`.
    pub requeue_at: Option<Timestamp>,
    /// The pass ended with an error: the key is queued again with upstream's back-off, as after an
    /// action that failed.
    pub failed: bool,
    /// Set by the scheduler: what each plugin said.
    pub diagnosis: Option<Arc<view::Diagnosis>>,
}

/// Actions of a plan that follow one another, and that do not depend on other attempts of the
/// same batch. Once one has failed, only attempts of its batch or an earlier one are still tried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// Where they are in the plan.
    pub actions: Range<usize>,
    /// The number of the batch.
    pub batch: usize,
    /// It is only tried if no action from this one on has failed.
    pub needs: usize,
}

/// The batch of an attempt by its number, counted from nought: the first has one attempt, each has
/// twice as many as the one before, up to 500. Upstream: `slowStartBatch`.
#[must_use]
pub const fn slow_start_batch(attempt: usize) -> usize {
    const MAX_BATCH_SIZE: usize = 500;
    const N_GROWING: usize = 9;
    match attempt.checked_sub((1 << N_GROWING) - 1) {
        None => (attempt + 1).ilog2() as usize,
        Some(beyond) => N_GROWING + beyond / MAX_BATCH_SIZE,
    }
}

impl Plan {
    /// The actions that were added since there were `first`, and that are in no attempt yet, become
    /// one.
    pub fn attempt_since(&mut self, first: usize, batch: usize) {
        self.attempt_after(first, first, batch);
    }

    /// As [`Self::attempt_since`], for what also depends on the attempts since `needs`.
    pub fn attempt_after(&mut self, needs: usize, first: usize, batch: usize) {
        let first = first.max(self.attempts.last().map_or(0, |it| it.actions.end));
        if first < self.actions.len() {
            let needs = needs.min(first);
            self.attempts.push(Attempt { actions: first..self.actions.len(), batch, needs });
        }
    }

    /// Adds an action.
    pub fn push(&mut self, action: Action) {
        self.actions.push(action);
    }

    /// Asks to be called again at `at`, or earlier if an earlier time was asked for already.
    pub fn requeue(&mut self, at: Timestamp) {
        self.requeue_at = Some(self.requeue_at.map_or(at, |it| it.min(at)));
    }

    /// Records a Kubernetes Event.
    pub fn record(&mut self, event: EventSpec) {
        self.actions.push(Action::Record(event));
    }

    /// Whether nothing is to be done now.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.actions.is_empty()
    }
}

/// One write.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// Creates an object (an empty name with `generateName` asks for a random suffix), and records
    /// an Event on success or failure. In their texts `{name}` stands for the name that the
    /// object got and `{error}` for the error.
    Create {
        /// What to create.
        object: Object,
        /// Recorded when it worked.
        created: Option<Box<EventSpec>>,
        /// Recorded when it did not.
        failed: Option<Box<EventSpec>>,
    },
    /// Replaces metadata and spec; the status stays. A `resourceVersion` in it must be current.
    Update(Object),
    /// Replaces the status; spec and metadata stay (but for what the status subresource of the
    /// kind may change).
    UpdateStatus(Object),
    /// Changes an object by a patch, of its main resource or a subresource (`status`, `scale`).
    Patch {
        /// Which object.
        key: ObjectRef,
        /// Empty for the main resource.
        subresource: &'static str,
        /// The change.
        patch: Patch,
    },
    /// Deletes an object.
    Delete {
        /// Which object.
        key: ObjectRef,
        /// How.
        options: DeleteOptions,
    },
    /// Binds a pod to a node through the `binding` subresource.
    Bind {
        /// The pod.
        pod: ObjectRef,
        /// The node's name.
        node: String,
    },
    /// Evicts a pod through the `eviction` subresource, which honours disruption budgets.
    Evict {
        /// The pod.
        pod: ObjectRef,
        /// As for a deletion.
        options: DeleteOptions,
    },
    /// Records a Kubernetes Event, correlated with earlier ones as client-go does.
    Record(EventSpec),
}

/// The kinds of patches that the API server takes, as JSON.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Patch {
    /// RFC 7386.
    Merge(serde_json::Value),
    /// Lists merge by their key, as the types say.
    Strategic(serde_json::Value),
    /// RFC 6902.
    Json(serde_json::Value),
    /// Server-side apply: the configuration, and whether to take fields from other managers.
    Apply {
        /// What the object shall be like, as far as its manager cares.
        config: serde_json::Value,
        /// Take fields from other managers.
        force: bool,
    },
}

/// What happens to the dependents of a deleted object.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Propagation {
    /// The garbage collector deletes them afterwards.
    #[default]
    Background,
    /// The object stays, with a finalizer, until they are gone.
    Foreground,
    /// They lose their owner and stay.
    Orphan,
}

/// How to delete.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeleteOptions {
    /// `None`: the object's own (30 s for pods without one).
    pub grace_period_seconds: Option<i64>,
    /// `None`: the kind's default, which is background for all kinds here.
    pub propagation: Option<Propagation>,
    /// Refuses with a conflict if the object has another uid.
    pub uid: Option<String>,
}

/// A Kubernetes Event to be recorded. In this order in memory: what tables show of each of
/// thousands of events stands together.
#[derive(Clone, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct EventSpec {
    /// `Warning` instead of `Normal`.
    pub warning: bool,
    /// A word in camel case.
    pub reason: SmolStr,
    /// The sentence.
    pub message: String,
    /// What it is about.
    pub regarding: ObjectRef,
    /// Its uid.
    pub uid: SmolStr,
    /// `source.component`, such as `job-controller`.
    pub component: SmolStr,
    /// `source.host`: the node, for the kubelet's events; else empty.
    pub host: SmolStr,
    /// `involvedObject.fieldPath`, such as `spec.containers{main}`; mostly empty.
    pub field_path: SmolStr,
}

impl EventSpec {
    /// A `Normal` event.
    pub fn normal(
        component: &str,
        object: &Object,
        reason: &str,
        message: impl Into<String>,
    ) -> Self {
        Self::about(component, object.object_ref(), object.uid(), reason, message)
    }

    /// A `Normal` event about an object that may be gone.
    pub fn about(
        component: &str,
        regarding: ObjectRef,
        uid: &str,
        reason: &str,
        message: impl Into<String>,
    ) -> Self {
        Self {
            regarding,
            uid: uid.into(),
            warning: false,
            reason: reason.into(),
            message: message.into(),
            component: component.into(),
            host: SmolStr::default(),
            field_path: SmolStr::default(),
        }
    }

    /// From the instance of a component that runs on the control plane. Schedulers tell it.
    #[must_use]
    pub fn on_control_plane(self) -> Self {
        Self { host: format!("{}-control-plane", self.component).into(), ..self }
    }

    /// A `Warning` event.
    pub fn warning(
        component: &str,
        object: &Object,
        reason: &str,
        message: impl Into<String>,
    ) -> Self {
        Self { warning: true, ..Self::normal(component, object, reason, message) }
    }

    /// `Normal` or `Warning`.
    #[must_use]
    pub const fn type_name(&self) -> &'static str {
        if self.warning { "Warning" } else { "Normal" }
    }
}

/// Kubernetes' reasons for a refusal. Upstream: `metav1.StatusReason`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are upstream's and speak for themselves")]
pub enum ApiReason {
    NotFound,
    AlreadyExists,
    Conflict,
    Invalid,
    Forbidden,
    BadRequest,
    MethodNotAllowed,
    TooManyRequests,
    InternalError,
    /// Upstream: no reason at all in the `Status`.
    Unknown,
}

impl ApiReason {
    /// The HTTP code that goes with it.
    #[must_use]
    pub const fn code(self) -> u16 {
        match self {
            Self::BadRequest => 400,
            Self::Forbidden => 403,
            Self::NotFound => 404,
            Self::MethodNotAllowed => 405,
            Self::AlreadyExists | Self::Conflict => 409,
            Self::Invalid => 422,
            Self::TooManyRequests => 429,
            Self::InternalError | Self::Unknown => 500,
        }
    }
}

/// One cause of a refusal. Upstream: `metav1.StatusCause` and `field.Error`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldCause {
    /// Upstream's cause type, such as `FieldValueRequired`.
    pub kind: &'static str,
    /// The path, such as `spec.containers[0].image`.
    pub field: String,
    /// The text without the path, such as `Required value`.
    pub message: String,
}

/// A refusal by the API server, in its words.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ApiError {
    /// The reason.
    pub reason: ApiReason,
    /// The whole message of the `Status`.
    pub message: String,
    /// The kind that it is about, where it is about one.
    pub kind: Option<Kind>,
    /// The object's name.
    pub name: String,
    /// The field errors of an `Invalid`, or other causes.
    pub causes: Vec<FieldCause>,
}

impl ApiError {
    /// A refusal without causes.
    pub fn new(reason: ApiReason, message: impl Into<String>) -> Self {
        Self { reason, message: message.into(), kind: None, name: String::new(), causes: vec![] }
    }

    /// `pods "x" not found`.
    #[must_use]
    pub fn not_found(key: &ObjectRef) -> Self {
        let resource = key.kind.qualified_resource();
        let message = format!("{resource} {} not found", crate::fields::quote(&key.name));
        Self::about(ApiReason::NotFound, key, message)
    }

    /// `pods "x" already exists`.
    #[must_use]
    pub fn already_exists(key: &ObjectRef) -> Self {
        let resource = key.kind.qualified_resource();
        let message = format!("{resource} {} already exists", crate::fields::quote(&key.name));
        Self::about(ApiReason::AlreadyExists, key, message)
    }

    /// A refusal about an object.
    pub fn about(reason: ApiReason, key: &ObjectRef, message: impl Into<String>) -> Self {
        Self { kind: Some(key.kind), name: key.name.to_string(), ..Self::new(reason, message) }
    }
}

impl fmt::Display for ApiReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::slow_start_batch;

    #[test]
    fn batches_double_up_to_five_hundred() {
        let mut sizes = vec![0; 12];
        for attempt in 0..2_011 {
            sizes[slow_start_batch(attempt)] += 1;
        }
        assert_eq!(sizes, [1, 2, 4, 8, 16, 32, 64, 128, 256, 500, 500, 500]);
    }
}
