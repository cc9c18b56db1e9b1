//! `tenantry export`: every row, in the form and the order that `import` takes.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use indicatif::ProgressBar;
use tenantry::wire::{Export, ExportCounts};

use crate::args::ExportArgs;
use crate::failure::Failure;
use crate::output::{Answer, Output, Record};
use crate::progress;
use crate::session::Turn;

/// Rows are told to the bar by so many.
const STRIDE: usize = 256;

/// Every row, as a reader sees it now.
async fn read(turn: &Turn, bars: bool) -> Result<Export, Failure> {
    let spinner = if bars { progress::spinner("{spinner} reading") } else { ProgressBar::hidden() };
    let dump = turn.dump().await;
    spinner.finish_and_clear();
    Ok(Export::of(dump?, turn.now))
}

fn write(export: &Export, out: &mut dyn Write, bars: bool) -> io::Result<()> {
    let lines = u64::try_from(export.rows().count()).unwrap_or(u64::MAX);
    let bar = if bars { progress::bar(lines, "writing  {wide_bar} {pos}/{len}") } else { ProgressBar::hidden() };
    let written = export.rows().zip(1..).try_for_each(|(row, number)| {
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

/// Writes to the standard output.
pub(super) async fn to_output(turn: &Turn, output: &mut Output<'_>) -> Result<(), Failure> {
    // A bar and the lines would be drawn over each other.
    let bars = !output.is_terminal();
    let export = read(turn, bars).await?;
    output.write_all(|out| write(&export, out, bars))
}

/// Writes a file.
pub(super) async fn run(args: &ExportArgs, turn: &Turn) -> Result<Answer, Failure> {
    if args.is_output() {
        return Err(Failure::usage("the standard output holds the answers of the batch: name a file"));
    }
    let export = read(turn, true).await?;
    replace(&args.file, |out| write(&export, out, true)).map_err(|error| Failure::File(args.file.clone(), error))?;
    let counts = export.counts();
    let ExportCounts {
        users,
        organizations,
        memberships,
        invitations,
        tuples,
        permissions,
        roles,
        role_permissions,
        groups,
        group_members,
        group_roles,
        overrides,
        ..
    } = counts;
    let record = Record::new()
        .with("users", users)
        .with("organizations", organizations)
        .with("memberships", memberships)
        .with("invitations", invitations)
        .with("tuples", tuples)
        .with("permissions", permissions)
        .with("roles", roles)
        .with("role_permissions", role_permissions)
        .with("groups", groups)
        .with("group_members", group_members)
        .with("group_roles", group_roles)
        .with("overrides", overrides);
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
