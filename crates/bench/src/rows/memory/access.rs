//! Permissions in memory: what was asked before, beside a look-up in a map; and what a resolution costs.

use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, ensure};
use tenantry_core::{AddMember, CachedResolver, PermissionResolver, TenancyStore};
use tenantry_memory::MemoryStore;
use tokio::runtime::{Builder, Runtime};

use super::{Contest, Keys, Memory, SAMPLE, ends};
use crate::figures::Goal;
use crate::floor::map;
use crate::measure::{Entrant, Side, quantile};
use crate::scene::{PERMISSION, Pair, Scene};
use crate::sides::{awaited, by_reference};
use crate::world::{self, Chance, World};

/// Operations of a sample of what takes nanoseconds.
const MANY: usize = 1024;

/// Who is asked about.
#[derive(Debug, Clone, Copy)]
enum Who {
    /// One owner of one organization, over and over.
    Owner,
    /// The member at the tenth level.
    Deep,
    /// Owners of a thousand organizations.
    Thousand,
}

impl Who {
    const ALL: [Self; 3] = [Self::Owner, Self::Deep, Self::Thousand];

    const fn name(self) -> &'static str {
        match self {
            Self::Owner => "same key",
            Self::Deep => "same key, tenth level",
            Self::Thousand => "a thousand keys",
        }
    }

    fn pair(self, chance: &mut Chance, world: World, scene: &Scene) -> Result<Pair> {
        let owner = |n: u32| Ok((world::user_id(n)?, world::org_id(n)?));
        match self {
            Self::Owner => owner(world.size() / 2),
            Self::Deep => Ok(scene.deep),
            Self::Thousand => owner(chance.below(world.size().min(1000))),
        }
    }

    /// What is looked up in the map: that has no rows but owners.
    fn key(self, chance: &mut Chance, world: World) -> Result<(u128, u128)> {
        let n = if matches!(self, Self::Thousand) { chance.below(world.size().min(1000)) } else { world.size() / 2 };
        Ok(map::key(world::user_id(n)?, world::org_id(n)?))
    }
}

/// Everything about permissions in memory.
pub(super) fn contests() -> Vec<Contest<Memory>> {
    let mut contests: Vec<Contest<Memory>> = Who::ALL.into_iter().map(hot).collect();
    contests.extend(Who::ALL.map(writing));
    contests.extend([through_the_trait(true), through_the_trait(false), resolving(true), resolving(false)]);
    contests.extend(Keys::ALL.map(|keys| growing(keys, false)));
    contests.extend(Keys::ALL.map(|keys| growing(keys, true)));
    contests
}

fn cached(store: &MemoryStore) -> CachedResolver {
    CachedResolver::new(Arc::new(store.clone()))
}

impl Memory {
    fn largest_with_scene(&self) -> Result<(World, &MemoryStore, &Scene)> {
        let (_, (world, store)) = ends(&self.stores)?;
        Ok((*world, store, self.scenes.last().context("a scene for each world")?))
    }
}

fn hot(who: Who) -> Contest<Memory> {
    Contest {
        goal_row: "1",
        operation: "has_permission, kept".to_owned(),
        terms: who.name().to_owned(),
        floor: "get from a map with a fast hash, keyed by user and organization",
        goal: Goal::AtMost(2.0),
        enter: Box::new(move |open| {
            let (world, store, scene) = open.largest_with_scene()?;
            let mut chance = Chance::begin();
            let floor = by_reference(MANY, move || who.key(&mut chance, world), move |key| Ok(open.map.get(*key).is_some()));
            let (resolver, mut chance) = (cached(store), Chance::begin());
            warm(&open.runtime, &resolver, who, world, scene)?;
            let make = move || who.pair(&mut chance, world, scene);
            let ours = by_reference(MANY, make, move |(usr, org)| {
                resolver.has_permission_now(*usr, *org, black_box(PERMISSION)).context("it is not kept")
            });
            Ok(vec![Entrant::new("map", floor), Entrant::new("cache", ours)])
        }),
    }
}

/// Asks about all of them once, on this thread.
fn warm(runtime: &Runtime, resolver: &CachedResolver, who: Who, world: World, scene: &Scene) -> Result<()> {
    runtime.block_on(async {
        let ask = async |(usr, org): Pair| {
            ensure!(resolver.has_permission(usr, org, PERMISSION).await?, "{usr} does not hold it");
            Ok(())
        };
        match who {
            Who::Owner | Who::Deep => ask(who.pair(&mut Chance::begin(), world, scene)?).await?,
            Who::Thousand => {
                for n in 0..world.size().min(1000) {
                    ask((world::user_id(n)?, world::org_id(n)?)).await?;
                }
            }
        }
        Ok(())
    })
}

