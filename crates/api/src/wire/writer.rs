//! Any serializable value as a JSON value: what `serde_json::to_value` does, in functions small
//! enough to be compiled once for each of the hundreds of Kubernetes' types.

use std::fmt;

use serde::ser::{self, Impossible, Serialize, Serializer};
use serde_json::{Map, Number, Value};

/// Nothing that Kubernetes' types hold lacks a form in JSON; a type that does not fit says so.
#[derive(Debug)]
pub(super) struct Unwritable;

impl fmt::Display for Unwritable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("this value has no form in JSON")
    }
}

impl std::error::Error for Unwritable {}

impl ser::Error for Unwritable {
    fn custom<T: fmt::Display>(_: T) -> Self {
        Self
    }
}

type Written = Result<Value, Unwritable>;

/// Writes one value: all of it, or only what lies on a path of keys.
#[derive(Clone, Copy)]
pub(super) struct Writer<'p> {
    path: &'p [&'p str],
}

/// A list under way.
pub(super) struct Items<'p> {
    items: Vec<Value>,
    writer: Writer<'p>,
}

/// An object under way, with the key that waits for its value.
pub(super) struct Fields<'p> {
    map: Map<String, Value>,
    key: String,
    path: &'p [&'p str],
}

impl<'p> Writer<'p> {
    /// Of objects only the keys of the path are written; lists in between are written whole, each
    /// of their items by the rest of the path.
    pub(super) fn along(path: &'p [&'p str]) -> Self {
        Self { path }
    }
}

impl Items<'_> {
    #[inline(never)]
    fn push(&mut self, value: Written) -> Result<(), Unwritable> {
        self.items.push(value?);
        Ok(())
    }
}

impl<'p> Fields<'p> {
    fn new(path: &'p [&'p str]) -> Self {
        Self { map: Map::new(), key: String::new(), path }
    }

    /// What writes the value of a key, if it is wanted.
    #[inline(never)]
    fn writer(&self, key: &str) -> Option<Writer<'p>> {
        match self.path.split_first() {
            None => Some(Writer { path: self.path }),
            Some((first, rest)) => (*first == key).then_some(Writer { path: rest }),
        }
    }

    #[inline(never)]
    fn put(&mut self, key: &str, value: Written) -> Result<(), Unwritable> {
        self.map.insert(key.to_owned(), value?);
        Ok(())
    }

    /// The keys of an object are texts; other plain values are written as theirs.
    #[inline(never)]
    fn set_key(&mut self, key: Written) -> Result<(), Unwritable> {
        self.key = match key? {
            Value::String(text) => text,
            Value::Bool(it) => it.to_string(),
            Value::Number(it) => it.to_string(),
            Value::Null | Value::Array(_) | Value::Object(_) => return Err(Unwritable),
        };
        Ok(())
    }
}

impl ser::SerializeSeq for Items<'_> {
    type Ok = Value;
    type Error = Unwritable;

    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Unwritable> {
        self.push(value.serialize(self.writer))
    }

    fn end(self) -> Written {
        Ok(Value::Array(self.items))
    }
}

impl ser::SerializeTuple for Items<'_> {
    type Ok = Value;
    type Error = Unwritable;

    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Unwritable> {
        self.push(value.serialize(self.writer))
    }

    fn end(self) -> Written {
        Ok(Value::Array(self.items))
    }
}

impl ser::SerializeMap for Fields<'_> {
    type Ok = Value;
    type Error = Unwritable;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), Unwritable> {
        self.set_key(key.serialize(Writer::along(&[])))
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Unwritable> {
        let key = std::mem::take(&mut self.key);
        match self.writer(&key) {
            Some(writer) => self.put(&key, value.serialize(writer)),
            None => Ok(()),
        }
    }

    fn end(self) -> Written {
        Ok(Value::Object(self.map))
    }
}

impl ser::SerializeStruct for Fields<'_> {
    type Ok = Value;
    type Error = Unwritable;

    fn serialize_field<T: Serialize + ?Sized>(
        &mut self,
        key: &'static str,
        value: &T,
    ) -> Result<(), Unwritable> {
        match self.writer(key) {
            Some(writer) => self.put(key, value.serialize(writer)),
            None => Ok(()),
        }
    }

    fn end(self) -> Written {
        Ok(Value::Object(self.map))
    }
}

macro_rules! plain {
    ($($method:ident $type:ty => $value:expr;)*) => { $(
        fn $method(self, it: $type) -> Written {
            Ok($value(it))
        }
    )* };
}

fn float(it: f64) -> Value {
    Number::from_f64(it).map_or(Value::Null, Value::Number)
}

impl<'p> Serializer for Writer<'p> {
    type Ok = Value;
    type Error = Unwritable;
    type SerializeSeq = Items<'p>;
    type SerializeTuple = Items<'p>;
    type SerializeTupleStruct = Impossible<Value, Unwritable>;
    type SerializeTupleVariant = Impossible<Value, Unwritable>;
    type SerializeMap = Fields<'p>;
    type SerializeStruct = Fields<'p>;
    type SerializeStructVariant = Impossible<Value, Unwritable>;

