//! The pairings: who races whom, and what may come of it, written by hand from spec/. What may come of it is what one call after the
//! other gives, in some order, and nothing else; a test holds the lists against just that.

mod access;
mod crosswise;
mod guarded;
mod imports;
mod invitations;
mod members;
mod organizations;
mod owners;
mod sweeps;
mod tenants;
mod tuples;

use std::fmt::Display;

use serde_json::{Value, json};
use tenantry_core::{Dump, Error, InvitationId, MembershipId, OrgId, TupleId, UserId};

use crate::arena::{BoxFuture, Call};
use crate::play::Seen;
use crate::worlds::Maker;

/// What the calls of a round are, over the world that was made for it.
pub(crate) struct Race {
    pub(crate) calls: Vec<Call>,
    /// The requests of the calls, by which their events are known.
    pub(crate) requests: Vec<String>,
    /// What is wrong with the rows afterwards, beside the invariants.
    pub(crate) settled: Settled,
}

impl Race {
    fn of(calls: impl Into<Vec<Call>>) -> Self {
        Self { calls: calls.into(), requests: Vec::new(), settled: Box::new(|_| None) }
    }

    fn settled(self, settled: impl Fn(&Dump) -> Option<String> + 'static) -> Self {
        Self { settled: Box::new(settled), ..self }
    }
}

type Settled = Box<dyn Fn(&Dump) -> Option<String>>;
type Build = Box<dyn for<'s> Fn(Maker<'s>) -> BoxFuture<'s, Result<Race, Error>>>;

/// Calls that race each other.
pub(crate) struct Pairing {
    pub(crate) name: String,
    /// What the calls may come to; of more than two calls, sorted.
    pub(crate) allowed: Vec<Vec<&'static str>>,
    pub(crate) seen: Seen,
    /// It reaches into the worlds of others.
    pub(crate) alone: bool,
    /// The world's near ends come before the race.
    pub(crate) later: bool,
    /// The first call cannot be decided in a transaction that keeps to its first moment (`transactions.md`).
    pub(crate) read_committed: bool,
    /// The operation by which the rows may have changed, as far as the invariants ask.
    pub(crate) deed: &'static str,
    pub(crate) build: Build,
}

