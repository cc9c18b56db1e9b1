//! Users: spec/users.md.

use serde::Serialize;

use super::{Command, Decision, Env, check, draft::Draft, guard};
use crate::change::Change;
use crate::entity::{User, UserStatus};
use crate::error::{DomainError, Precondition};
use crate::event::{EventType, Fields};
use crate::id::{Id, IdType, OrgId, UserId};
use crate::load::{LoadSpec, Snapshot};

/// Creates a user's row.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct CreateUser {
    /// What people see: 1 to 200 characters without control characters.
    pub display_name: Option<String>,
}

impl CreateUser {
    /// A user without a name.
    pub fn new() -> Self {
        Self::default()
    }

    /// With a name.
    #[must_use]
    pub fn display_name(mut self, name: impl Into<String>) -> Self {
        self.display_name = Some(name.into());
        self
    }
}

/// What [`CreateUser`] answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct CreatedUser {
    /// The new row.
    pub user: User,
}

impl Command for CreateUser {
    type Output = CreatedUser;

    fn load(&self) -> Result<LoadSpec, DomainError> {
        self.display_name.as_deref().map(|text| check::name("display_name", text)).transpose()?;
        Ok(LoadSpec::Nothing)
    }

    fn decide(&self, _: &Snapshot, env: &mut Env<'_>) -> Result<Decision<CreatedUser>, DomainError> {
        let display_name = self.display_name.as_deref().map(|text| check::name("display_name", text)).transpose()?;
        guard::trusted(env)?;
        let mut draft = Draft::new(env);
        let now = draft.now();
        let user = User { id: draft.id(), status: UserStatus::Active, display_name, created_at: now, updated_at: now, revision: 0 };
        draft.change(Change::InsertUser(user.clone()));
        let after = Fields::new()
            .with("status", user.status.as_str())
            .with_some("display_name", user.display_name.as_ref().map(ToString::to_string));
        draft.store_event(EventType::UserCreated, &[user.id.any()], Fields::new(), after);
        Ok(draft.finish(CreatedUser { user }))
    }
}

macro_rules! on_user {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq)]
        #[non_exhaustive]
        pub struct $name {
            /// Whose row.
            pub usr_id: UserId,
        }

        impl $name {
            /// For this user.
            pub const fn new(usr_id: UserId) -> Self {
                Self { usr_id }
            }
        }
    };
}

on_user!(
    /// Suspends a user: an emergency act, allowed even where it leaves an organization without an acting owner.
    SuspendUser
);
on_user!(
    /// Makes a suspended user active again.
    ReinstateUser
);
on_user!(
    /// Ends a user's row for good. Refused while an organization has no other acting owner.
    RevokeUser
);

/// What [`SuspendUser`] answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct SuspendedUser {
    /// The row.
    pub user: User,
    /// The organizations that have no acting owner while the user is suspended, in order of id.
    pub orgs_without_acting_owner: Vec<OrgId>,
}

impl Command for SuspendUser {
    type Output = SuspendedUser;

    fn load(&self) -> Result<LoadSpec, DomainError> {
        Ok(LoadSpec::Owner { usr: self.usr_id })
    }

    fn decide(&self, seen: &Snapshot, env: &mut Env<'_>) -> Result<Decision<SuspendedUser>, DomainError> {
        guard::oneself(env, self.usr_id, seen.user.as_ref())?;
        let user = check::found(seen.user.as_ref(), IdType::User)?;
        not_revoked(user)?;
        let orgs_without_acting_owner = solely_owned(seen);
        let mut draft = Draft::new(env);
        let user = if user.status == UserStatus::Suspended {
            user.clone()
        } else {
            rely_on_owned(&mut draft, seen);
            set_status(&mut draft, user, UserStatus::Suspended, EventType::UserSuspended)
        };
        Ok(draft.finish(SuspendedUser { user, orgs_without_acting_owner }))
    }
}

impl Command for ReinstateUser {
    type Output = User;

    fn load(&self) -> Result<LoadSpec, DomainError> {
        Ok(LoadSpec::User { usr: self.usr_id })
    }

    fn decide(&self, seen: &Snapshot, env: &mut Env<'_>) -> Result<Decision<User>, DomainError> {
        guard::oneself(env, self.usr_id, seen.user.as_ref())?;
        let user = check::found(seen.user.as_ref(), IdType::User)?;
        if user.status != UserStatus::Suspended {
            return Err(Precondition::InvalidTransition.into());
        }
        let mut draft = Draft::new(env);
        let user = set_status(&mut draft, user, UserStatus::Active, EventType::UserReinstated);
        Ok(draft.finish(user))
    }
}

impl Command for RevokeUser {
    type Output = User;

    fn load(&self) -> Result<LoadSpec, DomainError> {
        Ok(LoadSpec::Owner { usr: self.usr_id })
    }

    fn decide(&self, seen: &Snapshot, env: &mut Env<'_>) -> Result<Decision<User>, DomainError> {
        guard::oneself(env, self.usr_id, seen.user.as_ref())?;
        let user = check::found(seen.user.as_ref(), IdType::User)?;
        not_revoked(user)?;
        let orgs = solely_owned(seen);
        if !orgs.is_empty() {
            return Err(DomainError::SoleOwner { orgs });
        }
        let mut draft = Draft::new(env);
        rely_on_owned(&mut draft, seen);
        let user = set_status(&mut draft, user, UserStatus::Revoked, EventType::UserRevoked);
        Ok(draft.finish(user))
    }
}

fn not_revoked(user: &User) -> Result<(), DomainError> {
    if user.status == UserStatus::Revoked {
        return Err(DomainError::AlreadyTerminal { kind: IdType::User, state: user.status.as_str() });
    }
    Ok(())
}

fn solely_owned(seen: &Snapshot) -> Vec<OrgId> {
    seen.owned.iter().filter(|owned| owned.other.is_none()).map(|owned| owned.org_id).collect()
}

/// Who else acts as owner decides the outcome, so neither they nor the organizations may change meanwhile.
fn rely_on_owned(draft: &mut Draft<'_, '_>, seen: &Snapshot) {
    for owned in &seen.owned {
        draft.rely_on_org(owned.org_id, owned.revision);
        draft.rely_on_owner(owned.other.as_ref());
    }
}

fn set_status(draft: &mut Draft<'_, '_>, user: &User, to: UserStatus, event: EventType) -> User {
    draft.advance_user(user.id, Some(user));
    draft.change(Change::SetUserStatus { id: user.id, from: user.status, to });
    let status = |status: UserStatus| Fields::new().with("status", status.as_str());
    draft.store_event(event, &[user.id.any()], status(user.status), status(to));
    User { status: to, updated_at: draft.now(), revision: user.revision + 1, ..user.clone() }
}
