//! Writes a plan, defined by `tenantry_core::State::apply`. Runs inside a savepoint: after a failure the caller takes back what
//! was written until then.

use rusqlite::{Params, params};
use tenantry_core::{Change, Event, Guard, Id, Membership, Name, Organization, Plan, Progress, Refusal, Slug, Timestamp, UniqueKey, User};

use crate::codec::{bytes, integer};
use crate::error::{Failure, unique_key};
use crate::session::Session;

pub(crate) fn apply(db: &Session, plan: &Plan) -> Result<(), Failure> {
    let at = plan.at.unwrap_or(Timestamp::MIN).as_micros();
    for guard in &plan.guards {
        hold(db, guard)?;
    }
    let mut told = Told { progress: plan.progress.as_ref(), since: 0 };
    for change in &plan.changes {
        write(db, change, at)?;
        told.one_more();
    }
    for event in &plan.events {
        append(db, event)?;
        told.one_more();
    }
    told.the_rest();
    Ok(())
}

/// Compares what the decision relied on. The write lock has been held since the load, so a difference is no race that another
/// attempt could win: something is wrong with the row.
fn hold(db: &Session, guard: &Guard) -> Result<(), Failure> {
    match guard {
        Guard::User { id, revision, advance } => {
            let same = match revision {
                Some(revision) if *advance => db.run(&db.sql.advance_user, params![bytes(id), integer(*revision)])? == 1,
                revision => stored_revision(db, &db.sql.user_revision, id)? == revision.map(integer),
            };
            expect(same, "user_account", id)
        }
        // Nothing else writes while this does, so only what was there at the load could be.
        Guard::NewUsers { without_memberships } => {
            without_memberships.iter().try_for_each(|usr| expect(!db.holds(&db.sql.has_memberships, [bytes(usr)])?, "membership", usr))
        }
        Guard::Org { id, revision, events } => {
            let same = if *events > 0 {
                db.run(&db.sql.advance_org, params![bytes(id), integer(*revision), integer(*events)])? == 1
            } else {
                stored_revision(db, &db.sql.org_revision, id)? == Some(integer(*revision))
            };
            expect(same, "organization", id)
        }
    }
}

fn stored_revision(db: &Session, sql: &str, id: &impl Id) -> Result<Option<i64>, Failure> {
    db.first(sql, [bytes(id)], |row| Ok(row.get(0)?))
}

fn expect(holds: bool, table: &str, id: &impl ToString) -> Result<(), Failure> {
    if holds { Ok(()) } else { Err(Failure::inconsistent(table, id.to_string())) }
}

fn write(db: &Session, change: &Change, at: i64) -> Result<(), Failure> {
    match change {
        Change::InsertUser(user) => insert_user(db, user),
        Change::SetUserStatus { id, from, to } => {
            let changed = db.run(&db.sql.set_user_status, params![at, bytes(id), from.as_str(), to.as_str()])?;
            expect(changed == 1, "user_account", id)
        }
        Change::InsertOrg(org) => insert_org(db, org),
        Change::UpdateOrg { id, status, name, slug, cascade_permissions, inherit_permissions } => {
            let changed = db.run(
                &db.sql.update_org,
                params![
                    at,
                    bytes(id),
                    status.as_str(),
                    name.as_ref().map(Name::as_str),
                    name.as_ref().map(Name::folded),
                    slug.as_ref().map(Slug::as_str),
                    cascade_permissions,
                    inherit_permissions,
                ],
            )?;
            expect(changed == 1, "organization", id)
        }
        Change::SetOrgStatus { id, from, to } => {
            let changed = db.run(&db.sql.set_org_status, params![at, bytes(id), from.as_str(), to.as_str()])?;
            expect(changed == 1, "organization", id)
        }
        Change::ClaimSlug { slug, org_id } => insert(db, &db.sql.claim_slug, params![slug.as_str(), bytes(org_id)]).map(drop),
        Change::ReleaseSlug { slug, org_id } => {
            let released = db.run(&db.sql.release_slug, params![slug.as_str(), bytes(org_id)])?;
            expect(released == 1, "organization_slug", slug)
        }
        Change::InsertMembership(mem) => insert_membership(db, mem),
        Change::SetMembershipStatus { org_id, id, from, to, removed_by } => {
            let removed_by = removed_by.as_ref().map(bytes);
            let bound = params![at, bytes(org_id), bytes(id), from.as_str(), to.as_str(), removed_by];
            expect(db.run(&db.sql.set_membership_status, bound)? == 1, "membership", id)
        }
        Change::SetMembershipExpiry { org_id, id, from, to } => {
            let bound = params![at, bytes(org_id), bytes(id), from.map(Timestamp::as_micros), to.map(Timestamp::as_micros)];
            expect(db.run(&db.sql.set_membership_expiry, bound)? == 1, "membership", id)
        }
        Change::EndMemberships { org_id, count } => {
            let ended = db.run(&db.sql.end_memberships, params![at, bytes(org_id)])?;
            expect(u64::try_from(ended) == Ok(*count), "membership", org_id)
        }
    }
}

