//! A cursor belongs to one list, with one scope and one filter, and to nothing else.

use serde_json::{Value, json};

use crate::{LATE, OWNER, Place, id, on_every_store, text};

/// Every list that gives cursors, in several scopes and with several filters; each has at least three rows.
async fn lists(place: &Place) -> Vec<(&'static str, Value)> {
    let invite = |org: &str, identifier: &str| json!({"org_id": org, "identifier": identifier, "role": "guest", "invited_by": OWNER, "expires_at": LATE});
    let tuple = |subject: u32, relation: &str, object: u32| {
        json!({"subject_type": "doc", "subject_id": id("doc", subject), "relation": relation, "object_type": "doc",
            "object_id": id("doc", object)})
    };
    let mut homes = Vec::new();
    for _ in 0..3 {
        let home = place.org(json!({"name": "Home"})).await;
        for number in 0..3 {
            place.call("add_member", json!({"org_id": home, "usr_id": id("usr", number), "role": "guest"})).await;
            place.org(json!({"parent_id": home, "name": "Below"})).await;
            place.call("create_invitation", invite(&home, &format!("{number}@example.org"))).await;
        }
        homes.push(home);
    }
    for (subject, object) in [(1, 1), (1, 2), (1, 3), (2, 1), (2, 2), (2, 3), (3, 1), (3, 2)] {
        for relation in ["parent", "viewer"] {
            place.call("create_tuple", tuple(subject, relation, object)).await;
        }
    }
    let [one, two, _] = homes.try_into().expect("three");
    vec![
        ("list_orgs", json!({})),
        ("list_orgs", json!({"status": "active"})),
        ("list_orgs", json!({"query": "o"})),
        ("list_orgs", json!({"query": "e"})),
        ("list_orgs", json!({"status": "active", "query": "o"})),
        ("list_children", json!({ "org_id": one })),
        ("list_children", json!({ "org_id": two })),
        ("list_descendants", json!({ "org_id": one })),
        ("list_descendants", json!({ "org_id": two })),
        ("list_descendants", json!({"org_id": one, "levels": 1})),
        ("list_members", json!({ "org_id": one })),
        ("list_members", json!({ "org_id": two })),
        ("list_members", json!({"org_id": one, "status": "active"})),
        ("list_memberships", json!({ "usr_id": id("usr", 0) })),
        ("list_memberships", json!({ "usr_id": id("usr", 1) })),
        ("list_memberships", json!({"usr_id": id("usr", 0), "status": "active"})),
        ("list_invitations", json!({ "org_id": one })),
        ("list_invitations", json!({ "org_id": two })),
        ("list_invitations", json!({"org_id": one, "status": "pending"})),
        ("list_invitations_for", json!({"identifier": "0@example.org"})),
        ("list_invitations_for", json!({"identifier": "1@example.org"})),
        ("list_invitations_for", json!({"identifier": "0@example.org", "status": "pending"})),
        ("list_tuples_for_subject", json!({"subject_type": "doc", "subject_id": id("doc", 1)})),
        ("list_tuples_for_subject", json!({"subject_type": "doc", "subject_id": id("doc", 2)})),
        ("list_tuples_for_object", json!({"object_type": "doc", "object_id": id("doc", 1)})),
        ("list_tuples_for_object", json!({"object_type": "doc", "object_id": id("doc", 2)})),
        ("list_tuples_for_object", json!({"object_type": "doc", "object_id": id("doc", 1), "relation": "parent"})),
        ("list_tuples_for_object", json!({"object_type": "doc", "object_id": id("doc", 1), "relation": "viewer"})),
    ]
}

fn with(input: &Value, cursor: impl Into<Value>) -> Value {
    let mut input = input.clone();
    input["cursor"] = cursor.into();
    input["limit"] = json!(1);
    input
}

// covers: PAG-8, PAG-9, PAG-10, TUP-31
#[test]
fn a_cursor_opens_the_very_list_that_gave_it_and_no_other() {
    on_every_store(async |place| {
        let lists = lists(place).await;
        let mut cursors = Vec::new();
        for (operation, input) in &lists {
            let page = place.call(operation, with(input, Value::Null)).await;
            cursors.push(text(&page["page"]["next_cursor"]));
        }
        for (from, cursor) in lists.iter().zip(&cursors) {
            for to in &lists {
                let code = place.code(to.0, with(&to.1, cursor.as_str())).await;
                let expected = if from == to { "ok" } else { "invalid_cursor" };
                assert_eq!(code, expected, "{}: the cursor of {from:?} at {to:?}", place.name);
            }
            // Neither does a feed take it.
            assert_eq!(place.code("changes_all", json!({ "after": cursor })).await, "invalid_cursor", "{}", place.name);
        }
    });
}

// covers: PAG-8
#[test]
fn a_cursor_has_one_text() {
    on_every_store(async |place| {
        let lists = lists(place).await;
        let (operation, input) = &lists[0];
        let cursor = text(&place.call(operation, with(input, Value::Null)).await["page"]["next_cursor"]);
        assert_eq!(place.code(operation, with(input, cursor.as_str())).await, "ok", "{}", place.name);
        let swapped: String =
            cursor.chars().map(|c| if c.is_ascii_lowercase() { c.to_ascii_uppercase() } else { c.to_ascii_lowercase() }).collect();
        for other in [
            swapped,
            cursor.to_uppercase(),
            format!("{cursor} "),
            format!(" {cursor}"),
            format!("{cursor}\n"),
            format!("{cursor}\0"),
            format!("{cursor}="),
            format!("{cursor}=="),
            format!("{cursor}A"),
            format!("{cursor}{cursor}"),
            cursor[..cursor.len() - 1].to_owned(),
            cursor[1..].to_owned(),
            cursor.replace('A', "Ａ"),
            cursor.replace('-', "+").replace('_', "/") + "=",
            String::new(),
            "null".to_owned(),
            "%".to_owned(),
            "\0".to_owned(),
            "🦀".to_owned(),
            "A".repeat(65),
            "A".repeat(1 << 16),
            id("org", 1),
        ] {
            assert_eq!(place.code(operation, with(input, other.as_str())).await, "invalid_cursor", "{}: {other:?}", place.name);
        }
        for other in [json!(1), json!(true), json!([cursor]), json!({ "cursor": cursor })] {
            assert_eq!(place.code(operation, with(input, other.clone())).await, "invalid_cursor", "{}: {other}", place.name);
        }
    });
}
