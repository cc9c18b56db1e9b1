//! What roles of the system grant, said by patterns: `spec/roles.md#seed_role_permissions`.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::catalog::slugs_told;
use super::roles::{given, role_event};
use super::{Command, Decision, Env, draft::Draft, guard};
use crate::access::{Effect, Holder, PermissionGrant};
use crate::change::Change;
use crate::error::{DomainError, Precondition};
use crate::event::{EventType, Fields};
use crate::id::RoleId;
use crate::load::{LoadSpec, Snapshot};
use crate::permissions::matches_pattern;
use crate::value::{PermissionSlug, RoleSlug};

/// What a role of the system shall grant, by patterns.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct RolePatterns {
    /// The role's slug.
    pub role: String,
    /// 1 to 200 patterns of slugs, in which `*` stands for any text; with `!` in front one takes out what it fits.
    pub permissions: Vec<String>,
}

impl RolePatterns {
    /// What fits one of these patterns.
    pub fn new(role: impl Into<String>, permissions: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self { role: role.into(), permissions: permissions.into_iter().map(Into::into).collect() }
    }
}

/// Lets roles of the system grant what fits their patterns, out of the catalog as it is.
///
/// ```
/// use tenantry_core::{RolePatterns, SeedRolePermissions};
/// let usual = SeedRolePermissions::new();
/// let own = SeedRolePermissions::of([RolePatterns::new("editor", ["documents.*", "!documents.delete"])]).prune(true);
/// assert_ne!(usual, own);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SeedRolePermissions {
    /// 1 to 100 roles, each once.
    pub matrix: Vec<RolePatterns>,
    /// Whether these roles lose what does not fit.
    pub prune: bool,
}

/// Resources that say who may do what: no plain member adds to them.
const AUTHORITY: [&str; 8] = ["groups", "roles", "permissions", "memberships", "overrides", "sessions", "organizations", "users"];

impl Default for SeedRolePermissions {
    fn default() -> Self {
        Self::new()
    }
}

impl SeedRolePermissions {
    /// The most roles of a matrix, and patterns of a role.
    const MAX_ROLES: usize = 100;
    const MAX_PATTERNS: usize = 200;

    /// The usual matrix: owners and admins may do everything, members read and create but for what says who may do what, viewers
    /// read.
    pub fn new() -> Self {
        let but = AUTHORITY.iter().map(|resource| format!("!{resource}.*"));
        let member = ["*.read", "*.create"].into_iter().map(str::to_owned).chain(but);
        Self::of([
            RolePatterns::new("owner", ["*"]),
            RolePatterns::new("admin", ["*"]),
            RolePatterns::new("member", member),
            RolePatterns::new("viewer", ["*.read"]),
        ])
    }

    /// This matrix.
    pub fn of(matrix: impl IntoIterator<Item = RolePatterns>) -> Self {
        Self { matrix: matrix.into_iter().collect(), prune: false }
    }

    /// Whether these roles lose what does not fit. False unless said otherwise.
    #[must_use]
    pub const fn prune(mut self, prune: bool) -> Self {
        self.prune = prune;
        self
    }

    fn forms(&self) -> Result<Vec<(RoleSlug, &[String])>, DomainError> {
        let wrong = || {
            DomainError::format(
                "matrix",
                "a list of 1 to 100 roles, each once, with 1 to 200 patterns of `A-Za-z0-9_.-*` behind an optional `!`",
            )
        };
        let is_pattern = |pattern: &String| {
            let text = pattern.strip_prefix('!').unwrap_or(pattern);
            let fits = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.' | b'*');
            (1..=PermissionSlug::MAX_BYTES).contains(&text.len()) && text.bytes().all(fits)
        };
        let mut roles = BTreeSet::new();
        let entry = |entry: &'_ RolePatterns| {
            let slug = RoleSlug::parse(&entry.role).filter(|slug| roles.insert(*slug))?;
            let well = (1..=Self::MAX_PATTERNS).contains(&entry.permissions.len()) && entry.permissions.iter().all(is_pattern);
            well.then_some(slug)
        };
        if !(1..=Self::MAX_ROLES).contains(&self.matrix.len()) {
            return Err(wrong());
        }
        let slugs: Option<Vec<RoleSlug>> = self.matrix.iter().map(entry).collect();
        let slugs = slugs.ok_or_else(wrong)?;
        Ok(slugs.into_iter().zip(self.matrix.iter().map(|entry| entry.permissions.as_slice())).collect())
    }
}

