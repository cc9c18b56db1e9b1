//! Opening: what is created, what is refused, and that every refusal says what to do.

#![allow(clippy::unwrap_used, reason = "a test may end so")]

mod support;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::time::Duration;

use rusqlite::Connection;
use tenantry_core::migration::{self, Migration};
use tenantry_core::{
    BackendError, CreateOrg, CreateUser, Event, EventId, Id, Inspect, ListAllChanges, ListChanges, OrgId, Page, Role, Sources, TenancyStore,
};
use tenantry_sqlite::{Options, SqliteStore, open, status};

fn options() -> Options {
    Options::new().busy_timeout(Duration::from_millis(50))
}

#[track_caller]
fn refused(opened: Result<SqliteStore, BackendError>, code: &str, parts: &[&str]) {
    let error = opened.unwrap_err();
    let text = error.to_string();
    assert_eq!(error.code(), code, "{text}");
    for part in parts {
        assert!(text.contains(part), "{part}: {text}");
    }
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[tokio::test]
async fn a_new_file_is_made_and_is_alone_when_the_store_is_gone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.db");
    let store = open(&path).unwrap();
    let made = store.create_user(CreateUser::new()).await.unwrap().user;
    let other = store.clone();
    drop(store);
    other.create_user(CreateUser::new()).await.unwrap();
    drop(other);
    assert_eq!(names(folder.path()), ["a.db"], "the log is part of the file again");

    let raw = Connection::open(&path).unwrap();
    let pragma = |name| raw.pragma_query_value(None, name, |row| row.get::<_, i64>(0)).unwrap();
    assert_eq!(pragma("application_id"), 0x546e_7479);
    let applied: String = raw
        .query_row("SELECT group_concat(version || ' ' || name, ', ' ORDER BY version) FROM tenantry_schema_migrations", [], |row| {
            row.get(0)
        })
        .unwrap();
    assert_eq!(applied, "1 foundation, 2 offers, 3 apply, 4 permissions");
    drop(raw);
    let store = open(&path).unwrap();
    assert_eq!(store.get_user(made.id).await.unwrap(), made);
}

#[test]
fn the_moment_of_a_migration_comes_from_the_injected_clock() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.db");
    drop(Options::new().sources(support::sources(1).0).open(&path).unwrap());
    let raw = Connection::open(&path).unwrap();
    let at = |edge: &str| -> i64 {
        raw.query_row(&format!("SELECT {edge}(applied_at) FROM tenantry_schema_migrations"), [], |row| row.get(0)).unwrap()
    };
    assert_eq!((at("min"), at("max")), (1_767_225_600_000_000, 1_767_225_600_000_000));
}

#[test]
fn names_that_sqlite_gives_a_meaning_are_files_like_others() {
    let folder = tempfile::tempdir().unwrap();
    for name in [":memory:", "file:b?mode=memory", "with space %20 #1 ?x=1.db"] {
        let path = folder.path().join(name);
        drop(open(&path).unwrap());
        assert!(path.is_file(), "{name}");
    }
}

#[test]
fn a_folder_is_no_file() {
    let folder = tempfile::tempdir().unwrap();
    refused(open(folder.path()), "backend.unavailable", &["it is a folder: name a file in it", folder.path().to_str().unwrap()]);
    refused(open(""), "backend.unavailable", &[]);
}

#[test]
fn the_folder_must_be_there() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("none");
    refused(open(missing.join("a.db")), "backend.unavailable", &["no such folder: create it first", missing.to_str().unwrap()]);
    assert!(names(folder.path()).is_empty());
    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    refused(open(file.join("a.db")), "backend.unavailable", &["it is a file", file.to_str().unwrap()]);
    refused(open(file.join("a/b.db")), "backend.unavailable", &["cannot be looked into"]);
}

