//! Runs the program.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;

/// The checked-in files.
pub(crate) fn data(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(file)
}

/// The program, with nothing of the caller's environment that changes what it says.
pub(crate) fn tenantry() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tenantry"));
    for variable in ["TENANTRY_STORE", "COLUMNS", "LINES", "CARGO_PKG_NAME"] {
        command.env_remove(variable);
    }
    command
}

/// What came of a run.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        let text = |bytes| String::from_utf8(bytes).expect("the program writes UTF-8");
        Self { code: output.status.code().expect("no signal"), out: text(output.stdout), err: text(output.stderr) }
    }
}

impl Ran {
    /// The document on the standard output.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// The document on the standard error.
    pub(crate) fn error(&self) -> Value {
        let error: Value = serde_json::from_str(&self.err).unwrap_or_else(|error| panic!("{error}: {self:?}"));
        error["error"].clone()
    }
}

pub(crate) fn run(args: &[&str]) -> Ran {
    tenantry().args(args).output().expect("it starts").into()
}

pub(crate) fn run_with_input(args: &[&str], input: &[u8]) -> Ran {
    let mut command = tenantry();
    let mut child = command.args(args).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
    child.stdin.take().expect("piped").write_all(input).expect("it reads");
    child.wait_with_output().expect("it ends").into()
}

/// A store in a folder that goes with the test.
pub(crate) struct SqliteFile {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) store: String,
}

pub(crate) fn sqlite_file() -> SqliteFile {
    let folder = tempfile::tempdir().expect("a folder");
    let store = format!("sqlite:{}", folder.path().join("test.db").display());
    SqliteFile { folder, store }
}

/// A folder with copies of the checked-in files, where commands may write further ones.
pub(crate) fn scene() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    for file in std::fs::read_dir(data("")).expect("a folder") {
        let file = file.expect("a file").path();
        std::fs::copy(&file, folder.path().join(file.file_name().expect("a name"))).expect("copied");
    }
    folder
}

/// Fills in a template: a batch whose lines may end in `#> name=path, ...`. Each path is looked up in what the line answers
/// (`user.id`, `data.0.id`), and `{name}` in a later line stands for what was found.
pub(crate) fn fill_in(template: &str) -> String {
    let mut command = tenantry();
    let scene = scene();
    let child = command.args(["--store", "memory:", "--deterministic", "--json", "batch", "-"]).current_dir(scene.path());
    let mut child = child.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("it starts");
    let mut lines_in = child.stdin.take().expect("piped");
    let mut answers = BufReader::new(child.stdout.take().expect("piped"));
    let mut known: BTreeMap<String, String> = BTreeMap::new();
    let mut filled = String::new();
    for line in template.lines() {
        let (line, captures) = line.split_once(" #> ").unwrap_or((line, ""));
        let mut line = line.to_owned();
        for (name, value) in &known {
            line = line.replace(&format!("{{{name}}}"), value);
        }
        filled.push_str(&line);
        filled.push('\n');
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        writeln!(lines_in, "{line}").expect("it reads");
        let mut answer = String::new();
        answers.read_line(&mut answer).expect("it answers each line at once");
        let answer: Value = serde_json::from_str(&answer).unwrap_or_else(|error| panic!("{line}: {error}: {answer}"));
        for capture in captures.split(", ").filter(|capture| !capture.is_empty()) {
            let (name, path) = capture.split_once('=').expect("name=path");
            let pointer = format!("/result/{}", path.replace('.', "/"));
            let value =
                answer.pointer(&pointer).and_then(Value::as_str).unwrap_or_else(|| panic!("{line}: no {path} in {answer}\n{filled}"));
            known.insert(name.to_owned(), value.to_owned());
        }
    }
    drop(lines_in);
    child.wait().expect("it ends");
    filled
}
