//! Roles, groups, overrides, the catalog, and what may be done.

use async_trait::async_trait;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::{Engine, bounded, window};
use crate::access::{Group, GroupMember, GroupRole, Holder, Permission, PermissionGrant};
use crate::backend::Backend;
use crate::decide::guard::{self, Acting};
use crate::decide::{
    AddGroupMember, AddGroupRole, ChangedPermissions, CreateGroup, CreateRole, DefinePermission, DeleteGroup, DeleteRole, DeletedRole,
    GrantRolePermissions, PERMISSION, RemoveGroupMember, RemoveGroupRole, RevokeRolePermissions, SeedRolePermissions, SeedSystemRoles,
    SeededPermissions, SeededRoles, SetMembershipOverride, SetOrgOverride, SyncCatalog, SyncedCatalog, UpdateGroup, UpdateRole,
};
use crate::entity::Membership;
use crate::error::{BackendError, DomainError, Error};
use crate::id::{GroupId, IdType, OrgId, RoleId, UserId};
use crate::page::{ListKey, Page, PageRequest};
use crate::permissions::{
    self, AncestorReadPolicy, Ask, EffectivePermissions, Explanation, Facts, FactsQuery, PermissionToken, UserAccess,
};
use crate::query::{AccessFound, AccessQuery, MembershipQuery};
use crate::role::RoleDefinition;
use crate::stamps::Stamps;
use crate::store::{
    AccessStore, AllowedRow, ListGroupMembers, ListGroupRoles, ListGroups, ListMembershipOverrides, ListOrgOverrides, ListOrgsWith,
    ListPermissions, ListRoles, ListUsersWith, PermissionAsk, PermissionResolver, ReviewPermissions,
};
use crate::time::Timestamp;
use crate::value::PermissionSlug;

/// Kinds of list, as cursors number them.
const PERMISSIONS: u8 = 9;
const ROLES: u8 = 10;
const GROUPS: u8 = 11;
const GROUP_MEMBERS: u8 = 12;
const GROUP_ROLES: u8 = 13;
const ORG_OVERRIDES: u8 = 14;
const MEMBERSHIP_OVERRIDES: u8 = 15;
const USERS_WITH: u8 = 16;
const ORGS_WITH: u8 = 17;
const REVIEW: u8 = 18;

/// How many candidates of a reverse question are looked at together.
const CANDIDATES: u32 = 400;

pub(crate) fn slug(text: &str) -> Result<PermissionSlug, DomainError> {
    PermissionSlug::parse(text).ok_or_else(|| DomainError::format("permission", PERMISSION))
}

pub(crate) fn slugs(texts: &[&str]) -> Result<Vec<PermissionSlug>, DomainError> {
    bounded("permissions", texts).map_err(|_| DomainError::format("permissions", "a list of at most 200 slugs"))?;
    let parsed = texts.iter().map(|text| PermissionSlug::parse(text));
    parsed.map(|slug| slug.ok_or_else(|| DomainError::format("permissions", PERMISSION))).collect()
}

/// Each of these once.
fn pairs(asks: &[(UserId, OrgId)]) -> Result<BTreeSet<(UserId, OrgId)>, DomainError> {
    if asks.is_empty() || asks.len() > super::MAX_IDS {
        return Err(DomainError::format("asks", "a list of 1 to 200"));
    }
    Ok(asks.iter().copied().collect())
}

/// What is asked of several users and organizations at one moment.
pub(super) struct Asking<'a> {
    now: Timestamp,
    policy: Option<&'a AncestorReadPolicy>,
}

impl<'a> Asking<'a> {
    pub(super) const fn of(&self, usr: UserId, org: OrgId, only: Option<&'a PermissionSlug>) -> Ask<'a> {
        Ask { usr, org, now: self.now, only, policy: self.policy }
    }
}

impl<B: Backend> Engine<B> {
    pub(super) fn below(&self) -> u32 {
        self.ancestor_read.as_deref().map_or(0, AncestorReadPolicy::depth)
    }

    pub(super) fn asking(&self) -> Asking<'_> {
        Asking { now: self.now(), policy: self.ancestor_read.as_deref() }
    }

    pub(super) async fn facts(&self, asks: Vec<(UserId, OrgId)>, permissions: Option<Vec<PermissionSlug>>) -> Result<Facts, BackendError> {
        self.backend.facts(FactsQuery { asks, permissions, below: self.below(), ..FactsQuery::default() }).await
    }

