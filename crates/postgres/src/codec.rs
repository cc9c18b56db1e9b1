//! Rows to entities. What does not parse was not written by this library: `backend.inconsistent`.

use std::fmt::Display;

use sqlx::postgres::types::{Oid, PgRecordDecoder};
use sqlx::postgres::{PgArgumentBuffer, PgRow, PgTypeInfo, PgValueFormat, PgValueRef};
use sqlx::{Decode, Encode, Postgres, Row, Type, ValueRef, encode::IsNull, error::BoxDynError};
use tenantry_core::{
    Actor, ActorKind, AnyId, Description, Effect, EntityRef, Event, EventId, EventType, ExternalId, Facts, Group, GroupId, GroupMember,
    GroupRole, Held, Holder, Id, Identifier, Invitation, InvitationId, InvitationStatus, Membership, MembershipId, MembershipStatus,
    Metadata, Name, ObjectType, OrgFacts, OrgId, OrgStatus, Organization, OtherOwner, Permission, PermissionGrant, PermissionSlug, Reason,
    Relation, RequestId, Role, RoleDefinition, RoleFacts, RoleId, RoleSlug, Slug, Tenancy, Timestamp, Tuple, TupleId, TupleKey, User,
    UserId, UserStatus,
};
use uuid::Uuid;

use crate::error::{Failure, unreadable};

/// A moment as Postgres carries it: microseconds since 2000, exact in both directions.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PgMoment(pub(crate) Timestamp);

/// 2000-01-01T00:00:00Z in microseconds since 1970.
const POSTGRES_EPOCH: i64 = 946_684_800_000_000;

impl Type<Postgres> for PgMoment {
    fn type_info() -> PgTypeInfo {
        PgTypeInfo::with_oid(Oid(1184))
    }
}

impl Encode<'_, Postgres> for PgMoment {
    fn encode_by_ref(&self, buffer: &mut PgArgumentBuffer) -> Result<IsNull, BoxDynError> {
        buffer.extend((self.0.as_micros() - POSTGRES_EPOCH).to_be_bytes());
        Ok(IsNull::No)
    }
}

impl<'r> Decode<'r, Postgres> for PgMoment {
    fn decode(value: PgValueRef<'r>) -> Result<Self, BoxDynError> {
        if value.format() != PgValueFormat::Binary {
            return Err("a moment in text form".into());
        }
        let micros = i64::from_be_bytes(value.as_bytes()?.try_into()?);
        Ok(Self(Timestamp::from_micros(micros.checked_add(POSTGRES_EPOCH).ok_or("a moment out of bounds")?)?))
    }
}

/// The values of one entity, taken in the order of the statement's columns.
pub(crate) trait Fields {
    fn next<T: for<'a> Decode<'a, Postgres> + Type<Postgres>>(&mut self) -> Result<T, BoxDynError>;
}

impl Fields for PgRecordDecoder<'_> {
    fn next<T: for<'a> Decode<'a, Postgres> + Type<Postgres>>(&mut self) -> Result<T, BoxDynError> {
        self.try_decode()
    }
}

/// The columns of a row from one on.
pub(crate) struct Columns<'r> {
    row: &'r PgRow,
    at: usize,
}

impl<'r> Columns<'r> {
    pub(crate) const fn from(row: &'r PgRow, at: usize) -> Self {
        Self { row, at }
    }

    /// A text where it lies.
    fn text(&mut self) -> Result<Option<&'r str>, BoxDynError> {
        let value = self.row.try_get(self.at)?;
        self.at += 1;
        Ok(value)
    }

    fn moment(&mut self) -> Result<Option<Timestamp>, BoxDynError> {
        Ok(self.next::<Option<PgMoment>>()?.map(|moment| moment.0))
    }

    fn word_or_none<T>(&mut self, parse: impl FnOnce(&str) -> Option<T>) -> Result<Option<T>, BoxDynError> {
        self.text()?.map(|word| parsed(parse(word), &word)).transpose()
    }

    fn word<T>(&mut self, parse: impl FnOnce(&str) -> Option<T>) -> Result<T, BoxDynError> {
        parsed(self.word_or_none(parse)?, &"null")
    }
}

