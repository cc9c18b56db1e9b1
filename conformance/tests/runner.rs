//! The runner itself: what must fail does fail, and says why.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod support;

use std::path::{Path, PathBuf};
use std::process::Command;
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
        (json!([{"op": "levitate", "input": {}}]), "step 1 (levitate): there is no operation `levitate` here"),
        (json!([{"op": "get_org", "input": {"org_id": "x", "colour": 1}}]), "`get_org` has no input `colour`"),
        (
            json!([{"op": "get_org", "input": {"org_id": "x", "colour": 1}, "expected": {"error": "InvalidIdError"}}]),
            "has no input `colour`",
        ),
        // A slip in the name of a field is not a field that is missing.
        (json!([{"op": "get_org", "input": {"orgid": "x"}, "expected": {"error": "invalid_format.org_id"}}]), "has no input `orgid`"),
        (json!([{"op": "create_org", "input": {"creator": "{alice}"}, "as": "{nobody}"}]), "there is no variable `nobody`"),
        (json!([{"op": "create_org", "input": {"creator": "{alice}"}, "as": 1}]), "`as` names a user"),
        (json!([{"op": "create_org", "input": {"creator": "{alice}"}, "as": "eve"}]), "`as`: `eve` is no user"),
        (json!([{"op": "create_org", "input": {"creator": "{alice}"}, "as": {"usr_id": "alice", "x": 1}}]), "`as` has no key `x`"),
        (json!([{"op": "check", "input": {"given_tuples": [], "check": {}, "more": 1}}]), "has no input `more`"),
        (json!([{"op": "check", "input": {"given_tuples": [{"subject": "x"}], "check": {}}}]), "`create_tuple` has no input `subject`"),
        (
            json!([{"op": "check", "input": {"given_tuples": [{"relation": "x"}], "check": {}}}]),
            "given tuple 1: the error `invalid_format.subject_type`",
        ),
        (
            json!([org(), {"op": "assert_subject_relations", "input": {"subject_type": "usr", "subject_id": "{alice}", "relations": ["admin"]}}]),
            "expected \"admin\", it is \"owner\"",
        ),
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
fn parts_that_are_not_there_are_named() {
    let rules = json!({"doc": {"viewer": [{"type": "union"}]}});
    let mut fixture = fixture(&json!([{"id": "t", "description": "d", "rules": rules, "steps": [org()]}]));
    let refused = said(support::store("memory"), &fixture);
    assert!(refused.starts_with("`rules`: `doc.viewer[0]`: there is no node type `union`"), "{refused}");
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

/// Fixtures of another implementation, in folders of its own: what holds passes, what does not fails by name, and nothing is left out.
#[test]
fn a_foreign_folder_runs_as_it_is() {
    let folder = tempfile::tempdir().expect("a folder");
    let nested = folder.path().join("authz/rewrite");
    std::fs::create_dir_all(&nested).expect("a folder in it");
    let usr = "usr_0190f2a81b3c7abc8123456789abcdef";
    let object = "0190f2a8-1b3c-7abc-8123-456789abcde0";
    let tuple = |relation: &str| json!({"subject_type": "usr", "subject_id": usr, "relation": relation, "object_type": "proj", "object_id": object});
    let rules = json!({"proj": {"viewer": [{"type": "this"}, {"type": "computed_userset", "relation": "editor"}]}});
    let checks = json!({"$schema": "x", "spec_version": "9.9", "capability": "authorization", "operation": "check", "more": 1, "tests": [
        {"id": "computed", "rules": rules, "input": {"given_tuples": [tuple("editor")], "check": tuple("viewer")}, "expected": {"result": {"allowed": true}}},
        {"id": "wrong-on-purpose", "input": {"given_tuples": [], "check": tuple("viewer")}, "expected": {"result": {"allowed": true}}},
    ]});
    let creates = json!({"capability": "authorization", "operation": "create_tuple", "tests": [
        {"id": "made", "input": {"given_tuples": [], "create": tuple("viewer")}, "expected": {"result": "ok"}},
        {"id": "twice", "input": {"given_tuples": [tuple("viewer")], "create": tuple("viewer")}, "expected": {"error": "DuplicateTupleError"}},
        {"id": "form", "input": {"given_tuples": [], "create": tuple("Viewer")}, "expected": {"error": "InvalidFormatError"}},
    ]});
    let lists = json!({"capability": "tenancy", "operation": "list_invitations", "tests": [{"id": "steps", "users": ["alice", "bob"], "steps": [
        {"op": "create_org", "input": {"creator": "{alice}"}, "captures": {"o": "org.id"}},
        {"op": "create_invitation", "input": {"org_id": "{o}", "identifier": "b", "role": "member", "invited_by": "{alice}", "ttl_seconds": 60}, "captures": {"i": "id"}},
        {"op": "create_invitation", "input": {"org_id": "{o}", "identifier": "c", "role": "guest", "invited_by": "{alice}"}, "captures": {"j": "id"}},
        {"op": "list_invitations", "input": {"org_id": "{o}"}, "expected": {"result": {"data_ids_in_order": ["{i}", "{j}"]}}},
        {"op": "advance_clock", "input": {"seconds": 60}},
        {"op": "accept_invitation", "input": {"inv_id": "{i}"}, "expected": {"error": "InvitationExpiredError"}},
        {"op": "get_org", "as": "bob", "input": {"org_id": "{o}"}, "expected": {"error": "NotFoundError"}},
    ]}]});
    for (file, text) in [("check.json", &checks), ("create.json", &creates), ("list.json", &lists)] {
        std::fs::write(nested.join(file), text.to_string()).expect("a file");
    }
    let suite = tenantry_conformance::Suite::load(folder.path(), Mode::Foreign).expect("the folder");
    assert!(suite.problems.is_empty(), "{:?}", suite.problems);
    for store in support::stores() {
        let mut failed = Vec::new();
        let cases: Vec<_> = suite.cases().collect();
        assert_eq!(cases.len(), 6);
        for case in cases {
            let name = case.name();
            if !support::block_on(case.run(store)).is_empty() {
                failed.push(name);
            }
        }
        assert_eq!(failed, ["authz/rewrite/check::wrong-on-purpose"], "{}", store.name());
    }
}

fn invite(fields: &Value) -> Value {
    let mut input = json!({"org_id": "{org}", "identifier": "b@x", "role": "member", "invited_by": "{alice}"});
    input.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    json!({"op": "create_invitation", "input": input, "captures": {"inv": "id"}})
}

#[test]
fn an_invitation_lasts_a_day_unless_it_says_otherwise() {
    let lasts = |fields: Value, end: &str| {
        let mut step = invite(&fields);
        step["expected"] = json!({"matches": {"expires_at": end}});
        let status = |status: &str| json!({"op": "assert_invitation_status", "input": {"inv_id": "{inv}", "expected_status": status}});
        let late = json!({"op": "advance_clock", "input": {"seconds": 86_400}});
        failures(support::store("memory"), &json!([org(), step, status("pending"), late, status("expired")]))
    };
    assert_eq!(lasts(json!({}), "2026-01-02T00:00:00.002000Z"), "");
    assert_eq!(lasts(json!({"ttl_seconds": 60}), "2026-01-01T00:01:00.002000Z"), "");
    assert_eq!(lasts(json!({"expires_at": "2026-01-01T12:00:00Z"}), "2026-01-01T12:00:00.000000Z"), "");
    let both = lasts(json!({"expires_at": "2026-01-01T12:00:00Z", "ttl_seconds": 60}), "");
    assert!(both.contains("the input has both"), "{both}");
    let text = lasts(json!({"ttl_seconds": "60"}), "");
    assert!(text.contains("`ttl_seconds` must be a whole number"), "{text}");

    // Each of several may say it too, and does not have to last a day.
    let entry = |fields: Value| {
        let mut entry = json!({"identifier": "c@x", "role": "member"});
        entry.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        json!([org(), {"op": "create_invitations", "input": {"org_id": "{org}", "invited_by": "{alice}", "invitations": [entry]},
            "expected": {"matches": {"data": [{"error": null, "invitation": {"expires_at": "2026-01-01T00:01:30.002000Z"}}]}}}])
    };
    assert_eq!(failures(support::store("memory"), &entry(json!({"ttl_seconds": 90}))), "");
    let none = failures(support::store("memory"), &entry(json!({})));
    assert!(none.contains("got the error `invalid_format.expires_at`"), "{none}");
}

#[test]
fn a_step_runs_on_behalf_of_whom_it_names() {
    let get = |actor: Value, expected: Value| json!({"op": "get_org", "input": {"org_id": "{org}"}, "as": actor, "expected": expected});
    let (seen, hidden) = (json!({"matches": {"name": "Acme"}}), json!({"error": "not_found"}));
    let mine = |identifiers: Value, expected: Value| {
        let actor = json!({"usr_id": "{bob}", "identifiers": identifiers});
        json!({"op": "list_invitations_for", "input": {"identifier": "b@x"}, "as": actor, "expected": expected})
    };
    let steps = json!([
        org(),
        // A name, a variable, and an object with either.
        get(json!("alice"), seen.clone()),
        get(json!("{alice}"), seen.clone()),
        get(json!({"usr_id": "{alice}"}), seen.clone()),
        get(json!({"usr_id": "alice", "identifiers": []}), seen),
        get(json!("bob"), hidden.clone()),
        get(json!({"usr_id": "{bob}"}), hidden.clone()),
        invite(&json!({})),
        mine(json!(["a@x", "b@x"]), json!({"result": {"data_ids_in_order": ["{inv}"]}})),
        mine(json!(["{org}", "b@x "]), json!({"error": "ForbiddenError"})),
        mine(json!([]), json!({"error": "forbidden"})),
        // The user of an earlier step, and an id as it is.
        {"op": "create_user", "input": {}, "captures": {"carol": "user.id"}},
        get(json!("carol"), hidden.clone()),
        get(json!("usr_01960000000070008000000000000001"), hidden),
        // The event names the actor, and no other step does.
        {"op": "update_org", "input": {"org_id": "{org}", "name": "B"}, "as": "alice"},
        {"op": "changes", "input": {"org_id": "{org}", "after_revision": 3},
            "expected": {"matches": {"data": [{"type": "organization.updated", "actor": {"type": "user", "id": "{alice}"}}]}}},
        {"op": "changes", "input": {"org_id": "{org}", "limit": 1},
            "expected": {"matches": {"data": [{"actor": {"type": "system", "id": null}}]}}},
    ]);
    for store in support::stores() {
        assert_eq!(failures(store, &steps), "", "{}", store.name());
    }
    for (actor, expected) in [
        (json!("nobody"), "`as`: `nobody` is no user"),
        (json!("{nobody}"), "there is no variable `nobody`"),
        (json!("{org}"), "`as`: `{org}` is no user"),
        (json!(null), "`as` names a user"),
        (json!([]), "`as` names a user"),
        (json!({}), "`as` names a user"),
        (json!({"usr_id": "alice", "identifiers": "b@x"}), "`identifiers` is a list"),
        (json!({"usr_id": "alice", "identifiers": [7]}), "`identifiers` are texts"),
    ] {
        let said = failures(support::store("memory"), &json!([org(), get(actor.clone(), json!({"error": "not_found"}))]));
        assert!(said.starts_with("step 2 (get_org): ") && said.contains(expected), "{actor}: {said}");
    }
}

/// A tuple of a document.
fn tuple(subject: &str, relation: &str) -> Value {
    json!({"subject_type": "usr", "subject_id": subject, "relation": relation, "object_type": "doc",
        "object_id": "01960000-0000-7000-8000-00000000d0c1"})
}

const ALICE: &str = "usr_0196000000007000800000000000a11c";

/// What the runner says of one test in the short form, of a file about this operation.
fn short(operation: &str, test: &Value) -> String {
    let mut test = test.clone();
    test["id"] = json!("t");
    test["description"] = json!("d");
    let file = json!({"spec_version": "0.1.0", "capability": "authorization", "operation": operation, "conformance_level": "MUST",
        "description": "d", "tests": [test]});
    said(support::store("memory"), &read(&file))
}

/// An object with one more field.
fn also(object: &Value, field: &str) -> Value {
    let mut object = object.clone();
    object[field] = json!(1);
    object
}

fn any(relations: Value) -> Value {
    let mut asked = tuple(ALICE, "editor");
    asked.as_object_mut().unwrap().remove("relation");
    asked["relations"] = relations;
    asked
}

fn allowed(allowed: bool) -> Value {
    json!({"result": {"allowed": allowed}})
}

#[test]
fn the_short_form_gives_tuples_and_asks_one_thing() {
    let (editor, viewer) = (tuple(ALICE, "editor"), tuple(ALICE, "viewer"));
    let rules = json!({"doc": {"viewer": [{"type": "computed_userset", "relation": "editor"}]}});
    for (operation, test) in [
        ("check", json!({"input": {"given_tuples": [editor], "check": editor}, "expected": allowed(true)})),
        ("check", json!({"input": {"given_tuples": [], "check": editor}, "expected": allowed(false)})),
        ("check", json!({"input": {"check": editor}, "expected": allowed(false)})),
        // Exactly the relation, unless rules say otherwise.
        ("check", json!({"input": {"given_tuples": [editor], "check": viewer}, "expected": allowed(false)})),
        ("check", json!({"rules": rules, "input": {"given_tuples": [editor], "check": viewer}, "expected": allowed(true)})),
        // Whichever of the two the file is about.
        ("check_any", json!({"input": {"given_tuples": [editor], "check": any(json!(["viewer", "editor"]))}, "expected": allowed(true)})),
        ("check", json!({"input": {"given_tuples": [editor], "check": any(json!(["viewer"]))}, "expected": allowed(false)})),
        ("check_any", json!({"input": {"given_tuples": [editor], "check": editor}, "expected": allowed(true)})),
        ("check_any", json!({"input": {"check": any(json!([]))}, "expected": {"error": "EmptyRelationSetError"}})),
        ("check_any", json!({"input": {"check": any(json!([]))}, "expected": {"error": "InvalidFormatError"}})),
        ("check_any", json!({"input": {"check": any(json!([]))}, "expected": {"error": "invalid_format.relations"}})),
        ("create_tuple", json!({"input": {"create": editor}, "expected": {"result": "ok"}})),
        ("create_tuple", json!({"input": {"given_tuples": [editor], "create": editor}, "expected": {"error": "DuplicateTupleError"}})),
        ("create_tuple", json!({"input": {"create": tuple(ALICE, "Editor")}, "expected": {"error": "invalid_format.relation"}})),
        // A key that is none may be just what the test is about.
        ("create_tuple", json!({"input": {"create": also(&editor, "colour")}, "expected": {"error": "invalid_format.colour"}})),
        ("check", json!({"input": {"check": also(&editor, "colour")}, "expected": {"error": "invalid_format.colour"}})),
        // The operation itself, whose result is shown whole.
        ("check", json!({"input": editor, "expected": {"result": {"allowed": false, "matched_tuple_id": null}}})),
    ] {
        assert_eq!(short(operation, &test), "", "{operation} {test}");
    }
}

#[test]
fn a_short_form_that_is_none_fails_and_says_why() {
    let editor = tuple(ALICE, "editor");
    let wrong = json!({"doc": {"viewer": [{"type": "computed_userset", "relation": "Viewer"}]}});
    let whole = json!({"result": {"allowed": false, "matched_tuple_id": null}});
    let check = |given: Value, expected: Value| json!({"input": {"given_tuples": given, "check": editor}, "expected": expected});
    for (operation, test, expected) in [
        ("check", check(json!([editor]), allowed(false)), "$.allowed: expected false, it is true"),
        (
            "check",
            json!({"input": {"given_tuples": [], "check": editor, "colour": 1}, "expected": allowed(false)}),
            "the short form of `check` has no input `colour`",
        ),
        (
            "create_tuple",
            json!({"input": {"create": editor, "check": editor}, "expected": {"result": "ok"}}),
            "the short form of `create_tuple` has no input `check`",
        ),
        (
            "check",
            json!({"input": {"check": also(&editor, "colour")}, "expected": allowed(false)}),
            "`the short form` has no input `colour`",
        ),
        ("check", check(json!([also(&editor, "colour")]), allowed(false)), "`create_tuple` has no input `colour`"),
        ("check", check(json!([editor, editor]), allowed(true)), "given tuple 2: the error `conflict.duplicate_tuple`"),
        // What is expected is expected of the question, not of what is given.
        (
            "check",
            check(json!([editor, tuple("x", "editor")]), json!({"error": "invalid_format.subject_id"})),
            "given tuple 2: the error `invalid_format.subject_id`",
        ),
        ("check", check(json!({}), allowed(false)), "`given_tuples` must be a list"),
        ("check", check(json!([7]), allowed(false)), "`given_tuples` must hold objects"),
        ("check", json!({"rules": wrong, "input": {"check": editor}, "expected": allowed(false)}), "`rules`: `doc.viewer[0]`: `Viewer`"),
        ("check", json!({"rules": [], "input": {"check": editor}, "expected": allowed(false)}), "`rules`: `rules`: expected an object"),
        ("check", json!({"input": {"check": editor}, "expected": whole}), "$.matched_tuple_id: expected null, it is not there"),
    ] {
        let said = short(operation, &test);
        assert!(said.contains(expected), "{operation} {test}: expected {expected:?} in {said:?}");
    }
}

#[test]
fn assertions_look_at_tuples_and_invitations() {
    let create = |relation: &str| json!({"op": "create_tuple", "input": tuple("{alice}", relation)});
    let relations = |subject: &str, relations: Value| json!({"op": "assert_subject_relations", "input": {"subject_type": "usr", "subject_id": subject, "relations": relations}});
    let status = |status: &str| json!({"op": "assert_invitation_status", "input": {"inv_id": "{inv}", "expected_status": status}});
    // Stored and derived ones, in any order, each as often as it is there.
    let steps = json!([
        org(), relations("{alice}", json!(["owner"])), create("viewer"), create("editor"),
        {"op": "create_tuple", "input": {"subject_type": "usr", "subject_id": "{alice}", "relation": "viewer", "object_type": "doc",
            "object_id": "01960000-0000-7000-8000-00000000d0c2"}},
        relations("{alice}", json!(["editor", "owner", "viewer", "viewer"])),
        relations("{alice}", json!(["viewer", "owner", "viewer", "editor"])),
        relations("{bob}", json!([])),
        invite(&json!({"ttl_seconds": 60})), status("pending"),
        {"op": "decline_invitation", "input": {"inv_id": "{inv}"}}, status("declined"),
    ]);
    for store in support::stores() {
        assert_eq!(failures(store, &steps), "", "{}", store.name());
    }
    for (step, expected) in [
        (relations("{alice}", json!(["owner", "viewer"])), "expected 2 items, there are 1"),
        (relations("{alice}", json!([])), "expected 0 items, there are 1"),
        (
            json!({"op": "assert_subject_relations", "input": {"subject_type": "usr", "subject_id": "{alice}"}}),
            "`invalid_format.relations`",
        ),
        (status("accepted"), "$.status: expected \"accepted\", it is \"pending\""),
        (json!({"op": "assert_invitation_status", "input": {"inv_id": "{inv}"}}), "names nothing that it expects"),
        (json!({"op": "assert_invitation_status", "input": {"inv_id": "{inv}", "status": "pending"}}), "has no input `status`"),
    ] {
        let said = failures(support::store("memory"), &json!([org(), invite(&json!({})), step]));
        assert!(said.starts_with("step 3 ") && said.contains(expected), "{step}: expected {expected:?} in {said:?}");
    }
}

/// A folder as another implementation may have it: nested, without what only our files say, and with one expectation that is wrong.
fn foreign_folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let write = |path: &str, text: &str| {
        let path = folder.path().join(path);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        std::fs::write(path, text).expect("a file");
    };
    let (editor, viewer) = (tuple(ALICE, "editor"), tuple(ALICE, "viewer"));
    let circle = json!({"doc": {"a_to": [{"type": "computed_userset", "relation": "b_to"}], "b_to": [{"type": "computed_userset", "relation": "a_to"}]}});
    let check = json!({"fixture": 7, "capability": "authorization", "operation": "check", "runnable": true, "tests": [
        {"id": "circle", "rules": circle, "note": "n", "input": {"check": tuple(ALICE, "a_to")}, "expected": {"result": {"allowed": false}}},
        {"id": "no-relations", "input": {"check": any(json!([]))}, "expected": {"error": "EmptyRelationSetError"}},
        {"id": "denied", "input": {"given_tuples": [editor], "check": viewer}, "expected": {"result": {"allowed": true}}},
    ]});
    write("authorization/rewrite/deep/check.json", &check.to_string());
    let steps = json!([org(), invite(&json!({"ttl_seconds": 60})),
        {"op": "accept_invitation", "input": {"inv_id": "{inv}", "as_usr_id": "{bob}", "accepting_identifier": "c@x"},
            "expected": {"error": "IdentifierMismatchError"}},
        {"op": "accept_invitation", "input": {"inv_id": "{inv}", "as_usr_id": "{bob}"}, "expected": {"error": "PreconditionError"}},
        {"op": "delete_tuple", "input": {"tup_id": "tup_01960000000070008000000000000001"}, "expected": {"error": "TupleNotFoundError"}},
        {"op": "self_leave", "as": "alice", "input": {"mem_id": "{m}"}, "expected": {"error": "SoleOwnerError"}}]);
    let invitations = json!({"capability": "tenancy", "operation": "accept_invitation", "spec_section": "other.md#nowhere",
        "tests": [{"id": "life", "users": ["alice", "bob"], "steps": steps}]});
    write("tenancy/invitations.json", &invitations.to_string());
    // What lies beside them in other collections.
    write("index.json", "[]");
    write("fixture.schema.json", "{}");
    write("README.md", "no fixture");
    folder
}

