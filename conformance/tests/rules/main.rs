//! Rewrite rules: the evaluation of a check, question by question, is that of the steps of spec/rules.md, whatever is answered first;
//! the stores answer so too; and a file of rules is read strictly.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a test fails by panicking, and says what it did"
)]

mod actors;
mod evaluation;
mod form;
mod plain;
mod stores;
#[path = "../support/mod.rs"]
mod support;

use proptest::prelude::ProptestConfig;

/// So many cases, or as many as `PROPTEST_CASES` asks for.
fn cases(cases: u32) -> ProptestConfig {
    let default = ProptestConfig::default();
    let default = ProptestConfig { max_shrink_iters: default.max_shrink_iters.min(4_000), ..default };
    if std::env::var_os("PROPTEST_CASES").is_some() { default } else { ProptestConfig { cases, ..default } }
}
