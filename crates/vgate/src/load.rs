//! From a file to a checked configuration, or to every mistake in it.

use std::fs;
use std::io::IsTerminal as _;
use std::path::Path as FilePath;

use crate::build::dry_run;
use crate::config::Config;
use crate::config::check::check;
use crate::config::document::{Document, MOST_PROBLEMS, Path};
use crate::config::expand::expand;
use crate::config::fault::Fault;
use crate::config::problem::Problem;
use crate::config::render::render;
use crate::logging::coloured;

/// Reads and checks `file`.
///
/// # Errors
///
/// Fails with a text for people: every mistake at its place, or why the file cannot be read.
pub(crate) fn load(file: &FilePath) -> Result<Config, String> {
    let name = file.display().to_string();
    let text = fs::read_to_string(file).map_err(|error| unreadable(&name, &error))?;
    let lookup = |name: &str| std::env::var(name).ok();
    read(&text, &lookup).map_err(|problems| {
        let drawn = render(&name, &text, &problems, coloured(std::io::stderr().is_terminal()));
        let count = match problems.len() {
            1 => "1 mistake".to_owned(),
            MOST_PROBLEMS => format!("the first {MOST_PROBLEMS} mistakes"),
            many => format!("{many} mistakes"),
        };
        format!("{drawn}\n\n{count} in {name}")
    })
}

fn unreadable(name: &str, error: &std::io::Error) -> String {
    let fix = match error.kind() {
        std::io::ErrorKind::NotFound => "; `vgate init` writes one, `--config` names another",
        std::io::ErrorKind::InvalidData => "; a configuration is UTF-8 text",
        _ => "",
    };
    format!("error: cannot read {name}: {error}{fix}")
}

/// Reads and checks a configuration text.
///
/// # Errors
///
/// Fails with every mistake found.
pub(crate) fn read(
    text: &str,
    lookup: &dyn Fn(&str) -> Option<String>,
) -> Result<Config, Vec<Problem>> {
    let (mut document, mut problems) = Document::parse(text);
    if !problems.is_empty() {
        // What follows a mistake of syntax may only be its echo.
        return Err(problems);
    }
    document.change_texts(&|value| expand(value, lookup), &mut problems);
    let config: Option<Config> = document.read(&mut problems);
    let found = config.as_ref().map(faults).unwrap_or_default();
    let parsed = problems.len();
    for (path, fault) in found {
        // What was cut out of a part makes the rest look wrong.
        let echo = problems.iter().take(parsed).any(|p| document.holds(&path, &p.span));
        if !echo {
            let span = document.locate(&path, &fault.to_string());
            problems.push(fault.at(span));
        }
    }
    match config {
        Some(config) if problems.is_empty() => Ok(config),
        _ => Err(problems),
    }
}

/// Every mistake of a well-formed configuration: between its parts, and in each part as the crate
/// that it belongs to sees it.
pub(crate) fn faults(config: &Config) -> Vec<(Path, Fault)> {
    let mut faults = check(config);
    dry_run(config, &mut faults);
    faults
}
