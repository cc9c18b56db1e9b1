//! The application's rows and ours: both or neither.

use tenantry_core::{AddMember, CreateOrg, CreateUser, Dump, Sources, TenancyStore};
use tenantry_sqlite::{Options, SqliteStore, Transaction, with_transaction};

use crate::server::Server;
use crate::{Failed, code, support};

/// A file with a table of the application's own.
fn file() -> (SqliteStore, rusqlite::Connection, tempfile::TempDir) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("app.db");
    let application = rusqlite::Connection::open(&path).expect("a file");
    application.execute_batch("CREATE TABLE own (n INTEGER PRIMARY KEY) STRICT").expect("a table");
    let store = Options::new().share_with_application(true).open(&path).expect("a store");
    (store, application, folder)
}

fn own(application: &rusqlite::Connection) -> Vec<i32> {
    let mut rows = application.prepare("SELECT n FROM own ORDER BY n").unwrap();
    rows.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
}

fn insert(tx: &Transaction<'_>, n: i32) -> Result<(), Failed> {
    Ok(tx.connection().execute("INSERT INTO own VALUES (?)", [n]).map(drop)?)
}

fn slugs(dump: &Dump) -> Vec<&str> {
    dump.slugs.iter().map(|(slug, _)| slug.as_str()).collect()
}

fn found(tx: &Transaction<'_>, slug: &str) -> Result<(), Failed> {
    let ada = tx.create_user(CreateUser::new())?.user;
    tx.create_org(CreateOrg::new(ada.id).slug(slug))?;
    Ok(())
}

#[test]
fn sqlite_commits_rows_of_both_or_of_neither() {
    let (store, application, _folder) = file();
    let dump = || support::block_on(tenantry_core::Inspect::dump(&store)).unwrap();
    assert_eq!(code(with_transaction(&store, |tx| insert(tx, 1).and_then(|()| found(tx, "one")))), "ok");
    assert_eq!((own(&application), slugs(&dump())), (vec![1], vec!["one"]));
    // Ours fails behind theirs, theirs behind ours, and the application just does not want it.
    let refused = with_transaction(&store, |tx| insert(tx, 2).and_then(|()| found(tx, "one")));
    assert_eq!(code(refused), "conflict.org_slug");
    let failed = code(with_transaction(&store, |tx| found(tx, "two").and_then(|()| insert(tx, 1))));
    assert!(failed.starts_with("own: UNIQUE"), "{failed}");
    let changed = with_transaction(&store, |tx| insert(tx, 2).and_then(|()| found(tx, "two")).and(Err::<(), _>(Failed::Changed)));
    assert_eq!(code(changed), "changed");
    // A refusal that the application takes in its stride leaves the rest as it is.
    let gone_on = with_transaction(&store, |tx| {
        insert(tx, 3)?;
        let refused = found(tx, "one");
        assert_eq!(code(refused), "conflict.org_slug");
        found(tx, "three")
    });
    assert_eq!(code(gone_on), "ok");
    assert_eq!((own(&application), slugs(&dump())), (vec![1, 3], vec!["one", "three"]));
    assert_eq!(dump().users.len(), 3, "the user that was made before the refusal stays");
}

#[test]
fn what_was_not_committed_is_seen_inside_only() {
    let (store, application, _folder) = file();
    let done = with_transaction(&store, |tx| {
        insert(tx, 1)?;
        found(tx, "one")?;
        assert!(tx.get_org_by_slug("one").is_ok());
        assert_eq!(support::block_on(tx.store().get_org_by_slug("one")).unwrap().slug.unwrap().as_str(), "one");
        assert_eq!(own(&application), Vec::<i32>::new());
        Ok::<(), Failed>(())
    });
    assert_eq!((code(done), own(&application)), ("ok".to_owned(), vec![1]));
}

