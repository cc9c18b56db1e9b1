//! What a guarded caller may do with permissions (spec/guarded.md#permissions): manage members where they hold that, and give nothing
//! that they do not hold themselves.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

use super::guard::{self, Acting, allow};
use super::{Env, check};
use crate::access::{Effect, Holder, PermissionGrant};
use crate::entity::{Membership, MembershipStatus, Organization, UserStatus};
use crate::error::DomainError;
use crate::id::{GroupId, IdType, OrgId, RoleId, UserId};
use crate::load::Snapshot;
use crate::permissions::{self, AncestorReadPolicy, Ask, Facts, Ground, Held, OrgFacts, RoleFacts};
use crate::role::Role;
use crate::time::Timestamp;
use crate::value::PermissionSlug;

/// The permission to manage members, which lets a guarded caller act on memberships, invitations, roles, groups and overrides
/// (spec/guarded.md#permissions). The built-in owner and admin hold it without being granted it; a denial takes it away.
pub const MEMBERS_MANAGE: &str = "members.manage";

/// A guarded caller with a live membership in the organization concerned, and what they may do there.
pub(super) struct Judge<'s> {
    pub(super) acting: Acting,
    facts: &'s Facts,
    org: OrgId,
    now: Timestamp,
}

/// The caller's place in the organization of the row, if the caller is guarded, with what was loaded to weigh.
pub(super) fn member<'s>(seen: &'s Snapshot, env: &Env<'_>, kind: IdType) -> Result<Option<Judge<'s>>, DomainError> {
    let Some(acting) = guard::member(seen, env, kind)? else { return Ok(None) };
    let standing = seen.standing.as_ref().and_then(|standing| standing.membership.as_ref());
    let (Some(facts), Some(mem)) = (seen.facts.as_deref(), standing) else { return Err(DomainError::Forbidden) };
    let judge = Judge { acting, facts, org: mem.org_id, now: env.now };
    // What is weighed may have been read a little later; whoever has lost their place meanwhile is answered as from then on.
    if judge.is_live_in(mem.org_id) { Ok(Some(judge)) } else { Err(DomainError::NotFound(kind)) }
}

/// The same, and the caller must manage members there.
pub(super) fn manager<'s>(seen: &'s Snapshot, env: &Env<'_>, kind: IdType) -> Result<Option<Judge<'s>>, DomainError> {
    let judge = member(seen, env, kind)?;
    if let Some(judge) = &judge {
        judge.manages()?;
    }
    Ok(judge)
}

/// The same, and the roles that are touched or given are not above the caller's own.
pub(super) fn manager_of<'s>(
    seen: &'s Snapshot,
    env: &Env<'_>,
    kind: IdType,
    roles: impl IntoIterator<Item = Role>,
) -> Result<Option<Judge<'s>>, DomainError> {
    let judge = manager(seen, env, kind)?;
    if let Some(judge) = &judge {
        allow(roles.into_iter().all(|role| judge.acting.reaches(role)))?;
    }
    Ok(judge)
}

