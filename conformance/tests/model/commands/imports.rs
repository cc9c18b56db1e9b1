//! Rows of an import: an organization with what belongs to it, or an import of before once more.

use serde_json::{Value, json};
use tenantry_core::UserId;

use super::{Draft, IDENTIFIERS, Maker, RELATIONS, doc, draft};

/// An id that no other import of the sequence has.
fn id(prefix: &str, tag: usize, number: usize) -> String {
    format!("{prefix}_0196{tag:04x}000070008000{number:012x}")
}

/// Rows as the wire has them, with one of the people as an owner.
fn rows(maker: &mut Maker, owner: UserId) -> Value {
    let again = maker.dice.pick(&maker.view.imports);
    if let Some(rows) = again.filter(|_| maker.dice.percent(40)) {
        return rows;
    }
    let (tag, now) = (maker.tag(), maker.view.now);
    let (org, user) = (id("org", tag, 1), id("usr", tag, 1));
    let end = |seconds: i64| now.plus_seconds(seconds).to_string();
    let mut rows = Vec::new();
    let status = if maker.dice.percent(80) { "active" } else { maker.one_of(&["suspended", "revoked"]) };
    rows.push(json!({"type": "user", "id": user, "status": status, "display_name": "Ida"}));
    let slug = maker.maybe(30, |maker| json!(format!("imported-{}", maker.tag())));
    rows.push(
        json!({"type": "organization", "id": org, "name": "Imported", "slug": slug, "seat_limit": 3, "metadata": {"from": "elsewhere"}}),
    );
    let child = maker.dice.percent(30).then(|| id("org", tag, 2));
    if let Some(child) = &child {
        rows.push(json!({"type": "organization", "id": child, "parent_id": org}));
        rows.push(
            json!({"type": "membership", "id": id("mem", tag, 9), "org_id": child, "usr_id": user, "role": "owner", "status": "revoked"}),
        );
    }
    let owner = maker.view.refer(owner);
    for (number, org) in std::iter::once(&org).chain(&child).enumerate() {
        rows.push(json!({"type": "membership", "id": id("mem", tag, number), "org_id": org, "usr_id": owner, "role": "owner"}));
    }
    known(maker, &mut rows, tag, &org, &user);
    let ends = maker.maybe(60, |maker| json!(end(i64::try_from(maker.dice.below(50)).expect("a number"))));
    let role = if rows.iter().any(|row| row["type"] == "role" && row["org_id"] == json!(org)) { "porter" } else { "member" };
    rows.push(json!({"type": "membership", "id": id("mem", tag, 5), "org_id": org, "usr_id": user, "role": role, "expires_at": ends,
        "metadata": {"desk": 7}}));
    teams(maker, &mut rows, tag, &org, &user);
    let count = maker.dice.below(3);
    for (number, identifier) in IDENTIFIERS.iter().enumerate().take(count) {
        let seconds = i64::try_from(maker.dice.below(60)).expect("a number");
        rows.push(json!({"type": "invitation", "id": id("inv", tag, number), "org_id": org, "identifier": identifier, "role": "guest",
            "invited_by": owner, "expires_at": end(seconds - 20),
            "pre_tuples": [{"relation": "viewer", "object_type": "doc", "object_id": doc(0)}]}));
    }
    let count = maker.dice.below(3);
    for (number, relation) in RELATIONS.iter().enumerate().take(count) {
        let scope = maker.maybe(60, |_| json!(org));
        let ends = maker.maybe(40, |_| json!(end(30)));
        rows.push(json!({"type": "tuple", "id": id("tup", tag, number), "subject_type": "usr", "subject_id": user,
            "relation": relation, "object_type": "doc", "object_id": doc(number), "org_id": scope, "expires_at": ends}));
    }
    if maker.slip(60) {
        spoil(maker, &mut rows);
    }
    Value::Array(rows)
}

/// A permission, and a role of the organization and one of the system that grant it.
fn known(maker: &mut Maker, rows: &mut Vec<Value>, tag: usize, org: &str, user: &str) {
    let now = maker.view.now;
    if !maker.dice.percent(50) {
        return;
    }
    let slug = format!("imported.action{}", maker.dice.below(3));
    rows.push(json!({"type": "permission", "slug": slug, "category": "imported"}));
    rows.push(json!({"type": "role", "id": id("rol", tag, 1), "org_id": org, "slug": "porter", "inherits_to_descendants": true}));
    let ends = maker.maybe(40, |_| json!(now.plus_seconds(20).to_string()));
    rows.push(json!({"type": "role_permission", "role_id": id("rol", tag, 1), "permission": slug, "expires_at": ends}));
    if maker.dice.percent(30) {
        rows.push(json!({"type": "role", "id": id("rol", tag, 2), "slug": maker.one_of(&["steward", "warden"])}));
        rows.push(json!({"type": "role_permission", "role_id": id("rol", tag, 2), "permission": slug, "granted_by": user}));
    }
    rows.push(json!({"type": "override", "holder": org, "permission": slug, "effect": maker.one_of(&["grant", "deny"])}));
}

/// A group with the user in it, and what overrides the user's roles.
fn teams(maker: &mut Maker, rows: &mut Vec<Value>, tag: usize, org: &str, user: &str) {
    let Some(slug) = rows.iter().find(|row| row["type"] == "permission").map(|row| row["slug"].clone()) else { return };
    let now = maker.view.now;
    let ends = maker.maybe(40, |maker| json!(now.plus_seconds(i64::try_from(maker.dice.below(60)).expect("a number") - 20).to_string()));
    let group = id("grp", tag, 1);
    rows.push(json!({"type": "group", "id": group, "org_id": org, "slug": "porters"}));
    rows.push(json!({"type": "group_member", "group_id": group, "org_id": org, "usr_id": user, "expires_at": ends}));
    rows.push(json!({"type": "group_role", "group_id": group, "org_id": org, "role": maker.one_of(&["porter", "editor", "steward"])}));
    rows.push(json!({"type": "override", "holder": id("mem", tag, 5), "permission": slug, "effect": "deny", "expires_at": ends}));
}

/// Makes one of them wrong: without an owner, with a row twice, with an unknown role, with one that stands below what it leans on.
fn spoil(maker: &mut Maker, rows: &mut Vec<Value>) {
    let place = maker.dice.below(rows.len());
    match maker.dice.below(5) {
        0 => rows.retain(|row| row["role"] != "owner"),
        1 => {
            let row = rows[place].clone();
            rows.push(row);
        }
        2 => rows.iter_mut().filter(|row| row["role"] == "member").for_each(|row| row["role"] = json!("nobody")),
        3 => rows.reverse(),
        _ => rows[place]["type"] = json!("team"),
    }
}

impl Maker {
    #[expect(clippy::unnecessary_wraps, reason = "it stands in the table")]
    pub(super) fn import(&mut self) -> Option<Draft> {
        let owner = self.person();
        let rows = rows(self, owner);
        Some(draft("import", json!({ "rows": rows })))
    }
}
