//! Moving an organization, and all below it: `spec/organizations.md#move_org`, adr/0012.

use super::{Command, Decision, Env, Stakes, check, draft::Draft, guard, judge};
use crate::change::Change;
use crate::entity::Organization;
use crate::error::{DomainError, Precondition};
use crate::event::{EventType, Fields};
use crate::id::{Id, IdType, OrgId};
use crate::json::Value;
use crate::load::{LoadSpec, Moving, Snapshot};

/// Puts an organization below another one, or makes it a root; all below it goes along.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct MoveOrg {
    /// Which.
    pub org_id: OrgId,
    /// The one above it from now on; without one it is a root.
    pub new_parent_id: Option<OrgId>,
}

impl MoveOrg {
    /// Below this one.
    pub const fn below(org_id: OrgId, parent: OrgId) -> Self {
        Self { org_id, new_parent_id: Some(parent) }
    }

    /// To the top.
    pub const fn to_top(org_id: OrgId) -> Self {
        Self { org_id, new_parent_id: None }
    }
}

/// A move that may be made.
struct Judged<'s> {
    org: &'s Organization,
    moving: &'s Moving,
    parent: Option<&'s Organization>,
    /// Those above it from then on, root first; none where it is there already.
    ancestors: Option<Vec<OrgId>>,
}

impl MoveOrg {
    fn spec(&self) -> LoadSpec {
        LoadSpec::Move { org: self.org_id, parent: self.new_parent_id }
    }

    /// The checks behind whether the caller may, which a dry run makes too.
    fn checked<'s>(&self, seen: &'s Snapshot) -> Result<Judged<'s>, DomainError> {
        let org = check::found(seen.org.as_ref(), IdType::Organization)?;
        let moving = check::found(seen.moving.as_deref(), IdType::Organization)?;
        let parent = match self.new_parent_id {
            Some(_) => Some(check::found(moving.parent.as_ref(), IdType::Organization)?),
            None => None,
        };
        if org.parent_id == self.new_parent_id {
            return Ok(Judged { org, moving, parent, ancestors: None });
        }
        if parent.is_some_and(|parent| parent.id == org.id || parent.ancestors.contains(&org.id)) {
            return Err(DomainError::Cycle);
        }
        let ancestors: Vec<OrgId> = parent.map(|parent| parent.ancestors.iter().copied().chain([parent.id]).collect()).unwrap_or_default();
        if ancestors.len() + moving.levels >= Organization::MAX_LEVELS {
            return Err(DomainError::MaxDepth);
        }
        check::org_active(org)?;
        parent.map(check::org_active).transpose()?;
        let stays_bound = |home: &OrgId| ancestors.contains(home);
        if moving.clashes || !moving.homes.iter().all(stays_bound) {
            return Err(Precondition::RoleBinding.into());
        }
        Ok(Judged { org, moving, parent, ancestors: Some(ancestors) })
    }
}

impl Command for MoveOrg {
    type Output = Organization;

    fn load(&self) -> Result<LoadSpec, DomainError> {
        Ok(self.spec())
    }

    fn stakes(&self, seen: &Snapshot) -> Option<Stakes> {
        let org = seen.org.as_ref()?;
        Some(Stakes::all([org.id].into_iter().chain(org.parent_id).chain(self.new_parent_id)))
    }

    fn decide(&self, seen: &Snapshot, env: &mut Env<'_>) -> Result<Decision<Organization>, DomainError> {
        if let Some(judge) = judge::member(seen, env, IdType::Organization)? {
            judge.may_move(seen.org.as_ref().and_then(|org| org.parent_id), self.new_parent_id)?;
        }
        let Judged { org, moving, parent, ancestors } = self.checked(seen)?;
        let mut draft = Draft::new(env);
        let Some(ancestors) = ancestors else { return Ok(draft.finish(org.clone())) };
        for (root, structure) in [moving.from, moving.to].into_iter().flatten() {
            draft.advance_tree(root, structure);
        }
        // A role of one of them could become that of a stored relation below.
        for (above, revision) in &moving.above {
            draft.rely_on_org(*above, *revision);
        }
        draft.change(Change::MoveOrg {
            id: org.id,
            from: org.parent_id,
            to: self.new_parent_id,
            depth: org.depth(),
            ancestors: ancestors.clone(),
            count: moving.size,
        });
        let side = |parent: Option<OrgId>| Fields::new().with("parent_id", parent.map(|id| id.to_string()));
        let after = side(self.new_parent_id).with("organizations_moved", Value::count(moving.size));
        draft.event(org, EventType::OrganizationMoved, &[org.id.any()], side(org.parent_id), after);
        if let Some(parent) = parent {
            let child = Fields::new().with("child_id", org.id.to_string());
            draft.event(parent, EventType::OrganizationChildAdded, &[org.id.any()], Fields::new(), child);
        }
        let next = Organization { parent_id: self.new_parent_id, ancestors, updated_at: draft.now(), ..org.clone() };
        let next = draft.org_after(next);
        Ok(draft.finish(next))
    }
}

/// Asks whether an organization may be moved, and from where to where it would go; writes nothing.
#[derive(Debug)]
pub(crate) struct ForeseeMove(pub(crate) MoveOrg);

/// What would move, and where it stands before and behind.
#[derive(Debug, Clone)]
pub(crate) struct ForeseenMove {
    /// What moves, with all below it.
    pub(crate) org: OrgId,
    /// The one above it then.
    pub(crate) parent: Option<OrgId>,
    /// Those above it now, root first.
    pub(crate) from: Vec<OrgId>,
    /// Those above it then, root first.
    pub(crate) to: Vec<OrgId>,
}

impl Command for ForeseeMove {
    /// None where it is there already.
    type Output = Option<ForeseenMove>;

    fn load(&self) -> Result<LoadSpec, DomainError> {
        Ok(self.0.spec())
    }

    fn decide(&self, seen: &Snapshot, env: &mut Env<'_>) -> Result<Decision<Self::Output>, DomainError> {
        guard::trusted(env)?;
        let Judged { org, ancestors, .. } = self.0.checked(seen)?;
        let (id, from) = (org.id, org.ancestors.clone());
        let foreseen = ancestors.map(|to| ForeseenMove { org: id, parent: self.0.new_parent_id, from, to });
        Ok(Draft::new(env).finish(foreseen))
    }
}
