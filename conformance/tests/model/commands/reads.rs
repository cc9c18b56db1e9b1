//! Lists, look-ups and the log.

use std::sync::Arc;

use serde_json::{Value, json};

use super::orgs::SLUGS;
use super::{Draft, Maker, RELATIONS, draft};
use crate::machine::Open;

const QUERIES: [&str; 8] = ["a", "%", "_", "\\", "οδος", "STRASSE", "straße", ""];

impl Maker {
    pub(super) fn read_users(&mut self) -> Option<Draft> {
        let usr = self.user_row(|_, _| true)?;
        let view = Arc::clone(&self.view);
        if self.dice.percent(50) {
            return Some(draft("get_user", json!({"usr_id": view.refer(usr)})));
        }
        let ids: Vec<String> = self.people().into_iter().filter(|_| self.dice.percent(70)).map(|usr| view.refer(usr)).collect();
        Some(draft("get_users", json!({ "usr_ids": ids })))
    }

    pub(super) fn read_orgs(&mut self) -> Option<Draft> {
        const STATUSES: [&str; 3] = ["active", "suspended", "revoked"];
        let view = Arc::clone(&self.view);
        let org = self.any_org(|_, _| true)?;
        let (actor, id) = (self.reader(org.id), view.refer(org.id));
        Some(match self.dice.below(7) {
            0 => draft("get_org", json!({ "org_id": id })).by(actor),
            1 => {
                let slug = if self.slip(80) { self.one_of(&SLUGS).to_owned() } else { self.dice.pick(&view.rows.slugs)?.0.to_string() };
                draft("get_org_by_slug", json!({ "slug": slug }))
            }
            2 => {
                let some = view.rows.organizations.iter().filter(|_| self.dice.percent(60)).map(|org| view.refer(org.id));
                let ids: Vec<String> = some.collect();
                draft("get_orgs", json!({ "org_ids": ids })).by(actor)
            }
            3 => draft("get_org_path", json!({ "org_id": id })).by(actor),
            4 => draft("list_children", json!({"org_id": id, "limit": self.limit()})).by(actor),
            5 => {
                let levels = self.maybe(50, |maker| json!(1 + maker.dice.below(3)));
                draft("list_descendants", json!({"org_id": id, "levels": levels, "limit": self.limit()})).by(actor)
            }
            _ => {
                let query = self.maybe(50, |maker| json!(maker.one_of(&QUERIES)));
                let actor = actor.filter(|_| self.slip(80));
                draft("list_orgs", json!({"limit": self.limit(), "status": self.status(&STATUSES), "query": query})).by(actor)
            }
        })
    }

    pub(super) fn read_members(&mut self) -> Option<Draft> {
        const STATUSES: [&str; 4] = ["active", "suspended", "revoked", "expired"];
        let view = Arc::clone(&self.view);
        let mem = self.member(|_, _| true)?;
        let actor = self.reader(mem.org_id);
        let (id, org, usr) = (view.refer(mem.id), view.refer(mem.org_id), view.refer(mem.usr_id));
        Some(match self.dice.below(8) {
            0 => draft("get_membership", json!({ "mem_id": id })).by(actor),
            1 => {
                let other = self.person();
                let usr = if self.slip(60) { view.refer(other) } else { usr };
                draft("get_membership_for", json!({"org_id": org, "usr_id": usr})).by(actor)
            }
            2 => {
                let some = view.rows.memberships.iter().filter(|_| self.dice.percent(50)).map(|mem| view.refer(mem.id));
                let ids: Vec<String> = some.collect();
                draft("get_memberships", json!({ "mem_ids": ids })).by(actor)
            }
            3 => draft("membership_history", json!({ "mem_id": id })).by(actor),
            4 => {
                let actor = actor.map(|actor| if self.slip(50) { actor } else { mem.usr_id });
                draft("list_memberships", json!({"usr_id": usr, "limit": self.limit(), "status": self.status(&STATUSES)})).by(actor)
            }
            5 => draft("count_members", json!({"org_id": org, "status": self.status(&STATUSES)})).by(actor),
            _ => draft("list_members", json!({"org_id": org, "limit": self.limit(), "status": self.status(&STATUSES)})).by(actor),
        })
    }

