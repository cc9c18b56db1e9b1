//! The rules: each command decides, over what was loaded, what is to be written or why nothing is.
//!
//! Deciding is pure. The order of the checks in each `decide` is the order of the check table in spec/, which fixtures
//! pin: with several reasons to refuse, the first one is what the caller sees.

mod catalog;
pub(crate) mod check;
mod draft;
mod groups;
pub(crate) mod guard;
mod import;
mod invitations;
mod judge;
mod manifest;
mod memberships;
mod moves;
mod organizations;
mod overrides;
mod ownership;
mod roles;
mod seeding;
mod sweep;
mod tenants;
mod tuples;
mod users;

use std::fmt;
use std::sync::Arc;

use uuid::Uuid;

use crate::change::Plan;
use crate::error::{BackendError, BackendKind, DomainError};
use crate::event::{Actor, Cause};
use crate::id::{GroupId, Id, OrgId, RoleId, UserId};
use crate::load::{LoadSpec, Snapshot};
use crate::permissions::{AncestorReadPolicy, FactsQuery};
use crate::role::Role;
use crate::source::IdSource;
use crate::time::Timestamp;
use crate::value::PermissionSlug;

pub use catalog::{DefinePermission, PermissionDefinition, SyncCatalog, SyncedCatalog};
pub(crate) use catalog::{Said, merged, too_many};
pub(crate) use check::PERMISSION;
pub use groups::{AddGroupMember, AddGroupRole, CreateGroup, DeleteGroup, RemoveGroupMember, RemoveGroupRole, UpdateGroup};
pub use guard::Guarded;
pub use import::{
    Import, ImportCounts, ImportGroup, ImportGroupMember, ImportGroupRole, ImportInvitation, ImportMember, ImportOrg, ImportOverride,
    ImportPermission, ImportRole, ImportRolePermission, ImportRow, ImportTuple, ImportUser,
};
pub use invitations::{
    AcceptInvitation, AcceptedInvitation, CreateInvitation, CreateInvitations, DeclineInvitation, ExtendInvitation, InvitationInput,
    InvitedRow, PreTuple, RevokeInvitation,
};
pub use judge::MEMBERS_MANAGE;
pub use manifest::{Exposure, ManifestResource, TenantScope};
pub use memberships::{AddMember, AdminRemove, ChangeRole, ReinstateMembership, SelfLeave, SuspendMembership, UpdateMembership};
pub use moves::MoveOrg;
pub(crate) use moves::{ForeseeMove, ForeseenMove};
pub use organizations::{CreateOrg, CreatedOrg, ReinstateOrg, RevokeOrg, SuspendOrg, UpdateOrg};
pub use overrides::{SetMembershipOverride, SetOrgOverride};
pub use ownership::{TransferOwnership, TransferredOwnership};
pub use roles::{
    ChangedPermissions, CreateRole, DeleteRole, DeletedRole, GrantRolePermissions, RevokeRolePermissions, SeedSystemRoles, SeededRoles,
    UpdateRole,
};
pub use seeding::{RolePatterns, SeedRolePermissions, SeededPermissions, SeededRolePermissions, UnmatchedPattern};
pub use sweep::{Sweep, Swept};
pub use tenants::{CreateTenant, DeleteTenant, EnsureTenant, EnsuredTenant, TenantMode, TenantPolicy};
pub(crate) use tuples::tuple_key;
pub use tuples::{CreateTuple, DeleteTuple};
pub use users::{CreateUser, CreatedUser, ReinstateUser, RevokeUser, SuspendUser, SuspendedUser};

/// Something that changes the state.
pub trait Command: fmt::Debug + Send + Sync + 'static {
    /// What a success answers.
    type Output: Send + 'static;

    /// What to load, once the forms of the arguments are right.
    ///
    /// # Errors
    /// The first argument that does not have its form.
    fn load(&self) -> Result<LoadSpec, DomainError>;

    /// What the permissions of a guarded caller are weighed against, now that the rest was loaded; nothing where they do not matter.
    fn stakes(&self, _seen: &Snapshot) -> Option<Stakes> {
        None
    }

    /// What to write.
    ///
    /// # Errors
    /// The first check that fails.
    fn decide(&self, seen: &Snapshot, env: &mut Env<'_>) -> Result<Decision<Self::Output>, DomainError>;
}

/// What a command of a guarded caller is about, as far as permissions are concerned (spec/guarded.md#permissions).
#[derive(Debug, Clone, Default)]
pub struct Stakes {
    /// The organizations in which the caller's permissions are wanted.
    pub orgs: Vec<OrgId>,
    /// Only these permissions, beside [`MEMBERS_MANAGE`]; otherwise all.
    pub permissions: Option<Vec<PermissionSlug>>,
    /// Roles that are given.
    pub roles: Vec<RoleId>,
    /// Groups whose roles are given.
    pub groups: Vec<GroupId>,
    /// Other users, whose overrides in the same organizations are wanted.
    pub users: Vec<UserId>,
    /// Whether what a policy lets the caller read here from below is wanted too.
    pub below: bool,
}

impl Stakes {
    /// Whether the caller manages members of the organization, and nothing else.
    fn managing(org: Option<OrgId>) -> Option<Self> {
        Self::of(org?, []).into()
    }

