//! All that somebody may do in an organization, each with what decided it (`spec/permissions.md#review_permissions`).

use std::collections::BTreeMap;

use serde::Serialize;

use super::explain::{DecidedBy, DenialReason};
use super::facts::{Facts, Ground};
use super::resolve::{Ask, Layer, Witness, resolve_watched};
use crate::access::Effect;
use crate::error::DomainError;
use crate::id::{AnyId, MembershipId, OrgId, UserId};
use crate::role::Role;
use crate::value::PermissionSlug;

/// What one user may do in an organization, and by what: a row of an access review.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct UserAccess {
    /// Who.
    pub usr_id: UserId,
    /// The membership that it comes from, or that would decide if it were in force.
    pub membership_id: Option<MembershipId>,
    /// Its role, where it is in force.
    pub role: Option<Role>,
    /// The organization of the membership, where it is one above.
    pub inherited_from_org_id: Option<OrgId>,
    /// Why they may do nothing, whatever is granted; null where that is not so.
    pub reason: Option<DenialReason>,
    /// What they may do, in order.
    pub permissions: Vec<HeldPermission>,
}

/// Something that a user may do, and what had the last word.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct HeldPermission {
    /// What.
    pub permission: PermissionSlug,
    /// By what.
    pub decided_by: DecidedBy,
}

/// Writes down which layer gave each permission last.
#[derive(Default)]
struct Ledger {
    last: BTreeMap<PermissionSlug, DecidedBy>,
    membership: Option<MembershipId>,
    stopped: Option<DenialReason>,
}

impl Witness for Ledger {
    fn row(&mut self, permission: &PermissionSlug, layer: Layer, rows: &[AnyId]) {
        // What a denial takes away is not among what is held in the end, unless a later layer gives it again.
        if layer.effect() != Effect::Grant {
            return;
        }
        match self.last.get_mut(permission) {
            Some(last) if last.layer == layer => {
                for row in rows {
                    if !last.rows.contains(row) {
                        last.rows.push(*row);
                    }
                }
            }
            _ => drop(self.last.insert(permission.clone(), DecidedBy { layer, rows: rows.to_vec() })),
        }
    }

    fn membership(&mut self, id: MembershipId, _active: bool) {
        self.membership = Some(id);
    }

    fn stop(&mut self, reason: DenialReason) {
        self.stopped = Some(reason);
    }
}

/// What a user may do, leaving open which of it the catalog has; nothing where no membership concerns them there and they may do
/// nothing either.
pub(crate) fn review(facts: &Facts, ask: Ask<'_>) -> Result<Option<UserAccess>, DomainError> {
    let mut ledger = Ledger::default();
    let found = resolve_watched(facts, ask, &mut ledger)?;
    let Ledger { mut last, membership, stopped } = ledger;
    // Where nothing is looked at, for the organization or the user is not active, the row of their own is told all the same.
    let membership_id = membership.or_else(|| facts.membership(ask.usr, ask.org).map(|held| held.id));
    if membership_id.is_none() && found.permissions.is_empty() {
        return Ok(None);
    }
    let held = |permission: PermissionSlug| {
        let decided_by = last.remove(&permission)?;
        Some(HeldPermission { permission, decided_by })
    };
    Ok(Some(UserAccess {
        usr_id: ask.usr,
        membership_id,
        role: found.role,
        inherited_from_org_id: found.inherited_from_org_id,
        reason: stopped,
        permissions: found.permissions.into_iter().filter_map(held).collect(),
    }))
}
