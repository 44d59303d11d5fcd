//! Who manages what after creations, changes and configurations, and what they refuse.

use super::*;
use crate::Store;
use api::{Action, ObjectRef, Patch};

/// What happens to a config map or a pod, and what stands in the end.
struct Case {
    store: Store,
    key: ObjectRef,
}

impl Case {
    fn new(kind: Kind) -> Self {
        let mut store = Store::new(1);
        store.bootstrap(Timestamp::UNIX_EPOCH);
        Self { store, key: ObjectRef::new(kind, "default", "x") }
    }

    fn object(&self, body: Value) -> Value {
        let mut value = body;
        value["apiVersion"] = self.key.kind.api_version().into();
        value["kind"] = self.key.kind.name().into();
        value["metadata"]["name"] = "x".into();
        value
    }

    fn write(&mut self, manager: &str, action: Action) -> Result<(), String> {
        self.store.set_manager(Some(manager));
        let result = self.store.apply_action(action, Timestamp::UNIX_EPOCH);
        self.store.set_manager(None);
        result.map(|_| ()).map_err(|it| it.message)
    }

    fn create(&mut self, manager: &str, body: Value) {
        let object = wire::object_from_value(self.key.kind, &self.object(body)).unwrap();
        self.write(manager, Action::Create { object, created: None, failed: None }).unwrap();
    }

    fn patch(&mut self, manager: &str, patch: Patch) -> Result<(), String> {
        self.write(manager, Action::Patch { key: self.key.clone(), subresource: "", patch })
    }

    fn apply(&mut self, manager: &str, body: Value, force: bool) -> Result<(), String> {
        let config = self.object(body);
        self.patch(manager, Patch::Apply { config, force })
    }

    fn live(&self) -> Value {
        sent::object_value(self.store.get(&self.key).unwrap())
    }

    /// `MANAGER OPERATION FIELDS` of each entry.
    fn managers(&self) -> Vec<String> {
        let entries = self.store.get(&self.key).unwrap().meta().managed_fields.clone();
        let line = |it: &ManagedFieldsEntry| {
            let text = |it: &Option<String>| it.clone().unwrap_or_default();
            format!("{} {} {}", text(&it.manager), text(&it.operation), sent::fields_of(it))
        };
        entries.iter().flatten().map(line).collect()
    }
}

#[test]
fn who_creates_manages_what_is_there_then_and_who_changes_takes_it() {
    let mut case = Case::new(Kind::ConfigMap);
    case.create("a", json!({"data": {"k": "1", "l": "2"}, "metadata": {"labels": {"m": "n"}}}));
    assert_eq!(
        case.managers(),
        [
            r#"a Update {"f:data":{".":{},"f:k":{},"f:l":{}},"f:metadata":{"f:labels":{".":{},"f:m":{}}}}"#
        ]
    );
    case.patch("b", Patch::Merge(json!({"data": {"k": "3", "l": null}}))).unwrap();
    assert_eq!(
        case.managers(),
        [
            r#"a Update {"f:data":{},"f:metadata":{"f:labels":{".":{},"f:m":{}}}}"#,
            r#"b Update {"f:data":{"f:k":{}}}"#,
        ]
    );
    // A component's write leaves no trace.
    let patch = Patch::Merge(json!({"data": {"z": "1"}}));
    let action = Action::Patch { key: case.key.clone(), subresource: "", patch };
    let before = case.managers();
    case.store.apply_action(action, Timestamp::UNIX_EPOCH).unwrap();
    assert_eq!(case.managers(), before);
}

