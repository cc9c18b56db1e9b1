//! Writes a plan, defined by `tenantry_core::State::apply`. Runs inside a savepoint: after a failure the caller takes back what
//! was written until then.

use rusqlite::{Params, params};
use tenantry_core::{
    Change, Description, EntityRef, Event, ExternalId, Group, GroupMember, GroupRole, Guard, Holder, Id, Invitation, Membership, Name,
    Organization, Permission, PermissionGrant, Plan, Progress, Reason, Refusal, RequestId, RoleDefinition, RoleUsage, Slug, Timestamp,
    Tuple, TupleKey, UniqueKey, User,
};

use crate::access::{self, held_by, own_slug};
use crate::codec::{self, bytes, integer};
use crate::error::{Failure, unique_key};
use crate::session::Session;
use crate::tuples::{ends, is_elsewhere};

pub(crate) fn apply(db: &Session, plan: &Plan) -> Result<(), Failure> {
    let at = plan.at.unwrap_or(Timestamp::MIN);
    for guard in &plan.guards {
        hold(db, guard, at)?;
    }
    let mut told = Told { progress: plan.progress.as_ref(), since: 0 };
    for change in &plan.changes {
        write(db, change, at.as_micros())?;
        told.one_more();
    }
    for event in &plan.events {
        append(db, event)?;
        told.one_more();
    }
    told.the_rest();
    Ok(())
}

/// Compares what the decision relied on. The write lock has been held since the load, so a difference is no race that another
/// attempt could win: something is wrong with the row.
fn hold(db: &Session, guard: &Guard, at: Timestamp) -> Result<(), Failure> {
    match guard {
        Guard::User { id, revision, advance } => {
            let same = match revision {
                Some(revision) if *advance => db.run(&db.sql.advance_user, params![bytes(id), integer(*revision)])? == 1,
                revision => stored_revision(db, &db.sql.user_revision, id)? == revision.map(integer),
            };
            expect(same, "user_account", id)
        }
        // Nothing else writes while this does, so only what was there at the load could be.
        Guard::NewOrgs => Ok(()),
        Guard::Tree { root, revision, advance } => {
            let same = if *advance {
                db.run(&db.sql.advance_tree, params![bytes(root), integer(*revision)])? == 1
            } else {
                stored_revision(db, &db.sql.structure_revision, root)? == Some(integer(*revision))
            };
            expect(same, "organization", root)
        }
        Guard::System { revision, advance } => {
            let same = if *advance {
                db.run(&db.sql.advance_system, [integer(*revision)])? == 1
            } else {
                access::system_revision(db)? == *revision
            };
            expect(same, "system", &1)
        }
        Guard::NoOrg { id } => expect(stored_revision(db, &db.sql.org_revision, id)?.is_none(), "organization", id),
        Guard::NewUsers { without_memberships } => {
            without_memberships.iter().try_for_each(|usr| expect(!db.holds(&db.sql.has_memberships, [bytes(usr)])?, "membership", usr))
        }
        Guard::Org { id, revision, events } => {
            let same = if *events > 0 {
                db.run(&db.sql.advance_org, params![bytes(id), integer(*revision), integer(*events)])? == 1
            } else {
                stored_revision(db, &db.sql.org_revision, id)? == Some(integer(*revision))
            };
            expect(same, "organization", id)
        }
        Guard::Memberships { usr_id, rows, ended } => {
            let there = db.first(&db.sql.tenancy, [bytes(usr_id)], codec::tenancy)?.unwrap_or_default();
            expect((there.rows, there.ended) == (*rows, *ended), "membership", usr_id)
        }
        Guard::Object { object, org_id } => expect(!is_elsewhere(db, *object, *org_id, at)?, "tuple", object),
    }
}

fn stored_revision(db: &Session, sql: &str, id: &impl Id) -> Result<Option<i64>, Failure> {
    db.first(sql, [bytes(id)], |row| Ok(row.get(0)?))
}

fn expect(holds: bool, table: &str, id: &impl ToString) -> Result<(), Failure> {
    if holds { Ok(()) } else { Err(Failure::inconsistent(table, id.to_string())) }
}

