//! Figures of this process, read from `/proc` when a scrape asks.
//!
//! The names are the ones that Prometheus' client libraries agree on ("Writing client
//! libraries", standard and runtime collectors). Where a figure cannot be read it is left out;
//! where there is no `/proc` all are.

use std::fs;
use std::path::Path;

use crate::histogram::approximate as float;
use crate::snapshot::{Kind, Metric, Sample, Value};

/// Ticks of a second in `/proc`, when the process cannot ask: the ABI's value on every current
/// architecture but Alpha.
const USUAL_TICKS: u64 = 100;

/// `AT_CLKTCK` of `getauxval(3)`: the frequency at which `times(2)` counts.
const AT_CLKTCK: u64 = 17;

/// One figure: its name, its kind, what it is, and how it is read.
type Figure = (&'static str, Kind, &'static str, fn(&Files) -> Option<f64>);

const FIGURES: [Figure; 7] = [
    (
        "process_cpu_seconds_total",
        Kind::Counter,
        "User and system time spent, in seconds.",
        |files| Some(files.seconds(files.stat.as_ref()?.cpu_ticks)),
    ),
    (
        "process_start_time_seconds",
        Kind::Gauge,
        "Start of the process, in seconds since the Unix epoch.",
        |files| Some(float(files.boot?) + files.seconds(files.stat.as_ref()?.start_ticks)),
    ),
    ("process_threads", Kind::Gauge, "Threads of the process.", |files| {
        Some(float(files.stat.as_ref()?.threads))
    }),
    ("process_resident_memory_bytes", Kind::Gauge, "Resident memory, in bytes.", |files| {
        kibibytes(&files.status, "VmRSS:").map(float)
    }),
    ("process_virtual_memory_bytes", Kind::Gauge, "Virtual memory, in bytes.", |files| {
        kibibytes(&files.status, "VmSize:").map(float)
    }),
    ("process_open_fds", Kind::Gauge, "Open file descriptors.", |files| files.open.map(float)),
    ("process_max_fds", Kind::Gauge, "Most file descriptors that may be open.", |files| {
        most_files(&files.limits)
    }),
];

/// The figures of this process.
pub(crate) fn metrics() -> Vec<Metric> {
    read_from(Path::new("/proc"))
}

fn read_from(proc: &Path) -> Vec<Metric> {
    let files = Files::read(proc);
    FIGURES
        .iter()
        .filter_map(|(name, kind, help, read)| {
            let sample = Sample::plain(Value::Float(read(&files)?));
            Some(Metric::read(name, *kind, help, vec![sample]))
        })
        .collect()
}

/// What the files of `/proc` say, read once for all figures.
struct Files {
    stat: Option<Stat>,
    status: String,
    limits: String,
    open: Option<u64>,
    boot: Option<u64>,
    ticks: u64,
}

impl Files {
    fn read(proc: &Path) -> Self {
        let text = |path: &str| fs::read_to_string(proc.join(path)).unwrap_or_default();
        let auxv = fs::read(proc.join("self/auxv")).unwrap_or_default();
        Self {
            stat: Stat::parse(&text("self/stat")),
            status: text("self/status"),
            limits: text("self/limits"),
            open: open_files(&proc.join("self/fd")),
            boot: boot_seconds(&text("stat")),
            ticks: clock_ticks(&auxv).unwrap_or(USUAL_TICKS),
        }
    }

    fn seconds(&self, ticks: u64) -> f64 {
        float(ticks) / float(self.ticks)
    }
}

/// What `/proc/self/stat` tells (proc_pid_stat(5)).
#[derive(Debug, PartialEq)]
struct Stat {
    cpu_ticks: u64,
    threads: u64,
    start_ticks: u64,
}

impl Stat {
    fn parse(text: &str) -> Option<Self> {
        // The command in parentheses may hold anything, parentheses and spaces too.
        let (_, rest) = text.rsplit_once(')')?;
        // Here field 3 of the manual, the state, is number 0.
        let field = |n: usize| rest.split_ascii_whitespace().nth(n - 3)?.parse::<u64>().ok();
        Some(Self {
            cpu_ticks: field(14)?.checked_add(field(15)?)?,
            threads: field(20)?,
            start_ticks: field(22)?,
        })
    }
}

