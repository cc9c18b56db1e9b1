//! `review`, and the dry run of `org move`: what it shows is what `can` says, in each of its forms, whatever the number of users.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::support::{SqliteFile, run, run_with_input, sqlite_file};

const PERMISSIONS: [&str; 3] = ["docs.read", "docs.write", "docs.burn"];

fn user(number: usize) -> String {
    format!("usr_0196f3c21b7a7c3d9e4f5a6b7c8d{number:04x}")
}

/// More members than a page of a review holds: each third is a clerk, each fifth may not read, and one may burn.
fn company() -> SqliteFile {
    let file = sqlite_file();
    let catalog = file.folder.path().join("catalog.json");
    let custom: Vec<_> = PERMISSIONS.iter().map(|slug| json!({ "slug": slug })).collect();
    std::fs::write(&catalog, json!({ "custom": custom }).to_string()).expect("written");
    let catalog = catalog.display().to_string();
    let owner = run(&["--store", &file.store, "--json", "user", "create"]).json()["user"]["id"].as_str().expect("an id").to_owned();
    let mut lines = vec![
        format!("catalog sync {catalog}"),
        format!("org create --creator {owner} --slug works"),
        "role create clerk --org works --permission docs.read --permission docs.write".to_owned(),
    ];
    lines.extend((0..120).map(|number| {
        let role = if number % 3 == 0 { "clerk" } else { "member" };
        format!("member add works {} --role {role}", user(number))
    }));
    assert_eq!(run_with_input(&["--store", &file.store, "batch", "-"], lines.join("\n").as_bytes()).code, 0);
    let there = |number: usize| {
        let found = run(&["--store", &file.store, "--json", "member", "find", "works", &user(number)]).json();
        found["id"].as_str().expect("an id").to_owned()
    };
    let mut lines: Vec<String> = (0..120).step_by(15).map(|number| format!("override member {} docs.read deny", there(number))).collect();
    lines.push(format!("override member {} docs.burn grant", there(7)));
    assert_eq!(run_with_input(&["--store", &file.store, "batch", "-"], lines.join("\n").as_bytes()).code, 0);
    file
}

fn lines_of(out: &str) -> Vec<Value> {
    out.lines().map(|line| serde_json::from_str(line).expect("a document in each line")).collect()
}

#[test]
fn a_review_says_what_each_single_question_says_in_each_form() {
    let file = company();
    let review = |args: &[&str]| run(&[&["--store", &file.store, "review", "works"], args].concat());
    let documents = review(&["--format", "json"]);
    assert_eq!((documents.code, documents.err.as_str()), (0, ""));
    let users = lines_of(&documents.out);
    assert_eq!(users.len(), 121, "the owner and the members");
    let same = run(&["--store", &file.store, "--json", "review", "works"]);
    assert_eq!(same.out, documents.out);

    // One question after the other, asked in one batch.
    let asked: Vec<(String, &str)> = users
        .iter()
        .flat_map(|row| PERMISSIONS.map(|permission| (row["usr_id"].as_str().expect("an id").to_owned(), permission)))
        .collect();
    let questions: Vec<String> = asked.iter().map(|(user, permission)| format!("can {user} {permission} --org works")).collect();
    let answers = lines_of(&run_with_input(&["--store", &file.store, "--json", "batch", "-"], questions.join("\n").as_bytes()).out);
    assert_eq!(answers.len(), asked.len());
    let mut expected: BTreeMap<(String, String), Value> = BTreeMap::new();
    for ((user, permission), answer) in asked.into_iter().zip(&answers) {
        let why = &answer["result"];
        if why["allowed"] == json!(true) {
            expected.insert((user, permission.to_owned()), why["decided_by"].clone());
        }
    }
    let held = |row: &Value| row["permissions"].as_array().expect("a list").clone();
    let found: BTreeMap<(String, String), Value> = users
        .iter()
        .flat_map(|row| held(row).into_iter().map(|held| (row["usr_id"].clone(), held)))
        .map(|(user, held)| ((text(&user), text(&held["permission"])), held["decided_by"].clone()))
        .collect();
    assert_eq!(found, expected);
    assert_eq!(found.len(), 40 * 2 - 8 + 1);

    let csv = review(&["--format", "csv"]);
    let (first, rows) = csv.out.split_once('\n').expect("a head");
    assert_eq!(first, "usr_id,permission,layer,rows,role,membership_id,inherited_from_org_id,reason");
    let rows: Vec<Vec<&str>> = rows.lines().map(|row| row.split(',').collect()).collect();
    assert!(rows.iter().all(|row| row.len() == 8), "{rows:?}");
    let told: BTreeMap<(String, String), Value> = rows
        .iter()
        .filter(|row| !row[1].is_empty())
        .map(|row| {
            let by: Vec<&str> = row[3].split(' ').collect();
            ((row[0].to_owned(), row[1].to_owned()), json!({"layer": row[2], "rows": by}))
        })
        .collect();
    assert_eq!(told, expected);
    let empty = users.iter().filter(|row| held(row).is_empty()).count();
    assert_eq!(rows.len(), expected.len() + empty, "who may do nothing has a row without a permission");

    let plain = review(&[]);
    let fields: Vec<Vec<&str>> = plain.out.lines().map(|row| row.split('\t').collect()).collect();
    assert_eq!(fields, rows, "a table that is piped has the rows of the CSV form, without a head");
}

