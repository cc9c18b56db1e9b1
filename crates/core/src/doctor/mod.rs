//! The doctor: looks over every row of a store and says which invariants do not hold (spec/doctor.md).
//!
//! It is pure, over a [`Dump`]. What legal use can bring about is never a finding, whatever the clock did meanwhile: times are not
//! compared where a clock that was put back, or an import, may have set them. So a finding means that something else wrote to the
//! store, that a backup was put together from two moments, or that there is a defect.

mod access;
mod events;
mod feed;
mod invitations;
mod log;
mod memberships;
mod organizations;
mod rows;
#[cfg(test)]
mod tests;
mod tuples;
mod users;

use serde::ser::SerializeStruct;
use serde::{Serialize, Serializer};

use crate::error::{BackendError, BackendKind};
use crate::id::{AnyId, OrgId};
use crate::state::Dump;
use crate::time::Timestamp;
use crate::value::Slug;

pub use feed::examine_feed;

use rows::Rows;

macro_rules! invariants {
    ($($(#[$doc:meta])* $variant:ident = $name:literal in [$($table:literal),+]),+ $(,)?) => {
        /// What holds of the rows of a store (spec/doctor.md).
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum Invariant {
            $($(#[$doc])* $variant),+
        }

        impl Invariant {
            /// Every invariant, in the order in which findings come.
            pub const ALL: &[Self] = &[$(Self::$variant),+];

            /// The stable code of a finding, such as `doctor.no_active_owner`.
            pub const fn code(self) -> &'static str {
                match self { $(Self::$variant => concat!("doctor.", $name)),+ }
            }

            /// The tables that a finding may be about.
            pub const fn tables(self) -> &'static [&'static str] {
                match self { $(Self::$variant => &[$($table),+]),+ }
            }
        }
    };
}

invariants! {
    /// Every value can be read.
    Readable = "unreadable" in [
        "user_account", "organization", "organization_slug", "membership", "invitation", "tuple", "permission", "role",
        "permission_grant", "user_group", "group_member", "group_role", "event"
    ],
    /// An id stands for one row, a slug for one holder.
    IdOnce = "id_twice" in [
        "user_account", "organization", "organization_slug", "membership", "invitation", "tuple", "role", "user_group", "event"
    ],
    /// The organization of a row is there.
    OrgThere = "org_missing" in ["membership", "invitation", "tuple", "role", "user_group", "event"],
    /// A row that an event tells of, and that never goes, is there.
    RowThere = "row_missing" in ["user_account", "organization", "membership", "invitation"],
    /// The rows that no event tells of came with the import of their organization, which told their number.
    RowsTold = "row_untold" in ["membership", "invitation"],

    /// A user's status is the one that the events lead to.
    UserLog = "user_log" in ["user_account"],
    /// A user's revision has moved with each change of status.
    UserRevision = "user_revision" in ["user_account"],

    /// The organization above another one is there.
    ParentThere = "parent_missing" in ["organization"],
    /// No organization is above itself.
    ParentAcyclic = "parent_cycle" in ["organization"],
    /// A tree has at most ten levels.
    Depth = "max_depth" in ["organization"],
    /// The ancestors kept with an organization are those that the parents lead to, root first.
    Ancestors = "ancestors" in ["organization"],
    /// What is below a revoked organization is revoked.
    ParentLives = "outlived_parent" in ["organization"],
    /// Of the organizations that are not revoked, one has a slug.
    SlugOnce = "slug_twice" in ["organization"],
    /// A slug is held by an organization that has it and is not revoked.
    SlugHeld = "slug_stale" in ["organization_slug"],
    /// An organization that has a slug and is not revoked holds it.
    SlugHolds = "slug_missing" in ["organization"],
    /// A seat limit lies within its bounds.
    SeatLimit = "seat_limit" in ["organization"],
    /// An organization that is not revoked has an active owner, whose user is not revoked.
    ActiveOwner = "no_active_owner" in ["organization"],
    /// An organization's revision is the number of its events.
    Revision = "revision" in ["organization"],
    /// The fields of an organization are those that its events lead to.
    OrgLog = "org_log" in ["organization"],

    /// That a membership has expired is never stored.
    NeverExpired = "stored_expired" in ["membership"],
    /// An owner's membership has no end.
    OwnerLasts = "owner_expires" in ["membership"],
    /// A user has one membership of an organization that is not revoked.
    OneMembership = "membership_twice" in ["membership"],
    /// Nothing that is in force belongs to a revoked organization.
    EndsWithOrg = "outlived_org" in ["membership", "invitation", "tuple"],
    /// The row that another one replaces is there.
    ReplacedThere = "replaced_missing" in ["membership"],
    /// A row replaces one of the same user in the same organization.
    ReplacedSame = "replaced_elsewhere" in ["membership"],
    /// A row that was replaced is revoked.
    ReplacedEnded = "replaced_current" in ["membership"],
    /// A row is replaced once.
    ReplacedOnce = "replaced_twice" in ["membership"],
    /// No row comes to replace itself.
    ReplacedAcyclic = "replaced_cycle" in ["membership"],
    /// A membership is the one that the events lead to.
    MembershipLog = "membership_log" in ["membership"],

    /// What an invitation says of its end goes together with its status.
    InvitationEnd = "invitation_end" in ["invitation"],
    /// An organization has one pending invitation for an identifier.
    OneInvitation = "invitation_twice" in ["invitation"],
    /// An invitation promises at most 100 relations, each once.
    Promises = "promises" in ["invitation"],
    /// No invitation promises a relation on an organization.
    PromiseOnOrg = "promise_on_org" in ["invitation"],
    /// An invitation is the one that the events lead to.
    InvitationLog = "invitation_log" in ["invitation"],

    /// A tuple is stored once in each scope.
    OneTuple = "tuple_twice" in ["tuple"],
    /// A subject and an object have an id that is neither the nil nor the max UUID.
    TupleEntity = "tuple_entity" in ["tuple"],
    /// A tuple in a scope whose subject is a user belongs to one of its members.
    TupleOfMember = "not_a_member" in ["tuple"],
    /// No stored tuple gives a role in an organization.
    NoRoleStored = "stored_role" in ["tuple"],
    /// A tuple is the one that the last event about it tells of.
    TupleLog = "tuple_log" in ["tuple"],

    /// The slug of a role is that of no other one of its organization, or of the system.
    RoleSlugOnce = "role_slug_twice" in ["role"],
    /// A role that is held is there; one that a membership in force holds is known in its organization, and called as it says.
    RoleThere = "role_missing" in ["membership", "group_role"],
    /// The slug of a group is that of no other one of its organization.
    GroupSlugOnce = "group_slug_twice" in ["user_group"],
    /// The group of a member or a role is there.
    GroupThere = "group_missing" in ["group_member", "group_role"],
    /// Who is in a group has a membership of its organization that is not revoked.
    GroupOfMembers = "not_of_the_group" in ["group_member"],
    /// The role, organization or membership that something is granted or denied to is there.
    HolderThere = "holder_missing" in ["permission_grant"],
    /// A permission that is granted or denied is in the catalog.
    PermissionThere = "permission_missing" in ["permission_grant"],

    /// An event belongs to the log that its type belongs to, and has a revision exactly in an organization's.
    EventPlace = "event_place" in ["event"],
    /// The events of an organization are numbered from 1 without a gap.
    EventNumbers = "event_gap" in ["event"],
    /// An organization's log begins with its creation or its import, and has no other.
    LogStart = "log_start" in ["event"],
    /// An event is about as many rows, and of the kinds, as its type says.
    EventSubjects = "event_subjects" in ["event"],
    /// The feed of the whole store has every event once.
    FeedWhole = "feed_gap" in ["event"],
    /// The feed has the events of an organization in the order of their revisions.
    FeedOrder = "feed_order" in ["event"],
}

/// An invariant that does not hold.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Finding {
    /// Which.
    pub invariant: Invariant,
    /// The table of the rows.
    pub table: String,
    /// The rows concerned, in wire form where they could be read.
    pub ids: Vec<String>,
    /// What is wrong, in a sentence.
    pub message: String,
    /// What mends it, where that follows from other rows.
    pub repair: Option<Repair>,
}

impl Finding {
    /// The stable code, such as `doctor.no_active_owner`.
    pub const fn code(&self) -> &'static str {
        self.invariant.code()
    }

    /// What a store's refusal to show its rows says of them; `None` for an error that says nothing of a row.
    ///
    /// A store stops at the first value that it cannot read, so that what else is wrong with it is found only when that is mended.
    pub fn unreadable(error: &BackendError) -> Option<Self> {
        let BackendKind::Inconsistent { table, id } = error.kind() else { return None };
        let message = "a value of the row does not have its form, and no other row was looked at".to_owned();
        Some(Self { invariant: Invariant::Readable, table: table.clone(), ids: vec![id.clone()], message, repair: None })
    }
}

