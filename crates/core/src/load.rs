//! What a command needs to see, and what a store shows it.

use crate::access::{Group, GroupMember, GroupRole, Holder, Permission, PermissionGrant};
use crate::change::RoleUsage;
use crate::entity::{Invitation, Membership, Organization, User};
use crate::id::{GroupId, InvitationId, MembershipId, OrgId, RoleId, TupleId, UserId};
use crate::permissions::Facts;
use crate::role::{Role, RoleDefinition};
use crate::time::Timestamp;
use crate::tuple::{Grant, Tuple, TupleKey};
use crate::value::{Identifier, PermissionSlug, RoleSlug, Slug};

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
    /// [`Snapshot::structure`], and [`Snapshot::slug_holder`].
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
    /// [`Snapshot::pending_count`], [`Snapshot::org_tuples`] and [`Snapshot::member_groups`]; and where an owner is named
    /// [`Snapshot::user`], [`Snapshot::membership`] with their row there that is not revoked, and [`Snapshot::tenancy`].
    OrgEnd {
        /// Which.
        org: OrgId,
        /// How many ids of memberships to show at most.
        ids: u32,
        /// Who ends it as one of their own.
        owner: Option<UserId>,
    },
    /// What a new tenant of a user relies on: fills [`Snapshot::user`], [`Snapshot::tenancy`] and [`Snapshot::taken`].
    Tenants {
        /// Whose.
        usr: UserId,
        /// The slugs that it may get.
        slugs: Vec<Slug>,
    },
    /// A user's way into an organization: fills [`Snapshot::org`], [`Snapshot::user`] and [`Snapshot::membership`] with the
    /// user's row there that is not revoked; and [`Snapshot::seats`], [`Snapshot::member_tuples`] and [`Snapshot::member_groups`].
    Join {
        /// Where.
        org: OrgId,
        /// Who.
        usr: UserId,
        /// The slug of a role that is not a built-in one.
        role: Option<RoleSlug>,
    },
    /// A membership: fills [`Snapshot::membership`], [`Snapshot::org`], [`Snapshot::user`] with the member,
    /// [`Snapshot::other_owner`], [`Snapshot::member_tuples`], [`Snapshot::member_groups`], [`Snapshot::overrides`], and where a peer is named [`Snapshot::peer`], [`Snapshot::peer_user`] and [`Snapshot::org_live`].
    Member {
        /// Which.
        mem: MembershipId,
        /// Another user, whose row of the same organization that is not revoked is wanted.
        peer: Option<UserId>,
        /// The slug of a role that is not a built-in one.
        role: Option<RoleSlug>,
    },
    /// Two memberships: fills [`Snapshot::org`], [`Snapshot::membership`], [`Snapshot::peer`] and [`Snapshot::peer_user`],
    /// [`Snapshot::overrides`] and [`Snapshot::peer_overrides`].
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
        /// The slugs of roles that are not built-in ones.
        roles: Vec<RoleSlug>,
    },
    /// An invitation: fills [`Snapshot::invitation`], [`Snapshot::org`], and [`Snapshot::pending`] with the organization's pending
    /// invitation for the same identifier, itself included; and for a guarded caller [`Snapshot::grants`] with what it promises.
    Invitation {
        /// Which.
        inv: InvitationId,
    },
    /// What accepting relies on: fills [`Snapshot::invitation`], [`Snapshot::org`] and [`Snapshot::seats`], of a judged invitation
    /// [`Snapshot::grants`] with what it promises, as it is with the inviter, and where a user is
    /// named [`Snapshot::user`], [`Snapshot::membership`] with the row there that is not revoked, [`Snapshot::member_tuples`],
    /// [`Snapshot::member_groups`] and [`Snapshot::held`].
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
    /// Rows by id: fills [`Snapshot::found`] and [`Snapshot::system_revision`].
    Ids(Box<ImportIds>),
    /// Entries of the catalog: fills [`Snapshot::permissions`] and [`Snapshot::system_revision`].
    Catalog {
        /// Which.
        slugs: Vec<PermissionSlug>,
    },
    /// Roles of the system: fills [`Snapshot::line`] with those of these slugs, and no organization; and [`Snapshot::system_revision`].
    SystemRoles {
        /// Which.
        slugs: Vec<RoleSlug>,
        /// Whether [`Snapshot::permissions`] is wanted with the whole catalog, and [`Access::grants`] with what these roles grant,
        /// expired rows included, in order of role and slug.
        with_grants: bool,
    },
    /// What moving an organization relies on: fills [`Snapshot::org`] and [`Snapshot::moving`].
    Move {
        /// Which.
        org: OrgId,
        /// The one above it from now on.
        parent: Option<OrgId>,
    },
    /// Everything about access that is named: fills [`Snapshot::access`], and what [`Wants`] says beside it.
    Access(Box<Wants>),
}

