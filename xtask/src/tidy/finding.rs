//! What tidy has to say: where, which rule, what to do.

use std::fmt;
use std::path::{Path, PathBuf};

/// One thing that is against a rule.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Finding {
    pub(crate) path: PathBuf,
    pub(crate) line: usize,
    pub(crate) rule: &'static str,
    pub(crate) message: String,
    pub(crate) fix: &'static str,
}

impl Finding {
    pub(crate) fn new(path: &Path, line: usize, rule: &'static str, message: String) -> Self {
        Self { path: path.to_owned(), line: line.max(1), rule, message, fix: "" }
    }

    /// What to do about it.
    pub(crate) fn fix(self, fix: &'static str) -> Self {
        Self { fix, ..self }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (path, line) = (self.path.display(), self.line);
        let (rule, message, fix) = (self.rule, &self.message, self.fix);
        write!(f, "{path}:{line}: {message} [{rule}]\n  fix: {fix}")
    }
}

/// The first line of `text` that holds `needle`, counted from 1; 1 when none does.
pub(crate) fn line_of(text: &str, needle: &str) -> usize {
    let found = text.lines().position(|line| line.contains(needle));
    found.map_or(1, |index| index + 1)
}
