//! `tenantry can`, `who-can`, `where-can`, `catalog ...`, `permission ...`, `role ...`, `group ...` and `override ...`.

use std::path::Path;

use tenantry::json::Value;
use tenantry::wire::{self, CallError, Reply};
use tenantry::{
    AddGroupMember, AddGroupRole, AnyId, ChangedPermissions, CreateGroup, CreateRole, DefinePermission, DeleteGroup, DeleteRole,
    DenialReason, DomainError, Effect, Explanation, GrantRolePermissions, Group, GroupMember, GroupRole, ListGroupMembers, ListGroupRoles,
    ListGroups, ListOrgOverrides, ListOrgsWith, ListPermissions, ListRoles, ListUsersWith, PageRequest, PageSize, Permission,
    PermissionDefinition, PermissionGrant, Precondition, Remedy, RemoveGroupMember, RemoveGroupRole, RevokeRolePermissions, RoleDefinition,
    SeedSystemRoles, SeededRolePermissions, SetMembershipOverride, SetOrgOverride, TenancyStore, Timestamp, UnmatchedPattern,
};

use super::lines::cannot_read;
use super::{next_page, org_id, pages, to_the_second};
use crate::args::{
    CanArgs, CatalogCommand, GroupCommand, NewRoleArgs, OverrideCommand, Paging, PermissionCommand, RoleCommand, WhereCanArgs, WhoCanArgs,
};
use crate::failure::{Exit, Failure};
use crate::output::{Answer, Branch, Record, Table, View};
use crate::session::Turn;

pub(super) async fn can(args: &CanArgs, store: &dyn TenancyStore) -> Result<Answer, Failure> {
    let org = org_id(store, &args.org).await?;
    let why = store.explain_permission(args.usr_id, org, &args.permission).await?;
    let exit = if why.allowed { Exit::Done } else { Exit::Refused };
    let view = if args.why { View::Tree(reasons(&why)) } else { View::Lines(vec![verdict(&why)]) };
    Ok(Answer::new(&why, view)?.ends_with(exit))
}

fn verdict(why: &Explanation) -> String {
    match (&why.decided_by, why.reason.reason) {
        (Some(by), _) => format!("allowed by {}", words(by.layer.as_str())),
        (None, Some(reason)) => {
            let by = why.reason.denied_by_org_id.map(|org| format!(": {org}")).unwrap_or_default();
            format!("denied: {}{by}", sentence(reason))
        }
        (None, None) => "denied".to_owned(),
    }
}

fn sentence(reason: DenialReason) -> &'static str {
    match reason {
        DenialReason::UnknownPermission => "the catalog has no such permission",
        DenialReason::OrgNotActive => "the organization, or one above it, is not active",
        DenialReason::UserNotActive => "the user is not active",
        DenialReason::NoMembership => "no membership there, and none above that reaches it",
        DenialReason::MembershipNotActive => "the membership is suspended or has expired",
        DenialReason::DeniedByMembership => "the membership itself is denied it",
        DenialReason::DeniedByOrg => "the organization denies it, or one above",
        DenialReason::NotGranted => "nothing grants it",
        other => other.as_str(),
    }
}

fn words(code: &str) -> String {
    code.replace('_', " ")
}

/// What each layer said, and what would allow it.
pub(super) fn reasons(why: &Explanation) -> Vec<Branch> {
    let leaf = |cells: Vec<String>| Branch { cells, below: Vec::new() };
    let listed = |rows: &[AnyId]| rows.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    let steps = why.steps.iter().map(|step| {
        let effect = match step.effect {
            Some(Effect::Grant) => "grants it:",
            Some(Effect::Deny) => "denies it:",
            None => "says nothing",
        };
        leaf(vec![words(step.layer.as_str()), effect.to_owned(), listed(&step.rows)])
    });
    let mut roots = vec![Branch { cells: vec![verdict(why)], below: steps.collect() }];
    if !why.nearest_grant.is_empty() {
        let below = why.nearest_grant.iter().map(|remedy| leaf(vec![told(remedy)])).collect();
        roots.push(Branch { cells: vec!["what would allow it".to_owned()], below });
    }
    roots
}

