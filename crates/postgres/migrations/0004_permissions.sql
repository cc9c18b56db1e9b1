-- The catalog of permissions, roles of the application's own, what roles grant, overrides and groups; and the function that writes them.
-- {s} stands for the schema's name and a dot.

-- Of a role of the application's own, beside its id: slugs never change, and an ended membership tells what it was when the role is gone.
ALTER TABLE {s}membership ADD COLUMN role_slug text COLLATE "C";
ALTER TABLE {s}invitation ADD COLUMN role_slug text COLLATE "C";
-- Of a root: moves with each change of the shape of its tree.
ALTER TABLE {s}organization ADD COLUMN structure_revision bigint NOT NULL DEFAULT 0;
-- What is below an organization: those whose ancestors begin with its own and itself.
CREATE INDEX organization_ancestors ON {s}organization (ancestors, id) WHERE parent_id IS NOT NULL;
-- Who holds a role of the application's own.
CREATE INDEX membership_role ON {s}membership (role_id) WHERE role_slug IS NOT NULL AND status <> 'revoked';
CREATE INDEX invitation_role ON {s}invitation (role_id) WHERE role_slug IS NOT NULL AND status = 'pending';
-- What a check has to know of an organization or a user beside whether they are there: most have nothing here, and to find that out takes
-- less than to read the row. The status is not among the columns: a scan of nothing but an index takes more to set up than one that finds nothing.
CREATE INDEX organization_apart ON {s}organization (id) WHERE status <> 'active' OR ancestors <> '{}';
CREATE INDEX user_account_inactive ON {s}user_account (id) WHERE status <> 'active';
-- Whether a relation to an organization is stored anywhere.
CREATE INDEX tuple_of_org ON {s}tuple (relation, object_id) WHERE object_type = 'org';

-- One row: the revision of what belongs to no organization, the roles of the system and the catalog.
CREATE TABLE {s}system (
    one      integer NOT NULL CONSTRAINT system_pkey PRIMARY KEY CHECK (one = 1),
    revision bigint NOT NULL
);
INSERT INTO {s}system (one, revision) VALUES (1, 0);

CREATE TABLE {s}permission (
    slug        text COLLATE "C" NOT NULL CONSTRAINT permission_pkey PRIMARY KEY,
    name        text COLLATE "C",
    description text COLLATE "C",
    category    text COLLATE "C",
    created_at  timestamptz NOT NULL,
    updated_at  timestamptz NOT NULL
);

CREATE TABLE {s}role (
    id                      uuid NOT NULL CONSTRAINT role_pkey PRIMARY KEY,
    org_id                  uuid REFERENCES {s}organization (id),
    slug                    text COLLATE "C" NOT NULL,
    name                    text COLLATE "C" NOT NULL,
    description             text COLLATE "C",
    inherits_to_descendants boolean NOT NULL,
    created_at              timestamptz NOT NULL,
    updated_at              timestamptz NOT NULL
);
-- No organization is a place of its own.
CREATE UNIQUE INDEX role_slug ON {s}role (coalesce(org_id, '00000000-0000-0000-0000-000000000000'), slug);
CREATE INDEX role_org ON {s}role (org_id, id);

-- What a role grants, and what an organization or a membership overrides.
CREATE TABLE {s}permission_grant (
    holder_type text COLLATE "C" NOT NULL CHECK (holder_type IN ('rol', 'org', 'mem')),
    holder_id   uuid NOT NULL,
    permission  text COLLATE "C" NOT NULL REFERENCES {s}permission (slug),
    effect      text COLLATE "C" NOT NULL CHECK (effect IN ('grant', 'deny')),
    granted_by  uuid,
    created_at  timestamptz NOT NULL,
    expires_at  timestamptz,
    -- In an order in which one scan finds a permission of holders of several kinds; and with what a check reads, so that it does so however
    -- much a few of the holders have.
    CONSTRAINT permission_grant_pkey PRIMARY KEY (holder_id, permission, holder_type) INCLUDE (effect, expires_at)
);
-- Of roles alone: whoever asks for holders of other kinds as well knows who they are, and is to look them up by that.
CREATE INDEX permission_grant_permission ON {s}permission_grant (permission, holder_id) WHERE holder_type = 'rol';
-- Overrides are few beside what roles grant, which the planner knows of an index of their own.
CREATE INDEX permission_grant_override ON {s}permission_grant (holder_id, permission) INCLUDE (holder_type, effect, expires_at)
    WHERE holder_type <> 'rol';

