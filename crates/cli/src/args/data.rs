//! The commands that read and change data: those that a line of a batch may hold.

use clap::{Args, Subcommand};
use tenantry::json::Value;
use tenantry::{EventId, MembershipId, MembershipStatus, OrgStatus, PageRequest, Timestamp, UserId};

use super::access::{
    CanArgs, CatalogCommand, GroupCommand, OverrideCommand, PermissionCommand, ReviewArgs, RoleCommand, WhereCanArgs, WhoCanArgs,
};
use super::invite::{InviteCommand, SweepArgs};
use super::parse::{self, OrgRef};
use super::rows::{ChangesArgs, DoctorArgs, ExportArgs, ImportArgs};
use super::tenant::TenantCommand;
use super::tuple::{CheckArgs, TupleCommand};

/// The commands that read and change data.
#[derive(Debug, Subcommand)]
pub(crate) enum DataCommand {
    /// Organizations and their tree
    #[command(subcommand)]
    Org(OrgCommand),
    /// Organizations of users, by the policy of an application
    #[command(subcommand)]
    Tenant(TenantCommand),
    /// Who belongs to an organization, and as what
    #[command(subcommand)]
    Member(MemberCommand),
    /// The rows of users
    #[command(subcommand)]
    User(UserCommand),
    /// Invitations to organizations
    #[command(subcommand)]
    Invite(InviteCommand),
    /// Who stands in which relation to what
    #[command(subcommand)]
    Tuple(TupleCommand),
    /// Ask whether a user stands in a relation to an object: exit code 0 for yes, 1 for no
    ///
    /// Several relations, separated by commas, are asked in their order, and the first that holds is the answer. Rules are a
    /// JSON file that says which relations follow from others, such as {"doc": {"owner": [{"type": "this"}], "editor":
    /// [{"type": "computed_userset", "relation": "owner"}]}}.
    #[command(
        after_help = "Example:\n  tenantry check usr_0196f3c21b7a7c3d9e4f5a6b7c8d9e0f viewer,editor \\\n    doc:0196f3c2-1b7a-7c3d-9e4f-5a6b7c8d9e1f"
    )]
    Check(CheckArgs),
    /// Ask whether a user may do something in an organization: exit code 0 for yes, 1 for no
    #[command(after_help = "Example:\n  tenantry can usr_0196f3c21b7a7c3d9e4f5a6b7c8d9e0f invoices.pay --org acme --why")]
    Can(CanArgs),
    /// List the users who may do something in an organization
    #[command(after_help = "Example:\n  tenantry who-can invoices.pay --org acme")]
    WhoCan(WhoCanArgs),
    /// List the organizations where a user may do something
    #[command(after_help = "Example:\n  tenantry where-can usr_0196f3c21b7a7c3d9e4f5a6b7c8d9e0f invoices.pay")]
    WhereCan(WhereCanArgs),
    /// Show who may do what in an organization, and by what: an access review
    ///
    /// Every member of the organization, whoever inherits a membership from above, and whom a policy lets read there: a row for
    /// each permission that they have, with the layer that had the last word and its rows. Somebody who belongs there and may do
    /// nothing has one row without a permission. What is not allowed is not shown. As JSON it is a line for each user.
    #[command(after_help = "Example:\n  tenantry review acme --format csv")]
    Review(ReviewArgs),
    /// The permissions that there are, as a whole
    #[command(subcommand)]
    Catalog(CatalogCommand),
    /// Single permissions of the catalog
    #[command(subcommand)]
    Permission(PermissionCommand),
    /// Roles of organizations and of the system, and what they grant
    #[command(subcommand)]
    Role(RoleCommand),
    /// Teams of organizations, and the roles that they hold
    #[command(subcommand)]
    Group(GroupCommand),
    /// What an organization or a member is granted or denied besides
    #[command(subcommand)]
    Override(OverrideCommand),
    /// Show what happened in an organization or in the whole store, oldest first
    ///
    /// With --all every event of the store is shown, as a line of its own; with --json each line is one JSON document. In a
    /// batch --all is one page, as for an organization.
    #[command(after_help = "Example:\n  tenantry changes acme --after 10 --limit 5")]
    Changes(ChangesArgs),
    /// Show one event by its id: whether a command whose outcome was unknown took place
    #[command(after_help = "Example:\n  tenantry event aud_0196f3c21b7a7c3d9e4f5a6b7c8d9e0f")]
    Event {
        /// The event's id
        #[arg(value_name = "EVENT", value_parser = parse::id::<EventId>("event_id"))]
        event_id: EventId,
    },
    /// Bring rows in from a file, all of them or none
    ///
    /// Each line of the file is a JSON object: a row as the other commands show it with --json, with a field `type` that is
    /// `user`, `organization`, `permission`, `role`, `role_permission`, `membership`, `invitation`, `tuple`, `group`,
    /// `group_member`, `group_role` or `override`. A parent stands before its children, an organization before what belongs
    /// to it, a role before who holds it. The form of every line is checked first, and up to 20 wrong lines are listed; then
    /// everything is written in one transaction. What is there already, with the same content, is passed over.
    #[command(after_help = "Example:\n  tenantry import examples/acme.jsonl")]
    Import(ImportArgs),
    /// Write every row in the form that `import` reads
    ///
    /// Rows are those of one moment, and written as a reader sees them: what has expired by now says so. Users, organizations,
    /// members, invitations, tuples, the catalog, roles, groups and overrides are among them; events are not. A file is replaced only when all is written.
    #[command(after_help = "Example:\n  tenantry export backup.jsonl")]
    Export(ExportArgs),
    /// Clear away what has expired; no answer depends on it
    ///
    /// Stores the end of invitations that have expired, and takes expired tuples away, until nothing is left.
    #[command(after_help = "Example:\n  tenantry sweep")]
    Sweep(SweepArgs),
    /// Look over every row: exit code 0 when all is well, 1 with findings
    ///
    /// Checks what must hold of rows and events whatever was done by the operations: that each organization has an owner, that
    /// trees, slugs and revisions fit together, that rows are as the events tell. What does not hold is listed with a code, the
    /// table and the ids of the rows. Where a value cannot be read, that is the only finding. With --repair, what follows from
    /// other rows is mended first, in one transaction, and then all is looked over again.
    #[command(after_help = "Example:\n  tenantry doctor --repair")]
    Doctor(DoctorArgs),
}

