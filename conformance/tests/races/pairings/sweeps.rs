//! A sweep clears away what has expired, while somebody needs it or its place. It looks everywhere: one world at a time.

use serde_json::json;
use tenantry_core::CreateTuple;

use super::{EXPIRED, NOTHING, OK, Pairing, Race, SWEPT, accept, call, create_invitation, create_tuple, extend, on_org};
use crate::arena::Call;

fn sweep() -> Call {
    call("sweep", json!({}))
}

const FOLDER: &str = "01960000-0000-7000-8000-00000000f01d";

pub(super) fn pairings() -> Vec<Pairing> {
    let once: &[&[&str]] = &[&[SWEPT, OK], &[NOTHING, OK]];
    let pairings = [
        Pairing::new("sweep / sweep", &[&[SWEPT, NOTHING], &[NOTHING, SWEPT]], |m| {
            Box::pin(async move {
                let shop = m.shop().await?;
                m.invite(shop.org, "late", "member", m.soon()).await?;
                Ok(Race::of([sweep(), sweep()]))
            })
        }),
        Pairing::new("sweep / extend_invitation", once, |m| {
            Box::pin(async move {
                let shop = m.shop().await?;
                let inv = m.invite(shop.org, "late", "member", m.soon()).await?;
                Ok(Race::of([sweep(), extend(&m, inv)]))
            })
        }),
        Pairing::new("sweep / create_invitation in the place", once, |m| {
            Box::pin(async move {
                let shop = m.shop().await?;
                m.invite(shop.org, "late", "member", m.soon()).await?;
                Ok(Race::of([sweep(), create_invitation(&m, "late", shop.org)]))
            })
        }),
        Pairing::new("sweep / accept_invitation", &[&[SWEPT, EXPIRED]], |m| {
            Box::pin(async move {
                let shop = m.shop().await?;
                let inv = m.invite(shop.org, "late", "member", m.soon()).await?;
                Ok(Race::of([sweep(), accept(&m, "late", inv, m.stranger(2))]))
            })
        })
        .in_flight(),
        Pairing::new("sweep / create_tuple in the place", once, |m| {
            Box::pin(async move {
                let doc = m.doc();
                m.tuple(CreateTuple::new(("folder", FOLDER), "viewer", ("doc", &doc)).expires_at(m.soon())).await?;
                Ok(Race::of([sweep(), create_tuple(&m, ("folder", FOLDER))]))
            })
        }),
        // An invitation that has expired outlasts its organization; a tuple in its scope does not.
        Pairing::new("sweep / revoke_org, over an invitation", &[&[SWEPT, OK]], |m| {
            Box::pin(async move {
                let shop = m.shop().await?;
                m.invite(shop.org, "late", "member", m.soon()).await?;
                Ok(Race::of([sweep(), on_org("revoke_org", shop.org)]))
            })
        }),
        Pairing::new("sweep / revoke_org, over a tuple in its scope", once, |m| {
            Box::pin(async move {
                let (shop, doc) = (m.shop().await?, m.doc());
                let request = CreateTuple::new(("folder", FOLDER), "viewer", ("doc", &doc)).scope(shop.org);
                m.tuple(request.expires_at(m.soon())).await?;
                Ok(Race::of([sweep(), on_org("revoke_org", shop.org)]))
            })
        }),
    ];
    pairings.into_iter().map(|pairing| pairing.later().alone()).collect()
}
