//! Roles, groups, overrides and the catalog; and what may be done, as an application asks it.

use async_trait::async_trait;
use serde::ser::SerializeStruct;
use serde::{Serialize, Serializer};
use std::fmt;
use std::sync::Arc;

use crate::access::{Group, GroupMember, GroupRole, Permission, PermissionGrant};
use crate::decide::{
    AddGroupMember, AddGroupRole, ChangedPermissions, CreateGroup, CreateRole, DefinePermission, DeleteGroup, DeleteRole, DeletedRole,
    GrantRolePermissions, RemoveGroupMember, RemoveGroupRole, RevokeRolePermissions, SeedRolePermissions, SeedSystemRoles,
    SeededPermissions, SeededRoles, SetMembershipOverride, SetOrgOverride, SyncCatalog, SyncedCatalog, UpdateGroup, UpdateRole,
};
use crate::error::{DomainError, Error};
use crate::id::{GroupId, MembershipId, OrgId, RoleId, UserId};
use crate::page::{Page, PageRequest};
use crate::permissions::{EffectivePermissions, Explanation, PermissionToken, UserAccess};
use crate::role::RoleDefinition;
use crate::stamps::Stamps;

macro_rules! list_of {
    ($(#[$doc:meta])* $name:ident { $(#[$field_doc:meta])* $field:ident: $kind:ty }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq)]
        #[non_exhaustive]
        pub struct $name {
            $(#[$field_doc])*
            pub $field: $kind,
            /// Which part of the list.
            pub page: PageRequest,
        }

        impl $name {
            /// The first page.
            pub fn new($field: $kind) -> Self {
                Self { $field, page: PageRequest::default() }
            }

            /// Another part of the list.
            #[must_use]
            pub fn page(mut self, page: PageRequest) -> Self {
                self.page = page;
                self
            }
        }
    };
}

list_of! {
    /// Lists the roles that an organization knows: its own, those of the organizations above it, and those of the system.
    ListRoles {
        /// Where; without one only those of the system.
        org_id: Option<OrgId>
    }
}
list_of! {
    /// Lists the groups of an organization.
    ListGroups {
        /// Whose.
        org_id: OrgId
    }
}
list_of! {
    /// Lists who is in a group, in order of user.
    ListGroupMembers {
        /// Which group.
        group_id: GroupId
    }
}
list_of! {
    /// Lists the roles of a group, in order of role.
    ListGroupRoles {
        /// Which group.
        group_id: GroupId
    }
}
list_of! {
    /// Lists what an organization grants and denies, in order of permission.
    ListOrgOverrides {
        /// Where.
        org_id: OrgId
    }
}
list_of! {
    /// Lists what a membership is granted and denied, in order of permission.
    ListMembershipOverrides {
        /// Whose.
        mem_id: MembershipId
    }
}

/// Lists the catalog, in order of slug.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ListPermissions {
    /// Which part of the list.
    pub page: PageRequest,
}

impl ListPermissions {
    /// The first page.
    pub fn new() -> Self {
        Self::default()
    }

    /// Another part of the list.
    #[must_use]
    pub fn page(mut self, page: PageRequest) -> Self {
        self.page = page;
        self
    }
}

/// Asks who has a permission in an organization, in order of user.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ListUsersWith {
    /// Where.
    pub org_id: OrgId,
    /// Which permission.
    pub permission: String,
    /// Which part of the list.
    pub page: PageRequest,
}

impl ListUsersWith {
    /// The first page.
    pub fn new(org_id: OrgId, permission: impl Into<String>) -> Self {
        Self { org_id, permission: permission.into(), page: PageRequest::default() }
    }

    /// Another part of the list.
    #[must_use]
    pub fn page(mut self, page: PageRequest) -> Self {
        self.page = page;
        self
    }
}

