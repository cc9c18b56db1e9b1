//! What reads ask of a store. Filters come as plain predicates on stored columns: the rules behind them (what counts as
//! expired, how text folds) have been applied here.

use crate::access::{Group, GroupMember, GroupRole, Holder, Permission, PermissionGrant};
use crate::entity::{InvitationStatus, MembershipStatus, OrgStatus};
use crate::id::{EventId, GroupId, InvitationId, MembershipId, OrgId, RoleId, TupleId, UserId};
use crate::role::RoleDefinition;
use crate::time::Timestamp;
use crate::tuple::{EntityRef, TupleKey};
use crate::value::{Identifier, PermissionSlug, Relation, Slug};

/// A read of organizations, answered in ascending order of id unless said otherwise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OrgQuery {
    /// Those with these ids.
    Ids(Vec<OrgId>),
    /// The holder of a slug.
    Slug(Slug),
    /// The organization and all above it, root first.
    Path(OrgId),
    /// Those right below one; no answer when that one does not exist.
    Children {
        /// The organization above.
        parent: OrgId,
        /// Which part.
        window: Window<OrgId>,
    },
    /// Those anywhere below one; no answer when that one does not exist.
    Descendants {
        /// The organization above.
        org: OrgId,
        /// Only those at most so many levels below it.
        levels: Option<u8>,
        /// Which part.
        window: Window<OrgId>,
    },
    /// All.
    All {
        /// Only with this status.
        status: Option<OrgStatus>,
        /// Only where the folded name or the slug contains this folded text.
        contains: Option<String>,
        /// Which part.
        window: Window<OrgId>,
    },
}

/// A read of memberships, answered in ascending order of id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MembershipQuery {
    /// Those with these ids.
    Ids(Vec<MembershipId>),
    /// The user's row in the organization that is not revoked.
    Current {
        /// Where.
        org: OrgId,
        /// Who.
        usr: UserId,
    },
    /// Every row of the same user in the same organization.
    Siblings(MembershipId),
    /// Those of an organization; no answer when it does not exist.
    OfOrg {
        /// Where.
        org: OrgId,
        /// Only these.
        filter: Option<MembershipFilter>,
        /// Which part.
        window: Window<MembershipId>,
    },
    /// Those of a user.
    OfUser {
        /// Who.
        usr: UserId,
        /// Only these.
        filter: Option<MembershipFilter>,
        /// Which part.
        window: Window<MembershipId>,
    },
}

/// A read of events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EventQuery {
    /// Those of an organization behind a revision, in order of revision; no answer when the organization does not exist.
    OfOrg {
        /// Which organization.
        org: OrgId,
        /// The revision behind which to start.
        after: u64,
        /// How many rows at most.
        fetch: u32,
    },
    /// The one with this id, whatever it belongs to.
    Id(EventId),
    /// Those of the whole store, each once, in an order that a late commit never comes into from behind: what is committed later
    /// stands later. The events of one organization stand in the order of their revisions.
    All {
        /// The event behind which to begin.
        after: Option<EventId>,
        /// The most rows.
        fetch: u32,
    },
}

/// Which invitations.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum InvitationQuery {
    /// The one with this id.
    Id(InvitationId),
    /// Those of an organization.
    OfOrg {
        /// Which.
        org: OrgId,
        /// Which of them.
        filter: Option<InvitationFilter>,
        /// Which part.
        window: Window<InvitationId>,
    },
    /// Those for an identifier, of all organizations.
    For {
        /// Which.
        identifier: Identifier,
        /// Which of them.
        filter: Option<InvitationFilter>,
        /// Which part.
        window: Window<InvitationId>,
    },
}

/// Invitations that are stored as pending with such an end, and those that are stored with such a status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InvitationFilter {
    /// Pending ones whose end lies so.
    pub pending: Option<Expiry>,
    /// Ones with this stored status.
    pub stored: Option<InvitationStatus>,
}

impl InvitationFilter {
    /// Those that a reader sees with this status.
    pub(crate) fn seen_as(status: InvitationStatus, now: Timestamp) -> Self {
        match status {
            InvitationStatus::Pending => Self { pending: Some(Expiry::After(now)), stored: None },
            InvitationStatus::Expired => Self { pending: Some(Expiry::NotAfter(now)), stored: Some(status) },
            InvitationStatus::Accepted | InvitationStatus::Declined | InvitationStatus::Revoked => {
                Self { pending: None, stored: Some(status) }
            }
        }
    }
}

/// Which tuples, of those that count at a moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TupleQuery {
    /// The moment.
    pub at: Timestamp,
    /// Which.
    pub which: WhichTuples,
}

/// Which tuples.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WhichTuples {
    /// The one with this id: stored, or derived from the membership with the same UUID.
    Id(TupleId),
    /// Those of a subject.
    OfSubject {
        /// Which.
        subject: EntityRef,
        /// Which part.
        window: Window<TupleId>,
    },
    /// Those on an object.
    OfObject {
        /// Which.
        object: EntityRef,
        /// With this relation only.
        relation: Option<Relation>,
        /// Which part.
        window: Window<TupleId>,
    },
}

/// What a check asks a store, of the tuples that count at the inquiry's moment, stored and derived alike.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Question {
    /// Is there a tuple that says this? The one with the lowest id.
    Holds(TupleKey),
    /// Who stands in this relation to the object? Their tuples in order of id, not more than so many.
    Subjects {
        /// The relation.
        relation: Relation,
        /// The object.
        object: EntityRef,
        /// The most tuples to show.
        most: u32,
    },
}

