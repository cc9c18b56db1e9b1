//! Whom the server's programs run as: Postgres refuses to run as root, and a container often knows
//! nobody else.

#[cfg(unix)]
pub(super) use self::unix::Account;

#[cfg(not(unix))]
pub(super) use self::other::Account;

#[cfg(unix)]
mod unix {
    use std::fs::{self, Metadata};
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown};
    use std::os::unix::process::CommandExt as _;
    use std::path::Path;
    use std::process::Command;

    use anyhow::{Context, Result};

    /// The unprivileged account that stands in for root; nothing for a person who is not root.
    #[derive(Clone, Copy, Debug)]
    pub(in super::super) struct Account(Option<Ids>);

    #[derive(Clone, Copy, Debug)]
    struct Ids {
        user: u32,
        group: u32,
    }

    impl Account {
        /// Decides by the owner of a file that this process has just made.
        pub(in super::super) fn for_maker_of(file: &Metadata) -> Result<Self> {
            if file.uid() != 0 {
                return Ok(Self(None));
            }
            let accounts = fs::read_to_string("/etc/passwd").context("cannot read /etc/passwd to find an account for Postgres")?;
            ["postgres", "nobody"]
                .into_iter()
                .find_map(|name| look_up(&accounts, name))
                .map(|ids| Self(Some(ids)))
                .context("Postgres does not run as root, and neither `postgres` nor `nobody` exists")
        }

        /// Whether a run like this one made a folder. `ours` is the folder that this run has just
        /// made: a run that was killed early had not handed its own over yet.
        pub(in super::super) fn owns(self, folder: &Metadata, ours: &Metadata) -> bool {
            folder.uid() == ours.uid() || self.0.is_some_and(|ids| folder.uid() == ids.user)
        }

        pub(in super::super) fn give(self, path: &Path) -> Result<()> {
            let Some(ids) = self.0 else { return Ok(()) };
            chown(path, Some(ids.user), Some(ids.group)).with_context(|| format!("cannot hand `{}` over", path.display()))
        }

        pub(in super::super) fn apply(self, command: &mut Command) {
            if let Some(ids) = self.0 {
                command.uid(ids.user).gid(ids.group);
            }
        }

        /// Whether every folder on the way can be passed by the account.
        pub(in super::super) fn can_reach(self, path: &Path) -> bool {
            self.0.is_none() || path.ancestors().all(|folder| fs::metadata(folder).is_ok_and(|data| data.permissions().mode() & 0o001 != 0))
        }
    }

    fn look_up(accounts: &str, name: &str) -> Option<Ids> {
        accounts.lines().find_map(|line| {
            let mut fields = line.split(':');
            let found = fields.next() == Some(name);
            let user = fields.nth(1)?;
            let group = fields.next()?;
            found.then_some(())?;
            Some(Ids { user: id(user)?, group: id(group)? })
        })
    }

    /// Some systems write the ids of `nobody` as negative numbers.
    fn id(text: &str) -> Option<u32> {
        text.parse().ok().or_else(|| text.parse().ok().map(i32::cast_unsigned))
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn accounts_are_found_by_their_whole_name() {
            let accounts = "# a comment\nroot:x:0:0:root:/root:/bin/sh\npostgres2:x:7:8::/:\n\
                            postgres:x:101:104::/:\nnobody:*:-2:-2::/:\n";
            let found = |name| look_up(accounts, name).map(|ids| (ids.user, ids.group));
            assert_eq!(found("postgres"), Some((101, 104)));
            assert_eq!(found("nobody"), Some((u32::MAX - 1, u32::MAX - 1)));
            assert_eq!(found("post"), None);
        }
    }
}

#[cfg(not(unix))]
mod other {
    use std::fs::Metadata;
    use std::path::Path;
    use std::process::Command;

    use anyhow::Result;

    /// Where there is no root, the person's own account will do.
    #[derive(Clone, Copy, Debug)]
    pub(in super::super) struct Account;

    #[expect(clippy::unused_self, clippy::unnecessary_wraps, reason = "the shape of the other account")]
    impl Account {
        pub(in super::super) fn for_maker_of(_file: &Metadata) -> Result<Self> {
            Ok(Self)
        }

        pub(in super::super) fn owns(self, _folder: &Metadata, _ours: &Metadata) -> bool {
            true
        }

        pub(in super::super) fn give(self, _path: &Path) -> Result<()> {
            Ok(())
        }

        pub(in super::super) fn apply(self, _command: &mut Command) {}

        pub(in super::super) fn can_reach(self, _path: &Path) -> bool {
            true
        }
    }
}
