//! The time zones of this instance. wasm carries no database: the host hands zones in.

use std::cell::RefCell;

use sim::Zones;

thread_local! {
    static ZONES: RefCell<Zones> = RefCell::new(Zones::default());
}

/// Adds a zone for all runs that are set up from now on. Returns whether the data could be read.
pub(crate) fn add(name: &str, data: &[u8]) -> bool {
    ZONES.with(|it| it.borrow_mut().add_tzif(name, data))
}

/// All zones so far.
pub(crate) fn all() -> Zones {
    ZONES.with(|it| it.borrow().clone())
}
