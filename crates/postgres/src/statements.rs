//! Every statement, rendered once for one schema. The only place that vouches for SQL text that is not a literal:
//! what is put in is the schema's name, checked by [`Schema::parse`], and the fixed id of a role.

use std::sync::Arc;

use sqlx::postgres::PgArguments;
use sqlx::query::Query;
use sqlx::{AssertSqlSafe, Postgres, SqlSafeStr, SqlStr, query};
use tenantry_core::{BackendError, BackendKind, Role, migration};

/// A schema's name: 1 to 63 of `a-z`, `0-9` and `_`, no digit first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Schema(String);

impl Schema {
    pub(crate) fn parse(name: &str) -> Result<Self, BackendError> {
        let first = name.bytes().next().is_some_and(|b| b.is_ascii_lowercase() || b == b'_');
        let rest = name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
        if first && rest && name.len() <= 63 && !name.starts_with("pg_") {
            Ok(Self(name.to_owned()))
        } else {
            let message = "a schema's name has 1 to 63 of `a-z`, `0-9` and `_`, does not begin with a digit and not with `pg_`";
            Err(BackendError::new(BackendKind::Schema, message))
        }
    }

    pub(crate) fn name(&self) -> &str {
        &self.0
    }

    /// The text with the schema's name, and the owner role's id, in their places.
    pub(crate) fn render(&self, sql: &str) -> Sql {
        let owner = Role::Owner.id().as_uuid().to_string();
        Sql(migration::render(sql, &format!("\"{}\".", self.0)).replace("{owner}", &owner).into())
    }
}

/// A rendered statement.
#[derive(Debug, Clone)]
pub(crate) struct Sql(Arc<str>);

impl Sql {
    pub(crate) fn text(&self) -> SqlStr {
        AssertSqlSafe(Arc::clone(&self.0)).into_sql_str()
    }

