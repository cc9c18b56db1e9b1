//! Errors: what a rule refuses ([`DomainError`]) and what a store could not do ([`BackendError`]).
//!
//! Every error has a stable code and a class name (spec/errors.md). A message says what was refused and never holds a
//! driver's text, SQL, or more of the input than a short excerpt.

use std::error::Error as StdError;
use std::fmt;

use serde::Serialize;

use crate::id::{EventId, IdError, IdType, OrgId, TupleId};
use crate::value::{PermissionSlug, RoleSlug, Slug};

/// Why a call did not succeed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A rule refused it; the state is as before.
    #[error(transparent)]
    Domain(#[from] DomainError),
    /// The store could not do it.
    #[error(transparent)]
    Backend(#[from] BackendError),
}

impl Error {
    /// The stable code, such as `conflict.sole_owner` (spec/errors.md).
    pub fn code(&self) -> String {
        match self {
            Self::Domain(error) => error.code(),
            Self::Backend(error) => error.code().to_owned(),
        }
    }

    /// The class name that fixtures may use in place of the code.
    pub fn class(&self) -> &'static str {
        match self {
            Self::Domain(error) => error.class(),
            Self::Backend(_) => "BackendError",
        }
    }

    /// The domain error, if it is one.
    pub fn as_domain(&self) -> Option<&DomainError> {
        if let Self::Domain(error) = self { Some(error) } else { None }
    }
}

/// What a rule refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DomainError {
    /// Nothing with that id, or nothing that the caller may see.
    #[error("no such {}", noun(*.0))]
    NotFound(IdType),
    /// A text that is not an id of the expected kind.
    #[error("`{field}`: {error}")]
    InvalidId {
        /// The input's field.
        field: &'static str,
        /// What is wrong with it.
        error: IdError,
    },
    /// A value that does not have the form of its field.
    #[error("`{field}`: {expected}")]
    InvalidFormat {
        /// The input's field; an unknown field is cut to 64 characters.
        field: String,
        /// What the field takes.
        expected: &'static str,
    },
    /// A cursor that was not made by this list, with these filters.
    #[error("the cursor does not belong to this list and its filters; start again without one")]
    InvalidCursor,
    /// The state does not allow it.
    #[error("{}", .0.message())]
    Precondition(Precondition),
    /// The caller may not do this.
    #[error("the acting member may not do this here")]
    Forbidden,
    /// The target's role is out of the caller's reach.
    #[error("the acting member's role may not act on a member with that role")]
    RoleHierarchy,
    /// It would leave an organization without an acting owner.
    #[error("the only acting owner cannot go: make someone else owner first, in {}", ids(.orgs))]
    SoleOwner {
        /// The organizations concerned.
        orgs: Vec<OrgId>,
    },
    /// The user has an active or suspended membership there already.
    #[error("the user has a membership of this organization already")]
    DuplicateMembership,
    /// Joining would take more seats than the organization has.
    #[error("every seat of the organization is taken")]
    SeatLimit,
    /// The invitation's end has come.
    #[error("the invitation has expired")]
    InvitationExpired,
    /// The invitation is not open any more.
    #[error("the invitation is not pending")]
    InvitationNotPending,
    /// The organization has an open invitation for the same identifier.
    #[error("the organization has a pending invitation for this identifier already")]
    DuplicateInvitation,
    /// The tuple is there already.
    #[error("this tuple is there already, as {id}")]
    DuplicateTuple {
        /// The one that is there.
        id: TupleId,
    },
    /// The rules lead further than the limits allow: neither yes nor no.
    #[error("the rewrite rules lead beyond the limit on {0}")]
    EvaluationLimit(EvaluationLimit),
    /// The slug belongs to another organization that is not revoked.
    #[error("the slug `{0}` is taken")]
    OrgSlug(Slug),
    /// The row has reached an end, or the state asked for, already.
    #[error("the {} is {state} already", noun(*.kind))]
    AlreadyTerminal {
        /// What was to be changed.
        kind: IdType,
        /// The state that it is in.
        state: &'static str,
    },
    /// The slug belongs to another role there, to a built-in one, or to a relation of stored tuples.
    #[error("the slug `{0}` cannot be that of a role here: another role, or a stored tuple, has it")]
    RoleSlug(RoleSlug),
    /// The slug belongs to another group of the organization.
    #[error("the slug `{0}` is that of another group")]
    GroupSlug(Slug),
    /// Two definitions of one permission that say different things.
    #[error("`{permission}`: its {field} is `{one}`{}", elsewhere(other, sources.as_deref()))]
    PermissionMetadata {
        /// Which permission.
        permission: PermissionSlug,
        /// Which field.
        field: &'static str,
        /// What is said of it.
        one: String,
        /// What is said elsewhere.
        other: String,
        /// Who says the one and who the other, where definitions come from [registrations](crate::PermissionRegistry).
        sources: Option<Box<[String; 2]>>,
    },
    /// The organization would be above itself.
    #[error("an organization cannot be below itself, nor below one that is below it")]
    Cycle,
    /// The tree of organizations would have more than ten levels.
    #[error("organizations nest at most 10 levels deep")]
    MaxDepth,
    /// The organization has children that are not revoked.
    #[error("the organization has child organizations that are not revoked")]
    HasChildren,
    /// An import line that cannot be taken; the others were not taken either.
    #[error("line {line}: {error}")]
    Import {
        /// The line, from 1.
        line: u64,
        /// What is wrong with it.
        error: Box<DomainError>,
    },
    /// A row of an import that does not go together with what is there, or with another row.
    #[error("the {row} {why}")]
    ImportConflict {
        /// What kind of row, as people call it.
        row: &'static str,
        /// In what way.
        why: &'static str,
    },
}

