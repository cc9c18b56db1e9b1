//! What each change means.

use std::collections::btree_map;

use super::State;
use super::roster::Row;
use crate::access::{Group, GroupMember, GroupRole, Holder, Permission, PermissionGrant};
use crate::change::{Change, Guard, Plan, Refusal, UniqueKey};
use crate::entity::{Invitation, InvitationStatus, Membership, MembershipStatus, Organization, User};
use crate::event::Event;
use crate::id::{GroupId, InvitationId, MembershipId, OrgId, RoleId, TupleId, UserId};
use crate::role::RoleDefinition;
use crate::time::Timestamp;
use crate::tuple::{EntityRef, Tuple};
use crate::value::{PermissionSlug, Slug};

/// What was written to a state, as the steps that take it back.
#[derive(Debug, Default)]
pub struct UndoLog(pub(super) Vec<Undo>);

/// How to take one step back.
#[derive(Debug)]
pub(super) enum Undo {
    User(UserId, Option<User>),
    Org(OrgId, Option<Box<Organization>>),
    Slug(Slug, Option<OrgId>),
    Membership(MembershipId, Option<Box<Membership>>),
    Invitation(InvitationId, Option<Box<Invitation>>),
    Tuple(TupleId, Option<Box<Tuple>>),
    Permission(PermissionSlug, Option<Box<Permission>>),
    Role(RoleId, Option<Box<RoleDefinition>>),
    Grant(Holder, PermissionSlug, Option<Box<PermissionGrant>>),
    Group(GroupId, Option<Box<Group>>),
    GroupMember((OrgId, UserId, GroupId), Option<Box<GroupMember>>),
    GroupRole((GroupId, RoleId), Option<Box<GroupRole>>),
    /// The revision of what belongs to no organization.
    System(u64),
    Event,
}

pub(super) fn inconsistent(table: &str, id: &dyn ToString) -> Refusal {
    Refusal::Inconsistent { table: table.to_owned(), id: id.to_string() }
}

impl State {
    /// Writes a plan, whole or not at all.
    ///
    /// # Errors
    /// Why it was not written: a guard, a unique constraint, or a row that is not as the plan expects it.
    pub fn apply(&mut self, plan: &Plan) -> Result<(), Refusal> {
        self.apply_logged(plan, &mut UndoLog::default())
    }

    /// The same, and the log tells how to take it back.
    ///
    /// # Errors
    /// As [`State::apply`].
    pub fn apply_logged(&mut self, plan: &Plan, log: &mut UndoLog) -> Result<(), Refusal> {
        let before = log.0.len();
        let done = self.try_apply(plan, &mut log.0);
        if done.is_err() {
            self.take_back_to(log, before);
        }
        done
    }

    /// Takes back everything that is in the log, the last first: the state is as it was when the log was empty, if nothing was
    /// written past the log since then.
    pub fn undo(&mut self, log: &mut UndoLog) {
        self.take_back_to(log, 0);
    }

    pub(super) fn take_back_to(&mut self, log: &mut UndoLog, place: usize) {
        for step in log.0.drain(place..).rev() {
            self.take_back(step);
        }
    }

    fn try_apply(&mut self, plan: &Plan, undo: &mut Vec<Undo>) -> Result<(), Refusal> {
        let at = plan.at.unwrap_or(Timestamp::MIN);
        for guard in &plan.guards {
            self.guard(guard, at, undo)?;
        }
        for change in &plan.changes {
            self.change(change, at, undo)?;
        }
        for event in &plan.events {
            self.append(event, undo)?;
        }
        if let Some(progress) = &plan.progress {
            progress(u64::try_from(plan.changes.len() + plan.events.len()).unwrap_or(u64::MAX));
        }
        Ok(())
    }