fn told(remedy: &Remedy) -> String {
    match remedy {
        Remedy::HoldRole { role_id, slug } => format!("hold the role {slug} ({role_id})"),
        Remedy::GrantMembership { mem_id } => format!("grant it to {mem_id}"),
        Remedy::GrantOrg { org_id } => format!("grant it in {org_id}"),
        Remedy::ClearMembershipDeny { mem_id } => format!("clear the denial of {mem_id}"),
        Remedy::ReviveMembership { mem_id } => format!("make {mem_id} active again"),
        other => format!("{other:?}"),
    }
}

pub(super) async fn who_can(args: &WhoCanArgs, store: &dyn TenancyStore) -> Result<Answer, Failure> {
    let request = ListUsersWith::new(org_id(store, &args.org).await?, &args.permission);
    let page = pages(args.paging.first(), args.paging.all, |page| store.list_users_with(request.clone().page(page))).await?;
    let table = Table::new(&["user"], page.data.iter().map(|usr| vec![usr.to_string()]));
    Ok(Answer::new(&page, table)?.note(next_page(page.next_cursor.as_ref(), "--cursor")))
}

pub(super) async fn where_can(args: &WhereCanArgs, store: &dyn TenancyStore) -> Result<Answer, Failure> {
    let request = ListOrgsWith::new(args.usr_id, &args.permission);
    let page = pages(args.paging.first(), args.paging.all, |page| store.list_orgs_with(request.clone().page(page))).await?;
    let table = Table::new(&["organization"], page.data.iter().map(|org| vec![org.to_string()]));
    Ok(Answer::new(&page, table)?.note(next_page(page.next_cursor.as_ref(), "--cursor")))
}

pub(super) async fn catalog(command: CatalogCommand, store: &dyn TenancyStore) -> Result<Answer, Failure> {
    match command {
        CatalogCommand::Sync { file } => sync(&file, store).await,
        CatalogCommand::List(paging) => permissions(&paging, store).await,
    }
}

async fn permissions(paging: &Paging, store: &dyn TenancyStore) -> Result<Answer, Failure> {
    let page = pages(paging.first(), paging.all, |page| store.list_permissions(ListPermissions::new().page(page))).await?;
    let row = |row: &Permission| vec![row.slug.to_string(), row.shown_name(), row.shown_category().to_owned(), row.shown_description()];
    let table = Table::new(&["permission", "name", "category", "description"], page.data.iter().map(row));
    Ok(Answer::new(&page, table)?.note(next_page(page.next_cursor.as_ref(), "--cursor")))
}

pub(super) async fn permission(command: PermissionCommand, store: &dyn TenancyStore) -> Result<Answer, Failure> {
    match command {
        PermissionCommand::Define { slug, name, description, category } => {
            let mut definition = PermissionDefinition::new(slug);
            (definition.name, definition.description, definition.category) = (name, description, category);
            permission_answer(&store.define_permission(DefinePermission::new(definition)).await?)
        }
        PermissionCommand::Show { slug } => permission_answer(&one_permission(&slug, store).await?),
        PermissionCommand::List(paging) => permissions(&paging, store).await,
    }
}

/// The entry with this slug, read from the list, which is in order of slug and so need not be read beyond it.
async fn one_permission(slug: &str, store: &dyn TenancyStore) -> Result<Permission, Failure> {
    let mut cursor = None;
    loop {
        let page = PageRequest::after_optional(cursor).limit(PageSize::MAX);
        let found = store.list_permissions(ListPermissions::new().page(page)).await?;
        let is_behind = found.data.last().is_none_or(|last| last.slug.as_str() >= slug);
        if let Some(row) = found.data.into_iter().find(|row| row.slug.as_str() == slug) {
            return Ok(row);
        }
        cursor = found.next_cursor.filter(|_| !is_behind);
        if cursor.is_none() {
            return Err(DomainError::from(Precondition::UnknownPermission).into());
        }
    }
}

