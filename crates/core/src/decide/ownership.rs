//! Handing ownership from one member to another: `spec/memberships.md#transfer_ownership`.

use serde::Serialize;

use super::{Command, Decision, Env, Stakes, check, draft::Draft, guard, judge};
use crate::entity::Membership;
use crate::error::{DomainError, Precondition};
use crate::id::{IdType, MembershipId, OrgId};
use crate::load::{LoadSpec, Snapshot};
use crate::role::Role;

/// Makes one member owner and another, who was, a plain member.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct TransferOwnership {
    /// Where.
    pub org_id: OrgId,
    /// The owner's membership.
    pub from_mem_id: MembershipId,
    /// The membership that takes over.
    pub to_mem_id: MembershipId,
}

impl TransferOwnership {
    /// From one membership to another.
    pub const fn new(org_id: OrgId, from_mem_id: MembershipId, to_mem_id: MembershipId) -> Self {
        Self { org_id, from_mem_id, to_mem_id }
    }
}

/// What [`TransferOwnership`] answers: the rows that are now in force.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct TransferredOwnership {
    /// The former owner's row, as member.
    pub from_membership: Membership,
    /// The owner's row.
    pub to_membership: Membership,
}

impl Command for TransferOwnership {
    type Output = TransferredOwnership;

    fn load(&self) -> Result<LoadSpec, DomainError> {
        Ok(LoadSpec::Pair { org: self.org_id, from: self.from_mem_id, to: self.to_mem_id })
    }

    fn stakes(&self, seen: &Snapshot) -> Option<Stakes> {
        let users = seen.peer.iter().map(|peer| peer.usr_id).collect();
        Some(Stakes { users, ..Stakes::giving(seen.membership.as_ref()?.org_id, [Role::Owner, Role::Member]) })
    }

    fn decide(&self, seen: &Snapshot, env: &mut Env<'_>) -> Result<Decision<TransferredOwnership>, DomainError> {
        let judge = judge::member(seen, env, IdType::Membership)?;
        if let Some(judge) = &judge {
            let is_theirs = |mem: &Membership| mem.usr_id == judge.acting.usr_id && mem.role == Role::Owner;
            guard::allow(seen.membership.as_ref().is_some_and(is_theirs))?;
            judge.may_make_owner(seen.peer.as_ref())?;
            judge.may_give_role(Role::Member, None)?;
        }
        let from = check::found(seen.membership.as_ref(), IdType::Membership)?;
        // What is in another organization is out of a guarded caller's sight.
        let to = seen.peer.as_ref().filter(|peer| judge.is_none() || peer.org_id == from.org_id);
        let to = check::found(to, IdType::Membership)?;
        if !check::is_active(from, env.now) {
            return Err(Precondition::FromNotActive.into());
        }
        if !check::is_active(to, env.now) {
            return Err(Precondition::ToNotActive.into());
        }
        // An unknown organization is, here, one that the memberships are not of.
        let org = match &seen.org {
            Some(org) if from.org_id == org.id && to.org_id == org.id => org,
            _ => return Err(Precondition::OrgMismatch.into()),
        };
        check::org_active(org)?;
        if from.role != Role::Owner {
            return Err(Precondition::FromNotOwner.into());
        }
        if from.usr_id == to.usr_id {
            return Err(Precondition::SelfTransfer.into());
        }
        check::user_ok(seen.peer_user.as_ref())?;

        let mut draft = Draft::new(env);
        let to_membership = if to.role == Role::Owner {
            draft.rely_on_user(to.usr_id, seen.peer_user.as_ref().map(|user| user.revision));
            to.clone()
        } else {
            draft.advance_user(to.usr_id, seen.peer_user.as_ref());
            draft.rotate(org, to, Role::Owner, seen.peer_overrides)
        };
        let from_membership = draft.rotate(org, from, Role::Member, seen.overrides);
        Ok(draft.finish(TransferredOwnership { from_membership, to_membership }))
    }
}