/// The end of the message about two definitions.
fn elsewhere(other: &str, sources: Option<&[String; 2]>) -> String {
    match sources {
        Some([one, another]) => format!(" in `{one}`, and `{other}` in `{another}`"),
        None => format!(", and elsewhere `{other}`"),
    }
}

/// A limit of the evaluation of rewrite rules (spec/rules.md).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum EvaluationLimit {
    /// How many rules may follow each other.
    Depth,
    /// How many subjects one hop may lead to.
    FanOut,
    /// How many pairs of relation and object one check may meet, or how often it may look at them.
    Frames,
}

impl fmt::Display for EvaluationLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Depth => "depth",
            Self::FanOut => "subjects of one hop",
            Self::Frames => "pairs of relation and object",
        })
    }
}

/// Why the state does not allow a command: the reason behind `precondition.`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Precondition {
    /// A slug that does not have the form.
    OrgSlugFormat,
    /// A user's row that is not active.
    UserNotActive,
    /// An organization that is not active.
    OrgNotActive,
    /// A membership that is not active.
    MemNotActive,
    /// A role that this organization does not know.
    UnknownRole,
    /// An owner's membership with an end.
    OwnerCannotExpire,
    /// An end that is not in the future.
    PastExpiration,
    /// Reinstating what is not suspended.
    InvalidTransition,
    /// The giver is not an owner.
    FromNotOwner,
    /// The giver's membership is not active.
    FromNotActive,
    /// The receiver's membership is not active.
    ToNotActive,
    /// The memberships are not both of the organization.
    OrgMismatch,
    /// Giver and receiver are the same user.
    SelfTransfer,
    /// An imported organization without an active owner.
    NoOwner,
    /// Accepting for a user without saying for which identifier.
    IdentifierBindingRequired,
    /// Another identifier than the invitation's.
    IdentifierMismatch,
    /// An invitation that promises a relation on an organization.
    PreTupleOnOrg,
    /// A scoped tuple for a user who is no member there.
    NotAMember,
    /// A relation that is a role's: memberships are its only source.
    MembershipRelation,
    /// A permission that is not in the catalog.
    UnknownPermission,
    /// A role of the system, which stays.
    SystemRole,
    /// A role that somebody holds, and no replacement was named.
    RoleInUse,
    /// A move that would part a holder from the role.
    RoleBinding,
    /// More organizations than the tenant policy lets a user own.
    TenantLimit,
    /// The last organization that the tenant policy leaves a user.
    LastTenant,
}

