//! The time zones that a run may use. They are handed in: wasm carries no database.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::tz::TimeZone;

/// Zones by their IANA name, case-sensitive as in Kubernetes. `UTC` is always there. A clone is
/// cheap.
#[derive(Clone, Debug, Default)]
pub struct Zones {
    zones: Arc<BTreeMap<String, TimeZone>>,
    complete: bool,
}

impl Zones {
    /// Adds a zone from TZif data. Returns whether the data could be read.
    pub fn add_tzif(&mut self, name: &str, data: &[u8]) -> bool {
        TimeZone::tzif(name, data).map(|zone| self.add(name, zone)).is_ok()
    }

    /// Adds a zone.
    pub fn add(&mut self, name: &str, zone: TimeZone) {
        Arc::make_mut(&mut self.zones).insert(name.to_owned(), zone);
    }

    /// Says that these are all zones there are, so that another name is a mistake.
    pub fn set_complete(&mut self) {
        self.complete = true;
    }

    /// Whether these are all zones there are.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.complete
    }

    /// The zone with this name; an empty name is UTC, as in Go's `time.LoadLocation`.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<TimeZone> {
        match name {
            "" | "UTC" => Some(TimeZone::UTC),
            _ => self.zones.get(name).cloned(),
        }
    }
}
