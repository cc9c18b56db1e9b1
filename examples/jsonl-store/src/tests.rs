//! What happens when the disk fails. The suite cannot know of it: each store has failures of its own, and tests for them.

use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use tenantry_core::{CreateUser, Inspect, TenancyStore};

use super::*;
use crate::log::Medium;

#[derive(Debug, Clone, Copy, PartialEq)]
enum Step {
    /// Half of what is written comes through.
    Write,
    /// Everything comes through, and the flush fails all the same.
    Flush,
    Cut,
}

/// A file that fails where it is told to, once for each time that it is told.
#[derive(Debug)]
struct Flaky {
    file: File,
    fails: Arc<Mutex<Vec<Step>>>,
}

impl Flaky {
    fn fails_at(&self, step: Step) -> io::Result<()> {
        let mut fails = self.fails.lock().unwrap();
        match fails.iter().position(|next| *next == step) {
            Some(place) => Err(io::Error::other(format!("{:?}", fails.remove(place)))),
            None => Ok(()),
        }
    }
}

impl Read for Flaky {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        self.file.read(bytes)
    }
}

impl Write for Flaky {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if let Err(full) = self.fails_at(Step::Write) {
            self.file.write_all(&bytes[..bytes.len() / 2])?;
            return Err(full);
        }
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Seek for Flaky {
    fn seek(&mut self, place: SeekFrom) -> io::Result<u64> {
        self.file.seek(place)
    }
}

impl Medium for Flaky {
    fn flush_to_disk(&mut self) -> io::Result<()> {
        self.fails_at(Step::Flush)?;
        self.file.flush_to_disk()
    }

    fn cut(&mut self, len: u64) -> io::Result<()> {
        self.fails_at(Step::Cut)?;
        self.file.cut(len)
    }
}

/// A store with one user, over a file that fails where it is told to from now on.
struct World {
    store: JsonlStore,
    fails: Arc<Mutex<Vec<Step>>>,
    path: PathBuf,
    _folder: tempfile::TempDir,
}

impl World {
    async fn build() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("store.jsonl");
        let file = File::options().read(true).write(true).create_new(true).open(&path).unwrap();
        let fails = Arc::new(Mutex::new(Vec::new()));
        let flaky = Flaky { file, fails: Arc::clone(&fails) };
        let (log, state) = Log::over(Box::new(flaky), &path, None).unwrap();
        let store = Engine::new(Jsonl::new(log, state), Sources::system());
        store.create_user(CreateUser::new().display_name("before")).await.unwrap();
        Self { store, fails, path, _folder: folder }
    }

    fn fail_at(&self, steps: &[Step]) {
        *self.fails.lock().unwrap() = steps.to_vec();
    }

    async fn add(&self, name: &str) -> Result<(), Error> {
        self.store.create_user(CreateUser::new().display_name(name)).await.map(drop)
    }
}

#[tokio::test]
async fn what_cannot_be_written_was_never_there() {
    for step in [Step::Write, Step::Flush] {
        let world = World::build().await;
        let before = world.store.dump().await.unwrap();
        let bytes = std::fs::read(&world.path).unwrap();
        world.fail_at(&[step]);
        assert_eq!(world.add("lost").await.unwrap_err().code(), "backend.unavailable", "{step:?}");
        assert_eq!(world.store.dump().await.unwrap(), before, "{step:?}");
        assert_eq!(std::fs::read(&world.path).unwrap(), bytes, "{step:?}");

        world.add("after").await.unwrap();
        assert_eq!(read(&world.path).unwrap(), world.store.dump().await.unwrap(), "{step:?}");
    }
}

#[tokio::test]
async fn what_cannot_be_taken_back_is_told_to_be_unknown_and_found_out_later() {
    for (steps, applied) in [([Step::Flush, Step::Cut], true), ([Step::Flush, Step::Flush], false), ([Step::Write, Step::Cut], false)] {
        let world = World::build().await;
        world.fail_at(&steps);
        let Err(Error::Backend(failed)) = world.add("perhaps").await else { panic!("{steps:?}: the disk failed") };
        let BackendKind::UnknownOutcome { event_id } = *failed.kind() else { panic!("{steps:?}: {failed:?}") };
        assert!(std::error::Error::source(&failed).is_some(), "{steps:?}");

        // What is on the disk is not known, so that nothing is answered and nothing written.
        for refused in [world.store.dump().await.map(drop).unwrap_err(), world.add("after").await.unwrap_err()] {
            assert_eq!(refused.code(), "backend.unavailable", "{steps:?}");
        }
        let World { store, path, _folder, .. } = world;
        drop(store);
        let store = open(path).unwrap();
        assert_eq!(store.outcome(event_id).await.unwrap().is_some(), applied, "{steps:?}");
        assert_eq!(store.dump().await.unwrap().users.len(), 1 + usize::from(applied), "{steps:?}");
    }
}
