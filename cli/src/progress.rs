//! Progress on long work: a bar on standard error, if that is a terminal.

use indicatif::{ProgressBar, ProgressStyle};

/// A bar of `n` steps. It draws nothing where standard error is not a terminal.
pub(crate) fn bar(n: u64, what: &'static str) -> ProgressBar {
    let bar = ProgressBar::new(n).with_message(what);
    if let Ok(style) = ProgressStyle::with_template("{msg} {wide_bar} {pos}/{len} {eta}") {
        bar.set_style(style);
    }
    bar
}

/// A counter for work whose length is not known.
pub(crate) fn counter(what: &'static str) -> ProgressBar {
    let counter = ProgressBar::new_spinner().with_message(what);
    if let Ok(style) = ProgressStyle::with_template("{msg} {human_pos} {per_sec}") {
        counter.set_style(style);
    }
    counter
}
