//! [`TenantService`]: one tenant policy over any store (spec/tenants.md).

use std::sync::Arc;

use crate::decide::{Caller, CreateTenant, CreatedOrg, DeleteTenant, EnsureTenant, EnsuredTenant, TenantPolicy};
use crate::entity::{MembershipStatus, Organization, UserStatus};
use crate::error::{DomainError, Error};
use crate::id::{OrgId, UserId};
use crate::page::{PageRequest, PageSize};
use crate::role::Role;
use crate::store::{ListMemberships, TenancyStore};

/// The organizations of users by one policy, which is given once and not with each call.
///
/// The policy is part of each command, and judged in the transaction that writes: two first logins at once make one organization, and
/// nobody comes to own more than the limit, whatever the store. Everything else goes to the store itself, which knows nothing of it: where
/// users found and end organizations, offer them this in place of [`create_org`](TenancyStore::create_org) and
/// [`revoke_org`](TenancyStore::revoke_org).
///
/// ```
/// use std::sync::Arc;
/// use tenantry_core::{Caller, Error, TenancyStore, TenantMode, TenantPolicy, TenantService, UserId};
///
/// async fn signed_in(store: Arc<dyn TenancyStore>, usr: UserId, name: &str) -> Result<(), Error> {
///     let tenants = TenantService::new(store, TenantPolicy::new(TenantMode::Personal).max_tenants(3))?;
///     // What the user asks for is theirs alone, whoever they say they are.
///     let tenants = tenants.with_caller(Caller::guarded(usr));
///     let place = tenants.ensure_tenant_for_user(usr, Some(name)).await?;
///     if let Some(org) = place.org {
///         println!("{} works in {}", usr, org.id);
///     }
///     Ok(())
/// }
/// # let _ = signed_in;
/// ```
#[derive(Debug, Clone)]
pub struct TenantService<'s> {
    store: Arc<dyn TenancyStore + 's>,
    policy: TenantPolicy,
}

impl<'s> TenantService<'s> {
    /// This policy over this store, on behalf of whom the store acts for.
    ///
    /// # Errors
    /// A policy that does not have its form: [`TenantPolicy::check`].
    pub fn new(store: Arc<dyn TenancyStore + 's>, policy: TenantPolicy) -> Result<Self, DomainError> {
        policy.check()?;
        Ok(Self { store, policy })
    }

    /// The policy.
    pub const fn policy(&self) -> &TenantPolicy {
        &self.policy
    }

    /// The same policy over the same store, on behalf of someone else.
    #[must_use]
    pub fn with_caller(&self, caller: Caller) -> Self {
        Self { store: self.store.with_caller(caller), policy: self.policy.clone() }
    }

    /// The organization that a user works in, made for them where there is none and the policy says so. One round trip where there is one.
    /// Spec: `tenants.md#ensure_tenant_for_user`.
    pub async fn ensure_tenant_for_user(&self, usr_id: UserId, name: Option<&str>) -> Result<EnsuredTenant, Error> {
        let request = EnsureTenant { usr_id, name: name.map(str::to_owned), policy: self.policy.clone() };
        self.store.ensure_tenant_for_user(request).await
    }

    /// Creates an organization that a user owns, where the policy allows one more. Without a slug it gets one that is made of the name.
    /// Spec: `tenants.md#create_tenant_with_ownership`.
    pub async fn create_tenant_with_ownership(&self, usr_id: UserId, name: &str, slug: Option<&str>) -> Result<CreatedOrg, Error> {
        let request = CreateTenant { slug: slug.map(str::to_owned), ..CreateTenant::new(usr_id, name, self.policy.clone()) };
        self.store.create_tenant_with_ownership(request).await
    }

    /// Ends an organization as its owner, where the policy lets them. Spec: `tenants.md#delete_tenant`.
    pub async fn delete_tenant(&self, usr_id: UserId, org_id: OrgId) -> Result<Organization, Error> {
        self.store.delete_tenant(DeleteTenant::new(usr_id, org_id, self.policy.clone())).await
    }

    /// Whether [`create_tenant_with_ownership`](Self::create_tenant_with_ownership) would find the user and the limit in its way now: for
    /// showing a button, since only that call itself settles it. Takes a round trip, and with a limit one more for each 200 active
    /// memberships of the user.
    ///
    /// # Errors
    /// As [`get_users`](TenancyStore::get_users) and [`list_memberships`](TenancyStore::list_memberships): `forbidden` for a guarded
    /// caller who asks about another user.
    pub async fn can_create_tenant(&self, usr_id: UserId) -> Result<bool, Error> {
        let rows = self.store.get_users(&[usr_id]).await?;
        if rows.iter().any(|user| user.status != UserStatus::Active) {
            return Ok(false);
        }
        if self.policy.max_tenants == 0 {
            return Ok(true);
        }
        let owned = self.owned(usr_id).await?.len();
        Ok(self.policy.allows(u64::try_from(owned).unwrap_or(u64::MAX)))
    }

    /// The organizations that a user owns, in order of id, as far as they can be seen: a guarded caller does not see those that are not
    /// live. Takes two round trips for each 200 active memberships.
    ///
    /// # Errors
    /// As [`list_memberships`](TenancyStore::list_memberships) and [`get_orgs`](TenancyStore::get_orgs).
    pub async fn list_owned_tenants(&self, usr_id: UserId) -> Result<Vec<Organization>, Error> {
        let owned = self.owned(usr_id).await?;
        let mut orgs = Vec::with_capacity(owned.len());
        for some in owned.chunks(crate::engine::MAX_IDS) {
            orgs.extend(self.store.get_orgs(some).await?);
        }
        Ok(orgs)
    }

    /// Which, in order of id.
    async fn owned(&self, usr_id: UserId) -> Result<Vec<OrgId>, Error> {
        let mut owned = Vec::new();
        let mut cursor = None;
        loop {
            let page = PageRequest::after_optional(cursor).limit(PageSize::MAX);
            let request = ListMemberships::new(usr_id).status(MembershipStatus::Active).page(page);
            let found = self.store.list_memberships(request).await?;
            owned.extend(found.data.iter().filter(|mem| mem.role == Role::Owner).map(|mem| mem.org_id));
            cursor = found.next_cursor;
            if cursor.is_none() {
                owned.sort_unstable();
                return Ok(owned);
            }
        }
    }
}
