//! Calls an operation by name.

use std::sync::Arc;

use super::input::Input;
use super::{Reply, import_row};
use crate::access::Effect;
use crate::decide::{
    AcceptInvitation, AddGroupMember, AddGroupRole, AddMember, AdminRemove, ChangeRole, CreateGroup, CreateInvitation, CreateInvitations,
    CreateOrg, CreateRole, CreateTenant, CreateTuple, CreateUser, DeclineInvitation, DefinePermission, DeleteGroup, DeleteRole,
    DeleteTenant, DeleteTuple, EnsureTenant, ExtendInvitation, GrantRolePermissions, Import, InvitationInput, ManifestResource, MoveOrg,
    PermissionDefinition, ReinstateMembership, ReinstateOrg, ReinstateUser, RemoveGroupMember, RemoveGroupRole, RevokeInvitation,
    RevokeOrg, RevokeRolePermissions, RevokeUser, RolePatterns, SeedRolePermissions, SeedSystemRoles, SelfLeave, SetMembershipOverride,
    SetOrgOverride, SuspendMembership, SuspendOrg, SuspendUser, Sweep, SyncCatalog, TenantMode, TenantPolicy, TenantScope,
    TransferOwnership, UpdateGroup, UpdateMembership, UpdateOrg, UpdateRole, check,
};
use crate::entity::{InvitationStatus, MembershipStatus, OrgStatus};
use crate::error::{DomainError, Error};
use crate::event::Cause;
use crate::json::Value;
use crate::store::{
    CheckAny, CheckOne, CountMembers, ListAllChanges, ListChanges, ListChildren, ListDescendants, ListGroupMembers, ListGroupRoles,
    ListGroups, ListInvitations, ListInvitationsFor, ListMembers, ListMembershipOverrides, ListMemberships, ListOrgOverrides, ListOrgs,
    ListOrgsWith, ListPermissions, ListRoles, ListTuplesForObject, ListTuplesForSubject, ListUsersWith, PermissionAsk, PreviewMoveOrg,
    ReviewPermissions, TenancyStore,
};

/// Why a call by name did not succeed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CallError {
    /// There is no such operation.
    #[error("there is no operation `{0}`")]
    UnknownOperation(String),
    /// The operation refused, or the store failed.
    #[error(transparent)]
    Store(#[from] Error),
}

impl From<DomainError> for CallError {
    fn from(error: DomainError) -> Self {
        Self::Store(error.into())
    }
}

const ORG_STATUS: &str = "one of `active`, `suspended`, `revoked`";
const INVITATION_STATUS: &str = "one of `pending`, `accepted`, `declined`, `revoked`, `expired`";
const MEMBERSHIP_STATUS: &str = "one of `active`, `suspended`, `revoked`, `expired`";

/// Reads the rest of an input, checks that nothing is left over, and gives the value on.
macro_rules! ended {
    ($input:ident, $value:expr) => {{
        let value = $value;
        $input.end()?;
        value
    }};
}

/// The same for an operation that writes: behind its own fields, what it says of itself, which goes with the store.
macro_rules! caused {
    ($store:ident, $input:ident, $value:expr) => {{
        let value = $value;
        let cause = $input.cause()?;
        $input.end()?;
        if cause != Cause::default() {
            $store.own = Some($store.given.with_cause(cause));
        }
        value
    }};
}

/// The store as it was given, or as it speaks for one command.
struct Held<'s> {
    given: &'s dyn TenancyStore,
    own: Option<Arc<dyn TenancyStore + 's>>,
}

impl Held<'_> {
    fn get(&self) -> &dyn TenancyStore {
        self.own.as_deref().unwrap_or(self.given)
    }
}

