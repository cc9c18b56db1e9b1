//! The store as an application sees it.

mod access;
mod tree;

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use serde::ser::SerializeStruct;
use serde::{Serialize, Serializer};

use crate::decide::tuple_key;
use crate::decide::{
    AcceptInvitation, AcceptedInvitation, AddMember, AdminRemove, Caller, ChangeRole, CreateInvitation, CreateInvitations, CreateOrg,
    CreateTenant, CreateTuple, CreateUser, CreatedOrg, CreatedUser, DeclineInvitation, DeleteTenant, DeleteTuple, EnsureTenant,
    EnsuredTenant, ExtendInvitation, Import, ImportCounts, InvitedRow, MoveOrg, ReinstateMembership, ReinstateOrg, ReinstateUser,
    RevokeInvitation, RevokeOrg, RevokeUser, SelfLeave, SuspendMembership, SuspendOrg, SuspendUser, SuspendedUser, Sweep, Swept,
    TransferOwnership, TransferredOwnership, UpdateMembership, UpdateOrg,
};
use crate::doctor::Repair;
use crate::entity::{Invitation, InvitationStatus, Membership, MembershipStatus, OrgStatus, Organization, User};
use crate::error::{DomainError, Error};
use crate::event::{Cause, Event};
use crate::id::{EventId, InvitationId, MembershipId, OrgId, TupleId, UserId};
use crate::page::{Page, PageRequest, PageSize};
use crate::permissions::{AccessChange, AncestorReadPolicy};
use crate::rules::{Checked, Rules};
use crate::state::Dump;
use crate::tuple::{self, EntityRef, Tuple, TupleKey};
use crate::value::Relation;

pub use tree::{Descendant, ListDescendants, ListSiblings, OrgTree, ReadTree};

pub use access::{
    AccessStore, AllowedRow, ListGroupMembers, ListGroupRoles, ListGroups, ListMembershipOverrides, ListOrgOverrides, ListOrgsWith,
    ListPermissions, ListRoles, ListUsersWith, PermissionAsk, PermissionResolver, ReviewPermissions,
};

/// Asks what [`move_org`](TenancyStore::move_org) would change.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct PreviewMoveOrg {
    /// Which.
    pub org_id: OrgId,
    /// The one above it then; without one it is a root.
    pub new_parent_id: Option<OrgId>,
    /// Which part of the list.
    pub page: PageRequest,
}

impl PreviewMoveOrg {
    /// What this move would change, the first page.
    pub fn new(request: &MoveOrg) -> Self {
        Self { org_id: request.org_id, new_parent_id: request.new_parent_id, page: PageRequest::default() }
    }

    /// Another part of the list.
    #[must_use]
    pub fn page(mut self, page: PageRequest) -> Self {
        self.page = page;
        self
    }
}

/// Lists the members of an organization.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ListMembers {
    /// Where.
    pub org_id: OrgId,
    /// Only those that a reader sees with this status.
    pub status: Option<MembershipStatus>,
    /// Which page.
    pub page: PageRequest,
}

impl ListMembers {
    /// All of them, from the start.
    pub fn new(org_id: OrgId) -> Self {
        Self { org_id, status: None, page: PageRequest::default() }
    }

    /// Only those that a reader sees with this status.
    #[must_use]
    pub const fn status(mut self, status: MembershipStatus) -> Self {
        self.status = Some(status);
        self
    }

    /// Which page.
    #[must_use]
    pub fn page(mut self, page: PageRequest) -> Self {
        self.page = page;
        self
    }
}

/// Lists the memberships of a user.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ListMemberships {
    /// Whose.
    pub usr_id: UserId,
    /// Only those that a reader sees with this status.
    pub status: Option<MembershipStatus>,
    /// Which page.
    pub page: PageRequest,
}

impl ListMemberships {
    /// All of them, from the start.
    pub fn new(usr_id: UserId) -> Self {
        Self { usr_id, status: None, page: PageRequest::default() }
    }

    /// Only those that a reader sees with this status.
    #[must_use]
    pub const fn status(mut self, status: MembershipStatus) -> Self {
        self.status = Some(status);
        self
    }

