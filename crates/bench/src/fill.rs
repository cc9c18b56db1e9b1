//! Fills a store with a world, and looks whether it holds what an import of the same rows writes.
//!
//! A million organizations through `import` would take minutes in a database, and what is to be measured comes afterwards. So memory
//! is filled by imports, and the databases by `COPY` and by prepared inserts of the same rows. That they are the same is looked at in
//! every session: a small world of each store is compared, row by row, with one that was imported ([`verify`]).

pub mod memory;
pub mod postgres;
pub mod sqlite;

use std::time::Duration;

use anyhow::{Result, ensure};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use tenantry_core::{Dump, Event, EventId, Inspect, ListMembers, OrgId, PageRequest, TenancyStore, Timestamp};
use uuid::Uuid;

use crate::world::{self, World};

/// The size of the worlds that are compared row by row.
pub const COMPARED: u32 = 1000;

/// A bar for so many rows; nothing where the standard error is no terminal.
pub fn bar(rows: u64, what: &str) -> ProgressBar {
    let style = ProgressStyle::with_template("{msg} {wide_bar} {human_pos} of {human_len} rows, {elapsed}");
    let bar = ProgressBar::with_draw_target(Some(rows), ProgressDrawTarget::stderr());
    bar.set_message(what.to_owned());
    bar.enable_steady_tick(Duration::from_millis(200));
    bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}

