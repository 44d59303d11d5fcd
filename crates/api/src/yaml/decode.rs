//! The tree as a serde `Deserializer` that goes on after a fault: it notes the problem, hands out
//! an empty value of the wanted type, and so finds all problems of a document in one pass.
//!
//! Upstream: Go's `encoding/json` (its words for wrong types) and sigs.k8s.io/json (strict errors).

use std::cell::RefCell;
use std::fmt::{self, Write as _};

use serde::de::{
    self, DeserializeSeed, Deserializer, Expected, IntoDeserializer, MapAccess, SeqAccess, Visitor,
};
use serde::forward_to_deserialize_any;
use view::Span;

use super::gotypes::{self, Probe};
use super::node::{Data, Entry, Node, whole};
use super::path::{Path, Step};
use super::words::{go_words, json_type, literal, mend};
use crate::{fields, quantity};

/// What is wrong with a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// Another type is wanted. Go notes the first of these and goes on.
    WrongType,
    /// The value itself cannot be read, such as a quantity or a time. Go stops here.
    BadValue,
    /// No such field.
    UnknownField,
}

/// A problem of a document.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Problem {
    pub(super) fault: Fault,
    pub(super) code: &'static str,
    pub(super) path: String,
    pub(super) span: Span,
    /// In Go's words.
    pub(super) message: String,
    pub(super) hint: Option<String>,
    pub(super) replacement: Option<String>,
}

/// What all parts of one pass share.
#[derive(Default)]
pub(super) struct Context {
    problems: RefCell<Vec<Problem>>,
}

impl Context {
    pub(super) fn into_problems(self) -> Vec<Problem> {
        self.problems.into_inner()
    }

    fn push(&self, problem: Problem) {
        self.problems.borrow_mut().push(problem);
    }
}

/// The error that ends a pass; its problem has been noted, or is still to be.
#[derive(Debug)]
pub(super) struct Error {
    message: String,
    noted: bool,
}

/// Stands before the message of an error that has been noted. Errors travel through code that
/// keeps nothing but their text.
const NOTED: char = '\u{0}';

