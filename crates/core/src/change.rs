//! What a decision writes: guards, changes and events.
//!
//! The set of changes is closed. What each one means is defined by [`crate::State::apply`]; a store matches them
//! exhaustively, without `_` and without `..`, so that a new one does not compile until every store handles it.

use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;

use uuid::Uuid;

use crate::access::{Group, GroupMember, GroupRole, Holder, Permission, PermissionGrant};
use crate::entity::{Invitation, InvitationStatus, Membership, MembershipStatus, OrgStatus, Organization, User, UserStatus};
use crate::error::{BackendError, BackendKind};
use crate::event::Event;
use crate::id::{GroupId, InvitationId, MembershipId, OrgId, RoleId, TupleId, UserId};
use crate::load::Tenancy;
use crate::permissions::{Facts, Ground};
use crate::role::{Role, RoleDefinition};
use crate::time::Timestamp;
use crate::tuple::{EntityRef, Tuple};
use crate::value::{Description, ExternalId, Metadata, Name, PermissionSlug, Slug};

/// Everything that one command writes, as one commit: guards first, then changes, then events, each in order.
#[derive(Clone, Default)]
pub struct Plan {
    /// The moment of the command: `updated_at` of every row that a change touches.
    pub at: Option<Timestamp>,
    /// What the decision relied on, in the order in which to lock: whether organizations are there, whether users are, trees, objects,
    /// memberships of users, the system, users, organizations, each kind in ascending order of id.
    pub guards: Vec<Guard>,
    /// What becomes of the rows.
    pub changes: Vec<Change>,
    /// What is told of it.
    pub events: Vec<Event>,
    /// Called with the number of changes and events written since the last call, for long plans.
    pub progress: Option<Progress>,
}

/// Told how far a long write has come. After a conflict the write begins anew, and so does the telling. It must not panic.
pub type Progress = Arc<dyn Fn(u64) + Send + Sync>;

impl Plan {
    /// True when there is nothing to write: the command was a no-op.
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty() && self.events.is_empty()
    }

    /// Whether it was decided over rows that no guard of it stands for: what organizations below hold, or any at all. Such a plan is one of
    /// those rows only if its guarded rows were taken before they were read; what is done below takes one of them too. Below an organization
    /// that comes with the plan there is nothing yet.
    pub fn rests_on_what_is_below(&self) -> bool {
        let mut born = HashSet::new();
        self.changes.iter().any(|change| match change {
            Change::InsertOrg(org) => {
                born.insert(org.id);
                false
            }
            Change::InsertRole(role) => role.org_id.is_none_or(|org| !born.contains(&org)),
            Change::DeleteRole { .. } | Change::MoveOrg { .. } => true,
            _ => false,
        })
    }

    /// The plan holds only while the user's row stays as it is.
    pub(crate) fn rely_on_user(&mut self, id: UserId, revision: Option<u64>) {
        self.rely(Guard::User { id, revision, advance: false });
    }

    /// The plan holds only while the user gets no other membership and loses none, and is alone among those that rely on it.
    pub(crate) fn rely_on_memberships(&mut self, usr_id: UserId, tenancy: &Tenancy) {
        self.rely(Guard::Memberships { usr_id, rows: tenancy.rows, ended: tenancy.ended });
    }

    /// The plan holds only while what a guarded caller may do stays as it is: the organizations concerned with those above them, and
    /// what belongs to none. Whatever moves an organization, or changes its roles, groups, overrides or memberships, moves its revision.
    pub(crate) fn rely_on_facts(&mut self, facts: &Facts) {
        self.rely(Guard::System { revision: facts.system_revision(), advance: false });
        for org in facts.orgs() {
            self.rely(Guard::Org { id: org.id, revision: org.revision, events: 0 });
        }
    }

    /// One more guard, in its place, unless the plan has one of the same row already. One that stands for an older revision of it fails
    /// where the two differ.
    fn rely(&mut self, guard: Guard) {
        let place = self.guards.partition_point(|other| other.place() < guard.place());
        if self.guards.get(place).is_none_or(|other| other.place() != guard.place()) {
            self.guards.insert(place, guard);
        }
    }

    /// The organizations among the guards, in ascending order.
    pub fn guarded_orgs(&self) -> impl Iterator<Item = OrgId> + '_ {
        self.guards.iter().filter_map(|guard| if let Guard::Org { id, .. } = guard { Some(*id) } else { None })
    }
}

