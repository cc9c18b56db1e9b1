//! Random imports: small, and mostly wrong in one place or another.

use proptest::prelude::*;
use serde_json::{Value, json};
use tenantry_core::{Import, MembershipStatus, OrgStatus, Timestamp, UserStatus, wire};

/// What an import brings. Numbers are parts of ids, so that a later import may meet what an earlier one brought.
#[derive(Debug, Clone)]
pub(crate) struct Load {
    users: Vec<(u8, UserStatus)>,
    orgs: Vec<(u8, Option<u8>, OrgStatus, Option<u8>)>,
    members: Vec<Member>,
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
    (users, orgs, members).prop_map(|(users, orgs, members)| Load { users, orgs, members })
}

fn id(prefix: &str, number: u8) -> String {
    format!("{prefix}_0196000000007000800000000000{number:02x}ff")
}

impl Load {
    pub(crate) fn request(&self, now: Timestamp) -> Import {
        let users = self.users.iter().map(|(number, status)| json!({"type": "user", "id": id("usr", *number), "status": status}));
        let orgs = self.orgs.iter().map(|(number, parent, status, slug)| {
            let (parent, slug) = (parent.map(|parent| id("org", parent)), slug.map(|slug| format!("slug-{slug}")));
            json!({"type": "organization", "id": id("org", *number), "parent_id": parent, "status": status, "slug": slug})
        });
        let members = self.members.iter().map(|member| {
            json!({
                "type": "membership",
                "id": id("mem", member.id),
                "org_id": id("org", member.org),
                "usr_id": id("usr", member.usr),
                "role": member.role,
                "status": member.status,
                "replaces": member.replaces.map(|row| id("mem", row)),
                "expires_at": member.ends.map(|seconds| now.plus_seconds(seconds.into()).to_string()),
            })
        });
        let row = |row: Value| wire::import_row(&serde_json::from_value(row).expect("JSON is a value")).expect("a row");
        Import::new((1..).zip(users.chain(orgs).chain(members).map(row)).collect())
    }
}
