//! Pages: bounds of the limit, and pages that are full to the last row.

use serde_json::{Value, json};

use crate::{id, on_every_store};

// covers: PAG-2, PAG-3, PAG-4, PAG-5
#[test]
fn a_limit_is_brought_into_its_bounds_or_is_none() {
    on_every_store(async |place| {
        // One more than the longest page.
        let rows: Vec<Value> = (0..201)
            .map(|number| {
                json!({"type": "tuple", "id": id("tup", number), "subject_type": "doc", "subject_id": id("doc", number),
                    "relation": "parent", "object_type": "doc", "object_id": id("doc", 9999)})
            })
            .collect();
        place.call("import", json!({ "rows": rows })).await;
        let on = |limit: Value| json!({"object_type": "doc", "object_id": id("doc", 9999), "limit": limit});
        for (limit, rows) in [
            (Value::Null, 50),
            (json!(i64::MIN), 1),
            (json!(-1), 1),
            (json!(0), 1),
            (json!(1), 1),
            (json!(199), 199),
            (json!(200), 200),
            (json!(201), 200),
            (json!(i64::MAX), 200),
        ] {
            let page = place.call("list_tuples_for_object", on(limit.clone())).await;
            assert_eq!(page["data"].as_array().unwrap().len(), rows, "{}: {limit}", place.name);
            assert!(page["page"]["next_cursor"].is_string(), "{}: {limit}", place.name);
        }
        for limit in
            [json!(1.0), json!(1.5), json!("1"), json!(true), json!([]), json!({}), json!(9_223_372_036_854_775_808_u64), json!(1e300)]
        {
            assert_eq!(place.code("list_tuples_for_object", on(limit.clone())).await, "invalid_format.limit", "{}: {limit}", place.name);
        }
    });
}

/// Rows that fill one page to its end, or two.
// covers: PAG-6
#[test]
fn a_last_page_that_is_full_has_no_cursor() {
    on_every_store(async |place| {
        let home = place.org(json!({})).await;
        // The owner is the first of four members.
        for number in 0..3 {
            place.call("add_member", json!({"org_id": home, "usr_id": id("usr", number), "role": "guest"})).await;
            place.org(json!({ "parent_id": home })).await;
        }
        let subject = json!({"subject_type": "usr", "subject_id": id("usr", 0)});
        for (operation, input, rows) in [
            ("list_members", json!({ "org_id": home }), 4),
            ("list_children", json!({ "org_id": home }), 3),
            ("list_descendants", json!({ "org_id": home }), 3),
            ("list_orgs", json!({}), 4),
            ("list_memberships", json!({ "usr_id": id("usr", 0) }), 1),
            ("list_invitations", json!({ "org_id": home }), 0),
            ("list_invitations_for", json!({"identifier": "x"}), 0),
            ("list_tuples_for_object", json!({"object_type": "org", "object_id": home}), 4),
            ("list_tuples_for_subject", subject, 1),
        ] {
            for limit in 1..6_usize {
                let mut input = input.clone();
                input["limit"] = json!(limit);
                let mut left = rows;
                loop {
                    let page = place.call(operation, input.clone()).await;
                    let (data, next) = (page["data"].as_array().unwrap().len(), page["page"]["next_cursor"].clone());
                    assert_eq!(data, left.min(limit), "{}: {operation} by {limit}", place.name);
                    left -= data;
                    // A cursor exactly where something follows.
                    assert_eq!(next.is_null(), left == 0, "{}: {operation} by {limit}", place.name);
                    if next.is_null() {
                        break;
                    }
                    input["cursor"] = next;
                }
            }
        }
    });
}

/// The feeds of events go on by a number and by an id.
// covers: EVT-5, EVT-17
#[test]
fn a_page_of_events_that_is_full_to_the_last_has_no_cursor() {
    on_every_store(async |place| {
        // Two events, and two more.
        let home = place.org(json!({})).await;
        for number in 0..2 {
            place.call("add_member", json!({"org_id": home, "usr_id": id("usr", number), "role": "guest"})).await;
        }
        for limit in 1..6_usize {
            let (mut after, mut seen) = (0, 0);
            loop {
                let page = place.call("changes", json!({"org_id": home, "after_revision": after, "limit": limit})).await;
                let data = page["data"].as_array().unwrap();
                seen += data.len();
                assert_eq!(page["page"]["next_cursor"].is_null(), seen == 4, "{}: by {limit}", place.name);
                match page["page"]["next_cursor"].as_str() {
                    Some(next) => after = next.parse::<u64>().expect("a revision"),
                    None => break,
                }
            }
            assert_eq!(seen, 4);
            let (mut after, mut seen) = (Value::Null, 0);
            loop {
                let page = place.call("changes_all", json!({"after": after, "limit": limit})).await;
                let data = page["data"].as_array().unwrap();
                seen += data.len();
                assert_eq!(page["page"]["next_cursor"].is_null(), seen == 4, "{}: all, by {limit}", place.name);
                after = page["page"]["next_cursor"].clone();
                if after.is_null() {
                    break;
                }
                assert_eq!(after, data.last().unwrap()["id"], "{}", place.name);
            }
            assert_eq!(seen, 4);
        }
    });
}
