//! A process that may not write large files: what it writes beyond the limit fails, or the system ends it in the middle of the write.
#![cfg(unix)]

use std::env;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};
use tenantry_core::{Inspect, TenancyStore};

use crate::child::{self, Process};
use crate::desk::{self, Desk};
use crate::stage::{Same, failure};
use crate::support::block_on;
use crate::{commands, size};

/// Large, so that a few of them are more than the index of the log.
const PAGE: u32 = 16_384;
/// `ulimit -f` counts in these.
const BLOCK: usize = 512;
/// What SQLite writes beside the log whatever happens.
const INDEX: usize = 32 * 1024;
/// A page in the log, with its head.
const FRAME: usize = PAGE as usize + 24;

/// How many pages the log may hold: each time a bit more, until every command finds room.
const PAGES: [usize; 8] = [3, 4, 5, 6, 8, 11, 16, 40];

/// This program, under a limit. A write beyond it sends the signal SIGXFSZ, which ends a process unless it is ignored; then the write
/// fails.
fn limited(pages: usize, survives: bool, test: &str) -> Command {
    let blocks = (INDEX.max(pages * FRAME) + FRAME) / BLOCK;
    let trap = if survives { "trap '' XFSZ; " } else { "" };
    let mut command = Command::new("sh");
    command.arg("-c").arg(format!("{trap}ulimit -f {blocks}; exec \"$@\"")).arg("sh").arg(env::current_exe().unwrap());
    command.args(child::arguments(test));
    command
}

/// The child's part: runs commands, each over a file of its own, and says what came of each.
fn work(task: &str) {
    let task: Vec<(usize, String)> = serde_json::from_str(task).unwrap();
    block_on(async {
        for (index, path) in task {
            // The same world in memory says what there should be.
            let same = Same::new();
            let model = tenantry_memory::with_sources(same.sources());
            let world = same.build(&model).await;
            let command = commands::commands(&world).swap_remove(index);
            let before = model.dump().await.unwrap();
            same.call(&model, &command).await.unwrap();
            let after = model.dump().await.unwrap();

            let store = desk::options(&same).open(Path::new(&path)).unwrap();
            let what = format!("{} in a file that may not grow", command.0);
            child::say(&json!({"index": index, "begun": true}).to_string());
            let told = same.call(&store, &command).await.err().map(|error| failure(error, &what).code());
            let rows = store.dump().await.unwrap();
            assert!(rows == if told.is_some() { before } else { after }, "{what}: {told:?}, and the rows are others");
            assert_eq!(store.get_org_path(world.child).await.unwrap().data.len(), 2, "{what}");
            child::say(&json!({"index": index, "told": told}).to_string());
        }
    });
}

/// The rows in the file when nothing limits it any more: as after the command, or as before it and then it can be run.
async fn look(desk: &Desk, command: &(&'static str, Value), path: &Path, succeeded: Option<bool>) -> bool {
    let what = format!("{} behind the limit", command.0);
    let after = desk.after(command).await;
    let sheet = desk.at(path);
    let rows = sheet.dump().await;
    let written = rows == after;
    assert!(written || rows == desk.before, "{what}: neither before nor after");
    assert!(succeeded.is_none_or(|succeeded| succeeded == written), "{what}: it was said otherwise");
    let sound: String = sheet.other.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(sound, "ok", "{what}");
    if !written {
        sheet.goes_on(command, &after, &what).await;
    }
    written
}

#[test]
fn a_write_beyond_the_limit_of_a_process_leaves_the_rows_as_before() {
    if let Some(task) = child::task() {
        return work(&task);
    }
    block_on(async {
        let desk = Desk::new(PAGE).await;
        let commands = desk.commands();
        let (mut failed, mut succeeded) = (0, 0);
        for pages in PAGES.into_iter().step_by(if size("TENANTRY_FAULT_LIMITS", 4) >= PAGES.len() { 1 } else { 2 }) {
            let files: Vec<_> = commands.iter().map(|_| desk.copy()).collect();
            let task: Vec<_> = files.iter().enumerate().collect();
            let test = "limits::a_write_beyond_the_limit_of_a_process_leaves_the_rows_as_before";
            let (status, said) = Process::run(&mut limited(pages, true, test), &json!(task).to_string()).end();
            assert!(status.success(), "{pages} pages: the child failed ({status})");
            let said: Vec<Value> = said.iter().map(|line| serde_json::from_str(line).unwrap()).collect();
            let told: Vec<_> = said.iter().filter(|line| line["begun"].is_null()).map(|line| &line["told"]).collect();
            assert_eq!(told.len(), commands.len(), "{pages} pages: {said:?}");
            for ((command, path), told) in commands.iter().zip(&files).zip(told) {
                assert!(told.is_null() || *told == "backend.unavailable", "{}, {pages} pages: {told}", command.0);
                look(&desk, command, path, Some(told.is_null())).await;
                *(if told.is_null() { &mut succeeded } else { &mut failed }) += 1;
            }
        }
        println!("processes under a limit: {failed} commands failed, {succeeded} found room");
        assert!(failed > 50 && succeeded > 20, "{failed} failed, {succeeded} found room");
    });
}

#[test]
fn a_process_that_the_system_ends_in_the_middle_of_a_write_leaves_the_rows_as_before() {
    if let Some(task) = child::task() {
        return work(&task);
    }
    block_on(async {
        /// The same on Linux and on systems that come from BSD.
        const SIGXFSZ: i32 = 25;

        let desk = Desk::new(PAGE).await;
        let (mut ended, mut before) = (0, 0);
        for (index, command) in desk.commands().iter().enumerate() {
            let path = desk.copy();
            let test = "limits::a_process_that_the_system_ends_in_the_middle_of_a_write_leaves_the_rows_as_before";
            let task = json!([(index, &path)]).to_string();
            let (status, said) = Process::run(&mut limited(PAGES[0], false, test), &task).end();
            // It gets as far as the command.
            let begun = said.len();
            assert!(begun > 0, "{}: the child came to nothing ({status})", command.0);
            let acknowledged = begun > 1;
            assert!(acknowledged || status.signal() == Some(SIGXFSZ), "{}: {status}", command.0);
            ended += usize::from(!status.success());
            before += usize::from(!look(&desk, command, &path, acknowledged.then_some(true)).await);
        }
        println!("processes that the system ended in the middle of a write: {ended}, {before} had written nothing");
        assert!(ended > 10, "only {ended}");
    });
}
