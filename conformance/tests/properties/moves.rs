//! Random commands, over what is there.

use proptest::prelude::*;
use tenantry_core::source::ManualClock;
use tenantry_core::{
    AddMember, AdminRemove, ChangeRole, CreateOrg, CreateUser, Dump, Error, MembershipId, OrgId, OrgStatus, Patch, ReinstateMembership,
    ReinstateOrg, ReinstateUser, RevokeOrg, RevokeUser, SelfLeave, SuspendMembership, SuspendOrg, SuspendUser, TenancyStore, Timestamp,
    TransferOwnership, UpdateMembership, UpdateOrg, UserId,
};

use crate::imports::{self, Load};

/// A command. Numbers choose among the rows that are there when it is played: organizations and memberships from the newest.
#[derive(Debug, Clone)]
pub(crate) enum Move {
    Wait(u8),
    CreateUser,
    SuspendUser(u8),
    ReinstateUser(u8),
    RevokeUser(u8),
    CreateOrg {
        creator: u8,
        parent: Option<u8>,
        slug: Option<u8>,
    },
    /// Below the deepest there is.
    Deepen {
        creator: u8,
    },
    UpdateOrg {
        org: u8,
        slug: Patch<u8>,
        cascade: Option<bool>,
    },
    SuspendOrg(u8),
    ReinstateOrg(u8),
    RevokeOrg(u8),
    AddMember {
        org: u8,
        usr: u8,
        role: u8,
        seconds: Option<u8>,
    },
    ChangeRole {
        mem: u8,
        role: u8,
    },
    UpdateMembership {
        mem: u8,
        seconds: Patch<u8>,
    },
    SuspendMembership(u8),
    ReinstateMembership(u8),
    SelfLeave {
        mem: u8,
        to: Option<u8>,
    },
    AdminRemove {
        mem: u8,
        admin: u8,
    },
    Transfer {
        org: u8,
        from: u8,
        to: u8,
    },
    Import(Load),
}

/// Few of each, so that they meet.
const USERS: u8 = 6;
/// Of them, those that have no row, ever.
const EXTERNAL: u8 = 2;
const SLUGS: u8 = 4;
/// Of organizations and memberships, the newest.
const ROWS: u8 = 8;
const ROLES: [&str; 8] = ["owner", "owner", "admin", "member", "guest", "viewer", "editor", "nobody"];

pub(crate) fn any_move() -> impl Strategy<Value = Move> {
    let (usr, row, slug, role) = (0..USERS, 0..ROWS, 0..SLUGS, 0..8_u8);
    let opt = prop::option::of::<std::ops::Range<u8>>;
    prop_oneof![
        2 => (0..40_u8).prop_map(Move::Wait),
        1 => Just(Move::CreateUser),
        3 => usr.clone().prop_map(Move::SuspendUser),
        1 => usr.clone().prop_map(Move::ReinstateUser),
        1 => usr.clone().prop_map(Move::RevokeUser),
        5 => usr.clone().prop_map(|creator| Move::Deepen { creator }),
        2 => (usr.clone(), opt(row.clone()), opt(slug.clone())).prop_map(|(creator, parent, slug)| Move::CreateOrg { creator, parent, slug }),
        2 => (row.clone(), patch(slug), any::<Option<bool>>()).prop_map(|(org, slug, cascade)| Move::UpdateOrg { org, slug, cascade }),
        1 => row.clone().prop_map(Move::SuspendOrg),
        2 => row.clone().prop_map(Move::ReinstateOrg),
        1 => row.clone().prop_map(Move::RevokeOrg),
        10 => (row.clone(), usr.clone(), role.clone(), opt(1..60))
            .prop_map(|(org, usr, role, seconds)| Move::AddMember { org, usr, role, seconds }),
        3 => (row.clone(), role).prop_map(|(mem, role)| Move::ChangeRole { mem, role }),
        2 => (row.clone(), patch(0..60)).prop_map(|(mem, seconds)| Move::UpdateMembership { mem, seconds }),
        3 => row.clone().prop_map(Move::SuspendMembership),
        2 => row.clone().prop_map(Move::ReinstateMembership),
        5 => (row.clone(), opt(usr.clone())).prop_map(|(mem, to)| Move::SelfLeave { mem, to }),
        3 => (row.clone(), usr).prop_map(|(mem, admin)| Move::AdminRemove { mem, admin }),
        2 => (row.clone(), row.clone(), row).prop_map(|(org, from, to)| Move::Transfer { org, from, to }),
        6 => imports::any_load().prop_map(Move::Import),
    ]
}

fn patch(values: std::ops::Range<u8>) -> impl Strategy<Value = Patch<u8>> {
    prop_oneof![Just(Patch::Keep), Just(Patch::Clear), values.prop_map(Patch::Set)]
}

fn map<T>(patch: Patch<u8>, value: impl Fn(u8) -> T) -> Patch<T> {
    match patch {
        Patch::Keep => Patch::Keep,
        Patch::Clear => Patch::Clear,
        Patch::Set(number) => Patch::Set(value(number)),
    }
}

/// The users with rows that moves choose from.
pub(crate) async fn users(store: &dyn TenancyStore) {
    for _ in EXTERNAL..USERS {
        store.create_user(CreateUser::new()).await.expect("a user");
    }
}

