//! The memory store: nothing to clean up.

use std::sync::Arc;

use tenantry_conformance::{Fresh, FreshError, TestStore, async_trait};
use tenantry_core::Sources;

#[derive(Debug)]
pub(crate) struct Memory;

#[async_trait]
impl TestStore for Memory {
    fn name(&self) -> &'static str {
        "memory"
    }

    async fn fresh(&self, sources: Sources) -> Result<Fresh, FreshError> {
        Ok(Fresh::new(Arc::new(tenantry_memory::with_sources(sources)), ()))
    }
}
