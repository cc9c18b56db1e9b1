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

const ROLE: &str = "id, org_id, slug, name, description, inherits_to_descendants, created_at, updated_at";
const GRANT: &str = "holder_id, holder_type, permission, effect, granted_by, created_at, expires_at";

/// Places in a list of organizations; the longest line of them has so many.
const TEN: &str = "(VALUES (0), (1), (2), (3), (4), (5), (6), (7), (8), (9)) n";
const GIVEN: &str = "g.holder_type, g.holder_id, g.permission, g.effect, g.expires_at";

/// The organization `?2` and all above it, as the array of its ancestors says; nothing is followed from parent to parent.
const CHAIN: &str = "chain (id, ancestors, status, revision, flags) AS MATERIALIZED (\
        SELECT o.id, o.ancestors, o.status, o.revision, 2 * o.cascade_permissions + o.inherit_permissions FROM {s}organization o \
        WHERE o.id = ?2 \
        UNION ALL SELECT a.id, a.ancestors, a.status, a.revision, 2 * a.cascade_permissions + a.inherit_permissions \
        FROM {s}organization t CROSS JOIN (VALUES (0), (1), (2), (3), (4), (5), (6), (7), (8)) n \
        CROSS JOIN {s}organization a ON a.id = substr(t.ancestors, 1 + 16 * n.column1, 16) WHERE t.id = ?2)";

/// What a resolution rests on, whatever the depth of the tree and the number of groups: `?1` user, `?2` organization. What is granted
/// and denied follows. The columns are those of `codec::fact`.
const FACTS: &str = "WITH {chain}, \
    held (org_id, id, role_id, role_slug, status, expires_at) AS MATERIALIZED (\
        SELECT m.org_id, m.id, m.role_id, m.role_slug, m.status, m.expires_at FROM chain c \
        CROSS JOIN {s}membership m INDEXED BY {s}membership_current ON m.org_id = c.id AND m.usr_id = ?1 AND m.status <> 'revoked'), \
    team (group_id, expires_at) AS MATERIALIZED (\
        SELECT g.group_id, g.expires_at FROM {s}group_member g WHERE g.org_id = ?2 AND g.usr_id = ?1), \
    team_role (group_id, role_id, expires_at) AS MATERIALIZED (\
        SELECT r.group_id, r.role_id, r.expires_at FROM team t CROSS JOIN {s}group_role r ON r.group_id = t.group_id), \
    part (role_id) AS MATERIALIZED (SELECT role_id FROM held UNION SELECT role_id FROM team_role), \
    holder (kind, id) AS (SELECT 'rol', role_id FROM part UNION ALL SELECT 'org', id FROM chain UNION ALL SELECT 'mem', id FROM held) \
    SELECT 0, NULL, NULL, NULL, NULL, NULL, NULL, s.revision, NULL, NULL FROM {s}system s WHERE s.one = 1 \
    UNION ALL SELECT 1, NULL, NULL, NULL, u.status, NULL, NULL, u.revision, NULL, NULL FROM {s}user_account u WHERE u.id = ?1 \
    UNION ALL SELECT 2, id, ancestors, NULL, status, NULL, NULL, revision, flags, NULL FROM chain \
    UNION ALL SELECT 3, org_id, id, role_id, status, role_slug, NULL, NULL, NULL, expires_at FROM held \
    UNION ALL SELECT 4, r.id, r.org_id, NULL, r.slug, NULL, NULL, r.inherits_to_descendants, NULL, NULL FROM part p \
        CROSS JOIN {s}role r ON r.id = p.role_id \
    UNION ALL SELECT 5, group_id, ?2, NULL, NULL, NULL, NULL, NULL, NULL, expires_at FROM team \
    UNION ALL SELECT 6, group_id, role_id, NULL, NULL, NULL, NULL, NULL, NULL, expires_at FROM team_role \
    UNION ALL SELECT 7, g.holder_id, NULL, NULL, g.permission, g.holder_type, g.effect, NULL, NULL, g.expires_at FROM holder h \
        CROSS JOIN {s}permission_grant g ON g.holder_type = h.kind AND g.holder_id = h.id";

