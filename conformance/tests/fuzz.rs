//! The fuzz harnesses, driven by proptest: with any bytes, and with good inputs that were damaged. `cargo xtask fuzz` drives the same
//! ones by libFuzzer.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a test fails by panicking, and says how far it got"
)]

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::{RngAlgorithm, TestError, TestRng, TestRunner};
use serde_json::{Value, json};
use tenantry_conformance::fuzz::{HARNESSES, Harness, seeds};

/// So many cases, or as many as `PROPTEST_CASES` asks for.
fn cases(cases: u32) -> ProptestConfig {
    let default = ProptestConfig { max_shrink_iters: 4096, failure_persistence: None, ..ProptestConfig::default() };
    if std::env::var_os("PROPTEST_CASES").is_some() { default } else { ProptestConfig { cases, ..default } }
}

/// One step from a good input to a bad one.
#[derive(Debug, Clone)]
enum Damage {
    Flip(Index, u8),
    Delete(Index, u8),
    Insert(Index, Vec<u8>),
    Word(Index, Index),
    Repeat(Index, u8),
    /// The tail of another good input in place of the own one.
    Splice(Index, Index, Index),
}

/// Words that mean something somewhere, or that parsers stumble over.
const WORDS: [&str; 30] = [
    "null",
    "true",
    "[]",
    "{}",
    "\"\"",
    "-1",
    "0",
    "1e999",
    "9223372036854775808",
    "\\u0000",
    "\\ud800",
    "\u{0}",
    "\u{feff}",
    "\u{202e}",
    "é",
    "e\u{301}",
    "%",
    "_",
    "\\",
    "\n",
    "_0",
    "usr_",
    "org_",
    "00000000000000000000000000000000",
    "ffffffff-ffff-ffff-ffff-ffffffffffff",
    "revoked",
    "expired",
    "1969-12-31T23:59:59Z",
    "9999-12-31T23:59:59.999999Z",
    "this",
];

fn any_damage() -> impl Strategy<Value = Damage> {
    let at = any::<Index>;
    prop_oneof![
        3 => (at(), 0..8_u8).prop_map(|(at, bit)| Damage::Flip(at, bit)),
        2 => (at(), 1..20_u8).prop_map(|(at, length)| Damage::Delete(at, length)),
        2 => (at(), vec(any::<u8>(), 1..6)).prop_map(|(at, bytes)| Damage::Insert(at, bytes)),
        3 => (at(), at()).prop_map(|(at, word)| Damage::Word(at, word)),
        1 => (at(), 1..200_u8).prop_map(|(at, length)| Damage::Repeat(at, length)),
        1 => (at(), at(), at()).prop_map(|(at, other, from)| Damage::Splice(at, other, from)),
    ]
}

fn damaged(good: &[Vec<u8>], which: Index, damages: &[Damage]) -> Vec<u8> {
    let mut bytes = which.get(good).clone();
    for damage in damages {
        let place = |at: &Index| at.index(bytes.len() + 1);
        match damage {
            Damage::Flip(at, bit) => {
                let at = place(at);
                if let Some(byte) = bytes.get_mut(at) {
                    *byte ^= 1 << bit;
                }
            }
            Damage::Delete(at, length) => {
                let at = place(at);
                bytes.drain(at..bytes.len().min(at + usize::from(*length)));
            }
            Damage::Insert(at, more) => {
                let at = place(at);
                bytes.splice(at..at, more.iter().copied());
            }
            Damage::Word(at, word) => {
                let at = place(at);
                bytes.splice(at..at, word.get(&WORDS).bytes());
            }
            Damage::Repeat(at, length) => {
                let at = place(at);
                let part = bytes[at..bytes.len().min(at + usize::from(*length))].to_vec();
                bytes.splice(at..at, part);
            }
            Damage::Splice(at, other, from) => {
                let other = other.get(good);
                bytes.truncate(place(at));
                bytes.extend(&other[from.index(other.len() + 1)..]);
            }
        }
    }
    bytes
}

/// One step from a good document to another one that is JSON still.
#[derive(Debug, Clone)]
struct Edit {
    line: Index,
    place: Index,
    what: What,
}

#[derive(Debug, Clone)]
enum What {
    /// Another value there.
    Put(Index),
    /// What stands elsewhere.
    Copy(Index, Index),
    Remove,
    /// The whole line once more, at another place.
    Again(Index),
    Drop,
}

