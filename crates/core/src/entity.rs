//! The entities, in the shape that the wire shows (spec/users.md, organizations.md, memberships.md).

use serde::{Deserialize, Serialize};

use crate::id::{InvitationId, MembershipId, OrgId, UserId};
use crate::role::Role;
use crate::time::Timestamp;
use crate::tuple::Grant;
use crate::value::{ExternalId, Identifier, Metadata, Name, Slug};

macro_rules! status {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $text:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum $name {
            $($(#[$vdoc])* $variant),+
        }

        impl $name {
            /// Every status.
            pub const ALL: &[Self] = &[$(Self::$variant),+];

            /// The wire form.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text),+ }
            }

            /// The status with this wire form.
            pub fn parse(text: &str) -> Option<Self> {
                match text { $($text => Some(Self::$variant),)+ _ => None }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}

status! {
    /// A user's status.
    UserStatus {
        /// Counts everywhere.
        Active = "active",
        /// Counts nowhere, until reinstated.
        Suspended = "suspended",
        /// Counts nowhere, for good.
        Revoked = "revoked",
    }
}

status! {
    /// An organization's status.
    OrgStatus {
        /// In use.
        Active = "active",
        /// Paused, until reinstated.
        Suspended = "suspended",
        /// Ended, for good; its slug is free again.
        Revoked = "revoked",
    }
}

status! {
    /// A membership's status.
    MembershipStatus {
        /// In force.
        Active = "active",
        /// Paused, until reinstated.
        Suspended = "suspended",
        /// Ended, for good.
        Revoked = "revoked",
        /// Stored as active, but `expires_at` has come. Computed on every read, never stored.
        Expired = "expired",
    }
}

/// A person known to the store. Ids without a row are allowed everywhere and count as active.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct User {
    /// `usr_`.
    pub id: UserId,
    /// Whether the user counts.
    pub status: UserStatus,
    /// What people see.
    pub display_name: Option<Name>,
    /// When the row was made.
    pub created_at: Timestamp,
    /// When one of the fields last changed.
    pub updated_at: Timestamp,
    /// Moves with each change of status and each gain of an ownership: what a guard compares (adr/0005). Not on the wire.
    #[serde(skip)]
    pub revision: u64,
}

/// A tenant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Organization {
    /// `org_`.
    pub id: OrgId,
    /// The organization above it.
    pub parent_id: Option<OrgId>,
    /// Whether it is in use.
    pub status: OrgStatus,
    /// What people see.
    pub name: Option<Name>,
    /// The name in addresses, unique among organizations that are not revoked.
    pub slug: Option<Slug>,
    /// Whether what is granted here passes to the organizations below.
    pub cascade_permissions: bool,
    /// Whether what is granted above is taken over here.
    pub inherit_permissions: bool,
    /// The most active and suspended memberships that joining may lead to; none is no limit.
    pub seat_limit: Option<u32>,
    /// Its id in another system.
    pub external_id: Option<ExternalId>,
    /// What the application keeps here.
    pub metadata: Metadata,
    /// The number of its events.
    pub revision: u64,
    /// When it was made.
    pub created_at: Timestamp,
    /// When one of the fields last changed.
    pub updated_at: Timestamp,
    /// The organizations above it, root first, at most nine. Not on the wire.
    #[serde(skip)]
    pub ancestors: Vec<OrgId>,
    /// Of a root: moves with each change of the shape of its tree (adr/0012). Not on the wire.
    #[serde(skip)]
    pub structure_revision: u64,
}

impl Organization {
    /// The most levels that a tree may have; the root is level 0.
    pub const MAX_LEVELS: usize = 10;

    /// The highest seat limit.
    pub const MAX_SEATS: u32 = 1_000_000_000;

    /// The level in its tree: 0 for a root.
    pub fn depth(&self) -> usize {
        self.ancestors.len()
    }
}

/// True when the organization that ends this path, and all above it, are active (spec/organizations.md).
pub fn is_live(path: &[Organization]) -> bool {
    are_live(path.iter().map(|org| org.status))
}

/// The same over the statuses alone.
pub fn are_live(path: impl IntoIterator<Item = OrgStatus>) -> bool {
    let mut path = path.into_iter().peekable();
    path.peek().is_some() && path.all(|status| status == OrgStatus::Active)
}

/// A user's place in an organization. A change of role ends one row and begins the next, which [`replaces`](Self::replaces) it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Membership {
    /// `mem_`.
    pub id: MembershipId,
    /// Whose.
    pub usr_id: UserId,
    /// Where.
    pub org_id: OrgId,
    /// As what.
    pub role: Role,
    /// Whether it is in force. Stores hold `active` for what reads show as `expired`.
    pub status: MembershipStatus,
    /// The row that this one took over from.
    pub replaces: Option<MembershipId>,
    /// Who brought the user in.
    pub invited_by: Option<UserId>,
    /// Who removed the user; null when they left, or the organization ended.
    pub removed_by: Option<UserId>,
    /// When it stops to count: from this moment on, not after it.
    pub expires_at: Option<Timestamp>,
    /// What the application keeps here; a change of role carries it over.
    pub metadata: Metadata,
    /// When the row was made.
    pub created_at: Timestamp,
    /// When one of the fields last changed.
    pub updated_at: Timestamp,
}

