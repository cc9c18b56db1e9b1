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
        Sql(migration::render(sql, &format!("\"{}\".", self.0))
            .replace("{owner}", &owner)
            .replace("{slug_of_role}", &slug_of_role())
            .into())
    }
}

/// The slug of the role in `m.role_id`.
fn slug_of_role() -> String {
    let case = |role: Role| format!("WHEN '{}' THEN '{}'", role.id().as_uuid(), role.slug());
    format!("CASE m.role_id {} ELSE m.role_slug END", Role::ALL.map(case).join(" "))
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

// Arrays stand in sub-selects of their own, `(SELECT $1::uuid[])`: the planner then guesses their length and does not look. Where it
// sees a short one, a plan for this one seems cheaper than one for all, and the server plans anew at every call, which takes longer than
// the look-ups.
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
    @.seat_limit, @.external_id, @.metadata, @.revision, @.created_at, @.updated_at, @.structure_revision";
const MEM: &str = "@.id, @.usr_id, @.org_id, @.role_id, @.role_slug, @.status, @.replaces, @.invited_by, @.removed_by, @.expires_at, \
    @.metadata, @.created_at, @.updated_at";
const INV: &str = "@.id, @.org_id, @.identifier, @.role_id, @.role_slug, @.status, @.pre_tuples, @.invited_by, @.invited_user_id, @.created_at, \
    @.expires_at, @.terminal_at, @.terminal_by, @.judged";
const TUP: &str = "@.id, @.subject_type, @.subject_id, @.relation, @.object_type, @.object_id, @.org_id, @.created_at, @.created_by, \
    @.expires_at";
/// A membership `m` as the tuple that it is while it is live.
const DERIVED: &str = "m.id, 'usr' AS subject_type, m.usr_id AS subject_id, {slug_of_role} AS relation, 'org' AS object_type, \
    m.org_id AS object_id, NULL::uuid AS org_id, m.created_at, m.invited_by AS created_by, m.expires_at";

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

/// The statuses of the organization `{org}` and of all above it; none when it does not exist.
fn statuses(org: &str) -> String {
    format!(
        "ARRAY(SELECT a.status FROM {{s}}organization a WHERE a.id = {org} OR a.id = ANY \
         ((SELECT o.ancestors FROM {{s}}organization o WHERE o.id = {org})::uuid[]) ORDER BY a.id)"
    )
}

/// Whether the organization `{org}`, which exists, and all above it are active. An aggregate, as no planner turns it into a join.
fn org_live(org: &str) -> String {
    format!(
        "(SELECT bool_and(a.status = 'active') FROM {{s}}organization a WHERE a.id = {org} OR a.id = ANY \
         ((SELECT o.ancestors FROM {{s}}organization o WHERE o.id = {org})::uuid[]))"
    )
}

fn not_expired(alias: &str, at: &str) -> String {
    format!("({alias}.expires_at IS NULL OR {alias}.expires_at > {at})")
}

/// Whether a user has no row, or an active one.
fn user_counts(usr: &str) -> String {
    format!("coalesce((SELECT u.status FROM {{s}}user_account u WHERE u.id = {usr}), 'active') = 'active'")
}

/// Whether the stored tuple `t` counts at a moment.
fn counts(at: &str) -> String {
    format!(
        "{} AND (t.subject_type <> 'usr' OR {}) AND (t.org_id IS NULL OR ({} AND (t.subject_type <> 'usr' OR EXISTS \
         (SELECT FROM {{s}}membership w WHERE w.org_id = t.org_id AND w.usr_id = t.subject_id AND w.status = 'active' AND {}))))",
        not_expired("t", at),
        user_counts("t.subject_id"),
        org_live("t.org_id"),
        not_expired("w", at),
    )
}

/// Whether the membership `m` of the organization `{org}` is live at a moment.
fn live(org: &str, at: &str) -> String {
    format!("m.status = 'active' AND {} AND {} AND {}", not_expired("m", at), user_counts("m.usr_id"), org_live(org))
}

/// A load: `{actor}`, directly behind the server process, is where a guarded caller's standing goes.
fn plain(load: &str) -> String {
    load.replace("{actor}", "").replace("{grants}", "")
}

/// The same load with the standing of the user `{usr}` in the organization `{org}`: their row, their membership, the statuses.
fn guarded(load: &str, org: &str, usr: &str) -> String {
    let standing = format!(
        ", {}, {}, {}",
        one("user_account", "su", USER, &format!("su.id = {usr}")),
        one("membership", "sm", MEM, &format!("sm.org_id = {org} AND sm.usr_id = {usr} AND sm.status <> 'revoked'")),
        statuses(org),
    );
    load.replace("{actor}", &standing)
}

/// What the user `{usr}` has to do with each relation on an object `x (relation, object_type, object_id, n)`, in a scope, as one array
/// of three numbers each: how long they hold it without a scope and in it (microseconds since 1970, -1 for not at all, the highest number
/// for without an end), and whether the object has something outside of it (0 or 1). `once` says in which rows of the answer.
///
/// One array, since each part of a statement costs something at its start, whether it finds anything or not.
fn standpoints(usr: &str, scope: &str, asked: &str, at: &str, once: &str) -> String {
    let hold = |scope: &str| {
        format!(
            "coalesce((SELECT CASE WHEN t.expires_at IS NULL THEN 9223372036854775807 ELSE (extract(epoch FROM t.expires_at) * 1000000)::bigint END \
             FROM {{s}}tuple t WHERE t.object_type = x.object_type AND t.object_id = x.object_id AND t.relation = x.relation \
             AND t.subject_type = 'usr' AND t.subject_id = {usr} AND {scope} AND {}), -1)",
            not_expired("t", at),
        )
    };
    let elsewhere = format!(
        "EXISTS (SELECT FROM {{s}}tuple t WHERE t.object_type = x.object_type AND t.object_id = x.object_id \
         AND t.org_id IS DISTINCT FROM {scope} AND {scope}::uuid IS NOT NULL AND {})::integer",
        not_expired("t", at),
    );
    format!(
        ", CASE WHEN {once} THEN ARRAY(SELECT w.v FROM {asked} CROSS JOIN LATERAL (VALUES (1, {}), (2, {}), (3, {elsewhere})) w (k, v) \
         ORDER BY x.n, w.k) END",
        hold("t.org_id IS NULL"),
        hold(&format!("t.org_id = {scope}")),
    )
}

/// What an invitation `v` promises, as [`standpoints`] asks of it.
const PROMISES: &str = "jsonb_array_elements(v.pre_tuples::jsonb) WITH ORDINALITY p (v, n) CROSS JOIN LATERAL \
    (SELECT p.v ->> 'relation' AS relation, p.v ->> 'object_type' AS object_type, (p.v ->> 'object_id')::uuid AS object_id, p.n) x";

/// How many seats of the organization `{org}` are taken at a moment; null when it has no limit.
fn seats(org: &str, at: &str) -> String {
    format!(
        "(SELECT CASE WHEN o.seat_limit IS NOT NULL THEN (SELECT count(*) FROM {{s}}membership m WHERE m.org_id = o.id AND \
         (m.status = 'suspended' OR (m.status = 'active' AND {}))) END FROM {{s}}organization o WHERE o.id = {org})",
        not_expired("m", at)
    )
}

/// In how many groups of an organization a user is.
fn member_groups(org: &str, usr: &str) -> String {
    format!("(SELECT count(*) FROM {{s}}group_member gm WHERE gm.org_id = {org} AND gm.usr_id = {usr})")
}

/// How many overrides a membership has.
fn overrides(mem: &str) -> String {
    format!("(SELECT count(*) FROM {{s}}permission_grant pg WHERE pg.holder_type = 'mem' AND pg.holder_id = {mem})")
}

/// How many stored tuples a user has in an organization's scope.
fn member_tuples(org: &str, usr: &str) -> String {
    format!("(SELECT count(*) FROM {{s}}tuple t WHERE t.org_id = {org} AND t.subject_type = 'usr' AND t.subject_id = {usr})")
}

fn load_member(peer: bool) -> String {
    let peer_columns = format!(
        ", {}, {}, {}, {}",
        one("membership", "p", MEM, "p.org_id = m.org_id AND p.usr_id = $2 AND p.status <> 'revoked'"),
        one("user_account", "v", USER, "v.id = $2"),
        statuses("m.org_id"),
        overrides("(SELECT p.id FROM {s}membership p WHERE p.org_id = m.org_id AND p.usr_id = $2 AND p.status <> 'revoked')"),
    );
    format!(
        "SELECT pg_backend_pid(){{actor}}, ROW({}), {}, {}, {}, {}, {}, {}{} FROM {{s}}membership m WHERE m.id = $1",
        columns(MEM, "m"),
        one("organization", "o", ORG, "o.id = m.org_id"),
        one("user_account", "u", USER, "u.id = m.usr_id"),
        other_owner("m.org_id", "m.usr_id"),
        member_tuples("m.org_id", "m.usr_id"),
        member_groups("m.org_id", "m.usr_id"),
        overrides("m.id"),
        if peer { peer_columns } else { String::new() },
    )
}

/// The root of the tree of the organization `{org}`, and the revision of its structure.
fn structure(org: &str) -> String {
    format!(
        "(SELECT ROW(r.id, r.structure_revision) FROM {{s}}organization r WHERE r.id = (SELECT coalesce(p.ancestors[1], p.id) \
         FROM {{s}}organization p WHERE p.id = {org}))"
    )
}

fn load_new_org() -> String {
    format!(
        "SELECT pg_backend_pid(){{actor}}, {}, {}, (SELECT s.org_id FROM {{s}}organization_slug s WHERE s.slug = $3), \
         {}",
        one("user_account", "u", USER, "u.id = $1"),
        one("organization", "o", ORG, "o.id = $2"),
        structure("$2"),
    )
}

fn load_org() -> String {
    format!(
        "SELECT pg_backend_pid(){{actor}}, {}, (SELECT s.org_id FROM {{s}}organization_slug s WHERE s.slug = $2)",
        one("organization", "o", ORG, "o.id = $1"),
    )
}

fn load_org_end() -> String {
    format!(
        "SELECT pg_backend_pid(){{actor}}, {}, EXISTS (SELECT FROM {{s}}organization c WHERE c.parent_id = $1 AND c.status <> 'revoked'), \
         (SELECT count(*) FROM {{s}}membership m WHERE m.org_id = $1 AND m.status <> 'revoked'), \
         ARRAY(SELECT m.id FROM {{s}}membership m WHERE m.org_id = $1 AND m.status <> 'revoked' ORDER BY m.id LIMIT $2), \
         (SELECT count(*) FROM {{s}}invitation v WHERE v.org_id = $1 AND v.status = 'pending' AND v.expires_at > $3), \
         (SELECT count(*) FROM {{s}}tuple t WHERE t.org_id = $1) + (SELECT count(*) FROM {{s}}tuple t WHERE t.object_type = 'org' \
         AND t.object_id = $1 AND t.org_id IS DISTINCT FROM $1), (SELECT count(*) FROM {{s}}group_member gm WHERE gm.org_id = $1)",
        one("organization", "o", ORG, "o.id = $1"),
    )
}

/// Where the user `{usr}` belongs at a moment, and may belong without the organization `{without}`: as (how many memberships there are,
/// how many of them are revoked, how many an active owner's, whether one of those is of a live organization, whether one is active, whether
/// one is suspended), and the membership to go to with its organization.
fn tenancy(usr: &str, without: Option<&str>, at: &str) -> String {
    let of_user = format!("{{s}}membership m WHERE m.usr_id = {usr}");
    let owned = "m.status = 'active' AND m.role_id = '{owner}'";
    let owns_another = without.map_or_else(
        || "false".to_owned(),
        |org| format!("EXISTS (SELECT FROM {of_user} AND {owned} AND m.org_id <> {org} AND {})", org_live("m.org_id")),
    );
    let active = format!("m.status = 'active' AND {}", not_expired("m", at));
    // Whether its organization is live is asked of one after the other, until one is.
    let home = |what: &str| {
        format!(
            "(SELECT {what} FROM (SELECT m.* FROM {of_user} AND {active} ORDER BY m.role_id <> '{{owner}}', m.org_id OFFSET 0) m \
             WHERE {} LIMIT 1)",
            org_live("m.org_id")
        )
    };
    format!(
        "(SELECT ROW(count(*), count(*) FILTER (WHERE m.status = 'revoked'), count(*) FILTER (WHERE {owned}), {owns_another}, \
         EXISTS (SELECT FROM {of_user} AND {active}), count(*) FILTER (WHERE m.status = 'suspended') > 0) FROM {of_user}), {}, {}",
        home(&format!("ROW({})", columns(MEM, "m"))),
        one("organization", "h", ORG, &format!("h.id = {}", home("m.org_id"))),
    )
}

/// `$1` user, `$2` slugs, `$3` moment.
fn load_tenants() -> String {
    format!(
        "SELECT pg_backend_pid(), {}, {}, ARRAY(SELECT s.slug FROM {{s}}organization_slug s \
         WHERE s.slug = ANY ((SELECT $2::text[])::text[]) ORDER BY s.slug)",
        one("user_account", "u", USER, "u.id = $1"),
        tenancy("$1", None, "$3"),
    )
}

/// As [`load_org_end`], `$4` who ends it as one of their own.
fn load_own_end() -> String {
    format!(
        "{}, {}, {}, {}",
        load_org_end(),
        one("user_account", "u", USER, "u.id = $4"),
        one("membership", "e", MEM, "e.org_id = $1 AND e.usr_id = $4 AND e.status <> 'revoked'"),
        tenancy("$4", Some("$1"), "$3"),
    )
}

fn load_join() -> String {
    format!(
        "SELECT pg_backend_pid(){{actor}}, {}, {}, {}, {}, {}, {}",
        one("organization", "o", ORG, "o.id = $1"),
        one("user_account", "u", USER, "u.id = $2"),
        one("membership", "m", MEM, "m.org_id = $1 AND m.usr_id = $2 AND m.status <> 'revoked'"),
        seats("$1", "$3"),
        member_tuples("$1", "$2"),
        member_groups("$1", "$2"),
    )
}

fn load_pair() -> String {
    format!(
        "SELECT pg_backend_pid(){{actor}}, {}, {}, {}, {}, {}, {}",
        one("organization", "o", ORG, "o.id = $1"),
        one("membership", "m", MEM, "m.id = $2"),
        one("membership", "p", MEM, "p.id = $3"),
        one("user_account", "u", USER, "u.id = (SELECT p.usr_id FROM {s}membership p WHERE p.id = $3)"),
        overrides("$2"),
        overrides("$3"),
    )
}

/// One row for each pending invitation, and one without where there is none.
fn load_invite() -> String {
    format!(
        "SELECT pg_backend_pid(){{actor}}{{grants}}, {}, CASE WHEN v.id IS NOT NULL THEN ROW({}) END FROM (SELECT) one LEFT JOIN \
         {{s}}invitation v ON v.org_id = $1 AND v.status = 'pending' AND v.identifier = ANY ((SELECT $2::text[])::text[]) ORDER BY v.id",
        one("organization", "o", ORG, "o.id = $1"),
        columns(INV, "v"),
    )
}

fn load_invitation() -> String {
    format!(
        "SELECT pg_backend_pid(){{actor}}{{grants}}, ROW({}), {}, {} FROM {{s}}invitation v WHERE v.id = $1",
        columns(INV, "v"),
        one("organization", "o", ORG, "o.id = v.org_id"),
        one("invitation", "p", INV, "p.org_id = v.org_id AND p.identifier = v.identifier AND p.status = 'pending'"),
    )
}

/// `$1` invitation, `$2` moment, `$3` user or null.
fn load_accept() -> String {
    format!(
        "SELECT pg_backend_pid(){}, ROW({}), {}, {}, {}, {}, {}, ARRAY(SELECT (x.n - 1)::integer FROM {PROMISES} \
         WHERE EXISTS (SELECT FROM {{s}}tuple t WHERE t.object_type = x.object_type AND t.object_id = x.object_id AND t.relation = x.relation \
         AND t.subject_type = 'usr' AND t.subject_id = $3 AND t.org_id IS NULL AND {}) ORDER BY x.n), {} FROM {{s}}invitation v WHERE v.id = $1",
        standpoints("v.invited_by", "v.org_id", PROMISES, "$2", "v.judged"),
        columns(INV, "v"),
        one("organization", "o", ORG, "o.id = v.org_id"),
        seats("v.org_id", "$2"),
        one("user_account", "u", USER, "u.id = $3"),
        one("membership", "m", MEM, "m.org_id = v.org_id AND m.usr_id = $3 AND m.status <> 'revoked'"),
        member_tuples("v.org_id", "$3"),
        not_expired("t", "$2"),
        member_groups("v.org_id", "$3"),
    )
}

/// `$1` to `$5` the tuple, `$6` its scope, `$7` the organization that is its object, `$8` the user who is its subject.
fn load_new_tuple() -> String {
    format!(
        "SELECT pg_backend_pid(){{actor}}{{grants}}, {}, {}, {}, {}",
        one(
            "tuple",
            "t",
            TUP,
            "t.subject_type = $1 AND t.subject_id = $2 AND t.relation = $3 AND t.object_type = $4 AND t.object_id = $5 \
             AND coalesce(t.org_id, '00000000-0000-0000-0000-000000000000') = coalesce($6::uuid, '00000000-0000-0000-0000-000000000000')",
        ),
        one("organization", "o", ORG, "o.id = $6"),
        one("organization", "b", ORG, "b.id = $7"),
        one("membership", "m", MEM, "m.org_id = $6 AND m.usr_id = $8 AND m.status <> 'revoked'"),
    )
}

/// What a command about roles, groups or overrides sees: `$1` organization, `$2` role, `$3` another role, `$4` the slug of a new role,
/// `$5` group, `$6` the slug of a new group, `$7` membership, `$8` user, `$9` permissions, `$10` moment. One row for each permission, and
/// one without where there is none.
fn load_access() -> String {
    let holder = "CASE WHEN $2::uuid IS NOT NULL THEN 'rol' WHEN $7::uuid IS NOT NULL THEN 'mem' ELSE 'org' END";
    format!(
        "SELECT pg_backend_pid(){{actor}}, {}, {}, {}, {}, {}, {}, \
         (SELECT count(*) FROM {{s}}membership m WHERE m.role_id = $2 AND m.role_slug IS NOT NULL AND m.status <> 'revoked'), \
         (SELECT count(*) FROM {{s}}invitation v WHERE v.role_id = $2 AND v.role_slug IS NOT NULL AND v.status = 'pending' AND v.expires_at > $10), \
         (SELECT count(*) FROM {{s}}group_role r WHERE r.role_id = $2 AND (r.expires_at IS NULL OR r.expires_at > $10)), \
         (SELECT count(*) FROM {{s}}group_role r WHERE r.role_id = $2 AND r.expires_at <= $10), \
         (SELECT count(*) FROM {{s}}permission_grant p WHERE p.holder_type = 'rol' AND p.holder_id = $2), \
         EXISTS (SELECT FROM {{s}}role r WHERE coalesce(r.org_id, '00000000-0000-0000-0000-000000000000') \
         = coalesce($1::uuid, '00000000-0000-0000-0000-000000000000') AND r.slug = $4) \
         OR EXISTS (SELECT FROM {{s}}user_group g WHERE g.org_id = $1 AND g.slug = $6), \
         EXISTS (SELECT FROM {{s}}tuple t JOIN {{s}}organization o ON o.id = t.object_id WHERE t.object_type = 'org' AND t.relation = $4 \
         AND (t.expires_at IS NULL OR t.expires_at > $10) AND ($1::uuid IS NULL OR o.id = $1 OR $1 = ANY (o.ancestors))), \
         (SELECT count(*) FROM {{s}}group_member r WHERE r.group_id = $5), (SELECT count(*) FROM {{s}}group_role r WHERE r.group_id = $5), \
         {}, {}, (SELECT s.revision FROM {{s}}system s WHERE s.one = 1), \
         CASE WHEN c.slug IS NOT NULL THEN ROW({}) END, CASE WHEN h.permission IS NOT NULL THEN ROW({}) END, {} \
         FROM (SELECT) one LEFT JOIN (SELECT DISTINCT x.slug FROM unnest((SELECT $9::text[])) x (slug)) a ON true \
         LEFT JOIN {{s}}permission c ON c.slug = a.slug COLLATE \"C\" \
         LEFT JOIN {{s}}permission_grant h ON h.holder_type = {holder} AND h.holder_id = coalesce($2, $7, $1) AND h.permission = a.slug COLLATE \"C\" \
         ORDER BY a.slug COLLATE \"C\"",
        one("role", "ra", ROLE, "ra.id = $2"),
        one("role", "rb", ROLE, "rb.id = $3"),
        one("user_group", "g", GROUP, "g.id = $5"),
        one("membership", "m", MEM, "m.id = $7"),
        one("organization", "o", ORG, &format!("o.id = {PLACE}")),
        one("membership", "p", MEM, &format!("p.org_id = {PLACE} AND p.usr_id = $8 AND p.status <> 'revoked'")),
        one("group_member", "gm", GROUP_MEMBER, "gm.group_id = $5 AND gm.usr_id = $8"),
        group_role("gr.group_id = $5 AND gr.role_id = $2"),
        columns(PERMISSION, "c"),
        columns(GRANT, "h"),
        structure(PLACE),
    )
}

/// What moving an organization relies on, but the lines: how deep and how much it is, the organizations above it of which a role is held
/// within, and whether a stored relation within is the slug of a role above it from now on.
fn load_move() -> String {
    let within =
        |org: &str| format!("({org} = $1 OR EXISTS (SELECT FROM {{s}}organization w WHERE w.id = {org} AND $1 = ANY (w.ancestors)))");
    let line = |org: &str| format!("(SELECT x.ancestors || x.id FROM {{s}}organization x WHERE x.id = {org})::uuid[]");
    let extent = |what: &str| {
        format!(
            "(WITH RECURSIVE below (id, level) AS (SELECT $1::uuid, 0 UNION ALL SELECT o.id, b.level + 1 FROM below b \
             CROSS JOIN LATERAL (SELECT c.id FROM {{s}}organization c WHERE c.parent_id = b.id OFFSET 0) o) SELECT {what} FROM below)"
        )
    };
    format!(
        "SELECT pg_backend_pid(){{actor}}, {}, {}, {}, {}, \
         ARRAY(SELECT DISTINCT r.org_id FROM {{s}}role r WHERE r.org_id = ANY ({}) AND r.org_id <> $1 AND (\
         EXISTS (SELECT FROM {{s}}membership m WHERE m.role_id = r.id AND m.role_slug IS NOT NULL AND m.status <> 'revoked' AND {}) \
         OR EXISTS (SELECT FROM {{s}}invitation v WHERE v.role_id = r.id AND v.role_slug IS NOT NULL AND v.status = 'pending' \
         AND v.expires_at > $3 AND {}) \
         OR EXISTS (SELECT FROM {{s}}group_role t JOIN {{s}}user_group g ON g.id = t.group_id WHERE t.role_id = r.id \
         AND (t.expires_at IS NULL OR t.expires_at > $3) AND {})) ORDER BY r.org_id), \
         EXISTS (SELECT FROM {{s}}role r JOIN {{s}}tuple t ON t.relation = r.slug AND t.object_type = 'org' \
         WHERE r.org_id = ANY ({}) AND (t.expires_at IS NULL OR t.expires_at > $3) AND {}), {}, {}, \
         ARRAY(SELECT a.id FROM {{s}}organization a WHERE a.id = ANY ({}) ORDER BY cardinality(a.ancestors)), \
         ARRAY(SELECT a.revision FROM {{s}}organization a WHERE a.id = ANY ({}) ORDER BY cardinality(a.ancestors))",
        one("organization", "o", ORG, "o.id = $1"),
        one("organization", "p", ORG, "p.id = $2"),
        extent("max(level)"),
        extent("count(*)"),
        line("$1"),
        within("m.org_id"),
        within("v.org_id"),
        within("g.org_id"),
        line("$2"),
        within("t.object_id"),
        structure("$1"),
        structure("$2"),
        line("$2"),
        line("$2"),
    )
}

/// The organization that such a command is about.
const PLACE: &str = "coalesce($1::uuid, (SELECT x.org_id FROM {s}user_group x WHERE x.id = $5), \
    (SELECT x.org_id FROM {s}membership x WHERE x.id = $7), (SELECT x.org_id FROM {s}role x WHERE x.id = $2))";

/// A role of a group, as one value.
fn group_role(filter: &str) -> String {
    format!("(SELECT ROW({GROUP_ROLE}) FROM {{s}}group_role gr JOIN {{s}}user_group gg ON gg.id = gr.group_id WHERE {filter})")
}

const PERMISSION: &str = "@.slug, @.name, @.description, @.category, @.created_at, @.updated_at";
const ROLE: &str = "@.id, @.org_id, @.slug, @.name, @.description, @.inherits_to_descendants, @.created_at, @.updated_at";
const GRANT: &str = "@.holder_id, @.holder_type, @.permission, @.effect, @.granted_by, @.created_at, @.expires_at";
const GROUP: &str = "@.id, @.org_id, @.slug, @.name, @.created_at, @.updated_at";
const GROUP_MEMBER: &str = "@.group_id, @.org_id, @.usr_id, @.granted_by, @.created_at, @.expires_at";
const GROUP_ROLE: &str = "gr.group_id, gg.org_id, gr.role_id, gr.role_slug, gr.granted_by, gr.created_at, gr.expires_at";

/// `$1` organization, `$2` and `$3` behind which organization and user, `$4` limit of organizations, `$5` limit of pairs, `$6` another
/// organization or null, `$7` how many levels below, where that is asked at all: a recursion is guessed to find so much that the server
/// would compile the plan anew at each call. First whether the organization is there, then the organizations, then the pairs.
fn pairs_within(below: bool) -> String {
    let (under, lower) = if below {
        (
            "under (org, id, level) AS (SELECT p.id, p.id, 0 FROM part p UNION ALL SELECT l.org, o.id, l.level + 1 FROM under l \
             CROSS JOIN LATERAL (SELECT c.id FROM {s}organization c WHERE c.parent_id = l.id OFFSET 0) o WHERE l.level < $7), ",
            "SELECT l.org, l.id FROM under l UNION ",
        )
    } else {
        ("", "")
    };
    format!(
        "WITH RECURSIVE tree (id) AS (SELECT o.id FROM {{s}}organization o WHERE o.id = $1 UNION ALL SELECT o.id FROM tree b \
         CROSS JOIN LATERAL (SELECT c.id FROM {{s}}organization c WHERE c.parent_id = b.id OFFSET 0) o), \
         part AS MATERIALIZED (SELECT t.id FROM tree t WHERE t.id >= $2 ORDER BY t.id LIMIT $4), {under}\
         place (org, id) AS MATERIALIZED ({lower}SELECT p.id, a.id FROM part p \
         CROSS JOIN LATERAL (SELECT x.ancestors || x.id AS line FROM {{s}}organization x WHERE x.id = p.id OFFSET 0) o \
         CROSS JOIN LATERAL unnest(o.line) a (id) \
         UNION SELECT p.id, a.id FROM part p CROSS JOIN {{s}}organization o CROSS JOIN LATERAL unnest(o.ancestors || o.id) a (id) WHERE o.id = $6) \
         SELECT 0, NULL::uuid, NULL::uuid FROM {{s}}organization o WHERE o.id = $1 UNION ALL SELECT 1, p.id, NULL FROM part p \
         UNION ALL SELECT * FROM (SELECT DISTINCT 2, p.org, m.usr_id FROM place p CROSS JOIN LATERAL (SELECT m.usr_id FROM {{s}}membership m \
         WHERE m.org_id = p.id AND m.status <> 'revoked' AND (p.org > $2 OR m.usr_id > $3) ORDER BY m.usr_id LIMIT $5) m \
         ORDER BY p.org, m.usr_id LIMIT $5) pairs"
    )
}

/// A role `r` with what it grants at a moment.
fn role_with_grants(at: &str) -> String {
    format!(
        "{}, ARRAY(SELECT pg.permission FROM {{s}}permission_grant pg WHERE pg.holder_type = 'rol' AND pg.holder_id = r.id \
         AND (pg.expires_at IS NULL OR pg.expires_at > {at}) ORDER BY pg.permission)",
        columns(ROLE, "r"),
    )
}

/// Behind a scan of what a holder `g` grants: in the order of the index, and with a limit that the planner cannot know, so that it expects to
/// read a part. Where a few holders have most of what is granted it would otherwise take every holder for one of them, and read the table.
const IN_ORDER: &str = "ORDER BY g.permission LIMIT (SELECT 9223372036854775807)";

/// What is wanted beside the rows of each ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Beside {
    Nothing,
    /// Every role that grants one of the permissions.
    Grantors,
    /// Roles, and groups with their roles, by id.
    Named,
}

