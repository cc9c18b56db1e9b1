//! What all threads share: for each organization the state that answers were given in, and who holds what there.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use foldhash::fast::RandomState;
use hashbrown::HashMap;

use super::mask::Mask;
use crate::id::{OrgId, UserId};
use crate::permissions::{PermissionToken, Span};
use crate::time::Timestamp;

/// Answers by organization, of which those asked for least lately are forgotten first.
#[derive(Debug)]
pub(super) struct Kept {
    orgs: HashMap<OrgId, Snapshot, RandomState>,
    /// Sets of permissions, each once: most members of an organization hold the same, and so do those of others.
    masks: HashSet<Arc<Mask>, RandomState>,
    /// At so many, those that nobody holds any more are dropped.
    prune_at: usize,
    /// How many answers there are.
    count: usize,
    most: usize,
    /// Rises with each use.
    tick: u64,
}

/// An organization in one state: everything but the users' own rows stands in it once.
#[derive(Debug)]
struct Snapshot {
    used: u64,
    system: u64,
    /// Root first, the organization last.
    chain: Box<[(OrgId, u64)]>,
    /// When the first of the answers was given.
    begun: Timestamp,
    users: BTreeMap<UserId, Cell>,
    /// What only some answers have.
    rare: Option<Box<Rare>>,
}

/// One user's answer.
#[derive(Debug)]
struct Cell {
    /// That of the user's row; none of a user without one.
    revision: u64,
    mask: Arc<Mask>,
    /// How many thousandths of a second behind the first it was given, not rounded up.
    behind: u32,
}

/// The revision of a user's row that is not there: none gets so far.
const NO_ROW: u64 = u64::MAX;

#[derive(Debug, Default)]
struct Rare {
    /// Answers that rest on something with an end.
    spans: BTreeMap<UserId, Span>,
    /// Answers that rest on organizations below.
    below: BTreeMap<UserId, Box<[(OrgId, u64)]>>,
}

/// What is kept of one user in one organization.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) token: PermissionToken,
    pub(super) mask: Arc<Mask>,
    pub(super) span: Span,
    /// The moment at which the state was surely not older.
    pub(super) at: Timestamp,
}

impl Snapshot {
    fn new(token: &PermissionToken, chain: &[(OrgId, u64)], begun: Timestamp) -> Self {
        let chain = chain.into();
        Self { used: 0, system: token.system, chain, begun, users: BTreeMap::new(), rare: None }
    }

    fn is_of(&self, token: &PermissionToken, chain: &[(OrgId, u64)]) -> bool {
        self.system == token.system && *self.chain == *chain
    }

    /// Whether it shows a later state than this in some part, and an earlier one in none.
    fn is_newer_than(&self, token: &PermissionToken, chain: &[(OrgId, u64)]) -> bool {
        let both = || self.chain.iter().filter_map(|(org, here)| Some((*here, chain.iter().find(|(id, _)| id == org)?.1)));
        let parts = || both().chain([(self.system, token.system)]);
        parts().all(|(here, there)| here >= there) && parts().any(|(here, there)| here > there)
    }

    fn entry(&self, usr: UserId) -> Option<Entry> {
        let cell = self.users.get(&usr)?;
        let mask = Arc::clone(&cell.mask);
        let rare = self.rare.as_deref();
        let below = rare.and_then(|rare| rare.below.get(&usr)).map(|below| &**below).unwrap_or_default();
        let orgs = self.chain.iter().chain(below).copied().collect();
        let of_row = Some(cell.revision).filter(|revision| *revision != NO_ROW);
        let span = rare.and_then(|rare| rare.spans.get(&usr)).copied().unwrap_or_default();
        let at = self.begun.plus_micros(i64::from(cell.behind) * 1000);
        Some(Entry { token: PermissionToken { system: self.system, user: of_row, orgs }, mask, span, at })
    }

    /// How far behind the first answer a moment is, rounded towards it.
    fn behind(&self, at: Timestamp) -> u32 {
        u32::try_from((at.as_micros() - self.begun.as_micros()).max(0) / 1000).unwrap_or(u32::MAX)
    }

