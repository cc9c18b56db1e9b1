//! [`Engine`]: the rules over a [`Backend`], as a [`TenancyStore`]. Written once for all stores.

mod access;
mod preview;

pub(crate) use access::{slug, slugs};

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use async_trait::async_trait;

use crate::backend::{Backend, Job};
use crate::change::Plan;
use crate::checking::{Checking, Single};
use crate::decide::check;
use crate::decide::guard::{self, Acting};
use crate::decide::{
    AcceptInvitation, AcceptedInvitation, AddMember, AdminRemove, Caller, ChangeRole, Command, CreateInvitation, CreateInvitations,
    CreateOrg, CreateTenant, CreateTuple, CreateUser, CreatedOrg, CreatedUser, DeclineInvitation, DeleteTenant, DeleteTuple, EnsureTenant,
    EnsuredTenant, Env, ExtendInvitation, Guarded, IdTape, Import, ImportCounts, InvitedRow, MoveOrg, ReinstateMembership, ReinstateOrg,
    ReinstateUser, RevokeInvitation, RevokeOrg, RevokeUser, SelfLeave, SuspendMembership, SuspendOrg, SuspendUser, SuspendedUser, Sweep,
    Swept, TransferOwnership, TransferredOwnership, UpdateMembership, UpdateOrg,
};
use crate::doctor::Repair;
use crate::entity::{Invitation, InvitationStatus, Membership, MembershipStatus, Organization, User, is_live};
use crate::error::{BackendError, BackendKind, DomainError, Error};
use crate::event::{Actor, Cause, Event};
use crate::id::{EventId, Id, IdType, InvitationId, MembershipId, OrgId, TupleId, UserId};
use crate::load::{Load, LoadSpec, Snapshot};
use crate::page::{ListKey, Page, PageRequest};
use crate::permissions::{AccessChange, AncestorReadPolicy, FactsQuery};
use crate::query::{
    EventQuery, InvitationFilter, InvitationQuery, MembershipFilter, MembershipQuery, OrgQuery, TupleQuery, WhichTuples, Window,
};
use crate::role::Role;
use crate::rules::{Checked, Evaluation, Rules};
use crate::source::Sources;
use crate::state::Dump;
use crate::store::{
    CheckAny, CheckOne, CheckedRow, CountMembers, Descendant, Inspect, ListAllChanges, ListChanges, ListChildren, ListDescendants,
    ListInvitations, ListInvitationsFor, ListMembers, ListMemberships, ListOrgs, ListTuplesForObject, ListTuplesForSubject, OrgPath,
    PreviewMoveOrg, TenancyStore,
};
use crate::time::Timestamp;
use crate::tuple::{self, EntityRef, Tuple, TupleKey};
use crate::value::{Identifier, Relation, Slug, fold};

/// The rules over one store, on behalf of one caller. Cheap to clone: clones share the store.
#[derive(Debug)]
pub struct Engine<B> {
    backend: Arc<B>,
    sources: Sources,
    caller: Caller,
    cause: Cause,
    rules: Arc<Rules>,
    ancestor_read: Option<Arc<AncestorReadPolicy>>,
}

impl<B> Clone for Engine<B> {
    fn clone(&self) -> Self {
        Self {
            backend: Arc::clone(&self.backend),
            sources: self.sources.clone(),
            caller: self.caller.clone(),
            cause: self.cause.clone(),
            rules: Arc::clone(&self.rules),
            ancestor_read: self.ancestor_read.clone(),
        }
    }
}

impl<B> AsRef<Self> for Engine<B> {
    fn as_ref(&self) -> &Self {
        self
    }
}

/// The most ids that one look-up takes.
pub(crate) const MAX_IDS: usize = 200;

/// Kinds of list, as cursors number them.
const MEMBERS: u8 = 1;
const MEMBERSHIPS: u8 = 2;
const ORGS: u8 = 3;
const CHILDREN: u8 = 4;
const INVITATIONS: u8 = 5;
const INVITATIONS_FOR: u8 = 6;
const TUPLES_OF: u8 = 7;
const TUPLES_ON: u8 = 8;
const DESCENDANTS: u8 = 20;

impl<B: Backend> Engine<B> {
    /// The rules over this backend, with these sources, for trusted code that acts as the system itself.
    pub fn new(backend: B, sources: Sources) -> Self {
        Self {
            backend: Arc::new(backend),
            sources,
            caller: Caller::default(),
            cause: Cause::default(),
            rules: Arc::new(Rules::default()),
            ancestor_read: None,
        }
    }

    /// The backend.
    pub fn backend(&self) -> &B {
        &self.backend
    }

    /// The same rules, sources and caller over another backend: how a store hands out one that is bound to a transaction.
    pub fn rebound<C: Backend>(&self, backend: C) -> Engine<C> {
        Engine {
            backend: Arc::new(backend),
            sources: self.sources.clone(),
            caller: self.caller.clone(),
            cause: self.cause.clone(),
            rules: Arc::clone(&self.rules),
            ancestor_read: self.ancestor_read.clone(),
        }
    }