    fn guard(&mut self, guard: &Guard, at: Timestamp, undo: &mut Vec<Undo>) -> Result<(), Refusal> {
        match guard {
            Guard::User { id, revision, advance } => match (self.users.get_mut(id), revision) {
                (None, None) => {}
                (Some(user), Some(revision)) if user.revision == *revision => {
                    if *advance {
                        undo.push(Undo::User(*id, Some(user.clone())));
                        user.revision += 1;
                    }
                }
                _ => return Err(Refusal::Conflict),
            },
            // Nothing else is under way while this runs.
            Guard::NewOrgs => {}
            Guard::Tree { root, revision, advance } => match self.orgs.get_mut(root) {
                Some(org) if org.structure_revision == *revision => {
                    if *advance {
                        undo.push(Undo::Org(*root, Some(Box::new(org.clone()))));
                        org.structure_revision += 1;
                    }
                }
                _ => return Err(Refusal::Conflict),
            },
            Guard::System { revision, advance } => {
                if self.access.revision != *revision {
                    return Err(Refusal::Conflict);
                }
                undo.push(Undo::System(*revision));
                self.access.revision += u64::from(*advance);
            }
            Guard::NoOrg { id } => {
                if self.orgs.contains(id) {
                    return Err(Refusal::Conflict);
                }
            }
            Guard::NewUsers { without_memberships } => {
                if without_memberships.iter().any(|usr| self.memberships.has_any(*usr)) {
                    return Err(Refusal::Conflict);
                }
            }
            Guard::Org { id, revision, events } => match self.orgs.get_mut(id) {
                Some(org) if org.revision == *revision => {
                    if *events > 0 {
                        undo.push(Undo::Org(*id, Some(Box::new(org.clone()))));
                        org.revision += events;
                    }
                }
                _ => return Err(Refusal::Conflict),
            },
            Guard::Memberships { usr_id, rows, ended } => {
                if self.memberships_of(*usr_id) != (*rows, *ended) {
                    return Err(Refusal::Conflict);
                }
            }
            // Nobody else is about to claim it either.
            Guard::Object { object, org_id } => {
                if self.is_elsewhere(*object, *org_id, at) {
                    return Err(Refusal::Conflict);
                }
            }
        }
        Ok(())
    }

