//! Sides take turns, in short blocks and in either order; runs whose floor was off are made again.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use crate::figures::{Goal, Run, SideFigures, Verdict};
use crate::interrupt;

/// One of those that take turns.
pub trait Side {
    /// Takes one sample: makes ready, which is not measured, runs [`operations`](Self::operations) operations and says how long they
    /// took.
    ///
    /// # Errors
    /// What an operation failed with.
    fn sample(&mut self) -> Result<Duration>;

    /// How many operations a sample has.
    fn operations(&self) -> usize;
}

/// A side with its name.
pub struct Entrant<'s> {
    name: String,
    side: Box<dyn Side + 's>,
}

impl std::fmt::Debug for Entrant<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Entrant").field("name", &self.name).finish_non_exhaustive()
    }
}

impl<'s> Entrant<'s> {
    /// This side under this name.
    pub fn new(name: impl Into<String>, side: Box<dyn Side + 's>) -> Self {
        Self { name: name.into(), side }
    }

    /// The name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The side.
    pub fn side(&mut self) -> &mut dyn Side {
        &mut *self.side
    }
}

/// How much is measured.
#[derive(Debug, Clone, Copy)]
pub struct Effort {
    /// How many runs have to count.
    pub runs: usize,
    /// How many are made at most.
    pub attempts: usize,
    /// How long a run takes, roughly.
    pub time: Duration,
    /// How often the sides change places in a run.
    pub blocks: usize,
}

impl Effort {
    /// For a look: about two minutes for everything.
    pub const QUICK: Self = Self { runs: 3, attempts: 5, time: Duration::from_millis(300), blocks: 8 };

    /// For figures to keep.
    pub const FULL: Self = Self { runs: 5, attempts: 12, time: Duration::from_millis(1500), blocks: 16 };
}

/// The most that the floor's ninth tenth may be of its median.
pub const RESTLESS: f64 = 1.6;

/// How far the floor's median may lie from that of the other runs.
pub const ASTRAY: f64 = 0.3;

/// A sample says less and less about a block the fewer there are.
const LEAST_SAMPLES: usize = 5;

/// More of them only fill the memory.
const MOST_SAMPLES: usize = 4000;