impl Error {
    fn noted(message: &str) -> Self {
        Self { message: message.trim_start_matches(NOTED).to_owned(), noted: true }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.noted {
            f.write_char(NOTED)?;
        }
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {}

impl de::Error for Error {
    fn custom<T: fmt::Display>(message: T) -> Self {
        let message = message.to_string();
        match message.strip_prefix(NOTED) {
            Some(message) => Self::noted(message),
            None => Self { message, noted: false },
        }
    }
}

/// One value to be read.
#[derive(Clone, Copy)]
pub(super) struct Decoder<'a, 'p> {
    pub(super) node: &'a Node,
    pub(super) path: &'p Path<'p>,
    pub(super) context: &'p Context,
}

impl<'a, 'p> Decoder<'a, 'p> {
    /// The entries of a struct; what is none is noted, and read as an empty one.
    #[inline(never)]
    fn fields_of(self, name: &'static str, fields: &'static [&'static str]) -> Entries<'a, 'p> {
        let entries: &[Entry] = match &self.node.data {
            Data::Map(entries) => entries,
            Data::Null => &[],
            _ => {
                self.wrong_type(json_type(self.node), &gotypes::struct_type(name));
                &[]
            }
        };
        Entries::new(self, entries, Some((name, fields)))
    }
}

impl Decoder<'_, '_> {
    fn problem(&self, fault: Fault, code: &'static str, message: String) -> Problem {
        Problem {
            fault,
            code,
            path: self.path.to_string(),
            span: self.node.span,
            message,
            hint: None,
            replacement: None,
        }
    }

    /// Notes that a value of the Go type `wanted` should stand here.
    fn wrong_type(&self, found: &str, wanted: &str) {
        let place = match self.path.go_field() {
            Some(field) => format!("Go struct field {field}"),
            None => "Go value".to_owned(),
        };
        let message = format!("json: cannot unmarshal {found} into {place} of type {wanted}");
        let (hint, replacement) =
            mend(self.node, if wanted == "[]uint8" { "string" } else { wanted });
        let problem = self.problem(Fault::WrongType, "wrong-type", message);
        self.context.push(Problem { hint, replacement, ..problem });
    }

    fn bad_value(&self, code: &'static str, message: String, hint: Option<String>) {
        let problem = self.problem(Fault::BadValue, code, message);
        self.context.push(Problem { hint, ..problem });
    }

    /// Notes an error of a visitor where it happened.
    #[inline(never)]
    fn note(&self, error: Error) -> Error {
        if error.noted {
            return error;
        }
        let message = go_words(&error.message, self.node);
        self.context.push(self.problem(Fault::BadValue, "bad-value", message));
        Error::noted(&error.message)
    }

    fn is_null(&self) -> bool {
        self.node.data == Data::Null
    }

    /// A whole number within bounds; what is not one is noted, and read as zero.
    fn integer(&self, wanted: &str, low: i128, high: i128) -> i128 {
        let value = match self.node.data {
            Data::Null => return 0,
            Data::Int(it) => Some(i128::from(it)),
            Data::UInt(it) => Some(i128::from(it)),
            Data::Float(it) => whole(it).map(i128::from),
            _ => {
                self.wrong_type(json_type(self.node), wanted);
                return 0;
            }
        };
        if let Some(value) = value.filter(|it| (low..=high).contains(it)) {
            return value;
        }
        let literal = literal(self.node).unwrap_or_default();
        self.wrong_type(&format!("number {literal}"), wanted);
        0
    }

    /// A text; what is not one is noted, and read as empty.
    fn text(&self) -> &str {
        match &self.node.data {
            Data::Str(text) => text,
            Data::Null => "",
            _ => {
                let wanted = match self.path.field() {
                    Some((owner, field)) => gotypes::string_type(owner, field),
                    None => "string",
                };
                self.wrong_type(json_type(self.node), wanted);
                ""
            }
        }
    }

    /// The text of a quantity, which may stand there as a number.
    fn quantity(&self) -> String {
        let text = match &self.node.data {
            Data::Null => return "0".to_owned(),
            Data::Str(text) => text.clone(),
            Data::Int(_) | Data::UInt(_) | Data::Float(_) => literal(self.node).unwrap_or_default(),
            Data::Bool(it) => it.to_string(),
            Data::Seq(_) => "[".to_owned(),
            Data::Map(_) => "{".to_owned(),
        };
        match quantity::parse(&text) {
            Ok(_) => text,
            Err(error) => {
                let hint = "write a number with a unit such as 500m, 2, 128Mi, 1Gi".to_owned();
                self.bad_value("bad-quantity", error.to_string(), Some(hint));
                "0".to_owned()
            }
        }
    }

    /// The text of a time; what is none is noted, and read as 1970.
    fn time(&self) -> &str {
        const EPOCH: &str = "1970-01-01T00:00:00Z";
        if self.is_null() {
            return EPOCH;
        }
        let text = self.text();
        const MICRO: &[&str] = &["acquireTime", "renewTime", "eventTime", "lastObservedTime"];
        let is_micro = self.path.field().is_some_and(|it| MICRO.contains(&it.1));
        let mistake = match text.parse::<jiff::Timestamp>() {
            Err(_) => Some((text, "2006")),
            Ok(_) if is_micro => mistake_of_micro(text),
            Ok(_) => None,
        };
        let Some((rest, part)) = mistake else { return text };
        let fraction = if is_micro { ".000000" } else { "" };
        let message = format!(
            "parsing time {text:?} as \"2006-01-02T15:04:05{fraction}Z07:00\": cannot parse {rest:?} \
             as {part:?}"
        );
        let hint = "write a time such as 2026-01-01T00:00:00Z".to_owned();
        self.bad_value("bad-time", message, Some(hint));
        EPOCH
    }

    /// What type the items of a list or the values of a map would have here.
    fn probe<'c>(&self, found: &'c RefCell<String>) -> Probe<'c> {
        let field = self.path.field();
        let string = field.map_or("string", |(owner, name)| gotypes::string_type(owner, name));
        Probe { found, string }
    }
}

/// What is wrong with a time that must have six digits after the point, and which part of Go's layout
/// it does not fit. Upstream: `MicroTime.UnmarshalJSON`.
fn mistake_of_micro(text: &str) -> Option<(&str, &'static str)> {
    let rest = text.get("2006-01-02T15:04:05".len()..)?;
    let n_digits = rest.bytes().skip(1).take_while(u8::is_ascii_digit).count();
    if !rest.starts_with('.') || n_digits < 6 {
        return Some((rest, ".000000"));
    }
    (n_digits > 6).then(|| (&rest[7..], "Z07:00"))
}

macro_rules! integers {
    ($($method:ident $visit:ident $type:ty, $go:literal;)*) => { $(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
            let value = self.integer($go, i128::from(<$type>::MIN), i128::from(<$type>::MAX));
            visitor.$visit(<$type>::try_from(value).unwrap_or_default())
        }
    )* };
}

