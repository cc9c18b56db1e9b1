//! The test's own program once more, as a process that can be limited and killed.

use std::env;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};

const VARIABLE: &str = "TENANTRY_FAULT_TASK";

/// What this process is to do, if it is such a child.
pub(crate) fn task() -> Option<String> {
    env::var(VARIABLE).ok()
}

/// Says something to the parent. Ends the process when nobody listens any more.
pub(crate) fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    // Whole lines, so that of one which is said nothing is missing. What the test harness prints stands on lines of its own.
    if out.write_all(format!("\n{MARK}{line}\n").as_bytes()).and_then(|()| out.flush()).is_err() {
        std::process::exit(1);
    }
}

/// What a child says begins so.
const MARK: &str = "child: ";

/// Arguments of this program that run one test of it, and nothing else.
pub(crate) fn arguments(test: &str) -> [&str; 3] {
    ["--exact", test, "--nocapture"]
}

/// A child at work. Killed when it is dropped.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
    lines: Arc<AtomicUsize>,
    heard: Option<JoinHandle<Vec<String>>>,
}

impl Process {
    /// Starts a test of this program as a child with a task.
    pub(crate) fn start(test: &str, task: &str) -> Self {
        Self::run(Command::new(env::current_exe().unwrap()).args(arguments(test)), task)
    }

    /// Starts a command that ends in such a child.
    pub(crate) fn run(command: &mut Command, task: &str) -> Self {
        let mut child = command.env(VARIABLE, task).stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
        let said = BufReader::new(child.stdout.take().unwrap());
        // Read all the time, so that the child never waits for room in the pipe; what is in it outlasts the child.
        let lines = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&lines);
        let heard = thread::spawn(move || listen(said, &count));
        Self { child, lines, heard: Some(heard) }
    }

    /// How many lines it has said.
    pub(crate) fn heard(&self) -> usize {
        self.lines.load(Ordering::SeqCst)
    }

    /// Whether it has not ended yet.
    pub(crate) fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// Kills it, wherever it is.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
    }

    /// Waits for its end; answers what it said.
    pub(crate) fn end(mut self) -> (ExitStatus, Vec<String>) {
        let status = self.child.wait().unwrap();
        (status, self.heard.take().unwrap().join().unwrap())
    }
}

/// What a child says until it has ended. A line that breaks off was not said.
fn listen(mut said: impl BufRead, count: &AtomicUsize) -> Vec<String> {
    let mut lines = Vec::new();
    loop {
        let mut line = Vec::new();
        said.read_until(b'\n', &mut line).unwrap();
        let Some(line) = line.strip_suffix(b"\n") else { return lines };
        if let Some(line) = String::from_utf8_lossy(line).strip_prefix(MARK) {
            lines.push(line.to_owned());
            count.fetch_add(1, Ordering::SeqCst);
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