/// What a command about roles, groups or overrides wants to see. Each part may be left out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wants {
    /// The organization that the command names; without one, that of the role, the group or the membership: fills [`Snapshot::org`] and
    /// [`Snapshot::structure`].
    pub org: Option<OrgId>,
    /// A role: fills [`Access::role`], [`Access::usage`], [`Access::lapsed`] and
    /// [`Access::role_grants`].
    pub role: Option<RoleId>,
    /// Another role: fills [`Access::other_role`].
    pub other_role: Option<RoleId>,
    /// The slug that a new role asks for, in the organization or the system: fills [`Access::slug_taken`] and
    /// [`Access::stored_relation`].
    pub new_role: Option<RoleSlug>,
    /// A group: fills [`Access::group`], [`Access::group_size`].
    pub group: Option<GroupId>,
    /// The slug that a new group asks for: fills [`Access::slug_taken`].
    pub new_group: Option<Slug>,
    /// A membership: fills [`Snapshot::membership`].
    pub membership: Option<MembershipId>,
    /// A user: fills [`Snapshot::peer`] with their row in the organization that is not revoked, and [`Access::group_member`].
    pub user: Option<UserId>,
    /// Permissions: fills [`Snapshot::permissions`] with their entries, and [`Access::grants`] with what hangs of them on the role, else
    /// the membership, else the organization.
    pub permissions: Vec<PermissionSlug>,
}

/// What was found of it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Access {
    /// The role, without what it grants.
    pub role: Option<RoleDefinition>,
    /// How many permissions the role grants, expired ones included.
    pub role_grants: u64,
    /// Who holds the role at the moment of the attempt.
    pub usage: RoleUsage,
    /// In how many groups the role has expired.
    pub lapsed: u64,
    /// The other role, without what it grants.
    pub other_role: Option<RoleDefinition>,
    /// Whether the slug is taken.
    pub slug_taken: bool,
    /// Whether a stored tuple has the slug as its relation to the organization or one below it, or to any for a role of the system, that
    /// has not expired at the moment of the attempt.
    pub stored_relation: bool,
    /// The group.
    pub group: Option<Group>,
    /// How many members and roles the group has, expired ones included.
    pub group_size: (u64, u64),
    /// The user's row in the group.
    pub group_member: Option<GroupMember>,
    /// The group's row of the role.
    pub group_role: Option<GroupRole>,
    /// What hangs on the holder, of the permissions that were named, in order of slug.
    pub grants: Vec<PermissionGrant>,
}

/// An organization with all above it, as roles are looked up along it, root first, and what belongs to no organization.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Line {
    /// Each organization with its revision and the revision of its structure, the root first.
    pub orgs: Vec<(OrgId, u64, u64)>,
    /// The revision of what belongs to no organization.
    pub system_revision: u64,
    /// The roles with the slugs that were asked for, of these organizations and of the system, without what they grant.
    pub roles: Vec<RoleDefinition>,
}

impl LoadSpec {
    /// The organization whose line is wanted too, now that the rest was loaded, and the slugs to look up along it: fills
    /// [`Snapshot::line`]. Stores load it behind the rest; its revisions are guarded like all others.
    pub fn line(&self, seen: &Snapshot) -> Option<(OrgId, Vec<RoleSlug>)> {
        let org = seen.org.as_ref().map(|org| org.id);
        let of = |role: Role| role.custom().map(|role| vec![role.slug]);
        match self {
            Self::Join { role, .. } | Self::Member { role, .. } => Some((org?, vec![(*role)?])),
            Self::Invite { roles, .. } if !roles.is_empty() => Some((org?, roles.clone())),
            Self::Invitation { .. } | Self::Accept { .. } => Some((org?, of(seen.invitation.as_ref()?.role)?)),
            Self::NewTuple { key, .. } => {
                let slug = RoleSlug::parse(key.relation.as_str()).filter(|slug| Role::from_slug(slug.as_str()).is_none())?;
                Some((seen.object_org.as_ref()?.id, vec![slug]))
            }
            Self::Access(wants) => {
                // A role that is neither the organization's own nor one of the system may be one of an organization above.
                let given = if wants.group.is_some() { &seen.access.role } else { &seen.access.other_role };
                given.as_ref().and_then(|role| role.org_id).filter(|home| Some(*home) != org).and(org).map(|org| (org, Vec::new()))
            }
            _ => None,
        }
    }
}

