//! Several commands as one: all of them are written, or none.

use std::ops::Deref;
use std::sync::{Arc, Mutex, PoisonError, RwLockWriteGuard};

use tenantry_core::doctor::Repair;
use tenantry_core::{BackendError, Error, Job, Stamps, State, TenancyStore, Touched, UndoLog, blocking};

use crate::{MemoryStore, perform};

/// The backend of a transaction: the state, lent for as long as it lasts.
#[derive(Debug)]
pub struct Lent<'t> {
    inside: &'t Mutex<Inside>,
}

/// The state, and how to take back what was written to it.
#[derive(Debug)]
struct Inside {
    state: State,
    log: UndoLog,
    touched: Touched,
}

/// The state taken out of its place. However it ends, the state goes back there, without what was not committed.
struct Loan<'m> {
    place: RwLockWriteGuard<'m, State>,
    inside: Mutex<Inside>,
}

impl Loan<'_> {
    /// Nobody else reads the state before it is back in its place, which is behind the marks.
    fn commit(&mut self, stamps: &Stamps) {
        let inside = self.inside.get_mut().unwrap_or_else(PoisonError::into_inner);
        inside.log = UndoLog::default();
        stamps.mark(&inside.touched);
    }
}

impl Drop for Loan<'_> {
    fn drop(&mut self) {
        let Inside { state, log, .. } = self.inside.get_mut().unwrap_or_else(PoisonError::into_inner);
        state.undo(log);
        *self.place = std::mem::take(state);
    }
}

impl Lent<'_> {
    #[expect(clippy::unnecessary_wraps, reason = "as the store itself, which may refuse")]
    pub(crate) fn read<T>(&self, read: impl FnOnce(&State) -> T) -> Result<T, BackendError> {
        Ok(read(&self.inside.lock().unwrap_or_else(PoisonError::into_inner).state))
    }

    pub(crate) fn write(&self, job: &mut dyn Job) -> Result<(), Error> {
        let mut inside = self.inside.lock().unwrap_or_else(PoisonError::into_inner);
        let Inside { state, log, touched } = &mut *inside;
        perform(state, log, touched, job)
    }

    #[expect(clippy::unnecessary_wraps, reason = "as the store itself, which may refuse")]
    pub(crate) fn mend(&self, repairs: &[Repair]) -> Result<bool, BackendError> {
        let mut inside = self.inside.lock().unwrap_or_else(PoisonError::into_inner);
        let Inside { state, log, touched } = &mut *inside;
        *touched = Touched::everything();
        Ok(state.repair_logged(repairs, log))
    }

    /// What is written inside may be taken back, so that nothing is told of it here.
    #[expect(clippy::unused_self, reason = "as the store itself, which tells")]
    pub(crate) const fn told(&self) -> Option<Arc<Stamps>> {
        None
    }
}

/// A transaction under way: the store, in which what was written shows at once, while nobody outside sees anything of it.
///
/// Its operations are plain calls ([`blocking::Store`]); [`Transaction::store`] is the same as an async store, for code that is
/// written for one. Its futures never suspend.
#[derive(Debug)]
pub struct Transaction<'t>(blocking::Store<Lent<'t>>);

impl<'t> Transaction<'t> {
    /// The store inside the transaction.
    pub fn store(&self) -> &(dyn TenancyStore + 't) {
        self.0.engine()
    }
}

impl<'t> Deref for Transaction<'t> {
    type Target = blocking::Store<Lent<'t>>;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

/// Runs `work` as one transaction, on this thread: when it answers `Ok`, everything that it did through the transaction is written,
/// and when it answers `Err` or panics, nothing of it. Nobody else reads or writes the store meanwhile.
///
/// Spec: `transactions.md`.
///
/// # Errors
/// What `work` says; `backend.nested_write` when this thread is inside a transaction of this store already. The store itself, called
/// from `work` in place of the transaction, says the same.
///
/// ```
/// use tenantry_core::{AddMember, CreateOrg, CreateUser, Error, TenancyStore};
///
/// let store = tenantry_memory::new();
/// let refused = tenantry_memory::with_transaction(&store, |tx| {
///     let ada = tx.create_user(CreateUser::new().display_name("Ada"))?.user;
///     let acme = tx.create_org(CreateOrg::new(ada.id).slug("acme"))?.org;
///     // She is a member already, so that there will be neither.
///     tx.add_member(AddMember::new(acme.id, ada.id, "member"))
/// });
/// assert_eq!(refused.unwrap_err().code(), "conflict.duplicate_membership");
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// assert_eq!(store.get_org_by_slug("acme").await.unwrap_err().code(), "not_found");
/// # });
/// ```
pub fn with_transaction<T, E: From<BackendError>>(
    store: &impl AsRef<MemoryStore>,
    work: impl FnOnce(&Transaction<'_>) -> Result<T, E>,
) -> Result<T, E> {
    let store = store.as_ref();
    let memory = store.backend();
    let _inside = memory.nesting.enter()?;
    let mut place = memory.state.write().unwrap_or_else(PoisonError::into_inner);
    let inside = Mutex::new(Inside { state: std::mem::take(&mut place), log: UndoLog::default(), touched: Touched::default() });
    let mut loan = Loan { place, inside };
    let done = work(&Transaction(blocking::Store::new(store.rebound(Lent { inside: &loan.inside }))))?;
    loan.commit(&memory.stamps);
    Ok(done)
}