    pub(super) fn read_invitations(&mut self) -> Option<Draft> {
        const STATUSES: [&str; 5] = ["pending", "accepted", "declined", "revoked", "expired"];
        let inv = self.invitation(|_, _| true)?;
        let actor = self.manager(inv.org_id);
        Some(match self.dice.below(3) {
            0 => draft("get_invitation", json!({"inv_id": self.view.refer(inv.id)})).by(actor),
            1 => {
                let input = json!({"org_id": self.view.refer(inv.org_id), "limit": self.limit(), "status": self.status(&STATUSES)});
                draft("list_invitations", input).by(actor)
            }
            _ => {
                let vouched = actor.filter(|_| !self.slip(50)).map(|_| vec![inv.identifier.to_string()]);
                let input = json!({"identifier": inv.identifier, "limit": self.limit(), "status": self.status(&STATUSES)});
                Draft { vouched, ..draft("list_invitations_for", input).by(actor) }
            }
        })
    }

    pub(super) fn read_tuples(&mut self) -> Option<Draft> {
        let view = Arc::clone(&self.view);
        Some(match self.dice.below(3) {
            0 => {
                let mem = self.member(|maker, mem| maker.is_active(mem) && maker.acts(mem.usr_id))?;
                let derived = mem.id.to_string().replacen("mem_", "tup_", 1);
                let stored = self.pick(&view.rows.tuples, |_, tuple| !tuple.is_expired(view.now)).map(|tuple| view.refer(tuple.id));
                let id = stored.filter(|_| self.dice.percent(60)).unwrap_or(derived);
                draft("get_tuple", json!({ "tup_id": id }))
            }
            1 => {
                let (kind, id) = self.entity(50);
                let who = self.people().into_iter().find(|usr| view.refer(*usr) == id);
                let actor = who.filter(|_| self.dice.percent(30)).map(|who| if self.slip(50) { self.person() } else { who });
                draft("list_tuples_for_subject", json!({"subject_type": kind, "subject_id": id, "limit": self.limit()})).by(actor)
            }
            _ => {
                let (kind, id) = self.entity(0);
                let relation = self.maybe(30, |maker| json!(maker.one_of(&RELATIONS)));
                let org = view.rows.organizations.iter().find(|org| view.refer(org.id) == id);
                let actor = org.and_then(|org| self.manager(org.id));
                let input = json!({"object_type": kind, "object_id": id, "relation": relation, "limit": self.limit()});
                draft("list_tuples_for_object", input).by(actor)
            }
        })
    }

    pub(super) fn read_changes(&mut self) -> Option<Draft> {
        if self.dice.percent(50) {
            let actor = if self.slip(50) { Some(self.person()) } else { None };
            return Some(draft("changes_all", json!({"limit": self.limit()})).by(actor));
        }
        let org = self.any_org(|_, _| true)?;
        let after = self.maybe(50, |maker| json!(maker.dice.below(5)));
        let actor = self.manager(org.id);
        Some(draft("changes", json!({"org_id": self.view.refer(org.id), "after_revision": after, "limit": self.limit()})).by(actor))
    }

    /// The page behind one that was read, or now and then a cursor in another list.
    pub(super) fn next_page(&mut self) -> Option<Draft> {
        let view = Arc::clone(&self.view);
        let recent: Vec<&Open> = view.open.iter().rev().take(4).collect();
        let open = self.dice.pick(&recent)?;
        let other = |other: &&&Open| (other.operation, &other.input) != (open.operation, &open.input);
        let others: Vec<&Open> = recent.iter().filter(other).copied().collect();
        let list = if !others.is_empty() && self.slip(70) { self.dice.pick(&others)? } else { open };
        let mut input = list.input.clone();
        let field = if list.operation == "changes_all" { "after" } else { "cursor" };
        let cursor = if self.slip(50) { "AA".to_owned() } else { format!("{{{}}}", open.cursor) };
        input.insert(field.to_owned(), json!(cursor));
        Some(draft(list.operation, Value::Object(input)))
    }
}