    /// What tells everything that users may do.
    async fn resolving(&self, asks: Vec<(UserId, OrgId)>) -> Result<Facts, BackendError> {
        self.backend.facts(FactsQuery { asks, below: self.below(), resolving: true, ..FactsQuery::default() }).await
    }

    /// What tells whether somebody holds a permission, for each of these.
    async fn holding(&self, holding: Vec<(UserId, OrgId, PermissionSlug)>) -> Result<Facts, BackendError> {
        let (asks, permissions) = if let [(usr, org, slug)] = holding.as_slice() {
            (vec![(*usr, *org)], vec![slug.clone()])
        } else {
            let asks: BTreeSet<(UserId, OrgId)> = holding.iter().map(|(usr, org, _)| (*usr, *org)).collect();
            let permissions: BTreeSet<&PermissionSlug> = holding.iter().map(|(.., slug)| slug).collect();
            (asks.into_iter().collect(), permissions.into_iter().cloned().collect())
        };
        self.backend.facts(FactsQuery { asks, permissions: Some(permissions), below: self.below(), holding, ..FactsQuery::default() }).await
    }

    /// Which of these permissions the catalog has. Nothing is ever taken from it, so this may be asked behind what it is about.
    pub(super) async fn known(
        &self,
        (usr, org): (UserId, OrgId),
        slugs: BTreeSet<PermissionSlug>,
    ) -> Result<BTreeSet<PermissionSlug>, BackendError> {
        if slugs.is_empty() {
            return Ok(slugs);
        }
        let asks = vec![(usr, org)];
        let query = FactsQuery { asks, permissions: Some(slugs.iter().cloned().collect()), ..FactsQuery::default() };
        let facts = self.backend.facts(query).await?;
        Ok(slugs.into_iter().filter(|slug| facts.is_known(slug)).collect())
    }

    /// What these users may do in an organization; who has nothing to do with it is left out.
    async fn reviewed(&self, org: OrgId, users: Vec<UserId>, only: Option<&PermissionSlug>) -> Result<Vec<UserAccess>, Error> {
        let asks = users.iter().map(|usr| (*usr, org)).collect();
        let facts = self.facts(asks, only.map(|only| vec![only.clone()])).await?;
        let asking = self.asking();
        let mut rows = Vec::new();
        for usr in users {
            rows.extend(permissions::review(&facts, asking.of(usr, org, only))?);
        }
        let held = rows.iter().flat_map(|row: &UserAccess| &row.permissions).map(|held| held.permission.clone()).collect();
        let known = match (only, rows.first()) {
            (Some(only), _) => Some(only).filter(|only| facts.is_known(only)).cloned().into_iter().collect(),
            (None, Some(row)) => self.known((row.usr_id, org), held).await?,
            (None, None) => BTreeSet::new(),
        };
        for row in &mut rows {
            row.permissions.retain(|held| known.contains(&held.permission));
        }
        rows.retain(|row| !row.permissions.is_empty() || (only.is_none() && row.membership_id.is_some()));
        Ok(rows)
    }

    /// A guarded caller asks about themselves, or manages members where they ask. Answers whether they ask about themselves, so that
    /// an organization where they have nothing is as unknown as one that does not exist. To be called behind the read.
    async fn may_resolve(&self, usr: UserId, org: OrgId) -> Result<bool, Error> {
        let Some(caller) = self.caller.as_guarded() else { return Ok(false) };
        if caller.usr_id() == usr {
            return Ok(true);
        }
        self.managing(Some(org), IdType::Organization).await?;
        Ok(false)
    }

    /// The same for several.
    async fn each_may_resolve(&self, pairs: &BTreeSet<(UserId, OrgId)>) -> Result<BTreeMap<(UserId, OrgId), bool>, Error> {
        let mut oneself = BTreeMap::new();
        if self.caller.as_guarded().is_none() {
            return Ok(oneself);
        }
        for (usr, org) in pairs {
            oneself.insert((*usr, *org), self.may_resolve(*usr, *org).await?);
        }
        Ok(oneself)
    }

    pub(super) async fn found(&self, query: AccessQuery) -> Result<AccessFound, BackendError> {
        self.backend.access(query, self.now()).await
    }

