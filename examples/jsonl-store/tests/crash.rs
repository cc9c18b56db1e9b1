//! What a crash leaves behind, and who else may have the file.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use jsonl_store::{JsonlStore, open, read};
use tempfile::TempDir;
use tenantry_conformance::testing::World;
use tenantry_core::{CreateUser, Dump, Event, Inspect, ListAllChanges, OrgId, Page, TenancyStore};

/// A file with a row of every kind and status, and after it one user more, in the last line.
struct Written {
    path: PathBuf,
    bytes: Vec<u8>,
    /// Where the last line begins.
    last: usize,
    /// Without that line.
    before: Dump,
    /// With it.
    after: Dump,
    /// Every event, in the order of the commits.
    feed: Page<Event>,
    _folder: TempDir,
}

async fn written() -> Written {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.jsonl");
    let store = open(&path).unwrap();
    World::build(&store).await.unwrap();
    let before = store.dump().await.unwrap();
    let last = fs::read(&path).unwrap().len();
    add_user(&store).await;
    let after = store.dump().await.unwrap();
    let feed = store.changes_all(ListAllChanges::new().limit(200)).await.unwrap();
    assert!(feed.next_cursor.is_none() && !feed.data.is_empty());
    let bytes = fs::read(&path).unwrap();
    Written { path, bytes, last, before, after, feed, _folder: folder }
}

async fn add_user(store: &JsonlStore) {
    store.create_user(CreateUser::new().display_name("last")).await.unwrap();
}

/// Some places in the last line, with its ends among them.
fn places(last: usize, end: usize) -> impl Iterator<Item = usize> {
    (last..end - 4).step_by(11).chain(end - 4..end)
}

async fn reopened(path: &Path) -> Dump {
    open(path).unwrap().dump().await.unwrap()
}

#[tokio::test]
async fn a_file_that_is_opened_again_has_the_same_rows() {
    let Written { path, bytes, feed, after, _folder, .. } = written().await;
    let store = open(&path).unwrap();
    assert_eq!(store.dump().await.unwrap(), after);
    assert_eq!(store.changes_all(ListAllChanges::new().limit(200)).await.unwrap(), feed, "in the order of the commits");
    assert_eq!(fs::read(&path).unwrap(), bytes, "opening writes nothing");
}

#[tokio::test]
async fn a_torn_last_line_is_no_commit() {
    let Written { path, bytes, last, before, after, _folder, .. } = written().await;
    for end in places(last, bytes.len()) {
        fs::write(&path, &bytes[..end]).unwrap();
        assert_eq!(read(&path).unwrap(), before, "cut at {end}");
        assert_eq!(fs::read(&path).unwrap().len(), end, "looking changes nothing");
        let store = open(&path).unwrap();
        assert_eq!(store.dump().await.unwrap(), before, "cut at {end}");
        assert_eq!(fs::read(&path).unwrap().len(), last, "the torn line is gone");
        // What comes next stands in a line of its own.
        add_user(&store).await;
        drop(store);
        assert_eq!(reopened(&path).await.users.len(), after.users.len(), "cut at {end}");
    }
}

#[tokio::test]
async fn a_last_line_with_a_hole_is_no_commit() {
    let Written { path, bytes, last, before, _folder, .. } = written().await;
    for hole in places(last, bytes.len()) {
        let mut torn = bytes.clone();
        torn[hole] = 0;
        fs::write(&path, torn).unwrap();
        assert_eq!(reopened(&path).await, before, "hole at {hole}");
    }
}

#[tokio::test]
async fn a_damaged_line_before_the_last_is_told_and_nothing_is_cut() {
    let Written { path, bytes, last, _folder, .. } = written().await;
    let middle = last / 2;
    for wrong in [0, b'x', b'\n'] {
        let mut damaged = bytes.clone();
        damaged[middle] = wrong;
        fs::write(&path, &damaged).unwrap();
        assert_eq!(open(&path).unwrap_err().code(), "backend.inconsistent", "{wrong}");
        assert_eq!(fs::read(&path).unwrap(), damaged, "{wrong}");
    }
}