impl Serialize for Finding {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut finding = serializer.serialize_struct("Finding", 5)?;
        finding.serialize_field("code", self.code())?;
        finding.serialize_field("table", &self.table)?;
        finding.serialize_field("ids", &self.ids)?;
        finding.serialize_field("message", &self.message)?;
        finding.serialize_field("repairable", &self.repair.is_some())?;
        finding.end()
    }
}

/// What mends a finding: always something that other rows say already. It names what it expects to be there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Repair {
    /// The organization is kept with other ancestors, as its parents lead to them.
    SetAncestors {
        /// Which.
        org_id: OrgId,
        /// Those that it has.
        from: Vec<OrgId>,
        /// Those that it gets, root first.
        to: Vec<OrgId>,
    },
    /// The organization's revision becomes the number of its events, which is higher. A revision that is too high is not repaired:
    /// then events are lost, and those to come would take the numbers of others that somebody may have seen.
    SetRevision {
        /// Which.
        org_id: OrgId,
        /// The one that it has.
        from: u64,
        /// The number of its events.
        to: u64,
    },
    /// Nobody holds the slug any more.
    DropSlug {
        /// The slug.
        slug: Slug,
        /// Who holds it.
        org_id: OrgId,
    },
    /// The slug is held by the organization that has it and is not revoked.
    PutSlug {
        /// The slug.
        slug: Slug,
        /// Who holds it from now on.
        org_id: OrgId,
    },
}

