//! Every fixture inside a transaction: the answers and the rows inside it are those of core's own state. Then some of the transactions
//! are committed and the rows are there for everyone, and the others are taken back and nothing is.

use tenantry_conformance::{Case, Failure, Mode, Prepared, Suite, dump_differences, own_fixtures};
use tenantry_core::{Backend, Caller, Dump, Engine, Inspect, TenancyStore};

use crate::server::Server;
use crate::{Failed, support};

fn cases() -> Vec<Case> {
    let suite = Suite::load(&own_fixtures(), Mode::Ours).expect("our fixtures");
    assert!(suite.problems.is_empty(), "{:?}", suite.problems);
    suite.cases().collect()
}

/// Runs a test over the store inside a transaction; answers what failed and the rows at its end.
async fn inside(prepared: Prepared<'_>, store: &dyn TenancyStore, inspect: &dyn Inspect) -> (Vec<Failure>, Dump) {
    let failures = prepared.run(store.with_caller(Caller::default()), inspect).await;
    (failures, inspect.dump().await.expect("its rows"))
}

/// What the rows of everyone are against what they should be.
fn expect(case: &Case, store: &str, failures: &[Failure], committed: bool, seen: &Dump, outside: &Dump) {
    let name = case.name();
    assert!(failures.is_empty(), "{store} {name}: {failures:?}");
    let wanted = if committed { seen } else { &Dump::default() };
    assert_eq!(wanted, outside, "{store} {name}, committed {committed}: {:#?}", dump_differences(wanted, outside));
}

/// The same for the stores that lend themselves.
macro_rules! lent {
    ($name:literal, $open:expr, $transaction:path, $dump:path) => {{
        let mut tests = 0;
        for (number, case) in cases().into_iter().enumerate() {
            let prepared = Prepared::new(&case.fixture, &case.test).expect("a test");
            let (store, _guard) = $open(number, prepared.sources());
            let commits = number % 2 == 0;
            let mut found = None;
            let done = $transaction(&store, |tx| {
                found = Some(support::block_on(inside(prepared, tx.store(), tx.engine())));
                if commits { Ok(()) } else { Err(Failed::Changed) }
            });
            assert_eq!(done.is_ok(), commits, "{done:?}");
            let (failures, seen) = found.expect("it ran");
            expect(&case, $name, &failures, commits, &seen, &$dump(&store));
            tests += 1;
        }
        println!("{}: {tests} fixture tests inside a transaction, every other one committed", $name);
        assert!(tests > 1_000);
    }};
}

fn everything<B: Backend>(store: &impl AsRef<Engine<B>>) -> Dump {
    support::block_on(store.as_ref().dump()).expect("its rows")
}

#[test]
fn memory() {
    let open = |_, sources| (tenantry_memory::with_sources(sources), ());
    lent!("memory", open, tenantry_memory::with_transaction, everything);
}

#[test]
fn sqlite() {
    // Some in a file, with the threads of an async store, and most without either, which takes less long.
    let open = |number: usize, sources| {
        let options = tenantry_sqlite::Options::new().sources(sources);
        match number % 16 {
            0 | 1 => {
                let folder = tempfile::tempdir().expect("a folder");
                (Opened::Threads(options.open(folder.path().join("store.db")).expect("a store")), Some(folder))
            }
            _ => (Opened::Direct(options.open_in_memory_blocking().expect("a store")), None),
        }
    };
    lent!("sqlite", open, Opened::with_transaction, Opened::dump);
}

enum Opened {
    Threads(tenantry_sqlite::SqliteStore),
    Direct(tenantry_sqlite::BlockingStore),
}

impl Opened {
    fn with_transaction(&self, work: impl FnOnce(&tenantry_sqlite::Transaction<'_>) -> Result<(), Failed>) -> Result<(), Failed> {
        match self {
            Self::Threads(store) => tenantry_sqlite::with_transaction(store, work),
            Self::Direct(store) => tenantry_sqlite::with_transaction(store, work),
        }
    }
}

impl Opened {
    fn dump(&self) -> Dump {
        match self {
            Self::Threads(store) => everything(store),
            Self::Direct(store) => everything(store),
        }
    }
}

#[test]
fn postgres() {
    support::block_on(async {
        let (mut tests, mut commits) = (0, 0);
        let server = Server::new(tenantry_core::Sources::system()).await;
        for (number, case) in cases().into_iter().enumerate() {
            let prepared = Prepared::new(&case.fixture, &case.test).expect("a test");
            // A schema of its own takes a while; what is taken back needs none.
            let committed = number % 40 == 0;
            let own = if committed { Some(Server::new(prepared.sources()).await) } else { None };
            let server = own.as_ref().unwrap_or(&server);
            let store = server.with(prepared.sources()).await;
            let mut tx = server.pool.begin().await.expect("a transaction");
            let bound = tenantry_postgres::bind(&store, &mut tx);
            let (failures, seen) = inside(prepared, &bound, &bound).await;
            drop(bound);
            if committed {
                tenantry_postgres::commit(&store, tx).await.expect("a commit");
                commits += 1;
            } else {
                tx.rollback().await.expect("a rollback");
            }
            expect(&case, "postgres", &failures, committed, &seen, &store.dump().await.expect("its rows"));
            tests += 1;
        }
        println!("postgres: {tests} fixture tests inside a transaction, {commits} of them committed");
        assert!(tests > 1_000 && commits > 20);
    });
}
