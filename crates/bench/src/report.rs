//! What a run found, as tables for a terminal and for the document.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use comfy_table::{CellAlignment, ContentArrangement, LineStyle, Table, TableStyle};

use crate::figures::{Footprint, Goal, Growth, KEPT, Report, Row, Store, Verdict};
use crate::measure::counting;

/// What stands before and behind the part of the document that is written by the program.
const MARKS: (&str, &str) = ("<!-- bench:begin -->", "<!-- bench:end -->");

/// Prints the tables of every store.
pub fn print(report: &Report) {
    println!("{}", preamble(report).join("\n"));
    for store in Store::ALL {
        let rows: Vec<Vec<String>> = report.rows.iter().filter(|row| row.store == store).map(cells).collect();
        if !rows.is_empty() {
            println!("\n{}\n", store.name());
            draw(&HEAD, rows);
        }
        let (head, rows) = growth(report, store);
        if !rows.is_empty() {
            println!("\n{}: how it grows, in microseconds\n", store.name());
            draw(&head, rows);
        }
    }
    if let Some(footprint) = &report.footprint {
        println!("\n{}", footprint_line(footprint));
    }
    println!("\n{}", summary(report));
}

const HEAD: [&str; 9] = ["row", "operation", "terms", "raw floor us", "us", "ratio", "goal", "reached", "runs"];

fn cells(row: &Row) -> Vec<String> {
    vec![
        row.goal_row.clone(),
        row.operation.clone(),
        row.terms.clone(),
        time(row.floor_us),
        time(row.us),
        match row.goal {
            Goal::ThroughputAtLeast(_) => format!("{:.2} of throughput", 1.0 / row.ratio),
            _ => format!("{:.2} x", row.ratio),
        },
        goal(row.goal),
        verdict(row.verdict).to_owned(),
        format!("{} of {}", counting(&row.runs).count(), row.runs.len()),
    ]
}

fn time(us: f64) -> String {
    if us < 10.0 { format!("{us:.3}") } else { format!("{us:.1}") }
}

fn goal(goal: Goal) -> String {
    match goal {
        Goal::AtMost(most) => format!("<= {most:.2} x"),
        Goal::ThroughputAtLeast(least) => format!(">= {least:.2}"),
        Goal::NanosAtMost(most) => format!("<= {most:.0} ns"),
        Goal::Beside => String::new(),
    }
}

const fn verdict(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Reached => "yes",
        Verdict::Missed => "NO",
        Verdict::Unsettled => "unsettled",
        Verdict::None => "",
    }
}

/// The sizes as the head, and one line for each operation.
fn growth(report: &Report, store: Store) -> (Vec<String>, Vec<Vec<String>>) {
    let of_store: Vec<&Growth> = report.growth.iter().filter(|growth| growth.store == store).collect();
    let mut head = vec!["operation".to_owned()];
    if let Some(first) = of_store.first() {
        head.extend(first.us.iter().map(|(size, _)| thousands(u64::from(*size))));
    }
    head.push("largest to smallest".to_owned());
    let line = |growth: &&Growth| {
        let mut line = vec![growth.operation.clone()];
        line.extend(growth.us.iter().map(|(_, us)| time(*us)));
        line.push(format!("{:.2} x", growth.ratio));
        line
    };
    (head, of_store.iter().map(line).collect())
}

fn footprint_line(footprint: &Footprint) -> String {
    let kept = footprint.kept.map(|kept| {
        let verdict = if footprint.verdict_on_kept() == Verdict::Reached { "reached" } else { "NOT reached" };
        format!(". Kept answers about all of them take {kept:.0} bytes each besides; the goal is at most {KEPT:.0}: {verdict}")
    });
    let all_in = format!(
        "Memory of a membership (row 8): {:.0} bytes, all in, of {} memberships in {} organizations; the goal is at most {:.0}: {}",
        footprint.bytes_per_membership,
        thousands(u64::from(footprint.memberships)),
        thousands(u64::from(footprint.organizations)),
        footprint.goal,
        if footprint.verdict() == Verdict::Reached { "reached" } else { "NOT reached" },
    );
    all_in + &kept.unwrap_or_default()
}

