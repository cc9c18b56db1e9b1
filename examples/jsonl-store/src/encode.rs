//! How a plan is written down, and read again.
//!
//! [`Plan`] and what it holds are no types of a format: core does not say how a store keeps them. A store in SQL matches each
//! [`Change`] and makes a statement of it; this one has a *form* for each type, from which serde derives both directions.
//!
//! `remote` is what makes it safe. It matches every variant and every field, in both directions and without a rest, so that this
//! file does not compile any more when core gets a new kind of change, or a row a new field. That is worth more than any test, and
//! a store that matches by hand gets it the same way: without `_` and without `..`.
//!
//! The wire forms of `spec/`, which the rows have by `serde::Serialize`, would not do. They leave out what is nobody's business but
//! the store's: a user's revision, an organization's ancestors.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use tenantry_core::{
    Actor, AnyId, Change, Description, Effect, EntityRef, Event, EventData, EventId, EventType, ExternalId, Grant, Group, GroupId,
    GroupMember, GroupRole, Guard, Holder, Id, Identifier, Invitation, InvitationId, InvitationStatus, Membership, MembershipId,
    MembershipStatus, Metadata, Name, ObjectType, OrgId, OrgStatus, Organization, Permission, PermissionGrant, PermissionSlug, Plan,
    Progress, Reason, Relation, RequestId, Role, RoleDefinition, RoleId, RoleSlug, RoleUsage, Slug, Timestamp, Tuple, TupleId, TupleKey,
    User, UserId, UserStatus,
};

/// A plan as one line of JSON, without the end of the line.
///
/// All of it is kept but the progress, which is a function. The guards are kept too, although nothing competes with a line that is
/// read from a file: a guard does not only compare, it moves the revision of its row, and the next plan is compared with that.
pub(crate) fn write(plan: &Plan) -> Result<String, serde_json::Error> {
    #[derive(Serialize)]
    #[serde(transparent)]
    struct Line<'p>(#[serde(with = "PlanForm")] &'p Plan);
    serde_json::to_string(&Line(plan))
}

/// The plan that a line holds.
pub(crate) fn read(line: &[u8]) -> Result<Plan, serde_json::Error> {
    #[derive(Deserialize)]
    #[serde(transparent)]
    struct Line(#[serde(with = "PlanForm")] Plan);
    serde_json::from_slice(line).map(|Line(plan)| plan)
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "Plan", deny_unknown_fields)]
struct PlanForm {
    at: Option<Timestamp>,
    #[serde(with = "guards")]
    guards: Vec<Guard>,
    #[serde(with = "changes")]
    changes: Vec<Change>,
    #[serde(with = "events")]
    events: Vec<Event>,
    #[serde(skip)]
    progress: Option<Progress>,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "Guard", rename_all = "snake_case", deny_unknown_fields)]
