//! [`Engine`]: the rules over a [`Backend`], as a [`TenancyStore`]. Written once for all stores.

use std::collections::HashMap;
use std::sync::Arc;

use async_trait::async_trait;

use crate::backend::{Backend, Job};
use crate::change::Plan;
use crate::decide::{
    AddMember, AdminRemove, Caller, ChangeRole, Command, CreateOrg, CreateUser, CreatedOrg, CreatedUser, Env, IdTape, Import, ImportCounts,
    ReinstateMembership, ReinstateOrg, ReinstateUser, RevokeOrg, RevokeUser, SelfLeave, SuspendMembership, SuspendOrg, SuspendUser,
    SuspendedUser, TransferOwnership, TransferredOwnership, UpdateMembership, UpdateOrg,
};
use crate::entity::{Membership, MembershipStatus, Organization, User, is_live};
use crate::error::{BackendError, BackendKind, DomainError, Error};
use crate::event::Event;
use crate::id::{EventId, Id, IdType, MembershipId, OrgId, UserId};
use crate::load::{LoadSpec, Snapshot};
use crate::page::{ListKey, Page, PageRequest};
use crate::query::{EventQuery, MembershipFilter, MembershipQuery, OrgQuery, Window};
use crate::source::Sources;
use crate::state::Dump;
use crate::store::{CountMembers, Inspect, ListChanges, ListChildren, ListMembers, ListMemberships, ListOrgs, OrgPath, TenancyStore};
use crate::time::Timestamp;
use crate::value::{Slug, fold};

/// The rules over one store, on behalf of one caller. Cheap to clone: clones share the store.
#[derive(Debug)]
pub struct Engine<B> {
    backend: Arc<B>,
    sources: Sources,
    caller: Caller,
}

impl<B> Clone for Engine<B> {
    fn clone(&self) -> Self {
        Self { backend: Arc::clone(&self.backend), sources: self.sources.clone(), caller: self.caller.clone() }
    }
}

/// The most ids that one look-up takes.
const MAX_IDS: usize = 200;

/// Kinds of list, as cursors number them.
const MEMBERS: u8 = 1;
const MEMBERSHIPS: u8 = 2;
const ORGS: u8 = 3;
const CHILDREN: u8 = 4;

impl<B: Backend> Engine<B> {
    /// The rules over this backend, with these sources, for trusted code that acts as the system itself.
    pub fn new(backend: B, sources: Sources) -> Self {
        Self { backend: Arc::new(backend), sources, caller: Caller::default() }
    }

    /// The backend.
    pub fn backend(&self) -> &B {
        &self.backend
    }

    fn now(&self) -> Timestamp {
        self.sources.clock.now()
    }

    async fn run<C: Command>(&self, command: C) -> Result<C::Output, Error> {
        let job = Running {
            spec: command.load()?,
            command,
            caller: self.caller.clone(),
            ids: IdTape::new(Arc::clone(&self.sources.ids)),
            clock: Arc::clone(&self.sources.clock),
            output: None,
        };
        let done = self.backend.execute(job).await?;
        // A backend that answers without having decided breaks the port's contract.
        done.output.ok_or_else(|| BackendError::new(BackendKind::Other, "the store answered without a decision").into())
    }

    async fn org_page(
        &self,
        key: ListKey,
        page: &PageRequest,
        query: impl FnOnce(Window<OrgId>) -> OrgQuery,
    ) -> Result<Page<Organization>, Error> {
        let rows = self.backend.orgs(query(window(key, page)?)).await?.ok_or(DomainError::NotFound(IdType::Organization))?;
        Ok(Page::from_rows(rows, page.limit, |org| key.cursor(org.id.as_uuid())))
    }

    async fn membership_page(
        &self,
        key: ListKey,
        page: &PageRequest,
        now: Timestamp,
        query: impl FnOnce(Window<MembershipId>) -> MembershipQuery,
    ) -> Result<Page<Membership>, Error> {
        let rows = self.backend.memberships(query(window(key, page)?)).await?.ok_or(DomainError::NotFound(IdType::Organization))?;
        let rows = rows.into_iter().map(|mem| mem.seen_at(now)).collect();
        Ok(Page::from_rows(rows, page.limit, |mem: &Membership| key.cursor(mem.id.as_uuid())))
    }

    async fn one_org(&self, query: OrgQuery) -> Result<Organization, Error> {
        let rows = self.backend.orgs(query).await?.unwrap_or_default();
        rows.into_iter().next().ok_or_else(|| DomainError::NotFound(IdType::Organization).into())
    }

    async fn one_membership(&self, query: MembershipQuery) -> Result<Membership, Error> {
        let rows = self.backend.memberships(query).await?.unwrap_or_default();
        let mem = rows.into_iter().next().ok_or(DomainError::NotFound(IdType::Membership))?;
        Ok(mem.seen_at(self.now()))
    }
}

/// A command with what it needs to be decided, possibly more than once.
struct Running<C: Command> {
    command: C,
    spec: LoadSpec,
    caller: Caller,
    ids: IdTape,
    clock: Arc<dyn crate::source::Clock>,
    output: Option<C::Output>,
}

