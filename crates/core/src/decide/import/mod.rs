//! Bringing rows in from elsewhere: spec/import.md. All of them or none; every line is checked before the first is written.

mod access;
mod offers;
mod roles;
mod teams;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::fmt;

use serde::Serialize;

use super::{Command, Decision, Env, check, draft::Draft, guard, organizations};
use crate::change::{Change, Progress};
use crate::entity::{Invitation, Membership, MembershipStatus, OrgStatus, Organization, User, UserStatus};
use crate::error::{DomainError, Precondition, noun};
use crate::event::{EventType, Fields};
use crate::id::{Id, IdType, InvitationId, MembershipId, OrgId, RoleId, TupleId, UserId};
use crate::json::Value;
use crate::load::{Found, ImportIds, LoadSpec, Snapshot};
use crate::role::Role;
use crate::time::Timestamp;
use crate::tuple::{Tuple, TupleKey};
use crate::value::{Identifier, Name, Slug};

pub use access::{ImportOverride, ImportPermission, ImportRolePermission};
pub use offers::{ImportInvitation, ImportTuple};
pub use roles::ImportRole;
pub use teams::{ImportGroup, ImportGroupMember, ImportGroupRole};

use access::AccessIntake;

/// A user to bring in. Written as `ImportUser { .., ..ImportUser::new(..) }`,
/// it takes fields that come later as they are by default.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImportUser {
    /// `usr_`.
    pub id: UserId,
    /// Whether the user counts.
    pub status: UserStatus,
    /// What people see.
    pub display_name: Option<String>,
    /// When the row was made; now unless given.
    pub created_at: Option<Timestamp>,
    /// When it last changed; `created_at` unless given.
    pub updated_at: Option<Timestamp>,
}

impl ImportUser {
    /// An active user without a name, made now.
    pub const fn new(id: UserId) -> Self {
        Self { id, status: UserStatus::Active, display_name: None, created_at: None, updated_at: None }
    }
}

/// An organization to bring in. Its parent stands further up in the file. Written as `ImportOrg { .., ..ImportOrg::new(..) }`,
/// it takes fields that come later as they are by default.
#[derive(Debug, Clone, PartialEq)]
pub struct ImportOrg {
    /// `org_`.
    pub id: OrgId,
    /// The organization above it.
    pub parent_id: Option<OrgId>,
    /// Whether it is in use.
    pub status: OrgStatus,
    /// What people see.
    pub name: Option<String>,
    /// The name in addresses.
    pub slug: Option<String>,
    /// Whether grants pass down from here.
    pub cascade_permissions: bool,
    /// Whether grants are taken over here.
    pub inherit_permissions: bool,
    /// The most active and suspended memberships that joining may lead to.
    pub seat_limit: Option<i64>,
    /// Its id in another system.
    pub external_id: Option<String>,
    /// What the application keeps there: an object.
    pub metadata: Option<Value>,
    /// When it was made; now unless given.
    pub created_at: Option<Timestamp>,
    /// When it last changed; `created_at` unless given.
    pub updated_at: Option<Timestamp>,
}

impl ImportOrg {
    /// An active root without name and slug, made now.
    pub const fn new(id: OrgId) -> Self {
        Self {
            id,
            parent_id: None,
            status: OrgStatus::Active,
            name: None,
            slug: None,
            cascade_permissions: true,
            inherit_permissions: true,
            seat_limit: None,
            external_id: None,
            metadata: None,
            created_at: None,
            updated_at: None,
        }
    }
}

