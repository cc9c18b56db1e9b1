//! A SQLite file is filled by prepared inserts into the tables that the store has made.

use std::path::Path;

use anyhow::{Result, ensure};
use indicatif::ProgressBar;
use rusqlite::{Connection, params};
use tenantry_core::{Invitation, Membership, Organization, Tuple, User};

use super::{event_data, store_event_data};
use crate::interrupt;
use crate::world::{self, World};

const USER: &str = "INSERT INTO tenantry_user_account (id, status, display_name, revision, created_at, updated_at) \
    VALUES (?1, ?2, NULL, ?3, ?4, ?5)";
const ORG: &str = "INSERT INTO tenantry_organization (id, parent_id, ancestors, status, name, name_folded, slug, cascade_permissions, \
    inherit_permissions, revision, created_at, updated_at, seat_limit, external_id, metadata) \
    VALUES (?1, NULL, x'', ?2, ?3, ?4, ?5, 1, 1, ?6, ?7, ?8, NULL, NULL, '{}')";
const SLUG: &str = "INSERT INTO tenantry_organization_slug (slug, org_id) VALUES (?1, ?2)";
const MEMBERSHIP: &str = "INSERT INTO tenantry_membership (org_id, id, usr_id, role_id, status, replaces, invited_by, removed_by, \
    expires_at, created_at, updated_at, metadata) VALUES (?1, ?2, ?3, ?4, ?5, NULL, NULL, NULL, NULL, ?6, ?7, '{}')";
const TUPLE: &str = "INSERT INTO tenantry_tuple (id, subject_type, subject_id, relation, object_type, object_id, org_id, created_at, \
    created_by, expires_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, NULL, NULL)";
const INVITATION: &str = "INSERT INTO tenantry_invitation (id, org_id, identifier, role_id, status, pre_tuples, invited_by, \
    invited_user_id, created_at, expires_at, terminal_at, terminal_by, judged) \
    VALUES (?1, ?2, ?3, ?4, ?5, '[]', ?6, NULL, ?7, ?8, NULL, NULL, 0)";
const EVENT: &str = "INSERT INTO tenantry_event (org_id, revision, id, type, actor_type, actor_id, at, subject_ids, data, request_id, \
    reason, position) VALUES (?1, 1, ?2, 'import.applied', 'system', NULL, ?3, ?4, ?5, NULL, NULL, ?6)";
const STORE_EVENT: &str = "INSERT INTO tenantry_store_event (id, type, actor_type, actor_id, at, subject_ids, data, request_id, reason, \
    position) VALUES (?1, 'import.applied', 'system', NULL, ?2, '[]', ?3, NULL, NULL, ?4)";

/// How many numbers of a world go into one commit.
const CHUNK: u32 = 20_000;

/// Makes the file with our tables, and fills it.
///
/// # Errors
/// What SQLite refused, or an interrupt.
pub fn fill(path: &Path, world: World, bar: &ProgressBar) -> Result<()> {
    drop(tenantry_sqlite::open(path)?);
    let db = Connection::open(path)?;
    // Nothing of this has to outlast a loss of power.
    db.pragma_update(None, "synchronous", "OFF")?;
    db.pragma_update(None, "foreign_keys", false)?;
    // In the order of their tables, as the rows of a table are then written in the order of its key.
    each(&db, world.size(), bar, |db, n| user(db, &world.user(n)?))?;
    each(&db, world.organizations(), bar, |db, n| org(db, &world.org(n)?))?;
    each(&db, world.size(), bar, |db, n| membership(db, &world.ownership(n)?))?;
    each(&db, world.size(), bar, |db, n| membership(db, &world.crowd_member(n)?))?;
    each(&db, world.size(), bar, |db, n| tuple(db, &world.tuple(n)?))?;
    each(&db, world.invitations(), bar, |db, n| invitation(db, &world.invitation(n)?))?;
    each(&db, world.organizations(), bar, |db, n| event(db, world, n))?;
    for (n, data) in (0..).zip(store_event_data(world)) {
        let (id, position) = (world::event_id(world.organizations() + n), world.organizations() + n + 1);
        db.execute(STORE_EVENT, params![id.as_bytes(), world::made(0)?.as_micros(), data, position])?;
    }
    db.execute_batch("ANALYZE")?;
    db.pragma_update_and_check(None, "wal_checkpoint", "TRUNCATE", |_| Ok(()))?;
    bar.finish_and_clear();
    Ok(())
}

