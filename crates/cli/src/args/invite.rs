//! `tenantry invite ...` and `tenantry sweep`.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use tenantry::{InvitationId, InvitationStatus, PreTuple, Timestamp, UserId};

use super::data::{OneOrg, Paging};
use super::parse::{self, OrgRef, Span};

/// `invite ...`.
#[derive(Debug, Subcommand)]
pub(crate) enum InviteCommand {
    /// Invite someone into an organization, for 7 days unless said otherwise
    #[command(
        after_help = "Example:\n  tenantry invite create acme ben@example.org --role member --ttl 14d \\\n    --by usr_0196f3c21b7a7c3d9e4f5a6b7c8d9e0f \\\n    --grant editor:doc:0196f3c2-1b7a-7c3d-9e4f-5a6b7c8d9e1f"
    )]
    Create(InviteArgs),
    /// Invite up to 500 people at once; each row has an outcome of its own
    ///
    /// Each line of the file is a JSON object: {"identifier": "ben@example.org", "role": "member", "ttl": "7d", "pre_tuples":
    /// [{"relation": "editor", "object_type": "doc", "object_id": "0196f3c2-1b7a-7c3d-9e4f-5a6b7c8d9e1f"}]}, with
    /// `expires_at` and a time in place of `ttl`, or neither for 7 days. The form of every line is checked first; then the good
    /// rows are written together, whatever becomes of the others. The exit code is 1 when a row was refused.
    #[command(after_help = "Example:\n  tenantry invite create-many acme people.jsonl --by usr_0196f3c21b7a7c3d9e4f5a6b7c8d9e0f")]
    CreateMany(InviteManyArgs),
    /// List the invitations of an organization, or those for an identifier
    #[command(after_help = "Example:\n  tenantry invite list acme --status pending")]
    List(ListInvitesArgs),
    /// Show an invitation
    #[command(after_help = "Example:\n  tenantry invite show inv_0196f3c21b7a7c3d9e4f5a6b7c8d9e0f")]
    Show(OneInvite),
    /// Make a membership of an invitation, for a new user or for one who holds its identifier
    #[command(
        after_help = "Example:\n  tenantry invite accept inv_0196f3c21b7a7c3d9e4f5a6b7c8d9e0f \\\n    --user usr_0196f3c21b7a7c3d9e4f5a6b7c8d9e1f --identifier ben@example.org"
    )]
    Accept(AnswerArgs),
    /// Say no to an invitation
    #[command(after_help = "Example:\n  tenantry invite decline inv_0196f3c21b7a7c3d9e4f5a6b7c8d9e0f")]
    Decline(AnswerArgs),
    /// Take an invitation back
    #[command(
        after_help = "Example:\n  tenantry invite revoke inv_0196f3c21b7a7c3d9e4f5a6b7c8d9e0f \\\n    --by usr_0196f3c21b7a7c3d9e4f5a6b7c8d9e1f"
    )]
    Revoke {
        #[command(flatten)]
        inv: OneInvite,
        /// Who takes it back
        #[arg(long, value_name = "USER", value_parser = parse::id::<UserId>("admin_usr_id"))]
        by: UserId,
    },
    /// Give an open or expired invitation another end
    #[command(after_help = "Example:\n  tenantry invite extend inv_0196f3c21b7a7c3d9e4f5a6b7c8d9e0f --ttl 7d")]
    Extend {
        #[command(flatten)]
        inv: OneInvite,
        #[command(flatten)]
        end: NewEnd,
    },
}

/// An invitation.
#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct OneInvite {
    /// The invitation's id
    #[arg(value_name = "INV", value_parser = parse::id::<InvitationId>("inv_id"))]
    pub(crate) inv_id: InvitationId,
}

/// When something ends, if it does.
#[derive(Debug, Clone, Copy, Args)]
#[group(multiple = false)]
pub(crate) struct End {
    /// How long it counts from now on: 90s, 30m, 12h, 7d or 2w
    #[arg(long, value_name = "SPAN", value_parser = parse::span("ttl"))]
    ttl: Option<Span>,
    /// From when on it no longer counts, such as 2030-01-01T00:00:00Z
    #[arg(long, value_name = "TIME", value_parser = parse::expires_at)]
    expires_at: Option<Timestamp>,
}