/// `org ...`.
#[derive(Debug, Subcommand)]
pub(crate) enum OrgCommand {
    /// Create an organization, with its creator as owner
    #[command(
        after_help = "Example:\n  tenantry org create --creator usr_0196f3c21b7a7c3d9e4f5a6b7c8d9e0f \\\n    --name \"Acme Asia\" --slug acme-asia --parent acme"
    )]
    Create(CreateOrgArgs),
    /// Show an organization
    #[command(after_help = "Example:\n  tenantry org show acme")]
    Show(OneOrg),
    /// Show an organization with all above it, the root first
    #[command(after_help = "Example:\n  tenantry org path acme-europe --nearest-first")]
    Path {
        #[command(flatten)]
        org: OneOrg,
        /// The organization itself first, then its parent, the root last
        #[arg(long)]
        nearest_first: bool,
    },
    /// List organizations
    ///
    /// All of them in order of id, or those below one, or those beside it. Of those below one the table, and each row of --json, says
    /// how many levels below it they are.
    #[command(
        after_help = "Example:\n  tenantry org list --status active --query europe\n  tenantry org list --under acme --levels 2 --all\n  tenantry org list --beside acme-europe"
    )]
    List(ListOrgsArgs),
    /// Draw the tree below an organization, or all trees
    #[command(after_help = "Example:\n  tenantry org tree acme --levels 2")]
    Tree {
        /// The one on top: an id, or a slug
        #[arg(value_name = "ORG", value_parser = parse::org("org_id"))]
        org: Option<OrgRef>,
        /// At most so many levels below it, 1 to 9
        #[arg(long, value_name = "N", requires = "org", allow_negative_numbers = true, value_parser = parse::whole_number("levels"))]
        levels: Option<i64>,
    },
    /// Change fields of an organization; what is not named stays
    #[command(after_help = "Example:\n  tenantry org update acme --name \"Acme International\"")]
    Update(UpdateOrgArgs),
    /// Take an organization, and all below it, to another place
    ///
    /// With --dry-run nothing is moved: who would gain and lose which permissions, where, is shown in place of it, with --json as a
    /// line for each user in each organization. What the move itself would refuse is refused.
    #[command(after_help = "Example:\n  tenantry org move acme-asia --to acme-europe --dry-run")]
    Move(MoveOrgArgs),
    /// Pause an organization
    #[command(after_help = "Example:\n  tenantry org suspend acme-europe")]
    Suspend(OneOrg),
    /// Make a suspended organization active again
    #[command(after_help = "Example:\n  tenantry org reinstate acme-europe")]
    Reinstate(OneOrg),
    /// End an organization and all its memberships, for good
    #[command(after_help = "Example:\n  tenantry org revoke acme-europe")]
    Revoke(OneOrg),
}

