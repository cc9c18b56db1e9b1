//! Memberships: spec/memberships.md. Handing over ownership stands in `ownership.rs`.

use super::{Command, Decision, Env, Patch, Stakes, check, draft::Draft, draft::about, guard, judge, organizations::added};
use crate::change::Change;
use crate::entity::{Membership, MembershipStatus};
use crate::error::{DomainError, Precondition};
use crate::event::{EventType, Fields};
use crate::id::{Id, IdType, MembershipId, OrgId, UserId};
use crate::json::Value;
use crate::load::{LoadSpec, Snapshot};
use crate::role::Role;
use crate::time::Timestamp;

/// Makes a user a member of an organization.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct AddMember {
    /// Where.
    pub org_id: OrgId,
    /// Who. No row is needed.
    pub usr_id: UserId,
    /// As what: the role's slug.
    pub role: String,
    /// Who brings the user in.
    pub invited_by: Option<UserId>,
    /// From when on it no longer counts. An owner's membership has no end.
    pub expires_at: Option<Timestamp>,
}

impl AddMember {
    /// A membership without an end.
    pub fn new(org_id: OrgId, usr_id: UserId, role: impl Into<String>) -> Self {
        Self { org_id, usr_id, role: role.into(), invited_by: None, expires_at: None }
    }

    /// Who brings the user in.
    #[must_use]
    pub const fn invited_by(mut self, usr_id: UserId) -> Self {
        self.invited_by = Some(usr_id);
        self
    }

    /// From when on it no longer counts.
    #[must_use]
    pub const fn expires_at(mut self, end: Timestamp) -> Self {
        self.expires_at = Some(end);
        self
    }
}

impl Command for AddMember {
    type Output = Membership;

    fn load(&self) -> Result<LoadSpec, DomainError> {
        Ok(LoadSpec::Join { org: self.org_id, usr: self.usr_id, role: check::own_slug(&self.role) })
    }

    fn stakes(&self, seen: &Snapshot) -> Option<Stakes> {
        Some(Stakes::giving(self.org_id, judge::given(&self.role, seen))).filter(|_| seen.org.is_some())
    }

    fn decide(&self, seen: &Snapshot, env: &mut Env<'_>) -> Result<Decision<Membership>, DomainError> {
        let judge = judge::manager_of(seen, env, IdType::Organization, Role::from_slug(&self.role))?;
        if let Some(judge) = &judge {
            guard::allow(self.invited_by.is_none_or(|usr| usr == judge.acting.usr_id))?;
            judge::given(&self.role, seen).map_or(Ok(()), |role| judge.may_give_role(role, self.expires_at))?;
        }
        let org = check::found(seen.org.as_ref(), IdType::Organization)?;
        check::org_active(org)?;
        check::user_ok(seen.user.as_ref())?;
        let role = check::known_role(&self.role, seen.line.as_ref())?;
        if role == Role::Owner && self.expires_at.is_some() {
            return Err(Precondition::OwnerCannotExpire.into());
        }
        check::future(self.expires_at, env.now)?;
        let expired = check::room(seen.membership.as_ref(), env.now)?;
        check::seat_free(org, seen.seats)?;

        let mut draft = Draft::new(env);
        if role == Role::Owner {
            draft.advance_user(self.usr_id, seen.user.as_ref());
        }
        if let Some(expired) = expired {
            draft.make_room(org, expired, seen);
        }
        draft.rely_on_role(org, role, seen.line.as_ref());
        let invited_by = self.invited_by.or(judge.map(|judge| judge.acting.usr_id));
        let mem = Membership { invited_by, expires_at: self.expires_at, ..draft.new_membership(self.usr_id, self.org_id, role) };
        draft.change(Change::InsertMembership(mem.clone()));
        draft.event(org, EventType::MembershipAdded, &about(&mem), Fields::new(), added(&mem));
        Ok(draft.finish(mem))
    }
}