    /// What a live member of the organization may read.
    async fn member_reads(&self, query: AccessQuery, kind: IdType) -> Result<AccessFound, Error> {
        let found = self.found(query).await?;
        // What belongs to no organization is no secret.
        if found.org_id.is_some() || !found.there {
            self.acting(found.org_id, kind).await?;
        }
        if found.there { Ok(found) } else { Err(DomainError::NotFound(kind).into()) }
    }

    async fn overrides(
        &self,
        (holder, kind): (Holder, IdType),
        key: ListKey,
        page: &PageRequest,
        own: impl Fn(Acting) -> bool,
    ) -> Result<Page<PermissionGrant>, Error> {
        let after = key.open_text(page.cursor.as_deref())?.map(|text| slug(&text).map_err(|_| DomainError::InvalidCursor)).transpose()?;
        let now = self.now();
        let mut rows: Vec<PermissionGrant> = Vec::new();
        let (mut after, fetch) = (after, page.limit.fetch());
        // Expired rows are as absent as if they were not stored: the page is filled up from behind them.
        loop {
            let found = self.found(AccessQuery::Grants { holder, after: after.clone(), fetch }).await?;
            if rows.is_empty() && after.is_none() || !found.there {
                let acting = self.acting(found.org_id, kind).await?;
                guard::allow(acting.is_none_or(|acting| acting.manages() || own(acting)))?;
            }
            if !found.there {
                return Err(DomainError::NotFound(kind).into());
            }
            let ends = found.grants.len() < usize::try_from(fetch).unwrap_or(usize::MAX);
            after = found.grants.last().map(|row| row.permission.clone());
            rows.extend(found.grants.into_iter().filter(|row| !row.is_expired(now)));
            if ends || rows.len() >= usize::try_from(fetch).unwrap_or(usize::MAX) {
                break;
            }
        }
        Ok(Page::from_rows(rows, page.limit, |row| key.cursor_text(row.permission.as_str())))
    }
}

#[async_trait]
impl<B: Backend> AccessStore for Engine<B> {
    async fn define_permission(&self, request: DefinePermission) -> Result<Permission, Error> {
        self.run(request).await
    }

    async fn sync_catalog(&self, request: SyncCatalog) -> Result<SyncedCatalog, Error> {
        self.run(request).await
    }

    async fn list_permissions(&self, request: ListPermissions) -> Result<Page<Permission>, Error> {
        let key = ListKey::new(PERMISSIONS, &[]);
        let after = key.open_text(request.page.cursor.as_deref())?;
        let after = after.map(|text| slug(&text).map_err(|_| DomainError::InvalidCursor)).transpose()?;
        let found = self.found(AccessQuery::Permissions { after, fetch: request.page.limit.fetch() }).await?;
        Ok(Page::from_rows(found.permissions, request.page.limit, |row| key.cursor_text(row.slug.as_str())))
    }

    async fn create_role(&self, request: CreateRole) -> Result<RoleDefinition, Error> {
        self.run(request).await
    }

    async fn get_role(&self, role_id: RoleId) -> Result<RoleDefinition, Error> {
        let found = self.member_reads(AccessQuery::Role(role_id), IdType::Role).await?;
        found.roles.into_iter().next().ok_or_else(|| DomainError::NotFound(IdType::Role).into())
    }

    async fn list_roles(&self, request: ListRoles) -> Result<Page<RoleDefinition>, Error> {
        let ListRoles { org_id, page } = request;
        let place = org_id.map(|org| org.as_uuid());
        let key = ListKey::new(ROLES, &[place.as_ref().map(|org| org.as_bytes().as_slice()).unwrap_or_default()]);
        let query = AccessQuery::Roles { org: org_id, window: window(key, &page)? };
        let found = self.member_reads(query, IdType::Organization).await?;
        Ok(Page::from_rows(found.roles, page.limit, |role| key.cursor(role.id.as_uuid())))
    }

    async fn update_role(&self, request: UpdateRole) -> Result<RoleDefinition, Error> {
        self.run(request).await
    }

    async fn delete_role(&self, request: DeleteRole) -> Result<DeletedRole, Error> {
        self.run(request).await
    }

    async fn grant_role_permissions(&self, request: GrantRolePermissions) -> Result<ChangedPermissions, Error> {
        self.run(request).await
    }

