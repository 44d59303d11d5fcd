//! One pod on its node: width by its dominant share, colour by workload, state by form.

use ::view::PodTile;
use yew::prelude::*;

use super::{Send, color_class, on};
use crate::cluster::pod_object;
use crate::format;
use crate::msg::Msg;

/// The form of a tile by the pod's state.
#[must_use]
pub fn form(pod: &PodTile) -> &'static str {
    let broken = matches!(
        pod.status.as_str(),
        "Error"
            | "CrashLoopBackOff"
            | "ImagePullBackOff"
            | "ErrImagePull"
            | "Evicted"
            | "OOMKilled"
    );
    match pod.phase.as_str() {
        _ if pod.terminating => "leaving",
        "Succeeded" => "done",
        "Failed" => "bad ended",
        _ if broken || pod.status.starts_with("OutOf") => "bad",
        "Running" if pod.ready => "",
        "Running" if pod.status == "Running" && pod.started_ms.is_some() => "",
        _ => "start",
    }
}

/// The part of a pod's name that tells it from its siblings.
#[must_use]
fn short_name(pod: &PodTile) -> &str {
    let owner = pod.owners.first().map_or("", |it| it.name.as_str());
    match pod.name.strip_prefix(owner).map(|it| it.trim_start_matches('-')) {
        Some(rest) if !owner.is_empty() && !rest.is_empty() => rest,
        _ => &pod.name,
    }
}

/// `web x2k4f`: workload and what tells the pod from its siblings.
fn label(pod: &PodTile) -> String {
    let workload = pod.workload.split('/').next_back().unwrap_or_default();
    match short_name(pod) {
        rest if rest == pod.name => rest.to_owned(),
        rest => format!("{workload}-{rest}"),
    }
}

/// The second line: what the pod asks, or why it is not simply running.
fn second_line(pod: &PodTile) -> String {
    match form(pod) {
        "" if pod.cpu > 0 => format::cpu(pod.cpu),
        "" if pod.memory > 0 => format::bytes(pod.memory),
        "" => "no requests".to_owned(),
        _ => pod.status.clone(),
    }
}

/// The tile. `share` is the dominant share of the node in thousandths of a per cent.
pub fn tile(
    pod: &PodTile,
    color: usize,
    share: i64,
    selected: bool,
    dim: bool,
    send: &Send,
) -> Html {
    let (grow, basis) = ((share / 250).clamp(50, 400), (share * 3 / 2000).clamp(52, 150));
    let class = classes!(
        "tile",
        color_class(color),
        form(pod),
        selected.then_some("sel"),
        dim.then_some("dim")
    );
    let asked = format!("{} cpu, {} memory", format::cpu(pod.cpu), format::bytes(pod.memory));
    let spoken = format!("Pod {}, {}, {asked}", pod.name, pod.status);
    html! {
        <button
            key={pod.name.clone()}
            {class}
            style={format!("flex:{grow} 1 {basis}px")}
            data-testid="pod-tile"
            data-pod={format!("{}/{}", pod.namespace, pod.name)}
            data-phase={pod.phase.clone()}
            aria-pressed={selected.to_string()}
            title={spoken.clone()}
            onclick={on(send, Msg::Select(Some(pod_object(pod))))}
        >
            { label(pod) }<small>{ second_line(pod) }</small><span class="sr">{ spoken }</span>
        </button>
    }
}

#[cfg(test)]
mod tests {
    use ::view::ObjectName;

    use super::*;

    fn pod(phase: &str, status: &str) -> PodTile {
        PodTile { phase: phase.to_owned(), status: status.to_owned(), ..PodTile::default() }
    }

    #[test]
    fn the_form_says_the_state_without_colour() {
        let rows = [
            ("Running", "CrashLoopBackOff", "bad"),
            ("Pending", "ContainerCreating", "start"),
            ("Succeeded", "Completed", "done"),
            ("Failed", "Error", "bad ended"),
            ("Failed", "OutOfcpu", "bad ended"),
        ];
        for (phase, status, expected) in rows {
            assert_eq!(form(&pod(phase, status)), expected, "{phase} {status}");
        }
        let ready = PodTile { ready: true, ..pod("Running", "Running") };
        assert_eq!(form(&ready), "");
        assert_eq!(form(&PodTile { terminating: true, ..ready }), "leaving");
    }

    #[test]
    fn a_tile_says_workload_and_random_end() {
        let owner = ObjectName { name: "web-7d9c".to_owned(), ..ObjectName::default() };
        let mut it = pod("Running", "Running");
        it.name = "web-7d9c-x2k4f".to_owned();
        it.workload = "Deployment/web".to_owned();
        it.owners = vec![owner];
        assert_eq!(label(&it), "web-x2k4f");
        it.owners.clear();
        assert_eq!(label(&it), "web-7d9c-x2k4f");
    }
}