/// A membership to bring in. Its organization, and the row that it replaces, stand further up in the file. Written as `ImportMember { .., ..ImportMember::new(..) }`,
/// it takes fields that come later as they are by default.
#[derive(Debug, Clone, PartialEq)]
pub struct ImportMember {
    /// `mem_`.
    pub id: MembershipId,
    /// Whose.
    pub usr_id: UserId,
    /// Where.
    pub org_id: OrgId,
    /// As what: the role's slug.
    pub role: String,
    /// The role's id, where the slug alone would not say which; an ended membership may hold a role that is gone.
    pub role_id: Option<RoleId>,
    /// As a reader sees it.
    pub status: MembershipStatus,
    /// The row that this one took over from.
    pub replaces: Option<MembershipId>,
    /// Who brought the user in.
    pub invited_by: Option<UserId>,
    /// Who removed the user.
    pub removed_by: Option<UserId>,
    /// From when on it no longer counts.
    pub expires_at: Option<Timestamp>,
    /// What the application keeps there: an object.
    pub metadata: Option<Value>,
    /// When the row was made; now unless given.
    pub created_at: Option<Timestamp>,
    /// When it last changed; `created_at` unless given.
    pub updated_at: Option<Timestamp>,
}

impl ImportMember {
    /// An active membership without an end, made now.
    pub fn new(id: MembershipId, usr_id: UserId, org_id: OrgId, role: impl Into<String>) -> Self {
        Self {
            id,
            usr_id,
            org_id,
            role: role.into(),
            role_id: None,
            status: MembershipStatus::Active,
            replaces: None,
            invited_by: None,
            removed_by: None,
            expires_at: None,
            metadata: None,
            created_at: None,
            updated_at: None,
        }
    }
}

/// One row to bring in.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum ImportRow {
    /// A user.
    User(ImportUser),
    /// An organization.
    Org(ImportOrg),
    /// A membership.
    Member(ImportMember),
    /// An invitation.
    Invitation(ImportInvitation),
    /// A tuple.
    Tuple(ImportTuple),
    /// An entry of the catalog.
    Permission(ImportPermission),
    /// A role.
    Role(ImportRole),
    /// A permission that a role grants.
    RolePermission(ImportRolePermission),
    /// A group.
    Group(ImportGroup),
    /// A user in a group.
    GroupMember(ImportGroupMember),
    /// A role of a group.
    GroupRole(ImportGroupRole),
    /// A permission that an organization or a membership grants or denies.
    Override(ImportOverride),
}

/// Brings rows in, all or none.
#[derive(Clone, Default)]
#[non_exhaustive]
pub struct Import {
    /// The rows with their lines, from 1, in the order of the file.
    pub rows: Vec<(u64, ImportRow)>,
    /// Told how many rows and events have been written since it was last told.
    pub progress: Option<Progress>,
}

impl Import {
    /// These rows.
    pub const fn new(rows: Vec<(u64, ImportRow)>) -> Self {
        Self { rows, progress: None }
    }

    /// Tells how far the write has come.
    #[must_use]
    pub fn progress(mut self, progress: Progress) -> Self {
        self.progress = Some(progress);
        self
    }
}

impl fmt::Debug for Import {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Import").field("rows", &self.rows.len()).finish_non_exhaustive()
    }
}

/// What an import brought in.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct ImportCounts {
    /// New users.
    pub users: u64,
    /// New organizations.
    pub organizations: u64,
    /// New memberships.
    pub memberships: u64,
    /// New invitations.
    pub invitations: u64,
    /// New tuples.
    pub tuples: u64,
    /// New entries of the catalog.
    pub permissions: u64,
    /// New roles.
    pub roles: u64,
    /// New permissions of roles.
    pub role_permissions: u64,
    /// New groups.
    pub groups: u64,
    /// New members of groups.
    pub group_members: u64,
    /// New roles of groups.
    pub group_roles: u64,
    /// New overrides, of organizations and of memberships.
    pub overrides: u64,
    /// Rows that were there already, just so.
    pub unchanged: u64,
}

