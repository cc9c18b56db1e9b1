//! Whatever could leave an organization without an acting owner.

use tenantry_core::MembershipId;

use super::{
    FORBIDDEN, FROM_NOT_ACTIVE, FROM_NOT_OWNER, HIERARCHY, LEFT_WITHOUT, MEM_NOT_ACTIVE, NOT_FOUND, OK, Pairing, Race, SOLE_OWNER,
    TO_NOT_ACTIVE, USER_NOT_ACTIVE, accept, add_member, change_role, create_org, leave, on_org, on_user, reinstate_membership, remove,
    suspend_membership, transfer,
};
use crate::arena::Call;

/// How an owner goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Exit {
    Leave,
    Demote,
    Suspend,
}

impl Exit {
    const ALL: [Self; 3] = [Self::Leave, Self::Demote, Self::Suspend];

    const fn name(self) -> &'static str {
        match self {
            Self::Leave => "self_leave",
            Self::Demote => "change_role to member",
            Self::Suspend => "suspend_membership",
        }
    }

    fn call(self, mem: MembershipId) -> Call {
        match self {
            Self::Leave => leave(mem),
            Self::Demote => change_role(mem, "member"),
            Self::Suspend => suspend_membership(mem),
        }
    }
}

/// Exactly one goes.
pub(super) fn two_owners() -> Vec<Pairing> {
    let pairs = Exit::ALL.into_iter().flat_map(|one| Exit::ALL.map(|other| (one, other)));
    pairs
        .map(|(one, other)| {
            let name = format!("two owners: {} / {}", one.name(), other.name());
            Pairing::new(name, &[&[OK, SOLE_OWNER], &[SOLE_OWNER, OK]], move |m| {
                Box::pin(async move {
                    let firm = m.firm().await?;
                    Ok(Race::of([one.call(firm.ann_mem), other.call(firm.bob_mem)]))
                })
            })
        })
        .collect()
}

pub(super) fn others() -> Vec<Pairing> {
    let exits = Exit::ALL.into_iter().flat_map(|exit| [against_removal(exit), against_succession(exit), against_users(exit)]);
    exits.flatten().chain(removals()).chain(users()).chain(transfers()).collect()
}

/// An owner is removed by nobody, whoever else goes.
fn against_removal(exit: Exit) -> Vec<Pairing> {
    // Afterwards a suspended owner is an owner still; the row of one who left or was demoted is revoked.
    let goes: &[&[&str]] = if exit == Exit::Suspend { &[&[OK, HIERARCHY]] } else { &[&[OK, HIERARCHY], &[OK, MEM_NOT_ACTIVE]] };
    vec![
        Pairing::new(format!("{} / admin_remove of the other owner, by an admin", exit.name()), &[&[OK, HIERARCHY]], move |m| {
            Box::pin(async move {
                let firm = m.firm().await?;
                Ok(Race::of([exit.call(firm.ann_mem), remove(firm.bob_mem, firm.adam)]))
            })
        })
        .in_flight(),
        Pairing::new(format!("{} / admin_remove of the same, by the other owner", exit.name()), goes, move |m| {
            Box::pin(async move {
                let firm = m.firm().await?;
                Ok(Race::of([exit.call(firm.ann_mem), remove(firm.ann_mem, firm.bob)]))
            })
        })
        .in_flight(),
        Pairing::new(
            format!("{} / admin_remove of the other owner, by the one who goes", exit.name()),
            &[&[OK, HIERARCHY], &[OK, FORBIDDEN]],
            move |m| {
                Box::pin(async move {
                    let firm = m.firm().await?;
                    Ok(Race::of([exit.call(firm.ann_mem), remove(firm.bob_mem, firm.ann)]))
                })
            },
        )
        .in_flight(),
    ]
}