impl Judge<'_> {
    const fn eyes(&self) -> Eyes<'_> {
        Eyes { facts: self.facts, usr: self.acting.usr_id, lasting: false, left: None }
    }

    const fn ask(&self, org: OrgId, now: Timestamp) -> Ask<'_> {
        Ask { usr: self.acting.usr_id, org, now, only: None, policy: None }
    }

    pub(super) fn manages(&self) -> Result<(), DomainError> {
        self.manages_in(self.org)
    }

    /// Whether the caller manages members there, if they have a live membership of that very organization.
    fn stands_in(&self, org: OrgId) -> Option<bool> {
        let only = PermissionSlug::parse(MEMBERS_MANAGE);
        let found = permissions::resolve(&self.eyes(), Ask { only: only.as_ref(), ..self.ask(org, self.now) }).ok()?;
        (found.membership_id.is_some() && found.inherited_from_org_id.is_none()).then(|| found.allows(MEMBERS_MANAGE))
    }

    fn is_live_in(&self, org: OrgId) -> bool {
        self.stands_in(org).is_some()
    }

    fn manages_in(&self, org: OrgId) -> Result<(), DomainError> {
        allow(self.stands_in(org) == Some(true))
    }

    /// What the caller holds here, now and for as long as something given lasts. That the caller's own membership may end before does not
    /// matter.
    fn held(&self, until: Option<Timestamp>) -> Result<BTreeSet<PermissionSlug>, DomainError> {
        let mut held = permissions::resolve(&self.eyes(), self.ask(self.org, self.now))?.permissions;
        let eyes = Eyes { lasting: true, ..self.eyes() };
        let then = permissions::resolve(&eyes, self.ask(self.org, self.last(until)))?.permissions;
        held.retain(|permission| then.contains(permission));
        Ok(held)
    }

    /// The last moment of something that ends then.
    fn last(&self, until: Option<Timestamp>) -> Timestamp {
        until.map_or(Timestamp::MAX, |end| end.plus_micros(-1)).max(self.now)
    }

    /// What of it the caller holds in the organizations below too, by the membership here: as much as something does that is given so far.
    fn held_below(&self, until: Option<Timestamp>, reach: Reach) -> BTreeSet<PermissionSlug> {
        let mut held = self.reaching(self.now, reach);
        let then = self.reaching(self.last(until), reach);
        held.retain(|permission| then.contains(permission));
        held
    }

    fn reaching(&self, at: Timestamp, reach: Reach) -> BTreeSet<PermissionSlug> {
        let eyes = self.eyes();
        let mut reaching = BTreeSet::new();
        let Some(held) = eyes.membership(self.acting.usr_id, self.org) else { return reaching };
        if !eyes.role(held.role.id()).is_some_and(|role| role.inherits_to_descendants) {
            return reaching;
        }
        let mut denied = Vec::new();
        let by_role = (reach == Reach::Role).then_some(Holder::Role(held.role.id()));
        for holder in by_role.into_iter().chain([Holder::Membership(held.id)]) {
            eyes.each_grant(holder, None, &mut |permission, effect, end| match effect {
                Effect::Grant if counts(end, at) => drop(reaching.insert(permission.clone())),
                // One that ends later counts now.
                Effect::Deny if counts(end, self.now) => denied.push(permission.clone()),
                Effect::Grant | Effect::Deny => {}
            });
        }
        for permission in &denied {
            reaching.remove(permission);
        }
        reaching
    }

    /// Each permission is held until its end, and below as well where it is given for there too.
    pub(super) fn may_give(&self, gifts: &[(&PermissionSlug, Option<Timestamp>)], reach: Reach) -> Result<(), DomainError> {
        let mut by_end: BTreeMap<Option<Timestamp>, Vec<&PermissionSlug>> = BTreeMap::new();
        for (permission, end) in gifts {
            by_end.entry(*end).or_default().push(permission);
        }
        for (end, permissions) in by_end {
            let held = self.held(end)?;
            let reaching = if reach == Reach::Here { None } else { Some(self.held_below(end, reach)) };
            let fits = |slug: &PermissionSlug| held.contains(slug) && reaching.as_ref().is_none_or(|reaching| reaching.contains(slug));
            allow(permissions.into_iter().all(fits))?;
        }
        Ok(())
    }

    /// Whether who holds a role here holds it in the organizations below too.
    pub(super) fn reaches_down(&self, role: Role) -> bool {
        self.facts.role(role.id()).is_some_and(|role| role.inherits_to_descendants)
    }

    /// Everything that a role grants now is held, and where the role reaches the organizations below, there too, by a role that does.
    pub(super) fn may_give_role(&self, role: Role, until: Option<Timestamp>) -> Result<(), DomainError> {
        let reaches = self.reaches_down(role);
        allow(!reaches || self.reaches_down(self.acting.role))?;
        self.may_give_grants_of(role.id(), until, Reach::of_role(reaches))
    }

    /// A member gets another role: what it grants, and where it reaches the organizations below and the one before did not, their
    /// overrides there.
    pub(super) fn may_change_role(&self, mem: &Membership, role: Role) -> Result<(), DomainError> {
        self.may_give_role(role, None)?;
        if !self.reaches_down(role) || self.reaches_down(mem.role) {
            return Ok(());
        }
        let gifts = self.grants_of(Holder::Membership(mem.id), None);
        self.may_give(&gifts.iter().map(|(permission, end)| (permission, *end)).collect::<Vec<_>>(), Reach::Override)
    }

    /// A successor becomes owner, and their overrides go as far down as the role of owners.
    pub(super) fn may_make_owner(&self, successor: Option<&Membership>) -> Result<(), DomainError> {
        match successor.filter(|mem| mem.org_id == self.org) {
            Some(mem) => self.may_change_role(mem, Role::Owner),
            None => self.may_give_role(Role::Owner, None),
        }
    }

    /// Everything that a role grants now is held, where it counts in this organization only.
    pub(super) fn may_give_role_here(&self, role: Role, until: Option<Timestamp>) -> Result<(), DomainError> {
        self.may_give_grants_of(role.id(), until, Reach::Here)
    }

    /// Everything that a role grants now is held below too.
    pub(super) fn may_let_down(&self, role: RoleId) -> Result<(), DomainError> {
        self.may_give_grants_of(role, None, Reach::Role)
    }

    fn may_give_grants_of(&self, role: RoleId, until: Option<Timestamp>, reach: Reach) -> Result<(), DomainError> {
        let gifts = self.grants_of(Holder::Role(role), until);
        self.may_give(&gifts.iter().map(|(permission, end)| (permission, *end)).collect::<Vec<_>>(), reach)
    }

    fn grants_of(&self, holder: Holder, until: Option<Timestamp>) -> Vec<(PermissionSlug, Option<Timestamp>)> {
        let mut gifts = Vec::new();
        self.eyes().each_grant(holder, None, &mut |permission, effect, end| {
            if effect == Effect::Grant && counts(end, self.now) {
                gifts.push((permission.clone(), sooner(end, until)));
            }
        });
        gifts
    }

    /// The same for each role of a group.
    pub(super) fn may_give_group(&self, group: GroupId, until: Option<Timestamp>) -> Result<(), DomainError> {
        let roles = self.facts.group_roles(group).into_iter().filter(|(_, end)| counts(*end, self.now));
        for (role, end) in roles {
            self.may_give_grants_of(role, sooner(end, until), Reach::Here)?;
        }
        Ok(())
    }

    /// Whether an override may be set in place of the one that counts. A denial is lifted, be it for later, by who set it or who holds the
    /// permission all the same.
    pub(super) fn may_override(
        &self,
        there: Option<&PermissionGrant>,
        (permission, effect, expires_at): (&PermissionSlug, Option<Effect>, Option<Timestamp>),
        below: bool,
    ) -> Result<(), DomainError> {
        if effect == Some(Effect::Grant) {
            self.may_give(&[(permission, expires_at)], if below { Reach::Override } else { Reach::Here })?;
        }
        let Some(denial) = there.filter(|row| row.effect == Effect::Deny) else { return Ok(()) };
        let stays = effect == Some(Effect::Deny) && expires_at == denial.expires_at;
        let by_the_author = denial.granted_by == Some(self.acting.usr_id);
        if stays || by_the_author { Ok(()) } else { self.may_give(&[(permission, None)], Reach::of_role(below)) }
    }

    /// Whether members of the organization may get what its chain passes on from then on, beside or in place of what it passes on now:
    /// grants that come or last longer, and denials that go or end sooner.
    fn may_chain(&self, old: &[OrgFacts], new: &[OrgFacts]) -> Result<(), DomainError> {
        let (granted, grants) = (self.passed(old), self.passed(new));
        let (before, after) = (self.denials(old), self.denials(new));
        let come = grants.iter().filter(|(slug, end)| granted.get(*slug).is_none_or(|before| before < *end));
        let go = before.iter().filter(|(slug, end)| after.get(*slug).is_none_or(|then| then < *end));
        self.may_give(&come.chain(go).map(|(slug, end)| (slug, end.0)).collect::<Vec<_>>(), Reach::Here)
    }

    /// What the chain passes on to members of its last organization, and until when.
    fn passed(&self, chain: &[OrgFacts]) -> BTreeMap<PermissionSlug, Lasting> {
        let granted = permissions::along(&self.eyes(), chain, None, self.now).granted;
        let mut passed = BTreeMap::new();
        for (slug, orgs) in granted {
            let mut last: Option<Lasting> = None;
            for org in orgs {
                self.eyes().each_grant(Holder::Organization(org), Some(&slug), &mut |_, _, end| last = last.max(Some(Lasting(end))));
            }
            passed.extend(last.map(|last| (slug, last)));
        }
        passed
    }

    /// Everything that an organization of the chain denies, be it granted again nearer by, and until when.
    fn denials(&self, chain: &[OrgFacts]) -> BTreeMap<PermissionSlug, Lasting> {
        let mut denied = BTreeMap::new();
        for org in chain {
            self.eyes().each_grant(Holder::Organization(org.id), None, &mut |permission, effect, end| {
                if effect == Effect::Deny && counts(end, self.now) {
                    let last = denied.entry(permission.clone()).or_insert(Lasting(end));
                    *last = (*last).max(Lasting(end));
                }
            });
        }
        denied
    }

    fn chain(&self, org: OrgId) -> Result<Vec<OrgFacts>, DomainError> {
        let eyes = self.eyes();
        let (chain, _) = permissions::chain(&eyes, org).ok_or(DomainError::NotFound(IdType::Organization))?;
        Ok(chain.into_iter().cloned().collect())
    }

    /// Whether the organization may pass on, and take over, what it did not until now; what is not said stays.
    pub(super) fn may_open(&self, cascades: Option<bool>, inherits: Option<bool>) -> Result<(), DomainError> {
        let old = self.chain(self.org)?;
        let mut new = old.clone();
        if let Some(org) = new.last_mut() {
            org.inherit_permissions = inherits.unwrap_or(org.inherit_permissions);
        }
        self.may_chain(&old, &new)?;
        let passes = old.last().is_some_and(|org| org.cascade_permissions);
        if cascades == Some(true) && !passes {
            let gifts = self.passed(&new);
            self.may_give(&gifts.iter().map(|(slug, end)| (slug, end.0)).collect::<Vec<_>>(), Reach::Here)?;
        }
        Ok(())
    }

    /// Whether the organization may get another place: by an owner of it, who manages members above it, before and then.
    pub(super) fn may_move(&self, from: Option<OrgId>, to: Option<OrgId>) -> Result<(), DomainError> {
        if let Some(to) = to {
            // Where the caller is no live member there, it is as unknown as one that does not exist.
            if !self.is_live_in(to) {
                return Err(DomainError::NotFound(IdType::Organization));
            }
            self.manages_in(to)?;
        }
        allow(self.acting.role == Role::Owner)?;
        if let Some(from) = from {
            self.manages_in(from)?;
        }
        let old = self.chain(self.org)?;
        let mut new = to.map_or(Ok(Vec::new()), |to| self.chain(to))?;
        new.extend(old.last().cloned());
        self.may_chain(&old, &new)
    }

    /// Leaving gives nothing that the caller does not hold now, by a membership above or what a policy lets them read.
    pub(super) fn may_leave(&self, policy: Option<&AncestorReadPolicy>) -> Result<(), DomainError> {
        let eyes = self.eyes();
        let ask = Ask { policy, ..self.ask(self.org, self.now) };
        let before = permissions::resolve(&eyes, ask)?.permissions;
        let after = permissions::resolve(&Eyes { left: Some(self.org), ..eyes }, ask)?.permissions;
        allow(after.is_subset(&before))
    }
}

