//! SQLite: plain calls and awaited ones, beside the same file read and written by hand.

mod access;

use std::cell::RefCell;
use std::fs;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use rusqlite::Connection;
use rusqlite::config::DbConfig;
use tenantry_core::{Clock, MembershipId, OrgId, TenancyStore, UserId, source::SystemClock};
use tenantry_sqlite::{BlockingStore, Durability, Options, SqliteStore};
use tokio::runtime::{Builder, Runtime};

use super::writes::{OFFERS, Offers, Rotating, Write, acceptance, founding, invite, joining};
use super::{Asked, Bench, Contest, Enter, Keys, Programme, Series, Which, ends, fill_bar, page};
use crate::figures::{Goal, Mode, Store};
use crate::fill;
use crate::floor::sqlite::{self as floor, Writer};
use crate::floor::{Founding, Joining};
use crate::measure::{Entrant, Side};
use crate::scene::{self, Scene};
use crate::sides::{awaited, blocking};
use crate::world::{self, Chance, World};

/// Operations of a sample of reads: one is too short to be timed alone.
const SAMPLE: usize = 16;

/// Files, one for each world, and copies of one of them to write to.
#[derive(Debug)]
pub struct Sqlite {
    runtime: Runtime,
    stores: Vec<Opened>,
    full: Written,
    normal: Written,
}

/// A file that is read.
#[derive(Debug)]
struct Opened {
    world: World,
    path: PathBuf,
    direct: BlockingStore,
    threads: SqliteStore,
    /// Of the crowd's last page.
    last: String,
    /// Who is asked about.
    scene: Scene,
}

/// Files that are written to, each by one of the sides alone: whoever writes beside another has to read anew what that one wrote.
#[derive(Debug)]
struct Written {
    world: World,
    durability: Durability,
    floor: PathBuf,
    direct: BlockingStore,
    threads: SqliteStore,
}

/// How the store is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Call {
    /// As a plain call, on the caller's thread.
    Plain,
    /// Awaited, while a thread of the store does it.
    Awaited,
}

impl Call {
    const ALL: [Self; 2] = [Self::Plain, Self::Awaited];

    const fn name(self) -> &'static str {
        match self {
            Self::Plain => "blocking",
            Self::Awaited => "async",
        }
    }

    /// The goals are about plain calls; the way to another thread and back is another matter.
    const fn goal(self, most: f64) -> Goal {
        match self {
            Self::Plain => Goal::AtMost(most),
            Self::Awaited => Goal::Beside,
        }
    }
}

impl Sqlite {
    /// Makes and fills the files in a folder.
    ///
    /// # Errors
    /// What SQLite refused, or an interrupt.
    pub fn open(bench: &mut Bench, folder: &Path) -> Result<Self> {
        let runtime = Builder::new_current_thread().build()?;
        let compared = folder.join("compared.db");
        let world = World::new(fill::COMPARED.min(bench.sizes.last().copied().unwrap_or(1)));
        fill::sqlite::fill(&compared, world, &fill_bar(Store::Sqlite, world))?;
        let imported = tenantry_memory::new();
        runtime.block_on(fill::memory::import(&imported, world))?;
        runtime.block_on(fill::verify(&imported, &tenantry_sqlite::open(&compared)?))?;

        let mut stores = Vec::new();
        for world in bench.worlds() {
            let (begun, path) = (Instant::now(), folder.join(format!("world-{}.db", world.size())));
            fill::sqlite::fill(&path, world, &fill_bar(Store::Sqlite, world))?;
            bench.filled(Store::Sqlite, world, begun.elapsed().as_secs_f64());
            stores.push((world, path));
        }
        // Writes are measured in a store of the middle: it is copied several times, before anything holds it open.
        let (world, template) = stores.get(1.min(stores.len() - 1)).context("there is a world")?;
        let full = Written::copy(folder, template, *world, Durability::Full)?;
        let normal = Written::copy(folder, template, *world, Durability::Normal)?;
        let open = |(world, path): (World, PathBuf)| {
            let (direct, threads) = (Options::new().open_blocking(&path)?, Options::new().open(&path)?);
            let last = runtime.block_on(fill::read_back(&threads, world))?;
            let scene = runtime.block_on(scene::furnish(&threads, world))?;
            Ok(Opened { world, path, direct, threads, last, scene })
        };
        let stores: Vec<Opened> = stores.into_iter().map(open).collect::<Result<_>>()?;
        bench.report.modes.push(Mode { of: "SQLite".to_owned(), name: "version".to_owned(), value: rusqlite::version().to_owned() });
        Ok(Self { runtime, stores, full, normal })
    }