    /// Which page.
    #[must_use]
    pub fn page(mut self, page: PageRequest) -> Self {
        self.page = page;
        self
    }
}

/// Lists organizations across the whole store.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ListOrgs {
    /// Only those with this status.
    pub status: Option<OrgStatus>,
    /// Only those whose name or slug contains this text, in either case. `%`, `_` and `\` are plain characters.
    pub query: Option<String>,
    /// Which page.
    pub page: PageRequest,
}

impl ListOrgs {
    /// All of them, from the start.
    pub fn new() -> Self {
        Self::default()
    }

    /// Only those with this status.
    #[must_use]
    pub const fn status(mut self, status: OrgStatus) -> Self {
        self.status = Some(status);
        self
    }

    /// Only those whose name or slug contains this text.
    #[must_use]
    pub fn query(mut self, query: impl Into<String>) -> Self {
        self.query = Some(query.into());
        self
    }

    /// Which page.
    #[must_use]
    pub fn page(mut self, page: PageRequest) -> Self {
        self.page = page;
        self
    }
}

/// Lists the organizations right below one.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ListChildren {
    /// The one above.
    pub org_id: OrgId,
    /// Which page.
    pub page: PageRequest,
}

impl ListChildren {
    /// All of them, from the start.
    pub fn new(org_id: OrgId) -> Self {
        Self { org_id, page: PageRequest::default() }
    }

    /// Which page.
    #[must_use]
    pub fn page(mut self, page: PageRequest) -> Self {
        self.page = page;
        self
    }
}

/// Counts the members of an organization.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct CountMembers {
    /// Where.
    pub org_id: OrgId,
    /// Only those that a reader sees with this status.
    pub status: Option<MembershipStatus>,
}

impl CountMembers {
    /// All of them.
    pub const fn new(org_id: OrgId) -> Self {
        Self { org_id, status: None }
    }

    /// Only those that a reader sees with this status.
    #[must_use]
    pub const fn status(mut self, status: MembershipStatus) -> Self {
        self.status = Some(status);
        self
    }
}

/// Lists an organization's events, oldest first.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ListChanges {
    /// Whose.
    pub org_id: OrgId,
    /// Only those behind this revision: that of the last event known, which is also what `next_cursor` holds as text.
    pub after_revision: u64,
    /// How many at most.
    pub limit: PageSize,
}

impl ListChanges {
    /// From the first one.
    pub fn new(org_id: OrgId) -> Self {
        Self { org_id, after_revision: 0, limit: PageSize::default() }
    }

    /// Only those behind this revision.
    #[must_use]
    pub const fn after_revision(mut self, revision: u64) -> Self {
        self.after_revision = revision;
        self
    }

    /// At most so many; any number is brought into 1 to 200.
    #[must_use]
    pub fn limit(mut self, limit: i64) -> Self {
        self.limit = PageSize::clamp(limit);
        self
    }
}

/// Asks for the invitations of an organization, in order of id.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ListInvitations {
    /// Which organization.
    pub org_id: OrgId,
    /// Only those that a reader sees with this status.
    pub status: Option<InvitationStatus>,
    /// Which part of the list.
    pub page: PageRequest,
}

impl ListInvitations {
    /// All of them, the first page.
    pub fn new(org_id: OrgId) -> Self {
        Self { org_id, status: None, page: PageRequest::default() }
    }

    /// Only those with this status.
    #[must_use]
    pub const fn status(mut self, status: InvitationStatus) -> Self {
        self.status = Some(status);
        self
    }

    /// Another part of the list.
    #[must_use]
    pub fn page(mut self, page: PageRequest) -> Self {
        self.page = page;
        self
    }
}

/// Asks for the invitations for an identifier, of all organizations, in order of id.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ListInvitationsFor {
    /// Which identifier, byte by byte.
    pub identifier: String,
    /// Only those that a reader sees with this status.
    pub status: Option<InvitationStatus>,
    /// Which part of the list.
    pub page: PageRequest,
}

impl ListInvitationsFor {
    /// All of them, the first page.
    pub fn new(identifier: impl Into<String>) -> Self {
        Self { identifier: identifier.into(), status: None, page: PageRequest::default() }
    }

