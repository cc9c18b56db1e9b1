//! The worlds that races are run in: each round has rows of its own, in a store that it shares with others.

use std::sync::atomic::{AtomicU64, Ordering};

use tenantry_core::{
    AddMember, CreateInvitation, CreateOrg, CreateTuple, CreateUser, Error, Id, Import, ImportMember, ImportOrg, ImportRow, ImportUser,
    InvitationId, InvitationInput, MembershipId, OrgId, SuspendUser, TenancyStore, Timestamp, TupleId, UserId,
};
use uuid::Uuid;

/// Makes the rows of one world.
#[derive(Clone, Copy)]
pub(crate) struct Maker<'s> {
    pub(crate) store: &'s dyn TenancyStore,
    /// The world's number: no other one in the store has it.
    number: usize,
    now: Timestamp,
}

/// An organization with two owners, an admin and a member.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Firm {
    pub(crate) org: OrgId,
    pub(crate) ann: UserId,
    pub(crate) bob: UserId,
    pub(crate) adam: UserId,
    pub(crate) mia: UserId,
    /// Owner.
    pub(crate) ann_mem: MembershipId,
    /// Owner.
    pub(crate) bob_mem: MembershipId,
    /// Admin.
    pub(crate) adam_mem: MembershipId,
    /// Member.
    pub(crate) mia_mem: MembershipId,
}

impl<'s> Maker<'s> {
    pub(crate) const fn new(store: &'s dyn TenancyStore, number: usize, now: Timestamp) -> Self {
        Self { store, number, now }
    }

    /// A user without a row.
    pub(crate) fn stranger(&self, index: u128) -> UserId {
        let number = u128::try_from(self.number).expect("small");
        UserId::from_uuid(Uuid::from_u128((7 << 76) | (8 << 60) | (number << 16) | index)).expect("of a known version")
    }

    /// A document that no other world has.
    pub(crate) fn doc(&self) -> String {
        self.stranger(0xd0c).as_uuid().to_string()
    }

    /// A slug that no other world has.
    pub(crate) fn slug(&self, name: &str) -> String {
        format!("{name}-{}", self.number)
    }

    /// A moment that has come when a race that asks for it is run.
    pub(crate) fn soon(&self) -> Timestamp {
        self.now.plus_seconds(3600)
    }

    /// A moment that does not come.
    pub(crate) fn someday(&self) -> Timestamp {
        self.now.plus_seconds(20 * 365 * 86400)
    }

    /// A user with a row.
    pub(crate) async fn row(&self) -> Result<UserId, Error> {
        Ok(self.store.create_user(CreateUser::new()).await?.user.id)
    }

    pub(crate) async fn org(&self, creator: UserId) -> Result<(OrgId, MembershipId), Error> {
        let made = self.store.create_org(CreateOrg::new(creator)).await?;
        Ok((made.org.id, made.owner_membership.id))
    }

    pub(crate) async fn org_with_slug(&self, name: &str) -> Result<OrgId, Error> {
        let request = CreateOrg::new(self.stranger(1)).slug(self.slug(name));
        Ok(self.store.create_org(request).await?.org.id)
    }

    pub(crate) async fn join(&self, org: OrgId, usr: UserId, role: &str) -> Result<MembershipId, Error> {
        Ok(self.store.add_member(AddMember::new(org, usr, role)).await?.id)
    }

    pub(crate) async fn invite(&self, org: OrgId, name: &str, role: &str, end: Timestamp) -> Result<InvitationId, Error> {
        let request = CreateInvitation::new(org, self.stranger(1), InvitationInput::new(self.identifier(name), role, end));
        Ok(self.store.create_invitation(request).await?.id)
    }

    pub(crate) fn identifier(&self, name: &str) -> String {
        format!("{name}-{}@example.org", self.number)
    }

    pub(crate) async fn tuple(&self, request: CreateTuple) -> Result<TupleId, Error> {
        Ok(self.store.create_tuple(request).await?.id)
    }

    pub(crate) async fn suspend(&self, usr: UserId) -> Result<(), Error> {
        self.store.suspend_user(SuspendUser::new(usr)).await.map(drop)
    }

    /// A firm whose people have rows in every other world.
    pub(crate) async fn firm(&self) -> Result<Firm, Error> {
        self.new_firm(self.number.is_multiple_of(2)).await
    }

    /// A firm whose people have rows.
    pub(crate) async fn firm_with_rows(&self) -> Result<Firm, Error> {
        self.new_firm(true).await
    }

    async fn new_firm(&self, rows: bool) -> Result<Firm, Error> {
        let (org, people) = self.bring_in(rows, ["owner", "owner", "admin", "member"]).await?;
        let [(ann, ann_mem), (bob, bob_mem), (adam, adam_mem), (mia, mia_mem)] = people;
        Ok(Firm { org, ann, bob, adam, mia, ann_mem, bob_mem, adam_mem, mia_mem })
    }

    /// One owner and one member, both with rows.
    pub(crate) async fn shop(&self) -> Result<Shop, Error> {
        let (org, [(ann, ann_mem), (mia, mia_mem)]) = self.bring_in(true, ["owner", "member"]).await?;
        Ok(Shop { org, ann, mia, ann_mem, mia_mem })
    }

    /// An organization with members in these roles: by one command, as worlds are many.
    async fn bring_in<const N: usize>(&self, rows: bool, roles: [&str; N]) -> Result<(OrgId, [(UserId, MembershipId); N]), Error> {
        let org = fresh();
        let people = [(); N].map(|()| (fresh(), fresh()));
        let users = people.iter().filter(|_| rows).map(|(usr, _)| ImportRow::User(ImportUser::new(*usr)));
        let members = people.iter().zip(roles).map(|((usr, mem), role)| ImportRow::Member(ImportMember::new(*mem, *usr, org, role)));
        let rows = users.chain([ImportRow::Org(ImportOrg::new(org))]).chain(members);
        self.store.import(Import::new((1..).zip(rows).collect())).await?;
        Ok((org, people))
    }
}

/// An id that nothing else has.
fn fresh<I: Id>() -> I {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let number = u128::from(NEXT.fetch_add(1, Ordering::Relaxed));
    I::from_uuid(Uuid::from_u128((1 << 100) | (7 << 76) | (8 << 60) | number)).expect("of a known version")
}

/// An organization with one owner and one member.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shop {
    pub(crate) org: OrgId,
    pub(crate) ann: UserId,
    pub(crate) mia: UserId,
    pub(crate) ann_mem: MembershipId,
    pub(crate) mia_mem: MembershipId,
}
