//! The rules of Tenantry: who belongs to which organization, as what, and what may change that.
//!
//! Everything here is pure: no input or output, no clock and no randomness but the injected ones, no driver and no
//! runtime. A [`Command`] says what it needs to see ([`LoadSpec`]), and decides over what was loaded ([`Snapshot`])
//! what is to be written ([`Plan`]). A store implements [`Backend`]; [`Engine`] turns any backend into a [`TenancyStore`].
//!
//! The normative text is in the repository's `spec/`. Applications use the facade crate `tenantry`.

mod backend;
pub mod blocking;
mod change;
mod checking;
mod decide;
pub mod doctor;
mod engine;
mod entity;
mod error;
mod event;
pub mod id;
pub mod json;
mod load;
pub mod migration;
pub mod nesting;
mod page;
mod query;
mod role;
pub mod rules;
pub mod source;
mod state;
mod store;
mod time;
mod tuple;
mod value;
pub mod wire;

pub use backend::{Backend, Immediate, Inquiry, Job};
pub use change::{Change, Guard, Plan, Progress, Refusal, UniqueKey};
pub use decide::{
    AcceptInvitation, AcceptedInvitation, AddMember, AdminRemove, Caller, ChangeRole, Command, CreateInvitation, CreateInvitations,
    CreateOrg, CreateTuple, CreateUser, CreatedOrg, CreatedUser, Decision, DeclineInvitation, DeleteTuple, Env, ExtendInvitation, Guarded,
    IdTape, Import, ImportCounts, ImportInvitation, ImportMember, ImportOrg, ImportRow, ImportTuple, ImportUser, InvitationInput,
    InvitedRow, Patch, PreTuple, ReinstateMembership, ReinstateOrg, ReinstateUser, RevokeInvitation, RevokeOrg, RevokeUser, SelfLeave,
    SuspendMembership, SuspendOrg, SuspendUser, SuspendedUser, Sweep, Swept, TransferOwnership, TransferredOwnership, UpdateMembership,
    UpdateOrg,
};
pub use engine::Engine;
pub use entity::{
    Invitation, InvitationStatus, Membership, MembershipStatus, OrgStatus, Organization, User, UserStatus, are_live, is_live,
};
pub use error::{BackendError, BackendKind, DomainError, Error, EvaluationLimit, Precondition};
pub use event::{Actor, ActorKind, Cause, Event, EventData, EventType, Fields};
pub use id::{AnyId, EventId, Id, IdError, IdType, InvitationId, MembershipId, OrgId, RoleId, TupleId, UserId};
pub use load::{Found, Hold, ImportIds, Load, LoadSpec, OtherOwner, Owned, Snapshot, Standing, Standpoint};
pub use page::{Page, PageRequest, PageSize};
pub use query::{
    Answer, EventQuery, Expiry, InvitationFilter, InvitationQuery, MembershipFilter, MembershipQuery, OrgQuery, Question, TupleQuery,
    WhichTuples, Window,
};
pub use role::Role;
pub use source::{Clock, IdSource, SecretSource, Sources};
pub use state::{Dump, State, UndoLog};
pub use store::{
    CheckAny, CheckOne, CheckedRow, CountMembers, Inspect, ListAllChanges, ListChanges, ListChildren, ListInvitations, ListInvitationsFor,
    ListMembers, ListMemberships, ListOrgs, ListTuplesForObject, ListTuplesForSubject, OrgPath, TenancyStore,
};
pub use time::{Timestamp, TimestampError};
pub use tuple::{EntityRef, Grant, Tuple, TupleKey};
pub use value::{ExternalId, Identifier, Metadata, Name, ObjectType, Reason, Relation, RequestId, Slug};