#[test]
fn a_panic_takes_everything_back_and_the_store_goes_on() {
    let (store, application, _folder) = file();
    let direct = Options::new().open_in_memory_blocking().unwrap();
    let memory = tenantry_memory::new();
    for _ in 0..2 {
        let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            with_transaction(&store, |tx| -> Result<(), Failed> {
                insert(tx, 1)?;
                found(tx, "one")?;
                panic!("in the application")
            })
        }));
        assert!(caught.is_err());
        let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            with_transaction(&direct, |tx| -> Result<(), Failed> {
                found(tx, "one")?;
                panic!("in the application")
            })
        }));
        assert!(caught.is_err());
        let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            tenantry_memory::with_transaction(&memory, |tx| -> Result<(), Failed> {
                tx.create_user(CreateUser::new())?;
                panic!("in the application")
            })
        }));
        assert!(caught.is_err());
    }
    assert_eq!(own(&application), Vec::<i32>::new());
    for dump in [
        support::block_on(tenantry_core::Inspect::dump(&store)).unwrap(),
        direct.dump().unwrap(),
        support::block_on(tenantry_core::Inspect::dump(&memory)).unwrap(),
    ] {
        assert_eq!(dump, Dump::default());
    }
    assert_eq!(code(with_transaction(&store, |tx| found(tx, "one"))), "ok");
    assert_eq!(code(with_transaction(&direct, |tx| found(tx, "one"))), "ok");
    assert!(support::block_on(memory.create_user(CreateUser::new())).is_ok());
}

/// SQLite's own words for the end of a transaction, from inside.
const ENDS: [&str; 6] =
    ["COMMIT", "END", "ROLLBACK", "COMMIT; BEGIN", "ROLLBACK; BEGIN IMMEDIATE", "INSERT OR ROLLBACK INTO own VALUES (9)"];

#[test]
fn a_transaction_that_is_ended_from_inside_is_said_to_be_and_nothing_stays() {
    let (store, application, _folder) = file();
    application.execute("INSERT INTO own VALUES (9)", []).unwrap();
    for end in ENDS {
        for goes_on in [false, true] {
            let done = with_transaction(&store, |tx| {
                insert(tx, 1)?;
                found(tx, "one")?;
                // Where SQLite refuses it, the application does not look.
                drop(tx.connection().execute_batch(end));
                if goes_on {
                    assert_eq!(code(found(tx, "two")), "backend.rolled_back", "{end}");
                    assert_eq!(tx.get_org_by_slug("one").unwrap_err().code(), "backend.rolled_back", "{end}");
                    drop(insert(tx, 2));
                }
                Ok::<(), Failed>(())
            });
            assert_eq!(code(done), "backend.rolled_back", "{end}");
            let left = own(&application);
            // What an application writes behind the end that it made is a statement of its own.
            assert!(!left.contains(&1), "{end}: {left:?}");
            application.execute("DELETE FROM own WHERE n <> 9", []).unwrap();
            let dump = support::block_on(tenantry_core::Inspect::dump(&store)).unwrap();
            assert_eq!(dump, Dump::default(), "{end}");
        }
    }
    assert_eq!(code(with_transaction(&store, |tx| insert(tx, 1).and_then(|()| found(tx, "one")))), "ok");
    assert_eq!(own(&application), [1, 9]);
}

#[test]
fn savepoints_of_the_application_are_free_to_use() {
    let (store, application, _folder) = file();
    let done = with_transaction(&store, |tx| {
        found(tx, "one")?;
        tx.connection().execute_batch("SAVEPOINT theirs")?;
        insert(tx, 1)?;
        found(tx, "two")?;
        tx.connection().execute_batch("ROLLBACK TO theirs; RELEASE theirs")?;
        assert_eq!(tx.get_org_by_slug("two").unwrap_err().code(), "not_found");
        insert(tx, 2)?;
        found(tx, "two")
    });
    assert_eq!((code(done), own(&application)), ("ok".to_owned(), vec![2]));
    let dump = support::block_on(tenantry_core::Inspect::dump(&store)).unwrap();
    assert_eq!(slugs(&dump), ["one", "two"]);
    assert_eq!(dump.organizations.iter().map(|org| org.revision).collect::<Vec<_>>(), [2, 2]);
}

