//! What each [`LoadSpec`] fills.

use std::ops::Bound;

use super::State;
use crate::entity::{Membership, OrgStatus, Organization, User, UserStatus, is_live};
use crate::id::{Id, MembershipId, OrgId, UserId};
use crate::load::{Found, ImportIds, LoadSpec, OtherOwner, Owned, Snapshot};

impl State {
    /// What a command needs to see.
    pub fn load(&self, spec: &LoadSpec) -> Snapshot {
        let mut seen = Snapshot::default();
        match spec {
            LoadSpec::Nothing => {}
            LoadSpec::User { usr } => seen.user = self.user(*usr),
            LoadSpec::Owner { usr } => {
                seen.user = self.user(*usr);
                seen.owned = self.owned(*usr);
            }
            LoadSpec::NewOrg { creator, parent, slug } => {
                seen.user = self.user(*creator);
                seen.org = parent.and_then(|parent| self.org(parent));
                seen.slug_holder = slug.as_ref().and_then(|slug| self.slugs.get(slug).copied());
            }
            LoadSpec::Org { org, slug } => {
                seen.org = self.org(*org);
                seen.slug_holder = slug.as_ref().and_then(|slug| self.slugs.get(slug).copied());
            }
            LoadSpec::OrgEnd { org, ids } => {
                seen.org = self.org(*org);
                seen.has_children = self.child_orgs(*org, None).any(|child| child.status != OrgStatus::Revoked);
                let current: Vec<MembershipId> = self.current_of_org(*org).map(|mem| mem.id).collect();
                let count = u64::try_from(current.len()).unwrap_or(u64::MAX);
                let ids = usize::try_from(*ids).unwrap_or(usize::MAX);
                seen.current = (count, current.into_iter().take(ids).collect());
            }
            LoadSpec::Join { org, usr } => {
                seen.org = self.org(*org);
                seen.user = self.user(*usr);
                seen.membership = self.current_of(*org, *usr);
            }
            LoadSpec::Member { mem, peer } => {
                seen.membership = self.memberships.get(mem).cloned();
                if let Some(mem) = seen.membership.clone() {
                    seen.org = self.org(mem.org_id);
                    seen.user = self.user(mem.usr_id);
                    seen.other_owner = self.other_owner(mem.org_id, mem.usr_id);
                    if let Some(peer) = peer {
                        seen.org_live = is_live(&self.path(mem.org_id));
                        seen.peer = self.current_of(mem.org_id, *peer);
                        seen.peer_user = self.user(*peer);
                    }
                }
            }
            LoadSpec::Pair { org, from, to } => {
                seen.org = self.org(*org);
                seen.membership = self.memberships.get(from).cloned();
                seen.peer = self.memberships.get(to).cloned();
                seen.peer_user = seen.peer.as_ref().and_then(|mem| self.user(mem.usr_id));
            }
            LoadSpec::Ids(ids) => *seen.found = self.found(ids),
        }
        seen
    }

    pub(super) fn user(&self, id: UserId) -> Option<User> {
        self.users.get(&id).cloned()
    }

    pub(super) fn org(&self, id: OrgId) -> Option<Organization> {
        self.orgs.get(&id).cloned()
    }

    pub(super) fn current_of(&self, org: OrgId, usr: UserId) -> Option<Membership> {
        self.memberships.get(self.current.get(&(org, usr))?).cloned()
    }

    /// The organization and all above it, root first; nothing when it does not exist.
    pub(super) fn path(&self, id: OrgId) -> Vec<Organization> {
        let Some(org) = self.orgs.get(&id) else { return Vec::new() };
        org.ancestors.iter().filter_map(|id| self.org(*id)).chain([org.clone()]).collect()
    }

    pub(super) fn child_orgs(&self, parent: OrgId, after: Option<OrgId>) -> impl Iterator<Item = &Organization> {
        self.children.range(pairs_of(parent, after)).filter_map(|(_, child)| self.orgs.get(child))
    }

    pub(super) fn of_org(&self, org: OrgId, after: Option<MembershipId>) -> impl Iterator<Item = &Membership> {
        self.by_org.range(pairs_of(org, after)).filter_map(|(_, mem)| self.memberships.get(mem))
    }

    pub(super) fn of_user(&self, usr: UserId, after: Option<MembershipId>) -> impl Iterator<Item = &Membership> {
        self.by_user.range(pairs_of(usr, after)).filter_map(|(_, mem)| self.memberships.get(mem))
    }

    pub(super) fn current_of_org(&self, org: OrgId) -> impl Iterator<Item = &Membership> {
        self.of_org(org, None).filter(|mem| self.current.get(&(mem.org_id, mem.usr_id)) == Some(&mem.id))
    }

    /// An active owner other than this user, who has no row or an active one: the one with the lowest membership id.
    fn other_owner(&self, org: OrgId, usr: UserId) -> Option<OtherOwner> {
        let owners = self.owners.range(pairs_of(org, None)).filter_map(|(_, mem)| self.memberships.get(mem));
        owners.filter(|mem| mem.usr_id != usr).find_map(|mem| {
            let row = self.users.get(&mem.usr_id);
            let acts = row.is_none_or(|row| row.status == UserStatus::Active);
            acts.then(|| OtherOwner { usr_id: mem.usr_id, revision: row.map(|row| row.revision) })
        })
    }

    fn owned(&self, usr: UserId) -> Vec<Owned> {
        let owns = |mem: &&Membership| self.owners.contains(&(mem.org_id, mem.id));
        let mut owned: Vec<Owned> = self
            .of_user(usr, None)
            .filter(owns)
            .filter_map(|mem| self.orgs.get(&mem.org_id))
            .map(|org| Owned { org_id: org.id, revision: org.revision, other: self.other_owner(org.id, usr) })
            .collect();
        owned.sort_by_key(|owned| owned.org_id);
        owned
    }

    fn found(&self, ids: &ImportIds) -> Found {
        let mut found = Found {
            users: ids.users.iter().filter_map(|id| self.user(*id)).collect(),
            orgs: ids.orgs.iter().filter_map(|id| self.org(*id)).collect(),
            memberships: ids.memberships.iter().filter_map(|id| self.memberships.get(id).cloned()).collect(),
            slugs: ids.slugs.iter().filter_map(|slug| Some((slug.clone(), *self.slugs.get(slug)?))).collect(),
            members: ids.users.iter().copied().filter(|usr| self.of_user(*usr, None).next().is_some()).collect(),
        };
        found.normalize();
        found
    }
}

type PairRange<A, B> = (Bound<(A, B)>, Bound<(A, B)>);

/// All pairs that begin with this id, or those behind one of them.
fn pairs_of<A: Copy, B: Id>(first: A, after: Option<B>) -> PairRange<A, B> {
    let start = after.map_or(Bound::Included((first, B::LOWEST)), |after| Bound::Excluded((first, after)));
    (start, Bound::Included((first, B::HIGHEST)))
}
