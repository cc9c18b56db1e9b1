//! What a command answers, and how it is written: one value is shown to people or as JSON, so that the two cannot differ.

mod table;
mod tree;

use std::io::{self, Write};

use serde::Serialize;

pub(crate) use table::{Record, Table};
pub(crate) use tree::Branch;

use crate::failure::{Exit, Failure};

/// What a command answers.
#[derive(Debug)]
pub(crate) struct Answer {
    /// The wire form, in one line.
    json: String,
    /// The same for people.
    view: View,
    /// What people should know besides.
    notes: Vec<String>,
    /// How the program ends when this is its only answer.
    exit: Exit,
}

impl Answer {
    /// A value, and how people see it.
    pub(crate) fn new(wire: &impl Serialize, view: impl Into<View>) -> Result<Self, Failure> {
        let json = serde_json::to_string(wire).map_err(|error| Failure::Output(error.into()))?;
        Ok(Self { json, view: view.into(), notes: Vec::new(), exit: Exit::Done })
    }

    /// With something that people should know besides.
    pub(crate) fn note(mut self, note: Option<String>) -> Self {
        self.notes.extend(note);
        self
    }

    /// With another end of the program than that of a success.
    pub(crate) fn ends_with(mut self, exit: Exit) -> Self {
        self.exit = exit;
        self
    }

    /// How the program ends when this is its only answer.
    pub(crate) fn exit(&self) -> Exit {
        self.exit
    }
}

/// How people see an answer.
#[derive(Debug)]
pub(crate) enum View {
    /// The fields of one row.
    Record(Record),
    /// Many rows.
    Table(Table),
    /// Rows below rows.
    Tree(Vec<Branch>),
    /// Lines of text.
    Lines(Vec<String>),
    /// Several of these, each under a title.
    Sections(Vec<(String, View)>),
}

impl From<Record> for View {
    fn from(record: Record) -> Self {
        Self::Record(record)
    }
}

impl From<Table> for View {
    fn from(table: Table) -> Self {
        Self::Table(table)
    }
}

impl From<Vec<Branch>> for View {
    fn from(tree: Vec<Branch>) -> Self {
        Self::Tree(tree)
    }
}

impl From<Vec<String>> for View {
    fn from(lines: Vec<String>) -> Self {
        Self::Lines(lines)
    }
}

/// For whom output is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Style {
    /// A person at a terminal.
    Terminal,
    /// A pipe or a file.
    Plain,
}

impl View {
    fn write(&self, out: &mut dyn Write, style: Style) -> io::Result<()> {
        match self {
            Self::Record(record) => record.write(out, style),
            Self::Table(table) => table.write(out, style),
            Self::Tree(branches) => tree::write(out, branches, style),
            Self::Lines(lines) => lines.iter().try_for_each(|line| writeln!(out, "{}", visible(line))),
            Self::Sections(sections) => {
                for (index, (title, view)) in sections.iter().enumerate() {
                    if index > 0 {
                        writeln!(out)?;
                    }
                    writeln!(out, "{}", visible(title))?;
                    view.write(out, style)?;
                }
                Ok(())
            }
        }
    }
}

/// Where answers and failures are written.
pub(crate) struct Output<'w> {
    out: Box<dyn Write + 'w>,
    err: Box<dyn Write + 'w>,
    json: bool,
    style: Style,
    verbose: bool,
}

impl<'w> Output<'w> {
    pub(crate) fn new(out: Box<dyn Write + 'w>, err: Box<dyn Write + 'w>, style: Style) -> Self {
        Self { out, err, json: false, style, verbose: false }
    }

    pub(crate) fn json(mut self, json: bool) -> Self {
        self.json = json;
        self
    }

    pub(crate) fn verbose(mut self, verbose: bool) -> Self {
        self.verbose = verbose;
        self
    }

    /// Whether people read it, so that names are worth being looked up.
    pub(crate) fn for_people(&self) -> bool {
        !self.json
    }

    /// The answer of the command; in a batch with the number of its line.
    pub(crate) fn answer(&mut self, line: Option<u64>, answer: &Answer) -> Result<(), Failure> {
        let written = match (self.json, line) {
            (true, None) => writeln!(self.out, "{}", answer.json),
            (true, Some(line)) => writeln!(self.out, "{{\"line\":{line},\"result\":{}}}", answer.json),
            (false, _) => answer.view.write(&mut self.out, self.style),
        };
        self.finish(written)?;
        if !self.json {
            answer.notes.iter().for_each(|note| self.tell(note));
        }
        Ok(())
    }

    /// Some of many rows: a line for each of them as JSON, or the table.
    pub(crate) fn rows(&mut self, wire: &[impl Serialize], table: &Table) -> Result<(), Failure> {
        if self.json {
            return self.json_rows(wire);
        }
        let written = table.write(&mut self.out, self.style);
        self.finish(written)
    }

