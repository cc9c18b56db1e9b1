//! No answer depends on whether a sweep ran: two stores get the same commands, one of them is swept after each, and both answer every
//! read alike, but for events and revisions.
//!
//! A sweep draws ids, so that rows of the two have different ones: they are told apart by where they stand.

use std::collections::HashMap;
use std::sync::Arc;

use proptest::prelude::*;
use serde_json::{Map, Value, json};
use tenantry_conformance::Fresh;
use tenantry_core::source::ManualClock;
use tenantry_core::{Clock, Dump, InvitationStatus, MembershipStatus, Sources, TenancyStore};
use uuid::Uuid;

use crate::moves::{self, Move, RELATIONS, call};

fn sequence(moves: std::ops::Range<usize>) -> impl Strategy<Value = Vec<Move>> {
    // What a sweep answers is about sweeps.
    let other = |step| if matches!(step, Move::Sweep(_)) { Move::Wait(1) } else { step };
    prop::collection::vec(moves::any_move_at_all().prop_map(other), moves)
}

proptest! {
    #![proptest_config(crate::cases(24))]

    // covers: INV-35
    #[test]
    fn no_answer_depends_on_a_sweep_in_memory(moves in sequence(20..80)) {
        crate::run(play("memory", &moves, 3))?;
    }
}

proptest! {
    #![proptest_config(crate::cases(6))]

    // covers: INV-35
    #[test]
    fn no_answer_depends_on_a_sweep_in_sqlite(moves in sequence(40..80)) {
        crate::run(play("sqlite", &moves, 4))?;
    }
}

proptest! {
    #![proptest_config(crate::cases(2))]

    // covers: INV-35
    #[test]
    fn no_answer_depends_on_a_sweep_in_postgres(moves in sequence(40..60)) {
        crate::run(play("postgres", &moves, 8))?;
    }
}

