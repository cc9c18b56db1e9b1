//! `cargo xtask prove`: the suites of concurrency, models and faults in full size. `cargo xtask test` runs them too, in a small one.

use anyhow::{Result, bail};
use clap::ValueEnum;

use crate::phases::Phases;
use crate::postgres::{self, Server};
use crate::{run, workspace};

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  cargo xtask prove race                  every pairing until 500 of its rounds overlapped
  cargo xtask prove model --cases 1000    1000 random histories for each store
  cargo xtask prove fault --kills 200     kill the program 200 times for each store
  cargo xtask prove                       all of them")]
pub(crate) struct Args {
    /// The suites to run; all of them unless named
    #[arg(value_enum)]
    suites: Vec<Suite>,
    /// Of the races: how many rounds of each pairing must have overlapped
    #[arg(long, value_name = "N", default_value_t = 500)]
    rounds: u32,
    /// Of the model: how many random histories for each store
    #[arg(long, value_name = "N", default_value_t = 256)]
    cases: u32,
    /// Of the faults: how often the program that writes is killed, for each store
    #[arg(long, value_name = "N", default_value_t = 200)]
    kills: u32,
    /// Of the faults: how often the Postgres server is killed
    #[arg(long, value_name = "N", default_value_t = 20)]
    server_kills: u32,
    /// Of the faults: in how many of four ways each message to Postgres is cut off, and each answer
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=4))]
    cuts: u32,
    /// Run only the tests whose name contains this text
    #[arg(long, value_name = "TEXT")]
    filter: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Suite {
    /// Two calls at once, for every pairing that could break a promise
    Race,
    /// Random histories, compared with core's own state after every step
    Model,
    /// Cut connections, failing disks, killed programs and servers
    Fault,
}

impl Suite {
    const ALL: [Self; 3] = [Self::Race, Self::Model, Self::Fault];

    /// The test binary of the conformance crate.
    const fn binary(self) -> &'static str {
        match self {
            Self::Race => "races",
            Self::Model => "model",
            Self::Fault => "faults",
        }
    }
}

pub(crate) fn run(args: &Args) -> Result<()> {
    for (option, size) in [("rounds", args.rounds), ("cases", args.cases)] {
        if size == 0 {
            bail!("--{option} 0 would prove nothing");
        }
    }
    Phases::of(|phases| {
        let server = phases.run("postgres", Server::find_or_start)?;
        let suites = if args.suites.is_empty() { &Suite::ALL[..] } else { &args.suites };
        for suite in suites {
            phases.run(suite.binary(), || prove(args, *suite, &server))?;
        }
        Ok(())
    })
}

fn prove(args: &Args, suite: Suite, server: &Server) -> Result<()> {
    let mut command = run::cargo();
    // One after the other, so that what is counted is theirs, and with what they say.
    command.args(["test", "--package", "tenantry-conformance", "--test", suite.binary(), "--", "--nocapture", "--test-threads", "1"]);
    command.args(&args.filter);
    for (variable, size) in [
        ("TENANTRY_RACE_ROUNDS", args.rounds),
        ("TENANTRY_MODEL_CASES", args.cases),
        ("TENANTRY_FAULT_KILLS", args.kills),
        ("TENANTRY_FAULT_SERVER_KILLS", args.server_kills),
        ("TENANTRY_FAULT_CUTS", args.cuts),
        // Every row, and every limit.
        ("TENANTRY_FAULT_ROWS", u32::MAX),
        ("TENANTRY_FAULT_LIMITS", u32::MAX),
    ] {
        command.env(variable, size.to_string());
    }
    run::run(command.env(postgres::VARIABLE, server.url()).current_dir(workspace::root()))
}
