//! A folder of fixtures as single tests with names.

use std::io;
use std::path::Path;
use std::sync::Arc;

use crate::fixture::{Fixture, Mode, Problem, Test, load};
use crate::runner::{Failure, run};
use crate::store::TestStore;

/// The fixtures of a folder.
#[derive(Debug, Clone, Default)]
pub struct Suite {
    /// The files, in order of path.
    pub fixtures: Vec<Arc<Fixture>>,
    /// The files that could not be read. Each of them is a failure.
    pub problems: Vec<Problem>,
}

impl Suite {
    /// Every fixture file below a folder.
    ///
    /// # Errors
    /// When the folder, or one below it, cannot be listed.
    pub fn load(folder: &Path, mode: Mode) -> io::Result<Self> {
        let (fixtures, problems) = load(folder, mode)?;
        Ok(Self { fixtures: fixtures.into_iter().map(Arc::new).collect(), problems })
    }

    /// Every test of every file.
    pub fn cases(&self) -> impl Iterator<Item = Case> {
        let of_file = |fixture: &Arc<Fixture>| {
            let cases: Vec<Case> =
                fixture.tests.iter().map(|test| Case { fixture: Arc::clone(fixture), test: Arc::new(test.clone()) }).collect();
            cases
        };
        self.fixtures.iter().flat_map(of_file)
    }
}

/// One test of one file.
#[derive(Debug, Clone)]
pub struct Case {
    /// The file.
    pub fixture: Arc<Fixture>,
    /// The test.
    pub test: Arc<Test>,
}

impl Case {
    /// `area/operation::test id`.
    pub fn name(&self) -> String {
        format!("{}/{}::{}", self.fixture.area(), self.fixture.stem(), self.test.id)
    }

    /// Runs it against a fresh store; no failures mean that it passed.
    pub async fn run(&self, store: &dyn TestStore) -> Vec<Failure> {
        run(store, &self.fixture, &self.test).await
    }
}