impl ImportCounts {
    /// The numbers of the kinds of row that many imports do not have: events name them only when they are there.
    const fn rare(&self) -> [(&'static str, u64); 9] {
        [
            ("invitations", self.invitations),
            ("tuples", self.tuples),
            ("permissions", self.permissions),
            ("roles", self.roles),
            ("role_permissions", self.role_permissions),
            ("groups", self.groups),
            ("group_members", self.group_members),
            ("group_roles", self.group_roles),
            ("overrides", self.overrides),
        ]
    }

    fn total_new(&self) -> u64 {
        self.users + self.organizations + self.memberships + self.rare().iter().map(|(_, count)| count).sum::<u64>()
    }
}

impl Command for Import {
    type Output = ImportCounts;

    fn load(&self) -> Result<LoadSpec, DomainError> {
        let mut ids = ImportIds::default();
        for (_, row) in &self.rows {
            match row {
                ImportRow::User(user) => ids.users.push(user.id),
                ImportRow::Org(org) => {
                    ids.orgs.push(org.id);
                    ids.slugs.extend(org.slug.as_deref().and_then(Slug::parse));
                }
                ImportRow::Member(mem) => {
                    ids.memberships.push(mem.id);
                    access::ids_of_held(&mem.role, mem.role_id, &mut ids);
                    // Whether an owner acts depends on their row, wherever it is.
                    if Role::from_slug(&mem.role) == Some(Role::Owner) {
                        ids.users.push(mem.usr_id);
                    }
                }
                ImportRow::Invitation(inv) => {
                    ids.invitations.push(inv.id);
                    access::ids_of_held(&inv.role, inv.role_id, &mut ids);
                }
                ImportRow::Tuple(tuple) => {
                    ids.tuples.push(tuple.id);
                    if let Ok(key) = tuple.key() {
                        if let Some(org) = key.object.as_org() {
                            ids.orgs.push(org);
                            ids.role_slugs.extend(check::own_slug(key.relation.as_str()));
                        }
                        ids.keys.push((key, tuple.org_id));
                    }
                }
                ImportRow::Permission(row) => row.ids(&mut ids),
                ImportRow::Role(row) => row.ids(&mut ids),
                ImportRow::RolePermission(row) => row.ids(&mut ids),
                ImportRow::Group(row) => row.ids(&mut ids),
                ImportRow::GroupMember(row) => row.ids(&mut ids),
                ImportRow::GroupRole(row) => row.ids(&mut ids),
                ImportRow::Override(row) => row.ids(&mut ids),
            }
        }
        // Many rows name the same few.
        access::each_once(&mut ids);
        Ok(LoadSpec::Ids(Box::new(ids)))
    }

