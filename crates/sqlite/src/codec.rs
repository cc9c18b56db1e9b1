//! From rows to entities. A stored value that does not have its form is an inconsistent row, never a panic.

use rusqlite::Row;
use rusqlite::types::ValueRef;
use serde::de::DeserializeOwned;
use tenantry_core::{
    Actor, ActorKind, Description, Effect, EntityRef, Event, EventId, EventType, ExternalId, Facts, Group, GroupId, GroupMember, GroupRole,
    Held, Holder, Id, Identifier, Invitation, InvitationId, InvitationStatus, Membership, MembershipId, MembershipStatus, Name, ObjectType,
    OrgFacts, OrgId, OrgStatus, Organization, OtherOwner, Permission, PermissionGrant, PermissionSlug, Reason, Relation, RequestId, Role,
    RoleDefinition, RoleFacts, RoleId, RoleSlug, Slug, Tenancy, Timestamp, Tuple, TupleId, TupleKey, User, UserId, UserStatus,
};
use uuid::Uuid;

use crate::error::Failure;

/// The columns of each table, in the order in which they are read here and bound in `apply`.
pub(crate) const USER: &str = "id, status, display_name, revision, created_at, updated_at";
pub(crate) const ORG: &str = "id, parent_id, ancestors, status, name, slug, cascade_permissions, inherit_permissions, revision, \
    created_at, updated_at, seat_limit, external_id, metadata, structure_revision";
pub(crate) const MEMBERSHIP: &str =
    "id, usr_id, org_id, role_id, role_slug, status, replaces, invited_by, removed_by, expires_at, created_at, updated_at, metadata";
pub(crate) const INVITATION: &str = "id, org_id, identifier, role_id, role_slug, status, pre_tuples, invited_by, invited_user_id, created_at, \
    expires_at, terminal_at, terminal_by, judged";
pub(crate) const TUPLE: &str = "id, subject_type, subject_id, relation, object_type, object_id, org_id, created_at, created_by, expires_at";
/// An event's organization and revision stand behind these, or `NULL` in their place.
pub(crate) const EVENT: &str = "id, type, actor_type, actor_id, at, subject_ids, data, request_id, reason";

/// An id as it is stored.
pub(crate) fn bytes(id: &impl Id) -> [u8; 16] {
    id.as_uuid().into_bytes()
}

/// A count or revision as it is stored.
pub(crate) fn integer(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// A scope as it is stored in the key of a tuple: none is the empty blob.
pub(crate) fn scope(org: Option<OrgId>) -> Vec<u8> {
    org.map_or_else(Vec::new, |org| bytes(&org).to_vec())
}

/// A value does not have its form.
struct Damaged;

/// The values of a row, one after the other.
struct Cells<'r> {
    row: &'r Row<'r>,
    next: usize,
}

