//! [`Store`]: the operations as plain calls, for programs without a runtime.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use crate::backend::Immediate;
use crate::decide::Caller;
use crate::engine::Engine;
use crate::error::{BackendError, BackendKind};
use crate::event::Cause;
use crate::rules::{Checked, Rules};
use crate::store::{AccessStore, Inspect, PermissionResolver, TenancyStore};
use crate::{
    AcceptInvitation, AcceptedInvitation, AccessChange, AddGroupMember, AddGroupRole, AddMember, AdminRemove, AllowedRow,
    AncestorReadPolicy, ChangeRole, ChangedPermissions, CheckAny, CheckOne, CheckedRow, CountMembers, CreateGroup, CreateInvitation,
    CreateInvitations, CreateOrg, CreateRole, CreateTenant, CreateTuple, CreateUser, CreatedOrg, CreatedUser, DeclineInvitation,
    DefinePermission, DeleteGroup, DeleteRole, DeleteTenant, DeleteTuple, DeletedRole, Descendant, DomainError, Dump, EffectivePermissions,
    EnsureTenant, EnsuredTenant, Error, Event, EventId, Explanation, ExtendInvitation, GrantRolePermissions, Group, GroupId, GroupMember,
    GroupRole, Import, ImportCounts, Invitation, InvitationId, InvitedRow, ListAllChanges, ListChanges, ListChildren, ListDescendants,
    ListGroupMembers, ListGroupRoles, ListGroups, ListInvitations, ListInvitationsFor, ListMembers, ListMembershipOverrides,
    ListMemberships, ListOrgOverrides, ListOrgs, ListOrgsWith, ListPermissions, ListRoles, ListSiblings, ListTuplesForObject,
    ListTuplesForSubject, ListUsersWith, Membership, MembershipId, MoveOrg, OrgId, OrgPath, OrgTree, Organization, Page, Permission,
    PermissionAsk, PermissionGrant, PermissionToken, PreviewMoveOrg, ReadTree, ReinstateMembership, ReinstateOrg, ReinstateUser,
    RemoveGroupMember, RemoveGroupRole, ReviewPermissions, RevokeInvitation, RevokeOrg, RevokeRolePermissions, RevokeUser, RoleDefinition,
    RoleId, SeedRolePermissions, SeedSystemRoles, SeededPermissions, SeededRoles, SelfLeave, SetMembershipOverride, SetOrgOverride,
    SuspendMembership, SuspendOrg, SuspendUser, SuspendedUser, Sweep, Swept, SyncCatalog, SyncedCatalog, TenantPolicy, TransferOwnership,
    TransferredOwnership, Tuple, TupleId, UpdateGroup, UpdateMembership, UpdateOrg, UpdateRole, User, UserAccess, UserId,
};

/// A store whose operations are plain calls: each runs on the thread that calls it, to its end. It is to be had over backends that
/// never suspend ([`Immediate`]): memory, a SQLite file that is opened for it, and the transactions of both.
///
/// In an async program such a call occupies its thread as long as the disk takes; use the async store there.
///
/// Every operation is the one of the same name of [`TenancyStore`], with the same errors.
#[derive(Debug)]
pub struct Store<B>(Engine<B>);

impl<B> Clone for Store<B> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<B> AsRef<Engine<B>> for Store<B> {
    fn as_ref(&self) -> &Engine<B> {
        &self.0
    }
}

impl<B: Immediate> From<Engine<B>> for Store<B> {
    fn from(engine: Engine<B>) -> Self {
        Self(engine)
    }
}

/// The end of a future that does not suspend.
fn ready<T>(future: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(done) => done,
        // A backend that suspends all the same breaks its promise.
        Poll::Pending => Err(BackendError::new(BackendKind::Other, "the store did not answer at once, as this kind of store does").into()),
    }
}

impl<B: Immediate> Store<B> {
    /// Plain calls over this store.
    pub const fn new(engine: Engine<B>) -> Self {
        Self(engine)
    }

    /// The same store, as async code and generic code take it.
    pub const fn engine(&self) -> &Engine<B> {
        &self.0
    }

