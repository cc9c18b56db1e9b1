//! What memberships take in memory, seen from outside: the resident set of a process that does nothing else.

use std::process::Command;
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use tenantry_core::{CachedResolver, Import, ImportMember, ImportOrg, ImportRow, PermissionResolver, TenancyStore};

use crate::figures::Footprint;
use crate::machine::resident;
use crate::scene::PERMISSION;
use crate::world;

/// What one membership may take, all in.
const GOAL: f64 = 250.0;

/// Members of each organization: the owner and nine more.
const MEMBERS: u32 = 10;

/// How many organizations an import brings in: few, so that what an import holds for itself stays small.
const CHUNK: u32 = 500;

/// The argument that makes a process the one that is looked at.
pub const ARGUMENT: &str = "--footprint-of";

/// Starts a process of its own that fills a store in memory, and reads what it says.
///
/// # Errors
/// When it fails, or where the system does not tell a process its resident set.
pub fn measure(memberships: u32) -> Result<Footprint> {
    let program = std::env::current_exe().context("cannot find this program")?;
    let output = Command::new(program).arg(ARGUMENT).arg(memberships.to_string()).output().context("cannot start this program again")?;
    ensure!(output.status.success(), "a process for its memory failed:\n{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).context("cannot read what the process said")
}

/// Fills a store in memory and says what that took.
///
/// # Errors
/// What an import failed with, or where the system does not tell.
pub async fn fill(memberships: u32) -> Result<Footprint> {
    let organizations = memberships / MEMBERS;
    let store = tenantry_memory::new();
    crate::scene::grants(&store).await?;
    let absent = "this system does not tell a process its resident set in /proc/self/status";
    let before = resident().context(absent)?;
    let mut from = 0;
    while from < organizations {
        let to = organizations.min(from + CHUNK);
        store.import(Import::new(rows(from, to)?)).await?;
        from = to;
    }
    let after = resident().context(absent)?;
    let bytes_per_membership = f64::from(u32::try_from((after - before) / 1024)?) * 1024.0 / f64::from(organizations * MEMBERS);
    let resolver = CachedResolver::new(Arc::new(store)).capacity(usize::try_from(memberships)?);
    for member in 0..organizations * MEMBERS {
        resolver.has_permission(world::user_id(member)?, world::org_id(member / MEMBERS)?, PERMISSION).await?;
    }
    let all = resident().context(absent)?;
    let kept = f64::from(u32::try_from(all.saturating_sub(after) / 1024)?) * 1024.0 / f64::from(organizations * MEMBERS);
    ensure!(resolver.len() == usize::try_from(organizations * MEMBERS)?, "the cache did not keep everything");
    let (memberships, kept) = (organizations * MEMBERS, Some(kept));
    Ok(Footprint { memberships, organizations, before, after, bytes_per_membership, goal: GOAL, kept })
}

fn rows(from: u32, to: u32) -> Result<Vec<(u64, ImportRow)>> {
    let mut rows = Vec::new();
    for n in from..to {
        let org = world::org_id(n)?;
        rows.push(ImportRow::Org(ImportOrg::new(org)));
        for place in 0..MEMBERS {
            let member = n * MEMBERS + place;
            let (id, usr, role) = (world::crowd_member_id(member)?, world::user_id(member)?, if place == 0 { "owner" } else { "member" });
            rows.push(ImportRow::Member(ImportMember::new(id, usr, org, role)));
        }
    }
    Ok((1..).zip(rows).collect())
}