impl fmt::Debug for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Plan")
            .field("at", &self.at)
            .field("guards", &self.guards)
            .field("changes", &self.changes)
            .field("events", &self.events)
            .finish_non_exhaustive()
    }
}

/// A fact that the decision relied on. A store takes the row, compares, and moves the revision where asked; a
/// mismatch means that the command must be decided again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Guard {
    /// Organizations are about to appear whose ids were not made here, or the command relies on the absence of some: which ids are
    /// those of organizations is as it was loaded, and nobody who relies on the absence of one may be under way.
    NewOrgs,
    /// There is no organization with this id, and none is about to appear.
    NoOrg {
        /// Which.
        id: OrgId,
    },
    /// The shape of a tree of organizations, by the structure's revision, which its root keeps: who is above whom.
    Tree {
        /// The tree's root.
        root: OrgId,
        /// The revision that was loaded.
        revision: u64,
        /// Whether the shape changes.
        advance: bool,
    },
    /// What belongs to no organization: the roles of the system and the catalog, by their revision.
    System {
        /// The revision that was loaded.
        revision: u64,
        /// Whether something of it changes.
        advance: bool,
    },
    /// The user's row, by its revision, or that there is none.
    User {
        /// Whose.
        id: UserId,
        /// The revision that was loaded; `None` when there was no row.
        revision: Option<u64>,
        /// Whether the command changes what others rely on: the row's revision moves by one.
        advance: bool,
    },
    /// Rows are about to appear for users whose ids were not made here: nobody who relies on the absence of a user's
    /// row may be under way.
    NewUsers {
        /// Those of them whose rows will not be active: they have no membership, ended ones included.
        without_memberships: Vec<UserId>,
    },
    /// The organization's row, by its revision.
    Org {
        /// Which.
        id: OrgId,
        /// The revision that was loaded.
        revision: u64,
        /// How many events the command adds to it; 0 when it only relies on it.
        events: u64,
    },
    /// The object belongs to this organization: every stored tuple on it that has not expired at the plan's moment is
    /// in its scope, and nobody else is about to claim it.
    Object {
        /// The object.
        object: EntityRef,
        /// The scope.
        org_id: OrgId,
    },
    /// The user has as many memberships as were loaded, and nobody else who relies on their number is under way. A plan with this guard
    /// guards the user too, so that a row, where there is one, is taken by everyone who does.
    Memberships {
        /// Whose.
        usr_id: UserId,
        /// How many there are, ended ones included.
        rows: u64,
        /// How many of these are revoked.
        ended: u64,
    },
}

impl Guard {
    /// Where it stands among the guards of a plan: each kind behind the other, in order of id where there may be several.
    fn place(&self) -> (u8, Option<Uuid>) {
        match self {
            Self::NewOrgs => (0, None),
            Self::NoOrg { id } => (1, Some(id.as_uuid())),
            Self::NewUsers { .. } => (2, None),
            Self::Tree { root, .. } => (3, Some(root.as_uuid())),
            Self::Object { .. } => (4, None),
            Self::Memberships { usr_id, .. } => (5, Some(usr_id.as_uuid())),
            Self::System { .. } => (6, None),
            Self::User { id, .. } => (7, Some(id.as_uuid())),
            Self::Org { id, .. } => (8, Some(id.as_uuid())),
        }
    }
}

