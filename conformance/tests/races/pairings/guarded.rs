//! A guarded caller whose right ends while the command is under way: the command comes before that, or is refused.

use super::{
    FORBIDDEN, FROM_NOT_ACTIVE, NOT_FOUND, OK, Pairing, Race, USER_NOT_ACTIVE, accept, add_member, change_role, create_invitation,
    create_tuple, leave, on_org, on_user, remove, suspend_membership, transfer,
};
use crate::arena::Call;
use crate::worlds::Firm;

/// An admin's command against what ends the admin's right.
fn ends(name: &str, refused: &'static str, end: impl Fn(&Firm) -> Call + Copy + Send + Sync + 'static) -> Vec<Pairing> {
    let allowed: &[&[&'static str]] = &[&[OK, OK], &[refused, OK]];
    vec![
        Pairing::new(format!("add_member by an admin / {name}"), allowed, move |m| {
            Box::pin(async move {
                let firm = m.firm_with_rows().await?;
                Ok(Race::of([add_member(firm.org, m.stranger(2), "member").by(firm.adam), end(&firm)]))
            })
        }),
        Pairing::new(format!("create_tuple in a scope by an admin / {name}"), allowed, move |m| {
            Box::pin(async move {
                let firm = m.firm_with_rows().await?;
                let create = create_tuple(&m, ("usr", &firm.mia.to_string())).with("org_id", firm.org);
                Ok(Race::of([create.by(firm.adam), end(&firm)]))
            })
        })
        .read_committed(),
    ]
}

pub(super) fn pairings() -> Vec<Pairing> {
    let rights = [
        ends("change_role of the admin to guest", FORBIDDEN, |firm| change_role(firm.adam_mem, "guest")),
        ends("suspend_membership of the admin", NOT_FOUND, |firm| suspend_membership(firm.adam_mem)),
        ends("admin_remove of the admin", NOT_FOUND, |firm| remove(firm.adam_mem, firm.ann)),
        ends("self_leave of the admin", NOT_FOUND, |firm| leave(firm.adam_mem)),
        ends("suspend_user of the admin", NOT_FOUND, |firm| on_user("suspend_user", firm.adam)),
        ends("revoke_user of the admin", NOT_FOUND, |firm| on_user("revoke_user", firm.adam)),
        ends("suspend_org", NOT_FOUND, |firm| on_org("suspend_org", firm.org)),
    ];
    rights.into_iter().flatten().chain(others()).collect()
}

fn others() -> Vec<Pairing> {
    vec![
        Pairing::new("create_invitation by an admin / change_role of the admin to guest", &[&[OK, OK], &[FORBIDDEN, OK]], |m| {
            Box::pin(async move {
                let firm = m.firm_with_rows().await?;
                let invite = create_invitation(&m, "one", firm.org).with("invited_by", firm.adam).by(firm.adam);
                Ok(Race::of([invite, change_role(firm.adam_mem, "guest")]))
            })
        }),
        Pairing::new("revoke_org by its owner / transfer_ownership by the same", &[&[OK, FROM_NOT_ACTIVE], &[FORBIDDEN, OK]], |m| {
            Box::pin(async move {
                let shop = m.shop().await?;
                Ok(Race::of([on_org("revoke_org", shop.org).by(shop.ann), transfer(shop.org, shop.ann_mem, shop.mia_mem)]))
            })
        }),
        Pairing::new("change_role by an admin / suspend_membership of the admin", &[&[OK, OK], &[NOT_FOUND, OK]], |m| {
            Box::pin(async move {
                let firm = m.firm_with_rows().await?;
                Ok(Race::of([change_role(firm.mia_mem, "guest").by(firm.adam), suspend_membership(firm.adam_mem)]))
            })
        }),
        Pairing::new("accept_invitation by a user / suspend_user", &[&[OK, OK], &[USER_NOT_ACTIVE, OK]], |m| {
            Box::pin(async move {
                let (shop, late) = (m.shop().await?, m.row().await?);
                let inv = m.invite(shop.org, "late", "member", m.someday()).await?;
                Ok(Race::of([accept(&m, "late", inv, late).by(late), on_user("suspend_user", late)]))
            })
        }),
    ]
}