impl<C: Command> Job for Running<C> {
    fn spec(&self) -> &LoadSpec {
        &self.spec
    }

    fn decide(&mut self, seen: &Snapshot) -> Result<Plan, Error> {
        self.ids.rewind();
        let mut env = Env { now: self.clock.now(), caller: &self.caller, ids: &mut self.ids };
        let decision = self.command.decide(seen, &mut env)?;
        if let Some(failure) = self.ids.take_failure() {
            return Err(failure.into());
        }
        self.output = Some(decision.output);
        Ok(decision.plan)
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
    fn with_caller(&self, caller: Caller) -> Arc<dyn TenancyStore> {
        Arc::new(Self { caller, ..self.clone() })
    }

    async fn create_user(&self, request: CreateUser) -> Result<CreatedUser, Error> {
        self.run(request).await
    }

    async fn get_user(&self, usr_id: UserId) -> Result<User, Error> {
        let rows = self.backend.users(vec![usr_id]).await?;
        rows.into_iter().next().ok_or_else(|| DomainError::NotFound(IdType::User).into())
    }

    async fn get_users(&self, usr_ids: &[UserId]) -> Result<Vec<User>, Error> {
        bounded("usr_ids", usr_ids)?;
        Ok(self.backend.users(usr_ids.to_vec()).await?)
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
        Ok(self.backend.orgs(OrgQuery::Ids(org_ids.to_vec())).await?.unwrap_or_default())
    }

    async fn get_org_path(&self, org_id: OrgId) -> Result<OrgPath, Error> {
        let data = self.backend.orgs(OrgQuery::Path(org_id)).await?.unwrap_or_default();
        if data.is_empty() {
            return Err(DomainError::NotFound(IdType::Organization).into());
        }
        let live = is_live(&data);
        Ok(OrgPath { data, live })
    }

    async fn list_children(&self, request: ListChildren) -> Result<Page<Organization>, Error> {
        let ListChildren { org_id, page } = request;
        let key = ListKey::new(CHILDREN, &[org_id.as_uuid().as_bytes()]);
        self.org_page(key, &page, |window| OrgQuery::Children { parent: org_id, window }).await
    }

    async fn list_orgs(&self, request: ListOrgs) -> Result<Page<Organization>, Error> {
        let ListOrgs { status, query, page } = request;
        let contains = query.filter(|text| !text.is_empty()).map(|text| fold(&text));
        let filters = [status_part(status.map(crate::entity::OrgStatus::as_str)), contains.as_deref().unwrap_or_default().as_bytes()];
        let key = ListKey::new(ORGS, &filters);
        self.org_page(key, &page, |window| OrgQuery::All { status, contains, window }).await
    }

    async fn update_org(&self, request: UpdateOrg) -> Result<Organization, Error> {
        self.run(request).await
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
        let rows = self.backend.memberships(MembershipQuery::Ids(mem_ids.to_vec())).await?.unwrap_or_default();
        Ok(rows.into_iter().map(|mem| mem.seen_at(now)).collect())
    }

    async fn membership_history(&self, mem_id: MembershipId) -> Result<Page<Membership>, Error> {
        let now = self.now();
        let rows = self.backend.memberships(MembershipQuery::Siblings(mem_id)).await?.unwrap_or_default();
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
        self.membership_page(key, &page, now, |window| MembershipQuery::OfOrg { org: org_id, filter, window }).await
    }

    async fn list_memberships(&self, request: ListMemberships) -> Result<Page<Membership>, Error> {
        let ListMemberships { usr_id, status, page } = request;
        let now = self.now();
        let key = ListKey::new(MEMBERSHIPS, &[usr_id.as_uuid().as_bytes(), status_part(status.map(MembershipStatus::as_str))]);
        let filter = status.map(|status| MembershipFilter::seen_as(status, now));
        self.membership_page(key, &page, now, |window| MembershipQuery::OfUser { usr: usr_id, filter, window }).await
    }

    async fn count_members(&self, request: CountMembers) -> Result<u64, Error> {
        let CountMembers { org_id, status } = request;
        let now = self.now();
        let filter = status.map(|status| MembershipFilter::seen_as(status, now));
        let count = self.backend.count_members(org_id, filter).await?;
        count.ok_or_else(|| DomainError::NotFound(IdType::Organization).into())
    }

    async fn changes(&self, request: ListChanges) -> Result<Page<Event>, Error> {
        let ListChanges { org_id, after_revision, limit } = request;
        let query = EventQuery::OfOrg { org: org_id, after: after_revision, fetch: limit.fetch() };
        let rows = self.backend.events(query).await?.ok_or(DomainError::NotFound(IdType::Organization))?;
        Ok(Page::from_rows(rows, limit, |event| event.revision.unwrap_or_default().to_string()))
    }

    async fn outcome(&self, event_id: EventId) -> Result<Option<Event>, Error> {
        let rows = self.backend.events(EventQuery::Id(event_id)).await?.unwrap_or_default();
        Ok(rows.into_iter().next())
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
}
