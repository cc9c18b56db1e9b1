//! Rows for tests, numbered.

use tenantry_core::{
    Actor, Change, EntityRef, Event, EventData, EventType, Id, Identifier, Invitation, InvitationStatus, Membership, MembershipStatus,
    Metadata, ObjectType, OrgId, OrgStatus, Organization, Plan, Reason, Relation, RequestId, Role, Timestamp, Tuple, TupleKey, User,
    UserStatus,
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
        seat_limit: None,
        external_id: None,
        metadata: Metadata::default(),
        revision: 1,
        created_at: AT,
        updated_at: AT,
        ancestors: Vec::new(),
        structure_revision: 0,
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
        metadata: Metadata::default(),
        created_at: AT,
        updated_at: AT,
    }
}

/// One that is pending for ten seconds.
pub(crate) fn invitation(n: u32, org: u32, identifier: &str) -> Invitation {
    Invitation {
        id: id(n),
        org_id: id(org),
        identifier: Identifier::parse(identifier).unwrap(),
        role: Role::Member,
        status: InvitationStatus::Pending,
        pre_tuples: Vec::new(),
        invited_by: id(1),
        invited_user_id: None,
        created_at: AT,
        expires_at: moment(10),
        terminal_at: None,
        terminal_by: None,
        judged: false,
    }
}

/// Something of this type.
pub(crate) fn entity(kind: &str, n: u32) -> EntityRef {
    EntityRef { kind: ObjectType::parse(kind).unwrap(), id: id::<OrgId>(n).as_uuid() }
}

pub(crate) fn key(subject: EntityRef, relation: &str, object: EntityRef) -> TupleKey {
    TupleKey { subject, relation: Relation::parse(relation).unwrap(), object }
}

pub(crate) fn tuple(n: u32, org: Option<u32>, key: TupleKey) -> Tuple {
    Tuple { id: id(n), key, org_id: org.map(id), created_at: AT, created_by: None, expires_at: None }
}

/// So many seconds behind the first moment that there is.
pub(crate) fn moment(seconds: u32) -> Timestamp {
    AT.plus_seconds(seconds.into())
}

/// An object with a number that has no short form, and one that looks like a whole one.
pub(crate) fn metadata(text: &str) -> Metadata {
    serde_json::from_str(&format!(r#"{{"n":[0.1,2.0,-1e-300,{{"text":"{text}"}}]}}"#)).unwrap()
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
        request_id: RequestId::parse(&format!("req-{n}")).filter(|_| n.is_multiple_of(2)),
        reason: Reason::parse("because").filter(|_| n.is_multiple_of(3)),
    }
}

pub(crate) fn plan(changes: impl IntoIterator<Item = Change>) -> Plan {
    Plan { at: Some(AT.plus_seconds(1)), changes: changes.into_iter().collect(), ..Plan::default() }
}
