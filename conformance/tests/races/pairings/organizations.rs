//! Organizations: their tree, slugs, status and fields.

use tenantry_core::Dump;

use super::{HAS_CHILDREN, INVALID_TRANSITION, OK, ORG_NOT_ACTIVE, ORG_SLUG, Pairing, Race, TERMINAL, create_org, on_org};

pub(super) fn pairings() -> Vec<Pairing> {
    [tree(), slugs(), status()].into_iter().flatten().collect()
}

fn tree() -> Vec<Pairing> {
    vec![
        Pairing::new("create_org under a parent / revoke_org of the parent", &[&[OK, HAS_CHILDREN], &[ORG_NOT_ACTIVE, OK]], |m| {
            Box::pin(async move {
                let (org, _) = m.org(m.stranger(1)).await?;
                Ok(Race::of([create_org(m.stranger(2)).with("parent_id", org), on_org("revoke_org", org)]))
            })
        }),
        Pairing::new("create_org under a parent / suspend_org of the parent", &[&[OK, OK], &[ORG_NOT_ACTIVE, OK]], |m| {
            Box::pin(async move {
                let (org, _) = m.org(m.stranger(1)).await?;
                Ok(Race::of([create_org(m.stranger(2)).with("parent_id", org), on_org("suspend_org", org)]))
            })
        }),
        Pairing::new("create_org / create_org under one parent, by one creator", &[&[OK, OK]], |m| {
            Box::pin(async move {
                let (org, _) = m.org(m.stranger(1)).await?;
                let child = || create_org(m.stranger(2)).with("parent_id", org);
                Ok(Race::of([child(), child()]))
            })
        }),
        Pairing::new("revoke_org of a child / revoke_org of its parent", &[&[OK, OK], &[OK, HAS_CHILDREN]], |m| {
            Box::pin(async move {
                let (org, _) = m.org(m.stranger(1)).await?;
                let child = m.store.create_org(tenantry_core::CreateOrg::new(m.stranger(1)).parent(org)).await?.org.id;
                Ok(Race::of([on_org("revoke_org", child), on_org("revoke_org", org)]))
            })
        })
        .in_flight(),
    ]
}

fn slugs() -> Vec<Pairing> {
    let one: &[&[&str]] = &[&[OK, ORG_SLUG], &[ORG_SLUG, OK]];
    vec![
        Pairing::new("create_org / create_org with the same slug", one, |m| {
            Box::pin(async move {
                let create = |creator| create_org(m.stranger(creator)).with("slug", m.slug("same"));
                Ok(Race::of([create(1), create(2)]))
            })
        }),
        Pairing::new("create_org / update_org to the same slug", one, |m| {
            Box::pin(async move {
                let (org, _) = m.org(m.stranger(1)).await?;
                let slug = m.slug("same");
                Ok(Race::of([create_org(m.stranger(2)).with("slug", &slug), on_org("update_org", org).with("slug", &slug)]))
            })
        }),
        Pairing::new("update_org / update_org to the same slug", one, |m| {
            Box::pin(async move {
                let ((a, _), b) = (m.org(m.stranger(1)).await?, m.org_with_slug("old").await?);
                Ok(Race::of([a, b].map(|org| on_org("update_org", org).with("slug", m.slug("same")))))
            })
        }),
        Pairing::new("create_org / revoke_org of the slug's holder", &[&[OK, OK], &[ORG_SLUG, OK]], |m| {
            Box::pin(async move {
                let holder = m.org_with_slug("same").await?;
                Ok(Race::of([create_org(m.stranger(2)).with("slug", m.slug("same")), on_org("revoke_org", holder)]))
            })
        })
        .in_flight(),
        Pairing::new("update_org / update_org, the slug that the other gives up", &[&[OK, OK], &[ORG_SLUG, OK]], |m| {
            Box::pin(async move {
                let (a, b) = (m.org_with_slug("one").await?, m.org_with_slug("two").await?);
                let update = |org, slug| on_org("update_org", org).with("slug", m.slug(slug));
                Ok(Race::of([update(a, "two"), update(b, "three")]))
            })
        })
        .in_flight(),
        // Neither gives up what it has before it gets what the other one has.
        Pairing::new("update_org / update_org, each to the other's slug", &[&[ORG_SLUG, ORG_SLUG]], |m| {
            Box::pin(async move {
                let (a, b) = (m.org_with_slug("one").await?, m.org_with_slug("two").await?);
                let update = |org, slug| on_org("update_org", org).with("slug", m.slug(slug));
                Ok(Race::of([update(a, "two"), update(b, "one")]))
            })
        })
        .in_flight(),
    ]
}

fn status() -> Vec<Pairing> {
    let one: &[&[&str]] = &[&[OK, TERMINAL], &[TERMINAL, OK]];
    vec![
        Pairing::new("suspend_org / suspend_org", one, |m| {
            Box::pin(async move {
                let (org, _) = m.org(m.stranger(1)).await?;
                Ok(Race::of([on_org("suspend_org", org), on_org("suspend_org", org)]))
            })
        }),
        Pairing::new("revoke_org / revoke_org", one, |m| {
            Box::pin(async move {
                let (org, _) = m.org(m.stranger(1)).await?;
                Ok(Race::of([on_org("revoke_org", org), on_org("revoke_org", org)]))
            })
        }),
        Pairing::new("suspend_org / revoke_org", &[&[OK, OK], &[TERMINAL, OK]], |m| {
            Box::pin(async move {
                let (org, _) = m.org(m.stranger(1)).await?;
                Ok(Race::of([on_org("suspend_org", org), on_org("revoke_org", org)]))
            })
        }),
        Pairing::new("suspend_org / reinstate_org", &[&[OK, OK], &[OK, INVALID_TRANSITION]], |m| {
            Box::pin(async move {
                let (org, _) = m.org(m.stranger(1)).await?;
                Ok(Race::of([on_org("suspend_org", org), on_org("reinstate_org", org)]))
            })
        })
        .in_flight(),
        // Each sets one field; neither may put back what the other one has set.
        Pairing::new("update_org / update_org of another field", &[&[OK, OK]], |m| {
            Box::pin(async move {
                let (org, _) = m.org(m.stranger(1)).await?;
                let race =
                    Race::of([on_org("update_org", org).with("name", "Acme"), on_org("update_org", org).with("external_id", "crm-7")]);
                Ok(race.settled(move |rows: &Dump| {
                    let row = rows.organizations.iter().find(|row| row.id == org);
                    let fields =
                        row.map(|row| (row.name.as_ref().map(ToString::to_string), row.external_id.as_ref().map(ToString::to_string)));
                    let kept = fields == Some((Some("Acme".to_owned()), Some("crm-7".to_owned())));
                    (!kept).then(|| format!("an update is lost: {row:?}"))
                }))
            })
        }),
    ]
}