impl<'r> Cells<'r> {
    fn take<T>(&mut self, read: impl FnOnce(ValueRef<'r>) -> Option<T>) -> Result<T, Damaged> {
        let value = self.row.get_ref(self.next).map_err(|_| Damaged)?;
        self.next += 1;
        read(value).ok_or(Damaged)
    }

    fn optional<T>(&mut self, read: impl FnOnce(ValueRef<'r>) -> Option<T>) -> Result<Option<T>, Damaged> {
        self.take(|value| match value {
            ValueRef::Null => Some(None),
            value => read(value).map(Some),
        })
    }

    /// A role's id, and its slug where it is not a built-in one.
    fn role(&mut self) -> Result<Role, Damaged> {
        let id = self.take(|value| Uuid::from_slice(value.as_blob().ok()?).ok())?;
        let slug = self.optional(text)?;
        Role::from_stored(id, slug).ok_or(Damaged)
    }

    /// A type and an id.
    fn entity(&mut self) -> Result<EntityRef, Damaged> {
        let kind = self.take(|value| ObjectType::parse(text(value)?))?;
        let id = self.take(|value| Uuid::from_slice(value.as_blob().ok()?).ok())?;
        if id.is_nil() || id.is_max() { Err(Damaged) } else { Ok(EntityRef { kind, id }) }
    }
}

fn id<I: Id>(value: ValueRef<'_>) -> Option<I> {
    I::from_uuid(Uuid::from_slice(value.as_blob().ok()?).ok()?).ok()
}

fn ids<I: Id>(value: ValueRef<'_>) -> Option<Vec<I>> {
    value.as_blob().ok()?.chunks(16).map(|bytes| id(ValueRef::Blob(bytes))).collect()
}

fn text(value: ValueRef<'_>) -> Option<&str> {
    value.as_str().ok()
}

fn count(value: ValueRef<'_>) -> Option<u64> {
    value.as_i64().ok()?.try_into().ok()
}

fn json<T: DeserializeOwned>(value: ValueRef<'_>) -> Option<T> {
    serde_json::from_str(text(value)?).ok()
}

fn moment(value: ValueRef<'_>) -> Option<Timestamp> {
    Timestamp::from_micros(value.as_i64().ok()?).ok()
}

fn flag(value: ValueRef<'_>) -> Option<bool> {
    match value.as_i64().ok()? {
        0 => Some(false),
        1 => Some(true),
        _ => None,
    }
}

/// Reads a row whose first value is its id.
fn reading<I: Id, T>(table: &str, row: &Row<'_>, read: impl FnOnce(&mut Cells<'_>) -> Result<T, Damaged>) -> Result<T, Failure> {
    read(&mut Cells { row, next: 0 }).map_err(|Damaged| {
        // The id itself may be what is damaged, so it is shown as far as it can be.
        let id = row.get_ref(0).ok().and_then(|value| Uuid::from_slice(value.as_blob().ok()?).ok());
        Failure::inconsistent(table, id.map_or_else(|| "unknown".to_owned(), |id| format!("{}_{}", I::KIND.prefix(), id.simple())))
    })
}

pub(crate) fn user(row: &Row<'_>) -> Result<User, Failure> {
    reading::<UserId, _>("user_account", row, |cells| {
        Ok(User {
            id: cells.take(id)?,
            status: cells.take(|value| UserStatus::parse(text(value)?))?,
            display_name: cells.optional(|value| Name::parse(text(value)?))?,
            revision: cells.take(count)?,
            created_at: cells.take(moment)?,
            updated_at: cells.take(moment)?,
        })
    })
}

pub(crate) fn org(row: &Row<'_>) -> Result<Organization, Failure> {
    reading::<OrgId, _>("organization", row, |cells| {
        Ok(Organization {
            id: cells.take(id)?,
            parent_id: cells.optional(id)?,
            ancestors: cells.take(ids)?,
            status: cells.take(|value| OrgStatus::parse(text(value)?))?,
            name: cells.optional(|value| Name::parse(text(value)?))?,
            slug: cells.optional(|value| Slug::parse(text(value)?))?,
            cascade_permissions: cells.take(flag)?,
            inherit_permissions: cells.take(flag)?,
            revision: cells.take(count)?,
            created_at: cells.take(moment)?,
            updated_at: cells.take(moment)?,
            seat_limit: cells.optional(|value| value.as_i64().ok()?.try_into().ok())?,
            external_id: cells.optional(|value| ExternalId::parse(text(value)?))?,
            metadata: cells.take(json)?,
            structure_revision: cells.take(count)?,
        })
    })
}

pub(crate) fn membership(row: &Row<'_>) -> Result<Membership, Failure> {
    reading::<MembershipId, _>("membership", row, |cells| {
        Ok(Membership {
            id: cells.take(id)?,
            usr_id: cells.take(id)?,
            org_id: cells.take(id)?,
            role: cells.role()?,
            status: cells.take(|value| MembershipStatus::parse(text(value)?))?,
            replaces: cells.optional(id)?,
            invited_by: cells.optional(id)?,
            removed_by: cells.optional(id)?,
            expires_at: cells.optional(moment)?,
            created_at: cells.take(moment)?,
            updated_at: cells.take(moment)?,
            metadata: cells.take(json)?,
        })
    })
}

pub(crate) fn invitation(row: &Row<'_>) -> Result<Invitation, Failure> {
    reading::<InvitationId, _>("invitation", row, |cells| {
        Ok(Invitation {
            id: cells.take(id)?,
            org_id: cells.take(id)?,
            identifier: cells.take(|value| Identifier::parse(text(value)?))?,
            role: cells.role()?,
            status: cells.take(|value| InvitationStatus::parse(text(value)?))?,
            pre_tuples: cells.take(json)?,
            invited_by: cells.take(id)?,
            invited_user_id: cells.optional(id)?,
            created_at: cells.take(moment)?,
            expires_at: cells.take(moment)?,
            terminal_at: cells.optional(moment)?,
            terminal_by: cells.optional(id)?,
            judged: cells.take(flag)?,
        })
    })
}

pub(crate) fn tuple(row: &Row<'_>) -> Result<Tuple, Failure> {
    reading::<TupleId, _>("tuple", row, |cells| {
        Ok(Tuple {
            id: cells.take(id)?,
            key: TupleKey {
                subject: cells.entity()?,
                relation: cells.take(|value| Relation::parse(text(value)?))?,
                object: cells.entity()?,
            },
            org_id: cells.optional(id)?,
            created_at: cells.take(moment)?,
            created_by: cells.optional(id)?,
            expires_at: cells.optional(moment)?,
        })
    })
}

pub(crate) fn event(row: &Row<'_>) -> Result<Event, Failure> {
    reading::<EventId, _>("event", row, |cells| {
        Ok(Event {
            id: cells.take(id)?,
            kind: cells.take(|value| EventType::parse(text(value)?))?,
            actor: Actor {
                kind: cells.take(|value| ActorKind::parse(text(value)?))?,
                id: cells.optional(|value| text(value)?.parse().ok())?,
            },
            at: cells.take(moment)?,
            subject_ids: cells.take(json)?,
            data: cells.take(json)?,
            request_id: cells.optional(|value| RequestId::parse(text(value)?))?,
            reason: cells.optional(|value| Reason::parse(text(value)?))?,
            org_id: cells.optional(id)?,
            revision: cells.optional(count)?,
        })
    })
}

pub(crate) fn permission(row: &Row<'_>) -> Result<Permission, Failure> {
    let read = |cells: &mut Cells<'_>| {
        Ok(Permission {
            slug: cells.take(|value| PermissionSlug::parse(text(value)?))?,
            name: cells.optional(|value| Name::parse(text(value)?))?,
            description: cells.optional(|value| Description::parse(text(value)?))?,
            category: cells.optional(|value| Name::parse(text(value)?))?,
            created_at: cells.take(moment)?,
            updated_at: cells.take(moment)?,
        })
    };
    read(&mut Cells { row, next: 0 }).map_err(|Damaged| {
        let slug = row.get_ref(0).ok().and_then(|value| value.as_str().ok()).unwrap_or("unknown");
        Failure::inconsistent("permission", slug)
    })
}

