//! What resolutions rest on, and what lists of access answer.

use std::collections::BTreeSet;
use std::ops::Bound;
use std::slice;

use super::State;
use super::roster::Row;
use crate::access::Holder;
use crate::entity::{MembershipStatus, Organization};
use crate::id::{GroupId, MembershipId, OrgId, RoleId, UserId};
use crate::permissions::{Facts, FactsQuery, Held, OrgFacts, RoleFacts};
use crate::query::{AccessFound, AccessQuery, Window};
use crate::role::{Role, RoleDefinition};
use crate::time::Timestamp;
use crate::value::PermissionSlug;

fn org_facts(org: &Organization) -> OrgFacts {
    OrgFacts { ancestors: org.ancestors.clone(), ..place_facts(org) }
}

/// Without what stands above it.
fn place_facts(org: &Organization) -> OrgFacts {
    OrgFacts {
        id: org.id,
        ancestors: Vec::new(),
        status: org.status,
        cascade_permissions: org.cascade_permissions,
        inherit_permissions: org.inherit_permissions,
        revision: org.revision,
    }
}

fn held(mem: &Row) -> Held {
    Held { id: mem.id, role: mem.role(), status: mem.status, expires_at: mem.expires_at() }
}

fn role_facts(role: &RoleDefinition) -> RoleFacts {
    RoleFacts { role: role.held(), org_id: role.org_id, inherits_to_descendants: role.inherits_to_descendants }
}

fn take<T, I>(rows: impl Iterator<Item = T>, window: &Window<I>) -> Vec<T> {
    rows.take(usize::try_from(window.fetch).unwrap_or(usize::MAX)).collect()
}

impl State {
    /// The rows that a resolution of each ask rests on: the organization and all above it with their overrides, the user's row, the
    /// user's memberships along the way with their roles and overrides, and the user's groups in the organization with their roles;
    /// and the same for the organizations so many levels below where the user has a membership. Of what is granted or denied,
    /// only what concerns the permissions named. Roles and groups that are named come with what they grant. Or, where only revisions are
    /// asked for, nothing but the organizations, the user's row and the memberships below; or, where only what is held is asked for, what
    /// that takes.
    pub fn facts(&self, query: &FactsQuery) -> Facts {
        let FactsQuery { asks, permissions, below, grantors, roles, groups, only_revisions, holding, resolving } = query;
        let mut facts = Facts::default();
        facts.set_system_revision(self.access.revision);
        if *only_revisions {
            for (usr, org) in asks {
                self.places_of(&mut facts, *usr, *org);
                for lower in self.memberships_below(*usr, *org, *below) {
                    self.places_of(&mut facts, *usr, lower);
                    if let Some(mem) = self.memberships.current(lower, *usr) {
                        facts.add_membership(*usr, lower, held(mem));
                    }
                }
            }
            return facts;
        }
        for (usr, org, permission) in holding {
            self.facts_about(&mut facts, (*usr, *org, *below), Some(slice::from_ref(permission)), true);
        }
        for (usr, org) in asks.iter().filter(|_| holding.is_empty()) {
            self.facts_about(&mut facts, (*usr, *org, *below), permissions.as_deref(), *resolving);
            if *grantors {
                self.grantors(&mut facts, *org, permissions.as_deref().unwrap_or_default());
            }
        }
        for group in groups {
            self.add_group_roles(&mut facts, *group, permissions.as_deref());
        }
        for role in roles {
            self.add_role(&mut facts, *role, permissions.as_deref());
        }
        for slug in permissions.iter().flatten().filter(|slug| self.access.permissions.contains_key(*slug)) {
            facts.add_known(slug.clone());
        }
        facts
    }

    /// The user's row, and the organization with all above it.
    fn places_of(&self, facts: &mut Facts, usr: UserId, org: OrgId) {
        if let Some(user) = self.users.get(&usr) {
            facts.add_user(usr, user.status, user.revision);
        }
        for org in self.orgs.get(&org).into_iter().flat_map(|target| self.path_of(target)) {
            facts.add_org(org_facts(org));
        }
    }

    /// What concerns a user in an organization, and in those so many levels below it where they have a membership.
    fn facts_about(&self, facts: &mut Facts, (usr, org, below): (UserId, OrgId, u32), only: Option<&[PermissionSlug]>, least: bool) {
        self.facts_of(facts, usr, org, only, least);
        for lower in self.memberships_below(usr, org, below) {
            self.facts_of(facts, usr, lower, only, least);
        }
    }

    fn facts_of(&self, facts: &mut Facts, usr: UserId, org: OrgId, only: Option<&[PermissionSlug]>, least: bool) {
        if let Some(user) = self.users.get(&usr) {
            facts.add_user(usr, user.status, user.revision);
        }
        let Some(target) = self.orgs.get(&org) else { return };
        let is_member = self.memberships.current(org, usr).is_some();
        for place in self.path_of(target) {
            let is_above = place.id != org;
            if least && is_above {
                facts.add_org_above(place_facts(place));
            } else {
                facts.add_org(org_facts(place));
            }
            self.add_grants(facts, Holder::Organization(place.id), only);
            if least && is_above && is_member {
                continue;
            }
            if let Some(mem) = self.memberships.current(place.id, usr) {
                facts.add_membership(usr, place.id, held(mem));
                self.add_grants(facts, Holder::Membership(mem.id), only);
                self.add_role(facts, mem.role().id(), only);
            }
        }
        for row in self.access.members_in(org, Some(usr)) {
            facts.add_group(usr, org, row.group_id, row.expires_at);
            self.add_group_roles(facts, row.group_id, only);
        }
    }

