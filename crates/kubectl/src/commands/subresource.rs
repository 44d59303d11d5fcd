//! `--subresource`: a part of an object with a path of its own.
//!
//! Upstream: `staging/src/k8s.io/cli-runtime/pkg/resource/{builder,helper}.go`,
//! `pkg/printers/internalversion/printers.go` (`printScale`), v1.36.

use api::Gather;
use api::{Action, Kind, Object, Patch, sent};
use serde_json::{Value, json};

use super::Session;
use crate::failure::Failure;
use crate::output_format::{self, Format};
use crate::resources::Asked;
use rows::human;

use crate::printers;

/// Those that there are, by kind: an object has the first two if its kind has such a part.
const KNOWN: [&str; 4] = ["status", "scale", "resize", "ephemeralcontainers"];

/// What `--subresource` asks for; empty without it.
pub(super) fn asked(session: &Session<'_>, asked: &Asked) -> Result<String, Failure> {
    let name = session.args.get("subresource").unwrap_or_default().to_owned();
    if !name.is_empty() && matches!(asked, Asked::Kinds(_)) {
        return Err(Failure::text("subresource cannot be used when bulk resources are specified"));
    }
    Ok(name)
}

/// The subresource by a name that lasts, if the object has it.
pub(super) fn of(object: &Object, name: &str) -> Result<&'static str, Failure> {
    let Some(known) = KNOWN.iter().find(|it| **it == name) else {
        return if name.is_empty() { Ok("") } else { Err(not_found()) };
    };
    let kind = object.kind();
    let has = match *known {
        "status" => sent::object_value(object).get("status").is_some(),
        "scale" => matches!(kind, Kind::Deployment | Kind::ReplicaSet | Kind::StatefulSet),
        _ => kind == Kind::Pod,
    };
    match *known {
        _ if !has => Err(not_found()),
        "ephemeralcontainers" => Err(Failure::text(
            "the subresource \"ephemeralcontainers\" is not possible in the simulation: containers \
             do not really run",
        )),
        known => Ok(known),
    }
}

/// Keeps the objects that have the subresource; of the others it says so.
pub(super) fn keep(name: &str, objects: &mut Vec<Object>, failures: &mut Vec<Failure>) {
    if name.is_empty() {
        return;
    }
    objects.retain(|it| match of(it, name) {
        Ok(_) => true,
        Err(failure) => {
            failures.push(failure);
            false
        }
    });
}

fn not_found() -> Failure {
    let text = "Error from server (NotFound): the server could not find the requested resource";
    Failure::Raw(format!("{text}\n"))
}

/// The write that puts an object, or the part of it, in the place of the old one.
pub(super) fn replacing(subresource: &str, object: &Object) -> Result<Action, Failure> {
    match subresource {
        "" => Ok(Action::Update(object.clone())),
        "status" => Ok(Action::UpdateStatus(object.clone())),
        "resize" => {
            let spec = sent::object_value(object)["spec"].take();
            let patch = Patch::Json(json!([{"op": "replace", "path": "/spec", "value": spec}]));
            Ok(Action::Patch { key: object.object_ref(), subresource: "resize", patch })
        }
        other => Err(Failure::Text(format!(
            "the subresource {other:?} cannot be replaced in the simulation: use \"kubectl scale\" or \
             \"kubectl patch --subresource={other}\""
        ))),
    }
}

/// The `Scale` of an object.
pub(super) fn scale(object: &Object) -> Value {
    let value = sent::object_value(object);
    let meta = &value["metadata"];
    let names = ["creationTimestamp", "name", "namespace", "resourceVersion", "uid"];
    let own = names.iter().map(|it| ((*it).to_owned(), meta[*it].clone()));
    let selector = match object {
        Object::Deployment(it) => it.spec.as_ref().map(|it| &it.selector),
        Object::ReplicaSet(it) => it.spec.as_ref().map(|it| &it.selector),
        Object::StatefulSet(it) => it.spec.as_ref().map(|it| &it.selector),
        _ => None,
    };
    let selector = selector.map_or_else(String::new, |it| printers::selector_text(Some(it)));
    let replicas = |part: &str| value[part]["replicas"].as_i64().unwrap_or_default();
    json!({
        "apiVersion": "autoscaling/v1",
        "kind": "Scale",
        "metadata": own.to_object(),
        "spec": {"replicas": replicas("spec")},
        "status": {"replicas": replicas("status"), "selector": selector},
    })
}

/// The scales of objects in a form of output.
pub(super) fn print_scales(
    session: &Session<'_>,
    objects: &[Object],
    format: &Format,
) -> Result<String, Failure> {
    let values: Vec<Value> = objects.iter().map(scale).collect();
    match format {
        Format::Table { .. } => {
            let mut text = String::new();
            if !session.args.is_on("no-headers") {
                text.push_str("NAME\tDESIRED\tAVAILABLE\tAGE\n");
            }
            for (object, it) in objects.iter().zip(&values) {
                let created = object.meta().creation_timestamp.as_ref();
                text.push_str(&format!(
                    "{}\t{}\t{}\t{}\n",
                    object.name(),
                    it["spec"]["replicas"],
                    it["status"]["replicas"],
                    human::since(created, session.client.now()),
                ));
            }
            Ok(rows::align(&text, 6, 3))
        }
        Format::Name => {
            let lines = objects.iter().map(|it| format!("scale.autoscaling/{}\n", it.name()));
            Ok(lines.collect())
        }
        Format::CustomColumns(_) => Err(Failure::text(
            "custom columns of a scale are not possible in the simulation: use -o jsonpath",
        )),
        other => match &values[..] {
            [one] => output_format::print_value(other, one),
            _ => {
                let meta = json!({"resourceVersion": ""});
                let list = json!({"apiVersion": "v1", "items": values, "kind": "List",
                    "metadata": meta});
                output_format::print_value(other, &list)
            }
        },
    }
}