    /// Keeps an answer; whether it is one more.
    fn keep(&mut self, usr: UserId, below: &[(OrgId, u64)], entry: &Entry) -> bool {
        // A clock that was put back must not make it look younger than it is: all of them look older instead.
        self.begun = self.begun.min(entry.at);
        let cell = Cell { revision: entry.token.user.unwrap_or(NO_ROW), mask: Arc::clone(&entry.mask), behind: self.behind(entry.at) };
        if entry.span != Span::default() || !below.is_empty() || self.rare.is_some() {
            let rare = self.rare.get_or_insert_default();
            rare.spans.remove(&usr);
            rare.below.remove(&usr);
            if entry.span != Span::default() {
                rare.spans.insert(usr, entry.span);
            }
            if !below.is_empty() {
                rare.below.insert(usr, below.into());
            }
        }
        self.users.insert(usr, cell).is_none()
    }
}

/// Organizations, each with a revision.
type Revisions = [(OrgId, u64)];

/// The part of a token that is the organization's chain, and what stands behind it.
fn parts(org: OrgId, token: &PermissionToken) -> Option<(&Revisions, &Revisions)> {
    let last = token.orgs.iter().position(|(id, _)| *id == org)?;
    token.orgs.split_at_checked(last + 1)
}

impl Kept {
    /// At most so many answers; at least one.
    pub(super) fn new(most: usize) -> Self {
        let (orgs, masks) = (HashMap::default(), HashSet::default());
        Self { orgs, masks, prune_at: 64, count: 0, most: most.max(1), tick: 0 }
    }

    pub(super) fn clear(&mut self) {
        *self = Self { tick: self.tick, ..Self::new(self.most) };
    }

    /// How many answers are kept.
    pub(super) const fn len(&self) -> usize {
        self.count
    }

    pub(super) fn get(&mut self, usr: UserId, org: OrgId) -> Option<Entry> {
        self.tick += 1;
        let snapshot = self.orgs.get_mut(&org)?;
        snapshot.used = self.tick;
        snapshot.entry(usr)
    }

    /// An answer was found to be that of a later moment as well.
    pub(super) fn renew(&mut self, usr: UserId, org: OrgId, entry: &Entry) {
        let Some(snapshot) = self.orgs.get_mut(&org) else { return };
        let is_same = snapshot.entry(usr).is_some_and(|there| there.token == entry.token);
        let behind = snapshot.behind(entry.at);
        if let Some(cell) = snapshot.users.get_mut(&usr).filter(|_| is_same) {
            cell.behind = cell.behind.max(behind);
        }
    }

    /// The set of permissions that equals this one, kept once.
    pub(super) fn one_of(&mut self, mask: Mask) -> Arc<Mask> {
        if let Some(there) = self.masks.get(&mask) {
            return Arc::clone(there);
        }
        if self.masks.len() >= self.prune_at {
            self.masks.retain(|mask| Arc::strong_count(mask) > 1);
            self.prune_at = (2 * self.masks.len()).max(64);
        }
        let mask = Arc::new(mask);
        self.masks.insert(Arc::clone(&mask));
        mask
    }

    pub(super) fn put(&mut self, usr: UserId, org: OrgId, entry: &Entry) {
        let Some((chain, below)) = parts(org, &entry.token) else { return };
        self.tick += 1;
        let snapshot = self.orgs.entry(org).or_insert_with(|| Snapshot::new(&entry.token, chain, entry.at));
        if !snapshot.is_of(&entry.token, chain) {
            // A slow read may come in behind a later one.
            if snapshot.is_newer_than(&entry.token, chain) {
                return;
            }
            self.count -= snapshot.users.len();
            *snapshot = Snapshot::new(&entry.token, chain, entry.at);
        }
        snapshot.used = self.tick;
        self.count += usize::from(snapshot.keep(usr, below, entry));
        if self.count > self.most {
            self.make_room(usr, org, entry);
        }
    }

    /// Forgets the organizations asked about least lately, until an eighth of the room is free: so the search for them is paid by many.
    fn make_room(&mut self, usr: UserId, org: OrgId, entry: &Entry) {
        let goal = self.most - self.most / 8;
        let mut by_use: Vec<(u64, OrgId)> =
            self.orgs.iter().map(|(id, snapshot)| (snapshot.used, *id)).filter(|(_, id)| *id != org).collect();
        by_use.sort_unstable();
        for (_, id) in by_use {
            if self.count <= goal {
                return;
            }
            self.count -= self.orgs.remove(&id).map_or(0, |gone| gone.users.len());
        }
        if self.count <= self.most {
            return;
        }
        // This one alone has more than there is room for: it begins anew.
        if let (Some((chain, below)), Some(snapshot)) = (parts(org, &entry.token), self.orgs.get_mut(&org)) {
            *snapshot = Snapshot { used: self.tick, ..Snapshot::new(&entry.token, chain, entry.at) };
            snapshot.keep(usr, below, entry);
            self.count = 1;
        }
    }
}