/// One owner goes while another one comes, or hands over.
fn against_succession(exit: Exit) -> Vec<Pairing> {
    let name = |what: &str| format!("{} / {what}", exit.name());
    vec![
        Pairing::new(name("transfer_ownership from the other owner to a member"), &[&[OK, OK]], move |m| {
            Box::pin(async move {
                let firm = m.firm().await?;
                Ok(Race::of([exit.call(firm.bob_mem), transfer(firm.org, firm.ann_mem, firm.mia_mem)]))
            })
        }),
        Pairing::new(name("transfer_ownership from the same to a member"), &[&[OK, FROM_NOT_ACTIVE], &[MEM_NOT_ACTIVE, OK]], move |m| {
            Box::pin(async move {
                let firm = m.firm().await?;
                Ok(Race::of([exit.call(firm.bob_mem), transfer(firm.org, firm.bob_mem, firm.mia_mem)]))
            })
        }),
        Pairing::new(name("transfer_ownership from the other owner to the same"), &[&[OK, TO_NOT_ACTIVE], &[SOLE_OWNER, OK]], move |m| {
            Box::pin(async move {
                let firm = m.firm().await?;
                Ok(Race::of([exit.call(firm.bob_mem), transfer(firm.org, firm.ann_mem, firm.bob_mem)]))
            })
        }),
        Pairing::new(name("change_role of a member to owner"), &[&[OK, OK], &[SOLE_OWNER, OK]], move |m| {
            Box::pin(async move {
                let shop = m.shop().await?;
                Ok(Race::of([exit.call(shop.ann_mem), change_role(shop.mia_mem, "owner")]))
            })
        })
        .in_flight(),
        Pairing::new(name("add_member as an owner"), &[&[OK, OK], &[SOLE_OWNER, OK]], move |m| {
            Box::pin(async move {
                let shop = m.shop().await?;
                Ok(Race::of([exit.call(shop.ann_mem), add_member(shop.org, m.stranger(2), "owner")]))
            })
        })
        .in_flight(),
        Pairing::new(name("reinstate_membership of the other owner"), &[&[OK, OK], &[SOLE_OWNER, OK]], move |m| {
            Box::pin(async move {
                let firm = m.firm().await?;
                m.store.suspend_membership(tenantry_core::SuspendMembership::new(firm.bob_mem)).await?;
                Ok(Race::of([exit.call(firm.ann_mem), reinstate_membership(firm.bob_mem)]))
            })
        })
        .in_flight(),
        Pairing::new(name("revoke_org"), &[&[OK, OK], &[MEM_NOT_ACTIVE, OK]], move |m| {
            Box::pin(async move {
                let firm = m.firm().await?;
                Ok(Race::of([exit.call(firm.ann_mem), on_org("revoke_org", firm.org)]))
            })
        }),
    ]
}

/// One owner goes while the user behind the other one changes.
fn against_users(exit: Exit) -> Vec<Pairing> {
    let name = |what: &str| format!("{} / {what}", exit.name());
    vec![
        Pairing::new(name("revoke_user of the other owner"), &[&[OK, SOLE_OWNER], &[SOLE_OWNER, OK]], move |m| {
            Box::pin(async move {
                let firm = m.firm_with_rows().await?;
                Ok(Race::of([exit.call(firm.bob_mem), on_user("revoke_user", firm.ann)]))
            })
        }),
        Pairing::new(name("suspend_user of the other owner"), &[&[OK, LEFT_WITHOUT], &[SOLE_OWNER, OK]], move |m| {
            Box::pin(async move {
                let firm = m.firm_with_rows().await?;
                Ok(Race::of([exit.call(firm.bob_mem), on_user("suspend_user", firm.ann)]))
            })
        })
        .emergency(),
        Pairing::new(name("reinstate_user of the other owner"), &[&[OK, OK], &[SOLE_OWNER, OK]], move |m| {
            Box::pin(async move {
                let firm = m.firm_with_rows().await?;
                m.suspend(firm.ann).await?;
                Ok(Race::of([exit.call(firm.bob_mem), on_user("reinstate_user", firm.ann)]))
            })
        })
        .in_flight(),
    ]
}

/// Removals among those who are no owners.
fn removals() -> Vec<Pairing> {
    vec![
        Pairing::new("admin_remove / change_role of the same to owner", &[&[OK, MEM_NOT_ACTIVE], &[MEM_NOT_ACTIVE, OK]], |m| {
            Box::pin(async move {
                let firm = m.firm().await?;
                Ok(Race::of([remove(firm.mia_mem, firm.adam), change_role(firm.mia_mem, "owner")]))
            })
        }),
        Pairing::new("admin_remove / admin_remove, two admins of each other", &[&[OK, FORBIDDEN], &[FORBIDDEN, OK]], |m| {
            Box::pin(async move {
                let firm = m.firm().await?;
                let (abe, abe_mem) = (m.stranger(2), m.join(firm.org, m.stranger(2), "admin").await?);
                Ok(Race::of([remove(abe_mem, firm.adam), remove(firm.adam_mem, abe)]))
            })
        }),
        Pairing::new("admin_remove / self_leave of the same", &[&[OK, MEM_NOT_ACTIVE], &[MEM_NOT_ACTIVE, OK]], |m| {
            Box::pin(async move {
                let firm = m.firm().await?;
                Ok(Race::of([remove(firm.mia_mem, firm.adam), leave(firm.mia_mem)]))
            })
        }),
        Pairing::new("admin_remove / self_leave of the remover", &[&[OK, OK], &[FORBIDDEN, OK]], |m| {
            Box::pin(async move {
                let firm = m.firm().await?;
                Ok(Race::of([remove(firm.mia_mem, firm.adam), leave(firm.adam_mem)]))
            })
        }),
    ]
}

