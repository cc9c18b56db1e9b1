//! Installs a Postgres server where that can be done without asking, and says how to do it
//! elsewhere.

use std::env;
use std::process::Command;

use anyhow::{Result, bail};

use super::VARIABLE;
use crate::run;

/// What each package manager is told.
const COMMANDS: [(&str, &str); 6] = [
    ("brew", "brew install postgresql@17"),
    ("apt-get", "sudo apt-get update && sudo apt-get install --yes postgresql"),
    ("dnf", "sudo dnf install --assumeyes postgresql-server"),
    ("pacman", "sudo pacman -S --noconfirm postgresql"),
    ("apk", "sudo apk add postgresql17"),
    ("winget", "winget install PostgreSQL.PostgreSQL.17"),
];

pub(super) fn install() -> Result<()> {
    if exists("apt-get") && is_root() {
        println!("no Postgres server found; installing the package postgresql");
        // The package also starts a cluster of its own. Ours does not listen on TCP, so the two
        // never meet.
        run::run(apt_get().arg("update"))?;
        return run::run(apt_get().args(["install", "--yes", "--no-install-recommends", "postgresql"]));
    }
    let command = COMMANDS.iter().find(|(manager, _)| exists(manager)).map(|(_, command)| *command);
    bail!(
        "no Postgres server found, and the tests do not run without one. Install it:\n\n    {}\n\nand run this again, or name a \
         server whose user may create databases in {VARIABLE}",
        command.unwrap_or("see https://www.postgresql.org/download/")
    )
}

fn apt_get() -> Command {
    let mut command = Command::new("apt-get");
    command.env("DEBIAN_FRONTEND", "noninteractive");
    command
}

fn exists(program: &str) -> bool {
    env::var_os("PATH")
        .is_some_and(|path| env::split_paths(&path).any(|folder| folder.join(format!("{program}{}", env::consts::EXE_SUFFIX)).is_file()))
}

/// On Linux a process owns the folder that describes it; only there is there an apt-get to ask for.
fn is_root() -> bool {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt as _;
        std::path::Path::new("/proc/self").metadata().is_ok_and(|data| data.uid() == 0)
    }
    #[cfg(not(unix))]
    {
        false
    }
}
