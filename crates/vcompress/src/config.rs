//! Settings, as plain data.

use crate::coding::Coding;
use crate::error::BuildError;
use crate::media_type;

/// Settings of a [`CompressLayer`](crate::CompressLayer).
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[cfg_attr(feature = "serde", serde(default, deny_unknown_fields))]
pub struct Config {
    /// The codings offered, the one preferred among equals first; the client's weights come
    /// before this order. Default: `zstd`, `br`, `gzip`, as far as compiled in. None: nothing is
    /// ever coded.
    pub codings: Vec<Coding>,
    /// The same for bodies of unknown length and those longer than `whole_max`, which are coded
    /// as they stream by. Default: `zstd`, `gzip`, `br`, as far as compiled in: brotli holds
    /// about 1 MiB for each stream that is open, gzip and zstd about half of it.
    pub stream_codings: Vec<Coding>,
    /// How hard each coding tries.
    pub levels: Levels,
    /// Bodies shorter than this, in bytes, are sent as they are. Default: 1 KiB. Below a few
    /// hundred bytes coding costs more than it saves.
    #[cfg_attr(feature = "serde", serde(with = "vunit::size"))]
    pub min_size: u64,
    /// Bodies up to this length, in bytes, that are at hand at once are coded in one go: one
    /// frame with `Content-Length`, and never larger than the original. Default: 256 KiB. That
    /// is also the most that is held back of a body of unknown length, and it bounds the time
    /// that one response keeps its thread (about 2 ms at the default levels).
    #[cfg_attr(feature = "serde", serde(with = "vunit::size"))]
    pub whole_max: u64,
    /// Media types to code: `text/html`, `text/*`, `*/*+json`; letter case does not matter.
    /// Default: text, JSON, JavaScript, XML, SVG, WebAssembly, protobuf and uncompressed fonts.
    /// gRPC is never coded: it has its own compression.
    pub types: Vec<String>,
}

impl Default for Config {
    fn default() -> Self {
        let compiled = |order: [Coding; 3]| {
            let order = order.into_iter();
            order.filter(|coding| coding.is_compiled_in()).collect()
        };
        Self {
            codings: compiled([Coding::Zstd, Coding::Brotli, Coding::Gzip]),
            stream_codings: compiled([Coding::Zstd, Coding::Gzip, Coding::Brotli]),
            levels: Levels::default(),
            min_size: 1024,
            whole_max: 256 * 1024,
            types: TYPES.map(str::to_owned).to_vec(),
        }
    }
}

/// What is text, or compresses like it. Formats that are compressed already are not here.
const TYPES: [&str; 24] = [
    "text/*",
    "*/*+json",
    "*/*+xml",
    "*/*+yaml",
    "application/json",
    "application/javascript",
    "application/x-javascript",
    "application/xml",
    "application/ndjson",
    "application/x-ndjson",
    "application/jsonl",
    "application/json-seq",
    "application/graphql",
    "application/yaml",
    "application/x-yaml",
    "application/wasm",
    "application/protobuf",
    "application/x-protobuf",
    "application/vnd.ms-fontobject",
    "application/rtf",
    "font/ttf",
    "font/otf",
    "image/bmp",
    "image/x-icon",
];

/// How hard each coding tries: higher is smaller and slower.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[cfg_attr(feature = "serde", serde(default, deny_unknown_fields))]
pub struct Levels {
    /// gzip and deflate, 1 to 9. Default: 5, which costs little more than half the time of 6
    /// for 1 or 2 % more bytes.
    pub gzip: i32,
    /// brotli, 0 to 11. Default: 5, the first that is smaller than gzip; 10 and 11 take
    /// milliseconds for a few kilobytes and are for bodies that are coded once and kept.
    pub brotli: i32,
    /// zstd, -7 to 19. Default: 3; 6 costs as much as gzip at 5 and is smaller.
    pub zstd: i32,
}

impl Default for Levels {
    fn default() -> Self {
        Self { gzip: 5, brotli: 5, zstd: 3 }
    }
}

impl Levels {
    /// The level for `coding`; deflate has gzip's.
    #[must_use]
    pub const fn of(&self, coding: Coding) -> i32 {
        match coding {
            Coding::Gzip | Coding::Deflate => self.gzip,
            Coding::Brotli => self.brotli,
            Coding::Zstd => self.zstd,
        }
    }
}

impl Config {
    /// Checks the settings; [`CompressLayer::new`](crate::CompressLayer::new) does so itself.
    ///
    /// # Errors
    ///
    /// See [`BuildError`].
    pub fn check(&self) -> Result<(), BuildError> {
        check_order(&self.codings)?;
        check_order(&self.stream_codings)?;
        for coding in Coding::ALL {
            let level = self.levels.of(coding);
            if !coding.levels().contains(&level) {
                return Err(BuildError::Level { coding, level });
            }
        }
        match self.types.iter().find(|p| !media_type::is_pattern(p)) {
            Some(pattern) => Err(BuildError::Type { pattern: pattern.clone() }),
            None => Ok(()),
        }
    }

    /// The order for a body of `length`, if that is known.
    pub(crate) fn order(&self, length: Option<u64>) -> &[Coding] {
        if length.is_some_and(|length| length <= self.whole_max) {
            &self.codings
        } else {
            &self.stream_codings
        }
    }
}

fn check_order(order: &[Coding]) -> Result<(), BuildError> {
    for (place, &coding) in order.iter().enumerate() {
        if !coding.is_compiled_in() {
            return Err(BuildError::NotCompiledIn { coding });
        }
        if order.iter().take(place).any(|earlier| *earlier == coding) {
            return Err(BuildError::Twice { coding });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_sound() {
        Config::default().check().unwrap();
    }

    #[test]
    fn a_level_that_no_codec_knows_is_refused() {
        let mut config = Config::default();
        config.levels.brotli = 12;
        let error = config.check().unwrap_err();
        assert_eq!(error.to_string(), "level 12 of `br` is not within 0 and 11");
    }

    #[test]
    fn a_pattern_that_matches_nothing_is_refused() {
        for pattern in ["text", "", "/", "text/", "te*t/html", "text/*html", "a/b/c"] {
            let types = vec![pattern.to_owned()];
            let config = Config { types, ..Config::default() };
            assert!(matches!(config.check(), Err(BuildError::Type { .. })), "{pattern}");
        }
    }

    #[cfg(feature = "gzip")]
    #[test]
    fn a_coding_named_twice_is_refused() {
        let config = Config { codings: vec![Coding::Gzip, Coding::Gzip], ..Config::default() };
        let coding = Coding::Gzip;
        assert_eq!(config.check(), Err(BuildError::Twice { coding }));
    }

    #[cfg(not(feature = "zstd"))]
    #[test]
    fn a_coding_that_is_not_compiled_in_is_refused() {
        let config = Config { codings: vec![Coding::Zstd], ..Config::default() };
        let error = config.check().unwrap_err();
        assert_eq!(error.to_string(), "the coding `zstd` needs the cargo feature `zstd`");
    }

    #[cfg(feature = "serde")]
    #[test]
    fn settings_are_read_from_a_file() {
        let config: Config = serde_json::from_str(
            r#"{"codings":[],"min_size":"2KiB","levels":{"zstd":6},"types":["text/*"]}"#,
        )
        .unwrap();
        assert_eq!((config.min_size, config.levels.zstd), (2048, 6));
        assert_eq!(config.levels.gzip, 5);
        assert!(serde_json::from_str::<Config>(r#"{"level":6}"#).is_err());
        assert_eq!(serde_json::to_string(&Coding::Brotli).unwrap(), r#""br""#);
    }
}
