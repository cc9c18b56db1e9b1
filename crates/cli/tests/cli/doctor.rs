//! `doctor`: what it says of a store that is well, and of one to which something else wrote.

use crate::support::{Ran, SqliteFile, data, run, run_with_input, sqlite_file};

/// A file with the sample company, whose ids are the same in every run.
fn company() -> SqliteFile {
    let file = sqlite_file();
    let sample = data("../../../../examples/acme.jsonl").display().to_string();
    assert_eq!(run(&["--store", &file.store, "--deterministic", "import", &sample]).code, 0);
    file
}

/// Writes to the file past the library.
fn damage(file: &SqliteFile, sql: &str) {
    let connection = rusqlite::Connection::open(file.folder.path().join("test.db")).expect("it opens");
    connection.execute_batch(&format!("PRAGMA foreign_keys = OFF; PRAGMA ignore_check_constraints = ON; {sql}")).expect("it is damaged");
}

fn doctor(file: &SqliteFile, options: &[&str]) -> Ran {
    run(&[&["--store", &file.store, "--deterministic", "doctor"], options].concat())
}

#[test]
fn a_store_that_is_well_is_told_with_what_was_looked_at() {
    let file = company();
    let people = doctor(&file, &[]);
    let counts = "findings\t0\nusers\t40\norganizations\t3\nmemberships\t49\ninvitations\t2\ntuples\t2\nevents\t4\n";
    assert_eq!((people.code, people.out.as_str(), people.err.as_str()), (0, counts, ""));
    let json = doctor(&file, &["--json"]);
    let report = json.json();
    assert_eq!((json.code, &report["healthy"], &report["findings"]), (0, &true.into(), &serde_json::json!([])));
    assert_eq!(report["examined"]["events"], 4, "{report}");
    let empty = run(&["--store", "memory:", "--json", "doctor"]);
    assert_eq!((empty.code, empty.json()["healthy"].clone()), (0, true.into()));
}

const DAMAGE: &str = "
    DELETE FROM tenantry_organization_slug WHERE slug = 'acme';
    UPDATE tenantry_organization SET ancestors = x'' WHERE parent_id IS NOT NULL;
    UPDATE tenantry_organization SET revision = revision + 1 WHERE slug = 'acme';
";

#[test]
fn what_is_wrong_is_listed_for_people() {
    let file = company();
    damage(&file, DAMAGE);
    let ran = doctor(&file, &[]);
    assert_eq!(ran.code, 1, "{ran:?}");
    insta::assert_snapshot!(format!("{}--- standard error\n{}", ran.out, ran.err));
}

#[test]
fn what_is_wrong_is_listed_for_programs() {
    let file = company();
    damage(&file, DAMAGE);
    let ran = doctor(&file, &["--json"]);
    assert_eq!((ran.code, ran.err.as_str()), (1, ""));
    insta::assert_snapshot!(serde_json::to_string_pretty(&ran.json()).expect("JSON"));
}

#[test]
fn what_follows_from_other_rows_is_mended_on_request() {
    let file = company();
    let export = || run(&["--store", &file.store, "--deterministic", "export"]).out;
    let before = export();
    damage(&file, DAMAGE);
    // A revision that is too high tells of lost events, which nothing brings back.
    let ran = doctor(&file, &["--repair"]);
    assert_eq!(ran.code, 1, "{ran:?}");
    insta::assert_snapshot!(format!("{}--- standard error\n{}", ran.out, ran.err));
    assert_eq!(export(), before);

    damage(&file, "UPDATE tenantry_organization SET revision = 1 WHERE slug = 'acme'");
    let ran = doctor(&file, &["--repair", "--json"]);
    assert_eq!((ran.code, &ran.json()["healthy"], &ran.json()["repaired"]), (0, &true.into(), &serde_json::json!([])), "{ran:?}");
    // One that is too low follows from the events.
    damage(&file, "UPDATE tenantry_organization SET revision = 0 WHERE slug = 'acme'");
    let ran = doctor(&file, &["--repair", "--json"]);
    assert_eq!((ran.code, &ran.json()["repaired"][0]["code"]), (0, &"doctor.revision".into()), "{ran:?}");
    assert_eq!(doctor(&file, &[]).code, 0);
}

#[test]
fn a_row_that_cannot_be_read_is_a_finding_too() {
    for (sql, table) in [
        ("UPDATE tenantry_membership SET status = 'here' WHERE id = (SELECT max(id) FROM tenantry_membership)", "membership"),
        ("UPDATE tenantry_organization SET metadata = '[' WHERE parent_id IS NULL", "organization"),
    ] {
        let file = company();
        damage(&file, sql);
        let ran = doctor(&file, &["--json"]);
        let finding = ran.json()["findings"][0].clone();
        assert_eq!((ran.code, &finding["code"], &finding["table"]), (1, &"doctor.unreadable".into(), &table.into()), "{ran:?}");
        assert!(finding["ids"][0].as_str().is_some_and(|id| id.contains('_')), "{finding}");
    }
}

#[test]
fn a_store_that_cannot_be_reached_is_no_finding() {
    let ran = run(&["--store", "sqlite:/no/such/folder/x.db", "--json", "doctor"]);
    assert_eq!((ran.code, ran.error()["code"].clone(), ran.out.as_str()), (4, "backend.unavailable".into(), ""), "{ran:?}");
}

#[test]
fn in_a_batch_findings_are_an_answer_and_guarded_users_get_none() {
    let file = company();
    damage(&file, DAMAGE);
    let input = b"doctor\n--as usr_0196f3c21b7a7c3d9e4f5a6b7c8d9e0f doctor --repair\n";
    let ran = run_with_input(&["--store", &file.store, "--json", "batch", "-"], input);
    let lines: Vec<serde_json::Value> = ran.out.lines().map(|line| serde_json::from_str(line).expect("a document")).collect();
    assert_eq!((ran.code, &lines[0]["result"]["healthy"], &lines[1]["error"]["code"]), (1, &false.into(), &"forbidden".into()));
}
