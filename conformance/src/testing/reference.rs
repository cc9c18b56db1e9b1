//! Core's own state as a store, for tests that hold one beside theirs.

use std::sync::Arc;

use tenantry_core::Sources;

use crate::store::Fresh;

/// An empty store that is core's own state behind the rules, without any driver: what every store is compared with. Its futures are
/// ready when they are polled first.
pub fn reference(sources: Sources) -> Fresh {
    Fresh::new(Arc::new(crate::reference::reference(sources)), ())
}