fn permission_answer(row: &Permission) -> Result<Answer, Failure> {
    let record = Record::new()
        .with("slug", &row.slug)
        .with("name", row.shown_name())
        .with("description", row.shown_description())
        .with("category", row.shown_category())
        .with("created_at", row.created_at)
        .with("updated_at", row.updated_at);
    Answer::new(row, record)
}

async fn sync(file: &Path, store: &dyn TenancyStore) -> Result<Answer, Failure> {
    let text = std::fs::read(file).map_err(|error| cannot_read(file, &error))?;
    let value: Value = serde_json::from_slice(&text)
        .map_err(|error| Failure::usage(format!("the catalog in `{}` cannot be used: {error}", file.display())))?;
    let synced = match wire::call(store, "sync_catalog", &value).await {
        Ok(Reply::SyncedCatalog(synced)) => synced,
        Err(CallError::Store(error)) => return Err(error.into()),
        Ok(_) | Err(_) => return Err(Failure::usage("the library knows no catalog")),
    };
    let record =
        Record::new().with("created", synced.created.len()).with("updated", synced.updated.len()).with("unchanged", synced.unchanged.len());
    Answer::new(&synced, record)
}

pub(super) async fn role(command: RoleCommand, turn: &Turn) -> Result<Answer, Failure> {
    let store = &*turn.store;
    match command {
        RoleCommand::Create(args) => create_role(args, store).await,
        RoleCommand::Show(one) => role_answer(&store.get_role(one.role_id).await?),
        RoleCommand::List { org, paging } => {
            let org = match org {
                Some(org) => Some(org_id(store, &org).await?),
                None => None,
            };
            let request = ListRoles::new(org);
            let page = pages(paging.first(), paging.all, |page| store.list_roles(request.clone().page(page))).await?;
            let row = |role: &RoleDefinition| {
                let home = role.org_id.map_or_else(|| "(system)".to_owned(), |org| org.to_string());
                vec![role.slug.to_string(), role.name.to_string(), yes(role.inherits_to_descendants), home, role.id.to_string()]
            };
            let table = Table::new(&["slug", "name", "inherited", "organization", "role"], page.data.iter().map(row));
            Ok(Answer::new(&page, table)?.note(next_page(page.next_cursor.as_ref(), "--cursor")))
        }
        RoleCommand::Grant { role, permissions, end } => {
            let mut request = GrantRolePermissions::new(role.role_id, permissions);
            request.expires_at = end.at(turn.now);
            changed(&store.grant_role_permissions(request).await?)
        }
        RoleCommand::Revoke { role, permissions } => {
            changed(&store.revoke_role_permissions(RevokeRolePermissions::new(role.role_id, permissions)).await?)
        }
        RoleCommand::Delete { role, replacement } => {
            let mut request = DeleteRole::new(role.role_id);
            request.replacement_role_id = replacement;
            let deleted = store.delete_role(request).await?;
            let record = Record::new()
                .with("role_id", role.role_id)
                .with("memberships_changed", deleted.memberships_changed)
                .with("invitations_changed", deleted.invitations_changed)
                .with("groups_changed", deleted.groups_changed);
            Answer::new(&deleted, record)
        }
        RoleCommand::Fill { file, prune } => fill(file.as_deref(), prune, store).await,
        RoleCommand::Seed { inherited } => {
            let seeded = store.seed_system_roles(SeedSystemRoles::new().inherits_to_descendants(inherited)).await?;
            let record = Record::new()
                .with("created", slugs(&seeded.created))
                .with("updated", slugs(&seeded.updated))
                .with("unchanged", slugs(&seeded.unchanged));
            Answer::new(&seeded, record)
        }
    }
}

