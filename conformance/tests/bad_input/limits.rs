//! Checks that the rewrite rules lead in a circle, too far or too wide: a circle is denied, and what meets a limit is neither yes nor
//! no (spec/rules.md), on every store.

use std::sync::Arc;

use serde_json::{Value, json};
use tenantry_conformance::Fresh;
use tenantry_core::rules::{Limits, Rules};
use tenantry_core::wire::{self, CallError, Reply};
use tenantry_core::{Caller, CheckAny, CheckOne, DomainError, Error, EvaluationLimit, Sources, TenancyStore, UserId};

use crate::support;

// covers: RUL-4, RUL-5, RUL-14, RUL-15
#[test]
fn in_memory() {
    support::block_on(limits("memory"));
}

// covers: RUL-4, RUL-5, RUL-14, RUL-15
#[test]
fn in_sqlite() {
    support::block_on(limits("sqlite"));
}

// covers: RUL-4, RUL-5, RUL-14, RUL-15
#[test]
fn in_postgres() {
    support::block_on(limits("postgres"));
}

const ALICE: u128 = 0x0196_0000_0000_7000_8000_0000_0000_a11c;

/// What a check comes to: the place of the tuple that allows, or nothing, or a limit.
type Outcome = Result<Option<usize>, EvaluationLimit>;

/// Tuples in the order of their ids.
#[derive(Default)]
struct Tuples(Vec<(String, String, String)>);

impl Tuples {
    fn add(&mut self, subject: &str, relation: &str, object: &str) -> usize {
        self.0.push((subject.to_owned(), relation.to_owned(), object.to_owned()));
        self.0.len() - 1
    }

    fn id(place: usize) -> String {
        format!("tup_01970000000070008000{place:012x}")
    }

    /// As rows of an import, which is quicker than a command for each.
    fn rows(&self) -> Value {
        let row = |(place, (subject, relation, object)): (usize, &(String, String, String))| {
            let ((subject_type, subject_id), (object_type, object_id)) = (entity(subject), entity(object));
            json!({"type": "tuple", "id": Self::id(place), "subject_type": subject_type, "subject_id": subject_id, "relation": relation,
                "object_type": object_type, "object_id": object_id})
        };
        self.0.iter().enumerate().map(row).collect()
    }
}

/// `alice`, or a type, a group and a number: `folder:wide:7`.
fn entity(name: &str) -> (String, String) {
    if name == "alice" {
        return ("usr".to_owned(), uuid(ALICE));
    }
    let parts: Vec<&str> = name.split(':').collect();
    let [kind, group, number] = parts[..] else { panic!("{name} is no name") };
    let group: u128 = group.bytes().fold(0, |hash, byte| (hash * 31 + u128::from(byte)) % 0x1_0000);
    let number: u128 = number.parse().expect("a number");
    (kind.to_owned(), uuid(0x0196_0000_0000_7000_8000_0000_0000_0000 | (group << 16) | number))
}

fn uuid(number: u128) -> String {
    uuid::Uuid::from_u128(number).hyphenated().to_string()
}

fn rules() -> Rules {
    let chain = |number: u8| json!([{"type": "computed_userset", "relation": format!("r_{}", char::from(b'a' + number + 1))}]);
    let mut levels: serde_json::Map<String, Value> =
        (0..9).map(|number| (format!("r_{}", char::from(b'a' + number)), chain(number))).collect();
    let up = json!([{"type": "tuple_to_userset", "tupleset_relation": "parent", "computed_userset_relation": "viewer"}]);
    levels.insert("viewer".to_owned(), up.clone());
    let rules = json!({"doc": levels, "folder": {"viewer": up}, "ring": {
        "this_way": [{"type": "computed_userset", "relation": "that_way"}],
        "that_way": [{"type": "computed_userset", "relation": "this_way"}],
        "itself": [{"type": "this"}, {"type": "computed_userset", "relation": "itself"}],
    }});
    Rules::parse_open(&serde_json::from_value(rules).expect("JSON is a value")).expect("rules")
}

