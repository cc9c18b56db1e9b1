//! `batch`, and with it the promise that all stores answer alike.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::support::{Ran, data, fill_in, run, run_with_input, scene, sqlite_file, tenantry};

const MIXED: &str = include_str!("../data/mixed.batch");

/// The batch, which holds ids, follows from the template, which holds names.
#[test]
fn the_mixed_batch_follows_from_its_template() {
    let filled = fill_in(include_str!("../data/mixed.template"));
    if std::env::var_os("TENANTRY_UPDATE").is_some() {
        std::fs::write(data("mixed.batch"), &filled).expect("written");
    }
    assert!(filled == MIXED, "tests/data/mixed.batch is out of date; run this test once with TENANTRY_UPDATE=1");
}

/// Runs the batch, from a folder with the files that it imports.
fn mixed(store: &str, json: bool) -> Ran {
    let mut command = tenantry();
    let scene = scene();
    command.args(["--store", store, "--deterministic"]).args(json.then_some("--json")).args(["batch", "mixed.batch"]);
    command.current_dir(scene.path()).output().expect("it starts").into()
}

#[test]
fn the_mixed_batch_covers_every_command_and_many_errors() {
    let ran = mixed("memory:", true);
    assert_eq!(ran.code, 1, "{}", ran.err);
    let answers: Vec<Value> = ran.out.lines().map(|line| serde_json::from_str(line).expect("a document in each line")).collect();
    let commands: Vec<&str> = MIXED.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).collect();
    assert_eq!((answers.len(), commands.len()), (493, 493));
    let codes: BTreeSet<&str> = answers.iter().filter_map(|answer| answer["error"]["code"].as_str()).collect();
    insta::assert_snapshot!(codes.into_iter().collect::<Vec<_>>().join("\n"));

    let done = answers.iter().filter(|answer| answer.get("result").is_some());
    let done: BTreeSet<u64> = done.filter_map(|answer| answer["line"].as_u64()).collect();
    let succeeds =
        |command: &str| (1..).zip(MIXED.lines()).any(|(number, line)| done.contains(&number) && without_options(line).starts_with(command));
    for command in crate::help::data_commands() {
        assert!(succeeds(&command), "no line of the batch succeeds with `{command}`");
    }
}

/// A line without what it says of who acts and why, which stands in front of it.
fn without_options(line: &str) -> &str {
    let option = |line: &str| ["--actor ", "--as ", "--vouch ", "--request-id "].iter().any(|name| line.starts_with(name));
    let mut line = line;
    while option(line) {
        line = line.splitn(3, ' ').nth(2).unwrap_or_default();
    }
    line
}

#[test]
fn memory_and_sqlite_answer_alike() {
    let file = sqlite_file();
    let (memory, sqlite) = (mixed("memory:", true), mixed(&file.store, true));
    assert_same(&memory, &sqlite);
    let other = sqlite_file();
    let (memory, sqlite) = (mixed("memory:", false), mixed(&other.store, false));
    assert_same(&memory, &sqlite);
    assert_eq!(memory.err, sqlite.err);
}

#[test]
fn memory_and_postgres_answer_alike() {
    let Ok(url) = std::env::var("TENANTRY_TEST_POSTGRES_URL") else {
        panic!("TENANTRY_TEST_POSTGRES_URL is not set: run `cargo xtask test`, which starts a Postgres for the tests");
    };
    // A schema for this run alone: the name of a folder made for it is not taken.
    let folder = tempfile::tempdir().expect("a folder");
    let unique = folder.path().file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let suffix = unique.bytes().fold(0_u64, |number, byte| number.wrapping_mul(131).wrapping_add(byte.into()));
    let store = format!("{url}{}tenantry_schema=cli_{suffix}", if url.contains('?') { '&' } else { '?' });
    assert_same(&mixed("memory:", true), &mixed(&store, true));

    let status = run(&["--store", &store, "--json", "migrate", "status"]);
    assert_eq!((status.code, &status.json()["pending"]), (0, &serde_json::json!([])), "{status:?}");
    let quickstart = run(&["--store", &store, "--json", "quickstart"]);
    assert_eq!(quickstart.json()["imported"]["users"], 40, "{quickstart:?}");
    let again = run(&["--store", &store, "--json", "quickstart"]);
    assert_eq!(again.json()["imported"], Value::Null, "{again:?}");
}

fn assert_same(expected: &Ran, found: &Ran) {
    assert_eq!((expected.code, found.code), (1, 1), "{}", found.err);
    for (expected, found) in expected.out.lines().zip(found.out.lines()) {
        assert_eq!(expected, found);
    }
    assert!(expected.out == found.out, "one of the two says more");
}

