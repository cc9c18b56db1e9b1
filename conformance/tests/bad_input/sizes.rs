//! As many groups as a user is ever in, and trees as deep and as wide as they come: what is asked is answered, and what is refused is
//! refused as in small ones.

use serde_json::{Value, json};

use crate::lives::{Stage, text};
use crate::support;

// covers: PRM-15, PRM-24
#[test]
fn many_groups_in_memory() {
    support::block_on(many_groups("memory"));
}

// covers: PRM-15, PRM-24
#[test]
fn many_groups_in_sqlite() {
    support::block_on(many_groups("sqlite"));
}

// covers: PRM-15, PRM-24
#[test]
fn many_groups_in_postgres() {
    support::block_on(many_groups("postgres"));
}

// covers: ORG-34, ORG-36, PRM-10
#[test]
fn wide_trees_in_memory() {
    support::block_on(wide_trees("memory"));
}

// covers: ORG-34, ORG-36, PRM-10
#[test]
fn wide_trees_in_sqlite() {
    support::block_on(wide_trees("sqlite"));
}

// covers: ORG-34, ORG-36, PRM-10
#[test]
fn wide_trees_in_postgres() {
    support::block_on(wide_trees("postgres"));
}

/// An id of this kind, by a number.
fn id(prefix: &str, number: usize) -> String {
    format!("{prefix}_01970000000070008000{number:012x}")
}

/// An organization has an owner.
fn owned(stage: &Stage, number: usize, org: &str) -> Value {
    json!({"type": "membership", "id": id("mem", number), "usr_id": stage.owner, "org_id": org, "role": "owner"})
}

async fn taken_over(stage: &Stage, rows: Vec<Value>) {
    stage.must("import", json!({ "rows": rows })).await;
}

/// One of a thousand groups gives what the others do not.
async fn many_groups(name: &'static str) {
    const MANY: usize = 1_000;
    let stage = Stage::new(name).await;
    let (org, usr) = (id("org", 0), stage.user().await);
    let mut rows = vec![
        json!({"type": "organization", "id": org}),
        json!({"type": "permission", "slug": "a.read"}),
        json!({"type": "permission", "slug": "b.read"}),
        json!({"type": "role", "id": id("rol", 0), "org_id": org, "slug": "reader"}),
        json!({"type": "role", "id": id("rol", 1), "org_id": org, "slug": "auditor"}),
        json!({"type": "role_permission", "role_id": id("rol", 0), "permission": "a.read"}),
        json!({"type": "role_permission", "role_id": id("rol", 1), "permission": "b.read"}),
        owned(&stage, 1, &org),
        json!({"type": "membership", "id": id("mem", 0), "usr_id": usr, "org_id": org, "role": "guest"}),
    ];
    for number in 0..MANY {
        let (group, role) = (id("grp", number), if number + 1 == MANY { "auditor" } else { "reader" });
        rows.push(json!({"type": "group", "id": group, "org_id": org, "slug": format!("team-{number}")}));
        rows.push(json!({"type": "group_member", "group_id": group, "org_id": org, "usr_id": usr}));
        rows.push(json!({"type": "group_role", "group_id": group, "org_id": org, "role": role}));
    }
    taken_over(&stage, rows).await;

    let ask = |permission: &str| json!({"usr_id": usr, "org_id": org, "permission": permission});
    let held = async |permission: &str| stage.must("has_permission", ask(permission)).await["allowed"] == json!(true);
    for permission in ["a.read", "b.read"] {
        assert!(held(permission).await, "{name}: {permission}");
    }
    let all = stage.must("resolve_permissions", json!({"usr_id": usr, "org_id": org})).await;
    assert_eq!(all["group_ids"].as_array().map(Vec::len), Some(MANY), "{name}");
    assert_eq!(all["permissions"], json!(["a.read", "b.read"]), "{name}");
    let why = stage.must("explain_permission", ask("b.read")).await;
    assert_eq!(why["decided_by"]["layer"], json!("groups"), "{name}: {why}");

    let last = id("grp", MANY - 1);
    stage.must("remove_group_member", json!({"group_id": last, "usr_id": usr})).await;
    assert!(held("a.read").await && !held("b.read").await, "{name}: the last one gave it");
    stage.must("add_group_role", json!({"group_id": id("grp", 0), "role_id": id("rol", 1)})).await;
    assert!(held("b.read").await, "{name}: the first one gives it now");
    stage.must("set_org_override", json!({"org_id": org, "permission": "a.read", "effect": "deny"})).await;
    assert!(!held("a.read").await, "{name}: a thousand grants, one denial");
}

