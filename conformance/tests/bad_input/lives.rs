//! Invitations whose organization or inviter is not what it was (spec/invitations.md): what is refused leaves every row as it is, and
//! what is not refused leaves the organization's own state.

use serde_json::{Value, json};
use tenantry_conformance::Fresh;
use tenantry_core::source::ManualClock;
use tenantry_core::wire::{self, CallError};
use tenantry_core::{Dump, Sources};

use std::sync::Arc;

use crate::support;

// covers: INV-8, INV-12, INV-13, ORG-32, ERR-5
#[test]
fn in_memory() {
    support::block_on(lives("memory"));
}

// covers: INV-8, INV-12, INV-13, ORG-32, ERR-5
#[test]
fn in_sqlite() {
    support::block_on(lives("sqlite"));
}

// covers: INV-8, INV-12, INV-13, ORG-32, ERR-5
#[test]
fn in_postgres() {
    support::block_on(lives("postgres"));
}

const FUTURE: &str = "2027-01-01T00:00:00Z";
/// Within the test.
const SOON: &str = "2026-01-01T00:00:10Z";

pub(crate) struct Stage {
    name: &'static str,
    fresh: Fresh,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) owner: String,
    pub(crate) org: String,
}

impl Stage {
    pub(crate) async fn new(name: &'static str) -> Self {
        let (sources, clock) = Sources::deterministic("2026-01-01T00:00:00Z".parse().unwrap(), 1);
        let fresh = support::store(name).fresh(sources).await.expect("a fresh store");
        let mut stage = Self { name, fresh, clock, owner: String::new(), org: String::new() };
        stage.owner = stage.user().await;
        let created = stage.must("create_org", json!({"creator": stage.owner})).await;
        stage.org = text(&created["org"]["id"]);
        stage
    }

    pub(crate) async fn call(&self, operation: &str, input: Value) -> Result<Value, String> {
        self.clock.advance_micros(1_000);
        match wire::call(&*self.fresh.store, operation, &serde_json::from_value(input).expect("JSON is a value")).await {
            Ok(reply) => Ok(serde_json::to_value(reply).expect("a reply")),
            Err(CallError::Store(error)) => Err(error.code()),
            Err(other) => panic!("{operation}: {other}"),
        }
    }

    pub(crate) async fn must(&self, operation: &str, input: Value) -> Value {
        self.call(operation, input.clone()).await.unwrap_or_else(|code| panic!("{}: {operation} {input}: {code}", self.name))
    }

    /// Refused with this code, and no row is another.
    pub(crate) async fn refused(&self, operation: &str, input: Value, code: &str) {
        let before = self.dump().await;
        let outcome = self.call(operation, input.clone()).await;
        assert_eq!(outcome.as_ref().err().map(String::as_str), Some(code), "{}: {operation} {input}: {outcome:?}", self.name);
        let differences = tenantry_conformance::dump_differences(&before, &self.dump().await);
        assert!(differences.is_empty(), "{}: {operation} {input}: {differences:?}", self.name);
    }

    async fn dump(&self) -> Dump {
        self.fresh.inspect.dump().await.expect("its rows")
    }

    pub(crate) async fn user(&self) -> String {
        text(&self.must("create_user", json!({})).await["user"]["id"])
    }

    async fn invite(&self, identifier: &str, inviter: &str, end: &str) -> String {
        let input = json!({"org_id": self.org, "identifier": identifier, "role": "member", "invited_by": inviter, "expires_at": end,
            "pre_tuples": [{"relation": "viewer", "object_type": "doc", "object_id": "01960000-0000-7000-8000-00000000d0c1"}]});
        text(&self.must("create_invitation", input).await["id"])
    }

    /// Status and fields of the organization, without what an event moves.
    async fn org(&self) -> Value {
        let mut org = self.must("get_org", json!({"org_id": self.org})).await;
        org["revision"] = Value::Null;
        org
    }

    async fn status(&self, inv: &str) -> Value {
        self.must("get_invitation", json!({"inv_id": inv})).await["status"].clone()
    }
}

pub(crate) fn text(value: &Value) -> String {
    value.as_str().expect("a text").to_owned()
}

fn by(inv: &str, usr: &str, identifier: &str) -> Value {
    json!({"inv_id": inv, "as_usr_id": usr, "accepting_identifier": identifier})
}

