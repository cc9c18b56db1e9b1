//! `tenantry changes`, `tenantry import`, `tenantry export` and `tenantry doctor`.

use std::path::PathBuf;

use clap::Args;

use super::parse::{self, OrgRef, Span};

/// `changes`.
#[derive(Debug, Args)]
pub(crate) struct ChangesArgs {
    #[command(flatten)]
    pub(crate) which: WhichChanges,
    /// Only what came after this revision of the organization; with --all, after this event
    #[arg(long, value_name = "N|EVENT", allow_negative_numbers = true)]
    pub(crate) after: Option<String>,
    /// At most so many events, 1 to 200
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = parse::limit)]
    pub(crate) limit: Option<i64>,
    /// With --all: wait for further events, until Ctrl-C
    #[arg(long, requires = "all", conflicts_with = "limit")]
    pub(crate) follow: bool,
    /// With --follow: how long to wait before looking again, 1s unless said otherwise
    #[arg(long, requires = "follow", value_name = "SPAN", value_parser = parse::span("interval"))]
    pub(crate) interval: Option<Span>,
}

/// Whose events: one of the two.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub(crate) struct WhichChanges {
    /// The organization: an id, or a slug
    #[arg(value_name = "ORG", value_parser = parse::org("org_id"))]
    pub(crate) org: Option<OrgRef>,
    /// Those of the whole store, in place of those of ORG
    #[arg(long)]
    pub(crate) all: bool,
}

/// `import`.
#[derive(Debug, Args)]
pub(crate) struct ImportArgs {
    /// The file with the lines; `-` is the standard input
    #[arg(value_name = "FILE.jsonl")]
    pub(crate) file: PathBuf,
}

/// `export`.
#[derive(Debug, Args)]
pub(crate) struct ExportArgs {
    /// The file to write; `-` is the standard output
    #[arg(value_name = "FILE.jsonl", default_value = "-")]
    pub(crate) file: PathBuf,
}

impl ExportArgs {
    /// Whether it is written to the standard output.
    pub(crate) fn is_output(&self) -> bool {
        self.file.as_os_str() == "-"
    }
}

/// `doctor`.
#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct DoctorArgs {
    /// Mend what follows from other rows: ancestors, slugs, revisions
    #[arg(long)]
    pub(crate) repair: bool,
}
