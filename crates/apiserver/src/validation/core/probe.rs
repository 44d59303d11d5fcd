//! Probes, life cycle hooks and their handlers.
//!
//! Upstream: `pkg/apis/core/validation/validation.go` (`validateProbe`, `validateHandler`,
//! `validateLifecycle`), v1.36.

use k8s_openapi::api::core::v1::{
    ExecAction, GRPCAction, HTTPGetAction, Lifecycle, LifecycleHandler, Probe, SleepAction,
    TCPSocketAction,
};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use crate::validation::check::{form, list_of, non_negative, one_of, port, str_of};
use crate::validation::{Errors, Path, text};

/// What the kinds of handlers have in common.
#[derive(Default)]
struct Handler<'a> {
    exec: Option<&'a ExecAction>,
    http_get: Option<&'a HTTPGetAction>,
    tcp_socket: Option<&'a TCPSocketAction>,
    grpc: Option<&'a GRPCAction>,
    sleep: Option<&'a SleepAction>,
}

/// Which probe.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Which {
    Liveness,
    Readiness,
    Startup,
}

pub(crate) fn probe(
    errors: &mut Errors,
    path: &Path<'_>,
    probe: Option<&Probe>,
    grace: Option<i64>,
    which: Which,
) {
    let Some(probe) = probe else { return };
    let it = Handler {
        exec: probe.exec.as_ref(),
        http_get: probe.http_get.as_ref(),
        tcp_socket: probe.tcp_socket.as_ref(),
        grpc: probe.grpc.as_ref(),
        sleep: None,
    };
    handler(errors, path, &it, grace);
    for (name, value) in [
        ("initialDelaySeconds", probe.initial_delay_seconds),
        ("timeoutSeconds", probe.timeout_seconds),
        ("periodSeconds", probe.period_seconds),
        ("successThreshold", probe.success_threshold),
        ("failureThreshold", probe.failure_threshold),
    ] {
        non_negative(errors, &path.child(name), value.unwrap_or_default());
    }
    let own_grace = probe.termination_grace_period_seconds;
    let grace_path = path.child("terminationGracePeriodSeconds");
    if let Some(seconds) = own_grace.filter(|it| *it <= 0) {
        errors.invalid(&grace_path, seconds, "must be greater than 0");
    }
    let threshold = probe.success_threshold.unwrap_or_default();
    match (which, own_grace) {
        (Which::Readiness, Some(seconds)) => {
            errors.invalid(&grace_path, seconds, "must not be set for readinessProbes");
        }
        (Which::Liveness | Which::Startup, _) if threshold != 1 => {
            errors.invalid(&path.child("successThreshold"), threshold, "must be 1");
        }
        _ => {}
    }
}

fn handler(errors: &mut Errors, path: &Path<'_>, handler: &Handler<'_>, grace: Option<i64>) {
    let mut n_handlers = 0;
    let mut first = |errors: &mut Errors, name: &str| -> bool {
        n_handlers += 1;
        if n_handlers > 1 {
            errors.forbidden(&path.child(name), "may not specify more than 1 handler type");
        }
        n_handlers == 1
    };
    if let Some(it) = handler.exec
        && first(errors, "exec")
        && list_of(&it.command).is_empty()
    {
        errors.required(&path.child("exec").child("command"), "");
    }
    if let Some(it) = handler.http_get
        && first(errors, "httpGet")
    {
        http_get(errors, &path.child("httpGet"), it);
    }
    if let Some(it) = handler.tcp_socket
        && first(errors, "tcpSocket")
    {
        port(errors, &path.child("tcpSocket").child("port"), &it.port);
    }
    if let Some(it) = handler.grpc
        && first(errors, "grpc")
    {
        port(errors, &path.child("grpc").child("port"), &IntOrString::Int(it.port));
    }
    if let Some(it) = handler.sleep
        && first(errors, "sleep")
        && let Some(grace) = grace.filter(|grace| it.seconds < 0 || it.seconds > *grace)
    {
        let why =
            format!("must be non-negative and less than terminationGracePeriodSeconds ({grace})");
        errors.invalid(&path.child("sleep"), it.seconds, &why);
    }
    if n_handlers == 0 {
        errors.required(path, "must specify a handler type");
    }
}

fn http_get(errors: &mut Errors, path: &Path<'_>, get: &HTTPGetAction) {
    if str_of(&get.path).is_empty() {
        errors.required(&path.child("path"), "");
    }
    port(errors, &path.child("port"), &get.port);
    one_of(errors, &path.child("scheme"), str_of(&get.scheme), &["HTTP", "HTTPS"]);
    for header in list_of(&get.http_headers) {
        let messages = text::http_header_name(&header.name);
        form(errors, &path.child("httpHeaders"), &header.name, messages);
    }
}

pub(crate) fn lifecycle(
    errors: &mut Errors,
    path: &Path<'_>,
    lifecycle: &Lifecycle,
    grace: Option<i64>,
) {
    let hooks = [("postStart", &lifecycle.post_start), ("preStop", &lifecycle.pre_stop)];
    for (name, hook) in hooks {
        if let Some(hook) = hook {
            handler(errors, &path.child(name), &of_hook(hook), grace);
        }
    }
}

fn of_hook(hook: &LifecycleHandler) -> Handler<'_> {
    Handler {
        exec: hook.exec.as_ref(),
        http_get: hook.http_get.as_ref(),
        tcp_socket: hook.tcp_socket.as_ref(),
        grpc: None,
        sleep: hook.sleep.as_ref(),
    }
}
