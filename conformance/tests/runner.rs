//! The runner itself: what must fail does fail, and says why.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod support;

use std::sync::Arc;

use serde_json::{Value, json};
use tenantry_conformance::{Fixture, Fresh, FreshError, Mode, TestStore, async_trait, guard, load_file, run};
use tenantry_core::Sources;

/// The fixture with these tests, read as ours.
fn fixture(tests: &Value) -> Fixture {
    let file = json!({"spec_version": "0.1.0", "capability": "tenancy", "operation": "create_org", "conformance_level": "MUST",
        "description": "d", "tests": tests});
    read(&file)
}

fn read(file: &Value) -> Fixture {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("f.json"), file.to_string()).expect("a file");
    load_file(folder.path(), "f.json", Mode::Ours).expect("a fixture")
}

/// What the runner says of a test with these steps.
fn failures(store: &dyn TestStore, steps: &Value) -> String {
    let fixture = fixture(&json!([{"id": "t", "description": "d", "users": ["alice", "bob"], "steps": steps}]));
    said(store, &fixture)
}

fn said(store: &dyn TestStore, fixture: &Fixture) -> String {
    let failures = support::block_on(run(store, fixture, &fixture.tests[0]));
    failures.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

fn org() -> Value {
    json!({"op": "create_org", "input": {"creator": "{alice}", "name": "Acme"}, "captures": {"org": "org.id", "m": "owner_membership.id"}})
}

#[test]
fn what_holds_passes() {
    let steps = json!([
        org(),
        {"op": "get_org", "input": {"org_id": "{org}"}, "expected": {"matches": {"name": "Acme", "created_at": "2026-01-01T00:00:00.001000Z"}}},
        {"op": "advance_clock", "input": {"seconds": 90}},
        {"op": "add_member", "input": {"org_id": "{org}", "usr_id": "{bob}", "role": "member", "ttl_seconds": 60},
            "expected": {"matches": {"created_at": "2026-01-01T00:01:30.002000Z", "expires_at": "2026-01-01T00:02:30.002000Z"}}},
        {"op": "self_leave", "input": {"mem_id": "{m}"}, "expected": {"error": "SoleOwnerError", "error_matches": "{org}"}},
        {"op": "assert_org_fields", "input": {"org_id": "{org}", "expected_name": "Acme", "expected_slug": null}},
        {"op": "assert_events", "input": {"org_id": "{org}", "types": ["organization.created", "membership.added", "membership.added"]}},
        {"op": "create_user", "input": {"display_name": "Bob"}, "captures": {"u": "user.id"}},
        {"op": "assert_user_fields", "input": {"usr_id": "{u}", "expected_display_name": "Bob"}},
        {"op": "assert_equal", "input": {"actual": ["{u}"], "expected": ["{u}"]}},
        {"op": "get_org", "input": {"org_id": "{org}", "colour": 1}, "expected": {"error": "invalid_format.colour"}},
    ]);
    for store in support::stores() {
        assert_eq!(failures(store, &steps), "", "{}", store.name());
    }
}

#[test]
fn what_does_not_hold_fails_and_says_where() {
    let cases = [
        (json!([{"op": "create_invitation", "input": {}}]), "step 1 (create_invitation): there is no operation `create_invitation` here"),
        (json!([{"op": "get_org", "input": {"org_id": "x", "colour": 1}}]), "`get_org` has no input `colour`"),
        (
            json!([{"op": "get_org", "input": {"org_id": "x", "colour": 1}, "expected": {"error": "InvalidIdError"}}]),
            "has no input `colour`",
        ),
        // A slip in the name of a field is not a field that is missing.
        (json!([{"op": "get_org", "input": {"orgid": "x"}, "expected": {"error": "invalid_format.org_id"}}]), "has no input `orgid`"),
        (json!([{"op": "create_org", "input": {"creator": "{alice}"}, "as": "{alice}"}]), "no guarded callers (`as`)"),
        (json!([{"op": "get_org", "input": {"org_id": "{nobody}"}}]), "there is no variable `nobody`"),
        (json!([{"op": "create_org", "input": {"creator": "{alice}"}, "captures": {"x": "org.nothing"}}]), "nothing at `org.nothing`"),
        (json!([org(), {"op": "get_org", "input": {"org_id": "{m}"}}]), "step 2 (get_org): expected success, got the error `invalid_id`"),
        (
            json!([org(), {"op": "get_org", "input": {"org_id": "{org}"}, "expected": {"error": "not_found"}}]),
            "expected the error `not_found`, got {",
        ),
        (
            json!([org(), {"op": "get_org", "input": {"org_id": "{org}"}, "expected": {"matches": {"name": "B"}}}]),
            "$.name: expected \"B\", it is \"Acme\"",
        ),
        (json!([org(), {"op": "get_org", "input": {"org_id": "{org}"}, "expected": {"result": {}}}]), "$.name: not expected"),
        (json!([org(), {"op": "assert_events", "input": {"org_id": "{org}", "types": []}}]), "expected 0 items, there are 2"),
        (json!([org(), {"op": "assert_org_fields", "input": {"org_id": "{org}"}}]), "names nothing that it expects"),
        (json!([{"op": "assert_equal", "input": {"actual": 1, "expected": 2}}]), "expected 2, it is 1"),
        (json!([{"op": "advance_clock", "input": {"seconds": "1"}}]), "`seconds` must be a whole number"),
        (
            json!([org(), {"op": "add_member", "input": {"org_id": "{org}", "usr_id": "{bob}", "role": "member", "ttl_seconds": 1, "expires_at": null}}]),
            "the input has both",
        ),
        (
            json!([org(), {"op": "change_role", "input": {"mem_id": "{m}", "new_role": "owner", "ttl_seconds": 1}}]),
            "has no input `ttl_seconds`",
        ),
    ];
    for (steps, expected) in cases {
        let said = failures(support::store("memory"), &steps);
        assert!(said.contains(expected), "{steps}: expected {expected:?} in {said:?}");
    }
}

#[test]
fn parts_that_are_not_there_yet_are_named() {
    let mut fixture = fixture(&json!([{"id": "t", "description": "d", "rules": {}, "steps": [org()]}]));
    assert_eq!(said(support::store("memory"), &fixture), "there are no rewrite `rules` here yet");
    fixture.capability = "sessions".to_owned();
    assert_eq!(said(support::store("memory"), &fixture), "there is no capability `sessions` here");
}

/// A store that shows other rows than it has, or answers otherwise than core does.
#[derive(Debug)]
enum Liar {
    /// Its rows are those of a store without any.
    Rows,
    /// Its ids are others.
    Ids,
    /// There is none.
    Nothing,
}

#[async_trait]
impl TestStore for Liar {
    fn name(&self) -> &'static str {
        "liar"
    }

    async fn fresh(&self, sources: Sources) -> Result<Fresh, FreshError> {
        let store = |sources| Arc::new(tenantry_memory::with_sources(sources));
        match self {
            Self::Rows => Ok(Fresh { inspect: store(sources.clone()), ..Fresh::new(store(sources), ()) }),
            Self::Ids => Ok(Fresh::new(store(Sources { clock: sources.clock, ..Sources::system() }), ())),
            Self::Nothing => Err("it rained".into()),
        }
    }
}

