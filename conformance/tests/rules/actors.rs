//! Who made a tuple: the user who acted, and nobody where it was no user (TUP-2).

use std::sync::Arc;

use tenantry_core::{Actor, ActorKind, AddMember, Caller, CreateOrg, CreateTuple, Sources, TenancyStore, UserId};

use crate::support;

// covers: TUP-2, EVT-2
#[test]
fn a_tuple_says_which_user_made_it() {
    support::block_on(async {
        for store in support::stores() {
            let (sources, _clock) = Sources::deterministic("2026-01-01T00:00:00Z".parse().unwrap(), 1);
            let fresh = store.fresh(sources).await.expect("a fresh store");
            made(&fresh.store, store.name()).await;
        }
    });
}

async fn made(store: &Arc<dyn TenancyStore>, name: &str) {
    let alice: UserId = "usr_01960000000070008000000000000001".parse().expect("an id");
    let org = store.create_org(CreateOrg::new(alice)).await.expect("an organization").org.id;
    let bob: UserId = "usr_01960000000070008000000000000002".parse().expect("an id");
    store.add_member(AddMember::new(org, bob, "member")).await.expect("a member");
    let of = |kind: ActorKind, id: &str| Caller::Trusted(Actor { kind, id: Some(id.parse().expect("an id")) });
    let callers = [
        (Caller::default(), None),
        (Caller::Trusted(Actor::SYSTEM), None),
        (Caller::Trusted(Actor::user(bob)), Some(bob)),
        (of(ActorKind::Session, "ses_01960000000070008000000000000003"), None),
        (of(ActorKind::Key, "pat_01960000000070008000000000000004"), None),
        // The owner of the organization may grant there.
        (Caller::guarded(alice), Some(alice)),
    ];
    for (number, (caller, expected)) in callers.into_iter().enumerate() {
        let actor = caller.actor().clone();
        let what = format!("{name}: by {actor:?}");
        let id = format!("01960000-0000-7000-8000-0000000000d{number}");
        let request = CreateTuple::new(("usr", &bob.to_string()), "viewer", ("doc", &id)).scope(org);
        let acting = store.with_caller(caller);
        let tuple = acting.create_tuple(request).await.unwrap_or_else(|error| panic!("{what}: {error:?}"));
        assert_eq!(tuple.created_by, expected, "{what}");
        assert_eq!(store.get_tuple(tuple.id).await.expect("the tuple").created_by, expected, "{what}");
        let events = store.changes(tenantry_core::ListChanges::new(org).limit(200)).await.expect("its events").data;
        assert_eq!(events.last().map(|event| &event.actor), Some(&actor), "{what}");
    }
}
