//! Invitations: spec/invitations.md.

use std::collections::BTreeSet;

use serde::{Serialize, Serializer, ser::SerializeStruct};

use super::{Command, Decision, Env, Stakes, check, draft::Draft, draft::about, draft::told, guard, judge, organizations::added};
use crate::change::Change;
use crate::entity::{Invitation, InvitationStatus, Membership, Organization, User, UserStatus};
use crate::error::{DomainError, Precondition};
use crate::event::{EventType, Fields};
use crate::id::{Id, IdType, InvitationId, OrgId, UserId};
use crate::json::Value;
use crate::load::{LoadSpec, Snapshot, Standpoint};
use crate::role::Role;
use crate::time::Timestamp;
use crate::tuple::{self, EntityRef, Grant, Tuple, TupleKey};
use crate::value::{Identifier, ObjectType, RoleSlug};

/// A relation on an object that an invited person gets with the membership.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PreTuple {
    /// The relation: 2 to 32 of `a-z` and `_`.
    pub relation: String,
    /// The object's type: 2 to 6 of `a-z`, and not `org`.
    pub object_type: String,
    /// The object's id: a UUID, or a wire id of the type.
    pub object_id: String,
}

impl PreTuple {
    /// This relation to this object.
    pub fn new(relation: impl Into<String>, object_type: impl Into<String>, object_id: impl Into<String>) -> Self {
        Self { relation: relation.into(), object_type: object_type.into(), object_id: object_id.into() }
    }

    fn form(&self) -> Result<Grant, DomainError> {
        let relation = tuple::relation("relation", &self.relation)?;
        let object = tuple::entity(("object_type", &self.object_type), ("object_id", &self.object_id))?;
        Ok(Grant { relation, object })
    }
}

/// What one invitation says.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct InvitationInput {
    /// How the invited person is known: 1 to 320 bytes, compared byte by byte.
    pub identifier: String,
    /// As what they are to join: the role's slug.
    pub role: String,
    /// From when on it cannot be accepted.
    pub expires_at: Timestamp,
    /// What else they get: at most 100.
    pub pre_tuples: Vec<PreTuple>,
}

impl InvitationInput {
    /// The most promises of one invitation.
    pub const MAX_PRE_TUPLES: usize = 100;

    /// An invitation without further promises.
    pub fn new(identifier: impl Into<String>, role: impl Into<String>, expires_at: Timestamp) -> Self {
        Self { identifier: identifier.into(), role: role.into(), expires_at, pre_tuples: Vec::new() }
    }

    /// With these promises.
    #[must_use]
    pub fn pre_tuples(mut self, pre_tuples: Vec<PreTuple>) -> Self {
        self.pre_tuples = pre_tuples;
        self
    }

    pub(super) fn forms(&self) -> Result<(Identifier, Vec<Grant>), DomainError> {
        let identifier = Identifier::parse(&self.identifier);
        let identifier = identifier.ok_or_else(|| DomainError::format("identifier", "1 to 320 bytes without NUL"))?;
        if self.pre_tuples.len() > Self::MAX_PRE_TUPLES {
            return Err(DomainError::format("pre_tuples", "a list of at most 100"));
        }
        let mut met = BTreeSet::new();
        let mut grants = Vec::with_capacity(self.pre_tuples.len());
        for pre_tuple in &self.pre_tuples {
            let grant = pre_tuple.form()?;
            if met.insert(grant.clone()) {
                grants.push(grant);
            }
        }
        Ok((identifier, grants))
    }
}

/// Invites someone into an organization.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct CreateInvitation {
    /// Where to.
    pub org_id: OrgId,
    /// Who invites.
    pub invited_by: UserId,
    /// Whom, as what, until when.
    pub invitation: InvitationInput,
}

impl CreateInvitation {
    /// This invitation, by this user.
    pub const fn new(org_id: OrgId, invited_by: UserId, invitation: InvitationInput) -> Self {
        Self { org_id, invited_by, invitation }
    }
}

/// What decides over the rows of one command, one after the other.
struct Inviting<'s> {
    org: &'s Organization,
    seen: &'s Snapshot,
    /// Made by a guarded caller.
    judged: bool,
    invited_by: UserId,
    taken: BTreeSet<Identifier>,
}