    /// The same store, on behalf of someone else.
    #[must_use]
    pub fn with_caller(&self, caller: Caller) -> Self {
        Self(self.0.on_behalf_of(caller))
    }

    /// The same store, with commands that say this of themselves.
    #[must_use]
    pub fn with_cause(&self, cause: Cause) -> Self {
        Self(self.0.because_of(cause))
    }

    /// The same store, whose checks follow these rules.
    #[must_use]
    pub fn with_rules(&self, rules: Arc<Rules>) -> Self {
        Self(self.0.following(rules))
    }

    /// The same store, whose members below may read what the policy says. Spec: `permissions.md#ancestor-read`.
    #[must_use]
    pub fn with_ancestor_read(&self, policy: Option<Arc<AncestorReadPolicy>>) -> Self {
        Self(self.0.reading_upwards(policy))
    }

    /// Creates a user's row. Spec: `users.md#create_user`.
    pub fn create_user(&self, request: CreateUser) -> Result<CreatedUser, Error> {
        ready(self.0.create_user(request))
    }

    /// The user's row. Spec: `users.md#get_user`.
    pub fn get_user(&self, usr_id: UserId) -> Result<User, Error> {
        ready(self.0.get_user(usr_id))
    }

    /// Those of these users that have a row, in order of id; at most 200 ids. Spec: `users.md#get_users`.
    pub fn get_users(&self, usr_ids: &[UserId]) -> Result<Vec<User>, Error> {
        ready(self.0.get_users(usr_ids))
    }

    /// Suspends a user, and reports the organizations left without an acting owner. Spec: `users.md#suspend_user`.
    pub fn suspend_user(&self, request: SuspendUser) -> Result<SuspendedUser, Error> {
        ready(self.0.suspend_user(request))
    }

    /// Makes a suspended user active again. Spec: `users.md#reinstate_user`.
    pub fn reinstate_user(&self, request: ReinstateUser) -> Result<User, Error> {
        ready(self.0.reinstate_user(request))
    }

    /// Ends a user's row. Spec: `users.md#revoke_user`.
    pub fn revoke_user(&self, request: RevokeUser) -> Result<User, Error> {
        ready(self.0.revoke_user(request))
    }

    /// Creates an organization with its creator as owner. Spec: `organizations.md#create_org`.
    pub fn create_org(&self, request: CreateOrg) -> Result<CreatedOrg, Error> {
        ready(self.0.create_org(request))
    }

    /// The organization. Spec: `organizations.md#get_org`.
    pub fn get_org(&self, org_id: OrgId) -> Result<Organization, Error> {
        ready(self.0.get_org(org_id))
    }

    /// The organization that holds a slug. Spec: `organizations.md#get_org_by_slug`.
    pub fn get_org_by_slug(&self, slug: &str) -> Result<Organization, Error> {
        ready(self.0.get_org_by_slug(slug))
    }

    /// Those of these organizations that exist, in order of id; at most 200 ids. Spec: `organizations.md#get_orgs`.
    pub fn get_orgs(&self, org_ids: &[OrgId]) -> Result<Vec<Organization>, Error> {
        ready(self.0.get_orgs(org_ids))
    }

    /// The organization and all above it. Spec: `organizations.md#get_org_path`.
    pub fn get_org_path(&self, org_id: OrgId) -> Result<OrgPath, Error> {
        ready(self.0.get_org_path(org_id))
    }

    /// The organizations right below one. Spec: `organizations.md#list_children`.
    pub fn list_children(&self, request: ListChildren) -> Result<Page<Organization>, Error> {
        ready(self.0.list_children(request))
    }

    /// The organizations below one, on every level or on the next few. Spec: `organizations.md#list_descendants`.
    pub fn list_descendants(&self, request: ListDescendants) -> Result<Page<Descendant>, Error> {
        ready(self.0.list_descendants(request))
    }

    /// The other children of an organization's parent. Spec: `organizations.md#list_descendants`.
    pub fn list_siblings(&self, request: ListSiblings) -> Result<Page<Organization>, Error> {
        ready(self.0.list_siblings(request))
    }