/// Ten levels, of which the lowest has ten thousand organizations, are asked about and moved.
async fn wide_trees(name: &'static str) {
    const WIDE: usize = 10_000;
    let stage = Stage::new(name).await;
    let usr = stage.user().await;
    let mut rows = vec![json!({"type": "permission", "slug": "a.read"}), json!({"type": "organization", "id": id("org", 0)})];
    // Levels 0 to 8, each below the one before, and another root.
    rows.extend((1..9).map(|level| json!({"type": "organization", "id": id("org", level), "parent_id": id("org", level - 1)})));
    rows.push(json!({"type": "organization", "id": id("org", 9)}));
    let leaf = |number: usize| id("org", 10 + number);
    rows.extend((0..WIDE).map(|number| json!({"type": "organization", "id": leaf(number), "parent_id": id("org", 8)})));
    rows.push(json!({"type": "role", "id": id("rol", 0), "org_id": id("org", 0), "slug": "chief", "inherits_to_descendants": true}));
    rows.push(json!({"type": "role_permission", "role_id": id("rol", 0), "permission": "a.read"}));
    rows.push(json!({"type": "membership", "id": id("mem", 0), "usr_id": usr, "org_id": id("org", 0), "role": "chief"}));
    rows.extend((0..10 + WIDE).map(|number| owned(&stage, 1 + number, &id("org", number))));
    taken_over(&stage, rows).await;

    let last = leaf(WIDE - 1);
    let held = async |org: &str| {
        let ask = json!({"usr_id": usr, "org_id": org, "permission": "a.read"});
        stage.must("has_permission", ask).await["allowed"] == json!(true)
    };
    assert!(held(&last).await && held(&leaf(0)).await && !held(&id("org", 9)).await, "{name}");
    let path = stage.must("get_org_path", json!({"org_id": last})).await;
    assert_eq!(path.as_array().or_else(|| path["data"].as_array()).map(Vec::len), Some(10), "{name}: {path}");

    let to = |org: &str, parent: Option<&str>| json!({"org_id": org, "new_parent_id": parent});
    let (second, other) = (id("org", 1), id("org", 9));
    stage.refused("create_org", json!({"creator": usr, "parent_id": last}), "conflict.max_depth").await;
    stage.refused("move_org", to(&second, Some(&last)), "conflict.cycle").await;
    stage.refused("move_org", to(&second, Some(&second)), "conflict.cycle").await;
    stage.refused("move_org", to(&id("org", 0), Some(&other)), "conflict.max_depth").await;
    stage.refused("move_org", to(&other, Some(&last)), "conflict.max_depth").await;

    // A dry run looks at a bounded number of users in organizations for each page; this one has all of them below to tell of.
    let mut preview = to(&second, Some(&other));
    preview["limit"] = json!(200);
    let page = stage.must("preview_move_org", preview).await;
    let told = page["data"].as_array().expect("a page");
    assert!(told.iter().all(|row| row["lost"] == json!(["a.read"]) && row["gained"] == json!([])), "{name}: {page}");
    assert!(!told.is_empty() && page["page"]["next_cursor"].is_string(), "{name}: {page}");

    stage.must("move_org", to(&second, Some(&other))).await;
    assert!(!held(&last).await && !held(&leaf(0)).await && !held(&id("org", 8)).await && held(&id("org", 0)).await, "{name}: moved away");
    stage.must("move_org", to(&second, Some(&id("org", 0)))).await;
    assert!(held(&last).await && held(&leaf(WIDE / 2)).await, "{name}: moved back");
    assert_eq!(text(&stage.must("get_org", json!({"org_id": last})).await["parent_id"]), id("org", 8), "{name}");
}
