//! What is asked about permissions, put into a filled store by the store's own operations: the same in every store.

use anyhow::{Context, Result, ensure};
use tenantry_core::{
    AddGroupMember, AddGroupRole, AddMember, CreateGroup, CreateOrg, CreateRole, GrantRolePermissions, MembershipId, MoveOrg, OrgId,
    PermissionDefinition, Role, SeedSystemRoles, SetMembershipOverride, SetOrgOverride, SyncCatalog, TenancyStore, UserId,
};

use crate::world::{self, Chance, World};

/// How many permissions the catalog has, all of which the lord holds.
pub const CATALOG: u32 = 5000;

/// How many of them an owner of an organization holds, and every other role here.
pub const HELD: u32 = 20;

/// The one that is asked about: everybody who is asked about holds it.
pub const PERMISSION: &str = "invoices.send";

/// Levels of the deep tree.
pub const LEVELS: u32 = 10;

/// A user and an organization.
pub type Pair = (UserId, OrgId);

/// Who is asked about, beside the owners of all the organizations.
#[derive(Debug, Clone)]
pub struct Scene {
    /// A member of an organization without any above it, by a role of its own.
    pub shallow: Pair,
    /// A member of an organization at the tenth level, by the same kind of role of the root.
    pub deep: Pair,
    /// A member at the third level, where organizations grant and deny, and who is in a group and has overrides.
    pub rich: Pair,
    /// Who holds everything.
    pub lord: Pair,
}

/// The permission with this number; the first is the one that is asked about.
pub fn permission(n: u32) -> String {
    if n == 0 { PERMISSION.to_owned() } else { format!("resource-{}.action-{}", n / 20, n % 20) }
}

/// The first of the permissions.
pub fn some(count: u32) -> Vec<String> {
    (0..count).map(permission).collect()
}

/// Makes the catalog, the grants of owners, and the scene.
///
/// # Errors
/// What the store refused.
pub async fn furnish(store: &dyn TenancyStore, world: World) -> Result<Scene> {
    grants(store).await?;
    let scene = Scene {
        shallow: branch(store, 1).await?.0,
        deep: branch(store, LEVELS).await?.0,
        rich: rich(store).await?,
        lord: lord(store).await?,
    };
    let Scene { shallow, deep, rich, lord } = &scene;
    let owner = (world::user_id(0)?, world::org_id(0)?);
    for (usr, org) in [shallow, deep, rich, lord, &owner] {
        ensure!(store.has_permission(*usr, *org, PERMISSION).await?, "{usr} does not hold {PERMISSION}");
    }
    ensure!(!store.has_permission(world::user_id(0)?, world.crowd()?, &permission(HELD)).await?, "everybody holds everything");
    Ok(scene)
}

/// Makes the catalog, and lets owners do some of it.
///
/// # Errors
/// What the store refused.
pub async fn grants(store: &dyn TenancyStore) -> Result<()> {
    let definitions = some(CATALOG).into_iter().map(PermissionDefinition::new).collect();
    let synced = store.sync_catalog(SyncCatalog::new(definitions)).await?;
    ensure!(synced.created.len() == usize::try_from(CATALOG)?, "the catalog has other permissions than those that were synchronized");
    store.seed_system_roles(SeedSystemRoles::new()).await?;
    store.grant_role_permissions(GrantRolePermissions::new(Role::Owner.id(), some(HELD))).await?;
    Ok(())
}

/// A tree of one branch with so many levels, and a member of the last one by a role of the first; and the first.
async fn branch(store: &dyn TenancyStore, levels: u32) -> Result<(Pair, OrgId)> {
    let mut chance = Chance::begin();
    let (owner, usr) = (world::user_id(0)?, chance.fresh_user()?);
    let root = store.create_org(CreateOrg::new(owner)).await?.org.id;
    let mut org = root;
    for _ in 1..levels {
        org = store.create_org(CreateOrg::new(owner).parent(org)).await?.org.id;
    }
    store.create_role(CreateRole::new(root, "clerk").permissions(some(HELD))).await?;
    store.add_member(AddMember::new(org, usr, "clerk")).await?;
    Ok(((usr, org), root))
}