async fn lives(name: &'static str) {
    suspended(name).await;
    revoked(name).await;
    paused_above(name).await;
    inviters(name).await;
}

async fn suspended(name: &'static str) {
    const CODE: &str = "precondition.org_not_active";
    let stage = Stage::new(name).await;
    let usr = stage.user().await;
    let (a, b, c) = (
        stage.invite("a@x", &stage.owner, FUTURE).await,
        stage.invite("b@x", &stage.owner, FUTURE).await,
        stage.invite("c@x", &stage.owner, FUTURE).await,
    );
    let ended = stage.invite("d@x", &stage.owner, SOON).await;
    stage.clock.advance_micros(60_000_000);
    stage.must("suspend_org", json!({"org_id": stage.org})).await;
    let org = stage.org().await;

    stage.refused("accept_invitation", by(&a, &usr, "a@x"), CODE).await;
    stage.refused("accept_invitation", json!({"inv_id": a}), CODE).await;
    stage.refused("extend_invitation", json!({"inv_id": a, "expires_at": "2028-01-01T00:00:00Z"}), CODE).await;
    stage.refused("extend_invitation", json!({"inv_id": ended, "expires_at": FUTURE}), CODE).await;
    // The checks before that of the organization still come before it.
    stage.refused("accept_invitation", by(&a, &usr, "b@x"), "precondition.identifier_mismatch").await;
    stage.refused("accept_invitation", by(&ended, &usr, "d@x"), "conflict.invitation_expired").await;
    let again = json!({"identifier": "e@x", "role": "member", "expires_at": FUTURE});
    let mut one = again.clone();
    one["org_id"] = json!(stage.org);
    one["invited_by"] = json!(stage.owner);
    stage.refused("create_invitation", one, CODE).await;
    stage.refused("create_invitations", json!({"org_id": stage.org, "invited_by": stage.owner, "invitations": [again]}), CODE).await;
    assert_eq!(stage.status(&a).await, "pending");
    assert_eq!(stage.org().await, org);

    // Declining and revoking do not ask for it, and leave it as it is.
    stage.must("decline_invitation", by(&b, &usr, "b@x")).await;
    stage.must("revoke_invitation", json!({"inv_id": c, "admin_usr_id": stage.owner})).await;
    assert_eq!(stage.org().await, org, "{name}");

    // Nothing was used up.
    stage.must("reinstate_org", json!({"org_id": stage.org})).await;
    let accepted = stage.must("accept_invitation", by(&a, &usr, "a@x")).await;
    assert_eq!((&accepted["membership"]["usr_id"], &accepted["membership"]["status"]), (&json!(usr), &json!("active")));
    assert_eq!(accepted["materialized_tuples"].as_array().map(Vec::len), Some(1));
}

async fn revoked(name: &'static str) {
    let stage = Stage::new(name).await;
    let usr = stage.user().await;
    let pending = stage.invite("a@x", &stage.owner, FUTURE).await;
    let (declined, ended) = (stage.invite("b@x", &stage.owner, FUTURE).await, stage.invite("c@x", &stage.owner, SOON).await);
    let before = stage.must("decline_invitation", json!({"inv_id": declined})).await;
    stage.clock.advance_micros(60_000_000);
    stage.must("revoke_org", json!({"org_id": stage.org})).await;
    let org = stage.must("get_org", json!({"org_id": stage.org})).await;

    assert_eq!(stage.status(&pending).await, "revoked");
    assert_eq!(stage.must("get_invitation", json!({"inv_id": declined})).await, before);
    assert_eq!(stage.status(&ended).await, "expired");
    for (inv, identifier) in [(&pending, "a@x"), (&declined, "b@x")] {
        const CODE: &str = "conflict.invitation_not_pending";
        stage.refused("accept_invitation", by(inv, &usr, identifier), CODE).await;
        stage.refused("accept_invitation", by(inv, &usr, "z@x"), CODE).await;
        stage.refused("accept_invitation", json!({"inv_id": inv}), CODE).await;
        stage.refused("decline_invitation", json!({"inv_id": inv}), CODE).await;
        stage.refused("revoke_invitation", json!({"inv_id": inv, "admin_usr_id": stage.owner}), CODE).await;
        stage.refused("extend_invitation", json!({"inv_id": inv, "expires_at": FUTURE}), CODE).await;
    }
    stage.refused("accept_invitation", by(&ended, &usr, "c@x"), "conflict.invitation_expired").await;
    stage.refused("accept_invitation", json!({"inv_id": ended}), "conflict.invitation_expired").await;
    stage.refused("decline_invitation", json!({"inv_id": ended}), "conflict.invitation_not_pending").await;
    stage.refused("revoke_invitation", json!({"inv_id": ended, "admin_usr_id": stage.owner}), "conflict.invitation_not_pending").await;
    stage.refused("extend_invitation", json!({"inv_id": ended, "expires_at": FUTURE}), "precondition.org_not_active").await;
    let again = json!({"org_id": stage.org, "identifier": "a@x", "role": "member", "invited_by": stage.owner, "expires_at": FUTURE});
    stage.refused("create_invitation", again, "precondition.org_not_active").await;
    assert_eq!(stage.must("get_org", json!({"org_id": stage.org})).await, org, "{name}");
}