/// The text with the prefix, the columns, and the owner role's id in their places.
pub(crate) fn render(sql: &str, prefix: &str) -> String {
    let mut owner = String::from("X'");
    for byte in Role::Owner.id().as_uuid().as_bytes() {
        // Writing to a string cannot fail.
        write!(owner, "{byte:02x}").unwrap_or_default();
    }
    owner.push('\'');
    let sql =
        sql.replace("{next}", NEXT).replace("{facts}", FACTS).replace("{chain}", CHAIN).replace("{given}", GIVEN).replace("{ten}", TEN);
    migration::render(&sql, prefix)
        .replace("{owner}", &owner)
        .replace("{user}", USER)
        .replace("{org}", ORG)
        .replace("{mem}", MEMBERSHIP)
        .replace("{inv}", INVITATION)
        .replace("{tuple}", TUPLE)
        .replace("{event}", EVENT)
        .replace("{perm}", "slug, name, description, category, created_at, updated_at")
        .replace("{role}", ROLE)
        .replace("{grant}", GRANT)
        .replace("{group}", "id, org_id, slug, name, created_at, updated_at")
        .replace("{gmem}", "group_id, org_id, usr_id, granted_by, created_at, expires_at")
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
    membership_current = "SELECT {mem} FROM {s}membership INDEXED BY {s}membership_current WHERE org_id = ?1 AND usr_id = ?2 AND status <> 'revoked'";
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
    /// `?1` user: how many memberships there are, how many of them are revoked, how many an active owner's, whether one is suspended.
    tenancy = "SELECT count(*), count(*) FILTER (WHERE status = 'revoked'), count(*) FILTER (WHERE status = 'active' AND role_id = {owner}), \
        count(*) FILTER (WHERE status = 'suspended') FROM {s}membership WHERE usr_id = ?1";
    /// `?1` user, `?2` moment: where they are an owner before others.
    active_orgs = "SELECT org_id FROM {s}membership WHERE usr_id = ?1 AND status = 'active' \
        AND (expires_at IS NULL OR expires_at > ?2) ORDER BY role_id <> {owner}, org_id";

    invitation_by_id = "SELECT {inv} FROM {s}invitation WHERE id = ?1";
    /// `?1` organization, `?2` identifier.
    invitation_pending = "SELECT {inv} FROM {s}invitation WHERE org_id = ?1 AND identifier = ?2 AND status = 'pending'";
    /// `?1` organization, `?2` moment.
    pending_count = "SELECT count(*) FROM {s}invitation INDEXED BY {s}invitation_pending \
        WHERE org_id = ?1 AND status = 'pending' AND expires_at > ?2";
    /// `?1` moment, `?2` limit.
    expired_invitations = "SELECT {inv} FROM {s}invitation WHERE id IN (SELECT i.id FROM {s}invitation i \
        INDEXED BY {s}invitation_end WHERE i.status = 'pending' AND i.expires_at <= ?1 ORDER BY i.id LIMIT ?2) ORDER BY id";

    system_revision = "SELECT revision FROM {s}system WHERE one = 1";
    structure_revision = "SELECT structure_revision FROM {s}organization WHERE id = ?1";
    permission_by_slug = "SELECT {perm} FROM {s}permission WHERE slug = ?1";
    /// `?1` behind, `?2` limit.
    permissions = "SELECT {perm} FROM {s}permission WHERE slug > ?1 ORDER BY slug LIMIT ?2";
    role_by_id = "SELECT {role} FROM {s}role WHERE id = ?1";
    /// `?1` organization, where none is the empty blob, `?2` slug.
    role_by_slug = "SELECT {role} FROM {s}role WHERE coalesce(org_id, x'') = ?1 AND slug = ?2";
    /// `?1` organization or null, `?2` behind, `?3` limit.
    roles_of = "SELECT {role} FROM {s}role WHERE org_id IS ?1 AND id > ?2 ORDER BY id LIMIT ?3";
    role_memberships = "SELECT count(*) FROM {s}membership INDEXED BY {s}membership_role \
        WHERE role_id = ?1 AND role_slug IS NOT NULL AND status <> 'revoked'";
    /// `?1` role, `?2` moment.
    role_invitations = "SELECT count(*) FROM {s}invitation INDEXED BY {s}invitation_role \
        WHERE role_id = ?1 AND role_slug IS NOT NULL AND status = 'pending' AND expires_at > ?2";
    /// `?1` role, `?2` moment: how many groups have it, and how many had it.
    role_groups = "SELECT count(*) FROM {s}group_role WHERE role_id = ?1 AND (expires_at IS NULL OR expires_at > ?2)";
    role_groups_lapsed = "SELECT count(*) FROM {s}group_role WHERE role_id = ?1 AND expires_at <= ?2";
    /// Organizations that a stored tuple with a relation is on: `?1` relation, `?2` moment.
    orgs_in_relation = "SELECT o.id, o.ancestors, o.status FROM {s}tuple t INDEXED BY {s}tuple_of_org \
        CROSS JOIN {s}organization o ON o.id = t.object_id \
        WHERE t.object_type = 'org' AND t.relation = ?1 AND (t.expires_at IS NULL OR t.expires_at > ?2)";
    /// `?1` and `?2` holder, `?3` permission.
    grant_in_place = "SELECT {grant} FROM {s}permission_grant WHERE holder_type = ?1 AND holder_id = ?2 AND permission = ?3";
    /// `?1` and `?2` holder, `?3` behind, `?4` limit.
    grants = "SELECT {grant} FROM {s}permission_grant WHERE holder_type = ?1 AND holder_id = ?2 AND permission > ?3 \
        ORDER BY permission LIMIT ?4";
    /// `?1` and `?2` holder.
    grant_count = "SELECT count(*) FROM {s}permission_grant WHERE holder_type = ?1 AND holder_id = ?2";
    role_id_is_there = "SELECT EXISTS (SELECT 1 FROM {s}role WHERE id = ?1)";
    group_id_is_there = "SELECT EXISTS (SELECT 1 FROM {s}user_group WHERE id = ?1)";
    group_by_id = "SELECT {group} FROM {s}user_group WHERE id = ?1";
    /// `?1` organization, `?2` slug.
    group_is_there = "SELECT EXISTS (SELECT 1 FROM {s}user_group WHERE org_id = ?1 AND slug = ?2)";
    /// `?1` organization, `?2` behind, `?3` limit.
    groups = "SELECT {group} FROM {s}user_group INDEXED BY {s}user_group_org WHERE org_id = ?1 AND id > ?2 ORDER BY id LIMIT ?3";
    /// `?1` organization, `?2` user, `?3` group.
    group_member = "SELECT {gmem} FROM {s}group_member WHERE org_id = ?1 AND usr_id = ?2 AND group_id = ?3";
    /// `?1` group, `?2` behind, `?3` limit.
    group_members = "SELECT {gmem} FROM {s}group_member INDEXED BY {s}group_member_group WHERE group_id = ?1 AND usr_id > ?2 \
        ORDER BY usr_id LIMIT ?3";
    /// `?1` group, `?2` user.
    member_of_group = "SELECT {gmem} FROM {s}group_member INDEXED BY {s}group_member_group WHERE group_id = ?1 AND usr_id = ?2";
    group_member_count = "SELECT count(*) FROM {s}group_member WHERE group_id = ?1";
    /// `?1` organization, `?2` user.
    member_group_count = "SELECT count(*) FROM {s}group_member WHERE org_id = ?1 AND usr_id = ?2";
    org_group_member_count = "SELECT count(*) FROM {s}group_member WHERE org_id = ?1";
    /// `?1` group, `?2` role.
    group_role = "SELECT r.group_id, g.org_id, r.role_id, r.role_slug, r.granted_by, r.created_at, r.expires_at FROM {s}group_role r \
        CROSS JOIN {s}user_group g ON g.id = r.group_id WHERE r.group_id = ?1 AND r.role_id = ?2";
    /// `?1` group, `?2` behind, `?3` limit.
    group_roles = "SELECT r.group_id, g.org_id, r.role_id, r.role_slug, r.granted_by, r.created_at, r.expires_at FROM {s}group_role r \
        CROSS JOIN {s}user_group g ON g.id = r.group_id WHERE r.group_id = ?1 AND r.role_id > ?2 ORDER BY r.role_id LIMIT ?3";
    group_role_count = "SELECT count(*) FROM {s}group_role WHERE group_id = ?1";

    /// What a token is made of: `?1` user, `?2` organization.
    facts_revisions = "WITH {chain} \
        SELECT 0, NULL, NULL, NULL, NULL, NULL, NULL, s.revision, NULL, NULL FROM {s}system s WHERE s.one = 1 \
        UNION ALL SELECT 1, NULL, NULL, NULL, u.status, NULL, NULL, u.revision, NULL, NULL FROM {s}user_account u WHERE u.id = ?1 \
        UNION ALL SELECT 2, id, ancestors, NULL, status, NULL, NULL, revision, flags, NULL FROM chain";
    /// `?1` user, `?2` organization.
    facts_all = "{facts}";
    /// The same, and `?3` permissions, as a JSON list: only what concerns them, and which of them are in the catalog.
    facts_some = "{facts} AND g.permission IN (SELECT j.value FROM json_each(?3) j) \
        UNION ALL SELECT 8, NULL, NULL, NULL, p.slug, NULL, NULL, NULL, NULL, NULL FROM json_each(?3) j \
        CROSS JOIN {s}permission p ON p.slug = j.value";
    /// The same statement for one permission, which `?3` is.
    facts_one = "{facts} AND g.permission = ?3 \
        UNION ALL SELECT 8, NULL, NULL, NULL, p.slug, NULL, NULL, NULL, NULL, NULL FROM {s}permission p WHERE p.slug = ?3";
    /// What tells first whether a user holds a permission, and for most is all: `?1` user, `?2` organization, `?3` permission; `?4` a role
    /// of which it is known already whether it grants that, `?5` whether anybody overrides it, where that is known. A grant without an
    /// end has the last moment that there is. Behind it, where there is a membership, how many of the organizations above are active.
    holding = "SELECT o.status, 2 * o.cascade_permissions + o.inherit_permissions, o.ancestors, \
        (SELECT u.status FROM {s}user_account u INDEXED BY {s}user_account_inactive WHERE u.id = ?1 AND u.status <> 'active'), \
        m.id, m.role_id, m.role_slug, m.status, m.expires_at, CASE WHEN m.role_id <> ?4 THEN \
        (SELECT coalesce(r.expires_at, 9223372036854775807) FROM {s}permission_grant r \
        WHERE r.holder_type = 'rol' AND r.holder_id = m.role_id AND r.permission = ?3 AND r.effect = 'grant') END, \
        CASE WHEN ?5 IS NULL THEN EXISTS (SELECT 1 FROM {s}permission_grant g INDEXED BY {s}permission_grant_override \
        WHERE g.permission = ?3 AND g.holder_type <> 'rol') ELSE ?5 END, \
        CASE WHEN m.id IS NULL OR length(o.ancestors) = 0 THEN 0 ELSE (SELECT count(*) FROM {ten} \
        CROSS JOIN {s}organization a INDEXED BY {s}organization_line ON a.id = substr(o.ancestors, 1 + 16 * n.column1, 16) \
        AND a.status = 'active' WHERE 16 * n.column1 < length(o.ancestors)) END \
        FROM {s}organization o INDEXED BY {s}organization_line \
        LEFT JOIN {s}membership m INDEXED BY {s}membership_held ON m.org_id = ?2 AND m.usr_id = ?1 AND m.status <> 'revoked' \
        WHERE o.id = ?2";
    /// What tells first what a user may do, and for most is all: `?1` user, `?2` organization. Behind the revisions, whether there are
    /// overrides by organizations and for the membership, and whether the user is in groups; then, unless something of it ends, how many
    /// permissions the role grants, and those.
    resolving = "SELECT o.status, 2 * o.cascade_permissions + o.inherit_permissions, o.ancestors, u.status, \
        m.id, m.role_id, m.role_slug, m.status, m.expires_at, o.revision, u.revision, s.revision, \
        EXISTS (SELECT 1 FROM {s}permission_grant g WHERE g.holder_type = 'org'), \
        EXISTS (SELECT 1 FROM {s}permission_grant g WHERE g.holder_type = 'mem' AND g.holder_id = m.id), \
        EXISTS (SELECT 1 FROM {s}group_member t WHERE t.org_id = ?2 AND t.usr_id = ?1), \
        (SELECT CASE WHEN total(r.expires_at IS NOT NULL OR r.effect <> 'grant') = 0 \
        THEN count(*) || coalesce(' ' || group_concat(r.permission, ' '), '') END FROM {s}permission_grant r \
        WHERE r.holder_type = 'rol' AND r.holder_id = m.role_id) \
        FROM {s}system s CROSS JOIN {s}organization o LEFT JOIN {s}user_account u ON u.id = ?1 \
        LEFT JOIN {s}membership m INDEXED BY {s}membership_held ON m.org_id = ?2 AND m.usr_id = ?1 AND m.status <> 'revoked' \
        WHERE s.one = 1 AND o.id = ?2";
    /// What somebody gives and takes away: `?1` and `?2` holder. The columns are those of `codec::given`.
    given = "SELECT {given} FROM {s}permission_grant g WHERE g.holder_type = ?1 AND g.holder_id = ?2";
    /// What organizations do: `?1` them, one behind the other.
    given_by_orgs = "SELECT {given} FROM {ten} CROSS JOIN {s}permission_grant g \
        ON 16 * n.column1 < length(?1) AND g.holder_type = 'org' AND g.holder_id = substr(?1, 1 + 16 * n.column1, 16)";
    /// What the user's memberships in organizations do, and their roles: `?1` organizations, `?2` user.
    given_above = "SELECT {given} FROM {ten} CROSS JOIN {s}membership m INDEXED BY {s}membership_held \
        ON 16 * n.column1 < length(?1) AND m.org_id = substr(?1, 1 + 16 * n.column1, 16) AND m.usr_id = ?2 AND m.status <> 'revoked' \
        CROSS JOIN {s}permission_grant g ON g.holder_type = 'rol' AND g.holder_id = m.role_id \
        UNION ALL SELECT {given} FROM {ten} CROSS JOIN {s}membership m INDEXED BY {s}membership_held \
        ON 16 * n.column1 < length(?1) AND m.org_id = substr(?1, 1 + 16 * n.column1, 16) AND m.usr_id = ?2 AND m.status <> 'revoked' \
        CROSS JOIN {s}permission_grant g ON g.holder_type = 'mem' AND g.holder_id = m.id";
    /// What the roles of the user's groups do: `?1` organization, `?2` user.
    given_by_groups = "SELECT {given} FROM {s}group_member t CROSS JOIN {s}group_role r ON r.group_id = t.group_id \
        CROSS JOIN {s}permission_grant g ON g.holder_type = 'rol' AND g.holder_id = r.role_id WHERE t.org_id = ?1 AND t.usr_id = ?2";
    /// What organizations and the user's memberships there do about one permission: `?1` organizations, `?2` user, `?3` permission.
    overrides_of = "SELECT {given} FROM {ten} CROSS JOIN {s}permission_grant g \
        ON 16 * n.column1 < length(?1) AND g.holder_type = 'org' AND g.holder_id = substr(?1, 1 + 16 * n.column1, 16) AND g.permission = ?3 \
        UNION ALL SELECT {given} FROM {ten} CROSS JOIN {s}membership m INDEXED BY {s}membership_held \
        ON 16 * n.column1 < length(?1) AND m.org_id = substr(?1, 1 + 16 * n.column1, 16) AND m.usr_id = ?2 AND m.status <> 'revoked' \
        CROSS JOIN {s}permission_grant g ON g.holder_type = 'mem' AND g.holder_id = m.id AND g.permission = ?3";
    /// `?1` organization, `?2` user: the user's groups there, with their roles.
    groups_of = "SELECT t.group_id, t.expires_at, r.role_id, r.expires_at FROM {s}group_member t \
        LEFT JOIN {s}group_role r ON r.group_id = t.group_id WHERE t.org_id = ?1 AND t.usr_id = ?2";
    /// `?1` ancestors, as they are stored: those organizations.
    places_above = "SELECT a.id, a.status, 2 * a.cascade_permissions + a.inherit_permissions, a.revision \
        FROM {ten} CROSS JOIN {s}organization a ON 16 * n.column1 < length(?1) AND a.id = substr(?1, 1 + 16 * n.column1, 16)";
    /// `?1` ancestors, `?2` user, `?3` permission: the memberships there, with whether their roles reach below and grant the permission.
    held_above = "SELECT m.org_id, m.id, m.role_id, m.role_slug, m.status, m.expires_at, r.inherits_to_descendants, \
        (SELECT coalesce(g.expires_at, 9223372036854775807) FROM {s}permission_grant g \
        WHERE g.holder_type = 'rol' AND g.holder_id = m.role_id AND g.permission = ?3 AND g.effect = 'grant') \
        FROM {ten} CROSS JOIN {s}membership m INDEXED BY {s}membership_held \
        ON 16 * n.column1 < length(?1) AND m.org_id = substr(?1, 1 + 16 * n.column1, 16) AND m.usr_id = ?2 AND m.status <> 'revoked' LEFT JOIN {s}role r ON r.id = m.role_id";
    /// `?1` organization, `?2` user, `?3` permission: the roles that grant it of the user's groups there.
    held_by_groups = "SELECT t.group_id, t.expires_at, r.role_id, r.expires_at, g.expires_at FROM {s}group_member t \
        CROSS JOIN {s}group_role r ON r.group_id = t.group_id CROSS JOIN {s}permission_grant g \
        ON g.holder_type = 'rol' AND g.holder_id = r.role_id AND g.permission = ?3 AND g.effect = 'grant' \
        WHERE t.org_id = ?1 AND t.usr_id = ?2";
    /// Roles that grant a permission and are known in an organization: `?2` organization, `?3` permission.
    grantors = "WITH {chain} SELECT 4, r.id, r.org_id, NULL, r.slug, NULL, NULL, r.inherits_to_descendants, NULL, NULL \
        FROM {s}permission_grant g INDEXED BY {s}permission_grant_permission CROSS JOIN {s}role r ON r.id = g.holder_id \
        WHERE g.permission = ?3 AND g.holder_type = 'rol' AND (r.org_id IS NULL OR r.org_id IN (SELECT id FROM chain)) \
        UNION ALL SELECT 7, g.holder_id, NULL, NULL, g.permission, g.holder_type, g.effect, NULL, NULL, g.expires_at \
        FROM {s}permission_grant g INDEXED BY {s}permission_grant_permission CROSS JOIN {s}role r ON r.id = g.holder_id \
        WHERE g.permission = ?3 AND g.holder_type = 'rol' AND (r.org_id IS NULL OR r.org_id IN (SELECT id FROM chain))";
    /// Memberships with a role of the organization `?1`: where they are.
    orgs_holding = "SELECT m.org_id FROM {s}role r INDEXED BY {s}role_org CROSS JOIN {s}membership m INDEXED BY {s}membership_role \
        ON m.role_id = r.id AND m.role_slug IS NOT NULL AND m.status <> 'revoked' WHERE r.org_id = ?1";
    /// Invitations, and `?2` moment.
    orgs_offering = "SELECT v.org_id FROM {s}role r INDEXED BY {s}role_org CROSS JOIN {s}invitation v INDEXED BY {s}invitation_role \
        ON v.role_id = r.id AND v.role_slug IS NOT NULL AND v.status = 'pending' WHERE r.org_id = ?1 AND v.expires_at > ?2";
    /// Groups.
    orgs_teaming = "SELECT g.org_id FROM {s}role r INDEXED BY {s}role_org CROSS JOIN {s}group_role t ON t.role_id = r.id \
        CROSS JOIN {s}user_group g ON g.id = t.group_id WHERE r.org_id = ?1 AND (t.expires_at IS NULL OR t.expires_at > ?2)";
    /// The slugs of an organization's roles.
    slugs_of_roles = "SELECT {role} FROM {s}role INDEXED BY {s}role_org WHERE org_id = ?1";
    /// How deep what is below an organization goes, and how much it is, itself included.
    extent = "WITH RECURSIVE below (id, level) AS (SELECT ?1, 0 UNION ALL SELECT o.id, b.level + 1 FROM below b \
        CROSS JOIN {s}organization o INDEXED BY {s}organization_children ON o.parent_id = b.id) SELECT max(level), count(*) FROM below";
    /// Where a user has a membership that is not revoked.
    orgs_of_user = "SELECT o.id, o.ancestors, o.status FROM {s}membership m INDEXED BY {s}membership_user \
        CROSS JOIN {s}organization o ON o.id = m.org_id WHERE m.usr_id = ?1 AND m.status <> 'revoked'";
    /// Who has a membership that is not revoked in an organization: `?1` organization, `?2` behind, `?3` limit.
    users_of_org = "SELECT usr_id FROM {s}membership INDEXED BY {s}membership_current \
        WHERE org_id = ?1 AND usr_id > ?2 AND status <> 'revoked' ORDER BY usr_id LIMIT ?3";
    /// An organization and those so many levels below it: `?1` organization, `?2` levels.
    subtree = "WITH RECURSIVE below (id, level) AS (SELECT ?1, 0 UNION ALL SELECT o.id, b.level + 1 FROM below b \
        CROSS JOIN {s}organization o INDEXED BY {s}organization_children ON o.parent_id = b.id WHERE b.level < ?2) \
        SELECT id FROM below";
    /// Where a user has a membership that is not revoked with a role that reaches down.
    reaching_orgs = "SELECT m.org_id FROM {s}membership m INDEXED BY {s}membership_user CROSS JOIN {s}role r ON r.id = m.role_id \
        WHERE m.usr_id = ?1 AND m.status <> 'revoked' AND r.inherits_to_descendants";

    tuple_by_id = "SELECT {tuple} FROM {s}tuple WHERE id = ?1";
    tuple_is_there = "SELECT EXISTS (SELECT 1 FROM {s}tuple WHERE id = ?1)";
    /// `?1` and `?2` object, `?3` relation, `?4` and `?5` subject.
    tuples_by_key = "SELECT {tuple} FROM {s}tuple WHERE object_type = ?1 AND object_id = ?2 AND relation = ?3 \
        AND subject_type = ?4 AND subject_id = ?5";
    /// What a role's relation to an organization hangs on: `?1` organization, `?2` user, `?3` relation, `?4` the role of that name, `?5` moment.
    /// The membership in force, the ancestors of the organization while it is active, whether the user acts (null for one without a row),
    /// and whether a stored tuple says the same. One statement, so that it sees one moment without a transaction.
    role_held = "SELECT (SELECT id FROM {s}membership INDEXED BY {s}membership_held WHERE org_id = ?1 AND usr_id = ?2 AND status <> 'revoked' \
            AND status = 'active' AND (role_id = ?4 OR role_slug = ?3) AND (expires_at IS NULL OR expires_at > ?5)), \
        (SELECT CASE status WHEN 'active' THEN ancestors END FROM {s}organization INDEXED BY {s}organization_line WHERE id = ?1), \
        (SELECT status = 'active' FROM {s}user_account WHERE id = ?2), \
        EXISTS (SELECT 1 FROM {s}tuple WHERE object_type = 'org' AND object_id = ?1 AND relation = ?3 AND subject_type = 'usr' AND subject_id = ?2)";
    /// The same, and `?6` scope, where none is the empty blob.
    tuple_by_place = "SELECT {tuple} FROM {s}tuple WHERE object_type = ?1 AND object_id = ?2 AND relation = ?3 \
        AND subject_type = ?4 AND subject_id = ?5 AND coalesce(org_id, x'') = ?6";
    /// `?1` and `?2` object, `?3` scope, `?4` moment.
    is_elsewhere = "SELECT EXISTS (SELECT 1 FROM {s}tuple WHERE object_type = ?1 AND object_id = ?2 AND org_id IS NOT ?3 \
        AND (expires_at IS NULL OR expires_at > ?4))";
    /// `?1` and `?2` object, `?3` moment.
    relations_to = "SELECT DISTINCT relation FROM {s}tuple WHERE object_type = ?1 AND object_id = ?2 AND (expires_at IS NULL OR expires_at > ?3)";
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
    /// Those whose ancestors begin with what `?1` says: `?2` what comes behind all of these, `?3` how many bytes they have at most,
    /// `?4` behind, `?5` limit.
    descendants = "SELECT {org} FROM {s}organization WHERE id IN (SELECT id FROM {s}organization INDEXED BY {s}organization_ancestors \
        WHERE parent_id IS NOT NULL AND ancestors >= (SELECT ?1) AND ancestors < (SELECT ?2) AND (?3 IS NULL OR length(ancestors) <= ?3) \
        AND id > (SELECT ?4) ORDER BY id LIMIT ?5) ORDER BY id";
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
    /// `?1` organization, `?2` behind, `?3` moment, `?4` role or null, `?5` its slug or null for all.
    active_of_org = "SELECT {mem} FROM {s}membership WHERE org_id = ?1 AND id > ?2 AND status = 'active' \
        AND (expires_at IS NULL OR expires_at > ?3) AND (?5 IS NULL OR role_id = ?4 OR role_slug = ?5) ORDER BY id";

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
    dump_permissions = "SELECT {perm} FROM {s}permission ORDER BY slug";
    dump_roles = "SELECT {role} FROM {s}role ORDER BY id";
    dump_grants = "SELECT {grant} FROM {s}permission_grant ORDER BY holder_type, holder_id, permission";
    dump_groups = "SELECT {group} FROM {s}user_group ORDER BY id";
    dump_group_members = "SELECT {gmem} FROM {s}group_member ORDER BY group_id, usr_id";
    dump_group_roles = "SELECT r.group_id, g.org_id, r.role_id, r.role_slug, r.granted_by, r.created_at, r.expires_at \
        FROM {s}group_role r JOIN {s}user_group g ON g.id = r.group_id ORDER BY r.group_id, r.role_id";
    dump_events = "SELECT {event}, org_id, revision FROM {s}event ORDER BY org_id, revision";
    dump_store_events = "SELECT {event}, NULL, NULL FROM {s}store_event ORDER BY id";

    /// `?1` user, `?2` the revision that it has.
    advance_user = "UPDATE {s}user_account SET revision = revision + 1 WHERE id = ?1 AND revision = ?2";
    /// `?1` organization, `?2` the revision that it has, `?3` how many events come.
    advance_org = "UPDATE {s}organization SET revision = revision + ?3 WHERE id = ?1 AND revision = ?2";
    /// `?1` the revision that it has.
    advance_system = "UPDATE {s}system SET revision = revision + 1 WHERE one = 1 AND revision = ?1";
    /// `?1` root, `?2` the revision that its structure has.
    advance_tree = "UPDATE {s}organization SET structure_revision = structure_revision + 1 WHERE id = ?1 AND structure_revision = ?2";
    put_permission = "INSERT INTO {s}permission ({perm}) VALUES (?1, ?2, ?3, ?4, ?5, ?6) \
        ON CONFLICT (slug) DO UPDATE SET name = ?2, description = ?3, category = ?4, updated_at = ?6";
    insert_role = "INSERT INTO {s}role ({role}) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
    /// `?1` moment, `?2` role, then the fields.
    update_role = "UPDATE {s}role SET name = ?3, description = ?4, inherits_to_descendants = ?5, updated_at = ?1 WHERE id = ?2";
    delete_role = "DELETE FROM {s}role WHERE id = ?1";
    drop_lapsed_group_roles = "DELETE FROM {s}group_role WHERE role_id = ?1";
    /// `?1` moment, `?2` from, `?3` to, `?4` its slug.
    replace_role_of_memberships = "UPDATE {s}membership SET role_id = ?3, role_slug = ?4, updated_at = ?1 \
        WHERE role_id = ?2 AND role_slug IS NOT NULL AND status <> 'revoked'";
    /// The same.
    replace_role_of_invitations = "UPDATE {s}invitation SET role_id = ?3, role_slug = ?4 \
        WHERE role_id = ?2 AND role_slug IS NOT NULL AND status = 'pending' AND expires_at > ?1";
    /// `?1` moment, `?2` from, `?3` to, `?4` its slug.
    replace_role_of_groups = "INSERT INTO {s}group_role (group_id, role_id, role_slug, granted_by, created_at, expires_at) \
        SELECT group_id, ?3, ?4, granted_by, created_at, expires_at FROM {s}group_role \
        WHERE role_id = ?2 AND (expires_at IS NULL OR expires_at > ?1) ON CONFLICT DO NOTHING";
    /// `?1` moment, `?2` from.
    drop_replaced_group_roles = "DELETE FROM {s}group_role WHERE role_id = ?2 AND (expires_at IS NULL OR expires_at > ?1)";
    put_grant = "INSERT INTO {s}permission_grant ({grant}) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) \
        ON CONFLICT (holder_type, holder_id, permission) DO UPDATE SET effect = ?4, granted_by = ?5, created_at = ?6, expires_at = ?7";
    /// `?1` and `?2` holder, `?3` permission.
    drop_grant = "DELETE FROM {s}permission_grant WHERE holder_type = ?1 AND holder_id = ?2 AND permission = ?3";
    /// `?1` and `?2` holder.
    drop_grants = "DELETE FROM {s}permission_grant WHERE holder_type = ?1 AND holder_id = ?2";
    /// `?1` from, `?2` to.
    copy_grants = "INSERT INTO {s}permission_grant ({grant}) SELECT ?2, holder_type, permission, effect, granted_by, created_at, expires_at \
        FROM {s}permission_grant WHERE holder_type = 'mem' AND holder_id = ?1";
    insert_group = "INSERT INTO {s}user_group ({group}) VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
    /// `?1` moment, `?2` group, `?3` name.
    update_group = "UPDATE {s}user_group SET name = ?3, updated_at = ?1 WHERE id = ?2";
    delete_group = "DELETE FROM {s}user_group WHERE id = ?1";
    drop_group_members = "DELETE FROM {s}group_member WHERE group_id = ?1";
    drop_group_roles = "DELETE FROM {s}group_role WHERE group_id = ?1";
    put_group_member = "INSERT INTO {s}group_member ({gmem}) VALUES (?1, ?2, ?3, ?4, ?5, ?6) \
        ON CONFLICT (org_id, usr_id, group_id) DO UPDATE SET granted_by = ?4, created_at = ?5, expires_at = ?6";
    /// `?1` organization, `?2` user, `?3` group.
    drop_group_member = "DELETE FROM {s}group_member WHERE org_id = ?1 AND usr_id = ?2 AND group_id = ?3";
    /// `?1` organization, `?2` user.
    drop_group_members_of_user = "DELETE FROM {s}group_member WHERE org_id = ?1 AND usr_id = ?2";
    drop_group_members_of_org = "DELETE FROM {s}group_member WHERE org_id = ?1";
    put_group_role = "INSERT INTO {s}group_role (group_id, role_id, role_slug, granted_by, created_at, expires_at) \
        VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT (group_id, role_id) DO UPDATE SET granted_by = ?4, created_at = ?5, expires_at = ?6";
    /// `?1` group, `?2` role.
    drop_group_role = "DELETE FROM {s}group_role WHERE group_id = ?1 AND role_id = ?2";
    /// `?1` moment, `?2` organization, `?3` its parent until now, `?4` its parent from now on, `?5` how many bytes its ancestors take.
    move_org = "UPDATE {s}organization SET parent_id = ?4, updated_at = ?1 WHERE id = ?2 AND parent_id IS ?3 AND length(ancestors) = ?5";
    /// `?1` organization, `?2` the first byte of its ancestors that stays, `?3` those from now on.
    move_subtree = "WITH RECURSIVE moved (id) AS (SELECT ?1 UNION ALL SELECT o.id FROM moved m \
        CROSS JOIN {s}organization o INDEXED BY {s}organization_children ON o.parent_id = m.id) \
        UPDATE {s}organization SET ancestors = CAST(?3 || coalesce(substr(ancestors, ?2), x'') AS BLOB) WHERE id IN (SELECT id FROM moved)";
    insert_user = "INSERT INTO {s}user_account ({user}) VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
    /// `?1` moment, `?2` user, `?3` from, `?4` to.
    set_user_status = "UPDATE {s}user_account SET status = ?4, updated_at = ?1 WHERE id = ?2 AND status = ?3";
    insert_org = "INSERT INTO {s}organization ({org}, name_folded) \
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16)";
    /// `?1` moment, `?2` organization, `?3` its status, then the fields.
    update_org = "UPDATE {s}organization SET name = ?4, name_folded = ?5, slug = ?6, cascade_permissions = ?7, \
        inherit_permissions = ?8, seat_limit = ?9, external_id = ?10, metadata = ?11, updated_at = ?1 WHERE id = ?2 AND status = ?3";
    /// `?1` moment, `?2` organization, `?3` from, `?4` to.
    set_org_status = "UPDATE {s}organization SET status = ?4, updated_at = ?1 WHERE id = ?2 AND status = ?3";
    claim_slug = "INSERT INTO {s}organization_slug (slug, org_id) VALUES (?1, ?2)";
    release_slug = "DELETE FROM {s}organization_slug WHERE slug = ?1 AND org_id = ?2";
    insert_membership = "INSERT INTO {s}membership ({mem}) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)";
    /// `?1` moment, `?2` organization, `?3` membership, `?4` from, `?5` to, `?6` who removed the member.
    set_membership_status = "UPDATE {s}membership SET status = ?5, removed_by = ?6, updated_at = ?1 \
        WHERE org_id = ?2 AND id = ?3 AND status = ?4";
    /// `?1` moment, `?2` organization, `?3` membership, `?4` the end that it has, `?5` its new one, `?6` metadata.
    update_membership = "UPDATE {s}membership SET expires_at = ?5, metadata = ?6, updated_at = ?1 \
        WHERE org_id = ?2 AND id = ?3 AND expires_at IS ?4";
    /// `?1` moment, `?2` organization.
    end_memberships = "UPDATE {s}membership SET status = 'revoked', removed_by = NULL, updated_at = ?1 \
        WHERE org_id = ?2 AND status <> 'revoked'";
    insert_invitation = "INSERT INTO {s}invitation ({inv}) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)";
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

    /// What statements name that they have found themselves.
    const OWN: [&str; 14] = ["below", "moved", "chain", "c", "held", "team", "t", "team_role", "part", "p", "h", "b", "m", "n"];

    #[test]
    fn no_statement_walks_through_a_table() {
        // What has come to its end is found by its end, and wanted by its id; where a user is, by the user.
        let sorts =
            ["descendants", "owned_orgs", "active_orgs", "expired_invitations", "expired_tuples", "facts_all", "facts_some", "facts_one"];
        for db in [Session::scratch(PREFIX), analyzed()] {
            for (name, sql) in targeted(&db) {
                let mut statement = db.connection().prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
                let mut steps = statement.raw_query();
                while let Some(step) = steps.next().unwrap() {
                    let step: String = step.get(3).unwrap();
                    // What a statement itself has found so far is of the size of one answer, and so are its own values.
                    let own = step.strip_prefix("SCAN ").is_none_or(|what| {
                        OWN.contains(&what)
                            || what.contains("CONSTANT ROW")
                            || what.contains("VALUES CLAUSE")
                            || what.contains("VIRTUAL TABLE")
                    });
                    assert!(own, "{name}: {step}");
                    assert!(!step.contains("TEMP B-TREE") || sorts.contains(&name), "{name}: {step}");
                }
            }
        }
    }

    #[test]
    fn a_check_looks_into_indexes_alone() {
        let db = analyzed();
        let asked = [
            "role_held",
            "holding",
            "resolving",
            "given",
            "given_by_orgs",
            "given_above",
            "given_by_groups",
            "overrides_of",
            "groups_of",
            "places_above",
            "held_above",
            "held_by_groups",
        ];
        let mut plans = Vec::new();
        for (name, sql) in targeted(&db).into_iter().filter(|(name, _)| asked.contains(name)) {
            let mut statement = db.connection().prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
            let (mut steps, mut plan) = (statement.raw_query(), vec![format!("{name}:")]);
            while let Some(step) = steps.next().unwrap() {
                plan.push(step.get(3).unwrap());
            }
            plans.push(plan.join("\n"));
        }
        assert_eq!(plans.len(), asked.len());
        insta::assert_snapshot!(plans.join("\n\n"));
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
                    let list = sql.contains(&format!("json_each(?{at})"));
                    let value = match (limit, list) {
                        (true, _) => Value::Integer(3),
                        (_, true) => Value::Text(format!("[\"a.read{n}\"]")),
                        _ => Value::Blob(bytes(&samples::id::<OrgId>(n)).to_vec()),
                    };
                    statement.raw_bind_parameter(at, value).unwrap();
                }
                let mut rows = statement.raw_query();
                while rows.next().unwrap().is_some() {}
            }
            assert_eq!(statement.get_status(StatementStatus::RePrepare), 0, "{name}");
        }
    }
}
