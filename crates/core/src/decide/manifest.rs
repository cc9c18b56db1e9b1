//! Permissions that follow from what an application shows of its resources (spec/permissions.md#manifest).

use std::collections::BTreeSet;

use super::PermissionDefinition;
use super::check;
use crate::error::DomainError;

/// A resource of an application, and what of it is shown where.
///
/// ```
/// use tenantry_core::{Exposure, ManifestResource};
/// let invoices = ManifestResource::new("invoices").api(Exposure::Exclude(vec!["delete".into()])).actions(["sendReminder"]);
/// let slugs: Vec<String> = invoices.definitions()?.into_iter().map(|definition| definition.slug).collect();
/// assert_eq!(slugs, ["invoices.create", "invoices.read", "invoices.sendReminder", "invoices.update"]);
/// # Ok::<(), tenantry_core::DomainError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ManifestResource {
    /// What it is called in permissions: a lower-case letter, then `a-z`, `0-9`, `_` and `-`.
    pub collection: String,
    /// What is shown over HTTP.
    pub api: Exposure,
    /// What is shown at the command line.
    pub cli: Exposure,
    /// What is shown to agents.
    pub mcp: Exposure,
    /// Public actions of its own, beside list, get, create, update and delete.
    pub actions: Vec<String>,
    /// Whether its rows belong to an organization.
    pub tenant_scope: TenantScope,
    /// The table of its rows.
    pub table: Option<String>,
    /// The column that names the organization.
    pub tenant_column: Option<String>,
}

/// What of a resource is shown on a surface.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Exposure {
    /// Nothing.
    #[default]
    Nothing,
    /// Everything.
    Everything,
    /// These actions.
    Include(Vec<String>),
    /// All but these actions.
    Exclude(Vec<String>),
}

impl Exposure {
    fn shows(&self, action: &str) -> bool {
        let among = |actions: &[String]| actions.iter().any(|other| other == action);
        match self {
            Self::Nothing => false,
            Self::Everything => true,
            Self::Include(actions) => among(actions),
            Self::Exclude(actions) => !among(actions),
        }
    }
}

/// Whether a resource's rows belong to an organization.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TenantScope {
    /// They do not.
    #[default]
    None,
    /// Some do.
    Optional,
    /// All do.
    Required,
}

impl TenantScope {
    /// The scope with this wire form.
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "none" => Some(Self::None),
            "optional" => Some(Self::Optional),
            "required" => Some(Self::Required),
            _ => None,
        }
    }
}

impl ManifestResource {
    /// A resource of which nothing is shown yet.
    pub fn new(collection: impl Into<String>) -> Self {
        Self {
            collection: collection.into(),
            api: Exposure::Nothing,
            cli: Exposure::Nothing,
            mcp: Exposure::Nothing,
            actions: Vec::new(),
            tenant_scope: TenantScope::None,
            table: None,
            tenant_column: None,
        }
    }

    /// What is shown over HTTP.
    #[must_use]
    pub fn api(mut self, exposure: Exposure) -> Self {
        self.api = exposure;
        self
    }

    /// What is shown at the command line.
    #[must_use]
    pub fn cli(mut self, exposure: Exposure) -> Self {
        self.cli = exposure;
        self
    }

    /// What is shown to agents.
    #[must_use]
    pub fn mcp(mut self, exposure: Exposure) -> Self {
        self.mcp = exposure;
        self
    }

    /// Public actions of its own.
    #[must_use]
    pub fn actions(mut self, actions: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.actions = actions.into_iter().map(Into::into).collect();
        self
    }

    /// What there is to permit, in order: reading where list or get is shown anywhere, each change that is, and each action of its own
    /// that is. Nothing else is said of it.
    ///
    /// # Errors
    /// `invalid_format.collection` and `invalid_format.actions`.
    pub fn definitions(&self) -> Result<Vec<PermissionDefinition>, DomainError> {
        let slug = |action: &str| format!("{}.{action}", self.collection);
        let is_plain = |part: &str| !part.contains('.');
        if !is_plain(&self.collection) || check::permission("collection", &slug("read")).is_err() {
            return Err(DomainError::format("collection", "a lower-case letter, then `a-z`, `0-9`, `_` and `-`"));
        }
        if self.actions.iter().any(|action| !is_plain(action) || check::permission("actions", &slug(action)).is_err()) {
            return Err(DomainError::format("actions", "a list of actions: a lower-case letter, then letters, digits, `_` and `-`"));
        }
        let shown = |action: &str| [&self.api, &self.cli, &self.mcp].into_iter().any(|surface| surface.shows(action));
        let mut slugs = BTreeSet::new();
        if shown("list") || shown("get") {
            slugs.insert(slug("read"));
        }
        slugs.extend(["create", "update", "delete"].into_iter().filter(|action| shown(action)).map(slug));
        slugs.extend(self.actions.iter().filter(|action| shown(action)).map(|action| slug(action)));
        Ok(slugs.into_iter().map(PermissionDefinition::new).collect())
    }
}
