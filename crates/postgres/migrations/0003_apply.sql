-- Whether ids are those of organizations, as a thing to rely on; and the function that writes, with fewer statements.
-- {s} stands for the schema's name and a dot.

-- As `lock_presence_v1`, of organizations: a tuple may be on an id that is none, and what its relation may be depends on that. It comes
-- before everything else.
CREATE FUNCTION {s}lock_orgs_presence_v1(presence integer) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF presence = 1 THEN
        PERFORM pg_advisory_xact_lock_shared(1952804449, '{s}organization'::regclass::oid::integer);
    ELSIF presence = 2 THEN
        PERFORM pg_advisory_xact_lock(1952804449, '{s}organization'::regclass::oid::integer);
    END IF;
END $$;

-- As `lock_v2`, behind the presence of organizations.
CREATE FUNCTION {s}lock_v3(orgs_presence integer, users_presence integer, objects text[], users uuid[], orgs uuid[]) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM {s}lock_orgs_presence_v1(orgs_presence);
    PERFORM {s}lock_v2(users_presence, objects, users, orgs);
END $$;

-- Writes one plan, as `apply_v2` does. How it relies on the presence of organizations and users is told beside the guards; new rows of one
-- table that stand together, and events that do, come as one list: each statement here costs more than the row that it writes.
CREATE FUNCTION {s}apply_v3(orgs_presence integer, users_presence integer, guards jsonb, at timestamptz, changes jsonb, events jsonb)
RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    g jsonb;
    c jsonb;
    n bigint;
    more bigint;
    told text;