    /// An organization with all below it, each in its place. Spec: `organizations.md#list_descendants`.
    pub fn org_tree(&self, request: ReadTree) -> Result<OrgTree, Error> {
        ready(self.0.org_tree(request))
    }

    /// Organizations across the whole store. Spec: `organizations.md#list_orgs`.
    pub fn list_orgs(&self, request: ListOrgs) -> Result<Page<Organization>, Error> {
        ready(self.0.list_orgs(request))
    }

    /// Changes an organization's fields. Spec: `organizations.md#update_org`.
    pub fn update_org(&self, request: UpdateOrg) -> Result<Organization, Error> {
        ready(self.0.update_org(request))
    }

    /// Puts an organization below another one, or to the top. Spec: `organizations.md#move_org`.
    pub fn move_org(&self, request: MoveOrg) -> Result<Organization, Error> {
        ready(self.0.move_org(request))
    }

    /// Which users would gain and lose which permissions by a move. Spec: `organizations.md#preview_move_org`.
    pub fn preview_move_org(&self, request: PreviewMoveOrg) -> Result<Page<AccessChange>, Error> {
        ready(self.0.preview_move_org(request))
    }

    /// Pauses an organization. Spec: `organizations.md#suspend_org`.
    pub fn suspend_org(&self, request: SuspendOrg) -> Result<Organization, Error> {
        ready(self.0.suspend_org(request))
    }

    /// Makes a suspended organization active again. Spec: `organizations.md#reinstate_org`.
    pub fn reinstate_org(&self, request: ReinstateOrg) -> Result<Organization, Error> {
        ready(self.0.reinstate_org(request))
    }

    /// Ends an organization and all its memberships. Spec: `organizations.md#revoke_org`.
    pub fn revoke_org(&self, request: RevokeOrg) -> Result<Organization, Error> {
        ready(self.0.revoke_org(request))
    }

    /// The organization that a user works in, made for them where there is none and the policy says so.
    /// Spec: `tenants.md#ensure_tenant_for_user`.
    pub fn ensure_tenant_for_user(&self, request: EnsureTenant) -> Result<EnsuredTenant, Error> {
        ready(self.0.ensure_tenant_for_user(request))
    }

    /// Creates an organization that a user owns, where the policy allows one more. Spec: `tenants.md#create_tenant_with_ownership`.
    pub fn create_tenant_with_ownership(&self, request: CreateTenant) -> Result<CreatedOrg, Error> {
        ready(self.0.create_tenant_with_ownership(request))
    }

    /// Ends an organization as its owner, where the policy lets them. Spec: `tenants.md#delete_tenant`.
    pub fn delete_tenant(&self, request: DeleteTenant) -> Result<Organization, Error> {
        ready(self.0.delete_tenant(request))
    }

    /// Makes a user a member. Spec: `memberships.md#add_member`.
    pub fn add_member(&self, request: AddMember) -> Result<Membership, Error> {
        ready(self.0.add_member(request))
    }

    /// Gives a member another role. Spec: `memberships.md#change_role`.
    pub fn change_role(&self, request: ChangeRole) -> Result<Membership, Error> {
        ready(self.0.change_role(request))
    }

    /// Changes a membership's fields in place. Spec: `memberships.md#update_membership`.
    pub fn update_membership(&self, request: UpdateMembership) -> Result<Membership, Error> {
        ready(self.0.update_membership(request))
    }

    /// Pauses a membership. Spec: `memberships.md#suspend_membership`.
    pub fn suspend_membership(&self, request: SuspendMembership) -> Result<Membership, Error> {
        ready(self.0.suspend_membership(request))
    }

    /// Puts a suspended membership back in force. Spec: `memberships.md#reinstate_membership`.
    pub fn reinstate_membership(&self, request: ReinstateMembership) -> Result<Membership, Error> {
        ready(self.0.reinstate_membership(request))
    }

    /// Ends one's own membership. Spec: `memberships.md#self_leave`.
    pub fn self_leave(&self, request: SelfLeave) -> Result<Membership, Error> {
        ready(self.0.self_leave(request))
    }

