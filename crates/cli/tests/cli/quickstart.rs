//! `quickstart`.

use std::process::Command;

use crate::support::{data, run, sqlite_file, tenantry};

fn shell_words(command: &str) -> Vec<String> {
    let words = command.split(' ').map(|word| word.trim_matches('\'').to_owned());
    words.skip_while(|word| word != "--store").collect()
}

#[test]
fn it_shows_a_company_and_can_run_twice() {
    let file = sqlite_file();
    let first = run(&["--store", &file.store, "--deterministic", "quickstart"]);
    assert_eq!((first.code, first.err.as_str()), (0, ""), "{first:?}");
    let path = file.folder.path().display().to_string();
    insta::assert_snapshot!(first.out.replace(&path, "FOLDER"));

    let second = run(&["--store", &file.store, "--deterministic", "quickstart"]);
    assert_eq!(second.code, 0);
    let said = second.out.lines().next().unwrap_or_default();
    assert!(said.ends_with("test.db already; nothing was changed."), "{said}");
    assert_eq!(first.out.lines().skip(1).collect::<Vec<_>>(), second.out.lines().skip(1).collect::<Vec<_>>());
}

#[test]
fn the_commands_that_it_names_work() {
    let file = sqlite_file();
    let json = run(&["--store", &file.store, "--json", "quickstart"]).json();
    let next: Vec<&str> = json["next"].as_array().expect("a list").iter().filter_map(|command| command.as_str()).collect();
    assert_eq!(next.len(), 4);
    for command in &next {
        let words = shell_words(command);
        let ran = tenantry().args(&words).output().expect("it starts");
        assert!(ran.status.success(), "{command}: {ran:?}");
    }
    // One of them changed a role, so that there is another one to name now.
    let again = run(&["--store", &file.store, "--json", "quickstart"]).json();
    assert_ne!(json["next"][1], again["next"][1]);
    assert_eq!(again["changes"][0]["type"], "membership.role_changed");
}

#[test]
fn the_sample_is_what_it_says() {
    let ran = run(&["--store", "memory:", "--deterministic", "--json", "quickstart"]);
    let json = ran.json();
    assert_eq!(json["imported"]["users"], 40);
    assert_eq!(json["imported"]["organizations"], 3);
    let mut depth = 0;
    let mut node = &json["organizations"]["data"][0];
    while node["org"].is_object() {
        depth += 1;
        node = &node["children"][0];
    }
    assert_eq!(depth, 3);
    let members = json["members"]["data"].as_array().expect("a list");
    let with = |field: &str, value: &str| members.iter().filter(|mem| mem[field] == value).count();
    for role in ["owner", "admin", "member", "guest", "viewer", "editor"] {
        assert!(with("role", role) > 0, "{role}");
    }
    assert_eq!(with("status", "suspended"), 1);
    assert_eq!(members.iter().filter(|mem| mem["expires_at"].is_string()).count(), 1);
    assert_eq!(members.iter().filter(|mem| mem["replaces"].is_string()).count(), 1);
    let invitations: Vec<&str> =
        json["invitations"]["data"].as_array().expect("a list").iter().filter_map(|inv| inv["status"].as_str()).collect();
    assert_eq!(invitations, ["accepted", "pending"]);
    assert_eq!(json["tuples"]["data"].as_array().map(Vec::len), Some(2));
    // One that is allowed, one that the organization denies, one all the same, one that the membership is denied, and a suspended one.
    let permissions = json["permissions"].as_array().expect("a list");
    let told: Vec<[&str; 2]> = permissions
        .iter()
        .map(|asked| [&asked["why"]["decided_by"]["layer"], &asked["why"]["reason"]].map(|text| text.as_str().unwrap_or_default()))
        .collect();
    let denied = |reason| ["", reason];
    let expected = [
        ["groups", ""],
        denied("denied_by_org"),
        ["membership_grant", ""],
        denied("denied_by_membership"),
        denied("membership_not_active"),
    ];
    assert_eq!(told, expected);
    assert_eq!(json["check"], serde_json::json!({"allowed": true, "matched_tuple_id": json["tuples"]["data"][1]["id"]}));
}

#[test]
fn another_company_is_left_alone() {
    let file = sqlite_file();
    let store = file.store.as_str();
    let user = run(&["--store", store, "--json", "user", "create"]).json()["user"]["id"].clone();
    let user = user.as_str().expect("an id");
    run(&["--store", store, "org", "create", "--creator", user, "--slug", "other"]);
    assert_eq!(run(&["--store", store, "quickstart"]).code, 0);
    assert_eq!(run(&["--store", store, "org", "show", "other"]).code, 0);

    let file = sqlite_file();
    let store = file.store.as_str();
    run(&["--store", store, "org", "create", "--creator", user, "--slug", "acme"]);
    let before = run(&["--store", store, "--json", "org", "list"]).out;
    let ran = run(&["--store", store, "--json", "quickstart"]);
    assert_eq!((ran.code, ran.out.as_str()), (1, ""));
    let error = ran.error();
    assert_eq!(error["code"], "conflict.org_slug");
    assert!(error["message"].as_str().is_some_and(|text| text.contains("quickstart --file")), "{error}");
    assert_eq!(run(&["--store", store, "--json", "org", "list"]).out, before);
}

#[test]
fn a_file_that_is_no_database_is_not_touched() {
    let file = sqlite_file();
    let path = file.folder.path().join("notes.txt");
    std::fs::write(&path, "these are my notes, and not a database at all\n".repeat(50)).expect("written");
    let before = std::fs::read(&path).expect("read");
    let ran = run(&["quickstart", "--file", &path.display().to_string()]);
    assert!(ran.code == 4 && ran.out.is_empty() && ran.err.starts_with("error: "), "{ran:?}");
    assert_eq!(std::fs::read(&path).expect("read"), before);
}

#[test]
fn the_default_is_a_file_here() {
    let file = sqlite_file();
    let in_folder = |args: &[&str]| -> Command {
        let mut command = tenantry();
        command.args(args).current_dir(file.folder.path());
        command
    };
    assert!(in_folder(&["quickstart"]).output().expect("it starts").status.success());
    assert!(file.folder.path().join("tenantry.db").exists());
    let shown = in_folder(&["org", "show", "acme"]).env("TENANTRY_STORE", "memory:").output().expect("it starts");
    assert_eq!(shown.status.code(), Some(3), "the variable names another store");
    let both = in_folder(&["quickstart", "--file", "x.db", "--store", "memory:"]).output().expect("it starts");
    assert_eq!(both.status.code(), Some(2));
    // Under cargo the commands are those of cargo.
    let output = in_folder(&["quickstart"]).env("CARGO_PKG_NAME", "tenantry-cli").output().expect("it starts");
    assert!(String::from_utf8_lossy(&output.stdout).contains("\n  cargo run -- member list acme-europe\n"));
}

#[test]
fn the_sample_can_be_imported_by_hand() {
    let sample = data("../../../../examples/acme.jsonl");
    let ran = run(&["--store", "memory:", "--json", "import", &sample.display().to_string()]);
    assert_eq!((ran.code, ran.json()["users"].as_u64()), (0, Some(40)), "{ran:?}");
}
