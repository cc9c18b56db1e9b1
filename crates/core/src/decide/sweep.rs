//! Clearing away what has come to its end: spec/invitations.md#sweep. No answer depends on whether it ran.

use serde::Serialize;

use super::{Command, Decision, Env, draft::Draft, guard, tuples::delete};
use crate::error::DomainError;
use crate::load::{LoadSpec, Snapshot};
use crate::page::PageSize;

/// Stores the end of invitations that have expired, and takes expired tuples away.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Sweep {
    /// How many rows at most, 200 unless said otherwise.
    pub limit: PageSize,
}

impl Sweep {
    /// Up to 200 rows.
    pub fn new() -> Self {
        Self { limit: PageSize::clamp(PageSize::MAX) }
    }

    /// Up to so many rows, 1 to 200; other numbers are brought into these bounds.
    #[must_use]
    pub fn limit(mut self, limit: i64) -> Self {
        self.limit = PageSize::clamp(limit);
        self
    }
}

impl Default for Sweep {
    fn default() -> Self {
        Self::new()
    }
}

/// What [`Sweep`] answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Swept {
    /// Invitations whose end is now stored.
    pub invitations: u64,
    /// Tuples that are gone.
    pub tuples: u64,
    /// Whether the limit was reached, so that there may be more.
    pub more: bool,
}

impl Command for Sweep {
    type Output = Swept;

    fn load(&self) -> Result<LoadSpec, DomainError> {
        Ok(LoadSpec::Expired { limit: self.limit.rows() })
    }

    fn decide(&self, seen: &Snapshot, env: &mut Env<'_>) -> Result<Decision<Swept>, DomainError> {
        guard::trusted(env)?;
        let org = |id| seen.found.orgs.iter().find(|org| Some(org.id) == id);
        let mut draft = Draft::new(env);
        let mut swept = Swept { invitations: 0, tuples: 0, more: false };
        for inv in &seen.pending {
            if let Some(org) = org(Some(inv.org_id)) {
                draft.expire(org, inv);
                swept.invitations += 1;
            }
        }
        for tuple in &seen.expired_tuples {
            delete(&mut draft, org(guard::home(tuple.org_id, tuple.key.object)), tuple);
            swept.tuples += 1;
        }
        swept.more = swept.invitations + swept.tuples >= u64::from(self.limit.rows());
        Ok(draft.finish(swept))
    }
}
