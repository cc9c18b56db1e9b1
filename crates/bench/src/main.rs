//! The program behind `cargo xtask bench`.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a bench talks to the person who runs it")]

use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Context, Result};
use clap::Parser;
use tenantry_bench::figures::{Report, Store};
use tenantry_bench::machine::Machine;
use tenantry_bench::measure::Effort;
use tenantry_bench::rows::{Bench, Programme, footprint, memory::Memory, postgres::Postgres, sqlite::Sqlite};
use tenantry_bench::{interrupt, report};
use tenantry_core::{Clock, source::SystemClock};

/// The sizes of the worlds, in the quick run and in the full one.
const QUICK: [u32; 3] = [1000, 10_000, 100_000];
const FULL: [u32; 4] = [1000, 10_000, 100_000, 1_000_000];

/// How many memberships the process holds whose memory is looked at, in every run: the tables of a store in memory grow in leaps.
const FOOTPRINT: u32 = 1_000_000;

#[derive(Debug, Parser)]
#[command(name = "tenantry-bench", about = "Compares Tenantry's stores with hand-written statements", max_term_width = 100)]
struct Args {
    /// Smaller stores and fewer blocks: a look in about two minutes
    #[arg(long)]
    quick: bool,
    /// Only this store; may be repeated
    #[arg(long, value_enum)]
    store: Vec<Store>,
    /// Only what has this text in its name, such as `postgres 5b` or `growth`
    #[arg(long, value_name = "TEXT")]
    filter: Option<String>,
    /// Also write all figures to this file
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Also write the tables into this document, between its marks
    #[arg(long, value_name = "FILE")]
    doc: Option<PathBuf>,
    /// Measure nothing, and take the figures from this file
    #[arg(long, value_name = "FILE", conflicts_with_all = ["quick", "store", "filter", "json"])]
    from: Option<PathBuf>,
    /// What is measured, as it is to be told in the report
    #[arg(long, value_name = "TEXT")]
    revision: Option<String>,
    /// The sizes of the stores, the smallest first, instead of the usual ones
    #[arg(long, value_name = "N,N", value_delimiter = ',', hide = true)]
    sizes: Vec<u32>,
    /// Fill a store in memory with so many memberships and say what that took, as JSON
    #[arg(long, value_name = "N", hide = true)]
    footprint_of: Option<u32>,
    /// The Postgres to measure; its user may create databases
    #[arg(long, env = "TENANTRY_BENCH_POSTGRES_URL", value_name = "URL", hide_env_values = true)]
    postgres: Option<String>,
}

fn main() -> ExitCode {
    let done = run(&Args::parse());
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) if interrupt::check().is_err() => {
            eprintln!("interrupted");
            ExitCode::from(130)
        }
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: &Args) -> Result<()> {
    if let Some(memberships) = args.footprint_of {
        let runtime = tokio::runtime::Builder::new_current_thread().build()?;
        println!("{}", serde_json::to_string(&runtime.block_on(footprint::fill(memberships))?)?);
        return Ok(());
    }
    let found = if let Some(file) = &args.from {
        let text = fs::read_to_string(file).with_context(|| format!("cannot read `{}`", file.display()))?;
        serde_json::from_str(&text).with_context(|| format!("`{}` has no figures of this program", file.display()))?
    } else {
        measure(args)?
    };
    report::print(&found);
    if let Some(file) = &args.json {
        fs::write(file, serde_json::to_string_pretty(&found)?).with_context(|| format!("cannot write `{}`", file.display()))?;
    }
    if let Some(file) = &args.doc {
        report::write_into(file, &found)?;
        println!("wrote the tables into {}", file.display());
    }
    Ok(())
}

fn measure(args: &Args) -> Result<Report> {
    interrupt::watch()?;
    let begun = Instant::now();
    let folder = tempfile::Builder::new().prefix("tenantry-bench-").tempdir().context("cannot make a folder for the files")?;
    let usual: &[u32] = if args.quick { &QUICK } else { &FULL };
    let sizes = if args.sizes.is_empty() { usual } else { &args.sizes };
    let report = Report {
        quick: args.quick,
        began_at: SystemClock.now().to_string(),
        seconds: 0.0,
        revision: args.revision.clone(),
        machine: Machine::look(folder.path())?,
        modes: Vec::new(),
        fills: Vec::new(),
        rows: Vec::new(),
        growth: Vec::new(),
        footprint: None,
    };
    let effort = if args.quick { Effort::QUICK } else { Effort::FULL };
    let mut bench = Bench { effort, sizes: sizes.to_vec(), filter: args.filter.clone(), report };
    let wanted = |store: Store| args.store.is_empty() || args.store.contains(&store);
    if wanted(Store::Memory) {
        with(&mut bench, Store::Memory, Memory::programme(), Memory::open, |_| Ok(()))?;
        let name = "memory 8 footprint";
        if args.filter.as_ref().is_none_or(|text| name.contains(&text.to_lowercase())) {
            bench.report.footprint = Some(footprint::measure(FOOTPRINT)?);
        }
    }
    if wanted(Store::Sqlite) {
        with(&mut bench, Store::Sqlite, Sqlite::programme(), |bench| Sqlite::open(bench, folder.path()), |_| Ok(()))?;
    }
    if wanted(Store::Postgres) {
        let url = || args.postgres.clone().context("no Postgres is named: run `cargo xtask bench`, or give --postgres URL");
        with(&mut bench, Store::Postgres, Postgres::programme(), |bench| Postgres::open(bench, &url()?), |open| open.close(&url()?))?;
    }
    bench.report.seconds = begun.elapsed().as_secs_f64();
    Ok(bench.report)
}

/// Opens a store for what is asked of it, if anything is.
fn with<C>(
    bench: &mut Bench,
    store: Store,
    mut programme: Programme<C>,
    open: impl FnOnce(&mut Bench) -> Result<C>,
    close: impl FnOnce(C) -> Result<()>,
) -> Result<()> {
    programme.only(store, bench.filter.as_deref());
    if programme.is_empty() {
        return Ok(());
    }
    let opened = open(bench)?;
    let done = bench.run(store, &opened, &programme);
    let closed = close(opened);
    done.and(closed)
}
