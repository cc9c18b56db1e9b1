//! What reads ask of a store. Filters come as plain predicates on stored columns: the rules behind them (what counts as
//! expired, how text folds) have been applied here.

use crate::entity::{MembershipStatus, OrgStatus};
use crate::id::{EventId, MembershipId, OrgId, UserId};
use crate::time::Timestamp;
use crate::value::Slug;

/// A read of organizations, answered in ascending order of id unless said otherwise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OrgQuery {
    /// Those with these ids.
    Ids(Vec<OrgId>),
    /// The holder of a slug.
    Slug(Slug),
    /// The organization and all above it, root first.
    Path(OrgId),
    /// Those right below one; no answer when that one does not exist.
    Children {
        /// The organization above.
        parent: OrgId,
        /// Which part.
        window: Window<OrgId>,
    },
    /// All.
    All {
        /// Only with this status.
        status: Option<OrgStatus>,
        /// Only where the folded name or the slug contains this folded text.
        contains: Option<String>,
        /// Which part.
        window: Window<OrgId>,
    },
}

/// A read of memberships, answered in ascending order of id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MembershipQuery {
    /// Those with these ids.
    Ids(Vec<MembershipId>),
    /// The user's row in the organization that is not revoked.
    Current {
        /// Where.
        org: OrgId,
        /// Who.
        usr: UserId,
    },
    /// Every row of the same user in the same organization.
    Siblings(MembershipId),
    /// Those of an organization; no answer when it does not exist.
    OfOrg {
        /// Where.
        org: OrgId,
        /// Only these.
        filter: Option<MembershipFilter>,
        /// Which part.
        window: Window<MembershipId>,
    },
    /// Those of a user.
    OfUser {
        /// Who.
        usr: UserId,
        /// Only these.
        filter: Option<MembershipFilter>,
        /// Which part.
        window: Window<MembershipId>,
    },
}

/// A read of events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EventQuery {
    /// Those of an organization behind a revision, in order of revision; no answer when the organization does not exist.
    OfOrg {
        /// Which organization.
        org: OrgId,
        /// The revision behind which to start.
        after: u64,
        /// How many rows at most.
        fetch: u32,
    },
    /// The one with this id, whatever it belongs to.
    Id(EventId),
}

/// A part of a list: behind one id, at most so many rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window<I> {
    /// The id behind which to start.
    pub after: Option<I>,
    /// How many rows at most.
    pub fetch: u32,
}

/// A status as stored, and how `expires_at` must lie to a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MembershipFilter {
    /// The stored status.
    pub stored: MembershipStatus,
    /// How `expires_at` must lie, if that matters.
    pub expiry: Option<Expiry>,
}

/// How `expires_at` must lie to a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expiry {
    /// Null, or behind the moment.
    After(Timestamp),
    /// At the moment or before it.
    NotAfter(Timestamp),
}

impl MembershipFilter {
    /// The predicate that finds what a reader sees with this status at a moment.
    pub(crate) fn seen_as(status: MembershipStatus, now: Timestamp) -> Self {
        match status {
            MembershipStatus::Active => Self { stored: MembershipStatus::Active, expiry: Some(Expiry::After(now)) },
            MembershipStatus::Expired => Self { stored: MembershipStatus::Active, expiry: Some(Expiry::NotAfter(now)) },
            MembershipStatus::Suspended | MembershipStatus::Revoked => Self { stored: status, expiry: None },
        }
    }
}
