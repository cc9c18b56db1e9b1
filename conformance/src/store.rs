//! What a store gives to be tested.

use std::any::Any;
use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use tenantry_core::{Inspect, Sources, TenancyStore};

/// Why no fresh store could be had.
pub type FreshError = Box<dyn std::error::Error + Send + Sync>;

/// Makes fresh stores, one for each test.
#[async_trait]
pub trait TestStore: fmt::Debug + Send + Sync {
    /// What reports call it.
    fn name(&self) -> &str;

    /// A store without rows that takes the time and ids from these sources and from nowhere else.
    ///
    /// # Errors
    /// Whatever kept it from being made; the test fails with it.
    async fn fresh(&self, sources: Sources) -> Result<Fresh, FreshError>;
}

/// A fresh store.
pub struct Fresh {
    // In this order: the store goes before what it stands on.
    /// The store.
    pub store: Arc<dyn TenancyStore>,
    /// The same store, row by row.
    pub inspect: Arc<dyn Inspect>,
    /// Removes what the store left behind, when it is dropped.
    pub guard: Box<dyn Any + Send>,
}

impl Fresh {
    /// A store that can show its rows, and the guard that cleans up after it.
    pub fn new<S: TenancyStore + Inspect + 'static>(store: Arc<S>, guard: impl Any + Send) -> Self {
        let inspect = Arc::<S>::clone(&store);
        Self { store, inspect, guard: Box::new(guard) }
    }
}

impl fmt::Debug for Fresh {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fresh").field("store", &self.store).finish_non_exhaustive()
    }
}