    /// The same store, on behalf of someone else; [`TenancyStore::with_caller`] gives it as an object.
    #[must_use]
    pub fn on_behalf_of(&self, caller: Caller) -> Self {
        Self { caller, ..self.clone() }
    }

    /// The same store, with commands that say this of themselves; [`TenancyStore::with_cause`] gives it as an object.
    #[must_use]
    pub fn because_of(&self, cause: Cause) -> Self {
        Self { cause, ..self.clone() }
    }

    /// The same store, whose checks follow these rules; [`TenancyStore::with_rules`] gives it as an object.
    #[must_use]
    pub fn following(&self, rules: Arc<Rules>) -> Self {
        Self { rules, ..self.clone() }
    }

    /// The same store, whose members below may read what the policy says; [`TenancyStore::with_ancestor_read`] gives it as an
    /// object.
    #[must_use]
    pub fn reading_upwards(&self, policy: Option<Arc<AncestorReadPolicy>>) -> Self {
        Self { ancestor_read: policy, ..self.clone() }
    }

    fn now(&self) -> Timestamp {
        self.sources.clock.now()
    }

    async fn run<C: Command>(&self, command: C) -> Result<C::Output, Error> {
        let job = Running {
            spec: command.load()?,
            command,
            caller: self.caller.clone(),
            cause: self.cause.clone(),
            ancestor_read: self.ancestor_read.clone(),
            ids: IdTape::new(Arc::clone(&self.sources.ids)),
            now: Timestamp::MIN,
            clock: Arc::clone(&self.sources.clock),
            output: None,
        };
        let done = self.backend.execute(job).await?;
        // A backend that answers without having decided breaks the port's contract.
        done.output.ok_or_else(|| BackendError::new(BackendKind::Other, "the store answered without a decision").into())
    }

    /// A guarded caller's place in an organization; without a live membership there, what was read is as unknown as a row that
    /// does not exist, for which there is no organization. To be called behind the read, and whatever that found: so nobody sees
    /// what was there after the right to see it had ended, and both cases run the same statements.
    async fn acting(&self, org: Option<OrgId>, kind: IdType) -> Result<Option<Acting>, Error> {
        let Some(caller) = self.caller.as_guarded() else { return Ok(None) };
        // No organization has the lowest id.
        let standings = self.backend.standings(caller.usr_id, vec![org.unwrap_or(OrgId::LOWEST)]).await?;
        let mem = standings.first().and_then(|standing| guard::live(standing, self.now()));
        let mem = mem.ok_or(DomainError::NotFound(kind))?;
        Ok(Some(Acting { usr_id: caller.usr_id, role: mem.role }))
    }

    /// The same, and the caller must be owner or admin there.
    async fn managing(&self, org: Option<OrgId>, kind: IdType) -> Result<(), Error> {
        let acting = self.acting(org, kind).await?;
        Ok(guard::allow(acting.is_none_or(Acting::manages))?)
    }

    /// Those of the organizations where a guarded caller is a live member; all of them for a trusted one.
    async fn visible(&self, orgs: Vec<OrgId>) -> Result<Option<HashSet<OrgId>>, Error> {
        let Some(caller) = self.caller.as_guarded() else { return Ok(None) };
        let standings = self.backend.standings(caller.usr_id, orgs.clone()).await?;
        let now = self.now();
        let live = orgs.into_iter().zip(&standings).filter(|(_, standing)| guard::live(standing, now).is_some());
        Ok(Some(live.map(|(org, _)| org).collect()))
    }

    /// Only for trusted callers, and for a guarded one where it concerns this user alone.
    fn own(&self, usr: Option<UserId>) -> Result<(), DomainError> {
        guard::allow(self.caller.as_guarded().is_none_or(|caller| Some(caller.usr_id) == usr))
    }

    /// Where a guarded caller may ask about a subject's place towards an object: at once when it is their own, and where it is that
    /// of an organization, when they manage that: to be asked behind the read.
    fn may_ask(&self, subject: EntityRef, object: Option<EntityRef>) -> Result<Option<OrgId>, DomainError> {
        if self.own(subject.as_user()).is_ok() {
            return Ok(None);
        }
        object.and_then(|object| object.as_org()).map(Some).ok_or(DomainError::Forbidden)
    }

    /// A guarded caller manages each of these organizations.
    async fn managing_all(&self, mut orgs: Vec<OrgId>) -> Result<(), Error> {
        let Some(caller) = self.caller.as_guarded() else { return Ok(()) };
        orgs.sort_unstable();
        orgs.dedup();
        if orgs.is_empty() {
            return Ok(());
        }
        let now = self.now();
        let standings = self.backend.standings(caller.usr_id(), orgs).await?;
        let roles: Option<Vec<Role>> = standings.iter().map(|standing| guard::live(standing, now).map(|mem| mem.role)).collect();
        let roles = roles.ok_or(DomainError::NotFound(IdType::Organization))?;
        Ok(guard::allow(roles.into_iter().all(|role| Acting { usr_id: caller.usr_id(), role }.manages()))?)
    }

