//! Tests of the statements themselves, against a server.

use sqlx::{Connection, PgConnection, Row, raw_sql};
use tenantry_core::{Change, Load, LoadSpec, Plan, Timestamp, User, UserStatus};

use crate::apply::{Applied, apply};
use crate::list;
use crate::load::load;
use crate::migrations::migrate;
use crate::statements::{Schema, Statements};

async fn connection() -> PgConnection {
    let url = std::env::var("TENANTRY_TEST_POSTGRES_URL")
        .expect("TENANTRY_TEST_POSTGRES_URL is not set: run `cargo xtask test`, which starts a server");
    PgConnection::connect(&url).await.unwrap()
}

fn schema(name: &str) -> Schema {
    Schema::parse(&format!("tenantry_check_{}_{name}", std::process::id())).unwrap()
}

async fn discard(conn: &mut PgConnection, schema: &Schema) {
    raw_sql(schema.render(&format!("DROP SCHEMA \"{}\" CASCADE", schema.name())).text()).execute(conn).await.unwrap();
}

#[tokio::test]
async fn every_statement_prepares_under_two_schema_names() {
    for name in ["one", "two"] {
        let mut conn = connection().await;
        let schema = schema(name);
        migrate(&mut conn, &schema, Timestamp::MIN).await.unwrap();
        let statements = Statements::new(&schema, true);
        assert!(statements.all().len() > 30);
        for (what, sql) in statements.all() {
            let prepare = schema.render(&format!("PREPARE {what} AS {}", sql.as_str()));
            raw_sql(prepare.text()).execute(&mut conn).await.unwrap_or_else(|error| panic!("{name}.{what}: {error}"));
        }
        discard(&mut conn, &schema).await;
    }
}

#[tokio::test]
async fn migrating_twice_and_at_once_is_migrating_once() {
    let mut conn = connection().await;
    let schema = schema("at_once");
    let both = (0..4).map(|_| {
        let schema = schema.clone();
        tokio::spawn(async move { migrate(&mut connection().await, &schema, Timestamp::MIN).await.unwrap().pending.len() })
    });
    let mut applied = 0;
    for one in both.collect::<Vec<_>>() {
        applied += one.await.unwrap();
    }
    assert_eq!(applied, crate::migrations::MIGRATIONS.len());
    assert_eq!(crate::migrations::status(&mut conn, &schema).await.unwrap().pending.len(), 0);
    discard(&mut conn, &schema).await;
}

#[tokio::test]
async fn a_write_that_a_pooler_hands_to_another_process_is_not_made() {
    let mut conn = connection().await;
    let schema = schema("moved");
    migrate(&mut conn, &schema, Timestamp::MIN).await.unwrap();
    let statements = Statements::new(&schema, true);
    let loaded = load(&statements, &mut conn, Load { spec: &LoadSpec::Nothing, actor: None, at: Timestamp::MIN }).await.unwrap();
    let user = User {
        id: "usr_0196f3c21b7a7c3d9e4f5a6b7c8d9e0f".parse().unwrap(),
        status: UserStatus::Active,
        display_name: None,
        created_at: Timestamp::MIN,
        updated_at: Timestamp::MIN,
        revision: 0,
    };
    let plan = Plan { changes: vec![Change::InsertUser(user)], ..Plan::default() };
    let elsewhere = apply(&statements, &mut conn, &plan, loaded.backend_pid + 1).await.unwrap();
    assert!(matches!(elsewhere, Applied::Moved), "{elsewhere:?}");
    assert_eq!(list::dump(&statements, &mut conn).await.unwrap().users.len(), 0);
    let here = apply(&statements, &mut conn, &plan, loaded.backend_pid).await.unwrap();
    assert!(matches!(here, Applied::Done), "{here:?}");
    assert_eq!(list::dump(&statements, &mut conn).await.unwrap().users.len(), 1);
    discard(&mut conn, &schema).await;
}

