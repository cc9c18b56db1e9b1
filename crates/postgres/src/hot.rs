//! Organizations that many write to at once.
//!
//! Repeated optimism collapses there. Commands of this process wait for their turn in it, where that costs nothing, and then run as
//! everywhere else; only where others write too, whom no one here can know of, are the rows taken in the database first. All of it is a
//! hint: what must hold is held by the guards.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tenantry_core::OrgId;
use tokio::sync::OwnedMutexGuard;

/// How long an organization stays hot after the last time that commands met there.
const HOT_FOR: Duration = Duration::from_secs(1);

/// Organizations that are kept in mind before those that have cooled are forgotten.
const MOST: usize = 4096;

#[derive(Debug)]
struct Heat {
    met: Instant,
    /// When a command met another one though it was its turn.
    met_others: Option<Instant>,
    turn: Arc<tokio::sync::Mutex<()>>,
}

/// The organizations where commands met lately.
#[derive(Debug, Default)]
pub(crate) struct HotOrgs(Mutex<HashMap<OrgId, Heat>>);

/// The right to be the only command of this process on some organizations.
#[derive(Debug, Default)]
pub(crate) struct Turns(BTreeMap<OrgId, OwnedMutexGuard<()>>);

impl Turns {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl HotOrgs {
    fn hot(&self) -> MutexGuard<'_, HashMap<OrgId, Heat>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn is_hot(&self, org: OrgId) -> bool {
        self.hot().get(&org).is_some_and(|heat| heat.met.elapsed() < HOT_FOR)
    }

    /// Whether commands of other processes write there too.
    pub(crate) fn is_shared(&self, org: OrgId) -> bool {
        self.hot().get(&org).and_then(|heat| heat.met_others).is_some_and(|met| met.elapsed() < HOT_FOR)
    }

    /// A command met another one on these, while it had such turns.
    pub(crate) fn met(&self, orgs: impl IntoIterator<Item = OrgId>, turns: &Turns) {
        let now = Instant::now();
        let mut hot = self.hot();
        if hot.len() > MOST {
            // One that somebody waits for stays.
            hot.retain(|_, heat| heat.met.elapsed() < HOT_FOR || Arc::strong_count(&heat.turn) > 1);
        }
        for org in orgs {
            let heat = hot.entry(org).or_insert_with(|| Heat { met: now, met_others: None, turn: Arc::default() });
            heat.met = now;
            if turns.0.contains_key(&org) {
                heat.met_others = Some(now);
            }
        }
    }

    /// Waits for the turn on those that are hot. Whoever calls this holds no turn and no connection: others may need it to end theirs.
    pub(crate) async fn turns(&self, orgs: impl IntoIterator<Item = OrgId>) -> Turns {
        let wanted: BTreeMap<OrgId, Arc<tokio::sync::Mutex<()>>> = {
            let hot = self.hot();
            let one = |org: OrgId| hot.get(&org).filter(|heat| heat.met.elapsed() < HOT_FOR).map(|heat| (org, Arc::clone(&heat.turn)));
            orgs.into_iter().filter_map(one).collect()
        };
        let mut turns = Turns::default();
        // In ascending order, as everybody does.
        for (org, turn) in wanted {
            if let Ok(guard) = Arc::clone(&turn).try_lock_owned() {
                turns.0.insert(org, guard);
                continue;
            }
            turns.0.insert(org, turn.lock_owned().await);
            // They would have met.
            if let Some(heat) = self.hot().get_mut(&org) {
                heat.met = Instant::now();
            }
        }
        turns
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    fn org(n: u128) -> OrgId {
        tenantry_core::Id::from_uuid(uuid::Uuid::from_u128((7 << 76) | (8 << 60) | n)).unwrap()
    }

    #[tokio::test]
    async fn one_at_a_time_has_the_turn_on_an_organization_where_commands_met() {
        let hot = HotOrgs::default();
        assert!(hot.turns([org(1)]).await.is_empty(), "nobody met there");
        hot.met([org(1), org(2)], &Turns::default());
        assert!(hot.is_hot(org(1)) && !hot.is_shared(org(1)) && !hot.is_hot(org(3)));
        let first = hot.turns([org(2), org(1), org(3)]).await;
        assert_eq!(first.0.keys().copied().collect::<Vec<_>>(), [org(1), org(2)]);
        let second = hot.turns([org(1)]);
        tokio::pin!(second);
        assert!(tokio::time::timeout(Duration::from_millis(20), &mut second).await.is_err(), "the first one has it");
        drop(first);
        assert!(!second.await.is_empty());
    }

    #[tokio::test]
    async fn whoever_is_met_in_ones_turn_is_of_another_process() {
        let hot = HotOrgs::default();
        hot.met([org(1)], &Turns::default());
        let turns = hot.turns([org(1)]).await;
        hot.met([org(1), org(2)], &turns);
        assert!(hot.is_shared(org(1)));
        assert!(!hot.is_shared(org(2)), "it had no turn there");
    }
}