/// One step of a plan.
#[derive(Debug, Clone, PartialEq)]
pub enum Change {
    /// A new user.
    InsertUser(User),
    /// A user's status, with the one it has now.
    SetUserStatus {
        /// Whose.
        id: UserId,
        /// The status that the row has.
        from: UserStatus,
        /// The status that it gets.
        to: UserStatus,
    },
    /// A new organization; its slug is claimed separately.
    InsertOrg(Organization),
    /// An organization's fields, all of them as they shall be.
    UpdateOrg {
        /// Which.
        id: OrgId,
        /// The status that the row has.
        status: OrgStatus,
        /// The new name.
        name: Option<Name>,
        /// The new slug; released and claimed separately.
        slug: Option<Slug>,
        /// Whether grants pass down from here.
        cascade_permissions: bool,
        /// Whether grants are taken over here.
        inherit_permissions: bool,
        /// The new limit.
        seat_limit: Option<u32>,
        /// The new id elsewhere.
        external_id: Option<ExternalId>,
        /// The new metadata.
        metadata: Metadata,
    },
    /// An organization's status, with the one it has now.
    SetOrgStatus {
        /// Which.
        id: OrgId,
        /// The status that the row has.
        from: OrgStatus,
        /// The status that it gets.
        to: OrgStatus,
    },
    /// The slug now belongs to this organization.
    ClaimSlug {
        /// The slug.
        slug: Slug,
        /// Its holder.
        org_id: OrgId,
    },
    /// The slug is free again.
    ReleaseSlug {
        /// The slug.
        slug: Slug,
        /// Its holder until now.
        org_id: OrgId,
    },
    /// A new membership.
    InsertMembership(Membership),
    /// A membership's status, with the one it has now.
    SetMembershipStatus {
        /// Where.
        org_id: OrgId,
        /// Which.
        id: MembershipId,
        /// The stored status that the row has.
        from: MembershipStatus,
        /// The stored status that it gets.
        to: MembershipStatus,
        /// Who removed the member, if one did.
        removed_by: Option<UserId>,
    },
    /// A membership's fields, with the end that it has now.
    UpdateMembership {
        /// Where.
        org_id: OrgId,
        /// Which.
        id: MembershipId,
        /// The end that the row has.
        from: Option<Timestamp>,
        /// The end that it gets.
        expires_at: Option<Timestamp>,
        /// The metadata that it gets.
        metadata: Metadata,
    },
    /// Every membership of the organization that is not revoked becomes revoked, removed by nobody.
    EndMemberships {
        /// Where.
        org_id: OrgId,
        /// How many there are.
        count: u64,
    },
    /// A new invitation.
    InsertInvitation(Invitation),
    /// An invitation comes to an end.
    EndInvitation {
        /// Where.
        org_id: OrgId,
        /// Which; it is stored as pending.
        id: InvitationId,
        /// The status that it gets.
        to: InvitationStatus,
        /// When it ended.
        terminal_at: Timestamp,
        /// Who ended it.
        terminal_by: Option<UserId>,
        /// Who accepted it.
        invited_user_id: Option<UserId>,
    },
    /// An invitation is pending, until another moment.
    ExtendInvitation {
        /// Where.
        org_id: OrgId,
        /// Which.
        id: InvitationId,
        /// The stored status that the row has.
        from: InvitationStatus,
        /// The end that it gets.
        expires_at: Timestamp,
    },
    /// Every invitation of the organization that is pending at the plan's moment becomes revoked.
    RevokeInvitations {
        /// Where.
        org_id: OrgId,
        /// How many there are.
        count: u64,
        /// Who revokes them.
        terminal_by: Option<UserId>,
    },
    /// A new tuple.
    InsertTuple(Tuple),
    /// A stored tuple goes.
    DeleteTuple {
        /// Which.
        id: TupleId,
    },
    /// The tuples of a user in an organization's scope go.
    DeleteTuplesOfMember {
        /// The scope.
        org_id: OrgId,
        /// The user.
        usr_id: UserId,
        /// How many there are.
        count: u64,
    },
    /// The tuples on an organization, or in its scope, go.
    DeleteTuplesOfOrg {
        /// Which organization.
        org_id: OrgId,
        /// How many there are.
        count: u64,
    },
    /// Entries of the catalog, new or in place of those with their slugs, whose `created_at` stays.
    PutPermissions(Vec<Permission>),
    /// A new role, without what it grants.
    InsertRole(RoleDefinition),
    /// A role's fields, all of them as they shall be.
    UpdateRole {
        /// Which.
        id: RoleId,
        /// The new name.
        name: Name,
        /// The new description.
        description: Option<Description>,
        /// Whether it reaches the organizations below.
        inherits_to_descendants: bool,
    },
    /// A role goes, and what it grants; and from groups where it has expired.
    DeleteRole {
        /// Which.
        id: RoleId,
        /// How many permissions it grants, expired ones included.
        grants: u64,
        /// In how many groups it has expired.
        lapsed: u64,
    },
    /// Who holds a role holds another one instead: memberships that are not revoked, invitations that are pending at the plan's moment,
    /// groups where it has not expired. A group that has the other one already just loses the first.
    ReplaceRole {
        /// The role that was held.
        from: RoleId,
        /// The role that is.
        to: Role,
        /// How many memberships, invitations and groups.
        usage: RoleUsage,
    },
    /// Permissions given or taken away, new or in place of the one with the same holder and permission.
    PutGrants(Vec<PermissionGrant>),
    /// Some of what hangs on a holder goes.
    DropGrants {
        /// On what it hangs.
        holder: Holder,
        /// Which permissions.
        permissions: Vec<PermissionSlug>,
    },
    /// What hangs on a membership hangs on another one too, which has nothing yet.
    CopyGrants {
        /// The one that has it.
        from: MembershipId,
        /// The one that gets it.
        to: MembershipId,
        /// How much there is.
        count: u64,
    },
    /// A new group.
    InsertGroup(Group),
    /// A group's name.
    UpdateGroup {
        /// Which.
        id: GroupId,
        /// The new name.
        name: Name,
    },
    /// A group goes, with its members and roles.
    DeleteGroup {
        /// Which.
        id: GroupId,
        /// How many members it has, expired ones included.
        members: u64,
        /// How many roles it has, expired ones included.
        roles: u64,
    },
    /// A user in a group, new or in place of the row that is there.
    PutGroupMember(GroupMember),
    /// A user leaves a group.
    DropGroupMember {
        /// The group's organization.
        org_id: OrgId,
        /// Which group.
        group_id: GroupId,
        /// Who.
        usr_id: UserId,
    },
    /// A user leaves all groups of an organization.
    DropGroupMembersOfUser {
        /// Whose groups.
        org_id: OrgId,
        /// Who.
        usr_id: UserId,
        /// How many there are.
        count: u64,
    },
    /// All users leave all groups of an organization.
    DropGroupMembersOfOrg {
        /// Whose groups.
        org_id: OrgId,
        /// How many rows there are.
        count: u64,
    },
    /// A role of a group, new or in place of the row that is there.
    PutGroupRole(GroupRole),
    /// A group loses a role.
    DropGroupRole {
        /// Which group.
        group_id: GroupId,
        /// Which role.
        role_id: RoleId,
    },
    /// An organization gets another place, and with it all below it.
    MoveOrg {
        /// Which.
        id: OrgId,
        /// The one above it until now.
        from: Option<OrgId>,
        /// The one above it from now on.
        to: Option<OrgId>,
        /// How many organizations are above it until now: so many ids go from the front of each of the rows.
        depth: usize,
        /// Those above it from now on, root first.
        ancestors: Vec<OrgId>,
        /// How many organizations move, itself included.
        count: u64,
    },
}

