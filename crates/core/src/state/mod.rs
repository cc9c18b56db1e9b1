//! The state itself, in memory: the definition of what a load shows ([`State::load`]), what a change means
//! ([`State::apply`]) and what a read answers. The memory store is this behind a lock; the other stores are compared with it.

mod apply;
mod load;
mod read;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde::Serialize;

use crate::entity::{Membership, Organization, User};
use crate::event::Event;
use crate::id::{EventId, MembershipId, OrgId, UserId};
use crate::value::Slug;

/// Every row of a store.
#[derive(Debug, Default)]
pub struct State {
    users: BTreeMap<UserId, User>,
    orgs: BTreeMap<OrgId, Organization>,
    slugs: BTreeMap<Slug, OrgId>,
    memberships: HashMap<MembershipId, Membership>,
    /// Parent and child.
    children: BTreeSet<(OrgId, OrgId)>,
    /// All memberships of an organization, of a user; the one of each pair that is not revoked; active owners.
    by_org: BTreeSet<(OrgId, MembershipId)>,
    by_user: BTreeSet<(UserId, MembershipId)>,
    current: HashMap<(OrgId, UserId), MembershipId>,
    owners: BTreeSet<(OrgId, MembershipId)>,
    /// Events of each organization, revision 1 first.
    events: HashMap<OrgId, Vec<Event>>,
    store_events: BTreeMap<EventId, Event>,
    event_ids: HashMap<EventId, Option<(OrgId, u64)>>,
}

/// Every row of a store in a fixed order, for comparing stores with each other.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Dump {
    /// Users by id.
    pub users: Vec<User>,
    /// The users' revisions, which are not on the wire.
    pub user_revisions: Vec<u64>,
    /// Organizations by id.
    pub organizations: Vec<Organization>,
    /// The organizations' ancestors, which are not on the wire.
    pub ancestors: Vec<Vec<OrgId>>,
    /// Slugs with their holders.
    pub slugs: Vec<(Slug, OrgId)>,
    /// Memberships by id, as stored.
    pub memberships: Vec<Membership>,
    /// Events of organizations by organization and revision, then those of none by id.
    pub events: Vec<Event>,
}

impl Dump {
    /// A dump of rows in any order.
    pub fn new(
        mut users: Vec<User>,
        mut organizations: Vec<Organization>,
        mut slugs: Vec<(Slug, OrgId)>,
        mut memberships: Vec<Membership>,
        mut events: Vec<Event>,
    ) -> Self {
        users.sort_by_key(|user| user.id);
        organizations.sort_by_key(|org| org.id);
        slugs.sort();
        memberships.sort_by_key(|mem| mem.id);
        events.sort_by_key(|event| (event.org_id.is_none(), event.org_id, event.revision, event.id));
        let user_revisions = users.iter().map(|user| user.revision).collect();
        let ancestors = organizations.iter().map(|org| org.ancestors.clone()).collect();
        Self { users, user_revisions, organizations, ancestors, slugs, memberships, events }
    }
}

impl State {
    /// A state without rows.
    pub fn new() -> Self {
        Self::default()
    }

    /// Every row, in a fixed order.
    pub fn dump(&self) -> Dump {
        let events = self.events.values().flatten().chain(self.store_events.values());
        Dump::new(
            self.users.values().cloned().collect(),
            self.orgs.values().cloned().collect(),
            self.slugs.iter().map(|(slug, org)| (slug.clone(), *org)).collect(),
            self.memberships.values().cloned().collect(),
            events.cloned().collect(),
        )
    }
}
