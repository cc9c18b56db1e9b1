//! The `tenantry` command.

mod args;
mod commands;
mod failure;
mod output;
mod progress;
mod session;
mod store;

use std::ffi::OsString;
use std::io::{self, BufWriter, IsTerminal};
use std::process::ExitCode;

use clap::Parser;
use tenantry::DomainError;

use crate::args::{Cli, Command, QuickstartArgs, Stance};
use crate::commands::{Surroundings, batch, migrate, quickstart};
use crate::failure::{Exit, Failure};
use crate::output::{Output, Style};
use crate::session::Session;
use crate::store::{Chosen, StoreSpec};

fn main() -> ExitCode {
    let args: Vec<OsString> = std::env::args_os().collect();
    let style = if io::stdout().is_terminal() { Style::Terminal } else { Style::Plain };
    // The standard error is not locked: a bar that another thread moves is drawn there too.
    let output = Output::new(Box::new(BufWriter::new(io::stdout().lock())), Box::new(io::stderr()), style);
    // Where the command line cannot be read, it may still say how the error is to be written.
    let mut output = output.json(args::asks_for_json(&args));
    let outcome = match Cli::try_parse_from(args) {
        Ok(cli) => {
            output = output.json(cli.global.json).verbose(cli.global.verbose);
            run(cli, &mut output)
        }
        Err(error) => Err(Failure::from_clap(&error)),
    };
    let failure = match outcome {
        Ok(exit) => return exit.into(),
        Err(Failure::Help(text)) => match output.text(&text) {
            Ok(()) => return Exit::Done.into(),
            Err(failure) => failure,
        },
        Err(failure) => failure,
    };
    output.failure(&failure);
    failure.exit().into()
}

fn run(cli: Cli, output: &mut Output<'_>) -> Result<Exit, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Failure::usage(format!("the runtime cannot be started: {error}")))?;
    runtime.block_on(dispatch(cli, output))
}

async fn dispatch(cli: Cli, output: &mut Output<'_>) -> Result<Exit, Failure> {
    let Cli { global, command } = cli;
    let file = if let Command::Quickstart(QuickstartArgs { file }) = &command { file.as_ref() } else { None };
    let (spec, chosen) = match file {
        Some(_) if global.store.is_some() => return Err(Failure::usage("--file and --store both say where; give one of them")),
        Some(file) => (StoreSpec::Sqlite(file.clone()), Chosen::CommandLine),
        None => StoreSpec::choose(global.store.as_deref())?,
    };
    if let Command::Migrate(command) = command {
        // The schema is nobody's who is not trusted with everything.
        if global.stance.guarded.is_some() {
            return Err(DomainError::Forbidden.into());
        }
        output.answer(None, &migrate::run(command, &spec).await?)?;
        return Ok(Exit::Done);
    }
    let session = Session::open(&spec, global.deterministic, global.stance).await?;
    let around = Surroundings { for_people: output.for_people(), stdin_free: true };
    match command {
        Command::Data(command) => return commands::run_alone(command, &session.turn(Stance::default())?, around, output).await,
        Command::Batch(args) => batch::run(&args, &session, output).await?,
        Command::Quickstart(_) => {
            let turn = session.turn(Stance::default())?;
            output.answer(None, &quickstart::run(&*turn.store, &spec, chosen, around.for_people).await?)?;
        }
        Command::Migrate(_) => {}
    }
    Ok(Exit::Done)
}
