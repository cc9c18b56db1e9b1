//! `tenantry export`: every row, in the form and the order that `import` takes.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use indicatif::ProgressBar;
use serde::Serialize;
use tenantry::{
    Dump, ExternalId, Invitation, Membership, MembershipId, Metadata, Name, OrgId, OrgStatus, Organization, Slug, Timestamp, Tuple, User,
};

use crate::args::ExportArgs;
use crate::failure::Failure;
use crate::output::{Answer, Output, Record};
use crate::progress;
use crate::session::Turn;

/// Rows are told to the bar by so many.
const STRIDE: usize = 256;

/// A line of the file.
#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Row<'r> {
    User(&'r User),
    Organization(OrgRow<'r>),
    Membership(&'r Membership),
    Invitation(&'r Invitation),
    Tuple(&'r Tuple),
}

/// An organization without its revision, which an import starts anew.
#[derive(Debug, Serialize)]
struct OrgRow<'r> {
    id: OrgId,
    parent_id: Option<OrgId>,
    status: OrgStatus,
    name: Option<&'r Name>,
    slug: Option<&'r Slug>,
    cascade_permissions: bool,
    inherit_permissions: bool,
    seat_limit: Option<u32>,
    external_id: Option<&'r ExternalId>,
    metadata: &'r Metadata,
    created_at: Timestamp,
    updated_at: Timestamp,
}

impl<'r> From<&'r Organization> for OrgRow<'r> {
    fn from(org: &'r Organization) -> Self {
        let Organization {
            id,
            parent_id,
            status,
            name,
            slug,
            cascade_permissions,
            inherit_permissions,
            seat_limit,
            external_id,
            metadata,
            revision: _,
            created_at,
            updated_at,
            ancestors: _,
            structure_revision: _,
        } = org;
        Self {
            id: *id,
            parent_id: *parent_id,
            status: *status,
            name: name.as_ref(),
            slug: slug.as_ref(),
            cascade_permissions: *cascade_permissions,
            inherit_permissions: *inherit_permissions,
            seat_limit: *seat_limit,
            external_id: external_id.as_ref(),
            metadata,
            created_at: *created_at,
            updated_at: *updated_at,
        }
    }
}

/// The rows of a store, in the order of the file.
#[derive(Debug)]
struct Rows {
    users: Vec<User>,
    organizations: Vec<Organization>,
    memberships: Vec<Membership>,
    invitations: Vec<Invitation>,
    tuples: Vec<Tuple>,
}

/// How many lines of each kind there are.
#[derive(Debug, Serialize)]
struct Counts {
    users: usize,
    organizations: usize,
    memberships: usize,
    invitations: usize,
    tuples: usize,
}

impl Rows {
    /// Every row, as a reader sees it now.
    async fn read(turn: &Turn, bars: bool) -> Result<Self, Failure> {
        let spinner = if bars { progress::spinner("{spinner} reading") } else { ProgressBar::hidden() };
        let dump = turn.dump().await;
        spinner.finish_and_clear();
        Self::of(dump?, turn.now)
    }

    fn of(dump: Dump, now: Timestamp) -> Result<Self, Failure> {
        let Dump { users, mut organizations, memberships, invitations, tuples, permissions, roles, grants, groups, .. } = dump;
        // A copy without them would be another store, and nobody would notice.
        if !(permissions.is_empty() && roles.is_empty() && grants.is_empty() && groups.is_empty()) {
            return Err(Failure::usage(
                "this store has permissions, roles, groups or overrides, and an export cannot carry them yet: nothing was written",
            ));
        }
        organizations.sort_by_key(|org| (org.depth(), org.id));
        Ok(Self {
            users,
            organizations,
            memberships: replaced_first(memberships).into_iter().map(|mem| mem.seen_at(now)).collect(),
            invitations: invitations.into_iter().map(|inv| inv.seen_at(now)).collect(),
            tuples,
        })
    }

    fn counts(&self) -> Counts {
        Counts {
            users: self.users.len(),
            organizations: self.organizations.len(),
            memberships: self.memberships.len(),
            invitations: self.invitations.len(),
            tuples: self.tuples.len(),
        }
    }

    fn write(&self, out: &mut dyn Write, bars: bool) -> io::Result<()> {
        let Counts { users, organizations, memberships, invitations, tuples } = self.counts();
        let lines = u64::try_from(users + organizations + memberships + invitations + tuples).unwrap_or(u64::MAX);
        let bar = if bars { progress::bar(lines, "writing  {wide_bar} {pos}/{len}") } else { ProgressBar::hidden() };
        let users = self.users.iter().map(Row::User);
        let organizations = self.organizations.iter().map(|org| Row::Organization(org.into()));
        let memberships = self.memberships.iter().map(Row::Membership);
        let invitations = self.invitations.iter().map(Row::Invitation);
        let tuples = self.tuples.iter().map(Row::Tuple);
        let rows = users.chain(organizations).chain(memberships).chain(invitations).chain(tuples);
        let written = rows.zip(1..).try_for_each(|(row, number)| {
            serde_json::to_writer(&mut *out, &row)?;
            out.write_all(b"\n")?;
            if number % STRIDE == 0 {
                bar.set_position(u64::try_from(number).unwrap_or(u64::MAX));
            }
            Ok(())
        });
        bar.finish_and_clear();
        written
    }
}

/// Each membership behind the one that it replaces, and otherwise in order of id.
fn replaced_first(memberships: Vec<Membership>) -> Vec<Membership> {
    let mut left: BTreeMap<MembershipId, Membership> = memberships.into_iter().map(|mem| (mem.id, mem)).collect();
    let mut ordered = Vec::with_capacity(left.len());
    while let Some((_, last)) = left.pop_first() {
        let mut before = last.replaces;
        let mut chain = vec![last];
        while let Some(mem) = before.and_then(|id| left.remove(&id)) {
            before = mem.replaces;
            chain.push(mem);
        }
        ordered.extend(chain.into_iter().rev());
    }
    ordered
}

/// Writes to the standard output.
pub(super) async fn to_output(turn: &Turn, output: &mut Output<'_>) -> Result<(), Failure> {
    // A bar and the lines would be drawn over each other.
    let bars = !output.is_terminal();
    let rows = Rows::read(turn, bars).await?;
    output.write_all(|out| rows.write(out, bars))
}

/// Writes a file.
pub(super) async fn run(args: &ExportArgs, turn: &Turn) -> Result<Answer, Failure> {
    if args.is_output() {
        return Err(Failure::usage("the standard output holds the answers of the batch: name a file"));
    }
    let rows = Rows::read(turn, true).await?;
    replace(&args.file, |out| rows.write(out, true)).map_err(|error| Failure::File(args.file.clone(), error))?;
    let counts = rows.counts();
    let Counts { users, organizations, memberships, invitations, tuples } = counts;
    let record = Record::new()
        .with("users", users)
        .with("organizations", organizations)
        .with("memberships", memberships)
        .with("invitations", invitations)
        .with("tuples", tuples);
    Answer::new(&counts, record)
}

/// Writes a file whole: until then it stands under another name, and what was there before stays.
fn replace(path: &Path, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<()> {
    // A link is followed, and what is no file, such as a pipe, is written as it is.
    let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    if fs::metadata(&path).is_ok_and(|there| !there.is_file()) {
        return write_to(File::options().write(true).open(&path)?, write).map(drop);
    }
    let mut name = OsString::from(path.file_name().unwrap_or_default());
    name.push(".part");
    let part: PathBuf = path.with_file_name(name);
    let written = File::create(&part).and_then(|file| write_to(file, write)?.sync_all()).and_then(|()| fs::rename(&part, &path));
    if written.is_err() {
        // What cannot be taken away is in nobody's way.
        drop(fs::remove_file(&part));
    }
    written
}

fn write_to(file: File, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<File> {
    let mut out = BufWriter::new(file);
    write(&mut out)?;
    out.into_inner().map_err(io::IntoInnerError::into_error)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tenantry::{MembershipStatus, Role, UserId};

    fn id<I: std::str::FromStr<Err: std::fmt::Debug>>(prefix: &str, number: u8) -> I {
        format!("{prefix}_0196f3c21b7a7c3d9e4f5a6b7c8d00{number:02x}").parse().unwrap()
    }

    fn membership(number: u8, replaces: Option<u8>) -> Membership {
        let usr_id: UserId = id("usr", 1);
        Membership {
            id: id("mem", number),
            usr_id,
            org_id: id("org", 1),
            role: Role::Member,
            status: MembershipStatus::Revoked,
            replaces: replaces.map(|number| id("mem", number)),
            invited_by: None,
            removed_by: None,
            expires_at: None,
            metadata: Metadata::default(),
            created_at: Timestamp::MIN,
            updated_at: Timestamp::MIN,
        }
    }

    #[test]
    fn what_is_replaced_comes_first_whatever_its_id() {
        let rows = [(1, Some(3)), (2, None), (3, Some(5)), (4, Some(2)), (5, None)];
        let rows = rows.map(|(number, replaces)| membership(number, replaces)).to_vec();
        let order: Vec<MembershipId> = replaced_first(rows).iter().map(|mem| mem.id).collect();
        assert_eq!(order, [5, 3, 1, 2, 4].map(|number| id::<MembershipId>("mem", number)));
    }

    #[test]
    fn what_the_file_cannot_carry_is_not_left_out() {
        let empty = Dump::default();
        assert!(Rows::of(empty.clone(), Timestamp::MIN).is_ok());
        let (slug, at) = (tenantry::PermissionSlug::parse("doc.read").unwrap(), Timestamp::MIN);
        let row = tenantry::PermissionRow { slug, name: None, description: None, category: None, created_at: at, updated_at: at };
        let refused = Rows::of(Dump { permissions: vec![row], ..empty }, Timestamp::MIN).unwrap_err();
        assert!(matches!(refused, Failure::Usage(text) if text.contains("nothing was written")));
    }

    #[test]
    fn a_loop_in_damaged_data_ends() {
        let rows = vec![membership(1, Some(2)), membership(2, Some(1))];
        assert_eq!(replaced_first(rows).len(), 2);
    }

    #[test]
    fn a_file_is_replaced_whole_or_not_at_all() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("rows.jsonl");
        replace(&path, |out| out.write_all(b"one\n")).unwrap();
        let failed = replace(&path, |out| out.write_all(b"two").and_then(|()| Err(io::ErrorKind::StorageFull.into())));
        assert_eq!(failed.unwrap_err().kind(), io::ErrorKind::StorageFull);
        assert_eq!(fs::read_to_string(&path).unwrap(), "one\n");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        assert!(replace(&folder.path().join("no/such/folder"), |_| Ok(())).is_err());
        assert!(replace(folder.path(), |_| Ok(())).is_err());
    }
}