/// The matrix of a file, or the usual one.
async fn fill(file: Option<&Path>, prune: bool, store: &dyn TenancyStore) -> Result<Answer, Failure> {
    let mut input = vec![("prune".to_owned(), Value::Bool(prune))];
    if let Some(file) = file {
        let text = std::fs::read(file).map_err(|error| cannot_read(file, &error))?;
        let matrix: Value = serde_json::from_slice(&text)
            .map_err(|error| Failure::usage(format!("the matrix in `{}` cannot be used: {error}", file.display())))?;
        input.push(("matrix".to_owned(), matrix));
    }
    let seeded = match wire::call(store, "seed_role_permissions", &Value::Map(input.into_iter().collect())).await {
        Ok(Reply::SeededPermissions(seeded)) => seeded,
        Err(CallError::Store(error)) => return Err(error.into()),
        Ok(_) | Err(_) => return Err(Failure::usage("the library knows no seeding")),
    };
    let row = |role: &SeededRolePermissions| {
        vec![role.role.to_string(), slugs(&role.added), slugs(&role.removed), role.unchanged.len().to_string()]
    };
    let table = Table::new(&["role", "added", "removed", "unchanged"], seeded.roles.iter().map(row));
    let mut answer = Answer::new(&seeded, table)?;
    for UnmatchedPattern { role, pattern, .. } in &seeded.unmatched {
        answer = answer.note(Some(format!("{role}: nothing in the catalog fits `{pattern}`")));
    }
    Ok(answer)
}

fn yes(value: bool) -> String {
    if value { "yes" } else { "no" }.to_owned()
}

fn slugs<S: ToString>(slugs: &[S]) -> String {
    slugs.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
}

async fn create_role(args: NewRoleArgs, store: &dyn TenancyStore) -> Result<Answer, Failure> {
    let NewRoleArgs { slug, org, name, inherited, permissions } = args;
    let mut request = match org {
        Some(org) => CreateRole::new(org_id(store, &org).await?, slug),
        None => CreateRole::of_system(slug),
    };
    request.name = name;
    request.inherits_to_descendants = inherited;
    role_answer(&store.create_role(request.permissions(permissions)).await?)
}

fn role_answer(role: &RoleDefinition) -> Result<Answer, Failure> {
    let record = Record::new()
        .with("id", role.id)
        .with_some("org_id", role.org_id)
        .with("slug", role.slug)
        .with("name", &role.name)
        .with_some("description", role.description.as_ref())
        .with("inherits_to_descendants", role.inherits_to_descendants)
        .with("permissions", slugs(&role.permissions))
        .with("created_at", role.created_at)
        .with("updated_at", role.updated_at);
    Answer::new(role, record)
}

fn changed(changed: &ChangedPermissions) -> Result<Answer, Failure> {
    let record = Record::new()
        .with("role_id", changed.role_id)
        .with("changed", slugs(&changed.changed))
        .with("unchanged", slugs(&changed.unchanged));
    Answer::new(changed, record)
}

pub(super) async fn group(command: GroupCommand, turn: &Turn) -> Result<Answer, Failure> {
    let store = &*turn.store;
    match command {
        GroupCommand::Create { org, slug, name } => {
            let mut request = CreateGroup::new(org_id(store, &org).await?, slug);
            request.name = name;
            group_answer(&store.create_group(request).await?)
        }
        GroupCommand::List { org, paging } => {
            let request = ListGroups::new(org_id(store, &org).await?);
            let page = pages(paging.first(), paging.all, |page| store.list_groups(request.clone().page(page))).await?;
            let row = |group: &Group| vec![group.slug.to_string(), group.name.to_string(), group.id.to_string()];
            let table = Table::new(&["slug", "name", "group"], page.data.iter().map(row));
            Ok(Answer::new(&page, table)?.note(next_page(page.next_cursor.as_ref(), "--cursor")))
        }
        GroupCommand::Delete(one) => group_answer(&store.delete_group(DeleteGroup::new(one.group_id)).await?),
        GroupCommand::Join { group, user, end } => {
            let mut request = AddGroupMember::new(group.group_id, user.usr_id);
            request.expires_at = end.at(turn.now);
            let member = store.add_group_member(request).await?;
            Answer::new(&member, in_group(&member))
        }
        GroupCommand::Leave { group, user } => {
            let gone = store.remove_group_member(RemoveGroupMember::new(group.group_id, user.usr_id)).await?;
            let record = gone.as_ref().map_or_else(Record::new, in_group);
            Ok(Answer::new(&gone, record)?.note(gone.is_none().then(|| "they were not in it".to_owned())))
        }
        GroupCommand::Give { group, role, end } => {
            let mut request = AddGroupRole::new(group.group_id, role.role_id);
            request.expires_at = end.at(turn.now);
            let row = store.add_group_role(request).await?;
            Answer::new(&row, of_group(&row))
        }
        GroupCommand::Take { group, role } => {
            let gone = store.remove_group_role(RemoveGroupRole::new(group.group_id, role.role_id)).await?;
            let record = gone.as_ref().map_or_else(Record::new, of_group);
            Ok(Answer::new(&gone, record)?.note(gone.is_none().then(|| "the group did not have it".to_owned())))
        }
        GroupCommand::Members { group, paging } => {
            let request = ListGroupMembers::new(group.group_id);
            let page = pages(paging.first(), paging.all, |page| store.list_group_members(request.clone().page(page))).await?;
            let row = |row: &GroupMember| vec![row.usr_id.to_string(), end(row.expires_at)];
            let table = Table::new(&["user", "expires"], page.data.iter().map(row));
            Ok(Answer::new(&page, table)?.note(next_page(page.next_cursor.as_ref(), "--cursor")))
        }
        GroupCommand::Roles { group, paging } => {
            let request = ListGroupRoles::new(group.group_id);
            let page = pages(paging.first(), paging.all, |page| store.list_group_roles(request.clone().page(page))).await?;
            let row = |row: &GroupRole| vec![row.role.slug().to_owned(), row.role.id().to_string(), end(row.expires_at)];
            let table = Table::new(&["slug", "role", "expires"], page.data.iter().map(row));
            Ok(Answer::new(&page, table)?.note(next_page(page.next_cursor.as_ref(), "--cursor")))
        }
    }
}

