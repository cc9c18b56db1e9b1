//! `tenantry tuple ...` and `tenantry check`.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use tenantry::TupleId;

use super::data::Paging;
use super::invite::End;
use super::parse::{self, Entity, OrgRef};

/// `tuple ...`.
#[derive(Debug, Subcommand)]
pub(crate) enum TupleCommand {
    /// Say that a subject stands in a relation to an object
    ///
    /// A subject or an object is TYPE:ID, where the id is a UUID, or just an id with its prefix, such as usr_...
    #[command(
        after_help = "Example:\n  tenantry tuple create usr_0196f3c21b7a7c3d9e4f5a6b7c8d9e0f editor \\\n    doc:0196f3c2-1b7a-7c3d-9e4f-5a6b7c8d9e1f --org acme"
    )]
    Create(NewTupleArgs),
    /// Take a tuple away
    #[command(after_help = "Example:\n  tenantry tuple delete tup_0196f3c21b7a7c3d9e4f5a6b7c8d9e0f")]
    Delete(OneTuple),
    /// Show a tuple that counts, be it stored or derived from a membership
    #[command(after_help = "Example:\n  tenantry tuple show tup_0196f3c21b7a7c3d9e4f5a6b7c8d9e0f")]
    Show(OneTuple),
    /// List the tuples that count, of a subject or on an object
    #[command(after_help = "Example:\n  tenantry tuple list --object doc:0196f3c2-1b7a-7c3d-9e4f-5a6b7c8d9e1f --relation editor")]
    List(ListTuplesArgs),
}

/// A tuple.
#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct OneTuple {
    /// The tuple's id
    #[arg(value_name = "TUP", value_parser = parse::id::<TupleId>("tup_id"))]
    pub(crate) tup_id: TupleId,
}

/// `tuple create`.
#[derive(Debug, Args)]
pub(crate) struct NewTupleArgs {
    /// Who: TYPE:ID, or usr_... or org_...
    #[arg(value_parser = parse::entity)]
    pub(crate) subject: Entity,
    /// In which relation: 2 to 32 of a-z and _
    pub(crate) relation: String,
    /// To what: TYPE:ID, or org_...
    #[arg(value_parser = parse::entity)]
    pub(crate) object: Entity,
    /// It counts only while this organization is live, and for a user only while a member there: an id, or a slug
    #[arg(long, value_name = "ORG", value_parser = parse::org("org_id"))]
    pub(crate) org: Option<OrgRef>,
    #[command(flatten)]
    pub(crate) end: End,
}

/// `tuple list`.
#[derive(Debug, Args)]
pub(crate) struct ListTuplesArgs {
    #[command(flatten)]
    pub(crate) which: WhichTuples,
    /// Only those with this relation
    #[arg(long, conflicts_with = "subject")]
    pub(crate) relation: Option<String>,
    #[command(flatten)]
    pub(crate) paging: Paging,
}

/// Which tuples: one of the two.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub(crate) struct WhichTuples {
    /// Those of this subject
    #[arg(long, value_name = "TYPE:ID", value_parser = parse::entity)]
    pub(crate) subject: Option<Entity>,
    /// Those on this object
    #[arg(long, value_name = "TYPE:ID", value_parser = parse::entity)]
    pub(crate) object: Option<Entity>,
}

/// `check`.
#[derive(Debug, Args)]
pub(crate) struct CheckArgs {
    /// Who: usr_..., or TYPE:ID
    #[arg(value_name = "USER", value_parser = parse::entity)]
    pub(crate) subject: Entity,
    /// In which relation, or in one of which, separated by commas
    #[arg(value_name = "RELATION")]
    pub(crate) relations: String,
    /// To what: TYPE:ID, or org_...
    #[arg(value_name = "TYPE:ID", value_parser = parse::entity)]
    pub(crate) object: Entity,
    /// A file with rules
    #[arg(long, value_name = "FILE.json")]
    pub(crate) rules: Option<PathBuf>,
}