/// What had expired before an import is as good as gone for it, swept away or not.
// covers: INV-35
#[test]
fn an_import_does_not_depend_on_a_sweep_either() {
    const SOON: &str = "2026-01-01T00:01:00Z";
    let id = |prefix: &str, number: u8| format!("{prefix}_019600000000700080000000000000{number:02x}");
    let tuple = |number: u8, relation: &str, object: &str, end: &str| {
        let subject = "01960000-0000-7000-8000-00000000d0c1";
        json!({"type": "tuple", "id": id("tup", number), "subject_type": "doc", "subject_id": subject, "relation": relation,
            "object_type": object, "object_id": id(object, 1), "expires_at": end})
    };
    let org = |number: u8| json!({"type": "organization", "id": id("org", number)});
    let owner = |number: u8| json!({"type": "membership", "id": id("mem", number), "usr_id": id("usr", 1), "org_id": id("org", number), "role": "owner"});
    let inv = |status: &str, terminal_at: Option<&str>| {
        json!({"type": "invitation", "id": id("inv", 1), "org_id": id("org", 2), "identifier": "a@x", "role": "member", "status": status,
            "invited_by": id("usr", 1), "expires_at": SOON, "terminal_at": terminal_at})
    };
    let first = json!({"rows": [tuple(1, "viewer", "doc", SOON), tuple(2, "owner", "org", SOON), org(2), owner(2), inv("pending", None)]});
    let late = "2027-01-01T00:00:00Z";
    let seconds = [
        ("another tuple in the place", json!([tuple(9, "viewer", "doc", late)])),
        ("the id with another relation", json!([tuple(1, "editor", "doc", late)])),
        ("the id with another end", json!([tuple(1, "viewer", "doc", late)])),
        ("the same tuple", json!([tuple(1, "viewer", "doc", SOON)])),
        ("an organization on which it was a role", json!([org(1), owner(1)])),
        ("the invitation as pending", json!([org(2), inv("pending", None)])),
        ("the invitation as expired", json!([org(2), inv("expired", None)])),
        ("the invitation as expired at its end", json!([org(2), inv("expired", Some(SOON))])),
    ];
    let mut wrong = Vec::new();
    for (what, rows) in seconds {
        let second = json!({ "rows": rows });
        let answer = async |is_swept: bool| {
            let clock = Arc::new(ManualClock::new("2026-01-01T00:00:00Z".parse().expect("a time")));
            let store = store("memory", &clock).await;
            call(&*store.store, "import", &first).await.expect("an import");
            clock.advance_micros(120_000_000);
            if is_swept {
                call(&*store.store, "sweep", &json!({})).await.expect("a sweep");
            }
            call(&*store.store, "import", &second).await.map_err(|error| error.code())
        };
        let (plain, swept) = crate::run(async { (answer(false).await, answer(true).await) });
        if plain != swept {
            wrong.push(format!("{what}: without a sweep {plain:?}, after one {swept:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

async fn store(name: &str, clock: &Arc<ManualClock>) -> Fresh {
    let (sources, _) = Sources::deterministic(clock.now(), 1);
    let sources = Sources { clock: Arc::<ManualClock>::clone(clock), ..sources };
    let fresh = crate::empty(name, sources).await;
    moves::users(&*fresh.store).await;
    fresh
}

async fn play(name: &str, moves: &[Move], every: usize) -> Result<(), TestCaseError> {
    let clock = Arc::new(ManualClock::new("2026-01-01T00:00:00Z".parse().expect("a time")));
    let (plain, swept) = (store(name, &clock).await, store(name, &clock).await);
    let mut twins = Twins::default();
    for (index, step) in moves.iter().enumerate() {
        clock.advance_micros(1_000);
        step.wait(&clock);
        let rows = plain.inspect.dump().await.expect("a dump");
        if let Some((operation, input)) = step.input(&rows, clock.now()) {
            let same = twins.ask(&*plain.store, &*swept.store, operation, &input).await;
            prop_assert_eq!(same, Ok(()), "move {}: {} {}", index, operation, input);
        }
        loop {
            let reply = call(&*swept.store, "sweep", &json!({"limit": 3})).await;
            match reply.expect("a sweep")["more"] {
                Value::Bool(true) => {}
                _ => break,
            }
        }
        if index % every == 0 || index + 1 == moves.len() {
            let rows = plain.inspect.dump().await.expect("a dump");
            for (operation, input) in reads(&rows) {
                let same = twins.ask(&*plain.store, &*swept.store, operation, &input).await;
                prop_assert_eq!(same, Ok(()), "after move {}, {:?}: {} {}", index, step, operation, input);
            }
        }
    }
    Ok(())
}

/// Every read of everything there is, as the store that is not swept knows it.
fn reads(rows: &Dump) -> Vec<(&'static str, Value)> {
    let mut reads = Vec::new();
    let statuses = |all: &[&str]| std::iter::once(Value::Null).chain(all.iter().map(|status| json!(status))).collect::<Vec<_>>();
    let of_memberships = statuses(&MembershipStatus::ALL.iter().map(|status| status.as_str()).collect::<Vec<_>>());
    let of_invitations = statuses(&InvitationStatus::ALL.iter().map(|status| status.as_str()).collect::<Vec<_>>());
    let users: Vec<String> = rows.users.iter().map(|user| user.id.to_string()).chain(moves::external_users()).collect();
    reads.push(("list_orgs", json!({"limit": 200})));
    reads.push(("get_users", json!({ "usr_ids": users })));
    for usr in &users {
        reads.push(("list_memberships", json!({"usr_id": usr, "limit": 200})));
        reads.push(("list_tuples_for_subject", json!({"subject_type": "usr", "subject_id": usr, "limit": 200})));
    }
    for org in &rows.organizations {
        let org = org.id.to_string();
        reads.push(("get_org_path", json!({ "org_id": org })));
        reads.push(("list_tuples_for_subject", json!({"subject_type": "org", "subject_id": org, "limit": 200})));
        reads.push(("list_tuples_for_object", json!({"object_type": "org", "object_id": org, "limit": 200})));
        for status in &of_memberships {
            reads.push(("list_members", json!({"org_id": org, "limit": 200, "status": status})));
            reads.push(("count_members", json!({"org_id": org, "status": status})));
        }
        for status in &of_invitations {
            reads.push(("list_invitations", json!({"org_id": org, "limit": 200, "status": status})));
        }
    }
    for identifier in moves::identifiers() {
        for status in &of_invitations {
            reads.push(("list_invitations_for", json!({"identifier": identifier, "limit": 200, "status": status})));
        }
    }
    reads.extend(rows.invitations.iter().map(|inv| ("get_invitation", json!({"inv_id": inv.id.to_string()}))));
    // Those that have expired are gone from the other store.
    reads.extend(rows.tuples.iter().map(|tuple| ("get_tuple", json!({"tup_id": tuple.id.to_string()}))));
    let mut checks = Vec::new();
    for doc in moves::docs() {
        reads.push(("list_tuples_for_subject", json!({"subject_type": "doc", "subject_id": doc, "limit": 200})));
        reads.push(("list_tuples_for_object", json!({"object_type": "doc", "object_id": doc, "limit": 200})));
        for usr in &users {
            let check =
                |relation| json!({"subject_type": "usr", "subject_id": usr, "relation": relation, "object_type": "doc", "object_id": doc});
            checks.extend(RELATIONS.map(check));
        }
    }
    reads.extend(checks.chunks(200).map(|checks| ("check_many", json!({ "checks": checks }))));
    reads
}

/// Which row of the one store is which of the other.
#[derive(Default)]
struct Twins {
    there: HashMap<Uuid, Uuid>,
    back: HashMap<Uuid, Uuid>,
}

impl Twins {
    /// Asks both, and says how the second answers otherwise than the first.
    async fn ask(&mut self, first: &dyn TenancyStore, second: &dyn TenancyStore, operation: &str, input: &Value) -> Result<(), String> {
        let one = call(first, operation, input).await.map_err(|error| error.code());
        let two = call(second, operation, &self.translated(input)).await.map_err(|error| error.code());
        let same = match (&one, &two) {
            (Ok(one), Ok(two)) => self.same(one, two),
            (one, two) => one == two,
        };
        if same { Ok(()) } else { Err(format!("without sweeps {one:#?}, with them {two:#?}")) }
    }

    /// The value with the ids of the other store.
    fn translated(&self, value: &Value) -> Value {
        match value {
            Value::String(text) => match id(text).and_then(|(_, uuid)| Some((uuid, self.there.get(&uuid)?))) {
                Some((uuid, twin)) => json!(
                    text.replace(&uuid.simple().to_string(), &twin.simple().to_string())
                        .replace(&uuid.hyphenated().to_string(), &twin.hyphenated().to_string())
                ),
                None => value.clone(),
            },
            Value::Array(items) => items.iter().map(|item| self.translated(item)).collect(),
            Value::Object(fields) => fields.iter().map(|(key, value)| (key.clone(), self.translated(value))).collect::<Map<_, _>>().into(),
            Value::Null | Value::Bool(_) | Value::Number(_) => value.clone(),
        }
    }

    /// Whether two answers say the same of rows that are twins. What was not met before becomes so.
    fn same(&mut self, one: &Value, two: &Value) -> bool {
        match (one, two) {
            (Value::Object(one), Value::Object(two)) => {
                let keys = |fields: &Map<String, Value>| fields.keys().cloned().collect::<Vec<_>>();
                keys(one) == keys(two) && one.iter().all(|(key, value)| key == "revision" || self.same(value, &two[key]))
            }
            (Value::Array(one), Value::Array(two)) => one.len() == two.len() && one.iter().zip(two).all(|(one, two)| self.same(one, two)),
            (Value::String(a), Value::String(b)) => match (id(a), id(b)) {
                (Some((prefix, one)), Some((other, two))) => {
                    prefix == other && *self.there.entry(one).or_insert(two) == two && *self.back.entry(two).or_insert(one) == one
                }
                _ => a == b,
            },
            (one, two) => one == two,
        }
    }
}

/// The prefix and the UUID of an id, or no prefix and a UUID with hyphens.
fn id(text: &str) -> Option<(&str, Uuid)> {
    let (prefix, digits) = text.split_once('_').unwrap_or(("", text));
    let fits = digits.len() == if prefix.is_empty() { 36 } else { 32 };
    Some((prefix, Uuid::parse_str(digits).ok().filter(|_| fits)?))
}