/// Runs an INSERT; says how many rows it added.
fn insert(db: &Session, sql: &str, params: impl Params) -> Result<usize, Failure> {
    db.run(sql, params).map_err(|error| match unique_key(&error, &db.sql.prefix) {
        Some(key) => Failure::Refused(Refusal::Unique(key)),
        None => Failure::Driver(error),
    })
}

fn insert_user(db: &Session, user: &User) -> Result<(), Failure> {
    let User { id, status, display_name, created_at, updated_at, revision } = user;
    let bound = params![
        bytes(id),
        status.as_str(),
        display_name.as_ref().map(Name::as_str),
        integer(*revision),
        created_at.as_micros(),
        updated_at.as_micros(),
    ];
    insert(db, &db.sql.insert_user, bound).map(drop)
}

fn insert_org(db: &Session, org: &Organization) -> Result<(), Failure> {
    let Organization {
        id,
        parent_id,
        status,
        name,
        slug,
        cascade_permissions,
        inherit_permissions,
        revision,
        created_at,
        updated_at,
        ancestors,
    } = org;
    let bound = params![
        bytes(id),
        parent_id.as_ref().map(bytes),
        ancestors.iter().flat_map(bytes).collect::<Vec<u8>>(),
        status.as_str(),
        name.as_ref().map(Name::as_str),
        slug.as_ref().map(Slug::as_str),
        cascade_permissions,
        inherit_permissions,
        integer(*revision),
        created_at.as_micros(),
        updated_at.as_micros(),
        name.as_ref().map(Name::folded),
    ];
    insert(db, &db.sql.insert_org, bound).map(drop)
}

fn insert_membership(db: &Session, mem: &Membership) -> Result<(), Failure> {
    let Membership { id, usr_id, org_id, role, status, replaces, invited_by, removed_by, expires_at, created_at, updated_at } = mem;
    let bound = params![
        bytes(id),
        bytes(usr_id),
        bytes(org_id),
        bytes(&role.id()),
        status.as_str(),
        replaces.as_ref().map(bytes),
        invited_by.as_ref().map(bytes),
        removed_by.as_ref().map(bytes),
        expires_at.map(Timestamp::as_micros),
        created_at.as_micros(),
        updated_at.as_micros(),
    ];
    insert(db, &db.sql.insert_membership, bound).map(drop)
}

fn append(db: &Session, event: &Event) -> Result<(), Failure> {
    let Event { id, org_id, revision, kind, actor, at, subject_ids, data } = event;
    let (actor_id, subject_ids, data) = (actor.id.map(|id| id.to_string()), json(subject_ids)?, json(data)?);
    let (key, kind, actor_kind, at) = (bytes(id), kind.as_str(), actor.kind.as_str(), at.as_micros());
    let added = match org_id.zip(*revision) {
        Some((org, revision)) => {
            let bound = params![key, kind, actor_kind, actor_id, at, subject_ids, data, bytes(&org), integer(revision)];
            insert(db, &db.sql.insert_event, bound)?
        }
        None => insert(db, &db.sql.insert_store_event, params![key, kind, actor_kind, actor_id, at, subject_ids, data])?,
    };
    if added == 1 {
        return Ok(());
    }
    // The statement adds nothing where another event has the id, or where the event would not be the next one.
    if db.holds(&db.sql.event_is_there, [key])? {
        return Err(Failure::Refused(Refusal::Unique(UniqueKey::Id)));
    }
    Err(Failure::inconsistent("event", id))
}

