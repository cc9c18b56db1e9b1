//! The counts, as a table.

use std::fmt;

use comfy_table::{ContentArrangement, Table, TableStyle};

use crate::pairings::Pairing;
use crate::play::{Seen, Tally};

pub(crate) struct Report {
    title: String,
    table: Table,
    rounds: usize,
    overlapped: usize,
    freely: usize,
    fewest: usize,
    pairings: usize,
    /// What could have come of a race and never did.
    unseen: Vec<String>,
}

impl Report {
    pub(crate) fn new(title: impl Into<String>) -> Self {
        let mut table = Table::new();
        table.load_style(TableStyle::new()).set_content_arrangement(ContentArrangement::Disabled);
        table.set_header(["pairing", "rounds", "overlapped", "of these freely", "outcomes"]);
        Self { title: title.into(), table, rounds: 0, overlapped: 0, freely: 0, fewest: usize::MAX, pairings: 0, unseen: Vec::new() }
    }

    /// Adds a pairing; answers it in a line, for those who wait for the whole.
    pub(crate) fn add(&mut self, pairing: &Pairing, tally: &Tally) -> String {
        let outcomes = tally.outcomes.iter().map(|(outcomes, count)| format!("{count} x {}", shortened(outcomes)));
        let outcomes = outcomes.collect::<Vec<_>>().join("; ");
        let line = format!("{}: {} of {} overlapped: {outcomes}", pairing.name, tally.overlapped, tally.rounds);
        let mark = if pairing.seen == Seen::InFlight { " *" } else { "" };
        self.table.add_row([
            format!("{}{mark}", pairing.name),
            tally.rounds.to_string(),
            tally.overlapped.to_string(),
            tally.freely.to_string(),
            outcomes,
        ]);
        let seen = |allowed: &Vec<&str>| tally.outcomes.keys().any(|outcomes| outcomes.iter().eq(allowed.iter()));
        for allowed in pairing.allowed.iter().filter(|allowed| !seen(allowed)) {
            self.unseen.push(format!("{}: {}", pairing.name, allowed.join(" / ")));
        }
        self.rounds += tally.rounds;
        self.overlapped += tally.overlapped;
        self.freely += tally.freely;
        self.fewest = self.fewest.min(tally.overlapped);
        self.pairings += 1;
        line
    }
}

/// Codes without their class, and what many came to once.
fn shortened(outcomes: &[String]) -> String {
    let words: Vec<&str> = outcomes.iter().map(|outcome| outcome.rsplit('.').next().unwrap_or(outcome)).collect();
    match words.as_slice() {
        [one, other] => format!("{one} / {other}"),
        many => {
            let mut counted: Vec<(usize, &str)> = Vec::new();
            for word in many {
                match counted.last_mut() {
                    Some((count, last)) if last == word => *count += 1,
                    _ => counted.push((1, word)),
                }
            }
            counted.iter().map(|(count, word)| format!("{count} {word}")).collect::<Vec<_>>().join(", ")
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}\n\n{}", self.title, self.table)?;
        writeln!(
            f,
            "\n{} pairings, {} rounds, {} overlapped ({} of these freely), at least {} of each pairing",
            self.pairings, self.rounds, self.overlapped, self.freely, self.fewest
        )?;
        writeln!(f, "{} outcomes that may come of a race did not", self.unseen.len())?;
        for outcome in &self.unseen {
            writeln!(f, "  {outcome}")?;
        }
        write!(f, "* in Postgres, rounds in which the calls were in flight together: they cannot meet a conflict")
    }
}