    async fn revoke_role_permissions(&self, request: RevokeRolePermissions) -> Result<ChangedPermissions, Error> {
        self.run(request).await
    }

    async fn seed_system_roles(&self, request: SeedSystemRoles) -> Result<SeededRoles, Error> {
        self.run(request).await
    }

    async fn seed_role_permissions(&self, request: SeedRolePermissions) -> Result<SeededPermissions, Error> {
        self.run(request).await
    }

    async fn create_group(&self, request: CreateGroup) -> Result<Group, Error> {
        self.run(request).await
    }

    async fn get_group(&self, group_id: GroupId) -> Result<Group, Error> {
        let found = self.member_reads(AccessQuery::Group(group_id), IdType::Group).await?;
        found.groups.into_iter().next().ok_or_else(|| DomainError::NotFound(IdType::Group).into())
    }

    async fn list_groups(&self, request: ListGroups) -> Result<Page<Group>, Error> {
        let ListGroups { org_id, page } = request;
        let key = ListKey::new(GROUPS, &[org_id.as_uuid().as_bytes()]);
        let query = AccessQuery::Groups { org: org_id, window: window(key, &page)? };
        let found = self.member_reads(query, IdType::Organization).await?;
        Ok(Page::from_rows(found.groups, page.limit, |group| key.cursor(group.id.as_uuid())))
    }

    async fn update_group(&self, request: UpdateGroup) -> Result<Group, Error> {
        self.run(request).await
    }

    async fn delete_group(&self, request: DeleteGroup) -> Result<Group, Error> {
        self.run(request).await
    }

    async fn add_group_member(&self, request: AddGroupMember) -> Result<GroupMember, Error> {
        self.run(request).await
    }

    async fn remove_group_member(&self, request: RemoveGroupMember) -> Result<Option<GroupMember>, Error> {
        self.run(request).await
    }

    async fn list_group_members(&self, request: ListGroupMembers) -> Result<Page<GroupMember>, Error> {
        let ListGroupMembers { group_id, page } = request;
        let key = ListKey::new(GROUP_MEMBERS, &[group_id.as_uuid().as_bytes()]);
        let mut part = window::<UserId>(key, &page)?;
        let (now, mut rows) = (self.now(), Vec::new());
        loop {
            let found = self.member_reads(AccessQuery::GroupMembers { group: group_id, window: part }, IdType::Group).await?;
            let ends = found.members.len() < usize::try_from(part.fetch).unwrap_or(usize::MAX);
            part.after = found.members.last().map(|row| row.usr_id);
            rows.extend(found.members.into_iter().filter(|row| row.expires_at.is_none_or(|end| now < end)));
            if ends || rows.len() >= usize::try_from(part.fetch).unwrap_or(usize::MAX) {
                return Ok(Page::from_rows(rows, page.limit, |row| key.cursor(row.usr_id.as_uuid())));
            }
        }
    }

    async fn add_group_role(&self, request: AddGroupRole) -> Result<GroupRole, Error> {
        self.run(request).await
    }

    async fn remove_group_role(&self, request: RemoveGroupRole) -> Result<Option<GroupRole>, Error> {
        self.run(request).await
    }

    async fn list_group_roles(&self, request: ListGroupRoles) -> Result<Page<GroupRole>, Error> {
        let ListGroupRoles { group_id, page } = request;
        let key = ListKey::new(GROUP_ROLES, &[group_id.as_uuid().as_bytes()]);
        let mut part = window::<RoleId>(key, &page)?;
        let (now, mut rows) = (self.now(), Vec::new());
        loop {
            let found = self.member_reads(AccessQuery::GroupRoles { group: group_id, window: part }, IdType::Group).await?;
            let ends = found.group_roles.len() < usize::try_from(part.fetch).unwrap_or(usize::MAX);
            part.after = found.group_roles.last().map(|row| row.role.id());
            rows.extend(found.group_roles.into_iter().filter(|row| row.expires_at.is_none_or(|end| now < end)));
            if ends || rows.len() >= usize::try_from(part.fetch).unwrap_or(usize::MAX) {
                return Ok(Page::from_rows(rows, page.limit, |row| key.cursor(row.role.id().as_uuid())));
            }
        }
    }

