//! The organizations of a user, by the application's policy: spec/tenants.md.

use serde::Serialize;

use super::organizations::{CreateOrg, CreatedOrg, RevokeOrg, not_already, slug_form};
use super::{Command, Decision, Env, check, guard};
use crate::change::Plan;
use crate::entity::{Membership, OrgStatus, Organization};
use crate::error::{DomainError, Precondition};
use crate::id::{IdType, OrgId, UserId};
use crate::load::{LoadSpec, Snapshot, Tenancy};
use crate::role::Role;
use crate::value::{Name, Slug};

/// What becomes of a user who belongs to no organization.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum TenantMode {
    /// Nothing: users belong where they are invited or what they create.
    #[default]
    Flexible,
    /// They get one of their own.
    Personal,
    /// The same, and whoever owns one goes on to own one that is live.
    Required,
}

impl TenantMode {
    /// Every mode.
    pub const ALL: [Self; 3] = [Self::Flexible, Self::Personal, Self::Required];

    /// Its wire form.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Flexible => "flexible",
            Self::Personal => "personal",
            Self::Required => "required",
        }
    }

    /// The mode with this wire form.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|mode| mode.as_str() == text)
    }
}

/// How an application wants its users to have organizations. It comes from the application, never from a request: a caller who could
/// choose it would not be bound by it.
///
/// ```
/// use tenantry_core::{TenantMode, TenantPolicy};
/// let policy = TenantPolicy::new(TenantMode::Personal).max_tenants(3).default_name("My workspace");
/// assert!(policy.check().is_ok() && policy.allows(2) && !policy.allows(3));
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct TenantPolicy {
    /// What becomes of a user who belongs to no organization.
    pub mode: TenantMode,
    /// How many organizations a user may own; 0 for any number.
    pub max_tenants: u32,
    /// The name of an organization that is made for a user of whom no name is known: 1 to 200 characters without control characters.
    /// Without one, [`Self::DEFAULT_NAME`].
    pub default_name: Option<String>,
}

impl TenantPolicy {
    /// The name of an organization that is made for a user of whom no name is known, where the policy has none.
    pub const DEFAULT_NAME: &str = "Default Workspace";

    /// In this mode, without a limit.
    pub const fn new(mode: TenantMode) -> Self {
        Self { mode, max_tenants: 0, default_name: None }
    }

    /// With a limit to how many organizations a user may own; 0 lifts it.
    #[must_use]
    pub const fn max_tenants(mut self, most: u32) -> Self {
        self.max_tenants = most;
        self
    }

    /// With a name for the organization of a user of whom no name is known.
    #[must_use]
    pub fn default_name(mut self, name: impl Into<String>) -> Self {
        self.default_name = Some(name.into());
        self
    }

    /// Whether the policy has its form.
    ///
    /// # Errors
    /// `invalid_format.default_name`.
    pub fn check(&self) -> Result<(), DomainError> {
        self.fallback().map(drop)
    }

    /// Whether who owns so many organizations may have one more.
    pub fn allows(&self, owned: u64) -> bool {
        self.max_tenants == 0 || owned < u64::from(self.max_tenants)
    }

    /// The form of the whole, and the name for who has none.
    fn fallback(&self) -> Result<Name, DomainError> {
        check::name("default_name", self.default_name.as_deref().unwrap_or(Self::DEFAULT_NAME))
    }
}

/// Finds the organization that a user works in, and makes one where there is none and the policy says so.
///
/// ```
/// use tenantry_core::{EnsureTenant, TenantMode, TenantPolicy, UserId};
/// # let usr: UserId = "usr_0196f3c21b7a7c3d9e4f5a6b7c8d9e0f".parse().unwrap();
/// let request = EnsureTenant::new(usr, TenantPolicy::new(TenantMode::Personal)).name("Ann");
/// # let _ = request;
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct EnsureTenant {
    /// Whose.
    pub usr_id: UserId,
    /// What the user is called, for `<name>'s Workspace`: 1 to 188 characters without control characters.
    pub name: Option<String>,
    /// What the application wants.
    pub policy: TenantPolicy,
}

