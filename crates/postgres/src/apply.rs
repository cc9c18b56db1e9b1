//! Writes a plan through the function `apply_v4`: guards, changes and events as JSON, one round trip.

use std::fmt::Display;

use serde::{Serialize, Serializer};
use sqlx::{PgConnection, Row};
use tenantry_core::{
    BackendError, BackendKind, Change, Description, Event, ExternalId, Group, GroupMember, GroupRole, Guard, Id, Identifier, Invitation,
    Membership, Name, ObjectType, OrgId, Organization, Permission, PermissionGrant, PermissionSlug, Plan, Reason, Refusal, Relation,
    RequestId, Role, RoleDefinition, RoleSlug, RoleUsage, Slug, Timestamp, Tuple, TupleKey, UniqueKey, User,
};
use uuid::Uuid;

use crate::codec::PgMoment;
use crate::error::{Failure, other};
use crate::statements::Statements;

/// The most changes of one call: a longer plan is written in several, inside one transaction.
pub(crate) const CHUNK: usize = 500;

/// How a plan relies on whether rows are there.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Presence {
    #[default]
    Free = 0,
    /// It relies on the absence of some.
    Relied = 1,
    /// It brings some whose ids may be in use.
    Changed = 2,
}

/// What writing came to.
#[derive(Debug)]
pub(crate) enum Applied {
    Done,
    /// Nothing was written.
    Refused(Refusal),
    /// Nothing was written: this is another server process than the one that loaded.
    Moved,
    /// Nothing was written: the transaction sees an older moment than what the plan relies on.
    Isolation,
}

/// How the plan relies on whether rows of organizations are there, and of users.
pub(crate) fn presences(plan: &Plan) -> (Presence, Presence) {
    let mut presences = (Presence::Free, Presence::Free);
    for guard in &plan.guards {
        match guard {
            Guard::NewOrgs => presences.0 = Presence::Changed,
            Guard::NoOrg { id: _ } => presences.0 = presences.0.max(Presence::Relied),
            Guard::NewUsers { without_memberships: _ } => presences.1 = Presence::Changed,
            Guard::User { id: _, revision: None, advance: _ } => presences.1 = presences.1.max(Presence::Relied),
            Guard::User { .. }
            | Guard::Org { .. }
            | Guard::Object { .. }
            | Guard::Memberships { .. }
            | Guard::Tree { .. }
            | Guard::System { .. } => {}
        }
    }
    presences
}

/// Writes the plan. A plan of more than [`CHUNK`] changes takes several calls, so the caller must hold a transaction.
pub(crate) async fn apply(sql: &Statements, conn: &mut PgConnection, plan: &Plan, backend_pid: i32) -> Result<Applied, Failure> {
    let at = plan.at.unwrap_or(Timestamp::MIN);
    let (orgs_presence, users_presence) = presences(plan);
    let mut guards: Vec<GuardRow> = plan.guards.iter().map(guard_row).collect();
    let mut changes = plan.changes.chunks(CHUNK).peekable();
    let mut events = plan.events.chunks(CHUNK).peekable();
    loop {
        let written = changes.next().unwrap_or_default();
        // Events follow when the last change is written.
        let told = if changes.peek().is_none() { events.next().unwrap_or_default() } else { &[] };
        let call = sql.apply.query().bind(orgs_presence as i32).bind(users_presence as i32).bind(json(&guards)?).bind(PgMoment(at));
        let call = call.bind(json(&change_rows(written)?)?).bind(json(&event_rows(told)?)?);
        let answer = understood(call.bind(backend_pid).fetch_one(&mut *conn).await?.try_get(0)?)?;
        if !matches!(answer, Applied::Done) {
            return Ok(answer);
        }
        if let Some(progress) = &plan.progress {
            progress(u64::try_from(written.len() + told.len()).unwrap_or(u64::MAX));
        }
        guards.clear();
        if changes.peek().is_none() && events.peek().is_none() {
            return Ok(Applied::Done);
        }
    }
}

/// Takes what a plan guards, so that nobody else changes it until the transaction ends. Ids come in ascending order.
#[expect(clippy::too_many_arguments, reason = "one for each kind of what is taken, in the order in which it is")]
pub(crate) async fn lock(
    sql: &Statements,
    conn: &mut PgConnection,
    [orgs_presence, users_presence]: [Presence; 2],
    trees: &[Uuid],
    objects: &[String],
    system: bool,
    users: &[Uuid],
    orgs: &[Uuid],
) -> Result<(), Failure> {
    let taken = sql.lock.query().bind(orgs_presence as i32).bind(users_presence as i32).bind(trees);
    taken.bind(objects).bind(system).bind(users).bind(orgs).execute(conn).await?;
    Ok(())
}

