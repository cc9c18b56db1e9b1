//! Postgres ends a statement, at each row that a command writes and at its commit: it fails, is cancelled, or its process is.

use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use serde_json::Value;
use sqlx::{AssertSqlSafe, Connection, PgConnection, Row};
use tenantry_core::TenancyStore;

use crate::counts::Counts;
use crate::lane::{self, Lane, Rows};
use crate::stage::failure;
use crate::support::block_on;
use crate::{commands, size};

/// How many lanes work side by side: most of the time a lane waits.
const LANES: usize = 4;

/// So many rows of each command meet a fault, unless told otherwise.
const ROWS: usize = 2;

/// What happens at a row, and what the call comes to then: nothing to be told when the store gets over it by itself.
struct Fault {
    what: &'static str,
    /// For the trigger: an error's code, or what else to do.
    deed: &'static str,
    /// Again at every later row too.
    always: bool,
    told: Option<&'static str>,
    /// It is tried at many rows: what it meets there differs.
    at_many: bool,
}

const FAULTS: [Fault; 9] = [
    Fault { what: "process ended", deed: "terminate", always: false, told: Some("backend.unavailable"), at_many: true },
    Fault { what: "cancelled", deed: "cancel", always: false, told: Some("backend.retryable"), at_many: true },
    Fault { what: "lost a race once", deed: "40001", always: false, told: None, at_many: true },
    Fault { what: "lost every race", deed: "40001", always: true, told: Some("backend.retryable"), at_many: false },
    Fault { what: "deadlock once", deed: "40P01", always: false, told: None, at_many: false },
    Fault { what: "no lock in time", deed: "55P03", always: false, told: Some("backend.retryable"), at_many: false },
    Fault { what: "disk full", deed: "53100", always: false, told: Some("backend.unavailable"), at_many: false },
    Fault { what: "read-only", deed: "25006", always: false, told: Some("backend.unavailable"), at_many: false },
    Fault { what: "some other error", deed: "P0001", always: false, told: Some("backend.other"), at_many: false },
];

/// The moment of a fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Moment {
    /// When the row with this number has been written, counted from 1.
    Row(i64),
    /// When everything has been written.
    Commit,
}

#[derive(Debug, Default)]
struct Tally {
    faults: Counts<&'static str>,
    moments: Counts<&'static str>,
    told: Counts<&'static str>,
}

#[test]
fn a_statement_that_fails_or_is_cancelled_at_any_row_leaves_the_rows_as_before_and_the_error_has_a_code() {
    let every = size("TENANTRY_FAULT_ROWS", ROWS);
    let next = AtomicUsize::new(0);
    let mut tally = Tally::default();
    thread::scope(|scope| {
        let lanes: Vec<_> = (0..LANES).map(|_| scope.spawn(|| block_on(lane(&next, every)))).collect();
        for lane in lanes {
            let of_lane = lane.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            tally.faults.merge(of_lane.faults);
            tally.moments.merge(of_lane.moments);
            tally.told.merge(of_lane.told);
        }
    });
    println!("statements of Postgres ended: {} ({})", tally.faults.total(), tally.faults);
    println!("  {}", tally.moments);
    println!("  told: {}", tally.told);
    assert_eq!(tally.faults.len(), FAULTS.len() + TIMEOUTS.len(), "some fault was never there");
    assert!(tally.faults.total() > 400, "only {} faults", tally.faults.total());
}

async fn lane(next: &AtomicUsize, every: usize) -> Tally {
    let mut lane = Lane::new().await;
    triggers(&mut lane).await;
    let mut tally = Tally::default();
    let count = commands::commands(&lane.world).len();
    loop {
        let index = next.fetch_add(1, Ordering::SeqCst);
        if index >= count {
            return tally;
        }
        let command = lane.command(index);
        let after = lane.undisturbed(&command).await;
        let rows = rows_written(&mut lane, &command).await;
        let takes_rows_first = lane.takes_rows_first(&command).await;
        for (number, fault) in FAULTS.iter().enumerate() {
            for moment in moments(rows, fault, every, (index + number).is_multiple_of(3)) {
                // In turn, so that each command meets each fault in one of both ways.
                let rows_first = takes_rows_first && (index + number).is_multiple_of(2);
                let mut attempt = Attempt { lane: &mut lane, command: &command, after: &after, fault, moment, rows_first };
                attempt.run(&mut tally).await;
            }
        }
        in_time(&mut lane, &command, &after, rows, &mut tally).await;
    }
}

