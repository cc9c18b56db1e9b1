//! Reading upwards: off unless it is asked for (spec/permissions.md#ancestor-read).

use crate::entity::Organization;
use crate::error::DomainError;
use crate::role::Role;
use crate::value::PermissionSlug;

/// Lets members of an organization read some of what belongs to one above it, where they have no membership there: never more than
/// their role grants and than is effective for them below, never siblings, and never to write.
///
/// ```
/// use tenantry_core::AncestorReadPolicy;
/// let policy = AncestorReadPolicy::new(["admin"], ["announcements", "report*"])?.max_depth(2)?;
/// # let _ = policy;
/// # Ok::<(), tenantry_core::DomainError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AncestorReadPolicy {
    roles: Vec<String>,
    collections: Vec<String>,
    max_depth: u32,
}

impl AncestorReadPolicy {
    /// For who holds one of these roles of the system, by slug, one level below; collections may have `*` for any text.
    ///
    /// # Errors
    /// `invalid_format.roles` or `invalid_format.collections` for an empty list, or for an entry that stands for nothing.
    pub fn new(
        roles: impl IntoIterator<Item = impl Into<String>>,
        collections: impl IntoIterator<Item = impl Into<String>>,
    ) -> Result<Self, DomainError> {
        let roles: Vec<String> = roles.into_iter().map(Into::into).collect();
        let collections: Vec<String> = collections.into_iter().map(Into::into).collect();
        let is_slug = |slug: &String| crate::value::RoleSlug::parse(slug).is_some();
        if roles.is_empty() || !roles.iter().all(is_slug) {
            return Err(DomainError::format("roles", "a list of one or more slugs of roles"));
        }
        let is_pattern = |pattern: &String| {
            let fits = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'_' | b'-' | b'*');
            (1..=PermissionSlug::MAX_BYTES).contains(&pattern.len()) && pattern.bytes().all(fits)
        };
        if collections.is_empty() || !collections.iter().all(is_pattern) {
            return Err(DomainError::format("collections", "a list of one or more of `a-z`, `0-9`, `_`, `-`, and `*` for any text"));
        }
        Ok(Self { roles, collections, max_depth: 1 })
    }

    /// From so many levels below: 1 to 9.
    ///
    /// # Errors
    /// `invalid_format.max_depth` for another number.
    pub fn max_depth(mut self, levels: i64) -> Result<Self, DomainError> {
        let most = i64::try_from(Organization::MAX_LEVELS).unwrap_or(i64::MAX) - 1;
        let fits = u32::try_from(levels).ok().filter(|_| (1..=most).contains(&levels));
        self.max_depth = fits.ok_or_else(|| DomainError::format("max_depth", "a whole number from 1 to 9"))?;
        Ok(self)
    }

    pub(crate) const fn depth(&self) -> u32 {
        self.max_depth
    }

    pub(crate) fn lists(&self, role: Role) -> bool {
        self.roles.iter().any(|slug| slug == role.slug())
    }

    /// Whether it is about reading one of the collections: `read`, `list` and `get` mean the same.
    pub(crate) fn covers(&self, permission: &PermissionSlug) -> bool {
        let reads = matches!(permission.action(), "read" | "list" | "get");
        reads && self.collections.iter().any(|pattern| matches_pattern(pattern, permission.resource()))
    }
}

/// Whether a text is what a pattern says, in which `*` stands for any text, also none.
pub(crate) fn matches_pattern(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(mut rest) = parts.next().and_then(|first| text.strip_prefix(first)) else { return false };
    let mut last = None;
    for part in parts {
        if let Some(before) = last.replace(part) {
            let Some(place) = rest.find(before) else { return false };
            rest = rest.get(place + before.len()..).unwrap_or_default();
        }
    }
    last.map_or(rest.is_empty(), |last| rest.ends_with(last))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_stand_for_any_text() {
        for (pattern, text) in
            [("*", ""), ("*", "a.b"), ("a*", "a"), ("*.read", "x.read"), ("a*b*c", "abc"), ("a*b*c", "a--b--c"), ("a", "a")]
        {
            assert!(matches_pattern(pattern, text), "{pattern} {text}");
        }
        for (pattern, text) in [("a", "ab"), ("*a", "ab"), ("a*", "ba"), ("a*b*c", "acb"), ("*.read", "x.readers"), ("ab*b", "ab")] {
            assert!(!matches_pattern(pattern, text), "{pattern} {text}");
        }
    }

    #[test]
    fn a_policy_that_says_nothing_is_refused() {
        let none: [&str; 0] = [];
        assert_eq!(AncestorReadPolicy::new(none, ["*"]).unwrap_err().code(), "invalid_format.roles");
        assert_eq!(AncestorReadPolicy::new(["Admin"], ["*"]).unwrap_err().code(), "invalid_format.roles");
        assert_eq!(AncestorReadPolicy::new(["admin"], none).unwrap_err().code(), "invalid_format.collections");
        assert_eq!(AncestorReadPolicy::new(["admin"], ["a.b"]).unwrap_err().code(), "invalid_format.collections");
        for levels in [0, -1, 10] {
            let policy = AncestorReadPolicy::new(["admin"], ["*"]).unwrap();
            assert_eq!(policy.max_depth(levels).unwrap_err().code(), "invalid_format.max_depth");
        }
    }
}
