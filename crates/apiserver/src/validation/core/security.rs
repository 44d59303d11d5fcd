//! Security contexts.
//!
//! Upstream: `pkg/apis/core/validation/validation.go` (`ValidateSecurityContext`,
//! `validatePodSpecSecurityContext`), v1.36.

use k8s_openapi::api::core::v1::{
    AppArmorProfile, PodSecurityContext, PodSpec, SeccompProfile, SecurityContext, Sysctl,
    WindowsSecurityContextOptions,
};

use crate::validation::check::{form, list_of, one_of};
use crate::validation::core::container::visit;
use crate::validation::core::volume::descending;
use crate::validation::{Bad, Context, Errors, Path, internal, text};

/// Upstream: `SeccompPodAnnotationKey`.
pub(crate) const SECCOMP_POD: &str = "seccomp.security.alpha.kubernetes.io/pod";
/// Upstream: `SeccompContainerAnnotationKeyPrefix`.
pub(crate) const SECCOMP_CONTAINER: &str = "container.seccomp.security.alpha.kubernetes.io/";

const ID_RANGE: &str = "must be between 0 and 2147483647, inclusive";

fn id(errors: &mut Errors, path: &Path<'_>, id: Option<i64>) {
    if let Some(id) = id.filter(|it| !(0..=i64::from(i32::MAX)).contains(it)) {
        errors.invalid(path, id, ID_RANGE);
    }
}

/// The security context of a container.
pub(crate) fn container(
    errors: &mut Errors,
    path: &Path<'_>,
    security: &SecurityContext,
    host_users: bool,
    context: &Context<'_>,
) {
    if security.privileged == Some(true) && !context.allow_privileged {
        errors.forbidden(&path.child("privileged"), "disallowed by cluster policy");
    }
    id(errors, &path.child("runAsUser"), security.run_as_user);
    id(errors, &path.child("runAsGroup"), security.run_as_group);
    if let Some(mount) = security.proc_mount.as_deref() {
        let path = path.child("procMount");
        one_of(errors, &path, mount, &["Default", "Unmasked"]);
        if host_users && mount == "Unmasked" {
            errors.invalid(&path, mount, "`hostUsers` must be false to use `Unmasked`");
        }
    }
    seccomp(errors, &path.child("seccompProfile"), security.seccomp_profile.as_ref());
    if security.allow_privilege_escalation == Some(false) {
        let shown = || Bad::raw(internal::dump("SecurityContext", security));
        if security.privileged == Some(true) {
            let why = "cannot set `allowPrivilegeEscalation` to false and `privileged` to true";
            errors.invalid(path, shown(), why);
        }
        let added = security.capabilities.as_ref().map(|it| list_of(&it.add));
        if added.unwrap_or_default().iter().any(|it| it == "CAP_SYS_ADMIN") {
            let why = "cannot set `allowPrivilegeEscalation` to false and `capabilities.Add` \
                       CAP_SYS_ADMIN";
            errors.invalid(path, shown(), why);
        }
    }
    windows(errors, &path.child("windowsOptions"), security.windows_options.as_ref());
    app_armor(errors, &path.child("appArmorProfile"), security.app_armor_profile.as_ref());
}

/// The security context of a pod.
pub(crate) fn pod(
    errors: &mut Errors,
    path: &Path<'_>,
    security: &PodSecurityContext,
    spec: &PodSpec,
) {
    id(errors, &path.child("fsGroup"), security.fs_group);
    id(errors, &path.child("runAsUser"), security.run_as_user);
    id(errors, &path.child("runAsGroup"), security.run_as_group);
    let groups = path.child("supplementalGroups");
    for (index, group) in list_of(&security.supplemental_groups).iter().enumerate() {
        id(errors, &groups.index(index), Some(*group));
    }
    if spec.share_process_namespace == Some(true) && spec.host_pid == Some(true) {
        let why = "ShareProcessNamespace and HostPID cannot both be enabled";
        errors.invalid(&path.child("shareProcessNamespace"), true, why);
    }
    sysctls(errors, &path.child("sysctls"), list_of(&security.sysctls), spec);
    if let Some(policy) = &security.fs_group_change_policy {
        let supported = ["Always", "OnRootMismatch"];
        one_of(errors, &path.child("fsGroupChangePolicy"), policy, &supported);
    }
    seccomp(errors, &path.child("seccompProfile"), security.seccomp_profile.as_ref());
    windows(errors, &path.child("windowsOptions"), security.windows_options.as_ref());
    app_armor(errors, &path.child("appArmorProfile"), security.app_armor_profile.as_ref());
    if let Some(policy) = &security.supplemental_groups_policy {
        one_of(errors, &path.child("supplementalGroupsPolicy"), policy, &["Merge", "Strict"]);
    }
    if let Some(policy) = &security.se_linux_change_policy {
        // The other one is behind a feature that is off.
        one_of(errors, &path.child("seLinuxChangePolicy"), policy, &["Recursive"]);
    }
}