    /// What is measured in SQLite.
    pub fn programme() -> Programme<Self> {
        let mut contests = Vec::new();
        for durability in [Durability::Full, Durability::Normal] {
            contests.extend(Write::ALL.into_iter().flat_map(|write| Call::ALL.map(|call| mutation(write, durability, call))));
        }
        for call in Call::ALL {
            contests.extend([get_membership(call), direct_check(call)]);
        }
        for call in Call::ALL {
            contests.extend([list_members(Which::First, call), list_members(Which::Last, call)]);
        }
        contests.push(last_page());
        contests.extend(Asked::ALL.into_iter().flat_map(|asked| Keys::ALL.map(|keys| growing(asked, keys))));
        contests.extend(access::contests());
        Programme { contests, series: series() }
    }

    fn written(&self, durability: Durability) -> &Written {
        if durability == Durability::Full { &self.full } else { &self.normal }
    }

    fn largest(&self) -> Result<&Opened> {
        Ok(ends(&self.stores)?.1)
    }
}

impl Written {
    fn copy(folder: &Path, template: &Path, world: World, durability: Durability) -> Result<Self> {
        let copy = |name: &str| {
            let path = folder.join(format!("{name}-{durability:?}.db"));
            fs::copy(template, &path).map(|_| path)
        };
        let options = || Options::new().durability(durability);
        let (direct, threads) = (options().open_blocking(copy("direct")?)?, options().open(copy("threads")?)?);
        Ok(Self { world, durability, floor: copy("floor")?, direct, threads })
    }

    /// A connection on the terms of the store's own.
    fn connect(&self) -> Result<Connection> {
        let db = connect(&self.floor)?;
        db.pragma_update(None, "synchronous", if self.durability == Durability::Full { "FULL" } else { "NORMAL" })?;
        db.pragma_update(None, "foreign_keys", true)?;
        Ok(db)
    }
}

fn connect(path: &Path) -> Result<Connection> {
    let db = Connection::open(path)?;
    db.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(()))?;
    db.set_prepared_statement_cache_capacity(64);
    db.pragma_update(None, "cache_size", -16_384)?;
    // Without it, SQLite plans statements anew for the values that are bound, once a file has been analyzed.
    db.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    Ok(db)
}

fn mutation(write: Write, durability: Durability, call: Call) -> Contest<Sqlite> {
    Contest {
        goal_row: "6b",
        operation: write.name().to_owned(),
        terms: format!("{}, synchronous {}", call.name(), if durability == Durability::Full { "FULL" } else { "NORMAL" }),
        floor: "one prepared transaction of the same rows",
        goal: call.goal(1.5),
        enter: Box::new(move |open| {
            let written = open.written(durability);
            let floor = floor_of(write, open, written)?;
            let store = match call {
                Call::Plain => plain(write, open, written)?,
                Call::Awaited => threaded(write, open, written)?,
            };
            Ok(vec![Entrant::new("floor", floor), Entrant::new("store", store)])
        }),
    }
}

fn floor_of<'s>(write: Write, open: &'s Sqlite, written: &Written) -> Result<Box<dyn Side + 's>> {
    let (world, mut chance) = (written.world, Chance::begin());
    let mut writer = Writer::new(written.connect()?)?;
    Ok(match write {
        Write::CreateOrg => {
            let make = move || {
                let usr = world::user_id(chance.below(world.size()))?;
                Founding::new(&mut chance, usr)
            };
            blocking(1, make, move |rows| writer.create_org(&rows))
        }
        Write::AddMember => {
            let make = move || {
                let org = world::org_id(chance.below(world.size()))?;
                Joining::new(&mut chance, org)
            };
            blocking(1, make, move |rows| writer.add_member(&rows))
        }
        Write::ChangeRole => {
            let store = tenantry_sqlite::open(&written.floor)?;
            let mut rotating = open.runtime.block_on(Rotating::new(&store, world))?;
            drop(store);
            writer.catch_up()?;
            blocking(1, move || rotating.rows(), move |rows| writer.change_role(&rows))
        }
        Write::Accept => {
            let path = written.floor.clone();
            let mut offers = Offers::new(world);
            let shared = Rc::new(RefCell::new(writer));
            let catching_up = Rc::clone(&shared);
            let make = move || {
                let (inv, usr) = offers.next(|chance, world| {
                    let made = open.runtime.block_on(invite(&tenantry_sqlite::open(&path)?, chance, world, OFFERS))?;
                    catching_up.borrow_mut().catch_up()?;
                    Ok(made)
                })?;
                offers.rows(&inv, usr)
            };
            blocking(1, make, move |rows| shared.borrow_mut().accept_invitation(&rows))
        }
    })
}

