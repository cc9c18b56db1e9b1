//! The built-in roles (spec/memberships.md, adr/0004).

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use uuid::Uuid;

use crate::id::{Id, RoleId};

/// A role that every organization knows. On the wire it is its slug; a row holds its fixed id, so that a slug never
/// binds to something else by itself.
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
}

// RFC 9562 version 8 (custom): `Tenantry`'s own block, the last digit counts.
const FIRST_ID: u128 = 0x7465_6e61_6e74_8772_8000_0000_0000_0001;

impl Role {
    /// Every built-in role.
    pub const ALL: [Self; 6] = [Self::Owner, Self::Admin, Self::Member, Self::Guest, Self::Viewer, Self::Editor];

    /// The slug, which is the wire form.
    pub const fn slug(self) -> &'static str {
        match self {
            Self::Owner => "owner",
            Self::Admin => "admin",
            Self::Member => "member",
            Self::Guest => "guest",
            Self::Viewer => "viewer",
            Self::Editor => "editor",
        }
    }

    /// Who may act on whom: a role acts on its own rank and below.
    pub const fn rank(self) -> u8 {
        match self {
            Self::Owner => 4,
            Self::Admin => 3,
            Self::Member => 2,
            Self::Guest => 1,
            Self::Viewer | Self::Editor => 0,
        }
    }

    /// The fixed id.
    pub fn id(self) -> RoleId {
        let offset: u128 = match self {
            Self::Owner => 0,
            Self::Admin => 1,
            Self::Member => 2,
            Self::Guest => 3,
            Self::Viewer => 4,
            Self::Editor => 5,
        };
        RoleId::fixed(FIRST_ID + offset)
    }

    /// The role with this slug; slugs compare exactly.
    pub fn from_slug(slug: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.slug() == slug)
    }

    /// The role with this fixed id.
    pub fn from_id(id: RoleId) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.id() == id)
    }

    /// The role with this fixed id, as a store holds it.
    pub fn from_uuid(uuid: Uuid) -> Option<Self> {
        Self::from_id(<RoleId as Id>::from_uuid(uuid).ok()?)
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

impl<'de> Deserialize<'de> for Role {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let slug = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        Self::from_slug(&slug).ok_or_else(|| de::Error::custom("not a known role"))
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
