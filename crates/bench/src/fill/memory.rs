//! Memory is filled by imports, organizations with what belongs to them a few thousand at a time.

use anyhow::Result;
use indicatif::ProgressBar;
use tenantry_core::{Import, TenancyStore};

use crate::interrupt;
use crate::world::World;

/// How many organizations come in at once: an import holds all of its rows.
const CHUNK: u32 = 5000;

/// Brings a world in.
///
/// # Errors
/// What an import failed with, or an interrupt.
pub async fn fill(store: &dyn TenancyStore, world: World, bar: &ProgressBar) -> Result<()> {
    let mut from = 0;
    while from < world.size() {
        interrupt::check()?;
        let to = world.size().min(from + CHUNK);
        store.import(Import::new(world.import(from, to)?)).await?;
        bar.inc(u64::from(to - from) * 6);
        from = to;
    }
    store.import(Import::new(world.import_crowd()?)).await?;
    bar.finish_and_clear();
    Ok(())
}

/// Brings a world in by two imports, as the databases' fills tell of it.
///
/// # Errors
/// What an import failed with.
pub async fn import(store: &dyn TenancyStore, world: World) -> Result<()> {
    store.import(Import::new(world.import(0, world.size())?)).await?;
    store.import(Import::new(world.import_crowd()?)).await?;
    Ok(())
}
