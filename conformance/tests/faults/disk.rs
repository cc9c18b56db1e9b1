//! SQLite fails: at each row that a command writes, at the commit, by an interrupt at any moment, for want of room, and because
//! somebody else holds the lock.

use std::error::Error as StdError;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use rusqlite::Connection;
use tenantry_core::{CreateUser, TenancyStore};
use tenantry_sqlite::{SqliteStore, with_transaction};

use crate::counts::Counts;
use crate::desk::Desk;
use crate::stage::{PROBE, failure, without_probes};
use crate::support::block_on;

const PAGE: u32 = 4096;

/// What a trigger does to the statement that it fails in.
const DEEDS: [&str; 3] = [
    // The statement is undone.
    "ABORT", // What the statement has written stays for the moment.
    "FAIL",  // The whole transaction is undone at once.
    "ROLLBACK",
];

/// In place of one of them: the statement goes on until it is interrupted.
const WAIT: &str = "WAIT";

/// Tables that a trigger is made for, by what SQLite itself tells of the file.
fn tables(db: &Connection, which: &str) -> Vec<String> {
    let sql = format!("SELECT name FROM sqlite_schema WHERE type = 'table' AND name LIKE 'tenantry\\_%' ESCAPE '\\' AND {which}");
    let mut found = db.prepare(&sql).unwrap();
    let names = found.query_map([], |row| row.get(0)).unwrap();
    names.map(|name| name.unwrap()).collect()
}

/// Counts the rows that are written, and fails at the one that is set. The count is undone with what it counts.
fn triggers(db: &Connection, which: &str) {
    db.execute_batch("CREATE TABLE fault_plan (number INTEGER, moment INTEGER, deed TEXT); INSERT INTO fault_plan VALUES (0, 0, '')")
        .unwrap();
    // More rows than anyone waits for.
    db.execute_batch(
        "CREATE VIEW fault_wait AS WITH RECURSIVE row (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM row) SELECT max(n) AS n FROM row",
    )
    .unwrap();
    let fails = DEEDS.map(|deed| format!("WHEN '{deed}' THEN RAISE({deed}, 'a fault')")).join(" ");
    for table in tables(db, which) {
        for event in ["INSERT", "UPDATE", "DELETE"] {
            let sql = format!(
                "CREATE TRIGGER fault_{event}_{table} AFTER {event} ON {table} BEGIN \
                 UPDATE fault_plan SET number = number + 1; \
                 SELECT CASE deed {fails} WHEN '{WAIT}' THEN (SELECT n FROM fault_wait) END FROM fault_plan WHERE number = moment; END"
            );
            db.execute_batch(&sql).unwrap();
        }
    }
}

/// What happens at which row from now on.
fn arm(db: &Connection, moment: u32, deed: &str) {
    db.execute("UPDATE fault_plan SET number = 0, moment = ?, deed = ?", (moment, deed)).unwrap();
}

#[test]
fn a_statement_that_fails_at_any_row_leaves_the_rows_as_before() {
    block_on(async {
        let desk = Desk::new(PAGE).await;
        let mut faults = Counts::default();
        for command in desk.commands() {
            let after = desk.after(&command).await;
            for deed in DEEDS {
                let sheet = desk.sheet();
                triggers(&sheet.other, "true");
                let mut row = 1;
                loop {
                    let what = format!("{}, row {row}, {deed}", command.0);
                    arm(&sheet.other, row, deed);
                    let Err(error) = sheet.call(&command).await else { break };
                    assert_eq!(failure(error, &what).code(), "backend.other", "{what}");
                    sheet.is_as_before(&what).await;
                    faults.add(deed);
                    row += 1;
                }
                // So many rows it has not: the same store has gone on to the end.
                assert!(row > 2, "{}: {row} rows were counted", command.0);
                assert!(sheet.dump().await == after, "{}: it comes to something else in the end", command.0);
            }
        }
        println!("rows of SQLite that failed: {} ({faults})", faults.total());
        assert!(faults.total() > 900, "only {}", faults.total());
    });
}

#[test]
fn a_command_that_fails_takes_no_other_of_its_group_with_it() {
    block_on(async {
        let desk = Desk::new(PAGE).await;
        let mut faults = Counts::default();
        for command in desk.commands() {
            let after = desk.after(&command).await;
            // The neighbours write no event of an organization.
            if after.events.iter().all(|event| event.org_id.is_none() || desk.before.events.contains(event)) {
                continue;
            }
            for deed in DEEDS {
                let what = format!("{}, {deed}", command.0);
                let sheet = desk.sheet();
                triggers(&sheet.other, "name = 'tenantry_event'");
                arm(&sheet.other, 1, deed);
                // While somebody else holds the lock, a group gathers behind the first that waits for it.
                sheet.other.execute_batch("BEGIN IMMEDIATE").unwrap();
                let neighbour = || sheet.store.create_user(CreateUser::new().display_name(PROBE));
                let release = async {
                    tokio::time::sleep(Duration::from_millis(2)).await;
                    sheet.other.execute_batch("ROLLBACK").unwrap();
                };
                let (first, second, failed, third, ()) = tokio::join!(neighbour(), neighbour(), sheet.call(&command), neighbour(), release);
                first.and(second).and(third).unwrap_or_else(|error| panic!("{what}: it took a neighbour with it: {error:?}"));
                assert_eq!(failure(failed.expect_err(&what), &what).code(), "backend.other", "{what}");
                let (rows, probes) = without_probes(sheet.dump().await);
                assert!(rows == desk.before && probes == 3, "{what}: {probes} of three neighbours are there");
                faults.add(deed);
            }
        }
        println!("commands of SQLite that failed beside three others: {} ({faults})", faults.total());
        assert!(faults.total() > 60, "only {}", faults.total());
    });
}

