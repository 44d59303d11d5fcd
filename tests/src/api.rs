//! Conformance area `api`: manifests with what kubectl printed about them, and with the objects
//! that a server stored. No component runs; the store answers kubectl alone.

use std::path::Path;

use api::{Action, ApiError, Object, Objects, Resource, Timestamp, Zones};
use apiserver::Store;
use k8s_openapi::api::core::v1::{ResourceQuota, ResourceQuotaStatus};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use kubectl::{Client, DryRun, Output};
use serde::Deserialize;
use serde_json::Value;

use crate::conformance::Verdict;

/// What a run of kubectl printed.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Validation {
    name: String,
    verb: String,
    existing: Option<String>,
    #[serde(default)]
    existing_verb: String,
    manifest: String,
    exit_code: i32,
    stdout: String,
    stderr: String,
    #[serde(default)]
    unordered: bool,
    #[serde(default)]
    unstable: bool,
}

/// What a server stored.
#[derive(Deserialize)]
struct Defaults {
    existing: Option<String>,
    manifest: String,
    object: Value,
    #[serde(default)]
    warnings: String,
}

/// Runs the cases of one file.
#[must_use]
pub fn run(_: &Path, text: &str, only: Option<&str>) -> Vec<Verdict> {
    let zones = crate::zones::all();
    let mut verdicts = vec![];
    for line in text.lines().filter(|it| !it.trim().is_empty()) {
        let case: Value = serde_json::from_str(line).unwrap_or_default();
        let name = case["name"].as_str().unwrap_or("?").to_owned();
        if only.is_some_and(|it| it != name) {
            continue;
        }
        let result = if case.get("object").is_some() {
            serde_json::from_value(case).map_err(|it| it.to_string()).and_then(|it| {
                let it: Defaults = it;
                it.check(Server::new(&zones))
            })
        } else {
            serde_json::from_value(case).map_err(|it| it.to_string()).and_then(|it| {
                let it: Validation = it;
                it.check(Server::new(&zones))
            })
        };
        verdicts.push(Verdict { name, result });
    }
    verdicts
}

impl Validation {
    fn check(&self, mut server: Server) -> Result<(), String> {
        if let Some(existing) = &self.existing {
            server.set_up(&self.existing_verb, existing)?;
            if self.name.starts_with("quota-enforce-") {
                server.count_quotas()?;
            }
        }
        let verb = if self.verb == "update" { "replace" } else { &self.verb };
        let came = server.kubectl(verb, &self.manifest);
        let (stdout, stderr) = (came.stdout(), came.stderr());
        if came.exit_code != self.exit_code {
            return Err(format!(
                "exit code {}, not {}\n  got: {stdout}{stderr}\n  want: {}{}",
                came.exit_code, self.exit_code, self.stdout, self.stderr
            ));
        }
        if self.unstable {
            return Ok(());
        }
        self.compare("stdout", &self.stdout, &stdout)?;
        self.compare("stderr", &self.stderr, &stderr)
    }

    fn compare(&self, what: &str, want: &str, came: &str) -> Result<(), String> {
        let (mut wanted, mut got): (Vec<&str>, Vec<&str>) =
            (want.split('\n').collect(), came.split('\n').collect());
        if self.unordered {
            wanted.sort_unstable();
            got.sort_unstable();
        }
        if wanted.len() == got.len() && wanted.iter().zip(&got).all(|(a, b)| fits(a, b)) {
            return Ok(());
        }
        Err(format!("{what}\n  got: {came}\n  want: {want}"))
    }
}

impl Defaults {
    fn check(&self, mut server: Server) -> Result<(), String> {
        if let Some(existing) = &self.existing {
            server.set_up("create", existing)?;
        }
        let came = server.kubectl("create", &self.manifest);
        if came.exit_code != 0 || !fits(&self.warnings, &came.stderr()) {
            return Err(format!("printed {:?}, not {:?}", came.stderr(), self.warnings));
        }
        let created = came.stdout();
        let named = created.split(' ').next().unwrap_or_default();
        let namespace = self.object["metadata"]["namespace"].as_str().unwrap_or("default");
        let words = format!("get {named} -n {namespace} -o json");
        let json = server.run(&words).stdout();
        let mut object: Value =
            serde_json::from_str(&json).map_err(|it| format!("{words}: {it}: {json}"))?;
        if let Some(meta) = object["metadata"].as_object_mut() {
            meta.remove("managedFields");
        }
        differ("", &self.object, &object)
    }
}

/// The first difference of an object. Words in capitals stand for values that no two runs share.
fn differ(path: &str, want: &Value, came: &Value) -> Result<(), String> {
    match (want, came) {
        (Value::Object(wanted), Value::Object(got)) => {
            for (key, value) in wanted {
                let other = got.get(key).ok_or_else(|| format!("{path}.{key} is missing"))?;
                differ(&format!("{path}.{key}"), value, other)?;
            }
            match got.keys().find(|it| !wanted.contains_key(*it)) {
                Some(key) => Err(format!("{path}.{key} is too much: {}", got[key])),
                None => Ok(()),
            }
        }
        (Value::Array(wanted), Value::Array(got)) if wanted.len() == got.len() => {
            let mut pairs = wanted.iter().zip(got).enumerate();
            pairs.try_for_each(|(n, (a, b))| differ(&format!("{path}[{n}]"), a, b))
        }
        (Value::String(it), Value::Number(_)) if it == "NODEPORT" => Ok(()),
        (Value::String(word), Value::String(text)) if stands_for(word, text) => Ok(()),
        _ if want == came => Ok(()),
        _ => Err(format!("{path} is {came}, not {want}")),
    }
}

