//! `check`: its exit code is its answer.

use crate::support::{Ran, data, run, sqlite_file};

const USER: &str = "usr_0196f3c21b7a7c3d9e4f5a6b7c8d0001";
const DOC: &str = "doc:0196f3c2-1b7a-7c3d-9e4f-5a6b7c8d0d0c";

#[test]
fn the_exit_code_is_the_answer() {
    let file = sqlite_file();
    let store = file.store.as_str();
    let check = |args: &[&str]| run(&[&["--store", store, "check"], args].concat());
    let said = |ran: Ran| (ran.code, ran.out, ran.err);
    assert_eq!(said(check(&[USER, "editor", DOC])), (1, "denied\n".to_owned(), String::new()));

    let made = run(&["--store", store, "--json", "tuple", "create", USER, "editor", DOC]).json();
    let tuple = made["id"].as_str().expect("an id");
    let allowed = (0, format!("allowed by {tuple}\n"), String::new());
    assert_eq!(said(check(&[USER, "editor", DOC])), allowed);
    assert_eq!(said(check(&["usr:0196f3c2-1b7a-7c3d-9e4f-5a6b7c8d0001", "owner,editor", "doc_0196f3c21b7a7c3d9e4f5a6b7c8d0d0c"])), allowed);
    assert_eq!(check(&[USER, "owner,viewer", DOC]).code, 1);

    let json = check(&[USER, "editor", DOC, "--json"]);
    assert_eq!((json.code, json.json()), (0, serde_json::json!({"allowed": true, "matched_tuple_id": tuple})));
    let json = check(&[USER, "viewer", DOC, "--json"]);
    assert_eq!((json.code, json.json()), (1, serde_json::json!({"allowed": false, "matched_tuple_id": null})));
}

#[test]
fn rules_are_read_from_a_file_strictly() {
    let file = sqlite_file();
    let store = file.store.as_str();
    assert_eq!(run(&["--store", store, "tuple", "create", USER, "editor", DOC]).code, 0);
    let check = |relation: &str, rules: &str| run(&["--store", store, "--json", "check", USER, relation, DOC, "--rules", rules]);
    let path = |name: &str| data(name).display().to_string();
    assert_eq!(check("viewer", &path("rules.json")).json()["allowed"], true);
    assert_eq!(check("owner", &path("rules.json")).code, 1);

    // Rules that lead too far are neither a yes nor a no.
    let deep = check("ra", &path("deep-rules.json"));
    assert_eq!((deep.code, deep.error()["code"].clone()), (2, "evaluation_limit_exceeded".into()));

    let slip = check("viewer", &path("broken-rules.json"));
    assert_eq!((slip.code, slip.error()["code"].clone()), (2, "invalid_format.rules".into()));
    assert_eq!(slip.error()["class"], "InvalidFormatError");
    for word in ["broken-rules.json", "doc.viewer[1]", "edtor"] {
        assert!(slip.err.contains(word), "{}", slip.err);
    }
    let people = run(&["--store", store, "check", USER, "viewer", DOC, "--rules", &path("broken-rules.json")]);
    assert!(people.code == 2 && people.err.contains("doc.viewer[1]"), "{people:?}");

    let rules = file.folder.path().join("rules.json");
    for (text, says) in [("{", "EOF"), ("[]", "an object of types"), (r#"{"doc":{},"doc":{}}"#, "a field is given twice")] {
        std::fs::write(&rules, text).expect("written");
        let ran = check("viewer", &rules.display().to_string());
        assert!(ran.code == 2 && ran.error()["code"] == "invalid_format.rules" && ran.err.contains(says), "{text}: {ran:?}");
    }
    let missing = check("viewer", &file.folder.path().join("missing.json").display().to_string());
    assert_eq!((missing.code, missing.error()["code"].clone()), (2, "usage".into()));
}
