//! What came of a run.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::fixture::Problem;
use crate::runner::Failure;
use crate::suite::Case;

/// What came of one test on one store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Outcome {
    /// The store.
    pub store: String,
    /// The part of the library.
    pub area: String,
    /// The file, relative to the folder of the fixtures.
    pub file: String,
    /// The test; for a file that could not be read, nothing.
    pub test: String,
    /// Why it failed; nothing when it passed.
    pub failures: Vec<String>,
}

impl Outcome {
    /// Of a test that ran.
    pub fn of(store: &str, case: &Case, failures: &[Failure]) -> Self {
        let failures = failures.iter().map(ToString::to_string).collect();
        let fixture = &case.fixture;
        Self { store: store.to_owned(), area: fixture.area().to_owned(), file: fixture.file.clone(), test: case.test.id.clone(), failures }
    }

    /// Of a file that could not be read.
    pub fn unreadable(store: &str, problem: &Problem) -> Self {
        let area = problem.file.split_once('/').map_or("-", |(area, _)| area).to_owned();
        let (file, test) = (problem.file.clone(), String::new());
        Self { store: store.to_owned(), area, file, test, failures: vec![format!("{}: {}", problem.at, problem.what)] }
    }

    /// Whether it passed.
    pub fn passed(&self) -> bool {
        self.failures.is_empty()
    }
}

/// What came of a run.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Each test on each store.
    pub outcomes: Vec<Outcome>,
}

/// Passed and failed tests, by area and store.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Matrix {
    /// The columns.
    pub stores: Vec<String>,
    /// The rows: an area, and for each store how many tests passed and failed.
    pub rows: Vec<(String, Vec<(usize, usize)>)>,
    /// The sums of the columns.
    pub total: Vec<(usize, usize)>,
}

impl Report {
    /// The tests that failed.
    pub fn failed(&self) -> impl Iterator<Item = &Outcome> {
        self.outcomes.iter().filter(|outcome| !outcome.passed())
    }

    /// Whether there was a test at all, and none failed.
    pub fn is_success(&self) -> bool {
        !self.outcomes.is_empty() && self.failed().next().is_none()
    }

    /// Passed and failed tests, by area and store. Stores stand in the order in which they first occur.
    pub fn matrix(&self) -> Matrix {
        let mut counts: BTreeMap<(&str, &str), (usize, usize)> = BTreeMap::new();
        let mut stores: Vec<&str> = Vec::new();
        for outcome in &self.outcomes {
            if !stores.contains(&outcome.store.as_str()) {
                stores.push(&outcome.store);
            }
            let (passed, failed) = counts.entry((&outcome.area, &outcome.store)).or_default();
            if outcome.passed() { *passed += 1 } else { *failed += 1 }
        }
        let areas: BTreeSet<&str> = counts.keys().map(|(area, _)| *area).collect();
        let of = |area: &str, store: &str| counts.get(&(area, store)).copied().unwrap_or_default();
        let row = |area: &str| (area.to_owned(), stores.iter().map(|store| of(area, store)).collect());
        let sum = |store: &&str| areas.iter().map(|area| of(area, store)).fold((0, 0), |sum, count| (sum.0 + count.0, sum.1 + count.1));
        Matrix {
            rows: areas.iter().map(|area| row(area)).collect(),
            total: stores.iter().map(sum).collect(),
            stores: stores.into_iter().map(str::to_owned).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(store: &str, area: &str, failures: &[&str]) -> Outcome {
        let failures = failures.iter().map(|&line| line.to_owned()).collect();
        Outcome { store: store.into(), area: area.into(), file: "f".into(), test: "t".into(), failures }
    }

    #[test]
    fn the_matrix_counts() {
        let outcomes = vec![outcome("b", "y", &[]), outcome("b", "x", &["no"]), outcome("a", "y", &[]), outcome("b", "y", &[])];
        let report = Report { outcomes };
        let matrix = report.matrix();
        assert_eq!(matrix.stores, ["b", "a"]);
        assert_eq!(matrix.rows, [("x".to_owned(), vec![(0, 1), (0, 0)]), ("y".to_owned(), vec![(2, 0), (1, 0)])]);
        assert_eq!(matrix.total, [(2, 1), (1, 0)]);
        assert!(!report.is_success());
    }

    #[test]
    fn a_run_without_tests_is_no_success() {
        assert!(!Report::default().is_success());
    }
}
