//! Postgres: on a held connection and through a pool, beside statements by hand on the same kind of connection.

mod access;

use std::cell::RefCell;
use std::rc::Rc;
use std::str::FromStr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use sqlx::pool::PoolOptions;
use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions, Connection, PgConnection, PgPool};
use tenantry_core::{AddMember, MembershipId, TenancyStore};
use tenantry_postgres::{Options, PostgresStore};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::Mutex;
use uuid::Uuid;

use super::writes::{OFFERS, Offers, Rotating, Write, acceptance, founding, invite, joining};
use super::{Asked, Bench, Contest, Enter, Keys, Programme, Series, Which, ends, fill_bar, page};
use crate::figures::{Goal, Mode, Store};
use crate::fill;
use crate::floor::{Founding, Joining, postgres as floor};
use crate::measure::{Entrant, Side};
use crate::scene::{self, Scene};
use crate::sides::{awaited, on_held, timed};
use crate::world::{self, Chance, World};

/// Connections that write at the same time.
const WRITERS: usize = 8;

/// Operations of each of them in a sample.
const SHARE: usize = 8;

/// Databases, one for each world.
#[derive(Debug)]
pub struct Postgres {
    runtime: Runtime,
    /// With several threads, for many connections at once.
    many: Runtime,
    stores: Vec<Opened>,
    /// The store of the middle, over a pool that the many share.
    crowded: PostgresStore,
}

/// A database.
#[derive(Debug)]
struct Opened {
    world: World,
    address: PgConnectOptions,
    /// A pool of one connection.
    one: PgPool,
    /// The store over it.
    held: PostgresStore,
    /// A pool as an application has it.
    pool: PgPool,
    /// The store over it.
    pooled: PostgresStore,
    /// Of the crowd's last page.
    last: String,
    /// Who is asked about; nobody in the store that is compared with an import.
    scene: Option<Scene>,
}

/// How the server is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// The connection is there when the call begins, and nothing else is on it.
    Held,
    /// Call after call through a pool. It asks a connection that comes back whether it still lives.
    Pool,
    /// Inside a transaction of the caller on a held connection, with its begin and its commit.
    Transaction,
}

impl Way {
    const ALL: [Self; 3] = [Self::Held, Self::Pool, Self::Transaction];
    /// Those on which a read alone makes sense.
    const OF_READS: [Self; 2] = [Self::Held, Self::Pool];

    const fn name(self) -> &'static str {
        match self {
            Self::Held => "held connection",
            Self::Pool => "pool",
            Self::Transaction => "caller's transaction",
        }
    }
}

/// The databases are named in full, as statements are not put together here.
const DATABASES: [(&str, &str, &str); 5] = [
    ("tenantry_bench_compared", "DROP DATABASE IF EXISTS tenantry_bench_compared WITH (FORCE)", "CREATE DATABASE tenantry_bench_compared"),
    ("tenantry_bench_1", "DROP DATABASE IF EXISTS tenantry_bench_1 WITH (FORCE)", "CREATE DATABASE tenantry_bench_1"),
    ("tenantry_bench_2", "DROP DATABASE IF EXISTS tenantry_bench_2 WITH (FORCE)", "CREATE DATABASE tenantry_bench_2"),
    ("tenantry_bench_3", "DROP DATABASE IF EXISTS tenantry_bench_3 WITH (FORCE)", "CREATE DATABASE tenantry_bench_3"),
    ("tenantry_bench_4", "DROP DATABASE IF EXISTS tenantry_bench_4 WITH (FORCE)", "CREATE DATABASE tenantry_bench_4"),
];

/// What the server promises of a commit, and what else figures hang on.
const MODES: [&str; 5] = ["server_version", "fsync", "synchronous_commit", "full_page_writes", "shared_buffers"];

