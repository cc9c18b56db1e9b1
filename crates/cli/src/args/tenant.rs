//! `tenantry tenant ...`

use clap::{Args, Subcommand};
use tenantry::{TenantMode, TenantPolicy, UserId};

use super::parse::{self, OrgRef};

/// `tenant ...`.
#[derive(Debug, Subcommand)]
pub(crate) enum TenantCommand {
    /// Find the organization that a user works in, and make one where there is none
    ///
    /// What an application calls when somebody has signed in. A user who belongs to no organization gets one of their own with
    /// --mode personal and --mode required, and none with --mode flexible. It is called "NAME's Workspace", or by --default-name
    /// without a --name.
    #[command(after_help = "Example:\n  tenantry tenant ensure usr_0196f3c21b7a7c3d9e4f5a6b7c8d9e0f \\\n    --mode personal --name Ann")]
    Ensure(EnsureTenantArgs),
    /// Create an organization that a user owns, where they may own one more
    ///
    /// Without a --slug it gets one that is made of the name, and that nobody has.
    #[command(
        after_help = "Example:\n  tenantry tenant create usr_0196f3c21b7a7c3d9e4f5a6b7c8d9e0f \\\n    --name \"Acme Asia\" --max-tenants 3"
    )]
    Create(CreateTenantArgs),
    /// List the organizations that a user owns
    #[command(after_help = "Example:\n  tenantry tenant list usr_0196f3c21b7a7c3d9e4f5a6b7c8d9e0f")]
    List(ListTenantsArgs),
    /// End an organization for good, as one of its owners
    ///
    /// With --mode required, another live organization that the user owns has to remain.
    #[command(
        after_help = "Example:\n  tenantry tenant delete acme-asia \\\n    --owner usr_0196f3c21b7a7c3d9e4f5a6b7c8d9e0f --mode required"
    )]
    Delete(DeleteTenantArgs),
}

/// What the application wants.
#[derive(Debug, Args)]
pub(crate) struct PolicyArgs {
    /// What becomes of a user without an organization: flexible (nothing, the usual one), personal or required
    #[arg(long, value_name = "MODE", value_parser = parse::tenant_mode)]
    pub(crate) mode: Option<TenantMode>,
    /// How many organizations a user may own; 0 is any number
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = parse::max_tenants)]
    pub(crate) max_tenants: Option<u32>,
    /// What an organization is called that is made for a user without a name
    #[arg(long, value_name = "TEXT")]
    pub(crate) default_name: Option<String>,
}

impl PolicyArgs {
    /// The policy that these stand for.
    pub(crate) fn policy(self) -> TenantPolicy {
        let mut policy = TenantPolicy::new(self.mode.unwrap_or_default()).max_tenants(self.max_tenants.unwrap_or_default());
        policy.default_name = self.default_name;
        policy
    }
}

/// `tenant ensure`.
#[derive(Debug, Args)]
pub(crate) struct EnsureTenantArgs {
    /// The user
    #[arg(value_name = "USER", value_parser = parse::id::<UserId>("usr_id"))]
    pub(crate) usr_id: UserId,
    /// What the user is called, 1 to 188 characters
    #[arg(long)]
    pub(crate) name: Option<String>,
    #[command(flatten)]
    pub(crate) policy: PolicyArgs,
}

/// `tenant create`.
#[derive(Debug, Args)]
pub(crate) struct CreateTenantArgs {
    /// The user who becomes owner
    #[arg(value_name = "USER", value_parser = parse::id::<UserId>("usr_id"))]
    pub(crate) usr_id: UserId,
    /// What people see, 1 to 200 characters
    #[arg(long)]
    pub(crate) name: String,
    /// The name in addresses: a-z, 0-9 and -
    #[arg(long)]
    pub(crate) slug: Option<String>,
    #[command(flatten)]
    pub(crate) policy: PolicyArgs,
}

/// `tenant list`.
#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct ListTenantsArgs {
    /// The user
    #[arg(value_name = "USER", value_parser = parse::id::<UserId>("usr_id"))]
    pub(crate) usr_id: UserId,
}

/// `tenant delete`.
#[derive(Debug, Args)]
pub(crate) struct DeleteTenantArgs {
    /// The organization: an id, or a slug
    #[arg(value_name = "ORG", value_parser = parse::org("org_id"))]
    pub(crate) org: OrgRef,
    /// The owner who wants it
    #[arg(long, value_name = "USER", value_parser = parse::id::<UserId>("usr_id"))]
    pub(crate) owner: UserId,
    #[command(flatten)]
    pub(crate) policy: PolicyArgs,
}
