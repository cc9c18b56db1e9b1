-- Invitations and tuples, fields that applications keep, and the order in which the store's events are handed on.
-- {s} stands for the schema's name and a dot; {owner} for the fixed id of the role `owner`.

ALTER TABLE {s}organization
    ADD COLUMN seat_limit integer,
    ADD COLUMN external_id text COLLATE "C",
    ADD COLUMN metadata text COLLATE "C" NOT NULL DEFAULT '{}';
ALTER TABLE {s}membership ADD COLUMN metadata text COLLATE "C" NOT NULL DEFAULT '{}';

-- An event takes a number behind the guards of its command, so that those of one organization rise with its revisions. Its place among
-- all events it gets only when they are asked for: what commits later cannot come before what was handed on already.
CREATE SEQUENCE {s}event_seq;
ALTER TABLE {s}event
    ADD COLUMN request_id text COLLATE "C",
    ADD COLUMN reason text COLLATE "C",
    ADD COLUMN seq bigint NOT NULL DEFAULT nextval('{s}event_seq'),
    ADD COLUMN position bigint;
CREATE UNIQUE INDEX event_position ON {s}event (position) WHERE position IS NOT NULL;
CREATE INDEX event_without_position ON {s}event (seq) WHERE position IS NULL;
ALTER TABLE {s}store_event
    ADD COLUMN request_id text COLLATE "C",
    ADD COLUMN reason text COLLATE "C",
    ADD COLUMN seq bigint NOT NULL DEFAULT nextval('{s}event_seq'),
    ADD COLUMN position bigint;
CREATE UNIQUE INDEX store_event_position ON {s}store_event (position) WHERE position IS NOT NULL;
CREATE INDEX store_event_without_position ON {s}store_event (seq) WHERE position IS NULL;

CREATE TABLE {s}invitation (
    org_id          uuid NOT NULL REFERENCES {s}organization (id),
    id              uuid NOT NULL,
    identifier      text COLLATE "C" NOT NULL,
    role_id         uuid NOT NULL,
    status          text COLLATE "C" NOT NULL CHECK (status IN ('pending', 'accepted', 'declined', 'revoked', 'expired')),
    pre_tuples      text COLLATE "C" NOT NULL,
    invited_by      uuid NOT NULL,
    invited_user_id uuid,
    created_at      timestamptz NOT NULL,
    expires_at      timestamptz NOT NULL,
    terminal_at     timestamptz,
    terminal_by     uuid,
    judged          boolean NOT NULL,
    CONSTRAINT invitation_pkey PRIMARY KEY (org_id, id)
);
CREATE UNIQUE INDEX invitation_id ON {s}invitation (id);
CREATE UNIQUE INDEX invitation_pending ON {s}invitation (org_id, identifier) WHERE status = 'pending';
CREATE INDEX invitation_identifier ON {s}invitation (identifier, id);
CREATE INDEX invitation_end ON {s}invitation (expires_at, id) WHERE status = 'pending';

CREATE TABLE {s}tuple (
    id           uuid NOT NULL CONSTRAINT tuple_pkey PRIMARY KEY,
    subject_type text COLLATE "C" NOT NULL,
    subject_id   uuid NOT NULL,
    relation     text COLLATE "C" NOT NULL,
    object_type  text COLLATE "C" NOT NULL,
    object_id    uuid NOT NULL,
    org_id       uuid REFERENCES {s}organization (id),
    created_at   timestamptz NOT NULL,
    created_by   uuid,
    expires_at   timestamptz
);
-- One in each scope; none counts as a scope.
CREATE UNIQUE INDEX tuple_key ON {s}tuple
    (object_type, object_id, relation, subject_type, subject_id, coalesce(org_id, '00000000-0000-0000-0000-000000000000'));
CREATE INDEX tuple_subject ON {s}tuple (subject_type, subject_id, id);
CREATE INDEX tuple_object ON {s}tuple (object_type, object_id, id);
CREATE INDEX tuple_scope ON {s}tuple (org_id, subject_type, subject_id) WHERE org_id IS NOT NULL;
CREATE INDEX tuple_end ON {s}tuple (expires_at, id) WHERE expires_at IS NOT NULL;