impl<'de> Deserializer<'de> for Decoder<'_, '_> {
    type Error = Error;

    integers! {
        deserialize_i8 visit_i8 i8, "int8";
        deserialize_i16 visit_i16 i16, "int16";
        deserialize_i32 visit_i32 i32, "int32";
        deserialize_i64 visit_i64 i64, "int64";
        deserialize_u8 visit_u8 u8, "uint8";
        deserialize_u16 visit_u16 u16, "uint16";
        deserialize_u32 visit_u32 u32, "uint32";
        deserialize_u64 visit_u64 u64, "uint64";
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.node.data {
            Data::Bool(it) => visitor.visit_bool(it),
            Data::Null => visitor.visit_bool(false),
            _ => {
                self.wrong_type(json_type(self.node), "bool");
                visitor.visit_bool(false)
            }
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "as Go reads a whole number into a float64")]
    fn deserialize_f64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.node.data {
            Data::Float(it) => visitor.visit_f64(it),
            Data::Int(it) => visitor.visit_f64(it as f64),
            Data::UInt(it) => visitor.visit_f64(it as f64),
            Data::Null => visitor.visit_f64(0.0),
            _ => {
                self.wrong_type(json_type(self.node), "float64");
                visitor.visit_f64(0.0)
            }
        }
    }

    fn deserialize_f32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_f64(visitor)
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_str(self.text()).map_err(|it: Error| self.note(it))
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_str(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        if self.is_null() { visitor.visit_none() } else { visitor.visit_some(self) }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        let text = match name {
            "Quantity" => self.quantity(),
            "Time" | "MicroTime" => self.time().to_owned(),
            _ => return visitor.visit_newtype_struct(self),
        };
        let node = Node { span: self.node.span, data: Data::Str(text), raw: None };
        visitor.visit_newtype_struct(Decoder { node: &node, ..self })
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match &self.node.data {
            Data::Seq(items) => visitor.visit_seq(Items { decoder: self, items, index: 0 }),
            Data::Null => visitor.visit_seq(Items { decoder: self, items: &[], index: 0 }),
            _ => {
                let found = RefCell::new(String::new());
                let value = visitor.visit_seq(self.probe(&found));
                self.wrong_type(json_type(self.node), &format!("[]{}", found.into_inner()));
                value.map_err(|it| Error::noted(&it.to_string()))
            }
        }
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match &self.node.data {
            Data::Map(entries) => visitor.visit_map(Entries::new(self, entries, None)),
            Data::Null => visitor.visit_map(Entries::new(self, &[], None)),
            _ => {
                let found = RefCell::new(String::new());
                let value = visitor.visit_map(self.probe(&found));
                self.wrong_type(json_type(self.node), &gotypes::map_type(&found.into_inner()));
                value.map_err(|it| Error::noted(&it.to_string()))
            }
        }
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_map(self.fields_of(name, fields))
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        let text = self.text();
        if variants.contains(&text) {
            return visitor.visit_enum(text.into_deserializer());
        }
        let message = format!("unknown value {text:?}, expected one of: {}", variants.join(", "));
        let close = fields::closest(text, variants);
        let problem = self.problem(Fault::BadValue, "unknown-value", message.clone());
        self.context.push(Problem {
            hint: close.map(|it| format!("did you mean {it:?}?")),
            replacement: close.map(str::to_owned),
            ..problem
        });
        Err(Error::noted(&message))
    }

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        let expected = format!("{}", &visitor as &dyn Expected);
        if expected == "IntOrString" {
            return match &self.node.data {
                Data::Str(text) => visitor.visit_str(text),
                _ => self.deserialize_i32(visitor),
            };
        }
        let result = match &self.node.data {
            Data::Null => visitor.visit_unit(),
            Data::Bool(it) => visitor.visit_bool(*it),
            Data::Int(it) => visitor.visit_i64(*it),
            Data::UInt(it) => visitor.visit_u64(*it),
            Data::Float(it) => match whole(*it) {
                Some(it) => visitor.visit_i64(it),
                None => visitor.visit_f64(*it),
            },
            Data::Str(text) => visitor.visit_str(text),
            Data::Seq(items) => visitor.visit_seq(Items { decoder: self, items, index: 0 }),
            Data::Map(entries) => visitor.visit_map(Entries::new(self, entries, None)),
        };
        result.map_err(|it: Error| self.note(it))
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_unit()
    }

    forward_to_deserialize_any! { char bytes byte_buf unit unit_struct tuple_struct identifier }
}

