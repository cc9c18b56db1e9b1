//! Reads files of JSON lines. All wrong lines are found, not only the first.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

use indicatif::ProgressBar;
use tenantry::DomainError;
use tenantry::json::Value;

use crate::failure::{Failure, WrongLine, WrongLines};
use crate::progress;

/// How many wrong lines are listed; the others are counted.
const LISTED: usize = 20;

/// The longest line that is read. A row with everything in it is far shorter.
const LONGEST: u64 = 1 << 20;

/// Reads the value of a line.
pub(super) trait Row<T>: Fn(&Value) -> Result<T, DomainError> {}

impl<T, F: Fn(&Value) -> Result<T, DomainError>> Row<T> for F {}

/// Reads every line of a file, or of the standard input, which is `-`.
pub(super) fn of<T>(path: &Path, stdin_free: bool, row: impl Row<T>) -> Result<Vec<(u64, T)>, Failure> {
    if path.as_os_str() == "-" {
        if !stdin_free {
            return Err(Failure::usage("the standard input holds the lines of the batch: name a file"));
        }
        return read(io::stdin().lock(), &ProgressBar::hidden(), row);
    }
    let unreadable = |error| cannot_read(path, &error);
    let file = File::open(path).map_err(unreadable)?;
    let metadata = file.metadata().map_err(unreadable)?;
    if metadata.is_dir() {
        return Err(Failure::usage(format!("cannot read `{}`: it is a folder", path.display())));
    }
    let bar = progress::bar(metadata.len(), "reading  {wide_bar} {bytes}/{total_bytes}");
    let rows = read(BufReader::new(bar.wrap_read(file)), &bar, row);
    bar.finish_and_clear();
    rows
}

/// What is said of a file that cannot be read.
pub(super) fn cannot_read(path: &Path, error: &io::Error) -> Failure {
    Failure::usage(format!("cannot read `{}`: {error}", path.display()))
}

/// Reads every line. All lines that do not have their form are found, not only the first.
pub(super) fn read<T>(mut lines: impl BufRead, bar: &ProgressBar, row: impl Row<T>) -> Result<Vec<(u64, T)>, Failure> {
    let mut rows = Vec::new();
    let mut wrong = WrongLines::default();
    let mut number = 0;
    let mut line = Vec::new();
    loop {
        line.clear();
        let length = lines.by_ref().take(LONGEST).read_until(b'\n', &mut line).map_err(|error| {
            bar.finish_and_clear();
            Failure::usage(format!("cannot read on behind line {number}: {error}"))
        })?;
        if length == 0 {
            break;
        }
        number += 1;
        let read = if line.ends_with(b"\n") || u64::try_from(length).is_ok_and(|length| length < LONGEST) {
            read_line(&line, number == 1, &row)
        } else {
            skip_line(&mut lines).map_err(|error| Failure::usage(format!("cannot read on in line {number}: {error}")))?;
            Err(not_json(number, "it is longer than 1 MiB"))
        };
        match read {
            Ok(Some(row)) => rows.push((number, row)),
            Ok(None) => {}
            Err(error) => {
                wrong.count += 1;
                if wrong.first.len() < LISTED {
                    wrong.first.push(WrongLine { line: number, ..error });
                }
            }
        }
    }
    if wrong.count > 0 { Err(Failure::Lines(wrong)) } else { Ok(rows) }
}

fn read_line<T>(line: &[u8], first: bool, row: &impl Row<T>) -> Result<Option<T>, WrongLine> {
    // Some programs begin a text file with this mark.
    let line = line.strip_prefix("\u{feff}".as_bytes()).filter(|_| first).unwrap_or(line).trim_ascii();
    if line.is_empty() {
        return Ok(None);
    }
    let value: Value = serde_json::from_slice(line).map_err(|error| {
        // The text ends with a place of which only the column is right: the parser sees one line.
        let text = error.to_string();
        let what = text.rsplit_once(" at line ").map_or(text.as_str(), |(what, _)| what);
        not_json(0, &format!("{what} at column {}", error.column()))
    })?;
    row(&value).map(Some).map_err(|error| wrong_line(0, &error))
}

fn skip_line(lines: &mut impl BufRead) -> io::Result<()> {
    loop {
        let buffer = lines.fill_buf()?;
        let (length, ended) = match buffer.iter().position(|byte| *byte == b'\n') {
            Some(at) => (at + 1, true),
            None => (buffer.len(), buffer.is_empty()),
        };
        lines.consume(length);
        if ended {
            return Ok(());
        }
    }
}

fn not_json(line: u64, what: &str) -> WrongLine {
    let message = format!("not a JSON object: {what}");
    WrongLine { line, code: "invalid_format.line".to_owned(), class: "InvalidFormatError", message }
}

fn wrong_line(line: u64, error: &DomainError) -> WrongLine {
    WrongLine { line, code: error.code(), class: error.class(), message: error.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tenantry::wire::import_row;

    fn messages(text: &[u8]) -> Vec<(u64, String)> {
        match read(text, &ProgressBar::hidden(), import_row) {
            Err(Failure::Lines(wrong)) => wrong.first.into_iter().map(|line| (line.line, line.message)).collect(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn empty_lines_a_mark_and_windows_line_ends_are_read_over() {
        let text = "\u{feff}{\"type\":\"user\",\"id\":\"usr_0196f3c21b7a7c3d9e4f5a6b7c8d9e0f\"}\r\n\r\n  \n";
        assert_eq!(read(text.as_bytes(), &ProgressBar::hidden(), import_row).unwrap().len(), 1);
    }

    #[test]
    fn a_line_without_end_is_not_kept_in_memory() {
        let mut text = vec![b'x'; 3 << 20];
        text.extend(b"\n{}\n");
        let found = messages(&text);
        assert_eq!(found.len(), 2);
        assert_eq!(found[0], (1, "not a JSON object: it is longer than 1 MiB".to_owned()));
        assert_eq!(found[1].0, 2);
    }

    #[test]
    fn what_is_not_json_says_where() {
        assert_eq!(messages(b"\n{\"type\": user}\n")[0], (2, "not a JSON object: expected value at column 10".to_owned()));
        assert_eq!(messages(b"\"\xff\"\n")[0].0, 1);
        assert_eq!(messages("[".repeat(500).as_bytes())[0].0, 1);
    }

    #[test]
    fn more_than_twenty_wrong_lines_are_counted() {
        match read("x\n".repeat(25).as_bytes(), &ProgressBar::hidden(), import_row) {
            Err(Failure::Lines(wrong)) => assert_eq!((wrong.first.len(), wrong.count), (LISTED, 25)),
            other => panic!("{other:?}"),
        }
    }
}
