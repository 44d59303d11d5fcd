//! Pulling images: how long it takes, how it fails, when it is tried again.
//!
//! Every image is on the machine, unless the annotation `sim.orrery.dev/image-pull` says otherwise: a
//! duration is the time of the pull, `fail` is one that fails until the annotation changes.
//!
//! Upstream: `pkg/kubelet/images/image_manager.go` (`EnsureImageExists`, `pullImage`) and the loop
//! around it in `pkg/kubelet/pod_workers.go`, v1.36.
//! Differs from upstream: a failed sync is repeated after exactly ten seconds, without jitter; a pull
//! fails at once, with the words of containerd; images have no size.

use api::Timestamp;
use api::k8s_openapi::api::core::v1::{Container, Pod};
use api::time::after_ms;

use crate::duration::parse_ms;
use crate::events::Recorder;
use crate::workload::annotation_for;

/// Upstream: `backOffPeriod`, after which a failed sync of a pod is repeated.
const SYNC_MS: i64 = 10_000;
/// Upstream: `imageBackOffPeriod`.
const BACKOFF_MS: i64 = 10_000;
/// Upstream: `MaxImageBackOff`.
const MAX_BACKOFF_MS: i64 = 300_000;

const KEY: &str = "image-pull";

/// How a pull stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Under way, for so many milliseconds in all.
    Pulling(i64),
    Failed,
    BackOff,
}

/// An image that a container waits for.
#[derive(Clone, Debug)]
pub(crate) struct Pull {
    state: State,
    /// When something happens next.
    pub(crate) at: Timestamp,
    backoff_ms: i64,
    /// Until then it is not tried again.
    not_before: Timestamp,
}

/// What is told of the pull.
fn told<'a>(pod: &'a Pod, container: &Container) -> Option<&'a str> {
    annotation_for(pod, KEY, container).filter(|it| *it == "fail" || parse_ms(it).is_some())
}

impl Pull {
    /// Begins the pull, if the image is not on the machine.
    pub(crate) fn begin(
        pod: &Pod,
        container: &Container,
        at: Timestamp,
        out: &mut Recorder<'_>,
    ) -> Option<Box<Self>> {
        told(pod, container)?;
        let mut pull = Self { state: State::Failed, at, backoff_ms: 0, not_before: Timestamp::MIN };
        pull.attempt(pod, container, at, out);
        Some(Box::new(pull))
    }

    fn attempt(&mut self, pod: &Pod, container: &Container, at: Timestamp, out: &mut Recorder<'_>) {
        let image = image_of(container);
        if at < self.not_before {
            self.state = State::BackOff;
            self.at = after_ms(at, SYNC_MS);
            out.pulling(container, false, "BackOff", format!("Back-off pulling image \"{image}\""));
            out.pulling(container, true, "Failed", "Error: ImagePullBackOff".to_owned());
            return;
        }
        out.pulling(container, false, "Pulling", format!("Pulling image \"{image}\""));
        let told = told(pod, container).unwrap_or("0s");
        if let Some(ms) = parse_ms(told) {
            self.state = State::Pulling(ms);
            self.at = after_ms(at, ms);
            return;
        }
        self.backoff_ms = (2 * self.backoff_ms).clamp(BACKOFF_MS, MAX_BACKOFF_MS);
        self.not_before = after_ms(at, self.backoff_ms);
        self.state = State::Failed;
        self.at = after_ms(at, SYNC_MS);
        let why = format!("Failed to pull image \"{image}\": {}", error_of(image));
        out.pulling(container, true, "Failed", why);
        out.pulling(container, true, "Failed", "Error: ErrImagePull".to_owned());
    }

    /// What is due now. Returns what is said when the image has come.
    pub(crate) fn step(
        &mut self,
        pod: &Pod,
        container: &Container,
        at: Timestamp,
        out: &mut Recorder<'_>,
    ) -> Option<String> {
        if let State::Pulling(ms) = self.state {
            let (image, took) = (image_of(container), seconds(ms));
            return Some(format!(
                "Successfully pulled image \"{image}\" in {took} ({took} including waiting). \
                 Image size: 0 bytes."
            ));
        }
        self.attempt(pod, container, at, out);
        None
    }

    /// Why the container waits: reason and message.
    pub(crate) fn why(&self, container: &Container) -> Option<(&'static str, String)> {
        let image = image_of(container);
        let error = error_of(image);
        match self.state {
            State::Pulling(_) => None,
            State::Failed => Some(("ErrImagePull", error)),
            State::BackOff => {
                let text = format!("Back-off pulling image \"{image}\": ErrImagePull: {error}");
                Some(("ImagePullBackOff", text))
            }
        }
    }
}

fn image_of(container: &Container) -> &str {
    container.image.as_deref().unwrap_or_default()
}

/// What containerd says of an image that is not there.
fn error_of(image: &str) -> String {
    let name = image.rsplit('/').next().unwrap_or_default();
    let tag = if name.contains(':') || image.contains('@') { "" } else { ":latest" };
    let host = match image.split_once('/') {
        None => "docker.io/library/",
        Some((first, _)) if first.contains(['.', ':']) || first == "localhost" => "",
        Some(_) => "docker.io/",
    };
    let full = format!("{host}{image}{tag}");
    format!(
        "rpc error: code = NotFound desc = failed to pull and unpack image \"{full}\": failed to \
         resolve reference \"{full}\": {full}: not found"
    )
}

/// Milliseconds below a minute as Go prints a duration: `1.5s`, `200ms`.
fn seconds(ms: i64) -> String {
    let fraction = format!("{:03}", ms % 1_000);
    let fraction = fraction.trim_end_matches('0');
    let dot = if fraction.is_empty() { "" } else { "." };
    match (ms / 60_000, ms / 1_000 % 60) {
        (0, 0) if ms > 0 => format!("{ms}ms"),
        (0, seconds) => format!("{seconds}{dot}{fraction}s"),
        (minutes, seconds) => format!("{minutes}m{seconds}{dot}{fraction}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_are_named_in_full_and_durations_as_go_has_them() {
        for (image, full) in [
            ("nginx", "docker.io/library/nginx:latest"),
            ("nginx:1.2", "docker.io/library/nginx:1.2"),
            ("me/web", "docker.io/me/web:latest"),
            ("registry.k8s.io/pause:3.10", "registry.k8s.io/pause:3.10"),
            ("localhost:5000/web", "localhost:5000/web:latest"),
        ] {
            assert!(error_of(image).ends_with(&format!(": {full}: not found")), "{image}");
        }
        for (ms, text) in
            [(0, "0s"), (200, "200ms"), (1_500, "1.5s"), (20_000, "20s"), (61_020, "1m1.02s")]
        {
            assert_eq!(seconds(ms), text);
        }
    }
}
