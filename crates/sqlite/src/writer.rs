//! The thread that writes. It takes what is waiting, runs each job as a savepoint of one transaction, commits, and only then
//! answers: whoever has an answer finds it through every other connection too.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SendError, SyncSender};

use rusqlite::Error as DriverError;
use tenantry_core::{BackendError, BackendKind, Error, Job, Plan};
use tokio::sync::{mpsc, oneshot};

use crate::access;
use crate::apply::apply;
use crate::error::{Failure, explain};
use crate::load::load;
use crate::readers::Question;
use crate::session::{Savepoint, Session};

/// The most jobs that share a commit.
const GROUP: usize = 64;

/// What the thread takes in.
pub(crate) enum Message {
    /// A command.
    Write(Box<dyn Task>),
    /// A read that must see the writes before it, or has no other connection.
    Read(Question),
    /// The connection is wanted elsewhere for a while.
    Lend(Loan),
}

/// Where the connection goes, and where it comes back from.
pub(crate) struct Loan {
    pub(crate) to: SyncSender<Session>,
    pub(crate) back: Receiver<Session>,
}

/// A job with someone who waits for it.
pub(crate) trait Task: Send {
    fn job(&mut self) -> &mut dyn Job;

    /// Nobody waits any more.
    fn is_abandoned(&self) -> bool;

    fn answer(self: Box<Self>, outcome: Result<(), Error>);
}

struct Waiting<J> {
    job: J,
    reply: oneshot::Sender<Result<J, Error>>,
}

impl<J: Job> Task for Waiting<J> {
    fn job(&mut self) -> &mut dyn Job {
        &mut self.job
    }

    fn is_abandoned(&self) -> bool {
        self.reply.is_closed()
    }

    fn answer(self: Box<Self>, outcome: Result<(), Error>) {
        let Self { job, reply } = *self;
        // Whoever has stopped waiting misses the answer.
        drop(reply.send(outcome.map(|()| job)));
    }
}

/// A job as a message, and where its answer comes.
pub(crate) fn task<J: Job>(job: J) -> (Message, oneshot::Receiver<Result<J, Error>>) {
    let (reply, answer) = oneshot::channel();
    (Message::Write(Box::new(Waiting { job, reply })), answer)
}

/// Works until the last sender is gone; then the session is to be closed, if it is still here.
pub(crate) fn run(mut queue: mpsc::Receiver<Message>, mut session: Session) -> Option<Session> {
    let mut waiting = Vec::with_capacity(GROUP);
    while queue.blocking_recv_many(&mut waiting, GROUP) > 0 {
        let mut group = Vec::new();
        for message in waiting.drain(..) {
            match message {
                Message::Write(task) => group.push(task),
                Message::Read(question) => {
                    commit(&session, std::mem::take(&mut group));
                    question(&session);
                }
                Message::Lend(Loan { to, back }) => {
                    commit(&session, std::mem::take(&mut group));
                    match to.send(session) {
                        // Whoever has it gives it back, also when they panic; without it there is nothing to go on with.
                        Ok(()) => match back.recv() {
                            Ok(returned) => session = returned,
                            Err(_) => return None,
                        },
                        // Nobody waits for it any more.
                        Err(SendError(kept)) => session = kept,
                    }
                }
            }
        }
        commit(&session, group);
    }
    Some(session)
}

/// Why nothing of a group was written.
enum Undone {
    /// No transaction could be had, or it could not be committed.
    Group(DriverError),
    /// SQLite took the whole transaction back while this task was at work, as when the disk is full.
    By(usize, Error),
}

/// Runs the tasks as one commit, and answers.
fn commit(session: &Session, mut tasks: Vec<Box<dyn Task>>) {
    while !tasks.is_empty() {
        match attempt(session, &mut tasks) {
            Ok(outcomes) => tasks.drain(..).zip(outcomes).for_each(|(task, outcome)| answer(task, outcome)),
            // The others' work is gone with it through no fault of theirs, and they have had no answer: they start over.
            Err(Undone::By(index, error)) => answer(tasks.remove(index), Err(error)),
            // Also those that were refused: they may have been refused for what another one of the group would have written.
            Err(Undone::Group(error)) => {
                let error = Arc::new(error);
                for task in tasks.drain(..) {
                    answer(task, Err(explain(&error, session.place()).caused_by(Arc::clone(&error)).into()));
                }
            }
        }
    }
}