impl Fields for Columns<'_> {
    fn next<T: for<'a> Decode<'a, Postgres> + Type<Postgres>>(&mut self) -> Result<T, BoxDynError> {
        let value = self.row.try_get(self.at)?;
        self.at += 1;
        Ok(value)
    }
}

/// The record in a column; `None` for null.
pub(crate) fn record<'r, T>(
    row: &'r PgRow,
    at: usize,
    read: impl FnOnce(&mut PgRecordDecoder<'r>) -> Result<T, Failure>,
) -> Result<Option<T>, Failure> {
    let value = row.try_get_raw(at)?;
    if value.is_null() {
        return Ok(None);
    }
    let mut record = PgRecordDecoder::new(value).map_err(sqlx::Error::Decode)?;
    read(&mut record).map(Some)
}

/// Reads the fields of a row whose id is its first field; what goes wrong then names table and row.
fn reading<F: Fields, T>(
    table: &'static str,
    fields: &mut F,
    read: impl FnOnce(Uuid, &mut F) -> Result<T, BoxDynError>,
) -> Result<T, Failure> {
    let id: Uuid = fields.next().map_err(|cause| unreadable(table, "unknown", cause))?;
    read(id, fields).map_err(|cause| unreadable(table, id, cause))
}

fn parsed<T>(value: Option<T>, what: &dyn Display) -> Result<T, BoxDynError> {
    value.ok_or_else(|| format!("`{what}` does not have its form").into())
}

fn opt_id<I: Id>(uuid: Option<Uuid>) -> Result<Option<I>, BoxDynError> {
    Ok(uuid.map(I::from_uuid).transpose()?)
}

pub(crate) fn user(fields: &mut impl Fields) -> Result<User, Failure> {
    reading("user_account", fields, |id, fields| {
        let (status, display_name): (String, Option<String>) = (fields.next()?, fields.next()?);
        Ok(User {
            id: UserId::from_uuid(id)?,
            status: parsed(UserStatus::parse(&status), &"status")?,
            display_name: display_name.map(|text| parsed(Name::parse(&text), &"display_name")).transpose()?,
            revision: u64::try_from(fields.next::<i64>()?)?,
            created_at: fields.next::<PgMoment>()?.0,
            updated_at: fields.next::<PgMoment>()?.0,
        })
    })
}

pub(crate) fn org(fields: &mut impl Fields) -> Result<Organization, Failure> {
    reading("organization", fields, |id, fields| {
        let (parent, ancestors): (Option<Uuid>, Vec<Uuid>) = (fields.next()?, fields.next()?);
        let status: String = fields.next()?;
        let (name, slug): (Option<String>, Option<String>) = (fields.next()?, fields.next()?);
        Ok(Organization {
            id: OrgId::from_uuid(id)?,
            parent_id: opt_id(parent)?,
            ancestors: ancestors.into_iter().map(OrgId::from_uuid).collect::<Result<_, _>>()?,
            status: parsed(OrgStatus::parse(&status), &"status")?,
            name: name.map(|text| parsed(Name::parse(&text), &"name")).transpose()?,
            slug: slug.map(|text| parsed(Slug::parse(&text), &"slug")).transpose()?,
            cascade_permissions: fields.next()?,
            inherit_permissions: fields.next()?,
            seat_limit: fields.next::<Option<i32>>()?.map(u32::try_from).transpose()?,
            external_id: fields.next::<Option<String>>()?.map(|text| parsed(ExternalId::parse(&text), &"external_id")).transpose()?,
            metadata: metadata(fields)?,
            revision: u64::try_from(fields.next::<i64>()?)?,
            created_at: fields.next::<PgMoment>()?.0,
            updated_at: fields.next::<PgMoment>()?.0,
            structure_revision: u64::try_from(fields.next::<i64>()?)?,
        })
    })
}

/// A role's id, and its slug where it is not a built-in one.
fn role_held(fields: &mut impl Fields) -> Result<Role, BoxDynError> {
    let (role, slug): (Uuid, Option<String>) = (fields.next()?, fields.next()?);
    parsed(Role::from_stored(role, slug.as_deref()), &"role_id")
}