fn end(expires_at: Option<Timestamp>) -> String {
    expires_at.map(to_the_second).unwrap_or_default()
}

fn group_answer(group: &Group) -> Result<Answer, Failure> {
    let record = Record::new()
        .with("id", group.id)
        .with("org_id", group.org_id)
        .with("slug", &group.slug)
        .with("name", &group.name)
        .with("created_at", group.created_at)
        .with("updated_at", group.updated_at);
    Answer::new(group, record)
}

fn in_group(row: &GroupMember) -> Record {
    Record::new().with("group_id", row.group_id).with("usr_id", row.usr_id).with_some("expires_at", row.expires_at)
}

fn of_group(row: &GroupRole) -> Record {
    Record::new().with("group_id", row.group_id).with("role", row.role.slug()).with_some("expires_at", row.expires_at)
}

pub(super) async fn overrides(command: OverrideCommand, turn: &Turn) -> Result<Answer, Failure> {
    let store = &*turn.store;
    let set = match command {
        OverrideCommand::Org { org, permission, effect, end } => {
            let mut request = SetOrgOverride::inherit(org_id(store, &org).await?, permission);
            (request.effect, request.expires_at) = (Effect::parse(&effect), end.at(turn.now));
            store.set_org_override(request).await?
        }
        OverrideCommand::Member { mem_id, permission, effect, end } => {
            let mut request = SetMembershipOverride::clear(mem_id, permission);
            (request.effect, request.expires_at) = (Effect::parse(&effect), end.at(turn.now));
            store.set_membership_override(request).await?
        }
        OverrideCommand::List { org, paging } => {
            let request = ListOrgOverrides::new(org_id(store, &org).await?);
            let page = pages(paging.first(), paging.all, |page| store.list_org_overrides(request.clone().page(page))).await?;
            let row = |row: &PermissionGrant| vec![row.permission.to_string(), row.effect.as_str().to_owned(), end(row.expires_at)];
            let table = Table::new(&["permission", "effect", "expires"], page.data.iter().map(row));
            return Ok(Answer::new(&page, table)?.note(next_page(page.next_cursor.as_ref(), "--cursor")));
        }
    };
    let record = set.as_ref().map_or_else(Record::new, |row| {
        Record::new()
            .with("holder", row.holder)
            .with("permission", &row.permission)
            .with("effect", row.effect.as_str())
            .with_some("expires_at", row.expires_at)
    });
    Ok(Answer::new(&set, record)?.note(set.is_none().then(|| "neither granted nor denied".to_owned())))
}
