//! The file: one line for each commit, in the order of commits, and nothing that was ever written is changed.
//!
//! ```text
//! {"jsonl_store":1}
//! ["5d1c3f0a9b7e2468",{"at":"2026-01-01T00:00:00.000000Z","guards":[],"changes":[...],"events":[...]}]
//! ```
//!
//! The first line says what the file is and in which form the others are. Each of those is a plan behind a checksum of its text.
//!
//! A commit is a line that is whole. That is all there is to atomicity here: a crash, or a loss of power, in the middle of an append
//! leaves a last line that is not whole, and such a line is no commit. Nobody was told of it, since the answer comes after the flush,
//! so that it is cut off when the file is opened next. A missing end of line would be enough to see it if bytes came to the disk in
//! their order; a loss of power may keep the end and lose the middle, which is what the checksum is for.
//!
//! A line *before* the last that is not whole is something else: it was answered once, and later lines rely on it. Then the file is
//! not opened at all, because to go on without it would be to forget a commit in silence.

use std::ffi::OsString;
use std::fmt;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use tenantry_core::{BackendError, BackendKind, Plan, State};

use crate::encode;

/// The first line. A form that older programs could not read gets another number, so that they say so instead of misreading it.
const HEADER: &[u8] = b"{\"jsonl_store\":1}\n";

/// What the log asks of a file. Tests put one in between that fails.
pub(crate) trait Medium: Read + Write + Seek + fmt::Debug + Send + Sync {
    /// Waits until what was written is on the disk.
    fn flush_to_disk(&mut self) -> io::Result<()>;

    /// Cuts the file to so many bytes.
    fn cut(&mut self, len: u64) -> io::Result<()>;
}

impl Medium for File {
    fn flush_to_disk(&mut self) -> io::Result<()> {
        // The length is part of it: the data alone could not be found again.
        self.sync_all()
    }

    fn cut(&mut self, len: u64) -> io::Result<()> {
        self.set_len(len)
    }
}

/// The file of a store, open for this process alone.
#[derive(Debug)]
pub(crate) struct Log {
    medium: Box<dyn Medium>,
    path: PathBuf,
    /// Where the last whole line ends, and so the length of the file between two appends.
    end: u64,
    /// Held as long as the log is open; the operating system gives it back with the process, however that ends.
    _lock: Option<File>,
}

impl Log {
    /// Opens the file, creates it where there is none, and answers with the state that its lines lead to.
    pub(crate) fn open(path: &Path) -> Result<(Self, State), BackendError> {
        let lock = lock(path)?;
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path);
        let file = file.map_err(|cause| cannot("opened", path, cause))?;
        let opened = Self::over(Box::new(file), path, Some(lock))?;
        flush_folder(path).map_err(|cause| cannot("written", path, cause))?;
        Ok(opened)
    }

    /// The same over any medium.
    pub(crate) fn over(medium: Box<dyn Medium>, path: &Path, lock: Option<File>) -> Result<(Self, State), BackendError> {
        let mut log = Self { medium, path: path.to_owned(), end: 0, _lock: lock };
        let state = log.replay()?;
        // What is behind the last whole line goes now: an append would make one line of both.
        log.cut_back().map_err(|cause| cannot("written", path, cause))?;
        if log.end == 0 {
            log.append(HEADER).map_err(|cause| cannot("written", path, cause))?;
        }
        Ok((log, state))
    }

    /// Appends one line and waits until it is on the disk. When this fails, the line may be there, in part or as a whole:
    /// [`Log::cut_back`] makes sure that it is not.
    pub(crate) fn append(&mut self, line: &[u8]) -> io::Result<()> {
        self.medium.seek(SeekFrom::Start(self.end))?;
        self.medium.write_all(line)?;
        // Before this, the line is in the memory of the operating system. It would outlast us, and a loss of power would take it:
        // a caller would have been told of a membership that nobody has heard of after the restart.
        self.medium.flush_to_disk()?;
        self.end += u64::try_from(line.len()).map_err(io::Error::other)?;
        Ok(())
    }

    /// Cuts off what is behind the last whole line.
    pub(crate) fn cut_back(&mut self) -> io::Result<()> {
        if self.medium.seek(SeekFrom::End(0))? > self.end {
            self.medium.cut(self.end)?;
            self.medium.flush_to_disk()?;
        }
        Ok(())
    }

    /// Reads the file from its start: the state that its lines lead to.
    pub(crate) fn replay(&mut self) -> Result<State, BackendError> {
        self.medium.rewind().map_err(|cause| cannot("read", &self.path, cause))?;
        let (state, end) = replay(BufReader::new(&mut self.medium), &self.path)?;
        self.end = end;
        Ok(state)
    }
}