fn json(rows: &impl Serialize) -> Result<String, Failure> {
    serde_json::to_string(rows).map_err(|cause| other().caused_by(cause).into())
}

fn understood(answer: &str) -> Result<Applied, Failure> {
    let unknown = || BackendError::new(BackendKind::Schema, "the database's function `apply_v4` is not the one that this program knows");
    let refusal = match answer.split_once(':') {
        None if answer == "ok" => return Ok(Applied::Done),
        None if answer == "moved" => return Ok(Applied::Moved),
        None if answer == "isolation" => return Ok(Applied::Isolation),
        None if answer == "conflict" => Refusal::Conflict,
        Some(("unique", "organization_slug_pkey")) => Refusal::Unique(UniqueKey::OrgSlug),
        Some(("unique", "membership_current")) => Refusal::Unique(UniqueKey::CurrentMembership),
        Some(("unique", "invitation_pending")) => Refusal::Unique(UniqueKey::PendingInvitation),
        Some(("unique", "tuple_key")) => Refusal::Unique(UniqueKey::Tuple),
        Some(("unique", "role_slug")) => Refusal::Unique(UniqueKey::RoleSlug),
        Some(("unique", "user_group_slug")) => Refusal::Unique(UniqueKey::GroupSlug),
        // Under guards that held, the next revision is free.
        Some(("unique", "event_pkey")) => Refusal::Inconsistent { table: "event".to_owned(), id: "unknown".to_owned() },
        Some(("unique", _)) => Refusal::Unique(UniqueKey::Id),
        Some(("inconsistent", row)) => {
            let (table, id) = row.split_once(':').ok_or_else(unknown)?;
            Refusal::Inconsistent { table: table.to_owned(), id: id.to_owned() }
        }
        _ => return Err(unknown().into()),
    };
    Ok(Applied::Refused(refusal))
}

/// A value that is written as its text.
#[derive(Debug)]
struct Text<T>(T);

impl<T: Display> Serialize for Text<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

fn uuid(id: &impl Id) -> Text<Uuid> {
    Text(id.as_uuid())
}

fn opt_uuid<I: Id>(id: Option<&I>) -> Option<Text<Uuid>> {
    id.map(uuid)
}

#[derive(Debug, Serialize)]
#[serde(tag = "k", rename_all = "snake_case")]
enum GuardRow {
    Org { id: Text<Uuid>, revision: u64, events: u64 },
    User { id: Text<Uuid>, revision: u64, advance: u8 },
    NoUser { id: Text<Uuid> },
    NewUsers { without_memberships: Vec<Text<Uuid>> },
    NewOrgs,
    NoOrg { id: Text<Uuid> },
    Tree { root: Text<Uuid>, revision: u64, advance: u8 },
    System { revision: u64, advance: u8 },
    Object { object_type: ObjectType, object_id: Text<Uuid>, org_id: Text<Uuid> },
    Memberships { usr_id: Text<Uuid>, rows: u64, ended: u64 },
}

fn guard_row(guard: &Guard) -> GuardRow {
    match guard {
        Guard::NewOrgs => GuardRow::NewOrgs,
        Guard::NoOrg { id } => GuardRow::NoOrg { id: uuid(id) },
        Guard::Tree { root, revision, advance } => GuardRow::Tree { root: uuid(root), revision: *revision, advance: u8::from(*advance) },
        Guard::System { revision, advance } => GuardRow::System { revision: *revision, advance: u8::from(*advance) },
        Guard::NewUsers { without_memberships } => {
            GuardRow::NewUsers { without_memberships: without_memberships.iter().map(uuid).collect() }
        }
        Guard::User { id, revision: None, advance: _ } => GuardRow::NoUser { id: uuid(id) },
        Guard::User { id, revision: Some(revision), advance } => {
            GuardRow::User { id: uuid(id), revision: *revision, advance: u8::from(*advance) }
        }
        Guard::Object { object, org_id } => GuardRow::Object { object_type: object.kind, object_id: Text(object.id), org_id: uuid(org_id) },
        Guard::Memberships { usr_id, rows, ended } => GuardRow::Memberships { usr_id: uuid(usr_id), rows: *rows, ended: *ended },
        Guard::Org { id, revision, events } => GuardRow::Org { id: uuid(id), revision: *revision, events: *events },
    }
}