/// An organization.
#[derive(Debug, Args)]
pub(crate) struct OneOrg {
    /// The organization: an id, or a slug
    #[arg(value_name = "ORG", value_parser = parse::org("org_id"))]
    pub(crate) org: OrgRef,
}

/// `org move`.
#[derive(Debug, Args)]
pub(crate) struct MoveOrgArgs {
    #[command(flatten)]
    pub(crate) org: OneOrg,
    #[command(flatten)]
    pub(crate) place: Place,
    /// Move nothing, and show who would gain and lose which permissions
    #[arg(long)]
    pub(crate) dry_run: bool,
}

/// Where to.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub(crate) struct Place {
    /// Below this one: an id, or a slug
    #[arg(long, value_name = "ORG", value_parser = parse::org("new_parent_id"))]
    pub(crate) to: Option<OrgRef>,
    /// To the top: it becomes the root of a tree
    #[arg(long)]
    pub(crate) to_top: bool,
}

/// `org create`.
#[derive(Debug, Args)]
pub(crate) struct CreateOrgArgs {
    /// The user who becomes owner
    #[arg(long, value_name = "USER", value_parser = parse::id::<UserId>("creator"))]
    pub(crate) creator: UserId,
    /// What people see, 1 to 200 characters
    #[arg(long)]
    pub(crate) name: Option<String>,
    /// The name in addresses: a-z, 0-9 and -
    #[arg(long)]
    pub(crate) slug: Option<String>,
    /// The organization above it: an id, or a slug
    #[arg(long, value_name = "ORG", value_parser = parse::org("parent_id"))]
    pub(crate) parent: Option<OrgRef>,
    /// What is granted here does not pass to the organizations below
    #[arg(long)]
    pub(crate) no_cascade: bool,
    /// What is granted above is not taken over here
    #[arg(long)]
    pub(crate) no_inherit: bool,
}

/// `org list`.
#[derive(Debug, Args)]
pub(crate) struct ListOrgsArgs {
    /// Only those with this status: active, suspended or revoked
    #[arg(long, value_parser = parse::org_status)]
    pub(crate) status: Option<OrgStatus>,
    /// Only those whose name or slug contains this text, in either case
    #[arg(long, value_name = "TEXT")]
    pub(crate) query: Option<String>,
    /// Only those below this one, however far down: an id, or a slug
    #[arg(long, value_name = "ORG", conflicts_with_all = ["status", "query"], value_parser = parse::org("org_id"))]
    pub(crate) under: Option<OrgRef>,
    /// At most so many levels below it, 1 to 9
    #[arg(long, value_name = "N", requires = "under", allow_negative_numbers = true, value_parser = parse::whole_number("levels"))]
    pub(crate) levels: Option<i64>,
    /// Only the other children of this one's parent; a root has none beside it
    #[arg(long, value_name = "ORG", conflicts_with_all = ["status", "query", "under"], value_parser = parse::org("org_id"))]
    pub(crate) beside: Option<OrgRef>,
    #[command(flatten)]
    pub(crate) paging: Paging,
}