/// Which invariants do not hold of these rows, by invariant and then by the rows concerned. The moment is that of the store's clock.
pub fn examine(dump: &Dump, now: Timestamp) -> Vec<Finding> {
    let rows = Rows::new(dump, now);
    let mut found = Found::default();
    rows.check(&mut found);
    users::check(&rows, &mut found);
    organizations::check(&rows, &mut found);
    memberships::check(&rows, &mut found);
    invitations::check(&rows, &mut found);
    tuples::check(&rows, &mut found);
    access::check(&rows, &mut found);
    events::check(&rows, &mut found);
    log::check(&rows, &mut found);
    found.sorted()
}

/// What mends the findings, in an order in which it can be written.
pub fn repairs(findings: &[Finding]) -> Vec<Repair> {
    let (drops, rest): (Vec<Repair>, Vec<Repair>) =
        findings.iter().filter_map(|finding| finding.repair.clone()).partition(|repair| matches!(repair, Repair::DropSlug { .. }));
    // A slug is given up before it is given to somebody else.
    drops.into_iter().chain(rest).collect()
}

/// What was found so far.
#[derive(Debug, Default)]
struct Found(Vec<Finding>);

impl Found {
    fn add(&mut self, invariant: Invariant, table: &str, ids: &[AnyId], message: impl Into<String>) {
        self.add_repairable(invariant, table, ids, message, None);
    }

    fn add_repairable(&mut self, invariant: Invariant, table: &str, ids: &[AnyId], message: impl Into<String>, repair: Option<Repair>) {
        let ids = ids.iter().map(ToString::to_string).collect();
        self.0.push(Finding { invariant, table: table.to_owned(), ids, message: message.into(), repair });
    }

    fn sorted(mut self) -> Vec<Finding> {
        self.0.sort_by(|one, two| {
            (one.invariant, &one.table, &one.ids, &one.message).cmp(&(two.invariant, &two.table, &two.ids, &two.message))
        });
        self.0
    }
}
