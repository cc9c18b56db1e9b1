//! Coming into an organization, seats, and what becomes of a membership.

use serde_json::json;
use tenantry_core::{AddMember, SuspendMembership, UpdateOrg, UserId};

use super::{
    DUPLICATE_MEMBERSHIP, INVALID_TRANSITION, MEM_NOT_ACTIVE, OK, ORG_NOT_ACTIVE, Pairing, Race, SEAT_LIMIT, accept, add_member, call,
    change_role, leave, on_org, reinstate_membership, remove, suspend_membership,
};
use crate::worlds::Maker;

pub(super) fn pairings() -> Vec<Pairing> {
    [joining(), seats(), changing()].into_iter().flatten().collect()
}

/// One membership for each user, in an organization that is active.
fn joining() -> Vec<Pairing> {
    let one: &[&[&str]] = &[&[OK, DUPLICATE_MEMBERSHIP], &[DUPLICATE_MEMBERSHIP, OK]];
    vec![
        Pairing::new("add_member / suspend_org", &[&[OK, OK], &[ORG_NOT_ACTIVE, OK]], |m| {
            Box::pin(async move {
                let shop = m.shop().await?;
                Ok(Race::of([add_member(shop.org, m.stranger(2), "member"), on_org("suspend_org", shop.org)]))
            })
        }),
        Pairing::new("add_member / revoke_org", &[&[OK, OK], &[ORG_NOT_ACTIVE, OK]], |m| {
            Box::pin(async move {
                let shop = m.shop().await?;
                Ok(Race::of([add_member(shop.org, m.stranger(2), "member"), on_org("revoke_org", shop.org)]))
            })
        }),
        Pairing::new("add_member / add_member of one user", one, |m| {
            Box::pin(async move {
                let shop = m.shop().await?;
                Ok(Race::of(["member", "admin"].map(|role| add_member(shop.org, m.stranger(2), role))))
            })
        }),
        Pairing::new("add_member / accept_invitation of one user", one, |m| {
            Box::pin(async move {
                let (shop, usr) = (m.shop().await?, m.stranger(2));
                let inv = m.invite(shop.org, "one", "member", m.someday()).await?;
                Ok(Race::of([add_member(shop.org, usr, "member"), accept(&m, "one", inv, usr)]))
            })
        }),
        // The row that has expired makes room once.
        Pairing::new("add_member / add_member in the place of one that has expired", one, |m| {
            Box::pin(async move {
                let (shop, usr) = (m.shop().await?, m.stranger(2));
                m.store.add_member(AddMember::new(shop.org, usr, "guest").expires_at(m.soon())).await?;
                Ok(Race::of(["member", "admin"].map(|role| add_member(shop.org, usr, role))))
            })
        })
        .later(),
        Pairing::new("add_member / add_member of two users", &[&[OK, OK]], |m| {
            Box::pin(async move {
                let shop = m.shop().await?;
                Ok(Race::of([2, 3].map(|index| add_member(shop.org, m.stranger(index), "member"))))
            })
        }),
    ]
}

/// An organization with one seat left, or none.
async fn limited(m: &Maker<'_>, left: u32) -> Result<(crate::worlds::Shop, UserId, UserId), tenantry_core::Error> {
    let shop = m.shop().await?;
    m.store.update_org(UpdateOrg::new(shop.org).seat_limit(tenantry_core::Patch::Set(i64::from(2 + left)))).await?;
    Ok((shop, m.stranger(2), m.stranger(3)))
}

fn seats() -> Vec<Pairing> {
    let one: &[&[&str]] = &[&[OK, SEAT_LIMIT], &[SEAT_LIMIT, OK]];
    vec![
        Pairing::new("the last seat: add_member / add_member", one, |m| {
            Box::pin(async move {
                let (shop, one, two) = limited(&m, 1).await?;
                Ok(Race::of([one, two].map(|usr| add_member(shop.org, usr, "member"))))
            })
        }),
        Pairing::new("the last seat: add_member / accept_invitation", one, |m| {
            Box::pin(async move {
                let (shop, one, two) = limited(&m, 1).await?;
                let inv = m.invite(shop.org, "two", "member", m.someday()).await?;
                Ok(Race::of([add_member(shop.org, one, "member"), accept(&m, "two", inv, two)]))
            })
        }),
        Pairing::new("the last seat: accept_invitation / accept_invitation", one, |m| {
            Box::pin(async move {
                let (shop, one, two) = limited(&m, 1).await?;
                let invited =
                    (m.invite(shop.org, "one", "member", m.someday()).await?, m.invite(shop.org, "two", "member", m.someday()).await?);
                Ok(Race::of([accept(&m, "one", invited.0, one), accept(&m, "two", invited.1, two)]))
            })
        }),
        Pairing::new("no seat left: add_member / admin_remove of another", &[&[OK, OK], &[SEAT_LIMIT, OK]], |m| {
            Box::pin(async move {
                let (shop, one, _) = limited(&m, 0).await?;
                Ok(Race::of([add_member(shop.org, one, "member"), remove(shop.mia_mem, shop.ann)]))
            })
        })
        .in_flight(),
        Pairing::new("no seat left: add_member / update_org to a higher limit", &[&[OK, OK], &[SEAT_LIMIT, OK]], |m| {
            Box::pin(async move {
                let (shop, one, _) = limited(&m, 0).await?;
                let more = call("update_org", json!({"org_id": shop.org.to_string(), "seat_limit": 3}));
                Ok(Race::of([add_member(shop.org, one, "member"), more]))
            })
        })
        .in_flight(),
    ]
}

fn changing() -> Vec<Pairing> {
    let one: &[&[&str]] = &[&[OK, MEM_NOT_ACTIVE], &[MEM_NOT_ACTIVE, OK]];
    vec![
        Pairing::new("change_role / change_role of one member", one, |m| {
            Box::pin(async move {
                let shop = m.shop().await?;
                Ok(Race::of(["admin", "guest"].map(|role| change_role(shop.mia_mem, role))))
            })
        }),
        Pairing::new("self_leave / suspend_membership of one member", one, |m| {
            Box::pin(async move {
                let shop = m.shop().await?;
                Ok(Race::of([leave(shop.mia_mem), suspend_membership(shop.mia_mem)]))
            })
        }),
        Pairing::new("update_membership / change_role of one member", &[&[OK, OK], &[MEM_NOT_ACTIVE, OK]], |m| {
            Box::pin(async move {
                let shop = m.shop().await?;
                let update = call("update_membership", json!({"mem_id": shop.mia_mem.to_string(), "metadata": {"desk": 7}}));
                Ok(Race::of([update, change_role(shop.mia_mem, "guest")]))
            })
        }),
        Pairing::new("reinstate_membership / admin_remove of one member", &[&[OK, OK], &[INVALID_TRANSITION, OK]], |m| {
            Box::pin(async move {
                let shop = m.shop().await?;
                m.store.suspend_membership(SuspendMembership::new(shop.mia_mem)).await?;
                Ok(Race::of([reinstate_membership(shop.mia_mem), remove(shop.mia_mem, shop.ann)]))
            })
        }),
        Pairing::new("change_role / suspend_org", &[&[OK, OK], &[ORG_NOT_ACTIVE, OK]], |m| {
            Box::pin(async move {
                let shop = m.shop().await?;
                Ok(Race::of([change_role(shop.mia_mem, "admin"), on_org("suspend_org", shop.org)]))
            })
        }),
    ]
}
