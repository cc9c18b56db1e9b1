//! Words that stand for something that must not be there.

use super::{Finding, Tree};
use crate::workspace::has_extension;

/// What a rule of the domain is made of. A store loads, applies and commits; it refuses nothing and
/// knows no role.
const RULES: [&str; 3] = ["DomainError::", "BuiltinRole", "SoleOwner"];

// These words are put together here, so that a search of the tree finds only what is meant.
const STUBS: [&str; 5] =
    [concat!("to", "do!"), concat!("un", "implemented!"), concat!("#[ig", "nore"), concat!("d", "bg!"), concat!("#[cfg(FA", "LSE)]")];

const MACHINE_PATHS: [&str; 4] = [concat!("/ho", "me/"), concat!("/ro", "ot/"), concat!("/Us", "ers/"), concat!("C:\\Us", "ers\\")];

const TRUSTED: &str = "AssertSqlSafe";

pub(super) fn stores(tree: &Tree) -> Finding {
    let mut finding = Finding::default();
    let folders = ["memory", "sqlite", "postgres"].map(|store| format!("crates/{store}/src/"));
    for file in &tree.files {
        if !folders.iter().any(|folder| file.path.starts_with(folder)) {
            continue;
        }
        let found: Vec<String> = RULES
            .iter()
            .flat_map(|word| lines_with(&file.text, word).into_iter().map(move |line| format!("{}:{line}: {word}", file.path)))
            .collect();
        finding.notes.push(format!("{}: {}", file.path, if found.is_empty() { "none" } else { "some" }));
        finding.failures.extend(found);
    }
    finding
}

pub(super) fn stubs(tree: &Tree) -> Finding {
    let mut failures = Vec::new();
    for file in tree.files.iter().filter(|file| has_extension(&file.path, "rs")) {
        for word in STUBS {
            failures.extend(lines_with(&file.text, word).into_iter().map(|line| format!("{}:{line}: {word}", file.path)));
        }
    }
    failures.into()
}

pub(super) fn trusted_sql(tree: &Tree) -> Finding {
    // Tests make and drop schemas and databases of their own; what is shipped stands under src/.
    let shipped = |path: &str| path.starts_with("crates/") && path.contains("/src/") && has_extension(path, "rs");
    let files = tree.files.iter().filter(|file| shipped(&file.path));
    let places: Vec<&str> = files.filter(|file| file.text.contains(TRUSTED)).map(|file| file.path.as_str()).collect();
    let failures = if places.len() > 1 { vec![format!("{TRUSTED} occurs in {}", places.join(", "))] } else { Vec::new() };
    Finding { notes: places.into_iter().map(str::to_owned).take(1).collect(), failures }
}

pub(super) fn machine_paths(tree: &Tree) -> Finding {
    let mut failures = Vec::new();
    for file in &tree.files {
        for path in MACHINE_PATHS {
            failures.extend(lines_with(&file.text, path).into_iter().map(|line| format!("{}:{line}: {path}", file.path)));
        }
    }
    failures.into()
}

/// The numbers of the lines that contain a word which is not the end of a longer one, such as the host before a path.
fn lines_with(text: &str, word: &str) -> Vec<usize> {
    let joins = |character: char| character.is_alphanumeric() || character == '_';
    let can_be_joined = word.starts_with(|first: char| joins(first) || first == '/');
    let stands_alone = |line: &str| {
        line.match_indices(word).any(|(at, _)| {
            let before = line.get(..at).and_then(|before| before.chars().next_back());
            !can_be_joined || !before.is_some_and(joins)
        })
    };
    text.lines().enumerate().filter(|(_, line)| stands_alone(line)).map(|(index, _)| index + 1).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_found_by_its_beginning() {
        assert_eq!(lines_with("a\n stub!() mystub!()\nmystub!()", "stub!"), [2]);
        assert_eq!(lines_with("https://host.example/path/x\n\"/path/x\"", "/path/"), [2]);
        assert_eq!(lines_with("x#[mark]", "#[mark"), [1]);
    }
}