impl Postgres {
    /// Makes and fills the databases on a server.
    ///
    /// # Errors
    /// What the server refused, a server that does not flush its log, or an interrupt.
    pub fn open(bench: &mut Bench, url: &str) -> Result<Self> {
        let server = PgConnectOptions::from_str(url).context("the server's address does not have its form")?;
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let many = Builder::new_multi_thread().enable_all().worker_threads(2).build()?;
        ensure!(bench.sizes.len() < DATABASES.len(), "at most {} sizes", DATABASES.len() - 1);
        let stores = runtime.block_on(async {
            look(bench, &server).await?;
            let mut stores = Vec::new();
            let compared = World::new(fill::COMPARED.min(bench.sizes.last().copied().unwrap_or(1)));
            for (world, names) in [compared].into_iter().chain(bench.worlds()).zip(DATABASES) {
                let begun = Instant::now();
                let mut opened = Opened::make(&server, names, world).await?;
                if stores.is_empty() {
                    let imported = tenantry_memory::new();
                    fill::memory::import(&imported, world).await?;
                    fill::verify(&imported, &opened.held).await?;
                } else {
                    bench.filled(Store::Postgres, world, begun.elapsed().as_secs_f64());
                    opened.furnish().await?;
                }
                stores.push(opened);
            }
            anyhow::Ok(stores)
        })?;
        let mut stores = stores.into_iter();
        drop(stores.next());
        let stores: Vec<Opened> = stores.collect();
        let middle = stores.get(1.min(stores.len() - 1)).context("there is a world")?;
        let crowded = many.block_on(async {
            let pool = pool(&middle.address, u32::try_from(WRITERS)?);
            // As the pool that the store makes for itself.
            anyhow::Ok(Options::new().linger(Duration::from_millis(100)).from_pool(pool).await?)
        })?;
        Ok(Self { runtime, many, stores, crowded })
    }

    /// Removes the databases.
    ///
    /// # Errors
    /// The server's.
    pub fn close(self, url: &str) -> Result<()> {
        let Self { runtime, many, stores, crowded } = self;
        drop((stores, crowded, many));
        runtime.block_on(async {
            let mut conn = PgConnectOptions::from_str(url)?.connect().await?;
            for (_, drop, _) in DATABASES {
                sqlx::raw_sql(drop).execute(&mut conn).await?;
            }
            Ok(())
        })
    }

    /// What is measured in Postgres.
    pub fn programme() -> Programme<Self> {
        let mut contests = Vec::new();
        for way in Way::ALL {
            contests.extend(Write::ALL.map(|write| mutation(write, way)));
        }
        contests.extend([contention(false), contention(true)]);
        for way in Way::OF_READS {
            contests.extend([list_members(Which::First, way), list_members(Which::Last, way), get_membership(way)]);
        }
        contests.push(last_page());
        contests.extend(access::contests());
        contests.extend(Asked::ALL.into_iter().flat_map(|asked| Keys::ALL.map(|keys| growing(asked, keys))));
        Programme { contests, series: series() }
    }

    fn middle(&self) -> Result<&Opened> {
        self.stores.get(1.min(self.stores.len().saturating_sub(1))).context("there is a world")
    }

    fn largest(&self) -> Result<&Opened> {
        Ok(ends(&self.stores)?.1)
    }
}

/// Notes the server's settings; one that does not flush at a commit is refused, as figures about writes would say nothing.
async fn look(bench: &mut Bench, server: &PgConnectOptions) -> Result<()> {
    let mut conn = server.connect().await.context("the server cannot be reached")?;
    for name in MODES {
        let value: String = sqlx::query_scalar("SELECT current_setting($1)").bind(name).fetch_one(&mut conn).await?;
        if ["fsync", "synchronous_commit"].contains(&name) && value != "on" {
            bail!("the server has {name} = {value}: writes that need not reach the disk say nothing; name a server where it is on");
        }
        bench.report.modes.push(Mode { of: "Postgres".to_owned(), name: name.to_owned(), value });
    }
    Ok(())
}

fn pool(address: &PgConnectOptions, connections: u32) -> PgPool {
    // As the store's own pool: a dead connection is found and replaced where it is used.
    PoolOptions::new().max_connections(connections).test_before_acquire(false).connect_lazy_with(address.clone())
}