/// Gives a member another role: the row ends, and one that replaces it begins.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ChangeRole {
    /// Which membership.
    pub mem_id: MembershipId,
    /// The role's slug. The same role is a no-op.
    pub new_role: String,
}

impl ChangeRole {
    /// Gives this membership this role.
    pub fn new(mem_id: MembershipId, new_role: impl Into<String>) -> Self {
        Self { mem_id, new_role: new_role.into() }
    }
}

impl Command for ChangeRole {
    type Output = Membership;

    fn load(&self) -> Result<LoadSpec, DomainError> {
        Ok(LoadSpec::Member { mem: self.mem_id, peer: None, role: check::own_slug(&self.new_role) })
    }

    fn stakes(&self, seen: &Snapshot) -> Option<Stakes> {
        let users = seen.membership.iter().map(|mem| mem.usr_id).collect();
        Some(Stakes { users, ..Stakes::giving(judge::place(seen)?, judge::given(&self.new_role, seen)) })
    }

    fn decide(&self, seen: &Snapshot, env: &mut Env<'_>) -> Result<Decision<Membership>, DomainError> {
        let judge = judge::manager_of(seen, env, IdType::Membership, touched(seen).chain(Role::from_slug(&self.new_role)))?;
        if let (Some(judge), Some(role), Some(mem)) = (judge, judge::given(&self.new_role, seen), &seen.membership) {
            judge.may_change_role(mem, role)?;
        }
        let mem = check::found(seen.membership.as_ref(), IdType::Membership)?;
        let org = check::found(seen.org.as_ref(), IdType::Organization)?;
        check::mem_active(mem, env.now)?;
        check::org_active(org)?;
        let role = check::known_role(&self.new_role, seen.line.as_ref())?;
        if role == mem.role {
            let same = mem.clone();
            return Ok(Draft::new(env).finish(same));
        }
        if role == Role::Owner {
            check::user_ok(seen.user.as_ref())?;
        }
        check::not_sole_owner(mem, seen, env.now)?;

        let mut draft = Draft::new(env);
        if role == Role::Owner {
            draft.advance_user(mem.usr_id, seen.user.as_ref());
        }
        if mem.role == Role::Owner {
            draft.rely_on_owner(seen.other_owner.as_ref());
        }
        draft.rely_on_role(org, role, seen.line.as_ref());
        let next = draft.rotate(org, mem, role, seen.overrides);
        Ok(draft.finish(next))
    }
}

/// Changes a membership's fields in place; what is not named stays.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct UpdateMembership {
    /// Which membership.
    pub mem_id: MembershipId,
    /// From when on it no longer counts.
    pub expires_at: Patch<Timestamp>,
    /// What the application keeps there, as a whole: an object of at most 4096 bytes as JSON.
    pub metadata: Patch<Value>,
}

impl UpdateMembership {
    /// Changes nothing yet.
    pub const fn new(mem_id: MembershipId) -> Self {
        Self { mem_id, expires_at: Patch::Keep, metadata: Patch::Keep }
    }

    /// Sets or clears the end.
    #[must_use]
    pub const fn expires_at(mut self, end: Patch<Timestamp>) -> Self {
        self.expires_at = end;
        self
    }

    /// Replaces or clears the metadata.
    #[must_use]
    pub fn metadata(mut self, metadata: Patch<Value>) -> Self {
        self.metadata = metadata;
        self
    }
}

impl UpdateMembership {
    /// Whether the membership ends later than before, or no more.
    fn lengthens(&self, mem: &Membership) -> bool {
        let next = self.expires_at.apply_to(mem.expires_at);
        mem.expires_at.is_some_and(|end| next.is_none_or(|next| next > end))
    }
}

impl Command for UpdateMembership {
    type Output = Membership;

    fn load(&self) -> Result<LoadSpec, DomainError> {
        self.metadata.try_map(check::metadata)?;
        Ok(LoadSpec::Member { mem: self.mem_id, peer: None, role: None })
    }