/// What a store answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// To [`Question::Holds`].
    Holds(Option<TupleId>),
    /// To [`Question::Subjects`].
    Subjects(Vec<EntityRef>),
}

/// A read of what concerns access.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AccessQuery {
    /// Entries of the catalog in order of slug: fills [`AccessFound::permissions`].
    Permissions {
        /// The slug behind which to start.
        after: Option<PermissionSlug>,
        /// How many rows at most.
        fetch: u32,
    },
    /// A role with what it grants: fills [`AccessFound::roles`].
    Role(RoleId),
    /// The roles that an organization knows, its own, those of the ones above it and those of the system, or only the latter, with what
    /// they grant: fills [`AccessFound::roles`].
    Roles {
        /// Where; none for those of the system alone.
        org: Option<OrgId>,
        /// Which part.
        window: Window<RoleId>,
    },
    /// A group: fills [`AccessFound::groups`].
    Group(GroupId),
    /// The groups of an organization: fills [`AccessFound::groups`].
    Groups {
        /// Whose.
        org: OrgId,
        /// Which part.
        window: Window<GroupId>,
    },
    /// Who is in a group, in order of user, expired ones included: fills [`AccessFound::members`].
    GroupMembers {
        /// Which group.
        group: GroupId,
        /// Which part.
        window: Window<UserId>,
    },
    /// The roles of a group, in order of role, expired ones included: fills [`AccessFound::group_roles`].
    GroupRoles {
        /// Which group.
        group: GroupId,
        /// Which part.
        window: Window<RoleId>,
    },
    /// What a holder gives and takes away, in order of slug, expired ones included: fills [`AccessFound::grants`].
    Grants {
        /// On what it hangs.
        holder: Holder,
        /// The slug behind which to start.
        after: Option<PermissionSlug>,
        /// How many rows at most.
        fetch: u32,
    },
    /// Who may have a permission in an organization: users with a membership that is not revoked there, in one above it, or in one so
    /// many levels below it at most; in order of id: fills [`AccessFound::users`].
    UsersAbout {
        /// Where.
        org: OrgId,
        /// How many levels below.
        below: u32,
        /// Which part.
        window: Window<UserId>,
    },
    /// Who may have a permission where, if an organization and all below it stood elsewhere: of those organizations, beginning with
    /// the one of `after` or behind it and in order of id, at most so many: fills [`AccessFound::orgs`]; and for each of them the
    /// users of [`AccessQuery::UsersAbout`], and those with a membership that is not revoked in `also` or above that; in order of
    /// organization and user and behind `after`, at most `fetch`: fills [`AccessFound::pairs`].
    PairsWithin {
        /// The organization that moves.
        org: OrgId,
        /// The one above it then.
        also: Option<OrgId>,
        /// How many levels below each.
        below: u32,
        /// Behind which organization and user to start.
        after: Option<(OrgId, UserId)>,
        /// How many organizations at most.
        orgs: u32,
        /// How many pairs at most.
        fetch: u32,
    },
    /// Where a user may have a permission: organizations with a membership of theirs that is not revoked, all below one where the
    /// role of it reaches down, and those so many levels above at most; in order of id: fills [`AccessFound::orgs`].
    OrgsAbout {
        /// Who.
        usr: UserId,
        /// How many levels above.
        above: u32,
        /// Which part.
        window: Window<OrgId>,
    },
}

/// What such a read found.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct AccessFound {
    /// Whether what the query names is there: the organization, the group, the holder.
    pub there: bool,
    /// The organization that it belongs to.
    pub org_id: Option<OrgId>,
    /// Entries of the catalog.
    pub permissions: Vec<Permission>,
    /// Roles, with what they grant at the query's moment.
    pub roles: Vec<RoleDefinition>,
    /// Groups.
    pub groups: Vec<Group>,
    /// Who is in a group.
    pub members: Vec<GroupMember>,
    /// Roles of a group.
    pub group_roles: Vec<GroupRole>,
    /// What a holder gives and takes away.
    pub grants: Vec<PermissionGrant>,
    /// Users.
    pub users: Vec<UserId>,
    /// Organizations.
    pub orgs: Vec<OrgId>,
    /// Users in organizations.
    pub pairs: Vec<(OrgId, UserId)>,
}

/// A part of a list: behind one id, at most so many rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window<I> {
    /// The id behind which to start.
    pub after: Option<I>,
    /// How many rows at most.
    pub fetch: u32,
}

/// A status as stored, and how `expires_at` must lie to a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MembershipFilter {
    /// The stored status.
    pub stored: MembershipStatus,
    /// How `expires_at` must lie, if that matters.
    pub expiry: Option<Expiry>,
}

/// How `expires_at` must lie to a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expiry {
    /// Null, or behind the moment.
    After(Timestamp),
    /// At the moment or before it.
    NotAfter(Timestamp),
}

impl MembershipFilter {
    /// The predicate that finds what a reader sees with this status at a moment.
    pub(crate) fn seen_as(status: MembershipStatus, now: Timestamp) -> Self {
        match status {
            MembershipStatus::Active => Self { stored: MembershipStatus::Active, expiry: Some(Expiry::After(now)) },
            MembershipStatus::Expired => Self { stored: MembershipStatus::Active, expiry: Some(Expiry::NotAfter(now)) },
            MembershipStatus::Suspended | MembershipStatus::Revoked => Self { stored: status, expiry: None },
        }
    }
}
