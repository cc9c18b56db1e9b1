//! Relation tuples: who stands in which relation to what (spec/tuples.md).

use std::fmt;

use serde::ser::SerializeStruct;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use uuid::Uuid;

use crate::entity::Membership;
use crate::error::DomainError;
use crate::id::{Id, OrgId, TupleId, UserId};
use crate::time::Timestamp;
use crate::value::{ObjectType, Relation};

/// A subject or an object: a type and a UUID, whatever it stands for in the application.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EntityRef {
    /// Its type.
    pub kind: ObjectType,
    /// Its id.
    pub id: Uuid,
}

impl EntityRef {
    /// A user.
    pub const fn user(id: UserId) -> Self {
        Self { kind: ObjectType::USER, id: id.as_uuid() }
    }

    /// An organization.
    pub const fn org(id: OrgId) -> Self {
        Self { kind: ObjectType::ORG, id: id.as_uuid() }
    }

    /// The user that this is, if it is one.
    pub fn as_user(&self) -> Option<UserId> {
        if self.kind == ObjectType::USER { UserId::from_uuid(self.id).ok() } else { None }
    }

    /// The organization that this is, if it is one.
    pub fn as_org(&self) -> Option<OrgId> {
        if self.kind == ObjectType::ORG { OrgId::from_uuid(self.id).ok() } else { None }
    }

    /// Reads the id of something of this type: a hyphenated UUID in either case, or a wire id whose prefix is the type. The nil
    /// and the max UUID are no ids.
    ///
    /// ```
    /// use tenantry_core::{EntityRef, ObjectType};
    /// let folder = ObjectType::parse("folder").unwrap();
    /// let wire = EntityRef::parse(folder, "folder_0196f3c21b7a7c3d9e4f5a6b7c8d9e0f");
    /// assert_eq!(wire, EntityRef::parse(folder, "0196F3C2-1B7A-7C3D-9E4F-5A6B7C8D9E0F"));
    /// assert_eq!(EntityRef::parse(folder, "file_0196f3c21b7a7c3d9e4f5a6b7c8d9e0f"), None);
    /// ```
    pub fn parse(kind: ObjectType, text: &str) -> Option<Self> {
        let id = match text.split_once('_') {
            Some((prefix, hex)) => {
                // That they are hexadecimal digits is seen when they are read.
                let lowercase = hex.len() == 32 && !hex.bytes().fold(false, |any, b| any | b.is_ascii_uppercase());
                let uuid = if lowercase && prefix == kind.as_str() { Uuid::try_parse(hex).ok()? } else { return None };
                if (1..=8).contains(&uuid.get_version_num()) { uuid } else { return None }
            }
            None if text.len() == 36 => Uuid::try_parse(text).ok()?,
            None => return None,
        };
        (!id.is_nil() && !id.is_max()).then_some(Self { kind, id })
    }
}

impl fmt::Display for EntityRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.kind, self.id.hyphenated())
    }
}

/// The forms of a type and an id; the fields' names are those of the errors.
pub(crate) fn entity(kind: (&str, &str), id: (&str, &str)) -> Result<EntityRef, DomainError> {
    let of_kind = object_type(kind.0, kind.1)?;
    entity_id(of_kind, id.0, id.1)
}

pub(crate) fn object_type(field: &str, text: &str) -> Result<ObjectType, DomainError> {
    ObjectType::parse(text).ok_or_else(|| DomainError::format(field, "2 to 6 of `a-z`"))
}

pub(crate) fn entity_id(kind: ObjectType, field: &str, text: &str) -> Result<EntityRef, DomainError> {
    EntityRef::parse(kind, text).ok_or_else(|| DomainError::format(field, "a UUID, or an id whose prefix is the type"))
}

pub(crate) fn relation(field: &str, text: &str) -> Result<Relation, DomainError> {
    Relation::parse(text).ok_or_else(|| DomainError::format(field, "2 to 32 of `a-z` and `_`"))
}

/// A relation on an object, as an invitation promises it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Grant {
    /// The relation.
    pub relation: Relation,
    /// The object.
    pub object: EntityRef,
}

impl Serialize for Grant {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut grant = serializer.serialize_struct("Grant", 3)?;
        grant.serialize_field("relation", &self.relation)?;
        grant.serialize_field("object_type", &self.object.kind)?;
        grant.serialize_field("object_id", &Hyphenated(self.object.id))?;
        grant.end()
    }
}

