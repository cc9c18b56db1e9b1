//! Runs the programs that a task is made of, and takes them down when the task is interrupted.
//!
//! An interrupt ends the program that is running now; the task then fails like any other, so
//! whatever it holds (the throw-away Postgres above all) is cleaned up by `Drop`, in one place.

use std::fmt;
use std::process::{Command, ExitCode, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;
use std::{env, thread};

use anyhow::{Context, Result, bail};

static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// The process id of the program that is running now; 0 when none is.
static RUNNING: AtomicU32 = AtomicU32::new(0);

/// The task was asked to stop.
#[derive(Debug)]
struct Interrupted;

impl fmt::Display for Interrupted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("interrupted")
    }
}

impl std::error::Error for Interrupted {}

/// A program ended with a failure of its own, which it has reported already.
#[derive(Debug)]
struct ProgramFailed {
    command: String,
    status: ExitStatus,
}

impl fmt::Display for ProgramFailed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` failed ({})", self.command, self.status)
    }
}

impl std::error::Error for ProgramFailed {}

/// Makes Ctrl-C and a polite kill end the running program instead of this process.
pub(crate) fn watch_for_interrupts() -> Result<()> {
    ctrlc::set_handler(|| {
        INTERRUPTED.store(true, Ordering::SeqCst);
        // A terminal tells the whole group, so the program usually ends by itself. A signal that
        // was sent to us alone it has not seen.
        for (wait, signal) in [(1, "TERM"), (10, "KILL")] {
            thread::sleep(Duration::from_secs(wait));
            let id = RUNNING.load(Ordering::SeqCst);
            if id != 0 {
                send(signal, id);
            }
        }
    })
    .context("cannot watch for interrupts")
}

/// Fails if the task was asked to stop.
pub(crate) fn check_interrupt() -> Result<()> {
    if INTERRUPTED.load(Ordering::SeqCst) {
        bail!(Interrupted);
    }
    Ok(())
}

/// What this process answers for an error: the status of the program that failed, 130 for an
/// interrupt, else 1.
pub(crate) fn exit_code(error: &anyhow::Error) -> ExitCode {
    if error.downcast_ref::<Interrupted>().is_some() {
        return ExitCode::from(130);
    }
    error
        .downcast_ref::<ProgramFailed>()
        .and_then(|failed| failed.status.code())
        .and_then(|code| u8::try_from(code).ok())
        .map_or(ExitCode::FAILURE, ExitCode::from)
}

/// Runs a program in the foreground and waits for it.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    check_interrupt()?;
    let line = line(command);
    println!("$ {line}");
    let mut child = command.spawn().with_context(|| format!("cannot run `{line}`"))?;
    RUNNING.store(child.id(), Ordering::SeqCst);
    let status = child.wait();
    RUNNING.store(0, Ordering::SeqCst);
    check_interrupt()?;
    let status = status.with_context(|| format!("cannot wait for `{line}`"))?;
    if !status.success() {
        bail!(ProgramFailed { command: line, status });
    }
    Ok(())
}

/// Whether a program can be run at all and answers with success.
pub(crate) fn succeeds(command: &mut Command) -> bool {
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|status| status.success())
}

/// Cargo, as a person would start it.
///
/// `cargo run` tells this process about the xtask package. Handed on, that would reach build
/// scripts which watch those variables, and they would run anew in every task.
pub(crate) fn cargo() -> Command {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    for (key, _) in env::vars_os() {
        let name = key.to_string_lossy();
        let ours = name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_");
        if ours || matches!(&*name, "CARGO_BIN_NAME" | "CARGO_CRATE_NAME" | "OUT_DIR") {
            command.env_remove(&key);
        }
    }
    command
}

fn line(command: &Command) -> String {
    let program = std::path::Path::new(command.get_program());
    let name = program.file_stem().unwrap_or(program.as_os_str()).to_string_lossy();
    let arguments = command.get_args().map(|argument| argument.to_string_lossy());
    std::iter::once(name).chain(arguments).collect::<Vec<_>>().join(" ")
}

/// Sends a signal through the shell, whose `kill` is everywhere, also where there is no program of
/// that name.
#[cfg(unix)]
fn send(signal: &str, id: u32) {
    succeeds(Command::new("sh").args(["-c", "kill -s \"$0\" \"$1\"", signal, &id.to_string()]));
}

#[cfg(not(unix))]
fn send(_signal: &str, id: u32) {
    succeeds(Command::new("taskkill").args(["/T", "/F", "/PID", &id.to_string()]));
}
