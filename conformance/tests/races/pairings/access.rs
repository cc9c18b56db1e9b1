//! Roles, groups, overrides and moves.

use serde_json::json;
use tenantry_core::{
    AddGroupMember, CreateGroup, CreateOrg, CreateRole, DefinePermission, Dump, Error, GroupId, OrgId, PermissionDefinition, RoleId,
    SeedSystemRoles, SetMembershipOverride, UserId,
};

use super::{
    MEM_NOT_ACTIVE, MEMBERSHIP_RELATION, NOT_A_MEMBER, NOT_FOUND, OK, Pairing, ROLE_IN_USE, ROLE_SLUG, Race, call, create_org, on_org,
};
use crate::worlds::Maker;

const CYCLE: &str = "conflict.cycle";
const GROUP_SLUG: &str = "conflict.group_slug";
const ROLE_BINDING: &str = "precondition.role_binding";
const UNKNOWN_ROLE: &str = "precondition.unknown_role";

pub(super) fn pairings() -> Vec<Pairing> {
    // The first call of these is decided by what is held below.
    let of_below = roles().into_iter().chain(moves()).map(Pairing::read_committed);
    of_below.chain(seeding()).chain(groups()).collect()
}

async fn role(m: Maker<'_>, org: OrgId) -> Result<RoleId, Error> {
    Ok(m.store.create_role(CreateRole::new(org, "clerk")).await?.id)
}

async fn group(m: Maker<'_>, org: OrgId) -> Result<GroupId, Error> {
    Ok(m.store.create_group(CreateGroup::new(org, "desk")).await?.id)
}

/// Nobody is in a group of an organization where they are no member.
fn in_no_group(org: OrgId, usr: UserId) -> impl Fn(&Dump) -> Option<String> + 'static {
    move |rows| {
        let there = rows.group_members.iter().any(|row| (row.org_id, row.usr_id) == (org, usr));
        there.then(|| format!("{usr} left {org}, and is in a group of it"))
    }
}

fn roles() -> Vec<Pairing> {
    let one: &[&[&str]] = &[&[OK, ROLE_SLUG], &[ROLE_SLUG, OK]];
    vec![
        Pairing::new("create_role / create_role with the same slug", one, |m| {
            Box::pin(async move {
                let (org, _) = m.org(m.stranger(1)).await?;
                let create = || on_org("create_role", org).with("slug", "clerk");
                Ok(Race::of([create(), create()]))
            })
        }),
        Pairing::new("create_role / create_tuple with its slug for a relation", &[&[OK, MEMBERSHIP_RELATION], &[ROLE_SLUG, OK]], |m| {
            Box::pin(async move {
                let (org, _) = m.org(m.stranger(1)).await?;
                let tuple = json!({"subject_type": "usr", "subject_id": m.stranger(2).to_string(), "relation": "clerk",
                    "object_type": "org", "object_id": org.to_string()});
                Ok(Race::of([on_org("create_role", org).with("slug", "clerk"), call("create_tuple", tuple)]))
            })
        }),
        Pairing::new(
            "create_role / create_tuple with its slug for a relation, on an organization below",
            &[&[OK, MEMBERSHIP_RELATION], &[ROLE_SLUG, OK]],
            |m| {
                Box::pin(async move {
                    let (org, _) = m.org(m.stranger(1)).await?;
                    let child = m.store.create_org(CreateOrg::new(m.stranger(1)).parent(org)).await?.org.id;
                    let tuple = json!({"subject_type": "usr", "subject_id": m.stranger(2).to_string(), "relation": "clerk",
                        "object_type": "org", "object_id": child.to_string()});
                    Ok(Race::of([on_org("create_role", org).with("slug", "clerk"), call("create_tuple", tuple)]))
                })
            },
        ),
        Pairing::new("delete_role / add_member with it", &[&[OK, UNKNOWN_ROLE], &[ROLE_IN_USE, OK]], |m| {
            Box::pin(async move {
                let (org, _) = m.org(m.stranger(1)).await?;
                let role = role(m, org).await?;
                let join = json!({"org_id": org.to_string(), "usr_id": m.stranger(2).to_string(), "role": "clerk"});
                Ok(Race::of([call("delete_role", json!({"role_id": role.to_string()})), call("add_member", join)]))
            })
        }),
        Pairing::new("delete_role of the organization above / add_member with it below", &[&[OK, UNKNOWN_ROLE], &[ROLE_IN_USE, OK]], |m| {
            Box::pin(async move {
                let (org, _) = m.org(m.stranger(1)).await?;
                let child = m.store.create_org(CreateOrg::new(m.stranger(1)).parent(org)).await?.org.id;
                let role = role(m, org).await?;
                let join = json!({"org_id": child.to_string(), "usr_id": m.stranger(2).to_string(), "role": "clerk"});
                Ok(Race::of([call("delete_role", json!({"role_id": role.to_string()})), call("add_member", join)]))
            })
        }),
        Pairing::new("delete_role / add_group_role of it", &[&[OK, NOT_FOUND], &[ROLE_IN_USE, OK]], |m| {
            Box::pin(async move {
                let (org, _) = m.org(m.stranger(1)).await?;
                let (role, group) = (role(m, org).await?, group(m, org).await?);
                let give = json!({"group_id": group.to_string(), "role_id": role.to_string()});
                Ok(Race::of([call("delete_role", json!({"role_id": role.to_string()})), call("add_group_role", give)]))
            })
        }),
    ]
}