    /// Whether the caller manages members of the organization and holds these permissions.
    fn of(org: OrgId, permissions: impl IntoIterator<Item = PermissionSlug>) -> Self {
        Self { orgs: vec![org], permissions: Some(permissions.into_iter().collect()), ..Self::default() }
    }

    /// Whether the caller manages members of the organization and holds all that these roles grant.
    fn giving(org: OrgId, roles: impl IntoIterator<Item = Role>) -> Self {
        Self { orgs: vec![org], roles: roles.into_iter().map(Role::id).collect(), ..Self::default() }
    }

    /// Everything that the caller may do in these organizations.
    fn all(orgs: impl IntoIterator<Item = OrgId>) -> Self {
        Self { orgs: orgs.into_iter().collect(), ..Self::default() }
    }

    /// What a store is asked for.
    pub(crate) fn query(self, usr: UserId, below: u32) -> FactsQuery {
        let Self { orgs, permissions, roles, groups, users, below: reads } = self;
        let permissions = permissions.map(|some| some.into_iter().chain(PermissionSlug::parse(MEMBERS_MANAGE)).collect());
        let whom = || users.iter().copied().chain([usr]);
        let asks = orgs.iter().flat_map(|org| whom().map(|usr| (usr, *org))).collect();
        FactsQuery { asks, permissions, below: if reads { below } else { 0 }, roles, groups, ..FactsQuery::default() }
    }
}

/// What a command has decided.
#[derive(Debug)]
pub struct Decision<T> {
    /// What is to be written; empty for a no-op.
    pub plan: Plan,
    /// What to answer once it is.
    pub output: T,
}

/// On whose behalf commands run.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Caller {
    /// Code that has checked for itself, bound by the invariants only. The actor is recorded in events.
    Trusted(Actor),
    /// A user's own request, of which every right is asked for; made by [`Caller::guarded`].
    Guarded(Guarded),
}

impl Caller {
    /// Who is recorded.
    pub const fn actor(&self) -> &Actor {
        match self {
            Self::Trusted(actor) => actor,
            Self::Guarded(guarded) => &guarded.actor,
        }
    }
}

impl Default for Caller {
    fn default() -> Self {
        Self::Trusted(Actor::SYSTEM)
    }
}

/// What a decision may know beside the snapshot.
#[derive(Debug)]
pub struct Env<'e> {
    /// The moment of the attempt.
    pub now: Timestamp,
    /// On whose behalf.
    pub caller: &'e Caller,
    /// What the command says of itself.
    pub cause: &'e Cause,
    /// What members of organizations below may read.
    pub ancestor_read: Option<&'e AncestorReadPolicy>,
    /// Ids for new rows.
    pub ids: &'e mut IdTape,
}

impl Env<'_> {
    fn id<I: Id>(&mut self) -> I {
        self.ids.draw(self.now)
    }
}

/// The ids of one command: drawn once, and played again from the start when the command is decided anew.
#[derive(Debug)]
pub struct IdTape {
    source: Arc<dyn IdSource>,
    drawn: Vec<Uuid>,
    next: usize,
    failed: Option<BackendError>,
}

impl IdTape {
    /// An empty tape over a source.
    pub fn new(source: Arc<dyn IdSource>) -> Self {
        Self { source, drawn: Vec::new(), next: 0, failed: None }
    }

    /// Back to the first id.
    pub fn rewind(&mut self) {
        self.next = 0;
    }

    /// The source's failure, if it failed. What was decided with the ids drawn since must not be written.
    pub fn take_failure(&mut self) -> Option<BackendError> {
        self.failed.take()
    }

    fn draw<I: Id>(&mut self, now: Timestamp) -> I {
        if let Some(uuid) = self.drawn.get(self.next) {
            self.next += 1;
            return I::from_uuid(*uuid).unwrap_or(I::STAND_IN);
        }
        let made = self.source.next(now).and_then(|uuid| match I::from_uuid(uuid) {
            Ok(id) => Ok((uuid, id)),
            Err(error) => Err(BackendError::new(BackendKind::Other, "the id source gave a UUID without a version").caused_by(error)),
        });
        match made {
            Ok((uuid, id)) => {
                self.drawn.push(uuid);
                self.next += 1;
                id
            }
            Err(error) => {
                // `take_failure` keeps the plan with this id from being written.
                self.failed = Some(error);
                I::STAND_IN
            }
        }
    }
}

/// A change to an optional field.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Patch<T> {
    /// It stays as it is.
    #[default]
    Keep,
    /// It becomes null.
    Clear,
    /// It becomes this.
    Set(T),
}

impl<T> Patch<T> {
    /// The same with the value read.
    fn try_map<U, E>(&self, read: impl FnOnce(&T) -> Result<U, E>) -> Result<Patch<U>, E> {
        Ok(match self {
            Self::Keep => Patch::Keep,
            Self::Clear => Patch::Clear,
            Self::Set(value) => Patch::Set(read(value)?),
        })
    }

    /// The value after the patch.
    fn apply_to(self, current: Option<T>) -> Option<T> {
        match self {
            Self::Keep => current,
            Self::Clear => None,
            Self::Set(value) => Some(value),
        }
    }
}
