//! Roles: as a membership holds one, and as a row of its own (spec/roles.md, adr/0004).

use std::fmt;

use serde::{Serialize, Serializer};
use uuid::Uuid;

use crate::id::{Id, OrgId, RoleId};
use crate::time::Timestamp;
use crate::value::{Description, Name, PermissionSlug, RoleSlug};

/// A role as a membership, an invitation or a group holds it: one that every organization knows, or one of the application's own. On
/// the wire it is its slug; a row holds its id, so that a slug never binds to something else by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Role {
    /// Rank 4. An organization that is not revoked always has an active one.
    Owner,
    /// Rank 3.
    Admin,
    /// Rank 2.
    Member,
    /// Rank 1.
    Guest,
    /// Rank 0.
    Viewer,
    /// Rank 0.
    Editor,
    /// One of the application's own; rank 0.
    Custom(CustomRole),
}

/// A role of the application's own, as who holds it knows it. Slugs of roles never change, so that an ended membership can tell what
/// it was even when the role is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CustomRole {
    /// Which.
    pub id: RoleId,
    /// Its slug, which no built-in role has.
    pub slug: RoleSlug,
}

/// A role as a row of its own: what it may do, and where it is known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RoleDefinition {
    /// `rol_`.
    pub id: RoleId,
    /// The organization that it belongs to, which knows it, as all below it do; none for a role of the system, which is known everywhere.
    pub org_id: Option<OrgId>,
    /// What it is called where a role is given; it is the relation of its members to their organization too.
    pub slug: RoleSlug,
    /// What people see.
    pub name: Name,
    /// What people may read about it.
    pub description: Option<Description>,
    /// Whether it belongs to no organization. Such a role cannot be deleted.
    pub is_system: bool,
    /// Whether who holds it in an organization holds it in those below too, where they have no membership of their own.
    pub inherits_to_descendants: bool,
    /// What it grants, in order, without what has expired.
    pub permissions: Vec<PermissionSlug>,
    /// When the row was made.
    pub created_at: Timestamp,
    /// When one of the fields last changed.
    pub updated_at: Timestamp,
}

impl RoleDefinition {
    /// The role, as who is given it holds it.
    pub fn held(&self) -> Role {
        Role::from_id(self.id).unwrap_or(Role::Custom(CustomRole { id: self.id, slug: self.slug }))
    }
}

// RFC 9562 version 8 (custom): `Tenantry`'s own block, the last digit counts.
const FIRST_ID: u128 = 0x7465_6e61_6e74_8772_8000_0000_0000_0001;

impl Role {
    /// Every built-in role.
    pub const ALL: [Self; 6] = [Self::Owner, Self::Admin, Self::Member, Self::Guest, Self::Viewer, Self::Editor];

    /// The slug, which is the wire form.
    pub fn slug(&self) -> &str {
        match self {
            Self::Owner => "owner",
            Self::Admin => "admin",
            Self::Member => "member",
            Self::Guest => "guest",
            Self::Viewer => "viewer",
            Self::Editor => "editor",
            Self::Custom(role) => role.slug.as_str(),
        }
    }

    /// Who may act on whom: a role acts on its own rank and below.
    pub const fn rank(self) -> u8 {
        match self {
            Self::Owner => 4,
            Self::Admin => 3,
            Self::Member => 2,
            Self::Guest => 1,
            Self::Viewer | Self::Editor | Self::Custom(_) => 0,
        }
    }

    /// The id; that of a built-in role is fixed.
    pub fn id(self) -> RoleId {
        let offset: u128 = match self {
            Self::Owner => 0,
            Self::Admin => 1,
            Self::Member => 2,
            Self::Guest => 3,
            Self::Viewer => 4,
            Self::Editor => 5,
            Self::Custom(role) => return role.id,
        };
        RoleId::fixed(FIRST_ID + offset)
    }

    /// The built-in role with this slug; slugs compare exactly.
    pub fn from_slug(slug: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.slug() == slug)
    }

    /// The built-in role with this fixed id.
    pub fn from_id(id: RoleId) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.id() == id)
    }

    /// The role that a store holds by this id, and by this slug where it is not a built-in one.
    pub fn from_stored(uuid: Uuid, slug: Option<&str>) -> Option<Self> {
        let id = <RoleId as Id>::from_uuid(uuid).ok()?;
        match (Self::from_id(id), slug) {
            (Some(role), None) => Some(role),
            (None, Some(slug)) => Some(Self::Custom(CustomRole { id, slug: RoleSlug::parse(slug)? })),
            _ => None,
        }
    }

    /// The role of the application's own, if it is one.
    pub const fn custom(&self) -> Option<&CustomRole> {
        if let Self::Custom(role) = self { Some(role) } else { None }
    }

    /// Whether this relation of a user to an organization is that of the role's members.
    pub fn is_relation(&self, relation: &str) -> bool {
        self.slug() == relation
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.slug())
    }
}

impl Serialize for Role {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.slug())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_distinct_and_read_back() {
        for role in Role::ALL {
            assert_eq!(Role::from_id(role.id()), Some(role));
            assert_eq!(role.id().to_string().parse(), Ok(role.id()), "a fixed id has a readable wire form");
        }
    }
}
