//! Every statement that names a table, rendered once for one prefix. What is put in is our own constant prefix, and what core says
//! of the built-in roles.

use std::fmt::Write;

use tenantry_core::{Role, migration};

use crate::codec::{EVENT, INVITATION, MEMBERSHIP, ORG, TUPLE, USER};

/// What our tables' names begin with, so that an application's own can stand in the same file.
pub(crate) const PREFIX: &str = "tenantry_";

/// The place behind every event's.
const NEXT: &str = "1 + max(coalesce((SELECT max(p.position) FROM {s}event p), 0), \
    coalesce((SELECT max(p.position) FROM {s}store_event p), 0))";

/// The text with the prefix, the columns, the owner role's id and the roles' slugs in their places.
pub(crate) fn render(sql: &str, prefix: &str) -> String {
    let mut owner = String::from("X'");
    for byte in Role::Owner.id().as_uuid().as_bytes() {
        // Writing to a string cannot fail.
        write!(owner, "{byte:02x}").unwrap_or_default();
    }
    owner.push('\'');
    let roles = Role::ALL.map(|role| format!("'{}'", role.slug())).join(", ");
    migration::render(&sql.replace("{next}", NEXT), prefix)
        .replace("{owner}", &owner)
        .replace("{roles}", &roles)
        .replace("{user}", USER)
        .replace("{org}", ORG)
        .replace("{mem}", MEMBERSHIP)
        .replace("{inv}", INVITATION)
        .replace("{tuple}", TUPLE)
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

// A list starts behind an id, and the empty blob is below every id. Where an index is named, SQLite would else walk through more
// rows than those that are asked for, with some statistics or without any.
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
        INDEXED BY {s}membership_owner WHERE m.org_id = ?1 AND m.usr_id <> ?2 AND m.status = 'active' AND m.role_id = {owner} \
        AND coalesce((SELECT u.status FROM {s}user_account u WHERE u.id = m.usr_id), 'active') = 'active' ORDER BY m.id LIMIT 1";
    /// `?1` organization, `?2` moment.
    seat_count = "SELECT count(*) FROM {s}membership WHERE org_id = ?1 \
        AND (status = 'suspended' OR (status = 'active' AND (expires_at IS NULL OR expires_at > ?2)))";
    /// What an organization's liveness hangs on.
    org_line = "SELECT id, ancestors, status FROM {s}organization WHERE id = ?1";
    owned_orgs = "SELECT org_id FROM {s}membership WHERE usr_id = ?1 AND status = 'active' AND role_id = {owner} ORDER BY org_id";

    invitation_by_id = "SELECT {inv} FROM {s}invitation WHERE id = ?1";
    /// `?1` organization, `?2` identifier.
    invitation_pending = "SELECT {inv} FROM {s}invitation WHERE org_id = ?1 AND identifier = ?2 AND status = 'pending'";
    /// `?1` organization, `?2` moment.
    pending_count = "SELECT count(*) FROM {s}invitation INDEXED BY {s}invitation_pending \
        WHERE org_id = ?1 AND status = 'pending' AND expires_at > ?2";
    /// `?1` moment, `?2` limit.
    expired_invitations = "SELECT {inv} FROM {s}invitation WHERE id IN (SELECT i.id FROM {s}invitation i \
        INDEXED BY {s}invitation_end WHERE i.status = 'pending' AND i.expires_at <= ?1 ORDER BY i.id LIMIT ?2) ORDER BY id";

    tuple_by_id = "SELECT {tuple} FROM {s}tuple WHERE id = ?1";
    tuple_is_there = "SELECT EXISTS (SELECT 1 FROM {s}tuple WHERE id = ?1)";
    /// `?1` and `?2` object, `?3` relation, `?4` and `?5` subject.
    tuples_by_key = "SELECT {tuple} FROM {s}tuple WHERE object_type = ?1 AND object_id = ?2 AND relation = ?3 \
        AND subject_type = ?4 AND subject_id = ?5";
    /// What a role's relation to an organization hangs on: `?1` organization, `?2` user, `?3` relation, `?4` the role of that name, `?5` moment.
    /// The membership in force, the ancestors of the organization while it is active, whether the user acts (null for one without a row),
    /// and whether a stored tuple says the same. One statement, so that it sees one moment without a transaction.
    role_held = "SELECT (SELECT id FROM {s}membership WHERE org_id = ?1 AND usr_id = ?2 AND status = 'active' AND role_id = ?4 \
            AND (expires_at IS NULL OR expires_at > ?5)), \
        (SELECT CASE status WHEN 'active' THEN ancestors END FROM {s}organization WHERE id = ?1), \
        (SELECT status = 'active' FROM {s}user_account WHERE id = ?2), \
        EXISTS (SELECT 1 FROM {s}tuple WHERE object_type = 'org' AND object_id = ?1 AND relation = ?3 AND subject_type = 'usr' AND subject_id = ?2)";
    /// The same, and `?6` scope, where none is the empty blob.
    tuple_by_place = "SELECT {tuple} FROM {s}tuple WHERE object_type = ?1 AND object_id = ?2 AND relation = ?3 \
        AND subject_type = ?4 AND subject_id = ?5 AND coalesce(org_id, x'') = ?6";
    /// `?1` and `?2` object, `?3` scope, `?4` moment.
    is_elsewhere = "SELECT EXISTS (SELECT 1 FROM {s}tuple WHERE object_type = ?1 AND object_id = ?2 AND org_id IS NOT ?3 \
        AND (expires_at IS NULL OR expires_at > ?4))";
    /// `?1` and `?2` object, `?3` moment.
    is_role_bound = "SELECT EXISTS (SELECT 1 FROM {s}tuple WHERE object_type = ?1 AND object_id = ?2 AND relation IN ({roles}) \
        AND (expires_at IS NULL OR expires_at > ?3))";
    /// `?1` scope, `?2` and `?3` subject.
    member_tuple_count = "SELECT count(*) FROM {s}tuple WHERE org_id = ?1 AND subject_type = ?2 AND subject_id = ?3";
    /// `?1` the type of organizations, `?2` organization.
    org_tuple_count = "SELECT (SELECT count(*) FROM {s}tuple WHERE org_id = ?2) \
        + (SELECT count(*) FROM {s}tuple WHERE object_type = ?1 AND object_id = ?2 AND org_id IS NOT ?2)";
    /// `?1` moment, `?2` limit.
    expired_tuples = "SELECT {tuple} FROM {s}tuple WHERE id IN (SELECT t.id FROM {s}tuple t INDEXED BY {s}tuple_end \
        WHERE t.expires_at <= ?1 ORDER BY t.id LIMIT ?2) ORDER BY id";

    org_by_slug = "SELECT {org} FROM {s}organization WHERE id = (SELECT s.org_id FROM {s}organization_slug s WHERE s.slug = ?1)";
    /// `?1` parent, `?2` behind, `?3` limit.
    children = "SELECT {org} FROM {s}organization INDEXED BY {s}organization_children \
        WHERE parent_id = ?1 AND id > ?2 ORDER BY id LIMIT ?3";
    /// `?1` status, `?2` folded text, `?3` behind, `?4` limit.
    all_orgs = "SELECT {org} FROM {s}organization WHERE id > ?3 AND (?1 IS NULL OR status = ?1) \
        AND (?2 IS NULL OR instr(name_folded, ?2) > 0 OR instr(slug, ?2) > 0) ORDER BY id LIMIT ?4";

    /// `?1` user, `?2` organization.
    membership_siblings = "SELECT {mem} FROM {s}membership INDEXED BY {s}membership_user \
        WHERE usr_id = ?1 AND org_id = ?2 ORDER BY id";
    /// `?1` organization, `?2` stored status, `?3` end behind, `?4` end not behind, `?5` behind, `?6` limit.
    members = "SELECT {mem} FROM {s}membership WHERE org_id = ?1 AND id > ?5 AND (?2 IS NULL OR status = ?2) \
        AND (?3 IS NULL OR expires_at IS NULL OR expires_at > ?3) AND (?4 IS NULL OR expires_at <= ?4) ORDER BY id LIMIT ?6";
    /// `?1` user, the others as above.
    memberships_of_user = "SELECT {mem} FROM {s}membership WHERE usr_id = ?1 AND id > ?5 AND (?2 IS NULL OR status = ?2) \
        AND (?3 IS NULL OR expires_at IS NULL OR expires_at > ?3) AND (?4 IS NULL OR expires_at <= ?4) ORDER BY id LIMIT ?6";
    /// `?1` organization, then the filter as above.
    count_members = "SELECT count(*) FROM {s}membership WHERE org_id = ?1 AND (?2 IS NULL OR status = ?2) \
        AND (?3 IS NULL OR expires_at IS NULL OR expires_at > ?3) AND (?4 IS NULL OR expires_at <= ?4)";

    /// `?1` organization, `?2` end behind, `?3` end not behind, `?4` stored status, `?5` whether all, `?6` behind, `?7` limit.
    invitations_of_org = "SELECT {inv} FROM {s}invitation WHERE org_id = ?1 AND id > ?6 AND (?5 OR status = ?4 \
        OR (status = 'pending' AND (expires_at > ?2 OR expires_at <= ?3))) ORDER BY id LIMIT ?7";
    /// `?1` identifier, the others as above.
    invitations_for = "SELECT {inv} FROM {s}invitation WHERE identifier = ?1 AND id > ?6 AND (?5 OR status = ?4 \
        OR (status = 'pending' AND (expires_at > ?2 OR expires_at <= ?3))) ORDER BY id LIMIT ?7";

    // What may count at a moment, which is looked at row by row: a list ends where its reader has enough.
    /// `?1` and `?2` subject, `?3` behind.
    tuples_of_subject = "SELECT {tuple} FROM {s}tuple WHERE subject_type = ?1 AND subject_id = ?2 AND id > ?3 ORDER BY id";
    /// `?1` and `?2` object, `?3` behind.
    tuples_on_object = "SELECT {tuple} FROM {s}tuple WHERE object_type = ?1 AND object_id = ?2 AND id > ?3 ORDER BY id";
    /// The same, and `?4` relation.
    tuples_in_relation = "SELECT {tuple} FROM {s}tuple WHERE object_type = ?1 AND object_id = ?2 AND relation = ?4 AND id > ?3 ORDER BY id";
    /// `?1` user, `?2` behind, `?3` moment.
    active_of_user = "SELECT {mem} FROM {s}membership WHERE usr_id = ?1 AND id > ?2 AND status = 'active' \
        AND (expires_at IS NULL OR expires_at > ?3) ORDER BY id";
    /// `?1` organization, `?2` behind, `?3` moment, `?4` role.
    active_of_org = "SELECT {mem} FROM {s}membership WHERE org_id = ?1 AND id > ?2 AND status = 'active' \
        AND (expires_at IS NULL OR expires_at > ?3) AND (?4 IS NULL OR role_id = ?4) ORDER BY id";

    /// `?1` organization, `?2` behind, `?3` limit.
    events_of_org = "SELECT {event}, org_id, revision FROM {s}event WHERE org_id = ?1 AND revision > ?2 ORDER BY revision LIMIT ?3";
    event_by_id = "SELECT {event}, org_id, revision FROM {s}event WHERE id = ?1 \
        UNION ALL SELECT {event}, NULL, NULL FROM {s}store_event WHERE id = ?1";
    event_position = "SELECT position FROM {s}event WHERE id = ?1 UNION ALL SELECT position FROM {s}store_event WHERE id = ?1";
    /// `?1` the position behind which to begin, `?2` limit.
    all_events = "SELECT {event}, org_id, revision, position FROM {s}event WHERE position > ?1 \
        UNION ALL SELECT {event}, NULL, NULL, position FROM {s}store_event WHERE position > ?1 ORDER BY position LIMIT ?2";
    event_is_there = "SELECT EXISTS (SELECT 1 FROM {s}event WHERE id = ?1) OR EXISTS (SELECT 1 FROM {s}store_event WHERE id = ?1)";

    dump_users = "SELECT {user} FROM {s}user_account ORDER BY id";
    dump_orgs = "SELECT {org} FROM {s}organization ORDER BY id";
    dump_slugs = "SELECT org_id, slug FROM {s}organization_slug ORDER BY slug";
    dump_memberships = "SELECT {mem} FROM {s}membership ORDER BY id";
    dump_invitations = "SELECT {inv} FROM {s}invitation ORDER BY id";
    dump_tuples = "SELECT {tuple} FROM {s}tuple ORDER BY id";
    dump_events = "SELECT {event}, org_id, revision FROM {s}event ORDER BY org_id, revision";
    dump_store_events = "SELECT {event}, NULL, NULL FROM {s}store_event ORDER BY id";

    /// `?1` user, `?2` the revision that it has.
    advance_user = "UPDATE {s}user_account SET revision = revision + 1 WHERE id = ?1 AND revision = ?2";
    /// `?1` organization, `?2` the revision that it has, `?3` how many events come.
    advance_org = "UPDATE {s}organization SET revision = revision + ?3 WHERE id = ?1 AND revision = ?2";
    insert_user = "INSERT INTO {s}user_account ({user}) VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
    /// `?1` moment, `?2` user, `?3` from, `?4` to.
    set_user_status = "UPDATE {s}user_account SET status = ?4, updated_at = ?1 WHERE id = ?2 AND status = ?3";
    insert_org = "INSERT INTO {s}organization ({org}, name_folded) \
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)";
    /// `?1` moment, `?2` organization, `?3` its status, then the fields.
    update_org = "UPDATE {s}organization SET name = ?4, name_folded = ?5, slug = ?6, cascade_permissions = ?7, \
        inherit_permissions = ?8, seat_limit = ?9, external_id = ?10, metadata = ?11, updated_at = ?1 WHERE id = ?2 AND status = ?3";
    /// `?1` moment, `?2` organization, `?3` from, `?4` to.
    set_org_status = "UPDATE {s}organization SET status = ?4, updated_at = ?1 WHERE id = ?2 AND status = ?3";
    claim_slug = "INSERT INTO {s}organization_slug (slug, org_id) VALUES (?1, ?2)";
    release_slug = "DELETE FROM {s}organization_slug WHERE slug = ?1 AND org_id = ?2";
    insert_membership = "INSERT INTO {s}membership ({mem}) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)";
    /// `?1` moment, `?2` organization, `?3` membership, `?4` from, `?5` to, `?6` who removed the member.
    set_membership_status = "UPDATE {s}membership SET status = ?5, removed_by = ?6, updated_at = ?1 \
        WHERE org_id = ?2 AND id = ?3 AND status = ?4";
    /// `?1` moment, `?2` organization, `?3` membership, `?4` the end that it has, `?5` its new one, `?6` metadata.
    update_membership = "UPDATE {s}membership SET expires_at = ?5, metadata = ?6, updated_at = ?1 \
        WHERE org_id = ?2 AND id = ?3 AND expires_at IS ?4";
    /// `?1` moment, `?2` organization.
    end_memberships = "UPDATE {s}membership SET status = 'revoked', removed_by = NULL, updated_at = ?1 \
        WHERE org_id = ?2 AND status <> 'revoked'";
    insert_invitation = "INSERT INTO {s}invitation ({inv}) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)";
    /// `?1` organization, `?2` invitation, `?3` to, `?4` when, `?5` who ended it, `?6` who accepted it.
    end_invitation = "UPDATE {s}invitation SET status = ?3, terminal_at = ?4, terminal_by = ?5, invited_user_id = ?6 \
        WHERE org_id = ?1 AND id = ?2 AND status = 'pending'";
    /// `?1` organization, `?2` invitation, `?3` from, `?4` end.
    extend_invitation = "UPDATE {s}invitation SET status = 'pending', expires_at = ?4, terminal_at = NULL, terminal_by = NULL \
        WHERE org_id = ?1 AND id = ?2 AND status = ?3";
    /// `?1` moment, `?2` organization, `?3` who revokes them.
    revoke_invitations = "UPDATE {s}invitation SET status = 'revoked', terminal_at = ?1, terminal_by = ?3 \
        WHERE org_id = ?2 AND status = 'pending' AND expires_at > ?1";
    insert_tuple = "INSERT INTO {s}tuple ({tuple}) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)";
    delete_tuple = "DELETE FROM {s}tuple WHERE id = ?1";
    /// `?1` scope, `?2` and `?3` subject.
    delete_tuples_of_member = "DELETE FROM {s}tuple WHERE org_id = ?1 AND subject_type = ?2 AND subject_id = ?3";
    delete_tuples_in_scope = "DELETE FROM {s}tuple WHERE org_id = ?1";
    /// `?1` and `?2` object.
    delete_tuples_on_object = "DELETE FROM {s}tuple WHERE object_type = ?1 AND object_id = ?2";
    /// `?1` to `?9` the event, `?10` organization, `?11` revision: nothing is inserted unless it is the next one.
    insert_event = "INSERT INTO {s}event ({event}, org_id, revision, position) \
        SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, {next} \
        WHERE ?11 = 1 + coalesce((SELECT max(e.revision) FROM {s}event e WHERE e.org_id = ?10), 0) \
        AND NOT EXISTS (SELECT 1 FROM {s}store_event o WHERE o.id = ?1)";
    insert_store_event = "INSERT INTO {s}store_event ({event}, position) SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, {next} \
        WHERE NOT EXISTS (SELECT 1 FROM {s}event e WHERE e.id = ?1)";

    /// `?1` organization, `?2` the ancestors that it has, `?3` those that it gets.
    mend_ancestors = "UPDATE {s}organization SET ancestors = ?3 WHERE id = ?1 AND ancestors = ?2";
    /// `?1` organization, `?2` the revision that it has, `?3` the number of its events.
    mend_revision = "UPDATE {s}organization SET revision = ?3 WHERE id = ?1 AND revision = ?2 \
        AND ?3 = (SELECT count(*) FROM {s}event e WHERE e.org_id = ?1)";
    /// `?1` slug, `?2` who holds it.
    mend_stale_slug = "DELETE FROM {s}organization_slug WHERE slug = ?1 AND org_id = ?2 \
        AND NOT EXISTS (SELECT 1 FROM {s}organization o WHERE o.id = ?2 AND o.slug = ?1 AND o.status <> 'revoked')";
    /// `?1` slug, `?2` whose it is.
    mend_missing_slug = "INSERT INTO {s}organization_slug (slug, org_id) SELECT ?1, ?2 \
        WHERE EXISTS (SELECT 1 FROM {s}organization o WHERE o.id = ?2 AND o.slug = ?1 AND o.status <> 'revoked') \
        AND NOT EXISTS (SELECT 1 FROM {s}organization_slug h WHERE h.slug = ?1)";
}