/// Calls an operation of a store with an input in wire form.
///
/// # Errors
/// [`CallError::UnknownOperation`], or what the operation says.
#[expect(clippy::too_many_lines, reason = "one arm for each operation, and each is short")]
pub async fn call(store: &dyn TenancyStore, operation: &str, input: &Value) -> Result<Reply, CallError> {
    let mut input = Input::new(input)?;
    let mut held = Held { given: store, own: None };
    let reply = match operation {
        "create_user" => {
            let display_name = input.opt_text("display_name")?;
            let request = caused!(held, input, CreateUser { display_name });
            Reply::CreatedUser(held.get().create_user(request).await?)
        }
        "get_user" => Reply::User(store.get_user(ended!(input, input.id_or_not_found("usr_id")?)).await?),
        "get_users" => Reply::FoundUsers { data: store.get_users(&ended!(input, input.ids("usr_ids")?)).await? },
        "suspend_user" => {
            let request = SuspendUser::new(caused!(held, input, input.id("usr_id")?));
            Reply::SuspendedUser(held.get().suspend_user(request).await?)
        }
        "reinstate_user" => {
            let request = ReinstateUser::new(caused!(held, input, input.id("usr_id")?));
            Reply::User(held.get().reinstate_user(request).await?)
        }
        "revoke_user" => {
            let request = RevokeUser::new(caused!(held, input, input.id("usr_id")?));
            Reply::User(held.get().revoke_user(request).await?)
        }
        "create_org" => {
            let request = CreateOrg {
                creator: input.id("creator")?,
                name: input.opt_text("name")?,
                slug: input.opt_text("slug")?,
                parent_id: input.opt_id("parent_id")?,
                cascade_permissions: input.opt_bool("cascade_permissions")?.unwrap_or(true),
                inherit_permissions: input.opt_bool("inherit_permissions")?.unwrap_or(true),
            };
            let request = caused!(held, input, request);
            Reply::CreatedOrg(held.get().create_org(request).await?)
        }
        "get_org" => Reply::Organization(store.get_org(ended!(input, input.id("org_id")?)).await?),
        "get_org_by_slug" => Reply::Organization(store.get_org_by_slug(&ended!(input, input.text("slug")?)).await?),
        "get_orgs" => Reply::FoundOrgs { data: store.get_orgs(&ended!(input, input.ids("org_ids")?)).await? },
        "get_org_path" => Reply::OrgPath(store.get_org_path(ended!(input, input.id("org_id")?)).await?),
        "list_children" => {
            let request = ListChildren { org_id: input.id("org_id")?, page: input.page()? };
            Reply::Organizations(store.list_children(ended!(input, request)).await?)
        }
        "list_descendants" => {
            let (org_id, page) = (input.id("org_id")?, input.page()?);
            let request = ListDescendants { org_id, levels: input.opt_int("levels")?, page };
            Reply::Descendants(store.list_descendants(ended!(input, request)).await?)
        }
        "list_orgs" => {
            let page = input.page()?;
            let status = input.opt_word("status", ORG_STATUS, OrgStatus::parse)?;
            let query = input.opt_text("query")?;
            Reply::Organizations(store.list_orgs(ended!(input, ListOrgs { status, query, page })).await?)
        }
        "update_org" => {
            let request = UpdateOrg {
                org_id: input.id("org_id")?,
                name: input.patch_text("name")?,
                slug: input.patch_text("slug")?,
                cascade_permissions: input.opt_bool("cascade_permissions")?,
                inherit_permissions: input.opt_bool("inherit_permissions")?,
                seat_limit: input.patch_int("seat_limit")?,
                external_id: input.patch_text("external_id")?,
                metadata: input.patch_object("metadata")?,
            };
            let request = caused!(held, input, request);
            Reply::Organization(held.get().update_org(request).await?)
        }
        "move_org" => {
            let request = MoveOrg { org_id: input.id("org_id")?, new_parent_id: input.opt_id("new_parent_id")? };
            let request = caused!(held, input, request);
            Reply::Organization(held.get().move_org(request).await?)
        }
        "preview_move_org" => {
            let (org_id, new_parent_id) = (input.id("org_id")?, input.opt_id("new_parent_id")?);
            let request = PreviewMoveOrg { org_id, new_parent_id, page: input.page()? };
            Reply::AccessChanges(store.preview_move_org(ended!(input, request)).await?)
        }
        "suspend_org" => {
            let request = SuspendOrg::new(caused!(held, input, input.id("org_id")?));
            Reply::Organization(held.get().suspend_org(request).await?)
        }
        "reinstate_org" => {
            let request = ReinstateOrg::new(caused!(held, input, input.id("org_id")?));
            Reply::Organization(held.get().reinstate_org(request).await?)
        }
        "revoke_org" => {
            let request = RevokeOrg::new(caused!(held, input, input.id("org_id")?));
            Reply::Organization(held.get().revoke_org(request).await?)
        }
        "ensure_tenant_for_user" => {
            let (usr_id, name) = (input.id("usr_id")?, input.opt_text("name")?);
            let request = EnsureTenant { usr_id, name, policy: tenant_policy(&mut input)? };
            let request = caused!(held, input, request);
            Reply::EnsuredTenant(Box::new(held.get().ensure_tenant_for_user(request).await?))
        }
        "create_tenant_with_ownership" => {
            let (usr_id, name, slug) = (input.id("usr_id")?, input.text("name")?, input.opt_text("slug")?);
            let request = CreateTenant { usr_id, name, slug, policy: tenant_policy(&mut input)? };
            let request = caused!(held, input, request);
            Reply::CreatedOrg(held.get().create_tenant_with_ownership(request).await?)
        }
        "delete_tenant" => {
            let (usr_id, org_id) = (input.id("usr_id")?, input.id("org_id")?);
            let request = DeleteTenant { usr_id, org_id, policy: tenant_policy(&mut input)? };
            let request = caused!(held, input, request);
            Reply::Organization(held.get().delete_tenant(request).await?)
        }
        "add_member" => {
            let request = AddMember {
                org_id: input.id("org_id")?,
                usr_id: input.id("usr_id")?,
                role: input.text("role")?,
                invited_by: input.opt_id("invited_by")?,
                expires_at: input.opt_time("expires_at")?,
            };
            let request = caused!(held, input, request);
            Reply::Membership(held.get().add_member(request).await?)
        }
        "change_role" => {
            let request = ChangeRole { mem_id: input.id("mem_id")?, new_role: input.text("new_role")? };
            let request = caused!(held, input, request);
            Reply::Membership(held.get().change_role(request).await?)
        }
        "update_membership" => {
            let request = UpdateMembership {
                mem_id: input.id("mem_id")?,
                expires_at: input.patch_time("expires_at")?,
                metadata: input.patch_object("metadata")?,
            };
            let request = caused!(held, input, request);
            Reply::Membership(held.get().update_membership(request).await?)
        }
        "suspend_membership" => {
            let request = SuspendMembership::new(caused!(held, input, input.id("mem_id")?));
            Reply::Membership(held.get().suspend_membership(request).await?)
        }
        "reinstate_membership" => {
            let request = ReinstateMembership::new(caused!(held, input, input.id("mem_id")?));
            Reply::Membership(held.get().reinstate_membership(request).await?)
        }
        "self_leave" => {
            let request = SelfLeave { mem_id: input.id("mem_id")?, transfer_to: input.opt_id("transfer_to")? };
            let request = caused!(held, input, request);
            Reply::Membership(held.get().self_leave(request).await?)
        }
        "admin_remove" => {
            let request = AdminRemove { mem_id: input.id("mem_id")?, admin_usr_id: input.id("admin_usr_id")? };
            let request = caused!(held, input, request);
            Reply::Membership(held.get().admin_remove(request).await?)
        }
        "transfer_ownership" => {
            let request =
                TransferOwnership { org_id: input.id("org_id")?, from_mem_id: input.id("from_mem_id")?, to_mem_id: input.id("to_mem_id")? };
            let request = caused!(held, input, request);
            Reply::TransferredOwnership(held.get().transfer_ownership(request).await?)
        }
        "get_membership" => Reply::Membership(store.get_membership(ended!(input, input.id("mem_id")?)).await?),
        "get_membership_for" => {
            let (org_id, usr_id) = ended!(input, (input.id("org_id")?, input.id("usr_id")?));
            Reply::Membership(store.get_membership_for(org_id, usr_id).await?)
        }
        "get_memberships" => Reply::FoundMemberships { data: store.get_memberships(&ended!(input, input.ids("mem_ids")?)).await? },
        "membership_history" => Reply::Memberships(store.membership_history(ended!(input, input.id("mem_id")?)).await?),
        "list_members" => {
            let (org_id, page) = (input.id("org_id")?, input.page()?);
            let status = input.opt_word("status", MEMBERSHIP_STATUS, MembershipStatus::parse)?;
            Reply::Memberships(store.list_members(ended!(input, ListMembers { org_id, status, page })).await?)
        }
        "list_memberships" => {
            let (usr_id, page) = (input.id("usr_id")?, input.page()?);
            let status = input.opt_word("status", MEMBERSHIP_STATUS, MembershipStatus::parse)?;
            Reply::Memberships(store.list_memberships(ended!(input, ListMemberships { usr_id, status, page })).await?)
        }
        "count_members" => {
            let org_id = input.id("org_id")?;
            let status = input.opt_word("status", MEMBERSHIP_STATUS, MembershipStatus::parse)?;
            Reply::Count { count: store.count_members(ended!(input, CountMembers { org_id, status })).await? }
        }
        "create_invitation" => {
            let (org_id, identifier, role) = (input.id("org_id")?, input.text("identifier")?, input.text("role")?);
            let (invited_by, expires_at) = (input.id("invited_by")?, input.time("expires_at")?);
            let invitation = InvitationInput { identifier, role, expires_at, pre_tuples: input.pre_tuples("pre_tuples")? };
            let request = caused!(held, input, CreateInvitation { org_id, invited_by, invitation });
            Reply::Invitation(held.get().create_invitation(request).await?)
        }
        "create_invitations" => {
            let (org_id, invited_by) = (input.id("org_id")?, input.id("invited_by")?);
            let invitations = input.each("invitations", |row| {
                Ok(InvitationInput {
                    identifier: row.text("identifier")?,
                    role: row.text("role")?,
                    expires_at: row.time("expires_at")?,
                    pre_tuples: row.pre_tuples("pre_tuples")?,
                })
            })?;
            let request = caused!(held, input, CreateInvitations { org_id, invited_by, invitations });
            Reply::InvitedRows { data: held.get().create_invitations(request).await? }
        }
        "get_invitation" => Reply::Invitation(store.get_invitation(ended!(input, input.id("inv_id")?)).await?),
        "list_invitations" => {
            let (org_id, page) = (input.id("org_id")?, input.page()?);
            let status = input.opt_word("status", INVITATION_STATUS, InvitationStatus::parse)?;
            Reply::Invitations(store.list_invitations(ended!(input, ListInvitations { org_id, status, page })).await?)
        }
        "list_invitations_for" => {
            let (identifier, page) = (input.text("identifier")?, input.page()?);
            let status = input.opt_word("status", INVITATION_STATUS, InvitationStatus::parse)?;
            Reply::Invitations(store.list_invitations_for(ended!(input, ListInvitationsFor { identifier, status, page })).await?)
        }
        "accept_invitation" => {
            let request = AcceptInvitation {
                inv_id: input.id("inv_id")?,
                as_usr_id: input.opt_id("as_usr_id")?,
                accepting_identifier: input.opt_text("accepting_identifier")?,
            };
            let request = caused!(held, input, request);
            Reply::Accepted(held.get().accept_invitation(request).await?)
        }
        "decline_invitation" => {
            let request = DeclineInvitation {
                inv_id: input.id("inv_id")?,
                as_usr_id: input.opt_id("as_usr_id")?,
                accepting_identifier: input.opt_text("accepting_identifier")?,
            };
            let request = caused!(held, input, request);
            Reply::Invitation(held.get().decline_invitation(request).await?)
        }
        "revoke_invitation" => {
            let request = RevokeInvitation { inv_id: input.id("inv_id")?, admin_usr_id: input.id("admin_usr_id")? };
            let request = caused!(held, input, request);
            Reply::Invitation(held.get().revoke_invitation(request).await?)
        }
        "extend_invitation" => {
            let request = ExtendInvitation { inv_id: input.id("inv_id")?, expires_at: input.time("expires_at")? };
            let request = caused!(held, input, request);
            Reply::Invitation(held.get().extend_invitation(request).await?)
        }
        "sweep" => {
            let request = Sweep { limit: input.opt_limit()?.unwrap_or_else(|| Sweep::new().limit) };
            let request = caused!(held, input, request);
            Reply::Swept(held.get().sweep(request).await?)
        }
        "create_tuple" => {
            let request = CreateTuple {
                subject_type: input.text("subject_type")?,
                subject_id: input.text("subject_id")?,
                relation: input.text("relation")?,
                object_type: input.text("object_type")?,
                object_id: input.text("object_id")?,
                org_id: input.opt_id("org_id")?,
                expires_at: input.opt_time("expires_at")?,
            };
            let request = caused!(held, input, request);
            Reply::Tuple(held.get().create_tuple(request).await?)
        }
        "delete_tuple" => {
            let request = caused!(held, input, DeleteTuple::new(input.id("tup_id")?));
            Reply::Tuple(held.get().delete_tuple(request).await?)
        }
        "get_tuple" => Reply::Tuple(store.get_tuple(ended!(input, input.id("tup_id")?)).await?),
        "list_tuples_for_subject" => {
            let (subject_type, subject_id) = (input.text("subject_type")?, input.text("subject_id")?);
            let request = ListTuplesForSubject { subject_type, subject_id, page: input.page()? };
            Reply::Tuples(store.list_tuples_for_subject(ended!(input, request)).await?)
        }
        "list_tuples_for_object" => {
            let (object_type, object_id) = (input.text("object_type")?, input.text("object_id")?);
            let relation = input.opt_text("relation")?;
            let request = ListTuplesForObject { object_type, object_id, relation, page: input.page()? };
            Reply::Tuples(store.list_tuples_for_object(ended!(input, request)).await?)
        }
        "check" => {
            let request = check_one(&mut input)?;
            Reply::Checked(store.check(ended!(input, request)).await?)
        }
        "check_any" => {
            let request = CheckAny {
                subject_type: input.text("subject_type")?,
                subject_id: input.text("subject_id")?,
                relations: input.texts("relations")?,
                object_type: input.text("object_type")?,
                object_id: input.text("object_id")?,
            };
            Reply::Checked(store.check_any(ended!(input, request)).await?)
        }
        "check_many" => {
            let checks = ended!(input, objects(input.list("checks")?)?);
            Reply::CheckedRows { data: store.check_many(many_checks(checks)?).await? }
        }
        "define_permission" => {
            let definition = definition(&mut input)?;
            let request = caused!(held, input, DefinePermission::new(definition));
            Reply::Permission(held.get().define_permission(request).await?)
        }
        "sync_catalog" => {
            let manifest = if input.has("manifest") { input.each("manifest", manifest_resource)? } else { Vec::new() };
            let custom = if input.has("custom") { input.each("custom", definition)? } else { Vec::new() };
            let mut definitions = Vec::new();
            for resource in &manifest {
                definitions.extend(resource.definitions()?);
            }
            definitions.extend(custom);
            let request = caused!(held, input, SyncCatalog::new(definitions));
            Reply::SyncedCatalog(held.get().sync_catalog(request).await?)
        }
        "list_permissions" => {
            let page = input.page()?;
            Reply::Permissions(store.list_permissions(ended!(input, ListPermissions { page })).await?)
        }
        "create_role" => {
            let request = CreateRole {
                org_id: input.opt_id("org_id")?,
                slug: input.text("slug")?,
                name: input.opt_text("name")?,
                description: input.opt_text("description")?,
                inherits_to_descendants: input.opt_bool("inherits_to_descendants")?.unwrap_or(false),
                permissions: input.opt_texts("permissions")?.unwrap_or_default(),
            };
            let request = caused!(held, input, request);
            Reply::Role(held.get().create_role(request).await?)
        }
        "get_role" => Reply::Role(store.get_role(ended!(input, input.id("role_id")?)).await?),
        "list_roles" => {
            let request = ListRoles { org_id: input.opt_id("org_id")?, page: input.page()? };
            Reply::Roles(store.list_roles(ended!(input, request)).await?)
        }
        "update_role" => {
            let request = UpdateRole {
                role_id: input.id("role_id")?,
                name: input.opt_text("name")?,
                description: input.patch_text("description")?,
                inherits_to_descendants: input.opt_bool("inherits_to_descendants")?,
            };
            let request = caused!(held, input, request);
            Reply::Role(held.get().update_role(request).await?)
        }
        "delete_role" => {
            let request = DeleteRole { role_id: input.id("role_id")?, replacement_role_id: input.opt_id("replacement_role_id")? };
            let request = caused!(held, input, request);
            Reply::DeletedRole(held.get().delete_role(request).await?)
        }
        "grant_role_permission" => {
            let (role_id, permission) = (input.id("role_id")?, input.text("permission")?);
            let expires_at = input.opt_time("expires_at")?;
            let request = caused!(held, input, GrantRolePermissions { role_id, permissions: vec![permission.clone()], expires_at });
            // Here it is one, and no list.
            check::permission("permission", &permission)?;
            Reply::ChangedPermissions(held.get().grant_role_permissions(request).await?)
        }
        "revoke_role_permission" => {
            let (role_id, permission) = (input.id("role_id")?, input.text("permission")?);
            let request = caused!(held, input, RevokeRolePermissions { role_id, permissions: vec![permission.clone()] });
            check::permission("permission", &permission)?;
            Reply::ChangedPermissions(held.get().revoke_role_permissions(request).await?)
        }
        "seed_system_roles" => {
            let request = SeedSystemRoles { inherits_to_descendants: input.opt_texts("inherits_to_descendants")?.unwrap_or_default() };
            let request = caused!(held, input, request);
            Reply::SeededRoles(held.get().seed_system_roles(request).await?)
        }
        "seed_role_permissions" => {
            let entry = |entry: &mut Input<'_>| Ok(RolePatterns { role: entry.text("role")?, permissions: entry.texts("permissions")? });
            let usual = SeedRolePermissions::new();
            let matrix = if input.has("matrix") { input.each("matrix", entry)? } else { usual.matrix };
            let request = SeedRolePermissions { matrix, prune: input.opt_bool("prune")?.unwrap_or_default() };
            let request = caused!(held, input, request);
            Reply::SeededPermissions(held.get().seed_role_permissions(request).await?)
        }
        "create_group" => {
            let request = CreateGroup { org_id: input.id("org_id")?, slug: input.text("slug")?, name: input.opt_text("name")? };
            let request = caused!(held, input, request);
            Reply::Group(held.get().create_group(request).await?)
        }
        "get_group" => Reply::Group(store.get_group(ended!(input, input.id("group_id")?)).await?),
        "list_groups" => {
            let request = ListGroups { org_id: input.id("org_id")?, page: input.page()? };
            Reply::Groups(store.list_groups(ended!(input, request)).await?)
        }
        "update_group" => {
            let request = UpdateGroup { group_id: input.id("group_id")?, name: input.opt_text("name")? };
            let request = caused!(held, input, request);
            Reply::Group(held.get().update_group(request).await?)
        }
        "delete_group" => {
            let request = DeleteGroup::new(caused!(held, input, input.id("group_id")?));
            Reply::Group(held.get().delete_group(request).await?)
        }
        "add_group_member" => {
            let (group_id, usr_id) = (input.id("group_id")?, input.id("usr_id")?);
            let request = AddGroupMember { group_id, usr_id, expires_at: input.opt_time("expires_at")? };
            let request = caused!(held, input, request);
            Reply::GroupMember(Some(held.get().add_group_member(request).await?))
        }
        "remove_group_member" => {
            let request = RemoveGroupMember { group_id: input.id("group_id")?, usr_id: input.id("usr_id")? };
            let request = caused!(held, input, request);
            Reply::GroupMember(held.get().remove_group_member(request).await?)
        }
        "list_group_members" => {
            let request = ListGroupMembers { group_id: input.id("group_id")?, page: input.page()? };
            Reply::GroupMembers(store.list_group_members(ended!(input, request)).await?)
        }
        "add_group_role" => {
            let (group_id, role_id) = (input.id("group_id")?, input.id("role_id")?);
            let request = AddGroupRole { group_id, role_id, expires_at: input.opt_time("expires_at")? };
            let request = caused!(held, input, request);
            Reply::GroupRole(Some(held.get().add_group_role(request).await?))
        }
        "remove_group_role" => {
            let request = RemoveGroupRole { group_id: input.id("group_id")?, role_id: input.id("role_id")? };
            let request = caused!(held, input, request);
            Reply::GroupRole(held.get().remove_group_role(request).await?)
        }
        "list_group_roles" => {
            let request = ListGroupRoles { group_id: input.id("group_id")?, page: input.page()? };
            Reply::GroupRoles(store.list_group_roles(ended!(input, request)).await?)
        }
        "set_org_override" => {
            let (org_id, permission) = (input.id("org_id")?, input.text("permission")?);
            let Overriding(effect) = input.word("effect", ORG_EFFECT, |text| effect(text, "inherit"))?;
            let request = SetOrgOverride { org_id, permission, effect, expires_at: input.opt_time("expires_at")? };
            let request = caused!(held, input, request);
            Reply::Override(held.get().set_org_override(request).await?)
        }
        "set_membership_override" => {
            let (mem_id, permission) = (input.id("mem_id")?, input.text("permission")?);
            let Overriding(effect) = input.word("effect", MEMBERSHIP_EFFECT, |text| effect(text, "clear"))?;
            let request = SetMembershipOverride { mem_id, permission, effect, expires_at: input.opt_time("expires_at")? };
            let request = caused!(held, input, request);
            Reply::Override(held.get().set_membership_override(request).await?)
        }
        "list_org_overrides" => {
            let request = ListOrgOverrides { org_id: input.id("org_id")?, page: input.page()? };
            Reply::Overrides(store.list_org_overrides(ended!(input, request)).await?)
        }
        "list_membership_overrides" => {
            let request = ListMembershipOverrides { mem_id: input.id("mem_id")?, page: input.page()? };
            Reply::Overrides(store.list_membership_overrides(ended!(input, request)).await?)
        }
        "resolve_permissions" => {
            let (usr_id, org_id) = ended!(input, (input.id("usr_id")?, input.id("org_id")?));
            Reply::Effective(Box::new(store.resolve_permissions(usr_id, org_id).await?))
        }
        "has_permission" => {
            let (usr_id, org_id, permission) = ended!(input, (input.id("usr_id")?, input.id("org_id")?, input.text("permission")?));
            Reply::Allowed { allowed: store.has_permission(usr_id, org_id, &permission).await? }
        }
        "has_all_permissions" => {
            let (usr_id, org_id) = (input.id("usr_id")?, input.id("org_id")?);
            let permissions = ended!(input, input.texts("permissions")?);
            let permissions: Vec<&str> = permissions.iter().map(String::as_str).collect();
            Reply::Allowed { allowed: store.has_all_permissions(usr_id, org_id, &permissions).await? }
        }
        "has_any_permission" => {
            let (usr_id, org_id) = (input.id("usr_id")?, input.id("org_id")?);
            let permissions = ended!(input, input.texts("permissions")?);
            let permissions: Vec<&str> = permissions.iter().map(String::as_str).collect();
            Reply::Allowed { allowed: store.has_any_permission(usr_id, org_id, &permissions).await? }
        }
        "has_permissions" => {
            let asks = ended!(
                input,
                input.each("asks", |ask| {
                    let (usr_id, org_id) = (ask.id("usr_id")?, ask.id("org_id")?);
                    Ok(PermissionAsk { usr_id, org_id, permission: ask.text("permission")? })
                })?
            );
            Reply::AllowedRows { data: store.has_permissions(&asks).await? }
        }
        "explain_permission" => {
            let (usr_id, org_id, permission) = ended!(input, (input.id("usr_id")?, input.id("org_id")?, input.text("permission")?));
            Reply::Explanation(Box::new(store.explain_permission(usr_id, org_id, &permission).await?))
        }
        "list_users_with" => {
            let (org_id, permission) = (input.id("org_id")?, input.text("permission")?);
            let request = ListUsersWith { org_id, permission, page: input.page()? };
            Reply::UserIds(store.list_users_with(ended!(input, request)).await?)
        }
        "review_permissions" => {
            let (org_id, permission, usr_id) = (input.id("org_id")?, input.opt_text("permission")?, input.opt_id("usr_id")?);
            let request = ReviewPermissions { org_id, permission, usr_id, page: input.page()? };
            Reply::Review(store.review_permissions(ended!(input, request)).await?)
        }
        "list_orgs_with" => {
            let (usr_id, permission) = (input.id("usr_id")?, input.text("permission")?);
            let request = ListOrgsWith { usr_id, permission, page: input.page()? };
            Reply::OrgIds(store.list_orgs_with(ended!(input, request)).await?)
        }
        "changes_all" => {
            let (after, limit) = (input.after()?, input.limit()?);
            ended!(input, ());
            // As any cursor: whether it is one is looked at behind the form of the input.
            let after = after.map(|text| text.parse().map_err(|_| DomainError::InvalidCursor));
            Reply::Events(store.changes_all(ListAllChanges { after: after.transpose()?, limit }).await?)
        }
        "changes" => {
            let request = ListChanges {
                org_id: input.id("org_id")?,
                after_revision: input.opt_revision("after_revision")?.unwrap_or(0),
                limit: input.limit()?,
            };
            Reply::Events(store.changes(ended!(input, request)).await?)
        }
        "import" => {
            let rows = caused!(held, input, input.list("rows")?);
            let line = |(index, row): (usize, &Value)| {
                let line = u64::try_from(index + 1).unwrap_or(u64::MAX);
                import_row(row).map(|row| (line, row)).map_err(|error| DomainError::Import { line, error: Box::new(error) })
            };
            let rows = rows.iter().enumerate().map(line).collect::<Result<_, _>>()?;
            Reply::Imported(held.get().import(Import::new(rows)).await?)
        }
        unknown => return Err(CallError::UnknownOperation(unknown.to_owned())),
    };
    Ok(reply)
}