impl Opened {
    async fn make(
        server: &PgConnectOptions,
        (name, drop, create): (&'static str, &'static str, &'static str),
        world: World,
    ) -> Result<Self> {
        let mut conn = server.connect().await?;
        sqlx::raw_sql(drop).execute(&mut conn).await?;
        sqlx::raw_sql(create).execute(&mut conn).await?;
        let address = server.clone().database(name);
        let (one, pool) = (pool(&address, 1), pool(&address, 10));
        let held = Options::new().migrate(true).from_pool(one.clone()).await?;
        fill::postgres::fill(&mut address.connect().await?, world, &fill_bar(Store::Postgres, world)).await?;
        let pooled = Options::new().from_pool(pool.clone()).await?;
        let last = fill::read_back(&held, world).await?;
        Ok(Self { world, address, one, held, pool, pooled, last, scene: None })
    }

    /// Adds what is asked about permissions.
    async fn furnish(&mut self) -> Result<()> {
        self.scene = Some(scene::furnish(&self.held, self.world).await?);
        sqlx::query("ANALYZE").execute(&mut self.address.connect().await?).await?;
        Ok(())
    }

    fn scene(&self) -> Result<&Scene> {
        self.scene.as_ref().context("nobody is asked about in this store")
    }

    /// A statement by hand on a connection of its own, or on one of a pool.
    fn floor<'s, I: 's, T: 's>(
        &'s self,
        open: &'s Postgres,
        way: Way,
        make: impl FnMut() -> Result<I> + 's,
        mut call: impl AsyncFnMut(&mut PgConnection, I) -> Result<T> + 's,
    ) -> Result<Box<dyn Side + 's>> {
        Ok(match way {
            Way::Held => {
                let mut conn = open.runtime.block_on(self.address.connect())?;
                awaited(&open.runtime, 1, make, async move |input| call(&mut conn, input).await)
            }
            Way::Pool => awaited(&open.runtime, 10, make, async move |input| {
                let mut conn = self.pool.acquire().await?;
                call(&mut conn, input).await
            }),
            Way::Transaction => {
                let mut conn = open.runtime.block_on(self.address.connect())?;
                awaited(&open.runtime, 1, make, async move |input| {
                    let mut tx = conn.begin().await?;
                    let done = call(&mut tx, input).await?;
                    tx.commit().await?;
                    Ok(done)
                })
            }
        })
    }

    /// An operation of the store.
    fn store<'s, I: 's, T: 's>(
        &'s self,
        open: &'s Postgres,
        way: Way,
        make: impl FnMut() -> Result<I> + 's,
        mut call: impl AsyncFnMut(&dyn TenancyStore, I) -> Result<T> + 's,
    ) -> Result<Box<dyn Side + 's>> {
        Ok(match way {
            Way::Held => on_held(&open.runtime, &self.one, make, async move |input| call(&self.held, input).await),
            Way::Pool => awaited(&open.runtime, 10, make, async move |input| call(&self.pooled, input).await),
            Way::Transaction => {
                let mut conn = open.runtime.block_on(self.address.connect())?;
                awaited(&open.runtime, 1, make, async move |input| {
                    let mut tx = conn.begin().await?;
                    let done = call(&tenantry_postgres::bind(&self.held, &mut tx), input).await?;
                    tenantry_postgres::commit(&self.held, tx).await?;
                    Ok(done)
                })
            }
        })
    }
}

fn mutation(write: Write, way: Way) -> Contest<Postgres> {
    Contest {
        goal_row: "5",
        operation: write.name().to_owned(),
        terms: way.name().to_owned(),
        floor: "the same rows by one prepared statement",
        goal: if way == Way::Held { Goal::AtMost(1.6) } else { Goal::Beside },
        enter: Box::new(move |open| {
            let middle = open.middle()?;
            Ok(vec![Entrant::new("floor", floor_of(write, way, open, middle)?), Entrant::new("store", store_of(write, way, open, middle)?)])
        }),
    }
}