impl Inviting<'_> {
    fn invite(&mut self, draft: &mut Draft<'_, '_>, row: &InvitationInput) -> Result<Invitation, DomainError> {
        let (identifier, pre_tuples) = row.forms()?;
        let role = check::known_role(&row.role, self.seen.line.as_ref())?;
        check::future(Some(row.expires_at), draft.now())?;
        if pre_tuples.iter().any(|promise| promise.object.kind == ObjectType::ORG) {
            return Err(Precondition::PreTupleOnOrg.into());
        }
        let standing = self.seen.pending.iter().find(|inv| inv.identifier == identifier);
        if self.taken.contains(&identifier) {
            return Err(DomainError::DuplicateInvitation);
        }
        if let Some(standing) = standing {
            if standing.status_at(draft.now()) == InvitationStatus::Pending {
                return Err(DomainError::DuplicateInvitation);
            }
            draft.expire(self.org, standing);
        }
        self.taken.insert(identifier.clone());
        let inv = Invitation {
            id: draft.id(),
            org_id: self.org.id,
            identifier,
            role,
            status: InvitationStatus::Pending,
            pre_tuples,
            invited_by: self.invited_by,
            invited_user_id: None,
            created_at: draft.now(),
            expires_at: row.expires_at,
            terminal_at: None,
            terminal_by: None,
            judged: self.judged,
        };
        draft.rely_on_role(self.org, role, self.seen.line.as_ref());
        draft.change(Change::InsertInvitation(inv.clone()));
        draft.event(self.org, EventType::InvitationCreated, &[inv.id.any()], Fields::new(), offered(&inv));
        Ok(inv)
    }
}

fn offered(inv: &Invitation) -> Fields {
    let promise = |grant: &Grant| {
        let fields = [
            ("relation", grant.relation.to_string()),
            ("object_type", grant.object.kind.to_string()),
            ("object_id", grant.object.id.hyphenated().to_string()),
        ];
        Value::Map(fields.into_iter().map(|(name, text)| (name.to_owned(), text.into())).collect())
    };
    let promises = (!inv.pre_tuples.is_empty()).then(|| Value::List(inv.pre_tuples.iter().map(promise).collect()));
    Fields::new()
        .with("identifier", inv.identifier.as_str())
        .with("role", inv.role.slug())
        .with("status", inv.status.as_str())
        .with("expires_at", inv.expires_at.to_string())
        .with("invited_by", inv.invited_by.to_string())
        .with_some("pre_tuples", promises)
}

/// Every relation and object that these rows promise, once, in order.
fn promised(rows: &[InvitationInput]) -> Vec<Grant> {
    let grants: BTreeSet<Grant> = rows.iter().flat_map(|row| row.forms().map(|(_, grants)| grants).unwrap_or_default()).collect();
    grants.into_iter().collect()
}

fn load_invite(org: OrgId, rows: &[InvitationInput]) -> LoadSpec {
    let identifiers: BTreeSet<Identifier> = rows.iter().filter_map(|row| Identifier::parse(&row.identifier)).collect();
    let roles: BTreeSet<RoleSlug> = rows.iter().filter_map(|row| check::own_slug(&row.role)).collect();
    LoadSpec::Invite { org, identifiers: identifiers.into_iter().collect(), grants: promised(rows), roles: roles.into_iter().collect() }
}

/// The roles that these rows offer, once.
fn roles_of(seen: &Snapshot, rows: &[InvitationInput]) -> BTreeSet<Role> {
    rows.iter().filter_map(|row| judge::given(&row.role, seen)).collect()
}

fn inviting<'s>(
    seen: &'s Snapshot,
    env: &Env<'_>,
    org_id: OrgId,
    invited_by: UserId,
    rows: &[InvitationInput],
) -> Result<Inviting<'s>, DomainError> {
    let roles = rows.iter().filter_map(|row| Role::from_slug(&row.role));
    if let Some(judge) = judge::manager_of(seen, env, IdType::Organization, roles)? {
        let acting = judge.acting;
        guard::allow(acting.usr_id == invited_by)?;
        for role in roles_of(seen, rows) {
            judge.may_give_role(role, None)?;
        }
        let asked = promised(rows);
        for (place, promise) in asked.iter().enumerate() {
            // What was not loaded is not held.
            let unknown = Standpoint { elsewhere: true, ..Standpoint::default() };
            let standpoint = seen.grants.get(place).copied().unwrap_or(unknown);
            guard::grant(acting, promise.object, org_id, standpoint, None)?;
        }
    }
    let org = check::found(seen.org.as_ref(), IdType::Organization)?;
    check::org_active(org)?;
    Ok(Inviting { org, seen, judged: env.caller.as_guarded().is_some(), invited_by, taken: BTreeSet::new() })
}

