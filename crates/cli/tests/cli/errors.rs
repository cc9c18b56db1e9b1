//! Exit codes, and what is said with them.

use std::process::Stdio;

use crate::support::{run, sqlite_file, tenantry};

const ID: &str = "0196f3c21b7a7c3d9e4f5a6b7c8d9e0f";

#[test]
fn exit_codes_follow_from_what_went_wrong() {
    let file = sqlite_file();
    let store = file.store.as_str();
    let user = format!("usr_{ID}");
    assert_eq!(run(&["--store", store, "org", "create", "--creator", &user, "--slug", "acme"]).code, 0);
    for (args, exit, code) in [
        (vec!["org", "show", "acme"], 0, ""),
        (vec!["org", "create", "--creator", &user, "--slug", "acme"], 1, "conflict.org_slug"),
        (vec!["org", "reinstate", "acme"], 1, "precondition.invalid_transition"),
        (vec!["org", "create", "--creator", "usr_1"], 2, "invalid_id"),
        (vec!["org", "create", "--creator", &format!("abc_{ID}")], 2, "invalid_id_type"),
        (vec!["org", "create", "--creator", &format!("org_{ID}")], 2, "invalid_id"),
        (vec!["org", "show", "acme_inc"], 2, "invalid_id_type"),
        (vec!["org", "update", "acme", "--name", ""], 2, "invalid_format.name"),
        (vec!["org", "update", "acme", "--cascade", "yes"], 2, "invalid_format.cascade_permissions"),
        (vec!["org", "list", "--limit", "x"], 2, "invalid_format.limit"),
        (vec!["org", "list", "--limit", "9223372036854775808"], 2, "invalid_format.limit"),
        (vec!["org", "list", "--status", "asleep"], 2, "invalid_format.status"),
        (vec!["org", "list", "--cursor", "x"], 2, "invalid_cursor"),
        (vec!["changes", "acme", "--after", "-1"], 2, "invalid_format.after_revision"),
        (vec!["member", "add", "acme", &user, "--role", "guest", "--expires-at", "1969-01-01T00:00:00Z"], 2, "invalid_format.expires_at"),
        (vec!["changes", "--all", "--after", "1"], 2, "invalid_cursor"),
        (vec!["changes", "acme", "--all"], 2, "usage"),
        (vec!["changes"], 2, "usage"),
        (vec!["org", "update", "acme", "--seat-limit", "0"], 2, "invalid_format.seat_limit"),
        (vec!["org", "update", "acme", "--seat-limit", "few"], 2, "invalid_format.seat_limit"),
        (vec!["org", "update", "acme", "--external-id", ""], 2, "invalid_format.external_id"),
        (vec!["org", "update", "acme", "--metadata", "[]"], 2, "invalid_format.metadata"),
        (vec!["org", "update", "acme", "--metadata", "{"], 2, "invalid_format.metadata"),
        (vec!["--request-id", "", "org", "show", "acme"], 2, "invalid_format.request_id"),
        (vec!["org", "show", "acme", "--reason", ""], 2, "invalid_format.reason"),
        (vec!["--as", "me", "org", "show", "acme"], 2, "invalid_id"),
        (vec!["--as", &user, "--actor", &user, "org", "show", "acme"], 2, "usage"),
        (vec!["--vouch", "me", "org", "show", "acme"], 2, "usage"),
        (vec!["invite", "create", "acme", "ben", "--role", "guest"], 2, "usage"),
        (vec!["invite", "create", "acme", "ben", "--role", "guest", "--by", &user, "--ttl", "7"], 2, "invalid_format.ttl"),
        (vec!["invite", "create", "acme", "ben", "--role", "guest", "--by", &user, "--grant", "x"], 2, "invalid_format.pre_tuples"),
        (vec!["invite", "create", "acme", "ben", "--role", "guest", "--by", &user, "--grant", "x:doc:1"], 2, "invalid_format.relation"),
        (vec!["invite", "create", "acme", "ben", "--role", "guest", "--by", &user, "--ttl", "0s"], 1, "precondition.past_expiration"),
        (vec!["invite", "create", "acme", "ben", "--role", "chief", "--by", &user], 1, "precondition.unknown_role"),
        (vec!["invite", "list"], 2, "usage"),
        (vec!["invite", "list", "acme", "--for", "ben"], 2, "usage"),
        (vec!["invite", "list", "acme", "--status", "open"], 2, "invalid_format.status"),
        (vec!["invite", "show", "inv_1"], 2, "invalid_id"),
        (vec!["invite", "show", &format!("inv_{ID}")], 3, "not_found"),
        (vec!["invite", "accept", &format!("inv_{ID}"), "--identifier", "ben"], 2, "usage"),
        (vec!["invite", "extend", &format!("inv_{ID}")], 2, "usage"),
        (vec!["tuple", "create", &user, "a", "doc:1"], 2, "invalid_format.relation"),
        (vec!["tuple", "create", "usr_1", "viewer", "doc:1"], 2, "invalid_format.subject_id"),
        (vec!["tuple", "create", &user, "viewer", "document"], 2, "invalid_format.object_type"),
        (vec!["tuple", "create", &user, "viewer", "doc"], 2, "invalid_format.object_id"),
        (vec!["tuple", "list"], 2, "usage"),
        (vec!["tuple", "list", "--subject", &user, "--relation", "viewer"], 2, "usage"),
        (vec!["tuple", "delete", &format!("tup_{ID}")], 3, "not_found"),
        (vec!["check", &user, "viewer,", "doc:1"], 2, "invalid_format.relations"),
        (vec!["check", &user, "viewer", "doc:1"], 2, "invalid_format.object_id"),
        (vec!["sweep", "--limit", "x"], 2, "invalid_format.limit"),
        (vec!["export", "/no/such/folder/x.jsonl"], 4, "output"),
        (vec!["user", "create", "--nickname", "x"], 2, "usage"),
        (vec!["user"], 2, "usage"),
        (vec![], 2, "usage"),
        (vec!["user", "show", &user], 3, "not_found"),
        (vec!["user", "show", "usr_00000000000000000000000000000000"], 3, "not_found"),
        (vec!["org", "show", "Nowhere At All"], 3, "not_found"),
        (vec!["event", &format!("aud_{ID}")], 3, "not_found"),
    ] {
        let people = run(&[&["--store", store], args.as_slice()].concat());
        assert_eq!(people.code, exit, "{args:?}: {people:?}");
        let json = run(&[&["--store", store, "--json"], args.as_slice()].concat());
        assert_eq!(json.code, exit, "{args:?}: {json:?}");
        if exit == 0 {
            assert!(json.json().is_object() && json.err.is_empty() && people.err.is_empty());
        } else {
            assert_eq!(json.error()["code"], code, "{args:?}");
            assert_eq!((json.out.as_str(), json.err.lines().count()), ("", 1), "{args:?}");
            assert!(people.out.is_empty() && !people.err.is_empty(), "{args:?}: {people:?}");
        }
    }
}

