//! A plan in the making.

use std::collections::BTreeMap;

use super::{Decision, Env};
use crate::change::{Change, Guard, Plan};
use crate::entity::{Membership, MembershipStatus, Organization, User};
use crate::event::{Actor, Event, EventData, EventType, Fields};
use crate::id::{AnyId, Id, MembershipId, OrgId, UserId};
use crate::load::OtherOwner;
use crate::role::Role;
use crate::time::Timestamp;

/// Collects guards, changes and events, and numbers the events of each organization.
#[derive(Debug)]
pub(super) struct Draft<'e, 'i> {
    env: &'e mut Env<'i>,
    users: BTreeMap<UserId, (Option<u64>, bool)>,
    orgs: BTreeMap<OrgId, (u64, u64)>,
    new_users: Option<Vec<UserId>>,
    born: BTreeMap<OrgId, u64>,
    changes: Vec<Change>,
    events: Vec<Event>,
}

impl<'e, 'i> Draft<'e, 'i> {
    pub(super) fn new(env: &'e mut Env<'i>) -> Self {
        let (users, orgs, born) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        Self { env, users, orgs, new_users: None, born, changes: Vec::new(), events: Vec::new() }
    }

    pub(super) fn now(&self) -> Timestamp {
        self.env.now
    }

    pub(super) fn actor(&self) -> &Actor {
        self.env.caller.actor()
    }

    pub(super) fn id<I: Id>(&mut self) -> I {
        self.env.id()
    }

    /// The decision holds only while the user's row stays as it is.
    pub(super) fn rely_on_user(&mut self, id: UserId, revision: Option<u64>) {
        self.users.entry(id).or_insert((revision, false));
    }

    /// The decision holds only while this owner acts.
    pub(super) fn rely_on_owner(&mut self, owner: Option<&OtherOwner>) {
        if let Some(owner) = owner {
            self.rely_on_user(owner.usr_id, owner.revision);
        }
    }

    /// The same, and others rely on what changes here: the user's status, or what they own.
    pub(super) fn advance_user(&mut self, id: UserId, row: Option<&User>) {
        self.users.insert(id, (row.map(|user| user.revision), true));
    }

    /// The decision holds only while the organization's revision stays as it is.
    pub(super) fn rely_on_org(&mut self, id: OrgId, revision: u64) {
        self.orgs.entry(id).or_insert((revision, 0));
    }

    /// The plan inserts users whose ids may be in use already, as external ones; these must not hold a membership.
    pub(super) fn brings_users(&mut self, without_memberships: Vec<UserId>) {
        self.new_users = Some(without_memberships);
    }

    pub(super) fn change(&mut self, change: Change) {
        self.changes.push(change);
    }

    /// An event of an organization that is there, which guards it.
    pub(super) fn event(&mut self, org: &Organization, kind: EventType, subjects: &[AnyId], before: Fields, after: Fields) {
        let (loaded, count) = self.orgs.entry(org.id).or_insert((org.revision, 0));
        *count += 1;
        let revision = *loaded + *count;
        self.push(Some((org.id, revision)), kind, subjects, before, after);
    }

    /// An event of an organization that this plan inserts.
    pub(super) fn first_event(&mut self, org: OrgId, kind: EventType, subjects: &[AnyId], after: Fields) {
        let revision = self.born.entry(org).or_insert(0);
        *revision += 1;
        let revision = *revision;
        self.push(Some((org, revision)), kind, subjects, Fields::new(), after);
    }

    /// An event that belongs to no organization.
    pub(super) fn store_event(&mut self, kind: EventType, subjects: &[AnyId], before: Fields, after: Fields) {
        self.push(None, kind, subjects, before, after);
    }

    fn push(&mut self, place: Option<(OrgId, u64)>, kind: EventType, subjects: &[AnyId], before: Fields, after: Fields) {
        let event = Event {
            id: self.env.id(),
            org_id: place.map(|(org, _)| org),
            revision: place.map(|(_, revision)| revision),
            kind,
            actor: self.actor().clone(),
            at: self.env.now,
            subject_ids: subjects.to_vec(),
            data: EventData { before, after },
        };
        self.events.push(event);
    }

    /// The organization as it is after this plan.
    pub(super) fn org_after(&self, mut org: Organization) -> Organization {
        org.revision += self.orgs.get(&org.id).map_or(0, |(_, events)| *events);
        org
    }

    pub(super) fn finish<T>(self, output: T) -> Decision<T> {
        let users = self.users.into_iter().map(|(id, (revision, advance))| Guard::User { id, revision, advance });
        let orgs = self.orgs.into_iter().map(|(id, (revision, events))| Guard::Org { id, revision, events });
        let new_users = self.new_users.map(|without_memberships| Guard::NewUsers { without_memberships });
        let plan = Plan {
            at: Some(self.env.now),
            guards: new_users.into_iter().chain(users).chain(orgs).collect(),
            changes: self.changes,
            events: self.events,
            progress: None,
        };
        Decision { plan, output }
    }

    /// A row that begins now.
    pub(super) fn new_membership(&mut self, usr_id: UserId, org_id: OrgId, role: Role) -> Membership {
        let now = self.now();
        Membership {
            id: self.id(),
            usr_id,
            org_id,
            role,
            status: MembershipStatus::Active,
            replaces: None,
            invited_by: None,
            removed_by: None,
            expires_at: None,
            created_at: now,
            updated_at: now,
        }
    }

    /// Changes a membership's stored status; answers the row after it.
    pub(super) fn set_status(&mut self, mem: &Membership, to: MembershipStatus, removed_by: Option<UserId>) -> Membership {
        self.change(Change::SetMembershipStatus { org_id: mem.org_id, id: mem.id, from: mem.status, to, removed_by });
        Membership { status: to, removed_by, updated_at: self.now(), ..mem.clone() }
    }

    /// "end(m)": the membership becomes revoked. Answers the row after it.
    pub(super) fn end(&mut self, mem: &Membership, removed_by: Option<UserId>) -> Membership {
        self.set_status(mem, MembershipStatus::Revoked, removed_by)
    }

    /// "rotate(m, role)": the row ends and one with the new role takes over. Answers the new row.
    pub(super) fn rotate(&mut self, org: &Organization, mem: &Membership, role: Role) -> Membership {
        self.end(mem, None);
        let next = Membership {
            replaces: Some(mem.id),
            invited_by: mem.invited_by,
            // An owner's membership has no end.
            expires_at: if role == Role::Owner { None } else { mem.expires_at },
            ..self.new_membership(mem.usr_id, mem.org_id, role)
        };
        self.change(Change::InsertMembership(next.clone()));
        let state = |id: MembershipId, role: Role| Fields::new().with("mem_id", id.to_string()).with("role", role.slug());
        self.event(
            org,
            EventType::MembershipRoleChanged,
            &[mem.id.any(), next.id.any(), mem.usr_id.any()],
            state(mem.id, mem.role),
            state(next.id, role),
        );
        next
    }
}

/// What `membership.*` events are about.
pub(super) fn about(mem: &Membership) -> [AnyId; 2] {
    [mem.id.any(), mem.usr_id.any()]
}
