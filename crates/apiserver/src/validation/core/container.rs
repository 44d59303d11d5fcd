//! Containers.
//!
//! Upstream: `pkg/apis/core/validation/validation.go` (`validateContainerCommon`,
//! `validateContainers`, `validateInitContainers`), v1.36.

use k8s_openapi::api::core::v1::{
    Container, ContainerPort, ContainerResizePolicy, EphemeralContainer, PodSpec,
    ResourceRequirements,
};

use crate::validation::check::{form, label, list_of, not_empty, one_of, required_one_of, str_of};
use crate::validation::core::probe::{self, Which};
use crate::validation::core::volume::{self, Volumes};
use crate::validation::core::{env, security};
use crate::validation::resources::{self, Scope};
use crate::validation::{Bad, Context, Errors, Path, text};

/// What the containers of a pod have in common.
pub(crate) struct Around<'a> {
    pub(crate) spec: &'a PodSpec,
    pub(crate) volumes: &'a Volumes<'a>,
    pub(crate) claims: Vec<&'a str>,
    pub(crate) context: &'a Context<'a>,
}

impl Around<'_> {
    fn os(&self) -> Option<&str> {
        self.spec.os.as_ref().map(|it| it.name.as_str())
    }

    fn grace(&self) -> Option<i64> {
        self.spec.termination_grace_period_seconds
    }
}

pub(crate) fn containers(errors: &mut Errors, path: &Path<'_>, around: &Around<'_>) {
    let containers = &around.spec.containers;
    if containers.is_empty() {
        errors.required(path, "");
        return;
    }
    for (index, container) in containers.iter().enumerate() {
        let path = path.index(index);
        common(errors, &path, container, around);
        if containers[..index].iter().any(|it| it.name == container.name) {
            errors.duplicate(&path.child("name"), &container.name);
        }
        life(errors, &path, container, around);
        restart_policy(errors, &path, container);
    }
    host_port_conflicts(errors, path, containers);
}

fn life(errors: &mut Errors, path: &Path<'_>, container: &Container, around: &Around<'_>) {
    let grace = around.grace();
    if let Some(lifecycle) = &container.lifecycle {
        probe::lifecycle(errors, &path.child("lifecycle"), lifecycle, grace);
    }
    for (name, it, which) in [
        ("livenessProbe", &container.liveness_probe, Which::Liveness),
        ("readinessProbe", &container.readiness_probe, Which::Readiness),
        ("startupProbe", &container.startup_probe, Which::Startup),
    ] {
        probe::probe(errors, &path.child(name), it.as_ref(), grace, which);
    }
}

pub(crate) fn init_containers(errors: &mut Errors, path: &Path<'_>, around: &Around<'_>) {
    let containers = list_of(&around.spec.init_containers);
    for (index, container) in containers.iter().enumerate() {
        let element = path.index(index);
        common(errors, &element, container, around);
        let restarts = container.restart_policy.as_deref() == Some("Always");
        init_restart_policy(errors, &element, container);
        // A name that is missing in two init containers is complained of as such alone.
        let earlier = containers[..index].iter().filter(|it| !it.name.is_empty());
        let others = around.spec.containers.iter().chain(earlier);
        if others.into_iter().any(|it| it.name == container.name) {
            errors.duplicate(&element.child("name"), &container.name);
        }
        host_port_conflicts(errors, path, std::slice::from_ref(container));
        if restarts {
            life(errors, &element, container, around);
        } else {
            let why = "may not be set for init containers without restartPolicy=Always";
            for (name, is_set) in [
                ("lifecycle", container.lifecycle.is_some()),
                ("livenessProbe", container.liveness_probe.is_some()),
                ("readinessProbe", container.readiness_probe.is_some()),
                ("startupProbe", container.startup_probe.is_some()),
            ] {
                if is_set {
                    errors.forbidden(&element.child(name), why);
                }
            }
            let all = element.child("resizePolicy");
            for (index, policy) in list_of(&container.resize_policy).iter().enumerate() {
                if policy.restart_policy == "RestartContainer" {
                    let path = all.index(index);
                    let why = "must not be set to 'RestartContainer' for non-sidecar \
                               initContainers";
                    errors.invalid(&path.child("restartPolicy"), &policy.restart_policy, why);
                }
            }
        }
    }
}