    /// Only those with this status.
    #[must_use]
    pub const fn status(mut self, status: InvitationStatus) -> Self {
        self.status = Some(status);
        self
    }

    /// Another part of the list.
    #[must_use]
    pub fn page(mut self, page: PageRequest) -> Self {
        self.page = page;
        self
    }
}

/// Asks for the tuples of a subject that count, stored and derived alike, in order of id.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ListTuplesForSubject {
    /// The subject's type.
    pub subject_type: String,
    /// The subject's id: a UUID, or a wire id of the type.
    pub subject_id: String,
    /// Which part of the list.
    pub page: PageRequest,
}

impl ListTuplesForSubject {
    /// The first page.
    pub fn new(subject_type: impl Into<String>, subject_id: impl Into<String>) -> Self {
        Self { subject_type: subject_type.into(), subject_id: subject_id.into(), page: PageRequest::default() }
    }

    /// Another part of the list.
    #[must_use]
    pub fn page(mut self, page: PageRequest) -> Self {
        self.page = page;
        self
    }
}

/// Asks for the tuples on an object that count, stored and derived alike, in order of id.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ListTuplesForObject {
    /// The object's type.
    pub object_type: String,
    /// The object's id: a UUID, or a wire id of the type.
    pub object_id: String,
    /// Only those with this relation.
    pub relation: Option<String>,
    /// Which part of the list.
    pub page: PageRequest,
}

impl ListTuplesForObject {
    /// Every relation, the first page.
    pub fn new(object_type: impl Into<String>, object_id: impl Into<String>) -> Self {
        Self { object_type: object_type.into(), object_id: object_id.into(), relation: None, page: PageRequest::default() }
    }

    /// Only this relation.
    #[must_use]
    pub fn relation(mut self, relation: impl Into<String>) -> Self {
        self.relation = Some(relation.into());
        self
    }

    /// Another part of the list.
    #[must_use]
    pub fn page(mut self, page: PageRequest) -> Self {
        self.page = page;
        self
    }
}

/// Asks whether a subject stands in a relation to an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckOne(Result<TupleKey, DomainError>);

impl CheckOne {
    /// This subject, relation and object, as texts: a type is 2 to 6 of `a-z`, an id a UUID or a wire id of the type, a relation 2 to
    /// 32 of `a-z` and `_`. What is wrong with them the check says.
    pub fn new(subject: (&str, &str), relation: &str, object: (&str, &str)) -> Self {
        Self(tuple_key(subject.0, subject.1, relation, object.0, object.1))
    }

    /// The same, of parts that have been read already.
    pub const fn of(key: TupleKey) -> Self {
        Self(Ok(key))
    }

    /// The forms of the five fields.
    pub(crate) fn key(&self) -> Result<TupleKey, DomainError> {
        self.0.clone()
    }
}

/// Asks whether a subject stands in any of some relations to an object.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct CheckAny {
    /// The subject's type.
    pub subject_type: String,
    /// The subject's id.
    pub subject_id: String,
    /// The relations, 1 to 100: the first that holds is answered.
    pub relations: Vec<String>,
    /// The object's type.
    pub object_type: String,
    /// The object's id.
    pub object_id: String,
}

impl CheckAny {
    /// The most relations.
    pub const MAX_RELATIONS: usize = 100;

    /// This subject, these relations and this object.
    pub fn new(subject: (&str, &str), relations: impl IntoIterator<Item = impl Into<String>>, object: (&str, &str)) -> Self {
        Self {
            subject_type: subject.0.to_owned(),
            subject_id: subject.1.to_owned(),
            relations: relations.into_iter().map(Into::into).collect(),
            object_type: object.0.to_owned(),
            object_id: object.1.to_owned(),
        }
    }
}

impl CheckAny {
    /// The forms of the fields, in their order.
    pub(crate) fn forms(&self) -> Result<(EntityRef, Vec<Relation>, EntityRef), DomainError> {
        let wrong = || DomainError::format("relations", "1 to 100 relations, each 2 to 32 of `a-z` and `_`");
        let subject = tuple::entity(("subject_type", &self.subject_type), ("subject_id", &self.subject_id))?;
        if !(1..=Self::MAX_RELATIONS).contains(&self.relations.len()) {
            return Err(wrong());
        }
        let relations = self.relations.iter().map(|text| Relation::parse(text).ok_or_else(wrong)).collect::<Result<_, _>>()?;
        let object = tuple::entity(("object_type", &self.object_type), ("object_id", &self.object_id))?;
        Ok((subject, relations, object))
    }
}

