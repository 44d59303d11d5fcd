//! Tables as kubectl aligns them, and the rows of those kinds of which there are thousands.
//!
//! This is a crate of its own because a table of ten thousand rows must come within a few
//! milliseconds: in the browser's module it is compiled for speed, all around it for size.

mod cells;
mod event;
pub mod human;
mod natural;
mod near;
mod pod;
mod tabwriter;

pub use cells::Cells;
pub use event::event;
pub use natural::{Texts, natural, order, order_of_numbers};
pub use near::{
    BLOCK, Listed, facts_near, labels_near, listed, listed_about, rows_near, runs_of_kinds,
};
pub use pod::pod;
pub use tabwriter::align;
