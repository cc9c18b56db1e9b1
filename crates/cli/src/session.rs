//! An open store, and on whose behalf each command works on it.

use std::sync::Arc;

use tenantry::doctor::Repair;
use tenantry::source::{Clock, ManualClock};
use tenantry::{Actor, Caller, Cause, DomainError, Dump, Error, Sources, TenancyStore, Timestamp, UserId};

use crate::args::Stance;
use crate::failure::Failure;
use crate::store::{self, Store, StoreSpec};

/// An open store.
#[derive(Debug)]
pub(crate) struct Session {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    /// The clock where it is moved by us.
    manual: Option<Arc<ManualClock>>,
    /// What the command line as a whole says.
    stance: Stance,
}

impl Session {
    /// Opens a store, see [`store::open`].
    pub(crate) async fn open(spec: &StoreSpec, seed: Option<u64>, stance: Stance) -> Result<Self, Failure> {
        // What does not go together is said before anything is opened.
        caller(&stance)?;
        let (sources, manual) = sources(seed)?;
        let clock = Arc::clone(&sources.clock);
        Ok(Self { store: store::open(spec, sources).await?, clock, manual, stance })
    }

    /// What one command works on, on behalf of whom its own line names, else of whom the command line names. Where that is a
    /// guarded user, the lines are that user's, and name nobody else.
    pub(crate) fn turn(&self, line: Stance) -> Result<Turn, Failure> {
        if self.stance.guarded.is_some() && line.names_someone() {
            return Err(DomainError::Forbidden.into());
        }
        let stance = line.before(&self.stance);
        let caller = caller(&stance)?;
        if let Some(clock) = &self.manual {
            clock.advance_micros(1_000);
        }
        let cause = Cause { request_id: stance.request_id, reason: stance.reason };
        Ok(Turn {
            store: self.store.with_caller(caller).with_cause(cause),
            whole: Arc::clone(&self.store),
            now: self.clock.now(),
            guarded: stance.guarded,
        })
    }
}

/// What one command works on.
#[derive(Debug)]
pub(crate) struct Turn {
    /// The store, on behalf of the caller.
    pub(crate) store: Arc<dyn TenancyStore>,
    /// When the command began.
    pub(crate) now: Timestamp,
    whole: Arc<dyn Store>,
    guarded: Option<UserId>,
}

impl Turn {
    /// Every row of the store, as of one moment.
    ///
    /// # Errors
    /// `forbidden` for a guarded caller.
    pub(crate) async fn dump(&self) -> Result<Dump, Error> {
        if self.guarded.is_some() {
            return Err(DomainError::Forbidden.into());
        }
        self.whole.dump().await
    }

    /// Mends rows; false where one of them is not as it is expected to be any more.
    ///
    /// # Errors
    /// `forbidden` for a guarded caller.
    pub(crate) async fn repair(&self, repairs: Vec<Repair>) -> Result<bool, Error> {
        if self.guarded.is_some() {
            return Err(DomainError::Forbidden.into());
        }
        self.whole.repair(repairs).await
    }
}

impl Stance {
    fn names_someone(&self) -> bool {
        self.actor.is_some() || self.guarded.is_some() || !self.vouch.is_empty()
    }

    /// This, and where it says nothing the other.
    fn before(self, other: &Self) -> Self {
        let names = if self.names_someone() { self.clone() } else { other.clone() };
        Self {
            request_id: self.request_id.or_else(|| other.request_id.clone()),
            reason: self.reason.or_else(|| other.reason.clone()),
            ..names
        }
    }
}

fn caller(stance: &Stance) -> Result<Caller, Failure> {
    match (stance.actor, stance.guarded) {
        (Some(_), Some(_)) => Err(Failure::usage("--actor and --as both say who acts; give one of them")),
        // Where nothing is said of identifiers, the one that a command names is taken for verified: who runs the program is trusted.
        (None, Some(user)) if stance.vouch.is_empty() => Ok(Caller::guarded(user)),
        (None, Some(user)) => Ok(Caller::guarded(user).vouching(&stance.vouch)),
        (_, None) if !stance.vouch.is_empty() => Err(Failure::usage("--vouch says what is surely the user's of --as: give that too")),
        (Some(user), None) => Ok(Caller::Trusted(Actor::user(user))),
        (None, None) => Ok(Caller::default()),
    }
}

fn sources(seed: Option<u64>) -> Result<(Sources, Option<Arc<ManualClock>>), Failure> {
    let Some(seed) = seed else { return Ok((Sources::system(), None)) };
    let start: Timestamp = "2026-01-01T00:00:00Z".parse().map_err(|_| Failure::usage("the clock cannot be set"))?;
    let (sources, clock) = Sources::deterministic(start, seed);
    Ok((sources, Some(clock)))
}
