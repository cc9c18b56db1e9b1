//! The rows of a dump by id, and what holds of the rows of every table.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use super::{Found, Invariant};
use crate::entity::{Membership, Organization, User};
use crate::event::Event;
use crate::id::{AnyId, Id, MembershipId, OrgId, UserId};
use crate::state::Dump;
use crate::time::Timestamp;

/// How many rows a finding lists where there may be many.
pub(super) const LISTED: usize = 20;

/// The rows of a dump.
#[derive(Debug)]
pub(super) struct Rows<'d> {
    pub(super) dump: &'d Dump,
    pub(super) now: Timestamp,
    pub(super) users: HashMap<UserId, &'d User>,
    pub(super) orgs: HashMap<OrgId, &'d Organization>,
    pub(super) memberships: HashMap<MembershipId, &'d Membership>,
    pub(super) logs: HashMap<OrgId, Log<'d>>,
    /// Events that belong to no organization.
    pub(super) store_events: Vec<&'d Event>,
}

/// The events of an organization, by revision.
#[derive(Debug, Default)]
pub(super) struct Log<'d> {
    pub(super) events: Vec<&'d Event>,
    /// Numbered from 1 without a gap.
    pub(super) is_numbered: bool,
}

impl<'d> Rows<'d> {
    pub(super) fn new(dump: &'d Dump, now: Timestamp) -> Self {
        let mut logs: HashMap<OrgId, Log<'d>> = HashMap::new();
        let mut store_events = Vec::new();
        for event in &dump.events {
            match event.org_id {
                Some(org) => logs.entry(org).or_default().events.push(event),
                None => store_events.push(event),
            }
        }
        for log in logs.values_mut() {
            log.events.sort_by_key(|event| (event.revision, event.id));
            log.is_numbered = log.events.iter().zip(1..).all(|(event, number)| event.revision == Some(number));
        }
        Self {
            dump,
            now,
            users: dump.users.iter().map(|user| (user.id, user)).collect(),
            orgs: dump.organizations.iter().map(|org| (org.id, org)).collect(),
            memberships: dump.memberships.iter().map(|mem| (mem.id, mem)).collect(),
            logs,
            store_events,
        }
    }

    /// What holds in every table: ids are unique, and the organization of a row is there.
    pub(super) fn check(&self, found: &mut Found) {
        let Dump {
            users,
            user_revisions: _,
            organizations,
            ancestors: _,
            structure_revisions: _,
            slugs,
            memberships,
            invitations,
            tuples,
            system_revision: _,
            permissions: _,
            roles,
            grants: _,
            groups,
            group_members: _,
            group_roles: _,
            events,
        } = self.dump;
        once("user_account", users.iter().map(|row| row.id), found);
        once("organization", organizations.iter().map(|row| row.id), found);
        once("membership", memberships.iter().map(|row| row.id), found);
        once("invitation", invitations.iter().map(|row| row.id), found);
        once("tuple", tuples.iter().map(|row| row.id), found);
        once("role", roles.iter().map(|row| row.id), found);
        once("user_group", groups.iter().map(|row| row.id), found);
        once("event", events.iter().map(|row| row.id), found);
        let mut held = HashMap::new();
        for (slug, org) in slugs {
            match held.entry(slug) {
                Entry::Vacant(free) => drop(free.insert(*org)),
                Entry::Occupied(other) => {
                    let ids = [other.get().any(), org.any()];
                    found.add(Invariant::IdOnce, "organization_slug", &ids, format!("the slug `{slug}` is held twice"));
                }
            }
        }

        self.org_there("membership", memberships.iter().map(|row| (row.id, Some(row.org_id))), found);
        self.org_there("invitation", invitations.iter().map(|row| (row.id, Some(row.org_id))), found);
        self.org_there("tuple", tuples.iter().map(|row| (row.id, row.org_id)), found);
        self.org_there("role", roles.iter().map(|row| (row.id, row.org_id)), found);
        self.org_there("user_group", groups.iter().map(|row| (row.id, Some(row.org_id))), found);
        self.org_there("event", events.iter().map(|row| (row.id, row.org_id)), found);
    }

    /// One finding for all rows of an organization that is not there: it took them with it.
    fn org_there<I: Id>(&self, table: &str, rows: impl Iterator<Item = (I, Option<OrgId>)>, found: &mut Found) {
        let mut lost: BTreeMap<OrgId, Vec<AnyId>> = BTreeMap::new();
        for (id, org) in rows {
            if let Some(org) = org.filter(|org| !self.orgs.contains_key(org)) {
                lost.entry(org).or_default().push(id.any());
            }
        }
        for (org, mut ids) in lost {
            let message = format!("their organization {org} is not there; rows: {}", ids.len());
            ids.truncate(LISTED);
            found.add(Invariant::OrgThere, table, &ids, message);
        }
    }

    /// The events of an organization that is there, where none of them is missing: only these say what the rows must be.
    pub(super) fn whole_logs(&self) -> impl Iterator<Item = (&'d Organization, &Log<'d>)> {
        self.dump.organizations.iter().filter_map(|org| Some((org, self.whole_log(org)?)))
    }

    pub(super) fn whole_log(&self, org: &Organization) -> Option<&Log<'d>> {
        let log = self.logs.get(&org.id)?;
        (log.is_numbered && count(log.events.len()) >= org.revision).then_some(log)
    }
}

fn once<I: Id>(table: &str, ids: impl Iterator<Item = I>, found: &mut Found) {
    let mut seen = HashSet::new();
    let twice: BTreeSet<_> = ids.map(|id| id.any()).filter(|id| !seen.insert(*id)).collect();
    for id in twice {
        found.add(Invariant::IdOnce, table, &[id], "several rows have the id");
    }
}

pub(super) fn count(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}
