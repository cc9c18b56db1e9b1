//! Invitations: how they ended, and what they promise.

use std::collections::{BTreeMap, BTreeSet};

use super::rows::Rows;
use super::{Found, Invariant};
use crate::decide::InvitationInput;
use crate::entity::{Invitation, InvitationStatus, OrgStatus};
use crate::id::{AnyId, Id, OrgId};
use crate::value::{Identifier, ObjectType};

const TABLE: &str = "invitation";

pub(super) fn check(rows: &Rows<'_>, found: &mut Found) {
    let mut pending: BTreeMap<(OrgId, &Identifier), Vec<AnyId>> = BTreeMap::new();
    for inv in &rows.dump.invitations {
        let ids = [inv.id.any()];
        if !fits(inv) {
            let message = format!("it is {}, and what it says of its end belongs to another status", inv.status);
            found.add(Invariant::InvitationEnd, TABLE, &ids, message);
        }
        if inv.status == InvitationStatus::Pending {
            pending.entry((inv.org_id, &inv.identifier)).or_default().push(inv.id.any());
            // What had expired when the organization was revoked stays as it was stored. A revoked organization changes no more, so
            // that this was its moment.
            let org = rows.orgs.get(&inv.org_id).filter(|org| org.status == OrgStatus::Revoked);
            if org.is_some_and(|org| inv.expires_at > org.updated_at) {
                found.add(Invariant::EndsWithOrg, TABLE, &ids, "it is pending, and its organization is revoked");
            }
        }
        let promises: BTreeSet<_> = inv.pre_tuples.iter().collect();
        if promises.len() < inv.pre_tuples.len() || promises.len() > InvitationInput::MAX_PRE_TUPLES {
            found.add(Invariant::Promises, TABLE, &ids, "it promises something twice, or more than 100 relations");
        }
        if inv.pre_tuples.iter().any(|promise| promise.object.kind == ObjectType::ORG) {
            found.add(Invariant::PromiseOnOrg, TABLE, &ids, "it promises a relation on an organization");
        }
    }
    for ((org, _), ids) in pending.into_iter().filter(|(_, ids)| ids.len() > 1) {
        found.add(Invariant::OneInvitation, TABLE, &ids, format!("all of them are pending, for one identifier in {org}"));
    }
}

/// Whether the fields about the end go together with the status. An import need not say by whom an invitation came to its end.
fn fits(inv: &Invitation) -> bool {
    let (at, by, user) = (inv.terminal_at.is_some(), inv.terminal_by.is_some(), inv.invited_user_id.is_some());
    match inv.status {
        InvitationStatus::Pending => !at && !by && !user,
        InvitationStatus::Expired => inv.terminal_at == Some(inv.expires_at) && !by && !user,
        InvitationStatus::Accepted => at && user,
        InvitationStatus::Declined | InvitationStatus::Revoked => at && !user,
    }
}