    fn add_group_roles(&self, facts: &mut Facts, group: GroupId, only: Option<&[PermissionSlug]>) {
        for role in self.access.roles_of(group) {
            facts.add_group_role(group, role.role.id(), role.expires_at);
            self.add_role(facts, role.role.id(), only);
        }
    }

    fn add_role(&self, facts: &mut Facts, role: RoleId, only: Option<&[PermissionSlug]>) {
        if let Some(row) = self.access.roles.get(&role) {
            facts.add_role(role_facts(row));
        }
        self.add_grants(facts, Holder::Role(role), only);
    }

    fn add_grants(&self, facts: &mut Facts, holder: Holder, only: Option<&[PermissionSlug]>) {
        let row = |row: &crate::access::PermissionGrant| (row.permission.clone(), (row.effect, row.expires_at));
        let Some(only) = only else { return facts.add_grants(holder, self.access.grants_of(holder).map(row)) };
        for row in only.iter().filter_map(|slug| self.access.grants.get(&(holder, slug.clone()))) {
            facts.add_grant(holder, row.permission.clone(), row.effect, row.expires_at);
        }
    }

    fn grantors(&self, facts: &mut Facts, org: OrgId, permissions: &[PermissionSlug]) {
        let place = self.orgs.get(&org);
        let here = |home| place.is_some_and(|org| org.id == home || org.ancestors.contains(&home));
        let known = |role: &&RoleDefinition| role.org_id.is_none_or(here);
        for role in self.access.roles.values().filter(known) {
            let gives = |slug: &PermissionSlug| self.access.grants.contains_key(&(Holder::Role(role.id), slug.clone()));
            if permissions.iter().any(gives) {
                self.add_role(facts, role.id, Some(permissions));
            }
        }
    }

    /// The organizations at most so many levels below one where the user has a membership that is not revoked, in order of id.
    fn memberships_below(&self, usr: UserId, org: OrgId, levels: u32) -> Vec<OrgId> {
        if levels == 0 {
            // Nobody reads upwards, and somebody may have many memberships.
            return Vec::new();
        }
        let levels = usize::try_from(levels).unwrap_or(usize::MAX);
        let current = self.memberships.of_user(usr, None).filter(|mem| mem.status != MembershipStatus::Revoked);
        let is_below = |lower: &OrgId| {
            let above = self.orgs.get(lower).map(|lower| lower.ancestors.as_slice()).unwrap_or_default();
            above.iter().rev().take(levels).any(|above| *above == org)
        };
        let found: BTreeSet<OrgId> = current.map(|mem| mem.org_id).filter(is_below).collect();
        found.into_iter().collect()
    }