/// What resolutions rest on, whatever the depth of the trees and the number of groups: `$1` users, `$2` organizations, of each ask, `$3`
/// permissions where only some are wanted, then how many levels below where that is asked. The ancestors are read from their array;
/// nothing is followed from parent to parent. The columns are those of `codec::fact`.
///
/// With names: behind all of them, the roles and the groups.
fn facts(some: bool, below: bool, beside: Beside) -> String {
    let place = 3 + usize::from(some) + usize::from(below);
    let grantors = beside == Beside::Grantors;
    let (of_teams, of_parts) = if beside == Beside::Named {
        (
            format!(" UNION SELECT x FROM unnest((SELECT ${}::uuid[])) x", place + 1),
            format!(" UNION SELECT x FROM unnest((SELECT ${place}::uuid[])) x"),
        )
    } else {
        (String::new(), String::new())
    };
    let lower = if below {
        " UNION SELECT k.usr, m.org_id FROM given k JOIN {s}membership m ON m.usr_id = k.usr AND m.status <> 'revoked' \
         JOIN {s}organization o ON o.id = m.org_id WHERE k.org = ANY (o.ancestors) \
         AND cardinality(o.ancestors) - array_position(o.ancestors, k.org) < {levels}"
            .replace("{levels}", if some { "$4" } else { "$3" })
    } else {
        String::new()
    };
    let (wanted, known) = if some {
        (
            " AND g.permission = ANY ((SELECT $3::text[])::text[] COLLATE \"C\")",
            " UNION ALL SELECT 8, NULL, NULL, NULL, NULL, p.slug, NULL, NULL, NULL, NULL, NULL, NULL FROM {s}permission p \
             WHERE p.slug = ANY ((SELECT $3::text[])::text[] COLLATE \"C\")",
        )
    } else {
        ("", "")
    };
    let also = if grantors {
        ", grantor AS MATERIALIZED (SELECT r.id FROM {s}permission_grant g JOIN {s}role r ON r.id = g.holder_id WHERE g.holder_type = 'rol' \
         AND g.permission = ANY ((SELECT $3::text[])::text[] COLLATE \"C\") \
         AND (r.org_id IS NULL OR r.org_id IN (SELECT c.id FROM chain c)))"
    } else {
        ""
    };
    let and = if grantors { " UNION SELECT x.id FROM grantor x" } else { "" };
    format!(
        "WITH given AS MATERIALIZED (SELECT DISTINCT x.usr, x.org FROM unnest((SELECT $1::uuid[]), (SELECT $2::uuid[])) x (usr, org)), \
         ask AS MATERIALIZED (SELECT k.usr, k.org FROM given k{lower}), \
         chain AS MATERIALIZED (SELECT k.usr, p.id FROM ask k \
         CROSS JOIN LATERAL (SELECT * FROM {{s}}organization x WHERE x.id = k.org OFFSET 0) t \
         CROSS JOIN LATERAL unnest(t.ancestors || t.id) p (id) GROUP BY k.usr, p.id), \
         held AS MATERIALIZED (SELECT c.usr, m.org_id, m.id, m.role_id, m.role_slug, m.status, m.expires_at FROM chain c \
         CROSS JOIN LATERAL (SELECT * FROM {{s}}membership x WHERE x.org_id = c.id AND x.usr_id = c.usr AND x.status <> 'revoked' OFFSET 0) m), \
         team AS MATERIALIZED (SELECT k.usr, k.org, g.group_id, g.expires_at FROM ask k \
         CROSS JOIN LATERAL (SELECT * FROM {{s}}group_member x WHERE x.org_id = k.org AND x.usr_id = k.usr OFFSET 0) g), \
         team_role AS MATERIALIZED (SELECT r.group_id, r.role_id, r.expires_at FROM (SELECT DISTINCT t.group_id FROM team t{of_teams}) t \
         CROSS JOIN LATERAL (SELECT * FROM {{s}}group_role x WHERE x.group_id = t.group_id OFFSET 0) r){also}, \
         part AS MATERIALIZED (SELECT h.role_id AS id FROM held h UNION SELECT r.role_id FROM team_role r{and}{of_parts}), \
         holder AS MATERIALIZED (SELECT 'rol' COLLATE \"C\" AS kind, p.id FROM part p UNION SELECT 'org', c.id FROM chain c \
         UNION SELECT 'mem', h.id FROM held h) \
         SELECT 0, NULL::uuid, NULL::uuid, NULL::uuid, NULL::uuid, NULL::text, NULL::text, NULL::text, s.revision, NULL::bigint, \
         NULL::uuid[], NULL::timestamptz FROM {{s}}system s WHERE s.one = 1 \
         UNION ALL SELECT 1, u.id, NULL, NULL, NULL, u.status, NULL, NULL, u.revision, NULL, NULL, NULL FROM (SELECT DISTINCT k.usr FROM given k) k \
         CROSS JOIN LATERAL (SELECT * FROM {{s}}user_account x WHERE x.id = k.usr OFFSET 0) u \
         UNION ALL SELECT 2, NULL, o.id, NULL, NULL, o.status, NULL, NULL, o.revision, \
         2 * o.cascade_permissions::integer + o.inherit_permissions::integer, o.ancestors, NULL FROM (SELECT DISTINCT c.id FROM chain c) c \
         CROSS JOIN LATERAL (SELECT * FROM {{s}}organization x WHERE x.id = c.id OFFSET 0) o \
         UNION ALL SELECT 3, h.usr, h.org_id, h.id, h.role_id, h.status, h.role_slug, NULL, NULL, NULL, NULL, h.expires_at FROM held h \
         UNION ALL SELECT 4, NULL, r.id, r.org_id, NULL, r.slug, NULL, NULL, r.inherits_to_descendants::integer, NULL, NULL, NULL \
         FROM part p CROSS JOIN LATERAL (SELECT * FROM {{s}}role x WHERE x.id = p.id OFFSET 0) r \
         UNION ALL SELECT 5, t.usr, t.group_id, t.org, NULL, NULL, NULL, NULL, NULL, NULL, NULL, t.expires_at FROM team t \
         UNION ALL SELECT 6, NULL, r.group_id, r.role_id, NULL, NULL, NULL, NULL, NULL, NULL, NULL, r.expires_at FROM team_role r \
         UNION ALL SELECT 7, NULL, g.holder_id, NULL, NULL, g.permission, g.holder_type, g.effect, NULL, NULL, NULL, g.expires_at \
         FROM holder h CROSS JOIN LATERAL (SELECT g.holder_type, g.holder_id, g.permission, g.effect, g.expires_at FROM {{s}}permission_grant g WHERE g.holder_type = h.kind AND g.holder_id = h.id{wanted} \
         {IN_ORDER}) g{known}"
    )
}

