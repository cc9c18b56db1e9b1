//! What was written past the operations, by SQL, is found by its code, and nothing else is found.

use std::collections::BTreeSet;
use std::sync::Arc;

use sqlx::{AssertSqlSafe, Connection, PgConnection};
use tenantry_conformance::testing::World;
use tenantry_core::doctor::{Finding, Invariant, Repair, examine, repairs};
use tenantry_core::source::ManualClock;
use tenantry_core::{BackendError, BackendKind, Clock, Dump, Inspect, Slug, Sources, TenancyStore, Timestamp};

use crate::scene::{self, Ids};
use crate::{findings, support};

/// Statements of one store or of both. `{name}` is the id of that name, `{s}` stands before a table or an index, and `{late}` is
/// a moment.
enum Sql {
    Both(&'static str),
    Each { sqlite: &'static str, postgres: &'static str },
}

use Sql::{Both, Each};

const CASES: &[(&str, Sql, &[&str])] = &[
    ("a name that is none", Both("UPDATE {s}user_account SET display_name = '' WHERE id = {owner}"), &["doctor.unreadable"]),
    ("metadata that is none", Both("UPDATE {s}membership SET metadata = '[]' WHERE id = {member_mem}"), &["doctor.unreadable"]),
    ("an event that is none", Both("UPDATE {s}event SET data = '{}' WHERE org_id = {org} AND revision = 1"), &["doctor.unreadable"]),
    (
        "a membership in two organizations",
        Both(
            "DROP INDEX {s}membership_id; INSERT INTO {s}membership (org_id, id, usr_id, role_id, status, created_at, updated_at) \
             SELECT {child}, id, usr_id, role_id, status, created_at, updated_at FROM {s}membership WHERE id = {member_mem}",
        ),
        &["doctor.id_twice", "doctor.row_untold"],
    ),
    (
        "a membership of nothing",
        Both("UPDATE {s}membership SET org_id = {nobody} WHERE id = {suspended_mem}"),
        &["doctor.org_missing", "doctor.row_missing"],
    ),
    (
        "a scope that is none",
        Both("UPDATE {s}tuple SET org_id = {nobody} WHERE id = {scoped_tup}"),
        &["doctor.org_missing", "doctor.not_a_member"],
    ),
    (
        "an organization that went",
        Both("DELETE FROM {s}organization WHERE id = {gone_child}"),
        &["doctor.org_missing", "doctor.org_missing", "doctor.row_missing"],
    ),
    ("a membership that went", Both("DELETE FROM {s}membership WHERE id = {suspended_mem}"), &["doctor.row_missing"]),
    ("an imported membership that went", Both("DELETE FROM {s}membership WHERE id = {imported_guest}"), &["doctor.row_untold"]),
    ("an invitation that went", Both("DELETE FROM {s}invitation WHERE id = {declined_inv}"), &["doctor.row_missing"]),
    ("an imported invitation that went", Both("DELETE FROM {s}invitation WHERE id = {imported_inv}"), &["doctor.row_untold"]),
    ("a user who went", Both("DELETE FROM {s}user_account WHERE id = {revoked_user}"), &["doctor.row_missing"]),
    ("a revoked user made active", Both("UPDATE {s}user_account SET status = 'active' WHERE id = {revoked_user}"), &["doctor.user_log"]),
    ("a user's revision set back", Both("UPDATE {s}user_account SET revision = 0 WHERE id = {suspended_user}"), &["doctor.user_revision"]),
    (
        "a parent that is not there",
        Both("UPDATE {s}organization SET parent_id = {nobody} WHERE id = {child}"),
        &["doctor.parent_missing", "doctor.org_log", "doctor.org_log"],
    ),
    (
        "a circle of parents",
        Both("UPDATE {s}organization SET parent_id = {child} WHERE id = {org}"),
        &["doctor.parent_cycle", "doctor.parent_cycle", "doctor.org_log"],
    ),
    (
        "twelve levels",
        Both("UPDATE {s}organization SET parent_id = {bottom} WHERE id = {org}"),
        &[
            "doctor.max_depth",
            "doctor.max_depth",
            "doctor.max_depth",
            "doctor.ancestors",
            "doctor.ancestors",
            "doctor.ancestors",
            "doctor.org_log",
        ],
    ),
    (
        "no ancestors",
        Each {
            sqlite: "UPDATE {s}organization SET ancestors = x'' WHERE id = {child}",
            postgres: "UPDATE {s}organization SET ancestors = '{}' WHERE id = {child}",
        },
        &["doctor.ancestors"],
    ),
    (
        "ancestors of another tree",
        Each {
            sqlite: "UPDATE {s}organization SET ancestors = {gone} WHERE id = {child}",
            postgres: "UPDATE {s}organization SET ancestors = ARRAY[{gone}] WHERE id = {child}",
        },
        &["doctor.ancestors"],
    ),
    (
        "an active child of a revoked parent",
        Both("UPDATE {s}organization SET status = 'active' WHERE id = {gone_child}"),
        &["doctor.outlived_parent", "doctor.no_active_owner", "doctor.org_log"],
    ),
    ("one slug for two", Both("UPDATE {s}organization SET slug = 'acme' WHERE id = {child}"), &["doctor.slug_twice", "doctor.org_log"]),
    (
        "a slug held by another",
        Both("UPDATE {s}organization_slug SET org_id = {child} WHERE slug = 'acme'"),
        &["doctor.slug_stale", "doctor.slug_missing"],
    ),
    ("a slug that nobody holds", Both("DELETE FROM {s}organization_slug WHERE slug = 'acme'"), &["doctor.slug_missing"]),
    ("a slug of nobody", Both("INSERT INTO {s}organization_slug (slug, org_id) VALUES ('x', {nobody})"), &["doctor.slug_stale"]),
    ("no seats", Both("UPDATE {s}organization SET seat_limit = 0 WHERE id = {imported}"), &["doctor.seat_limit"]),
    (
        "owners who went",
        Both("UPDATE {s}membership SET status = 'suspended' WHERE id = {owner_mem}"),
        &["doctor.no_active_owner", "doctor.membership_log"],
    ),
    (
        "a revoked owner alone",
        Both("UPDATE {s}membership SET usr_id = {revoked_user} WHERE id = {imported_owner}"),
        &["doctor.no_active_owner"],
    ),
    ("a revision too high", Both("UPDATE {s}organization SET revision = revision + 1 WHERE id = {org}"), &["doctor.revision"]),
    ("a revision too low", Both("UPDATE {s}organization SET revision = revision - 1 WHERE id = {org}"), &["doctor.revision"]),
    (
        "a suspended organization made active",
        Both("UPDATE {s}organization SET status = 'active' WHERE id = {suspended_org}"),
        &["doctor.org_log"],
    ),
    (
        "an end that is stored",
        Each {
            sqlite: "UPDATE {s}membership SET status = 'expired' WHERE id = {member_mem}",
            postgres: "ALTER TABLE {s}membership DROP CONSTRAINT membership_status_check; \
                       UPDATE {s}membership SET status = 'expired' WHERE id = {member_mem}",
        },
        &["doctor.stored_expired", "doctor.membership_log"],
    ),
    ("an owner with an end", Both("UPDATE {s}membership SET expires_at = {late} WHERE id = {owner_mem}"), &["doctor.owner_expires"]),
    (
        "a former row in force",
        Both("DROP INDEX {s}membership_current; UPDATE {s}membership SET status = 'active' WHERE id = {second_mem}"),
        &["doctor.membership_twice", "doctor.replaced_current", "doctor.membership_log"],
    ),
    (
        "a member of a revoked organization",
        Both("UPDATE {s}membership SET status = 'active' WHERE id = {gone_mem}"),
        &["doctor.outlived_org", "doctor.membership_log"],
    ),
    (
        "an invitation to a revoked organization",
        Both("UPDATE {s}invitation SET status = 'pending', terminal_at = NULL WHERE id = {gone_inv}"),
        &["doctor.outlived_org"],
    ),
    (
        "a predecessor that is not there",
        Both("UPDATE {s}membership SET replaces = {nobody} WHERE id = {third_mem}"),
        &["doctor.replaced_missing", "doctor.membership_log"],
    ),
    (
        "a predecessor of another organization",
        Both("UPDATE {s}membership SET replaces = {gone_mem} WHERE id = {third_mem}"),
        &["doctor.replaced_elsewhere", "doctor.membership_log"],
    ),
    (
        "two rows that replace one",
        Both("UPDATE {s}membership SET replaces = {first_mem} WHERE id = {third_mem}"),
        &["doctor.replaced_twice", "doctor.membership_log"],
    ),
    (
        "a circle of rows",
        Both("UPDATE {s}membership SET replaces = {second_mem} WHERE id = {first_mem}"),
        &["doctor.replaced_twice", "doctor.replaced_cycle", "doctor.membership_log"],
    ),
    ("a return by nobody", Both("UPDATE {s}membership SET status = 'active' WHERE id = {left_mem}"), &["doctor.membership_log"]),
    (
        "another role",
        Both("UPDATE {s}membership SET role_id = (SELECT role_id FROM {s}membership WHERE id = {second_mem}) WHERE id = {third_mem}"),
        &["doctor.membership_log"],
    ),
    (
        "an accepted invitation without its user",
        Both("UPDATE {s}invitation SET invited_user_id = NULL WHERE id = {accepted_inv}"),
        &["doctor.invitation_end"],
    ),
    (
        "an expired one that another day ended",
        Both("UPDATE {s}invitation SET terminal_at = {late} WHERE id = {swept_inv}"),
        &["doctor.invitation_end"],
    ),
    (
        "two pending invitations for one identifier",
        Both(
            "DROP INDEX {s}invitation_pending; UPDATE {s}invitation SET status = 'pending', terminal_at = NULL, \
             identifier = (SELECT identifier FROM {s}invitation WHERE id = {pending_inv}) WHERE id = {declined_inv}",
        ),
        &["doctor.invitation_twice", "doctor.invitation_log", "doctor.invitation_log"],
    ),
    (
        "a promise twice",
        Both(
            "UPDATE {s}invitation SET pre_tuples = '[{\"relation\":\"editor\",\"object_type\":\"doc\",\
             \"object_id\":\"01960000-0000-7000-8000-00000000d0c1\"},{\"relation\":\"editor\",\"object_type\":\"doc\",\
             \"object_id\":\"01960000-0000-7000-8000-00000000d0c1\"}]' WHERE id = {pending_inv}",
        ),
        &["doctor.promises"],
    ),
    (
        "a promise on an organization",
        Both(
            "UPDATE {s}invitation SET pre_tuples = '[{\"relation\":\"parent\",\"object_type\":\"org\",\
             \"object_id\":\"01960000-0000-7000-8000-00000000d0c1\"}]' WHERE id = {pending_inv}",
        ),
        &["doctor.promise_on_org"],
    ),
    (
        "one made pending again",
        Both("UPDATE {s}invitation SET status = 'pending', terminal_at = NULL WHERE id = {declined_inv}"),
        &["doctor.invitation_log"],
    ),
    (
        "one tuple twice",
        Both(
            "DROP INDEX {s}tuple_key; INSERT INTO {s}tuple (id, subject_type, subject_id, relation, object_type, object_id, created_at) \
             SELECT {nobody}, subject_type, subject_id, relation, object_type, object_id, created_at FROM {s}tuple WHERE id = {open_tup}",
        ),
        &["doctor.tuple_twice"],
    ),
    (
        "a subject that is none",
        Each {
            // This store refuses to read it.
            sqlite: "UPDATE {s}tuple SET subject_id = zeroblob(16) WHERE id = {open_tup}",
            postgres: "UPDATE {s}tuple SET subject_id = '00000000-0000-0000-0000-000000000000' WHERE id = {open_tup}",
        },
        &["doctor.tuple_entity"],
    ),
    (
        "a tuple of a stranger",
        Both("UPDATE {s}tuple SET subject_id = {stranger} WHERE id = {kept_tup}"),
        &["doctor.not_a_member", "doctor.tuple_log"],
    ),
    (
        "a role that is stored",
        Both("UPDATE {s}tuple SET relation = 'owner', object_type = 'org', object_id = {org} WHERE id = {open_tup}"),
        &["doctor.stored_role"],
    ),
    ("a tuple that came back", Both("UPDATE {s}tuple SET id = {deleted_tup} WHERE id = {kept_tup}"), &["doctor.tuple_log"]),
    ("a role without a name", Both("UPDATE {s}role SET name = '' WHERE id = {role}"), &["doctor.unreadable"]),
    (
        "two roles of one slug",
        Both("DROP INDEX {s}role_slug; UPDATE {s}role SET slug = 'clerk' WHERE id = {spare_role}"),
        &["doctor.role_slug_twice"],
    ),
    ("a role that went", Both("DELETE FROM {s}role WHERE id = {role}"), &["doctor.role_missing", "doctor.holder_missing"]),
    (
        "a member with a role of elsewhere",
        Both("UPDATE {s}membership SET role_id = {role}, role_slug = 'clerk' WHERE id = {imported_guest}"),
        &["doctor.role_missing"],
    ),
    (
        "a member whose role is called otherwise",
        Both("UPDATE {s}membership SET role_id = {role}, role_slug = 'boss' WHERE id = {member_mem}"),
        &["doctor.membership_log", "doctor.role_missing"],
    ),
    (
        "two groups of one slug",
        Both(
            "DROP INDEX {s}user_group_slug; INSERT INTO {s}user_group (id, org_id, slug, name, created_at, updated_at) \
             SELECT {nobody}, org_id, slug, name, created_at, updated_at FROM {s}user_group",
        ),
        &["doctor.group_slug_twice"],
    ),
    (
        "a group that went",
        Each {
            sqlite: "DELETE FROM {s}user_group WHERE id = {group}",
            postgres: "ALTER TABLE {s}group_member DROP CONSTRAINT group_member_group_id_fkey; \
                       ALTER TABLE {s}group_role DROP CONSTRAINT group_role_group_id_fkey; DELETE FROM {s}user_group WHERE id = {group}",
        },
        &["doctor.group_missing"],
    ),
    ("a stranger in a group", Both("UPDATE {s}group_member SET usr_id = {stranger}"), &["doctor.not_of_the_group"]),
    (
        "an override of nobody",
        Both("UPDATE {s}permission_grant SET holder_id = {nobody} WHERE holder_type = 'org' AND effect = 'deny'"),
        &["doctor.holder_missing"],
    ),
    (
        "a permission that went",
        Each {
            sqlite: "DELETE FROM {s}permission WHERE slug = 'doc.write'",
            postgres: "ALTER TABLE {s}permission_grant DROP CONSTRAINT permission_grant_permission_fkey; \
                       DELETE FROM {s}permission WHERE slug = 'doc.write'",
        },
        &["doctor.permission_missing", "doctor.permission_missing"],
    ),
    (
        "an event in the wrong log",
        Both("UPDATE {s}event SET type = 'user.created' WHERE org_id = {gone} AND revision = 2"),
        &["doctor.row_untold", "doctor.event_place", "doctor.event_subjects"],
    ),
    ("an event that went", Both("DELETE FROM {s}event WHERE org_id = {org} AND revision = 3"), &["doctor.event_gap"]),
    (
        "a log that begins in the middle",
        Both("UPDATE {s}event SET type = 'organization.updated' WHERE org_id = {child} AND revision = 1"),
        &["doctor.log_start"],
    ),
    (
        "an event about nothing",
        Both("UPDATE {s}event SET subject_ids = '[]' WHERE org_id = {org} AND revision = 1"),
        &["doctor.event_subjects"],
    ),
    ("an event without its place", Both("UPDATE {s}event SET position = 0 WHERE org_id = {org} AND revision = 3"), &["doctor.feed_gap"]),
    (
        "two events that changed places",
        Both(
            "UPDATE {s}event SET position = position + 1000000 WHERE org_id = {org} AND revision IN (1, 2); \
             UPDATE {s}event SET position = position - 1000000 + CASE revision WHEN 1 THEN 1 ELSE -1 END \
             WHERE org_id = {org} AND revision IN (1, 2)",
        ),
        &["doctor.feed_order"],
    ),
];

/// How a store writes what the SQL of a case leaves open.
struct Dialect {
    /// What stands before the name of a table, and of an index.
    prefix: String,
    id: fn(&str) -> String,
    late: &'static str,
}

impl Dialect {
    fn fill(&self, sql: &str, ids: &Ids) -> String {
        let mut sql = sql.replace("{s}", &self.prefix).replace("{late}", self.late);
        for (name, id) in ids {
            sql = sql.replace(&format!("{{{name}}}"), &(self.id)(id.split_once('_').expect("an id").1));
        }
        sql
    }
}

/// What is found for each case, where it is not what is expected.
#[derive(Default)]
struct Wrong(Vec<String>);

impl Wrong {
    fn compare(&mut self, name: &str, found: &[Finding], expected: &[&str]) {
        if found.iter().map(Finding::code).ne(expected.iter().copied()) {
            let lines = found.iter().map(|finding| format!("\n    {} {:?}: {}", finding.code(), finding.ids, finding.message));
            self.0.push(format!("{name}:{}", lines.collect::<String>()));
        }
    }
}

impl Drop for Wrong {
    fn drop(&mut self) {
        assert!(self.0.is_empty() || std::thread::panicking(), "{}", self.0.join("\n"));
    }
}

fn sources() -> (Sources, Arc<ManualClock>) {
    Sources::deterministic("2026-01-01T00:00:00Z".parse().expect("a time"), 1)
}

/// Each damage is done to a copy of one file.
// covers: DOC-2
#[test]
fn each_damage_is_found_in_sqlite() {
    let dialect = Dialect { prefix: "tenantry_".to_owned(), id: |hex| format!("x'{hex}'"), late: "253370764800000000" };
    let folder = tempfile::tempdir().expect("a folder");
    let (sources, clock) = sources();
    let options = || tenantry_sqlite::Options::new().durability(tenantry_sqlite::Durability::Normal);
    let whole = folder.path().join("whole.db");
    let mut wrong = Wrong::default();
    support::block_on(async {
        let store = options().sources(sources).open(&whole).expect("a store");
        let ids = scene::build(&store, &clock).await;
        wrong.compare("nothing", &findings(&store, &store, clock.now()).await, &[]);
        drop(store);
        for (number, (name, sql, expected)) in CASES.iter().enumerate() {
            let copy = folder.path().join(format!("{number}.db"));
            let file = rusqlite::Connection::open(&whole).expect("it opens");
            file.execute("VACUUM INTO ?1", [copy.to_str().expect("UTF-8")]).expect("a copy");
            let file = rusqlite::Connection::open(&copy).expect("it opens");
            let (Both(sql) | Each { sqlite: sql, .. }) = sql;
            let sql = dialect.fill(sql, &ids);
            let triggers = ["event_stays", "event_is_kept"].map(|name| format!("DROP TRIGGER tenantry_{name};")).concat();
            let damage = format!("PRAGMA foreign_keys = OFF; PRAGMA ignore_check_constraints = ON; BEGIN; {triggers} {sql}; COMMIT;");
            file.execute_batch(&damage).unwrap_or_else(|error| panic!("{sql}: {error}"));
            drop(file);
            let store = options().open(&copy).expect("a store");
            // What the other store reads, this one refuses to.
            let expected = if *expected == ["doctor.tuple_entity"] { &["doctor.unreadable"][..] } else { expected };
            wrong.compare(name, &findings(&store, &store, clock.now()).await, expected);
        }
    });
}

/// Each damage is done in a transaction that is rolled back, and the doctor looks at it from inside.
// covers: DOC-2
#[test]
fn each_damage_is_found_in_postgres() {
    let (sources, clock) = sources();
    let mut wrong = Wrong::default();
    let schema = support::block_on(async {
        let schema = support::Schema::new().await.expect("a schema");
        let prefix = format!("\"{}\".", schema.name);
        let dialect = Dialect { prefix, id: |hex| format!("'{hex}'::uuid"), late: "timestamptz '9999-01-01 00:00:00+00'" };
        let options = tenantry_postgres::Options::new().schema(&schema.name).migrate(true).sources(sources).max_connections(2);
        let store = options.connect(&schema.url).await.expect("a store");
        let ids = scene::build(&store, &clock).await;
        // With it, each event gets its place in the feed.
        wrong.compare("nothing", &findings(&store, &store, clock.now()).await, &[]);
        let mut server = PgConnection::connect(&schema.url).await.expect("a connection");
        for (name, sql, expected) in CASES {
            let (Both(sql) | Each { postgres: sql, .. }) = sql;
            let links = ["organization_parent_id", "membership_org_id", "invitation_org_id", "tuple_org_id"].map(|link| {
                let table = link.split_once('_').expect("a table").0;
                format!("ALTER TABLE {}{table} DROP CONSTRAINT {link}_fkey;", dialect.prefix)
            });
            let sql = format!("{} {}", links.concat(), dialect.fill(sql, &ids));
            let mut tx = server.begin().await.expect("a transaction");
            sqlx::raw_sql(AssertSqlSafe(sql.as_str())).execute(&mut *tx).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
            let bound = tenantry_postgres::bind(&store, &mut tx);
            wrong.compare(name, &findings(&bound, &bound, clock.now()).await, expected);
            drop(bound);
            tx.rollback().await.expect("as before");
        }
        server.close().await.expect("closed");
        schema
    });
    drop(schema);
}

/// What follows from other rows, and what then is to be done.
const MENDED: [&str; 7] = [
    "no ancestors",
    "ancestors of another tree",
    "a slug held by another",
    "a slug that nobody holds",
    "a slug of nobody",
    "a revision too low",
    // Everything at once.
    "",
];

/// The statements of a case that can be mended, or of all of them.
fn mendable(name: &str, choose: impl Fn(&Sql) -> &'static str) -> Vec<&'static str> {
    let chosen = CASES.iter().filter(|(case, ..)| if name.is_empty() { MENDED.contains(case) } else { *case == name });
    // One of two that change the same row is enough.
    chosen
        .filter(|(case, ..)| !name.is_empty() || !["ancestors of another tree", "a slug held by another"].contains(case))
        .map(|(_, sql, _)| choose(sql))
        .collect()
}

/// Mends a damaged store, and compares its rows with those before.
async fn mend<S: TenancyStore + Inspect>(store: &S, now: Timestamp, name: &str, whole: &Dump) {
    let found = findings(store, store, now).await;
    assert!(!found.is_empty() && found.iter().all(|finding| finding.repair.is_some()), "{name}: {found:#?}");
    let repairs = repairs(&found);
    // What is not as it is expected any more keeps all the others from being written.
    let damaged = store.dump().await.expect("a dump");
    let nowhere = Repair::DropSlug { slug: Slug::parse("nowhere").expect("a slug"), org_id: damaged.organizations[0].id };
    let refused = store.repair(repairs.iter().cloned().chain([nowhere]).collect()).await;
    assert!(!refused.expect("an answer") && store.dump().await.expect("a dump") == damaged, "{name}: written in part");
    assert!(store.repair(repairs.clone()).await.expect("an answer"), "{name}: {repairs:?}");
    assert!(store.dump().await.expect("a dump") == *whole, "{name}: other rows than before");
    assert!(findings(store, store, now).await.is_empty(), "{name}");
    // A second time there is nothing to mend, so that it is refused.
    assert!(!store.repair(repairs).await.expect("an answer"), "{name}: mended twice");
    assert!(store.repair(Vec::new()).await.expect("an answer"), "{name}");
}

/// Whether the owner may do in the child what the organization above it grants: decided by the ancestors that are kept with it.
async fn reads_below(store: &dyn TenancyStore, ids: &Ids) -> bool {
    let (owner, child) = (ids["owner"].parse().expect("a user"), ids["child"].parse().expect("an organization"));
    store.has_permission(owner, child, World::READ).await.expect("an answer")
}

// covers: DOC-4, DOC-5
#[test]
fn what_follows_from_other_rows_is_mended_in_sqlite() {
    let dialect = Dialect { prefix: "tenantry_".to_owned(), id: |hex| format!("x'{hex}'"), late: "253370764800000000" };
    let folder = tempfile::tempdir().expect("a folder");
    let (sources, clock) = sources();
    let path = folder.path().join("store.db");
    support::block_on(async {
        let store = tenantry_sqlite::Options::new().sources(sources).open(&path).expect("a store");
        let ids = scene::build(&store, &clock).await;
        let whole = store.dump().await.expect("a dump");
        for name in MENDED {
            let file = rusqlite::Connection::open(&path).expect("it opens");
            for sql in mendable(name, |sql| match sql {
                Both(sql) | Each { sqlite: sql, .. } => sql,
            }) {
                file.execute_batch(&dialect.fill(sql, &ids)).unwrap_or_else(|error| panic!("{sql}: {error}"));
            }
            assert_eq!(reads_below(&store, &ids).await, !(name.is_empty() || name.contains("ancestors")), "{name}");
            mend(&store, clock.now(), name, &whole).await;
            assert!(reads_below(&store, &ids).await, "{name}: mended");
        }
    });
}

// covers: DOC-4, DOC-5
#[test]
fn what_follows_from_other_rows_is_mended_in_postgres() {
    let (sources, clock) = sources();
    let schema = support::block_on(async {
        let schema = support::Schema::new().await.expect("a schema");
        let prefix = format!("\"{}\".", schema.name);
        let dialect = Dialect { prefix, id: |hex| format!("'{hex}'::uuid"), late: "timestamptz '9999-01-01 00:00:00+00'" };
        let options = tenantry_postgres::Options::new().schema(&schema.name).migrate(true).sources(sources).max_connections(2);
        let store = options.connect(&schema.url).await.expect("a store");
        let ids = scene::build(&store, &clock).await;
        let whole = store.dump().await.expect("a dump");
        let mut server = PgConnection::connect(&schema.url).await.expect("a connection");
        for name in MENDED {
            for sql in mendable(name, |sql| match sql {
                Both(sql) | Each { postgres: sql, .. } => sql,
            }) {
                let sql = dialect.fill(sql, &ids);
                sqlx::raw_sql(AssertSqlSafe(sql.as_str())).execute(&mut server).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
            }
            assert_eq!(reads_below(&store, &ids).await, !(name.is_empty() || name.contains("ancestors")), "{name}");
            mend(&store, clock.now(), name, &whole).await;
            assert!(reads_below(&store, &ids).await, "{name}: mended");
        }
        // Inside a transaction of the caller, rows are not mended.
        let mut tx = server.begin().await.expect("a transaction");
        let bound = tenantry_postgres::bind(&store, &mut tx);
        let repair = Repair::DropSlug { slug: Slug::parse("nowhere").expect("a slug"), org_id: whole.organizations[0].id };
        assert_eq!(bound.repair(vec![repair]).await.unwrap_err().code(), "backend.other");
        drop(bound);
        drop(tx);
        server.close().await.expect("closed");
        schema
    });
    drop(schema);
}

/// A transaction of the caller takes repairs back when it does not come to its end.
#[test]
fn repairs_are_a_part_of_the_caller_s_transaction_in_sqlite() {
    let dialect = Dialect { prefix: "tenantry_".to_owned(), id: |hex| format!("x'{hex}'"), late: "253370764800000000" };
    let folder = tempfile::tempdir().expect("a folder");
    let (sources, clock) = sources();
    let path = folder.path().join("store.db");
    let store = tenantry_sqlite::Options::new().sources(sources).open(&path).expect("a store");
    let ids = support::block_on(scene::build(&store, &clock));
    let file = rusqlite::Connection::open(&path).expect("it opens");
    file.execute_batch(&dialect.fill("DELETE FROM {s}organization_slug WHERE slug = 'acme'", &ids)).expect("damaged");
    let damaged = support::block_on(store.dump()).expect("a dump");
    let mend = repairs(&examine(&damaged, clock.now()));
    let outcome = tenantry_sqlite::with_transaction(&store, |tx| {
        assert!(tx.get_org_by_slug("acme").is_err());
        assert!(support::block_on(tx.engine().repair(mend.clone())).expect("an answer"));
        assert!(tx.get_org_by_slug("acme").is_ok());
        Err::<(), BackendError>(BackendError::new(BackendKind::Other, "changed my mind"))
    });
    assert!(outcome.is_err() && support::block_on(store.dump()).expect("a dump") == damaged);
}

#[test]
fn every_invariant_is_broken_by_some_statement() {
    let broken: BTreeSet<&str> = CASES.iter().flat_map(|(_, _, codes)| codes.iter().copied()).collect();
    let missing: Vec<&str> = Invariant::ALL.iter().map(|one| one.code()).filter(|code| !broken.contains(code)).collect();
    assert!(missing.is_empty(), "{missing:?}");
}
