//! Invitations and tuples to bring in.

use super::{Intake, comes_late, twice};
use crate::change::Change;
use crate::decide::{PreTuple, check, invitations::InvitationInput, tuples::tuple_key};
use crate::entity::{Invitation, InvitationStatus, OrgStatus};
use crate::error::{DomainError, Precondition};
use crate::id::{IdType, InvitationId, OrgId, RoleId, TupleId, UserId};
use crate::role::Role;
use crate::time::Timestamp;
use crate::tuple::{Tuple, TupleKey};
use crate::value::ObjectType;

/// An invitation to bring in. Its organization stands further up in the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImportInvitation {
    /// `inv_`.
    pub id: InvitationId,
    /// Where to.
    pub org_id: OrgId,
    /// Whom.
    pub identifier: String,
    /// As what: the role's slug.
    pub role: String,
    /// The role's id, where the slug alone would not say which; an invitation that is over may offer a role that is gone.
    pub role_id: Option<RoleId>,
    /// As a reader sees it.
    pub status: InvitationStatus,
    /// What else it promises.
    pub pre_tuples: Vec<PreTuple>,
    /// Who invited.
    pub invited_by: UserId,
    /// Who accepted.
    pub invited_user_id: Option<UserId>,
    /// When the row was made; now unless given.
    pub created_at: Option<Timestamp>,
    /// From when on it cannot be accepted.
    pub expires_at: Timestamp,
    /// When it came to its end.
    pub terminal_at: Option<Timestamp>,
    /// Who brought it there.
    pub terminal_by: Option<UserId>,
}

/// A tuple to bring in. Its scope, where it has one, stands further up in the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImportTuple {
    /// `tup_`.
    pub id: TupleId,
    /// The subject's type.
    pub subject_type: String,
    /// The subject's id.
    pub subject_id: String,
    /// The relation.
    pub relation: String,
    /// The object's type.
    pub object_type: String,
    /// The object's id.
    pub object_id: String,
    /// Its scope.
    pub org_id: Option<OrgId>,
    /// When it was made; now unless given.
    pub created_at: Option<Timestamp>,
    /// Who made it.
    pub created_by: Option<UserId>,
    /// From when on it no longer counts.
    pub expires_at: Option<Timestamp>,
}

impl ImportTuple {
    pub(super) fn key(&self) -> Result<TupleKey, DomainError> {
        tuple_key(&self.subject_type, &self.subject_id, &self.relation, &self.object_type, &self.object_id)
    }
}

