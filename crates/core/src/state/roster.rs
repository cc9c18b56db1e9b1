//! Memberships: by id, of an organization, of a user. There are more of them than of anything else, so a row is packed, and what finds
//! it holds its place alone.

use std::fmt;
use std::hash::BuildHasher;

use foldhash::fast::RandomState;
use hashbrown::{HashMap, HashTable};

use super::places::Places;
use super::table::Place;
use crate::entity::{Membership, MembershipStatus};
use crate::id::{MembershipId, OrgId, UserId};
use crate::role::{CustomRole, Role};
use crate::time::Timestamp;
use crate::value::Metadata;

/// A membership, packed.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) id: MembershipId,
    pub(super) usr_id: UserId,
    pub(super) org_id: OrgId,
    created_at: Timestamp,
    updated_at: Timestamp,
    /// What most rows do not have.
    more: Option<Box<More>>,
    /// The next row of the same user.
    next_of_user: Option<NextPlace>,
    /// The place among the built-in roles; that of a role of one's own is behind them, and the role with what most rows do not have.
    built_in: u8,
    pub(super) status: MembershipStatus,
}

/// A place, and one more than it, so that none takes no room of its own.
type NextPlace = std::num::NonZeroU32;

#[derive(Debug, Default, PartialEq)]
struct More {
    role: Option<CustomRole>,
    replaces: Option<MembershipId>,
    invited_by: Option<UserId>,
    removed_by: Option<UserId>,
    expires_at: Option<Timestamp>,
    metadata: Metadata,
}

impl Row {
    fn new(mem: Membership, next_of_user: Option<NextPlace>) -> Self {
        let Membership { id, usr_id, org_id, role, status, replaces, invited_by, removed_by, expires_at, metadata, created_at, updated_at } =
            mem;
        let more = More { role: role.custom().copied(), replaces, invited_by, removed_by, expires_at, metadata };
        let more = (more != More::default()).then(|| Box::new(more));
        let built_in = (0..).zip(Role::ALL).find_map(|(place, other)| (other == role).then_some(place)).unwrap_or(u8::MAX);
        Self { id, usr_id, org_id, created_at, updated_at, more, next_of_user, built_in, status }
    }

    /// The row as everyone else knows it.
    pub(super) fn unpack(&self) -> Membership {
        let more = self.more.as_deref();
        Membership {
            id: self.id,
            usr_id: self.usr_id,
            org_id: self.org_id,
            role: self.role(),
            status: self.status,
            replaces: more.and_then(|more| more.replaces),
            invited_by: more.and_then(|more| more.invited_by),
            removed_by: more.and_then(|more| more.removed_by),
            expires_at: self.expires_at(),
            metadata: more.map(|more| more.metadata.clone()).unwrap_or_default(),
            created_at: self.created_at,
            updated_at: self.updated_at,
        }
    }

    pub(super) fn role(&self) -> Role {
        let own = || self.more.as_deref().and_then(|more| more.role).map(Role::Custom);
        // A row without a role cannot be made.
        Role::ALL.get(usize::from(self.built_in)).copied().or_else(own).unwrap_or(Role::Viewer)
    }

    pub(super) fn expires_at(&self) -> Option<Timestamp> {
        self.more.as_deref().and_then(|more| more.expires_at)
    }

    /// As [`Membership::status_at`].
    pub(super) fn status_at(&self, now: Timestamp) -> MembershipStatus {
        self.status.at(self.expires_at(), now)
    }

    fn is_current(&self) -> bool {
        self.status != MembershipStatus::Revoked
    }

    fn is_active_owner(&self) -> bool {
        self.status == MembershipStatus::Active && self.role() == Role::Owner
    }
}

/// The rows of an organization, by id; the active owners among them.
#[derive(Debug, Default)]
struct OfOrg {
    all: Places,
    owners: Places,
}

/// Every membership.
#[derive(Default)]
pub(super) struct Roster {
    rows: Vec<Option<Row>>,
    /// Places that became free.
    free: Vec<Place>,
    by_id: HashTable<Place>,
    /// The one of an organization and a user that is not revoked.
    current: HashTable<Place>,
    /// One row of each user, which leads to the others.
    of_user: HashTable<Place>,
    of_org: HashMap<OrgId, OfOrg, RandomState>,
    hasher: RandomState,
}