/// The value of `key` in `/proc/self/status`, in bytes; it is written in kB (of 1,024 bytes).
fn kibibytes(status: &str, key: &str) -> Option<u64> {
    let rest = status.lines().find_map(|line| line.strip_prefix(key))?;
    let kib: u64 = rest.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kib.checked_mul(1024)
}

/// When the machine started, in seconds since the Unix epoch.
fn boot_seconds(stat: &str) -> Option<u64> {
    let rest = stat.lines().find_map(|line| line.strip_prefix("btime "))?;
    rest.trim().parse().ok()
}

/// Ticks of a second, from the auxiliary vector: pairs of machine words.
fn clock_ticks(auxv: &[u8]) -> Option<u64> {
    const WORD: usize = size_of::<usize>();
    let word = |bytes: &[u8]| {
        let bytes: [u8; WORD] = bytes.try_into().ok()?;
        u64::try_from(usize::from_ne_bytes(bytes)).ok()
    };
    auxv.chunks_exact(2 * WORD).find_map(|pair| {
        let (key, value) = pair.split_at_checked(WORD)?;
        (word(key)? == AT_CLKTCK).then(|| word(value).filter(|ticks| *ticks > 0))?
    })
}

/// Open descriptors: the directory's size says it since Linux 6.2, before that they are counted.
fn open_files(directory: &Path) -> Option<u64> {
    match fs::metadata(directory).ok()?.len() {
        // The directory handle is one of the entries while they are counted.
        0 => u64::try_from(fs::read_dir(directory).ok()?.count().saturating_sub(1)).ok(),
        size => Some(size),
    }
}

/// The soft limit of open files; infinite when there is none.
fn most_files(limits: &str) -> Option<f64> {
    let rest = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    match rest.split_ascii_whitespace().next()? {
        "unlimited" => Some(f64::INFINITY),
        number => number.parse::<u64>().ok().map(float),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_with_parentheses_is_skipped() {
        let text = "7 (a) b (c)) S 1 7 7 0 -1 4194304 9 0 0 0 250 50 0 0 20 0 12 0 9000 1 2";
        let stat = Stat::parse(text).unwrap();
        let expected = Stat { cpu_ticks: 300, threads: 12, start_ticks: 9000 };
        assert_eq!(stat, expected);
        assert_eq!(Stat::parse(""), None);
    }

    #[test]
    fn sizes_limits_and_boot_time_are_read() {
        let status = "Name:\tx\nVmSize:\t    2048 kB\nVmRSS:\t 10 kB\n";
        assert_eq!(kibibytes(status, "VmSize:"), Some(2_097_152));
        assert_eq!(kibibytes(status, "VmSwap:"), None);
        let limits = "Limit   Soft  Hard  Units\nMax open files   1024   4096   files\n";
        assert_eq!(most_files(limits), Some(1024.0));
        let unlimited = limits.replace("1024", "unlimited");
        assert_eq!(most_files(&unlimited), Some(f64::INFINITY));
        assert_eq!(boot_seconds("cpu 1 2\nbtime 1700000000\n"), Some(1_700_000_000));
    }

    #[test]
    fn ticks_come_from_the_auxiliary_vector() {
        let words = |words: &[usize]| words.iter().flat_map(|w| w.to_ne_bytes()).collect();
        let auxv: Vec<u8> = words(&[6, 4096, 17, 250, 0, 0]);
        assert_eq!(clock_ticks(&auxv), Some(250));
        let without: Vec<u8> = words(&[6, 4096, 0, 0]);
        assert_eq!(clock_ticks(&without), None);
    }

    #[test]
    fn without_proc_there_is_nothing() {
        assert!(read_from(Path::new("/nonexistent")).is_empty());
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn this_process_has_all_figures() {
        let metrics = metrics();
        let value = |name: &str| {
            let metric = metrics.iter().find(|m| &*m.name == name).expect(name);
            match metric.samples[0].value {
                Value::Float(n) => n,
                _ => panic!("{name} is not a float"),
            }
        };
        assert_eq!(metrics.len(), 7);
        assert!(value("process_resident_memory_bytes") > 100_000.0);
        assert!(value("process_open_fds") >= 3.0 - f64::EPSILON);
        assert!(value("process_open_fds") <= value("process_max_fds"));
        assert!(value("process_threads") >= 1.0);
        let now = std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .unwrap()
            .as_secs_f64();
        let age = now - value("process_start_time_seconds");
        assert!((-5.0..86_400.0).contains(&age), "started {age} s ago");
    }
}
