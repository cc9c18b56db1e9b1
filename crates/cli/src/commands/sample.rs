//! What the people of the sample company may do: roles, a group and exceptions, on top of what `examples/acme.jsonl` brings in.

use serde::Serialize;
use tenantry::{
    AddGroupMember, AddGroupRole, CreateGroup, CreateRole, Explanation, OrgId, PermissionDefinition, SetMembershipOverride, SetOrgOverride,
    SyncCatalog, TenancyStore, UserId,
};

use super::quickstart::id;
use crate::failure::Failure;

/// Members of the root. The last one is suspended.
const AOIFE: &str = "usr_018df3fa3e807b1bb043444acc1f0d71";
const KWABENA: &str = "usr_018e36f3532076359bfb7b1d6e765817";
const YUKI: &str = "usr_018e79ec67c07db6beb520eaeb51027e";
const OLUMIDE: &str = "usr_01916a0cf600711895d04a458e7a321a";

const PAY: &str = "invoices.pay";
const SHARE: &str = "documents.share";

/// What is shown of it: who, what, and how it turns out.
const SHOWN: [(&str, &str); 5] = [(AOIFE, PAY), (AOIFE, SHARE), (KWABENA, SHARE), (YUKI, PAY), (OLUMIDE, PAY)];

/// One question, with its answer.
#[derive(Debug, Serialize)]
pub(super) struct Asked {
    pub(super) usr_id: UserId,
    pub(super) permission: &'static str,
    pub(super) why: Explanation,
}

/// The finance team pays and shares; nobody shares documents for now, but Kwabena; and Yuki does not pay.
pub(super) async fn grow(store: &dyn TenancyStore, root: OrgId) -> Result<(), Failure> {
    let catalog = [
        PermissionDefinition::new("invoices.read").name("Read invoices"),
        PermissionDefinition::new(PAY).name("Pay invoices").description("Lets money leave the company."),
        PermissionDefinition::new("documents.read").name("Read documents"),
        PermissionDefinition::new(SHARE).name("Share documents").description("Shows documents to people outside."),
    ];
    store.sync_catalog(SyncCatalog::new(catalog.to_vec())).await?;
    let clerk = CreateRole::new(root, "clerk").name("Clerk").permissions(["invoices.read", PAY, SHARE]);
    let clerk = store.create_role(clerk.inherits_to_descendants(true)).await?.id;
    let finance = store.create_group(CreateGroup::new(root, "finance").name("Finance")).await?.id;
    store.add_group_role(AddGroupRole::new(finance, clerk)).await?;
    for member in [AOIFE, KWABENA, YUKI, OLUMIDE] {
        store.add_group_member(AddGroupMember::new(finance, id(member)?)).await?;
    }
    store.set_org_override(SetOrgOverride::grant(root, "documents.read")).await?;
    store.set_org_override(SetOrgOverride::deny(root, SHARE)).await?;
    let there = |member: &'static str| async move {
        let member = id(member)?;
        Ok::<_, Failure>(store.get_membership_for(root, member).await?.id)
    };
    store.set_membership_override(SetMembershipOverride::grant(there(KWABENA).await?, SHARE)).await?;
    store.set_membership_override(SetMembershipOverride::deny(there(YUKI).await?, PAY)).await?;
    Ok(())
}

/// Some questions about it, as the answers are now.
pub(super) async fn questions(store: &dyn TenancyStore, root: OrgId) -> Result<Vec<Asked>, Failure> {
    let mut asked = Vec::new();
    for (member, permission) in SHOWN {
        let usr_id = id(member)?;
        let why = store.explain_permission(usr_id, root, permission).await?;
        asked.push(Asked { usr_id, permission, why });
    }
    Ok(asked)
}