#[expect(clippy::too_many_lines, reason = "one arm for each change, and each is short")]
fn write(db: &Session, change: &Change, at: i64) -> Result<(), Failure> {
    match change {
        Change::InsertUser(user) => insert_user(db, user),
        Change::SetUserStatus { id, from, to } => {
            let changed = db.run(&db.sql.set_user_status, params![at, bytes(id), from.as_str(), to.as_str()])?;
            expect(changed == 1, "user_account", id)
        }
        Change::InsertOrg(org) => insert_org(db, org),
        Change::UpdateOrg { id, status, name, slug, cascade_permissions, inherit_permissions, seat_limit, external_id, metadata } => {
            let changed = db.run(
                &db.sql.update_org,
                params![
                    at,
                    bytes(id),
                    status.as_str(),
                    name.as_ref().map(Name::as_str),
                    name.as_ref().map(Name::folded),
                    slug.as_ref().map(Slug::as_str),
                    cascade_permissions,
                    inherit_permissions,
                    seat_limit,
                    external_id.as_ref().map(ExternalId::as_str),
                    json(metadata)?,
                ],
            )?;
            expect(changed == 1, "organization", id)
        }
        Change::SetOrgStatus { id, from, to } => {
            let changed = db.run(&db.sql.set_org_status, params![at, bytes(id), from.as_str(), to.as_str()])?;
            expect(changed == 1, "organization", id)
        }
        Change::ClaimSlug { slug, org_id } => place(db, &db.sql.claim_slug, params![slug.as_str(), bytes(org_id)]).map(drop),
        Change::ReleaseSlug { slug, org_id } => {
            let released = db.run(&db.sql.release_slug, params![slug.as_str(), bytes(org_id)])?;
            expect(released == 1, "organization_slug", slug)
        }
        Change::InsertMembership(mem) => insert_membership(db, mem),
        Change::SetMembershipStatus { org_id, id, from, to, removed_by } => {
            let removed_by = removed_by.as_ref().map(bytes);
            let bound = params![at, bytes(org_id), bytes(id), from.as_str(), to.as_str(), removed_by];
            expect(db.run(&db.sql.set_membership_status, bound)? == 1, "membership", id)
        }
        Change::UpdateMembership { org_id, id, from, expires_at, metadata } => {
            let (from, expires_at) = (from.map(Timestamp::as_micros), expires_at.map(Timestamp::as_micros));
            let bound = params![at, bytes(org_id), bytes(id), from, expires_at, json(metadata)?];
            expect(db.run(&db.sql.update_membership, bound)? == 1, "membership", id)
        }
        Change::EndMemberships { org_id, count } => {
            let ended = db.run(&db.sql.end_memberships, params![at, bytes(org_id)])?;
            expect_count(ended, *count, "membership", org_id)
        }
        Change::InsertInvitation(inv) => insert_invitation(db, inv),
        Change::EndInvitation { org_id, id, to, terminal_at, terminal_by, invited_user_id } => {
            let (terminal_by, invited_user_id) = (terminal_by.as_ref().map(bytes), invited_user_id.as_ref().map(bytes));
            let bound = params![bytes(org_id), bytes(id), to.as_str(), terminal_at.as_micros(), terminal_by, invited_user_id];
            expect(db.run(&db.sql.end_invitation, bound)? == 1, "invitation", id)
        }
        Change::ExtendInvitation { org_id, id, from, expires_at } => {
            let bound = params![bytes(org_id), bytes(id), from.as_str(), expires_at.as_micros()];
            expect(place(db, &db.sql.extend_invitation, bound)? == 1, "invitation", id)
        }
        Change::RevokeInvitations { org_id, count, terminal_by } => {
            let revoked = db.run(&db.sql.revoke_invitations, params![at, bytes(org_id), terminal_by.as_ref().map(bytes)])?;
            expect_count(revoked, *count, "invitation", org_id)
        }
        Change::InsertTuple(tuple) => insert_tuple(db, tuple),
        Change::DeleteTuple { id } => expect(db.run(&db.sql.delete_tuple, [bytes(id)])? == 1, "tuple", id),
        Change::DeleteTuplesOfMember { org_id, usr_id, count } => {
            let subject = EntityRef::user(*usr_id);
            let (kind, id) = ends(&subject);
            let gone = db.run(&db.sql.delete_tuples_of_member, params![bytes(org_id), kind, id])?;
            expect_count(gone, *count, "tuple", org_id)
        }
        Change::DeleteTuplesOfOrg { org_id, count } => {
            let object = EntityRef::org(*org_id);
            let (kind, id) = ends(&object);
            let in_scope = db.run(&db.sql.delete_tuples_in_scope, [bytes(org_id)])?;
            let others = db.run(&db.sql.delete_tuples_on_object, params![kind, id])?;
            expect_count(in_scope + others, *count, "tuple", org_id)
        }
        Change::PutPermissions(permissions) => permissions.iter().try_for_each(|permission| put_permission(db, permission)),
        Change::InsertRole(role) => insert_role(db, role),
        Change::UpdateRole { id, name, description, inherits_to_descendants } => {
            let description = description.as_ref().map(Description::as_str);
            let bound = params![at, bytes(id), name.as_str(), description, inherits_to_descendants];
            expect(db.run(&db.sql.update_role, bound)? == 1, "role", id)
        }
        Change::DeleteRole { id, grants, lapsed } => {
            let (kind, key) = held_by(Holder::Role(*id));
            expect_count(db.run(&db.sql.drop_grants, params![kind, key])?, *grants, "role", id)?;
            expect_count(db.run(&db.sql.drop_lapsed_group_roles, [key])?, *lapsed, "role", id)?;
            expect(db.run(&db.sql.delete_role, [key])? == 1, "role", id)
        }
        Change::ReplaceRole { from, to, usage: RoleUsage { memberships, invitations, groups } } => {
            let bound = params![at, bytes(from), bytes(&to.id()), own_slug(to)];
            expect_count(db.run(&db.sql.replace_role_of_memberships, bound)?, *memberships, "role", from)?;
            expect_count(db.run(&db.sql.replace_role_of_invitations, bound)?, *invitations, "role", from)?;
            db.run(&db.sql.replace_role_of_groups, bound)?;
            let dropped = db.run(&db.sql.drop_replaced_group_roles, params![at, bytes(from)])?;
            expect_count(dropped, *groups, "role", from)
        }
        Change::PutGrants(rows) => rows.iter().try_for_each(|row| put_grant(db, row)),
        Change::DropGrants { holder, permissions } => {
            let (kind, key) = held_by(*holder);
            permissions.iter().try_for_each(|permission| {
                let dropped = db.run(&db.sql.drop_grant, params![kind, key, permission.as_str()])?;
                expect(dropped == 1, "permission_grant", holder)
            })
        }
        Change::CopyGrants { from, to, count } => {
            let copied = place(db, &db.sql.copy_grants, [bytes(from), bytes(to)])?;
            expect_count(copied, *count, "permission_grant", from)
        }
        Change::InsertGroup(group) => {
            let Group { id, org_id, slug, name, created_at, updated_at } = group;
            let times = (created_at.as_micros(), updated_at.as_micros());
            let bound = params![bytes(id), bytes(org_id), slug.as_str(), name.as_str(), times.0, times.1];
            place_once(db, &db.sql.insert_group, bound, &db.sql.group_id_is_there, id)
        }
        Change::UpdateGroup { id, name } => {
            expect(db.run(&db.sql.update_group, params![at, bytes(id), name.as_str()])? == 1, "user_group", id)
        }
        Change::DeleteGroup { id, members, roles } => {
            expect_count(db.run(&db.sql.drop_group_members, [bytes(id)])?, *members, "user_group", id)?;
            expect_count(db.run(&db.sql.drop_group_roles, [bytes(id)])?, *roles, "user_group", id)?;
            expect(db.run(&db.sql.delete_group, [bytes(id)])? == 1, "user_group", id)
        }
        Change::PutGroupMember(row) => {
            let GroupMember { group_id, org_id, usr_id, granted_by, created_at, expires_at } = row;
            let (by, end) = (granted_by.as_ref().map(bytes), expires_at.map(Timestamp::as_micros));
            let bound = params![bytes(group_id), bytes(org_id), bytes(usr_id), by, created_at.as_micros(), end];
            Ok(db.run(&db.sql.put_group_member, bound).map(drop)?)
        }
        Change::DropGroupMember { org_id, group_id, usr_id } => {
            let dropped = db.run(&db.sql.drop_group_member, [bytes(org_id), bytes(usr_id), bytes(group_id)])?;
            expect(dropped == 1, "group_member", group_id)
        }
        Change::DropGroupMembersOfUser { org_id, usr_id, count } => {
            let dropped = db.run(&db.sql.drop_group_members_of_user, [bytes(org_id), bytes(usr_id)])?;
            expect_count(dropped, *count, "group_member", org_id)
        }
        Change::DropGroupMembersOfOrg { org_id, count } => {
            expect_count(db.run(&db.sql.drop_group_members_of_org, [bytes(org_id)])?, *count, "group_member", org_id)
        }
        Change::PutGroupRole(row) => {
            let GroupRole { group_id, org_id: _, role, granted_by, created_at, expires_at } = row;
            let (by, end) = (granted_by.as_ref().map(bytes), expires_at.map(Timestamp::as_micros));
            let bound = params![bytes(group_id), bytes(&role.id()), own_slug(role), by, created_at.as_micros(), end];
            Ok(db.run(&db.sql.put_group_role, bound).map(drop)?)
        }
        Change::DropGroupRole { group_id, role_id } => {
            expect(db.run(&db.sql.drop_group_role, [bytes(group_id), bytes(role_id)])? == 1, "group_role", group_id)
        }
        Change::MoveOrg { id, from, to, depth, ancestors, count } => {
            let width = |ids: usize| i64::try_from(16 * ids).unwrap_or(i64::MAX);
            let (from, to) = (from.as_ref().map(bytes), to.as_ref().map(bytes));
            let moved = db.run(&db.sql.move_org, params![at, bytes(id), from, to, width(*depth)])?;
            expect(moved == 1, "organization", id)?;
            let above: Vec<u8> = ancestors.iter().flat_map(bytes).collect();
            let rows = db.run(&db.sql.move_subtree, params![bytes(id), width(*depth) + 1, above])?;
            expect_count(rows, *count, "organization", id)
        }
    }
}

