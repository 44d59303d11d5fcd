//! What ran when, by workload, put together from the moments of the run.

use std::collections::BTreeMap;

use api::k8s_openapi::api::batch::v1::CronJob;
use api::{Kind, ObjectRef};
use view::{Lane, LaneSpan, Outcome};

use super::Frame;
use super::workload::next_runs;
use crate::moments::{Moment, MomentKind, workload_name};

/// How many runs all lanes list together, and how many each of them at least and at most.
const MAX_SPANS: usize = 20_000;
const LEAST_SPANS: usize = 100;
const MOST_SPANS: usize = 2_500;
/// How many coming runs of a CronJob are told.
const N_EXPECTED: usize = 50;

#[derive(Default)]
struct Building {
    spans: Vec<LaneSpan>,
    /// Where the open run of an object stands.
    open: BTreeMap<ObjectRef, usize>,
}

impl Building {
    fn begin(&mut self, object: &ObjectRef, at_ms: i64, node: String) {
        self.open.insert(object.clone(), self.spans.len());
        self.spans.push(LaneSpan {
            object: object.to_view(),
            node,
            start_ms: at_ms,
            ..LaneSpan::default()
        });
    }

    fn end(&mut self, object: &ObjectRef, at_ms: i64, outcome: Outcome) {
        let place = self.open.remove(object);
        if let Some(span) = place.and_then(|it| self.spans.get_mut(it)) {
            span.end_ms = Some(at_ms);
            span.outcome = outcome;
        }
    }
}

/// The lanes up to now, in the order in which their workloads appeared, with the coming runs of
/// the CronJobs that exist. Before `known_from_ms` moments are no longer known.
pub(crate) fn lanes<'m>(
    moments: impl Iterator<Item = &'m Moment>,
    known_from_ms: Option<i64>,
    frame: &Frame<'_>,
) -> Vec<Lane> {
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
        let outcome = match moment.kind {
            MomentKind::JobCreated | MomentKind::PodRunning => Outcome::Running,
            MomentKind::JobDone | MomentKind::PodSucceeded => Outcome::Succeeded,
            MomentKind::JobFailed | MomentKind::PodFailed => Outcome::Failed,
            MomentKind::JobGone | MomentKind::PodGone => Outcome::Deleted,
            _ => continue,
        };
        if outcome != Outcome::Running {
            // What never began here has no lane: a pod that outlives its job has another root.
            if let Some(lane) = lanes.get_mut(root) {
                lane.end(object, moment.at_ms, outcome);
            }
            continue;
        }
        let lane = lanes.entry(root.clone()).or_insert_with(|| {
            if root.kind != Kind::CronJob || !order.contains(root) {
                order.push(root.clone());
            }
            Building::default()
        });
        let node = nodes.get(object).cloned().unwrap_or_default();
        lane.begin(object, moment.at_ms, node);
    }
    let room = (MAX_SPANS / order.len().max(1)).clamp(LEAST_SPANS, MOST_SPANS);
    let finished = order.into_iter().map(|root| {
        let spans = lanes.remove(&root).map(|it| it.spans).unwrap_or_default();
        finish(&root, spans, room, known_from_ms, frame)
    });
    finished.collect()
}

/// A lane with its newest runs, as many as there is room for.
fn finish(
    root: &ObjectRef,
    mut spans: Vec<LaneSpan>,
    room: usize,
    known_from_ms: Option<i64>,
    frame: &Frame<'_>,
) -> Lane {
    let cron_job = frame.listers.by_ref::<CronJob>(root);
    let n_dropped = spans.len().saturating_sub(room);
    let first_dropped = spans.drain(..n_dropped).next().map(|it| it.start_ms);
    let created = frame.listers.object(root).map(|it| super::created_ms(frame.start, it).max(0));
    let forgotten = created.filter(|it| known_from_ms.is_some_and(|from| *it < from));
    Lane {
        workload: workload_name(root),
        object: root.to_view(),
        spans,
        n_dropped: crate::log::len_u64(n_dropped),
        dropped_from_ms: forgotten.or(first_dropped),
        expected_ms: cron_job
            .map(|it| next_runs(it, frame.start, frame.now, frame.zones, N_EXPECTED))
            .unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use api::k8s_openapi::api::batch::v1::CronJob;
    use api::k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
    use api::{Kind, Listers, ObjectRef, Objects, Resource, Timestamp, Zones, time};

    use super::{Frame, MOST_SPANS, Moment, MomentKind, lanes};

    /// Runs of one cron job, a minute apart.
    fn moments(n: i64) -> Vec<Moment> {
        let moment = |run: i64| Moment {
            at_ms: run * 60_000,
            kind: MomentKind::JobCreated,
            object: Some(ObjectRef::new(Kind::Job, "default", &format!("c-{run}"))),
            root: Some(ObjectRef::new(Kind::CronJob, "default", "c")),
            text: "started".into(),
        };
        (0..n).map(moment).collect()
    }

    #[test]
    fn a_lane_says_from_when_to_when_its_runs_are_not_listed() {
        let start = Timestamp::from_second(1_000_000_000).unwrap();
        let zones = Zones::default();
        let mut objects = Objects::default();
        let metadata = ObjectMeta {
            name: Some("c".to_owned()),
            namespace: Some("default".to_owned()),
            creation_timestamp: Some(time::meta_time(time::after_ms(start, 7_000))),
            ..ObjectMeta::default()
        };
        objects.put(CronJob { metadata, ..CronJob::default() }.into_object());
        let frame = Frame { start, now: start, zones: &zones, listers: Listers(&objects) };
        let most = i64::try_from(MOST_SPANS).unwrap();
        for (n, known_from_ms, n_listed, n_dropped, from) in [
            (3, None, 3, 0, None),
            (most, None, MOST_SPANS, 0, None),
            (most + 100, None, MOST_SPANS, 100, Some(0)),
            // The log of moments begins later than the cron job, or not.
            (3, Some(60_000), 3, 0, Some(7_000)),
            (3, Some(7_000), 3, 0, None),
        ] {
            let moments = moments(n);
            let lanes = lanes(moments.iter(), known_from_ms, &frame);
            let lane = lanes.first().unwrap();
            let found = (lane.spans.len(), lane.n_dropped, lane.dropped_from_ms);
            assert_eq!(
                found,
                (n_listed, n_dropped, from),
                "{n} runs, known from {known_from_ms:?}"
            );
            let last = lane.spans.last().unwrap();
            assert_eq!(last.object.name, format!("c-{}", n - 1));
        }
    }

    #[test]
    fn what_ends_without_having_begun_has_no_lane() {
        let start = Timestamp::from_second(1_000_000_000).unwrap();
        let (zones, objects) = (Zones::default(), Objects::default());
        let frame = Frame { start, now: start, zones: &zones, listers: Listers(&objects) };
        let moment = |kind, at_ms| Moment {
            at_ms,
            kind,
            object: Some(ObjectRef::new(Kind::Pod, "default", "p")),
            root: None,
            text: "".into(),
        };
        let gone = [moment(MomentKind::PodGone, 9)];
        let ran = [moment(MomentKind::PodRunning, 1), moment(MomentKind::PodGone, 9)];
        assert!(lanes(gone.iter(), None, &frame).is_empty());
        let lanes = lanes(ran.iter(), None, &frame);
        let spans: Vec<_> = lanes.iter().flat_map(|it| &it.spans).collect();
        assert_eq!(spans.len(), 1);
        assert_eq!((spans[0].start_ms, spans[0].end_ms), (1, Some(9)));
    }
}
