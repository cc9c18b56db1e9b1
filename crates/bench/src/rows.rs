//! What is measured: one module for each store, and one for the memory that memberships take.

pub mod footprint;
pub mod memory;
pub mod postgres;
pub mod sqlite;
pub mod writes;

use anyhow::{Context, Result, ensure};
use indicatif::ProgressBar;
use tenantry_core::{CheckOne, ListMembers, OrgId, PageRequest};

use crate::figures::{Fill, Goal, Growth, Report, Row, Store};
use crate::measure::{Effort, Entrant, measure, over_runs, verdict};
use crate::world::{self, Chance, World};

/// An operation and its floor, over a store that is open as `C`.
pub struct Contest<C> {
    /// The row of the goals that it belongs to.
    pub goal_row: &'static str,
    /// What is done.
    pub operation: String,
    /// On what terms.
    pub terms: String,
    /// What the floor is.
    pub floor: &'static str,
    /// What is aimed at.
    pub goal: Goal,
    /// The sides, the floor first.
    pub enter: Enter<C>,
}

/// Makes the sides of a contest over an open store.
pub type Enter<C> = Box<dyn for<'c> Fn(&'c C) -> Result<Vec<Entrant<'c>>>>;

impl<C> std::fmt::Debug for Contest<C> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Contest").field("operation", &self.operation).field("terms", &self.terms).finish_non_exhaustive()
    }
}

/// An operation in worlds of all sizes, over stores that are open as `C`.
pub struct Series<C> {
    /// What is done.
    pub operation: &'static str,
    /// One side for each size, in their order.
    pub enter: Enter<C>,
}

impl<C> std::fmt::Debug for Series<C> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Series").field("operation", &self.operation).finish_non_exhaustive()
    }
}

/// Everything about one store.
#[derive(Debug)]
pub struct Programme<C> {
    /// Operations and their floors.
    pub contests: Vec<Contest<C>>,
    /// Operations in worlds of all sizes. They come last, as the last of them makes the worlds grow.
    pub series: Vec<Series<C>>,
}

impl<C> Programme<C> {
    /// Only what has the text in its name.
    pub fn only(&mut self, store: Store, text: Option<&str>) {
        let Some(text) = text.map(str::to_lowercase) else { return };
        let has = |name: String| name.to_lowercase().contains(&text);
        self.contests.retain(|contest| has(format!("{} {} {} {}", store.name(), contest.goal_row, contest.operation, contest.terms)));
        self.series.retain(|series| has(format!("{} growth {}", store.name(), series.operation)));
    }

    /// Whether nothing is left of it.
    pub const fn is_empty(&self) -> bool {
        self.contests.is_empty() && self.series.is_empty()
    }
}

/// How a run is made, and what it has found so far.
#[derive(Debug)]
pub struct Bench {
    /// How much is measured.
    pub effort: Effort,
    /// The sizes of the worlds, the smallest first.
    pub sizes: Vec<u32>,
    /// Only what has this text in its name.
    pub filter: Option<String>,
    /// What was found.
    pub report: Report,
}

impl Bench {
    /// Runs what is on the programme of a store.
    ///
    /// # Errors
    /// What an operation failed with, or an interrupt.
    pub fn run<C>(&mut self, store: Store, open: &C, programme: &Programme<C>) -> Result<()> {
        for contest in &programme.contests {
            let mut entrants = (contest.enter)(open)?;
            let Contest { goal_row, operation, terms, floor, goal, enter: _ } = contest;
            let runs = measure(self.effort, &mut entrants).with_context(|| format!("{} {operation} ({terms})", store.name()))?;
            let side = |at: usize| over_runs(&runs, |run| run.sides.get(at).map_or(0.0, |side| side.p50_us));
            let (floor_us, us) = (side(0), side(entrants.len() - 1));
            let ratio = over_runs(&runs, |run| run.ratio);
            let verdict = verdict(self.effort, &runs, *goal, us, ratio);
            eprintln!("{:<8} {goal_row:<3} {operation} ({terms}): {floor_us:.3} us, {us:.3} us, {ratio:.2} x", store.name());
            self.report.rows.push(Row {
                store,
                goal_row: (*goal_row).to_owned(),
                operation: operation.clone(),
                terms: terms.clone(),
                floor: (*floor).to_owned(),
                goal: *goal,
                verdict,
                floor_us,
                us,
                ratio,
                runs,
            });
        }
        for series in &programme.series {
            let mut entrants = (series.enter)(open)?;
            ensure!(entrants.len() == self.sizes.len(), "a series has a side for each size");
            let runs = measure(self.effort, &mut entrants).with_context(|| format!("{} {}", store.name(), series.operation))?;
            let side = |at: usize| over_runs(&runs, |run| run.sides.get(at).map_or(0.0, |side| side.p50_us));
            let us: Vec<(u32, f64)> = self.sizes.iter().enumerate().map(|(at, size)| (*size, side(at))).collect();
            let ratio = over_runs(&runs, |run| run.ratio);
            let told: Vec<String> = us.iter().map(|(size, us)| format!("{us:.2} us at {size}")).collect();
            eprintln!("{:<8} growth of {}: {}", store.name(), series.operation, told.join(", "));
            self.report.growth.push(Growth { store, operation: series.operation.to_owned(), us, ratio, runs });
        }
        Ok(())
    }

