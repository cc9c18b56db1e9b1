//! Where the workspace is, and which files belong to it.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

use anyhow::{Context, Result, ensure};

/// The folder of the workspace.
///
/// Cargo names the manifest's folder when it runs us; the folder that we were compiled in is only
/// the fall-back, for a binary that is started by hand.
pub(crate) fn root() -> PathBuf {
    let manifest = env::var_os("CARGO_MANIFEST_DIR").unwrap_or_else(|| env!("CARGO_MANIFEST_DIR").into());
    let manifest = PathBuf::from(manifest);
    manifest.parent().map_or_else(|| manifest.clone(), Path::to_path_buf)
}

/// Every file that is tracked or could be, relative to the root, sorted, with `/` between folders.
pub(crate) fn files(root: &Path) -> Result<Vec<String>> {
    let listing = Command::new("git")
        .args(["ls-files", "--cached", "--others", "--exclude-standard", "-z"])
        .current_dir(root)
        .output()
        .context("cannot run git to list the files of the workspace")?;
    ensure!(listing.status.success(), "git cannot list the files of the workspace: {}", String::from_utf8_lossy(&listing.stderr).trim());
    let mut files: Vec<String> = String::from_utf8_lossy(&listing.stdout)
        .split('\0')
        // The index still names a file that was deleted a moment ago.
        .filter(|name| !name.is_empty() && root.join(name).is_file())
        .map(str::to_owned)
        .collect();
    files.sort();
    files.dedup();
    Ok(files)
}

/// Whether a path has the extension, which is written without its dot.
pub(crate) fn has_extension(path: &str, extension: &str) -> bool {
    Path::new(path).extension().is_some_and(|found| found == extension)
}

/// The text of a file, or nothing when it is not text.
pub(crate) fn text(path: &Path) -> Result<Option<String>> {
    let bytes = fs::read(path).with_context(|| format!("cannot read `{}`", path.display()))?;
    Ok(String::from_utf8(bytes).ok())
}