#[derive(Debug, Serialize)]
#[serde(tag = "k", rename_all = "snake_case")]
enum ChangeRow<'p> {
    InsertUsers {
        rows: Vec<UserRow<'p>>,
    },
    SetUserStatus {
        id: Text<Uuid>,
        from: &'static str,
        to: &'static str,
    },
    InsertOrgs {
        rows: Vec<OrgRow<'p>>,
    },
    UpdateOrg(OrgFields<'p>),
    SetOrgStatus {
        id: Text<Uuid>,
        from: &'static str,
        to: &'static str,
    },
    ClaimSlugs {
        rows: Vec<SlugRow<'p>>,
    },
    ReleaseSlug {
        slug: &'p Slug,
        org_id: Text<Uuid>,
    },
    InsertMemberships {
        rows: Vec<MembershipRow<'p>>,
    },
    SetMembershipStatus {
        org_id: Text<Uuid>,
        id: Text<Uuid>,
        from: &'static str,
        to: &'static str,
        removed_by: Option<Text<Uuid>>,
    },
    UpdateMembership {
        org_id: Text<Uuid>,
        id: Text<Uuid>,
        from: Option<Timestamp>,
        expires_at: Option<Timestamp>,
        metadata: String,
    },
    EndMemberships {
        org_id: Text<Uuid>,
        count: u64,
    },
    InsertInvitations {
        rows: Vec<InvitationRow<'p>>,
    },
    EndInvitation {
        org_id: Text<Uuid>,
        id: Text<Uuid>,
        to: &'static str,
        terminal_at: Timestamp,
        terminal_by: Option<Text<Uuid>>,
        invited_user_id: Option<Text<Uuid>>,
    },
    ExtendInvitation {
        org_id: Text<Uuid>,
        id: Text<Uuid>,
        from: &'static str,
        expires_at: Timestamp,
    },
    RevokeInvitations {
        org_id: Text<Uuid>,
        count: u64,
        terminal_by: Option<Text<Uuid>>,
    },
    InsertTuples {
        rows: Vec<TupleRow<'p>>,
    },
    DeleteTuple {
        id: Text<Uuid>,
    },
    DeleteTuplesOfMember {
        org_id: Text<Uuid>,
        usr_id: Text<Uuid>,
        count: u64,
    },
    DeleteTuplesOfOrg {
        org_id: Text<Uuid>,
        count: u64,
    },
    PutPermissions {
        rows: Vec<PermissionRow<'p>>,
    },
    InsertRoles {
        rows: Vec<RoleRow<'p>>,
    },
    UpdateRole {
        id: Text<Uuid>,
        name: &'p Name,
        description: Option<&'p Description>,
        inherits_to_descendants: bool,
    },
    DeleteRole {
        id: Text<Uuid>,
        grants: u64,
        lapsed: u64,
    },
    ReplaceRole {
        from: Text<Uuid>,
        to: Text<Uuid>,
        to_slug: Option<&'p str>,
        memberships: u64,
        invitations: u64,
        groups: u64,
    },
    PutGrants {
        rows: Vec<GrantRow<'p>>,
    },
    DropGrants {
        holder_type: &'static str,
        holder_id: Text<Uuid>,
        permissions: &'p [PermissionSlug],
    },
    CopyGrants {
        from: Text<Uuid>,
        to: Text<Uuid>,
        count: u64,
    },
    InsertGroups {
        rows: Vec<GroupRow<'p>>,
    },
    UpdateGroup {
        id: Text<Uuid>,
        name: &'p Name,
    },
    DeleteGroup {
        id: Text<Uuid>,
        members: u64,
        roles: u64,
    },
    PutGroupMembers {
        rows: Vec<GroupMemberRow>,
    },
    /// Of a group and a user, of a user, or of the organization.
    DropGroupMembers {
        org_id: Text<Uuid>,
        group_id: Option<Text<Uuid>>,
        usr_id: Option<Text<Uuid>>,
        count: u64,
    },
    PutGroupRoles {
        rows: Vec<GroupRoleRow<'p>>,
    },
    DropGroupRole {
        group_id: Text<Uuid>,
        role_id: Text<Uuid>,
    },
    MoveOrg {
        id: Text<Uuid>,
        from: Option<Text<Uuid>>,
        to: Option<Text<Uuid>>,
        depth: usize,
        ancestors: Vec<Text<Uuid>>,
        count: u64,
    },
}

