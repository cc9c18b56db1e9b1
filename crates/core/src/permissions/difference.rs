//! What somebody gains and loses between two states (`spec/organizations.md#preview_move_org`).

use serde::Serialize;

use super::facts::Facts;
use super::resolve::{Ask, resolve};
use crate::error::DomainError;
use crate::id::{OrgId, UserId};
use crate::value::PermissionSlug;

/// What a user could do in an organization that they cannot do now, and the other way round.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct AccessChange {
    /// Where.
    pub org_id: OrgId,
    /// Who.
    pub usr_id: UserId,
    /// What they could do then and cannot do now, in order.
    pub gained: Vec<PermissionSlug>,
    /// What they can do now and could not do then, in order.
    pub lost: Vec<PermissionSlug>,
}

impl AccessChange {
    /// Whether nothing changes.
    pub(crate) fn is_nothing(&self) -> bool {
        self.gained.is_empty() && self.lost.is_empty()
    }
}

/// What changes between two states, leaving open what of it the catalog has.
pub(crate) fn difference(before: &Facts, after: &Facts, ask: Ask<'_>) -> Result<AccessChange, DomainError> {
    let (before, after) = (resolve(before, ask)?.permissions, resolve(after, ask)?.permissions);
    let (gained, lost) = (after.difference(&before).cloned().collect(), before.difference(&after).cloned().collect());
    Ok(AccessChange { org_id: ask.org, usr_id: ask.usr, gained, lost })
}
