//! `kubectl create configmap` and `create secret`: keys and texts.
//!
//! Upstream: `staging/src/k8s.io/kubectl/pkg/cmd/create/create_{configmap,secret}.go`, v1.36.

use api::Gather;
use api::{Kind, Object};
use serde_json::{Map, Value, json};

use super::{COMMON, CONFIG, REGISTRY, TLS, finish, object, only_name};
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
        add_key(session, &mut data, key, value)?;
    }
    let text = |file: &str| {
        session.client.file(file).ok_or_else(|| {
            Failure::Text(format!("error reading {file}: no such file or directory"))
        })
    };
    for source in session.args.all("from-file") {
        if source.matches('=').count() > 1 {
            return Err(Failure::text("key names or file paths cannot contain '='"));
        }
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

const DOCKER_CONFIG: &str = ".dockerconfigjson";

/// What one signs in to a registry with. Upstream: `handleDockerCfgJSONContent`.
fn registry(session: &Session<'_>) -> Result<Map<String, Value>, Failure> {
    let mut data = Map::new();
    let sources = session.args.list("from-file");
    for source in &sources {
        let (key, file) = source.split_once('=').unwrap_or((DOCKER_CONFIG, source));
        let text = session.client.file(file).ok_or_else(|| {
            Failure::Text(format!("error reading {file}: no such file or directory"))
        })?;
        add_key(session, &mut data, key, &text)?;
    }
    let given = |flag: &str| session.args.get(flag).unwrap_or_default();
    let server = session.args.get("docker-server").unwrap_or("https://index.docker.io/v1/");
    let (user, password) = (given("docker-username"), given("docker-password"));
    if !sources.is_empty() {
        return Ok(data);
    }
    if user.is_empty() || password.is_empty() || server.is_empty() {
        return Err(Failure::text(
            "either --from-file or the combination of --docker-username, --docker-password and \
             --docker-server is required",
        ));
    }
    let both = k8s_openapi::ByteString(format!("{user}:{password}").into_bytes());
    let auth = api::wire::to_value(&both);
    let fields = [
        ("username", json!(user)),
        ("password", json!(password)),
        ("email", json!(given("docker-email"))),
        ("auth", auth),
    ];
    let fields = fields.iter().filter(|it| it.1 != "");
    let fields: Vec<String> = fields.map(|(name, it)| format!("\"{name}\":{it}")).collect();
    let text = format!("{{\"auths\":{{{}:{{{}}}}}}}", json!(server), fields.join(","));
    // As Go's encoder writes it.
    let escapes = [('&', "\\u0026"), ('<', "\\u003c"), ('>', "\\u003e")];
    let text = escapes.iter().fold(text, |text, (c, escape)| text.replace(*c, escape));
    data.insert(DOCKER_CONFIG.to_owned(), text.into());
    Ok(data)
}

/// A certificate and its key. Upstream: `createSecretTLS`; whether they belong together is not
/// looked at.
fn tls(session: &Session<'_>) -> Result<Map<String, Value>, Failure> {
    let given = |flag: &str| session.args.get(flag).unwrap_or_default();
    if given("cert").is_empty() || given("key").is_empty() {
        return Err(Failure::text("key and cert must be specified"));
    }
    let mut data = Map::new();
    let parts = [
        ("cert", "tls.crt", "-----BEGIN CERTIFICATE-----", "certificate"),
        ("key", "tls.key", "PRIVATE KEY-----", "key"),
    ];
    let mut texts = vec![];
    for (flag, key, _, _) in parts {
        let file = given(flag);
        let text = session.client.file(file).ok_or_else(|| {
            let why = format!("open {file}: no such file or directory");
            Failure::Text(format!("Cannot read file {file}, {why}"))
        })?;
        data.insert(key.to_owned(), text.as_str().into());
        texts.push(text);
    }
    for ((_, _, mark, what), text) in parts.iter().zip(&texts) {
        if !text.contains(mark) {
            let why = format!("tls: failed to find any PEM data in {what} input");
            return Err(Failure::Text(why));
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
    if key == "." || key.starts_with("..") {
        let what = if of_secret {
            "valid key name for a Secret"
        } else {
            "a valid key name for a ConfigMap:"
        };
        let why = match key {
            "." | ".." => format!("must not be '{key}'"),
            _ => "must not start with '..'".to_owned(),
        };
        return Err(Failure::Text(format!("{key:?} is not {what} {why}")));
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
    let all = words;
    let (kind, words) = words.split_first().map_or(("", words), |it| (it.0.as_str(), it.1));
    session.command = format!("kubectl create secret {kind}");
    let flags = match kind {
        "generic" => CONFIG,
        "docker-registry" => REGISTRY,
        "tls" => TLS,
        "" => return Err(Failure::Raw(SECRET_HELP.to_owned())),
        _ => {
            session.command = "kubectl create secret".to_owned();
            return Err(Failure::Usage(format!("unknown command {:?}", all.join(" "))));
        }
    };
    session.parse(words, &[COMMON, flags])?;
    let name = only_name(&session.args)?;
    let (data, kind) = match kind {
        "tls" => (tls(session)?, "kubernetes.io/tls"),
        "docker-registry" => (registry(session)?, "kubernetes.io/dockerconfigjson"),
        _ => (data(session)?, session.args.get("type").unwrap_or_default()),
    };
    let meta = json!({"name": name});
    let mut value = json!({"metadata": meta, "stringData": data});
    if !kind.is_empty() {
        value["type"] = kind.into();
    }
    let mut secret = object(Kind::Secret, value)?;
    if let Object::Secret(it) = &mut secret {
        let it = std::sync::Arc::make_mut(it);
        let texts = it.string_data.take().unwrap_or_default();
        let bytes = |text: String| k8s_openapi::ByteString(text.into_bytes());
        it.data = Some(texts.into_iter().map(|(key, text)| (key, bytes(text))).to_map());
    }
    finish(session, secret, Some("secret"))
}