/// How many goals there are, and how many are reached.
fn summary(report: &Report) -> String {
    let of_memory = report.footprint.iter().flat_map(|footprint| [footprint.verdict(), footprint.verdict_on_kept()]);
    let verdicts = report.rows.iter().map(|row| row.verdict).chain(of_memory);
    let (mut reached, mut missed, mut unsettled) = (0, 0, 0);
    for verdict in verdicts {
        match verdict {
            Verdict::Reached => reached += 1,
            Verdict::Missed => missed += 1,
            Verdict::Unsettled => unsettled += 1,
            Verdict::None => {}
        }
    }
    format!("{reached} goals reached, {missed} not reached, {unsettled} unsettled, in {:.0} s", report.seconds)
}

/// Where and how, line by line.
fn preamble(report: &Report) -> Vec<String> {
    let machine = &report.machine;
    let mut lines = vec![
        format!(
            "{}: {} threads, {}, {} of memory",
            machine.system,
            machine.cores,
            machine.cpu.as_deref().unwrap_or("unknown processor"),
            machine.memory.map_or_else(|| "an unknown amount".to_owned(), gigabytes),
        ),
        format!("fdatasync of 8 KB: {:.0} us, ninth tenth {:.0} us", machine.fdatasync_us, machine.fdatasync_p90_us),
    ];
    if let Some(wake) = machine.wake_us {
        lines.push(format!("waking another thread over a socket and being woken: {wake:.0} us"));
    }
    if let Some(load) = &machine.load {
        lines.push(format!("load of the last minute when the run began: {load}"));
    }
    for store in [Store::Sqlite, Store::Postgres] {
        let modes = report.modes.iter().filter(|mode| mode.of == store.name());
        let modes: Vec<String> = modes.map(|mode| format!("{} {}", mode.name, mode.value)).collect();
        if !modes.is_empty() {
            lines.push(format!("{}: {}", store.name(), modes.join(", ")));
        }
    }
    let revision = report.revision.as_deref().unwrap_or("unknown");
    let kind = if report.quick { "quick run" } else { "full run" };
    lines.push(format!("{kind} of revision {revision}, begun at {}", report.began_at));
    lines
}

#[expect(clippy::cast_precision_loss, reason = "a rough figure for people")]
fn gigabytes(bytes: u64) -> String {
    format!("{:.1} GiB", bytes as f64 / f64::from(1 << 30))
}

fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

