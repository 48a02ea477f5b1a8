//! Recorded accesses: files of `u32` keys in four byte planes, gzipped.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use flate2::read::GzDecoder;

/// A trace, the entries that a cache has room for, and the hit ratio (%) that Caffeine reached with
/// as many in an earlier measurement: it runs on Java, and not here.
pub type Case = (&'static str, usize, f64);

/// Room for 1, 5 and 20 % of the distinct keys, 64 at least.
pub const CASES: [Case; 23] = [
    ("arc-oltp", 1868, 44.60),
    ("arc-oltp", 9344, 58.31),
    ("arc-oltp", 37_376, 65.02),
    ("cache2k-web12", 137, 42.31),
    ("cache2k-web12", 687, 62.80),
    ("cache2k-web12", 2751, 74.72),
    ("corda-vault", 904, 29.33),
    ("corda-vault", 4523, 23.02),
    ("corda-vault", 18_093, 33.33),
    ("adaptsize-request", 368, 25.38),
    ("adaptsize-request", 1840, 32.36),
    ("adaptsize-request", 7363, 38.26),
    ("lirs-sprite", 70, 22.09),
    ("lirs-sprite", 353, 65.93),
    ("lirs-sprite", 1415, 88.83),
    ("lirs-multi2", 64, 19.88),
    ("lirs-multi2", 284, 42.33),
    ("lirs-multi2", 1136, 58.38),
    ("lirs-glimpse", 64, 1.20),
    ("lirs-glimpse", 126, 3.01),
    ("lirs-glimpse", 505, 27.56),
    ("lirs-loop", 64, 2.24),
    ("lirs-loop", 202, 19.72),
];

/// The folder of traces: `VERVE_TRACES`, or `shared/cache-traces` beside the repository.
#[must_use]
pub fn folder() -> PathBuf {
    std::env::var_os("VERVE_TRACES").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/cache-traces"),
        PathBuf::from,
    )
}

/// The keys of a trace, in order.
///
/// # Errors
///
/// Fails, and says what to do, if the file is missing, or is no trace.
pub fn load(name: &str) -> io::Result<Vec<u32>> {
    let path = folder().join(format!("{name}.u32p.gz"));
    let file = File::open(&path).map_err(|e| {
        let text = format!(
            "{}: {e}; set VERVE_TRACES to the folder with the cache traces",
            path.display()
        );
        io::Error::new(e.kind(), text)
    })?;
    let mut bytes = Vec::new();
    GzDecoder::new(file).read_to_end(&mut bytes)?;
    planes(&bytes).ok_or_else(|| {
        io::Error::new(io::ErrorKind::InvalidData, format!("{}: not four planes", path.display()))
    })
}

/// All lowest bytes come first, then the next ones.
fn planes(bytes: &[u8]) -> Option<Vec<u32>> {
    let len = bytes.len() / 4;
    if len == 0 || len * 4 != bytes.len() {
        return None;
    }
    let (a, rest) = bytes.split_at(len);
    let (b, rest) = rest.split_at(len);
    let (c, d) = rest.split_at(len);
    let whole = a.iter().zip(b).zip(c).zip(d);
    Some(whole.map(|(((a, b), c), d)| u32::from_le_bytes([*a, *b, *c, *d])).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn planes_are_put_together() {
        assert_eq!(planes(&[1, 2, 0, 1, 0, 0, 0, 0]), Some(vec![1, 0x0102]));
        assert_eq!(planes(&[1, 2, 3]), None);
        assert_eq!(planes(&[]), None);
    }
}