/// What became of one check of several.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckedRow(pub Result<Checked, DomainError>);

impl Serialize for CheckedRow {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let checked = self.0.as_ref().ok();
        let mut row = serializer.serialize_struct("CheckedRow", 3)?;
        row.serialize_field("allowed", &checked.is_some_and(|checked| checked.allowed))?;
        row.serialize_field("matched_tuple_id", &checked.and_then(|checked| checked.matched_tuple_id))?;
        row.serialize_field("error", &self.0.as_ref().err().map(DomainError::brief))?;
        row.end()
    }
}

/// Asks for the events of the whole store, each once, in an order into which none is put from behind.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ListAllChanges {
    /// The event behind which to begin: the last one seen.
    pub after: Option<EventId>,
    /// How many rows at most.
    pub limit: PageSize,
}

impl ListAllChanges {
    /// From the first event on.
    pub fn new() -> Self {
        Self { after: None, limit: PageSize::default() }
    }

    /// Behind this event.
    #[must_use]
    pub const fn after(mut self, event: EventId) -> Self {
        self.after = Some(event);
        self
    }

    /// A page of this many rows, 1 to 200; other numbers are brought into these bounds.
    #[must_use]
    pub fn limit(mut self, limit: i64) -> Self {
        self.limit = PageSize::clamp(limit);
        self
    }
}

impl Default for ListAllChanges {
    fn default() -> Self {
        Self::new()
    }
}

/// An organization with all above it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct OrgPath {
    /// Root first, the organization last.
    pub data: Vec<Organization>,
    /// Whether all of them are active.
    pub live: bool,
}

impl OrgPath {
    /// Those above the organization, root first.
    pub fn ancestors(&self) -> &[Organization] {
        self.data.split_last().map_or(&[], |(_, above)| above)
    }

    /// Those above the organization, its parent first.
    pub fn ancestors_upwards(&self) -> impl DoubleEndedIterator<Item = &Organization> + ExactSizeIterator {
        self.ancestors().iter().rev()
    }
}

/// Organizations, memberships and their history, over any store.
///
/// Every method is one transaction and one semantics, whichever store is behind it: the rules are those of spec/, decided
/// in core. Methods that change something append their audit events in the same commit. Dropping a future leaves the state as
/// before or as after.
///
/// The trait can be made into an object: an application holds an `Arc<dyn TenancyStore>`.
///
/// # Errors
/// Each method fails with [`Error::Domain`] where a rule refuses, in the order of the method's table in spec/, and with
/// [`Error::Backend`] where the store could not do it.
#[async_trait]
pub trait TenancyStore: AccessStore + PermissionResolver + fmt::Debug + Send + Sync {
    /// The same store, on behalf of someone else. It lasts as long as what it is a view of: a store that is bound to a transaction
    /// gives stores that are bound to it too.
    fn with_caller<'s>(&self, caller: Caller) -> Arc<dyn TenancyStore + 's>
    where
        Self: 's;

    /// The same store, with commands that say this of themselves.
    fn with_cause<'s>(&self, cause: Cause) -> Arc<dyn TenancyStore + 's>
    where
        Self: 's;

    /// The same store, whose checks follow these rules.
    fn with_rules<'s>(&self, rules: Arc<Rules>) -> Arc<dyn TenancyStore + 's>
    where
        Self: 's;

    /// The same store, whose resolutions let members of organizations below read what the policy says, or nothing more with `None`.
    /// Spec: `permissions.md#ancestor-read`.
    fn with_ancestor_read<'s>(&self, policy: Option<Arc<AncestorReadPolicy>>) -> Arc<dyn TenancyStore + 's>
    where
        Self: 's;