/// New rows of one table that stand together become one list.
fn change_rows(changes: &[Change]) -> Result<Vec<ChangeRow<'_>>, Failure> {
    let mut all: Vec<ChangeRow<'_>> = Vec::new();
    for change in changes {
        match (all.last_mut(), change_row(change)?) {
            (Some(ChangeRow::InsertUsers { rows }), ChangeRow::InsertUsers { rows: more }) => rows.extend(more),
            (Some(ChangeRow::InsertOrgs { rows }), ChangeRow::InsertOrgs { rows: more }) => rows.extend(more),
            (Some(ChangeRow::ClaimSlugs { rows }), ChangeRow::ClaimSlugs { rows: more }) => rows.extend(more),
            (Some(ChangeRow::InsertMemberships { rows }), ChangeRow::InsertMemberships { rows: more }) => rows.extend(more),
            (Some(ChangeRow::InsertInvitations { rows }), ChangeRow::InsertInvitations { rows: more }) => rows.extend(more),
            (Some(ChangeRow::InsertTuples { rows }), ChangeRow::InsertTuples { rows: more }) => rows.extend(more),
            (Some(ChangeRow::InsertRoles { rows }), ChangeRow::InsertRoles { rows: more }) => rows.extend(more),
            (Some(ChangeRow::InsertGroups { rows }), ChangeRow::InsertGroups { rows: more }) => rows.extend(more),
            // No plan puts a row twice, which one statement could not.
            (Some(ChangeRow::PutPermissions { rows }), ChangeRow::PutPermissions { rows: more }) => rows.extend(more),
            (Some(ChangeRow::PutGrants { rows }), ChangeRow::PutGrants { rows: more }) => rows.extend(more),
            (Some(ChangeRow::PutGroupMembers { rows }), ChangeRow::PutGroupMembers { rows: more }) => rows.extend(more),
            (Some(ChangeRow::PutGroupRoles { rows }), ChangeRow::PutGroupRoles { rows: more }) => rows.extend(more),
            (_, row) => all.push(row),
        }
    }
    Ok(all)
}

