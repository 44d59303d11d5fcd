//! The documentation of all fields, for `kubectl explain`: made when the project is built, from the
//! sources of the k8s-openapi crate, which the project depends on anyway. No sentence of it is kept
//! in this repository.
//!
//! The document is plain text, one line for each type and field, so that the engine reads it without
//! a parser of its own:
//!
//! ```text
//! #Toleration<TAB>description
//! effect<TAB>string<TAB>NoExecute,NoSchedule,PreferNoSchedule<TAB>description
//! key<TAB>string!<TAB><TAB>description
//! ```
//!
//! `!` marks a required field. A description has `\n`, `\t`, `\\` for line ends, tabs, backslashes.
//! What values an enum has comes from `enums.txt`; what they mean is not in k8s-openapi.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

/// The fields with a closed list of values. Upstream: `+enum` in
/// `staging/src/k8s.io/api/*/v1/types.go`, v1.36.
const ENUMS: &str = include_str!("enums.txt");

/// The types from which everything else is reached: the kinds that the simulation keeps.
const ROOTS: &[&str] = &[
    "Namespace",
    "Node",
    "Pod",
    "Service",
    "ConfigMap",
    "Secret",
    "ServiceAccount",
    "PersistentVolume",
    "PersistentVolumeClaim",
    "ResourceQuota",
    "LimitRange",
    "Event",
    "Binding",
    "ReplicaSet",
    "Deployment",
    "StatefulSet",
    "DaemonSet",
    "ControllerRevision",
    "Job",
    "CronJob",
    "HorizontalPodAutoscaler",
    "EndpointSlice",
    "Lease",
    "PodDisruptionBudget",
    "PriorityClass",
    "StorageClass",
    "CSINode",
    "CSIDriver",
];

/// Where the sources of these types are, below `src/v1_36`.
const PLACES: &[&str] = &[
    "api/core/v1",
    "api/apps/v1",
    "api/batch/v1",
    "api/autoscaling/v2",
    "api/policy/v1",
    "api/scheduling/v1",
    "api/storage/v1",
    "api/discovery/v1",
    "api/coordination/v1",
    "apimachinery/pkg/apis/meta/v1",
    "apimachinery/pkg/api/resource",
    "apimachinery/pkg/runtime",
    "apimachinery/pkg/util/intstr",
];

/// The document, or why there is none. Asks cargo where the sources are.
///
/// # Errors
/// If cargo does not answer or the sources do not look as expected.
pub fn document(manifest_dir: &Path) -> Result<String, String> {
    let types = read(&sources(manifest_dir)?)?;
    Ok(write(&types))
}

/// The directory of the sources of k8s-openapi's `v1_36`.
fn sources(manifest_dir: &Path) -> Result<PathBuf, String> {
    // Offline, cargo answers only where the dependencies of every platform were fetched before,
    // which a build does not do: on a new machine the second question fetches the rest.
    let metadata =
        metadata(manifest_dir, &["--offline"]).or_else(|_| metadata(manifest_dir, &[]))?;
    let packages = metadata["packages"].as_array().ok_or("cargo metadata: no packages")?;
    let found = packages.iter().find(|it| it["name"] == "k8s-openapi");
    let manifest = found.and_then(|it| it["manifest_path"].as_str()).ok_or("no k8s-openapi")?;
    let dir = Path::new(manifest).parent().ok_or("no directory")?;
    Ok(dir.join("src").join("v1_36"))
}

/// What cargo tells of the packages, or its own words of why it does not.
fn metadata(manifest_dir: &Path, more: &[&str]) -> Result<serde_json::Value, String> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["metadata", "--format-version", "1"])
        .args(more)
        .current_dir(manifest_dir)
        .output()
        .map_err(|it| format!("cargo metadata: {it}"))?;
    if !output.status.success() {
        let told = String::from_utf8_lossy(&output.stderr);
        return Err(format!("cargo metadata: {}", told.trim()));
    }
    serde_json::from_slice(&output.stdout).map_err(|it| format!("cargo metadata: {it}"))
}

/// A type.
#[derive(Debug, Default, PartialEq, Eq)]
struct Type {
    description: String,
    /// It has no fields of its own and stands for this JSON type.
    plain: Option<String>,
    fields: BTreeMap<String, Field>,
}

/// A field of a type.
#[derive(Debug, Default, PartialEq, Eq)]
struct Field {
    description: String,
    /// Such as `[]EnvVar`; the names of types stand in it.
    shape: String,
    required: bool,
}

fn read(dir: &Path) -> Result<BTreeMap<String, Type>, String> {
    let mut types = BTreeMap::new();
    for place in PLACES {
        let dir = dir.join(place);
        let entries = std::fs::read_dir(&dir).map_err(|it| format!("{}: {it}", dir.display()))?;
        for entry in entries.flatten() {
            let text = std::fs::read_to_string(entry.path()).unwrap_or_default();
            if let Some((name, it)) = read_type(&text) {
                // The first place wins: core before the others.
                types.entry(name).or_insert(it);
            }
        }
    }
    match types.contains_key("PodSpec") {
        true => Ok(types),
        false => Err("the sources of k8s-openapi have another form".to_owned()),
    }
}