impl LoadSpec {
    /// The organization that the command will guard, where that is known before anything is loaded.
    pub fn org_hint(&self) -> Option<OrgId> {
        match self {
            Self::NewOrg { parent, .. } => *parent,
            Self::Org { org, .. }
            | Self::Move { org, .. }
            | Self::OrgEnd { org, .. }
            | Self::Join { org, .. }
            | Self::Pair { org, .. }
            | Self::Invite { org, .. }
            | Self::NewTuple { org: Some(org), .. } => Some(*org),
            Self::NewTuple { key, org: None } => key.object.as_org(),
            Self::Access(wants) => wants.org,
            Self::Catalog { .. }
            | Self::SystemRoles { .. }
            | Self::Nothing
            | Self::User { .. }
            | Self::Owner { .. }
            | Self::Tenants { .. }
            | Self::Member { .. }
            | Self::Invitation { .. }
            | Self::Accept { .. }
            | Self::Tuple { .. }
            | Self::Expired { .. }
            | Self::Ids(_) => None,
        }
    }
}

/// The keys of an import's rows, and of what they lean on.
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
    /// Entries of the catalog.
    pub permissions: Vec<PermissionSlug>,
    /// Roles by id.
    pub roles: Vec<RoleId>,
    /// Roles by slug: those of the system, of the organizations asked for and of those above them.
    pub role_slugs: Vec<RoleSlug>,
    /// Slugs that are about to become those of roles of the system.
    pub system_slugs: Vec<RoleSlug>,
    /// What hangs on holders.
    pub grants: Vec<(Holder, PermissionSlug)>,
    /// Groups by id, with all their roles.
    pub groups: Vec<GroupId>,
    /// Users in groups.
    pub group_members: Vec<(GroupId, UserId)>,
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
    /// Where the user belongs.
    pub tenancy: Option<Box<Tenancy>>,
    /// Which of the slugs that were asked for belong to an organization, in order.
    pub taken: Vec<Slug>,
    /// The guarded caller's standing in the organization that the rows belong to, where that is named or found; for a tuple, the
    /// caller's row alone where there is none.
    pub standing: Option<Standing>,
    /// How many seats are taken, where the organization has a limit: memberships that are active or suspended at the moment of
    /// the attempt.
    pub seats: Option<u64>,
    /// How many stored tuples the membership's user has in the organization's scope.
    pub member_tuples: u64,
    /// How many groups of the organization the membership's user is in, expired rows included; of an organization that ends, how many
    /// rows of members its groups have.
    pub member_groups: u64,
    /// How many overrides the membership has, expired ones included.
    pub overrides: u64,
    /// How many overrides the other membership has, expired ones included.
    pub peer_overrides: u64,
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
    /// Entries of the catalog that were asked for, in order.
    pub permissions: Vec<Permission>,
    /// The revision of what belongs to no organization: the roles of the system and the catalog.
    pub system_revision: u64,
    /// What concerns roles, groups and overrides.
    pub access: Box<Access>,
    /// What moves, and where to.
    pub moving: Option<Box<Moving>>,
    /// The root of the organization's tree, or its parent's for a new one, and the revision of its structure.
    pub structure: Option<(OrgId, u64)>,
    /// The organization's line, where a role of the application's own is concerned.
    pub line: Option<Line>,
    /// What the permissions of a guarded caller rest on, where the command is judged by them: the answer to
    /// [`Job::weighs`](crate::backend::Job::weighs), read behind the rest.
    pub facts: Option<Box<Facts>>,
}