fn sysctls(errors: &mut Errors, path: &Path<'_>, sysctls: &[Sysctl], spec: &PodSpec) {
    let segment = |it: &str| {
        let word = |it: char| it.is_ascii_lowercase() || it.is_ascii_digit();
        it.starts_with(word)
            && it.ends_with(word)
            && it.chars().all(|it| word(it) || it == '-' || it == '_')
    };
    for (index, sysctl) in sysctls.iter().enumerate() {
        let element = path.index(index);
        let (path, name) = (element.child("name"), sysctl.name.as_str());
        if name.is_empty() {
            errors.required(&path, "");
        } else if name.len() > 253 || !name.split(['.', '/']).all(segment) {
            let why = "must have at most 253 characters and match regex \
                       ^([a-z0-9]([-_a-z0-9]*[a-z0-9])?[\\./])*[a-z0-9]([-_a-z0-9]*[a-z0-9])?$";
            errors.invalid(&path, name, why);
        } else if sysctls[..index].iter().any(|it| it.name == name) {
            errors.duplicate(&path, name);
        }
        let dotted = name.replace('/', ".");
        let of_ipc = ["kernel.shm", "kernel.msg", "fs.mqueue."];
        if spec.host_network == Some(true) && dotted.starts_with("net.") {
            errors.invalid(&path, name, "may not be specified when 'hostNetwork' is true");
        }
        let of_ipc = dotted == "kernel.sem" || of_ipc.iter().any(|it| dotted.starts_with(it));
        if spec.host_ipc == Some(true) && of_ipc {
            errors.invalid(&path, name, "may not be specified when 'hostIPC' is true");
        }
    }
}

fn seccomp(errors: &mut Errors, path: &Path<'_>, profile: Option<&SeccompProfile>) {
    let Some(profile) = profile else { return };
    let file = profile.localhost_profile.as_deref();
    match profile.type_.as_str() {
        "" => errors.required(&path.child("type"), "type is required when seccompProfile is set"),
        type_ => {
            let supported = ["Localhost", "RuntimeDefault", "Unconfined"];
            one_of(errors, &path.child("type"), type_, &supported);
        }
    }
    let path = path.child("localhostProfile");
    match (profile.type_.as_str(), file) {
        ("Localhost", None) => {
            errors.required(&path, "must be set when seccomp type is Localhost");
        }
        ("Localhost", Some(file)) => descending(errors, &path, file),
        (_, Some(_)) => {
            let shown = Bad::raw(internal::dump("SeccompProfile", profile));
            errors.invalid(&path, shown, "can only be set when seccomp type is Localhost");
        }
        (_, None) => {}
    }
}

fn app_armor(errors: &mut Errors, path: &Path<'_>, profile: Option<&AppArmorProfile>) {
    let Some(profile) = profile else { return };
    let file = profile.localhost_profile.as_deref();
    let file_path = path.child("localhostProfile");
    match (profile.type_.as_str(), file) {
        ("Localhost", None | Some("")) => {
            errors.required(&file_path, "must be set when AppArmor type is Localhost");
        }
        ("Localhost", Some(file)) => {
            if file.trim() != file {
                errors.invalid(&file_path, file, "must not be padded with whitespace");
            }
            if file.len() > 4095 {
                errors.too_long(&file_path, 4095);
            }
        }
        ("RuntimeDefault" | "Unconfined", Some(file)) => {
            errors.invalid(&file_path, file, "can only be set when AppArmor type is Localhost");
        }
        ("RuntimeDefault" | "Unconfined", None) => {}
        ("", _) => {
            let why = "type is required when appArmorProfile is set";
            errors.required(&path.child("type"), why);
        }
        (type_, _) => {
            let supported = ["Localhost", "RuntimeDefault", "Unconfined"];
            errors.not_supported(&path.child("type"), type_, &supported);
        }
    }
}