#[test]
fn a_commit_that_is_refused_leaves_the_rows_as_before() {
    block_on(async {
        let desk = Desk::new(PAGE).await;
        let mut faults = 0;
        for command in desk.commands() {
            let (sheet, after) = (desk.sheet(), desk.after(&command).await);
            // A row that refers to none is looked at when everything has been written.
            sheet
                .other
                .execute_batch(
                    "CREATE TABLE fault_row (id INTEGER PRIMARY KEY, of INTEGER REFERENCES fault_row (id) DEFERRABLE INITIALLY DEFERRED)",
                )
                .unwrap();
            for table in ["tenantry_event", "tenantry_store_event"] {
                let sql = format!("CREATE TRIGGER fault_{table} AFTER INSERT ON {table} BEGIN INSERT INTO fault_row (of) VALUES (-1); END");
                sheet.other.execute_batch(&sql).unwrap();
            }
            let what = format!("{} with a commit that is refused", command.0);
            for _ in 0..2 {
                let error = sheet.call(&command).await.expect_err(&what);
                assert_eq!(failure(error, &what).code(), "backend.other", "{what}");
                sheet.is_as_before(&what).await;
                faults += 1;
            }
            sheet.other.execute_batch("DROP TRIGGER fault_tenantry_event; DROP TRIGGER fault_tenantry_store_event").unwrap();
            sheet.goes_on(&command, &after, &what).await;
        }
        println!("commits of SQLite that were refused: {faults}");
    });
}

#[test]
fn a_lock_that_somebody_else_holds_is_told_and_leaves_the_rows_as_before() {
    block_on(async {
        let desk = Desk::new(PAGE).await;
        let mut faults = 0;
        for command in desk.commands() {
            let (sheet, after) = (desk.impatient_sheet(), desk.after(&command).await);
            let what = format!("{} while somebody holds the lock", command.0);
            sheet.other.execute_batch("BEGIN IMMEDIATE").unwrap();
            for _ in 0..2 {
                let error = sheet.call(&command).await.expect_err(&what);
                assert_eq!(failure(error, &what).code(), "backend.retryable", "{what}");
                sheet.is_as_before(&what).await;
                faults += 1;
            }
            sheet.other.execute_batch("ROLLBACK").unwrap();
            sheet.goes_on(&command, &after, &what).await;
        }
        println!("locks of SQLite that somebody else held: {faults}");
    });
}

/// Runs something on the connection that the store writes with.
fn on_the_writer<T>(store: &SqliteStore, work: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> T {
    with_transaction(store, |tx| Ok::<_, Box<dyn StdError>>(work(&tx.connection())?)).unwrap()
}

fn limit(store: &SqliteStore, pages: u32) {
    on_the_writer(store, |db| db.pragma_update_and_check(None, "max_page_count", pages, |_| Ok(())));
}

#[test]
fn a_file_that_may_not_grow_leaves_the_rows_as_before() {
    /// So small that each command needs some.
    const PAGE: u32 = 512;

    block_on(async {
        let desk = Desk::new(PAGE).await;
        let mut faults = 0;
        let mut without = Vec::new();
        for command in desk.commands() {
            let (sheet, after) = (desk.sheet(), desk.after(&command).await);
            let pages: u32 = sheet.other.query_row("PRAGMA page_count", [], |row| row.get(0)).unwrap();
            let mut more = 0;
            loop {
                let what = format!("{} with room for {more} pages", command.0);
                limit(&sheet.store, pages + more);
                let Err(error) = sheet.call(&command).await else { break };
                let error = failure(error, &what);
                assert_eq!(error.code(), "backend.unavailable", "{what}");
                assert!(error.to_string().contains("is full"), "{what}: {error}");
                sheet.is_as_before(&what).await;
                faults += 1;
                more += 1;
            }
            assert!(sheet.dump().await == after, "{}: it comes to something else in the end", command.0);
            if more == 0 {
                without.push(command.0);
            }
        }
        println!("pages that SQLite did not get: {faults}; commands that need none: {without:?}");
        assert!(faults > 100, "only {faults}");
        assert!(without.len() < 8, "{without:?}");
    });
}

#[test]
fn an_interrupt_at_any_row_leaves_the_rows_as_before() {
    let desk = block_on(Desk::new(PAGE));
    let mut faults = 0;
    for command in desk.commands() {
        let (sheet, after) = (desk.sheet(), block_on(desk.after(&command)));
        triggers(&sheet.other, "true");
        let handle = on_the_writer(&sheet.store, |db| Ok(db.get_interrupt_handle()));
        let mut row = 1;
        loop {
            let what = format!("{}, interrupted at row {row}", command.0);
            arm(&sheet.other, row, WAIT);
            let has_ended = AtomicBool::new(false);
            let outcome = thread::scope(|scope| {
                // An interrupt that meets no statement does nothing, so it goes on until the call has ended: what is done to clean up
                // may meet one too.
                scope.spawn(|| {
                    while !has_ended.load(Ordering::SeqCst) {
                        thread::sleep(Duration::from_micros(50));
                        handle.interrupt();
                    }
                });
                let outcome = block_on(sheet.call(&command));
                has_ended.store(true, Ordering::SeqCst);
                outcome
            });
            let Err(error) = outcome else { break };
            assert_eq!(failure(error, &what).code(), "backend.other", "{what}");
            block_on(sheet.is_as_before(&what));
            faults += 1;
            row += 1;
        }
        assert!(row > 2, "{}: {row} rows were counted", command.0);
        assert!(block_on(sheet.dump()) == after, "{}: it comes to something else in the end", command.0);
    }
    println!("interrupts of SQLite at a row: {faults}");
    assert!(faults > 300, "only {faults}");
}
