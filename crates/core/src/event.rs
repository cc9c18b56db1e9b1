//! Audit events: one or more per successful command, in the same commit (spec/events.md).

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::id::{AnyId, EventId, OrgId};
use crate::json::Value;
use crate::time::Timestamp;
use crate::value::{Reason, RequestId};

/// Who acts.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Actor {
    /// What kind of actor.
    #[serde(rename = "type")]
    pub kind: ActorKind,
    /// Which one; null for the system itself.
    pub id: Option<AnyId>,
}

impl Actor {
    /// The system itself: a job, a migration, an operator at the command line.
    pub const SYSTEM: Self = Self { kind: ActorKind::System, id: None };

    /// A user.
    pub fn user(id: crate::id::UserId) -> Self {
        Self { kind: ActorKind::User, id: Some(crate::id::Id::any(&id)) }
    }
}

/// Kinds of actor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ActorKind {
    /// A user.
    User,
    /// The system itself.
    System,
    /// A session.
    Session,
    /// An API key.
    Key,
}

impl ActorKind {
    /// The wire form.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::System => "system",
            Self::Session => "session",
            Self::Key => "key",
        }
    }

    /// The kind with this wire form.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::User, Self::System, Self::Session, Self::Key].into_iter().find(|kind| kind.as_str() == text)
    }
}

macro_rules! event_types {
    ($($(#[$doc:meta])* $variant:ident = $text:literal),+ $(,)?) => {
        /// What happened.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum EventType {
            $($(#[$doc])* $variant),+
        }

        impl EventType {
            /// Every type.
            pub const ALL: &[Self] = &[$(Self::$variant),+];

            /// The wire form.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text),+ }
            }

            /// The type with this wire form.
            pub fn parse(text: &str) -> Option<Self> {
                match text { $($text => Some(Self::$variant),)+ _ => None }
            }
        }
    };
}

event_types! {
    /// An organization was created.
    OrganizationCreated = "organization.created",
    /// An organization was created below this one.
    OrganizationChildAdded = "organization.child_added",
    /// Fields of an organization changed.
    OrganizationUpdated = "organization.updated",
    /// An organization was suspended.
    OrganizationSuspended = "organization.suspended",
    /// An organization was reinstated.
    OrganizationReinstated = "organization.reinstated",
    /// An organization was revoked, and with it all its memberships.
    OrganizationRevoked = "organization.revoked",
    /// A membership began.
    MembershipAdded = "membership.added",
    /// Fields of a membership changed.
    MembershipUpdated = "membership.updated",
    /// A membership was replaced by one with another role.
    MembershipRoleChanged = "membership.role_changed",
    /// A membership was suspended.
    MembershipSuspended = "membership.suspended",
    /// A membership was reinstated.
    MembershipReinstated = "membership.reinstated",
    /// A member left.
    MembershipLeft = "membership.left",
    /// A member was removed by another.
    MembershipRemoved = "membership.removed",
    /// A membership was found expired where a command needed its place.
    MembershipExpired = "membership.expired",
    /// Someone was invited.
    InvitationCreated = "invitation.created",
    /// An invitation was accepted.
    InvitationAccepted = "invitation.accepted",
    /// An invitation was declined.
    InvitationDeclined = "invitation.declined",
    /// An invitation was taken back.
    InvitationRevoked = "invitation.revoked",
    /// An invitation got another end.
    InvitationExtended = "invitation.extended",
    /// An invitation was found past its end.
    InvitationExpired = "invitation.expired",
    /// A tuple was made.
    TupleCreated = "tuple.created",
    /// A tuple was taken away.
    TupleDeleted = "tuple.deleted",
    /// A user's row was created.
    UserCreated = "user.created",
    /// A user was suspended.
    UserSuspended = "user.suspended",
    /// A user was reinstated.
    UserReinstated = "user.reinstated",
    /// A user was revoked.
    UserRevoked = "user.revoked",
    /// An organization got another place in a tree, or became a root.
    OrganizationMoved = "organization.moved",
    /// Entries of the catalog of permissions were made or changed.
    CatalogSynced = "catalog.synced",
    /// A role was made.
    RoleCreated = "role.created",
    /// Fields of a role changed.
    RoleUpdated = "role.updated",
    /// A role was deleted; who held it holds the replacement, if one was named.
    RoleDeleted = "role.deleted",
    /// A role grants more permissions.
    RolePermissionsGranted = "role.permissions_granted",
    /// A role grants fewer permissions.
    RolePermissionsRevoked = "role.permissions_revoked",
    /// A group was made.
    GroupCreated = "group.created",
    /// A group got another name.
    GroupUpdated = "group.updated",
    /// A group was deleted.
    GroupDeleted = "group.deleted",
    /// A user is in a group, or their row there changed.
    GroupMemberAdded = "group.member_added",
    /// A user is in a group no more.
    GroupMemberRemoved = "group.member_removed",
    /// A group has a role, or its row of it changed.
    GroupRoleAdded = "group.role_added",
    /// A group has a role no more.
    GroupRoleRemoved = "group.role_removed",
    /// An organization grants or denies a permission, or no longer does.
    OrgOverrideChanged = "override.org_changed",
    /// A membership is granted or denied a permission, or no longer is.
    MembershipOverrideChanged = "override.membership_changed",
    /// Rows came in through an import.
    ImportApplied = "import.applied",
}

impl Serialize for EventType {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// Some fields of what changed, by name.
// In order of name. Our own names take no memory; those of a stored event do.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Fields(Vec<(Cow<'static, str>, Value)>);

impl Fields {
    /// No fields.
    pub fn new() -> Self {
        Self::default()
    }

    /// With one more, or with another value for it.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl Into<Value>) -> Self {
        match self.place(name) {
            Ok(place) => {
                if let Some((_, there)) = self.0.get_mut(place) {
                    *there = value.into();
                }
            }
            Err(place) => self.0.insert(place, (Cow::Borrowed(name), value.into())),
        }
        self
    }

    /// With one more, if there is a value.
    #[must_use]
    pub fn with_some(self, name: &'static str, value: Option<impl Into<Value>>) -> Self {
        match value {
            Some(value) => self.with(name, value),
            None => self,
        }
    }

    /// The value of a field.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.0.get(self.place(name).ok()?).map(|(_, value)| value)
    }

    fn place(&self, name: &str) -> Result<usize, usize> {
        self.0.binary_search_by(|(there, _)| (**there).cmp(name))
    }
}

impl Serialize for Fields {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, value)| (&**name, value)))
    }
}

