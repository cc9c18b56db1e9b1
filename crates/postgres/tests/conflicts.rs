//! A plan whose guards no longer hold is decided again, and then with the rows taken first.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod support;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use support::{fresh, usr};
use tenantry_core::{
    AcceptInvitation, AddMember, Backend, Caller, ChangeRole, CountMembers, CreateInvitation, CreateOrg, CreateTuple, CreateUser,
    DomainError, Error, Event, FactsQuery, Import, Inspect, InvitationInput, Job, ListAllChanges, Load, LoadSpec, MembershipStatus,
    OrgStatus, Patch, Plan, ReinstateUser, RevokeOrg, RevokeUser, SelfLeave, Snapshot, Sources, SuspendUser, TenancyStore, Timestamp,
    UpdateOrg,
};
use tenantry_postgres::{Options, PostgresStore};

/// A job that writes to the organization behind its own back, for as many attempts as asked.
struct Disturbed {
    spec: LoadSpec,
    seen: Arc<Mutex<Vec<u64>>>,
    disturb: Arc<AtomicUsize>,
    again: std::sync::mpsc::Sender<()>,
    done: std::sync::mpsc::Receiver<()>,
}

impl Job for Disturbed {
    fn spec(&self) -> &LoadSpec {
        &self.spec
    }

    fn begin(&mut self) -> Load<'_> {
        Load { spec: &self.spec, actor: None, at: Timestamp::MIN }
    }

    fn weighs(&self, _seen: &Snapshot) -> Option<FactsQuery> {
        None
    }

    fn decide(&mut self, seen: &Snapshot) -> Result<Plan, Error> {
        let org = seen.org.clone().unwrap();
        self.seen.lock().unwrap().push(org.revision);
        if self.disturb.load(Ordering::SeqCst) > 0 {
            self.disturb.fetch_sub(1, Ordering::SeqCst);
            self.again.send(()).unwrap();
            self.done.recv().unwrap();
        }
        let guard = tenantry_core::Guard::Org { id: org.id, revision: org.revision, events: 1 };
        let event = Event {
            id: tenantry_core::EventId::from_uuid(uuid::Uuid::from_u128((7 << 76) | (8 << 60) | u128::from(org.revision))).unwrap(),
            org_id: Some(org.id),
            revision: Some(org.revision + 1),
            kind: tenantry_core::EventType::OrganizationUpdated,
            actor: tenantry_core::Actor::SYSTEM,
            at: org.updated_at,
            subject_ids: Vec::new(),
            data: tenantry_core::EventData::default(),
            request_id: None,
            reason: None,
        };
        Ok(Plan { at: Some(org.updated_at), guards: vec![guard], events: vec![event], ..Plan::default() })
    }
}

