//! A plan whose guards no longer hold is decided again, and then with the rows taken first.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod support;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use support::{fresh, usr};
use tenantry_core::{
    AddMember, Backend, ChangeRole, CreateOrg, CreateUser, DomainError, Error, Inspect, Job, LoadSpec, Patch, Plan, RevokeUser, SelfLeave,
    Snapshot, TenancyStore, UpdateOrg,
};

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

    fn decide(&mut self, seen: &Snapshot) -> Result<Plan, Error> {
        let org = seen.org.clone().unwrap();
        self.seen.lock().unwrap().push(org.revision);
        if self.disturb.load(Ordering::SeqCst) > 0 {
            self.disturb.fetch_sub(1, Ordering::SeqCst);
            self.again.send(()).unwrap();
            self.done.recv().unwrap();
        }
        let guard = tenantry_core::Guard::Org { id: org.id, revision: org.revision, events: 1 };
        let event = tenantry_core::Event {
            id: tenantry_core::EventId::from_uuid(uuid::Uuid::from_u128((7 << 76) | (8 << 60) | u128::from(org.revision))).unwrap(),
            org_id: Some(org.id),
            revision: Some(org.revision + 1),
            kind: tenantry_core::EventType::OrganizationUpdated,
            actor: tenantry_core::Actor::SYSTEM,
            at: org.updated_at,
            subject_ids: Vec::new(),
            data: tenantry_core::EventData::default(),
        };
        Ok(Plan { at: Some(org.updated_at), guards: vec![guard], events: vec![event], ..Plan::default() })
    }
}

async fn disturbed(times: usize) -> Vec<u64> {
    let (store, _schema) = fresh().await;
    let org = support::org(&store).await;
    let (again, asked) = std::sync::mpsc::channel();
    let (tell, done) = std::sync::mpsc::channel();
    let other = store.clone();
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
    assert_eq!(store.count_members(org, None).await.unwrap(), 161);
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
