//! Every statement that names a table, rendered once for one prefix. What is put in is our own constant prefix, and the
//! fixed id of a role.

use std::fmt::Write;

use tenantry_core::{Role, migration};

use crate::codec::{EVENT, MEMBERSHIP, ORG, USER};

/// What our tables' names begin with, so that an application's own can stand in the same file.
pub(crate) const PREFIX: &str = "tenantry_";

/// The text with the prefix, the columns and the owner role's id in their places.
pub(crate) fn render(sql: &str, prefix: &str) -> String {
    let mut owner = String::from("X'");
    for byte in Role::Owner.id().as_uuid().as_bytes() {
        // Writing to a string cannot fail.
        write!(owner, "{byte:02x}").unwrap_or_default();
    }
    owner.push('\'');
    migration::render(sql, prefix)
        .replace("{owner}", &owner)
        .replace("{user}", USER)
        .replace("{org}", ORG)
        .replace("{mem}", MEMBERSHIP)
        .replace("{event}", EVENT)
}

macro_rules! statements {
    ($($(#[$doc:meta])* $name:ident = $sql:literal;)+) => {
        /// The statements of one store.
        #[derive(Debug)]
        pub(crate) struct Statements {
            pub(crate) prefix: String,
            $($(#[$doc])* pub(crate) $name: String,)+
        }

        impl Statements {
            /// How many there are.
            pub(crate) const COUNT: usize = [$(stringify!($name)),+].len();

            pub(crate) fn new(prefix: &str) -> Self {
                Self { prefix: prefix.to_owned(), $($name: render($sql, prefix),)+ }
            }

            /// Each statement with its name.
            #[cfg(test)]
            pub(crate) fn all(&self) -> Vec<(&'static str, &str)> {
                vec![$((stringify!($name), self.$name.as_str()),)+]
            }
        }
    };
}

// A list starts behind an id, and the empty blob is below every id.
statements! {
    applied_migrations = "SELECT version, name, checksum FROM {s}schema_migrations ORDER BY version";
    record_migration = "INSERT INTO {s}schema_migrations (version, name, checksum, applied_at) VALUES (?1, ?2, ?3, ?4)";

    user_by_id = "SELECT {user} FROM {s}user_account WHERE id = ?1";
    org_by_id = "SELECT {org} FROM {s}organization WHERE id = ?1";
    membership_by_id = "SELECT {mem} FROM {s}membership WHERE id = ?1";
    /// `?1` organization, `?2` user.
    membership_current = "SELECT {mem} FROM {s}membership WHERE org_id = ?1 AND usr_id = ?2 AND status <> 'revoked'";
    slug_holder = "SELECT org_id FROM {s}organization_slug WHERE slug = ?1";
    user_revision = "SELECT revision FROM {s}user_account WHERE id = ?1";
    org_revision = "SELECT revision FROM {s}organization WHERE id = ?1";
    has_children = "SELECT EXISTS (SELECT 1 FROM {s}organization WHERE parent_id = ?1 AND status <> 'revoked')";
    has_memberships = "SELECT EXISTS (SELECT 1 FROM {s}membership WHERE usr_id = ?1)";
    current_count = "SELECT count(*) FROM {s}membership WHERE org_id = ?1 AND status <> 'revoked'";
    current_ids = "SELECT id FROM {s}membership WHERE org_id = ?1 AND status <> 'revoked' ORDER BY id LIMIT ?2";
    /// `?1` organization, `?2` the user who does not count.
    other_owner = "SELECT m.usr_id, (SELECT u.revision FROM {s}user_account u WHERE u.id = m.usr_id) FROM {s}membership m \
        WHERE m.org_id = ?1 AND m.usr_id <> ?2 AND m.status = 'active' AND m.role_id = {owner} \
        AND coalesce((SELECT u.status FROM {s}user_account u WHERE u.id = m.usr_id), 'active') = 'active' ORDER BY m.id LIMIT 1";
    owned_orgs = "SELECT org_id FROM {s}membership WHERE usr_id = ?1 AND status = 'active' AND role_id = {owner} ORDER BY org_id";

    org_by_slug = "SELECT {org} FROM {s}organization WHERE id = (SELECT s.org_id FROM {s}organization_slug s WHERE s.slug = ?1)";
    /// `?1` parent, `?2` behind, `?3` limit.
    children = "SELECT {org} FROM {s}organization WHERE parent_id = ?1 AND id > ?2 ORDER BY id LIMIT ?3";
    /// `?1` status, `?2` folded text, `?3` behind, `?4` limit.
    all_orgs = "SELECT {org} FROM {s}organization WHERE id > ?3 AND (?1 IS NULL OR status = ?1) \
        AND (?2 IS NULL OR instr(name_folded, ?2) > 0 OR instr(slug, ?2) > 0) ORDER BY id LIMIT ?4";

    /// `?1` user, `?2` organization.
    membership_siblings = "SELECT {mem} FROM {s}membership WHERE usr_id = ?1 AND org_id = ?2 ORDER BY id";
    /// `?1` organization, `?2` stored status, `?3` end behind, `?4` end not behind, `?5` behind, `?6` limit.
    members = "SELECT {mem} FROM {s}membership WHERE org_id = ?1 AND id > ?5 AND (?2 IS NULL OR status = ?2) \
        AND (?3 IS NULL OR expires_at IS NULL OR expires_at > ?3) AND (?4 IS NULL OR expires_at <= ?4) ORDER BY id LIMIT ?6";
    /// `?1` user, the others as above.
    memberships_of_user = "SELECT {mem} FROM {s}membership WHERE usr_id = ?1 AND id > ?5 AND (?2 IS NULL OR status = ?2) \
        AND (?3 IS NULL OR expires_at IS NULL OR expires_at > ?3) AND (?4 IS NULL OR expires_at <= ?4) ORDER BY id LIMIT ?6";
    /// `?1` organization, then the filter as above.
    count_members = "SELECT count(*) FROM {s}membership WHERE org_id = ?1 AND (?2 IS NULL OR status = ?2) \
        AND (?3 IS NULL OR expires_at IS NULL OR expires_at > ?3) AND (?4 IS NULL OR expires_at <= ?4)";

    /// `?1` organization, `?2` behind, `?3` limit.
    events_of_org = "SELECT {event}, org_id, revision FROM {s}event WHERE org_id = ?1 AND revision > ?2 ORDER BY revision LIMIT ?3";
    event_by_id = "SELECT {event}, org_id, revision FROM {s}event WHERE id = ?1 \
        UNION ALL SELECT {event}, NULL, NULL FROM {s}store_event WHERE id = ?1";
    event_is_there = "SELECT EXISTS (SELECT 1 FROM {s}event WHERE id = ?1) OR EXISTS (SELECT 1 FROM {s}store_event WHERE id = ?1)";

    dump_users = "SELECT {user} FROM {s}user_account ORDER BY id";
    dump_orgs = "SELECT {org} FROM {s}organization ORDER BY id";
    dump_slugs = "SELECT org_id, slug FROM {s}organization_slug ORDER BY slug";
    dump_memberships = "SELECT {mem} FROM {s}membership ORDER BY id";
    dump_events = "SELECT {event}, org_id, revision FROM {s}event ORDER BY org_id, revision";
    dump_store_events = "SELECT {event}, NULL, NULL FROM {s}store_event ORDER BY id";

    /// `?1` user, `?2` the revision that it has.
    advance_user = "UPDATE {s}user_account SET revision = revision + 1 WHERE id = ?1 AND revision = ?2";
    /// `?1` organization, `?2` the revision that it has, `?3` how many events come.
    advance_org = "UPDATE {s}organization SET revision = revision + ?3 WHERE id = ?1 AND revision = ?2";
    insert_user = "INSERT INTO {s}user_account ({user}) VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
    /// `?1` moment, `?2` user, `?3` from, `?4` to.
    set_user_status = "UPDATE {s}user_account SET status = ?4, updated_at = ?1 WHERE id = ?2 AND status = ?3";
    insert_org = "INSERT INTO {s}organization ({org}, name_folded) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)";
    /// `?1` moment, `?2` organization, `?3` its status, then the fields.
    update_org = "UPDATE {s}organization SET name = ?4, name_folded = ?5, slug = ?6, cascade_permissions = ?7, \
        inherit_permissions = ?8, updated_at = ?1 WHERE id = ?2 AND status = ?3";
    /// `?1` moment, `?2` organization, `?3` from, `?4` to.
    set_org_status = "UPDATE {s}organization SET status = ?4, updated_at = ?1 WHERE id = ?2 AND status = ?3";
    claim_slug = "INSERT INTO {s}organization_slug (slug, org_id) VALUES (?1, ?2)";
    release_slug = "DELETE FROM {s}organization_slug WHERE slug = ?1 AND org_id = ?2";
    insert_membership = "INSERT INTO {s}membership ({mem}) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)";
    /// `?1` moment, `?2` organization, `?3` membership, `?4` from, `?5` to, `?6` who removed the member.
    set_membership_status = "UPDATE {s}membership SET status = ?5, removed_by = ?6, updated_at = ?1 \
        WHERE org_id = ?2 AND id = ?3 AND status = ?4";
    /// `?1` moment, `?2` organization, `?3` membership, `?4` from, `?5` to.
    set_membership_expiry = "UPDATE {s}membership SET expires_at = ?5, updated_at = ?1 WHERE org_id = ?2 AND id = ?3 AND expires_at IS ?4";
    /// `?1` moment, `?2` organization.
    end_memberships = "UPDATE {s}membership SET status = 'revoked', removed_by = NULL, updated_at = ?1 \
        WHERE org_id = ?2 AND status <> 'revoked'";
    /// `?1` to `?7` the event, `?8` organization, `?9` revision: nothing is inserted unless it is the next one.
    insert_event = "INSERT INTO {s}event ({event}, org_id, revision) SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9 \
        WHERE ?9 = 1 + coalesce((SELECT max(e.revision) FROM {s}event e WHERE e.org_id = ?8), 0) \
        AND NOT EXISTS (SELECT 1 FROM {s}store_event o WHERE o.id = ?1)";
    insert_store_event = "INSERT INTO {s}store_event ({event}) SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7 \
        WHERE NOT EXISTS (SELECT 1 FROM {s}event e WHERE e.id = ?1)";
}

#[cfg(test)]
mod tests {
    use rusqlite::StatementStatus;
    use rusqlite::types::Value;
    use tenantry_core::{Change, OrgId, Organization};

    use super::*;
    use crate::apply::apply;
    use crate::codec::bytes;
    use crate::samples;
    use crate::session::Session;

    #[test]
    fn every_statement_prepares_under_two_prefixes() {
        for prefix in [PREFIX, "other_"] {
            let db = Session::scratch(prefix);
            for (name, sql) in db.sql.all() {
                let prepared = db.connection().prepare(sql);
                assert!(prepared.is_ok(), "{name}: {prepared:?}");
                assert!(sql.contains(prefix) && !sql.contains('{'), "{name}: {sql}");
            }
            assert_eq!(db.sql.all().len(), Statements::COUNT);
        }
    }

    #[test]
    fn the_schema_is_the_known_one() {
        let db = Session::scratch(PREFIX);
        let made = "SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY rowid";
        let schema = db.rows(made, [], |row| Ok(row.get::<_, String>(0)?)).unwrap();
        insta::assert_snapshot!(schema.join(";\n"));
    }

    /// As many rows as make SQLite choose by its statistics, and those statistics.
    fn analyzed() -> Session {
        let db = Session::scratch(PREFIX);
        let mut plan = samples::plan([Change::InsertOrg(samples::org(0))]);
        for n in 1..2000 {
            let org = Organization { parent_id: Some(samples::id(0)), ..samples::org(n) };
            let event = samples::event(n, Some((0, n.into())));
            plan.changes.extend([Change::InsertUser(samples::user(n)), Change::InsertOrg(org)]);
            plan.changes.push(Change::InsertMembership(samples::membership(n, 0, n)));
            plan.changes.push(Change::InsertMembership(samples::membership(100_000 + n, n, 1)));
            plan.events.extend([event, samples::event(100_000 + n, None)]);
        }
        apply(&db, &plan).unwrap();
        db.connection().execute_batch("ANALYZE").unwrap();
        let samples = db.holds("SELECT count(*) > 0 FROM sqlite_stat4", []);
        assert!(samples.unwrap(), "the build keeps samples of its indexes");
        db
    }

    /// The statements that are not meant to walk through whole tables.
    fn targeted(db: &Session) -> Vec<(&'static str, &str)> {
        let whole = |name: &str| name.starts_with("dump_") || name == "applied_migrations";
        db.sql.all().into_iter().filter(|(name, _)| !whole(name)).collect()
    }

    #[test]
    fn no_statement_walks_through_a_table() {
        for db in [Session::scratch(PREFIX), analyzed()] {
            for (name, sql) in targeted(&db) {
                let mut statement = db.connection().prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
                let mut steps = statement.raw_query();
                while let Some(step) = steps.next().unwrap() {
                    let step: String = step.get(3).unwrap();
                    assert!(!step.starts_with("SCAN") || step == "SCAN CONSTANT ROW", "{name}: {step}");
                    assert!(!step.contains("TEMP B-TREE") || name == "owned_orgs", "{name}: {step}");
                }
            }
        }
    }

    #[test]
    fn no_statement_is_planned_anew_for_its_parameters() {
        let db = analyzed();
        for (name, sql) in targeted(&db) {
            let mut statement = db.connection().prepare(sql).unwrap();
            if !statement.readonly() {
                continue;
            }
            for n in 1..20 {
                for at in 1..=statement.parameter_count() {
                    let limit = sql.contains(&format!("LIMIT ?{at}"));
                    let value = if limit { Value::Integer(3) } else { Value::Blob(bytes(&samples::id::<OrgId>(n)).to_vec()) };
                    statement.raw_bind_parameter(at, value).unwrap();
                }
                let mut rows = statement.raw_query();
                while rows.next().unwrap().is_some() {}
            }
            assert_eq!(statement.get_status(StatementStatus::RePrepare), 0, "{name}");
        }
    }
}