/// Fills a schema with enough rows that a scan of a table would be the wrong plan.
async fn fill(conn: &mut PgConnection, schema: &Schema) {
    let sql = "
        INSERT INTO {s}user_account SELECT ('00000000-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid, 'active', NULL, 0, 'epoch', 'epoch'
            FROM generate_series(1, 20000) n;
        INSERT INTO {s}organization SELECT ('00000000-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid,
            CASE WHEN n > 9 THEN ('00000000-0000-7000-8000-' || lpad(to_hex(n / 10), 12, '0'))::uuid END,
            CASE WHEN n > 9 THEN ARRAY[('00000000-0000-7000-8000-' || lpad(to_hex(n / 10), 12, '0'))::uuid] ELSE '{}' END, 'active', 'x', 'x', 's' || n, true, true, 2, 'epoch', 'epoch'
            FROM generate_series(1, 5000) n;
        INSERT INTO {s}organization_slug SELECT slug, id FROM {s}organization;
        INSERT INTO {s}membership SELECT o.id, ('00000000-0000-7000-8001-' || lpad(to_hex(n), 12, '0'))::uuid,
            ('00000000-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid, '{owner}', 'active', NULL, NULL, NULL, NULL, 'epoch', 'epoch'
            FROM generate_series(1, 20000) n JOIN {s}organization o ON o.id = ('00000000-0000-7000-8000-' || lpad(to_hex(1 + n % 5000), 12, '0'))::uuid;
        INSERT INTO {s}event SELECT o.id, r, ('00000000-0000-7000-8002-' || lpad(to_hex(n * 2 + r), 12, '0'))::uuid, 'organization.created', 'system', NULL, 'epoch', '[]', '{}'
            FROM generate_series(1, 2) r, (SELECT id, row_number() OVER () n FROM {s}organization) o;
        INSERT INTO {s}store_event SELECT ('00000000-0000-7000-8003-' || lpad(to_hex(n), 12, '0'))::uuid, 'user.created', 'system', NULL, 'epoch', '[]', '{}'
            FROM generate_series(1, 20000) n;
        INSERT INTO {s}invitation SELECT o.id, ('00000000-0000-7000-8004-' || lpad(to_hex(n), 12, '0'))::uuid, 'i' || n, '{owner}',
            CASE WHEN n % 2 = 0 THEN 'pending' ELSE 'accepted' END, '[]', o.id, NULL, 'epoch', timestamptz 'epoch' + n * interval '1 day', NULL, NULL, n % 3 = 0
            FROM generate_series(1, 20000) n JOIN {s}organization o ON o.id = ('00000000-0000-7000-8000-' || lpad(to_hex(1 + n % 5000), 12, '0'))::uuid;
        INSERT INTO {s}tuple SELECT ('00000000-0000-7000-8005-' || lpad(to_hex(n), 12, '0'))::uuid, 'usr', ('00000000-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid,
            'viewer', 'proj', ('00000000-0000-7000-8006-' || lpad(to_hex(n / 10), 12, '0'))::uuid,
            CASE WHEN n % 3 > 0 THEN ('00000000-0000-7000-8000-' || lpad(to_hex(1 + n % 5000), 12, '0'))::uuid END, 'epoch', NULL,
            CASE WHEN n % 7 = 0 THEN timestamptz 'epoch' + n * interval '1 day' END
            FROM generate_series(1, 20000) n;
        INSERT INTO {s}permission SELECT 'things' || n || '.read', NULL, NULL, NULL, 'epoch', 'epoch' FROM generate_series(1, 5000) n;
        INSERT INTO {s}role SELECT ('00000000-0000-7000-8007-' || lpad(to_hex(n), 12, '0'))::uuid, o.id, 'clerk_' || chr(97 + n / 5000),
            'x', NULL, n % 5 = 0, 'epoch', 'epoch'
            FROM generate_series(1, 20000) n JOIN {s}organization o ON o.id = ('00000000-0000-7000-8000-' || lpad(to_hex(1 + n % 5000), 12, '0'))::uuid;
        INSERT INTO {s}permission_grant SELECT k.kind, ('00000000-0000-7000-800' || k.place || '-' || lpad(to_hex(n), 12, '0'))::uuid,
            'things' || 1 + n % 5000 || '.read', 'grant', NULL, 'epoch', NULL
            FROM generate_series(1, 5000) n CROSS JOIN (VALUES ('rol', 7), ('org', 0), ('mem', 1)) k (kind, place);
        INSERT INTO {s}user_group SELECT ('00000000-0000-7000-8008-' || lpad(to_hex(n), 12, '0'))::uuid, o.id, 'g' || n, 'x', 'epoch', 'epoch'
            FROM generate_series(1, 20000) n JOIN {s}organization o ON o.id = ('00000000-0000-7000-8000-' || lpad(to_hex(1 + n % 5000), 12, '0'))::uuid;
        INSERT INTO {s}group_member SELECT g.org_id, m.usr_id, g.id, NULL, 'epoch', NULL FROM {s}user_group g JOIN {s}membership m ON m.org_id = g.org_id;
        INSERT INTO {s}group_role SELECT g.id, r.id, r.slug, NULL, 'epoch', NULL FROM {s}user_group g JOIN {s}role r ON r.org_id = g.org_id;
    ";
    raw_sql(schema.render(sql).text()).execute(conn).await.unwrap();
}

/// Statements that read a whole table, or one in the order of its key, on purpose.
const WHOLE: [&str; 16] = [
    "dump_users",
    "dump_orgs",
    "dump_slugs",
    "dump_memberships",
    "dump_invitations",
    "dump_tuples",
    "dump_events",
    "dump_system",
    "dump_permissions",
    "dump_roles",
    "dump_grants",
    "dump_groups",
    "dump_group_members",
    "dump_group_roles",
    "all_orgs",
    // The catalog, of which patterns are about every entry.
    "load_role_grants",
];

const ANALYZE: &str = "ANALYZE {s}membership; ANALYZE {s}organization; ANALYZE {s}user_account; ANALYZE {s}event; \
    ANALYZE {s}store_event; ANALYZE {s}organization_slug; ANALYZE {s}invitation; ANALYZE {s}tuple; ANALYZE {s}permission; ANALYZE {s}role; \
    ANALYZE {s}permission_grant; ANALYZE {s}user_group; ANALYZE {s}group_member; ANALYZE {s}group_role; ANALYZE {s}system";

#[tokio::test]
async fn no_plan_for_any_parameters_scans_a_table() {
    // On full tables by cost; on fresh ones, where a scan is always cheapest, by asking whether another plan exists at all.
    for fresh in [true, false] {
        let mut conn = connection().await;
        raw_sql("SET plan_cache_mode = force_generic_plan").execute(&mut conn).await.unwrap();
        let schema = schema(if fresh { "plans_fresh" } else { "plans_full" });
        migrate(&mut conn, &schema, Timestamp::MIN).await.unwrap();
        let statements = Statements::new(&schema, true);
        if fresh {
            raw_sql(schema.render(ANALYZE).text()).execute(&mut conn).await.unwrap();
            raw_sql("SET enable_seqscan = off").execute(&mut conn).await.unwrap();
        } else {
            fill(&mut conn, &schema).await;
            raw_sql(schema.render(ANALYZE).text()).execute(&mut conn).await.unwrap();
        }
        for (what, sql) in statements.all().into_iter().filter(|(what, _)| !WHOLE.contains(what)) {
            raw_sql(schema.render(&format!("PREPARE {what} AS {}", sql.as_str())).text()).execute(&mut conn).await.unwrap();
            let parameters = (1..=12).rev().find(|n| sql.as_str().contains(&format!("${n}"))).unwrap_or(0);
            let nulls = vec!["NULL"; parameters].join(", ");
            let list = if parameters == 0 { String::new() } else { format!("({nulls})") };
            let rows = raw_sql(schema.render(&format!("EXPLAIN EXECUTE {what}{list}")).text()).fetch_all(&mut conn).await.unwrap();
            let plan: Vec<String> = rows.iter().map(|row| row.get::<String, _>(0)).collect();
            // One table has one row.
            let scan = plan.iter().find(|line| line.contains("Seq Scan on") && !line.contains("Seq Scan on system"));
            assert!(scan.is_none(), "{what} scans a table:\n{}", plan.join("\n"));
        }
        discard(&mut conn, &schema).await;
    }
}

/// Whom most of all grants belong to says nothing of whoever is asked about: with one role that grants nearly everything that is granted, to
/// read the whole table would look cheaper than the index.
#[tokio::test]
async fn a_check_looks_into_indexes_alone() {
    let mut conn = connection().await;
    raw_sql("SET plan_cache_mode = force_generic_plan").execute(&mut conn).await.unwrap();
    let schema = schema("plans_uneven");
    migrate(&mut conn, &schema, Timestamp::MIN).await.unwrap();
    let statements = Statements::new(&schema, true);
    fill(&mut conn, &schema).await;
    let uneven = "DELETE FROM {s}permission_grant; INSERT INTO {s}permission_grant \
        SELECT 'rol', CASE WHEN n > 20 THEN '{owner}'::uuid ELSE '00000000-0000-7000-8007-000000000001' END, 'things' || n || '.read', 'grant', \
        NULL, 'epoch', NULL FROM generate_series(1, 5000) n";
    raw_sql(schema.render(uneven).text()).execute(&mut conn).await.unwrap();
    raw_sql(schema.render("VACUUM ANALYZE {s}permission_grant").text()).execute(&mut conn).await.unwrap();
    raw_sql(schema.render(ANALYZE).text()).execute(&mut conn).await.unwrap();
    let mut plans = Vec::new();
    let checks = ["holding", "holding_each", "resolving", "resolving_each", "revisions", "revisions_each"];
    let others = ["facts_all", "facts_some", "facts_why"];
    for (what, sql) in statements.all() {
        if !checks.contains(&what) && !others.contains(&what) {
            continue;
        }
        raw_sql(schema.render(&format!("PREPARE {what} AS {}", sql.as_str())).text()).execute(&mut conn).await.unwrap();
        let parameters =
            if ["resolving", "facts_all", "revisions", "revisions_each"].contains(&what) { "NULL, NULL" } else { "NULL, NULL, NULL" };
        let explain = format!("EXPLAIN (COSTS OFF) EXECUTE {what}({parameters})");
        let rows = raw_sql(schema.render(&explain).text()).fetch_all(&mut conn).await.unwrap();
        let plan: Vec<String> = rows.iter().map(|row| row.get::<String, _>(0)).collect();
        assert!(plan.iter().all(|line| !line.contains("Seq Scan on permission_grant")), "{what}:\n{}", plan.join("\n"));
        if checks.contains(&what) {
            plans.push(format!("{what}:\n{}", plan.join("\n")));
        }
    }
    discard(&mut conn, &schema).await;
    insta::assert_snapshot!(plans.join("\n\n"));
}

/// A value of this type, of rows that [`fill`] made where there are such.
fn value(of: &str) -> &'static str {
    match of {
        "uuid" => "'00000000-0000-7000-8000-000000000007'",
        "uuid[]" => "ARRAY['00000000-0000-7000-8000-000000000007'::uuid]",
        "text" => "'usr'",
        "text[]" => "ARRAY['usr']",
        "timestamp with time zone" => "'1990-01-01Z'",
        "bigint" | "integer" => "50",
        "boolean" => "true",
        other => panic!("no value of {other}"),
    }
}

/// What a statement that is planned at each call costs is mostly that.
#[tokio::test]
async fn no_statement_is_planned_anew_at_every_call() {
    // The first three call functions. What there is to sweep depends on the moment, and what is on an object on the object. The last ones
    // serve several kinds of commands and lists, of which each call needs a part.
    const OTHERS: [&str; 10] = [
        "apply",
        "lock",
        "feed",
        "load_expired_invitations",
        "load_expired_tuples",
        "tuples_on_object",
        "load_access",
        "load_access_as",
        "grants",
        "permissions",
    ];
    let mut conn = connection().await;
    let schema = schema("plans_kept");
    migrate(&mut conn, &schema, Timestamp::MIN).await.unwrap();
    let statements = Statements::new(&schema, true);
    fill(&mut conn, &schema).await;
    raw_sql(schema.render(ANALYZE).text()).execute(&mut conn).await.unwrap();
    let mut anew = Vec::new();
    for (what, sql) in statements.all().into_iter().filter(|(what, _)| !OTHERS.contains(what) && !WHOLE.contains(what)) {
        raw_sql(schema.render(&format!("PREPARE {what} AS {}", sql.as_str())).text()).execute(&mut conn).await.unwrap();
        let types = format!("SELECT unnest(parameter_types)::text FROM pg_prepared_statements WHERE name = '{what}'");
        let types = raw_sql(schema.render(&types).text()).fetch_all(&mut conn).await.unwrap();
        let values: Vec<&str> = types.iter().map(|row| value(&row.get::<String, _>(0))).collect();
        let list = if values.is_empty() { String::new() } else { format!("({})", values.join(", ")) };
        for _ in 0..7 {
            raw_sql(schema.render(&format!("EXECUTE {what}{list}")).text()).execute(&mut conn).await.unwrap();
        }
        let plans = format!("SELECT generic_plans FROM pg_prepared_statements WHERE name = '{what}'");
        let kept: i64 = raw_sql(schema.render(&plans).text()).fetch_one(&mut conn).await.unwrap().get(0);
        if kept == 0 {
            anew.push(what);
        }
    }
    discard(&mut conn, &schema).await;
    assert!(anew.is_empty(), "planned anew at each call: {anew:?}");
}