fn windows(errors: &mut Errors, path: &Path<'_>, options: Option<&WindowsSecurityContextOptions>) {
    let Some(options) = options else { return };
    if let Some(name) = &options.gmsa_credential_spec_name {
        form(errors, &path.child("gmsaCredentialSpecName"), name, text::dns1123_subdomain(name));
    }
    if let Some(spec) = &options.gmsa_credential_spec {
        let path = path.child("gmsaCredentialSpec");
        if spec.is_empty() {
            errors.invalid(&path, spec, "gmsaCredentialSpec cannot be an empty string");
        } else if spec.len() > 64 * 1024 {
            errors.invalid(&path, spec, "gmsaCredentialSpec size must be under 64 KiB");
        }
    }
    if let Some(name) = &options.run_as_user_name {
        for why in user_name(name) {
            errors.invalid(&path.child("runAsUserName"), name, why);
        }
    }
}

fn user_name(name: &str) -> Vec<&'static str> {
    if name.is_empty() {
        return vec!["runAsUserName cannot be an empty string"];
    }
    if name.chars().any(|it| it.is_ascii_control()) {
        return vec!["runAsUserName cannot contain control characters"];
    }
    let (domain, user) = match name.split('\\').collect::<Vec<_>>().as_slice() {
        [user] => (None, *user),
        [domain, user] => (Some(*domain), *user),
        _ => return vec!["runAsUserName cannot contain more than one backslash"],
    };
    let mut messages = Vec::new();
    if let Some(domain) = domain {
        if domain.len() >= 256 {
            messages.push("runAsUserName's Domain length must be under 256 characters");
        }
        let forbidden = ['\\', '/', ':', '*', '?', '"', '<', '>', '|'];
        let net_bios = (1..=15).contains(&domain.len())
            && !domain.contains(forbidden)
            && !domain.starts_with('.');
        let part = |it: &str| {
            (1..=63).contains(&it.len())
                && it.starts_with(|it: char| it.is_ascii_alphanumeric())
                && it.ends_with(|it: char| it.is_ascii_alphanumeric())
                && it.bytes().all(|it| it.is_ascii_alphanumeric() || it == b'-')
        };
        if !net_bios && !domain.split('.').all(part) {
            messages.push("runAsUserName's Domain doesn't match the NetBios nor the DNS format");
        }
    }
    if user.is_empty() {
        messages.push("runAsUserName's User cannot be empty");
    } else if user.len() > 104 {
        messages.push("runAsUserName's User length must not be longer than 104 characters");
    }
    if !user.is_empty() && user.chars().all(|it| it == '.' || it == ' ') {
        messages.push("runAsUserName's User cannot contain only periods or spaces");
    }
    let forbidden =
        ['"', '/', '\\', ':', ';', '|', '=', ',', '+', '*', '?', '<', '>', '@', '[', ']'];
    if user.contains(forbidden) {
        messages.push(
            "runAsUserName's User cannot contain the following characters: \
             \"/\\:;|=,+*?<>@[]",
        );
    }
    messages
}

/// What a pod for one operating system may not say of the other. Upstream: `validateLinux`,
/// `validateWindows`.
pub(crate) fn os(errors: &mut Errors, path: &Path<'_>, spec: &PodSpec) {
    let Some(os) = &spec.os else { return };
    match os.name.as_str() {
        "" => errors.required(&path.child("os").child("name"), ""),
        "linux" => for_linux(errors, path, spec),
        "windows" => for_windows(errors, path, spec),
        other => errors.not_supported(&path.child("os"), other, &["linux", "windows"]),
    }
}

fn for_linux(errors: &mut Errors, path: &Path<'_>, spec: &PodSpec) {
    let why = "windows options cannot be set for a linux pod";
    if spec.security_context.as_ref().is_some_and(|it| it.windows_options.is_some()) {
        errors.forbidden(&path.child("securityContext").child("windowsOptions"), why);
    }
    visit(path, spec, &mut |path, container| {
        if container.security_context.as_ref().is_some_and(|it| it.windows_options.is_some()) {
            errors.forbidden(&path.child("securityContext").child("windowsOptions"), why);
        }
    });
}