/// What moving an organization that is there relies on.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Moving {
    /// The one above it from now on, if it is there.
    pub parent: Option<Organization>,
    /// How many organizations move, itself included.
    pub size: u64,
    /// How many levels there are below it.
    pub levels: usize,
    /// The root of the organization's tree, and the revision of its structure.
    pub from: Option<(OrgId, u64)>,
    /// The root of the new parent's tree, and the revision of its structure.
    pub to: Option<(OrgId, u64)>,
    /// The new parent and all above it, root first, each with its revision.
    pub above: Vec<(OrgId, u64)>,
    /// Those above it of which a role is held by a membership that is not revoked, by an invitation that is pending at the moment of the
    /// attempt, or by a group where it has not expired, within what moves; in order of id.
    pub homes: Vec<OrgId>,
    /// Whether within what moves a stored tuple that has not expired has as its relation to an organization the slug of a role of the
    /// new parent's line.
    pub clashes: bool,
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

/// Where a user belongs, as far as a tenant policy asks (spec/tenants.md).
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Tenancy {
    /// How many memberships the user has or had. They only become more.
    pub rows: u64,
    /// How many of these are revoked. They only become more, too.
    pub ended: u64,
    /// How many of them are stored as active and an owner's.
    pub owned: u64,
    /// Whether one of the latter is of a live organization, other than the one that ends. Only asked where one does.
    pub owns_another: bool,
    /// Of the memberships in live organizations that are active at the moment of the attempt, the one to go to: an owner's before
    /// others, then the one with the lowest id of its organization, which comes with it.
    pub home: Option<(Membership, Organization)>,
    /// Whether a membership is active at the moment of the attempt, wherever it is.
    pub active: bool,
    /// Whether a membership is suspended.
    pub suspended: bool,
}

/// Rows found by id, each kind in order of id.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Found {
    /// Users.
    pub users: Vec<User>,
    /// Organizations; for an import, with all that are above those asked for.
    pub orgs: Vec<Organization>,
    /// Memberships.
    pub memberships: Vec<Membership>,
    /// Invitations.
    pub invitations: Vec<Invitation>,
    /// Tuples, by id or by what they say, expired ones included.
    pub tuples: Vec<Tuple>,
    /// Of the organizations asked for that are not there, those that are the object of a stored tuple that has not expired at the moment
    /// of the attempt, each with its relations that have the form of a role's slug.
    pub relations: Vec<(OrgId, RoleSlug)>,
    /// Which of the slugs that are about to become those of roles of the system are the relation of a stored tuple on an organization,
    /// that has not expired at the moment of the attempt.
    pub stored_relations: Vec<RoleSlug>,
    /// Slugs that are taken, with their holders.
    pub slugs: Vec<(Slug, OrgId)>,
    /// The users asked for that hold a membership, with or without a row.
    pub members: Vec<UserId>,
    /// Entries of the catalog.
    pub permissions: Vec<Permission>,
    /// Roles, by id or by slug, those with a slug out of [`relations`](Self::relations) included; without what they grant.
    pub roles: Vec<RoleDefinition>,
    /// What hangs on holders, expired ones included.
    pub grants: Vec<PermissionGrant>,
    /// Groups.
    pub groups: Vec<Group>,
    /// Users in groups, expired rows included.
    pub group_members: Vec<GroupMember>,
    /// The roles of the groups, expired rows included.
    pub group_roles: Vec<GroupRole>,
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
        self.relations.sort();
        self.relations.dedup();
        self.stored_relations.sort();
        self.stored_relations.dedup();
        self.slugs.sort();
        self.slugs.dedup();
        self.members.sort();
        self.members.dedup();
        self.permissions.sort_by(|one, other| one.slug.cmp(&other.slug));
        self.permissions.dedup_by(|one, other| one.slug == other.slug);
        self.roles.sort_by_key(|role| role.id);
        self.roles.dedup_by_key(|role| role.id);
        self.grants.sort_by(|one, other| (one.holder, &one.permission).cmp(&(other.holder, &other.permission)));
        self.grants.dedup_by(|one, other| (one.holder, &one.permission) == (other.holder, &other.permission));
        self.groups.sort_by_key(|group| group.id);
        self.groups.dedup_by_key(|group| group.id);
        self.group_members.sort_by_key(|row| (row.group_id, row.usr_id));
        self.group_members.dedup_by_key(|row| (row.group_id, row.usr_id));
        self.group_roles.sort_by_key(|row| (row.group_id, row.role.id()));
        self.group_roles.dedup_by_key(|row| (row.group_id, row.role.id()));
    }
}
