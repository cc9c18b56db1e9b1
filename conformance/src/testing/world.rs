//! A small world to try operations in: one row of every kind and status that they tell apart.

use tenantry_core::{
    AddGroupMember, AddGroupRole, AddMember, CreateGroup, CreateInvitation, CreateOrg, CreateRole, CreateTuple, CreateUser,
    DeclineInvitation, DefinePermission, DomainError, Error, GroupId, InvitationId, InvitationInput, MembershipId, OrgId,
    PermissionDefinition, PreTuple, RoleId, SetMembershipOverride, SetOrgOverride, SuspendMembership, SuspendOrg, SuspendUser,
    TenancyStore, Timestamp, TupleId, UserId,
};

/// Ids of a world that [`World::build`] made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct World {
    /// A user with a row, owner of `org`.
    pub owner: UserId,
    /// A user with a row, admin of `org`.
    pub admin: UserId,
    /// A user without a row, member of `org`.
    pub member: UserId,
    /// A user with a row and no membership.
    pub outsider: UserId,
    /// A user with a suspended row and no membership.
    pub suspended_user: UserId,
    /// An active root with the slug `acme`; it has a child.
    pub org: OrgId,
    /// An active child of `org`, owned by `owner`.
    pub child: OrgId,
    /// Another one, for commands that take it elsewhere.
    pub branch: OrgId,
    /// A suspended root, owned by `owner`.
    pub suspended_org: OrgId,
    /// The owner's membership of `org`.
    pub owner_mem: MembershipId,
    /// The admin's.
    pub admin_mem: MembershipId,
    /// The member's.
    pub member_mem: MembershipId,
    /// A suspended membership of `org`, of a user without a row.
    pub suspended_mem: MembershipId,
    /// A membership of `org` with an end far ahead, of a user without a row.
    pub ending_mem: MembershipId,
    /// A pending invitation to `org` for [`World::IDENTIFIER`] as a member, which promises the relation `editor` on the document.
    pub pending_inv: InvitationId,
    /// A declined invitation to `org`, for another identifier.
    pub declined_inv: InvitationId,
    /// A pending invitation to the suspended organization, for [`World::IDENTIFIER`].
    pub paused_inv: InvitationId,
    /// That the member is `viewer` of the document, in the scope of `org`.
    pub scoped_tup: TupleId,
    /// That the document is `parent` of the folder, without a scope.
    pub open_tup: TupleId,
    /// A custom role of `org` with the slug [`World::ROLE`], which holds [`World::READ`].
    pub role: RoleId,
    /// A custom role of `org` that nothing uses, with the slug `spare`.
    pub spare_role: RoleId,
    /// A group of `org` with the slug `desk`: `member` is in it, and it holds `role`.
    pub group: GroupId,
}

impl World {
    /// The slug of the world's first organization.
    pub const SLUG: &'static str = "acme";
    /// Whom the pending invitations are for.
    pub const IDENTIFIER: &'static str = "anna@example.org";
    /// The document that tuples are about, of the type `doc`.
    pub const DOC: &'static str = "01960000-0000-7000-8000-00000000d0c1";
    /// The permission that `role` holds.
    pub const READ: &'static str = "doc.read";
    /// The permission that `org` denies its members, and that is granted to `member` all the same.
    pub const WRITE: &'static str = "doc.write";
    /// The slug of `role`.
    pub const ROLE: &'static str = "clerk";
    /// The folder, of the type `folder`.
    pub const FOLDER: &'static str = "01960000-0000-7000-8000-00000000f01d";