impl<'de> Deserialize<'de> for Grant {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Wire {
            relation: Relation,
            object_type: ObjectType,
            object_id: String,
        }
        let wire = Wire::deserialize(deserializer)?;
        let object = EntityRef::parse(wire.object_type, &wire.object_id).ok_or_else(|| de::Error::custom("not an object's id"))?;
        Ok(Self { relation: wire.relation, object })
    }
}

struct Hyphenated(Uuid);

impl Serialize for Hyphenated {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0.hyphenated())
    }
}

/// The five fields that a check asks about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TupleKey {
    /// Who.
    pub subject: EntityRef,
    /// In which relation.
    pub relation: Relation,
    /// To what.
    pub object: EntityRef,
}

/// That a subject stands in a relation to an object. Stored, or derived from a live membership.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tuple {
    /// `tup_`.
    pub id: TupleId,
    /// What it says.
    pub key: TupleKey,
    /// The organization in whose scope it was granted: it counts only with it.
    pub org_id: Option<OrgId>,
    /// When it was made.
    pub created_at: Timestamp,
    /// The user who made it.
    pub created_by: Option<UserId>,
    /// From when on it no longer counts.
    pub expires_at: Option<Timestamp>,
}

impl Tuple {
    /// The tuple that a live membership is.
    pub fn derived(mem: &Membership) -> Self {
        // Both are ids over the same UUID, whose version was looked at.
        let id = TupleId::from_uuid(mem.id.as_uuid()).unwrap_or(TupleId::STAND_IN);
        Self {
            id,
            key: TupleKey {
                subject: EntityRef::user(mem.usr_id),
                relation: Relation::of_role(mem.role),
                object: EntityRef::org(mem.org_id),
            },
            org_id: None,
            created_at: mem.created_at,
            created_by: mem.invited_by,
            expires_at: mem.expires_at,
        }
    }

    /// True from the moment on that is its end.
    pub fn is_expired(&self, now: Timestamp) -> bool {
        self.expires_at.is_some_and(|end| now >= end)
    }
}

impl Serialize for Tuple {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { id, key: TupleKey { subject, relation, object }, org_id, created_at, created_by, expires_at } = self;
        let mut tuple = serializer.serialize_struct("Tuple", 10)?;
        tuple.serialize_field("id", id)?;
        tuple.serialize_field("subject_type", &subject.kind)?;
        tuple.serialize_field("subject_id", &Hyphenated(subject.id))?;
        tuple.serialize_field("relation", relation)?;
        tuple.serialize_field("object_type", &object.kind)?;
        tuple.serialize_field("object_id", &Hyphenated(object.id))?;
        tuple.serialize_field("org_id", org_id)?;
        tuple.serialize_field("created_at", created_at)?;
        tuple.serialize_field("created_by", created_by)?;
        tuple.serialize_field("expires_at", expires_at)?;
        tuple.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entity_is_a_uuid_or_a_wire_id_of_its_type() {
        let kind = ObjectType::parse("proj").unwrap();
        for good in
            ["0196f3c2-1b7a-7c3d-9e4f-5a6b7c8d9e0f", "0196F3C2-1B7A-7C3D-9E4F-5A6B7C8D9E0F", "proj_0196f3c21b7a7c3d9e4f5a6b7c8d9e0f"]
        {
            assert_eq!(EntityRef::parse(kind, good).unwrap().to_string(), "proj:0196f3c2-1b7a-7c3d-9e4f-5a6b7c8d9e0f", "{good}");
        }
        for bad in [
            "",
            "0196f3c21b7a7c3d9e4f5a6b7c8d9e0f",
            "usr_0196f3c21b7a7c3d9e4f5a6b7c8d9e0f",
            "proj_0196F3C21B7A7C3D9E4F5A6B7C8D9E0F",
            "proj_0196f3c21b7a0c3d9e4f5a6b7c8d9e0f",
            "proj__196f3c21b7a7c3d9e4f5a6b7c8d9e0f",
            "{0196f3c2-1b7a-7c3d-9e4f-5a6b7c8d9e0}",
            "0196f3c2-1b7a-7c3d-9e4f-5a6b7c8d9e0f\n",
            "00000000-0000-0000-0000-000000000000",
            "ffffffff-ffff-ffff-ffff-ffffffffffff",
        ] {
            assert_eq!(EntityRef::parse(kind, bad), None, "{bad}");
        }
    }
}
