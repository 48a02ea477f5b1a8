//! The members of the workspace, as `cargo metadata` tells of them.

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::failure::{Failure, Outcome};
use crate::run::cargo;

/// The workspace.
#[derive(Debug)]
pub(crate) struct Workspace {
    pub(crate) root: PathBuf,
    /// Sorted by name.
    pub(crate) packages: Vec<Package>,
}

/// A member.
#[derive(Debug, Default)]
pub(crate) struct Package {
    pub(crate) name: String,
    pub(crate) folder: PathBuf,
    /// Without `default`; sorted.
    pub(crate) features: Vec<String>,
    pub(crate) dependencies: Vec<Dependency>,
    pub(crate) targets: Vec<Target>,
}

/// What a member depends on.
#[derive(Debug)]
pub(crate) struct Dependency {
    pub(crate) name: String,
    /// `dev`, `build`, or nothing.
    pub(crate) kind: Option<String>,
}

/// A library, a program, a benchmark…
#[derive(Debug)]
pub(crate) struct Target {
    pub(crate) name: String,
    pub(crate) kind: String,
}

impl Workspace {
    /// Asks cargo; needs no network.
    pub(crate) fn load() -> Outcome<Self> {
        let args = ["metadata", "--format-version=1", "--no-deps"];
        let json = cargo().args(args).output()?;
        let json: Value = serde_json::from_str(&json).map_err(Failure::at("cargo metadata"))?;
        let mut packages: Vec<_> = list(&json, "packages").iter().map(package).collect();
        packages.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(Self { root: text(&json, "workspace_root").into(), packages })
    }

    pub(crate) fn package(&self, name: &str) -> Option<&Package> {
        self.packages.iter().find(|package| package.name == name)
    }

    /// A path as people see it: from the root of the workspace.
    pub(crate) fn relative<'a>(&self, path: &'a Path) -> &'a Path {
        path.strip_prefix(&self.root).unwrap_or(path)
    }
}

impl Package {
    /// Whether it stands in `crates/` itself, and so is shipped.
    pub(crate) fn is_shipped(&self, root: &Path) -> bool {
        self.folder.parent() == Some(&root.join("crates"))
    }

    pub(crate) fn manifest(&self) -> PathBuf {
        self.folder.join("Cargo.toml")
    }
}

fn package(json: &Value) -> Package {
    let manifest = PathBuf::from(text(json, "manifest_path"));
    let features = json.get("features").and_then(Value::as_object);
    let names = features.into_iter().flat_map(serde_json::Map::keys);
    Package {
        name: text(json, "name"),
        folder: manifest.parent().map(Path::to_owned).unwrap_or_default(),
        features: names.filter(|name| *name != "default").cloned().collect(),
        dependencies: list(json, "dependencies").iter().map(dependency).collect(),
        targets: list(json, "targets").iter().map(target).collect(),
    }
}

fn dependency(json: &Value) -> Dependency {
    let kind = json.get("kind").and_then(Value::as_str);
    Dependency { name: text(json, "name"), kind: kind.map(str::to_owned) }
}

fn target(json: &Value) -> Target {
    let kinds = list(json, "kind");
    let kind = kinds.first().and_then(Value::as_str);
    Target { name: text(json, "name"), kind: kind.unwrap_or_default().to_owned() }
}

fn list<'a>(json: &'a Value, key: &str) -> &'a [Value] {
    let found = json.get(key).and_then(Value::as_array);
    found.map(Vec::as_slice).unwrap_or_default()
}

fn text(json: &Value, key: &str) -> String {
    let found = json.get(key).and_then(Value::as_str);
    found.unwrap_or_default().to_owned()
}