    fn decide(&self, seen: &Snapshot, env: &mut Env<'_>) -> Result<Decision<ImportCounts>, DomainError> {
        guard::trusted(env)?;
        let mut intake = Intake::new(&seen.found, env.now);
        for (line, row) in &self.rows {
            let taken = match row {
                ImportRow::User(user) => intake.user(user),
                ImportRow::Org(org) => intake.org(*line, org),
                ImportRow::Member(mem) => intake.member(mem),
                ImportRow::Invitation(inv) => intake.invitation(inv),
                ImportRow::Tuple(tuple) => intake.tuple(tuple),
                ImportRow::Permission(row) => intake.permission(row),
                ImportRow::Role(row) => intake.role(row),
                ImportRow::RolePermission(row) => intake.role_permission(row),
                ImportRow::Group(row) => intake.group(row),
                ImportRow::GroupMember(row) => intake.group_member(row),
                ImportRow::GroupRole(row) => intake.group_role(row),
                ImportRow::Override(row) => intake.overriding(row),
            };
            taken.map_err(|error| at_line(*line, error))?;
        }
        intake.every_org_has_an_owner()?;

        let mut draft = Draft::new(env);
        let counts = intake.counts;
        if counts.organizations > 0 || intake.access.relies_on_absence {
            draft.brings_orgs();
        }
        intake.rely(&mut draft, seen.system_revision);
        if counts.users > 0 {
            let inactive = |change: &Change| match change {
                Change::InsertUser(user) if user.status != UserStatus::Active => Some(user.id),
                _ => None,
            };
            draft.brings_users(intake.changes.iter().filter_map(inactive).collect());
        }
        // As for every gain of an ownership: whoever revokes the user meanwhile must see it.
        for usr in intake.orgs.values().filter(|org| org.new).flat_map(|org| &org.owners) {
            draft.advance_user(*usr, intake.users_there.get(usr).copied());
        }
        for change in intake.changes {
            draft.change(change);
        }
        for (org, intake) in intake.orgs.iter().filter(|(_, intake)| intake.new) {
            let after = with_rare(Fields::new().with("memberships", int(intake.counts.memberships)), &intake.counts);
            draft.first_event(*org, EventType::ImportApplied, &[org.any()], after);
        }
        for (parent, child) in intake.children_of_others {
            let after = Fields::new().with("child_id", child.to_string());
            draft.event(parent, EventType::OrganizationChildAdded, &[child.any()], Fields::new(), after);
        }
        if counts.total_new() > 0 {
            let after = Fields::new()
                .with("users", int(counts.users))
                .with("organizations", int(counts.organizations))
                .with("memberships", int(counts.memberships));
            let after = with_rare(after, &counts);
            draft.store_event(EventType::ImportApplied, &[], Fields::new(), after);
        }
        let mut decision = draft.finish(counts);
        decision.plan.progress.clone_from(&self.progress);
        Ok(decision)
    }
}

fn int(count: u64) -> Value {
    Value::count(count)
}

/// Kinds of row that many imports do not have are named only when they are there.
fn with_rare(after: Fields, counts: &ImportCounts) -> Fields {
    counts.rare().into_iter().fold(after, |after, (name, count)| after.with_some(name, (count > 0).then(|| int(count))))
}

fn at_line(line: u64, error: DomainError) -> DomainError {
    DomainError::Import { line, error: Box::new(error) }
}

/// An organization of the file.
#[derive(Debug)]
struct IntakeOrg {
    line: u64,
    new: bool,
    status: OrgStatus,
    ancestors: Vec<OrgId>,
    /// Users with an active owner's membership.
    owners: BTreeSet<UserId>,
    /// The new rows that belong to it.
    counts: ImportCounts,
}

/// What has been taken from the lines so far.
#[derive(Debug)]
struct Intake<'s> {
    now: Timestamp,
    users_there: HashMap<UserId, &'s User>,
    orgs_there: HashMap<OrgId, &'s Organization>,
    memberships_there: HashMap<MembershipId, &'s Membership>,
    invitations_there: HashMap<InvitationId, &'s Invitation>,
    tuples_there: HashMap<TupleId, &'s Tuple>,
    /// Tuples that are as if they were swept: they go where they are in the way.
    expired: Vec<&'s Tuple>,
    slugs: HashMap<Slug, OrgId>,
    members_there: BTreeSet<UserId>,
    users: HashMap<UserId, UserStatus>,
    orgs: BTreeMap<OrgId, IntakeOrg>,
    memberships: HashMap<MembershipId, (OrgId, UserId, MembershipStatus)>,
    /// New organizations below ones that were there before the import.
    children_of_others: Vec<(&'s Organization, OrgId)>,
    replaced: BTreeSet<MembershipId>,
    current: BTreeSet<(OrgId, UserId)>,
    invitations: HashSet<InvitationId>,
    pending: BTreeSet<(OrgId, Identifier)>,
    /// Users with a membership further up that is not revoked.
    members: BTreeSet<(OrgId, UserId)>,
    tuples: HashSet<TupleId>,
    tuple_places: HashMap<(TupleKey, Option<OrgId>), TupleId>,
    access: AccessIntake<'s>,
    changes: Vec<Change>,
    counts: ImportCounts,
}

impl<'s> Intake<'s> {
    fn new(found: &'s Found, now: Timestamp) -> Self {
        Self {
            now,
            users_there: found.users.iter().map(|user| (user.id, user)).collect(),
            orgs_there: found.orgs.iter().map(|org| (org.id, org)).collect(),
            memberships_there: found.memberships.iter().map(|mem| (mem.id, mem)).collect(),
            invitations_there: found.invitations.iter().map(|inv| (inv.id, inv)).collect(),
            tuples_there: found.tuples.iter().filter(|tuple| !tuple.is_expired(now)).map(|tuple| (tuple.id, tuple)).collect(),
            expired: found.tuples.iter().filter(|tuple| tuple.is_expired(now)).collect(),
            slugs: found.slugs.iter().cloned().collect(),
            members_there: found.members.iter().copied().collect(),
            users: HashMap::new(),
            orgs: BTreeMap::new(),
            memberships: HashMap::new(),
            children_of_others: Vec::new(),
            replaced: BTreeSet::new(),
            current: BTreeSet::new(),
            invitations: HashSet::new(),
            pending: BTreeSet::new(),
            members: BTreeSet::new(),
            tuples: HashSet::new(),
            tuple_places: found
                .tuples
                .iter()
                .filter(|tuple| !tuple.is_expired(now))
                .map(|tuple| ((tuple.key.clone(), tuple.org_id), tuple.id))
                .collect(),
            access: AccessIntake::new(found),
            changes: Vec::new(),
            counts: ImportCounts::default(),
        }
    }

