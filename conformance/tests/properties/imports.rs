//! Random imports: small, and mostly wrong in one place or another.

use proptest::prelude::*;
use serde_json::{Value, json};
use tenantry_core::{InvitationStatus, MembershipStatus, OrgStatus, Timestamp, UserStatus};

use crate::moves::{RELATIONS, doc_id};

/// What an import brings. Numbers are parts of ids, so that a later import may meet what an earlier one brought.
#[derive(Debug, Clone, Default)]
pub(crate) struct Load {
    users: Vec<(u8, UserStatus)>,
    orgs: Vec<(u8, Option<u8>, OrgStatus, Option<u8>)>,
    members: Vec<Member>,
    invitations: Vec<Invitation>,
    tuples: Vec<Tuple>,
    known: Vec<Known>,
    teams: Vec<Team>,
}

/// What stands before members.
#[derive(Debug, Clone)]
enum Known {
    Permission(u8),
    Role { id: u8, org: Option<u8>, slug: u8 },
    Granted { role: u8, permission: u8, ends: Option<u8> },
}

/// What stands behind them.
#[derive(Debug, Clone)]
enum Team {
    Group { id: u8, org: u8, slug: u8 },
    Member { group: u8, org: u8, usr: u8, ends: Option<u8> },
    Role { group: u8, org: u8, role: Option<u8>, slug: u8, ends: Option<u8> },
    Override { holder: (bool, u8), permission: u8, denies: bool, ends: Option<u8> },
}

#[derive(Debug, Clone)]
struct Member {
    id: u8,
    org: u8,
    usr: u8,
    role: &'static str,
    role_id: Option<u8>,
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
    let role = prop_oneof![3 => Just("owner"), 1 => prop::sample::select(&["admin", "viewer", "nobody", "clerk", "auditor", "biller"][..])];
    let role = (role, prop::option::weighted(0.2, 0..4_u8));
    let status = prop_oneof![6 => Just(MembershipStatus::Active), 1 => prop::sample::select(MembershipStatus::ALL)];
    let (replaces, ends) = (prop::option::weighted(0.1, 0..30_u8), prop::option::weighted(0.1, 0..60_u8));
    let member =
        (0..30_u8, 0..6_u8, 0..6_u8, role, status, replaces, ends).prop_map(|(id, org, usr, (role, role_id), status, replaces, ends)| {
            let role_id = role_id.filter(|_| !["owner", "admin", "viewer"].contains(&role));
            Member { id, org, usr, role, role_id, status, replaces, ends }
        });
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
    let (org, ends) = (|| 0..6_u8, || prop::option::weighted(0.3, 0..60_u8));
    let known = prop_oneof![
        (0..4_u8).prop_map(Known::Permission),
        (0..4_u8, prop::option::weighted(0.7, org()), 0..3_u8).prop_map(|(id, org, slug)| Known::Role { id, org, slug }),
        (0..4_u8, 0..4_u8, ends()).prop_map(|(role, permission, ends)| Known::Granted { role, permission, ends }),
    ];
    let team = prop_oneof![
        (0..4_u8, org(), 0..2_u8).prop_map(|(id, org, slug)| Team::Group { id, org, slug }),
        (0..4_u8, org(), 0..6_u8, ends()).prop_map(|(group, org, usr, ends)| Team::Member { group, org, usr, ends }),
        (0..4_u8, org(), prop::option::of(0..4_u8), 0..4_u8, ends()).prop_map(|(group, org, role, slug, ends)| Team::Role {
            group,
            org,
            role,
            slug,
            ends
        }),
        (any::<bool>(), 0..30_u8, 0..4_u8, any::<bool>(), ends()).prop_map(|(of_org, id, permission, denies, ends)| {
            Team::Override { holder: (of_org, if of_org { id % 6 } else { id }), permission, denies, ends }
        }),
    ];
    // Mostly none: each of them is one more that may be wrong.
    let (known, teams) = (prop::collection::vec(known, 0..3), prop::collection::vec(team, 0..2));
    // Tuples of no organization may come alone, and again; and so may what belongs to the system.
    let alone = (0..4_u8, 0..6_u8, prop::sample::select(&RELATIONS[..]), prop::option::of(0..60_u8))
        .prop_map(|(id, usr, relation, ends)| Tuple { id: 100 + id, usr, relation, on_org: None, scope: None, ends })
        .prop_map(|tuple| Load { tuples: vec![tuple], ..Load::default() });
    let of_system = (0..4_u8, 0..3_u8, prop::option::of(0..60_u8)).prop_map(|(number, slug, ends)| {
        let role = Known::Role { id: number, org: None, slug };
        Load { known: vec![Known::Permission(number), role, Known::Granted { role: number, permission: number, ends }], ..Load::default() }
    });
    let load =
        (users, orgs, members, invitations, tuples, known, teams).prop_map(|(users, orgs, members, invitations, tuples, known, teams)| {
            Load { users, orgs, members, invitations, tuples, known, teams }
        });
    prop_oneof![8 => load, 1 => alone, 1 => of_system]
}

fn slug_of_role(number: u8) -> &'static str {
    ["clerk", "auditor", "biller", "viewer"][usize::from(number % 4)]
}

fn permission(number: u8) -> &'static str {
    ["doc.read", "doc.write", "bill.read", "bill.pay"][usize::from(number % 4)]
}

impl Known {
    fn row(&self, end: impl Fn(u8) -> String) -> Value {
        match self {
            Self::Permission(number) => json!({"type": "permission", "slug": permission(*number)}),
            Self::Role { id: number, org, slug } => {
                json!({"type": "role", "id": id("rol", *number), "org_id": org.map(|org| id("org", org)), "slug": slug_of_role(*slug)})
            }
            Self::Granted { role, permission: number, ends } => json!({"type": "role_permission", "role_id": id("rol", *role),
                "permission": permission(*number), "expires_at": ends.map(end)}),
        }
    }
}

impl Team {
    fn row(&self, end: impl Fn(u8) -> String) -> Value {
        match self {
            Self::Group { id: number, org, slug } => {
                json!({"type": "group", "id": id("grp", *number), "org_id": id("org", *org), "slug": format!("team-{slug}")})
            }
            Self::Member { group, org, usr, ends } => json!({"type": "group_member", "group_id": id("grp", *group),
                "org_id": id("org", *org), "usr_id": id("usr", *usr), "expires_at": ends.map(end)}),
            Self::Role { group, org, role, slug, ends } => json!({"type": "group_role", "group_id": id("grp", *group),
                "org_id": id("org", *org), "role": slug_of_role(*slug), "role_id": role.filter(|_| slug % 4 < 3).map(|role| id("rol", role)),
                "expires_at": ends.map(end)}),
            Self::Override { holder: (of_org, number), permission: slug, denies, ends } => {
                let holder = id(if *of_org { "org" } else { "mem" }, *number);
                let effect = if *denies { "deny" } else { "grant" };
                json!({"type": "override", "holder": holder, "permission": permission(*slug), "effect": effect, "expires_at": ends.map(end)})
            }
        }
    }
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
                "role_id": member.role_id.map(|role| id("rol", role)),
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
        let (known, teams) = (self.known.iter().map(|known| known.row(end)), self.teams.iter().map(|team| team.row(end)));
        users.chain(orgs).chain(known).chain(members).chain(invitations).chain(tuples).chain(teams).collect()
    }
}