#[test]
fn what_is_not_applied_any_more_goes_away_unless_somebody_else_applies_it() {
    let mut case = Case::new(Kind::ConfigMap);
    case.apply("a", json!({"data": {"k": "1", "l": "2"}}), false).unwrap();
    assert_eq!(case.managers(), [r#"a Apply {"f:data":{"f:k":{},"f:l":{}}}"#]);
    case.apply("b", json!({"data": {"k": "1"}}), false).unwrap();
    case.apply("a", json!({}), false).unwrap();
    assert_eq!(case.live()["data"], json!({"k": "1"}));
    case.apply("b", json!({}), false).unwrap();
    assert_eq!(case.live()["data"], Value::Null);
}

#[test]
fn what_a_component_put_into_the_metadata_stays() {
    let mut case = Case::new(Kind::ConfigMap);
    case.apply("a", json!({"metadata": {"labels": {"k": "1"}}}), false).unwrap();
    let patch = Patch::Merge(json!({"metadata": {"labels": {"c": "1"}}}));
    let action = Action::Patch { key: case.key.clone(), subresource: "", patch };
    case.store.apply_action(action, Timestamp::UNIX_EPOCH).unwrap();
    case.apply("a", json!({}), false).unwrap();
    assert_eq!(case.live()["metadata"]["labels"], json!({"c": "1"}));
}

#[test]
fn what_somebody_else_manages_is_changed_only_by_force() {
    let check = |first: fn(&mut Case), body: Value, expected: &str| {
        let mut case = Case::new(Kind::ConfigMap);
        first(&mut case);
        assert_eq!(case.apply("me", body.clone(), false), Err(expected.to_owned()));
        case.apply("me", body.clone(), true).unwrap();
        assert_eq!(case.live()["data"]["k"], body["data"]["k"]);
        assert_eq!(case.apply("me", body, false), Ok(()));
    };
    check(
        |it| it.apply("a", json!({"data": {"k": "1"}}), false).unwrap(),
        json!({"data": {"k": "2"}}),
        "Apply failed with 1 conflict: conflict with \"a\": .data.k",
    );
    check(
        |it| it.create("a", json!({"data": {"k": "1", "l": "1"}})),
        json!({"data": {"k": "2", "l": "2"}}),
        "Apply failed with 2 conflicts: conflicts with \"a\" using v1:\n- .data.k\n- .data.l",
    );
    check(
        |it| {
            it.store.set_manager(None);
            let value = it.object(json!({"data": {"k": "1"}}));
            let object = wire::object_from_value(Kind::ConfigMap, &value).unwrap();
            it.store.create(object, Timestamp::UNIX_EPOCH).unwrap();
        },
        json!({"data": {"k": "2"}}),
        "Apply failed with 1 conflict: conflict with \"before-first-apply\" using v1: .data.k",
    );
}

#[test]
fn items_of_lists_have_managers_of_their_own() {
    let mut case = Case::new(Kind::Service);
    let ports = |port: Value| json!({"spec": {"ports": [port]}});
    case.apply("a", ports(json!({"port": 80, "name": "h", "targetPort": 1})), false).unwrap();
    case.apply("b", ports(json!({"port": 81, "name": "g"})), false).unwrap();
    assert_eq!(case.live()["spec"]["ports"].as_array().unwrap().len(), 2);
    assert_eq!(
        case.apply("b", ports(json!({"port": 80, "name": "h", "targetPort": 2})), false),
        Err("Apply failed with 1 conflict: conflict with \"a\": \
             .spec.ports[port=80,protocol=\"TCP\"].targetPort"
            .to_owned())
    );
    case.apply("a", json!({}), false).unwrap();
    assert_eq!(case.live()["spec"]["ports"][0]["port"], 81);
}

#[test]
fn what_the_client_applied_passes_to_the_server_without_conflict() {
    let mut case = Case::new(Kind::ConfigMap);
    let last = r#"{"apiVersion":"v1","kind":"ConfigMap","data":{"k":"1"}}"#;
    let annotations = json!({ LAST_APPLIED: last });
    case.create("csa", json!({"data": {"k": "1"}, "metadata": {"annotations": annotations}}));
    case.apply("kubectl", json!({"data": {"k": "2"}}), false).unwrap();
    let live = case.live();
    let now = live["metadata"]["annotations"][LAST_APPLIED].as_str().unwrap();
    assert_eq!(serde_json::from_str::<Value>(now).unwrap()["data"], json!({"k": "2"}));
    case.patch("edit", Patch::Merge(json!({"data": {"k": "3"}}))).unwrap();
    assert!(case.apply("kubectl", json!({"data": {"k": "2"}}), false).is_err());
}
