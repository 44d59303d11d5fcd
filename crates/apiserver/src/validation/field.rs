//! Paths into objects, and what is wrong there.
//!
//! Upstream: `staging/src/k8s.io/apimachinery/pkg/util/validation/field/{path,errors}.go`, v1.36.

use std::fmt::{self, Write as _};

use api::{ApiError, ApiReason, FieldCause, Kind};
use serde::Serialize;

/// Where in an object something is. Made of borrowed steps, so that a path costs nothing until
/// something is wrong there.
#[derive(Clone, Copy, Debug)]
pub struct Path<'a> {
    parent: Option<&'a Path<'a>>,
    step: Step<'a>,
}

#[derive(Clone, Copy, Debug)]
enum Step<'a> {
    Child(&'a str),
    Index(usize),
    Key(&'a str),
}

impl<'a> Path<'a> {
    /// A field of the object itself.
    #[must_use]
    pub const fn new(name: &'a str) -> Self {
        Self { parent: None, step: Step::Child(name) }
    }

    /// A field of what this path leads to.
    #[must_use]
    pub const fn child(&'a self, name: &'a str) -> Path<'a> {
        Path { parent: Some(self), step: Step::Child(name) }
    }

    /// An element of the list that this path leads to.
    #[must_use]
    pub const fn index(&'a self, index: usize) -> Path<'a> {
        Path { parent: Some(self), step: Step::Index(index) }
    }

    /// A value of the map that this path leads to.
    #[must_use]
    pub const fn key(&'a self, key: &'a str) -> Path<'a> {
        Path { parent: Some(self), step: Step::Key(key) }
    }
}

impl fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(parent) = self.parent {
            parent.fmt(f)?;
        }
        match self.step {
            // As Go shows a path without any name.
            Step::Child("") => f.write_str("[]"),
            Step::Child(name) if self.parent.is_some() => write!(f, ".{name}"),
            Step::Child(name) => f.write_str(name),
            Step::Index(index) => write!(f, "[{index}]"),
            Step::Key(key) => write!(f, "[{key}]"),
        }
    }
}

/// A value as an error shows it.
#[derive(Clone, Debug)]
pub struct Bad(String);

impl Bad {
    /// What is written as it is: JSON, mostly.
    #[must_use]
    pub fn raw(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// A value as Go's JSON encoder writes it.
    #[must_use]
    pub fn json(value: &impl Serialize) -> Self {
        Self(go_json(&api::wire::to_json(value)))
    }
}

/// Go's encoder escapes what HTML would read.
fn go_json(text: &str) -> String {
    text.replace('&', "\\u0026").replace('<', "\\u003c").replace('>', "\\u003e")
}

impl From<&str> for Bad {
    fn from(text: &str) -> Self {
        Self(quote(text))
    }
}

impl From<&String> for Bad {
    fn from(text: &String) -> Self {
        Self(quote(text))
    }
}

impl From<i32> for Bad {
    fn from(number: i32) -> Self {
        Self(number.to_string())
    }
}

impl From<i64> for Bad {
    fn from(number: i64) -> Self {
        Self(number.to_string())
    }
}

impl From<bool> for Bad {
    fn from(value: bool) -> Self {
        Self(value.to_string())
    }
}

/// A text as Go's `%q` writes it.
#[must_use]
pub(super) fn quote(text: &str) -> String {
    api::cron::quote(text)
}

/// Everything that is wrong with an object.
#[derive(Clone, Debug, Default)]
pub struct Errors {
    list: Vec<FieldCause>,
}

impl Errors {
    fn push(&mut self, kind: &'static str, path: &Path<'_>, message: String) {
        self.list.push(FieldCause { kind, field: path.to_string(), message });
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.list.len()
    }

    /// Whether nothing is wrong.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// The errors.
    #[must_use]
    pub fn causes(&self) -> &[FieldCause] {
        &self.list
    }

    /// Adds those of another list.
    pub fn append(&mut self, mut other: Errors) {
        self.list.append(&mut other.list);
    }

    /// A value that cannot be.
    pub fn invalid(&mut self, path: &Path<'_>, value: impl Into<Bad>, detail: &str) {
        self.with_value("FieldValueInvalid", "Invalid value", path, value.into(), detail);
    }

    /// A value that is missing.
    pub fn required(&mut self, path: &Path<'_>, detail: &str) {
        self.without_value("FieldValueRequired", "Required value", path, detail);
    }

