//! `cargo xtask fuzz`: the fuzz harnesses of conformance/src/fuzz.rs, driven by libFuzzer.
//!
//! libFuzzer needs a nightly toolchain, so that the targets are a workspace of their own in fuzz/, and nothing else depends on them.
//! `cargo xtask test` drives the same harnesses without it.

use std::path::Path;
use std::process::Command;
use std::{env, fs};

use anyhow::{Context, Result, bail, ensure};

use crate::{run, workspace};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The harness to run; all of them, one after the other, when none is named
    target: Option<String>,
    /// How long each of them runs
    #[arg(long, value_name = "N", default_value_t = 60)]
    seconds: u32,
}

/// The longest input that is tried. Documents of interest are short.
const LONGEST: u32 = 8192;

pub(crate) fn run(args: &Args) -> Result<()> {
    let root = workspace::root();
    let folder = root.join("fuzz");
    let known = targets(&folder)?;
    let chosen = match &args.target {
        Some(name) => {
            ensure!(known.contains(name), "there is no harness `{name}`; there are {}", known.join(", "));
            vec![name.clone()]
        }
        None => known,
    };
    check_tools()?;
    let corpus = folder.join("corpus");
    let mut seeds = run::cargo();
    seeds.args(["run", "--quiet", "-p", "tenantry-conformance", "--example", "fuzz_seeds", "--"]).arg(&corpus);
    run::run(seeds.current_dir(&root))?;
    for target in chosen {
        let found = folder.join("corpus").join(&target);
        let mut command = nightly(&["fuzz", "run", &target]);
        command.arg(&found).args(["--", &format!("-max_total_time={}", args.seconds), &format!("-max_len={LONGEST}")]);
        run::run(command.current_dir(&root)).with_context(|| {
            format!("the harness `{target}` failed; the input is kept in fuzz/artifacts/{target}, and is tried again by adding its path")
        })?;
    }
    Ok(())
}

/// The harnesses: one file each.
fn targets(folder: &Path) -> Result<Vec<String>> {
    let targets = folder.join("fuzz_targets");
    let files = fs::read_dir(&targets).with_context(|| format!("cannot list `{}`", targets.display()))?;
    let mut names: Vec<String> =
        files.flatten().filter_map(|file| file.file_name().into_string().ok()?.strip_suffix(".rs").map(str::to_owned)).collect();
    names.sort();
    Ok(names)
}

/// What is missing is said before anything is built.
fn check_tools() -> Result<()> {
    let mut missing = Vec::new();
    if !run::succeeds(&mut nightly(&["--version"])) {
        missing.push("a nightly toolchain: `rustup toolchain install nightly --profile minimal`");
    } else if !run::succeeds(&mut nightly(&["fuzz", "--version"])) {
        missing.push("cargo-fuzz: `cargo install cargo-fuzz --locked`");
    }
    if !compilers().iter().any(|name| run::succeeds(Command::new(name).arg("--version"))) {
        missing.push("a C++ compiler, which builds libFuzzer: set CXX where it has another name than c++, g++ or clang++");
    }
    if !missing.is_empty() {
        bail!(
            "libFuzzer cannot be run here; missing:\n  {}\n`cargo xtask test` drives the same harnesses without it",
            missing.join("\n  ")
        );
    }
    Ok(())
}

fn compilers() -> Vec<String> {
    let named = env::var("CXX").ok().filter(|name| !name.is_empty());
    named.into_iter().chain(["c++", "g++", "clang++"].map(str::to_owned)).collect()
}

/// Cargo of the nightly toolchain, whichever one runs this task.
fn nightly(args: &[&str]) -> Command {
    let mut command = Command::new("rustup");
    command.args(["run", "nightly", "cargo"]).args(args);
    // Those of the toolchain that runs this task.
    for variable in ["CARGO", "RUSTC", "RUSTDOC", "RUSTUP_TOOLCHAIN", "CARGO_TARGET_DIR", "RUSTFLAGS"] {
        command.env_remove(variable);
    }
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_target_is_found() {
        let targets = targets(&workspace::root().join("fuzz")).unwrap();
        assert_eq!(targets, ["cursors", "fixtures", "ids", "imports", "rules", "slugs"]);
    }
}