    /// Ends another's membership. Spec: `memberships.md#admin_remove`.
    pub fn admin_remove(&self, request: AdminRemove) -> Result<Membership, Error> {
        ready(self.0.admin_remove(request))
    }

    /// Hands ownership over. Spec: `memberships.md#transfer_ownership`.
    pub fn transfer_ownership(&self, request: TransferOwnership) -> Result<TransferredOwnership, Error> {
        ready(self.0.transfer_ownership(request))
    }

    /// The membership. Spec: `memberships.md#get_membership`.
    pub fn get_membership(&self, mem_id: MembershipId) -> Result<Membership, Error> {
        ready(self.0.get_membership(mem_id))
    }

    /// The user's row in the organization that is not revoked. Spec: `memberships.md#get_membership_for`.
    pub fn get_membership_for(&self, org_id: OrgId, usr_id: UserId) -> Result<Membership, Error> {
        ready(self.0.get_membership_for(org_id, usr_id))
    }

    /// Those of these memberships that exist, in order of id; at most 200 ids. Spec: `memberships.md#get_memberships`.
    pub fn get_memberships(&self, mem_ids: &[MembershipId]) -> Result<Vec<Membership>, Error> {
        ready(self.0.get_memberships(mem_ids))
    }

    /// The chain of rows that replaced each other, oldest first. Spec: `memberships.md#membership_history`.
    pub fn membership_history(&self, mem_id: MembershipId) -> Result<Page<Membership>, Error> {
        ready(self.0.membership_history(mem_id))
    }

    /// The members of an organization. Spec: `memberships.md#list_members`.
    pub fn list_members(&self, request: ListMembers) -> Result<Page<Membership>, Error> {
        ready(self.0.list_members(request))
    }

    /// The memberships of a user. Spec: `memberships.md#list_memberships`.
    pub fn list_memberships(&self, request: ListMemberships) -> Result<Page<Membership>, Error> {
        ready(self.0.list_memberships(request))
    }

    /// How many members an organization has. Spec: `memberships.md#count_members`.
    pub fn count_members(&self, request: CountMembers) -> Result<u64, Error> {
        ready(self.0.count_members(request))
    }

    /// Invites someone. Spec: `invitations.md#create_invitation`.
    pub fn create_invitation(&self, request: CreateInvitation) -> Result<Invitation, Error> {
        ready(self.0.create_invitation(request))
    }

    /// Invites several people; one outcome for each row, in their order. Spec: `invitations.md#create_invitations`.
    pub fn create_invitations(&self, request: CreateInvitations) -> Result<Vec<InvitedRow>, Error> {
        ready(self.0.create_invitations(request))
    }

    /// An invitation. Spec: `invitations.md#get_invitation`.
    pub fn get_invitation(&self, inv_id: InvitationId) -> Result<Invitation, Error> {
        ready(self.0.get_invitation(inv_id))
    }

    /// The invitations of an organization. Spec: `invitations.md#list_invitations`.
    pub fn list_invitations(&self, request: ListInvitations) -> Result<Page<Invitation>, Error> {
        ready(self.0.list_invitations(request))
    }

    /// The invitations for an identifier. Spec: `invitations.md#list_invitations_for`.
    pub fn list_invitations_for(&self, request: ListInvitationsFor) -> Result<Page<Invitation>, Error> {
        ready(self.0.list_invitations_for(request))
    }

    /// Makes a membership of an invitation. Spec: `invitations.md#accept_invitation`.
    pub fn accept_invitation(&self, request: AcceptInvitation) -> Result<AcceptedInvitation, Error> {
        ready(self.0.accept_invitation(request))
    }

    /// Says no to an invitation. Spec: `invitations.md#decline_invitation`.
    pub fn decline_invitation(&self, request: DeclineInvitation) -> Result<Invitation, Error> {
        ready(self.0.decline_invitation(request))
    }

    /// Takes an invitation back. Spec: `invitations.md#revoke_invitation`.
    pub fn revoke_invitation(&self, request: RevokeInvitation) -> Result<Invitation, Error> {
        ready(self.0.revoke_invitation(request))
    }

