//! The data that every store is filled with: the same rows everywhere, each found by its number.

use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::{Context, Result};
use tenantry_core::{
    EntityRef, Identifier, ImportInvitation, ImportMember, ImportOrg, ImportRow, ImportTuple, ImportUser, Invitation, InvitationId,
    InvitationStatus, Membership, MembershipId, MembershipStatus, Metadata, Name, ObjectType, OrgId, OrgStatus, Organization, Relation,
    Role, Slug, Timestamp, Tuple, TupleId, TupleKey, User, UserId, UserStatus,
};
use uuid::Uuid;

/// 2025-01-01T00:00:00Z in milliseconds: when everything here was made.
const MADE: u64 = 1_735_689_600_000;

/// Whose ids are told apart by their kind.
#[derive(Debug, Clone, Copy)]
enum Kind {
    User = 1,
    Org,
    Ownership,
    CrowdMember,
    Tuple,
    Invitation,
    Document,
    Event,
    Fresh,
}

/// Data of one size, n: n users; n organizations, each owned by one of them; a tuple in the scope of each organization; and one more
/// organization, the crowd, that all n users are members of. All organizations are roots. The first thousand have an invitation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct World {
    size: u32,
}

impl World {
    /// A world of this size; at least 1.
    pub const fn new(size: u32) -> Self {
        Self { size: if size == 0 { 1 } else { size } }
    }

    /// Its n.
    pub const fn size(self) -> u32 {
        self.size
    }

    /// How many memberships it has.
    pub const fn memberships(self) -> u32 {
        self.size * 2
    }

    /// How many organizations it has.
    pub const fn organizations(self) -> u32 {
        self.size + 1
    }

    /// The organization with n members, made behind all others.
    ///
    /// # Errors
    /// Never, as its version is a known one.
    pub fn crowd(self) -> Result<OrgId> {
        org_id(self.size)
    }

    /// A user, with a row.
    ///
    /// # Errors
    /// When a row would not have the form of what the library holds, which would be a fault of this module.
    pub fn user(self, n: u32) -> Result<User> {
        let at = made(n)?;
        // The owner of the crowd got it when their row was there already.
        let revision = u64::from(n == 0);
        Ok(User { id: user_id(n)?, status: UserStatus::Active, display_name: None, created_at: at, updated_at: at, revision })
    }

    /// An organization; the n-th is the crowd.
    ///
    /// # Errors
    /// As [`user`](Self::user).
    pub fn org(self, n: u32) -> Result<Organization> {
        let at = made(n)?;
        Ok(Organization {
            id: org_id(n)?,
            parent_id: None,
            status: OrgStatus::Active,
            name: Name::parse(&format!("Organization {n}")),
            slug: Slug::parse(&slug(n)),
            cascade_permissions: true,
            inherit_permissions: true,
            seat_limit: None,
            external_id: None,
            metadata: Metadata::default(),
            revision: 1,
            created_at: at,
            updated_at: at,
            ancestors: Vec::new(),
            structure_revision: 0,
        })
    }

    /// The membership of an organization's owner.
    ///
    /// # Errors
    /// As [`user`](Self::user).
    pub fn ownership(self, n: u32) -> Result<Membership> {
        Ok(membership(ownership_id(n)?, user_id(n)?, org_id(n)?, Role::Owner, made(n)?))
    }

    /// A membership in the crowd; the first user owns it.
    ///
    /// # Errors
    /// As [`user`](Self::user).
    pub fn crowd_member(self, n: u32) -> Result<Membership> {
        let role = if n == 0 { Role::Owner } else { Role::Member };
        Ok(membership(crowd_member_id(n)?, user_id(n)?, self.crowd()?, role, made(n)?))
    }

    /// The tuple in the scope of an organization: its owner is a viewer of a document.
    ///
    /// # Errors
    /// As [`user`](Self::user).
    pub fn tuple(self, n: u32) -> Result<Tuple> {
        let form = "a relation or type without its form";
        Ok(Tuple {
            id: TupleId::from_uuid(uuid(Kind::Tuple, n))?,
            key: TupleKey {
                subject: EntityRef::user(user_id(n)?),
                relation: Relation::parse("viewer").context(form)?,
                object: EntityRef { kind: ObjectType::parse("doc").context(form)?, id: document_id(n) },
            },
            org_id: Some(org_id(n)?),
            created_at: made(n)?,
            created_by: None,
            expires_at: None,
        })
    }

