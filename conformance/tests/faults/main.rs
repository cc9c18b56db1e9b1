//! Faults: connections cut at every message, statements that fail or are cancelled at every row, disks without room, locks that
//! others hold, processes and servers killed in the middle of their work. Whatever happens, the rows are as before or as after, never
//! between, the error says which as far as that can be known, and the store goes on.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a test fails by panicking, and says what it did"
)]

mod cancels;
mod child;
mod cluster;
#[path = "../drops/commands.rs"]
mod commands;
mod counts;
mod cuts;
mod desk;
mod disk;
mod kills;
mod lane;
mod limits;
mod proxy;
mod server;
mod stage;
mod stream;
#[path = "../support/mod.rs"]
mod support;

use std::env;

/// How much of something: what the variable says, or as much as every run of the tests has time for.
pub(crate) fn size(variable: &str, default: usize) -> usize {
    match env::var(variable) {
        Ok(text) => text.parse().unwrap_or_else(|_| panic!("{variable} is `{text}`, and should be a number")),
        Err(_) => default,
    }
}
