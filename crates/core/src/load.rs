//! What a command needs to see, and what a store shows it.

use crate::entity::{Membership, Organization, User};
use crate::id::{MembershipId, OrgId, UserId};
use crate::value::Slug;

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
    /// An organization and what would end with it: fills [`Snapshot::org`], [`Snapshot::has_children`] and [`Snapshot::current`].
    OrgEnd {
        /// Which.
        org: OrgId,
        /// How many ids of memberships to show at most.
        ids: u32,
    },
    /// A user's way into an organization: fills [`Snapshot::org`], [`Snapshot::user`] and [`Snapshot::membership`] with the
    /// user's row there that is not revoked.
    Join {
        /// Where.
        org: OrgId,
        /// Who.
        usr: UserId,
    },
    /// A membership: fills [`Snapshot::membership`], [`Snapshot::org`], [`Snapshot::user`] with the member,
    /// [`Snapshot::other_owner`], and where a peer is named [`Snapshot::peer`], [`Snapshot::peer_user`] and [`Snapshot::org_live`].
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
    /// Rows by id: fills [`Snapshot::found`].
    Ids(Box<ImportIds>),
}

impl LoadSpec {
    /// The organization that the command will guard, where that is known before anything is loaded.
    pub fn org_hint(&self) -> Option<OrgId> {
        match self {
            Self::NewOrg { parent, .. } => *parent,
            Self::Org { org, .. } | Self::OrgEnd { org, .. } | Self::Join { org, .. } | Self::Pair { org, .. } => Some(*org),
            Self::Nothing | Self::User { .. } | Self::Owner { .. } | Self::Member { .. } | Self::Ids(_) => None,
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
    /// Rows found by id.
    pub found: Box<Found>,
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
        self.slugs.sort();
        self.slugs.dedup();
        self.members.sort();
        self.members.dedup();
    }
}
