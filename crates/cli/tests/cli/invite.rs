//! `invite create-many`, whose rows have outcomes of their own, and `sweep`, which goes on until nothing is left.

use serde_json::Value;

use crate::support::{data, run, run_with_input, sqlite_file};

const ADA: &str = "usr_0196f3c21b7a7c3d9e4f5a6b7c8d0001";

#[test]
fn each_row_has_an_outcome_of_its_own() {
    let file = sqlite_file();
    let store = file.store.as_str();
    assert_eq!(run(&["--store", store, "org", "create", "--creator", ADA, "--slug", "acme"]).code, 0);
    let path = data("invites.jsonl").display().to_string();
    let people = run(&["--store", store, "invite", "create-many", "acme", &path, "--by", ADA]);
    let rows: Vec<Vec<&str>> = people.out.lines().map(|line| line.split('\t').collect()).collect();
    let outcomes: Vec<(&str, &str, &str)> =
        rows.iter().map(|row| (row[0], row[1], row[2].split_once(':').map_or(row[2], |(code, _)| code))).collect();
    assert_eq!(
        outcomes,
        [
            ("1", "bob@example.org", "pending"),
            ("2", "cem@example.org", "pending"),
            ("3", "dan@example.org", "pending"),
            ("4", "bob@example.org", "conflict.duplicate_invitation"),
            ("5", "eve@example.org", "precondition.unknown_role"),
            ("6", "fay@example.org", "precondition.past_expiration"),
        ]
    );
    assert_eq!((people.code, people.err.as_str()), (1, "3 of 6 rows were refused\n"));

    let again = run(&["--store", store, "--json", "invite", "create-many", "acme", &path, "--by", ADA]);
    let data = again.json()["data"].as_array().cloned().expect("a list");
    assert!(again.code == 1 && data.len() == 6 && data.iter().all(|row| row["invitation"].is_null()), "{data:?}");
    assert_eq!(data[0]["error"]["code"], "conflict.duplicate_invitation");

    let line = b"{\"identifier\":\"gus@example.org\",\"role\":\"guest\"}\n";
    let ran = run_with_input(&["--store", store, "--json", "invite", "create-many", "acme", "-", "--by", ADA], line);
    assert_eq!((ran.code, ran.json()["data"][0]["invitation"]["status"].clone()), (0, "pending".into()));
}

#[test]
fn lines_without_their_form_are_named_and_nothing_is_written() {
    let file = sqlite_file();
    let store = file.store.as_str();
    assert_eq!(run(&["--store", store, "org", "create", "--creator", ADA, "--slug", "acme"]).code, 0);
    let many = |file: &str| run(&["--store", store, "--json", "invite", "create-many", "acme", file, "--by", ADA]);
    let ran = many(&data("broken-invites.jsonl").display().to_string());
    let error = ran.error();
    let lines: Vec<(u64, &str)> = error["lines"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|line| (line["line"].as_u64().unwrap_or_default(), line["code"].as_str().unwrap_or_default()))
        .collect();
    assert_eq!(lines, [(2, "invalid_format.role"), (3, "invalid_format.ttl"), (4, "invalid_format.nickname")]);
    assert_eq!((ran.code, run(&["--store", store, "invite", "list", "acme"]).out.as_str()), (2, ""));

    let path = file.folder.path().join("many.jsonl");
    let row = |number: usize| format!("{{\"identifier\":\"p{number}\",\"role\":\"guest\",\"ttl\":\"2s\"}}\n");
    std::fs::write(&path, (0..501).map(row).collect::<String>()).expect("written");
    let ran = many(&path.display().to_string());
    assert_eq!((ran.code, ran.error()["code"].clone()), (2, "invalid_format.invitations".into()));

    // One fewer is not too many; and what has expired is swept away in as many steps as it takes.
    std::fs::write(&path, (0..500).map(row).collect::<String>()).expect("written");
    assert_eq!(many(&path.display().to_string()).code, 0);
    std::thread::sleep(std::time::Duration::from_millis(2100));
    let swept = run(&["--store", store, "--json", "sweep"]);
    assert_eq!(swept.json(), serde_json::json!({"invitations": 500, "tuples": 0, "more": false}));
    assert_eq!(run(&["--store", store, "sweep", "--limit", "1"]).out, "invitations\t0\ntuples\t0\n");
    let expired = run(&["--store", store, "--json", "invite", "list", "acme", "--all", "--status", "expired"]).json();
    assert_eq!(expired["data"].as_array().map(Vec::len), Some(500));
}

#[test]
fn a_person_is_invited_and_comes() {
    let file = sqlite_file();
    let store = file.store.as_str();
    let json = |args: &[&str]| -> Value { run(&[&["--store", store, "--json"], args].concat()).json() };
    assert_eq!(run(&["--store", store, "org", "create", "--creator", ADA, "--slug", "acme"]).code, 0);
    let grant = "editor:doc:0196f3c2-1b7a-7c3d-9e4f-5a6b7c8d0d0c";
    let inv = json(&["invite", "create", "acme", "ben@example.org", "--role", "member", "--by", ADA, "--grant", grant]);
    let id = inv["id"].as_str().expect("an id");
    let accepted = json(&["invite", "accept", id]);
    let user = accepted["membership"]["usr_id"].as_str().expect("an id");
    assert_eq!(accepted["invitation"]["status"], "accepted");
    let tuple = accepted["materialized_tuples"][0]["id"].clone();
    let checked = json(&["check", user, "editor", "doc:0196f3c2-1b7a-7c3d-9e4f-5a6b7c8d0d0c"]);
    assert_eq!(checked, serde_json::json!({"allowed": true, "matched_tuple_id": tuple}));
}
