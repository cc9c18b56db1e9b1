//! `tenantry member ...`

use std::collections::HashMap;

use serde::Serialize;
use tenantry::{
    AddMember, AdminRemove, ChangeRole, CountMembers, ListMembers, ListMemberships, Membership, ReinstateMembership, SelfLeave,
    SuspendMembership, TenancyStore, TransferOwnership, UpdateMembership, UserId,
};

use super::{compact, names, next_page, org_id, pages, patch, to_the_second};
use crate::args::{ListMembersArgs, ListMembershipsArgs, MemberCommand, NewMemberArgs, UpdateMemberArgs};
use crate::failure::Failure;
use crate::output::{Answer, Record, Table};

const MEMBERS: &[&str] = &["name", "role", "status", "expires", "membership", "user"];
const MEMBERSHIPS: &[&str] = &["organization", "role", "status", "expires", "membership", "organization id"];

#[derive(Debug, Serialize)]
struct Count {
    count: u64,
}

pub(super) async fn run(command: MemberCommand, store: &dyn TenancyStore, for_people: bool) -> Result<Answer, Failure> {
    let mem = match command {
        MemberCommand::List(args) => return list(args, store, for_people).await,
        MemberCommand::Of(args) => return of(args, store, for_people).await,
        MemberCommand::History(args) => {
            let page = store.membership_history(args.mem_id).await?;
            return Answer::new(&page, members(&page.data, &names_of(store, &page.data, for_people).await?));
        }
        MemberCommand::Count(args) => {
            let request = CountMembers::new(org_id(store, &args.org.org).await?);
            let count = store.count_members(args.status.into_iter().fold(request, CountMembers::status)).await?;
            return Answer::new(&Count { count }, vec![count.to_string()]);
        }
        MemberCommand::Transfer { org, from, to } => {
            let done = store.transfer_ownership(TransferOwnership::new(org_id(store, &org.org).await?, from, to)).await?;
            let rows = [done.from_membership.clone(), done.to_membership.clone()];
            return Answer::new(&done, members(&rows, &names_of(store, &rows, for_people).await?));
        }
        MemberCommand::Add(args) => add(args, store).await?,
        MemberCommand::Show(args) => store.get_membership(args.mem_id).await?,
        MemberCommand::Find { org, user } => store.get_membership_for(org_id(store, &org.org).await?, user.usr_id).await?,
        MemberCommand::Role { mem, role } => store.change_role(ChangeRole::new(mem.mem_id, role)).await?,
        MemberCommand::Update(args) => {
            let UpdateMemberArgs { mem, expires_at, no_expiry, metadata } = args;
            let request = UpdateMembership::new(mem.mem_id).expires_at(patch(expires_at, no_expiry)).metadata(patch(metadata, false));
            store.update_membership(request).await?
        }
        MemberCommand::Suspend(args) => store.suspend_membership(SuspendMembership::new(args.mem_id)).await?,
        MemberCommand::Reinstate(args) => store.reinstate_membership(ReinstateMembership::new(args.mem_id)).await?,
        MemberCommand::Leave(args) => {
            let request = args.transfer_to.into_iter().fold(SelfLeave::new(args.mem.mem_id), SelfLeave::transfer_to);
            store.self_leave(request).await?
        }
        MemberCommand::Remove { mem, by } => store.admin_remove(AdminRemove::new(mem.mem_id, by)).await?,
    };
    let names = names_of(store, std::slice::from_ref(&mem), for_people).await?;
    Answer::new(&mem, record(&mem, &names))
}

async fn add(args: NewMemberArgs, store: &dyn TenancyStore) -> Result<Membership, Failure> {
    let mut request = AddMember::new(org_id(store, &args.org.org).await?, args.usr_id, args.role);
    request.invited_by = args.invited_by;
    request.expires_at = args.expires_at;
    Ok(store.add_member(request).await?)
}

async fn list(args: ListMembersArgs, store: &dyn TenancyStore, for_people: bool) -> Result<Answer, Failure> {
    let mut request = ListMembers::new(org_id(store, &args.org.org).await?);
    request.status = args.status;
    let page = pages(args.paging.first(), args.paging.all, |page| store.list_members(request.clone().page(page))).await?;
    let names = names_of(store, &page.data, for_people).await?;
    Ok(Answer::new(&page, members(&page.data, &names))?.note(next_page(page.next_cursor.as_ref(), "--cursor")))
}

async fn of(args: ListMembershipsArgs, store: &dyn TenancyStore, for_people: bool) -> Result<Answer, Failure> {
    let mut request = ListMemberships::new(args.usr_id);
    request.status = args.status;
    let page = pages(args.paging.first(), args.paging.all, |page| store.list_memberships(request.clone().page(page))).await?;
    let names = if for_people { names::of_orgs(store, page.data.iter().map(|mem| mem.org_id)).await? } else { HashMap::new() };
    let row = |mem: &Membership| row(mem, names.get(&mem.org_id), mem.org_id.to_string());
    let table = Table::new(MEMBERSHIPS, page.data.iter().map(row));
    Ok(Answer::new(&page, table)?.note(next_page(page.next_cursor.as_ref(), "--cursor")))
}

/// The names of the users of these memberships, where people read them.
pub(super) async fn names_of(
    store: &dyn TenancyStore,
    memberships: &[Membership],
    for_people: bool,
) -> Result<HashMap<UserId, String>, Failure> {
    if !for_people {
        return Ok(HashMap::new());
    }
    names::of_users(store, memberships.iter().map(|mem| mem.usr_id)).await
}

/// A table of the members of one organization.
pub(super) fn members(memberships: &[Membership], names: &HashMap<UserId, String>) -> Table {
    let row = |mem: &Membership| row(mem, names.get(&mem.usr_id), mem.usr_id.to_string());
    Table::new(MEMBERS, memberships.iter().map(row))
}

fn row(mem: &Membership, name: Option<&String>, other: String) -> Vec<String> {
    let expires = mem.expires_at.map(to_the_second).unwrap_or_default();
    vec![name.cloned().unwrap_or_default(), mem.role.to_string(), mem.status.to_string(), expires, mem.id.to_string(), other]
}

fn record(mem: &Membership, names: &HashMap<UserId, String>) -> Record {
    let Membership { id, usr_id, org_id, role, status, replaces, invited_by, removed_by, expires_at, metadata, created_at, updated_at } =
        mem;
    Record::new()
        .with("id", id)
        .with("usr_id", usr_id)
        .with_some("name", names.get(usr_id))
        .with("org_id", org_id)
        .with("role", role)
        .with("status", status)
        .with_some("replaces", *replaces)
        .with_some("invited_by", *invited_by)
        .with_some("removed_by", *removed_by)
        .with_some("expires_at", *expires_at)
        .with("metadata", compact(&metadata.to_value()))
        .with("created_at", created_at)
        .with("updated_at", updated_at)
}