    #[expect(clippy::too_many_lines, reason = "one arm for each change, and each is short")]
    fn change(&mut self, change: &Change, at: Timestamp, undo: &mut Vec<Undo>) -> Result<(), Refusal> {
        match change {
            Change::InsertUser(user) => {
                if self.users.contains(&user.id) {
                    return Err(Refusal::Unique(UniqueKey::Id));
                }
                self.users.put(user.clone());
                undo.push(Undo::User(user.id, None));
            }
            Change::SetUserStatus { id, from, to } => {
                let user = self.users.get_mut(id).filter(|user| user.status == *from);
                let user = user.ok_or_else(|| inconsistent("user_account", id))?;
                undo.push(Undo::User(*id, Some(user.clone())));
                (user.status, user.updated_at) = (*to, at);
            }
            Change::InsertOrg(org) => {
                if self.orgs.contains(&org.id) {
                    return Err(Refusal::Unique(UniqueKey::Id));
                }
                self.put_org(org.clone());
                undo.push(Undo::Org(org.id, None));
            }
            Change::UpdateOrg { id, status, name, slug, cascade_permissions, inherit_permissions, seat_limit, external_id, metadata } => {
                let org = self.orgs.get_mut(id).filter(|org| org.status == *status);
                let org = org.ok_or_else(|| inconsistent("organization", id))?;
                undo.push(Undo::Org(*id, Some(Box::new(org.clone()))));
                org.name.clone_from(name);
                org.slug.clone_from(slug);
                (org.cascade_permissions, org.inherit_permissions) = (*cascade_permissions, *inherit_permissions);
                org.seat_limit = *seat_limit;
                org.external_id.clone_from(external_id);
                org.metadata.clone_from(metadata);
                org.updated_at = at;
            }
            Change::SetOrgStatus { id, from, to } => {
                let org = self.orgs.get_mut(id).filter(|org| org.status == *from);
                let org = org.ok_or_else(|| inconsistent("organization", id))?;
                undo.push(Undo::Org(*id, Some(Box::new(org.clone()))));
                (org.status, org.updated_at) = (*to, at);
            }
            Change::ClaimSlug { slug, org_id } => match self.slugs.entry(slug.clone()) {
                btree_map::Entry::Occupied(_) => return Err(Refusal::Unique(UniqueKey::OrgSlug)),
                btree_map::Entry::Vacant(free) => {
                    free.insert(*org_id);
                    undo.push(Undo::Slug(slug.clone(), None));
                }
            },
            Change::ReleaseSlug { slug, org_id } => {
                if self.slugs.get(slug) != Some(org_id) {
                    return Err(inconsistent("organization_slug", slug));
                }
                self.slugs.remove(slug);
                undo.push(Undo::Slug(slug.clone(), Some(*org_id)));
            }
            Change::InsertMembership(mem) => {
                if self.memberships.get(&mem.id).is_some() {
                    return Err(Refusal::Unique(UniqueKey::Id));
                }
                if mem.status != MembershipStatus::Revoked && self.memberships.current(mem.org_id, mem.usr_id).is_some() {
                    return Err(Refusal::Unique(UniqueKey::CurrentMembership));
                }
                self.memberships.put(mem.clone());
                undo.push(Undo::Membership(mem.id, None));
            }
            Change::SetMembershipStatus { org_id, id, from, to, removed_by } => {
                let old = self.expect_membership(*org_id, *id, |mem| mem.status == *from)?;
                let new = Membership { status: *to, removed_by: *removed_by, updated_at: at, ..old.clone() };
                self.memberships.put(new);
                undo.push(Undo::Membership(*id, Some(Box::new(old))));
            }
            Change::UpdateMembership { org_id, id, from, expires_at, metadata } => {
                let old = self.expect_membership(*org_id, *id, |mem| mem.expires_at == *from)?;
                let new = Membership { expires_at: *expires_at, metadata: metadata.clone(), updated_at: at, ..old.clone() };
                self.memberships.put(new);
                undo.push(Undo::Membership(*id, Some(Box::new(old))));
            }
            Change::EndMemberships { org_id, count } => {
                let rows: Vec<Membership> = self.current_of_org(*org_id).map(Row::unpack).collect();
                if u64::try_from(rows.len()) != Ok(*count) {
                    return Err(inconsistent("membership", org_id));
                }
                for old in rows {
                    let new = Membership { status: MembershipStatus::Revoked, removed_by: None, updated_at: at, ..old.clone() };
                    self.memberships.put(new);
                    undo.push(Undo::Membership(old.id, Some(Box::new(old))));
                }
            }
            Change::InsertInvitation(_)
            | Change::EndInvitation { .. }
            | Change::ExtendInvitation { .. }
            | Change::RevokeInvitations { .. } => {
                self.change_invitations(change, at, undo)?;
            }
            Change::InsertTuple(_)
            | Change::DeleteTuple { .. }
            | Change::DeleteTuplesOfMember { .. }
            | Change::DeleteTuplesOfOrg { .. } => self.change_tuples(change, undo)?,
            Change::PutPermissions(_)
            | Change::InsertRole(_)
            | Change::UpdateRole { .. }
            | Change::DeleteRole { .. }
            | Change::ReplaceRole { .. }
            | Change::PutGrants(_)
            | Change::DropGrants { .. }
            | Change::CopyGrants { .. }
            | Change::InsertGroup(_)
            | Change::UpdateGroup { .. }
            | Change::DeleteGroup { .. }
            | Change::PutGroupMember(_)
            | Change::DropGroupMember { .. }
            | Change::DropGroupMembersOfUser { .. }
            | Change::DropGroupMembersOfOrg { .. }
            | Change::PutGroupRole(_)
            | Change::DropGroupRole { .. }
            | Change::MoveOrg { .. } => self.change_access(change, at, undo)?,
        }
        Ok(())
    }