BEGIN
    IF orgs_presence > 0 THEN
        PERFORM {s}lock_orgs_presence_v1(orgs_presence);
    END IF;
    IF users_presence > 0 THEN
        PERFORM {s}lock_presence_v1(users_presence);
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
                    VALUES ((g ->> 'id')::uuid, 'active', 0, apply_v3.at, apply_v3.at);
                    RAISE EXCEPTION USING ERRCODE = 'TN004';
                EXCEPTION
                    WHEN unique_violation THEN
                        RAISE EXCEPTION USING ERRCODE = 'serialization_failure', MESSAGE = 'a row came after the moment of the transaction';
                    WHEN SQLSTATE 'TN004' THEN
                        NULL;
                END;
            END IF;
        WHEN 'no_org' THEN
            -- One that came after the moment of the transaction could not be seen.
            IF current_setting('transaction_isolation') <> 'read committed' THEN RAISE EXCEPTION USING ERRCODE = 'TN003'; END IF;
            PERFORM FROM {s}organization o WHERE o.id = (g ->> 'id')::uuid;
            IF FOUND THEN RAISE EXCEPTION USING ERRCODE = 'TN001'; END IF;
        WHEN 'new_orgs' THEN
            IF current_setting('transaction_isolation') <> 'read committed' THEN RAISE EXCEPTION USING ERRCODE = 'TN003'; END IF;
        WHEN 'object' THEN
            -- What came after the moment of the transaction could not be seen.
            IF current_setting('transaction_isolation') <> 'read committed' THEN RAISE EXCEPTION USING ERRCODE = 'TN003'; END IF;
            PERFORM {s}lock_object_v1((g ->> 'object_type') || ':' || (g ->> 'object_id'));
            PERFORM FROM {s}tuple t WHERE t.object_type = g ->> 'object_type' AND t.object_id = (g ->> 'object_id')::uuid
                AND t.org_id IS DISTINCT FROM (g ->> 'org_id')::uuid AND (t.expires_at IS NULL OR t.expires_at > apply_v3.at);
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
        WHEN 'insert_memberships' THEN
            INSERT INTO {s}membership
                (org_id, id, usr_id, role_id, status, replaces, invited_by, removed_by, expires_at, metadata, created_at,
                updated_at)
            SELECT r.org_id, r.id, r.usr_id, r.role_id, r.status, r.replaces, r.invited_by, r.removed_by, r.expires_at, r.metadata,
                r.created_at, r.updated_at
            FROM jsonb_to_recordset(c -> 'rows') r (org_id uuid, id uuid, usr_id uuid, role_id uuid, status text, replaces uuid,
                invited_by uuid, removed_by uuid, expires_at timestamptz, metadata text, created_at timestamptz,
                updated_at timestamptz);
        WHEN 'insert_tuples' THEN
            INSERT INTO {s}tuple
                (id, subject_type, subject_id, relation, object_type, object_id, org_id, created_at, created_by, expires_at)
            SELECT r.id, r.subject_type, r.subject_id, r.relation, r.object_type, r.object_id, r.org_id, r.created_at, r.created_by,
                r.expires_at
            FROM jsonb_to_recordset(c -> 'rows') r (id uuid, subject_type text, subject_id uuid, relation text, object_type text,
                object_id uuid, org_id uuid, created_at timestamptz, created_by uuid, expires_at timestamptz);
        WHEN 'set_membership_status' THEN
            UPDATE {s}membership m SET status = c ->> 'to', removed_by = (c ->> 'removed_by')::uuid, updated_at = apply_v3.at
                WHERE m.org_id = (c ->> 'org_id')::uuid AND m.id = (c ->> 'id')::uuid AND m.status = c ->> 'from';
            GET DIAGNOSTICS n = ROW_COUNT;
            IF n <> 1 THEN RAISE EXCEPTION USING ERRCODE = 'TN002', DETAIL = 'membership:' || (c ->> 'id'); END IF;
        WHEN 'update_membership' THEN
            UPDATE {s}membership m SET expires_at = (c ->> 'expires_at')::timestamptz, metadata = c ->> 'metadata',
                updated_at = apply_v3.at
                WHERE m.org_id = (c ->> 'org_id')::uuid AND m.id = (c ->> 'id')::uuid
                AND m.expires_at IS NOT DISTINCT FROM (c ->> 'from')::timestamptz;
            GET DIAGNOSTICS n = ROW_COUNT;
            IF n <> 1 THEN RAISE EXCEPTION USING ERRCODE = 'TN002', DETAIL = 'membership:' || (c ->> 'id'); END IF;
        WHEN 'end_memberships' THEN
            UPDATE {s}membership m SET status = 'revoked', removed_by = NULL, updated_at = apply_v3.at
                WHERE m.org_id = (c ->> 'org_id')::uuid AND m.status <> 'revoked';
            GET DIAGNOSTICS n = ROW_COUNT;
            IF n <> (c ->> 'count')::bigint THEN
                RAISE EXCEPTION USING ERRCODE = 'TN002', DETAIL = 'membership:' || (c ->> 'org_id');
            END IF;
        WHEN 'insert_orgs' THEN
            INSERT INTO {s}organization
                (id, parent_id, ancestors, status, name, name_folded, slug, cascade_permissions, inherit_permissions, seat_limit,
                external_id, metadata, revision, created_at, updated_at)
            SELECT r.id, r.parent_id, r.ancestors, r.status, r.name, r.name_folded, r.slug, r.cascade_permissions,
                r.inherit_permissions, r.seat_limit, r.external_id, r.metadata, r.revision, r.created_at, r.updated_at
            FROM jsonb_to_recordset(c -> 'rows') r (id uuid, parent_id uuid, ancestors uuid[], status text, name text, name_folded text,
                slug text, cascade_permissions boolean, inherit_permissions boolean, seat_limit integer, external_id text, metadata text,
                revision bigint, created_at timestamptz, updated_at timestamptz);
        WHEN 'update_org' THEN
            UPDATE {s}organization o SET name = c ->> 'name', name_folded = c ->> 'name_folded', slug = c ->> 'slug',
                cascade_permissions = (c ->> 'cascade_permissions')::boolean,
                inherit_permissions = (c ->> 'inherit_permissions')::boolean, seat_limit = (c ->> 'seat_limit')::integer,
                external_id = c ->> 'external_id', metadata = c ->> 'metadata', updated_at = apply_v3.at
                WHERE o.id = (c ->> 'id')::uuid AND o.status = c ->> 'status';
            GET DIAGNOSTICS n = ROW_COUNT;
            IF n <> 1 THEN RAISE EXCEPTION USING ERRCODE = 'TN002', DETAIL = 'organization:' || (c ->> 'id'); END IF;
        WHEN 'set_org_status' THEN
            UPDATE {s}organization o SET status = c ->> 'to', updated_at = apply_v3.at
                WHERE o.id = (c ->> 'id')::uuid AND o.status = c ->> 'from';
            GET DIAGNOSTICS n = ROW_COUNT;
            IF n <> 1 THEN RAISE EXCEPTION USING ERRCODE = 'TN002', DETAIL = 'organization:' || (c ->> 'id'); END IF;
        WHEN 'claim_slugs' THEN
            INSERT INTO {s}organization_slug (slug, org_id)
            SELECT r.slug, r.org_id FROM jsonb_to_recordset(c -> 'rows') r (slug text, org_id uuid);
        WHEN 'release_slug' THEN
            DELETE FROM {s}organization_slug s WHERE s.slug = c ->> 'slug' AND s.org_id = (c ->> 'org_id')::uuid;
            GET DIAGNOSTICS n = ROW_COUNT;
            IF n <> 1 THEN RAISE EXCEPTION USING ERRCODE = 'TN002', DETAIL = 'organization_slug:' || (c ->> 'slug'); END IF;
        WHEN 'insert_users' THEN
            INSERT INTO {s}user_account (id, status, display_name, revision, created_at, updated_at)
            SELECT r.id, r.status, r.display_name, r.revision, r.created_at, r.updated_at
            FROM jsonb_to_recordset(c -> 'rows') r (id uuid, status text, display_name text, revision bigint, created_at timestamptz,
                updated_at timestamptz);
        WHEN 'set_user_status' THEN
            UPDATE {s}user_account u SET status = c ->> 'to', updated_at = apply_v3.at
                WHERE u.id = (c ->> 'id')::uuid AND u.status = c ->> 'from';
            GET DIAGNOSTICS n = ROW_COUNT;
            IF n <> 1 THEN RAISE EXCEPTION USING ERRCODE = 'TN002', DETAIL = 'user_account:' || (c ->> 'id'); END IF;
        WHEN 'insert_invitations' THEN
            INSERT INTO {s}invitation
                (org_id, id, identifier, role_id, status, pre_tuples, invited_by, invited_user_id, created_at, expires_at, terminal_at,
                terminal_by, judged)
            SELECT r.org_id, r.id, r.identifier, r.role_id, r.status, r.pre_tuples, r.invited_by, r.invited_user_id, r.created_at,
                r.expires_at, r.terminal_at, r.terminal_by, r.judged
            FROM jsonb_to_recordset(c -> 'rows') r (org_id uuid, id uuid, identifier text, role_id uuid, status text, pre_tuples text,
                invited_by uuid, invited_user_id uuid, created_at timestamptz, expires_at timestamptz, terminal_at timestamptz,
                terminal_by uuid, judged boolean);
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
            UPDATE {s}invitation v SET status = 'revoked', terminal_at = apply_v3.at, terminal_by = (c ->> 'terminal_by')::uuid
                WHERE v.org_id = (c ->> 'org_id')::uuid AND v.status = 'pending' AND v.expires_at > apply_v3.at;
            GET DIAGNOSTICS n = ROW_COUNT;
            IF n <> (c ->> 'count')::bigint THEN
                RAISE EXCEPTION USING ERRCODE = 'TN002', DETAIL = 'invitation:' || (c ->> 'org_id');
            END IF;
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
        CASE c ->> 'k'
        WHEN 'of_orgs' THEN
            INSERT INTO {s}event (org_id, revision, id, type, actor_type, actor_id, at, subject_ids, data, request_id, reason)
            SELECT r.org_id, r.revision, r.id, r.type, r.actor_type, r.actor_id, apply_v3.at, r.subject_ids, r.data, r.request_id, r.reason
            FROM jsonb_to_recordset(c -> 'rows') r (org_id uuid, revision bigint, id uuid, type text, actor_type text, actor_id text,
                subject_ids text, data text, request_id text, reason text);
        WHEN 'of_store' THEN
            INSERT INTO {s}store_event (id, type, actor_type, actor_id, at, subject_ids, data, request_id, reason)
            SELECT r.id, r.type, r.actor_type, r.actor_id, apply_v3.at, r.subject_ids, r.data, r.request_id, r.reason
            FROM jsonb_to_recordset(c -> 'rows') r (id uuid, type text, actor_type text, actor_id text, subject_ids text, data text,
                request_id text, reason text);
        END CASE;
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