fn plain<'s>(write: Write, open: &'s Sqlite, written: &'s Written) -> Result<Box<dyn Side + 's>> {
    let (world, store, mut chance) = (written.world, &written.direct, Chance::begin());
    Ok(match write {
        Write::CreateOrg => blocking(1, move || founding(&mut chance, world), |request| Ok(store.create_org(request)?)),
        Write::AddMember => blocking(1, move || joining(&mut chance, world), |request| Ok(store.add_member(request)?)),
        Write::ChangeRole => {
            let rotating = Rc::new(RefCell::new(open.runtime.block_on(Rotating::new(store.engine(), world))?));
            let next = Rc::clone(&rotating);
            let make = move || next.borrow_mut().request();
            blocking(1, make, move |(at, request)| {
                let mem = store.change_role(request)?;
                rotating.borrow_mut().replaced(at, mem.id, mem.role);
                Ok(mem)
            })
        }
        Write::Accept => {
            let mut offers = Offers::new(world);
            let make = move || {
                let more = |chance: &mut Chance, world| open.runtime.block_on(invite(store.engine(), chance, world, OFFERS));
                let (inv, usr) = offers.next(more)?;
                Ok(acceptance(&inv, usr))
            };
            blocking(1, make, |request| Ok(store.accept_invitation(request)?))
        }
    })
}

fn threaded<'s>(write: Write, open: &'s Sqlite, written: &'s Written) -> Result<Box<dyn Side + 's>> {
    let (runtime, world, store, mut chance) = (&open.runtime, written.world, &written.threads, Chance::begin());
    Ok(match write {
        Write::CreateOrg => awaited(runtime, 1, move || founding(&mut chance, world), async |request| Ok(store.create_org(request).await?)),
        Write::AddMember => awaited(runtime, 1, move || joining(&mut chance, world), async |request| Ok(store.add_member(request).await?)),
        Write::ChangeRole => {
            let rotating = Rc::new(RefCell::new(runtime.block_on(Rotating::new(store, world))?));
            let next = Rc::clone(&rotating);
            let make = move || next.borrow_mut().request();
            awaited(runtime, 1, make, async move |(at, request)| {
                let mem = store.change_role(request).await?;
                rotating.borrow_mut().replaced(at, mem.id, mem.role);
                Ok(mem)
            })
        }
        Write::Accept => {
            let mut offers = Offers::new(world);
            let make = move || {
                let (inv, usr) = offers.next(|chance, world| runtime.block_on(invite(store, chance, world, OFFERS)))?;
                Ok(acceptance(&inv, usr))
            };
            awaited(runtime, 1, make, async |request| Ok(store.accept_invitation(request).await?))
        }
    })
}

fn get_membership(call: Call) -> Contest<Sqlite> {
    Contest {
        goal_row: "6b",
        operation: "get_membership".to_owned(),
        terms: call.name().to_owned(),
        floor: "the prepared look-up by id, every column read",
        goal: call.goal(1.5),
        enter: Box::new(move |open| {
            let largest = open.largest()?;
            let key = || {
                let (world, mut chance) = (largest.world, Chance::begin());
                move || world::ownership_id(chance.below(world.size()))
            };
            let db = connect(&largest.path)?;
            let floor = blocking(SAMPLE, key(), move |mem: MembershipId| floor::get_membership(&db, mem.as_uuid()));
            let store = match call {
                Call::Plain => blocking(SAMPLE, key(), |mem| Ok(largest.direct.get_membership(mem)?)),
                Call::Awaited => awaited(&open.runtime, SAMPLE, key(), async |mem| Ok(largest.threads.get_membership(mem).await?)),
            };
            Ok(vec![Entrant::new("floor", floor), Entrant::new("store", store)])
        }),
    }
}

fn direct_check(call: Call) -> Contest<Sqlite> {
    Contest {
        goal_row: "6b",
        operation: "direct check".to_owned(),
        terms: call.name().to_owned(),
        floor: "the prepared look-up of the membership by organization and user",
        goal: call.goal(1.5),
        enter: Box::new(move |open| {
            let largest = open.largest()?;
            let (world, mut chance, now) = (largest.world, Chance::begin(), SystemClock.now().as_micros());
            let db = connect(&largest.path)?;
            let make = move || {
                let n = chance.below(world.size());
                Ok((world::org_id(n)?, world::user_id(n)?))
            };
            let floor = blocking(SAMPLE, make, move |(org, usr): (OrgId, UserId)| {
                floor::check(&db, org.as_uuid(), usr.as_uuid(), now)?.context("the floor found no owner")
            });
            let store = match call {
                Call::Plain => check(largest, Asked::Owner, Keys::Cold),
                Call::Awaited => {
                    let mut chance = Chance::begin();
                    let make = move || Asked::Owner.request(world, chance.below(world.size()));
                    awaited(&open.runtime, SAMPLE, make, async |request| Ok(largest.threads.check(request).await?))
                }
            };
            Ok(vec![Entrant::new("floor", floor), Entrant::new("store", store)])
        }),
    }
}