/// Users whose rows change while they are, or become, owners.
fn users() -> Vec<Pairing> {
    vec![
        // Several rows to take for each of them.
        Pairing::new("revoke_user / revoke_user, owners of three organizations", &[&[OK, SOLE_OWNER], &[SOLE_OWNER, OK]], |m| {
            Box::pin(async move {
                let firm = m.firm_with_rows().await?;
                for (creator, other) in [(firm.ann, firm.bob), (firm.bob, firm.ann)] {
                    let (org, _) = m.org(creator).await?;
                    m.join(org, other, "owner").await?;
                }
                Ok(Race::of([on_user("revoke_user", firm.ann), on_user("revoke_user", firm.bob)]))
            })
        }),
        Pairing::new("revoke_user / suspend_user, two owners", &[&[OK, LEFT_WITHOUT], &[SOLE_OWNER, OK]], |m| {
            Box::pin(async move {
                let firm = m.firm_with_rows().await?;
                Ok(Race::of([on_user("revoke_user", firm.ann), on_user("suspend_user", firm.bob)]))
            })
        })
        .emergency(),
        Pairing::new("suspend_user / suspend_user, two owners", &[&[OK, LEFT_WITHOUT], &[LEFT_WITHOUT, OK]], |m| {
            Box::pin(async move {
                let firm = m.firm_with_rows().await?;
                Ok(Race::of([on_user("suspend_user", firm.ann), on_user("suspend_user", firm.bob)]))
            })
        })
        .emergency(),
        Pairing::new("revoke_user / transfer_ownership from the other owner", &[&[OK, USER_NOT_ACTIVE], &[SOLE_OWNER, OK]], |m| {
            Box::pin(async move {
                let firm = m.firm_with_rows().await?;
                Ok(Race::of([on_user("revoke_user", firm.ann), transfer(firm.org, firm.bob_mem, firm.ann_mem)]))
            })
        }),
        Pairing::new("suspend_user / transfer_ownership from the other owner", &[&[OK, USER_NOT_ACTIVE], &[LEFT_WITHOUT, OK]], |m| {
            Box::pin(async move {
                let firm = m.firm_with_rows().await?;
                Ok(Race::of([on_user("suspend_user", firm.ann), transfer(firm.org, firm.bob_mem, firm.ann_mem)]))
            })
        })
        .emergency(),
        Pairing::new("revoke_user / transfer_ownership to that member", &[&[OK, USER_NOT_ACTIVE], &[SOLE_OWNER, OK]], |m| {
            Box::pin(async move {
                let shop = m.shop().await?;
                Ok(Race::of([on_user("revoke_user", shop.mia), transfer(shop.org, shop.ann_mem, shop.mia_mem)]))
            })
        }),
        Pairing::new("revoke_user / self_leave with that successor", &[&[OK, USER_NOT_ACTIVE], &[SOLE_OWNER, OK]], |m| {
            Box::pin(async move {
                let shop = m.shop().await?;
                Ok(Race::of([on_user("revoke_user", shop.mia), leave(shop.ann_mem).with("transfer_to", shop.mia)]))
            })
        }),
        Pairing::new("revoke_user / change_role of that member to owner", &[&[OK, USER_NOT_ACTIVE], &[OK, OK]], |m| {
            Box::pin(async move {
                let shop = m.shop().await?;
                Ok(Race::of([on_user("revoke_user", shop.mia), change_role(shop.mia_mem, "owner")]))
            })
        }),
        Pairing::new("revoke_user / add_member as an owner", &[&[OK, USER_NOT_ACTIVE], &[OK, OK]], |m| {
            Box::pin(async move {
                let (shop, late) = (m.shop().await?, m.row().await?);
                Ok(Race::of([on_user("revoke_user", late), add_member(shop.org, late, "owner")]))
            })
        }),
        Pairing::new("revoke_user / accept_invitation as an owner", &[&[OK, USER_NOT_ACTIVE], &[OK, OK]], |m| {
            Box::pin(async move {
                let (shop, late) = (m.shop().await?, m.row().await?);
                let inv = m.invite(shop.org, "late", "owner", m.someday()).await?;
                Ok(Race::of([on_user("revoke_user", late), accept(&m, "late", inv, late)]))
            })
        }),
        Pairing::new("revoke_user / create_org", &[&[OK, USER_NOT_ACTIVE], &[SOLE_OWNER, OK]], |m| {
            Box::pin(async move {
                let creator = m.row().await?;
                Ok(Race::of([on_user("revoke_user", creator), create_org(creator)]))
            })
        }),
        Pairing::new("revoke_user of the sole owner / revoke_org", &[&[OK, OK], &[SOLE_OWNER, OK]], |m| {
            Box::pin(async move {
                let shop = m.shop().await?;
                Ok(Race::of([on_user("revoke_user", shop.ann), on_org("revoke_org", shop.org)]))
            })
        })
        .in_flight(),
        Pairing::new("revoke_user of one of two owners / revoke_org", &[&[OK, OK]], |m| {
            Box::pin(async move {
                let firm = m.firm_with_rows().await?;
                Ok(Race::of([on_user("revoke_user", firm.ann), on_org("revoke_org", firm.org)]))
            })
        }),
    ]
}