    fn user(&mut self, row: &ImportUser) -> Result<(), DomainError> {
        let display_name = row.display_name.as_deref().map(|text| check::name("display_name", text)).transpose()?;
        if self.users.insert(row.id, row.status).is_some() {
            return Err(twice(IdType::User));
        }
        let (created_at, updated_at) = self.times(row.created_at, row.updated_at);
        let user = User { id: row.id, status: row.status, display_name, created_at, updated_at, revision: 0 };
        if let Some(there) = self.users_there.get(&row.id) {
            let same = User { revision: there.revision, ..with_times(user, there, row.created_at, row.updated_at) };
            return self.unchanged(same == **there, IdType::User);
        }
        // The id may be in use already, as an external user's; a row that does not count would change what it holds.
        if user.status != UserStatus::Active && self.members_there.contains(&user.id) {
            return Err(conflict(IdType::User, "has memberships already, as one without a row, so that its row must be active"));
        }
        self.counts.users += 1;
        self.changes.push(Change::InsertUser(user));
        Ok(())
    }

    fn org(&mut self, line: u64, row: &ImportOrg) -> Result<(), DomainError> {
        let name: Option<Name> = row.name.as_deref().map(|text| check::name("name", text)).transpose()?;
        let seat_limit = row.seat_limit.map(organizations::seat_limit).transpose()?;
        let external_id = row.external_id.as_deref().map(organizations::external_id).transpose()?;
        let metadata = row.metadata.as_ref().map(check::metadata).transpose()?.unwrap_or_default();
        let slug = match &row.slug {
            Some(text) => Some(Slug::parse(text).ok_or(Precondition::OrgSlugFormat)?),
            None => None,
        };
        if self.orgs.contains_key(&row.id) {
            return Err(twice(IdType::Organization));
        }
        let ancestors = match row.parent_id {
            Some(id) => {
                let parent = check::found(self.orgs.get(&id), IdType::Organization)?;
                if row.status != OrgStatus::Revoked && parent.status == OrgStatus::Revoked {
                    return Err(Precondition::OrgNotActive.into());
                }
                parent.ancestors.iter().copied().chain([id]).collect()
            }
            None => Vec::new(),
        };
        if ancestors.len() >= Organization::MAX_LEVELS {
            return Err(DomainError::MaxDepth);
        }
        let (created_at, updated_at) = self.times(row.created_at, row.updated_at);
        let org = Organization {
            id: row.id,
            parent_id: row.parent_id,
            status: row.status,
            name,
            slug,
            cascade_permissions: row.cascade_permissions,
            inherit_permissions: row.inherit_permissions,
            seat_limit,
            external_id,
            metadata,
            revision: 1,
            created_at,
            updated_at,
            ancestors,
            structure_revision: 0,
        };
        let there = self.orgs_there.get(&row.id).copied();
        let intake = IntakeOrg {
            line,
            new: there.is_none(),
            status: row.status,
            ancestors: org.ancestors.clone(),
            owners: BTreeSet::new(),
            counts: ImportCounts::default(),
        };
        self.orgs.insert(row.id, intake);
        if let Some(there) = there {
            let same = Organization {
                revision: there.revision,
                created_at: if row.created_at.is_some() { org.created_at } else { there.created_at },
                updated_at: if row.updated_at.is_some() { org.updated_at } else { there.updated_at },
                structure_revision: there.structure_revision,
                ..org
            };
            return self.unchanged(same == *there, IdType::Organization);
        }
        if self.is_role_bound(org.id) {
            return Err(conflict(IdType::Organization, "is the object of a stored tuple whose relation is a role's: take that away first"));
        }
        let claimed = if org.status == OrgStatus::Revoked { None } else { org.slug.clone() };
        if let Some(slug) = &claimed
            && self.slugs.insert(slug.clone(), org.id).is_some()
        {
            return Err(DomainError::OrgSlug(slug.clone()));
        }
        self.counts.organizations += 1;
        let id = org.id;
        let other = org.parent_id.and_then(|parent| self.orgs_there.get(&parent).copied());
        self.children_of_others.extend(other.map(|parent| (parent, id)));
        self.changes.push(Change::InsertOrg(org));
        self.changes.extend(claimed.map(|slug| Change::ClaimSlug { slug, org_id: id }));
        Ok(())
    }

