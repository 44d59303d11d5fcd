//! Completion indexes: sets of them, which are done, which come next, and how pods carry them.
//!
//! Upstream: `pkg/controller/job/indexed_job_utils.go`, v1.36.

use api::Gather;
use api::Order;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{Container, EnvVar, EnvVarSource, ObjectFieldSelector, Pod};

use super::pod_failure_policy::{Verdict, match_pod_failure_policy};
use super::sync::{has_backoff_limit_per_index, has_tracking_finalizer, is_pod_failed};

/// Annotation and label of pods.
pub(super) const COMPLETION_INDEX: &str = "batch.kubernetes.io/job-completion-index";
const INDEX_FAILURE_COUNT: &str = "batch.kubernetes.io/job-index-failure-count";
const INDEX_IGNORED_FAILURE_COUNT: &str = "batch.kubernetes.io/job-index-ignored-failure-count";
const COMPLETION_INDEX_ENV: &str = "JOB_COMPLETION_INDEX";

/// The longest prefix to which the API server adds its five characters.
const MAX_GENERATED_NAME: usize = 58;

/// A set of indexes as intervals in order, ends included, that do not touch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct OrderedIntervals(Vec<(i32, i32)>);

impl OrderedIntervals {
    /// Reads `1,3-5,7`; what cannot be read or lies beyond the completions is left out.
    pub(super) fn parse(text: &str, completions: i32) -> Self {
        let mut result = Self::default();
        for part in text.split(',').filter(|it| !it.is_empty()) {
            let (first, last) = part.split_once('-').unwrap_or((part, part));
            let (Ok(first), Ok(last)) = (first.parse::<i32>(), last.parse::<i32>()) else {
                continue;
            };
            if first >= completions {
                break;
            }
            result.push(first, last.min(completions - 1));
        }
        result
    }

    /// Appends an interval that begins at or after the beginning of the last.
    fn push(&mut self, first: i32, last: i32) {
        match self.0.last_mut() {
            Some((_, end)) if first <= *end + 1 => *end = (*end).max(last),
            _ => self.0.push((first, last)),
        }
    }

    /// The union.
    pub(super) fn merge(&self, other: &Self) -> Self {
        let mut all: Vec<(i32, i32)> = self.0.iter().chain(&other.0).copied().collect();
        all.order();
        let mut result = Self::default();
        for (first, last) in all {
            result.push(first, last);
        }
        result
    }

    /// The union with single indexes.
    pub(super) fn with(&self, indexes: &BTreeSet<i32>) -> Self {
        self.merge(&Self(indexes.iter().map(|it| (*it, *it)).collect()))
    }

    /// How many indexes are in it.
    pub(super) fn total(&self) -> i32 {
        self.0.iter().map(|(first, last)| last - first + 1).sum()
    }

    /// Whether an index is in it.
    pub(super) fn has(&self, index: i32) -> bool {
        let at = self.0.partition_point(|(_, last)| *last < index);
        self.0.get(at).is_some_and(|(first, _)| *first <= index)
    }

    /// How many indexes are in both.
    pub(super) fn overlap(&self, other: &Self) -> i32 {
        let (mut a, mut b, mut total) = (self.0.as_slice(), other.0.as_slice(), 0);
        while let ([(a_first, a_last), ..], [(b_first, b_last), ..]) = (a, b) {
            total += (a_last.min(b_last) - a_first.max(b_first) + 1).max(0);
            if a_last <= b_last {
                a = &a[1..];
            } else {
                b = &b[1..];
            }
        }
        total
    }

    /// The first so many indexes below `completions` that are not in it.
    fn gaps(&self, count: usize, completions: i32) -> Vec<i32> {
        let mut result = vec![];
        let mut candidate = 0;
        for (first, last) in &self.0 {
            let free = candidate..(*first).min(completions);
            result.extend(free.take(count - result.len()));
            candidate = candidate.max(last + 1);
        }
        result.extend((candidate..completions).take(count - result.len()));
        result
    }
}

impl std::fmt::Display for OrderedIntervals {
    /// Two neighbours are `0,1`, three are `0-2`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (at, (first, last)) in self.0.iter().enumerate() {
            let comma = if at > 0 { "," } else { "" };
            match last - first {
                0 => write!(f, "{comma}{first}")?,
                1 => write!(f, "{comma}{first},{last}")?,
                _ => write!(f, "{comma}{first}-{last}")?,
            }
        }
        Ok(())
    }
}

/// The index that a pod carries.
pub(super) fn completion_index(pod: &Pod) -> Option<i32> {
    let value = pod.metadata.annotations.as_ref()?.get(COMPLETION_INDEX)?;
    value.parse().ok().filter(|it| *it >= 0)
}