impl EnsureTenant {
    /// For a user of whom no name is known.
    pub const fn new(usr_id: UserId, policy: TenantPolicy) -> Self {
        Self { usr_id, name: None, policy }
    }

    /// For a user who is called so.
    #[must_use]
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// What a new organization is called.
    fn org_name(&self) -> Result<Name, DomainError> {
        let wrong = || DomainError::format("name", "1 to 188 characters without control characters");
        let own = self
            .name
            .as_deref()
            .map(|name| Name::parse(name).and_then(|name| Name::parse(&format!("{}'s Workspace", name.as_str()))).ok_or_else(wrong));
        let own = own.transpose()?;
        let fallback = self.policy.fallback()?;
        Ok(own.unwrap_or(fallback))
    }
}

/// What [`EnsureTenant`] answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct EnsuredTenant {
    /// The organization; none where the user belongs nowhere and the policy makes none.
    pub org: Option<Organization>,
    /// The user's membership there.
    pub membership: Option<Membership>,
    /// Whether both are new.
    pub created: bool,
}

impl Command for EnsureTenant {
    type Output = EnsuredTenant;

    fn load(&self) -> Result<LoadSpec, DomainError> {
        Ok(LoadSpec::Tenants { usr: self.usr_id, slugs: slugs_of(&self.org_name()?) })
    }

    fn decide(&self, seen: &Snapshot, env: &mut Env<'_>) -> Result<Decision<EnsuredTenant>, DomainError> {
        let name = self.org_name()?;
        for_oneself(self.usr_id, env)?;
        check::user_ok(seen.user.as_ref())?;
        let tenancy = tenancy(seen);
        let found = |org, membership| Decision { plan: Plan::default(), output: EnsuredTenant { org, membership, created: false } };
        if let Some((membership, org)) = &tenancy.home {
            return Ok(found(Some(org.clone()), Some(membership.clone())));
        }
        if self.policy.mode == TenantMode::Flexible {
            return Ok(found(None, None));
        }
        // Whoever is kept out of where they belong would else get another organization at each login.
        if tenancy.active {
            return Err(Precondition::OrgNotActive.into());
        }
        if tenancy.suspended {
            return Err(Precondition::MemNotActive.into());
        }
        let slug = free_slug(&name, seen, env);
        let made = new_tenant(self.usr_id, &name, slug.as_ref()).decide(seen, env)?;
        let CreatedOrg { org, owner_membership } = made.output;
        let mut plan = made.plan;
        plan.rely_on_memberships(self.usr_id, &tenancy);
        Ok(Decision { plan, output: EnsuredTenant { org: Some(org), membership: Some(owner_membership), created: true } })
    }
}

/// Creates an organization that a user owns, where the policy allows one more.
///
/// ```
/// use tenantry_core::{CreateTenant, TenantMode, TenantPolicy, UserId};
/// # let usr: UserId = "usr_0196f3c21b7a7c3d9e4f5a6b7c8d9e0f".parse().unwrap();
/// let request = CreateTenant::new(usr, "Acme", TenantPolicy::new(TenantMode::Flexible).max_tenants(3)).slug("acme");
/// # let _ = request;
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct CreateTenant {
    /// Becomes the owner.
    pub usr_id: UserId,
    /// What people see: 1 to 200 characters without control characters.
    pub name: String,
    /// The name in addresses; without one it is made of the name.
    pub slug: Option<String>,
    /// What the application wants.
    pub policy: TenantPolicy,
}

impl CreateTenant {
    /// With a slug that is made of the name.
    pub fn new(usr_id: UserId, name: impl Into<String>, policy: TenantPolicy) -> Self {
        Self { usr_id, name: name.into(), slug: None, policy }
    }

    /// With this slug.
    #[must_use]
    pub fn slug(mut self, slug: impl Into<String>) -> Self {
        self.slug = Some(slug.into());
        self
    }

    fn forms(&self) -> Result<(Name, Option<Slug>), DomainError> {
        let name = check::name("name", &self.name)?;
        self.policy.check()?;
        Ok((name, self.slug.as_deref().map(slug_form).transpose()?))
    }
}

impl Command for CreateTenant {
    type Output = CreatedOrg;

