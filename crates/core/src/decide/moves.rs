//! Moving an organization, and all below it: `spec/organizations.md#move_org`, adr/0012.

use super::{Command, Decision, Env, Stakes, check, draft::Draft, judge};
use crate::change::Change;
use crate::entity::Organization;
use crate::error::{DomainError, Precondition};
use crate::event::{EventType, Fields};
use crate::id::{Id, IdType, OrgId};
use crate::json::Value;
use crate::load::{LoadSpec, Snapshot};

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

impl Command for MoveOrg {
    type Output = Organization;

    fn load(&self) -> Result<LoadSpec, DomainError> {
        Ok(LoadSpec::Move { org: self.org_id, parent: self.new_parent_id })
    }

    fn stakes(&self, seen: &Snapshot) -> Option<Stakes> {
        let org = seen.org.as_ref()?;
        Some(Stakes::all([org.id].into_iter().chain(org.parent_id).chain(self.new_parent_id)))
    }

    fn decide(&self, seen: &Snapshot, env: &mut Env<'_>) -> Result<Decision<Organization>, DomainError> {
        if let Some(judge) = judge::member(seen, env, IdType::Organization)? {
            judge.may_move(seen.org.as_ref().and_then(|org| org.parent_id), self.new_parent_id)?;
        }
        let org = check::found(seen.org.as_ref(), IdType::Organization)?;
        let moving = check::found(seen.moving.as_deref(), IdType::Organization)?;
        let parent = match self.new_parent_id {
            Some(_) => Some(check::found(moving.parent.as_ref(), IdType::Organization)?),
            None => None,
        };
        let mut draft = Draft::new(env);
        if org.parent_id == self.new_parent_id {
            return Ok(draft.finish(org.clone()));
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
