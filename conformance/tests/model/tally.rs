//! What a run came upon.

use std::collections::BTreeMap;
use std::fmt;

use crate::step::{ADVANCE, Call, Outcome};

/// Calls and what they came to. Moving the clock is no call.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) sequences: usize,
    pub(crate) calls: usize,
    pub(crate) succeeded: usize,
    /// The same of those that write, and of those of guarded callers.
    pub(crate) writes: Count,
    pub(crate) guarded: Count,
    /// By code, `ok` among them.
    pub(crate) codes: BTreeMap<String, usize>,
    /// By operation.
    pub(crate) operations: BTreeMap<&'static str, Count>,
}

#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Count {
    pub(crate) succeeded: usize,
    pub(crate) all: usize,
}

impl Count {
    fn note(&mut self, succeeded: bool) {
        self.all += 1;
        self.succeeded += usize::from(succeeded);
    }
}

impl Tally {
    pub(crate) fn note(&mut self, call: &Call, outcome: &Outcome, writes: bool) {
        if call.operation == ADVANCE {
            return;
        }
        let succeeded = outcome.is_ok();
        self.calls += 1;
        self.succeeded += usize::from(succeeded);
        if writes {
            self.writes.note(succeeded);
        }
        if call.caller.is_some() {
            self.guarded.note(succeeded);
        }
        let code = outcome.as_ref().map_or_else(|(code, _)| code.clone(), |_| "ok".to_owned());
        *self.codes.entry(code).or_default() += 1;
        self.operations.entry(call.operation).or_default().note(succeeded);
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { sequences, calls, succeeded, writes, guarded, codes, operations } = self;
        writeln!(f, "{sequences} sequences, {calls} calls, of which {succeeded} succeeded")?;
        writeln!(
            f,
            "  of {} that write {} succeeded, of {} by guarded callers {}",
            writes.all, writes.succeeded, guarded.all, guarded.succeeded
        )?;
        let mut codes: Vec<_> = codes.iter().collect();
        codes.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
        for (code, count) in codes {
            writeln!(f, "  {count:>6} {code}")?;
        }
        writeln!(f, "  succeeded of all, by operation:")?;
        for (operation, Count { succeeded, all }) in operations {
            writeln!(f, "  {succeeded:>6} of {all:>5} {operation}")?;
        }
        Ok(())
    }
}
