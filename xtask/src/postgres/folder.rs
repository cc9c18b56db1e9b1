//! The folder of a throw-away cluster, and the folders that killed runs left behind.
//!
//! A run holds a lock in its folder for as long as it lives, and the system lets go of it however
//! the run ends. So a folder whose lock is free is a leftover, whatever process has its number by
//! now.

use std::fs::{self, DirBuilder, File, Metadata};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::Duration;
use std::{env, process};

use anyhow::{Context, Result, bail};

use super::account::Account;
use super::binaries::Binaries;
use crate::run;

const PREFIX: &str = "tenantry-pg-";
const LOCK: &str = "owner.lock";

/// The longest folder whose socket still has a legal name: macOS allows 103 bytes, and the socket
/// adds `/.s.PGSQL.5432`.
const LONGEST: usize = 89;

#[derive(Debug)]
pub(super) struct Folder {
    path: PathBuf,
    account: Account,
    made: Metadata,
    // Locked while this run lives.
    _lock: File,
}

impl Folder {
    /// Makes a folder that nobody but the account of the server can look into.
    pub(super) fn create() -> Result<Self> {
        let mut bases = vec![env::temp_dir()];
        if cfg!(unix) {
            bases.push(PathBuf::from("/tmp"));
        }
        // Where processes are numbered anew at every start, the plain name may be a leftover's.
        let suffixes = ["", "-a", "-b", "-c"];
        let id = process::id();
        for path in bases.iter().flat_map(|base| suffixes.map(|suffix| base.join(format!("{PREFIX}{id}{suffix}")))) {
            if cfg!(unix) && path.as_os_str().len() > LONGEST {
                continue;
            }
            match private().create(&path) {
                Ok(()) => {}
                Err(error) if error.kind() == ErrorKind::AlreadyExists => continue,
                Err(error) => {
                    return Err(error).with_context(|| format!("cannot make `{}`", path.display()));
                }
            }
            if let Some(folder) = Self::occupy(path)? {
                return Ok(folder);
            }
        }
        bail!("no temporary folder has a name that is short enough and can be reached by the server")
    }

    /// Takes a new folder over, unless the server's account could not get there.
    fn occupy(path: PathBuf) -> Result<Option<Self>> {
        let made = fs::metadata(&path).with_context(|| format!("cannot look at `{}`", path.display()))?;
        let account = Account::for_maker_of(&made)?;
        let parent = path.parent().unwrap_or(&path);
        if !account.can_reach(parent) {
            fs::remove_dir(&path).with_context(|| format!("cannot remove `{}`", path.display()))?;
            return Ok(None);
        }
        let lock = File::create(path.join(LOCK)).and_then(|file| file.lock().map(|()| file));
        let lock = lock.with_context(|| format!("cannot lock `{}`", path.display()))?;
        let folder = Self { path, account, made, _lock: lock };
        account.give(&folder.path)?;
        Ok(Some(folder))
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn account(&self) -> Account {
        self.account
    }

    /// Ends and removes what killed runs left beside this folder.
    pub(super) fn sweep_leftovers(&self, binaries: &Binaries) {
        let beside = self.path.parent().and_then(|parent| fs::read_dir(parent).ok());
        for entry in beside.into_iter().flatten().flatten() {
            let named_so = entry.file_name().to_string_lossy().starts_with(PREFIX);
            let path = entry.path();
            if !named_so || !self.is_leftover(&path) {
                continue;
            }
            stop_server(binaries, self.account, &path);
            match fs::remove_dir_all(&path) {
                Ok(()) => println!("removed a leftover of a killed run: {}", path.display()),
                Err(error) => eprintln!("cannot remove the leftover `{}`: {error}", path.display()),
            }
        }
    }

    fn is_leftover(&self, path: &Path) -> bool {
        // In a temporary folder anybody can make anything: what is not ours is left alone, and no
        // link is followed.
        let Ok(found) = fs::symlink_metadata(path) else {
            return false;
        };
        if !found.is_dir() || !self.account.owns(&found, &self.made) {
            return false;
        }
        match File::open(path.join(LOCK)) {
            Ok(lock) => lock.try_lock().is_ok(),
            // A run makes the folder first and its lock a moment later.
            Err(error) if error.kind() == ErrorKind::NotFound => {
                found.modified().is_ok_and(|at| at.elapsed().is_ok_and(|age| age > Duration::from_mins(1)))
            }
            Err(_) => false,
        }
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.path) {
            eprintln!("cannot remove `{}`: {error}", self.path.display());
        }
    }
}

/// The cluster's data within its folder.
pub(super) fn data(folder: &Path) -> PathBuf {
    folder.join("data")
}

/// Ends the server of a folder at once; what it held is thrown away anyhow. Answers whether it did.
pub(super) fn stop_server(binaries: &Binaries, account: Account, folder: &Path) -> bool {
    let data = data(folder);
    if !data.join("postmaster.pid").exists() {
        return false;
    }
    let mut stop = binaries.command("pg_ctl", account, folder);
    run::succeeds(stop.args(["stop", "-m", "immediate", "-w", "-t", "10", "-D"]).arg(data))
}

#[cfg(unix)]
fn private() -> DirBuilder {
    use std::os::unix::fs::DirBuilderExt as _;
    let mut builder = DirBuilder::new();
    builder.mode(0o700);
    builder
}

#[cfg(not(unix))]
fn private() -> DirBuilder {
    DirBuilder::new()
}
