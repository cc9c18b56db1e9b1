//! The rows that the cells are about, as `expected.json` describes them. Many worlds stand side by side in one store, so each has
//! slugs, identifiers and objects of its own.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use tenantry_core::TenancyStore;

use super::{Answer, call};

/// The actors, in the order of the table.
pub(crate) const ACTORS: [&str; 7] = ["stranger", "member", "admin", "owner", "suspended_owner", "other_owner", "revoked_user"];

const FUTURE: &str = "2027-01-01T00:00:00Z";
/// What ids of one kind are told apart by, beside the number of their world.
const OWN_OBJECT: u16 = 1;
const FOREIGN_OBJECT: u16 = 2;
const LONE_OBJECT: u16 = 3;
const NEW_USER: u16 = 4;
const MISSING: u16 = 0xfff;

/// What placeholders stand for.
pub(crate) type Names = BTreeMap<&'static str, String>;

/// An actor.
#[derive(Debug, Clone)]
pub(crate) struct ActorIds {
    pub(crate) usr: String,
    /// The membership of the organization `own`.
    mem: Option<String>,
}

/// Ids of a world.
#[derive(Debug)]
pub(crate) struct World {
    own: Names,
    foreign: Names,
    missing: Names,
    /// The same whatever the target.
    common: Names,
    actors: BTreeMap<&'static str, ActorIds>,
    third_org: String,
}

/// An organization with its rows.
struct Tenant {
    names: Names,
    owner: ActorIds,
    suspended_owner: ActorIds,
}

impl World {
    /// Makes the world with this number in a store.
    pub(crate) async fn build(store: &dyn TenancyStore, number: u64) -> Self {
        let own = tenant(store, "own", number, OWN_OBJECT).await;
        let foreign = tenant(store, "foreign", number, FOREIGN_OBJECT).await;

        let org = &own.names["org"];
        let member = joined(store, org, "member").await;
        let admin = joined(store, org, "admin").await;
        let revoked_user = joined(store, org, "admin").await;
        must(store, "revoke_user", &json!({"usr_id": revoked_user.usr})).await;
        let stranger = ActorIds { usr: user(store).await, mem: None };
        let other_owner = ActorIds { usr: user(store).await, mem: None };
        let third = must(store, "create_org", &json!({"creator": other_owner.usr})).await;

        let lone = uuid(LONE_OBJECT, number);
        let lone =
            json!({"subject_type": "usr", "subject_id": user(store).await, "relation": "reader", "object_type": "doc", "object_id": lone});
        let common = Names::from([
            ("new_usr", id("usr", NEW_USER, number)),
            ("new_identifier", format!("new-{number}@new.example")),
            ("foreign_org", foreign.names["org"].clone()),
            ("foreign_obj", foreign.names["obj"].clone()),
            ("lone_tup", text(&must(store, "create_tuple", &lone).await, "/id")),
        ]);
        let actors = BTreeMap::from([
            ("stranger", stranger),
            ("member", member),
            ("admin", admin),
            ("owner", own.owner),
            ("suspended_owner", own.suspended_owner),
            ("other_owner", other_owner),
            ("revoked_user", revoked_user),
        ]);
        Self { own: own.names, foreign: foreign.names, missing: missing(), common, actors, third_org: text(&third, "/org/id") }
    }

    pub(crate) fn actor(&self, name: &str) -> &ActorIds {
        self.actors.get(name).unwrap_or_else(|| panic!("there is no actor `{name}`"))
    }

    /// What placeholders stand for, with this actor and this target.
    pub(crate) fn names(&self, actor: &str, target: &str) -> Names {
        let actor = self.actor(actor);
        let (rows, own_mem) = match target {
            "own" => (&self.own, actor.mem.as_ref()),
            "foreign" => (&self.foreign, None),
            "missing" => (&self.missing, None),
            _ => panic!("there is no target `{target}`"),
        };
        let mut names = rows.clone();
        names.extend(self.common.clone());
        let mem = own_mem.unwrap_or(&rows["mem"]).clone();
        names.insert("actor_tup", derived(&mem));
        names.insert("actor_mem", mem);
        names.insert("actor", actor.usr.clone());
        names
    }

    /// Every organization.
    pub(crate) fn orgs(&self) -> [&str; 3] {
        [&self.own["org"], &self.foreign["org"], &self.third_org]
    }

    /// Every user that an input can name and who has a row.
    pub(crate) fn users(&self) -> Vec<&str> {
        let named = [&self.own, &self.foreign].into_iter().flat_map(|names| [&names["usr"], &names["co_owner"]]);
        self.actors.values().map(|actor| &actor.usr).chain(named).map(String::as_str).collect()
    }
}

