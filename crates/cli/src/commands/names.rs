//! What people call the users and organizations behind ids. Looked up only where people read the answer.

use std::collections::HashMap;

use tenantry::{Membership, OrgId, TenancyStore, UserId};

use crate::failure::Failure;

/// The most ids that one look-up takes.
const AT_ONCE: usize = 200;

/// Display names of the users who have a row and a name. An id without a row is a user whom another system knows.
pub(super) async fn of_users(store: &dyn TenancyStore, users: impl Iterator<Item = UserId>) -> Result<HashMap<UserId, String>, Failure> {
    let mut ids: Vec<UserId> = users.collect();
    ids.sort_unstable();
    ids.dedup();
    let mut names = HashMap::new();
    for ids in ids.chunks(AT_ONCE) {
        let rows = store.get_users(ids).await?;
        names.extend(rows.into_iter().filter_map(|row| Some((row.id, row.display_name?.to_string()))));
    }
    Ok(names)
}

/// Names, or else slugs, of the organizations of these memberships.
pub(super) async fn of_orgs(store: &dyn TenancyStore, memberships: &[Membership]) -> Result<HashMap<OrgId, String>, Failure> {
    let mut ids: Vec<OrgId> = memberships.iter().map(|mem| mem.org_id).collect();
    ids.sort_unstable();
    ids.dedup();
    let mut names = HashMap::new();
    for ids in ids.chunks(AT_ONCE) {
        for org in store.get_orgs(ids).await? {
            let name = org.name.map(|name| name.to_string()).or_else(|| org.slug.map(|slug| slug.to_string()));
            names.insert(org.id, name.unwrap_or_default());
        }
    }
    Ok(names)
}