/// One outcome for each task, after they were committed.
fn attempt(session: &Session, tasks: &mut [Box<dyn Task>]) -> Result<Vec<Result<(), Error>>, Undone> {
    let transaction = session.begin().map_err(Undone::Group)?;
    let mut outcomes = Vec::with_capacity(tasks.len());
    for (index, task) in tasks.iter_mut().enumerate() {
        let outcome = if task.is_abandoned() { Ok(()) } else { caught(|| perform(session, task.job())) };
        if session.connection().is_autocommit() {
            return Err(Undone::By(index, outcome.err().unwrap_or_else(|| panicked().into())));
        }
        outcomes.push(outcome);
    }
    let committed = transaction.commit();
    session.mark();
    committed.map_err(Undone::Group)?;
    Ok(outcomes)
}

/// Load, decide, write; what was written is taken back when that fails.
pub(crate) fn perform(session: &Session, job: &mut dyn Job) -> Result<(), Error> {
    let driver = |error| session.explain(Failure::Driver(error));
    let plan = plan(session, job)?;
    if plan.is_empty() {
        return Ok(());
    }
    let savepoint = Savepoint::set(session).map_err(driver)?;
    apply(session, &plan).map_err(|failure| session.explain(failure))?;
    session.note(&plan);
    savepoint.keep().map_err(driver)?;
    Ok(())
}

/// The same as a transaction of its own.
pub(crate) fn transact(session: &Session, job: &mut dyn Job) -> Result<(), Error> {
    let driver = |error| session.explain(Failure::Driver(error));
    let transaction = session.begin().map_err(driver)?;
    let plan = plan(session, job)?;
    if plan.is_empty() {
        return Ok(());
    }
    apply(session, &plan).map_err(|failure| session.explain(failure))?;
    session.note(&plan);
    let committed = transaction.commit();
    session.mark();
    Ok(committed.map_err(driver)?)
}

fn plan(session: &Session, job: &mut dyn Job) -> Result<Plan, Error> {
    // The attempt's moment is taken under the lock.
    let mut seen = load(session, job.begin()).map_err(|failure| session.explain(failure))?;
    if let Some(query) = job.weighs(&seen) {
        let facts = access::facts(session, &query).map_err(|failure| session.explain(failure))?;
        seen.facts = Some(Box::new(facts));
    }
    job.decide(&seen)
}

fn caught(work: impl FnOnce() -> Result<(), Error>) -> Result<(), Error> {
    // What a panic can leave behind is in the connection, and the savepoint takes that back while the stack unwinds.
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| Err(panicked().into()))
}

fn answer(task: Box<dyn Task>, outcome: Result<(), Error>) {
    // A job that nobody takes any more is dropped here, and it may hold what panics when dropped.
    drop(catch_unwind(AssertUnwindSafe(|| task.answer(outcome))));
}