#[cfg(test)]
mod tests {
    use rusqlite::StatementStatus;
    use rusqlite::types::Value;
    use tenantry_core::{Change, OrgId, Organization, Tuple};

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
            plan.changes.extend(offers(n));
        }
        apply(&db, &plan).unwrap();
        db.connection().execute_batch("ANALYZE").unwrap();
        let samples = db.holds("SELECT count(*) > 0 FROM sqlite_stat4", []);
        assert!(samples.unwrap(), "the build keeps samples of its indexes");
        db
    }

    /// An invitation into the one organization and one into another, and tuples of one user and on one object, in many scopes and
    /// in none; half of all end.
    fn offers(n: u32) -> [Change; 6] {
        let end = Some(samples::moment(n)).filter(|_| n.is_multiple_of(2));
        let (usr, doc, other) = (samples::entity("usr", 1), samples::entity("doc", 1), samples::entity("doc", n + 1));
        let tuple = |n, org, key| Change::InsertTuple(Tuple { expires_at: end, ..samples::tuple(n, org, key) });
        let invite = |n, org, whom: &str| Change::InsertInvitation(samples::invitation(n, org, whom));
        [
            invite(n, 0, &format!("someone-{n}")),
            invite(100_000 + n, n, "someone"),
            tuple(n, Some(n), samples::key(usr, "reader", doc)),
            tuple(100_000 + n, Some(0), samples::key(usr, "reader", other)),
            tuple(200_000 + n, None, samples::key(other, "reader", doc)),
            tuple(300_000 + n, None, samples::key(usr, "writer", samples::entity("org", n))),
        ]
    }

    /// The statements that are not meant to walk through whole tables.
    fn targeted(db: &Session) -> Vec<(&'static str, &str)> {
        let whole = |name: &str| name.starts_with("dump_") || name == "applied_migrations";
        db.sql.all().into_iter().filter(|(name, _)| !whole(name)).collect()
    }

    #[test]
    fn no_statement_walks_through_a_table() {
        // What has come to its end is found by its end, and wanted by its id.
        let sorts = ["owned_orgs", "expired_invitations", "expired_tuples"];
        for db in [Session::scratch(PREFIX), analyzed()] {
            for (name, sql) in targeted(&db) {
                let mut statement = db.connection().prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
                let mut steps = statement.raw_query();
                while let Some(step) = steps.next().unwrap() {
                    let step: String = step.get(3).unwrap();
                    assert!(!step.starts_with("SCAN") || step == "SCAN CONSTANT ROW", "{name}: {step}");
                    assert!(!step.contains("TEMP B-TREE") || sorts.contains(&name), "{name}: {step}");
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
