//! Why a command did not succeed, what the program then says, and with which exit code it ends.

use std::error::Error as _;
use std::io;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::error::ErrorKind;
use serde::Serialize;
use tenantry::{BackendError, BackendKind, DomainError, Error};

/// Why a command did not succeed.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The library refused it, or the store failed.
    Store(Error),
    /// The same for an argument; the text shows people where it stands.
    Argument { error: DomainError, text: String },
    /// Lines of a file that do not have their form.
    Lines(WrongLines),
    /// The rules of a check do not have their form; the text names the file, the place in it and the word.
    Rules(String),
    /// The sample company does not fit into what is in the store.
    Sample(Error),
    /// The command line, or a file that it names, cannot be used.
    Usage(String),
    /// Lines of a batch failed; each has been reported.
    Batch { failed: u64, lines: u64 },
    /// Not a failure: the help text was asked for.
    Help(String),
    /// No command was named; the text is the help.
    NoCommand(String),
    /// Nobody reads the output any more.
    Closed,
    /// The output cannot be written.
    Output(io::Error),
    /// A file cannot be written.
    File(PathBuf, io::Error),
}

/// Lines of a file that do not have their form.
#[derive(Debug, Default)]
pub(crate) struct WrongLines {
    /// The first ones.
    pub(crate) first: Vec<WrongLine>,
    /// How many there are in all.
    pub(crate) count: u64,
}

/// A line of a file that does not have its form.
#[derive(Debug, Serialize)]
pub(crate) struct WrongLine {
    /// From 1.
    pub(crate) line: u64,
    pub(crate) code: String,
    pub(crate) class: &'static str,
    pub(crate) message: String,
}

/// How the program ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    Done,
    Refused,
    WrongInput,
    NotFound,
    Broken,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(match exit {
            Exit::Done => 0,
            Exit::Refused => 1,
            Exit::WrongInput => 2,
            Exit::NotFound => 3,
            Exit::Broken => 4,
        })
    }
}

impl Exit {
    fn of(error: &Error) -> Self {
        match error {
            Error::Backend(_) => Self::Broken,
            Error::Domain(error) => Self::of_code(&error.code()),
            _ => Self::Refused,
        }
    }

    fn of_code(code: &str) -> Self {
        match code.split_once('.').map_or(code, |(area, _)| area) {
            "not_found" => Self::NotFound,
            // Rules that lead too far are not a "no", which a check says with the exit code of a refusal.
            "invalid_id" | "invalid_id_type" | "invalid_format" | "invalid_cursor" | "evaluation_limit_exceeded" => Self::WrongInput,
            _ => Self::Refused,
        }
    }
}

/// An error on the wire.
#[derive(Debug, Serialize)]
pub(crate) struct Report<'f> {
    code: String,
    class: &'static str,
    message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    lines: Option<&'f [WrongLine]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    event_id: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    caused_by: Vec<String>,
}

impl Failure {
    pub(crate) fn usage(text: impl Into<String>) -> Self {
        Self::Usage(text.into())
    }

