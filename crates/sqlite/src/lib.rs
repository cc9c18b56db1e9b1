//! Tenantry's SQLite store: everything in one file, or in memory, over rusqlite.
//!
//! ```
//! use tenantry_core::{CountMembers, AddMember, CreateOrg, CreateUser, TenancyStore};
//!
//! # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
//! let store = tenantry_sqlite::open_in_memory()?;
//! let ada = store.create_user(CreateUser::new().display_name("Ada")).await?.user;
//! let bob = store.create_user(CreateUser::new().display_name("Bob")).await?.user;
//! let acme = store.create_org(CreateOrg::new(ada.id).name("Acme").slug("acme")).await?.org;
//! store.add_member(AddMember::new(acme.id, bob.id, "member")).await?;
//! assert_eq!(store.count_members(CountMembers::new(acme.id)).await?, 2);
//! # Ok::<(), tenantry_core::Error>(())
//! # }).unwrap();
//! ```
//!
//! [`open`] creates the file when it is not there and brings its schema up to date; [`Options`] says more. Every table's name
//! begins with `tenantry_`, so an application's own tables can live in the same file, and several processes may use it at once.
//!
//! One thread writes. It commits what is waiting as a group and answers after the commit, so that many writers share the wait
//! for the disk and everyone reads their own writes. Other threads read, beside it. No async runtime is needed: calls can be
//! awaited on any. The threads end with the last clone of the store, which waits shortly for the file to be closed.

#![allow(clippy::doc_markdown, reason = "SQLite is a name, not an item")]

mod access;
#[cfg(test)]
mod access_agreement;
#[cfg(test)]
mod agreement;
mod apply;
mod codec;
mod direct;
mod error;
mod list;
mod load;
mod migrations;
mod open;
mod readers;
mod repair;
#[cfg(test)]
mod samples;
mod session;
mod statements;
mod transaction;
mod tuples;
mod writer;

use std::convert::Infallible;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError, mpsc as std_mpsc};
use std::thread;
use std::time::Duration;

use tenantry_core::doctor::Repair;
use tenantry_core::nesting::Nesting;
use tenantry_core::{
    AccessFound, AccessQuery, Backend, BackendError, BackendKind, Dump, Engine, Error, Event, EventQuery, Facts, FactsQuery, Immediate,
    Inquiry, Invitation, InvitationQuery, Job, Membership, MembershipFilter, MembershipQuery, OrgId, OrgQuery, Organization, Stamps,
    Standing, Timestamp, Tuple, TupleQuery, User, UserId,
};
use tokio::sync::mpsc;

use crate::error::Failure;
use crate::readers::{Question, question};
use crate::session::Session;
use crate::writer::Message;

pub use direct::{BlockingStore, Direct};
pub use open::{Durability, Options, open, open_blocking, open_in_memory, status};
pub use rusqlite;
pub use transaction::{Lease, Lends, Lent, Transaction, with_transaction};

/// A store in SQLite. Clones share the file and its threads.
pub type SqliteStore = Engine<Sqlite>;

/// How many calls may wait in a queue; those beyond wait for a place in it, without blocking their thread.
const QUEUE: usize = 256;

/// The backend: the queues of the threads that work for it.
pub struct Sqlite {
    writer: mpsc::Sender<Message>,
    /// None where there is one connection: for a database in memory, and for a file that is opened exclusively.
    readers: Option<mpsc::Sender<Question>>,
    /// Where nobody else can write.
    stamps: Option<Arc<Stamps>>,
    nesting: Nesting,
    /// Dropped last, as fields are dropped in order: the threads end when the queues above are gone.
    _threads: Threads,
}

impl fmt::Debug for Sqlite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sqlite").field("is_alone", &self.stamps.is_some()).finish_non_exhaustive()
    }
}

impl Sqlite {
    /// Starts the threads. Without readers, the writer answers reads too.
    fn start(writer: Session, readers: Vec<Session>) -> Result<Self, BackendError> {
        // Nothing is ever sent: each thread holds a sender, and the receiver learns when the last is gone.
        let (alive, ended) = std_mpsc::channel::<Infallible>();
        let stamps = writer.stamps();
        // SQLite takes the log into the file when the last connection closes: of two that close at once, each may see the other.
        let closing = Arc::new(Mutex::new(()));
        let spawn = |name: &str, work: Box<dyn FnOnce() -> Option<Session> + Send>| {
            let (alive, closing) = (alive.clone(), Arc::clone(&closing));
            let thread = thread::Builder::new().name(name.to_owned()).spawn(move || {
                let session = work();
                let one_at_a_time = closing.lock().unwrap_or_else(PoisonError::into_inner);
                drop(session);
                drop(one_at_a_time);
                drop(alive);
            });
            let message = "the operating system gives no further thread: raise its limit";
            thread.map(drop).map_err(|error| BackendError::new(BackendKind::Unavailable, message).caused_by(error))
        };

        let (write, queue) = mpsc::channel(QUEUE);
        spawn("tenantry-writer", Box::new(move || writer::run(queue, writer)))?;
        let mut read = None;
        if !readers.is_empty() {
            let (ask, queue) = mpsc::channel(QUEUE);
            let queue = Arc::new(Mutex::new(queue));
            for session in readers {
                let queue = Arc::clone(&queue);
                spawn("tenantry-reader", Box::new(move || Some(readers::run(&queue, session))))?;
            }
            read = Some(ask);
        }
        Ok(Self { writer: write, readers: read, stamps, nesting: Nesting::default(), _threads: Threads { ended: Mutex::new(ended) } })
    }