/// Who holds a role.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RoleUsage {
    /// Memberships that are not revoked.
    pub memberships: u64,
    /// Invitations that are pending.
    pub invitations: u64,
    /// Groups where it has not expired.
    pub groups: u64,
}

impl RoleUsage {
    /// Whether nobody holds it.
    pub fn is_none(self) -> bool {
        self == Self::default()
    }
}

/// A unique constraint: the net under the rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UniqueKey {
    /// A slug has one holder.
    OrgSlug,
    /// A user has one membership of an organization that is not revoked.
    CurrentMembership,
    /// An organization has one pending invitation for an identifier.
    PendingInvitation,
    /// A tuple is stored once in each scope.
    Tuple,
    /// An organization, or the system, has one role of a slug.
    RoleSlug,
    /// An organization has one group of a slug.
    GroupSlug,
    /// A row with that id is there.
    Id,
}

impl From<Refusal> for BackendError {
    /// What a refusal means where deciding again is no remedy: under the lock that the plan was decided under.
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Inconsistent { table, id } => Self::inconsistent(table, id),
            Refusal::Unique(UniqueKey::Id) => {
                Self::new(BackendKind::Other, "a row with the id drawn for a new one is there already: the source of ids repeats itself")
            }
            Refusal::Conflict
            | Refusal::Unique(
                UniqueKey::OrgSlug
                | UniqueKey::CurrentMembership
                | UniqueKey::PendingInvitation
                | UniqueKey::Tuple
                | UniqueKey::RoleSlug
                | UniqueKey::GroupSlug,
            ) => Self::new(BackendKind::Other, "what was decided does not fit the rows that it was decided over"),
        }
    }
}

/// Why a plan was not applied. Nothing of it was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// A guard did not hold: decide again.
    Conflict,
    /// A unique constraint: decide again, and this time the load will show why.
    Unique(UniqueKey),
    /// A row is not as the load showed it, under guards that held.
    Inconsistent {
        /// The table.
        table: String,
        /// The row.
        id: String,
    },
}