    /// Gives an invitation another end. Spec: `invitations.md#extend_invitation`.
    pub fn extend_invitation(&self, request: ExtendInvitation) -> Result<Invitation, Error> {
        ready(self.0.extend_invitation(request))
    }

    /// Clears away what has expired; no answer depends on it. Spec: `invitations.md#sweep`.
    pub fn sweep(&self, request: Sweep) -> Result<Swept, Error> {
        ready(self.0.sweep(request))
    }

    /// Stores a tuple. Spec: `tuples.md#create_tuple`.
    pub fn create_tuple(&self, request: CreateTuple) -> Result<Tuple, Error> {
        ready(self.0.create_tuple(request))
    }

    /// Takes a stored tuple away; answers it as it was. Spec: `tuples.md#delete_tuple`.
    pub fn delete_tuple(&self, request: DeleteTuple) -> Result<Tuple, Error> {
        ready(self.0.delete_tuple(request))
    }

    /// A tuple that counts, stored or derived. Spec: `tuples.md#get_tuple`.
    pub fn get_tuple(&self, tup_id: TupleId) -> Result<Tuple, Error> {
        ready(self.0.get_tuple(tup_id))
    }

    /// The tuples of a subject. Spec: `tuples.md#list_tuples_for_subject`.
    pub fn list_tuples_for_subject(&self, request: ListTuplesForSubject) -> Result<Page<Tuple>, Error> {
        ready(self.0.list_tuples_for_subject(request))
    }

    /// The tuples on an object. Spec: `tuples.md#list_tuples_for_object`.
    pub fn list_tuples_for_object(&self, request: ListTuplesForObject) -> Result<Page<Tuple>, Error> {
        ready(self.0.list_tuples_for_object(request))
    }

    /// Whether a subject stands in a relation to an object, by a tuple or by the rules. Spec: `tuples.md#check`.
    pub fn check(&self, request: CheckOne) -> Result<Checked, Error> {
        ready(self.0.check(request))
    }

    /// The same for the first of some relations that holds. Spec: `tuples.md#check_any`.
    pub fn check_any(&self, request: CheckAny) -> Result<Checked, Error> {
        ready(self.0.check_any(request))
    }

    /// Up to 200 checks, as of one moment; one outcome for each, in their order. Spec: `tuples.md#check_many`.
    pub fn check_many(&self, requests: Vec<CheckOne>) -> Result<Vec<CheckedRow>, Error> {
        ready(self.0.check_many(requests))
    }

    /// The events of the whole store. Spec: `events.md#changes_all`.
    pub fn changes_all(&self, request: ListAllChanges) -> Result<Page<Event>, Error> {
        ready(self.0.changes_all(request))
    }

    /// An organization's events, oldest first; the cursor is the last revision as text. Spec: `events.md#changes`.
    pub fn changes(&self, request: ListChanges) -> Result<Page<Event>, Error> {
        ready(self.0.changes(request))
    }

    /// The event with this id, if it was written: what tells, after `backend.unknown_outcome`, that the command took place.
    /// That it is not there is no proof of the contrary while the server may still have the write in hand: ask again before
    /// repeating the command. Spec: `errors.md`.
    pub fn outcome(&self, event_id: EventId) -> Result<Option<Event>, Error> {
        ready(self.0.outcome(event_id))
    }

    /// Everything that a user may do in an organization, and from where. Spec: `permissions.md#resolve_permissions`.
    pub fn resolve_permissions(&self, usr_id: UserId, org_id: OrgId) -> Result<EffectivePermissions, Error> {
        ready(self.0.resolve_permissions(usr_id, org_id))
    }

    /// Whether a user may do something. Spec: `permissions.md#has_permission`.
    pub fn has_permission(&self, usr_id: UserId, org_id: OrgId, permission: &str) -> Result<bool, Error> {
        ready(self.0.has_permission(usr_id, org_id, permission))
    }

    /// Whether a user may do all of it: at most 200; of nothing, yes. Spec: `permissions.md#has_all_permissions`.
    pub fn has_all_permissions(&self, usr_id: UserId, org_id: OrgId, permissions: &[&str]) -> Result<bool, Error> {
        ready(self.0.has_all_permissions(usr_id, org_id, permissions))
    }