#[expect(clippy::too_many_lines, reason = "one arm for each change, and each is short")]
fn change_row(change: &Change) -> Result<ChangeRow<'_>, Failure> {
    Ok(match change {
        Change::InsertUser(user) => ChangeRow::InsertUsers { rows: vec![user_row(user)] },
        Change::SetUserStatus { id, from, to } => ChangeRow::SetUserStatus { id: uuid(id), from: from.as_str(), to: to.as_str() },
        Change::InsertOrg(org) => ChangeRow::InsertOrgs { rows: vec![org_row(org)?] },
        Change::UpdateOrg { id, status, name, slug, cascade_permissions, inherit_permissions, seat_limit, external_id, metadata } => {
            ChangeRow::UpdateOrg(OrgFields {
                id: uuid(id),
                status: status.as_str(),
                name: name.as_ref(),
                name_folded: name.as_ref().map(Name::folded),
                slug: slug.as_ref(),
                cascade_permissions: *cascade_permissions,
                inherit_permissions: *inherit_permissions,
                seat_limit: *seat_limit,
                external_id: external_id.as_ref(),
                metadata: json(metadata)?,
            })
        }
        Change::SetOrgStatus { id, from, to } => ChangeRow::SetOrgStatus { id: uuid(id), from: from.as_str(), to: to.as_str() },
        Change::ClaimSlug { slug, org_id } => ChangeRow::ClaimSlugs { rows: vec![SlugRow { slug, org_id: uuid(org_id) }] },
        Change::ReleaseSlug { slug, org_id } => ChangeRow::ReleaseSlug { slug, org_id: uuid(org_id) },
        Change::InsertMembership(mem) => ChangeRow::InsertMemberships { rows: vec![membership_row(mem)?] },
        Change::SetMembershipStatus { org_id, id, from, to, removed_by } => ChangeRow::SetMembershipStatus {
            org_id: uuid(org_id),
            id: uuid(id),
            from: from.as_str(),
            to: to.as_str(),
            removed_by: opt_uuid(removed_by.as_ref()),
        },
        Change::UpdateMembership { org_id, id, from, expires_at, metadata } => ChangeRow::UpdateMembership {
            org_id: uuid(org_id),
            id: uuid(id),
            from: *from,
            expires_at: *expires_at,
            metadata: json(metadata)?,
        },
        Change::EndMemberships { org_id, count } => ChangeRow::EndMemberships { org_id: uuid(org_id), count: *count },
        Change::InsertInvitation(inv) => ChangeRow::InsertInvitations { rows: vec![invitation_row(inv)?] },
        Change::EndInvitation { org_id, id, to, terminal_at, terminal_by, invited_user_id } => ChangeRow::EndInvitation {
            org_id: uuid(org_id),
            id: uuid(id),
            to: to.as_str(),
            terminal_at: *terminal_at,
            terminal_by: opt_uuid(terminal_by.as_ref()),
            invited_user_id: opt_uuid(invited_user_id.as_ref()),
        },
        Change::ExtendInvitation { org_id, id, from, expires_at } => {
            ChangeRow::ExtendInvitation { org_id: uuid(org_id), id: uuid(id), from: from.as_str(), expires_at: *expires_at }
        }
        Change::RevokeInvitations { org_id, count, terminal_by } => {
            ChangeRow::RevokeInvitations { org_id: uuid(org_id), count: *count, terminal_by: opt_uuid(terminal_by.as_ref()) }
        }
        Change::InsertTuple(tuple) => ChangeRow::InsertTuples { rows: vec![tuple_row(tuple)] },
        Change::DeleteTuple { id } => ChangeRow::DeleteTuple { id: uuid(id) },
        Change::DeleteTuplesOfMember { org_id, usr_id, count } => {
            ChangeRow::DeleteTuplesOfMember { org_id: uuid(org_id), usr_id: uuid(usr_id), count: *count }
        }
        Change::DeleteTuplesOfOrg { org_id, count } => ChangeRow::DeleteTuplesOfOrg { org_id: uuid(org_id), count: *count },
        Change::PutPermissions(permissions) => ChangeRow::PutPermissions { rows: permissions.iter().map(permission_row).collect() },
        Change::InsertRole(role) => ChangeRow::InsertRoles { rows: vec![role_row(role)] },
        Change::UpdateRole { id, name, description, inherits_to_descendants } => ChangeRow::UpdateRole {
            id: uuid(id),
            name,
            description: description.as_ref(),
            inherits_to_descendants: *inherits_to_descendants,
        },
        Change::DeleteRole { id, grants, lapsed } => ChangeRow::DeleteRole { id: uuid(id), grants: *grants, lapsed: *lapsed },
        Change::ReplaceRole { from, to, usage: RoleUsage { memberships, invitations, groups } } => ChangeRow::ReplaceRole {
            from: uuid(from),
            to: uuid(&to.id()),
            to_slug: own_slug(to),
            memberships: *memberships,
            invitations: *invitations,
            groups: *groups,
        },
        Change::PutGrants(rows) => ChangeRow::PutGrants { rows: rows.iter().map(grant_row).collect() },
        Change::DropGrants { holder, permissions } => {
            ChangeRow::DropGrants { holder_type: holder.kind(), holder_id: Text(holder.uuid()), permissions }
        }
        Change::CopyGrants { from, to, count } => ChangeRow::CopyGrants { from: uuid(from), to: uuid(to), count: *count },
        Change::InsertGroup(group) => ChangeRow::InsertGroups { rows: vec![group_row(group)] },
        Change::UpdateGroup { id, name } => ChangeRow::UpdateGroup { id: uuid(id), name },
        Change::DeleteGroup { id, members, roles } => ChangeRow::DeleteGroup { id: uuid(id), members: *members, roles: *roles },
        Change::PutGroupMember(row) => ChangeRow::PutGroupMembers { rows: vec![group_member_row(row)] },
        Change::DropGroupMember { org_id, group_id, usr_id } => {
            ChangeRow::DropGroupMembers { org_id: uuid(org_id), group_id: Some(uuid(group_id)), usr_id: Some(uuid(usr_id)), count: 1 }
        }
        Change::DropGroupMembersOfUser { org_id, usr_id, count } => {
            ChangeRow::DropGroupMembers { org_id: uuid(org_id), group_id: None, usr_id: Some(uuid(usr_id)), count: *count }
        }
        Change::DropGroupMembersOfOrg { org_id, count } => {
            ChangeRow::DropGroupMembers { org_id: uuid(org_id), group_id: None, usr_id: None, count: *count }
        }
        Change::PutGroupRole(row) => ChangeRow::PutGroupRoles { rows: vec![group_role_row(row)] },
        Change::DropGroupRole { group_id, role_id } => ChangeRow::DropGroupRole { group_id: uuid(group_id), role_id: uuid(role_id) },
        Change::MoveOrg { id, from, to, depth, ancestors, count } => ChangeRow::MoveOrg {
            id: uuid(id),
            from: opt_uuid(from.as_ref()),
            to: opt_uuid(to.as_ref()),
            depth: *depth,
            ancestors: ancestors.iter().map(uuid).collect(),
            count: *count,
        },
    })
}

