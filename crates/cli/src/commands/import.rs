//! `tenantry import`: reads and checks every line, then brings all of them in at once.

use std::sync::Arc;

use tenantry::wire::import_row;
use tenantry::{Error, Import, ImportCounts, ImportRow, TenancyStore};

use super::lines;
use crate::args::ImportArgs;
use crate::failure::Failure;
use crate::output::{Answer, Record};
use crate::progress;

pub(super) async fn run(args: &ImportArgs, store: &dyn TenancyStore, stdin_free: bool) -> Result<Answer, Failure> {
    let counts = write(lines::of(&args.file, stdin_free, import_row)?, store).await?;
    Answer::new(&counts, record(&counts))
}

/// The counts, as people see them.
pub(super) fn record(counts: &ImportCounts) -> Record {
    let ImportCounts { users, organizations, memberships, invitations, tuples, permissions, roles, .. } = counts;
    let ImportCounts { role_permissions, groups, group_members, group_roles, overrides, unchanged, .. } = counts;
    Record::new()
        .with("users", users)
        .with("organizations", organizations)
        .with("memberships", memberships)
        .with("invitations", invitations)
        .with("tuples", tuples)
        .with("permissions", permissions)
        .with("roles", roles)
        .with("role_permissions", role_permissions)
        .with("groups", groups)
        .with("group_members", group_members)
        .with("group_roles", group_roles)
        .with("overrides", overrides)
        .with("unchanged", unchanged)
}

/// Writes the rows, all of them or none.
pub(super) async fn write(rows: Vec<(u64, ImportRow)>, store: &dyn TenancyStore) -> Result<ImportCounts, Error> {
    let orgs = rows.iter().filter(|(_, row)| matches!(row, ImportRow::Org(_))).count();
    // A row each, a slug and an event for each organization, and one event for the whole.
    let steps = u64::try_from(rows.len() + 2 * orgs + 1).unwrap_or(u64::MAX);
    let bar = Arc::new(progress::bar(steps, "writing  {wide_bar} {percent}%"));
    let told = Arc::clone(&bar);
    let counts = store.import(Import::new(rows).progress(Arc::new(move |written| told.inc(written)))).await;
    bar.finish_and_clear();
    counts
}
