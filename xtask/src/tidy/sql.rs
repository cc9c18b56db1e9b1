//! What our SQL does not contain: a clock, randomness, case folding and privilege, for those come
//! from core; and lists in an order that nobody has asked for.

use std::borrow::Cow;

use super::strings::literals;
use super::{File, Finding, Tree};
use crate::workspace::has_extension;

/// In lower case, with one space where there is white space, and none before a bracket.
const WORDS: [&str; 25] = [
    "now()",
    "current_timestamp",
    "current_date",
    "current_time",
    "localtimestamp",
    "clock_timestamp(",
    "statement_timestamp(",
    "transaction_timestamp(",
    "'now'",
    "unixepoch(",
    "julianday(",
    "gen_random_uuid(",
    "uuid_generate_",
    "uuidv7(",
    "random()",
    "randomblob(",
    "lower(",
    "upper(",
    "initcap(",
    "ilike",
    "citext",
    "nocase",
    "language sql",
    "security definer",
    "set search_path",
];

/// A piece of SQL and where it stands.
struct Sql<'tree> {
    file: &'tree str,
    line: usize,
    text: Cow<'tree, str>,
}

pub(super) fn words(tree: &Tree) -> Finding {
    let mut failures = Vec::new();
    for sql in all(tree) {
        let text = normal(&sql.text);
        let found = WORDS.iter().filter(|word| contains_word(&text, word));
        failures.extend(found.map(|word| format!("{}:{}: {word}", sql.file, sql.line)));
    }
    failures.into()
}

pub(super) fn orders(tree: &Tree) -> Finding {
    let mut failures = Vec::new();
    for sql in all(tree) {
        let is_list = sql.file.rsplit_once('/').is_some_and(|(_, name)| name.contains("list") && has_extension(name, "sql"));
        for statement in sql.text.split(';') {
            let statement = normal(statement);
            let selects = contains_word(&statement, "select");
            let bounded = is_list || contains_word(&statement, "limit");
            if selects && bounded && !contains_word(&statement, "order by") {
                let start: String = statement.chars().take(60).collect();
                failures.push(format!("{}:{}: no ORDER BY in `{start}`", sql.file, sql.line));
            }
        }
    }
    failures.into()
}

/// The .sql files of our crates, and what looks like SQL in the stores' Rust files.
fn all(tree: &Tree) -> impl Iterator<Item = Sql<'_>> {
    let files = tree.files.iter().filter(|file| file.path.starts_with("crates/"));
    files.flat_map(|file| {
        if has_extension(&file.path, "sql") {
            return vec![Sql { file: &file.path, line: 1, text: Cow::Borrowed(&file.text) }];
        }
        if is_store(file) { in_rust(file) } else { Vec::new() }
    })
}

fn is_store(file: &File) -> bool {
    has_extension(&file.path, "rs") && ["crates/sqlite/src/", "crates/postgres/src/"].iter().any(|folder| file.path.starts_with(folder))
}

fn in_rust(file: &File) -> Vec<Sql<'_>> {
    literals(&file.text)
        .into_iter()
        // A line that ends in a backslash goes on in the next.
        .map(|literal| Sql { file: &file.path, line: literal.line, text: literal.text.replace("\\\n", "\n").replace("\\n", "\n").into() })
        .filter(|sql| looks_like_sql(&sql.text))
        .collect()
}

fn looks_like_sql(text: &str) -> bool {
    let text = normal(text);
    let verbs = ["select ", "insert into ", "update ", "delete from ", "with ", "create ", "alter ", " where ", " order by "];
    verbs.iter().any(|verb| if verb.starts_with(' ') { text.contains(verb) } else { text.starts_with(verb) })
}

/// Lower case, without comments, with single spaces.
fn normal(sql: &str) -> String {
    let mut text = String::with_capacity(sql.len());
    let mut rest = sql;
    while let Some((before, after)) = rest.split_once("/*") {
        text.push_str(before);
        text.push(' ');
        rest = after.split_once("*/").map_or("", |(_, rest)| rest);
    }
    text.push_str(rest);
    let lines = text.lines().map(|line| line.split_once("--").map_or(line, |(code, _)| code));
    let words = lines.flat_map(str::split_whitespace).collect::<Vec<_>>().join(" ");
    words.to_lowercase().replace(" (", "(").replace("( ", "(").replace(" )", ")")
}

/// Whether the text contains the word, and not only as part of a longer one.
fn contains_word(text: &str, word: &str) -> bool {
    let joins = |character: char| character.is_alphanumeric() || character == '_';
    text.match_indices(word).any(|(at, _)| {
        let before = text.get(..at).and_then(|text| text.chars().next_back());
        let after = text.get(at + word.len()..).and_then(|text| text.chars().next());
        let open_end = word.ends_with(|last: char| !joins(last)) || word.ends_with('_');
        let open_start = !word.starts_with(joins);
        (open_start || !before.is_some_and(joins)) && (open_end || !after.is_some_and(joins))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(path: &str, text: &str) -> Vec<File> {
        vec![File { path: path.to_owned(), text: text.to_owned() }]
    }

    #[test]
    fn words_are_found_however_they_are_written() {
        let found = |sql: &str| WORDS.iter().filter(|word| contains_word(&normal(sql), word)).count();
        let wrong = ["select NOW ( )", "x default Current_Timestamp,", "where LOWER(name) = $1", "LANGUAGE  SQL", "security\n definer"];
        for sql in wrong {
            assert_eq!(found(sql), 1, "{sql}");
        }
        let right = ["-- now()\nselect 1", "select /* now() */ 1", "flower(x)", "language plpgsql", "known()", "current_timestamps"];
        for sql in right {
            assert_eq!(found(sql), 0, "{sql}");
        }
    }

    #[test]
    fn sql_in_rust_is_found() {
        let source = "const A: &str = \"\\\n    SELECT id FROM t \\\n    LIMIT 2\"; let b = \"select a store\"; let c = \"a limit\";";
        let files = tree("crates/sqlite/src/list.rs", source);
        let found: Vec<String> = in_rust(&files[0]).iter().map(|sql| normal(&sql.text)).collect();
        assert_eq!(found, ["select id from t limit 2", "select a store"]);
        assert!(is_store(&files[0]));
        assert!(!is_store(&tree("crates/core/src/list.rs", source)[0]));
    }
}
