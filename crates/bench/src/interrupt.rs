//! Ctrl-C: a run ends between two samples, and takes its files and databases with it.

use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context, Result, bail};

static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// From now on a Ctrl-C is remembered instead of ending the process.
///
/// # Errors
/// When the operating system does not let us.
pub fn watch() -> Result<()> {
    ctrlc::set_handler(|| INTERRUPTED.store(true, Ordering::SeqCst)).context("cannot watch for interrupts")
}

/// Fails if the run was asked to stop.
///
/// # Errors
/// Just then.
pub fn check() -> Result<()> {
    if INTERRUPTED.load(Ordering::SeqCst) {
        bail!("interrupted");
    }
    Ok(())
}
