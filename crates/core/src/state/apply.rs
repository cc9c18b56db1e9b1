//! What each change means.

use std::collections::btree_map;

use super::State;
use crate::change::{Change, Guard, Plan, Refusal, UniqueKey};
use crate::entity::{Membership, MembershipStatus, Organization, User};
use crate::event::Event;
use crate::id::{EventId, MembershipId, OrgId, UserId};
use crate::role::Role;
use crate::time::Timestamp;
use crate::value::Slug;

/// How to take one step back.
#[derive(Debug)]
enum Undo {
    User(UserId, Option<User>),
    Org(OrgId, Option<Box<Organization>>),
    Slug(Slug, Option<OrgId>),
    Membership(MembershipId, Option<Box<Membership>>),
    Event(EventId),
}

fn inconsistent(table: &str, id: &dyn ToString) -> Refusal {
    Refusal::Inconsistent { table: table.to_owned(), id: id.to_string() }
}

impl State {
    /// Writes a plan, whole or not at all.
    ///
    /// # Errors
    /// Why it was not written: a guard, a unique constraint, or a row that is not as the plan expects it.
    pub fn apply(&mut self, plan: &Plan) -> Result<(), Refusal> {
        let mut undo = Vec::new();
        let done = self.try_apply(plan, &mut undo);
        if done.is_err() {
            for step in undo.into_iter().rev() {
                self.take_back(step);
            }
        }
        done
    }

