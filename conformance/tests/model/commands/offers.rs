//! Invitations, and the sweep.

use std::sync::Arc;

use serde_json::{Map, Value, json};
use tenantry_core::{Invitation, InvitationStatus, OrgId, OrgStatus, Role};

use super::{DOCS, Draft, IDENTIFIERS, Maker, RELATIONS, doc, draft};

impl Maker {
    /// What an invitation says.
    pub(super) fn offer(&mut self, org: OrgId) -> Map<String, Value> {
        let view = Arc::clone(&self.view);
        let pending = |identifier: &str| {
            let mut of_org = view.rows.invitations.iter().filter(|inv| inv.org_id == org && inv.identifier.as_str() == identifier);
            of_org.any(|inv| inv.status_at(view.now) == InvitationStatus::Pending)
        };
        let identifier = self.pick(&IDENTIFIERS, |_, identifier| !pending(identifier)).copied().unwrap_or("more@example.org");
        let identifier = if self.slip(10) { "" } else { identifier };
        let promises: Vec<Value> = (0..self.dice.below(3)).map(|_| self.promise()).collect();
        let offer = json!({"identifier": identifier, "role": self.role(), "ttl_seconds": self.ttl(), "pre_tuples": promises});
        let Value::Object(mut offer) = offer else { panic!("an object") };
        if promises.is_empty() {
            offer.remove("pre_tuples");
        }
        offer
    }

    pub(super) fn promise(&mut self) -> Value {
        let on_org = self.slip(20);
        let object = if on_org { ("org", doc(0)) } else { ("doc", doc(self.dice.below(DOCS))) };
        json!({"relation": self.one_of(&RELATIONS), "object_type": object.0, "object_id": object.1})
    }

    pub(super) fn create_invitation(&mut self) -> Option<Draft> {
        let org = self.active_org()?;
        let actor = self.acting(org.id, Role::Owner.rank());
        let mut input = self.offer(org.id);
        let inviter = actor.filter(|_| !self.slip(30)).unwrap_or_else(|| self.person());
        if actor.is_some() && self.dice.percent(70) {
            // What an owner may not grant is seldom promised.
            input.remove("pre_tuples");
        }
        input.insert("org_id".to_owned(), json!(self.view.refer(org.id)));
        input.insert("invited_by".to_owned(), json!(self.view.refer(inviter)));
        Some(draft("create_invitation", Value::Object(input)).by(actor))
    }

    pub(super) fn create_invitations(&mut self) -> Option<Draft> {
        let org = self.active_org()?;
        let actor = self.acting(org.id, Role::Owner.rank());
        let inviter = actor.filter(|_| !self.slip(30)).unwrap_or_else(|| self.person());
        let offers: Vec<Value> = (0..=self.dice.below(4)).map(|_| Value::Object(self.offer(org.id))).collect();
        let input = json!({"org_id": self.view.refer(org.id), "invited_by": self.view.refer(inviter), "invitations": offers});
        Some(draft("create_invitations", input).by(actor))
    }

    pub(super) fn invitation(&mut self, fits: impl Fn(&Self, &Invitation) -> bool) -> Option<Invitation> {
        let view = Arc::clone(&self.view);
        self.pick(&view.rows.invitations, fits).cloned()
    }

    pub(super) fn is_pending(&self, inv: &Invitation) -> bool {
        inv.status_at(self.view.now) == InvitationStatus::Pending
    }

    pub(super) fn accept_invitation(&mut self) -> Option<Draft> {
        let has_seat = |maker: &Self, org: OrgId| maker.org(org).is_some_and(|org| org.status == OrgStatus::Active && maker.has_seat(org));
        let (mismatch, late) = (self.slip(35), self.slip(50));
        let inv = if late {
            let view = Arc::clone(&self.view);
            self.pick(&view.rows.invitations, |_, inv| inv.status_at(view.now) == InvitationStatus::Expired).cloned()?
        } else {
            self.invitation(|maker, inv| maker.is_pending(inv) && has_seat(maker, inv.org_id))?
        };
        let mints = !mismatch && self.dice.percent(25) && self.view.rows.users.len() < 10;
        let usr = if mints { None } else { Some(self.newcomer(inv.org_id)?) };
        let given = if mismatch { self.one_of(&IDENTIFIERS).to_owned() } else { inv.identifier.to_string() };
        let given = usr.filter(|_| !self.slip(30)).map(|_| given);
        let actor = usr.filter(|_| self.dice.percent(40)).map(|usr| if self.slip(40) { self.person() } else { usr });
        let vouched = actor.filter(|_| self.dice.percent(50)).map(|_| vec![inv.identifier.to_string()]);
        let input =
            json!({"inv_id": self.view.refer(inv.id), "as_usr_id": usr.map(|usr| self.view.refer(usr)), "accepting_identifier": given});
        Some(Draft { vouched, ..draft("accept_invitation", input).by(actor) })
    }

    pub(super) fn decline_invitation(&mut self) -> Option<Draft> {
        let inv = self.invitation(Self::is_pending)?;
        let usr = if self.dice.percent(60) { Some(self.person()) } else { None };
        let given = if self.slip(40) { self.one_of(&IDENTIFIERS).to_owned() } else { inv.identifier.to_string() };
        let given = usr.filter(|_| !self.slip(30)).map(|_| given);
        let actor = usr.filter(|_| self.dice.percent(40));
        let vouched = actor.filter(|_| self.dice.percent(50)).map(|_| vec![inv.identifier.to_string()]);
        let input =
            json!({"inv_id": self.view.refer(inv.id), "as_usr_id": usr.map(|usr| self.view.refer(usr)), "accepting_identifier": given});
        Some(Draft { vouched, ..draft("decline_invitation", input).by(actor) })
    }

    pub(super) fn revoke_invitation(&mut self) -> Option<Draft> {
        let inv = self.invitation(Self::is_pending)?;
        let actor = self.manager(inv.org_id);
        let admin = actor.filter(|_| !self.slip(40)).unwrap_or_else(|| self.person());
        Some(draft("revoke_invitation", json!({"inv_id": self.view.refer(inv.id), "admin_usr_id": self.view.refer(admin)})).by(actor))
    }

    pub(super) fn extend_invitation(&mut self) -> Option<Draft> {
        let fits = |maker: &Self, inv: &Invitation| {
            let is_open = [InvitationStatus::Pending, InvitationStatus::Expired].contains(&inv.status_at(maker.view.now));
            is_open && maker.in_active_org(inv.org_id)
        };
        let inv = self.invitation(fits)?;
        let actor = self.manager(inv.org_id);
        Some(draft("extend_invitation", json!({"inv_id": self.view.refer(inv.id), "ttl_seconds": self.ttl()})).by(actor))
    }

    #[expect(clippy::unnecessary_wraps, reason = "it stands in the table")]
    pub(super) fn sweep(&mut self) -> Option<Draft> {
        let actor = if self.slip(50) { Some(self.person()) } else { None };
        Some(draft("sweep", json!({"limit": self.limit()})).by(actor))
    }
}
