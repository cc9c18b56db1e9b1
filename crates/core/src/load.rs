//! What a command needs to see, and what a store shows it.

use crate::entity::{Invitation, Membership, Organization, User};
use crate::id::{InvitationId, MembershipId, OrgId, TupleId, UserId};
use crate::time::Timestamp;
use crate::tuple::{Grant, Tuple, TupleKey};
use crate::value::{Identifier, Slug};

/// What an attempt at a command wants to see.
#[derive(Debug, Clone, Copy)]
pub struct Load<'j> {
    /// Which rows.
    pub spec: &'j LoadSpec,
    /// A guarded caller, whose standing in the organization concerned is wanted too: fills [`Snapshot::standing`].
    pub actor: Option<UserId>,
    /// The moment of the attempt, by which some rows are counted.
    pub at: Timestamp,
}

/// What to load for a command: a closed set. What each variant fills is defined by [`crate::State::load`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LoadSpec {
    /// Nothing: the command adds rows that rely on none.
    Nothing,
    /// A user: fills [`Snapshot::user`].
    User {
        /// Whose row.
        usr: UserId,
    },
    /// A user and what they own: fills [`Snapshot::user`] and [`Snapshot::owned`].
    Owner {
        /// Whose.
        usr: UserId,
    },
    /// What a new organization relies on: fills [`Snapshot::user`] with its creator, [`Snapshot::org`] with its parent,
    /// and [`Snapshot::slug_holder`].
    NewOrg {
        /// The creator.
        creator: UserId,
        /// The organization above it.
        parent: Option<OrgId>,
        /// The slug it asks for.
        slug: Option<Slug>,
    },
    /// An organization: fills [`Snapshot::org`] and [`Snapshot::slug_holder`].
    Org {
        /// Which.
        org: OrgId,
        /// A slug that it asks for.
        slug: Option<Slug>,
    },
    /// An organization and what would end with it: fills [`Snapshot::org`], [`Snapshot::has_children`], [`Snapshot::current`],
    /// [`Snapshot::pending_count`] and [`Snapshot::org_tuples`].
    OrgEnd {
        /// Which.
        org: OrgId,
        /// How many ids of memberships to show at most.
        ids: u32,
    },
    /// A user's way into an organization: fills [`Snapshot::org`], [`Snapshot::user`] and [`Snapshot::membership`] with the
    /// user's row there that is not revoked; and [`Snapshot::seats`] and [`Snapshot::member_tuples`].
    Join {
        /// Where.
        org: OrgId,
        /// Who.
        usr: UserId,
    },
    /// A membership: fills [`Snapshot::membership`], [`Snapshot::org`], [`Snapshot::user`] with the member,
    /// [`Snapshot::other_owner`], [`Snapshot::member_tuples`], and where a peer is named [`Snapshot::peer`], [`Snapshot::peer_user`] and [`Snapshot::org_live`].
    Member {
        /// Which.
        mem: MembershipId,
        /// Another user, whose row of the same organization that is not revoked is wanted.
        peer: Option<UserId>,
    },
    /// Two memberships: fills [`Snapshot::org`], [`Snapshot::membership`], [`Snapshot::peer`] and [`Snapshot::peer_user`].
    Pair {
        /// The organization that the command names; the memberships may be of others.
        org: OrgId,
        /// Fills [`Snapshot::membership`].
        from: MembershipId,
        /// Fills [`Snapshot::peer`], with its user.
        to: MembershipId,
    },
    /// What inviting relies on: fills [`Snapshot::org`], [`Snapshot::pending`] with the invitations for these identifiers, and
    /// for a guarded caller [`Snapshot::grants`].
    Invite {
        /// Where to.
        org: OrgId,
        /// Whom.
        identifiers: Vec<Identifier>,
        /// What is promised.
        grants: Vec<Grant>,
    },
    /// An invitation: fills [`Snapshot::invitation`], [`Snapshot::org`], and [`Snapshot::pending`] with the organization's pending
    /// invitation for the same identifier, itself included; and for a guarded caller [`Snapshot::grants`] with what it promises.
    Invitation {
        /// Which.
        inv: InvitationId,
    },
    /// What accepting relies on: fills [`Snapshot::invitation`], [`Snapshot::org`] and [`Snapshot::seats`], of a judged invitation
    /// [`Snapshot::grants`] with what it promises, as it is with the inviter, and where a user is
    /// named [`Snapshot::user`], [`Snapshot::membership`] with the row there that is not revoked, [`Snapshot::member_tuples`] and
    /// [`Snapshot::held`].
    Accept {
        /// Which.
        inv: InvitationId,
        /// For whom.
        usr: Option<UserId>,
    },
    /// What a new tuple relies on: fills [`Snapshot::tuple`] with the one in its place, [`Snapshot::org`] with its scope,
    /// [`Snapshot::object_org`] where the object is an organization, [`Snapshot::membership`] with the row of a subject who is a
    /// user in the scope that is not revoked, and for a guarded caller [`Snapshot::grants`].
    NewTuple {
        /// What it says.
        key: TupleKey,
        /// Its scope.
        org: Option<OrgId>,
    },
    /// A tuple: fills [`Snapshot::tuple`], [`Snapshot::org`] with its scope, [`Snapshot::object_org`], and for a guarded caller
    /// [`Snapshot::grants`]. Where none is stored under the id: [`Snapshot::membership`] with the same UUID, and its
    /// [`Snapshot::user`], [`Snapshot::org`] and [`Snapshot::org_live`].
    Tuple {
        /// Which.
        id: TupleId,
    },
    /// What a sweep would clear away, as of the moment of the attempt: fills [`Snapshot::pending`] with pending invitations whose
    /// end has come, then [`Snapshot::expired_tuples`], lowest ids first, and [`Snapshot::found`] with the organizations of both,
    /// those that are an object included.
    Expired {
        /// How many rows at most, together.
        limit: u32,
    },
    /// Rows by id: fills [`Snapshot::found`].
    Ids(Box<ImportIds>),
}

