//! The state itself, in memory: the definition of what a load shows ([`State::load`]), what a change means
//! ([`State::apply`]) and what a read answers. The memory store is this behind a lock; the other stores are compared with it.

mod apply;
mod load;
mod log;
mod places;
mod read;
mod relations;
mod repair;
mod roster;
mod table;
mod tuples;

pub use apply::UndoLog;

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use self::log::Log;
use self::relations::Relations;
use self::roster::{Roster, Row};
use self::table::{Keyed, Table};

use crate::entity::{Invitation, Membership, Organization, User};
use crate::event::Event;
use crate::id::{InvitationId, OrgId, TupleId, UserId};
use crate::tuple::{EntityRef, Tuple};
use crate::value::{Identifier, Slug};

/// Every row of a store.
#[derive(Debug, Default)]
pub struct State {
    users: Table<User>,
    orgs: Table<Organization>,
    /// The organizations' ids, in order.
    org_ids: BTreeSet<OrgId>,
    slugs: BTreeMap<Slug, OrgId>,
    memberships: Roster,
    /// Parent and child.
    children: BTreeSet<(OrgId, OrgId)>,
    invitations: BTreeMap<InvitationId, Invitation>,
    /// All invitations of an organization, for an identifier; the one of each pair that is stored as pending.
    invitations_of: BTreeSet<(OrgId, InvitationId)>,
    invitations_for: BTreeSet<(Identifier, InvitationId)>,
    pending: BTreeMap<(OrgId, Identifier), InvitationId>,
    tuples: Relations,
    /// Tuples of a subject; on an object; in a scope.
    tuples_of: BTreeSet<(EntityRef, TupleId)>,
    tuples_on: BTreeSet<(EntityRef, TupleId)>,
    tuples_in: BTreeSet<(OrgId, EntityRef, TupleId)>,
    log: Log,
}

impl Keyed for User {
    type Key = UserId;

    fn key(&self) -> UserId {
        self.id
    }
}

impl Keyed for Organization {
    type Key = OrgId;

    fn key(&self) -> OrgId {
        self.id
    }
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
    /// Invitations by id, as stored.
    pub invitations: Vec<Invitation>,
    /// Stored tuples by id.
    pub tuples: Vec<Tuple>,
    /// Events of organizations by organization and revision, then those of none by id.
    pub events: Vec<Event>,
}

impl Dump {
    /// The rows of this dump, which may be in any order, in the fixed one; what follows from other rows is made anew.
    #[must_use]
    pub fn sorted(mut self) -> Self {
        self.users.sort_by_key(|user| user.id);
        self.organizations.sort_by_key(|org| org.id);
        self.slugs.sort();
        self.memberships.sort_by_key(|mem| mem.id);
        self.invitations.sort_by_key(|inv| inv.id);
        self.tuples.sort_by_key(|tuple| tuple.id);
        self.events.sort_by_key(|event| (event.org_id.is_none(), event.org_id, event.revision, event.id));
        self.user_revisions = self.users.iter().map(|user| user.revision).collect();
        self.ancestors = self.organizations.iter().map(|org| org.ancestors.clone()).collect();
        self
    }
}

impl State {
    /// A state without rows.
    pub fn new() -> Self {
        Self::default()
    }

    /// Every row, in a fixed order.
    pub fn dump(&self) -> Dump {
        Dump {
            users: self.users.values().cloned().collect(),
            organizations: self.orgs.values().cloned().collect(),
            slugs: self.slugs.iter().map(|(slug, org)| (slug.clone(), *org)).collect(),
            memberships: self.memberships.values().map(Row::unpack).collect(),
            invitations: self.invitations.values().cloned().collect(),
            tuples: self.tuples.values().cloned().collect(),
            events: self.log.values().cloned().collect(),
            ..Dump::default()
        }
        .sorted()
    }
}