CREATE TABLE {s}user_group (
    id         uuid NOT NULL CONSTRAINT user_group_pkey PRIMARY KEY,
    org_id     uuid NOT NULL REFERENCES {s}organization (id),
    slug       text COLLATE "C" NOT NULL,
    name       text COLLATE "C" NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL
);
CREATE UNIQUE INDEX user_group_slug ON {s}user_group (org_id, slug);
CREATE INDEX user_group_org ON {s}user_group (org_id, id);

CREATE TABLE {s}group_member (
    org_id     uuid NOT NULL,
    usr_id     uuid NOT NULL,
    group_id   uuid NOT NULL REFERENCES {s}user_group (id),
    granted_by uuid,
    created_at timestamptz NOT NULL,
    expires_at timestamptz,
    CONSTRAINT group_member_pkey PRIMARY KEY (org_id, usr_id, group_id)
);
CREATE UNIQUE INDEX group_member_group ON {s}group_member (group_id, usr_id);

CREATE TABLE {s}group_role (
    group_id   uuid NOT NULL REFERENCES {s}user_group (id),
    role_id    uuid NOT NULL,
    role_slug  text COLLATE "C",
    granted_by uuid,
    created_at timestamptz NOT NULL,
    expires_at timestamptz,
    CONSTRAINT group_role_pkey PRIMARY KEY (group_id, role_id)
);
CREATE INDEX group_role_role ON {s}group_role (role_id);

-- The rest of what tells what a user may do in an organization that has others above it: these, and what the user's memberships there
-- give where there is none below; of one permission, or of all. Each row is a list of words, the first of which says what it is; moments are
-- microseconds since 1970, and `-` stands for nothing. Functions, as what is not called need not be set up either, which takes longer than to
-- look into an index; stable, so that they see the moment of their caller.
CREATE FUNCTION {s}given_by_v1(holders uuid[], wanted text) RETURNS text[] LANGUAGE plpgsql STABLE AS $$
DECLARE
    given text[];
BEGIN
    IF wanted IS NULL THEN
        SELECT array_agg(concat_ws(' ', 'grant', g.holder_type, g.holder_id, g.effect,
                coalesce((extract(epoch FROM g.expires_at) * 1000000)::bigint::text, '-'), g.permission))
            INTO given FROM {s}permission_grant g WHERE g.holder_id = ANY (holders);
    ELSE
        SELECT array_agg(concat_ws(' ', 'grant', g.holder_type, g.holder_id, g.effect,
                coalesce((extract(epoch FROM g.expires_at) * 1000000)::bigint::text, '-'), g.permission))
            INTO given FROM {s}permission_grant g WHERE g.permission = wanted COLLATE "C" AND g.holder_id = ANY (holders);
    END IF;
    RETURN given;
END $$;

CREATE FUNCTION {s}held_above_v1(usr uuid, above uuid[], is_member boolean, wanted text) RETURNS text[] LANGUAGE plpgsql STABLE AS $$
DECLARE
    places text[];
    held text[];
    holders uuid[];
BEGIN
    SELECT array_agg(concat_ws(' ', 'org', o.id, o.status, 2 * o.cascade_permissions::integer + o.inherit_permissions::integer, o.revision))
        INTO places FROM {s}organization o WHERE o.id = ANY (above);
    IF is_member THEN
        RETURN places;
    END IF;
    SELECT array_agg(concat_ws(' ', 'mem', m.org_id, m.id, m.role_id, coalesce(m.role_slug, '-'), m.status,
            coalesce((extract(epoch FROM m.expires_at) * 1000000)::bigint::text, '-'),
            coalesce((SELECT r.inherits_to_descendants::text FROM {s}role r WHERE r.id = m.role_id), '-'))),
            array_agg(m.id) || array_agg(m.role_id)
        INTO held, holders FROM {s}membership m WHERE m.org_id = ANY (above) AND m.usr_id = usr AND m.status <> 'revoked';
    IF held IS NULL THEN
        RETURN places;
    END IF;
    RETURN places || held || {s}given_by_v1(holders, wanted);
END $$;

-- The same of the user's groups in an organization.
CREATE FUNCTION {s}held_by_groups_v1(usr uuid, org uuid, wanted text) RETURNS text[] LANGUAGE plpgsql STABLE AS $$
DECLARE
    teams text[];
    holders uuid[];