/// Reads a file from its start: the state that its whole lines lead to, and where the last of them ends.
pub(crate) fn replay(mut file: impl BufRead, path: &Path) -> Result<(State, u64), BackendError> {
    let failed = |cause| cannot("read", path, cause);
    let mut state = State::new();
    let (mut line, mut number, mut end) = (Vec::new(), 0, 0);
    loop {
        line.clear();
        let length = file.read_until(b'\n', &mut line).map_err(failed)?;
        number += 1;
        if number == 1 {
            if line == HEADER {
                end = u64::try_from(length).map_err(io::Error::other).map_err(failed)?;
                continue;
            }
            // Empty, or the power went while the file was made. Anything else is not ours, and is not to be overwritten.
            return if HEADER.starts_with(&line) { Ok((state, 0)) } else { Err(foreign(path)) };
        }
        if length == 0 {
            return Ok((state, end));
        }
        let Some(text) = unframe(&line) else {
            // Without its end it is the last, whatever a writer elsewhere has appended in the meantime.
            let is_last = !line.ends_with(b"\n") || file.fill_buf().map_err(failed)?.is_empty();
            return if is_last { Ok((state, end)) } else { Err(damaged(path, number)) };
        };
        let plan = encode::read(text).map_err(|cause| damaged(path, number).caused_by(cause))?;
        // The state compares again what it compared when the plan was made: guards, old states, revisions. A line that was taken
        // out, put in or moved is found by that.
        state.apply(&plan).map_err(|refusal| damaged(path, number).caused_by(format!("{refusal:?}")))?;
        end += u64::try_from(length).map_err(io::Error::other).map_err(failed)?;
    }
}

/// A plan as a whole line.
pub(crate) fn frame(plan: &Plan) -> Result<Vec<u8>, BackendError> {
    // Only a number that JSON does not have, or a key that is no text, could fail here; core lets neither in.
    let text = encode::write(plan);
    let text =
        text.map_err(|cause| BackendError::new(BackendKind::Other, "what was decided cannot be written as JSON").caused_by(cause))?;
    Ok(format!("[\"{:016x}\",{text}]\n", checksum(text.as_bytes())).into_bytes())
}

/// The text of a plan, if the line is whole.
fn unframe(line: &[u8]) -> Option<&[u8]> {
    let (sum, rest) = line.strip_prefix(b"[\"")?.split_at_checked(16)?;
    let text = rest.strip_prefix(b"\",")?.strip_suffix(b"]\n")?;
    (sum == format!("{:016x}", checksum(text)).as_bytes()).then_some(text)
}

/// FNV-1a, for its five lines. A store that is used in earnest takes CRC-32C or better.
fn checksum(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3))
}

/// Takes the file for this process. The lock is on a file beside it, which stays: to remove it would let two processes hold locks on
/// two files of the same name. A lock of the operating system is never stale, as one that is told by the file's being there would be
/// after each crash.
fn lock(path: &Path) -> Result<File, BackendError> {
    let mut name = OsString::from(path.as_os_str());
    name.push(".lock");
    let file = OpenOptions::new().write(true).create(true).truncate(false).open(PathBuf::from(name));
    let file = file.map_err(|cause| cannot("locked", path, cause))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => {
            let message = format!("the file `{}` is open already: close it there, or send the calls to where it is open", path.display());
            Err(BackendError::new(BackendKind::Unavailable, message))
        }
        Err(TryLockError::Error(cause)) => Err(cannot("locked", path, cause)),
    }
}

/// A new file is on the disk only when its name is, and that is in the folder.
#[cfg(unix)]
fn flush_folder(path: &Path) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder)?.sync_all()
}

/// Elsewhere a folder cannot be opened, and its own journal is relied on.
#[cfg(not(unix))]
fn flush_folder(_path: &Path) -> io::Result<()> {
    Ok(())
}

pub(crate) fn cannot(done: &str, path: &Path, cause: io::Error) -> BackendError {
    let message = format!("the file `{}` cannot be {done}: look at its folder, its permissions and the room on the disk", path.display());
    BackendError::new(BackendKind::Unavailable, message).caused_by(cause)
}

fn foreign(path: &Path) -> BackendError {
    let message = format!("the file `{}` is not one of this store, or of a newer version: name another file", path.display());
    BackendError::new(BackendKind::Schema, message)
}

fn damaged(path: &Path, line: u64) -> BackendError {
    BackendError::inconsistent(path.display().to_string(), format!("line {line}"))
}