pub(crate) fn membership(fields: &mut impl Fields) -> Result<Membership, Failure> {
    reading("membership", fields, |id, fields| {
        let (usr, org): (Uuid, Uuid) = (fields.next()?, fields.next()?);
        let role = role_held(fields)?;
        let status: String = fields.next()?;
        Ok(Membership {
            id: MembershipId::from_uuid(id)?,
            usr_id: UserId::from_uuid(usr)?,
            org_id: OrgId::from_uuid(org)?,
            role,
            status: parsed(MembershipStatus::parse(&status), &"status")?,
            replaces: opt_id(fields.next()?)?,
            invited_by: opt_id(fields.next()?)?,
            removed_by: opt_id(fields.next()?)?,
            expires_at: fields.next::<Option<PgMoment>>()?.map(|moment| moment.0),
            metadata: metadata(fields)?,
            created_at: fields.next::<PgMoment>()?.0,
            updated_at: fields.next::<PgMoment>()?.0,
        })
    })
}

fn metadata(fields: &mut impl Fields) -> Result<Metadata, BoxDynError> {
    let text: String = fields.next()?;
    // As almost every row has it.
    if text == "{}" { Ok(Metadata::default()) } else { Ok(serde_json::from_str(&text)?) }
}

pub(crate) fn invitation(fields: &mut impl Fields) -> Result<Invitation, Failure> {
    reading("invitation", fields, |id, fields| {
        let (org, identifier): (Uuid, String) = (fields.next()?, fields.next()?);
        let role = role_held(fields)?;
        let (status, pre_tuples): (String, String) = (fields.next()?, fields.next()?);
        Ok(Invitation {
            id: InvitationId::from_uuid(id)?,
            org_id: OrgId::from_uuid(org)?,
            identifier: parsed(Identifier::parse(&identifier), &"identifier")?,
            role,
            status: parsed(InvitationStatus::parse(&status), &"status")?,
            pre_tuples: serde_json::from_str(&pre_tuples)?,
            invited_by: UserId::from_uuid(fields.next()?)?,
            invited_user_id: opt_id(fields.next()?)?,
            created_at: fields.next::<PgMoment>()?.0,
            expires_at: fields.next::<PgMoment>()?.0,
            terminal_at: fields.next::<Option<PgMoment>>()?.map(|moment| moment.0),
            terminal_by: opt_id(fields.next()?)?,
            judged: fields.next()?,
        })
    })
}

pub(crate) fn tuple(fields: &mut impl Fields) -> Result<Tuple, Failure> {
    reading("tuple", fields, |id, fields| {
        let (subject_type, subject_id): (String, Uuid) = (fields.next()?, fields.next()?);
        let (relation, object_type, object_id): (String, String, Uuid) = (fields.next()?, fields.next()?, fields.next()?);
        Ok(Tuple {
            id: TupleId::from_uuid(id)?,
            key: TupleKey {
                subject: EntityRef { kind: parsed(ObjectType::parse(&subject_type), &"subject_type")?, id: subject_id },
                relation: parsed(Relation::parse(&relation), &"relation")?,
                object: EntityRef { kind: parsed(ObjectType::parse(&object_type), &"object_type")?, id: object_id },
            },
            org_id: opt_id(fields.next()?)?,
            created_at: fields.next::<PgMoment>()?.0,
            created_by: opt_id(fields.next()?)?,
            expires_at: fields.next::<Option<PgMoment>>()?.map(|moment| moment.0),
        })
    })
}