    fn try_apply(&mut self, plan: &Plan, undo: &mut Vec<Undo>) -> Result<(), Refusal> {
        let at = plan.at.unwrap_or(Timestamp::MIN);
        for guard in &plan.guards {
            self.guard(guard, undo)?;
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

    fn guard(&mut self, guard: &Guard, undo: &mut Vec<Undo>) -> Result<(), Refusal> {
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
            Guard::NewUsers { without_memberships } => {
                if without_memberships.iter().any(|usr| self.of_user(*usr, None).next().is_some()) {
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
        }
        Ok(())
    }

    fn change(&mut self, change: &Change, at: Timestamp, undo: &mut Vec<Undo>) -> Result<(), Refusal> {
        match change {
            Change::InsertUser(user) => {
                if self.users.contains_key(&user.id) {
                    return Err(Refusal::Unique(UniqueKey::Id));
                }
                self.users.insert(user.id, user.clone());
                undo.push(Undo::User(user.id, None));
            }
            Change::SetUserStatus { id, from, to } => {
                let user = self.users.get_mut(id).filter(|user| user.status == *from);
                let user = user.ok_or_else(|| inconsistent("user_account", id))?;
                undo.push(Undo::User(*id, Some(user.clone())));
                (user.status, user.updated_at) = (*to, at);
            }
            Change::InsertOrg(org) => {
                if self.orgs.contains_key(&org.id) {
                    return Err(Refusal::Unique(UniqueKey::Id));
                }
                self.put_org(org.clone());
                undo.push(Undo::Org(org.id, None));
            }
            Change::UpdateOrg { id, status, name, slug, cascade_permissions, inherit_permissions } => {
                let org = self.orgs.get_mut(id).filter(|org| org.status == *status);
                let org = org.ok_or_else(|| inconsistent("organization", id))?;
                undo.push(Undo::Org(*id, Some(Box::new(org.clone()))));
                org.name.clone_from(name);
                org.slug.clone_from(slug);
                (org.cascade_permissions, org.inherit_permissions) = (*cascade_permissions, *inherit_permissions);
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
                if self.memberships.contains_key(&mem.id) {
                    return Err(Refusal::Unique(UniqueKey::Id));
                }
                if mem.status != MembershipStatus::Revoked && self.current.contains_key(&(mem.org_id, mem.usr_id)) {
                    return Err(Refusal::Unique(UniqueKey::CurrentMembership));
                }
                self.put_membership(mem.clone());
                undo.push(Undo::Membership(mem.id, None));
            }
            Change::SetMembershipStatus { org_id, id, from, to, removed_by } => {
                let old = self.expect_membership(*org_id, *id, |mem| mem.status == *from)?;
                let new = Membership { status: *to, removed_by: *removed_by, updated_at: at, ..old.clone() };
                self.put_membership(new);
                undo.push(Undo::Membership(*id, Some(Box::new(old))));
            }
            Change::SetMembershipExpiry { org_id, id, from, to } => {
                let old = self.expect_membership(*org_id, *id, |mem| mem.expires_at == *from)?;
                let new = Membership { expires_at: *to, updated_at: at, ..old.clone() };
                self.put_membership(new);
                undo.push(Undo::Membership(*id, Some(Box::new(old))));
            }
            Change::EndMemberships { org_id, count } => {
                let rows: Vec<Membership> = self.current_of_org(*org_id).cloned().collect();
                if u64::try_from(rows.len()) != Ok(*count) {
                    return Err(inconsistent("membership", org_id));
                }
                for old in rows {
                    let new = Membership { status: MembershipStatus::Revoked, removed_by: None, updated_at: at, ..old.clone() };
                    self.put_membership(new);
                    undo.push(Undo::Membership(old.id, Some(Box::new(old))));
                }
            }
        }
        Ok(())
    }

    fn append(&mut self, event: &Event, undo: &mut Vec<Undo>) -> Result<(), Refusal> {
        if self.event_ids.contains_key(&event.id) {
            return Err(Refusal::Unique(UniqueKey::Id));
        }
        if let Some((org, revision)) = event.org_id.zip(event.revision) {
            let events = self.events.entry(org).or_default();
            if u64::try_from(events.len() + 1) != Ok(revision) {
                return Err(inconsistent("event", &event.id));
            }
            events.push(event.clone());
            self.event_ids.insert(event.id, Some((org, revision)));
        } else {
            self.store_events.insert(event.id, event.clone());
            self.event_ids.insert(event.id, None);
        }
        undo.push(Undo::Event(event.id));
        Ok(())
    }

    fn take_back(&mut self, step: Undo) {
        match step {
            Undo::User(id, Some(user)) => {
                self.users.insert(id, user);
            }
            Undo::User(id, None) => {
                self.users.remove(&id);
            }
            Undo::Org(_, Some(org)) => self.put_org(*org),
            Undo::Org(id, None) => {
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
            Undo::Membership(_, Some(mem)) => self.put_membership(*mem),
            Undo::Membership(id, None) => self.drop_membership(id),
            Undo::Event(id) => match self.event_ids.remove(&id) {
                Some(Some((org, _))) => {
                    if let Some(events) = self.events.get_mut(&org) {
                        events.pop();
                    }
                }
                Some(None) => {
                    self.store_events.remove(&id);
                }
                None => {}
            },
        }
    }

    fn expect_membership(&self, org: OrgId, id: MembershipId, fits: impl Fn(&Membership) -> bool) -> Result<Membership, Refusal> {
        let mem = self.memberships.get(&id).filter(|mem| mem.org_id == org && fits(mem));
        mem.cloned().ok_or_else(|| inconsistent("membership", &id))
    }

    fn put_org(&mut self, org: Organization) {
        if let Some(parent) = org.parent_id {
            self.children.insert((parent, org.id));
        }
        self.orgs.insert(org.id, org);
    }

    /// Stores a row and keeps the indexes in step with it.
    fn put_membership(&mut self, mem: Membership) {
        self.drop_membership(mem.id);
        self.by_org.insert((mem.org_id, mem.id));
        self.by_user.insert((mem.usr_id, mem.id));
        if mem.status != MembershipStatus::Revoked {
            self.current.insert((mem.org_id, mem.usr_id), mem.id);
        }
        if mem.status == MembershipStatus::Active && mem.role == Role::Owner {
            self.owners.insert((mem.org_id, mem.id));
        }
        self.memberships.insert(mem.id, mem);
    }

    fn drop_membership(&mut self, id: MembershipId) {
        let Some(old) = self.memberships.remove(&id) else { return };
        self.by_org.remove(&(old.org_id, id));
        self.by_user.remove(&(old.usr_id, id));
        self.owners.remove(&(old.org_id, id));
        if self.current.get(&(old.org_id, old.usr_id)) == Some(&id) {
            self.current.remove(&(old.org_id, old.usr_id));
        }
    }
}
