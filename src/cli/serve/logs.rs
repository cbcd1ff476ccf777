//! The broker's own log: lines on standard error, one for each event.

use std::io::{self, IsTerminal as _};

use tracing_subscriber::EnvFilter;

use crate::config::{LogFormat, OperationSettings};

/// Begins the log.
pub(super) fn begin(settings: &OperationSettings) {
    let level = EnvFilter::new(&settings.log_level);
    let filter = EnvFilter::try_from_default_env().unwrap_or(level);
    let lines = tracing_subscriber::fmt().with_writer(io::stderr).with_env_filter(filter);
    match settings.log_format {
        LogFormat::Text => lines.with_ansi(io::stderr().is_terminal()).init(),
        LogFormat::Json => lines.json().flatten_event(true).with_current_span(false).init(),
    }
}