#[test]
fn a_file_of_another_kind_is_left_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("notes.txt");
    let text = "not a database, but long enough to be looked at as one\n".repeat(100);
    fs::write(&path, &text).unwrap();
    refused(open(&path), "backend.schema", &["not an SQLite database", path.to_str().unwrap()]);
    assert_eq!(status(&path).unwrap_err().code(), "backend.schema");
    assert_eq!(fs::read_to_string(&path).unwrap(), text);
}

#[test]
fn a_damaged_file_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.db");
    drop(open(&path).unwrap());
    let mut bytes = fs::read(&path).unwrap();
    // The page that says which tables there are, behind its header.
    bytes[100..4096].fill(0x5a);
    fs::write(&path, bytes).unwrap();
    refused(open(&path), "backend.schema", &["the file is damaged: restore a backup"]);
}

#[tokio::test]
async fn an_application_s_file_is_taken_only_on_request() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("app.db");
    let app = Connection::open(&path).unwrap();
    app.execute_batch("CREATE TABLE customer (id INTEGER PRIMARY KEY); INSERT INTO customer VALUES (7);").unwrap();
    let before = fs::read(&path).unwrap();
    refused(open(&path), "backend.schema", &["another application", "share_with_application(true)", "app.db"]);
    assert_eq!(fs::read(&path).unwrap(), before, "a refusal changes nothing");
    assert_eq!(status(&path).unwrap().found, 0);

    let store = Options::new().share_with_application(true).open(&path).unwrap();
    let usr = store.create_user(CreateUser::new()).await.unwrap().user.id;
    store.create_org(CreateOrg::new(usr)).await.unwrap();
    app.execute("INSERT INTO customer VALUES (8)", []).unwrap();
    let own: i64 = app.query_row("SELECT count(*) FROM customer", [], |row| row.get(0)).unwrap();
    let id: i64 = app.pragma_query_value(None, "application_id", |row| row.get(0)).unwrap();
    assert_eq!((own, id), (2, 0), "the file stays the application's");
    drop(store);
    // With our tables in it, it is no file named by mistake.
    assert_eq!(open(&path).unwrap().dump().await.unwrap().users.len(), 1);
}

#[test]
fn a_newer_schema_and_a_changed_one_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.db");
    drop(open(&path).unwrap());
    let raw = Connection::open(&path).unwrap();
    raw.execute("INSERT INTO tenantry_schema_migrations VALUES (999, 'later', 'x', 0)", []).unwrap();
    refused(open(&path), "backend.schema", &["schema version 999", "newer version of the program"]);
    assert_eq!(status(&path).unwrap_err().code(), "backend.schema");
    raw.execute_batch("DELETE FROM tenantry_schema_migrations WHERE version = 999; UPDATE tenantry_schema_migrations SET checksum = '0'")
        .unwrap();
    refused(open(&path), "backend.schema", &["`foundation`"]);
}

#[test]
fn a_file_that_another_process_has_locked_is_worth_another_try() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.db");
    drop(open(&path).unwrap());
    let raw = Connection::open(&path).unwrap();
    raw.execute_batch("PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE; PRAGMA user_version = 1").unwrap();
    refused(options().open(&path), "backend.retryable", &["another process holds a lock", "a.db"]);
    drop(raw);
    options().open(&path).unwrap();

    // A file that is still empty, while somebody else is about to make it.
    let path = folder.path().join("b.db");
    let raw = Connection::open(&path).unwrap();
    raw.execute_batch("BEGIN EXCLUSIVE; CREATE TABLE tenantry_schema_migrations (version)").unwrap();
    refused(options().open(&path), "backend.retryable", &["another process holds a lock", "b.db"]);
}

#[test]
fn a_log_that_cannot_be_written_is_told_with_the_files_to_look_at() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.db");
    // Closed when it is dropped: the threads of the other kind of store take a moment, and have the log until then.
    drop(Options::new().open_blocking(&path).unwrap());
    fs::create_dir(folder.path().join("a.db-wal")).unwrap();
    refused(open(&path), "backend.unavailable", &["cannot be opened", "`-wal`", path.to_str().unwrap()]);
}