/// Roles of the system, which all rounds share, filled out of a catalog that grows: each call has something to do.
fn seeding() -> Vec<Pairing> {
    vec![
        Pairing::new("seed_role_permissions / seed_role_permissions of another role", &[&[OK, OK]], |m| {
            Box::pin(async move {
                m.store.seed_system_roles(SeedSystemRoles::new()).await?;
                let slug = format!("doc.{}", m.slug("x"));
                m.store.define_permission(DefinePermission::new(PermissionDefinition::new(&slug))).await?;
                let seed = |role: &str| call("seed_role_permissions", json!({"matrix": [{"role": role, "permissions": [slug]}]}));
                let race = Race::of([seed("guest"), seed("viewer")]);
                Ok(race.settled(move |rows: &Dump| {
                    let held = rows.grants.iter().filter(|row| row.permission.as_str() == slug).count();
                    (held != 2).then(|| format!("{held} roles are granted {slug}"))
                }))
            })
        }),
        Pairing::new("seed_role_permissions / define_permission that fits", &[&[OK, OK]], |m| {
            Box::pin(async move {
                m.store.seed_system_roles(SeedSystemRoles::new()).await?;
                let slug = format!("doc.{}", m.slug("x"));
                m.store.define_permission(DefinePermission::new(PermissionDefinition::new(&slug))).await?;
                let seed = json!({"matrix": [{"role": "guest", "permissions": [format!("{slug}*")]}]});
                let define = json!({"slug": format!("{slug}_more")});
                Ok(Race::of([call("seed_role_permissions", seed), call("define_permission", define)]))
            })
        }),
    ]
}

