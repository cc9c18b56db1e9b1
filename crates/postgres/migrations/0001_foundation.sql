-- Users, organizations, memberships and their events, and the one function that writes them.
-- {s} stands for the schema's name and a dot; {owner} for the fixed id of the role `owner`.

CREATE TABLE {s}user_account (
    id           uuid NOT NULL CONSTRAINT user_account_pkey PRIMARY KEY,
    status       text COLLATE "C" NOT NULL CHECK (status IN ('active', 'suspended', 'revoked')),
    display_name text COLLATE "C",
    revision     bigint NOT NULL,
    created_at   timestamptz NOT NULL,
    updated_at   timestamptz NOT NULL
);

CREATE TABLE {s}organization (
    id                  uuid NOT NULL CONSTRAINT organization_pkey PRIMARY KEY,
    parent_id           uuid REFERENCES {s}organization (id),
    ancestors           uuid[] NOT NULL CHECK (cardinality(ancestors) <= 9),
    status              text COLLATE "C" NOT NULL CHECK (status IN ('active', 'suspended', 'revoked')),
    name                text COLLATE "C",
    name_folded         text COLLATE "C",
    slug                text COLLATE "C",
    cascade_permissions boolean NOT NULL,
    inherit_permissions boolean NOT NULL,
    revision            bigint NOT NULL,
    created_at          timestamptz NOT NULL,
    updated_at          timestamptz NOT NULL
);
CREATE INDEX organization_children ON {s}organization (parent_id, id);

-- Beside the organizations, not in them: a slug is unique across all of them, while every other table can be split by
-- organization.
CREATE TABLE {s}organization_slug (
    slug   text COLLATE "C" NOT NULL CONSTRAINT organization_slug_pkey PRIMARY KEY,
    org_id uuid NOT NULL
);

CREATE TABLE {s}membership (
    org_id     uuid NOT NULL REFERENCES {s}organization (id),
    id         uuid NOT NULL,
    usr_id     uuid NOT NULL,
    role_id    uuid NOT NULL,
    status     text COLLATE "C" NOT NULL CHECK (status IN ('active', 'suspended', 'revoked')),
    replaces   uuid,
    invited_by uuid,
    removed_by uuid,
    expires_at timestamptz,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    CONSTRAINT membership_pkey PRIMARY KEY (org_id, id)
);
CREATE UNIQUE INDEX membership_current ON {s}membership (org_id, usr_id) WHERE status <> 'revoked';
CREATE UNIQUE INDEX membership_id ON {s}membership (id);
CREATE INDEX membership_user ON {s}membership (usr_id, id);
CREATE INDEX membership_owner ON {s}membership (org_id, id) WHERE status = 'active' AND role_id = '{owner}';

CREATE TABLE {s}event (
    org_id      uuid NOT NULL,
    revision    bigint NOT NULL,
    id          uuid NOT NULL,
    type        text COLLATE "C" NOT NULL,
    actor_type  text COLLATE "C" NOT NULL,
    actor_id    text COLLATE "C",
    at          timestamptz NOT NULL,
    subject_ids text COLLATE "C" NOT NULL,
    data        text COLLATE "C" NOT NULL,
    CONSTRAINT event_pkey PRIMARY KEY (org_id, revision)
);
CREATE UNIQUE INDEX event_id ON {s}event (id);

-- Events that belong to no organization.
CREATE TABLE {s}store_event (
    id          uuid NOT NULL CONSTRAINT store_event_pkey PRIMARY KEY,
    type        text COLLATE "C" NOT NULL,
    actor_type  text COLLATE "C" NOT NULL,
    actor_id    text COLLATE "C",
    at          timestamptz NOT NULL,
    subject_ids text COLLATE "C" NOT NULL,
    data        text COLLATE "C" NOT NULL
);

-- A row that is not there cannot be taken. Whoever relies on the absence of a user's row shares a lock of this schema
-- (presence 1), and whoever brings rows for ids that may be in use already has it alone (2). It comes before any row.
CREATE FUNCTION {s}lock_presence_v1(presence integer) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF presence = 1 THEN
        PERFORM pg_advisory_xact_lock_shared(1952804449, '{s}user_account'::regclass::oid::integer);
    ELSIF presence = 2 THEN
        PERFORM pg_advisory_xact_lock(1952804449, '{s}user_account'::regclass::oid::integer);
    END IF;
END $$;

-- Takes what a plan guards, in the order in which `apply_v1` does: presence, users, organizations, each kind by id.
CREATE FUNCTION {s}lock_v1(presence integer, users uuid[], orgs uuid[]) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    one uuid;
BEGIN
    PERFORM {s}lock_presence_v1(presence);
    FOREACH one IN ARRAY users LOOP
        UPDATE {s}user_account SET revision = revision WHERE id = one;
    END LOOP;
    -- An update, not a SELECT ... FOR UPDATE: whoever waits for the row then sees that it changed, at any isolation level.
    FOREACH one IN ARRAY orgs LOOP
        UPDATE {s}organization SET revision = revision WHERE id = one;
    END LOOP;
