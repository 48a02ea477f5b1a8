//! One mistake in a configuration: where it stands, what it is, and what to do.

use std::ops::Range;

/// One mistake, at its place in the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Problem {
    /// The offending bytes of the file.
    pub(crate) span: Range<usize>,
    /// What is wrong, in one sentence.
    pub(crate) message: String,
    /// What stands under the place.
    pub(crate) label: String,
    /// What to do about it.
    pub(crate) help: Option<String>,
}

impl Problem {
    /// A mistake at `span`; the message serves as the label too until one is given.
    pub(crate) fn new(span: Range<usize>, message: impl Into<String>) -> Self {
        Self { span, message: message.into(), label: String::new(), help: None }
    }

    pub(crate) fn label(mut self, label: impl Into<String>) -> Self {
        self.label = label.into();
        self
    }

    pub(crate) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

/// The candidate that `word` was most likely meant to be.
pub(crate) fn closest<'a>(
    word: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    candidates
        .into_iter()
        .map(|candidate| (strsim::jaro_winkler(word, candidate), candidate))
        .filter(|(likeness, _)| *likeness > 0.75)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_finger_finds_its_word() {
        let words = ["listen", "upstream", "rate_limit", "cache"];
        assert_eq!(closest("upsteam", words), Some("upstream"));
        assert_eq!(closest("ratelimit", words), Some("rate_limit"));
        assert_eq!(closest("zebra", words), None);
    }
}