    async fn evaluate(&self, evaluations: Vec<Evaluation>) -> Result<Vec<Result<Checked, DomainError>>, Error> {
        let done = self.backend.inquire(Checking::new(self.now(), evaluations)).await?;
        let unanswered = || BackendError::new(BackendKind::Other, "the store answered fewer questions than it was asked");
        done.outcomes().map(|outcome| outcome.ok_or_else(|| unanswered().into())).collect()
    }

    async fn first(&self, evaluation: Evaluation) -> Result<Checked, Error> {
        let outcome = self.evaluate(vec![evaluation]).await?.into_iter().next();
        let unanswered = || BackendError::new(BackendKind::Other, "the store did not answer");
        Ok(outcome.ok_or_else(unanswered)??)
    }

    /// What no rule is concerned with: one question, and its answer is the outcome.
    async fn direct(&self, key: TupleKey) -> Result<Checked, Error> {
        let done = self.backend.inquire(Single::new(self.now(), key)).await?;
        let unanswered = || BackendError::new(BackendKind::Other, "the store did not answer");
        Ok(done.outcome().ok_or_else(unanswered)?)
    }

    fn evaluation(&self, key: TupleKey) -> Evaluation {
        Evaluation::new(Arc::clone(&self.rules), key.subject, vec![key.relation], key.object)
    }

    async fn invitation_page(
        &self,
        key: ListKey,
        page: &PageRequest,
        now: Timestamp,
        query: impl FnOnce(Window<InvitationId>) -> InvitationQuery,
    ) -> Result<Result<Page<Invitation>, DomainError>, Error> {
        let rows = self.backend.invitations(query(window(key, page)?)).await?.ok_or(DomainError::NotFound(IdType::Organization));
        let seen = |rows: Vec<Invitation>| rows.into_iter().map(|inv| inv.seen_at(now)).collect();
        Ok(rows.map(|rows| Page::from_rows(seen(rows), page.limit, |inv: &Invitation| key.cursor(inv.id.as_uuid()))))
    }

    async fn tuple_page(
        &self,
        key: ListKey,
        page: &PageRequest,
        which: impl FnOnce(Window<TupleId>) -> WhichTuples,
    ) -> Result<Page<Tuple>, Error> {
        let rows = self.backend.tuples(TupleQuery { at: self.now(), which: which(window(key, page)?) }).await?;
        Ok(Page::from_rows(rows, page.limit, |tuple: &Tuple| key.cursor(tuple.id.as_uuid())))
    }

    async fn org_page(
        &self,
        key: ListKey,
        page: &PageRequest,
        query: impl FnOnce(Window<OrgId>) -> OrgQuery,
    ) -> Result<Result<Page<Organization>, DomainError>, Error> {
        let rows = self.backend.orgs(query(window(key, page)?)).await?.ok_or(DomainError::NotFound(IdType::Organization));
        Ok(rows.map(|rows| Page::from_rows(rows, page.limit, |org| key.cursor(org.id.as_uuid()))))
    }

    async fn membership_page(
        &self,
        key: ListKey,
        page: &PageRequest,
        now: Timestamp,
        query: impl FnOnce(Window<MembershipId>) -> MembershipQuery,
    ) -> Result<Result<Page<Membership>, DomainError>, Error> {
        let rows = self.backend.memberships(query(window(key, page)?)).await?.ok_or(DomainError::NotFound(IdType::Organization));
        let seen = |rows: Vec<Membership>| rows.into_iter().map(|mem| mem.seen_at(now)).collect();
        Ok(rows.map(|rows| Page::from_rows(seen(rows), page.limit, |mem: &Membership| key.cursor(mem.id.as_uuid()))))
    }

    async fn one_org(&self, query: OrgQuery) -> Result<Organization, Error> {
        let org = self.backend.orgs(query).await?.unwrap_or_default().into_iter().next();
        self.acting(org.as_ref().map(|org| org.id), IdType::Organization).await?;
        org.ok_or_else(|| DomainError::NotFound(IdType::Organization).into())
    }

    async fn one_membership(&self, query: MembershipQuery) -> Result<Membership, Error> {
        let mem = self.backend.memberships(query).await?.unwrap_or_default().into_iter().next();
        self.acting(mem.as_ref().map(|mem| mem.org_id), IdType::Membership).await?;
        let mem = mem.ok_or(DomainError::NotFound(IdType::Membership))?;
        Ok(mem.seen_at(self.now()))
    }
}

