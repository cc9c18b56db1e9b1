//! Rows below rows: drawn with lines on a terminal, indented by two spaces elsewhere.

use std::io::{self, Write};

use super::{Style, visible};

/// A row with those below it. Trees have at most ten levels, so that they may be walked by recursion.
#[derive(Debug)]
pub(crate) struct Branch {
    /// What stands in the row.
    pub(crate) cells: Vec<String>,
    /// The rows below.
    pub(crate) below: Vec<Branch>,
}

pub(super) fn write(out: &mut dyn Write, roots: &[Branch], style: Style) -> io::Result<()> {
    match style {
        Style::Terminal if roots.is_empty() => writeln!(out, "(none)"),
        Style::Terminal => roots.iter().try_for_each(|root| {
            writeln!(out, "{}", line(root, "  "))?;
            draw(out, &root.below, "")
        }),
        Style::Plain => indent(out, roots, 0),
    }
}

fn draw(out: &mut dyn Write, branches: &[Branch], before: &str) -> io::Result<()> {
    for (index, branch) in branches.iter().enumerate() {
        let last = index + 1 == branches.len();
        writeln!(out, "{before}{} {}", if last { "└──" } else { "├──" }, line(branch, "  "))?;
        draw(out, &branch.below, &format!("{before}{}", if last { "    " } else { "│   " }))?;
    }
    Ok(())
}

fn indent(out: &mut dyn Write, branches: &[Branch], level: usize) -> io::Result<()> {
    for branch in branches {
        writeln!(out, "{}{}", "  ".repeat(level), line(branch, "\t"))?;
        indent(out, &branch.below, level + 1)?;
    }
    Ok(())
}

fn line(branch: &Branch, between: &str) -> String {
    // Fields of a line are told apart by their place; people need no gap where there is nothing.
    let shown = branch.cells.iter().filter(|cell| between == "\t" || !cell.is_empty());
    shown.map(|cell| visible(cell)).collect::<Vec<_>>().join(between)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn branch(name: &str, below: Vec<Branch>) -> Branch {
        Branch { cells: vec![name.to_owned(), "id".to_owned()], below }
    }

    fn drawn(style: Style) -> String {
        let roots = [
            branch("a", vec![branch("b", vec![branch("c", vec![]), branch("d", vec![])]), branch("e", vec![branch("f", vec![])])]),
            branch("g", vec![]),
        ];
        let mut out = Vec::new();
        write(&mut out, &roots, style).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_terminal_gets_lines() {
        insta::assert_snapshot!(drawn(Style::Terminal));
    }

    #[test]
    fn a_pipe_gets_indentation() {
        assert_eq!(drawn(Style::Plain), "a\tid\n  b\tid\n    c\tid\n    d\tid\n  e\tid\n    f\tid\ng\tid\n");
    }
}
