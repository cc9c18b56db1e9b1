//! The catalog of permissions: spec/permissions.md.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{Command, Decision, Env, check, draft::Draft, guard};
use crate::access::Permission;
use crate::change::Change;
use crate::error::DomainError;
use crate::event::{EventType, Fields};
use crate::json::Value;
use crate::load::{LoadSpec, Snapshot};
use crate::time::Timestamp;
use crate::value::{Description, Name, PermissionSlug};

/// What is said of a permission: its slug, and what people see of it. What is left out is made of the slug where it is shown, and is
/// no value that another definition could disagree with.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct PermissionDefinition {
    /// `resource.action`, and further parts.
    pub slug: String,
    /// What people see: 1 to 200 characters without control characters.
    pub name: Option<String>,
    /// What people may read about it: 1 to 1000 characters.
    pub description: Option<String>,
    /// What it is listed under: 1 to 200 characters without control characters.
    pub category: Option<String>,
}

impl PermissionDefinition {
    /// A permission of which no more is said.
    ///
    /// ```
    /// use tenantry_core::PermissionDefinition;
    /// let definition = PermissionDefinition::new("invoices.read").name("Read invoices");
    /// # let _ = definition;
    /// ```
    pub fn new(slug: impl Into<String>) -> Self {
        Self { slug: slug.into(), ..Self::default() }
    }

    /// With a name.
    #[must_use]
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// With a description.
    #[must_use]
    pub fn description(mut self, description: impl Into<String>) -> Self {
        self.description = Some(description.into());
        self
    }

    /// With a category.
    #[must_use]
    pub fn category(mut self, category: impl Into<String>) -> Self {
        self.category = Some(category.into());
        self
    }

    fn form(&self) -> Result<Said, DomainError> {
        let slug = check::permission("slug", &self.slug)?;
        let name = self.name.as_deref().map(|text| check::name("name", text)).transpose()?;
        let description = self.description.as_deref().map(check::description).transpose()?;
        let category = self.category.as_deref().map(|text| check::name("category", text)).transpose()?;
        Ok(Said { slug, name, description, category })
    }

    /// The entry that this makes.
    pub(super) fn entry(&self, created_at: Timestamp, updated_at: Timestamp) -> Result<Permission, DomainError> {
        let Said { slug, name, description, category } = self.form()?;
        Ok(Permission { slug, name, description, category, created_at, updated_at })
    }
}

/// A definition in its form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Said {
    slug: PermissionSlug,
    name: Option<Name>,
    description: Option<Description>,
    category: Option<Name>,
}

impl Said {
    /// Takes over what the other says where this says nothing; both must agree where both say something.
    pub(crate) fn merge(&mut self, other: &Self) -> Result<(), DomainError> {
        let Self { slug, name, description, category } = self;
        agree(slug, "name", name, other.name.as_ref())?;
        agree(slug, "description", description, other.description.as_ref())?;
        agree(slug, "category", category, other.category.as_ref())
    }

    /// The definition that says this.
    pub(crate) fn definition(&self) -> PermissionDefinition {
        let Self { slug, name, description, category } = self;
        PermissionDefinition {
            slug: slug.as_str().to_owned(),
            name: name.as_ref().map(ToString::to_string),
            description: description.as_ref().map(ToString::to_string),
            category: category.as_ref().map(ToString::to_string),
        }
    }
}

/// What definitions say together, by slug. The form of all of them comes before what they say of each other.
pub(crate) fn merged(definitions: &[PermissionDefinition]) -> Result<BTreeMap<PermissionSlug, Said>, DomainError> {
    if definitions.len() > SyncCatalog::MAX {
        return Err(too_many());
    }
    let all = definitions.iter().map(PermissionDefinition::form).collect::<Result<Vec<_>, _>>()?;
    let mut merged: BTreeMap<PermissionSlug, Said> = BTreeMap::new();
    for said in all {
        match merged.get_mut(&said.slug) {
            Some(there) => there.merge(&said)?,
            None => drop(merged.insert(said.slug.clone(), said)),
        }
    }
    Ok(merged)
}

/// The answer to more definitions than [`SyncCatalog::MAX`].
pub(crate) fn too_many() -> DomainError {
    DomainError::format("custom", "at most 100000 definitions, those of the manifest included")
}

fn agree<T: Clone + PartialEq + ToString>(
    permission: &PermissionSlug,
    field: &'static str,
    one: &mut Option<T>,
    other: Option<&T>,
) -> Result<(), DomainError> {
    match (&one, other) {
        (Some(said), Some(other)) if said != other => Err(DomainError::PermissionMetadata {
            permission: permission.clone(),
            field,
            one: said.to_string(),
            other: other.to_string(),
            sources: None,
        }),
        (None, Some(other)) => {
            *one = Some(other.clone());
            Ok(())
        }
        _ => Ok(()),
    }
}

