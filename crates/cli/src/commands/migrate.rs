//! `tenantry migrate ...`

use serde::Serialize;
use tenantry::migration::SchemaStatus;

use crate::args::MigrateCommand;
use crate::failure::Failure;
use crate::output::{Answer, Record};
use crate::store::{self, StoreSpec};

/// What `migrate` answers.
#[derive(Debug, Serialize)]
struct Report {
    store: &'static str,
    /// The version that the schema has, 0 for none.
    found: u32,
    /// The version that this program works with.
    wanted: u32,
    /// What this command has applied.
    applied: Vec<Step>,
    /// What is still to be applied.
    pending: Vec<Step>,
}

#[derive(Debug, Serialize)]
struct Step {
    version: u32,
    name: &'static str,
}

pub(crate) async fn run(command: MigrateCommand, spec: &StoreSpec) -> Result<Answer, Failure> {
    let before = store::status(spec).await?;
    let report = match command {
        MigrateCommand::Status => report(spec, Vec::new(), &before),
        MigrateCommand::Run => {
            store::migrate(spec).await?;
            report(spec, steps(&before), &store::status(spec).await?)
        }
    };
    let note = match spec {
        StoreSpec::Memory => "a store in memory has no schema".to_owned(),
        _ if report.pending.is_empty() => format!("the schema has version {}: up to date", report.found),
        _ => format!("the schema has version {} of {}; `tenantry migrate run` brings it up to date", report.found, report.wanted),
    };
    let list = |steps: &[Step]| steps.iter().map(|step| format!("{:04}_{}", step.version, step.name)).collect::<Vec<_>>().join(" ");
    let record = Record::new()
        .with("store", report.store)
        .with("found", report.found)
        .with("wanted", report.wanted)
        .with("applied", list(&report.applied))
        .with("pending", list(&report.pending));
    Ok(Answer::new(&report, record)?.note(Some(note)))
}

fn report(spec: &StoreSpec, applied: Vec<Step>, now: &SchemaStatus) -> Report {
    Report { store: spec.kind(), found: now.found, wanted: now.wanted, applied, pending: steps(now) }
}

fn steps(status: &SchemaStatus) -> Vec<Step> {
    status.pending.iter().map(|migration| Step { version: migration.version, name: migration.name }).collect()
}