/// The items of a list.
struct Items<'a, 'p> {
    decoder: Decoder<'a, 'p>,
    items: &'a [Node],
    index: usize,
}

impl<'de> SeqAccess<'de> for Items<'_, '_> {
    type Error = Error;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, Error> {
        let Some(node) = self.items.get(self.index) else { return Ok(None) };
        let path = self.decoder.path.to(Step::Index(self.index));
        self.index += 1;
        let decoder = Decoder { node, path: &path, context: self.decoder.context };
        seed.deserialize(decoder).map(Some).map_err(|it| decoder.note(it))
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.items.len().saturating_sub(self.index))
    }
}

/// The entries of a map or struct, in the order of their keys, as JSON made from Go maps has them.
struct Entries<'a, 'p> {
    decoder: Decoder<'a, 'p>,
    entries: Vec<&'a Entry>,
    index: usize,
    /// The struct with its fields.
    owner: Option<(&'static str, &'static [&'static str])>,
}

impl<'a, 'p> Entries<'a, 'p> {
    fn new(
        decoder: Decoder<'a, 'p>,
        entries: &'a [Entry],
        owner: Option<(&'static str, &'static [&'static str])>,
    ) -> Self {
        let mut entries: Vec<&Entry> = entries.iter().collect();
        entries.sort_by(|a, b| a.key.cmp(&b.key));
        Self { decoder, entries, index: 0, owner }
    }

    /// The next entry; a field that its struct does not have is noted.
    #[inline(never)]
    fn advance(&mut self) -> Result<&'a Entry, Error> {
        let Some(&entry) = self.entries.get(self.index) else {
            return Err(de::Error::custom("a value was asked for after the last key"));
        };
        self.index += 1;
        if let Some((_, fields)) = self.owner
            && !fields.contains(&entry.key.as_str())
        {
            self.unknown_field(entry, &self.decoder.path.to(self.step(entry)), fields);
        }
        Ok(entry)
    }

    fn step<'e>(&self, entry: &'e Entry) -> Step<'e> {
        match self.owner {
            Some((owner, _)) => Step::Field { owner, name: &entry.key },
            None => Step::Key(&entry.key),
        }
    }

    fn unknown_field(&self, entry: &Entry, path: &Path<'_>, fields: &[&'static str]) {
        let path = path.to_string();
        let close = fields::closest(&entry.key, fields);
        let hint = close.map(|it| format!("did you mean {it:?}?"));
        self.decoder.context.push(Problem {
            fault: Fault::UnknownField,
            code: "unknown-field",
            message: format!("unknown field {}", fields::quote(&path)),
            path,
            span: entry.key_span,
            hint,
            replacement: close.map(str::to_owned),
        });
    }
}

impl<'de> MapAccess<'de> for Entries<'_, '_> {
    type Error = Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Error> {
        let Some(entry) = self.entries.get(self.index) else { return Ok(None) };
        seed.deserialize(entry.key.as_str().into_deserializer()).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Error> {
        let entry = self.advance()?;
        let path = self.decoder.path.to(self.step(entry));
        let decoder = Decoder { node: &entry.value, path: &path, context: self.decoder.context };
        seed.deserialize(decoder).map_err(|it| decoder.note(it))
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.entries.len().saturating_sub(self.index))
    }
}