impl Move {
    /// Plays it over the rows as they are; where there is no row to choose, nothing happens.
    pub(crate) async fn play(&self, store: &dyn TenancyStore, clock: &ManualClock, rows: &Dump, now: Timestamp) -> Result<(), Error> {
        match self.try_play(store, clock, rows, now).await {
            Some(Err(error)) => Err(error),
            Some(Ok(())) | None => Ok(()),
        }
    }

    async fn try_play(&self, store: &dyn TenancyStore, clock: &ManualClock, rows: &Dump, now: Timestamp) -> Option<Result<(), Error>> {
        let end = |seconds: u8| now.plus_seconds(seconds.into());
        let role = |role: &u8| ROLES[usize::from(*role)];
        Some(match self {
            Self::Wait(seconds) => {
                clock.advance_micros(i64::from(*seconds) * 1_000_000);
                Ok(())
            }
            Self::CreateUser => store.create_user(CreateUser::new()).await.map(drop),
            Self::SuspendUser(usr) => store.suspend_user(SuspendUser::new(user(rows, *usr))).await.map(drop),
            Self::ReinstateUser(usr) => store.reinstate_user(ReinstateUser::new(user(rows, *usr))).await.map(drop),
            Self::RevokeUser(usr) => store.revoke_user(RevokeUser::new(user(rows, *usr))).await.map(drop),
            Self::CreateOrg { creator, parent, slug } => {
                let mut request = CreateOrg::new(user(rows, *creator));
                request.parent_id = parent.and_then(|parent| org(rows, parent));
                request.slug = slug.map(|slug| format!("slug-{slug}"));
                store.create_org(request).await.map(drop)
            }
            Self::Deepen { creator } => {
                let live = rows.organizations.iter().filter(|org| org.status == OrgStatus::Active);
                let deepest = live.max_by_key(|org| org.depth())?.id;
                store.create_org(CreateOrg::new(user(rows, *creator)).parent(deepest)).await.map(drop)
            }
            Self::UpdateOrg { org: which, slug, cascade } => {
                let mut request = UpdateOrg::new(org(rows, *which)?);
                request.slug = map(*slug, |slug| format!("slug-{slug}"));
                request.cascade_permissions = *cascade;
                store.update_org(request).await.map(drop)
            }
            Self::SuspendOrg(which) => store.suspend_org(SuspendOrg::new(org(rows, *which)?)).await.map(drop),
            Self::ReinstateOrg(which) => store.reinstate_org(ReinstateOrg::new(org(rows, *which)?)).await.map(drop),
            Self::RevokeOrg(which) => store.revoke_org(RevokeOrg::new(org(rows, *which)?)).await.map(drop),
            Self::AddMember { org: which, usr, role: slug, seconds } => {
                let mut request = AddMember::new(org(rows, *which)?, user(rows, *usr), role(slug));
                request.expires_at = seconds.map(end);
                store.add_member(request).await.map(drop)
            }
            Self::ChangeRole { mem, role: slug } => store.change_role(ChangeRole::new(member(rows, *mem)?, role(slug))).await.map(drop),
            Self::UpdateMembership { mem, seconds } => {
                let patch = map(*seconds, end);
                store.update_membership(UpdateMembership::new(member(rows, *mem)?).expires_at(patch)).await.map(drop)
            }
            Self::SuspendMembership(mem) => store.suspend_membership(SuspendMembership::new(member(rows, *mem)?)).await.map(drop),
            Self::ReinstateMembership(mem) => store.reinstate_membership(ReinstateMembership::new(member(rows, *mem)?)).await.map(drop),
            Self::SelfLeave { mem, to } => {
                let mut request = SelfLeave::new(member(rows, *mem)?);
                request.transfer_to = to.map(|to| user(rows, to));
                store.self_leave(request).await.map(drop)
            }
            Self::AdminRemove { mem, admin } => {
                store.admin_remove(AdminRemove::new(member(rows, *mem)?, user(rows, *admin))).await.map(drop)
            }
            Self::Import(load) => store.import(load.request(now)).await.map(drop),
            Self::Transfer { org: which, from, to } => {
                // Two memberships of one organization, mostly.
                let org = org(rows, *which)?;
                let of_org: Vec<MembershipId> = rows.memberships.iter().filter(|mem| mem.org_id == org).map(|mem| mem.id).collect();
                let pick = |number: u8| of_org.iter().rev().cycle().nth(number.into()).copied();
                store.transfer_ownership(TransferOwnership::new(org, pick(*from)?, pick(*to)?)).await.map(drop)
            }
        })
    }
}

/// The first have no row, ever; the others are the first rows, so that a number stays the same user.
fn user(rows: &Dump, number: u8) -> UserId {
    let row = number.checked_sub(EXTERNAL).and_then(|number| rows.users.get(usize::from(number)));
    row.map_or_else(|| format!("usr_019600000000700080000000000000{number:02x}").parse().expect("an id"), |row| row.id)
}

fn org(rows: &Dump, number: u8) -> Option<OrgId> {
    rows.organizations.iter().rev().cycle().nth(number.into()).map(|org| org.id)
}

fn member(rows: &Dump, number: u8) -> Option<MembershipId> {
    rows.memberships.iter().rev().cycle().nth(number.into()).map(|mem| mem.id)
}
