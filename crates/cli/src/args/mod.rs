//! What the command line takes. Texts that people read in `--help` are the comments here.
#![allow(clippy::doc_markdown, reason = "people read these comments in --help, where backticks would stand in their way")]

mod access;
mod data;
mod invite;
mod parse;
mod rows;
mod tenant;
mod tuple;

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use tenantry::{Reason, RequestId, UserId};

pub(crate) use access::{
    CanArgs, CatalogCommand, GroupCommand, NewRoleArgs, OverrideCommand, PermissionCommand, ReviewArgs, ReviewForm, RoleCommand,
    WhereCanArgs, WhoCanArgs,
};
pub(crate) use data::{
    CreateOrgArgs, DataCommand, ListMembersArgs, ListMembershipsArgs, ListOrgsArgs, MemberCommand, MoveOrgArgs, NewMemberArgs, OrgCommand,
    Paging, UpdateMemberArgs, UpdateOrgArgs, UserCommand,
};
pub(crate) use invite::{InviteArgs, InviteCommand, InviteManyArgs, ListInvitesArgs, SweepArgs};
pub(crate) use parse::{OrgRef, Span};
pub(crate) use rows::{ChangesArgs, DoctorArgs, ExportArgs, ImportArgs};
pub(crate) use tenant::{CreateTenantArgs, DeleteTenantArgs, EnsureTenantArgs, TenantCommand};
pub(crate) use tuple::{CheckArgs, ListTuplesArgs, NewTupleArgs, TupleCommand};

use crate::failure::{self, Failure};

// Broken by hand to fit a terminal of 80 columns: clap keeps the line ends of this text.
const AFTER_HELP: &str = "\
Stores:
  memory:        nothing is kept; for trying things out and for `batch`
  sqlite:PATH    a file, created when it is not there
  postgres://... a database; `?tenantry_schema=NAME` chooses the schema in it
Without --store the environment variable TENANTRY_STORE says where, and
without that it is sqlite:tenantry.db. An empty database gets its schema.

Output:
  On a terminal, lists are tables. Into a pipe or a file they are lines of
  tab-separated fields without a head, and a single row is one line of
  `field<TAB>value` for each field. --json writes one JSON document, in one
  line (`changes --all` and `export` write one for each row); an error is then
  one line {\"error\": {\"code\", \"class\", \"message\"}} on the standard error.

Exit codes:
  0  it is done
  1  a rule refused it; for `check`: denied; for `invite create-many`: at
     least one row was refused; for `batch`: at least one line failed; for
     `doctor`: something is wrong
  2  the command line, or the form of an input, is wrong (invalid_id,
     invalid_id_type, invalid_format.*, invalid_cursor, usage), or the rules
     of a check lead too far (evaluation_limit_exceeded)
  3  there is no such row (not_found)
  4  the store failed (backend.*), or the output could not be written

Example:
  tenantry quickstart
";

/// Organizations, memberships, invitations and permissions, in memory, SQLite or Postgres
#[derive(Debug, Parser)]
#[command(name = "tenantry", version, after_help = AFTER_HELP, max_term_width = 100, disable_help_subcommand = true)]
#[command(arg_required_else_help = true, subcommand_required = true)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What every command takes.
#[derive(Debug, Args)]
#[command(next_help_heading = "Options of every command")]
pub(crate) struct Global {
    /// Where the data is: memory:, sqlite:PATH or postgres://...
    #[arg(long, global = true, value_name = "STORE")]
    pub(crate) store: Option<String>,
    /// Write JSON, in the forms that an API would answer
    #[arg(long, global = true)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) stance: Stance,
    /// With an error, also show what caused it
    #[arg(long, global = true)]
    pub(crate) verbose: bool,
    /// Seeded ids, and a clock that starts at 2026-01-01 and moves by 1 ms with each command: for comparing stores
    #[arg(long, global = true, hide = true, value_name = "SEED", num_args = 0..=1, require_equals = true, default_missing_value = "1")]
    pub(crate) deterministic: Option<u64>,
}

/// On whose behalf a command runs, and what it says of itself.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct Stance {
    /// Record this user as the one who acts; otherwise it is the system
    #[arg(long, global = true, value_name = "USER", value_parser = parse::id::<UserId>("actor"))]
    pub(crate) actor: Option<UserId>,
    /// Act as this user, who is refused what the user may not do
    #[arg(long = "as", global = true, value_name = "USER", value_parser = parse::id::<UserId>("as"))]
    pub(crate) guarded: Option<UserId>,
    /// With --as: an identifier that is surely the user's; may be repeated
    #[arg(long, global = true, value_name = "IDENTIFIER")]
    pub(crate) vouch: Vec<String>,
    /// The request behind the command, 1 to 200 bytes; its events carry it
    #[arg(long, global = true, value_name = "TEXT", value_parser = parse::request_id)]
    pub(crate) request_id: Option<RequestId>,
    /// Why the command is given, 1 to 1000 bytes; its events carry it
    #[arg(long, global = true, value_name = "TEXT", value_parser = parse::reason)]
    pub(crate) reason: Option<Reason>,
}