    /// Whether a user may do any of it: at most 200; of nothing, no. Spec: `permissions.md#has_any_permission`.
    pub fn has_any_permission(&self, usr_id: UserId, org_id: OrgId, permissions: &[&str]) -> Result<bool, Error> {
        ready(self.0.has_any_permission(usr_id, org_id, permissions))
    }

    /// Up to 200 questions about any users and organizations, as of one moment; one answer for each, in their order.
    /// Spec: `permissions.md#has_permissions`.
    pub fn has_permissions(&self, asks: &[PermissionAsk]) -> Result<Vec<AllowedRow>, Error> {
        ready(self.0.has_permissions(asks))
    }

    /// Why a user may do something, or may not. Spec: `permissions.md#explain_permission`.
    pub fn explain_permission(&self, usr_id: UserId, org_id: OrgId, permission: &str) -> Result<Explanation, Error> {
        ready(self.0.explain_permission(usr_id, org_id, permission))
    }

    /// What everybody may do in an organization, and by what.
    /// Spec: `permissions.md#review_permissions`.
    pub fn review_permissions(&self, request: ReviewPermissions) -> Result<Page<UserAccess>, Error> {
        ready(self.0.review_permissions(request))
    }

    /// Who has a permission in an organization: complete, and exactly those of whom [`has_permission`](Self::has_permission) says so.
    /// Spec: `permissions.md#list_users_with`.
    pub fn list_users_with(&self, request: ListUsersWith) -> Result<Page<UserId>, Error> {
        ready(self.0.list_users_with(request))
    }

    /// In which organizations a user has a permission: complete, and exactly those of which
    /// [`has_permission`](Self::has_permission) says so. Spec: `permissions.md#list_orgs_with`.
    pub fn list_orgs_with(&self, request: ListOrgsWith) -> Result<Page<OrgId>, Error> {
        ready(self.0.list_orgs_with(request))
    }

    /// What several users may do in several organizations, as of one moment. Spec: `permissions.md#freshness`.
    pub fn resolve_many(&self, asks: &[(UserId, OrgId)]) -> Result<Vec<Result<EffectivePermissions, DomainError>>, Error> {
        ready(self.0.resolve_many(asks))
    }

    /// The tokens that such answers would have now. Spec: `permissions.md#freshness`.
    pub fn permission_tokens(&self, asks: &[(UserId, OrgId)]) -> Result<Vec<Result<PermissionToken, DomainError>>, Error> {
        ready(self.0.permission_tokens(asks))
    }

    /// Defines one permission. Spec: `permissions.md#define_permission`.
    pub fn define_permission(&self, request: DefinePermission) -> Result<Permission, Error> {
        ready(self.0.define_permission(request))
    }

    /// Brings the catalog to what is said. Spec: `permissions.md#sync_catalog`.
    pub fn sync_catalog(&self, request: SyncCatalog) -> Result<SyncedCatalog, Error> {
        ready(self.0.sync_catalog(request))
    }

    /// The catalog. Spec: `permissions.md#list_permissions`.
    pub fn list_permissions(&self, request: ListPermissions) -> Result<Page<Permission>, Error> {
        ready(self.0.list_permissions(request))
    }

    /// Makes a role. Spec: `roles.md#create_role`.
    pub fn create_role(&self, request: CreateRole) -> Result<RoleDefinition, Error> {
        ready(self.0.create_role(request))
    }

    /// A role, with what it grants. Spec: `roles.md#get_role`.
    pub fn get_role(&self, role_id: RoleId) -> Result<RoleDefinition, Error> {
        ready(self.0.get_role(role_id))
    }

    /// The roles that an organization knows. Spec: `roles.md#list_roles`.
    pub fn list_roles(&self, request: ListRoles) -> Result<Page<RoleDefinition>, Error> {
        ready(self.0.list_roles(request))
    }

