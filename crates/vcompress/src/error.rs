//! Why settings were refused, and why a codec failed.

use crate::coding::Coding;

/// Why a [`Config`](crate::Config) was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// A coding is named that this build cannot apply.
    #[error("the coding `{coding}` needs the cargo feature `{feature}`", feature = coding.feature())]
    NotCompiledIn {
        /// The coding.
        coding: Coding,
    },
    /// A coding is named twice in one order.
    #[error("the coding `{coding}` is named twice")]
    Twice {
        /// The coding.
        coding: Coding,
    },
    /// A level is outside what the coding knows.
    #[error(
        "level {level} of `{coding}` is not within {} and {}",
        coding.levels().start(),
        coding.levels().end()
    )]
    Level {
        /// The coding.
        coding: Coding,
        /// The level.
        level: i32,
    },
    /// A pattern of `types` is none of `type/subtype`, `type/*`, `*/*+suffix`.
    #[error("`{pattern}` is no media type; write `text/html`, `text/*` or `*/*+json`")]
    Type {
        /// The pattern.
        pattern: String,
    },
}

/// Why a codec failed: memory ran out, or the codec's own library refused.
#[derive(Debug, thiserror::Error)]
#[error("encoding the body as {coding} failed")]
pub(crate) struct CodecError {
    pub(crate) coding: Coding,
}
