//! What ran when, by workload, put together from the moments of the run.

use std::collections::{BTreeMap, VecDeque};

use api::k8s_openapi::api::batch::v1::CronJob;
use api::{Kind, ObjectRef};
use view::{Lane, LaneSpan, Outcome};

use super::Frame;
use super::workload::next_runs;
use crate::moments::{Moment, MomentKind, workload_name};

/// How many runs a lane lists.
const MAX_SPANS: usize = 400;
/// How many coming runs of a CronJob are told.
const N_EXPECTED: usize = 50;

#[derive(Default)]
struct Building {
    spans: VecDeque<LaneSpan>,
    n_dropped: u64,
    /// Where the open run of an object stands, counted from the first span ever.
    open: BTreeMap<ObjectRef, u64>,
}

impl Building {
    fn begin(&mut self, object: &ObjectRef, at_ms: i64, node: String) {
        let place = self.n_dropped + crate::log::len_u64(self.spans.len());
        self.open.insert(object.clone(), place);
        self.spans.push_back(LaneSpan {
            object: object.to_view(),
            node,
            start_ms: at_ms,
            ..LaneSpan::default()
        });
        if self.spans.len() > MAX_SPANS {
            self.spans.pop_front();
            self.n_dropped += 1;
        }
    }

    fn end(&mut self, object: &ObjectRef, at_ms: i64, outcome: Outcome) {
        let Some(place) = self.open.remove(object) else { return };
        let index = place.checked_sub(self.n_dropped).and_then(|it| usize::try_from(it).ok());
        if let Some(span) = index.and_then(|it| self.spans.get_mut(it)) {
            span.end_ms = Some(at_ms);
            span.outcome = outcome;
        }
    }
}

/// The lanes up to now, in the order in which their workloads appeared, with the coming runs of
/// the CronJobs that exist.
pub(crate) fn lanes<'m>(moments: impl Iterator<Item = &'m Moment>, frame: &Frame<'_>) -> Vec<Lane> {
    let mut order: Vec<ObjectRef> = Vec::new();
    let mut lanes: BTreeMap<ObjectRef, Building> = BTreeMap::new();
    let mut nodes: BTreeMap<&ObjectRef, String> = BTreeMap::new();
    for cron_job in frame.listers.0.list(Kind::CronJob) {
        order.push(cron_job.object_ref());
    }
    for moment in moments {
        let Some(object) = &moment.object else { continue };
        let root = moment.root.as_ref().unwrap_or(object);
        let in_cron_lane = root.kind == Kind::CronJob;
        let is_span = matches!((object.kind, in_cron_lane), (Kind::Job, true) | (Kind::Pod, false));
        if moment.kind == MomentKind::Bound {
            nodes.insert(object, moment.text.trim_start_matches("on ").to_owned());
        }
        if !is_span {
            continue;
        }
        let lane = lanes.entry(root.clone()).or_insert_with(|| {
            if !order.contains(root) {
                order.push(root.clone());
            }
            Building::default()
        });
        match moment.kind {
            MomentKind::JobCreated | MomentKind::PodRunning => {
                let node = nodes.get(object).cloned().unwrap_or_default();
                lane.begin(object, moment.at_ms, node);
            }
            MomentKind::JobDone | MomentKind::PodSucceeded => {
                lane.end(object, moment.at_ms, Outcome::Succeeded);
            }
            MomentKind::JobFailed | MomentKind::PodFailed => {
                lane.end(object, moment.at_ms, Outcome::Failed);
            }
            MomentKind::JobGone | MomentKind::PodGone => {
                lane.end(object, moment.at_ms, Outcome::Deleted);
            }
            _ => {}
        }
    }
    order.into_iter().map(|root| finish(&root, lanes.remove(&root), frame)).collect()
}

fn finish(root: &ObjectRef, lane: Option<Building>, frame: &Frame<'_>) -> Lane {
    let Building { spans, n_dropped, .. } = lane.unwrap_or_default();
    let cron_job = frame.listers.by_ref::<CronJob>(root);
    Lane {
        workload: workload_name(root),
        object: root.to_view(),
        spans: spans.into(),
        n_dropped,
        expected_ms: cron_job
            .map(|it| next_runs(it, frame.start, frame.now, frame.zones, N_EXPECTED))
            .unwrap_or_default(),
    }
}