fn draw(head: &[impl ToString], rows: Vec<Vec<String>>) {
    let mut table = Table::new();
    let under_the_head = LineStyle::none().fill('-').junction('-');
    table.load_style(TableStyle::new().header_separator(under_the_head)).set_content_arrangement(ContentArrangement::Disabled);
    table.set_header(head.iter().map(ToString::to_string));
    for row in rows {
        table.add_row(row);
    }
    for (at, name) in head.iter().enumerate() {
        let is_text = ["operation", "terms", "row", "reached", "runs"].contains(&name.to_string().as_str());
        if let (false, Some(column)) = (is_text, table.column_mut(at)) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table.lines().for_each(|line| println!("{}", line.trim_end()));
}

/// Writes the figures into the part of the document between the marks.
///
/// # Errors
/// When the document has no marks, or cannot be read or written.
pub fn write_into(path: &Path, report: &Report) -> Result<()> {
    let text = fs::read_to_string(path).with_context(|| format!("cannot read `{}`", path.display()))?;
    let text = replaced(&text, &markdown(report)?).with_context(|| format!("`{}` has no marks `{}`", path.display(), MARKS.0))?;
    fs::write(path, text).with_context(|| format!("cannot write `{}`", path.display()))
}

fn replaced(text: &str, part: &str) -> Option<String> {
    let (before, rest) = text.split_once(MARKS.0)?;
    let (_, after) = rest.split_once(MARKS.1)?;
    Some(format!("{before}{}\n\n{part}\n{}{after}", MARKS.0, MARKS.1))
}

fn markdown(report: &Report) -> Result<String> {
    let mut text = String::new();
    for line in preamble(report) {
        writeln!(text, "- {line}")?;
    }
    writeln!(text, "- {}", summary(report))?;
    for store in Store::ALL {
        let rows: Vec<&Row> = report.rows.iter().filter(|row| row.store == store).collect();
        if !rows.is_empty() {
            writeln!(text, "\n### {}\n", store.name())?;
            table(&mut text, &HEAD, rows.iter().map(|row| cells(row)))?;
        }
        let (head, rows) = growth(report, store);
        if !rows.is_empty() {
            writeln!(text, "\n{}: how it grows, in microseconds for one operation; the head is the size of the store.\n", store.name())?;
            table(&mut text, &head, rows)?;
        }
    }
    if let Some(footprint) = &report.footprint {
        writeln!(text, "\n### Memory of a membership\n\n{}.", footprint_line(footprint))?;
        writeln!(text, "The resident set grew from {} to {} bytes.", thousands(footprint.before), thousands(footprint.after))?;
    }
    writeln!(text, "\n### What was filled\n")?;
    let fills = report.fills.iter().map(|fill| {
        let number = |number: u32| thousands(u64::from(number));
        vec![fill.store.name().to_owned(), number(fill.memberships), number(fill.organizations), format!("{:.1}", fill.seconds)]
    });
    table(&mut text, &["store", "memberships", "organizations", "seconds"], fills)?;
    writeln!(text, "\n### Each run\n")?;
    writeln!(text, "First tenth, median and ninth tenth of the samples in microseconds; the first side is the floor.\n")?;
    table(&mut text, &["store", "operation", "first", "last", "ratio", "thrown away because"], runs(report))?;
    Ok(text)
}

/// One line for each run, with those that do not count.
fn runs(report: &Report) -> Vec<Vec<String>> {
    let of_rows = report.rows.iter().map(|row| (row.store, format!("{} ({})", row.operation, row.terms), &row.runs));
    let of_growth = report.growth.iter().map(|growth| (growth.store, format!("growth of {}", growth.operation), &growth.runs));
    let mut lines = Vec::new();
    for (store, what, runs) in of_rows.chain(of_growth) {
        for run in runs {
            let ends = [run.sides.first(), run.sides.last()];
            let [first, last] = ends.map(|side| {
                side.map_or_else(String::new, |side| format!("{} / {} / {}", time(side.p10_us), time(side.p50_us), time(side.p90_us)))
            });
            let why = run.thrown_away.clone().unwrap_or_default();
            lines.push(vec![store.name().to_owned(), what.clone(), first, last, format!("{:.3}", run.ratio), why]);
        }
    }
    lines
}

fn table(text: &mut String, head: &[impl ToString], rows: impl IntoIterator<Item = Vec<String>>) -> Result<()> {
    writeln!(text, "| {} |", head.iter().map(ToString::to_string).collect::<Vec<_>>().join(" | "))?;
    writeln!(text, "|{}", " --- |".repeat(head.len()))?;
    for row in rows {
        writeln!(text, "| {} |", row.join(" | "))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_stands_between_the_marks_is_replaced() {
        let text = format!("before\n{}\nold\n{}\nafter\n", MARKS.0, MARKS.1);
        let once = replaced(&text, "new").unwrap();
        assert_eq!(once, format!("before\n{}\n\nnew\n{}\nafter\n", MARKS.0, MARKS.1));
        assert_eq!(replaced(&once, "new").unwrap(), once);
        assert_eq!(replaced("no marks", "new"), None);
    }

    #[test]
    fn numbers_are_written_in_groups() {
        assert_eq!([0, 999, 1000, 1_234_567].map(thousands), ["0", "999", "1,000", "1,234,567"]);
    }
}