impl<'de> Deserialize<'de> for Fields {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let fields = BTreeMap::<String, Value>::deserialize(deserializer)?;
        Ok(Self(fields.into_iter().map(|(name, value)| (Cow::Owned(name), value)).collect()))
    }
}

/// What an event says of the change: only the fields that changed. A store keeps it as canonical text.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct EventData {
    /// The values before.
    pub before: Fields,
    /// The values after.
    pub after: Fields,
}

/// One thing that happened.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Event {
    /// `aud_`.
    pub id: EventId,
    /// The organization concerned; null for users and for the store as a whole.
    pub org_id: Option<OrgId>,
    /// The organization's revision that this event made; null without an organization.
    pub revision: Option<u64>,
    /// What happened.
    #[serde(rename = "type")]
    pub kind: EventType,
    /// Who did it.
    pub actor: Actor,
    /// When.
    pub at: Timestamp,
    /// What it happened to.
    pub subject_ids: Vec<AnyId>,
    /// What changed.
    pub data: EventData,
    /// The request that the command came with.
    pub request_id: Option<RequestId>,
    /// Why the command was given.
    pub reason: Option<Reason>,
}

/// What a command may say of itself; copied to each of its events (spec/events.md).
///
/// ```
/// use tenantry_core::{Cause, Reason, RequestId};
/// let cause = Cause { request_id: RequestId::parse("req-7"), reason: Reason::parse("asked for by mail") };
/// # let _ = cause;
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Cause {
    /// The request that it came with.
    pub request_id: Option<RequestId>,
    /// Why it was given.
    pub reason: Option<Reason>,
}
