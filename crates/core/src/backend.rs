//! The port that a store implements: run a job as one commit, answer reads. No rule passes through it.

use std::fmt;
use std::future::Future;

use crate::change::Plan;
use crate::entity::{Membership, Organization, User};
use crate::error::{BackendError, Error};
use crate::event::Event;
use crate::id::{OrgId, UserId};
use crate::load::{LoadSpec, Snapshot};
use crate::query::{EventQuery, MembershipFilter, MembershipQuery, OrgQuery};
use crate::state::Dump;

/// A command on its way through a store.
pub trait Job: Send + 'static {
    /// What to load.
    fn spec(&self) -> &LoadSpec;

    /// What to write, given what was loaded. May be called again with a newer snapshot, when the plan could not be
    /// applied; the plan of the last call is the one that counts.
    ///
    /// # Errors
    /// The command's refusal: nothing is to be written, and the error goes to the caller as it is.
    fn decide(&mut self, seen: &Snapshot) -> Result<Plan, Error>;
}

/// What a store does. Everything else is in core, in [`crate::Engine`].
///
/// A store loads, applies and commits. It decides nothing: what a load fills, what a change means and what a query
/// answers is defined by [`crate::State`], and the conformance suite compares the store with it.
pub trait Backend: fmt::Debug + Send + Sync + 'static {
    /// Runs a job to its end: load, decide, write the plan as one commit. An empty plan is not written. Where the plan
    /// is refused because its guards do not hold any more, the job is decided again.
    ///
    /// Dropping the future leaves the state as before or as after, never between.
    fn execute<J: Job>(&self, job: J) -> impl Future<Output = Result<J, Error>> + Send;

    /// The users with these ids, in order of id.
    fn users(&self, ids: Vec<UserId>) -> impl Future<Output = Result<Vec<User>, BackendError>> + Send;

    /// Organizations; `None` when the one that the query names does not exist.
    fn orgs(&self, query: OrgQuery) -> impl Future<Output = Result<Option<Vec<Organization>>, BackendError>> + Send;

    /// Memberships; `None` when the organization that the query names does not exist.
    fn memberships(&self, query: MembershipQuery) -> impl Future<Output = Result<Option<Vec<Membership>>, BackendError>> + Send;

    /// How many memberships an organization has; `None` when it does not exist.
    fn count_members(&self, org: OrgId, filter: Option<MembershipFilter>)
    -> impl Future<Output = Result<Option<u64>, BackendError>> + Send;

    /// Events; `None` when the organization that the query names does not exist.
    fn events(&self, query: EventQuery) -> impl Future<Output = Result<Option<Vec<Event>>, BackendError>> + Send;

    /// Every row, behind every write that was answered before.
    fn dump(&self) -> impl Future<Output = Result<Dump, BackendError>> + Send;
}
