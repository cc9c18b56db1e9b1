//! What the modules of a program define, gathered while it runs (spec/permissions.md#registration).

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard, Weak};

use crate::decide::{ManifestResource, PermissionDefinition, Said, SyncCatalog, SyncedCatalog, merged, too_many};
use crate::error::{DomainError, Error};
use crate::store::AccessStore;
use crate::value::PermissionSlug;

/// The permissions that the parts of a program define, each by a registration of its own that ends with its handle.
///
/// What several say of one slug is merged as [`SyncCatalog`] does it: where one leaves a field out, the other's value is taken, and two
/// different values are `conflict.permission_metadata`. Which came first does not matter. Clones are the same registry; it may be used
/// from any thread, a look-up takes a read lock for as long as it takes to look.
///
/// A registry knows what a program defines, not what may be done: that is answered by the catalog of the store, into which
/// [`sync`](Self::sync) puts what is registered at that moment. A sync takes nothing out of a catalog, since other programs over the
/// same store, or another version of this one, may still define it. So a permission whose registration has ended is out of
/// [`definitions`](Self::definitions) and of every later sync, while whoever was granted it still holds it: take it from the roles that
/// grant it to end that.
///
/// ```
/// use tenantry_core::{AccessStore, Error, Exposure, ManifestResource, PermissionDefinition, PermissionRegistry};
///
/// async fn start(store: &dyn AccessStore) -> Result<(), Error> {
///     let registry = PermissionRegistry::new();
///     let invoices = ManifestResource::new("invoices").api(Exposure::Everything);
///     let billing = registry.register_manifest("billing", &[invoices])?;
///     let mailer = registry.register("mailer", [PermissionDefinition::new("invoices.read").name("Read invoices")])?;
///     assert_eq!(registry.get("invoices.read").and_then(|read| read.name).as_deref(), Some("Read invoices"));
///     registry.sync(store).await?;
///
///     // The plug-in goes, and what it alone said goes with it.
///     drop(mailer);
///     assert_eq!(registry.get("invoices.read").and_then(|read| read.name), None);
///     // What billing defines stays for as long as the program runs.
///     billing.keep();
///     Ok(())
/// }
/// # let _ = start;
/// ```
#[derive(Clone, Default)]
pub struct PermissionRegistry {
    shared: Arc<RwLock<Registered>>,
}

#[derive(Default)]
struct Registered {
    /// The number of the next registration.
    next: u64,
    slugs: BTreeMap<PermissionSlug, Saying>,
}

/// What is said of one permission.
struct Saying {
    together: Said,
    /// By whom, and the number of their registration.
    each: Vec<(u64, Arc<str>, Said)>,
}

impl fmt::Debug for PermissionRegistry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PermissionRegistry").field("len", &self.len()).finish_non_exhaustive()
    }
}

impl PermissionRegistry {
    /// An empty one.
    pub fn new() -> Self {
        Self::default()
    }

    /// Registers definitions, all of them or none. `source` is whatever tells people where they come from, such as the name of a module;
    /// it appears in errors, and two registrations may have the same one.
    ///
    /// # Errors
    /// `conflict.permission_metadata` where something else is said of a permission already, naming both sources;
    /// `invalid_format.*` of a definition; `invalid_format.custom` beyond [`SyncCatalog::MAX`] permissions in all.
    pub fn register(
        &self,
        source: impl Into<String>,
        definitions: impl IntoIterator<Item = PermissionDefinition>,
    ) -> Result<Registration, DomainError> {
        let source: Arc<str> = Arc::from(source.into());
        let definitions: Vec<_> = definitions.into_iter().collect();
        let said = merged(&definitions).map_err(|error| told_by(error, &source, &source))?;
        let mut registered = self.write();
        let number = registered.add(&source, &said)?;
        drop(registered);
        Ok(Registration { registry: Arc::downgrade(&self.shared), number, source, slugs: said.into_keys().collect() })
    }

    /// Registers what follows from resources: their [definitions](ManifestResource::definitions).
    ///
    /// # Errors
    /// As [`register`](Self::register), and those of a resource: `invalid_format.collection`, `invalid_format.actions`.
    pub fn register_manifest(&self, source: impl Into<String>, resources: &[ManifestResource]) -> Result<Registration, DomainError> {
        let mut definitions = Vec::new();
        for resource in resources {
            definitions.extend(resource.definitions()?);
        }
        self.register(source, definitions)
    }

    /// What all registrations say together: one definition for each slug, in order of slug.
    pub fn definitions(&self) -> Vec<PermissionDefinition> {
        self.read().slugs.values().map(|saying| saying.together.definition()).collect()
    }

    /// What is said of one permission together; none where it is not registered.
    pub fn get(&self, slug: &str) -> Option<PermissionDefinition> {
        let slug = PermissionSlug::parse(slug)?;
        self.read().slugs.get(&slug).map(|saying| saying.together.definition())
    }