/// The commands of the program.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Fill a new SQLite file with a sample company and look around in it
    ///
    /// Imports three organizations with forty people the way `import` does, and shows the tree, the members, who is invited,
    /// who may edit what, the latest changes and three commands to try. It can be run again: what is there already is only
    /// shown.
    #[command(after_help = "Example:\n  tenantry quickstart --file demo.db")]
    Quickstart(QuickstartArgs),
    #[command(flatten)]
    Data(DataCommand),
    /// Look after the schema of a database
    #[command(subcommand)]
    Migrate(MigrateCommand),
    /// Run many commands, one on each line, against one store
    ///
    /// A line is a command as on the command line, without `tenantry` and without --store, --json and --verbose; quotes
    /// work as in a shell. What a line says of who acts and why goes before what the batch as a whole says, but in a batch with
    /// --as no line names anyone else. Empty lines and those that begin with # are passed over. A line that fails does not stop
    /// the ones after it; a check that denies is an answer, and no failure. With --json each line answers one document:
    /// {"line": N, "result": ...} or {"line": N, "error": ...}, both on the standard output, in the order of the lines.
    #[command(after_help = "Example:\n  echo 'user create --name \"Ada Example\"' | tenantry --store memory: batch -")]
    Batch(BatchArgs),
}

/// `quickstart`.
#[derive(Debug, Args)]
pub(crate) struct QuickstartArgs {
    /// The file, in place of --store sqlite:PATH
    #[arg(long, value_name = "PATH")]
    pub(crate) file: Option<PathBuf>,
}

/// `migrate ...`.
#[derive(Debug, Clone, Copy, Subcommand)]
pub(crate) enum MigrateCommand {
    /// Show which version the schema of the database has, and what is still to be applied
    #[command(after_help = "Example:\n  tenantry --store sqlite:tenantry.db migrate status")]
    Status,
    /// Bring the schema of the database up to date, in one transaction
    #[command(after_help = "Example:\n  tenantry --store postgres://localhost/app migrate run")]
    Run,
}

/// `batch`.
#[derive(Debug, Args)]
pub(crate) struct BatchArgs {
    /// The file with the lines; `-` is the standard input
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// End with the first line that fails
    #[arg(long)]
    pub(crate) stop_on_error: bool,
    /// Show each line before its output (not with --json)
    #[arg(long)]
    pub(crate) echo: bool,
}

/// A line of a batch.
#[derive(Debug, Parser)]
#[command(name = "tenantry", disable_help_subcommand = true, disable_version_flag = true, max_term_width = 100)]
pub(crate) struct Line {
    #[command(flatten)]
    pub(crate) stance: Stance,
    #[command(subcommand)]
    pub(crate) command: DataCommand,
}

/// Reads the words of a line.
pub(crate) fn parse_line(words: Vec<String>) -> Result<Line, Failure> {
    let words = std::iter::once("tenantry".to_owned()).chain(words);
    Line::try_parse_from(words).map_err(|error| match Failure::from_clap(&error) {
        Failure::Help(_) | Failure::NoCommand(_) => Failure::usage("not a whole command; `tenantry --help` lists them"),
        // How a command is used as a whole is more than a batch wants to hear.
        Failure::Argument { error, text } => Failure::Argument { error, text: failure::first_paragraph(&text) },
        Failure::Usage(text) => Failure::Usage(failure::first_paragraph(&text)),
        failure => failure,
    })
}

/// Whether `--json` is asked for, also where the rest of the command line cannot be read.
pub(crate) fn asks_for_json(args: &[OsString]) -> bool {
    args.iter().skip(1).take_while(|arg| *arg != "--").any(|arg| arg == "--json")
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory, Parser};

    use super::{Cli, Line};

    #[test]
    fn the_definitions_fit_together() {
        Cli::command().debug_assert();
        Line::command().debug_assert();
    }

    /// The words that a shell gives to the program, for the last command of a pipeline, of each example.
    fn typed(examples: &str) -> Vec<Vec<String>> {
        let words = |example: &str| shlex::split(example).expect("quotes are closed");
        let last = |words: Vec<String>| words.rsplit(|word| word == "|").next().unwrap_or_default().to_vec();
        examples.replace("\\\n", " ").lines().map(words).map(last).collect()
    }

    #[test]
    fn every_command_shows_an_example_that_can_be_typed() {
        fn check(command: &clap::Command, path: &str) {
            let path = format!("{path} {}", command.get_name());
            command.get_subcommands().for_each(|command| check(command, &path));
            if command.has_subcommands() {
                return;
            }
            assert!(command.get_about().is_some(), "`{path}` does not say what it does");
            let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            assert!(help.lines().all(|line| line.len() <= 100), "an example of `{path}` is broken by a narrow terminal");
            let examples = typed(help.strip_prefix("Example:\n").unwrap_or_default());
            assert!(!examples.is_empty(), "`{path}` has no example");
            for words in examples {
                let shown = words.iter().filter(|word| path.split(' ').any(|part| part == *word)).count();
                assert_eq!(shown, path.split(' ').count(), "the example of `{path}` shows something else");
                assert!(Cli::try_parse_from(&words).is_ok(), "the example of `{path}` cannot be typed: {words:?}");
            }
        }
        Cli::command().get_subcommands().for_each(|command| check(command, "tenantry"));
    }
}