    /// Changes a role's fields. Spec: `roles.md#update_role`.
    pub fn update_role(&self, request: UpdateRole) -> Result<RoleDefinition, Error> {
        ready(self.0.update_role(request))
    }

    /// Deletes a role of an organization. Spec: `roles.md#delete_role`.
    pub fn delete_role(&self, request: DeleteRole) -> Result<DeletedRole, Error> {
        ready(self.0.delete_role(request))
    }

    /// Lets a role grant more. Spec: `roles.md#grant_role_permission`.
    pub fn grant_role_permissions(&self, request: GrantRolePermissions) -> Result<ChangedPermissions, Error> {
        ready(self.0.grant_role_permissions(request))
    }

    /// Lets a role grant less. Spec: `roles.md#revoke_role_permission`.
    pub fn revoke_role_permissions(&self, request: RevokeRolePermissions) -> Result<ChangedPermissions, Error> {
        ready(self.0.revoke_role_permissions(request))
    }

    /// Makes rows of the built-in roles. Spec: `roles.md#seed_system_roles`.
    pub fn seed_system_roles(&self, request: SeedSystemRoles) -> Result<SeededRoles, Error> {
        ready(self.0.seed_system_roles(request))
    }

    /// Lets roles of the system grant what fits their patterns. Spec: `roles.md#seed_role_permissions`.
    pub fn seed_role_permissions(&self, request: SeedRolePermissions) -> Result<SeededPermissions, Error> {
        ready(self.0.seed_role_permissions(request))
    }

    /// Makes a group. Spec: `groups.md#create_group`.
    pub fn create_group(&self, request: CreateGroup) -> Result<Group, Error> {
        ready(self.0.create_group(request))
    }

    /// A group. Spec: `groups.md#get_group`.
    pub fn get_group(&self, group_id: GroupId) -> Result<Group, Error> {
        ready(self.0.get_group(group_id))
    }

    /// The groups of an organization. Spec: `groups.md#list_groups`.
    pub fn list_groups(&self, request: ListGroups) -> Result<Page<Group>, Error> {
        ready(self.0.list_groups(request))
    }

    /// Gives a group another name. Spec: `groups.md#update_group`.
    pub fn update_group(&self, request: UpdateGroup) -> Result<Group, Error> {
        ready(self.0.update_group(request))
    }

    /// Deletes a group. Spec: `groups.md#delete_group`.
    pub fn delete_group(&self, request: DeleteGroup) -> Result<Group, Error> {
        ready(self.0.delete_group(request))
    }

    /// Puts a user into a group. Spec: `groups.md#add_group_member`.
    pub fn add_group_member(&self, request: AddGroupMember) -> Result<GroupMember, Error> {
        ready(self.0.add_group_member(request))
    }

    /// Takes a user out of a group; answers the row as it was, if there was one. Spec: `groups.md#remove_group_member`.
    pub fn remove_group_member(&self, request: RemoveGroupMember) -> Result<Option<GroupMember>, Error> {
        ready(self.0.remove_group_member(request))
    }

    /// Who is in a group. Spec: `groups.md#list_group_members`.
    pub fn list_group_members(&self, request: ListGroupMembers) -> Result<Page<GroupMember>, Error> {
        ready(self.0.list_group_members(request))
    }

    /// Gives a group a role. Spec: `groups.md#add_group_role`.
    pub fn add_group_role(&self, request: AddGroupRole) -> Result<GroupRole, Error> {
        ready(self.0.add_group_role(request))
    }

    /// Takes a role from a group; answers the row as it was, if there was one. Spec: `groups.md#remove_group_role`.
    pub fn remove_group_role(&self, request: RemoveGroupRole) -> Result<Option<GroupRole>, Error> {
        ready(self.0.remove_group_role(request))
    }

    /// The roles of a group. Spec: `groups.md#list_group_roles`.
    pub fn list_group_roles(&self, request: ListGroupRoles) -> Result<Page<GroupRole>, Error> {
        ready(self.0.list_group_roles(request))
    }

    /// Grants or denies a permission in an organization, or neither. Spec: `overrides.md#set_org_override`.
    pub fn set_org_override(&self, request: SetOrgOverride) -> Result<Option<PermissionGrant>, Error> {
        ready(self.0.set_org_override(request))
    }

