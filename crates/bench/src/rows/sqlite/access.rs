//! Permissions in SQLite, as plain calls: beside the look-up of the membership by its id.

use std::sync::Arc;

use anyhow::{Result, ensure};
use tenantry_core::{CachedResolver, PermissionAsk, PermissionResolver};

use super::{Contest, Keys, Opened, SAMPLE, Sqlite, connect, ends};
use crate::figures::Goal;
use crate::floor::sqlite as floor;
use crate::measure::{Entrant, Side};
use crate::scene::{PERMISSION, Pair, Scene};
use crate::sides::{awaited, blocking};
use crate::world::{self, Chance};

/// Questions of a batch.
const BATCH: u32 = 100;

/// Everything about permissions in SQLite.
pub(super) fn contests() -> Vec<Contest<Sqlite>> {
    let mut contests: Vec<Contest<Sqlite>> = Keys::ALL.into_iter().map(beside_a_look_up).collect();
    contests.extend([batch(), kept(), resolving(true), resolving(false)]);
    contests.extend([somewhere("tenth level", |scene| scene.deep), somewhere("with groups and overrides", |scene| scene.rich)]);
    contests.extend(Keys::ALL.map(growing));
    contests
}

/// The owner with the next number, and their organization.
fn owners(opened: &Opened, keys: Keys) -> impl FnMut() -> Result<Pair> + use<> {
    let (world, mut chance) = (opened.world, Chance::begin());
    move || {
        let n = keys.next(&mut chance, world);
        Ok((world::user_id(n)?, world::org_id(n)?))
    }
}

fn look_up(opened: &Opened, keys: Keys) -> Result<Box<dyn Side + '_>> {
    let (world, mut chance, db) = (opened.world, Chance::begin(), connect(&opened.path)?);
    let make = move || world::ownership_id(keys.next(&mut chance, world));
    Ok(blocking(SAMPLE, make, move |mem| floor::get_membership(&db, mem.as_uuid())))
}

fn ask(opened: &Opened, make: impl FnMut() -> Result<Pair> + 'static) -> Box<dyn Side + '_> {
    blocking(SAMPLE, make, |(usr, org)| {
        ensure!(opened.direct.has_permission(usr, org, PERMISSION)?, "{usr} does not hold it");
        Ok(())
    })
}

fn beside_a_look_up(keys: Keys) -> Contest<Sqlite> {
    Contest {
        goal_row: "2",
        operation: "has_permission".to_owned(),
        terms: format!("blocking, {}", keys.name()),
        floor: "the prepared look-up of the membership by id, every column read",
        goal: Goal::AtMost(1.25),
        enter: Box::new(move |open| {
            let largest = open.largest()?;
            let store = ask(largest, owners(largest, keys));
            Ok(vec![Entrant::new("floor", look_up(largest, keys)?), Entrant::new("store", store)])
        }),
    }
}

fn somewhere(terms: &'static str, who: fn(&Scene) -> Pair) -> Contest<Sqlite> {
    Contest {
        goal_row: "2",
        operation: "has_permission".to_owned(),
        terms: format!("blocking, {terms}"),
        floor: "the prepared look-up of the membership by id, every column read",
        goal: Goal::Beside,
        enter: Box::new(move |open| {
            let largest = open.largest()?;
            let pair = who(&largest.scene);
            Ok(vec![Entrant::new("floor", look_up(largest, Keys::Hot)?), Entrant::new("store", ask(largest, move || Ok(pair)))])
        }),
    }
}

/// The time of a whole batch, beside as many look-ups.
fn batch() -> Contest<Sqlite> {
    Contest {
        goal_row: "2",
        operation: format!("has_permissions, {BATCH} at once, each"),
        terms: "blocking, random keys".to_owned(),
        floor: "the prepared look-up of the membership by id, every column read",
        goal: Goal::AtMost(0.4),
        enter: Box::new(|open| {
            let largest = open.largest()?;
            Ok(vec![Entrant::new("floor", look_up(largest, Keys::Cold)?), Entrant::new("store", Box::new(Batches { opened: largest }))])
        }),
    }
}

/// One batch is a sample of as many operations.
struct Batches<'s> {
    opened: &'s Opened,
}

impl Side for Batches<'_> {
    fn sample(&mut self) -> Result<std::time::Duration> {
        let mut next = owners(self.opened, Keys::Cold);
        let asks = (0..BATCH).map(|_| next().map(|(usr, org)| PermissionAsk::new(usr, org, PERMISSION))).collect::<Result<Vec<_>>>()?;
        let begun = std::time::Instant::now();
        let rows = self.opened.direct.has_permissions(&asks)?;
        let taken = begun.elapsed();
        ensure!(rows.iter().all(|row| row.0 == Ok(true)), "somebody does not hold it");
        Ok(taken)
    }

    fn operations(&self) -> usize {
        usize::try_from(BATCH).unwrap_or(usize::MAX)
    }
}

/// What is kept and compared with the store's token.
fn kept() -> Contest<Sqlite> {
    Contest {
        goal_row: "2",
        operation: "has_permission, kept and fresh".to_owned(),
        terms: "async, same key".to_owned(),
        floor: "has_permission of the store, async",
        goal: Goal::Beside,
        enter: Box::new(|open| {
            let largest = open.largest()?;
            let resolver = CachedResolver::new(Arc::new(largest.threads.clone()));
            let floor = awaited(&open.runtime, SAMPLE, owners(largest, Keys::Hot), async |(usr, org)| {
                Ok(largest.threads.has_permission(usr, org, PERMISSION).await?)
            });
            let ours = awaited(&open.runtime, SAMPLE, owners(largest, Keys::Hot), async move |(usr, org)| {
                Ok(resolver.has_permission(usr, org, PERMISSION).await?)
            });
            Ok(vec![Entrant::new("store", floor), Entrant::new("cache", ours)])
        }),
    }
}

fn resolving(beside_one: bool) -> Contest<Sqlite> {
    Contest {
        goal_row: "4",
        operation: "resolve_permissions at the tenth level".to_owned(),
        terms: if beside_one { "blocking, beside has_permission" } else { "blocking, beside the first level" }.to_owned(),
        floor: if beside_one { "has_permission at the tenth level" } else { "resolve_permissions at the first level" },
        goal: Goal::AtMost(if beside_one { 1.2 } else { 1.1 }),
        enter: Box::new(move |open| {
            let largest = open.largest()?;
            let Scene { shallow, deep, .. } = largest.scene;
            let resolve = |pair: Pair| blocking(SAMPLE, move || Ok(pair), |(usr, org)| Ok(largest.direct.resolve_permissions(usr, org)?));
            let floor = if beside_one { ask(largest, move || Ok(deep)) } else { resolve(shallow) };
            Ok(vec![Entrant::new("floor", floor), Entrant::new("tenth level", resolve(deep))])
        }),
    }
}

fn growing(keys: Keys) -> Contest<Sqlite> {
    Contest {
        goal_row: "9",
        operation: "has_permission".to_owned(),
        terms: keys.name().to_owned(),
        floor: "the same in the smallest store",
        goal: Goal::AtMost(keys.growth()),
        enter: Box::new(move |open| {
            let (small, large) = ends(&open.stores)?;
            Ok(vec![Entrant::new("smallest", ask(small, owners(small, keys))), Entrant::new("largest", ask(large, owners(large, keys)))])
        }),
    }
}
