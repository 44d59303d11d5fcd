//! `kubectl taint`.
//!
//! Upstream: `staging/src/k8s.io/kubectl/pkg/cmd/taint/taint.go`, `utils.go`, v1.36.

use api::{Action, Kind, Object, Patch};
use k8s_openapi::api::core::v1::Taint;
use serde_json::json;

use super::{Next, Session};
use crate::args::{Flag, switch, value};
use crate::failure::Failure;
use crate::names;
use crate::resources::{self, Asked};

pub(super) const FLAGS: &[Flag] = &[
    switch("all"),
    switch("overwrite"),
    value("selector").or('l'),
    value("dry-run").optional("unchanged"),
    value("output").or('o'),
    value("field-manager"),
    value("validate").optional("strict"),
];

pub(super) fn run(session: &mut Session<'_>) -> Result<Next, Failure> {
    let words = session.args.positional.clone();
    let is_taint = |it: &String| it.contains(['=', ':']) || it.ends_with('-');
    let at = words.iter().position(is_taint).unwrap_or(words.len());
    let (nodes, specs) = words.split_at(at);
    if let Some(word) = specs.iter().find(|it| !is_taint(it)) {
        let text = format!("all resources must be specified before taint changes: {word}");
        return Err(Failure::Text(text));
    }
    if nodes.is_empty() {
        return Err(Failure::text("one or more resources must be specified as <resource> <name>"));
    }
    if specs.is_empty() {
        return Err(Failure::text("at least one taint update is required"));
    }
    let (add, remove) = parse(specs).map_err(Failure::Usage)?;
    check(session, nodes, &add, &remove)?;
    let asked = match session.args.is_on("all") || session.args.has("selector") {
        true => Asked::Kinds(vec![Kind::Node]),
        false => Asked::Names(nodes[1..].iter().map(|it| (Kind::Node, it.clone())).collect()),
    };
    let (objects, mut failures) = session.find(&asked, false)?;
    for object in &objects {
        if let Err(failure) = taint_one(session, object, &add, &remove) {
            failures.push(failure);
        }
    }
    Failure::all(failures)?;
    Ok(Next::Done)
}

fn check(
    session: &Session<'_>,
    nodes: &[String],
    add: &[Taint],
    remove: &[Taint],
) -> Result<(), Failure> {
    let word = nodes.first().map(|it| it.to_lowercase()).unwrap_or_default();
    if resources::kind(&word).map_err(Failure::without_prefix)? != Kind::Node {
        let text = format!("invalid resource type {word}, only node types are supported");
        return Err(Failure::Text(text));
    }
    let mut conflicts = vec![];
    for new in add {
        for old in remove.iter().filter(|it| it.key == new.key) {
            if old.effect.is_empty() || old.effect == new.effect {
                conflicts.push(format!("{}={}", old.key, old.effect));
            }
        }
    }
    if !conflicts.is_empty() {
        return Err(Failure::Text(format!(
            "can not both modify and remove the following taint(s) in the same command: {}",
            conflicts.join(", ")
        )));
    }
    let (all, selector) = (session.args.is_on("all"), session.args.has("selector"));
    if all && selector {
        return Err(Failure::text(
            "setting 'all' parameter with a non empty selector is prohibited",
        ));
    }
    if !all && !selector && nodes.len() < 2 {
        return Err(Failure::text(
            "at least one resource name must be specified since 'all' parameter is not set",
        ));
    }
    Ok(())
}

fn taint_one(
    session: &mut Session<'_>,
    object: &Object,
    add: &[Taint],
    remove: &[Taint],
) -> Result<(), Failure> {
    let Object::Node(node) = object else { return Ok(()) };
    let old = node.spec.as_ref().and_then(|it| it.taints.clone()).unwrap_or_default();
    let overwrite = session.args.is_on("overwrite");
    if !overwrite {
        let same = |new: &Taint| old.iter().any(|it| it.key == new.key && it.effect == new.effect);
        let there: Vec<&str> = add.iter().filter(|it| same(it)).map(|it| it.key.as_str()).collect();
        if !there.is_empty() {
            return Err(Failure::Text(format!(
                "node {} already has {} taint(s) with same effect(s) and --overwrite is false",
                object.name(),
                there.join(",")
            )));
        }
    }
    let (done, taints) = reorganize(&old, add, remove, overwrite)?;
    let taints = if taints.is_empty() { json!(null) } else { json!(taints) };
    let patch = Patch::Merge(json!({"spec": {"taints": taints}}));
    let action = Action::Patch { key: object.object_ref(), subresource: "", patch };
    let result = session.patched(object, &action)?;
    // As upstream, without a word about a dry run.
    session.print_done(&result, done)
}

