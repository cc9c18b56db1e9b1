//! Rows against the log: whatever an event tells was committed with it, so that the rows are those that the events lead to.
//!
//! An import tells only how many rows it brought. What it brought is unknown here until a further event tells of it.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::rows::{LISTED, Log, Rows, count};
use super::{Found, Invariant};
use crate::entity::{Invitation, InvitationStatus, Membership, MembershipStatus, OrgStatus, Organization};
use crate::event::{Event, EventType};
use crate::id::{AnyId, Id, InvitationId, MembershipId, OrgId, TupleId};
use crate::json::Value;
use crate::tuple::Tuple;

pub(super) fn check(rows: &Rows<'_>, found: &mut Found) {
    // Rows by organization, for the organizations alone whose log says what they must be.
    let mut untold: BTreeMap<OrgId, Untold> = rows.whole_logs().map(|(org, log)| (org.id, Untold::new(log))).collect();
    for mem in &rows.dump.memberships {
        if let Some(untold) = untold.get_mut(&mem.org_id).filter(|untold| !untold.told.made_memberships.contains_key(&mem.id)) {
            untold.memberships.push(mem.id.any());
        }
    }
    for inv in &rows.dump.invitations {
        if let Some(untold) = untold.get_mut(&inv.org_id).filter(|untold| !untold.told.made_invitations.contains_key(&inv.id)) {
            untold.invitations.push(inv.id.any());
        }
    }
    let belonging = Belonging::new(rows);
    for (org, log) in rows.whole_logs() {
        fields(org, log, found);
        children(rows, org, log, found);
        if let Some(untold) = untold.get(&org.id) {
            untold.check(org, found);
            belonging.memberships(org, &untold.told, found);
            belonging.invitations(org, &untold.told, found);
        }
    }
    tuples(rows, found);
}

/// What the log of an organization tells of its rows.
#[derive(Debug, Default)]
struct Told {
    /// What each membership came to, of those that events tell of.
    memberships: BTreeMap<MembershipId, ToldMembership>,
    invitations: BTreeMap<InvitationId, InvitationStatus>,
    /// The event that made a row.
    made_memberships: BTreeMap<MembershipId, Made>,
    made_invitations: BTreeMap<InvitationId, Option<String>>,
    /// How many rows the import brought.
    imported: (u64, u64),
    is_revoked: bool,
}

#[derive(Debug, Clone, Copy)]
struct ToldMembership {
    status: MembershipStatus,
    usr: Option<AnyId>,
}

/// How a membership began.
#[derive(Debug)]
struct Made {
    role: Option<String>,
    replaces: Option<MembershipId>,
}

fn typed<I: Id>(id: Option<&AnyId>) -> Option<I> {
    id.filter(|id| id.kind == I::KIND).and_then(|id| I::from_uuid(id.as_uuid()).ok())
}

fn text(event: &Event, field: &str) -> Option<String> {
    event.data.after.get(field).and_then(Value::as_text).map(str::to_owned)
}

fn number(event: &Event, field: &str) -> u64 {
    match event.data.after.get(field) {
        Some(Value::Int(number)) => u64::try_from(*number).unwrap_or(0),
        _ => 0,
    }
}

impl Told {
    fn new(log: &Log<'_>) -> Self {
        let mut told = Self::default();
        for event in &log.events {
            told.membership(event);
            told.invitation(event);
            match event.kind {
                EventType::ImportApplied => told.imported = (number(event, "memberships"), number(event, "invitations")),
                EventType::OrganizationRevoked => told.is_revoked = true,
                _ => {}
            }
        }
        told
    }

    fn membership(&mut self, event: &Event) {
        use MembershipStatus::{Active, Revoked, Suspended};

        let (first, second) = (event.subject_ids.first(), event.subject_ids.get(1));
        let Some(mem) = typed::<MembershipId>(first) else { return };
        let (status, usr) = match event.kind {
            EventType::MembershipAdded | EventType::MembershipReinstated => (Active, second),
            EventType::MembershipSuspended => (Suspended, second),
            EventType::MembershipLeft | EventType::MembershipRemoved | EventType::MembershipExpired => (Revoked, second),
            EventType::MembershipRoleChanged => (Revoked, event.subject_ids.get(2)),
            _ => return,
        };
        let usr = usr.copied();
        self.memberships.insert(mem, ToldMembership { status, usr });
        let made = match event.kind {
            EventType::MembershipAdded => Some((mem, None)),
            EventType::MembershipRoleChanged => typed::<MembershipId>(second).map(|next| (next, Some(mem))),
            _ => None,
        };
        if let Some((id, replaces)) = made {
            self.memberships.insert(id, ToldMembership { status: Active, usr });
            self.made_memberships.insert(id, Made { role: text(event, "role"), replaces });
        }
    }