END $$;

-- Writes one plan: guards, changes, events. Answers `ok`, `conflict`, `unique:<constraint>` or `inconsistent:<table>:<id>`;
-- anything but `ok` leaves nothing behind and does not poison the caller's transaction. It knows kinds of change, not rules.
CREATE FUNCTION {s}apply_v1(guards jsonb, at timestamptz, changes jsonb, events jsonb) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    g jsonb;
    c jsonb;
    n bigint;
    told text;
BEGIN
    IF guards @> '[{"k": "new_users"}]' THEN
        PERFORM {s}lock_presence_v1(2);
    ELSIF guards @> '[{"k": "no_user"}]' THEN
        PERFORM {s}lock_presence_v1(1);
    END IF;
    FOR i IN 0 .. jsonb_array_length(guards) - 1 LOOP
        g := guards -> i;
        CASE g ->> 'k'
        WHEN 'org' THEN
            UPDATE {s}organization o SET revision = o.revision + (g ->> 'events')::bigint
                WHERE o.id = (g ->> 'id')::uuid AND o.revision = (g ->> 'revision')::bigint;
            GET DIAGNOSTICS n = ROW_COUNT;
            IF n <> 1 THEN RAISE EXCEPTION USING ERRCODE = 'TN001'; END IF;
        WHEN 'user' THEN
            UPDATE {s}user_account u SET revision = u.revision + (g ->> 'advance')::bigint
                WHERE u.id = (g ->> 'id')::uuid AND u.revision = (g ->> 'revision')::bigint;
            GET DIAGNOSTICS n = ROW_COUNT;
            IF n <> 1 THEN RAISE EXCEPTION USING ERRCODE = 'TN001'; END IF;
        WHEN 'no_user' THEN
            PERFORM FROM {s}user_account u WHERE u.id = (g ->> 'id')::uuid;
            IF FOUND THEN RAISE EXCEPTION USING ERRCODE = 'TN001'; END IF;
        WHEN 'new_users' THEN
            PERFORM FROM jsonb_array_elements_text(g -> 'without_memberships') x
                WHERE EXISTS (SELECT FROM {s}membership m WHERE m.usr_id = x.value::uuid);
            IF FOUND THEN RAISE EXCEPTION USING ERRCODE = 'TN001'; END IF;
        END CASE;
    END LOOP;

    FOR i IN 0 .. jsonb_array_length(changes) - 1 LOOP
        c := changes -> i;
        CASE c ->> 'k'
        WHEN 'insert_membership' THEN
            INSERT INTO {s}membership
                (org_id, id, usr_id, role_id, status, replaces, invited_by, removed_by, expires_at, created_at, updated_at)
            VALUES ((c ->> 'org_id')::uuid, (c ->> 'id')::uuid, (c ->> 'usr_id')::uuid, (c ->> 'role_id')::uuid, c ->> 'status',
                (c ->> 'replaces')::uuid, (c ->> 'invited_by')::uuid, (c ->> 'removed_by')::uuid, (c ->> 'expires_at')::timestamptz,
                (c ->> 'created_at')::timestamptz, (c ->> 'updated_at')::timestamptz);
        WHEN 'set_membership_status' THEN
            UPDATE {s}membership m SET status = c ->> 'to', removed_by = (c ->> 'removed_by')::uuid, updated_at = apply_v1.at
                WHERE m.org_id = (c ->> 'org_id')::uuid AND m.id = (c ->> 'id')::uuid AND m.status = c ->> 'from';
            GET DIAGNOSTICS n = ROW_COUNT;
            IF n <> 1 THEN RAISE EXCEPTION USING ERRCODE = 'TN002', DETAIL = 'membership:' || (c ->> 'id'); END IF;
        WHEN 'set_membership_expiry' THEN
            UPDATE {s}membership m SET expires_at = (c ->> 'to')::timestamptz, updated_at = apply_v1.at
                WHERE m.org_id = (c ->> 'org_id')::uuid AND m.id = (c ->> 'id')::uuid
                AND m.expires_at IS NOT DISTINCT FROM (c ->> 'from')::timestamptz;
            GET DIAGNOSTICS n = ROW_COUNT;
            IF n <> 1 THEN RAISE EXCEPTION USING ERRCODE = 'TN002', DETAIL = 'membership:' || (c ->> 'id'); END IF;
        WHEN 'end_memberships' THEN
            UPDATE {s}membership m SET status = 'revoked', removed_by = NULL, updated_at = apply_v1.at
                WHERE m.org_id = (c ->> 'org_id')::uuid AND m.status <> 'revoked';
            GET DIAGNOSTICS n = ROW_COUNT;
            IF n <> (c ->> 'count')::bigint THEN
                RAISE EXCEPTION USING ERRCODE = 'TN002', DETAIL = 'membership:' || (c ->> 'org_id');
            END IF;
        WHEN 'insert_org' THEN
            INSERT INTO {s}organization
                (id, parent_id, ancestors, status, name, name_folded, slug, cascade_permissions, inherit_permissions, revision,
                created_at, updated_at)
            VALUES ((c ->> 'id')::uuid, (c ->> 'parent_id')::uuid,
                ARRAY(SELECT a.value::uuid FROM jsonb_array_elements_text(c -> 'ancestors') WITH ORDINALITY a ORDER BY a.ordinality),
                c ->> 'status', c ->> 'name', c ->> 'name_folded', c ->> 'slug', (c ->> 'cascade_permissions')::boolean,
                (c ->> 'inherit_permissions')::boolean, (c ->> 'revision')::bigint, (c ->> 'created_at')::timestamptz,
                (c ->> 'updated_at')::timestamptz);
        WHEN 'update_org' THEN
            UPDATE {s}organization o SET name = c ->> 'name', name_folded = c ->> 'name_folded', slug = c ->> 'slug',
                cascade_permissions = (c ->> 'cascade_permissions')::boolean,
                inherit_permissions = (c ->> 'inherit_permissions')::boolean, updated_at = apply_v1.at
                WHERE o.id = (c ->> 'id')::uuid AND o.status = c ->> 'status';
            GET DIAGNOSTICS n = ROW_COUNT;
            IF n <> 1 THEN RAISE EXCEPTION USING ERRCODE = 'TN002', DETAIL = 'organization:' || (c ->> 'id'); END IF;
        WHEN 'set_org_status' THEN
            UPDATE {s}organization o SET status = c ->> 'to', updated_at = apply_v1.at
                WHERE o.id = (c ->> 'id')::uuid AND o.status = c ->> 'from';
            GET DIAGNOSTICS n = ROW_COUNT;
            IF n <> 1 THEN RAISE EXCEPTION USING ERRCODE = 'TN002', DETAIL = 'organization:' || (c ->> 'id'); END IF;
        WHEN 'claim_slug' THEN
            INSERT INTO {s}organization_slug (slug, org_id) VALUES (c ->> 'slug', (c ->> 'org_id')::uuid);
        WHEN 'release_slug' THEN
            DELETE FROM {s}organization_slug s WHERE s.slug = c ->> 'slug' AND s.org_id = (c ->> 'org_id')::uuid;
            GET DIAGNOSTICS n = ROW_COUNT;
            IF n <> 1 THEN RAISE EXCEPTION USING ERRCODE = 'TN002', DETAIL = 'organization_slug:' || (c ->> 'slug'); END IF;
        WHEN 'insert_user' THEN
            INSERT INTO {s}user_account (id, status, display_name, revision, created_at, updated_at)
            VALUES ((c ->> 'id')::uuid, c ->> 'status', c ->> 'display_name', (c ->> 'revision')::bigint,
                (c ->> 'created_at')::timestamptz, (c ->> 'updated_at')::timestamptz);
        WHEN 'set_user_status' THEN
            UPDATE {s}user_account u SET status = c ->> 'to', updated_at = apply_v1.at
                WHERE u.id = (c ->> 'id')::uuid AND u.status = c ->> 'from';
            GET DIAGNOSTICS n = ROW_COUNT;
            IF n <> 1 THEN RAISE EXCEPTION USING ERRCODE = 'TN002', DETAIL = 'user_account:' || (c ->> 'id'); END IF;
        END CASE;
    END LOOP;

    FOR i IN 0 .. jsonb_array_length(events) - 1 LOOP
        c := events -> i;
        IF c ->> 'org_id' IS NULL THEN
            INSERT INTO {s}store_event (id, type, actor_type, actor_id, at, subject_ids, data)
            VALUES ((c ->> 'id')::uuid, c ->> 'type', c ->> 'actor_type', c ->> 'actor_id', apply_v1.at, c ->> 'subject_ids',
                c ->> 'data');
        ELSE
            INSERT INTO {s}event (org_id, revision, id, type, actor_type, actor_id, at, subject_ids, data)
            VALUES ((c ->> 'org_id')::uuid, (c ->> 'revision')::bigint, (c ->> 'id')::uuid, c ->> 'type', c ->> 'actor_type',
                c ->> 'actor_id', apply_v1.at, c ->> 'subject_ids', c ->> 'data');
        END IF;
    END LOOP;
    RETURN 'ok';
EXCEPTION
    WHEN SQLSTATE 'TN001' THEN
        RETURN 'conflict';
    WHEN SQLSTATE 'TN002' THEN
        GET STACKED DIAGNOSTICS told = PG_EXCEPTION_DETAIL;
        RETURN 'inconsistent:' || told;
    WHEN unique_violation THEN
        GET STACKED DIAGNOSTICS told = CONSTRAINT_NAME;
        RETURN 'unique:' || told;
END $$;