    /// Creates a user's row. Spec: `users.md#create_user`.
    async fn create_user(&self, request: CreateUser) -> Result<CreatedUser, Error>;
    /// The user's row. Spec: `users.md#get_user`.
    async fn get_user(&self, usr_id: UserId) -> Result<User, Error>;
    /// Those of these users that have a row, in order of id; at most 200 ids. Spec: `users.md#get_users`.
    async fn get_users(&self, usr_ids: &[UserId]) -> Result<Vec<User>, Error>;
    /// Suspends a user, and reports the organizations left without an acting owner. Spec: `users.md#suspend_user`.
    async fn suspend_user(&self, request: SuspendUser) -> Result<SuspendedUser, Error>;
    /// Makes a suspended user active again. Spec: `users.md#reinstate_user`.
    async fn reinstate_user(&self, request: ReinstateUser) -> Result<User, Error>;
    /// Ends a user's row. Spec: `users.md#revoke_user`.
    async fn revoke_user(&self, request: RevokeUser) -> Result<User, Error>;

    /// Creates an organization with its creator as owner. Spec: `organizations.md#create_org`.
    async fn create_org(&self, request: CreateOrg) -> Result<CreatedOrg, Error>;
    /// The organization. Spec: `organizations.md#get_org`.
    async fn get_org(&self, org_id: OrgId) -> Result<Organization, Error>;
    /// The organization that holds a slug. Spec: `organizations.md#get_org_by_slug`.
    async fn get_org_by_slug(&self, slug: &str) -> Result<Organization, Error>;
    /// Those of these organizations that exist, in order of id; at most 200 ids. Spec: `organizations.md#get_orgs`.
    async fn get_orgs(&self, org_ids: &[OrgId]) -> Result<Vec<Organization>, Error>;
    /// The organization and all above it. Spec: `organizations.md#get_org_path`.
    async fn get_org_path(&self, org_id: OrgId) -> Result<OrgPath, Error>;
    /// The organizations right below one. Spec: `organizations.md#list_children`.
    async fn list_children(&self, request: ListChildren) -> Result<Page<Organization>, Error>;
    /// The organizations below one, on every level or on the next few. Spec: `organizations.md#list_descendants`.
    async fn list_descendants(&self, request: ListDescendants) -> Result<Page<Descendant>, Error>;
    /// The other children of an organization's parent; of a root there are none. It is that list of children without the organization
    /// itself: a page may have one row fewer than its limit, and a guarded caller must be a member of both. Spec:
    /// `organizations.md#list_descendants`.
    async fn list_siblings(&self, request: ListSiblings) -> Result<Page<Organization>, Error> {
        tree::siblings(self, request).await
    }
    /// An organization with all below it, each in its place. Spec: `organizations.md#list_descendants`.
    async fn org_tree(&self, request: ReadTree) -> Result<OrgTree, Error> {
        tree::read(self, request).await
    }
    /// Organizations across the whole store. Spec: `organizations.md#list_orgs`.
    async fn list_orgs(&self, request: ListOrgs) -> Result<Page<Organization>, Error>;
    /// Changes an organization's fields. Spec: `organizations.md#update_org`.
    async fn update_org(&self, request: UpdateOrg) -> Result<Organization, Error>;
    /// Puts an organization below another one, or to the top. Spec: `organizations.md#move_org`.
    async fn move_org(&self, request: MoveOrg) -> Result<Organization, Error>;
    /// A dry run of [`move_org`](Self::move_org), with its checks and its errors: which users would gain and lose which permissions
    /// where. Nothing is written. Each call looks at a bounded number of users in organizations, so that a page may be shorter than
    /// its limit, or empty, and have a next one. Spec: `organizations.md#preview_move_org`.
    async fn preview_move_org(&self, request: PreviewMoveOrg) -> Result<Page<AccessChange>, Error>;
    /// Pauses an organization. Spec: `organizations.md#suspend_org`.
    async fn suspend_org(&self, request: SuspendOrg) -> Result<Organization, Error>;
    /// Makes a suspended organization active again. Spec: `organizations.md#reinstate_org`.
    async fn reinstate_org(&self, request: ReinstateOrg) -> Result<Organization, Error>;
    /// Ends an organization and all its memberships. Spec: `organizations.md#revoke_org`.
    async fn revoke_org(&self, request: RevokeOrg) -> Result<Organization, Error>;
    /// The organization that a user works in, made for them where there is none and the policy says so.
    /// Spec: `tenants.md#ensure_tenant_for_user`.
    async fn ensure_tenant_for_user(&self, request: EnsureTenant) -> Result<EnsuredTenant, Error>;
    /// Creates an organization that a user owns, where the policy allows one more. Spec: `tenants.md#create_tenant_with_ownership`.
    async fn create_tenant_with_ownership(&self, request: CreateTenant) -> Result<CreatedOrg, Error>;
    /// Ends an organization as its owner, where the policy lets them. Spec: `tenants.md#delete_tenant`.
    async fn delete_tenant(&self, request: DeleteTenant) -> Result<Organization, Error>;