/// The administrator may write everything, so a process without that right does the opening: this test's own program as the user
/// `nobody` where the test runs as administrator, and as the same user elsewhere.
#[test]
fn a_file_and_a_folder_that_cannot_be_written() {
    const THIS: &str = "a_file_and_a_folder_that_cannot_be_written";
    if let Some(path) = support::told() {
        let remedy = "give this process the right to write the file and its folder";
        let [file, new, closed] = path.split('|').collect::<Vec<_>>().try_into().unwrap();
        refused(open(file), "backend.unavailable", &["it cannot be written", remedy, file]);
        assert!(status(file).unwrap().pending.is_empty(), "looking is allowed");
        refused(open(new), "backend.unavailable", &["must be able to write the file, its folder", new]);
        assert_eq!(status(new).unwrap().found, 0);
        refused(open(closed), "backend.unavailable", &["it cannot be written", remedy, closed]);
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let may = |path: &Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    let (program, path) = (folder.path().join("program"), folder.path().join("data/a.db"));
    fs::copy(std::env::current_exe().unwrap(), &program).unwrap();
    fs::create_dir(path.parent().unwrap()).unwrap();
    drop(open(&path).unwrap());
    let closed = folder.path().join("closed");
    fs::create_dir(&closed).unwrap();
    fs::copy(&path, closed.join("a.db")).unwrap();
    may(folder.path(), 0o755);
    may(&program, 0o755);
    may(path.parent().unwrap(), 0o777);
    may(&path, 0o444);
    may(&closed, 0o555);

    let administrator = fs::write(closed.join("probe"), "").is_ok();
    let task = [&path, &closed.join("b.db"), &closed.join("a.db")].map(|path| path.to_str().unwrap()).join("|");
    let mut child = support::child(&program, THIS, &task);
    if administrator {
        child.uid(65_534).gid(65_534);
    }
    support::succeeded(&child.output().unwrap());
}

#[test]
fn looking_changes_nothing_and_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.db");
    let looked = status(&path).unwrap();
    assert_eq!((looked.found, looked.wanted, looked.pending.len()), (0, 4, 4));
    assert!(names(folder.path()).is_empty(), "a file that is not there is not made");
    assert_eq!(status(folder.path()).unwrap_err().code(), "backend.unavailable");

    drop(open(&path).unwrap());
    let before = fs::read(&path).unwrap();
    let looked = status(&path).unwrap();
    assert_eq!((looked.found, looked.wanted, looked.pending.len()), (4, 4, 0));
    assert_eq!(fs::read(&path).unwrap(), before);
    assert_eq!(names(folder.path()), ["a.db"]);
    fs::write(folder.path().join("empty.db"), "").unwrap();
    assert_eq!(status(folder.path().join("empty.db")).unwrap().found, 0);
    assert_eq!(fs::read(folder.path().join("empty.db")).unwrap(), b"");
}

#[test]
fn processes_and_threads_that_make_the_file_at_once_all_succeed() {
    const THIS: &str = "processes_and_threads_that_make_the_file_at_once_all_succeed";
    if let Some(path) = support::told() {
        open(path).unwrap();
        return;
    }
    for _ in 0..5 {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.db");
        let program = std::env::current_exe().unwrap();
        let start = || support::child(&program, THIS, path.to_str().unwrap()).stdout(std::process::Stdio::piped()).spawn().unwrap();
        let children = [start(), start(), start()];
        std::thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| open(&path).unwrap());
            }
        });
        for child in children {
            support::succeeded(&child.wait_with_output().unwrap());
        }
        let raw = Connection::open(&path).unwrap();
        let applied: i64 = raw.query_row("SELECT count(*) FROM tenantry_schema_migrations", [], |row| row.get(0)).unwrap();
        assert_eq!(applied, 4);
    }
}