/// What is stored beside a role's id: nothing for a built-in one.
fn own_slug(role: &Role) -> Option<&str> {
    role.custom().map(|role| role.slug.as_str())
}

#[derive(Debug, Serialize)]
struct PermissionRow<'p> {
    slug: &'p PermissionSlug,
    name: Option<&'p Name>,
    description: Option<&'p Description>,
    category: Option<&'p Name>,
    created_at: Timestamp,
    updated_at: Timestamp,
}

fn permission_row(permission: &Permission) -> PermissionRow<'_> {
    let Permission { slug, name, description, category, created_at, updated_at } = permission;
    PermissionRow {
        slug,
        name: name.as_ref(),
        description: description.as_ref(),
        category: category.as_ref(),
        created_at: *created_at,
        updated_at: *updated_at,
    }
}

#[derive(Debug, Serialize)]
struct RoleRow<'p> {
    id: Text<Uuid>,
    org_id: Option<Text<Uuid>>,
    slug: RoleSlug,
    name: &'p Name,
    description: Option<&'p Description>,
    inherits_to_descendants: bool,
    created_at: Timestamp,
    updated_at: Timestamp,
}

fn role_row(role: &RoleDefinition) -> RoleRow<'_> {
    let RoleDefinition {
        id,
        org_id,
        slug,
        name,
        description,
        is_system: _,
        inherits_to_descendants,
        permissions: _,
        created_at,
        updated_at,
    } = role;
    RoleRow {
        id: uuid(id),
        org_id: opt_uuid(org_id.as_ref()),
        slug: *slug,
        name,
        description: description.as_ref(),
        inherits_to_descendants: *inherits_to_descendants,
        created_at: *created_at,
        updated_at: *updated_at,
    }
}

#[derive(Debug, Serialize)]
struct GrantRow<'p> {
    holder_type: &'static str,
    holder_id: Text<Uuid>,
    permission: &'p PermissionSlug,
    effect: &'static str,
    granted_by: Option<Text<Uuid>>,
    created_at: Timestamp,
    expires_at: Option<Timestamp>,
}

fn grant_row(row: &PermissionGrant) -> GrantRow<'_> {
    let PermissionGrant { holder, permission, effect, granted_by, created_at, expires_at } = row;
    GrantRow {
        holder_type: holder.kind(),
        holder_id: Text(holder.uuid()),
        permission,
        effect: effect.as_str(),
        granted_by: opt_uuid(granted_by.as_ref()),
        created_at: *created_at,
        expires_at: *expires_at,
    }
}

#[derive(Debug, Serialize)]
struct GroupRow<'p> {
    id: Text<Uuid>,
    org_id: Text<Uuid>,
    slug: &'p Slug,
    name: &'p Name,
    created_at: Timestamp,
    updated_at: Timestamp,
}

fn group_row(group: &Group) -> GroupRow<'_> {
    let Group { id, org_id, slug, name, created_at, updated_at } = group;
    GroupRow { id: uuid(id), org_id: uuid(org_id), slug, name, created_at: *created_at, updated_at: *updated_at }
}

#[derive(Debug, Serialize)]
struct GroupMemberRow {
    org_id: Text<Uuid>,
    usr_id: Text<Uuid>,
    group_id: Text<Uuid>,
    granted_by: Option<Text<Uuid>>,
    created_at: Timestamp,
    expires_at: Option<Timestamp>,
}

fn group_member_row(row: &GroupMember) -> GroupMemberRow {
    let GroupMember { group_id, org_id, usr_id, granted_by, created_at, expires_at } = row;
    GroupMemberRow {
        org_id: uuid(org_id),
        usr_id: uuid(usr_id),
        group_id: uuid(group_id),
        granted_by: opt_uuid(granted_by.as_ref()),
        created_at: *created_at,
        expires_at: *expires_at,
    }
}

#[derive(Debug, Serialize)]
struct GroupRoleRow<'p> {
    group_id: Text<Uuid>,
    role_id: Text<Uuid>,
    role_slug: Option<&'p str>,
    granted_by: Option<Text<Uuid>>,
    created_at: Timestamp,
    expires_at: Option<Timestamp>,
}

