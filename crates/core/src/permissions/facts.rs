//! The rows that a resolution rests on, as a store shows them.

use std::collections::{BTreeMap, BTreeSet};

use crate::access::{Effect, Holder};
use crate::entity::{MembershipStatus, OrgStatus, UserStatus};
use crate::id::{GroupId, Id, MembershipId, OrgId, RoleId, UserId};
use crate::role::Role;
use crate::time::Timestamp;
use crate::value::PermissionSlug;

/// What rows are wanted. What they are is defined by [`crate::State::facts`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FactsQuery {
    /// Whose permissions, where.
    pub asks: Vec<(UserId, OrgId)>,
    /// Only what concerns these permissions, and which of them are in the catalog; otherwise all.
    pub permissions: Option<Vec<PermissionSlug>>,
    /// How many levels below each organization the user's memberships are wanted too.
    pub below: u32,
    /// Whether every role that the organizations know and that grants one of the permissions is wanted too.
    pub grantors: bool,
    /// Roles that are wanted too, with what they grant.
    pub roles: Vec<RoleId>,
    /// Groups whose roles are wanted too, with what these grant.
    pub groups: Vec<GroupId>,
    /// Whether nothing is wanted but what a token is made of: the revision of what belongs to no organization, the users' rows, the
    /// organizations with those above them, and, where levels below are asked for, the memberships there. Without levels below a store may
    /// leave out all but the revisions and who stands above an organization that is asked about.
    pub only_revisions: bool,
    /// Where nothing is asked but whether somebody holds a permission: which one, of each ask. What the fields above bring is enough for
    /// that, and a store may bring less. It may leave out revisions, so that no token is to be made of such facts, and the rows of users
    /// who are active; of each of these only what concerns its own permission is needed; a permission need not be looked up in the catalog
    /// of which a grant was found; memberships above are not needed where there is one in the organization itself, nor groups where the
    /// role of that one grants the permission without an end, nor what an organization passes on and takes over that has none above it
    /// and stands above none that is asked about. Where there is a membership in the organization and nobody overrides the permission, it
    /// may be told without those above it ([`Facts::add_org_above`]) if all of them are there and active.
    pub holding: Vec<(UserId, OrgId, PermissionSlug)>,
    /// Whether nothing is asked but what users may do. A store may then leave out memberships above where there is one in the
    /// organization itself, and the rows of roles but of those that may be inherited.
    pub resolving: bool,
}

/// Rows for a resolution. A store puts in what the query asks for, in any order; more than that does no harm, as long as it is true.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Facts {
    system_revision: u64,
    users: BTreeMap<UserId, (UserStatus, u64)>,
    orgs: BTreeMap<OrgId, OrgFacts>,
    memberships: BTreeMap<(UserId, OrgId), Held>,
    roles: BTreeMap<RoleId, RoleFacts>,
    groups: BTreeMap<(UserId, OrgId), BTreeMap<GroupId, Option<Timestamp>>>,
    group_roles: BTreeMap<GroupId, BTreeMap<RoleId, Option<Timestamp>>>,
    grants: BTreeMap<Holder, BTreeMap<PermissionSlug, (Effect, Option<Timestamp>)>>,
    known: BTreeSet<PermissionSlug>,
}

/// An organization, as a resolution sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrgFacts {
    /// Which.
    pub id: OrgId,
    /// Those above it, root first.
    pub ancestors: Vec<OrgId>,
    /// Whether it is in use.
    pub status: OrgStatus,
    /// Whether what is granted here passes to those below.
    pub cascade_permissions: bool,
    /// Whether what is granted above is taken over here.
    pub inherit_permissions: bool,
    /// The number of its events.
    pub revision: u64,
}

/// A membership that is not revoked, as a resolution sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Held {
    /// Which.
    pub id: MembershipId,
    /// As what.
    pub role: Role,
    /// As stored.
    pub status: MembershipStatus,
    /// From when on it no longer counts.
    pub expires_at: Option<Timestamp>,
}

/// A role's row, as a resolution sees it. A built-in role may have none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RoleFacts {
    /// As who holds it knows it.
    pub role: Role,
    /// Whose; none for one of the system.
    pub org_id: Option<OrgId>,
    /// Whether it reaches the organizations below.
    pub inherits_to_descendants: bool,
}

impl Facts {
    /// The revision of what belongs to no organization.
    pub fn set_system_revision(&mut self, revision: u64) {
        self.system_revision = revision;
    }

    /// A user's row.
    pub fn add_user(&mut self, id: UserId, status: UserStatus, revision: u64) {
        self.users.insert(id, (status, revision));
    }

