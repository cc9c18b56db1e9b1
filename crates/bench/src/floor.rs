//! The floors: what somebody writes who needs one operation and nothing else. Our own tables, statements by hand, all of them
//! prepared, and every value made before the clock runs.

pub mod map;
pub mod postgres;
pub mod sqlite;

use anyhow::{Context, Result};
use tenantry_core::{Clock, EventId, Invitation, Membership, MembershipId, OrgId, Role, TupleId, UserId, source::SystemClock};
use uuid::Uuid;

use crate::world::Chance;

/// An event, as it is stored.
#[derive(Debug)]
pub struct Told {
    /// Its id.
    pub id: Uuid,
    /// What happened.
    pub kind: &'static str,
    /// What it is about.
    pub subjects: String,
    /// What it says.
    pub data: String,
}

fn now() -> i64 {
    SystemClock.now().as_micros()
}

fn event(chance: &mut Chance, kind: &'static str, subjects: &[String], data: String) -> Result<Told> {
    let id = EventId::from_uuid(chance.fresh())?.as_uuid();
    Ok(Told { id, kind, subjects: format!("[\"{}\"]", subjects.join("\",\"")), data })
}

/// What `membership.added` says: the fields stand in the order of their names, as the store writes them.
fn added(role: Role, invited_by: Option<UserId>) -> String {
    let invited_by = invited_by.map(|usr| format!(r#""invited_by":"{usr}","#)).unwrap_or_default();
    format!(r#"{{"before":{{}},"after":{{{invited_by}"role":"{role}","status":"active"}}}}"#)
}

/// The rows of `add_member`.
#[derive(Debug)]
pub struct Joining {
    /// Where.
    pub org: Uuid,
    /// Who.
    pub usr: Uuid,
    /// The new membership.
    pub mem: Uuid,
    /// When, in microseconds.
    pub at: i64,
    /// `membership.added`.
    pub event: Told,
}

impl Joining {
    /// A member without a row joins.
    ///
    /// # Errors
    /// Never.
    pub fn new(chance: &mut Chance, org: OrgId) -> Result<Self> {
        let (usr, mem) = (UserId::from_uuid(chance.fresh())?, MembershipId::from_uuid(chance.fresh())?);
        let event = event(chance, "membership.added", &[mem.to_string(), usr.to_string()], added(Role::Member, None))?;
        Ok(Self { org: org.as_uuid(), usr: usr.as_uuid(), mem: mem.as_uuid(), at: now(), event })
    }
}

/// The rows of `create_org`.
#[derive(Debug)]
pub struct Founding {
    /// The owner, who has a row.
    pub usr: Uuid,
    /// The new organization.
    pub org: Uuid,
    /// Its name.
    pub name: String,
    /// The name, folded.
    pub folded: String,
    /// Its slug.
    pub slug: String,
    /// The owner's membership.
    pub mem: Uuid,
    /// When, in microseconds.
    pub at: i64,
    /// `organization.created` and `membership.added`.
    pub events: [Told; 2],
}

impl Founding {
    /// An organization with a name and a slug that nobody has.
    ///
    /// # Errors
    /// Never.
    pub fn new(chance: &mut Chance, usr: UserId) -> Result<Self> {
        let (org, mem) = (OrgId::from_uuid(chance.fresh())?, MembershipId::from_uuid(chance.fresh())?);
        let (name, slug) = names(chance);
        let created = format!(
            r#"{{"before":{{}},"after":{{"cascade_permissions":true,"inherit_permissions":true,"name":"{name}","slug":"{slug}","status":"active"}}}}"#
        );
        let events = [
            event(chance, "organization.created", &[org.to_string()], created)?,
            event(chance, "membership.added", &[mem.to_string(), usr.to_string()], added(Role::Owner, None))?,
        ];
        let folded = name.to_lowercase();
        Ok(Self { usr: usr.as_uuid(), org: org.as_uuid(), name, folded, slug, mem: mem.as_uuid(), at: now(), events })
    }
}

/// The name and the slug of a new organization.
pub fn names(chance: &mut Chance) -> (String, String) {
    let slug = chance.fresh().simple().to_string();
    (format!("Company {slug}"), slug)
}

/// The rows of `change_role`.
#[derive(Debug)]
pub struct Rotation {
    /// Where.
    pub org: Uuid,
    /// The membership that ends.
    pub old: Uuid,
    /// The one that takes over.
    pub new: MembershipId,
    /// Its role.
    pub role: Role,
    /// When, in microseconds.
    pub at: i64,
    /// `membership.role_changed`.
    pub event: Told,
}

impl Rotation {
    /// The membership gets the other one of two roles.
    ///
    /// # Errors
    /// Never.
    pub fn new(chance: &mut Chance, mem: &Membership) -> Result<Self> {
        let (new, role) = (MembershipId::from_uuid(chance.fresh())?, other(mem.role));
        let state = |id: MembershipId, role: Role| format!(r#"{{"mem_id":"{id}","role":"{role}"}}"#);
        let data = format!(r#"{{"before":{},"after":{}}}"#, state(mem.id, mem.role), state(new, role));
        let subjects = [mem.id.to_string(), new.to_string(), mem.usr_id.to_string()];
        let event = event(chance, "membership.role_changed", &subjects, data)?;
        Ok(Self { org: mem.org_id.as_uuid(), old: mem.id.as_uuid(), new, role, at: now(), event })
    }
}

/// Members become admins and admins members.
pub fn other(role: Role) -> Role {
    if role == Role::Member { Role::Admin } else { Role::Member }
}

/// The rows of `accept_invitation` with three tuples.
#[derive(Debug)]
pub struct Acceptance {
    /// Where.
    pub org: Uuid,
    /// The invitation.
    pub inv: Uuid,
    /// Who invited.
    pub invited_by: Uuid,
    /// Who accepts.
    pub usr: Uuid,
    /// The new membership.
    pub mem: Uuid,
    /// Its role.
    pub role: Uuid,
    /// The tuples: id, relation, type and id of the object.
    pub tuples: [(Uuid, String, String, Uuid); 3],
    /// When, in microseconds.
    pub at: i64,
    /// `invitation.accepted`, `membership.added`, and `tuple.created` for each tuple.
    pub events: [Told; 5],
}

impl Acceptance {
    /// A user without a row accepts an invitation that promises three tuples.
    ///
    /// # Errors
    /// When it promises another number.
    pub fn new(chance: &mut Chance, inv: &Invitation, usr: UserId) -> Result<Self> {
        let mem = MembershipId::from_uuid(chance.fresh())?;
        let accepted = format!(r#"{{"before":{{"status":"pending"}},"after":{{"invited_user_id":"{usr}","status":"accepted"}}}}"#);
        let mut events = vec![
            event(chance, "invitation.accepted", &[inv.id.to_string(), usr.to_string()], accepted)?,
            event(chance, "membership.added", &[mem.to_string(), usr.to_string()], added(inv.role, Some(inv.invited_by)))?,
        ];
        let mut tuples = Vec::new();
        for grant in &inv.pre_tuples {
            let id = TupleId::from_uuid(chance.fresh())?;
            let (relation, kind, object) = (grant.relation.to_string(), grant.object.kind.to_string(), grant.object.id);
            let subject = usr.as_uuid();
            let data = format!(
                r#"{{"before":{{}},"after":{{"object_id":"{object}","object_type":"{kind}","relation":"{relation}","subject_id":"{subject}","subject_type":"usr"}}}}"#
            );
            events.push(event(chance, "tuple.created", &[id.to_string()], data)?);
            tuples.push((id.as_uuid(), relation, kind, object));
        }
        Ok(Self {
            org: inv.org_id.as_uuid(),
            inv: inv.id.as_uuid(),
            invited_by: inv.invited_by.as_uuid(),
            usr: usr.as_uuid(),
            mem: mem.as_uuid(),
            role: inv.role.id().as_uuid(),
            tuples: tuples.try_into().ok().context("an invitation with three tuples")?,
            at: now(),
            events: events.try_into().ok().context("five events")?,
        })
    }
}
