//! The values of a template: those of an object, and those that the template makes.

use serde_json::{Map, Value};

/// A value. Of objects only a reference is kept: they may be large.
#[derive(Clone, Debug)]
pub(super) enum Item<'a> {
    /// What there is not, and `nil`.
    Nothing,
    /// In the object.
    Of(&'a Value),
    /// Made by a function.
    Own(Value),
    /// An `int` of Go; the numbers of objects are `int64`.
    Int(i64),
}

/// What a value is.
#[derive(Clone, Copy, Debug)]
pub(super) enum Form<'b> {
    Nothing,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(&'b str),
    List(&'b [Value]),
    Map(&'b Map<String, Value>),
}

/// What a JSON value is.
pub(super) fn form(value: &Value) -> Form<'_> {
    match value {
        Value::Null => Form::Nothing,
        Value::Bool(it) => Form::Bool(*it),
        Value::Number(it) => match it.as_i64() {
            Some(it) => Form::Int(it),
            None => Form::Float(it.as_f64().unwrap_or_default()),
        },
        Value::String(it) => Form::Text(it),
        Value::Array(it) => Form::List(it),
        Value::Object(it) => Form::Map(it),
    }
}

impl<'a> Item<'a> {
    pub(super) fn text(text: impl Into<String>) -> Self {
        Self::Own(Value::String(text.into()))
    }

    pub(super) fn form(&self) -> Form<'_> {
        match self {
            Self::Nothing => Form::Nothing,
            Self::Of(it) => form(it),
            Self::Own(it) => form(it),
            Self::Int(it) => Form::Int(*it),
        }
    }

    /// The value of a key or an index of it.
    pub(super) fn part(&self, of: impl for<'b> Fn(&'b Value) -> Option<&'b Value>) -> Item<'a> {
        match self {
            Self::Of(it) => of(it).map_or(Item::Nothing, Item::Of),
            Self::Own(it) => of(it).cloned().map_or(Item::Nothing, Item::Own),
            Self::Nothing | Self::Int(_) => Item::Nothing,
        }
    }

    /// The name of its type in Go.
    pub(super) fn type_name(&self) -> &'static str {
        match self {
            Self::Int(_) => "int",
            _ => self.form().type_name(),
        }
    }

    /// Upstream: `isTrue`.
    pub(super) fn is_true(&self) -> bool {
        match self.form() {
            Form::Nothing => false,
            Form::Bool(it) => it,
            Form::Int(it) => it != 0,
            Form::Float(it) => it != 0.0,
            Form::Text(it) => !it.is_empty(),
            Form::List(it) => !it.is_empty(),
            Form::Map(it) => !it.is_empty(),
        }
    }
}

impl Form<'_> {
    pub(super) fn type_name(self) -> &'static str {
        match self {
            Self::Nothing => "<nil>",
            Self::Bool(_) => "bool",
            Self::Int(_) => "int64",
            Self::Float(_) => "float64",
            Self::Text(_) => "string",
            Self::List(_) => "[]interface {}",
            Self::Map(_) => "map[string]interface {}",
        }
    }
}
