//! The floors over rusqlite: each write is one transaction of prepared statements, each read one prepared look-up.

use anyhow::{Result, ensure};
use rusqlite::{Connection, Row, params};
use tenantry_core::Role;
use uuid::Uuid;

use super::{Acceptance, Founding, Joining, Rotation, Told};

const ADVANCE_ORG: &str = "UPDATE tenantry_organization SET revision = revision + ?2 WHERE id = ?1 RETURNING revision";
const ADVANCE_USER: &str = "UPDATE tenantry_user_account SET revision = revision + 1 WHERE id = ?1";
const ORG: &str = "INSERT INTO tenantry_organization (id, ancestors, status, name, name_folded, slug, cascade_permissions, \
    inherit_permissions, revision, created_at, updated_at, metadata) VALUES (?1, x'', 'active', ?2, ?3, ?4, 1, 1, 2, ?5, ?5, '{}')";
const SLUG: &str = "INSERT INTO tenantry_organization_slug (slug, org_id) VALUES (?1, ?2)";
const MEMBERSHIP: &str = "INSERT INTO tenantry_membership (org_id, id, usr_id, role_id, status, invited_by, created_at, updated_at, \
    metadata) VALUES (?1, ?2, ?3, ?4, 'active', ?5, ?6, ?6, '{}')";
const END: &str = "UPDATE tenantry_membership SET status = 'revoked', removed_by = NULL, updated_at = ?3 \
    WHERE org_id = ?1 AND id = ?2 AND status = 'active'";
const REPLACE: &str = "INSERT INTO tenantry_membership (org_id, id, usr_id, role_id, status, replaces, invited_by, expires_at, created_at, \
    updated_at, metadata) SELECT org_id, ?3, usr_id, ?4, 'active', id, invited_by, expires_at, ?5, ?5, metadata \
    FROM tenantry_membership WHERE org_id = ?1 AND id = ?2";
const ACCEPT: &str = "UPDATE tenantry_invitation SET status = 'accepted', terminal_at = ?3, terminal_by = ?4, invited_user_id = ?4 \
    WHERE org_id = ?1 AND id = ?2 AND status = 'pending'";
const TUPLE: &str = "INSERT INTO tenantry_tuple (id, subject_type, subject_id, relation, object_type, object_id, org_id, created_at, \
    created_by) VALUES (?1, 'usr', ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
const EVENT: &str = "INSERT INTO tenantry_event (org_id, revision, id, type, actor_type, at, subject_ids, data, position) \
    VALUES (?1, ?2, ?3, ?4, 'system', ?5, ?6, ?7, ?8)";

const HIGHEST: &str = "SELECT max(coalesce((SELECT max(position) FROM tenantry_event), 0), \
    coalesce((SELECT max(position) FROM tenantry_store_event), 0))";

/// A connection that writes alone, so that it knows the place of the next event.
#[derive(Debug)]
pub struct Writer {
    db: Connection,
    position: i64,
}

impl Writer {
    /// Writes through this connection from now on.
    ///
    /// # Errors
    /// SQLite's.
    pub fn new(db: Connection) -> Result<Self> {
        db.set_prepared_statement_cache_capacity(64);
        let mut writer = Self { db, position: 0 };
        writer.catch_up()?;
        Ok(writer)
    }

    /// One transaction.
    ///
    /// # Errors
    /// SQLite's.
    pub fn add_member(&mut self, rows: &Joining) -> Result<()> {
        let Joining { org, usr, mem, at, event } = rows;
        self.begin()?;
        let revision = self.advance(*org, 1)?;
        self.member((*org, *mem, *usr), Role::Member.id().as_uuid(), None, *at)?;
        self.tell(*org, revision, *at, event)?;
        self.commit()
    }

    /// One transaction.
    ///
    /// # Errors
    /// SQLite's.
    pub fn create_org(&mut self, rows: &Founding) -> Result<()> {
        let Founding { usr, org, name, folded, slug, mem, at, events } = rows;
        self.begin()?;
        self.db.prepare_cached(ADVANCE_USER)?.execute([usr.as_bytes()])?;
        self.db.prepare_cached(ORG)?.execute(params![org.as_bytes(), name, folded, slug, at])?;
        self.db.prepare_cached(SLUG)?.execute(params![slug, org.as_bytes()])?;
        self.member((*org, *mem, *usr), Role::Owner.id().as_uuid(), None, *at)?;
        for (revision, event) in (1..).zip(events) {
            self.tell(*org, revision, *at, event)?;
        }
        self.commit()
    }

