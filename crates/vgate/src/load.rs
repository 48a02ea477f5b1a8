//! From a file to a checked configuration, or to every mistake in it.

use std::fs;
use std::io::IsTerminal as _;
use std::path::Path as FilePath;

use crate::build::dry_run;
use crate::config::Config;
use crate::config::check::check;
use crate::config::document::{Document, Path};
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
        let count = problems.len();
        let noun = if count == 1 { "mistake" } else { "mistakes" };
        format!("{drawn}\n\n{count} {noun} in {name}")
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
    document.change_texts(&|value| expand(value, lookup), &mut problems);
    let config: Option<Config> = document.read(&mut problems);
    if let Some(config) = &config {
        for (path, fault) in faults(config) {
            let span = document.locate(&path);
            // A mistake below one that was cut out would only repeat it.
            if !problems.iter().any(|p| overlaps(&p.span, &span)) {
                problems.push(fault.at(span));
            }
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

fn overlaps(a: &std::ops::Range<usize>, b: &std::ops::Range<usize>) -> bool {
    !a.is_empty() && a.start >= b.start && a.end <= b.end
}