    fn invitation(&mut self, event: &Event) {
        let Some(inv) = typed::<InvitationId>(event.subject_ids.first()) else { return };
        let status = match event.kind {
            EventType::InvitationCreated | EventType::InvitationExtended => InvitationStatus::Pending,
            EventType::InvitationAccepted => InvitationStatus::Accepted,
            EventType::InvitationDeclined => InvitationStatus::Declined,
            EventType::InvitationRevoked => InvitationStatus::Revoked,
            EventType::InvitationExpired => InvitationStatus::Expired,
            _ => return,
        };
        self.invitations.insert(inv, status);
        if event.kind == EventType::InvitationCreated {
            self.made_invitations.insert(inv, text(event, "identifier"));
        }
    }
}

/// Rows of an organization that no event made.
#[derive(Debug)]
struct Untold {
    told: Told,
    memberships: Vec<AnyId>,
    invitations: Vec<AnyId>,
}

impl Untold {
    fn new(log: &Log<'_>) -> Self {
        Self { told: Told::new(log), memberships: Vec::new(), invitations: Vec::new() }
    }

    fn check(&self, org: &Organization, found: &mut Found) {
        let (mems, invs) = self.told.imported;
        for (table, rows, told) in [("membership", &self.memberships, mems), ("invitation", &self.invitations, invs)] {
            let there = count(rows.len());
            if there == told {
                continue;
            }
            let message = format!("no event made {there} of the {table} rows of {}, and its import brought {told}", org.id);
            // Where too many are there, they are among these; where some are gone, nothing names them.
            let listed: Vec<AnyId> = if there > told { rows.iter().copied().take(LISTED).collect() } else { vec![org.id.any()] };
            found.add(Invariant::RowsTold, table, &listed, message);
        }
    }
}

/// The fields of an organization are those of the last event that names them, and at its creation those that it begins with.
fn fields(org: &Organization, log: &Log<'_>, found: &mut Found) {
    const BLANK: [&str; 5] = ["name", "slug", "parent_id", "seat_limit", "external_id"];

    let mut told: BTreeMap<&str, Value> = BTreeMap::new();
    for event in &log.events {
        if event.kind == EventType::OrganizationCreated {
            told.extend(BLANK.map(|field| (field, Value::Null)));
            told.insert("metadata", Value::Map(BTreeMap::new()));
        }
        if is_about_fields(event.kind) {
            for (field, _) in shown(org) {
                if let Some(value) = event.data.after.get(field) {
                    told.insert(field, value.clone());
                }
            }
        }
    }
    for (field, value) in shown(org) {
        if told.get(field).is_some_and(|told| *told != value) {
            let message = format!("its `{field}` is not what its events lead to");
            found.add(Invariant::OrgLog, "organization", &[org.id.any()], message);
        }
    }
}

const fn is_about_fields(kind: EventType) -> bool {
    matches!(
        kind,
        EventType::OrganizationCreated
            | EventType::OrganizationUpdated
            | EventType::OrganizationMoved
            | EventType::OrganizationSuspended
            | EventType::OrganizationReinstated
            | EventType::OrganizationRevoked
    )
}

/// The fields that events tell, as they tell them.
fn shown(org: &Organization) -> [(&'static str, Value); 9] {
    [
        ("status", Value::from(org.status.as_str())),
        ("name", Value::from(org.name.as_ref().map(ToString::to_string))),
        ("slug", Value::from(org.slug.as_ref().map(ToString::to_string))),
        ("parent_id", Value::from(org.parent_id.map(|id| id.to_string()))),
        ("cascade_permissions", Value::from(org.cascade_permissions)),
        ("inherit_permissions", Value::from(org.inherit_permissions)),
        ("seat_limit", org.seat_limit.map_or(Value::Null, |limit| Value::count(limit.into()))),
        ("external_id", Value::from(org.external_id.as_ref().map(ToString::to_string))),
        ("metadata", org.metadata.to_value()),
    ]
}

/// The children that the log tells of are there, and below this organization.
fn children(rows: &Rows<'_>, org: &Organization, log: &Log<'_>, found: &mut Found) {
    for event in log.events.iter().filter(|event| event.kind == EventType::OrganizationChildAdded) {
        let Some(child) = typed::<OrgId>(event.subject_ids.first()) else { continue };
        match rows.orgs.get(&child) {
            None => {
                let message = format!("the log of {} tells of this child, and it is not there", org.id);
                found.add(Invariant::RowThere, "organization", &[child.any()], message);
            }
            // Where it is now is told by its own log.
            Some(row) if row.parent_id != Some(org.id) && !was_moved(rows, child) => {
                let message = format!("the log of {} tells of this child, and it has another parent", org.id);
                found.add(Invariant::OrgLog, "organization", &[child.any()], message);
            }
            Some(_) => {}
        }
    }
}

fn was_moved(rows: &Rows<'_>, org: OrgId) -> bool {
    rows.logs.get(&org).is_some_and(|log| log.events.iter().any(|event| event.kind == EventType::OrganizationMoved))
}

/// The slugs of roles in whose place others were put when they were deleted: whoever held one of them holds another one now.
fn replaced_roles(rows: &Rows<'_>) -> BTreeSet<String> {
    let deleted = rows.dump.events.iter().filter(|event| event.kind == EventType::RoleDeleted);
    let replaced = deleted.filter(|event| event.data.after.get("replacement_role_id").is_some());
    replaced.filter_map(|event| event.data.before.get("slug").and_then(Value::as_text).map(str::to_owned)).collect()
}

/// Rows by organization and id, so that one with the id of another does not stand for it.
#[derive(Debug)]
struct Belonging<'d> {
    memberships: HashMap<(OrgId, MembershipId), &'d Membership>,
    invitations: HashMap<(OrgId, InvitationId), &'d Invitation>,
    replaced_roles: BTreeSet<String>,
}

