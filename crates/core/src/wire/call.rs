//! Calls an operation by name.

use super::input::Input;
use super::{Reply, import_row};
use crate::decide::{
    AddMember, AdminRemove, ChangeRole, CreateOrg, CreateUser, Import, ReinstateMembership, ReinstateOrg, ReinstateUser, RevokeOrg,
    RevokeUser, SelfLeave, SuspendMembership, SuspendOrg, SuspendUser, TransferOwnership, UpdateMembership, UpdateOrg,
};
use crate::entity::{MembershipStatus, OrgStatus};
use crate::error::{DomainError, Error};
use crate::json::Value;
use crate::store::{CountMembers, ListChanges, ListChildren, ListMembers, ListMemberships, ListOrgs, TenancyStore};

/// Why a call by name did not succeed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CallError {
    /// There is no such operation.
    #[error("there is no operation `{0}`")]
    UnknownOperation(String),
    /// The operation refused, or the store failed.
    #[error(transparent)]
    Store(#[from] Error),
}

impl From<DomainError> for CallError {
    fn from(error: DomainError) -> Self {
        Self::Store(error.into())
    }
}

const ORG_STATUS: &str = "one of `active`, `suspended`, `revoked`";
const MEMBERSHIP_STATUS: &str = "one of `active`, `suspended`, `revoked`, `expired`";

/// Reads the rest of an input, checks that nothing is left over, and gives the value on.
macro_rules! ended {
    ($input:ident, $value:expr) => {{
        let value = $value;
        $input.end()?;
        value
    }};
}

