//! Rule: manifests take versions, lints and dependencies from the workspace.

use std::fs;

use toml::Table;

use crate::failure::{Failure, Outcome};
use crate::tidy::finding::{Finding, line_of};
use crate::workspace::{Package, Workspace};

const RULE: &str = "manifest";

/// Keys of `[package]` that every member shares.
const SHARED: [&str; 4] = ["version", "edition", "rust-version", "license"];

/// Tables of dependencies.
const DEPENDENCIES: [&str; 3] = ["dependencies", "dev-dependencies", "build-dependencies"];

pub(crate) fn check(
    package: &Package,
    workspace: &Workspace,
    findings: &mut Vec<Finding>,
) -> Outcome {
    let manifest = package.manifest();
    let text = fs::read_to_string(&manifest).map_err(Failure::at(manifest.display()))?;
    let table: Table = text.parse().map_err(Failure::at(manifest.display()))?;
    let path = workspace.relative(&manifest);
    for (line, message) in problems(&text, &table) {
        let fix = "write `.workspace = true`, and the value into the root's Cargo.toml";
        findings.push(Finding::new(path, line, RULE, message).fix(fix));
    }
    Ok(())
}

/// Lines and what is wrong there.
fn problems(text: &str, table: &Table) -> Vec<(usize, String)> {
    let mut problems = Vec::new();
    let part = |name: &str| table.get(name).and_then(toml::Value::as_table);
    let package = part("package").cloned().unwrap_or_default();
    for key in SHARED.into_iter().filter(|key| !is_shared(&package, key)) {
        problems.push((line_of(text, key), format!("`package.{key}` is its own")));
    }
    if !is_shared(table, "lints") {
        problems.push((1, "`[lints]` are not those of the workspace".to_owned()));
    }
    for kind in DEPENDENCIES {
        let dependencies = part(kind).cloned().unwrap_or_default();
        for name in dependencies.keys().filter(|name| !is_shared(&dependencies, name)) {
            let line = line_of(text, &format!("{name} "));
            problems.push((line, format!("`{kind}.{name}` has its own version")));
        }
    }
    problems
}

/// Whether `key` is `{ workspace = true, … }`.
fn is_shared(table: &Table, key: &str) -> bool {
    let value = table.get(key).and_then(|value| value.get("workspace"));
    value.and_then(toml::Value::as_bool) == Some(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_shared_is_found_with_its_line() {
        let text = "[package]\nname = \"x\"\nversion = \"1\"\nedition.workspace = true\n\
                    rust-version.workspace = true\nlicense.workspace = true\n\
                    [dependencies]\nhttp.workspace = true\nbytes = \"1\"\n\
                    serde = { workspace = true, optional = true }\n";
        let found = problems(text, &text.parse().unwrap());
        let expected = [
            (3, "`package.version` is its own".to_owned()),
            (1, "`[lints]` are not those of the workspace".to_owned()),
            (9, "`dependencies.bytes` has its own version".to_owned()),
        ];
        assert_eq!(found, expected);
    }
}
