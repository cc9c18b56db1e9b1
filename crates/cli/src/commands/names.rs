//! What people call the users and organizations behind ids. Looked up only where people read the answer, and only as far as
//! the one who acts may see it.

use std::collections::HashMap;

use tenantry::{DomainError, Error, OrgId, TenancyStore, UserId};

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
        let rows = match store.get_users(ids).await {
            // Who may see the rows that name the users may not see the users' own.
            Err(Error::Domain(DomainError::Forbidden)) => continue,
            rows => rows?,
        };
        names.extend(rows.into_iter().filter_map(|row| Some((row.id, row.display_name?.to_string()))));
    }
    Ok(names)
}

/// Names, or else slugs, of organizations.
pub(super) async fn of_orgs(store: &dyn TenancyStore, orgs: impl Iterator<Item = OrgId>) -> Result<HashMap<OrgId, String>, Failure> {
    let mut ids: Vec<OrgId> = orgs.collect();
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
