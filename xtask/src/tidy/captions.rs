//! Rule: the first line of a file says what is inside.

use crate::tidy::finding::Finding;
use crate::tidy::source::Source;

const RULE: &str = "captions";

pub(crate) fn check(source: &Source, findings: &mut Vec<Finding>) {
    if source.inside.ends_with("build.rs") || has_caption(&source.text) {
        return;
    }
    let message = "the file does not begin with its caption".to_owned();
    let fix = "begin with one `//!` sentence that says what is inside";
    findings.push(Finding::new(&source.path, 1, RULE, message).fix(fix));
}

/// A `//!` sentence, or the README in its place.
fn has_caption(text: &str) -> bool {
    let first = text.lines().next().unwrap_or_default();
    let said = first.strip_prefix("//! ").is_some_and(|caption| !caption.trim().is_empty());
    said || first.starts_with("#![doc = include_str!(")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_caption_is_the_first_line() {
        assert!(has_caption("//! What is inside.\n"));
        assert!(has_caption("#![doc = include_str!(\"../README.md\")]\n"));
        for text in ["", "//!\n", "//!  \n", "\n//! Late.\n", "// Not a doc.\n", "use x;\n"] {
            assert!(!has_caption(text), "{text:?}");
        }
    }
}