    fn stakes(&self, seen: &Snapshot) -> Option<Stakes> {
        let org = judge::place(seen)?;
        let role = seen.membership.as_ref().filter(|mem| self.lengthens(mem)).map(|mem| mem.role);
        if role.is_some() { Some(Stakes::giving(org, role)) } else { Stakes::managing(Some(org)) }
    }

    fn decide(&self, seen: &Snapshot, env: &mut Env<'_>) -> Result<Decision<Membership>, DomainError> {
        let metadata = self.metadata.try_map(check::metadata)?;
        let judge = judge::manager_of(seen, env, IdType::Membership, touched(seen))?;
        if let (Some(judge), Some(mem)) = (judge, seen.membership.as_ref().filter(|mem| self.lengthens(mem))) {
            // To hold the role for longer is to be given it anew.
            judge.may_give_role(mem.role, self.expires_at.apply_to(mem.expires_at))?;
        }
        let mem = check::found(seen.membership.as_ref(), IdType::Membership)?;
        let org = check::found(seen.org.as_ref(), IdType::Organization)?;
        check::mem_active(mem, env.now)?;
        if let Patch::Set(end) = self.expires_at {
            if mem.role == Role::Owner {
                return Err(Precondition::OwnerCannotExpire.into());
            }
            check::future(Some(end), env.now)?;
        }
        let expires_at = self.expires_at.apply_to(mem.expires_at);
        let metadata = metadata.apply_to(Some(mem.metadata.clone())).unwrap_or_default();
        let next = Membership { expires_at, metadata, ..mem.clone() };
        let mut draft = Draft::new(env);
        if next == *mem {
            return Ok(draft.finish(next));
        }
        draft.change(Change::UpdateMembership {
            org_id: mem.org_id,
            id: mem.id,
            from: mem.expires_at,
            expires_at,
            metadata: next.metadata.clone(),
        });
        let side = |row: &Membership| {
            let mut fields = Fields::new();
            if mem.expires_at != next.expires_at {
                fields = fields.with("expires_at", row.expires_at.map(|end| end.to_string()));
            }
            if mem.metadata != next.metadata {
                fields = fields.with("metadata", row.metadata.to_value());
            }
            fields
        };
        draft.event(org, EventType::MembershipUpdated, &about(mem), side(mem), side(&next));
        let next = Membership { updated_at: draft.now(), ..next };
        Ok(draft.finish(next))
    }
}

/// The role of the membership that is acted on.
fn touched(seen: &Snapshot) -> impl Iterator<Item = Role> {
    seen.membership.as_ref().map(|mem| mem.role).into_iter()
}

macro_rules! on_membership {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq)]
        #[non_exhaustive]
        pub struct $name {
            /// Which membership.
            pub mem_id: MembershipId,
        }

        impl $name {
            /// For this membership.
            pub const fn new(mem_id: MembershipId) -> Self {
                Self { mem_id }
            }
        }
    };
}

on_membership!(
    /// Pauses a membership in place. Refused for the only acting owner.
    SuspendMembership
);
on_membership!(
    /// Puts a suspended membership back in force, with the role that it had.
    ReinstateMembership
);

fn status_fields(status: MembershipStatus) -> Fields {
    Fields::new().with("status", status.as_str())
}

impl Command for SuspendMembership {
    type Output = Membership;

    fn load(&self) -> Result<LoadSpec, DomainError> {
        Ok(LoadSpec::Member { mem: self.mem_id, peer: None, role: None })
    }

    fn stakes(&self, seen: &Snapshot) -> Option<Stakes> {
        Stakes::managing(judge::place(seen))
    }

