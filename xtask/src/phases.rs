//! The phases of a task, in order, with the time that each took. The first that fails ends the
//! task.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};

#[derive(Debug, Default)]
pub(crate) struct Phases {
    done: Vec<Phase>,
}

#[derive(Debug)]
struct Phase {
    name: &'static str,
    took: Duration,
    outcome: &'static str,
}

impl Phases {
    /// Runs the phases of a task and reports on them, however it ends.
    pub(crate) fn of(task: impl FnOnce(&mut Self) -> Result<()>) -> Result<()> {
        let mut phases = Self::default();
        let done = task(&mut phases);
        phases.report();
        done
    }

    pub(crate) fn run<T>(&mut self, name: &'static str, phase: impl FnOnce() -> Result<T>) -> Result<T> {
        println!("\n== {name}");
        let start = Instant::now();
        let done = phase().with_context(|| format!("phase `{name}`"));
        self.done.push(Phase { name, took: start.elapsed(), outcome: if done.is_ok() { "ok" } else { "FAILED" } });
        done
    }

    /// Notes a phase that has nothing to run with.
    pub(crate) fn absent(&mut self, name: &'static str, why: &'static str) {
        println!("\n== {name}\n{why}");
        self.done.push(Phase { name, took: Duration::ZERO, outcome: why });
    }

    fn report(&self) {
        println!();
        for Phase { name, took, outcome } in &self.done {
            println!("{:>8.1} s  {name:<24} {outcome}", took.as_secs_f64());
        }
        let total: Duration = self.done.iter().map(|phase| phase.took).sum();
        println!("{:>8.1} s  in all", total.as_secs_f64());
    }
}
