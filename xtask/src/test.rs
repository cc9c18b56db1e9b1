//! `cargo xtask test`: every test of the workspace, with a real Postgres, found or started.

use anyhow::Result;

use crate::phases::Phases;
use crate::postgres::{self, Server};
use crate::{conformance, fixtures, layers, run, workspace};

/// Every phase builds the same packages with the same features, so that one build serves them all.
pub(crate) const EVERYTHING: [&str; 2] = ["--workspace", "--all-features"];

/// What is tested: all but the benches, which take long to build and are no tests.
const TESTED: [&str; 4] = ["--workspace", "--all-features", "--exclude", "tenantry-bench"];

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The store that the conformance fixtures run against
    #[arg(long, value_enum, default_value_t)]
    store: conformance::Store,
    /// Run only the tests that match, and none of the other phases
    #[arg(last = true, value_name = "FILTER")]
    filters: Vec<String>,
}

pub(crate) fn run(args: &Args) -> Result<()> {
    Phases::of(|phases| {
        let server = phases.run("postgres", Server::find_or_start)?;
        if !args.filters.is_empty() {
            return phases.run("tests", || tests(&server, &args.filters, Profile::Default));
        }
        all(phases, &server, args.store, Profile::Default)
    })
}

/// Which of the profiles in .config/nextest.toml applies.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Profile {
    Default,
    Ci,
}

/// The phases that `cargo xtask test` and `cargo xtask ci` share.
pub(crate) fn all(phases: &mut Phases, server: &Server, store: conformance::Store, profile: Profile) -> Result<()> {
    phases.run("tests", || tests(server, &[], profile))?;
    phases.run("doctests", || doctests(server))?;
    phases.run("conformance", || conformance::run_with(&conformance::Args::of_store(store), Some(server)))?;
    phases.run("fixtures", fixtures::check)?;
    phases.run("layers", layers::check)
}

fn tests(server: &Server, filters: &[String], profile: Profile) -> Result<()> {
    let mut command = run::cargo();
    if run::succeeds(run::cargo().args(["nextest", "--version"])) {
        command.args(["nextest", "run"]);
        if matches!(profile, Profile::Ci) {
            command.args(["--profile", "ci"]);
        }
    } else {
        println!("cargo-nextest is not installed; cargo test runs the same tests, one binary after the other");
        command.args(["test"]);
        if matches!(profile, Profile::Ci) {
            command.arg("--no-fail-fast");
        }
    }
    // Not `--all-targets`: that makes test harnesses of the examples, and some tests run an example as the program that it is.
    command.args(TESTED);
    if !filters.is_empty() {
        command.arg("--").args(filters);
    }
    run::run(command.env(postgres::VARIABLE, server.url()).current_dir(workspace::root()))
}

fn doctests(server: &Server) -> Result<()> {
    let mut command = run::cargo();
    command.args(["test", "--doc"]).args(TESTED);
    run::run(command.env(postgres::VARIABLE, server.url()).current_dir(workspace::root()))
}