/// The tuples, and for each check, of a relation on an object, what it comes to.
fn world() -> (Tuples, Vec<(&'static str, String, Outcome)>) {
    let (mut tuples, mut checks) = (Tuples::default(), Vec::new());
    let mut expect = |relation, object: &str, outcome| checks.push((relation, object.to_owned(), outcome));

    // 10,000 parents, of which the first would allow; and so many that it is just still, or no longer, allowed to ask them.
    let mut wide = |group: &str, parents: usize, viewed: usize| {
        let mut allows = None;
        for number in 0..parents {
            let folder = format!("folder:{group}:{number}");
            tuples.add(&folder, "parent", &format!("doc:{group}:0"));
            if number == viewed {
                allows = Some(tuples.add("alice", "viewer", &folder));
            }
        }
        allows
    };
    wide("wide", 10_000, 0);
    expect("viewer", "doc:wide:0", Err(EvaluationLimit::FanOut));
    let last = wide("most", 1024, 1023);
    expect("viewer", "doc:most:0", Ok(last));
    wide("more", 1025, 0);
    expect("viewer", "doc:more:0", Err(EvaluationLimit::FanOut));
    wide("none", 1024, usize::MAX);
    expect("viewer", "doc:none:0", Ok(None));
    // A tuple on the document itself: nothing further is looked at.
    wide("direct", 1025, 0);
    let direct = tuples.add("alice", "viewer", "doc:direct:0");
    expect("viewer", "doc:direct:0", Ok(Some(direct)));

    // Nine folders above each other, with a tuple so many steps away.
    let mut tower = |group: &str, levels: usize| {
        for level in 1..=levels {
            let below = if level == 1 { format!("doc:{group}:0") } else { format!("folder:{group}:{}", level - 1) };
            tuples.add(&format!("folder:{group}:{level}"), "parent", &below);
        }
        tuples.add("alice", "viewer", &format!("folder:{group}:{levels}"))
    };
    let eight = tower("eight", 8);
    expect("viewer", "doc:eight:0", Ok(Some(eight)));
    tower("nine", 9);
    expect("viewer", "doc:nine:0", Err(EvaluationLimit::Depth));
    tower("ten", 20);
    expect("viewer", "doc:ten:0", Err(EvaluationLimit::Depth));

    // The same by relations on one object: `r_a` leans on `r_b`, and so on to `r_j`, which has no rule.
    let step = tuples.add("alice", "r_i", "doc:steps:0");
    expect("r_a", "doc:steps:0", Ok(Some(step)));
    tuples.add("alice", "r_j", "doc:steps:1");
    expect("r_a", "doc:steps:1", Err(EvaluationLimit::Depth));
    expect("r_a", "doc:steps:2", Err(EvaluationLimit::Depth));
    expect("r_b", "doc:steps:2", Ok(None));

    // Circles, of rules and of tuples: what comes back by the ninth relation is denied.
    for relation in ["this_way", "that_way", "itself"] {
        expect(relation, "ring:rules:0", Ok(None));
    }
    let back = tuples.add("alice", "this_way", "ring:rules:1");
    expect("that_way", "ring:rules:1", Ok(Some(back)));
    for (length, outcome) in
        [(1, Ok(None)), (2, Ok(None)), (8, Ok(None)), (9, Err(EvaluationLimit::Depth)), (30, Err(EvaluationLimit::Depth))]
    {
        for number in 0..length {
            tuples.add(&format!("folder:circle{length}:{}", (number + 1) % length), "parent", &format!("folder:circle{length}:{number}"));
        }
        expect("viewer", &format!("folder:circle{length}:0"), outcome);
    }
    (tuples, checks)
}

async fn limits(name: &str) {
    let (sources, _clock) = Sources::deterministic("2026-01-01T00:00:00Z".parse().unwrap(), 1);
    let Fresh { store, inspect, guard: _guard } = support::store(name).fresh(sources).await.expect("a fresh store");
    let (tuples, checks) = world();
    let rows = json!({"rows": tuples.rows()});
    let imported = wire::call(&*store, "import", &serde_json::from_value(rows).expect("JSON is a value")).await;
    assert!(matches!(imported, Ok(Reply::Imported(counts)) if counts.tuples == tuples.0.len() as u64), "{imported:?}");
    let before = inspect.dump().await.expect("its rows");

    let store = store.with_rules(Arc::new(rules()));
    let alice = entity("alice");
    let alice = (alice.0.as_str(), alice.1.as_str());
    for (relation, object, expected) in &checks {
        let what = format!("{name}: {relation} on {object}");
        let (kind, id) = entity(object);
        let object = (kind.as_str(), id.as_str());
        let one = CheckOne::new(alice, relation, object);
        assert_eq!(outcome(store.check(one.clone()).await), *expected, "{what}");
        assert_eq!(outcome(store.check_any(CheckAny::new(alice, [*relation], object)).await), *expected, "{what}, any");
        // A relation that nobody has comes first and changes nothing; behind one that holds nothing is looked at.
        assert_eq!(outcome(store.check_any(CheckAny::new(alice, ["nothing", *relation], object)).await), *expected, "{what}, second");
        let alice: UserId = format!("usr_{}", alice.1.replace('-', "")).parse().expect("an id");
        let guarded = store.with_caller(Caller::guarded(alice));
        assert_eq!(outcome(guarded.check(one).await), *expected, "{what}, guarded");
    }
    many(&*store, alice, &checks, name).await;
    frames(&*store, alice, name).await;
    assert!(inspect.dump().await.expect("its rows") == before, "{name}: a check changed rows");
}

fn outcome(checked: Result<tenantry_core::rules::Checked, Error>) -> Outcome {
    match checked {
        Ok(checked) => {
            assert_eq!(checked.allowed, checked.matched_tuple_id.is_some());
            Ok(checked.matched_tuple_id.map(|id| place(&id.to_string())))
        }
        Err(Error::Domain(error @ DomainError::EvaluationLimit(limit))) => {
            assert_eq!((error.code().as_str(), error.class()), ("evaluation_limit_exceeded", "EvaluationLimitExceededError"));
            Err(limit)
        }
        Err(other) => panic!("{other:?}"),
    }
}

fn place(id: &str) -> usize {
    usize::from_str_radix(&id[24..], 16).expect("the number of a tuple")
}

/// All at once: each is answered as alone, and one that meets a limit bars none of the others.
async fn many(store: &dyn TenancyStore, alice: (&str, &str), checks: &[(&'static str, String, Outcome)], name: &str) {
    let entry = |(relation, object, _): &(&'static str, String, Outcome)| {
        let (kind, id) = entity(object);
        json!({"subject_type": alice.0, "subject_id": alice.1, "relation": relation, "object_type": kind, "object_id": id})
    };
    let input = json!({"checks": checks.iter().map(entry).collect::<Vec<_>>()});
    let reply = wire::call(store, "check_many", &serde_json::from_value(input).expect("JSON is a value")).await;
    let reply = serde_json::to_value(reply.unwrap_or_else(|error: CallError| panic!("{error:?}"))).expect("a reply");
    let data = reply["data"].as_array().expect("a list");
    assert_eq!(data.len(), checks.len());
    for ((relation, object, expected), row) in checks.iter().zip(data) {
        let id = expected.ok().flatten().map(Tuples::id);
        let code = expected.is_err().then_some("evaluation_limit_exceeded");
        assert_eq!(
            (&row["allowed"], &row["matched_tuple_id"]),
            (&json!(id.is_some()), &json!(id)),
            "{name}: {relation} on {object}: {row}"
        );
        assert_eq!(row["error"]["code"], json!(code), "{name}: {relation} on {object}: {row}");
    }
}

/// With other limits: a check asks for a pair of relation and object once however often it comes upon it.
async fn frames(store: &dyn TenancyStore, alice: (&str, &str), name: &str) {
    let (kind, id) = entity("doc:none:0");
    for (frames, expected) in [(1024, Err(EvaluationLimit::Frames)), (1025, Ok(None)), (1026, Ok(None)), (1, Err(EvaluationLimit::Frames))]
    {
        let store = store.with_rules(Arc::new(rules().limits(Limits::default().max_frames(frames))));
        let checked = store.check(CheckOne::new(alice, "viewer", (&kind, &id))).await;
        assert_eq!(outcome(checked), expected, "{name}: {frames} frames");
    }
    for (fan_out, expected) in [(1023, Err(EvaluationLimit::FanOut)), (1024, Ok(None)), (10_000, Ok(None))] {
        let store = store.with_rules(Arc::new(rules().limits(Limits::default().max_fan_out(fan_out))));
        let checked = store.check(CheckOne::new(alice, "viewer", (&kind, &id))).await;
        assert_eq!(outcome(checked), expected, "{name}: a fan-out of {fan_out}");
    }
}