    /// Makes the world in an empty store.
    ///
    /// # Errors
    /// Whatever the store says; it says nothing if it works.
    pub async fn build(store: &dyn TenancyStore) -> Result<Self, Error> {
        let user = async |name: &str| store.create_user(CreateUser::new().display_name(name)).await.map(|created| created.user.id);
        let (owner, admin, outsider, suspended_user) = (user("Olga").await?, user("Adam").await?, user("Otto").await?, user("Susi").await?);
        store.suspend_user(SuspendUser::new(suspended_user)).await?;
        let (member, paused, ending) = (external(1)?, external(2)?, external(3)?);

        let created = store.create_org(CreateOrg::new(owner).name("Acme Inc.").slug(Self::SLUG)).await?;
        let org = created.org.id;
        let child = store.create_org(CreateOrg::new(owner).name("Child").parent(org)).await?.org.id;
        let branch = store.create_org(CreateOrg::new(owner).name("Branch").parent(org)).await?.org.id;
        let suspended_org = store.create_org(CreateOrg::new(owner).slug("paused")).await?.org.id;

        let join = async |usr, role: &str| store.add_member(AddMember::new(org, usr, role)).await.map(|mem| mem.id);
        let (admin_mem, member_mem, suspended_mem) =
            (join(admin, "admin").await?, join(member, "member").await?, join(paused, "guest").await?);
        store.suspend_membership(SuspendMembership::new(suspended_mem)).await?;
        let ending_mem = store.add_member(AddMember::new(org, ending, "viewer").expires_at(Timestamp::MAX)).await?.id;

        let invite = async |org, identifier: &str, promises| {
            let invitation = InvitationInput::new(identifier, "member", Timestamp::MAX).pre_tuples(promises);
            store.create_invitation(CreateInvitation::new(org, owner, invitation)).await.map(|inv| inv.id)
        };
        let pending_inv = invite(org, Self::IDENTIFIER, vec![PreTuple::new("editor", "doc", Self::DOC)]).await?;
        let declined_inv = invite(org, "dora@example.org", Vec::new()).await?;
        store.decline_invitation(DeclineInvitation::new(declined_inv)).await?;
        let paused_inv = invite(suspended_org, Self::IDENTIFIER, Vec::new()).await?;
        store.suspend_org(SuspendOrg::new(suspended_org)).await?;

        let (doc, folder) = (("doc", Self::DOC), ("folder", Self::FOLDER));
        let scoped = CreateTuple::new(("usr", &member.to_string()), "viewer", doc).scope(org);
        let scoped_tup = store.create_tuple(scoped).await?.id;
        let open_tup = store.create_tuple(CreateTuple::new(doc, "parent", folder)).await?.id;

        for slug in [Self::READ, Self::WRITE] {
            store.define_permission(DefinePermission::new(PermissionDefinition::new(slug))).await?;
        }
        let role = store.create_role(CreateRole::new(org, Self::ROLE).permissions([Self::READ])).await?.id;
        let spare_role = store.create_role(CreateRole::new(org, "spare")).await?.id;
        let group = store.create_group(CreateGroup::new(org, "desk")).await?.id;
        store.add_group_member(AddGroupMember::new(group, member)).await?;
        store.add_group_role(AddGroupRole::new(group, role)).await?;
        store.set_org_override(SetOrgOverride::deny(org, Self::WRITE)).await?;
        store.set_membership_override(SetMembershipOverride::grant(member_mem, Self::WRITE)).await?;
        Ok(Self {
            owner,
            admin,
            member,
            outsider,
            suspended_user,
            org,
            child,
            branch,
            suspended_org,
            owner_mem: created.owner_membership.id,
            admin_mem,
            member_mem,
            suspended_mem,
            ending_mem,
            pending_inv,
            declined_inv,
            paused_inv,
            scoped_tup,
            open_tup,
            role,
            spare_role,
            group,
        })
    }

    /// The id of the tuple that a membership is.
    pub fn derived(mem: MembershipId) -> String {
        mem.to_string().replacen("mem_", "tup_", 1)
    }
}

/// A user that has no row, with a fixed id.
fn external(number: u8) -> Result<UserId, Error> {
    let id = format!("usr_019600000000700080000000000000{number:02x}").parse();
    Ok(id.map_err(|error| DomainError::InvalidId { field: "usr_id", error })?)
}
