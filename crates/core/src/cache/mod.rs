//! [`CachedResolver`]: answers about permissions that were given before, as long as they hold (spec/permissions.md#freshness).

mod hot;
mod kept;
mod mask;

use std::cell::RefCell;
use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use thread_local::ThreadLocal;
use uuid::Uuid;

use self::hot::{Answer, Hot, Key};
use self::kept::{Entry, Kept};
use self::mask::{Mask, Names};
use crate::engine::{slug, slugs};
use crate::error::{BackendError, BackendKind, DomainError, Error};
use crate::id::{OrgId, UserId};
use crate::page::Page;
use crate::permissions::{EffectivePermissions, Explanation, PermissionToken, UserAccess};
use crate::source::{Clock, SystemClock};
use crate::stamps::{Marks, Stamps};
use crate::store::{AllowedRow, ListOrgsWith, ListUsersWith, PermissionAsk, PermissionResolver, ReviewPermissions};

/// How old an answer may be.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Freshness {
    /// As the store is now. What is kept is compared with the store's token, in one statement; with none where the store tells of its
    /// writes ([`PermissionResolver::stamps`]): in memory, and in an SQLite file that was opened exclusively.
    #[default]
    Fresh,
    /// Not older than the state that this token is of, such as that of one's own last write, in any part that both are about.
    AtLeast(PermissionToken),
    /// Not older than this, by the clock. What comes to its end within that time ends all the same.
    MaxAge(Duration),
}

/// Answers questions about permissions from what it has answered before, over any store.
///
/// It keeps who holds what, by user and organization, with the state that the answer was given in: a set of permissions as bits, which
/// all who hold the same share. It never keeps an error, nor an answer past the next end of something that it rests on, and never more than
/// its capacity; the organizations asked about least lately are forgotten first.
///
/// What is asked yes or no is answered from there: [`has_permission`](PermissionResolver::has_permission) and its relatives. Everything
/// else is asked of the store: `resolve_permissions` and `resolve_many`, which are remembered, `explain_permission` and the lists.
///
/// Clones, and those with another freshness, share what is kept.
///
/// ```
/// use std::sync::Arc;
/// use std::time::Duration;
/// use tenantry_core::{CachedResolver, Error, Freshness, OrgId, PermissionResolver, TenancyStore, UserId};
///
/// async fn show(store: Arc<dyn TenancyStore>, usr: UserId, org: OrgId) -> Result<(), Error> {
///     let resolver = CachedResolver::new(store);
///     if resolver.has_permission(usr, org, "invoices.read").await? {
///         // As the store is now.
///     }
///     let relaxed = resolver.with_freshness(Freshness::MaxAge(Duration::from_secs(5)));
///     if relaxed.has_permission(usr, org, "invoices.read").await? {
///         // As it was at most five seconds ago; the store need not be asked.
///     }
///     Ok(())
/// }
/// # let _ = show;
/// ```
#[derive(Clone)]
pub struct CachedResolver {
    store: Arc<dyn PermissionResolver>,
    clock: Arc<dyn Clock>,
    freshness: Freshness,
    stamps: Option<Arc<Stamps>>,
    shared: Arc<Shared>,
}

/// What clones have in common.
struct Shared {
    names: Names,
    kept: Mutex<Kept>,
    hot: ThreadLocal<RefCell<Hot>>,
    /// How often everything was forgotten.
    clearings: AtomicU64,
}

impl fmt::Debug for CachedResolver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CachedResolver").field("store", &self.store).field("freshness", &self.freshness).finish_non_exhaustive()
    }
}

/// A moment and a state that are not later than the rows which are about to be read.
struct Before {
    at: crate::time::Timestamp,
    write: Option<u64>,
}

impl CachedResolver {
    /// How many answers are kept unless said otherwise: one for each user and organization. They take about 70 bytes each, and the sets
    /// of permissions an eighth of a byte for each permission of the catalog.
    pub const CAPACITY: usize = 100_000;

    /// Over this store, with its usual capacity, the system's clock, and answers as the store is now.
    pub fn new(store: Arc<dyn PermissionResolver>) -> Self {
        Self::with_clock(store, Arc::new(SystemClock))
    }

    /// The same with another clock, which has to be that of the store.
    pub fn with_clock(store: Arc<dyn PermissionResolver>, clock: Arc<dyn Clock>) -> Self {
        let stamps = store.stamps();
        Self { store, clock, freshness: Freshness::Fresh, stamps, shared: Arc::new(Shared::new(Self::CAPACITY)) }
    }

