//! `cargo xtask conformance`: fixture files against our stores, through the runner of the
//! conformance crate.

use std::path::PathBuf;

use anyhow::Result;
use clap::ValueEnum;

use crate::postgres::{self, Server};
use crate::run;

#[derive(Debug, Default, clap::Args)]
pub(crate) struct Args {
    /// The store to run against
    #[arg(long, value_enum, default_value_t)]
    store: Store,
    /// A folder of fixture files, searched at any depth, instead of our own; may be repeated
    #[arg(long, value_name = "DIR")]
    fixtures: Vec<PathBuf>,
    /// Run only the tests whose name contains this text
    #[arg(long, value_name = "TEXT")]
    filter: Option<String>,
    /// Also write the outcome of every trial to this file
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, Default, ValueEnum)]
pub(crate) enum Store {
    Memory,
    Sqlite,
    Postgres,
    #[default]
    All,
}

impl Store {
    fn name(self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::Sqlite => "sqlite",
            Self::Postgres => "postgres",
            Self::All => "all",
        }
    }

    fn needs_postgres(self) -> bool {
        matches!(self, Self::Postgres | Self::All)
    }
}

pub(crate) fn run(args: &Args) -> Result<()> {
    let server = if args.store.needs_postgres() { Some(Server::find_or_start()?) } else { None };
    run_with(args, server.as_ref())
}

impl Args {
    /// All of our fixtures.
    pub(crate) fn of_store(store: Store) -> Self {
        Self { store, ..Self::default() }
    }
}

/// Runs the fixtures with a server that somebody else holds.
pub(crate) fn run_with(args: &Args, server: Option<&Server>) -> Result<()> {
    let mut command = run::cargo();
    command.args(["run", "--quiet", "-p", "tenantry-conformance", "--example", "conformance", "--"]);
    command.args(["--store", args.store.name()]);
    for folder in &args.fixtures {
        command.arg("--fixtures").arg(folder);
    }
    if let Some(text) = &args.filter {
        command.arg("--filter").arg(text);
    }
    if let Some(file) = &args.json {
        command.arg("--json").arg(file);
    }
    if let Some(server) = server {
        command.env(postgres::VARIABLE, server.url());
    }
    run::run(&mut command)
}