enum GuardForm {
    NewOrgs,
    NoOrg {
        id: OrgId,
    },
    User {
        id: UserId,
        revision: Option<u64>,
        advance: bool,
    },
    NewUsers {
        without_memberships: Vec<UserId>,
    },
    Tree {
        root: OrgId,
        revision: u64,
        advance: bool,
    },
    System {
        revision: u64,
        advance: bool,
    },
    Org {
        id: OrgId,
        revision: u64,
        events: u64,
    },
    Object {
        #[serde(with = "entity")]
        object: EntityRef,
        org_id: OrgId,
    },
    Memberships {
        usr_id: UserId,
        rows: u64,
        ended: u64,
    },
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "Change", rename_all = "snake_case", deny_unknown_fields)]
enum ChangeForm {
    InsertUser(#[serde(with = "UserForm")] User),
    SetUserStatus {
        id: UserId,
        from: UserStatus,
        to: UserStatus,
    },
    InsertOrg(#[serde(with = "OrganizationForm")] Organization),
    UpdateOrg {
        id: OrgId,
        status: OrgStatus,
        name: Option<Name>,
        slug: Option<Slug>,
        cascade_permissions: bool,
        inherit_permissions: bool,
        seat_limit: Option<u32>,
        external_id: Option<ExternalId>,
        metadata: Metadata,
    },
    SetOrgStatus {
        id: OrgId,
        from: OrgStatus,
        to: OrgStatus,
    },
    ClaimSlug {
        slug: Slug,
        org_id: OrgId,
    },
    ReleaseSlug {
        slug: Slug,
        org_id: OrgId,
    },
    InsertMembership(#[serde(with = "MembershipForm")] Membership),
    SetMembershipStatus {
        org_id: OrgId,
        id: MembershipId,
        from: MembershipStatus,
        to: MembershipStatus,
        removed_by: Option<UserId>,
    },
    UpdateMembership {
        org_id: OrgId,
        id: MembershipId,
        from: Option<Timestamp>,
        expires_at: Option<Timestamp>,
        metadata: Metadata,
    },
    EndMemberships {
        org_id: OrgId,
        count: u64,
    },
    InsertInvitation(#[serde(with = "InvitationForm")] Invitation),
    EndInvitation {
        org_id: OrgId,
        id: InvitationId,
        to: InvitationStatus,
        terminal_at: Timestamp,
        terminal_by: Option<UserId>,
        invited_user_id: Option<UserId>,
    },
    ExtendInvitation {
        org_id: OrgId,
        id: InvitationId,
        from: InvitationStatus,
        expires_at: Timestamp,
    },
    RevokeInvitations {
        org_id: OrgId,
        count: u64,
        terminal_by: Option<UserId>,
    },
    InsertTuple(#[serde(with = "TupleForm")] Tuple),
    DeleteTuple {
        id: TupleId,
    },
    DeleteTuplesOfMember {
        org_id: OrgId,
        usr_id: UserId,
        count: u64,
    },
    DeleteTuplesOfOrg {
        org_id: OrgId,
        count: u64,
    },
    PutPermissions(#[serde(with = "permissions")] Vec<Permission>),
    InsertRole(#[serde(with = "RoleForm")] RoleDefinition),
    UpdateRole {
        id: RoleId,
        name: Name,
        description: Option<Description>,
        inherits_to_descendants: bool,
    },
    DeleteRole {
        id: RoleId,
        grants: u64,
        lapsed: u64,
    },
    ReplaceRole {
        from: RoleId,
        #[serde(with = "role")]
        to: Role,
        #[serde(with = "UsageForm")]
        usage: RoleUsage,
    },
    PutGrants(#[serde(with = "grants")] Vec<PermissionGrant>),
    DropGrants {
        #[serde(with = "holder")]
        holder: Holder,
        permissions: Vec<PermissionSlug>,
    },
    CopyGrants {
        from: MembershipId,
        to: MembershipId,
        count: u64,
    },
    InsertGroup(#[serde(with = "GroupForm")] Group),
    UpdateGroup {
        id: GroupId,
        name: Name,
    },
    DeleteGroup {
        id: GroupId,
        members: u64,
        roles: u64,
    },
    PutGroupMember(#[serde(with = "GroupMemberForm")] GroupMember),
    DropGroupMember {
        org_id: OrgId,
        group_id: GroupId,
        usr_id: UserId,
    },
    DropGroupMembersOfUser {
        org_id: OrgId,
        usr_id: UserId,
        count: u64,
    },
    DropGroupMembersOfOrg {
        org_id: OrgId,
        count: u64,
    },
    PutGroupRole(#[serde(with = "GroupRoleForm")] GroupRole),
    DropGroupRole {
        group_id: GroupId,
        role_id: RoleId,
    },
    MoveOrg {
        id: OrgId,
        from: Option<OrgId>,
        to: Option<OrgId>,
        depth: usize,
        ancestors: Vec<OrgId>,
        count: u64,
    },
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "Permission", deny_unknown_fields)]
struct PermissionForm {
    slug: PermissionSlug,
    name: Option<Name>,
    description: Option<Description>,
    category: Option<Name>,
    created_at: Timestamp,
    updated_at: Timestamp,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "RoleDefinition", deny_unknown_fields)]
struct RoleForm {
    id: RoleId,
    org_id: Option<OrgId>,
    slug: RoleSlug,
    name: Name,
    description: Option<Description>,
    is_system: bool,
    inherits_to_descendants: bool,
    permissions: Vec<PermissionSlug>,
    created_at: Timestamp,
    updated_at: Timestamp,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "RoleUsage", deny_unknown_fields)]
struct UsageForm {
    memberships: u64,
    invitations: u64,
    groups: u64,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "PermissionGrant", deny_unknown_fields)]
struct GrantForm {
    #[serde(with = "holder")]
    holder: Holder,
    permission: PermissionSlug,
    #[serde(deserialize_with = "effect")]
    effect: Effect,
    granted_by: Option<UserId>,
    created_at: Timestamp,
    expires_at: Option<Timestamp>,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "Group", deny_unknown_fields)]
struct GroupForm {
    id: GroupId,
    org_id: OrgId,
    slug: Slug,
    name: Name,
    created_at: Timestamp,
    updated_at: Timestamp,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "GroupMember", deny_unknown_fields)]
struct GroupMemberForm {
    group_id: GroupId,
    org_id: OrgId,
    usr_id: UserId,
    granted_by: Option<UserId>,
    created_at: Timestamp,
    expires_at: Option<Timestamp>,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "GroupRole", deny_unknown_fields)]
struct GroupRoleForm {
    group_id: GroupId,
    org_id: OrgId,
    #[serde(with = "role")]
    role: Role,
    granted_by: Option<UserId>,
    created_at: Timestamp,
    expires_at: Option<Timestamp>,
}

fn effect<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Effect, D::Error> {
    let text = String::deserialize(deserializer)?;
    Effect::parse(&text).ok_or_else(|| de::Error::custom("neither a grant nor a denial"))
}

/// A role as a membership holds it: its id, and behind it the slug of one of the application's own, which outlives the role.
mod role {
    use super::{Deserialize, Deserializer, Id, Role, RoleId, Serialize, Serializer, de};

    pub(super) fn serialize<S: Serializer>(role: &Role, serializer: S) -> Result<S::Ok, S::Error> {
        (role.id(), role.custom().map(|role| role.slug.as_str())).serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Role, D::Error> {
        let (id, slug) = <(RoleId, Option<String>)>::deserialize(deserializer)?;
        Role::from_stored(Id::as_uuid(&id), slug.as_deref()).ok_or_else(|| de::Error::custom("not a role"))
    }
}

/// On what a grant hangs: the prefix of its id tells what it is.
mod holder {
    use super::{AnyId, Deserialize, Deserializer, Holder, Serializer, de};

    pub(super) fn serialize<S: Serializer>(holder: &Holder, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(holder)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Holder, D::Error> {
        let id = AnyId::deserialize(deserializer)?;
        Holder::from_stored(id.kind.prefix(), id.as_uuid()).ok_or_else(|| de::Error::custom("not what a grant hangs on"))
    }
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "User", deny_unknown_fields)]
struct UserForm {
    id: UserId,
    status: UserStatus,
    display_name: Option<Name>,
    created_at: Timestamp,
    updated_at: Timestamp,
    revision: u64,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "Organization", deny_unknown_fields)]
struct OrganizationForm {
    id: OrgId,
    parent_id: Option<OrgId>,
    status: OrgStatus,
    name: Option<Name>,
    slug: Option<Slug>,
    cascade_permissions: bool,
    inherit_permissions: bool,
    seat_limit: Option<u32>,
    external_id: Option<ExternalId>,
    metadata: Metadata,
    revision: u64,
    created_at: Timestamp,
    updated_at: Timestamp,
    ancestors: Vec<OrgId>,
    structure_revision: u64,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "Membership", deny_unknown_fields)]
struct MembershipForm {
    id: MembershipId,
    usr_id: UserId,
    org_id: OrgId,
    #[serde(with = "role")]
    role: Role,
    status: MembershipStatus,
    replaces: Option<MembershipId>,
    invited_by: Option<UserId>,
    removed_by: Option<UserId>,
    expires_at: Option<Timestamp>,
    metadata: Metadata,
    created_at: Timestamp,
    updated_at: Timestamp,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "Invitation", deny_unknown_fields)]
struct InvitationForm {
    id: InvitationId,
    org_id: OrgId,
    identifier: Identifier,
    #[serde(with = "role")]
    role: Role,
    status: InvitationStatus,
    pre_tuples: Vec<Grant>,
    invited_by: UserId,
    invited_user_id: Option<UserId>,
    created_at: Timestamp,
    expires_at: Timestamp,
    terminal_at: Option<Timestamp>,
    terminal_by: Option<UserId>,
    judged: bool,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "Tuple", deny_unknown_fields)]
struct TupleForm {
    id: TupleId,
    #[serde(with = "TupleKeyForm")]
    key: TupleKey,
    org_id: Option<OrgId>,
    created_at: Timestamp,
    created_by: Option<UserId>,
    expires_at: Option<Timestamp>,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "TupleKey", deny_unknown_fields)]