#[test]
fn rows_can_be_read_from_the_connection_while_the_store_writes() {
    let (store, _application, _folder) = file();
    let done = with_transaction(&store, |tx| {
        for n in 1..=3 {
            insert(tx, n)?;
        }
        let connection = tx.connection();
        let mut rows = connection.prepare("SELECT n FROM own ORDER BY n")?;
        let mut rows = rows.query([])?;
        let mut read = Vec::new();
        while let Some(row) = rows.next()? {
            let n: i32 = row.get(0)?;
            found(tx, &format!("org-{n}"))?;
            read.push(n);
        }
        assert_eq!(read, [1, 2, 3]);
        Ok::<(), Failed>(())
    });
    assert_eq!(code(done), "ok");
    assert_eq!(support::block_on(tenantry_core::Inspect::dump(&store)).unwrap().organizations.len(), 3);
}

#[test]
fn another_writer_waits_and_one_that_does_not_get_the_lock_says_so() {
    let (store, application, folder) = file();
    let other = Options::new().busy_timeout(std::time::Duration::ZERO).open(folder.path().join("app.db")).unwrap();
    let done = with_transaction(&store, |tx| {
        found(tx, "one")?;
        assert_eq!(code(with_transaction(&other, |tx| found(tx, "two"))), "backend.retryable");
        let refused = support::block_on(other.create_user(CreateUser::new()));
        assert_eq!(refused.unwrap_err().code(), "backend.retryable");
        Ok::<(), Failed>(())
    });
    assert_eq!(code(done), "ok");
    // A task of the same store has its turn when the transaction is over.
    let waiting = std::thread::scope(|scope| {
        with_transaction(&store, |tx| {
            let waiting = scope.spawn(|| support::block_on(store.create_user(CreateUser::new())));
            std::thread::sleep(std::time::Duration::from_millis(50));
            assert!(!waiting.is_finished());
            found(tx, "two")?;
            Ok::<_, Failed>(waiting)
        })
        .unwrap()
        .join()
    });
    assert!(waiting.unwrap().is_ok());
    assert_eq!(own(&application), Vec::<i32>::new());
}

#[test]
fn postgres_commits_rows_of_both_or_of_neither() {
    support::block_on(async {
        let server = Server::new(Sources::system()).await;
        let store = &server.store;
        // (the own row, whether ours is refused, commit or roll back, what is there then)
        for (n, slug, commits, stays) in [(1, "one", true, true), (2, "one", true, true), (3, "three", false, false)] {
            let mut tx = server.pool.begin().await.unwrap();
            sqlx::query(server.named("INSERT INTO own VALUES ($1)")).bind(n).execute(&mut *tx).await.unwrap();
            let bound = tenantry_postgres::bind(store, &mut tx);
            let ada = bound.create_user(CreateUser::new()).await.unwrap().user;
            let created = bound.create_org(CreateOrg::new(ada.id).slug(slug)).await;
            // A refusal is a value: the transaction goes on.
            assert_eq!(created.map_or_else(|error| error.code(), |_| "ok".to_owned()), if n == 2 { "conflict.org_slug" } else { "ok" });
            if commits {
                tenantry_postgres::commit(store, tx).await.unwrap();
            } else {
                drop(tx);
            }
            assert_eq!(server.own().await.contains(&n), stays, "{n}");
            let users = tenantry_core::Inspect::dump(store).await.unwrap().users;
            assert_eq!(users.iter().any(|user| user.id == ada.id), stays, "{n}");
        }
        assert_eq!(slugs(&tenantry_core::Inspect::dump(store).await.unwrap()), ["one"]);
    });
}