/// The index that a pod carries, if the Job still has it.
pub(super) fn valid_index(pod: &Pod, job: &Job) -> Option<i32> {
    completion_index(pod).filter(|it| *it < completions(job))
}

/// `spec.completions`, which Indexed Jobs always have.
pub(super) fn completions(job: &Job) -> i32 {
    job.spec.as_ref().and_then(|it| it.completions).unwrap_or_default()
}

/// The indexes that succeeded according to the status, and with what the pods say.
pub(super) fn succeeded_indexes(
    job: &Job,
    pods: &[Arc<Pod>],
) -> (OrderedIntervals, OrderedIntervals) {
    let text = job.status.as_ref().and_then(|it| it.completed_indexes.as_deref());
    let previous = OrderedIntervals::parse(text.unwrap_or_default(), completions(job));
    let succeeded =
        pods.iter().filter(|it| api::pods::phase(it) == "Succeeded" && has_tracking_finalizer(it));
    let new = succeeded.filter_map(|it| valid_index(it, job)).to_set();
    let all = previous.with(&new);
    (previous, all)
}

/// The indexes that failed for good.
pub(super) fn failed_indexes(job: &Job, pods: &[Arc<Pod>]) -> OrderedIntervals {
    let text = job.status.as_ref().and_then(|it| it.failed_indexes.as_deref());
    let previous = OrderedIntervals::parse(text.unwrap_or_default(), completions(job));
    let failed = pods.iter().filter(|it| has_tracking_finalizer(it) && is_index_failed(job, it));
    previous.with(&failed.filter_map(|it| valid_index(it, job)).to_set())
}

fn is_index_failed(job: &Job, pod: &Pod) -> bool {
    let Some(spec) = job.spec.as_ref().filter(|_| is_pod_failed(pod, job)) else { return false };
    match match_pod_failure_policy(spec.pod_failure_policy.as_ref(), pod) {
        Verdict::FailIndex => true,
        Verdict::Ignore => false,
        _ => {
            count_annotation(pod, INDEX_FAILURE_COUNT)
                >= spec.backoff_limit_per_index.unwrap_or(i32::MAX)
        }
    }
}

/// The first indexes that need a pod. Pods in `busy` hold their index.
pub(super) fn first_pending_indexes(
    job: &Job,
    count: usize,
    busy: &BTreeSet<i32>,
    succeeded: &OrderedIntervals,
    failed: Option<&OrderedIntervals>,
) -> Vec<i32> {
    let mut taken = succeeded.with(busy);
    if let Some(failed) = failed {
        taken = taken.merge(failed);
    }
    taken.gaps(count, completions(job))
}

/// The indexes of pods.
pub(super) fn indexes_of<'a>(pods: impl IntoIterator<Item = &'a Arc<Pod>>) -> BTreeSet<i32> {
    pods.into_iter().filter_map(|it| completion_index(it)).to_set()
}

/// Of Jobs with a back-off limit per index: the last failed pod of each index that will get
/// another one. Its finalizer stays until then, since it carries the count of failures.
pub(super) fn pods_with_delayed_deletion(
    job: &Job,
    pods: &[Arc<Pod>],
    active: &BTreeSet<i32>,
    succeeded: &OrderedIntervals,
    failed: &OrderedIntervals,
) -> BTreeMap<i32, Arc<Pod>> {
    let mut result: BTreeMap<i32, Arc<Pod>> = BTreeMap::new();
    for pod in pods.iter().filter(|it| has_tracking_finalizer(it) && is_pod_failed(it, job)) {
        let Some(index) = valid_index(pod, job) else { continue };
        if succeeded.has(index) || failed.has(index) || active.contains(&index) {
            continue;
        }
        let rank = |pod: &Pod| {
            (index_absolute_failure_count(pod), super::backoff_utils::finished_time(pod))
        };
        let (count, time) = rank(pod);
        let last = result.get(&index).map(|it| rank(it));
        if last.is_none_or(|(last, at)| last <= count && at <= time) {
            result.insert(index, pod.clone());
        }
    }
    result
}

fn count_annotation(pod: &Pod, key: &str) -> i32 {
    let value = pod.metadata.annotations.as_ref().and_then(|it| it.get(key));
    value.and_then(|it| it.parse().ok()).filter(|it| *it >= 0).unwrap_or(0)
}

/// All failures of a pod's index before it, those that were ignored included.
pub(super) fn index_absolute_failure_count(pod: &Pod) -> i32 {
    count_annotation(pod, INDEX_FAILURE_COUNT)
        .saturating_add(count_annotation(pod, INDEX_IGNORED_FAILURE_COUNT))
}

