//! What is shown of a run.

use api::{Kind, Object, ObjectRef, Timestamp};
use view::{Delta, Lane, Mark, ObjectName, RunState};

use super::Simulation;
use crate::export::{Export, export};
use crate::history::Record;
use crate::picture::{self, Frame};

/// The most marks that are handed out.
const MAX_MARKS: usize = 20_000;

impl Simulation {
    /// Where the run stands.
    #[must_use]
    pub fn state(&self) -> RunState {
        let world = &self.world;
        let mut notices: Vec<_> = self.stopped().into_iter().cloned().collect();
        notices.extend(self.script.notices.iter().cloned());
        notices.extend(world.notices.iter().cloned());
        RunState {
            now_ms: self.now_ms(),
            start_unix_ms: self.run.start.as_millisecond(),
            horizon_ms: self.horizon.ms.max(self.now_ms()),
            next_ms: self.next_ms(),
            n_events: world.n_events,
            seed: self.run.seed,
            hash: world.hash.to_string(),
            revision: self.logs.touched.end(),
            epoch: self.epoch,
            title: self.script.title.clone(),
            notices,
        }
    }

    fn frame(&self) -> Frame<'_> {
        Frame {
            start: self.run.start,
            now: self.world.now,
            zones: &self.run.zones,
            listers: self.world.listers(),
        }
    }

    /// What changed since a revision; everything for revision 0 or one that is too old.
    #[must_use]
    pub fn delta(&self, since: u64) -> Delta {
        let touched = &self.logs.touched;
        let end = touched.end();
        if since == 0 || since < touched.n_dropped() || since > end {
            return picture::full(&self.frame(), end);
        }
        picture::since(&self.frame(), touched.between(since, end), end)
    }

    /// The marks of the time line up to the horizon, the newest if there are very many.
    #[must_use]
    pub fn marks(&self) -> Vec<Mark> {
        let moments = self.logs.moments.until(u64::MAX).rev();
        let marks = moments.filter_map(|moment| {
            let kind = moment.kind.mark()?;
            let object = moment.object.as_ref().map(ObjectRef::to_view).unwrap_or_default();
            Some(Mark { at_ms: moment.at_ms, kind, object, text: moment.text.to_string() })
        });
        let mut marks: Vec<_> = marks.take(MAX_MARKS).collect();
        marks.reverse();
        marks
    }

    /// What ran when, by workload, up to now.
    #[must_use]
    pub fn lanes(&self) -> Vec<Lane> {
        let moments = &self.logs.moments;
        let first = moments.until(u64::MAX).next().filter(|_| moments.n_dropped() > 0);
        let known_from_ms = first.map(|it| it.at_ms);
        picture::lanes(moments.until(self.world.n_moments), known_from_ms, &self.frame())
    }

    /// The lines of history that are kept, up to now, and how many older ones are not.
    pub fn history(&self) -> (u64, impl DoubleEndedIterator<Item = &Record>) {
        let log = &self.logs.history;
        (log.n_dropped(), log.until(self.world.n_records))
    }

    /// The newest lines of the history up to now, oldest first; where older ones are no longer
    /// kept, the first line says how many.
    #[must_use]
    pub fn history_text(&self, max_lines: usize) -> String {
        let (n_dropped, records) = self.history();
        let mut newest: Vec<String> =
            records.rev().take(max_lines).map(ToString::to_string).collect();
        if n_dropped > 0 && newest.len() < max_lines {
            newest.push(format!("... {n_dropped} earlier lines are no longer kept"));
        }
        newest.reverse();
        newest.iter().flat_map(|line| [line, "\n"]).collect()
    }

    /// An object.
    #[must_use]
    pub fn object(&self, kind: &str, namespace: &str, name: &str) -> Option<&Object> {
        let kind = Kind::ALL.iter().find(|it| it.name() == kind)?;
        let namespace = if kind.namespaced() { namespace } else { "" };
        self.world.listers().object(&ObjectRef::new(*kind, namespace, name))
    }

    /// An object as YAML.
    #[must_use]
    pub fn yaml(&self, kind: &str, namespace: &str, name: &str) -> Option<String> {
        let mut object = self.object(kind, namespace, name)?.clone();
        if object.meta().managed_fields.is_some() {
            object.meta_mut().managed_fields = None;
        }
        Some(api::yaml::to_string(&object))
    }

    /// The state as YAML for another cluster.
    #[must_use]
    pub fn export(&self, target: Export) -> String {
        export(self.world.store.objects(), target)
    }

    /// The instant at which the time line is zero.
    #[must_use]
    pub fn start(&self) -> Timestamp {
        self.run.start
    }

    /// How long the scenario wants to be run, if it says so, milliseconds.
    #[must_use]
    pub fn until_ms(&self) -> Option<i64> {
        self.script.until_ms
    }

    /// How many checkpoints are kept.
    #[must_use]
    pub fn n_checkpoints(&self) -> usize {
        self.checkpoints.len()
    }

    /// The objects of a kind, for tests and printers.
    #[must_use]
    pub fn names(&self, kind: Kind) -> Vec<ObjectName> {
        self.world.listers().0.list(kind).map(|it| it.object_ref().to_view()).collect()
    }
}
