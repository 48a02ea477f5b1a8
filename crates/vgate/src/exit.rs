//! How the program ends, as a number that scripts can rely on.

use std::process::ExitCode;

/// Why a command ended without success. The message went to standard error already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Failure {
    /// The configuration is wrong: 1.
    Config,
    /// Something failed while running, such as a port in use: 3. (2 is a wrong command line.)
    Runtime,
}

impl From<Failure> for ExitCode {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Config => Self::from(1),
            Failure::Runtime => Self::from(3),
        }
    }
}

/// The table of codes, for `--help`.
pub(crate) const CODES: &str = "\
Exit codes:
  0  done, or drained after SIGTERM or SIGINT
  1  the configuration is wrong
  2  the command line is wrong
  3  it failed while running, such as a port in use
  130, 143  ended at once by a second SIGINT or SIGTERM";
