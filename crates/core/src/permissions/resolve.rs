//! The layers, in order (spec/permissions.md#resolution).

use std::borrow::Borrow;
use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::facts::{Ground, Held, OrgFacts};
use super::policy::AncestorReadPolicy;
use super::token::PermissionToken;
use crate::access::{Effect, Holder};
use crate::entity::{MembershipStatus, UserStatus, are_live};
use crate::error::DomainError;
use crate::id::{AnyId, GroupId, Id, IdType, MembershipId, OrgId, RoleId, UserId};
use crate::role::Role;
use crate::time::Timestamp;
use crate::value::PermissionSlug;

macro_rules! layers {
    ($($(#[doc = $doc:literal])+ $variant:ident = $text:literal, $effect:ident;)+) => {
        /// A layer of a resolution. A later one has the last word over an earlier one.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
        #[serde(rename_all = "snake_case")]
        #[non_exhaustive]
        pub enum Layer {
            $($(#[doc = $doc])+ $variant,)+
        }

        impl Layer {
            /// Every layer, in order of precedence: the last one wins.
            pub const ALL: &[Self] = &[$(Self::$variant),+];

            /// The wire form.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text),+ }
            }

            /// What it does to a permission.
            pub const fn effect(self) -> Effect {
                match self { $(Self::$variant => Effect::$effect),+ }
            }

            /// What it is, in one sentence.
            pub const fn sentence(self) -> &'static str {
                match self { $(Self::$variant => concat!($($doc),+)),+ }
            }
        }
    };
}

layers! {
    /// What the organization grants all its members, itself or by what it takes over from above.
    OrganizationGrant = "organization_grant", Grant;
    /// What the role of the membership grants.
    Role = "role", Grant;
    /// What the roles of the user's groups in the organization grant.
    Groups = "groups", Grant;
    /// What the organization, or one above it, denies, and no nearer one grants again.
    OrganizationDeny = "organization_deny", Deny;
    /// What the membership itself is granted.
    MembershipGrant = "membership_grant", Grant;
    /// What the membership itself is denied.
    MembershipDeny = "membership_deny", Deny;
    /// What a policy lets members of an organization below read here.
    AncestorRead = "ancestor_read", Grant;
}

/// What a user may do in an organization, and from where.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct EffectivePermissions {
    /// What they may do, in order.
    pub permissions: BTreeSet<PermissionSlug>,
    /// The membership that it comes from.
    pub membership_id: Option<MembershipId>,
    /// Its role.
    pub role: Option<Role>,
    /// The user's groups in the organization, in order of id.
    pub group_ids: Vec<GroupId>,
    /// What the membership itself is denied, in order.
    pub denied: Vec<PermissionSlug>,
    /// The organization of the membership, where it is one above.
    pub inherited_from_org_id: Option<OrgId>,
    /// The organizations, root first, that grant all members something that is left at the end.
    pub contributing_org_ids: Vec<OrgId>,
    /// The state that this was resolved in.
    pub token: PermissionToken,
    /// How long it is the answer in that state: nothing of it comes to its end meanwhile. Not on the wire.
    #[serde(skip)]
    pub span: Span,
}

/// A stretch of time in which nothing that an answer rests on comes to its end.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Span {
    /// The last end before it, where something had ended.
    pub since: Option<Timestamp>,
    /// The next end, where something will end.
    pub until: Option<Timestamp>,
}

impl Span {
    /// Whether a moment lies in it.
    pub fn contains(self, at: Timestamp) -> bool {
        self.since.is_none_or(|since| since <= at) && self.until.is_none_or(|until| at < until)
    }

    /// What both have in common.
    fn and(self, other: Self) -> Self {
        let until = [self.until, other.until].into_iter().flatten().min();
        Self { since: self.since.max(other.since), until }
    }
}

/// The moment of a resolution, which notes what it was compared with: between the ends next to it, every comparison has the same outcome.
struct Moment {
    now: Timestamp,
    span: Cell<Span>,
}

impl Moment {
    fn new(now: Timestamp) -> Self {
        Self { now, span: Cell::new(Span::default()) }
    }

    /// Whether something with this end counts.
    fn counts(&self, end: Option<Timestamp>) -> bool {
        let Some(end) = end else { return true };
        let counts = self.now < end;
        let seen = if counts { Span { since: None, until: Some(end) } } else { Span { since: Some(end), until: None } };
        self.note(seen);
        counts
    }

    fn note(&self, seen: Span) {
        self.span.set(self.span.get().and(seen));
    }
}

impl EffectivePermissions {
    /// Whether a permission is among them.
    pub fn allows(&self, permission: &str) -> bool {
        PermissionSlug::parse(permission).is_some_and(|slug| self.permissions.contains(&slug))
    }
}

