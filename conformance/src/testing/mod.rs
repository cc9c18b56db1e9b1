//! Helpers for the tests of a store, whatever runtime they run on.

mod drops;
mod world;

pub use drops::{Moment, count_polls, drop_after};
pub use world::World;
