//! Reads the lines of an import.

use super::input::Input;
use crate::access::Effect;
use crate::decide::{
    ImportGroup, ImportGroupMember, ImportGroupRole, ImportInvitation, ImportMember, ImportOrg, ImportOverride, ImportPermission,
    ImportRole, ImportRolePermission, ImportRow, ImportTuple, ImportUser,
};
use crate::entity::{InvitationStatus, MembershipStatus, OrgStatus, UserStatus};
use crate::error::DomainError;
use crate::json::Value;

/// Reads one line of an import: an entity in wire form with a field `type`, which is `user`, `organization`, `permission`, `role`,
/// `role_permission`, `membership`, `invitation`, `tuple`, `group`, `group_member`, `group_role` or `override`. Fields that the store
/// keeps itself (`revision`) are read over (spec/import.md).
///
/// # Errors
/// The first field that does not have its form.
#[expect(clippy::too_many_lines, reason = "one arm for each kind of row, and each is short")]
pub fn import_row(line: &Value) -> Result<ImportRow, DomainError> {
    const KINDS: &str = "one of `user`, `organization`, `permission`, `role`, `role_permission`, `membership`, `invitation`, `tuple`, \
        `group`, `group_member`, `group_role`, `override`";
    const STATUS: &str = "a status";
    let mut input = Input::new(line)?;
    let row = match input.text("type")?.as_str() {
        "user" => ImportRow::User(ImportUser {
            id: input.id("id")?,
            status: input.opt_word("status", STATUS, UserStatus::parse)?.unwrap_or(UserStatus::Active),
            display_name: input.opt_text("display_name")?,
            created_at: input.opt_time("created_at")?,
            updated_at: input.opt_time("updated_at")?,
        }),
        "organization" => {
            let org = ImportOrg {
                id: input.id("id")?,
                parent_id: input.opt_id("parent_id")?,
                status: input.opt_word("status", STATUS, OrgStatus::parse)?.unwrap_or(OrgStatus::Active),
                name: input.opt_text("name")?,
                slug: input.opt_text("slug")?,
                cascade_permissions: input.opt_bool("cascade_permissions")?.unwrap_or(true),
                inherit_permissions: input.opt_bool("inherit_permissions")?.unwrap_or(true),
                seat_limit: input.opt_int("seat_limit")?,
                external_id: input.opt_text("external_id")?,
                metadata: input.opt_object("metadata")?,
                created_at: input.opt_time("created_at")?,
                updated_at: input.opt_time("updated_at")?,
            };
            input.opt_revision("revision")?;
            ImportRow::Org(org)
        }
        "membership" => ImportRow::Member(ImportMember {
            id: input.id("id")?,
            usr_id: input.id("usr_id")?,
            org_id: input.id("org_id")?,
            role: input.text("role")?,
            role_id: input.opt_id("role_id")?,
            status: input.opt_word("status", STATUS, MembershipStatus::parse)?.unwrap_or(MembershipStatus::Active),
            replaces: input.opt_id("replaces")?,
            invited_by: input.opt_id("invited_by")?,
            removed_by: input.opt_id("removed_by")?,
            expires_at: input.opt_time("expires_at")?,
            metadata: input.opt_object("metadata")?,
            created_at: input.opt_time("created_at")?,
            updated_at: input.opt_time("updated_at")?,
        }),
        "invitation" => ImportRow::Invitation(ImportInvitation {
            id: input.id("id")?,
            org_id: input.id("org_id")?,
            identifier: input.text("identifier")?,
            role: input.text("role")?,
            role_id: input.opt_id("role_id")?,
            status: input.opt_word("status", STATUS, InvitationStatus::parse)?.unwrap_or(InvitationStatus::Pending),
            pre_tuples: input.pre_tuples("pre_tuples")?,
            invited_by: input.id("invited_by")?,
            invited_user_id: input.opt_id("invited_user_id")?,
            created_at: input.opt_time("created_at")?,
            expires_at: input.time("expires_at")?,
            terminal_at: input.opt_time("terminal_at")?,
            terminal_by: input.opt_id("terminal_by")?,
        }),
        "tuple" => ImportRow::Tuple(ImportTuple {
            id: input.id("id")?,
            subject_type: input.text("subject_type")?,
            subject_id: input.text("subject_id")?,
            relation: input.text("relation")?,
            object_type: input.text("object_type")?,
            object_id: input.text("object_id")?,
            org_id: input.opt_id("org_id")?,
            created_at: input.opt_time("created_at")?,
            created_by: input.opt_id("created_by")?,
            expires_at: input.opt_time("expires_at")?,
        }),
        "permission" => ImportRow::Permission(ImportPermission {
            slug: input.text("slug")?,
            name: input.opt_text("name")?,
            description: input.opt_text("description")?,
            category: input.opt_text("category")?,
            created_at: input.opt_time("created_at")?,
            updated_at: input.opt_time("updated_at")?,
        }),
        "role" => ImportRow::Role(ImportRole {
            id: input.id("id")?,
            org_id: input.opt_id("org_id")?,
            slug: input.text("slug")?,
            name: input.opt_text("name")?,
            description: input.opt_text("description")?,
            inherits_to_descendants: input.opt_bool("inherits_to_descendants")?.unwrap_or(false),
            created_at: input.opt_time("created_at")?,
            updated_at: input.opt_time("updated_at")?,
        }),
        "role_permission" => ImportRow::RolePermission(ImportRolePermission {
            role_id: input.id("role_id")?,
            permission: input.text("permission")?,
            granted_by: input.opt_id("granted_by")?,
            created_at: input.opt_time("created_at")?,
            expires_at: input.opt_time("expires_at")?,
        }),
        "group" => ImportRow::Group(ImportGroup {
            id: input.id("id")?,
            org_id: input.id("org_id")?,
            slug: input.text("slug")?,
            name: input.opt_text("name")?,
            created_at: input.opt_time("created_at")?,
            updated_at: input.opt_time("updated_at")?,
        }),
        "group_member" => ImportRow::GroupMember(ImportGroupMember {
            group_id: input.id("group_id")?,
            org_id: input.id("org_id")?,
            usr_id: input.id("usr_id")?,
            granted_by: input.opt_id("granted_by")?,
            created_at: input.opt_time("created_at")?,
            expires_at: input.opt_time("expires_at")?,
        }),
        "group_role" => ImportRow::GroupRole(ImportGroupRole {
            group_id: input.id("group_id")?,
            org_id: input.id("org_id")?,
            role: input.text("role")?,
            role_id: input.opt_id("role_id")?,
            granted_by: input.opt_id("granted_by")?,
            created_at: input.opt_time("created_at")?,
            expires_at: input.opt_time("expires_at")?,
        }),
        "override" => ImportRow::Override(ImportOverride {
            holder: input.overridden("holder")?,
            permission: input.text("permission")?,
            effect: input.word("effect", "`grant` or `deny`", Effect::parse)?,
            granted_by: input.opt_id("granted_by")?,
            created_at: input.opt_time("created_at")?,
            expires_at: input.opt_time("expires_at")?,
        }),
        _ => return Err(DomainError::format("type", KINDS)),
    };
    input.end()?;
    Ok(row)
}
