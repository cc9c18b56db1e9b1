//! Imports bring ids from elsewhere: what was decided by the absence of a row must still be so when it is written.

use serde_json::{Value, json};
use tenantry_core::{CreateOrg, CreateRole, OrgId};

use super::{
    DUPLICATE_TUPLE, IMPORT, MEMBERSHIP_RELATION, NO_OWNER, OK, Pairing, ROLE_IN_USE, ROLE_SLUG, Race, SOLE_OWNER, USER_NOT_ACTIVE, call,
    create_org, on_org, on_user,
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

/// The row of an organization of the store that has nothing but its place.
fn stored(org: OrgId, parent: Option<OrgId>) -> Value {
    json!({"type": "organization", "id": org.to_string(), "parent_id": parent.map(|parent| parent.to_string())})
}

/// The same organization, below one of the store.
fn child(m: &Maker<'_>, parent: OrgId) -> Vec<Value> {
    let mut rows = organization(m);
    rows[0]["parent_id"] = parent.to_string().into();
    rows
}

/// The slug of a role that no other world has.
fn slug(m: &Maker<'_>) -> String {
    let digits = m.stranger(6).as_uuid().simple().to_string();
    digits[20..]
        .chars()
        .filter_map(|digit| digit.to_digit(16))
        .map(|digit| char::from(b'a' + u8::try_from(digit).expect("a digit")))
        .collect()
}

/// What an import leans on of roles, and of the shape of trees.
fn roles() -> Vec<Pairing> {
    let one: &[&[&str]] = &[&[OK, MEMBERSHIP_RELATION], &[ROLE_SLUG, OK]];
    vec![
        Pairing::new("import of a member far below with a role / delete_role of it", &[&[OK, ROLE_IN_USE], &[IMPORT, OK]], |m| {
            Box::pin(async move {
                let (org, _) = m.org(m.stranger(7)).await?;
                let role = m.store.create_role(CreateRole::new(org, "clerk")).await?.id;
                // Not right above: that one tells of its new child.
                let middle = m.store.create_org(CreateOrg::new(m.stranger(7)).parent(org)).await?.org.id;
                let role_row = json!({"type": "role", "id": role.to_string(), "org_id": org.to_string(), "slug": "clerk"});
                let mut rows = vec![stored(org, None), role_row, stored(middle, Some(org))];
                rows.extend(child(&m, middle));
                rows.push(json!({"type": "membership", "id": id(&m, "mem", 8), "org_id": id(&m, "org", 1),
                    "usr_id": m.stranger(8).to_string(), "role": "clerk"}));
                Ok(Race::of([import(&rows), call("delete_role", json!({"role_id": role.to_string()}))]))
            })
        }),
        Pairing::new("import of a child / move_org of what is above", &[&[OK, OK], &[IMPORT, OK]], |m| {
            Box::pin(async move {
                let (root, _) = m.org(m.stranger(7)).await?;
                let middle = m.store.create_org(CreateOrg::new(m.stranger(7)).parent(root)).await?.org.id;
                let lower = m.store.create_org(CreateOrg::new(m.stranger(7)).parent(middle)).await?.org.id;
                let mut rows = vec![stored(root, None), stored(middle, Some(root)), stored(lower, Some(middle))];
                rows.extend(child(&m, lower));
                Ok(Race::of([import(&rows), on_org("move_org", middle)]))
            })
        }),
        Pairing::new("import of a role of the system / create_tuple with its slug for a relation", one, |m| {
            Box::pin(async move {
                let (org, _) = m.org(m.stranger(7)).await?;
                let role = json!({"type": "role", "id": id(&m, "rol", 9), "slug": slug(&m)});
                let tuple = json!({"subject_type": "folder", "subject_id": m.doc(), "relation": slug(&m), "object_type": "org",
                    "object_id": org.to_string()});
                Ok(Race::of([import(&[role]), call("create_tuple", tuple)]))
            })
        }),
        Pairing::new("import of an organization with a role / create_tuple with its slug for a relation", one, |m| {
            Box::pin(async move {
                let mut rows = organization(&m);
                rows.push(json!({"type": "role", "id": id(&m, "rol", 9), "org_id": id(&m, "org", 1), "slug": "clerk"}));
                let mut tuple = owner_of(&m);
                tuple["relation"] = "clerk".into();
                Ok(Race::of([import(&rows), call("create_tuple", tuple)]))
            })
        }),
        Pairing::new("import of a tuple on an organization of the store / create_role with its relation for a slug", one_of_both(), |m| {
            Box::pin(async move {
                let (org, _) = m.org(m.stranger(7)).await?;
                let mut rows = organization(&m);
                rows.push(
                    json!({"type": "tuple", "id": id(&m, "tup", 4), "subject_type": "folder", "subject_id": m.doc(), "relation": "clerk",
                    "object_type": "org", "object_id": org.to_string(), "org_id": id(&m, "org", 1)}),
                );
                Ok(Race::of([import(&rows), on_org("create_role", org).with("slug", "clerk")]))
            })
        }),
    ]
}

const fn one_of_both() -> &'static [&'static [&'static str]] {
    &[&[OK, ROLE_SLUG], &[MEMBERSHIP_RELATION, OK]]
}

pub(super) fn pairings() -> Vec<Pairing> {
    rows().into_iter().chain(roles().into_iter().map(Pairing::read_committed)).collect()
}

fn rows() -> Vec<Pairing> {
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