fn any_edit() -> impl Strategy<Value = Edit> {
    let at = any::<Index>;
    let what = prop_oneof![
        4 => at().prop_map(What::Put),
        4 => (at(), at()).prop_map(|(line, place)| What::Copy(line, place)),
        2 => Just(What::Remove),
        1 => at().prop_map(What::Again),
        1 => Just(What::Drop),
    ];
    (at(), at(), what).prop_map(|(line, place, what)| Edit { line, place, what })
}

fn values() -> Vec<Value> {
    let mut values = vec![json!(null), json!(true), json!(0), json!(-1), json!(1.5), json!([]), json!({}), json!("")];
    let words = [
        "a",
        "owner",
        "guest",
        "active",
        "suspended",
        "revoked",
        "pending",
        "accepted",
        "declined",
        "expired",
        "acme",
        "viewer",
        "user",
        "organization",
        "tuple",
        "2020-01-01T00:00:00Z",
        "2026-01-01T00:00:00.001Z",
        "9999-12-31T23:59:59.999999Z",
        "doc",
        "org",
        "usr",
        "computed_userset",
        "tuple_to_userset",
        "create_org",
        "decode",
        "usr_01960000000070008000000000000001",
        "org_01960000000070008000000000000001",
        "mem_01960000000070008000000000000003",
    ];
    values.extend(words.map(Value::from));
    values
}

/// Where something stands in a value.
fn pointers(value: &Value, at: &str, found: &mut Vec<String>) {
    found.push(at.to_owned());
    match value {
        Value::Object(fields) => {
            fields.iter().for_each(|(key, value)| pointers(value, &format!("{at}/{}", key.replace('~', "~0").replace('/', "~1")), found));
        }
        Value::Array(items) => items.iter().enumerate().for_each(|(index, value)| pointers(value, &format!("{at}/{index}"), found)),
        _ => {}
    }
}

fn edited(good: &[Vec<u8>], which: Index, edits: &[Edit]) -> Vec<u8> {
    let text = String::from_utf8(which.get(good).clone()).expect("a document");
    let mut lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    for Edit { line, place, what } in edits {
        if lines.is_empty() {
            break;
        }
        let line = line.index(lines.len());
        let somewhere = |value: &Value, place: &Index| {
            let mut found = Vec::new();
            pointers(value, "", &mut found);
            place.get(&found).clone()
        };
        let at = somewhere(&lines[line], place);
        match what {
            What::Put(value) => *lines[line].pointer_mut(&at).expect("it is there") = value.get(&values()).clone(),
            What::Copy(other, from) => {
                let other = other.get(&lines);
                let copy = other.pointer(&somewhere(other, from)).expect("it is there").clone();
                *lines[line].pointer_mut(&at).expect("it is there") = copy;
            }
            What::Remove => {
                let (above, last) = at.rsplit_once('/').unwrap_or_default();
                if let Some(Value::Object(fields)) = lines[line].pointer_mut(above) {
                    fields.remove(last);
                }
            }
            What::Again(to) => {
                let again = lines[line].clone();
                lines.insert(to.index(lines.len() + 1), again);
            }
            What::Drop => drop(lines.remove(line)),
        }
    }
    lines.iter().map(Value::to_string).collect::<Vec<_>>().join("\n").into_bytes()
}

/// Texts that are nearly good ones: with the form of an id, or with the tail of another cursor.
fn near(good: Vec<Vec<u8>>) -> BoxedStrategy<Vec<u8>> {
    let others = good.clone();
    let ids = "(usr|org|mem|inv|tup|aud|rol|doc)_[0-9a-f]{12}[0-9a][0-9a-f]{19}";
    let tails = (any::<Index>(), "[A-Za-z0-9_-]{20,22}").prop_map(move |(which, tail)| {
        let mut bytes = which.get(&good).clone();
        let kept = bytes.len().saturating_sub(tail.len());
        bytes.truncate(kept);
        bytes.extend(tail.bytes());
        bytes
    });
    // The end of a cursor is the end of an id, of which all but the last letter is free.
    let ends = (any::<Index>(), "[A-Za-z0-9_-]{8}").prop_map(move |(which, letters)| {
        let mut bytes = which.get(&others).clone();
        if let Some(start) = bytes.len().checked_sub(letters.len() + 1) {
            bytes.splice(start..start + letters.len(), letters.bytes());
        }
        bytes
    });
    prop_oneof![ids.prop_map(String::into_bytes), tails, ends].boxed()
}