pub(crate) fn event(fields: &mut impl Fields) -> Result<Event, Failure> {
    reading("event", fields, |id, fields| {
        let (org, revision): (Option<Uuid>, Option<i64>) = (fields.next()?, fields.next()?);
        let (kind, actor_type, actor_id): (String, String, Option<String>) = (fields.next()?, fields.next()?, fields.next()?);
        let at = fields.next::<PgMoment>()?.0;
        let (subjects, data): (String, String) = (fields.next()?, fields.next()?);
        Ok(Event {
            id: EventId::from_uuid(id)?,
            org_id: opt_id(org)?,
            revision: revision.map(u64::try_from).transpose()?,
            kind: parsed(EventType::parse(&kind), &"type")?,
            actor: Actor {
                kind: parsed(ActorKind::parse(&actor_type), &"actor_type")?,
                id: actor_id.as_deref().map(str::parse::<AnyId>).transpose()?,
            },
            at,
            subject_ids: serde_json::from_str(&subjects)?,
            data: serde_json::from_str(&data)?,
            request_id: fields.next::<Option<String>>()?.map(|text| parsed(RequestId::parse(&text), &"request_id")).transpose()?,
            reason: fields.next::<Option<String>>()?.map(|text| parsed(Reason::parse(&text), &"reason")).transpose()?,
        })
    })
}

pub(crate) fn permission(fields: &mut impl Fields) -> Result<Permission, Failure> {
    let slug: String = fields.next().map_err(|cause| unreadable("permission", "unknown", cause))?;
    let mut read = || {
        let (name, description): (Option<String>, Option<String>) = (fields.next()?, fields.next()?);
        let category: Option<String> = fields.next()?;
        Ok(Permission {
            slug: parsed(PermissionSlug::parse(&slug), &"slug")?,
            name: name.map(|text| parsed(Name::parse(&text), &"name")).transpose()?,
            description: description.map(|text| parsed(Description::parse(&text), &"description")).transpose()?,
            category: category.map(|text| parsed(Name::parse(&text), &"category")).transpose()?,
            created_at: fields.next::<PgMoment>()?.0,
            updated_at: fields.next::<PgMoment>()?.0,
        })
    };
    read().map_err(|cause: BoxDynError| unreadable("permission", &slug, cause))
}

/// A role without what it grants.
pub(crate) fn role(fields: &mut impl Fields) -> Result<RoleDefinition, Failure> {
    reading("role", fields, |id, fields| {
        let org_id = opt_id(fields.next()?)?;
        let (slug, name, description): (String, String, Option<String>) = (fields.next()?, fields.next()?, fields.next()?);
        Ok(RoleDefinition {
            id: RoleId::from_uuid(id)?,
            org_id,
            slug: parsed(RoleSlug::parse(&slug), &"slug")?,
            name: parsed(Name::parse(&name), &"name")?,
            description: description.map(|text| parsed(Description::parse(&text), &"description")).transpose()?,
            is_system: org_id.is_none(),
            inherits_to_descendants: fields.next()?,
            permissions: Vec::new(),
            created_at: fields.next::<PgMoment>()?.0,
            updated_at: fields.next::<PgMoment>()?.0,
        })
    })
}

/// What a role grants, behind its other columns.
pub(crate) fn slugs(texts: &[String]) -> Result<Vec<PermissionSlug>, Failure> {
    let parse = |text: &String| PermissionSlug::parse(text).ok_or_else(|| unreadable("permission_grant", text, "not a permission's slug"));
    texts.iter().map(parse).collect()
}

pub(crate) fn grant(fields: &mut impl Fields) -> Result<PermissionGrant, Failure> {
    reading("permission_grant", fields, |id, fields| {
        let (kind, permission, effect): (String, String, String) = (fields.next()?, fields.next()?, fields.next()?);
        Ok(PermissionGrant {
            holder: parsed(Holder::from_stored(&kind, id), &"holder_type")?,
            permission: parsed(PermissionSlug::parse(&permission), &"permission")?,
            effect: parsed(Effect::parse(&effect), &"effect")?,
            granted_by: opt_id(fields.next()?)?,
            created_at: fields.next::<PgMoment>()?.0,
            expires_at: fields.next::<Option<PgMoment>>()?.map(|moment| moment.0),
        })
    })
}

