//! The pod security standards: what the labels of a namespace allow its pods.
//!
//! Upstream: `staging/src/k8s.io/pod-security-admission/admission/admission.go`, `api/helpers.go`
//! there, v1.36.
//! Differs from upstream: what would violate the audit level is looked at nowhere, because there is
//! no audit log.

use std::collections::BTreeMap;

use api::{ApiError, Kind, Object};
use serde_json::Value;

use crate::admission::lifecycle::name_of;
use crate::store::{Store, forbidden};
use crate::validation::{Errors, Path};
use policy::Violation;

mod policy;
#[cfg(test)]
mod tests;

const PREFIX: &str = "pod-security.kubernetes.io/";

/// Upstream: `defaultNamespaceMaxPodsToCheck`.
const MAX_PODS: usize = 3000;

/// From lax to strict.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Level {
    Privileged,
    Baseline,
    Restricted,
}

const LEVELS: [(&str, Level); 3] = [
    ("privileged", Level::Privileged),
    ("baseline", Level::Baseline),
    ("restricted", Level::Restricted),
];

/// A level as a version of Kubernetes understands it: `restricted:v1.30`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Standard {
    level: Level,
    /// The minor version; `None` for the latest.
    minor: Option<u32>,
}

impl std::fmt::Display for Standard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let level = LEVELS.iter().find(|it| it.1 == self.level).map_or("", |it| it.0);
        match self.minor {
            Some(minor) => write!(f, "{level}:v1.{minor}"),
            None => write!(f, "{level}:latest"),
        }
    }
}

/// What a namespace refuses, and what it warns of.
#[derive(Debug)]
struct Policy {
    enforce: Standard,
    warn: Standard,
    errors: Errors,
}

impl Policy {
    /// Upstream: `PolicyToEvaluate`.
    fn of(labels: Option<&BTreeMap<String, String>>) -> Self {
        let mut errors = Errors::default();
        let lax = Standard { level: Level::Privileged, minor: None };
        let mut modes = [("enforce", lax), ("audit", lax), ("warn", lax)];
        let mut said = [(None, false); 3];
        let given = |name: &str| labels?.get(&format!("{PREFIX}{name}"));
        for ((mode, standard), said) in modes.iter_mut().zip(&mut said) {
            if let Some(text) = given(mode) {
                let level = LEVELS.iter().find(|it| it.0 == text).map(|it| it.1);
                // Who enforces something unknown means no harm; who only warns is let off.
                let fallback =
                    if *mode == "enforce" { Level::Restricted } else { Level::Privileged };
                standard.level = level.unwrap_or(fallback);
                said.0 = Some(level.is_some());
                if level.is_none() {
                    wrong(
                        &mut errors,
                        mode,
                        text,
                        "must be one of privileged, baseline, restricted",
                    );
                }
            }
            let version = format!("{mode}-version");
            if let Some(text) = given(&version) {
                said.1 = true;
                match minor_of(text) {
                    Some(minor) => standard.minor = minor,
                    None => wrong(&mut errors, &version, text, "must be \"latest\" or \"v1.x\""),
                }
            }
        }
        let [(_, enforce), _, (_, mut warn)] = modes;
        let unsaid = said[2].0.is_none() && said[0].0 == Some(true);
        if unsaid && enforce.level > warn.level {
            warn.level = enforce.level;
            if !said[2].1 {
                warn.minor = enforce.minor;
            }
        }
        Self { enforce, warn, errors }
    }
}

fn wrong(errors: &mut Errors, label: &str, value: &str, why: &str) {
    let label = format!("{PREFIX}{label}");
    errors.invalid(&Path::new("metadata").child("labels").key(&label), value, why);
}

/// `latest` or `v1.30`.
#[expect(clippy::option_option, reason = "no version, the latest, or one")]
fn minor_of(text: &str) -> Option<Option<u32>> {
    if text == "latest" {
        return Some(None);
    }
    let digits = text.strip_prefix("v1.")?;
    let plain = digits == "0" || !digits.starts_with('0');
    let plain = plain && digits.bytes().all(|it| it.is_ascii_digit());
    digits.parse().ok().filter(|_| plain).map(Some)
}