fn floor_of<'s>(write: Write, way: Way, open: &'s Postgres, middle: &'s Opened) -> Result<Box<dyn Side + 's>> {
    let (runtime, world, mut chance) = (&open.runtime, middle.world, Chance::begin());
    match write {
        Write::CreateOrg => {
            let make = move || {
                let usr = world::user_id(chance.below(world.size()))?;
                Founding::new(&mut chance, usr)
            };
            middle.floor(open, way, make, floor::create_org)
        }
        Write::AddMember => {
            let make = move || {
                let org = world::org_id(chance.below(world.size()))?;
                Joining::new(&mut chance, org)
            };
            middle.floor(open, way, make, floor::add_member)
        }
        Write::ChangeRole => {
            let mut rotating = runtime.block_on(Rotating::new(&middle.held, world))?;
            middle.floor(open, way, move || rotating.rows(), floor::change_role)
        }
        Write::Accept => {
            let mut offers = Offers::new(world);
            let make = move || {
                let (inv, usr) = offers.next(|chance, world| runtime.block_on(invite(&middle.held, chance, world, OFFERS)))?;
                offers.rows(&inv, usr)
            };
            middle.floor(open, way, make, floor::accept_invitation)
        }
    }
}

fn store_of<'s>(write: Write, way: Way, open: &'s Postgres, middle: &'s Opened) -> Result<Box<dyn Side + 's>> {
    let (runtime, world, mut chance) = (&open.runtime, middle.world, Chance::begin());
    match write {
        Write::CreateOrg => {
            middle.store(open, way, move || founding(&mut chance, world), async |store, request| Ok(store.create_org(request).await?))
        }
        Write::AddMember => {
            middle.store(open, way, move || joining(&mut chance, world), async |store, request| Ok(store.add_member(request).await?))
        }
        Write::ChangeRole => {
            let rotating = Rc::new(RefCell::new(runtime.block_on(Rotating::new(&middle.held, world))?));
            let next = Rc::clone(&rotating);
            // Through the pool several are made ready at once, and none of them twice: the second would name a row that is no more.
            let mut ready = Vec::new();
            let make = move || {
                if ready.len() == 10 {
                    ready.clear();
                }
                loop {
                    let (at, request) = next.borrow_mut().request()?;
                    if !ready.contains(&at) {
                        ready.push(at);
                        return Ok((at, request));
                    }
                }
            };
            middle.store(open, way, make, async move |store, (at, request)| {
                let mem = store.change_role(request).await?;
                rotating.borrow_mut().replaced(at, mem.id, mem.role);
                Ok(mem)
            })
        }
        Write::Accept => {
            let mut offers = Offers::new(world);
            let make = move || {
                let (inv, usr) = offers.next(|chance, world| runtime.block_on(invite(&middle.held, chance, world, OFFERS)))?;
                Ok(acceptance(&inv, usr))
            };
            middle.store(open, way, make, async |store, request| Ok(store.accept_invitation(request).await?))
        }
    }
}

