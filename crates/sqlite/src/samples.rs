//! Rows for tests, numbered.

use tenantry_core::{
    Actor, Change, Event, EventData, EventType, Id, Membership, MembershipStatus, OrgId, OrgStatus, Organization, Plan, Role, Timestamp,
    User, UserStatus,
};
use uuid::Uuid;

const AT: Timestamp = Timestamp::MIN;

pub(crate) fn id<I: Id>(n: u32) -> I {
    I::from_uuid(Uuid::from_u128(0x0196_f3c2_1b7a_7c3d_9e4f_0000_0000_0000 + u128::from(n))).unwrap()
}

pub(crate) fn user(n: u32) -> User {
    User { id: id(n), status: UserStatus::Active, display_name: None, created_at: AT, updated_at: AT, revision: 0 }
}

pub(crate) fn org(n: u32) -> Organization {
    Organization {
        id: id(n),
        parent_id: None,
        status: OrgStatus::Active,
        name: None,
        slug: None,
        cascade_permissions: true,
        inherit_permissions: true,
        revision: 1,
        created_at: AT,
        updated_at: AT,
        ancestors: Vec::new(),
    }
}

pub(crate) fn membership(n: u32, org: u32, usr: u32) -> Membership {
    Membership {
        id: id(n),
        usr_id: id(usr),
        org_id: id(org),
        role: Role::Owner,
        status: MembershipStatus::Active,
        replaces: None,
        invited_by: None,
        removed_by: None,
        expires_at: None,
        created_at: AT,
        updated_at: AT,
    }
}

/// An event, of an organization with the revision that it makes there, or of none.
pub(crate) fn event(n: u32, place: Option<(u32, u64)>) -> Event {
    Event {
        id: id(n),
        org_id: place.map(|(org, _)| id::<OrgId>(org)),
        revision: place.map(|(_, revision)| revision),
        kind: EventType::ImportApplied,
        actor: Actor::SYSTEM,
        at: AT,
        subject_ids: Vec::new(),
        data: EventData::default(),
    }
}

pub(crate) fn plan(changes: impl IntoIterator<Item = Change>) -> Plan {
    Plan { at: Some(AT.plus_seconds(1)), changes: changes.into_iter().collect(), ..Plan::default() }
}