/// A role without what it grants.
pub(crate) fn role(row: &Row<'_>) -> Result<RoleDefinition, Failure> {
    reading::<RoleId, _>("role", row, |cells| {
        let (id, org_id) = (cells.take(id)?, cells.optional(id)?);
        Ok(RoleDefinition {
            id,
            org_id,
            slug: cells.take(|value| RoleSlug::parse(text(value)?))?,
            name: cells.take(|value| Name::parse(text(value)?))?,
            description: cells.optional(|value| Description::parse(text(value)?))?,
            is_system: org_id.is_none(),
            inherits_to_descendants: cells.take(flag)?,
            permissions: Vec::new(),
            created_at: cells.take(moment)?,
            updated_at: cells.take(moment)?,
        })
    })
}

pub(crate) fn grant(row: &Row<'_>) -> Result<PermissionGrant, Failure> {
    reading::<RoleId, _>("permission_grant", row, |cells| {
        let uuid = cells.take(|value| Uuid::from_slice(value.as_blob().ok()?).ok())?;
        Ok(PermissionGrant {
            holder: cells.take(|value| Holder::from_stored(text(value)?, uuid))?,
            permission: cells.take(|value| PermissionSlug::parse(text(value)?))?,
            effect: cells.take(|value| Effect::parse(text(value)?))?,
            granted_by: cells.optional(id)?,
            created_at: cells.take(moment)?,
            expires_at: cells.optional(moment)?,
        })
    })
}

pub(crate) fn group(row: &Row<'_>) -> Result<Group, Failure> {
    reading::<GroupId, _>("user_group", row, |cells| {
        Ok(Group {
            id: cells.take(id)?,
            org_id: cells.take(id)?,
            slug: cells.take(|value| Slug::parse(text(value)?))?,
            name: cells.take(|value| Name::parse(text(value)?))?,
            created_at: cells.take(moment)?,
            updated_at: cells.take(moment)?,
        })
    })
}

pub(crate) fn group_member(row: &Row<'_>) -> Result<GroupMember, Failure> {
    reading::<GroupId, _>("group_member", row, |cells| {
        Ok(GroupMember {
            group_id: cells.take(id)?,
            org_id: cells.take(id)?,
            usr_id: cells.take(id)?,
            granted_by: cells.optional(id)?,
            created_at: cells.take(moment)?,
            expires_at: cells.optional(moment)?,
        })
    })
}

pub(crate) fn group_role(row: &Row<'_>) -> Result<GroupRole, Failure> {
    reading::<GroupId, _>("group_role", row, |cells| {
        Ok(GroupRole {
            group_id: cells.take(id)?,
            org_id: cells.take(id)?,
            role: cells.role()?,
            granted_by: cells.optional(id)?,
            created_at: cells.take(moment)?,
            expires_at: cells.optional(moment)?,
        })
    })
}

