//! Why a permission is there, or is not (spec/permissions.md#explain).

use serde::Serialize;

use super::facts::{Facts, Ground};
use super::resolve::{Ask, Layer, Witness, resolve_watched};
use super::token::PermissionToken;
use crate::access::Effect;
use crate::error::DomainError;
use crate::id::{AnyId, MembershipId, OrgId, RoleId};
use crate::value::{PermissionSlug, RoleSlug};

/// Why a user may do something in an organization, or may not.
///
/// Replaying the steps yields the answer: begin with no, take each step's effect where it has one, and what is left at the end is
/// [`allowed`](Self::allowed).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Explanation {
    /// Whether they may.
    pub allowed: bool,
    /// What decided, where they may.
    pub decided_by: Option<DecidedBy>,
    /// Why not, where they may not.
    #[serde(flatten)]
    pub reason: Reason,
    /// Each layer in order, with the rows of it that concern the permission.
    pub steps: Vec<Step>,
    /// The membership that was looked at.
    pub membership_id: Option<MembershipId>,
    /// What would allow it, where nothing does, the least first.
    pub nearest_grant: Vec<Remedy>,
    /// The state that this was resolved in.
    pub token: PermissionToken,
}

/// The layer that had the last word.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct DecidedBy {
    /// Which layer.
    pub layer: Layer,
    /// Its rows.
    pub rows: Vec<AnyId>,
}

/// What one layer did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Step {
    /// Which layer.
    pub layer: Layer,
    /// Whether it gave the permission or took it away; null where it did neither.
    pub effect: Option<Effect>,
    /// The rows by which it did.
    pub rows: Vec<AnyId>,
    /// Whether the permission is there behind it.
    pub held: bool,
}

/// The reason as it is written: two fields beside the others.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Reason {
    /// Why not; null where they may.
    pub reason: Option<DenialReason>,
    /// The organization that denies it, where one does.
    pub denied_by_org_id: Option<OrgId>,
}

/// Why somebody may not do something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum DenialReason {
    /// The catalog has no such permission.
    UnknownPermission,
    /// The organization, or one above it, is not active.
    OrgNotActive,
    /// The user's row is not active.
    UserNotActive,
    /// There is no membership here, and none above that reaches here.
    NoMembership,
    /// The membership is suspended, or has expired.
    MembershipNotActive,
    /// No layer gives it.
    NotGranted,
    /// An organization of the chain denies it.
    DeniedByOrg,
    /// The membership itself is denied it.
    DeniedByMembership,
}

impl DenialReason {
    /// The wire form.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::UnknownPermission => "unknown_permission",
            Self::OrgNotActive => "org_not_active",
            Self::UserNotActive => "user_not_active",
            Self::NoMembership => "no_membership",
            Self::MembershipNotActive => "membership_not_active",
            Self::NotGranted => "not_granted",
            Self::DeniedByOrg => "denied_by_org",
            Self::DeniedByMembership => "denied_by_membership",
        }
    }
}

/// What would allow it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "do")]
#[non_exhaustive]
pub enum Remedy {
    /// Hold this role, which the organization knows, by a membership or a group.
    HoldRole {
        /// Which.
        role_id: RoleId,
        /// Its slug.
        slug: RoleSlug,
    },
    /// Grant it to this membership.
    GrantMembership {
        /// Which.
        mem_id: MembershipId,
    },
    /// Grant it in this organization.
    GrantOrg {
        /// Which.
        org_id: OrgId,
    },
    /// Clear the denial of this membership.
    ClearMembershipDeny {
        /// Which.
        mem_id: MembershipId,
    },
    /// Reinstate the membership, or give it another end.
    ReviveMembership {
        /// Which.
        mem_id: MembershipId,
    },
}

/// The most roles that a remedy names.
const REMEDIES: usize = 20;

/// Writes down what each layer does to one permission.
struct Scribe {
    steps: Vec<Step>,
    stopped: Option<DenialReason>,
    membership: Option<MembershipId>,
    denied_by: Option<OrgId>,
}

impl Witness for Scribe {
    fn row(&mut self, _permission: &PermissionSlug, layer: Layer, rows: &[AnyId]) {
        if let Some(step) = self.steps.iter_mut().find(|step| step.layer == layer) {
            step.effect = Some(layer.effect());
            step.rows.extend(rows.iter().filter(|id| !step.rows.contains(id)).copied().collect::<Vec<_>>());
        }
    }

