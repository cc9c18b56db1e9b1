//! Memberships.

use std::sync::Arc;

use serde_json::{Map, Value, json};
use tenantry_core::{Membership, MembershipStatus, OrgId, OrgStatus, Organization, Role, UserId};

use super::orgs::METADATA;
use super::{Draft, Maker, draft};

impl Maker {
    pub(super) fn has_seat(&self, org: &Organization) -> bool {
        let taken = self.people().into_iter().filter(|usr| self.belongs(*usr, org.id)).count();
        org.seat_limit.is_none_or(|limit| taken < limit as usize)
    }

    /// Somebody who could join.
    pub(super) fn newcomer(&mut self, org: OrgId) -> Option<UserId> {
        let people = self.people();
        self.pick(&people, |maker, usr| maker.acts(*usr) && !maker.belongs(*usr, org)).copied()
    }

    pub(super) fn add_member(&mut self) -> Option<Draft> {
        let full = self.slip(25);
        let org = self.any_org(|maker, org| org.status == OrgStatus::Active && maker.has_seat(org) != full)?;
        let usr = self.newcomer(org.id)?;
        let role = self.role();
        let ttl = if role == "owner" && !self.slip(50) { Value::Null } else { self.maybe(40, |maker| json!(maker.ttl())) };
        let actor = self.acting(org.id, Role::Owner.rank());
        let invited_by = match actor {
            Some(actor) if !self.slip(30) => json!(self.view.refer(actor)),
            _ => self.maybe(30, Self::person_text),
        };
        let (org, usr) = (self.view.refer(org.id), self.view.refer(usr));
        let input = json!({"org_id": org, "usr_id": usr, "role": role, "ttl_seconds": ttl, "invited_by": invited_by});
        Some(draft("add_member", input).by(actor))
    }

    pub(super) fn change_role(&mut self) -> Option<Draft> {
        let mem = self.member(|maker, mem| maker.is_active(mem) && maker.in_active_org(mem.org_id) && !maker.is_sole(mem))?;
        let role = self.role();
        let actor = self.acting(mem.org_id, Role::Owner.rank());
        Some(draft("change_role", json!({"mem_id": self.view.refer(mem.id), "new_role": role})).by(actor))
    }

    pub(super) fn update_membership(&mut self) -> Option<Draft> {
        let mem = self.member(Self::is_active)?;
        let mut input = Map::from_iter([("mem_id".to_owned(), json!(self.view.refer(mem.id)))]);
        if self.dice.percent(60) && (mem.role != Role::Owner || self.slip(50)) {
            if self.dice.percent(25) {
                input.insert("expires_at".to_owned(), Value::Null);
            } else {
                input.insert("ttl_seconds".to_owned(), json!(self.ttl()));
            }
        }
        if self.dice.percent(50) {
            let metadata = self.maybe(80, |maker| serde_json::from_str(maker.one_of(&METADATA)).expect("JSON"));
            input.insert("metadata".to_owned(), metadata);
        }
        let actor = self.manager(mem.org_id);
        Some(draft("update_membership", Value::Object(input)).by(actor))
    }

    pub(super) fn suspend_membership(&mut self) -> Option<Draft> {
        let mem = self.member(|maker, mem| maker.is_active(mem) && !maker.is_sole(mem))?;
        let actor = self.manager(mem.org_id);
        Some(draft("suspend_membership", json!({"mem_id": self.view.refer(mem.id)})).by(actor))
    }

    pub(super) fn reinstate_membership(&mut self) -> Option<Draft> {
        let ended = |maker: &Self, mem: &Membership| mem.expires_at.is_some_and(|end| end <= maker.view.now);
        let fits = |maker: &Self, mem: &Membership| {
            mem.status == MembershipStatus::Suspended && !ended(maker, mem) && maker.in_active_org(mem.org_id)
        };
        let mem = self.member(fits)?;
        let actor = self.manager(mem.org_id);
        Some(draft("reinstate_membership", json!({"mem_id": self.view.refer(mem.id)})).by(actor))
    }

    pub(super) fn self_leave(&mut self) -> Option<Draft> {
        let hands_over = self.dice.percent(45);
        let others = |maker: &Self, mem: &Membership| {
            let fits = |other: &&Membership| {
                other.org_id == mem.org_id && other.usr_id != mem.usr_id && maker.is_active(other) && maker.acts(other.usr_id)
            };
            maker.view.rows.memberships.iter().filter(fits).map(|other| other.usr_id).collect::<Vec<_>>()
        };
        let fits = |maker: &Self, mem: &Membership| {
            let stays = if hands_over { mem.role == Role::Owner && !others(maker, mem).is_empty() } else { !maker.is_sole(mem) };
            maker.is_active(mem) && stays
        };
        let mem = self.member(fits)?;
        let successors = if self.slip(40) { self.people() } else { others(self, &mem) };
        let successor = self.dice.pick(&successors).filter(|_| hands_over).map(|usr| self.view.refer(usr));
        let actor = if self.dice.percent(35) { Some(if self.dice.percent(80) { mem.usr_id } else { self.person() }) } else { None };
        let actor = actor.filter(|_| self.dice.percent(15) || self.lives(mem.org_id) && self.acts(mem.usr_id));
        Some(draft("self_leave", json!({"mem_id": self.view.refer(mem.id), "transfer_to": successor})).by(actor))
    }

    pub(super) fn admin_remove(&mut self) -> Option<Draft> {
        let view = Arc::clone(&self.view);
        let live = |maker: &Self, mem: &Membership| maker.is_active(mem) && maker.acts(mem.usr_id) && maker.lives(mem.org_id);
        let admin = self.pick(&view.rows.memberships, |maker, mem| mem.role.rank() >= 3 && live(maker, mem))?;
        let of_org: Vec<&Membership> = view.rows.memberships.iter().filter(|mem| mem.org_id == admin.org_id).collect();
        let rank = admin.role.rank().min(3);
        let fits = |maker: &Self, mem: &&Membership| {
            mem.role.rank() <= rank && maker.belongs(mem.usr_id, mem.org_id) && mem.status != MembershipStatus::Revoked
        };
        let mem = self.pick(&of_org, fits)?;
        let admin = if self.slip(40) { self.person() } else { admin.usr_id };
        let actor = if self.dice.percent(35) { Some(if self.slip(50) { self.person() } else { admin }) } else { None };
        Some(draft("admin_remove", json!({"mem_id": view.refer(mem.id), "admin_usr_id": view.refer(admin)})).by(actor))
    }

    pub(super) fn transfer_ownership(&mut self) -> Option<Draft> {
        let from = self.member(|maker, mem| mem.role == Role::Owner && maker.is_active(mem) && maker.in_active_org(mem.org_id))?;
        let view = Arc::clone(&self.view);
        let same = !self.slip(10);
        let of_org: Vec<&Membership> = view.rows.memberships.iter().filter(|mem| (mem.org_id == from.org_id) == same).collect();
        let fits = |maker: &Self, mem: &&Membership| mem.usr_id != from.usr_id && maker.is_active(mem) && maker.acts(mem.usr_id);
        let to = self.pick(&of_org, fits)?;
        let actor = if self.dice.percent(35) { Some(if self.dice.percent(80) { from.usr_id } else { self.person() }) } else { None };
        let actor = actor.filter(|_| self.dice.percent(15) || self.lives(from.org_id) && self.acts(from.usr_id));
        let (org, from, to) = (self.view.refer(from.org_id), self.view.refer(from.id), self.view.refer(to.id));
        Some(draft("transfer_ownership", json!({"org_id": org, "from_mem_id": from, "to_mem_id": to})).by(actor))
    }
}