    /// What concerns access, as of a moment.
    pub fn read_access(&self, query: &AccessQuery, at: Timestamp) -> AccessFound {
        let rows = &self.access;
        let mut found = AccessFound { there: true, ..AccessFound::default() };
        let of_group = |group: GroupId| rows.groups.get(&group);
        match query {
            AccessQuery::Permissions { after, fetch } => {
                let start = after.clone().map_or(Bound::Unbounded, Bound::Excluded);
                let window: Window<MembershipId> = Window { after: None, fetch: *fetch };
                found.permissions = take(rows.permissions.range((start, Bound::Unbounded)).map(|(_, row)| row.clone()), &window);
            }
            AccessQuery::Role(id) => {
                found.roles = rows.roles.get(id).map(|role| rows.seen(role, at)).into_iter().collect();
                found.there = !found.roles.is_empty();
                found.org_id = found.roles.first().and_then(|role| role.org_id);
            }
            AccessQuery::Roles { org, window } => {
                let place = org.and_then(|org| self.orgs.get(&org));
                found.there = org.is_none() || place.is_some();
                found.org_id = *org;
                let known = |role: &&RoleDefinition| {
                    let here = |home| place.is_some_and(|org| org.id == home || org.ancestors.contains(&home));
                    role.org_id.is_none_or(here)
                };
                let start = window.after.map_or(Bound::Unbounded, Bound::Excluded);
                let behind = rows.roles.range((start, Bound::Unbounded)).map(|(_, role)| role).filter(known);
                found.roles = if found.there { take(behind.map(|role| rows.seen(role, at)), window) } else { Vec::new() };
            }
            AccessQuery::Group(id) => {
                found.groups = of_group(*id).cloned().into_iter().collect();
                found.there = !found.groups.is_empty();
                found.org_id = found.groups.first().map(|group| group.org_id);
            }
            AccessQuery::Groups { org, window } => {
                found.there = self.orgs.contains(org);
                found.org_id = Some(*org);
                found.groups = take(rows.groups_of(*org, window.after).cloned(), window);
            }
            AccessQuery::GroupMembers { group, window } => {
                found.org_id = of_group(*group).map(|group| group.org_id);
                found.there = found.org_id.is_some();
                found.members = take(rows.members_of(*group, window.after).cloned(), window);
            }
            AccessQuery::GroupRoles { group, window } => {
                found.org_id = of_group(*group).map(|group| group.org_id);
                found.there = found.org_id.is_some();
                let behind = |row: &&crate::access::GroupRole| window.after.is_none_or(|after| row.role.id() > after);
                found.group_roles = take(rows.roles_of(*group).filter(behind).cloned(), window);
            }
            AccessQuery::Grants { holder, after, fetch } => {
                let (there, org) = match holder {
                    Holder::Role(id) => (rows.roles.contains_key(id), rows.roles.get(id).and_then(|role| role.org_id)),
                    Holder::Organization(id) => (self.orgs.contains(id), Some(*id)),
                    Holder::Membership(id) => (self.memberships.get(id).is_some(), self.memberships.get(id).map(|mem| mem.org_id)),
                };
                (found.there, found.org_id) = (there, org);
                let behind = |row: &&crate::access::PermissionGrant| after.as_ref().is_none_or(|after| row.permission > *after);
                let window: Window<MembershipId> = Window { after: None, fetch: *fetch };
                found.grants = take(rows.grants_of(*holder).filter(behind).cloned(), &window);
            }
            AccessQuery::UsersAbout { org, below, window } => self.users_about(*org, *below, window, &mut found),
            AccessQuery::PairsWithin { org, also, below, after, orgs, fetch } => {
                self.pairs_within((*org, *also, *below), *after, (*orgs, *fetch), &mut found);
            }
            AccessQuery::OrgsAbout { usr, above, window } => {
                let orgs = self.orgs_about(*usr, *above);
                found.orgs = take(orgs.into_iter().filter(|org| window.after.is_none_or(|after| *org > after)), window);
            }
        }
        found
    }

    fn users_about(&self, org: OrgId, below: u32, window: &Window<UserId>, found: &mut AccessFound) {
        let place = self.orgs.get(&org);
        found.there = place.is_some();
        found.org_id = Some(org);
        let Some(place) = place else { return };
        let mut orgs: Vec<OrgId> = self.path_of(place).map(|org| org.id).collect();
        let levels = usize::try_from(below).unwrap_or(usize::MAX);
        if levels > 0 {
            let near = |lower: &OrgId| self.orgs.get(lower).is_some_and(|lower| lower.ancestors.len() <= place.ancestors.len() + levels);
            orgs.extend(self.subtree(org).into_iter().filter(|lower| *lower != org).filter(near));
        }
        let users: BTreeSet<UserId> = orgs.iter().flat_map(|org| self.current_of_org(*org)).map(|mem| mem.usr_id).collect();
        found.users = take(users.into_iter().filter(|usr| window.after.is_none_or(|after| *usr > after)), window);
    }

    fn pairs_within(
        &self,
        (org, also, below): (OrgId, Option<OrgId>, u32),
        after: Option<(OrgId, UserId)>,
        (most_orgs, fetch): (u32, u32),
        found: &mut AccessFound,
    ) {
        found.there = self.orgs.contains(&org);
        found.org_id = Some(org);
        if !found.there {
            return;
        }
        let mut orgs: Vec<OrgId> = self.subtree(org).into_iter().filter(|org| after.is_none_or(|(after, _)| *org >= after)).collect();
        orgs.sort_unstable();
        orgs.truncate(usize::try_from(most_orgs).unwrap_or(usize::MAX));
        let most = usize::try_from(fetch).unwrap_or(usize::MAX);
        for org in &orgs {
            let behind = after.filter(|(there, _)| there == org).map(|(_, usr)| usr);
            let window = Window { after: behind, fetch };
            let mut users = BTreeSet::new();
            for (place, below) in also.map(|also| (also, 0)).into_iter().chain([(*org, below)]) {
                let mut about = AccessFound::default();
                self.users_about(place, below, &window, &mut about);
                users.extend(about.users);
            }
            found.pairs.extend(users.into_iter().map(|usr| (*org, usr)).take(most - found.pairs.len()));
            if found.pairs.len() == most {
                break;
            }
        }
        found.orgs = orgs;
    }

    fn orgs_about(&self, usr: UserId, above: u32) -> BTreeSet<OrgId> {
        let levels = usize::try_from(above).unwrap_or(usize::MAX);
        let mut orgs = BTreeSet::new();
        for mem in self.memberships.of_user(usr, None).filter(|mem| mem.status != MembershipStatus::Revoked) {
            orgs.insert(mem.org_id);
            let role: Role = mem.role();
            if self.access.roles.get(&role.id()).is_some_and(|role| role.inherits_to_descendants) {
                orgs.extend(self.subtree(mem.org_id));
            }
            let higher = self.orgs.get(&mem.org_id).map(|org| org.ancestors.as_slice()).unwrap_or_default();
            orgs.extend(higher.iter().rev().take(levels));
        }
        orgs
    }
}