/// One row of what resolutions rest on: its kind, three ids or other bytes, three texts, two numbers and an end, as the kind needs them.
pub(crate) fn fact(row: &Row<'_>, usr: UserId, facts: &mut Facts) -> Result<(), Failure> {
    let mut cells = Cells { row, next: 1 };
    let mut read = || {
        let kind: i64 = row.get(0).map_err(|_| Damaged)?;
        match kind {
            0 => {
                cells.next = 7;
                facts.set_system_revision(cells.take(count)?);
            }
            1 => {
                cells.next = 4;
                let status = cells.take(|value| UserStatus::parse(text(value)?))?;
                cells.next = 7;
                facts.add_user(usr, status, cells.take(count)?);
            }
            2 => {
                let (id, ancestors) = (cells.take(id)?, cells.take(ids)?);
                cells.next = 4;
                let status = cells.take(|value| OrgStatus::parse(text(value)?))?;
                cells.next = 7;
                let (revision, flags) = (cells.take(count)?, cells.take(count)?);
                let (cascade_permissions, inherit_permissions) = (flags & 2 != 0, flags & 1 != 0);
                facts.add_org(OrgFacts { id, ancestors, status, cascade_permissions, inherit_permissions, revision });
            }
            3 => {
                let (org, mem) = (cells.take(id)?, cells.take(id)?);
                let role = cells.take(|value| Uuid::from_slice(value.as_blob().ok()?).ok())?;
                let status = cells.take(|value| MembershipStatus::parse(text(value)?))?;
                let role = Role::from_stored(role, cells.optional(text)?).ok_or(Damaged)?;
                cells.next = 9;
                facts.add_membership(usr, org, Held { id: mem, role, status, expires_at: cells.optional(moment)? });
            }
            4 => {
                let (uuid, org_id) = (cells.take(|value| Uuid::from_slice(value.as_blob().ok()?).ok())?, cells.optional(id)?);
                cells.next = 4;
                let slug = cells.take(text)?;
                let role = Role::from_stored(uuid, None).or_else(|| Role::from_stored(uuid, Some(slug))).ok_or(Damaged)?;
                cells.next = 7;
                facts.add_role(RoleFacts { role, org_id, inherits_to_descendants: cells.take(flag)? });
            }
            5 => {
                let (group, org) = (cells.take(id)?, cells.take(id)?);
                cells.next = 9;
                facts.add_group(usr, org, group, cells.optional(moment)?);
            }
            6 => {
                let (group, role) = (cells.take(id)?, cells.take(id)?);
                cells.next = 9;
                facts.add_group_role(group, role, cells.optional(moment)?);
            }
            7 => {
                let uuid = cells.take(|value| Uuid::from_slice(value.as_blob().ok()?).ok())?;
                cells.next = 4;
                let permission = cells.take(|value| PermissionSlug::parse(text(value)?))?;
                let holder = cells.take(|value| Holder::from_stored(text(value)?, uuid))?;
                let effect = cells.take(|value| Effect::parse(text(value)?))?;
                cells.next = 9;
                facts.add_grant(holder, permission, effect, cells.optional(moment)?);
            }
            8 => {
                cells.next = 4;
                facts.add_known(cells.take(|value| PermissionSlug::parse(text(value)?))?);
            }
            _ => return Err(Damaged),
        }
        Ok(())
    };
    read().map_err(|Damaged| Failure::inconsistent("permission_grant", "unknown"))
}

/// What is read first of a user in an organization, put among the facts.
pub(crate) struct Here {
    /// Those that are to be asked about too, as they are stored; none for a root.
    pub(crate) ancestors: Vec<u8>,
    pub(crate) held: Option<Held>,
    /// Whether there are overrides: of the permission that is asked about, or by organizations.
    pub(crate) overridden: bool,
}

impl Here {
    /// The organizations above, root first, and this one behind them, as they are stored.
    pub(crate) fn line(&self, org: OrgId) -> Vec<u8> {
        [self.ancestors.as_slice(), &bytes(&org)].concat()
    }
}

/// What is read first of what a user may do, besides.
pub(crate) struct Resolving {
    pub(crate) here: Here,
    /// Whether the membership has overrides.
    pub(crate) is_special: bool,
    /// Whether the user is in groups of the organization.
    pub(crate) is_grouped: bool,
    /// Whether what the role grants is among the facts already.
    pub(crate) knows_role: bool,
}

/// When something ends; none for never.
pub(crate) type End = Option<Timestamp>;

/// An end, where the last moment that there is stands for none.
fn end(value: ValueRef<'_>) -> Option<End> {
    match value.as_i64().ok()? {
        i64::MAX => Some(None),
        micros => Timestamp::from_micros(micros).ok().map(Some),
    }
}

fn held(cells: &mut Cells<'_>) -> Result<Option<Held>, Damaged> {
    let Some(id) = cells.optional(id)? else {
        cells.next += 4;
        return Ok(None);
    };
    let role = cells.role()?;
    Ok(Some(Held { id, role, status: cells.take(|value| MembershipStatus::parse(text(value)?))?, expires_at: cells.optional(moment)? }))
}

/// The columns that `holding` and `resolving` have in common.
struct Start<'r> {
    status: OrgStatus,
    flags: u64,
    /// As it is stored.
    above: &'r [u8],
    user: Option<UserStatus>,
    held: Option<Held>,
}

impl<'r> Start<'r> {
    fn read(cells: &mut Cells<'r>) -> Result<Self, Damaged> {
        Ok(Self {
            status: cells.take(|value| OrgStatus::parse(text(value)?))?,
            flags: cells.take(count)?,
            above: cells.take(|value| value.as_blob().ok())?,
            user: cells.optional(|value| UserStatus::parse(text(value)?))?,
            held: held(cells)?,
        })
    }

    /// The organization, below these.
    fn org(&self, id: OrgId, ancestors: Vec<OrgId>, revision: u64) -> OrgFacts {
        let (cascade_permissions, inherit_permissions) = (self.flags & 2 != 0, self.flags & 1 != 0);
        OrgFacts { id, ancestors, status: self.status, cascade_permissions, inherit_permissions, revision }
    }

    /// The user and the membership.
    fn tell(&self, usr: UserId, org: OrgId, revision: u64, facts: &mut Facts) {
        if let Some(status) = self.user {
            facts.add_user(usr, status, revision);
        }
        if let Some(held) = self.held {
            facts.add_membership(usr, org, held);
        }
    }
}