impl Intake<'_> {
    pub(super) fn invitation(&mut self, row: &ImportInvitation) -> Result<(), DomainError> {
        let said = InvitationInput::new(row.identifier.as_str(), row.role.as_str(), row.expires_at).pre_tuples(row.pre_tuples.clone());
        let (identifier, pre_tuples) = said.forms()?;
        let (is_new, org_status) = self.place(row.org_id)?;
        let is_open = row.status == InvitationStatus::Pending;
        // What an invitation that is over offered may be gone, or be known there no more.
        let role = self.held(&row.role, row.role_id, row.org_id, is_open && self.now < row.expires_at)?;
        if pre_tuples.iter().any(|promise| promise.object.kind == ObjectType::ORG) {
            return Err(Precondition::PreTupleOnOrg.into());
        }
        if !self.invitations.insert(row.id) {
            return Err(twice(IdType::Invitation));
        }
        let created_at = row.created_at.unwrap_or(self.now);
        let is_expired = row.status == InvitationStatus::Expired;
        let given = Invitation {
            id: row.id,
            org_id: row.org_id,
            identifier,
            role,
            status: row.status,
            pre_tuples,
            invited_by: row.invited_by,
            invited_user_id: row.invited_user_id,
            created_at,
            expires_at: row.expires_at,
            terminal_at: if is_expired { Some(row.expires_at) } else { row.terminal_at },
            terminal_by: row.terminal_by,
            judged: self.invitations_there.get(&row.id).is_some_and(|there| there.judged),
        };
        let fits = match row.status {
            InvitationStatus::Pending => row.terminal_at.is_none() && row.terminal_by.is_none() && row.invited_user_id.is_none(),
            InvitationStatus::Expired => {
                let ended = row.expires_at <= self.now && row.terminal_at.is_none_or(|end| end == row.expires_at);
                ended && row.terminal_by.is_none() && row.invited_user_id.is_none()
            }
            InvitationStatus::Accepted => row.terminal_at.is_some() && row.invited_user_id.is_some(),
            InvitationStatus::Declined | InvitationStatus::Revoked => row.terminal_at.is_some() && row.invited_user_id.is_none(),
        };
        if !fits {
            return Err(DomainError::format("status", "a status that goes together with the end and with who came to it"));
        }
        // As a sweep would store it, so that it is in nobody's way.
        let inv = given.seen_at(self.now);
        if let Some(there) = self.invitations_there.get(&row.id) {
            let there = (*there).clone().seen_at(self.now);
            let same = Invitation { created_at: if row.created_at.is_some() { inv.created_at } else { there.created_at }, ..inv };
            return self.unchanged(same == there, IdType::Invitation);
        }
        if !is_new {
            return Err(comes_late());
        }
        if is_open && inv.status == InvitationStatus::Pending {
            if org_status == OrgStatus::Revoked {
                return Err(Precondition::OrgNotActive.into());
            }
            if !self.pending.insert((inv.org_id, inv.identifier.clone())) {
                return Err(DomainError::DuplicateInvitation);
            }
        }
        if inv.status == InvitationStatus::Pending {
            self.rely_on_held(inv.role);
        }
        self.count(Some(inv.org_id), |counts| &mut counts.invitations);
        self.changes.push(Change::InsertInvitation(inv));
        Ok(())
    }

    pub(super) fn tuple(&mut self, row: &ImportTuple) -> Result<(), DomainError> {
        let key = row.key()?;
        let scope = match row.org_id {
            Some(org) => Some(check::found(self.orgs.get(&org), IdType::Organization)?),
            None => None,
        };
        let is_member = |org| key.subject.as_user().is_some_and(|usr| self.members.contains(&(org, usr)));
        if key.subject.kind == ObjectType::USER && !row.org_id.is_none_or(is_member) {
            return Err(Precondition::NotAMember.into());
        }
        let object_org = key.object.as_org();
        let in_store = object_org.is_some_and(|org| self.orgs_there.contains_key(&org));
        let in_file = object_org.and_then(|org| self.orgs.get(&org));
        let is_over = row.expires_at.is_some_and(|end| self.now >= end);
        // A tuple that is over may be older than the role.
        let is_role = |org| Role::from_slug(key.relation.as_str()).is_some() || !is_over && self.knows(org, &key.relation);
        if (in_store || in_file.is_some()) && object_org.is_some_and(is_role) {
            return Err(Precondition::MembershipRelation.into());
        }
        // The organization of the tuple is that of its scope, else the one that is its object.
        let is_late = scope.or(in_file).map_or(in_store, |org| !org.new);
        let status = scope.map(|org| org.status);
        if !self.tuples.insert(row.id) {
            return Err(twice(IdType::Tuple));
        }
        let tuple = Tuple {
            id: row.id,
            key,
            org_id: row.org_id,
            created_at: row.created_at.unwrap_or(self.now),
            created_by: row.created_by,
            expires_at: row.expires_at,
        };
        if let Some(there) = self.tuples_there.get(&row.id) {
            let same = Tuple { created_at: if row.created_at.is_some() { tuple.created_at } else { there.created_at }, ..tuple };
            return self.unchanged(same == **there, IdType::Tuple);
        }
        if tuple.is_expired(self.now) {
            // As one that a sweep has taken away: there is nothing to bring, and an import can be repeated.
            self.counts.unchanged += 1;
            return Ok(());
        }
        if is_late {
            return Err(comes_late());
        }
        if status == Some(OrgStatus::Revoked) {
            return Err(Precondition::OrgNotActive.into());
        }
        let place = (tuple.key.clone(), tuple.org_id);
        if let Some(id) = self.tuple_places.get(&place) {
            return Err(DomainError::DuplicateTuple { id: *id });
        }
        if let Some(org) = object_org {
            self.relate(org, &tuple.key.relation);
        }
        self.tuple_places.insert(place, tuple.id);
        let home = tuple.org_id.or_else(|| tuple.key.object.as_org());
        self.count(home, |counts| &mut counts.tuples);
        let in_the_way = |old: &&Tuple| old.id == tuple.id || (old.key == tuple.key && old.org_id == tuple.org_id);
        for old in self.expired.extract_if(.., |old| in_the_way(&&**old)) {
            self.changes.push(Change::DeleteTuple { id: old.id });
        }
        self.changes.push(Change::InsertTuple(tuple));
        Ok(())
    }
}