/// Many that join at once, into different organizations or into the same.
fn contention(same: bool) -> Contest<Postgres> {
    Contest {
        goal_row: "5b",
        operation: "add_member".to_owned(),
        terms: format!("{WRITERS} connections, {}", if same { "the same organization" } else { "different organizations" }),
        floor: "as many connections with one prepared statement",
        goal: Goal::ThroughputAtLeast(if same { 0.45 } else { 0.6 }),
        enter: Box::new(move |open| {
            let middle = open.middle()?;
            let world = middle.world;
            let org = move |chance: &mut Chance, writer: usize| {
                let writers = u32::try_from(WRITERS)?;
                let others = chance.below((world.size() / writers).max(1)) * writers + u32::try_from(writer)?;
                world::org_id(if same { 0 } else { others.min(world.size() - 1) })
            };
            let conns = open.many.block_on(async {
                let mut conns = Vec::new();
                for _ in 0..WRITERS {
                    conns.push(Arc::new(Mutex::new(middle.address.connect().await?)));
                }
                anyhow::Ok(conns)
            })?;
            let (mut chance, mut writer) = (Chance::begin(), 0);
            let make = move || {
                writer = (writer + 1) % WRITERS;
                let org = org(&mut chance, writer)?;
                Joining::new(&mut chance, org)
            };
            let floor = together(&open.many, make, move |writer, inputs| {
                let conn = conns.get(writer).map(Arc::clone);
                async move {
                    let conn = conn.context("a connection for each writer")?;
                    let mut conn = conn.lock().await;
                    for rows in inputs {
                        floor::add_member(&mut conn, rows).await?;
                    }
                    Ok(())
                }
            });
            let (mut chance, mut writer) = (Chance::begin(), 0);
            let make = move || {
                writer = (writer + 1) % WRITERS;
                Ok(AddMember::new(org(&mut chance, writer)?, chance.fresh_user()?, "member"))
            };
            let store = together(&open.many, make, |_, inputs| {
                let store = open.crowded.clone();
                async move {
                    for request in inputs {
                        store.add_member(request).await?;
                    }
                    Ok(())
                }
            });
            Ok(vec![Entrant::new("floor", floor), Entrant::new("store", store)])
        }),
    }
}

/// Writers that work at the same time; a sample takes as long as the slowest of them, and its operations are those of all.
fn together<'s, I: Send + 'static, F: Future<Output = Result<()>> + Send + 'static>(
    runtime: &'s Runtime,
    make: impl FnMut() -> Result<I> + 's,
    work: impl Fn(usize, Vec<I>) -> F + 's,
) -> Box<dyn Side + 's> {
    timed(WRITERS * SHARE, make, move |inputs| {
        let mut shares: Vec<Vec<I>> = (0..WRITERS).map(|_| Vec::with_capacity(SHARE)).collect();
        for (at, input) in inputs.into_iter().enumerate() {
            if let Some(share) = shares.get_mut(at % WRITERS) {
                share.push(input);
            }
        }
        runtime.block_on(async {
            let begun = Instant::now();
            let running: Vec<_> = shares.into_iter().enumerate().map(|(writer, share)| runtime.spawn(work(writer, share))).collect();
            for task in running {
                task.await??;
            }
            Ok(begun.elapsed())
        })
    })
}

fn get_membership(way: Way) -> Contest<Postgres> {
    Contest {
        goal_row: "6",
        operation: "get_membership".to_owned(),
        terms: way.name().to_owned(),
        floor: "the prepared look-up by id, every column read",
        goal: if way == Way::Held { Goal::AtMost(1.15) } else { Goal::Beside },
        enter: Box::new(move |open| {
            let largest = open.largest()?;
            let key = || {
                let (world, mut chance) = (largest.world, Chance::begin());
                move || world::ownership_id(chance.below(world.size()))
            };
            let look_up = async |conn: &mut PgConnection, mem: MembershipId| floor::get_membership(conn, mem.as_uuid()).await;
            let floor = largest.floor(open, way, key(), look_up)?;
            let store = largest.store(open, way, key(), async |store, mem| Ok(store.get_membership(mem).await?))?;
            Ok(vec![Entrant::new("floor", floor), Entrant::new("store", store)])
        }),
    }
}