fn put_permission(db: &Session, permission: &Permission) -> Result<(), Failure> {
    let Permission { slug, name, description, category, created_at, updated_at } = permission;
    let (name, category) = (name.as_ref().map(Name::as_str), category.as_ref().map(Name::as_str));
    let description = description.as_ref().map(Description::as_str);
    let bound = params![slug.as_str(), name, description, category, created_at.as_micros(), updated_at.as_micros()];
    Ok(db.run(&db.sql.put_permission, bound).map(drop)?)
}

fn insert_role(db: &Session, role: &RoleDefinition) -> Result<(), Failure> {
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
    let bound = params![
        bytes(id),
        org_id.as_ref().map(bytes),
        slug.as_str(),
        name.as_str(),
        description.as_ref().map(Description::as_str),
        inherits_to_descendants,
        created_at.as_micros(),
        updated_at.as_micros(),
    ];
    place_once(db, &db.sql.insert_role, bound, &db.sql.role_id_is_there, id)
}

/// As [`place`], where SQLite looks at another constraint before the table's own key.
fn place_once(db: &Session, sql: &str, params: impl Params, is_there: &str, id: &impl Id) -> Result<(), Failure> {
    match place(db, sql, params) {
        Err(Failure::Refused(Refusal::Unique(_))) if db.holds(is_there, [bytes(id)])? => {
            Err(Failure::Refused(Refusal::Unique(UniqueKey::Id)))
        }
        done => done.map(drop),
    }
}