    fn told(&self) -> Option<Arc<Stamps>> {
        self.stamps.clone()
    }

    async fn run<J: Job>(&self, job: J) -> Result<J, Error> {
        self.nesting.check()?;
        let (message, answer) = writer::task(job);
        self.writer.send(message).await.map_err(|_| gone())?;
        answer.await.map_err(|_| gone())?
    }

    async fn read<T: Send + 'static>(&self, read: impl FnOnce(&Session) -> Result<T, Failure> + Send + 'static) -> Result<T, BackendError> {
        self.nesting.check()?;
        let Some(readers) = &self.readers else { return self.read_behind_writes(read).await };
        let (question, answer) = question(read);
        readers.send(question).await.map_err(|_| gone())?;
        answer.await.map_err(|_| gone())?
    }

    async fn read_behind_writes<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Session) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, BackendError> {
        self.nesting.check()?;
        let (question, answer) = question(read);
        self.writer.send(Message::Read(question)).await.map_err(|_| gone())?;
        answer.await.map_err(|_| gone())?
    }
}

/// The threads live as long as the store, so this means that one of them died.
fn gone() -> BackendError {
    BackendError::new(BackendKind::Unavailable, "the store's thread has ended: open the store again")
}

/// Waits for the threads when the store is dropped, so that the file is whole and alone when a program ends.
struct Threads {
    ended: Mutex<std_mpsc::Receiver<Infallible>>,
}

impl Drop for Threads {
    fn drop(&mut self) {
        // Closing takes milliseconds. Something long may still be under way that nobody waits for any more, and the last clone
        // may even be dropped by one of the threads, so the wait has an end.
        const PATIENCE: Duration = Duration::from_secs(2);
        if let Ok(ended) = self.ended.get_mut() {
            let _: Result<Infallible, _> = ended.recv_timeout(PATIENCE);
        }
    }
}

/// The port over whatever can `run` a job and `read`.
macro_rules! backend {
    ($type:ty) => {
        impl Backend for $type {
            async fn execute<J: Job>(&self, job: J) -> Result<J, Error> {
                self.run(job).await
            }

            async fn users(&self, ids: Vec<UserId>) -> Result<Vec<User>, BackendError> {
                self.read(|db| list::users(db, ids)).await
            }

            async fn orgs(&self, query: OrgQuery) -> Result<Option<Vec<Organization>>, BackendError> {
                self.read(|db| list::orgs(db, query)).await
            }

            async fn memberships(&self, query: MembershipQuery) -> Result<Option<Vec<Membership>>, BackendError> {
                self.read(|db| list::memberships(db, query)).await
            }

            async fn count_members(&self, org: OrgId, filter: Option<MembershipFilter>) -> Result<Option<u64>, BackendError> {
                self.read(move |db| list::count_members(db, org, filter)).await
            }

            async fn events(&self, query: EventQuery) -> Result<Option<Vec<Event>>, BackendError> {
                self.read(move |db| list::events(db, &query)).await
            }

            async fn invitations(&self, query: InvitationQuery) -> Result<Option<Vec<Invitation>>, BackendError> {
                self.read(move |db| list::invitations(db, &query)).await
            }

            async fn tuples(&self, query: TupleQuery) -> Result<Vec<Tuple>, BackendError> {
                self.read(move |db| tuples::tuples(db, &query)).await
            }

            async fn standings(&self, usr: UserId, orgs: Vec<OrgId>) -> Result<Vec<Standing>, BackendError> {
                self.read(move |db| list::standings(db, usr, &orgs)).await
            }

            async fn inquire<Q: Inquiry>(&self, inquiry: Q) -> Result<Q, BackendError> {
                self.read(|db| tuples::inquire(db, inquiry)).await
            }

            async fn access(&self, query: AccessQuery, at: Timestamp) -> Result<AccessFound, BackendError> {
                self.read(move |db| access::read(db, &query, at)).await
            }

            async fn facts(&self, query: FactsQuery) -> Result<Facts, BackendError> {
                self.read(move |db| access::facts(db, &query)).await
            }

            fn stamps(&self) -> Option<Arc<Stamps>> {
                self.told()
            }

            async fn dump(&self) -> Result<Dump, BackendError> {
                self.read_behind_writes(list::dump).await
            }

            async fn repair(&self, repairs: Vec<Repair>) -> Result<bool, BackendError> {
                self.read_behind_writes(move |db| repair::repair(db, &repairs)).await
            }
        }
    };
}

backend!(Sqlite);
backend!(Direct);
backend!(Lent<'_>);

impl Immediate for Direct {}
impl Immediate for Lent<'_> {}
