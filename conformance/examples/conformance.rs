//! Runs fixture files against the stores: what `cargo xtask conformance` calls.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a test fails by panicking, and says what it did"
)]

#[path = "../tests/support/mod.rs"]
mod support;

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::{Parser, ValueEnum};
use comfy_table::{CellAlignment, LineStyle, Table, TableStyle};
use tenantry_conformance::{Case, Failure, Matrix, Mode, Outcome, Problem, Report, Suite, TestStore, own_fixtures};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

/// Runs fixture files against the stores
#[derive(Debug, Parser)]
struct Args {
    /// The store to run against
    #[arg(long, value_enum, default_value_t)]
    store: Which,
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

#[derive(Debug, Clone, Copy, Default, PartialEq, ValueEnum)]
enum Which {
    Memory,
    Sqlite,
    Postgres,
    #[default]
    All,
}

impl Which {
    fn stores(self) -> Vec<&'static dyn TestStore> {
        match self {
            Self::All => support::stores(),
            Self::Memory => vec![support::store("memory")],
            Self::Sqlite => vec![support::store("sqlite")],
            Self::Postgres => vec![support::store("postgres")],
        }
    }
}

/// How many tests run at once: they wait for disks and servers more than they compute.
const AT_ONCE: usize = 8;

fn main() -> ExitCode {
    match run(&Args::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(message) => {
            eprintln!("{message}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: &Args) -> Result<bool, String> {
    let (cases, problems) = cases(args)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(|error| error.to_string())?;
    let mut report = Report::default();
    for store in args.store.stores() {
        report.outcomes.extend(problems.iter().map(|problem| Outcome::unreadable(store.name(), problem)));
        report.outcomes.extend(runtime.block_on(all(store, &cases)));
    }
    for outcome in report.failed() {
        println!("FAILED {}: {} {}", outcome.store, outcome.file, outcome.test);
        for failure in &outcome.failures {
            println!("  {failure}");
        }
    }
    if report.outcomes.is_empty() {
        eprintln!("there is no test to run");
    } else {
        println!("{}", table(&report.matrix()));
    }
    if let Some(file) = &args.json {
        let text = serde_json::to_string_pretty(&report).map_err(|error| error.to_string())?;
        std::fs::write(file, text + "\n").map_err(|error| format!("cannot write {}: {error}", file.display()))?;
    }
    Ok(report.is_success())
}

/// The tests that are asked for, and the files that could not be read. A folder that cannot be listed is an error at once.
fn cases(args: &Args) -> Result<(Vec<Case>, Vec<Problem>), String> {
    let own = own_fixtures();
    let folders: Vec<(&PathBuf, Mode)> = if args.fixtures.is_empty() {
        vec![(&own, Mode::Ours)]
    } else {
        // Ours by their own rules, also when they are named.
        let is_own = |folder: &PathBuf| folder.canonicalize().is_ok_and(|folder| own.canonicalize().is_ok_and(|own| folder == own));
        args.fixtures.iter().map(|folder| (folder, if is_own(folder) { Mode::Ours } else { Mode::Foreign })).collect()
    };
    let wanted = |name: &str| args.filter.as_deref().is_none_or(|text| name.contains(text));
    let (mut cases, mut problems) = (Vec::new(), Vec::new());
    for (folder, mode) in folders {
        let suite = Suite::load(folder, mode).map_err(|error| format!("cannot list {}: {error}", folder.display()))?;
        cases.extend(suite.cases().filter(|case| wanted(&case.name())));
        problems.extend(suite.problems.into_iter().filter(|problem| wanted(&problem.file)));
    }
    Ok((cases, problems))
}

/// Every test on a store, several at once; outcomes in the order of the tests.
async fn all(store: &'static dyn TestStore, cases: &[Case]) -> Vec<Outcome> {
    let places = Arc::new(Semaphore::new(AT_ONCE));
    let mut running = JoinSet::new();
    for (index, case) in cases.iter().cloned().enumerate() {
        let places = Arc::clone(&places);
        running.spawn(async move {
            let _place = places.acquire_owned().await;
            // In a task of its own: a store that panics fails its test and no other.
            let test = case.clone();
            let failures = tokio::spawn(async move { test.run(store).await }).await;
            let failures = failures.unwrap_or_else(|panic| vec![Failure { step: None, lines: vec![panic.to_string()] }]);
            (index, Outcome::of(store.name(), &case, &failures))
        });
    }
    let mut outcomes = running.join_all().await;
    outcomes.sort_by_key(|(index, _)| *index);
    outcomes.into_iter().map(|(_, outcome)| outcome).collect()
}

fn table(matrix: &Matrix) -> Table {
    let cell = |(passed, failed): &(usize, usize)| {
        if *failed == 0 { format!("{passed} passed") } else { format!("{passed} passed, {failed} FAILED") }
    };
    let mut table = Table::new();
    table.load_style(TableStyle::new().header_separator(LineStyle::none().fill('─').junction('─')));
    table.set_header(std::iter::once("area".to_owned()).chain(matrix.stores.iter().cloned()));
    for (area, counts) in &matrix.rows {
        table.add_row(std::iter::once(area.clone()).chain(counts.iter().map(cell)));
    }
    table.add_row(std::iter::once("all".to_owned()).chain(matrix.total.iter().map(cell)));
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}