/// Lets the sides take turns until enough runs count, or it was tried often enough. The first side is the floor.
///
/// # Errors
/// What an operation failed with, or an interrupt.
pub fn measure(effort: Effort, entrants: &mut [Entrant<'_>]) -> Result<Vec<Run>> {
    let samples = calibrate(effort, entrants)?;
    let mut runs = Vec::new();
    while runs.len() < effort.attempts {
        runs.push(run(effort, entrants, &samples)?);
        judge(&mut runs);
        if counting(&runs).count() >= effort.runs {
            break;
        }
    }
    Ok(runs)
}

/// The runs that count.
pub fn counting(runs: &[Run]) -> impl Iterator<Item = &Run> {
    runs.iter().filter(|run| run.thrown_away.is_none())
}

/// The median over the runs that count, or over all where none does.
pub fn over_runs(runs: &[Run], of: impl Fn(&Run) -> f64) -> f64 {
    let mut values: Vec<f64> = counting(runs).map(&of).collect();
    if values.is_empty() {
        values = runs.iter().map(of).collect();
    }
    quantile(&mut values, 0.5)
}

/// Whether the goal is reached, by these runs.
pub fn verdict(effort: Effort, runs: &[Run], goal: Goal, us: f64, ratio: f64) -> Verdict {
    let reached = match goal {
        Goal::Beside => return Verdict::None,
        Goal::AtMost(most) => ratio <= most,
        Goal::ThroughputAtLeast(least) => 1.0 / ratio >= least,
        Goal::NanosAtMost(most) => us * 1000.0 <= most,
    };
    match (counting(runs).count() >= effort.runs.min(3), reached) {
        (false, _) => Verdict::Unsettled,
        (true, true) => Verdict::Reached,
        (true, false) => Verdict::Missed,
    }
}

/// How many samples of each side make a block; the sides are warm afterwards.
fn calibrate(effort: Effort, entrants: &mut [Entrant<'_>]) -> Result<Vec<usize>> {
    let sides = u32::try_from(entrants.len())?;
    let blocks = u32::try_from(effort.blocks)?;
    let block = effort.time / (blocks * sides).max(1);
    let mut samples = Vec::with_capacity(entrants.len());
    for entrant in entrants {
        let (begun, mut taken) = (Instant::now(), 0_u32);
        // What making ready takes counts here: it is part of how long the run takes.
        while begun.elapsed() < effort.time / 8 || taken < 20 {
            entrant.side.sample()?;
            taken += 1;
            interrupt::check()?;
        }
        let each = begun.elapsed() / taken;
        let fit = block.as_nanos() / each.as_nanos().max(1);
        samples.push(usize::try_from(fit).unwrap_or(MOST_SAMPLES).clamp(LEAST_SAMPLES, MOST_SAMPLES));
    }
    Ok(samples)
}

fn run(effort: Effort, entrants: &mut [Entrant<'_>], samples: &[usize]) -> Result<Run> {
    let mut all: Vec<Vec<f64>> = vec![Vec::new(); entrants.len()];
    let mut ratios = Vec::with_capacity(effort.blocks);
    for block in 0..effort.blocks {
        interrupt::check()?;
        let mut medians = vec![0.0; entrants.len()];
        let mut turn = |at: usize| -> Result<()> {
            let (Some(entrant), Some(samples), Some(kept), Some(median)) =
                (entrants.get_mut(at), samples.get(at), all.get_mut(at), medians.get_mut(at))
            else {
                bail!("a side without samples");
            };
            let mut taken = take(&mut *entrant.side, *samples)?;
            *median = quantile(&mut taken, 0.5);
            kept.extend(taken);
            Ok(())
        };
        // Whoever goes first meets another machine than whoever follows, so they change places.
        if block % 2 == 0 {
            (0..samples.len()).try_for_each(&mut turn)?;
        } else {
            (0..samples.len()).rev().try_for_each(&mut turn)?;
        }
        if let (Some(first), Some(last)) = (medians.first(), medians.last()) {
            ratios.push(last / first);
        }
    }
    let figures = entrants.iter().zip(&mut all).map(|(entrant, samples)| SideFigures {
        name: entrant.name.clone(),
        operations: u64::try_from(samples.len() * entrant.side.operations()).unwrap_or(u64::MAX),
        p10_us: quantile(samples, 0.1),
        p50_us: quantile(samples, 0.5),
        p90_us: quantile(samples, 0.9),
    });
    Ok(Run { sides: figures.collect(), ratio: quantile(&mut ratios, 0.5), thrown_away: None })
}

/// So many samples, in microseconds for one operation.
fn take(side: &mut dyn Side, samples: usize) -> Result<Vec<f64>> {
    #[expect(clippy::cast_precision_loss, reason = "operations of a sample are counted in thousands at most")]
    let operations = side.operations().max(1) as f64;
    (0..samples).map(|_| Ok(side.sample()?.as_secs_f64() * 1e6 / operations)).collect()
}

/// Throws away the runs whose floor was off.
fn judge(runs: &mut [Run]) {
    let floor = |run: &Run| run.sides.first().map_or((0.0, 0.0), |floor| (floor.p50_us, floor.p90_us));
    let session = quantile(&mut runs.iter().map(|run| floor(run).0).collect::<Vec<_>>(), 0.5);
    for run in runs {
        let (p50, p90) = floor(run);
        run.thrown_away = if p90 / p50 > RESTLESS {
            Some(format!("the floor was restless: its ninth tenth is {:.2} times its median", p90 / p50))
        } else if (p50 / session - 1.0).abs() > ASTRAY {
            Some(format!("the floor was astray: {:.2} times that of the other runs", p50 / session))
        } else {
            None
        };
    }
}

/// The value at this part of the way from the least to the greatest; 0 of none.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a place in a list that fits into memory"
)]
pub fn quantile(values: &mut [f64], part: f64) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    let at = (values.len().saturating_sub(1) as f64 * part).round() as usize;
    values.get(at).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(p50: f64, p90: f64, ours: f64) -> Run {
        let side = |name: &str, p50_us, p90_us| SideFigures { name: name.to_owned(), operations: 1, p10_us: p50_us, p50_us, p90_us };
        Run { sides: vec![side("floor", p50, p90), side("ours", ours, ours)], ratio: ours / p50, thrown_away: None }
    }

    #[test]
    fn a_restless_floor_and_one_astray_do_not_count() {
        let mut runs =
            vec![run(10.0, 11.0, 12.0), run(10.5, 12.0, 12.0), run(10.0, 17.0, 50.0), run(14.0, 15.0, 50.0), run(9.5, 10.0, 13.0)];
        judge(&mut runs);
        let counted: Vec<bool> = runs.iter().map(|run| run.thrown_away.is_none()).collect();
        assert_eq!(counted, [true, true, false, false, true]);
        assert!((over_runs(&runs, |run| run.ratio) - 1.2).abs() < 1e-9);
    }

    #[test]
    fn too_few_runs_settle_nothing() {
        let runs = vec![run(10.0, 11.0, 12.0); 2];
        let of = |runs: &[Run], goal| verdict(Effort::QUICK, runs, goal, 12.0, 1.2);
        assert_eq!(of(&runs, Goal::AtMost(1.5)), Verdict::Unsettled);
        let runs = vec![run(10.0, 11.0, 12.0); 3];
        assert_eq!(of(&runs, Goal::AtMost(1.5)), Verdict::Reached);
        assert_eq!(of(&runs, Goal::AtMost(1.1)), Verdict::Missed);
        assert_eq!(of(&runs, Goal::ThroughputAtLeast(0.8)), Verdict::Reached);
        assert_eq!(of(&runs, Goal::ThroughputAtLeast(0.9)), Verdict::Missed);
        assert_eq!(of(&runs, Goal::NanosAtMost(12_500.0)), Verdict::Reached);
        assert_eq!(of(&runs, Goal::Beside), Verdict::None);
    }

    struct Counting<'c>(&'c std::cell::RefCell<String>, char);

    impl Side for Counting<'_> {
        fn sample(&mut self) -> Result<Duration> {
            self.0.borrow_mut().push(self.1);
            Ok(Duration::from_micros(if self.1 == 'a' { 10 } else { 30 }))
        }

        fn operations(&self) -> usize {
            2
        }
    }

    #[test]
    fn sides_take_turns_and_change_places() {
        let turns = std::cell::RefCell::new(String::new());
        let mut entrants = [Entrant::new("floor", Box::new(Counting(&turns, 'a'))), Entrant::new("ours", Box::new(Counting(&turns, 'b')))];
        let effort = Effort { runs: 1, attempts: 1, time: Duration::from_millis(1), blocks: 4 };
        let found = super::run(effort, &mut entrants, &[2, 1]).unwrap();
        assert_eq!(*turns.borrow(), "aabbaaaabbaa");
        assert!((found.ratio - 3.0).abs() < 1e-9 && (found.sides[1].p50_us - 15.0).abs() < 1e-9);
        assert_eq!(found.sides[0].operations, 16);
    }
}
