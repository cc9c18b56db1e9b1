-- Invitations and tuples, what an application keeps beside a row, and one feed of all events.

ALTER TABLE {s}organization ADD COLUMN seat_limit INTEGER CHECK (seat_limit >= 0);
ALTER TABLE {s}organization ADD COLUMN external_id TEXT;
ALTER TABLE {s}organization ADD COLUMN metadata TEXT NOT NULL DEFAULT '{}';
ALTER TABLE {s}membership ADD COLUMN metadata TEXT NOT NULL DEFAULT '{}';
-- Members are counted whenever one joins an organization with a limit.
CREATE INDEX {s}membership_status ON {s}membership (org_id, status, expires_at);

-- Events get a place in the feed of the whole store. The tables are made anew, so that the place can be asked of every row: a
-- process of an older version, which does not know what ends with a membership now, cannot write any more. Rows that are there
-- stand in the order of their ids, and those of one organization in the order of their revisions whatever their ids are.
ALTER TABLE {s}event RENAME TO {s}event_1;
ALTER TABLE {s}store_event RENAME TO {s}store_event_1;

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
    request_id  TEXT,
    reason      TEXT,
    position    INTEGER NOT NULL CHECK (position > 0),
    PRIMARY KEY (org_id, revision)
) STRICT, WITHOUT ROWID;

CREATE TABLE {s}store_event (
    id          BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    type        TEXT NOT NULL,
    actor_type  TEXT NOT NULL,
    actor_id    TEXT,
    at          INTEGER NOT NULL,
    subject_ids TEXT NOT NULL,
    data        TEXT NOT NULL,
    request_id  TEXT,
    reason      TEXT,
    position    INTEGER NOT NULL CHECK (position > 0)
) STRICT, WITHOUT ROWID;

CREATE TEMP TABLE {s}feed (id BLOB NOT NULL PRIMARY KEY, position INTEGER NOT NULL) WITHOUT ROWID;
INSERT INTO temp.{s}feed (id, position)
    SELECT id, row_number() OVER (ORDER BY behind, revision) FROM (
        SELECT id, revision, max(id) OVER (PARTITION BY org_id ORDER BY revision) AS behind FROM {s}event_1
        UNION ALL SELECT id, 0, id FROM {s}store_event_1);
INSERT INTO {s}event (org_id, revision, id, type, actor_type, actor_id, at, subject_ids, data, position)
    SELECT org_id, revision, id, type, actor_type, actor_id, at, subject_ids, data,
        (SELECT f.position FROM temp.{s}feed f WHERE f.id = e.id) FROM {s}event_1 e;
INSERT INTO {s}store_event (id, type, actor_type, actor_id, at, subject_ids, data, position)
    SELECT id, type, actor_type, actor_id, at, subject_ids, data,
        (SELECT f.position FROM temp.{s}feed f WHERE f.id = e.id) FROM {s}store_event_1 e;
DROP TABLE temp.{s}feed;
-- With their indexes and triggers.
DROP TABLE {s}event_1;
DROP TABLE {s}store_event_1;

CREATE UNIQUE INDEX {s}event_position ON {s}event (position);
CREATE UNIQUE INDEX {s}event_id ON {s}event (id);
CREATE UNIQUE INDEX {s}store_event_position ON {s}store_event (position);
CREATE TRIGGER {s}event_stays BEFORE UPDATE ON {s}event BEGIN SELECT RAISE(ABORT, 'events are only added'); END;
CREATE TRIGGER {s}event_is_kept BEFORE DELETE ON {s}event BEGIN SELECT RAISE(ABORT, 'events are only added'); END;
CREATE TRIGGER {s}store_event_stays BEFORE UPDATE ON {s}store_event BEGIN SELECT RAISE(ABORT, 'events are only added'); END;
CREATE TRIGGER {s}store_event_is_kept BEFORE DELETE ON {s}store_event BEGIN SELECT RAISE(ABORT, 'events are only added'); END;

CREATE TABLE {s}invitation (
    org_id          BLOB NOT NULL REFERENCES {s}organization (id),
    id              BLOB NOT NULL CHECK (length(id) = 16),
    identifier      TEXT NOT NULL,
    role_id         BLOB NOT NULL CHECK (length(role_id) = 16),
    status          TEXT NOT NULL CHECK (status IN ('pending', 'accepted', 'declined', 'revoked', 'expired')),
    pre_tuples      TEXT NOT NULL,
    invited_by      BLOB NOT NULL CHECK (length(invited_by) = 16),
    invited_user_id BLOB CHECK (length(invited_user_id) = 16),
    created_at      INTEGER NOT NULL,
    expires_at      INTEGER NOT NULL,
    terminal_at     INTEGER,
    terminal_by     BLOB CHECK (length(terminal_by) = 16),
    judged          INTEGER NOT NULL CHECK (judged IN (0, 1)),
    PRIMARY KEY (org_id, id)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX {s}invitation_pending ON {s}invitation (org_id, identifier) WHERE status = 'pending';
-- Made behind the one above, as with memberships.
CREATE UNIQUE INDEX {s}invitation_id ON {s}invitation (id);
CREATE INDEX {s}invitation_identifier ON {s}invitation (identifier, id);
CREATE INDEX {s}invitation_end ON {s}invitation (expires_at, id) WHERE status = 'pending';

CREATE TABLE {s}tuple (
    id           BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    subject_type TEXT NOT NULL,
    subject_id   BLOB NOT NULL CHECK (length(subject_id) = 16),
    relation     TEXT NOT NULL,
    object_type  TEXT NOT NULL,
    object_id    BLOB NOT NULL CHECK (length(object_id) = 16),
    org_id       BLOB REFERENCES {s}organization (id),
    created_at   INTEGER NOT NULL,
    created_by   BLOB CHECK (length(created_by) = 16),
    expires_at   INTEGER
) STRICT, WITHOUT ROWID;
-- No scope is a scope of its own.
CREATE UNIQUE INDEX {s}tuple_key
    ON {s}tuple (object_type, object_id, relation, subject_type, subject_id, coalesce(org_id, x''));
CREATE INDEX {s}tuple_subject ON {s}tuple (subject_type, subject_id, id);
-- With the columns that tell whether an object belongs to one scope.
CREATE INDEX {s}tuple_object ON {s}tuple (object_type, object_id, id, org_id, expires_at);
-- A check follows one relation, however many others lead to the object.
CREATE INDEX {s}tuple_relation ON {s}tuple (object_type, object_id, relation, id);
CREATE INDEX {s}tuple_scope ON {s}tuple (org_id, subject_type, subject_id, id) WHERE org_id IS NOT NULL;
CREATE INDEX {s}tuple_end ON {s}tuple (expires_at, id) WHERE expires_at IS NOT NULL;
