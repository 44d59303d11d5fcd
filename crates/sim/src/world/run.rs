//! What a run is a function of, and what looks back at it.

use std::sync::Arc;

use api::{Change, ObjectRef, Settings, Timestamp, Zones, time};
use apiserver::Store;
use scheduler::extender::Handlers;
use serde::Deserialize;
use view::LinkFile;

use crate::attempts::Attempts;
use crate::history::Record;
use crate::log::Log;
use crate::moments::Moment;

/// What a run is a function of, together with its steps.
#[derive(Clone, Debug)]
pub(crate) struct Run {
    /// The instant that the time line calls zero.
    pub(crate) start: Timestamp,
    pub(crate) seed: u64,
    pub(crate) settings: Settings,
    pub(crate) zones: Zones,
    pub(crate) budgets: Budgets,
    /// Texts that `kubectl -f NAME` finds.
    pub(crate) files: Vec<LinkFile>,
    /// The `KubeSchedulerConfiguration` of the text.
    pub(crate) scheduler_configuration: Option<serde_json::Value>,
    /// What answers for the scheduler's extenders.
    pub(crate) extenders: Handlers,
    /// What `kubectl explain` tells.
    pub(crate) documentation: Option<Arc<str>>,
}

impl Run {
    /// An empty store that knows what there is outside of the cluster.
    pub(crate) fn store(&self) -> Store {
        let mut store = Store::new(self.seed);
        if self.zones.is_complete() {
            store.set_zones(self.zones.clone());
        }
        store
    }

    /// Milliseconds of the run.
    pub(crate) fn ms(&self, at: Timestamp) -> i64 {
        time::ms_between(self.start, at)
    }

    /// The instant of a time of the run.
    pub(crate) fn at(&self, ms: i64) -> Timestamp {
        time::after_ms(self.start, ms)
    }
}

/// Limits that stop a run which would never settle.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Budgets {
    /// Events at one instant.
    pub events_at_one_instant: u64,
    /// Objects in the store, Events left out.
    pub objects: usize,
    /// Events on the way to one time. The run goes on when it is asked for the time again.
    pub events_in_one_go: u64,
}

impl Default for Budgets {
    fn default() -> Self {
        Self { events_at_one_instant: 50_000, objects: 25_000, events_in_one_go: 5_000_000 }
    }
}

/// What looks back at a run. Replays pass over it without change.
#[derive(Debug)]
pub(crate) struct Logs {
    pub(crate) history: Log<Record>,
    pub(crate) moments: Log<Moment>,
    pub(crate) attempts: Attempts,
    /// The keys of changed objects; its end is the revision of the page's picture.
    pub(crate) touched: Log<ObjectRef>,
    /// Every change with its time, if somebody asked for them.
    pub(crate) changes: Option<Vec<(i64, Change)>>,
}

/// How many lines of history are kept at least.
const HISTORY_CAPACITY: usize = 50_000;
/// How many moments are kept at least.
const MOMENTS_CAPACITY: usize = 50_000;
/// After how many changes the page gets the whole picture instead of them.
const TOUCHED_CAPACITY: usize = 20_000;

impl Default for Logs {
    fn default() -> Self {
        Self {
            history: Log::new(HISTORY_CAPACITY),
            moments: Log::new(MOMENTS_CAPACITY),
            attempts: Attempts::default(),
            touched: Log::new(TOUCHED_CAPACITY),
            changes: None,
        }
    }
}

impl Logs {
    pub(crate) fn touch(&mut self, key: ObjectRef) {
        self.touched.put(self.touched.end(), || key);
    }
}