    /// Empty, for at most so many answers, one for each user and organization; 1 at least. Each thread that asks keeps copies of up to
    /// 4096 of them besides, where the store tells of its writes.
    #[must_use]
    pub fn capacity(self, answers: usize) -> Self {
        Self { shared: Arc::new(Shared::new(answers)), ..self }
    }

    /// The same cache, whose answers may be so old.
    #[must_use]
    pub fn with_freshness(&self, freshness: Freshness) -> Self {
        Self { freshness, ..self.clone() }
    }

    /// How many answers are kept.
    pub fn len(&self) -> usize {
        self.kept().len()
    }

    /// Whether none is kept.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Forgets everything: for when somebody wrote to the store past this library, where no revision tells of it.
    pub fn clear(&self) {
        let mut kept = self.kept();
        self.shared.clearings.fetch_add(1, Ordering::AcqRel);
        kept.clear();
    }

    /// Whether a user may do something, where that can be told without asking the store, by a plain call: what was asked before on this
    /// thread, over a store that tells of its writes, and where no statement is due by the freshness. With none,
    /// [`has_permission`](PermissionResolver::has_permission) has the answer, or the error.
    #[inline]
    pub fn has_permission_now(&self, usr_id: UserId, org_id: OrgId, permission: &str) -> Option<bool> {
        // By value and in registers, so that the caller need not lay ids out in memory for what is hardly ever called.
        let key = (usr_id.as_uuid().as_u128(), org_id.as_uuid().as_u128());
        self.hot_answer(key, permission).or_else(|| self.young_answer(key, permission))
    }

    #[inline]
    fn hot_answer(&self, key: Key, permission: &str) -> Option<bool> {
        let stamps = self.stamps.as_deref()?;
        let mut hot = self.shared.hot.get()?.try_borrow_mut().ok()?;
        let clearing = self.clearings();
        hot.ask_near(key, permission, clearing, stamps)
            .or_else(|| hot.ask(key, permission, clearing, (stamps, &*self.clock, &self.shared.names)))
    }

    #[cold]
    fn young_answer(&self, (usr, org): Key, permission: &str) -> Option<bool> {
        if self.freshness == Freshness::Fresh {
            return None;
        }
        slug(permission).ok()?;
        let (usr, org) = (UserId::from_uuid(Uuid::from_u128(usr)).ok()?, OrgId::from_uuid(Uuid::from_u128(org)).ok()?);
        let entry = self.entry(usr, org).filter(|entry| self.is_young(entry))?;
        Some(self.holds(&entry.mask, permission))
    }

