//! What an entry takes: an allocator that counts.

use std::alloc::{GlobalAlloc, Layout, System};
use std::error::Error;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

use benches::asked::Asked;
use benches::caches::{Contender, Key, Value, contender};
use benches::report::Report;
use benches::table::{Table, figure, text};
use bytes::Bytes;

const NAMES: [&str; 7] =
    ["verve", "verve, TTL", "quick_cache", "moka", "moka, TTL", "foyer S3-FIFO", "foyer LFU"];

/// Counts live bytes and allocations while it is asked to.
struct Counting;

static COUNTS: AtomicBool = AtomicBool::new(false);
static LIVE: AtomicI64 = AtomicI64::new(0);
static MADE: AtomicI64 = AtomicI64::new(0);

impl Counting {
    fn count(bytes: usize, sign: i64) {
        if COUNTS.load(Ordering::Relaxed) {
            let bytes = i64::try_from(bytes).unwrap_or(i64::MAX);
            LIVE.fetch_add(sign * bytes, Ordering::Relaxed);
            MADE.fetch_add(sign.max(0), Ordering::Relaxed);
        }
    }
}

// SAFETY: passes everything on to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        Self::count(layout.size(), 1);
        // SAFETY: the caller keeps the contract of `alloc`.
        unsafe { System.alloc(layout) }
    }
    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        Self::count(layout.size(), -1);
        // SAFETY: the caller keeps the contract of `dealloc`.
        unsafe { System.dealloc(at, layout) }
    }
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        Self::count(layout.size(), 1);
        // SAFETY: the caller keeps the contract of `alloc_zeroed`.
        unsafe { System.alloc_zeroed(layout) }
    }
    unsafe fn realloc(&self, at: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        Self::count(size, 1);
        Self::count(layout.size(), -1);
        // SAFETY: the caller keeps the contract of `realloc`.
        unsafe { System.realloc(at, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Live bytes for each entry of a cache that is full, and whose entries have been replaced once.
pub(crate) fn run(asked: &Asked, report: &mut Report) -> Result<(), Box<dyn Error>> {
    let mut table = Table::new(
        "Memory",
        "Live bytes asked of the allocator for each entry: of a cache that is just full, and after \
         as many other keys again. The data itself is 16 bytes, or about 188. Allocations are for \
         each insertion while filling.",
        &["entries", "contender", "bytes, filled", "bytes, replaced", "allocations"],
    );
    for entries in [100_000, 1_000_000, 1_100_000] {
        let kind = format!("{entries} u64→u64");
        measure(asked, &mut table, &kind, entries, |key| (key, key));
    }
    let value = |key: u64| (format!("{key:032}"), Bytes::from(vec![0; 100]));
    measure(asked, &mut table, "250000 String32→Bytes100", 250_000, value);
    report.add(table);
    Ok(())
}

fn measure<K: Key, V: Value>(
    asked: &Asked,
    table: &mut Table,
    kind: &str,
    entries: usize,
    entry: impl Fn(u64) -> (K, V),
) {
    for name in NAMES.into_iter().filter(|name| asked.contender(name)) {
        LIVE.store(0, Ordering::Relaxed);
        MADE.store(0, Ordering::Relaxed);
        COUNTS.store(true, Ordering::Relaxed);
        let cache: Contender<K, V> = contender(name, entries).expect("a known name");
        let fill = |keys: std::ops::Range<u64>| {
            for (key, value) in keys.map(&entry) {
                cache.insert(key, value);
            }
            LIVE.load(Ordering::Relaxed) as f64 / cache.len() as f64
        };
        let last = entries as u64;
        let filled = fill(0..last);
        let made = MADE.load(Ordering::Relaxed) as f64 / last as f64;
        let replaced = fill(last..2 * last);
        drop(cache);
        COUNTS.store(false, Ordering::Relaxed);
        let figures = [figure(filled, 1), figure(replaced, 1), figure(made, 2)];
        table.row([text(kind), text(name)].into_iter().chain(figures));
    }
}