/// A file as version 1 left it: one user, two organizations, one of them below the other, and their events, whose ids do not rise
/// with the revisions.
fn old(path: &Path) -> Connection {
    const FOUNDATION: &str = include_str!("../migrations/0001_foundation.sql");
    let owner = Role::Owner.id().as_uuid().simple().to_string();
    let raw = Connection::open(path).unwrap();
    let rendered = migration::render(FOUNDATION, "tenantry_").replace("{owner}", &format!("X'{owner}'"));
    raw.execute_batch(&rendered).unwrap();
    let made = Migration { version: 1, name: "foundation", sql: FOUNDATION };
    raw.execute("INSERT INTO tenantry_schema_migrations VALUES (1, 'foundation', ?1, 0)", [made.checksum()]).unwrap();
    let mut rows = String::from(
        "INSERT INTO tenantry_user_account VALUES ($01, 'active', 'Ada', 1, 0, 0);
         INSERT INTO tenantry_organization VALUES ($0a, NULL, X'', 'active', 'Acme', 'acme', 'acme', 1, 1, 3, 0, 0);
         INSERT INTO tenantry_organization VALUES ($0b, $0a, $0a, 'active', NULL, NULL, NULL, 1, 1, 2, 0, 0);
         INSERT INTO tenantry_organization_slug VALUES ('acme', $0a);
         INSERT INTO tenantry_membership VALUES ($0a, $1a, $01, OWNER, 'active', NULL, NULL, NULL, NULL, 0, 0);
         INSERT INTO tenantry_membership VALUES ($0b, $1b, $01, OWNER, 'active', NULL, NULL, NULL, NULL, 0, 0);",
    );
    let event = |(org, revision, id): (&str, u32, &str)| {
        let told = "'membership.added', 'system', NULL, 0, '[]', DATA";
        format!("INSERT INTO tenantry_event VALUES (${org}, {revision}, ${id}, {told});")
    };
    rows.extend([("0a", 1, "23"), ("0a", 2, "21"), ("0a", 3, "26"), ("0b", 1, "24"), ("0b", 2, "22")].map(event));
    let store_event = |id| format!("INSERT INTO tenantry_store_event VALUES (${id}, 'user.created', 'system', NULL, 0, '[]', DATA);");
    rows.extend(["20", "25", "27"].map(store_event));
    let mut parts = rows.split('$');
    let first = parts.next().unwrap().to_owned();
    let rows = parts.fold(first, |text, part| {
        let (byte, rest) = part.split_at(2);
        format!("{text}X'0196f3c21b7a7c3d9e4f5a6b7c8d9e{byte}'{rest}")
    });
    let rows = rows.replace("OWNER", &format!("X'{owner}'")).replace("DATA", r#"'{"before":{},"after":{}}'"#);
    raw.execute_batch(&rows).unwrap();
    raw
}

#[tokio::test]
async fn a_file_of_version_1_is_brought_up_to_date_with_its_rows() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.db");
    let raw = old(&path);
    assert_eq!((status(&path).unwrap().found, status(&path).unwrap().pending.len()), (1, 3));
    let store = open(&path).unwrap();
    assert!(status(&path).unwrap().pending.is_empty());

    let feed = |page: Page<Event>| -> Vec<String> { page.data.iter().map(|event| event.id.to_string().split_off(34)).collect() };
    let changes = store.changes_all(ListAllChanges::new()).await.unwrap();
    // In the order of the ids, and those of one organization in the order of their revisions.
    assert_eq!(feed(changes), ["20", "23", "21", "24", "22", "25", "26", "27"]);
    let org: OrgId = "org_0196f3c21b7a7c3d9e4f5a6b7c8d9e0a".parse().unwrap();
    assert_eq!(feed(store.changes(ListChanges::new(org)).await.unwrap()), ["23", "21", "26"]);
    let rows = store.dump().await.unwrap();
    assert_eq!((rows.users.len(), rows.organizations.len(), rows.memberships.len(), rows.events.len()), (1, 2, 2, 8));
    assert_eq!((rows.slugs.len(), rows.invitations.len(), rows.tuples.len()), (1, 0, 0));
    assert!(rows.organizations.iter().all(|org| org.metadata.is_empty() && org.seat_limit.is_none() && org.external_id.is_none()));
    assert!(rows.memberships.iter().all(|mem| mem.metadata.is_empty()));
    assert!(rows.events.iter().all(|event| event.request_id.is_none() && event.reason.is_none()));

    // What comes stands behind what was there, although its id is below all of them.
    let (sources, _) = Sources::deterministic("1971-01-01T00:00:00Z".parse().unwrap(), 1);
    let early = Options::new().sources(sources).open(&path).unwrap();
    let usr = early.create_user(CreateUser::new()).await.unwrap().user.id;
    let last: EventId = "aud_0196f3c21b7a7c3d9e4f5a6b7c8d9e27".parse().unwrap();
    let page = store.changes_all(ListAllChanges::new().after(last)).await.unwrap();
    assert_eq!(page.data.iter().map(|event| (event.id < last, event.subject_ids[0])).collect::<Vec<_>>(), [(true, usr.any())]);

    // Events are still only added, and with the place that a process of version 1 does not know of.
    for (broken, why) in [
        ("UPDATE tenantry_event SET reason = 'x'", "events are only added"),
        ("DELETE FROM tenantry_store_event", "events are only added"),
        (
            "INSERT INTO tenantry_store_event (id, type, actor_type, at, subject_ids, data) VALUES (zeroblob(16), '', '', 0, '', '')",
            "NOT NULL constraint failed",
        ),
    ] {
        let error = raw.execute(broken, []).unwrap_err().to_string();
        assert!(error.contains(why), "{broken}: {error}");
    }
    let check: String = raw.pragma_query_value(None, "integrity_check", |row| row.get(0)).unwrap();
    let strays: i64 = raw.query_row("SELECT count(*) FROM pragma_foreign_key_check", [], |row| row.get(0)).unwrap();
    assert_eq!((check.as_str(), strays), ("ok", 0));
    // It is the file that a new one is.
    let schema = |raw: &Connection| -> Vec<String> {
        let mut made = raw.prepare("SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY name").unwrap();
        made.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
    };
    drop(open(folder.path().join("new.db")).unwrap());
    assert_eq!(schema(&raw), schema(&Connection::open(folder.path().join("new.db")).unwrap()));
}

#[tokio::test]
async fn a_file_that_is_opened_exclusively_is_nobody_elses_until_it_is_closed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.db");
    let store = options().exclusive(true).open(&path).unwrap();
    let made = store.create_user(CreateUser::new()).await.unwrap().user;
    refused(options().open(&path), "backend.retryable", &["another process", path.to_str().unwrap()]);
    refused(options().exclusive(true).open(&path), "backend.retryable", &["another process", path.to_str().unwrap()]);
    assert_eq!(options().open_blocking(&path).unwrap_err().code(), "backend.retryable");
    assert!(Connection::open(&path).unwrap().query_row("SELECT count(*) FROM tenantry_user_account", [], |_| Ok(())).is_err());
    drop(store);
    assert_eq!(names(folder.path()), ["a.db"]);

    let shared = options().open(&path).unwrap();
    assert_eq!(shared.get_user(made.id).await.unwrap(), made);
    refused(options().exclusive(true).open(&path), "backend.retryable", &["another process", path.to_str().unwrap()]);
    shared.create_user(CreateUser::new()).await.unwrap();
    drop(shared);
    let alone = options().exclusive(true).open_blocking(&path).unwrap();
    assert_eq!(alone.get_user(made.id).unwrap(), made);
}