pub(crate) fn ephemeral_containers(errors: &mut Errors, path: &Path<'_>, around: &Around<'_>) {
    let containers = list_of(&around.spec.ephemeral_containers);
    for (index, container) in containers.iter().enumerate() {
        let element = path.index(index);
        let it = plain(container);
        common(errors, &element, &it, around);
        image_of_pod(errors, &element, &it);
        let init = list_of(&around.spec.init_containers).iter();
        let mut others = around.spec.containers.iter().chain(init).map(|it| it.name.as_str());
        let earlier = &containers[..index];
        let taken = others.clone().any(|it| it == container.name)
            || earlier.iter().any(|it| it.name == container.name);
        if taken {
            errors.duplicate(&element.child("name"), &container.name);
        }
        let target = str_of(&container.target_container_name);
        if !target.is_empty() && !others.any(|it| it == target) {
            errors.not_found(&element.child("targetContainerName"), target);
        }
        let why = "cannot be set for an Ephemeral Container";
        let no_resources = ResourceRequirements::default();
        for (name, is_set) in [
            ("ports", container.ports.is_some()),
            ("resources", container.resources.as_ref().is_some_and(|it| *it != no_resources)),
            ("resizePolicy", container.resize_policy.is_some()),
            ("restartPolicy", container.restart_policy.is_some()),
            ("restartPolicyRules", container.restart_policy_rules.is_some()),
            ("livenessProbe", container.liveness_probe.is_some()),
            ("readinessProbe", container.readiness_probe.is_some()),
            ("startupProbe", container.startup_probe.is_some()),
            ("lifecycle", container.lifecycle.is_some()),
        ] {
            if is_set {
                errors.forbidden(&element.child(name), why);
            }
        }
        let all = element.child("volumeMounts");
        for (index, mount) in list_of(&container.volume_mounts).iter().enumerate() {
            let path = all.index(index);
            for (name, value) in
                [("subPath", &mount.sub_path), ("subPathExpr", &mount.sub_path_expr)]
            {
                if !str_of(value).is_empty() {
                    errors.forbidden(&path.child(name), why);
                }
            }
        }
    }
}

/// An ephemeral container as the container that it mostly is.
fn plain(container: &EphemeralContainer) -> Container {
    let it = container.clone();
    Container {
        name: it.name,
        image: it.image,
        env: it.env,
        env_from: it.env_from,
        ports: it.ports,
        volume_mounts: it.volume_mounts,
        volume_devices: it.volume_devices,
        image_pull_policy: it.image_pull_policy,
        termination_message_policy: it.termination_message_policy,
        resources: it.resources,
        resize_policy: it.resize_policy,
        security_context: it.security_context,
        ..Container::default()
    }
}

fn common(errors: &mut Errors, path: &Path<'_>, container: &Container, around: &Around<'_>) {
    if container.name.is_empty() {
        errors.required(&path.child("name"), "");
    } else {
        label(errors, &path.child("name"), &container.name);
    }
    not_empty(errors, &path.child("image"), str_of(&container.image));
    let policy = str_of(&container.termination_message_policy);
    let supported = ["File", "FallbackToLogsOnError"];
    required_one_of(errors, &path.child("terminationMessagePolicy"), policy, &supported);
    ports(errors, &path.child("ports"), list_of(&container.ports));
    env::variables(errors, &path.child("env"), list_of(&container.env));
    env::sources(errors, &path.child("envFrom"), list_of(&container.env_from));
    let mounts = list_of(&container.volume_mounts);
    let devices = list_of(&container.volume_devices);
    let privileged = security::is_privileged(container.security_context.as_ref());
    let (path_of_mounts, volumes) = (path.child("volumeMounts"), around.volumes);
    volume::mounts(errors, &path_of_mounts, mounts, devices, volumes, privileged);
    volume::devices(errors, &path.child("volumeDevices"), devices, mounts, volumes);
    let policy = str_of(&container.image_pull_policy);
    volume::pull_policy(errors, &path.child("imagePullPolicy"), policy);
    if let Some(it) = &container.resources {
        let path = path.child("resources");
        resources::requirements(errors, &path, it, &around.claims, Scope::Container);
    }
    let resize = list_of(&container.resize_policy);
    resize_policies(errors, &path.child("resizePolicy"), resize, around.spec);
    if let Some(it) = &container.security_context {
        let host_users = around.spec.host_users != Some(false);
        security::container(errors, &path.child("securityContext"), it, host_users, around.context);
    }
}