    fn change_invitations(&mut self, change: &Change, at: Timestamp, undo: &mut Vec<Undo>) -> Result<(), Refusal> {
        match change {
            Change::InsertInvitation(inv) => {
                if self.invitations.contains_key(&inv.id) {
                    return Err(Refusal::Unique(UniqueKey::Id));
                }
                if inv.status == InvitationStatus::Pending && self.pending.contains_key(&(inv.org_id, inv.identifier.clone())) {
                    return Err(Refusal::Unique(UniqueKey::PendingInvitation));
                }
                self.put_invitation(inv.clone());
                undo.push(Undo::Invitation(inv.id, None));
            }
            Change::EndInvitation { org_id, id, to, terminal_at, terminal_by, invited_user_id } => {
                let old = self.expect_invitation(*org_id, *id, InvitationStatus::Pending)?;
                let (terminal_at, terminal_by, invited_user_id) = (Some(*terminal_at), *terminal_by, *invited_user_id);
                self.put_invitation(Invitation { status: *to, terminal_at, terminal_by, invited_user_id, ..old.clone() });
                undo.push(Undo::Invitation(*id, Some(Box::new(old))));
            }
            Change::ExtendInvitation { org_id, id, from, expires_at } => {
                let old = self.expect_invitation(*org_id, *id, *from)?;
                let taken = self.pending.get(&(*org_id, old.identifier.clone())).is_some_and(|pending| pending != id);
                if taken {
                    return Err(Refusal::Unique(UniqueKey::PendingInvitation));
                }
                let status = InvitationStatus::Pending;
                self.put_invitation(Invitation { status, expires_at: *expires_at, terminal_at: None, terminal_by: None, ..old.clone() });
                undo.push(Undo::Invitation(*id, Some(Box::new(old))));
            }
            Change::RevokeInvitations { org_id, count, terminal_by } => {
                let rows: Vec<Invitation> = self.pending_of(*org_id, at).cloned().collect();
                if u64::try_from(rows.len()) != Ok(*count) {
                    return Err(inconsistent("invitation", org_id));
                }
                for old in rows {
                    let (status, terminal_at) = (InvitationStatus::Revoked, Some(at));
                    self.put_invitation(Invitation { status, terminal_at, terminal_by: *terminal_by, ..old.clone() });
                    undo.push(Undo::Invitation(old.id, Some(Box::new(old))));
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn change_tuples(&mut self, change: &Change, undo: &mut Vec<Undo>) -> Result<(), Refusal> {
        match change {
            Change::InsertTuple(tuple) => {
                if self.tuples.contains(&tuple.id) {
                    return Err(Refusal::Unique(UniqueKey::Id));
                }
                if self.tuples.at(&tuple.key, tuple.org_id).is_some() {
                    return Err(Refusal::Unique(UniqueKey::Tuple));
                }
                self.put_tuple(tuple.clone());
                undo.push(Undo::Tuple(tuple.id, None));
            }
            Change::DeleteTuple { id } => {
                let old = self.drop_tuple(*id).ok_or_else(|| inconsistent("tuple", id))?;
                undo.push(Undo::Tuple(*id, Some(Box::new(old))));
            }
            Change::DeleteTuplesOfMember { org_id, usr_id, count } => {
                let ids = self.tuples_of_member(*org_id, *usr_id);
                self.drop_tuples(&ids, *count, *org_id, undo)?;
            }
            Change::DeleteTuplesOfOrg { org_id, count } => {
                let ids = self.tuples_of_org(*org_id);
                self.drop_tuples(&ids, *count, *org_id, undo)?;
            }
            _ => {}
        }
        Ok(())
    }

    fn drop_tuples(&mut self, ids: &[TupleId], count: u64, org: OrgId, undo: &mut Vec<Undo>) -> Result<(), Refusal> {
        if u64::try_from(ids.len()) != Ok(count) {
            return Err(inconsistent("tuple", &org));
        }
        for id in ids {
            let old = self.drop_tuple(*id);
            undo.push(Undo::Tuple(*id, old.map(Box::new)));
        }
        Ok(())
    }

    fn append(&mut self, event: &Event, undo: &mut Vec<Undo>) -> Result<(), Refusal> {
        if self.log.get(event.id).is_some() {
            return Err(Refusal::Unique(UniqueKey::Id));
        }
        if let Some((org, revision)) = event.org_id.zip(event.revision)
            && revision != self.log.revision(org) + 1
        {
            return Err(inconsistent("event", &event.id));
        }
        self.log.push(event.clone());
        undo.push(Undo::Event);
        Ok(())
    }

    fn take_back(&mut self, step: Undo) {
        match step {
            Undo::User(_, Some(user)) => {
                self.users.put(user);
            }
            Undo::User(id, None) => {
                self.users.remove(&id);
            }
            Undo::Org(_, Some(org)) => self.put_org(*org),
            Undo::Org(id, None) => {
                self.org_ids.remove(&id);
                if let Some(parent) = self.orgs.remove(&id).and_then(|org| org.parent_id) {
                    self.children.remove(&(parent, id));
                }
            }
            Undo::Slug(slug, Some(org)) => {
                self.slugs.insert(slug, org);
            }
            Undo::Slug(slug, None) => {
                self.slugs.remove(&slug);
            }
            Undo::Membership(_, Some(mem)) => self.memberships.put(*mem),
            Undo::Membership(id, None) => self.memberships.remove(&id),
            Undo::Invitation(_, Some(inv)) => self.put_invitation(*inv),
            Undo::Invitation(id, None) => self.drop_invitation(id),
            Undo::Tuple(_, Some(tuple)) => self.put_tuple(*tuple),
            Undo::Tuple(id, None) => drop(self.drop_tuple(id)),
            Undo::Event => self.log.pop(),
            Undo::Permission(..)
            | Undo::Role(..)
            | Undo::Grant(..)
            | Undo::Group(..)
            | Undo::GroupMember(..)
            | Undo::GroupRole(..)
            | Undo::System(_) => self.take_access_back(step),
        }
    }

    fn expect_membership(&self, org: OrgId, id: MembershipId, fits: impl Fn(&Membership) -> bool) -> Result<Membership, Refusal> {
        let mem = self.memberships.get(&id).map(Row::unpack).filter(|mem| mem.org_id == org && fits(mem));
        mem.ok_or_else(|| inconsistent("membership", &id))
    }

    fn expect_invitation(&self, org: OrgId, id: InvitationId, from: InvitationStatus) -> Result<Invitation, Refusal> {
        let inv = self.invitations.get(&id).filter(|inv| inv.org_id == org && inv.status == from);
        inv.cloned().ok_or_else(|| inconsistent("invitation", &id))
    }

    pub(super) fn put_org(&mut self, org: Organization) {
        let before = self.orgs.get(&org.id).and_then(|old| old.parent_id).filter(|old| org.parent_id != Some(*old));
        if let Some(before) = before {
            self.children.remove(&(before, org.id));
        }
        if let Some(parent) = org.parent_id {
            self.children.insert((parent, org.id));
        }
        self.org_ids.insert(org.id);
        self.orgs.put(org);
    }

    pub(super) fn put_invitation(&mut self, inv: Invitation) {
        self.drop_invitation(inv.id);
        self.invitations_of.insert((inv.org_id, inv.id));
        self.invitations_for.insert((inv.identifier.clone(), inv.id));
        if inv.status == InvitationStatus::Pending {
            self.pending.insert((inv.org_id, inv.identifier.clone()), inv.id);
        }
        self.invitations.insert(inv.id, inv);
    }

    fn drop_invitation(&mut self, id: InvitationId) {
        let Some(old) = self.invitations.remove(&id) else { return };
        self.invitations_of.remove(&(old.org_id, id));
        self.invitations_for.remove(&(old.identifier.clone(), id));
        let place = (old.org_id, old.identifier);
        if self.pending.get(&place) == Some(&id) {
            self.pending.remove(&place);
        }
    }

    fn put_tuple(&mut self, tuple: Tuple) {
        self.tuples_of.insert((tuple.key.subject, tuple.id));
        self.tuples_on.insert((tuple.key.object, tuple.id));
        self.tuples_in.extend(tuple.org_id.map(|org| (org, tuple.key.subject, tuple.id)));
        self.tuples.put(tuple);
    }

    fn drop_tuple(&mut self, id: TupleId) -> Option<Tuple> {
        let old = self.tuples.remove(&id)?;
        self.tuples_of.remove(&(old.key.subject, id));
        self.tuples_on.remove(&(old.key.object, id));
        if let Some(org) = old.org_id {
            self.tuples_in.remove(&(org, old.key.subject, id));
        }
        Some(old)
    }

    fn tuples_of_member(&self, org: OrgId, usr: UserId) -> Vec<TupleId> {
        self.tuples_in_scope(org, EntityRef::user(usr)).collect()
    }
}