impl<'d> Belonging<'d> {
    fn new(rows: &Rows<'d>) -> Self {
        Self {
            memberships: rows.dump.memberships.iter().map(|mem| ((mem.org_id, mem.id), mem)).collect(),
            invitations: rows.dump.invitations.iter().map(|inv| ((inv.org_id, inv.id), inv)).collect(),
            replaced_roles: replaced_roles(rows),
        }
    }

    fn memberships(&self, org: &Organization, told: &Told, found: &mut Found) {
        const TABLE: &str = "membership";

        for (id, last) in &told.memberships {
            let Some(mem) = self.memberships.get(&(org.id, *id)) else {
                found.add(Invariant::RowThere, TABLE, &[id.any()], format!("the log of {} tells of it, and it is not there", org.id));
                continue;
            };
            let mut wrong = |what: &str| {
                let message = format!("its {what} is not what the events of {} lead to", org.id);
                found.add(Invariant::MembershipLog, TABLE, &[id.any()], message);
            };
            // With an organization all its memberships end, without events of their own.
            let status = if told.is_revoked { MembershipStatus::Revoked } else { last.status };
            if mem.status != status {
                wrong("status");
            }
            if last.usr.is_some_and(|usr| usr != mem.usr_id.any()) {
                wrong("user");
            }
            if let Some(made) = told.made_memberships.get(id) {
                let is_other = |role: &str| role != mem.role.slug() && !self.replaced_roles.contains(role);
                if made.role.as_deref().is_some_and(is_other) {
                    wrong("role");
                }
                if made.replaces != mem.replaces {
                    wrong("predecessor");
                }
            }
        }
    }

    fn invitations(&self, org: &Organization, told: &Told, found: &mut Found) {
        const TABLE: &str = "invitation";

        for (id, status) in &told.invitations {
            let Some(inv) = self.invitations.get(&(org.id, *id)) else {
                found.add(Invariant::RowThere, TABLE, &[id.any()], format!("the log of {} tells of it, and it is not there", org.id));
                continue;
            };
            let mut wrong = |what: &str| {
                let message = format!("its {what} is not what the events of {} lead to", org.id);
                found.add(Invariant::InvitationLog, TABLE, &[id.any()], message);
            };
            // With an organization its pending invitations end, without events of their own.
            let ended_with_org =
                *status == InvitationStatus::Pending && org.status == OrgStatus::Revoked && inv.status == InvitationStatus::Revoked;
            if inv.status != *status && !ended_with_org {
                wrong("status");
            }
            let identifier = told.made_invitations.get(id).and_then(Option::as_deref);
            if identifier.is_some_and(|identifier| identifier != inv.identifier.as_str()) {
                wrong("identifier");
            }
        }
    }
}

/// A tuple that the log of its organization tells of is the one that was made last, and was not deleted.
fn tuples(rows: &Rows<'_>, found: &mut Found) {
    let mut told: BTreeMap<(TupleId, OrgId), &Event> = BTreeMap::new();
    for (org, log) in rows.whole_logs() {
        for event in log.events.iter().filter(|event| matches!(event.kind, EventType::TupleCreated | EventType::TupleDeleted)) {
            if let Some(id) = typed::<TupleId>(event.subject_ids.first()) {
                told.insert((id, org.id), event);
            }
        }
    }
    for tuple in &rows.dump.tuples {
        let home = tuple.org_id.or_else(|| tuple.key.object.as_org());
        let Some(event) = home.and_then(|org| told.get(&(tuple.id, org))) else { continue };
        if event.kind == EventType::TupleDeleted {
            found.add(Invariant::TupleLog, "tuple", &[tuple.id.any()], "its last event tells that it was deleted");
        } else if !says(event, tuple) {
            found.add(Invariant::TupleLog, "tuple", &[tuple.id.any()], "it says something else than the event that made it");
        }
    }
}

fn says(event: &Event, tuple: &Tuple) -> bool {
    let expires_at = tuple.expires_at.map(|end| end.to_string());
    let (subject, object) = (tuple.key.subject, tuple.key.object);
    [
        ("subject_type", Some(subject.kind.to_string())),
        ("subject_id", Some(subject.id.hyphenated().to_string())),
        ("relation", Some(tuple.key.relation.to_string())),
        ("object_type", Some(object.kind.to_string())),
        ("object_id", Some(object.id.hyphenated().to_string())),
        ("expires_at", expires_at),
    ]
    .into_iter()
    .all(|(field, value)| text(event, field) == value)
}