/// Which part of a list.
#[derive(Debug, Args)]
pub(crate) struct Paging {
    /// At most so many rows, 1 to 200
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = parse::limit)]
    pub(crate) limit: Option<i64>,
    /// What the page before gave
    #[arg(long)]
    pub(crate) cursor: Option<String>,
    /// All pages
    #[arg(long, conflicts_with_all = ["limit", "cursor"])]
    pub(crate) all: bool,
}

impl Paging {
    /// The page to begin with.
    pub(crate) fn first(&self) -> PageRequest {
        let page = PageRequest::after_optional(self.cursor.clone());
        if self.all { page.limit(tenantry::PageSize::MAX) } else { self.limit.into_iter().fold(page, PageRequest::limit) }
    }
}

/// `org update`.
#[derive(Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is an option of its own")]
pub(crate) struct UpdateOrgArgs {
    #[command(flatten)]
    pub(crate) org: OneOrg,
    /// The new name
    #[arg(long)]
    pub(crate) name: Option<String>,
    /// Take the name away
    #[arg(long, conflicts_with = "name")]
    pub(crate) clear_name: bool,
    /// The new slug
    #[arg(long)]
    pub(crate) slug: Option<String>,
    /// Give the slug up
    #[arg(long, conflicts_with = "slug")]
    pub(crate) clear_slug: bool,
    /// Whether what is granted here passes to the organizations below
    #[arg(long, value_name = "true|false", value_parser = parse::flag("cascade_permissions"))]
    pub(crate) cascade: Option<bool>,
    /// Whether what is granted above is taken over here
    #[arg(long, value_name = "true|false", value_parser = parse::flag("inherit_permissions"))]
    pub(crate) inherit: Option<bool>,
    /// The most active and suspended members that joining may lead to
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = parse::whole_number("seat_limit"))]
    pub(crate) seat_limit: Option<i64>,
    /// Any number of members
    #[arg(long, conflicts_with = "seat_limit")]
    pub(crate) no_seat_limit: bool,
    /// The id in another system, 1 to 200 bytes
    #[arg(long, value_name = "TEXT")]
    pub(crate) external_id: Option<String>,
    /// Take the id in another system away
    #[arg(long, conflicts_with = "external_id")]
    pub(crate) no_external_id: bool,
    /// What the application keeps here, in place of what it kept: a JSON object, {} for nothing
    #[arg(long, value_name = "JSON", value_parser = parse::metadata)]
    pub(crate) metadata: Option<Value>,
}

