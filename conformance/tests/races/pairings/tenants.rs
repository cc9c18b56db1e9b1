//! Tenants: what a policy promises however many calls come at once.

use std::ops::RangeInclusive;

use serde_json::json;
use tenantry_core::{CreateTenant, Dump, Error, Membership, MembershipStatus, OrgId, Role, TenantPolicy, UserId};

use super::{
    FORBIDDEN, HAS_CHILDREN, LAST_TENANT, LEFT_WITHOUT, NOTHING, OK, ORG_NOT_ACTIVE, ORG_SLUG, Pairing, Race, SOLE_OWNER, TENANT_LIMIT,
    TERMINAL, USER_NOT_ACTIVE, add_member, call, create_org, on_org, on_user,
};
use crate::arena::Call;
use crate::worlds::Maker;

pub(super) fn pairings() -> Vec<Pairing> {
    let all = [first_logins(), limits(), last_ones()].into_iter().flatten();
    // How many a user without a row owns can be told only where each statement sees what has been committed.
    all.map(|pairing| if WITH_ROWS.iter().any(|part| pairing.name.contains(part)) { pairing } else { pairing.read_committed() }).collect()
}

/// In the names of those that are by users with rows.
const WITH_ROWS: [&str; 3] = ["with a row", "revoke_user", "suspend_user"];

/// By users without rows, where both calls could go through.
pub(super) fn of_externals() -> Vec<Pairing> {
    const NAMES: [&str; 3] = [
        "ensure_tenant_for_user / ensure_tenant_for_user of an external user",
        "create_tenant_with_ownership / create_tenant_with_ownership at the limit",
        "delete_tenant / delete_tenant of the last two",
    ];
    pairings().into_iter().filter(|pairing| NAMES.contains(&pairing.name.as_str())).collect()
}

fn ensure(usr: UserId) -> Call {
    call("ensure_tenant_for_user", json!({"usr_id": usr.to_string(), "mode": "personal"}))
}

fn create(usr: UserId, most: u32) -> Call {
    call("create_tenant_with_ownership", json!({"usr_id": usr.to_string(), "name": "Another", "max_tenants": most}))
}

/// A suspension that leaves two organizations without an acting owner.
const BOTH_LEFT_WITHOUT: &str = "ok, 2 left without";

/// Under `required`.
fn delete(usr: UserId, org: OrgId) -> Call {
    call("delete_tenant", json!({"usr_id": usr.to_string(), "org_id": org.to_string(), "mode": "required"}))
}

async fn tenant(maker: Maker<'_>, usr: UserId) -> Result<OrgId, Error> {
    let request = CreateTenant::new(usr, "Their own", TenantPolicy::default());
    Ok(maker.store.create_tenant_with_ownership(request).await?.org.id)
}

/// What is wrong with how many organizations the user owns: not within these bounds, or with others as owners too.
fn owns(usr: UserId, wanted: RangeInclusive<usize>) -> impl Fn(&Dump) -> Option<String> {
    move |rows| {
        let is_owner = |mem: &&Membership| mem.role == Role::Owner && mem.status == MembershipStatus::Active;
        let owners = || rows.memberships.iter().filter(is_owner);
        let owned: Vec<OrgId> = owners().filter(|mem| mem.usr_id == usr).map(|mem| mem.org_id).collect();
        let shared = owners().any(|mem| mem.usr_id != usr && owned.contains(&mem.org_id));
        (shared || !wanted.contains(&owned.len())).then(|| format!("the user owns {owned:?}, shared: {shared}"))
    }
}

/// A user without a row in every other world.
async fn somebody(maker: Maker<'_>, with_row: bool) -> Result<UserId, Error> {
    if with_row { maker.row().await } else { Ok(maker.stranger(1)) }
}

fn first_logins() -> Vec<Pairing> {
    let mut pairings = Vec::new();
    for (with_row, who) in [(false, "of an external user"), (true, "of a user with a row")] {
        pairings.push(Pairing::new(
            format!("ensure_tenant_for_user / ensure_tenant_for_user {who}"),
            &[&[OK, NOTHING], &[NOTHING, OK]],
            move |m| {
                Box::pin(async move {
                    let usr = somebody(m, with_row).await?;
                    Ok(Race::of([ensure(usr), ensure(usr)]).settled(owns(usr, 0..=1)))
                })
            },
        ));
    }
    pairings.extend([
        Pairing::new("ensure_tenant_for_user, four at once", &[&[NOTHING, NOTHING, NOTHING, OK]], |m| {
            Box::pin(async move {
                let usr = m.stranger(1);
                Ok(Race::of([ensure(usr), ensure(usr), ensure(usr), ensure(usr)]).settled(owns(usr, 0..=1)))
            })
        }),
        Pairing::new("ensure_tenant_for_user of two users, of one name", &[&[OK, OK]], |m| {
            Box::pin(async move {
                let (ann, bob) = (m.stranger(1), m.stranger(2));
                let (anns, bobs) = (owns(ann, 0..=1), owns(bob, 0..=1));
                let name = m.slug("same");
                let race = Race::of([ensure(ann).with("name", &name), ensure(bob).with("name", &name)]);
                Ok(race.settled(move |rows| anns(rows).or_else(|| bobs(rows))))
            })
        }),
        Pairing::new("ensure_tenant_for_user / create_tenant_with_ownership at the limit", &[&[NOTHING, OK], &[OK, TENANT_LIMIT]], |m| {
            Box::pin(async move {
                let usr = m.stranger(1);
                Ok(Race::of([ensure(usr), create(usr, 1)]).settled(owns(usr, 0..=1)))
            })
        }),
        Pairing::new("ensure_tenant_for_user / revoke_user", &[&[OK, SOLE_OWNER], &[USER_NOT_ACTIVE, OK]], |m| {
            Box::pin(async move {
                let usr = m.row().await?;
                Ok(Race::of([ensure(usr), on_user("revoke_user", usr)]))
            })
        }),
        Pairing::new("ensure_tenant_for_user / suspend_user", &[&[OK, LEFT_WITHOUT], &[USER_NOT_ACTIVE, OK]], |m| {
            Box::pin(async move {
                let usr = m.row().await?;
                Ok(Race::of([ensure(usr), on_user("suspend_user", usr)]))
            })
        })
        .emergency(),
        Pairing::new("ensure_tenant_for_user / add_member of the same user", &[&[OK, OK], &[NOTHING, OK]], |m| {
            Box::pin(async move {
                let (org, _) = m.org(m.stranger(1)).await?;
                Ok(Race::of([ensure(m.stranger(2)), add_member(org, m.stranger(2), "member")]))
            })
        }),
    ]);
    pairings
}