impl Precondition {
    /// Every reason.
    pub const ALL: [Self; 25] = [
        Self::OrgSlugFormat,
        Self::UserNotActive,
        Self::OrgNotActive,
        Self::MemNotActive,
        Self::UnknownRole,
        Self::OwnerCannotExpire,
        Self::PastExpiration,
        Self::InvalidTransition,
        Self::FromNotOwner,
        Self::FromNotActive,
        Self::ToNotActive,
        Self::OrgMismatch,
        Self::SelfTransfer,
        Self::NoOwner,
        Self::IdentifierBindingRequired,
        Self::IdentifierMismatch,
        Self::PreTupleOnOrg,
        Self::NotAMember,
        Self::MembershipRelation,
        Self::UnknownPermission,
        Self::SystemRole,
        Self::RoleInUse,
        Self::RoleBinding,
        Self::TenantLimit,
        Self::LastTenant,
    ];

    /// The code's part behind `precondition.`.
    pub const fn reason(self) -> &'static str {
        match self {
            Self::OrgSlugFormat => "org_slug_format",
            Self::UserNotActive => "user_not_active",
            Self::OrgNotActive => "org_not_active",
            Self::MemNotActive => "mem_not_active",
            Self::UnknownRole => "unknown_role",
            Self::OwnerCannotExpire => "owner_cannot_expire",
            Self::PastExpiration => "past_expiration",
            Self::InvalidTransition => "invalid_transition",
            Self::FromNotOwner => "from_not_owner",
            Self::FromNotActive => "from_not_active",
            Self::ToNotActive => "to_not_active",
            Self::OrgMismatch => "org_mismatch",
            Self::SelfTransfer => "self_transfer",
            Self::NoOwner => "no_owner",
            Self::IdentifierBindingRequired => "identifier_binding_required",
            Self::IdentifierMismatch => "identifier_mismatch",
            Self::PreTupleOnOrg => "pre_tuple_on_org",
            Self::NotAMember => "not_a_member",
            Self::MembershipRelation => "membership_relation",
            Self::UnknownPermission => "unknown_permission",
            Self::SystemRole => "system_role",
            Self::RoleInUse => "role_in_use",
            Self::RoleBinding => "role_binding",
            Self::TenantLimit => "tenant_limit",
            Self::LastTenant => "last_tenant",
        }
    }

    const fn message(self) -> &'static str {
        match self {
            Self::OrgSlugFormat => "a slug has 1 to 63 of `a-z`, `0-9` and `-`, with a letter or digit at both ends",
            Self::UserNotActive => "the user is not active",
            Self::OrgNotActive => "the organization is not active",
            Self::MemNotActive => "the membership is not active",
            Self::UnknownRole => "this organization knows no such role",
            Self::OwnerCannotExpire => "an owner's membership cannot have an end",
            Self::PastExpiration => "the end is not in the future",
            Self::InvalidTransition => "only what is suspended can be reinstated",
            Self::FromNotOwner => "the member who would hand over is not an owner",
            Self::FromNotActive => "the membership that would hand over is not active",
            Self::ToNotActive => "the membership that would take over is not active",
            Self::OrgMismatch => "both memberships must be of the organization",
            Self::SelfTransfer => "ownership cannot be handed to oneself",
            Self::NoOwner => "the organization has no active owner",
            Self::IdentifierBindingRequired => "to accept for a user, say for which identifier",
            Self::IdentifierMismatch => "the invitation is for another identifier",
            Self::PreTupleOnOrg => "an invitation cannot promise a relation on an organization; give it by the role",
            Self::NotAMember => "the user has no active or suspended membership of the organization",
            Self::MembershipRelation => "a role's relation to an organization comes from memberships only",
            Self::UnknownPermission => "the catalog has no such permission: define it first",
            Self::SystemRole => "a role of the system cannot be deleted",
            Self::RoleInUse => "the role is held by memberships, pending invitations or groups: name a replacement",
            Self::RoleBinding => "a role that is held below would not be known there any more, or a stored tuple has a role's relation",
            Self::TenantLimit => "the user owns as many organizations as the policy allows",
            Self::LastTenant => "the policy leaves the user at least one live organization of their own",
        }
    }
}

impl From<Precondition> for DomainError {
    fn from(reason: Precondition) -> Self {
        Self::Precondition(reason)
    }
}

/// An error beside the outcome of one row of several.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct BriefError {
    code: String,
    message: String,
}

impl DomainError {
    /// An [`DomainError::InvalidFormat`] for one of our own fields.
    pub(crate) fn format(field: &str, expected: &'static str) -> Self {
        Self::InvalidFormat { field: field.chars().take(64).collect(), expected }
    }

    /// Code and message, as they stand beside the outcome of one row of several.
    pub(crate) fn brief(&self) -> BriefError {
        BriefError { code: self.code(), message: self.to_string() }
    }