async fn tenant(store: &dyn TenancyStore, label: &str, number: u64, object: u16) -> Tenant {
    let owner = user(store).await;
    let slug = format!("{label}-{number}");
    let created = must(store, "create_org", &json!({"creator": owner, "slug": slug})).await;
    let org = text(&created, "/org/id");
    let co_owner = joined(store, &org, "owner").await;
    let member = joined(store, &org, "member").await;
    let (paused, paused_owner) = (joined(store, &org, "guest").await, joined(store, &org, "owner").await);
    for suspended in [&paused, &paused_owner] {
        must(store, "suspend_membership", &json!({"mem_id": suspended.mem})).await;
    }

    let identifier = format!("{label}-{number}@x.example");
    let invite = async |identifier: &str, role: &str| {
        let input = json!({"org_id": org, "identifier": identifier, "role": role, "invited_by": owner, "expires_at": FUTURE});
        text(&must(store, "create_invitation", &input).await, "/id")
    };
    let inv = invite(&identifier, "member").await;
    let owner_inv = invite(&format!("boss-of-{identifier}"), "owner").await;

    let obj = uuid(object, number);
    let grant = async |fields: Value| {
        let mut input = json!({"subject_type": "usr", "subject_id": member.usr});
        input.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        text(&must(store, "create_tuple", &input).await, "/id")
    };
    let tup = grant(json!({"relation": "reader", "object_type": "doc", "object_id": obj, "org_id": org})).await;
    let org_tup = grant(json!({"relation": "biller", "object_type": "org", "object_id": org})).await;

    for permission in ["things.read", "things.write", "members.manage"] {
        must(store, "define_permission", &json!({"slug": permission})).await;
    }
    let role = must(store, "create_role", &json!({"org_id": org, "slug": "clerk", "permissions": ["things.read"]})).await;
    let role = text(&role, "/id");
    let group = text(&must(store, "create_group", &json!({"org_id": org, "slug": "team"})).await, "/id");
    must(store, "add_group_member", &json!({"group_id": group, "usr_id": member.usr})).await;
    must(store, "add_group_role", &json!({"group_id": group, "role_id": role})).await;

    let plain_group = text(&must(store, "create_group", &json!({"org_id": org, "slug": "plain"})).await, "/id");
    must(store, "add_group_member", &json!({"group_id": plain_group, "usr_id": paused_owner.usr})).await;

    let mem = |actor: &ActorIds| actor.mem.clone().unwrap();
    let names = Names::from([
        ("slug", slug),
        ("usr", member.usr.clone()),
        ("mem_tup", derived(&mem(&member))),
        ("mem", mem(&member)),
        ("paused_mem", mem(&paused)),
        ("owner_mem", mem(&co_owner)),
        ("co_owner", co_owner.usr.clone()),
        ("paused_owner_mem", mem(&paused_owner)),
        ("inv", inv),
        ("identifier", identifier),
        ("owner_inv", owner_inv),
        ("obj", obj),
        ("tup", tup),
        ("org_tup", org_tup),
        ("role", role),
        ("group", group),
        ("plain_group", plain_group),
        ("paused_owner", paused_owner.usr.clone()),
        ("org", org),
    ]);
    Tenant { names, owner: ActorIds { usr: owner, mem: Some(text(&created, "/owner_membership/id")) }, suspended_owner: paused_owner }
}

/// Well-formed names of nothing.
fn missing() -> Names {
    let unknown = |prefix: &str| id(prefix, MISSING, 1);
    Names::from([
        ("org", unknown("org")),
        ("slug", "missing".to_owned()),
        ("usr", unknown("usr")),
        ("mem", unknown("mem")),
        ("paused_mem", id("mem", MISSING, 2)),
        ("owner_mem", id("mem", MISSING, 3)),
        ("co_owner", id("usr", MISSING, 3)),
        ("paused_owner_mem", id("mem", MISSING, 4)),
        ("inv", unknown("inv")),
        ("identifier", "nobody@missing.example".to_owned()),
        ("owner_inv", id("inv", MISSING, 2)),
        ("obj", uuid(MISSING, 1)),
        ("tup", unknown("tup")),
        ("mem_tup", id("tup", MISSING, 2)),
        ("org_tup", id("tup", MISSING, 3)),
        ("role", unknown("rol")),
        ("group", unknown("grp")),
        ("plain_group", id("grp", MISSING, 2)),
        ("paused_owner", id("usr", MISSING, 4)),
    ])
}

async fn user(store: &dyn TenancyStore) -> String {
    text(&must(store, "create_user", &json!({})).await, "/user/id")
}

/// A new user who joins an organization.
async fn joined(store: &dyn TenancyStore, org: &str, role: &str) -> ActorIds {
    let usr = user(store).await;
    let mem = must(store, "add_member", &json!({"org_id": org, "usr_id": usr, "role": role})).await;
    ActorIds { usr, mem: Some(text(&mem, "/id")) }
}

/// The reply of a call that has to succeed.
pub(crate) async fn must(store: &dyn TenancyStore, operation: &str, input: &Value) -> Value {
    match call(store, operation, input).await {
        Answer::Reply(reply) => reply,
        refused @ Answer::Refused { .. } => panic!("{operation} {input}: {refused:?}"),
    }
}

/// An input with every placeholder replaced, which is always a whole text.
pub(crate) fn fill(value: &Value, names: &Names) -> Value {
    match value {
        Value::String(text) => match text.strip_prefix('{').and_then(|text| text.strip_suffix('}')) {
            Some(name) => Value::String(names.get(name).unwrap_or_else(|| panic!("there is no placeholder `{name}`")).clone()),
            None => value.clone(),
        },
        Value::Array(items) => items.iter().map(|item| fill(item, names)).collect(),
        Value::Object(fields) => fields.iter().map(|(key, value)| (key.clone(), fill(value, names))).collect::<Map<_, _>>().into(),
        Value::Null | Value::Bool(_) | Value::Number(_) => value.clone(),
    }
}

fn text(reply: &Value, pointer: &str) -> String {
    let found = reply.pointer(pointer).and_then(Value::as_str);
    found.unwrap_or_else(|| panic!("no text at {pointer} of {reply}")).to_owned()
}

/// The id of the tuple that a membership is.
fn derived(mem: &str) -> String {
    mem.replacen("mem_", "tup_", 1)
}

/// An id that no store draws: its time is long past.
pub(crate) fn id(prefix: &str, kind: u16, number: u64) -> String {
    format!("{prefix}_{}", uuid(kind, number).replace('-', ""))
}

fn uuid(kind: u16, number: u64) -> String {
    format!("01960000-0000-7000-8{kind:03x}-{number:012x}")
}