struct TupleKeyForm {
    #[serde(with = "entity")]
    subject: EntityRef,
    relation: Relation,
    #[serde(with = "entity")]
    object: EntityRef,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "Event", deny_unknown_fields)]
struct EventForm {
    id: EventId,
    org_id: Option<OrgId>,
    revision: Option<u64>,
    #[serde(deserialize_with = "event_type")]
    kind: EventType,
    actor: Actor,
    at: Timestamp,
    subject_ids: Vec<AnyId>,
    data: EventData,
    request_id: Option<RequestId>,
    reason: Option<Reason>,
}

fn event_type<'de, D: Deserializer<'de>>(deserializer: D) -> Result<EventType, D::Error> {
    let text = String::deserialize(deserializer)?;
    EventType::parse(&text).ok_or_else(|| de::Error::custom("not a type of event"))
}

/// A subject or an object, as `folder:0196f3c2-1b7a-7c3d-9e4f-5a6b7c8d9e0f`.
mod entity {
    use super::{Deserialize, Deserializer, EntityRef, ObjectType, Serializer, de};

    pub(super) fn serialize<S: Serializer>(entity: &EntityRef, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(entity)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<EntityRef, D::Error> {
        let text = String::deserialize(deserializer)?;
        let entity = text.split_once(':').and_then(|(kind, id)| EntityRef::parse(ObjectType::parse(kind)?, id));
        entity.ok_or_else(|| de::Error::custom("not a type and an id"))
    }
}

/// A form serves a field; this lets it serve the items of a list.
macro_rules! list_of {
    ($module:ident, $item:ty, $form:literal) => {
        mod $module {
            #[allow(clippy::wildcard_imports, reason = "the forms")]
            use super::*;

            pub(super) fn serialize<S: Serializer>(items: &[$item], serializer: S) -> Result<S::Ok, S::Error> {
                #[derive(Serialize)]
                #[serde(transparent)]
                struct Item<'i>(#[serde(with = $form)] &'i $item);
                serializer.collect_seq(items.iter().map(Item))
            }

            pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<$item>, D::Error> {
                #[derive(Deserialize)]
                #[serde(transparent)]
                struct Item(#[serde(with = $form)] $item);
                let items = Vec::<Item>::deserialize(deserializer)?;
                Ok(items.into_iter().map(|Item(item)| item).collect())
            }
        }
    };
}

list_of!(guards, Guard, "GuardForm");
list_of!(changes, Change, "ChangeForm");
list_of!(events, Event, "EventForm");
list_of!(permissions, Permission, "PermissionForm");
list_of!(grants, PermissionGrant, "GrantForm");