/// A row of a table that may be missing, found by a whole key; `@` is its alias in the condition. For one ask there is nothing to choose, and
/// the least to set up is a join; for many, a planner that is left the choice might read the table.
fn found(each: bool, table: &str, alias: &str, filter: &str) -> String {
    if each {
        let filter = filter.replace('@', "x");
        format!("LEFT JOIN LATERAL (SELECT * FROM {{s}}{table} x WHERE {filter} OFFSET 0) {alias} ON true")
    } else {
        format!("LEFT JOIN {{s}}{table} {alias} ON {}", filter.replace('@', alias))
    }
}

/// Lists of users and organizations, and of permissions.
const ASKS: &str = "unnest((SELECT $1::uuid[]), (SELECT $2::uuid[]), (SELECT $3::text[])) WITH ORDINALITY k (usr, org, permission, n)";

/// What tells whether the user `$1` holds in the organization `$2` the permission `$3`; or lists of those, and then each row begins with its
/// place in them. One row for each override or grant of it that may concern the membership in the organization itself, and at least one.
///
/// Of the organization and the user there is only what is not so with nearly all of them: that it has others above it, that one of them is
/// not active. What the organizations above say, or the user's groups, or whether there is an organization of which nothing else was found,
/// is only looked for where it matters. What is not looked up costs nothing, and the indexes of what is rare stay small and at hand.
///
/// Each index that a plan looks into takes 27 KB of the server while it runs, 43 KB where it reads nothing but the index. From about 128 KB in
/// all, memory may be given back after each call and asked for again, which takes half as long as the whole statement.
fn holding(each: bool) -> String {
    let (place, from, usr, org, permission) =
        if each { ("k.n, ", ASKS, "k.usr", "k.org", "k.permission") } else { ("", "(SELECT) one", "$1", "$2", "$3") };
    let granted = "x.holder_type = 'rol' AND x.holder_id = m.role_id AND x.effect = 'grant' AND x.expires_at IS NULL AS by_role";
    format!(
        "SELECT {place}o.status, o.ancestors, o.cascade_permissions, o.inherit_permissions, u.status, \
         m.id, m.role_id, m.role_slug, m.status, m.expires_at, g.holder_type, g.holder_id, g.effect, g.expires_at, \
         CASE WHEN o.ancestors IS NULL AND g.by_role THEN NULL \
         ELSE {{s}}held_beyond_v1({usr}, {org}, o.ancestors, m.id IS NOT NULL, g.by_role, {permission}) END \
         FROM {from} {} {} {} \
         LEFT JOIN LATERAL (SELECT x.holder_type, x.holder_id, x.effect, x.expires_at, {granted} FROM {{s}}permission_grant x \
         WHERE x.permission = {permission} COLLATE \"C\" \
         AND x.holder_id = ANY (o.ancestors || ARRAY[{org}, m.id, m.role_id]) OFFSET 0) g ON true",
        found(each, "membership", "m", &format!("@.org_id = {org} AND @.usr_id = {usr} AND @.status <> 'revoked'")),
        found(each, "organization", "o", &format!("@.id = {org} AND (@.status <> 'active' OR @.ancestors <> '{{}}')")),
        found(each, "user_account", "u", &format!("@.id = {usr} AND @.status <> 'active'")),
    )
}