/// A row of `holding`; and the end of what the role of the membership grants, where it grants the permission.
pub(crate) fn holding_here(row: &Row<'_>, usr: UserId, org: OrgId, facts: &mut Facts) -> Result<(Here, Option<End>), Failure> {
    let mut cells = Cells { row, next: 0 };
    let mut read = || {
        let start = Start::read(&mut cells)?;
        let (granted, overridden, active) = (cells.optional(end)?, cells.take(flag)?, cells.take(count)?);
        let ancestors: Vec<OrgId> = ids(ValueRef::Blob(start.above)).ok_or(Damaged)?;
        let all_active = usize::try_from(active) == Ok(ancestors.len());
        let above = if start.held.is_some() && !overridden && all_active {
            // Of those above nothing else counts.
            facts.add_org_above(start.org(org, Vec::new(), 0));
            Vec::new()
        } else {
            facts.add_org(start.org(org, ancestors, 0));
            start.above.to_vec()
        };
        start.tell(usr, org, 0, facts);
        Ok((Here { ancestors: above, held: start.held, overridden }, granted))
    };
    read().map_err(|Damaged| Failure::inconsistent("organization", org.as_uuid()))
}

/// A row of `resolving`.
pub(crate) fn resolving_here(row: &Row<'_>, usr: UserId, org: OrgId, facts: &mut Facts) -> Result<Resolving, Failure> {
    let mut cells = Cells { row, next: 0 };
    let mut read = || {
        let start = Start::read(&mut cells)?;
        let (of_org, of_user) = (cells.take(count)?, cells.optional(count)?.unwrap_or_default());
        facts.set_system_revision(cells.take(count)?);
        let (overridden, is_special, is_grouped) = (cells.take(flag)?, cells.take(flag)?, cells.take(flag)?);
        facts.add_org(start.org(org, ids(ValueRef::Blob(start.above)).ok_or(Damaged)?, of_org));
        start.tell(usr, org, of_user, facts);
        let granted = cells.optional(slugs)?;
        let knows_role = granted.is_some();
        if let (Some(held), Some(granted)) = (start.held, granted) {
            let rows = granted.into_iter().map(|slug| (slug, (Effect::Grant, None)));
            facts.add_grants(Holder::Role(held.role.id()), rows);
        }
        let here = Here { ancestors: start.above.to_vec(), held: start.held, overridden };
        Ok(Resolving { here, is_special, is_grouped, knows_role })
    };
    read().map_err(|Damaged| Failure::inconsistent("organization", org.as_uuid()))
}

/// How many permissions, and these, with a space before each: one row more for each would take several times as long.
fn slugs(value: ValueRef<'_>) -> Option<Vec<PermissionSlug>> {
    let mut parts = text(value)?.split(' ');
    let count: usize = parts.next()?.parse().ok()?;
    let slugs = parts.map(PermissionSlug::parse).collect::<Option<Vec<_>>>()?;
    // A space within one would make two of it.
    (slugs.len() == count).then_some(slugs)
}

/// What somebody gives or takes away.
pub(crate) fn given(row: &Row<'_>, facts: &mut Facts) -> Result<(), Failure> {
    let mut cells = Cells { row, next: 0 };
    let mut read = || {
        let kind = cells.take(text)?;
        let holder = cells.take(|value| Holder::from_stored(kind, Uuid::from_slice(value.as_blob().ok()?).ok()?))?;
        let permission = cells.take(|value| PermissionSlug::parse(text(value)?))?;
        let effect = cells.take(|value| Effect::parse(text(value)?))?;
        facts.add_grant(holder, permission, effect, cells.optional(moment)?);
        Ok(())
    };
    read().map_err(|Damaged| Failure::inconsistent("permission_grant", "unknown"))
}

/// A group of the user's, and one of its roles; whether there is one.
pub(crate) fn group_of(row: &Row<'_>, usr: UserId, org: OrgId, facts: &mut Facts) -> Result<bool, Failure> {
    reading::<GroupId, _>("group_member", row, |cells| {
        let group = cells.take(id)?;
        facts.add_group(usr, org, group, cells.optional(moment)?);
        let Some(role) = cells.optional(id)? else { return Ok(false) };
        facts.add_group_role(group, role, cells.optional(moment)?);
        Ok(true)
    })
}

/// An organization above.
pub(crate) fn place_above(row: &Row<'_>, facts: &mut Facts) -> Result<(), Failure> {
    reading::<OrgId, _>("organization", row, |cells| {
        let (id, status, flags) = (cells.take(id)?, cells.take(|value| OrgStatus::parse(text(value)?))?, cells.take(count)?);
        let (cascade_permissions, inherit_permissions) = (flags & 2 != 0, flags & 1 != 0);
        let (ancestors, revision) = (Vec::new(), cells.take(count)?);
        facts.add_org_above(OrgFacts { id, ancestors, status, cascade_permissions, inherit_permissions, revision });
        Ok(())
    })
}

