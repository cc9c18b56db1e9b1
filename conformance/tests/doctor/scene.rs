//! A store with rows of every kind and status, and their ids by name.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use tenantry_conformance::testing::World;
use tenantry_core::source::ManualClock;
use tenantry_core::{Clock, TenancyStore};

use crate::moves::call;

/// Ids in wire form, by name.
pub(crate) type Ids = BTreeMap<&'static str, String>;

const LATE: &str = "9999-01-01T00:00:00Z";

/// Fills an empty store, whose clock this is.
pub(crate) async fn build(store: &dyn TenancyStore, clock: &ManualClock) -> Ids {
    let world = World::build(store).await.expect("a world");
    let mut ids = BTreeMap::from([
        ("owner", world.owner.to_string()),
        ("outsider", world.outsider.to_string()),
        ("suspended_user", world.suspended_user.to_string()),
        ("org", world.org.to_string()),
        ("child", world.child.to_string()),
        ("suspended_org", world.suspended_org.to_string()),
        ("owner_mem", world.owner_mem.to_string()),
        ("member_mem", world.member_mem.to_string()),
        ("suspended_mem", world.suspended_mem.to_string()),
        ("pending_inv", world.pending_inv.to_string()),
        ("declined_inv", world.declined_inv.to_string()),
        ("scoped_tup", world.scoped_tup.to_string()),
        ("open_tup", world.open_tup.to_string()),
        ("role", world.role.to_string()),
        ("spare_role", world.spare_role.to_string()),
        ("group", world.group.to_string()),
        ("nobody", "org_01960000000070008000000000ff0001".to_owned()),
    ]);
    further(store, clock, &world, &mut ids).await;
    ids
}

async fn further(store: &dyn TenancyStore, clock: &ManualClock, world: &World, ids: &mut Ids) {
    let done = async |operation: &str, input: Value| {
        clock.advance_micros(1_000);
        call(store, operation, &input).await.unwrap_or_else(|error| panic!("{operation} {input}: {error:?}"))
    };
    let text = |value: &Value| value.as_str().expect("an id").to_owned();
    let soon = clock.now().plus_seconds(1).to_string();
    let (owner, org) = (world.owner.to_string(), world.org.to_string());
    let user = |number: u8| format!("usr_0196000000007000800000000000f0{number:02x}");
    let add = |org: &str, usr: &str| json!({"org_id": org, "usr_id": usr, "role": "guest"});
    let invite = |org: &str, identifier: &str, end: &str| json!({"org_id": org, "identifier": identifier, "role": "guest", "invited_by": owner, "expires_at": end});

    // What reaches the child by its ancestors alone.
    done("set_org_override", json!({"org_id": org, "permission": World::READ, "effect": "grant"})).await;
    let revoked = text(&done("create_user", json!({})).await["user"]["id"]);
    done("revoke_user", json!({ "usr_id": revoked })).await;
    // A member with two rows before, and one who left.
    let first = text(&done("add_member", add(&org, &user(1))).await["id"]);
    let second = text(&done("change_role", json!({"mem_id": first, "new_role": "viewer"})).await["id"]);
    let third = text(&done("change_role", json!({"mem_id": second, "new_role": "editor"})).await["id"]);
    let left = text(&done("add_member", add(&org, &user(2))).await["id"]);
    done("self_leave", json!({ "mem_id": left })).await;
    // A tree of ten levels.
    let mut bottom = text(&done("create_org", json!({ "creator": owner })).await["org"]["id"]);
    for _ in 1..10 {
        bottom = text(&done("create_org", json!({"creator": owner, "parent_id": bottom})).await["org"]["id"]);
    }
    // An organization that is revoked with all that belonged to it, and one below it.
    let gone = text(&done("create_org", json!({"creator": owner, "slug": "gone"})).await["org"]["id"]);
    let gone_mem = text(&done("add_member", add(&gone, &user(1))).await["id"]);
    let gone_inv = text(&done("create_invitation", invite(&gone, "late@example.org", LATE)).await["id"]);
    let gone_child = text(&done("create_org", json!({"creator": owner, "parent_id": gone})).await["org"]["id"]);
    done("revoke_org", json!({ "org_id": gone_child })).await;
    done("revoke_org", json!({ "org_id": gone })).await;
    let swept = text(&done("create_invitation", invite(&org, "early@example.org", &soon)).await["id"]);
    clock.advance_micros(2_000_000);
    done("sweep", json!({})).await;
    let accepted = text(&done("create_invitation", invite(&org, "new@example.org", LATE)).await["id"]);
    done("accept_invitation", json!({ "inv_id": accepted })).await;
    let viewer = |tuple: u8| {
        json!({"subject_type": "usr", "subject_id": user(1), "relation": "viewer", "object_type": "doc",
            "object_id": format!("01960000-0000-7000-8000-0000000000{tuple:02x}"), "org_id": org})
    };
    let deleted = text(&done("create_tuple", viewer(1)).await["id"]);
    done("delete_tuple", json!({ "tup_id": deleted })).await;
    let kept = text(&done("create_tuple", viewer(1)).await["id"]);

    let of = |prefix: &str, number: u8| format!("{prefix}_0196000000007000800000000000aa{number:02x}");
    let (imported, guest) = (of("org", 1), of("mem", 2));
    let rows = json!([
        {"type": "user", "id": user(3)},
        {"type": "organization", "id": imported, "slug": "imported"},
        {"type": "membership", "id": of("mem", 1), "usr_id": owner, "org_id": imported, "role": "owner"},
        {"type": "membership", "id": guest, "usr_id": user(3), "org_id": imported, "role": "guest"},
        {"type": "invitation", "id": of("inv", 1), "org_id": imported, "identifier": "x", "role": "guest", "invited_by": owner,
            "expires_at": LATE},
    ]);
    done("import", json!({ "rows": rows })).await;
    ids.extend([
        ("revoked_user", revoked),
        ("first_mem", first),
        ("second_mem", second),
        ("third_mem", third),
        ("left_mem", left),
        ("bottom", bottom),
        ("gone", gone),
        ("gone_mem", gone_mem),
        ("gone_inv", gone_inv),
        ("gone_child", gone_child),
        ("swept_inv", swept),
        ("accepted_inv", accepted),
        ("deleted_tup", deleted),
        ("kept_tup", kept),
        ("imported", imported),
        ("imported_owner", of("mem", 1)),
        ("imported_guest", guest),
        ("imported_inv", of("inv", 1)),
        ("stranger", user(9)),
    ]);
}