    /// How many invitations wait in it: the first organizations have one each. So many that a database which is told to look at its
    /// tables sees that the one of invitations is not empty.
    pub const fn invitations(self) -> u32 {
        if self.size < 1000 { self.size } else { 1000 }
    }

    /// The invitation into an organization, by its owner.
    ///
    /// # Errors
    /// As [`user`](Self::user).
    pub fn invitation(self, n: u32) -> Result<Invitation> {
        Ok(Invitation {
            id: InvitationId::from_uuid(uuid(Kind::Invitation, n))?,
            org_id: org_id(n)?,
            identifier: Identifier::parse(&format!("guest-{n}@example.org")).context("an identifier without its form")?,
            role: Role::Member,
            status: InvitationStatus::Pending,
            pre_tuples: Vec::new(),
            invited_by: user_id(n)?,
            invited_user_id: None,
            created_at: made(n)?,
            expires_at: made(n)?.plus_seconds(3_000_000_000),
            terminal_at: None,
            terminal_by: None,
            judged: false,
        })
    }

    /// The organizations from one number up to another, with what belongs to them, as rows of an import.
    ///
    /// # Errors
    /// As [`user`](Self::user).
    pub fn import(self, from: u32, to: u32) -> Result<Vec<(u64, ImportRow)>> {
        let mut rows = Vec::new();
        for n in from..to {
            rows.push(ImportRow::User(import_user(&self.user(n)?)));
            rows.push(ImportRow::Org(import_org(&self.org(n)?)));
            rows.push(ImportRow::Member(import_member(&self.ownership(n)?)));
            rows.push(ImportRow::Tuple(import_tuple(&self.tuple(n)?)));
            if n < self.invitations() {
                rows.push(ImportRow::Invitation(import_invitation(&self.invitation(n)?)));
            }
        }
        Ok(numbered(rows))
    }

    /// The crowd with its members, as rows of an import.
    ///
    /// # Errors
    /// As [`user`](Self::user).
    pub fn import_crowd(self) -> Result<Vec<(u64, ImportRow)>> {
        let mut rows = vec![ImportRow::Org(import_org(&self.org(self.size)?))];
        for n in 0..self.size {
            rows.push(ImportRow::Member(import_member(&self.crowd_member(n)?)));
        }
        Ok(numbered(rows))
    }
}

fn numbered(rows: Vec<ImportRow>) -> Vec<(u64, ImportRow)> {
    (1..).zip(rows).collect()
}

fn membership(id: MembershipId, usr_id: UserId, org_id: OrgId, role: Role, at: Timestamp) -> Membership {
    Membership {
        id,
        usr_id,
        org_id,
        role,
        status: MembershipStatus::Active,
        replaces: None,
        invited_by: None,
        removed_by: None,
        expires_at: None,
        metadata: Metadata::default(),
        created_at: at,
        updated_at: at,
    }
}

fn import_user(user: &User) -> ImportUser {
    ImportUser { created_at: Some(user.created_at), ..ImportUser::new(user.id) }
}

fn import_org(org: &Organization) -> ImportOrg {
    ImportOrg {
        name: org.name.as_ref().map(ToString::to_string),
        slug: org.slug.as_ref().map(ToString::to_string),
        created_at: Some(org.created_at),
        ..ImportOrg::new(org.id)
    }
}

fn import_member(mem: &Membership) -> ImportMember {
    ImportMember { created_at: Some(mem.created_at), ..ImportMember::new(mem.id, mem.usr_id, mem.org_id, mem.role.slug()) }
}

fn import_tuple(tuple: &Tuple) -> ImportTuple {
    ImportTuple {
        id: tuple.id,
        subject_type: tuple.key.subject.kind.to_string(),
        subject_id: tuple.key.subject.id.to_string(),
        relation: tuple.key.relation.to_string(),
        object_type: tuple.key.object.kind.to_string(),
        object_id: tuple.key.object.id.to_string(),
        org_id: tuple.org_id,
        created_at: Some(tuple.created_at),
        created_by: tuple.created_by,
        expires_at: tuple.expires_at,
    }
}

fn import_invitation(inv: &Invitation) -> ImportInvitation {
    ImportInvitation {
        id: inv.id,
        org_id: inv.org_id,
        identifier: inv.identifier.to_string(),
        role: inv.role.to_string(),
        role_id: None,
        status: inv.status,
        pre_tuples: Vec::new(),
        invited_by: inv.invited_by,
        invited_user_id: inv.invited_user_id,
        created_at: Some(inv.created_at),
        expires_at: inv.expires_at,
        terminal_at: inv.terminal_at,
        terminal_by: inv.terminal_by,
    }
}

