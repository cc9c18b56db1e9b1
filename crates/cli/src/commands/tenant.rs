//! `tenantry tenant ...`

use std::sync::Arc;

use serde::Serialize;
use tenantry::{CreateTenant, DeleteTenant, EnsureTenant, EnsuredTenant, OrgId, Organization, TenancyStore, TenantPolicy, TenantService};

use super::org::{self, record, table};
use super::org_id;
use crate::args::{CreateTenantArgs, DeleteTenantArgs, EnsureTenantArgs, TenantCommand};
use crate::failure::Failure;
use crate::output::{Answer, Record};
use crate::session::Turn;

/// Organizations as an answer in JSON.
#[derive(Debug, Serialize)]
struct Owned {
    data: Vec<Organization>,
}

pub(super) async fn run(command: TenantCommand, turn: &Turn) -> Result<Answer, Failure> {
    let store = &*turn.store;
    match command {
        TenantCommand::Ensure(args) => ensure(args, store).await,
        TenantCommand::Create(CreateTenantArgs { usr_id, name, slug, policy }) => {
            let mut request = CreateTenant::new(usr_id, name, policy.policy());
            request.slug = slug;
            org::created(&store.create_tenant_with_ownership(request).await?)
        }
        TenantCommand::List(args) => {
            let tenants = TenantService::new(Arc::clone(&turn.store), TenantPolicy::default())?;
            let owned = Owned { data: tenants.list_owned_tenants(args.usr_id).await? };
            Answer::new(&owned, table(&owned.data))
        }
        TenantCommand::Delete(DeleteTenantArgs { org, owner, policy }) => {
            let request = DeleteTenant::new(owner, org_id(store, &org).await?, policy.policy());
            org::answer(&store.delete_tenant(request).await?)
        }
    }
}

async fn ensure(args: EnsureTenantArgs, store: &dyn TenancyStore) -> Result<Answer, Failure> {
    let EnsureTenantArgs { usr_id, name, policy } = args;
    let mut request = EnsureTenant::new(usr_id, policy.policy());
    request.name = name;
    let ensured = store.ensure_tenant_for_user(request).await?;
    let EnsuredTenant { org, membership, created, .. } = &ensured;
    let note = org.is_none().then(|| "the user belongs to no live organization, and this mode makes none".to_owned());
    let found = org.as_ref().map_or_else(|| Record::new().with_some("id", None::<OrgId>), record);
    let found =
        found.with_some("membership", membership.as_ref().map(|mem| mem.id)).with_some("role", membership.as_ref().map(|mem| mem.role));
    Ok(Answer::new(&ensured, found.with("created", created))?.note(note))
}
