//! The logs themselves: their numbers, and the form of what stands in them.

use super::rows::Rows;
use super::{Found, Invariant};
use crate::event::{Event, EventType};
use crate::id::{Id, IdType};

const TABLE: &str = "event";

pub(super) fn check(rows: &Rows<'_>, found: &mut Found) {
    for event in &rows.dump.events {
        let ids = [event.id.any()];
        if event.org_id.is_some() != event.revision.is_some() || !belongs(event) {
            let message = format!("an event `{}` stands in a log that it does not belong to", event.kind.as_str());
            found.add(Invariant::EventPlace, TABLE, &ids, message);
        }
        if !subjects_fit(event) {
            let message = format!("an event `{}` is about other rows than its type says", event.kind.as_str());
            found.add(Invariant::EventSubjects, TABLE, &ids, message);
        }
    }
    for (org, log) in &rows.logs {
        let wrong = log.events.iter().zip(1..).find(|(event, number)| event.revision != Some(*number));
        if let Some((event, number)) = wrong {
            let has = event.revision.map_or_else(|| "none".to_owned(), |revision| revision.to_string());
            let message = format!("the event of {org} that should have the revision {number} has {has}");
            found.add(Invariant::EventNumbers, TABLE, &[event.id.any()], message);
        }
        for event in &log.events {
            let starts = matches!(event.kind, EventType::OrganizationCreated | EventType::ImportApplied);
            if (event.revision == Some(1)) != starts {
                let message = format!("the log of {org} begins with `{}`, or goes on with it", event.kind.as_str());
                found.add(Invariant::LogStart, TABLE, &[event.id.any()], message);
            }
        }
    }
}

/// Whether an event of this type may stand where it stands.
fn belongs(event: &Event) -> bool {
    use EventType as Type;

    match event.kind {
        Type::UserCreated | Type::UserSuspended | Type::UserReinstated | Type::UserRevoked | Type::CatalogSynced => event.org_id.is_none(),
        Type::TupleCreated
        | Type::TupleDeleted
        | Type::ImportApplied
        | Type::RoleCreated
        | Type::RoleUpdated
        | Type::RolePermissionsGranted
        | Type::RolePermissionsRevoked => true,
        Type::OrganizationCreated
        | Type::OrganizationChildAdded
        | Type::OrganizationUpdated
        | Type::OrganizationSuspended
        | Type::OrganizationReinstated
        | Type::OrganizationRevoked
        | Type::MembershipAdded
        | Type::MembershipUpdated
        | Type::MembershipRoleChanged
        | Type::MembershipSuspended
        | Type::MembershipReinstated
        | Type::MembershipLeft
        | Type::MembershipRemoved
        | Type::MembershipExpired
        | Type::InvitationCreated
        | Type::InvitationAccepted
        | Type::InvitationDeclined
        | Type::InvitationRevoked
        | Type::InvitationExtended
        | Type::InvitationExpired
        | Type::OrganizationMoved
        | Type::RoleDeleted
        | Type::GroupCreated
        | Type::GroupUpdated
        | Type::GroupDeleted
        | Type::GroupMemberAdded
        | Type::GroupMemberRemoved
        | Type::GroupRoleAdded
        | Type::GroupRoleRemoved
        | Type::OrgOverrideChanged
        | Type::MembershipOverrideChanged => event.org_id.is_some(),
    }
}

/// Whether the subjects are of the kinds that the type says, and an organization's own event is about itself.
fn subjects_fit(event: &Event) -> bool {
    use EventType as Type;
    use IdType::{Group, Invitation, Membership, Organization, Role, Tuple, User};

    let kinds: &[IdType] = match event.kind {
        Type::OrganizationCreated
        | Type::OrganizationChildAdded
        | Type::OrganizationUpdated
        | Type::OrganizationSuspended
        | Type::OrganizationReinstated
        | Type::OrganizationMoved
        | Type::OrgOverrideChanged
        | Type::OrganizationRevoked => &[Organization],
        Type::RoleCreated | Type::RoleUpdated | Type::RoleDeleted | Type::RolePermissionsGranted | Type::RolePermissionsRevoked => &[Role],
        Type::GroupCreated | Type::GroupUpdated | Type::GroupDeleted => &[Group],
        Type::GroupMemberAdded | Type::GroupMemberRemoved => &[Group, User],
        Type::GroupRoleAdded | Type::GroupRoleRemoved => &[Group, Role],
        Type::MembershipRoleChanged => &[Membership, Membership, User],
        Type::MembershipAdded
        | Type::MembershipUpdated
        | Type::MembershipSuspended
        | Type::MembershipReinstated
        | Type::MembershipLeft
        | Type::MembershipRemoved
        | Type::MembershipOverrideChanged
        | Type::MembershipExpired => &[Membership, User],
        Type::InvitationAccepted => &[Invitation, User],
        Type::InvitationCreated
        | Type::InvitationDeclined
        | Type::InvitationRevoked
        | Type::InvitationExtended
        | Type::InvitationExpired => &[Invitation],
        Type::TupleCreated | Type::TupleDeleted => &[Tuple],
        Type::UserCreated | Type::UserSuspended | Type::UserReinstated | Type::UserRevoked => &[User],
        Type::ImportApplied if event.org_id.is_some() => &[Organization],
        Type::ImportApplied | Type::CatalogSynced => &[],
    };
    let of_the_kinds = event.subject_ids.iter().map(|id| id.kind).eq(kinds.iter().copied());
    let own = event.org_id.map(|org| org.any());
    let about_itself = kinds != [Organization] || event.kind == Type::OrganizationChildAdded || event.subject_ids.first() == own.as_ref();
    of_the_kinds && about_itself
}
