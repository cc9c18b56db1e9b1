//! Tuples and checks.

use std::sync::Arc;

use serde_json::{Map, Value, json};
use tenantry_core::{EntityRef, OrgId, OrgStatus};

use super::{DOCS, Draft, Maker, RELATIONS, ROLES, doc, draft};

impl Maker {
    /// A type and an id, of a user, an organization or a document.
    pub(super) fn entity(&mut self, users: usize) -> (&'static str, String) {
        if self.dice.percent(users) {
            let person = self.person();
            return ("usr", self.view.refer(person));
        }
        let view = Arc::clone(&self.view);
        match self.dice.pick(&view.rows.organizations).filter(|_| self.dice.percent(25)) {
            Some(org) => ("org", view.refer(org.id)),
            None => ("doc", doc(self.dice.below(DOCS))),
        }
    }

    #[expect(clippy::unnecessary_wraps, reason = "it stands in the table")]
    pub(super) fn create_tuple(&mut self) -> Option<Draft> {
        if let Some(again) = self.same_tuple() {
            return Some(again);
        }
        let (subject, object) = (self.entity(60), self.entity(0));
        let is_role = object.0 == "org" && !self.slip(50);
        let relation = if is_role { self.one_of(&["biller", "parent"]) } else { self.one_of(&RELATIONS) };
        let relation = if self.slip(10) { "No relation" } else { relation };
        let view = Arc::clone(&self.view);
        let is_member = |maker: &Self, org: OrgId| {
            subject.0 != "usr" || maker.people().into_iter().any(|usr| view.refer(usr) == subject.1 && maker.belongs(usr, org))
        };
        let scope = if self.dice.percent(50) {
            let outside = subject.0 == "usr" && self.slip(30);
            self.any_org(|maker, org| org.status == OrgStatus::Active && is_member(maker, org.id) != outside)
        } else {
            None
        };
        let actor = match &scope {
            Some(scope) => self.manager(scope.id),
            None if self.dice.percent(15) => Some(self.person()),
            None => None,
        };
        let ttl = self.maybe(40, |maker| json!(maker.ttl()));
        let input = json!({"subject_type": subject.0, "subject_id": subject.1, "relation": relation, "object_type": object.0,
            "object_id": object.1, "org_id": scope.map(|org| view.refer(org.id)), "ttl_seconds": ttl});
        Some(draft("create_tuple", input).by(actor))
    }

    /// What a tuple says that is there, or that has expired.
    pub(super) fn same_tuple(&mut self) -> Option<Draft> {
        let view = Arc::clone(&self.view);
        let bars = self.slip(30);
        if !bars && !self.dice.percent(20) {
            return None;
        }
        let same: Vec<_> = view.rows.tuples.iter().filter(|tuple| tuple.is_expired(view.now) != bars).collect();
        let tuple = self.dice.pick(&same)?;
        let ((subject_type, subject_id), (object_type, object_id)) = (self.written(tuple.key.subject), self.written(tuple.key.object));
        let input = json!({"subject_type": subject_type, "subject_id": subject_id, "relation": tuple.key.relation, "object_type": object_type,
            "object_id": object_id, "org_id": tuple.org_id.map(|org| view.refer(org))});
        Some(draft("create_tuple", input))
    }

    /// A type and an id.
    pub(super) fn written(&self, entity: EntityRef) -> (String, String) {
        let usr = entity.as_user().map(|usr| self.view.refer(usr));
        let id = usr.or_else(|| entity.as_org().map(|org| self.view.refer(org)));
        (entity.kind.to_string(), id.unwrap_or_else(|| entity.id.hyphenated().to_string()))
    }

    pub(super) fn delete_tuple(&mut self) -> Option<Draft> {
        let view = Arc::clone(&self.view);
        if self.slip(40) {
            let mem = self.member(|_, _| true)?;
            return Some(draft("delete_tuple", json!({"tup_id": mem.id.to_string().replacen("mem_", "tup_", 1)})));
        }
        let tuple = self.pick(&view.rows.tuples, |_, tuple| !tuple.is_expired(view.now))?;
        let actor = tuple.org_id.and_then(|org| self.manager(org));
        Some(draft("delete_tuple", json!({"tup_id": view.refer(tuple.id)})).by(actor))
    }

    pub(super) fn question(&mut self) -> Map<String, Value> {
        let view = Arc::clone(&self.view);
        // Half of them about what is there.
        let known = self.dice.pick(&view.rows.tuples).filter(|_| self.dice.percent(50)).map(|tuple| tuple.key.clone());
        let (subject, object) = if let Some(key) = &known {
            (self.written(key.subject), self.written(key.object))
        } else {
            let (subject, object) = (self.entity(80), self.entity(0));
            ((subject.0.to_owned(), subject.1), (object.0.to_owned(), object.1))
        };
        let relation = match known {
            Some(key) if self.dice.percent(60) => key.relation.to_string(),
            _ if object.0 == "doc" && self.dice.percent(20) => self.one_of(&["far_a", "far_c"]).to_owned(),
            _ if object.0 == "org" => self.one_of(&ROLES).to_owned(),
            _ => self.one_of(&RELATIONS).to_owned(),
        };
        let input = json!({"subject_type": subject.0, "subject_id": subject.1, "relation": relation, "object_type": object.0,
            "object_id": object.1});
        let Value::Object(input) = input else { panic!("an object") };
        input
    }

    #[expect(clippy::unnecessary_wraps, reason = "it stands in the table")]
    pub(super) fn check(&mut self) -> Option<Draft> {
        let mut question = self.question();
        let who = self.people().into_iter().find(|usr| question.get("subject_id") == Some(&json!(self.view.refer(*usr))));
        let actor = who.filter(|_| self.dice.percent(25)).map(|who| if self.slip(50) { self.person() } else { who });
        Some(match self.dice.below(3) {
            0 => draft("check", Value::Object(question)).by(actor),
            1 => {
                let first = question.remove("relation").expect("a relation");
                let mut relations = vec![first];
                relations.extend((0..self.dice.below(3)).map(|_| json!(self.one_of(&RELATIONS))));
                if self.slip(30) {
                    relations.clear();
                }
                question.insert("relations".to_owned(), Value::Array(relations));
                draft("check_any", Value::Object(question)).by(actor)
            }
            _ => {
                let more = (0..self.dice.below(4)).map(|_| Value::Object(self.question()));
                let more: Vec<Value> = more.collect();
                let checks: Vec<Value> = std::iter::once(Value::Object(question)).chain(more).collect();
                draft("check_many", json!({ "checks": checks }))
            }
        })
    }
}