impl Command for CreateInvitation {
    type Output = Invitation;

    fn load(&self) -> Result<LoadSpec, DomainError> {
        self.invitation.forms()?;
        Ok(load_invite(self.org_id, std::slice::from_ref(&self.invitation)))
    }

    fn stakes(&self, seen: &Snapshot) -> Option<Stakes> {
        Some(Stakes::giving(judge::place(seen)?, roles_of(seen, std::slice::from_ref(&self.invitation))))
    }

    fn decide(&self, seen: &Snapshot, env: &mut Env<'_>) -> Result<Decision<Invitation>, DomainError> {
        let mut inviting = inviting(seen, env, self.org_id, self.invited_by, std::slice::from_ref(&self.invitation))?;
        let mut draft = Draft::new(env);
        let inv = inviting.invite(&mut draft, &self.invitation)?;
        Ok(draft.finish(inv))
    }
}

/// Invites several people at once: each row has an outcome of its own, and the good ones are written together.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct CreateInvitations {
    /// Where to.
    pub org_id: OrgId,
    /// Who invites.
    pub invited_by: UserId,
    /// Whom, as what, until when: 1 to 500.
    pub invitations: Vec<InvitationInput>,
}

impl CreateInvitations {
    /// The most invitations of one command.
    pub const MAX: usize = 500;

    /// These invitations, by this user.
    pub const fn new(org_id: OrgId, invited_by: UserId, invitations: Vec<InvitationInput>) -> Self {
        Self { org_id, invited_by, invitations }
    }
}

/// What became of one row of [`CreateInvitations`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvitedRow(pub Result<Invitation, DomainError>);

impl Serialize for InvitedRow {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut row = serializer.serialize_struct("InvitedRow", 2)?;
        row.serialize_field("invitation", &self.0.as_ref().ok())?;
        row.serialize_field("error", &self.0.as_ref().err().map(DomainError::brief))?;
        row.end()
    }
}

impl Command for CreateInvitations {
    type Output = Vec<InvitedRow>;

    fn load(&self) -> Result<LoadSpec, DomainError> {
        if !(1..=Self::MAX).contains(&self.invitations.len()) {
            return Err(DomainError::format("invitations", "a list of 1 to 500"));
        }
        Ok(load_invite(self.org_id, &self.invitations))
    }

    fn stakes(&self, seen: &Snapshot) -> Option<Stakes> {
        Some(Stakes::giving(judge::place(seen)?, roles_of(seen, &self.invitations)))
    }

    fn decide(&self, seen: &Snapshot, env: &mut Env<'_>) -> Result<Decision<Vec<InvitedRow>>, DomainError> {
        let mut inviting = inviting(seen, env, self.org_id, self.invited_by, &self.invitations)?;
        let mut draft = Draft::new(env);
        let rows = self.invitations.iter().map(|row| InvitedRow(inviting.invite(&mut draft, row))).collect();
        Ok(draft.finish(rows))
    }
}

/// Makes a membership of an invitation.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct AcceptInvitation {
    /// Which.
    pub inv_id: InvitationId,
    /// Who accepts; without one a new user is made.
    pub as_usr_id: Option<UserId>,
    /// What the authentication says of who accepts; asked for with `as_usr_id`, and equal byte by byte to the invitation's.
    pub accepting_identifier: Option<String>,
}

impl AcceptInvitation {
    /// By a new user, whom the command makes.
    pub const fn by_new_user(inv_id: InvitationId) -> Self {
        Self { inv_id, as_usr_id: None, accepting_identifier: None }
    }

    /// By this user, whose identifier the caller has verified.
    pub fn by(inv_id: InvitationId, usr_id: UserId, identifier: impl Into<String>) -> Self {
        Self { inv_id, as_usr_id: Some(usr_id), accepting_identifier: Some(identifier.into()) }
    }
}

/// What [`AcceptInvitation`] answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct AcceptedInvitation {
    /// The invitation, accepted.
    pub invitation: Invitation,
    /// The new membership.
    pub membership: Membership,
    /// The tuples that were made of the invitation's promises.
    pub materialized_tuples: Vec<Tuple>,
}

impl Command for AcceptInvitation {
    type Output = AcceptedInvitation;

