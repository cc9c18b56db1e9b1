//! Memory: checks beside a look-up in a map, and growth.

mod access;

use std::hint::{black_box, spin_loop};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, ensure};
use tenantry_core::{AddMember, CheckOne, TenancyStore};
use tenantry_memory::MemoryStore;
use tokio::runtime::{Builder, Runtime};

use super::{Asked, Bench, Contest, Keys, Programme, Series, ends, fill_bar, page};
use crate::figures::{Goal, Store};
use crate::fill;
use crate::floor::map::{self, Map};
use crate::measure::{Entrant, Side};
use crate::scene::{self, Scene};
use crate::sides::awaited;
use crate::world::{self, Chance, World};

/// What a direct check may take, in nanoseconds.
const DIRECT: f64 = 400.0;

/// Operations of a sample: a check is too short to be timed alone.
const SAMPLE: usize = 64;

/// Stores in memory, one for each world.
#[derive(Debug)]
pub struct Memory {
    runtime: Runtime,
    stores: Vec<(World, MemoryStore)>,
    /// Who is asked about in each.
    scenes: Vec<Scene>,
    /// The floor of the largest.
    map: Map,
}

impl Memory {
    /// Fills them.
    ///
    /// # Errors
    /// What an import failed with, or an interrupt.
    pub fn open(bench: &mut Bench) -> Result<Self> {
        let runtime = Builder::new_current_thread().build()?;
        let (mut stores, mut scenes) = (Vec::new(), Vec::new());
        for world in bench.worlds() {
            let (begun, store) = (Instant::now(), tenantry_memory::new());
            runtime.block_on(fill::memory::fill(&store, world, &fill_bar(Store::Memory, world)))?;
            bench.filled(Store::Memory, world, begun.elapsed().as_secs_f64());
            runtime.block_on(fill::read_back(&store, world))?;
            scenes.push(runtime.block_on(scene::furnish(&store, world))?);
            stores.push((world, store));
        }
        let (_, (largest, _)) = ends(&stores)?;
        let map = Map::of(*largest)?;
        Ok(Self { runtime, stores, scenes, map })
    }

    /// What is measured in memory.
    pub fn programme() -> Programme<Self> {
        let direct = Keys::ALL.into_iter().flat_map(|keys| [1, 2].map(|threads| direct(keys, threads)));
        let growing = Asked::ALL.into_iter().flat_map(|asked| Keys::ALL.map(|keys| growing(asked, keys)));
        Programme { contests: direct.chain(growing).chain(access::contests()).collect(), series: series() }
    }
}

/// A direct check by so many threads at once; its floor is a look-up by as many.
fn direct(keys: Keys, threads: usize) -> Contest<Memory> {
    Contest {
        goal_row: "1t",
        operation: "direct check".to_owned(),
        terms: format!("{}, {threads} thread{}", keys.name(), if threads == 1 { "" } else { "s" }),
        floor: "get from a map with a fast hash, keyed by user and organization",
        goal: Goal::NanosAtMost(DIRECT),
        enter: Box::new(move |open| {
            let (_, (world, store)) = ends(&open.stores)?;
            let world = *world;
            let floor = (0..threads).map(|_| {
                let mut chance = Chance::begin();
                move || {
                    let n = keys.next(&mut chance, world);
                    Ok(map::key(world::user_id(n)?, world::org_id(n)?))
                }
            });
            let ours = (0..threads).map(|_| {
                let mut chance = Chance::begin();
                move || Asked::Owner.request(world, keys.next(&mut chance, world))
            });
            let look_up = |_: &Runtime, keys: Vec<(u128, u128)>| {
                keys.into_iter().try_for_each(|key| black_box(open.map.get(black_box(key))).map(drop).context("the map has a hole"))
            };
            let check = |runtime: &Runtime, requests: Vec<CheckOne>| {
                runtime.block_on(async {
                    for request in requests {
                        ensure!(black_box(store.check(request).await?).allowed, "a check failed that holds");
                    }
                    Ok(())
                })
            };
            let get = Box::new(Together { threads: floor.collect(), call: look_up });
            let check = Box::new(Together { threads: ours.collect(), call: check });
            Ok(vec![Entrant::new("map", get), Entrant::new("store", check)])
        }),
    }
}

/// Threads that call at the same time, each with inputs of its own; what is told is the time of one thread.
struct Together<M, C> {
    threads: Vec<M>,
    call: C,
}

/// A thread takes a while to start, so that it makes many rounds; in each, inputs are made, all threads wait for each other, and
/// the calls are timed.
const ROUNDS: usize = 10;
const ROUND: usize = 200;

