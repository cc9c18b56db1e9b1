//! The rules of Tenantry: who belongs to which organization, as what, and what may change that.
//!
//! Everything here is pure: no input or output, no clock and no randomness but the injected ones, no driver and no
//! runtime. A [`Command`] says what it needs to see ([`LoadSpec`]), and decides over what was loaded ([`Snapshot`])
//! what is to be written ([`Plan`]). A store implements [`Backend`]; [`Engine`] turns any backend into a [`TenancyStore`].
//!
//! The normative text is in the repository's `spec/`. Applications use the facade crate `tenantry`.

mod backend;
mod change;
mod decide;
mod engine;
mod entity;
mod error;
mod event;
pub mod id;
pub mod json;
mod load;
pub mod migration;
mod page;
mod query;
mod role;
pub mod source;
mod state;
mod store;
mod time;
mod value;
pub mod wire;

pub use backend::{Backend, Job};
pub use change::{Change, Guard, Plan, Progress, Refusal, UniqueKey};
pub use decide::{
    AddMember, AdminRemove, Caller, ChangeRole, Command, CreateOrg, CreateUser, CreatedOrg, CreatedUser, Decision, Env, IdTape, Import,
    ImportCounts, ImportMember, ImportOrg, ImportRow, ImportUser, Patch, ReinstateMembership, ReinstateOrg, ReinstateUser, RevokeOrg,
    RevokeUser, SelfLeave, SuspendMembership, SuspendOrg, SuspendUser, SuspendedUser, TransferOwnership, TransferredOwnership,
    UpdateMembership, UpdateOrg,
};
pub use engine::Engine;
pub use entity::{Membership, MembershipStatus, OrgStatus, Organization, User, UserStatus, are_live, is_live};
pub use error::{BackendError, BackendKind, DomainError, Error, Precondition};
pub use event::{Actor, ActorKind, Event, EventData, EventType, Fields};
pub use id::{AnyId, EventId, Id, IdError, IdType, MembershipId, OrgId, RoleId, UserId};
pub use load::{Found, ImportIds, LoadSpec, OtherOwner, Owned, Snapshot};
pub use page::{Page, PageRequest, PageSize};
pub use query::{EventQuery, Expiry, MembershipFilter, MembershipQuery, OrgQuery, Window};
pub use role::Role;
pub use source::{Clock, IdSource, SecretSource, Sources};
pub use state::{Dump, State};
pub use store::{CountMembers, Inspect, ListChanges, ListChildren, ListMembers, ListMemberships, ListOrgs, OrgPath, TenancyStore};
pub use time::{Timestamp, TimestampError};
pub use value::{Name, Slug};