/// Runs a harness on so many inputs; of those made of good ones, so many of a hundred must have been taken, or it gets nowhere.
fn drive(name: &str, inputs: u32, taken: u32) {
    let harness: Harness = HARNESSES.iter().find(|(harness, _)| *harness == name).expect("a harness").1;
    let good = seeds(name);
    assert!(good.len() >= 3, "{name} has too little to begin with");
    let refused: Vec<&Vec<u8>> = good.iter().filter(|seed| !harness(seed)).collect();
    assert!(refused.is_empty(), "{name} refuses {:?}", refused.iter().map(|seed| String::from_utf8_lossy(seed)).collect::<Vec<_>>());
    let is_json = matches!(name, "fixtures" | "imports" | "rules");

    let run = |strategy: BoxedStrategy<Vec<u8>>, cases: ProptestConfig| {
        let (runs, took) = (AtomicU32::new(0), AtomicU32::new(0));
        // The same inputs in each run, so that how many are taken is no matter of luck; the fuzzer looks further.
        let mut runner = TestRunner::new_with_rng(cases, TestRng::deterministic_rng(RngAlgorithm::ChaCha));
        let outcome = runner.run(&strategy, |bytes| {
            runs.fetch_add(1, Ordering::Relaxed);
            took.fetch_add(u32::from(harness(&bytes)), Ordering::Relaxed);
            Ok(())
        });
        match outcome {
            Ok(()) => {}
            Err(TestError::Fail(reason, bytes)) => panic!("{name}: {reason}, of {:?}", String::from_utf8_lossy(&bytes)),
            Err(error) => panic!("{name}: {error}"),
        }
        took.into_inner() * 100 / runs.into_inner().max(1)
    };
    run(vec(any::<u8>(), 0..200).boxed(), cases(inputs));
    run(any::<String>().prop_map(String::into_bytes).boxed(), cases(inputs));
    let damaged_ones = (any::<Index>(), vec(any_damage(), 1..5)).prop_map({
        let good = good.clone();
        move |(which, damages)| damaged(&good, which, &damages)
    });
    let mut best = run(damaged_ones.boxed(), cases(inputs));
    if is_json {
        let edited_ones = (any::<Index>(), vec(any_edit(), 1..4)).prop_map(move |(which, edits)| edited(&good, which, &edits));
        best = best.max(run(edited_ones.boxed(), cases(2 * inputs)));
    } else {
        best = best.max(run(near(good), cases(inputs)));
    }
    println!("{name}: {best} of 100 damaged inputs are taken");
    assert!(best >= taken, "{name} takes {best} of 100 damaged inputs only");
}

#[test]
fn ids_hold_whatever_is_sent() {
    drive("ids", 2_000, 10);
}

#[test]
fn slugs_hold_whatever_is_sent() {
    drive("slugs", 2_000, 30);
}

#[test]
fn cursors_hold_whatever_is_sent() {
    drive("cursors", 400, 3);
}

#[test]
fn fixtures_hold_whatever_is_sent() {
    drive("fixtures", 200, 20);
}

#[test]
fn imports_hold_whatever_is_sent() {
    drive("imports", 400, 5);
}

#[test]
fn rules_hold_whatever_is_sent() {
    drive("rules", 800, 10);
}

/// One target for each harness, and nothing else.
#[test]
fn every_harness_has_a_target_of_libfuzzer() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/fuzz_targets");
    let files = std::fs::read_dir(&folder).expect("the targets").map(|file| file.expect("a file").path());
    let targets: BTreeSet<String> = files
        .map(|file| {
            let name = file.file_stem().and_then(|name| name.to_str()).expect("a name").to_owned();
            let text = std::fs::read_to_string(&file).expect("a text");
            assert!(text.contains(&format!("fuzz::{name}(data)")), "{name} drives another harness");
            name
        })
        .collect();
    assert_eq!(targets, HARNESSES.iter().map(|(name, _)| (*name).to_owned()).collect());
    let manifest = std::fs::read_to_string(folder.join("../Cargo.toml")).expect("the manifest");
    for name in targets {
        assert!(manifest.contains(&format!("path = \"fuzz_targets/{name}.rs\"")), "{name} is no program of fuzz/Cargo.toml");
    }
}
