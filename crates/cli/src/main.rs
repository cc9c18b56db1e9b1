//! The `tenantry` command.

mod args;
mod commands;
mod failure;
mod output;
mod store;

use std::ffi::OsString;
use std::io::{self, BufWriter, IsTerminal};
use std::process::ExitCode;

use clap::Parser;

use crate::args::{Cli, Command, QuickstartArgs};
use crate::commands::{Surroundings, batch, migrate, quickstart};
use crate::failure::{Exit, Failure};
use crate::output::{Output, Style};
use crate::store::{Chosen, Session, StoreSpec};

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
        Ok(()) => return Exit::Done.into(),
        Err(Failure::Help(text)) => match output.text(&text) {
            Ok(()) => return Exit::Done.into(),
            Err(failure) => failure,
        },
        Err(failure) => failure,
    };
    output.failure(&failure);
    failure.exit().into()
}

fn run(cli: Cli, output: &mut Output<'_>) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Failure::usage(format!("the runtime cannot be started: {error}")))?;
    runtime.block_on(dispatch(cli, output))
}

async fn dispatch(cli: Cli, output: &mut Output<'_>) -> Result<(), Failure> {
    let Cli { global, command } = cli;
    let file = if let Command::Quickstart(QuickstartArgs { file }) = &command { file.as_ref() } else { None };
    let (spec, chosen) = match file {
        Some(_) if global.store.is_some() => return Err(Failure::usage("--file and --store both say where; give one of them")),
        Some(file) => (StoreSpec::Sqlite(file.clone()), Chosen::CommandLine),
        None => StoreSpec::choose(global.store.as_deref())?,
    };
    if let Command::Migrate(command) = command {
        return output.answer(None, &migrate::run(command, &spec).await?);
    }
    let session = Session::open(&spec, global.deterministic, global.actor).await?;
    let around = Surroundings { for_people: output.for_people(), stdin_free: true };
    let answer = match command {
        Command::Quickstart(_) => quickstart::run(&*session.next(None), &spec, chosen, around.for_people).await?,
        Command::Data(command) => commands::run(command, &*session.next(None), around).await?,
        Command::Batch(args) => return batch::run(&args, &session, output).await,
        Command::Migrate(_) => return Ok(()),
    };
    output.answer(None, &answer)
}
