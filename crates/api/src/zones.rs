//! The time zones that a run may use. They are handed in: wasm carries no database.

use std::collections::BTreeMap;

use jiff::tz::TimeZone;

/// Zones by their IANA name, case-sensitive as in Kubernetes. `UTC` is always there.
#[derive(Clone, Debug, Default)]
pub struct Zones(BTreeMap<String, TimeZone>);

impl Zones {
    /// Adds a zone from TZif data. Returns whether the data could be read.
    pub fn add_tzif(&mut self, name: &str, data: &[u8]) -> bool {
        TimeZone::tzif(name, data).map(|zone| self.0.insert(name.to_owned(), zone)).is_ok()
    }

    /// Adds a zone.
    pub fn add(&mut self, name: &str, zone: TimeZone) {
        self.0.insert(name.to_owned(), zone);
    }

    /// The zone with this name; an empty name is UTC, as in Go's `time.LoadLocation`.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<TimeZone> {
        match name {
            "" | "UTC" => Some(TimeZone::UTC),
            _ => self.0.get(name).cloned(),
        }
    }
}