fn put_grant(db: &Session, row: &PermissionGrant) -> Result<(), Failure> {
    let PermissionGrant { holder, permission, effect, granted_by, created_at, expires_at } = row;
    let (kind, id) = held_by(*holder);
    let (by, end) = (granted_by.as_ref().map(bytes), expires_at.map(Timestamp::as_micros));
    let bound = params![id, kind, permission.as_str(), effect.as_str(), by, created_at.as_micros(), end];
    Ok(db.run(&db.sql.put_grant, bound).map(drop)?)
}

fn expect_count(rows: usize, count: u64, table: &str, id: &impl ToString) -> Result<(), Failure> {
    expect(u64::try_from(rows) == Ok(count), table, id)
}

/// Runs a statement that a unique constraint may refuse; says how many rows it wrote.
fn place(db: &Session, sql: &str, params: impl Params) -> Result<usize, Failure> {
    db.run(sql, params).map_err(|error| match unique_key(&error, &db.sql.prefix) {
        Some(key) => Failure::Refused(Refusal::Unique(key)),
        None => Failure::Driver(error),
    })
}

fn insert_user(db: &Session, user: &User) -> Result<(), Failure> {
    let User { id, status, display_name, created_at, updated_at, revision } = user;
    let bound = params![
        bytes(id),
        status.as_str(),
        display_name.as_ref().map(Name::as_str),
        integer(*revision),
        created_at.as_micros(),
        updated_at.as_micros(),
    ];
    place(db, &db.sql.insert_user, bound).map(drop)
}

fn insert_org(db: &Session, org: &Organization) -> Result<(), Failure> {
    let Organization {
        id,
        parent_id,
        status,
        name,
        slug,
        cascade_permissions,
        inherit_permissions,
        revision,
        created_at,
        updated_at,
        ancestors,
        seat_limit,
        external_id,
        metadata,
        structure_revision,
    } = org;
    let bound = params![
        bytes(id),
        parent_id.as_ref().map(bytes),
        ancestors.iter().flat_map(bytes).collect::<Vec<u8>>(),
        status.as_str(),
        name.as_ref().map(Name::as_str),
        slug.as_ref().map(Slug::as_str),
        cascade_permissions,
        inherit_permissions,
        integer(*revision),
        created_at.as_micros(),
        updated_at.as_micros(),
        seat_limit,
        external_id.as_ref().map(ExternalId::as_str),
        json(metadata)?,
        integer(*structure_revision),
        name.as_ref().map(Name::folded),
    ];
    place(db, &db.sql.insert_org, bound).map(drop)
}

fn insert_membership(db: &Session, mem: &Membership) -> Result<(), Failure> {
    let Membership { id, usr_id, org_id, role, status, replaces, invited_by, removed_by, expires_at, metadata, created_at, updated_at } =
        mem;
    let bound = params![
        bytes(id),
        bytes(usr_id),
        bytes(org_id),
        bytes(&role.id()),
        own_slug(role),
        status.as_str(),
        replaces.as_ref().map(bytes),
        invited_by.as_ref().map(bytes),
        removed_by.as_ref().map(bytes),
        expires_at.map(Timestamp::as_micros),
        created_at.as_micros(),
        updated_at.as_micros(),
        json(metadata)?,
    ];
    place(db, &db.sql.insert_membership, bound).map(drop)
}