/// Refuses what the namespace does not allow; answers with what it warns of.
pub(super) fn validate(
    store: &Store,
    object: &Object,
    old: Option<&Object>,
) -> Result<Vec<String>, ApiError> {
    let at = match object.kind() {
        Kind::Namespace => return validate_namespace(store, object, old),
        Kind::Pod => "",
        Kind::CronJob => "/spec/jobTemplate/spec/template",
        Kind::ReplicaSet | Kind::Deployment | Kind::StatefulSet | Kind::DaemonSet | Kind::Job => {
            "/spec/template"
        }
        _ => return Ok(Vec::new()),
    };
    let key = api::ObjectRef::new(Kind::Namespace, "", object.namespace());
    let Ok(namespace) = store.get(&key) else { return Ok(Vec::new()) };
    let Some(labels) = namespace.meta().labels.as_ref() else { return Ok(Vec::new()) };
    // Nearly every namespace says nothing about this, and pods are made by the thousand.
    if !labels.keys().any(|it| it.starts_with(PREFIX)) {
        return Ok(Vec::new());
    }
    let policy = Policy::of(Some(labels));
    let is_pod = object.kind() == Kind::Pod;
    let (object_value, old_value) =
        (api::wire::to_value(object), old.map(api::wire::to_value).unwrap_or_default());
    if is_pod && old.is_some() && !is_significant(&object_value, &old_value) {
        return Ok(Vec::new());
    }
    let Some(template) = object_value.pointer(at) else { return Ok(Vec::new()) };
    if is_pod {
        let violations = violations(policy.enforce, template);
        if !violations.is_empty() {
            let details = details(&violations);
            let why = format!("violates PodSecurity \"{}\": {details}", policy.enforce);
            return Err(forbidden(Kind::Pod, name_of(object), &why));
        }
    }
    let violations = violations(policy.warn, template);
    if violations.is_empty() {
        return Ok(Vec::new());
    }
    let details = details(&violations);
    Ok(vec![format!("would violate PodSecurity \"{}\": {details}", policy.warn)])
}

fn violations(standard: Standard, template: &Value) -> Vec<Violation> {
    policy::violations(standard.level, standard.minor, template)
}

/// Upstream: `ForbiddenDetail`.
fn details(violations: &[Violation]) -> String {
    let texts: Vec<String> =
        violations.iter().map(|(reason, detail)| format!("{reason} ({detail})")).collect();
    texts.join(", ")
}

/// An update of a pod matters when it brings another image or container. Upstream:
/// `isSignificantPodUpdate`.
fn is_significant(new: &Value, old: &Value) -> bool {
    let list = |pod: &Value, name: &str| -> Vec<(Value, Value)> {
        let containers = pod["spec"][name].as_array();
        let pairs = containers.into_iter().flatten();
        pairs.map(|it| (it["name"].clone(), it["image"].clone())).collect()
    };
    let images = |pod: &Value, name: &str| -> Vec<Value> {
        list(pod, name).into_iter().map(|it| it.1).collect()
    };
    let debugging = list(old, "ephemeralContainers");
    ["containers", "initContainers"].iter().any(|it| images(new, it) != images(old, it))
        || list(new, "ephemeralContainers").iter().any(|it| !debugging.contains(it))
}

/// The labels must be right; what runs already is only told about.
fn validate_namespace(
    store: &Store,
    object: &Object,
    old: Option<&Object>,
) -> Result<Vec<String>, ApiError> {
    let policy = Policy::of(object.meta().labels.as_ref());
    let before = old.map(|it| Policy::of(it.meta().labels.as_ref()));
    let known = before.as_ref().map(|it| it.errors.causes());
    if !policy.errors.is_empty() && known != Some(policy.errors.causes()) {
        policy.errors.into_result(Kind::Namespace, object.name())?;
        return Ok(Vec::new());
    }
    let Some(before) = before else { return Ok(Vec::new()) };
    let (new, old) = (policy.enforce, before.enforce);
    if new.level == Level::Privileged || (new.minor == old.minor && new.level <= old.level) {
        return Ok(Vec::new());
    }
    Ok(existing_violations(store, object.name(), new))
}

/// Upstream: `EvaluatePodsInNamespace`.
fn existing_violations(store: &Store, namespace: &str, enforce: Standard) -> Vec<String> {
    let total = store.objects().list_in(Kind::Pod, namespace).count();
    let mut warnings = Vec::new();
    if total > MAX_PODS {
        warnings.push(format!(
            "new PodSecurity enforce level only checked against the first {MAX_PODS} of {total} \
             existing pods"
        ));
    }
    // What is wrong, with the first pod by name and how many there are.
    let mut found: BTreeMap<String, (String, usize)> = BTreeMap::new();
    for pod in store.objects().list_in(Kind::Pod, namespace).take(MAX_PODS) {
        let violations = violations(enforce, &api::wire::to_value(pod));
        if violations.is_empty() {
            continue;
        }
        let reasons: Vec<&str> = violations.iter().map(|it| it.0).collect();
        let (name, n) =
            found.entry(reasons.join(", ")).or_insert_with(|| (pod.name().to_owned(), 0));
        *n += 1;
        if pod.name() < name.as_str() {
            pod.name().clone_into(name);
        }
    }
    if !found.is_empty() {
        warnings.push(format!(
            "existing pods in namespace \"{namespace}\" violate the new PodSecurity enforce level \
             \"{enforce}\""
        ));
    }
    let mut texts: Vec<String> = found
        .into_iter()
        .map(|(reasons, (name, n))| match n {
            1 => format!("{name}: {reasons}"),
            2 => format!("{name} (and 1 other pod): {reasons}"),
            n => format!("{name} (and {} other pods): {reasons}", n - 1),
        })
        .collect();
    texts.sort();
    warnings.append(&mut texts);
    warnings
}