/// A role that is given by its slug, where the organization knows it.
pub(super) fn given(text: &str, seen: &Snapshot) -> Option<Role> {
    check::known_role(text, seen.line.as_ref()).ok()
}

/// The organization that a snapshot is about.
pub(super) fn place(seen: &Snapshot) -> Option<OrgId> {
    seen.org.as_ref().map(|org: &Organization| org.id)
}

/// How far down a gift goes, and what it holds against there: organizations below may deny what a role grants, and an override stands
/// against that. So who holds something by a role gives it to others by a role, and not by an override.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reach {
    /// To this organization only.
    Here,
    /// To those below too, as what a role grants.
    Role,
    /// To those below too, as an override of a membership.
    Override,
}

impl Reach {
    /// For what a role grants.
    pub(super) const fn of_role(reaches_down: bool) -> Self {
        if reaches_down { Self::Role } else { Self::Here }
    }
}

fn counts(end: Option<Timestamp>, at: Timestamp) -> bool {
    end.is_none_or(|end| at < end)
}

fn sooner(one: Option<Timestamp>, other: Option<Timestamp>) -> Option<Timestamp> {
    one.into_iter().chain(other).min()
}

/// How long something lasts: the longer, the greater, and greatest without an end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Lasting(Option<Timestamp>);

