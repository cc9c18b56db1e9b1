//! The operations of the tables as criterion groups: to see what a change does to one of them. The ratios of these figures are not
//! those of the tables, as criterion measures one side after the other.
//!
//! `cargo bench -p tenantry-bench -- FILTER`, where the filter is part of a name such as `SQLite/6b add_member`. The groups of
//! Postgres are there when `TENANTRY_BENCH_POSTGRES_URL` names a server; `cargo xtask bench --criterion` starts one.
#![allow(clippy::print_stderr, reason = "a bench talks to the person who runs it")]

use std::process::ExitCode;
use std::time::Duration;

use anyhow::Result;
use criterion::Criterion;
use tenantry_bench::figures::{Report, Store};
use tenantry_bench::machine::Machine;
use tenantry_bench::measure::{Effort, Side};
use tenantry_bench::rows::{Bench, Programme, memory::Memory, postgres::Postgres, sqlite::Sqlite};
use tenantry_core::{Clock, source::SystemClock};

/// Small, so that a look at one operation does not wait for a large fill.
const SIZES: [u32; 2] = [1000, 10_000];

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<()> {
    let folder = tempfile::Builder::new().prefix("tenantry-bench-").tempdir()?;
    let report = Report {
        quick: true,
        began_at: SystemClock.now().to_string(),
        seconds: 0.0,
        revision: None,
        machine: Machine::look(folder.path())?,
        modes: Vec::new(),
        fills: Vec::new(),
        rows: Vec::new(),
        growth: Vec::new(),
        footprint: None,
    };
    let mut bench = Bench { effort: Effort::QUICK, sizes: SIZES.to_vec(), filter: None, report };
    let mut criterion = Criterion::default().sample_size(20).warm_up_time(Duration::from_millis(300)).configure_from_args();
    groups(&mut criterion, Store::Memory, &Memory::open(&mut bench)?, &Memory::programme())?;
    groups(&mut criterion, Store::Sqlite, &Sqlite::open(&mut bench, folder.path())?, &Sqlite::programme())?;
    match std::env::var("TENANTRY_BENCH_POSTGRES_URL") {
        Ok(url) if !url.is_empty() => {
            let open = Postgres::open(&mut bench, &url)?;
            let done = groups(&mut criterion, Store::Postgres, &open, &Postgres::programme());
            open.close(&url)?;
            done?;
        }
        _ => eprintln!("no TENANTRY_BENCH_POSTGRES_URL, and so no groups of Postgres: `cargo xtask bench --criterion` starts a server"),
    }
    criterion.final_summary();
    Ok(())
}

/// One group for each operation, with one function for each side.
fn groups<C>(criterion: &mut Criterion, store: Store, open: &C, programme: &Programme<C>) -> Result<()> {
    for contest in &programme.contests {
        let name = format!("{}/{} {} ({})", store.name(), contest.goal_row, contest.operation, contest.terms);
        let mut group = criterion.benchmark_group(name);
        for mut entrant in (contest.enter)(open)? {
            let mut failed = None;
            group.bench_function(entrant.name().to_owned(), |bencher| {
                bencher.iter_custom(|iterations| {
                    spent(entrant.side(), iterations).unwrap_or_else(|error| {
                        failed.get_or_insert(error);
                        Duration::from_nanos(iterations)
                    })
                });
            });
            if let Some(error) = failed {
                return Err(error);
            }
        }
        group.finish();
    }
    Ok(())
}

/// How long so many operations take, by as many samples as they fill.
fn spent(side: &mut dyn Side, iterations: u64) -> Result<Duration> {
    let operations = u64::try_from(side.operations())?.max(1);
    let samples = iterations.div_ceil(operations).max(1);
    let mut spent = Duration::ZERO;
    for _ in 0..samples {
        spent += side.sample()?;
    }
    // As if it had been just the iterations that were asked for.
    Ok(spent.mul_f64(iterations_over(iterations, samples * operations)))
}

#[expect(clippy::cast_precision_loss, reason = "counts of some millions at most")]
fn iterations_over(iterations: u64, operations: u64) -> f64 {
    iterations as f64 / operations as f64
}
