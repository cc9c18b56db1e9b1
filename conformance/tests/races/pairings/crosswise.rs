//! Transactions of the caller that want the same rows in opposite orders, so that each may have what the other one waits for. The server
//! then gives up one of them, which is run again: the callers see nothing but that.

use tenantry_core::{AddMember, Dump};

use super::{OK, Pairing, Race, SOLE_OWNER, leave, on_org};

pub(super) fn pairings() -> Vec<Pairing> {
    vec![
        Pairing::new("two update_org / two update_org, crosswise", &[&[OK, OK]], |m| {
            Box::pin(async move {
                let (a, b) = (m.org(m.stranger(1)).await?.0, m.org(m.stranger(1)).await?.0);
                let named = |org| on_org("update_org", org).with("name", "Acme");
                let known = |org| on_org("update_org", org).with("external_id", "crm-7");
                let race = Race::of([named(a).then(named(b)), known(b).then(known(a))]);
                Ok(race.settled(move |rows: &Dump| {
                    let kept =
                        |row: &&tenantry_core::Organization| [a, b].contains(&row.id) && row.name.is_some() && row.external_id.is_some();
                    (rows.organizations.iter().filter(kept).count() != 2).then(|| "an update is lost".to_owned())
                }))
            })
        }),
        // Whoever comes second stays in both.
        Pairing::new("two owners leave two organizations, crosswise", &[&[OK, SOLE_OWNER], &[SOLE_OWNER, OK]], |m| {
            Box::pin(async move {
                let (ann, bob) = (m.stranger(1), m.stranger(2));
                let mut members = Vec::new();
                for _ in 0..2 {
                    let (org, ann_mem) = m.org(ann).await?;
                    members.push((ann_mem, m.store.add_member(AddMember::new(org, bob, "owner")).await?.id));
                }
                let [(ann_a, bob_a), (ann_b, bob_b)] = [members[0], members[1]];
                Ok(Race::of([leave(ann_a).then(leave(ann_b)), leave(bob_b).then(leave(bob_a))]))
            })
        }),
    ]
}
