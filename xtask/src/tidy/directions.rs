//! Rule: which crate may import which.

use std::fs;

use crate::failure::{Failure, Outcome};
use crate::tidy::finding::{Finding, line_of};
use crate::workspace::{Dependency, Package, Workspace};

const RULE: &str = "directions";

/// Where a member stands in the house.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Floor {
    Ground,
    Leaf,
    Roof,
    Product,
    Benches,
    Commands,
}

impl Floor {
    fn of(package: &str) -> Self {
        match package {
            "vhttp" | "vtask" | "vunit" => Self::Ground,
            "verve" => Self::Roof,
            "vgate" => Self::Product,
            "benches" => Self::Benches,
            "xtask" => Self::Commands,
            _ => Self::Leaf,
        }
    }

    /// Whether a member on this floor may import one on `other`.
    const fn may_import(self, other: Self) -> bool {
        match self {
            Self::Ground | Self::Commands => false,
            Self::Leaf => matches!(other, Self::Ground),
            Self::Roof => matches!(other, Self::Ground | Self::Leaf),
            Self::Product => matches!(other, Self::Roof),
            Self::Benches => !matches!(other, Self::Commands),
        }
    }

    const fn fix(self) -> &'static str {
        match self {
            Self::Ground => "ground imports none of ours: let the caller pass what is needed",
            Self::Leaf => {
                "a leaf imports ground only, also in tests: meet through a closure or trait"
            }
            Self::Roof => "verve imports leaves and ground",
            Self::Product => "vgate imports verve, which re-exports the rest",
            Self::Benches => "benches import no commands",
            Self::Commands => "xtask imports nothing of ours, so that it builds when they do not",
        }
    }
}

pub(crate) fn check(
    package: &Package,
    workspace: &Workspace,
    findings: &mut Vec<Finding>,
) -> Outcome {
    let manifest = package.manifest();
    let text = fs::read_to_string(&manifest).map_err(Failure::at(manifest.display()))?;
    let floor = Floor::of(&package.name);
    let ours = |dependency: &&Dependency| workspace.package(&dependency.name).is_some();
    for dependency in package.dependencies.iter().filter(ours) {
        let name = &dependency.name;
        if floor.may_import(Floor::of(name)) {
            continue;
        }
        let kind = dependency.kind.as_deref().unwrap_or("normal");
        let message = format!("{} imports {name} ({kind} dependency)", package.name);
        let line = line_of(&text, name);
        let path = workspace.relative(&manifest);
        findings.push(Finding::new(path, line, RULE, message).fix(floor.fix()));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn imports_point_down() {
        for (from, to, allowed) in [
            ("vhttp", "vunit", false),
            ("vcache", "vhttp", true),
            ("vcache", "vpool", false),
            ("vcompress-http", "vhttp", true),
            ("vcache", "verve", false),
            ("verve", "vcache", true),
            ("verve", "vhttp", true),
            ("vgate", "verve", true),
            ("vgate", "vcache", false),
            ("vgate", "vhttp", false),
            ("benches", "vcache", true),
            ("xtask", "vunit", false),
        ] {
            let found = Floor::of(from).may_import(Floor::of(to));
            assert_eq!(found, allowed, "{from} imports {to}");
        }
    }
}
