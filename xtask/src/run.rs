//! Running other programs, and showing what is run.

use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};

use crate::failure::{Failure, Outcome};

/// Whether cargo keeps what it needs to build the same crate faster the next time.
static INCREMENTAL: AtomicBool = AtomicBool::new(true);

/// From here on, cargo builds each crate once and keeps nothing for the next time.
pub(crate) fn build_once() {
    INCREMENTAL.store(false, Ordering::Relaxed);
}

/// The cargo that runs us, so that the toolchain is the same.
pub(crate) fn cargo() -> Program {
    let path = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(path);
    if !INCREMENTAL.load(Ordering::Relaxed) {
        command.env("CARGO_INCREMENTAL", "0");
    }
    Program { shown: "cargo".to_owned(), command }
}

/// A program and its arguments.
#[derive(Debug)]
pub(crate) struct Program {
    shown: String,
    command: Command,
}

impl Program {
    pub(crate) fn new(name: &str) -> Self {
        Self { shown: name.to_owned(), command: Command::new(name) }
    }

    pub(crate) fn args(mut self, args: impl IntoIterator<Item: AsRef<str>>) -> Self {
        for arg in args {
            self.shown.push(' ');
            self.shown.push_str(arg.as_ref());
            self.command.arg(arg.as_ref());
        }
        self
    }

    pub(crate) fn env(mut self, name: &str, value: &str) -> Self {
        self.shown = format!("{name}={} {}", quoted(value), self.shown);
        self.command.env(name, value);
        self
    }

    /// Runs it with our own output, and fails when it does.
    pub(crate) fn run(mut self) -> Outcome {
        println!("$ {}", self.shown);
        let status = self.command.status();
        let status = status.map_err(Failure::at(format!("cannot start `{}`", self.shown)))?;
        if status.success() {
            return Ok(());
        }
        Err(Failure::new(format!("`{}` failed ({status})", self.shown)))
    }

    /// Runs it silently and gives what it wrote; what it complains of is part of the failure.
    pub(crate) fn output(mut self) -> Outcome<String> {
        let output = self.command.stdin(Stdio::null()).output();
        let output = output.map_err(Failure::at(format!("cannot start `{}`", self.shown)))?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        if output.status.success() {
            return Ok(text(&output.stdout));
        }
        let (shown, complaint) = (&self.shown, text(&output.stderr));
        Err(Failure::new(format!("`{shown}` failed:\n{complaint}")))
    }

    /// The command itself, for who reads its output while it runs.
    pub(crate) fn into_command(self) -> (String, Command) {
        (self.shown, self.command)
    }
}

fn quoted(value: &str) -> String {
    if value.contains(' ') { format!("\"{value}\"") } else { value.to_owned() }
}

/// Where `program` is, if it is installed. Also looks where Debian keeps servers, which is not in
/// the `PATH` of everyone.
pub(crate) fn find(program: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let servers = ["/usr/sbin", "/usr/local/sbin"].map(PathBuf::from);
    let mut folders = env::split_paths(&path).chain(servers);
    folders.find_map(|folder| Some(folder.join(program)).filter(|file| is_program(file)))
}

fn is_program(file: &Path) -> bool {
    file.is_file()
}