fn for_windows(errors: &mut Errors, path: &Path<'_>, spec: &PodSpec) {
    let why = "cannot be set for a windows pod";
    let empty = PodSecurityContext::default();
    let security = spec.security_context.as_ref().unwrap_or(&empty);
    let context_path = path.child("securityContext");
    let on = |it: Option<bool>| it == Some(true);
    let fields = [
        (true, "appArmorProfile", security.app_armor_profile.is_some()),
        (true, "seLinuxOptions", security.se_linux_options.is_some()),
        (false, "hostUsers", spec.host_users.is_some()),
        (false, "hostPID", on(spec.host_pid)),
        (false, "hostIPC", on(spec.host_ipc)),
        (true, "seccompProfile", security.seccomp_profile.is_some()),
        (true, "fsGroup", security.fs_group.is_some()),
        (true, "fsGroupChangePolicy", security.fs_group_change_policy.is_some()),
        (true, "sysctls", !list_of(&security.sysctls).is_empty()),
        (false, "shareProcessNamespace", spec.share_process_namespace.is_some()),
        (true, "runAsUser", security.run_as_user.is_some()),
        (true, "runAsGroup", security.run_as_group.is_some()),
        (true, "supplementalGroups", security.supplemental_groups.is_some()),
        (true, "supplementalGroupsPolicy", security.supplemental_groups_policy.is_some()),
        (true, "seLinuxChangePolicy", security.se_linux_change_policy.is_some()),
    ];
    for (in_context, name, is_set) in fields {
        if is_set {
            let parent = if in_context { &context_path } else { path };
            errors.forbidden(&parent.child(name), why);
        }
    }
    visit(path, spec, &mut |path, container| {
        let Some(security) = &container.security_context else { return };
        let path = path.child("securityContext");
        let fields = [
            ("appArmorProfile", security.app_armor_profile.is_some()),
            ("seLinuxOptions", security.se_linux_options.is_some()),
            ("seccompProfile", security.seccomp_profile.is_some()),
            ("capabilities", security.capabilities.is_some()),
            ("readOnlyRootFilesystem", security.read_only_root_filesystem.is_some()),
            ("privileged", security.privileged.is_some()),
            ("allowPrivilegeEscalation", security.allow_privilege_escalation.is_some()),
            ("procMount", security.proc_mount.is_some()),
            ("runAsUser", security.run_as_user.is_some()),
            ("runAsGroup", security.run_as_group.is_some()),
        ];
        for (name, _) in fields.iter().filter(|it| it.1) {
            errors.forbidden(&path.child(name), why);
        }
    });
}

/// What goes with `hostProcess` containers. Upstream: `validateWindowsHostProcessPod`.
pub(crate) fn host_process(
    errors: &mut Errors,
    path: &Path<'_>,
    spec: &PodSpec,
    context: &Context<'_>,
) {
    let of_pod = spec.security_context.as_ref().and_then(|it| it.windows_options.as_ref());
    let of_pod = of_pod.and_then(|it| it.host_process);
    let (mut n_containers, mut n_found) = (0, 0);
    visit(path, spec, &mut |path, container| {
        n_containers += 1;
        let options =
            container.security_context.as_ref().and_then(|it| it.windows_options.as_ref());
        let own = options.and_then(|it| it.host_process);
        let path = path.child("securityContext");
        if let (Some(pod), Some(own)) = (of_pod, own)
            && pod != own
        {
            let why =
                format!("pod hostProcess value must be identical if both are specified, was {pod}");
            errors.invalid(&path.child("windowsOptions").child("hostProcess"), own, &why);
        }
        n_found += usize::from(own.or(of_pod) == Some(true));
    });
    if n_found == 0 {
        return;
    }
    if n_found != n_containers {
        let why = "If pod contains any hostProcess containers then all containers must be \
                   HostProcess containers";
        errors.invalid(path, "", why);
    }
    if spec.host_network != Some(true) {
        let why = "hostNetwork must be true if pod contains any hostProcess containers";
        errors.invalid(&path.child("hostNetwork"), false, why);
    }
    if !context.allow_privileged {
        errors.forbidden(path, "hostProcess containers are disallowed by cluster policy");
    }
}