    fn load(&self) -> Result<LoadSpec, DomainError> {
        Ok(LoadSpec::Accept { inv: self.inv_id, usr: self.as_usr_id })
    }

    fn decide(&self, seen: &Snapshot, env: &mut Env<'_>) -> Result<Decision<AcceptedInvitation>, DomainError> {
        if let Some(caller) = env.caller.as_guarded() {
            let given = self.accepting_identifier.as_deref();
            guard::allow(self.as_usr_id == Some(caller.usr_id) && given.is_some_and(|given| caller.speaks_for(given)))?;
        }
        let inv = check::found(seen.invitation.as_ref(), IdType::Invitation)?;
        match inv.status_at(env.now) {
            InvitationStatus::Pending => {}
            InvitationStatus::Expired => return Err(DomainError::InvitationExpired),
            InvitationStatus::Accepted | InvitationStatus::Declined | InvitationStatus::Revoked => {
                return Err(DomainError::InvitationNotPending);
            }
        }
        if self.as_usr_id.is_some() {
            let identifier = self.accepting_identifier.as_deref().ok_or(Precondition::IdentifierBindingRequired)?;
            if identifier != inv.identifier.as_str() {
                return Err(Precondition::IdentifierMismatch.into());
            }
        }
        let org = check::found(seen.org.as_ref(), IdType::Organization)?;
        check::org_active(org)?;
        check::user_ok(seen.user.as_ref())?;
        let expired = check::room(seen.membership.as_ref(), env.now)?;
        check::seat_free(org, seen.seats)?;

        let is_guarded = env.caller.as_guarded().is_some();
        let mut draft = Draft::new(env);
        if let Some(expired) = expired {
            draft.make_room(org, expired, seen);
        }
        let usr_id = match self.as_usr_id {
            Some(usr_id) => {
                if inv.role == Role::Owner {
                    draft.advance_user(usr_id, seen.user.as_ref());
                } else if is_guarded {
                    // They act for themselves, so their row is the actor's (spec/guarded.md, GRD-48).
                    draft.rely_on_user(usr_id, seen.user.as_ref().map(|user| user.revision));
                }
                usr_id
            }
            None => mint(&mut draft),
        };
        draft.change(Change::EndInvitation {
            org_id: inv.org_id,
            id: inv.id,
            to: InvitationStatus::Accepted,
            terminal_at: draft.now(),
            terminal_by: Some(usr_id),
            invited_user_id: Some(usr_id),
        });
        let invitation = Invitation {
            status: InvitationStatus::Accepted,
            invited_user_id: Some(usr_id),
            terminal_at: Some(draft.now()),
            terminal_by: Some(usr_id),
            ..inv.clone()
        };
        let after = status_fields(invitation.status).with("invited_user_id", usr_id.to_string());
        draft.event(org, EventType::InvitationAccepted, &[inv.id.any(), usr_id.any()], status_fields(inv.status), after);
        draft.rely_on_role(org, inv.role, seen.line.as_ref());
        let membership = Membership { invited_by: Some(inv.invited_by), ..draft.new_membership(usr_id, inv.org_id, inv.role) };
        draft.change(Change::InsertMembership(membership.clone()));
        draft.event(org, EventType::MembershipAdded, &about(&membership), Fields::new(), added(&membership));
        let mut materialized_tuples = Vec::new();
        for (place, promise) in inv.pre_tuples.iter().enumerate() {
            let is_held = seen.held.iter().any(|held| usize::try_from(*held) == Ok(place));
            let right = match seen.grants.get(place) {
                _ if !inv.judged => Some(guard::Right::Held),
                Some(standpoint) => guard::still(*standpoint),
                None => None,
            };
            if let (false, Some(right)) = (is_held, right) {
                if right == guard::Right::InScope {
                    draft.rely_on_scope(promise.object, org.id);
                }
                materialized_tuples.push(materialize(&mut draft, org, inv, promise, usr_id));
            }
        }
        Ok(draft.finish(AcceptedInvitation { invitation, membership, materialized_tuples }))
    }
}

fn mint(draft: &mut Draft<'_, '_>) -> UserId {
    let (id, now) = (draft.id(), draft.now());
    let user = User { id, status: UserStatus::Active, display_name: None, created_at: now, updated_at: now, revision: 0 };
    let after = Fields::new().with("status", user.status.as_str());
    draft.change(Change::InsertUser(user));
    draft.store_event(EventType::UserCreated, &[id.any()], Fields::new(), after);
    id
}