    /// Some of many rows: a line for each of them as JSON, whatever the form.
    pub(crate) fn json_rows(&mut self, wire: &[impl Serialize]) -> Result<(), Failure> {
        let line = |row| serde_json::to_string(row).map_err(io::Error::other);
        let written = wire.iter().try_for_each(|row| writeln!(self.out, "{}", line(row)?));
        self.finish(written)
    }

    /// What writes on the standard output itself, whatever the form.
    pub(crate) fn write_all(&mut self, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<(), Failure> {
        let written = write(&mut self.out);
        self.finish(written)
    }

    /// What people should know besides.
    pub(crate) fn note(&mut self, note: &str) {
        if !self.json {
            self.tell(note);
        }
    }

    /// Whether rows are drawn on a terminal, where nothing else can be drawn then.
    pub(crate) fn is_terminal(&self) -> bool {
        self.style == Style::Terminal
    }

    /// A text on the standard output, whatever the form.
    pub(crate) fn text(&mut self, text: &str) -> Result<(), Failure> {
        let written = write!(self.out, "{text}");
        self.finish(written)
    }

    /// Why the command failed.
    pub(crate) fn failure(&mut self, failure: &Failure) {
        if matches!(failure, Failure::Closed) || (self.json && matches!(failure, Failure::Batch { .. })) {
            return;
        }
        if let (false, Failure::NoCommand(help)) = (self.json, failure) {
            self.tell(help);
        } else if self.json {
            let report = serde_json::to_string(&failure.report(self.verbose)).unwrap_or_default();
            self.tell_raw(&format!("{{\"error\":{report}}}"));
        } else {
            let text = format!("error: {}", failure.text());
            self.tell(&text);
            self.tell_causes(failure);
        }
    }

    /// Why a line of a batch failed.
    pub(crate) fn line_failure(&mut self, line: u64, failure: &Failure) -> Result<(), Failure> {
        if self.json {
            let report = serde_json::to_string(&failure.report(self.verbose)).map_err(|error| Failure::Output(error.into()))?;
            let written = writeln!(self.out, "{{\"line\":{line},\"error\":{report}}}");
            return self.finish(written);
        }
        let text = format!("error: line {line}: {}", failure.text());
        self.tell(&text);
        self.tell_causes(failure);
        Ok(())
    }

    /// A line of a batch, before its output.
    pub(crate) fn echo(&mut self, line: &str) -> Result<(), Failure> {
        if self.json {
            return Ok(());
        }
        let written = writeln!(self.out, "> {}", visible(line));
        self.finish(written)
    }

    fn tell_causes(&mut self, failure: &Failure) {
        if self.verbose {
            failure.causes().iter().for_each(|cause| self.tell(&format!("caused by: {cause}")));
        }
    }

    fn tell(&mut self, text: &str) {
        let lines: Vec<String> = text.lines().map(visible).collect();
        self.tell_raw(&lines.join("\n"));
    }

    fn tell_raw(&mut self, text: &str) {
        // Where the standard error cannot be written there is nobody left to tell; the exit code still says it.
        let told = writeln!(self.err, "{text}").and_then(|()| self.err.flush());
        drop(told);
    }

    fn finish(&mut self, written: io::Result<()>) -> Result<(), Failure> {
        written.and_then(|()| self.out.flush()).map_err(|error| match error.kind() {
            io::ErrorKind::BrokenPipe => Failure::Closed,
            _ => Failure::Output(error),
        })
    }
}

/// A text with everything written out that would move the cursor, break the line or turn the direction of writing: what
/// stands in a row or a file cannot draw over what the program says.
pub(crate) fn visible(text: &str) -> String {
    let hidden = |c: char| {
        c.is_control() || matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
    };
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        if hidden(c) { shown.extend(c.escape_default()) } else { shown.push(c) }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_seen_is_written_out() {
        assert_eq!(visible("Zoë \u{202e}x\u{1b}[2J\t\n"), r"Zoë \u{202e}x\u{1b}[2J\t\n");
    }

    #[test]
    fn sections_stand_apart() {
        let sections = View::Sections(vec![("One".into(), vec!["1".to_owned()].into()), ("Two".into(), vec!["2".to_owned()].into())]);
        let mut out = Vec::new();
        sections.write(&mut out, Style::Terminal).unwrap();
        assert_eq!(String::from_utf8(out).unwrap(), "One\n1\n\nTwo\n2\n");
    }

    struct Full(io::ErrorKind);

    impl Write for Full {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(self.0.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_reader_that_left_is_no_error_and_a_full_disk_is_one() {
        let fails_with = |kind| {
            let mut output = Output::new(Box::new(Full(kind)), Box::new(io::sink()), Style::Plain);
            output.text("x").unwrap_err()
        };
        assert!(matches!(fails_with(io::ErrorKind::BrokenPipe), Failure::Closed));
        assert!(matches!(fails_with(io::ErrorKind::StorageFull), Failure::Output(_)));
    }
}