const TENANT_MODE: &str = "one of `flexible`, `personal`, `required`";

/// The fields of a tenant policy; without any, the one that makes nothing and forbids nothing.
fn tenant_policy(input: &mut Input<'_>) -> Result<TenantPolicy, DomainError> {
    let mode = input.opt_word("mode", TENANT_MODE, TenantMode::parse)?.unwrap_or_default();
    let policy = TenantPolicy::new(mode).max_tenants(input.opt_u32("max_tenants")?.unwrap_or_default());
    Ok(TenantPolicy { default_name: input.opt_text("default_name")?, ..policy })
}

const ORG_EFFECT: &str = "one of `grant`, `deny`, `inherit`";
const MEMBERSHIP_EFFECT: &str = "one of `grant`, `deny`, `clear`";

/// What an override does, where one of the words stands for neither.
struct Overriding(Option<Effect>);

fn effect(text: &str, none: &str) -> Option<Overriding> {
    if text == none { Some(Overriding(None)) } else { Effect::parse(text).map(|effect| Overriding(Some(effect))) }
}

fn definition(input: &mut Input<'_>) -> Result<PermissionDefinition, DomainError> {
    Ok(PermissionDefinition {
        slug: input.text("slug")?,
        name: input.opt_text("name")?,
        description: input.opt_text("description")?,
        category: input.opt_text("category")?,
    })
}

