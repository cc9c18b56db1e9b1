//! The operations by name, with inputs and results in wire form: what fixtures, imports and remote callers speak.
//!
//! Inputs are read strictly, in the order in which [`OPERATIONS`] lists the fields: first each field's shape and its ids,
//! then unknown fields; only then does the operation itself begin (spec/errors.md#order).

mod call;
mod export;
mod input;
mod rows;

use serde::Serialize;

use crate::access::{Group, GroupMember, GroupRole, Permission, PermissionGrant};
use crate::decide::{
    AcceptedInvitation, ChangedPermissions, CreatedOrg, CreatedUser, DeletedRole, EnsuredTenant, ImportCounts, InvitedRow,
    SeededPermissions, SeededRoles, SuspendedUser, Swept, SyncedCatalog, TransferredOwnership,
};
use crate::entity::{Invitation, Membership, Organization, User};
use crate::event::Event;
use crate::id::{IdType, OrgId, UserId};
use crate::page::Page;
use crate::permissions::{AccessChange, EffectivePermissions, Explanation, UserAccess};
use crate::role::RoleDefinition;
use crate::rules::Checked;
use crate::store::{AllowedRow, CheckedRow, Descendant, OrgPath};
use crate::tuple::Tuple;

pub use call::{CallError, call};
pub use export::{Export, ExportCounts, ExportRow};
pub use rows::import_row;

/// An operation of the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Operation {
    /// Its name.
    pub name: &'static str,
    /// Whether it changes anything.
    pub writes: bool,
    /// Its input's fields, in order.
    pub fields: &'static [Field],
}

impl Operation {
    /// Every field that its input may have, in order.
    pub fn all_fields(&self) -> impl Iterator<Item = &'static Field> {
        self.fields.iter().chain(if self.writes { CAUSE } else { &[] })
    }
}

/// A field of an input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Field {
    /// Its name.
    pub name: &'static str,
    /// What it takes.
    pub kind: FieldKind,
    /// Whether it must be there.
    pub required: bool,
}

/// What a field takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum FieldKind {
    /// An id of this kind.
    Id(IdType),
    /// A list of ids of this kind.
    Ids(IdType),
    /// Text.
    Text,
    /// Text, or null to clear the field.
    TextPatch,
    /// True or false.
    Bool,
    /// A moment, as RFC 3339 text.
    Time,
    /// A moment, or null to clear the field.
    TimePatch,
    /// An organization's status.
    OrgStatus,
    /// A membership's status.
    MembershipStatus,
    /// What an earlier page gave.
    Cursor,
    /// A number of rows.
    Limit,
    /// A number of levels of a tree.
    Levels,
    /// A revision.
    Revision,
    /// A whole number from 0 to 4294967295.
    Number,
    /// A whole number, or null to clear the field.
    IntPatch,
    /// An object, or null to clear the field.
    ObjectPatch,
    /// An invitation's status.
    InvitationStatus,
    /// What an invitation promises: `{relation, object_type, object_id}` each.
    PreTuples,
    /// Several invitations: `{identifier, role, expires_at, pre_tuples?}` each.
    Invitations,
    /// Several texts.
    Texts,
    /// Several checks: the five fields each.
    Checks,
    /// The event behind which to begin.
    After,
    /// Definitions of permissions: `{slug, name?, description?, category?}` each.
    Definitions,
    /// What roles shall grant: `{role, permissions}` each, the latter patterns.
    Matrix,
    /// Resources, of which permissions are derived: see [`crate::ManifestResource`].
    Manifest,
    /// Questions about permissions: `{usr_id, org_id, permission}` each.
    Asks,
    /// What an override of an organization does: `grant`, `deny` or `inherit`.
    OrgEffect,
    /// What an override of a membership does: `grant`, `deny` or `clear`.
    MembershipEffect,
    /// What becomes of a user without an organization: `flexible`, `personal` or `required`.
    TenantMode,
    /// Rows to bring in, each as [`import_row`] reads it.
    Rows,
}

const fn must(name: &'static str, kind: FieldKind) -> Field {
    Field { name, kind, required: true }
}

const fn may(name: &'static str, kind: FieldKind) -> Field {
    Field { name, kind, required: false }
}

const fn read(name: &'static str, fields: &'static [Field]) -> Operation {
    Operation { name, writes: false, fields }
}

const fn write(name: &'static str, fields: &'static [Field]) -> Operation {
    Operation { name, writes: true, fields }
}