/// Reads the JSON schema in a source file: its lines are indented by what they are part of.
fn read_type(text: &str) -> Option<(String, Type)> {
    let (before, schema) = text.split_once("json_schema!({")?;
    let name = before.rsplit_once(".into()")?.0.rsplit_once('"')?.0;
    let name = name.rsplit(['.', '"']).next()?.to_owned();
    let mut it = Type::default();
    let mut field = String::new();
    let mut in_required = false;
    for line in schema.lines().take_while(|line| !line.starts_with("        })")) {
        let indent = line.len() - line.trim_start().len();
        let line = line.trim();
        match indent {
            12 => {
                in_required = line.starts_with("\"required\"");
                if let Some(text) = value(line, "description") {
                    it.description = text;
                } else if let Some(plain) = value(line, "type").filter(|it| it != "object") {
                    it.plain = Some(plain);
                }
            }
            16 if in_required => {
                let name = line.trim_matches([',', '"']);
                it.fields.entry(name.to_owned()).or_default().required = true;
            }
            16 => {
                if let Some((name, rest)) = line.strip_prefix('"').and_then(|it| it.split_once('"'))
                {
                    field = name.to_owned();
                    let entry = it.fields.entry(field.clone()).or_default();
                    entry.shape.extend(reference(rest));
                }
            }
            _ => read_field(it.fields.entry(field.clone()).or_default(), line),
        }
    }
    it.fields.remove("");
    Some((name, it))
}

/// A line inside a field.
fn read_field(field: &mut Field, line: &str) {
    if let Some(text) = value(line, "description").or_else(|| inserted(line)) {
        field.description = text;
    }
    if let Some(plain) = value(line, "type") {
        match plain.as_str() {
            "array" => field.shape.push_str("[]"),
            // What a map holds follows; a bare object has nothing that follows.
            "object" => {}
            plain => field.shape.push_str(plain),
        }
    }
    if line.starts_with("\"additionalProperties\"") {
        field.shape.push_str("map[string]");
    }
    field.shape.extend(reference(line));
}

/// The text of `"key": "text",`.
fn value(line: &str, key: &str) -> Option<String> {
    let rest = line.strip_prefix('"')?.strip_prefix(key)?.strip_prefix("\": \"")?;
    Some(rest.strip_suffix("\",")?.to_owned())
}

/// The text of `....insert("description".into(), "text".into());`.
fn inserted(line: &str) -> Option<String> {
    let rest = line.split_once("insert(\"description\".into(), \"")?.1;
    Some(rest.strip_suffix("\".into());")?.to_owned())
}

/// The type of `subschema_for::<crate::api::core::v1::EnvVar>()`.
fn reference(line: &str) -> Option<String> {
    let path = line.split_once("subschema_for::<")?.1.split_once('>')?.0;
    path.rsplit("::").next().map(str::to_owned)
}

/// The types that are reached from the roots, as a document.
fn write(types: &BTreeMap<String, Type>) -> String {
    let enums: BTreeMap<&str, &str> =
        ENUMS.lines().filter_map(|line| line.split_once(' ')).collect();
    let mut wanted: Vec<&str> = ROOTS.to_vec();
    let mut reached: BTreeSet<&str> = BTreeSet::new();
    while let Some(name) = wanted.pop() {
        if let Some((name, it)) = types.get_key_value(name)
            && reached.insert(name)
        {
            wanted.extend(it.fields.values().map(|it| inner(&it.shape)));
        }
    }
    let mut text = String::new();
    for name in reached {
        let it = &types[name];
        text.push_str(&format!(
            "#{name}\t{}\t{}\n",
            it.plain.as_deref().unwrap_or_default(),
            clean(&it.description)
        ));
        for (key, field) in &it.fields {
            let values = enums.get(format!("{name}.{key}").as_str()).copied().unwrap_or_default();
            let shape = match field.shape.as_str() {
                "" => "Object",
                shape => shape,
            };
            let mark = if is_required(name, key, field) { "!" } else { "" };
            text.push_str(&format!(
                "{key}\t{shape}{mark}\t{values}\t{}\n",
                clean(&field.description)
            ));
        }
    }
    text
}

/// Whether the server says that a field is required. k8s-openapi wants more: the metadata of every
/// object, and fields that Go defaults to an empty text.
fn is_required(of: &str, key: &str, field: &Field) -> bool {
    match (of, key) {
        ("Event", "metadata") => true,
        (_, "metadata") | ("EndpointPort", "port") => false,
        (_, "name")
            if of == "LocalObjectReference"
                || of.starts_with("ConfigMap")
                || of.starts_with("Secret") =>
        {
            false
        }
        _ => field.required,
    }
}

/// The type inside lists and maps.
fn inner(shape: &str) -> &str {
    shape.rsplit(']').next().unwrap_or(shape)
}

/// Rust's escapes of a literal are those of the document, but for quotes.
fn clean(literal: &str) -> String {
    literal.replace("\\\"", "\"").replace("\\'", "'")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sources_of_the_dependency_are_read() {
        let text = document(Path::new(env!("CARGO_MANIFEST_DIR"))).unwrap();
        let has = |line: &str| assert!(text.lines().any(|it| it.starts_with(line)), "{line}");
        has("#Toleration\t\tThe pod this Toleration");
        has("effect\tstring\tNoExecute,NoSchedule,PreferNoSchedule\tEffect indicates");
        has("containers\t[]Container!\t\tList of containers");
        has("limits\tmap[string]Quantity\t\t");
        has("nodeSelector\tmap[string]string\t\t");
        has("metadata\tObjectMeta\t\t");
        has("#LocalObjectReference\t");
        has("name\tstring\t\tName of the referent.");
        has("#Time\tstring\t");
        has("#IntOrString\t\t");
        assert!(text.lines().all(|it| it.starts_with('#') || it.split('\t').count() == 4));
    }

    #[test]
    fn every_enum_is_that_of_a_field() {
        let text = document(Path::new(env!("CARGO_MANIFEST_DIR"))).unwrap();
        let n = text
            .lines()
            .filter(|it| !it.starts_with('#'))
            .filter(|it| it.split('\t').nth(2).is_some_and(|it| !it.is_empty()));
        assert_eq!(n.count(), ENUMS.lines().count());
    }
}