#[test]
fn a_line_that_fails_ends_the_batch_only_on_request() {
    let lines = b"user show usr_0196f3c21b7a7c3d9e4f5a6b7c8d9e0f\n# a remark\n\nuser create --name A\n";
    let on = run_with_input(&["--store", "memory:", "--json", "batch", "-"], lines);
    assert_eq!((on.code, on.out.lines().count(), on.err.as_str()), (1, 2, ""));
    let off = run_with_input(&["--store", "memory:", "--json", "batch", "-", "--stop-on-error"], lines);
    assert_eq!((off.code, off.out.lines().count()), (1, 1));
    let plain = run_with_input(&["--store", "memory:", "batch", "-"], lines);
    assert_eq!(plain.err, "error: line 1: no such user\nerror: 1 of 2 lines failed\n");
}

#[test]
fn a_batch_without_failures_succeeds() {
    let ran = run_with_input(&["--store", "memory:", "--json", "batch", "-"], b"user create\r\norg list");
    assert_eq!((ran.code, ran.out.lines().count(), ran.err.as_str()), (0, 2, ""));
    let empty = run_with_input(&["--store", "memory:", "batch", "-"], b"");
    assert_eq!((empty.code, empty.out.as_str()), (0, ""));
}

#[test]
fn a_batch_from_the_standard_input_imports_only_files() {
    let ran = run_with_input(&["--store", "memory:", "batch", "-"], b"import -\n");
    assert!(ran.code == 1 && ran.err.contains("line 1: the standard input holds the lines of the batch"), "{ran:?}");
}

#[test]
fn a_check_that_denies_is_an_answer_and_no_failure() {
    let check = "check usr_0196f3c21b7a7c3d9e4f5a6b7c8d9e0f viewer doc:0196f3c2-1b7a-7c3d-9e4f-5a6b7c8d9e1f";
    let lines = format!("{check}\n{check}\n");
    let ran = run_with_input(&["--store", "memory:", "batch", "-", "--stop-on-error"], lines.as_bytes());
    assert_eq!((ran.code, ran.out.as_str(), ran.err.as_str()), (0, "denied\ndenied\n", ""));
}

#[test]
fn a_batch_of_a_guarded_user_stays_with_that_user() {
    let (mine, yours) = ("usr_0196f3c21b7a7c3d9e4f5a6b7c8d9e01", "usr_0196f3c21b7a7c3d9e4f5a6b7c8d9e02");
    let lines = format!(
        "org create --creator {mine} --slug a\n--as {yours} org show a\n--actor {yours} org show a\n--reason B org update a --name A\n\
         --vouch y invite list --for y\ninvite list --for y\ninvite list --for x\norg list\nchanges a\n"
    );
    let args = ["--store", "memory:", "--json", "--as", mine, "--vouch", "x", "--request-id", "r", "--reason", "A", "batch", "-"];
    let ran = run_with_input(&args, lines.as_bytes());
    let answers: Vec<Value> = ran.out.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let codes: Vec<&str> = answers.iter().map(|answer| answer["error"]["code"].as_str().unwrap_or_default()).collect();
    assert_eq!(codes, ["", "forbidden", "forbidden", "", "forbidden", "forbidden", "", "forbidden", ""]);
    let said = |event: &Value| (event["actor"]["id"].clone(), event["request_id"].clone(), event["reason"].clone());
    let events: Vec<_> = answers[8]["result"]["data"].as_array().expect("a list").iter().map(said).collect();
    let with = |reason: &str| (Value::from(mine), Value::from("r"), Value::from(reason));
    assert_eq!(events, [with("A"), with("A"), with("B")]);
}

#[test]
fn the_actor_of_a_line_goes_before_that_of_the_batch() {
    let (mine, yours) = ("usr_0196f3c21b7a7c3d9e4f5a6b7c8d9e01", "usr_0196f3c21b7a7c3d9e4f5a6b7c8d9e02");
    let lines = format!("org create --creator {mine} --slug a\n--actor {yours} org update a --name A\nchanges a\n");
    let ran = run_with_input(&["--store", "memory:", "--json", "--actor", mine, "batch", "-"], lines.as_bytes());
    let last: Value = serde_json::from_str(ran.out.lines().last().unwrap_or_default()).expect("JSON");
    let actors: Vec<&str> =
        last["result"]["data"].as_array().expect("a list").iter().filter_map(|event| event["actor"]["id"].as_str()).collect();
    assert_eq!(actors, [mine, mine, yours]);
}
