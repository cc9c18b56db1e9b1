//! Which crate of ours may depend on which.

use super::metadata::{Dependency, Kind, Package};
use super::{Finding, Tree};

/// What each member may be built from, of ours.
const ARROWS: [(&str, &[&str]); 10] = [
    ("tenantry-core", &[]),
    ("tenantry-memory", &["tenantry-core"]),
    ("tenantry-sqlite", &["tenantry-core"]),
    ("tenantry-postgres", &["tenantry-core"]),
    ("tenantry-conformance", &["tenantry-core"]),
    ("tenantry", &["tenantry-core", "tenantry-memory", "tenantry-sqlite", "tenantry-postgres"]),
    ("tenantry-cli", &["tenantry"]),
    ("tenantry-bench", &["tenantry-core", "tenantry-memory", "tenantry-sqlite", "tenantry-postgres"]),
    // A store as anyone would write one; its tests hold it against the suite, as theirs would.
    ("jsonl-store", &["tenantry-core"]),
    ("xtask", &[]),
];

/// Members whose tests are bound too: a store knows neither the other stores nor the suite that
/// tests it.
const STORES: [&str; 3] = ["tenantry-memory", "tenantry-sqlite", "tenantry-postgres"];

/// Runtimes, drivers and serializers, of which core is free, directly and indirectly.
const NOT_IN_CORE: [&str; 12] = [
    "async-std",
    "chrono",
    "futures-executor",
    "jsonschema",
    "libsqlite3-sys",
    "rusqlite",
    "serde_json",
    "smol",
    "sqlx",
    "sqlx-core",
    "tokio",
    "tokio-postgres",
];

pub(super) fn check(tree: &Tree) -> Finding {
    let mut failures = Vec::new();
    let ours: Vec<&str> = tree.metadata.members().map(|member| member.name.as_str()).collect();
    for member in tree.metadata.members() {
        let Some((_, allowed)) = ARROWS.iter().find(|(name, _)| *name == member.name) else {
            failures.push(format!("`{}` is a new member: say what it may depend on", member.name));
            continue;
        };
        failures.extend(
            member
                .dependencies
                .iter()
                .filter(|dependency| bound(member, dependency) && ours.contains(&dependency.name.as_str()))
                .filter(|dependency| !allowed.contains(&dependency.name.as_str()))
                .map(|dependency| format!("`{}` depends on `{}`", member.name, dependency.name)),
        );
    }
    let core = tree.metadata.members().filter(|member| member.name == "tenantry-core");
    failures.extend(
        tree.metadata
            .built_from(core)
            .into_iter()
            .filter(|package| NOT_IN_CORE.contains(&package.name.as_str()))
            .map(|package| format!("`tenantry-core` is built from `{}`", package.name)),
    );
    failures.into()
}

fn bound(member: &Package, dependency: &Dependency) -> bool {
    dependency.kind != Some(Kind::Dev) || STORES.contains(&member.name.as_str())
}
