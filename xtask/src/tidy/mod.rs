//! `cargo xtask tidy`: what must not be in the tree.
//!
//! The invariants of the project are absences (no rule outside core, no clock in SQL, no list
//! without an order), and an absence can be looked for. Each rule is a function from the [`Tree`]
//! to a [`Finding`].

mod arrows;
mod deny;
mod duplicates;
mod licences;
mod manifests;
mod metadata;
mod migrations;
mod spdx;
mod sql;
mod strings;
mod words;

use anyhow::{Result, ensure};

use self::deny::Deny;
use self::metadata::Metadata;
use crate::{fixtures, workspace};

/// What the rules look at.
struct Tree {
    files: Vec<File>,
    /// Every package that cargo knows, whatever the platform.
    metadata: Metadata,
    /// Only what the platforms in deny.toml are built from.
    built: Metadata,
    deny: Deny,
    repeated_ids: Vec<String>,
}

/// A text file of the workspace.
struct File {
    /// Relative to the root, with `/` between folders.
    path: String,
    text: String,
}

/// What a rule found.
#[derive(Debug, Default)]
struct Finding {
    /// What was looked at, for rules where that is worth a line.
    notes: Vec<String>,
    failures: Vec<String>,
}

impl From<Vec<String>> for Finding {
    fn from(failures: Vec<String>) -> Self {
        Self { notes: Vec::new(), failures }
    }
}

type Rule = fn(&Tree) -> Finding;

const RULES: [(&str, Rule); 13] = [
    ("dependencies point one way", arrows::check),
    ("every crate takes the workspace's lints", manifests::check),
    ("no rule of the domain in a store", words::stores),
    ("no stubs, skipped tests or leftovers of debugging", words::stubs),
    ("SQL text is trusted in one place", words::trusted_sql),
    ("no path of a machine", words::machine_paths),
    ("no clock, randomness, case folding or privilege in SQL", sql::words),
    ("no list without an order", sql::orders),
    ("migrations are numbered alike in both SQL stores", migrations::check),
    ("ids in spec/ are unique", spec_ids),
    ("licences are allowed", licences::check),
    ("no crate in two versions", duplicates::check),
    ("no stale exception in deny.toml", duplicates::stale_exceptions),
];

pub(crate) fn run() -> Result<()> {
    let tree = Tree::load()?;
    let mut failed = 0;
    for (name, rule) in RULES {
        let finding = rule(&tree);
        let ok = finding.failures.is_empty();
        println!("{:<7} {name}", if ok { "ok" } else { "FAILED" });
        for note in &finding.notes {
            println!("        {note}");
        }
        for failure in &finding.failures {
            println!("     -> {failure}");
        }
        failed += usize::from(!ok);
    }
    ensure!(failed == 0, "{failed} of {} rules are broken", RULES.len());
    Ok(())
}

impl Tree {
    fn load() -> Result<Self> {
        let root = workspace::root();
        let mut files = Vec::new();
        for path in workspace::files(&root)? {
            if let Some(text) = workspace::text(&root.join(&path))? {
                files.push(File { path, text });
            }
        }
        let deny = Deny::load(&root)?;
        Ok(Self {
            metadata: Metadata::load(&root, &[])?,
            built: Metadata::load(&root, &deny.targets)?,
            repeated_ids: fixtures::repeated_ids(&root)?,
            files,
            deny,
        })
    }
}

fn spec_ids(tree: &Tree) -> Finding {
    tree.repeated_ids.clone().into()
}