/// What an event of the fill says, as it is stored: that of an organization, or of the crowd.
pub fn event_data(world: World, n: u32) -> String {
    let invitations = if n < world.invitations() { r#""invitations":1,"# } else { "" };
    let told =
        if n < world.size() { format!(r#"{invitations}"memberships":1,"tuples":1"#) } else { format!(r#""memberships":{}"#, world.size()) };
    format!(r#"{{"before":{{}},"after":{{{told}}}}}"#)
}

/// What the two events of no organization say: the imports of the organizations, and of the crowd.
pub fn store_event_data(world: World) -> [String; 2] {
    let (n, invitations) = (world.size(), world.invitations());
    let first = format!(r#""invitations":{invitations},"memberships":{n},"organizations":{n},"tuples":{n},"users":{n}"#);
    let second = format!(r#""memberships":{n},"organizations":1,"users":0"#);
    [first, second].map(|told| format!(r#"{{"before":{{}},"after":{{{told}}}}}"#))
}

/// How many rows a world has, in all tables.
pub const fn rows(world: World) -> u64 {
    let n = world.size() as u64;
    // Users, organizations, slugs, two memberships, tuples, events; the crowd with its slug and event; two events of no organization.
    n * 7 + 3 + 2 + world.invitations() as u64
}

/// Fails unless both hold the same rows. Ids and times of events are left out: an import draws them.
///
/// # Errors
/// The first table that differs, or what kept a store from being read.
pub async fn verify(imported: &impl Inspect, filled: &impl Inspect) -> Result<()> {
    let (wanted, found) = (imported.dump().await?, filled.dump().await?);
    let Dump {
        users,
        user_revisions,
        organizations,
        ancestors,
        slugs,
        memberships,
        invitations,
        tuples,
        events,
        // An import brings none of these, and neither does a fill.
        structure_revisions: _,
        system_revision: _,
        permissions: _,
        roles: _,
        grants: _,
        groups: _,
        group_members: _,
        group_roles: _,
    } = wanted;
    ensure!(users == found.users, "a fill differs from an import in its users");
    ensure!(user_revisions == found.user_revisions, "a fill differs from an import in its users' revisions");
    ensure!(organizations == found.organizations && ancestors == found.ancestors, "a fill differs from an import in its organizations");
    ensure!(slugs == found.slugs, "a fill differs from an import in its slugs");
    ensure!(memberships == found.memberships, "a fill differs from an import in its memberships");
    ensure!(invitations == found.invitations, "a fill differs from an import in its invitations");
    ensure!(tuples == found.tuples, "a fill differs from an import in its tuples");
    ensure!(told(events)? == told(found.events)?, "a fill differs from an import in its events");
    Ok(())
}

/// Events without what an import draws, in an order that does not hang on that.
fn told(mut events: Vec<Event>) -> Result<Vec<Event>> {
    let id = EventId::from_uuid(Uuid::from_u128(0x7000_8000_0000_0000_0000))?;
    for event in &mut events {
        (event.id, event.at) = (id, Timestamp::MIN);
    }
    events.sort_by_key(|event| (event.org_id, event.revision, serde_json::to_string(&event.data).unwrap_or_default()));
    Ok(events)
}

/// Reads rows of a large store back through it, and walks through the whole crowd. Answers the cursor of the crowd's last page of 50.
///
/// # Errors
/// The first row that is not what it should be, or what kept it from being read.
pub async fn read_back(store: &dyn TenancyStore, world: World) -> Result<String> {
    for n in [0, world.size() / 2, world.size() - 1] {
        ensure!(store.get_user(world::user_id(n)?).await? == world.user(n)?, "user {n} is not what was written");
        ensure!(store.get_org(world::org_id(n)?).await? == world.org(n)?, "organization {n} is not what was written");
        ensure!(store.get_org_by_slug(&world::slug(n)).await?.id == world::org_id(n)?, "slug {n} is not what was written");
        ensure!(store.get_membership(world::ownership_id(n)?).await? == world.ownership(n)?, "ownership {n} is not what was written");
        let tuple = world.tuple(n)?;
        ensure!(store.get_tuple(tuple.id).await? == tuple, "tuple {n} is not what was written");
    }
    let inv = world.invitation(world.invitations() - 1)?;
    ensure!(store.get_invitation(inv.id).await? == inv, "an invitation is not what was written");
    last_page(store, world.crowd()?, world.size()).await
}

/// The cursor of the last page of 50 of an organization with so many members, which are counted on the way.
async fn last_page(store: &dyn TenancyStore, org: OrgId, members: u32) -> Result<String> {
    let mut left = members;
    let mut page = PageRequest::first();
    let mut cursor = String::new();
    // The last page has a full page's rows, whatever the number of members is.
    while left > 50 {
        let step = (left - 50).min(200);
        let found = store.list_members(ListMembers::new(org).page(page.limit(i64::from(step)))).await?;
        ensure!(found.data.len() == usize::try_from(step)?, "the crowd has too few members");
        cursor = found.next_cursor.unwrap_or_default();
        page = PageRequest::after(cursor.clone());
        left -= step;
    }
    let last = store.list_members(ListMembers::new(org).page(page)).await?;
    ensure!(last.data.len() == usize::try_from(left)? && last.next_cursor.is_none(), "the crowd has another number of members");
    Ok(cursor)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block_on<T>(future: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
    }

    #[test]
    fn a_fill_is_what_an_import_writes() {
        let folder = tempfile::tempdir().unwrap();
        let (path, world) = (folder.path().join("filled.db"), World::new(1100));
        sqlite::fill(&path, world, &ProgressBar::hidden()).unwrap();
        let filled = tenantry_sqlite::open(&path).unwrap();
        let imported = tenantry_memory::new();
        block_on(memory::import(&imported, world)).unwrap();
        block_on(verify(&imported, &filled)).unwrap();
        block_on(read_back(&filled, world)).unwrap();
        let smaller = tenantry_memory::new();
        block_on(memory::import(&smaller, World::new(1099))).unwrap();
        let told = block_on(verify(&smaller, &filled)).unwrap_err().to_string();
        assert_eq!(told, "a fill differs from an import in its users");
    }

    #[test]
    fn many_imports_come_to_the_same_as_two() {
        let (many, two, world) = (tenantry_memory::new(), tenantry_memory::new(), World::new(5200));
        block_on(memory::fill(&many, world, &ProgressBar::hidden())).unwrap();
        block_on(memory::import(&two, world)).unwrap();
        let (many, two) = (block_on(many.dump()).unwrap(), block_on(two.dump()).unwrap());
        assert_eq!((many.organizations, many.memberships, many.tuples), (two.organizations, two.memberships, two.tuples));
        assert_eq!((many.users, many.user_revisions, many.invitations), (two.users, two.user_revisions, two.invitations));
    }
}
