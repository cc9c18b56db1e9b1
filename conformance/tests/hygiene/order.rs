//! Every list is in the order of the bytes of its ids, on every store, whatever the pages.

use serde_json::{Value, json};

use crate::{LATE, Place, on_every_store, text};

/// UUIDs whose order by bytes is neither that of numbers with a sign, nor of text in some language, nor of their versions or times.
const HEX: [&str; 12] = [
    "00000000000010008000000000000001",
    "0196000000007000800000000000000a",
    "01960000000070008000000000000010",
    "019600000000700080000000000000a0",
    "0a000000000040008000000000000000",
    "7fffffffffff7fffbfffffffffffffff",
    "80000000000010008000000000000000",
    "9f000000000080000000000000000000",
    "a0000000000010000000000000000000",
    "f0000000000070008000000000000000",
    "fffffffffffe1000ffffffffffffffff",
    "ffffffffffff8fffffffffffffffffff",
];

/// The same, mixed: the order in which rows are made says nothing.
fn mixed() -> Vec<&'static str> {
    [7, 2, 11, 0, 5, 9, 1, 10, 4, 8, 3, 6].map(|place| HEX[place]).to_vec()
}

fn ids(prefix: &str) -> Vec<String> {
    HEX.iter().map(|hex| format!("{prefix}_{hex}")).collect()
}

fn of(rows: &[Value]) -> Vec<String> {
    rows.iter().map(|row| text(&row["id"])).collect()
}

const USER: &str = "usr_0196000000007000800000000000beef";
const HOME: &str = "org_01960000000070008000000000000001";
const DOC: &str = "01960000-0000-7000-8000-00000000d0c1";

/// Rows with these ids, each in a list of its own kind: children of one organization, memberships of one user and of one organization,
/// invitations to one organization and for one identifier, tuples of one subject and on one object.
async fn fill(place: &Place) {
    let mut rows = vec![
        json!({"type": "organization", "id": HOME}),
        json!({"type": "membership", "id": "mem_01960000000070008000000000000001", "usr_id": crate::OWNER, "org_id": HOME, "role": "owner"}),
    ];
    for hex in mixed() {
        // A user of its own for each, so that one organization takes them all.
        rows.push(json!({"type": "user", "id": format!("usr_{hex}")}));
        rows.push(json!({"type": "organization", "id": format!("org_{hex}"), "parent_id": HOME}));
        rows.push(
            json!({"type": "membership", "id": format!("mem_{hex}"), "usr_id": USER, "org_id": format!("org_{hex}"), "role": "owner"}),
        );
        rows.push(json!({"type": "invitation", "id": format!("inv_{hex}"), "org_id": format!("org_{hex}"), "identifier": "anna",
            "role": "guest", "invited_by": USER, "expires_at": LATE}));
        rows.push(json!({"type": "tuple", "id": format!("tup_{hex}"), "subject_type": "usr", "subject_id": format!("usr_{hex}"),
            "relation": "viewer", "object_type": "doc", "object_id": DOC}));
    }
    place.call("import", json!({ "rows": rows })).await;
}

/// The same rows whatever the limit, and each read once.
async fn listed(place: &Place, operation: &str, input: &Value) -> Vec<String> {
    let whole = of(&place.all(operation, input, 200).await);
    for limit in [1, 2, 3, 5, 11, 12, 13] {
        assert_eq!(of(&place.all(operation, input, limit).await), whole, "{}: {operation} by {limit}", place.name);
    }
    whole
}