/// Maps are sorted in core, so equal data has equal text in every store.
fn json(value: &impl serde::Serialize) -> Result<String, Failure> {
    serde_json::to_string(value).map_err(|error| Failure::Driver(rusqlite::Error::ToSqlConversionFailure(error.into())))
}

/// Tells how far a long plan has come.
struct Told<'p> {
    progress: Option<&'p Progress>,
    since: u64,
}

impl Told<'_> {
    const STEP: u64 = 1000;

    fn one_more(&mut self) {
        self.since += 1;
        if self.since == Self::STEP {
            self.the_rest();
        }
    }

    fn the_rest(&mut self) {
        if let Some(progress) = self.progress.filter(|_| self.since > 0) {
            progress(self.since);
        }
        self.since = 0;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use tenantry_core::{MembershipStatus, OrgStatus, State, UserStatus};

    use super::*;
    use crate::list;
    use crate::samples::{event, id, membership, org, plan, user};
    use crate::session::Savepoint;
    use crate::statements::PREFIX;

    fn slug(text: &str) -> Slug {
        Slug::parse(text).unwrap()
    }

    /// Two organizations and two users: user 1 is in the first one, user 2 was.
    fn base() -> Plan {
        let ended = Membership { status: MembershipStatus::Revoked, ..membership(2, 1, 2) };
        let mut base = plan([
            Change::InsertUser(user(1)),
            Change::InsertUser(user(2)),
            Change::InsertOrg(org(1)),
            Change::InsertOrg(org(2)),
            Change::ClaimSlug { slug: slug("one"), org_id: id(1) },
            Change::InsertMembership(membership(1, 1, 1)),
            Change::InsertMembership(ended),
        ]);
        base.events.extend([event(1, Some((1, 1))), event(2, None)]);
        base
    }

    fn written(db: &Session, plan: &Plan) -> Result<(), Refusal> {
        let savepoint = Savepoint::set(db).unwrap();
        match apply(db, plan) {
            Ok(()) => savepoint.keep().map_err(|error| panic!("{error}")),
            Err(Failure::Refused(refusal)) => Err(refusal),
            Err(Failure::Driver(error)) => panic!("{error}"),
        }
    }

    /// Each change that fits, and how it may not fit.
    fn changes() -> Vec<Change> {
        let (active, suspended) = (MembershipStatus::Active, MembershipStatus::Suspended);
        let set_status = |org, mem, from| Change::SetMembershipStatus {
            org_id: id(org),
            id: id(mem),
            from,
            to: MembershipStatus::Revoked,
            removed_by: Some(id(9)),
        };
        let moment = Timestamp::from_micros(5).ok();
        let set_expiry = |org, mem, from, to| Change::SetMembershipExpiry { org_id: id(org), id: id(mem), from, to };
        let update_org = |org, status| Change::UpdateOrg {
            id: id(org),
            status,
            name: Name::parse("N"),
            slug: Some(slug("n")),
            cascade_permissions: false,
            inherit_permissions: false,
        };
        vec![
            Change::InsertUser(user(3)),
            Change::InsertUser(user(1)),
            Change::SetUserStatus { id: id(1), from: UserStatus::Active, to: UserStatus::Revoked },
            Change::SetUserStatus { id: id(1), from: UserStatus::Suspended, to: UserStatus::Active },
            Change::SetUserStatus { id: id(3), from: UserStatus::Active, to: UserStatus::Revoked },
            Change::InsertOrg(Organization { parent_id: Some(id(1)), ancestors: vec![id(1)], slug: Some(slug("x")), ..org(3) }),
            Change::InsertOrg(org(1)),
            update_org(1, OrgStatus::Active),
            update_org(1, OrgStatus::Suspended),
            update_org(3, OrgStatus::Active),
            Change::SetOrgStatus { id: id(1), from: OrgStatus::Active, to: OrgStatus::Suspended },
            Change::SetOrgStatus { id: id(1), from: OrgStatus::Revoked, to: OrgStatus::Suspended },
            Change::ClaimSlug { slug: slug("two"), org_id: id(2) },
            Change::ClaimSlug { slug: slug("one"), org_id: id(2) },
            Change::ReleaseSlug { slug: slug("one"), org_id: id(1) },
            Change::ReleaseSlug { slug: slug("one"), org_id: id(2) },
            Change::ReleaseSlug { slug: slug("two"), org_id: id(1) },
            Change::InsertMembership(membership(3, 1, 2)),
            Change::InsertMembership(membership(3, 1, 1)),
            Change::InsertMembership(membership(1, 2, 2)),
            Change::InsertMembership(membership(2, 1, 1)),
            Change::InsertMembership(membership(1, 1, 1)),
            Change::InsertMembership(Membership { status: MembershipStatus::Revoked, ..membership(3, 1, 1) }),
            set_status(1, 1, active),
            set_status(1, 1, suspended),
            set_status(2, 1, active),
            set_status(1, 3, active),
            set_expiry(1, 1, None, moment),
            set_expiry(1, 1, moment, None),
            set_expiry(2, 1, None, moment),
            Change::EndMemberships { org_id: id(1), count: 1 },
            Change::EndMemberships { org_id: id(1), count: 2 },
            Change::EndMemberships { org_id: id(2), count: 0 },
        ]
    }

    fn guards() -> Vec<Guard> {
        let user = |n, revision, advance| Guard::User { id: id(n), revision, advance };
        let org = |n, revision, events| Guard::Org { id: id(n), revision, events };
        let mut guards = vec![
            Guard::NewUsers { without_memberships: Vec::new() },
            Guard::NewUsers { without_memberships: vec![id(99)] },
            Guard::NewUsers { without_memberships: vec![id(99), id(1)] },
        ];
        for advance in [false, true] {
            guards.extend([user(1, Some(0), advance), user(1, Some(1), advance), user(1, None, advance)]);
            guards.extend([user(3, None, advance), user(3, Some(0), advance)]);
        }
        for events in [0, 2] {
            guards.extend([org(1, 1, events), org(1, 2, events), org(3, 0, events)]);
        }
        guards
    }

    #[test]
    fn plans_are_written_or_refused_as_by_the_state() {
        let mut plans: Vec<Plan> = changes().into_iter().map(|change| plan([Change::InsertUser(user(8)), change])).collect();
        plans.extend(guards().into_iter().map(|guard| Plan { guards: vec![guard], ..plan([Change::InsertUser(user(8))]) }));
        for told in [(3, Some((1, 2))), (3, Some((1, 3))), (3, Some((1, 1))), (3, Some((2, 1))), (1, Some((1, 2))), (1, None)] {
            let others = [(2, Some((1, 2))), (2, None), (3, None), (1, Some((1, 1)))];
            for (n, place) in [told].into_iter().chain(others) {
                plans.push(Plan { events: vec![event(n, place)], ..plan([Change::InsertUser(user(8))]) });
            }
        }
        let mut refused = 0;
        for plan in plans {
            let (mut state, db) = (State::new(), Session::scratch(PREFIX));
            let _transaction = db.begin().unwrap();
            state.apply(&base()).unwrap();
            written(&db, &base()).unwrap();
            match (written(&db, &plan), state.apply(&plan)) {
                // Under the lock, what would be a conflict elsewhere is an inconsistent row.
                (Err(Refusal::Inconsistent { table, .. }), Err(Refusal::Conflict)) => {
                    assert!(["user_account", "organization", "membership"].contains(&table.as_str()), "{plan:?}");
                    refused += 1;
                }
                (ours, wanted) => {
                    assert_eq!(ours, wanted, "{plan:?}");
                    refused += u32::from(wanted.is_err());
                }
            }
            assert_eq!(list::dump(&db).unwrap(), state.dump(), "{plan:?}");
        }
        assert!(refused > 20, "{refused}");
    }

    #[test]
    fn long_plans_tell_how_far_they_are() {
        let steps = Arc::new(Mutex::new(Vec::new()));
        let heard = Arc::clone(&steps);
        let progress: Progress = Arc::new(move |step| heard.lock().unwrap().push(step));
        let db = Session::scratch(PREFIX);
        let changes = (0..2_100).map(|n| Change::InsertUser(user(n)));
        apply(&db, &Plan { progress: Some(progress), events: vec![event(1, None)], ..plan(changes) }).unwrap();
        assert_eq!(*steps.lock().unwrap(), [1000, 1000, 101]);
    }
}
