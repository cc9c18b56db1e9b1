//! One crate, one version: a second one is built, shipped and audited for nothing. Tests may bring
//! others.

use std::collections::BTreeMap;

use super::deny::Skip;
use super::metadata::{Metadata, Package};
use super::{Finding, Tree};

pub(super) fn check(tree: &Tree) -> Finding {
    let mut failures = Vec::new();
    for (name, versions) in repeated(&tree.built) {
        let extra: Vec<&str> = versions
            .into_iter()
            .filter(|package| !tree.deny.skips.iter().any(|skip| skip.matches(package)))
            .map(|package| package.version.as_str())
            .collect();
        if extra.len() > 1 {
            failures.push(format!("`{name}`: {}", extra.join(", ")));
        }
    }
    failures.into()
}

/// An exception that excuses nothing any more would excuse the next one unseen.
pub(super) fn stale_exceptions(tree: &Tree) -> Finding {
    let repeated = repeated(&tree.built);
    let needed = |skip: &Skip| repeated.values().flatten().any(|package| skip.matches(package));
    let stale = tree.deny.skips.iter().filter(|skip| !needed(skip));
    stale.map(|skip| format!("`{skip}` is not there twice")).collect::<Vec<_>>().into()
}

/// The packages of which the workspace is built in several versions.
fn repeated(metadata: &Metadata) -> BTreeMap<&str, Vec<&Package>> {
    let mut versions: BTreeMap<&str, Vec<&Package>> = BTreeMap::new();
    for package in metadata.built_from(metadata.members()) {
        versions.entry(&package.name).or_default().push(package);
    }
    versions.retain(|_, packages| packages.len() > 1);
    versions
}
