//! Bars for people who wait; nothing where the standard error is no terminal.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// A bar for so many steps.
pub(crate) fn bar(length: u64, template: &str) -> ProgressBar {
    drawn(Some(length), template)
}

/// A sign of life for what has no known end.
pub(crate) fn spinner(template: &str) -> ProgressBar {
    let spinner = drawn(None, template);
    spinner.enable_steady_tick(Duration::from_millis(100));
    spinner
}

fn drawn(length: Option<u64>, template: &str) -> ProgressBar {
    let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::with_draw_target(length, ProgressDrawTarget::stderr()).with_style(style)
}