    /// Whether a permission is registered. Whether somebody holds it is asked of the store.
    pub fn contains(&self, slug: &str) -> bool {
        PermissionSlug::parse(slug).is_some_and(|slug| self.read().slugs.contains_key(&slug))
    }

    /// How many permissions are registered.
    pub fn len(&self) -> usize {
        self.read().slugs.len()
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The command that brings a catalog to what is registered now, for a store that is called otherwise than
    /// [`sync`](Self::sync) does.
    pub fn command(&self) -> SyncCatalog {
        SyncCatalog::new(self.definitions())
    }

    /// Brings a store's catalog to what is registered now, by one `sync_catalog`. What comes or goes while it runs is in the next one.
    /// Spec: `permissions.md#registration`.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn sync<S: AccessStore + ?Sized>(&self, store: &S) -> Result<SyncedCatalog, Error> {
        store.sync_catalog(self.command()).await
    }

    // Nothing below panics while it has the lock, and what a caller brings runs before: it is whole whatever happened.
    fn read(&self) -> RwLockReadGuard<'_, Registered> {
        self.shared.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Registered> {
        self.shared.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Registered {
    /// Adds what one source says, under a number of its own; nothing where it cannot be taken whole.
    fn add(&mut self, source: &Arc<str>, said: &BTreeMap<PermissionSlug, Said>) -> Result<u64, DomainError> {
        let mut new = 0;
        for (slug, said) in said {
            match self.slugs.get(slug) {
                Some(saying) => saying.accepts(source, said)?,
                None => new += 1,
            }
        }
        if self.slugs.len() + new > SyncCatalog::MAX {
            return Err(too_many());
        }
        let number = self.next;
        self.next += 1;
        for (slug, said) in said {
            let own = (number, Arc::clone(source), said.clone());
            match self.slugs.entry(slug.clone()) {
                Entry::Vacant(place) => drop(place.insert(Saying { together: said.clone(), each: vec![own] })),
                Entry::Occupied(place) => {
                    let saying = place.into_mut();
                    // It was looked at above, and agrees.
                    saying.together.merge(said)?;
                    saying.each.push(own);
                }
            }
        }
        Ok(number)
    }

    fn remove(&mut self, number: u64, slugs: &[PermissionSlug]) {
        for slug in slugs {
            let Entry::Occupied(mut place) = self.slugs.entry(slug.clone()) else { continue };
            let saying = place.get_mut();
            saying.each.retain(|(other, ..)| *other != number);
            match together(&saying.each) {
                Some(said) => saying.together = said,
                None => drop(place.remove()),
            }
        }
    }
}

impl Saying {
    fn accepts(&self, source: &str, said: &Said) -> Result<(), DomainError> {
        let Err(error) = self.together.clone().merge(said) else { return Ok(()) };
        let disagrees = |(_, there, theirs): &(u64, Arc<str>, Said)| Some(told_by(theirs.clone().merge(said).err()?, there, source));
        Err(self.each.iter().find_map(disagrees).unwrap_or(error))
    }
}

/// What several say, who have been found to agree.
fn together(each: &[(u64, Arc<str>, Said)]) -> Option<Said> {
    let ((.., first), others) = each.split_first()?;
    Some(others.iter().fold(first.clone(), |mut said, (.., other)| {
        let agreed = said.merge(other);
        debug_assert!(agreed.is_ok(), "they were compared when they came in");
        said
    }))
}

/// The same error, with who says the one and who the other.
fn told_by(error: DomainError, said_one: &str, said_other: &str) -> DomainError {
    match error {
        DomainError::PermissionMetadata { permission, field, one, other, sources: None } => {
            let sources = Some(Box::new([said_one.to_owned(), said_other.to_owned()]));
            DomainError::PermissionMetadata { permission, field, one, other, sources }
        }
        other => other,
    }
}

/// The handle of a registration in a [`PermissionRegistry`]: when it is dropped, what it registered is taken out again, but for what
/// others have registered too.
#[must_use = "a registration ends when its handle is dropped: keep the handle, or call `keep`"]
pub struct Registration {
    registry: Weak<RwLock<Registered>>,
    number: u64,
    source: Arc<str>,
    slugs: Vec<PermissionSlug>,
}

impl fmt::Debug for Registration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Registration").field("source", &self.source).field("len", &self.slugs.len()).finish_non_exhaustive()
    }
}

impl Registration {
    /// Who registered.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// The slugs that were registered, in order.
    pub fn slugs(&self) -> &[PermissionSlug] {
        &self.slugs
    }

    /// Leaves what was registered in for as long as there is a registry.
    pub fn keep(mut self) {
        self.registry = Weak::new();
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        if let Some(registry) = self.registry.upgrade() {
            registry.write().unwrap_or_else(PoisonError::into_inner).remove(self.number, &self.slugs);
        }
    }
}