impl<I, M, C> Side for Together<M, C>
where
    M: FnMut() -> Result<I> + Send,
    C: Fn(&Runtime, Vec<I>) -> Result<()> + Sync,
{
    fn sample(&mut self) -> Result<Duration> {
        let (call, count, met) = (&self.call, self.threads.len(), &AtomicUsize::new(0));
        thread::scope(|scope| {
            let run = |make| scope.spawn(move || rounds(make, call, met, count));
            let running: Vec<_> = self.threads.iter_mut().map(run).collect();
            // The sum, which the number of operations divides: what one operation took where it ran.
            running.into_iter().map(|thread| thread.join().map_err(|_| anyhow!("a thread panicked"))?).sum()
        })
    }

    fn operations(&self) -> usize {
        ROUNDS * ROUND * self.threads.len()
    }
}

fn rounds<I>(
    make: &mut impl FnMut() -> Result<I>,
    call: &impl Fn(&Runtime, Vec<I>) -> Result<()>,
    met: &AtomicUsize,
    threads: usize,
) -> Result<Duration> {
    let runtime = Builder::new_current_thread().build()?;
    let mut spent = Duration::ZERO;
    for round in 1..=ROUNDS {
        let inputs = (0..ROUND).map(|_| make()).collect::<Result<Vec<I>>>();
        // Whoever fails is counted all the same, so that nobody waits for them.
        met.fetch_add(1, Ordering::AcqRel);
        // Not by sleeping: whoever has to be woken comes late.
        while met.load(Ordering::Acquire) < round * threads {
            spin_loop();
        }
        let begun = Instant::now();
        let called = inputs.and_then(|inputs| call(&runtime, inputs));
        spent += begun.elapsed();
        if called.is_err() {
            met.fetch_add(ROUNDS, Ordering::AcqRel);
        }
        called?;
    }
    Ok(spent)
}

/// A check in the largest world beside the smallest.
fn growing(asked: Asked, keys: Keys) -> Contest<Memory> {
    Contest {
        goal_row: "9",
        operation: asked.name().to_owned(),
        terms: keys.name().to_owned(),
        floor: "the same in the smallest store",
        goal: Goal::AtMost(keys.growth()),
        enter: Box::new(move |open| {
            let ((small, in_small), (large, in_large)) = ends(&open.stores)?;
            let small = Entrant::new("smallest", check(open, *small, in_small, asked, keys));
            Ok(vec![small, Entrant::new("largest", check(open, *large, in_large, asked, keys))])
        }),
    }
}

fn check<'s>(open: &'s Memory, world: World, store: &'s MemoryStore, asked: Asked, keys: Keys) -> Box<dyn Side + 's> {
    let mut chance = Chance::begin();
    let make = move || asked.request(world, keys.next(&mut chance, world));
    awaited(&open.runtime, SAMPLE, make, async move |request| {
        ensure!(store.check(request).await?.allowed == asked.holds(), "a check went wrong");
        Ok(())
    })
}

fn series() -> Vec<Series<Memory>> {
    vec![
        Series {
            operation: "get_membership",
            enter: each(|open, world, store| {
                let mut chance = Chance::begin();
                let make = move || world::ownership_id(chance.below(world.size()));
                awaited(&open.runtime, SAMPLE, make, async move |mem| Ok(store.get_membership(mem).await?))
            }),
        },
        Series {
            operation: "list_members, page of 50",
            enter: each(|open, world, store| {
                awaited(
                    &open.runtime,
                    10,
                    move || Ok(page(world.crowd()?, None)),
                    async move |request| Ok(store.list_members(request).await?),
                )
            }),
        },
        Series {
            operation: "check by a membership",
            enter: each(|open, world, store| check(open, world, store, Asked::Owner, Keys::Cold)),
        },
        Series { operation: "check by a tuple", enter: each(|open, world, store| check(open, world, store, Asked::Viewer, Keys::Cold)) },
        Series {
            operation: "add_member",
            enter: each(|open, world, store| {
                let mut chance = Chance::begin();
                let make = move || Ok(AddMember::new(world::org_id(chance.below(world.size()))?, chance.fresh_user()?, "member"));
                awaited(&open.runtime, 10, make, async move |request| Ok(store.add_member(request).await?))
            }),
        },
    ]
}

/// One side for each world.
fn each(side: impl for<'s> Fn(&'s Memory, World, &'s MemoryStore) -> Box<dyn Side + 's> + 'static) -> super::Enter<Memory> {
    Box::new(move |open| {
        Ok(open.stores.iter().map(|(world, store)| Entrant::new(world.size().to_string(), side(open, *world, store))).collect())
    })
}