const USR: FieldKind = FieldKind::Id(IdType::User);
const ORG: FieldKind = FieldKind::Id(IdType::Organization);
const MEM: FieldKind = FieldKind::Id(IdType::Membership);
const INV: FieldKind = FieldKind::Id(IdType::Invitation);
const TUP: FieldKind = FieldKind::Id(IdType::Tuple);
const ROL: FieldKind = FieldKind::Id(IdType::Role);
const GRP: FieldKind = FieldKind::Id(IdType::Group);

/// What every operation that writes takes beside its own fields, behind them: they are copied to its events.
pub const CAUSE: &[Field] = &[may("request_id", FieldKind::Text), may("reason", FieldKind::Text)];

/// Every operation that takes and gives wire forms, in the order of spec/.
pub const OPERATIONS: &[Operation] = &[
    write("create_user", &[may("display_name", FieldKind::Text)]),
    read("get_user", &[must("usr_id", USR)]),
    read("get_users", &[must("usr_ids", FieldKind::Ids(IdType::User))]),
    write("suspend_user", &[must("usr_id", USR)]),
    write("reinstate_user", &[must("usr_id", USR)]),
    write("revoke_user", &[must("usr_id", USR)]),
    write(
        "create_org",
        &[
            must("creator", USR),
            may("name", FieldKind::Text),
            may("slug", FieldKind::Text),
            may("parent_id", ORG),
            may("cascade_permissions", FieldKind::Bool),
            may("inherit_permissions", FieldKind::Bool),
        ],
    ),
    read("get_org", &[must("org_id", ORG)]),
    read("get_org_by_slug", &[must("slug", FieldKind::Text)]),
    read("get_orgs", &[must("org_ids", FieldKind::Ids(IdType::Organization))]),
    read("get_org_path", &[must("org_id", ORG)]),
    read("list_children", &[must("org_id", ORG), may("cursor", FieldKind::Cursor), may("limit", FieldKind::Limit)]),
    read(
        "list_descendants",
        &[must("org_id", ORG), may("cursor", FieldKind::Cursor), may("limit", FieldKind::Limit), may("levels", FieldKind::Levels)],
    ),
    read(
        "list_orgs",
        &[
            may("cursor", FieldKind::Cursor),
            may("limit", FieldKind::Limit),
            may("status", FieldKind::OrgStatus),
            may("query", FieldKind::Text),
        ],
    ),
    write(
        "update_org",
        &[
            must("org_id", ORG),
            may("name", FieldKind::TextPatch),
            may("slug", FieldKind::TextPatch),
            may("cascade_permissions", FieldKind::Bool),
            may("inherit_permissions", FieldKind::Bool),
            may("seat_limit", FieldKind::IntPatch),
            may("external_id", FieldKind::TextPatch),
            may("metadata", FieldKind::ObjectPatch),
        ],
    ),
    write("move_org", &[must("org_id", ORG), may("new_parent_id", ORG)]),
    read(
        "preview_move_org",
        &[must("org_id", ORG), may("new_parent_id", ORG), may("cursor", FieldKind::Cursor), may("limit", FieldKind::Limit)],
    ),
    write("suspend_org", &[must("org_id", ORG)]),
    write("reinstate_org", &[must("org_id", ORG)]),
    write("revoke_org", &[must("org_id", ORG)]),
    write(
        "ensure_tenant_for_user",
        &[
            must("usr_id", USR),
            may("name", FieldKind::Text),
            may("mode", FieldKind::TenantMode),
            may("max_tenants", FieldKind::Number),
            may("default_name", FieldKind::Text),
        ],
    ),
    write(
        "create_tenant_with_ownership",
        &[
            must("usr_id", USR),
            must("name", FieldKind::Text),
            may("slug", FieldKind::Text),
            may("mode", FieldKind::TenantMode),
            may("max_tenants", FieldKind::Number),
            may("default_name", FieldKind::Text),
        ],
    ),
    write(
        "delete_tenant",
        &[
            must("usr_id", USR),
            must("org_id", ORG),
            may("mode", FieldKind::TenantMode),
            may("max_tenants", FieldKind::Number),
            may("default_name", FieldKind::Text),
        ],
    ),
    write(
        "add_member",
        &[
            must("org_id", ORG),
            must("usr_id", USR),
            must("role", FieldKind::Text),
            may("invited_by", USR),
            may("expires_at", FieldKind::Time),
        ],
    ),
    write("change_role", &[must("mem_id", MEM), must("new_role", FieldKind::Text)]),
    write("update_membership", &[must("mem_id", MEM), may("expires_at", FieldKind::TimePatch), may("metadata", FieldKind::ObjectPatch)]),
    write("suspend_membership", &[must("mem_id", MEM)]),
    write("reinstate_membership", &[must("mem_id", MEM)]),
    write("self_leave", &[must("mem_id", MEM), may("transfer_to", USR)]),
    write("admin_remove", &[must("mem_id", MEM), must("admin_usr_id", USR)]),
    write("transfer_ownership", &[must("org_id", ORG), must("from_mem_id", MEM), must("to_mem_id", MEM)]),
    read("get_membership", &[must("mem_id", MEM)]),
    read("get_membership_for", &[must("org_id", ORG), must("usr_id", USR)]),
    read("get_memberships", &[must("mem_ids", FieldKind::Ids(IdType::Membership))]),
    read("membership_history", &[must("mem_id", MEM)]),
    read(
        "list_members",
        &[
            must("org_id", ORG),
            may("cursor", FieldKind::Cursor),
            may("limit", FieldKind::Limit),
            may("status", FieldKind::MembershipStatus),
        ],
    ),
    read(
        "list_memberships",
        &[
            must("usr_id", USR),
            may("cursor", FieldKind::Cursor),
            may("limit", FieldKind::Limit),
            may("status", FieldKind::MembershipStatus),
        ],
    ),
    read("count_members", &[must("org_id", ORG), may("status", FieldKind::MembershipStatus)]),
    write(
        "create_invitation",
        &[
            must("org_id", ORG),
            must("identifier", FieldKind::Text),
            must("role", FieldKind::Text),
            must("invited_by", USR),
            must("expires_at", FieldKind::Time),
            may("pre_tuples", FieldKind::PreTuples),
        ],
    ),
    write("create_invitations", &[must("org_id", ORG), must("invited_by", USR), must("invitations", FieldKind::Invitations)]),
    read("get_invitation", &[must("inv_id", INV)]),
    read(
        "list_invitations",
        &[
            must("org_id", ORG),
            may("cursor", FieldKind::Cursor),
            may("limit", FieldKind::Limit),
            may("status", FieldKind::InvitationStatus),
        ],
    ),
    read(
        "list_invitations_for",
        &[
            must("identifier", FieldKind::Text),
            may("cursor", FieldKind::Cursor),
            may("limit", FieldKind::Limit),
            may("status", FieldKind::InvitationStatus),
        ],
    ),
    write("accept_invitation", &[must("inv_id", INV), may("as_usr_id", USR), may("accepting_identifier", FieldKind::Text)]),
    write("decline_invitation", &[must("inv_id", INV), may("as_usr_id", USR), may("accepting_identifier", FieldKind::Text)]),
    write("revoke_invitation", &[must("inv_id", INV), must("admin_usr_id", USR)]),
    write("extend_invitation", &[must("inv_id", INV), must("expires_at", FieldKind::Time)]),
    write("sweep", &[may("limit", FieldKind::Limit)]),
    write(
        "create_tuple",
        &[
            must("subject_type", FieldKind::Text),
            must("subject_id", FieldKind::Text),
            must("relation", FieldKind::Text),
            must("object_type", FieldKind::Text),
            must("object_id", FieldKind::Text),
            may("org_id", ORG),
            may("expires_at", FieldKind::Time),
        ],
    ),
    write("delete_tuple", &[must("tup_id", TUP)]),
    read("get_tuple", &[must("tup_id", TUP)]),
    read(
        "list_tuples_for_subject",
        &[
            must("subject_type", FieldKind::Text),
            must("subject_id", FieldKind::Text),
            may("cursor", FieldKind::Cursor),
            may("limit", FieldKind::Limit),
        ],
    ),
    read(
        "list_tuples_for_object",
        &[
            must("object_type", FieldKind::Text),
            must("object_id", FieldKind::Text),
            may("relation", FieldKind::Text),
            may("cursor", FieldKind::Cursor),
            may("limit", FieldKind::Limit),
        ],
    ),
    read(
        "check",
        &[
            must("subject_type", FieldKind::Text),
            must("subject_id", FieldKind::Text),
            must("relation", FieldKind::Text),
            must("object_type", FieldKind::Text),
            must("object_id", FieldKind::Text),
        ],
    ),
    read(
        "check_any",
        &[
            must("subject_type", FieldKind::Text),
            must("subject_id", FieldKind::Text),
            must("relations", FieldKind::Texts),
            must("object_type", FieldKind::Text),
            must("object_id", FieldKind::Text),
        ],
    ),
    read("check_many", &[must("checks", FieldKind::Checks)]),
    write(
        "define_permission",
        &[
            must("slug", FieldKind::Text),
            may("name", FieldKind::Text),
            may("description", FieldKind::Text),
            may("category", FieldKind::Text),
        ],
    ),
    write("sync_catalog", &[may("manifest", FieldKind::Manifest), may("custom", FieldKind::Definitions)]),
    read("list_permissions", &[may("cursor", FieldKind::Cursor), may("limit", FieldKind::Limit)]),
    write(
        "create_role",
        &[
            may("org_id", ORG),
            must("slug", FieldKind::Text),
            may("name", FieldKind::Text),
            may("description", FieldKind::Text),
            may("inherits_to_descendants", FieldKind::Bool),
            may("permissions", FieldKind::Texts),
        ],
    ),
    read("get_role", &[must("role_id", ROL)]),
    read("list_roles", &[may("org_id", ORG), may("cursor", FieldKind::Cursor), may("limit", FieldKind::Limit)]),
    write(
        "update_role",
        &[
            must("role_id", ROL),
            may("name", FieldKind::Text),
            may("description", FieldKind::TextPatch),
            may("inherits_to_descendants", FieldKind::Bool),
        ],
    ),
    write("delete_role", &[must("role_id", ROL), may("replacement_role_id", ROL)]),
    write("grant_role_permission", &[must("role_id", ROL), must("permission", FieldKind::Text), may("expires_at", FieldKind::Time)]),
    write("revoke_role_permission", &[must("role_id", ROL), must("permission", FieldKind::Text)]),
    write("seed_system_roles", &[may("inherits_to_descendants", FieldKind::Texts)]),
    write("seed_role_permissions", &[may("matrix", FieldKind::Matrix), may("prune", FieldKind::Bool)]),
    write("create_group", &[must("org_id", ORG), must("slug", FieldKind::Text), may("name", FieldKind::Text)]),
    read("get_group", &[must("group_id", GRP)]),
    read("list_groups", &[must("org_id", ORG), may("cursor", FieldKind::Cursor), may("limit", FieldKind::Limit)]),
    write("update_group", &[must("group_id", GRP), may("name", FieldKind::Text)]),
    write("delete_group", &[must("group_id", GRP)]),
    write("add_group_member", &[must("group_id", GRP), must("usr_id", USR), may("expires_at", FieldKind::Time)]),
    write("remove_group_member", &[must("group_id", GRP), must("usr_id", USR)]),
    read("list_group_members", &[must("group_id", GRP), may("cursor", FieldKind::Cursor), may("limit", FieldKind::Limit)]),
    write("add_group_role", &[must("group_id", GRP), must("role_id", ROL), may("expires_at", FieldKind::Time)]),
    write("remove_group_role", &[must("group_id", GRP), must("role_id", ROL)]),
    read("list_group_roles", &[must("group_id", GRP), may("cursor", FieldKind::Cursor), may("limit", FieldKind::Limit)]),
    write(
        "set_org_override",
        &[
            must("org_id", ORG),
            must("permission", FieldKind::Text),
            must("effect", FieldKind::OrgEffect),
            may("expires_at", FieldKind::Time),
        ],
    ),
    write(
        "set_membership_override",
        &[
            must("mem_id", MEM),
            must("permission", FieldKind::Text),
            must("effect", FieldKind::MembershipEffect),
            may("expires_at", FieldKind::Time),
        ],
    ),
    read("list_org_overrides", &[must("org_id", ORG), may("cursor", FieldKind::Cursor), may("limit", FieldKind::Limit)]),
    read("list_membership_overrides", &[must("mem_id", MEM), may("cursor", FieldKind::Cursor), may("limit", FieldKind::Limit)]),
    read("resolve_permissions", &[must("usr_id", USR), must("org_id", ORG)]),
    read("has_permission", &[must("usr_id", USR), must("org_id", ORG), must("permission", FieldKind::Text)]),
    read("has_all_permissions", &[must("usr_id", USR), must("org_id", ORG), must("permissions", FieldKind::Texts)]),
    read("has_any_permission", &[must("usr_id", USR), must("org_id", ORG), must("permissions", FieldKind::Texts)]),
    read("has_permissions", &[must("asks", FieldKind::Asks)]),
    read("explain_permission", &[must("usr_id", USR), must("org_id", ORG), must("permission", FieldKind::Text)]),
    read(
        "list_users_with",
        &[must("org_id", ORG), must("permission", FieldKind::Text), may("cursor", FieldKind::Cursor), may("limit", FieldKind::Limit)],
    ),
    read(
        "review_permissions",
        &[
            must("org_id", ORG),
            may("permission", FieldKind::Text),
            may("usr_id", USR),
            may("cursor", FieldKind::Cursor),
            may("limit", FieldKind::Limit),
        ],
    ),
    read(
        "list_orgs_with",
        &[must("usr_id", USR), must("permission", FieldKind::Text), may("cursor", FieldKind::Cursor), may("limit", FieldKind::Limit)],
    ),
    read("changes_all", &[may("after", FieldKind::After), may("limit", FieldKind::Limit)]),
    read("changes", &[must("org_id", ORG), may("after_revision", FieldKind::Revision), may("limit", FieldKind::Limit)]),
    write("import", &[must("rows", FieldKind::Rows)]),
];