    /// The worlds, the smallest first.
    pub fn worlds(&self) -> Vec<World> {
        self.sizes.iter().copied().map(World::new).collect()
    }

    /// Notes that a store was filled.
    pub fn filled(&mut self, store: Store, world: World, seconds: f64) {
        let (size, memberships, organizations) = (world.size(), world.memberships(), world.organizations());
        eprintln!("{:<8} filled with {memberships} memberships and {organizations} organizations in {seconds:.1} s", store.name());
        self.report.fills.push(Fill { store, size, memberships, organizations, seconds });
    }
}

/// A bar for the fill of a world.
pub fn fill_bar(store: Store, world: World) -> ProgressBar {
    crate::fill::bar(crate::fill::rows(world), &format!("{} {}", store.name(), world.size()))
}

/// What a check asks.
#[derive(Debug, Clone, Copy)]
pub enum Asked {
    /// Whether a user owns the organization that they own: a membership says so.
    Owner,
    /// Whether a user is a viewer of a document: a tuple in the scope of their organization says so.
    Viewer,
    /// Whether a user owns an organization that they have nothing to do with.
    Stranger,
}

impl Asked {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Owner, Self::Viewer, Self::Stranger];

    /// As people say it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Owner => "check by a membership",
            Self::Viewer => "check by a tuple",
            Self::Stranger => "check that fails",
        }
    }

    /// Whether it holds.
    pub const fn holds(self) -> bool {
        !matches!(self, Self::Stranger)
    }

    /// The request about the user with this number.
    ///
    /// # Errors
    /// Never.
    pub fn request(self, world: World, n: u32) -> Result<CheckOne> {
        let usr = world::user_id(n)?.to_string();
        Ok(match self {
            Self::Owner => CheckOne::new(("usr", &usr), "owner", ("org", &world::org_id(n)?.to_string())),
            Self::Viewer => CheckOne::new(("usr", &usr), "viewer", ("doc", &world::document_id(n).to_string())),
            Self::Stranger => CheckOne::new(("usr", &usr), "owner", ("org", &world::org_id((n + 7) % world.size())?.to_string())),
        })
    }
}

/// Which keys are asked for.
#[derive(Debug, Clone, Copy)]
pub enum Keys {
    /// One and the same, in the middle.
    Hot,
    /// All of them, by chance.
    Cold,
}

impl Keys {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Hot, Self::Cold];

    /// As people say it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Hot => "same key",
            Self::Cold => "random keys",
        }
    }

    /// What a check may cost in the largest world, over the smallest.
    pub const fn growth(self) -> f64 {
        match self {
            Self::Hot => 1.10,
            Self::Cold => 1.25,
        }
    }

    /// The next key.
    pub fn next(self, chance: &mut Chance, world: World) -> u32 {
        match self {
            Self::Hot => world.size() / 2,
            Self::Cold => chance.below(world.size()),
        }
    }
}

/// Which page of 50 of the crowd.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Which {
    /// From the start.
    First,
    /// The one that ends the list.
    Last,
}

/// A page of 50 of an organization's members.
pub fn page(org: OrgId, cursor: Option<&str>) -> ListMembers {
    ListMembers::new(org).page(PageRequest::after_optional(cursor.map(str::to_owned)))
}

/// The smallest and the largest of what there is one for each world.
fn ends<T>(all: &[T]) -> Result<(&T, &T)> {
    all.first().zip(all.last()).context("there is a world")
}