/// Brings the catalog to what several sources say together: a permission that is new comes in, one of which something else is said
/// now changes, nothing is taken away and nothing granted. However often it runs, the second time changes nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct SyncCatalog {
    /// What is said, by all sources: at most 100,000 definitions. Two of one slug must agree.
    pub definitions: Vec<PermissionDefinition>,
}

impl SyncCatalog {
    /// The most definitions of one command.
    pub const MAX: usize = 100_000;

    /// These definitions.
    pub const fn new(definitions: Vec<PermissionDefinition>) -> Self {
        Self { definitions }
    }
}

/// What [`SyncCatalog`] came to: slugs, in order.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct SyncedCatalog {
    /// Those that are new.
    pub created: Vec<PermissionSlug>,
    /// Those of which something else is said now.
    pub updated: Vec<PermissionSlug>,
    /// Those that were there as they are.
    pub unchanged: Vec<PermissionSlug>,
}

impl Command for SyncCatalog {
    type Output = SyncedCatalog;

    fn load(&self) -> Result<LoadSpec, DomainError> {
        Ok(LoadSpec::Catalog { slugs: merged(&self.definitions)?.into_keys().collect() })
    }

    fn decide(&self, seen: &Snapshot, env: &mut Env<'_>) -> Result<Decision<SyncedCatalog>, DomainError> {
        guard::trusted(env)?;
        let mut draft = Draft::new(env);
        let (synced, _) = sync(&mut draft, seen, merged(&self.definitions)?);
        Ok(draft.finish(synced))
    }
}

/// Writes what is new or different, and answers the rows as they are then.
fn sync(draft: &mut Draft<'_, '_>, seen: &Snapshot, merged: BTreeMap<PermissionSlug, Said>) -> (SyncedCatalog, Vec<Permission>) {
    let there: BTreeMap<&PermissionSlug, &Permission> = seen.permissions.iter().map(|row| (&row.slug, row)).collect();
    let (mut synced, mut rows, mut written) = (SyncedCatalog::default(), Vec::new(), Vec::new());
    for (slug, said) in merged {
        let now = draft.now();
        let old = there.get(&slug).copied();
        let row = Permission {
            name: said.name.or_else(|| old?.name.clone()),
            description: said.description.or_else(|| old?.description.clone()),
            category: said.category.or_else(|| old?.category.clone()),
            created_at: old.map_or(now, |old| old.created_at),
            updated_at: old.map_or(now, |old| old.updated_at),
            slug: slug.clone(),
        };
        if old == Some(&row) {
            synced.unchanged.push(slug);
            rows.push(row);
            continue;
        }
        let row = Permission { updated_at: now, ..row };
        if old.is_some() { &mut synced.updated } else { &mut synced.created }.push(slug);
        written.push(row.clone());
        rows.push(row);
    }
    if !written.is_empty() {
        draft.advance_system(seen.system_revision);
        draft.change(Change::PutPermissions(written));
        let after = Fields::new().with("created", slugs_told(&synced.created)).with("updated", slugs_told(&synced.updated));
        draft.store_event(EventType::CatalogSynced, &[], Fields::new(), after);
    }
    (synced, rows)
}

/// The most slugs that one field of an event names.
const SLUGS_IN_EVENT: usize = 1000;

/// What an event says of permissions: how many, and the first slugs.
pub(super) fn slugs_told(slugs: &[PermissionSlug]) -> Value {
    let count = Value::count(u64::try_from(slugs.len()).unwrap_or(u64::MAX));
    let first = slugs.iter().take(SLUGS_IN_EVENT).map(|slug| Value::from(slug.as_str())).collect();
    Value::Map([("count".to_owned(), count), ("slugs".to_owned(), Value::List(first))].into())
}

/// Defines one permission. Where the catalog has it, what is said must go together with what is said there.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct DefinePermission {
    /// What is said of it.
    pub definition: PermissionDefinition,
}

impl DefinePermission {
    /// This one.
    pub const fn new(definition: PermissionDefinition) -> Self {
        Self { definition }
    }
}

impl Command for DefinePermission {
    type Output = Permission;

    fn load(&self) -> Result<LoadSpec, DomainError> {
        Ok(LoadSpec::Catalog { slugs: vec![self.definition.form()?.slug] })
    }

    fn decide(&self, seen: &Snapshot, env: &mut Env<'_>) -> Result<Decision<Permission>, DomainError> {
        let mut said = self.definition.form()?;
        guard::trusted(env)?;
        if let Some(Permission { slug, name, description, category, .. }) = seen.permissions.first().cloned() {
            said.merge(&Said { slug, name, description, category })?;
        }
        let mut draft = Draft::new(env);
        let now = draft.now();
        let Said { slug, name, description, category } = said.clone();
        let made = Permission { slug: slug.clone(), name, description, category, created_at: now, updated_at: now };
        let (_, rows) = sync(&mut draft, seen, [(slug, said)].into());
        Ok(draft.finish(rows.into_iter().next().unwrap_or(made)))
    }
}
