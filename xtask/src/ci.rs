//! `cargo xtask ci`: everything that must pass before a change is merged.

use anyhow::Result;

use crate::conformance::Store;
use crate::phases::Phases;
use crate::postgres::Server;
use crate::test::{self, EVERYTHING, Profile};
use crate::{run, tidy, workspace};

pub(crate) fn run() -> Result<()> {
    Phases::of(|phases| {
        let server = phases.run("postgres", Server::find_or_start)?;
        test::all(phases, &server, Store::All, Profile::Ci)?;
        drop(server);
        phases.run("format", || cargo(&["fmt", "--all", "--check"], &[], &[]))?;
        phases.run("clippy", || cargo(&["clippy"], &EVERYTHING, &["--all-targets", "--", "-D", "warnings"]))?;
        phases.run("documentation", documentation)?;
        phases.run("tidy", tidy::run)?;
        if run::succeeds(run::cargo().args(["deny", "--version"])) {
            phases.run("cargo-deny", || cargo(&["deny", "--offline", "check", "bans", "licenses", "sources"], &[], &[]))
        } else {
            phases.absent("cargo-deny", "not installed; tidy has checked licences and duplicates");
            Ok(())
        }
    })
}

fn cargo(subcommand: &[&str], packages: &[&str], rest: &[&str]) -> Result<()> {
    let mut command = run::cargo();
    command.args(subcommand).args(packages).args(rest);
    run::run(command.current_dir(workspace::root()))
}

fn documentation() -> Result<()> {
    let mut command = run::cargo();
    command.arg("doc").args(EVERYTHING).arg("--no-deps").env("RUSTDOCFLAGS", "-D warnings");
    run::run(command.current_dir(workspace::root()))
}
