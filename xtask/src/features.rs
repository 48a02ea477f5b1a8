//! Every crate with no feature, with each feature alone, and with all.

use crate::failure::{Failure, Outcome};
use crate::run::cargo;
use crate::workspace::{Package, Workspace};

/// Checks each set of features of each shipped crate by itself: together, features of other crates
/// would hide that one is missing. Dependencies in common are built once.
pub(crate) fn each_alone() -> Outcome {
    let workspace = Workspace::load()?;
    let mut failed = Vec::new();
    let shipped = workspace.packages.iter();
    for package in shipped.filter(|package| package.is_shipped(&workspace.root)) {
        for features in sets(package) {
            // All of them, because who mends one wants to see the others.
            if check(&package.name, &features).is_err() {
                failed.push(format!("{} [{features}]", package.name));
            }
        }
    }
    if failed.is_empty() {
        return Ok(());
    }
    Err(Failure::new(format!("not clean alone: {}", failed.join(", "))))
}

/// The sets of features to check, each as the argument of `--features`.
fn sets(package: &Package) -> Vec<String> {
    let mut sets = vec![String::new()];
    sets.extend(package.features.iter().cloned());
    // With one feature, all is the same as that one alone.
    if package.features.len() > 1 {
        sets.push(package.features.join(","));
    }
    sets
}

fn check(package: &str, features: &str) -> Outcome {
    let program = cargo().args(["clippy", "--quiet", "--no-default-features", "-p", package]);
    let features = (!features.is_empty()).then_some(["--features", features]);
    let program = program.args(features.into_iter().flatten());
    program.args(["--", "-D", "warnings"]).run()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sets_of(features: &[&str]) -> Vec<String> {
        sets(&Package {
            features: features.iter().map(|name| (*name).to_owned()).collect(),
            ..Package::default()
        })
    }

    #[test]
    fn none_each_and_all() {
        assert_eq!(sets_of(&[]), [""]);
        assert_eq!(sets_of(&["a"]), ["", "a"]);
        assert_eq!(sets_of(&["a", "b"]), ["", "a", "b", "a,b"]);
    }
}