    fn decide(&self, seen: &Snapshot, env: &mut Env<'_>) -> Result<Decision<Membership>, DomainError> {
        judge::manager_of(seen, env, IdType::Membership, touched(seen))?;
        let mem = check::found(seen.membership.as_ref(), IdType::Membership)?;
        let org = check::found(seen.org.as_ref(), IdType::Organization)?;
        check::mem_active(mem, env.now)?;
        check::not_sole_owner(mem, seen, env.now)?;

        let mut draft = Draft::new(env);
        if mem.role == Role::Owner {
            draft.rely_on_owner(seen.other_owner.as_ref());
        }
        let next = draft.set_status(mem, MembershipStatus::Suspended, None);
        let (before, after) = (status_fields(mem.status), status_fields(next.status));
        draft.event(org, EventType::MembershipSuspended, &about(mem), before, after);
        Ok(draft.finish(next))
    }
}

impl Command for ReinstateMembership {
    type Output = Membership;

    fn load(&self) -> Result<LoadSpec, DomainError> {
        Ok(LoadSpec::Member { mem: self.mem_id, peer: None, role: None })
    }

    fn stakes(&self, seen: &Snapshot) -> Option<Stakes> {
        Stakes::managing(judge::place(seen))
    }

    fn decide(&self, seen: &Snapshot, env: &mut Env<'_>) -> Result<Decision<Membership>, DomainError> {
        judge::manager_of(seen, env, IdType::Membership, touched(seen))?;
        let mem = check::found(seen.membership.as_ref(), IdType::Membership)?;
        let org = check::found(seen.org.as_ref(), IdType::Organization)?;
        if mem.status != MembershipStatus::Suspended {
            return Err(Precondition::InvalidTransition.into());
        }
        check::future(mem.expires_at, env.now)?;
        check::org_active(org)?;

        let mut draft = Draft::new(env);
        if mem.role == Role::Owner {
            draft.advance_user(mem.usr_id, seen.user.as_ref());
        }
        let next = draft.set_status(mem, MembershipStatus::Active, None);
        let (before, after) = (status_fields(mem.status), status_fields(next.status));
        draft.event(org, EventType::MembershipReinstated, &about(mem), before, after);
        Ok(draft.finish(next))
    }
}

/// Ends one's own membership, handing ownership over where a successor is named.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SelfLeave {
    /// Which membership.
    pub mem_id: MembershipId,
    /// Who becomes owner in the same commit; only an owner may name someone.
    pub transfer_to: Option<UserId>,
}

impl SelfLeave {
    /// Without a successor.
    pub const fn new(mem_id: MembershipId) -> Self {
        Self { mem_id, transfer_to: None }
    }

    /// With a successor.
    #[must_use]
    pub const fn transfer_to(mut self, usr_id: UserId) -> Self {
        self.transfer_to = Some(usr_id);
        self
    }
}

impl Command for SelfLeave {
    type Output = Membership;

    fn load(&self) -> Result<LoadSpec, DomainError> {
        Ok(LoadSpec::Member { mem: self.mem_id, peer: self.transfer_to, role: None })
    }

    fn stakes(&self, seen: &Snapshot) -> Option<Stakes> {
        let given = self.transfer_to.map(|_| Role::Owner);
        let users = self.transfer_to.into_iter().collect();
        Some(Stakes { below: true, users, ..Stakes::giving(judge::place(seen)?, given) })
    }

