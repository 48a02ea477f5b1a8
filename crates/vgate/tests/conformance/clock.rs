//! A clock for the gateway that stands still until it is moved on.

use std::ffi::OsString;
use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Mutex;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Sun, 06 Nov 2022 12:00:00 GMT, of which the rows speak.
const NOON: Duration = Duration::from_secs(1_667_736_000);

pub(crate) struct Clock {
    now: Mutex<Duration>,
    file: File,
    folder: tempfile::TempDir,
}

impl Clock {
    /// A clock that stands at noon.
    pub(crate) fn at_noon() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/conformance/clock.c");
        let built = Command::new("cc")
            .args(["-shared", "-fPIC", "-O1", "-o"])
            .arg(folder.path().join("clock.so"))
            .arg(source)
            .status();
        let built = built.expect("no C compiler: apt-get install gcc");
        assert!(built.success(), "{source} does not compile");
        let file = File::create(folder.path().join("now")).unwrap();
        let clock = Self { now: Mutex::new(NOON), file, folder };
        clock.advance(0);
        clock
    }

    /// What a gateway needs to tell this time.
    pub(crate) fn environment(&self) -> [(&'static str, OsString); 2] {
        let path = |name: &str| -> PathBuf { self.folder.path().join(name) };
        [("LD_PRELOAD", path("clock.so").into()), ("CONFORMANCE_CLOCK", path("now").into())]
    }

    pub(crate) fn advance(&self, seconds: u64) {
        let mut now = self.now.lock().unwrap();
        *now += Duration::from_secs(seconds);
        let nanos = u64::try_from(now.as_nanos()).unwrap();
        // The gateway has this page mapped.
        self.file.write_all_at(&nanos.to_ne_bytes(), 0).unwrap();
    }

    pub(crate) fn now(&self) -> SystemTime {
        UNIX_EPOCH + *self.now.lock().unwrap()
    }

    /// How far it is from noon.
    pub(crate) fn since_noon(&self) -> Duration {
        *self.now.lock().unwrap() - NOON
    }

    pub(crate) fn noon() -> SystemTime {
        UNIX_EPOCH + NOON
    }
}
