//! Every package that we could be built from comes under terms that the project accepts.

use super::{Finding, Tree, spdx};

pub(super) fn check(tree: &Tree) -> Finding {
    let mut failures = Vec::new();
    for package in &tree.metadata.packages {
        let place = format!("`{}` {}", package.name, package.version);
        match &package.license {
            None => failures.push(format!("{place} states no licence")),
            Some(terms) => match spdx::allowed(terms, &tree.deny.licences) {
                Ok(true) => {}
                Ok(false) => failures.push(format!("{place} is under {terms}")),
                Err(error) => failures.push(format!("{place} is under {terms}, which cannot be read: {error}")),
            },
        }
    }
    failures.into()
}
