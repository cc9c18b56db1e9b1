//! Lints are written once, in the workspace, and hold everywhere.

use toml::Table;

use super::{Finding, Tree};

pub(super) fn check(tree: &Tree) -> Finding {
    let manifests = tree.files.iter().filter(|file| file.path.ends_with("Cargo.toml"));
    let failures = manifests.filter_map(|file| match file.text.parse::<Table>() {
        Err(error) => Some(format!("{}: {error}", file.path)),
        // The workspace's own manifest describes no package.
        Ok(manifest) => (manifest.contains_key("package") && !takes_lints(&manifest))
            .then(|| format!("{}: `[lints] workspace = true` is absent", file.path)),
    });
    failures.collect::<Vec<_>>().into()
}

fn takes_lints(manifest: &Table) -> bool {
    let workspace = manifest.get("lints").and_then(|lints| lints.get("workspace"));
    workspace.and_then(toml::Value::as_bool) == Some(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_workspace_s_lints_count() {
        let takes = |text: &str| takes_lints(&text.parse().unwrap());
        assert!(takes("[lints]\nworkspace = true\n"));
        assert!(takes("lints.workspace = true\n"));
        assert!(!takes("[lints]\nworkspace = false\n"));
        assert!(!takes("[lints.clippy]\nall = \"warn\"\n"));
        assert!(!takes(""));
    }
}
