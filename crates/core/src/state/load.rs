//! What each [`LoadSpec`] fills.

use std::ops::Bound;

use super::State;
use super::roster::Row;
use crate::access::Holder;
use crate::entity::{Invitation, InvitationStatus, Membership, MembershipStatus, OrgStatus, Organization, User, UserStatus, are_live};
use crate::id::{Id, InvitationId, MembershipId, OrgId, TupleId, UserId};
use crate::load::{Found, Hold, ImportIds, Load, LoadSpec, OtherOwner, Owned, Snapshot, Standing, Standpoint, Tenancy};
use crate::role::Role;
use crate::time::Timestamp;
use crate::tuple::{EntityRef, Grant, Tuple, TupleKey};
use crate::value::RoleSlug;

impl State {
    /// What a command needs to see.
    #[expect(clippy::too_many_lines, reason = "one arm for each kind of load, and each is short")]
    pub fn load(&self, load: Load<'_>) -> Snapshot {
        let Load { spec, actor, at } = load;
        let mut seen = Snapshot::default();
        // The organization in which a guarded caller's standing is wanted.
        let mut place = None;
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
                seen.structure = parent.and_then(|parent| self.structure(parent));
                seen.slug_holder = slug.as_ref().and_then(|slug| self.slugs.get(slug).copied());
                place = *parent;
            }
            LoadSpec::Org { org, slug } => {
                place = Some(*org);
                seen.org = self.org(*org);
                seen.slug_holder = slug.as_ref().and_then(|slug| self.slugs.get(slug).copied());
            }
            LoadSpec::Tenants { usr, slugs } => {
                seen.user = self.user(*usr);
                seen.tenancy = Some(Box::new(self.tenancy(*usr, None, at)));
                seen.taken = slugs.iter().filter(|slug| self.slugs.contains_key(*slug)).cloned().collect();
                seen.taken.sort_unstable();
                seen.taken.dedup();
            }
            LoadSpec::OrgEnd { org, ids, owner } => {
                if let Some(usr) = owner {
                    seen.user = self.user(*usr);
                    seen.membership = self.current_of(*org, *usr);
                    seen.tenancy = Some(Box::new(self.tenancy(*usr, Some(*org), at)));
                }
                seen.org = self.org(*org);
                seen.has_children = self.child_orgs(*org, None).any(|child| child.status != OrgStatus::Revoked);
                let current: Vec<MembershipId> = self.current_of_org(*org).map(|mem| mem.id).collect();
                let count = u64::try_from(current.len()).unwrap_or(u64::MAX);
                let ids = usize::try_from(*ids).unwrap_or(usize::MAX);
                seen.current = (count, current.into_iter().take(ids).collect());
                seen.pending_count = count_of(self.pending_of(*org, at));
                seen.org_tuples = count_of(self.tuples_of_org(*org));
                seen.member_groups = self.member_groups(*org, None);
                place = Some(*org);
            }
            LoadSpec::Join { org, usr, role: _ } => {
                seen.org = self.org(*org);
                seen.user = self.user(*usr);
                seen.membership = self.current_of(*org, *usr);
                seen.seats = self.seats(*org, at);
                seen.member_tuples = count_of(self.tuples_in_scope(*org, EntityRef::user(*usr)));
                seen.member_groups = self.member_groups(*org, Some(*usr));
                place = Some(*org);
            }
            LoadSpec::Member { mem, peer, role: _ } => {
                seen.membership = self.memberships.get(mem).map(Row::unpack);
                if let Some(mem) = seen.membership.clone() {
                    seen.org = self.org(mem.org_id);
                    seen.user = self.user(mem.usr_id);
                    seen.other_owner = self.other_owner(mem.org_id, mem.usr_id);
                    seen.member_tuples = count_of(self.tuples_in_scope(mem.org_id, EntityRef::user(mem.usr_id)));
                    seen.member_groups = self.member_groups(mem.org_id, Some(mem.usr_id));
                    seen.overrides = self.overrides(mem.id);
                    place = Some(mem.org_id);
                    if let Some(peer) = peer {
                        seen.org_live = self.org_live(mem.org_id);
                        seen.peer = self.current_of(mem.org_id, *peer);
                        seen.peer_user = self.user(*peer);
                        seen.peer_overrides = seen.peer.as_ref().map_or(0, |peer| self.overrides(peer.id));
                    }
                }
            }
            LoadSpec::Pair { org, from, to } => {
                seen.org = self.org(*org);
                seen.membership = self.memberships.get(from).map(Row::unpack);
                seen.peer = self.memberships.get(to).map(Row::unpack);
                seen.peer_user = seen.peer.as_ref().and_then(|mem| self.user(mem.usr_id));
                seen.overrides = self.overrides(*from);
                seen.peer_overrides = self.overrides(*to);
                place = seen.membership.as_ref().map(|mem| mem.org_id);
            }
            LoadSpec::Invite { org, identifiers, grants, roles: _ } => {
                seen.org = self.org(*org);
                let pending = identifiers.iter().filter_map(|text| self.pending.get(&(*org, text.clone())));
                seen.pending = pending.filter_map(|id| self.invitations.get(id).cloned()).collect();
                seen.pending.sort_by_key(|inv| inv.id);
                seen.pending.dedup_by_key(|inv| inv.id);
                if let Some(usr) = actor {
                    seen.grants = grants.iter().map(|grant| self.standpoint(usr, grant, Some(*org), at)).collect();
                }
                place = Some(*org);
            }
            LoadSpec::Invitation { inv } => {
                seen.invitation = self.invitations.get(inv).cloned();
                if let Some(inv) = &seen.invitation {
                    let pending = self.pending.get(&(inv.org_id, inv.identifier.clone()));
                    seen.pending = pending.and_then(|id| self.invitations.get(id).cloned()).into_iter().collect();
                    seen.org = self.org(inv.org_id);
                    let promises = actor.map(|usr| self.promises(inv, usr, at));
                    place = Some(inv.org_id);
                    seen.grants = promises.unwrap_or_default();
                }
            }
            LoadSpec::Accept { inv, usr } => self.load_accept(*inv, *usr, at, &mut seen),
            LoadSpec::NewTuple { key, org } => {
                seen.tuple = self.tuples.at(key, *org).cloned();
                seen.org = org.and_then(|org| self.org(org));
                seen.object_org = key.object.as_org().and_then(|org| self.org(org));
                seen.membership = org.zip(key.subject.as_user()).and_then(|(org, usr)| self.current_of(org, usr));
                place = org.or_else(|| key.object.as_org());
                self.load_grant(key, *org, actor, at, &mut seen);
            }
            LoadSpec::Tuple { id } => place = self.load_tuple(*id, actor, at, &mut seen),
            LoadSpec::Expired { limit } => self.load_expired(*limit, at, &mut seen),
            LoadSpec::Ids(ids) => {
                seen.system_revision = self.access.revision;
                *seen.found = self.found(ids, at);
            }
            LoadSpec::Catalog { slugs } => self.load_catalog(slugs, &mut seen),
            LoadSpec::Move { org, parent } => {
                place = Some(*org);
                self.load_move(*org, *parent, at, &mut seen);
            }
            LoadSpec::SystemRoles { slugs, with_grants } => {
                seen.system_revision = self.access.revision;
                if *with_grants {
                    let roles = self.line(None, slugs).roles;
                    seen.permissions = self.access.permissions.values().cloned().collect();
                    seen.access.grants = roles.iter().flat_map(|role| self.access.grants_of(Holder::Role(role.id))).cloned().collect();
                }
            }
            LoadSpec::Access(wants) => place = self.load_access(wants, at, &mut seen),
        }
        seen.line = match spec {
            LoadSpec::SystemRoles { slugs, .. } => Some(self.line(None, slugs)),
            _ => spec.line(&seen).map(|(org, slugs)| self.line(Some(org), &slugs)),
        };
        let always = matches!(spec, LoadSpec::NewTuple { .. } | LoadSpec::Tuple { .. });
        seen.standing = actor.filter(|_| always || place.is_some()).map(|usr| match place {
            Some(org) => self.standing(usr, org),
            None => Standing { user: self.user(usr), ..Standing::default() },
        });
        seen
    }

    fn load_accept(&self, inv: InvitationId, usr: Option<UserId>, at: Timestamp, seen: &mut Snapshot) {
        seen.invitation = self.invitations.get(&inv).cloned();
        let Some(inv) = &seen.invitation else { return };
        seen.org = self.org(inv.org_id);
        seen.seats = self.seats(inv.org_id, at);
        if inv.judged {
            seen.grants = self.promises(inv, inv.invited_by, at);
        }
        let Some(usr) = usr else { return };
        seen.user = self.user(usr);
        seen.membership = self.current_of(inv.org_id, usr);
        seen.member_tuples = count_of(self.tuples_in_scope(inv.org_id, EntityRef::user(usr)));
        seen.member_groups = self.member_groups(inv.org_id, Some(usr));
        let held = |grant: &Grant| self.standpoint(usr, grant, None, at).open > Hold::Not;
        let places = inv.pre_tuples.iter().zip(0..).filter(|(grant, _)| held(grant));
        seen.held = places.map(|(_, place)| place).collect();
    }

    /// What a user has to do with each promise of an invitation.
    fn promises(&self, inv: &Invitation, usr: UserId, at: Timestamp) -> Vec<Standpoint> {
        inv.pre_tuples.iter().map(|promise| self.standpoint(usr, promise, Some(inv.org_id), at)).collect()
    }

    fn load_tuple(&self, id: TupleId, actor: Option<UserId>, at: Timestamp, seen: &mut Snapshot) -> Option<OrgId> {
        seen.tuple = self.tuples.get(&id).cloned();
        if let Some(Tuple { key, org_id, .. }) = seen.tuple.clone() {
            seen.org = org_id.and_then(|org| self.org(org));
            seen.object_org = key.object.as_org().and_then(|org| self.org(org));
            self.load_grant(&key, org_id, actor, at, seen);
            return org_id.or_else(|| key.object.as_org());
        }
        let mem = MembershipId::from_uuid(id.as_uuid()).ok()?;
        let mem = self.memberships.get(&mem)?.unpack();
        seen.membership = Some(mem.clone());
        seen.user = self.user(mem.usr_id);
        seen.org = self.org(mem.org_id);
        seen.org_live = self.org_live(mem.org_id);
        Some(mem.org_id)
    }

    fn load_grant(&self, key: &TupleKey, scope: Option<OrgId>, actor: Option<UserId>, at: Timestamp, seen: &mut Snapshot) {
        let grant = Grant { relation: key.relation.clone(), object: key.object };
        seen.grants = actor.map(|usr| self.standpoint(usr, &grant, scope, at)).into_iter().collect();
    }

    fn load_expired(&self, limit: u32, at: Timestamp, seen: &mut Snapshot) {
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let ended = |inv: &&Invitation| inv.status == InvitationStatus::Pending && inv.status_at(at) == InvitationStatus::Expired;
        seen.pending = self.invitations.values().filter(ended).take(limit).cloned().collect();
        let room = limit.saturating_sub(seen.pending.len());
        let mut expired: Vec<&Tuple> = self.tuples.values().filter(|tuple| tuple.is_expired(at)).collect();
        expired.sort_unstable_by_key(|tuple| tuple.id);
        seen.expired_tuples = expired.into_iter().take(room).cloned().collect();
        let of_tuples = seen.expired_tuples.iter().flat_map(|tuple| tuple.org_id.into_iter().chain(tuple.key.object.as_org()));
        let orgs = seen.pending.iter().map(|inv| inv.org_id).chain(of_tuples);
        seen.found.orgs = orgs.filter_map(|org| self.org(org)).collect();
        seen.found.normalize();
    }

    /// How many seats are taken, where there is a limit.
    fn seats(&self, org: OrgId, at: Timestamp) -> Option<u64> {
        self.orgs.get(&org)?.seat_limit?;
        let taken = |mem: &&Row| matches!(mem.status_at(at), MembershipStatus::Active | MembershipStatus::Suspended);
        Some(count_of(self.current_of_org(org).filter(taken)))
    }

    /// The organization's invitations that are pending at a moment.
    pub(super) fn pending_of(&self, org: OrgId, at: Timestamp) -> impl Iterator<Item = &Invitation> {
        let rows = self.invitations_of.range(pairs_of(org, None)).filter_map(|(_, id)| self.invitations.get(id));
        rows.filter(move |inv| inv.status_at(at) == InvitationStatus::Pending)
    }

    pub(super) fn user(&self, id: UserId) -> Option<User> {
        self.users.get(&id).cloned()
    }

    pub(super) fn org(&self, id: OrgId) -> Option<Organization> {
        self.orgs.get(&id).cloned()
    }

    pub(super) fn current_of(&self, org: OrgId, usr: UserId) -> Option<Membership> {
        self.memberships.current(org, usr).map(Row::unpack)
    }

    /// The organization and all above it, root first; nothing when it does not exist.
    pub(super) fn path(&self, id: OrgId) -> Vec<Organization> {
        let Some(org) = self.orgs.get(&id) else { return Vec::new() };
        org.ancestors.iter().filter_map(|id| self.org(*id)).chain([org.clone()]).collect()
    }

    pub(super) fn child_orgs(&self, parent: OrgId, after: Option<OrgId>) -> impl Iterator<Item = &Organization> {
        self.children.range(pairs_of(parent, after)).filter_map(|(_, child)| self.orgs.get(child))
    }

    /// Whether the organization and all above it are active.
    pub(super) fn org_live(&self, id: OrgId) -> bool {
        let Some(org) = self.orgs.get(&id) else { return false };
        are_live(org.ancestors.iter().filter_map(|id| self.orgs.get(id)).chain([org]).map(|org| org.status))
    }

    pub(super) fn current_of_org(&self, org: OrgId) -> impl Iterator<Item = &Row> {
        self.memberships.of_org(org, None).filter(|mem| mem.status != MembershipStatus::Revoked)
    }

    /// An active owner other than this user, who has no row or an active one: the one with the lowest membership id.
    fn other_owner(&self, org: OrgId, usr: UserId) -> Option<OtherOwner> {
        self.memberships.owners(org).filter(|mem| mem.usr_id != usr).find_map(|mem| {
            let row = self.users.get(&mem.usr_id);
            let acts = row.is_none_or(|row| row.status == UserStatus::Active);
            acts.then(|| OtherOwner { usr_id: mem.usr_id, revision: row.map(|row| row.revision) })
        })
    }

    fn owned(&self, usr: UserId) -> Vec<Owned> {
        let owns = |mem: &&Row| mem.status == MembershipStatus::Active && mem.role() == Role::Owner;
        let mut owned: Vec<Owned> = self
            .memberships
            .of_user(usr, None)
            .filter(owns)
            .filter_map(|mem| self.orgs.get(&mem.org_id))
            .map(|org| Owned { org_id: org.id, revision: org.revision, other: self.other_owner(org.id, usr) })
            .collect();
        owned.sort_by_key(|owned| owned.org_id);
        owned
    }

    /// How many memberships a user has or had, and how many of these are revoked.
    pub(super) fn memberships_of(&self, usr: UserId) -> (u64, u64) {
        let ended = self.memberships.of_user(usr, None).filter(|mem| mem.status == MembershipStatus::Revoked);
        (count_of(self.memberships.of_user(usr, None)), count_of(ended))
    }

    /// Where a user belongs, and may belong without one organization.
    fn tenancy(&self, usr: UserId, without: Option<OrgId>, at: Timestamp) -> Tenancy {
        let (rows, ended) = self.memberships_of(usr);
        let of_user = || self.memberships.of_user(usr, None);
        let owned = || of_user().filter(|mem| mem.status == MembershipStatus::Active && mem.role() == Role::Owner);
        let active = || of_user().filter(|mem| mem.status_at(at) == MembershipStatus::Active);
        let home = active().filter(|mem| self.org_live(mem.org_id)).min_by_key(|mem| (mem.role() != Role::Owner, mem.org_id));
        Tenancy {
            rows,
            ended,
            owned: count_of(owned()),
            owns_another: without.is_some_and(|org| owned().any(|mem| mem.org_id != org && self.org_live(mem.org_id))),
            home: home.and_then(|mem| Some((mem.unpack(), self.org(mem.org_id)?))),
            active: active().next().is_some(),
            suspended: of_user().any(|mem| mem.status == MembershipStatus::Suspended),
        }
    }

    fn found(&self, ids: &ImportIds, at: Timestamp) -> Found {
        let relations: Vec<(OrgId, RoleSlug)> = ids.orgs.iter().flat_map(|org| self.relations_on(*org, at)).collect();
        let asked = ids.orgs.iter().filter_map(|id| self.orgs.get(id));
        let mut found = Found {
            users: ids.users.iter().filter_map(|id| self.user(*id)).collect(),
            orgs: asked.flat_map(|org| self.path_of(org)).cloned().collect(),
            memberships: ids.memberships.iter().filter_map(|id| self.memberships.get(id).map(Row::unpack)).collect(),
            slugs: ids.slugs.iter().filter_map(|slug| Some((slug.clone(), *self.slugs.get(slug)?))).collect(),
            invitations: ids.invitations.iter().filter_map(|id| self.invitations.get(id).cloned()).collect(),
            tuples: self.found_tuples(ids),
            relations,
            members: ids.users.iter().copied().filter(|usr| self.memberships.has_any(*usr)).collect(),
            ..Found::default()
        };
        found.normalize();
        self.find_access(ids, at, &mut found);
        found.normalize();
        found
    }

    fn found_tuples(&self, ids: &ImportIds) -> Vec<Tuple> {
        let by_key = ids.keys.iter().filter_map(|(key, scope)| self.tuples.at(key, *scope));
        ids.tuples.iter().filter_map(|id| self.tuples.get(id)).chain(by_key).cloned().collect()
    }

    /// The relations to an organization that is not there, of stored tuples that have not expired, as far as they could be a role's.
    fn relations_on(&self, org: OrgId, at: Timestamp) -> impl Iterator<Item = (OrgId, RoleSlug)> {
        let is_there = self.orgs.contains(&org);
        let on = self.tuples_on.range(pairs_of(EntityRef::org(org), None)).filter(move |_| !is_there);
        let tuples = on.filter_map(|(_, id)| self.tuples.get(id)).filter(move |tuple| !tuple.is_expired(at));
        tuples.filter_map(move |tuple| Some((org, RoleSlug::parse(tuple.key.relation.as_str())?)))
    }
}

pub(super) fn count_of(rows: impl IntoIterator) -> u64 {
    u64::try_from(rows.into_iter().count()).unwrap_or(u64::MAX)
}

pub(super) type PairRange<A, B> = (Bound<(A, B)>, Bound<(A, B)>);

/// All pairs that begin with this id, or those behind one of them.
pub(super) fn pairs_of<A: Copy, B: Id>(first: A, after: Option<B>) -> PairRange<A, B> {
    let start = after.map_or(Bound::Included((first, B::LOWEST)), |after| Bound::Excluded((first, after)));
    (start, Bound::Included((first, B::HIGHEST)))
}