fn insert_invitation(db: &Session, inv: &Invitation) -> Result<(), Failure> {
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
    let bound = params![
        bytes(id),
        bytes(org_id),
        identifier.as_str(),
        bytes(&role.id()),
        own_slug(role),
        status.as_str(),
        json(pre_tuples)?,
        bytes(invited_by),
        invited_user_id.as_ref().map(bytes),
        created_at.as_micros(),
        expires_at.as_micros(),
        terminal_at.map(Timestamp::as_micros),
        terminal_by.as_ref().map(bytes),
        judged,
    ];
    place(db, &db.sql.insert_invitation, bound).map(drop)
}

fn insert_tuple(db: &Session, tuple: &Tuple) -> Result<(), Failure> {
    let Tuple { id, key: TupleKey { subject, relation, object }, org_id, created_at, created_by, expires_at } = tuple;
    let (of, on) = (ends(subject), ends(object));
    let bound = params![
        bytes(id),
        of.0,
        of.1,
        relation.as_str(),
        on.0,
        on.1,
        org_id.as_ref().map(bytes),
        created_at.as_micros(),
        created_by.as_ref().map(bytes),
        expires_at.map(Timestamp::as_micros),
    ];
    match place(db, &db.sql.insert_tuple, bound) {
        // SQLite looks at this constraint before the table's own key.
        Err(Failure::Refused(Refusal::Unique(UniqueKey::Tuple))) if db.holds(&db.sql.tuple_is_there, [bytes(id)])? => {
            Err(Failure::Refused(Refusal::Unique(UniqueKey::Id)))
        }
        done => done.map(drop),
    }
}

fn append(db: &Session, event: &Event) -> Result<(), Failure> {
    let Event { id, org_id, revision, kind, actor, at, subject_ids, data, request_id, reason } = event;
    let (actor_id, subject_ids, data) = (actor.id.map(|id| id.to_string()), json(subject_ids)?, json(data)?);
    let (key, kind, actor_kind, at) = (bytes(id), kind.as_str(), actor.kind.as_str(), at.as_micros());
    let (request_id, reason) = (request_id.as_ref().map(RequestId::as_str), reason.as_ref().map(Reason::as_str));
    let added = if let Some((org, revision)) = org_id.zip(*revision) {
        let (org, revision) = (bytes(&org), integer(revision));
        let bound = params![key, kind, actor_kind, actor_id, at, subject_ids, data, request_id, reason, org, revision];
        place(db, &db.sql.insert_event, bound)?
    } else {
        let bound = params![key, kind, actor_kind, actor_id, at, subject_ids, data, request_id, reason];
        place(db, &db.sql.insert_store_event, bound)?
    };
    if added == 1 {
        return Ok(());
    }
    // The statement adds nothing where another event has the id, or where the event would not be the next one.
    if db.holds(&db.sql.event_is_there, [key])? {
        return Err(Failure::Refused(Refusal::Unique(UniqueKey::Id)));
    }
    Err(Failure::inconsistent("event", id))
}

/// Maps are sorted in core, so equal data has equal text in every store.
fn json(value: &impl serde::Serialize) -> Result<String, Failure> {
    serde_json::to_string(value).map_err(|error| Failure::Driver(rusqlite::Error::ToSqlConversionFailure(error.into())))
}

/// Tells how far a long plan has come.
struct Told<'p> {
    progress: Option<&'p Progress>,
    since: u64,
}