/// Two threads that ask while a third one writes, all the time; their floor are two threads that look up.
fn writing(who: Who) -> Contest<Memory> {
    Contest {
        goal_row: "1",
        operation: "has_permission, kept, while somebody writes".to_owned(),
        terms: format!("{}, 2 threads", who.name()),
        floor: "get from that map by two threads",
        goal: Goal::AtMost(3.0),
        enter: Box::new(move |open| {
            let (world, store, scene) = open.largest_with_scene()?;
            let keys = (0..2).map(|_| {
                let mut chance = Chance::begin();
                move || who.key(&mut chance, world)
            });
            let look_up = |_: &Runtime, keys: Vec<(u128, u128)>| {
                keys.iter().try_for_each(|key| black_box(open.map.get(*black_box(key))).map(drop).context("the map has a hole"))
            };
            let pairs = (0..2).map(|_| {
                let mut chance = Chance::begin();
                move || who.pair(&mut chance, world, scene)
            });
            let resolver = cached(store);
            let ask = move |runtime: &Runtime, pairs: Vec<Pair>| {
                for pair in &pairs {
                    let (usr, org) = black_box(pair);
                    let held = match resolver.has_permission_now(*usr, *org, black_box(PERMISSION)) {
                        Some(held) => held,
                        None => runtime.block_on(resolver.has_permission(*usr, *org, PERMISSION))?,
                    };
                    ensure!(black_box(held), "{usr} does not hold it");
                }
                Ok(())
            };
            let floor = Box::new(Beside { threads: keys.collect(), call: look_up });
            let ours = Beside { threads: pairs.collect(), call: ask };
            Ok(vec![Entrant::new("map", floor), Entrant::new("cache", Box::new(Disturbed { side: ours, store, world }))])
        }),
    }
}

/// Threads that call at the same time, in rounds; what is told is the median of the rounds. There may be fewer processors than threads,
/// and whoever is put to sleep within a round says nothing of what was called there.
struct Beside<M, C> {
    threads: Vec<M>,
    call: C,
}

/// Rounds of a thread, and calls of a round.
const ROUNDS: usize = 64;
const ROUND: usize = 64;

impl<I, M, C> Side for Beside<M, C>
where
    M: FnMut() -> Result<I> + Send,
    C: Fn(&Runtime, Vec<I>) -> Result<()> + Sync,
{
    fn sample(&mut self) -> Result<Duration> {
        let call = &self.call;
        thread::scope(|scope| {
            let run = |make| scope.spawn(move || rounds(make, call));
            let running: Vec<_> = self.threads.iter_mut().map(run).collect();
            running.into_iter().map(|thread| thread.join().map_err(|_| anyhow!("a thread panicked"))?).sum()
        })
    }

    fn operations(&self) -> usize {
        ROUNDS * ROUND * self.threads.len()
    }
}

fn rounds<I>(make: &mut impl FnMut() -> Result<I>, call: &impl Fn(&Runtime, Vec<I>) -> Result<()>) -> Result<Duration> {
    let runtime = Builder::new_current_thread().build()?;
    let mut taken = Vec::with_capacity(ROUNDS);
    for _ in 0..ROUNDS {
        let inputs = (0..ROUND).map(|_| make()).collect::<Result<Vec<I>>>()?;
        let begun = Instant::now();
        call(&runtime, inputs)?;
        taken.push(begun.elapsed().as_secs_f64());
    }
    Ok(Duration::from_secs_f64(quantile(&mut taken, 0.5) * f64::from(u32::try_from(ROUNDS)?)))
}

/// A side beside which members join other organizations, as fast as one thread can let them.
struct Disturbed<'s, S> {
    side: S,
    store: &'s MemoryStore,
    world: World,
}