/// `member ...`.
#[derive(Debug, Subcommand)]
pub(crate) enum MemberCommand {
    /// Make a user a member; the user needs no row here
    #[command(after_help = "Example:\n  tenantry member add acme usr_0196f3c21b7a7c3d9e4f5a6b7c8d9e0f --role editor")]
    Add(NewMemberArgs),
    /// Show a membership
    #[command(after_help = "Example:\n  tenantry member show mem_0196f3c21b7a7c3d9e4f5a6b7c8d9e0f")]
    Show(OneMember),
    /// Show a user's membership of an organization
    #[command(after_help = "Example:\n  tenantry member find acme usr_0196f3c21b7a7c3d9e4f5a6b7c8d9e0f")]
    Find {
        #[command(flatten)]
        org: OneOrg,
        #[command(flatten)]
        user: OneUser,
    },
    /// List the members of an organization
    #[command(after_help = "Example:\n  tenantry member list acme --status active")]
    List(ListMembersArgs),
    /// List the memberships of a user
    #[command(after_help = "Example:\n  tenantry member of usr_0196f3c21b7a7c3d9e4f5a6b7c8d9e0f")]
    Of(ListMembershipsArgs),
    /// Count the members of an organization
    #[command(after_help = "Example:\n  tenantry member count acme --status suspended")]
    Count(CountArgs),
    /// Give a member another role; the membership gets a new id
    #[command(after_help = "Example:\n  tenantry member role mem_0196f3c21b7a7c3d9e4f5a6b7c8d9e0f admin")]
    Role {
        #[command(flatten)]
        mem: OneMember,
        /// owner, admin, member, guest, viewer or editor
        role: String,
    },
    /// Change when a membership ends, and what the application keeps there
    #[command(
        after_help = "Example:\n  tenantry member update mem_0196f3c21b7a7c3d9e4f5a6b7c8d9e0f \\\n    --expires-at 2030-01-01T00:00:00Z"
    )]
    Update(UpdateMemberArgs),
    /// Pause a membership
    #[command(after_help = "Example:\n  tenantry member suspend mem_0196f3c21b7a7c3d9e4f5a6b7c8d9e0f")]
    Suspend(OneMember),
    /// Put a suspended membership back in force
    #[command(after_help = "Example:\n  tenantry member reinstate mem_0196f3c21b7a7c3d9e4f5a6b7c8d9e0f")]
    Reinstate(OneMember),
    /// End a membership on its member's own wish
    #[command(
        after_help = "Example:\n  tenantry member leave mem_0196f3c21b7a7c3d9e4f5a6b7c8d9e0f \\\n    --transfer-to usr_0196f3c21b7a7c3d9e4f5a6b7c8d9e0f"
    )]
    Leave(LeaveArgs),
    /// End another's membership, as an owner or admin
    #[command(
        after_help = "Example:\n  tenantry member remove mem_0196f3c21b7a7c3d9e4f5a6b7c8d9e0f \\\n    --by usr_0196f3c21b7a7c3d9e4f5a6b7c8d9e0f"
    )]
    Remove {
        #[command(flatten)]
        mem: OneMember,
        /// Who removes: an owner or admin of the organization
        #[arg(long, value_name = "USER", value_parser = parse::id::<UserId>("admin_usr_id"))]
        by: UserId,
    },
    /// Hand ownership from one member to another
    #[command(
        after_help = "Example:\n  tenantry member transfer acme mem_0196f3c21b7a7c3d9e4f5a6b7c8d9e0f \\\n    mem_0196f3c21b7a7c3d9e4f5a6b7c8d9e1f"
    )]
    Transfer {
        #[command(flatten)]
        org: OneOrg,
        /// The owner's membership
        #[arg(value_parser = parse::id::<MembershipId>("from_mem_id"))]
        from: MembershipId,
        /// The membership that takes over
        #[arg(value_parser = parse::id::<MembershipId>("to_mem_id"))]
        to: MembershipId,
    },
    /// Show the memberships that replaced each other, oldest first
    #[command(after_help = "Example:\n  tenantry member history mem_0196f3c21b7a7c3d9e4f5a6b7c8d9e0f")]
    History(OneMember),
}

/// A membership.
#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct OneMember {
    /// The membership's id
    #[arg(value_name = "MEM", value_parser = parse::id::<MembershipId>("mem_id"))]
    pub(crate) mem_id: MembershipId,
}

/// `member add`.
#[derive(Debug, Args)]
pub(crate) struct NewMemberArgs {
    #[command(flatten)]
    pub(crate) org: OneOrg,
    /// Who
    #[arg(value_name = "USER", value_parser = parse::id::<UserId>("usr_id"))]
    pub(crate) usr_id: UserId,
    /// owner, admin, member, guest, viewer or editor
    #[arg(long)]
    pub(crate) role: String,
    /// Who brings the user in
    #[arg(long, value_name = "USER", value_parser = parse::id::<UserId>("invited_by"))]
    pub(crate) invited_by: Option<UserId>,
    /// From when on the membership no longer counts, such as 2030-01-01T00:00:00Z
    #[arg(long, value_name = "TIME", value_parser = parse::expires_at)]
    pub(crate) expires_at: Option<Timestamp>,
}

