//! `tenantry can`, `who-can`, `where-can`, `catalog ...`, `role ...`, `group ...` and `override ...`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use tenantry::{GroupId, MembershipId, RoleId, UserId};

use super::data::Paging;
use super::invite::End;
use super::parse::{self, OrgRef};

/// `can`.
#[derive(Debug, Args)]
pub(crate) struct CanArgs {
    /// Who
    #[arg(value_name = "USER", value_parser = parse::id::<UserId>("usr_id"))]
    pub(crate) usr_id: UserId,
    /// What: a slug of the catalog
    pub(crate) permission: String,
    /// Where: an id, or a slug
    #[arg(long, value_name = "ORG", value_parser = parse::org("org_id"))]
    pub(crate) org: OrgRef,
    /// Show what each layer said, and what would allow it
    #[arg(long)]
    pub(crate) why: bool,
}

/// `who-can`.
#[derive(Debug, Args)]
pub(crate) struct WhoCanArgs {
    /// What: a slug of the catalog
    pub(crate) permission: String,
    /// Where: an id, or a slug
    #[arg(long, value_name = "ORG", value_parser = parse::org("org_id"))]
    pub(crate) org: OrgRef,
    #[command(flatten)]
    pub(crate) paging: Paging,
}

/// `where-can`.
#[derive(Debug, Args)]
pub(crate) struct WhereCanArgs {
    /// Who
    #[arg(value_name = "USER", value_parser = parse::id::<UserId>("usr_id"))]
    pub(crate) usr_id: UserId,
    /// What: a slug of the catalog
    pub(crate) permission: String,
    #[command(flatten)]
    pub(crate) paging: Paging,
}

/// `review`.
#[derive(Debug, Args)]
pub(crate) struct ReviewArgs {
    /// Where: an id, or a slug
    #[arg(value_name = "ORG", value_parser = parse::org("org_id"))]
    pub(crate) org: OrgRef,
    /// Only this permission, and those who have it
    #[arg(long)]
    pub(crate) permission: Option<String>,
    /// Only this user
    #[arg(long, value_name = "USER", value_parser = parse::id::<UserId>("usr_id"))]
    pub(crate) user: Option<UserId>,
    /// How it is written; --json is the same as `json`
    #[arg(long, value_enum, default_value_t = ReviewForm::Table)]
    pub(crate) format: ReviewForm,
}

/// How a review is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ReviewForm {
    /// A row for each permission of each user
    Table,
    /// The same, with commas between the fields
    Csv,
    /// A line of JSON for each user
    Json,
}

/// `catalog ...`.
#[derive(Debug, Subcommand)]
pub(crate) enum CatalogCommand {
    /// Bring the catalog to what a file says; nothing is taken away
    ///
    /// The file is JSON with one or both of {"custom": [{"slug": "invoices.pay", "name": "Pay invoices"}]}, which names permissions,
    /// and {"manifest": [{"collection": "invoices", "api": true}]}, which names resources that permissions are derived of.
    #[command(after_help = "Example:\n  tenantry catalog sync permissions.json")]
    Sync {
        /// The file
        #[arg(value_name = "FILE.json")]
        file: PathBuf,
    },
    /// List the permissions that there are
    #[command(after_help = "Example:\n  tenantry catalog list --all")]
    List(Paging),
}

/// `permission ...`.
#[derive(Debug, Subcommand)]
pub(crate) enum PermissionCommand {
    /// Define one permission, or say more of one that the catalog has
    ///
    /// What is left out stays as it is there; what the catalog says otherwise is not overwritten, but refused. To overwrite it, sync
    /// the catalog.
    #[command(after_help = "Example:\n  tenantry permission define invoices.pay --name \"Pay invoices\"")]
    Define {
        /// Two to eight parts with dots between them, such as invoices.pay
        slug: String,
        /// What people see, 1 to 200 characters
        #[arg(long)]
        name: Option<String>,
        /// What people may read about it, 1 to 1000 characters
        #[arg(long)]
        description: Option<String>,
        /// What it is listed under, 1 to 200 characters; its first part unless said otherwise
        #[arg(long)]
        category: Option<String>,
    },
    /// Show one permission
    #[command(after_help = "Example:\n  tenantry permission show invoices.pay")]
    Show {
        /// Which: a slug of the catalog
        slug: String,
    },
    /// List the permissions that there are
    #[command(after_help = "Example:\n  tenantry permission list --all")]
    List(Paging),
}