/// Everything that tells what a user may do: in one row, with what the role grants without an end by its slugs alone. `$1` user, `$2`
/// organization; or lists of those and a third one, of which nothing is taken, and then each row begins with its place in them.
fn resolving(each: bool) -> String {
    let (place, from, usr, org, filter) = if each {
        let from = format!("{ASKS} CROSS JOIN LATERAL (SELECT * FROM {{s}}organization x WHERE x.id = k.org OFFSET 0) o");
        ("k.n, ", from, "k.usr", "k.org", "")
    } else {
        ("", "{s}organization o".to_owned(), "$1", "$2", " WHERE o.id = $2")
    };
    let words = "concat_ws(' ', 'grant', g.holder_type, g.holder_id, g.effect, \
         coalesce((extract(epoch FROM g.expires_at) * 1000000)::bigint::text, '-'), g.permission)";
    format!(
        "SELECT {place}o.status, o.cascade_permissions, o.inherit_permissions, o.ancestors, o.revision, u.status, u.revision, \
         m.id, m.role_id, m.role_slug, m.status, m.expires_at, {SYSTEM_REVISION}, \
         ARRAY(SELECT CASE WHEN g.effect = 'grant' AND g.expires_at IS NULL THEN g.permission ELSE {words} END \
         FROM {{s}}permission_grant g WHERE g.holder_id = m.role_id AND g.holder_type = 'rol' {IN_ORDER}), \
         ARRAY(SELECT {words} FROM {{s}}permission_grant g WHERE g.holder_type <> 'rol' AND g.holder_id = ANY (o.ancestors || ARRAY[o.id, m.id])), \
         CASE WHEN o.ancestors <> '{{}}' THEN {{s}}held_above_v1({usr}, o.ancestors, m.id IS NOT NULL, NULL) END, \
         CASE WHEN EXISTS (SELECT FROM {{s}}group_member t WHERE t.org_id = o.id AND t.usr_id = {usr}) \
         THEN {{s}}held_by_groups_v1({usr}, {org}, NULL) END FROM {from} {} {}{filter}",
        found(each, "user_account", "u", &format!("@.id = {usr}")),
        found(each, "membership", "m", &format!("@.org_id = {org} AND @.usr_id = {usr} AND @.status <> 'revoked'")),
    )
}

