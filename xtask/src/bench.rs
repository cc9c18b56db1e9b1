//! `cargo xtask bench`: the figures of the bench crate, with a real Postgres that keeps its promises.

use std::path::PathBuf;
use std::process::Command;

use anyhow::Result;
use clap::ValueEnum;

use crate::postgres::Server;
use crate::{run, workspace};

/// Where the bench looks for the server.
const VARIABLE: &str = "TENANTRY_BENCH_POSTGRES_URL";

/// The document whose tables the bench writes.
const DOCUMENT: &str = "docs/benchmarks.md";

#[derive(Debug, clap::Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is an option of its own")]
pub(crate) struct Args {
    /// Smaller stores and fewer blocks: a look in about two minutes
    #[arg(long)]
    quick: bool,
    /// Only this store
    #[arg(long, value_enum)]
    store: Option<Store>,
    /// Only what has this text in its name, such as `postgres 5b` or `growth`
    #[arg(long, value_name = "TEXT")]
    filter: Option<String>,
    /// Also write all figures to this file
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Also write the tables into docs/benchmarks.md
    #[arg(long)]
    doc: bool,
    /// Measure nothing, and take the figures from a file that --json wrote
    #[arg(long, value_name = "FILE", conflicts_with_all = ["quick", "store", "filter", "json"])]
    from: Option<PathBuf>,
    /// Measure other libraries for authorization beside Tenantry instead; they are built first, which takes some minutes
    #[arg(long, conflicts_with_all = ["store", "filter", "doc", "from", "criterion"])]
    peers: bool,
    /// Run the criterion groups instead, those with the text of --filter in their name
    #[arg(long, conflicts_with_all = ["quick", "store", "json", "doc", "from"])]
    criterion: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Store {
    Memory,
    Sqlite,
    Postgres,
}

impl Store {
    fn name(self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::Sqlite => "sqlite",
            Self::Postgres => "postgres",
        }
    }
}

pub(crate) fn run(args: &Args) -> Result<()> {
    if args.peers {
        return peers(args);
    }
    let needs_postgres = args.from.is_none() && args.store.is_none_or(|store| matches!(store, Store::Postgres));
    let server = if needs_postgres { Some(Server::durable(VARIABLE)?) } else { None };
    let mut command = run::cargo();
    if args.criterion {
        command.args(["bench", "-p", "tenantry-bench", "--bench", "operations"]);
        command.args(args.filter.iter().flat_map(|filter| ["--", filter.as_str()]));
    } else {
        // As an application is built: with the profile that criterion uses too.
        command.args(["run", "--quiet", "--profile", "bench", "-p", "tenantry-bench", "--"]);
        pass(args, &mut command);
    }
    if let Some(server) = &server {
        command.env(VARIABLE, server.url());
    }
    run::run(&mut command)
}

/// Those of the workspace in `peers/`, which needs no server.
fn peers(args: &Args) -> Result<()> {
    let mut command = run::cargo();
    command.args(["run", "--quiet", "--release", "--manifest-path"]).arg(workspace::root().join("peers").join("Cargo.toml")).arg("--");
    pass(args, &mut command);
    run::run(&mut command)
}

fn pass(args: &Args, command: &mut Command) {
    if args.quick {
        command.arg("--quick");
    }
    if let Some(store) = args.store {
        command.args(["--store", store.name()]);
    }
    if let Some(filter) = &args.filter {
        command.arg("--filter").arg(filter);
    }
    for (name, file) in [("--json", &args.json), ("--from", &args.from)] {
        if let Some(file) = file {
            command.arg(name).arg(file);
        }
    }
    if args.doc {
        command.arg("--doc").arg(workspace::root().join(DOCUMENT));
    }
    if let Some(revision) = revision().filter(|_| args.from.is_none() && !args.peers) {
        command.arg("--revision").arg(revision);
    }
}

/// The commit that is measured, with a mark when the tree differs from it.
fn revision() -> Option<String> {
    let output = Command::new("git").args(["describe", "--always", "--dirty"]).current_dir(workspace::root()).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    (output.status.success() && !text.trim().is_empty()).then(|| text.trim().to_owned())
}