fn moves() -> Vec<Pairing> {
    vec![
        Pairing::new("move_org / create_org below what moves", &[&[OK, OK]], |m| {
            Box::pin(async move {
                let (org, _) = m.org(m.stranger(1)).await?;
                let child = m.store.create_org(CreateOrg::new(m.stranger(1)).parent(org)).await?.org.id;
                Ok(Race::of([on_org("move_org", child), create_org(m.stranger(2)).with("parent_id", child)]))
            })
        }),
        Pairing::new("move_org / move_org, each below the other", &[&[OK, CYCLE], &[CYCLE, OK]], |m| {
            Box::pin(async move {
                let ((one, _), (other, _)) = (m.org(m.stranger(1)).await?, m.org(m.stranger(1)).await?);
                let moved = |org, to| on_org("move_org", org).with("new_parent_id", to);
                Ok(Race::of([moved(one, other), moved(other, one)]))
            })
        }),
        Pairing::new("move_org / add_member with a role from above", &[&[OK, UNKNOWN_ROLE], &[ROLE_BINDING, OK]], |m| {
            Box::pin(async move {
                let (org, _) = m.org(m.stranger(1)).await?;
                let child = m.store.create_org(CreateOrg::new(m.stranger(1)).parent(org)).await?.org.id;
                role(m, org).await?;
                let join = json!({"org_id": child.to_string(), "usr_id": m.stranger(2).to_string(), "role": "clerk"});
                Ok(Race::of([on_org("move_org", child), call("add_member", join)]))
            })
        }),
    ]
}

fn groups() -> Vec<Pairing> {
    vec![
        Pairing::new("create_group / create_group with the same slug", &[&[OK, GROUP_SLUG], &[GROUP_SLUG, OK]], |m| {
            Box::pin(async move {
                let (org, _) = m.org(m.stranger(1)).await?;
                let create = || on_org("create_group", org).with("slug", "desk");
                Ok(Race::of([create(), create()]))
            })
        }),
        Pairing::new("add_group_member / self_leave of the same user", &[&[OK, OK], &[NOT_A_MEMBER, OK]], |m| {
            Box::pin(async move {
                let firm = m.firm().await?;
                let group = group(m, firm.org).await?;
                let join = json!({"group_id": group.to_string(), "usr_id": firm.mia.to_string()});
                let leave = json!({"mem_id": firm.mia_mem.to_string()});
                let race = Race::of([call("add_group_member", join), call("self_leave", leave)]);
                Ok(race.settled(in_no_group(firm.org, firm.mia)))
            })
        }),
        Pairing::new("delete_group / add_group_member", &[&[OK, NOT_FOUND], &[OK, OK]], |m| {
            Box::pin(async move {
                let firm = m.firm().await?;
                let group = group(m, firm.org).await?;
                let join = json!({"group_id": group.to_string(), "usr_id": firm.mia.to_string()});
                let race = Race::of([call("delete_group", json!({"group_id": group.to_string()})), call("add_group_member", join)]);
                Ok(race.settled(in_no_group(firm.org, firm.mia)))
            })
        }),
        Pairing::new("remove_group_member / change_role of the same user", &[&[OK, OK]], |m| {
            Box::pin(async move {
                let firm = m.firm().await?;
                let group = group(m, firm.org).await?;
                m.store.add_group_member(AddGroupMember::new(group, firm.mia)).await?;
                let leave = json!({"group_id": group.to_string(), "usr_id": firm.mia.to_string()});
                let change = json!({"mem_id": firm.mia_mem.to_string(), "new_role": "guest"});
                let race = Race::of([call("remove_group_member", leave), call("change_role", change)]);
                Ok(race.settled(in_no_group(firm.org, firm.mia)))
            })
        }),
        // Whatever comes first, the membership in force has one denial or none, as the calls said.
        Pairing::new("set_membership_override to clear / change_role", &[&[OK, OK], &[MEM_NOT_ACTIVE, OK]], |m| {
            Box::pin(async move {
                let firm = m.firm().await?;
                let slug = format!("doc.{}", m.slug("x"));
                m.store.define_permission(DefinePermission::new(PermissionDefinition::new(&slug))).await?;
                m.store.set_membership_override(SetMembershipOverride::deny(firm.mia_mem, &slug)).await?;
                let clear = json!({"mem_id": firm.mia_mem.to_string(), "permission": slug, "effect": "clear"});
                let change = json!({"mem_id": firm.mia_mem.to_string(), "new_role": "guest"});
                Ok(Race::of([call("set_membership_override", clear), call("change_role", change)]))
            })
        }),
    ]
}