impl LoadSpec {
    /// The organization that the command will guard, where that is known before anything is loaded.
    pub fn org_hint(&self) -> Option<OrgId> {
        match self {
            Self::NewOrg { parent, .. } => *parent,
            Self::Org { org, .. }
            | Self::OrgEnd { org, .. }
            | Self::Join { org, .. }
            | Self::Pair { org, .. }
            | Self::Invite { org, .. }
            | Self::NewTuple { org: Some(org), .. } => Some(*org),
            Self::NewTuple { key, org: None } => key.object.as_org(),
            Self::Nothing
            | Self::User { .. }
            | Self::Owner { .. }
            | Self::Member { .. }
            | Self::Invitation { .. }
            | Self::Accept { .. }
            | Self::Tuple { .. }
            | Self::Expired { .. }
            | Self::Ids(_) => None,
        }
    }
}

/// The keys of an import's rows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ImportIds {
    /// Users by id.
    pub users: Vec<UserId>,
    /// Organizations by id.
    pub orgs: Vec<OrgId>,
    /// Memberships by id.
    pub memberships: Vec<MembershipId>,
    /// Invitations by id.
    pub invitations: Vec<InvitationId>,
    /// Tuples by id.
    pub tuples: Vec<TupleId>,
    /// Tuples by what they say, with their scope.
    pub keys: Vec<(TupleKey, Option<OrgId>)>,
    /// Holders of slugs.
    pub slugs: Vec<Slug>,
}