/// Asks in which organizations a user has a permission, in order of organization.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ListOrgsWith {
    /// Who.
    pub usr_id: UserId,
    /// Which permission.
    pub permission: String,
    /// Which part of the list.
    pub page: PageRequest,
}

impl ListOrgsWith {
    /// The first page.
    pub fn new(usr_id: UserId, permission: impl Into<String>) -> Self {
        Self { usr_id, permission: permission.into(), page: PageRequest::default() }
    }

    /// Another part of the list.
    #[must_use]
    pub fn page(mut self, page: PageRequest) -> Self {
        self.page = page;
        self
    }
}

/// Asks what everybody may do in an organization, and by what, in order of user.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ReviewPermissions {
    /// Where.
    pub org_id: OrgId,
    /// Only this permission, and those who have it.
    pub permission: Option<String>,
    /// Only this user.
    pub usr_id: Option<UserId>,
    /// Which part of the list.
    pub page: PageRequest,
}

impl ReviewPermissions {
    /// Everybody and everything, the first page.
    pub fn new(org_id: OrgId) -> Self {
        Self { org_id, permission: None, usr_id: None, page: PageRequest::default() }
    }

    /// Another part of the list.
    #[must_use]
    pub fn page(mut self, page: PageRequest) -> Self {
        self.page = page;
        self
    }
}

/// One question of [`PermissionResolver::has_permissions`].
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub struct PermissionAsk {
    /// Who.
    pub usr_id: UserId,
    /// Where.
    pub org_id: OrgId,
    /// What.
    pub permission: String,
}

impl PermissionAsk {
    /// May this user do this, in this organization?
    pub fn new(usr_id: UserId, org_id: OrgId, permission: impl Into<String>) -> Self {
        Self { usr_id, org_id, permission: permission.into() }
    }
}

/// The answer to one of several questions, or why there is none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AllowedRow(pub Result<bool, DomainError>);

impl Serialize for AllowedRow {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut row = serializer.serialize_struct("AllowedRow", 2)?;
        row.serialize_field("allowed", &self.0.as_ref().ok())?;
        row.serialize_field("error", &self.0.as_ref().err().map(DomainError::brief))?;
        row.end()
    }
}

/// What may be done in an organization, over any store: the question that every handler asks.
///
/// Every answer is of one moment, comes from one and the same resolution (spec/permissions.md), and takes a number of round trips
/// that does not grow with the tree, the groups or the questions. A permission that the catalog does not have is denied.
///
/// ```
/// use tenantry_core::{Error, OrgId, PermissionResolver, UserId};
///
/// async fn send(resolver: &dyn PermissionResolver, usr: UserId, org: OrgId) -> Result<(), Error> {
///     if resolver.has_permission(usr, org, "invoices.send").await? {
///         // ...
///     }
///     Ok(())
/// }
/// # let _ = send;
/// ```
///
/// # Errors
/// `not_found` for an organization that does not exist, and, to a guarded caller, for one where they have nothing;
/// `invalid_format.permission` for a text that is no slug; `forbidden` where a guarded caller asks about others and does not manage
/// members there; `backend.*`.
#[async_trait]
pub trait PermissionResolver: fmt::Debug + Send + Sync {
    /// Everything that a user may do in an organization, and from where. Spec: `permissions.md#resolve_permissions`.
    async fn resolve_permissions(&self, usr_id: UserId, org_id: OrgId) -> Result<EffectivePermissions, Error>;

    /// Whether a user may do something. Spec: `permissions.md#has_permission`.
    async fn has_permission(&self, usr_id: UserId, org_id: OrgId, permission: &str) -> Result<bool, Error>;

    /// Whether a user may do all of it: at most 200; of nothing, yes. Spec: `permissions.md#has_all_permissions`.
    async fn has_all_permissions(&self, usr_id: UserId, org_id: OrgId, permissions: &[&str]) -> Result<bool, Error>;

