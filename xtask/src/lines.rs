//! `cargo xtask lines`: how much code there is, per crate, and file by file for the stores, which
//! are meant to stay thin.

use std::collections::BTreeMap;

use anyhow::Result;

use crate::workspace::{self, has_extension};

const STORES: [&str; 3] = ["crates/memory", "crates/sqlite", "crates/postgres"];

pub(crate) fn run() -> Result<()> {
    let root = workspace::root();
    let mut crates: BTreeMap<String, Vec<(String, usize)>> = BTreeMap::new();
    for path in workspace::files(&root)? {
        let Some((folder, file)) = crate_and_file(&path) else {
            continue;
        };
        let Some(text) = workspace::text(&root.join(&path))? else {
            continue;
        };
        let count = if has_extension(&path, "sql") { count_sql(&text) } else { count_rust(&text) };
        crates.entry(folder.to_owned()).or_default().push((file.to_owned(), count));
    }
    let mut total = 0;
    for (folder, files) in &crates {
        let sum: usize = files.iter().map(|(_, count)| count).sum();
        total += sum;
        println!("{sum:>7} {folder}");
        if STORES.contains(&folder.as_str()) {
            for (file, count) in files {
                println!("{count:>15} {file}");
            }
        }
    }
    println!("{total:>7} in all, without tests, comments and empty lines");
    Ok(())
}

/// The crate of a source file and the file within it; nothing for files of tests.
fn crate_and_file(path: &str) -> Option<(&str, &str)> {
    let folders = ["/src/", "/migrations/"];
    let at = folders.iter().find_map(|folder| path.find(folder))?;
    let (folder, file) = path.split_at_checked(at)?;
    let of_tests = file.split('/').any(|part| part == "tests" || part == "tests.rs");
    let source = has_extension(path, "rs") || has_extension(path, "sql");
    (source && !of_tests).then(|| (folder, file.trim_start_matches('/')))
}

/// Lines that are neither empty nor a comment, up to modules of tests. The tree is formatted, so
/// such a module ends with a bracket in the column where it starts.
fn count_rust(text: &str) -> usize {
    let mut count = 0;
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        let code = line.trim();
        if code == "#[cfg(test)]" {
            let indent = line.len() - line.trim_start().len();
            let end = format!("{}}}", " ".repeat(indent));
            // `mod tests;` stands in a file of its own.
            if lines.next().is_some_and(|item| !item.trim_end().ends_with(';')) {
                lines.by_ref().find(|line| *line == end);
            }
        } else if !code.is_empty() && !code.starts_with("//") {
            count += 1;
        }
    }
    count
}

fn count_sql(text: &str) -> usize {
    text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with("--")).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tests_and_comments_do_not_count() {
        let text =
            "//! Docs.\n\nuse x;\nfn f() {\n    // why\n    g();\n}\n\n#[cfg(test)]\nmod tests {\n    fn t() {\n    }\n}\nfn h() {}\n";
        assert_eq!(count_rust(text), 5);
        assert_eq!(count_rust("#[cfg(test)]\nmod tests;\nfn h() {}\n"), 1);
        assert_eq!(count_sql("-- why\n\nselect 1\n"), 1);
    }

    #[test]
    fn files_of_tests_are_left_out() {
        assert_eq!(crate_and_file("crates/core/src/decide/org.rs"), Some(("crates/core", "src/decide/org.rs")));
        assert_eq!(crate_and_file("crates/sqlite/migrations/0001_a.sql"), Some(("crates/sqlite", "migrations/0001_a.sql")));
        for path in ["crates/core/src/tests.rs", "crates/core/src/tests/a.rs", "crates/core/tests/a.rs", "crates/core/Cargo.toml"] {
            assert_eq!(crate_and_file(path), None, "{path}");
        }
    }
}
