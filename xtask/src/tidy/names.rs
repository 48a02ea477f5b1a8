//! Rule: names of files say what is inside.

use std::path::Path;

use crate::tidy::finding::Finding;
use crate::tidy::source::Source;

const RULE: &str = "names";

/// Names that say nothing.
const FORBIDDEN: [&str; 9] =
    ["util", "utils", "common", "helper", "helpers", "manager", "managers", "misc", "stuff"];

pub(crate) fn check(source: &Source, findings: &mut Vec<Finding>) {
    if let Some(name) = forbidden(&source.inside) {
        let message = format!("`{name}` says nothing about what is inside");
        let fix = "name the file after the one idea in it";
        findings.push(Finding::new(&source.path, 1, RULE, message).fix(fix));
    }
}

/// The first part of the path, or of a name in it, that is forbidden.
fn forbidden(path: &Path) -> Option<&str> {
    let parts = path.iter().filter_map(|part| part.to_str());
    let words = parts.flat_map(|part| part.trim_end_matches(".rs").split('_'));
    words.into_iter().find(|word| FORBIDDEN.contains(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_say_nothing() {
        for (path, name) in [
            ("src/utils.rs", Some("utils")),
            ("src/http_helpers.rs", Some("helpers")),
            ("tests/common/mod.rs", Some("common")),
            ("src/pool.rs", None),
            ("src/commonality.rs", None),
        ] {
            assert_eq!(forbidden(Path::new(path)), name, "{path}");
        }
    }
}