/// What of the tuple `$1` another part of the load asks.
fn of_tuple(what: &str) -> String {
    format!("(SELECT {what} FROM {{s}}tuple t WHERE t.id = $1)")
}

const ORG_OF_OBJECT: &str = "CASE WHEN t.object_type = 'org' THEN t.object_id END";

fn load_tuple() -> String {
    let (scope, object) = (of_tuple("t.org_id"), of_tuple(ORG_OF_OBJECT));
    let of_mem = |what: &str| format!("(SELECT {what} FROM {{s}}membership m WHERE m.id = $1)");
    format!(
        "SELECT pg_backend_pid(){{actor}}{{grants}}, {}, {}, {}, {}, {}, {}, {}",
        one("tuple", "t", TUP, "t.id = $1"),
        one("organization", "o", ORG, &format!("o.id = {scope}")),
        one("organization", "b", ORG, &format!("b.id = {object}")),
        one("membership", "m", MEM, "m.id = $1"),
        one("user_account", "u", USER, &format!("u.id = {}", of_mem("m.usr_id"))),
        one("organization", "mo", ORG, &format!("mo.id = {}", of_mem("m.org_id"))),
        statuses(&of_mem("m.org_id")),
    )
}

/// The organization in which a guarded caller's standing is wanted for the tuple `$1`: its scope, its object, or that of the
/// membership that it is derived from.
fn home_of_tuple() -> String {
    format!(
        "coalesce({}, {}, CASE WHEN NOT EXISTS (SELECT FROM {{s}}tuple t WHERE t.id = $1) THEN \
         (SELECT m.org_id FROM {{s}}membership m WHERE m.id = $1) END)",
        of_tuple("t.org_id"),
        of_tuple(ORG_OF_OBJECT),
    )
}

