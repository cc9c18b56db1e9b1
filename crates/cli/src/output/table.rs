//! Rows: a table on a terminal, tab-separated lines elsewhere.

use std::io::{self, Write};

use comfy_table::{ContentArrangement, LineStyle, TableStyle};

use super::{Style, visible};

/// Many rows of one kind.
#[derive(Debug)]
pub(crate) struct Table {
    head: &'static [&'static str],
    rows: Vec<Vec<String>>,
    continued: bool,
}

impl Table {
    pub(crate) fn new(head: &'static [&'static str], rows: impl IntoIterator<Item = Vec<String>>) -> Self {
        Self { head, rows: rows.into_iter().collect(), continued: false }
    }

    /// Below rows that have been shown: without the head, and without a word where there is none.
    pub(crate) fn continued(mut self, continued: bool) -> Self {
        self.continued = continued;
        self
    }

    pub(super) fn write(&self, out: &mut dyn Write, style: Style) -> io::Result<()> {
        match style {
            Style::Plain => self.rows.iter().try_for_each(|row| write_fields(out, row)),
            Style::Terminal if self.rows.is_empty() && self.continued => Ok(()),
            Style::Terminal if self.rows.is_empty() => writeln!(out, "(none)"),
            Style::Terminal => {
                let mut table = empty_table();
                if !self.continued {
                    table.set_header(self.head);
                }
                for row in &self.rows {
                    table.add_row(row.iter().map(|cell| visible(cell)));
                }
                write_table(out, &table)
            }
        }
    }
}

/// The fields of one row.
#[derive(Debug, Default)]
pub(crate) struct Record {
    fields: Vec<(&'static str, String)>,
}

impl Record {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// With a field; one without a value stays empty.
    #[expect(clippy::needless_pass_by_value, reason = "whoever calls has ids by value and texts by reference")]
    pub(crate) fn with(mut self, name: &'static str, value: impl ToString) -> Self {
        self.fields.push((name, value.to_string()));
        self
    }

    pub(crate) fn with_some(self, name: &'static str, value: Option<impl ToString>) -> Self {
        self.with(name, value.map(|value| value.to_string()).unwrap_or_default())
    }

    pub(super) fn write(&self, out: &mut dyn Write, style: Style) -> io::Result<()> {
        match style {
            Style::Plain => self.fields.iter().try_for_each(|(name, value)| write_fields(out, &[*name, value.as_str()])),
            Style::Terminal => {
                let mut table = empty_table();
                for (name, value) in &self.fields {
                    table.add_row([(*name).to_owned(), visible(value)]);
                }
                write_table(out, &table)
            }
        }
    }
}

/// Ids are there to be copied, so that nothing is cut or wrapped: the terminal may do that.
fn empty_table() -> comfy_table::Table {
    let mut table = comfy_table::Table::new();
    let under_the_head = LineStyle::none().fill('─').junction('─');
    table.load_style(TableStyle::new().header_separator(under_the_head)).set_content_arrangement(ContentArrangement::Disabled);
    table
}

fn write_table(out: &mut dyn Write, table: &comfy_table::Table) -> io::Result<()> {
    table.lines().try_for_each(|line| writeln!(out, "{}", line.trim_end()))
}

fn write_fields(out: &mut dyn Write, fields: &[impl AsRef<str>]) -> io::Result<()> {
    let fields: Vec<String> = fields.iter().map(|field| visible(field.as_ref())).collect();
    writeln!(out, "{}", fields.join("\t"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(style: Style, write: impl Fn(&mut dyn Write, Style) -> io::Result<()>) -> String {
        let mut out = Vec::new();
        write(&mut out, style).unwrap();
        String::from_utf8(out).unwrap()
    }

    fn people() -> Table {
        let row = |name: &str, role: &str| vec![name.to_owned(), role.to_owned()];
        Table::new(&["name", "role"], [row("Zoë", "owner"), row("東京", ""), row("a\tb", "guest")])
    }

    #[test]
    fn a_terminal_gets_a_table() {
        insta::assert_snapshot!(drawn(Style::Terminal, |out, style| people().write(out, style)));
    }

    #[test]
    fn a_pipe_gets_fields() {
        let text = drawn(Style::Plain, |out, style| people().write(out, style));
        assert_eq!(text, "Zoë\towner\n東京\t\na\\tb\tguest\n");
    }

    #[test]
    fn no_rows_are_said_to_people_only() {
        let table = Table::new(&["name"], []);
        assert_eq!(drawn(Style::Terminal, |out, style| table.write(out, style)), "(none)\n");
        assert_eq!(drawn(Style::Plain, |out, style| table.write(out, style)), "");
    }

    #[test]
    fn what_goes_on_has_no_head_again() {
        let more = people().continued(true);
        let drawn_again = drawn(Style::Terminal, |out, style| more.write(out, style));
        assert!(drawn_again.starts_with(" Zoë") && !drawn_again.contains('─'), "{drawn_again}");
        let none = Table::new(&["name"], []).continued(true);
        assert_eq!(drawn(Style::Terminal, |out, style| none.write(out, style)), "");
    }

    #[test]
    fn a_record_has_one_line_for_each_field() {
        let record = Record::new().with("id", 1).with_some("name", None::<String>);
        assert_eq!(drawn(Style::Plain, |out, style| record.write(out, style)), "id\t1\nname\t\n");
        insta::assert_snapshot!(drawn(Style::Terminal, |out, style| record.write(out, style)));
    }
}