/// What a store found, as of one moment.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Snapshot {
    /// The user.
    pub user: Option<User>,
    /// The organization.
    pub org: Option<Organization>,
    /// Whether the organization and all above it are active.
    pub org_live: bool,
    /// Who holds the slug that was asked for.
    pub slug_holder: Option<OrgId>,
    /// Whether the organization has children that are not revoked.
    pub has_children: bool,
    /// The organization's memberships that are not revoked: how many, and the first ids.
    pub current: (u64, Vec<MembershipId>),
    /// The membership.
    pub membership: Option<Membership>,
    /// The other membership.
    pub peer: Option<Membership>,
    /// The other membership's user.
    pub peer_user: Option<User>,
    /// Another acting owner than the membership's user: the one with the lowest membership id.
    pub other_owner: Option<OtherOwner>,
    /// The organizations in which the user has an active owner's membership, in order of id.
    pub owned: Vec<Owned>,
    /// The guarded caller's standing in the organization that the rows belong to, where that is named or found; for a tuple, the
    /// caller's row alone where there is none.
    pub standing: Option<Standing>,
    /// How many seats are taken, where the organization has a limit: memberships that are active or suspended at the moment of
    /// the attempt.
    pub seats: Option<u64>,
    /// How many stored tuples the membership's user has in the organization's scope.
    pub member_tuples: u64,
    /// How many invitations of the organization are pending at the moment of the attempt.
    pub pending_count: u64,
    /// How many stored tuples are on the organization, or in its scope.
    pub org_tuples: u64,
    /// The invitation, as stored.
    pub invitation: Option<Invitation>,
    /// Invitations that are stored as pending, in order of id.
    pub pending: Vec<Invitation>,
    /// Which of the invitation's promises the user holds already through a stored tuple without a scope that has not expired at
    /// the moment of the attempt: their places, from 0, ascending.
    pub held: Vec<u32>,
    /// For each relation and object asked for, in order: what a guarded caller has to do with it.
    pub grants: Vec<Standpoint>,
    /// The stored tuple.
    pub tuple: Option<Tuple>,
    /// The organization that is the tuple's object.
    pub object_org: Option<Organization>,
    /// Stored tuples whose end has come, in order of id.
    pub expired_tuples: Vec<Tuple>,
    /// Rows found by id.
    pub found: Box<Found>,
}

/// A guarded caller's place in an organization.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Standing {
    /// The caller's row.
    pub user: Option<User>,
    /// The caller's membership there that is not revoked.
    pub membership: Option<Membership>,
    /// Whether the organization and all above it are active.
    pub org_live: bool,
}

/// How long something is held.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Hold {
    /// Not at all.
    #[default]
    Not,
    /// Up to a moment.
    Until(Timestamp),
    /// Without an end.
    Lasting,
}

impl Hold {
    /// Up to this end.
    pub fn until(end: Option<Timestamp>) -> Self {
        end.map_or(Self::Lasting, Self::Until)
    }
}

/// What a guarded caller, or the inviter, has to do with a relation on an object, judged by stored tuples that have not expired at the moment of the attempt.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Standpoint {
    /// How long the caller holds the relation without a scope.
    pub open: Hold,
    /// How long the caller holds it in the scope concerned.
    pub scoped: Hold,
    /// Whether the object has a stored tuple that is not in the scope concerned.
    pub elsewhere: bool,
}

/// An acting owner on whom a decision may rely.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OtherOwner {
    /// Who.
    pub usr_id: UserId,
    /// The revision of their row, if there is one.
    pub revision: Option<u64>,
}

/// An organization that a user owns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owned {
    /// Which.
    pub org_id: OrgId,
    /// Its revision.
    pub revision: u64,
    /// Another acting owner, if there is one: the one with the lowest membership id.
    pub other: Option<OtherOwner>,
}

/// Rows found by id, each kind in order of id.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Found {
    /// Users.
    pub users: Vec<User>,
    /// Organizations.
    pub orgs: Vec<Organization>,
    /// Memberships.
    pub memberships: Vec<Membership>,
    /// Invitations.
    pub invitations: Vec<Invitation>,
    /// Tuples, by id or by what they say, expired ones included.
    pub tuples: Vec<Tuple>,
    /// The organizations asked for that are the object of a stored tuple whose relation is a role's slug, and that has not expired
    /// at the moment of the attempt.
    pub role_bound: Vec<OrgId>,
    /// Slugs that are taken, with their holders.
    pub slugs: Vec<(Slug, OrgId)>,
    /// The users asked for that hold a membership, with or without a row.
    pub members: Vec<UserId>,
}

impl Found {
    /// Each kind in order of id, without repetitions.
    pub fn normalize(&mut self) {
        self.users.sort_by_key(|user| user.id);
        self.users.dedup_by_key(|user| user.id);
        self.orgs.sort_by_key(|org| org.id);
        self.orgs.dedup_by_key(|org| org.id);
        self.memberships.sort_by_key(|mem| mem.id);
        self.memberships.dedup_by_key(|mem| mem.id);
        self.invitations.sort_by_key(|inv| inv.id);
        self.invitations.dedup_by_key(|inv| inv.id);
        self.tuples.sort_by_key(|tuple| tuple.id);
        self.tuples.dedup_by_key(|tuple| tuple.id);
        self.role_bound.sort();
        self.role_bound.dedup();
        self.slugs.sort();
        self.slugs.dedup();
        self.members.sort();
        self.members.dedup();
    }
}