/// The moments at which a fault is tried: at most so many rows, spread over all of them, and the commit. In small runs, the commit takes
/// turns with the rows.
fn moments(rows: i64, fault: &Fault, every: usize, is_turn: bool) -> Vec<Moment> {
    let most = if fault.at_many { every } else { every.div_ceil(2).min(3) };
    let most = i64::try_from(most).unwrap().clamp(1, rows);
    let row = |number: i64| if most == 1 { (rows + 1) / 2 } else { 1 + number * (rows - 1) / (most - 1) };
    let at_rows = (0..most).map(|number| Moment::Row(row(number)));
    match (fault.at_many || every > ROWS, is_turn) {
        (true, _) => at_rows.chain([Moment::Commit]).collect(),
        (false, true) => vec![Moment::Commit],
        (false, false) => at_rows.collect(),
    }
}

/// Counts rows as they are written, and at the moment that is set does what is set. The counters are sequences: what a transaction
/// has counted stays counted when it is undone.
async fn triggers(lane: &mut Lane) {
    let schema = lane.schema().to_owned();
    let mut sql = format!(
        "CREATE SEQUENCE {schema}.fault_row; CREATE SEQUENCE {schema}.fault_commit; \
         CREATE TABLE {schema}.fault_plan AS SELECT 0::bigint AS moment, ''::text AS deed, false AS always;
         CREATE FUNCTION {schema}.do_fault(deed text) RETURNS void LANGUAGE plpgsql AS $$ BEGIN
             CASE deed
             WHEN 'cancel' THEN PERFORM pg_cancel_backend(pg_backend_pid()); PERFORM pg_sleep(60);
             WHEN 'terminate' THEN PERFORM pg_terminate_backend(pg_backend_pid()); PERFORM pg_sleep(60);
             WHEN 'wait' THEN PERFORM pg_sleep(60);
             ELSE RAISE EXCEPTION USING ERRCODE = deed, MESSAGE = 'a fault';
             END CASE;
         END $$;
         CREATE FUNCTION {schema}.fault_row() RETURNS trigger LANGUAGE plpgsql AS $$ DECLARE
             number bigint := nextval('{schema}.fault_row');
             plan record;
         BEGIN
             SELECT * INTO plan FROM {schema}.fault_plan;
             IF plan.moment > 0 AND (number = plan.moment OR plan.always AND number > plan.moment) THEN
                 PERFORM {schema}.do_fault(plan.deed);
             END IF;
             RETURN NULL;
         END $$;
         CREATE FUNCTION {schema}.fault_commit() RETURNS trigger LANGUAGE plpgsql AS $$ DECLARE
             number bigint := nextval('{schema}.fault_commit');
             plan record;
         BEGIN
             SELECT * INTO plan FROM {schema}.fault_plan;
             IF plan.moment = -1 AND (number = 1 OR plan.always) THEN
                 PERFORM {schema}.do_fault(plan.deed);
             END IF;
             RETURN NULL;
         END $$;"
    );
    let on_table = |table: &String| {
        format!(
            "CREATE TRIGGER fault_row AFTER INSERT OR UPDATE OR DELETE ON {schema}.{table} \
                 FOR EACH ROW EXECUTE FUNCTION {schema}.fault_row(); \
             CREATE CONSTRAINT TRIGGER fault_commit AFTER INSERT OR UPDATE OR DELETE ON {schema}.{table} \
                 DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION {schema}.fault_commit();"
        )
    };
    sql.extend(lane.tables().iter().map(on_table));
    lane::run(&mut lane.conn, &sql).await.unwrap();
}

/// What happens at which row from now on; 0 for none, -1 for the commit.
async fn arm(lane: &mut Lane, moment: i64, deed: &str, always: bool) {
    let schema = lane.schema().to_owned();
    let sql = format!(
        "UPDATE {schema}.fault_plan SET moment = {moment}, deed = '{deed}', always = {always}; \
         SELECT setval('{schema}.fault_row', 1, false), setval('{schema}.fault_commit', 1, false);"
    );
    lane::run(&mut lane.conn, &sql).await.unwrap();
}