    /// An organization further up: whether it is new, and its status.
    fn place(&self, id: OrgId) -> Result<(bool, OrgStatus), DomainError> {
        check::found(self.orgs.get(&id), IdType::Organization).map(|org| (org.new, org.status))
    }

    /// One more new row, of an organization if it belongs to one.
    fn count(&mut self, org: Option<OrgId>, counter: fn(&mut ImportCounts) -> &mut u64) {
        *counter(&mut self.counts) += 1;
        if let Some(org) = org.and_then(|org| self.orgs.get_mut(&org)) {
            *counter(&mut org.counts) += 1;
        }
    }

    fn member(&mut self, row: &ImportMember) -> Result<(), DomainError> {
        let metadata = row.metadata.as_ref().map(check::metadata).transpose()?.unwrap_or_default();
        let (is_new, org_status) = self.place(row.org_id)?;
        // What an ended membership held may be gone, or be known there no more.
        let role = self.held(&row.role, row.role_id, row.org_id, row.status != MembershipStatus::Revoked)?;
        if role == Role::Owner && row.expires_at.is_some() {
            return Err(Precondition::OwnerCannotExpire.into());
        }
        if self.memberships.insert(row.id, (row.org_id, row.usr_id, row.status)).is_some() {
            return Err(twice(IdType::Membership));
        }
        if row.status != MembershipStatus::Revoked {
            self.members.insert((row.org_id, row.usr_id));
        }
        let created_at = row.created_at.unwrap_or(self.now);
        let mem = Membership {
            id: row.id,
            usr_id: row.usr_id,
            org_id: row.org_id,
            role,
            // Readers see expired rows; stores hold them as active.
            status: if row.status == MembershipStatus::Expired { MembershipStatus::Active } else { row.status },
            replaces: row.replaces,
            invited_by: row.invited_by,
            removed_by: row.removed_by,
            expires_at: row.expires_at,
            metadata,
            created_at,
            updated_at: row.updated_at.unwrap_or(created_at),
        };
        if row.status == MembershipStatus::Expired && mem.status_at(self.now) != MembershipStatus::Expired {
            return Err(DomainError::format("status", "`expired` needs an `expires_at` that has passed"));
        }
        if let Some(there) = self.memberships_there.get(&row.id) {
            let same = Membership {
                created_at: if row.created_at.is_some() { mem.created_at } else { there.created_at },
                updated_at: if row.updated_at.is_some() { mem.updated_at } else { there.updated_at },
                ..mem
            };
            return self.unchanged(same == **there, IdType::Membership);
        }
        // Rows come with their organization: one that is there already takes members by its own operations.
        if !is_new {
            return Err(conflict(IdType::Organization, "is in the store already: its members come by the operations for members"));
        }
        if let Some(before) = row.replaces {
            let ended = (row.org_id, row.usr_id, MembershipStatus::Revoked);
            if self.memberships.get(&before) != Some(&ended) || before == row.id {
                return Err(DomainError::NotFound(IdType::Membership));
            }
            if !self.replaced.insert(before) {
                return Err(conflict(IdType::Membership, "is replaced by an earlier row already"));
            }
        }
        if mem.status != MembershipStatus::Revoked {
            if org_status == OrgStatus::Revoked {
                return Err(Precondition::OrgNotActive.into());
            }
            if !self.current.insert((mem.org_id, mem.usr_id)) {
                return Err(DomainError::DuplicateMembership);
            }
        }
        let owned = self.orgs.get_mut(&mem.org_id).filter(|_| role == Role::Owner && mem.status == MembershipStatus::Active);
        if let Some(org) = owned {
            org.owners.insert(mem.usr_id);
        }
        if mem.status != MembershipStatus::Revoked {
            self.rely_on_held(role);
        }
        self.count(Some(mem.org_id), |counts| &mut counts.memberships);
        self.changes.push(Change::InsertMembership(mem));
        Ok(())
    }