fn ports(errors: &mut Errors, path: &Path<'_>, ports: &[ContainerPort]) {
    let mut names: Vec<&str> = Vec::new();
    for (index, port) in ports.iter().enumerate() {
        let path = path.index(index);
        let name = str_of(&port.name);
        if !name.is_empty() {
            let messages = text::port_name(name);
            if messages.is_empty() && names.contains(&name) {
                errors.duplicate(&path.child("name"), name);
            } else if messages.is_empty() {
                names.push(name);
            }
            form(errors, &path.child("name"), name, messages);
        }
        if port.container_port == 0 {
            errors.required(&path.child("containerPort"), "");
        } else if !(1..=65_535).contains(&port.container_port) {
            errors.invalid(&path.child("containerPort"), port.container_port, text::PORT_RANGE);
        }
        if let Some(host) = port.host_port.filter(|it| *it != 0 && !(1..=65_535).contains(it)) {
            errors.invalid(&path.child("hostPort"), host, text::PORT_RANGE);
        }
        let protocol = str_of(&port.protocol);
        required_one_of(errors, &path.child("protocol"), protocol, &["SCTP", "TCP", "UDP"]);
    }
}

/// Upstream: `checkHostPortConflicts`.
fn host_port_conflicts(errors: &mut Errors, path: &Path<'_>, containers: &[Container]) {
    let mut taken: Vec<String> = Vec::new();
    for (index, container) in containers.iter().enumerate() {
        let container_path = path.index(index);
        let all = container_path.child("ports");
        for (index, port) in list_of(&container.ports).iter().enumerate() {
            let number = port.host_port.unwrap_or_default();
            if number == 0 {
                continue;
            }
            let key = format!("{}/{}/{number}", str_of(&port.protocol), str_of(&port.host_ip));
            if taken.contains(&key) {
                errors.duplicate(&all.index(index).child("hostPort"), &key);
            } else {
                taken.push(key);
            }
        }
    }
}

fn resize_policies(
    errors: &mut Errors,
    path: &Path<'_>,
    policies: &[ContainerResizePolicy],
    spec: &PodSpec,
) {
    for (index, policy) in policies.iter().enumerate() {
        let name = policy.resource_name.as_str();
        if policies[..index].iter().any(|it| it.resource_name == name) {
            errors.duplicate(&path.index(index), name);
        }
        required_one_of(errors, path, name, &["cpu", "memory"]);
        let restart = policy.restart_policy.as_str();
        required_one_of(errors, path, restart, &["NotRequired", "RestartContainer"]);
        if str_of(&spec.restart_policy) == "Never" && restart != "NotRequired" {
            let why = "must be 'NotRequired' when pod `restartPolicy` is 'Never'";
            errors.invalid(path, restart, why);
        }
    }
}

/// Upstream: `validateInitContainerRestartPolicy`.
fn init_restart_policy(errors: &mut Errors, path: &Path<'_>, container: &Container) {
    if container.restart_policy.is_some() {
        restart_policy(errors, path, container);
    } else if !list_of(&container.restart_policy_rules).is_empty() {
        errors.required(&path.child("restartPolicy"), NO_RESTART_POLICY);
    }
}

const NO_RESTART_POLICY: &str = "must specify restartPolicy when restart rules are used";

/// Upstream: `validateContainerRestartPolicy`.
fn restart_policy(errors: &mut Errors, path: &Path<'_>, container: &Container) {
    let rules = list_of(&container.restart_policy_rules);
    let policy_path = path.child("restartPolicy");
    match container.restart_policy.as_deref() {
        None if rules.is_empty() => return,
        None => errors.required(&policy_path, NO_RESTART_POLICY),
        Some(policy) => one_of(errors, &policy_path, policy, &["Always", "Never", "OnFailure"]),
    }
    let all = path.child("restartPolicyRules");
    if rules.len() > 20 {
        errors.too_many(&all, rules.len(), 20);
    }
    for (index, rule) in rules.iter().enumerate() {
        let path = all.index(index);
        let supported = ["Restart", "RestartAllContainers"];
        one_of(errors, &path.child("action"), &rule.action, &supported);
        let codes_path = path.child("exitCodes");
        let Some(codes) = &rule.exit_codes else {
            errors.required(&codes_path, "must be specified");
            continue;
        };
        one_of(errors, &codes_path.child("operator"), &codes.operator, &["In", "NotIn"]);
        let n_values = list_of(&codes.values).len();
        if n_values > 255 {
            errors.too_many(&codes_path.child("values"), n_values, 255);
        }
    }
}

