//! Logs to standard error: for people on a terminal, JSON otherwise.

use std::io::IsTerminal as _;

use serde::{Deserialize, Serialize};
use tracing_subscriber::EnvFilter;

/// The log of state changes, and the access log.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct LogConfig {
    /// `auto` (people on a terminal, JSON otherwise), `human` or `json`. Default: `auto`.
    pub(crate) format: Format,
    /// `error`, `warn`, `info`, `debug` or `trace`, or a filter such as `info,vgate=debug`; the
    /// environment variable `VGATE_LOG` wins over it. Default: `info`.
    pub(crate) level: Option<String>,
    /// A line per request: `off`, `combined` or `json`. Default: `off`. Costs a formatted line
    /// and a share of a write a request.
    pub(crate) access: Access,
}

/// How log lines look.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Format {
    /// For people on a terminal, JSON otherwise.
    #[default]
    Auto,
    /// For people.
    Human,
    /// One JSON object a line.
    Json,
}

/// How the access log looks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Access {
    /// No access log.
    #[default]
    Off,
    /// The combined log format of Apache and nginx.
    Combined,
    /// One JSON object a line, with cache, limit and upstream.
    Json,
}

/// Starts logging; a second call changes nothing.
pub(crate) fn start(config: &LogConfig) {
    let level = config.level.as_deref().unwrap_or("info");
    let filter = EnvFilter::try_from_env("VGATE_LOG").unwrap_or_else(|_| EnvFilter::new(level));
    let terminal = std::io::stderr().is_terminal();
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_target(false);
    // Fails only when logging was started before, which tests do.
    let _ = match config.format {
        Format::Json => builder.json().flatten_event(true).try_init(),
        Format::Auto if !terminal => builder.json().flatten_event(true).try_init(),
        Format::Auto | Format::Human => builder.with_ansi(coloured(terminal)).try_init(),
    };
}

/// Whether standard error takes colours (the NO_COLOR convention).
pub(crate) fn coloured(terminal: bool) -> bool {
    terminal && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

/// Whether `level` is a filter that can be used.
pub(crate) fn check_level(level: &str) -> Result<(), String> {
    level.parse::<EnvFilter>().map(|_| ()).map_err(|e| format!("`{level}` is no log level: {e}"))
}