/// A command with what it needs to be decided, possibly more than once.
struct Running<C: Command> {
    command: C,
    spec: LoadSpec,
    caller: Caller,
    cause: Cause,
    ancestor_read: Option<Arc<AncestorReadPolicy>>,
    ids: IdTape,
    /// The moment of the attempt.
    now: Timestamp,
    clock: Arc<dyn crate::source::Clock>,
    output: Option<C::Output>,
}

impl<C: Command> Job for Running<C> {
    fn spec(&self) -> &LoadSpec {
        &self.spec
    }

    fn begin(&mut self) -> Load<'_> {
        self.now = self.clock.now();
        Load { spec: &self.spec, actor: self.caller.as_guarded().map(Guarded::usr_id), at: self.now }
    }

    fn weighs(&self, seen: &Snapshot) -> Option<FactsQuery> {
        let caller = self.caller.as_guarded()?;
        // Without a live membership there the row is unknown, and takes as much work as one that does not exist.
        seen.standing.as_ref().and_then(|standing| guard::live(standing, self.now))?;
        let below = self.ancestor_read.as_deref().map_or(0, AncestorReadPolicy::depth);
        Some(self.command.stakes(seen)?.query(caller.usr_id(), below))
    }

    fn decide(&mut self, seen: &Snapshot) -> Result<Plan, Error> {
        self.ids.rewind();
        let ancestor_read = self.ancestor_read.as_deref();
        let mut env = Env { now: self.now, caller: &self.caller, cause: &self.cause, ancestor_read, ids: &mut self.ids };
        let decision = self.command.decide(seen, &mut env)?;
        if let Some(failure) = self.ids.take_failure() {
            return Err(failure.into());
        }
        self.output = Some(decision.output);
        let mut plan = decision.plan;
        if let (Some(caller), Some(standing), false) = (self.caller.as_guarded(), &seen.standing, plan.is_empty()) {
            // Whose right it was must still be there when it is written.
            plan.rely_on_user(caller.usr_id(), standing.user.as_ref().map(|user| user.revision));
        }
        if let (Some(facts), false) = (&seen.facts, plan.is_empty()) {
            plan.rely_on_facts(facts);
        }
        Ok(plan)
    }
}

fn window<I: Id>(key: ListKey, page: &PageRequest) -> Result<Window<I>, DomainError> {
    let after = key.open(page.cursor.as_deref())?;
    let after = after.map(I::from_uuid).transpose().map_err(|_| DomainError::InvalidCursor)?;
    Ok(Window { after, fetch: page.limit.fetch() })
}