    async fn set_org_override(&self, request: SetOrgOverride) -> Result<Option<PermissionGrant>, Error> {
        self.run(request).await
    }

    async fn set_membership_override(&self, request: SetMembershipOverride) -> Result<Option<PermissionGrant>, Error> {
        self.run(request).await
    }

    async fn list_org_overrides(&self, request: ListOrgOverrides) -> Result<Page<PermissionGrant>, Error> {
        let ListOrgOverrides { org_id, page } = request;
        let key = ListKey::new(ORG_OVERRIDES, &[org_id.as_uuid().as_bytes()]);
        self.overrides((Holder::Organization(org_id), IdType::Organization), key, &page, |_| false).await
    }

    async fn list_membership_overrides(&self, request: ListMembershipOverrides) -> Result<Page<PermissionGrant>, Error> {
        let ListMembershipOverrides { mem_id, page } = request;
        let key = ListKey::new(MEMBERSHIP_OVERRIDES, &[mem_id.as_uuid().as_bytes()]);
        let whose = match self.caller.as_guarded() {
            Some(_) => self.backend.memberships(MembershipQuery::Ids(vec![mem_id])).await?.unwrap_or_default(),
            None => Vec::new(),
        };
        let own = |acting: Acting| whose.first().is_some_and(|mem: &Membership| mem.usr_id == acting.usr_id);
        self.overrides((Holder::Membership(mem_id), IdType::Membership), key, &page, own).await
    }
}

/// What a guarded caller hears of an organization where they have nothing: as of one that does not exist.
fn seen_by_oneself(found: EffectivePermissions, oneself: bool) -> Result<EffectivePermissions, DomainError> {
    let nothing = found.membership_id.is_none() && found.permissions.is_empty();
    if oneself && nothing { Err(DomainError::NotFound(IdType::Organization)) } else { Ok(found) }
}

#[async_trait]
impl<B: Backend> PermissionResolver for Engine<B> {
    async fn resolve_permissions(&self, usr_id: UserId, org_id: OrgId) -> Result<EffectivePermissions, Error> {
        let facts = self.resolving(vec![(usr_id, org_id)]).await?;
        let oneself = self.may_resolve(usr_id, org_id).await?;
        let found = permissions::resolve(&facts, self.asking().of(usr_id, org_id, None))?;
        Ok(seen_by_oneself(found, oneself)?)
    }

    async fn resolve_many(&self, asks: &[(UserId, OrgId)]) -> Result<Vec<Result<EffectivePermissions, DomainError>>, Error> {
        let pairs = pairs(asks)?;
        let facts = self.resolving(pairs.iter().copied().collect()).await?;
        let oneself = self.each_may_resolve(&pairs).await?;
        let asking = self.asking();
        let answer = |(usr, org): &(UserId, OrgId)| {
            let found = permissions::resolve(&facts, asking.of(*usr, *org, None))?;
            seen_by_oneself(found, oneself.get(&(*usr, *org)).copied().unwrap_or_default())
        };
        Ok(asks.iter().map(answer).collect())
    }

    async fn permission_tokens(&self, asks: &[(UserId, OrgId)]) -> Result<Vec<Result<PermissionToken, DomainError>>, Error> {
        if self.caller.as_guarded().is_some() {
            // Whether there is a token to see depends on the answer.
            let found = self.resolve_many(asks).await?;
            return Ok(found.into_iter().map(|found| found.map(|found| found.token)).collect());
        }
        let asks_once = pairs(asks)?.into_iter().collect();
        let query = FactsQuery { asks: asks_once, below: self.below(), only_revisions: true, ..FactsQuery::default() };
        let facts = self.backend.facts(query).await?;
        let asking = self.asking();
        Ok(asks.iter().map(|(usr, org)| permissions::token(&facts, asking.of(*usr, *org, None))).collect())
    }

    fn stamps(&self) -> Option<Arc<Stamps>> {
        // What a guarded caller may ask changes by writes that these do not tell of.
        if self.caller.as_guarded().is_some() { None } else { self.backend.stamps() }
    }