fn materialize(draft: &mut Draft<'_, '_>, org: &Organization, inv: &Invitation, promise: &Grant, usr_id: UserId) -> Tuple {
    let tuple = Tuple {
        id: draft.id(),
        key: TupleKey { subject: EntityRef::user(usr_id), relation: promise.relation.clone(), object: promise.object },
        org_id: Some(org.id),
        created_at: draft.now(),
        created_by: Some(inv.invited_by),
        expires_at: None,
    };
    draft.change(Change::InsertTuple(tuple.clone()));
    draft.event(org, EventType::TupleCreated, &[tuple.id.any()], Fields::new(), told(&tuple));
    tuple
}

fn status_fields(status: InvitationStatus) -> Fields {
    Fields::new().with("status", status.as_str())
}

/// The invitation is pending, as a reader sees it.
fn pending(inv: &Invitation, now: Timestamp) -> Result<(), DomainError> {
    if inv.status_at(now) == InvitationStatus::Pending { Ok(()) } else { Err(DomainError::InvitationNotPending) }
}

fn end(
    draft: &mut Draft<'_, '_>,
    org: &Organization,
    inv: &Invitation,
    to: InvitationStatus,
    kind: EventType,
    by: Option<UserId>,
) -> Invitation {
    let now = draft.now();
    draft.change(Change::EndInvitation { org_id: inv.org_id, id: inv.id, to, terminal_at: now, terminal_by: by, invited_user_id: None });
    let after = status_fields(to).with_some("terminal_by", by.map(|usr| usr.to_string()));
    draft.event(org, kind, &[inv.id.any()], status_fields(inv.status), after);
    Invitation { status: to, terminal_at: Some(now), terminal_by: by, ..inv.clone() }
}

/// Says no to an invitation.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct DeclineInvitation {
    /// Which.
    pub inv_id: InvitationId,
    /// Who declines, where that is known.
    pub as_usr_id: Option<UserId>,
    /// What the authentication says of who declines: a guarded caller must show that the invitation is for them.
    pub accepting_identifier: Option<String>,
}

impl DeclineInvitation {
    /// By someone unknown.
    pub const fn new(inv_id: InvitationId) -> Self {
        Self { inv_id, as_usr_id: None, accepting_identifier: None }
    }

    /// By this user, whose identifier the caller has verified.
    pub fn by(inv_id: InvitationId, usr_id: UserId, identifier: impl Into<String>) -> Self {
        Self { inv_id, as_usr_id: Some(usr_id), accepting_identifier: Some(identifier.into()) }
    }
}

impl Command for DeclineInvitation {
    type Output = Invitation;

    fn load(&self) -> Result<LoadSpec, DomainError> {
        Ok(LoadSpec::Invitation { inv: self.inv_id })
    }

    fn decide(&self, seen: &Snapshot, env: &mut Env<'_>) -> Result<Decision<Invitation>, DomainError> {
        let inv = seen.invitation.as_ref();
        let given = self.accepting_identifier.as_deref();
        if let Some(caller) = env.caller.as_guarded() {
            // Knowing an id is not enough.
            let same = given == inv.map(|inv| inv.identifier.as_str());
            let theirs = self.as_usr_id == Some(caller.usr_id) && same && given.is_some_and(|given| caller.speaks_for(given));
            check::found(inv.filter(|_| theirs), IdType::Invitation)?;
        }
        let inv = check::found(inv, IdType::Invitation)?;
        let org = check::found(seen.org.as_ref(), IdType::Organization)?;
        pending(inv, env.now)?;
        if given.is_some_and(|given| given != inv.identifier.as_str()) {
            return Err(Precondition::IdentifierMismatch.into());
        }
        let mut draft = Draft::new(env);
        let inv = end(&mut draft, org, inv, InvitationStatus::Declined, EventType::InvitationDeclined, self.as_usr_id);
        Ok(draft.finish(inv))
    }
}

/// Takes an invitation back.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct RevokeInvitation {
    /// Which.
    pub inv_id: InvitationId,
    /// Who takes it back.
    pub admin_usr_id: UserId,
}

impl RevokeInvitation {
    /// This invitation, by this user.
    pub const fn new(inv_id: InvitationId, admin_usr_id: UserId) -> Self {
        Self { inv_id, admin_usr_id }
    }
}

impl Command for RevokeInvitation {
    type Output = Invitation;