pub(crate) fn group(fields: &mut impl Fields) -> Result<Group, Failure> {
    reading("user_group", fields, |id, fields| {
        let (org, slug, name): (Uuid, String, String) = (fields.next()?, fields.next()?, fields.next()?);
        Ok(Group {
            id: GroupId::from_uuid(id)?,
            org_id: OrgId::from_uuid(org)?,
            slug: parsed(Slug::parse(&slug), &"slug")?,
            name: parsed(Name::parse(&name), &"name")?,
            created_at: fields.next::<PgMoment>()?.0,
            updated_at: fields.next::<PgMoment>()?.0,
        })
    })
}

pub(crate) fn group_member(fields: &mut impl Fields) -> Result<GroupMember, Failure> {
    reading("group_member", fields, |id, fields| {
        let (org, usr): (Uuid, Uuid) = (fields.next()?, fields.next()?);
        Ok(GroupMember {
            group_id: GroupId::from_uuid(id)?,
            org_id: OrgId::from_uuid(org)?,
            usr_id: UserId::from_uuid(usr)?,
            granted_by: opt_id(fields.next()?)?,
            created_at: fields.next::<PgMoment>()?.0,
            expires_at: fields.next::<Option<PgMoment>>()?.map(|moment| moment.0),
        })
    })
}

pub(crate) fn group_role(fields: &mut impl Fields) -> Result<GroupRole, Failure> {
    reading("group_role", fields, |id, fields| {
        let org: Uuid = fields.next()?;
        Ok(GroupRole {
            group_id: GroupId::from_uuid(id)?,
            org_id: OrgId::from_uuid(org)?,
            role: role_held(fields)?,
            granted_by: opt_id(fields.next()?)?,
            created_at: fields.next::<PgMoment>()?.0,
            expires_at: fields.next::<Option<PgMoment>>()?.map(|moment| moment.0),
        })
    })
}

/// One row of what resolutions rest on: its kind, a user, three ids, three texts, two numbers, ids and an end, as the kind needs them.
pub(crate) fn fact(row: &PgRow, facts: &mut Facts) -> Result<(), Failure> {
    read_fact(row, facts).map_err(|cause| unreadable("permission_grant", "unknown", cause))
}

fn read_fact(row: &PgRow, facts: &mut Facts) -> Result<(), BoxDynError> {
    fn id<I: Id>(row: &PgRow, at: usize) -> Result<I, BoxDynError> {
        Ok(I::from_uuid(row.try_get(at)?)?)
    }
    fn count(row: &PgRow, at: usize) -> Result<u64, BoxDynError> {
        Ok(u64::try_from(row.try_get::<i64, _>(at)?)?)
    }
    fn text(row: &PgRow, at: usize) -> Result<&str, BoxDynError> {
        Ok(row.try_get(at)?)
    }
    let end = || Ok::<_, BoxDynError>(row.try_get::<Option<PgMoment>, _>(11)?.map(|moment| moment.0));
    match row.try_get::<i32, _>(0)? {
        0 => facts.set_system_revision(count(row, 8)?),
        1 => facts.add_user(id(row, 1)?, parsed(UserStatus::parse(text(row, 5)?), &"status")?, count(row, 8)?),
        2 => {
            let ancestors: Vec<Uuid> = row.try_get(10)?;
            let flags = count(row, 9)?;
            facts.add_org(OrgFacts {
                id: id(row, 2)?,
                ancestors: ancestors.into_iter().map(OrgId::from_uuid).collect::<Result<_, _>>()?,
                status: parsed(OrgStatus::parse(text(row, 5)?), &"status")?,
                cascade_permissions: flags & 2 != 0,
                inherit_permissions: flags & 1 != 0,
                revision: count(row, 8)?,
            });
        }
        3 => {
            let role = Role::from_stored(row.try_get(4)?, row.try_get(6)?);
            let status = parsed(MembershipStatus::parse(text(row, 5)?), &"status")?;
            let held = Held { id: id(row, 3)?, role: parsed(role, &"role_id")?, status, expires_at: end()? };
            facts.add_membership(id(row, 1)?, id(row, 2)?, held);
        }
        4 => {
            let (uuid, slug): (Uuid, &str) = (row.try_get(2)?, text(row, 5)?);
            let role = Role::from_stored(uuid, None).or_else(|| Role::from_stored(uuid, Some(slug)));
            let (org_id, inherits_to_descendants) = (opt_id(row.try_get(3)?)?, count(row, 8)? != 0);
            facts.add_role(RoleFacts { role: parsed(role, &"slug")?, org_id, inherits_to_descendants });
        }
        5 => facts.add_group(id(row, 1)?, id(row, 3)?, id(row, 2)?, end()?),
        6 => facts.add_group_role(id(row, 2)?, id(row, 3)?, end()?),
        7 => {
            let holder = parsed(Holder::from_stored(text(row, 6)?, row.try_get(2)?), &"holder_type")?;
            let permission = parsed(PermissionSlug::parse(text(row, 5)?), &"permission")?;
            facts.add_grant(holder, permission, parsed(Effect::parse(text(row, 7)?), &"effect")?, end()?);
        }
        8 => facts.add_known(parsed(PermissionSlug::parse(text(row, 5)?), &"slug")?),
        _ => return Err("a row of an unknown kind".into()),
    }
    Ok(())
}