/// `role ...`.
#[derive(Debug, Subcommand)]
pub(crate) enum RoleCommand {
    /// Make a role of an organization, or of the system
    #[command(after_help = "Example:\n  tenantry role create clerk --org acme --permission invoices.read --permission invoices.pay")]
    Create(NewRoleArgs),
    /// Show a role and what it grants
    #[command(after_help = "Example:\n  tenantry role show rol_0196f3c21b7a7c3d9e4f5a6b7c8d9e0f")]
    Show(OneRole),
    /// List the roles that an organization knows, or those of the system
    #[command(after_help = "Example:\n  tenantry role list --org acme")]
    List {
        /// The organization: an id, or a slug
        #[arg(long, value_name = "ORG", value_parser = parse::org("org_id"))]
        org: Option<OrgRef>,
        #[command(flatten)]
        paging: Paging,
    },
    /// Let a role grant permissions
    #[command(after_help = "Example:\n  tenantry role grant rol_0196f3c21b7a7c3d9e4f5a6b7c8d9e0f invoices.pay --ttl 7d")]
    Grant {
        #[command(flatten)]
        role: OneRole,
        /// Which: slugs of the catalog
        #[arg(value_name = "PERMISSION", required = true)]
        permissions: Vec<String>,
        #[command(flatten)]
        end: End,
    },
    /// Take permissions from a role
    #[command(after_help = "Example:\n  tenantry role revoke rol_0196f3c21b7a7c3d9e4f5a6b7c8d9e0f invoices.pay")]
    Revoke {
        #[command(flatten)]
        role: OneRole,
        /// Which: slugs of the catalog
        #[arg(value_name = "PERMISSION", required = true)]
        permissions: Vec<String>,
    },
    /// Delete a role, which nobody may hold unless another one takes its place
    #[command(after_help = "Example:\n  tenantry role delete rol_0196f3c21b7a7c3d9e4f5a6b7c8d9e0f")]
    Delete {
        #[command(flatten)]
        role: OneRole,
        /// Whoever held it holds this one from then on
        #[arg(long, value_name = "ROL", value_parser = parse::id::<RoleId>("replacement_role_id"))]
        replacement: Option<RoleId>,
    },
    /// Let roles of the system grant what fits patterns, out of the catalog as it is
    ///
    /// Without a file it is the usual matrix: owner and admin everything, member to read and to create all but what says who may do
    /// what, viewer to read. A file is JSON such as `[{"role": "editor", "permissions": ["documents.*", "!documents.delete"]}]`.
    #[command(after_help = "Example:\n  tenantry role fill --prune")]
    Fill {
        /// What each role shall grant
        #[arg(value_name = "MATRIX.json")]
        file: Option<PathBuf>,
        /// Take from these roles what does not fit
        #[arg(long)]
        prune: bool,
    },
    /// Make rows for the built-in roles, so that they can grant permissions
    #[command(after_help = "Example:\n  tenantry role seed --inherited owner")]
    Seed {
        /// Members with this role have it in the organizations below too
        #[arg(long, value_name = "ROLE")]
        inherited: Vec<String>,
    },
}

/// A role.
#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct OneRole {
    /// The role's id
    #[arg(value_name = "ROL", value_parser = parse::id::<RoleId>("role_id"))]
    pub(crate) role_id: RoleId,
}

/// `role create`.
#[derive(Debug, Args)]
pub(crate) struct NewRoleArgs {
    /// What it is called where a role is given: a letter, then 1 to 31 of a-z and _
    pub(crate) slug: String,
    /// Whose: an id, or a slug; without it the role is one of the system
    #[arg(long, value_name = "ORG", value_parser = parse::org("org_id"))]
    pub(crate) org: Option<OrgRef>,
    /// What people see, 1 to 200 characters
    #[arg(long)]
    pub(crate) name: Option<String>,
    /// Members have it in the organizations below too
    #[arg(long)]
    pub(crate) inherited: bool,
    /// What it grants: a slug of the catalog; may be given several times
    #[arg(long = "permission", value_name = "PERMISSION")]
    pub(crate) permissions: Vec<String>,
}