#[test]
fn a_store_that_differs_from_core_fails_whatever_the_fixture_expects() {
    let said = failures(&Liar::Rows, &json!([org()]));
    assert!(
        said.contains("not those of core's own state") && said.contains("membership mem_") && said.contains("the row is missing"),
        "{said}"
    );
    let said = failures(&Liar::Ids, &json!([org()]));
    assert!(said.contains("does not answer as core's own state") && said.contains("$.org.id: expected \"org_"), "{said}");
    assert_eq!(failures(&Liar::Nothing, &json!([org()])), "no fresh store: it rained");
}

#[test]
fn the_index_and_the_trials_are_compared_with_the_files() {
    let test = |id: &str| json!({"id": id, "description": "d", "steps": [org()]});
    let fixture = fixture(&json!([test("a"), test("b")]));
    let suite = tenantry_conformance::Suite { fixtures: vec![Arc::new(fixture)], problems: Vec::new() };
    let entry = |path: &str, tests: u64| json!({"path": path, "operation": "create_org", "tests": tests});
    assert_eq!(guard::index(&suite, &json!([entry("fixtures/f.json", 2)])), Vec::<String>::new());
    for wrong in
        [json!([]), json!([entry("fixtures/f.json", 1)]), json!([entry("fixtures/f.json", 2), entry("fixtures/g.json", 2)]), json!({})]
    {
        assert!(!guard::index(&suite, &wrong).is_empty(), "{wrong}");
    }
    let trial = |name: &str| name.to_owned();
    let (a, b) = (trial("x::tenancy/f::a"), trial("x::tenancy/f::b"));
    assert_eq!(guard::trials(&suite, &["x"], &[a.clone(), b.clone()]), Vec::<String>::new());
    for wrong in [vec![a.clone()], vec![a.clone(), b.clone(), b.clone()], vec![a, b, trial("x::tenancy/f::c")]] {
        assert_eq!(guard::trials(&suite, &["x"], &wrong).len(), 1, "{wrong:?}");
    }
}