    fn every_org_has_an_owner(&self) -> Result<(), DomainError> {
        // A suspended user is an owner still, as after `suspend_user`; a revoked one is none.
        let status = |usr: &UserId| self.users.get(usr).copied().or_else(|| self.users_there.get(usr).map(|user| user.status));
        let owned = |org: &IntakeOrg| org.owners.iter().any(|usr| status(usr) != Some(UserStatus::Revoked));
        let ownerless = |org: &&IntakeOrg| org.new && org.status != OrgStatus::Revoked && !owned(org);
        match self.orgs.values().filter(ownerless).map(|org| org.line).min() {
            Some(line) => Err(at_line(line, Precondition::NoOwner.into())),
            None => Ok(()),
        }
    }

    fn times(&self, created: Option<Timestamp>, updated: Option<Timestamp>) -> (Timestamp, Timestamp) {
        let created = created.unwrap_or(self.now);
        (created, updated.unwrap_or(created))
    }

    fn unchanged(&mut self, same: bool, kind: IdType) -> Result<(), DomainError> {
        self.same(same, noun(kind))
    }

    /// A row that is there: it is unchanged, or the import is refused.
    fn same(&mut self, same: bool, row: &'static str) -> Result<(), DomainError> {
        if !same {
            return Err(DomainError::ImportConflict { row, why: "is in the store already, with other content" });
        }
        self.counts.unchanged += 1;
        Ok(())
    }
}

const fn conflict(kind: IdType, why: &'static str) -> DomainError {
    DomainError::ImportConflict { row: noun(kind), why }
}

const TWICE: &str = "stands in the rows twice";

const fn twice(kind: IdType) -> DomainError {
    conflict(kind, TWICE)
}

/// What an organization that is there gets by its own operations, no import brings.
const fn comes_late() -> DomainError {
    conflict(IdType::Organization, "is in the store already: what belongs to it comes by its own operations")
}

/// Times that the file does not give are those of the row that is there.
fn with_times(user: User, there: &User, created: Option<Timestamp>, updated: Option<Timestamp>) -> User {
    User {
        created_at: if created.is_some() { user.created_at } else { there.created_at },
        updated_at: if updated.is_some() { user.updated_at } else { there.updated_at },
        ..user
    }
}