/// What [`SeedRolePermissions`] came to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct SeededPermissions {
    /// Each role of the matrix, in its order.
    pub roles: Vec<SeededRolePermissions>,
    /// Patterns that give, and fit nothing that the catalog has, in the order of the matrix.
    pub unmatched: Vec<UnmatchedPattern>,
}

/// What became of the permissions of one role.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct SeededRolePermissions {
    /// Which.
    pub role: RoleSlug,
    /// Its id.
    pub role_id: RoleId,
    /// What it grants now and did not grant before, or only up to an end; in order.
    pub added: Vec<PermissionSlug>,
    /// What it does not grant any more, in order.
    pub removed: Vec<PermissionSlug>,
    /// What it granted before, and shall, in order.
    pub unchanged: Vec<PermissionSlug>,
}

/// A pattern that fits nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct UnmatchedPattern {
    /// Of which role.
    pub role: RoleSlug,
    /// The pattern.
    pub pattern: String,
}

/// Whether one of the patterns that give fits, and none of those that take out.
fn fits(patterns: &[String], permission: &PermissionSlug) -> bool {
    let fitting = |pattern: &str| matches_pattern(pattern, permission.as_str());
    let mut given = false;
    for pattern in patterns {
        match pattern.strip_prefix('!') {
            Some(out) if fitting(out) => return false,
            Some(_) => {}
            None => given = given || fitting(pattern),
        }
    }
    given
}

impl Command for SeedRolePermissions {
    type Output = SeededPermissions;

    fn load(&self) -> Result<LoadSpec, DomainError> {
        Ok(LoadSpec::SystemRoles { slugs: self.forms()?.into_iter().map(|(slug, _)| slug).collect(), with_grants: true })
    }

    fn decide(&self, seen: &Snapshot, env: &mut Env<'_>) -> Result<Decision<SeededPermissions>, DomainError> {
        let matrix = self.forms()?;
        guard::trusted(env)?;
        let there = seen.line.as_ref().map(|line| line.roles.as_slice()).unwrap_or_default();
        let row_of = |slug: RoleSlug| there.iter().find(|role| role.slug == slug).ok_or(Precondition::UnknownRole);
        let roles = matrix.iter().map(|(slug, _)| row_of(*slug)).collect::<Result<Vec<_>, _>>()?;
        let mut seeded = SeededPermissions::default();
        let mut draft = Draft::new(env);
        let now = draft.now();
        for ((slug, patterns), role) in matrix.iter().zip(roles) {
            let holder = Holder::Role(role.id);
            let rows: BTreeMap<&PermissionSlug, &PermissionGrant> =
                seen.access.grants.iter().filter(|row| row.holder == holder).map(|row| (&row.permission, row)).collect();
            let lasts = |slug: &PermissionSlug| rows.get(slug).is_some_and(|row| row.expires_at.is_none());
            let wanted = seen.permissions.iter().map(|row| &row.slug).filter(|slug| fits(patterns, slug)).cloned();
            let (unchanged, added): (Vec<_>, Vec<_>) = wanted.partition(lasts);
            let removed: Vec<PermissionSlug> = rows
                .iter()
                .filter(|(slug, row)| self.prune && !row.is_expired(now) && !fits(patterns, slug))
                .map(|(slug, _)| (*slug).clone())
                .collect();
            if !added.is_empty() {
                let rows = added.iter().map(|slug| given(&draft, holder, slug, Effect::Grant, None)).collect();
                draft.change(Change::PutGrants(rows));
                let after = Fields::new().with("permissions", slugs_told(&added));
                role_event(&mut draft, None, seen, EventType::RolePermissionsGranted, role.id, (Fields::new(), after));
            }
            if !removed.is_empty() {
                draft.change(Change::DropGrants { holder, permissions: removed.clone() });
                let before = Fields::new().with("permissions", slugs_told(&removed));
                role_event(&mut draft, None, seen, EventType::RolePermissionsRevoked, role.id, (before, Fields::new()));
            }
            seeded.roles.push(SeededRolePermissions { role: *slug, role_id: role.id, added, removed, unchanged });
            let gives = patterns.iter().filter(|pattern| !pattern.starts_with('!'));
            let nothing = |pattern: &&String| !seen.permissions.iter().any(|row| matches_pattern(pattern, row.slug.as_str()));
            seeded.unmatched.extend(gives.filter(nothing).map(|pattern| UnmatchedPattern { role: *slug, pattern: pattern.clone() }));
        }
        Ok(draft.finish(seeded))
    }
}