impl fmt::Debug for Roster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Roster").field("rows", &self.by_id.len()).finish_non_exhaustive()
    }
}

fn at(rows: &[Option<Row>], place: Place) -> Option<&Row> {
    super::table::at(rows, place)
}

impl Roster {
    fn row(&self, place: Place) -> Option<&Row> {
        at(&self.rows, place)
    }

    fn row_mut(&mut self, place: Place) -> Option<&mut Row> {
        self.rows.get_mut(usize::try_from(place).ok()?)?.as_mut()
    }

    fn place(&self, id: MembershipId) -> Option<Place> {
        let is = |place: &Place| self.row(*place).is_some_and(|row| row.id == id);
        self.by_id.find(self.hasher.hash_one(id), is).copied()
    }

    pub(super) fn get(&self, id: &MembershipId) -> Option<&Row> {
        self.row(self.place(*id)?)
    }

    /// The one of an organization and a user that is not revoked.
    pub(super) fn current(&self, org: OrgId, usr: UserId) -> Option<&Row> {
        let is = |place: &Place| self.row(*place).is_some_and(|row| (row.org_id, row.usr_id) == (org, usr));
        self.row(*self.current.find(self.hasher.hash_one((org, usr)), is)?)
    }

    /// Those of an organization in order of id, behind one.
    pub(super) fn of_org(&self, org: OrgId, after: Option<MembershipId>) -> impl Iterator<Item = &Row> {
        self.of_org.get(&org).into_iter().flat_map(move |rows| self.sorted(&rows.all, after))
    }

    /// The active owners of an organization in order of id.
    pub(super) fn owners(&self, org: OrgId) -> impl Iterator<Item = &Row> {
        self.of_org.get(&org).into_iter().flat_map(move |rows| self.sorted(&rows.owners, None))
    }

    fn sorted<'s>(&'s self, places: &'s Places, after: Option<MembershipId>) -> impl Iterator<Item = &'s Row> {
        places.after(after, |place| self.row(place).map(|row| row.id)).filter_map(|place| self.row(place))
    }

    /// Those of a user in order of id, behind one.
    pub(super) fn of_user(&self, usr: UserId, after: Option<MembershipId>) -> impl Iterator<Item = &Row> {
        let mut rows: Vec<&Row> = self.chain(usr).filter(|row| after.is_none_or(|after| row.id > after)).collect();
        rows.sort_unstable_by_key(|row| row.id);
        rows.into_iter()
    }

    /// Whether a user has a membership, ended ones included.
    pub(super) fn has_any(&self, usr: UserId) -> bool {
        self.chain(usr).next().is_some()
    }

    /// Those of a user, in no order.
    fn chain(&self, usr: UserId) -> impl Iterator<Item = &Row> {
        let is = |place: &Place| self.row(*place).is_some_and(|row| row.usr_id == usr);
        let first = self.of_user.find(self.hasher.hash_one(usr), is).and_then(|place| self.row(*place));
        std::iter::successors(first, |row| self.row(row.next_of_user?.get() - 1))
    }

    /// Every row, in no order.
    pub(super) fn values(&self) -> impl Iterator<Item = &Row> {
        self.rows.iter().flatten()
    }

