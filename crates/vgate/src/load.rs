//! From a file to a checked configuration, or to every mistake in it.

use std::fs;
use std::io::IsTerminal as _;
use std::ops::Range;
use std::path::Path as FilePath;

use crate::build::dry_run;
use crate::build::files::check_files;
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
    load_with(file, &faults)
}

/// The same, and looks whether the files of caches can be opened. A gateway runs without them,
/// but whoever asks wants to know.
///
/// # Errors
///
/// As [`load`].
pub(crate) fn load_strictly(file: &FilePath) -> Result<Config, String> {
    load_with(file, &|config| {
        let mut faults = faults(config);
        faults.extend(check_files(config));
        faults
    })
}

/// What finds the mistakes of a configuration.
type Finds = dyn Fn(&Config) -> Vec<(Path, Fault)>;

fn load_with(file: &FilePath, finds: &Finds) -> Result<Config, String> {
    let name = file.display().to_string();
    let text = fs::read_to_string(file).map_err(|error| unreadable(&name, &error))?;
    let lookup = |name: &str| std::env::var(name).ok();
    read_with(&text, &lookup, finds).map_err(|problems| {
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
#[cfg(test)]
pub(crate) fn read(
    text: &str,
    lookup: &dyn Fn(&str) -> Option<String>,
) -> Result<Config, Vec<Problem>> {
    read_with(text, lookup, &faults)
}

fn read_with(
    text: &str,
    lookup: &dyn Fn(&str) -> Option<String>,
    finds: &Finds,
) -> Result<Config, Vec<Problem>> {
    let (mut document, mut problems) = Document::parse(text);
    if !problems.is_empty() {
        // What follows a mistake of syntax may only be its echo.
        return Err(problems);
    }
    document.change_texts(&|value| expand(value, lookup), &mut problems);
    let config: Option<Config> = document.read(&mut problems);
    let found = config.as_ref().map(finds).unwrap_or_default();
    match config {
        Some(config) if problems.is_empty() && found.is_empty() => Ok(config),
        _ => {
            place(document, found, finds, &mut problems);
            Err(problems)
        }
    }
}

/// Reports what was `found` at its place. A part stops at the first of its mistakes: so the field
/// that it names is cut out and the rest looked at again, until no other field is named.
fn place(
    mut document: Document<'_>,
    found: Vec<(Path, Fault)>,
    finds: &Finds,
    problems: &mut Vec<Problem>,
) {
    let parsed: Vec<_> = problems.iter().map(|problem| problem.span.clone()).collect();
    let (mut found, mut seen) = (found, Vec::new());
    for round in 0..MOST_PROBLEMS {
        let mut fields = Vec::new();
        for (path, fault) in found {
            // What was cut out of a part makes the rest look wrong.
            let whole = || round == 0 && !parsed.iter().any(|span| document.holds(&path, span));
            match document.locate_field(&path, &fault.to_string()) {
                Some(field) if !parsed.iter().any(|span| within(span, &field)) => {
                    problems.push(fault.clone().at(field.clone()));
                    fields.push(field);
                }
                None if whole() => problems.push(fault.clone().at(document.locate(&path))),
                _ => {}
            }
            seen.push(fault);
        }
        if fields.is_empty() || problems.len() >= MOST_PROBLEMS {
            return;
        }
        fields.iter().for_each(|field| document.cut(field));
        let rest: Option<Config> = document.read(&mut Vec::new());
        found = rest.as_ref().map(finds).unwrap_or_default();
        found.retain(|(_, fault)| !seen.contains(fault));
    }
}

fn within(inner: &Range<usize>, outer: &Range<usize>) -> bool {
    outer.start <= inner.start && inner.end <= outer.end
}

/// Every mistake of a well-formed configuration: between its parts, and in each part as the crate
/// that it belongs to sees it.
pub(crate) fn faults(config: &Config) -> Vec<(Path, Fault)> {
    let mut faults = check(config);
    dry_run(config, &mut faults);
    faults
}