/// The answer of a job or read that panicked.
pub(crate) fn panicked() -> BackendError {
    BackendError::new(BackendKind::Other, "the call panicked inside the store; nothing of it was written")
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};
    use std::time::Duration;

    use rusqlite::OpenFlags;
    use rusqlite::hooks::{AuthAction, AuthContext, Authorization, TransactionOperation};
    use tenantry_core::{Change, FactsQuery, Load, LoadSpec, Organization, Plan, Slug, Snapshot, Timestamp};

    use super::*;
    use crate::error::Place;
    use crate::samples::{id, org, plan, user};
    use crate::statements::{PREFIX, Statements};
    use crate::{list, migrations};

    type Decide = Box<dyn FnMut(&Snapshot) -> Result<Plan, Error> + Send>;

    /// A job that loads organization 1 and decides as it is told.
    struct Script {
        spec: LoadSpec,
        decide: Decide,
        begun: bool,
    }

    impl Job for Script {
        fn spec(&self) -> &LoadSpec {
            &self.spec
        }

        fn begin(&mut self) -> Load<'_> {
            self.begun = true;
            Load { spec: &self.spec, actor: None, at: Timestamp::MIN }
        }

        fn weighs(&self, _seen: &Snapshot) -> Option<FactsQuery> {
            None
        }

        fn decide(&mut self, seen: &Snapshot) -> Result<Plan, Error> {
            assert!(std::mem::take(&mut self.begun), "each attempt has a moment of its own");
            (self.decide)(seen)
        }
    }

    type Answer = oneshot::Receiver<Result<Script, Error>>;

    fn job(decide: impl FnMut(&Snapshot) -> Result<Plan, Error> + Send + 'static) -> (Box<dyn Task>, Answer) {
        let (reply, answer) = oneshot::channel();
        let spec = LoadSpec::Org { org: id(1), slug: None };
        (Box::new(Waiting { job: Script { spec, decide: Box::new(decide), begun: false }, reply }), answer)
    }

    fn adds_user(n: u32) -> (Box<dyn Task>, Answer) {
        job(move |_| Ok(plan([Change::InsertUser(user(n))])))
    }

    fn code(answer: Answer) -> String {
        match answer.blocking_recv().unwrap() {
            Ok(_) => "ok".to_owned(),
            Err(error) => error.code(),
        }
    }

    fn users(session: &Session) -> Vec<u32> {
        let rows = list::dump(session).unwrap().users;
        (0..200).filter(|n| rows.iter().any(|row| row.id == id(*n))).collect()
    }

    fn commits(session: &mut Session) -> Arc<AtomicU32> {
        let count = Arc::new(AtomicU32::new(0));
        let counter = Arc::clone(&count);
        let hook = move || {
            counter.fetch_add(1, Ordering::SeqCst);
            false
        };
        session.connection_mut().commit_hook(Some(hook)).unwrap();
        count
    }

    #[test]
    fn a_group_is_one_commit_and_each_sees_those_before() {
        let mut session = Session::scratch(PREFIX);
        let commits = commits(&mut session);
        let (mut tasks, mut answers): (Vec<_>, Vec<_>) = (1..=40).map(adds_user).unzip();
        let (makes, made) = job(|seen| {
            assert_eq!(seen.org, None);
            Ok(plan([Change::InsertOrg(org(1))]))
        });
        let (looks, looked) = job(|seen| {
            assert_eq!(seen.org.as_ref().map(|org| org.id), Some(id(1)));
            Ok(Plan::default())
        });
        tasks.extend([makes, looks]);
        answers.extend([made, looked]);
        commit(&session, tasks);
        assert!(answers.into_iter().all(|answer| code(answer) == "ok"));
        assert_eq!((commits.load(Ordering::SeqCst), users(&session).len()), (1, 40));
    }

    #[test]
    fn what_is_refused_or_panics_leaves_the_others_alone() {
        let session = Session::scratch(PREFIX);
        let taken = Slug::parse("taken").unwrap();
        let claim = move |n| [Change::InsertUser(user(n)), Change::ClaimSlug { slug: taken.clone(), org_id: id(1) }];
        let (first, second) = (plan(claim(2)), plan(claim(3)));
        let group = [
            adds_user(1),
            job(move |_| Ok(first.clone())),
            job(move |_| Ok(second.clone())),
            job(|_| panic!("in decide")),
            job(|_| Ok(Plan { progress: Some(Arc::new(|_| panic!("in apply"))), ..plan([Change::InsertUser(user(4))]) })),
            job(|_| Err(BackendError::new(BackendKind::Retryable, "refused").into())),
            job(|_| Ok(plan([Change::InsertUser(user(5)), Change::InsertOrg(Organization { parent_id: Some(id(77)), ..org(5) })]))),
            adds_user(6),
        ];
        let (tasks, answers): (Vec<_>, Vec<_>) = group.into_iter().unzip();
        commit(&session, tasks);
        let codes: Vec<String> = answers.into_iter().map(code).collect();
        let wanted = ["ok", "ok", "backend.other", "backend.other", "backend.other", "backend.retryable", "backend.other", "ok"];
        assert_eq!(codes, wanted);
        assert_eq!(users(&session), [1, 2, 6]);
    }

    #[test]
    fn what_cannot_be_taken_back_by_itself_takes_the_others_along() {
        let mut session = Session::scratch(PREFIX);
        let deny = |context: AuthContext<'_>| match context.action {
            AuthAction::Savepoint { operation: TransactionOperation::Rollback, .. } => Authorization::Deny,
            _ => Authorization::Allow,
        };
        session.connection_mut().authorizer(Some(deny)).unwrap();
        let half = job(|_| Ok(plan([Change::InsertUser(user(5)), Change::InsertOrg(Organization { parent_id: Some(id(77)), ..org(5) })])));
        let (tasks, answers): (Vec<_>, Vec<_>) = [adds_user(1), half, adds_user(6)].into_iter().unzip();
        commit(&session, tasks);
        let codes: Vec<String> = answers.into_iter().map(code).collect();
        let there = users(&session);
        assert_ne!(codes[1], "ok");
        assert!(!there.contains(&5), "half of a command was committed");
        assert_eq!((there.contains(&1), there.contains(&6)), (codes[0] == "ok", codes[2] == "ok"), "{codes:?}");
        session.connection_mut().authorizer(None::<fn(AuthContext<'_>) -> Authorization>).unwrap();
        let (task, answer) = adds_user(7);
        commit(&session, vec![task]);
        assert_eq!((code(answer), users(&session).contains(&7)), ("ok".to_owned(), true));
    }

    #[test]
    fn nothing_is_answered_before_the_commit_and_nothing_stays_when_it_fails() {
        let mut session = Session::scratch(PREFIX);
        let early = Arc::new(AtomicU32::new(0));
        let ((first, mut answer), (refused, other)) = (adds_user(1), job(|_| Err(BackendError::new(BackendKind::Other, "refused").into())));
        let heard = Arc::clone(&early);
        let hook = move || {
            heard.fetch_add(u32::from(answer.try_recv().is_ok()), Ordering::SeqCst);
            true
        };
        session.connection_mut().commit_hook(Some(hook)).unwrap();
        commit(&session, vec![first, refused]);
        session.connection_mut().commit_hook(None::<fn() -> bool>).unwrap();
        assert_eq!(early.load(Ordering::SeqCst), 0);
        // The refusal, too, was decided over rows that never came to be.
        let error = other.blocking_recv().unwrap().err().unwrap().to_string();
        assert!(error.contains("a statement failed"), "{error}");
        assert!(users(&session).is_empty());
        let (task, answer) = adds_user(2);
        commit(&session, vec![task]);
        assert_eq!((code(answer), users(&session)), ("ok".to_owned(), vec![2]));
    }

    #[test]
    fn a_task_that_fills_the_disk_takes_nobody_with_it() {
        let session = Session::scratch(PREFIX);
        session.connection().pragma_update_and_check(None, "max_page_count", 60, |_| Ok(())).unwrap();
        let decided = Arc::new(AtomicU32::new(0));
        let counter = Arc::clone(&decided);
        let before = job(move |_| {
            counter.fetch_add(1, Ordering::SeqCst);
            Ok(plan([Change::InsertUser(user(1))]))
        });
        let large = job(|_| Ok(plan((1000..9000).map(|n| Change::InsertUser(user(n))))));
        let (tasks, answers): (Vec<_>, Vec<_>) = [before, large, adds_user(2)].into_iter().unzip();
        commit(&session, tasks);
        assert_eq!(answers.into_iter().map(code).collect::<Vec<_>>(), ["ok", "backend.unavailable", "ok"]);
        assert_eq!(decided.load(Ordering::SeqCst), 2, "the first one started over");
        assert_eq!(list::dump(&session).unwrap().users.len(), 2);
    }

    #[test]
    fn a_job_that_nobody_waits_for_any_more_is_not_begun() {
        let session = Session::scratch(PREFIX);
        let (task, answer) = adds_user(1);
        drop(answer);
        commit(&session, vec![task]);
        assert!(users(&session).is_empty());
    }

    #[test]
    fn without_the_lock_each_of_the_group_is_told_to_repeat() {
        let folder = tempfile::tempdir().unwrap();
        let open = || {
            let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE;
            let place = Arc::new(Place::File(folder.path().join("a.db")));
            Session::open(place, Arc::new(Statements::new(PREFIX)), flags, Duration::ZERO).unwrap()
        };
        let (session, other) = (open(), open());
        migrations::run(&session, &tenantry_core::source::SystemClock).unwrap();
        let lock = other.begin().unwrap();
        let (tasks, answers): (Vec<_>, Vec<_>) = [adds_user(1), adds_user(2)].into_iter().unzip();
        commit(&session, tasks);
        for answer in answers {
            assert_eq!(code(answer), "backend.retryable");
        }
        drop(lock);
        let (task, answer) = adds_user(3);
        commit(&session, vec![task]);
        assert_eq!((code(answer), users(&session)), ("ok".to_owned(), vec![3]));
    }
}
