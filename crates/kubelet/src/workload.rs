//! How long a container runs and how it ends: no container really runs.
//!
//! Upstream has no counterpart. The order of sources is: our own annotations, KWOK's, the command
//! itself where it can be read, and an assumption that is named as one.

use api::k8s_openapi::api::core::v1::{Container, Pod};
use api::{Ending, Settings};

use crate::command;
use crate::duration::{Range, parse_ms};

/// The prefix of all annotations that tell the simulation something.
pub const PREFIX: &str = "sim.orrery.dev/";
const KWOK_DELAY: &str = "pod-complete.stage.kwok.x-k8s.io/delay";
const KWOK_JITTER: &str = "pod-complete.stage.kwok.x-k8s.io/jitter-delay";

/// A command that ends at once is given this long, so that a watcher sees it running.
const INSTANT_MS: i64 = 100;
/// How long an init container runs that does not say so.
const INIT_MS: i64 = 1_000;

/// Where a [`Workload`] comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Source {
    /// A `sim.orrery.dev/` annotation.
    Annotation,
    /// A KWOK annotation.
    Kwok,
    /// `command` and `args`.
    Command,
    /// Nothing said so: the page tells that it was assumed.
    Assumed,
}

/// One run of one container.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Workload {
    /// Milliseconds from start to end; `None` for ever.
    pub duration_ms: Option<i64>,
    /// The code with which it ends.
    pub exit_code: i32,
    /// Who says so.
    pub source: Source,
}

/// The annotation `sim.orrery.dev/<key>.<container>`, or else `sim.orrery.dev/<key>`.
#[must_use]
pub fn annotation<'a>(pod: &'a Pod, key: &str, container: &str) -> Option<&'a str> {
    let annotations = pod.metadata.annotations.as_ref()?;
    let own = annotations.get(&format!("{PREFIX}{key}.{container}"));
    own.or_else(|| annotations.get(&format!("{PREFIX}{key}"))).map(|it| it.trim())
}

/// As [`annotation`], but an init container (also a sidecar) is only meant where it is named.
#[must_use]
pub fn annotation_for<'a>(pod: &'a Pod, key: &str, container: &Container) -> Option<&'a str> {
    if is_init(pod, &container.name) {
        let annotations = pod.metadata.annotations.as_ref()?;
        return annotations.get(&format!("{PREFIX}{key}.{}", container.name)).map(|it| it.trim());
    }
    annotation(pod, key, &container.name)
}

/// A duration from an annotation, drawn if it is a range.
#[must_use]
pub fn delay_ms(pod: &Pod, key: &str, container: &str, attempt: u32, seed: u64) -> Option<i64> {
    let range = Range::parse(annotation(pod, key, container)?)?;
    Some(draw(range, pod, container, attempt, seed, key))
}

fn draw(range: Range, pod: &Pod, container: &str, attempt: u32, seed: u64, key: &str) -> i64 {
    let namespace = pod.metadata.namespace.as_deref().unwrap_or_default();
    let name = pod.metadata.name.as_deref().unwrap_or_default();
    range.draw(seed, &[key, namespace, name, container, &attempt.to_string()])
}

fn is_init(pod: &Pod, container: &str) -> bool {
    let init = pod.spec.as_ref().and_then(|it| it.init_containers.as_ref());
    init.into_iter().flatten().any(|it| it.name == container)
}

/// What run number `attempt` (0 is the first) of a container does. `container` is one of the
/// pod's containers or init containers.
#[must_use]
pub fn workload_of(
    pod: &Pod,
    container: &Container,
    attempt: u32,
    seed: u64,
    settings: &Settings,
) -> Workload {
    if let Some(ending) = settings.ending {
        return forced(pod, ending);
    }
    let duration = annotation_for(pod, "duration", container).and_then(|text| match text {
        "" => None,
        "infinity" | "forever" => Some(None),
        text => Range::parse(text)
            .map(|range| Some(draw(range, pod, &container.name, attempt, seed, "duration"))),
    });
    let exit_code =
        annotation_for(pod, "exit-code", container).and_then(|it| exit_code(it, attempt));
    let (duration_ms, code, source) = match duration {
        Some(duration_ms) => (duration_ms, 0, Source::Annotation),
        None => untold(pod, container, attempt, seed, settings),
    };
    let exit_code = exit_code.unwrap_or(code);
    Workload { duration_ms, exit_code, source }
}

/// Where the run says how all containers end.
fn forced(pod: &Pod, ending: Ending) -> Workload {
    let owners = pod.metadata.owner_references.iter().flatten();
    let (duration_ms, exit_code) = match ending {
        Ending::JobsAtOnce(code) if owners.into_iter().any(|it| it.kind == "Job") => {
            (Some(INSTANT_MS), code)
        }
        Ending::JobsAtOnce(_) | Ending::Never => (None, 0),
    };
    Workload { duration_ms, exit_code, source: Source::Assumed }
}

/// A container without our own duration.
fn untold(
    pod: &Pod,
    container: &Container,
    attempt: u32,
    seed: u64,
    settings: &Settings,
) -> (Option<i64>, i32, Source) {
    let init = is_init(pod, &container.name);
    if let Some(ms) = kwok(pod, container, attempt, seed).filter(|_| !init) {
        return (Some(ms), 0, Source::Kwok);
    }
    let words: Vec<&str> = container
        .command
        .iter()
        .flatten()
        .chain(container.args.iter().flatten())
        .map(String::as_str)
        .collect();
    if let Some(reading) = command::read(&words) {
        let ms = reading.duration_ms.map(|it| it.max(INSTANT_MS));
        return (ms, reading.exit_code, Source::Command);
    }
    let ms = match restart_policy(pod, container) {
        _ if init && container.restart_policy.is_none() => Some(INIT_MS),
        "Always" => None,
        _ => Some(settings.default_duration_ms),
    };
    (ms, 0, Source::Assumed)
}

