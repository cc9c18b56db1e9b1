//! Random imports: small, and mostly wrong in one place or another.

use proptest::prelude::*;
use serde_json::{Value, json};
use tenantry_core::{InvitationStatus, MembershipStatus, OrgStatus, Timestamp, UserStatus};

use crate::moves::{RELATIONS, doc_id};

/// What an import brings. Numbers are parts of ids, so that a later import may meet what an earlier one brought.
#[derive(Debug, Clone)]
pub(crate) struct Load {
    users: Vec<(u8, UserStatus)>,
    orgs: Vec<(u8, Option<u8>, OrgStatus, Option<u8>)>,
    members: Vec<Member>,
    invitations: Vec<Invitation>,
    tuples: Vec<Tuple>,
}

#[derive(Debug, Clone)]
struct Member {
    id: u8,
    org: u8,
    usr: u8,
    role: &'static str,
    status: MembershipStatus,
    replaces: Option<u8>,
    ends: Option<u8>,
}

#[derive(Debug, Clone)]
struct Invitation {
    id: u8,
    org: u8,
    who: u8,
    role: &'static str,
    status: InvitationStatus,
    ends: u8,
    promises: Option<u8>,
}

/// By a user, on an organization or a document.
#[derive(Debug, Clone)]
struct Tuple {
    id: u8,
    usr: u8,
    relation: &'static str,
    on_org: Option<u8>,
    scope: Option<u8>,
    ends: Option<u8>,
}

pub(crate) fn any_load() -> impl Strategy<Value = Load> {
    // Mostly active: an organization without an active owner does not come in.
    let user = (0..6_u8, prop_oneof![4 => Just(UserStatus::Active), 1 => prop::sample::select(UserStatus::ALL)]);
    let status = prop_oneof![4 => Just(OrgStatus::Active), 1 => prop::sample::select(OrgStatus::ALL)];
    let org = (0..6_u8, prop::option::weighted(0.3, 0..6_u8), status, prop::option::weighted(0.2, 0..4_u8));
    let role = prop_oneof![3 => Just("owner"), 1 => prop::sample::select(&["admin", "member", "viewer", "nobody"][..])];
    let status = prop_oneof![6 => Just(MembershipStatus::Active), 1 => prop::sample::select(MembershipStatus::ALL)];
    let (replaces, ends) = (prop::option::weighted(0.1, 0..30_u8), prop::option::weighted(0.1, 0..60_u8));
    let member = (0..30_u8, 0..6_u8, 0..6_u8, role, status, replaces, ends)
        .prop_map(|(id, org, usr, role, status, replaces, ends)| Member { id, org, usr, role, status, replaces, ends });
    let (users, orgs, members) = (prop::collection::vec(user, 0..3), prop::collection::vec(org, 0..3), prop::collection::vec(member, 0..6));

    let role = prop_oneof![6 => Just("member"), 1 => Just("nobody")];
    let status = prop_oneof![3 => Just(InvitationStatus::Pending), 2 => prop::sample::select(InvitationStatus::ALL)];
    let invitation = (0..12_u8, 0..6_u8, 0..4_u8, role, status, 0..60_u8, prop::option::weighted(0.3, 0..3_u8))
        .prop_map(|(id, org, who, role, status, ends, promises)| Invitation { id, org, who, role, status, ends, promises });
    let (on_org, scope) = (prop::option::weighted(0.2, 0..6_u8), prop::option::weighted(0.3, 0..6_u8));
    let ends = prop::option::weighted(0.5, 0..60_u8);
    let tuple = (0..12_u8, 0..6_u8, prop::sample::select(&RELATIONS[..]), on_org, scope, ends)
        .prop_map(|(id, usr, relation, on_org, scope, ends)| Tuple { id, usr, relation, on_org, scope, ends });
    let (invitations, tuples) = (prop::collection::vec(invitation, 0..2), prop::collection::vec(tuple, 0..2));
    // Tuples of no organization may come alone, and again.
    let alone = (0..4_u8, 0..6_u8, prop::sample::select(&RELATIONS[..]), prop::option::of(0..60_u8))
        .prop_map(|(id, usr, relation, ends)| Tuple { id: 100 + id, usr, relation, on_org: None, scope: None, ends })
        .prop_map(|tuple| Load { users: Vec::new(), orgs: Vec::new(), members: Vec::new(), invitations: Vec::new(), tuples: vec![tuple] });
    let load = (users, orgs, members, invitations, tuples).prop_map(|(users, orgs, members, invitations, tuples)| Load {
        users,
        orgs,
        members,
        invitations,
        tuples,
    });
    prop_oneof![4 => load, 1 => alone]
}

fn id(prefix: &str, number: u8) -> String {
    format!("{prefix}_0196000000007000800000000000{number:02x}ff")
}

impl Load {
    /// The rows, as of a moment from which ends are counted.
    pub(crate) fn rows(&self, now: Timestamp) -> Vec<Value> {
        let users = self.users.iter().map(|(number, status)| json!({"type": "user", "id": id("usr", *number), "status": status}));
        let orgs = self.orgs.iter().map(|(number, parent, status, slug)| {
            let (parent, slug) = (parent.map(|parent| id("org", parent)), slug.map(|slug| format!("slug-{slug}")));
            json!({"type": "organization", "id": id("org", *number), "parent_id": parent, "status": status, "slug": slug,
                "external_id": slug, "metadata": {"number": number}})
        });
        let end = |seconds: u8| now.plus_seconds(seconds.into()).to_string();
        let members = self.members.iter().map(|member| {
            json!({
                "type": "membership",
                "id": id("mem", member.id),
                "org_id": id("org", member.org),
                "usr_id": id("usr", member.usr),
                "role": member.role,
                "status": member.status,
                "replaces": member.replaces.map(|row| id("mem", row)),
                "expires_at": member.ends.map(end),
            })
        });
        let invitations = self.invitations.iter().map(|inv| {
            let (accepted, expired) = (inv.status == InvitationStatus::Accepted, inv.status == InvitationStatus::Expired);
            // One that has expired ended some time ago, and every other end came just now.
            let ends = if expired { now.plus_seconds(-i64::from(inv.ends)).to_string() } else { end(inv.ends) };
            let ended = (inv.status != InvitationStatus::Pending).then(|| if expired { ends.clone() } else { now.to_string() });
            let promise = |doc: u8| json!([{"relation": "viewer", "object_type": "doc", "object_id": doc_id(doc)}]);
            json!({
                "type": "invitation",
                "id": id("inv", inv.id),
                "org_id": id("org", inv.org),
                "identifier": format!("{}@example.org", inv.who),
                "role": inv.role,
                "status": inv.status,
                "pre_tuples": inv.promises.map(promise),
                "invited_by": id("usr", 0),
                "invited_user_id": accepted.then(|| id("usr", 1)),
                "expires_at": ends,
                "terminal_at": ended,
            })
        });
        let tuples = self.tuples.iter().map(|tuple| {
            let doc = || ("doc", doc_id(tuple.id % 3));
            let (object_type, object_id) = tuple.on_org.map_or_else(doc, |org| ("org", id("org", org)));
            json!({
                "type": "tuple",
                "id": id("tup", tuple.id),
                "subject_type": "usr",
                "subject_id": id("usr", tuple.usr),
                "relation": tuple.relation,
                "object_type": object_type,
                "object_id": object_id,
                "org_id": tuple.scope.map(|org| id("org", org)),
                "expires_at": tuple.ends.map(end),
            })
        });
        users.chain(orgs).chain(members).chain(invitations).chain(tuples).collect()
    }
}