    #[inline]
    fn clearings(&self) -> u64 {
        self.shared.clearings.load(Ordering::Acquire)
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.shared.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn before(&self) -> Before {
        Before { at: self.clock.now(), write: self.stamps.as_deref().map(Stamps::now) }
    }

    /// What is kept of this, as it is.
    fn entry(&self, usr: UserId, org: OrgId) -> Option<Entry> {
        let entry = self.kept().get(usr, org)?;
        entry.span.contains(self.clock.now()).then_some(entry)
    }

    /// Whether an answer need not be compared with the store.
    fn is_young(&self, entry: &Entry) -> bool {
        match &self.freshness {
            Freshness::Fresh => false,
            Freshness::AtLeast(token) => entry.token.is_at_least(token),
            Freshness::MaxAge(most) => {
                let age = self.clock.now().as_micros() - entry.at.as_micros();
                u128::try_from(age).is_ok_and(|age| age <= most.as_micros())
            }
        }
    }

    /// What this thread can tell at once.
    fn hot_mask(&self, usr: UserId, org: OrgId) -> Option<Arc<Mask>> {
        let stamps = self.stamps.as_deref()?;
        let mut hot = self.shared.hot.get()?.try_borrow_mut().ok()?;
        hot.mask(usr, org, self.clearings(), stamps, &*self.clock)
    }

    /// Lets this thread tell it at once from now on, where the store tells of its writes.
    fn warm(&self, usr: UserId, org: OrgId, entry: &Entry, before: &Before, clearing: u64) {
        let (Some(since), Some((root, _))) = (before.write, entry.token.orgs.first()) else { return };
        let answer = Answer::new(usr, org, Arc::clone(&entry.mask), since, Marks::of(usr, *root));
        if let Ok(mut hot) = self.shared.hot.get_or_default().try_borrow_mut() {
            hot.keep(answer, entry.span, clearing);
        }
    }

    /// Keeps what was found, unless everything was to be forgotten meanwhile.
    fn keep(&self, usr: UserId, org: OrgId, found: &EffectivePermissions, before: &Before, clearing: u64) -> Arc<Mask> {
        let mask = Mask::of(&self.shared.names.numbers(&found.permissions));
        let mut kept = self.kept();
        let entry = Entry { token: found.token.clone(), mask: kept.one_of(mask), span: found.span, at: before.at };
        if self.clearings() == clearing {
            kept.put(usr, org, &entry);
            drop(kept);
            self.warm(usr, org, &entry, before, clearing);
        }
        entry.mask
    }

    /// Everything that a user holds in an organization.
    async fn mask(&self, usr: UserId, org: OrgId) -> Result<Arc<Mask>, Error> {
        if let Some(mask) = self.hot_mask(usr, org) {
            return Ok(mask);
        }
        let clearing = self.clearings();
        if let Some(entry) = self.entry(usr, org) {
            if self.is_young(&entry) {
                return Ok(entry.mask);
            }
            let before = self.before();
            let token = self.store.permission_tokens(&[(usr, org)]).await?.into_iter().next().ok_or_else(unanswered)??;
            // It may have come to its end while the store was asked.
            if token == entry.token && entry.span.contains(self.clock.now()) && self.clearings() == clearing {
                let entry = Entry { at: before.at, ..entry };
                self.kept().renew(usr, org, &entry);
                self.warm(usr, org, &entry, &before, clearing);
                return Ok(entry.mask);
            }
        }
        let before = self.before();
        let found = self.store.resolve_permissions(usr, org).await?;
        self.is_late_enough(&found.token)?;
        Ok(self.keep(usr, org, &found, &before, clearing))
    }

    /// The store itself may be behind a token, as one is that was restored or that follows another one.
    fn is_late_enough(&self, token: &PermissionToken) -> Result<(), BackendError> {
        match &self.freshness {
            Freshness::AtLeast(least) if !token.is_at_least(least) => {
                Err(BackendError::new(BackendKind::Unavailable, "the store shows an older state than the one that is asked for"))
            }
            _ => Ok(()),
        }
    }

    /// What is kept of all of these, where it may be answered as it is.
    async fn known(&self, pairs: &[(UserId, OrgId)]) -> Result<Option<HashMap<(UserId, OrgId), Arc<Mask>>>, Error> {
        let clearing = self.clearings();
        let entries: Option<Vec<Entry>> = pairs.iter().map(|(usr, org)| self.entry(*usr, *org)).collect();
        let Some(entries) = entries else { return Ok(None) };
        let masks = || pairs.iter().copied().zip(entries.iter().map(|entry| Arc::clone(&entry.mask))).collect();
        if entries.iter().all(|entry| self.is_young(entry)) {
            return Ok(Some(masks()));
        }
        let before = self.before();
        let tokens = self.store.permission_tokens(pairs).await?;
        let now = self.clock.now();
        let holds = |(entry, token): (&Entry, &Result<PermissionToken, DomainError>)| {
            token.as_ref() == Ok(&entry.token) && entry.span.contains(now)
        };
        if tokens.len() != pairs.len() || self.clearings() != clearing || !entries.iter().zip(&tokens).all(holds) {
            return Ok(None);
        }
        for ((usr, org), entry) in pairs.iter().zip(&entries) {
            let renewed = Entry { token: entry.token.clone(), mask: Arc::clone(&entry.mask), span: entry.span, at: before.at };
            self.kept().renew(*usr, *org, &renewed);
            self.warm(*usr, *org, &renewed, &before, clearing);
        }
        Ok(Some(masks()))
    }

    fn holds(&self, mask: &Mask, permission: &str) -> bool {
        self.shared.names.number(permission).is_some_and(|number| mask.has(number))
    }
}

impl Shared {
    fn new(answers: usize) -> Self {
        Self { names: Names::default(), kept: Mutex::new(Kept::new(answers)), hot: ThreadLocal::new(), clearings: AtomicU64::new(0) }
    }
}

fn unanswered() -> Error {
    BackendError::new(BackendKind::Other, "the store answered fewer questions than it was asked").into()
}

#[async_trait]
impl PermissionResolver for CachedResolver {
    async fn resolve_permissions(&self, usr_id: UserId, org_id: OrgId) -> Result<EffectivePermissions, Error> {
        let (clearing, before) = (self.clearings(), self.before());
        let found = self.store.resolve_permissions(usr_id, org_id).await?;
        self.is_late_enough(&found.token)?;
        self.keep(usr_id, org_id, &found, &before, clearing);
        Ok(found)
    }