/// `group ...`.
#[derive(Debug, Subcommand)]
pub(crate) enum GroupCommand {
    /// Make a group in an organization
    #[command(after_help = "Example:\n  tenantry group create acme night-shift --name \"Night shift\"")]
    Create {
        /// Whose: an id, or a slug
        #[arg(value_name = "ORG", value_parser = parse::org("org_id"))]
        org: OrgRef,
        /// Its name in addresses: a-z, 0-9 and -
        slug: String,
        /// What people see, 1 to 200 characters
        #[arg(long)]
        name: Option<String>,
    },
    /// List the groups of an organization
    #[command(after_help = "Example:\n  tenantry group list acme")]
    List {
        /// Whose: an id, or a slug
        #[arg(value_name = "ORG", value_parser = parse::org("org_id"))]
        org: OrgRef,
        #[command(flatten)]
        paging: Paging,
    },
    /// Delete a group; its members lose its roles
    #[command(after_help = "Example:\n  tenantry group delete grp_0196f3c21b7a7c3d9e4f5a6b7c8d9e0f")]
    Delete(OneGroup),
    /// Put a member of the organization into a group
    #[command(after_help = "Example:\n  tenantry group join grp_0196f3c21b7a7c3d9e4f5a6b7c8d9e0f usr_0196f3c21b7a7c3d9e4f5a6b7c8d9e1f")]
    Join {
        #[command(flatten)]
        group: OneGroup,
        #[command(flatten)]
        user: OneUser,
        #[command(flatten)]
        end: End,
    },
    /// Take somebody out of a group
    #[command(after_help = "Example:\n  tenantry group leave grp_0196f3c21b7a7c3d9e4f5a6b7c8d9e0f usr_0196f3c21b7a7c3d9e4f5a6b7c8d9e1f")]
    Leave {
        #[command(flatten)]
        group: OneGroup,
        #[command(flatten)]
        user: OneUser,
    },
    /// Let the members of a group hold a role
    #[command(after_help = "Example:\n  tenantry group give grp_0196f3c21b7a7c3d9e4f5a6b7c8d9e0f rol_0196f3c21b7a7c3d9e4f5a6b7c8d9e1f")]
    Give {
        #[command(flatten)]
        group: OneGroup,
        #[command(flatten)]
        role: OneRole,
        #[command(flatten)]
        end: End,
    },
    /// Take a role from a group
    #[command(after_help = "Example:\n  tenantry group take grp_0196f3c21b7a7c3d9e4f5a6b7c8d9e0f rol_0196f3c21b7a7c3d9e4f5a6b7c8d9e1f")]
    Take {
        #[command(flatten)]
        group: OneGroup,
        #[command(flatten)]
        role: OneRole,
    },
    /// List who is in a group
    #[command(after_help = "Example:\n  tenantry group members grp_0196f3c21b7a7c3d9e4f5a6b7c8d9e0f")]
    Members {
        #[command(flatten)]
        group: OneGroup,
        #[command(flatten)]
        paging: Paging,
    },
    /// List the roles of a group
    #[command(after_help = "Example:\n  tenantry group roles grp_0196f3c21b7a7c3d9e4f5a6b7c8d9e0f")]
    Roles {
        #[command(flatten)]
        group: OneGroup,
        #[command(flatten)]
        paging: Paging,
    },
}

/// A group.
#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct OneGroup {
    /// The group's id
    #[arg(value_name = "GRP", value_parser = parse::id::<GroupId>("group_id"))]
    pub(crate) group_id: GroupId,
}

/// A user.
#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct OneUser {
    /// The user's id
    #[arg(value_name = "USER", value_parser = parse::id::<UserId>("usr_id"))]
    pub(crate) usr_id: UserId,
}

/// `override ...`.
#[derive(Debug, Subcommand)]
pub(crate) enum OverrideCommand {
    /// Grant a permission to every member of an organization, deny it, or do neither any more
    #[command(after_help = "Example:\n  tenantry override org acme invoices.pay deny --ttl 7d")]
    Org {
        /// Where: an id, or a slug
        #[arg(value_name = "ORG", value_parser = parse::org("org_id"))]
        org: OrgRef,
        /// What: a slug of the catalog
        permission: String,
        /// What to do
        #[arg(value_parser = ["grant", "deny", "inherit"])]
        effect: String,
        #[command(flatten)]
        end: End,
    },
    /// Grant a permission to one member, deny it, or do neither any more
    #[command(after_help = "Example:\n  tenantry override member mem_0196f3c21b7a7c3d9e4f5a6b7c8d9e0f invoices.pay grant")]
    Member {
        /// The membership's id
        #[arg(value_name = "MEM", value_parser = parse::id::<MembershipId>("mem_id"))]
        mem_id: MembershipId,
        /// What: a slug of the catalog
        permission: String,
        /// What to do
        #[arg(value_parser = ["grant", "deny", "clear"])]
        effect: String,
        #[command(flatten)]
        end: End,
    },
    /// List the overrides of an organization
    #[command(after_help = "Example:\n  tenantry override list acme")]
    List {
        /// Where: an id, or a slug
        #[arg(value_name = "ORG", value_parser = parse::org("org_id"))]
        org: OrgRef,
        #[command(flatten)]
        paging: Paging,
    },
}
