//! The port that a store implements: run a job as one commit, answer reads. No rule passes through it.

use std::fmt;
use std::future::Future;
use std::sync::Arc;

use crate::change::Plan;
use crate::doctor::Repair;
use crate::entity::{Invitation, Membership, Organization, User};
use crate::error::{BackendError, BackendKind, Error};
use crate::event::Event;
use crate::id::{OrgId, TupleId, UserId};
use crate::load::{Load, LoadSpec, Snapshot, Standing};
use crate::permissions::{Facts, FactsQuery};
use crate::query::{
    AccessFound, AccessQuery, Answer, EventQuery, InvitationQuery, MembershipFilter, MembershipQuery, OrgQuery, Question, TupleQuery,
};
use crate::stamps::Stamps;
use crate::state::Dump;
use crate::time::Timestamp;
use crate::tuple::{Tuple, TupleKey};

/// A command on its way through a store.
pub trait Job: Send + 'static {
    /// Which rows an attempt wants to see.
    fn spec(&self) -> &LoadSpec;

    /// Begins an attempt, and with it its moment: to be called anew before each load, behind any waiting for locks.
    fn begin(&mut self) -> Load<'_>;

    /// What more it wants to see, now that the rest was loaded: to be put into [`Snapshot::facts`], read in the same transaction where the
    /// load is in one. A later moment does no harm otherwise, as the plan is guarded by the revisions of both.
    fn weighs(&self, seen: &Snapshot) -> Option<FactsQuery>;

    /// What to write, given what was loaded. May be called again with a newer snapshot, when the plan could not be
    /// applied; the plan of the last call is the one that counts.
    ///
    /// # Errors
    /// The command's refusal: nothing is to be written, and the error goes to the caller as it is.
    fn decide(&mut self, seen: &Snapshot) -> Result<Plan, Error>;
}

/// A question on its way through a store, which may lead to further ones.
pub trait Inquiry: Send + 'static {
    /// The moment as of which tuples count.
    fn at(&self) -> Timestamp;

    /// Whether the first answers are surely the last: then no transaction is needed to hold the moment.
    fn is_single(&self) -> bool;

    /// The one question, where nothing but whether one tuple holds is asked, and nothing will be. A store may answer it by
    /// [`tell`](Self::tell) in place of all that follows.
    fn lone(&self) -> Option<&TupleKey> {
        None
    }

    /// The answer to [`lone`](Self::lone): the tuple with the lowest id that says this and counts.
    fn tell(&mut self, held: Option<TupleId>) {
        self.answer(vec![Answer::Holds(held)]);
    }

    /// Forgets every answer: to be called when the moment that they are of was lost, and everything is asked anew.
    fn restart(&mut self);

    /// What is to be asked now; nothing when the inquiry has come to its end.
    fn questions(&mut self) -> Vec<Question>;

    /// The answers, one for each question, in their order.
    fn answer(&mut self, answers: Vec<Answer>);
}

/// What a store does. Everything else is in core, in [`crate::Engine`].
///
/// A store loads, applies and commits. It decides nothing: what a load fills, what a change means and what a query
/// answers is defined by [`crate::State`], and the conformance suite compares the store with it.
pub trait Backend: fmt::Debug + Send + Sync {
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

    /// Events; `None` when the organization, or the event behind which to begin, does not exist.
    fn events(&self, query: EventQuery) -> impl Future<Output = Result<Option<Vec<Event>>, BackendError>> + Send;

    /// Invitations; `None` when the organization that the query names does not exist.
    fn invitations(&self, query: InvitationQuery) -> impl Future<Output = Result<Option<Vec<Invitation>>, BackendError>> + Send;

    /// Tuples, stored and derived, that count at the query's moment.
    fn tuples(&self, query: TupleQuery) -> impl Future<Output = Result<Vec<Tuple>, BackendError>> + Send;

    /// A user's standing in each of these organizations, in their order; an organization that does not exist has nobody.
    fn standings(&self, usr: UserId, orgs: Vec<OrgId>) -> impl Future<Output = Result<Vec<Standing>, BackendError>> + Send;

    /// Runs an inquiry to its end: asks for its questions, answers all of them at once, and again, until it has none. All answers
    /// are as of one moment.
    fn inquire<Q: Inquiry>(&self, inquiry: Q) -> impl Future<Output = Result<Q, BackendError>> + Send;

    /// What concerns access, as of a moment: a role shows what it grants then. What each query answers is defined by
    /// [`crate::State::read_access`].
    fn access(&self, query: AccessQuery, at: Timestamp) -> impl Future<Output = Result<AccessFound, BackendError>> + Send;

    /// The rows that resolutions rest on, as of one moment. What they are is defined by [`crate::State::facts`]. However many are asked
    /// for and however deep the organizations lie, it takes the same number of round trips.
    fn facts(&self, query: FactsQuery) -> impl Future<Output = Result<Facts, BackendError>> + Send;

    /// Where writes leave their marks, when everybody who writes does so through this backend. Each write is to be marked behind the moment
    /// from which reads see it, and before it is answered.
    fn stamps(&self) -> Option<Arc<Stamps>> {
        None
    }

    /// Every row, behind every write that was answered before.
    fn dump(&self) -> impl Future<Output = Result<Dump, BackendError>> + Send;

    /// Mends rows that follow from others, all of them or none, as one commit and under the locks under which commands write. False,
    /// and nothing is written, when a row is not as a repair expects it. What a repair means is defined by [`crate::State::repair`].
    ///
    /// A store that keeps nothing twice has nothing to mend, and need not implement it.
    fn repair(&self, repairs: Vec<Repair>) -> impl Future<Output = Result<bool, BackendError>> + Send {
        let message = "rows cannot be mended here; a store that can do it does so outside of a transaction of its caller";
        async move { if repairs.is_empty() { Ok(true) } else { Err(BackendError::new(BackendKind::Other, message)) } }
    }
}

/// A backend whose futures never suspend: each is ready when it is polled first, on the thread that polls it. Over such a one there
/// is a [`crate::blocking::Store`].
pub trait Immediate: Backend {}