/// A row of `holding`, from a column on, about a user, an organization and a permission. An organization that is active and has none above
/// it goes to `alone`: what it passes on is not in the row, but may be in that of another one.
pub(crate) fn holding(
    row: &PgRow,
    at: usize,
    ask: &(UserId, OrgId, PermissionSlug),
    facts: &mut Facts,
    alone: &mut Vec<OrgId>,
) -> Result<(), Failure> {
    let (usr, org, permission) = ask;
    let mut read = || {
        let mut columns = Columns::from(row, at);
        let status = columns.word_or_none(OrgStatus::parse)?;
        let above = columns.next::<Option<Vec<Uuid>>>()?.unwrap_or_default();
        let above = above.into_iter().map(OrgId::from_uuid).collect::<Result<Vec<_>, _>>()?;
        let (cascade, inherit): (Option<bool>, Option<bool>) = (columns.next()?, columns.next()?);
        if let Some(status) = columns.word_or_none(UserStatus::parse)? {
            facts.add_user(*usr, status, 0);
        }
        let mem: Option<Uuid> = columns.next()?;
        if let Some(mem) = mem {
            let of: Uuid = columns.next()?;
            let role = parsed(Role::from_stored(of, columns.text()?), &"role_id")?;
            let status = columns.word(MembershipStatus::parse)?;
            facts.add_membership(*usr, *org, Held { id: MembershipId::from_uuid(mem)?, role, status, expires_at: columns.moment()? });
        }
        columns.at = at + 10;
        if let Some(kind) = columns.text()? {
            let holder = parsed(Holder::from_stored(kind, columns.next()?), &"holder_type")?;
            let effect = columns.word(Effect::parse)?;
            facts.add_grant(holder, permission.clone(), effect, columns.moment()?);
            facts.add_known(permission.clone());
        }
        columns.at = at + 14;
        let mut is_there = mem.is_some();
        for told in columns.next::<Option<Vec<String>>>()?.into_iter().flatten() {
            match told.as_str() {
                "here" => is_there = true,
                "open" => above.iter().for_each(|id| facts.add_org_above(place(*id, true))),
                told => parsed(row_of_words(told, *usr, *org, facts), &told)?,
            }
        }
        match status {
            Some(status) => facts.add_org(OrgFacts {
                ancestors: above,
                status,
                cascade_permissions: cascade.unwrap_or_default(),
                inherit_permissions: inherit.unwrap_or_default(),
                ..place(*org, false)
            }),
            None if is_there => alone.push(*org),
            None => (),
        }
        Ok(())
    };
    read().map_err(|cause: BoxDynError| unreadable("permission_grant", "unknown", cause))
}

/// An active organization as `holding` tells of it.
pub(crate) const fn place(id: OrgId, is_open: bool) -> OrgFacts {
    OrgFacts {
        id,
        ancestors: Vec::new(),
        status: OrgStatus::Active,
        cascade_permissions: is_open,
        inherit_permissions: is_open,
        revision: 0,
    }
}