/// A membership above, put among the facts with its role; and the end of what that grants, where it grants the permission.
pub(crate) fn held_above(row: &Row<'_>, usr: UserId, facts: &mut Facts) -> Result<Option<(Held, Option<End>)>, Failure> {
    reading::<OrgId, _>("membership", row, |cells| {
        let org = cells.take(id)?;
        let Some(held) = held(cells)? else { return Ok(None) };
        facts.add_membership(usr, org, held);
        if let Some(inherits_to_descendants) = cells.optional(flag)? {
            facts.add_role(RoleFacts { role: held.role, org_id: None, inherits_to_descendants });
        }
        Ok(Some((held, cells.optional(end)?)))
    })
}

/// A role of a group of the user's that grants the permission.
pub(crate) fn held_by_group(row: &Row<'_>, usr: UserId, org: OrgId, permission: &PermissionSlug, facts: &mut Facts) -> Result<(), Failure> {
    reading::<GroupId, _>("group_member", row, |cells| {
        let group = cells.take(id)?;
        facts.add_group(usr, org, group, cells.optional(moment)?);
        let role = cells.take(id)?;
        facts.add_group_role(group, role, cells.optional(moment)?);
        facts.add_grant(Holder::Role(role), permission.clone(), Effect::Grant, cells.optional(moment)?);
        Ok(())
    })
}

/// A slug's holder and the slug.
pub(crate) fn holding(row: &Row<'_>) -> Result<(Slug, OrgId), Failure> {
    reading::<OrgId, _>("organization_slug", row, |cells| {
        let holder = cells.take(id)?;
        Ok((cells.take(|value| Slug::parse(text(value)?))?, holder))
    })
}

/// A user, and the revision of their row if there is one.
pub(crate) fn other_owner(row: &Row<'_>) -> Result<OtherOwner, Failure> {
    reading::<UserId, _>("membership", row, |cells| Ok(OtherOwner { usr_id: cells.take(id)?, revision: cells.optional(count)? }))
}

/// How many memberships a user has, and of what kinds.
pub(crate) fn tenancy(row: &Row<'_>) -> Result<Tenancy, Failure> {
    reading::<UserId, _>("membership", row, |cells| {
        let (rows, ended, owned, suspended) = (cells.take(count)?, cells.take(count)?, cells.take(count)?, cells.take(count)?);
        Ok(Tenancy { rows, ended, owned, suspended: suspended > 0, ..Tenancy::default() })
    })
}

/// What an organization's liveness hangs on: those above it, and its own status.
pub(crate) fn line(row: &Row<'_>) -> Result<(Vec<OrgId>, OrgStatus), Failure> {
    reading::<OrgId, _>("organization", row, |cells| {
        let _: OrgId = cells.take(id)?;
        Ok((cells.take(ids)?, cells.take(|value| OrgStatus::parse(text(value)?))?))
    })
}

/// An organization, and those above it.
pub(crate) fn place_in_tree(row: &Row<'_>) -> Result<(OrgId, Vec<OrgId>), Failure> {
    reading::<OrgId, _>("organization", row, |cells| Ok((cells.take(id)?, cells.take(ids)?)))
}

/// What a role's relation to an organization hangs on.
pub(crate) struct RoleHeld {
    /// The membership in force, as the tuple that it stands for.
    pub(crate) derived: Option<TupleId>,
    /// What is above the organization, if that is active.
    pub(crate) above: Option<Vec<OrgId>>,
    /// Whether the user acts, if there is a row.
    pub(crate) acts: Option<bool>,
    /// Whether a stored tuple says the same.
    pub(crate) is_stored: bool,
}

pub(crate) fn role_held(row: &Row<'_>) -> Result<RoleHeld, Failure> {
    let truth = |value: ValueRef<'_>| value.as_i64().ok().map(|number| number != 0);
    reading::<TupleId, _>("membership", row, |cells| {
        let (derived, above) = (cells.optional(id)?, cells.optional(ids)?);
        Ok(RoleHeld { derived, above, acts: cells.optional(truth)?, is_stored: cells.take(truth)? })
    })
}

/// An id that stands alone.
pub(crate) fn only_id<I: Id>(table: &str, row: &Row<'_>) -> Result<I, Failure> {
    reading::<I, _>(table, row, |cells| cells.take(id))
}

/// A relation that stands alone.
pub(crate) fn relation(row: &Row<'_>) -> Result<Relation, Failure> {
    reading::<OrgId, _>("tuple", row, |cells| cells.take(|value| Relation::parse(text(value)?)))
}

/// A number that stands alone.
pub(crate) fn only_count(table: &str, row: &Row<'_>) -> Result<u64, Failure> {
    reading::<OrgId, _>(table, row, |cells| cells.take(count))
}

#[cfg(test)]
mod tests {
    use rusqlite::Connection;
    use tenantry_core::Refusal;

    use super::*;

    const ID: &str = "X'0196f3c21b7a7c3d9e4f5a6b7c8d9e0f'";
    const HEX: &str = "0196f3c21b7a7c3d9e4f5a6b7c8d9e0f";

