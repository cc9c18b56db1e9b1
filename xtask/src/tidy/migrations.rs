//! Migrations are numbered without gaps, and a number means the same step in both SQL stores.

use std::collections::BTreeSet;

use super::{Finding, Tree};

const STORES: [&str; 2] = ["sqlite", "postgres"];

pub(super) fn check(tree: &Tree) -> Finding {
    let mut failures = Vec::new();
    let mut versions = Vec::new();
    for store in STORES {
        let folder = format!("crates/{store}/migrations/");
        let names = tree.files.iter().filter_map(|file| file.path.strip_prefix(&folder));
        let names: Vec<&str> = names.collect();
        failures.extend(problems(&names).into_iter().map(|problem| format!("{folder}: {problem}")));
        versions.push(names.iter().filter_map(|name| version(name)).collect::<BTreeSet<_>>());
    }
    if let [first, second] = versions.as_slice() {
        let only_one: Vec<String> = first.symmetric_difference(second).map(|version| format!("{version:04}")).collect();
        if !only_one.is_empty() {
            failures.push(format!("only one of the two stores has {}", only_one.join(", ")));
        }
    }
    failures.into()
}

fn problems(names: &[&str]) -> Vec<String> {
    if names.is_empty() {
        return vec!["there are no migrations".to_owned()];
    }
    let mut problems: Vec<String> =
        names.iter().filter(|name| version(name).is_none()).map(|name| format!("`{name}` is not called NNNN_name.sql")).collect();
    let mut versions: Vec<u32> = names.iter().filter_map(|name| version(name)).collect();
    versions.sort_unstable();
    if !versions.iter().copied().eq((1..).take(versions.len())) {
        problems.push("the numbers do not run from 0001 without gaps".to_owned());
    }
    problems
}

/// The number in `0001_tables.sql`.
fn version(name: &str) -> Option<u32> {
    let (number, rest) = name.split_once('_')?;
    let title = rest.strip_suffix(".sql")?;
    let named = !title.is_empty() && title.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_');
    (number.len() == 4 && named).then(|| number.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_carry_numbers_without_gaps() {
        assert_eq!(problems(&["0001_tables.sql", "0002_apply_v1.sql"]), Vec::<String>::new());
        let wrong: [&[&str]; 7] = [
            &[],
            &["0000_tables.sql"],
            &["0002_tables.sql"],
            &["0001_a.sql", "0003_b.sql"],
            &["0001_a.sql", "0001_b.sql"],
            &["1_tables.sql"],
            &["0001_tables.sql", "README.md"],
        ];
        for names in wrong {
            assert_eq!(problems(names).len(), 1, "{names:?}");
        }
    }
}
