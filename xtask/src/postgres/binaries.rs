//! Finds the programs of a Postgres server: in PATH, then where the packages of each platform put
//! them.

use std::cmp::Reverse;
use std::env::consts::EXE_SUFFIX;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::{env, fs};

use super::account::Account;

const NEEDED: [&str; 3] = ["initdb", "postgres", "pg_ctl"];

/// Where packages put them; a `*` stands for a version, and the highest comes first.
const USUAL: [&str; 8] = [
    "/usr/lib/postgresql/*/bin",
    "/usr/local/pgsql/bin",
    "/opt/homebrew/opt/postgresql*/bin",
    "/usr/local/opt/postgresql*/bin",
    "/Applications/Postgres.app/Contents/Versions/*/bin",
    "/usr/pgsql-*/bin",
    "/usr/libexec/postgresql*",
    "C:/Program Files/PostgreSQL/*/bin",
];

#[derive(Clone, Debug)]
pub(super) struct Binaries {
    folder: PathBuf,
}

impl Binaries {
    pub(super) fn find() -> Option<Self> {
        let path = env::var_os("PATH").unwrap_or_default();
        let usual = USUAL.iter().flat_map(|pattern| expand(pattern));
        env::split_paths(&path).chain(usual).find(|folder| complete(folder)).map(|folder| Self { folder })
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// One of the programs, run as `account` in `folder`, deaf to what the environment says about
    /// other servers.
    pub(super) fn command(&self, program: &str, account: Account, folder: &Path) -> Command {
        let mut command = Command::new(self.folder.join(format!("{program}{EXE_SUFFIX}")));
        for (key, _) in env::vars_os() {
            if key.to_string_lossy().starts_with("PG") {
                command.env_remove(key);
            }
        }
        account.apply(&mut command);
        command.env("LC_ALL", "C").stdin(Stdio::null()).current_dir(folder);
        command
    }
}

fn complete(folder: &Path) -> bool {
    NEEDED.iter().all(|program| folder.join(format!("{program}{EXE_SUFFIX}")).is_file())
}

/// The folders that a pattern with at most one `*` names.
fn expand(pattern: &str) -> Vec<PathBuf> {
    let Some((before, after)) = pattern.split_once('*') else {
        return vec![PathBuf::from(pattern)];
    };
    let (parent, prefix) = before.rsplit_once('/').unwrap_or(("", before));
    let names = fs::read_dir(parent).into_iter().flatten().flatten().map(|entry| entry.file_name());
    let mut names: Vec<String> = names.filter_map(|name| name.into_string().ok()).filter(|name| name.starts_with(prefix)).collect();
    names.sort_by_key(|name| Reverse(version(name)));
    names.iter().map(|name| PathBuf::from(format!("{parent}/{name}{after}"))).collect()
}

/// The numbers in a name, so that 16 comes after 9.6.
fn version(name: &str) -> Vec<u32> {
    name.split(|character: char| !character.is_ascii_digit()).filter_map(|number| number.parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn higher_versions_come_first() {
        let mut names = ["9.6", "latest", "16", "postgresql@17", "15", "postgresql"];
        names.sort_by_key(|name| Reverse(version(name)));
        assert_eq!(names, ["postgresql@17", "16", "15", "9.6", "latest", "postgresql"]);
    }
}