    fn load(&self) -> Result<LoadSpec, DomainError> {
        let (name, slug) = self.forms()?;
        Ok(LoadSpec::Tenants { usr: self.usr_id, slugs: slug.map_or_else(|| slugs_of(&name), |slug| vec![slug]) })
    }

    fn decide(&self, seen: &Snapshot, env: &mut Env<'_>) -> Result<Decision<CreatedOrg>, DomainError> {
        let (name, slug) = self.forms()?;
        for_oneself(self.usr_id, env)?;
        check::user_ok(seen.user.as_ref())?;
        let tenancy = tenancy(seen);
        if !self.policy.allows(tenancy.owned) {
            return Err(Precondition::TenantLimit.into());
        }
        let slug = match slug {
            Some(slug) if seen.taken.contains(&slug) => return Err(DomainError::OrgSlug(slug)),
            Some(slug) => Some(slug),
            None => free_slug(&name, seen, env),
        };
        let mut made = new_tenant(self.usr_id, &name, slug.as_ref()).decide(seen, env)?;
        if self.policy.max_tenants > 0 {
            made.plan.rely_on_memberships(self.usr_id, &tenancy);
        }
        Ok(made)
    }
}

/// Ends an organization as its owner, where the policy lets them.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct DeleteTenant {
    /// Who wants it: an owner there.
    pub usr_id: UserId,
    /// Which.
    pub org_id: OrgId,
    /// What the application wants.
    pub policy: TenantPolicy,
}

impl DeleteTenant {
    /// On behalf of this user.
    pub const fn new(usr_id: UserId, org_id: OrgId, policy: TenantPolicy) -> Self {
        Self { usr_id, org_id, policy }
    }
}

impl Command for DeleteTenant {
    type Output = Organization;

    fn load(&self) -> Result<LoadSpec, DomainError> {
        self.policy.check()?;
        Ok(RevokeOrg::new(self.org_id).load_for(Some(self.usr_id)))
    }

    fn decide(&self, seen: &Snapshot, env: &mut Env<'_>) -> Result<Decision<Organization>, DomainError> {
        if let Some(acting) = guard::member(seen, env, IdType::Organization)? {
            guard::allow(acting.usr_id == self.usr_id && acting.role == Role::Owner)?;
        }
        let org = check::found(seen.org.as_ref(), IdType::Organization)?;
        not_already(org, &[OrgStatus::Revoked])?;
        // What stands above gives no right to it.
        let owns = |mem: &Membership| mem.role == Role::Owner && check::is_active(mem, env.now);
        guard::allow(seen.membership.as_ref().is_some_and(owns) && guard::user_acts(seen.user.as_ref()))?;
        let tenancy = tenancy(seen);
        let keeps_one = self.policy.mode == TenantMode::Required;
        if keeps_one && !tenancy.owns_another {
            return Err(Precondition::LastTenant.into());
        }
        let mut ended = RevokeOrg::new(self.org_id).decide(seen, env)?;
        ended.plan.rely_on_user(self.usr_id, seen.user.as_ref().map(|user| user.revision));
        if keeps_one {
            ended.plan.rely_on_memberships(self.usr_id, &tenancy);
        }
        Ok(ended)
    }
}

/// A guarded caller has tenants for themselves only.
fn for_oneself(usr: UserId, env: &Env<'_>) -> Result<(), DomainError> {
    guard::allow(env.caller.as_guarded().is_none_or(|caller| caller.usr_id == usr))
}

/// What was loaded of it.
fn tenancy(seen: &Snapshot) -> Tenancy {
    seen.tenancy.as_deref().cloned().unwrap_or_default()
}

fn new_tenant(usr: UserId, name: &Name, slug: Option<&Slug>) -> CreateOrg {
    CreateOrg { slug: slug.map(|slug| slug.as_str().to_owned()), ..CreateOrg::new(usr).name(name.as_str()) }
}

/// How many organizations of one name get a number behind their slugs, beside the first. Few: whoever loses a slug to another one of the
/// same name at the same time decides anew, and may do so only so often.
const NUMBERED: u32 = 3;

