//! Which file is which module, and what its door leads to.

use std::collections::BTreeMap;
use std::path::Path;

use syn::Item;

use crate::tidy::references::{ModulePath, Reference, references};
use crate::tidy::source::Source;

/// The modules of a package that are files under `src`.
pub(crate) struct Modules {
    /// Index of the file, for each module.
    files: BTreeMap<ModulePath, usize>,
    /// Names at the root that are modules, inline ones too.
    roots: Vec<String>,
    /// What each file takes from elsewhere, by file.
    references: Vec<Vec<Reference>>,
}

impl Modules {
    pub(crate) fn of(sources: &[Source]) -> Self {
        let mut files = BTreeMap::new();
        for (index, source) in sources.iter().enumerate() {
            if let Some(path) = module_path(&source.inside) {
                files.insert(path, index);
            }
        }
        let roots = sources.iter().filter(|source| is_root(source));
        let roots = roots.flat_map(|source| &source.syntax.items).filter_map(module_name);
        let roots = roots.collect();
        let mut modules = Self { files, roots, references: Vec::new() };
        modules.references = sources.iter().map(|source| modules.references_of(source)).collect();
        modules
    }

    fn references_of(&self, source: &Source) -> Vec<Reference> {
        let Some(path) = module_path(&source.inside) else {
            return Vec::new();
        };
        let is_module = |path: &[String]| self.files.contains_key(path);
        references(&source.syntax, &path, &is_module)
    }

    /// What the file takes from elsewhere in the crate.
    pub(crate) fn references(&self, file: usize) -> &[Reference] {
        self.references.get(file).map(Vec::as_slice).unwrap_or_default()
    }

    /// Whether `crate::name` is a module.
    pub(crate) fn is_root_module(&self, name: &str) -> bool {
        self.roots.iter().any(|root| root == name)
    }

    /// The file that defines what `path` names: doors (`pub use`) are walked through.
    pub(crate) fn defining_file(&self, path: &[String]) -> Option<usize> {
        let mut path = path.to_vec();
        // Doors that lead to each other would never end.
        for _ in 0..8 {
            let (file, rest) = self.nearest(&path)?;
            let Some(door) = self.door(file, rest) else {
                return Some(file);
            };
            path = door;
        }
        None
    }

    /// The deepest module of the path that is a file, and the name that follows.
    fn nearest<'p>(&self, path: &'p [String]) -> Option<(usize, Option<&'p String>)> {
        (0..=path.len()).rev().find_map(|length| {
            let file = self.files.get(path.get(..length)?)?;
            Some((*file, path.get(length)))
        })
    }

    /// Where the file re-exports the name from.
    fn door(&self, file: usize, name: Option<&String>) -> Option<ModulePath> {
        let name = name?;
        let mut doors = self.references(file).iter().filter(|reference| reference.is_door);
        let door = doors.find(|reference| reference.path.last() == Some(name))?;
        Some(door.path.clone())
    }
}

/// Whether the file is the root of a library or program; programs in `src/bin` are their own.
pub(crate) fn is_root(source: &Source) -> bool {
    let inside = &source.inside;
    inside == Path::new("src/lib.rs") || inside == Path::new("src/main.rs")
}

/// The module that a file is; `None` when it is not part of the library or program in `src`.
pub(crate) fn module_path(inside: &Path) -> Option<ModulePath> {
    let inside = inside.strip_prefix("src").ok()?;
    if inside.starts_with("bin") {
        return None;
    }
    let parts = inside.with_extension("");
    let mut path: ModulePath = parts.iter().map(|p| p.to_string_lossy().into_owned()).collect();
    let is_root = path.len() == 1 && matches!(path.first()?.as_str(), "lib" | "main");
    if is_root || path.last().is_some_and(|name| name == "mod") {
        path.pop();
    }
    Some(path)
}

fn module_name(item: &Item) -> Option<String> {
    match item {
        Item::Mod(module) => Some(module.ident.to_string()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::source::source;

    #[test]
    fn files_are_modules() {
        for (path, module) in [
            ("src/lib.rs", Some(&[][..])),
            ("src/a.rs", Some(&["a"])),
            ("src/a/mod.rs", Some(&["a"])),
            ("src/a/b.rs", Some(&["a", "b"])),
            ("src/a/lib.rs", Some(&["a", "lib"])),
            ("src/bin/x.rs", None),
            ("tests/x.rs", None),
        ] {
            let found = module_path(Path::new(path));
            let found = found.as_ref().map(|m| m.iter().map(String::as_str).collect::<Vec<_>>());
            assert_eq!(found.as_deref(), module, "{path}");
        }
    }

    #[test]
    fn doors_are_walked_through() {
        let sources = [
            source("src/lib.rs", "mod a; mod c;"),
            source("src/a/mod.rs", "mod b; pub use self::b::Thing; pub struct Own;"),
            source("src/a/b.rs", "pub struct Thing;"),
        ];
        let modules = Modules::of(&sources);
        let file = |path: &str| {
            let path: Vec<_> = path.split("::").map(str::to_owned).collect();
            modules.defining_file(&path)
        };
        assert_eq!(file("a::Thing"), Some(2));
        assert_eq!(file("a::Thing::method"), Some(2));
        assert_eq!(file("a::Own"), Some(1));
        assert_eq!(file("a::b::Thing"), Some(2));
        assert!(modules.is_root_module("c") && !modules.is_root_module("d"));
    }
}
