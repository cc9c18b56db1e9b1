//! The rules of Tenantry: who belongs to which organization, as what, and what may change that.
//!
//! Everything here is pure: no input or output, no clock and no randomness but the injected ones, no driver and no
//! runtime. A [`Command`] says what it needs to see ([`LoadSpec`]), and decides over what was loaded ([`Snapshot`])
//! what is to be written ([`Plan`]). A store implements [`Backend`]; [`Engine`] turns any backend into a [`TenancyStore`].
//!
//! The normative text is in the repository's `spec/`. Applications use the facade crate `tenantry`.

mod access;
mod backend;
pub mod blocking;
mod cache;
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
mod permissions;
mod query;
mod registry;
mod role;
pub mod rules;
pub mod source;
mod stamps;
mod state;
mod store;
mod tenants;
mod time;
mod tuple;
mod value;
pub mod wire;

pub use access::{Effect, Group, GroupMember, GroupRole, Holder, Permission, PermissionGrant};
pub use backend::{Backend, Immediate, Inquiry, Job};
pub use cache::{CachedResolver, Freshness};
pub use change::{Change, Guard, Plan, Progress, Refusal, RoleUsage, UniqueKey};
pub use decide::{
    AcceptInvitation, AcceptedInvitation, AddGroupMember, AddGroupRole, AddMember, AdminRemove, Caller, ChangeRole, ChangedPermissions,
    Command, CreateGroup, CreateInvitation, CreateInvitations, CreateOrg, CreateRole, CreateTenant, CreateTuple, CreateUser, CreatedOrg,
    CreatedUser, Decision, DeclineInvitation, DefinePermission, DeleteGroup, DeleteRole, DeleteTenant, DeleteTuple, DeletedRole,
    EnsureTenant, EnsuredTenant, Env, Exposure, ExtendInvitation, GrantRolePermissions, Guarded, IdTape, Import, ImportCounts, ImportGroup,
    ImportGroupMember, ImportGroupRole, ImportInvitation, ImportMember, ImportOrg, ImportOverride, ImportPermission, ImportRole,
    ImportRolePermission, ImportRow, ImportTuple, ImportUser, InvitationInput, InvitedRow, MEMBERS_MANAGE, ManifestResource, MoveOrg,
    Patch, PermissionDefinition, PreTuple, ReinstateMembership, ReinstateOrg, ReinstateUser, RemoveGroupMember, RemoveGroupRole,
    RevokeInvitation, RevokeOrg, RevokeRolePermissions, RevokeUser, RolePatterns, SeedRolePermissions, SeedSystemRoles, SeededPermissions,
    SeededRolePermissions, SeededRoles, SelfLeave, SetMembershipOverride, SetOrgOverride, Stakes, SuspendMembership, SuspendOrg,
    SuspendUser, SuspendedUser, Sweep, Swept, SyncCatalog, SyncedCatalog, TenantMode, TenantPolicy, TenantScope, TransferOwnership,
    TransferredOwnership, UnmatchedPattern, UpdateGroup, UpdateMembership, UpdateOrg, UpdateRole,
};
pub use engine::Engine;
pub use entity::{
    Invitation, InvitationStatus, Membership, MembershipStatus, OrgStatus, Organization, User, UserStatus, are_live, is_live,
};
pub use error::{BackendError, BackendKind, DomainError, Error, EvaluationLimit, Precondition};
pub use event::{Actor, ActorKind, Cause, Event, EventData, EventType, Fields};
pub use id::{AnyId, EventId, GroupId, Id, IdError, IdType, InvitationId, MembershipId, OrgId, RoleId, TupleId, UserId};
pub use load::{
    Access, Found, Hold, ImportIds, Line, Load, LoadSpec, Moving, OtherOwner, Owned, Snapshot, Standing, Standpoint, Tenancy, Wants,
};
pub use page::{Page, PageRequest, PageSize};
pub use permissions::{
    AccessChange, AncestorReadPolicy, DecidedBy, DenialDetail, DenialReason, EffectivePermissions, Explanation, Facts, FactsQuery, Held,
    HeldPermission, Layer, OrgFacts, PermissionToken, Remedy, RoleFacts, Span, Step, UserAccess,
};
pub use query::{
    AccessFound, AccessQuery, Answer, EventQuery, Expiry, InvitationFilter, InvitationQuery, MembershipFilter, MembershipQuery, OrgQuery,
    Question, TupleQuery, WhichTuples, Window,
};
pub use registry::{PermissionRegistry, Registration};
pub use role::{CustomRole, Role, RoleDefinition};
pub use source::{Clock, IdSource, SecretSource, Sources};
pub use stamps::{Stamps, Touched};
pub use state::{Dump, PermissionRow, State, UndoLog};
pub use store::{
    AccessStore, AllowedRow, CheckAny, CheckOne, CheckedRow, CountMembers, Descendant, Inspect, ListAllChanges, ListChanges, ListChildren,
    ListDescendants, ListGroupMembers, ListGroupRoles, ListGroups, ListInvitations, ListInvitationsFor, ListMembers,
    ListMembershipOverrides, ListMemberships, ListOrgOverrides, ListOrgs, ListOrgsWith, ListPermissions, ListRoles, ListSiblings,
    ListTuplesForObject, ListTuplesForSubject, ListUsersWith, OrgPath, OrgTree, PermissionAsk, PermissionResolver, PreviewMoveOrg,
    ReadTree, ReviewPermissions, TenancyStore,
};
pub use tenants::TenantService;
pub use time::{Timestamp, TimestampError};
pub use tuple::{EntityRef, Grant, Tuple, TupleKey};
pub use value::{
    Description, ExternalId, Identifier, Metadata, Name, ObjectType, PermissionSlug, Reason, Relation, RequestId, RoleSlug, Slug,
};
