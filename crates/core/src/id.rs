//! Ids: a registered prefix, an underscore, and 32 lowercase hex digits of a UUID (spec/ids.md).
//!
//! In Rust an id is a newtype over a private UUID, so an organization's id cannot be passed where a user's is
//! meant; on the wire it is text; in a store it is the UUID itself.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use uuid::Uuid;

/// The registered kinds of id, each with its wire prefix (spec/ids.md).
///
/// The registry is closed: a prefix cannot be added at run time, and no prefix is part of another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum IdType {
    /// A user, `usr`.
    User,
    /// An organization, `org`.
    Organization,
    /// A membership, `mem`.
    Membership,
    /// An invitation, `inv`.
    Invitation,
    /// A relation tuple, `tup`.
    Tuple,
    /// A session, `ses`.
    Session,
    /// A credential, `cred`.
    Credential,
    /// A second factor, `mfa`.
    Factor,
    /// A share, `shr`.
    Share,
    /// A personal access token, `pat`.
    AccessToken,
    /// An audit event, `aud`.
    Event,
    /// A role, `rol`.
    Role,
    /// A group, `grp`.
    Group,
}

impl IdType {
    /// Every registered kind.
    pub const ALL: [Self; 13] = [
        Self::User,
        Self::Organization,
        Self::Membership,
        Self::Invitation,
        Self::Tuple,
        Self::Session,
        Self::Credential,
        Self::Factor,
        Self::Share,
        Self::AccessToken,
        Self::Event,
        Self::Role,
        Self::Group,
    ];

    /// The prefix on the wire, without the underscore.
    pub const fn prefix(self) -> &'static str {
        match self {
            Self::User => "usr",
            Self::Organization => "org",
            Self::Membership => "mem",
            Self::Invitation => "inv",
            Self::Tuple => "tup",
            Self::Session => "ses",
            Self::Credential => "cred",
            Self::Factor => "mfa",
            Self::Share => "shr",
            Self::AccessToken => "pat",
            Self::Event => "aud",
            Self::Role => "rol",
            Self::Group => "grp",
        }
    }

    /// The kind with this prefix; prefixes are lowercase and compare exactly.
    pub fn from_prefix(prefix: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.prefix() == prefix)
    }
}

/// Why a text is not an id (spec/ids.md).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum IdError {
    /// There is no underscore.
    #[error("an id needs a separator: `{{prefix}}_{{32 lowercase hex digits}}`")]
    Separator,
    /// The text before the first underscore is not a registered prefix.
    #[error("the id's prefix is not a registered one")]
    UnknownType,
    /// The text after the first underscore is not exactly 32 lowercase hex digits.
    #[error("the part behind the separator is not 32 lowercase hex digits")]
    Payload,
    /// The UUID's version digit is not 1 to 8, as in the nil and the max UUID.
    #[error("the id's UUID has no version between 1 and 8")]
    Version,
    /// A well-formed id of another kind.
    #[error("expected an id with prefix `{}`, found `{}`", expected.prefix(), found.prefix())]
    Kind {
        /// The kind that was asked for.
        expected: IdType,
        /// The kind that was given.
        found: IdType,
    },
    /// The text given to [`encode`] is not a hyphenated UUID.
    #[error("not a hyphenated UUID of 36 characters")]
    NotAUuid,
}

impl IdError {
    /// True for the one case that is an `InvalidTypeError` (`invalid_id_type`): an unregistered prefix.
    pub const fn is_unknown_type(self) -> bool {
        matches!(self, Self::UnknownType)
    }
}

/// An id of any kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AnyId {
    /// What it identifies.
    pub kind: IdType,
    uuid: Uuid,
}

impl AnyId {
    /// The UUID.
    pub const fn as_uuid(&self) -> Uuid {
        self.uuid
    }
}

impl fmt::Display for AnyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}_{}", self.kind.prefix(), self.uuid.simple())
    }
}

impl FromStr for AnyId {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        let (prefix, payload) = text.split_once('_').ok_or(IdError::Separator)?;
        let kind = IdType::from_prefix(prefix).ok_or(IdError::UnknownType)?;
        let lower_hex = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
        if payload.len() != 32 || !payload.bytes().all(lower_hex) {
            return Err(IdError::Payload);
        }
        let uuid = Uuid::try_parse(payload).map_err(|_| IdError::Payload)?;
        if !has_version(uuid) {
            return Err(IdError::Version);
        }
        Ok(Self { kind, uuid })
    }
}

impl Serialize for AnyId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for AnyId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        parse_text(deserializer)
    }
}

fn parse_text<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: FromStr<Err = IdError>,
{
    let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
    text.parse().map_err(de::Error::custom)
}

fn has_version(uuid: Uuid) -> bool {
    (1..=8).contains(&uuid.get_version_num())
}

