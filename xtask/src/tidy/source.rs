//! The Rust files of a member, read and parsed.

use std::fs;
use std::path::{Path, PathBuf};

use crate::failure::{Failure, Outcome};
use crate::workspace::{Package, Workspace};

/// One file.
pub(crate) struct Source {
    /// From the root of the workspace.
    pub(crate) path: PathBuf,
    /// From the folder of the package.
    pub(crate) inside: PathBuf,
    pub(crate) text: String,
    pub(crate) syntax: syn::File,
}

impl Source {
    pub(crate) fn new(path: PathBuf, inside: PathBuf, text: String) -> Outcome<Self> {
        let at = format!("{} is not Rust", path.display());
        let syntax = syn::parse_file(&text).map_err(Failure::at(at))?;
        Ok(Self { path, inside, text, syntax })
    }

    /// Whether it stands in `src`.
    pub(crate) fn is_in_src(&self) -> bool {
        self.inside.starts_with("src")
    }

    /// Whether it is a file of tests, beside or inside `src`.
    pub(crate) fn is_test(&self) -> bool {
        let is_tests = |part: &Path| part == Path::new("tests") || part == Path::new("tests.rs");
        self.inside.iter().any(|part| is_tests(Path::new(part)))
    }
}

/// Every Rust file of the package, sorted.
pub(crate) fn read(package: &Package, workspace: &Workspace) -> Outcome<Vec<Source>> {
    let mut paths = Vec::new();
    walk(&package.folder, &mut paths)?;
    paths.sort();
    let read = |path: PathBuf| {
        let text = fs::read_to_string(&path).map_err(Failure::at(path.display()))?;
        let inside = path.strip_prefix(&package.folder).unwrap_or(&path).to_owned();
        Source::new(workspace.relative(&path).to_owned(), inside, text)
    };
    paths.into_iter().map(read).collect()
}

fn walk(folder: &Path, paths: &mut Vec<PathBuf>) -> Outcome {
    for entry in fs::read_dir(folder).map_err(Failure::at(folder.display()))? {
        let path = entry.map_err(Failure::at(folder.display()))?.path();
        let name = path.file_name().and_then(|name| name.to_str());
        if path.is_dir() && name != Some("target") {
            walk(&path, paths)?;
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            paths.push(path);
        }
    }
    Ok(())
}

#[cfg(test)]
pub(crate) fn source(inside: &str, text: &str) -> Source {
    Source::new(inside.into(), inside.into(), text.to_owned()).unwrap()
}