async fn disturbed(times: usize) -> Vec<u64> {
    let (store, schema) = fresh().await;
    let org = support::org(&store).await;
    let (again, asked) = std::sync::mpsc::channel();
    let (tell, done) = std::sync::mpsc::channel();
    // As another process: commands of this one wait for their turn.
    let other = Options::new().schema(schema.name()).connect(&support::url()).await.unwrap();
    let runtime = tokio::runtime::Handle::current();
    std::thread::spawn(move || {
        let mut number = 0;
        while asked.recv().is_ok() {
            number += 1;
            let update = UpdateOrg::new(org).name(Patch::Set(format!("n{number}")));
            runtime.block_on(other.update_org(update)).unwrap();
            tell.send(()).unwrap();
        }
    });
    let seen = Arc::new(Mutex::new(Vec::new()));
    let job = Disturbed {
        spec: LoadSpec::Org { org, slug: None },
        seen: Arc::clone(&seen),
        disturb: Arc::new(AtomicUsize::new(times)),
        again,
        done,
    };
    store.backend().execute(job).await.map(|_| ()).unwrap();
    seen.lock().unwrap().clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_first_conflict_is_decided_again_and_a_second_takes_the_row_first() {
    assert_eq!(disturbed(0).await, [2], "no conflict, one decision");
    assert_eq!(disturbed(1).await, [2, 3], "decided again over the newer revision");
    // The third attempt holds the row: a fourth disturbance could not pass it.
    assert_eq!(disturbed(2).await, [2, 3, 4]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hot_organization_takes_all_writers() {
    let (store, _schema) = fresh().await;
    let org = support::org(&store).await;
    let writers = (0..16u128).map(|n| {
        let store = store.clone();
        tokio::spawn(async move {
            for k in 0..10u128 {
                store.add_member(AddMember::new(org, usr(100 + n * 100 + k), "member")).await.unwrap();
            }
        })
    });
    for writer in writers.collect::<Vec<_>>() {
        writer.await.unwrap();
    }
    assert_eq!(store.get_org(org).await.unwrap().revision, 162);
    assert_eq!(store.count_members(CountMembers::new(org)).await.unwrap(), 161);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_slug_asked_for_at_once_has_one_winner() {
    let (store, _schema) = fresh().await;
    for round in 0..20 {
        let both = [0, 1].map(|n| {
            let store = store.clone();
            tokio::spawn(async move { store.create_org(CreateOrg::new(usr(n + 1)).slug(format!("s{round}"))).await })
        });
        let mut codes = Vec::new();
        for one in both {
            codes.push(one.await.unwrap().err().map(|error| error.code()));
        }
        codes.sort();
        assert_eq!(codes, [None, Some("conflict.org_slug".to_owned())]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn revoking_one_owner_and_leaving_as_the_other_never_leaves_an_organization_without() {
    let (store, _schema) = fresh().await;
    for round in 0..60u128 {
        let [a, b] =
            [store.create_user(CreateUser::new()).await.unwrap().user.id, store.create_user(CreateUser::new()).await.unwrap().user.id];
        let made = store.create_org(CreateOrg::new(a)).await.unwrap();
        let second = store.add_member(AddMember::new(made.org.id, b, "member")).await.unwrap();
        let second = store.change_role(ChangeRole::new(second.id, "owner")).await.unwrap();
        let (one, two) = (store.clone(), store.clone());
        let revoke = tokio::spawn(async move { one.revoke_user(RevokeUser::new(a)).await.map(|_| ()) });
        let other = tokio::spawn(async move {
            if round % 2 == 0 {
                two.self_leave(SelfLeave::new(second.id)).await.map(|_| ())
            } else {
                two.revoke_user(RevokeUser::new(b)).await.map(|_| ())
            }
        });
        let outcomes = [revoke.await.unwrap(), other.await.unwrap()];
        let refused = outcomes
            .iter()
            .filter(|outcome| matches!(outcome, Err(error) if matches!(error.as_domain(), Some(DomainError::SoleOwner { .. }))));
        assert_eq!(refused.count(), 1, "{outcomes:?}");
        assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 1, "{outcomes:?}");
    }
    store.dump().await.unwrap();
}

/// Ids as usual, but the first one is drawn only after something else has been done: right between load and write.
#[derive(Debug)]
struct Interrupted {
    ids: Arc<dyn tenantry_core::IdSource>,
    begin: Mutex<Option<std::sync::mpsc::Sender<()>>>,
    done: Mutex<std::sync::mpsc::Receiver<()>>,
}

impl tenantry_core::IdSource for Interrupted {
    fn next(&self, now: Timestamp) -> Result<uuid::Uuid, tenantry_core::BackendError> {
        if let Some(begin) = self.begin.lock().unwrap().take() {
            begin.send(()).unwrap();
            self.done.lock().unwrap().recv().unwrap();
        }
        self.ids.next(now)
    }
}

/// A store on the same schema whose first command is interrupted, between load and write, by the given work.
async fn interrupted<F>(schema: &support::TestSchema, work: impl FnOnce(PostgresStore) -> F + Send + 'static) -> PostgresStore
where
    F: Future<Output = ()>,
{
    let (begin, asked) = std::sync::mpsc::channel();
    let (finish, done) = std::sync::mpsc::channel();
    let other = Options::new().schema(schema.name()).connect(&support::url()).await.unwrap();
    let runtime = tokio::runtime::Handle::current();
    std::thread::spawn(move || {
        if asked.recv().is_ok() {
            runtime.block_on(work(other));
            finish.send(()).unwrap();
        }
    });
    let system = Sources::system();
    let ids = Interrupted { ids: system.ids, begin: Mutex::new(Some(begin)), done: Mutex::new(done) };
    let sources = Sources { ids: Arc::new(ids), ..system };
    Options::new().schema(schema.name()).sources(sources).connect(&support::url()).await.unwrap()
}

fn row(text: &str) -> tenantry_core::ImportRow {
    tenantry_core::wire::import_row(&serde_json::from_str(text).unwrap()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_of_a_revoked_user_sees_what_that_user_came_to_own_meanwhile() {
    let (store, schema) = fresh().await;
    let late = usr(7);
    let import = interrupted(&schema, move |other| async move {
        other.create_org(CreateOrg::new(late)).await.unwrap();
    });
    let rows = vec![(1, row(&format!(r#"{{"type":"user","id":"{late}","status":"revoked"}}"#)))];
    let refused = import.await.import(Import::new(rows)).await.unwrap_err();
    assert_eq!(refused.code(), "conflict.import");
    assert_eq!(store.get_user(late).await.unwrap_err().code(), "not_found");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_user_id_brought_twice_at_once_is_taken_once() {
    let (store, schema) = fresh().await;
    let rows = |name: &str| vec![(1, row(&format!(r#"{{"type":"user","id":"{}","display_name":"{name}"}}"#, usr(1))))];
    let (first, second) = (rows("Ann"), rows("Bea"));
    let import = interrupted(&schema, move |other| async move {
        other.import(Import::new(first)).await.unwrap();
    });
    let refused = import.await.import(Import::new(second)).await.unwrap_err();
    assert_eq!(refused.code(), "conflict.import");
    assert_eq!(store.dump().await.unwrap().users.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_role_on_what_an_import_makes_an_organization_meanwhile_is_refused() {
    let (store, schema) = fresh().await;
    let org = "org_01960000000070008000000000000001";
    let mem = "mem_01960000000070008000000000000002";
    let rows = vec![
        (1, row(&format!(r#"{{"type":"organization","id":"{org}"}}"#))),
        (2, row(&format!(r#"{{"type":"membership","id":"{mem}","usr_id":"{}","org_id":"{org}","role":"owner"}}"#, usr(1)))),
    ];
    let late = interrupted(&schema, move |other| async move {
        other.import(Import::new(rows)).await.unwrap();
    });
    let subject = usr(2).to_string();
    let create = CreateTuple::new(("usr", &subject), "owner", ("org", org));
    let refused = late.await.create_tuple(create).await.unwrap_err();
    assert_eq!(refused.code(), "precondition.membership_relation");
    assert_eq!(store.dump().await.unwrap().tuples.len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_accepts_for_themselves_is_still_active_when_it_is_written() {
    let (store, schema) = fresh().await;
    let org = support::org(&store).await;
    let late = store.create_user(CreateUser::new()).await.unwrap().user.id;
    let end = Timestamp::from_micros(Sources::system().clock.now().as_micros() + 60_000_000).unwrap();
    let input = InvitationInput::new("late@example.org", "member", end);
    let inv = store.create_invitation(CreateInvitation::new(org, usr(1), input)).await.unwrap();
    let suspended = interrupted(&schema, move |other| async move {
        other.suspend_user(SuspendUser::new(late)).await.unwrap();
    });
    let caller = Caller::guarded(late).vouching(["late@example.org"]);
    let refused = suspended.await.with_caller(caller).accept_invitation(AcceptInvitation::by(inv.id, late, "late@example.org")).await;
    assert_eq!(refused.unwrap_err().code(), "precondition.user_not_active");
    assert_eq!(store.get_membership_for(org, late).await.unwrap_err().code(), "not_found");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_child_is_refused_when_its_parent_is_revoked_between_load_and_write() {
    let (store, schema) = fresh().await;
    let parent = support::org(&store).await;
    let create = interrupted(&schema, move |other| async move {
        other.revoke_org(RevokeOrg::new(parent)).await.unwrap();
    });
    let refused = create.await.create_org(CreateOrg::new(usr(1)).parent(parent)).await.unwrap_err();
    assert_eq!(refused.code(), "precondition.org_not_active");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_owner_stays_when_the_other_one_is_revoked_between_load_and_write() {
    let (store, schema) = fresh().await;
    let other_owner = store.create_user(CreateUser::new()).await.unwrap().user.id;
    let made = store.create_org(CreateOrg::new(usr(1))).await.unwrap();
    store.add_member(AddMember::new(made.org.id, other_owner, "owner")).await.unwrap();
    let leave = interrupted(&schema, move |other| async move {
        other.revoke_user(RevokeUser::new(other_owner)).await.unwrap();
    });
    let refused = leave.await.self_leave(SelfLeave::new(made.owner_membership.id)).await.unwrap_err();
    assert_eq!(refused.code(), "conflict.sole_owner");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_owner_is_refused_when_revoked_between_load_and_write() {
    let (store, schema) = fresh().await;
    let gone = store.create_user(CreateUser::new()).await.unwrap().user.id;
    let create = interrupted(&schema, move |other| async move {
        other.revoke_user(RevokeUser::new(gone)).await.unwrap();
    });
    assert_eq!(create.await.create_org(CreateOrg::new(gone)).await.unwrap_err().code(), "precondition.user_not_active");
}

// covers: GRD-48
#[tokio::test(flavor = "multi_thread")]
async fn a_guarded_caller_whose_right_ends_between_load_and_write_is_refused() {
    let (store, schema) = fresh().await;
    let admin = store.create_user(CreateUser::new()).await.unwrap().user.id;
    let (acme, gone) = (support::org(&store).await, usr(77));
    let mem = store.add_member(AddMember::new(acme, admin, "admin")).await.unwrap().id;
    let add = AddMember::new(acme, gone, "member");

    let suspended = interrupted(&schema, move |other| async move {
        other.suspend_user(SuspendUser::new(admin)).await.unwrap();
    });
    let refused = suspended.await.with_caller(Caller::guarded(admin)).add_member(add.clone()).await;
    assert_eq!(refused.unwrap_err().code(), "not_found");

    store.reinstate_user(ReinstateUser::new(admin)).await.unwrap();
    let demoted = interrupted(&schema, move |other| async move {
        other.change_role(ChangeRole::new(mem, "guest")).await.unwrap();
    });
    let refused = demoted.await.with_caller(Caller::guarded(admin)).add_member(add).await;
    assert_eq!(refused.unwrap_err().code(), "forbidden");
    assert_eq!(store.get_membership_for(acme, gone).await.unwrap_err().code(), "not_found");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_end_of_a_membership_and_of_the_organization_that_its_tuple_is_on_never_break_each_other() {
    let (store, schema) = fresh().await;
    let (on, scope) = (support::org(&store).await, support::org(&store).await);
    let mem = store.add_member(AddMember::new(scope, usr(50), "member")).await.unwrap().id;
    let (subject, object) = (usr(50).to_string(), on.to_string());
    let create = CreateTuple::new(("usr", &subject), "billing", ("org", &object)).scope(scope);
    store.create_tuple(create.clone()).await.unwrap();
    let revoke = interrupted(&schema, move |other| async move {
        other.self_leave(SelfLeave::new(mem)).await.unwrap();
    });
    assert_eq!(revoke.await.revoke_org(RevokeOrg::new(on)).await.unwrap().status, OrgStatus::Revoked);

    let on = support::org(&store).await;
    let mem = store.add_member(AddMember::new(scope, usr(50), "member")).await.unwrap().id;
    let object = on.to_string();
    store.create_tuple(CreateTuple::new(("usr", &subject), "billing", ("org", &object)).scope(scope)).await.unwrap();
    let leave = interrupted(&schema, move |other| async move {
        other.revoke_org(RevokeOrg::new(on)).await.unwrap();
    });
    assert_eq!(leave.await.self_leave(SelfLeave::new(mem)).await.unwrap().status, MembershipStatus::Revoked);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_event_is_handed_on_once_while_others_write_and_read() {
    let (store, _schema) = fresh().await;
    let orgs = [support::org(&store).await, support::org(&store).await, support::org(&store).await];
    let writers = (0..6usize).map(|n| {
        let store = store.clone();
        tokio::spawn(async move {
            for k in 0..40 {
                store.update_org(UpdateOrg::new(orgs[n % 3]).name(Patch::Set(format!("{n}-{k}")))).await.unwrap();
                store.create_user(CreateUser::new()).await.unwrap();
            }
        })
    });
    let readers = (0..3).map(|_| {
        let store = store.clone();
        tokio::spawn(async move {
            let mut seen = Vec::new();
            let mut empty = 0;
            while empty < 40 {
                let ask = seen.last().map_or_else(ListAllChanges::new, |event: &Event| ListAllChanges::new().after(event.id));
                let page = store.changes_all(ask.limit(7)).await.unwrap();
                empty = if page.data.is_empty() { empty + 1 } else { 0 };
                if page.data.is_empty() {
                    tokio::time::sleep(std::time::Duration::from_millis(10)).await;
                }
                seen.extend(page.data);
            }
            seen
        })
    });
    let (writers, readers): (Vec<_>, Vec<_>) = (writers.collect(), readers.collect());
    for writer in writers {
        writer.await.unwrap();
    }
    let mut lists = Vec::new();
    for reader in readers {
        lists.push(reader.await.unwrap());
    }
    let written = store.dump().await.unwrap().events.len();
    for list in &lists {
        assert_eq!(list.iter().map(|event| event.id).collect::<std::collections::BTreeSet<_>>().len(), written);
        assert_eq!(list.len(), written, "each once");
        assert_eq!(list, &lists[0], "and in one order for all");
        for org in orgs {
            let revisions: Vec<u64> = list.iter().filter(|event| event.org_id == Some(org)).filter_map(|event| event.revision).collect();
            assert!(revisions.is_sorted(), "{revisions:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn writers_that_meet_never_wait_for_each_other_in_a_circle() {
    // A database of its own: the server counts deadlocks for each.
    let admin = sqlx::PgPool::connect(&support::url()).await.unwrap();
    let name = format!("tenantry_test_circle_{}", std::process::id());
    sqlx::query(sqlx::AssertSqlSafe(format!("CREATE DATABASE {name}"))).execute(&admin).await.unwrap();
    let address: sqlx::postgres::PgConnectOptions = support::url().parse().unwrap();
    let pool = sqlx::pool::PoolOptions::new().max_connections(8).connect_with(address.database(&name)).await.unwrap();
    let store = Options::new().migrate(true).from_pool(pool.clone()).await.unwrap();
    // A process of its own knows nothing of which organizations are hot here.
    let cold = Options::new().from_pool(pool.clone()).await.unwrap();
    let creator = store.create_user(CreateUser::new()).await.unwrap().user.id;
    let parent = store.create_org(CreateOrg::new(creator)).await.unwrap().org.id;
    let writers = (0..8u128).map(|n| {
        let store = if n % 2 == 0 { store.clone() } else { cold.clone() };
        tokio::spawn(async move {
            for k in 0..10 {
                store.create_org(CreateOrg::new(creator).parent(parent)).await.unwrap();
                store.create_org(CreateOrg::new(usr(1)).parent(parent)).await.unwrap();
                let member = store.add_member(AddMember::new(parent, usr(1000 + n * 100 + k), "owner")).await.unwrap();
                store.self_leave(SelfLeave::new(member.id)).await.unwrap();
            }
        })
    });
    for writer in writers.collect::<Vec<_>>() {
        writer.await.unwrap();
    }
    let mut conn = pool.acquire().await.unwrap();
    sqlx::query("SELECT pg_stat_force_next_flush()").execute(&mut *conn).await.unwrap();
    let count = "SELECT pg_stat_get_db_deadlocks(oid) FROM pg_database WHERE datname = current_database()";
    let deadlocks: i64 = sqlx::query_scalar(count).fetch_one(&mut *conn).await.unwrap();
    drop(conn);
    pool.close().await;
    sqlx::query(sqlx::AssertSqlSafe(format!("DROP DATABASE {name} WITH (FORCE)"))).execute(&admin).await.unwrap();
    assert_eq!(deadlocks, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_isolates_more_by_default_loses_no_write() {
    let (_, schema) = fresh().await;
    for level in ["repeatable%5C%20read", "serializable"] {
        let url = support::url();
        let url = format!("{url}{}options=-c%20default_transaction_isolation%3D{level}", if url.contains('?') { '&' } else { '?' });
        let store = Options::new().schema(schema.name()).max_connections(8).connect(&url).await.unwrap();
        let org = support::org(&store).await;
        let writers = (0..8u128).map(|n| {
            let store = store.clone();
            tokio::spawn(async move {
                for k in 0..10u128 {
                    store.add_member(AddMember::new(org, usr(100 + n * 100 + k), "member")).await.unwrap();
                }
            })
        });
        for writer in writers.collect::<Vec<_>>() {
            writer.await.unwrap();
        }
        assert_eq!(store.count_members(CountMembers::new(org)).await.unwrap(), 81, "{level}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn ids_that_repeat_are_said_to_and_not_tried_again() {
    let (_, schema) = fresh().await;
    let store = |seed| async move { Sources::deterministic("2026-01-01T00:00:00Z".parse().unwrap(), seed).0 };
    let first = Options::new().schema(schema.name()).sources(store(1).await).connect(&support::url()).await.unwrap();
    let again = Options::new().schema(schema.name()).sources(store(1).await).connect(&support::url()).await.unwrap();
    first.create_org(CreateOrg::new(usr(1))).await.unwrap();
    let error = again.create_org(CreateOrg::new(usr(1))).await.unwrap_err();
    assert_eq!(error.code(), "backend.other");
    assert!(error.to_string().contains("repeats itself"), "{error}");
}