/// Told what each layer does to the permissions, row by row.
pub(super) trait Witness {
    /// A layer's row gives or takes away a permission; whether that makes a difference is told by the layer's place.
    fn row(&mut self, _permission: &PermissionSlug, _layer: Layer, _rows: &[AnyId]) {}
    /// The membership that was found, and whether it is in force.
    fn membership(&mut self, _id: MembershipId, _active: bool) {}
    /// Why nothing was looked at further.
    fn stop(&mut self, _reason: super::DenialReason) {}
    /// An organization of the chain denies it, and no nearer one grants it again.
    fn denied_by(&mut self, _org: OrgId) {}
}

/// Who does not listen.
struct Deaf;

impl Witness for Deaf {}

/// What a resolution is about.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ask<'a> {
    pub(crate) usr: UserId,
    pub(crate) org: OrgId,
    pub(crate) now: Timestamp,
    /// Only this permission.
    pub(crate) only: Option<&'a PermissionSlug>,
    pub(crate) policy: Option<&'a AncestorReadPolicy>,
}

/// Everything that a user may do in an organization; `not_found` when that does not exist.
pub(crate) fn resolve(ground: &impl Ground, ask: Ask<'_>) -> Result<EffectivePermissions, DomainError> {
    resolve_watched(ground, ask, &mut Deaf)
}

/// Whether a user may do one thing in an organization. Whether the catalog has it is asked before.
pub(crate) fn holds(ground: &impl Ground, ask: Ask<'_>, permission: &PermissionSlug) -> Result<bool, DomainError> {
    Ok(held(ground, Ask { only: Some(permission), ..ask })?.permissions.contains(permission))
}

/// As [`resolve`], without a token: where nothing is asked but what is held, revisions need not be known.
pub(crate) fn held(ground: &impl Ground, ask: Ask<'_>) -> Result<EffectivePermissions, DomainError> {
    let (chain, is_whole) = chain(ground, ask.org).ok_or(DomainError::NotFound(IdType::Organization))?;
    let token = PermissionToken { system: 0, user: None, orgs: Vec::new() };
    Ok(walk(ground, ask, (&chain, is_whole), token, &mut Deaf))
}

pub(super) fn resolve_watched<W: Witness>(
    ground: &impl Ground,
    ask: Ask<'_>,
    witness: &mut W,
) -> Result<EffectivePermissions, DomainError> {
    let whole = chain(ground, ask.org).ok_or(DomainError::NotFound(IdType::Organization))?;
    let token = token_over(ground, ask, &whole.0);
    Ok(walk(ground, ask, (&whole.0, whole.1), token, witness))
}

/// The layers, for an organization whose chain was found, and whether all of that is there.
fn walk<W: Witness>(
    ground: &impl Ground,
    ask: Ask<'_>,
    (chain, is_whole): (&[&OrgFacts], bool),
    token: PermissionToken,
    witness: &mut W,
) -> EffectivePermissions {
    let Ask { usr, now, policy, .. } = ask;
    let user = ground.user(usr);
    let moment = &Moment::new(now);
    let mut result = EffectivePermissions {
        permissions: BTreeSet::new(),
        membership_id: None,
        role: None,
        group_ids: Vec::new(),
        denied: Vec::new(),
        inherited_from_org_id: None,
        contributing_org_ids: Vec::new(),
        token,
        span: Span::default(),
    };
    if !(is_whole && are_live(chain.iter().map(|org| org.status))) {
        witness.stop(super::DenialReason::OrgNotActive);
        return result;
    }
    if user.is_some_and(|(status, _)| status != UserStatus::Active) {
        witness.stop(super::DenialReason::UserNotActive);
        return result;
    }
    match membership(ground, usr, chain, moment) {
        Found::Here(held) => compose(ground, (ask, moment), chain, (held, None), witness, &mut result),
        Found::Above(held, from) => compose(ground, (ask, moment), chain, (held, Some(from)), witness, &mut result),
        Found::NotActive(held) => {
            witness.membership(held.id, false);
            witness.stop(super::DenialReason::MembershipNotActive);
        }
        Found::None => {
            if let Some(policy) = policy {
                read_from_below(ground, (ask, moment), policy, chain, witness, &mut result);
            }
            if result.permissions.is_empty() {
                witness.stop(super::DenialReason::NoMembership);
            }
        }
    }
    result.span = moment.span.get();
    result
}