-- Whoever claims an object for a scope has it alone.
CREATE FUNCTION {s}lock_object_v1(object text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_advisory_xact_lock(1952804450, hashtext('{s}' || object));
END $$;

-- As `lock_v1`, with objects (`type:id`, in ascending order) behind presence and before rows.
CREATE FUNCTION {s}lock_v2(presence integer, objects text[], users uuid[], orgs uuid[]) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    one text;
BEGIN
    PERFORM {s}lock_presence_v1(presence);
    FOREACH one IN ARRAY objects LOOP
        PERFORM {s}lock_object_v1(one);
    END LOOP;
    PERFORM {s}lock_v1(0, users, orgs);
END $$;

-- The events of the whole store behind one of them. First, those that are new get their places, in the order of their numbers, one
-- reader at a time, and no more at once than a statement should take. Answers no row when the event to begin behind is not there; else
-- at least one, whose event is null when there are none.
CREATE FUNCTION {s}feed_v1(after uuid, most integer) RETURNS TABLE (
    there boolean, id uuid, org_id uuid, revision bigint, type text, actor_type text, actor_id text, at timestamptz, subject_ids text,
    data text, request_id text, reason text
) LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    behind bigint := 0;
    top bigint;
    fresh bigint;
BEGIN
    LOOP
        top := greatest(
            coalesce((SELECT max(e.position) FROM {s}event e WHERE e.position IS NOT NULL), 0),
            coalesce((SELECT max(e.position) FROM {s}store_event e WHERE e.position IS NOT NULL), 0));
        behind := CASE WHEN after IS NULL THEN 0 ELSE coalesce(
            (SELECT e.position FROM {s}event e WHERE e.id = after), (SELECT e.position FROM {s}store_event e WHERE e.id = after)) END;
        EXIT WHEN top >= behind + most OR NOT (EXISTS (SELECT FROM {s}event e WHERE e.position IS NULL)
            OR EXISTS (SELECT FROM {s}store_event e WHERE e.position IS NULL));
        PERFORM pg_advisory_xact_lock(1952804449, '{s}event'::regclass::oid::integer);
        -- Someone else may have given places meanwhile.
        top := greatest(
            coalesce((SELECT max(e.position) FROM {s}event e WHERE e.position IS NOT NULL), 0),
            coalesce((SELECT max(e.position) FROM {s}store_event e WHERE e.position IS NOT NULL), 0));
        WITH fresh AS (
            SELECT x.id, x.seq FROM (
                (SELECT e.id, e.seq FROM {s}event e WHERE e.position IS NULL ORDER BY e.seq LIMIT 10000)
                UNION ALL
                (SELECT e.id, e.seq FROM {s}store_event e WHERE e.position IS NULL ORDER BY e.seq LIMIT 10000)
            ) x ORDER BY x.seq LIMIT 10000
        ), placed AS (
            SELECT f.id, top + row_number() OVER (ORDER BY f.seq) AS position FROM fresh f
        ), of_orgs AS (
            UPDATE {s}event e SET position = p.position FROM placed p WHERE e.id = p.id RETURNING 1
        ), of_store AS (
            UPDATE {s}store_event e SET position = p.position FROM placed p WHERE e.id = p.id RETURNING 1
        )
        SELECT (SELECT count(*) FROM of_orgs) + (SELECT count(*) FROM of_store) INTO fresh;
        EXIT WHEN fresh = 0;
    END LOOP;
    IF behind IS NULL THEN
        RETURN;
    END IF;
    RETURN QUERY SELECT true, x.id, x.org_id, x.revision, x.type, x.actor_type, x.actor_id, x.at, x.subject_ids, x.data, x.request_id, x.reason
        FROM (SELECT) one LEFT JOIN LATERAL (
            SELECT y.* FROM (
                (SELECT e.id, e.org_id, e.revision, e.type, e.actor_type, e.actor_id, e.at, e.subject_ids, e.data, e.request_id, e.reason,
                    e.position FROM {s}event e WHERE e.position > behind ORDER BY e.position LIMIT most)
                UNION ALL
                (SELECT e.id, NULL, NULL, e.type, e.actor_type, e.actor_id, e.at, e.subject_ids, e.data, e.request_id, e.reason, e.position
                    FROM {s}store_event e WHERE e.position > behind ORDER BY e.position LIMIT most)
            ) y ORDER BY y.position LIMIT most
        ) x ON true ORDER BY x.position;
END $$;

-- Writes one plan, as `apply_v1` does, with the changes that came with the tables above.
CREATE FUNCTION {s}apply_v2(guards jsonb, at timestamptz, changes jsonb, events jsonb) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    g jsonb;
    c jsonb;
    n bigint;
    more bigint;
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
            IF current_setting('transaction_isolation') <> 'read committed' THEN
                -- A row that came after this transaction's moment is not to be seen, but it is in the way of another one.
                BEGIN
                    INSERT INTO {s}user_account (id, status, revision, created_at, updated_at)
                    VALUES ((g ->> 'id')::uuid, 'active', 0, apply_v2.at, apply_v2.at);
                    RAISE EXCEPTION USING ERRCODE = 'TN004';
                EXCEPTION
                    WHEN unique_violation THEN
                        RAISE EXCEPTION USING ERRCODE = 'serialization_failure', MESSAGE = 'a row came after the moment of the transaction';
                    WHEN SQLSTATE 'TN004' THEN
                        NULL;
                END;
            END IF;
        WHEN 'object' THEN
            -- What came after the moment of the transaction could not be seen.
            IF current_setting('transaction_isolation') <> 'read committed' THEN RAISE EXCEPTION USING ERRCODE = 'TN003'; END IF;
            PERFORM {s}lock_object_v1((g ->> 'object_type') || ':' || (g ->> 'object_id'));
            PERFORM FROM {s}tuple t WHERE t.object_type = g ->> 'object_type' AND t.object_id = (g ->> 'object_id')::uuid
                AND t.org_id IS DISTINCT FROM (g ->> 'org_id')::uuid AND (t.expires_at IS NULL OR t.expires_at > apply_v2.at);
            IF FOUND THEN RAISE EXCEPTION USING ERRCODE = 'TN001'; END IF;
        WHEN 'new_users' THEN
            IF current_setting('transaction_isolation') <> 'read committed' THEN RAISE EXCEPTION USING ERRCODE = 'TN003'; END IF;
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
                (org_id, id, usr_id, role_id, status, replaces, invited_by, removed_by, expires_at, metadata, created_at,
                updated_at)
            VALUES ((c ->> 'org_id')::uuid, (c ->> 'id')::uuid, (c ->> 'usr_id')::uuid, (c ->> 'role_id')::uuid, c ->> 'status',
                (c ->> 'replaces')::uuid, (c ->> 'invited_by')::uuid, (c ->> 'removed_by')::uuid, (c ->> 'expires_at')::timestamptz,
                c ->> 'metadata', (c ->> 'created_at')::timestamptz, (c ->> 'updated_at')::timestamptz);
        WHEN 'set_membership_status' THEN
            UPDATE {s}membership m SET status = c ->> 'to', removed_by = (c ->> 'removed_by')::uuid, updated_at = apply_v2.at
                WHERE m.org_id = (c ->> 'org_id')::uuid AND m.id = (c ->> 'id')::uuid AND m.status = c ->> 'from';
            GET DIAGNOSTICS n = ROW_COUNT;
            IF n <> 1 THEN RAISE EXCEPTION USING ERRCODE = 'TN002', DETAIL = 'membership:' || (c ->> 'id'); END IF;
        WHEN 'update_membership' THEN
            UPDATE {s}membership m SET expires_at = (c ->> 'expires_at')::timestamptz, metadata = c ->> 'metadata',
                updated_at = apply_v2.at
                WHERE m.org_id = (c ->> 'org_id')::uuid AND m.id = (c ->> 'id')::uuid
                AND m.expires_at IS NOT DISTINCT FROM (c ->> 'from')::timestamptz;
            GET DIAGNOSTICS n = ROW_COUNT;
            IF n <> 1 THEN RAISE EXCEPTION USING ERRCODE = 'TN002', DETAIL = 'membership:' || (c ->> 'id'); END IF;
        WHEN 'end_memberships' THEN
            UPDATE {s}membership m SET status = 'revoked', removed_by = NULL, updated_at = apply_v2.at
                WHERE m.org_id = (c ->> 'org_id')::uuid AND m.status <> 'revoked';
            GET DIAGNOSTICS n = ROW_COUNT;
            IF n <> (c ->> 'count')::bigint THEN
                RAISE EXCEPTION USING ERRCODE = 'TN002', DETAIL = 'membership:' || (c ->> 'org_id');
            END IF;
        WHEN 'insert_org' THEN
            INSERT INTO {s}organization
                (id, parent_id, ancestors, status, name, name_folded, slug, cascade_permissions, inherit_permissions, seat_limit,
                external_id, metadata, revision, created_at, updated_at)
            VALUES ((c ->> 'id')::uuid, (c ->> 'parent_id')::uuid,
                ARRAY(SELECT a.value::uuid FROM jsonb_array_elements_text(c -> 'ancestors') WITH ORDINALITY a ORDER BY a.ordinality),
                c ->> 'status', c ->> 'name', c ->> 'name_folded', c ->> 'slug', (c ->> 'cascade_permissions')::boolean,
                (c ->> 'inherit_permissions')::boolean, (c ->> 'seat_limit')::integer, c ->> 'external_id', c ->> 'metadata',
                (c ->> 'revision')::bigint, (c ->> 'created_at')::timestamptz, (c ->> 'updated_at')::timestamptz);
        WHEN 'update_org' THEN
            UPDATE {s}organization o SET name = c ->> 'name', name_folded = c ->> 'name_folded', slug = c ->> 'slug',
                cascade_permissions = (c ->> 'cascade_permissions')::boolean,
                inherit_permissions = (c ->> 'inherit_permissions')::boolean, seat_limit = (c ->> 'seat_limit')::integer,
                external_id = c ->> 'external_id', metadata = c ->> 'metadata', updated_at = apply_v2.at
                WHERE o.id = (c ->> 'id')::uuid AND o.status = c ->> 'status';
            GET DIAGNOSTICS n = ROW_COUNT;
            IF n <> 1 THEN RAISE EXCEPTION USING ERRCODE = 'TN002', DETAIL = 'organization:' || (c ->> 'id'); END IF;
        WHEN 'set_org_status' THEN
            UPDATE {s}organization o SET status = c ->> 'to', updated_at = apply_v2.at
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
            UPDATE {s}user_account u SET status = c ->> 'to', updated_at = apply_v2.at
                WHERE u.id = (c ->> 'id')::uuid AND u.status = c ->> 'from';
            GET DIAGNOSTICS n = ROW_COUNT;
            IF n <> 1 THEN RAISE EXCEPTION USING ERRCODE = 'TN002', DETAIL = 'user_account:' || (c ->> 'id'); END IF;
        WHEN 'insert_invitation' THEN
            INSERT INTO {s}invitation
                (org_id, id, identifier, role_id, status, pre_tuples, invited_by, invited_user_id, created_at, expires_at, terminal_at,
                terminal_by, judged)
            VALUES ((c ->> 'org_id')::uuid, (c ->> 'id')::uuid, c ->> 'identifier', (c ->> 'role_id')::uuid, c ->> 'status',
                c ->> 'pre_tuples', (c ->> 'invited_by')::uuid, (c ->> 'invited_user_id')::uuid, (c ->> 'created_at')::timestamptz,
                (c ->> 'expires_at')::timestamptz, (c ->> 'terminal_at')::timestamptz, (c ->> 'terminal_by')::uuid,
                (c ->> 'judged')::boolean);
        WHEN 'end_invitation' THEN
            UPDATE {s}invitation v SET status = c ->> 'to', terminal_at = (c ->> 'terminal_at')::timestamptz,
                terminal_by = (c ->> 'terminal_by')::uuid, invited_user_id = (c ->> 'invited_user_id')::uuid
                WHERE v.org_id = (c ->> 'org_id')::uuid AND v.id = (c ->> 'id')::uuid AND v.status = 'pending';
            GET DIAGNOSTICS n = ROW_COUNT;
            IF n <> 1 THEN RAISE EXCEPTION USING ERRCODE = 'TN002', DETAIL = 'invitation:' || (c ->> 'id'); END IF;
        WHEN 'extend_invitation' THEN
            UPDATE {s}invitation v SET status = 'pending', expires_at = (c ->> 'expires_at')::timestamptz, terminal_at = NULL,
                terminal_by = NULL
                WHERE v.org_id = (c ->> 'org_id')::uuid AND v.id = (c ->> 'id')::uuid AND v.status = c ->> 'from';
            GET DIAGNOSTICS n = ROW_COUNT;
            IF n <> 1 THEN RAISE EXCEPTION USING ERRCODE = 'TN002', DETAIL = 'invitation:' || (c ->> 'id'); END IF;
        WHEN 'revoke_invitations' THEN
            UPDATE {s}invitation v SET status = 'revoked', terminal_at = apply_v2.at, terminal_by = (c ->> 'terminal_by')::uuid
                WHERE v.org_id = (c ->> 'org_id')::uuid AND v.status = 'pending' AND v.expires_at > apply_v2.at;
            GET DIAGNOSTICS n = ROW_COUNT;
            IF n <> (c ->> 'count')::bigint THEN
                RAISE EXCEPTION USING ERRCODE = 'TN002', DETAIL = 'invitation:' || (c ->> 'org_id');
            END IF;
        WHEN 'insert_tuple' THEN
            INSERT INTO {s}tuple
                (id, subject_type, subject_id, relation, object_type, object_id, org_id, created_at, created_by, expires_at)
            VALUES ((c ->> 'id')::uuid, c ->> 'subject_type', (c ->> 'subject_id')::uuid, c ->> 'relation', c ->> 'object_type',
                (c ->> 'object_id')::uuid, (c ->> 'org_id')::uuid, (c ->> 'created_at')::timestamptz, (c ->> 'created_by')::uuid,
                (c ->> 'expires_at')::timestamptz);
        WHEN 'delete_tuple' THEN
            DELETE FROM {s}tuple t WHERE t.id = (c ->> 'id')::uuid;
            GET DIAGNOSTICS n = ROW_COUNT;
            -- A tuple of no organization is under no guard: someone else was faster.
            IF n <> 1 THEN RAISE EXCEPTION USING ERRCODE = 'TN001'; END IF;
        WHEN 'delete_tuples_of_member' THEN
            DELETE FROM {s}tuple t WHERE t.org_id = (c ->> 'org_id')::uuid AND t.subject_type = 'usr'
                AND t.subject_id = (c ->> 'usr_id')::uuid;
            GET DIAGNOSTICS n = ROW_COUNT;
            -- A tuple can be on one organization and in the scope of another, and only the latter guards it.
            IF n <> (c ->> 'count')::bigint THEN RAISE EXCEPTION USING ERRCODE = 'TN001'; END IF;
        WHEN 'delete_tuples_of_org' THEN
            DELETE FROM {s}tuple t WHERE t.org_id = (c ->> 'org_id')::uuid;
            GET DIAGNOSTICS n = ROW_COUNT;
            DELETE FROM {s}tuple t WHERE t.object_type = 'org' AND t.object_id = (c ->> 'org_id')::uuid;
            GET DIAGNOSTICS more = ROW_COUNT;
            IF n + more <> (c ->> 'count')::bigint THEN RAISE EXCEPTION USING ERRCODE = 'TN001'; END IF;
        END CASE;
    END LOOP;

    FOR i IN 0 .. jsonb_array_length(events) - 1 LOOP
        c := events -> i;
        IF c ->> 'org_id' IS NULL THEN
            INSERT INTO {s}store_event (id, type, actor_type, actor_id, at, subject_ids, data, request_id, reason)
            VALUES ((c ->> 'id')::uuid, c ->> 'type', c ->> 'actor_type', c ->> 'actor_id', apply_v2.at, c ->> 'subject_ids',
                c ->> 'data', c ->> 'request_id', c ->> 'reason');
        ELSE
            INSERT INTO {s}event (org_id, revision, id, type, actor_type, actor_id, at, subject_ids, data, request_id, reason)
            VALUES ((c ->> 'org_id')::uuid, (c ->> 'revision')::bigint, (c ->> 'id')::uuid, c ->> 'type', c ->> 'actor_type',
                c ->> 'actor_id', apply_v2.at, c ->> 'subject_ids', c ->> 'data', c ->> 'request_id', c ->> 'reason');
        END IF;
    END LOOP;
    RETURN 'ok';
EXCEPTION
    WHEN SQLSTATE 'TN001' THEN
        RETURN 'conflict';
    WHEN SQLSTATE 'TN002' THEN
        GET STACKED DIAGNOSTICS told = PG_EXCEPTION_DETAIL;
        RETURN 'inconsistent:' || told;
    WHEN SQLSTATE 'TN003' THEN
        RETURN 'isolation';
    WHEN unique_violation THEN
        GET STACKED DIAGNOSTICS told = CONSTRAINT_NAME;
        RETURN 'unique:' || told;
END $$;

-- What a process of the version before calls while both run: as it was, and mindful of what it does not know. It asks for no seats.
CREATE OR REPLACE FUNCTION {s}apply_v1(guards jsonb, at timestamptz, changes jsonb, events jsonb) RETURNS text LANGUAGE plpgsql AS $$
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
                (org_id, id, usr_id, role_id, status, replaces, invited_by, removed_by, expires_at, created_at, updated_at,
                metadata)
            VALUES ((c ->> 'org_id')::uuid, (c ->> 'id')::uuid, (c ->> 'usr_id')::uuid, (c ->> 'role_id')::uuid, c ->> 'status',
                (c ->> 'replaces')::uuid, (c ->> 'invited_by')::uuid, (c ->> 'removed_by')::uuid, (c ->> 'expires_at')::timestamptz,
                (c ->> 'created_at')::timestamptz, (c ->> 'updated_at')::timestamptz,
                coalesce((SELECT m.metadata FROM {s}membership m WHERE m.id = (c ->> 'replaces')::uuid), '{}'));
        WHEN 'set_membership_status' THEN
            UPDATE {s}membership m SET status = c ->> 'to', removed_by = (c ->> 'removed_by')::uuid, updated_at = apply_v1.at
                WHERE m.org_id = (c ->> 'org_id')::uuid AND m.id = (c ->> 'id')::uuid AND m.status = c ->> 'from';
            GET DIAGNOSTICS n = ROW_COUNT;
            IF n <> 1 THEN RAISE EXCEPTION USING ERRCODE = 'TN002', DETAIL = 'membership:' || (c ->> 'id'); END IF;
            -- A row that another one replaces hands its tuples on; one that ends takes them along.
            IF c ->> 'to' = 'revoked' AND NOT changes @> jsonb_build_array(jsonb_build_object('replaces', c ->> 'id')) THEN
                DELETE FROM {s}tuple t USING {s}membership m WHERE m.org_id = (c ->> 'org_id')::uuid AND m.id = (c ->> 'id')::uuid
                    AND t.org_id = m.org_id AND t.subject_type = 'usr' AND t.subject_id = m.usr_id;
            END IF;
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
            UPDATE {s}invitation v SET status = 'revoked', terminal_at = apply_v1.at
                WHERE v.org_id = (c ->> 'org_id')::uuid AND v.status = 'pending' AND v.expires_at > apply_v1.at;
            DELETE FROM {s}tuple t WHERE t.org_id = (c ->> 'org_id')::uuid;
            DELETE FROM {s}tuple t WHERE t.object_type = 'org' AND t.object_id = (c ->> 'org_id')::uuid;
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
