//! `tenantry batch`: many commands in one process, against one store.

use std::fs::File;
use std::io::{self, BufRead, BufReader};

use super::{Surroundings, lines::cannot_read};
use crate::args::{self, BatchArgs};
use crate::commands;
use crate::failure::Failure;
use crate::output::{Answer, Output};
use crate::session::Session;

/// The longest line that is read.
const LONGEST: u64 = 1 << 20;

/// Runs the lines and writes what each answers, as soon as it does.
pub(crate) async fn run(args: &BatchArgs, session: &Session, output: &mut Output<'_>) -> Result<(), Failure> {
    let from_stdin = args.file.as_os_str() == "-";
    let mut lines: Box<dyn BufRead> = if from_stdin {
        Box::new(io::stdin().lock())
    } else {
        Box::new(BufReader::new(File::open(&args.file).map_err(|error| cannot_read(&args.file, &error))?))
    };
    let around = Surroundings { for_people: output.for_people(), stdin_free: !from_stdin };
    let (mut number, mut run, mut failed) = (0, 0, 0);
    while let Some(line) = next_line(&mut *lines).map_err(|error| cannot_read(&args.file, &error))? {
        number += 1;
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        run += 1;
        if args.echo {
            output.echo(line)?;
        }
        match run_line(line, session, around).await {
            Ok(answer) => output.answer(Some(number), &answer)?,
            Err(failure) => {
                failed += 1;
                output.line_failure(number, &failure)?;
                if args.stop_on_error {
                    break;
                }
            }
        }
    }
    if failed > 0 { Err(Failure::Batch { failed, lines: run }) } else { Ok(()) }
}

fn next_line(lines: &mut dyn BufRead) -> io::Result<Option<String>> {
    let mut line = String::new();
    let length = io::Read::take(lines, LONGEST).read_line(&mut line)?;
    if u64::try_from(length).is_ok_and(|length| length == LONGEST) && !line.ends_with('\n') {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "a line is longer than 1 MiB"));
    }
    Ok((length > 0).then_some(line))
}

async fn run_line(line: &str, session: &Session, around: Surroundings) -> Result<Answer, Failure> {
    let words = shlex::split(line).ok_or_else(|| Failure::usage("a quote is not closed, or the line ends with a backslash"))?;
    let line = args::parse_line(words)?;
    commands::run(line.command, &session.turn(line.stance)?, around).await
}