/// Calls an operation of a store with an input in wire form.
///
/// # Errors
/// [`CallError::UnknownOperation`], or what the operation says.
#[expect(clippy::too_many_lines, reason = "one arm for each operation, and each is short")]
pub async fn call(store: &dyn TenancyStore, operation: &str, input: &Value) -> Result<Reply, CallError> {
    let mut input = Input::new(input)?;
    let reply = match operation {
        "create_user" => {
            let display_name = input.opt_text("display_name")?;
            let request = ended!(input, CreateUser { display_name });
            Reply::CreatedUser(store.create_user(request).await?)
        }
        "get_user" => Reply::User(store.get_user(ended!(input, input.id_or_not_found("usr_id")?)).await?),
        "get_users" => Reply::FoundUsers { data: store.get_users(&ended!(input, input.ids("usr_ids")?)).await? },
        "suspend_user" => Reply::SuspendedUser(store.suspend_user(SuspendUser::new(ended!(input, input.id("usr_id")?))).await?),
        "reinstate_user" => Reply::User(store.reinstate_user(ReinstateUser::new(ended!(input, input.id("usr_id")?))).await?),
        "revoke_user" => Reply::User(store.revoke_user(RevokeUser::new(ended!(input, input.id("usr_id")?))).await?),
        "create_org" => {
            let request = CreateOrg {
                creator: input.id("creator")?,
                name: input.opt_text("name")?,
                slug: input.opt_text("slug")?,
                parent_id: input.opt_id("parent_id")?,
                cascade_permissions: input.opt_bool("cascade_permissions")?.unwrap_or(true),
                inherit_permissions: input.opt_bool("inherit_permissions")?.unwrap_or(true),
            };
            Reply::CreatedOrg(store.create_org(ended!(input, request)).await?)
        }
        "get_org" => Reply::Organization(store.get_org(ended!(input, input.id("org_id")?)).await?),
        "get_org_by_slug" => Reply::Organization(store.get_org_by_slug(&ended!(input, input.text("slug")?)).await?),
        "get_orgs" => Reply::FoundOrgs { data: store.get_orgs(&ended!(input, input.ids("org_ids")?)).await? },
        "get_org_path" => Reply::OrgPath(store.get_org_path(ended!(input, input.id("org_id")?)).await?),
        "list_children" => {
            let request = ListChildren { org_id: input.id("org_id")?, page: input.page()? };
            Reply::Organizations(store.list_children(ended!(input, request)).await?)
        }
        "list_orgs" => {
            let page = input.page()?;
            let status = input.opt_word("status", ORG_STATUS, OrgStatus::parse)?;
            let query = input.opt_text("query")?;
            Reply::Organizations(store.list_orgs(ended!(input, ListOrgs { status, query, page })).await?)
        }
        "update_org" => {
            let request = UpdateOrg {
                org_id: input.id("org_id")?,
                name: input.patch_text("name")?,
                slug: input.patch_text("slug")?,
                cascade_permissions: input.opt_bool("cascade_permissions")?,
                inherit_permissions: input.opt_bool("inherit_permissions")?,
            };
            Reply::Organization(store.update_org(ended!(input, request)).await?)
        }
        "suspend_org" => Reply::Organization(store.suspend_org(SuspendOrg::new(ended!(input, input.id("org_id")?))).await?),
        "reinstate_org" => Reply::Organization(store.reinstate_org(ReinstateOrg::new(ended!(input, input.id("org_id")?))).await?),
        "revoke_org" => Reply::Organization(store.revoke_org(RevokeOrg::new(ended!(input, input.id("org_id")?))).await?),
        "add_member" => {
            let request = AddMember {
                org_id: input.id("org_id")?,
                usr_id: input.id("usr_id")?,
                role: input.text("role")?,
                invited_by: input.opt_id("invited_by")?,
                expires_at: input.opt_time("expires_at")?,
            };
            Reply::Membership(store.add_member(ended!(input, request)).await?)
        }
        "change_role" => {
            let request = ChangeRole { mem_id: input.id("mem_id")?, new_role: input.text("new_role")? };
            Reply::Membership(store.change_role(ended!(input, request)).await?)
        }
        "update_membership" => {
            let request = UpdateMembership { mem_id: input.id("mem_id")?, expires_at: input.patch_time("expires_at")? };
            Reply::Membership(store.update_membership(ended!(input, request)).await?)
        }
        "suspend_membership" => {
            let request = SuspendMembership::new(ended!(input, input.id("mem_id")?));
            Reply::Membership(store.suspend_membership(request).await?)
        }
        "reinstate_membership" => {
            let request = ReinstateMembership::new(ended!(input, input.id("mem_id")?));
            Reply::Membership(store.reinstate_membership(request).await?)
        }
        "self_leave" => {
            let request = SelfLeave { mem_id: input.id("mem_id")?, transfer_to: input.opt_id("transfer_to")? };
            Reply::Membership(store.self_leave(ended!(input, request)).await?)
        }
        "admin_remove" => {
            let request = AdminRemove { mem_id: input.id("mem_id")?, admin_usr_id: input.id("admin_usr_id")? };
            Reply::Membership(store.admin_remove(ended!(input, request)).await?)
        }
        "transfer_ownership" => {
            let request =
                TransferOwnership { org_id: input.id("org_id")?, from_mem_id: input.id("from_mem_id")?, to_mem_id: input.id("to_mem_id")? };
            Reply::TransferredOwnership(store.transfer_ownership(ended!(input, request)).await?)
        }
        "get_membership" => Reply::Membership(store.get_membership(ended!(input, input.id("mem_id")?)).await?),
        "get_membership_for" => {
            let (org_id, usr_id) = ended!(input, (input.id("org_id")?, input.id("usr_id")?));
            Reply::Membership(store.get_membership_for(org_id, usr_id).await?)
        }
        "get_memberships" => Reply::FoundMemberships { data: store.get_memberships(&ended!(input, input.ids("mem_ids")?)).await? },
        "membership_history" => Reply::Memberships(store.membership_history(ended!(input, input.id("mem_id")?)).await?),
        "list_members" => {
            let (org_id, page) = (input.id("org_id")?, input.page()?);
            let status = input.opt_word("status", MEMBERSHIP_STATUS, MembershipStatus::parse)?;
            Reply::Memberships(store.list_members(ended!(input, ListMembers { org_id, status, page })).await?)
        }
        "list_memberships" => {
            let (usr_id, page) = (input.id("usr_id")?, input.page()?);
            let status = input.opt_word("status", MEMBERSHIP_STATUS, MembershipStatus::parse)?;
            Reply::Memberships(store.list_memberships(ended!(input, ListMemberships { usr_id, status, page })).await?)
        }
        "count_members" => {
            let org_id = input.id("org_id")?;
            let status = input.opt_word("status", MEMBERSHIP_STATUS, MembershipStatus::parse)?;
            Reply::Count { count: store.count_members(ended!(input, CountMembers { org_id, status })).await? }
        }
        "changes" => {
            let request = ListChanges {
                org_id: input.id("org_id")?,
                after_revision: input.opt_revision("after_revision")?.unwrap_or(0),
                limit: input.limit()?,
            };
            Reply::Events(store.changes(ended!(input, request)).await?)
        }
        "import" => {
            let rows = ended!(input, input.list("rows")?);
            let line = |(index, row): (usize, &Value)| {
                let line = u64::try_from(index + 1).unwrap_or(u64::MAX);
                import_row(row).map(|row| (line, row)).map_err(|error| DomainError::Import { line, error: Box::new(error) })
            };
            let rows = rows.iter().enumerate().map(line).collect::<Result<_, _>>()?;
            Reply::Imported(store.import(Import::new(rows)).await?)
        }
        unknown => return Err(CallError::UnknownOperation(unknown.to_owned())),
    };
    Ok(reply)
}
