//! Tenantry's own build tasks: `cargo xtask <task>`.
//!
//! Each task is one module. What they share is small: where the workspace is ([`workspace`]), how
//! programs are run and taken down ([`run`]), how long the phases of a task took ([`phases`]), and
//! a real Postgres to test against ([`postgres`]).
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a task talks to the person who runs it")]

mod bench;
mod ci;
mod conformance;
mod fixtures;
mod fuzz;
mod layers;
mod lines;
mod phases;
mod postgres;
mod prove;
mod run;
mod test;
mod tidy;
mod workspace;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

#[derive(Debug, Parser)]
#[command(name = "xtask", bin_name = "cargo xtask", about, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Run every test of the workspace, the doctests, the conformance matrix and the check of the
    /// fixtures
    Test(test::Args),
    /// Run the conformance fixtures against our stores
    Conformance(conformance::Args),
    /// Check spec/ and the fixtures against each other and rewrite conformance/index.json
    Fixtures(fixtures::Args),
    /// Draw the layers of a resolution into docs/how-a-permission-is-decided.md
    Layers(layers::Args),
    /// Check what must not be in the tree: wrong dependencies, wrong words, wrong licences
    Tidy,
    /// Do everything that must pass before a change is merged; .ci/run does just this
    Ci,
    /// Compare the stores with hand-written statements, and see how they grow
    Bench(bench::Args),
    /// Race the stores, compare them with a model and break what they stand on, in full size
    Prove(prove::Args),
    /// Drive the fuzz harnesses by libFuzzer, where there is a nightly toolchain
    Fuzz(fuzz::Args),
    /// Count lines of code per crate, and file by file for the stores
    Lines,
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let done = run::watch_for_interrupts().and_then(|()| match &cli.task {
        Task::Test(args) => test::run(args),
        Task::Conformance(args) => conformance::run(args),
        Task::Fixtures(args) => fixtures::run(args),
        Task::Layers(args) => layers::run(args),
        Task::Tidy => tidy::run(),
        Task::Ci => ci::run(),
        Task::Bench(args) => bench::run(args),
        Task::Prove(args) => prove::run(args),
        Task::Fuzz(args) => fuzz::run(args),
        Task::Lines => lines::run(),
    });
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            run::exit_code(&error)
        }
    }
}
