//! Stored tuples: where they may stand.

use std::collections::{BTreeMap, HashSet};

use super::rows::Rows;
use super::{Found, Invariant};
use crate::entity::{MembershipStatus, OrgStatus};
use crate::id::{AnyId, Id, OrgId, UserId};
use crate::role::Role;
use crate::tuple::{Tuple, TupleKey};
use crate::value::ObjectType;

const TABLE: &str = "tuple";

pub(super) fn check(rows: &Rows<'_>, found: &mut Found) {
    let current = rows.dump.memberships.iter().filter(|mem| mem.status != MembershipStatus::Revoked);
    let members: HashSet<(OrgId, UserId)> = current.map(|mem| (mem.org_id, mem.usr_id)).collect();
    let mut places: BTreeMap<(&TupleKey, Option<OrgId>), Vec<AnyId>> = BTreeMap::new();
    for tuple in &rows.dump.tuples {
        let ids = [tuple.id.any()];
        places.entry((&tuple.key, tuple.org_id)).or_default().push(tuple.id.any());
        let entities = [tuple.key.subject, tuple.key.object];
        if entities.iter().any(|entity| entity.id.is_nil() || entity.id.is_max()) {
            found.add(Invariant::TupleEntity, TABLE, &ids, "its subject or object is the nil or the max UUID");
        }
        if gives_a_role(rows, tuple) {
            let message =
                format!("it says that its subject is {} of an organization, which only memberships say", tuple.key.relation.as_str());
            found.add(Invariant::NoRoleStored, TABLE, &ids, message);
        }
        let Some(scope) = tuple.org_id else { continue };
        if rows.orgs.get(&scope).is_some_and(|org| org.status == OrgStatus::Revoked) {
            found.add(Invariant::EndsWithOrg, TABLE, &ids, "the organization of its scope is revoked");
        }
        let is_member = |usr: UserId| members.contains(&(scope, usr));
        if tuple.key.subject.kind == ObjectType::USER && !tuple.key.subject.as_user().is_some_and(is_member) {
            found.add(Invariant::TupleOfMember, TABLE, &ids, format!("its subject has no membership in {scope}, which is its scope"));
        }
    }
    for (_, ids) in places.into_iter().filter(|(_, ids)| ids.len() > 1) {
        found.add(Invariant::OneTuple, TABLE, &ids, "they say the same in one scope");
    }
}

/// An organization may come in by an import where a tuple on it had expired already, which then stays until it is swept.
fn gives_a_role(rows: &Rows<'_>, tuple: &Tuple) -> bool {
    let object = tuple.key.object.as_org().filter(|org| rows.orgs.contains_key(org));
    let Some(org) = object.filter(|_| Role::from_slug(tuple.key.relation.as_str()).is_some()) else { return false };
    let came = rows.logs.get(&org).and_then(|log| log.events.first()).map(|event| event.at);
    !tuple.is_expired(rows.now.max(came.unwrap_or(rows.now)))
}
