//! Rule: every shipped crate has a changelog, and a README whose table lists every feature.

use std::fs;

use crate::tidy::finding::{Finding, line_of};
use crate::workspace::{Package, Workspace};

const RULE: &str = "documents";

pub(crate) fn check(package: &Package, workspace: &Workspace, findings: &mut Vec<Finding>) {
    if !package.is_shipped(&workspace.root) {
        return;
    }
    read(package, workspace, "CHANGELOG.md", findings);
    let Some(readme) = read(package, workspace, "README.md", findings) else {
        return;
    };
    let file = package.folder.join("README.md");
    for (line, message) in problems(&readme, &package.features) {
        let fix = "give each feature a row `| `name` | no | what it adds |` under `## Features`";
        let path = workspace.relative(&file);
        findings.push(Finding::new(path, line, RULE, message).fix(fix));
    }
}

fn read(
    package: &Package,
    workspace: &Workspace,
    name: &str,
    findings: &mut Vec<Finding>,
) -> Option<String> {
    let file = package.folder.join(name);
    let text = fs::read_to_string(&file).ok();
    if text.is_none() {
        let message = format!("there is no {name}");
        let fix = "every shipped crate has README.md and CHANGELOG.md";
        findings.push(Finding::new(workspace.relative(&file), 1, RULE, message).fix(fix));
    }
    text
}

/// Lines and what is wrong there.
fn problems(readme: &str, features: &[String]) -> Vec<(usize, String)> {
    let listed = listed(readme);
    let heading = line_of(readme, "## Features");
    let missing = features.iter().filter(|feature| !listed.contains(&feature.as_str()));
    let missing = missing.map(|feature| (heading, format!("feature `{feature}` is not listed")));
    let unknown = listed.iter().filter(|name| !features.iter().any(|feature| feature == *name));
    let unknown = unknown.map(|name| (heading, format!("there is no feature `{name}`")));
    missing.chain(unknown).collect()
}

/// The names in the first column of the table under `## Features`.
fn listed(readme: &str) -> Vec<&str> {
    let section = readme.lines().skip_while(|line| line.trim() != "## Features");
    let section = section.skip(1).take_while(|line| !line.starts_with("## "));
    section
        .filter_map(|line| line.trim().strip_prefix("| `")?.split('`').next())
        .filter(|name| *name != "default")
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const README: &str = "# x\n\n## Features\n\n| feature | default | adds |\n|---|---|---|\n\
                          | `a` | no | one |\n| `b` | no | two |\n\n## Limits\n\n| `c` | |\n";

    #[test]
    fn rows_and_features_agree() {
        let features = |names: &[&str]| names.iter().map(|n| (*n).to_owned()).collect::<Vec<_>>();
        assert_eq!(problems(README, &features(&["a", "b"])), []);
        let found = problems(README, &features(&["a", "c"]));
        let expected = [
            (3, "feature `c` is not listed".to_owned()),
            (3, "there is no feature `b`".to_owned()),
        ];
        assert_eq!(found, expected);
    }
}