impl End {
    /// The moment, seen from now.
    pub(crate) fn at(self, now: Timestamp) -> Option<Timestamp> {
        self.expires_at.or(self.ttl.map(|ttl| ttl.after(now)))
    }
}

/// When something ends from now on.
#[derive(Debug, Clone, Copy, Args)]
#[group(required = true, multiple = false)]
pub(crate) struct NewEnd {
    /// How long it counts from now on: 90s, 30m, 12h, 7d or 2w
    #[arg(long, value_name = "SPAN", value_parser = parse::span("ttl"))]
    ttl: Option<Span>,
    /// From when on it no longer counts, such as 2030-01-01T00:00:00Z
    #[arg(long, value_name = "TIME", value_parser = parse::expires_at)]
    expires_at: Option<Timestamp>,
}

impl NewEnd {
    /// The moment, seen from now.
    pub(crate) fn at(self, now: Timestamp) -> Timestamp {
        // The group asks for one of the two.
        self.expires_at.or(self.ttl.map(|ttl| ttl.after(now))).unwrap_or(now)
    }
}

/// `invite create`.
#[derive(Debug, Args)]
pub(crate) struct InviteArgs {
    #[command(flatten)]
    pub(crate) org: OneOrg,
    /// How the invited person is known, such as an e-mail address: 1 to 320 bytes, compared byte by byte
    pub(crate) identifier: String,
    /// owner, admin, member, guest, viewer or editor
    #[arg(long)]
    pub(crate) role: String,
    /// Who invites
    #[arg(long, value_name = "USER", value_parser = parse::id::<UserId>("invited_by"))]
    pub(crate) by: UserId,
    #[command(flatten)]
    pub(crate) end: End,
    /// A relation to an object that comes with the membership; may be repeated
    #[arg(long = "grant", value_name = "RELATION:TYPE:ID", value_parser = parse::grant)]
    pub(crate) grants: Vec<PreTuple>,
}

/// `invite create-many`.
#[derive(Debug, Args)]
pub(crate) struct InviteManyArgs {
    #[command(flatten)]
    pub(crate) org: OneOrg,
    /// The file with the lines; `-` is the standard input
    #[arg(value_name = "FILE.jsonl")]
    pub(crate) file: PathBuf,
    /// Who invites
    #[arg(long, value_name = "USER", value_parser = parse::id::<UserId>("invited_by"))]
    pub(crate) by: UserId,
}

/// `invite list`.
#[derive(Debug, Args)]
pub(crate) struct ListInvitesArgs {
    #[command(flatten)]
    pub(crate) which: WhichInvites,
    /// Only those with this status: pending, accepted, declined, revoked or expired
    #[arg(long, value_parser = parse::invitation_status)]
    pub(crate) status: Option<InvitationStatus>,
    #[command(flatten)]
    pub(crate) paging: Paging,
}

/// Whose invitations: one of the two.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub(crate) struct WhichInvites {
    /// The organization: an id, or a slug
    #[arg(value_name = "ORG", value_parser = parse::org("org_id"))]
    pub(crate) org: Option<OrgRef>,
    /// Those for this identifier, of all organizations, in place of those of ORG
    #[arg(long = "for", id = "identifier", value_name = "IDENTIFIER")]
    pub(crate) identifier: Option<String>,
}

/// `invite accept` and `invite decline`.
#[derive(Debug, Args)]
pub(crate) struct AnswerArgs {
    #[command(flatten)]
    pub(crate) inv: OneInvite,
    /// Who answers; without one it is a new user who accepts, and someone unknown who declines
    #[arg(long, value_name = "USER", value_parser = parse::id::<UserId>("as_usr_id"))]
    pub(crate) user: Option<UserId>,
    /// The identifier that is surely the user's; it must be that of the invitation
    #[arg(long, requires = "user")]
    pub(crate) identifier: Option<String>,
}

/// `sweep`.
#[derive(Debug, Args)]
pub(crate) struct SweepArgs {
    /// At most so many rows in one transaction, 1 to 200
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = parse::limit)]
    pub(crate) limit: Option<i64>,
}