fn group_role_row(row: &GroupRole) -> GroupRoleRow<'_> {
    let GroupRole { group_id, org_id: _, role, granted_by, created_at, expires_at } = row;
    GroupRoleRow {
        group_id: uuid(group_id),
        role_id: uuid(&role.id()),
        role_slug: own_slug(role),
        granted_by: opt_uuid(granted_by.as_ref()),
        created_at: *created_at,
        expires_at: *expires_at,
    }
}

#[derive(Debug, Serialize)]
struct SlugRow<'p> {
    slug: &'p Slug,
    org_id: Text<Uuid>,
}

#[derive(Debug, Serialize)]
struct UserRow<'p> {
    id: Text<Uuid>,
    status: &'static str,
    display_name: Option<&'p Name>,
    revision: u64,
    created_at: Timestamp,
    updated_at: Timestamp,
}

fn user_row(user: &User) -> UserRow<'_> {
    let User { id, status, display_name, created_at, updated_at, revision } = user;
    UserRow {
        id: uuid(id),
        status: status.as_str(),
        display_name: display_name.as_ref(),
        revision: *revision,
        created_at: *created_at,
        updated_at: *updated_at,
    }
}

#[derive(Debug, Serialize)]
struct OrgFields<'p> {
    id: Text<Uuid>,
    status: &'static str,
    name: Option<&'p Name>,
    name_folded: Option<String>,
    slug: Option<&'p Slug>,
    cascade_permissions: bool,
    inherit_permissions: bool,
    seat_limit: Option<u32>,
    external_id: Option<&'p ExternalId>,
    metadata: String,
}

#[derive(Debug, Serialize)]
struct OrgRow<'p> {
    #[serde(flatten)]
    fields: OrgFields<'p>,
    parent_id: Option<Text<Uuid>>,
    ancestors: Vec<Text<Uuid>>,
    revision: u64,
    created_at: Timestamp,
    updated_at: Timestamp,
}

fn org_row(org: &Organization) -> Result<OrgRow<'_>, Failure> {
    let Organization {
        id,
        parent_id,
        status,
        name,
        slug,
        cascade_permissions,
        inherit_permissions,
        seat_limit,
        external_id,
        metadata,
        revision,
        created_at,
        updated_at,
        ancestors,
        // That of a new one is what the table says.
        structure_revision: _,
    } = org;
    Ok(OrgRow {
        fields: OrgFields {
            id: uuid(id),
            status: status.as_str(),
            name: name.as_ref(),
            name_folded: name.as_ref().map(Name::folded),
            slug: slug.as_ref(),
            cascade_permissions: *cascade_permissions,
            inherit_permissions: *inherit_permissions,
            seat_limit: *seat_limit,
            external_id: external_id.as_ref(),
            metadata: json(metadata)?,
        },
        parent_id: opt_uuid(parent_id.as_ref()),
        ancestors: ancestors.iter().map(|id: &OrgId| uuid(id)).collect(),
        revision: *revision,
        created_at: *created_at,
        updated_at: *updated_at,
    })
}

#[derive(Debug, Serialize)]
struct MembershipRow<'p> {
    org_id: Text<Uuid>,
    id: Text<Uuid>,
    usr_id: Text<Uuid>,
    role_id: Text<Uuid>,
    role_slug: Option<&'p str>,
    status: &'static str,
    replaces: Option<Text<Uuid>>,
    invited_by: Option<Text<Uuid>>,
    removed_by: Option<Text<Uuid>>,
    expires_at: Option<Timestamp>,
    metadata: String,
    created_at: Timestamp,
    updated_at: Timestamp,
}

fn membership_row(mem: &Membership) -> Result<MembershipRow<'_>, Failure> {
    let Membership { id, usr_id, org_id, role, status, replaces, invited_by, removed_by, expires_at, metadata, created_at, updated_at } =
        mem;
    Ok(MembershipRow {
        org_id: uuid(org_id),
        id: uuid(id),
        usr_id: uuid(usr_id),
        role_id: uuid(&role.id()),
        role_slug: own_slug(role),
        status: status.as_str(),
        replaces: opt_uuid(replaces.as_ref()),
        invited_by: opt_uuid(invited_by.as_ref()),
        removed_by: opt_uuid(removed_by.as_ref()),
        expires_at: *expires_at,
        metadata: json(metadata)?,
        created_at: *created_at,
        updated_at: *updated_at,
    })
}

