//! The built program, as people and scripts meet it.
#![allow(clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "a test that cannot go on ends where it stands")]

mod batch;
mod check;
mod doctor;
mod errors;
mod export;
mod feed;
mod guarded;
mod help;
mod import;
mod invite;
mod quickstart;
mod review;
mod support;
mod tour;