fn status_part(status: Option<&'static str>) -> &'static [u8] {
    status.unwrap_or_default().as_bytes()
}

fn bounded<T>(field: &'static str, ids: &[T]) -> Result<(), DomainError> {
    if ids.len() > MAX_IDS { Err(DomainError::format(field, "at most 200 ids")) } else { Ok(()) }
}

/// The rows that replaced each other up to and from this one, oldest first.
fn chain(rows: Vec<Membership>, id: MembershipId) -> Vec<Membership> {
    let mut by_id: HashMap<MembershipId, Membership> = HashMap::new();
    let mut next_of: HashMap<MembershipId, MembershipId> = HashMap::new();
    for row in rows {
        next_of.extend(row.replaces.map(|before| (before, row.id)));
        by_id.insert(row.id, row);
    }
    let mut start = id;
    // Bounded by the number of rows, so that a loop in damaged data ends too.
    for _ in 0..by_id.len() {
        match by_id.get(&start).and_then(|row| row.replaces).filter(|before| by_id.contains_key(before)) {
            Some(before) => start = before,
            None => break,
        }
    }
    let mut chain = Vec::new();
    let mut at = Some(start);
    while let Some(row) = at.and_then(|id| by_id.remove(&id)) {
        at = next_of.get(&row.id).copied();
        chain.push(row);
    }
    chain
}

#[async_trait]
impl<B: Backend> TenancyStore for Engine<B> {
    fn with_caller<'s>(&self, caller: Caller) -> Arc<dyn TenancyStore + 's>
    where
        Self: 's,
    {
        Arc::new(self.on_behalf_of(caller))
    }

    fn with_cause<'s>(&self, cause: Cause) -> Arc<dyn TenancyStore + 's>
    where
        Self: 's,
    {
        Arc::new(self.because_of(cause))
    }

    fn with_rules<'s>(&self, rules: Arc<Rules>) -> Arc<dyn TenancyStore + 's>
    where
        Self: 's,
    {
        Arc::new(self.following(rules))
    }

    fn with_ancestor_read<'s>(&self, policy: Option<Arc<AncestorReadPolicy>>) -> Arc<dyn TenancyStore + 's>
    where
        Self: 's,
    {
        Arc::new(self.reading_upwards(policy))
    }

    async fn create_user(&self, request: CreateUser) -> Result<CreatedUser, Error> {
        self.run(request).await
    }

    async fn get_user(&self, usr_id: UserId) -> Result<User, Error> {
        self.own(Some(usr_id))?;
        let user = self.backend.users(vec![usr_id]).await?.into_iter().next();
        if self.caller.as_guarded().is_some() {
            guard::allow(guard::user_acts(user.as_ref()))?;
        }
        user.ok_or_else(|| DomainError::NotFound(IdType::User).into())
    }

    async fn get_users(&self, usr_ids: &[UserId]) -> Result<Vec<User>, Error> {
        bounded("usr_ids", usr_ids)?;
        usr_ids.iter().try_for_each(|usr| self.own(Some(*usr)))?;
        let users = self.backend.users(usr_ids.to_vec()).await?;
        if self.caller.as_guarded().is_some() {
            guard::allow(users.iter().all(|user| guard::user_acts(Some(user))))?;
        }
        Ok(users)
    }

    async fn suspend_user(&self, request: SuspendUser) -> Result<SuspendedUser, Error> {
        self.run(request).await
    }

    async fn reinstate_user(&self, request: ReinstateUser) -> Result<User, Error> {
        self.run(request).await
    }

    async fn revoke_user(&self, request: RevokeUser) -> Result<User, Error> {
        self.run(request).await
    }

    async fn create_org(&self, request: CreateOrg) -> Result<CreatedOrg, Error> {
        self.run(request).await
    }

    async fn get_org(&self, org_id: OrgId) -> Result<Organization, Error> {
        self.one_org(OrgQuery::Ids(vec![org_id])).await
    }

    async fn get_org_by_slug(&self, slug: &str) -> Result<Organization, Error> {
        // No organization has a slug that is none.
        let slug = Slug::parse(slug).ok_or(DomainError::NotFound(IdType::Organization))?;
        self.one_org(OrgQuery::Slug(slug)).await
    }

    async fn get_orgs(&self, org_ids: &[OrgId]) -> Result<Vec<Organization>, Error> {
        bounded("org_ids", org_ids)?;
        let mut orgs = self.backend.orgs(OrgQuery::Ids(org_ids.to_vec())).await?.unwrap_or_default();
        if let Some(visible) = self.visible(orgs.iter().map(|org| org.id).collect()).await? {
            orgs.retain(|org| visible.contains(&org.id));
        }
        Ok(orgs)
    }

    async fn get_org_path(&self, org_id: OrgId) -> Result<OrgPath, Error> {
        let mut data = self.backend.orgs(OrgQuery::Path(org_id)).await?.unwrap_or_default();
        let live = is_live(&data);
        if let Some(visible) = self.visible(data.iter().map(|org| org.id).collect()).await? {
            data.retain(|org| visible.contains(&org.id));
        }
        if data.last().is_none_or(|last| last.id != org_id) {
            return Err(DomainError::NotFound(IdType::Organization).into());
        }
        Ok(OrgPath { data, live })
    }

    async fn list_children(&self, request: ListChildren) -> Result<Page<Organization>, Error> {
        let ListChildren { org_id, page } = request;
        let key = ListKey::new(CHILDREN, &[org_id.as_uuid().as_bytes()]);
        let found = self.org_page(key, &page, |window| OrgQuery::Children { parent: org_id, window }).await?;
        self.acting(Some(org_id), IdType::Organization).await?;
        Ok(found?)
    }

    async fn list_descendants(&self, request: ListDescendants) -> Result<Page<Descendant>, Error> {
        let ListDescendants { org_id, levels, page } = request;
        let levels = levels.map(check::levels).transpose()?;
        let key = ListKey::new(DESCENDANTS, &[org_id.as_uuid().as_bytes(), &[levels.unwrap_or_default()]]);
        let found = self.org_page(key, &page, |window| OrgQuery::Descendants { org: org_id, levels, window }).await?;
        self.acting(Some(org_id), IdType::Organization).await?;
        let Page { data, next_cursor } = found?;
        Ok(Page { data: data.into_iter().map(|org| Descendant::below(org_id, org)).collect(), next_cursor })
    }

    async fn list_orgs(&self, request: ListOrgs) -> Result<Page<Organization>, Error> {
        let ListOrgs { status, query, page } = request;
        let contains = query.filter(|text| !text.is_empty()).map(|text| fold(&text));
        let filters = [status_part(status.map(crate::entity::OrgStatus::as_str)), contains.as_deref().unwrap_or_default().as_bytes()];
        let key = ListKey::new(ORGS, &filters);
        key.open(page.cursor.as_deref())?;
        self.own(None)?;
        Ok(self.org_page(key, &page, |window| OrgQuery::All { status, contains, window }).await??)
    }

    async fn update_org(&self, request: UpdateOrg) -> Result<Organization, Error> {
        self.run(request).await
    }

    async fn move_org(&self, request: MoveOrg) -> Result<Organization, Error> {
        self.run(request).await
    }

    async fn preview_move_org(&self, request: PreviewMoveOrg) -> Result<Page<AccessChange>, Error> {
        self.preview(request).await
    }

    async fn suspend_org(&self, request: SuspendOrg) -> Result<Organization, Error> {
        self.run(request).await
    }

    async fn reinstate_org(&self, request: ReinstateOrg) -> Result<Organization, Error> {
        self.run(request).await
    }

    async fn revoke_org(&self, request: RevokeOrg) -> Result<Organization, Error> {
        self.run(request).await
    }

    async fn ensure_tenant_for_user(&self, request: EnsureTenant) -> Result<EnsuredTenant, Error> {
        self.run(request).await
    }

    async fn create_tenant_with_ownership(&self, request: CreateTenant) -> Result<CreatedOrg, Error> {
        self.run(request).await
    }

    async fn delete_tenant(&self, request: DeleteTenant) -> Result<Organization, Error> {
        self.run(request).await
    }

    async fn add_member(&self, request: AddMember) -> Result<Membership, Error> {
        self.run(request).await
    }

    async fn change_role(&self, request: ChangeRole) -> Result<Membership, Error> {
        self.run(request).await
    }

    async fn update_membership(&self, request: UpdateMembership) -> Result<Membership, Error> {
        self.run(request).await
    }

    async fn suspend_membership(&self, request: SuspendMembership) -> Result<Membership, Error> {
        self.run(request).await
    }

    async fn reinstate_membership(&self, request: ReinstateMembership) -> Result<Membership, Error> {
        self.run(request).await
    }

    async fn self_leave(&self, request: SelfLeave) -> Result<Membership, Error> {
        self.run(request).await
    }

    async fn admin_remove(&self, request: AdminRemove) -> Result<Membership, Error> {
        self.run(request).await
    }

    async fn transfer_ownership(&self, request: TransferOwnership) -> Result<TransferredOwnership, Error> {
        self.run(request).await
    }

    async fn get_membership(&self, mem_id: MembershipId) -> Result<Membership, Error> {
        self.one_membership(MembershipQuery::Ids(vec![mem_id])).await
    }

    async fn get_membership_for(&self, org_id: OrgId, usr_id: UserId) -> Result<Membership, Error> {
        self.one_membership(MembershipQuery::Current { org: org_id, usr: usr_id }).await
    }

    async fn get_memberships(&self, mem_ids: &[MembershipId]) -> Result<Vec<Membership>, Error> {
        bounded("mem_ids", mem_ids)?;
        let now = self.now();
        let mut rows = self.backend.memberships(MembershipQuery::Ids(mem_ids.to_vec())).await?.unwrap_or_default();
        if let Some(visible) = self.visible(rows.iter().map(|mem| mem.org_id).collect()).await? {
            rows.retain(|mem| visible.contains(&mem.org_id));
        }
        Ok(rows.into_iter().map(|mem| mem.seen_at(now)).collect())
    }

    async fn membership_history(&self, mem_id: MembershipId) -> Result<Page<Membership>, Error> {
        let now = self.now();
        let rows = self.backend.memberships(MembershipQuery::Siblings(mem_id)).await?.unwrap_or_default();
        self.acting(rows.first().map(|mem| mem.org_id), IdType::Membership).await?;
        if rows.is_empty() {
            return Err(DomainError::NotFound(IdType::Membership).into());
        }
        Ok(Page::whole(chain(rows, mem_id).into_iter().map(|mem| mem.seen_at(now)).collect()))
    }

    async fn list_members(&self, request: ListMembers) -> Result<Page<Membership>, Error> {
        let ListMembers { org_id, status, page } = request;
        let now = self.now();
        let key = ListKey::new(MEMBERS, &[org_id.as_uuid().as_bytes(), status_part(status.map(MembershipStatus::as_str))]);
        let filter = status.map(|status| MembershipFilter::seen_as(status, now));
        let found = self.membership_page(key, &page, now, |window| MembershipQuery::OfOrg { org: org_id, filter, window }).await?;
        self.acting(Some(org_id), IdType::Organization).await?;
        Ok(found?)
    }

    async fn list_memberships(&self, request: ListMemberships) -> Result<Page<Membership>, Error> {
        let ListMemberships { usr_id, status, page } = request;
        let now = self.now();
        let key = ListKey::new(MEMBERSHIPS, &[usr_id.as_uuid().as_bytes(), status_part(status.map(MembershipStatus::as_str))]);
        key.open(page.cursor.as_deref())?;
        self.own(Some(usr_id))?;
        let filter = status.map(|status| MembershipFilter::seen_as(status, now));
        Ok(self.membership_page(key, &page, now, |window| MembershipQuery::OfUser { usr: usr_id, filter, window }).await??)
    }

    async fn count_members(&self, request: CountMembers) -> Result<u64, Error> {
        let CountMembers { org_id, status } = request;
        let now = self.now();
        let filter = status.map(|status| MembershipFilter::seen_as(status, now));
        let count = self.backend.count_members(org_id, filter).await?;
        self.acting(Some(org_id), IdType::Organization).await?;
        count.ok_or_else(|| DomainError::NotFound(IdType::Organization).into())
    }

    async fn create_invitation(&self, request: CreateInvitation) -> Result<Invitation, Error> {
        self.run(request).await
    }

    async fn create_invitations(&self, request: CreateInvitations) -> Result<Vec<InvitedRow>, Error> {
        self.run(request).await
    }

    async fn get_invitation(&self, inv_id: InvitationId) -> Result<Invitation, Error> {
        let now = self.now();
        let inv = self.backend.invitations(InvitationQuery::Id(inv_id)).await?.unwrap_or_default().into_iter().next();
        self.managing(inv.as_ref().map(|inv| inv.org_id), IdType::Invitation).await?;
        inv.map(|inv| inv.seen_at(now)).ok_or_else(|| DomainError::NotFound(IdType::Invitation).into())
    }

    async fn list_invitations(&self, request: ListInvitations) -> Result<Page<Invitation>, Error> {
        let ListInvitations { org_id, status, page } = request;
        let now = self.now();
        let key = ListKey::new(INVITATIONS, &[org_id.as_uuid().as_bytes(), status_part(status.map(InvitationStatus::as_str))]);
        let filter = status.map(|status| InvitationFilter::seen_as(status, now));
        let found = self.invitation_page(key, &page, now, |window| InvitationQuery::OfOrg { org: org_id, filter, window }).await?;
        self.managing(Some(org_id), IdType::Organization).await?;
        Ok(found?)
    }

    async fn list_invitations_for(&self, request: ListInvitationsFor) -> Result<Page<Invitation>, Error> {
        let ListInvitationsFor { identifier, status, page } = request;
        let now = self.now();
        let key = ListKey::new(INVITATIONS_FOR, &[identifier.as_bytes(), status_part(status.map(InvitationStatus::as_str))]);
        let filter = status.map(|status| InvitationFilter::seen_as(status, now));
        key.open(page.cursor.as_deref())?;
        let vouched = |caller: &Guarded| caller.vouched(&identifier);
        guard::allow(self.caller.as_guarded().is_none_or(vouched))?;
        let Some(identifier) = Identifier::parse(&identifier) else {
            // Nobody is invited under a text that is no identifier.
            return Ok(Page::whole(Vec::new()));
        };
        Ok(self.invitation_page(key, &page, now, |window| InvitationQuery::For { identifier, filter, window }).await??)
    }

    async fn accept_invitation(&self, request: AcceptInvitation) -> Result<AcceptedInvitation, Error> {
        self.run(request).await
    }

    async fn decline_invitation(&self, request: DeclineInvitation) -> Result<Invitation, Error> {
        self.run(request).await
    }

    async fn revoke_invitation(&self, request: RevokeInvitation) -> Result<Invitation, Error> {
        self.run(request).await
    }

    async fn extend_invitation(&self, request: ExtendInvitation) -> Result<Invitation, Error> {
        self.run(request).await
    }

    async fn sweep(&self, request: Sweep) -> Result<Swept, Error> {
        self.run(request).await
    }

    async fn create_tuple(&self, request: CreateTuple) -> Result<Tuple, Error> {
        self.run(request).await
    }

    async fn delete_tuple(&self, request: DeleteTuple) -> Result<Tuple, Error> {
        self.run(request).await
    }

    async fn get_tuple(&self, tup_id: TupleId) -> Result<Tuple, Error> {
        let query = TupleQuery { at: self.now(), which: WhichTuples::Id(tup_id) };
        let tuple = self.backend.tuples(query).await?.into_iter().next();
        if let Some(caller) = self.caller.as_guarded() {
            let home = tuple.as_ref().and_then(|tuple| guard::home(tuple.org_id, tuple.key.object));
            let acting = match self.acting(home, IdType::Tuple).await {
                Err(Error::Domain(_)) => None,
                other => other?,
            };
            let own = tuple.as_ref().is_some_and(|tuple| tuple.key.subject == EntityRef::user(caller.usr_id));
            if !own && !acting.is_some_and(Acting::manages) {
                return Err(DomainError::NotFound(IdType::Tuple).into());
            }
        }
        tuple.ok_or_else(|| DomainError::NotFound(IdType::Tuple).into())
    }

    async fn list_tuples_for_subject(&self, request: ListTuplesForSubject) -> Result<Page<Tuple>, Error> {
        let ListTuplesForSubject { subject_type, subject_id, page } = request;
        let subject = tuple::entity(("subject_type", &subject_type), ("subject_id", &subject_id))?;
        let key = ListKey::new(TUPLES_OF, &[subject.kind.as_str().as_bytes(), subject.id.as_bytes()]);
        key.open(page.cursor.as_deref())?;
        self.may_ask(subject, None)?;
        self.tuple_page(key, &page, |window| WhichTuples::OfSubject { subject, window }).await
    }

    async fn list_tuples_for_object(&self, request: ListTuplesForObject) -> Result<Page<Tuple>, Error> {
        let ListTuplesForObject { object_type, object_id, relation, page } = request;
        let object = tuple::entity(("object_type", &object_type), ("object_id", &object_id))?;
        let relation = relation.map(|text| tuple::relation("relation", &text)).transpose()?;
        let filter = relation.as_ref().map(Relation::as_str).unwrap_or_default();
        let key = ListKey::new(TUPLES_ON, &[object.kind.as_str().as_bytes(), object.id.as_bytes(), filter.as_bytes()]);
        key.open(page.cursor.as_deref())?;
        if self.caller.as_guarded().is_some() && object.as_org().is_none() {
            return Err(DomainError::Forbidden.into());
        }
        let found = self.tuple_page(key, &page, |window| WhichTuples::OfObject { object, relation, window }).await?;
        self.managing(object.as_org(), IdType::Organization).await?;
        Ok(found)
    }

    async fn check(&self, request: CheckOne) -> Result<Checked, Error> {
        let key = request.key()?;
        let of = self.may_ask(key.subject, Some(key.object))?;
        let checked = if self.rules.nodes(key.object.kind, &key.relation).is_none() {
            self.direct(key).await
        } else {
            self.first(self.evaluation(key)).await
        };
        if let Some(of) = of {
            self.managing_all(vec![of]).await?;
        }
        checked
    }

    async fn check_any(&self, request: CheckAny) -> Result<Checked, Error> {
        let (subject, relations, object) = request.forms()?;
        let of = self.may_ask(subject, Some(object))?;
        let checked = self.first(Evaluation::new(Arc::clone(&self.rules), subject, relations, object)).await;
        self.managing_all(of.into_iter().collect()).await?;
        checked
    }

    async fn check_many(&self, requests: Vec<CheckOne>) -> Result<Vec<CheckedRow>, Error> {
        if requests.is_empty() || requests.len() > MAX_IDS {
            return Err(DomainError::format("checks", "a list of 1 to 200").into());
        }
        let keys = requests.iter().map(CheckOne::key).collect::<Result<Vec<_>, _>>()?;
        let of = keys.iter().map(|key| self.may_ask(key.subject, Some(key.object))).collect::<Result<Vec<_>, _>>()?;
        let done = self.evaluate(keys.into_iter().map(|key| self.evaluation(key)).collect()).await?;
        self.managing_all(of.into_iter().flatten().collect()).await?;
        Ok(done.into_iter().map(CheckedRow).collect())
    }

    async fn changes(&self, request: ListChanges) -> Result<Page<Event>, Error> {
        let ListChanges { org_id, after_revision, limit } = request;
        let query = EventQuery::OfOrg { org: org_id, after: after_revision, fetch: limit.fetch() };
        let rows = self.backend.events(query).await?;
        self.managing(Some(org_id), IdType::Organization).await?;
        let rows = rows.ok_or(DomainError::NotFound(IdType::Organization))?;
        Ok(Page::from_rows(rows, limit, |event| event.revision.unwrap_or_default().to_string()))
    }

    async fn outcome(&self, event_id: EventId) -> Result<Option<Event>, Error> {
        let event = self.backend.events(EventQuery::Id(event_id)).await?.unwrap_or_default().into_iter().next();
        let Some(caller) = self.caller.as_guarded() else { return Ok(event) };
        // Who caused it may know of it, and who may read the log that it stands in.
        let manages = self.managing(event.as_ref().and_then(|event| event.org_id), IdType::Event).await;
        match manages {
            Ok(()) | Err(Error::Domain(_)) => Ok(event.filter(|event| manages.is_ok() || event.actor == Actor::user(caller.usr_id))),
            Err(error) => Err(error),
        }
    }

    async fn changes_all(&self, request: ListAllChanges) -> Result<Page<Event>, Error> {
        let ListAllChanges { after, limit } = request;
        self.own(None)?;
        let rows = self.backend.events(EventQuery::All { after, fetch: limit.fetch() }).await?.ok_or(DomainError::InvalidCursor)?;
        Ok(Page::from_rows(rows, limit, |event| event.id.to_string()))
    }

    async fn import(&self, request: Import) -> Result<ImportCounts, Error> {
        self.run(request).await
    }
}

#[async_trait]
impl<B: Backend> Inspect for Engine<B> {
    async fn dump(&self) -> Result<Dump, Error> {
        Ok(self.backend.dump().await?)
    }

    async fn repair(&self, repairs: Vec<Repair>) -> Result<bool, Error> {
        Ok(self.backend.repair(repairs).await?)
    }
}