    /// The stable code, such as `conflict.sole_owner` (spec/errors.md).
    pub fn code(&self) -> String {
        match self {
            Self::InvalidFormat { field, .. } => format!("invalid_format.{field}"),
            Self::Precondition(reason) => format!("precondition.{}", reason.reason()),
            Self::Import { error, .. } => error.code(),
            Self::NotFound(_) => "not_found".to_owned(),
            Self::InvalidId { error, .. } if error.is_unknown_type() => "invalid_id_type".to_owned(),
            Self::InvalidId { .. } => "invalid_id".to_owned(),
            Self::InvalidCursor => "invalid_cursor".to_owned(),
            Self::Forbidden => "forbidden".to_owned(),
            Self::RoleHierarchy => "forbidden.role_hierarchy".to_owned(),
            Self::SoleOwner { .. } => "conflict.sole_owner".to_owned(),
            Self::DuplicateMembership => "conflict.duplicate_membership".to_owned(),
            Self::OrgSlug(_) => "conflict.org_slug".to_owned(),
            Self::AlreadyTerminal { .. } => "conflict.already_terminal".to_owned(),
            Self::MaxDepth => "conflict.max_depth".to_owned(),
            Self::Cycle => "conflict.cycle".to_owned(),
            Self::RoleSlug(_) => "conflict.role_slug".to_owned(),
            Self::GroupSlug(_) => "conflict.group_slug".to_owned(),
            Self::PermissionMetadata { .. } => "conflict.permission_metadata".to_owned(),
            Self::HasChildren => "conflict.has_children".to_owned(),
            Self::ImportConflict { .. } => "conflict.import".to_owned(),
            Self::SeatLimit => "conflict.seat_limit".to_owned(),
            Self::InvitationExpired => "conflict.invitation_expired".to_owned(),
            Self::InvitationNotPending => "conflict.invitation_not_pending".to_owned(),
            Self::DuplicateInvitation => "conflict.duplicate_invitation".to_owned(),
            Self::DuplicateTuple { .. } => "conflict.duplicate_tuple".to_owned(),
            Self::EvaluationLimit(_) => "evaluation_limit_exceeded".to_owned(),
        }
    }

    /// The class name (spec/errors.md).
    pub fn class(&self) -> &'static str {
        match self {
            Self::NotFound(IdType::Tuple) => "TupleNotFoundError",
            Self::NotFound(_) => "NotFoundError",
            Self::InvalidId { error, .. } if error.is_unknown_type() => "InvalidTypeError",
            Self::InvalidId { .. } => "InvalidIdError",
            Self::InvalidFormat { field, .. } if field == "relations" => "EmptyRelationSetError",
            Self::InvalidFormat { .. } => "InvalidFormatError",
            Self::InvalidCursor => "InvalidCursorError",
            Self::Precondition(Precondition::IdentifierBindingRequired) => "IdentifierBindingRequiredError",
            Self::Precondition(Precondition::IdentifierMismatch) => "IdentifierMismatchError",
            Self::Precondition(_) => "PreconditionError",
            Self::Forbidden => "ForbiddenError",
            Self::RoleHierarchy => "RoleHierarchyError",
            Self::SoleOwner { .. } => "SoleOwnerError",
            Self::DuplicateMembership => "DuplicateMembershipError",
            Self::OrgSlug(_) => "OrgSlugConflictError",
            Self::AlreadyTerminal { .. } => "AlreadyTerminalError",
            Self::MaxDepth | Self::HasChildren | Self::Cycle => "TenantHierarchyError",
            Self::RoleSlug(_) => "RoleSlugConflictError",
            Self::GroupSlug(_) => "GroupSlugConflictError",
            Self::PermissionMetadata { .. } => "PermissionMetadataConflictError",
            Self::Import { error, .. } => error.class(),
            Self::ImportConflict { .. } => "ImportConflictError",
            Self::SeatLimit => "SeatLimitError",
            Self::InvitationExpired => "InvitationExpiredError",
            Self::InvitationNotPending => "InvitationNotPendingError",
            Self::DuplicateInvitation => "DuplicateInvitationError",
            Self::DuplicateTuple { .. } => "DuplicateTupleError",
            Self::EvaluationLimit(_) => "EvaluationLimitExceededError",
        }
    }

    /// True when `class` names this error or a class above it, as a fixture's class name does.
    pub fn is_class(&self, class: &str) -> bool {
        let above = match self.class() {
            "RoleHierarchyError" => Some("ForbiddenError"),
            "IdentifierBindingRequiredError" | "IdentifierMismatchError" => Some("PreconditionError"),
            "EmptyRelationSetError" => Some("InvalidFormatError"),
            "TupleNotFoundError" => Some("NotFoundError"),
            _ => None,
        };
        self.class() == class || above == Some(class)
    }
}