    /// Makes a user a member. Spec: `memberships.md#add_member`.
    async fn add_member(&self, request: AddMember) -> Result<Membership, Error>;
    /// Gives a member another role. Spec: `memberships.md#change_role`.
    async fn change_role(&self, request: ChangeRole) -> Result<Membership, Error>;
    /// Changes a membership's fields in place. Spec: `memberships.md#update_membership`.
    async fn update_membership(&self, request: UpdateMembership) -> Result<Membership, Error>;
    /// Pauses a membership. Spec: `memberships.md#suspend_membership`.
    async fn suspend_membership(&self, request: SuspendMembership) -> Result<Membership, Error>;
    /// Puts a suspended membership back in force. Spec: `memberships.md#reinstate_membership`.
    async fn reinstate_membership(&self, request: ReinstateMembership) -> Result<Membership, Error>;
    /// Ends one's own membership. Spec: `memberships.md#self_leave`.
    async fn self_leave(&self, request: SelfLeave) -> Result<Membership, Error>;
    /// Ends another's membership. Spec: `memberships.md#admin_remove`.
    async fn admin_remove(&self, request: AdminRemove) -> Result<Membership, Error>;
    /// Hands ownership over. Spec: `memberships.md#transfer_ownership`.
    async fn transfer_ownership(&self, request: TransferOwnership) -> Result<TransferredOwnership, Error>;
    /// The membership. Spec: `memberships.md#get_membership`.
    async fn get_membership(&self, mem_id: MembershipId) -> Result<Membership, Error>;
    /// The user's row in the organization that is not revoked. Spec: `memberships.md#get_membership_for`.
    async fn get_membership_for(&self, org_id: OrgId, usr_id: UserId) -> Result<Membership, Error>;
    /// Those of these memberships that exist, in order of id; at most 200 ids. Spec: `memberships.md#get_memberships`.
    async fn get_memberships(&self, mem_ids: &[MembershipId]) -> Result<Vec<Membership>, Error>;
    /// The chain of rows that replaced each other, oldest first. Spec: `memberships.md#membership_history`.
    async fn membership_history(&self, mem_id: MembershipId) -> Result<Page<Membership>, Error>;
    /// The members of an organization. Spec: `memberships.md#list_members`.
    async fn list_members(&self, request: ListMembers) -> Result<Page<Membership>, Error>;
    /// The memberships of a user. Spec: `memberships.md#list_memberships`.
    async fn list_memberships(&self, request: ListMemberships) -> Result<Page<Membership>, Error>;
    /// How many members an organization has. Spec: `memberships.md#count_members`.
    async fn count_members(&self, request: CountMembers) -> Result<u64, Error>;

    /// Invites someone. Spec: `invitations.md#create_invitation`.
    async fn create_invitation(&self, request: CreateInvitation) -> Result<Invitation, Error>;

    /// Invites several people; one outcome for each row, in their order. Spec: `invitations.md#create_invitations`.
    async fn create_invitations(&self, request: CreateInvitations) -> Result<Vec<InvitedRow>, Error>;

    /// An invitation. Spec: `invitations.md#get_invitation`.
    async fn get_invitation(&self, inv_id: InvitationId) -> Result<Invitation, Error>;

    /// The invitations of an organization. Spec: `invitations.md#list_invitations`.
    async fn list_invitations(&self, request: ListInvitations) -> Result<Page<Invitation>, Error>;