impl Pairing {
    fn new<F>(name: impl Into<String>, allowed: &[&[&'static str]], build: F) -> Self
    where
        F: for<'s> Fn(Maker<'s>) -> BoxFuture<'s, Result<Race, Error>> + 'static,
    {
        let allowed = allowed.iter().map(|outcomes| outcomes.to_vec()).collect();
        let build = Box::new(build);
        Self { name: name.into(), allowed, seen: Seen::Conflict, alone: false, later: false, read_committed: false, deed: "", build }
    }

    /// One of the calls is refused at first, so that in Postgres neither can meet a conflict.
    fn in_flight(self) -> Self {
        Self { seen: Seen::InFlight, ..self }
    }

    /// In a store where nothing else is under way.
    fn alone(self) -> Self {
        Self { alone: true, ..self }
    }

    /// After the near ends have come.
    fn later(self) -> Self {
        Self { later: true, ..self }
    }

    /// Only where each statement sees what has been committed.
    fn read_committed(self) -> Self {
        Self { read_committed: true, ..self }
    }

    /// One of the calls may leave nobody who acts.
    fn emergency(self) -> Self {
        Self { deed: "suspend_user", ..self }
    }

    /// What is wrong with what the calls came to.
    pub(crate) fn refuse(&self, outcomes: &[String]) -> Option<String> {
        let outcomes = ordered(outcomes.to_vec());
        let allowed = self.allowed.iter().any(|allowed| outcomes.iter().eq(allowed.iter()));
        (!allowed).then(|| format!("{}: the calls came to {outcomes:?}, and may come to {:?}", self.name, self.allowed))
    }
}

/// What calls came to as it is compared: two are told apart, many are alike.
pub(crate) fn ordered(mut outcomes: Vec<String>) -> Vec<String> {
    if outcomes.len() > 2 {
        outcomes.sort();
    }
    outcomes
}

/// All of them.
pub(crate) fn all() -> Vec<Pairing> {
    let groups = [
        owners::two_owners(),
        owners::others(),
        organizations::pairings(),
        members::pairings(),
        invitations::pairings(),
        tuples::pairings(),
        guarded::pairings(),
        sweeps::pairings(),
        tenants::pairings(),
        imports::pairings(),
        access::pairings(),
    ];
    groups.into_iter().flatten().collect()
}

/// Those of several calls in one transaction of the caller.
pub(crate) fn crosswise() -> Vec<Pairing> {
    crosswise::pairings()
}

/// The nine in which two owners go at once.
pub(crate) fn two_owners() -> Vec<Pairing> {
    owners::two_owners()
}

/// Those of tenants in which nothing but the key of a user's memberships keeps two calls apart.
pub(crate) fn tenants_of_externals() -> Vec<Pairing> {
    tenants::of_externals()
}

const OK: &str = "ok";
const SOLE_OWNER: &str = "conflict.sole_owner";
const DUPLICATE_MEMBERSHIP: &str = "conflict.duplicate_membership";
const DUPLICATE_INVITATION: &str = "conflict.duplicate_invitation";
const DUPLICATE_TUPLE: &str = "conflict.duplicate_tuple";
const NOT_PENDING: &str = "conflict.invitation_not_pending";
const EXPIRED: &str = "conflict.invitation_expired";
const SEAT_LIMIT: &str = "conflict.seat_limit";
const ORG_SLUG: &str = "conflict.org_slug";
const HAS_CHILDREN: &str = "conflict.has_children";
const TERMINAL: &str = "conflict.already_terminal";
const IMPORT: &str = "conflict.import";
const ROLE_SLUG: &str = "conflict.role_slug";
const ROLE_IN_USE: &str = "precondition.role_in_use";
const FORBIDDEN: &str = "forbidden";
const HIERARCHY: &str = "forbidden.role_hierarchy";
const NO_OWNER: &str = "precondition.no_owner";
const NOT_FOUND: &str = "not_found";
const MEMBERSHIP_RELATION: &str = "precondition.membership_relation";
const MEM_NOT_ACTIVE: &str = "precondition.mem_not_active";
const ORG_NOT_ACTIVE: &str = "precondition.org_not_active";
const USER_NOT_ACTIVE: &str = "precondition.user_not_active";
const FROM_NOT_ACTIVE: &str = "precondition.from_not_active";
const FROM_NOT_OWNER: &str = "precondition.from_not_owner";
const TO_NOT_ACTIVE: &str = "precondition.to_not_active";
const INVALID_TRANSITION: &str = "precondition.invalid_transition";
const TENANT_LIMIT: &str = "precondition.tenant_limit";
const LAST_TENANT: &str = "precondition.last_tenant";
const NOT_A_MEMBER: &str = "precondition.not_a_member";
/// A suspension that leaves one organization without an acting owner.
const LEFT_WITHOUT: &str = "ok, 1 left without";
/// A sweep that cleared one row away, and one that found none.
const SWEPT: &str = "ok, 1 swept";
const NOTHING: &str = "nothing";

fn call(operation: &'static str, input: Value) -> Call {
    Call { operation, actor: None, input, then: None }
}

impl Call {
    /// The same as a guarded call of this user.
    fn by(self, actor: UserId) -> Self {
        Self { actor: Some(actor), ..self }
    }

    /// Another one behind it, in one transaction.
    fn then(self, call: Self) -> Self {
        Self { then: Some(Box::new(call)), ..self }
    }

    /// By this request, with those behind it.
    pub(crate) fn requested(&mut self, request: &str) {
        self.input["request_id"] = request.into();
        if let Some(then) = &mut self.then {
            then.requested(request);
        }
    }

    /// The same with one more field.
    fn with(mut self, field: &str, value: impl Display) -> Self {
        self.input[field] = value.to_string().into();
        self
    }
}

fn leave(mem: MembershipId) -> Call {
    call("self_leave", json!({"mem_id": mem.to_string()}))
}

fn change_role(mem: MembershipId, role: &str) -> Call {
    call("change_role", json!({"mem_id": mem.to_string(), "new_role": role}))
}

fn suspend_membership(mem: MembershipId) -> Call {
    call("suspend_membership", json!({"mem_id": mem.to_string()}))
}

fn reinstate_membership(mem: MembershipId) -> Call {
    call("reinstate_membership", json!({"mem_id": mem.to_string()}))
}

fn remove(mem: MembershipId, admin: UserId) -> Call {
    call("admin_remove", json!({"mem_id": mem.to_string(), "admin_usr_id": admin.to_string()}))
}

fn transfer(org: OrgId, from: MembershipId, to: MembershipId) -> Call {
    call("transfer_ownership", json!({"org_id": org.to_string(), "from_mem_id": from.to_string(), "to_mem_id": to.to_string()}))
}

fn add_member(org: OrgId, usr: UserId, role: &str) -> Call {
    call("add_member", json!({"org_id": org.to_string(), "usr_id": usr.to_string(), "role": role}))
}

/// `suspend_user`, `reinstate_user` or `revoke_user`.
fn on_user(operation: &'static str, usr: UserId) -> Call {
    call(operation, json!({"usr_id": usr.to_string()}))
}

/// `suspend_org`, `reinstate_org` or `revoke_org`, or an `update_org` that is to be said more of.
fn on_org(operation: &'static str, org: OrgId) -> Call {
    call(operation, json!({"org_id": org.to_string()}))
}

fn create_org(creator: UserId) -> Call {
    call("create_org", json!({"creator": creator.to_string()}))
}

fn accept(maker: &Maker<'_>, name: &str, inv: InvitationId, usr: UserId) -> Call {
    let identifier = maker.identifier(name);
    call("accept_invitation", json!({"inv_id": inv.to_string(), "as_usr_id": usr.to_string(), "accepting_identifier": identifier}))
}

fn extend(maker: &Maker<'_>, inv: InvitationId) -> Call {
    call("extend_invitation", json!({"inv_id": inv.to_string(), "expires_at": maker.someday().plus_seconds(60).to_string()}))
}

fn create_invitation(maker: &Maker<'_>, name: &str, org: OrgId) -> Call {
    let (identifier, by, end) = (maker.identifier(name), maker.stranger(1).to_string(), maker.someday().to_string());
    let input = json!({"org_id": org.to_string(), "identifier": identifier, "role": "member", "invited_by": by, "expires_at": end});
    call("create_invitation", input)
}

/// That the subject is a viewer of the world's document.
fn create_tuple(maker: &Maker<'_>, subject: (&str, &str)) -> Call {
    let input = json!({"subject_type": subject.0, "subject_id": subject.1, "relation": "viewer", "object_type": "doc",
        "object_id": maker.doc()});
    call("create_tuple", input)
}

fn delete_tuple(tuple: TupleId) -> Call {
    call("delete_tuple", json!({"tup_id": tuple.to_string()}))
}