async fn rich(store: &dyn TenancyStore) -> Result<Pair> {
    let ((usr, org), root) = branch(store, 3).await?;
    for n in 1..4 {
        store.set_org_override(SetOrgOverride::grant(root, permission(HELD + n))).await?;
        store.set_org_override(SetOrgOverride::deny(org, permission(n))).await?;
    }
    let mem = store.get_membership_for(org, usr).await?.id;
    let role = store.create_role(CreateRole::new(org, "scribe").permissions(some(2 * HELD))).await?.id;
    let group = store.create_group(CreateGroup::new(org, "team")).await?.id;
    store.add_group_member(AddGroupMember::new(group, usr)).await?;
    store.add_group_role(AddGroupRole::new(group, role)).await?;
    store.set_membership_override(SetMembershipOverride::grant(mem, permission(1))).await?;
    store.set_membership_override(SetMembershipOverride::deny(mem, permission(4))).await?;
    Ok((usr, org))
}

async fn lord(store: &dyn TenancyStore) -> Result<Pair> {
    let mut chance = Chance::begin();
    let (owner, usr) = (world::user_id(0)?, chance.fresh_user()?);
    let org = store.create_org(CreateOrg::new(owner)).await?.org.id;
    store.create_role(CreateRole::new(org, "lord").permissions(some(CATALOG))).await?;
    store.add_member(AddMember::new(org, usr, "lord")).await?;
    Ok((usr, org))
}

/// Two roots, and a tree of so many organizations below one of them, by imports: what is moved between the roots. Answers the roots and
/// the top of the tree.
///
/// # Errors
/// What the store refused.
pub async fn grove(store: &dyn TenancyStore, organizations: u32) -> Result<([OrgId; 2], OrgId)> {
    use tenantry_core::{Import, ImportMember, ImportOrg, ImportRow};

    let mut chance = Chance::begin();
    let owner = world::user_id(0)?;
    let mut rows = Vec::new();
    let mut add = |parent: Option<OrgId>| -> Result<OrgId> {
        let (org, mem) = (OrgId::from_uuid(chance.fresh())?, MembershipId::from_uuid(chance.fresh())?);
        let mut row = ImportOrg::new(org);
        row.parent_id = parent;
        rows.push(ImportRow::Org(row));
        rows.push(ImportRow::Member(ImportMember::new(mem, owner, org, "owner")));
        Ok(org)
    };
    let roots = [add(None)?, add(None)?];
    let top = add(Some(roots[0]))?;
    let mut tree = vec![top];
    // Four levels: each has up to 21 below it.
    for n in 1..organizations {
        let above = *tree.get(usize::try_from((n - 1) / 21)?).context("an organization above")?;
        tree.push(add(Some(above))?);
    }
    store.import(Import::new((1..).zip(rows).collect())).await?;
    let moved = store.move_org(MoveOrg::below(top, roots[1])).await?;
    ensure!(moved.parent_id == Some(roots[1]), "the tree was not moved");
    store.move_org(MoveOrg::below(top, roots[0])).await?;
    Ok((roots, top))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_store_can_be_furnished() {
        let (store, world) = (tenantry_memory::new(), World::new(3));
        tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
            crate::fill::memory::import(&store, world).await.unwrap();
            let scene = furnish(&store, world).await.unwrap();
            let (usr, org) = scene.lord;
            let held = tenantry_core::PermissionResolver::resolve_permissions(&store, usr, org).await.unwrap().permissions;
            assert_eq!(held.len(), usize::try_from(CATALOG).unwrap());
            let (usr, org) = scene.deep;
            let held = tenantry_core::PermissionResolver::resolve_permissions(&store, usr, org).await.unwrap();
            assert_eq!((held.permissions.len(), held.token.to_text().len() > 200), (usize::try_from(HELD).unwrap(), true));
            grove(&store, 500).await.unwrap();
        });
    }
}
