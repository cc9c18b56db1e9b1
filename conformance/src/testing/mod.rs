//! Helpers for the tests of a store, whatever runtime they run on.

mod drops;
pub mod invariants;
mod log;
mod reference;
mod world;

pub use drops::{Moment, count_polls, drop_after};
pub use log::log_differences;
pub use reference::reference;
pub use world::World;