    fn membership(&mut self, id: MembershipId, _active: bool) {
        self.membership = Some(id);
    }

    fn stop(&mut self, reason: DenialReason) {
        self.stopped = Some(reason);
    }

    fn denied_by(&mut self, org: OrgId) {
        self.denied_by = Some(org);
    }
}

/// Why a user may do something, or may not.
pub(crate) fn explain(facts: &Facts, ask: Ask<'_>, permission: &PermissionSlug) -> Result<Explanation, DomainError> {
    let step = |layer: &Layer| Step { layer: *layer, effect: None, rows: Vec::new(), held: false };
    let mut scribe = Scribe { steps: Layer::ALL.iter().map(step).collect(), stopped: None, membership: None, denied_by: None };
    let found = resolve_watched(facts, Ask { only: Some(permission), ..ask }, &mut scribe)?;
    let unknown = !facts.is_known(permission);
    let Scribe { mut steps, stopped, membership, denied_by } = scribe;
    if unknown {
        for step in &mut steps {
            (step.effect, step.rows) = (None, Vec::new());
        }
    }
    let mut held = false;
    for step in &mut steps {
        held = step.effect.map_or(held, |effect| effect == Effect::Grant);
        step.held = held;
    }
    let allowed = !unknown && found.permissions.contains(permission);
    let took = |layer: Layer| steps.iter().any(|step| step.layer == layer && step.effect.is_some());
    let reason = if allowed {
        None
    } else if unknown {
        Some(DenialReason::UnknownPermission)
    } else if stopped.is_some() {
        stopped
    } else if took(Layer::MembershipDeny) {
        Some(DenialReason::DeniedByMembership)
    } else if took(Layer::OrganizationDeny) {
        Some(DenialReason::DeniedByOrg)
    } else {
        Some(DenialReason::NotGranted)
    };
    let last = steps.iter().rev().find(|step| step.effect == Some(Effect::Grant)).filter(|_| allowed);
    let decided_by = last.map(|step| DecidedBy { layer: step.layer, rows: step.rows.clone() });
    let denied_by_org_id = denied_by.filter(|_| reason == Some(DenialReason::DeniedByOrg));
    let nearest_grant = reason.map(|reason| remedies(facts, ask, permission, reason, membership)).unwrap_or_default();
    Ok(Explanation {
        allowed,
        decided_by,
        reason: Reason { reason, denied_by_org_id },
        steps,
        membership_id: membership,
        nearest_grant,
        token: found.token,
    })
}

fn remedies(
    facts: &Facts,
    ask: Ask<'_>,
    permission: &PermissionSlug,
    reason: DenialReason,
    membership: Option<MembershipId>,
) -> Vec<Remedy> {
    let line: Vec<OrgId> = facts.org(ask.org).map(|org| org.ancestors.iter().copied().chain([org.id]).collect()).unwrap_or_default();
    let known_here = |role: &&super::RoleFacts| role.org_id.is_none_or(|org| line.contains(&org));
    let slug = |role: &super::RoleFacts| RoleSlug::parse(role.role.slug());
    let roles = || {
        let roles = facts.grantors(permission, ask.now).filter(known_here).take(REMEDIES);
        roles.filter_map(|role| Some(Remedy::HoldRole { role_id: role.role.id(), slug: slug(role)? }))
    };
    let grant = membership.map(|mem_id| Remedy::GrantMembership { mem_id });
    match reason {
        DenialReason::UnknownPermission | DenialReason::OrgNotActive | DenialReason::UserNotActive => Vec::new(),
        DenialReason::NoMembership => roles().collect(),
        DenialReason::MembershipNotActive => membership.map(|mem_id| Remedy::ReviveMembership { mem_id }).into_iter().collect(),
        DenialReason::NotGranted => roles().chain(grant).chain([Remedy::GrantOrg { org_id: ask.org }]).collect(),
        DenialReason::DeniedByOrg => grant.into_iter().chain([Remedy::GrantOrg { org_id: ask.org }]).collect(),
        DenialReason::DeniedByMembership => membership.map(|mem_id| Remedy::ClearMembershipDeny { mem_id }).into_iter().collect(),
    }
}