/// Annotations of older versions that say the same as a field must agree with it.
pub(crate) fn annotations(
    errors: &mut Errors,
    path: &Path<'_>,
    annotations: Option<&std::collections::BTreeMap<String, String>>,
) {
    for (key, value) in annotations.into_iter().flatten() {
        if key != SECCOMP_POD && !key.starts_with(SECCOMP_CONTAINER) {
            continue;
        }
        match value.as_str() {
            "runtime/default" | "docker/default" | "unconfined" => {}
            other => match other.strip_prefix(LOCALHOST) {
                Some(file) => descending(errors, &path.child(key), file),
                None => errors.invalid(&path.child(key), other, "must be a valid seccomp profile"),
            },
        }
    }
}

const LOCALHOST: &str = "localhost/";

/// What is wrong with a profile of a field beside that of an annotation: the name of the field
/// that differs. `default` is how the annotation names the runtime's own profile.
fn profile_differs(
    annotation: &str,
    type_: &str,
    file: Option<&str>,
    default: &[&str],
) -> Option<&'static str> {
    let differs = match type_ {
        "Unconfined" => annotation != "unconfined",
        "RuntimeDefault" => !default.contains(&annotation),
        "Localhost" => match annotation.strip_prefix(LOCALHOST) {
            None => true,
            it if it != file => return Some("localhostProfile"),
            Some(_) => false,
        },
        _ => false,
    };
    differs.then_some("type")
}

/// Profiles that an annotation names and a field names otherwise. Upstream:
/// `validateSeccompAnnotationsAndFields`, `validateAppArmorAnnotationsAndFieldsMatchOnCreate`.
pub(crate) fn profiles_agree(
    errors: &mut Errors,
    path: &Path<'_>,
    spec: &PodSpec,
    annotations: Option<&std::collections::BTreeMap<String, String>>,
) {
    let Some(annotations) = annotations else { return };
    let mut seccomp = |path: &Path<'_>, key: &str, profile: Option<&SeccompProfile>| {
        let (Some(given), Some(it)) = (annotations.get(key), profile) else { return };
        let default = ["runtime/default", "docker/default"];
        let file = it.localhost_profile.as_deref();
        if let Some(field) = profile_differs(given, &it.type_, file, &default) {
            let what = if field == "type" { "type" } else { "profile" };
            let why = format!("seccomp {what} in annotation and field must match");
            errors.forbidden(&path.child("seccompProfile").child(field), &why);
        }
    };
    let of_pod = spec.security_context.as_ref();
    let context_path = path.child("securityContext");
    seccomp(&context_path, SECCOMP_POD, of_pod.and_then(|it| it.seccomp_profile.as_ref()));
    visit(path, spec, &mut |path, container| {
        let own = container.security_context.as_ref().and_then(|it| it.seccomp_profile.as_ref());
        let key = format!("{SECCOMP_CONTAINER}{}", container.name);
        seccomp(&path.child("securityContext"), &key, own);
    });
    if spec.os.as_ref().is_some_and(|it| it.name == "windows") {
        return;
    }
    let of_pod = of_pod.and_then(|it| it.app_armor_profile.as_ref());
    visit(path, spec, &mut |path, container| {
        let own = container.security_context.as_ref().and_then(|it| it.app_armor_profile.as_ref());
        let key = format!("{}{}", super::pod::APP_ARMOR, container.name);
        let (Some(given), Some(it)) = (annotations.get(&key), own.or(of_pod)) else { return };
        let file = it.localhost_profile.as_deref();
        if let Some(field) = profile_differs(given, &it.type_, file, &["runtime/default"]) {
            let what = if field == "type" { "type" } else { "profile" };
            let why = format!("apparmor {what} in annotation and field must match");
            let path = path.child("securityContext");
            errors.forbidden(&path.child("appArmorProfile").child(field), &why);
        }
    });
}

/// Whether a container asks for privileges.
pub(crate) fn is_privileged(security: Option<&SecurityContext>) -> bool {
    security.is_some_and(|it| it.privileged == Some(true))
}
