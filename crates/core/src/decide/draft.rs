//! A plan in the making.

use std::collections::{BTreeMap, BTreeSet};

use super::{Decision, Env};
use crate::change::{Change, Guard, Plan};
use crate::entity::{Invitation, InvitationStatus};
use crate::entity::{Membership, MembershipStatus, Organization, User};
use crate::event::{Actor, Event, EventData, EventType, Fields};
use crate::id::{AnyId, Id, IdType, MembershipId, OrgId, UserId};
use crate::json::Value;
use crate::load::{Line, OtherOwner, Snapshot};
use crate::role::Role;
use crate::time::Timestamp;
use crate::tuple::{EntityRef, Tuple};
use crate::value::Metadata;

/// Collects guards, changes and events, and numbers the events of each organization.
#[derive(Debug)]
pub(super) struct Draft<'e, 'i> {
    env: &'e mut Env<'i>,
    users: BTreeMap<UserId, (Option<u64>, bool)>,
    orgs: BTreeMap<OrgId, (u64, u64)>,
    new_orgs: bool,
    no_orgs: BTreeSet<OrgId>,
    new_users: Option<Vec<UserId>>,
    trees: BTreeMap<OrgId, (u64, bool)>,
    system: Option<(u64, bool)>,
    objects: Vec<(EntityRef, OrgId)>,
    born: BTreeMap<OrgId, u64>,
    changes: Vec<Change>,
    events: Vec<Event>,
}

impl<'e, 'i> Draft<'e, 'i> {
    pub(super) fn new(env: &'e mut Env<'i>) -> Self {
        let (users, orgs, born) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        Self {
            env,
            users,
            orgs,
            new_orgs: false,
            no_orgs: BTreeSet::new(),
            new_users: None,
            trees: BTreeMap::new(),
            system: None,
            objects: Vec::new(),
            born,
            changes: Vec::new(),
            events: Vec::new(),
        }
    }

    pub(super) fn now(&self) -> Timestamp {
        self.env.now
    }

    pub(super) fn actor(&self) -> &Actor {
        self.env.caller.actor()
    }

