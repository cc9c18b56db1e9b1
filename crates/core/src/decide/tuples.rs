//! Stored tuples: spec/tuples.md.

use super::{Caller, Command, Decision, Env, check, draft::Draft, draft::told, guard};
use crate::change::Change;
use crate::entity::{MembershipStatus, Organization};
use crate::error::{DomainError, Precondition};
use crate::event::{EventType, Fields};
use crate::id::{IdType, OrgId, TupleId};
use crate::load::{Hold, LoadSpec, Snapshot};
use crate::role::Role;
use crate::time::Timestamp;
use crate::tuple::{self, Tuple, TupleKey};
use crate::value::{ObjectType, RoleSlug};

/// Says that a subject stands in a relation to an object.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct CreateTuple {
    /// The subject's type: 2 to 6 of `a-z`.
    pub subject_type: String,
    /// The subject's id: a UUID, or a wire id of the type.
    pub subject_id: String,
    /// The relation: 2 to 32 of `a-z` and `_`.
    pub relation: String,
    /// The object's type.
    pub object_type: String,
    /// The object's id.
    pub object_id: String,
    /// The organization in whose scope it counts: only while that is live, and with a user as subject only while they are a live
    /// member there.
    pub org_id: Option<OrgId>,
    /// From when on it no longer counts.
    pub expires_at: Option<Timestamp>,
}

impl CreateTuple {
    /// A tuple without scope and end.
    pub fn new(subject: (&str, &str), relation: &str, object: (&str, &str)) -> Self {
        Self {
            subject_type: subject.0.to_owned(),
            subject_id: subject.1.to_owned(),
            relation: relation.to_owned(),
            object_type: object.0.to_owned(),
            object_id: object.1.to_owned(),
            org_id: None,
            expires_at: None,
        }
    }

    /// In the scope of this organization.
    #[must_use]
    pub const fn scope(mut self, org: OrgId) -> Self {
        self.org_id = Some(org);
        self
    }

    /// From when on it no longer counts.
    #[must_use]
    pub const fn expires_at(mut self, end: Timestamp) -> Self {
        self.expires_at = Some(end);
        self
    }

    fn key(&self) -> Result<TupleKey, DomainError> {
        tuple_key(&self.subject_type, &self.subject_id, &self.relation, &self.object_type, &self.object_id)
    }

    /// The guard (spec/guarded.md). True when the right hangs on the object being in the scope.
    fn guard(&self, key: &TupleKey, seen: &Snapshot, env: &Env<'_>) -> Result<bool, DomainError> {
        if env.caller.as_guarded().is_none() {
            return Ok(false);
        }
        let standpoint = seen.grants.first().copied().unwrap_or_default();
        if let Some(org) = self.org_id {
            let Some(acting) = guard::member(seen, env, IdType::Organization)? else { return Ok(false) };
            let right = guard::grant(acting, key.object, org, standpoint, self.expires_at)?;
            return Ok(right == guard::Right::InScope && key.object.as_org().is_none());
        }
        let acts = guard::user_acts(seen.standing.as_ref().and_then(|standing| standing.user.as_ref()));
        if acts && standpoint.open >= Hold::until(self.expires_at) {
            return Ok(false);
        }
        guard::allow(key.object.as_org().is_some())?;
        guard::manager(seen, env, IdType::Organization)?;
        Ok(false)
    }
}

/// The forms of the five fields, in their order.
pub(crate) fn tuple_key(
    subject_type: &str,
    subject_id: &str,
    relation: &str,
    object_type: &str,
    object_id: &str,
) -> Result<TupleKey, DomainError> {
    let subject = tuple::entity(("subject_type", subject_type), ("subject_id", subject_id))?;
    let relation = tuple::relation("relation", relation)?;
    let object = tuple::entity(("object_type", object_type), ("object_id", object_id))?;
    Ok(TupleKey { subject, relation, object })
}

impl Command for CreateTuple {
    type Output = Tuple;

    fn load(&self) -> Result<LoadSpec, DomainError> {
        Ok(LoadSpec::NewTuple { key: self.key()?, org: self.org_id })
    }