    /// What clap has found, or was asked for.
    pub(crate) fn from_clap(error: &clap::Error) -> Self {
        let text = error.render().to_string();
        if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) {
            return Self::Help(text);
        }
        if error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
            return Self::NoCommand(text);
        }
        let text = text.strip_prefix("error: ").unwrap_or(&text).trim_end().to_owned();
        match error.source().and_then(|source| source.downcast_ref::<DomainError>()) {
            Some(error @ DomainError::NotFound(_)) => Self::from(error.clone()),
            Some(error) => Self::Argument { error: error.clone(), text },
            None => Self::Usage(text),
        }
    }

    pub(crate) fn exit(&self) -> Exit {
        match self {
            Self::Store(error) | Self::Sample(error) => Exit::of(error),
            Self::Argument { error, .. } => Exit::of_code(&error.code()),
            Self::Lines(_) | Self::Rules(_) | Self::Usage(_) | Self::NoCommand(_) => Exit::WrongInput,
            Self::Batch { .. } => Exit::Refused,
            Self::Help(_) | Self::Closed => Exit::Done,
            Self::Output(_) | Self::File(..) => Exit::Broken,
        }
    }

    /// The text for people; the lines that follow the first are indented.
    pub(crate) fn text(&self) -> String {
        match self {
            Self::Argument { text, .. } | Self::Usage(text) => text.clone(),
            Self::Lines(wrong) => {
                let mut lines = vec![self.message()];
                lines.extend(wrong.first.iter().map(|line| format!("  line {}: {}", line.line, line.message)));
                let more = wrong.count.saturating_sub(u64::try_from(wrong.first.len()).unwrap_or(u64::MAX));
                if more > 0 {
                    lines.push(format!("  and {more} more"));
                }
                lines.join("\n")
            }
            _ => self.message(),
        }
    }

    fn message(&self) -> String {
        match self {
            Self::Store(error) => match unknown_outcome(error) {
                Some(event_id) => format!("{error}; ask later with `tenantry event {event_id}`"),
                None => error.to_string(),
            },
            Self::Sample(error) => format!(
                "the sample company does not fit beside what is in this store, and nothing was written: {error}; \
                 give it a file of its own with `quickstart --file NEW.db`"
            ),
            Self::Argument { error, .. } => error.to_string(),
            Self::Lines(WrongLines { count: 1, .. }) => "1 line is wrong, and nothing was written".to_owned(),
            Self::Lines(wrong) => format!("{} lines are wrong, and nothing was written", wrong.count),
            Self::Rules(text) => text.clone(),
            Self::Batch { failed, lines } => format!("{failed} of {lines} lines failed"),
            Self::Usage(text) | Self::Help(text) | Self::NoCommand(text) => first_paragraph(text),
            Self::Closed => "the output was closed".to_owned(),
            Self::Output(error) => format!("the command was carried out, but its output cannot be written: {error}"),
            Self::File(path, error) => format!("cannot write `{}`: {error}", path.display()),
        }
    }

    /// What stands behind it, the outermost first.
    pub(crate) fn causes(&self) -> Vec<String> {
        let (Self::Store(Error::Backend(error)) | Self::Sample(Error::Backend(error))) = self else { return Vec::new() };
        let mut causes = Vec::new();
        let mut cause = error.source();
        while let Some(error) = cause {
            causes.push(error.to_string());
            cause = error.source();
        }
        causes
    }

    /// The wire form.
    pub(crate) fn report(&self, verbose: bool) -> Report<'_> {
        let (code, class) = match self {
            Self::Store(error) | Self::Sample(error) => (error.code(), error.class()),
            Self::Argument { error, .. } => (error.code(), error.class()),
            Self::Lines(wrong) => wrong.first.first().map_or(("usage".to_owned(), "UsageError"), |line| (line.code.clone(), line.class)),
            Self::Rules(_) => ("invalid_format.rules".to_owned(), "InvalidFormatError"),
            Self::Usage(_) | Self::Help(_) | Self::NoCommand(_) | Self::Batch { .. } => ("usage".to_owned(), "UsageError"),
            Self::Closed | Self::Output(_) | Self::File(..) => ("output".to_owned(), "OutputError"),
        };
        Report {
            code,
            class,
            message: self.message(),
            lines: if let Self::Lines(wrong) = self { Some(&wrong.first) } else { None },
            event_id: if let Self::Store(error) = self { unknown_outcome(error) } else { None },
            caused_by: if verbose { self.causes() } else { Vec::new() },
        }
    }
}

/// What clap says first, in one line; how the command is used as a whole comes after it.
pub(crate) fn first_paragraph(text: &str) -> String {
    let paragraph = text.split_once("\n\n").map_or(text, |(first, _)| first);
    paragraph.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn unknown_outcome(error: &Error) -> Option<String> {
    match error {
        Error::Backend(error) => match error.kind() {
            BackendKind::UnknownOutcome { event_id } => Some(event_id.to_string()),
            _ => None,
        },
        _ => None,
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Store(error)
    }
}

impl From<DomainError> for Failure {
    fn from(error: DomainError) -> Self {
        Self::Store(error.into())
    }
}

impl From<BackendError> for Failure {
    fn from(error: BackendError) -> Self {
        Self::Store(error.into())
    }
}

#[cfg(test)]
mod tests {
    use super::{Exit, Failure};
    use tenantry::{BackendError, BackendKind, DomainError, IdType};

    #[test]
    fn the_area_of_a_code_decides_the_exit_code() {
        for (code, exit) in [
            ("not_found", Exit::NotFound),
            ("invalid_id", Exit::WrongInput),
            ("invalid_id_type", Exit::WrongInput),
            ("invalid_format.name", Exit::WrongInput),
            ("invalid_cursor", Exit::WrongInput),
            ("conflict.sole_owner", Exit::Refused),
            ("precondition.no_owner", Exit::Refused),
            ("forbidden", Exit::Refused),
            ("forbidden.role_hierarchy", Exit::Refused),
            ("evaluation_limit_exceeded", Exit::WrongInput),
        ] {
            assert_eq!(Exit::of_code(code), exit, "{code}");
        }
        assert_eq!(Failure::from(DomainError::NotFound(IdType::User)).exit(), Exit::NotFound);
    }

    #[test]
    fn causes_are_shown_on_request_only() {
        let failure = Failure::from(BackendError::new(BackendKind::Unavailable, "the file is locked").caused_by("code 5"));
        assert_eq!((failure.exit(), failure.text()), (Exit::Broken, "the file is locked".to_owned()));
        assert!(failure.report(false).caused_by.is_empty());
        assert_eq!(failure.report(true).caused_by, ["code 5"]);
    }
}