    async fn has_permission(&self, usr_id: UserId, org_id: OrgId, permission: &str) -> Result<bool, Error> {
        if let Some(held) = self.has_permission_now(usr_id, org_id, permission) {
            return Ok(held);
        }
        slug(permission)?;
        let mask = self.mask(usr_id, org_id).await?;
        Ok(self.holds(&mask, permission))
    }

    async fn has_all_permissions(&self, usr_id: UserId, org_id: OrgId, permissions: &[&str]) -> Result<bool, Error> {
        slugs(permissions)?;
        let mask = self.mask(usr_id, org_id).await?;
        Ok(permissions.iter().all(|permission| self.holds(&mask, permission)))
    }

    async fn has_any_permission(&self, usr_id: UserId, org_id: OrgId, permissions: &[&str]) -> Result<bool, Error> {
        slugs(permissions)?;
        let mask = self.mask(usr_id, org_id).await?;
        Ok(permissions.iter().any(|permission| self.holds(&mask, permission)))
    }

    async fn has_permissions(&self, asks: &[PermissionAsk]) -> Result<Vec<AllowedRow>, Error> {
        let mut pairs: Vec<(UserId, OrgId)> = asks.iter().map(|ask| (ask.usr_id, ask.org_id)).collect();
        pairs.sort_unstable();
        pairs.dedup();
        let well_formed = asks.iter().all(|ask| slug(&ask.permission).is_ok());
        if !well_formed || pairs.is_empty() || asks.len() > crate::engine::MAX_IDS {
            // The store says what is wrong with it.
            return self.store.has_permissions(asks).await;
        }
        let answer =
            |mask: Option<&Arc<Mask>>, ask: &PermissionAsk| AllowedRow(Ok(mask.is_some_and(|mask| self.holds(mask, &ask.permission))));
        if let Some(masks) = self.known(&pairs).await? {
            return Ok(asks.iter().map(|ask| answer(masks.get(&(ask.usr_id, ask.org_id)), ask)).collect());
        }
        let found = self.resolve_many(&pairs).await?;
        let numbers: HashMap<(UserId, OrgId), Result<EffectivePermissions, DomainError>> = pairs.into_iter().zip(found).collect();
        let told = |ask: &PermissionAsk| match numbers.get(&(ask.usr_id, ask.org_id)) {
            Some(Ok(found)) => Ok(AllowedRow(Ok(found.allows(&ask.permission)))),
            Some(Err(error)) => Ok(AllowedRow(Err(error.clone()))),
            None => Err(unanswered()),
        };
        asks.iter().map(told).collect()
    }

    async fn explain_permission(&self, usr_id: UserId, org_id: OrgId, permission: &str) -> Result<Explanation, Error> {
        self.store.explain_permission(usr_id, org_id, permission).await
    }

    async fn list_users_with(&self, request: ListUsersWith) -> Result<Page<UserId>, Error> {
        self.store.list_users_with(request).await
    }

    async fn list_orgs_with(&self, request: ListOrgsWith) -> Result<Page<OrgId>, Error> {
        self.store.list_orgs_with(request).await
    }

    async fn review_permissions(&self, request: ReviewPermissions) -> Result<Page<UserAccess>, Error> {
        self.store.review_permissions(request).await
    }

    async fn resolve_many(&self, asks: &[(UserId, OrgId)]) -> Result<Vec<Result<EffectivePermissions, DomainError>>, Error> {
        let (clearing, before) = (self.clearings(), self.before());
        let found = self.store.resolve_many(asks).await?;
        for ((usr, org), found) in asks.iter().zip(&found) {
            if let Ok(found) = found {
                self.is_late_enough(&found.token)?;
                self.keep(*usr, *org, found, &before, clearing);
            }
        }
        Ok(found)
    }

    async fn permission_tokens(&self, asks: &[(UserId, OrgId)]) -> Result<Vec<Result<PermissionToken, DomainError>>, Error> {
        self.store.permission_tokens(asks).await
    }

    fn stamps(&self) -> Option<Arc<Stamps>> {
        self.stamps.clone()
    }
}
