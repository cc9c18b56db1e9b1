//! Imports bring ids from elsewhere: what was decided by the absence of a row must still be so when it is written.

use serde_json::{Value, json};

use super::{
    DUPLICATE_TUPLE, IMPORT, MEMBERSHIP_RELATION, NO_OWNER, OK, Pairing, Race, SOLE_OWNER, USER_NOT_ACTIVE, call, create_org, on_user,
};
use crate::arena::Call;
use crate::worlds::Maker;

/// The id of an organization, a membership or a tuple that no other world has.
fn id(m: &Maker<'_>, prefix: &str, index: u128) -> String {
    format!("{prefix}_{}", m.stranger(index).as_uuid().simple())
}

fn import(rows: &[Value]) -> Call {
    call("import", json!({ "rows": rows }))
}

/// An organization and its owner.
fn organization(m: &Maker<'_>) -> Vec<Value> {
    let org = id(m, "org", 1);
    vec![
        json!({"type": "organization", "id": org}),
        json!({"type": "membership", "id": id(m, "mem", 2), "org_id": org, "usr_id": m.stranger(3).to_string(), "role": "owner"}),
    ]
}

/// That somebody is an owner of what is no organization, or not yet.
fn owner_of(m: &Maker<'_>) -> Value {
    let object = m.stranger(1).as_uuid().to_string();
    json!({"subject_type": "folder", "subject_id": m.doc(), "relation": "owner", "object_type": "org", "object_id": object})
}

fn tuple_row(m: &Maker<'_>) -> Value {
    let mut row = owner_of(m);
    row["type"] = "tuple".into();
    row["id"] = id(m, "tup", 4).into();
    row
}

pub(super) fn pairings() -> Vec<Pairing> {
    let one: &[&[&str]] = &[&[OK, IMPORT], &[MEMBERSHIP_RELATION, OK]];
    vec![
        Pairing::new("create_tuple of a role's relation / import of the organization that it is on", one, |m| {
            Box::pin(async move { Ok(Race::of([call("create_tuple", owner_of(&m)), import(&organization(&m))])) })
        })
        .read_committed(),
        Pairing::new("import of a role's tuple / import of the organization that it is on", one, |m| {
            Box::pin(async move { Ok(Race::of([import(&[tuple_row(&m)]), import(&organization(&m))])) })
        })
        .read_committed()
        .in_flight(),
        Pairing::new(
            "create_tuple of a role's relation / create_tuple of the same",
            &[&[OK, DUPLICATE_TUPLE], &[DUPLICATE_TUPLE, OK]],
            |m| Box::pin(async move { Ok(Race::of([call("create_tuple", owner_of(&m)), call("create_tuple", owner_of(&m))])) }),
        )
        .read_committed(),
        Pairing::new("import of a user as revoked / create_org by this user", &[&[OK, USER_NOT_ACTIVE], &[IMPORT, OK]], |m| {
            Box::pin(async move {
                let gone = json!({"type": "user", "id": m.stranger(5).to_string(), "status": "revoked"});
                Ok(Race::of([import(&[gone]), create_org(m.stranger(5))]))
            })
        })
        .read_committed(),
        Pairing::new("import of an organization / revoke_user of its owner", &[&[OK, SOLE_OWNER], &[NO_OWNER, OK]], |m| {
            Box::pin(async move {
                let usr = m.row().await?;
                let mut rows = organization(&m);
                rows[1]["usr_id"] = usr.to_string().into();
                Ok(Race::of([import(&rows), on_user("revoke_user", usr)]))
            })
        })
        .read_committed(),
    ]
}