fn list_members(which: Which, call: Call) -> Contest<Sqlite> {
    Contest {
        goal_row: "6",
        operation: format!("list_members, {} page of 50", if which == Which::First { "first" } else { "last" }),
        terms: call.name().to_owned(),
        floor: "the same statements, every column read",
        goal: call.goal(1.15),
        enter: Box::new(move |open| {
            let largest = open.largest()?;
            let (world, crowd) = (largest.world, largest.world.crowd()?);
            let cursor = (which == Which::Last).then_some(largest.last.as_str());
            let behind = match which {
                Which::First => Vec::new(),
                Which::Last => world::crowd_member_id(world.size().saturating_sub(51))?.as_uuid().as_bytes().to_vec(),
            };
            let db = connect(&largest.path)?;
            let floor = blocking(1, || Ok(()), move |()| floor::list_members(&db, crowd.as_uuid(), &behind));
            let make = move || Ok(page(crowd, cursor));
            let store = match call {
                Call::Plain => blocking(1, make, |request| Ok(largest.direct.list_members(request)?)),
                Call::Awaited => awaited(&open.runtime, 1, make, async |request| Ok(largest.threads.list_members(request).await?)),
            };
            Ok(vec![Entrant::new("floor", floor), Entrant::new("store", store)])
        }),
    }
}

fn last_page() -> Contest<Sqlite> {
    Contest {
        goal_row: "6",
        operation: "list_members, last page of 50".to_owned(),
        terms: "blocking".to_owned(),
        floor: "the first page",
        goal: Goal::AtMost(1.1),
        enter: Box::new(|open| {
            let largest = open.largest()?;
            let crowd = largest.world.crowd()?;
            let side = |cursor| blocking(1, move || Ok(page(crowd, cursor)), |request| Ok(largest.direct.list_members(request)?));
            Ok(vec![Entrant::new("first", side(None)), Entrant::new("last", side(Some(largest.last.as_str())))])
        }),
    }
}

fn growing(asked: Asked, keys: Keys) -> Contest<Sqlite> {
    Contest {
        goal_row: "9",
        operation: asked.name().to_owned(),
        terms: keys.name().to_owned(),
        floor: "the same in the smallest store",
        goal: Goal::AtMost(keys.growth()),
        enter: Box::new(move |open| {
            let (small, large) = ends(&open.stores)?;
            Ok(vec![Entrant::new("smallest", check(small, asked, keys)), Entrant::new("largest", check(large, asked, keys))])
        }),
    }
}

fn check(opened: &Opened, asked: Asked, keys: Keys) -> Box<dyn Side + '_> {
    let (world, mut chance) = (opened.world, Chance::begin());
    let make = move || asked.request(world, keys.next(&mut chance, world));
    blocking(SAMPLE, make, move |request| {
        ensure!(opened.direct.check(request)?.allowed == asked.holds(), "a check went wrong");
        Ok(())
    })
}

fn series() -> Vec<Series<Sqlite>> {
    vec![
        Series {
            operation: "get_membership",
            enter: each(|opened| {
                let (world, mut chance) = (opened.world, Chance::begin());
                blocking(SAMPLE, move || world::ownership_id(chance.below(world.size())), |mem| Ok(opened.direct.get_membership(mem)?))
            }),
        },
        Series {
            operation: "list_members, page of 50",
            enter: each(|opened| blocking(1, || Ok(page(opened.world.crowd()?, None)), |request| Ok(opened.direct.list_members(request)?))),
        },
        Series { operation: "check by a membership", enter: each(|opened| check(opened, Asked::Owner, Keys::Cold)) },
        Series { operation: "check by a tuple", enter: each(|opened| check(opened, Asked::Viewer, Keys::Cold)) },
        Series {
            operation: "add_member",
            enter: each(|opened| {
                let (world, mut chance) = (opened.world, Chance::begin());
                blocking(1, move || joining(&mut chance, world), |request| Ok(opened.direct.add_member(request)?))
            }),
        },
    ]
}

/// One side for each world.
fn each(side: impl for<'s> Fn(&'s Opened) -> Box<dyn Side + 's> + 'static) -> Enter<Sqlite> {
    Box::new(move |open| Ok(open.stores.iter().map(|opened| Entrant::new(opened.world.size().to_string(), side(opened))).collect()))
}
