-- The catalog of permissions, roles of the application's own, what roles grant, overrides and groups.

-- Of a role of the application's own, beside its id: slugs never change, and an ended membership tells what it was when the role is gone.
ALTER TABLE {s}membership ADD COLUMN role_slug TEXT;
ALTER TABLE {s}invitation ADD COLUMN role_slug TEXT;
-- Of a root: moves with each change of the shape of its tree.
ALTER TABLE {s}organization ADD COLUMN structure_revision INTEGER NOT NULL DEFAULT 0 CHECK (structure_revision >= 0);
-- What is below an organization: those whose ancestors begin with its own and itself.
CREATE INDEX {s}organization_ancestors ON {s}organization (ancestors, id) WHERE parent_id IS NOT NULL;
-- Who holds a role of the application's own.
CREATE INDEX {s}membership_role ON {s}membership (role_id) WHERE role_slug IS NOT NULL AND status <> 'revoked';
CREATE INDEX {s}invitation_role ON {s}invitation (role_id) WHERE role_slug IS NOT NULL AND status = 'pending';
-- Whether a relation to an organization is stored anywhere.
CREATE INDEX {s}tuple_of_org ON {s}tuple (relation, object_id) WHERE object_type = 'org';

-- One row: the revision of what belongs to no organization, the roles of the system and the catalog.
CREATE TABLE {s}system (
    one      INTEGER NOT NULL PRIMARY KEY CHECK (one = 1),
    revision INTEGER NOT NULL CHECK (revision >= 0)
) STRICT, WITHOUT ROWID;
INSERT INTO {s}system (one, revision) VALUES (1, 0);

CREATE TABLE {s}permission (
    slug        TEXT NOT NULL PRIMARY KEY,
    name        TEXT,
    description TEXT,
    category    TEXT,
    created_at  INTEGER NOT NULL,
    updated_at  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE {s}role (
    id                      BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    org_id                  BLOB REFERENCES {s}organization (id),
    slug                    TEXT NOT NULL,
    name                    TEXT NOT NULL,
    description             TEXT,
    inherits_to_descendants INTEGER NOT NULL CHECK (inherits_to_descendants IN (0, 1)),
    created_at              INTEGER NOT NULL,
    updated_at              INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
-- No organization is a place of its own.
CREATE UNIQUE INDEX {s}role_slug ON {s}role (coalesce(org_id, x''), slug);
CREATE INDEX {s}role_org ON {s}role (org_id, id);

-- What a role grants, and what an organization or a membership overrides.
CREATE TABLE {s}permission_grant (
    holder_type TEXT NOT NULL CHECK (holder_type IN ('rol', 'org', 'mem')),
    holder_id   BLOB NOT NULL CHECK (length(holder_id) = 16),
    permission  TEXT NOT NULL REFERENCES {s}permission (slug),
    effect      TEXT NOT NULL CHECK (effect IN ('grant', 'deny')),
    granted_by  BLOB CHECK (length(granted_by) = 16),
    created_at  INTEGER NOT NULL,
    expires_at  INTEGER,
    PRIMARY KEY (holder_type, holder_id, permission)
) STRICT, WITHOUT ROWID;
CREATE INDEX {s}permission_grant_permission ON {s}permission_grant (permission, holder_type, holder_id);
-- Whether anybody overrides a permission, and whether a user may do nothing: both are rare, and looked up for every question.
CREATE INDEX {s}permission_grant_override ON {s}permission_grant (permission) WHERE holder_type <> 'rol';
CREATE INDEX {s}user_account_inactive ON {s}user_account (id, status) WHERE status <> 'active';
-- What a question needs of an organization and of a membership, without a look into tables whose rows are several times as long.
CREATE INDEX {s}organization_line ON {s}organization (id, status, cascade_permissions, inherit_permissions, ancestors);
CREATE INDEX {s}membership_held ON {s}membership (org_id, usr_id, status, role_id, role_slug, expires_at) WHERE status <> 'revoked';

CREATE TABLE {s}user_group (
    id         BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    org_id     BLOB NOT NULL REFERENCES {s}organization (id),
    slug       TEXT NOT NULL,
    name       TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX {s}user_group_slug ON {s}user_group (org_id, slug);
CREATE INDEX {s}user_group_org ON {s}user_group (org_id, id);

CREATE TABLE {s}group_member (
    org_id     BLOB NOT NULL CHECK (length(org_id) = 16),
    usr_id     BLOB NOT NULL CHECK (length(usr_id) = 16),
    group_id   BLOB NOT NULL REFERENCES {s}user_group (id),
    granted_by BLOB CHECK (length(granted_by) = 16),
    created_at INTEGER NOT NULL,
    expires_at INTEGER,
    PRIMARY KEY (org_id, usr_id, group_id)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX {s}group_member_group ON {s}group_member (group_id, usr_id);

CREATE TABLE {s}group_role (
    group_id   BLOB NOT NULL REFERENCES {s}user_group (id),
    role_id    BLOB NOT NULL CHECK (length(role_id) = 16),
    role_slug  TEXT,
    granted_by BLOB CHECK (length(granted_by) = 16),
    created_at INTEGER NOT NULL,
    expires_at INTEGER,
    PRIMARY KEY (group_id, role_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX {s}group_role_role ON {s}group_role (role_id);