impl<S: Side> Side for Disturbed<'_, S> {
    fn sample(&mut self) -> Result<Duration> {
        let (ended, store, world) = (&AtomicBool::new(false), self.store, self.world);
        thread::scope(|scope| {
            let writer = scope.spawn(move || {
                let (runtime, mut chance) = (Builder::new_current_thread().build()?, Chance::begin());
                while !ended.load(Ordering::Acquire) {
                    let org = world::org_id(chance.below(world.size()))?;
                    runtime.block_on(store.add_member(AddMember::new(org, chance.fresh_user()?, "member")))?;
                }
                anyhow::Ok(())
            });
            let taken = self.side.sample();
            ended.store(true, Ordering::Release);
            writer.join().map_err(|_| anyhow!("the writer panicked"))??;
            taken
        })
    }

    fn operations(&self) -> usize {
        self.side.operations()
    }
}

/// What the future costs, and what asking the store itself does.
fn through_the_trait(kept: bool) -> Contest<Memory> {
    Contest {
        goal_row: "1",
        operation: if kept { "has_permission, kept, awaited" } else { "has_permission of the store, awaited" }.to_owned(),
        terms: "same key".to_owned(),
        floor: "get from a map with a fast hash, keyed by user and organization",
        goal: Goal::Beside,
        enter: Box::new(move |open| {
            let (world, store, scene) = open.largest_with_scene()?;
            let mut chance = Chance::begin();
            let floor = by_reference(SAMPLE, move || Who::Owner.key(&mut chance, world), move |key| Ok(open.map.get(*key).is_some()));
            let resolver = cached(store);
            warm(&open.runtime, &resolver, Who::Owner, world, scene)?;
            let mut chance = Chance::begin();
            let make = move || Who::Owner.pair(&mut chance, world, scene);
            let ours = awaited(&open.runtime, SAMPLE, make, async move |(usr, org)| {
                Ok(if kept {
                    resolver.has_permission(usr, org, PERMISSION).await?
                } else {
                    store.has_permission(usr, org, PERMISSION).await?
                })
            });
            Ok(vec![Entrant::new("map", floor), Entrant::new("store", ours)])
        }),
    }
}

/// Everything at the tenth level, beside one question there; or beside everything at the first.
fn resolving(beside_one: bool) -> Contest<Memory> {
    Contest {
        goal_row: "4",
        operation: "resolve_permissions at the tenth level".to_owned(),
        terms: if beside_one { "beside has_permission" } else { "beside the first level" }.to_owned(),
        floor: if beside_one { "has_permission at the tenth level" } else { "resolve_permissions at the first level" },
        goal: Goal::AtMost(if beside_one { 2.0 } else { 1.1 }),
        enter: Box::new(move |open| {
            let (_, store, scene) = open.largest_with_scene()?;
            let resolve = |pair: Pair| {
                awaited(&open.runtime, SAMPLE, move || Ok(pair), async move |(usr, org)| Ok(store.resolve_permissions(usr, org).await?))
            };
            let ask = |pair: Pair| {
                awaited(
                    &open.runtime,
                    SAMPLE,
                    move || Ok(pair),
                    async move |(usr, org)| Ok(store.has_permission(usr, org, PERMISSION).await?),
                )
            };
            let floor = if beside_one { ask(scene.deep) } else { resolve(scene.shallow) };
            Ok(vec![Entrant::new("floor", floor), Entrant::new("tenth level", resolve(scene.deep))])
        }),
    }
}

/// A question in the largest world beside the smallest, of the store or of what is kept.
fn growing(keys: Keys, kept: bool) -> Contest<Memory> {
    Contest {
        goal_row: "9",
        operation: if kept { "has_permission, kept" } else { "has_permission" }.to_owned(),
        terms: keys.name().to_owned(),
        floor: "the same in the smallest store",
        goal: Goal::AtMost(keys.growth()),
        enter: Box::new(move |open| {
            let side = |(world, store): &(World, MemoryStore)| -> Box<dyn Side + '_> {
                let (world, store, mut chance) = (*world, store.clone(), Chance::begin());
                let resolver = cached(&store).capacity(usize::try_from(world.size()).unwrap_or(usize::MAX));
                let make = move || {
                    let n = keys.next(&mut chance, world);
                    Ok((world::user_id(n)?, world::org_id(n)?))
                };
                awaited(&open.runtime, SAMPLE, make, async move |(usr, org): Pair| {
                    let held = if kept {
                        resolver.has_permission(usr, org, PERMISSION).await?
                    } else {
                        store.has_permission(usr, org, PERMISSION).await?
                    };
                    ensure!(held, "{usr} does not hold it");
                    Ok(())
                })
            };
            let (small, large) = ends(&open.stores)?;
            Ok(vec![Entrant::new("smallest", side(small)), Entrant::new("largest", side(large))])
        }),
    }
}