#[derive(Debug, Serialize)]
struct InvitationRow<'p> {
    org_id: Text<Uuid>,
    id: Text<Uuid>,
    identifier: &'p Identifier,
    role_id: Text<Uuid>,
    role_slug: Option<&'p str>,
    status: &'static str,
    pre_tuples: String,
    invited_by: Text<Uuid>,
    invited_user_id: Option<Text<Uuid>>,
    created_at: Timestamp,
    expires_at: Timestamp,
    terminal_at: Option<Timestamp>,
    terminal_by: Option<Text<Uuid>>,
    judged: bool,
}

fn invitation_row(inv: &Invitation) -> Result<InvitationRow<'_>, Failure> {
    let Invitation {
        id,
        org_id,
        identifier,
        role,
        status,
        pre_tuples,
        invited_by,
        invited_user_id,
        created_at,
        expires_at,
        terminal_at,
        terminal_by,
        judged,
    } = inv;
    Ok(InvitationRow {
        org_id: uuid(org_id),
        id: uuid(id),
        identifier,
        role_id: uuid(&role.id()),
        role_slug: own_slug(role),
        status: status.as_str(),
        pre_tuples: json(pre_tuples)?,
        invited_by: uuid(invited_by),
        invited_user_id: opt_uuid(invited_user_id.as_ref()),
        created_at: *created_at,
        expires_at: *expires_at,
        terminal_at: *terminal_at,
        terminal_by: opt_uuid(terminal_by.as_ref()),
        judged: *judged,
    })
}

#[derive(Debug, Serialize)]
struct TupleRow<'p> {
    id: Text<Uuid>,
    subject_type: ObjectType,
    subject_id: Text<Uuid>,
    relation: &'p Relation,
    object_type: ObjectType,
    object_id: Text<Uuid>,
    org_id: Option<Text<Uuid>>,
    created_at: Timestamp,
    created_by: Option<Text<Uuid>>,
    expires_at: Option<Timestamp>,
}

fn tuple_row(tuple: &Tuple) -> TupleRow<'_> {
    let Tuple { id, key: TupleKey { subject, relation, object }, org_id, created_at, created_by, expires_at } = tuple;
    TupleRow {
        id: uuid(id),
        subject_type: subject.kind,
        subject_id: Text(subject.id),
        relation,
        object_type: object.kind,
        object_id: Text(object.id),
        org_id: opt_uuid(org_id.as_ref()),
        created_at: *created_at,
        created_by: opt_uuid(created_by.as_ref()),
        expires_at: *expires_at,
    }
}

#[derive(Debug, Serialize)]
struct EventRow<'p> {
    id: Text<Uuid>,
    org_id: Option<Text<Uuid>>,
    revision: Option<u64>,
    r#type: &'static str,
    actor_type: &'static str,
    actor_id: Option<String>,
    /// Text, not JSON: what is stored must not depend on how a database orders keys.
    subject_ids: String,
    data: String,
    request_id: Option<&'p RequestId>,
    reason: Option<&'p Reason>,
}

/// Events of organizations, or of none, that stand together.
#[derive(Debug, Serialize)]
#[serde(tag = "k", rename_all = "snake_case")]
enum EventRows<'p> {
    OfOrgs { rows: Vec<EventRow<'p>> },
    OfStore { rows: Vec<EventRow<'p>> },
}

fn event_rows(events: &[Event]) -> Result<Vec<EventRows<'_>>, Failure> {
    let mut all: Vec<EventRows<'_>> = Vec::new();
    for event in events {
        let (row, of_org) = (event_row(event)?, event.org_id.is_some());
        match all.last_mut() {
            Some(EventRows::OfOrgs { rows }) if of_org => rows.push(row),
            Some(EventRows::OfStore { rows }) if !of_org => rows.push(row),
            _ if of_org => all.push(EventRows::OfOrgs { rows: vec![row] }),
            _ => all.push(EventRows::OfStore { rows: vec![row] }),
        }
    }
    Ok(all)
}

fn event_row(event: &Event) -> Result<EventRow<'_>, Failure> {
    // `at` of every event is the plan's moment, which the function is given once.
    let Event { id, org_id, revision, kind, actor, at: _, subject_ids, data, request_id, reason } = event;
    Ok(EventRow {
        id: uuid(id),
        org_id: opt_uuid(org_id.as_ref()),
        revision: *revision,
        r#type: kind.as_str(),
        actor_type: actor.kind.as_str(),
        actor_id: actor.id.map(|id| id.to_string()),
        subject_ids: json(subject_ids)?,
        data: json(data)?,
        request_id: request_id.as_ref(),
        reason: reason.as_ref(),
    })
}