    /// An organization.
    pub fn add_org(&mut self, org: OrgFacts) {
        self.orgs.insert(org.id, org);
    }

    /// An organization above one that is asked about, where which ones stand above itself need not be told.
    pub fn add_org_above(&mut self, org: OrgFacts) {
        // It may be asked about too, and then its own row tells more.
        self.orgs.entry(org.id).or_insert(org);
    }

    /// A user of whom nothing is known but the revision of their row, where only revisions are asked for. They count as one who may do nothing.
    pub fn add_user_revision(&mut self, id: UserId, revision: u64) {
        self.add_user(id, UserStatus::Revoked, revision);
    }

    /// An organization of which nothing is known but its revision, where only revisions are asked for, and, of one that is asked about, those
    /// above it, root first. It counts as one in which nobody may do anything.
    pub fn add_org_revision(&mut self, id: OrgId, ancestors: Option<Vec<OrgId>>, revision: u64) {
        let is_asked = ancestors.is_some();
        let (ancestors, status) = (ancestors.unwrap_or_default(), OrgStatus::Revoked);
        let org = OrgFacts { id, ancestors, status, cascade_permissions: false, inherit_permissions: false, revision };
        if is_asked { self.add_org(org) } else { self.add_org_above(org) }
    }

    /// A user's membership that is not revoked.
    pub fn add_membership(&mut self, usr: UserId, org: OrgId, held: Held) {
        self.memberships.insert((usr, org), held);
    }

    /// A role's row.
    pub fn add_role(&mut self, role: RoleFacts) {
        self.roles.insert(role.role.id(), role);
    }

    /// A user's place in a group of an organization.
    pub fn add_group(&mut self, usr: UserId, org: OrgId, group: GroupId, expires_at: Option<Timestamp>) {
        self.groups.entry((usr, org)).or_default().insert(group, expires_at);
    }

    /// A role of a group.
    pub fn add_group_role(&mut self, group: GroupId, role: RoleId, expires_at: Option<Timestamp>) {
        self.group_roles.entry(group).or_default().insert(role, expires_at);
    }

    /// What a holder gives or takes away.
    pub fn add_grant(&mut self, holder: Holder, permission: PermissionSlug, effect: Effect, expires_at: Option<Timestamp>) {
        self.grants.entry(holder).or_default().insert(permission, (effect, expires_at));
    }

    /// Everything that a holder gives or takes away, in place of what was known of it.
    pub fn add_grants(&mut self, holder: Holder, rows: impl Iterator<Item = (PermissionSlug, (Effect, Option<Timestamp>))>) {
        let mut rows = rows.peekable();
        if rows.peek().is_some() {
            // Collected at once it is built from below, and no row is looked for.
            self.grants.insert(holder, rows.collect());
        }
    }

    /// A permission that is in the catalog.
    pub fn add_known(&mut self, permission: PermissionSlug) {
        self.known.insert(permission);
    }

    /// The organizations that are there.
    pub(crate) fn orgs(&self) -> impl Iterator<Item = &OrgFacts> {
        self.orgs.values()
    }

    /// The same rows as they would be with an organization, and all below it, elsewhere: with these above it, root first. What
    /// concerns those has to be among the facts.
    pub(crate) fn with_moved(mut self, moved: OrgId, above: &[OrgId]) -> Self {
        for org in self.orgs.values_mut() {
            let at = if org.id == moved { Some(org.ancestors.len()) } else { org.ancestors.iter().position(|above| *above == moved) };
            if let Some(at) = at {
                let stays = org.ancestors.split_off(at);
                org.ancestors = above.iter().copied().chain(stays).collect();
            }
        }
        self
    }

    /// Every role that gives one of the permissions, in order of id.
    pub(crate) fn grantors<'f>(&'f self, permission: &'f PermissionSlug, now: Timestamp) -> impl Iterator<Item = &'f RoleFacts> {
        let gives = move |role: &&RoleFacts| {
            let row = self.grants.get(&Holder::Role(role.role.id())).and_then(|rows| rows.get(permission));
            row.is_some_and(|(effect, end)| *effect == Effect::Grant && end.is_none_or(|end| now < end))
        };
        self.roles.values().filter(gives)
    }
}