fn manifest_resource(input: &mut Input<'_>) -> Result<ManifestResource, DomainError> {
    let mut resource = ManifestResource::new(input.text("collection")?);
    resource.api = input.exposure("api")?;
    resource.cli = input.exposure("cli")?;
    resource.mcp = input.exposure("mcp")?;
    resource.actions = input.opt_texts("actions")?.unwrap_or_default();
    let scope = input.opt_word("tenant_scope", "one of `required`, `optional`, `none`", TenantScope::parse)?;
    resource.tenant_scope = scope.unwrap_or_default();
    resource.table = input.opt_text("table")?;
    resource.tenant_column = input.opt_text("tenant_column")?;
    Ok(resource)
}

fn check_one(input: &mut Input<'_>) -> Result<CheckOne, DomainError> {
    let (subject_type, subject_id) = (input.text("subject_type")?, input.text("subject_id")?);
    let relation = input.text("relation")?;
    let (object_type, object_id) = (input.text("object_type")?, input.text("object_id")?);
    Ok(CheckOne::new((&subject_type, &subject_id), &relation, (&object_type, &object_id)))
}

const CHECKS: &str = "a list of 1 to 200 objects";

fn objects(checks: &[Value]) -> Result<Vec<Input<'_>>, DomainError> {
    checks.iter().map(|check| Input::new(check).map_err(|_| DomainError::format("checks", CHECKS))).collect()
}

/// How many there are, and then each as a whole before the next one.
fn many_checks(checks: Vec<Input<'_>>) -> Result<Vec<CheckOne>, DomainError> {
    if !(1..=200).contains(&checks.len()) {
        return Err(DomainError::format("checks", CHECKS));
    }
    let read = |mut input: Input<'_>| {
        let check = check_one(&mut input)?;
        check.key()?;
        input.end()?;
        Ok(check)
    };
    checks.into_iter().map(read).collect()
}
