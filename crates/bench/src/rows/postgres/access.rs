//! Permissions in Postgres, on a held connection: beside the shortest statement that there is.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use sqlx::{ConnectOptions, Executor, PgConnection, Row};
use tenantry_core::{CachedResolver, MoveOrg, OrgId, PermissionAsk, PermissionResolver, TenancyStore};

use super::{Contest, Keys, Opened, Postgres, Way, ends};
use crate::figures::Goal;
use crate::measure::{Entrant, Side};
use crate::scene::{self, CATALOG, PERMISSION, Pair, Scene};
use crate::sides::settle;
use crate::world::{self, Chance};

/// Questions of a batch.
const BATCH: u32 = 100;

/// Organizations that move.
const MOVING: u32 = 10_000;

/// Everything about permissions in Postgres.
pub(super) fn contests() -> Vec<Contest<Postgres>> {
    let mut contests = vec![direct(Keys::Hot, 1.75), direct(Keys::Cold, 1.35)];
    contests.extend([
        somewhere("tenth level", |scene| scene.deep),
        somewhere("with groups and overrides", |scene| scene.rich),
        batch(),
        kept(),
        resolving(true),
        resolving(false),
        lord(),
        moving(),
    ]);
    contests.extend(Keys::ALL.map(growing));
    contests
}

fn owners(opened: &Opened, keys: Keys) -> impl FnMut() -> Result<Pair> + use<> {
    let (world, mut chance) = (opened.world, Chance::begin());
    move || {
        let n = keys.next(&mut chance, world);
        Ok((world::user_id(n)?, world::org_id(n)?))
    }
}

/// `SELECT 1` on a connection of its own.
fn shortest<'s>(open: &'s Postgres, opened: &'s Opened) -> Result<Box<dyn Side + 's>> {
    opened.floor(
        open,
        Way::Held,
        || Ok(()),
        async |conn: &mut PgConnection, ()| {
            let one: i32 = sqlx::query_scalar("SELECT 1").fetch_one(conn).await?;
            Ok(one)
        },
    )
}

fn ask<'s>(open: &'s Postgres, opened: &'s Opened, make: impl FnMut() -> Result<Pair> + 's) -> Result<Box<dyn Side + 's>> {
    opened.store(open, Way::Held, make, async |store: &dyn TenancyStore, (usr, org): Pair| {
        ensure!(store.has_permission(usr, org, PERMISSION).await?, "{usr} does not hold it");
        Ok(())
    })
}

fn direct(keys: Keys, goal: f64) -> Contest<Postgres> {
    Contest {
        goal_row: "3",
        operation: "has_permission".to_owned(),
        terms: format!("held connection, direct membership, {}", keys.name()),
        floor: "prepared SELECT 1",
        goal: Goal::AtMost(goal),
        enter: Box::new(move |open| {
            let largest = open.largest()?;
            let store = ask(open, largest, owners(largest, keys))?;
            Ok(vec![Entrant::new("floor", shortest(open, largest)?), Entrant::new("store", store)])
        }),
    }
}

fn somewhere(terms: &'static str, who: fn(&Scene) -> Pair) -> Contest<Postgres> {
    Contest {
        goal_row: "3",
        operation: "has_permission".to_owned(),
        terms: format!("held connection, {terms}"),
        floor: "prepared SELECT 1",
        goal: Goal::AtMost(3.0),
        enter: Box::new(move |open| {
            let largest = open.largest()?;
            let pair = who(largest.scene()?);
            Ok(vec![Entrant::new("floor", shortest(open, largest)?), Entrant::new("store", ask(open, largest, move || Ok(pair))?)])
        }),
    }
}

/// One batch is a sample of as many operations.
struct Batches<'s> {
    open: &'s Postgres,
    opened: &'s Opened,
}

impl Side for Batches<'_> {
    fn sample(&mut self) -> Result<Duration> {
        let mut next = owners(self.opened, Keys::Cold);
        let asks = (0..BATCH).map(|_| next().map(|(usr, org)| PermissionAsk::new(usr, org, PERMISSION))).collect::<Result<Vec<_>>>()?;
        self.open.runtime.block_on(async {
            let begun = Instant::now();
            let rows = self.opened.held.has_permissions(&asks).await?;
            let taken = begun.elapsed();
            settle(&self.opened.one).await;
            ensure!(rows.iter().all(|row| row.0 == Ok(true)), "somebody does not hold it");
            Ok(taken)
        })
    }

    fn operations(&self) -> usize {
        usize::try_from(BATCH).unwrap_or(usize::MAX)
    }
}

fn batch() -> Contest<Postgres> {
    Contest {
        goal_row: "3",
        operation: format!("has_permissions, {BATCH} at once, each"),
        terms: "held connection, random keys".to_owned(),
        floor: "prepared SELECT 1",
        goal: Goal::AtMost(0.35),
        enter: Box::new(|open| {
            let largest = open.largest()?;
            Ok(vec![Entrant::new("floor", shortest(open, largest)?), Entrant::new("store", Box::new(Batches { open, opened: largest }))])
        }),
    }
}

/// What is kept and compared with the store's token.
fn kept() -> Contest<Postgres> {
    Contest {
        goal_row: "3",
        operation: "has_permission, kept and fresh".to_owned(),
        terms: "held connection, tenth level".to_owned(),
        floor: "prepared SELECT 1",
        goal: Goal::Beside,
        enter: Box::new(|open| {
            let largest = open.largest()?;
            let resolver = CachedResolver::new(Arc::new(largest.held.clone()));
            let pair = largest.scene()?.deep;
            let ours = largest.store(
                open,
                Way::Held,
                move || Ok(pair),
                async move |_: &dyn TenancyStore, (usr, org): Pair| {
                    ensure!(resolver.has_permission(usr, org, PERMISSION).await?, "{usr} does not hold it");
                    Ok(())
                },
            )?;
            Ok(vec![Entrant::new("floor", shortest(open, largest)?), Entrant::new("cache", ours)])
        }),
    }
}