/// The most bytes of a slug that come from the name: what follows, a hyphen and twelve digits, still fits.
const STEM: usize = 50;

/// What a slug is where nothing of the name can stand in one.
const NAMELESS: &str = "workspace";

/// The slugs that an organization of this name may get, in the order in which they are tried.
fn slugs_of(name: &Name) -> Vec<Slug> {
    let stem = stem(name);
    let numbered = (2..2 + NUMBERED).map(|number| format!("{stem}-{number}"));
    std::iter::once(stem.clone()).chain(numbered).filter_map(|text| Slug::parse(&text)).collect()
}

/// The first of them that nobody has, else one that nobody else gets.
fn free_slug(name: &Name, seen: &Snapshot, env: &mut Env<'_>) -> Option<Slug> {
    let free = slugs_of(name).into_iter().find(|slug| !seen.taken.contains(slug));
    free.or_else(|| {
        // The end of an id, drawn for this alone: that is where ids differ.
        let drawn: OrgId = env.id();
        let digits = drawn.as_uuid().simple().to_string();
        Slug::parse(&format!("{}-{}", stem(name), digits.get(20..)?))
    })
}

/// The part of a slug that comes from a name: its letters and digits as ASCII has them, with hyphens for what stands between.
fn stem(name: &Name) -> String {
    let mut stem = String::new();
    for character in deunicode::deunicode(name.as_str()).chars() {
        // `Ann's` is one word.
        match character.to_ascii_lowercase() {
            '\'' | '`' => {}
            kept @ ('a'..='z' | '0'..='9') => stem.push(kept),
            _ if stem.is_empty() || stem.ends_with('-') => {}
            _ => stem.push('-'),
        }
    }
    stem.truncate(STEM);
    let kept = stem.trim_end_matches('-');
    if kept.is_empty() { NAMELESS.to_owned() } else { kept.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::{SecretSource, SeededSecrets};

    fn name(text: &str) -> Name {
        Name::parse(text).unwrap()
    }

    #[test]
    fn a_stem_is_what_of_a_name_can_stand_in_an_address() {
        for (text, wanted) in [
            ("Acme Ltd", "acme-ltd"),
            ("  --Acme//Ltd--  ", "acme-ltd"),
            ("Ann's Workspace", "anns-workspace"),
            ("Ann\u{2019}s Workspace", "anns-workspace"),
            ("Straße 7", "strasse-7"),
            ("İstanbul", "istanbul"),
            ("a\u{301}e\u{308}", "ae"),
            ("🎉", "tada"),
            ("!?", "workspace"),
            ("\u{10ffff}", "workspace"),
        ] {
            assert_eq!(stem(&name(text)), wanted, "{text}");
        }
        assert_eq!(stem(&name(&"ab-".repeat(60))).len(), 50);
    }

    #[test]
    fn every_name_has_its_slugs() {
        let secrets = SeededSecrets::new(3);
        let mut bytes = [0; 4];
        for _ in 0..2_000 {
            let mut text = String::new();
            secrets.fill(&mut bytes).unwrap();
            for _ in 0..=bytes[0] % 80 {
                secrets.fill(&mut bytes).unwrap();
                text.extend(char::from_u32(u32::from_be_bytes(bytes) % 0x11_0000).filter(|character| !character.is_control()));
            }
            let Some(name) = Name::parse(&text) else { continue };
            let slugs = slugs_of(&name);
            assert_eq!(slugs.len(), 4, "{text:?}");
            // The one that is tried last has room too.
            assert!(Slug::parse(&format!("{}-{}", stem(&name), "0".repeat(12))).is_some(), "{text:?}");
        }
    }

    #[test]
    fn a_policy_counts() {
        let three = TenantPolicy::new(TenantMode::Personal).max_tenants(3);
        assert!(three.allows(0) && three.allows(2) && !three.allows(3) && !three.allows(u64::MAX));
        assert!(TenantPolicy::default().allows(u64::MAX), "none is no limit");
        assert!(TenantMode::ALL.into_iter().all(|mode| TenantMode::parse(mode.as_str()) == Some(mode)));
        assert_eq!(TenantMode::parse("Personal"), None);
    }
}
