//! `kubectl create configmap` and `create secret`: keys and texts.
//!
//! Upstream: `staging/src/k8s.io/kubectl/pkg/cmd/create/create_{configmap,secret}.go`, v1.36.

use api::{Kind, Object};
use serde_json::{Map, Value, json};

use super::{COMMON, CONFIG, finish, object, only_name};
use crate::commands::{Next, Session};
use crate::failure::Failure;

const SECRET_HELP: &str = "Create a secret with specified type.

 A docker-registry type secret is for accessing a container registry.

 A generic type secret indicate an Opaque secret type.

 A tls type secret holds TLS certificate and its associated key.

Available Commands:
  docker-registry   Create a secret for use with a Docker registry
  generic           Create a secret from a local file, directory, or literal value
  tls               Create a TLS secret

Usage:
  kubectl create secret (docker-registry | generic | tls) [options]

Use \"kubectl create secret <command> --help\" for more information about a given command.
Use \"kubectl options\" for a list of global command-line options (applies to all commands).
";

/// What `--from-literal`, `--from-file` and `--from-env-file` give.
fn data(session: &Session<'_>) -> Result<Map<String, Value>, Failure> {
    let mut data = Map::new();
    let has = |flag| session.args.has(flag);
    if has("from-env-file") && (has("from-file") || has("from-literal")) {
        return Err(Failure::text(
            "from-env-file cannot be combined with from-file or from-literal",
        ));
    }
    for literal in session.args.all("from-literal") {
        let pair = literal.split_once('=').filter(|it| !it.0.is_empty());
        let Some((key, value)) = pair else {
            return Err(Failure::Text(format!(
                "invalid literal source {literal}, expected key=value"
            )));
        };
        add_key(session, &mut data, key, value.trim_matches(['\'', '"']))?;
    }
    let text = |file: &str| {
        session.client.file(file).ok_or_else(|| {
            Failure::Text(format!("error reading {file}: no such file or directory"))
        })
    };
    for source in session.args.all("from-file") {
        let base = source.rsplit('/').next().unwrap_or(source);
        let (key, file) = source.split_once('=').unwrap_or((base, source));
        add_key(session, &mut data, key, &text(file)?)?;
    }
    for file in session.args.all("from-env-file") {
        for line in text(file)?.lines().map(str::trim_start) {
            if let Some((key, value)) = line.split_once('=').filter(|_| !line.starts_with('#')) {
                data.insert(key.to_owned(), value.into());
            }
        }
    }
    Ok(data)
}

/// A key once, and only one that the server takes.
fn add_key(
    session: &Session<'_>,
    data: &mut Map<String, Value>,
    key: &str,
    value: &str,
) -> Result<(), Failure> {
    let of_secret = session.command.contains("secret");
    let is_good = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    if key.is_empty() || !key.chars().all(is_good) {
        let what = if of_secret {
            "valid key name for a Secret"
        } else {
            "a valid key name for a ConfigMap:"
        };
        return Err(Failure::Text(format!(
            "{key:?} is not {what} a valid config key must consist of alphanumeric characters, '-', '_' \
             or '.' (e.g. 'key.name',  or 'KEY_NAME',  or 'key-name', regex used for validation is \
             '[-._a-zA-Z0-9]+')"
        )));
    }
    if data.insert(key.to_owned(), value.into()).is_none() {
        return Ok(());
    }
    let name = session.args.positional.first().map(String::as_str).unwrap_or_default();
    Err(Failure::Text(match of_secret {
        true => format!("cannot add key {key}, another key by that name already exists"),
        false => format!(
            "cannot add key {key:?}, another key by that name already exists in Data for ConfigMap \
             {name:?}"
        ),
    }))
}

pub(super) fn config_map(session: &Session<'_>, name: &str) -> Result<Object, Failure> {
    let data = data(session)?;
    let data = if data.is_empty() { Value::Null } else { Value::Object(data) };
    object(Kind::ConfigMap, json!({"metadata": {"name": name}, "data": data}))
}

pub(super) fn secret_words(session: &mut Session<'_>, words: &[String]) -> Result<Next, Failure> {
    let (kind, words) = words.split_first().map_or(("", words), |it| (it.0.as_str(), it.1));
    session.command = format!("kubectl create secret {kind}");
    match kind {
        "generic" => {}
        "docker-registry" | "tls" => {
            return Err(Failure::Text(format!(
                "\"kubectl create secret {kind}\" is not possible in the simulation: nothing uses \
                 such a secret; create it from a manifest"
            )));
        }
        _ => return Err(Failure::Raw(SECRET_HELP.to_owned())),
    }
    session.parse(words, &[COMMON, CONFIG])?;
    let name = only_name(&session.args)?;
    let data = data(session)?;
    let kind = session.args.get("type").unwrap_or("Opaque");
    let meta = json!({"name": name});
    let value = json!({"metadata": meta, "stringData": data, "type": kind});
    let mut secret = object(Kind::Secret, value)?;
    if let Object::Secret(it) = &mut secret {
        let it = std::sync::Arc::make_mut(it);
        let texts = it.string_data.take().unwrap_or_default();
        let bytes = |text: String| k8s_openapi::ByteString(text.into_bytes());
        it.data = Some(texts.into_iter().map(|(key, text)| (key, bytes(text))).collect());
    }
    finish(session, secret, Some("secret"))
}