#[test]
fn a_statement_that_fails_takes_both_back_and_commit_says_so() {
    support::block_on(async {
        let server = Server::new(Sources::system()).await;
        let store = &server.store;
        server.sql("INSERT INTO own VALUES (1)").await;
        let mut tx = server.pool.begin().await.unwrap();
        let bound = tenantry_postgres::bind(store, &mut tx);
        let ada = bound.create_user(CreateUser::new()).await.unwrap().user;
        drop(bound);
        assert!(sqlx::query(server.named("INSERT INTO own VALUES (1)")).execute(&mut *tx).await.is_err());
        // Nothing more is taken, and it is said why.
        let bound = tenantry_postgres::bind(store, &mut tx);
        assert_eq!(bound.create_user(CreateUser::new()).await.unwrap_err().code(), "backend.rolled_back");
        assert_eq!(bound.get_user(ada.id).await.unwrap_err().code(), "backend.rolled_back");
        assert_eq!(
            bound
                .list_members(tenantry_core::ListMembers::new("org_01960000000070008000000000000001".parse().unwrap()))
                .await
                .unwrap_err()
                .code(),
            "backend.rolled_back"
        );
        drop(bound);
        let refused = tenantry_postgres::commit(store, tx).await.unwrap_err();
        assert_eq!(refused.code(), "backend.rolled_back");
        assert_eq!(tenantry_core::Inspect::dump(store).await.unwrap(), Dump::default());

        // What the driver's own commit makes of the same.
        let mut tx = server.pool.begin().await.unwrap();
        tenantry_postgres::bind(store, &mut tx).create_user(CreateUser::new()).await.unwrap();
        assert!(sqlx::query(server.named("INSERT INTO own VALUES (1)")).execute(&mut *tx).await.is_err());
        assert!(tx.commit().await.is_ok(), "the driver does not look");
        assert_eq!(tenantry_core::Inspect::dump(store).await.unwrap(), Dump::default());
    });
}

#[test]
fn a_transaction_that_was_ended_by_a_statement_is_not_said_to_be_committed() {
    support::block_on(async {
        let server = Server::new(Sources::system()).await;
        for end in ["ROLLBACK", "COMMIT"] {
            let mut tx = server.pool.begin().await.unwrap();
            tenantry_postgres::bind(&server.store, &mut tx).create_user(CreateUser::new()).await.unwrap();
            sqlx::raw_sql(end).execute(&mut *tx).await.unwrap();
            let refused = tenantry_postgres::commit(&server.store, tx).await.unwrap_err();
            assert_eq!(refused.code(), "backend.rolled_back", "{end}: {refused}");
        }
    });
}

#[test]
fn a_bound_store_acts_for_whom_the_store_acts() {
    support::block_on(async {
        let server = Server::new(Sources::system()).await;
        let mut tx = server.pool.begin().await.unwrap();
        let bound = tenantry_postgres::bind(&server.store, &mut tx);
        let (ada, ben) =
            (bound.create_user(CreateUser::new()).await.unwrap().user, bound.create_user(CreateUser::new()).await.unwrap().user);
        let acme = bound.create_org(CreateOrg::new(ada.id)).await.unwrap().org;
        let as_ben = bound.with_caller(tenantry_core::Caller::guarded(ben.id));
        let refused = as_ben.add_member(AddMember::new(acme.id, ben.id, "owner")).await.unwrap_err();
        assert_eq!(refused.code(), "not_found");
        let as_ada = bound.with_caller(tenantry_core::Caller::guarded(ada.id));
        assert!(as_ada.add_member(AddMember::new(acme.id, ben.id, "member")).await.is_ok());
        drop((as_ada, as_ben, bound));
        let guarded = server.store.on_behalf_of(tenantry_core::Caller::guarded(ben.id));
        let bound = tenantry_postgres::bind(&guarded, &mut tx);
        let refused = bound.add_member(AddMember::new(acme.id, ada.id, "owner")).await.unwrap_err();
        assert_eq!(refused.code(), "forbidden");
        drop(bound);
        tenantry_postgres::commit(&server.store, tx).await.unwrap();
        assert_eq!(tenantry_core::Inspect::dump(&server.store).await.unwrap().memberships.len(), 2);
    });
}