    plain! {
        serialize_bool bool => Value::Bool;
        serialize_i8 i8 => Value::from;
        serialize_i16 i16 => Value::from;
        serialize_i32 i32 => Value::from;
        serialize_i64 i64 => Value::from;
        serialize_u8 u8 => Value::from;
        serialize_u16 u16 => Value::from;
        serialize_u32 u32 => Value::from;
        serialize_u64 u64 => Value::from;
        serialize_f32 f32 => |it| float(f64::from(it));
        serialize_f64 f64 => float;
        serialize_char char => |it: char| Value::String(it.to_string());
        serialize_str &str => |it: &str| Value::String(it.to_owned());
        serialize_bytes &[u8] => |it: &[u8]| Value::Array(it.iter().map(|it| (*it).into()).collect());
        serialize_unit_struct &'static str => |_| Value::Null;
    }

    fn serialize_none(self) -> Written {
        Ok(Value::Null)
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Written {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Written {
        Ok(Value::Null)
    }

    fn serialize_unit_variant(self, _: &'static str, _: u32, variant: &'static str) -> Written {
        Ok(Value::String(variant.to_owned()))
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        value: &T,
    ) -> Written {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        value: &T,
    ) -> Written {
        let mut fields = Fields::new(&[]);
        fields.put(variant, value.serialize(self))?;
        Ok(Value::Object(fields.map))
    }

    fn serialize_seq(self, length: Option<usize>) -> Result<Items<'p>, Unwritable> {
        Ok(Items { items: Vec::with_capacity(length.unwrap_or_default()), writer: self })
    }

    fn serialize_tuple(self, length: usize) -> Result<Items<'p>, Unwritable> {
        self.serialize_seq(Some(length))
    }

    fn serialize_tuple_struct(
        self,
        _: &'static str,
        _: usize,
    ) -> Result<Self::SerializeTupleStruct, Unwritable> {
        Err(Unwritable)
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Self::SerializeTupleVariant, Unwritable> {
        Err(Unwritable)
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Fields<'p>, Unwritable> {
        Ok(Fields::new(self.path))
    }

    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Fields<'p>, Unwritable> {
        Ok(Fields::new(self.path))
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Self::SerializeStructVariant, Unwritable> {
        Err(Unwritable)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use k8s_openapi::api::core::v1::Pod;
    use serde::Serialize;
    use serde_json::json;

    use super::Writer;

    #[derive(Serialize)]
    enum Word {
        #[serde(rename = "plain")]
        Plain,
        With(i32),
    }

    fn check<T: Serialize>(value: &T) {
        assert_eq!(
            value.serialize(Writer::along(&[])).unwrap(),
            serde_json::to_value(value).unwrap()
        );
    }

    #[test]
    fn values_are_written_as_serde_json_writes_them() {
        check(&json!({"a": [1, -2, 2.5, u64::MAX, null, true, "x", {"b": {}}]}));
        check(&(1_u8, 'x', (), Some(1.5_f32), None::<i8>, f64::NAN));
        check(&[Word::Plain, Word::With(3)]);
        check(&BTreeMap::from([(1, "one"), (2, "two")]));
        check(&BTreeMap::from([(true, ())]));
    }

    #[test]
    fn a_whole_pod_is_written_as_serde_json_writes_it() {
        let pod: Pod = serde_json::from_value(json!({
            "metadata": {"name": "a", "labels": {"x": "y"}, "creationTimestamp": "2026-01-01T00:00:00Z"},
            "spec": {"containers": [{"name": "m", "image": "i", "ports": [{"containerPort": 80}],
                "resources": {"requests": {"cpu": "500m"}}}],
                "volumes": [{"name": "v", "emptyDir": {}}]},
            "status": {"phase": "Running"},
        }))
        .unwrap();
        check(&pod);
    }

    #[test]
    fn along_a_path_nothing_else_is_written() {
        let value = json!({"a": {"b": [{"c": 1, "d": 2}, {"d": 3}], "e": 4}, "c": 5});
        for (path, expected) in [
            (&["c"][..], json!({"c": 5})),
            (&["a", "e"], json!({"a": {"e": 4}})),
            (&["a", "b", "c"], json!({"a": {"b": [{"c": 1}, {}]}})),
            (&["a", "b"], json!({"a": {"b": [{"c": 1, "d": 2}, {"d": 3}]}})),
            (&["x", "y"], json!({})),
        ] {
            assert_eq!(value.serialize(Writer::along(path)).unwrap(), expected, "{path:?}");
        }
    }

    #[test]
    fn a_map_with_keys_that_are_no_texts_is_refused() {
        assert!(BTreeMap::from([(vec![1], 1)]).serialize(Writer::along(&[])).is_err());
    }
}