pub(crate) const fn noun(kind: IdType) -> &'static str {
    match kind {
        IdType::User => "user",
        IdType::Organization => "organization",
        IdType::Membership => "membership",
        IdType::Invitation => "invitation",
        IdType::Tuple => "tuple",
        IdType::Session => "session",
        IdType::Credential => "credential",
        IdType::Factor => "factor",
        IdType::Share => "share",
        IdType::AccessToken => "access token",
        IdType::Event => "event",
        IdType::Role => "role",
        IdType::Group => "group",
    }
}

fn ids(orgs: &[OrgId]) -> String {
    const SHOWN: usize = 10;
    let mut text: Vec<String> = orgs.iter().take(SHOWN).map(ToString::to_string).collect();
    if orgs.len() > SHOWN {
        text.push(format!("{} more", orgs.len() - SHOWN));
    }
    text.join(", ")
}

/// What kind of failure a store met.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum BackendKind {
    /// The store cannot be reached or written; nothing was changed.
    Unavailable,
    /// The connection was lost while the write was under way, and whether it took place cannot be told now.
    /// `outcome(event_id)` answers later.
    UnknownOutcome {
        /// The id of the first event that the write would have made.
        event_id: EventId,
    },
    /// The same for the commit of a transaction of the caller's own, who knows best by which row to tell.
    UnknownCommit,
    /// Another transaction was in the way; nothing was changed, the same call may succeed when repeated.
    Retryable,
    /// A row is not as the rules left it.
    Inconsistent {
        /// The table.
        table: String,
        /// The row, as far as known.
        id: String,
    },
    /// The store's schema is not one that this version works with.
    Schema,
    /// The store was used from inside a transaction that it had lent, instead of through that transaction: it would wait for itself.
    NestedWrite,
    /// The transaction that the call belongs to has been rolled back, or ended behind the store's back: nothing of it took place.
    RolledBack,
    /// The call cannot be decided safely at the isolation level of the transaction that it belongs to.
    Isolation,
    /// Anything else.
    Other,
}

/// A store's failure. Its text says what to do; the driver's own error is its [source](StdError::source).
#[derive(Debug)]
pub struct BackendError {
    kind: BackendKind,
    message: String,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

impl BackendError {
    /// A failure of this kind, with a text for people: what happened and the remedy, without a driver's words.
    pub fn new(kind: BackendKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), source: None }
    }

    /// The same with the driver's error behind it.
    #[must_use]
    pub fn caused_by(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// A row that is not as the rules left it.
    pub fn inconsistent(table: impl Into<String>, id: impl fmt::Display) -> Self {
        let (table, id) = (table.into(), id.to_string());
        let message = format!("table `{table}`, row {id}: the stored data breaks an invariant; run the doctor or restore a backup");
        Self::new(BackendKind::Inconsistent { table, id }, message)
    }

    /// What kind of failure it is.
    pub const fn kind(&self) -> &BackendKind {
        &self.kind
    }

    /// The stable code (spec/errors.md).
    pub const fn code(&self) -> &'static str {
        match self.kind {
            BackendKind::Unavailable => "backend.unavailable",
            BackendKind::UnknownOutcome { .. } | BackendKind::UnknownCommit => "backend.unknown_outcome",
            BackendKind::Retryable => "backend.retryable",
            BackendKind::Inconsistent { .. } => "backend.inconsistent",
            BackendKind::Schema => "backend.schema",
            BackendKind::NestedWrite => "backend.nested_write",
            BackendKind::RolledBack => "backend.rolled_back",
            BackendKind::Isolation => "backend.isolation",
            BackendKind::Other => "backend.other",
        }
    }
}

impl fmt::Display for BackendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl StdError for BackendError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.source.as_deref().map(|source| source as &(dyn StdError + 'static))
    }
}