/// Where a resolution finds its rows: in [`Facts`], or at the source.
pub(crate) trait Ground {
    fn system_revision(&self) -> u64;
    /// A user's row: status and revision.
    fn user(&self, usr: UserId) -> Option<(UserStatus, u64)>;
    fn org(&self, org: OrgId) -> Option<&OrgFacts>;
    /// The row that is not revoked.
    fn membership(&self, usr: UserId, org: OrgId) -> Option<Held>;
    fn role(&self, role: RoleId) -> Option<RoleFacts>;
    /// The user's groups in an organization, in order of id.
    fn groups(&self, usr: UserId, org: OrgId) -> Vec<(GroupId, Option<Timestamp>)>;
    /// The roles of a group, in order of id.
    fn group_roles(&self, group: GroupId) -> Vec<(RoleId, Option<Timestamp>)>;
    /// What a holder gives or takes away: all, or one permission's.
    fn each_grant(&self, holder: Holder, only: Option<&PermissionSlug>, tell: &mut dyn FnMut(&PermissionSlug, Effect, Option<Timestamp>));
    /// The organizations below one, at most so many levels, where the user has a membership that is not revoked; in order of id.
    fn below(&self, usr: UserId, org: OrgId, levels: u32) -> Vec<OrgId>;
}

impl Facts {
    pub(crate) fn is_known(&self, permission: &PermissionSlug) -> bool {
        self.known.contains(permission)
    }
}

impl Ground for Facts {
    fn system_revision(&self) -> u64 {
        self.system_revision
    }

    fn user(&self, usr: UserId) -> Option<(UserStatus, u64)> {
        self.users.get(&usr).copied()
    }

    fn org(&self, org: OrgId) -> Option<&OrgFacts> {
        self.orgs.get(&org)
    }

    fn membership(&self, usr: UserId, org: OrgId) -> Option<Held> {
        self.memberships.get(&(usr, org)).copied()
    }

    fn role(&self, role: RoleId) -> Option<RoleFacts> {
        self.roles.get(&role).copied()
    }

    fn groups(&self, usr: UserId, org: OrgId) -> Vec<(GroupId, Option<Timestamp>)> {
        self.groups.get(&(usr, org)).into_iter().flatten().map(|(group, end)| (*group, *end)).collect()
    }

    fn group_roles(&self, group: GroupId) -> Vec<(RoleId, Option<Timestamp>)> {
        self.group_roles.get(&group).into_iter().flatten().map(|(role, end)| (*role, *end)).collect()
    }

    fn each_grant(&self, holder: Holder, only: Option<&PermissionSlug>, tell: &mut dyn FnMut(&PermissionSlug, Effect, Option<Timestamp>)) {
        let Some(rows) = self.grants.get(&holder) else { return };
        match only {
            Some(permission) => {
                if let Some((effect, end)) = rows.get(permission) {
                    tell(permission, *effect, *end);
                }
            }
            None => rows.iter().for_each(|(permission, (effect, end))| tell(permission, *effect, *end)),
        }
    }

    fn below(&self, usr: UserId, org: OrgId, levels: u32) -> Vec<OrgId> {
        let levels = usize::try_from(levels).unwrap_or(usize::MAX);
        let all = (usr, OrgId::LOWEST)..=(usr, OrgId::HIGHEST);
        let theirs = self.memberships.range(all).map(|((_, below), _)| *below);
        let within = |below: &OrgId| {
            let above = self.orgs.get(below).map(|facts| facts.ancestors.as_slice()).unwrap_or_default();
            above.iter().rev().take(levels).any(|above| *above == org)
        };
        theirs.filter(within).collect()
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::permissions::{Ask, resolve, token};

    fn id<I: Id>(n: u128) -> I {
        I::from_uuid(Uuid::from_u128(0x0196_f3c2_1b7a_7000_8000_0000_0000_0000 + n)).unwrap()
    }

    #[test]
    fn of_revisions_alone_a_token_is_made_and_nobody_may_do_anything() {
        let (usr, top, low): (UserId, OrgId, OrgId) = (id(1), id(2), id(3));
        let ask = Ask { usr, org: low, now: Timestamp::MIN, only: None, policy: None };
        let mut facts = Facts::default();
        facts.set_system_revision(4);
        facts.add_user_revision(usr, 5);
        // In any order, also where one is asked about that stands above another.
        facts.add_org_revision(top, None, 6);
        facts.add_org_revision(low, Some(vec![top]), 7);
        facts.add_org_revision(top, Some(Vec::new()), 6);
        facts.add_org_revision(top, None, 6);
        let made = token(&facts, ask).unwrap();
        assert_eq!((made.system, made.user, made.orgs), (4, Some(5), vec![(top, 6), (low, 7)]));

        let role = Role::Owner;
        facts.add_membership(usr, low, Held { id: id(8), role, status: MembershipStatus::Active, expires_at: None });
        let permission = PermissionSlug::parse("a.read").unwrap();
        facts.add_grant(Holder::Role(role.id()), permission, Effect::Grant, None);
        assert!(resolve(&facts, ask).unwrap().permissions.is_empty());
    }
}
