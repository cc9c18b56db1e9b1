//! What cargo knows about the packages of the workspace and about those they depend on.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::path::Path;

use anyhow::{Context, Result, ensure};
use serde::Deserialize;

use crate::run;

#[derive(Debug, Deserialize)]
pub(super) struct Metadata {
    pub(super) packages: Vec<Package>,
    workspace_members: HashSet<String>,
    resolve: Resolve,
}

#[derive(Debug, Deserialize)]
pub(super) struct Package {
    id: String,
    pub(super) name: String,
    pub(super) version: String,
    pub(super) license: Option<String>,
    pub(super) dependencies: Vec<Dependency>,
}

/// A dependency as the manifest states it.
#[derive(Debug, Deserialize)]
pub(super) struct Dependency {
    pub(super) name: String,
    pub(super) kind: Option<Kind>,
}

/// A kind of dependency that is not the normal one.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub(super) enum Kind {
    Dev,
    Build,
}

#[derive(Debug, Deserialize)]
struct Resolve {
    nodes: Vec<Node>,
}

#[derive(Debug, Deserialize)]
struct Node {
    id: String,
    deps: Vec<Edge>,
}

#[derive(Debug, Deserialize)]
struct Edge {
    pkg: String,
    dep_kinds: Vec<EdgeKind>,
}

#[derive(Debug, Deserialize)]
struct EdgeKind {
    kind: Option<Kind>,
}

impl Metadata {
    /// Asks cargo; with platforms, only for what is built on one of them.
    pub(super) fn load(root: &Path, platforms: &[String]) -> Result<Self> {
        let mut command = run::cargo();
        command.args(["metadata", "--format-version", "1", "--all-features"]);
        for platform in platforms {
            command.args(["--filter-platform", platform]);
        }
        let output = command.current_dir(root).output().context("cannot run cargo metadata")?;
        ensure!(output.status.success(), "cargo metadata failed:\n{}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).context("cannot read the answer of cargo metadata")
    }

    pub(super) fn members(&self) -> impl Iterator<Item = &Package> {
        self.packages.iter().filter(|package| self.workspace_members.contains(&package.id))
    }

    /// Every package that the given ones are built from, themselves included, without what only
    /// tests need.
    pub(super) fn built_from<'metadata>(&'metadata self, roots: impl Iterator<Item = &'metadata Package>) -> Vec<&'metadata Package> {
        let edges: HashMap<&str, &[Edge]> = self.resolve.nodes.iter().map(|node| (node.id.as_str(), node.deps.as_slice())).collect();
        let mut open: Vec<&str> = roots.map(|package| package.id.as_str()).collect();
        let mut found: BTreeSet<&str> = open.iter().copied().collect();
        while let Some(id) = open.pop() {
            for edge in edges.get(id).copied().unwrap_or_default() {
                let built = edge.dep_kinds.iter().any(|kind| kind.kind != Some(Kind::Dev));
                if built && found.insert(&edge.pkg) {
                    open.push(&edge.pkg);
                }
            }
        }
        self.packages.iter().filter(|package| found.contains(package.id.as_str())).collect()
    }
}