    /// Reads the one row of `SELECT values`; each `#` stands for a well-formed id.
    fn read<T>(read: fn(&Row<'_>) -> Result<T, Failure>, values: &str) -> Result<T, Refusal> {
        let connection = Connection::open_in_memory().unwrap();
        let mut statement = connection.prepare(&format!("SELECT {}", values.replace('#', ID))).unwrap();
        let mut rows = statement.query([]).unwrap();
        read(rows.next().unwrap().unwrap()).map_err(|failure| match failure {
            Failure::Refused(refusal) => refusal,
            Failure::Driver(error) => panic!("{error}"),
        })
    }

    #[track_caller]
    fn damaged<T: std::fmt::Debug>(values: &str, by: fn(&Row<'_>) -> Result<T, Failure>, table: &str, id: &str) {
        let wanted = Refusal::Inconsistent { table: table.to_owned(), id: id.to_owned() };
        assert_eq!(read(by, values).unwrap_err(), wanted, "{values}");
    }

    #[test]
    fn well_formed_rows_are_read() {
        assert_eq!(read(user, "#, 'active', NULL, 3, 0, 1").unwrap().revision, 3);
        let org =
            read(org, &format!("#, #, X'{HEX}{HEX}', 'suspended', 'Acme', 'acme', 1, 0, 7, 0, 1, 5, 'x', '{{\"k\":[0.1]}}', 3")).unwrap();
        assert_eq!((org.ancestors.len(), org.cascade_permissions, org.inherit_permissions), (2, true, false));
        assert_eq!((org.seat_limit, org.external_id.is_some(), org.metadata.is_empty()), (Some(5), true, false));
        let role = format!("X'{}'", Role::Guest.id().as_uuid().simple());
        let mem = read(membership, &format!("#, #, #, {role}, NULL, 'revoked', NULL, NULL, #, 5, 0, 1, '{{}}'")).unwrap();
        assert_eq!((mem.role, mem.expires_at), (Role::Guest, Timestamp::from_micros(5).ok()));
        let event = read(
            event,
            &format!(
                "#, 'user.created', 'user', 'usr_{HEX}', 0, '[\"usr_{HEX}\"]', '{{\"before\":{{}},\"after\":{{}}}}', 'r', NULL, NULL, NULL"
            ),
        )
        .unwrap();
        assert_eq!((event.subject_ids.len(), event.request_id.is_some(), event.reason), (1, true, None));
        let promise = r#"[{"relation":"viewer","object_type":"doc","object_id":"0196f3c2-1b7a-7c3d-9e4f-5a6b7c8d9e0f"}]"#;
        let inv = read(invitation, &format!("#, #, 'a@b', {role}, NULL, 'accepted', '{promise}', #, #, 0, 1, 2, #, 1")).unwrap();
        assert_eq!((inv.pre_tuples.len(), inv.terminal_at.is_some(), inv.role), (1, true, Role::Guest));
        let tuple = read(tuple, "#, 'usr', #, 'viewer', 'doc', #, NULL, 0, NULL, NULL").unwrap();
        assert_eq!((tuple.key.subject.as_user().is_some(), tuple.org_id), (true, None));
    }

    #[test]
    fn numbers_are_read_back_as_they_were_written() {
        let numbers = [31.245_270_191_439_438, 121.487_919_511_619_45, 0.1, -2.0, 5e-324].map(tenantry_core::json::Value::Float);
        let text = serde_json::to_string(&numbers).unwrap();
        let back: Vec<tenantry_core::json::Value> = json(ValueRef::Text(text.as_bytes())).unwrap();
        assert_eq!(back, numbers);
    }

    #[test]
    fn a_value_without_its_form_names_table_and_row() {
        let usr = format!("usr_{HEX}");
        for values in [
            "#, 'gone', NULL, 0, 0, 0",
            "#, X'ff', NULL, 0, 0, 0",
            "#, CAST(X'ff' AS TEXT), NULL, 0, 0, 0",
            "#, 'active', '', 0, 0, 0",
            "#, 'active', NULL, -1, 0, 0",
            "#, 'active', NULL, 0, -1, 0",
            "#, 'active', NULL, 0, 0, 253402300800000000",
            "#, 'active', NULL, 0, 0, 1.5",
            "#, 'active', NULL, 0, 0",
        ] {
            damaged(values, user, "user_account", &usr);
        }
        for values in ["'text', 'active', NULL, 0, 0, 0", "X'00', 'active', NULL, 0, 0, 0", "NULL, 'active', NULL, 0, 0, 0"] {
            damaged(values, user, "user_account", "unknown");
        }
        damaged("zeroblob(16), 'active', NULL, 0, 0, 0", user, "user_account", "usr_00000000000000000000000000000000");
    }

    #[test]
    fn every_table_tells_its_name() {
        let (org_id, mem_id, aud_id) = (format!("org_{HEX}"), format!("mem_{HEX}"), format!("aud_{HEX}"));
        for values in [
            "#, NULL, X'00', 'active', NULL, NULL, 1, 1, 0, 0, 0, NULL, NULL, '{}', 0",
            "#, NULL, X'', 'active', NULL, 'No Slug', 1, 1, 0, 0, 0, NULL, NULL, '{}', 0",
            "#, NULL, X'', 'active', NULL, NULL, 2, 1, 0, 0, 0, NULL, NULL, '{}'",
            "#, X'00', X'', 'active', NULL, NULL, 1, 1, 0, 0, 0, NULL, NULL, '{}', 0",
            "#, NULL, X'', 'active', NULL, NULL, 1, 1, 0, 0, 0, -1, NULL, '{}'",
            "#, NULL, X'', 'active', NULL, NULL, 1, 1, 0, 0, 0, 4294967296, NULL, '{}'",
            "#, NULL, X'', 'active', NULL, NULL, 1, 1, 0, 0, 0, NULL, '', '{}'",
            "#, NULL, X'', 'active', NULL, NULL, 1, 1, 0, 0, 0, NULL, NULL, '[]'",
            "#, NULL, X'', 'active', NULL, NULL, 1, 1, 0, 0, 0, NULL, NULL, NULL",
        ] {
            damaged(values, org, "organization", &org_id);
        }
        damaged("#, #, #, #, NULL, 'active', NULL, NULL, NULL, NULL, 0, 0, '{}'", membership, "membership", &mem_id);
        let role = format!("X'{}'", Role::Guest.id().as_uuid().simple());
        damaged(&format!("#, #, #, {role}, NULL, 'active', NULL, NULL, NULL, NULL, 0, 0, '{{'"), membership, "membership", &mem_id);
        for values in [
            "#, #, '', ROLE, NULL, 'pending', '[]', #, NULL, 0, 1, NULL, NULL",
            "#, #, 'a', #, NULL, 'pending', '[]', #, NULL, 0, 1, NULL, NULL",
            "#, #, 'a', ROLE, NULL, 'open', '[]', #, NULL, 0, 1, NULL, NULL",
            "#, #, 'a', ROLE, NULL, 'pending', '{}', #, NULL, 0, 1, NULL, NULL",
            "#, #, 'a', ROLE, NULL, 'pending', '[{}]', #, NULL, 0, 1, NULL, NULL",
            "#, #, 'a', ROLE, NULL, 'pending', '[]', NULL, NULL, 0, 1, NULL, NULL",
            "#, #, 'a', ROLE, NULL, 'pending', '[]', #, NULL, 0, NULL, NULL, NULL",
        ] {
            damaged(&values.replace("ROLE", &role), invitation, "invitation", &format!("inv_{HEX}"));
        }
        for values in [
            "#, 'u', #, 'viewer', 'doc', #, NULL, 0, NULL, NULL",
            "#, 'Usr', #, 'viewer', 'doc', #, NULL, 0, NULL, NULL",
            "#, 'usr', zeroblob(16), 'viewer', 'doc', #, NULL, 0, NULL, NULL",
            "#, 'usr', X'ffffffffffffffffffffffffffffffff', 'viewer', 'doc', #, NULL, 0, NULL, NULL",
            "#, 'usr', X'00', 'viewer', 'doc', #, NULL, 0, NULL, NULL",
            "#, 'usr', #, 'v', 'doc', #, NULL, 0, NULL, NULL",
            "#, 'usr', #, 'viewer', 'doc', #, X'', 0, NULL, NULL",
            "#, 'usr', #, 'viewer', 'doc', #, NULL, 0, NULL, -1",
        ] {
            damaged(values, tuple, "tuple", &format!("tup_{HEX}"));
        }
        for values in [
            "#, 'user.eaten', 'system', NULL, 0, '[]', '{\"before\":{},\"after\":{}}', NULL, NULL, NULL, NULL",
            "#, 'user.created', 'nobody', NULL, 0, '[]', '{\"before\":{},\"after\":{}}', NULL, NULL, NULL, NULL",
            "#, 'user.created', 'user', 'me', 0, '[]', '{\"before\":{},\"after\":{}}', NULL, NULL, NULL, NULL",
            "#, 'user.created', 'system', NULL, 0, '[', '{\"before\":{},\"after\":{}}', NULL, NULL, NULL, NULL",
            "#, 'user.created', 'system', NULL, 0, '[]', '{}', NULL, NULL, NULL, NULL",
            "#, 'user.created', 'system', NULL, 0, '[]', '{\"before\":{},\"after\":{}}', '', NULL, NULL, NULL",
            "#, 'user.created', 'system', NULL, 0, '[]', '{\"before\":{},\"after\":{}}', NULL, '', NULL, NULL",
        ] {
            damaged(values, event, "event", &aud_id);
        }
        damaged("#, 'A'", holding, "organization_slug", &org_id);
        assert_eq!(slugs(ValueRef::Text(b"2 a.read b.read")).map(|slugs| slugs.len()), Some(2));
        assert_eq!(slugs(ValueRef::Text(b"0")).map(|slugs| slugs.len()), Some(0));
        for text in ["1 a.read b.read", "2 a.read", "1 a", "1", "", "a.read", "1  a.read"] {
            assert_eq!(slugs(ValueRef::Text(text.as_bytes())), None, "{text}");
        }
    }
}