    fn decide(&self, seen: &Snapshot, env: &mut Env<'_>) -> Result<Decision<Membership>, DomainError> {
        if let Some(judge) = judge::member(seen, env, IdType::Membership)? {
            guard::allow(seen.membership.as_ref().is_some_and(|mem| mem.usr_id == judge.acting.usr_id))?;
            judge.may_leave(env.ancestor_read)?;
            if self.transfer_to.is_some() && judge.acting.role == Role::Owner {
                judge.may_make_owner(seen.peer.as_ref())?;
            }
        }
        let mem = check::found(seen.membership.as_ref(), IdType::Membership)?;
        let org = check::found(seen.org.as_ref(), IdType::Organization)?;
        check::mem_active(mem, env.now)?;
        let successor = if let Some(usr_id) = self.transfer_to {
            if mem.role != Role::Owner {
                return Err(Precondition::FromNotOwner.into());
            }
            if usr_id == mem.usr_id {
                return Err(Precondition::SelfTransfer.into());
            }
            let peer = seen.peer.as_ref().filter(|peer| check::is_active(peer, env.now));
            let peer = check::found(peer, IdType::Membership)?;
            check::user_ok(seen.peer_user.as_ref())?;
            Some(peer)
        } else {
            check::not_sole_owner(mem, seen, env.now)?;
            None
        };

        let mut draft = Draft::new(env);
        match successor {
            Some(peer) if peer.role == Role::Owner => {
                draft.rely_on_user(peer.usr_id, seen.peer_user.as_ref().map(|user| user.revision));
            }
            Some(peer) => {
                draft.advance_user(peer.usr_id, seen.peer_user.as_ref());
                draft.rotate(org, peer, Role::Owner, seen.peer_overrides);
            }
            None if mem.role == Role::Owner => draft.rely_on_owner(seen.other_owner.as_ref()),
            None => {}
        }
        let (left, after) = draft.end(mem, None, seen);
        draft.event(org, EventType::MembershipLeft, &about(mem), status_fields(mem.status), after);
        Ok(draft.finish(left))
    }
}

/// Ends another's membership.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct AdminRemove {
    /// Which membership.
    pub mem_id: MembershipId,
    /// Who removes it: an owner or admin of the same organization.
    pub admin_usr_id: UserId,
}

impl AdminRemove {
    /// This membership, by this user.
    pub const fn new(mem_id: MembershipId, admin_usr_id: UserId) -> Self {
        Self { mem_id, admin_usr_id }
    }
}

impl Command for AdminRemove {
    type Output = Membership;

    fn load(&self) -> Result<LoadSpec, DomainError> {
        Ok(LoadSpec::Member { mem: self.mem_id, peer: Some(self.admin_usr_id), role: None })
    }

    fn stakes(&self, seen: &Snapshot) -> Option<Stakes> {
        // Who removes themselves leaves.
        let leaves = seen.membership.as_ref().is_some_and(|mem| mem.usr_id == self.admin_usr_id);
        let org = judge::place(seen)?;
        if leaves { Some(Stakes { below: true, ..Stakes::all([org]) }) } else { Stakes::managing(Some(org)) }
    }

    fn decide(&self, seen: &Snapshot, env: &mut Env<'_>) -> Result<Decision<Membership>, DomainError> {
        if let Some(judge) = judge::member(seen, env, IdType::Membership)? {
            guard::allow(self.admin_usr_id == judge.acting.usr_id)?;
            if judge.acting.manages() {
                // Of others the operation's own checks say more.
                judge.manages()?;
            }
            if seen.membership.as_ref().is_some_and(|mem| mem.usr_id == self.admin_usr_id) {
                judge.may_leave(env.ancestor_read)?;
            }
        }
        let mem = check::found(seen.membership.as_ref(), IdType::Membership)?;
        let org = check::found(seen.org.as_ref(), IdType::Organization)?;
        let now = env.now;
        if !matches!(mem.status_at(now), MembershipStatus::Active | MembershipStatus::Suspended) {
            return Err(Precondition::MemNotActive.into());
        }
        let live = |admin: &&Membership| check::is_active(admin, now) && seen.org_live && check::user_ok(seen.peer_user.as_ref()).is_ok();
        let admin = seen.peer.as_ref().filter(live).ok_or(DomainError::Forbidden)?;
        if !matches!(admin.role, Role::Owner | Role::Admin) {
            return Err(DomainError::Forbidden);
        }
        if mem.role == Role::Owner || admin.role.rank() < mem.role.rank() {
            return Err(DomainError::RoleHierarchy);
        }

        let mut draft = Draft::new(env);
        let (removed, after) = draft.end(mem, Some(self.admin_usr_id), seen);
        let after = after.with("removed_by", self.admin_usr_id.to_string());
        draft.event(org, EventType::MembershipRemoved, &[mem.id.any(), mem.usr_id.any()], status_fields(mem.status), after);
        Ok(draft.finish(removed))
    }
}