    async fn has_permission(&self, usr_id: UserId, org_id: OrgId, permission: &str) -> Result<bool, Error> {
        let permission = slug(permission)?;
        let facts = self.holding(vec![(usr_id, org_id, permission.clone())]).await?;
        let oneself = self.may_resolve(usr_id, org_id).await?;
        let found = permissions::held(&facts, self.asking().of(usr_id, org_id, Some(&permission)))?;
        let found = seen_by_oneself(found, oneself)?;
        Ok(facts.is_known(&permission) && found.permissions.contains(&permission))
    }

    async fn has_all_permissions(&self, usr_id: UserId, org_id: OrgId, permissions: &[&str]) -> Result<bool, Error> {
        let asked = slugs(permissions)?;
        let facts = self.facts(vec![(usr_id, org_id)], Some(asked.clone())).await?;
        let oneself = self.may_resolve(usr_id, org_id).await?;
        let found = seen_by_oneself(permissions::resolve(&facts, self.asking().of(usr_id, org_id, None))?, oneself)?;
        Ok(asked.iter().all(|slug| facts.is_known(slug) && found.permissions.contains(slug)))
    }

    async fn has_any_permission(&self, usr_id: UserId, org_id: OrgId, permissions: &[&str]) -> Result<bool, Error> {
        let asked = slugs(permissions)?;
        let facts = self.facts(vec![(usr_id, org_id)], Some(asked.clone())).await?;
        let oneself = self.may_resolve(usr_id, org_id).await?;
        let found = seen_by_oneself(permissions::resolve(&facts, self.asking().of(usr_id, org_id, None))?, oneself)?;
        Ok(asked.iter().any(|slug| facts.is_known(slug) && found.permissions.contains(slug)))
    }

    async fn has_permissions(&self, asks: &[PermissionAsk]) -> Result<Vec<AllowedRow>, Error> {
        if asks.is_empty() || asks.len() > super::MAX_IDS {
            return Err(DomainError::format("asks", "a list of 1 to 200").into());
        }
        let asked = asks.iter().map(|ask| Ok((ask.usr_id, ask.org_id, slug(&ask.permission)?))).collect::<Result<Vec<_>, DomainError>>()?;
        let pairs: BTreeSet<(UserId, OrgId)> = asked.iter().map(|(usr, org, _)| (*usr, *org)).collect();
        let facts = self.holding(asked.clone()).await?;
        let oneself = self.each_may_resolve(&pairs).await?;
        let asking = self.asking();
        let answer = |(usr, org, slug): &(UserId, OrgId, PermissionSlug)| {
            let found = permissions::held(&facts, asking.of(*usr, *org, Some(slug)))?;
            let found = seen_by_oneself(found, oneself.get(&(*usr, *org)).copied().unwrap_or_default())?;
            Ok(facts.is_known(slug) && found.permissions.contains(slug))
        };
        Ok(asked.iter().map(|ask| AllowedRow(answer(ask))).collect())
    }

    async fn explain_permission(&self, usr_id: UserId, org_id: OrgId, permission: &str) -> Result<Explanation, Error> {
        let permission = slug(permission)?;
        let (asks, wanted) = (vec![(usr_id, org_id)], Some(vec![permission.clone()]));
        let query = FactsQuery { asks, permissions: wanted, below: self.below(), grantors: true, ..FactsQuery::default() };
        let facts = self.backend.facts(query).await?;
        let oneself = self.may_resolve(usr_id, org_id).await?;
        // Why not is told to those who have something there, as whether is.
        seen_by_oneself(permissions::resolve(&facts, self.asking().of(usr_id, org_id, Some(&permission)))?, oneself)?;
        Ok(permissions::explain(&facts, self.asking().of(usr_id, org_id, None), &permission)?)
    }

    async fn list_users_with(&self, request: ListUsersWith) -> Result<Page<UserId>, Error> {
        let ListUsersWith { org_id, permission, page } = request;
        let permission = slug(&permission)?;
        let key = ListKey::new(USERS_WITH, &[org_id.as_uuid().as_bytes(), permission.as_str().as_bytes()]);
        let mut part = window::<UserId>(key, &page)?;
        let wanted = usize::try_from(part.fetch).unwrap_or(usize::MAX);
        part.fetch = CANDIDATES;
        let mut rows = Vec::new();
        loop {
            let found = self.found(AccessQuery::UsersAbout { org: org_id, below: self.below(), window: part }).await?;
            if rows.is_empty() {
                self.managing(Some(org_id), IdType::Organization).await?;
            }
            if !found.there {
                return Err(DomainError::NotFound(IdType::Organization).into());
            }
            let ends = found.users.len() < usize::try_from(part.fetch).unwrap_or(usize::MAX);
            part.after = found.users.last().copied();
            let asks = found.users.iter().map(|usr| (*usr, org_id)).collect();
            let facts = self.facts(asks, Some(vec![permission.clone()])).await?;
            let asking = self.asking();
            for usr in found.users.into_iter().filter(|_| facts.is_known(&permission)) {
                if permissions::holds(&facts, asking.of(usr, org_id, None), &permission)? {
                    rows.push(usr);
                }
            }
            if ends || rows.len() >= wanted {
                return Ok(Page::from_rows(rows, page.limit, |usr| key.cursor(usr.as_uuid())));
            }
        }
    }