    /// Whether a user may do any of it: at most 200; of nothing, no. Spec: `permissions.md#has_any_permission`.
    async fn has_any_permission(&self, usr_id: UserId, org_id: OrgId, permissions: &[&str]) -> Result<bool, Error>;

    /// Up to 200 questions about any users and organizations, as of one moment; one answer for each, in their order.
    /// Spec: `permissions.md#has_permissions`.
    async fn has_permissions(&self, asks: &[PermissionAsk]) -> Result<Vec<AllowedRow>, Error>;

    /// Why a user may do something, or may not. Spec: `permissions.md#explain_permission`.
    async fn explain_permission(&self, usr_id: UserId, org_id: OrgId, permission: &str) -> Result<Explanation, Error>;

    /// Who has a permission in an organization: complete, and exactly those of whom [`has_permission`](Self::has_permission) says so.
    /// Spec: `permissions.md#list_users_with`.
    async fn list_users_with(&self, request: ListUsersWith) -> Result<Page<UserId>, Error>;

    /// What everybody may do in an organization, each with what had the last word: all members there, whoever inherits a membership
    /// from above, and whom an ancestor-read policy lets read. Spec: `permissions.md#review_permissions`.
    async fn review_permissions(&self, request: ReviewPermissions) -> Result<Page<UserAccess>, Error>;

    /// In which organizations a user has a permission: complete, and exactly those of which
    /// [`has_permission`](Self::has_permission) says so. Spec: `permissions.md#list_orgs_with`.
    async fn list_orgs_with(&self, request: ListOrgsWith) -> Result<Page<OrgId>, Error>;

    /// The same as [`resolve_permissions`](Self::resolve_permissions) for up to 200 users and organizations, as of one moment; one answer
    /// for each, in their order. Spec: `permissions.md#freshness`.
    async fn resolve_many(&self, asks: &[(UserId, OrgId)]) -> Result<Vec<Result<EffectivePermissions, DomainError>>, Error>;

    /// The token that [`resolve_permissions`](Self::resolve_permissions) would answer now, for up to 200 users and organizations, as of
    /// one moment; one for each, in their order. It costs a store less than the answers. Spec: `permissions.md#freshness`.
    async fn permission_tokens(&self, asks: &[(UserId, OrgId)]) -> Result<Vec<Result<PermissionToken, DomainError>>, Error>;

    /// Where the store can tell without being asked whether anything was written that answers rest on: it does so when nobody writes past
    /// this object.
    fn stamps(&self) -> Option<Arc<Stamps>> {
        None
    }
}

/// Roles, groups, overrides and the catalog of permissions, over any store.
///
/// # Errors
/// As with [`TenancyStore`](crate::TenancyStore): each method says in spec/ what it checks, in which order.
#[async_trait]
pub trait AccessStore: fmt::Debug + Send + Sync {
    /// Defines one permission. Spec: `permissions.md#define_permission`.
    async fn define_permission(&self, request: DefinePermission) -> Result<Permission, Error>;
    /// Brings the catalog to what is said. Spec: `permissions.md#sync_catalog`.
    async fn sync_catalog(&self, request: SyncCatalog) -> Result<SyncedCatalog, Error>;
    /// The catalog. Spec: `permissions.md#list_permissions`.
    async fn list_permissions(&self, request: ListPermissions) -> Result<Page<Permission>, Error>;