fn resolve<'s>(open: &'s Postgres, opened: &'s Opened, pair: Pair) -> Result<Box<dyn Side + 's>> {
    opened.store(
        open,
        Way::Held,
        move || Ok(pair),
        async |store: &dyn TenancyStore, (usr, org): Pair| Ok(store.resolve_permissions(usr, org).await?),
    )
}

fn resolving(beside_one: bool) -> Contest<Postgres> {
    Contest {
        goal_row: "4",
        operation: "resolve_permissions at the tenth level".to_owned(),
        terms: if beside_one { "held connection, beside has_permission" } else { "held connection, beside the first level" }.to_owned(),
        floor: if beside_one { "has_permission at the tenth level" } else { "resolve_permissions at the first level" },
        goal: Goal::AtMost(if beside_one { 1.2 } else { 1.1 }),
        enter: Box::new(move |open| {
            let largest = open.largest()?;
            let Scene { shallow, deep, .. } = *largest.scene()?;
            let floor = if beside_one { ask(open, largest, move || Ok(deep))? } else { resolve(open, largest, shallow)? };
            Ok(vec![Entrant::new("floor", floor), Entrant::new("tenth level", resolve(open, largest, deep)?)])
        }),
    }
}

/// Everything of somebody who holds five thousand permissions, beside one question about them and a statement that only brings as many
/// rows.
fn lord() -> Contest<Postgres> {
    Contest {
        goal_row: "4",
        operation: format!("resolve_permissions of {CATALOG} permissions"),
        terms: "held connection".to_owned(),
        floor: "has_permission, and the slugs by hand",
        goal: Goal::AtMost(3.0),
        enter: Box::new(|open| {
            let largest = open.largest()?;
            let pair = largest.scene()?.lord;
            let mut conn = open.runtime.block_on(largest.address.connect())?;
            let floor = largest.store(
                open,
                Way::Held,
                move || Ok(pair),
                async move |store: &dyn TenancyStore, (usr, org): Pair| {
                    ensure!(store.has_permission(usr, org, PERMISSION).await?, "{usr} does not hold it");
                    let rows = conn.fetch_all("SELECT slug FROM tenantry.permission").await?;
                    let slugs = rows.iter().map(|row| row.try_get(0)).collect::<Result<Vec<String>, _>>()?;
                    ensure!(slugs.len() == usize::try_from(CATALOG)?, "the catalog has another number of permissions");
                    Ok(())
                },
            )?;
            Ok(vec![Entrant::new("floor", floor), Entrant::new("store", resolve(open, largest, pair)?)])
        }),
    }
}

/// A tree that moves to and fro below two roots, beside the update of the same rows.
fn moving() -> Contest<Postgres> {
    Contest {
        goal_row: "4",
        operation: format!("move_org of {MOVING} organizations"),
        terms: "held connection".to_owned(),
        floor: "one UPDATE of the same rows",
        goal: Goal::AtMost(3.0),
        enter: Box::new(|open| {
            let smallest = ends(&open.stores)?.0;
            let (mut there, by_hand) = open.runtime.block_on(async {
                anyhow::Ok((scene::grove(&smallest.held, MOVING).await?, scene::grove(&smallest.held, MOVING).await?))
            })?;
            let (mut roots, top) = by_hand;
            let by_hand = move || {
                roots.swap(0, 1);
                Ok((roots[0], top))
            };
            let floor = smallest.floor(open, Way::Held, by_hand, async |conn: &mut PgConnection, (root, top): (OrgId, OrgId)| {
                let update = "UPDATE tenantry.organization o SET ancestors = ARRAY[$2] || o.ancestors[2:], \
                    parent_id = CASE WHEN o.id = $1 THEN $2 ELSE o.parent_id END, updated_at = now() \
                    WHERE o.id = $1 OR o.ancestors @> ARRAY[$1]";
                let done = sqlx::query(update).bind(top.as_uuid()).bind(root.as_uuid()).execute(conn).await?;
                ensure!(done.rows_affected() == u64::from(MOVING), "{} rows instead", done.rows_affected());
                Ok(())
            })?;
            let make = move || {
                there.0.swap(0, 1);
                Ok((there.0[0], there.1))
            };
            let ours = smallest.store(open, Way::Held, make, async |store: &dyn TenancyStore, (root, top): (OrgId, OrgId)| {
                let moved = store.move_org(MoveOrg::below(top, root)).await?;
                ensure!(moved.parent_id == Some(root), "it did not move");
                Ok(())
            })?;
            Ok(vec![Entrant::new("floor", floor), Entrant::new("store", ours)])
        }),
    }
}

fn growing(keys: Keys) -> Contest<Postgres> {
    Contest {
        goal_row: "9",
        operation: "has_permission".to_owned(),
        terms: keys.name().to_owned(),
        floor: "the same in the smallest store",
        goal: Goal::AtMost(keys.growth()),
        enter: Box::new(move |open| {
            let (small, large) = ends(&open.stores)?;
            Ok(vec![
                Entrant::new("smallest", ask(open, small, owners(small, keys))?),
                Entrant::new("largest", ask(open, large, owners(large, keys))?),
            ])
        }),
    }
}