    /// The invitations for an identifier. Spec: `invitations.md#list_invitations_for`.
    async fn list_invitations_for(&self, request: ListInvitationsFor) -> Result<Page<Invitation>, Error>;

    /// Makes a membership of an invitation. Spec: `invitations.md#accept_invitation`.
    async fn accept_invitation(&self, request: AcceptInvitation) -> Result<AcceptedInvitation, Error>;

    /// Says no to an invitation. Spec: `invitations.md#decline_invitation`.
    async fn decline_invitation(&self, request: DeclineInvitation) -> Result<Invitation, Error>;

    /// Takes an invitation back. Spec: `invitations.md#revoke_invitation`.
    async fn revoke_invitation(&self, request: RevokeInvitation) -> Result<Invitation, Error>;

    /// Gives an invitation another end. Spec: `invitations.md#extend_invitation`.
    async fn extend_invitation(&self, request: ExtendInvitation) -> Result<Invitation, Error>;

    /// Clears away what has expired; no answer depends on it. Spec: `invitations.md#sweep`.
    async fn sweep(&self, request: Sweep) -> Result<Swept, Error>;

    /// Stores a tuple. Spec: `tuples.md#create_tuple`.
    async fn create_tuple(&self, request: CreateTuple) -> Result<Tuple, Error>;

    /// Takes a stored tuple away; answers it as it was. Spec: `tuples.md#delete_tuple`.
    async fn delete_tuple(&self, request: DeleteTuple) -> Result<Tuple, Error>;

    /// A tuple that counts, stored or derived. Spec: `tuples.md#get_tuple`.
    async fn get_tuple(&self, tup_id: TupleId) -> Result<Tuple, Error>;

    /// The tuples of a subject. Spec: `tuples.md#list_tuples_for_subject`.
    async fn list_tuples_for_subject(&self, request: ListTuplesForSubject) -> Result<Page<Tuple>, Error>;

    /// The tuples on an object. Spec: `tuples.md#list_tuples_for_object`.
    async fn list_tuples_for_object(&self, request: ListTuplesForObject) -> Result<Page<Tuple>, Error>;

    /// Whether a subject stands in a relation to an object, by a tuple or by the rules. Spec: `tuples.md#check`.
    async fn check(&self, request: CheckOne) -> Result<Checked, Error>;

    /// The same for the first of some relations that holds. Spec: `tuples.md#check_any`.
    async fn check_any(&self, request: CheckAny) -> Result<Checked, Error>;

    /// Up to 200 checks, as of one moment; one outcome for each, in their order. Spec: `tuples.md#check_many`.
    async fn check_many(&self, requests: Vec<CheckOne>) -> Result<Vec<CheckedRow>, Error>;

    /// The events of the whole store. Spec: `events.md#changes_all`.
    async fn changes_all(&self, request: ListAllChanges) -> Result<Page<Event>, Error>;

    /// An organization's events, oldest first; the cursor is the last revision as text. Spec: `events.md#changes`.
    async fn changes(&self, request: ListChanges) -> Result<Page<Event>, Error>;
    /// The event with this id, if it was written: what tells, after `backend.unknown_outcome`, that the command took place.
    /// That it is not there is no proof of the contrary while the server may still have the write in hand: ask again before
    /// repeating the command. Spec: `errors.md`.
    async fn outcome(&self, event_id: EventId) -> Result<Option<Event>, Error>;
    /// Brings rows in, all or none. Spec: `import.md#import`.
    async fn import(&self, request: Import) -> Result<ImportCounts, Error>;
}

/// Shows every row of a store: for comparing stores, not for applications.
#[async_trait]
pub trait Inspect: Send + Sync {
    /// Every row, behind every write that was answered before.
    ///
    /// # Errors
    /// `backend.*`.
    async fn dump(&self) -> Result<Dump, Error>;

    /// Mends rows that follow from others, as [`crate::doctor::repairs`] names them, all of them or none. False, and nothing is written,
    /// when a row is not any more as a repair expects it: examine the rows again.
    ///
    /// # Errors
    /// `backend.*`.
    async fn repair(&self, repairs: Vec<Repair>) -> Result<bool, Error>;
}