    fn load(&self) -> Result<LoadSpec, DomainError> {
        Ok(LoadSpec::Invitation { inv: self.inv_id })
    }

    fn stakes(&self, seen: &Snapshot) -> Option<Stakes> {
        Stakes::managing(judge::place(seen))
    }

    fn decide(&self, seen: &Snapshot, env: &mut Env<'_>) -> Result<Decision<Invitation>, DomainError> {
        let judge = judge::manager_of(seen, env, IdType::Invitation, seen.invitation.as_ref().map(|inv| inv.role))?;
        guard::allow(judge.is_none_or(|judge| judge.acting.usr_id == self.admin_usr_id))?;
        let inv = check::found(seen.invitation.as_ref(), IdType::Invitation)?;
        let org = check::found(seen.org.as_ref(), IdType::Organization)?;
        pending(inv, env.now)?;
        let mut draft = Draft::new(env);
        let inv = end(&mut draft, org, inv, InvitationStatus::Revoked, EventType::InvitationRevoked, Some(self.admin_usr_id));
        Ok(draft.finish(inv))
    }
}

/// Gives an open or expired invitation another end.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ExtendInvitation {
    /// Which.
    pub inv_id: InvitationId,
    /// From when on it cannot be accepted.
    pub expires_at: Timestamp,
}

impl ExtendInvitation {
    /// Until this moment.
    pub const fn new(inv_id: InvitationId, expires_at: Timestamp) -> Self {
        Self { inv_id, expires_at }
    }
}

impl Command for ExtendInvitation {
    type Output = Invitation;

    fn load(&self) -> Result<LoadSpec, DomainError> {
        Ok(LoadSpec::Invitation { inv: self.inv_id })
    }

    fn stakes(&self, seen: &Snapshot) -> Option<Stakes> {
        Some(Stakes::giving(judge::place(seen)?, seen.invitation.as_ref().map(|inv| inv.role)))
    }

    fn decide(&self, seen: &Snapshot, env: &mut Env<'_>) -> Result<Decision<Invitation>, DomainError> {
        let judge = judge::manager_of(seen, env, IdType::Invitation, seen.invitation.as_ref().map(|inv| inv.role))?;
        if let (Some(judge), Some(inv)) = (judge, &seen.invitation) {
            // To offer it for longer is to promise anew.
            let acting = judge.acting;
            judge.may_give_role(inv.role, None)?;
            for (promise, standpoint) in inv.pre_tuples.iter().zip(&seen.grants) {
                guard::grant(acting, promise.object, inv.org_id, *standpoint, None)?;
            }
        }
        let inv = check::found(seen.invitation.as_ref(), IdType::Invitation)?;
        let org = check::found(seen.org.as_ref(), IdType::Organization)?;
        let status = inv.status_at(env.now);
        if !matches!(status, InvitationStatus::Pending | InvitationStatus::Expired) {
            return Err(DomainError::InvitationNotPending);
        }
        check::org_active(org)?;
        if inv.role.custom().is_some() && seen.line.as_ref().is_none_or(|line| line.roles.iter().all(|role| role.id != inv.role.id())) {
            return Err(Precondition::UnknownRole.into());
        }
        check::future(Some(self.expires_at), env.now)?;
        let other = seen.pending.iter().find(|other| other.id != inv.id);
        if other.is_some_and(|other| other.status_at(env.now) == InvitationStatus::Pending) {
            return Err(DomainError::DuplicateInvitation);
        }

        let mut draft = Draft::new(env);
        if status == InvitationStatus::Pending && inv.expires_at == self.expires_at {
            return Ok(draft.finish(inv.clone()));
        }
        if let Some(other) = other {
            draft.expire(org, other);
        }
        draft.rely_on_role(org, inv.role, seen.line.as_ref());
        draft.change(Change::ExtendInvitation { org_id: inv.org_id, id: inv.id, from: inv.status, expires_at: self.expires_at });
        let next = Invitation {
            status: InvitationStatus::Pending,
            expires_at: self.expires_at,
            terminal_at: None,
            terminal_by: None,
            ..inv.clone()
        };
        let reopened = status != next.status;
        let side = |status: InvitationStatus, end: Timestamp| {
            Fields::new().with("expires_at", end.to_string()).with_some("status", reopened.then(|| status.as_str()))
        };
        draft.event(org, EventType::InvitationExtended, &[inv.id.any()], side(status, inv.expires_at), side(next.status, next.expires_at));
        Ok(draft.finish(next))
    }
}
