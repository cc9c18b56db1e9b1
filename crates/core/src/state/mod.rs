//! The state itself, in memory: the definition of what a load shows ([`State::load`]), what a change means
//! ([`State::apply`]) and what a read answers. The memory store is this behind a lock; the other stores are compared with it.

mod access;
mod apply;
mod facts;
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

use self::access::AccessRows;
use self::log::Log;
use self::relations::Relations;
use self::roster::{Roster, Row};
use self::table::{Keyed, Table};

use crate::access::{Group, GroupMember, GroupRole, Permission, PermissionGrant};
use crate::change::Plan;
use crate::entity::{Invitation, Membership, Organization, User};
use crate::event::Event;
use crate::id::{InvitationId, OrgId, TupleId, UserId};
use crate::role::RoleDefinition;
use crate::stamps::Touched;
use crate::time::Timestamp;
use crate::tuple::{EntityRef, Tuple};
use crate::value::{Description, Identifier, Name, PermissionSlug, Slug};

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
    access: AccessRows,
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
    /// The revision of what belongs to no organization: the roles of the system and the catalog.
    pub system_revision: u64,
    /// The revisions of the structures of the organizations' trees, which are not on the wire; 0 but for roots.
    pub structure_revisions: Vec<u64>,
    /// The catalog by slug; names and so on as they were given.
    pub permissions: Vec<PermissionRow>,
    /// Roles by id, without what they grant.
    pub roles: Vec<RoleDefinition>,
    /// What roles grant, and overrides: by holder and permission.
    pub grants: Vec<PermissionGrant>,
    /// Groups by id.
    pub groups: Vec<Group>,
    /// Who is in groups, by group and user.
    pub group_members: Vec<GroupMember>,
    /// The roles of groups, by group and role.
    pub group_roles: Vec<GroupRole>,
    /// Events of organizations by organization and revision, then those of none by id.
    pub events: Vec<Event>,
}

/// An entry of the catalog as it is stored: what was not said is null.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PermissionRow {
    /// Its key.
    pub slug: PermissionSlug,
    /// The name that was given.
    pub name: Option<Name>,
    /// The description that was given.
    pub description: Option<Description>,
    /// The category that was given.
    pub category: Option<Name>,
    /// When the row was made.
    pub created_at: Timestamp,
    /// When one of the fields last changed.
    pub updated_at: Timestamp,
}

impl From<Permission> for PermissionRow {
    fn from(permission: Permission) -> Self {
        let Permission { slug, name, description, category, created_at, updated_at } = permission;
        Self { slug, name, description, category, created_at, updated_at }
    }
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
        self.structure_revisions = self.organizations.iter().map(|org| org.structure_revision).collect();
        self.permissions.sort_by(|one, other| one.slug.cmp(&other.slug));
        self.roles.sort_by_key(|role| role.id);
        self.grants.sort_by(|one, other| (one.holder, &one.permission).cmp(&(other.holder, &other.permission)));
        self.groups.sort_by_key(|group| group.id);
        self.group_members.sort_by_key(|row| (row.group_id, row.usr_id));
        self.group_roles.sort_by_key(|row| (row.group_id, row.role.id()));
        self.ancestors = self.organizations.iter().map(|org| org.ancestors.clone()).collect();
        self
    }
}

impl State {
    /// A state without rows.
    pub fn new() -> Self {
        Self::default()
    }

    /// Notes what a plan, which has been applied, touched of that which permissions rest on.
    pub fn note_touched(&self, plan: &Plan, touched: &mut Touched) {
        touched.add(plan, |org| self.orgs.get(&org).and_then(|org| org.ancestors.first().copied()).unwrap_or(org));
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
            system_revision: self.access.revision,
            permissions: self.access.permissions.values().cloned().map(PermissionRow::from).collect(),
            roles: self.access.roles.values().cloned().collect(),
            grants: self.access.grants.values().cloned().collect(),
            groups: self.access.groups.values().cloned().collect(),
            group_members: self.access.members.values().cloned().collect(),
            group_roles: self.access.group_roles.values().cloned().collect(),
            events: self.log.values().cloned().collect(),
            ..Dump::default()
        }
        .sorted()
    }
}