    /// Grants or denies a member a permission, or neither. Spec: `overrides.md#set_membership_override`.
    pub fn set_membership_override(&self, request: SetMembershipOverride) -> Result<Option<PermissionGrant>, Error> {
        ready(self.0.set_membership_override(request))
    }

    /// What an organization grants and denies. Spec: `overrides.md#list_org_overrides`.
    pub fn list_org_overrides(&self, request: ListOrgOverrides) -> Result<Page<PermissionGrant>, Error> {
        ready(self.0.list_org_overrides(request))
    }

    /// What a membership is granted and denied. Spec: `overrides.md#list_membership_overrides`.
    pub fn list_membership_overrides(&self, request: ListMembershipOverrides) -> Result<Page<PermissionGrant>, Error> {
        ready(self.0.list_membership_overrides(request))
    }

    /// Brings rows in, all or none. Spec: `import.md#import`.
    pub fn import(&self, request: Import) -> Result<ImportCounts, Error> {
        ready(self.0.import(request))
    }

    /// Every row: for comparing stores, not for applications.
    ///
    /// # Errors
    /// `backend.*`.
    pub fn dump(&self) -> Result<Dump, Error> {
        ready(self.0.dump())
    }
}

/// The organizations of users by one policy, by plain calls: a [`crate::TenantService`] over a [`Store`].
///
/// ```
/// use tenantry_core::{Backend, Error, Immediate, TenantMode, TenantPolicy, UserId, blocking};
///
/// fn signed_in<B: Immediate + 'static>(store: &blocking::Store<B>, usr: UserId) -> Result<(), Error> {
///     let tenants = blocking::TenantService::new(store, TenantPolicy::new(TenantMode::Required))?;
///     let place = tenants.ensure_tenant_for_user(usr, None)?;
///     assert!(place.org.is_some());
///     Ok(())
/// }
/// ```
#[derive(Debug, Clone)]
pub struct TenantService<'s>(crate::TenantService<'s>);

impl<'s> TenantService<'s> {
    /// This policy over this store, on behalf of whom the store acts for.
    ///
    /// # Errors
    /// A policy that does not have its form: [`TenantPolicy::check`].
    pub fn new<B: Immediate + 's>(store: &Store<B>, policy: TenantPolicy) -> Result<Self, DomainError> {
        crate::TenantService::new(Arc::new(store.0.clone()), policy).map(Self)
    }

    /// The policy.
    pub const fn policy(&self) -> &TenantPolicy {
        self.0.policy()
    }

    /// The same policy over the same store, on behalf of someone else.
    #[must_use]
    pub fn with_caller(&self, caller: Caller) -> Self {
        Self(self.0.with_caller(caller))
    }

    /// As [`crate::TenantService::ensure_tenant_for_user`].
    pub fn ensure_tenant_for_user(&self, usr_id: UserId, name: Option<&str>) -> Result<EnsuredTenant, Error> {
        ready(self.0.ensure_tenant_for_user(usr_id, name))
    }

    /// As [`crate::TenantService::create_tenant_with_ownership`].
    pub fn create_tenant_with_ownership(&self, usr_id: UserId, name: &str, slug: Option<&str>) -> Result<CreatedOrg, Error> {
        ready(self.0.create_tenant_with_ownership(usr_id, name, slug))
    }

    /// As [`crate::TenantService::delete_tenant`].
    pub fn delete_tenant(&self, usr_id: UserId, org_id: OrgId) -> Result<Organization, Error> {
        ready(self.0.delete_tenant(usr_id, org_id))
    }

    /// As [`crate::TenantService::can_create_tenant`].
    pub fn can_create_tenant(&self, usr_id: UserId) -> Result<bool, Error> {
        ready(self.0.can_create_tenant(usr_id))
    }

    /// As [`crate::TenantService::list_owned_tenants`].
    pub fn list_owned_tenants(&self, usr_id: UserId) -> Result<Vec<Organization>, Error> {
        ready(self.0.list_owned_tenants(usr_id))
    }
}
