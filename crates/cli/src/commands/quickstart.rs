//! `tenantry quickstart`: a sample company to look around in.

use serde::Serialize;
use tenantry::rules::Checked;
use tenantry::wire::import_row;
use tenantry::{
    CheckOne, DomainError, Error, Event, Id, ImportCounts, Invitation, ListChanges, ListInvitations, ListMembers, ListTuplesForObject,
    Membership, MembershipStatus, OrgId, Organization, Page, PageRequest, PageSize, TenancyStore, Tuple,
};

use indicatif::ProgressBar;

use super::org::Forest;
use super::sample::{self, Asked};
use super::{access, changes, import, invite, lines, member, pages, tuple};
use crate::failure::Failure;
use crate::output::{Answer, View};
use crate::store::{Chosen, StoreSpec};

/// The company, in the form that `import` reads: its people, and then whom it has invited and who may what.
const SAMPLE: &str = include_str!("../../../../examples/acme.jsonl");

/// The root of its tree.
const ROOT: &str = "org_018ce8283b807000a000000000000001";

/// A document of the company, and who was invited to edit it.
const HANDBOOK: (&str, &str) = ("doc", "018fdd1c-c000-7b41-a8df-29f3726b470d");
const EDITOR: &str = "usr_0191127a716075da8653975ee4140a6e";

/// How many changes are shown.
const CHANGES: usize = 10;

/// What `quickstart` answers.
#[derive(Debug, Serialize)]
struct Tour<'t> {
    /// What has been brought in; null when the company was there already.
    imported: Option<ImportCounts>,
    root_org_id: OrgId,
    organizations: &'t Forest,
    members: &'t Page<Membership>,
    invitations: &'t Page<Invitation>,
    tuples: &'t Page<Tuple>,
    check: Checked,
    permissions: &'t [Asked],
    changes: &'t [Event],
    next: &'t [String],
}

/// Brings the sample company in where it is not yet, and shows it.
pub(crate) async fn run(store: &dyn TenancyStore, spec: &StoreSpec, chosen: Chosen, for_people: bool) -> Result<Answer, Failure> {
    let root: OrgId = id(ROOT)?;
    let imported = match store.get_org(root).await {
        Ok(_) => None,
        Err(Error::Domain(DomainError::NotFound(_))) => {
            let rows = lines::read(SAMPLE.as_bytes(), &ProgressBar::hidden(), import_row)?;
            let imported = import::write(rows, store).await.map_err(|error| match error {
                // It is not the company that is in the way.
                Error::Domain(DomainError::Forbidden) => Failure::Store(error),
                error => Failure::Sample(error),
            })?;
            sample::grow(store, root).await?;
            Some(imported)
        }
        Err(error) => return Err(error.into()),
    };

    let forest = Forest::below(store, root, None).await?;
    let orgs = forest.orgs();
    let members = members_of(store, root).await?;
    let invitations = store.list_invitations(ListInvitations::new(root)).await?;
    let tuples = store.list_tuples_for_object(ListTuplesForObject::new(HANDBOOK.0, HANDBOOK.1)).await?;
    let check = store.check(CheckOne::new(("usr", EDITOR), "editor", HANDBOOK)).await?;
    let permissions = sample::questions(store, root).await?;
    let changes = latest_changes(store, &orgs).await?;
    let (prefix, before_commands) = prefix(spec, chosen);
    let next = next_commands(&orgs, &members.data, spec, &prefix);
    let tour = Tour {
        imported,
        root_org_id: root,
        organizations: &forest,
        members: &members,
        invitations: &invitations,
        tuples: &tuples,
        check,
        permissions: &permissions,
        changes: &changes,
        next: &next,
    };

    let names = member::names_of(store, &members.data, for_people).await?;
    let name = orgs.first().map(|org| name_of(org)).unwrap_or_default();
    let mut sections = vec![
        (arrival(imported, spec), View::from(forest.branches())),
        (format!("Members of {name}:"), member::members(&members.data, &names).into()),
        (format!("Invitations of {name}:"), invite::table(&invitations.data).into()),
        ("Tuples on its handbook:".to_owned(), tuple::table(&tuples.data).into()),
        (format!("{prefix} check {EDITOR} editor {}:{}", HANDBOOK.0, HANDBOOK.1), vec![tuple::verdict(check)].into()),
    ];
    sections.extend(permissions.iter().map(|Asked { usr_id, permission, why }| {
        let command = format!("{prefix} can {usr_id} {permission} --org {} --why", orgs.first().map(|org| named(org)).unwrap_or_default());
        (command, View::Tree(access::reasons(why)))
    }));
    sections.extend([
        ("Latest changes:".to_owned(), changes::table(&changes).into()),
        (before_commands.to_owned(), next.iter().map(|command| format!("  {command}")).collect::<Vec<_>>().into()),
    ]);
    Answer::new(&tour, View::Sections(sections))
}