fn stands_for(word: &str, text: &str) -> bool {
    match word {
        "RV" => text.parse::<u64>().is_ok(),
        "TIME" => text.parse::<Timestamp>().is_ok(),
        "IP" => text.parse::<std::net::IpAddr>().is_ok(),
        _ => fits(&word.replace("UID", "<uid>"), text),
    }
}

/// Whether a text is the expected one, but for values that no two runs share.
fn fits(want: &str, came: &str) -> bool {
    let mut rest = came;
    let mut want = want;
    while !want.is_empty() {
        let next = [("<uid>", uid as Form), ("<ip>", ip), ("xxxxx", suffix)]
            .into_iter()
            .filter(|it| want.starts_with(it.0))
            .find_map(|it| Some((it.0, (it.1)(rest)?)));
        if let Some((word, n)) = next {
            (want, rest) = (&want[word.len()..], &rest[n..]);
            continue;
        }
        let Some(c) = want.chars().next() else { break };
        if !rest.starts_with(c) {
            return false;
        }
        (want, rest) = (&want[c.len_utf8()..], &rest[c.len_utf8()..]);
    }
    rest.is_empty()
}

/// The length of what a text starts with, if it is of the form.
type Form = fn(&str) -> Option<usize>;

fn uid(text: &str) -> Option<usize> {
    let is_right = |(n, c): (usize, u8)| match n {
        8 | 13 | 18 | 23 => c == b'-',
        _ => c.is_ascii_hexdigit(),
    };
    (text.len() >= 36 && text.bytes().take(36).enumerate().all(is_right)).then_some(36)
}

fn ip(text: &str) -> Option<usize> {
    let end = text.find(|c: char| !c.is_ascii_hexdigit() && c != '.' && c != ':');
    let n = end.unwrap_or(text.len());
    let address = text[..n].trim_end_matches([':', '.']);
    address.parse::<std::net::IpAddr>().is_ok().then_some(address.len())
}

fn suffix(text: &str) -> Option<usize> {
    let is_generated = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit();
    (text.len() >= 5 && text.bytes().take(5).all(is_generated)).then_some(5)
}

/// A server with nothing but the objects of a new cluster.
struct Server {
    store: Store,
    input: String,
    warnings: Vec<String>,
}

impl Server {
    fn new(zones: &Zones) -> Self {
        let mut store = Store::new(1);
        store.bootstrap(now());
        store.set_zones(zones.clone());
        Self { store, input: String::new(), warnings: vec![] }
    }

    fn kubectl(&mut self, verb: &str, manifest: &str) -> Output {
        manifest.clone_into(&mut self.input);
        self.run(&format!("{verb} -f -"))
    }

    fn run(&mut self, line: &str) -> Output {
        kubectl::run_line(line, self).into_output()
    }

    fn set_up(&mut self, verb: &str, manifest: &str) -> Result<(), String> {
        let came = self.kubectl(verb, manifest);
        match came.exit_code {
            0 => Ok(()),
            _ => Err(format!("set-up: {}", came.stderr())),
        }
    }

    /// What the controller of quotas does: nothing is used yet.
    fn count_quotas(&mut self) -> Result<(), String> {
        let listers = self.store.listers();
        let quotas: Vec<ResourceQuota> = listers.list().cloned().collect();
        for mut quota in quotas {
            let hard = quota.spec.as_ref().and_then(|it| it.hard.clone());
            let used = hard.iter().flatten().map(|it| (it.0.clone(), Quantity("0".to_owned())));
            let used = Some(used.collect());
            quota.status = Some(ResourceQuotaStatus { hard, used });
            self.store.update_status(quota.into_object(), now()).map_err(|it| it.message)?;
        }
        Ok(())
    }
}

impl Client for Server {
    fn now(&self) -> Timestamp {
        now()
    }

    fn objects(&self) -> &Objects {
        self.store.objects()
    }

    fn set_manager(&mut self, manager: &str) {
        self.store.set_manager(Some(manager));
    }

    fn write(&mut self, action: &Action, dry_run: DryRun) -> Result<Option<Object>, ApiError> {
        match dry_run {
            DryRun::None => self.store.apply_action(action.clone(), now()),
            DryRun::Server => {
                let mut copy = self.store.clone();
                let result = copy.apply_action(action.clone(), now());
                self.warnings.extend(copy.take_warnings());
                result
            }
        }
    }

    fn patch(&self, object: &Object, patch: &api::Patch) -> Result<Object, ApiError> {
        apiserver::apply_patch(object, patch)
    }

    fn take_warnings(&mut self) -> Vec<String> {
        let mut warnings = std::mem::take(&mut self.warnings);
        warnings.extend(self.store.take_warnings());
        warnings
    }

    fn file(&self, name: &str) -> Option<String> {
        (name == "-").then(|| self.input.clone())
    }
}

fn now() -> Timestamp {
    Timestamp::from_second(1_800_000_000).unwrap_or_default()
}