/// The state that a resolution rests on; `not_found` when the organization does not exist. Each organization whose rows it may look at is
/// in it, whatever they say: with a policy, those below where the user has a membership too, so that no row can come in unnoticed.
pub(crate) fn token(ground: &impl Ground, ask: Ask<'_>) -> Result<PermissionToken, DomainError> {
    let (chain, _) = chain(ground, ask.org).ok_or(DomainError::NotFound(IdType::Organization))?;
    Ok(token_over(ground, ask, &chain))
}

fn token_over(ground: &impl Ground, ask: Ask<'_>, chain: &[&OrgFacts]) -> PermissionToken {
    let stored = chain.last().map(|target| target.ancestors.as_slice()).unwrap_or_default();
    let revision = |org: OrgId| chain.iter().find(|row| row.id == org).map_or(0, |row| row.revision);
    let mut orgs: Vec<(OrgId, u64)> = stored.iter().chain([&ask.org]).map(|org| (*org, revision(*org))).collect();
    if let Some(policy) = ask.policy {
        let mut below = BTreeSet::new();
        for lower in ground.below(ask.usr, ask.org, policy.depth()) {
            below.extend(ground.org(lower).into_iter().flat_map(|org| &org.ancestors));
            below.insert(lower);
        }
        let further: Vec<(OrgId, u64)> = below
            .into_iter()
            .filter(|org| orgs.iter().all(|(id, _)| id != org))
            .map(|org| (org, ground.org(org).map_or(0, |row| row.revision)))
            .collect();
        orgs.extend(further);
    }
    PermissionToken { system: ground.system_revision(), user: ground.user(ask.usr).map(|(_, revision)| revision), orgs }
}

/// The organization and all above it, root first, and whether all of them are there; `None` when it does not exist itself.
pub(crate) fn chain(ground: &impl Ground, org: OrgId) -> Option<(Vec<&OrgFacts>, bool)> {
    let target = ground.org(org)?;
    let mut chain = Vec::with_capacity(target.ancestors.len() + 1);
    chain.extend(target.ancestors.iter().filter_map(|id| ground.org(*id)));
    let is_whole = chain.len() == target.ancestors.len();
    chain.push(target);
    Some((chain, is_whole))
}

/// Step 1: which membership decides.
enum Found {
    Here(Held),
    NotActive(Held),
    Above(Held, OrgId),
    None,
}

fn is_active(held: &Held, moment: &Moment) -> bool {
    held.status == MembershipStatus::Active && moment.counts(held.expires_at)
}

fn membership(ground: &impl Ground, usr: UserId, chain: &[&OrgFacts], moment: &Moment) -> Found {
    let Some((target, above)) = chain.split_last() else { return Found::None };
    if let Some(held) = ground.membership(usr, target.id) {
        // The direct row decides, whatever is above.
        return if is_active(&held, moment) { Found::Here(held) } else { Found::NotActive(held) };
    }
    for org in above.iter().rev() {
        let held = ground.membership(usr, org.id).filter(|held| is_active(held, moment));
        let reaches = |held: &Held| ground.role(held.role.id()).is_some_and(|role| role.inherits_to_descendants);
        if let Some(held) = held.filter(reaches) {
            return Found::Above(held, org.id);
        }
    }
    Found::None
}

/// What the chain of organizations grants and denies all members of the last one.
pub(crate) struct Chain {
    /// What is granted, with the organizations that grant it.
    pub(crate) granted: BTreeMap<PermissionSlug, Vec<OrgId>>,
    /// What is denied and not granted again, with the nearest organization that denies it.
    pub(crate) denied: BTreeMap<PermissionSlug, OrgId>,
}

/// Step 2. The carried grants pass from parent to child where both let them; a denial anywhere on the chain holds unless what it denies
/// is granted in the end.
pub(crate) fn along(ground: &impl Ground, chain: &[impl Borrow<OrgFacts>], only: Option<&PermissionSlug>, now: Timestamp) -> Chain {
    along_at(ground, chain, only, &Moment::new(now))
}

fn along_at(ground: &impl Ground, chain: &[impl Borrow<OrgFacts>], only: Option<&PermissionSlug>, moment: &Moment) -> Chain {
    let mut carried: BTreeMap<PermissionSlug, Vec<OrgId>> = BTreeMap::new();
    let mut denied: BTreeMap<PermissionSlug, OrgId> = BTreeMap::new();
    let mut cascades = false;
    for org in chain.iter().map(Borrow::<OrgFacts>::borrow) {
        if !(cascades && org.inherit_permissions) {
            carried.clear();
        }
        cascades = org.cascade_permissions;
        ground.each_grant(Holder::Organization(org.id), only, &mut |permission, effect, end| {
            if !moment.counts(end) {
                return;
            }
            match effect {
                Effect::Grant => carried.entry(permission.clone()).or_default().push(org.id),
                Effect::Deny => {
                    carried.remove(permission);
                    denied.insert(permission.clone(), org.id);
                }
            }
        });
    }
    denied.retain(|permission, _| !carried.contains_key(permission));
    Chain { granted: carried, denied }
}