    /// One transaction.
    ///
    /// # Errors
    /// SQLite's.
    pub fn change_role(&mut self, rows: &Rotation) -> Result<()> {
        let Rotation { org, old, new, role, at, event } = rows;
        self.begin()?;
        let revision = self.advance(*org, 1)?;
        let ended = self.db.prepare_cached(END)?.execute(params![org.as_bytes(), old.as_bytes(), at])?;
        ensure!(ended == 1, "the floor ended nothing");
        let bound = params![org.as_bytes(), old.as_bytes(), new.as_uuid().into_bytes(), role.id().as_uuid().into_bytes(), at];
        self.db.prepare_cached(REPLACE)?.execute(bound)?;
        self.tell(*org, revision, *at, event)?;
        self.commit()
    }

    /// One transaction.
    ///
    /// # Errors
    /// SQLite's.
    pub fn accept_invitation(&mut self, rows: &Acceptance) -> Result<()> {
        let Acceptance { org, inv, invited_by, usr, mem, role, tuples, at, events } = rows;
        self.begin()?;
        let revision = self.advance(*org, 5)?;
        let ended = self.db.prepare_cached(ACCEPT)?.execute(params![org.as_bytes(), inv.as_bytes(), at, usr.as_bytes()])?;
        ensure!(ended == 1, "the floor accepted nothing");
        self.member((*org, *mem, *usr), *role, Some(*invited_by), *at)?;
        for (id, relation, kind, object) in tuples {
            let (object, invited_by) = (object.as_bytes(), invited_by.as_bytes());
            let bound = params![id.as_bytes(), usr.as_bytes(), relation, kind, object, org.as_bytes(), at, invited_by];
            self.db.prepare_cached(TUPLE)?.execute(bound)?;
        }
        for (place, event) in (1..).zip(events) {
            self.tell(*org, revision - 5 + place, *at, event)?;
        }
        self.commit()
    }

    /// Takes over behind what another connection has written meanwhile.
    ///
    /// # Errors
    /// SQLite's.
    pub fn catch_up(&mut self) -> Result<()> {
        self.position = self.db.query_row(HIGHEST, [], |row| row.get(0))?;
        Ok(())
    }

    fn begin(&self) -> Result<()> {
        self.db.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
        Ok(())
    }

    fn commit(&self) -> Result<()> {
        self.db.prepare_cached("COMMIT")?.execute([])?;
        Ok(())
    }

    fn advance(&self, org: Uuid, events: i64) -> Result<i64> {
        Ok(self.db.prepare_cached(ADVANCE_ORG)?.query_row(params![org.as_bytes(), events], |row| row.get(0))?)
    }

    fn member(&self, (org, mem, usr): (Uuid, Uuid, Uuid), role: Uuid, invited_by: Option<Uuid>, at: i64) -> Result<()> {
        let invited_by = invited_by.as_ref().map(Uuid::as_bytes);
        let bound = params![org.as_bytes(), mem.as_bytes(), usr.as_bytes(), role.as_bytes(), invited_by, at];
        self.db.prepare_cached(MEMBERSHIP)?.execute(bound)?;
        Ok(())
    }

    fn tell(&mut self, org: Uuid, revision: i64, at: i64, event: &Told) -> Result<()> {
        self.position += 1;
        let Told { id, kind, subjects, data } = event;
        let bound = params![org.as_bytes(), revision, id.as_bytes(), kind, at, subjects, data, self.position];
        self.db.prepare_cached(EVENT)?.execute(bound)?;
        Ok(())
    }
}