/// The prefix of the name of a pod with an index.
pub(super) fn pod_generate_name(job_name: &str, index: i32) -> String {
    let suffix = format!("-{index}-");
    let room = MAX_GENERATED_NAME.saturating_sub(suffix.len());
    let name = if job_name.len() > room { job_name.get(..room) } else { Some(job_name) };
    format!("{}{suffix}", name.unwrap_or(job_name))
}

/// Gives every container the variable that tells it its index.
pub(super) fn add_completion_index_env(pod: &mut Pod) {
    let Some(spec) = &mut pod.spec else { return };
    let init_containers = spec.init_containers.iter_mut().flatten();
    for container in init_containers.chain(&mut spec.containers) {
        add_env(container);
    }
}

fn add_env(container: &mut Container) {
    let env = container.env.get_or_insert_default();
    if env.iter().any(|it| it.name == COMPLETION_INDEX_ENV) {
        return;
    }
    let field_path = format!("metadata.labels['{COMPLETION_INDEX}']");
    let field_ref = ObjectFieldSelector { field_path, ..ObjectFieldSelector::default() };
    env.push(EnvVar {
        name: COMPLETION_INDEX_ENV.to_owned(),
        value: None,
        value_from: Some(EnvVarSource { field_ref: Some(field_ref), ..EnvVarSource::default() }),
    });
}

/// Makes a pod the one of an index.
pub(super) fn set_index(pod: &mut Pod, job: &Job, index: i32, replaced: Option<&Pod>) {
    let meta = &mut pod.metadata;
    let annotations = meta.annotations.get_or_insert_default();
    annotations.insert(COMPLETION_INDEX.to_owned(), index.to_string());
    if has_backoff_limit_per_index(job) {
        let (failures, ignored) = new_failure_counts(job, replaced);
        annotations.insert(INDEX_FAILURE_COUNT.to_owned(), failures.to_string());
        if ignored > 0 {
            annotations.insert(INDEX_IGNORED_FAILURE_COUNT.to_owned(), ignored.to_string());
        }
    }
    let labels = meta.labels.get_or_insert_default();
    labels.insert(COMPLETION_INDEX.to_owned(), index.to_string());
    let job_name = job.metadata.name.as_deref().unwrap_or_default();
    meta.generate_name = Some(pod_generate_name(job_name, index));
    if let Some(spec) = &mut pod.spec {
        spec.hostname = Some(format!("{job_name}-{index}"));
    }
}

fn new_failure_counts(job: &Job, replaced: Option<&Pod>) -> (i32, i32) {
    let Some(pod) = replaced else { return (0, 0) };
    let policy = job.spec.as_ref().and_then(|it| it.pod_failure_policy.as_ref());
    let ignore = i32::from(match_pod_failure_policy(policy, pod) == Verdict::Ignore);
    (
        count_annotation(pod, INDEX_FAILURE_COUNT) + 1 - ignore,
        count_annotation(pod, INDEX_IGNORED_FAILURE_COUNT) + ignore,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_print_and_read_as_upstream_does() {
        let check = |text: &str, completions: i32, expected: &str| {
            assert_eq!(OrderedIntervals::parse(text, completions).to_string(), expected, "{text}");
        };
        check("", 10, "");
        check("0,1", 10, "0,1");
        check("0,1,2", 10, "0-2");
        check("1,3-5,7", 10, "1,3-5,7");
        check("1,3-9", 5, "1,3,4");
        check("1,x,3", 10, "1,3");
    }

    #[test]
    fn pending_indexes_are_the_gaps() {
        let taken = OrderedIntervals::parse("0,2-3,7", 10);
        assert_eq!(taken.gaps(3, 10), [1, 4, 5]);
        assert_eq!(taken.gaps(10, 10), [1, 4, 5, 6, 8, 9]);
        assert_eq!(taken.gaps(10, 6), [1, 4, 5]);
    }

    #[test]
    fn an_overlap_counts_common_indexes() {
        let a = OrderedIntervals::parse("0-4,8", 20);
        let b = OrderedIntervals::parse("3-9", 20);
        assert_eq!((a.overlap(&b), b.overlap(&a)), (3, 3));
    }

    #[test]
    fn long_job_names_are_cut_before_the_index() {
        let name = "x".repeat(63);
        assert_eq!(pod_generate_name(&name, 12).len(), MAX_GENERATED_NAME);
        assert_eq!(pod_generate_name("sum", 3), "sum-3-");
    }
}