impl Told<'_> {
    const STEP: u64 = 1000;

    fn one_more(&mut self) {
        self.since += 1;
        if self.since == Self::STEP {
            self.the_rest();
        }
    }

    fn the_rest(&mut self) {
        if let Some(progress) = self.progress.filter(|_| self.since > 0) {
            progress(self.since);
        }
        self.since = 0;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use tenantry_core::{EventQuery, Grant, InvitationStatus, MembershipStatus, Metadata, OrgStatus, Relation, State, UserStatus};

    use super::*;
    use crate::list;
    use crate::samples::{entity, event, id, invitation, key, membership, metadata, moment, org, plan, tuple, user};
    use crate::session::Savepoint;
    use crate::statements::PREFIX;

    fn slug(text: &str) -> Slug {
        Slug::parse(text).unwrap()
    }

    /// Two organizations and two users: user 1 is in the first one, user 2 was. The first one invites: one is pending, one expired,
    /// one extended from there, one declined. And tuples: of user 1 and of a folder in the scope of the first one, two on it, and
    /// one that has nothing to do with it.
    fn base() -> Plan {
        let ended = Membership { status: MembershipStatus::Revoked, ..membership(2, 1, 2) };
        let declined = Invitation {
            status: InvitationStatus::Declined,
            terminal_at: Some(moment(0)),
            terminal_by: Some(id(7)),
            ..invitation(4, 1, "d")
        };
        let reads = |n, org, subject| tuple(n, org, key(subject, "reader", entity("doc", 1)));
        let mut base = plan([
            Change::InsertUser(user(1)),
            Change::InsertUser(user(2)),
            Change::InsertOrg(org(1)),
            Change::InsertOrg(org(2)),
            Change::ClaimSlug { slug: slug("one"), org_id: id(1) },
            Change::InsertMembership(membership(1, 1, 1)),
            Change::InsertMembership(ended),
            Change::InsertInvitation(invitation(1, 1, "a")),
            Change::InsertInvitation(Invitation { expires_at: moment(1), ..invitation(2, 1, "b") }),
            Change::InsertInvitation(Invitation { status: InvitationStatus::Expired, ..invitation(3, 1, "a") }),
            Change::InsertInvitation(declined),
            Change::InsertInvitation(invitation(5, 2, "a")),
            Change::InsertTuple(reads(1, Some(1), entity("usr", 1))),
            Change::InsertTuple(reads(2, None, entity("usr", 1))),
            Change::InsertTuple(Tuple { expires_at: Some(moment(1)), ..reads(3, Some(2), entity("usr", 1)) }),
            Change::InsertTuple(reads(4, Some(1), entity("folder", 1))),
            Change::InsertTuple(tuple(5, Some(1), key(entity("usr", 2), "billing", entity("org", 1)))),
            Change::InsertTuple(tuple(6, None, key(entity("usr", 2), "billing", entity("org", 1)))),
            Change::InsertTuple(tuple(7, Some(1), key(entity("usr", 1), "reader", entity("doc", 2)))),
        ]);
        base.events.extend([event(1, Some((1, 1))), event(2, None)]);
        base
    }

    fn written(db: &Session, plan: &Plan) -> Result<(), Refusal> {
        let savepoint = Savepoint::set(db).unwrap();
        match apply(db, plan) {
            Ok(()) => savepoint.keep().map_err(|error| panic!("{error}")),
            Err(Failure::Refused(refusal)) => Err(refusal),
            Err(Failure::Driver(error)) => panic!("{error}"),
        }
    }

    /// Each change that fits, and how it may not fit.
    fn changes() -> Vec<Change> {
        let (active, suspended) = (MembershipStatus::Active, MembershipStatus::Suspended);
        let set_status = |org, mem, from| Change::SetMembershipStatus {
            org_id: id(org),
            id: id(mem),
            from,
            to: MembershipStatus::Revoked,
            removed_by: Some(id(9)),
        };
        let soon = Some(moment(5));
        let update = |org, mem, from, expires_at, metadata| {
            let (org_id, id) = (id(org), id(mem));
            Change::UpdateMembership { org_id, id, from, expires_at, metadata }
        };
        let plain = Metadata::default;
        let update_org = |org, status| Change::UpdateOrg {
            id: id(org),
            status,
            name: Name::parse("N"),
            slug: Some(slug("n")),
            cascade_permissions: false,
            inherit_permissions: false,
            seat_limit: Some(u32::MAX),
            external_id: ExternalId::parse("crm/\u{1F600}"),
            metadata: metadata("o"),
        };
        let noted = Organization { seat_limit: Some(0), external_id: ExternalId::parse("x"), metadata: metadata("i"), ..org(4) };
        let mut changes = vec![
            Change::InsertUser(user(3)),
            Change::InsertUser(user(1)),
            Change::SetUserStatus { id: id(1), from: UserStatus::Active, to: UserStatus::Revoked },
            Change::SetUserStatus { id: id(1), from: UserStatus::Suspended, to: UserStatus::Active },
            Change::SetUserStatus { id: id(3), from: UserStatus::Active, to: UserStatus::Revoked },
            Change::InsertOrg(Organization { parent_id: Some(id(1)), ancestors: vec![id(1)], slug: Some(slug("x")), ..org(3) }),
            Change::InsertOrg(org(1)),
            update_org(1, OrgStatus::Active),
            update_org(1, OrgStatus::Suspended),
            update_org(3, OrgStatus::Active),
            Change::SetOrgStatus { id: id(1), from: OrgStatus::Active, to: OrgStatus::Suspended },
            Change::SetOrgStatus { id: id(1), from: OrgStatus::Revoked, to: OrgStatus::Suspended },
            Change::ClaimSlug { slug: slug("two"), org_id: id(2) },
            Change::ClaimSlug { slug: slug("one"), org_id: id(2) },
            Change::ReleaseSlug { slug: slug("one"), org_id: id(1) },
            Change::ReleaseSlug { slug: slug("one"), org_id: id(2) },
            Change::ReleaseSlug { slug: slug("two"), org_id: id(1) },
            Change::InsertMembership(membership(3, 1, 2)),
            Change::InsertMembership(membership(3, 1, 1)),
            Change::InsertMembership(membership(1, 2, 2)),
            Change::InsertMembership(membership(2, 1, 1)),
            Change::InsertMembership(membership(1, 1, 1)),
            Change::InsertMembership(Membership { status: MembershipStatus::Revoked, ..membership(3, 1, 1) }),
            set_status(1, 1, active),
            set_status(1, 1, suspended),
            set_status(2, 1, active),
            set_status(1, 3, active),
            update(1, 1, None, soon, metadata("m")),
            update(1, 1, None, None, metadata("m")),
            update(1, 1, soon, None, plain()),
            update(2, 1, None, soon, plain()),
            Change::InsertOrg(noted),
            Change::InsertMembership(Membership { metadata: metadata("n"), ..membership(4, 2, 1) }),
            Change::EndMemberships { org_id: id(1), count: 1 },
            Change::EndMemberships { org_id: id(1), count: 2 },
            Change::EndMemberships { org_id: id(2), count: 0 },
        ];
        changes.extend(changes_of_invitations());
        changes.extend(changes_of_tuples());
        changes
    }

    fn changes_of_invitations() -> Vec<Change> {
        use InvitationStatus::{Accepted, Declined, Expired, Pending};
        let promise = |n| Grant { relation: Relation::parse("viewer").unwrap(), object: entity("doc", n) };
        let promising = Invitation { pre_tuples: vec![promise(2), promise(1)], ..invitation(6, 1, "e\"\u{1F600}\u{7f}") };
        let accepted = Invitation {
            status: Accepted,
            invited_user_id: Some(id(2)),
            terminal_at: Some(moment(2)),
            terminal_by: Some(id(2)),
            ..invitation(6, 1, "a")
        };
        let end = |org, inv, to| Change::EndInvitation {
            org_id: id(org),
            id: id(inv),
            to,
            terminal_at: moment(3),
            terminal_by: Some(id(8)),
            invited_user_id: Some(id(9)).filter(|_| to == Accepted),
        };
        let extend = |org, inv, from| Change::ExtendInvitation { org_id: id(org), id: id(inv), from, expires_at: moment(20) };
        let revoke = |org, count| Change::RevokeInvitations { org_id: id(org), count, terminal_by: Some(id(8)) };
        vec![
            Change::InsertInvitation(promising),
            Change::InsertInvitation(accepted),
            Change::InsertInvitation(invitation(6, 1, "a")),
            Change::InsertInvitation(invitation(6, 1, "A")),
            Change::InsertInvitation(invitation(6, 1, "b")),
            Change::InsertInvitation(invitation(6, 1, "d")),
            Change::InsertInvitation(invitation(1, 1, "e")),
            Change::InsertInvitation(invitation(1, 2, "e")),
            Change::InsertInvitation(invitation(1, 1, "a")),
            Change::InsertInvitation(invitation(1, 2, "a")),
            end(1, 1, Accepted),
            end(1, 1, Declined),
            end(1, 2, Expired),
            end(1, 3, Declined),
            end(2, 1, Declined),
            end(1, 9, Declined),
            extend(1, 1, Pending),
            extend(1, 2, Pending),
            extend(1, 3, Pending),
            // Another one is pending for the same identifier.
            extend(1, 3, Expired),
            extend(1, 4, Declined),
            extend(2, 1, Pending),
            extend(1, 9, Pending),
            // The second one's end is the plan's moment: it is left.
            revoke(1, 1),
            revoke(1, 2),
            revoke(2, 1),
            revoke(3, 0),
            Change::RevokeInvitations { org_id: id(1), count: 1, terminal_by: None },
        ]
    }

    fn changes_of_tuples() -> Vec<Change> {
        let reads = |n, org, subject: (&str, u32)| {
            let key = key(entity(subject.0, subject.1), "reader", entity("doc", 1));
            Change::InsertTuple(tuple(n, org, key))
        };
        let whole = Tuple {
            created_by: Some(id(3)),
            expires_at: Some(moment(4)),
            ..tuple(8, Some(2), key(entity("usr", 1), "a_", entity("usr", 1)))
        };
        let delete = |n| Change::DeleteTuple { id: id(n) };
        let of_member = |org, usr, count| Change::DeleteTuplesOfMember { org_id: id(org), usr_id: id(usr), count };
        let of_org = |org, count| Change::DeleteTuplesOfOrg { org_id: id(org), count };
        vec![
            Change::InsertTuple(whole),
            reads(8, None, ("usr", 2)),
            reads(8, Some(1), ("usr", 1)),
            reads(8, None, ("usr", 1)),
            // Expired ones bar others too.
            reads(8, Some(2), ("usr", 1)),
            reads(8, None, ("folder", 1)),
            reads(1, None, ("usr", 3)),
            // Both constraints: the id is told.
            reads(1, None, ("usr", 1)),
            reads(1, Some(1), ("usr", 1)),
            delete(1),
            delete(9),
            of_member(1, 1, 2),
            of_member(1, 1, 3),
            of_member(1, 2, 1),
            of_member(2, 2, 0),
            of_member(2, 2, 1),
            // One of them is both on it and in its scope.
            of_org(1, 5),
            of_org(1, 6),
            of_org(1, 4),
            of_org(2, 1),
            of_org(3, 0),
        ]
    }

    fn guards() -> Vec<Guard> {
        let user = |n, revision, advance| Guard::User { id: id(n), revision, advance };
        let org = |n, revision, events| Guard::Org { id: id(n), revision, events };
        let object = |kind, n, org| Guard::Object { object: entity(kind, n), org_id: id(org) };
        let mut guards = vec![
            Guard::NewOrgs,
            Guard::NoOrg { id: id(1) },
            Guard::NoOrg { id: id(99) },
            Guard::NewUsers { without_memberships: Vec::new() },
            Guard::NewUsers { without_memberships: vec![id(99)] },
            Guard::NewUsers { without_memberships: vec![id(99), id(1)] },
            // In two scopes and in none; in one; in none and in one; nowhere.
            object("doc", 1, 1),
            object("doc", 2, 1),
            object("doc", 2, 2),
            object("org", 1, 1),
            object("doc", 3, 1),
        ];
        for (usr_id, rows, ended) in [(1, 0, 0), (1, 1, 0), (1, 2, 0), (1, 2, 1), (1, 3, 1), (99, 0, 0), (99, 1, 0)] {
            guards.push(Guard::Memberships { usr_id: id(usr_id), rows, ended });
        }
        for advance in [false, true] {
            guards.extend([user(1, Some(0), advance), user(1, Some(1), advance), user(1, None, advance)]);
            guards.extend([user(3, None, advance), user(3, Some(0), advance)]);
        }
        for events in [0, 2] {
            guards.extend([org(1, 1, events), org(1, 2, events), org(3, 0, events)]);
        }
        guards
    }

    #[test]
    fn plans_are_written_or_refused_as_by_the_state() {
        let mut plans: Vec<Plan> = changes().into_iter().map(|change| plan([Change::InsertUser(user(8)), change])).collect();
        plans.extend(guards().into_iter().map(|guard| Plan { guards: vec![guard], ..plan([Change::InsertUser(user(8))]) }));
        for told in [(3, Some((1, 2))), (3, Some((1, 3))), (3, Some((1, 1))), (3, Some((2, 1))), (1, Some((1, 2))), (1, None)] {
            let others = [(2, Some((1, 2))), (2, None), (3, None), (1, Some((1, 1)))];
            for (n, place) in [told].into_iter().chain(others) {
                plans.push(Plan { events: vec![event(n, place)], ..plan([Change::InsertUser(user(8))]) });
            }
        }
        let mut refused = 0;
        for plan in plans {
            let (mut state, db) = (State::new(), Session::scratch(PREFIX));
            let _transaction = db.begin().unwrap();
            state.apply(&base()).unwrap();
            written(&db, &base()).unwrap();
            match (written(&db, &plan), state.apply(&plan)) {
                // Under the lock, what would be a conflict elsewhere is an inconsistent row.
                (Err(Refusal::Inconsistent { table, .. }), Err(Refusal::Conflict)) => {
                    assert!(["user_account", "organization", "membership", "tuple"].contains(&table.as_str()), "{plan:?}");
                    refused += 1;
                }
                (ours, wanted) => {
                    assert_eq!(ours, wanted, "{plan:?}");
                    refused += u32::from(wanted.is_err());
                }
            }
            assert_eq!(list::dump(&db).unwrap(), state.dump(), "{plan:?}");
            let feed = EventQuery::All { after: None, fetch: 100 };
            assert_eq!(list::events(&db, &feed).unwrap(), state.read_events(&feed), "{plan:?}");
        }
        assert!(refused > 40, "{refused}");
    }

    #[test]
    fn only_what_has_not_expired_keeps_an_object_from_a_scope() {
        let db = Session::scratch(PREFIX);
        written(&db, &base()).unwrap();
        for n in [2, 4] {
            written(&db, &plan([Change::DeleteTuple { id: id(n) }])).unwrap();
        }
        let guard = Guard::Object { object: entity("doc", 1), org_id: id(1) };
        for (seconds, wanted) in [(0, false), (1, true)] {
            let plan = Plan { at: Some(moment(seconds)), guards: vec![guard.clone()], ..Plan::default() };
            assert_eq!(written(&db, &plan).is_ok(), wanted, "{seconds}");
        }
    }

    #[test]
    fn long_plans_tell_how_far_they_are() {
        let steps = Arc::new(Mutex::new(Vec::new()));
        let heard = Arc::clone(&steps);
        let progress: Progress = Arc::new(move |step| heard.lock().unwrap().push(step));
        let db = Session::scratch(PREFIX);
        let changes = (0..2_100).map(|n| Change::InsertUser(user(n)));
        apply(&db, &Plan { progress: Some(progress), events: vec![event(1, None)], ..plan(changes) }).unwrap();
        assert_eq!(*steps.lock().unwrap(), [1000, 1000, 101]);
    }
}