    /// A value that may not be set.
    pub fn forbidden(&mut self, path: &Path<'_>, detail: &str) {
        self.without_value("FieldValueForbidden", "Forbidden", path, detail);
    }

    /// A value that appears twice.
    pub fn duplicate(&mut self, path: &Path<'_>, value: impl Into<Bad>) {
        self.with_value("FieldValueDuplicate", "Duplicate value", path, value.into(), "");
    }

    /// A reference to something that is not there.
    pub fn not_found(&mut self, path: &Path<'_>, value: impl Into<Bad>) {
        self.with_value("FieldValueNotFound", "Not found", path, value.into(), "");
    }

    /// As [`Errors::not_found`], with a reason.
    pub fn not_found_because(&mut self, path: &Path<'_>, value: impl Into<Bad>, why: &str) {
        self.with_value("FieldValueNotFound", "Not found", path, value.into(), why);
    }

    /// As [`Errors::duplicate`], with a reason.
    pub fn duplicate_because(&mut self, path: &Path<'_>, value: impl Into<Bad>, why: &str) {
        self.with_value("FieldValueDuplicate", "Duplicate value", path, value.into(), why);
    }

    /// As [`Errors::invalid`], without showing the value.
    pub fn invalid_unseen(&mut self, path: &Path<'_>, detail: &str) {
        self.without_value("FieldValueInvalid", "Invalid value", path, detail);
    }

    /// Something that did not work inside.
    pub fn internal(&mut self, path: &Path<'_>, detail: &str) {
        self.without_value("InternalError", "Internal error", path, detail);
    }

    /// A text that is none of those that are known.
    pub fn not_supported(&mut self, path: &Path<'_>, value: &str, supported: &[&str]) {
        self.not_supported_value(path, value.into(), supported);
    }

    /// A value that is none of those that are known.
    pub fn not_supported_value(&mut self, path: &Path<'_>, value: Bad, supported: &[&str]) {
        let mut detail = String::new();
        if !supported.is_empty() {
            let quoted: Vec<String> = supported.iter().map(|it| quote(it)).collect();
            detail = format!("supported values: {}", quoted.join(", "));
        }
        self.with_value("FieldValueNotSupported", "Unsupported value", path, value, &detail);
    }

    /// A text of too many bytes.
    pub fn too_long(&mut self, path: &Path<'_>, max: usize) {
        let unit = if max == 1 { "byte" } else { "bytes" };
        let detail = format!("may not be more than {max} {unit}");
        self.without_value("FieldValueTooLong", "Too long", path, &detail);
    }

    /// A list of too many elements.
    pub fn too_many(&mut self, path: &Path<'_>, n_found: usize, max: usize) {
        let unit = if max == 1 { "item" } else { "items" };
        let detail = format!("must have at most {max} {unit}");
        let value = Bad::raw(n_found.to_string());
        self.with_value("FieldValueTooMany", "Too many", path, value, &detail);
    }

    fn with_value(
        &mut self,
        kind: &'static str,
        what: &str,
        path: &Path<'_>,
        value: Bad,
        detail: &str,
    ) {
        let mut message = format!("{what}: {}", value.0);
        if !detail.is_empty() {
            let _ = write!(message, ": {detail}");
        }
        self.push(kind, path, message);
    }

    fn without_value(&mut self, kind: &'static str, what: &str, path: &Path<'_>, detail: &str) {
        let message = if detail.is_empty() { what.to_owned() } else { format!("{what}: {detail}") };
        self.push(kind, path, message);
    }

    /// The refusal, if anything is wrong. Upstream: `errors.NewInvalid`.
    ///
    /// # Errors
    /// `Invalid` with all causes.
    pub fn into_result(self, kind: Kind, name: &str) -> Result<(), ApiError> {
        if self.list.is_empty() {
            return Ok(());
        }
        let mut texts: Vec<String> = Vec::new();
        for cause in &self.list {
            let text = format!("{}: {}", cause.field, cause.message);
            if !texts.contains(&text) {
                texts.push(text);
            }
        }
        let all = match texts.as_slice() {
            [one] => one.clone(),
            many => format!("[{}]", many.join(", ")),
        };
        let group = match kind.group() {
            "" => String::new(),
            group => format!(".{group}"),
        };
        Err(ApiError {
            reason: ApiReason::Invalid,
            message: format!("{kind}{group} {} is invalid: {all}", quote(name)),
            kind: Some(kind),
            name: name.to_owned(),
            causes: self.list,
        })
    }
}
