//! Logs to standard error: for people on a terminal, JSON otherwise.

use std::io::{self, IsTerminal as _, Write};

use serde::{Deserialize, Serialize};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;

use crate::say::complain;

/// Wins over the level in the file.
const VARIABLE: &str = "VGATE_LOG";

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
    let wanted = std::env::var(VARIABLE).ok().filter(|level| match check_level(level) {
        Ok(()) => true,
        Err(error) => {
            complain(&format!("warning: {VARIABLE}: {error}"));
            false
        }
    });
    let filter = EnvFilter::new(wanted.as_deref().unwrap_or(level));
    let terminal = io::stderr().is_terminal();
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(move || OwnLine { clear: terminal })
        // It would say so on standard error, and panic there.
        .log_internal_errors(false)
        .with_target(false);
    // Fails only when logging was started before, which tests do.
    let _ = match config.format {
        Format::Json => builder.json().flatten_event(true).try_init(),
        Format::Auto if !terminal => builder.json().flatten_event(true).try_init(),
        Format::Auto | Format::Human => builder.with_ansi(coloured(terminal)).try_init(),
    };
}

/// Standard error, where a line on a terminal takes the place of a progress bar.
struct OwnLine {
    clear: bool,
}

impl Write for OwnLine {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // A line comes in one piece.
        if std::mem::take(&mut self.clear) {
            io::stderr().write_all(b"\r\x1b[2K")?;
        }
        io::stderr().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}

/// Whether standard error takes colours (the NO_COLOR convention).
pub(crate) fn coloured(terminal: bool) -> bool {
    terminal && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

/// Whether `level` is a level, or a list of `part=level`; any other word would be taken for the
/// name of a part, and nothing would be logged.
pub(crate) fn check_level(level: &str) -> Result<(), String> {
    let is_level = |directive: &str| {
        let level = directive.rsplit_once('=').map_or(directive, |(_, level)| level);
        !level.is_empty() && level.trim().parse::<LevelFilter>().is_ok()
    };
    if level.split(',').all(is_level) && level.parse::<EnvFilter>().is_ok() {
        return Ok(());
    }
    let known = "`error`, `warn`, `info`, `debug`, `trace` or `off`";
    Err(format!("`{level}` is no log level; there are {known}, and `info,vgate=debug`"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_that_is_no_level_is_refused() {
        for level in ["info", "off", "info,vgate=debug", "WARN"] {
            assert_eq!(check_level(level), Ok(()), "{level}");
        }
        for level in ["wran", "", "info,vgate=lots", "vgate"] {
            assert!(check_level(level).is_err(), "{level}");
        }
    }
}