BEGIN
    SELECT array_agg(concat_ws(' ', 'group', t.group_id, coalesce((extract(epoch FROM t.expires_at) * 1000000)::bigint::text, '-'),
            coalesce(r.role_id::text, '-'), coalesce((extract(epoch FROM r.expires_at) * 1000000)::bigint::text, '-'))),
            array_agg(r.role_id)
        INTO teams, holders FROM {s}group_member t LEFT JOIN {s}group_role r ON r.group_id = t.group_id
        WHERE t.org_id = org AND t.usr_id = usr;
    IF teams IS NULL THEN
        RETURN NULL;
    END IF;
    RETURN teams || {s}given_by_v1(holders, wanted);
END $$;

-- What tells whether a user holds one permission, beside the membership in the organization itself and what is granted about it there: `here`
-- where the organization is there, without others above it; `open` where all above it are active, let pass what they grant and take over
-- what they get, as nearly all do, and otherwise what `held_above_v1` answers; and the user's groups unless the role grants it. `above` is null
-- where the organization is active and has none above it, if it is there.
CREATE FUNCTION {s}held_beyond_v1(usr uuid, org uuid, above uuid[], is_member boolean, is_granted boolean, wanted text)
    RETURNS text[] LANGUAGE plpgsql STABLE AS $$
DECLARE
    told text[];
    open_ones bigint := 0;
BEGIN
    IF above IS NULL AND NOT is_member THEN
        PERFORM FROM {s}organization o WHERE o.id = org;
        RETURN CASE WHEN FOUND THEN ARRAY['here'] END;
    END IF;
    IF above <> '{}' THEN
        IF is_member THEN
            PERFORM FROM {s}organization o
                WHERE o.id = ANY (above) AND o.status = 'active' AND o.cascade_permissions AND o.inherit_permissions;
            GET DIAGNOSTICS open_ones = ROW_COUNT;
        END IF;
        IF open_ones = cardinality(above) THEN
            told := ARRAY['open'];
        ELSE
            told := {s}held_above_v1(usr, above, is_member, wanted);
        END IF;
    END IF;
    IF is_granted THEN
        RETURN told;
    END IF;
    -- Most are in no group, and to find that out takes less than to ask for theirs with their roles.
    PERFORM FROM {s}group_member t WHERE t.org_id = org AND t.usr_id = usr;
    IF FOUND THEN
        told := told || {s}held_by_groups_v1(usr, org, wanted);
    END IF;
    RETURN told;
END $$;

-- Takes the shape of a tree, by its root: others who rely on it may do so together, who changes it is alone.
CREATE FUNCTION {s}lock_tree_v1(root uuid, alone boolean) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF alone THEN
        PERFORM pg_advisory_xact_lock(1952804451, hashtext('{s}' || root));
    ELSE
        PERFORM pg_advisory_xact_lock_shared(1952804451, hashtext('{s}' || root));
    END IF;
END $$;

-- As `lock_v3`, with trees behind the presences and before objects, and what belongs to no organization behind those.
CREATE FUNCTION {s}lock_v4(orgs_presence integer, users_presence integer, trees uuid[], objects text[], system boolean, users uuid[], orgs uuid[])
RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    tree uuid;
    one text;
BEGIN
    PERFORM {s}lock_orgs_presence_v1(orgs_presence);
    PERFORM {s}lock_presence_v1(users_presence);
    FOREACH tree IN ARRAY trees LOOP
        PERFORM {s}lock_tree_v1(tree, true);
    END LOOP;
    FOREACH one IN ARRAY objects LOOP
        PERFORM {s}lock_object_v1(one);
    END LOOP;
    IF system THEN
        PERFORM FROM {s}system s WHERE s.one = 1 FOR UPDATE;
    END IF;
    PERFORM {s}lock_v1(0, users, orgs);
END $$;