    /// The user who acts, where it is one.
    pub(super) fn acting_user(&self) -> Option<UserId> {
        let id = self.actor().id.filter(|id| id.kind == IdType::User)?;
        UserId::from_uuid(id.as_uuid()).ok()
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

    /// The decision holds only while there is no such organization.
    pub(super) fn rely_on_no_org(&mut self, id: OrgId) {
        self.no_orgs.insert(id);
    }

    /// The plan inserts organizations whose ids may be in use already, as those of objects, or relies on the absence of some.
    pub(super) fn brings_orgs(&mut self) {
        self.new_orgs = true;
    }

    /// The decision holds only while nobody in this tree gets another place.
    pub(super) fn rely_on_tree(&mut self, root: OrgId, revision: u64) {
        self.trees.entry(root).or_insert((revision, false));
    }

    /// Somebody in this tree gets another place.
    pub(super) fn advance_tree(&mut self, root: OrgId, revision: u64) {
        self.trees.insert(root, (revision, true));
    }

    /// The decision holds only while what belongs to no organization stays as it is.
    pub(super) fn rely_on_system(&mut self, revision: u64) {
        self.system.get_or_insert((revision, false));
    }

    /// Something that belongs to no organization changes.
    pub(super) fn advance_system(&mut self, revision: u64) {
        self.system = Some((revision, true));
    }

    /// The role goes on to be known in this organization. A built-in one always is.
    pub(super) fn rely_on_role(&mut self, org: &Organization, role: Role, line: Option<&Line>) {
        let definition = line.and_then(|line| line.roles.iter().find(|known| known.id == role.id()));
        self.rely_on_home(org, definition.and_then(|role| role.org_id), line);
    }

    /// A role of the organization `home` goes on to be known in this one: it is there, and `home` is this one or above it. One of the
    /// system is never deleted.
    pub(super) fn rely_on_home(&mut self, org: &Organization, home: Option<OrgId>, line: Option<&Line>) {
        let Some(home) = home else { return };
        if home == org.id {
            self.rely_on_org(org.id, org.revision);
            return;
        }
        let Some(line) = line else { return };
        let place = line.orgs.iter().find(|(id, ..)| *id == home);
        if let (Some((root, _, structure)), Some((_, revision, _))) = (line.orgs.first(), place) {
            self.rely_on_org(home, *revision);
            self.rely_on_tree(*root, *structure);
        }
    }

    /// The decision holds only while nothing of the organization's line changes: neither its shape, nor what belongs to the
    /// organizations above it, nor what belongs to none.
    pub(super) fn rely_on_line(&mut self, line: Option<&Line>) {
        let Some(line) = line else { return };
        for (org, revision, _) in &line.orgs {
            self.rely_on_org(*org, *revision);
        }
        if let Some((root, _, structure)) = line.orgs.first() {
            self.rely_on_tree(*root, *structure);
        }
        self.rely_on_system(line.system_revision);
    }

    /// The plan inserts users whose ids may be in use already, as external ones; these must not hold a membership.
    pub(super) fn brings_users(&mut self, without_memberships: Vec<UserId>) {
        self.new_users = Some(without_memberships);
    }

    /// The decision holds only while nothing on the object lies outside of the scope.
    pub(super) fn rely_on_scope(&mut self, object: EntityRef, org: OrgId) {
        self.objects.push((object, org));
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
            request_id: self.env.cause.request_id.clone(),
            reason: self.env.cause.reason.clone(),
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
        let objects = self.objects.into_iter().map(|(object, org_id)| Guard::Object { object, org_id });
        let new_users = self.new_users.map(|without_memberships| Guard::NewUsers { without_memberships });
        let trees = self.trees.into_iter().map(|(root, (revision, advance))| Guard::Tree { root, revision, advance });
        let system = self.system.map(|(revision, advance)| Guard::System { revision, advance });
        let new_orgs = self.new_orgs.then_some(Guard::NewOrgs);
        let no_orgs = self.no_orgs.into_iter().map(|id| Guard::NoOrg { id });
        let plan = Plan {
            at: Some(self.env.now),
            guards: (new_orgs.into_iter().chain(no_orgs).chain(new_users).chain(trees).chain(objects))
                .chain(system)
                .chain(users)
                .chain(orgs)
                .collect(),
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
            metadata: Metadata::default(),
            created_at: now,
            updated_at: now,
        }
    }

    /// Changes a membership's stored status; answers the row after it.
    pub(super) fn set_status(&mut self, mem: &Membership, to: MembershipStatus, removed_by: Option<UserId>) -> Membership {
        self.change(Change::SetMembershipStatus { org_id: mem.org_id, id: mem.id, from: mem.status, to, removed_by });
        Membership { status: to, removed_by, updated_at: self.now(), ..mem.clone() }
    }

    /// "end(m)": the membership becomes revoked, its user leaves the organization's groups, and the tuples of its user in the
    /// organization's scope, so many, go. Answers the row after it, and what the event says of the others.
    pub(super) fn end(&mut self, mem: &Membership, removed_by: Option<UserId>, seen: &Snapshot) -> (Membership, Fields) {
        let (groups, tuples) = (seen.member_groups, seen.member_tuples);
        let after = self.set_status(mem, MembershipStatus::Revoked, removed_by);
        let mut told = Fields::new().with("status", after.status.as_str());
        if tuples > 0 {
            self.change(Change::DeleteTuplesOfMember { org_id: mem.org_id, usr_id: mem.usr_id, count: tuples });
            told = told.with("tuples_deleted", Value::count(tuples));
        }
        if groups > 0 {
            self.change(Change::DropGroupMembersOfUser { org_id: mem.org_id, usr_id: mem.usr_id, count: groups });
            told = told.with("groups_left", Value::count(groups));
        }
        (after, told)
    }

    /// A membership that was found expired makes room for another one.
    pub(super) fn make_room(&mut self, org: &Organization, expired: &Membership, seen: &Snapshot) {
        let (_, after) = self.end(expired, None, seen);
        let before = Fields::new().with("status", MembershipStatus::Expired.as_str());
        self.event(org, EventType::MembershipExpired, &about(expired), before, after);
    }

    /// An invitation that was found expired is stored as such.
    pub(super) fn expire(&mut self, org: &Organization, inv: &Invitation) {
        self.change(Change::EndInvitation {
            org_id: inv.org_id,
            id: inv.id,
            to: InvitationStatus::Expired,
            terminal_at: inv.expires_at,
            terminal_by: None,
            invited_user_id: None,
        });
        let status = |status: InvitationStatus| Fields::new().with("status", status.as_str());
        let (before, after) = (status(InvitationStatus::Pending), status(InvitationStatus::Expired));
        self.event(org, EventType::InvitationExpired, &[inv.id.any()], before, after);
    }

    /// An event of a tuple, in the log of the organization that it belongs to, if it belongs to one.
    pub(super) fn tuple_event(&mut self, home: Option<&Organization>, kind: EventType, tuple: &Tuple, before: Fields, after: Fields) {
        match home {
            Some(org) => self.event(org, kind, &[tuple.id.any()], before, after),
            None => self.store_event(kind, &[tuple.id.any()], before, after),
        }
    }

    /// "rotate(m, role)": the row ends and one with the new role takes over, with as many overrides as the old one has. Answers the new
    /// row.
    pub(super) fn rotate(&mut self, org: &Organization, mem: &Membership, role: Role, overrides: u64) -> Membership {
        self.set_status(mem, MembershipStatus::Revoked, None);
        let next = Membership {
            replaces: Some(mem.id),
            invited_by: mem.invited_by,
            metadata: mem.metadata.clone(),
            // An owner's membership has no end.
            expires_at: if role == Role::Owner { None } else { mem.expires_at },
            ..self.new_membership(mem.usr_id, mem.org_id, role)
        };
        self.change(Change::InsertMembership(next.clone()));
        if overrides > 0 {
            self.change(Change::CopyGrants { from: mem.id, to: next.id, count: overrides });
        }
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

/// What `tuple.created` and `tuple.deleted` say.
pub(super) fn told(tuple: &Tuple) -> Fields {
    Fields::new()
        .with("subject_type", tuple.key.subject.kind.as_str())
        .with("subject_id", tuple.key.subject.id.hyphenated().to_string())
        .with("relation", tuple.key.relation.as_str())
        .with("object_type", tuple.key.object.kind.as_str())
        .with("object_id", tuple.key.object.id.hyphenated().to_string())
        .with_some("expires_at", tuple.expires_at.map(|end| end.to_string()))
}
