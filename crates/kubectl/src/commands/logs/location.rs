//! Where the logs of a pod are asked for: the API server goes to the kubelet of its node.
//!
//! Upstream: `LogLocation` in `pkg/registry/core/pod/strategy.go` and `GetConnectionInfo` in
//! `pkg/kubelet/client/kubelet_client.go`, v1.36.

use api::{ApiError, ApiReason, Kind, Listers, ObjectRef, Resource};
use k8s_openapi::api::core::v1::Pod;

use super::SELECTOR_TAIL;
use crate::args::Args;
use crate::commands::Session;
use crate::failure::Failure;

/// A node that is cut off bears it. Ours.
const FAILED: &str = "sim.orrery.dev/failed";

/// The API server asks the pod's kubelet, whose address is in the Node object.
/// Fails where there is no such object, or where nobody answers at that address.
pub(super) fn reach_kubelet(
    session: &Session<'_>,
    pod: &Pod,
    container: &str,
) -> Result<(), Failure> {
    let Some(name) = pod.spec.as_ref().and_then(|it| it.node_name.as_deref()) else {
        return Ok(());
    };
    let Some(node) = Listers(session.client.objects()).node(name) else {
        return Err(ApiError::not_found(&ObjectRef::new(Kind::Node, "", name)).into());
    };
    let marks = node.metadata.annotations.as_ref();
    if marks.and_then(|it| it.get(FAILED)).is_none_or(|it| it == "false") {
        return Ok(());
    }
    let addresses = node.status.iter().flat_map(|it| it.addresses.iter().flatten());
    let mut internal = addresses.filter(|it| it.type_ == "InternalIP");
    let host = internal.next().map_or(name, |it| it.address.as_str());
    let (namespace, pod) = (pod.namespace(), pod.name());
    let query = kubelet_query(&session.args);
    Err(ApiError::new(
        ApiReason::Unknown,
        format!(
            "Get \"https://{host}:10250/containerLogs/{namespace}/{pod}/{container}{query}\": \
             dial tcp {host}:10250: connect: no route to host"
        ),
    )
    .into())
}

/// What the kubelet is asked for, by the names of Go's `url.Values` in their order.
fn kubelet_query(args: &Args) -> String {
    let switched = |flag| args.is_on(flag).then(|| "true".to_owned());
    let given = |flag| args.get(flag).map(str::to_owned);
    let tail = given("tail").filter(|it| it != "-1");
    let tail = tail.or(args.has("selector").then(|| SELECTOR_TAIL.to_string()));
    let since = args.duration("since").ok().flatten();
    let all = [
        ("follow", switched("follow")),
        ("limitBytes", given("limit-bytes")),
        ("previous", switched("previous")),
        ("sinceSeconds", since.map(|it| (it.as_millis() / 1_000).to_string())),
        ("sinceTime", given("since-time")),
        ("tailLines", tail),
        ("timestamps", switched("timestamps")),
    ];
    let all = all.into_iter().filter_map(|(key, value)| Some(format!("{key}={}", value?)));
    let text = all.collect::<Vec<_>>().join("&");
    if text.is_empty() { text } else { format!("?{text}") }
}