/// What goes for containers of pods, but not of templates. Upstream: `validateContainerOnlyForPod`.
pub(crate) fn images_of_pod(errors: &mut Errors, path: &Path<'_>, containers: &[Container]) {
    for (index, container) in containers.iter().enumerate() {
        image_of_pod(errors, &path.index(index), container);
    }
}

fn image_of_pod(errors: &mut Errors, path: &Path<'_>, container: &Container) {
    let image = str_of(&container.image);
    if image.trim() != image {
        let why = "must not have leading or trailing whitespace";
        errors.invalid(&path.child("image"), image, why);
    }
}

/// Shows all containers, each with its path. Upstream: `VisitContainersWithPath`.
pub(crate) fn visit(path: &Path<'_>, spec: &PodSpec, see: &mut dyn FnMut(&Path<'_>, &Container)) {
    let lists = [
        ("initContainers", list_of(&spec.init_containers)),
        ("containers", spec.containers.as_slice()),
    ];
    for (name, containers) in lists {
        let all = path.child(name);
        for (index, container) in containers.iter().enumerate() {
            see(&all.index(index), container);
        }
    }
    let all = path.child("ephemeralContainers");
    for (index, container) in list_of(&spec.ephemeral_containers).iter().enumerate() {
        see(&all.index(index), &plain(container));
    }
}

/// Upstream: `validatePodResourceConsistency` and its callers.
pub(crate) fn pod_resources(errors: &mut Errors, path: &Path<'_>, around: &Around<'_>) {
    use api::resources::{Side, spec_amounts};
    let spec = around.spec;
    let Some(own) = &spec.resources else { return };
    let path = path.child("resources");
    if around.os() == Some("windows") {
        errors.forbidden(&path, "may not be set for a windows pod");
        return;
    }
    if own.claims.is_some() {
        let why = "claims may not be set for Resources at pod-level";
        errors.forbidden(&path.child("claims"), why);
    }
    resources::requirements(errors, &path, own, &around.claims, Scope::Pod);
    let mut bare = spec.clone();
    bare.resources = None;
    bare.overhead = None;
    for (name, amount) in spec_amounts(&bare, Side::Requests) {
        let Some(most) = own.requests.as_ref().and_then(|it| it.get(&name)) else { continue };
        if amount > resources::exact(most) {
            let why = format!(
                "must be greater than or equal to aggregate container requests of {}",
                amount.to_quantity().0
            );
            errors.invalid(&path.child("requests").key(&name), &resources::shown(most), &why);
        }
    }
    let limits = own.limits.as_ref();
    for (name, amount) in spec_amounts(&bare, Side::Limits) {
        let Some(most) = limits.and_then(|it| it.get(&name)) else { continue };
        if name.starts_with("hugepages-") && amount > resources::exact(most) {
            let why = format!(
                "must be greater than or equal to aggregate container limits of {}",
                amount.to_quantity().0
            );
            errors.invalid(&path.child("limits").key(&name), &resources::shown(most), &why);
        }
    }
    let all = path.child("containers");
    for (index, container) in spec.containers.iter().enumerate() {
        let own = container.resources.as_ref().and_then(|it| it.limits.as_ref());
        for (name, limit) in own.into_iter().flatten() {
            let Some(most) = limits.and_then(|it| it.get(name)) else { continue };
            if resources::exact(limit) > resources::exact(most) {
                let element = all.index(index);
                let why = format!(
                    "must be less than or equal to pod limits of {}",
                    resources::shown(most)
                );
                let path = element.key(name);
                errors.invalid(&path.child("limits"), Bad::from(&resources::shown(limit)), &why);
            }
        }
    }
}