/// The operation with this name.
pub fn operation(name: &str) -> Option<&'static Operation> {
    OPERATIONS.iter().find(|operation| operation.name == name)
}

/// What an operation answers, in wire form.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
#[non_exhaustive]
pub enum Reply {
    /// A user.
    User(User),
    /// Users found by id.
    FoundUsers {
        /// In order of id.
        data: Vec<User>,
    },
    /// A new user.
    CreatedUser(CreatedUser),
    /// A suspended user, with the organizations left without an acting owner.
    SuspendedUser(SuspendedUser),
    /// An organization.
    Organization(Organization),
    /// A new organization with its owner's membership.
    CreatedOrg(CreatedOrg),
    /// The organization that a user works in.
    EnsuredTenant(Box<EnsuredTenant>),
    /// An organization with all above it.
    OrgPath(OrgPath),
    /// Organizations.
    Organizations(Page<Organization>),
    /// Organizations below another one.
    Descendants(Page<Descendant>),
    /// Organizations found by id.
    FoundOrgs {
        /// In order of id.
        data: Vec<Organization>,
    },
    /// A membership.
    Membership(Membership),
    /// The two memberships of a transfer.
    TransferredOwnership(TransferredOwnership),
    /// Memberships.
    Memberships(Page<Membership>),
    /// Memberships found by id.
    FoundMemberships {
        /// In order of id.
        data: Vec<Membership>,
    },
    /// A number of rows.
    Count {
        /// How many.
        count: u64,
    },
    /// Events.
    Events(Page<Event>),
    /// What an import brought in.
    Imported(ImportCounts),
    /// An invitation.
    Invitation(Invitation),
    /// Invitations.
    Invitations(Page<Invitation>),
    /// What became of each of several invitations.
    InvitedRows {
        /// In the order of the rows.
        data: Vec<InvitedRow>,
    },
    /// What an accepted invitation led to.
    Accepted(AcceptedInvitation),
    /// What a sweep cleared away.
    Swept(Swept),
    /// A tuple.
    Tuple(Tuple),
    /// Tuples.
    Tuples(Page<Tuple>),
    /// A check's answer.
    Checked(Checked),
    /// An entry of the catalog.
    Permission(Permission),
    /// Entries of the catalog.
    Permissions(Page<Permission>),
    /// What became of the catalog.
    SyncedCatalog(SyncedCatalog),
    /// A role.
    Role(RoleDefinition),
    /// Roles.
    Roles(Page<RoleDefinition>),
    /// A role that is gone.
    DeletedRole(DeletedRole),
    /// What became of a role's permissions.
    ChangedPermissions(ChangedPermissions),
    /// What became of the permissions of roles that were seeded.
    SeededPermissions(SeededPermissions),
    /// What became of the built-in roles' rows.
    SeededRoles(SeededRoles),
    /// A group.
    Group(Group),
    /// Groups.
    Groups(Page<Group>),
    /// Somebody in a group; null when they were not.
    GroupMember(Option<GroupMember>),
    /// Who is in a group.
    GroupMembers(Page<GroupMember>),
    /// A role of a group; null when it did not have it.
    GroupRole(Option<GroupRole>),
    /// The roles of a group.
    GroupRoles(Page<GroupRole>),
    /// An override; null when there is none.
    Override(Option<PermissionGrant>),
    /// Overrides.
    Overrides(Page<PermissionGrant>),
    /// Everything that a user may do.
    Effective(Box<EffectivePermissions>),
    /// Whether a user may do something.
    Allowed {
        /// Whether they may.
        allowed: bool,
    },
    /// The answers to several questions.
    AllowedRows {
        /// In the order of the questions.
        data: Vec<AllowedRow>,
    },
    /// Why a user may do something, or may not.
    Explanation(Box<Explanation>),
    /// What a move would change.
    AccessChanges(Page<AccessChange>),
    /// What users may do in an organization, and by what.
    Review(Page<UserAccess>),
    /// Users.
    UserIds(Page<UserId>),
    /// Organizations.
    OrgIds(Page<OrgId>),
    /// The answers of several checks.
    CheckedRows {
        /// In the order of the checks.
        data: Vec<CheckedRow>,
    },
}
