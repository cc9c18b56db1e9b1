//! What a run of the bench found, as it is kept in a file.

use serde::{Deserialize, Serialize};

use crate::machine::Machine;

/// Everything that one run found.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Report {
    /// Whether it was the quick run: smaller stores, fewer blocks.
    pub quick: bool,
    /// When it began, in UTC.
    pub began_at: String,
    /// How long it took.
    pub seconds: f64,
    /// What was measured: the state of the sources, if whoever started the run told it.
    pub revision: Option<String>,
    /// Where.
    pub machine: Machine,
    /// The servers and libraries behind the stores, and what they promise.
    pub modes: Vec<Mode>,
    /// The stores that were filled.
    pub fills: Vec<Fill>,
    /// Operations and their floors.
    pub rows: Vec<Row>,
    /// Operations in stores of several sizes.
    pub growth: Vec<Growth>,
    /// What memberships take in memory.
    pub footprint: Option<Footprint>,
}

/// A setting on which figures hang.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Mode {
    /// Of what.
    pub of: String,
    /// The setting.
    pub name: String,
    /// Its value.
    pub value: String,
}

/// A store that was filled.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Fill {
    /// Which kind of store.
    pub store: Store,
    /// The world's size.
    pub size: u32,
    /// Memberships in it.
    pub memberships: u32,
    /// Organizations in it.
    pub organizations: u32,
    /// How long it took.
    pub seconds: f64,
}

/// Which kind of store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum Store {
    /// In memory.
    Memory,
    /// In a SQLite file.
    Sqlite,
    /// In a Postgres database.
    Postgres,
}

impl Store {
    /// Every kind, in the order of the tables.
    pub const ALL: [Self; 3] = [Self::Memory, Self::Sqlite, Self::Postgres];

    /// As people write it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Memory => "Memory",
            Self::Sqlite => "SQLite",
            Self::Postgres => "Postgres",
        }
    }
}

/// What is aimed at.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Goal {
    /// At most so many times the time of the floor.
    AtMost(f64),
    /// At least this part of the floor's throughput.
    ThroughputAtLeast(f64),
    /// At most so many nanoseconds, whatever the floor.
    NanosAtMost(f64),
    /// None: the figure stands beside another one.
    Beside,
}

/// Whether a goal is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// It is.
    Reached,
    /// It is not.
    Missed,
    /// Too few runs had a floor to trust.
    Unsettled,
    /// There is no goal.
    None,
}

/// An operation and its floor.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Row {
    /// In which store.
    pub store: Store,
    /// The row of the goals that it belongs to, such as `5b`.
    pub goal_row: String,
    /// What is done.
    pub operation: String,
    /// On what terms, such as `held connection`.
    pub terms: String,
    /// What the floor is.
    pub floor: String,
    /// What is aimed at.
    pub goal: Goal,
    /// Whether it is reached.
    pub verdict: Verdict,
    /// The floor's time for one operation in microseconds: the median of the runs that count.
    pub floor_us: f64,
    /// Ours.
    pub us: f64,
    /// Ours over the floor's, made within neighbouring blocks.
    pub ratio: f64,
    /// Each run, with those that were thrown away.
    pub runs: Vec<Run>,
}

/// One run over all sides.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Run {
    /// Each side's figures, the floor's or the smallest store's first.
    pub sides: Vec<SideFigures>,
    /// Of the last side's time to the first's: the median over pairs of neighbouring blocks.
    pub ratio: f64,
    /// Why the run does not count, if it does not.
    pub thrown_away: Option<String>,
}

/// One side in one run.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SideFigures {
    /// Which.
    pub name: String,
    /// Operations.
    pub operations: u64,
    /// The first tenth of the samples, in microseconds for one operation: what the machine can do when nothing disturbs it.
    pub p10_us: f64,
    /// The median.
    pub p50_us: f64,
    /// The ninth tenth.
    pub p90_us: f64,
}

/// An operation in stores of several sizes.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Growth {
    /// In which store.
    pub store: Store,
    /// What is done.
    pub operation: String,
    /// The sizes, and the time for one operation in microseconds.
    pub us: Vec<(u32, f64)>,
    /// Of the largest to the smallest.
    pub ratio: f64,
    /// Each run, with those that were thrown away.
    pub runs: Vec<Run>,
}

/// What memberships take in memory.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Footprint {
    /// How many.
    pub memberships: u32,
    /// In how many organizations.
    pub organizations: u32,
    /// The process's resident set before, in bytes.
    pub before: u64,
    /// After.
    pub after: u64,
    /// Of the difference, for one membership.
    pub bytes_per_membership: f64,
    /// What is aimed at.
    pub goal: f64,
    /// What a cache takes besides in which each of them is kept, for one membership; absent in figures from before there was one.
    #[serde(default)]
    pub kept: Option<f64>,
}

/// What an answer that is kept may take, in bytes.
pub const KEPT: f64 = 72.0;

impl Footprint {
    /// Whether the goal is reached.
    pub fn verdict(&self) -> Verdict {
        if self.bytes_per_membership <= self.goal { Verdict::Reached } else { Verdict::Missed }
    }

    /// Whether that of what is kept is.
    pub fn verdict_on_kept(&self) -> Verdict {
        match self.kept {
            None => Verdict::None,
            Some(kept) if kept <= KEPT => Verdict::Reached,
            Some(_) => Verdict::Missed,
        }
    }
}