/// `member list`.
#[derive(Debug, Args)]
pub(crate) struct ListMembersArgs {
    #[command(flatten)]
    pub(crate) org: OneOrg,
    /// Only those with this status: active, suspended, revoked or expired
    #[arg(long, value_parser = parse::membership_status)]
    pub(crate) status: Option<MembershipStatus>,
    #[command(flatten)]
    pub(crate) paging: Paging,
}

/// `member of`.
#[derive(Debug, Args)]
pub(crate) struct ListMembershipsArgs {
    /// Whose
    #[arg(value_name = "USER", value_parser = parse::id::<UserId>("usr_id"))]
    pub(crate) usr_id: UserId,
    /// Only those with this status: active, suspended, revoked or expired
    #[arg(long, value_parser = parse::membership_status)]
    pub(crate) status: Option<MembershipStatus>,
    #[command(flatten)]
    pub(crate) paging: Paging,
}

/// `member count`.
#[derive(Debug, Args)]
pub(crate) struct CountArgs {
    #[command(flatten)]
    pub(crate) org: OneOrg,
    /// Only those with this status: active, suspended, revoked or expired
    #[arg(long, value_parser = parse::membership_status)]
    pub(crate) status: Option<MembershipStatus>,
}

/// `member update`.
#[derive(Debug, Args)]
pub(crate) struct UpdateMemberArgs {
    #[command(flatten)]
    pub(crate) mem: OneMember,
    /// From when on the membership no longer counts, such as 2030-01-01T00:00:00Z
    #[arg(long, value_name = "TIME", value_parser = parse::expires_at)]
    pub(crate) expires_at: Option<Timestamp>,
    /// The membership has no end
    #[arg(long, conflicts_with = "expires_at")]
    pub(crate) no_expiry: bool,
    /// What the application keeps here, in place of what it kept: a JSON object, {} for nothing
    #[arg(long, value_name = "JSON", value_parser = parse::metadata)]
    pub(crate) metadata: Option<Value>,
}

/// `member leave`.
#[derive(Debug, Args)]
pub(crate) struct LeaveArgs {
    #[command(flatten)]
    pub(crate) mem: OneMember,
    /// The member who becomes owner in place of the owner who leaves
    #[arg(long, value_name = "USER", value_parser = parse::id::<UserId>("transfer_to"))]
    pub(crate) transfer_to: Option<UserId>,
}

/// `user ...`.
#[derive(Debug, Subcommand)]
pub(crate) enum UserCommand {
    /// Create a user's row
    #[command(after_help = "Example:\n  tenantry user create --name \"Ada Example\"")]
    Create {
        /// What people see, 1 to 200 characters
        #[arg(long)]
        name: Option<String>,
    },
    /// Show a user's row
    #[command(after_help = "Example:\n  tenantry user show usr_0196f3c21b7a7c3d9e4f5a6b7c8d9e0f")]
    Show {
        /// The user's id
        #[arg(value_name = "USER", value_parser = parse::user_to_look_up)]
        usr_id: UserId,
    },
    /// Suspend a user, also where an organization is left without an acting owner; these are reported
    #[command(after_help = "Example:\n  tenantry user suspend usr_0196f3c21b7a7c3d9e4f5a6b7c8d9e0f")]
    Suspend(OneUser),
    /// Make a suspended user active again
    #[command(after_help = "Example:\n  tenantry user reinstate usr_0196f3c21b7a7c3d9e4f5a6b7c8d9e0f")]
    Reinstate(OneUser),
    /// End a user's row, for good
    #[command(after_help = "Example:\n  tenantry user revoke usr_0196f3c21b7a7c3d9e4f5a6b7c8d9e0f")]
    Revoke(OneUser),
}

/// A user.
#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct OneUser {
    /// The user's id
    #[arg(value_name = "USER", value_parser = parse::id::<UserId>("usr_id"))]
    pub(crate) usr_id: UserId,
}