    fn decide(&self, seen: &Snapshot, env: &mut Env<'_>) -> Result<Decision<Tuple>, DomainError> {
        let key = self.key()?;
        let claims = self.guard(&key, seen, env)?;
        check::future(self.expires_at, env.now)?;
        let scope = match self.org_id {
            Some(_) => Some(check::found(seen.org.as_ref(), IdType::Organization)?),
            None => None,
        };
        if let Some(scope) = scope {
            check::org_active(scope)?;
            let is_member = seen
                .membership
                .as_ref()
                .is_some_and(|mem| matches!(mem.status_at(env.now), MembershipStatus::Active | MembershipStatus::Suspended));
            if key.subject.kind == ObjectType::USER && !is_member {
                return Err(Precondition::NotAMember.into());
            }
        }
        let of_own_role = seen.line.as_ref().is_some_and(|line| !line.roles.is_empty());
        if seen.object_org.is_some() && (Role::from_slug(key.relation.as_str()).is_some() || of_own_role) {
            return Err(Precondition::MembershipRelation.into());
        }
        let expired = match &seen.tuple {
            Some(there) if there.is_expired(env.now) => Some(there),
            Some(there) => return Err(DomainError::DuplicateTuple { id: there.id }),
            None => None,
        };

        let mut draft = Draft::new(env);
        let home = scope.or(seen.object_org.as_ref());
        if let Some(org) = self.org_id.filter(|_| claims) {
            draft.rely_on_scope(key.object, org);
        }
        // Which relations are those of roles is a fact of the object.
        match (&seen.object_org, key.object.as_org()) {
            (Some(org), _) => {
                draft.rely_on_org(org.id, org.revision);
                draft.rely_on_line(seen.line.as_ref());
            }
            // Once there is one, this could be the relation of a role that it knows.
            (None, Some(org)) if RoleSlug::parse(key.relation.as_str()).is_some() => draft.rely_on_no_org(org),
            (None, _) => {}
        }
        if let Some(expired) = expired {
            delete(&mut draft, home, expired);
        }
        let tuple = Tuple {
            id: draft.id(),
            key,
            org_id: self.org_id,
            created_at: draft.now(),
            created_by: draft.acting_user(),
            expires_at: self.expires_at,
        };
        draft.change(Change::InsertTuple(tuple.clone()));
        draft.tuple_event(home, EventType::TupleCreated, &tuple, Fields::new(), told(&tuple));
        Ok(draft.finish(tuple))
    }
}

pub(super) fn delete(draft: &mut Draft<'_, '_>, home: Option<&Organization>, tuple: &Tuple) {
    draft.change(Change::DeleteTuple { id: tuple.id });
    draft.tuple_event(home, EventType::TupleDeleted, tuple, told(tuple), Fields::new());
}

/// Takes a stored tuple away. What is derived from a membership goes with that.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct DeleteTuple {
    /// Which.
    pub tup_id: TupleId,
}

impl DeleteTuple {
    /// This tuple.
    pub const fn new(tup_id: TupleId) -> Self {
        Self { tup_id }
    }
}

impl Command for DeleteTuple {
    type Output = Tuple;

    fn load(&self) -> Result<LoadSpec, DomainError> {
        Ok(LoadSpec::Tuple { id: self.tup_id })
    }

    fn decide(&self, seen: &Snapshot, env: &mut Env<'_>) -> Result<Decision<Tuple>, DomainError> {
        const MISSING: DomainError = DomainError::NotFound(IdType::Tuple);
        let tuple = seen.tuple.as_ref().filter(|tuple| !tuple.is_expired(env.now));
        if seen.tuple.is_some() && tuple.is_none() {
            // As after a sweep.
            return Err(MISSING);
        }
        if let Caller::Guarded(_) = env.caller {
            let standpoint = seen.grants.first().copied().unwrap_or_default();
            let standing = seen.standing.as_ref();
            let user = standing.and_then(|standing| standing.user.as_ref());
            let live = standing.and_then(|standing| guard::live(standing, env.now));
            let holds = standpoint.open > Hold::Not && guard::user_acts(user) || standpoint.scoped > Hold::Not && live.is_some();
            if !(tuple.is_some() && holds) {
                guard::manager(seen, env, IdType::Tuple)?;
            }
        }
        let Some(tuple) = tuple else {
            let mem = seen.membership.as_ref().filter(|mem| check::is_active(mem, env.now));
            let counts = mem.is_some() && seen.org_live && check::user_ok(seen.user.as_ref()).is_ok();
            return Err(if counts { Precondition::MembershipRelation.into() } else { MISSING });
        };
        let mut draft = Draft::new(env);
        let home = seen.org.as_ref().or(seen.object_org.as_ref());
        delete(&mut draft, home, tuple);
        Ok(draft.finish(tuple.clone()))
    }
}