#[test]
fn the_program_names_what_fails_and_exits_with_1() {
    let folder = foreign_folder();
    let json = folder.path().join("report.txt");
    let run = |arguments: &[&str]| {
        let mut command = Command::new(program());
        command.args(["--store", "memory", "--fixtures"]).arg(folder.path()).arg("--json").arg(&json).args(arguments);
        let output = command.output().expect("the program runs");
        (output.status.code(), String::from_utf8_lossy(&output.stdout).into_owned())
    };
    let (code, said) = run(&[]);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("FAILED memory: authorization/rewrite/deep/check.json denied"), "{said}");
    assert!(said.contains("$.allowed: expected true, it is false"), "{said}");
    assert!(said.contains("2 passed, 1 FAILED") && said.contains("3 passed, 1 FAILED"), "{said}");
    assert_eq!(said.matches("FAILED memory").count(), 1, "{said}");
    let report: Value = serde_json::from_str(&std::fs::read_to_string(&json).expect("a report")).expect("JSON");
    let failed = report["outcomes"].as_array().expect("a list").iter().filter(|outcome| outcome["failures"] != json!([]));
    assert_eq!(failed.map(|outcome| &outcome["test"]).collect::<Vec<_>>(), [&json!("denied")], "{report}");
    // Without that one everything passes; a file that cannot be read fails as well.
    let (code, said) = run(&["--filter", "tenancy/"]);
    assert_eq!((code, said.contains("FAILED")), (Some(0), false), "{said}");
    std::fs::write(folder.path().join("tenancy/broken.json"), "{").expect("a file");
    let (code, said) = run(&["--filter", "tenancy/"]);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("FAILED memory: tenancy/broken.json"), "{said}");
}

/// The example that runs fixtures, which Cargo builds along with the tests of the package.
fn program() -> PathBuf {
    let this = std::env::current_exe().expect("a path");
    let folder = this.parent().and_then(Path::parent).expect("the folder of the profile");
    let program = folder.join("examples").join(format!("conformance{}", std::env::consts::EXE_SUFFIX));
    assert!(program.exists(), "{} is not there: `cargo build -p tenantry-conformance --examples` makes it", program.display());
    program
}