/// Stored and derived tuples, each from its index, as one list by id.
fn tuples(stored: &str, derived: &str, order: &str, limit: &str) -> String {
    format!(
        "SELECT {} FROM ((SELECT {} FROM {{s}}tuple t WHERE {stored}{}) UNION ALL (SELECT {DERIVED} FROM {{s}}membership m \
         WHERE {derived}{})) x ORDER BY x.id{limit}",
        columns(TUP, "x"),
        columns(TUP, "t"),
        order.replace('@', "t"),
        order.replace('@', "m"),
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

/// Invitations that are stored as pending with such an end, or with a status: `$4` whether pending ones, `$5` moment, `$6` behind it,
/// `$7` stored status or null; all of them when neither is asked for.
fn invitation_filter(alias: &str) -> String {
    format!(
        "((NOT $4::boolean AND $7::text IS NULL) OR {alias}.status = $7 OR ($4 AND {alias}.status = 'pending' AND \
         CASE WHEN $6::boolean THEN {alias}.expires_at > $5::timestamptz ELSE {alias}.expires_at <= $5 END))"
    )
}

/// The revision of what belongs to no organization.
const SYSTEM_REVISION: &str = "(SELECT s.revision FROM {s}system s WHERE s.one = 1)";

const EVENT: &str = "@.id, @.org_id, @.revision, @.type, @.actor_type, @.actor_id, @.at, @.subject_ids, @.data, @.request_id, @.reason";

statements! {
    /// `$1` presence of organizations, `$2` of users, `$3` guards, `$4` moment, `$5` changes, `$6` events, `$7` the server process that the
    /// load came from: a pooler may hand the write to another one, and then a lost connection could not be looked into.
    apply = "SELECT CASE WHEN pg_backend_pid() = $7 THEN {s}apply_v4($1, $2, $3::jsonb, $4, $5::jsonb, $6::jsonb) ELSE 'moved' END";
    /// `$1` presence of organizations, `$2` of users, `$3` trees, `$4` objects, `$5` what belongs to no organization, `$6` users,
    /// `$7` organizations.
    lock = "SELECT {s}lock_v4($1, $2, $3, $4, $5, $6, $7)";
    /// `$1` the server process that had the write in hand. Whether this is a server that would know, and whether it still lives.
    backend_lives = "SELECT NOT pg_is_in_recovery(), EXISTS (SELECT FROM pg_stat_activity WHERE pid = $1)";

    load_nothing = "SELECT pg_backend_pid()";
    load_system = "SELECT pg_backend_pid(), s.revision FROM {s}system s WHERE s.one = 1";
    load_user = format!("SELECT pg_backend_pid(), {}", one("user_account", "u", USER, "u.id = $1"));
    load_owner = format!(
        "SELECT pg_backend_pid(), {}, o.id, o.revision, {} FROM (SELECT) one LEFT JOIN {{s}}membership m ON m.usr_id = $1 \
         AND m.status = 'active' AND m.role_id = '{{owner}}' LEFT JOIN {{s}}organization o ON o.id = m.org_id ORDER BY o.id",
        one("user_account", "u", USER, "u.id = $1"),
        other_owner("m.org_id", "$1"),
    );
    load_new_org = plain(&load_new_org());
    load_new_org_as = guarded(&load_new_org(), "$2", "$4");
    load_org = plain(&load_org());
    load_org_as = guarded(&load_org(), "$1", "$3");
    load_org_end = plain(&load_org_end());
    load_org_end_as = guarded(&load_org_end(), "$1", "$4");
    load_own_end = plain(&load_own_end());
    load_own_end_as = guarded(&load_own_end(), "$1", "$5");
    load_tenants = load_tenants();
    /// `$1` organization, `$2` user, `$3` moment.
    load_join = plain(&load_join());
    load_join_as = guarded(&load_join(), "$1", "$4");
    load_member = plain(&load_member(false));
    load_member_as = guarded(&load_member(false), "m.org_id", "$2");
    load_member_and_peer = plain(&load_member(true));
    load_member_and_peer_as = guarded(&load_member(true), "m.org_id", "$3");
    load_pair = plain(&load_pair());
    load_pair_as = guarded(&load_pair(), "(SELECT m.org_id FROM {s}membership m WHERE m.id = $2)", "$4");
    load_invite = plain(&load_invite());
    /// `$3` user, `$4` moment, `$5` to `$7` relations, types and ids of objects.
    load_invite_as = guarded(&load_invite(), "$1", "$3").replace("{grants}", &standpoints(
        "$3",
        "$1",
        "unnest((SELECT $5::text[]), (SELECT $6::text[]), (SELECT $7::uuid[])) WITH ORDINALITY x (relation, object_type, object_id, n)",
        "$4",
        "row_number() OVER (ORDER BY v.id) = 1",
    ));
    load_invitation = plain(&load_invitation());
    /// `$2` user, `$3` moment.
    load_invitation_as =
        guarded(&load_invitation(), "v.org_id", "$2").replace("{grants}", &standpoints("$2", "v.org_id", PROMISES, "$3", "true"));
    load_accept = load_accept();
    load_new_tuple = plain(&load_new_tuple());
    /// `$9` user, `$10` moment.
    load_new_tuple_as = guarded(&load_new_tuple(), "coalesce($6::uuid, $7::uuid)", "$9")
        .replace("{grants}", &standpoints(
        "$9",
        "$6",
        "(SELECT $3::text AS relation, $4::text AS object_type, $5::uuid AS object_id, 1 AS n) x",
        "$10",
        "true",
    ));
    load_tuple = plain(&load_tuple());
    /// `$2` user, `$3` moment.
    load_tuple_as = guarded(&load_tuple(), &home_of_tuple(), "$2").replace("{grants}", &standpoints(
        "$2",
        &of_tuple("t.org_id"),
        "(SELECT t.relation, t.object_type, t.object_id, 1 AS n FROM {s}tuple t WHERE t.id = $1) x",
        "$3",
        "true",
    ));
    /// `$1` organization, `$2` its parent from now on, `$3` moment.
    load_move = plain(&load_move());
    load_move_as = guarded(&load_move(), "$1", "$4");
    load_access = plain(&load_access());
    /// `$11` user.
    load_access_as = guarded(&load_access(), PLACE, "$11");
    /// `$1` slugs.
    load_catalog = format!(
        "SELECT pg_backend_pid(), (SELECT s.revision FROM {{s}}system s WHERE s.one = 1), CASE WHEN c.slug IS NOT NULL THEN ROW({}) END \
         FROM (SELECT) one LEFT JOIN {{s}}permission c ON c.slug = ANY ((SELECT $1::text[])::text[] COLLATE \"C\") ORDER BY c.slug",
        columns(PERMISSION, "c"),
    );
    /// `$1` slugs: the roles of the system with these, the catalog, and what those roles grant, each in rows of its own and with the
    /// revision of what belongs to no organization.
    load_role_grants = format!(
        "SELECT pg_backend_pid(), s.revision, CASE WHEN r.id IS NOT NULL THEN ROW({}) END, CASE WHEN p.slug IS NOT NULL THEN ROW({}) END, \
         CASE WHEN g.permission IS NOT NULL THEN ROW({}) END \
         FROM {{s}}system s CROSS JOIN (VALUES (0), (1), (2)) part (n) \
         LEFT JOIN LATERAL (SELECT * FROM {{s}}role x WHERE part.n = 0 AND x.org_id IS NULL \
         AND x.slug = ANY ((SELECT $1::text[])::text[] COLLATE \"C\") OFFSET 0) r ON true \
         LEFT JOIN LATERAL (SELECT * FROM {{s}}permission x WHERE part.n = 1 OFFSET 0) p ON true \
         LEFT JOIN LATERAL (SELECT y.* FROM {{s}}role x CROSS JOIN LATERAL (SELECT * FROM {{s}}permission_grant z \
         WHERE z.holder_type = 'rol' AND z.holder_id = x.id OFFSET 0) y WHERE part.n = 2 AND x.org_id IS NULL \
         AND x.slug = ANY ((SELECT $1::text[])::text[] COLLATE \"C\") OFFSET 0) g ON true WHERE s.one = 1 \
         ORDER BY part.n, r.id, p.slug, g.holder_id, g.permission",
        columns(ROLE, "r"),
        columns(PERMISSION, "p"),
        columns(GRANT, "g"),
    );
    /// `$1` organization or null, `$2` slugs: each organization with its revisions, then the revision of what belongs to none; each with
    /// each of its roles with one of the slugs.
    line = format!(
        "SELECT pg_backend_pid(), o.id, o.revision, o.structure_revision, CASE WHEN r.id IS NOT NULL THEN ROW({}) END, cardinality(o.ancestors) AS depth \
         FROM {{s}}organization o LEFT JOIN {{s}}role r ON r.org_id = o.id AND r.slug = ANY ((SELECT $2::text[])::text[] COLLATE \"C\") \
         WHERE o.id = $1 OR o.id = ANY ((SELECT x.ancestors FROM {{s}}organization x WHERE x.id = $1)::uuid[]) \
         UNION ALL SELECT pg_backend_pid(), NULL, s.revision, NULL, CASE WHEN r.id IS NOT NULL THEN ROW({}) END, 100 FROM {{s}}system s \
         LEFT JOIN {{s}}role r ON r.org_id IS NULL AND r.slug = ANY ((SELECT $2::text[])::text[] COLLATE \"C\") WHERE s.one = 1 \
         ORDER BY depth",
        columns(ROLE, "r"),
        columns(ROLE, "r"),
    );
    /// What the token of the user `$1` in the organization `$2` is made of: a row for it and each above it, and it alone with its ancestors.
    revisions = format!(
        "SELECT {SYSTEM_REVISION}, (SELECT u.revision FROM {{s}}user_account u WHERE u.id = $1), o.id, o.revision, \
         CASE WHEN o.id = $2 THEN o.ancestors END FROM {{s}}organization o \
         WHERE o.id = ANY ((SELECT x.ancestors || x.id FROM {{s}}organization x WHERE x.id = $2)::uuid[])"
    );
    /// The same of many, `$1` users, `$2` organizations: each row begins with its place in them; those above stand behind, once and without.
    revisions_each = format!(
        "WITH ask AS MATERIALIZED (SELECT k.n, u.revision AS usr, o.id, o.revision, o.ancestors \
         FROM unnest((SELECT $1::uuid[]), (SELECT $2::uuid[])) WITH ORDINALITY k (usr, org, n) \
         CROSS JOIN LATERAL (SELECT * FROM {{s}}organization x WHERE x.id = k.org OFFSET 0) o \
         LEFT JOIN LATERAL (SELECT * FROM {{s}}user_account x WHERE x.id = k.usr OFFSET 0) u ON true) \
         SELECT a.n, {SYSTEM_REVISION}, a.usr, a.id, a.revision, a.ancestors FROM ask a \
         UNION ALL SELECT NULL, NULL, NULL, o.id, o.revision, NULL \
         FROM (SELECT DISTINCT p.id FROM ask a CROSS JOIN LATERAL unnest(a.ancestors) p (id)) p \
         CROSS JOIN LATERAL (SELECT * FROM {{s}}organization x WHERE x.id = p.id OFFSET 0) o"
    );
    holding = holding(false);
    holding_each = holding(true);
    resolving = resolving(false);
    resolving_each = resolving(true);
    facts_all = facts(false, false, Beside::Nothing);
    facts_some = facts(true, false, Beside::Nothing);
    facts_all_below = facts(false, true, Beside::Nothing);
    facts_some_below = facts(true, true, Beside::Nothing);
    facts_why = facts(true, false, Beside::Grantors);
    facts_why_below = facts(true, true, Beside::Grantors);
    /// What a command of a guarded caller weighs.
    facts_all_named = facts(false, false, Beside::Named);
    facts_some_named = facts(true, false, Beside::Named);
    facts_all_below_named = facts(false, true, Beside::Named);
    /// `$1` limit, `$2` behind.
    permissions = format!("SELECT {} FROM {{s}}permission p WHERE p.slug > $2 COLLATE \"C\" ORDER BY p.slug LIMIT $1", columns(PERMISSION, "p"));
    /// `$1` role, `$2` moment.
    role_by_id = format!("SELECT {} FROM {{s}}role r WHERE r.id = $1", role_with_grants("$2"));
    /// `$1` organization or null, `$2` limit, `$3` behind, `$4` moment.
    roles_known = format!(
        "SELECT $1::uuid IS NULL OR EXISTS (SELECT FROM {{s}}organization WHERE id = $1), {} FROM (SELECT) one \
         LEFT JOIN LATERAL (SELECT * FROM {{s}}role t WHERE t.id > $3 AND (t.org_id IS NULL OR t.org_id = $1 \
         OR t.org_id = ANY ((SELECT x.ancestors FROM {{s}}organization x WHERE x.id = $1)::uuid[])) ORDER BY t.id LIMIT $2) r ON true ORDER BY r.id",
        role_with_grants("$4"),
    );
    group_by_id = format!("SELECT {} FROM {{s}}user_group g WHERE g.id = $1", columns(GROUP, "g"));
    /// `$1` organization, `$2` limit, `$3` behind.
    groups = of_org("user_group", "g", GROUP, "t.org_id = $1 AND t.id > $3");
    /// `$1` group, `$2` limit, `$3` behind.
    group_members = format!(
        "SELECT {}, {} FROM {{s}}user_group g LEFT JOIN LATERAL (SELECT * FROM {{s}}group_member t WHERE t.group_id = $1 AND t.usr_id > $3 \
         ORDER BY t.usr_id LIMIT $2) r ON true WHERE g.id = $1 ORDER BY r.usr_id",
        "g.org_id",
        columns(GROUP_MEMBER, "r"),
    );
    /// The same.
    group_roles = "SELECT g.org_id, gr.group_id, g.org_id, gr.role_id, gr.role_slug, gr.granted_by, gr.created_at, gr.expires_at \
        FROM {s}user_group g LEFT JOIN LATERAL (SELECT * FROM {s}group_role t WHERE t.group_id = $1 AND t.role_id > $3 \
        ORDER BY t.role_id LIMIT $2) gr ON true WHERE g.id = $1 ORDER BY gr.role_id";
    /// `$1` and `$2` holder, `$3` limit, `$4` behind: first whether the holder is there, and its organization.
    grants = format!(
        "SELECT w.there, w.org_id, {} FROM (SELECT CASE $1 WHEN 'rol' THEN EXISTS (SELECT FROM {{s}}role x WHERE x.id = $2) \
         WHEN 'org' THEN EXISTS (SELECT FROM {{s}}organization x WHERE x.id = $2) ELSE EXISTS (SELECT FROM {{s}}membership x WHERE x.id = $2) END AS there, \
         CASE $1 WHEN 'rol' THEN (SELECT x.org_id FROM {{s}}role x WHERE x.id = $2) WHEN 'org' THEN $2::uuid \
         ELSE (SELECT x.org_id FROM {{s}}membership x WHERE x.id = $2) END AS org_id) w \
         LEFT JOIN LATERAL (SELECT * FROM {{s}}permission_grant t WHERE t.holder_type = $1 COLLATE \"C\" AND t.holder_id = $2 \
         AND t.permission > $4 COLLATE \"C\" ORDER BY t.permission LIMIT $3) g ON true ORDER BY g.permission",
        columns(GRANT, "g"),
    );
    /// `$1` organization, `$2` limit, `$3` behind, `$4` how many levels below.
    users_about = "WITH RECURSIVE below (id, level) AS (SELECT $1::uuid, 0 UNION ALL SELECT o.id, b.level + 1 FROM below b \
        CROSS JOIN LATERAL (SELECT c.id FROM {s}organization c WHERE c.parent_id = b.id OFFSET 0) o WHERE b.level < $4), \
        place AS MATERIALIZED (SELECT b.id FROM below b UNION SELECT unnest(o.ancestors) FROM {s}organization o WHERE o.id = $1) \
        SELECT EXISTS (SELECT FROM {s}organization WHERE id = $1), u.usr_id FROM (SELECT) one LEFT JOIN (SELECT DISTINCT m.usr_id FROM place p \
        JOIN LATERAL (SELECT m.usr_id FROM {s}membership m WHERE m.org_id = p.id AND m.usr_id > $3 AND m.status <> 'revoked' \
        ORDER BY m.usr_id LIMIT $2) m ON true ORDER BY m.usr_id LIMIT $2) u ON true ORDER BY u.usr_id";
    pairs_within = pairs_within(false);
    pairs_within_below = pairs_within(true);
    /// `$1` user, `$2` limit, `$3` behind, `$4` how many levels above.
    orgs_about = "WITH RECURSIVE held AS MATERIALIZED (SELECT m.org_id, coalesce(r.inherits_to_descendants, false) AS reaches, o.ancestors \
        FROM {s}membership m JOIN {s}organization o ON o.id = m.org_id LEFT JOIN {s}role r ON r.id = m.role_id \
        WHERE m.usr_id = $1 AND m.status <> 'revoked'), \
        below (id) AS (SELECT h.org_id FROM held h WHERE h.reaches UNION SELECT o.id FROM below b \
        CROSS JOIN LATERAL (SELECT c.id FROM {s}organization c WHERE c.parent_id = b.id OFFSET 0) o), \
        place (id) AS (SELECT h.org_id FROM held h UNION SELECT b.id FROM below b UNION SELECT a.id FROM held h \
        CROSS JOIN LATERAL unnest(h.ancestors) WITH ORDINALITY a (id, n) WHERE a.n > cardinality(h.ancestors) - $4) \
        SELECT p.id FROM place p WHERE p.id > $3 ORDER BY p.id LIMIT $2";

    /// `$1` moment, `$2` limit; each with its organization.
    load_expired_invitations = format!(
        "SELECT pg_backend_pid(), ROW({}), {} FROM {{s}}invitation v WHERE v.status = 'pending' AND v.expires_at <= $1 ORDER BY v.id LIMIT $2",
        columns(INV, "v"),
        one("organization", "o", ORG, "o.id = v.org_id"),
    );
    /// `$1` moment, `$2` limit; each with its scope, and with the organization that is its object.
    load_expired_tuples = format!(
        "SELECT pg_backend_pid(), ROW({}), {}, {} FROM {{s}}tuple t WHERE t.expires_at <= $1 ORDER BY t.id LIMIT $2",
        columns(TUP, "t"),
        one("organization", "o", ORG, "o.id = t.org_id"),
        one("organization", "b", ORG, "b.id = t.object_id AND t.object_type = 'org'"),
    );

    users_by_id = format!("SELECT {} FROM {{s}}user_account u WHERE u.id = ANY ((SELECT $1::uuid[])::uuid[]) ORDER BY u.id", columns(USER, "u"));
    orgs_by_id = format!("SELECT {} FROM {{s}}organization o WHERE o.id = ANY ((SELECT $1::uuid[])::uuid[]) ORDER BY o.id", columns(ORG, "o"));
    memberships_by_id = format!("SELECT {} FROM {{s}}membership m WHERE m.id = ANY ((SELECT $1::uuid[])::uuid[]) ORDER BY m.id", columns(MEM, "m"));
    slugs_by_text = "SELECT s.slug, s.org_id FROM {s}organization_slug s WHERE s.slug = ANY ((SELECT $1::text[])::text[]) ORDER BY s.slug";
    invitations_by_id = format!("SELECT {} FROM {{s}}invitation v WHERE v.id = ANY ((SELECT $1::uuid[])::uuid[]) ORDER BY v.id", columns(INV, "v"));
    tuples_by_id = format!("SELECT {} FROM {{s}}tuple t WHERE t.id = ANY ((SELECT $1::uuid[])::uuid[]) ORDER BY t.id", columns(TUP, "t"));
    /// `$1` to `$6` subjects' types and ids, relations, objects' types and ids, scopes.
    tuples_by_key = format!(
        "SELECT {} FROM unnest((SELECT $1::text[]), (SELECT $2::uuid[]), (SELECT $3::text[]), (SELECT $4::text[]), \
         (SELECT $5::uuid[]), (SELECT $6::uuid[])) k (st, sid, rel, ot, oid, org) \
         JOIN {{s}}tuple t ON t.object_type = k.ot AND t.object_id = k.oid AND t.relation = k.rel AND t.subject_type = k.st \
         AND t.subject_id = k.sid AND t.org_id IS NOT DISTINCT FROM k.org ORDER BY t.id",
        columns(TUP, "t"),
    );
    /// Organizations with all above them.
    lines_by_id = format!(
        "SELECT {} FROM {{s}}organization o WHERE o.id = ANY ((SELECT $1::uuid[])::uuid[]) OR o.id IN (SELECT a.id FROM {{s}}organization x \
         CROSS JOIN LATERAL unnest(x.ancestors) a (id) WHERE x.id = ANY ((SELECT $1::uuid[])::uuid[])) ORDER BY o.id",
        columns(ORG, "o"),
    );
    /// `$1` organizations, `$2` moment: the relations to those that are not there.
    relations_to = "SELECT DISTINCT t.object_id, t.relation FROM unnest((SELECT $1::uuid[])) x (id) JOIN {s}tuple t ON t.object_type = 'org' \
        AND t.object_id = x.id AND (t.expires_at IS NULL OR t.expires_at > $2) \
        WHERE NOT EXISTS (SELECT FROM {s}organization o WHERE o.id = x.id) ORDER BY t.object_id, t.relation";
    permissions_by_slug = format!("SELECT {} FROM {{s}}permission p WHERE p.slug = ANY ((SELECT $1::text[])::text[] COLLATE \"C\") ORDER BY p.slug", columns(PERMISSION, "p"));
    /// `$1` roles by id, `$2` slugs, `$3` the organizations whose roles are meant by these, beside the system.
    roles_by_key = format!(
        "SELECT {} FROM {{s}}role r WHERE r.id = ANY ((SELECT $1::uuid[])::uuid[]) UNION SELECT {} FROM {{s}}role r \
         WHERE r.slug = ANY ((SELECT $2::text[])::text[] COLLATE \"C\") AND (r.org_id IS NULL OR r.org_id = ANY ((SELECT $3::uuid[])::uuid[]))",
        columns(ROLE, "r"),
        columns(ROLE, "r"),
    );
    /// `$1` slugs, `$2` moment: which of them are relations to organizations.
    stored_relations = "SELECT x.slug FROM unnest((SELECT $1::text[])) x (slug) WHERE EXISTS (SELECT FROM {s}tuple t \
        JOIN {s}organization o ON o.id = t.object_id WHERE t.object_type = 'org' AND t.relation = x.slug COLLATE \"C\" \
        AND (t.expires_at IS NULL OR t.expires_at > $2)) ORDER BY x.slug";
    /// `$1` to `$3` holders' types and ids, permissions.
    grants_by_key = format!(
        "SELECT {} FROM unnest((SELECT $1::text[]), (SELECT $2::uuid[]), (SELECT $3::text[])) k (ht, hid, slug) \
         JOIN {{s}}permission_grant p ON p.holder_type = k.ht AND p.holder_id = k.hid AND p.permission = k.slug",
        columns(GRANT, "p"),
    );
    groups_by_id = format!("SELECT {} FROM {{s}}user_group g WHERE g.id = ANY ((SELECT $1::uuid[])::uuid[]) ORDER BY g.id", columns(GROUP, "g"));
    /// `$1` groups, `$2` users.
    group_members_by_key = format!(
        "SELECT {} FROM unnest((SELECT $1::uuid[]), (SELECT $2::uuid[])) k (gid, usr) JOIN {{s}}group_member r ON r.group_id = k.gid AND r.usr_id = k.usr",
        columns(GROUP_MEMBER, "r"),
    );
    group_roles_of = format!(
        "SELECT {GROUP_ROLE} FROM {{s}}user_group gg JOIN {{s}}group_role gr ON gr.group_id = gg.id \
         WHERE gg.id = ANY ((SELECT $1::uuid[])::uuid[]) ORDER BY gr.group_id, gr.role_id"
    );
    members_among = "SELECT x.id FROM unnest((SELECT $1::uuid[])) x (id) WHERE EXISTS (SELECT FROM {s}membership m WHERE m.usr_id = x.id) ORDER BY x.id";

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
    /// `$1` organization, `$2` limit, `$3` behind, `$4` how many levels below it, or null. The ids are taken from the index and put in
    /// their order before a row is read; no id is as high as the one behind which what is below ends.
    descendants = of_org(
        "organization",
        "o",
        ORG,
        "t.id = ANY (ARRAY(SELECT b.id FROM (SELECT x.id FROM {s}organization x WHERE x.parent_id IS NOT NULL \
         AND x.ancestors >= (SELECT p.ancestors || p.id FROM {s}organization p WHERE p.id = $1) \
         AND x.ancestors < (SELECT p.ancestors || p.id || 'ffffffff-ffff-ffff-ffff-ffffffffffff'::uuid FROM {s}organization p WHERE p.id = $1) \
         AND x.id > $3 AND ($4::integer IS NULL OR cardinality(x.ancestors) <= \
         (SELECT cardinality(p.ancestors) + $4 FROM {s}organization p WHERE p.id = $1)) OFFSET 0) b ORDER BY b.id LIMIT $2))",
    );
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
    /// `$1` organization, `$2` limit, `$3` behind, `$4` pending, `$5` moment, `$6` behind it, `$7` stored status.
    invitations = of_org("invitation", "v", INV, &format!("t.org_id = $1 AND t.id > $3 AND {}", invitation_filter("t")));
    /// `$1` limit, `$2` identifier, the others as above.
    invitations_for = page("invitation", "v", INV, &format!("v.identifier = $2 AND v.id > $3 AND {}", invitation_filter("v")));

    /// `$1` tuple, `$2` moment.
    tuple_by_id = tuples(
        &format!("t.id = $1 AND {}", counts("$2")),
        &format!("m.id = $1 AND NOT EXISTS (SELECT FROM {{s}}tuple t WHERE t.id = $1) AND {}", live("m.org_id", "$2")),
        "",
        "",
    );
    /// `$1` subject's type, `$2` its id, `$3` behind, `$4` limit, `$5` moment.
    tuples_of_subject = tuples(
        &format!("t.subject_type = $1 AND t.subject_id = $2 AND t.id > $3 AND {}", counts("$5")),
        &format!("$1 = 'usr' AND m.usr_id = $2 AND m.id > $3 AND {}", live("m.org_id", "$5")),
        " ORDER BY @.id LIMIT $4",
        " LIMIT $4",
    );
    /// `$1` object's type, which is not that of organizations, `$2` its id, `$3` behind, `$4` limit, `$5` moment, `$6` relation or null.
    tuples_on_object = format!(
        "SELECT {} FROM {{s}}tuple t WHERE t.object_type = $1 AND t.object_id = $2 AND t.id > $3 AND ($6::text IS NULL OR t.relation = $6) \
         AND {} ORDER BY t.id LIMIT $4",
        columns(TUP, "t"),
        counts("$5"),
    );
    /// `$1` organization, `$2` behind, `$3` limit, `$4` moment, `$5` relation or null, `$6` the role that is called so.
    tuples_on_org = tuples(
        &format!("t.object_type = 'org' AND t.object_id = $1 AND t.id > $2 AND ($5::text IS NULL OR t.relation = $5) AND {}", counts("$4")),
        &format!("m.org_id = $1 AND m.id > $2 AND ($5::text IS NULL OR (m.role_id = $6 OR m.role_slug = $5)) AND {}", live("$1", "$4")),
        " ORDER BY @.id LIMIT $3",
        " LIMIT $3",
    );
    /// `$1` to `$5` the tuple, `$6` moment.
    check_stored = format!(
        "SELECT (SELECT t.id FROM {{s}}tuple t WHERE t.object_type = $4 AND t.object_id = $5 AND t.relation = $3 AND t.subject_type = $1 \
         AND t.subject_id = $2 AND {} ORDER BY t.id LIMIT 1), NULL::uuid",
        counts("$6"),
    );
    /// `$1` user, `$2` relation, `$3` organization, `$4` the role that is called like the relation, `$5` moment.
    check_role = format!(
        "SELECT (SELECT t.id FROM {{s}}tuple t WHERE t.object_type = 'org' AND t.object_id = $3 AND t.relation = $2 AND t.subject_type = 'usr' \
         AND t.subject_id = $1 AND {} ORDER BY t.id LIMIT 1), (SELECT m.id FROM {{s}}membership m WHERE m.org_id = $3 AND m.usr_id = $1 \
         AND (m.role_id = $4 OR m.role_slug = $2) AND {})",
        counts("$5"),
        live("$3", "$5"),
    );
    /// `$1` to `$6` subjects' types and ids (null where they are asked for), relations, objects' types and ids, roles; `$7` moment,
    /// `$8` the most subjects.
    answers = format!(
        "SELECT (SELECT t.id FROM {{s}}tuple t WHERE t.object_type = k.ot AND t.object_id = k.oid AND t.relation = k.rel \
         AND t.subject_type = k.st AND t.subject_id = k.sid AND {} ORDER BY t.id LIMIT 1), \
         (SELECT m.id FROM {{s}}membership m WHERE k.st = 'usr' AND k.ot = 'org' AND m.org_id = k.oid AND m.usr_id = k.sid \
         AND (m.role_id = k.role OR m.role_slug = k.rel) AND {}), \
         CASE WHEN k.st IS NULL THEN ARRAY(SELECT x.subject FROM ((SELECT t.id, t.subject_type || ':' || t.subject_id AS subject \
         FROM {{s}}tuple t WHERE t.object_type = k.ot AND t.object_id = k.oid AND t.relation = k.rel AND {} ORDER BY t.id LIMIT $8) \
         UNION ALL (SELECT m.id, 'usr:' || m.usr_id FROM {{s}}membership m WHERE k.ot = 'org' AND m.org_id = k.oid \
         AND (m.role_id = k.role OR m.role_slug = k.rel) AND {} ORDER BY m.id LIMIT $8)) x ORDER BY x.id LIMIT $8) END \
         FROM unnest((SELECT $1::text[]), (SELECT $2::uuid[]), (SELECT $3::text[]), (SELECT $4::text[]), (SELECT $5::uuid[]), \
         (SELECT $6::uuid[])) WITH ORDINALITY k (st, sid, rel, ot, oid, role, n) \
         ORDER BY k.n",
        counts("$7"),
        live("k.oid", "$7"),
        counts("$7"),
        live("k.oid", "$7"),
    );
    /// `$1` user, `$2` organizations.
    standings = format!(
        "SELECT {}, {}, {} FROM unnest((SELECT $2::uuid[])) WITH ORDINALITY x (id, n) ORDER BY x.n",
        one("user_account", "u", USER, "u.id = $1"),
        one("membership", "m", MEM, "m.org_id = x.id AND m.usr_id = $1 AND m.status <> 'revoked'"),
        statuses("x.id"),
    );

    /// `$1` behind, `$2` limit. Answers no row when the event to begin behind is not there.
    feed = format!("SELECT e.there, {} FROM {{s}}feed_v1($1, $2) e", columns(EVENT, "e"));
    /// `$1` organization, `$2` limit, `$3` behind this revision.
    events_of_org = format!(
        "SELECT EXISTS (SELECT FROM {{s}}organization WHERE id = $1), {} FROM (SELECT) one LEFT JOIN LATERAL (SELECT * FROM {{s}}event t \
         WHERE t.org_id = $1 AND t.revision > $3 ORDER BY t.revision LIMIT $2) e ON true ORDER BY e.revision",
        columns(EVENT, "e"),
    );
    event_by_id = format!(
        "SELECT {} FROM {{s}}event e WHERE e.id = $1 UNION ALL \
         SELECT e.id, NULL, NULL, e.type, e.actor_type, e.actor_id, e.at, e.subject_ids, e.data, e.request_id, e.reason FROM {{s}}store_event e WHERE e.id = $1",
        columns(EVENT, "e"),
    );

    dump_users = format!("SELECT {} FROM {{s}}user_account u ORDER BY u.id", columns(USER, "u"));
    dump_orgs = format!("SELECT {} FROM {{s}}organization o ORDER BY o.id", columns(ORG, "o"));
    dump_slugs = "SELECT s.slug, s.org_id FROM {s}organization_slug s ORDER BY s.slug";
    dump_memberships = format!("SELECT {} FROM {{s}}membership m ORDER BY m.id", columns(MEM, "m"));
    dump_invitations = format!("SELECT {} FROM {{s}}invitation v ORDER BY v.id", columns(INV, "v"));
    dump_tuples = format!("SELECT {} FROM {{s}}tuple t ORDER BY t.id", columns(TUP, "t"));
    dump_system = "SELECT s.revision FROM {s}system s WHERE s.one = 1";
    dump_permissions = format!("SELECT {} FROM {{s}}permission p ORDER BY p.slug", columns(PERMISSION, "p"));
    dump_roles = format!("SELECT {} FROM {{s}}role r ORDER BY r.id", columns(ROLE, "r"));
    dump_grants = format!("SELECT {} FROM {{s}}permission_grant g ORDER BY g.holder_type, g.holder_id, g.permission", columns(GRANT, "g"));
    dump_groups = format!("SELECT {} FROM {{s}}user_group g ORDER BY g.id", columns(GROUP, "g"));
    dump_group_members = format!("SELECT {} FROM {{s}}group_member g ORDER BY g.group_id, g.usr_id", columns(GROUP_MEMBER, "g"));
    dump_group_roles = format!(
        "SELECT {GROUP_ROLE} FROM {{s}}group_role gr JOIN {{s}}user_group gg ON gg.id = gr.group_id ORDER BY gr.group_id, gr.role_id"
    );
    dump_events = format!(
        "SELECT {} FROM {{s}}event e UNION ALL \
         SELECT e.id, NULL, NULL, e.type, e.actor_type, e.actor_id, e.at, e.subject_ids, e.data, e.request_id, e.reason FROM {{s}}store_event e ORDER BY id",
        columns(EVENT, "e"),
    );

    /// `$1` organization, `$2` the ancestors that it has, `$3` those that it gets.
    mend_ancestors = "UPDATE {s}organization SET ancestors = $3 WHERE id = $1 AND ancestors = $2";
    /// `$1` organization, `$2` the revision that it has, `$3` the number of its events.
    mend_revision = "UPDATE {s}organization SET revision = $3 WHERE id = $1 AND revision = $2 \
        AND $3 = (SELECT count(*) FROM {s}event e WHERE e.org_id = $1)";
    /// `$1` slug, `$2` who holds it.
    mend_stale_slug = "DELETE FROM {s}organization_slug WHERE slug = $1 AND org_id = $2 \
        AND NOT EXISTS (SELECT FROM {s}organization o WHERE o.id = $2 AND o.slug = $1 AND o.status <> 'revoked')";
    /// `$1` slug, `$2` whose it is. The organization's row is taken first: by an update, so that whoever waits for it sees what changed.
    mend_missing_slug = "WITH owner AS (UPDATE {s}organization SET revision = revision WHERE id = $2 AND slug = $1 AND status <> 'revoked' \
        RETURNING id) INSERT INTO {s}organization_slug (slug, org_id) SELECT $1, id FROM owner ON CONFLICT DO NOTHING";
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