    /// Makes a role. Spec: `roles.md#create_role`.
    async fn create_role(&self, request: CreateRole) -> Result<RoleDefinition, Error>;
    /// A role, with what it grants. Spec: `roles.md#get_role`.
    async fn get_role(&self, role_id: RoleId) -> Result<RoleDefinition, Error>;
    /// The roles that an organization knows. Spec: `roles.md#list_roles`.
    async fn list_roles(&self, request: ListRoles) -> Result<Page<RoleDefinition>, Error>;
    /// Changes a role's fields. Spec: `roles.md#update_role`.
    async fn update_role(&self, request: UpdateRole) -> Result<RoleDefinition, Error>;
    /// Deletes a role of an organization. Spec: `roles.md#delete_role`.
    async fn delete_role(&self, request: DeleteRole) -> Result<DeletedRole, Error>;
    /// Lets a role grant more. Spec: `roles.md#grant_role_permission`.
    async fn grant_role_permissions(&self, request: GrantRolePermissions) -> Result<ChangedPermissions, Error>;
    /// Lets a role grant less. Spec: `roles.md#revoke_role_permission`.
    async fn revoke_role_permissions(&self, request: RevokeRolePermissions) -> Result<ChangedPermissions, Error>;
    /// Makes rows of the built-in roles. Spec: `roles.md#seed_system_roles`.
    async fn seed_system_roles(&self, request: SeedSystemRoles) -> Result<SeededRoles, Error>;
    /// Lets roles of the system grant what fits their patterns. Spec: `roles.md#seed_role_permissions`.
    async fn seed_role_permissions(&self, request: SeedRolePermissions) -> Result<SeededPermissions, Error>;

    /// Makes a group. Spec: `groups.md#create_group`.
    async fn create_group(&self, request: CreateGroup) -> Result<Group, Error>;
    /// A group. Spec: `groups.md#get_group`.
    async fn get_group(&self, group_id: GroupId) -> Result<Group, Error>;
    /// The groups of an organization. Spec: `groups.md#list_groups`.
    async fn list_groups(&self, request: ListGroups) -> Result<Page<Group>, Error>;
    /// Gives a group another name. Spec: `groups.md#update_group`.
    async fn update_group(&self, request: UpdateGroup) -> Result<Group, Error>;
    /// Deletes a group. Spec: `groups.md#delete_group`.
    async fn delete_group(&self, request: DeleteGroup) -> Result<Group, Error>;
    /// Puts a user into a group. Spec: `groups.md#add_group_member`.
    async fn add_group_member(&self, request: AddGroupMember) -> Result<GroupMember, Error>;
    /// Takes a user out of a group; answers the row as it was, if there was one. Spec: `groups.md#remove_group_member`.
    async fn remove_group_member(&self, request: RemoveGroupMember) -> Result<Option<GroupMember>, Error>;
    /// Who is in a group. Spec: `groups.md#list_group_members`.
    async fn list_group_members(&self, request: ListGroupMembers) -> Result<Page<GroupMember>, Error>;
    /// Gives a group a role. Spec: `groups.md#add_group_role`.
    async fn add_group_role(&self, request: AddGroupRole) -> Result<GroupRole, Error>;
    /// Takes a role from a group; answers the row as it was, if there was one. Spec: `groups.md#remove_group_role`.
    async fn remove_group_role(&self, request: RemoveGroupRole) -> Result<Option<GroupRole>, Error>;
    /// The roles of a group. Spec: `groups.md#list_group_roles`.
    async fn list_group_roles(&self, request: ListGroupRoles) -> Result<Page<GroupRole>, Error>;

    /// Grants or denies a permission in an organization, or neither. Spec: `overrides.md#set_org_override`.
    async fn set_org_override(&self, request: SetOrgOverride) -> Result<Option<PermissionGrant>, Error>;
    /// Grants or denies a member a permission, or neither. Spec: `overrides.md#set_membership_override`.
    async fn set_membership_override(&self, request: SetMembershipOverride) -> Result<Option<PermissionGrant>, Error>;
    /// What an organization grants and denies. Spec: `overrides.md#list_org_overrides`.
    async fn list_org_overrides(&self, request: ListOrgOverrides) -> Result<Page<PermissionGrant>, Error>;
    /// What a membership is granted and denied. Spec: `overrides.md#list_membership_overrides`.
    async fn list_membership_overrides(&self, request: ListMembershipOverrides) -> Result<Page<PermissionGrant>, Error>;
}
