//! The mutations that are held against floors, and what they need.

use anyhow::{Context, Result};
use tenantry_core::{
    AcceptInvitation, AddMember, ChangeRole, Clock, CreateInvitations, CreateOrg, Invitation, InvitationInput, Membership, MembershipId,
    PreTuple, Role, TenancyStore, UserId, source::SystemClock,
};

use crate::floor;
use crate::world::{self, Chance, World};

/// A mutation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Write {
    /// With a name and a slug, by a user with a row.
    CreateOrg,
    /// A user without a row.
    AddMember,
    /// From member to admin and back.
    ChangeRole,
    /// By a user without a row, with three tuples.
    Accept,
}

impl Write {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::CreateOrg, Self::AddMember, Self::ChangeRole, Self::Accept];

    /// As people say it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::CreateOrg => "create_org",
            Self::AddMember => "add_member",
            Self::ChangeRole => "change_role",
            Self::Accept => "accept_invitation, 3 pre_tuples",
        }
    }
}

/// A new organization with a name and a slug, for a user with a row.
///
/// # Errors
/// Never.
pub fn founding(chance: &mut Chance, world: World) -> Result<CreateOrg> {
    let (name, slug) = floor::names(chance);
    Ok(CreateOrg::new(world::user_id(chance.below(world.size()))?).name(name).slug(slug))
}

/// A new member of some organization.
///
/// # Errors
/// Never.
pub fn joining(chance: &mut Chance, world: World) -> Result<AddMember> {
    Ok(AddMember::new(world::org_id(chance.below(world.size()))?, chance.fresh_user()?, "member"))
}

/// Memberships whose roles change again and again.
#[derive(Debug)]
pub struct Rotating {
    members: Vec<Membership>,
    chance: Chance,
}

impl Rotating {
    /// Makes them.
    ///
    /// # Errors
    /// The store's.
    pub async fn new(store: &dyn TenancyStore, world: World) -> Result<Self> {
        const COUNT: usize = 100;
        let mut chance = Chance::begin();
        let mut members = Vec::with_capacity(COUNT);
        for _ in 0..COUNT {
            members.push(store.add_member(joining(&mut chance, world)?).await?);
        }
        Ok(Self { members, chance })
    }

    /// The next one, by its place.
    ///
    /// # Errors
    /// Never.
    pub fn pick(&mut self) -> Result<(usize, &Membership)> {
        let count = u32::try_from(self.members.len())?;
        let at = usize::try_from(self.chance.below(count))?;
        Ok((at, self.members.get(at).context("a membership to change")?))
    }

    /// Has another id and role from now on.
    pub fn replaced(&mut self, at: usize, by: MembershipId, role: Role) {
        if let Some(mem) = self.members.get_mut(at) {
            (mem.id, mem.role) = (by, role);
        }
    }

    /// The request for the next one.
    ///
    /// # Errors
    /// Never.
    pub fn request(&mut self) -> Result<(usize, ChangeRole)> {
        let (at, mem) = self.pick()?;
        Ok((at, ChangeRole::new(mem.id, floor::other(mem.role).slug())))
    }

    /// The floor's rows for the next one, which is taken to be replaced by them.
    ///
    /// # Errors
    /// Never.
    pub fn rows(&mut self) -> Result<floor::Rotation> {
        let mut chance = self.chance.clone();
        let (at, mem) = self.pick()?;
        let rows = floor::Rotation::new(&mut chance, mem)?;
        self.chance = chance;
        self.replaced(at, rows.new, rows.role);
        Ok(rows)
    }
}

/// So many invitations with three pre-tuples each, into one organization.
///
/// # Errors
/// The store's.
pub async fn invite(store: &dyn TenancyStore, chance: &mut Chance, world: World, count: usize) -> Result<Vec<Invitation>> {
    let n = chance.below(world.size());
    let (org, owner, end) = (world::org_id(n)?, world::user_id(n)?, SystemClock.now().plus_seconds(86_400));
    let mut one = || {
        let promise = |kind: &str, relation: &str, id: uuid::Uuid| PreTuple::new(relation, kind, id.to_string());
        let promises = vec![
            promise("proj", "editor", chance.fresh()),
            promise("doc", "viewer", chance.fresh()),
            promise("doc", "commenter", chance.fresh()),
        ];
        let whom = format!("{}@example.org", chance.fresh().simple());
        InvitationInput::new(whom, "member", end).pre_tuples(promises)
    };
    let rows = store.create_invitations(CreateInvitations::new(org, owner, (0..count).map(|_| one()).collect())).await?;
    Ok(rows.into_iter().map(|row| row.0).collect::<Result<_, _>>()?)
}

/// Invitations that wait to be accepted; made some at a time.
#[derive(Debug)]
pub struct Offers {
    waiting: Vec<Invitation>,
    chance: Chance,
    world: World,
}

impl Offers {
    /// None yet.
    pub fn new(world: World) -> Self {
        Self { waiting: Vec::new(), chance: Chance::begin(), world }
    }

    /// The next one, and who accepts it. Where none waits, some are made by `more`, in an organization that it takes by chance.
    ///
    /// # Errors
    /// What `more` failed with.
    pub fn next(&mut self, more: impl FnOnce(&mut Chance, World) -> Result<Vec<Invitation>>) -> Result<(Invitation, UserId)> {
        if self.waiting.is_empty() {
            self.waiting = more(&mut self.chance, self.world)?;
        }
        let inv = self.waiting.pop().context("an invitation to accept")?;
        Ok((inv, self.chance.fresh_user()?))
    }

    /// The floor's rows.
    ///
    /// # Errors
    /// Never.
    pub fn rows(&mut self, inv: &Invitation, usr: UserId) -> Result<floor::Acceptance> {
        floor::Acceptance::new(&mut self.chance, inv, usr)
    }
}

/// The request of a user who accepts.
pub fn acceptance(inv: &Invitation, usr: UserId) -> AcceptInvitation {
    AcceptInvitation::by(inv.id, usr, inv.identifier.as_str())
}

/// How many invitations are made at once.
pub const OFFERS: usize = 50;