    /// Puts a row in, or in place of the one with its id.
    pub(super) fn put(&mut self, mem: Membership) {
        // An update leaves everything where it is but what hangs on role and status.
        if let Some(place) = self.place(mem.id)
            && self.row(place).is_some_and(|row| (row.org_id, row.usr_id) == (mem.org_id, mem.usr_id))
        {
            self.unlist(place);
            if let Some(row) = self.row_mut(place) {
                *row = Row::new(mem, row.next_of_user);
            }
            self.list(place);
            return;
        }
        self.remove(&mem.id);
        let (id, usr, org) = (mem.id, mem.usr_id, mem.org_id);
        let place = if let Some(place) = self.free.pop() {
            place
        } else {
            self.rows.push(None);
            Place::try_from(self.rows.len() - 1).unwrap_or(Place::MAX)
        };
        let hash = self.hasher.hash_one(usr);
        let is = |other: &Place| at(&self.rows, *other).is_some_and(|row| row.usr_id == usr);
        // The new one leads the user's others.
        let before = match self.of_user.find_mut(hash, is) {
            Some(first) => NextPlace::new(std::mem::replace(first, place).wrapping_add(1)),
            None => None,
        };
        if let Some(empty) = usize::try_from(place).ok().and_then(|place| self.rows.get_mut(place)) {
            *empty = Some(Row::new(mem, before));
        }
        let (rows, hasher) = (&self.rows, &self.hasher);
        if before.is_none() {
            self.of_user.insert_unique(hash, place, |place| at(rows, *place).map_or(0, |row| hasher.hash_one(row.usr_id)));
        }
        self.by_id.insert_unique(hasher.hash_one(id), place, |place| at(rows, *place).map_or(0, |row| hasher.hash_one(row.id)));
        self.of_org.entry(org).or_default().all.insert(place, |place| at(rows, place).map(|row| row.id));
        self.list(place);
    }

    pub(super) fn remove(&mut self, id: &MembershipId) {
        let Some(place) = self.place(*id) else { return };
        self.unlist(place);
        let Some(row) = self.row(place) else { return };
        let (usr, org, next) = (row.usr_id, row.org_id, row.next_of_user);
        let rows = &self.rows;
        let hash = self.hasher.hash_one(usr);
        let first = self.of_user.find(hash, |other| at(rows, *other).is_some_and(|row| row.usr_id == usr)).copied();
        if first == Some(place) {
            if let Ok(entry) = self.of_user.find_entry(hash, |other| *other == place) {
                match next {
                    Some(next) => *entry.into_mut() = next.get() - 1,
                    None => drop(entry.remove()),
                }
            }
        } else {
            let here = NextPlace::new(place.wrapping_add(1));
            let before = self.chain(usr).find(|row| row.next_of_user == here).map(|row| row.id);
            if let Some(before) = before.and_then(|id| self.place(id)).and_then(|place| self.row_mut(place)) {
                before.next_of_user = next;
            }
        }
        let rows = &self.rows;
        if let Some(of_org) = self.of_org.get_mut(&org) {
            of_org.all.remove(place, |place| at(rows, place).map(|row| row.id));
            if of_org.all.is_empty() {
                self.of_org.remove(&org);
            }
        }
        if let Ok(entry) = self.by_id.find_entry(self.hasher.hash_one(*id), |other| *other == place) {
            entry.remove();
        }
        if let Some(row) = usize::try_from(place).ok().and_then(|place| self.rows.get_mut(place)) {
            *row = None;
        }
        self.free.push(place);
    }

    /// Lists a row by what its role and status say.
    fn list(&mut self, place: Place) {
        let rows = &self.rows;
        let Some(row) = at(rows, place) else { return };
        if row.is_current() {
            let hasher = &self.hasher;
            let hash = |place: &Place| at(rows, *place).map_or(0, |row| hasher.hash_one((row.org_id, row.usr_id)));
            let is = |other: &Place| at(rows, *other).is_some_and(|other| (other.org_id, other.usr_id) == (row.org_id, row.usr_id));
            match self.current.find_mut(hash(&place), is) {
                // Constraints keep this from happening; the last one counts.
                Some(there) => *there = place,
                None => drop(self.current.insert_unique(hash(&place), place, hash)),
            }
        }
        if row.is_active_owner()
            && let Some(of_org) = self.of_org.get_mut(&row.org_id)
        {
            of_org.owners.insert(place, |place| at(rows, place).map(|row| row.id));
        }
    }