fn limits() -> Vec<Pairing> {
    let one: &[&[&str]] = &[&[OK, TENANT_LIMIT], &[TENANT_LIMIT, OK]];
    vec![
        Pairing::new("create_tenant_with_ownership / create_tenant_with_ownership at the limit", one, |m| {
            Box::pin(async move {
                let usr = m.stranger(1);
                tenant(m, usr).await?;
                Ok(Race::of([create(usr, 2), create(usr, 2)]).settled(owns(usr, 1..=2)))
            })
        }),
        Pairing::new("create_tenant_with_ownership / the same by a user with a row, at the limit", one, |m| {
            Box::pin(async move {
                let usr = m.row().await?;
                Ok(Race::of([create(usr, 1), create(usr, 1)]).settled(owns(usr, 0..=1)))
            })
        }),
        Pairing::new("delete_tenant / create_tenant_with_ownership at the limit", &[&[OK, OK], &[OK, TENANT_LIMIT]], |m| {
            Box::pin(async move {
                let usr = m.stranger(1);
                let (org, _) = (tenant(m, usr).await?, tenant(m, usr).await?);
                Ok(Race::of([delete(usr, org), create(usr, 2)]))
            })
        })
        .in_flight(),
        Pairing::new("create_tenant_with_ownership / create_org with the slug that it makes", &[&[OK, OK], &[OK, ORG_SLUG]], |m| {
            Box::pin(async move {
                let name = m.slug("same");
                Ok(Race::of([create(m.stranger(1), 3).with("name", &name), create_org(m.stranger(2)).with("slug", &name)]))
            })
        }),
    ]
}

fn last_ones() -> Vec<Pairing> {
    let one: &[&[&str]] = &[&[OK, LAST_TENANT], &[LAST_TENANT, OK]];
    vec![
        Pairing::new("delete_tenant / delete_tenant of the last two", one, |m| {
            Box::pin(async move {
                let usr = m.stranger(1);
                let (a, b) = (tenant(m, usr).await?, tenant(m, usr).await?);
                Ok(Race::of([delete(usr, a), delete(usr, b)]).settled(owns(usr, 1..=2)))
            })
        }),
        Pairing::new("delete_tenant / delete_tenant of the last two, by a user with a row", one, |m| {
            Box::pin(async move {
                let usr = m.row().await?;
                let (a, b) = (tenant(m, usr).await?, tenant(m, usr).await?);
                Ok(Race::of([delete(usr, a), delete(usr, b)]).settled(owns(usr, 1..=2)))
            })
        }),
        Pairing::new("delete_tenant / delete_tenant of the same one", &[&[OK, TERMINAL], &[TERMINAL, OK]], |m| {
            Box::pin(async move {
                let usr = m.stranger(1);
                let (org, _) = (tenant(m, usr).await?, tenant(m, usr).await?);
                Ok(Race::of([delete(usr, org), delete(usr, org)]).settled(owns(usr, 1..=2)))
            })
        }),
        Pairing::new("delete_tenant / create_org below it", &[&[OK, ORG_NOT_ACTIVE], &[HAS_CHILDREN, OK]], |m| {
            Box::pin(async move {
                let usr = m.stranger(1);
                let (org, _) = (tenant(m, usr).await?, tenant(m, usr).await?);
                Ok(Race::of([delete(usr, org), create_org(m.stranger(2)).with("parent_id", org)]))
            })
        }),
        Pairing::new("delete_tenant of the last but one / create_tenant_with_ownership", &[&[OK, OK]], |m| {
            Box::pin(async move {
                let usr = m.stranger(1);
                let (org, _) = (tenant(m, usr).await?, tenant(m, usr).await?);
                Ok(Race::of([delete(usr, org), create(usr, 5)]).settled(owns(usr, 1..=3)))
            })
        }),
        Pairing::new("delete_tenant / suspend_user of its owner", &[&[OK, LEFT_WITHOUT], &[FORBIDDEN, BOTH_LEFT_WITHOUT]], |m| {
            Box::pin(async move {
                let usr = m.row().await?;
                let (org, _) = (tenant(m, usr).await?, tenant(m, usr).await?);
                Ok(Race::of([delete(usr, org), on_user("suspend_user", usr)]))
            })
        })
        .emergency(),
        Pairing::new("delete_tenant / suspend_org of the other one", &[&[OK, OK], &[LAST_TENANT, OK]], |m| {
            Box::pin(async move {
                let usr = m.stranger(1);
                let (org, other) = (tenant(m, usr).await?, tenant(m, usr).await?);
                Ok(Race::of([delete(usr, org), on_org("suspend_org", other)]))
            })
        })
        .in_flight(),
    ]
}