#[test]
fn a_review_can_be_of_one_permission_or_one_user() {
    let file = company();
    let review = |args: &[&str]| run(&[&["--store", &file.store, "review", "works"], args].concat());
    let burn = review(&["--permission", "docs.burn"]);
    assert_eq!(burn.out.lines().count(), 1, "{}", burn.out);
    assert!(burn.out.starts_with(&format!("{}\tdocs.burn\tmembership_grant\tmem_", user(7))), "{}", burn.out);
    let clerk = review(&["--user", &user(3)]);
    let permissions: Vec<&str> = clerk.out.lines().filter_map(|row| row.split('\t').nth(1)).collect();
    assert_eq!(permissions, ["docs.read", "docs.write"]);
    assert_eq!(review(&["--user", &user(999)]).out, "");
    assert_eq!(review(&["--permission", "nothing.there", "--format", "csv"]).out.lines().count(), 1, "the head alone");
}

/// A dry run of a move names the members of the new parent whose role reaches down, and only those, a page after the other.
#[test]
fn a_dry_run_of_a_move_says_who_gains_what_and_moves_nothing() {
    let file = company();
    let owner = user(500);
    let mut lines = vec![
        "role create keeper --org works --permission docs.burn --inherited".to_owned(),
        format!("org create --creator {owner} --slug away"),
        format!("org create --creator {owner} --slug farther --parent away"),
    ];
    lines.extend((200..310).map(|number| format!("member add works {} --role keeper", user(number))));
    assert_eq!(run_with_input(&["--store", &file.store, "batch", "-"], lines.join("\n").as_bytes()).code, 0);
    let dry = |args: &[&str]| run(&[&["--store", &file.store], args, &["org", "move", "away", "--to", "works", "--dry-run"]].concat());
    let rows = lines_of(&dry(&["--json"]).out);
    assert_eq!(rows.len(), 110 * 2);
    assert!(rows.iter().all(|row| row["gained"] == json!(["docs.burn"]) && row["lost"] == json!([])), "{rows:?}");
    let people = dry(&[]);
    assert_eq!((people.code, people.err.as_str()), (0, "a dry run: nothing was moved\n"));
    assert_eq!(people.out.lines().count(), rows.len());
    let path = run(&["--store", &file.store, "--json", "org", "path", "farther"]).json();
    assert_eq!(path["data"].as_array().map(Vec::len), Some(2), "{path}");
    let moved = run(&["--store", &file.store, "org", "move", "away", "--to", "works"]);
    assert_eq!(moved.code, 0);
    for row in rows.iter().step_by(17) {
        let (org, usr) = (text(&row["org_id"]), text(&row["usr_id"]));
        assert_eq!(run(&["--store", &file.store, "can", &usr, "docs.burn", "--org", &org]).code, 0);
    }
    let again = dry(&["--json"]);
    assert_eq!((again.code, again.out.as_str()), (0, ""), "it is there already");
    let cycle = run(&["--store", &file.store, "--json", "org", "move", "works", "--to", "farther", "--dry-run"]);
    assert_eq!(cycle.error()["code"], "conflict.cycle");
}

#[test]
fn what_a_review_cannot_do_is_said() {
    let file = company();
    let both = run(&["--store", &file.store, "--json", "review", "works", "--format", "csv"]);
    assert_eq!((both.code, both.out.as_str()), (2, ""));
    assert!(both.err.contains("do not go together"), "{}", both.err);
    let nowhere = run(&["--store", &file.store, "--json", "review", "nowhere"]);
    assert_eq!(nowhere.error()["code"], "not_found");
    let form = run(&["--store", &file.store, "--json", "review", "works", "--permission", "docs"]);
    assert_eq!(form.error()["code"], "invalid_format.permission");
}

fn text(value: &Value) -> String {
    value.as_str().expect("a text").to_owned()
}