/// The new taints, then the old ones that stay; and what was done.
fn reorganize(
    old: &[Taint],
    add: &[Taint],
    remove: &[Taint],
    overwrite: bool,
) -> Result<(&'static str, Vec<Taint>), Failure> {
    let mut taints = add.to_vec();
    for it in old {
        if !taints.iter().any(|new| new.key == it.key && new.effect == it.effect) {
            taints.push(it.clone());
        }
    }
    let added = taints.len() != old.len();
    let (mut deleted, mut failures) = (false, vec![]);
    for gone in remove {
        let before = taints.len();
        taints.retain(|it| {
            it.key != gone.key || (!gone.effect.is_empty() && it.effect != gone.effect)
        });
        deleted = taints.len() != before;
        if !deleted {
            let text = match gone.effect.as_str() {
                "" => gone.key.clone(),
                effect => format!("{}:{effect}", gone.key),
            };
            failures.push(Failure::Text(format!("taint {text:?} not found")));
        }
    }
    Failure::all(failures)?;
    let done = match (added, deleted) {
        (true, true) => "modified",
        _ if overwrite => "modified",
        (true, false) => "tainted",
        _ => "untainted",
    };
    Ok((done, taints))
}

fn parse(specs: &[String]) -> Result<(Vec<Taint>, Vec<Taint>), String> {
    let (mut add, mut remove): (Vec<Taint>, Vec<Taint>) = (vec![], vec![]);
    for spec in specs {
        if let Some(spec) = spec.strip_suffix('-') {
            let taint = parse_one(spec)?;
            remove.push(Taint { value: None, ..taint });
            continue;
        }
        let taint = parse_one(spec)?;
        if taint.effect.is_empty() {
            return Err(format!("invalid taint spec: {spec}"));
        }
        if add.iter().any(|it| it.key == taint.key && it.effect == taint.effect) {
            let value = taint.value.unwrap_or_default();
            return Err(format!(
                "duplicated taints with the same key and effect: {{{} {value} {} <nil>}}",
                taint.key, taint.effect
            ));
        }
        add.push(taint);
    }
    Ok((add, remove))
}

/// `key=value:effect`, `key:effect` or `key`.
fn parse_one(spec: &str) -> Result<Taint, String> {
    let invalid = || format!("invalid taint spec: {spec}");
    let with = |why: Vec<String>| format!("invalid taint spec: {spec}, {}", why.join("; "));
    let parts: Vec<&str> = spec.split(':').collect();
    let (key, value, effect) = match parts[..] {
        [key] => (key, None, ""),
        [pair, effect] => {
            if !matches!(effect, "NoSchedule" | "PreferNoSchedule" | "NoExecute") {
                return Err(format!("invalid taint effect: {effect}, unsupported taint effect"));
            }
            let pair: Vec<&str> = pair.split('=').collect();
            match pair[..] {
                [key] => (key, None, effect),
                [key, value] => (key, Some(value), effect),
                _ => return Err(invalid()),
            }
        }
        _ => return Err(invalid()),
    };
    let problems = names::label_value(value.unwrap_or_default());
    if !problems.is_empty() {
        return Err(with(problems));
    }
    let mut problems = names::qualified_name(key);
    for it in &mut problems {
        *it = it.replace("a qualified name", "a valid label key");
    }
    if !problems.is_empty() {
        return Err(with(problems));
    }
    Ok(Taint {
        key: key.to_owned(),
        value: value.filter(|it| !it.is_empty()).map(str::to_owned),
        effect: effect.to_owned(),
        time_added: None,
    })
}