/// Steps 2 to 7, for a membership that is in force.
fn compose<W: Witness>(
    ground: &impl Ground,
    (ask, moment): (Ask<'_>, &Moment),
    chain: &[&OrgFacts],
    (held, from): (Held, Option<OrgId>),
    witness: &mut W,
    result: &mut EffectivePermissions,
) {
    let Ask { usr, org, only, .. } = ask;
    witness.membership(held.id, true);
    result.membership_id = Some(held.id);
    result.role = Some(held.role);
    result.inherited_from_org_id = from;

    let Chain { granted, denied } = along_at(ground, chain, only, moment);
    let permissions = &mut result.permissions;
    for (permission, orgs) in granted {
        let rows: Vec<AnyId> = orgs.iter().map(Id::any).collect();
        witness.row(&permission, Layer::OrganizationGrant, &rows);
        result.contributing_org_ids.extend(orgs);
        permissions.insert(permission);
    }
    let place = |id: &OrgId| chain.iter().position(|org| org.id == *id);
    result.contributing_org_ids.sort_by_key(place);
    result.contributing_org_ids.dedup();

    let mut add_role = |role: RoleId, layer: Layer, rows: &[AnyId]| {
        let mut given = Vec::new();
        ground.each_grant(Holder::Role(role), only, &mut |permission, effect, end| {
            if effect == Effect::Grant && moment.counts(end) {
                witness.row(permission, layer, rows);
                given.push(permission.clone());
            }
        });
        // They come in order: a set of nothing else is built from them as they are.
        let mut given: BTreeSet<PermissionSlug> = given.into_iter().collect();
        permissions.append(&mut given);
    };
    add_role(held.role.id(), Layer::Role, &[held.role.id().any()]);
    for (group, end) in ground.groups(usr, org) {
        if !moment.counts(end) {
            continue;
        }
        result.group_ids.push(group);
        for (role, end) in ground.group_roles(group) {
            if moment.counts(end) {
                add_role(role, Layer::Groups, &[group.any(), role.any()]);
            }
        }
    }
    for (permission, org) in &denied {
        witness.denied_by(*org);
        witness.row(permission, Layer::OrganizationDeny, &[org.any()]);
        permissions.remove(permission);
    }
    let of_membership = Holder::Membership(held.id);
    ground.each_grant(of_membership, only, &mut |permission, effect, end| {
        if effect == Effect::Grant && moment.counts(end) {
            witness.row(permission, Layer::MembershipGrant, &[held.id.any()]);
            permissions.insert(permission.clone());
        }
    });
    let denials = &mut result.denied;
    ground.each_grant(of_membership, only, &mut |permission, effect, end| {
        if effect == Effect::Deny && moment.counts(end) {
            witness.row(permission, Layer::MembershipDeny, &[held.id.any()]);
            permissions.remove(permission);
            denials.push(permission.clone());
        }
    });
}

/// What the policy lets somebody without a membership read here, by their memberships below.
fn read_from_below<W: Witness>(
    ground: &impl Ground,
    (ask, moment): (Ask<'_>, &Moment),
    policy: &AncestorReadPolicy,
    chain: &[&OrgFacts],
    witness: &mut W,
    result: &mut EffectivePermissions,
) {
    let Ask { usr, only, .. } = ask;
    let denied = along_at(ground, chain, only, moment).denied;
    for below in ground.below(usr, ask.org, policy.depth()) {
        // A row of the system, or a built-in role without one: a role of an organization is not meant, whatever it is called.
        let of_system = |role: Role| ground.role(role.id()).map_or(role.custom().is_none(), |row| row.org_id.is_none());
        let held = ground.membership(usr, below).filter(|held| is_active(held, moment) && of_system(held.role) && policy.lists(held.role));
        let Some(held) = held else { continue };
        let Ok(effective) = resolve(ground, Ask { org: below, policy: None, ..ask }) else { continue };
        moment.note(effective.span);
        ground.each_grant(Holder::Role(held.role.id()), only, &mut |permission, effect, end| {
            let own = effect == Effect::Grant && moment.counts(end) && effective.permissions.contains(permission);
            if own && policy.covers(permission) && !denied.contains_key(permission) {
                witness.row(permission, Layer::AncestorRead, &[held.id.any(), below.any()]);
                result.permissions.insert(permission.clone());
            }
        });
    }
}