#[test]
fn a_store_that_fails_is_exit_code_four() {
    let file = sqlite_file();
    let nowhere = format!("sqlite:{}", file.folder.path().join("no/such/folder/x.db").display());
    for store in [nowhere.as_str(), "postgres://127.0.0.1:1/none"] {
        let ran = run(&["--store", store, "--json", "org", "list"]);
        let error = ran.error();
        assert_eq!((ran.code, &error["class"]), (4, &"BackendError".into()), "{ran:?}");
        assert!(error.get("caused_by").is_none(), "{error}");
        let verbose = run(&["--store", store, "--json", "--verbose", "org", "list"]).error();
        assert!(verbose["caused_by"].as_array().is_some_and(|causes| !causes.is_empty()), "{verbose}");
        let people = run(&["--store", store, "--verbose", "org", "list"]);
        assert!(people.err.contains("\ncaused by: "), "{}", people.err);
    }
}

#[test]
fn a_wrong_store_is_refused_without_showing_a_password() {
    for store in ["postgre://me:secret@host/db", "sqlite:", "here.db"] {
        let ran = run(&["--store", store, "org", "list"]);
        assert!(ran.code == 2 && ran.err.contains("`memory:`, `sqlite:PATH` or `postgres://"), "{ran:?}");
        assert!(!ran.err.contains("secret"));
    }
    let output = tenantry().args(["org", "list"]).env("TENANTRY_STORE", "nonsense").output().expect("it starts");
    assert!(String::from_utf8_lossy(&output.stderr).starts_with("error: TENANTRY_STORE: not a store"));
}

#[test]
fn a_reader_that_leaves_is_no_error() {
    let file = sqlite_file();
    assert_eq!(run(&["--store", &file.store, "quickstart"]).code, 0);
    let mut child = tenantry();
    child.args(["--store", &file.store, "member", "list", "acme"]).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = child.spawn().expect("it starts");
    drop(child.stdout.take());
    let output = child.wait_with_output().expect("it ends");
    assert_eq!((output.status.code(), String::from_utf8_lossy(&output.stderr).as_ref()), (Some(0), ""));
}

#[test]
fn the_schema_of_a_file_is_looked_after() {
    let file = sqlite_file();
    let store = file.store.as_str();
    let before = run(&["--store", store, "--json", "migrate", "status"]).json();
    assert_eq!((&before["found"], before["pending"].as_array().map(Vec::is_empty)), (&0.into(), Some(false)), "{before}");
    let done = run(&["--store", store, "--json", "migrate", "run"]).json();
    assert_eq!((&done["applied"], &done["pending"]), (&before["pending"], &serde_json::json!([])), "{done}");
    let again = run(&["--store", store, "--json", "migrate", "run"]).json();
    assert_eq!((&again["applied"], &again["found"]), (&serde_json::json!([]), &done["wanted"]), "{again}");
    let memory = run(&["--store", "memory:", "migrate", "status"]);
    assert_eq!((memory.code, memory.err.as_str()), (0, "a store in memory has no schema\n"), "{memory:?}");
}