/// A row of `resolving`, from a column on, about a user and an organization.
pub(crate) fn resolving(row: &PgRow, at: usize, (usr, org): (UserId, OrgId), facts: &mut Facts) -> Result<(), Failure> {
    let mut read = || {
        let mut columns = Columns::from(row, at);
        let role = standing(&mut columns, usr, org, facts)?;
        facts.set_system_revision(u64::try_from(columns.next::<i64>()?)?);
        for slug in columns.next::<Vec<String>>()? {
            match role {
                Some(role) if !slug.contains(' ') => {
                    facts.add_grant(Holder::Role(role.id()), parsed(PermissionSlug::parse(&slug), &slug)?, Effect::Grant, None);
                }
                _ => parsed(row_of_words(&slug, usr, org, facts), &slug)?,
            }
        }
        for _ in 0..3 {
            rows_of_words(&mut columns, usr, org, facts)?;
        }
        Ok(())
    };
    read().map_err(|cause: BoxDynError| unreadable("permission_grant", "unknown", cause))
}

/// A row of `revisions`, from a column on: an organization that this user is asked about, or one above such.
pub(crate) fn revisions(row: &PgRow, at: usize, usr: Option<UserId>, facts: &mut Facts) -> Result<(), Failure> {
    let mut read = || {
        let mut columns = Columns::from(row, at);
        let mut revision = || Ok::<_, BoxDynError>(columns.next::<Option<i64>>()?.map(u64::try_from).transpose()?);
        if let Some(revision) = revision()? {
            facts.set_system_revision(revision);
        }
        if let (Some(usr), Some(revision)) = (usr, revision()?) {
            facts.add_user_revision(usr, revision);
        }
        let (id, revision): (Uuid, i64) = (columns.next()?, columns.next()?);
        let ancestors = columns.next::<Option<Vec<Uuid>>>()?;
        let ancestors = ancestors.map(|ids| ids.into_iter().map(OrgId::from_uuid).collect::<Result<_, _>>()).transpose()?;
        facts.add_org_revision(OrgId::from_uuid(id)?, ancestors, u64::try_from(revision)?);
        Ok(())
    };
    read().map_err(|cause: BoxDynError| unreadable("organization", "unknown", cause))
}

/// How many columns `standing` reads.
const STANDING: usize = 12;

/// The organization, the user's row and the membership there; answers its role.
fn standing(columns: &mut Columns<'_>, usr: UserId, id: OrgId, facts: &mut Facts) -> Result<Option<Role>, BoxDynError> {
    let behind = columns.at + STANDING;
    let status = columns.word(OrgStatus::parse)?;
    let (cascade_permissions, inherit_permissions) = (columns.next()?, columns.next()?);
    let ancestors = columns.next::<Vec<Uuid>>()?.into_iter().map(OrgId::from_uuid).collect::<Result<_, _>>()?;
    let revision = u64::try_from(columns.next::<i64>()?)?;
    facts.add_org(OrgFacts { id, ancestors, status, cascade_permissions, inherit_permissions, revision });
    let (status, revision): (_, Option<i64>) = (columns.word_or_none(UserStatus::parse)?, columns.next()?);
    if let (Some(status), Some(revision)) = (status, revision) {
        facts.add_user(usr, status, u64::try_from(revision)?);
    }
    let mut role = None;
    if let Some(mem) = columns.next::<Option<Uuid>>()? {
        let of: Uuid = columns.next()?;
        let of = parsed(Role::from_stored(of, columns.text()?), &"role_id")?;
        let status = columns.word(MembershipStatus::parse)?;
        let expires_at = columns.moment()?;
        facts.add_membership(usr, id, Held { id: MembershipId::from_uuid(mem)?, role: of, status, expires_at });
        role = Some(of);
    }
    columns.at = behind;
    Ok(role)
}

fn rows_of_words(columns: &mut Columns<'_>, usr: UserId, org: OrgId, facts: &mut Facts) -> Result<(), BoxDynError> {
    for row in columns.next::<Option<Vec<String>>>()?.into_iter().flatten() {
        parsed(row_of_words(&row, usr, org, facts), &row)?;
    }
    Ok(())
}