impl MembershipStatus {
    /// What a stored status is at a moment, with this end.
    pub(crate) fn at(self, expires_at: Option<Timestamp>, now: Timestamp) -> Self {
        match self {
            Self::Active if expires_at.is_some_and(|end| now >= end) => Self::Expired,
            status => status,
        }
    }
}

impl Membership {
    /// The status at a moment: an active row whose `expires_at` has come is expired.
    pub fn status_at(&self, now: Timestamp) -> MembershipStatus {
        self.status.at(self.expires_at, now)
    }

    /// The row as a reader sees it at a moment.
    #[must_use]
    pub fn seen_at(mut self, now: Timestamp) -> Self {
        self.status = self.status_at(now);
        self
    }
}

status! {
    /// An invitation's status.
    InvitationStatus {
        /// Open.
        Pending = "pending",
        /// It became a membership.
        Accepted = "accepted",
        /// The invited person said no.
        Declined = "declined",
        /// The organization took it back.
        Revoked = "revoked",
        /// Its end came. Computed on every read; a sweep may store it. The one end that can be extended again.
        Expired = "expired",
    }
}

/// An offer of a membership to whoever an identifier stands for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Invitation {
    /// `inv_`.
    pub id: InvitationId,
    /// Where to.
    pub org_id: OrgId,
    /// Whom: opaque, compared byte by byte.
    pub identifier: Identifier,
    /// As what.
    pub role: Role,
    /// Whether it is open. Stores may hold `pending` for what reads show as `expired`.
    pub status: InvitationStatus,
    /// What else the invited person is granted, without repetitions.
    pub pre_tuples: Vec<Grant>,
    /// Who invited.
    pub invited_by: UserId,
    /// Who accepted.
    pub invited_user_id: Option<UserId>,
    /// When the row was made.
    pub created_at: Timestamp,
    /// From when on it cannot be accepted.
    pub expires_at: Timestamp,
    /// When it came to its end.
    pub terminal_at: Option<Timestamp>,
    /// Who brought it there.
    pub terminal_by: Option<UserId>,
    /// Whether a guarded caller made it: then its promises are judged once more when they become tuples. Not on the wire.
    #[serde(skip)]
    pub judged: bool,
}

impl Invitation {
    /// The status at a moment: a pending row whose end has come is expired.
    pub fn status_at(&self, now: Timestamp) -> InvitationStatus {
        match self.status {
            InvitationStatus::Pending if now >= self.expires_at => InvitationStatus::Expired,
            status => status,
        }
    }

    /// The row as a reader sees it at a moment: the same whether a sweep has stored its end or not.
    #[must_use]
    pub fn seen_at(mut self, now: Timestamp) -> Self {
        if self.status == InvitationStatus::Pending && now >= self.expires_at {
            self.status = InvitationStatus::Expired;
            self.terminal_at = Some(self.expires_at);
        }
        self
    }
}