/// KWOK draws between the two where the jitter is the greater one, and else takes the jitter.
fn kwok(pod: &Pod, container: &Container, attempt: u32, seed: u64) -> Option<i64> {
    let annotations = pod.metadata.annotations.as_ref()?;
    let read = |key: &str| annotations.get(key).and_then(|it| parse_ms(it));
    let delay = read(KWOK_DELAY);
    match (delay, read(KWOK_JITTER)) {
        (None, None) => None,
        (Some(delay), None) => Some(delay),
        (delay, Some(jitter)) => {
            let low = delay.unwrap_or(0).min(jitter);
            let range =
                Range { low: if jitter < delay.unwrap_or(0) { jitter } else { low }, high: jitter };
            Some(draw(range, pod, &container.name, attempt, seed, "kwok"))
        }
    }
}

/// `1,1,0`: by attempt, the last one repeated.
fn exit_code(text: &str, attempt: u32) -> Option<i32> {
    let codes: Vec<&str> = text.split(',').map(str::trim).collect();
    let at = usize::try_from(attempt).unwrap_or(usize::MAX).min(codes.len() - 1);
    codes.get(at)?.parse().ok()
}

/// The container's own restart policy where it has one, else the pod's.
#[must_use]
pub fn restart_policy<'a>(pod: &'a Pod, container: &'a Container) -> &'a str {
    let own = container.restart_policy.as_deref();
    let pods = pod.spec.as_ref().and_then(|it| it.restart_policy.as_deref());
    own.or(pods).unwrap_or("Always")
}

#[cfg(test)]
mod tests {
    use super::*;
    use api::k8s_openapi::api::core::v1::PodSpec;

    fn pod(policy: &str, annotations: &[(&str, &str)], command: &[&str]) -> Pod {
        let container = Container {
            name: "c".into(),
            command: Some(command.iter().map(|it| (*it).to_owned()).collect()),
            ..Container::default()
        };
        let init = Container { name: "i".into(), ..Container::default() };
        let mut pod = Pod::default();
        pod.metadata.name = Some("p".into());
        pod.metadata.annotations =
            Some(annotations.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect());
        pod.spec = Some(PodSpec {
            restart_policy: Some(policy.into()),
            containers: vec![container],
            init_containers: Some(vec![init]),
            ..PodSpec::default()
        });
        pod
    }

    fn check(pod: &Pod, attempt: u32, expected: (Option<i64>, i32, Source)) {
        let container = &pod.spec.as_ref().unwrap().containers[0];
        let it = workload_of(pod, container, attempt, 1, &Settings::default());
        assert_eq!((it.duration_ms, it.exit_code, it.source), expected);
    }

    #[test]
    fn sources_are_asked_in_their_order() {
        let ours = ("sim.orrery.dev/duration", "30s");
        let named = ("sim.orrery.dev/duration.c", "7s");
        let kwok = (KWOK_DELAY, "5s");
        let sleep = ["sleep", "3"];
        check(&pod("Never", &[ours, named, kwok], &sleep), 0, (Some(7_000), 0, Source::Annotation));
        check(&pod("Never", &[ours, kwok], &sleep), 0, (Some(30_000), 0, Source::Annotation));
        check(&pod("Never", &[kwok], &sleep), 0, (Some(5_000), 0, Source::Kwok));
        check(&pod("Never", &[], &sleep), 0, (Some(3_000), 0, Source::Command));
        check(&pod("Never", &[], &["true"]), 0, (Some(100), 0, Source::Command));
        check(&pod("OnFailure", &[], &["nginx"]), 0, (Some(10_000), 0, Source::Assumed));
        check(&pod("Always", &[], &["nginx"]), 0, (None, 0, Source::Assumed));
    }

    #[test]
    fn exit_codes_go_by_attempt_and_the_last_one_repeats() {
        let pod = pod("OnFailure", &[("sim.orrery.dev/exit-code", "1, 2,0")], &["sleep", "3"]);
        for (attempt, code) in [(0, 1), (1, 2), (2, 0), (9, 0)] {
            check(&pod, attempt, (Some(3_000), code, Source::Command));
        }
    }

    #[test]
    fn an_init_container_is_only_meant_by_its_name() {
        let mut pod = pod("Always", &[("sim.orrery.dev/duration", "30s")], &[]);
        let of = |pod: &Pod| {
            let init = pod.spec.as_ref().unwrap().init_containers.as_ref().unwrap()[0].clone();
            workload_of(pod, &init, 0, 1, &Settings::default()).duration_ms
        };
        assert_eq!(of(&pod), Some(1_000));
        let annotations = pod.metadata.annotations.as_mut().unwrap();
        annotations.insert("sim.orrery.dev/duration.i".into(), "4s".into());
        assert_eq!(of(&pod), Some(4_000));
    }

    #[test]
    fn kwok_draws_between_delay_and_jitter() {
        let pod = pod("Never", &[(KWOK_DELAY, "5s"), (KWOK_JITTER, "9s")], &[]);
        let container = &pod.spec.as_ref().unwrap().containers[0];
        let drawn: Vec<i64> = (0..40)
            .filter_map(|seed| {
                workload_of(&pod, container, 0, seed, &Settings::default()).duration_ms
            })
            .collect();
        assert!(drawn.iter().all(|it| (5_000..=9_000).contains(it)));
        assert!(drawn.iter().min() != drawn.iter().max());
    }
}