    #[cfg(test)]
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

/// A statement that is run many times.
#[derive(Debug, Clone)]
pub(crate) struct Statement {
    sql: Sql,
    /// Whether the server keeps it prepared under a name.
    named: bool,
}

impl Statement {
    pub(crate) fn query<'q>(&self) -> Query<'q, Postgres, PgArguments> {
        query(self.sql.text()).persistent(self.named)
    }
}

macro_rules! statements {
    ($($(#[$doc:meta])* $name:ident = $sql:expr;)+) => {
        /// The statements of one store.
        #[derive(Debug, Clone)]
        pub(crate) struct Statements {
            $($(#[$doc])* pub(crate) $name: Statement,)+
        }

        impl Statements {
            pub(crate) fn new(schema: &Schema, named: bool) -> Self {
                Self { $($name: Statement { sql: schema.render(&$sql), named },)+ }
            }

            /// Each statement with its name.
            #[cfg(test)]
            pub(crate) fn all(&self) -> Vec<(&'static str, &Sql)> {
                vec![$((stringify!($name), &self.$name.sql),)+]
            }
        }
    };
}

/// The columns of each table, in the order in which [`crate::codec`] reads them; `@` is the table's alias.
const USER: &str = "@.id, @.status, @.display_name, @.revision, @.created_at, @.updated_at";
const ORG: &str = "@.id, @.parent_id, @.ancestors, @.status, @.name, @.slug, @.cascade_permissions, @.inherit_permissions, \
    @.revision, @.created_at, @.updated_at";
const MEM: &str = "@.id, @.usr_id, @.org_id, @.role_id, @.status, @.replaces, @.invited_by, @.removed_by, @.expires_at, \
    @.created_at, @.updated_at";

fn columns(columns: &str, alias: &str) -> String {
    columns.replace('@', alias)
}

/// One row of a table as one value, null when there is none: a scalar sub-select, so that the plan stays a chain of look-ups.
fn one(table: &str, alias: &str, what: &str, filter: &str) -> String {
    format!("(SELECT ROW({}) FROM {{s}}{table} {alias} WHERE {filter})", columns(what, alias))
}

/// Another acting owner of the organization `{org}` than the user `{usr}`, as (user, revision of their row or null).
fn other_owner(org: &str, usr: &str) -> String {
    format!(
        "(SELECT ROW(w.usr_id, wu.revision) FROM {{s}}membership w LEFT JOIN {{s}}user_account wu ON wu.id = w.usr_id \
         WHERE w.org_id = {org} AND w.usr_id <> {usr} AND w.status = 'active' AND w.role_id = '{{owner}}' \
         AND (wu.id IS NULL OR wu.status = 'active') ORDER BY w.id LIMIT 1)"
    )
}

fn load_member(peer: bool) -> String {
    let peer_columns = format!(
        ", {}, {}, ARRAY(SELECT a.status FROM {{s}}organization a WHERE a.id = m.org_id OR a.id = ANY \
         ((SELECT o.ancestors FROM {{s}}organization o WHERE o.id = m.org_id)::uuid[]) ORDER BY a.id)",
        one("membership", "p", MEM, "p.org_id = m.org_id AND p.usr_id = $2 AND p.status <> 'revoked'"),
        one("user_account", "v", USER, "v.id = $2"),
    );
    format!(
        "SELECT pg_backend_pid(), ROW({}), {}, {}, {}{} FROM {{s}}membership m WHERE m.id = $1",
        columns(MEM, "m"),
        one("organization", "o", ORG, "o.id = m.org_id"),
        one("user_account", "u", USER, "u.id = m.usr_id"),
        other_owner("m.org_id", "m.usr_id"),
        if peer { peer_columns } else { String::new() },
    )
}

/// A page of rows that belong to the organization `$1`, and first whether it is there: one row of nulls when it has none.
fn of_org(table: &str, alias: &str, what: &str, filter: &str) -> String {
    format!(
        "SELECT EXISTS (SELECT FROM {{s}}organization WHERE id = $1), {} FROM (SELECT) one \
         LEFT JOIN LATERAL (SELECT * FROM {{s}}{table} t WHERE {filter} ORDER BY t.id LIMIT $2) {alias} ON true ORDER BY {alias}.id",
        columns(what, alias)
    )
}

fn page(table: &str, alias: &str, what: &str, filter: &str) -> String {
    format!("SELECT {} FROM {{s}}{table} {alias} WHERE {filter} ORDER BY {alias}.id LIMIT $1", columns(what, alias))
}

/// Stored status and, where asked for, how the end lies to a moment: `$a` status or null, `$b` moment or null, `$c` behind it.
fn status_filter(alias: &str, [status, moment, behind]: [u8; 3]) -> String {
    format!(
        "(${status}::text IS NULL OR {alias}.status = ${status}) AND (${moment}::timestamptz IS NULL OR \
         CASE WHEN ${behind}::boolean THEN {alias}.expires_at IS NULL OR {alias}.expires_at > ${moment} ELSE {alias}.expires_at <= ${moment} END)"
    )
}

const EVENT: &str = "@.id, @.org_id, @.revision, @.type, @.actor_type, @.actor_id, @.at, @.subject_ids, @.data";

statements! {
    /// `$1` guards, `$2` moment, `$3` changes, `$4` events, `$5` the server process that the load came from: a pooler may hand
    /// the write to another one, and then a lost connection could not be looked into.
    apply = "SELECT CASE WHEN pg_backend_pid() = $5 THEN {s}apply_v1($1::jsonb, $2, $3::jsonb, $4::jsonb) ELSE 'moved' END";
    /// `$1` presence, `$2` users, `$3` organizations.
    lock = "SELECT {s}lock_v1($1, $2, $3)";
    /// `$1` the server process that had the write in hand. Whether this is a server that would know, and whether it still lives.
    backend_lives = "SELECT NOT pg_is_in_recovery(), EXISTS (SELECT FROM pg_stat_activity WHERE pid = $1)";

    load_nothing = "SELECT pg_backend_pid()";
    load_user = format!("SELECT pg_backend_pid(), {}", one("user_account", "u", USER, "u.id = $1"));
    load_owner = format!(
        "SELECT pg_backend_pid(), {}, o.id, o.revision, {} FROM (SELECT) one LEFT JOIN {{s}}membership m ON m.usr_id = $1 \
         AND m.status = 'active' AND m.role_id = '{{owner}}' LEFT JOIN {{s}}organization o ON o.id = m.org_id ORDER BY o.id",
        one("user_account", "u", USER, "u.id = $1"),
        other_owner("m.org_id", "$1"),
    );
    load_new_org = format!(
        "SELECT pg_backend_pid(), {}, {}, (SELECT s.org_id FROM {{s}}organization_slug s WHERE s.slug = $3)",
        one("user_account", "u", USER, "u.id = $1"),
        one("organization", "o", ORG, "o.id = $2"),
    );
    load_org = format!(
        "SELECT pg_backend_pid(), {}, (SELECT s.org_id FROM {{s}}organization_slug s WHERE s.slug = $2)",
        one("organization", "o", ORG, "o.id = $1"),
    );
    load_org_end = format!(
        "SELECT pg_backend_pid(), {}, EXISTS (SELECT FROM {{s}}organization c WHERE c.parent_id = $1 AND c.status <> 'revoked'), \
         (SELECT count(*) FROM {{s}}membership m WHERE m.org_id = $1 AND m.status <> 'revoked'), \
         ARRAY(SELECT m.id FROM {{s}}membership m WHERE m.org_id = $1 AND m.status <> 'revoked' ORDER BY m.id LIMIT $2)",
        one("organization", "o", ORG, "o.id = $1"),
    );
    load_join = format!(
        "SELECT pg_backend_pid(), {}, {}, {}",
        one("organization", "o", ORG, "o.id = $1"),
        one("user_account", "u", USER, "u.id = $2"),
        one("membership", "m", MEM, "m.org_id = $1 AND m.usr_id = $2 AND m.status <> 'revoked'"),
    );
    load_member = load_member(false);
    load_member_and_peer = load_member(true);
    load_pair = format!(
        "SELECT pg_backend_pid(), {}, {}, {}, {}",
        one("organization", "o", ORG, "o.id = $1"),
        one("membership", "m", MEM, "m.id = $2"),
        one("membership", "p", MEM, "p.id = $3"),
        one("user_account", "u", USER, "u.id = (SELECT p.usr_id FROM {s}membership p WHERE p.id = $3)"),
    );

    users_by_id = format!("SELECT {} FROM {{s}}user_account u WHERE u.id = ANY ($1) ORDER BY u.id", columns(USER, "u"));
    orgs_by_id = format!("SELECT {} FROM {{s}}organization o WHERE o.id = ANY ($1) ORDER BY o.id", columns(ORG, "o"));
    memberships_by_id = format!("SELECT {} FROM {{s}}membership m WHERE m.id = ANY ($1) ORDER BY m.id", columns(MEM, "m"));
    slugs_by_text = "SELECT s.slug, s.org_id FROM {s}organization_slug s WHERE s.slug = ANY ($1) ORDER BY s.slug";
    members_among = "SELECT x.id FROM unnest($1::uuid[]) x (id) WHERE EXISTS (SELECT FROM {s}membership m WHERE m.usr_id = x.id) ORDER BY x.id";

    org_by_slug = format!(
        "SELECT {} FROM {{s}}organization o WHERE o.id = (SELECT s.org_id FROM {{s}}organization_slug s WHERE s.slug = $1)",
        columns(ORG, "o"),
    );
    org_path = format!(
        "SELECT {} FROM {{s}}organization o WHERE o.id = $1 OR o.id = ANY ((SELECT x.ancestors FROM {{s}}organization x \
         WHERE x.id = $1)::uuid[]) ORDER BY cardinality(o.ancestors), o.id",
        columns(ORG, "o"),
    );
    /// `$1` parent, `$2` limit, `$3` behind.
    children = of_org("organization", "o", ORG, "t.parent_id = $1 AND t.id > $3");
    /// `$1` limit, `$2` behind, `$3` status, `$4` text.
    all_orgs = page(
        "organization",
        "o",
        ORG,
        "o.id > $2 AND ($3::text IS NULL OR o.status = $3) \
         AND ($4::text IS NULL OR position($4 IN o.name_folded) > 0 OR position($4 IN o.slug) > 0)",
    );
    membership_current = format!(
        "SELECT {} FROM {{s}}membership m WHERE m.org_id = $1 AND m.usr_id = $2 AND m.status <> 'revoked'",
        columns(MEM, "m"),
    );
    membership_siblings = format!(
        "SELECT {} FROM {{s}}membership m WHERE m.usr_id = (SELECT x.usr_id FROM {{s}}membership x WHERE x.id = $1) \
         AND m.org_id = (SELECT x.org_id FROM {{s}}membership x WHERE x.id = $1) ORDER BY m.id",
        columns(MEM, "m"),
    );
    /// `$1` organization, `$2` limit, `$3` behind, `$4` status, `$5` moment, `$6` behind it.
    members = of_org("membership", "m", MEM, &format!("t.org_id = $1 AND t.id > $3 AND {}", status_filter("t", [4, 5, 6])));
    /// `$1` limit, `$2` user, `$3` behind, `$4` status, `$5` moment, `$6` behind it.
    memberships_of_user = page(
        "membership",
        "m",
        MEM,
        &format!("m.usr_id = $2 AND m.id > $3 AND {}", status_filter("m", [4, 5, 6])),
    );
    /// `$1` organization, `$2` status, `$3` moment, `$4` behind it.
    count_members = format!(
        "SELECT EXISTS (SELECT FROM {{s}}organization WHERE id = $1), (SELECT count(*) FROM {{s}}membership m WHERE m.org_id = $1 AND {})",
        status_filter("m", [2, 3, 4]),
    );
    /// `$1` organization, `$2` limit, `$3` behind this revision.
    events_of_org = format!(
        "SELECT EXISTS (SELECT FROM {{s}}organization WHERE id = $1), {} FROM (SELECT) one LEFT JOIN LATERAL (SELECT * FROM {{s}}event t \
         WHERE t.org_id = $1 AND t.revision > $3 ORDER BY t.revision LIMIT $2) e ON true ORDER BY e.revision",
        columns(EVENT, "e"),
    );
    event_by_id = format!(
        "SELECT {} FROM {{s}}event e WHERE e.id = $1 UNION ALL \
         SELECT e.id, NULL, NULL, e.type, e.actor_type, e.actor_id, e.at, e.subject_ids, e.data FROM {{s}}store_event e WHERE e.id = $1",
        columns(EVENT, "e"),
    );

    dump_users = format!("SELECT {} FROM {{s}}user_account u ORDER BY u.id", columns(USER, "u"));
    dump_orgs = format!("SELECT {} FROM {{s}}organization o ORDER BY o.id", columns(ORG, "o"));
    dump_slugs = "SELECT s.slug, s.org_id FROM {s}organization_slug s ORDER BY s.slug";
    dump_memberships = format!("SELECT {} FROM {{s}}membership m ORDER BY m.id", columns(MEM, "m"));
    dump_events = format!(
        "SELECT {} FROM {{s}}event e UNION ALL \
         SELECT e.id, NULL, NULL, e.type, e.actor_type, e.actor_id, e.at, e.subject_ids, e.data FROM {{s}}store_event e ORDER BY id",
        columns(EVENT, "e"),
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_are_rendered_for_the_schema() {
        let statements = Statements::new(&Schema::parse("tenantry").unwrap(), true);
        let text: Vec<String> = statements.all().into_iter().map(|(name, sql)| format!("{name}:\n{}", sql.as_str())).collect();
        insta::assert_snapshot!(text.join("\n\n"));
    }

    #[test]
    fn a_schema_name_that_would_need_quoting_is_refused() {
        for bad in ["", "1a", "A", "a-b", "a\"b", "pg_x", "a;b", "é", &"a".repeat(64)] {
            assert!(Schema::parse(bad).is_err(), "{bad}");
        }
        assert_eq!(Schema::parse("_a1").unwrap().name(), "_a1");
    }
}