fn each(db: &Connection, count: u32, bar: &ProgressBar, mut write: impl FnMut(&Connection, u32) -> Result<()>) -> Result<()> {
    let mut from = 0;
    while from < count {
        interrupt::check()?;
        let to = count.min(from + CHUNK);
        db.execute_batch("BEGIN IMMEDIATE")?;
        (from..to).try_for_each(|n| write(db, n))?;
        db.execute_batch("COMMIT")?;
        bar.inc(u64::from(to - from));
        from = to;
    }
    Ok(())
}

fn user(db: &Connection, user: &User) -> Result<()> {
    let User { id, status, display_name, created_at, updated_at, revision } = user;
    ensure!(display_name.is_none(), "users of a world have no names");
    let bound =
        params![id.as_uuid().into_bytes(), status.as_str(), i64::try_from(*revision)?, created_at.as_micros(), updated_at.as_micros()];
    db.prepare_cached(USER)?.execute(bound)?;
    Ok(())
}

fn org(db: &Connection, org: &Organization) -> Result<()> {
    let id = org.id.as_uuid();
    let (name, folded) = (org.name.as_ref().map(ToString::to_string), org.name.as_ref().map(tenantry_core::Name::folded));
    let slug = org.slug.as_ref().map(ToString::to_string);
    let (created_at, updated_at) = (org.created_at.as_micros(), org.updated_at.as_micros());
    let bound = params![id.as_bytes(), org.status.as_str(), name, folded, slug, i64::try_from(org.revision)?, created_at, updated_at];
    db.prepare_cached(ORG)?.execute(bound)?;
    db.prepare_cached(SLUG)?.execute(params![slug, id.as_bytes()])?;
    Ok(())
}

fn membership(db: &Connection, mem: &Membership) -> Result<()> {
    let bound = params![
        mem.org_id.as_uuid().into_bytes(),
        mem.id.as_uuid().into_bytes(),
        mem.usr_id.as_uuid().into_bytes(),
        mem.role.id().as_uuid().into_bytes(),
        mem.status.as_str(),
        mem.created_at.as_micros(),
        mem.updated_at.as_micros(),
    ];
    db.prepare_cached(MEMBERSHIP)?.execute(bound)?;
    Ok(())
}

fn tuple(db: &Connection, tuple: &Tuple) -> Result<()> {
    let (subject, object) = (tuple.key.subject, tuple.key.object);
    let scope = tuple.org_id.map(|org| org.as_uuid());
    let bound = params![
        tuple.id.as_uuid().into_bytes(),
        subject.kind.as_str(),
        subject.id.as_bytes(),
        tuple.key.relation.as_str(),
        object.kind.as_str(),
        object.id.as_bytes(),
        scope.as_ref().map(uuid::Uuid::as_bytes),
        tuple.created_at.as_micros(),
    ];
    db.prepare_cached(TUPLE)?.execute(bound)?;
    Ok(())
}

fn invitation(db: &Connection, inv: &Invitation) -> Result<()> {
    let bound = params![
        inv.id.as_uuid().into_bytes(),
        inv.org_id.as_uuid().into_bytes(),
        inv.identifier.as_str(),
        inv.role.id().as_uuid().into_bytes(),
        inv.status.as_str(),
        inv.invited_by.as_uuid().into_bytes(),
        inv.created_at.as_micros(),
        inv.expires_at.as_micros(),
    ];
    db.prepare_cached(INVITATION)?.execute(bound)?;
    Ok(())
}

fn event(db: &Connection, world: World, n: u32) -> Result<()> {
    let org = world::org_id(n)?;
    let subjects = format!(r#"["{org}"]"#);
    let at = world::made(n)?.as_micros();
    let bound = params![org.as_uuid().into_bytes(), world::event_id(n).into_bytes(), at, subjects, event_data(world, n), n + 1];
    db.prepare_cached(EVENT)?.execute(bound)?;
    Ok(())
}