-- Writes one plan, as `apply_v3` does, with more kinds of guards and changes.
CREATE FUNCTION {s}apply_v4(orgs_presence integer, users_presence integer, guards jsonb, at timestamptz, changes jsonb, events jsonb)
RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    g jsonb;
    c jsonb;
    n bigint;
    more bigint;
    told text;
    shapes boolean := false;
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
        WHEN 'tree' THEN
            PERFORM {s}lock_tree_v1((g ->> 'root')::uuid, (g ->> 'advance')::integer = 1);
            IF current_setting('transaction_isolation') = 'read committed' THEN
                PERFORM FROM {s}organization o WHERE o.id = (g ->> 'root')::uuid AND o.structure_revision = (g ->> 'revision')::bigint;
            ELSE
                -- What was committed after the transaction's moment is not to be seen, but in the way of a lock.
                PERFORM FROM {s}organization o WHERE o.id = (g ->> 'root')::uuid AND o.structure_revision = (g ->> 'revision')::bigint
                    FOR SHARE;
            END IF;
            IF NOT FOUND THEN RAISE EXCEPTION USING ERRCODE = 'TN001'; END IF;
            shapes := shapes OR (g ->> 'advance')::integer = 1;
        WHEN 'system' THEN
            IF (g ->> 'advance')::integer = 1 THEN
                UPDATE {s}system s SET revision = s.revision + 1 WHERE s.one = 1 AND s.revision = (g ->> 'revision')::bigint;
                GET DIAGNOSTICS n = ROW_COUNT;
            ELSE
                SELECT count(*) INTO n FROM (SELECT FROM {s}system s WHERE s.one = 1 AND s.revision = (g ->> 'revision')::bigint FOR SHARE) x;
            END IF;
            IF n <> 1 THEN RAISE EXCEPTION USING ERRCODE = 'TN001'; END IF;
        WHEN 'no_user' THEN
            PERFORM FROM {s}user_account u WHERE u.id = (g ->> 'id')::uuid;
            IF FOUND THEN RAISE EXCEPTION USING ERRCODE = 'TN001'; END IF;
            IF current_setting('transaction_isolation') <> 'read committed' THEN
                -- A row that came after this transaction's moment is not to be seen, but it is in the way of another one.
                BEGIN
                    INSERT INTO {s}user_account (id, status, revision, created_at, updated_at)
                    VALUES ((g ->> 'id')::uuid, 'active', 0, apply_v4.at, apply_v4.at);
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
                AND t.org_id IS DISTINCT FROM (g ->> 'org_id')::uuid AND (t.expires_at IS NULL OR t.expires_at > apply_v4.at);
            IF FOUND THEN RAISE EXCEPTION USING ERRCODE = 'TN001'; END IF;
        WHEN 'memberships' THEN
            -- What came after the moment of the transaction could not be seen. A user's row is guarded as well, and in the way then.
            IF current_setting('transaction_isolation') <> 'read committed'
                AND NOT EXISTS (SELECT FROM {s}user_account u WHERE u.id = (g ->> 'usr_id')::uuid) THEN
                RAISE EXCEPTION USING ERRCODE = 'TN003';
            END IF;
            PERFORM {s}lock_object_v1('memberships:' || (g ->> 'usr_id'));
            SELECT count(*), count(*) FILTER (WHERE m.status = 'revoked') INTO n, more FROM {s}membership m
                WHERE m.usr_id = (g ->> 'usr_id')::uuid;
            IF n <> (g ->> 'rows')::bigint OR more <> (g ->> 'ended')::bigint THEN RAISE EXCEPTION USING ERRCODE = 'TN001'; END IF;
        WHEN 'new_users' THEN
            IF current_setting('transaction_isolation') <> 'read committed' THEN RAISE EXCEPTION USING ERRCODE = 'TN003'; END IF;
            PERFORM FROM jsonb_array_elements_text(g -> 'without_memberships') x
                WHERE EXISTS (SELECT FROM {s}membership m WHERE m.usr_id = x.value::uuid);
            IF FOUND THEN RAISE EXCEPTION USING ERRCODE = 'TN001'; END IF;
        END CASE;
    END LOOP;

    -- Behind all rows that are guarded: a root may be one of them, and comes in the order of its id.
    IF shapes THEN
        UPDATE {s}organization o SET structure_revision = o.structure_revision + 1
            WHERE o.id IN (SELECT (x.value ->> 'root')::uuid FROM jsonb_array_elements(guards) x
                WHERE x.value ->> 'k' = 'tree' AND (x.value ->> 'advance')::integer = 1);
    END IF;

    FOR i IN 0 .. jsonb_array_length(changes) - 1 LOOP
        c := changes -> i;
        CASE c ->> 'k'
        WHEN 'insert_memberships' THEN
            INSERT INTO {s}membership
                (org_id, id, usr_id, role_id, role_slug, status, replaces, invited_by, removed_by, expires_at, metadata, created_at,
                updated_at)
            SELECT r.org_id, r.id, r.usr_id, r.role_id, r.role_slug, r.status, r.replaces, r.invited_by, r.removed_by, r.expires_at, r.metadata,
                r.created_at, r.updated_at
            FROM jsonb_to_recordset(c -> 'rows') r (org_id uuid, id uuid, usr_id uuid, role_id uuid, role_slug text, status text, replaces uuid,
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
            UPDATE {s}membership m SET status = c ->> 'to', removed_by = (c ->> 'removed_by')::uuid, updated_at = apply_v4.at
                WHERE m.org_id = (c ->> 'org_id')::uuid AND m.id = (c ->> 'id')::uuid AND m.status = c ->> 'from';
            GET DIAGNOSTICS n = ROW_COUNT;
            IF n <> 1 THEN RAISE EXCEPTION USING ERRCODE = 'TN002', DETAIL = 'membership:' || (c ->> 'id'); END IF;
        WHEN 'update_membership' THEN
            UPDATE {s}membership m SET expires_at = (c ->> 'expires_at')::timestamptz, metadata = c ->> 'metadata',
                updated_at = apply_v4.at
                WHERE m.org_id = (c ->> 'org_id')::uuid AND m.id = (c ->> 'id')::uuid
                AND m.expires_at IS NOT DISTINCT FROM (c ->> 'from')::timestamptz;
            GET DIAGNOSTICS n = ROW_COUNT;
            IF n <> 1 THEN RAISE EXCEPTION USING ERRCODE = 'TN002', DETAIL = 'membership:' || (c ->> 'id'); END IF;
        WHEN 'end_memberships' THEN
            UPDATE {s}membership m SET status = 'revoked', removed_by = NULL, updated_at = apply_v4.at
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
                external_id = c ->> 'external_id', metadata = c ->> 'metadata', updated_at = apply_v4.at
                WHERE o.id = (c ->> 'id')::uuid AND o.status = c ->> 'status';
            GET DIAGNOSTICS n = ROW_COUNT;
            IF n <> 1 THEN RAISE EXCEPTION USING ERRCODE = 'TN002', DETAIL = 'organization:' || (c ->> 'id'); END IF;
        WHEN 'set_org_status' THEN
            UPDATE {s}organization o SET status = c ->> 'to', updated_at = apply_v4.at
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
            UPDATE {s}user_account u SET status = c ->> 'to', updated_at = apply_v4.at
                WHERE u.id = (c ->> 'id')::uuid AND u.status = c ->> 'from';
            GET DIAGNOSTICS n = ROW_COUNT;
            IF n <> 1 THEN RAISE EXCEPTION USING ERRCODE = 'TN002', DETAIL = 'user_account:' || (c ->> 'id'); END IF;
        WHEN 'insert_invitations' THEN
            INSERT INTO {s}invitation
                (org_id, id, identifier, role_id, role_slug, status, pre_tuples, invited_by, invited_user_id, created_at, expires_at, terminal_at,
                terminal_by, judged)
            SELECT r.org_id, r.id, r.identifier, r.role_id, r.role_slug, r.status, r.pre_tuples, r.invited_by, r.invited_user_id, r.created_at,
                r.expires_at, r.terminal_at, r.terminal_by, r.judged
            FROM jsonb_to_recordset(c -> 'rows') r (org_id uuid, id uuid, identifier text, role_id uuid, role_slug text, status text, pre_tuples text,
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
            UPDATE {s}invitation v SET status = 'revoked', terminal_at = apply_v4.at, terminal_by = (c ->> 'terminal_by')::uuid
                WHERE v.org_id = (c ->> 'org_id')::uuid AND v.status = 'pending' AND v.expires_at > apply_v4.at;
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
        WHEN 'put_permissions' THEN
            INSERT INTO {s}permission (slug, name, description, category, created_at, updated_at)
            SELECT r.slug, r.name, r.description, r.category, r.created_at, r.updated_at
            FROM jsonb_to_recordset(c -> 'rows') r (slug text, name text, description text, category text, created_at timestamptz,
                updated_at timestamptz)
            ON CONFLICT (slug) DO UPDATE SET name = excluded.name, description = excluded.description, category = excluded.category,
                updated_at = excluded.updated_at;
        WHEN 'insert_roles' THEN
            INSERT INTO {s}role (id, org_id, slug, name, description, inherits_to_descendants, created_at, updated_at)
            SELECT r.id, r.org_id, r.slug, r.name, r.description, r.inherits_to_descendants, r.created_at, r.updated_at
            FROM jsonb_to_recordset(c -> 'rows') r (id uuid, org_id uuid, slug text, name text, description text,
                inherits_to_descendants boolean, created_at timestamptz, updated_at timestamptz);
        WHEN 'update_role' THEN
            UPDATE {s}role r SET name = c ->> 'name', description = c ->> 'description',
                inherits_to_descendants = (c ->> 'inherits_to_descendants')::boolean, updated_at = apply_v4.at
                WHERE r.id = (c ->> 'id')::uuid;
            GET DIAGNOSTICS n = ROW_COUNT;
            IF n <> 1 THEN RAISE EXCEPTION USING ERRCODE = 'TN002', DETAIL = 'role:' || (c ->> 'id'); END IF;
        WHEN 'delete_role' THEN
            DELETE FROM {s}permission_grant p WHERE p.holder_type = 'rol' AND p.holder_id = (c ->> 'id')::uuid;
            GET DIAGNOSTICS n = ROW_COUNT;
            DELETE FROM {s}group_role r WHERE r.role_id = (c ->> 'id')::uuid;
            GET DIAGNOSTICS more = ROW_COUNT;
            -- Groups of organizations below are under no guard.
            IF n <> (c ->> 'grants')::bigint OR more <> (c ->> 'lapsed')::bigint THEN RAISE EXCEPTION USING ERRCODE = 'TN001'; END IF;
            DELETE FROM {s}role r WHERE r.id = (c ->> 'id')::uuid;
            GET DIAGNOSTICS n = ROW_COUNT;
            IF n <> 1 THEN RAISE EXCEPTION USING ERRCODE = 'TN002', DETAIL = 'role:' || (c ->> 'id'); END IF;
        WHEN 'replace_role' THEN
            -- Who holds it may be in organizations below, which are under no guard.
            UPDATE {s}membership m SET role_id = (c ->> 'to')::uuid, role_slug = c ->> 'to_slug', updated_at = apply_v4.at
                WHERE m.role_id = (c ->> 'from')::uuid AND m.role_slug IS NOT NULL AND m.status <> 'revoked';
            GET DIAGNOSTICS n = ROW_COUNT;
            IF n <> (c ->> 'memberships')::bigint THEN RAISE EXCEPTION USING ERRCODE = 'TN001'; END IF;
            UPDATE {s}invitation v SET role_id = (c ->> 'to')::uuid, role_slug = c ->> 'to_slug'
                WHERE v.role_id = (c ->> 'from')::uuid AND v.role_slug IS NOT NULL AND v.status = 'pending' AND v.expires_at > apply_v4.at;
            GET DIAGNOSTICS n = ROW_COUNT;
            IF n <> (c ->> 'invitations')::bigint THEN RAISE EXCEPTION USING ERRCODE = 'TN001'; END IF;
            INSERT INTO {s}group_role (group_id, role_id, role_slug, granted_by, created_at, expires_at)
            SELECT r.group_id, (c ->> 'to')::uuid, c ->> 'to_slug', r.granted_by, r.created_at, r.expires_at FROM {s}group_role r
                WHERE r.role_id = (c ->> 'from')::uuid AND (r.expires_at IS NULL OR r.expires_at > apply_v4.at)
                ON CONFLICT (group_id, role_id) DO NOTHING;
            DELETE FROM {s}group_role r WHERE r.role_id = (c ->> 'from')::uuid AND (r.expires_at IS NULL OR r.expires_at > apply_v4.at);
            GET DIAGNOSTICS n = ROW_COUNT;
            IF n <> (c ->> 'groups')::bigint THEN RAISE EXCEPTION USING ERRCODE = 'TN001'; END IF;
        WHEN 'put_grants' THEN
            INSERT INTO {s}permission_grant (holder_type, holder_id, permission, effect, granted_by, created_at, expires_at)
            SELECT r.holder_type, r.holder_id, r.permission, r.effect, r.granted_by, r.created_at, r.expires_at
            FROM jsonb_to_recordset(c -> 'rows') r (holder_type text, holder_id uuid, permission text, effect text, granted_by uuid,
                created_at timestamptz, expires_at timestamptz)
            ON CONFLICT (holder_type, holder_id, permission) DO UPDATE SET effect = excluded.effect, granted_by = excluded.granted_by,
                created_at = excluded.created_at, expires_at = excluded.expires_at;
        WHEN 'drop_grants' THEN
            DELETE FROM {s}permission_grant p USING jsonb_array_elements_text(c -> 'permissions') x
                WHERE p.holder_type = c ->> 'holder_type' AND p.holder_id = (c ->> 'holder_id')::uuid AND p.permission = x.value;
            GET DIAGNOSTICS n = ROW_COUNT;
            IF n <> jsonb_array_length(c -> 'permissions') THEN
                RAISE EXCEPTION USING ERRCODE = 'TN002', DETAIL = 'permission_grant:' || (c ->> 'holder_id');
            END IF;
        WHEN 'copy_grants' THEN
            INSERT INTO {s}permission_grant (holder_type, holder_id, permission, effect, granted_by, created_at, expires_at)
            SELECT p.holder_type, (c ->> 'to')::uuid, p.permission, p.effect, p.granted_by, p.created_at, p.expires_at
                FROM {s}permission_grant p WHERE p.holder_type = 'mem' AND p.holder_id = (c ->> 'from')::uuid;
            GET DIAGNOSTICS n = ROW_COUNT;
            IF n <> (c ->> 'count')::bigint THEN
                RAISE EXCEPTION USING ERRCODE = 'TN002', DETAIL = 'permission_grant:' || (c ->> 'from');
            END IF;
        WHEN 'insert_groups' THEN
            INSERT INTO {s}user_group (id, org_id, slug, name, created_at, updated_at)
            SELECT r.id, r.org_id, r.slug, r.name, r.created_at, r.updated_at
            FROM jsonb_to_recordset(c -> 'rows') r (id uuid, org_id uuid, slug text, name text, created_at timestamptz,
                updated_at timestamptz);
        WHEN 'update_group' THEN
            UPDATE {s}user_group g SET name = c ->> 'name', updated_at = apply_v4.at WHERE g.id = (c ->> 'id')::uuid;
            GET DIAGNOSTICS n = ROW_COUNT;
            IF n <> 1 THEN RAISE EXCEPTION USING ERRCODE = 'TN002', DETAIL = 'user_group:' || (c ->> 'id'); END IF;
        WHEN 'delete_group' THEN
            DELETE FROM {s}group_member r WHERE r.group_id = (c ->> 'id')::uuid;
            GET DIAGNOSTICS n = ROW_COUNT;
            DELETE FROM {s}group_role r WHERE r.group_id = (c ->> 'id')::uuid;
            GET DIAGNOSTICS more = ROW_COUNT;
            IF n <> (c ->> 'members')::bigint OR more <> (c ->> 'roles')::bigint THEN
                RAISE EXCEPTION USING ERRCODE = 'TN002', DETAIL = 'user_group:' || (c ->> 'id');
            END IF;
            DELETE FROM {s}user_group r WHERE r.id = (c ->> 'id')::uuid;
            GET DIAGNOSTICS n = ROW_COUNT;
            IF n <> 1 THEN RAISE EXCEPTION USING ERRCODE = 'TN002', DETAIL = 'user_group:' || (c ->> 'id'); END IF;
        WHEN 'put_group_members' THEN
            INSERT INTO {s}group_member (org_id, usr_id, group_id, granted_by, created_at, expires_at)
            SELECT r.org_id, r.usr_id, r.group_id, r.granted_by, r.created_at, r.expires_at
            FROM jsonb_to_recordset(c -> 'rows') r (org_id uuid, usr_id uuid, group_id uuid, granted_by uuid, created_at timestamptz,
                expires_at timestamptz)
            ON CONFLICT (org_id, usr_id, group_id) DO UPDATE SET granted_by = excluded.granted_by, created_at = excluded.created_at,
                expires_at = excluded.expires_at;
        WHEN 'drop_group_members' THEN
            -- Those of a group and a user, of a user, or of the organization.
            DELETE FROM {s}group_member r WHERE r.org_id = (c ->> 'org_id')::uuid
                AND (c ->> 'usr_id' IS NULL OR r.usr_id = (c ->> 'usr_id')::uuid)
                AND (c ->> 'group_id' IS NULL OR r.group_id = (c ->> 'group_id')::uuid);
            GET DIAGNOSTICS n = ROW_COUNT;
            IF n <> (c ->> 'count')::bigint THEN
                RAISE EXCEPTION USING ERRCODE = 'TN002', DETAIL = 'group_member:' || (c ->> 'org_id');
            END IF;
        WHEN 'put_group_roles' THEN
            INSERT INTO {s}group_role (group_id, role_id, role_slug, granted_by, created_at, expires_at)
            SELECT r.group_id, r.role_id, r.role_slug, r.granted_by, r.created_at, r.expires_at
            FROM jsonb_to_recordset(c -> 'rows') r (group_id uuid, role_id uuid, role_slug text, granted_by uuid, created_at timestamptz,
                expires_at timestamptz)
            ON CONFLICT (group_id, role_id) DO UPDATE SET granted_by = excluded.granted_by, created_at = excluded.created_at,
                expires_at = excluded.expires_at;
        WHEN 'drop_group_role' THEN
            DELETE FROM {s}group_role r WHERE r.group_id = (c ->> 'group_id')::uuid AND r.role_id = (c ->> 'role_id')::uuid;
            GET DIAGNOSTICS n = ROW_COUNT;
            -- Whoever replaces a role of an organization above is under no guard here.
            IF n <> 1 THEN RAISE EXCEPTION USING ERRCODE = 'TN001'; END IF;
        WHEN 'move_org' THEN
            UPDATE {s}organization o SET parent_id = (c ->> 'to')::uuid, updated_at = apply_v4.at
                WHERE o.id = (c ->> 'id')::uuid AND o.parent_id IS NOT DISTINCT FROM (c ->> 'from')::uuid
                AND cardinality(o.ancestors) = (c ->> 'depth')::integer;
            GET DIAGNOSTICS n = ROW_COUNT;
            IF n <> 1 THEN RAISE EXCEPTION USING ERRCODE = 'TN002', DETAIL = 'organization:' || (c ->> 'id'); END IF;
            WITH RECURSIVE moved (id) AS (
                SELECT (c ->> 'id')::uuid UNION ALL SELECT o.id FROM moved m
                    CROSS JOIN LATERAL (SELECT x.id FROM {s}organization x WHERE x.parent_id = m.id OFFSET 0) o)
            UPDATE {s}organization o SET ancestors = ARRAY(SELECT x.value::uuid FROM jsonb_array_elements_text(c -> 'ancestors')
                WITH ORDINALITY x ORDER BY x.ordinality) || o.ancestors[(c ->> 'depth')::integer + 1 :]
                WHERE o.id IN (SELECT m.id FROM moved m);
            GET DIAGNOSTICS n = ROW_COUNT;
            IF n <> (c ->> 'count')::bigint THEN
                RAISE EXCEPTION USING ERRCODE = 'TN002', DETAIL = 'organization:' || (c ->> 'id');
            END IF;
        END CASE;
    END LOOP;

    FOR i IN 0 .. jsonb_array_length(events) - 1 LOOP
        c := events -> i;
        CASE c ->> 'k'
        WHEN 'of_orgs' THEN
            INSERT INTO {s}event (org_id, revision, id, type, actor_type, actor_id, at, subject_ids, data, request_id, reason)
            SELECT r.org_id, r.revision, r.id, r.type, r.actor_type, r.actor_id, apply_v4.at, r.subject_ids, r.data, r.request_id, r.reason
            FROM jsonb_to_recordset(c -> 'rows') r (org_id uuid, revision bigint, id uuid, type text, actor_type text, actor_id text,
                subject_ids text, data text, request_id text, reason text);
        WHEN 'of_store' THEN
            INSERT INTO {s}store_event (id, type, actor_type, actor_id, at, subject_ids, data, request_id, reason)
            SELECT r.id, r.type, r.actor_type, r.actor_id, apply_v4.at, r.subject_ids, r.data, r.request_id, r.reason
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

-- What a process of the version before calls while both run: as it was, and mindful of what it does not know.
CREATE OR REPLACE FUNCTION {s}apply_v3(orgs_presence integer, users_presence integer, guards jsonb, at timestamptz, changes jsonb, events jsonb)
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
            INSERT INTO {s}permission_grant (holder_type, holder_id, permission, effect, granted_by, created_at, expires_at)
            SELECT p.holder_type, r.id, p.permission, p.effect, p.granted_by, p.created_at, p.expires_at
            FROM jsonb_to_recordset(c -> 'rows') r (id uuid, replaces uuid)
            JOIN {s}permission_grant p ON p.holder_type = 'mem' AND p.holder_id = r.replaces;
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
            -- A row that another one replaces stays in the groups; one that ends leaves them.
            IF c ->> 'to' = 'revoked' AND NOT changes @> jsonb_build_array(jsonb_build_object('k', 'insert_memberships', 'rows',
                jsonb_build_array(jsonb_build_object('replaces', c ->> 'id')))) THEN
                DELETE FROM {s}group_member r USING {s}membership m WHERE m.org_id = (c ->> 'org_id')::uuid AND m.id = (c ->> 'id')::uuid
                    AND r.org_id = m.org_id AND r.usr_id = m.usr_id;
            END IF;
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
            DELETE FROM {s}group_member r WHERE r.org_id = (c ->> 'org_id')::uuid;
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
