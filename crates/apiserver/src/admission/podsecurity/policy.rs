//! What the levels forbid, version by version.
//!
//! Upstream: `staging/src/k8s.io/pod-security-admission/policy/{registry,check_*}.go`, v1.36.

use std::collections::BTreeSet;

use serde_json::Value;

use super::Level;

/// What is forbidden, in short and in full.
pub(super) type Violation = (&'static str, String);

/// The last version in which a rule changed.
const MAX_MINOR: u32 = 35;

const NEVER: u32 = u32::MAX;

/// One rule.
struct Check {
    level: Level,
    /// The minor version since which it holds.
    since: u32,
    /// The minor version since which the restricted level has a stricter one in its place.
    replaced: u32,
    run: fn(&Template<'_>) -> Option<Violation>,
}

const fn baseline(since: u32, replaced: u32, run: fn(&Template<'_>) -> Option<Violation>) -> Check {
    Check { level: Level::Baseline, since, replaced, run }
}

const fn restricted(since: u32, run: fn(&Template<'_>) -> Option<Violation>) -> Check {
    Check { level: Level::Restricted, since, replaced: NEVER, run }
}

/// Each level in the order of upstream's ids.
const CHECKS: &[Check] = &[
    baseline(0, NEVER, app_armor_profile),
    baseline(0, 22, capabilities_baseline),
    baseline(0, NEVER, host_namespaces),
    baseline(0, 0, host_path_volumes),
    baseline(0, NEVER, host_ports),
    baseline(34, NEVER, host_probes_and_lifecycle),
    baseline(0, NEVER, privileged),
    baseline(0, 35, proc_mount_baseline),
    baseline(0, NEVER, se_linux_options),
    baseline(0, 19, seccomp_profile_baseline),
    baseline(0, NEVER, sysctls),
    baseline(0, NEVER, windows_host_process),
    restricted(8, allow_privilege_escalation),
    restricted(22, capabilities_restricted),
    restricted(35, proc_mount),
    restricted(0, restricted_volumes),
    restricted(0, run_as_non_root),
    restricted(23, run_as_user),
    restricted(19, seccomp_profile_restricted),
];

/// A pod, or a template of pods.
struct Template<'a> {
    annotations: &'a Value,
    spec: &'a Value,
    /// Init containers, then the others, then those for debugging.
    containers: Vec<&'a Value>,
    minor: u32,
}

/// What the level forbids about a pod or a template; the latest version when none is given.
pub(super) fn violations(level: Level, minor: Option<u32>, template: &Value) -> Vec<Violation> {
    let minor = minor.unwrap_or(MAX_MINOR).min(MAX_MINOR);
    let spec = &template["spec"];
    let lists = ["initContainers", "containers", "ephemeralContainers"];
    let containers = lists.iter().filter_map(|it| spec[it].as_array()).flatten().collect();
    let annotations = &template["metadata"]["annotations"];
    let template = Template { annotations, spec, containers, minor };
    let applies = |it: &&Check| {
        let replaced = level == Level::Restricted && minor >= it.replaced;
        it.level <= level && it.since <= minor && !replaced
    };
    CHECKS.iter().filter(applies).filter_map(|it| (it.run)(&template)).collect()
}

impl<'a> Template<'a> {
    /// The names of the containers with something bad in them.
    fn bad(&self, mut is_bad: impl FnMut(&'a Value) -> bool) -> Vec<&'a str> {
        let bad = self.containers.iter().filter(|it| is_bad(it));
        bad.map(|it| it["name"].as_str().unwrap_or_default()).collect()
    }

    /// Who has something bad in the security context: `pod`, `containers "a", "b"`.
    fn setters(&self, is_bad: &mut dyn FnMut(&'a Value) -> bool) -> Vec<String> {
        let mut setters = Vec::new();
        if is_bad(&self.spec["securityContext"]) {
            setters.push("pod".to_owned());
        }
        let bad = self.bad(|it| is_bad(&it["securityContext"]));
        if !bad.is_empty() {
            setters.push(containers(&bad));
        }
        setters
    }

    /// Whether the pod has its own users, so that its root is nobody outside. Upstream:
    /// `relaxPolicyForUserNamespacePod`.
    fn is_relaxed(&self) -> bool {
        self.minor >= 35 && self.spec["hostUsers"] == false
    }

    /// Whether the pod is for Windows, in a version that takes this into account.
    fn is_windows(&self) -> bool {
        self.minor >= 25 && self.spec["os"]["name"] == "windows"
    }
}

fn quoted<T: AsRef<str>>(names: impl IntoIterator<Item = T>) -> String {
    let quoted: Vec<String> = names.into_iter().map(|it| format!("\"{}\"", it.as_ref())).collect();
    quoted.join(", ")
}

fn plural<'a>(one: &'a str, many: &'a str, n: usize) -> &'a str {
    if n == 1 { one } else { many }
}

fn containers(names: &[&str]) -> String {
    format!("{} {}", plural("container", "containers", names.len()), quoted(names))
}

/// The texts of a list.
fn texts(list: &Value) -> impl Iterator<Item = &str> {
    list.as_array().into_iter().flatten().filter_map(Value::as_str)
}

/// The violation of those whose security context has something bad in it.
fn set_by(
    setters: &[String],
    reason: &'static str,
    detail: impl FnOnce() -> String,
) -> Option<Violation> {
    (!setters.is_empty()).then(|| (reason, format!("{} {}", setters.join(" and "), detail())))
}

/// The type of a profile, if there is a profile and the type is none of those allowed.
fn forbidden_type(profile: &Value) -> Option<&str> {
    let kind = profile.as_object()?.get("type").and_then(Value::as_str).unwrap_or_default();
    (!matches!(kind, "RuntimeDefault" | "Localhost")).then_some(kind)
}

const APP_ARMOR: &str = "container.apparmor.security.beta.kubernetes.io/";

fn app_armor_profile(template: &Template<'_>) -> Option<Violation> {
    let mut values = BTreeSet::new();
    let mut setters = template.setters(&mut |it| {
        let kind = forbidden_type(&it["appArmorProfile"]);
        values.extend(kind);
        kind.is_some()
    });
    let mut values: Vec<String> = values.into_iter().map(str::to_owned).collect();
    let annotations = template.annotations.as_object().into_iter().flatten();
    let mut annotations: Vec<String> = annotations
        .filter_map(|(key, value)| Some((key, value.as_str()?)))
        .filter(|(key, value)| {
            let allowed =
                matches!(*value, "" | "runtime/default") || value.starts_with("localhost/");
            key.starts_with(APP_ARMOR) && !allowed
        })
        .map(|(key, value)| format!("{key}={}", api::cron::quote(value)))
        .collect();
    annotations.sort();
    if !annotations.is_empty() {
        setters.push(plural("annotation", "annotations", annotations.len()).to_owned());
        values.append(&mut annotations);
    }
    let reason = plural("forbidden AppArmor profile", "forbidden AppArmor profiles", values.len());
    set_by(&setters, reason, || {
        format!("must not set AppArmor profile type to {}", quoted(&values))
    })
}

/// Upstream: `capabilities_allowed_1_0`.
const CAPABILITIES: [&str; 13] = [
    "AUDIT_WRITE",
    "CHOWN",
    "DAC_OVERRIDE",
    "FOWNER",
    "FSETID",
    "KILL",
    "MKNOD",
    "NET_BIND_SERVICE",
    "SETFCAP",
    "SETGID",
    "SETPCAP",
    "SETUID",
    "SYS_CHROOT",
];

/// Who adds capabilities that are not among the allowed ones, in a sentence.
fn added_capabilities(template: &Template<'_>, allowed: &[&str]) -> Option<String> {
    let mut added: BTreeSet<&str> = BTreeSet::new();
    let bad = template.bad(|it| {
        let wanted = texts(&it["securityContext"]["capabilities"]["add"]);
        let more: Vec<&str> = wanted.filter(|it| !allowed.contains(it)).collect();
        added.extend(&more);
        !more.is_empty()
    });
    (!bad.is_empty()).then(|| {
        let (who, what) = (containers(&bad), quoted(&added));
        format!("{who} must not include {what} in securityContext.capabilities.add")
    })
}

fn capabilities_baseline(template: &Template<'_>) -> Option<Violation> {
    Some(("non-default capabilities", added_capabilities(template, &CAPABILITIES)?))
}

fn capabilities_restricted(template: &Template<'_>) -> Option<Violation> {
    if template.is_windows() {
        return None;
    }
    let keep = template
        .bad(|it| !texts(&it["securityContext"]["capabilities"]["drop"]).any(|it| it == "ALL"));
    let keep = (!keep.is_empty()).then(|| {
        format!("{} must set securityContext.capabilities.drop=[\"ALL\"]", containers(&keep))
    });
    let added = added_capabilities(template, &["NET_BIND_SERVICE"]);
    let details: Vec<String> = keep.into_iter().chain(added).collect();
    (!details.is_empty()).then(|| ("unrestricted capabilities", details.join("; ")))
}

fn host_namespaces(template: &Template<'_>) -> Option<Violation> {
    let names = ["hostNetwork", "hostPID", "hostIPC"];
    let used = names.iter().filter(|it| template.spec[**it] == true);
    let used: Vec<String> = used.map(|it| format!("{it}=true")).collect();
    (!used.is_empty()).then(|| ("host namespaces", used.join(", ")))
}

fn volumes<'a>(template: &Template<'a>) -> impl Iterator<Item = &'a Value> {
    template.spec["volumes"].as_array().into_iter().flatten()
}

fn host_path_volumes(template: &Template<'_>) -> Option<Violation> {
    let bad = volumes(template).filter(|it| it["hostPath"].is_object());
    let bad: Vec<&str> = bad.filter_map(|it| it["name"].as_str()).collect();
    (!bad.is_empty()).then(|| {
        ("hostPath volumes", format!("{} {}", plural("volume", "volumes", bad.len()), quoted(&bad)))
    })
}

fn host_ports(template: &Template<'_>) -> Option<Violation> {
    let mut ports = BTreeSet::new();
    let bad = template.bad(|it| {
        let own = it["ports"].as_array().into_iter().flatten();
        let own = own.filter_map(|it| it["hostPort"].as_i64()).filter(|it| *it != 0);
        let own: Vec<String> = own.map(|it| it.to_string()).collect();
        let is_bad = !own.is_empty();
        ports.extend(own);
        is_bad
    });
    (!bad.is_empty()).then(|| {
        let uses = plural("uses", "use", bad.len());
        let what = plural("hostPort", "hostPorts", ports.len());
        let ports: Vec<String> = ports.into_iter().collect();
        ("hostPort", format!("{} {uses} {what} {}", containers(&bad), ports.join(", ")))
    })
}

fn host_probes_and_lifecycle(template: &Template<'_>) -> Option<Violation> {
    const HANDLERS: [&str; 5] = [
        "/livenessProbe",
        "/readinessProbe",
        "/startupProbe",
        "/lifecycle/postStart",
        "/lifecycle/preStop",
    ];
    let mut hosts: BTreeSet<&str> = BTreeSet::new();
    let mut bad = template.bad(|container| {
        let handlers = HANDLERS.iter().filter_map(|it| container.pointer(it));
        let own = handlers.flat_map(|it| [&it["httpGet"]["host"], &it["tcpSocket"]["host"]]);
        let own: Vec<&str> = own.filter_map(Value::as_str).filter(|it| !it.is_empty()).collect();
        hosts.extend(&own);
        !own.is_empty()
    });
    bad.sort_unstable();
    (!bad.is_empty()).then(|| {
        let uses = plural("uses", "use", bad.len());
        let what = plural("probe or lifecycle host", "probe or lifecycle hosts", hosts.len());
        let detail = format!("{} {uses} {what} {}", containers(&bad), quoted(&hosts));
        ("probe or lifecycle host", detail)
    })
}

fn privileged(template: &Template<'_>) -> Option<Violation> {
    let bad = template.bad(|it| it["securityContext"]["privileged"] == true);
    (!bad.is_empty()).then(|| {
        ("privileged", format!("{} must not set securityContext.privileged=true", containers(&bad)))
    })
}

fn proc_mount(template: &Template<'_>) -> Option<Violation> {
    let mut kinds = BTreeSet::new();
    let bad = template.bad(|it| {
        let kind = it["securityContext"]["procMount"].as_str().filter(|it| *it != "Default");
        kinds.extend(kind);
        kind.is_some()
    });
    (!bad.is_empty()).then(|| {
        let (who, what) = (containers(&bad), quoted(&kinds));
        ("procMount", format!("{who} must not set securityContext.procMount to {what}"))
    })
}

fn proc_mount_baseline(template: &Template<'_>) -> Option<Violation> {
    if template.is_relaxed() { None } else { proc_mount(template) }
}

fn se_linux_options(template: &Template<'_>) -> Option<Violation> {
    let (mut types, mut user, mut role) = (BTreeSet::new(), false, false);
    let setters = template.setters(&mut |it| {
        let options = &it["seLinuxOptions"];
        let text = |name: &str| options[name].as_str().unwrap_or_default();
        let kind = it["seLinuxOptions"]["type"].as_str().unwrap_or_default();
        let allowed = matches!(kind, "" | "container_t" | "container_init_t" | "container_kvm_t")
            || (kind == "container_engine_t" && template.minor >= 31);
        if !allowed {
            types.insert(kind);
        }
        let (own_user, own_role) = (!text("user").is_empty(), !text("role").is_empty());
        user |= own_user;
        role |= own_role;
        !allowed || own_user || own_role
    });
    let mut data = Vec::new();
    if !types.is_empty() {
        data.push(format!("{} {}", plural("type", "types", types.len()), quoted(&types)));
    }
    let rest = [(user, "user may not be set"), (role, "role may not be set")];
    data.extend(rest.iter().filter(|it| it.0).map(|it| it.1.to_owned()));
    set_by(&setters, "seLinuxOptions", || {
        format!("set forbidden securityContext.seLinuxOptions: {}", data.join("; "))
    })
}

/// Those who choose a seccomp profile that is not allowed.
fn bad_seccomp(template: &Template<'_>) -> Option<Violation> {
    let mut values = BTreeSet::new();
    let setters = template.setters(&mut |it| {
        let kind = forbidden_type(&it["seccompProfile"]);
        values.extend(kind);
        kind.is_some()
    });
    set_by(&setters, "seccompProfile", || {
        format!("must not set securityContext.seccompProfile.type to {}", quoted(&values))
    })
}

fn seccomp_profile_baseline(template: &Template<'_>) -> Option<Violation> {
    if template.minor >= 19 {
        return bad_seccomp(template);
    }
    let names = template.containers.iter().filter_map(|it| it["name"].as_str());
    let keys = names.map(|it| format!("container.seccomp.security.alpha.kubernetes.io/{it}"));
    let keys = std::iter::once("seccomp.security.alpha.kubernetes.io/pod".to_owned()).chain(keys);
    let mut bad = BTreeSet::new();
    for key in keys {
        let Some(value) = template.annotations[&key].as_str() else { continue };
        let allowed = matches!(value, "runtime/default" | "docker/default");
        if !allowed && !value.starts_with("localhost/") {
            bad.insert(format!("{key}={}", api::cron::quote(value)));
        }
    }
    (!bad.is_empty()).then(|| {
        let what = plural("annotation", "annotations", bad.len());
        let bad: Vec<String> = bad.into_iter().collect();
        ("seccompProfile", format!("forbidden {what} {}", bad.join(", ")))
    })
}

fn seccomp_profile_restricted(template: &Template<'_>) -> Option<Violation> {
    if template.is_windows() {
        return None;
    }
    if let Some(violation) = bad_seccomp(template) {
        return Some(violation);
    }
    if template.spec["securityContext"]["seccompProfile"].is_object() {
        return None;
    }
    let unset = template.bad(|it| !it["securityContext"]["seccompProfile"].is_object());
    (!unset.is_empty()).then(|| {
        let detail = format!(
            "pod or {} must set securityContext.seccompProfile.type to \"RuntimeDefault\" or \
             \"Localhost\"",
            containers(&unset)
        );
        ("seccompProfile", detail)
    })
}

/// Sysctls that do no harm, and since when they are known not to.
const SYSCTLS: [(u32, &str); 12] = [
    (0, "kernel.shm_rmid_forced"),
    (0, "net.ipv4.ip_local_port_range"),
    (0, "net.ipv4.tcp_syncookies"),
    (0, "net.ipv4.ping_group_range"),
    (0, "net.ipv4.ip_unprivileged_port_start"),
    (27, "net.ipv4.ip_local_reserved_ports"),
    (29, "net.ipv4.tcp_keepalive_time"),
    (29, "net.ipv4.tcp_fin_timeout"),
    (29, "net.ipv4.tcp_keepalive_intvl"),
    (29, "net.ipv4.tcp_keepalive_probes"),
    (32, "net.ipv4.tcp_rmem"),
    (32, "net.ipv4.tcp_wmem"),
];

fn sysctls(template: &Template<'_>) -> Option<Violation> {
    let all = template.spec["securityContext"]["sysctls"].as_array().into_iter().flatten();
    let bad = all
        .filter_map(|it| it["name"].as_str())
        .filter(|name| !SYSCTLS.iter().any(|(since, it)| *since <= template.minor && it == name));
    let bad: Vec<&str> = bad.collect();
    (!bad.is_empty()).then(|| ("forbidden sysctls", bad.join(", ")))
}

fn windows_host_process(template: &Template<'_>) -> Option<Violation> {
    let setters = template.setters(&mut |it| it["windowsOptions"]["hostProcess"] == true);
    set_by(&setters, "hostProcess", || {
        "must not set securityContext.windowsOptions.hostProcess=true".to_owned()
    })
}

fn allow_privilege_escalation(template: &Template<'_>) -> Option<Violation> {
    if template.is_windows() {
        return None;
    }
    let bad = template.bad(|it| it["securityContext"]["allowPrivilegeEscalation"] != false);
    (!bad.is_empty()).then(|| {
        let who = containers(&bad);
        let detail = format!("{who} must set securityContext.allowPrivilegeEscalation=false");
        ("allowPrivilegeEscalation != false", detail)
    })
}

/// The sources of volumes that anyone may use.
const SOURCES: [&str; 9] = [
    "configMap",
    "csi",
    "downwardAPI",
    "emptyDir",
    "ephemeral",
    "image",
    "persistentVolumeClaim",
    "projected",
    "secret",
];

fn restricted_volumes(template: &Template<'_>) -> Option<Violation> {
    let mut kinds = BTreeSet::new();
    let mut bad = Vec::new();
    for volume in volumes(template) {
        if SOURCES.iter().any(|it| volume[*it].is_object()) {
            continue;
        }
        bad.extend(volume["name"].as_str());
        let mut sources = volume.as_object().into_iter().flatten();
        kinds.insert(sources.find(|it| it.1.is_object()).map_or("unknown", |it| it.0.as_str()));
    }
    (!bad.is_empty()).then(|| {
        let what = plural("restricted volume type", "restricted volume types", kinds.len());
        let (volume, uses) =
            (plural("volume", "volumes", bad.len()), plural("uses", "use", bad.len()));
        let detail = format!("{volume} {} {uses} {what} {}", quoted(&bad), quoted(&kinds));
        ("restricted volume types", detail)
    })
}

fn run_as_non_root(template: &Template<'_>) -> Option<Violation> {
    const REASON: &str = "runAsNonRoot != true";
    if template.is_relaxed() {
        return None;
    }
    let setters = template.setters(&mut |it| it["runAsNonRoot"] == false);
    let refused =
        set_by(&setters, REASON, || "must not set securityContext.runAsNonRoot=false".to_owned());
    if refused.is_some() || template.spec["securityContext"]["runAsNonRoot"] == true {
        return refused;
    }
    let unset = template.bad(|it| it["securityContext"]["runAsNonRoot"].is_null());
    (!unset.is_empty()).then(|| {
        let who = containers(&unset);
        (REASON, format!("pod or {who} must set securityContext.runAsNonRoot=true"))
    })
}

fn run_as_user(template: &Template<'_>) -> Option<Violation> {
    if template.is_relaxed() {
        return None;
    }
    let setters = template.setters(&mut |it| it["runAsUser"] == 0);
    set_by(&setters, "runAsUser=0", || "must not set runAsUser=0".to_owned())
}