/// Only the organization's own status counts: one above that is suspended bars nobody, though the member does not count yet.
async fn paused_above(name: &'static str) {
    let mut stage = Stage::new(name).await;
    let parent = stage.org.clone();
    let created = stage.must("create_org", json!({"creator": stage.owner, "parent_id": parent})).await;
    stage.org = text(&created["org"]["id"]);
    let inv = stage.invite("a@x", &stage.owner, FUTURE).await;
    stage.must("suspend_org", json!({"org_id": parent})).await;
    let (above, org) = (stage.must("get_org", json!({"org_id": parent})).await, stage.org().await);
    let accepted = stage.must("accept_invitation", json!({"inv_id": inv})).await;
    assert_eq!(accepted["invitation"]["status"], "accepted", "{name}");
    assert_eq!((stage.must("get_org", json!({"org_id": parent})).await, stage.org().await), (above, org), "{name}");
}

/// The inviter is not looked up: neither one who left, nor one who is suspended or revoked, nor one whom nobody knows.
async fn inviters(name: &'static str) {
    let stage = Stage::new(name).await;
    let unknown = "usr_01960000000070008000000000000099".to_owned();
    for how in ["left", "removed", "suspended", "suspended user", "revoked user", "unknown"] {
        let inviter = if how == "unknown" { unknown.clone() } else { stage.user().await };
        let mem = if how == "unknown" {
            String::new()
        } else {
            text(&stage.must("add_member", json!({"org_id": stage.org, "usr_id": inviter, "role": "admin"})).await["id"])
        };
        let inv = stage.invite(&format!("{how}@x"), &inviter, FUTURE).await;
        match how {
            "left" => stage.must("self_leave", json!({"mem_id": mem})).await,
            "removed" => stage.must("admin_remove", json!({"mem_id": mem, "admin_usr_id": stage.owner})).await,
            "suspended" => stage.must("suspend_membership", json!({"mem_id": mem})).await,
            "suspended user" => stage.must("suspend_user", json!({"usr_id": inviter})).await,
            "revoked user" => stage.must("revoke_user", json!({"usr_id": inviter})).await,
            _ => Value::Null,
        };
        let (org, usr) = (stage.org().await, stage.user().await);
        let before = stage.dump().await;
        let accepted = stage.must("accept_invitation", by(&inv, &usr, &format!("{how}@x"))).await;
        assert_eq!(accepted["membership"]["invited_by"], json!(inviter), "{name}: {how}");
        assert_eq!(accepted["materialized_tuples"][0]["created_by"], json!(inviter), "{name}: {how}");
        assert_eq!(stage.org().await, org, "{name}: {how}");
        // The rows of the inviter are as they were.
        let after = stage.dump().await;
        let of_inviter = |rows: &Dump| {
            let mems: Vec<_> = rows.memberships.iter().filter(|mem| mem.usr_id.to_string() == inviter).cloned().collect();
            let users: Vec<_> = rows.users.iter().filter(|user| user.id.to_string() == inviter).cloned().collect();
            (mems, users)
        };
        assert_eq!(of_inviter(&before), of_inviter(&after), "{name}: {how}");
    }
}