/// An id of the company.
pub(super) fn id<I: Id>(text: &str) -> Result<I, Failure> {
    Ok(text.parse().map_err(|error| DomainError::InvalidId { field: "id", error })?)
}

/// How an organization is named in commands.
fn named(org: &Organization) -> String {
    org.slug.as_ref().map_or_else(|| org.id.to_string(), ToString::to_string)
}

fn arrival(imported: Option<ImportCounts>, spec: &StoreSpec) -> String {
    let place = match spec {
        StoreSpec::Memory => "memory, and gone after this".to_owned(),
        StoreSpec::Sqlite(path) => path.display().to_string(),
        StoreSpec::Postgres { .. } => "the database".to_owned(),
    };
    match imported {
        Some(ImportCounts { users, organizations, memberships, invitations, tuples, .. }) => format!(
            "A sample company is now in {place}: {organizations} organizations, {users} users, {memberships} memberships, \
             {invitations} invitations, {tuples} tuples."
        ),
        None => format!("The sample company is in {place} already; nothing was changed."),
    }
}

fn name_of(org: &Organization) -> String {
    org.name.as_ref().map_or_else(|| org.id.to_string(), ToString::to_string)
}

/// Those who belong there now.
async fn members_of(store: &dyn TenancyStore, org: OrgId) -> Result<Page<Membership>, Failure> {
    let first = PageRequest::first().limit(PageSize::MAX);
    let mut page = pages(first, true, |page| store.list_members(ListMembers::new(org).page(page))).await?;
    page.data.retain(|mem| mem.status != MembershipStatus::Revoked);
    Ok(page)
}

/// The last events of these organizations, the latest first.
async fn latest_changes(store: &dyn TenancyStore, orgs: &[&Organization]) -> Result<Vec<Event>, Failure> {
    let shown = u64::try_from(CHANGES).unwrap_or(u64::MAX);
    let mut events = Vec::new();
    for org in orgs {
        let after = org.revision.saturating_sub(shown);
        events.extend(store.changes(ListChanges::new(org.id).after_revision(after)).await?.data);
    }
    events.sort_by_key(|event| std::cmp::Reverse((event.at, event.id)));
    events.truncate(CHANGES);
    Ok(events)
}

/// How this program is called, up to the command, on the same store; and what to say before commands that begin so.
fn prefix(spec: &StoreSpec, chosen: Chosen) -> (String, &'static str) {
    let under_cargo = std::env::var_os("CARGO_PKG_NAME").is_some_and(|name| name == env!("CARGO_PKG_NAME"));
    let program = if under_cargo { "cargo run --" } else { "tenantry" };
    let plain = (program.to_owned(), "Try next:");
    match (chosen, spec) {
        // What is in memory is gone, so that the commands speak of the file that they would make.
        (Chosen::Environment | Chosen::Nobody, _) | (_, StoreSpec::Memory) => plain,
        (Chosen::CommandLine, spec) => match spec.option() {
            Some(option) => (format!("{program} {option}"), plain.1),
            // A password is not shown; where the store is can be said once for all commands.
            None => (plain.0, "Try next, with the address of the database in the variable TENANTRY_STORE:"),
        },
    }
}

/// A few commands that work on what is there now.
fn next_commands(orgs: &[&Organization], members: &[Membership], spec: &StoreSpec, prefix: &str) -> Vec<String> {
    let root = orgs.first().map(|org| named(org)).unwrap_or_default();
    let deepest = orgs.last().map(|org| named(org)).unwrap_or_default();
    let plain = members.iter().find(|mem| mem.role.rank() == 2 && mem.status == MembershipStatus::Active);
    let change = match plain {
        _ if *spec == StoreSpec::Memory => {
            return vec![format!("{prefix} quickstart"), format!("{prefix} member list {deepest}"), format!("{prefix} changes {root}")];
        }
        Some(mem) => format!("{prefix} member role {} admin", mem.id),
        None => format!("{prefix} member count {root}"),
    };
    let [members, review, changes] = [format!("member list {deepest}"), format!("review {root}"), format!("changes {root}")];
    vec![format!("{prefix} {members}"), change, format!("{prefix} {review}"), format!("{prefix} {changes}")]
}