fn list_members(which: Which, way: Way) -> Contest<Postgres> {
    Contest {
        goal_row: "6",
        operation: format!("list_members, {} page of 50", if which == Which::First { "first" } else { "last" }),
        terms: way.name().to_owned(),
        floor: "the same statement, every column read",
        goal: if way == Way::Held { Goal::AtMost(1.15) } else { Goal::Beside },
        enter: Box::new(move |open| {
            let largest = open.largest()?;
            let (world, crowd) = (largest.world, largest.world.crowd()?);
            let cursor = (which == Which::Last).then_some(largest.last.as_str());
            let behind = match which {
                Which::First => Uuid::nil(),
                Which::Last => world::crowd_member_id(world.size().saturating_sub(51))?.as_uuid(),
            };
            let look_up = async move |conn: &mut PgConnection, ()| floor::list_members(conn, crowd.as_uuid(), behind).await;
            let floor = largest.floor(open, way, || Ok(()), look_up)?;
            let make = move || Ok(page(crowd, cursor));
            let store = largest.store(open, way, make, async |store, request| Ok(store.list_members(request).await?))?;
            Ok(vec![Entrant::new("floor", floor), Entrant::new("store", store)])
        }),
    }
}

fn last_page() -> Contest<Postgres> {
    Contest {
        goal_row: "6",
        operation: "list_members, last page of 50".to_owned(),
        terms: "held connection".to_owned(),
        floor: "the first page",
        goal: Goal::AtMost(1.1),
        enter: Box::new(|open| {
            let largest = open.largest()?;
            let crowd = largest.world.crowd()?;
            let side = |cursor| {
                let make = move || Ok(page(crowd, cursor));
                largest.store(open, Way::Held, make, async |store, request| Ok(store.list_members(request).await?))
            };
            Ok(vec![Entrant::new("first", side(None)?), Entrant::new("last", side(Some(largest.last.as_str()))?)])
        }),
    }
}

fn growing(asked: Asked, keys: Keys) -> Contest<Postgres> {
    Contest {
        goal_row: "9",
        operation: asked.name().to_owned(),
        terms: format!("held connection, {}", keys.name()),
        floor: "the same in the smallest store",
        goal: Goal::AtMost(keys.growth()),
        enter: Box::new(move |open| {
            let (small, large) = ends(&open.stores)?;
            Ok(vec![Entrant::new("smallest", check(open, small, asked, keys)?), Entrant::new("largest", check(open, large, asked, keys)?)])
        }),
    }
}

fn check<'s>(open: &'s Postgres, opened: &'s Opened, asked: Asked, keys: Keys) -> Result<Box<dyn Side + 's>> {
    let (world, mut chance) = (opened.world, Chance::begin());
    let make = move || asked.request(world, keys.next(&mut chance, world));
    opened.store(open, Way::Held, make, async move |store, request| {
        ensure!(store.check(request).await?.allowed == asked.holds(), "a check went wrong");
        Ok(())
    })
}

fn series() -> Vec<Series<Postgres>> {
    vec![
        Series {
            operation: "get_membership",
            enter: each(|open, opened| {
                let (world, mut chance) = (opened.world, Chance::begin());
                let make = move || world::ownership_id(chance.below(world.size()));
                opened.store(open, Way::Held, make, async |store, mem| Ok(store.get_membership(mem).await?))
            }),
        },
        Series {
            operation: "list_members, page of 50",
            enter: each(|open, opened| {
                let make = || Ok(page(opened.world.crowd()?, None));
                opened.store(open, Way::Held, make, async |store, request| Ok(store.list_members(request).await?))
            }),
        },
        Series { operation: "check by a membership", enter: each(|open, opened| check(open, opened, Asked::Owner, Keys::Cold)) },
        Series { operation: "check by a tuple", enter: each(|open, opened| check(open, opened, Asked::Viewer, Keys::Cold)) },
        Series {
            operation: "add_member",
            enter: each(|open, opened| {
                let (world, mut chance) = (opened.world, Chance::begin());
                let make = move || joining(&mut chance, world);
                opened.store(open, Way::Held, make, async |store, request| Ok(store.add_member(request).await?))
            }),
        },
    ]
}

/// One side for each world.
fn each(side: impl for<'s> Fn(&'s Postgres, &'s Opened) -> Result<Box<dyn Side + 's>> + 'static) -> Enter<Postgres> {
    Box::new(move |open| open.stores.iter().map(|opened| Ok(Entrant::new(opened.world.size().to_string(), side(open, opened)?))).collect())
}
