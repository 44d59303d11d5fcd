//! What no write may do, whatever was written before.

use std::collections::{BTreeMap, BTreeSet};

use api::k8s_openapi::api::batch::v1::Job;
use api::k8s_openapi::api::core::v1::Pod;
use api::{Change, Object, Resource, pods};

/// What was seen of the run before.
#[derive(Default)]
pub(crate) struct Seen {
    version: u64,
    pods: BTreeMap<String, (Option<String>, String)>,
    jobs: BTreeMap<String, (i32, i32, BTreeSet<i64>)>,
    /// Active pods of each Job.
    active: BTreeMap<String, BTreeSet<String>>,
    parallelism: BTreeMap<String, i32>,
}

impl Seen {
    pub(crate) fn look(&mut self, change: &Change) {
        if let Some(new) = &change.new {
            let version: u64 = new.meta().resource_version.as_deref().unwrap().parse().unwrap();
            assert!(
                version > self.version,
                "{}: {version} after {}",
                new.object_ref(),
                self.version
            );
            self.version = version;
        }
        match (&change.old, &change.new) {
            (old, Some(Object::Pod(pod))) => self.pod(old.is_none(), pod),
            (Some(Object::Pod(pod)), None) => self.inactive(pod),
            (_, Some(Object::Job(job))) => self.job(job),
            _ => {}
        }
    }

    fn inactive(&mut self, pod: &Pod) {
        for active in self.active.values_mut() {
            active.remove(pod.uid());
        }
    }

    fn pod(&mut self, is_new: bool, pod: &Pod) {
        let node = pods::node_name(pod).map(str::to_owned);
        let phase = pods::phase(pod).to_owned();
        if let Some((bound, before)) = self.pods.get(pod.uid()) {
            assert!(bound.is_none() || *bound == node, "{}: bound again", pod.object_ref());
            let ended = matches!(before.as_str(), "Succeeded" | "Failed");
            assert!(!ended || *before == phase, "{}: {phase} after its end", pod.object_ref());
        }
        self.pods.insert(pod.uid().to_owned(), (node, phase));
        if pods::is_terminal(pod) || pods::is_terminating(pod) {
            return self.inactive(pod);
        }
        let owner = pod.metadata.owner_references.iter().flatten().find(|it| it.kind == "Job");
        if let (true, Some(owner)) = (is_new, owner) {
            let active = self.active.entry(owner.uid.clone()).or_default();
            active.insert(pod.uid().to_owned());
            let most = self.parallelism.get(&owner.uid).copied().unwrap_or(1);
            let n = i32::try_from(active.len()).unwrap();
            assert!(n <= most, "{}: number {n} of {most} at a time", pod.object_ref());
        }
    }

    pub(crate) fn job(&mut self, job: &Job) {
        let status = job.status.clone().unwrap_or_default();
        let indexes = indexes(status.completed_indexes.as_deref().unwrap_or_default());
        let now = (status.succeeded.unwrap_or(0), status.failed.unwrap_or(0), indexes);
        let key = job.object_ref();
        if let Some(before) = self.jobs.get(job.uid()) {
            assert!(before.0 <= now.0 && before.1 <= now.1, "{key}: {before:?}, then {now:?}");
            assert!(before.2.is_subset(&now.2), "{key}: {before:?}, then {now:?}");
        }
        if job.spec.as_ref().and_then(|it| it.completion_mode.as_deref()) == Some("Indexed") {
            assert_eq!(usize::try_from(now.0).unwrap(), now.2.len(), "{key}: one pod an index");
        }
        let parallelism = job.spec.as_ref().and_then(|it| it.parallelism);
        self.parallelism.insert(job.uid().to_owned(), parallelism.unwrap_or(1));
        self.jobs.insert(job.uid().to_owned(), now);
    }
}

/// The numbers in a text such as `0,2-4`, each once and in order.
fn indexes(text: &str) -> BTreeSet<i64> {
    let mut all = BTreeSet::new();
    for part in text.split(',').filter(|it| !it.is_empty()) {
        let (from, to) = part.split_once('-').unwrap_or((part, part));
        let (from, to): (i64, i64) = (from.parse().unwrap(), to.parse().unwrap());
        for index in from..=to {
            assert!(all.last().is_none_or(|it| *it < index), "{text}");
            all.insert(index);
        }
    }
    all
}