    fn unlist(&mut self, place: Place) {
        let rows = &self.rows;
        let Some(row) = at(rows, place) else { return };
        if let Ok(entry) = self.current.find_entry(self.hasher.hash_one((row.org_id, row.usr_id)), |other| *other == place) {
            entry.remove();
        }
        if row.is_active_owner()
            && let Some(of_org) = self.of_org.get_mut(&row.org_id)
        {
            of_org.owners.remove(place, |place| at(rows, place).map(|row| row.id));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::id::Id;
    use crate::source::{SecretSource, SeededSecrets};

    fn id<I: Id>(n: u64) -> I {
        I::from_uuid(uuid::Uuid::from_u128((0x0196_0000_0000_7000_8000 << 48) | u128::from(n))).unwrap()
    }

    /// The same over sorted maps of everything.
    #[derive(Default)]
    struct Plain(BTreeMap<MembershipId, Membership>);

    impl Plain {
        fn check(&self, roster: &Roster) {
            let packed: BTreeMap<MembershipId, Membership> = roster.values().map(|row| (row.id, row.unpack())).collect();
            assert_eq!(packed, self.0);
            for n in 0..6 {
                let (org, usr): (OrgId, UserId) = (id(n), id(n));
                for after in [None, Some(id::<MembershipId>(20))] {
                    let wanted = |of: fn(&Membership, u64) -> bool| {
                        let rows = self.0.values().filter(|mem| of(mem, n) && after.is_none_or(|after| mem.id > after));
                        rows.map(|mem| mem.id).collect::<Vec<_>>()
                    };
                    let found = |rows: &mut dyn Iterator<Item = &Row>| rows.map(|row| row.id).collect::<Vec<_>>();
                    assert_eq!(found(&mut roster.of_org(org, after)), wanted(|mem, n| mem.org_id == id(n)));
                    assert_eq!(found(&mut roster.of_user(usr, after)), wanted(|mem, n| mem.usr_id == id(n)));
                }
                let owners =
                    self.0.values().filter(|mem| mem.org_id == org && mem.role == Role::Owner && mem.status == MembershipStatus::Active);
                assert!(roster.owners(org).map(|row| row.id).eq(owners.map(|mem| mem.id)));
                assert_eq!(roster.has_any(usr), self.0.values().any(|mem| mem.usr_id == usr));
                for m in 0..6 {
                    let current =
                        self.0.values().find(|mem| mem.org_id == org && mem.usr_id == id(m) && mem.status != MembershipStatus::Revoked);
                    assert_eq!(roster.current(org, id(m)).map(|row| row.id), current.map(|mem| mem.id));
                }
            }
        }
    }

    #[test]
    fn it_finds_what_sorted_maps_would_after_any_history() {
        let secrets = SeededSecrets::new(7);
        let mut bytes = [0; 4];
        let (mut roster, mut plain) = (Roster::default(), Plain::default());
        for step in 0..3_000 {
            secrets.fill(&mut bytes).unwrap();
            let [a, b, c, d] = bytes.map(u64::from);
            let mem: MembershipId = id(a % 40);
            if d % 4 == 0 {
                roster.remove(&mem);
                plain.0.remove(&mem);
            } else {
                // A row keeps its organization and user; two that are in force for one pair do not occur.
                let (org, usr) = plain.0.get(&mem).map_or((id(b % 6), id(c % 6)), |mem| (mem.org_id, mem.usr_id));
                let taken = plain.0.values().any(|other| {
                    other.id != mem && (other.org_id, other.usr_id) == (org, usr) && other.status != MembershipStatus::Revoked
                });
                let status = if taken || d % 3 == 0 { MembershipStatus::Revoked } else { MembershipStatus::Active };
                let row = Membership {
                    id: mem,
                    usr_id: usr,
                    org_id: org,
                    role: if d % 2 == 0 { Role::Owner } else { Role::Member },
                    status,
                    replaces: None,
                    invited_by: (d % 5 == 0).then(|| id(9)),
                    removed_by: None,
                    expires_at: None,
                    metadata: Metadata::default(),
                    created_at: Timestamp::MIN,
                    updated_at: Timestamp::MIN,
                };
                plain.0.insert(mem, row.clone());
                roster.put(row);
            }
            if step % 10 == 0 {
                plain.check(&roster);
            }
        }
        plain.check(&roster);
    }

    #[test]
    fn a_row_is_packed() {
        assert!(size_of::<Option<Row>>() <= 80, "{}", size_of::<Option<Row>>());
    }
}