impl Ord for Lasting {
    fn cmp(&self, other: &Self) -> Ordering {
        // Without an end there is no lack of one.
        (self.0.is_none(), self.0).cmp(&(other.0.is_none(), other.0))
    }
}

impl PartialOrd for Lasting {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// The facts, as a judge sees them.
#[derive(Clone, Copy)]
struct Eyes<'f> {
    facts: &'f Facts,
    usr: UserId,
    /// Memberships do not end.
    lasting: bool,
    /// The user has left this organization.
    left: Option<OrgId>,
}

impl Ground for Eyes<'_> {
    fn system_revision(&self) -> u64 {
        self.facts.system_revision()
    }

    fn user(&self, usr: UserId) -> Option<(UserStatus, u64)> {
        self.facts.user(usr)
    }

    fn org(&self, org: OrgId) -> Option<&OrgFacts> {
        self.facts.org(org)
    }

    fn membership(&self, usr: UserId, org: OrgId) -> Option<Held> {
        let held = self.facts.membership(usr, org).filter(|_| usr != self.usr || self.left != Some(org))?;
        let lasts = self.lasting && held.status == MembershipStatus::Active;
        Some(Held { expires_at: held.expires_at.filter(|_| !lasts), ..held })
    }

    fn role(&self, role: RoleId) -> Option<RoleFacts> {
        self.facts.role(role)
    }

    fn groups(&self, usr: UserId, org: OrgId) -> Vec<(GroupId, Option<Timestamp>)> {
        if usr == self.usr && self.left == Some(org) { Vec::new() } else { self.facts.groups(usr, org) }
    }

    fn group_roles(&self, group: GroupId) -> Vec<(RoleId, Option<Timestamp>)> {
        self.facts.group_roles(group)
    }

    fn each_grant(&self, holder: Holder, only: Option<&PermissionSlug>, tell: &mut dyn FnMut(&PermissionSlug, Effect, Option<Timestamp>)) {
        self.facts.each_grant(holder, only, tell);
        let leads = |role: RoleId| matches!(Role::from_id(role), Some(Role::Owner | Role::Admin));
        let manages = matches!(holder, Holder::Role(role) if leads(role));
        if let (true, Some(slug)) = (manages, PermissionSlug::parse(MEMBERS_MANAGE))
            && only.is_none_or(|only| *only == slug)
        {
            tell(&slug, Effect::Grant, None);
        }
    }

    fn below(&self, usr: UserId, org: OrgId, levels: u32) -> Vec<OrgId> {
        self.facts.below(usr, org, levels)
    }
}