/// The slug of an organization.
pub fn slug(n: u32) -> String {
    format!("organization-{n}")
}

/// The id of a user.
///
/// # Errors
/// As all of these: never, as the version is a known one.
pub fn user_id(n: u32) -> Result<UserId> {
    Ok(UserId::from_uuid(uuid(Kind::User, n))?)
}

/// The id of an organization.
///
/// # Errors
/// Never.
pub fn org_id(n: u32) -> Result<OrgId> {
    Ok(OrgId::from_uuid(uuid(Kind::Org, n))?)
}

/// The id of an owner's membership.
///
/// # Errors
/// Never.
pub fn ownership_id(n: u32) -> Result<MembershipId> {
    Ok(MembershipId::from_uuid(uuid(Kind::Ownership, n))?)
}

/// The id of a membership in the crowd.
///
/// # Errors
/// Never.
pub fn crowd_member_id(n: u32) -> Result<MembershipId> {
    Ok(MembershipId::from_uuid(uuid(Kind::CrowdMember, n))?)
}

/// The id of the document of an organization's tuple.
pub fn document_id(n: u32) -> Uuid {
    uuid(Kind::Document, n)
}

/// The id of an event of a fill.
pub fn event_id(n: u32) -> Uuid {
    uuid(Kind::Event, n)
}

/// When what has this number was made.
///
/// # Errors
/// Never.
pub fn made(n: u32) -> Result<Timestamp> {
    let millis = i64::try_from(MADE + u64::from(n))?;
    Ok(Timestamp::from_micros(millis * 1000)?)
}

/// A UUID of version 7: as many bits of time as the real ones have, and behind them bits that look like chance.
fn uuid(kind: Kind, n: u32) -> Uuid {
    let mixed = mix((kind as u64) << 32 | u64::from(n));
    let head = (MADE + u64::from(n)) << 16 | 0x7000 | (mixed >> 52);
    Uuid::from_u64_pair(head, mixed & 0x3fff_ffff_ffff_ffff | 0x8000_0000_0000_0000)
}

/// splitmix64: every bit of the answer depends on every bit of the question.
fn mix(seed: u64) -> u64 {
    let mut z = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// Numbers by chance, the same in every run, and ids that nobody has used.
#[derive(Debug, Clone)]
pub struct Chance {
    state: u64,
}

/// How many courses have begun.
static COURSES: AtomicU64 = AtomicU64::new(0);

impl Chance {
    /// A course of its own, which meets none of those begun before.
    pub fn begin() -> Self {
        Self { state: mix(COURSES.fetch_add(1, Ordering::Relaxed)) }
    }

    fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(1);
        mix(mix(self.state))
    }

    /// A number below the bound; 0 for a bound of 0.
    pub fn below(&mut self, bound: u32) -> u32 {
        // The high half times the bound, over 2^32: even enough, and without a division.
        u32::try_from(((self.next() >> 32) * u64::from(bound)) >> 32).unwrap_or_default()
    }

    /// A new UUID of version 7, later than those of the world.
    pub fn fresh(&mut self) -> Uuid {
        let (head, tail) = (self.next(), self.next());
        let head = (MADE + 100_000_000 + (self.state & 0xff_ffff)) << 16 | 0x7000 | (head & 0xfff);
        Uuid::from_u64_pair(head, (tail ^ (Kind::Fresh as u64)) & 0x3fff_ffff_ffff_ffff | 0x8000_0000_0000_0000)
    }

    /// A user without a row.
    ///
    /// # Errors
    /// Never.
    pub fn fresh_user(&mut self) -> Result<UserId> {
        Ok(UserId::from_uuid(self.fresh())?)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn ids_rise_with_their_numbers_and_differ_by_kind() {
        let ids: Vec<OrgId> = (0..1000).map(|n| org_id(n).unwrap()).collect();
        assert!(ids.is_sorted());
        let all: BTreeSet<Uuid> = (0..1000)
            .flat_map(|n| [uuid(Kind::User, n), uuid(Kind::Org, n), uuid(Kind::Ownership, n), uuid(Kind::CrowdMember, n)])
            .collect();
        assert_eq!(all.len(), 4000);
    }

    #[test]
    fn chance_stays_below_its_bound_and_reaches_all_of_it() {
        let mut chance = Chance::begin();
        let seen: BTreeSet<u32> = (0..1000).map(|_| chance.below(10)).collect();
        assert_eq!(seen, (0..10).collect());
        assert_eq!((0..1000).map(|_| chance.fresh()).collect::<BTreeSet<_>>().len(), 1000);
    }
}