fn transfers() -> Vec<Pairing> {
    vec![
        Pairing::new("opposite transfers, two owners", &[&[OK, TO_NOT_ACTIVE], &[TO_NOT_ACTIVE, OK]], |m| {
            Box::pin(async move {
                let firm = m.firm().await?;
                Ok(Race::of([transfer(firm.org, firm.ann_mem, firm.bob_mem), transfer(firm.org, firm.bob_mem, firm.ann_mem)]))
            })
        }),
        Pairing::new("opposite transfers, an owner and a member", &[&[OK, FROM_NOT_OWNER], &[OK, FROM_NOT_ACTIVE]], |m| {
            Box::pin(async move {
                let shop = m.shop().await?;
                Ok(Race::of([transfer(shop.org, shop.ann_mem, shop.mia_mem), transfer(shop.org, shop.mia_mem, shop.ann_mem)]))
            })
        })
        .in_flight(),
        // Each relies on the user whom the other one changes: rows of users and of organizations, wanted crosswise.
        Pairing::new("opposite transfers in two organizations / by leaving", &[&[OK, OK]], |m| {
            Box::pin(async move {
                let shop = m.shop().await?;
                let (org, mia_mem) = m.org(shop.mia).await?;
                m.join(org, shop.ann, "member").await?;
                Ok(Race::of([leave(shop.ann_mem).with("transfer_to", shop.mia), leave(mia_mem).with("transfer_to", shop.ann)]))
            })
        })
        .in_flight(),
        Pairing::new("transfer_ownership / transfer_ownership to another member", &[&[OK, FROM_NOT_ACTIVE], &[FROM_NOT_ACTIVE, OK]], |m| {
            Box::pin(async move {
                let shop = m.shop().await?;
                let max = m.join(shop.org, m.stranger(2), "member").await?;
                Ok(Race::of([transfer(shop.org, shop.ann_mem, shop.mia_mem), transfer(shop.org, shop.ann_mem, max)]))
            })
        }),
        Pairing::new(
            "self_leave with a successor / transfer_ownership to another",
            &[&[OK, FROM_NOT_ACTIVE], &[MEM_NOT_ACTIVE, OK]],
            |m| {
                Box::pin(async move {
                    let shop = m.shop().await?;
                    let max = m.join(shop.org, m.stranger(2), "member").await?;
                    Ok(Race::of([leave(shop.ann_mem).with("transfer_to", shop.mia), transfer(shop.org, shop.ann_mem, max)]))
                })
            },
        ),
        Pairing::new("self_leave with a successor / self_leave of that successor", &[&[OK, MEM_NOT_ACTIVE], &[NOT_FOUND, OK]], |m| {
            Box::pin(async move {
                let shop = m.shop().await?;
                Ok(Race::of([leave(shop.ann_mem).with("transfer_to", shop.mia), leave(shop.mia_mem)]))
            })
        }),
        Pairing::new("transfer_ownership / revoke_org", &[&[OK, OK], &[FROM_NOT_ACTIVE, OK]], |m| {
            Box::pin(async move {
                let shop = m.shop().await?;
                Ok(Race::of([transfer(shop.org, shop.ann_mem, shop.mia_mem), on_org("revoke_org", shop.org)]))
            })
        }),
    ]
}
