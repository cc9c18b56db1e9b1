//! What may be done, and by whom: the catalog of permissions, who holds which, and groups (spec/permissions.md, roles.md, groups.md).

use serde::ser::SerializeStruct;
use serde::{Serialize, Serializer};

use crate::id::{GroupId, MembershipId, OrgId, RoleId, UserId};
use crate::role::Role;
use crate::time::Timestamp;
use crate::value::{Description, Name, PermissionSlug, Slug};

/// An entry of the catalog: something that may be allowed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Permission {
    /// Its key.
    pub slug: PermissionSlug,
    /// What people see, where that was said; see [`Permission::shown_name`].
    pub name: Option<Name>,
    /// What people may read about it, where that was said.
    pub description: Option<Description>,
    /// What it is listed under, where that was said; else its resource.
    pub category: Option<Name>,
    /// When the row was made.
    pub created_at: Timestamp,
    /// When one of the fields last changed.
    pub updated_at: Timestamp,
}

impl Permission {
    /// The name, or one made of the slug: `invoices.send` is `Send invoices`.
    pub fn shown_name(&self) -> String {
        let made = || {
            let mut name = self.slug.action().replace(['.', '_', '-'], " ");
            if let Some(first) = name.get_mut(..1) {
                first.make_ascii_uppercase();
            }
            format!("{name} {}", self.slug.resource().replace(['_', '-'], " "))
        };
        self.name.as_ref().map_or_else(made, ToString::to_string)
    }

    /// The description, or one made of the slug.
    pub fn shown_description(&self) -> String {
        let made = || format!("Allows `{}` on `{}`.", self.slug.action(), self.slug.resource());
        self.description.as_ref().map_or_else(made, ToString::to_string)
    }

    /// The category, or the resource.
    pub fn shown_category(&self) -> &str {
        self.category.as_ref().map_or_else(|| self.slug.resource(), Name::as_str)
    }
}

impl Serialize for Permission {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut row = serializer.serialize_struct("Permission", 6)?;
        row.serialize_field("slug", &self.slug)?;
        row.serialize_field("name", &self.shown_name())?;
        row.serialize_field("description", &self.shown_description())?;
        row.serialize_field("category", self.shown_category())?;
        row.serialize_field("created_at", &self.created_at)?;
        row.serialize_field("updated_at", &self.updated_at)?;
        row.end()
    }
}

/// Who or what a grant or a denial hangs on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Holder {
    /// A role: it reaches whoever holds it.
    Role(RoleId),
    /// An organization: it reaches every member there, and those below as far as the organizations pass it on.
    Organization(OrgId),
    /// One membership.
    Membership(MembershipId),
}

impl Holder {
    /// What kind it is, as stores write it.
    pub const fn kind(self) -> &'static str {
        match self {
            Self::Role(_) => "rol",
            Self::Organization(_) => "org",
            Self::Membership(_) => "mem",
        }
    }

    /// Its UUID.
    pub fn uuid(self) -> uuid::Uuid {
        match self {
            Self::Role(id) => id.as_uuid(),
            Self::Organization(id) => id.as_uuid(),
            Self::Membership(id) => id.as_uuid(),
        }
    }

    /// The holder that a store writes so.
    pub fn from_stored(kind: &str, id: uuid::Uuid) -> Option<Self> {
        match kind {
            "rol" => Some(Self::Role(RoleId::from_uuid(id).ok()?)),
            "org" => Some(Self::Organization(OrgId::from_uuid(id).ok()?)),
            "mem" => Some(Self::Membership(MembershipId::from_uuid(id).ok()?)),
            _ => None,
        }
    }
}

impl std::fmt::Display for Holder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Role(id) => id.fmt(f),
            Self::Organization(id) => id.fmt(f),
            Self::Membership(id) => id.fmt(f),
        }
    }
}

impl Serialize for Holder {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Whether a permission is given or taken away.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Effect {
    /// Given.
    Grant,
    /// Taken away, wherever it comes from farther off.
    Deny,
}

impl Effect {
    /// The wire form.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Grant => "grant",
            Self::Deny => "deny",
        }
    }

    /// The effect with this wire form.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Grant, Self::Deny].into_iter().find(|effect| effect.as_str() == text)
    }
}

/// A permission given or taken away: what a role grants, what an organization or a membership overrides.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PermissionGrant {
    /// On what it hangs.
    pub holder: Holder,
    /// Which permission.
    pub permission: PermissionSlug,
    /// Whether it is given or taken away; a role only gives.
    pub effect: Effect,
    /// Who gave it, where a user did.
    pub granted_by: Option<UserId>,
    /// Since when.
    pub created_at: Timestamp,
    /// From when on it no longer counts.
    pub expires_at: Option<Timestamp>,
}

impl PermissionGrant {
    /// Whether it no longer counts at a moment.
    pub fn is_expired(&self, now: Timestamp) -> bool {
        self.expires_at.is_some_and(|end| now >= end)
    }
}

/// A team of an organization: its members have its roles there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Group {
    /// `grp_`.
    pub id: GroupId,
    /// Whose.
    pub org_id: OrgId,
    /// Its name in addresses, unique in its organization.
    pub slug: Slug,
    /// What people see.
    pub name: Name,
    /// When the row was made.
    pub created_at: Timestamp,
    /// When one of the fields last changed.
    pub updated_at: Timestamp,
}

/// A user in a group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct GroupMember {
    /// Which group.
    pub group_id: GroupId,
    /// The group's organization.
    pub org_id: OrgId,
    /// Who.
    pub usr_id: UserId,
    /// Who put them there, where a user did.
    pub granted_by: Option<UserId>,
    /// Since when.
    pub created_at: Timestamp,
    /// From when on it no longer counts.
    pub expires_at: Option<Timestamp>,
}

/// A role of a group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct GroupRole {
    /// Which group.
    pub group_id: GroupId,
    /// The group's organization.
    pub org_id: OrgId,
    /// Which role, by its slug.
    pub role: Role,
    /// Who gave it, where a user did.
    pub granted_by: Option<UserId>,
    /// Since when.
    pub created_at: Timestamp,
    /// From when on it no longer counts.
    pub expires_at: Option<Timestamp>,
}