/// Every column of a membership, as the driver gives it.
#[derive(Debug)]
#[expect(dead_code, reason = "what counts is that they are read")]
pub struct MembershipRow {
    id: Uuid,
    usr_id: Uuid,
    org_id: Uuid,
    role_id: Uuid,
    status: String,
    replaces: Option<Uuid>,
    invited_by: Option<Uuid>,
    removed_by: Option<Uuid>,
    expires_at: Option<i64>,
    created_at: i64,
    updated_at: i64,
    metadata: String,
}

fn membership(row: &Row<'_>) -> rusqlite::Result<MembershipRow> {
    let uuid = |at: usize| row.get::<_, [u8; 16]>(at).map(Uuid::from_bytes);
    let optional = |at: usize| row.get::<_, Option<[u8; 16]>>(at).map(|bytes| bytes.map(Uuid::from_bytes));
    Ok(MembershipRow {
        id: uuid(0)?,
        usr_id: uuid(1)?,
        org_id: uuid(2)?,
        role_id: uuid(3)?,
        status: row.get(4)?,
        replaces: optional(5)?,
        invited_by: optional(6)?,
        removed_by: optional(7)?,
        expires_at: row.get(8)?,
        created_at: row.get(9)?,
        updated_at: row.get(10)?,
        metadata: row.get(11)?,
    })
}

const BY_ID: &str = "SELECT id, usr_id, org_id, role_id, status, replaces, invited_by, removed_by, expires_at, created_at, updated_at, \
    metadata FROM tenantry_membership WHERE id = ?1";

/// One row by its id.
///
/// # Errors
/// SQLite's.
pub fn get_membership(db: &Connection, id: Uuid) -> Result<MembershipRow> {
    Ok(db.prepare_cached(BY_ID)?.query_row([id.as_bytes()], membership)?)
}

const MEMBERS: &str = "SELECT id, usr_id, org_id, role_id, status, replaces, invited_by, removed_by, expires_at, created_at, updated_at, \
    metadata FROM tenantry_membership WHERE org_id = ?1 AND id > ?5 AND (?2 IS NULL OR status = ?2) \
    AND (?3 IS NULL OR expires_at IS NULL OR expires_at > ?3) AND (?4 IS NULL OR expires_at <= ?4) ORDER BY id LIMIT ?6";
const ORG_REVISION: &str = "SELECT revision FROM tenantry_organization WHERE id = ?1";

/// A page of 50, and one row more if there is one; as the store asks: whether the organization is there first, in one transaction.
///
/// # Errors
/// SQLite's.
pub fn list_members(db: &Connection, org: Uuid, after: &[u8]) -> Result<Vec<MembershipRow>> {
    db.prepare_cached("BEGIN")?.execute([])?;
    let _revision: i64 = db.prepare_cached(ORG_REVISION)?.query_row([org.as_bytes()], |row| row.get(0))?;
    let mut page = db.prepare_cached(MEMBERS)?;
    let bound = params![org.as_bytes(), None::<&str>, None::<i64>, None::<i64>, after, 51];
    let rows: Vec<MembershipRow> = page.query_map(bound, membership)?.collect::<rusqlite::Result<_>>()?;
    ensure!(rows.len() >= 50, "the floor found too few members");
    db.prepare_cached("COMMIT")?.execute([])?;
    Ok(rows)
}

const CURRENT: &str = "SELECT id, role_id, status, expires_at FROM tenantry_membership \
    WHERE org_id = ?1 AND usr_id = ?2 AND status <> 'revoked'";

/// The id of a user's membership in an organization, if it is an owner's and counts: what a check comes to that looks at nothing else.
///
/// # Errors
/// SQLite's.
pub fn check(db: &Connection, org: Uuid, usr: Uuid, at: i64) -> Result<Option<[u8; 16]>> {
    let owner = Role::Owner.id().as_uuid();
    let found = db.prepare_cached(CURRENT)?.query_row([org.as_bytes(), usr.as_bytes()], |row| {
        let (id, role): ([u8; 16], [u8; 16]) = (row.get(0)?, row.get(1)?);
        let active = row.get_ref(2)?.as_str()? == "active";
        let lasts = row.get::<_, Option<i64>>(3)?.is_none_or(|end| end > at);
        Ok((role == *owner.as_bytes() && active && lasts).then_some(id))
    })?;
    Ok(found)
}
