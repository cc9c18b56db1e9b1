//! Stored tuples: one for each key and scope, and none behind the end of what it belongs to.

use tenantry_core::{CreateTuple, OrgId, TupleId};

use super::{
    DUPLICATE_TUPLE, FORBIDDEN, NOT_A_MEMBER, NOT_FOUND, OK, ORG_NOT_ACTIVE, Pairing, Race, create_tuple, delete_tuple, leave, on_org,
};
use crate::worlds::Maker;

pub(super) fn pairings() -> Vec<Pairing> {
    [keys(), scopes()].into_iter().flatten().collect()
}

const FOLDER: &str = "01960000-0000-7000-8000-00000000f01d";

/// Stores what [`create_tuple`] would.
async fn stored(m: &Maker<'_>, subject: (&str, &str), scope: Option<OrgId>) -> Result<TupleId, tenantry_core::Error> {
    let doc = m.doc();
    let request = CreateTuple::new(subject, "viewer", ("doc", &doc));
    m.tuple(scope.into_iter().fold(request, CreateTuple::scope)).await
}

fn keys() -> Vec<Pairing> {
    let one: &[&[&str]] = &[&[OK, DUPLICATE_TUPLE], &[DUPLICATE_TUPLE, OK]];
    let gone: &[&[&str]] = &[&[OK, NOT_FOUND], &[NOT_FOUND, OK]];
    vec![
        Pairing::new("create_tuple / create_tuple of one key", one, |m| {
            Box::pin(async move { Ok(Race::of([create_tuple(&m, ("folder", FOLDER)), create_tuple(&m, ("folder", FOLDER))])) })
        }),
        Pairing::new("create_tuple / create_tuple of one key in a scope", one, |m| {
            Box::pin(async move {
                let shop = m.shop().await?;
                let create = || create_tuple(&m, ("folder", FOLDER)).with("org_id", shop.org);
                Ok(Race::of([create(), create()]))
            })
        }),
        Pairing::new("create_tuple / create_tuple in the place of one that has expired", one, |m| {
            Box::pin(async move {
                let doc = m.doc();
                m.tuple(CreateTuple::new(("folder", FOLDER), "viewer", ("doc", &doc)).expires_at(m.soon())).await?;
                Ok(Race::of([create_tuple(&m, ("folder", FOLDER)), create_tuple(&m, ("folder", FOLDER))]))
            })
        })
        .later(),
        Pairing::new("delete_tuple / create_tuple of its key", &[&[OK, OK], &[OK, DUPLICATE_TUPLE]], |m| {
            Box::pin(async move {
                let tuple = stored(&m, ("folder", FOLDER), None).await?;
                Ok(Race::of([delete_tuple(tuple), create_tuple(&m, ("folder", FOLDER))]))
            })
        })
        .in_flight(),
        Pairing::new("delete_tuple / create_tuple of its key in a scope", &[&[OK, OK], &[OK, DUPLICATE_TUPLE]], |m| {
            Box::pin(async move {
                let shop = m.shop().await?;
                let tuple = stored(&m, ("folder", FOLDER), Some(shop.org)).await?;
                Ok(Race::of([delete_tuple(tuple), create_tuple(&m, ("folder", FOLDER)).with("org_id", shop.org)]))
            })
        })
        .in_flight(),
        Pairing::new("delete_tuple / delete_tuple", gone, |m| {
            Box::pin(async move {
                let tuple = stored(&m, ("folder", FOLDER), None).await?;
                Ok(Race::of([delete_tuple(tuple), delete_tuple(tuple)]))
            })
        }),
        Pairing::new("delete_tuple / delete_tuple in a scope", gone, |m| {
            Box::pin(async move {
                let shop = m.shop().await?;
                let tuple = stored(&m, ("folder", FOLDER), Some(shop.org)).await?;
                Ok(Race::of([delete_tuple(tuple), delete_tuple(tuple)]))
            })
        }),
    ]
}

fn scopes() -> Vec<Pairing> {
    vec![
        // What a member is given goes with the member.
        Pairing::new("create_tuple in a scope / self_leave of its subject", &[&[OK, OK], &[NOT_A_MEMBER, OK]], |m| {
            Box::pin(async move {
                let shop = m.shop().await?;
                let create = create_tuple(&m, ("usr", &shop.mia.to_string())).with("org_id", shop.org);
                Ok(Race::of([create, leave(shop.mia_mem)]))
            })
        }),
        Pairing::new("delete_tuple in a scope / self_leave of its subject", &[&[OK, OK], &[NOT_FOUND, OK]], |m| {
            Box::pin(async move {
                let shop = m.shop().await?;
                let tuple = stored(&m, ("usr", &shop.mia.to_string()), Some(shop.org)).await?;
                Ok(Race::of([delete_tuple(tuple), leave(shop.mia_mem)]))
            })
        }),
        Pairing::new("create_tuple in a scope / suspend_org", &[&[OK, OK], &[ORG_NOT_ACTIVE, OK]], |m| {
            Box::pin(async move {
                let shop = m.shop().await?;
                Ok(Race::of([create_tuple(&m, ("folder", FOLDER)).with("org_id", shop.org), on_org("suspend_org", shop.org)]))
            })
        }),
        Pairing::new("create_tuple in a scope / revoke_org", &[&[OK, OK], &[ORG_NOT_ACTIVE, OK]], |m| {
            Box::pin(async move {
                let shop = m.shop().await?;
                Ok(Race::of([create_tuple(&m, ("folder", FOLDER)).with("org_id", shop.org), on_org("revoke_org", shop.org)]))
            })
        }),
        // Both take the tuple away, and it is in the scope of one and on the other.
        Pairing::new("revoke_org of the object / self_leave in the scope", &[&[OK, OK]], |m| {
            Box::pin(async move {
                let (on, scope) = (m.shop().await?, m.shop().await?);
                let (subject, object) = (scope.mia.to_string(), on.org.to_string());
                m.tuple(CreateTuple::new(("usr", &subject), "billing", ("org", &object)).scope(scope.org)).await?;
                Ok(Race::of([on_org("revoke_org", on.org), leave(scope.mia_mem)]))
            })
        }),
        // An object without a tuple is in everybody's scope until the first one is granted.
        Pairing::new("create_tuple / create_tuple, two admins claim one object", &[&[OK, FORBIDDEN], &[FORBIDDEN, OK]], |m| {
            Box::pin(async move {
                let (one, two) = (m.shop().await?, m.shop().await?);
                let claims = [one, two].map(|shop| create_tuple(&m, ("folder", FOLDER)).with("org_id", shop.org).by(shop.ann));
                Ok(Race::of(claims))
            })
        })
        .read_committed(),
    ]
}