#[tokio::test]
async fn a_line_that_is_missing_or_stands_there_twice_is_told() {
    let Written { path, bytes, _folder, .. } = written().await;
    let lines: Vec<&[u8]> = bytes.split_inclusive(|byte| *byte == b'\n').collect();
    // The first makes a user without whom all goes well; the one with an organization is leant upon.
    let org = lines.iter().position(|line| line.windows(10).any(|part| part == b"insert_org")).unwrap();
    let missing: Vec<&[u8]> = lines[..org].iter().chain(&lines[org + 1..]).copied().collect();
    let twice: Vec<&[u8]> = lines[..=org].iter().chain(&lines[org..]).copied().collect();
    for wrong in [missing, twice] {
        fs::write(&path, wrong.concat()).unwrap();
        assert_eq!(open(&path).unwrap_err().code(), "backend.inconsistent");
    }
}

#[test]
fn a_file_of_another_kind_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("notes.txt");
    for text in ["remember the milk", "{\"jsonl_store\":2}\n", "{\"jsonl_store\":1} \n", "\n"] {
        fs::write(&path, text).unwrap();
        assert_eq!(open(&path).unwrap_err().code(), "backend.schema", "{text:?}");
        assert_eq!(fs::read_to_string(&path).unwrap(), text);
    }
    // The power went while the file was made.
    for text in ["", "{\"json", "{\"jsonl_store\":1}"] {
        fs::write(&path, text).unwrap();
        drop(open(&path).unwrap());
        assert_eq!(fs::read_to_string(&path).unwrap(), "{\"jsonl_store\":1}\n");
    }
    let inner = folder.path().join("folder");
    fs::create_dir(&inner).unwrap();
    assert_eq!(open(inner).unwrap_err().code(), "backend.unavailable", "a folder is no file");
    assert_eq!(open(folder.path().join("no/such/folder")).unwrap_err().code(), "backend.unavailable");
}

#[test]
fn a_file_has_one_store_at_a_time() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.jsonl");
    let store = open(&path).unwrap();
    let clone = store.clone();
    drop(store);
    let refused = open(&path).unwrap_err();
    assert_eq!(refused.code(), "backend.unavailable");
    assert!(refused.to_string().contains("is open already"), "{refused}");
    drop(clone);
    drop(open(&path).unwrap());
}

#[tokio::test]
async fn a_process_that_is_killed_has_kept_what_it_answered_and_leaves_no_lock() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.jsonl");
    let fill = || {
        let mut command = Command::new(env!("CARGO_BIN_EXE_jsonl-store"));
        command.arg("fill").arg(&path).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    };
    let mut answered: Vec<OrgId> = Vec::new();
    for round in 1..=5 {
        let mut filling = fill().spawn().unwrap();
        let mut lines = BufReader::new(filling.stdout.take().unwrap()).lines();
        answered.extend(lines.by_ref().take(20 + round).map(|line| line.unwrap().parse::<OrgId>().unwrap()));

        // As long as it runs, nobody else gets the file: not this process, and not a third one.
        assert_eq!(open(&path).unwrap_err().code(), "backend.unavailable");
        let third = fill().output().unwrap();
        assert!(!third.status.success() && third.stdout.is_empty(), "{third:?}");
        assert!(String::from_utf8_lossy(&third.stderr).contains("is open already"), "{third:?}");
        assert!(!read(&path).unwrap().organizations.is_empty(), "looking is always allowed");

        filling.kill().unwrap();
        filling.wait().unwrap();
        answered.extend(lines.map_while(Result::ok).filter_map(|line| line.parse::<OrgId>().ok()));
        let kept = reopened(&path).await.organizations;
        for org in &answered {
            assert!(kept.iter().any(|row| row.id == *org), "round {round}: {org} was answered and is not there");
        }
        // The command that was under way may be there too.
        assert!(kept.len() - answered.len() <= round, "{} were answered, {} are there", answered.len(), kept.len());
    }
}
