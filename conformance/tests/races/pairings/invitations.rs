//! An invitation comes to one end.

use serde_json::json;

use super::{
    DUPLICATE_INVITATION, DUPLICATE_MEMBERSHIP, NOT_PENDING, OK, ORG_NOT_ACTIVE, Pairing, Race, accept, call, create_invitation, extend,
    on_org,
};

/// So many accept at once.
const MANY: u128 = 8;

pub(super) fn pairings() -> Vec<Pairing> {
    [many(), ends(), places()].into_iter().flatten().collect()
}

fn many() -> Vec<Pairing> {
    let one: &[&str] = &[NOT_PENDING, NOT_PENDING, NOT_PENDING, NOT_PENDING, NOT_PENDING, NOT_PENDING, NOT_PENDING, OK];
    vec![
        Pairing::new("one invitation, accepted by eight", &[one], |m| {
            Box::pin(async move {
                let shop = m.shop().await?;
                let inv = m.invite(shop.org, "one", "member", m.someday()).await?;
                Ok(Race::of((0..MANY).map(|index| accept(&m, "one", inv, m.stranger(100 + index))).collect::<Vec<_>>()))
            })
        }),
        Pairing::new("one invitation, accepted by eight new users", &[one], |m| {
            Box::pin(async move {
                let shop = m.shop().await?;
                let inv = m.invite(shop.org, "one", "member", m.someday()).await?;
                Ok(Race::of((0..MANY).map(|_| call("accept_invitation", json!({"inv_id": inv.to_string()}))).collect::<Vec<_>>()))
            })
        }),
    ]
}

fn ends() -> Vec<Pairing> {
    let one: &[&[&str]] = &[&[OK, NOT_PENDING], &[NOT_PENDING, OK]];
    vec![
        Pairing::new("accept_invitation / revoke_invitation", one, |m| {
            Box::pin(async move {
                let shop = m.shop().await?;
                let inv = m.invite(shop.org, "one", "member", m.someday()).await?;
                let revoke = call("revoke_invitation", json!({"inv_id": inv.to_string(), "admin_usr_id": shop.ann.to_string()}));
                Ok(Race::of([accept(&m, "one", inv, m.stranger(2)), revoke]))
            })
        }),
        Pairing::new("accept_invitation / decline_invitation", one, |m| {
            Box::pin(async move {
                let shop = m.shop().await?;
                let inv = m.invite(shop.org, "one", "member", m.someday()).await?;
                let decline = call("decline_invitation", json!({"inv_id": inv.to_string()}));
                Ok(Race::of([accept(&m, "one", inv, m.stranger(2)), decline]))
            })
        }),
        Pairing::new("decline_invitation / revoke_invitation", one, |m| {
            Box::pin(async move {
                let shop = m.shop().await?;
                let inv = m.invite(shop.org, "one", "member", m.someday()).await?;
                let revoke = call("revoke_invitation", json!({"inv_id": inv.to_string(), "admin_usr_id": shop.ann.to_string()}));
                Ok(Race::of([call("decline_invitation", json!({"inv_id": inv.to_string()})), revoke]))
            })
        }),
        Pairing::new("accept_invitation / extend_invitation", &[&[OK, OK], &[OK, NOT_PENDING]], |m| {
            Box::pin(async move {
                let shop = m.shop().await?;
                let inv = m.invite(shop.org, "one", "member", m.someday()).await?;
                Ok(Race::of([accept(&m, "one", inv, m.stranger(2)), extend(&m, inv)]))
            })
        }),
        Pairing::new("revoke_invitation / extend_invitation", &[&[OK, OK], &[OK, NOT_PENDING]], |m| {
            Box::pin(async move {
                let shop = m.shop().await?;
                let inv = m.invite(shop.org, "one", "member", m.someday()).await?;
                let revoke = call("revoke_invitation", json!({"inv_id": inv.to_string(), "admin_usr_id": shop.ann.to_string()}));
                Ok(Race::of([revoke, extend(&m, inv)]))
            })
        }),
        Pairing::new("accept_invitation / suspend_org", &[&[OK, OK], &[ORG_NOT_ACTIVE, OK]], |m| {
            Box::pin(async move {
                let shop = m.shop().await?;
                let inv = m.invite(shop.org, "one", "member", m.someday()).await?;
                Ok(Race::of([accept(&m, "one", inv, m.stranger(2)), on_org("suspend_org", shop.org)]))
            })
        }),
        // With the organization its invitations are revoked.
        Pairing::new("accept_invitation / revoke_org", &[&[OK, OK], &[NOT_PENDING, OK]], |m| {
            Box::pin(async move {
                let shop = m.shop().await?;
                let inv = m.invite(shop.org, "one", "member", m.someday()).await?;
                Ok(Race::of([accept(&m, "one", inv, m.stranger(2)), on_org("revoke_org", shop.org)]))
            })
        }),
    ]
}

fn places() -> Vec<Pairing> {
    let one: &[&[&str]] = &[&[OK, DUPLICATE_INVITATION], &[DUPLICATE_INVITATION, OK]];
    vec![
        Pairing::new("two invitations, accepted by one user", &[&[OK, DUPLICATE_MEMBERSHIP], &[DUPLICATE_MEMBERSHIP, OK]], |m| {
            Box::pin(async move {
                let shop = m.shop().await?;
                let one = m.invite(shop.org, "one", "member", m.someday()).await?;
                let two = m.invite(shop.org, "two", "admin", m.someday()).await?;
                Ok(Race::of([accept(&m, "one", one, m.stranger(2)), accept(&m, "two", two, m.stranger(2))]))
            })
        }),
        Pairing::new("create_invitation / create_invitation for one identifier", one, |m| {
            Box::pin(async move {
                let shop = m.shop().await?;
                Ok(Race::of([create_invitation(&m, "one", shop.org), create_invitation(&m, "one", shop.org)]))
            })
        }),
        Pairing::new("create_invitation / create_invitation in the place of one that has expired", one, |m| {
            Box::pin(async move {
                let shop = m.shop().await?;
                m.invite(shop.org, "one", "member", m.soon()).await?;
                Ok(Race::of([create_invitation(&m, "one", shop.org), create_invitation(&m, "one", shop.org)]))
            })
        })
        .later(),
        Pairing::new("create_invitation / extend_invitation of one that has expired", one, |m| {
            Box::pin(async move {
                let shop = m.shop().await?;
                let inv = m.invite(shop.org, "one", "member", m.soon()).await?;
                Ok(Race::of([create_invitation(&m, "one", shop.org), extend(&m, inv)]))
            })
        })
        .later(),
        Pairing::new("create_invitation / revoke_org", &[&[OK, OK], &[ORG_NOT_ACTIVE, OK]], |m| {
            Box::pin(async move {
                let shop = m.shop().await?;
                Ok(Race::of([create_invitation(&m, "one", shop.org), on_org("revoke_org", shop.org)]))
            })
        }),
    ]
}