/// The wire form of a hyphenated UUID under a prefix. Any UUID version encodes.
///
/// # Errors
/// [`IdError::UnknownType`] for an unregistered prefix, which is looked at first; [`IdError::NotAUuid`] for anything
/// but 36 characters in hyphenated form (either case).
///
/// ```
/// use tenantry_core::id::encode;
/// let id = encode("usr", "0196F3C2-1B7A-7C3D-9E4F-5A6B7C8D9E0F").unwrap();
/// assert_eq!(id, "usr_0196f3c21b7a7c3d9e4f5a6b7c8d9e0f");
/// ```
pub fn encode(prefix: &str, uuid: &str) -> Result<String, IdError> {
    let kind = IdType::from_prefix(prefix).ok_or(IdError::UnknownType)?;
    if uuid.len() != 36 {
        return Err(IdError::NotAUuid);
    }
    let uuid = Uuid::try_parse(uuid).map_err(|_| IdError::NotAUuid)?;
    Ok(AnyId { kind, uuid }.to_string())
}

/// True when `text` is an id, of the expected kind where one is named. Never fails.
pub fn is_valid(text: &str, expected: Option<&str>) -> bool {
    text.parse::<AnyId>().is_ok_and(|id| expected.is_none_or(|prefix| prefix == id.kind.prefix()))
}

/// What the typed ids have in common.
pub trait Id: Copy + Ord + fmt::Display + FromStr<Err = IdError> + Send + Sync + 'static {
    /// The registered kind.
    const KIND: IdType;

    /// A well-formed id that no source makes, for where one could not be made.
    #[doc(hidden)]
    const STAND_IN: Self;

    /// Below every id: the start of a range.
    #[doc(hidden)]
    const LOWEST: Self;

    /// Above every id: the end of a range.
    #[doc(hidden)]
    const HIGHEST: Self;

    /// The id over this UUID; versions 1 to 8 only, so that every id can be read back from its wire form.
    ///
    /// # Errors
    /// [`IdError::Version`], for the nil UUID among others.
    fn from_uuid(uuid: Uuid) -> Result<Self, IdError>;

    /// The UUID.
    fn as_uuid(&self) -> Uuid;

    /// The same id without its kind in the type.
    fn any(&self) -> AnyId {
        AnyId { kind: Self::KIND, uuid: self.as_uuid() }
    }
}

macro_rules! typed_id {
    ($(#[$doc:meta])* $name:ident, $kind:expr) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Uuid);

        impl $name {
            /// See [`Id::from_uuid`].
            ///
            /// # Errors
            /// [`IdError::Version`] when the version digit is not 1 to 8.
            pub fn from_uuid(uuid: Uuid) -> Result<Self, IdError> {
                <Self as Id>::from_uuid(uuid)
            }

            /// The UUID.
            pub const fn as_uuid(&self) -> Uuid {
                self.0
            }
        }

        impl Id for $name {
            const KIND: IdType = $kind;
            const STAND_IN: Self = Self(Uuid::from_u128(0x7000_8000_0000_0000_0000));
            const LOWEST: Self = Self(Uuid::nil());
            const HIGHEST: Self = Self(Uuid::max());

            fn from_uuid(uuid: Uuid) -> Result<Self, IdError> {
                if has_version(uuid) { Ok(Self(uuid)) } else { Err(IdError::Version) }
            }

            fn as_uuid(&self) -> Uuid {
                self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.any().fmt(f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl FromStr for $name {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, IdError> {
                let id: AnyId = text.parse()?;
                if id.kind == $kind {
                    Ok(Self(id.uuid))
                } else {
                    Err(IdError::Kind { expected: $kind, found: id.kind })
                }
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                parse_text(deserializer)
            }
        }
    };
}

typed_id!(
    /// A user's id, `usr_`. It needs no row in the store: an application that keeps its own users passes their ids.
    UserId, IdType::User
);
typed_id!(
    /// An organization's id, `org_`.
    OrgId, IdType::Organization
);
typed_id!(
    /// A membership's id, `mem_`.
    MembershipId, IdType::Membership
);
typed_id!(
    /// An invitation's id, `inv_`. Not a secret: knowing it gives nobody a right.
    InvitationId, IdType::Invitation
);
typed_id!(
    /// A tuple's id, `tup_`. That of a derived tuple has the UUID of its membership.
    TupleId, IdType::Tuple
);
typed_id!(
    /// An event's id, `aud_`.
    EventId, IdType::Event
);
typed_id!(
    /// A role's id, `rol_`. Those of the built-in roles are fixed, see [`crate::role::Role`].
    RoleId, IdType::Role
);
typed_id!(
    /// A group's id, `grp_`.
    GroupId, IdType::Group
);

impl RoleId {
    /// The fixed id of a built-in role; the caller's constant has version digit 8.
    pub(crate) const fn fixed(id: u128) -> Self {
        Self(Uuid::from_u128(id))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_prefix_is_part_of_another() {
        for a in IdType::ALL {
            for b in IdType::ALL {
                assert!(a == b || !a.prefix().contains(b.prefix()), "{a:?} contains {b:?}");
            }
        }
    }

    #[test]
    fn debug_and_display_show_the_wire_form() {
        let id: OrgId = "org_0196f3c21b7a7c3d9e4f5a6b7c8d9e0f".parse().unwrap();
        assert_eq!(format!("{id:?} {id}"), format!("{id} {id}"));
    }
}