// covers: PAG-1
#[test]
fn every_list_is_in_the_order_of_bytes() {
    on_every_store(async |place| {
        fill(place).await;
        let with_home: Vec<String> = {
            let mut all = ids("org");
            all.push(HOME.to_owned());
            all.sort();
            all
        };
        assert_eq!(listed(place, "list_orgs", &json!({})).await, with_home, "{}", place.name);
        assert_eq!(listed(place, "list_children", &json!({ "org_id": HOME })).await, ids("org"), "{}", place.name);
        assert_eq!(listed(place, "list_descendants", &json!({ "org_id": HOME })).await, ids("org"), "{}", place.name);
        assert_eq!(listed(place, "list_memberships", &json!({ "usr_id": USER })).await, ids("mem"), "{}", place.name);
        assert_eq!(listed(place, "list_invitations_for", &json!({"identifier": "anna"})).await, ids("inv"), "{}", place.name);
        let on = json!({"object_type": "doc", "object_id": DOC});
        assert_eq!(listed(place, "list_tuples_for_object", &on).await, ids("tup"), "{}", place.name);
        // The user's tuples are those of the memberships alone.
        let of_user = json!({"subject_type": "usr", "subject_id": USER});
        assert_eq!(listed(place, "list_tuples_for_subject", &of_user).await, ids("tup"), "{}", place.name);

        for (operation, field, prefix) in
            [("get_orgs", "org_ids", "org"), ("get_users", "usr_ids", "usr"), ("get_memberships", "mem_ids", "mem")]
        {
            // Asked for in another order, some of them twice, and some that are not there.
            let mut asked: Vec<String> = mixed().iter().map(|hex| format!("{prefix}_{hex}")).collect();
            asked.push(asked[3].clone());
            asked.push(format!("{prefix}_01960000000070008000000000dead01"));
            let found = place.call(operation, json!({ field: asked })).await;
            assert_eq!(of(found["data"].as_array().unwrap()), ids(prefix), "{}: {operation}", place.name);
        }
    });
}

/// The lists of one organization, and stored tuples in one row with those that memberships are.
// covers: PAG-1, TUP-30, TUP-32
#[test]
fn the_lists_of_an_organization_are_in_the_order_of_bytes_too() {
    on_every_store(async |place| {
        let mut rows = vec![json!({"type": "organization", "id": HOME})];
        for (number, hex) in (0..).zip(mixed()) {
            let role = if number == 0 { "owner" } else { "guest" };
            rows.push(
                json!({"type": "membership", "id": format!("mem_{hex}"), "usr_id": format!("usr_{hex}"), "org_id": HOME, "role": role}),
            );
            rows.push(
                json!({"type": "invitation", "id": format!("inv_{hex}"), "org_id": HOME, "identifier": format!("{number}@example.org"),
                "role": "guest", "invited_by": USER, "expires_at": LATE}),
            );
        }
        // Between the ids of the memberships, which are those of tuples too.
        let stored = ["019600000000700080000000000000a1", "80000000000010008000000000000001", "00000000000010008000000000000000"];
        for hex in stored {
            rows.push(json!({"type": "tuple", "id": format!("tup_{hex}"), "subject_type": "doc", "subject_id": format!("doc_{hex}"),
                "relation": "parent", "object_type": "org", "object_id": HOME}));
        }
        place.call("import", json!({ "rows": rows })).await;
        assert_eq!(listed(place, "list_members", &json!({ "org_id": HOME })).await, ids("mem"), "{}", place.name);
        assert_eq!(listed(place, "list_invitations", &json!({ "org_id": HOME })).await, ids("inv"), "{}", place.name);
        let mut tuples: Vec<String> = HEX.iter().chain(&stored).map(|hex| format!("tup_{hex}")).collect();
        tuples.sort();
        let on = json!({"object_type": "org", "object_id": HOME});
        assert_eq!(listed(place, "list_tuples_for_object", &on).await, tuples, "{}", place.name);
        let guests: Vec<String> =
            tuples.iter().filter(|id| !stored.contains(&&id[4..]) && **id != format!("tup_{}", mixed()[0])).cloned().collect();
        let on = json!({"object_type": "org", "object_id": HOME, "relation": "guest"});
        assert_eq!(listed(place, "list_tuples_for_object", &on).await, guests, "{}", place.name);
    });
}