/// How many rows a command writes.
async fn rows_written(lane: &mut Lane, command: &(&'static str, Value)) -> i64 {
    arm(lane, 0, "", false).await;
    lane.same.call(&lane.store, command).await.unwrap();
    let sql = format!("SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM {}.fault_row", lane.schema());
    let rows = sqlx::query(AssertSqlSafe(sql)).fetch_one(&mut lane.conn).await.unwrap().get(0);
    lane.restore().await;
    rows
}

struct Attempt<'l> {
    lane: &'l mut Lane,
    command: &'l (&'static str, Value),
    after: &'l Rows,
    fault: &'static Fault,
    moment: Moment,
    rows_first: bool,
}

impl fmt::Display for Attempt<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let first = if self.rows_first { ", rows first" } else { "" };
        write!(f, "{}{first}: {} at {:?}", self.command.0, self.fault.what, self.moment)
    }
}

impl Attempt<'_> {
    async fn run(&mut self, tally: &mut Tally) {
        let store = if self.rows_first {
            self.lane.heat().await;
            self.lane.hot.clone()
        } else {
            self.lane.store.clone()
        };
        let number = match self.moment {
            Moment::Row(number) => number,
            Moment::Commit => -1,
        };
        arm(self.lane, number, self.fault.deed, self.fault.always).await;
        let outcome = self.lane.same.call(&store, self.command).await;
        arm(self.lane, 0, "", false).await;
        tally.faults.add(self.fault.what);
        tally.moments.add(if self.moment == Moment::Commit { "at the commit" } else { "at a row" });
        let told = outcome.err().map(|error| failure(error, self).code());
        assert_eq!(told, self.fault.told, "{self}");
        tally.told.add(told.unwrap_or("success"));
        let what = self.to_string();
        let written = self.lane.has_written(self.after, &what).await;
        assert_eq!(written, told.is_none(), "{what}: it is told otherwise");
        self.lane.goes_on(&store, self.command, self.after, written, &what).await;
    }
}

/// What the server ends by itself after a while.
const TIMEOUTS: [&str; 2] = ["statement_timeout", "lock_timeout"];

/// A statement that takes too long, and one that waits too long for a lock.
async fn in_time(lane: &mut Lane, command: &(&'static str, Value), after: &Rows, rows: i64, tally: &mut Tally) {
    for timeout in TIMEOUTS {
        let url = format!("{}&options[{timeout}]=60", lane.proxy.url);
        let store = lane.options().sources(lane.same.sources()).max_connections(1).acquire_timeout(Duration::from_secs(5));
        let store = store.connect(&url).await.unwrap();
        let what = format!("{} beyond its {timeout}", command.0);
        // So that it is the command itself that takes too long, and not the connection's start.
        store.get_org(lane.world.org).await.unwrap();
        let outcome = if timeout == "statement_timeout" {
            arm(lane, (rows + 1) / 2, "wait", false).await;
            lane.same.call(&store, command).await
        } else {
            let mut holder = PgConnection::connect(lane.url()).await.unwrap();
            let all: Vec<String> = lane.tables().iter().map(|table| format!("{}.{table}", lane.schema())).collect();
            // Whoever reads is let through.
            lane::run(&mut holder, &format!("BEGIN; LOCK TABLE {} IN EXCLUSIVE MODE", all.join(", "))).await.unwrap();
            let outcome = lane.same.call(&store, command).await;
            lane::run(&mut holder, "ROLLBACK").await.unwrap();
            holder.close().await.unwrap();
            outcome
        };
        arm(lane, 0, "", false).await;
        let error = failure(outcome.expect_err(&what), &what);
        assert_eq!(error.code(), "backend.retryable", "{what}: {error:?}");
        tally.faults.add(timeout);
        tally.told.add("backend.retryable");
        assert!(!lane.has_written(after, &what).await, "{what}: it is written all the same");
        lane.goes_on(&store, command, after, false, &what).await;
    }
}
