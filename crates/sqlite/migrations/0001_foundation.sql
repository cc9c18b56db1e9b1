-- Users, organizations, memberships and their events.
-- {s} stands for the prefix of the tables; {owner} for the fixed id of the role `owner`, as a blob.

CREATE TABLE {s}schema_migrations (
    version    INTEGER NOT NULL PRIMARY KEY,
    name       TEXT NOT NULL,
    checksum   TEXT NOT NULL,
    applied_at INTEGER NOT NULL
) STRICT;

CREATE TABLE {s}user_account (
    id           BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    status       TEXT NOT NULL CHECK (status IN ('active', 'suspended', 'revoked')),
    display_name TEXT,
    revision     INTEGER NOT NULL CHECK (revision >= 0),
    created_at   INTEGER NOT NULL,
    updated_at   INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE {s}organization (
    id                  BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    parent_id           BLOB REFERENCES {s}organization (id),
    ancestors           BLOB NOT NULL CHECK (length(ancestors) % 16 = 0),
    status              TEXT NOT NULL CHECK (status IN ('active', 'suspended', 'revoked')),
    name                TEXT,
    name_folded         TEXT CHECK ((name_folded IS NULL) = (name IS NULL)),
    slug                TEXT,
    cascade_permissions INTEGER NOT NULL CHECK (cascade_permissions IN (0, 1)),
    inherit_permissions INTEGER NOT NULL CHECK (inherit_permissions IN (0, 1)),
    revision            INTEGER NOT NULL CHECK (revision >= 0),
    created_at          INTEGER NOT NULL,
    updated_at          INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX {s}organization_children ON {s}organization (parent_id, id) WHERE parent_id IS NOT NULL;

-- Beside the organizations, not in them: a revoked one keeps the text of its slug, but no longer holds it.
CREATE TABLE {s}organization_slug (
    slug   TEXT NOT NULL PRIMARY KEY,
    org_id BLOB NOT NULL CHECK (length(org_id) = 16)
) STRICT, WITHOUT ROWID;

CREATE TABLE {s}membership (
    org_id     BLOB NOT NULL REFERENCES {s}organization (id),
    id         BLOB NOT NULL CHECK (length(id) = 16),
    usr_id     BLOB NOT NULL CHECK (length(usr_id) = 16),
    role_id    BLOB NOT NULL CHECK (length(role_id) = 16),
    status     TEXT NOT NULL CHECK (status IN ('active', 'suspended', 'revoked')),
    replaces   BLOB CHECK (length(replaces) = 16),
    invited_by BLOB CHECK (length(invited_by) = 16),
    removed_by BLOB CHECK (length(removed_by) = 16),
    expires_at INTEGER,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    PRIMARY KEY (org_id, id)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX {s}membership_current ON {s}membership (org_id, usr_id) WHERE status <> 'revoked';
-- Made behind the one above, so that a row which breaks both is told to have the id of another, as in memory.
CREATE UNIQUE INDEX {s}membership_id ON {s}membership (id);
CREATE INDEX {s}membership_user ON {s}membership (usr_id, id);
CREATE INDEX {s}membership_owner ON {s}membership (org_id, id) WHERE status = 'active' AND role_id = {owner};

CREATE TABLE {s}event (
    org_id      BLOB NOT NULL CHECK (length(org_id) = 16),
    revision    INTEGER NOT NULL CHECK (revision > 0),
    id          BLOB NOT NULL CHECK (length(id) = 16),
    type        TEXT NOT NULL,
    actor_type  TEXT NOT NULL,
    actor_id    TEXT,
    at          INTEGER NOT NULL,
    subject_ids TEXT NOT NULL,
    data        TEXT NOT NULL,
    PRIMARY KEY (org_id, revision)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX {s}event_id ON {s}event (id);

-- Events that belong to no organization.
CREATE TABLE {s}store_event (
    id          BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    type        TEXT NOT NULL,
    actor_type  TEXT NOT NULL,
    actor_id    TEXT,
    at          INTEGER NOT NULL,
    subject_ids TEXT NOT NULL,
    data        TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- What happened stays as it was told. Triggers cost nothing where rows are only added.
CREATE TRIGGER {s}event_stays BEFORE UPDATE ON {s}event BEGIN SELECT RAISE(ABORT, 'events are only added'); END;
CREATE TRIGGER {s}event_is_kept BEFORE DELETE ON {s}event BEGIN SELECT RAISE(ABORT, 'events are only added'); END;
CREATE TRIGGER {s}store_event_stays BEFORE UPDATE ON {s}store_event BEGIN SELECT RAISE(ABORT, 'events are only added'); END;
CREATE TRIGGER {s}store_event_is_kept BEFORE DELETE ON {s}store_event BEGIN SELECT RAISE(ABORT, 'events are only added'); END;