/// One of the rows that `held_above_v1`, `held_by_groups_v1` and `given_by_v1` answer. A permission of which a grant is there is in the
/// catalog.
fn row_of_words(row: &str, usr: UserId, org: OrgId, facts: &mut Facts) -> Option<()> {
    fn id<I: Id>(word: &str) -> Option<I> {
        I::from_uuid(Uuid::try_parse(word).ok()?).ok()
    }
    #[expect(clippy::option_option, reason = "no form, no end, and an end")]
    fn end(word: &str) -> Option<Option<Timestamp>> {
        if word == "-" { Some(None) } else { Timestamp::from_micros(word.parse().ok()?).ok().map(Some) }
    }
    let mut words = row.split(' ');
    let mut next = || words.next();
    match next()? {
        "org" => {
            let (id, status, flags) = (id(next()?)?, OrgStatus::parse(next()?)?, next()?.parse::<u8>().ok()?);
            let (cascade_permissions, inherit_permissions) = (flags & 2 != 0, flags & 1 != 0);
            let (ancestors, revision) = (Vec::new(), next()?.parse().ok()?);
            facts.add_org_above(OrgFacts { id, ancestors, status, cascade_permissions, inherit_permissions, revision });
        }
        "mem" => {
            let (place, mem, role) = (id(next()?)?, id(next()?)?, Uuid::try_parse(next()?).ok()?);
            let role = Role::from_stored(role, Some(next()?).filter(|slug| *slug != "-"))?;
            let (status, expires_at) = (MembershipStatus::parse(next()?)?, end(next()?)?);
            facts.add_membership(usr, place, Held { id: mem, role, status, expires_at });
            let reaches = next()?;
            if reaches != "-" {
                facts.add_role(RoleFacts { role, org_id: None, inherits_to_descendants: reaches == "true" });
            }
        }
        "grant" => {
            let holder = Holder::from_stored(next()?, Uuid::try_parse(next()?).ok()?)?;
            let (effect, end, permission) = (Effect::parse(next()?)?, end(next()?)?, PermissionSlug::parse(next()?)?);
            facts.add_grant(holder, permission.clone(), effect, end);
            facts.add_known(permission);
        }
        "group" => {
            let (group, ends, role) = (id(next()?)?, end(next()?)?, next()?);
            facts.add_group(usr, org, group, ends);
            if role != "-" {
                facts.add_group_role(group, id(role)?, end(next()?)?);
            }
        }
        _ => return None,
    }
    Some(())
}

/// A root, and the revision of its structure.
pub(crate) fn structure(fields: &mut impl Fields) -> Result<(OrgId, u64), Failure> {
    reading("organization", fields, |id, fields| Ok((OrgId::from_uuid(id)?, u64::try_from(fields.next::<i64>()?)?)))
}

/// Another owner, as (user, revision of their row or null).
pub(crate) fn other_owner(fields: &mut impl Fields) -> Result<OtherOwner, Failure> {
    reading("membership", fields, |usr, fields| {
        let revision: Option<i64> = fields.next()?;
        Ok(OtherOwner { usr_id: UserId::from_uuid(usr)?, revision: revision.map(u64::try_from).transpose()? })
    })
}

/// How many memberships a user has, and of what kinds.
pub(crate) fn tenancy(fields: &mut impl Fields) -> Result<Tenancy, Failure> {
    let mut read = || -> Result<Tenancy, BoxDynError> {
        let mut count = || Ok::<_, BoxDynError>(u64::try_from(fields.next::<i64>()?)?);
        let (rows, ended, owned) = (count()?, count()?, count()?);
        let (owns_another, active, suspended) = (fields.next()?, fields.next()?, fields.next()?);
        Ok(Tenancy { rows, ended, owned, owns_another, active, suspended, home: None })
    };
    read().map_err(|cause| unreadable("membership", "unknown", cause))
}

/// An id in a column of its own.
pub(crate) fn id<I: Id>(table: &'static str, uuid: Uuid) -> Result<I, Failure> {
    I::from_uuid(uuid).map_err(|cause| unreadable(table, uuid, cause))
}