    async fn review_permissions(&self, request: ReviewPermissions) -> Result<Page<UserAccess>, Error> {
        let ReviewPermissions { org_id, permission, usr_id, page } = request;
        let only = permission.as_deref().map(slug).transpose()?;
        let one = usr_id.map(|usr| usr.as_uuid());
        let filters = (only.as_ref().map_or("", PermissionSlug::as_str).as_bytes(), one.as_ref().map(|usr| usr.as_bytes().as_slice()));
        let key = ListKey::new(REVIEW, &[org_id.as_uuid().as_bytes(), filters.0, filters.1.unwrap_or_default()]);
        let mut part = window::<UserId>(key, &page)?;
        if let Some(usr) = usr_id {
            let found = self.reviewed(org_id, vec![usr], only.as_ref()).await;
            self.managing(Some(org_id), IdType::Organization).await?;
            let behind = |row: &UserAccess| part.after.is_none_or(|after| row.usr_id > after);
            return Ok(Page::whole(found?.into_iter().filter(behind).collect()));
        }
        let wanted = usize::try_from(part.fetch).unwrap_or(usize::MAX);
        if only.is_some() {
            // Most of those who are asked about may not have it.
            part.fetch = CANDIDATES;
        }
        let mut rows = Vec::new();
        loop {
            let found = self.found(AccessQuery::UsersAbout { org: org_id, below: self.below(), window: part }).await?;
            if rows.is_empty() {
                self.managing(Some(org_id), IdType::Organization).await?;
            }
            if !found.there {
                return Err(DomainError::NotFound(IdType::Organization).into());
            }
            let ends = found.users.len() < usize::try_from(part.fetch).unwrap_or(usize::MAX);
            part.after = found.users.last().copied();
            rows.extend(self.reviewed(org_id, found.users, only.as_ref()).await?);
            if ends || rows.len() >= wanted {
                return Ok(Page::from_rows(rows, page.limit, |row: &UserAccess| key.cursor(row.usr_id.as_uuid())));
            }
        }
    }

    async fn list_orgs_with(&self, request: ListOrgsWith) -> Result<Page<OrgId>, Error> {
        let ListOrgsWith { usr_id, permission, page } = request;
        let permission = slug(&permission)?;
        let key = ListKey::new(ORGS_WITH, &[usr_id.as_uuid().as_bytes(), permission.as_str().as_bytes()]);
        let mut part = window::<OrgId>(key, &page)?;
        self.own(Some(usr_id))?;
        let wanted = usize::try_from(part.fetch).unwrap_or(usize::MAX);
        part.fetch = CANDIDATES;
        let mut rows = Vec::new();
        loop {
            let found = self.found(AccessQuery::OrgsAbout { usr: usr_id, above: self.below(), window: part }).await?;
            let ends = found.orgs.len() < usize::try_from(part.fetch).unwrap_or(usize::MAX);
            part.after = found.orgs.last().copied();
            let asks = found.orgs.iter().map(|org| (usr_id, *org)).collect();
            let facts = self.facts(asks, Some(vec![permission.clone()])).await?;
            let asking = self.asking();
            for org in found.orgs.into_iter().filter(|_| facts.is_known(&permission)) {
                if permissions::holds(&facts, asking.of(usr_id, org, None), &permission).unwrap_or_default() {
                    rows.push(org);
                }
            }
            if ends || rows.len() >= wanted {
                return Ok(Page::from_rows(rows, page.limit, |org| key.cursor(org.as_uuid())));
            }
        }
    }
}
